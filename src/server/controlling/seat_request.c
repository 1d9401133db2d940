/* Seats asked of the MSRP switch, and what follows when they come or do not (CF-X-1): the answer to
 * one who came by himself, the invitation of one who is to be invited. */
#include "server/controlling/focus.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdlib.h>

enum { AWAITED_AT_A_TIME = 500 }; /* the switch takes so many and some more in one request */

int conference_ask_seats(struct conference *conf, uint64_t request, uint64_t now_ms)
{
	struct controlling *c = conf->ctl;
	size_t n = 0, i = 0;
	struct seat_offer *offer;
	int rc;

	LIST_EACH(l, next, &conf->members)
	n++;
	offer = calloc(n + 1, sizeof(*offer));
	if (!offer)
		return E_NOMEM;
	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (m->state == MEMBER_SEATING && m->request == request)
			offer[i++] = (struct seat_offer){.seat = m->seat,
							 .uri = view_str(m->aor),
							 .display = view_str(m->display),
							 .tls = m->tls,
							 .held = conf->seated || !m->creator};
	}
	i += conference_name_awaited(conf, request, offer + i,
				     n - i < AWAITED_AT_A_TIME ? n - i : AWAITED_AT_A_TIME);
	timer_arm(sip_stack_timers(c->stack), &conf->seats_late, now_ms + c->cfg.seat_timeout_ms);
	rc = c->broker.open(c->broker.ctx, request, conf->id, view_str(conf->uri), offer, i);
	if (rc)
		conference_awaited_unseated(conf, request);
	free(offer);
	return rc;
}

int member_incoming(struct member *m, struct sip_server_tx *tx, const struct sip_msg *invite,
		    uint64_t now_ms)
{
	struct conference *conf = m->conference;
	struct im_profile p;
	struct buf extra;
	int rc;

	/* What every answer to him has (RFC 4579 §5.2; IC-8.3.1-5 has its like). */
	focus_profile(conf->ctl, &p, view_str(conf->uri));
	buf_init(&extra, SIP_HEAD_BYTES_MAX);
	im_write_response(&extra, &p);
	focus_write_charging(conf->ctl, &extra, invite);
	focus_write_capabilities(&extra);
	rc = sip_session_incoming(conf->ctl->ua, tx, invite, buf_view(&extra), &member_handler, m,
				  now_ms, &m->session);
	buf_fini(&extra);
	member_timer_judge(m, invite);
	return rc;
}

/* Who came by himself gets his answer once he has a seat; the creator, once there is one for
 * everybody he named ("OK SDP" in the deck). Without an offer of his, ours is in it (RFC 3261
 * §13.2.1). */
static int answer(struct member *m, uint64_t now_ms)
{
	struct conference *conf = m->conference;
	struct im_profile p;
	struct buf contact, more, sdp;
	int rc;

	focus_profile(conf->ctl, &p, view_str(conf->uri));
	buf_init(&contact, 512);
	buf_init(&more, 256);
	buf_init(&sdp, SIP_HEAD_BYTES_MAX);
	session_timer_write_answer(&more, &m->terms);
	im_write_contact(&contact, &p, view_str(conf->uri), true);
	rc = member_write_sdp(m, &sdp, view_of(m->offer, m->offer_n));
	/* The switch knows his side before he can connect. */
	if (rc == 0 && m->offer_n)
		rc = member_read_sdp(m, view_of(m->offer, m->offer_n), false);
	if (rc == 0)
		rc = sip_session_answer(m->session, buf_view(&contact), buf_view(&more),
					VIEW("application/sdp"), buf_view(&sdp), now_ms);
	if (rc == 0)
		member_timer_answered(m, now_ms);
	buf_fini(&contact);
	buf_fini(&more);
	buf_fini(&sdp);
	return rc;
}

static void join(struct member *m, uint64_t now_ms)
{
	m->state = MEMBER_JOINED;
	m->was_in = true;
	member_take_over(m, now_ms);
}

static void seat_ready(struct member *m, struct view path, uint64_t now_ms)
{
	if (!m || (m->state != MEMBER_SEATING && !m->awaited) ||
	    !view_copy(path, m->path, sizeof(m->path)) || m->state != MEMBER_SEATING)
		return;
	if (!m->session) {
		m->state = MEMBER_WAITING;
		return;
	}
	if (answer(m, now_ms)) {
		(void)sip_session_reject(m->session, 500, NULL, VIEW(""), now_ms);
		member_leave(m, CONFERENCE_FAILED, false, now_ms);
		return;
	}
	if (m->offer_n)
		join(m, now_ms);
	else
		m->state = MEMBER_ANSWERED;
}

