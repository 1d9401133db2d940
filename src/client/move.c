/* The move of a running 1-1 chat into a conference, at both of its ends: docs/protocol/upgrade.md,
 * "The move" (points 1, 3, 4, 5, 6), IC-7.1.4, IC-8.3.1-2. */
#include "client/state.h"

static void begin(struct conversation *v, struct leg *conference, uint64_t now_ms)
{
	(void)now_ms;
	v->old = v->current;
	v->current = conference;
	v->moving = true;
	v->gate_over = false;
}

/* From here on what the person writes is for everybody. */
void move_begin_here(struct conversation *v, struct leg *conference, uint64_t now_ms)
{
	struct confab_event ev;

	begin(v, conference, now_ms);
	ev = event_of(v, CONFAB_MOVING);
	ev.peer = v->client->aor;
	client_emit(v->client, &ev);
}

void move_begin_there(struct conversation *v, struct leg *conference, uint64_t now_ms)
{
	struct confab_event ev;

	begin(v, conference, now_ms);
	ev = event_of(v, CONFAB_MOVING);
	client_emit(v->client, &ev);
}

void move_opened(struct conversation *v, uint64_t now_ms)
{
	struct client *c = v->client;
	struct confab_event ev = event_of(v, CONFAB_MOVED);

	ev.uri = v->current->peer;
	client_emit(c, &ev);
	v->told_open = true;
	if (v->old) {
		timer_arm(c->timers, &v->gate, now_ms + c->cfg.drain_ms);
		leg_hurry_back(v->old, now_ms);
	}
	roster_subscribe(v, now_ms);
	glare_opened(v, now_ms);
	conversation_flush(v, now_ms);
	move_progress(v, now_ms);
}

/* Who was invited with Replaces ends the old session, once his new seat is open and all that he
 * wrote on the old session is confirmed, or a bounded time has passed. Who added the others waits
 * for that BYE. */
void move_progress(struct conversation *v, uint64_t now_ms)
{
	struct leg *old = v->old;

	if (!old || !v->current->by_replaces || v->current->state != LEG_OPEN || old->dialog_over)
		return;
	if (!v->gate_over && old->state == LEG_OPEN && !leg_settled(old))
		return;
	leg_hang_up(old, VIEW(""), now_ms);
	leg_drain(old, true, now_ms);
}

void move_old_closed(struct conversation *v, uint64_t now_ms)
{
	struct leg *old = v->old;

	conversation_reroute(v, old, now_ms);
	conversation_release(v);
	if (v->old != old)
		return; /* by who was told */
	/* The media is gone, but the dialog stands: it is still what Replaces names, and the other
	 * side's to end. */
	if (!old->dialog_over && !(v->current->by_replaces && v->current->state == LEG_OPEN)) {
		conversation_flush(v, now_ms);
		return;
	}
	v->old = NULL;
	v->moving = v->current->state < LEG_OPEN;
	glare_heard(v, now_ms);
	timer_cancel(v->client->timers, &v->gate);
	leg_free(old, now_ms);
	conversation_flush(v, now_ms);
}

/* The old chat goes on, and what was written for everybody meanwhile goes to the one who is left of
 * them (point 6). */
struct leg *move_back(struct conversation *v, int status, const char *text, uint64_t now_ms)
{
	struct leg *conference = v->current;
	struct confab_event ev;

	v->current = v->old;
	v->old = NULL;
	v->moving = false;
	timer_cancel(v->client->timers, &v->gate);
	roster_forget(v);
	LIST_EACH(l, next, &v->outbox)
	{
		struct outgoing *o = CONTAINER(l, struct outgoing, link);

		if (o->leg == conference) {
			o->leg = NULL;
			o->state = OUTGOING_WAITING;
		}
		if (o->state == OUTGOING_WAITING)
			o->to_all = false;
	}
	ev = event_of(v, CONFAB_MOVE_FAILED);
	ev.status = status;
	ev.text = text;
	client_emit(v->client, &ev);
	conversation_release(v);
	conversation_flush(v, now_ms);
	return conference;
}

/* The conference did not come about. */
void move_failed(struct conversation *v, int status, const char *text, uint64_t now_ms)
{
	const struct leg *old = v->old;

	glare_end(v);
	if (!old || old->dialog_over || old->state == LEG_CLOSED)
		conversation_end(v, status, text, now_ms);
	else
		leg_free(move_back(v, status, text, now_ms), now_ms);
}
