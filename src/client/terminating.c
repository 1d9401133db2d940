/* 8.3.1 "IM Client invited to a IM Session": chats, conferences, and invitations that replace a
 * running session. */
#include "client/state.h"

#include "base/error.h"
#include "procedure/terminate.h"
#include "sip/write.h"

#include <stdlib.h>

static void refuse(struct client *c, struct sip_server_tx *tx, int status, const char *reason,
		   struct view more, uint64_t now_ms)
{
	struct im_profile p;
	struct buf lines;

	client_profile(c, &p);
	buf_init(&lines, SIP_HEAD_BYTES_MAX);
	sip_write_field(&lines, "Allow", p.allow);
	buf_put(&lines, more);
	(void)sip_server_tx_reply(tx, status, reason, buf_view(&lines), now_ms);
	buf_fini(&lines);
}

void client_refuse(struct client *c, struct sip_server_tx *tx, int status, uint64_t now_ms)
{
	refuse(c, tx, status, NULL, VIEW(""), now_ms);
}

static struct leg *leg_of_dialog(const struct client *c, const struct sip_dialog *d)
{
	LIST_EACH(l, next, &c->conversations)
	{
		struct conversation *v = CONTAINER(l, struct conversation, link);

		if (v->current && v->current->sip && sip_session_dialog(v->current->sip) == d)
			return v->current;
		if (v->old && v->old->sip && sip_session_dialog(v->old->sip) == d)
			return v->old;
	}
	return NULL;
}

static enum replaces_dialog_state state_of(const struct leg *leg)
{
	if (!leg)
		return REPLACES_DIALOG_NONE;
	if (leg->dialog_over || leg->state >= LEG_DRAINING)
		return REPLACES_DIALOG_ENDED;
	switch (sip_session_state(leg->sip)) {
	case SIP_SESSION_INVITING:
		return REPLACES_DIALOG_EARLY_OURS;
	case SIP_SESSION_INCOMING:
		return REPLACES_DIALOG_EARLY_THEIRS;
	case SIP_SESSION_ANSWERED:
	case SIP_SESSION_CONFIRMED:
		return REPLACES_DIALOG_CONFIRMED;
	default:
		return REPLACES_DIALOG_ENDED;
	}
}

static struct leg *find_replaced(struct client *c, struct sip_server_tx *tx, struct terminate *t)
{
	struct sip_dialog *d;
	struct leg *leg;

	if (!t->replaces.present || t->replaces.status)
		return NULL;
	d = sip_dialog_find(c->ua, t->replaces.named.call_id, t->replaces.named.to_tag,
			    t->replaces.named.from_tag);
	leg = d ? leg_of_dialog(c, d) : NULL;
	replaces_judge(&t->replaces, state_of(leg), client_may_replace(c, leg, tx));
	if (t->replaces.status) {
		t->status = t->replaces.status;
		t->reason = t->replaces.reason;
		return NULL;
	}
	return leg;
}

/* RCS phones say it with the Contribution-ID of the chat that becomes a group. A name that is not
 * known here changes nothing: the invitation stands for itself. */
static struct leg *find_session_replaced(struct client *c, struct sip_server_tx *tx,
					 const struct sip_msg *m, const struct terminate *t)
{
	struct view named = sip_msg_value(m, SIP_H_SESSION_REPLACES);

	if (t->replaces.present || !t->focus || !named.n)
		return NULL;
	LIST_EACH(l, next, &c->conversations)
	{
		struct leg *leg = CONTAINER(l, struct conversation, link)->current;

		if (leg && !leg->conference && leg->contribution &&
		    view_eq(view_str(leg->contribution), named) &&
		    state_of(leg) == REPLACES_DIALOG_CONFIRMED)
			return client_may_replace(c, leg, tx) ? leg : NULL;
	}
	return NULL;
}

