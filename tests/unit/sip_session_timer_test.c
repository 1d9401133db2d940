#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sip/session_timer.h"

static char text[4096];

static struct sip_msg message(const char *start, const char *extra)
{
	struct sip_msg m;

	snprintf(text, sizeof(text),
		 "%s\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@x>;tag=1\r\n"
		 "To: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n%sContent-Length: 0\r\n\r\n",
		 start, extra);
	assert_int_equal(sip_msg_parse(view_str(text), &m), 0);
	return m;
}

static struct session_terms judged(const char *extra)
{
	struct session_terms t = {0};
	struct sip_msg m = message("INVITE sip:b@x SIP/2.0", extra);

	assert_int_equal(session_timer_judge(&m, 1800, 90, &t), 0);
	return t;
}

static void test_PF_9_2_3__the_uas_chooses_by_table_2(void **state)
{
	struct session_terms t;

	(void)state;
	t = judged("");
	assert_int_equal(t.seconds, 1800);
	assert_false(t.by_uac);
	t = judged("Supported: timer\r\n");
	assert_true(t.by_uac);
	t = judged("Supported: timer\r\nSession-Expires: 600;refresher=uas\r\n");
	assert_int_equal(t.seconds, 600);
	assert_false(t.by_uac);
	/* Who does not support it cannot refresh, whatever a proxy has put in. */
	t = judged("x: 600;refresher=uac\r\n");
	assert_int_equal(t.seconds, 600);
	assert_false(t.by_uac);
	t = judged("Supported: timer\r\nSession-Expires: 7200\r\nMin-SE: 3600\r\n");
	assert_int_equal(t.seconds, 7200);
	/* Never above what is asked for. */
	t = judged("Supported: timer\r\nSession-Expires: 900\r\n");
	assert_int_equal(t.seconds, 900);
}

static void test_PF_9_2_3__too_small_gets_422_if_422_is_known(void **state)
{
	struct session_terms t = {0};
	struct sip_msg m =
		message("INVITE sip:b@x SIP/2.0", "Supported: timer\r\nSession-Expires: 30\r\n");

	(void)state;
	assert_int_equal(session_timer_judge(&m, 1800, 90, &t), 422);
	m = message("INVITE sip:b@x SIP/2.0", "Session-Expires: 30\r\n");
	assert_int_equal(session_timer_judge(&m, 1800, 90, &t), 0);
	assert_int_equal(t.seconds, 90);
}

static void test_PF_9_2_3__what_is_written_is_read(void **state)
{
	struct session_terms t = {.seconds = 600, .by_uac = true, .uac_supports = true}, back;
	struct sip_msg m;
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	session_timer_write_answer(&b, &t);
	buf_putc(&b, '\0');
	assert_non_null(strstr(b.p, "Require: timer\r\n"));
	m = message("SIP/2.0 200 OK", b.p);
	session_timer_read_answer(&m, 1800, &back);
	assert_int_equal(back.seconds, 600);
	assert_true(back.by_uac);
	buf_reset(&b);
	t.by_uac = false;
	session_timer_write_answer(&b, &t);
	buf_putc(&b, '\0');
	assert_null(strstr(b.p, "Require"));
	m = message("SIP/2.0 200 OK", b.p);
	session_timer_read_answer(&m, 1800, &back);
	assert_false(back.by_uac);
	/* A peer that knows nothing of it. */
	m = message("SIP/2.0 200 OK", "");
	session_timer_read_answer(&m, 1800, &back);
	assert_int_equal(back.seconds, 1800);
	assert_true(back.by_uac);
	m = message("SIP/2.0 422 X", "Min-SE: 3600\r\n");
	assert_int_equal(session_timer_read_refusal(&m, 90), 3600);
	buf_fini(&b);
}

struct told {
	int refresh, expired;
	uint64_t at;
};

static void refresh(void *ctx, uint64_t now_ms)
{
	((struct told *)ctx)->refresh++;
	((struct told *)ctx)->at = now_ms;
}

static void expired(void *ctx, uint64_t now_ms)
{
	((struct told *)ctx)->expired++;
	((struct told *)ctx)->at = now_ms;
}

static const struct session_timer_handler handler = {refresh, expired};

static void run_to(struct timers *q, uint64_t ms)
{
	while (timers_next(q) <= ms)
		timers_run(q, timers_next(q) > q->now_ms ? timers_next(q) : q->now_ms);
	timers_run(q, ms);
}

static void test_PF_9_2_3__the_refresher_refreshes_at_half_time(void **state)
{
	struct session_terms t = {.seconds = 90, .by_uac = true};
	struct session_timer timer;
	struct told told = {0};
	struct timers q;

	(void)state;
	timers_init(&q, 1000);
	session_timer_init(&timer, &q, &handler, &told);
	session_timer_start(&timer, &t, true, 1000);
	run_to(&q, 1000 + 44999);
	assert_int_equal(told.refresh, 0);
	run_to(&q, 1000 + 45000);
	assert_int_equal(told.refresh, 1);
	/* Glare: once more soon. */
	session_timer_again(&timer, 2000, q.now_ms);
	run_to(&q, 1000 + 47000);
	assert_int_equal(told.refresh, 2);
	/* Answered: from the beginning. */
	session_timer_start(&timer, &t, true, q.now_ms);
	run_to(&q, 1000 + 47000 + 44000);
	assert_int_equal(told.refresh, 2);
	assert_int_equal(told.expired, 0);
	/* Not answered this time. */
	run_to(&q, 1000 + 47000 + 90000);
	assert_int_equal(told.refresh, 3);
	assert_int_equal(told.expired, 1);
	assert_int_equal(timer.seconds, 0);
}

static void test_PF_9_2_3__the_other_side_ends_it_a_third_early(void **state)
{
	struct session_terms t = {.seconds = 90, .by_uac = true};
	struct session_timer timer;
	struct told told = {0};
	struct timers q;

	(void)state;
	timers_init(&q, 0);
	session_timer_init(&timer, &q, &handler, &told);
	session_timer_start(&timer, &t, false, 0);
	run_to(&q, 59999);
	assert_int_equal(told.expired, 0);
	run_to(&q, 60000);
	assert_int_equal(told.expired, 1);
	assert_int_equal(told.refresh, 0);
	/* With long ones it is 32 s. */
	t.seconds = 1800;
	session_timer_start(&timer, &t, false, q.now_ms);
	run_to(&q, 60000 + 1800000 - 32000);
	assert_int_equal(told.expired, 2);
	/* None. */
	t.seconds = 0;
	session_timer_start(&timer, &t, false, q.now_ms);
	assert_int_equal(q.n, 0);
	session_timer_again(&timer, 10, q.now_ms);
	assert_int_equal(q.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_PF_9_2_3__the_uas_chooses_by_table_2),
		cmocka_unit_test(test_PF_9_2_3__too_small_gets_422_if_422_is_known),
		cmocka_unit_test(test_PF_9_2_3__what_is_written_is_read),
		cmocka_unit_test(test_PF_9_2_3__the_refresher_refreshes_at_half_time),
		cmocka_unit_test(test_PF_9_2_3__the_other_side_ends_it_a_third_early),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
