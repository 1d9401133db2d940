/* Sessions: state, requests inside the dialog, the end (RFC 3261 §12.2, §15). */
#include "sip/session_state.h"

#include "base/error.h"

#include <stdlib.h>

static const char *const state_name[] = {"inviting",  "incoming", "answered",
					 "confirmed", "ending",	  "ended"};

static void glare_idle(void *ctx, uint64_t now_ms)
{
	(void)ctx;
	(void)now_ms;
}

struct sip_session *sip_session_new(struct sip_ua *ua, const struct sip_session_handler *h,
				    void *ctx)
{
	struct sip_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ua = ua;
	s->h = h;
	s->ctx = ctx;
	list_init(&s->forks);
	list_init(&s->reinvites);
	list_init(&s->leftover.link);
	timer_init(&s->glare, glare_idle, s);
	sip_answer_init(s);
	return s;
}

void sip_session_enter(struct sip_session *s, enum sip_session_state to)
{
	log_line(sip_stack_log(sip_ua_stack(s->ua)), LOG_DEBUG, "sip", "session %s: %s -> %s",
		 s->dialog.call_id ? s->dialog.call_id : "?", state_name[s->state], state_name[to]);
	s->state = to;
}

void sip_session_hold(struct sip_session *s)
{
	s->depth++;
}

static void destroy(struct sip_session *s)
{
	sip_answer_stop(s);
	timer_cancel(s->ua->timers, &s->glare);
	list_del(&s->leftover.link);
	if (s->incoming)
		sip_server_tx_attach(s->incoming, NULL, NULL);
	if (s->theirs)
		sip_server_tx_attach(s->theirs, NULL, NULL);
	if (s->invite)
		sip_uac_detach(s->invite);
	if (s->bye)
		sip_uac_detach(s->bye);
	sip_session_forget_invites(s);
	sip_dialog_fini(&s->dialog);
	free(s->extra);
	free(s->bye_more);
	for (int i = 0; i < 4; i++)
		free(s->reinvite_parts[i]);
	free(s);
}

static void end_leftover(struct sip_leftover *l)
{
	destroy(CONTAINER(l, struct sip_session, leftover));
}

/* What a peer may still ask for: the BYE that waits for his ACK; the ACK of a late 2xx, of any
 * branch. */
static bool owes(const struct sip_session *s)
{
	if (s->state == SIP_SESSION_ENDING && s->answer.waiting)
		return true;
	return s->invite && !s->refused;
}

/* An INVITE that was provisionally answered waits for ever (§17.1.1.2); a cancelled one does not
 * (§9.1). */
static void cancel_reinvite(struct sip_session *s, uint64_t now_ms)
{
	if (s->open && s->open->uac)
		sip_uac_cancel(s->open->uac, VIEW(""), now_ms);
}

/* The owner is gone. */
static void release(struct sip_session *s)
{
	uint64_t now_ms = s->ua->timers->now_ms;

	s->orphan = true;
	s->h = NULL;
	switch (s->state) {
	case SIP_SESSION_INVITING:
	case SIP_SESSION_ANSWERED:
		sip_session_end(s, VIEW(""), now_ms);
		break;
	case SIP_SESSION_INCOMING: /* the INVITE must not hang for ever */
		(void)sip_session_reject(s, 480, NULL, VIEW(""), now_ms);
		break;
	case SIP_SESSION_CONFIRMED:
		sip_session_finish(s, SIP_END_FAILED, 0, NULL, now_ms);
		break;
	case SIP_SESSION_ENDING:
	case SIP_SESSION_ENDED:
		break;
	}
	sip_session_drop_reinvite(s, now_ms);
	cancel_reinvite(s, now_ms);
	if (!owes(s)) {
		destroy(s);
		return;
	}
	s->leftover.end = end_leftover;
	list_add_tail(&s->ua->leftovers, &s->leftover.link);
}

void sip_session_leave(struct sip_session *s)
{
	if (--s->depth > 0)
		return;
	if (s->free_wanted) {
		s->free_wanted = false;
		release(s);
	} else if (!list_empty(&s->leftover.link) && !owes(s)) {
		destroy(s);
	}
}

