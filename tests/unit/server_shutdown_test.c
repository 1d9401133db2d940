/* The end of all conferences, because the server is to end. */
#include "controlling_world.h"

static void test_CF_X_2__shutting_down_ends_all_and_says_why(void **state)
{
	struct room *r = room_start(room_new());
	struct asked *bye;

	(void)state;
	(void)room_of_two(r);
	controlling_shut_down(r->ctl, r->now);
	room_run(r, 0);
	bye = room_next(r, "BYE", "ann@");
	assert_non_null(bye);
	assert_string_equal(room_field(r, bye->text, "Reason"),
			    "SIP;cause=503;text=\"Server Shutting Down\"");
	assert_non_null(room_next(r, "BYE", "p@192.0.2.50"));
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	assert_int_equal(r->n_ended, 1);
	room_free(r);
}

static void test_CF_X_2__shutting_down_without_conferences_is_nothing(void **state)
{
	struct room *r = room_start(room_new());

	(void)state;
	controlling_shut_down(r->ctl, r->now);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_CF_X_2__shutting_down_ends_all_and_says_why),
		cmocka_unit_test(test_CF_X_2__shutting_down_without_conferences_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
