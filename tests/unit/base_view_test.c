#include "base/view.h"

#include "base/error.h"
#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_view(struct view v, const char *want)
{
	assert_int_equal(v.n, strlen(want));
	if (v.n)
		assert_memory_equal(v.p, want, v.n);
}

static void test_parts(void **state)
{
	struct view v = VIEW("hello"), none = {NULL, 0};

	(void)state;
	assert_view(view_from(v, 2), "llo");
	assert_view(view_from(v, 5), "");
	assert_view(view_from(v, 6), "");
	assert_view(view_first(v, 2), "he");
	assert_view(view_first(v, 9), "hello");
	assert_view(view_from(none, 0), "");
	assert_view(view_from(none, 3), "");
	assert_view(view_first(none, 3), "");
	assert_view(view_str(NULL), "");
	assert_true(view_empty(none));
	assert_false(view_empty(v));
}

static void test_comparisons(void **state)
{
	(void)state;
	assert_true(view_eq(VIEW("ab"), VIEW("ab")));
	assert_false(view_eq(VIEW("ab"), VIEW("aB")));
	assert_false(view_eq(VIEW("ab"), VIEW("abc")));
	assert_true(view_eq((struct view){NULL, 0}, VIEW("")));
	assert_true(view_eq_nocase(VIEW("Call-ID"), VIEW("cALL-id")));
	/* '@' and '`' differ from letters by the same bit as upper from lower case. */
	assert_false(view_eq_nocase(VIEW("@"), VIEW("`")));
	assert_false(view_eq_nocase(VIEW("["), VIEW("{")));
	assert_false(view_eq_nocase(VIEW("\xc4"), VIEW("\xe4")));
	assert_true(view_cmp(VIEW("a"), VIEW("b")) < 0);
	assert_true(view_cmp(VIEW("b"), VIEW("a")) > 0);
	assert_true(view_cmp(VIEW("a"), VIEW("ab")) < 0);
	assert_true(view_cmp(VIEW("ab"), VIEW("a")) > 0);
	assert_int_equal(view_cmp(VIEW("ab"), VIEW("ab")), 0);
	assert_int_equal(view_cmp((struct view){NULL, 0}, VIEW("")), 0);
	assert_true(view_cmp(VIEW("\xff"), VIEW("a")) > 0);
}

static void test_prefixes_and_suffixes(void **state)
{
	(void)state;
	assert_true(view_starts(VIEW("sip:a"), VIEW("sip:")));
	assert_false(view_starts(VIEW("SIP:a"), VIEW("sip:")));
	assert_false(view_starts(VIEW("sip"), VIEW("sip:")));
	assert_true(view_starts(VIEW("sip"), VIEW("")));
	assert_true(view_starts_nocase(VIEW("SIP:a"), VIEW("sip:")));
	assert_false(view_starts_nocase(VIEW("SI"), VIEW("sip:")));
	assert_true(view_ends(VIEW("a.txt"), VIEW(".txt")));
	assert_false(view_ends(VIEW("txt"), VIEW(".txt")));
	assert_false(view_ends(VIEW("a.txT"), VIEW(".txt")));
}

static void test_find(void **state)
{
	struct view v = VIEW("a,b,c");

	(void)state;
	assert_int_equal(view_find(v, ',', 0), 1);
	assert_int_equal(view_find(v, ',', 2), 3);
	assert_int_equal(view_find(v, ',', 4), 5);
	assert_int_equal(view_find(v, ',', 99), 5);
	assert_int_equal(view_find((struct view){NULL, 0}, ',', 0), 0);
	assert_int_equal(view_find_view(v, VIEW("b,"), 0), 2);
	assert_int_equal(view_find_view(v, VIEW(",c"), 2), 3);
	assert_int_equal(view_find_view(v, VIEW("c,"), 0), 5);
	assert_int_equal(view_find_view(v, VIEW("a,b,c,"), 0), 5);
	assert_int_equal(view_find_view(v, VIEW(""), 2), 2);
	assert_int_equal(view_find_view(v, VIEW(""), 9), 5);
	/* A partial match must not hide the whole one that overlaps it. */
	assert_int_equal(view_find_view(VIEW("\r\n\r\r\n\r\n"), VIEW("\r\n\r\n"), 0), 3);
}

