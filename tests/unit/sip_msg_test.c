#include "sip/msg.h"
#include "base/buf.h"
#include "base/error.h"

#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#define VIA "Via: SIP/2.0/UDP h;branch=z9hG4bKx\r\n"
#define CORE                                                                                       \
	VIA "From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x@y\r\nCSeq: 7 INVITE\r\n"         \
	    "Max-Forwards: 70\r\n"
#define INVITE(fields) "INVITE sip:b@c SIP/2.0\r\n" fields "\r\n"

static void assert_view(struct view v, const char *text)
{
	if (!view_eq(v, view_str(text)))
		fail_msg("'%.*s' is not '%s'", VIEW_ARG(v), text);
}

static int parse_n(const char *text, size_t n, struct sip_msg *m)
{
	return sip_msg_parse(view_of(guard_copy(text, n), n), m);
}

static int parse(const char *text, struct sip_msg *m)
{
	return parse_n(text, strlen(text), m);
}

static void test_request(void **state)
{
	struct sip_msg m;

	(void)state;
	assert_int_equal(parse("\r\n\r\n" INVITE(CORE "Content-Length: 2\r\n") "hixx", &m), 0);
	assert_true(m.is_request);
	assert_int_equal(m.method, SIP_INVITE);
	assert_view(m.method_name, "INVITE");
	assert_view(m.uri, "sip:b@c");
	assert_view(m.body, "hi");
	assert_int_equal(m.n_fields, 7);
	assert_view(sip_msg_value(&m, SIP_H_CALL_ID), "x@y");
	assert_view(sip_field_name(&m, 4), "CSeq");
	assert_false(sip_msg_has(&m, SIP_H_CONTACT));
	assert_view(sip_msg_value(&m, SIP_H_CONTACT), "");
	assert_int_equal(m.raw.n, m.head.n + m.body.n);
	assert_true(view_ends(m.head, VIEW("\r\n\r\n")));
}

static void test_response(void **state)
{
	struct sip_msg m;
	const char *reason = NULL;

	(void)state;
	assert_int_equal(parse("sip/2.0 487 Request  Terminated\r\n" CORE "\r\n", &m), 0);
	assert_false(m.is_request);
	assert_int_equal(m.status, 487);
	assert_view(m.reason, "Request  Terminated");
	assert_int_equal(m.method, SIP_INVITE);
	assert_int_equal(sip_msg_check(&m, &reason), 0);
	assert_int_equal(parse("SIP/2.0 200\r\n" CORE "\r\n", &m), 0);
	assert_view(m.reason, "");
	assert_int_equal(parse("SIP/2.0 200 OK\r\n" VIA "\r\n", &m), 0);
	assert_int_equal(sip_msg_check(&m, &reason), 400);
	assert_string_equal(reason, "Missing From");
}

static void test_bare_lf_lines(void **state)
{
	struct sip_msg m;

	(void)state;
	assert_int_equal(parse("\nOPTIONS sip:a SIP/2.0\nTo: x\n y\nl: 1\n\nB", &m), 0);
	assert_view(sip_msg_value(&m, SIP_H_TO), "x\n y");
	assert_view(m.body, "B");
}

static void test_compact_forms_and_case(void **state)
{
	struct sip_msg m;

	(void)state;
	assert_int_equal(parse(INVITE("v: 1\r\nF: 2\r\nt\t : 3\r\ni:4\r\nm: 5\r\nL: 0\r\nC: 6\r\n"
				      "mAx-FoRwArDs: 7\r\no: 8\r\n"),
			       &m),
			 0);
	assert_view(sip_msg_value(&m, SIP_H_VIA), "1");
	assert_view(sip_msg_value(&m, SIP_H_FROM), "2");
	assert_view(sip_msg_value(&m, SIP_H_TO), "3");
	assert_view(sip_msg_value(&m, SIP_H_CALL_ID), "4");
	assert_view(sip_msg_value(&m, SIP_H_CONTACT), "5");
	assert_view(sip_msg_value(&m, SIP_H_CONTENT_TYPE), "6");
	assert_view(sip_msg_value(&m, SIP_H_MAX_FORWARDS), "7");
	assert_view(sip_msg_value(&m, SIP_H_EVENT), "8");
}