void sip_session_free(struct sip_session *s)
{
	if (!s)
		return;
	s->h = NULL;
	if (s->depth)
		s->free_wanted = true;
	else
		release(s);
}

void sip_session_finish(struct sip_session *s, enum sip_session_end why, int status,
			const struct sip_msg *m, uint64_t now_ms)
{
	const struct sip_session_handler *h = s->h;

	if (s->state == SIP_SESSION_ENDED)
		return;
	sip_session_enter(s, SIP_SESSION_ENDED);
	sip_answer_stop(s);
	timer_cancel(s->ua->timers, &s->glare);
	if (s->incoming) {
		if (sip_server_tx_pending(s->incoming))
			(void)sip_server_tx_reply(s->incoming, 487, NULL, view_str(s->extra),
						  now_ms);
		if (s->incoming)
			sip_server_tx_attach(s->incoming, NULL, NULL);
		s->incoming = NULL;
	}
	sip_session_drop_reinvite(s, now_ms);
	cancel_reinvite(s, now_ms);
	sip_session_hold(s);
	if (h)
		h->on_ended(s->ctx, s, why, status, m, now_ms);
	sip_session_leave(s);
}

static void bye_done(struct sip_session *s, uint64_t now_ms)
{
	s->bye = NULL;
	sip_session_finish(s, SIP_END_BYE_SENT, 0, NULL, now_ms);
}

static void bye_response(void *ctx, struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_session *s = ctx;

	if (m->status < 200)
		return;
	sip_uac_detach(uac);
	bye_done(s, now_ms);
}

static void bye_failed(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms)
{
	struct sip_session *s = ctx;

	(void)error;
	sip_uac_detach(uac);
	bye_done(s, now_ms);
}

static void bye_gone(void *ctx, struct sip_uac *uac)
{
	struct sip_session *s = ctx;

	if (s->bye == uac)
		s->bye = NULL;
}

static const struct sip_uac_handler bye_handler = {
	.on_response = bye_response, .on_failed = bye_failed, .on_gone = bye_gone};

void sip_session_send_bye(struct sip_session *s, uint64_t now_ms)
{
	struct sip_flow flow;
	struct buf b;
	int rc;

	if (!s->has_dialog || s->bye)
		return;
	buf_init(&b, SIP_HEAD_BYTES_MAX);
	(void)sip_dialog_write_request(&s->dialog, &b, VIEW("BYE"), 0);
	buf_puts(&b, s->bye_more ? s->bye_more : "");
	sip_write_body(&b, VIEW(""), VIEW(""));
	rc = buf_ok(&b) ? sip_dialog_next_hop(&s->dialog, &flow) : E_NOMEM;
	if (rc == 0)
		rc = sip_uac_send(s->ua, buf_view(&b), &flow, &s->dialog.local_seq, &bye_handler, s,
				  now_ms, &s->bye);
	buf_fini(&b);
	if (s->state != SIP_SESSION_ENDED)
		sip_session_enter(s, SIP_SESSION_ENDING);
	if (rc)
		sip_session_finish(s, SIP_END_FAILED, 0, NULL, now_ms);
}

void sip_session_end(struct sip_session *s, struct view more, uint64_t now_ms)
{
	switch (s->state) {
	case SIP_SESSION_INVITING:
		s->hung_up = true;
		sip_session_enter(s, SIP_SESSION_ENDING);
		if (s->invite)
			sip_uac_cancel(s->invite, VIEW(""), now_ms);
		break;
	case SIP_SESSION_INCOMING:
		(void)sip_session_reject(s, 480, NULL, more, now_ms);
		break;
	case SIP_SESSION_ANSWERED:
		/* §15: the BYE of who was called waits for the ACK, or for its time to be up. */
		free(s->bye_more);
		s->bye_more = view_dup(more);
		s->hung_up = true;
		sip_session_enter(s, SIP_SESSION_ENDING);
		break;
	case SIP_SESSION_CONFIRMED:
		free(s->bye_more);
		s->bye_more = view_dup(more);
		sip_answer_stop(s);
		sip_session_send_bye(s, now_ms);
		break;
	case SIP_SESSION_ENDING:
	case SIP_SESSION_ENDED:
		break;
	}
}

