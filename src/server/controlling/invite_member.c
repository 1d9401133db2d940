/* 9.3.1: inviting members, and what becomes of their sessions (CF-9.3-5, CF-9.3.1-*, points 2 and 6
 * of "The move"). */
#include "server/controlling/focus.h"

#include "base/error.h"
#include "body/multipart.h"
#include "procedure/invite_member.h"
#include "sip/write.h"

#include <stdlib.h>

/* The session description, and next to it the list of who is invited, where there is one to show
 * (RFC 5366 §5.2). */
static void write_body(const struct conference *conf, struct view sdp, struct buf *type,
		       struct buf *body)
{
	char token[25];
	struct view boundary;

	if (!conf->history) {
		buf_puts(type, "application/sdp");
		buf_put(body, sdp);
		return;
	}
	boundary = view_str(entropy_token(sip_stack_entropy(conf->ctl->stack), token, 24));
	buf_putf(type, "multipart/mixed;boundary=\"%.*s\"", VIEW_ARG(boundary));
	multipart_write_part(body, boundary, VIEW("application/sdp"), VIEW(""), VIEW(""), sdp);
	multipart_write_part(body, boundary, VIEW("application/resource-lists+xml"),
			     VIEW("recipient-list-history;handling=optional"), VIEW(""),
			     view_str(conf->history));
	multipart_end(body, boundary);
}

int member_invite(struct member *m, uint64_t now_ms)
{
	struct conference *conf = m->conference;
	struct sip_invite invite = {0};
	struct invite_member who = {
		.inviter = view_str(m->inviter),
		.inviter_anonymous = m->inviter_anonymous,
		.replaces = m->without_replaces ? VIEW("") : view_str(m->replaces),
		.session_replaces = view_str(m->session_replaces),
		.conference = view_str(conf->uri),
		.subject = view_str(conf->subject),
		.contribution = view_str(conf->contribution),
	};
	struct buf contact, extra, sdp, from, type, body, route;
	struct im_profile p;
	int rc;

	focus_profile(conf->ctl, &p, view_str(conf->uri));
	buf_init(&contact, 512);
	buf_init(&extra, SIP_HEAD_BYTES_MAX);
	buf_init(&sdp, SIP_HEAD_BYTES_MAX);
	buf_init(&from, 512);
	buf_init(&type, 256);
	buf_init(&body, (size_t)SIP_HEAD_BYTES_MAX * 2);
	buf_init(&route, 512);
	im_write_contact(&contact, &p, view_str(conf->uri), true);
	invite_member_write_fields(&extra, &p, &who);
	focus_write_capabilities(&extra);
	member_timer_offer(m, &extra, false);
	buf_putf(&from, "<%s>", conf->uri);
	rc = member_write_sdp(m, &sdp, VIEW(""));
	write_body(conf, buf_view(&sdp), &type, &body);
	if (rc == 0)
		rc = focus_first_hop(conf->ctl, &invite, &route, &extra);
	invite.uri = view_str(m->uri);
	invite.again = m->refused ? m->refused : m->session;
	invite.from = buf_view(&from);
	invite.contact = buf_view(&contact);
	invite.extra = buf_view(&extra);
	invite.content_type = buf_view(&type);
	invite.body = buf_view(&body);
	if (rc == 0 && (!buf_ok(&contact) || !buf_ok(&extra) || !buf_ok(&sdp) || !buf_ok(&from) ||
			!buf_ok(&type) || !buf_ok(&body) || !buf_ok(&route)))
		rc = E_NOMEM;
	if (rc == 0)
		rc = sip_session_invite(conf->ctl->ua, &invite, &member_handler, m, now_ms,
					&m->session);
	if (rc == 0) {
		m->state = MEMBER_INVITED;
		sip_session_free(m->refused);
		m->refused = NULL;
	}
	buf_fini(&contact);
	buf_fini(&extra);
	buf_fini(&sdp);
	buf_fini(&from);
	buf_fini(&type);
	buf_fini(&body);
	buf_fini(&route);
	return rc;
}

