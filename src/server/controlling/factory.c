/* 9.3 "Creating an IM Conference": an INVITE to the Conference-factory-URI (CF-9.3-1, -2, -5, CF-X-1). */
#include "server/controlling/focus.h"

#include "base/error.h"
#include "procedure/create_conference.h"
#include "procedure/negotiate.h"
#include "sip/write.h"

#include <stdlib.h>

static void refuse(struct sip_server_tx *tx, int status, const char *reason, uint64_t now_ms)
{
	(void)sip_server_tx_reply(tx, status, reason, VIEW(""), now_ms);
}

/* What every answer to this member has (IC-8.3.1-5 has its like; RFC 4579 §5.2 for Contact). */
static int start_session(struct member *creator, struct sip_server_tx *tx, const struct sip_msg *m,
			 uint64_t now_ms)
{
	struct conference *conf = creator->conference;
	struct im_profile p;
	struct buf extra;
	int rc;

	focus_profile(conf->ctl, &p, view_str(conf->uri));
	buf_init(&extra, SIP_HEAD_BYTES_MAX);
	im_write_response(&extra, &p);
	sip_write_field(&extra, "Allow-Events", VIEW("conference"));
	rc = sip_session_incoming(conf->ctl->ua, tx, m, buf_view(&extra), &member_handler, creator, now_ms,
				  &creator->session);
	buf_fini(&extra);
	return rc;
}

static int add_invitees(struct conference *conf, struct member *creator,
			const struct create_conference *req)
{
	for (size_t i = 0; i < req->invitees.n; i++) {
		const struct invitee *e = &req->invitees.entry[i];
		struct member *m = member_new(conf, e->uri, e->display);

		if (!m)
			return E_NOMEM;
		m->inviter = view_dup(view_str(creator->uri));
		m->inviter_anonymous = creator->anonymous;
		m->anonymous = e->anonymize;
		m->anonymous_id = e->anonymize ? ++conf->next_anonymous : 0;
		if (!m->inviter)
			return E_NOMEM;
		if (e->replaces.n) {
			m->replaces = view_dup(e->replaces);
			if (!m->replaces)
				return E_NOMEM;
		}
	}
	return 0;
}

static int ask_seats(struct conference *conf, uint64_t now_ms)
{
	struct controlling *c = conf->ctl;
	size_t n = conference_count(conf, false), i = 0;
	struct seat_offer *offer = calloc(n, sizeof(*offer));
	int rc;

	if (!offer)
		return E_NOMEM;
	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		offer[i++] = (struct seat_offer){.seat = m->seat,
						 .uri = view_str(m->aor),
						 .display = view_str(m->display),
						 .tls = conf->tls,
						 .held = !m->creator};
	}
	timer_arm(sip_stack_timers(c->stack), &conf->seats_late, now_ms + c->cfg.seat_timeout_ms);
	rc = c->broker.open(c->broker.ctx, conf->id, conf->id, view_str(conf->uri), offer, n);
	free(offer);
	return rc;
}

static void create(struct controlling *c, struct sip_server_tx *tx, const struct sip_msg *m,
		   const struct core_identity *who, const struct create_conference *req, bool tls,
		   uint64_t now_ms)
{
	struct conference *conf = conference_new(c);
	struct member *creator;

	if (!conf) {
		(void)sip_server_tx_reply(tx, 503, "No Conference Resources", VIEW("Retry-After: 10\r\n"),
					  now_ms);
		return;
	}
	conference_hold(conf);
	conf->tls = tls;
	creator = member_new(conf, who->uri, who->display);
	if (creator) {
		creator->creator = true;
		creator->anonymous = who->privacy_id;
		creator->anonymous_id = who->privacy_id ? ++conf->next_anonymous : 0;
		creator->offer = view_dup(req->sdp);
		creator->offer_n = req->sdp.n;
	}
	if (!creator || !creator->offer || add_invitees(conf, creator, req)) {
		conf->dead = true;
		refuse(tx, 500, NULL, now_ms);
	} else if (start_session(creator, tx, m, now_ms)) {
		conf->dead = true;
		refuse(tx, 400, "Missing Contact", now_ms);
	} else if (ask_seats(conf, now_ms)) {
		controlling_seats_failed(c, conf->id, conf->id, E_LIMIT, now_ms);
	} else {
		log_line(sip_stack_log(c->stack), LOG_INFO, "focus", "%s: made by %s, %zu invited",
			 conf->uri, creator->uri, req->invitees.n);
	}
	conference_release(conf);
}

