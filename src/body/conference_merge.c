/* Keeping a conference state up to date (RFC 4575 §4.6): held and news are merged into new storage,
 * so that a failure leaves held as it was and nothing of an old document lives on. */
#include "body/conference_info.h"

#include "base/error.h"
#include "body/xml_arena.h"

#include <stdlib.h>

struct merge {
	struct conference_info doc;
	size_t n_endpoints;
	struct xml_arena arena;
};

static void count_memory(const struct conference_info *doc, size_t *endpoints, size_t *text)
{
	/* One NUL for each piece of text. */
	*text += doc->entity.n + doc->subject.n + doc->display_text.n + 3;
	for (size_t i = 0; i < doc->n_users; i++) {
		const struct conference_user *u = &doc->users[i];

		*text += u->entity.n + u->display_text.n + u->nickname.n + 3;
		*endpoints += u->n_endpoints;
		for (size_t k = 0; k < u->n_endpoints; k++)
			*text += u->endpoints[k].entity.n + u->endpoints[k].display_text.n +
				 u->endpoints[k].referred_by.n + 3;
	}
}

static int merge_init(struct merge *m, const struct conference_info *held,
		      const struct conference_info *news)
{
	size_t users = held->n_users + news->n_users, endpoints = 0, text = 0;
	int rc;

	count_memory(held, &endpoints, &text);
	count_memory(news, &endpoints, &text);
	*m = (struct merge){0};
	rc = xml_arena_init(&m->arena, text);
	m->doc.text_memory = m->arena.text;
	if (rc)
		return rc;
	m->doc.users = users ? calloc(users, sizeof(*m->doc.users)) : NULL;
	m->doc.endpoint_memory =
		endpoints ? calloc(endpoints, sizeof(*m->doc.endpoint_memory)) : NULL;
	if ((users && !m->doc.users) || (endpoints && !m->doc.endpoint_memory))
		return E_NOMEM;
	return 0;
}

static const struct conference_endpoint *find_endpoint(const struct conference_user *u, size_t n,
						       struct view entity)
{
	for (size_t i = 0; u && i < n; i++)
		if (view_eq(u->endpoints[i].entity, entity))
			return &u->endpoints[i];
	return NULL;
}

/* old may be NULL. A partial endpoint replaces only what it says. */
static int add_endpoint(struct merge *m, const struct conference_endpoint *old,
			const struct conference_endpoint *now)
{
	struct conference_endpoint *e = &m->doc.endpoint_memory[m->n_endpoints], from = *now;
	int rc;

	if (old && now->state == CONFERENCE_PARTIAL) {
		from = *old;
		if (!view_empty(now->display_text))
			from.display_text = now->display_text;
		if (!view_empty(now->referred_by))
			from.referred_by = now->referred_by;
		if (now->status)
			from.status = now->status;
		if (now->joining)
			from.joining = now->joining;
		if (now->disconnection)
			from.disconnection = now->disconnection;
	}
	*e = from;
	e->state = CONFERENCE_FULL;
	rc = xml_arena_copy(&m->arena, from.entity, &e->entity);
	if (!rc)
		rc = xml_arena_copy(&m->arena, from.display_text, &e->display_text);
	if (!rc)
		rc = xml_arena_copy(&m->arena, from.referred_by, &e->referred_by);
	if (!rc)
		m->n_endpoints++;
	return rc;
}

/* The endpoints of old (NULL: none kept) with those of now laid over them. */
static int merge_endpoints(struct merge *m, const struct conference_user *old,
			   const struct conference_user *now, struct conference_user *u)
{
	size_t first = m->n_endpoints;
	int rc = 0;

	for (size_t i = 0; old && i < old->n_endpoints && !rc; i++) {
		const struct conference_endpoint *was = &old->endpoints[i];
		const struct conference_endpoint *is =
			find_endpoint(now, now->n_endpoints, was->entity);

		if (!is || is->state != CONFERENCE_DELETED)
			rc = add_endpoint(m, is ? was : NULL, is ? is : was);
	}
	for (size_t i = 0; i < now->n_endpoints && !rc; i++) {
		const struct conference_endpoint *is = &now->endpoints[i];

		/* Keys are unique: of several the first one counts. */
		if (is->state != CONFERENCE_DELETED && !find_endpoint(now, i, is->entity) &&
		    !find_endpoint(old, old ? old->n_endpoints : 0, is->entity))
			rc = add_endpoint(m, NULL, is);
	}
	u->n_endpoints = m->n_endpoints - first;
	u->endpoints = u->n_endpoints ? &m->doc.endpoint_memory[first] : NULL;
	if (!rc && u->n_endpoints > CONFERENCE_ENDPOINTS_MAX)
		rc = E_LIMIT;
	return rc;
}

