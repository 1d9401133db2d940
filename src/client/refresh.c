/* Session timers (RFC 4028): a session that nobody refreshes any more is over, and both sides find
 * that out. Refreshed by UPDATE where the peer lists it (§7.4, IC-8.3.1-3), else by re-INVITE with
 * the same description. */
#include "client/state.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdlib.h>

enum {
	USUAL_S = 1800,
	LONGEST_S = 86400, /* more than that is no interval that anybody lives to see the end of */
	AGAIN_MS = 5000
};

static bool says(const struct sip_msg *m, struct view option)
{
	return sip_msg_lists(m, SIP_H_SUPPORTED, option) || sip_msg_lists(m, SIP_H_REQUIRE, option);
}

static bool knows_update(const struct leg *leg)
{
	return leg_allowed(leg, VIEW("UPDATE")) == ALLOWED_LISTED;
}

static uint32_t wanted(const struct client *c)
{
	uint32_t s = c->cfg.session_expires ? c->cfg.session_expires : USUAL_S;

	return s < SESSION_TIMER_MIN_SE ? SESSION_TIMER_MIN_SE : s;
}

static void expired(void *ctx, uint64_t now_ms)
{
	struct leg *leg = ctx;

	leg->end_status = 408;
	leg->end_text = "the session was not refreshed";
	leg_hang_up(leg, VIEW("Reason: SIP;cause=408;text=\"Session Expired\"\r\n"), now_ms);
	leg_drain(leg, true, now_ms);
}

static void refresh(void *ctx, uint64_t now_ms);

static const struct session_timer_handler handler = {.refresh = refresh, .expired = expired};

void refresh_init(struct leg *leg)
{
	const struct client *c = leg->conversation->client;

	leg->session_expires = wanted(c);
	leg->min_se = SESSION_TIMER_MIN_SE;
	session_timer_init(&leg->timer, c->timers, &handler, leg);
}

void refresh_end(struct leg *leg)
{
	session_timer_stop(&leg->timer);
	if (leg->updating)
		sip_uac_detach(leg->updating);
	leg->updating = NULL;
}

void refresh_write_offer(const struct leg *leg, struct buf *lines)
{
	session_timer_write_offer(lines, leg->session_expires, leg->min_se, NULL);
}

/* §7.4: a refresh asks for what is agreed. */
static void start(struct leg *leg, const struct session_terms *terms, bool uac, uint64_t now_ms)
{
	if (terms->seconds)
		leg->session_expires = terms->seconds < leg->min_se ? leg->min_se : terms->seconds;
	session_timer_start(&leg->timer, terms, uac, now_ms);
}

/* --- our requests --- */

/* A peer who says nothing of it has no session timer. One in the media path of a conference can
 * stand a re-INVITE all the same, and UPDATE harms nobody who knows it; others are left alone. */
static bool worth_refreshing(const struct leg *leg, const struct sip_msg *m)
{
	return sip_msg_has(m, SIP_H_SESSION_EXPIRES) || leg->conference || knows_update(leg);
}

void refresh_answered(struct leg *leg, const struct sip_msg *m, uint64_t now_ms)
{
	struct session_terms terms = {0};

	if (worth_refreshing(leg, m))
		session_timer_read_answer(m, leg->session_expires, &terms);
	start(leg, &terms, true, now_ms);
}

bool refresh_longer(struct leg *leg, const struct sip_msg *m)
{
	uint32_t least = session_timer_read_refusal(m, SESSION_TIMER_MIN_SE);

	if (m->status != 422 || least <= leg->session_expires || least > LONGEST_S)
		return false;
	leg->session_expires = leg->min_se = least;
	return true;
}

/* The final answer to a refresh of ours. */
static void refreshed(struct leg *leg, const struct sip_msg *m, uint64_t now_ms)
{
	if (leg->dialog_over)
		return;
	if (m->status < 300) {
		sip_dialog_refresh(sip_session_dialog(leg->sip), m);
		leg_learn_allow(leg, m);
		refresh_answered(leg, m, now_ms);
	} else if (m->status == 481 || m->status == 408) {
		/* RFC 5057 §5.1: the peer has no such dialog any more. */
		expired(leg, now_ms);
	} else {
		(void)refresh_longer(leg, m);
		session_timer_again(&leg->timer, AGAIN_MS, now_ms);
	}
}

void leg_reinvite_answered(struct leg *leg, const struct sip_msg *m, uint64_t now_ms)
{
	refreshed(leg, m, now_ms);
}

static void on_response(void *ctx, struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	struct leg *leg = ctx;

	if (m->status < 200)
		return;
	sip_uac_detach(uac);
	leg->updating = NULL;
	refreshed(leg, m, now_ms);
}

/* The server may be away for a while: the session lasts until its time is over. */
static void on_failed(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms)
{
	struct leg *leg = ctx;

	(void)error;
	sip_uac_detach(uac);
	leg->updating = NULL;
	session_timer_again(&leg->timer, AGAIN_MS, now_ms);
}

