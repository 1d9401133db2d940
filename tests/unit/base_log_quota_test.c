#include "base/log_quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct log_kind broken = {LOG_INFO, "sip", "broken messages"};

struct sink {
	char last[256];
	unsigned n;
};

static void take(void *ctx, enum log_level level, const char *room, const char *text)
{
	struct sink *s = ctx;

	assert_int_equal(level, LOG_INFO);
	assert_string_equal(room, "sip");
	assert_true(strlen(text) < sizeof(s->last));
	strcpy(s->last, text);
	s->n++;
}

/* So many things happen at that time; how many lines came of them. */
static unsigned flood(struct log_quota *q, const struct log *log, unsigned n, uint64_t now_ms)
{
	unsigned taken = 0;

	while (n--)
		taken += log_quota_take(q, log, &broken, now_ms);
	return taken;
}

static void test_one_below_at_and_above_the_quota(void **state)
{
	struct sink s = {.n = 0};
	struct log log = {LOG_INFO, take, &s};
	struct log_quota q = {0};

	(void)state;
	assert_int_equal(flood(&q, &log, LOG_QUOTA_LINES - 1, 5000), LOG_QUOTA_LINES - 1);
	assert_int_equal(flood(&q, &log, 1, 5000), 1);
	assert_int_equal(flood(&q, &log, 1, 5000), 0);
	assert_int_equal(flood(&q, &log, 5, 5000 + LOG_QUOTA_MS - 1), 0);
	/* Nothing is said while it goes on. */
	assert_int_equal(s.n, 0);
}

static void test_how_many_there_were_is_said_with_the_next(void **state)
{
	struct sink s = {.n = 0};
	struct log log = {LOG_INFO, take, &s};
	struct log_quota q = {0};

	(void)state;
	assert_int_equal(flood(&q, &log, LOG_QUOTA_LINES + 1000, 5000), LOG_QUOTA_LINES);
	assert_int_equal(flood(&q, &log, LOG_QUOTA_LINES + 1, 5000 + LOG_QUOTA_MS),
			 LOG_QUOTA_LINES);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.last, "1000 more broken messages were not logged");
	/* At the end, what is left; and once. */
	log_quota_tell(&q, &log, &broken);
	log_quota_tell(&q, &log, &broken);
	assert_int_equal(s.n, 2);
	assert_string_equal(s.last, "1 more broken messages were not logged");
}

static void test_a_line_now_and_then_is_always_written(void **state)
{
	struct sink s = {.n = 0};
	struct log log = {LOG_INFO, take, &s};
	struct log_quota q = {0};

	(void)state;
	for (uint64_t now = 0; now < 100 * (uint64_t)LOG_QUOTA_MS; now += LOG_QUOTA_MS / 10)
		assert_int_equal(flood(&q, &log, 1, now), 1);
	assert_int_equal(s.n, 0);
}

static void test_what_no_log_takes_is_not_counted(void **state)
{
	struct sink s = {.n = 0};
	struct log log = {LOG_WARN, take, &s};
	struct log_quota q = {0};

	(void)state;
	assert_int_equal(flood(&q, NULL, 100, 0), 0);
	assert_int_equal(flood(&q, &log, 100, 0), 0);
	log_quota_tell(&q, &log, &broken);
	log.level = LOG_DEBUG;
	assert_int_equal(flood(&q, &log, 1, 0), 1);
	assert_int_equal(s.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_below_at_and_above_the_quota),
		cmocka_unit_test(test_how_many_there_were_is_said_with_the_next),
		cmocka_unit_test(test_a_line_now_and_then_is_always_written),
		cmocka_unit_test(test_what_no_log_takes_is_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
