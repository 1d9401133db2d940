#include "io/entropy.h"

#include "io/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SAMPLE = 100000 };

/* Each bit of each byte is set about half the time, and each byte value comes up: what a source
 * that is stuck, wiped or half filled would not do. */
static void test_bytes_look_random(void **state)
{
	static unsigned char bytes[SAMPLE];
	struct entropy e = io_entropy();
	unsigned bit[8] = {0}, seen[256] = {0};
	size_t at = 0;

	(void)state;
	/* Odd sizes, across the ends of the pool. */
	for (size_t n = 0; at < SAMPLE; n = (n + 7) % 700) {
		size_t take = n < SAMPLE - at ? n : SAMPLE - at;

		e.fill(e.ctx, bytes + at, take);
		at += take;
	}
	for (size_t i = 0; i < SAMPLE; i++) {
		seen[bytes[i]]++;
		for (unsigned b = 0; b < 8; b++)
			bit[b] += (unsigned)(bytes[i] >> b & 1);
	}
	for (unsigned b = 0; b < 8; b++)
		assert_in_range(bit[b], SAMPLE / 2 - 2000, SAMPLE / 2 + 2000);
	for (unsigned v = 0; v < 256; v++)
		assert_in_range(seen[v], 200, 600);
}

static void run_other(void *ctx)
{
	struct entropy e = io_entropy();

	e.fill(e.ctx, ctx, 64);
}

static void test_no_repetition(void **state)
{
	struct entropy e = io_entropy();
	struct io_thread t;
	char other[64], own[64];
	uint64_t seen[1000];

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		seen[i] = entropy_u64(&e);
		for (size_t k = 0; k < i; k++)
			assert_true(seen[i] != seen[k]);
	}
	e.fill(e.ctx, own, sizeof(own));
	assert_int_equal(io_thread_start(&t, "entropy", run_other, other), 0);
	io_thread_join(&t);
	assert_memory_not_equal(own, other, sizeof(own));
}

static void test_exact_length(void **state)
{
	struct entropy e = io_entropy();
	char text[32];

	(void)state;
	memset(text, '#', sizeof(text));
	e.fill(e.ctx, text, 5);
	for (size_t i = 5; i < sizeof(text); i++)
		assert_int_equal(text[i], '#');
	assert_int_equal(strlen(entropy_token(&e, text, 20)), 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_look_random),
		cmocka_unit_test(test_no_repetition),
		cmocka_unit_test(test_exact_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
