/* Requests inside a dialog: from one side to the other, and their answers back. */
#include "server/participating/b2bua_state.h"

#include "base/error.h"
#include "procedure/negotiate.h"
#include "sip/write.h"

#include <stdlib.h>

struct b2bua_pass *pass_new(struct b2bua_dialog *d, enum b2bua_side from, enum sip_method method)
{
	struct b2bua_pass *p;

	if (d->n_passes >= B2BUA_PASSES_MAX)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->dialog = d;
	p->from = from;
	p->method = method;
	p->open = true;
	d->n_passes++;
	list_add_tail(&d->passes, &p->link);
	return p;
}

void pass_free(struct b2bua_pass *p)
{
	if (p->in)
		sip_server_tx_attach(p->in, NULL, NULL);
	if (p->out)
		sip_client_tx_detach(p->out);
	list_del(&p->link);
	p->dialog->n_passes--;
	free(p->answer);
	free(p->held);
	free(p);
}

void pass_done(struct b2bua_pass *p)
{
	if (!p->in && !p->out)
		pass_free(p);
}

bool pass_invite_open(const struct b2bua_dialog *d, enum b2bua_side *from)
{
	LIST_EACH(l, tmp, &d->passes)
	{
		const struct b2bua_pass *p = CONTAINER(l, struct b2bua_pass, link);

		if (p->method != SIP_INVITE || !p->open)
			continue;
		*from = p->own ? other_side(p->from) : p->from;
		return true;
	}
	return false;
}

int pass_send(struct b2bua_pass *p, const struct sip_client_handler *h, uint64_t now_ms)
{
	static const struct sip_flow local = {.transport = SIP_LOCAL};
	struct b2bua *b = p->dialog->call->b;

	if (!buf_ok(&b->out))
		return E_LIMIT;
	return sip_client_tx_new(b->stack, buf_view(&b->out), &local, h, p, now_ms, &p->out);
}

static bool makes_terms(enum sip_method m)
{
	return m == SIP_INVITE || m == SIP_UPDATE;
}

static void put_own_lists(struct b2bua *b, const struct sip_msg *m, bool ours)
{
	if (ours) {
		message_put_abilities(b, m);
		return;
	}
	sip_write_copy(&b->out, m, SIP_H_ALLOW);
	sip_write_copy(&b->out, m, SIP_H_SUPPORTED);
	sip_write_copy(&b->out, m, SIP_H_REQUIRE);
}

/* ---- the way back ---- */

static void start_timers(struct b2bua_pass *p, const struct sip_msg *m, uint64_t now_ms)
{
	struct b2bua_dialog *d = p->dialog;
	struct session_terms terms;

	session_timer_read_answer(m, d->call->b->cfg.session_expires_s, &terms);
	session_timer_start(&d->leg[other_side(p->from)].timer, &terms, true, now_ms);
	session_timer_start(&d->leg[p->from].timer, &p->terms, false, now_ms);
}

/* A 2xx to an INVITE or UPDATE: Contacts, session timers, media. */
static struct view renew(struct b2bua_pass *p, const struct sip_msg *m,
			 const struct sip_msg *request, uint64_t now_ms)
{
	struct b2bua_dialog *d = p->dialog;
	struct b2bua_call *call = d->call;
	enum b2bua_side to = other_side(p->from);
	struct b2bua_media asked, media;
	enum sdp_setup setup = SDP_SETUP_ACTPASS;

	(void)leg_learn(&d->leg[to], m, false, false);
	start_timers(p, m, now_ms);
	if (media_read(m, media_kind(call, to), &media) == E_SYNTAX || !media.sdp.n)
		return VIEW("");
	if (p->offered && media_read(request, media_kind(call, p->from), &asked) == 0 &&
	    asked.msrp) {
		setup = negotiate_answer_setup(asked.msrp->msrp.setup, call->connects[p->from]);
		media_tell(call, p->from, &asked, negotiate_answerer_connects(setup));
	}
	if (media.msrp)
		media_tell(call, to, &media,
			   p->offered ? negotiate_offerer_connects(media.msrp->msrp.setup)
				      : media.msrp->msrp.setup == SDP_SETUP_PASSIVE);
	media_write(call, p->from, &media, setup);
	return media.sdp;
}

