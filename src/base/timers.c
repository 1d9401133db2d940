#include "base/timers.h"

enum { SLOT_BITS = 6 };
#define SLOT_MASK  ((uint64_t)TIMERS_SLOTS - 1)
#define WHEEL_SPAN ((uint64_t)1 << (SLOT_BITS * TIMERS_LEVELS))

void timers_init(struct timers *q, uint64_t now_ms)
{
	q->now_ms = now_ms;
	q->n = 0;
	for (int l = 0; l < TIMERS_LEVELS; l++) {
		q->occupied[l] = 0;
		for (int s = 0; s < TIMERS_SLOTS; s++)
			list_init(&q->slot[l][s]);
	}
	list_init(&q->due);
}

void timer_init(struct timer *t, void (*fire)(void *ctx, uint64_t now_ms), void *ctx)
{
	list_init(&t->link);
	t->due_ms = 0;
	t->fire = fire;
	t->ctx = ctx;
	t->level = t->slot = 0;
}

static void place(struct timers *q, struct timer *t)
{
	uint64_t diff;
	unsigned level = 0;

	if (t->due_ms <= q->now_ms) {
		t->level = TIMERS_LEVELS;
		list_add_tail(&q->due, &t->link);
		return;
	}
	/* The level is that of the highest digit (base 64) in which due and now differ. */
	diff = t->due_ms ^ q->now_ms;
	while (level + 1 < TIMERS_LEVELS && diff >> (SLOT_BITS * (level + 1)))
		level++;
	t->level = (uint8_t)level;
	t->slot = (uint8_t)((t->due_ms >> (SLOT_BITS * level)) & SLOT_MASK);
	list_add_tail(&q->slot[level][t->slot], &t->link);
	q->occupied[level] |= (uint64_t)1 << t->slot;
}

void timer_arm(struct timers *q, struct timer *t, uint64_t due_ms)
{
	timer_cancel(q, t);
	if (due_ms > q->now_ms && due_ms - q->now_ms >= WHEEL_SPAN / 2)
		due_ms = q->now_ms + WHEEL_SPAN / 2;
	t->due_ms = due_ms;
	q->n++;
	place(q, t);
}

void timer_cancel(struct timers *q, struct timer *t)
{
	if (!timer_armed(t))
		return;
	list_del(&t->link);
	q->n--;
	if (t->level < TIMERS_LEVELS && list_empty(&q->slot[t->level][t->slot]))
		q->occupied[t->level] &= ~((uint64_t)1 << t->slot);
}

/* Start of the earliest occupied slot on a level, seen from now; the slots of a level wrap. */
static uint64_t level_next(const struct timers *q, unsigned level)
{
	unsigned shift = SLOT_BITS * level;
	unsigned at = (unsigned)((q->now_ms >> shift) & SLOT_MASK);
	uint64_t bits = q->occupied[level], turned;
	uint64_t base;

	if (!bits)
		return UINT64_MAX;
	turned = at ? (bits >> at) | (bits << (TIMERS_SLOTS - at)) : bits;
	base = (q->now_ms >> shift) + (uint64_t)__builtin_ctzll(turned);
	return base << shift;
}

static uint64_t wheel_next(const struct timers *q)
{
	uint64_t best = UINT64_MAX;

	for (unsigned l = 0; l < TIMERS_LEVELS; l++) {
		uint64_t x = level_next(q, l);

		if (x < best)
			best = x;
	}
	return best;
}

uint64_t timers_next(const struct timers *q)
{
	return list_empty(&q->due) ? wheel_next(q) : q->now_ms;
}

static void fire_due(struct timers *q)
{
	struct list batch;

	/* What a fire function arms for now goes to the next run, so that no timer can hold
	 * the loop for ever. */
	list_init(&batch);
	while (!list_empty(&q->due)) {
		struct list *l = q->due.next;

		list_del(l);
		list_add_tail(&batch, l);
	}
	while (!list_empty(&batch)) {
		struct timer *t = CONTAINER(batch.next, struct timer, link);

		list_del(&t->link);
		q->n--;
		t->fire(t->ctx, q->now_ms);
	}
}

/* Moves the clock to the start of the slots that begin at time `to`, and brings their
 * timers down a level, or to the due list. */
static void turn(struct timers *q, uint64_t to)
{
	q->now_ms = to;
	for (int l = TIMERS_LEVELS - 1; l >= 0; l--) {
		unsigned shift = SLOT_BITS * (unsigned)l;
		unsigned s = (unsigned)((to >> shift) & SLOT_MASK);
		struct list batch;

		if (!(q->occupied[l] >> s & 1) || (to & (((uint64_t)1 << shift) - 1)))
			continue;
		q->occupied[l] &= ~((uint64_t)1 << s);
		list_init(&batch);
		while (!list_empty(&q->slot[l][s])) {
			struct list *e = q->slot[l][s].next;

			list_del(e);
			list_add_tail(&batch, e);
		}
		while (!list_empty(&batch)) {
			struct timer *t = CONTAINER(batch.next, struct timer, link);

			list_del(&t->link);
			place(q, t);
		}
	}
}

void timers_run(struct timers *q, uint64_t now_ms)
{
	fire_due(q);
	for (;;) {
		uint64_t next = wheel_next(q);

		/* What a fire function armed for now waits in `due`: for the next tick or run. */
		if (next > now_ms)
			break;
		turn(q, next);
		fire_due(q);
	}
	if (now_ms > q->now_ms)
		q->now_ms = now_ms;
}
