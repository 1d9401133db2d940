/* The session timer of each participant (RFC 4028): who has gone without a word is noticed, and
 * leaves as if he had said so. The refresh is a re-INVITE that says what he was told last. */
#include "server/controlling/focus.h"

#include "base/error.h"
#include "sip/write.h"

enum {
	AGAIN_MS = 10000, /* after a glare, or a refusal that says nothing of whether he is there */
	LONGER_TRIES = 3, /* of a request that is answered 422 */
	INTERVAL_MAX_S = 86400,
};

bool member_timer_refuses(const struct controlling *c, struct sip_server_tx *tx,
			  const struct sip_msg *m, uint64_t now_ms)
{
	struct session_terms terms;
	struct buf lines;

	if (!session_timer_judge(m, c->cfg.session_expires_s, c->cfg.min_se_s, &terms))
		return false;
	buf_init(&lines, 64);
	session_timer_write_min_se(&lines, c->cfg.min_se_s);
	(void)sip_server_tx_reply(tx, 422, NULL, buf_view(&lines), now_ms);
	buf_fini(&lines);
	return true;
}

void member_timer_judge(struct member *m, const struct sip_msg *request)
{
	const struct controlling_config *cfg = &m->conference->ctl->cfg;

	(void)session_timer_judge(request, cfg->session_expires_s, cfg->min_se_s, &m->terms);
}

void member_timer_answered(struct member *m, uint64_t now_ms)
{
	m->knows_timer = m->terms.uac_supports;
	session_timer_start(&m->timer, &m->terms, false, now_ms);
}

/* §7.4: a refresh asks for what is agreed, where that is not too short for somebody by now. */
static uint32_t interval(const struct member *m, bool refresh)
{
	return refresh && m->terms.seconds >= m->min_se_s ? m->terms.seconds : m->expires_s;
}

void member_timer_offer(const struct member *m, struct buf *b, bool refresh)
{
	session_timer_write_offer(b, interval(m, refresh), m->min_se_s, refresh ? "uac" : NULL);
}

void member_timer_read(struct member *m, const struct sip_msg *response, bool refresh,
		       uint64_t now_ms)
{
	m->knows_timer = sip_msg_has(response, SIP_H_SESSION_EXPIRES);
	session_timer_read_answer(response, interval(m, refresh), &m->terms);
	session_timer_start(&m->timer, &m->terms, true, now_ms);
}

bool member_timer_longer(struct member *m, const struct sip_msg *response)
{
	uint32_t least;

	if (!response || response->status != 422 || m->longer_tries >= LONGER_TRIES)
		return false;
	least = session_timer_read_refusal(response, m->min_se_s);
	if (least <= m->expires_s || least > INTERVAL_MAX_S)
		return false;
	m->longer_tries++;
	m->expires_s = m->min_se_s = least;
	return true;
}

static void refresh(void *ctx, uint64_t now_ms)
{
	struct member *m = ctx;
	struct conference *conf = m->conference;
	struct buf contact, more;
	struct im_profile p;
	int rc;

	focus_profile(conf->ctl, &p, view_str(conf->uri));
	buf_init(&contact, 512);
	buf_init(&more, SIP_HEAD_BYTES_MAX);
	im_write_contact(&contact, &p, view_str(conf->uri), true);
	im_write_initial(&more, &p);
	member_timer_offer(m, &more, true);
	rc = buf_ok(&contact) && buf_ok(&more) && m->sdp
		     ? sip_session_reinvite(m->session, buf_view(&contact), buf_view(&more),
					    VIEW("application/sdp"), view_str(m->sdp), now_ms)
		     : E_NOMEM;
	/* An INVITE of his that is under way refreshes by itself. */
	if (rc)
		session_timer_again(&m->timer, AGAIN_MS, now_ms);
	buf_fini(&contact);
	buf_fini(&more);
}

/* A phone that knows neither the timer nor re-INVITEs is there all the same, as its own words say.
 */
static bool is_sign_of_life(const struct member *m, int status)
{
	return !m->knows_timer &&
	       (status == 405 || status == 488 || status == 501 || status == 606);
}

void member_timer_refreshed(struct member *m, const struct sip_msg *response, uint64_t now_ms)
{
	struct session_terms terms = m->terms;

	if (m->state == MEMBER_GONE)
		return;
	if (response->status < 300) {
		m->longer_tries = 0;
		member_timer_read(m, response, true, now_ms);
		/* It answers what it was told before; where that cannot be read, nothing changes.
		 */
		(void)member_read_sdp(m, response->body, true);
	} else if (member_timer_longer(m, response)) {
		refresh(m, now_ms);
	} else if (is_sign_of_life(m, response->status)) {
		terms.by_uac = true;
		session_timer_start(&m->timer, &terms, true, now_ms);
	} else {
		session_timer_again(&m->timer, AGAIN_MS, now_ms);
	}
}

static void expired(void *ctx, uint64_t now_ms)
{
	struct member *m = ctx;
	struct conference *conf = m->conference;

	conference_hold(conf);
	log_line(sip_stack_log(conf->ctl->stack), LOG_INFO, "focus",
		 "%s: the session timer of %s has run out", conf->uri, m->uri);
	sip_session_end(m->session,
			VIEW("Reason: SIP;cause=408;text=\"Session Timer Expired\"\r\n"), now_ms);
	member_leave(m, CONFERENCE_DEPARTED, false, now_ms);
	conference_release(conf);
}

static const struct session_timer_handler handler = {.refresh = refresh, .expired = expired};

void member_timer_init(struct member *m)
{
	const struct controlling *c = m->conference->ctl;

	m->expires_s = c->cfg.session_expires_s;
	m->min_se_s = c->cfg.min_se_s;
	session_timer_init(&m->timer, sip_stack_timers(c->stack), &handler, m);
}
