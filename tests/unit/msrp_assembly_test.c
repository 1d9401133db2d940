/* msrp/assembly.h: chunks of a message in any order, against a plain array as the model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/error.h"
#include "msrp/assembly.h"

#include <stdio.h>
#include <stdlib.h>

static int chunk(struct msrp_assembly *m, const char *text, size_t start, size_t n, uint64_t total,
		 char flag)
{
	int rc = msrp_assembly_begin(m, start, total);

	for (size_t i = 0; !rc && i < n; i += 7)
		rc = msrp_assembly_put(m, view_of(text + start - 1 + i, n - i < 7 ? n - i : 7));
	return rc ? rc : msrp_assembly_end(m, flag);
}

static void test_RFC4975_7_3_1__every_order_of_chunks(void **state)
{
	unsigned seed = 20260101;
	char text[500];

	(void)state;
	printf("seed %u\n", seed);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)rand_r(&seed);
	for (int round = 0; round < 300; round++) {
		struct msrp_assembly m;
		size_t start[40], n = 0, at = 1;
		struct view whole = {0};

		msrp_assembly_init(&m, sizeof(text));
		while (at <= sizeof(text) && n < 39) {
			start[n++] = at;
			at += 1 + (size_t)rand_r(&seed) % 60;
		}
		start[n] = sizeof(text) + 1;
		for (size_t left = n; left; left--) {
			/* One of those that are left, and sometimes one that came before. */
			size_t pick = (size_t)rand_r(&seed) % left, end = 0;
			size_t from = start[pick];
			size_t again = left < n ? left + (size_t)rand_r(&seed) % (n - left) : pick;
			bool last;

			for (size_t i = 0; i <= n; i++)
				if (start[i] > from && (!end || start[i] < end))
					end = start[i];
			if (!end)
				end = sizeof(text) + 1;
			last = end == sizeof(text) + 1;
			assert_false(msrp_assembly_complete(&m, &whole));
			assert_int_equal(chunk(&m, text, from, end - from,
					       rand_r(&seed) & 1 ? MSRP_UNKNOWN : sizeof(text),
					       last ? '$' : '+'),
					 0);
			start[pick] = start[left - 1];
			start[left - 1] = from;
			if (again != pick && left > 1 && left < n)
				assert_int_equal(
					chunk(&m, text, start[again], 1, MSRP_UNKNOWN, '+'), 0);
		}
		assert_true(msrp_assembly_complete(&m, &whole));
		assert_int_equal(whole.n, sizeof(text));
		assert_memory_equal(whole.p, text, sizeof(text));
		msrp_assembly_fini(&m);
	}
}

static void test_repetitions_cut_anywhere(void **state)
{
	unsigned seed = 20260102;
	char text[300];

	(void)state;
	printf("seed %u\n", seed);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)rand_r(&seed);
	for (int round = 0; round < 300; round++) {
		struct msrp_assembly m;
		struct view whole = {0};
		bool seen[sizeof(text)] = {false}, last = false, all = false;

		msrp_assembly_init(&m, sizeof(text));
		while (!all || !last) {
			size_t start = (size_t)rand_r(&seed) % sizeof(text);
			size_t n = 1 + (size_t)rand_r(&seed) % 70;
			bool end;

			assert_false(msrp_assembly_complete(&m, &whole));
			if (n > sizeof(text) - start)
				n = sizeof(text) - start;
			end = start + n == sizeof(text);
			last = last || end;
			assert_int_equal(
				chunk(&m, text, start + 1, n, MSRP_UNKNOWN, end ? '$' : '+'), 0);
			memset(seen + start, true, n);
			all = !memchr(seen, false, sizeof(seen));
		}
		assert_true(msrp_assembly_complete(&m, &whole));
		assert_int_equal(whole.n, sizeof(text));
		assert_memory_equal(whole.p, text, sizeof(text));
		msrp_assembly_fini(&m);
	}
}

static void test_empty_message(void **state)
{
	struct msrp_assembly m;
	struct view whole;

	(void)state;
	msrp_assembly_init(&m, 10);
	assert_int_equal(chunk(&m, "", 1, 0, 0, '+'), 0);
	assert_false(msrp_assembly_complete(&m, &whole));
	assert_int_equal(chunk(&m, "", 1, 0, MSRP_UNKNOWN, '$'), 0);
	assert_true(msrp_assembly_complete(&m, &whole));
	assert_int_equal(whole.n, 0);
	msrp_assembly_fini(&m);
}

static void test_limits_and_nonsense(void **state)
{
	struct msrp_assembly m;
	static const char text[] = "0123456789abcdefghij";

	(void)state;
	msrp_assembly_init(&m, 10);
	assert_int_equal(chunk(&m, text, 1, 11, MSRP_UNKNOWN, '+'), E_LIMIT);
	msrp_assembly_fini(&m);
	msrp_assembly_init(&m, 10);
	assert_int_equal(chunk(&m, text, 1, 1, 11, '+'), E_LIMIT);
	assert_int_equal(msrp_assembly_begin(&m, 0, MSRP_UNKNOWN), E_RANGE);
	assert_int_equal(msrp_assembly_begin(&m, 12, MSRP_UNKNOWN), E_LIMIT);
	assert_int_equal(msrp_assembly_begin(&m, UINT64_MAX / 2, MSRP_UNKNOWN), E_LIMIT);
	assert_int_equal(chunk(&m, text, 8, 3, MSRP_UNKNOWN, '+'), 0);
	assert_int_equal(chunk(&m, "abcdefghij", 1, 8, MSRP_UNKNOWN, '+'), E_RANGE);
	msrp_assembly_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC4975_7_3_1__every_order_of_chunks),
		cmocka_unit_test(test_repetitions_cut_anywhere),
		cmocka_unit_test(test_empty_message),
		cmocka_unit_test(test_limits_and_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
