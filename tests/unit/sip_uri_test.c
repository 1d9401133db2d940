#include "sip/uri.h"
#include "base/error.h"

#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

static void assert_view(struct view v, const char *text)
{
	if (!view_eq(v, view_str(text)))
		fail_msg("'%.*s' is not '%s'", VIEW_ARG(v), text);
}

static int parse(const char *text, struct sip_uri *u)
{
	return sip_uri_parse(view_of(guard_copy(text, strlen(text)), strlen(text)), u);
}

static void test_all_parts(void **state)
{
	struct sip_uri u;

	(void)state;
	assert_int_equal(parse("sip:alice:secret@atlanta.com:5070;transport=tcp;lr?a=b&c=d", &u),
			 0);
	assert_int_equal(u.scheme, SIP_SCHEME_SIP);
	assert_view(u.user, "alice");
	assert_view(u.password, "secret");
	assert_view(u.host, "atlanta.com");
	assert_int_equal(u.port, 5070);
	assert_view(u.params, ";transport=tcp;lr");
	assert_view(u.headers, "a=b&c=d");
	assert_true(sip_param(u.params, VIEW("LR"), NULL));
	assert_false(sip_param(u.params, VIEW("transpor"), NULL));
}

static void test_few_parts(void **state)
{
	struct sip_uri u;

	(void)state;
	assert_int_equal(parse("SIPS:atlanta.com", &u), 0);
	assert_int_equal(u.scheme, SIP_SCHEME_SIPS);
	assert_view(u.user, "");
	assert_view(u.host, "atlanta.com");
	assert_int_equal(u.port, 0);
	assert_view(u.params, "");
	assert_view(u.headers, "");
	assert_int_equal(parse("sip:host?x=y", &u), 0);
	assert_view(u.host, "host");
	assert_view(u.headers, "x=y");
}

static void test_ipv6_references(void **state)
{
	struct sip_uri u;

	(void)state;
	assert_int_equal(parse("sip:ann@[2001:db8::1]:5062;lr", &u), 0);
	assert_view(u.host, "[2001:db8::1]");
	assert_int_equal(u.port, 5062);
	assert_int_equal(parse("sip:[::1]", &u), 0);
	assert_view(u.host, "[::1]");
	assert_int_equal(parse("sip:[::1", &u), E_SYNTAX);
	assert_int_equal(parse("sip:[nonsense]", &u), E_SYNTAX);
	assert_int_equal(parse("sip:ann@2001:db8::1", &u), E_SYNTAX);
}

static void test_ports(void **state)
{
	static const char *const bad[] = {
		"sip:h:",
		"sip:h:0",
		"sip:h:65536",
		"sip:h:4294972356",
		"sip:h:18446744073709556676",
		"sip:h:5060x",
		"sip:h:-5060",
		"sip:h:+1",
	};
	struct sip_uri u;

	(void)state;
	assert_int_equal(parse("sip:h:65535", &u), 0);
	assert_int_equal(u.port, 65535);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i], &u) != E_SYNTAX)
			fail_msg("%s was taken", bad[i]);
}

static void test_broken(void **state)
{
	static const char *const bad[] = {
		"",
		"sip",
		"sip:",
		":x",
		"sip:@host",
		"sip:a@",
		"sip:a@b@c",
		"sip:a b@c",
		"sip:a@b c",
		"<sip:a@b>",
		"sip:a@b;x=\"y\"",
		"sip:%@b",
		"sip:%4@b",
		"sip:%zz@b",
		"sip:a@b\r\nX: y",
		"1sip:a@b",
		"si p:a@b",
		"tel:",
		"tel:;a=b",
		"sip:a:b:@",
		"ann@example.com",
	};
	struct sip_uri u;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i], &u) != E_SYNTAX)
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(sip_uri_parse(view_of("sip:a\0b@c", 9), &u), E_SYNTAX);
}

static void test_output_is_untouched_on_failure(void **state)
{
	struct sip_uri u = {.port = 77};

	(void)state;
	assert_int_equal(parse("sip:a@b:99999", &u), E_SYNTAX);
	assert_int_equal(u.port, 77);
}

static void test_tel_and_other_schemes(void **state)
{
	struct sip_uri u;
	struct view v;

	(void)state;
	assert_int_equal(parse("tel:+358-555-1234567;postd=pp22", &u), 0);
	assert_int_equal(u.scheme, SIP_SCHEME_TEL);
	assert_view(u.user, "+358-555-1234567");
	assert_true(sip_param(u.params, VIEW("postd"), &v));
	assert_view(v, "pp22");
	assert_int_equal(parse("soap.beep://192.0.2.103:3002", &u), 0);
	assert_int_equal(u.scheme, SIP_SCHEME_OTHER);
	assert_view(u.text, "soap.beep://192.0.2.103:3002");
	assert_view(u.host, "");
}

