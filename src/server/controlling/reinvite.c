/* A participant's re-INVITE (RFC 3261 §14.2): his seat stays what it is. */
#include "server/controlling/focus.h"

#include "base/error.h"
#include "procedure/create_conference.h"

static void answer(struct member *m, struct sip_server_tx *tx, const struct sip_msg *msg,
		   struct view offer, uint64_t now_ms)
{
	struct im_profile p;
	struct buf contact, more, sdp;
	int rc;

	focus_profile(m->conference->ctl, &p, VIEW(""));
	buf_init(&contact, 512);
	buf_init(&more, 256);
	buf_init(&sdp, SIP_HEAD_BYTES_MAX);
	member_timer_judge(m, msg);
	session_timer_write_answer(&more, &m->terms);
	im_write_contact(&contact, &p, view_str(m->conference->uri), true);
	rc = member_write_sdp(m, &sdp, offer);
	if (rc == 0 && offer.n)
		rc = member_read_sdp(m, offer, false);
	if (rc == 0)
		rc = sip_session_answer_reinvite(m->session, tx, buf_view(&contact),
						 buf_view(&more), VIEW("application/sdp"),
						 buf_view(&sdp), now_ms);
	if (rc == 0) {
		m->reoffered = !offer.n;
		member_timer_answered(m, now_ms);
	} else {
		(void)sip_server_tx_reply(tx, rc == E_NOMEM ? 500 : 488, NULL, VIEW(""), now_ms);
	}
	buf_fini(&contact);
	buf_fini(&more);
	buf_fini(&sdp);
}

void member_reinvited(struct member *m, struct sip_server_tx *tx, const struct sip_msg *msg,
		      uint64_t now_ms)
{
	struct controlling *c = m->conference->ctl;
	struct invitee_limits max = controlling_list_limits(c, c->cfg.max_members);
	struct create_conference req;

	create_conference_read(&req, msg, view_str(m->aor), &max);
	/* RFC 5366 §5.1: a list has no place in a re-INVITE; the mere option tag is let pass.
	 */
	if (req.has_list)
		(void)sip_server_tx_reply(tx, 420, NULL,
					  VIEW("Unsupported: recipient-list-invite\r\n"), now_ms);
	else if (req.status)
		(void)sip_server_tx_reply(tx, req.status, req.reason, buf_view(&req.lines), now_ms);
	else if (!member_timer_refuses(c, tx, msg, now_ms))
		answer(m, tx, msg, req.sdp, now_ms);
	create_conference_fini(&req);
}

void member_reinvite_confirmed(struct member *m, const struct sip_msg *ack, uint64_t now_ms)
{
	bool answers = m->reoffered && m->state == MEMBER_JOINED && ack->body.n;

	m->reoffered = false;
	/* What was offered is what stood before: who says nothing to it leaves it so. */
	if (!answers)
		return;
	if (sip_content_is(sip_msg_value(ack, SIP_H_CONTENT_TYPE), VIEW("application/sdp")) &&
	    member_read_sdp(m, ack->body, true) == 0)
		return;
	conference_hold(m->conference);
	sip_session_end(m->session,
			VIEW("Reason: SIP;cause=488;text=\"No Usable Answer In The ACK\"\r\n"),
			now_ms);
	member_leave(m, CONFERENCE_FAILED, false, now_ms);
	conference_release(m->conference);
}
