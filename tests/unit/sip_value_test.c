#include "sip/value.h"
#include "base/error.h"

#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void assert_view(struct view v, const char *text)
{
	if (!view_eq(v, view_str(text)))
		fail_msg("'%.*s' is not '%s'", VIEW_ARG(v), text);
}

static struct view guard(const char *text)
{
	return view_of(guard_copy(text, strlen(text)), strlen(text));
}

static void test_addr_forms(void **state)
{
	static const struct {
		const char *text, *display, *uri, *params, *tag;
		bool bracketed;
	} rows[] = {
		{"sip:a@b", "", "sip:a@b", "", "", false},
		{"sip:a@b;tag=1", "", "sip:a@b", ";tag=1", "1", false},
		{" sip:a@b\r\n ; tag = 1 ", "", "sip:a@b", "; tag = 1", "1", false},
		{"<sip:a@b;lr>", "", "sip:a@b;lr", "", "", true},
		{"<sip:a@b;lr>;tag=1", "", "sip:a@b;lr", ";tag=1", "1", true},
		{"Ann<sip:a@b>", "Ann", "sip:a@b", "", "", true},
		{"Ann  Bo <sip:a@b> ;x", "Ann  Bo", "sip:a@b", ";x", "", true},
		{"\"A \\\"<;,:\" <sip:a@b>;tag=z", "\"A \\\"<;,:\"", "sip:a@b", ";tag=z", "z",
		 true},
		{"\"\"<sip:a@b>", "\"\"", "sip:a@b", "", "", true},
		{"J\xc3\xb6rg <sip:a@b>", "J\xc3\xb6rg", "sip:a@b", "", "", true},
		{"<sip:a@b?X=y%20z>", "", "sip:a@b?X=y%20z", "", "", true},
		{"< sip:a@b >", "", "sip:a@b", "", "", true},
		{"* <sip:a@b>", "*", "sip:a@b", "", "", true},
		{"<sip:a@b>;;tag=1;", "", "sip:a@b", ";;tag=1;", "1", true},
		{"tel:+1555;x=y", "", "tel:+1555", ";x=y", "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_addr a;

		if (sip_addr_parse(guard(rows[i].text), &a))
			fail_msg("%s", rows[i].text);
		assert_view(a.display, rows[i].display);
		assert_view(a.uri, rows[i].uri);
		assert_view(a.params, rows[i].params);
		assert_view(sip_addr_tag(&a), rows[i].tag);
		assert_int_equal(a.bracketed, rows[i].bracketed);
		assert_false(a.star);
	}
}

static void test_addr_broken(void **state)
{
	static const char *const bad[] = {
		"",
		"  ",
		"\"never ends <sip:a@b>",
		"\"Ann\"",
		"\"Ann\" sip:a@b",
		"<sip:a@b",
		"<>",
		"<sip:a@b> x",
		"<sip:a@b> <sip:c@d>",
		"<<sip:a@b>",
		"Bell, A <sip:a@b>",
		"sip:a@b?x=y",
		"sip:a@b, sip:c@d",
		"sip:a@b sip:c@d",
		"ann",
		"*x",
		"<sip:a@b>tag=1",
	};
	struct sip_addr a = {.star = true};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sip_addr_parse(guard(bad[i]), &a) != E_SYNTAX)
			fail_msg("%s was taken", bad[i]);
	assert_true(a.star);
}

static void test_addr_star(void **state)
{
	struct sip_addr a;

	(void)state;
	assert_int_equal(sip_addr_parse(VIEW("*"), &a), 0);
	assert_true(a.star);
	assert_int_equal(sip_addr_parse(VIEW("* ;+g.oma.sip-im;require"), &a), 0);
	assert_true(a.star);
	assert_view(a.params, ";+g.oma.sip-im;require");
}

