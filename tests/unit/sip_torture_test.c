/* The messages of RFC 4475, each with the outcome that the RFC asks of an element that receives it.
 */
#include "sip/msg.h"
#include "sip/value.h"
#include "sip/stream.h"
#include "base/error.h"

#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* parse: what sip_msg_parse returns. status: what sip_msg_check returns where parse is 0. */
static const struct outcome {
	const char *name;
	int parse, status;
	const char *reason;
} outcomes[] = {
	/* §3.1.1: valid messages */
	{"wsinv", 0, 0, NULL},
	{"intmeth", 0, 0, NULL},
	{"esc01", 0, 0, NULL},
	{"escnull", 0, 0, NULL},
	{"esc02", 0, 0, NULL},
	{"lwsdisp", 0, 0, NULL},
	{"longreq", 0, 0, NULL},
	{"dblreq", 0, 0, NULL},
	{"semiuri", 0, 0, NULL},
	{"transports", 0, 0, NULL},
	{"mpart01", 0, 0, NULL},
	{"unreason", 0, 0, NULL},
	{"noreason", 0, 0, NULL},
	/* §3.1.2: invalid messages */
	{"badinv01", 0, 400, "Bad Via"},
	{"clerr", E_RANGE, 0, NULL},
	{"ncl", E_SYNTAX, 0, NULL},
	{"scalar02", 0, 400, "Bad CSeq"},
	{"scalarlg", 0, 400, "Bad CSeq"},
	{"quotbal", 0, 400, "Bad To"},
	{"ltgtruri", 0, 400, "Bad Request-URI"},
	{"lwsruri", 0, 400, "Bad Request-URI"},
	{"lwsstart", 0, 0, NULL}, /* may be overlooked */
	{"trws", 0, 0, NULL},	  /* may be overlooked */
	{"escruri", 0, 400, "Bad Request-URI"},
	{"baddate", 0, 0, NULL},  /* Date is not read */
	{"regbadct", 0, 0, NULL}, /* the registrar finds the Contact unusable, see below */
	{"badaspec", 0, 0, NULL}, /* may be overlooked */
	/* The archive's file has no empty line behind its header fields besides. */
	{"baddn", E_SYNTAX, 0, NULL},
	{"badvers", E_UNSUPPORTED, 0, NULL}, /* 505 */
	{"mismatch01", 0, 400, "CSeq method mismatch"},
	{"mismatch02", 0, 501, "Not Implemented"},
	{"bigcode", E_SYNTAX, 0, NULL},
	/* §3.2: transaction layer */
	{"badbranch", 0, 400, "Bad Via"},
	/* §3.3: application layer */
	{"insuf", 0, 400, "Missing From"},
	{"unkscm", 0, 0, NULL},	 /* 416 of who looks at the scheme */
	{"novelsc", 0, 0, NULL}, /* the same */
	{"unksm2", 0, 0, NULL},	 /* 400 of a registrar */
	{"bext01", 0, 0, NULL},	 /* 420 of who looks at Require */
	{"invut", 0, 0, NULL},	 /* 415 */
	{"regaut01", 0, 0, NULL},
	{"multi01", 0, 400, "Multiple CSeq"},
	{"mcl01", E_SYNTAX, 0, NULL},
	{"bcast", 0, 0, NULL}, /* dropped for its second Via */
	{"zeromf", 0, 0, NULL},
	{"cparam01", 0, 0, NULL},
	{"cparam02", 0, 0, NULL},
	{"regescrt", 0, 0, NULL},
	{"sdp01", 0, 0, NULL},
	/* §3.4: RFC 2543 */
	{"inv2543", 0, 0, NULL},
	/* in the archive only */
	{"test", E_SYNTAX, 0, NULL},
};

static struct view load(const char *name)
{
	static char bytes[8192];
	char path[512];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/rfc4475/%s.dat", TEST_DATA, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	assert_true(n > 0 && n < sizeof(bytes));
	return view_of(guard_copy(bytes, n), n);
}

