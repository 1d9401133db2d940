/* The end of a session through the B2BUA: who is still there hears what became of his messages
 * before he hears BYE (PF-9.1.2-2, SW-2). */
#include "b2bua_world.h"

static void drained(void)
{
	b2bua_relay_drained(b, opened, w->now);
	world_run(w, 0);
}

static void test_PF_9_1_2_2__a_bye_waits_until_the_relay_is_drained(void **state)
{
	struct talk t = talk();
	char *got;

	(void)state;
	slow_drain = true;
	phone_send(&bo, bo_inside(&t, "BYE", 1, "Reason: SIP;cause=200\n"));
	assert_int_equal(n_drained, 1);
	assert_false(drain_refuses); /* who is not told yet goes on */
	world_run(w, 1000);
	assert_null(request(&ann, "BYE"));
	assert_int_equal(n_closed, 0);
	assert_int_equal(b2bua_open_count(b), 1);
	drained();
	got = request(&ann, "BYE");
	assert_string_equal(header(w, got, "Reason"), "SIP;cause=200");
	assert_int_equal(n_closed, 1);
	answers(&ann, got, 200, "", "", NULL);
	response(&bo, 200);
	drained();
	world_run(w, 40000);
	assert_int_equal(b2bua_open_count(b), 0);
}

static void test_PF_9_1_2_2__a_relay_that_says_nothing_is_not_waited_for(void **state)
{
	struct talk t = talk();

	(void)state;
	slow_drain = true;
	phone_send(&ann, ann_inside(&t, "BYE", 6, ""));
	world_run(w, 4900);
	assert_null(request(&bo, "BYE"));
	world_run(w, 200);
	assert_non_null(request(&bo, "BYE"));
	assert_int_equal(n_closed, 1);
}

static void test_PF_9_1_2_2__both_say_bye_meanwhile(void **state)
{
	struct talk t = talk();
	char *at_ann, *at_bo;

	(void)state;
	slow_drain = true;
	phone_send(&bo, bo_inside(&t, "BYE", 1, ""));
	phone_send(&ann, ann_inside(&t, "BYE", 6, ""));
	assert_int_equal(n_drained, 1);
	drained();
	at_ann = request(&ann, "BYE");
	at_bo = request(&bo, "BYE");
	answers(&ann, at_ann, 200, "", "", NULL);
	answers(&bo, at_bo, 481, "", "", NULL);
	response(&bo, 200);
	response(&ann, 481);
	assert_int_equal(n_closed, 1);
	world_run(w, 40000);
	assert_int_equal(b2bua_open_count(b), 0);
}

static void test_RFC_3261_15_1_2__who_has_said_bye_has_no_dialog(void **state)
{
	struct talk t = talk();
	char *got;

	(void)state;
	slow_drain = true;
	phone_send(&bo, bo_inside(&t, "BYE", 1, ""));
	phone_send(&bo, bo_inside(&t, "INFO", 2, ""));
	response(&bo, 481);
	/* The other one has. */
	phone_send(&ann, ann_inside(&t, "INFO", 6, ""));
	got = request(&bo, "INFO");
	answers(&bo, got, 200, "", "", NULL);
	response(&ann, 200);
	drained();
	assert_non_null(request(&ann, "BYE"));
}

static void test_PF_9_1_2_2__what_the_server_ends_is_drained_and_takes_nothing_more(void **state)
{
	char *bye;

	(void)state;
	talk();
	slow_drain = true;
	b2bua_shut_down(b, w->now);
	world_run(w, 1000);
	assert_int_equal(n_drained, 1);
	assert_true(drain_refuses);
	assert_null(request(&ann, "BYE"));
	assert_int_equal(b2bua_open_count(b), 1);
	b2bua_shut_down(b, w->now);
	assert_int_equal(n_drained, 1);
	/* Once more: between two relays something may have been under way. */
	drained();
	assert_null(request(&ann, "BYE"));
	assert_int_equal(n_drained, 2);
	drained();
	bye = request(&ann, "BYE");
	assert_non_null(strstr(bye, "Reason: SIP;cause=503"));
	answers(&ann, bye, 200, "", "", "");
	bye = request(&bo, "BYE");
	assert_non_null(strstr(bye, "Reason: SIP;cause=503"));
	answers(&bo, bye, 200, "", "", "");
	world_run(w, 0);
	assert_int_equal(b2bua_open_count(b), 0);
	assert_int_equal(n_closed, 1);
}

static void test_PF_9_1_2_2__shutting_down_while_a_bye_waits(void **state)
{
	struct talk t = talk();
	char *got;

	(void)state;
	slow_drain = true;
	phone_send(&bo, bo_inside(&t, "BYE", 1, "Reason: SIP;cause=200\n"));
	b2bua_shut_down(b, w->now);
	/* From here on nothing more may come. */
	assert_int_equal(n_drained, 2);
	assert_true(drain_refuses);
	drained();
	drained();
	assert_int_equal(n_drained, 3);
	got = request(&ann, "BYE");
	assert_string_equal(header(w, got, "Reason"), "SIP;cause=200");
	answers(&ann, got, 200, "", "", NULL);
	response(&bo, 200);
	assert_null(request(&bo, "BYE"));
	world_run(w, 40000);
	assert_int_equal(b2bua_open_count(b), 0);
}

static void test_PF_9_1_2_2__freed_while_a_bye_waits(void **state)
{
	struct talk t = talk();

	(void)state;
	slow_drain = true;
	phone_send(&bo, bo_inside(&t, "BYE", 1, ""));
	assert_int_equal(n_drained, 1);
}

int main(void)
{
#define IN(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN(test_PF_9_1_2_2__a_bye_waits_until_the_relay_is_drained),
		IN(test_PF_9_1_2_2__a_relay_that_says_nothing_is_not_waited_for),
		IN(test_PF_9_1_2_2__both_say_bye_meanwhile),
		IN(test_RFC_3261_15_1_2__who_has_said_bye_has_no_dialog),
		IN(test_PF_9_1_2_2__what_the_server_ends_is_drained_and_takes_nothing_more),
		IN(test_PF_9_1_2_2__shutting_down_while_a_bye_waits),
		IN(test_PF_9_1_2_2__freed_while_a_bye_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