static int begin_session(struct leg *leg, struct sip_server_tx *tx, const struct sip_msg *m,
			 uint64_t now_ms)
{
	struct client *c = leg->conversation->client;
	struct im_profile p;
	struct buf extra;
	int rc;

	client_profile(c, &p);
	buf_init(&extra, SIP_HEAD_BYTES_MAX);
	im_write_response(&extra, &p);
	rc = sip_session_incoming(c->ua, tx, m, buf_view(&extra), &terminated, leg, now_ms,
				  &leg->sip);
	buf_fini(&extra);
	return rc;
}

/* Who is asked and does not answer is not there (RFC 3261 §13.3.1.1); nobody else's invitations are
 * to stand before a person's door for ever. */
enum { RING_MS = 240000 }; /* proxies are quicker (timer C, §16.6) */

static void ring(struct leg *leg, uint64_t now_ms)
{
	struct client *c = leg->conversation->client;
	struct im_profile p;
	struct buf contact;

	client_profile(c, &p);
	buf_init(&contact, 1024);
	im_write_contact(&contact, &p, view_str(c->contact), false);
	if (buf_ok(&contact))
		(void)sip_session_ring(leg->sip, 180, buf_view(&contact), now_ms);
	timer_arm(c->timers, &leg->patience, now_ms + RING_MS);
	buf_fini(&contact);
}

static void tell_invited(struct conversation *v, const struct terminate *t, struct view subject)
{
	struct confab_event ev = event_of(v, CONFAB_INVITED);
	char inviter[256], display[128], about[256];
	struct view d = t->display;

	if (d.n >= 2 && d.p[0] == '"')
		d = view_of(d.p + 1, d.n - 2);
	(void)view_copy(t->inviter, inviter, sizeof(inviter));
	(void)view_copy(d, display, sizeof(display));
	ev.peer = inviter;
	ev.display = display;
	(void)view_copy(subject, about, sizeof(about));
	ev.text = about;
	ev.conference = t->focus;
	client_emit(v->client, &ev);
}

/* What the group, or the chat, is known by to others. */
static void keep_contribution(struct conversation *v, const struct leg *leg)
{
	char *copy = leg->contribution[0] ? view_dup(view_str(leg->contribution)) : NULL;

	if (!copy)
		return;
	free(v->contribution);
	v->contribution = copy;
}

struct leg *client_take(struct client *c, struct conversation *v, struct sip_server_tx *tx,
			const struct sip_msg *m, const struct terminate *t, uint64_t now_ms)
{
	struct leg *leg = leg_new(v, t->focus);
	struct sip_uri u;

	if (leg) {
		struct view identity = t->session_identity;

		if (t->focus && sip_uri_parse(identity, &u) == 0)
			identity = view_first(identity, identity.n - u.params.n);
		leg->state = LEG_INCOMING;
		leg->incoming = true;
		leg->by_replaces = t->replaces.present || sip_msg_has(m, SIP_H_SESSION_REPLACES);
		leg->peer = view_dup(t->focus ? identity : t->inviter);
		leg_learn_allow(leg, m);
		(void)refresh_judge(c, m, &leg->terms);
		leg->offer = view_dup(t->sdp);
		leg->secure = sip_uri_parse(m->uri, &u) == 0 && u.scheme == SIP_SCHEME_SIPS;
		leg->contribution = view_dup(sip_msg_value(m, SIP_H_CONTRIBUTION_ID));
	}
	if (!leg || !leg->peer || !leg->offer || !leg->contribution ||
	    begin_session(leg, tx, m, now_ms)) {
		leg_free(leg, now_ms);
		refuse(c, tx, 500, NULL, VIEW(""), now_ms);
		return NULL;
	}
	keep_contribution(v, leg);
	if (t->focus)
		people_inviter(v, t->inviter);
	return leg;
}

