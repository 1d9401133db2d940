#include "base/error.h"
#include "body/cpim.h"
#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define V(s) view_str(s)

static void assert_view(struct view v, const char *want)
{
	char text[2048];

	assert_true(view_copy(v, text, sizeof(text)));
	assert_string_equal(text, want);
}

static const char message[] = "From: \"Ann \\\"A\\\" <x>\" <sip:ann@example.com;gr=1>\r\n"
			      "To: Winnie the Pooh <im:pooh@example.com>\r\n"
			      "To: sip:le@example.com\r\n"
			      "cc: <sip:c@example.com>\r\n"
			      "DateTime: 2026-11-22T07:44:37.000001+00:00\r\n"
			      "Subject:;lang=\"f r\" Objet: un\r\n"
			      "NS: imdn <urn:ietf:params:imdn>\r\n"
			      "imdn.Message-ID: 34jk324j\r\n"
			      "Require: imdn.Message-ID\r\n"
			      "\r\n"
			      "MIME-Version: 1.0\r\n"
			      "Content-Type: text/plain;\r\n charset=utf-8\r\n"
			      "content-id: <1@example.com>\r\n"
			      "Content-Encoding: deflate\r\n"
			      "Content-Disposition: notification\r\n"
			      "\r\n"
			      "Hello\r\n\r\nWorld";

static void check_head(const struct cpim *m)
{
	struct view v;

	assert_int_equal(m->n_from, 1);
	assert_view(m->from.uri, "sip:ann@example.com;gr=1");
	assert_view(m->from.display, "Ann \\\"A\\\" <x>");
	assert_int_equal(m->n_to, 2);
	assert_view(m->to[0].display, "Winnie the Pooh");
	assert_view(m->to[0].uri, "im:pooh@example.com");
	assert_view(m->to[1].uri, "sip:le@example.com");
	assert_int_equal(m->n_cc, 1);
	assert_view(m->cc.uri, "sip:c@example.com");
	assert_view(m->date_time, "2026-11-22T07:44:37.000001+00:00");
	assert_view(m->subject, "Objet: un");
	assert_view(m->require, "imdn.Message-ID");
	assert_true(cpim_header(m, V(CPIM_NS_IMDN), V("Message-ID"), &v));
	assert_view(v, "34jk324j");
	assert_false(cpim_header(m, V(CPIM_NS_IMDN), V("message-id"), &v));
	assert_true(cpim_header(m, V(CPIM_NS_DEFAULT), V("Subject"), &v));
	assert_false(cpim_header(m, V(CPIM_NS_DEFAULT), V("Message-ID"), &v));
	assert_view(m->content_type, "text/plain;\r\n charset=utf-8");
	assert_view(m->content_id, "1@example.com");
	assert_view(m->content_encoding, "deflate");
	assert_view(m->content_disposition, "notification");
}

static void test_whole_and_before_a_guard_page(void **state)
{
	struct cpim m;
	size_t n = sizeof(message) - 1;

	(void)state;
	assert_int_equal(cpim_parse(V(message), &m), 0);
	check_head(&m);
	assert_view(m.body, "Hello\r\n\r\nWorld");
	assert_int_equal(cpim_parse(view_of(guard_copy(message, n), n), &m), 0);
	check_head(&m);
}

static void test_SW_1__head_of_a_first_chunk_byte_by_byte(void **state)
{
	size_t head = sizeof(message) - 1 - strlen("Hello\r\n\r\nWorld");
	struct cpim m = {.n_to = 77};

	(void)state;
	for (size_t n = 0; n < head; n++) {
		assert_int_equal(cpim_parse_head(view_of(guard_copy(message, n), n), &m), 0);
		assert_int_equal(m.n_to, 77);
	}
	for (size_t n = head; n < sizeof(message); n++)
		assert_int_equal(cpim_parse_head(view_of(message, n), &m), head);
	check_head(&m);
	assert_true(view_empty(m.body));
}

