#include "body/conference_info.h"

#include "base/error.h"
#include "body/xml.h"
#include "body/xml_arena.h"

#include <stdlib.h>

#define NS_INFO	       "urn:ietf:params:xml:ns:conference-info"
#define NS_XCON	       "urn:ietf:params:xml:ns:xcon-conference-info"
#define ANONYMOUS_HEAD "sip:anonymous"
#define ANONYMOUS_TAIL "@anonymous.invalid"

static const char *const state_text[] = {
	[CONFERENCE_FULL] = "full",
	[CONFERENCE_PARTIAL] = "partial",
	[CONFERENCE_DELETED] = "deleted",
};

static const char *const status_text[] = {
	[CONFERENCE_STATUS_NONE] = "",
	[CONFERENCE_PENDING] = "pending",
	[CONFERENCE_DIALING_OUT] = "dialing-out",
	[CONFERENCE_DIALING_IN] = "dialing-in",
	[CONFERENCE_ALERTING] = "alerting",
	[CONFERENCE_ON_HOLD] = "on-hold",
	[CONFERENCE_CONNECTED] = "connected",
	[CONFERENCE_MUTED] = "muted-via-focus",
	[CONFERENCE_DISCONNECTING] = "disconnecting",
	[CONFERENCE_DISCONNECTED] = "disconnected",
};

static const char *const joining_text[] = {
	[CONFERENCE_JOINING_NONE] = "",
	[CONFERENCE_DIALED_IN] = "dialed-in",
	[CONFERENCE_DIALED_OUT] = "dialed-out",
	[CONFERENCE_FOCUS_OWNER] = "focus-owner",
};

