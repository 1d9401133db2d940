/* The initial INVITE on the far side, and its answers on the near one (PF-9.1.1, PF-9.1.2-2, -4,
 * -6, PF-9.2). */
#include "server/participating/b2bua_state.h"

#include "base/error.h"
#include "procedure/negotiate.h"
#include "sip/write.h"

#include <stdlib.h>

void call_refuse(struct b2bua_call *call, int status, const char *reason, struct view extra,
		 uint64_t now_ms)
{
	call_media_end(call);
	if (!call->near || !sip_server_tx_pending(call->near))
		return;
	if (sip_server_tx_reply(call->near, status, reason, extra, now_ms))
		core_answer_at_least(call->near, status, now_ms);
}

/* ---- towards the callee ---- */

static void compose_invite(struct b2bua_call *call, const struct sip_msg *m,
			   const struct b2bua_leg *near, const struct b2bua_media *media)
{
	struct b2bua *b = call->b;
	uint32_t hops = 71;

	if (sip_msg_has(m, SIP_H_MAX_FORWARDS))
		(void)view_to_u32(sip_msg_value(m, SIP_H_MAX_FORWARDS), &hops);
	buf_reset(&b->out);
	sip_write_request_line(&b->out, m->method_name, m->uri);
	message_put_routes(call, call->routes);
	sip_write_fieldf(&b->out, "CSeq", "%u INVITE", call->far_seq);
	sip_write_fieldf(&b->out, "Max-Forwards", "%u", hops ? hops - 1 : 0);
	message_put_contact(call, B2BUA_FAR, near);
	sip_write_field(&b->out, "User-Agent", b->cfg.release);
	buf_puts(&b->out, call->identity);
	message_copy_fields(b, m, false, call->near_trusted);
	message_put_abilities(b, m);
	session_timer_write_offer(&b->out, call->far_expires_s, b->cfg.min_se_s, NULL);
	media_write(call, B2BUA_FAR, media, SDP_SETUP_ACTPASS);
	message_put_body(b, m, media->sdp);
}

/* ---- towards the originator ---- */

static void put_server(struct b2bua_call *call, struct b2bua_dialog *d)
{
	if (d && d->server_told)
		return;
	sip_write_field(&call->b->out, "Server", call->b->cfg.release);
	if (d)
		d->server_told = true;
}

static struct view tag_of(const struct sip_msg *m)
{
	struct sip_addr to;

	return sip_msg_to(m, &to) ? VIEW("") : sip_addr_tag(&to);
}

static void compose_answer(struct b2bua_call *call, struct b2bua_dialog *d, const struct sip_msg *m,
			   const struct sip_msg *invite)
{
	struct b2bua *b = call->b;
	bool show = call->near_trusted || !core_privacy_has(m, VIEW("id"));
	char reason[128];

	(void)view_copy(m->reason, reason, sizeof(reason));
	message_answer_head(call, invite, m->status, reason, tag_of(m), &call->near_flow);
	put_server(call, d);
	if (d && d->leg[B2BUA_FAR].target)
		message_put_contact(call, B2BUA_NEAR, &d->leg[B2BUA_FAR]);
	else
		sip_write_copy(&b->out, m, SIP_H_CONTACT);
	message_copy_fields(b, m, show, call->near_trusted);
	/* What the callee's side says of charging goes through. */
	if (!sip_msg_has(m, SIP_H_P_CHARGING_VECTOR))
		message_answer_charging(call, invite);
	if (m->status < 300)
		message_put_abilities(b, m);
	else
		sip_write_copy(&b->out, m, SIP_H_ALLOW);
	if (m->status >= 200 && m->status < 300)
		session_timer_write_answer(&b->out, &call->near_terms);
}

