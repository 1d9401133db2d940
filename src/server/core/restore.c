/* Bindings over a restart: what is kept of them, and how they come back. */
#include "server/core/state.h"

#include "base/error.h"
#include "server/participating/ims_register.h"

int core_restore_binding(struct core *c, struct view aor, const struct binding_values *b,
			 uint64_t now_ms)
{
	uint64_t longest = now_ms + (uint64_t)c->cfg.max_expires * 1000;
	struct binding_values v = *b;
	struct binding *kept;

	/* The wall clock, which the caller went by, may have been set meanwhile. */
	if (v.expires_at_ms <= now_ms)
		return E_NOTFOUND;
	if (v.expires_at_ms > longest)
		v.expires_at_ms = longest;
	v.flow.conn = 0;
	return location_put(&c->location, aor, &v, NULL, &kept);
}

struct each {
	void (*fn)(void *ctx, struct view aor, const struct binding_values *b);
	void *ctx;
};

static void each_node(void *ctx, struct hash_node *node)
{
	const struct binding *b = CONTAINER(node, struct binding, by_contact);
	const struct each *e = ctx;
	struct binding_values v = {.contact = b->contact,
				   .params = b->params,
				   .path = b->path,
				   .call_id = b->call_id,
				   .flow = b->flow,
				   .expires_at_ms = b->expires_at_ms,
				   .cseq = b->cseq,
				   .q = b->q};

	e->fn(e->ctx, view_of(b->aor->aor, b->aor->aor_n), &v);
}

void core_each_binding(struct core *c,
		       void (*fn)(void *ctx, struct view aor, const struct binding_values *b),
		       void *ctx)
{
	struct each e = {fn, ctx};

	hash_each(&c->location.contacts, each_node, &e);
}

int core_restore_served(struct core *c, struct view aor, uint64_t expires_at_ms, uint64_t now_ms)
{
	return ims_served_restore(c->served_users, aor, expires_at_ms, now_ms);
}

void core_each_served(struct core *c,
		      void (*fn)(void *ctx, struct view aor, uint64_t expires_at_ms), void *ctx)
{
	ims_served_each(c->served_users, fn, ctx);
}