static void test_what_phones_send(void **state)
{
	struct cpim m;

	(void)state;
	/* A Subject but no From or To, and line feeds alone. */
	assert_int_equal(cpim_parse(V("Subject: test\n\nContent-Type: text/plain\n\nHi"), &m), 0);
	assert_int_equal(m.n_from, 0);
	assert_int_equal(m.n_to, 0);
	assert_true(view_empty(m.from.uri));
	assert_view(m.subject, "test");
	assert_view(m.body, "Hi");
	/* No space behind the colon, no brackets, no MIME headers at all. */
	assert_int_equal(cpim_parse(V("To:sip:a@b\r\n\r\n\r\nx"), &m), 0);
	assert_view(m.to[0].uri, "sip:a@b");
	assert_true(view_empty(m.content_type));
	assert_view(m.body, "x");
	/* Content that ends with its headers. */
	assert_int_equal(cpim_parse(V("From: <sip:a@b>\r\n\r\nContent-Type: text/plain"), &m), 0);
	assert_view(m.content_type, "text/plain");
	assert_true(view_empty(m.body));
	/* No message headers. */
	assert_int_equal(cpim_parse(V("\r\nContent-Type: text/plain\r\n\r\nx"), &m), 0);
	assert_view(m.content_type, "text/plain");
}

static void test_broken_ones(void **state)
{
	static const char *const cases[] = {
		"",
		"From: <sip:a@b>\r\n",
		"From: <sip:a@b>",
		"Hello World\r\n\r\n",
		"From: <sip:a@b\r\n\r\n\r\n",
		"From: \"Ann <sip:a@b>\r\n\r\n\r\n",
		"From: <>\r\n\r\n\r\n",
		"To: a b c\r\n\r\n\r\n",
		"To: <sip:a@b>\r\n\r\nno header\r\n\r\nx",
		"To: <sip:a\001@b>\r\n\r\n\r\nx",
		": x\r\n\r\n\r\n",
		" folded: x\r\n\r\n\r\n",
		"A B: x\r\n\r\n\r\n",
	};
	struct cpim m;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(cpim_parse(V(cases[i]), &m), E_SYNTAX);
	assert_int_equal(cpim_parse_head(V("Hello World\r\n"), &m), E_SYNTAX);
	assert_int_equal(cpim_parse_head(V("From: <sip:a@b>\r\n\r\nno header\r\n"), &m), E_SYNTAX);
}

/* What a switch checks must be what a receiver sees. */
static void test_SW_2__senders_are_found_under_any_prefix(void **state)
{
	struct cpim m;
	struct view v;

	(void)state;
	assert_int_equal(cpim_parse(V("From: <sip:a@b>\r\nFrom: <sip:evil@b>\r\n\r\n\r\n"), &m), 0);
	assert_int_equal(m.n_from, 2);
	assert_view(m.from.uri, "sip:a@b");
	assert_int_equal(cpim_parse(V("NS: c <urn:ietf:params:cpim-headers:>\r\n"
				      "c.From: <sip:evil@b>\r\nc.To: <sip:x@b>\r\n\r\n\r\n"),
				    &m),
			 0);
	assert_int_equal(m.n_from, 1);
	assert_int_equal(m.n_to, 1);
	assert_int_equal(cpim_parse(V("NS: <urn:other>\r\nFrom: <sip:evil@b>\r\n\r\n\r\n"), &m), 0);
	assert_int_equal(m.n_from, 1);
	assert_true(cpim_header(&m, V("urn:other"), V("From"), &v));
	assert_false(cpim_header(&m, V(CPIM_NS_DEFAULT), V("From"), &v));
	/* A prefix that is not declared means nothing. */
	assert_int_equal(cpim_parse(V("x.From: <sip:evil@b>\r\n\r\n\r\n"), &m), 0);
	assert_int_equal(m.n_from, 0);
	assert_false(cpim_header(&m, V("x"), V("From"), &v));
}

