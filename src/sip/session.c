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
	struct timers *q = sip_stack_timers(sip_ua_stack(s->ua));

	sip_answer_stop(s);
	timer_cancel(q, &s->glare);
	if (s->incoming)
		sip_server_tx_attach(s->incoming, NULL, NULL);
	if (s->invite)
		sip_uac_detach(s->invite);
	if (s->bye)
		sip_uac_detach(s->bye);
	if (s->reinvite)
		sip_uac_detach(s->reinvite);
	sip_dialog_fini(&s->dialog);
	free(s->extra);
	free(s->bye_more);
	free(s->ack);
	free(s->winner);
	for (int i = 0; i < 4; i++)
		free(s->reinvite_parts[i]);
	free(s);
}

bool sip_session_leave(struct sip_session *s)
{
	if (--s->depth > 0 || !s->free_wanted)
		return true;
	destroy(s);
	return false;
}

void sip_session_free(struct sip_session *s)
{
	if (!s)
		return;
	s->h = NULL;
	if (s->depth) {
		s->free_wanted = true;
		return;
	}
	/* An INVITE without a final answer is cancelled, and a 2xx that comes all the same is
	 * acknowledged and ended: the session stays until its transaction is gone. */
	if (s->invite && s->state != SIP_SESSION_ENDED && !s->orphan) {
		s->orphan = true;
		s->hung_up = true;
		if (s->state == SIP_SESSION_INVITING) {
			s->state = SIP_SESSION_ENDING;
			sip_uac_cancel(s->invite, VIEW(""),
				       sip_stack_timers(sip_ua_stack(s->ua))->now_ms);
		}
		return;
	}
	destroy(s);
}

void sip_session_finish(struct sip_session *s, enum sip_session_end why, int status,
			const struct sip_msg *m, uint64_t now_ms)
{
	const struct sip_session_handler *h = s->h;

	if (s->state == SIP_SESSION_ENDED)
		return;
	sip_session_enter(s, SIP_SESSION_ENDED);
	sip_answer_stop(s);
	if (s->incoming) {
		if (sip_server_tx_pending(s->incoming))
			(void)sip_server_tx_reply(s->incoming, 487, NULL, VIEW(""), now_ms);
		if (s->incoming)
			sip_server_tx_attach(s->incoming, NULL, NULL);
		s->incoming = NULL;
	}
	sip_session_hold(s);
	if (h)
		h->on_ended(s->ctx, s, why, status, m, now_ms);
	(void)sip_session_leave(s);
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

static const struct sip_uac_handler bye_handler = {.on_response = bye_response,
						   .on_failed = bye_failed};

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
	case SIP_SESSION_ANSWERED: /* §15: BYE before the ACK is the caller's right only; the 2xx
				      stays ours to keep */
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

	if (!s->has_dialog || s->state >= SIP_SESSION_ENDING)
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
	(void)sip_server_tx_reply(tx, 200, NULL, view_str(s->extra ? s->extra : ""), now_ms);
	if (s->reinvite) {
		sip_uac_detach(s->reinvite);
		s->reinvite = NULL;
	}
	if (s->bye) { /* both hung up: ours will be answered by whoever is left */
		sip_uac_detach(s->bye);
		s->bye = NULL;
	}
	sip_session_finish(s, SIP_END_BYE_RECEIVED, 0, m, now_ms);
}

static void receive_reinvite(struct sip_session *s, struct sip_server_tx *tx,
			     const struct sip_msg *m, uint64_t now_ms)
{
	char again[40] = "Retry-After: 5\r\n";

	if (s->state != SIP_SESSION_CONFIRMED && s->state != SIP_SESSION_ANSWERED) {
		(void)sip_server_tx_reply(tx, s->state == SIP_SESSION_INCOMING ? 500 : 481, NULL,
					  view_str(again), now_ms);
	} else if (s->reinvite) { /* §14.2: glare */
		(void)sip_server_tx_reply(tx, 491, NULL, VIEW(""), now_ms);
	} else if (s->answer.waiting) {
		(void)sip_server_tx_reply(tx, 500, NULL, view_str(again), now_ms);
	} else if (s->h && s->h->on_reinvite) {
		sip_dialog_refresh(&s->dialog, m);
		(void)sip_server_tx_reply(tx, 100, NULL, VIEW(""), now_ms);
		s->h->on_reinvite(s->ctx, s, tx, m, now_ms);
	} else {
		(void)sip_server_tx_reply(tx, 488, NULL, VIEW(""), now_ms);
	}
}

static void on_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
		       uint64_t now_ms)
{
	struct sip_session *s = ctx;

	sip_session_hold(s);
	if (m->method == SIP_BYE)
		receive_bye(s, tx, m, now_ms);
	else if (m->method == SIP_INVITE)
		receive_reinvite(s, tx, m, now_ms);
	else if (m->method == SIP_OPTIONS)
		(void)sip_server_tx_reply(tx, 200, NULL, view_str(s->extra ? s->extra : ""),
					  now_ms);
	else if (s->h && s->h->on_request)
		s->h->on_request(s->ctx, s, tx, m, now_ms);
	else
		(void)sip_server_tx_reply(tx, m->method == SIP_METHOD_OTHER ? 501 : 405, NULL,
					  VIEW(""), now_ms);
	(void)sip_session_leave(s);
}

static void on_ack(void *ctx, const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_session *s = ctx;

	if (!sip_answer_acked(s, m) || s->state != SIP_SESSION_ANSWERED)
		return;
	sip_session_enter(s, SIP_SESSION_CONFIRMED);
	sip_session_hold(s);
	if (s->h && s->h->on_confirmed)
		s->h->on_confirmed(s->ctx, s, m, now_ms);
	(void)sip_session_leave(s);
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
