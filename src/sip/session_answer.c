/* Sessions, answering side: provisional answers, the 2xx until its ACK (RFC 3261 §13.3, §14.2). */
#include "sip/session_state.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdio.h>
#include <stdlib.h>

static void answer_again(void *ctx, uint64_t now_ms)
{
	struct sip_session *s = ctx;
	struct sip_answer *a = &s->answer;
	const struct sip_stack_config *cfg = sip_stack_get_config(sip_ua_stack(s->ua));

	if (a->tx)
		(void)sip_server_tx_respond(a->tx, view_of(a->bytes, a->n), 200, now_ms);
	a->interval_ms = a->interval_ms * 2 > cfg->t2_ms ? cfg->t2_ms : a->interval_ms * 2;
	timer_arm(s->ua->timers, &a->retransmit, now_ms + a->interval_ms);
}

/* §13.3.1.4: no ACK in 64*T1: the dialog stands, but the session should end. */
static void answer_lost(void *ctx, uint64_t now_ms)
{
	struct sip_session *s = ctx;

	sip_session_hold(s);
	sip_answer_stop(s);
	if (s->state == SIP_SESSION_ANSWERED || s->state == SIP_SESSION_CONFIRMED) {
		sip_session_send_bye(s, now_ms);
		sip_session_finish(s, SIP_END_TIMEOUT, 0, NULL, now_ms);
	} else if (s->state == SIP_SESSION_ENDING) {
		sip_session_send_bye(s, now_ms);
	}
	sip_session_leave(s);
}

void sip_answer_init(struct sip_session *s)
{
	timer_init(&s->answer.retransmit, answer_again, s);
	timer_init(&s->answer.give_up, answer_lost, s);
}

void sip_answer_stop(struct sip_session *s)
{
	timer_cancel(s->ua->timers, &s->answer.retransmit);
	timer_cancel(s->ua->timers, &s->answer.give_up);
	if (s->answer.tx)
		sip_server_tx_attach(s->answer.tx, NULL, NULL);
	s->answer.tx = NULL;
	free(s->answer.bytes);
	s->answer.bytes = NULL;
	s->answer.waiting = false;
}

static void answer_tx_gone(void *ctx, struct sip_server_tx *tx)
{
	struct sip_session *s = ctx;

	if (s->answer.tx == tx)
		s->answer.tx = NULL;
}

static const struct sip_server_handler answer_handler = {.on_gone = answer_tx_gone};

int sip_answer_send(struct sip_session *s, struct sip_server_tx *tx, const struct sip_msg *req,
		    struct view contact, struct view more, struct view content_type,
		    struct view body, uint64_t now_ms)
{
	const struct sip_stack_config *cfg = sip_stack_get_config(sip_ua_stack(s->ua));
	struct timers *q = s->ua->timers;
	struct sip_answer *a = &s->answer;
	struct sip_cseq cseq;
	struct buf b;
	int rc;

	if (sip_msg_cseq(req, &cseq))
		return E_SYNTAX;
	buf_init(&b, cfg->max_message);
	sip_write_response_head(&b, req, 200, NULL, view_str(s->tag));
	sip_write_field(&b, "Contact", contact);
	buf_puts(&b, s->extra ? s->extra : "");
	buf_put(&b, more);
	sip_write_body(&b, content_type, body);
	if (!buf_ok(&b)) {
		buf_fini(&b);
		return E_NOMEM;
	}
	sip_answer_stop(s);
	rc = sip_server_tx_respond(tx, buf_view(&b), 200, now_ms);
	a->bytes = rc ? NULL : buf_take(&b, &a->n);
	buf_fini(&b);
	if (rc)
		return rc;
	a->tx = tx;
	a->cseq = cseq.number;
	a->waiting = true;
	a->interval_ms = cfg->t1_ms;
	sip_server_tx_attach(tx, &answer_handler, s);
	/* Over TCP too: the ACK is end to end, and a hop further on may be UDP. */
	timer_arm(q, &a->retransmit, now_ms + a->interval_ms);
	timer_arm(q, &a->give_up, now_ms + 64 * (uint64_t)cfg->t1_ms);
	return 0;
}

