/*
 * The location table (RFC 3261 §10): addresses-of-record and their bindings. Found by
 * address-of-record, and by the contact, so that a request inside a dialog goes over the
 * connection that its target registered on. Bindings end by their own timers.
 */
#ifndef CONFAB_SERVER_CORE_LOCATION_H
#define CONFAB_SERVER_CORE_LOCATION_H

#include "base/hash.h"
#include "base/list.h"
#include "sip/stack.h"
#include "sip/value.h"

struct location_aor {
	struct hash_node node;
	struct list bindings; /* oldest first */
	size_t n;
	size_t aor_n;
	char aor[];
};

struct binding {
	struct list in_aor;
	struct hash_node by_contact;
	struct location *location;
	struct location_aor *aor;
	struct timer expiry;
	struct sip_flow flow; /* remote: where the REGISTER came from */
	uint64_t order;	      /* by age of the binding, kept when it is refreshed */
	uint64_t expires_at_ms;
	uint32_t cseq;
	uint16_t q; /* thousandths */
	/* These point into text. */
	struct view contact; /* URI */
	struct view params;  /* header parameters without expires, ";q=0.5;+g.oma.sip-im" */
	struct view path;    /* Path values, comma-joined, topmost first; empty: none */
	struct view call_id;
	char text[];
};

/* What a REGISTER says about one contact; borrowed. */
struct binding_values {
	struct view contact, params, path, call_id;
	struct sip_flow flow;
	uint64_t expires_at_ms;
	uint32_t cseq;
	uint16_t q;
};

struct location {
	struct hash aors, contacts;
	struct timers *timers;
	uint64_t next_order;
	size_t max; /* bindings */
	/* The binding ran out; it is still whole. May be NULL. */
	void (*on_expired)(void *ctx, const struct binding *b, uint64_t now_ms);
	void *ctx;
};

/* key: 128 bits of entropy. */
void location_init(struct location *l, struct timers *timers, size_t max, const uint64_t key[2]);
void location_fini(struct location *l);
static inline size_t location_count(const struct location *l)
{
	return l->contacts.n;
}
/* NULL: no binding. */
struct location_aor *location_find(const struct location *l, struct view aor);
/* The binding with an equal contact URI (RFC 3261 §19.1.4); NULL. */
struct binding *location_aor_binding(const struct location_aor *a, const struct sip_uri *contact);
/* The binding whose contact has this URI's user, host and port. Where several have it, that of aor
 * (may be empty) comes first, then one that registered from that very address, then the oldest: a
 * later one cannot take over what is addressed to another's phone. */
struct binding *location_by_contact(const struct location *l, const struct sip_uri *uri,
				    struct view aor);
/* Adds a binding, or puts it in the place of `old` (which is freed). E_LIMIT, E_NOMEM, E_SYNTAX (a
 * contact that is no SIP URI): nothing is changed. */
int location_put(struct location *l, struct view aor, const struct binding_values *v,
		 struct binding *old, struct binding **out);
void location_del(struct binding *b);

static inline struct binding *binding_of(struct list *in_aor)
{
	return CONTAINER(in_aor, struct binding, in_aor);
}
/* A header parameter of the contact. */
static inline bool binding_param(const struct binding *b, struct view name, struct view *value)
{
	return sip_param(b->params, name, value);
}
/* How to reach the phone: the connection it registered on while that lives, else its Path, else its
 * contact's address; behind a NAT where it registered from. E_ADDRESS: no way known. */
int binding_flow(const struct binding *b, const struct sip_stack *stack, struct sip_flow *out);
/* True when a message that came so came from where the binding was registered from. */
bool binding_came_from(const struct binding *b, const struct sip_flow *from);

#endif
