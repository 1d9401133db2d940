/* msrp/uri.h: RFC 4975 §6 and §9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/error.h"
#include "guard_page.h"
#include "msrp/uri.h"

#include <stdlib.h>

static struct msrp_uri parsed(const char *text)
{
	struct msrp_uri u;
	size_t n = strlen(text);

	assert_int_equal(msrp_uri_parse(view_of(guard_copy(text, n), n), &u), 0);
	return u;
}

#define assert_view(v, lit) assert_true(view_eq((v), VIEW(lit)))

static void test_RFC4975_9__every_part_is_read(void **state)
{
	struct msrp_uri u = parsed("msrps://ann;x@host.example.com:8493/as+f=d/34;tcp;a=b;c");

	(void)state;
	assert_true(u.tls);
	assert_view(u.userinfo, "ann;x");
	assert_view(u.host, "host.example.com");
	assert_int_equal(u.port, 8493);
	assert_view(u.session_id, "as+f=d/34");
	assert_view(u.transport, "tcp");
	assert_view(u.params, ";a=b;c");
}

static void test_RFC4975_9__parts_that_may_be_absent(void **state)
{
	struct msrp_uri u = parsed("msrp://relay.example.com;tcp");

	(void)state;
	assert_false(u.tls);
	assert_int_equal(u.port, 0);
	assert_true(view_empty(u.session_id));
	assert_true(view_empty(u.userinfo));
	u = parsed("MSRP://[2001:db8::1]:2855/s;TCP");
	assert_view(u.host, "[2001:db8::1]");
	assert_int_equal(u.port, 2855);
	u = parsed("msrp://[::1];tcp");
	assert_int_equal(u.port, 0);
}

static void test_RFC4975_9__broken_uris_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"msrp",
		"msrp:",
		"msrp://",
		"msrp://;tcp",
		"msrp://h",
		"msrp://h:1/s",
		"msrp://h:1/s;",
		"msrp://h:1/s;;a",
		"msrp://h:/s;tcp",
		"msrp://h:0/s;tcp",
		"msrp://h:65536/s;tcp",
		"msrp://h:1x/s;tcp",
		"msrp://h h:1/s;tcp",
		"msrp://h:1/s s;tcp",
		"msrp://h:1/s\"s;tcp",
		"msrp://h:1/s;t\rcp",
		"msrp://h:1/s;tcp;a=\n",
		"msrp://[::1:1/s;tcp",
		"msrp://[::g]:1/s;tcp",
		"msrp://[192.0.2.1]:1/s;tcp",
		"msrp://[::1]x/s;tcp",
		"sip://h:1/s;tcp",
		"msrp://a<b@h:1/s;tcp",
		"msrp://h:1/\x80;tcp",
	};
	struct msrp_uri u;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t n = strlen(bad[i]);

		if (msrp_uri_parse(view_of(guard_copy(bad[i], n), n), &u) != E_SYNTAX)
			fail_msg("taken: %s", bad[i]);
	}
}

static bool same(const char *a, const char *b)
{
	struct msrp_uri x = parsed(a), y = parsed(b);

	assert_int_equal(msrp_uri_eq(&x, &y), msrp_uri_eq(&y, &x));
	return msrp_uri_eq(&x, &y);
}

static void test_RFC4975_6_1__comparison(void **state)
{
	(void)state;
	assert_true(same("msrp://h.example.com:1/s;tcp", "MSRP://x@H.Example.COM:1/s;TCP;p=q"));
	assert_true(same("msrp://[2001:DB8:0::1]:1/s;tcp", "msrp://[2001:db8::1]:1/s;tcp"));
	assert_true(same("msrp://%68ost:1/s;tcp", "msrp://Host:1/s;tcp"));
	assert_false(same("msrp://h:1/s;tcp", "msrps://h:1/s;tcp"));
	assert_false(same("msrp://h:1/s;tcp", "msrp://h:1/S;tcp"));
	assert_false(same("msrp://h:1/s;tcp", "msrp://h:1;tcp"));
	assert_false(same("msrp://h:1/s;tcp", "msrp://h/s;tcp"));
	assert_false(same("msrp://h:1/s;tcp", "msrp://h:2/s;tcp"));
	assert_false(same("msrp://h:1/s;tcp", "msrp://h:1/s;udp"));
	assert_false(same("msrp://h:1/s;tcp", "msrp://hh:1/s;tcp"));
	assert_false(same("msrp://192.0.2.1:1/s;tcp", "msrp://192.0.2.2:1/s;tcp"));
	assert_false(same("msrp://h%6:1/s;tcp", "msrp://h%66:1/s;tcp"));
}

static void test_RFC4975_5_2__a_path_of_several(void **state)
{
	struct msrp_uri u[2];
	size_t n = 9;

	(void)state;
	assert_int_equal(msrp_path_parse(VIEW("msrp://a:1/x;tcp msrp://b:2/y;tcp"), u, 2, &n), 0);
	assert_int_equal(n, 2);
	assert_view(u[1].host, "b");
	n = 9;
	assert_int_equal(msrp_path_parse(VIEW("msrp://a:1/x;tcp msrp://b:2/y;tcp"), u, 1, &n),
			 E_LIMIT);
	assert_int_equal(msrp_path_parse(VIEW("msrp://a:1/x;tcp nonsense"), u, 2, &n), E_SYNTAX);
	assert_int_equal(msrp_path_parse(VIEW("  "), u, 2, &n), E_SYNTAX);
	assert_int_equal(msrp_path_parse((struct view){0}, u, 2, &n), E_SYNTAX);
	assert_int_equal(n, 9);
	assert_view(msrp_path_first(VIEW(" msrp://a:1/x;tcp msrp://b:2/y;tcp")),
		    "msrp://a:1/x;tcp");
	assert_view(msrp_path_first(VIEW("one")), "one");
	assert_true(view_empty(msrp_path_first(VIEW(""))));
}

static void test_uri_written_is_uri_read(void **state)
{
	static const char *const hosts[] = {"192.0.2.7:2855", "[2001:db8::7]:9"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct addr at;
		struct msrp_uri u;
		struct buf b;

		buf_init(&b, 200);
		assert_int_equal(addr_parse_hostport(view_str(hosts[i]), 0, &at), 0);
		msrp_uri_write(&b, i == 1, &at, VIEW("abcd1234"));
		assert_true(buf_ok(&b));
		assert_int_equal(msrp_uri_parse(buf_view(&b), &u), 0);
		assert_int_equal(u.tls, i == 1);
		assert_int_equal(u.port, at.port);
		assert_view(u.session_id, "abcd1234");
		assert_view(u.transport, "tcp");
		buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC4975_9__every_part_is_read),
		cmocka_unit_test(test_RFC4975_9__parts_that_may_be_absent),
		cmocka_unit_test(test_RFC4975_9__broken_uris_are_refused),
		cmocka_unit_test(test_RFC4975_6_1__comparison),
		cmocka_unit_test(test_RFC4975_5_2__a_path_of_several),
		cmocka_unit_test(test_uri_written_is_uri_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