static void test_every_known_name_is_found(void **state)
{
	static const struct {
		enum sip_header_id id;
		const char *name;
		char compact;
	} names[] = {
#define X(id, name, compact) {SIP_H_##id, name, compact},
		SIP_HEADERS(X)
#undef X
	};

	(void)state;
	assert_int_equal(sizeof(names) / sizeof(names[0]), SIP_HEADER_IDS - 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct view name = view_str(names[i].name);
		char swapped[64];

		for (size_t k = 0; k < name.n; k++)
			swapped[k] = (char)((name.p[k] | 0x20) >= 'a' && (name.p[k] | 0x20) <= 'z'
						    ? name.p[k] ^ 0x20
						    : name.p[k]);
		if (sip_header_of(name) != names[i].id ||
		    sip_header_of(view_of(swapped, name.n)) != names[i].id ||
		    !view_eq(sip_header_text(names[i].id), name))
			fail_msg("%s", names[i].name);
		if (names[i].compact)
			assert_int_equal(sip_header_of(view_of(&names[i].compact, 1)), names[i].id);
	}
	assert_int_equal(sip_header_of(VIEW("Vie")), SIP_H_OTHER);
	assert_int_equal(sip_header_of(VIEW("")), SIP_H_OTHER);
	assert_int_equal(sip_header_of(VIEW("z")), SIP_H_OTHER);
	assert_int_equal(sip_header_of(VIEW("{")), SIP_H_OTHER);
	assert_int_equal(sip_header_of(VIEW("[")), SIP_H_OTHER);
	assert_view(sip_header_text(SIP_H_OTHER), "");
}

static void test_methods(void **state)
{
	(void)state;
	for (int i = SIP_METHOD_OTHER + 1; i < SIP_METHODS; i++)
		assert_int_equal(sip_method_of(sip_method_text((enum sip_method)i)), i);
	assert_int_equal(sip_method_of(VIEW("invite")), SIP_METHOD_OTHER);
	assert_int_equal(sip_method_of(VIEW("")), SIP_METHOD_OTHER);
	assert_view(sip_method_text(SIP_METHOD_OTHER), "");
}

static void test_reasons(void **state)
{
	(void)state;
	assert_string_equal(sip_reason(200), "OK");
	assert_string_equal(sip_reason(489), "Bad Event");
	assert_string_equal(sip_reason(299), "Unknown");
}

static void test_folds(void **state)
{
	struct sip_msg m;

	(void)state;
	assert_int_equal(parse(INVITE("Subject:\r\n\tone\r\n  two \r\n \r\nTo: x\r\n"), &m), 0);
	assert_view(sip_msg_value(&m, SIP_H_SUBJECT), "one\r\n  two");
	assert_view(sip_msg_value(&m, SIP_H_TO), "x");
}

static void test_unknown_fields_by_name(void **state)
{
	struct sip_msg m;

	(void)state;
	assert_int_equal(parse(INVITE("X-One: 1\r\nx-two: 2\r\nX-One: 3\r\nf: me\r\n"), &m), 0);
	assert_view(sip_msg_value_named(&m, VIEW("x-one")), "1");
	assert_view(sip_msg_value_named(&m, VIEW("X-TWO")), "2");
	assert_view(sip_msg_value_named(&m, VIEW("From")), "me");
	assert_view(sip_msg_value_named(&m, VIEW("X-Three")), "");
	assert_int_equal(sip_msg_field(&m, SIP_H_OTHER, 0), 1);
}

static void test_values_of_repeated_and_joined_fields(void **state)
{
	static const char *const want[] = {"<sip:a@b;x=1,2>;q=1", "\"Bell, A. \\\" <x>\" <sip:c>",
					   "sip:d", "<sip:e>"};
	struct sip_msg m;
	struct sip_values it;
	struct view v;

	(void)state;
	assert_int_equal(parse(INVITE("Contact: <sip:a@b;x=1,2>;q=1 ,\r\n \"Bell, A. \\\" <x>\" "
				      "<sip:c>,, sip:d,\r\nTo: x\r\nm:\r\nm: <sip:e>\r\n"),
			       &m),
			 0);
	sip_values_start(&it, &m, SIP_H_CONTACT);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_true(sip_values_next(&it, &v));
		assert_view(v, want[i]);
	}
	assert_false(sip_values_next(&it, &v));
	assert_false(sip_values_next(&it, &v));
	sip_values_start(&it, &m, SIP_H_ROUTE);
	assert_false(sip_values_next(&it, &v));
}

static void test_values_that_do_not_end(void **state)
{
	struct sip_msg m;
	struct sip_values it;
	struct view v;

	(void)state;
	assert_int_equal(parse(INVITE("m: \"a, b\r\nm: <c, d\r\n"), &m), 0);
	sip_values_start(&it, &m, SIP_H_CONTACT);
	assert_true(sip_values_next(&it, &v));
	assert_view(v, "\"a, b");
	assert_true(sip_values_next(&it, &v));
	assert_view(v, "<c, d");
	assert_false(sip_values_next(&it, &v));
}