static void test_escaped_headers(void **state)
{
	const char *text = "sip:bob@biloxi.com;method=INVITE?Replaces=CALLID%3Bto-tag%3D7%3Bfrom-"
			   "tag%3D8&Subject=a%20b&&flag";
	struct sip_uri u;
	struct view rest, name, value;
	struct buf b;

	(void)state;
	assert_int_equal(parse(text, &u), 0);
	assert_true(sip_param(u.params, VIEW("method"), &value));
	assert_view(value, "INVITE");
	rest = u.headers;
	assert_true(sip_uri_header_next(&rest, &name, &value));
	assert_view(name, "Replaces");
	buf_init(&b, 100);
	assert_int_equal(sip_unescape(&b, value, true), 0);
	assert_view(buf_view(&b), "CALLID;to-tag=7;from-tag=8");
	assert_true(sip_uri_header_next(&rest, &name, &value));
	assert_view(name, "Subject");
	assert_view(value, "a%20b");
	assert_true(sip_uri_header_next(&rest, &name, &value));
	assert_view(name, "flag");
	assert_view(value, "");
	assert_false(sip_uri_header_next(&rest, &name, &value));
	/* An '@' that should have been escaped; phones do that in Replaces. */
	assert_int_equal(parse("sip:bob@biloxi.com?Replaces=1@host%3Bto-tag%3D7", &u), 0);
	assert_view(u.user, "bob");
	assert_view(u.headers, "Replaces=1@host%3Bto-tag%3D7");
	buf_fini(&b);
}

static void test_unescape_refuses_what_begins_a_field(void **state)
{
	static const char *const bad[] = {"a%0d%0aX", "a%0A", "%00", "%0D"};
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(sip_unescape(&b, view_str(bad[i]), true), E_SYNTAX);
		assert_int_equal(sip_unescape(&b, view_str(bad[i]), false), 0);
	}
	assert_int_equal(sip_unescape(&b, VIEW("%"), false), E_SYNTAX);
	assert_int_equal(sip_unescape(&b, VIEW("%4"), false), E_SYNTAX);
	assert_int_equal(sip_unescape(&b, VIEW("%g0"), false), E_SYNTAX);
	buf_fini(&b);
}

static void test_escape_and_back_is_identity(void **state)
{
	char all[256];
	struct buf escaped, back;

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	buf_init(&escaped, 1000);
	buf_init(&back, 1000);
	sip_escape(&escaped, view_of(all, 256));
	assert_int_equal(sip_unescape(&back, buf_view(&escaped), false), 0);
	assert_true(view_eq(buf_view(&back), view_of(all, 256)));
	buf_reset(&escaped);
	sip_escape(&escaped, VIEW("a@b;to-tag=1 \"?&"));
	assert_view(buf_view(&escaped), "a%40b%3Bto-tag%3D1%20%22%3F%26");
	buf_fini(&escaped);
	buf_fini(&back);
}

static void test_param_walk(void **state)
{
	static const char text[] = "; a = 1 ;b;\r\n c=\"x;\\\"y\" ;;d=<sip:a;b>;e=;=f";
	static const char *const want[][2] = {{"a", "1"},	  {"b", ""}, {"c", "\"x;\\\"y\""},
					      {"d", "<sip:a;b>"}, {"e", ""}, {"", "f"}};
	struct view rest = view_of(guard_copy(text, sizeof(text) - 1), sizeof(text) - 1);
	struct view name, value;

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_true(sip_param_next(&rest, &name, &value));
		assert_view(name, want[i][0]);
		assert_view(value, want[i][1]);
	}
	assert_false(sip_param_next(&rest, &name, &value));
	rest = VIEW("a=\"never ends;b=c");
	assert_true(sip_param_next(&rest, &name, &value));
	assert_view(value, "\"never ends;b=c");
	assert_false(sip_param_next(&rest, &name, &value));
}

static bool equal(const char *a, const char *b)
{
	struct sip_uri ua, ub;
	bool eq;

	assert_int_equal(parse(a, &ua), 0);
	assert_int_equal(parse(b, &ub), 0);
	eq = sip_uri_eq(&ua, &ub);
	assert_int_equal(eq, sip_uri_eq(&ub, &ua));
	return eq;
}