bool sip_answer_acked(struct sip_session *s, const struct sip_msg *ack)
{
	struct sip_cseq cseq;

	if (!s->answer.waiting || sip_msg_cseq(ack, &cseq) || cseq.number != s->answer.cseq)
		return false;
	sip_answer_stop(s);
	return true;
}

static void on_cancel(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_session *s = ctx;

	if (s->state != SIP_SESSION_INCOMING)
		return;
	(void)sip_server_tx_reply(tx, 487, NULL, view_str(s->extra), now_ms);
	sip_session_finish(s, SIP_END_CANCELLED, 487, m, now_ms);
}

static void incoming_gone(void *ctx, struct sip_server_tx *tx)
{
	struct sip_session *s = ctx;

	if (s->incoming == tx)
		s->incoming = NULL;
}

static const struct sip_server_handler incoming_handler = {.on_cancel = on_cancel,
							   .on_gone = incoming_gone};

int sip_session_incoming(struct sip_ua *ua, struct sip_server_tx *tx, const struct sip_msg *m,
			 struct view extra, const struct sip_session_handler *h, void *ctx,
			 uint64_t now_ms, struct sip_session **out)
{
	struct sip_session *s = sip_session_new(ua, h, ctx);
	int rc;

	if (!s)
		return E_NOMEM;
	s->state = SIP_SESSION_INCOMING;
	s->incoming = tx;
	s->extra = view_dup(extra);
	(void)view_copy(sip_server_tx_to_tag(tx), s->tag, sizeof(s->tag));
	rc = s->extra ? sip_dialog_init_uas(&s->dialog, ua, m, view_str(s->tag), &sip_session_owner,
					    s)
		      : E_NOMEM;
	if (rc) {
		s->incoming = NULL;
		s->h = NULL;
		sip_session_free(s);
		return rc;
	}
	s->has_dialog = true;
	sip_server_tx_attach(tx, &incoming_handler, s);
	(void)sip_server_tx_reply(tx, 100, NULL, VIEW(""), now_ms);
	*out = s;
	return 0;
}

int sip_session_ring(struct sip_session *s, int status, struct view contact, uint64_t now_ms)
{
	struct buf lines;
	int rc;

	if (s->state != SIP_SESSION_INCOMING || !s->incoming)
		return E_STATE;
	buf_init(&lines, SIP_HEAD_BYTES_MAX);
	sip_write_field(&lines, "Contact", contact);
	buf_puts(&lines, s->extra);
	rc = buf_ok(&lines)
		     ? sip_server_tx_reply(s->incoming, status, NULL, buf_view(&lines), now_ms)
		     : E_NOMEM;
	buf_fini(&lines);
	return rc;
}

int sip_session_answer(struct sip_session *s, struct view contact, struct view more,
		       struct view content_type, struct view body, uint64_t now_ms)
{
	struct sip_server_tx *tx = s->incoming;
	struct sip_msg m;
	int rc;

	if (s->state != SIP_SESSION_INCOMING || !tx || sip_server_tx_request(tx, &m))
		return E_STATE;
	rc = sip_answer_send(s, tx, &m, contact, more, content_type, body, now_ms);
	if (rc)
		return rc;
	s->incoming = NULL;
	sip_session_enter(s, SIP_SESSION_ANSWERED);
	return 0;
}

int sip_session_reject(struct sip_session *s, int status, const char *reason, struct view more,
		       uint64_t now_ms)
{
	struct sip_server_tx *tx = s->incoming;
	struct buf lines;

	if (s->state != SIP_SESSION_INCOMING || !tx)
		return E_STATE;
	buf_init(&lines, SIP_HEAD_BYTES_MAX);
	buf_puts(&lines, s->extra);
	buf_put(&lines, more);
	(void)sip_server_tx_reply(tx, status, reason, buf_view(&lines), now_ms);
	buf_fini(&lines);
	sip_session_finish(s, SIP_END_REJECTED, status, NULL, now_ms);
	return 0;
}