static void test_lists(void **state)
{
	struct sip_msg m;

	(void)state;
	assert_int_equal(parse(INVITE("k: 100rel,Timer\r\nSupported: replaces ;x\r\n"), &m), 0);
	assert_true(sip_msg_lists(&m, SIP_H_SUPPORTED, VIEW("timer")));
	assert_true(sip_msg_lists(&m, SIP_H_SUPPORTED, VIEW("Replaces")));
	assert_false(sip_msg_lists(&m, SIP_H_SUPPORTED, VIEW("100")));
	assert_false(sip_msg_lists(&m, SIP_H_REQUIRE, VIEW("timer")));
}

static void test_broken_start_lines(void **state)
{
	static const struct {
		const char *line;
		int error;
	} rows[] = {
		{"", E_SYNTAX},
		{"INVITE", E_SYNTAX},
		{"INVITE SIP/2.0", E_SYNTAX},
		{"INVITE  SIP/2.0", E_SYNTAX},
		{"INVITE sip:a", E_SYNTAX},
		{"INVITE sip:a HTTP/1.1", E_SYNTAX},
		{"INVITE sip:a SIP/", E_SYNTAX},
		{"INVITE sip:a SIP/2", E_SYNTAX},
		{"INVITE sip:a SIP/2.", E_SYNTAX},
		{"INVITE sip:a SIP/2.0x", E_SYNTAX},
		{"INVITE sip:a SIP/2.1", E_UNSUPPORTED},
		{"INVITE sip:a SIP/77.123", E_UNSUPPORTED},
		{"IN<>TE sip:a SIP/2.0", E_SYNTAX},
		{"INVITE sip:a\rb SIP/2.0", E_SYNTAX},
		{"SIP/2.0", E_SYNTAX},
		{"SIP/2.0 99 x", E_SYNTAX},
		{"SIP/2.0 099 x", E_SYNTAX},
		{"SIP/2.0 700 x", E_SYNTAX},
		{"SIP/2.0 2000 x", E_SYNTAX},
		{"SIP/2.0 -20 x", E_SYNTAX},
		{"SIP/3.0 200 x", E_UNSUPPORTED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[200];
		struct sip_msg m;
		struct buf b;

		buf_init(&b, sizeof(text));
		buf_putf(&b, "%s\r\n%s\r\n", rows[i].line, "To: x\r\n");
		if (parse_n(b.p, b.n, &m) != rows[i].error)
			fail_msg("'%s'", rows[i].line);
		buf_fini(&b);
	}
}

static void test_broken_heads(void **state)
{
	static const char *const broken[] = {
		INVITE("To x\r\n"),
		INVITE(": x\r\n"),
		INVITE("T<o: x\r\n"),
		INVITE(" To: x\r\n"),
		INVITE("To\r\n : x\r\n"),
		INVITE("To: x\ry\r\n"),
		INVITE("l: \r\n"),
		INVITE("l: 1 2\r\n"),
		INVITE("l: 0x0\r\n"),
		INVITE("l: 0, 0\r\n"),
		INVITE("l: 0\r\nl: 1\r\n") "a",
		INVITE("l: 18446744073709551616\r\n"),
		"INVITE sip:a SIP/2.0\r\n",
		"INVITE sip:a SIP/2.0\r\nTo: x\r\n",
		"INVITE sip:a SIP/2.0\r\nTo: x",
		"INVITE sip:a SIP/2.0\r\nTo: x\r\n\r",
	};
	struct sip_msg m;

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		if (parse(broken[i], &m) != E_SYNTAX)
			fail_msg("row %zu: %s", i, broken[i]);
	assert_int_equal(parse(INVITE("l: 2\r\n") "a", &m), E_RANGE);
	assert_int_equal(parse_n(INVITE("To: a\0b\r\n"), sizeof(INVITE("To: a\0b\r\n")) - 1, &m),
			 E_SYNTAX);
	assert_int_equal(
		parse_n(INVITE("To: \"\\\0\"\r\n"), sizeof(INVITE("To: \"\\\0\"\r\n")) - 1, &m), 0);
	assert_int_equal(sip_msg_parse(VIEW(""), &m), E_SYNTAX);
	assert_int_equal(m.n_fields, 0);
}

/* Fields around a bad line are there for the 400. */
static void test_fields_around_a_bad_line(void **state)
{
	struct sip_msg m;

	(void)state;
	assert_int_equal(parse(INVITE(VIA "nonsense\r\n" CORE "l: 9\r\n") "x", &m), E_SYNTAX);
	assert_true(m.is_request);
	assert_view(sip_msg_value(&m, SIP_H_CALL_ID), "x@y");
	assert_view(sip_msg_value(&m, SIP_H_CSEQ), "7 INVITE");
	assert_int_equal(parse("INVITE sip:b@c SIP/7.0\r\n" CORE "\r\n", &m), E_UNSUPPORTED);
	assert_view(sip_msg_value(&m, SIP_H_CALL_ID), "x@y");
}

static void test_limits(void **state)
{
	struct sip_msg m;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_puts(&b, "INVITE sip:b@c SIP/2.0\r\n");
	for (int i = 0; i < SIP_FIELDS_MAX; i++)
		buf_puts(&b, "X: y\r\n");
	buf_puts(&b, "\r\n");
	assert_int_equal(parse_n(b.p, b.n, &m), 0);
	assert_int_equal(m.n_fields, SIP_FIELDS_MAX);
	b.n -= 2;
	buf_puts(&b, "X: y\r\n\r\n");
	assert_int_equal(parse_n(b.p, b.n, &m), E_LIMIT);
	buf_reset(&b);
	buf_puts(&b, "INVITE sip:b@c SIP/2.0\r\nX: ");
	while (buf_ok(&b) && b.n < SIP_HEAD_BYTES_MAX - 4)
		buf_putc(&b, 'x');
	buf_puts(&b, "\r\n\r\n");
	assert_int_equal(b.n, SIP_HEAD_BYTES_MAX);
	assert_int_equal(parse_n(b.p, b.n, &m), 0);
	buf_puts(&b, "body");
	assert_int_equal(parse_n(b.p, b.n, &m), 0);
	b.n -= 8;
	buf_puts(&b, "x\r\n\r\n");
	assert_int_equal(parse_n(b.p, b.n, &m), E_LIMIT);
	/* A start line alone past the limit. */
	buf_reset(&b);
	while (buf_ok(&b) && b.n <= SIP_HEAD_BYTES_MAX)
		buf_putc(&b, 'x');
	assert_int_equal(parse_n(b.p, b.n, &m), E_LIMIT);
	buf_fini(&b);
}

static void check_row(const char *text, int status, const char *want)
{
	const char *reason = "";
	struct sip_msg m;

	assert_int_equal(parse(text, &m), 0);
	if (sip_msg_check(&m, &reason) != status || strcmp(reason, want) != 0)
		fail_msg("'%s' and not '%s' for\n%s", reason, want, text);
}

#define FROM "From: <sip:a@b>;tag=1\r\n"
#define TO   "To: <sip:b@c>\r\n"
#define ID   "Call-ID: x@y\r\n"
#define CSEQ "CSeq: 7 INVITE\r\n"

static void test_check(void **state)
{
	(void)state;
	check_row(INVITE(CORE), 0, "");
	check_row(INVITE(VIA FROM TO ID CSEQ), 0, "");
	check_row(INVITE(VIA "From: sip:a@b\r\n" TO ID CSEQ), 0, "");
	check_row(INVITE(FROM TO ID CSEQ), 400, "Missing Via");
	check_row(INVITE(VIA TO ID CSEQ), 400, "Missing From");
	check_row(INVITE(VIA FROM ID CSEQ), 400, "Missing To");
	check_row(INVITE(VIA FROM TO CSEQ), 400, "Missing Call-ID");
	check_row(INVITE(VIA FROM TO ID), 400, "Missing CSeq");
	check_row(INVITE(CORE FROM), 400, "Multiple From");
	check_row(INVITE(CORE "t: x\r\n"), 400, "Multiple To");
	check_row(INVITE(CORE "i: x\r\n"), 400, "Multiple Call-ID");
	check_row(INVITE(CORE CSEQ), 400, "Multiple CSeq");
	check_row(INVITE(CORE "Max-Forwards: 1\r\n"), 400, "Multiple Max-Forwards");
	check_row(INVITE(CORE "l: 0\r\nl: 0\r\n"), 400, "Multiple Content-Length");
	check_row(INVITE(CORE "Replaces: a\r\nReplaces: b\r\n"), 400, "Multiple Replaces");
	check_row(INVITE(CORE "r: <sip:a>\r\nr: <sip:b>\r\n"), 400, "Multiple Refer-To");
	check_row(INVITE(CORE VIA "Subject: a\r\ns: b\r\n"), 0, "");
	check_row(INVITE("v: x\r\n" FROM TO ID CSEQ), 400, "Bad Via");
	check_row(INVITE("v:\r\n" FROM TO ID CSEQ), 400, "Bad Via");
	check_row(INVITE(VIA "f: \"x\r\n" TO ID CSEQ), 400, "Bad From");
	check_row(INVITE(VIA "f: *\r\n" TO ID CSEQ), 400, "Bad From");
	check_row(INVITE(VIA FROM "t: <sip:b@c:99999>\r\n" ID CSEQ), 400, "Bad To");
	check_row(INVITE(VIA FROM TO "i: a b\r\n" CSEQ), 400, "Bad Call-ID");
	check_row(INVITE(VIA FROM TO "i:\r\n" CSEQ), 400, "Bad Call-ID");
	check_row(INVITE(VIA FROM TO ID "CSeq: INVITE\r\n"), 400, "Bad CSeq");
	check_row(INVITE(VIA FROM TO ID "CSeq: 7 BYE\r\n"), 400, "CSeq method mismatch");
	check_row(INVITE(VIA FROM TO ID "CSeq: 7 invite\r\n"), 400, "CSeq method mismatch");
	check_row(INVITE(VIA FROM TO ID CSEQ "Max-Forwards: 255\r\n"), 0, "");
	check_row(INVITE(VIA FROM TO ID CSEQ "Max-Forwards: 256\r\n"), 400, "Bad Max-Forwards");
	check_row(INVITE(VIA FROM TO ID CSEQ "Max-Forwards: x\r\n"), 400, "Bad Max-Forwards");
	check_row("INVITE sip:b@c ;lr SIP/2.0\r\n" CORE "\r\n", 400, "Bad Request-URI");
	check_row("INVITE nonsense SIP/2.0\r\n" CORE "\r\n", 400, "Bad Request-URI");
	check_row("INVITE tel:+15551234 SIP/2.0\r\n" CORE "\r\n", 0, "");
}

static void check_same(const struct sip_msg *a, const struct sip_msg *b)
{
	assert_int_equal(a->n_fields, b->n_fields);
	assert_true(view_eq(a->raw, b->raw) && view_eq(a->head, b->head) &&
		    view_eq(a->body, b->body));
	assert_true(view_eq(a->method_name, b->method_name) && view_eq(a->uri, b->uri));
	assert_true(view_eq(a->reason, b->reason));
	for (int i = 0; i < a->n_fields; i++) {
		assert_true(view_eq(sip_field_name(a, i), sip_field_name(b, i)));
		assert_true(view_eq(sip_field_value(a, i), sip_field_value(b, i)));
		assert_ptr_equal(sip_field_value(a, i).p, sip_field_value(b, i).p);
	}
	assert_int_equal(a->via_error, b->via_error);
	assert_true(view_eq(a->via.host, b->via.host) && view_eq(a->via.branch, b->via.branch));
	assert_ptr_equal(a->via.host.p, b->via.host.p);
}

static void test_a_replaced_via_is_as_if_parsed_anew(void **state)
{
	static const char *const via[] = {
		"SIP/2.0/UDP a;branch=z9hG4bK1",
		"SIP/2.0/UDP a;branch=z9hG4bK1;received=192.0.2.1;rport=5060",
		"SIP/2.0/UDP a.example.com:5070;branch=z9hG4bK1, SIP/2.0/TCP b"};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < 3; j++) {
			char old[512], new[512];
			struct sip_msg m, fresh;

			(void)snprintf(old, sizeof(old),
				       "INVITE sip:b@c SIP/2.0\r\nSubject: x\r\nVia: %s\r\n" FROM TO
					       ID CSEQ
				       "Via: SIP/2.0/UDP z\r\nContent-Length: 4\r\n\r\nbody",
				       via[i]);
			(void)snprintf(new, sizeof(new),
				       "INVITE sip:b@c SIP/2.0\r\nSubject: x\r\nVia: %s\r\n" FROM TO
					       ID CSEQ
				       "Via: SIP/2.0/UDP z\r\nContent-Length: 4\r\n\r\nbody",
				       via[j]);
			assert_int_equal(sip_msg_parse(view_str(old), &m), 0);
			sip_msg_via_replaced(&m, view_str(new));
			assert_int_equal(sip_msg_parse(view_str(new), &fresh), 0);
			check_same(&m, &fresh);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_bare_lf_lines),
		cmocka_unit_test(test_compact_forms_and_case),
		cmocka_unit_test(test_every_known_name_is_found),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_folds),
		cmocka_unit_test(test_unknown_fields_by_name),
		cmocka_unit_test(test_values_of_repeated_and_joined_fields),
		cmocka_unit_test(test_values_that_do_not_end),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_broken_start_lines),
		cmocka_unit_test(test_broken_heads),
		cmocka_unit_test(test_fields_around_a_bad_line),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_a_replaced_via_is_as_if_parsed_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
