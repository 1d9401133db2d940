#include "sip/stream.h"
#include "sip/msg.h"
#include "base/error.h"

#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define HEAD(length) "MESSAGE sip:bo@example.org SIP/2.0\r\nX: 1\r\n" length "\r\n"
static const char one[] = HEAD("Content-Length: 5\r\n") "hello";
static const char folded[] = HEAD("l :\r\n 3\r\n") "abc";
static const char bare_lf[] = "OPTIONS sip:a SIP/2.0\ncontent-LENGTH: 2\n\nhi";
static const char no_body[] = HEAD("L:0\r\n");

/* Events as text: M(message) P p ! */
struct events {
	struct buf text;
	int error;
};

static void run(struct events *e, struct view all, size_t piece, size_t max)
{
	struct sip_stream s;

	sip_stream_init(&s, max);
	buf_init(&e->text, 1 << 20);
	e->error = 0;
	for (size_t at = 0; at < all.n && !e->error; at += piece) {
		struct view part = view_first(view_from(all, at), piece);
		/* Each piece ends at an unreadable page. */
		struct view in = view_of(guard_copy(part.p, part.n), part.n), m;
		int rc;

		while ((rc = sip_stream_feed(&s, &in, &m)) != SIP_STREAM_NEED_MORE) {
			if (rc < 0) {
				e->error = rc;
				buf_putf(&e->text, "!(%.*s)", VIEW_ARG(m));
				break;
			}
			if (rc == SIP_STREAM_MESSAGE)
				buf_putf(&e->text, "M(%.*s)", VIEW_ARG(m));
			else
				buf_puts(&e->text, rc == SIP_STREAM_PING ? "P" : "p");
		}
		if (rc == SIP_STREAM_NEED_MORE)
			assert_int_equal(in.n, 0);
	}
	sip_stream_fini(&s);
}

static void assert_events(struct view all, size_t max, const char *want, int error)
{
	for (size_t piece = 1; piece <= all.n; piece += piece < 16 ? 1 : 37) {
		struct events e;

		run(&e, all, piece, max);
		if (!view_eq(buf_view(&e.text), view_str(want)) || e.error != error)
			fail_msg("in pieces of %zu: %.*s %s", piece, VIEW_ARG(buf_view(&e.text)),
				 error_name(e.error));
		buf_fini(&e.text);
	}
}

static void assert_events_whole(struct view all, size_t max, const char *want, int error)
{
	struct events e;

	run(&e, all, all.n, max);
	assert_true(view_eq(buf_view(&e.text), view_str(want)));
	assert_int_equal(e.error, error);
	buf_fini(&e.text);
}

static void test_messages_in_any_pieces(void **state)
{
	struct buf all, want;

	(void)state;
	buf_init(&all, 10000);
	buf_init(&want, 10000);
	buf_putf(&all, "%s%s\r\n%s\r\n\r\n%s\n\n\n%s", one, folded, no_body, bare_lf, one);
	buf_putf(&want, "M(%s)M(%s)pM(%s)pPM(%s)pPpM(%s)", one, folded, no_body, bare_lf, one);
	buf_putc(&want, '\0');
	assert_true(buf_ok(&all) && buf_ok(&want));
	assert_events(buf_view(&all), 1000, want.p, 0);
	assert_events_whole(buf_view(&all), 1000, want.p, 0);
	buf_fini(&all);
	buf_fini(&want);
}

static void test_keep_alive(void **state)
{
	(void)state;
	assert_events(VIEW("\r\n"), 100, "p", 0);
	assert_events(VIEW("\r\n\r\n"), 100, "pP", 0);
	assert_events(VIEW("\r\n\r\n\r\n\r\n"), 100, "pPpP", 0);
	assert_events(VIEW("\r"), 100, "", 0);
	assert_events(VIEW("\r\r"), 100, "!()", E_SYNTAX);
	assert_events(VIEW("\r\n\rA"), 100, "p!()", E_SYNTAX);
}

static void test_broken_streams(void **state)
{
	static const char none[] = HEAD(""), negative[] = HEAD("Content-Length: -1\r\n"),
			  word[] = HEAD("Content-Length: five\r\n"),
			  two[] = HEAD("Content-Length: 5\r\nl: 6\r\n"),
			  huge[] = HEAD("Content-Length: 18446744073709551617\r\n"),
			  big[] = HEAD("Content-Length: 18446744073709551615\r\n"),
			  over[] = HEAD("Content-Length: 900\r\n");
	static const struct {
		const char *text;
		int error;
	} rows[] = {{none, E_SYNTAX}, {negative, E_SYNTAX}, {word, E_SYNTAX}, {two, E_SYNTAX},
		    {huge, E_SYNTAX}, {big, E_LIMIT},	    {over, E_LIMIT}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf want;

		/* The head is there for a last answer. */
		buf_init(&want, 1000);
		buf_putf(&want, "!(%s)", rows[i].text);
		buf_putc(&want, '\0');
		assert_events(view_str(rows[i].text), 900, want.p, rows[i].error);
		buf_fini(&want);
	}
}

