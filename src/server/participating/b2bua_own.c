/* Requests of our own inside a dialog: the refresh of a session timer (RFC 4028 §10), and BYE. */
#include "server/participating/b2bua_state.h"

#include "base/error.h"
#include "procedure/negotiate.h"
#include "sip/write.h"

#include <stdlib.h>

enum { GLARE_MS = 2100 };

#define GONE(cause) "SIP;cause=" cause ";text=\"The Other Side Is Gone\""

static void begin(struct b2bua_pass *p, struct view method)
{
	enum b2bua_side to = other_side(p->from);

	message_request_head(p->dialog, to, method, NULL, p->seq);
	message_own_parties(p->dialog, to);
	message_put_charging(p->dialog->call);
}

void dialog_acknowledge(struct b2bua_dialog *d, enum b2bua_side to, uint32_t seq, uint64_t now_ms)
{
	static const struct sip_flow local = {.transport = SIP_LOCAL};
	struct b2bua *b = d->call->b;

	message_request_head(d, to, VIEW("ACK"), NULL, seq);
	message_own_parties(d, to);
	sip_write_body(&b->out, VIEW(""), VIEW(""));
	if (buf_ok(&b->out))
		(void)sip_stack_send_ack(b->stack, buf_view(&b->out), &local, now_ms);
}

static void refreshed(struct b2bua_pass *p, const struct sip_msg *m, uint64_t now_ms)
{
	struct b2bua_dialog *d = p->dialog;
	enum b2bua_side to = other_side(p->from);
	struct b2bua_leg *leg = &d->leg[to];
	struct b2bua_media media;
	struct session_terms terms;

	dialog_acknowledge(d, to, p->seq, now_ms);
	if (!p->open || d->over)
		return;
	(void)leg_learn(leg, m, false, false);
	session_timer_read_answer(m, d->call->b->cfg.session_expires_s, &terms);
	session_timer_start(&leg->timer, &terms, true, now_ms);
	if (media_read(m, media_kind(d->call, to), &media) == 0 && media.msrp)
		media_tell(d->call, to, &media, negotiate_offerer_connects(media.msrp->msrp.setup));
}

static void on_response(void *ctx, struct sip_client_tx *tx, const struct sip_msg *m,
			uint64_t now_ms)
{
	struct b2bua_pass *p = ctx;
	struct b2bua_dialog *d = p->dialog;
	struct b2bua_call *call = d->call;

	(void)tx;
	if (m->status < 200)
		return;
	call_hold(call);
	if (p->method == SIP_INVITE && m->status < 300)
		refreshed(p, m, now_ms);
	else if (p->method == SIP_INVITE && (m->status == 481 || m->status == 408))
		dialog_hang_up(d, m->status == 481 ? GONE("481") : GONE("408"), now_ms);
	else if (p->method == SIP_INVITE)
		session_timer_again(&d->leg[other_side(p->from)].timer, GLARE_MS, now_ms);
	p->open = false;
	call_release(call);
}

static void on_failed(void *ctx, struct sip_client_tx *tx, int error, uint64_t now_ms)
{
	struct b2bua_pass *p = ctx;
	struct b2bua_call *call = p->dialog->call;

	(void)tx;
	(void)error;
	call_hold(call);
	p->open = false;
	if (p->method == SIP_INVITE)
		dialog_hang_up(p->dialog, GONE("408"), now_ms);
	call_release(call);
}

static const struct sip_client_handler handler = {
	.on_response = on_response, .on_failed = on_failed, .on_gone = pass_gone};

static struct b2bua_pass *own_new(struct b2bua_dialog *d, enum b2bua_side to,
				  enum sip_method method)
{
	struct b2bua_pass *p = pass_new(d, other_side(to), method);

	if (!p)
		return NULL;
	p->own = true;
	p->seq = ++d->leg[to].local_seq;
	return p;
}

/* An INVITE is open on that side: one that passes through is on both. */
static bool is_busy(const struct b2bua_dialog *d, enum b2bua_side side)
{
	LIST_EACH(l, tmp, &d->passes)
	{
		const struct b2bua_pass *p = CONTAINER(l, struct b2bua_pass, link);

		if (p->method == SIP_INVITE && p->open && !(p->own && p->from == side))
			return true;
	}
	return false;
}

void pass_refresh(struct b2bua_leg *leg, uint64_t now_ms)
{
	struct b2bua_dialog *d = leg->dialog;
	struct b2bua_call *call = d->call;
	struct b2bua *b = call->b;
	enum b2bua_side to = leg == &d->leg[B2BUA_FAR] ? B2BUA_FAR : B2BUA_NEAR;
	struct sip_msg invite;
	struct b2bua_pass *p;

	/* A re-INVITE that is under way renews the terms by itself. */
	if (is_busy(d, to) || !call->sdp[to] || call_invitation(call, &invite) ||
	    !(p = own_new(d, to, SIP_INVITE))) {
		session_timer_again(&leg->timer, GLARE_MS, now_ms);
		return;
	}
	begin(p, VIEW("INVITE"));
	message_put_contact(call, to, &d->leg[other_side(to)]);
	sip_write_field(&b->out, "User-Agent", b->cfg.release);
	sip_write_field(&b->out, "Supported", VIEW("timer"));
	session_timer_write_offer(&b->out, leg->timer.seconds, b->cfg.min_se_s, "uac");
	sip_write_body(&b->out, VIEW("application/sdp"), view_str(call->sdp[to]));
	if (pass_send(p, &handler, now_ms))
		pass_free(p);
}

void pass_bye(struct b2bua_dialog *d, enum b2bua_side to, const char *reason, uint64_t now_ms)
{
	struct b2bua_pass *p = d->leg[to].target ? own_new(d, to, SIP_BYE) : NULL;

	if (!p)
		return;
	begin(p, VIEW("BYE"));
	sip_write_field(&d->call->b->out, "Reason", view_str(reason));
	sip_write_body(&d->call->b->out, VIEW(""), VIEW(""));
	if (pass_send(p, &handler, now_ms))
		pass_free(p);
}
