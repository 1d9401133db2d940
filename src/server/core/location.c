#include "server/core/location.h"

#include "base/error.h"

#include <stdlib.h>

void location_init(struct location *l, struct timers *timers, size_t max, const uint64_t key[2])
{
	*l = (struct location){.timers = timers, .max = max};
	hash_init(&l->aors, max, key);
	hash_init(&l->contacts, max, key);
}

static void del_each(void *ctx, struct hash_node *node)
{
	(void)ctx;
	location_del(CONTAINER(node, struct binding, by_contact));
}

void location_fini(struct location *l)
{
	hash_each(&l->contacts, del_each, NULL);
	hash_fini(&l->contacts);
	hash_fini(&l->aors);
}

struct location_aor *location_find(const struct location *l, struct view aor)
{
	uint64_t h = hash_bytes(&l->aors, aor);

	for (struct hash_node *n = hash_first(&l->aors, h); n; n = hash_next(n, h)) {
		struct location_aor *a = CONTAINER(n, struct location_aor, node);

		if (view_eq(view_of(a->aor, a->aor_n), aor))
			return a;
	}
	return NULL;
}

struct binding *location_aor_binding(const struct location_aor *a, const struct sip_uri *contact)
{
	LIST_EACH(l, tmp, &a->bindings)
	{
		struct sip_uri uri;

		if (sip_uri_parse(binding_of(l)->contact, &uri) == 0 && sip_uri_eq(&uri, contact))
			return binding_of(l);
	}
	return NULL;
}

static uint16_t uri_port(const struct sip_uri *u)
{
	return u->port ? u->port : u->scheme == SIP_SCHEME_SIPS ? 5061 : 5060;
}

