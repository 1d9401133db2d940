/* Requests that wait for DNS. */
#include "server/core/proxy.h"

#include "base/error.h"

#include <stdlib.h>

enum {
	PARKED_MAX = 1000,
	/* Names that nobody answers for hold a request for seconds: one user does not take the
	   places of all. */
	PARKED_MAX_EACH = 50,
};

struct parked {
	struct list link;
	struct core *c;
	struct sip_server_tx *tx;
	struct core_kept *kept;
	struct quota_share *share; /* NULL: a trusted peer's, who speaks for many */
};

static void drop(struct parked *p)
{
	list_del(&p->link);
	p->c->n_parked--;
	quota_release(&p->c->parking, p->share);
	core_kept_free(p->kept);
	free(p);
}

static void on_cancel(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms)
{
	struct parked *p = ctx;

	(void)m;
	sip_server_tx_attach(tx, NULL, NULL);
	drop(p);
	(void)sip_server_tx_reply(tx, 487, NULL, VIEW(""), now_ms);
}

static void on_gone(void *ctx, struct sip_server_tx *tx)
{
	(void)tx;
	drop(ctx);
}

static const struct sip_server_handler handler = {.on_cancel = on_cancel, .on_gone = on_gone};

void core_parking_init(struct core *c)
{
	const struct entropy *entropy = sip_stack_entropy(c->stack);
	uint64_t key[2] = {entropy_u64(entropy), entropy_u64(entropy)};

	list_init(&c->parked);
	quota_init(&c->parking, PARKED_MAX_EACH, key);
}

int core_park(struct inbound *r)
{
	struct core *c = r->c;
	struct parked *p;
	int rc;

	if (!r->tx || c->n_parked == PARKED_MAX)
		return E_LIMIT;
	p = malloc(sizeof(*p));
	if (!p)
		return E_NOMEM;
	*p = (struct parked){.c = c, .tx = r->tx, .kept = core_keep(r)};
	rc = !p->kept ? E_NOMEM : r->trusted ? 0 : quota_take(&c->parking, r->who.uri, &p->share);
	if (rc) {
		core_kept_free(p->kept);
		free(p);
		return rc;
	}
	list_add_tail(&c->parked, &p->link);
	c->n_parked++;
	sip_server_tx_attach(r->tx, &handler, p);
	return 0;
}

static void go_on(struct parked *p, uint64_t now_ms)
{
	struct sip_msg m;
	struct inbound r;

	sip_server_tx_attach(p->tx, NULL, NULL);
	if (core_kept_again(p->kept, p->c, p->tx, &m, now_ms, &r))
		proxy_request(&r);
}

void core_resolved(struct core *c, uint64_t now_ms)
{
	struct list batch;

	/* Who has to wait again is put into the list anew. */
	list_init(&batch);
	while (!list_empty(&c->parked)) {
		struct list *l = c->parked.next;

		list_del(l);
		list_add_tail(&batch, l);
	}
	while (!list_empty(&batch)) {
		struct parked *p = CONTAINER(batch.next, struct parked, link);

		/* It may have to wait again. */
		quota_release(&c->parking, p->share);
		p->share = NULL;
		go_on(p, now_ms);
		drop(p);
	}
}

void core_parked_drop(struct core *c)
{
	while (!list_empty(&c->parked)) {
		struct parked *p = CONTAINER(c->parked.next, struct parked, link);

		sip_server_tx_attach(p->tx, NULL, NULL);
		drop(p);
	}
	quota_fini(&c->parking);
}