static void test_via(void **state)
{
	struct sip_via v;

	(void)state;
	assert_int_equal(sip_via_parse(guard("SIP/2.0/UDP h.example:5070;rport;branch=z9hG4bK1;"
					     "received=192.0.2.1"),
				       &v),
			 0);
	assert_view(v.transport, "UDP");
	assert_view(v.host, "h.example");
	assert_int_equal(v.port, 5070);
	assert_view(v.branch, "z9hG4bK1");
	assert_view(v.received, "192.0.2.1");
	assert_true(v.rport);
	assert_int_equal(v.rport_value, 0);
	assert_int_equal(
		sip_via_parse(guard("SIP / 2.0 /TCP\r\n\t[2001:db8::1] : 5061 ; RPORT = 77"), &v),
		0);
	assert_view(v.host, "[2001:db8::1]");
	assert_int_equal(v.port, 5061);
	assert_int_equal(v.rport_value, 77);
	assert_view(v.branch, "");
	assert_int_equal(sip_via_parse(guard("SIP/2.0/UDP h"), &v), 0);
	assert_int_equal(v.port, 0);
	assert_false(v.rport);
	assert_view(v.params, "");
}

static void test_via_broken(void **state)
{
	static const char *const bad[] = {
		"",
		"SIP/2.0/UDP",
		"SIP/2.0/UDP ",
		"SIP/2.0 UDP h",
		"HTTP/2.0/UDP h",
		"SIP/2.0/UDPh",
		"SIP/2.0/UDP ;branch=x",
		"SIP/2.0/UDP h;;",
		"SIP/2.0/UDP h;",
		"SIP/2.0/UDP h; ;branch=x",
		"SIP/2.0/UDP h;=x",
		"SIP/2.0/UDP h x",
		"SIP/2.0/UDP h:0",
		"SIP/2.0/UDP h:65536",
		"SIP/2.0/UDP h:x",
		"SIP/2.0/UDP [::1;branch=x",
		"SIP/2.0/UDP 2001:db8::1",
		"SIP/2.0/UDP h;rport=0",
		"SIP/2.0/UDP h;rport=65536",
		"SIP/2.0/UDP h;rport=x",
	};
	struct sip_via v;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sip_via_parse(guard(bad[i]), &v) != E_SYNTAX)
			fail_msg("%s was taken", bad[i]);
}

static void test_cseq(void **state)
{
	static const char *const bad[] = {
		"",
		"1",
		"INVITE",
		"1INVITE",
		"-1 INVITE",
		"2147483648 INVITE",
		"4294967297 INVITE",
		"1 IN VITE",
	};
	struct sip_cseq c;

	(void)state;
	assert_int_equal(sip_cseq_parse(guard("0009\r\n INVITE"), &c), 0);
	assert_int_equal(c.number, 9);
	assert_view(c.method, "INVITE");
	assert_int_equal(sip_cseq_parse(guard("2147483647 BYE"), &c), 0);
	assert_int_equal(c.number, 2147483647);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sip_cseq_parse(guard(bad[i]), &c) != E_SYNTAX)
			fail_msg("%s was taken", bad[i]);
}

static void test_replaces(void **state)
{
	static const char *const bad[] = {
		"",
		"id",
		"id;to-tag=1",
		"id;from-tag=1",
		";to-tag=1;from-tag=2",
		"id;to-tag=;from-tag=2",
		"id;to-tag=1;from-tag=2;to-tag=3",
	};
	struct sip_replaces r;

	(void)state;
	assert_int_equal(
		sip_replaces_parse(guard("98732@x.com ;from-tag=r33 ; to-tag=ff8;early-only"), &r),
		0);
	assert_view(r.call_id, "98732@x.com");
	assert_view(r.to_tag, "ff8");
	assert_view(r.from_tag, "r33");
	assert_true(r.early_only);
	assert_int_equal(sip_replaces_parse(guard("a;to-tag=1;from-tag=2"), &r), 0);
	assert_false(r.early_only);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sip_replaces_parse(guard(bad[i]), &r) != E_SYNTAX)
			fail_msg("%s was taken", bad[i]);
}