static void compose_answer(struct b2bua_pass *p, const struct sip_msg *m,
			   const struct sip_msg *request, uint64_t now_ms)
{
	struct b2bua_dialog *d = p->dialog;
	struct b2bua_call *call = d->call;
	struct b2bua *b = call->b;
	bool good = m->status >= 200 && m->status < 300, terms = good && makes_terms(p->method);
	bool inside = core_is_trusted(b->core, sip_server_tx_flow(p->in));
	bool show = inside || !core_privacy_has(m, VIEW("id"));
	struct view sdp = terms ? renew(p, m, request, now_ms) : VIEW("");
	char reason[128];

	(void)view_copy(m->reason, reason, sizeof(reason));
	message_answer_head(call, request, m->status, reason, VIEW(""), NULL);
	if (m->status < 300 && sip_msg_has(m, SIP_H_CONTACT))
		message_put_contact(call, p->from, &d->leg[other_side(p->from)]);
	message_copy_fields(b, m, show, inside);
	if (inside && !sip_msg_has(m, SIP_H_P_CHARGING_VECTOR))
		message_answer_charging(call, request);
	put_own_lists(b, m, terms);
	if (terms)
		session_timer_write_answer(&b->out, &p->terms);
	message_put_body(b, m, sdp);
}

/* RFC 5057: what ends the dialog as a whole. */
static bool ends_dialog(const struct b2bua_pass *p, unsigned status)
{
	return (p->method == SIP_BYE && status != 401 && status != 407) ||
	       (makes_terms(p->method) && (status == 481 || status == 408));
}

static void first_final(struct b2bua_pass *p, const struct sip_msg *m,
			const struct sip_msg *request)
{
	struct b2bua_dialog *d = p->dialog;
	struct b2bua *b = d->call->b;
	struct sip_cseq cseq;

	p->open = false;
	if (p->method != SIP_INVITE || m->status >= 300 || sip_msg_cseq(request, &cseq))
		return;
	d->leg[p->from].invite_in = cseq.number;
	d->leg[p->from].invite_out = p->seq;
	p->answer = buf_ok(&b->out) ? view_dup(buf_view(&b->out)) : NULL;
	p->answer_n = b->out.n;
}

static void on_response(void *ctx, struct sip_client_tx *tx, const struct sip_msg *m,
			uint64_t now_ms)
{
	struct b2bua_pass *p = ctx;
	struct b2bua_dialog *d = p->dialog;
	struct b2bua_call *call = d->call;
	struct buf *out = &call->b->out;
	struct sip_msg request;

	(void)tx;
	call_hold(call);
	if (p->in && p->answer) {
		(void)sip_server_tx_respond(p->in, view_of(p->answer, p->answer_n), m->status,
					    now_ms);
	} else if (p->in && sip_server_tx_request(p->in, &request) == 0) {
		compose_answer(p, m, &request, now_ms);
		if (m->status >= 200)
			first_final(p, m, &request);
		if (!buf_ok(out) || sip_server_tx_respond(p->in, buf_view(out), m->status, now_ms))
			core_answer_at_least(p->in, m->status, now_ms);
	}
	if (m->status >= 200) {
		p->open = false;
		if (ends_dialog(p, m->status))
			dialog_over(d);
	}
	call_release(call);
}

static void on_failed(void *ctx, struct sip_client_tx *tx, int error, uint64_t now_ms)
{
	struct b2bua_pass *p = ctx;
	struct b2bua_call *call = p->dialog->call;

	(void)tx;
	call_hold(call);
	p->open = false;
	if (p->in && sip_server_tx_pending(p->in))
		(void)sip_server_tx_reply(p->in, error == E_TIMEOUT ? 408 : 500, NULL, VIEW(""),
					  now_ms);
	if (p->method == SIP_BYE)
		dialog_over(p->dialog);
	call_release(call);
}

void pass_gone(void *ctx, struct sip_client_tx *tx)
{
	struct b2bua_pass *p = ctx;
	struct b2bua_call *call = p->dialog->call;

	(void)tx;
	call_hold(call);
	p->out = NULL;
	pass_done(p);
	call_release(call);
}

static const struct sip_client_handler out_handler = {
	.on_response = on_response, .on_failed = on_failed, .on_gone = pass_gone};

/* ---- the way there ---- */