static void load_msg(const char *name, struct sip_msg *m)
{
	assert_int_equal(sip_msg_parse(load(name), m), 0);
}

static void assert_view(struct view v, const char *text)
{
	if (!view_eq(v, view_str(text)))
		fail_msg("'%.*s' is not '%s'", VIEW_ARG(v), text);
}

static void test_every_message_has_its_outcome(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		const struct outcome *o = &outcomes[i];
		const char *reason = "";
		struct sip_msg m;
		int rc = sip_msg_parse(load(o->name), &m), status;

		if (rc != o->parse)
			fail_msg("%s: parse gave %s", o->name, error_name(rc));
		if (rc)
			continue;
		status = sip_msg_check(&m, &reason);
		if (status != o->status || (o->reason && strcmp(reason, o->reason) != 0))
			fail_msg("%s: check gave %d %s", o->name, status, reason);
	}
}

static void test_no_file_is_left_out(void **state)
{
	struct dirent *e;
	DIR *d = opendir(TEST_DATA "/rfc4475");
	size_t files = 0;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d)))
		files += view_ends(view_str(e->d_name), VIEW(".dat"));
	closedir(d);
	assert_int_equal(files, sizeof(outcomes) / sizeof(outcomes[0]));
}

/* Cut anywhere, a message is whole, or broken, and nothing behind its end is read. */
static void test_every_prefix_is_survived(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		struct view v = load(outcomes[i].name);

		for (size_t n = 0; n < v.n; n++) {
			/* The end of the prefix goes right before the unreadable page. */
			char *end = (char *)(uintptr_t)v.p + v.n;
			char *at = end - n;
			char *saved = malloc(v.n);
			struct sip_msg m;
			const char *reason;

			memcpy(saved, v.p, v.n);
			memmove(at, saved, n);
			if (sip_msg_parse(view_of(at, n), &m) == 0)
				(void)sip_msg_check(&m, &reason);
			memcpy((char *)(uintptr_t)v.p, saved, v.n);
			free(saved);
		}
	}
}

static void test_wsinv_values(void **state)
{
	struct sip_msg m;
	struct sip_values it;
	struct sip_via via;
	struct sip_addr a;
	struct view v, q;

	(void)state;
	load_msg("wsinv", &m);
	assert_view(m.uri, "sip:vivekg@chair-dnrc.example.com;unknownparam");
	assert_int_equal(sip_msg_to(&m, &a), 0);
	assert_view(a.uri, "sip:vivekg@chair-dnrc.example.com");
	assert_view(sip_addr_tag(&a), "1918181833n");
	assert_int_equal(sip_msg_from(&m, &a), 0);
	assert_view(a.display, "\"J Rosenberg \\\\\\\"\"");
	assert_view(sip_addr_tag(&a), "98asjd8");
	sip_values_start(&it, &m, SIP_H_VIA);
	assert_true(sip_values_next(&it, &v));
	assert_int_equal(sip_via_parse(v, &via), 0);
	assert_view(via.host, "192.0.2.2");
	assert_view(via.branch, "390skdjuw");
	assert_true(sip_values_next(&it, &v));
	assert_int_equal(sip_via_parse(v, &via), 0);
	assert_view(via.transport, "TCP");
	assert_view(via.host, "spindle.example.com");
	assert_view(via.branch, "z9hG4bK9ikj8");
	assert_true(sip_values_next(&it, &v));
	assert_int_equal(sip_via_parse(v, &via), 0);
	assert_view(via.host, "192.168.255.111");
	assert_view(via.branch, "z9hG4bK30239");
	assert_false(sip_values_next(&it, &v));
	assert_int_equal(sip_addr_parse(sip_msg_value(&m, SIP_H_CONTACT), &a), 0);
	assert_view(a.display, "\"Quoted string \\\"\\\"\"");
	assert_true(sip_param(a.params, VIEW("newparam"), &q));
	assert_view(q, "newvalue");
	assert_true(sip_param(a.params, VIEW("secondparam"), &q));
	assert_view(q, "");
	assert_true(sip_param(a.params, VIEW("q"), &q));
	assert_view(q, "0.33");
	assert_true(sip_msg_has(&m, SIP_H_SUBJECT));
	assert_view(sip_msg_value(&m, SIP_H_SUBJECT), "");
	assert_int_equal(m.body.n, 150);
}

