/* Wrong passwords, counted per address and user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/core/guesses.h"

enum { LIMIT = 3, LOCKOUT_MS = 60000, NOW = 1000000 };

static const uint64_t key[2] = {1, 2};

static struct addr at(const char *host)
{
	struct addr a;

	assert_int_equal(addr_parse(view_str(host), 5060, &a), 0);
	return a;
}

/* Each time with another password. */
static bool wrong(struct guesses *g, const struct addr *from, struct view aor, uint64_t now_ms)
{
	static uint64_t n;

	n++;
	return guesses_wrong(g, from, aor, view_of((const char *)&n, sizeof(n)), now_ms);
}

static void test_the_last_of_the_limit_shuts_the_door(void **state)
{
	struct addr a = at("192.0.2.1");
	struct guesses g;

	(void)state;
	guesses_init(&g, 10, LIMIT, LOCKOUT_MS, key);
	assert_false(guesses_shut(&g, &a, VIEW("ann"), NOW));
	assert_false(wrong(&g, &a, VIEW("ann"), NOW));
	assert_false(wrong(&g, &a, VIEW("ann"), NOW));
	assert_false(guesses_shut(&g, &a, VIEW("ann"), NOW));
	assert_true(wrong(&g, &a, VIEW("ann"), NOW));
	assert_true(guesses_shut(&g, &a, VIEW("ann"), NOW + LOCKOUT_MS - 1));
	assert_false(guesses_shut(&g, &a, VIEW("ann"), NOW + LOCKOUT_MS));
	assert_int_equal(g.table.n, 0);
	guesses_fini(&g);
}

static void test_the_same_user_elsewhere_and_another_user_here_go_on(void **state)
{
	struct addr a = at("192.0.2.1"), b = at("192.0.2.2");
	struct guesses g;

	(void)state;
	guesses_init(&g, 10, 1, LOCKOUT_MS, key);
	assert_true(wrong(&g, &a, VIEW("ann"), NOW));
	assert_false(guesses_shut(&g, &b, VIEW("ann"), NOW));
	assert_false(guesses_shut(&g, &a, VIEW("bo"), NOW));
	guesses_fini(&g);
}

static void test_behind_one_NAT_a_wrong_phone_shuts_no_other_out(void **state)
{
	struct addr a = at("192.0.2.1"), other = at("192.0.2.1");
	struct guesses g;

	(void)state;
	other.port = 9;
	guesses_init(&g, 10, LIMIT, LOCKOUT_MS, key);
	for (int i = 0; i < LIMIT; i++)
		(void)wrong(&g, &a, VIEW("ann"), NOW);
	assert_true(guesses_shut(&g, &a, VIEW("ann"), NOW));
	assert_false(guesses_shut(&g, &other, VIEW("ann"), NOW));
	guesses_fini(&g);
}

static void test_with_many_ports_an_address_has_so_many_times_the_guesses(void **state)
{
	struct addr a = at("192.0.2.1"), fresh = at("192.0.2.1");
	struct guesses g;

	(void)state;
	fresh.port = 9;
	guesses_init(&g, 1000, LIMIT, LOCKOUT_MS, key);
	for (int i = 0; i < GUESSES_PORTS * LIMIT; i++) {
		assert_false(guesses_shut(&g, &fresh, VIEW("ann"), NOW));
		a.port = (uint16_t)(1000 + i);
		assert_int_equal(wrong(&g, &a, VIEW("ann"), NOW), i == GUESSES_PORTS * LIMIT - 1);
	}
	assert_true(guesses_shut(&g, &fresh, VIEW("ann"), NOW + LOCKOUT_MS - 1));
	/* A right password of a neighbour's does not begin that anew. */
	guesses_right(&g, &fresh, VIEW("ann"));
	assert_true(guesses_shut(&g, &fresh, VIEW("ann"), NOW + LOCKOUT_MS - 1));
	assert_false(guesses_shut(&g, &fresh, VIEW("bo"), NOW));
	assert_false(guesses_shut(&g, &fresh, VIEW("ann"), NOW + LOCKOUT_MS));
	assert_int_equal(g.table.n, 0);
	guesses_fini(&g);
}

