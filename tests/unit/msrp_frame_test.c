/* msrp/frame.h: RFC 4975 §7.1, §7.3.1 and §9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/error.h"
#include "guard_page.h"
#include "msrp/frame.h"

#include <stdio.h>
#include <stdlib.h>

#define PATHS                                                                                      \
	"To-Path: msrp://bo.example.com:8888/9di4eae923wzd;tcp\r\n"                                \
	"From-Path: msrp://ann.example.com:7777/iau39soe2843z;tcp\r\n"
#define FIRST_SEND                                                                                 \
	"MSRP d93kswow SEND\r\n" PATHS "Message-ID: 12339sdqwer\r\n"                               \
	"Byte-Range: 1-16/16\r\nContent-Type: text/plain\r\n\r\n"                                  \
	"Hi, I'm Alice!\r\n\r\n-------d93kswow$\r\n"
#define RESPONSE	    "MSRP d93kswow 200 OK\r\n" PATHS "-------d93kswow$\r\n"
#define assert_view(v, lit) assert_true(view_eq((v), VIEW(lit)))

/* Feeds one piece and writes what happened to log: "H<raw>", body bytes as they are between the
 * first "B" and the end, "E<flag>", "!<error>". Returns false when the stream broke. */
static bool feed(struct msrp_reader *r, struct view in, struct buf *log)
{
	struct msrp_event ev;

	for (;;) {
		int rc = msrp_reader_next(r, &in, &ev);

		if (rc == MSRP_EV_NEED_MORE) {
			assert_int_equal(in.n, 0);
			return true;
		}
		if (rc < 0) {
			buf_putf(log, "!%s<%.*s>", error_name(rc), VIEW_ARG(ev.head.tid));
			return false;
		}
		if (rc == MSRP_EV_HEAD) {
			buf_putf(log, "H%d<%.*s>%d", ev.head.is_request, VIEW_ARG(ev.head.raw),
				 ev.head.has_body);
			assert_true(msrp_reader_in_frame(r));
		} else if (rc == MSRP_EV_BODY) {
			assert_true(ev.body.n > 0);
			buf_put(log, ev.body);
		} else {
			buf_putf(log, "E%c", ev.flag);
			assert_false(msrp_reader_in_frame(r));
		}
	}
}

/* The log of a stream that is fed in pieces of `step` bytes, each before an unreadable page; 0:
 * whole, negative: random pieces of 1 to -step bytes. */
static char *events(struct view stream, int step, unsigned *seed)
{
	struct msrp_reader r;
	struct buf log;
	char *text;
	bool ok = true;

	buf_init(&log, 1 << 20);
	msrp_reader_init(&r);
	for (size_t at = 0; ok && at < stream.n;) {
		size_t n = step > 0 ? (size_t)step : stream.n;
		char *piece;

		if (step < 0)
			n = 1 + (size_t)rand_r(seed) % (size_t)-step;
		if (n > stream.n - at)
			n = stream.n - at;
		/* A heap copy of its exact size: the address sanitizer watches its end. */
		piece = malloc(n);
		memcpy(piece, stream.p + at, n);
		ok = feed(&r, view_of(piece, n), &log);
		free(piece);
		at += n;
	}
	if (ok && !msrp_reader_in_frame(&r) && r.carry_used == r.carry.n)
		buf_putc(&log, '.');
	msrp_reader_fini(&r);
	buf_putc(&log, '\0');
	assert_true(buf_ok(&log));
	text = strdup(log.p);
	buf_fini(&log);
	return text;
}

/* The events must be the same however the stream is cut. */
static void check(struct view stream, const char *expected)
{
	unsigned seed = 4711;

	for (int step = 0; step > -40; step--) {
		char *got = events(stream, step == -1 ? 1 : step, &seed);

		if (strcmp(got, expected) != 0)
			fail_msg("step %d\n got: %s\nwant: %s", step, got, expected);
		free(got);
	}
	for (int step = 2; step < 64; step++) {
		char *got = events(stream, step, &seed);

		assert_string_equal(got, expected);
		free(got);
	}
}

/* One whole stream before an unreadable page. */
static int first_event(const char *text, struct msrp_reader *r, struct msrp_event *ev)
{
	size_t n = strlen(text);
	struct view in = view_of(guard_copy(text, n), n);

	msrp_reader_init(r);
	return msrp_reader_next(r, &in, ev);
}

