#include "base/buf.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_text(const struct buf *b, const char *want)
{
	assert_true(buf_ok(b));
	assert_int_equal(b->n, strlen(want));
	assert_memory_equal(b->p, want, b->n);
}

static void test_puts(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_put(&b, VIEW("ab"));
	buf_put(&b, (struct view){NULL, 0});
	buf_puts(&b, "cd");
	buf_putc(&b, '-');
	buf_put_u64(&b, 0);
	buf_putc(&b, ' ');
	buf_put_u64(&b, UINT64_MAX);
	buf_putf(&b, " %s=%d", "x", -3);
	assert_text(&b, "abcd-0 18446744073709551615 x=-3");
	buf_fini(&b);
}

static void test_cap_is_exact(void **state)
{
	struct buf b;

	(void)state;
	for (size_t cap = 1; cap < 1200; cap += 7) {
		buf_init(&b, cap);
		for (size_t i = 0; i < cap; i++)
			buf_putc(&b, 'x');
		assert_true(buf_ok(&b));
		assert_int_equal(b.n, cap);
		buf_putc(&b, 'y');
		assert_false(buf_ok(&b));
		assert_int_equal(b.n, cap);
		buf_fini(&b);
	}
}

static void test_formatted_text_may_fill_the_cap(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	buf_putf(&b, "%s", "12345");
	assert_text(&b, "12345");
	buf_putf(&b, "%s", "");
	assert_true(buf_ok(&b));
	buf_putf(&b, "%s", "6");
	assert_false(buf_ok(&b));
	buf_fini(&b);
	buf_init(&b, 300);
	buf_putf(&b, "%300s", "");
	assert_true(buf_ok(&b));
	assert_int_equal(b.n, 300);
	buf_fini(&b);
}

static void test_failure_is_sticky_until_reset(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_puts(&b, "abc");
	buf_puts(&b, "de");
	assert_false(buf_ok(&b));
	buf_putc(&b, 'f');
	buf_putf(&b, "g");
	assert_int_equal(b.n, 3);
	assert_int_equal(buf_reserve(&b, 1), E_LIMIT);
	buf_reset(&b);
	buf_puts(&b, "wxyz");
	assert_text(&b, "wxyz");
	buf_fini(&b);
}

static void test_reserve(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), E_LIMIT);
	buf_reset(&b);
	assert_int_equal(buf_reserve(&b, 9000), 0);
	assert_true(b.size >= 9000);
	assert_int_equal(b.n, 0);
	buf_fini(&b);
	buf_init(&b, SIZE_MAX);
	buf_puts(&b, "abc");
	assert_int_equal(buf_reserve(&b, SIZE_MAX - 2), E_LIMIT);
	buf_fini(&b);
}

static void test_drop(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_drop(&b, 3);
	buf_puts(&b, "abcdef");
	buf_drop(&b, 2);
	assert_text(&b, "cdef");
	buf_drop(&b, 0);
	assert_text(&b, "cdef");
	buf_drop(&b, 99);
	assert_int_equal(b.n, 0);
	buf_fini(&b);
}

static void test_take(void **state)
{
	struct buf b;
	size_t n = 77;
	char *p;

	(void)state;
	buf_init(&b, 10);
	assert_null(buf_take(&b, &n));
	assert_int_equal(n, 77);
	buf_puts(&b, "abc");
	p = buf_take(&b, &n);
	assert_int_equal(n, 3);
	assert_memory_equal(p, "abc", 3);
	free(p);
	assert_int_equal(b.n, 0);
	buf_puts(&b, "0123456789a");
	assert_null(buf_take(&b, &n));
	buf_reset(&b);
	buf_puts(&b, "de");
	assert_text(&b, "de");
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_puts),
		cmocka_unit_test(test_cap_is_exact),
		cmocka_unit_test(test_formatted_text_may_fill_the_cap),
		cmocka_unit_test(test_failure_is_sticky_until_reset),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