static void move_there(struct client *c, struct leg *replaced, struct sip_server_tx *tx,
		       const struct sip_msg *m, const struct terminate *t, uint64_t now_ms)
{
	struct conversation *v = replaced->conversation;
	struct leg *leg;
	bool yielded;

	yielded = v->old && glare_yield(v, replaced, now_ms);
	if (v->ended) {
		refuse(c, tx, 481, NULL, VIEW(""), now_ms);
		return;
	}
	if (v->old || v->offered || replaced->state != LEG_OPEN) {
		refuse(c, tx, 491, NULL, VIEW(""), now_ms);
		return;
	}
	leg = client_take(c, v, tx, m, t, now_ms);
	if (!leg)
		return;
	/* Who has just asked for a conference with this peer need not be asked. */
	if (c->cfg.ask_before_move && !yielded) {
		v->offered = leg;
		ring(leg, now_ms);
		tell_invited(v, t, sip_msg_value(m, SIP_H_SUBJECT));
		return;
	}
	if (leg_accept(leg, now_ms) == 0) {
		move_begin_there(v, leg, now_ms);
		return;
	}
	leg_free(leg, now_ms);
	glare_end(v);
}

static void new_chat(struct client *c, struct sip_server_tx *tx, const struct sip_msg *m,
		     const struct terminate *t, uint64_t now_ms)
{
	struct conversation *v;

	if (c->n_conversations >= c->cfg.max_conversations) {
		refuse(c, tx, 486, NULL, VIEW(""), now_ms);
		return;
	}
	v = conversation_new(c, t->inviter);
	if (!v) {
		refuse(c, tx, 500, NULL, VIEW(""), now_ms);
		return;
	}
	v->current = client_take(c, v, tx, m, t, now_ms);
	if (!v->current) {
		conversation_drop(v, now_ms);
		return;
	}
	if (!c->cfg.auto_accept)
		ring(v->current, now_ms);
	tell_invited(v, t, sip_msg_value(m, SIP_H_SUBJECT));
	if (c->cfg.auto_accept)
		(void)client_accept(c, v->id, now_ms);
}

void client_invited(struct client *c, struct sip_server_tx *tx, const struct sip_msg *m,
		    uint64_t now_ms)
{
	struct terminate t;
	struct session_terms terms;
	struct leg *replaced;

	if (sip_server_tx_is_merged(tx)) {
		refuse(c, tx, 482, NULL, VIEW(""), now_ms);
		return;
	}
	terminate_read(&t, m, client_is_server(c, tx));
	replaced = find_replaced(c, tx, &t);
	if (!replaced && !t.status)
		replaced = find_session_replaced(c, tx, m, &t);
	if (c->closing && !t.status)
		t.status = 480;
	if (!t.status && refresh_judge(c, m, &terms)) {
		t.status = 422;
		session_timer_write_min_se(&t.lines, SESSION_TIMER_MIN_SE);
	}
	if (t.status)
		refuse(c, tx, t.status, t.reason, buf_view(&t.lines), now_ms);
	else if (replaced)
		move_there(c, replaced, tx, m, &t, now_ms);
	else if (!recover_invited(c, tx, m, &t, now_ms))
		new_chat(c, tx, m, &t, now_ms);
	terminate_fini(&t);
}

int leg_accept(struct leg *leg, uint64_t now_ms)
{
	struct client *c = leg->conversation->client;
	struct im_profile p;
	struct buf sdp, contact, more;
	int rc;

	client_profile(c, &p);
	buf_init(&sdp, SIP_HEAD_BYTES_MAX);
	buf_init(&contact, 1024);
	buf_init(&more, 128);
	session_timer_write_answer(&more, &leg->terms);
	im_write_contact(&contact, &p, view_str(c->contact), false);
	rc = leg->offer[0] ? leg_write_answer(leg, &sdp, view_str(leg->offer), now_ms)
			   : leg_write_offer(leg, &sdp, now_ms);
	if (rc == 0)
		rc = sip_session_answer(leg->sip, buf_view(&contact), buf_view(&more),
					VIEW("application/sdp"), buf_view(&sdp), now_ms);
	buf_fini(&sdp);
	buf_fini(&contact);
	buf_fini(&more);
	timer_cancel(c->timers, &leg->patience);
	if (rc == 0) {
		refresh_agreed(leg, &leg->terms, now_ms);
		/* Without an answer, the session's end comes with the missing ACK. */
		leg_enter(leg, leg->offer[0] ? LEG_OPENING : LEG_OFFERED);
		if (leg->offer[0])
			timer_arm(c->timers, &leg->patience, now_ms + 32000);
		return 0;
	}
	sip_session_set_ctx(leg->sip, NULL);
	(void)sip_session_reject(leg->sip, rc == E_UNSUPPORTED ? 488 : 500, NULL, VIEW(""), now_ms);
	return rc;
}

