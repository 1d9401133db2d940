#include "base/timers.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 200 };

struct one {
	struct timer t;
	struct world *w;
	uint64_t due_ms; /* UINT64_MAX: not armed */
	unsigned fired;
	uint64_t fired_ms;
};

/* Timers, and beside them a plain table of what they should do. */
struct world {
	struct timers q;
	struct one one[N];
	uint64_t now_ms;  /* of the run that goes on */
	uint64_t last_ms; /* due time of what fired last in this run */
	unsigned n_fired;
	bool busy; /* fire functions arm and cancel */
	uint64_t random;
};

static uint64_t roll(struct world *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random;
}

static void arm(struct world *w, struct one *o, uint64_t due_ms)
{
	timer_arm(&w->q, &o->t, due_ms);
	o->due_ms = due_ms;
}

static void cancel(struct world *w, struct one *o)
{
	timer_cancel(&w->q, &o->t);
	o->due_ms = UINT64_MAX;
}

/* From 1 ms to some days, each magnitude as likely as the others. */
static uint64_t span(struct world *w)
{
	return roll(w) & (((uint64_t)1 << (roll(w) % 30)) - 1);
}

static void fire(void *ctx, uint64_t now_ms)
{
	struct one *o = ctx;
	struct world *w = o->w;

	assert_true(o->due_ms != UINT64_MAX);
	assert_true(o->due_ms <= w->now_ms);
	assert_false(timer_armed(&o->t));
	assert_true(now_ms <= w->now_ms || w->now_ms < w->q.now_ms);
	assert_true(now_ms >= w->last_ms);
	w->last_ms = now_ms;
	o->due_ms = UINT64_MAX;
	o->fired++;
	o->fired_ms = now_ms;
	w->n_fired++;
	if (!w->busy)
		return;
	/* Re-arms itself, moves another, cancels a third: those may be due in this very batch. */
	if (roll(w) % 2)
		arm(w, o, now_ms + 1 + span(w));
	if (roll(w) % 4 == 0)
		arm(w, &w->one[roll(w) % N], now_ms + span(w));
	if (roll(w) % 4 == 0)
		cancel(w, &w->one[roll(w) % N]);
}

static uint64_t earliest(const struct world *w)
{
	uint64_t best = UINT64_MAX;

	for (size_t i = 0; i < N; i++)
		if (w->one[i].due_ms < best)
			best = w->one[i].due_ms;
	return best;
}

static size_t armed(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < N; i++) {
		assert_int_equal(timer_armed(&w->one[i].t), w->one[i].due_ms != UINT64_MAX);
		n += w->one[i].due_ms != UINT64_MAX;
	}
	return n;
}

static void check_next(const struct world *w)
{
	uint64_t next = timers_next(&w->q), due = earliest(w);

	assert_int_equal(w->q.n, armed(w));
	if (due == UINT64_MAX)
		assert_true(next == UINT64_MAX);
	else
		assert_true(next <= due || next <= w->q.now_ms);
}

static void run(struct world *w, uint64_t now_ms)
{
	w->now_ms = now_ms;
	w->last_ms = 0;
	timers_run(&w->q, now_ms);
}

static struct world *world_new(uint64_t now_ms, uint64_t seed, bool busy)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	timers_init(&w->q, now_ms);
	w->random = seed;
	w->busy = busy;
	for (size_t i = 0; i < N; i++) {
		w->one[i].w = w;
		w->one[i].due_ms = UINT64_MAX;
		timer_init(&w->one[i].t, fire, &w->one[i]);
	}
	return w;
}

static void test_random_against_a_table(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		/* Odd starts: near the places where many digits of the clock turn at once. */
		uint64_t now = (seed % 4 == 0) ? ((uint64_t)1 << 36) - 50 : seed * 4094;
		struct world *w = world_new(now, seed * 0x9e3779b97f4a7c15u, seed % 2);

		for (unsigned step = 0; step < 1500; step++) {
			for (unsigned k = 0; k < 3; k++) {
				struct one *o = &w->one[roll(w) % N];

				/* Some lie in the past already. */
				if (roll(w) % 3)
					arm(w, o, now + span(w) - (roll(w) % 8 == 0 ? 5 : 0));
				else
					cancel(w, o);
			}
			check_next(w);
			/* Small steps, and jumps over much that is due. */
			now += roll(w) % 5 ? roll(w) % 100 : span(w);
			run(w, now);
			/* Those that were armed for the past while firing may wait one run. */
			run(w, now);
			check_next(w);
			if (!w->busy)
				assert_true(earliest(w) > now);
		}
		assert_true(w->n_fired > 1000);
		free(w);
	}
}