static void on_cancel(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms)
{
	struct b2bua_pass *p = ctx;

	(void)tx;
	(void)m;
	if (p->out)
		sip_client_tx_cancel(p->out, VIEW(""), now_ms);
}

static void on_in_gone(void *ctx, struct sip_server_tx *tx)
{
	struct b2bua_pass *p = ctx;
	struct b2bua_call *call = p->dialog->call;

	(void)tx;
	call_hold(call);
	p->in = NULL;
	pass_done(p);
	call_release(call);
}

static const struct sip_server_handler in_handler = {.on_cancel = on_cancel, .on_gone = on_in_gone};

static void put_identity(struct inbound *r, bool keep)
{
	if (!keep && r->who.asserted)
		sip_write_fieldf(&r->c->b2bua->out, "P-Asserted-Identity", "%.*s%s<%.*s>",
				 VIEW_ARG(r->who.display), r->who.display.n ? " " : "",
				 VIEW_ARG(r->who.uri));
}

static void compose_request(struct inbound *r, struct b2bua_pass *p,
			    const struct b2bua_media *media)
{
	struct b2bua_dialog *d = p->dialog;
	enum b2bua_side to = other_side(p->from);
	struct b2bua_leg *leg = &d->leg[to];
	struct b2bua *b = d->call->b;
	bool keep = r->trusted && sip_msg_has(r->m, SIP_H_P_ASSERTED_IDENTITY);

	message_request_head(d, to, r->m->method_name, r->m, p->seq);
	if (sip_msg_has(r->m, SIP_H_CONTACT))
		message_put_contact(d->call, to, &d->leg[p->from]);
	put_identity(r, keep);
	message_copy_fields(b, r->m, keep, r->trusted);
	put_own_lists(b, r->m, makes_terms(p->method));
	if (makes_terms(p->method))
		session_timer_write_offer(&b->out, b->cfg.session_expires_s, b->cfg.min_se_s,
					  !leg->timer.seconds ? NULL
					  : leg->timer.ours   ? "uac"
							      : "uas");
	if (media->sdp.n)
		media_write(d->call, to, media, SDP_SETUP_ACTPASS);
	message_put_body(b, r->m, media->sdp);
}

/* Its sender has ended his session; the other one hears of it when he has heard what became of his
 * messages. False: no memory. */
static bool hold(struct b2bua_pass *p)
{
	struct b2bua_dialog *d = p->dialog;
	const struct buf *out = &d->call->b->out;

	p->held = buf_ok(out) ? view_dup(buf_view(out)) : NULL;
	p->held_n = out->n;
	if (!p->held)
		return false;
	session_timer_stop(&d->leg[B2BUA_NEAR].timer);
	session_timer_stop(&d->leg[B2BUA_FAR].timer);
	return true;
}

void pass_release(struct b2bua_pass *p, uint64_t now_ms)
{
	struct b2bua_dialog *d = p->dialog;
	struct buf *out = &d->call->b->out;

	if (!p->held)
		return;
	buf_reset(out);
	buf_put(out, view_of(p->held, p->held_n));
	free(p->held);
	p->held = NULL;
	if (pass_send(p, &out_handler, now_ms)) {
		p->open = false;
		if (p->in && sip_server_tx_pending(p->in))
			(void)sip_server_tx_reply(p->in, 500, NULL, VIEW(""), now_ms);
	}
	/* From now on nobody has anything new to say; what is under way is still relayed. */
	if (d->call->media == d)
		call_media_end(d->call);
}

/* He has said BYE, and it is held: nothing of his may overtake it. */
static bool has_left(const struct b2bua_dialog *d, enum b2bua_side from)
{
	LIST_EACH(l, tmp, &d->passes)
	{
		const struct b2bua_pass *p = CONTAINER(l, struct b2bua_pass, link);

		if (p->held && p->from == from)
			return true;
	}
	return false;
}