static void test_intmeth_values(void **state)
{
	struct sip_msg m;
	struct sip_addr a;
	struct sip_uri u;

	(void)state;
	load_msg("intmeth", &m);
	assert_int_equal(m.method, SIP_METHOD_OTHER);
	assert_view(m.method_name, "!interesting-Method0123456789_*+`.%indeed'~");
	assert_int_equal(sip_uri_parse(m.uri, &u), 0);
	assert_view(u.user, "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*");
	assert_view(u.password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)");
	assert_view(u.host, "example.com");
	assert_int_equal(sip_msg_to(&m, &a), 0);
	assert_view(a.uri, "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com");
	assert_int_equal(sip_msg_from(&m, &a), 0);
	assert_view(a.display, "token1~` token2'+_ token3*%!.-");
	assert_view(sip_addr_tag(&a), "_token~1'+`*%!-.");
}

static void test_escape_rules(void **state)
{
	struct sip_msg m;
	struct sip_addr a;
	struct sip_uri u;
	struct buf b;

	(void)state;
	load_msg("esc01", &m);
	assert_int_equal(sip_uri_parse(m.uri, &u), 0);
	assert_view(u.user, "sips%3Auser%40example.com");
	assert_view(u.host, "example.net");
	assert_int_equal(sip_addr_parse(sip_msg_value(&m, SIP_H_CONTACT), &a), 0);
	assert_view(a.uri, "sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31");
	load_msg("esc02", &m);
	assert_view(m.method_name, "RE%47IST%45R");
	assert_int_equal(m.method, SIP_METHOD_OTHER);
	/* "C%6Fntact" is an unknown field, no Contact. */
	assert_int_equal(sip_msg_field(&m, SIP_H_CONTACT, m.first[SIP_H_CONTACT]),
			 m.first[SIP_H_CONTACT] + 2);
	load_msg("escnull", &m);
	assert_int_equal(sip_addr_parse(sip_msg_value(&m, SIP_H_CONTACT), &a), 0);
	assert_int_equal(sip_uri_parse(a.uri, &u), 0);
	buf_init(&b, 100);
	assert_int_equal(sip_unescape(&b, u.user, true), E_SYNTAX);
	assert_int_equal(sip_unescape(&b, u.user, false), 0);
	assert_int_equal(b.n, 1);
	buf_fini(&b);
}