/* Sleeps until timers_next each time, as a loop does: nothing may come late. */
static void test_sleeping_until_next_is_never_late(void **state)
{
	struct world *w = world_new(1000, 42, false);
	unsigned wakeups = 0;
	uint64_t due;

	(void)state;
	for (size_t i = 0; i < N; i++)
		arm(w, &w->one[i], 1000 + (roll(w) % ((uint64_t)1 << 33)));
	while ((due = earliest(w)) != UINT64_MAX) {
		uint64_t next = timers_next(&w->q);

		assert_true(next <= due);
		assert_true(next >= w->q.now_ms);
		run(w, next);
		wakeups++;
	}
	for (size_t i = 0; i < N; i++)
		assert_int_equal(w->one[i].fired, 1);
	/* Each timer comes down at most one level per wake-up. */
	assert_true(wakeups <= N * TIMERS_LEVELS);
	free(w);
}

static void test_order(void **state)
{
	struct world *w = world_new(5, 7, false);

	(void)state;
	arm(w, &w->one[0], 9000);
	arm(w, &w->one[1], 70);
	arm(w, &w->one[2], 6);
	arm(w, &w->one[3], 300000);
	run(w, 8999);
	assert_int_equal(w->n_fired, 2);
	assert_true(w->one[2].fired_ms == 6);
	assert_true(w->one[1].fired_ms == 70);
	run(w, 9000);
	assert_true(w->one[0].fired_ms == 9000);
	run(w, 299999);
	assert_int_equal(w->one[3].fired, 0);
	run(w, 300000);
	assert_int_equal(w->one[3].fired, 1);
	free(w);
}

struct repeat {
	struct timer t;
	struct timers *q;
	uint64_t step_ms;
	unsigned n;
};

static void fire_again(void *ctx, uint64_t now_ms)
{
	struct repeat *r = ctx;

	r->n++;
	timer_arm(r->q, &r->t, now_ms + r->step_ms);
}

static void test_re_armed_for_now_does_not_hold_the_loop(void **state)
{
	struct timers q;
	struct repeat r = {.q = &q, .step_ms = 0};

	(void)state;
	timers_init(&q, 100);
	timer_init(&r.t, fire_again, &r);
	timer_arm(&q, &r.t, 100);
	timers_run(&q, 100);
	assert_int_equal(r.n, 1);
	assert_true(timers_next(&q) <= 100);
	timers_run(&q, 100);
	assert_int_equal(r.n, 2);
}

static void test_re_armed_inside_fire_keeps_its_period_over_a_jump(void **state)
{
	struct timers q;
	struct repeat r = {.q = &q, .step_ms = 500};

	(void)state;
	timers_init(&q, 0);
	timer_init(&r.t, fire_again, &r);
	timer_arm(&q, &r.t, 500);
	timers_run(&q, 60000);
	assert_int_equal(r.n, 120);
	assert_true(r.t.due_ms == 60500);
}

static void test_the_clock_may_stand_or_go_back(void **state)
{
	struct world *w = world_new(1000, 7, false);

	(void)state;
	arm(w, &w->one[0], 1001);
	run(w, 1000);
	run(w, 500);
	assert_int_equal(w->n_fired, 0);
	assert_true(timers_next(&w->q) <= 1001);
	run(w, 1001);
	assert_int_equal(w->n_fired, 1);
	free(w);
}

static void test_far_away_is_brought_nearer(void **state)
{
	struct world *w = world_new(1000, 7, false);

	(void)state;
	timer_arm(&w->q, &w->one[0].t, UINT64_MAX);
	assert_true(w->one[0].t.due_ms < UINT64_MAX);
	assert_true(timers_next(&w->q) <= w->one[0].t.due_ms);
	cancel(w, &w->one[0]);
	assert_true(timers_next(&w->q) == UINT64_MAX);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_against_a_table),
		cmocka_unit_test(test_sleeping_until_next_is_never_late),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_re_armed_for_now_does_not_hold_the_loop),
		cmocka_unit_test(test_re_armed_inside_fire_keeps_its_period_over_a_jump),
		cmocka_unit_test(test_the_clock_may_stand_or_go_back),
		cmocka_unit_test(test_far_away_is_brought_nearer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