static void pass_on(struct inbound *r, struct b2bua_dialog *d, enum b2bua_side from)
{
	struct b2bua *b = d->call->b;
	struct b2bua_media media;
	struct session_terms terms = {0};
	struct b2bua_pass *p;
	int rc = media_read(r->m, media_kind(d->call, from), &media);

	if (rc) {
		core_reply(r, rc == E_SYNTAX ? 400 : 488,
			   rc == E_SYNTAX ? "Malformed Session Description" : NULL, VIEW(""));
		return;
	}
	if (makes_terms(r->m->method) &&
	    session_timer_judge(r->m, b->cfg.session_expires_s, b->cfg.min_se_s, &terms)) {
		buf_reset(&b->body);
		session_timer_write_min_se(&b->body, b->cfg.min_se_s);
		core_reply(r, 422, NULL, buf_view(&b->body));
		return;
	}
	p = pass_new(d, from, r->m->method);
	if (!p) {
		core_reply(r, 503, NULL, VIEW("Retry-After: 5\r\n"));
		return;
	}
	p->terms = terms;
	p->offered = media.sdp.n > 0;
	p->in = r->tx;
	sip_server_tx_attach(r->tx, &in_handler, p);
	if (makes_terms(r->m->method))
		(void)leg_learn(&d->leg[from], r->m, false, false);
	p->seq = ++d->leg[other_side(from)].local_seq;
	if (r->m->method == SIP_INVITE)
		core_reply(r, 100, NULL, VIEW(""));
	compose_request(r, p, &media);
	if (r->m->method == SIP_BYE && d->call->media == d && hold(p)) {
		if (!call_drain(d->call, false, r->now_ms))
			pass_release(p, r->now_ms);
		return;
	}
	if (pass_send(p, &out_handler, r->now_ms)) {
		p->open = false;
		core_reply(r, 500, NULL, VIEW(""));
	}
	if (r->m->method == SIP_BYE && d->call->media == d)
		call_media_end(d->call);
}

static bool in_order(struct b2bua_leg *leg, const struct sip_msg *m)
{
	struct sip_cseq cseq;

	if (sip_msg_cseq(m, &cseq) || (leg->has_remote_seq && cseq.number <= leg->remote_seq))
		return false;
	leg->remote_seq = cseq.number;
	leg->has_remote_seq = true;
	return true;
}

void b2bua_request(struct inbound *r)
{
	enum b2bua_side from, busy;
	struct b2bua_dialog *d = b2bua_dialog_of(r, &from);
	struct b2bua_call *call;

	/* Its ids are nobody's to guess. */
	if (d)
		sip_server_tx_prove(r->tx, r->now_ms);
	if (!d || d->over || !d->leg[other_side(from)].target || has_left(d, from)) {
		core_reply(r, 481, NULL, VIEW(""));
		return;
	}
	call = d->call;
	call_hold(call);
	if (!in_order(&d->leg[from], r->m))
		core_reply(r, 500, "CSeq Out Of Order", VIEW(""));
	else if (r->m->method == SIP_INVITE && pass_invite_open(d, &busy))
		core_reply(r, busy == from ? 500 : 491, NULL,
			   busy == from ? VIEW("Retry-After: 5\r\n") : VIEW(""));
	else
		pass_on(r, d, from);
	call_release(call);
}

void b2bua_ack(struct inbound *r)
{
	static const struct sip_flow local = {.transport = SIP_LOCAL};
	struct b2bua *b = r->c->b2bua;
	enum b2bua_side from;
	struct b2bua_dialog *d = b2bua_dialog_of(r, &from);
	struct b2bua_media media;
	struct sip_cseq cseq;

	if (!d || !d->leg[other_side(from)].target || sip_msg_cseq(r->m, &cseq) ||
	    cseq.number != d->leg[from].invite_in ||
	    media_read(r->m, media_kind(d->call, from), &media) == E_SYNTAX)
		return;
	message_request_head(d, other_side(from), VIEW("ACK"), r->m, d->leg[from].invite_out);
	message_copy_fields(b, r->m, false, r->trusted);
	if (media.sdp.n) {
		/* The answer to an offer that came with the 2xx. */
		media_write(d->call, other_side(from), &media, SDP_SETUP_PASSIVE);
		media_tell(d->call, from, &media,
			   media.msrp && negotiate_offerer_connects(media.msrp->msrp.setup));
	}
	message_put_body(b, r->m, media.sdp);
	if (!buf_ok(&b->out) || sip_stack_send_ack(b->stack, buf_view(&b->out), &local, r->now_ms))
		log_line(r->c->log, LOG_INFO, "b2bua", "an ACK could not be passed on");
}