int client_accept(struct client *c, uint32_t conversation, uint64_t now_ms)
{
	struct conversation *v = conversation_find(c, conversation);
	struct leg *leg;
	int rc;

	if (!v)
		return E_NOTFOUND;
	leg = v->offered ? v->offered : v->current;
	if (!leg || leg->state != LEG_INCOMING)
		return E_STATE;
	rc = leg_accept(leg, now_ms);
	if (leg == v->offered) {
		v->offered = NULL;
		if (rc == 0)
			move_begin_there(v, leg, now_ms);
		else
			leg_free(leg, now_ms);
	} else if (rc) {
		conversation_end(v, 488, error_text(rc), now_ms);
	}
	return rc;
}

int client_decline(struct client *c, uint32_t conversation, int status, uint64_t now_ms)
{
	struct conversation *v = conversation_find(c, conversation);
	struct leg *leg;

	if (!v)
		return E_NOTFOUND;
	leg = v->offered ? v->offered : v->current;
	if (!leg || leg->state != LEG_INCOMING || status < 400 || status > 699)
		return E_STATE;
	sip_session_set_ctx(leg->sip, NULL);
	(void)sip_session_reject(leg->sip, status, NULL, VIEW(""), now_ms);
	leg->dialog_over = true;
	if (leg == v->offered) {
		v->offered = NULL;
		leg_free(leg, now_ms);
	} else {
		conversation_end(v, status, "declined", now_ms);
	}
	return 0;
}

static void on_reinvite(void *ctx, struct sip_session *s, struct sip_server_tx *tx,
			const struct sip_msg *m, uint64_t now_ms)
{
	(void)s;
	if (ctx)
		leg_reinvited(ctx, tx, m, now_ms);
	else
		(void)sip_server_tx_reply(tx, 481, NULL, VIEW(""), now_ms);
}

static void on_ended(void *ctx, struct sip_session *s, enum sip_session_end why, int status,
		     const struct sip_msg *m, uint64_t now_ms)
{
	(void)s;
	if (ctx)
		leg_ended(ctx, why, status, m, now_ms);
}

static void on_request(void *ctx, struct sip_session *s, struct sip_server_tx *tx,
		       const struct sip_msg *m, uint64_t now_ms)
{
	(void)s;
	leg_requested(ctx, tx, m, now_ms);
}

static void on_confirmed(void *ctx, struct sip_session *s, const struct sip_msg *ack,
			 uint64_t now_ms)
{
	struct leg *leg = ctx;

	(void)s;
	if (!leg)
		return;
	/* RFC 3261 §13.3.1.4 has the answer in the ACK; without one there is no session. */
	if (leg->state == LEG_OFFERED && leg_read_answer(leg, ack, now_ms))
		leg_unusable_answer(leg, now_ms);
	else
		leg_confirmed(leg, now_ms);
}

static void on_reinvited(void *ctx, struct sip_session *s, const struct sip_msg *m, uint64_t now_ms)
{
	(void)s;
	if (ctx)
		leg_reinvite_answered(ctx, m, now_ms);
}

const struct sip_session_handler terminated = {.on_confirmed = on_confirmed,
					       .on_reinvited = on_reinvited,
					       .on_request = on_request,
					       .on_reinvite = on_reinvite,
					       .on_ended = on_ended};