static void test_RFC4975_11_1__the_first_send_is_read(void **state)
{
	struct msrp_reader r;
	struct msrp_event ev;

	(void)state;
	assert_int_equal(first_event(FIRST_SEND, &r, &ev), MSRP_EV_HEAD);
	assert_true(ev.head.is_request);
	assert_int_equal(ev.head.method, MSRP_SEND);
	assert_view(ev.head.tid, "d93kswow");
	assert_view(ev.head.to_path, "msrp://bo.example.com:8888/9di4eae923wzd;tcp");
	assert_view(ev.head.message_id, "12339sdqwer");
	assert_true(ev.head.has_range);
	assert_int_equal(ev.head.start, 1);
	assert_int_equal(ev.head.end, 16);
	assert_int_equal(ev.head.total, 16);
	assert_view(ev.head.content_type, "text/plain");
	assert_int_equal(ev.head.failure_report, MSRP_FAILURE_YES);
	assert_false(ev.head.success_report);
	assert_true(ev.head.has_body);
	assert_int_equal(r.carry.size, 0);
	msrp_reader_fini(&r);
}

static void test_RFC4975_9__every_field_is_read(void **state)
{
	struct msrp_reader r;
	struct msrp_event ev;
	static const char text[] =
		"MSRP a1 REPORT\r\nX-Own: 1\r\nfrom-path:msrp://a;tcp\r\nTO-PATH:  msrp://b;tcp  "
		"\r\n"
		"Message-ID: m\r\nSuccess-Report: yes\r\nFailure-Report: partial\r\n"
		"Byte-Range: 7-*/*\r\nStatus: 000 413 Too big\r\nUse-Nickname: \"Al \\\" ice\"\r\n"
		"WWW-Authenticate: Digest x\r\nAuthorization: Digest y\r\n"
		"Authentication-Info: z\r\nExpires: 9\r\nMin-Expires: 8\r\nMax-Expires: 10\r\n"
		"Use-Path: msrp://c;tcp\r\n-------a1$\r\n";

	(void)state;
	assert_int_equal(first_event(text, &r, &ev), MSRP_EV_HEAD);
	assert_int_equal(ev.head.method, MSRP_REPORT);
	assert_view(ev.head.from_path, "msrp://a;tcp");
	assert_view(ev.head.to_path, "msrp://b;tcp");
	assert_true(ev.head.success_report);
	assert_int_equal(ev.head.failure_report, MSRP_FAILURE_PARTIAL);
	assert_int_equal(ev.head.start, 7);
	assert_true(ev.head.end == MSRP_UNKNOWN && ev.head.total == MSRP_UNKNOWN);
	assert_true(ev.head.has_status);
	assert_int_equal(ev.head.status_ns, 0);
	assert_int_equal(ev.head.status_code, 413);
	assert_view(ev.head.status_comment, "Too big");
	assert_view(ev.head.use_nickname, "Al \\\" ice");
	assert_view(ev.head.www_authenticate, "Digest x");
	assert_view(ev.head.authorization, "Digest y");
	assert_view(ev.head.authentication_info, "z");
	assert_view(ev.head.expires, "9");
	assert_view(ev.head.min_expires, "8");
	assert_view(ev.head.max_expires, "10");
	assert_view(ev.head.use_path, "msrp://c;tcp");
	assert_false(ev.head.has_body);
	msrp_reader_fini(&r);
}

static void test_RFC4975_9__responses(void **state)
{
	struct msrp_reader r;
	struct msrp_event ev;

	(void)state;
	assert_int_equal(first_event(RESPONSE, &r, &ev), MSRP_EV_HEAD);
	assert_false(ev.head.is_request);
	assert_int_equal(ev.head.status, 200);
	assert_view(ev.head.comment, "OK");
	msrp_reader_fini(&r);
	assert_int_equal(first_event("MSRP x 481\r\n" PATHS "-------x$\r\n", &r, &ev),
			 MSRP_EV_HEAD);
	assert_int_equal(ev.head.status, 481);
	assert_true(view_empty(ev.head.comment));
	msrp_reader_fini(&r);
}

static void test_RFC4975_7_3_1__without_a_range_the_whole_is_meant(void **state)
{
	struct msrp_reader r;
	struct msrp_event ev;

	(void)state;
	/* Doubango: a short numeric id, an empty SEND with neither Byte-Range nor Content-Type. */
	assert_int_equal(first_event("MSRP 17 SEND\r\n" PATHS "-------17$\r\n", &r, &ev),
			 MSRP_EV_HEAD);
	assert_false(ev.head.has_range);
	assert_int_equal(ev.head.start, 1);
	assert_true(ev.head.end == MSRP_UNKNOWN && ev.head.total == MSRP_UNKNOWN);
	msrp_reader_fini(&r);
}