void factory_invite(struct controlling *c, struct sip_server_tx *tx, const struct sip_msg *m,
		    const struct core_identity *who, uint64_t now_ms)
{
	struct create_conference req;
	const struct sdp_media *media;
	struct sdp desc;
	char *self;

	if (sip_server_tx_is_merged(tx)) {
		refuse(tx, 482, NULL, now_ms);
		return;
	}
	if (!who->asserted) {
		refuse(tx, 403, "Originator Not Authenticated", now_ms);
		return;
	}
	if (!c->cfg.assume_im && !sip_msg_accepts_im(m)) { /* PF-9.1.2-1 */
		refuse(tx, 403, "No IM Feature Tag In Accept-Contact", now_ms);
		return;
	}
	self = aor_of(who->uri);
	if (!self) {
		refuse(tx, 500, NULL, now_ms);
		return;
	}
	create_conference_read(&req, m, view_str(self), c->cfg.max_members - 1);
	if (req.status) {
		(void)sip_server_tx_reply(tx, req.status, req.reason, buf_view(&req.lines), now_ms);
	} else {
		switch (negotiate_read_kind(req.sdp,
					    c->broker.fingerprint ? NEGOTIATE_EITHER : NEGOTIATE_NO_TLS,
					    &desc, &media)) {
		case 0:
			create(c, tx, m, who, &req, media->msrp.tls, now_ms);
			break;
		case E_SYNTAX:
			refuse(tx, 400, "Malformed Session Description", now_ms);
			break;
		default:
			refuse(tx, 488, NULL, now_ms);
			break;
		}
	}
	create_conference_fini(&req);
	free(self);
}

/* The creator gets his answer once there is a seat for everybody he named ("OK SDP" in the deck). */
static int answer_creator(struct member *creator, uint64_t now_ms)
{
	struct conference *conf = creator->conference;
	struct im_profile p;
	struct buf contact, sdp;
	int rc;

	focus_profile(conf->ctl, &p, view_str(conf->uri));
	buf_init(&contact, 512);
	buf_init(&sdp, SIP_HEAD_BYTES_MAX);
	im_write_contact(&contact, &p, view_str(conf->uri), true);
	rc = member_write_sdp(creator, &sdp, view_of(creator->offer, creator->offer_n));
	/* The switch knows his side before he can connect. */
	if (rc == 0)
		rc = member_read_sdp(creator, view_of(creator->offer, creator->offer_n), false);
	if (rc == 0)
		rc = sip_session_answer(creator->session, buf_view(&contact), VIEW(""),
					VIEW("application/sdp"), buf_view(&sdp), now_ms);
	buf_fini(&contact);
	buf_fini(&sdp);
	return rc;
}

void controlling_seats_ready(struct controlling *c, uint64_t request, uint64_t conference,
			     const uint64_t *seat, const struct view *path, size_t n, uint64_t now_ms)
{
	struct conference *conf = conference_by_id(c, conference);
	struct member *creator;

	(void)request;
	if (!conf || conf->ending) {
		/* Given up on meanwhile: nothing may stay taken. */
		c->broker.end(c->broker.ctx, conference);
		return;
	}
	if (conf->seated)
		return;
	conference_hold(conf);
	conf->seated = true;
	timer_cancel(sip_stack_timers(c->stack), &conf->seats_late);
	for (size_t i = 0; i < n; i++) {
		struct member *m = member_by_seat(conf, seat[i]);

		if (!m || !view_copy(path[i], m->path, sizeof(m->path)))
			continue;
		m->state = MEMBER_WAITING;
	}
	creator = CONTAINER(conf->members.next, struct member, link);
	if (creator->state != MEMBER_WAITING || answer_creator(creator, now_ms)) {
		if (creator->session)
			(void)sip_session_reject(creator->session, 500, NULL, VIEW(""), now_ms);
		conference_end(conf, now_ms);
	} else {
		creator->state = MEMBER_JOINED;
		conference_changed(conf, now_ms);
		conference_invite_next(conf, now_ms);
	}
	conference_release(conf);
}

void controlling_seats_failed(struct controlling *c, uint64_t request, uint64_t conference, int error,
			      uint64_t now_ms)
{
	struct conference *conf = conference_by_id(c, conference);
	struct member *creator;

	(void)request;
	if (!conf || conf->ending || conf->seated)
		return;
	conference_hold(conf);
	log_line(sip_stack_log(c->stack), LOG_WARN, "focus", "%s: no seats: %s", conf->uri,
		 error_text(error));
	creator = CONTAINER(conf->members.next, struct member, link);
	if (creator->session)
		(void)sip_session_reject(creator->session, 503, "No MSRP Resources",
					 VIEW("Retry-After: 10\r\n"), now_ms);
	conference_end(conf, now_ms);
	conference_release(conf);
}