static uint64_t contact_hash(const struct location *l, const struct sip_uri *u)
{
	char host[64];
	size_t n = u->host.n < sizeof(host) ? u->host.n : sizeof(host);

	for (size_t i = 0; i < n; i++) {
		char c = u->host.p[i];

		host[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	return hash_more(&l->contacts, hash_more(&l->contacts, uri_port(u), view_of(host, n)),
			 u->user);
}

static bool same_place(const struct binding *b, const struct sip_uri *u)
{
	struct sip_uri own;

	return sip_uri_parse(b->contact, &own) == 0 && view_eq(own.user, u->user) &&
	       view_eq_nocase(own.host, u->host) && uri_port(&own) == uri_port(u);
}

static bool registered_from(const struct binding *b, const struct sip_uri *u)
{
	struct addr a;

	return addr_parse(u->host, uri_port(u), &a) == 0 && addr_same_host(&a, &b->flow.remote);
}

struct binding *location_by_contact(const struct location *l, const struct sip_uri *uri,
				    struct view aor)
{
	uint64_t h = contact_hash(l, uri);
	struct binding *best = NULL;
	unsigned best_rank = 0;

	for (struct hash_node *n = hash_first(&l->contacts, h); n; n = hash_next(n, h)) {
		struct binding *b = CONTAINER(n, struct binding, by_contact);
		unsigned rank;

		if (!same_place(b, uri))
			continue;
		rank = (view_eq(view_of(b->aor->aor, b->aor->aor_n), aor) ? 2u : 0u) +
		       (registered_from(b, uri) ? 1u : 0u);
		if (!best || rank > best_rank || (rank == best_rank && b->order < best->order)) {
			best = b;
			best_rank = rank;
		}
	}
	return best;
}

static void on_expiry(void *ctx, uint64_t now_ms)
{
	struct binding *b = ctx;

	if (b->location->on_expired)
		b->location->on_expired(b->location->ctx, b, now_ms);
	location_del(b);
}

static struct location_aor *aor_make(struct location *l, struct view aor)
{
	struct location_aor *a = malloc(sizeof(*a) + aor.n);

	if (!a)
		return NULL;
	a->n = 0;
	a->aor_n = aor.n;
	memcpy(a->aor, aor.p, aor.n);
	list_init(&a->bindings);
	if (hash_add(&l->aors, &a->node, hash_bytes(&l->aors, aor))) {
		free(a);
		return NULL;
	}
	return a;
}

static void aor_drop_empty(struct location *l, struct location_aor *a)
{
	if (a->n)
		return;
	hash_del(&l->aors, &a->node);
	free(a);
}

static struct view put_text(char **at, struct view v)
{
	struct view copy = view_of(*at, v.n);

	if (v.n)
		memcpy(*at, v.p, v.n);
	*at += v.n;
	return copy;
}

static struct binding *binding_make(const struct binding_values *v)
{
	struct binding *b =
		malloc(sizeof(*b) + v->contact.n + v->params.n + v->path.n + v->call_id.n);
	char *at;

	if (!b)
		return NULL;
	at = b->text;
	list_init(&b->in_aor);
	timer_init(&b->expiry, on_expiry, b);
	b->flow = v->flow;
	b->expires_at_ms = v->expires_at_ms;
	b->cseq = v->cseq;
	b->q = v->q;
	b->contact = put_text(&at, v->contact);
	b->params = put_text(&at, v->params);
	b->path = put_text(&at, v->path);
	b->call_id = put_text(&at, v->call_id);
	return b;
}

int location_put(struct location *l, struct view aor, const struct binding_values *v,
		 struct binding *old, struct binding **out)
{
	struct location_aor *a = old ? old->aor : location_find(l, aor);
	struct sip_uri uri;
	struct binding *b;

	if (sip_uri_parse(v->contact, &uri) || uri.host.n == 0)
		return E_SYNTAX;
	/* The one that is replaced stands in the table a moment longer. */
	l->contacts.max = l->max + (old ? 1 : 0);
	if (l->contacts.n >= l->contacts.max)
		return E_LIMIT;
	b = binding_make(v);
	if (!b)
		return E_NOMEM;
	if (!a)
		a = aor_make(l, aor);
	if (!a || hash_add(&l->contacts, &b->by_contact, contact_hash(l, &uri))) {
		if (a)
			aor_drop_empty(l, a);
		free(b);
		return E_NOMEM;
	}
	b->location = l;
	b->aor = a;
	b->order = old ? old->order : l->next_order++;
	list_add_tail(old ? &old->in_aor : &a->bindings, &b->in_aor);
	a->n++;
	timer_arm(l->timers, &b->expiry, v->expires_at_ms);
	if (old)
		location_del(old);
	*out = b;
	return 0;
}

void location_del(struct binding *b)
{
	struct location *l = b->location;
	struct location_aor *a = b->aor;

	timer_cancel(l->timers, &b->expiry);
	hash_del(&l->contacts, &b->by_contact);
	list_del(&b->in_aor);
	a->n--;
	aor_drop_empty(l, a);
	free(b);
}

/* The first value of a comma list of name-addrs; commas inside <> and quotes do not count. */
static int first_of_path(struct view path, struct sip_uri *out)
{
	struct sip_addr a;
	size_t end = view_find(path, '>', 0);

	if (sip_addr_parse(view_first(path, end + 1), &a))
		return E_SYNTAX;
	return sip_uri_parse(a.uri, out);
}

int binding_flow(const struct binding *b, const struct sip_stack *stack, struct sip_flow *out)
{
	struct sip_flow by_contact;
	struct sip_uri uri;
	bool usable;

	if (b->flow.conn && sip_stack_conn_alive(stack, b->flow.conn)) {
		*out = b->flow;
		/* Where to try again when the connection breaks under a request: not at the port
		 * that it happened to come from. */
		if (!b->path.n && sip_uri_parse(b->contact, &uri) == 0 &&
		    sip_flow_of_uri(&uri, &by_contact) == 0 &&
		    by_contact.transport == b->flow.transport &&
		    addr_same_host(&by_contact.remote, &b->flow.remote))
			out->remote = by_contact.remote;
		return 0;
	}
	if (b->path.n && first_of_path(b->path, &uri) == 0 && sip_flow_of_uri(&uri, out) == 0)
		return 0;
	usable = !b->path.n && sip_uri_parse(b->contact, &uri) == 0 &&
		 sip_flow_of_uri(&uri, &by_contact) == 0;
	if (usable &&
	    (b->flow.transport != SIP_UDP || addr_same_host(&by_contact.remote, &b->flow.remote))) {
		*out = by_contact;
		return 0;
	}
	if (b->flow.transport != SIP_UDP)
		return E_ADDRESS;
	/* Behind a NAT: only what goes back the way it came gets through. */
	*out = b->flow;
	return 0;
}

bool binding_came_from(const struct binding *b, const struct sip_flow *from)
{
	if (b->flow.transport != from->transport)
		return false;
	if (from->conn)
		return b->flow.conn == from->conn;
	return addr_eq(&b->flow.remote, &from->remote);
}
