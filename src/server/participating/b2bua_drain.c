/* Before the sessions of a call end: its relay delivers what it has under way, or reports it to who
 * is still there (PF-9.1.2-2; switch/drain.c). */
#include "server/participating/b2bua_state.h"

enum { MARGIN_MS = 2000 }; /* for the switch to be late */

static void release_one(void *ctx, struct hash_node *node)
{
	struct b2bua_call *call = CONTAINER(node, struct b2bua_call, by_token);
	uint64_t now_ms = *(const uint64_t *)ctx;

	call_hold(call);
	LIST_EACH(l, next, &call->dialogs)
	{
		struct b2bua_dialog *d = CONTAINER(l, struct b2bua_dialog, link);
		bool byed = false;

		LIST_EACH(k, tmp, &d->passes)
		{
			struct b2bua_pass *p = CONTAINER(k, struct b2bua_pass, link);

			byed = byed || p->held;
			pass_release(p, now_ms);
		}
		if (!byed)
			dialog_say_farewell(d, now_ms);
	}
	call_release(call);
}

/* A call between two users of this server runs through two relays, and what waits for the one user
 * may stand in the other one's: at the server's end they wait for one another. */
static bool must_wait(const struct b2bua *b)
{
	return b->shut_down && (b->n_draining || !b->looked_again);
}

static void drain(struct b2bua_call *call, bool refuse, uint64_t now_ms)
{
	struct b2bua *b = call->b;

	if (call->drain != B2BUA_DRAINING) {
		call->drain = B2BUA_DRAINING;
		b->n_draining++;
		timer_arm(b->timers, &call->drain_late, now_ms + b->cfg.drain_ms + MARGIN_MS);
	}
	call->refuses = call->refuses || refuse;
	b->broker.drain(b->broker.ctx, call->relay, call->refuses);
}

static void look_again(void *ctx, struct hash_node *node)
{
	struct b2bua_call *call = CONTAINER(node, struct b2bua_call, by_token);

	if (call->relay && call->drain == B2BUA_DRAINED)
		drain(call, true, *(const uint64_t *)ctx);
}

void b2bua_go_on_all(struct b2bua *b, uint64_t now_ms)
{
	if (b->n_draining)
		return;
	/* What one relay has reported last is on its way through the other. */
	if (!b->looked_again) {
		b->looked_again = true;
		b->n_draining++;
		hash_each(&b->by_token, look_again, &now_ms);
		b->n_draining--;
	}
	if (!b->n_draining)
		hash_each(&b->by_token, release_one, &now_ms);
}

void call_drain_stop(struct b2bua_call *call)
{
	if (call->drain == B2BUA_DRAINING)
		call->b->n_draining--;
	call->drain = B2BUA_DRAINED;
	timer_cancel(call->b->timers, &call->drain_late);
}

static void go_on(struct b2bua_call *call, uint64_t now_ms)
{
	struct b2bua *b = call->b;

	call_drain_stop(call);
	if (b->shut_down)
		b2bua_go_on_all(b, now_ms);
	else
		release_one(&now_ms, &call->by_token);
}

static void drain_late(void *ctx, uint64_t now_ms)
{
	go_on(ctx, now_ms);
}

void call_drain_init(struct b2bua_call *call)
{
	timer_init(&call->drain_late, drain_late, call);
}

bool call_drain(struct b2bua_call *call, bool refuse, uint64_t now_ms)
{
	struct b2bua *b = call->b;
	bool first = call->drain == B2BUA_RUNS;

	if (!call->relay || !call->relay_up)
		return false;
	if (call->drain == B2BUA_DRAINED)
		return must_wait(b);
	if (first || (refuse && !call->refuses))
		drain(call, refuse, now_ms);
	return call->drain == B2BUA_DRAINING || must_wait(b);
}

void b2bua_relay_drained(struct b2bua *b, uint64_t relay, uint64_t now_ms)
{
	struct b2bua_call *call = call_of_relay(b, relay);

	if (call && call->drain == B2BUA_DRAINING)
		go_on(call, now_ms);
}
