/* Whom a conference is made anew with, should its server be gone and know it no more: who is in by
 * the roster, and who was asked and is not known to have left, to have declined, or not to have
 * been reached. A server that dies in a conference's first moments has told its roster to nobody,
 * or only half of it. docs/protocol/recovery.md, "Who is asked anew". */
#include "client/state.h"

#include <stdlib.h>

enum { PEOPLE_MAX = 255 };

bool people_same(const char *uri, struct view other)
{
	char *a = client_aor(view_str(uri)), *b = client_aor(other);
	bool same = a && b && strcmp(a, b) == 0;

	free(a);
	free(b);
	return same;
}

static struct known_person *find(const struct recovery *r, struct view aor)
{
	for (size_t i = 0; i < r->n_people; i++)
		if (view_eq(view_str(r->people[i].aor), aor))
			return &r->people[i];
	return NULL;
}

static struct known_person *room(struct recovery *r)
{
	struct known_person *more;

	if (r->n_people < PEOPLE_MAX) {
		more = realloc(r->people, (r->n_people + 1) * sizeof(*more));
		if (!more)
			return NULL;
		r->people = more;
		return &more[r->n_people++];
	}
	for (size_t i = 0; i < r->n_people; i++)
		if (r->people[i].gone) {
			free(r->people[i].aor);
			return &r->people[i];
		}
	return NULL;
}

/* NULL: it is ourselves, or there are too many. */
static struct known_person *know(struct conversation *v, struct view uri)
{
	char *aor = client_aor(uri);
	struct known_person *p = aor ? find(&v->recovery, view_str(aor)) : NULL;

	if (p) {
		/* Asked back: what the roster says of him is of before. */
		p->listed = p->listed && !p->gone;
		p->gone = false;
		free(aor);
		return p;
	}
	p = aor && !ims_is_self(v->client, view_str(aor)) ? room(&v->recovery) : NULL;
	if (p)
		*p = (struct known_person){.aor = aor};
	else
		free(aor);
	return p;
}

void people_asked(struct conversation *v, const struct view *uri, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)know(v, uri[i]);
}

void people_made(struct conversation *v)
{
	free(v->recovery.inviter);
	v->recovery.inviter = NULL;
	v->recovery.made = true;
}

void people_inviter(struct conversation *v, struct view uri)
{
	struct known_person *p = know(v, uri);

	free(v->recovery.inviter);
	v->recovery.inviter = client_aor(uri);
	v->recovery.made = false;
	/* He was in then: a roster without him says that he has left. */
	if (p)
		p->listed = true;
}

static bool is_here(const struct conference_user *u)
{
	for (size_t i = 0; i < u->n_endpoints; i++)
		if (u->endpoints[i].status < CONFERENCE_DISCONNECTING)
			return true;
	return false;
}

/* One of rejoin_with who has decided otherwise. */
static void let_go(struct conversation *v, struct view uri)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->n_rejoin_with; i++) {
		if (people_same(v->rejoin_with[i], uri))
			free(v->rejoin_with[i]);
		else
			v->rejoin_with[kept++] = v->rejoin_with[i];
	}
	v->n_rejoin_with = kept;
}

static enum conference_disconnection how_out(const struct conference_user *u)
{
	return u->n_endpoints ? u->endpoints[0].disconnection : CONFERENCE_DISCONNECTION_NONE;
}

/* Who was put out may not lead others away (people_knows). */
static void forget(struct recovery *r, struct known_person *p)
{
	free(p->aor);
	*p = r->people[--r->n_people];
}

static void look_at(struct conversation *v, const struct conference_user *u)
{
	char *aor = client_aor(u->entity);
	struct known_person *p = aor ? find(&v->recovery, view_str(aor)) : NULL;
	enum conference_disconnection how = how_out(u);

	free(aor);
	if (is_here(u)) {
		if (p)
			p->here = true;
		return;
	}
	if (p && how == CONFERENCE_BOOTED)
		forget(&v->recovery, p);
	else if (p && u->n_endpoints)
		p->out = true;
	/* Who went had come back before: he is not called a second time. */
	if (v->recovery.anew && v->n_rejoin_with &&
	    (how == CONFERENCE_DEPARTED || how == CONFERENCE_BOOTED))
		let_go(v, u->entity);
}