static void test_token_params(void **state)
{
	static const char *const bad[] = {"", ";x", "a b", "a/", "/b", "a/b/c", "a/b c", "\"a\""};
	struct sip_token_params p;

	(void)state;
	assert_int_equal(sip_token_params_parse(guard(" application/sdp ; charset=x "), &p), 0);
	assert_view(p.token, "application/sdp");
	assert_view(p.params, "; charset=x");
	assert_int_equal(sip_token_params_parse(guard("active;expires=60"), &p), 0);
	assert_view(p.token, "active");
	assert_int_equal(sip_token_params_parse(guard("*/*"), &p), 0);
	assert_view(p.token, "*/*");
	assert_view(p.params, "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sip_token_params_parse(guard(bad[i]), &p) != E_SYNTAX)
			fail_msg("%s was taken", bad[i]);
}

static void test_content_is(void **state)
{
	(void)state;
	assert_true(sip_content_is(guard("application/sdp"), VIEW("application/sdp")));
	assert_true(sip_content_is(guard("Application / SDP;x=y"), VIEW("application/sdp")));
	assert_false(sip_content_is(guard("application/sdpx"), VIEW("application/sdp")));
	assert_false(sip_content_is(guard("application"), VIEW("application/sdp")));
	assert_false(sip_content_is(guard(""), VIEW("application/sdp")));
}

static void test_auth(void **state)
{
	static const char *const bad[] = {
		"",
		"=",
		"Digest realm",
		"Digest realm=\"x",
		"Digest realm=\"x\" nonce=\"y\"",
		"Digest realm=\"x\", realm=\"y\"",
		"Digest =x",
	};
	struct sip_auth a;

	(void)state;
	assert_int_equal(
		sip_auth_parse(guard("Digest username=\"a\\\"b, c\",realm = \"r\" ,\r\n nonce=\"\","
				     "uri=\"sip:x;y\",nc=00000001,qop=auth,cnonce=\"z\",x=y,,"
				     "response=\"0\",algorithm=MD5,opaque=\"o\",domain=\"d\""),
			       &a),
		0);
	assert_view(a.scheme, "Digest");
	assert_view(a.username, "a\\\"b, c");
	assert_view(a.realm, "r");
	assert_view(a.nonce, "");
	assert_view(a.uri, "sip:x;y");
	assert_view(a.nc, "00000001");
	assert_view(a.qop, "auth");
	assert_view(a.cnonce, "z");
	assert_view(a.response, "0");
	assert_view(a.algorithm, "MD5");
	assert_view(a.opaque, "o");
	assert_view(a.domain, "d");
	assert_false(a.stale);
	assert_int_equal(sip_auth_parse(guard("digest stale=TRUE,qop=\"auth,auth-int\""), &a), 0);
	assert_true(a.stale);
	assert_view(a.qop, "auth,auth-int");
	assert_int_equal(sip_auth_parse(guard("Basic QWxhZGRpbjpvcGVu=="), &a), 0);
	assert_view(a.scheme, "Basic");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sip_auth_parse(guard(bad[i]), &a) != E_SYNTAX)
			fail_msg("%s was taken", bad[i]);
}

static void test_session_expires(void **state)
{
	static const char *const bad[] = {"", "x", "1 2", "99999999999", "60;refresher=me", "-1"};
	struct sip_session_expires s;

	(void)state;
	assert_int_equal(sip_session_expires_parse(guard("3600 ; refresher = UAS"), &s), 0);
	assert_int_equal(s.seconds, 3600);
	assert_int_equal(s.refresher, SIP_REFRESHER_UAS);
	assert_int_equal(sip_session_expires_parse(guard("90;refresher=uac"), &s), 0);
	assert_int_equal(s.refresher, SIP_REFRESHER_UAC);
	assert_int_equal(sip_session_expires_parse(guard("90"), &s), 0);
	assert_int_equal(s.refresher, SIP_REFRESHER_NONE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sip_session_expires_parse(guard(bad[i]), &s) != E_SYNTAX)
			fail_msg("%s was taken", bad[i]);
}