static void test_other_values(void **state)
{
	struct sip_msg m;
	struct sip_addr a;
	struct sip_uri u;
	struct sip_values it;
	struct view v;
	size_t n = 0;

	(void)state;
	load_msg("lwsdisp", &m);
	assert_int_equal(sip_msg_from(&m, &a), 0);
	assert_view(a.display, "caller");
	load_msg("semiuri", &m);
	assert_int_equal(sip_uri_parse(m.uri, &u), 0);
	assert_view(u.user, "user;par=u%40example.net");
	assert_true(sip_msg_lists(&m, SIP_H_ACCEPT, VIEW("message/sipfrag")));
	load_msg("longreq", &m);
	sip_values_start(&it, &m, SIP_H_VIA);
	while (sip_values_next(&it, &v))
		n++;
	assert_int_equal(n, 34);
	assert_int_equal(m.body.n, 150);
	load_msg("dblreq", &m);
	assert_int_equal(m.method, SIP_REGISTER);
	assert_int_equal(m.body.n, 0);
	load_msg("mpart01", &m);
	assert_int_equal(m.body.n, 553);
	load_msg("noreason", &m);
	assert_int_equal(m.status, 100);
	assert_view(m.reason, "");
	load_msg("unreason", &m);
	assert_int_equal(m.status, 200);
	assert_int_equal(m.method, SIP_INVITE);
	assert_true(view_starts(m.reason, VIEW("= 2**3 * 5**2 ")));
	load_msg("regbadct", &m);
	assert_int_equal(sip_addr_parse(sip_msg_value(&m, SIP_H_CONTACT), &a), E_SYNTAX);
	load_msg("cparam01", &m);
	assert_int_equal(sip_addr_parse(sip_msg_value(&m, SIP_H_CONTACT), &a), 0);
	assert_view(a.uri, "sip:+19725552222@gw1.example.net");
	assert_view(a.params, ";unknownparam");
	load_msg("cparam02", &m);
	assert_int_equal(sip_addr_parse(sip_msg_value(&m, SIP_H_CONTACT), &a), 0);
	assert_view(a.uri, "sip:+19725552222@gw1.example.net;unknownparam");
	assert_view(a.params, "");
	load_msg("badaspec", &m);
	assert_int_equal(sip_msg_to(&m, &a), 0);
	assert_view(a.uri, "sip:t.watson@example.org");
}

/* A request that is broken still says enough for its answer. */
static void test_broken_requests_can_be_answered(void **state)
{
	static const char *const names[] = {"clerr", "ncl", "mcl01", "badvers"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sip_msg m;
		struct sip_via via;
		struct sip_cseq cseq;

		assert_true(sip_msg_parse(load(names[i]), &m) < 0);
		assert_true(m.is_request);
		assert_int_equal(sip_msg_top_via(&m, &via), 0);
		assert_int_equal(sip_msg_cseq(&m, &cseq), 0);
		assert_true(sip_msg_has(&m, SIP_H_FROM) && sip_msg_has(&m, SIP_H_TO));
		assert_true(sip_msg_has(&m, SIP_H_CALL_ID));
	}
}

/* On a stream: two requests with an empty line between them (dblreq); framing that cannot be had.
 */
static void test_torture_on_a_stream(void **state)
{
	struct view in = load("dblreq"), m = VIEW("");
	struct sip_stream s;

	(void)state;
	sip_stream_init(&s, 65536);
	assert_int_equal(sip_stream_feed(&s, &in, &m), SIP_STREAM_MESSAGE);
	assert_true(view_starts(m, VIEW("REGISTER ")));
	assert_int_equal(sip_stream_feed(&s, &in, &m), SIP_STREAM_PONG);
	assert_int_equal(sip_stream_feed(&s, &in, &m), SIP_STREAM_MESSAGE);
	assert_true(view_starts(m, VIEW("INVITE ")));
	sip_stream_fini(&s);
	sip_stream_init(&s, 65536);
	in = load("ncl");
	assert_int_equal(sip_stream_feed(&s, &in, &m), E_SYNTAX);
	sip_stream_fini(&s);
	sip_stream_init(&s, 65536);
	in = load("mcl01");
	assert_int_equal(sip_stream_feed(&s, &in, &m), E_SYNTAX);
	sip_stream_fini(&s);
	sip_stream_init(&s, 65536);
	in = load("clerr");
	assert_int_equal(sip_stream_feed(&s, &in, &m), SIP_STREAM_NEED_MORE);
	sip_stream_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_message_has_its_outcome),
		cmocka_unit_test(test_no_file_is_left_out),
		cmocka_unit_test(test_every_prefix_is_survived),
		cmocka_unit_test(test_wsinv_values),
		cmocka_unit_test(test_intmeth_values),
		cmocka_unit_test(test_escape_rules),
		cmocka_unit_test(test_other_values),
		cmocka_unit_test(test_broken_requests_can_be_answered),
		cmocka_unit_test(test_torture_on_a_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
