#include "sip/write.h"
#include "sip/value.h"
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void assert_text(struct buf *b, const char *text)
{
	assert_true(buf_ok(b));
	if (!view_eq(buf_view(b), view_str(text)))
		fail_msg("got\n%.*s\nand not\n%s", VIEW_ARG(buf_view(b)), text);
	buf_reset(b);
}

static struct buf buffer(void)
{
	struct buf b;

	buf_init(&b, 10000);
	return b;
}

static void test_request_and_back(void **state)
{
	struct buf b = buffer();
	struct sip_msg m;

	(void)state;
	sip_write_request_line(&b, VIEW("MESSAGE"), VIEW("sip:bo@example.org"));
	sip_write_field(&b, "Call-ID", VIEW("x@y"));
	sip_write_fieldf(&b, "CSeq", "%u %s", 7u, "MESSAGE");
	sip_write_body(&b, VIEW("text/plain"), VIEW("hello"));
	assert_int_equal(sip_msg_parse(buf_view(&b), &m), 0);
	assert_int_equal(m.method, SIP_MESSAGE);
	assert_true(view_eq(m.uri, VIEW("sip:bo@example.org")));
	assert_true(view_eq(m.body, VIEW("hello")));
	assert_text(&b, "MESSAGE sip:bo@example.org SIP/2.0\r\nCall-ID: x@y\r\nCSeq: 7 MESSAGE\r\n"
			"Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
	buf_fini(&b);
}

static void test_status_lines_and_empty_body(void **state)
{
	struct buf b = buffer();

	(void)state;
	sip_write_status_line(&b, 486, NULL);
	sip_write_body(&b, VIEW(""), VIEW(""));
	assert_text(&b, "SIP/2.0 486 Busy Here\r\nContent-Length: 0\r\n\r\n");
	sip_write_status_line(&b, 400, "Missing Via");
	assert_text(&b, "SIP/2.0 400 Missing Via\r\n");
	buf_fini(&b);
}

/* What somebody else chose must not begin a line of its own. */
static void test_no_line_can_be_smuggled_in(void **state)
{
	struct buf b = buffer();

	(void)state;
	sip_write_field(&b, "Subject", VIEW("a\r\nVia: b\n\n\rc\r\n"));
	assert_text(&b, "Subject: a Via: b c\r\n");
	sip_write_fieldf(&b, "Subject", "%s", "a\r\nVia: b");
	assert_text(&b, "Subject: a  Via: b\r\n");
	sip_write_status_line(&b, 400, "a\r\nb");
	assert_text(&b, "SIP/2.0 400 a b\r\n");
	sip_write_request_line(&b, VIEW("BYE"), VIEW("sip:a SIP/2.0\r\nX:"));
	assert_false(buf_ok(&b));
	buf_reset(&b);
	sip_write_request_line(&b, VIEW("BYE X"), VIEW("sip:a"));
	assert_false(buf_ok(&b));
	buf_fini(&b);
}

static const char request[] =
	"INVITE sip:b@c SIP/2.0\r\nv: SIP/2.0/UDP one;branch=z9hG4bK1,SIP/2.0/UDP two\r\n"
	"f: Ann\r\n\t<sip:a@b>;tag=1\r\nt: sip:b@c\r\nVia: SIP/2.0/TCP three\r\ni: x@y\r\n"
	"CSeq: 7  INVITE\r\nRecord-Route: <sip:p1;lr>, <sip:p2;lr>\r\nTimestamp: 54\r\n"
	"X-Own: 1\r\nRecord-Route: <sip:p3;lr>\r\nl: 0\r\n\r\n";
#define COMMON_VIA                                                                                 \
	"Via: SIP/2.0/UDP one;branch=z9hG4bK1,SIP/2.0/UDP two\r\nVia: SIP/2.0/TCP three\r\n"
#define COMMON_FROM "From: Ann <sip:a@b>;tag=1\r\n"
#define COMMON_END  "Call-ID: x@y\r\nCSeq: 7  INVITE\r\n"
#define ROUTES	    "Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p3;lr>\r\n"

static void test_copy(void **state)
{
	struct buf b = buffer();
	struct sip_msg m;

	(void)state;
	assert_int_equal(sip_msg_parse(view_str(request), &m), 0);
	sip_write_copy(&b, &m, SIP_H_VIA);
	assert_text(&b, COMMON_VIA);
	sip_write_copy(&b, &m, SIP_H_FROM);
	assert_text(&b, COMMON_FROM);
	sip_write_copy(&b, &m, SIP_H_OTHER);
	assert_text(&b, "X-Own: 1\r\n");
	sip_write_copy(&b, &m, SIP_H_CONTACT);
	assert_text(&b, "");
	buf_fini(&b);
}

static void test_response_heads(void **state)
{
	struct buf b = buffer();
	struct sip_msg m;

	(void)state;
	assert_int_equal(sip_msg_parse(view_str(request), &m), 0);
	sip_write_response_head(&b, &m, 100, NULL, VIEW("T"));
	assert_text(&b, "SIP/2.0 100 Trying\r\n" COMMON_VIA COMMON_FROM "To: sip:b@c\r\n" COMMON_END
			"Timestamp: 54\r\n");
	sip_write_response_head(&b, &m, 180, NULL, VIEW("T"));
	assert_text(&b, "SIP/2.0 180 Ringing\r\n" COMMON_VIA COMMON_FROM
			"To: sip:b@c;tag=T\r\n" COMMON_END ROUTES);
	sip_write_response_head(&b, &m, 404, "No Such One", VIEW("T"));
	assert_text(&b, "SIP/2.0 404 No Such One\r\n" COMMON_VIA COMMON_FROM
			"To: sip:b@c;tag=T\r\n" COMMON_END);
	sip_write_response_head(&b, &m, 200, NULL, VIEW(""));
	assert_text(&b, "SIP/2.0 200 OK\r\n" COMMON_VIA COMMON_FROM
			"To: sip:b@c\r\n" COMMON_END ROUTES);
	buf_fini(&b);
}

static void test_response_keeps_a_to_tag(void **state)
{
	struct buf b = buffer();
	struct sip_msg m;

	(void)state;
	assert_int_equal(
		sip_msg_parse(VIEW("BYE sip:b@c SIP/2.0\r\nt: \"x;tag=no\" <sip:b@c;tag=no>"
				   ";Tag=5\r\nRecord-Route: <sip:p>\r\n\r\n"),
			      &m),
		0);
	sip_write_response_head(&b, &m, 200, NULL, VIEW("T"));
	assert_text(&b, "SIP/2.0 200 OK\r\nTo: \"x;tag=no\" <sip:b@c;tag=no>;Tag=5\r\n");
	assert_int_equal(
		sip_msg_parse(VIEW("BYE sip:b@c SIP/2.0\r\nt: \"x;tag=no\" <sip:b@c;tag=no>"
				   "\r\n\r\n"),
			      &m),
		0);
	sip_write_response_head(&b, &m, 481, NULL, VIEW("T"));
	assert_text(&b, "SIP/2.0 481 Call/Transaction Does Not Exist\r\n"
			"To: \"x;tag=no\" <sip:b@c;tag=no>;tag=T\r\n");
	buf_fini(&b);
}

static void test_response_to_what_is_broken(void **state)
{
	struct buf b = buffer();
	struct sip_msg m;

	(void)state;
	assert_int_equal(
		sip_msg_parse(VIEW("BYE sip:b SIP/2.0\r\nt: \"x\r\nf: 1\r\nf: 2\r\n\r\n"), &m), 0);
	sip_write_response_head(&b, &m, 400, NULL, VIEW("T"));
	assert_text(&b, "SIP/2.0 400 Bad Request\r\nFrom: 1\r\nTo: \"x\r\n");
	buf_fini(&b);
}

/* Each cap below the length fails, and is told. */
static void test_every_cap_is_told(void **state)
{
	struct sip_msg m;
	size_t whole;
	struct buf b = buffer();

	(void)state;
	assert_int_equal(sip_msg_parse(view_str(request), &m), 0);
	sip_write_response_head(&b, &m, 200, NULL, VIEW("T"));
	sip_write_fieldf(&b, "Contact", "<sip:%s>", "me");
	sip_write_body(&b, VIEW("text/plain"), VIEW("hello"));
	whole = b.n;
	buf_fini(&b);
	for (size_t max = 0; max <= whole; max++) {
		buf_init(&b, max);
		sip_write_response_head(&b, &m, 200, NULL, VIEW("T"));
		sip_write_fieldf(&b, "Contact", "<sip:%s>", "me");
		sip_write_body(&b, VIEW("text/plain"), VIEW("hello"));
		assert_int_equal(buf_ok(&b), max == whole);
		assert_true(b.n <= max);
		buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_and_back),
		cmocka_unit_test(test_status_lines_and_empty_body),
		cmocka_unit_test(test_no_line_can_be_smuggled_in),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_response_heads),
		cmocka_unit_test(test_response_keeps_a_to_tag),
		cmocka_unit_test(test_response_to_what_is_broken),
		cmocka_unit_test(test_every_cap_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