/* now laid over old, which is NULL where there is none or where now replaces it. */
static int add_user(struct merge *m, const struct conference_user *old,
		    const struct conference_user *now)
{
	struct conference_user *u = &m->doc.users[m->doc.n_users];
	struct view display = now->display_text, nickname = now->nickname;
	int rc;

	if (m->doc.n_users == CONFERENCE_USERS_MAX)
		return E_LIMIT;
	if (old && view_empty(display))
		display = old->display_text;
	if (old && view_empty(nickname))
		nickname = old->nickname;
	*u = *now;
	u->state = CONFERENCE_FULL;
	rc = xml_arena_copy(&m->arena, now->entity, &u->entity);
	if (!rc)
		rc = xml_arena_copy(&m->arena, display, &u->display_text);
	if (!rc)
		rc = xml_arena_copy(&m->arena, nickname, &u->nickname);
	if (!rc)
		rc = merge_endpoints(m, old, now, u);
	if (!rc)
		m->doc.n_users++;
	return rc;
}

static bool named_before(const struct conference_info *news, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (view_eq(news->users[k].entity, news->users[i].entity))
			return true;
	return false;
}

static int merge_users(struct merge *m, const struct conference_info *held,
		       const struct conference_info *news)
{
	int rc = 0;

	for (size_t i = 0; i < held->n_users && !rc; i++) {
		const struct conference_user *was = &held->users[i];
		const struct conference_user *is = conference_info_find(news, was->entity);

		if (!is)
			rc = add_user(m, NULL, was);
		else if (is->state != CONFERENCE_DELETED)
			rc = add_user(m, is->state == CONFERENCE_PARTIAL ? was : NULL, is);
	}
	for (size_t i = 0; i < news->n_users && !rc; i++) {
		const struct conference_user *is = &news->users[i];

		if (is->state != CONFERENCE_DELETED && !named_before(news, i) &&
		    !conference_info_find(held, is->entity))
			rc = add_user(m, NULL, is);
	}
	m->doc.has_users = true;
	return rc;
}

static int merge_description(struct merge *m, const struct conference_info *held,
			     const struct conference_info *news)
{
	const struct conference_info *subject = news->has_subject ? news : held;
	const struct conference_info *display = news->has_display_text ? news : held;
	const struct conference_info *count = news->has_user_count ? news : held;
	const struct conference_info *active = news->has_active ? news : held;
	int rc = xml_arena_copy(&m->arena, news->entity, &m->doc.entity);

	m->doc.version = news->version;
	m->doc.state = CONFERENCE_FULL;
	m->doc.has_subject = subject->has_subject;
	m->doc.has_display_text = display->has_display_text;
	m->doc.has_user_count = count->has_user_count;
	m->doc.user_count = count->user_count;
	m->doc.has_active = active->has_active;
	m->doc.active = active->active;
	if (!rc)
		rc = xml_arena_copy(&m->arena, subject->subject, &m->doc.subject);
	if (!rc)
		rc = xml_arena_copy(&m->arena, display->display_text, &m->doc.display_text);
	return rc;
}

/* Whether news may be taken at all. */
static int check_version(const struct conference_info *held, const struct conference_info *news)
{
	bool holds = held->text_memory != NULL;

	if (holds && news->version <= held->version)
		return E_EXISTS;
	if (news->state != CONFERENCE_PARTIAL)
		return 0;
	if (!holds || held->state == CONFERENCE_DELETED || news->version != held->version + 1)
		return E_STATE;
	return 0;
}

int conference_info_apply(struct conference_info *held, const struct conference_info *news)
{
	static const struct conference_info nothing;
	const struct conference_info *base = news->state == CONFERENCE_PARTIAL ? held : &nothing;
	struct conference_info no_users = *base, told = *news;
	struct merge m;
	int rc = check_version(held, news);

	if (rc)
		return rc;
	if (news->has_users && news->users_state != CONFERENCE_PARTIAL)
		no_users.n_users = 0;
	if (news->state == CONFERENCE_DELETED ||
	    (news->has_users && news->users_state == CONFERENCE_DELETED))
		told.n_users = no_users.n_users = 0;
	rc = merge_init(&m, &no_users, &told);
	if (!rc)
		rc = merge_description(&m, &no_users, &told);
	if (!rc)
		rc = merge_users(&m, &no_users, &told);
	if (rc) {
		conference_info_free(&m.doc);
		return rc;
	}
	if (news->state == CONFERENCE_DELETED)
		m.doc.state = CONFERENCE_DELETED;
	conference_info_free(held);
	*held = m.doc;
	return 0;
}
