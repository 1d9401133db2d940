#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_hex(void **state)
{
	const uint8_t bytes[] = {0x00, 0x0f, 0xa0, 0xff, 0x7e};
	char text[12] = "###########";

	(void)state;
	digest_hex(bytes, sizeof(bytes), text);
	assert_string_equal(text, "000fa0ff7e");
	assert_int_equal(text[11], '\0');
	digest_hex(bytes, 0, text);
	assert_string_equal(text, "");
}

static void test_equal(void **state)
{
	(void)state;
	assert_true(digest_equal(VIEW("abc"), VIEW("abc")));
	assert_true(digest_equal(VIEW(""), (struct view){NULL, 0}));
	assert_false(digest_equal(VIEW("abc"), VIEW("abd")));
	assert_false(digest_equal(VIEW("bbc"), VIEW("abc")));
	assert_false(digest_equal(VIEW("abc"), VIEW("abcd")));
	assert_false(digest_equal(VIEW("abc"), VIEW("")));
	/* Two differences do not cancel out. */
	assert_false(digest_equal(VIEW("ab"), VIEW("ba")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