static void test_an_IPv6_network_is_one_source(void **state)
{
	struct addr a = at("2001:db8::1"), same = at("2001:db8::ffff:1"),
		    other = at("2001:db8:0:1::1");
	struct guesses g;

	(void)state;
	guesses_init(&g, 100, 1, LOCKOUT_MS, key);
	for (int i = 0; i < GUESSES_PORTS; i++) {
		assert_false(guesses_shut(&g, &same, VIEW("ann"), NOW));
		a.ip[15] = (uint8_t)(2 + i);
		assert_true(wrong(&g, &a, VIEW("ann"), NOW));
	}
	assert_true(guesses_shut(&g, &same, VIEW("ann"), NOW));
	assert_false(guesses_shut(&g, &other, VIEW("ann"), NOW));
	guesses_fini(&g);
}

static void test_the_right_password_wipes_the_slate(void **state)
{
	struct addr a = at("192.0.2.1");
	struct guesses g;

	(void)state;
	guesses_init(&g, 10, 2, LOCKOUT_MS, key);
	assert_false(wrong(&g, &a, VIEW("ann"), NOW));
	guesses_right(&g, &a, VIEW("ann"));
	assert_false(wrong(&g, &a, VIEW("ann"), NOW));
	assert_false(guesses_shut(&g, &a, VIEW("ann"), NOW));
	guesses_fini(&g);
}

static void test_a_retransmission_is_the_same_guess(void **state)
{
	struct addr a = at("192.0.2.1");
	struct guesses g;

	(void)state;
	guesses_init(&g, 10, 2, LOCKOUT_MS, key);
	for (int copy = 0; copy < 11; copy++)
		assert_false(guesses_wrong(&g, &a, VIEW("ann"), VIEW("6629fae4"), NOW));
	assert_false(guesses_shut(&g, &a, VIEW("ann"), NOW));
	assert_true(guesses_wrong(&g, &a, VIEW("ann"), VIEW("8c1d5e0b"), NOW));
	guesses_fini(&g);
}

static void test_the_table_has_a_cap_and_the_oldest_makes_room(void **state)
{
	struct addr a = at("192.0.2.1");
	struct guesses g;

	(void)state;
	guesses_init(&g, 4, 1, LOCKOUT_MS, key); /* two counts each */
	(void)wrong(&g, &a, VIEW("ann"), NOW);
	(void)wrong(&g, &a, VIEW("bo"), NOW + 1);
	assert_int_equal(g.table.n, 4);
	(void)wrong(&g, &a, VIEW("charles"), NOW + 2);
	assert_int_equal(g.table.n, 4);
	assert_false(guesses_shut(&g, &a, VIEW("ann"), NOW + 2));
	assert_true(guesses_shut(&g, &a, VIEW("bo"), NOW + 2));
	guesses_fini(&g);
}

static void test_without_a_limit_nothing_is_kept(void **state)
{
	struct addr a = at("192.0.2.1");
	struct guesses g;

	(void)state;
	guesses_init(&g, 10, 0, LOCKOUT_MS, key);
	for (int i = 0; i < 100; i++)
		assert_false(wrong(&g, &a, VIEW("ann"), NOW));
	assert_false(guesses_shut(&g, &a, VIEW("ann"), NOW));
	assert_int_equal(g.table.n, 0);
	guesses_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_last_of_the_limit_shuts_the_door),
		cmocka_unit_test(test_the_same_user_elsewhere_and_another_user_here_go_on),
		cmocka_unit_test(test_behind_one_NAT_a_wrong_phone_shuts_no_other_out),
		cmocka_unit_test(test_with_many_ports_an_address_has_so_many_times_the_guesses),
		cmocka_unit_test(test_an_IPv6_network_is_one_source),
		cmocka_unit_test(test_the_right_password_wipes_the_slate),
		cmocka_unit_test(test_a_retransmission_is_the_same_guess),
		cmocka_unit_test(test_the_table_has_a_cap_and_the_oldest_makes_room),
		cmocka_unit_test(test_without_a_limit_nothing_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
