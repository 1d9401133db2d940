/* Sessions, inviting side: the INVITE, its 2xx from one branch or several, the ACK (RFC 3261
 * §13.2), and our re-INVITEs (§14.1). */
#include "sip/session_state.h"

#include "base/error.h"

#include <stdlib.h>

/* §13.2.2.4: the ACK of a 2xx is a request of its own, with the INVITE's CSeq number and
 * credentials. */
void sip_session_send_ack(struct sip_session *s, struct sip_dialog *d, const struct sip_msg *invite,
			  bool keep, uint64_t now_ms)
{
	struct sip_stack *stack = sip_ua_stack(s->ua);
	struct sip_cseq cseq;
	struct sip_flow flow;
	struct buf b;

	if (sip_msg_cseq(invite, &cseq) || sip_dialog_next_hop(d, &flow))
		return;
	buf_init(&b, sip_stack_get_config(stack)->max_message);
	(void)sip_dialog_write_request(d, &b, VIEW("ACK"), cseq.number);
	sip_write_copy(&b, invite, SIP_H_AUTHORIZATION);
	sip_write_copy(&b, invite, SIP_H_PROXY_AUTHORIZATION);
	sip_write_body(&b, VIEW(""), VIEW(""));
	if (buf_ok(&b))
		(void)sip_stack_send_ack(stack, buf_view(&b), &flow, now_ms);
	if (keep && buf_ok(&b)) {
		free(s->ack);
		s->ack = buf_take(&b, &s->ack_n);
		s->ack_flow = flow;
	}
	buf_fini(&b);
}

/* Another branch of a fork answered too: it is acknowledged and released. */
static void release_fork(struct sip_session *s, const struct sip_msg *invite,
			 const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_dialog d;
	struct sip_flow flow;
	struct buf b;

	if (sip_dialog_init_uac(&d, s->ua, invite, m, &sip_session_owner, s))
		return;
	sip_session_send_ack(s, &d, invite, false, now_ms);
	buf_init(&b, SIP_HEAD_BYTES_MAX);
	(void)sip_dialog_write_request(&d, &b, VIEW("BYE"), 0);
	sip_write_body(&b, VIEW(""), VIEW(""));
	if (buf_ok(&b) && sip_dialog_next_hop(&d, &flow) == 0)
		(void)sip_uac_send(s->ua, buf_view(&b), &flow, NULL, NULL, NULL, now_ms, NULL);
	buf_fini(&b);
	sip_dialog_fini(&d);
}

static void first_answer(struct sip_session *s, const struct sip_msg *invite,
			 const struct sip_msg *m, struct view tag, uint64_t now_ms)
{
	if (sip_dialog_init_uac(&s->dialog, s->ua, invite, m, &sip_session_owner, s)) {
		sip_session_finish(s, SIP_END_FAILED, m->status, m, now_ms);
		return;
	}
	s->has_dialog = true;
	s->winner = view_dup(tag);
	sip_session_send_ack(s, &s->dialog, invite, true, now_ms);
	if (s->hung_up) {
		/* The 200 crossed our CANCEL: a call nobody wants any more. */
		sip_session_enter(s, SIP_SESSION_CONFIRMED);
		sip_session_send_bye(s, now_ms);
		return;
	}
	sip_session_enter(s, SIP_SESSION_CONFIRMED);
	s->h->on_answered(s->ctx, s, m, now_ms);
}

static void invite_response(void *ctx, struct sip_uac *uac, const struct sip_msg *m,
			    uint64_t now_ms)
{
	struct sip_session *s = ctx;
	struct sip_msg invite;
	struct sip_addr to;

	if (sip_msg_to(m, &to) || sip_msg_parse(sip_uac_request(uac), &invite))
		return;
	sip_session_hold(s);
	if (m->status < 200) {
		if (s->state == SIP_SESSION_INVITING && !s->hung_up && s->h->on_progress)
			s->h->on_progress(s->ctx, s, m, now_ms);
	} else if (m->status < 300) {
		if (!s->winner && s->state <= SIP_SESSION_ENDING)
			first_answer(s, &invite, m, sip_addr_tag(&to), now_ms);
		else if (s->winner && view_eq(view_str(s->winner), sip_addr_tag(&to)) && s->ack)
			(void)sip_stack_send_ack(sip_ua_stack(s->ua), view_of(s->ack, s->ack_n),
						 &s->ack_flow, now_ms);
		else
			release_fork(s, &invite, m, now_ms);
	} else if (s->state == SIP_SESSION_INVITING || s->state == SIP_SESSION_ENDING) {
		sip_session_finish(s, s->hung_up ? SIP_END_CANCELLED : SIP_END_REJECTED, m->status,
				   m, now_ms);
	}
	(void)sip_session_leave(s);
}

static void invite_failed(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms)
{
	struct sip_session *s = ctx;

	(void)uac;
	if (s->state == SIP_SESSION_INVITING || (s->state == SIP_SESSION_ENDING && !s->has_dialog))
		sip_session_finish(s, error == E_TIMEOUT ? SIP_END_TIMEOUT : SIP_END_FAILED,
				   error == E_TIMEOUT ? 408 : 503, NULL, now_ms);
}

static void invite_gone(void *ctx, struct sip_uac *uac)
{
	struct sip_session *s = ctx;

	if (s->invite == uac)
		s->invite = NULL;
	if (s->orphan)
		sip_session_free(s);
}

static const struct sip_uac_handler invite_handler = {
	.on_response = invite_response, .on_failed = invite_failed, .on_gone = invite_gone};

