/*
 * The stateful, forking proxy (RFC 3261 §16) inside server/core: where a request goes, what is
 * changed in it on the way, and how the answers of its branches become one.
 */
#ifndef CONFAB_SERVER_CORE_PROXY_H
#define CONFAB_SERVER_CORE_PROXY_H

#include "server/core/state.h"

enum { PROXY_BRANCHES_MAX = 32, PROXY_SPARES_MAX = 7 };

/* Where one branch goes. Borrowed. */
struct proxy_target {
	struct view uri;  /* Request-URI */
	struct view path; /* Route values to put on top, comma-joined; may be empty */
	struct sip_flow flow;
	uint16_t q; /* thousandths */
	bool named; /* its name is trusted, where TLS proves it (RFC 5922) */
	/* Where else it may go when it comes to nothing there (RFC 3263 §4.3), in that order. */
	struct sip_flow spare[PROXY_SPARES_MAX];
	size_t n_spares;
};

/* proxy.c. Finds the targets of a request and forwards it, or answers. */
void proxy_request(struct inbound *r);
void proxy_ack(struct inbound *r);

/* forward.c. The request as it goes to a target, into c->out. breadth: Max-Breadth for this branch,
 * 0: none. */
void proxy_compose_request(struct inbound *r, const struct proxy_target *t, uint32_t breadth);
/* The response as it goes on upstream, into c->out: our Via off; the responder's identity put in
 * where it is proven (aor not empty), and taken out where it is not to be shown. */
void proxy_compose_response(struct core *c, const struct sip_msg *m, bool from_trusted,
			    bool to_trusted, struct view aor);

/* response_context.c. Sends the request out to the targets, which are in the order of their q, to
 * those of equal q at once, and answers r->tx in the end. aor: whose bindings the targets are;
 * empty where nobody's. */
void proxy_fork(struct inbound *r, const struct proxy_target *targets, size_t n, struct view aor);
/* Forgets all that goes on; the transactions are left to themselves. */
void proxy_drop_all(struct core *c);

#endif
