/*
 * Timer queue: a hierarchical wheel with one-millisecond ticks. Arming and
 * cancelling cost the same at any number of timers; nothing is ever scanned but
 * the slots that are due. Time is handed in, in ms of any monotonic clock.
 */
#ifndef CONFAB_BASE_TIMERS_H
#define CONFAB_BASE_TIMERS_H

#include "base/list.h"

#include <stdint.h>

enum { TIMERS_LEVELS = 6, TIMERS_SLOTS = 64 };

struct timer {
	struct list link;
	uint64_t due_ms;
	void (*fire)(void *ctx, uint64_t now_ms);
	void *ctx;
	uint8_t level, slot;
};

struct timers {
	uint64_t now_ms;
	uint64_t occupied[TIMERS_LEVELS]; /* a bit per slot that may hold a timer */
	struct list slot[TIMERS_LEVELS][TIMERS_SLOTS];
	struct list due;
	size_t n;
};

void timers_init(struct timers *q, uint64_t now_ms);
/* Makes t a timer that is not armed. Call once before anything else. */
void timer_init(struct timer *t, void (*fire)(void *ctx, uint64_t now_ms), void *ctx);
static inline bool timer_armed(const struct timer *t)
{
	return !list_empty(&t->link);
}
/* Arms or re-arms; a due time in the past fires at the next timers_run. Due times beyond
 * a year (2^35 ms) are brought nearer. */
void timer_arm(struct timers *q, struct timer *t, uint64_t due_ms);
/* Safe on a timer that is not armed. */
void timer_cancel(struct timers *q, struct timer *t);
/* A time not after the earliest deadline (so that a caller who sleeps until then misses
 * nothing), UINT64_MAX when none is armed. */
uint64_t timers_next(const struct timers *q);
/* Fires all that is due at now_ms, in order of their due times up to a tick. A fire function
 * may arm and cancel any timer, itself included. */
void timers_run(struct timers *q, uint64_t now_ms);

#endif
