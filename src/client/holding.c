/* Messages that are held back: what came by the conference from the old peer is shown after what he
 * still has to say on the old session (docs/protocol/upgrade.md, "The gate"). */
#include "client/state.h"

#include <stdlib.h>

enum { HELD_MAX = 1024, HELD_BYTES_MAX = 16 * 1024 * 1024 };

/* A message that has to wait until what was said before it is on the screen. */
struct held {
	struct list link;
	bool to_all;
	char *from, *display, *id, *content_type, *data;
	size_t n;
};

void conversation_show(struct conversation *v, const struct incoming *in)
{
	struct confab_event ev = event_of(v, CONFAB_MESSAGE);

	/* All but the data end with a NUL. */
	ev.peer = in->from.p;
	ev.display = in->display.p;
	ev.id = in->id.p;
	ev.content_type = in->type.p;
	ev.data = in->data.p;
	ev.data_n = in->data.n;
	ev.to_all = in->to_all;
	client_emit(v->client, &ev);
}

static void held_free(struct held *h)
{
	list_del(&h->link);
	free(h->from);
	free(h->display);
	free(h->id);
	free(h->content_type);
	free(h->data);
	free(h);
}

static void hold_over(void *ctx, uint64_t now_ms)
{
	(void)now_ms;
	conversation_release(ctx);
}

void holding_init(struct conversation *v)
{
	list_init(&v->holding);
	timer_init(&v->hold, hold_over, v);
}

void holding_fini(struct conversation *v)
{
	while (!list_empty(&v->holding))
		held_free(CONTAINER(v->holding.next, struct held, link));
	v->n_held = v->held_bytes = 0;
}

bool holding_add(struct conversation *v, const struct incoming *in, uint64_t now_ms)
{
	struct held *h;

	/* Rather out of order than not at all. */
	if (v->n_held >= HELD_MAX || in->data.n > HELD_BYTES_MAX - v->held_bytes) {
		conversation_release(v);
		return false;
	}
	h = calloc(1, sizeof(*h));
	if (!h)
		return false;
	list_init(&h->link);
	h->to_all = in->to_all;
	h->from = view_dup(in->from);
	h->display = view_dup(in->display);
	h->id = view_dup(in->id);
	h->content_type = view_dup(in->type);
	h->data = view_dup(in->data);
	h->n = in->data.n;
	if (!h->from || !h->display || !h->id || !h->content_type || !h->data) {
		held_free(h);
		return false;
	}
	list_add_tail(&v->holding, &h->link);
	v->n_held++;
	v->held_bytes += h->n;
	if (!timer_armed(&v->hold))
		timer_arm(v->client->timers, &v->hold, now_ms + v->client->cfg.drain_ms);
	return true;
}

void conversation_release(struct conversation *v)
{
	timer_cancel(v->client->timers, &v->hold);
	while (!list_empty(&v->holding)) {
		struct held *h = CONTAINER(v->holding.next, struct held, link);
		struct incoming in = {.from = view_str(h->from),
				      .display = view_str(h->display),
				      .id = view_str(h->id),
				      .type = view_str(h->content_type),
				      .data = view_of(h->data, h->n),
				      .to_all = h->to_all};

		/* Out of the list first: who is shown it may end all this. */
		list_del(&h->link);
		v->n_held--;
		v->held_bytes -= h->n;
		conversation_show(v, &in);
		held_free(h);
	}
}

/* Something of this sender's may still come on the old session, or was held back before. */
bool holding_must_wait(const struct conversation *v, const struct leg *leg, const char *from)
{
	char *aor;
	bool same;

	if (leg == v->old || !v->old || v->old->state == LEG_CLOSED || !leg->conference)
		return false;
	aor = client_aor(view_str(v->old->peer));
	same = aor && strcmp(aor, from) == 0;
	free(aor);
	return same;
}
