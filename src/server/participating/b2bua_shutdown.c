/* The end of all sessions in the media path, because the server is to end. */
#include "server/participating/b2bua_state.h"

#define REASON "SIP;cause=503;text=\"Server Shutting Down\""

static bool is_ringing(const struct b2bua_call *call)
{
	return call->near && sip_server_tx_pending(call->near);
}

static void end_one(void *ctx, struct hash_node *node)
{
	struct b2bua_call *call = CONTAINER(node, struct b2bua_call, by_token);
	uint64_t now_ms = *(const uint64_t *)ctx;

	call_hold(call);
	if (is_ringing(call)) {
		call->cancelled = true;
		if (call->far)
			sip_client_tx_cancel(call->far, VIEW("Reason: " REASON "\r\n"), now_ms);
		else
			call_refuse(call, 503, NULL, VIEW("Retry-After: 5\r\n"), now_ms);
	} else {
		LIST_EACH(l, next, &call->dialogs)
		dialog_hang_up(CONTAINER(l, struct b2bua_dialog, link), REASON, now_ms);
	}
	call_release(call);
}

void b2bua_shut_down(struct b2bua *b, uint64_t now_ms)
{
	b->shut_down = true;
	b->n_draining++;
	hash_each(&b->by_token, end_one, &now_ms);
	b->n_draining--;
	b2bua_go_on_all(b, now_ms);
}

static void count_one(void *ctx, struct hash_node *node)
{
	const struct b2bua_call *call = CONTAINER(node, struct b2bua_call, by_token);
	bool open = is_ringing(call);

	LIST_EACH(l, next, &call->dialogs)
	{
		const struct b2bua_dialog *d = CONTAINER(l, struct b2bua_dialog, link);

		open = open || !d->over || !list_empty(&d->passes);
	}
	*(size_t *)ctx += open;
}

size_t b2bua_open_count(struct b2bua *b)
{
	size_t n = 0;

	hash_each(&b->by_token, count_one, &n);
	return n;
}
