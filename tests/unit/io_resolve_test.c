#include "io/resolve.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_addresses_and_names(void **state)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	assert_int_equal(io_resolve_now("192.0.2.7", 5060, 0, &a), 0);
	assert_string_equal(addr_text(&a, text), "192.0.2.7:5060");
	assert_int_equal(io_resolve_now("[2001:db8::1]", 5060, 6, &a), 0);
	assert_string_equal(addr_text(&a, text), "[2001:db8::1]:5060");
	assert_int_equal(io_resolve_now("localhost", 7, 4, &a), 0);
	assert_string_equal(addr_text(&a, text), "127.0.0.1:7");
}

static void test_refusals(void **state)
{
	struct addr a = {.port = 9};

	(void)state;
	assert_int_equal(io_resolve_now("", 1, 0, &a), E_SYNTAX);
	assert_int_equal(io_resolve_now(NULL, 1, 0, &a), E_SYNTAX);
	assert_int_equal(io_resolve_now("192.0.2.7", 1, 6, &a), E_NOTFOUND);
	assert_int_equal(io_resolve_now("2001:db8::1", 1, 4, &a), E_NOTFOUND);
	/* No name at all: answered without asking a server. */
	assert_int_not_equal(io_resolve_now("not a host name", 1, 0, &a), 0);
	assert_int_equal(a.port, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_and_names),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