void people_look(struct conversation *v)
{
	struct recovery *r = &v->recovery;

	for (size_t i = 0; i < r->n_people; i++)
		r->people[i].here = r->people[i].out = false;
	for (size_t i = 0; i < v->roster.n_users; i++)
		look_at(v, &v->roster.users[i]);
	for (size_t i = 0; i < r->n_people; i++) {
		struct known_person *p = &r->people[i];

		p->listed = p->listed || p->here;
		/* Who was never listed may still be asked by the focus; who was, and is not any
		 * more, has left. */
		if (p->here)
			p->gone = false;
		else if (p->out || p->listed)
			p->gone = true;
	}
}

void people_declined(struct conversation *v, const char *uri, int status)
{
	char *aor = status >= 300 ? client_aor(view_str(uri)) : NULL;
	struct known_person *p = aor ? find(&v->recovery, view_str(aor)) : NULL;

	if (p)
		p->gone = true;
	/* Else he is called again: he may not have been registered. */
	if (aor && status >= 600)
		let_go(v, view_str(aor));
	free(aor);
}

static bool rejoin_add(struct conversation *v, const char *aor)
{
	char **more = realloc(v->rejoin_with, (v->n_rejoin_with + 1) * sizeof(*more));

	if (!more)
		return false;
	v->rejoin_with = more;
	more[v->n_rejoin_with] = view_dup(view_str(aor));
	if (!more[v->n_rejoin_with])
		return false;
	v->n_rejoin_with++;
	return true;
}

void people_gather(struct conversation *v, bool also)
{
	struct recovery *r = &v->recovery;
	struct known_person *asked = r->people;
	size_t n_asked = r->n_people;

	r->people = NULL;
	r->n_people = 0;
	for (size_t i = 0; i < v->roster.n_users; i++)
		if (is_here(&v->roster.users[i]) && !v->roster.users[i].anonymous)
			(void)know(v, v->roster.users[i].entity);
	for (size_t i = 0; i < n_asked; i++) {
		if (!asked[i].gone)
			(void)know(v, view_str(asked[i].aor));
		free(asked[i].aor);
	}
	free(asked);
	for (size_t i = 0; also && i < v->n_rejoin_with; i++)
		(void)know(v, view_str(v->rejoin_with[i]));
	join_end(v);
	for (size_t i = 0; i < r->n_people && rejoin_add(v, r->people[i].aor); i++)
		;
}

/* Who has asked us knew whom he asks before any roster could tell us: he stands before us. So does
 * who has the lower address, which all see alike. Whoever has made the conference has asked, by
 * himself or by others, all the rest. */
unsigned people_rank(const struct conversation *v)
{
	const char *inviter = v->recovery.inviter;
	unsigned n = 0;

	if (v->recovery.made)
		return 0;
	for (size_t i = 0; i < v->n_rejoin_with; i++)
		n += (inviter && strcmp(v->rejoin_with[i], inviter) == 0) ||
		     strcmp(v->rejoin_with[i], v->client->aor) < 0;
	return n;
}

void people_missing(struct conversation *v, struct view uri)
{
	char *aor = client_aor(uri);

	if (aor && v->n_rejoin_with < PEOPLE_MAX && !people_were_in(v, uri) &&
	    !ims_is_self(v->client, view_str(aor)))
		(void)rejoin_add(v, aor);
	free(aor);
}

bool people_were_in(const struct conversation *v, struct view uri)
{
	for (size_t i = 0; i < v->n_rejoin_with; i++)
		if (people_same(v->rejoin_with[i], uri))
			return true;
	return false;
}

bool people_knows(const struct conversation *v, struct view uri)
{
	char *aor = client_aor(uri);
	bool known = aor && (find(&v->recovery, view_str(aor)) || roster_has(v, view_str(aor)));

	free(aor);
	return known || people_were_in(v, uri);
}

void people_fini(struct conversation *v)
{
	struct recovery *r = &v->recovery;

	while (r->n_people)
		free(r->people[--r->n_people].aor);
	free(r->people);
	free(r->inviter);
	r->people = NULL;
	r->inviter = NULL;
}