void member_confirmed(struct member *m, const struct sip_msg *ack, uint64_t now_ms)
{
	struct conference *conf = m->conference;

	if (m->state != MEMBER_ANSWERED)
		return;
	conference_hold(conf);
	if (!sip_content_is(sip_msg_value(ack, SIP_H_CONTENT_TYPE), VIEW("application/sdp")) ||
	    member_read_sdp(m, ack->body, true)) {
		log_line(sip_stack_log(conf->ctl->stack), LOG_INFO, "focus",
			 "%s: the ACK of %s has no answer that can be used", conf->uri, m->uri);
		sip_session_end(
			m->session,
			VIEW("Reason: SIP;cause=488;text=\"No Usable Answer In The ACK\"\r\n"),
			now_ms);
		member_leave(m, CONFERENCE_FAILED, false, now_ms);
	} else {
		join(m, now_ms);
		conference_changed(conf, now_ms);
	}
	conference_release(conf);
}

void member_seated(struct member *m, uint64_t now_ms)
{
	char path[SEAT_PATH_MAX];

	memcpy(path, m->path, sizeof(path));
	seat_ready(m, view_str(path), now_ms);
	conference_changed(m->conference, now_ms);
}

static bool seats_open(const struct conference *conf)
{
	LIST_EACH(l, next, &conf->members)
	if (CONTAINER(l, struct member, link)->state == MEMBER_SEATING)
		return true;
	return false;
}

void controlling_seats_ready(struct controlling *c, uint64_t request, uint64_t conference,
			     const uint64_t *seat, const struct view *path, size_t n,
			     uint64_t now_ms)
{
	struct conference *conf = conference_by_id(c, conference);
	struct member *creator;

	/* Given up on meanwhile: nothing may stay taken. */
	if (!conf || conf->dead) {
		c->broker.end(c->broker.ctx, conference);
		return;
	}
	if (conf->ending) {
		for (size_t i = 0; i < n; i++)
			c->broker.close(c->broker.ctx, conference, seat[i], false);
		return;
	}
	conference_hold(conf);
	creator = CONTAINER(conf->members.next, struct member, link);
	if (request == conf->id)
		conf->seated = true;
	for (size_t i = 0; i < n && !conf->ending; i++)
		seat_ready(member_by_seat(conf, seat[i]), path[i], now_ms);
	if (request == conf->id && creator->state == MEMBER_GONE) {
		conference_end(conf, now_ms);
	} else {
		conference_changed(conf, now_ms);
		conference_invite_next(conf, now_ms);
	}
	if (!seats_open(conf))
		timer_cancel(sip_stack_timers(c->stack), &conf->seats_late);
	conference_release(conf);
}

static void refuse_creation(struct conference *conf, uint64_t now_ms)
{
	struct member *creator = CONTAINER(conf->members.next, struct member, link);

	if (creator->session)
		(void)sip_session_reject(creator->session, 503, "No MSRP Resources",
					 VIEW("Retry-After: 10\r\n"), now_ms);
	conference_end(conf, now_ms);
}

static void refuse_added(struct conference *conf, uint64_t request, uint64_t now_ms)
{
	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (m->state != MEMBER_SEATING || m->request != request)
			continue;
		if (m->session)
			(void)sip_session_reject(m->session, 503, "No MSRP Resources",
						 VIEW("Retry-After: 10\r\n"), now_ms);
		member_settle(m, 503, now_ms);
		member_leave(m, CONFERENCE_FAILED, false, now_ms);
	}
}

void controlling_seats_failed(struct controlling *c, uint64_t request, uint64_t conference,
			      int error, uint64_t now_ms)
{
	struct conference *conf = conference_by_id(c, conference);

	if (!conf || conf->ending || (request == conf->id && conf->seated))
		return;
	conference_hold(conf);
	log_line(sip_stack_log(c->stack), LOG_WARN, "focus", "%s: no seats: %s", conf->uri,
		 error_text(error));
	conference_awaited_unseated(conf, request);
	if (request == conf->id)
		refuse_creation(conf, now_ms);
	else
		refuse_added(conf, request, now_ms);
	conference_release(conf);
}