/* The answer's media: ours towards the originator, and the relay is told of both. */
static struct view answer_media(struct b2bua_call *call, struct b2bua_dialog *d,
				const struct sip_msg *m, const struct sip_msg *invite)
{
	struct b2bua_media offer, answer;
	enum sdp_setup setup;

	if (media_read(invite, media_kind(call, B2BUA_NEAR), &offer) || !offer.msrp ||
	    media_read(m, media_kind(call, B2BUA_FAR), &answer) || !answer.sdp.n)
		return VIEW("");
	call->near_told = true;
	setup = negotiate_answer_setup(offer.msrp->msrp.setup, false);
	media_write(call, B2BUA_NEAR, &answer, setup);
	/* A second phone that picks up as well has no relay: its caller keeps one of the two. */
	if (m->status >= 200 && (!call->media || call->media == d)) {
		call->media = d;
		media_tell(call, B2BUA_NEAR, &offer, negotiate_answerer_connects(setup));
		if (answer.msrp)
			media_tell(call, B2BUA_FAR, &answer,
				   negotiate_offerer_connects(answer.msrp->msrp.setup));
	}
	return answer.sdp;
}

static void pass_provisional(struct b2bua_call *call, struct b2bua_dialog *d,
			     const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_msg invite;
	struct view sdp;

	if (!call->near || !sip_server_tx_pending(call->near) || call_invitation(call, &invite))
		return;
	sdp = answer_media(call, d, m, &invite);
	compose_answer(call, d, m, &invite);
	message_put_body(call->b, m, sdp);
	if (buf_ok(&call->b->out))
		(void)sip_server_tx_respond(call->near, buf_view(&call->b->out), m->status, now_ms);
}

static void start_timers(struct b2bua_dialog *d, const struct sip_msg *m, uint64_t now_ms)
{
	struct b2bua_call *call = d->call;
	struct session_terms far;

	session_timer_read_answer(m, call->far_expires_s, &far);
	session_timer_start(&d->leg[B2BUA_FAR].timer, &far, true, now_ms);
	session_timer_start(&d->leg[B2BUA_NEAR].timer, &call->near_terms, false, now_ms);
}

/* An answer of another kind than what was offered leads nowhere. */
static bool is_in_kind(const struct b2bua_call *call, const struct sip_msg *m)
{
	struct b2bua_media answer;

	return media_read(m, media_kind(call, B2BUA_FAR), &answer) != E_UNSUPPORTED;
}

static void take_answer(struct b2bua_dialog *d, const struct sip_msg *m,
			const struct sip_msg *invite, uint64_t now_ms)
{
	struct buf *out = &d->call->b->out;
	struct view sdp = answer_media(d->call, d, m, invite);

	compose_answer(d->call, d, m, invite);
	message_put_body(d->call->b, m, sdp);
	d->answer = buf_ok(out) ? view_dup(buf_view(out)) : NULL;
	d->answer_n = out->n;
	start_timers(d, m, now_ms);
}

static void pass_success(struct b2bua_call *call, struct b2bua_dialog *d, const struct sip_msg *m,
			 uint64_t now_ms)
{
	bool first = !d->confirmed, in_kind = is_in_kind(call, m);
	struct sip_msg invite;

	if (d->over)
		return;
	/* The route set is that of the 2xx (RFC 3261 §13.2.2.4). */
	if (first && call_invitation(call, &invite) == 0 &&
	    leg_learn(&d->leg[B2BUA_FAR], m, true, true) == 0) {
		d->confirmed = true;
		if (in_kind)
			take_answer(d, m, &invite, now_ms);
	}
	if (first && !d->answer) {
		call_refuse(call, in_kind ? 500 : 488, NULL, VIEW(""), now_ms);
		if (d->leg[B2BUA_FAR].target)
			dialog_acknowledge(d, B2BUA_FAR, call->far_seq, now_ms);
		dialog_over(d);
		pass_bye(d, B2BUA_FAR, in_kind ? "SIP;cause=500" : "SIP;cause=488", now_ms);
	} else if (call->near && d->answer) {
		(void)sip_server_tx_respond(call->near, view_of(d->answer, d->answer_n), m->status,
					    now_ms);
	}
}

static bool has_session(const struct b2bua_call *call)
{
	LIST_EACH(l, tmp, &call->dialogs)
	if (CONTAINER(l, struct b2bua_dialog, link)->confirmed)
		return true;
	return false;
}