static void test_stream_of_frames_is_cut_anywhere(void **state)
{
#define HEAD_OF(tid, range)                                                                        \
	"MSRP " tid " SEND\r\n" PATHS "Message-ID: m\r\nByte-Range: " range                        \
	"\r\nContent-Type: text/plain\r\n"
	(void)state;
	check(VIEW(FIRST_SEND RESPONSE),
	      "H1<MSRP d93kswow SEND\r\n" PATHS
	      "Message-ID: 12339sdqwer\r\nByte-Range: 1-16/16\r\nContent-Type: text/plain\r\n>1"
	      "Hi, I'm Alice!\r\nE$H0<MSRP d93kswow 200 OK\r\n" PATHS ">0E$.");
	/* The end-line of another frame, and all kinds of beginnings of the own one, are body. */
	check(VIEW(HEAD_OF("abcd", "1-*/*") "\r\n\r\n-------abce$\r\n\r\n-------abcd*\r\n"
					    "\r\r\n-------abcd$\r\r\n-------abcd$x\r\n---"
					    "-------abcd$\r\n\r\n-------abcd+$\r\n\r"
					    "\r\n-------abcd#\r\n"),
	      "H1<" HEAD_OF("abcd", "1-*/*") ">1\r\n-------abce$\r\n\r\n-------abcd*\r\n"
					     "\r\r\n-------abcd$\r\r\n-------abcd$x\r\n---"
					     "-------abcd$\r\n\r\n-------abcd+$\r\n\rE#.");
}

static void test_RFC4975_7_1__bodies_empty_and_absent(void **state)
{
	(void)state;
	check(VIEW(HEAD_OF("aa", "1-0/0") "\r\n\r\n-------aa$\r\n" RESPONSE),
	      "H1<" HEAD_OF("aa", "1-0/0") ">1E$H0<MSRP d93kswow 200 OK\r\n" PATHS ">0E$.");
	check(VIEW(HEAD_OF("aa", "1-*/*") "\r\n\r\n-------aa$\r\n"),
	      "H1<" HEAD_OF("aa", "1-*/*") ">1E$.");
	check(VIEW(HEAD_OF("aa", "1-0/0") "-------aa$\r\n"), "H1<" HEAD_OF("aa", "1-0/0") ">0E$.");
	/* The empty line, and then no CRLF of the end-line's own. */
	check(VIEW(HEAD_OF("aa", "1-0/0") "\r\n-------aa$\r\n"),
	      "H1<" HEAD_OF("aa", "1-0/0") ">1E$.");
	check(VIEW(HEAD_OF("aa", "1-*/*") "\r\n-------aa$\r-------\r\n-------aa+\r\n"),
	      "H1<" HEAD_OF("aa", "1-*/*") ">1-------aa$\r-------E+.");
}

static void test_RFC4975_7_3_1__the_promised_end_is_only_a_hint(void **state)
{
	(void)state;
	/* Interrupted before it, */
	check(VIEW(HEAD_OF("aa", "1-500/500") "\r\nshort\r\n-------aa+\r\n" RESPONSE),
	      "H1<" HEAD_OF("aa", "1-500/500") ">1shortE+H0<MSRP d93kswow 200 OK\r\n" PATHS
					       ">0E$.");
	/* and gone past. */
	check(VIEW(HEAD_OF("aa", "1-3/3") "\r\nlong\r\n-------aa$\r\n" RESPONSE),
	      "H1<" HEAD_OF("aa", "1-3/3") ">1longE$H0<MSRP d93kswow 200 OK\r\n" PATHS ">0E$.");
	check(VIEW(HEAD_OF("aa", "9-3/3") "\r\nlong\r\n-------aa$\r\n"),
	      "H1<" HEAD_OF("aa", "9-3/3") ">1longE$.");
}

static void test_body_is_not_copied(void **state)
{
	struct msrp_reader r;
	struct msrp_event ev;
	struct view in = VIEW(FIRST_SEND), all = in;

	(void)state;
	msrp_reader_init(&r);
	assert_int_equal(msrp_reader_next(&r, &in, &ev), MSRP_EV_HEAD);
	assert_ptr_equal(ev.head.raw.p, all.p);
	assert_int_equal(msrp_reader_next(&r, &in, &ev), MSRP_EV_BODY);
	assert_true(ev.body.p > all.p && ev.body.p < all.p + all.n);
	assert_view(ev.body, "Hi, I'm Alice!\r\n");
	assert_int_equal(msrp_reader_next(&r, &in, &ev), MSRP_EV_END);
	assert_int_equal(ev.flag, '$');
	assert_int_equal(msrp_reader_next(&r, &in, &ev), MSRP_EV_NEED_MORE);
	assert_null(r.carry.p);
	msrp_reader_fini(&r);
}