/* The examples of RFC 3261 §19.1.4. */
static void test_equivalent_uris_of_the_rfc(void **state)
{
	static const char *const pairs[][2] = {
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;security=on"},
		{"sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"},
		{"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
		 "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"},
		{"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
		 "sip:alice@atlanta.com?priority=urgent&subject=project%20x"},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;security=off"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (!equal(pairs[i][0], pairs[i][1]))
			fail_msg("%s and %s", pairs[i][0], pairs[i][1]);
}

static void test_different_uris_of_the_rfc(void **state)
{
	static const char *const pairs[][2] = {
		{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"},
		{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"},
		{"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"},
		/* the rules above the examples */
		{"sip:a@b", "sips:a@b"},
		{"sip:a@b", "sip:b"},
		{"sip:a:x@b", "sip:a@b"},
		{"sip:a:x@b", "sip:a:X@b"},
		{"sip:a@b", "sip:a@b;user=ip"},
		{"sip:a@b", "sip:a@b;ttl=1"},
		{"sip:a@b", "sip:a@b;method=INVITE"},
		{"sip:a@b", "sip:a@b;maddr=192.0.2.1"},
		{"sip:a%40@b", "sip:a%41@b"},
		{"sip:a;b@c", "sip:a%3Bb@c"}, /* reserved: the escape means something else */
		{"sip:a@b?x=1&x=1", "sip:a@b?x=1"},
		{"sip:a@b?Replaces=aB", "sip:a@b?Replaces=ab"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (equal(pairs[i][0], pairs[i][1]))
			fail_msg("%s and %s", pairs[i][0], pairs[i][1]);
}

static void test_more_equal_uris(void **state)
{
	(void)state;
	assert_true(equal("sip:a@[2001:DB8::1]", "sip:a@[2001:db8:0:0:0:0:0:1]"));
	assert_true(equal("sip:a%3bb@c", "sip:a%3Bb@c"));
	assert_true(equal("sip:a@b;x=1;x=2", "sip:a@b;x=1;x=2"));
	assert_true(equal("tel:+1555", "TEL:+1555"));
	assert_true(equal("sip:a@b?X=1&y=2&x=1", "sip:a@b?y=2&x=1&X=1"));
}

/* What a peer can send must not cost its square. */
static void test_many_parameters_are_compared_as_they_stand(void **state)
{
	enum { N = 200000 };
	char *text = malloc(N);
	struct sip_uri a, b;

	(void)state;
	assert_non_null(text);
	memcpy(text, "sip:h", 5);
	for (size_t i = 5; i + 1 < N; i += 2)
		memcpy(text + i, ";x", 2);
	text[N - 1] = 'y';
	assert_int_equal(sip_uri_parse(view_of(text, N), &a), 0);
	assert_int_equal(sip_uri_parse(view_of(text, N - 1), &b), 0);
	assert_true(sip_uri_eq(&a, &a));
	assert_false(sip_uri_eq(&a, &b));
	free(text);
}

static void assert_aor(const char *text, const char *want)
{
	struct sip_uri u;
	struct buf b;

	assert_int_equal(parse(text, &u), 0);
	buf_init(&b, 200);
	sip_uri_aor(&b, &u);
	assert_true(buf_ok(&b));
	assert_view(buf_view(&b), want);
	buf_fini(&b);
}

static void test_address_of_record(void **state)
{
	(void)state;
	assert_aor("SIP:%61lice:pw@AtLanTa.CoM:5070;transport=tcp?x=y",
		   "sip:alice@atlanta.com:5070");
	assert_aor("sips:Ann@EXAMPLE.org", "sips:Ann@example.org");
	assert_aor("sip:Example.Org;lr", "sip:example.org");
	assert_aor("sip:a%3bb%40c%25@d", "sip:a%3Bb%40c%25@d");
	assert_aor("tel:+1-(201)-555.0123;ext=5", "tel:+12015550123");
	assert_aor("tel:863-1234;phone-context=+1-914", "tel:8631234;phone-context=+1-914");
	assert_aor("urn:service:sos", "urn:service:sos");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_parts),
		cmocka_unit_test(test_few_parts),
		cmocka_unit_test(test_ipv6_references),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_output_is_untouched_on_failure),
		cmocka_unit_test(test_tel_and_other_schemes),
		cmocka_unit_test(test_escaped_headers),
		cmocka_unit_test(test_unescape_refuses_what_begins_a_field),
		cmocka_unit_test(test_escape_and_back_is_identity),
		cmocka_unit_test(test_param_walk),
		cmocka_unit_test(test_equivalent_uris_of_the_rfc),
		cmocka_unit_test(test_different_uris_of_the_rfc),
		cmocka_unit_test(test_more_equal_uris),
		cmocka_unit_test(test_many_parameters_are_compared_as_they_stand),
		cmocka_unit_test(test_address_of_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