/* --- re-INVITEs of the peer (§14.2) --- */

bool sip_session_reinvite_pending(const struct sip_session *s)
{
	return s->theirs && sip_server_tx_pending(s->theirs);
}

static void theirs_cancelled(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
			     uint64_t now_ms)
{
	struct sip_session *s = ctx;

	(void)m;
	(void)sip_server_tx_reply(tx, 487, NULL, view_str(s->extra), now_ms);
}

static void theirs_gone(void *ctx, struct sip_server_tx *tx)
{
	struct sip_session *s = ctx;

	if (s->theirs == tx)
		s->theirs = NULL;
}

static const struct sip_server_handler theirs_handler = {.on_cancel = theirs_cancelled,
							 .on_gone = theirs_gone};

void sip_session_drop_reinvite(struct sip_session *s, uint64_t now_ms)
{
	if (sip_session_reinvite_pending(s))
		(void)sip_server_tx_reply(s->theirs, 487, NULL, view_str(s->extra), now_ms);
	if (s->theirs)
		sip_server_tx_attach(s->theirs, NULL, NULL);
	s->theirs = NULL;
}

/* §14.2: "a randomly chosen value of between 0 and 10 seconds". */
static void refuse_second(struct sip_session *s, struct sip_server_tx *tx, uint64_t now_ms)
{
	const struct entropy *e = sip_stack_entropy(sip_ua_stack(s->ua));
	char again[40];

	(void)snprintf(again, sizeof(again), "Retry-After: %u\r\n",
		       (unsigned)(entropy_u64(e) % 11));
	(void)sip_server_tx_reply(tx, 500, NULL, view_str(again), now_ms);
}

void sip_session_receive_reinvite(struct sip_session *s, struct sip_server_tx *tx,
				  const struct sip_msg *m, uint64_t now_ms)
{
	if (s->state == SIP_SESSION_INCOMING || s->answer.waiting ||
	    sip_session_reinvite_pending(s)) {
		refuse_second(s, tx, now_ms);
	} else if (s->open) { /* glare */
		(void)sip_server_tx_reply(tx, 491, NULL, view_str(s->extra), now_ms);
	} else if (s->h && s->h->on_reinvite) {
		sip_session_drop_reinvite(s, now_ms);
		s->theirs = tx;
		sip_server_tx_attach(tx, &theirs_handler, s);
		(void)sip_server_tx_reply(tx, 100, NULL, VIEW(""), now_ms);
		s->h->on_reinvite(s->ctx, s, tx, m, now_ms);
	} else {
		(void)sip_server_tx_reply(tx, 488, NULL, view_str(s->extra), now_ms);
	}
}

int sip_session_answer_reinvite(struct sip_session *s, struct sip_server_tx *tx,
				struct view contact, struct view more, struct view content_type,
				struct view body, uint64_t now_ms)
{
	struct sip_msg m;
	int rc;

	/* Compared before it is looked into: a CANCEL or BYE may have been faster than the owner.
	 */
	if (tx != s->theirs || !sip_session_reinvite_pending(s) || sip_server_tx_request(tx, &m))
		return E_STATE;
	/* The target changes with the 2xx only: a request refused changes nothing (§12.2.2). */
	sip_dialog_refresh(&s->dialog, &m);
	rc = sip_answer_send(s, tx, &m, contact, more, content_type, body, now_ms);
	if (rc == 0)
		s->theirs = NULL;
	return rc;
}

int sip_session_invitation(const struct sip_session *s, struct sip_msg *out)
{
	return s->incoming ? sip_server_tx_request(s->incoming, out) : E_STATE;
}
