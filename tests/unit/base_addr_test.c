#include "base/addr.h"

#include "base/error.h"
#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static int parse(const char *text, struct addr *out)
{
	size_t n = strlen(text);

	return addr_parse(view_of(guard_copy(text, n), n), 5060, out);
}

static int parse_hostport(const char *text, struct addr *out)
{
	size_t n = strlen(text);

	return addr_parse_hostport(view_of(guard_copy(text, n), n), 5060, out);
}

static void test_parse_reads_what_text_writes(void **state)
{
	static const char *const good[][2] = {
		{"192.0.2.1", "192.0.2.1"},
		{"0.0.0.0", "0.0.0.0"},
		{"2001:db8::1", "[2001:db8::1]"},
		{"[2001:DB8:0::1]", "[2001:db8::1]"},
		{"::", "[::]"},
		{"::ffff:192.0.2.1", "[::ffff:192.0.2.1]"},
		{"[2001:db8:::192.0.2.1]", "[2001:db8::c000:201]"}, /* RFC 5118 §4.10 */
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]"},
	};
	char text[ADDR_TEXT_MAX], want[ADDR_TEXT_MAX + 8];
	struct addr a, b;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(parse(good[i][0], &a), 0);
		assert_int_equal(a.port, 5060);
		assert_string_equal(addr_host(&a, text), good[i][1]);
		strcat(strcpy(want, good[i][1]), ":5060");
		assert_string_equal(addr_text(&a, text), want);
		assert_int_equal(parse_hostport(text, &b), 0);
		assert_true(addr_eq(&a, &b));
	}
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"[",
		"]",
		"example.com",
		"192.0.2",
		"192.0.2.",
		"192.0.2.256",
		"192.0.2.1.1",
		"[192.0.2.1]",
		":::",
		"2001:db8:::1",
		"2001:::db8:::192.0.2.1",
		"2001:db8::1::2",
		"[::1",
		"::1]",
		"fe80::1%eth0",
		" 192.0.2.1",
		"192.0.2.1 ",
		"0x7f000001",
		"1:2:3:4:5:6:7:8:9",
		"192.0.2.1:5060",
		"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
	};
	struct addr a = {.family = 99}, same = a;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse(bad[i], &a), E_SYNTAX);
		assert_memory_equal(&a, &same, sizeof(a));
	}
	assert_int_equal(addr_parse(view_of("192.0.2.1\0", 10), 1, &a), E_SYNTAX);
	assert_int_equal(addr_parse(view_of("192.0.2.1\0x", 11), 1, &a), E_SYNTAX);
}

static void test_hostport(void **state)
{
	struct addr a;

	(void)state;
	assert_int_equal(parse_hostport("192.0.2.1", &a), 0);
	assert_int_equal(a.port, 5060);
	assert_int_equal(parse_hostport("192.0.2.1:65535", &a), 0);
	assert_int_equal(a.port, 65535);
	assert_int_equal(parse_hostport("[::1]", &a), 0);
	assert_int_equal(a.port, 5060);
	assert_int_equal(parse_hostport("[::1]:0", &a), 0);
	assert_int_equal(a.port, 0);
	/* Without brackets the last group is no port. */
	assert_int_equal(parse_hostport("::1:99", &a), 0);
	assert_int_equal(a.port, 5060);
	assert_int_equal(a.ip[15], 0x99);
}

static void test_hostport_refuses(void **state)
{
	static const char *const bad[] = {"",	     ":5060",	    "192.0.2.1:",  "192.0.2.1:x",
					  "[::1",    "[::1]5060",   "[::1]:",	   "[::1]:-1",
					  "[::1]x:", "localhost:1", "192.0.2.1:5 "};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse_hostport(bad[i], &a), E_SYNTAX);
	assert_int_equal(parse_hostport("192.0.2.1:65536", &a), E_RANGE);
	assert_int_equal(parse_hostport("[::1]:65536", &a), E_RANGE);
}

static void test_comparisons(void **state)
{
	struct addr a, b;

	(void)state;
	assert_int_equal(parse_hostport("192.0.2.1:1", &a), 0);
	assert_int_equal(parse_hostport("192.0.2.1:2", &b), 0);
	assert_true(addr_same_host(&a, &b));
	assert_false(addr_eq(&a, &b));
	b.port = 1;
	assert_true(addr_eq(&a, &b));
	/* Bytes that an IPv4 address does not use do not count. */
	b.ip[9] = 1;
	assert_true(addr_eq(&a, &b));
	b.ip[3] = 2;
	assert_false(addr_same_host(&a, &b));
	assert_int_equal(parse("::ffff:192.0.2.1", &b), 0);
	assert_false(addr_same_host(&a, &b));
	assert_int_equal(parse("0.0.0.0", &a), 0);
	assert_true(addr_is_any(&a));
	assert_int_equal(parse("::", &a), 0);
	assert_true(addr_is_any(&a));
	assert_int_equal(parse("::1", &a), 0);
	assert_false(addr_is_any(&a));
	a = (struct addr){0};
	assert_false(addr_is_any(&a));
}

static void test_one_host_or_many(void **state)
{
	static const struct {
		const char *host;
		bool one;
	} t[] = {
		{"192.0.2.1", true},   {"127.0.0.1", true},	   {"223.255.255.255", true},
		{"0.0.0.0", false},    {"0.1.2.3", false},	   {"224.0.0.1", false},
		{"239.1.1.1", false},  {"255.255.255.255", false}, {"::1", true},
		{"2001:db8::1", true}, {"fe80::1", true},	   {"::", false},
		{"ff02::1", false},    {"ff05::1:3", false},
	};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		assert_int_equal(addr_parse(view_str(t[i].host), 5060, &a), 0);
		assert_int_equal(addr_is_unicast(&a), t[i].one);
	}
	a.family = 0;
	assert_false(addr_is_unicast(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_host_or_many),
		cmocka_unit_test(test_parse_reads_what_text_writes),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_hostport),
		cmocka_unit_test(test_hostport_refuses),
		cmocka_unit_test(test_comparisons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
