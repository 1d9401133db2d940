/* Point 6 of "The move": the old peer did not come along. His chat goes on as a conversation of its
 * own. */
#include "client/state.h"

#include <stdlib.h>

enum {
	COMES_LATER_MS = 10000
}; /* in the conference, and the old session not ended: he keeps both */

static bool can_split(const struct conversation *v)
{
	return v->old && v->current && v->current->state == LEG_OPEN && !v->old->dialog_over &&
	       v->old->state == LEG_OPEN;
}

void split_old(struct conversation *v, const char *why, uint64_t now_ms)
{
	struct client *c = v->client;
	struct leg *old = v->old;
	struct conversation *w;
	struct confab_event ev;

	timer_cancel(c->timers, &v->stays);
	if (!can_split(v))
		return;
	w = conversation_new(c, view_str(old->peer));
	if (!w)
		return;
	v->old = NULL;
	v->moving = false;
	glare_end(v);
	timer_cancel(c->timers, &v->gate);
	w->current = old;
	w->told_open = true;
	old->conversation = w;
	LIST_EACH(l, next, &v->outbox)
	{
		struct outgoing *o = CONTAINER(l, struct outgoing, link);

		if (o->leg == old) {
			list_del(&o->link);
			list_add_tail(&w->outbox, &o->link);
			v->n_outbox--;
			w->n_outbox++;
		}
	}
	/* What he already has seen of the old peer's messages still counts as seen. */
	memcpy(w->seen, v->seen, sizeof(w->seen));
	w->n_seen = v->n_seen;
	ev = event_of(v, CONFAB_SPLIT);
	ev.other = w->id;
	ev.peer = w->peer;
	ev.text = why;
	client_emit(c, &ev);
	conversation_release(v);
	conversation_flush(v, now_ms);
}

static void stays_over(void *ctx, uint64_t now_ms)
{
	split_old(ctx, "joined without leaving the old chat", now_ms);
}

void split_init(struct conversation *v)
{
	timer_init(&v->stays, stays_over, v);
}

void split_look(struct conversation *v, struct view aor, bool in, const char *how, uint64_t now_ms)
{
	char *old;
	bool same;

	if (!can_split(v))
		return;
	old = client_aor(view_str(v->old->peer));
	same = old && view_eq(view_str(old), aor);
	free(old);
	if (!same)
		return;
	if (in)
		glare_heard(v, now_ms);
	if (!in && !glare_explains(v, how))
		split_old(v, how, now_ms);
	else if (in && v->old && !timer_armed(&v->stays))
		timer_arm(v->client->timers, &v->stays, now_ms + COMES_LATER_MS);
}
