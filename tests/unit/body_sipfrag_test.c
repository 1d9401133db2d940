#include "base/error.h"
#include "body/sipfrag.h"
#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define V(s) view_str(s)

static void test_IC_7_1_3_2c__round_trip(void **state)
{
	static const struct sipfrag cases[] = {
		{100, {"Trying", 6}}, {200, {"OK", 2}}, {699, {"", 0}}, {486, {"Busy Here", 9}}};
	struct buf b;
	struct sipfrag f;

	(void)state;
	buf_init(&b, 256);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&b);
		sipfrag_write(&b, cases[i].status, cases[i].reason);
		assert_true(buf_ok(&b));
		assert_int_equal(sipfrag_parse(view_of(guard_copy(b.p, b.n), b.n), &f), 0);
		assert_int_equal(f.status, cases[i].status);
		assert_true(view_eq(f.reason, cases[i].reason));
	}
	buf_reset(&b);
	sipfrag_write(&b, 200, V("OK"));
	assert_true(view_eq(buf_view(&b), V("SIP/2.0 200 OK\r\n")));
	buf_fini(&b);
}

static void test_writer_refuses(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 256);
	sipfrag_write(&b, 99, V("x"));
	assert_false(buf_ok(&b));
	buf_reset(&b);
	sipfrag_write(&b, 700, V("x"));
	assert_false(buf_ok(&b));
	buf_reset(&b);
	sipfrag_write(&b, 200, V("OK\r\nFrom: x"));
	assert_false(buf_ok(&b));
	buf_fini(&b);
}

static void test_reads_what_is_around(void **state)
{
	static const char *const broken[] = {"",
					     "SIP/2.0",
					     "SIP/2.0 ",
					     "SIP/2.0 20 OK",
					     "SIP/2.0 2000 OK",
					     "SIP/2.0 099 x",
					     "SIP/2.0 700 x",
					     "SIP/2.0 2x0 x",
					     "INVITE sip:a@b SIP/2.0\r\n",
					     "\r\nSIP/2.0 200 OK",
					     "SIP/2.0 200 O\x01K"};
	struct sipfrag f = {.status = 77};

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		size_t n = strlen(broken[i]);

		assert_int_equal(sipfrag_parse(view_of(guard_copy(broken[i], n), n), &f), E_SYNTAX);
		assert_int_equal(f.status, 77);
	}
	assert_int_equal(sipfrag_parse(V("SIP/2.0 603 Declined\r\nServer: x\r\n\r\n"), &f), 0);
	assert_int_equal(f.status, 603);
	assert_true(view_eq(f.reason, V("Declined")));
	assert_int_equal(sipfrag_parse(V("SIP/2.0 180"), &f), 0);
	assert_int_equal(f.status, 180);
	assert_true(view_empty(f.reason));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IC_7_1_3_2c__round_trip),
		cmocka_unit_test(test_writer_refuses),
		cmocka_unit_test(test_reads_what_is_around),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