static bool accepts_im(const char *fields)
{
	struct sip_msg m;
	struct buf b;
	bool yes;

	buf_init(&b, 1000);
	buf_putf(&b, "INVITE sip:b SIP/2.0\r\n%s\r\n", fields);
	assert_int_equal(sip_msg_parse(buf_view(&b), &m), 0);
	yes = sip_msg_accepts_im(&m);
	buf_fini(&b);
	return yes;
}

static void test_R_1__any_spelling_of_the_im_tag(void **state)
{
	(void)state;
	assert_true(accepts_im("Accept-Contact: *;+g.oma.sip-im;require;explicit\r\n"));
	assert_true(accepts_im("a: *; +G.OMA.IM.Simple\r\n"));
	assert_true(accepts_im("a: *;audio, *;+g.oma.sip.simple=\"TRUE\"\r\n"));
	assert_true(accepts_im("a: *;audio\r\nAccept-Contact: *;require;+g.oma.sip-im\r\n"));
	assert_true(accepts_im("a: +g.oma.sip-im\r\n"));
	assert_true(accepts_im("a: <sip:x>;+g.oma.sip-im\r\n"));
	assert_false(accepts_im("a: *;+g.oma.sip-im-large\r\n"));
	assert_false(accepts_im("a: *;+g.oma.sip-im=\"FALSE\"\r\n"));
	assert_false(accepts_im("a: *;x=\"+g.oma.sip-im\"\r\n"));
	assert_false(accepts_im("j: *;+g.oma.sip-im\r\n"));
	assert_false(accepts_im(""));
	assert_true(sip_params_have_im_tag(VIEW(";expires=5;+g.oma.im.simple")));
	assert_false(sip_params_have_im_tag(VIEW("")));
}

static void test_values_of_a_message(void **state)
{
	struct sip_msg m;
	struct sip_via via;
	struct sip_cseq cseq;
	struct sip_addr a;

	(void)state;
	assert_int_equal(sip_msg_parse(VIEW("INVITE sip:b SIP/2.0\r\n\r\n"), &m), 0);
	assert_int_equal(sip_msg_top_via(&m, &via), E_MISSING);
	assert_int_equal(sip_msg_cseq(&m, &cseq), E_MISSING);
	assert_int_equal(sip_msg_from(&m, &a), E_MISSING);
	assert_int_equal(sip_msg_to(&m, &a), E_MISSING);
	assert_int_equal(
		sip_msg_parse(VIEW("INVITE sip:b SIP/2.0\r\nv: SIP/2.0/UDP one,\r\n SIP/2.0/TCP "
				   "two\r\nf: <sip:x>;tag=9\r\nt: y\r\nCSeq: 5 A\r\n\r\n"),
			      &m),
		0);
	assert_int_equal(sip_msg_top_via(&m, &via), 0);
	assert_view(via.host, "one");
	assert_int_equal(sip_msg_cseq(&m, &cseq), 0);
	assert_view(cseq.method, "A");
	assert_int_equal(sip_msg_from(&m, &a), 0);
	assert_view(sip_addr_tag(&a), "9");
	assert_int_equal(sip_msg_to(&m, &a), E_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr_forms),
		cmocka_unit_test(test_addr_broken),
		cmocka_unit_test(test_addr_star),
		cmocka_unit_test(test_via),
		cmocka_unit_test(test_via_broken),
		cmocka_unit_test(test_cseq),
		cmocka_unit_test(test_replaces),
		cmocka_unit_test(test_token_params),
		cmocka_unit_test(test_content_is),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_session_expires),
		cmocka_unit_test(test_R_1__any_spelling_of_the_im_tag),
		cmocka_unit_test(test_values_of_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
