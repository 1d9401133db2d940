/* An INVITE to a live conference URI: joining, coming back, and changing the phone (CF-X-5; RFC
 * 4579 §5.1, §5.9, RCS rejoin). */
#include "server/controlling/focus.h"

#include "base/error.h"
#include "procedure/create_conference.h"

#include <stdlib.h>

static void refuse(struct sip_server_tx *tx, int status, const char *reason, uint64_t now_ms)
{
	(void)sip_server_tx_reply(tx, status, reason, VIEW(""), now_ms);
}

static struct member *make(struct conference *conf, const struct core_identity *who,
			   struct view sdp, bool tls)
{
	char *aor = aor_of(who->uri);
	struct member *before = aor ? member_record(conf, view_str(aor)) : NULL;
	struct member *m = member_new(conf, who->uri, who->display);

	free(aor);
	if (!m)
		return NULL;
	m->dialed_in = true;
	m->tls = tls;
	m->request = ++conf->ctl->next_id;
	m->anonymous = who->privacy_id || (before && before->anonymous);
	if (m->anonymous)
		m->anonymous_id =
			before && before->anonymous ? before->anonymous_id : ++conf->next_anonymous;
	m->offer = view_dup(sdp);
	m->offer_n = sdp.n;
	return m;
}

/* Never seen by anybody. */
static void forget(struct member *m)
{
	m->state = MEMBER_GONE;
	m->superseded = true;
}

/* Who is in has his place: of two seats of one person the first goes (member_take_over), so that a
 * lost phone finds back into a conference that is full. A place is free for those who may still
 * come back after a restart. */
static bool is_full(const struct conference *conf, const struct core_identity *who)
{
	char *aor = aor_of(who->uri);
	const struct member *own = aor ? member_record(conf, view_str(aor)) : NULL;
	bool has_place = own && own->state != MEMBER_GONE;
	size_t n = conference_count(conf, false) - has_place +
		   conference_awaits(conf, view_str(aor ? aor : ""));

	free(aor);
	return n >= conf->ctl->cfg.max_members;
}

static int ask_seat(struct member *m, uint64_t now_ms)
{
	if (!m->conference->seated)
		return E_STATE;
	if (!member_reclaim(m))
		return conference_ask_seats(m->conference, m->request, now_ms);
	if (m->path[0])
		member_seated(m, now_ms);
	return 0;
}

static void join(struct conference *conf, struct sip_server_tx *tx, const struct sip_msg *m,
		 const struct core_identity *who, struct view sdp, bool tls, uint64_t now_ms)
{
	struct member *joiner;
	int rc;

	if (is_full(conf, who)) {
		refuse(tx, 403, "Size Exceeded", now_ms);
		return;
	}
	(void)members_prune(conf);
	joiner = make(conf, who, sdp, tls);
	if (!joiner) {
		refuse(tx, 503, NULL, now_ms);
		return;
	}
	conference_hold(conf);
	rc = joiner->offer ? member_incoming(joiner, tx, m, now_ms) : E_NOMEM;
	if (rc) {
		forget(joiner);
		refuse(tx, rc == E_SYNTAX ? 400 : 500, rc == E_SYNTAX ? "Missing Contact" : NULL,
		       now_ms);
	} else {
		rc = ask_seat(joiner, now_ms);
		if (rc)
			controlling_seats_failed(conf->ctl, joiner->request, conf->id, rc, now_ms);
	}
	conference_release(conf);
}

void conference_dial_in(struct conference *conf, struct sip_server_tx *tx, const struct sip_msg *m,
			const struct core_identity *who, uint64_t now_ms)
{
	struct controlling *c = conf->ctl;
	struct invitee_limits max = controlling_list_limits(c, c->cfg.max_members);
	struct create_conference req;
	bool tls = false;
	char *aor;
	int rc;

	if (sip_server_tx_is_merged(tx)) {
		refuse(tx, 482, NULL, now_ms);
		return;
	}
	aor = who->asserted ? aor_of(who->uri) : NULL;
	/* Who takes his own place (conference_replace has judged that) is in already. */
	if (!aor || !(sip_msg_has(m, SIP_H_REPLACES) || policy_may_dial_in(conf, view_str(aor)))) {
		free(aor);
		refuse(tx, 403, "Joining By Invitation Only", now_ms);
		return;
	}
	/* A list would name people to be invited: that is the factory's business, and REFER's. */
	create_conference_read(&req, m, view_str(aor), &max);
	rc = req.status ? 0 : conference_read_kind(conf, m, req.sdp, &tls);
	if (req.status)
		(void)sip_server_tx_reply(tx, req.status, req.reason, buf_view(&req.lines), now_ms);
	else if (req.has_list)
		refuse(tx, 403, "No List When Joining", now_ms);
	else if (!c->cfg.assume_im && !sip_msg_accepts_im(m)) /* PF-9.1.2-1 */
		refuse(tx, 403, "No IM Feature Tag In Accept-Contact", now_ms);
	else if (rc == E_SYNTAX)
		refuse(tx, 400, "Malformed Session Description", now_ms);
	else if (rc)
		refuse(tx, 488, NULL, now_ms);
	else if (!member_timer_refuses(c, tx, m, now_ms))
		join(conf, tx, m, who, req.sdp, tls, now_ms);
	create_conference_fini(&req);
	free(aor);
}

void member_take_over(struct member *m, uint64_t now_ms)
{
	struct conference *conf = m->conference;

	LIST_EACH(l, next, &conf->members)
	{
		struct member *old = CONTAINER(l, struct member, link);

		if (old == m || !view_eq(view_str(old->aor), view_str(m->aor)))
			continue;
		old->superseded = true;
		member_expected_no_more(old);
		/* What he may do comes back with him. */
		m->creator = m->creator || old->creator;
		old->creator = false;
		if (old->state == MEMBER_GONE)
			continue;
		/* Not member_leave: he is not out, and no policy is asked. */
		session_timer_stop(&old->timer);
		old->state = MEMBER_GONE;
		old->why = CONFERENCE_DEPARTED;
		conf->ctl->broker.close(conf->ctl->broker.ctx, conf->id, old->seat, false);
		member_settle(old, 200, now_ms);
		if (old->session)
			sip_session_end(old->session,
					VIEW("Reason: SIP;cause=200;text=\"Joined again\"\r\n"),
					now_ms);
	}
}