static const struct sip_uac_handler update_handler = {.on_response = on_response,
						      .on_failed = on_failed};

static void write_lines(const struct leg *leg, struct buf *lines)
{
	struct client *c = leg->conversation->client;
	struct im_profile p;

	client_profile(c, &p);
	im_write_initial(lines, &p);
	session_timer_write_offer(lines, leg->session_expires, leg->min_se, "uac");
}

static int send_update(struct leg *leg, struct view contact, struct buf *lines, uint64_t now_ms)
{
	sip_write_field(lines, "Contact", contact);
	if (!buf_ok(lines))
		return E_NOMEM;
	return sip_session_request(leg->sip, VIEW("UPDATE"), buf_view(lines), VIEW(""), VIEW(""),
				   &update_handler, leg, now_ms, &leg->updating);
}

static int send_reinvite(struct leg *leg, struct view contact, struct buf *lines, uint64_t now_ms)
{
	struct buf sdp;
	int rc;

	buf_init(&sdp, SIP_HEAD_BYTES_MAX);
	leg_write_same_offer(leg, &sdp);
	rc = buf_ok(lines) && buf_ok(&sdp)
		     ? sip_session_reinvite(leg->sip, contact, buf_view(lines),
					    VIEW("application/sdp"), buf_view(&sdp), now_ms)
		     : E_NOMEM;
	buf_fini(&sdp);
	return rc;
}

static void refresh(void *ctx, uint64_t now_ms)
{
	struct leg *leg = ctx;
	const struct client *c = leg->conversation->client;
	struct buf lines, contact;
	struct im_profile p;
	int rc;

	client_profile(c, &p);
	buf_init(&lines, SIP_HEAD_BYTES_MAX);
	buf_init(&contact, 1024);
	im_write_contact(&contact, &p, view_str(c->contact), false);
	write_lines(leg, &lines);
	if (!buf_ok(&contact) || leg->updating)
		rc = E_STATE;
	else if (knows_update(leg))
		rc = send_update(leg, buf_view(&contact), &lines, now_ms);
	else
		rc = send_reinvite(leg, buf_view(&contact), &lines, now_ms);
	buf_fini(&lines);
	buf_fini(&contact);
	if (rc)
		session_timer_again(&leg->timer, AGAIN_MS, now_ms);
}

/* --- the peer's --- */

int refresh_judge(const struct client *c, const struct sip_msg *m, struct session_terms *terms)
{
	*terms = (struct session_terms){0};
	if (!sip_msg_has(m, SIP_H_SESSION_EXPIRES) && !says(m, VIEW("timer")))
		return 0;
	return session_timer_judge(m, wanted(c), SESSION_TIMER_MIN_SE, terms);
}

void refresh_agreed(struct leg *leg, const struct session_terms *terms, uint64_t now_ms)
{
	start(leg, terms, false, now_ms);
}

static void accept_update(struct leg *leg, struct sip_server_tx *tx, const struct sip_msg *m,
			  const struct session_terms *terms, struct view sdp, uint64_t now_ms)
{
	const struct client *c = leg->conversation->client;
	struct im_profile p;
	struct buf b;

	client_profile(c, &p);
	buf_init(&b, (size_t)SIP_HEAD_BYTES_MAX * 2);
	sip_write_response_head(&b, m, 200, NULL, VIEW(""));
	buf_puts(&b, "Contact: ");
	im_write_contact(&b, &p, view_str(c->contact), false);
	buf_puts(&b, "\r\n");
	im_write_response(&b, &p);
	session_timer_write_answer(&b, terms);
	sip_write_body(&b, sdp.n ? VIEW("application/sdp") : VIEW(""), sdp);
	sip_dialog_refresh(sip_session_dialog(leg->sip), m);
	if (buf_ok(&b) && sip_server_tx_respond(tx, buf_view(&b), 200, now_ms) == 0)
		refresh_agreed(leg, terms, now_ms);
	buf_fini(&b);
}

void leg_updated(struct leg *leg, struct sip_server_tx *tx, const struct sip_msg *m,
		 uint64_t now_ms)
{
	struct session_terms terms;
	struct buf lines, sdp;
	int status = refresh_judge(leg->conversation->client, m, &terms);

	buf_init(&lines, 64);
	buf_init(&sdp, SIP_HEAD_BYTES_MAX);
	if (status == 422)
		session_timer_write_min_se(&lines, SESSION_TIMER_MIN_SE);
	else if (m->body.n && leg_write_same_answer(leg, m->body, &sdp))
		status = 488;
	if (status)
		(void)sip_server_tx_reply(tx, status, NULL, buf_view(&lines), now_ms);
	else
		accept_update(leg, tx, m, &terms, buf_view(&sdp), now_ms);
	buf_fini(&lines);
	buf_fini(&sdp);
}