/* Is somebody being asked to give up his running session for this conference? */
static bool replacing(const struct conference *conf)
{
	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (m->replaces && m->state < MEMBER_JOINED)
			return true;
	}
	return false;
}

void conference_invite_next(struct conference *conf, uint64_t now_ms)
{
	struct timers *q = sip_stack_timers(conf->ctl->stack);
	bool first = replacing(conf) && !conf->others_released, invited = false;

	if (!conf->seated || conf->ending)
		return;
	conference_hold(conf);
	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (m->state != MEMBER_WAITING || m->creator || (first && !m->replaces))
			continue;
		if (m->replaces && !timer_armed(&conf->replaces_late) && !conf->others_released)
			timer_arm(q, &conf->replaces_late,
				  now_ms + conf->ctl->cfg.invite_timeout_ms);
		if (member_invite(m, now_ms))
			member_leave(m, CONFERENCE_FAILED, false, now_ms);
		else
			invited = true;
		if (conf->ending)
			break;
	}
	if (invited)
		conference_changed(conf, now_ms);
	conference_release(conf);
}

static void on_progress(void *ctx, struct sip_session *s, const struct sip_msg *m, uint64_t now_ms)
{
	struct member *member = ctx;

	(void)s;
	if (m->status >= 180 && member->state == MEMBER_INVITED) {
		member->state = MEMBER_ALERTING;
		conference_changed(member->conference, now_ms);
	}
	if (m->status >= 180)
		referral_progress(member->referral, m->status, now_ms);
}

static void on_answered(void *ctx, struct sip_session *s, const struct sip_msg *m, uint64_t now_ms)
{
	struct member *member = ctx;
	struct conference *conf = member->conference;

	conference_hold(conf);
	if (conf->ending ||
	    !sip_content_is(sip_msg_value(m, SIP_H_CONTENT_TYPE), VIEW("application/sdp")) ||
	    member_read_sdp(member, m->body, true)) {
		log_line(sip_stack_log(conf->ctl->stack), LOG_INFO, "focus",
			 "%s: the answer of %s cannot be used", conf->uri, member->uri);
		sip_session_end(s, VIEW(""), now_ms);
		member_settle(member, 488, now_ms);
		member_leave(member, CONFERENCE_FAILED, false, now_ms);
	} else {
		member->state = MEMBER_JOINED;
		member->was_in = true;
		member_timer_read(member, m, false, now_ms);
		member_settle(member, 200, now_ms);
		log_line(sip_stack_log(conf->ctl->stack), LOG_INFO, "focus", "%s: %s joined",
			 conf->uri, member->uri);
		conference_changed(conf, now_ms);
		conference_invite_next(conf, now_ms);
	}
	conference_release(conf);
}

static bool ask_again(struct member *m, uint64_t now_ms)
{
	struct sip_session *refused = m->session;
	bool asked;

	/* RFC 3261 §8.1.3.5: the same call, its next INVITE. */
	asked = member_invite(m, now_ms) == 0;
	sip_session_free(refused);
	if (!asked)
		m->session = NULL;
	return asked;
}

/* Point 6 of "The move": a phone that knows no Replaces is asked once more without it. One that
 * wants a longer session timer, with that (RFC 4028 §7.3). */
static bool asked_again(struct member *m, int status, const struct sip_msg *response,
			uint64_t now_ms)
{
	if (m->conference->ending || m->state == MEMBER_GONE)
		return false;
	if (member_timer_longer(m, response))
		return ask_again(m, now_ms);
	if (member_ask_other_kind(m, status, now_ms))
		return true;
	if (status != 420 || !m->replaces || m->without_replaces ||
	    !m->conference->ctl->cfg.replaces_fallback)
		return false;
	m->without_replaces = true;
	return ask_again(m, now_ms);
}

