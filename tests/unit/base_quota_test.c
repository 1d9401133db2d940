/* How many of something each has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/quota.h"

static const uint64_t key[2] = {1, 2};

static void test_the_cap_is_each_ones_own(void **state)
{
	struct quota_share *in[4], *none;
	struct quota q;

	(void)state;
	quota_init(&q, 2, key);
	assert_int_equal(quota_take(&q, VIEW("ann"), &in[0]), 0);
	assert_int_equal(quota_take(&q, VIEW("ann"), &in[1]), 0);
	assert_int_equal(quota_take(&q, VIEW("ann"), &none), E_LIMIT);
	assert_null(none);
	assert_int_equal(quota_take(&q, VIEW("bo"), &in[2]), 0);
	quota_release(&q, in[0]);
	assert_int_equal(quota_take(&q, VIEW("ann"), &in[3]), 0);
	assert_int_equal(quota_take(&q, VIEW("ann"), &none), E_LIMIT);
	quota_release(&q, in[1]);
	quota_release(&q, in[2]);
	quota_release(&q, in[3]);
	assert_int_equal(q.table.n, 0);
	quota_fini(&q);
}

static void test_without_a_cap_nothing_is_counted(void **state)
{
	struct quota_share *in;
	struct quota q;

	(void)state;
	quota_init(&q, 0, key);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(quota_take(&q, VIEW("ann"), &in), 0);
		assert_null(in);
		quota_release(&q, in);
	}
	assert_int_equal(q.table.n, 0);
	quota_fini(&q);
}

static void test_an_IPv6_network_is_one_source(void **state)
{
	struct addr a, same, other, four;
	struct quota_share *in[3], *none;
	struct quota q;

	(void)state;
	assert_int_equal(addr_parse(VIEW("2001:db8::1"), 1, &a), 0);
	assert_int_equal(addr_parse(VIEW("2001:db8::2"), 2, &same), 0);
	assert_int_equal(addr_parse(VIEW("2001:db8:0:1::1"), 1, &other), 0);
	assert_int_equal(addr_parse(VIEW("192.0.2.1"), 1, &four), 0);
	quota_init(&q, 1, key);
	assert_int_equal(quota_take(&q, addr_source(&a), &in[0]), 0);
	assert_int_equal(quota_take(&q, addr_source(&same), &none), E_LIMIT);
	assert_int_equal(quota_take(&q, addr_source(&other), &in[1]), 0);
	assert_int_equal(quota_take(&q, addr_source(&four), &in[2]), 0);
	four.port = 2;
	assert_int_equal(quota_take(&q, addr_source(&four), &none), E_LIMIT);
	for (int i = 0; i < 3; i++)
		quota_release(&q, in[i]);
	quota_fini(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_cap_is_each_ones_own),
		cmocka_unit_test(test_without_a_cap_nothing_is_counted),
		cmocka_unit_test(test_an_IPv6_network_is_one_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
