/* How many new sessions are refused when the thread has no time left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/core/overload.h"

static unsigned admitted(struct overload *o, unsigned of)
{
	unsigned n = 0;

	for (unsigned i = 0; i < of; i++)
		n += overload_admit(o, false);
	return n;
}

static void windows(struct overload *o, unsigned n, uint64_t idle_ms)
{
	while (n--)
		(void)overload_window(o, idle_ms, OVERLOAD_WINDOW_MS);
}

static void test_who_has_time_refuses_nobody(void **state)
{
	struct overload o;

	(void)state;
	overload_init(&o, 95);
	windows(&o, 100, 20);
	assert_int_equal(admitted(&o, 1000), 1000);
	assert_true(o.refused == 0);
}

static void test_a_burst_is_worked_off(void **state)
{
	struct overload o;

	(void)state;
	overload_init(&o, 95);
	for (int i = 0; i < 20; i++) {
		windows(&o, 4, 0);
		assert_int_equal(admitted(&o, 100), 100);
		windows(&o, 1, 50);
	}
	assert_true(o.refused == 0);
}

static void test_a_process_that_was_stopped_is_not_overloaded(void **state)
{
	struct overload o;

	(void)state;
	overload_init(&o, 95);
	(void)overload_window(&o, 0, 60000);
	assert_int_equal(admitted(&o, 1000), 1000);
}

static void test_lasting_load_is_refused_more_and_more(void **state)
{
	struct overload o;
	unsigned before = 1000;

	(void)state;
	overload_init(&o, 95);
	windows(&o, 4, 0);
	assert_true(overload_window(&o, 0, OVERLOAD_WINDOW_MS));
	assert_false(overload_window(&o, 0, OVERLOAD_WINDOW_MS));
	for (int i = 0; i < 8; i++) {
		unsigned now = admitted(&o, 1000);

		assert_true(now < before);
		before = now;
		windows(&o, 1, 0);
	}
	windows(&o, 20, 0);
	assert_int_equal(admitted(&o, 1000), 0);
	/* And taken in again, step by step. */
	windows(&o, 1, 50);
	assert_in_range(admitted(&o, 1000), 20, 30);
	windows(&o, 100, 50);
	assert_int_equal(admitted(&o, 1000), 1000);
}

/* RFC 6357 §5: what was worked for already is given up last. */
static void test_who_was_challenged_is_refused_less(void **state)
{
	struct overload o;
	unsigned known = 0;

	(void)state;
	overload_init(&o, 95);
	o.shed = 500;
	for (int i = 0; i < 1000; i++)
		known += overload_admit(&o, true);
	assert_int_equal(known, 750);
	assert_int_equal(admitted(&o, 1000), 500);
	assert_true(o.refused == 750);
	/* Where nothing is taken, they are not either. */
	o.shed = 1000;
	assert_false(overload_admit(&o, true));
}

/* A model: each session costs so much work, a refusal a thirtieth, and twice as many come as can be
 * served. What is served stays near what can be. */
static void test_under_twice_the_load_nine_tenths_are_served(void **state)
{
	enum { CAPACITY = 100, REFUSAL = 30, WINDOWS = 600, WARM = 100 };
	struct overload o;
	double backlog = 0;
	unsigned served = 0;

	(void)state;
	overload_init(&o, 95);
	for (int w = 0; w < WINDOWS; w++) {
		unsigned taken = admitted(&o, 2 * CAPACITY);
		double room = CAPACITY, done;

		backlog += taken + (2.0 * CAPACITY - taken) / REFUSAL;
		done = backlog < room ? backlog : room;
		backlog -= done;
		if (w >= WARM)
			served += taken;
		(void)overload_window(&o, (uint64_t)(100 * (room - done) / room), 100);
	}
	assert_in_range(served, (WINDOWS - WARM) * CAPACITY * 9 / 10,
			(WINDOWS - WARM) * CAPACITY * 11 / 10);
	/* And nobody waits for long: the queue has not grown beyond two seconds. */
	assert_true(backlog < 20 * CAPACITY);
}

static void test_switched_off(void **state)
{
	struct overload o;

	(void)state;
	overload_init(&o, 100);
	windows(&o, 1000, 0);
	assert_int_equal(admitted(&o, 1000), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_has_time_refuses_nobody),
		cmocka_unit_test(test_a_burst_is_worked_off),
		cmocka_unit_test(test_a_process_that_was_stopped_is_not_overloaded),
		cmocka_unit_test(test_lasting_load_is_refused_more_and_more),
		cmocka_unit_test(test_who_was_challenged_is_refused_less),
		cmocka_unit_test(test_under_twice_the_load_nine_tenths_are_served),
		cmocka_unit_test(test_switched_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
