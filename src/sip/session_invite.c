/* Sessions, inviting side: the INVITE, its 2xx from one branch or several, the ACK (RFC 3261
 * §13.2), and our re-INVITEs (§14.1). */
#include "sip/session_state.h"

#include "base/error.h"

#include <stdlib.h>

/* §13.2.2.4: the ACK of a 2xx is a request of its own, with the INVITE's CSeq number and
 * credentials. */
static void send_ack(struct sip_session *s, struct sip_dialog *d, const struct sip_msg *invite,
		     struct sip_ack *keep, uint64_t now_ms)
{
	struct sip_stack *stack = sip_ua_stack(s->ua);
	struct sip_cseq cseq;
	struct buf b;

	if (sip_msg_cseq(invite, &cseq) || sip_dialog_next_hop(d, &keep->flow))
		return;
	buf_init(&b, sip_stack_get_config(stack)->max_message);
	(void)sip_dialog_write_request(d, &b, VIEW("ACK"), cseq.number);
	sip_write_copy(&b, invite, SIP_H_AUTHORIZATION);
	sip_write_copy(&b, invite, SIP_H_PROXY_AUTHORIZATION);
	sip_write_body(&b, VIEW(""), VIEW(""));
	if (buf_ok(&b)) {
		(void)sip_stack_send_ack(stack, buf_view(&b), &keep->flow, now_ms);
		keep->bytes = buf_take(&b, &keep->n);
	}
	buf_fini(&b);
}

static void ack_again(struct sip_session *s, const struct sip_ack *ack, uint64_t now_ms)
{
	if (ack->bytes)
		(void)sip_stack_send_ack(sip_ua_stack(s->ua), view_of(ack->bytes, ack->n),
					 &ack->flow, now_ms);
}

static struct sip_fork *fork_find(const struct sip_session *s, struct view tag)
{
	LIST_EACH(l, next, &s->forks)
	{
		struct sip_fork *f = CONTAINER(l, struct sip_fork, link);

		if (view_eq(view_str(f->tag), tag))
			return f;
	}
	return NULL;
}

/* NULL: no memory, or more branches than anybody needs. */
static struct sip_fork *fork_new(struct sip_session *s, struct view tag)
{
	struct sip_fork *f = s->n_forks < SIP_FORKS_MAX ? calloc(1, sizeof(*f)) : NULL;

	if (!f)
		return NULL;
	f->tag = view_dup(tag);
	if (!f->tag) {
		free(f);
		return NULL;
	}
	list_add_tail(&s->forks, &f->link);
	s->n_forks++;
	return f;
}

static void reinvite_free(struct sip_reinvite *r)
{
	if (r->session->open == r)
		r->session->open = NULL;
	list_del(&r->link);
	free(r->ack.bytes);
	free(r);
}

void sip_session_forget_invites(struct sip_session *s)
{
	LIST_EACH(l, next, &s->forks)
	{
		struct sip_fork *f = CONTAINER(l, struct sip_fork, link);

		free(f->tag);
		free(f->ack.bytes);
		free(f);
	}
	list_init(&s->forks);
	LIST_EACH(l, next, &s->reinvites)
	{
		struct sip_reinvite *r = CONTAINER(l, struct sip_reinvite, link);

		if (r->uac)
			sip_uac_detach(r->uac);
		reinvite_free(r);
	}
}

/* Another branch of a fork answered too: it is acknowledged and released. */
static void release_fork(struct sip_session *s, struct sip_fork *f, const struct sip_msg *invite,
			 const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_dialog d;
	struct sip_flow flow;
	struct buf b;

	if (sip_dialog_init_uac(&d, s->ua, invite, m, &sip_session_owner, s))
		return;
	send_ack(s, &d, invite, &f->ack, now_ms);
	buf_init(&b, SIP_HEAD_BYTES_MAX);
	(void)sip_dialog_write_request(&d, &b, VIEW("BYE"), 0);
	sip_write_body(&b, VIEW(""), VIEW(""));
	if (buf_ok(&b) && sip_dialog_next_hop(&d, &flow) == 0)
		(void)sip_uac_send(s->ua, buf_view(&b), &flow, NULL, NULL, NULL, now_ms, NULL);
	buf_fini(&b);
	sip_dialog_fini(&d);
}