static const char *const disconnection_text[] = {
	[CONFERENCE_DISCONNECTION_NONE] = "", [CONFERENCE_DEPARTED] = "departed",
	[CONFERENCE_BOOTED] = "booted",	      [CONFERENCE_FAILED] = "failed",
	[CONFERENCE_BUSY] = "busy",
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Index of a word in a table, 0 where it is not there. */
static int word(const char *const *table, size_t n, struct view v)
{
	for (size_t i = 0; i < n; i++)
		if (view_eq(v, view_str(table[i])))
			return (int)i;
	return 0;
}

const char *conference_status_text(enum conference_status s)
{
	return (size_t)s < COUNT(status_text) ? status_text[s] : "";
}

static void put_optional(struct buf *b, const char *name, struct view text)
{
	if (!view_empty(text))
		xml_put_element(b, name, text);
}

static void put_u64_element(struct buf *b, const char *name, uint64_t x)
{
	buf_putf(b, "<%s>%llu</%s>\n", name, (unsigned long long)x, name);
}

static void put_state(struct buf *b, enum conference_state state)
{
	xml_put_attr(b, "state", view_str(state_text[state]));
}

/* ' entity="…"': of an anonymous user nothing but the number gets out, and the endpoint's place. */
static void put_entity(struct buf *b, const struct conference_user *u, struct view entity,
		       size_t endpoint)
{
	if (!u->anonymous) {
		xml_put_attr(b, "entity", entity);
		return;
	}
	buf_puts(b, " entity=\"" ANONYMOUS_HEAD);
	buf_put_u64(b, u->anonymous_id);
	buf_puts(b, ANONYMOUS_TAIL);
	if (endpoint) {
		buf_puts(b, ";endpoint=");
		buf_put_u64(b, endpoint);
	}
	buf_putc(b, '"');
}

static void put_endpoint(struct buf *b, const struct conference_user *u, size_t i)
{
	const struct conference_endpoint *e = &u->endpoints[i];

	buf_puts(b, "<endpoint");
	put_entity(b, u, e->entity, i);
	put_state(b, e->state);
	buf_puts(b, ">\n");
	if (!u->anonymous)
		put_optional(b, "display-text", e->display_text);
	if (!view_empty(e->referred_by)) {
		buf_puts(b, "<referred>\n");
		xml_put_element(b, "by", e->referred_by);
		buf_puts(b, "</referred>\n");
	}
	put_optional(b, "status", view_str(status_text[e->status]));
	put_optional(b, "joining-method", view_str(joining_text[e->joining]));
	put_optional(b, "disconnection-method", view_str(disconnection_text[e->disconnection]));
	buf_puts(b, "</endpoint>\n");
}

static void put_user(struct buf *b, const struct conference_user *u)
{
	buf_puts(b, "<user");
	put_entity(b, u, u->entity, 0);
	put_state(b, u->state);
	if (u->state != CONFERENCE_DELETED && !view_empty(u->nickname))
		xml_put_attr(b, "xcon:nickname", u->nickname);
	buf_puts(b, ">\n");
	if (u->state != CONFERENCE_DELETED) {
		if (u->anonymous) {
			buf_puts(b, "<display-text>Anonymous");
			buf_put_u64(b, u->anonymous_id);
			buf_puts(b, "</display-text>\n");
		} else {
			put_optional(b, "display-text", u->display_text);
		}
		for (size_t i = 0; i < u->n_endpoints; i++)
			put_endpoint(b, u, i);
	}
	buf_puts(b, "</user>\n");
}

static void put_description(struct buf *b, const struct conference_info *doc)
{
	if (!doc->has_subject && !doc->has_display_text)
		return;
	buf_puts(b, "<conference-description>\n");
	if (doc->has_display_text)
		xml_put_element(b, "display-text", doc->display_text);
	if (doc->has_subject)
		xml_put_element(b, "subject", doc->subject);
	buf_puts(b, "</conference-description>\n");
}

static void put_conference_state(struct buf *b, const struct conference_info *doc)
{
	if (!doc->has_user_count && !doc->has_active)
		return;
	buf_puts(b, "<conference-state>\n");
	if (doc->has_user_count)
		put_u64_element(b, "user-count", doc->user_count);
	if (doc->has_active)
		xml_put_element(b, "active", doc->active ? VIEW("true") : VIEW("false"));
	buf_puts(b, "</conference-state>\n");
}

static bool has_nicknames(const struct conference_info *doc)
{
	for (size_t i = 0; i < doc->n_users; i++)
		if (!view_empty(doc->users[i].nickname))
			return true;
	return false;
}

void conference_info_write(struct buf *b, const struct conference_info *doc)
{
	buf_puts(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<conference-info");
	xml_put_attr(b, "xmlns", VIEW(NS_INFO));
	if (has_nicknames(doc))
		xml_put_attr(b, "xmlns:xcon", VIEW(NS_XCON));
	xml_put_attr(b, "entity", doc->entity);
	put_state(b, doc->state);
	buf_puts(b, " version=\"");
	buf_put_u64(b, doc->version);
	buf_puts(b, "\">\n");
	put_description(b, doc);
	put_conference_state(b, doc);
	if (doc->has_users || doc->n_users) {
		buf_puts(b, "<users");
		put_state(b, doc->users_state);
		buf_puts(b, ">\n");
		for (size_t i = 0; i < doc->n_users; i++)
			put_user(b, &doc->users[i]);
		buf_puts(b, "</users>\n");
	}
	buf_puts(b, "</conference-info>\n");
}

/* Storage of a document while it is filled. */
struct info_builder {
	struct conference_info doc;
	size_t n_endpoints;
	struct xml_arena arena;
};

static int builder_init(struct info_builder *m, size_t users, size_t endpoints, size_t text)
{
	int rc;

	*m = (struct info_builder){0};
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

static int read_state(const xmlNode *node, enum conference_state *out)
{
	bool found;
	struct view v = view_trim(xml_attr(node, NULL, "state", &found));
	int i = word(state_text, COUNT(state_text), v);

	if (found && !view_eq(v, view_str(state_text[i])))
		return E_SYNTAX;
	/* The schema's default is full, which is 0. */
	*out = (enum conference_state)i;
	return 0;
}

static int read_endpoint(struct info_builder *m, const xmlNode *node)
{
	struct conference_endpoint *e = &m->doc.endpoint_memory[m->n_endpoints];
	const xmlNode *referred = xml_child(node, NS_INFO, "referred");
	int rc = read_state(node, &e->state);

	if (!rc)
		rc = xml_arena_copy(&m->arena, view_trim(xml_attr(node, NULL, "entity", NULL)),
				    &e->entity);
	if (!rc)
		rc = xml_arena_copy(&m->arena, xml_text(xml_child(node, NS_INFO, "display-text")),
				    &e->display_text);
	if (!rc)
		rc = xml_arena_copy(&m->arena, xml_text(xml_child(referred, NS_INFO, "by")),
				    &e->referred_by);
	if (rc)
		return rc;
	e->status = (enum conference_status)word(status_text, COUNT(status_text),
						 xml_text(xml_child(node, NS_INFO, "status")));
	e->joining =
		(enum conference_joining)word(joining_text, COUNT(joining_text),
					      xml_text(xml_child(node, NS_INFO, "joining-method")));
	e->disconnection = (enum conference_disconnection)word(
		disconnection_text, COUNT(disconnection_text),
		xml_text(xml_child(node, NS_INFO, "disconnection-method")));
	m->n_endpoints++;
	return 0;
}

/* "sip:anonymous7@anonymous.invalid" */
static void read_anonymous(struct conference_user *u)
{
	struct view head = VIEW(ANONYMOUS_HEAD), tail = VIEW(ANONYMOUS_TAIL);
	struct view id;

	if (!view_starts_nocase(u->entity, head))
		return;
	id = view_from(u->entity, head.n);
	if (id.n < tail.n || !view_eq_nocase(view_from(id, id.n - tail.n), tail))
		return;
	id = view_first(id, id.n - tail.n);
	u->anonymous = view_empty(id) || view_to_u32(id, &u->anonymous_id) == 0;
}

static int read_user(struct info_builder *m, const xmlNode *node)
{
	struct conference_user *u = &m->doc.users[m->doc.n_users];
	struct view entity = view_trim(xml_attr(node, NULL, "entity", NULL));
	size_t first = m->n_endpoints;
	int rc = view_empty(entity) ? E_SYNTAX : read_state(node, &u->state);

	if (!rc)
		rc = xml_arena_copy(&m->arena, entity, &u->entity);
	if (!rc)
		rc = xml_arena_copy(&m->arena, xml_text(xml_child(node, NS_INFO, "display-text")),
				    &u->display_text);
	if (!rc)
		rc = xml_arena_copy(&m->arena, xml_attr(node, NS_XCON, "nickname", NULL),
				    &u->nickname);
	for (const xmlNode *c = node->children; c && !rc; c = c->next)
		if (xml_is(c, NS_INFO, "endpoint"))
			rc = read_endpoint(m, c);
	if (rc)
		return rc;
	u->n_endpoints = m->n_endpoints - first;
	if (u->n_endpoints)
		u->endpoints = &m->doc.endpoint_memory[first];
	read_anonymous(u);
	m->doc.n_users++;
	return 0;
}

static int read_users(struct info_builder *m, const xmlNode *users)
{
	int rc;

	if (!users)
		return 0;
	m->doc.has_users = true;
	rc = read_state(users, &m->doc.users_state);
	for (const xmlNode *c = users->children; c && !rc; c = c->next)
		if (xml_is(c, NS_INFO, "user"))
			rc = read_user(m, c);
	return rc;
}

static int count_users(const xmlNode *users, size_t *n_users, size_t *n_endpoints)
{
	for (const xmlNode *u = users ? users->children : NULL; u; u = u->next) {
		size_t mine = 0;

		if (!xml_is(u, NS_INFO, "user"))
			continue;
		for (const xmlNode *c = u->children; c; c = c->next)
			mine += xml_is(c, NS_INFO, "endpoint");
		if (++*n_users > CONFERENCE_USERS_MAX || mine > CONFERENCE_ENDPOINTS_MAX)
			return E_LIMIT;
		*n_endpoints += mine;
	}
	return 0;
}

static int read_description(struct info_builder *m, const xmlNode *root)
{
	const xmlNode *about = xml_child(root, NS_INFO, "conference-description");
	const xmlNode *subject = xml_child(about, NS_INFO, "subject");
	const xmlNode *display = xml_child(about, NS_INFO, "display-text");
	const xmlNode *state = xml_child(root, NS_INFO, "conference-state");
	const xmlNode *active = xml_child(state, NS_INFO, "active");
	struct view text = xml_text(active);
	int rc = xml_arena_copy(&m->arena, xml_text(subject), &m->doc.subject);

	if (!rc)
		rc = xml_arena_copy(&m->arena, xml_text(display), &m->doc.display_text);
	m->doc.has_subject = subject != NULL;
	m->doc.has_display_text = display != NULL;
	m->doc.has_active = active != NULL;
	m->doc.active = view_eq(text, VIEW("true")) || view_eq(text, VIEW("1"));
	m->doc.has_user_count = view_to_u32(xml_text(xml_child(state, NS_INFO, "user-count")),
					    &m->doc.user_count) == 0;
	return rc;
}

static int read_root(struct info_builder *m, const xmlNode *root)
{
	struct view entity = view_trim(xml_attr(root, NULL, "entity", NULL));
	int rc;

	if (view_empty(entity) ||
	    view_to_u32(view_trim(xml_attr(root, NULL, "version", NULL)), &m->doc.version))
		return E_SYNTAX;
	rc = read_state(root, &m->doc.state);
	if (!rc)
		rc = xml_arena_copy(&m->arena, entity, &m->doc.entity);
	if (!rc)
		rc = read_description(m, root);
	return rc ? rc : read_users(m, xml_child(root, NS_INFO, "users"));
}

int conference_info_parse(struct view xml, struct conference_info *out)
{
	struct info_builder m = {0};
	xmlDocPtr doc = NULL;
	const xmlNode *root;
	size_t users = 0, endpoints = 0;
	int rc;

	rc = xml_parse(xml, CONFERENCE_BYTES_MAX, CONFERENCE_DEPTH_MAX, &doc);
	if (rc)
		return rc;
	root = xmlDocGetRootElement(doc);
	rc = xml_is(root, NS_INFO, "conference-info")
		     ? count_users(xml_child(root, NS_INFO, "users"), &users, &endpoints)
		     : E_SYNTAX;
	/* Text never takes more room than its source; tags are longer than the NULs of what is not
	 * there. */
	if (!rc)
		rc = builder_init(&m, users, endpoints, xml.n);
	if (!rc)
		rc = read_root(&m, root);
	xmlFreeDoc(doc);
	if (rc) {
		conference_info_free(&m.doc);
		return rc;
	}
	*out = m.doc;
	return 0;
}

void conference_info_free(struct conference_info *doc)
{
	if (!doc)
		return;
	free(doc->users);
	free(doc->endpoint_memory);
	free(doc->text_memory);
	*doc = (struct conference_info){0};
}

const struct conference_user *conference_info_find(const struct conference_info *doc,
						   struct view entity)
{
	for (size_t i = 0; i < doc->n_users; i++)
		if (view_eq(doc->users[i].entity, entity))
			return &doc->users[i];
	return NULL;
}