static void test_equal_lengths_agree(void **state)
{
	static const char text[] = HEAD("Content-Length: 2\r\nl: 02\r\n") "ab";
	struct view in = view_str(text), m;
	struct sip_stream s;

	(void)state;
	sip_stream_init(&s, 1000);
	assert_int_equal(sip_stream_feed(&s, &in, &m), SIP_STREAM_MESSAGE);
	assert_int_equal(m.n, sizeof(text) - 1);
	sip_stream_fini(&s);
}

static void test_caps(void **state)
{
	struct buf b;

	(void)state;
	/* Exactly as long as the cap, and one more. */
	assert_events_whole(view_str(one), sizeof(one) - 1,
			    "M(" HEAD("Content-Length: 5\r\n") "hello)", 0);
	assert_events(view_str(one), sizeof(one) - 2, "!(" HEAD("Content-Length: 5\r\n") ")",
		      E_LIMIT);
	/* A head that does not end. */
	buf_init(&b, 1 << 20);
	buf_puts(&b, "OPTIONS sip:a SIP/2.0\r\nX: ");
	while (buf_ok(&b) && b.n <= SIP_HEAD_BYTES_MAX)
		buf_puts(&b, "0123456789abcdef");
	assert_events_whole(buf_view(&b), 1 << 20, "!()", E_LIMIT);
	assert_events_whole(buf_view(&b), 100, "!()", E_LIMIT);
	assert_events(view_first(buf_view(&b), 101), 100, "!()", E_LIMIT);
	assert_events(view_first(buf_view(&b), 100), 100, "", 0);
	buf_fini(&b);
}

static void test_whole_message_is_not_copied(void **state)
{
	struct view in = view_str(one), m;
	struct sip_stream s;

	(void)state;
	sip_stream_init(&s, 1000);
	assert_int_equal(sip_stream_feed(&s, &in, &m), SIP_STREAM_MESSAGE);
	assert_ptr_equal(m.p, one);
	assert_null(s.pending.p);
	assert_int_equal(in.n, 0);
	sip_stream_fini(&s);
}

static void test_storage_only_while_incomplete(void **state)
{
	struct view in = view_of(one, 20), m;
	struct sip_stream s;

	(void)state;
	sip_stream_init(&s, 1000);
	assert_int_equal(sip_stream_feed(&s, &in, &m), SIP_STREAM_NEED_MORE);
	assert_non_null(s.pending.p);
	in = view_from(view_str(one), 20);
	assert_int_equal(sip_stream_feed(&s, &in, &m), SIP_STREAM_MESSAGE);
	assert_true(view_eq(m, view_str(one)));
	assert_int_equal(sip_stream_feed(&s, &in, &m), SIP_STREAM_NEED_MORE);
	assert_null(s.pending.p);
	sip_stream_fini(&s);
}

static void test_error_is_sticky(void **state)
{
	struct view in = VIEW("\rX"), m;
	struct sip_stream s;

	(void)state;
	sip_stream_init(&s, 1000);
	assert_int_equal(sip_stream_feed(&s, &in, &m), E_SYNTAX);
	in = view_str(one);
	assert_int_equal(sip_stream_feed(&s, &in, &m), E_SYNTAX);
	sip_stream_fini(&s);
}

/* What the stream cuts out, the parser takes as whole. */
static void test_framing_agrees_with_the_parser(void **state)
{
	static const char *const texts[] = {one, folded, bare_lf, no_body};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct view in = view_str(texts[i]), v = VIEW("");
		struct sip_stream s;
		struct sip_msg m;

		sip_stream_init(&s, 1000);
		assert_int_equal(sip_stream_feed(&s, &in, &v), SIP_STREAM_MESSAGE);
		assert_int_equal(sip_msg_parse(v, &m), 0);
		assert_int_equal(m.raw.n, v.n);
		sip_stream_fini(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_in_any_pieces),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_broken_streams),
		cmocka_unit_test(test_equal_lengths_agree),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_whole_message_is_not_copied),
		cmocka_unit_test(test_storage_only_while_incomplete),
		cmocka_unit_test(test_error_is_sticky),
		cmocka_unit_test(test_framing_agrees_with_the_parser),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