static void first_answer(struct sip_session *s, struct sip_fork *f, const struct sip_msg *invite,
			 const struct sip_msg *m, uint64_t now_ms)
{
	if (sip_dialog_init_uac(&s->dialog, s->ua, invite, m, &sip_session_owner, s)) {
		sip_session_finish(s, SIP_END_FAILED, m->status, m, now_ms);
		return;
	}
	s->has_dialog = true;
	send_ack(s, &s->dialog, invite, &f->ack, now_ms);
	sip_session_enter(s, SIP_SESSION_CONFIRMED);
	if (s->hung_up) /* the 200 crossed our CANCEL: a call nobody wants any more */
		sip_session_send_bye(s, now_ms);
	else
		s->h->on_answered(s->ctx, s, m, now_ms);
}

static void receive_2xx(struct sip_session *s, const struct sip_msg *invite,
			const struct sip_msg *m, struct view tag, uint64_t now_ms)
{
	struct sip_fork *f = fork_find(s, tag);

	if (f) {
		ack_again(s, &f->ack, now_ms);
		return;
	}
	f = fork_new(s, tag);
	if (f && s->n_forks == 1)
		first_answer(s, f, invite, m, now_ms);
	else if (f)
		release_fork(s, f, invite, m, now_ms);
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
		if (s->state == SIP_SESSION_INVITING && s->h->on_progress)
			s->h->on_progress(s->ctx, s, m, now_ms);
	} else if (m->status < 300) {
		receive_2xx(s, &invite, m, sip_addr_tag(&to), now_ms);
	} else {
		struct sip_cseq cseq;

		/* Challenges and redirections may have moved it. */
		if (sip_msg_cseq(&invite, &cseq) == 0)
			s->invite_cseq = cseq.number;
		s->refused = true;
		sip_session_finish(s, s->hung_up ? SIP_END_CANCELLED : SIP_END_REJECTED, m->status,
				   m, now_ms);
	}
	sip_session_leave(s);
}

static void invite_failed(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms)
{
	struct sip_session *s = ctx;

	(void)uac;
	sip_session_hold(s);
	s->refused = true;
	sip_session_finish(s, error == E_TIMEOUT ? SIP_END_TIMEOUT : SIP_END_FAILED,
			   error == E_TIMEOUT ? 408 : 503, NULL, now_ms);
	sip_session_leave(s);
}

static void invite_gone(void *ctx, struct sip_uac *uac)
{
	struct sip_session *s = ctx;

	sip_session_hold(s);
	if (s->invite == uac)
		s->invite = NULL;
	sip_session_leave(s);
}

static const struct sip_uac_handler invite_handler = {
	.on_response = invite_response, .on_failed = invite_failed, .on_gone = invite_gone};

static void write_invite(struct sip_session *s, struct buf *b, const struct sip_invite *i)
{
	const struct entropy *e = sip_stack_entropy(sip_ua_stack(s->ua));

	if (i->again) {
		memcpy(s->tag, i->again->tag, sizeof(s->tag));
		memcpy(s->call_id, i->again->call_id, sizeof(s->call_id));
		s->invite_cseq = i->again->invite_cseq;
	} else {
		entropy_token(e, s->tag, 12);
		entropy_token(e, s->call_id, 26);
	}
	sip_write_request_line(b, VIEW("INVITE"), i->uri);
	if (i->routes.n)
		sip_write_field(b, "Route", i->routes);
	sip_write_fieldf(b, "From", "%.*s;tag=%s", VIEW_ARG(i->from), s->tag);
	if (i->to.n)
		sip_write_field(b, "To", i->to);
	else
		sip_write_fieldf(b, "To", "<%.*s>", VIEW_ARG(i->uri));
	sip_write_field(b, "Call-ID", view_str(s->call_id));
	sip_write_fieldf(b, "CSeq", "%u INVITE", s->invite_cseq + 1);
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
		s->state = SIP_SESSION_ENDED;
		sip_session_free(s);
		return rc;
	}
	if (invite->hurried)
		sip_uac_hurry(s->invite);
	*out = s;
	return 0;
}

struct view sip_session_invited(const struct sip_session *s)
{
	struct sip_msg m;

	if (!s->invite || sip_msg_parse(sip_uac_request(s->invite), &m))
		return VIEW("");
	return m.uri;
}

/* --- re-INVITE --- */

static int send_reinvite(struct sip_session *s, uint64_t now_ms);

/* No answer at all, or no way to ask (§14.1, §12.2.1.2): the dialog ends. */
static void reinvite_lost(struct sip_session *s, int error, uint64_t now_ms)
{
	if (s->state != SIP_SESSION_CONFIRMED)
		return;
	sip_session_hold(s);
	sip_session_send_bye(s, now_ms);
	sip_session_finish(s, error == E_TIMEOUT ? SIP_END_TIMEOUT : SIP_END_FAILED,
			   error == E_TIMEOUT ? 408 : 503, NULL, now_ms);
	sip_session_leave(s);
}