/* PF-9.1.2-6. */
static void pass_failure(struct b2bua_call *call, const struct sip_msg *m, uint64_t now_ms)
{
	struct b2bua *b = call->b;
	struct sip_msg invite;

	if (has_session(call))
		return;
	call_media_end(call);
	if (!call->near || !sip_server_tx_pending(call->near) || call_invitation(call, &invite))
		return;
	compose_answer(call, NULL, m, &invite);
	message_put_body(b, m, VIEW(""));
	if (!buf_ok(&b->out) ||
	    sip_server_tx_respond(call->near, buf_view(&b->out), m->status, now_ms))
		core_answer_at_least(call->near, m->status, now_ms);
}

/* RFC 4028 §7.3: once more, for as long as the callee wants. True: it is on its way. */
static bool try_longer(struct b2bua_call *call, const struct sip_msg *m, uint64_t now_ms)
{
	uint32_t least = session_timer_read_refusal(m, call->b->cfg.min_se_s);

	if (m->status != 422 || least <= call->far_expires_s || call->cancelled)
		return false;
	call->far_expires_s = least;
	sip_client_tx_detach(call->far);
	call->far = NULL;
	call_invite_far(call, now_ms);
	return true;
}

static void far_response(void *ctx, struct sip_client_tx *tx, const struct sip_msg *m,
			 uint64_t now_ms)
{
	struct b2bua_call *call = ctx;
	struct view tag = tag_of(m);
	struct b2bua_dialog *d = NULL;

	(void)tx;
	call_hold(call);
	if (m->status < 300 && tag.n) {
		d = dialog_find(call, tag);
		if (!d)
			d = dialog_new(call, m);
	}
	if (m->status < 200) {
		if (d)
			pass_provisional(call, d, m, now_ms);
	} else if (m->status >= 300) {
		/* A relay of the other kind comes with b2bua_relay_ready, which invites again. */
		if (!try_longer(call, m, now_ms) && !relay_turn(call, m))
			pass_failure(call, m, now_ms);
	} else if (d) {
		pass_success(call, d, m, now_ms);
	} else if (!has_session(call)) {
		call_refuse(call, 500, "An Answer Without Contact", VIEW(""), now_ms);
	}
	call_release(call);
}

static void far_failed(void *ctx, struct sip_client_tx *tx, int error, uint64_t now_ms)
{
	struct b2bua_call *call = ctx;
	int status = error == E_TIMEOUT ? 408 : 500;

	(void)tx;
	call_hold(call);
	if (!has_session(call))
		call_refuse(call, call->cancelled ? 487 : status, NULL, VIEW(""), now_ms);
	call_release(call);
}

static void far_gone(void *ctx, struct sip_client_tx *tx)
{
	struct b2bua_call *call = ctx;

	(void)tx;
	call_hold(call);
	call->far = NULL;
	call_release(call);
}

static const struct sip_client_handler far_handler = {
	.on_response = far_response, .on_failed = far_failed, .on_gone = far_gone};

void call_invite_far(struct b2bua_call *call, uint64_t now_ms)
{
	static const struct sip_flow local = {.transport = SIP_LOCAL};
	struct b2bua *b = call->b;
	struct b2bua_media media;
	struct b2bua_leg near = {0};
	struct sip_cseq cseq;
	struct sip_msg m;
	int rc = call_invitation(call, &m);

	if (!rc)
		rc = sip_msg_cseq(&m, &cseq);
	if (!rc)
		rc = media_read(&m, media_kind(call, B2BUA_NEAR), &media);
	if (!rc)
		rc = leg_learn(&near, &m, true, false);
	if (!rc) {
		/* The same number on both sides, as long as none is used twice. */
		call->far_seq = call->far_seq ? call->far_seq + 1 : cseq.number;
		compose_invite(call, &m, &near, &media);
		rc = buf_ok(&b->out) ? sip_client_tx_new(b->stack, buf_view(&b->out), &local,
							 &far_handler, call, now_ms, &call->far)
				     : E_LIMIT;
	}
	leg_fini(&near);
	if (rc)
		call_refuse(call, rc == E_MISSING || rc == E_SYNTAX ? 400 : 500, NULL, VIEW(""),
			    now_ms);
}
