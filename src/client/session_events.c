/* What happens to a leg's SIP session, whoever invited: its end (IC-7.1.5-6, IC-8.3.2-1), a re-INVITE. */
#include "client/state.h"

#include "base/error.h"
#include "procedure/negotiate.h"

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

void leg_ended(struct leg *leg, enum sip_session_end why, int status, const struct sip_msg *m,
	       uint64_t now_ms)
{
	struct conversation *v = leg->conversation;
	bool was_over = leg->dialog_over;
	char reason[128];

	if (why == SIP_END_REJECTED && status == 503 && m && !m->is_request)
		ims_unavailable(v->client, now_ms);
	(void)view_copy(m && !m->is_request ? m->reason : view_str(why_text(why)), reason, sizeof(reason));
	leg->dialog_over = true;
	if (why == SIP_END_BYE_SENT)
		return; /* who said it has seen to the rest already */
	if (glare_dropped(leg)) {
		glare_dropped_over(leg, now_ms);
		return;
	}
	if (leg == v->offered) {
		v->offered = NULL;
		leg_free(leg, now_ms);
		return;
	}
	if (leg == v->current && v->old && leg->state < LEG_OPEN) {
		move_failed(v, status, reason, now_ms);
		return;
	}
	if (leg->state < LEG_OPENING) {
		if (join_anew(leg, status, now_ms))
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
void leg_reinvited(struct leg *leg, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms)
{
	struct client *c = leg->conversation->client;
	const struct sdp_media *media = NULL;
	struct sdp_local l = {
		.username = VIEW("-"),
		.sess_id = 1,
		.sess_version = 1,
		.addr = leg->tls ? c->cfg.msrp_tls_local : c->cfg.msrp_local,
		.tls = leg->tls,
		.fingerprint = leg->tls ? view_str(c->fingerprint) : VIEW(""),
		.path = view_str(leg->local_uri),
		.accept_types = VIEW(CLIENT_ACCEPT_TYPES),
		.accept_wrapped_types = VIEW("text/plain *"),
		.max_size = c->cfg.max_message,
		.has_chatroom = true,
		.chatroom = VIEW(CLIENT_CHATROOM),
	};
	struct buf sdp, contact;
	struct im_profile p;
	struct sdp desc;

	if (m->body.n && negotiate_read_kind(m->body, leg->tls ? NEGOTIATE_TLS : NEGOTIATE_NO_TLS, &desc, &media)) {
		(void)sip_server_tx_reply(tx, 488, NULL, VIEW(""), now_ms);
		return;
	}
	client_profile(c, &p);
	buf_init(&sdp, SIP_HEAD_BYTES_MAX);
	buf_init(&contact, 1024);
	im_write_contact(&contact, &p, view_str(c->contact), false);
	l.setup = media ? negotiate_answer_setup(media->msrp.setup, leg->active) : SDP_SETUP_ACTPASS;
	if (media)
		sdp_write_answer(&sdp, &desc, media, &l);
	else
		sdp_write_msrp(&sdp, &l);
	(void)sip_session_answer_reinvite(leg->sip, tx, buf_view(&contact), VIEW(""),
					  VIEW("application/sdp"), buf_view(&sdp), now_ms);
	buf_fini(&sdp);
	buf_fini(&contact);
}