static void test_carry_is_given_back(void **state)
{
	struct msrp_reader r;
	struct buf log;
	struct view all = VIEW(FIRST_SEND);

	(void)state;
	buf_init(&log, 4096);
	msrp_reader_init(&r);
	/* Cut in the head, then in the end-line: of the body only its beginning is kept. */
	assert_true(feed(&r, view_first(all, 40), &log));
	assert_int_equal(r.carry.n, 40);
	assert_true(feed(&r, view_of(all.p + 40, all.n - 45), &log));
	assert_int_equal(r.carry.n, strlen("\r\n-------d93kswow$\r\n") - 5);
	assert_true(feed(&r, view_from(all, all.n - 5), &log));
	assert_true(feed(&r, view_of("", 0), &log));
	assert_null(r.carry.p);
	msrp_reader_fini(&r);
	buf_fini(&log);
}

static void test_SW_5__bad_framing_breaks_the_stream(void **state)
{
	static const char *const bad[] = {
		"GET / HTTP/1.1\r\n\r\n",
		"\x16\x03\x01",
		"MSRPabc",
		"msrp a SEND\r\n",
		"MSRP  SEND\r\n",
		"MSRP a\r\n",
		"MSRP a \r\n",
		"MSRP a send\r\n",
		"MSRP a SEND \r\n",
		"MSRP a 2000\r\n",
		"MSRP a*b SEND\r\n",
		"MSRP a SEND\n",
		"MSRP 123456789012345678901234567890123 SEND\r\n",
		"MSRP a SEND\r\n-------a$\r\n",
		"MSRP a SEND\r\nTo-Path: msrp://a;tcp\r\n-------a$\r\n",
		"MSRP a SEND\r\nFrom-Path: msrp://a;tcp\r\n\r\n",
		"MSRP a SEND\r\n" PATHS "-------b$\r\n",
		"MSRP a SEND\r\n" PATHS "-------a!\r\n",
		"MSRP a SEND\r\n" PATHS "-------a\r\n",
		"MSRP a SEND\r\n" PATHS "-------a$$\r\n",
		"MSRP a SEND\r\n" PATHS "To-Path: msrp://a;tcp\r\n-------a$\r\n",
		"MSRP a SEND\r\n" PATHS "Message-ID: 1\r\nMessage-ID: 1\r\n-------a$\r\n",
		"MSRP a SEND\r\n" PATHS "Message-ID: 1 2\r\n-------a$\r\n",
		"MSRP a SEND\r\n" PATHS "Nonsense\r\n-------a$\r\n",
		"MSRP a SEND\r\n" PATHS ": x\r\n-------a$\r\n",
		"MSRP a SEND\r\n" PATHS "A b: x\r\n-------a$\r\n",
		"MSRP a SEND\r\n" PATHS "A: x\ry\r\n-------a$\r\n",
		"MSRP a SEND\r\n" PATHS "A: x\n-------a$\r\n",
		"MSRP a SEND\r\n" PATHS "Byte-Range: 1-2\r\n-------a$\r\n",
		"MSRP a SEND\r\n" PATHS "Byte-Range: *-2/3\r\n-------a$\r\n",
		"MSRP a SEND\r\n" PATHS "Byte-Range: 1-99999999999999999999/3\r\n-------a$\r\n",
		"MSRP a SEND\r\n" PATHS "Byte-Range: 1-18446744073709551615/3\r\n-------a$\r\n",
		"MSRP a REPORT\r\n" PATHS "Status: 0 200\r\n-------a$\r\n",
		"MSRP a REPORT\r\n" PATHS "Status: 000\r\n-------a$\r\n",
		"MSRP a REPORT\r\n" PATHS "Status: 000 20\r\n-------a$\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unsigned seed = (unsigned)i;
		struct view text = view_str(bad[i]);
		char *whole = events(text, 0, &seed), *bytes = events(text, 1, &seed);

		if (!strstr(whole, "!E_SYNTAX"))
			fail_msg("taken: %s", bad[i]);
		assert_string_equal(whole, bytes);
		free(whole);
		free(bytes);
	}
}

static void test_error_leaves_what_a_last_400_needs(void **state)
{
	struct msrp_reader r;
	struct msrp_event ev;

	(void)state;
	assert_int_equal(first_event("MSRP a SEND\r\nNonsense\r\n" PATHS "-------a$\r\n", &r, &ev),
			 E_SYNTAX);
	assert_view(ev.head.tid, "a");
	assert_view(ev.head.from_path, "msrp://ann.example.com:7777/iau39soe2843z;tcp");
	msrp_reader_fini(&r);
}