static enum conference_disconnection why_gone(enum sip_session_end why, int status)
{
	if (why == SIP_END_BYE_RECEIVED || why == SIP_END_CANCELLED)
		return CONFERENCE_DEPARTED;
	if (why == SIP_END_BYE_SENT)
		return CONFERENCE_BOOTED;
	return status == 486 || status == 600 ? CONFERENCE_BUSY : CONFERENCE_FAILED;
}

static bool asks_privacy(const struct sip_msg *m)
{
	return m && sip_msg_has(m, SIP_H_PRIVACY) &&
	       view_find_view(sip_msg_value(m, SIP_H_PRIVACY), VIEW("id"), 0) <
		       sip_msg_value(m, SIP_H_PRIVACY).n;
}

static void on_ended(void *ctx, struct sip_session *s, enum sip_session_end why, int status,
		     const struct sip_msg *m, uint64_t now_ms)
{
	struct member *member = ctx;
	struct conference *conf = member->conference;

	(void)s;
	conference_hold(conf);
	referrals_drop_inside(member);
	if (why == SIP_END_REJECTED && asked_again(member, status, m, now_ms)) {
		conference_changed(conf, now_ms);
	} else {
		/* Leaving anonymously (IC-7.1.5-3): the others see somebody go, not who. */
		if (asks_privacy(m) && !member->anonymous) {
			member->anonymous = true;
			/* By that name he was known as himself. */
			free(member->nickname);
			member->nickname = NULL;
			member->anonymous_id = ++conf->next_anonymous;
		}
		member_settle(member,
			      member->removed	       ? 200
			      : status >= 300	       ? status
			      : why == SIP_END_TIMEOUT ? 408
						       : 480,
			      now_ms);
		member_leave(member, why_gone(why, status), false, now_ms);
	}
	conference_release(conf);
}

static void on_confirmed(void *ctx, struct sip_session *s, const struct sip_msg *ack,
			 uint64_t now_ms)
{
	(void)s;
	member_confirmed(ctx, ack, now_ms);
}

static void on_reinvite(void *ctx, struct sip_session *s, struct sip_server_tx *tx,
			const struct sip_msg *m, uint64_t now_ms)
{
	(void)s;
	member_reinvited(ctx, tx, m, now_ms);
}

static void on_reinvite_confirmed(void *ctx, struct sip_session *s, const struct sip_msg *ack,
				  uint64_t now_ms)
{
	(void)s;
	member_reinvite_confirmed(ctx, ack, now_ms);
}

static void on_reinvited(void *ctx, struct sip_session *s, const struct sip_msg *m, uint64_t now_ms)
{
	(void)s;
	member_timer_refreshed(ctx, m, now_ms);
}

static void on_options(void *ctx, struct sip_session *s, struct sip_server_tx *tx, uint64_t now_ms)
{
	const struct conference *conf = ((struct member *)ctx)->conference;

	(void)s;
	focus_answer_options(conf->ctl, conf, tx, now_ms);
}

static void on_request(void *ctx, struct sip_session *s, struct sip_server_tx *tx,
		       const struct sip_msg *m, uint64_t now_ms)
{
	struct member *member = ctx;

	(void)s;
	if (m->method == SIP_REFER)
		conference_refer(member->conference, member, tx, m, NULL, now_ms);
	else if (m->method == SIP_SUBSCRIBE)
		referral_subscribe(member, tx, m, now_ms);
	else
		(void)sip_server_tx_reply(tx, m->method == SIP_METHOD_OTHER ? 501 : 405, NULL,
					  VIEW("Allow: " IM_ALLOW_FOCUS "\r\n"), now_ms);
}

const struct sip_session_handler member_handler = {
	.on_progress = on_progress,
	.on_answered = on_answered,
	.on_confirmed = on_confirmed,
	.on_reinvite = on_reinvite,
	.on_reinvite_confirmed = on_reinvite_confirmed,
	.on_reinvited = on_reinvited,
	.on_options = on_options,
	.on_request = on_request,
	.on_ended = on_ended,
};
