/*
 * Session timers (RFC 4028): what the two sides agree on, and the clock that follows from it. Good
 * for any owner of a dialog: it reads and writes the header fields, and tells when to refresh and
 * when the session is over; the refresh itself (a re-INVITE or UPDATE) and the BYE are the owner's.
 */
#ifndef CONFAB_SIP_SESSION_TIMER_H
#define CONFAB_SIP_SESSION_TIMER_H

#include "base/buf.h"
#include "base/timers.h"
#include "sip/value.h"

enum { SESSION_TIMER_MIN_SE = 90 }; /* seconds: RFC 4028 §5 allows no less */

/* What was agreed. */
struct session_terms {
	uint32_t seconds;  /* 0: no session timer */
	bool by_uac;	   /* whoever sent this request refreshes */
	bool uac_supports; /* "timer" was in Supported (or Require) of the request */
};

/* The request as a UAS sees it (§9). interval: what is wanted here, min_se: the least that is
 * taken; seconds. 0, or 422: answer with session_timer_write_min_se. Where the request leaves the
 * refresher open, it is its sender if he supports the timer.
 */
int session_timer_judge(const struct sip_msg *request, uint32_t interval, uint32_t min_se,
			struct session_terms *out);
/* Session-Expires, and Require where §9 asks for it: for the 2xx. Nothing for terms of 0 seconds.
 */
void session_timer_write_answer(struct buf *b, const struct session_terms *terms);
/* The fields of a request (§7.1, §7.4); refresher: "uac", "uas" or NULL (left open). */
void session_timer_write_offer(struct buf *b, uint32_t interval, uint32_t min_se,
			       const char *refresher);
void session_timer_write_min_se(struct buf *b, uint32_t min_se);
/* The 2xx as a UAC reads it (§7.2). A peer that knows no session timer leaves the refreshing to us.
 */
void session_timer_read_answer(const struct sip_msg *response, uint32_t offered,
			       struct session_terms *out);
/* What a 422 asks for (§7.3): Min-SE, at least `min_se`; 0 where it does not say. */
uint32_t session_timer_read_refusal(const struct sip_msg *response, uint32_t min_se);

struct session_timer_handler {
	/* Half of the time is over, and refreshing is ours (§10). */
	void (*refresh)(void *ctx, uint64_t now_ms);
	/* Nobody has refreshed: the session is to be ended with BYE. */
	void (*expired)(void *ctx, uint64_t now_ms);
};

struct session_timer {
	struct timers *queue;
	struct timer timer;
	const struct session_timer_handler *h;
	void *ctx;
	uint32_t seconds; /* 0: not running */
	bool ours;	  /* we refresh */
	bool asked;	  /* refresh was called */
	uint64_t ends_at_ms;
};

void session_timer_init(struct session_timer *t, struct timers *queue,
			const struct session_timer_handler *h, void *ctx);
/* (Re)starts it with what was agreed by the latest 2xx; uac: we sent the request. Terms of 0
 * seconds stop it. */
void session_timer_start(struct session_timer *t, const struct session_terms *terms, bool uac,
			 uint64_t now_ms);
/* The refresh could not be made now (glare): refresh is called again after that time, if the
 * session lasts. */
void session_timer_again(struct session_timer *t, uint32_t after_ms, uint64_t now_ms);
void session_timer_stop(struct session_timer *t);

#endif