static void test_find_does_not_read_past_the_end(void **state)
{
	struct view v = view_of(guard_copy("aaab", 4), 4);

	(void)state;
	assert_int_equal(view_find(v, 'c', 0), 4);
	assert_int_equal(view_find_view(v, VIEW("bc"), 0), 4);
	assert_int_equal(view_find_view(v, VIEW("ab"), 0), 2);
	assert_view(view_trim(view_of(guard_copy("  \t", 3), 3)), "");
}

static void test_trim_and_cut(void **state)
{
	struct view rest = VIEW("a;b;;c"), none = {NULL, 0};

	(void)state;
	assert_view(view_trim(VIEW(" \t\r\n a b \r\n ")), "a b");
	assert_view(view_trim(VIEW("")), "");
	assert_view(view_trim(VIEW("a")), "a");
	assert_view(view_cut(&rest, ';'), "a");
	assert_view(view_cut(&rest, ';'), "b");
	assert_view(view_cut(&rest, ';'), "");
	assert_view(rest, "c");
	assert_view(view_cut(&rest, ';'), "c");
	assert_view(rest, "");
	assert_view(view_cut(&rest, ';'), "");
	assert_view(view_cut(&none, ';'), "");
}

static void test_numbers(void **state)
{
	uint64_t x = 7;
	uint32_t y = 7;

	(void)state;
	assert_int_equal(view_to_u64(VIEW("18446744073709551615"), &x), 0);
	assert_true(x == UINT64_MAX);
	assert_int_equal(view_to_u64(VIEW("0000000000000000000000012"), &x), 0);
	assert_true(x == 12);
	assert_int_equal(view_to_u64(VIEW("18446744073709551616"), &x), E_RANGE);
	assert_int_equal(view_to_u64(VIEW("99999999999999999999"), &x), E_RANGE);
	assert_int_equal(view_to_u64(VIEW(""), &x), E_SYNTAX);
	assert_int_equal(view_to_u64(VIEW("-1"), &x), E_SYNTAX);
	assert_int_equal(view_to_u64(VIEW("+1"), &x), E_SYNTAX);
	assert_int_equal(view_to_u64(VIEW("1 "), &x), E_SYNTAX);
	assert_int_equal(view_to_u64(VIEW("0x1"), &x), E_SYNTAX);
	assert_true(x == 12);
	assert_int_equal(view_to_u32(VIEW("4294967295"), &y), 0);
	assert_true(y == UINT32_MAX);
	assert_int_equal(view_to_u32(VIEW("4294967296"), &y), E_RANGE);
	assert_int_equal(view_to_u32(VIEW("1a"), &y), E_SYNTAX);
	assert_true(y == UINT32_MAX);
}

static void test_copies(void **state)
{
	char dst[4] = "zzz";
	char *s;

	(void)state;
	assert_true(view_copy(VIEW("abc"), dst, sizeof(dst)));
	assert_string_equal(dst, "abc");
	assert_false(view_copy(VIEW("defg"), dst, sizeof(dst)));
	assert_string_equal(dst, "def");
	assert_true(view_copy((struct view){NULL, 0}, dst, sizeof(dst)));
	assert_string_equal(dst, "");
	dst[0] = 'q';
	assert_false(view_copy(VIEW("abc"), dst, 0));
	assert_int_equal(dst[0], 'q');
	s = view_dup(view_first(VIEW("hello"), 2));
	assert_string_equal(s, "he");
	free(s);
	s = view_dup((struct view){NULL, 0});
	assert_string_equal(s, "");
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_comparisons),
		cmocka_unit_test(test_prefixes_and_suffixes),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_does_not_read_past_the_end),
		cmocka_unit_test(test_trim_and_cut),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
