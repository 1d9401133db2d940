/* What happens to a leg's SIP session, whoever invited: its end (IC-7.1.5-6, IC-8.3.2-1), a
 * re-INVITE. */
#include "client/state.h"

#include "base/error.h"

static const char *why_text(enum sip_session_end why)
{
	switch (why) {
	case SIP_END_TIMEOUT:
		return "no answer";
	case SIP_END_FAILED:
		return "could not be reached";
	case SIP_END_CANCELLED:
		return "cancelled";
	default:
		return "";
	}
}

/* The person was still being asked whether he wants to move: he is told that it is too late to say
 * yes. */
static void offer_gone(struct leg *leg, int status, const char *reason, uint64_t now_ms)
{
	struct conversation *v = leg->conversation;
	struct confab_event ev = event_of(v, CONFAB_MOVE_FAILED);

	v->offered = NULL;
	leg_free(leg, now_ms);
	ev.status = status;
	ev.text = reason;
	client_emit(v->client, &ev);
}

void leg_ended(struct leg *leg, enum sip_session_end why, int status, const struct sip_msg *m,
	       uint64_t now_ms)
{
	struct conversation *v = leg->conversation;
	bool was_over = leg->dialog_over;
	char reason[128];

	if (why == SIP_END_REJECTED && status == 503 && m && !m->is_request)
		ims_unavailable(v->client, now_ms);
	(void)view_copy(m && !m->is_request ? m->reason : view_str(why_text(why)), reason,
			sizeof(reason));
	if (why == SIP_END_REJECTED && m && !m->is_request && refresh_longer(leg, m) &&
	    leg_invite_again(leg, now_ms))
		return;
	leg->dialog_over = true;
	refresh_end(leg);
	if (why == SIP_END_BYE_SENT)
		return; /* who said it has seen to the rest already */
	if (glare_dropped(leg)) {
		glare_dropped_over(leg, now_ms);
		return;
	}
	if (leg == v->offered) {
		offer_gone(leg, status, reason, now_ms);
		return;
	}
	if (leg == v->current && v->old && leg->state < LEG_OPEN) {
		move_failed(v, status, reason, now_ms);
		return;
	}
	if (leg->state < LEG_OPENING) {
		if (v->recovery.on ? recover_failed(leg, status ? status : 503, now_ms)
				   : join_anew(leg, status, now_ms))
			return;
		conversation_end(v, status, reason, now_ms);
		return;
	}
	if (was_over)
		return;
	if (leg == v->old)
		glare_heard(v, now_ms);
	if (leg->state == LEG_CLOSED)
		conversation_leg_closed(leg, now_ms);
	else
		leg_drain(leg, false, now_ms);
}

/* A session refresh: the same description again, as long as the peer's path stays what it was. */
void leg_reinvited(struct leg *leg, struct sip_server_tx *tx, const struct sip_msg *m,
		   uint64_t now_ms)
{
	const struct client *c = leg->conversation->client;
	struct buf sdp, contact, lines;
	struct session_terms terms;
	struct im_profile p;
	int status = refresh_judge(c, m, &terms);

	buf_init(&sdp, SIP_HEAD_BYTES_MAX);
	buf_init(&contact, 1024);
	buf_init(&lines, 256);
	if (status == 422)
		session_timer_write_min_se(&lines, SESSION_TIMER_MIN_SE);
	else if (!m->body.n)
		leg_write_same_offer(leg, &sdp);
	else if (leg_write_same_answer(leg, m->body, &sdp))
		status = 488;
	client_profile(c, &p);
	im_write_contact(&contact, &p, view_str(c->contact), false);
	if (status) {
		(void)sip_server_tx_reply(tx, status, NULL, buf_view(&lines), now_ms);
	} else {
		session_timer_write_answer(&lines, &terms);
		if (sip_session_answer_reinvite(leg->sip, tx, buf_view(&contact), buf_view(&lines),
						VIEW("application/sdp"), buf_view(&sdp),
						now_ms) == 0)
			refresh_agreed(leg, &terms, now_ms);
	}
	buf_fini(&sdp);
	buf_fini(&contact);
	buf_fini(&lines);
}