int sip_session_request(struct sip_session *s, struct view method, struct view more,
			struct view content_type, struct view body, const struct sip_uac_handler *h,
			void *ctx, uint64_t now_ms, struct sip_uac **out)
{
	struct sip_flow flow;
	struct buf b;
	int rc;

	if (s->state != SIP_SESSION_ANSWERED && s->state != SIP_SESSION_CONFIRMED)
		return E_STATE;
	rc = sip_dialog_next_hop(&s->dialog, &flow);
	if (rc)
		return rc;
	buf_init(&b, sip_stack_get_config(sip_ua_stack(s->ua))->max_message);
	(void)sip_dialog_write_request(&s->dialog, &b, method, 0);
	buf_put(&b, more);
	sip_write_body(&b, content_type, body);
	rc = buf_ok(&b) ? sip_uac_send(s->ua, buf_view(&b), &flow, &s->dialog.local_seq, h, ctx,
				       now_ms, out)
			: E_NOMEM;
	buf_fini(&b);
	return rc;
}

/* --- what comes in inside the dialog --- */

static void receive_bye(struct sip_session *s, struct sip_server_tx *tx, const struct sip_msg *m,
			uint64_t now_ms)
{
	(void)sip_server_tx_reply(tx, 200, NULL, view_str(s->extra), now_ms);
	if (s->bye) { /* both hung up: ours will be answered by whoever is left */
		sip_uac_detach(s->bye);
		s->bye = NULL;
	}
	sip_session_finish(s, SIP_END_BYE_RECEIVED, 0, m, now_ms);
}

static void on_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
		       uint64_t now_ms)
{
	struct sip_session *s = ctx;
	bool over = s->state == SIP_SESSION_ENDED ||
		    (s->state == SIP_SESSION_ENDING && m->method != SIP_BYE);

	sip_session_hold(s);
	if (over) /* RFC 5057 §5.3: the usage is gone, and with it the dialog */
		(void)sip_server_tx_reply(tx, 481, NULL, view_str(s->extra), now_ms);
	else if (m->method == SIP_BYE)
		receive_bye(s, tx, m, now_ms);
	else if (m->method == SIP_INVITE)
		sip_session_receive_reinvite(s, tx, m, now_ms);
	else if (m->method == SIP_OPTIONS && s->h && s->h->on_options)
		s->h->on_options(s->ctx, s, tx, now_ms);
	else if (m->method == SIP_OPTIONS)
		(void)sip_server_tx_reply(tx, 200, NULL, view_str(s->extra), now_ms);
	else if (s->h && s->h->on_request)
		s->h->on_request(s->ctx, s, tx, m, now_ms);
	else
		(void)sip_server_tx_reply(tx, m->method == SIP_METHOD_OTHER ? 501 : 405, NULL,
					  view_str(s->extra), now_ms);
	sip_session_leave(s);
}

static void on_ack(void *ctx, const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_session *s = ctx;

	if (!sip_answer_acked(s, m))
		return;
	sip_session_hold(s);
	if (s->state == SIP_SESSION_ENDING) {
		sip_session_send_bye(s, now_ms);
	} else if (s->state == SIP_SESSION_ANSWERED) {
		sip_session_enter(s, SIP_SESSION_CONFIRMED);
		if (s->h && s->h->on_confirmed)
			s->h->on_confirmed(s->ctx, s, m, now_ms);
	} else if (s->state == SIP_SESSION_CONFIRMED && s->h && s->h->on_reinvite_confirmed) {
		s->h->on_reinvite_confirmed(s->ctx, s, m, now_ms);
	}
	sip_session_leave(s);
}

const struct sip_dialog_owner sip_session_owner = {.on_request = on_request, .on_ack = on_ack};

enum sip_session_state sip_session_state(const struct sip_session *s)
{
	return s->state;
}

struct sip_dialog *sip_session_dialog(struct sip_session *s)
{
	return s->has_dialog ? &s->dialog : NULL;
}

void *sip_session_ctx(const struct sip_session *s)
{
	return s->ctx;
}

void sip_session_set_ctx(struct sip_session *s, void *ctx)
{
	s->ctx = ctx;
}
