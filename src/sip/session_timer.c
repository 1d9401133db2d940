#include "sip/session_timer.h"

#include "sip/write.h"

enum {
	BYE_EARLY_S = 32
}; /* §10: the other side sends BYE so long before the end, or a third of the interval */

static bool supports(const struct sip_msg *m)
{
	return sip_msg_lists(m, SIP_H_SUPPORTED, VIEW("timer")) ||
	       sip_msg_lists(m, SIP_H_REQUIRE, VIEW("timer"));
}

static uint32_t seconds_of(const struct sip_msg *m, enum sip_header_id id)
{
	struct view v = sip_msg_value(m, id), number = v;
	uint32_t s;

	number = view_trim(view_cut(&number, ';'));
	return v.n && view_to_u32(number, &s) == 0 ? s : 0;
}

int session_timer_judge(const struct sip_msg *request, uint32_t interval, uint32_t min_se,
			struct session_terms *out)
{
	struct session_terms t = {.seconds = interval, .uac_supports = supports(request)};
	struct sip_session_expires asked = {0};
	uint32_t least = seconds_of(request, SIP_H_MIN_SE);
	bool asks = sip_msg_has(request, SIP_H_SESSION_EXPIRES) &&
		    sip_session_expires_parse(sip_msg_value(request, SIP_H_SESSION_EXPIRES),
					      &asked) == 0;

	/* Only who knows 422 can be told so (§9). */
	if (asks && asked.seconds < min_se && t.uac_supports)
		return 422;
	/* The answer may be lower than what is asked for, and no lower than Min-SE. */
	if (asks && asked.seconds < t.seconds)
		t.seconds = asked.seconds;
	if (t.seconds < least)
		t.seconds = asks && asked.seconds > least ? asked.seconds : least;
	if (t.seconds < min_se)
		t.seconds = min_se;
	/* Table 2 of §9. */
	t.by_uac = t.uac_supports && asked.refresher != SIP_REFRESHER_UAS;
	*out = t;
	return 0;
}

void session_timer_write_answer(struct buf *b, const struct session_terms *terms)
{
	if (!terms->seconds)
		return;
	/* Who supports no timer need not be told of it, but proxies on the way may read it. */
	sip_write_fieldf(b, "Session-Expires", "%u;refresher=%s", terms->seconds,
			 terms->by_uac ? "uac" : "uas");
	if (terms->by_uac)
		sip_write_field(b, "Require", VIEW("timer"));
}

void session_timer_write_offer(struct buf *b, uint32_t interval, uint32_t min_se,
			       const char *refresher)
{
	if (!interval)
		return;
	sip_write_fieldf(b, "Session-Expires", "%u%s%s", interval, refresher ? ";refresher=" : "",
			 refresher ? refresher : "");
	session_timer_write_min_se(b, min_se);
}

void session_timer_write_min_se(struct buf *b, uint32_t min_se)
{
	sip_write_fieldf(b, "Min-SE", "%u", min_se);
}

void session_timer_read_answer(const struct sip_msg *response, uint32_t offered,
			       struct session_terms *out)
{
	struct sip_session_expires se;

	*out = (struct session_terms){.seconds = offered, .by_uac = true, .uac_supports = true};
	if (!sip_msg_has(response, SIP_H_SESSION_EXPIRES) ||
	    sip_session_expires_parse(sip_msg_value(response, SIP_H_SESSION_EXPIRES), &se))
		return;
	out->seconds = se.seconds < SESSION_TIMER_MIN_SE ? SESSION_TIMER_MIN_SE : se.seconds;
	out->by_uac = se.refresher != SIP_REFRESHER_UAS;
}

uint32_t session_timer_read_refusal(const struct sip_msg *response, uint32_t min_se)
{
	uint32_t s = seconds_of(response, SIP_H_MIN_SE);

	return s && s < min_se ? min_se : s;
}

static void fire(void *ctx, uint64_t now_ms)
{
	struct session_timer *t = ctx;

	if (t->ours && now_ms < t->ends_at_ms) {
		t->asked = true;
		timer_arm(t->queue, &t->timer, t->ends_at_ms);
		t->h->refresh(t->ctx, now_ms);
		return;
	}
	t->seconds = 0;
	t->h->expired(t->ctx, now_ms);
}

void session_timer_init(struct session_timer *t, struct timers *queue,
			const struct session_timer_handler *h, void *ctx)
{
	*t = (struct session_timer){.queue = queue, .h = h, .ctx = ctx};
	timer_init(&t->timer, fire, t);
}

void session_timer_start(struct session_timer *t, const struct session_terms *terms, bool uac,
			 uint64_t now_ms)
{
	uint64_t whole = (uint64_t)terms->seconds * 1000, early = (uint64_t)BYE_EARLY_S * 1000;

	session_timer_stop(t);
	if (!terms->seconds)
		return;
	t->seconds = terms->seconds;
	t->ours = terms->by_uac == uac;
	t->asked = false;
	if (early > whole / 3)
		early = whole / 3;
	t->ends_at_ms = now_ms + whole - early;
	timer_arm(t->queue, &t->timer, t->ours ? now_ms + whole / 2 : t->ends_at_ms);
}

void session_timer_again(struct session_timer *t, uint32_t after_ms, uint64_t now_ms)
{
	if (t->seconds && t->ours && now_ms + after_ms < t->ends_at_ms)
		timer_arm(t->queue, &t->timer, now_ms + after_ms);
}

void session_timer_stop(struct session_timer *t)
{
	timer_cancel(t->queue, &t->timer);
	t->seconds = 0;
}