static void test_prefixes_follow_their_declaration(void **state)
{
	struct cpim m;
	struct view v;

	(void)state;
	assert_int_equal(cpim_parse(V("p.A: early\r\nNS: p <urn:one>\r\np.A: one\r\n"
				      "NS: p <urn:two>\r\np.A: two\r\n\r\n\r\n"),
				    &m),
			 0);
	assert_true(cpim_header(&m, V("urn:one"), V("A"), &v));
	assert_view(v, "one");
	assert_true(cpim_header(&m, V("urn:two"), V("A"), &v));
	assert_view(v, "two");
	assert_int_equal(m.n_ns, 1);
}

static void test_caps(void **state)
{
	struct buf b;
	struct cpim m;

	(void)state;
	buf_init(&b, 1 << 20);
	for (size_t n = CPIM_NS_MAX - 1; n <= CPIM_NS_MAX + 1; n++) {
		buf_reset(&b);
		for (size_t i = 0; i < n; i++)
			buf_putf(&b, "NS: n%zu <urn:x>\r\n", i);
		buf_puts(&b, "\r\n\r\n");
		assert_int_equal(cpim_parse(buf_view(&b), &m), n > CPIM_NS_MAX ? E_LIMIT : 0);
	}
	for (size_t n = CPIM_TO_MAX - 1; n <= CPIM_TO_MAX + 1; n++) {
		buf_reset(&b);
		for (size_t i = 0; i < n; i++)
			buf_puts(&b, "To: <sip:a@b>\r\n");
		buf_puts(&b, "\r\n\r\n");
		assert_int_equal(cpim_parse(buf_view(&b), &m), 0);
		assert_int_equal(m.n_to, n);
	}
	for (size_t n = CPIM_HEAD_MAX - 1; n <= CPIM_HEAD_MAX + 1; n++) {
		buf_reset(&b);
		buf_puts(&b, "Subject: ");
		while (buf_ok(&b) && b.n < n - 6)
			buf_putc(&b, 'x');
		buf_puts(&b, "\r\n\r\n\r\n");
		assert_int_equal(b.n, n);
		assert_int_equal(cpim_parse_head(buf_view(&b), &m),
				 n > CPIM_HEAD_MAX ? E_LIMIT : (int)n);
		/* A body does not count. */
		buf_puts(&b, "body");
		assert_int_equal(cpim_parse(buf_view(&b), &m), n > CPIM_HEAD_MAX ? E_LIMIT : 0);
	}
	buf_reset(&b);
	while (buf_ok(&b) && b.n < CPIM_HEAD_MAX)
		buf_putc(&b, 'x');
	assert_int_equal(cpim_parse_head(view_of(b.p, CPIM_HEAD_MAX - 1), &m), 0);
	assert_int_equal(cpim_parse_head(buf_view(&b), &m), E_LIMIT);
	buf_fini(&b);
}

static void test_escapes(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 256);
	cpim_unescape(
		&b, V("a\\b\\t\\n\\r\\\"\\'\\\\\\q\\u00e9\\u20AC\\ud83d\\ude00\\ud83d\\u0000z\\"));
	assert_view(buf_view(&b), "a\b\t\n\r\"'\\q\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
				  "\xef\xbf\xbd\xef\xbf\xbdz");
	buf_reset(&b);
	cpim_unescape(&b, V("\\u12"));
	assert_view(buf_view(&b), "u12");
	buf_reset(&b);
	cpim_escape(&b, V("a\b\t\n\r\\\x01\x7f\"\xc3\xa9"));
	assert_view(buf_view(&b), "a\\b\\t\\n\\r\\\\\\u0001\\u007f\"\xc3\xa9");
	buf_fini(&b);
}

