/* msrp/write.h: RFC 4975 §7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "msrp/write.h"

#define ANN   "msrp://ann.example.com:7777/iau39soe2843z;tcp"
#define BO    "msrp://bo.example.com:8888/9di4eae923wzd;tcp"
#define RELAY "msrp://relay.example.com:2855/r1;tcp"

static void assert_wrote(struct buf *b, const char *expected)
{
	assert_true(buf_ok(b));
	buf_putc(b, '\0');
	assert_string_equal(b->p, expected);
	buf_reset(b);
}

static void test_RFC4975_11_1__the_first_send_is_written(void **state)
{
	struct buf b;
	struct msrp_send_head h = {
		.tid = VIEW("d93kswow"),
		.to_path = VIEW(BO),
		.from_path = VIEW(ANN),
		.message_id = VIEW("12339sdqwer"),
		.start = 1,
		.end = 16,
		.total = 16,
		.content_type = VIEW("text/plain"),
	};

	(void)state;
	buf_init(&b, 4096);
	msrp_write_send(&b, &h);
	buf_puts(&b, "Hi, I'm Alice!\r\n");
	msrp_write_end(&b, h.tid, '$', true);
	assert_wrote(&b,
		     "MSRP d93kswow SEND\r\nTo-Path: " BO "\r\nFrom-Path: " ANN "\r\n"
		     "Message-ID: 12339sdqwer\r\nByte-Range: 1-16/16\r\n"
		     "Content-Type: text/plain\r\n\r\nHi, I'm Alice!\r\n\r\n-------d93kswow$\r\n");
	h.content_type = (struct view){0};
	h.end = h.total = MSRP_UNKNOWN;
	h.success_report = true;
	h.failure_report = MSRP_FAILURE_PARTIAL;
	msrp_write_send(&b, &h);
	msrp_write_end(&b, h.tid, '+', false);
	assert_wrote(&b, "MSRP d93kswow SEND\r\nTo-Path: " BO "\r\nFrom-Path: " ANN "\r\n"
			 "Message-ID: 12339sdqwer\r\nSuccess-Report: yes\r\n"
			 "Failure-Report: partial\r\nByte-Range: 1-*/*\r\n-------d93kswow+\r\n");
	buf_fini(&b);
}

static void test_RFC4975_7_2__responses_go_to_the_last_hop_or_all_the_way(void **state)
{
	struct buf b;
	struct msrp_head req = {
		.is_request = true,
		.method = MSRP_SEND,
		.tid = VIEW("tid1"),
		.to_path = VIEW(BO),
		.from_path = VIEW(RELAY " " ANN),
	};

	(void)state;
	buf_init(&b, 4096);
	msrp_write_response(&b, &req, 200, NULL);
	assert_wrote(&b, "MSRP tid1 200 OK\r\nTo-Path: " RELAY "\r\nFrom-Path: " BO "\r\n"
			 "-------tid1$\r\n");
	req.method = MSRP_NICKNAME;
	msrp_write_response(&b, &req, 425, "Taken");
	assert_wrote(&b, "MSRP tid1 425 Taken\r\nTo-Path: " RELAY " " ANN "\r\nFrom-Path: " BO
			 "\r\n-------tid1$\r\n");
	msrp_write_response(&b, &req, 299, NULL);
	assert_wrote(&b, "MSRP tid1 299\r\nTo-Path: " RELAY " " ANN "\r\nFrom-Path: " BO
			 "\r\n-------tid1$\r\n");
	buf_fini(&b);
}

static void test_RFC4975_7_1_2__a_report(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	msrp_write_report(&b, VIEW("tid2"), VIEW(RELAY " " ANN), VIEW(BO), VIEW("m1"), 1, 39, 39,
			  200, NULL);
	assert_wrote(&b, "MSRP tid2 REPORT\r\nTo-Path: " RELAY " " ANN "\r\nFrom-Path: " BO "\r\n"
			 "Message-ID: m1\r\nByte-Range: 1-39/39\r\nStatus: 000 200 OK\r\n"
			 "-------tid2$\r\n");
	buf_fini(&b);
}

static void test_written_is_read(void **state)
{
	struct msrp_reader r;
	struct msrp_event ev;
	struct buf b;
	struct view in;

	(void)state;
	buf_init(&b, 4096);
	msrp_write_report(&b, VIEW("tid2"), VIEW(ANN), VIEW(BO), VIEW("m1"), 1, 39, MSRP_UNKNOWN,
			  413, "Too \"big\"");
	in = buf_view(&b);
	msrp_reader_init(&r);
	assert_int_equal(msrp_reader_next(&r, &in, &ev), MSRP_EV_HEAD);
	assert_int_equal(ev.head.status_code, 413);
	assert_true(view_eq(ev.head.status_comment, VIEW("Too \"big\"")));
	assert_int_equal(ev.head.end, 39);
	assert_true(ev.head.total == MSRP_UNKNOWN);
	assert_int_equal(msrp_reader_next(&r, &in, &ev), MSRP_EV_END);
	msrp_reader_fini(&r);
	buf_fini(&b);
}

static void test_a_full_buffer_is_told_once_at_the_end(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	msrp_write_report(&b, VIEW("tid2"), VIEW(ANN), VIEW(BO), VIEW("m1"), 1, 39, 39, 200, NULL);
	assert_false(buf_ok(&b));
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC4975_11_1__the_first_send_is_written),
		cmocka_unit_test(test_RFC4975_7_2__responses_go_to_the_last_hop_or_all_the_way),
		cmocka_unit_test(test_RFC4975_7_1_2__a_report),
		cmocka_unit_test(test_written_is_read),
		cmocka_unit_test(test_a_full_buffer_is_told_once_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