/* §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other up to 2 s, in steps of 10 ms. */
static void wait_for_glare(struct sip_session *s, uint64_t now_ms)
{
	uint64_t r = entropy_u64(sip_stack_entropy(sip_ua_stack(s->ua)));

	timer_arm(s->ua->timers, &s->glare,
		  now_ms + (s->dialog.initiator ? 2100 + r % 191 * 10 : r % 201 * 10));
}

static void glare_over(void *ctx, uint64_t now_ms)
{
	struct sip_session *s = ctx;
	int rc;

	if (s->state != SIP_SESSION_CONFIRMED)
		return;
	/* The other side was first: one INVITE at a time. */
	if (s->answer.waiting || sip_session_reinvite_pending(s)) {
		wait_for_glare(s, now_ms);
		return;
	}
	rc = send_reinvite(s, now_ms);
	if (rc)
		reinvite_lost(s, rc, now_ms);
}

static void reinvite_final(struct sip_session *s, const struct sip_msg *m, uint64_t now_ms)
{
	if (s->state != SIP_SESSION_CONFIRMED)
		return;
	if (m->status == 491) {
		timer_init(&s->glare, glare_over, s);
		wait_for_glare(s, now_ms);
	} else if (m->status == 481 || m->status == 408) {
		/* §12.2.1.2: the peer has lost the dialog. */
		sip_session_finish(s, SIP_END_FAILED, m->status, m, now_ms);
	} else if (s->h && s->h->on_reinvited) {
		s->h->on_reinvited(s->ctx, s, m, now_ms);
	}
}

static void reinvite_response(void *ctx, struct sip_uac *uac, const struct sip_msg *m,
			      uint64_t now_ms)
{
	struct sip_reinvite *r = ctx;
	struct sip_session *s = r->session;
	struct sip_msg invite;

	if (m->status < 200)
		return;
	if (r->answered) {
		ack_again(s, &r->ack, now_ms);
		return;
	}
	r->answered = true;
	if (s->open == r)
		s->open = NULL;
	if (m->status < 300 && sip_msg_parse(sip_uac_request(uac), &invite) == 0) {
		sip_dialog_refresh(&s->dialog, m);
		send_ack(s, &s->dialog, &invite, &r->ack, now_ms);
	}
	sip_session_hold(s);
	reinvite_final(s, m, now_ms);
	sip_session_leave(s);
}

static void reinvite_failed(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms)
{
	struct sip_reinvite *r = ctx;

	(void)uac;
	reinvite_lost(r->session, error, now_ms);
}

static void reinvite_gone(void *ctx, struct sip_uac *uac)
{
	(void)uac;
	reinvite_free(ctx);
}

static const struct sip_uac_handler reinvite_handler = {
	.on_response = reinvite_response, .on_failed = reinvite_failed, .on_gone = reinvite_gone};

static int send_reinvite(struct sip_session *s, uint64_t now_ms)
{
	struct sip_reinvite *r;
	struct sip_flow flow;
	struct buf b;
	int rc = sip_dialog_next_hop(&s->dialog, &flow);

	if (rc)
		return rc;
	r = calloc(1, sizeof(*r));
	if (!r)
		return E_NOMEM;
	r->session = s;
	list_add_tail(&s->reinvites, &r->link);
	buf_init(&b, sip_stack_get_config(sip_ua_stack(s->ua))->max_message);
	(void)sip_dialog_write_request(&s->dialog, &b, VIEW("INVITE"), 0);
	sip_write_field(&b, "Contact", view_str(s->reinvite_parts[0]));
	buf_puts(&b, s->reinvite_parts[1]);
	sip_write_body(&b, view_str(s->reinvite_parts[2]),
		       view_of(s->reinvite_parts[3], s->reinvite_body_n));
	rc = buf_ok(&b) ? sip_uac_send(s->ua, buf_view(&b), &flow, &s->dialog.local_seq,
				       &reinvite_handler, r, now_ms, &r->uac)
			: E_NOMEM;
	buf_fini(&b);
	if (rc)
		reinvite_free(r);
	else
		s->open = r;
	return rc;
}

int sip_session_reinvite(struct sip_session *s, struct view contact, struct view more,
			 struct view content_type, struct view body, uint64_t now_ms)
{
	const struct view parts[4] = {contact, more, content_type, body};

	if (s->state != SIP_SESSION_CONFIRMED || s->open || timer_armed(&s->glare) ||
	    s->answer.waiting || sip_session_reinvite_pending(s))
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