static void write_invite(struct sip_session *s, struct buf *b, const struct sip_invite *i)
{
	const struct entropy *e = sip_stack_entropy(sip_ua_stack(s->ua));
	char call_id[33];

	sip_write_request_line(b, VIEW("INVITE"), i->uri);
	if (i->routes.n)
		sip_write_field(b, "Route", i->routes);
	sip_write_fieldf(b, "From", "%.*s;tag=%s", VIEW_ARG(i->from), entropy_token(e, s->tag, 12));
	if (i->to.n)
		sip_write_field(b, "To", i->to);
	else
		sip_write_fieldf(b, "To", "<%.*s>", VIEW_ARG(i->uri));
	sip_write_fieldf(b, "Call-ID", "%s", entropy_token(e, call_id, 26));
	sip_write_field(b, "CSeq", VIEW("1 INVITE"));
	sip_write_field(b, "Max-Forwards", VIEW("70"));
	sip_write_field(b, "Contact", i->contact);
	buf_put(b, i->extra);
	sip_write_body(b, i->content_type, i->body);
}

int sip_session_invite(struct sip_ua *ua, const struct sip_invite *invite,
		       const struct sip_session_handler *h, void *ctx, uint64_t now_ms,
		       struct sip_session **out)
{
	struct sip_session *s = sip_session_new(ua, h, ctx);
	struct buf b;
	int rc;

	if (!s)
		return E_NOMEM;
	buf_init(&b, sip_stack_get_config(sip_ua_stack(ua))->max_message);
	write_invite(s, &b, invite);
	rc = buf_ok(&b) ? sip_uac_send(ua, buf_view(&b), &invite->flow, NULL, &invite_handler, s,
				       now_ms, &s->invite)
			: E_NOMEM;
	buf_fini(&b);
	if (rc) {
		s->h = NULL;
		sip_session_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

/* --- re-INVITE --- */

static int send_reinvite(struct sip_session *s, uint64_t now_ms);

static void glare_over(void *ctx, uint64_t now_ms)
{
	struct sip_session *s = ctx;

	if (s->state == SIP_SESSION_CONFIRMED && !s->reinvite)
		(void)send_reinvite(s, now_ms);
}

static void reinvite_response(void *ctx, struct sip_uac *uac, const struct sip_msg *m,
			      uint64_t now_ms)
{
	struct sip_session *s = ctx;
	struct timers *q = sip_stack_timers(sip_ua_stack(s->ua));
	struct sip_msg invite;

	if (m->status < 200 || sip_msg_parse(sip_uac_request(uac), &invite))
		return;
	sip_session_hold(s);
	if (m->status < 300) {
		sip_dialog_refresh(&s->dialog, m);
		sip_session_send_ack(s, &s->dialog, &invite, true, now_ms);
	}
	if (m->status == 491 && s->state == SIP_SESSION_CONFIRMED) {
		/* §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other up to 2 s, in steps
		 * of 10 ms. */
		uint64_t r = entropy_u64(sip_stack_entropy(sip_ua_stack(s->ua)));
		uint64_t wait = s->dialog.initiator ? 2100 + r % 191 * 10 : r % 201 * 10;

		timer_init(&s->glare, glare_over, s);
		timer_arm(q, &s->glare, now_ms + wait);
	} else if (m->status == 481 || m->status == 408) {
		/* §12.2.1.2: the peer has lost the dialog. */
		sip_session_finish(s, SIP_END_FAILED, m->status, m, now_ms);
	} else if (s->h && s->h->on_reinvited) {
		s->h->on_reinvited(s->ctx, s, m, now_ms);
	}
	(void)sip_session_leave(s);
}

static void reinvite_failed(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms)
{
	struct sip_session *s = ctx;

	(void)uac;
	(void)error;
	sip_session_send_bye(s, now_ms);
	sip_session_finish(s, SIP_END_TIMEOUT, 408, NULL, now_ms);
}

static void reinvite_gone(void *ctx, struct sip_uac *uac)
{
	struct sip_session *s = ctx;

	if (s->reinvite == uac)
		s->reinvite = NULL;
}

static const struct sip_uac_handler reinvite_handler = {
	.on_response = reinvite_response, .on_failed = reinvite_failed, .on_gone = reinvite_gone};

static int send_reinvite(struct sip_session *s, uint64_t now_ms)
{
	struct sip_flow flow;
	struct buf b;
	int rc = sip_dialog_next_hop(&s->dialog, &flow);

	if (rc)
		return rc;
	buf_init(&b, sip_stack_get_config(sip_ua_stack(s->ua))->max_message);
	(void)sip_dialog_write_request(&s->dialog, &b, VIEW("INVITE"), 0);
	sip_write_field(&b, "Contact", view_str(s->reinvite_parts[0]));
	buf_puts(&b, s->reinvite_parts[1]);
	sip_write_body(&b, view_str(s->reinvite_parts[2]),
		       view_of(s->reinvite_parts[3], s->reinvite_body_n));
	rc = buf_ok(&b) ? sip_uac_send(s->ua, buf_view(&b), &flow, &s->dialog.local_seq,
				       &reinvite_handler, s, now_ms, &s->reinvite)
			: E_NOMEM;
	buf_fini(&b);
	return rc;
}

int sip_session_reinvite(struct sip_session *s, struct view contact, struct view more,
			 struct view content_type, struct view body, uint64_t now_ms)
{
	const struct view parts[4] = {contact, more, content_type, body};

	if (s->state != SIP_SESSION_CONFIRMED || s->reinvite || s->answer.waiting || s->incoming)
		return E_STATE;
	for (int i = 0; i < 4; i++) {
		free(s->reinvite_parts[i]);
		s->reinvite_parts[i] = view_dup(parts[i]);
		if (!s->reinvite_parts[i])
			return E_NOMEM;
	}
	s->reinvite_body_n = body.n;
	return send_reinvite(s, now_ms);
}