static void test_limits(void **state)
{
	struct buf b;
	unsigned seed = 1;
	char *got;

	(void)state;
	buf_init(&b, 100000);
	/* 32 fields pass, 33 do not. */
	for (int extra = 30; extra <= 31; extra++) {
		buf_reset(&b);
		buf_puts(&b, "MSRP a SEND\r\n" PATHS);
		for (int i = 0; i < extra; i++)
			buf_puts(&b, "X: y\r\n");
		buf_puts(&b, "-------a$\r\n");
		for (int step = 0; step < 2; step++) {
			got = events(buf_view(&b), step, &seed);
			if (extra == 30)
				assert_non_null(strstr(got, ">0E$."));
			else
				assert_string_equal(got, "!E_LIMIT<a>");
			free(got);
		}
	}
	/* A head of exactly the most bytes, and of one more. */
	for (size_t over = 0; over <= 1; over++) {
		size_t fill;

		buf_reset(&b);
		buf_puts(&b, "MSRP a SEND\r\n" PATHS "X: ");
		fill = MSRP_HEAD_BYTES_MAX + over - b.n - strlen("\r\n-------a$\r\n");
		for (size_t i = 0; i < fill; i++)
			buf_putc(&b, 'x');
		buf_puts(&b, "\r\n-------a$\r\n");
		for (int step = 0; step < 4; step++) {
			got = events(buf_view(&b), step, &seed);
			assert_non_null(strstr(got, over ? "!E_LIMIT<a>" : ">0E$."));
			free(got);
		}
	}
	buf_fini(&b);
}

static void test_long_body_in_pieces(void **state)
{
	enum { N = 300000 };
	struct buf b;
	unsigned seed = 99;

	(void)state;
	printf("seed %u\n", seed);
	for (int known = 0; known <= 1; known++) {
		size_t head_n;

		buf_init(&b, 2 * N);
		buf_putf(&b, "MSRP a SEND\r\n" PATHS "Byte-Range: 1-%s/%d\r\n\r\n",
			 known ? "300000" : "*", N);
		head_n = b.n;
		for (int i = 0; i < N; i++)
			buf_putc(&b, "\r\n-------a$\r"[rand_r(&seed) % 12]);
		/* Whatever of that forms an end-line is spoilt. */
		for (size_t i = head_n; i + 1 < b.n; i++)
			if (b.p[i] == '$')
				b.p[i] = '*';
		buf_puts(&b, "\r\n-------a$\r\n");
		for (int step = 0; step < 8; step++) {
			char *got = events(buf_view(&b), step ? -10000 : 0, &seed);
			char *at = strstr(got, ">1");

			assert_non_null(at);
			assert_int_equal(strlen(at), 2 + N + 3);
			assert_memory_equal(at + 2, b.p + head_n, N);
			assert_string_equal(at + 2 + N, "E$.");
			free(got);
		}
		buf_fini(&b);
	}
}

static void test_methods_and_reasons(void **state)
{
	(void)state;
	assert_int_equal(msrp_method_of(VIEW("SEND")), MSRP_SEND);
	assert_int_equal(msrp_method_of(VIEW("NICKNAME")), MSRP_NICKNAME);
	assert_int_equal(msrp_method_of(VIEW("AUTH")), MSRP_AUTH);
	assert_int_equal(msrp_method_of(VIEW("send")), MSRP_METHOD_OTHER);
	assert_string_equal(msrp_reason(200), "OK");
	assert_string_equal(msrp_reason(299), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC4975_11_1__the_first_send_is_read),
		cmocka_unit_test(test_RFC4975_9__every_field_is_read),
		cmocka_unit_test(test_RFC4975_9__responses),
		cmocka_unit_test(test_RFC4975_7_3_1__without_a_range_the_whole_is_meant),
		cmocka_unit_test(test_stream_of_frames_is_cut_anywhere),
		cmocka_unit_test(test_RFC4975_7_1__bodies_empty_and_absent),
		cmocka_unit_test(test_RFC4975_7_3_1__the_promised_end_is_only_a_hint),
		cmocka_unit_test(test_body_is_not_copied),
		cmocka_unit_test(test_carry_is_given_back),
		cmocka_unit_test(test_SW_5__bad_framing_breaks_the_stream),
		cmocka_unit_test(test_error_leaves_what_a_last_400_needs),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_long_body_in_pieces),
		cmocka_unit_test(test_methods_and_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