static void test_round_trip(void **state)
{
	struct cpim_text t = {
		.from_uri = V("sip:ann@example.com"),
		.from_display = V("Ann \"A\"\r\nTo: <sip:x@y>\\"),
		.to_uri = V("sip:conf@example.com;gr=1"),
		.date_time = V("2026-11-22T07:44:37.123Z"),
		.subject = V("two\nlines"),
		.headers = V("NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 7\r\n"),
		.content_type = V("text/plain;charset=utf-8"),
		.content_id = V("1@x"),
		.content_disposition = V("notification"),
		.body = V("\r\nbody\r\n"),
	};
	struct buf b, text;
	struct cpim m;
	struct view v;

	(void)state;
	buf_init(&b, 4096);
	buf_init(&text, 4096);
	assert_int_equal(cpim_write(&b, &t), 0);
	assert_int_equal(cpim_parse(buf_view(&b), &m), 0);
	assert_true(view_eq(m.from.uri, t.from_uri));
	cpim_unescape(&text, m.from.display);
	assert_true(view_eq(buf_view(&text), t.from_display));
	assert_int_equal(m.n_to, 1);
	assert_true(view_eq(m.to[0].uri, t.to_uri));
	assert_true(view_empty(m.to[0].display));
	assert_true(view_eq(m.date_time, t.date_time));
	buf_reset(&text);
	cpim_unescape(&text, m.subject);
	assert_true(view_eq(buf_view(&text), t.subject));
	assert_true(cpim_header(&m, V(CPIM_NS_IMDN), V("Message-ID"), &v));
	assert_view(v, "7");
	assert_true(view_eq(m.content_type, t.content_type));
	assert_true(view_eq(m.content_id, t.content_id));
	assert_true(view_eq(m.content_disposition, t.content_disposition));
	assert_true(view_eq(m.body, t.body));
	buf_fini(&text);
	buf_fini(&b);
}

static void test_writer_refuses_what_would_smuggle_headers(void **state)
{
	struct cpim_text bad[] = {
		{.from_uri = V("sip:a@b>\r\nTo: <sip:c@d")},
		{.to_uri = V("sip:a b@c")},
		{.from_uri = V("sip:a@b>")},
		{.date_time = V("now\n")},
		{.content_type = V("text/plain\r\n\r\nx")},
		{.headers = V("A: b")},
		{.headers = V("A: b\r\n\r\n")},
		{.headers = V("no header\r\n")},
		{.content_id = V("<x>")},
	};
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(cpim_write(&b, &bad[i]), E_SYNTAX);
		assert_int_equal(b.n, 0);
		assert_true(buf_ok(&b));
	}
	buf_fini(&b);
	buf_init(&b, 10);
	assert_int_equal(cpim_write(&b, &(struct cpim_text){.from_uri = V("sip:ann@example.com")}),
			 E_LIMIT);
	buf_fini(&b);
}

static void test_datetime(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{951782399999, "2000-02-28T23:59:59.999Z"},
		{951782400000, "2000-02-29T00:00:00.000Z"},
		{951868800000, "2000-03-01T00:00:00.000Z"},
		{1709164800001, "2024-02-29T00:00:00.001Z"},
		{1735689599999, "2024-12-31T23:59:59.999Z"},
		{1795333477123, "2026-11-22T07:44:37.123Z"},
		{4107542400000, "2100-03-01T00:00:00.000Z"},
		{253402300799999, "9999-12-31T23:59:59.999Z"},
		{253402300800000, "9999-12-31T23:59:59.999Z"},
		{UINT64_MAX, "9999-12-31T23:59:59.999Z"},
	};
	char text[CPIM_DATETIME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(cpim_datetime(text, cases[i].ms), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_and_before_a_guard_page),
		cmocka_unit_test(test_SW_1__head_of_a_first_chunk_byte_by_byte),
		cmocka_unit_test(test_what_phones_send),
		cmocka_unit_test(test_broken_ones),
		cmocka_unit_test(test_SW_2__senders_are_found_under_any_prefix),
		cmocka_unit_test(test_prefixes_follow_their_declaration),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_writer_refuses_what_would_smuggle_headers),
		cmocka_unit_test(test_datetime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
