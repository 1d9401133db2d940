/* The end of a conference at the focus: BYE comes when what was said is delivered or reported
 * (SW-2), and the switch has only so long for that. */
#include "controlling_world.h"

static struct room *r;
static const char *ok;

static int setup(void **state)
{
	(void)state;
	r = room_new();
	r->cfg.end_policy = CONFERENCE_END_CREATOR;
	room_start(r);
	ok = room_of_two(r);
	r->slow_drain = true;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	room_free(r);
	return 0;
}

static void ann_leaves(void)
{
	assert_int_equal(room_parsed(room_inside(r, ok, "BYE", 8, "", "")).status, 200);
}

static void test_CF_X_2__the_others_get_their_bye_when_all_is_delivered(void **state)
{
	(void)state;
	ann_leaves();
	assert_int_equal(r->n_drained, 1);
	assert_int_equal(r->n_ended, 0);
	room_run(r, 2000);
	assert_null(room_next(r, "BYE", "p@"));
	assert_int_equal(controlling_conference_count(r->ctl), 1);
	room_drained(r);
	room_run(r, 0);
	assert_non_null(room_next(r, "BYE", "p@"));
	assert_int_equal(r->n_ended, 1);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	/* Told twice: nothing. */
	room_drained(r);
}

static void test_CF_X_2__with_nothing_under_way_it_ends_at_once(void **state)
{
	(void)state;
	r->slow_drain = false;
	ann_leaves();
	assert_non_null(room_next(r, "BYE", "p@"));
	assert_int_equal(r->n_ended, 1);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
}

static void test_CF_X_2__a_switch_that_says_nothing_is_not_waited_for(void **state)
{
	(void)state;
	ann_leaves();
	room_run(r, r->cfg.drain_ms + r->cfg.seat_timeout_ms - 10);
	assert_null(room_next(r, "BYE", "p@"));
	room_run(r, 20);
	assert_non_null(room_next(r, "BYE", "p@"));
	assert_int_equal(r->n_ended, 1);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
}

static void test_CF_X_2__meanwhile_it_takes_nobody(void **state)
{
	const char *uri = room_uri(r, ok), *got;

	(void)state;
	ann_leaves();
	got = room_ask(r, "INVITE", uri, "ann", ROOM_IM "Content-Type: application/sdp\n",
		       ROOM_SDP);
	assert_int_equal(room_parsed(got).status, 410);
	got = room_ask(r, "SUBSCRIBE", uri, "bo", "Event: conference\nExpires: 60\n", "");
	assert_int_equal(room_parsed(got).status, 410);
	got = room_ask(r, "REFER", uri, "bo", "Refer-To: <sip:cy@example.com>\n", "");
	assert_int_equal(room_parsed(got).status, 410);
	assert_int_equal(r->n_open, 1);
	room_drained(r);
}

static void test_CF_X_2__who_rings_is_not_left_to_ring(void **state)
{
	const char *got = room_ask(r, "REFER", room_uri(r, ok), "ann",
				   "Refer-To: <sip:cy@example.com>\nRefer-Sub: false\n", "");
	struct asked *invite;

	(void)state;
	assert_int_equal(room_parsed(got).status, 200);
	invite = room_next(r, "INVITE", "cy@");
	room_reply(r, invite, 180);
	ann_leaves();
	assert_null(room_next(r, "BYE", "p@"));
	/* CANCEL, and its 487. */
	assert_true(!invite->tx || !sip_server_tx_pending(invite->tx));
	room_drained(r);
	room_run(r, 0);
	assert_non_null(room_next(r, "BYE", "p@"));
}

static void test_CF_X_2__when_nobody_is_left_nothing_is_waited_for(void **state)
{
	(void)state;
	ann_leaves();
	controlling_seat_lost(r->ctl, r->conference, r->seat[r->n_seats - 1], r->now);
	room_run(r, 0);
	assert_non_null(room_next(r, "BYE", "p@"));
	assert_int_equal(r->n_ended, 1);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	room_drained(r);
}

static void test_CF_X_2__seats_that_come_too_late_do_not_end_it_early(void **state)
{
	const char *uri = room_uri(r, ok);

	(void)state;
	r->slow_seats = true;
	(void)room_ask(r, "INVITE", uri, "bo", ROOM_IM "Content-Type: application/sdp\n", ROOM_SDP);
	assert_int_equal(r->n_open, 2);
	(void)room_inside(r, ok, "BYE", 8, "", "");
	room_grant(r);
	assert_int_equal(r->n_ended, 0);
	assert_int_equal(r->closed[r->n_closed - 1], r->seat[0]);
	room_drained(r);
	room_run(r, 0);
	assert_int_equal(r->n_ended, 1);
	/* Those of one that is no more are given back as a whole. */
	room_grant(r);
	assert_int_equal(r->n_ended, 2);
}

static void test_CF_X_2__shutting_down_waits_for_it_too(void **state)
{
	struct asked *bye;

	(void)state;
	controlling_shut_down(r->ctl, r->now);
	room_run(r, 1000);
	assert_null(room_next(r, "BYE", "ann@"));
	assert_int_equal(controlling_conference_count(r->ctl), 1);
	controlling_shut_down(r->ctl, r->now);
	assert_int_equal(r->n_drained, 1);
	room_drained(r);
	room_run(r, 0);
	bye = room_next(r, "BYE", "ann@");
	assert_string_equal(room_field(r, bye->text, "Reason"),
			    "SIP;cause=503;text=\"Server Shutting Down\"");
	assert_non_null(room_next(r, "BYE", "p@"));
	assert_int_equal(controlling_conference_count(r->ctl), 0);
}

/* Also where it was ending by itself already. */
static void test_CF_X_2__shutting_down_in_the_middle_of_it(void **state)
{
	struct asked *bye;

	(void)state;
	ann_leaves();
	controlling_shut_down(r->ctl, r->now);
	assert_int_equal(r->n_drained, 1);
	room_drained(r);
	room_run(r, 0);
	bye = room_next(r, "BYE", "p@");
	assert_non_null(strstr(bye->text, "Server Shutting Down"));
}

static void test_CF_X_2__freed_in_the_middle_of_it(void **state)
{
	(void)state;
	ann_leaves();
}

static void test_CF_X_2__the_last_but_one_leaves(void **state)
{
	(void)state;
	room_free(r);
	r = room_new();
	r->cfg.end_policy = CONFERENCE_END_BELOW_TWO;
	room_start(r);
	ok = room_of_two(r);
	r->slow_drain = true;
	ann_leaves();
	assert_int_equal(r->n_drained, 1);
	/* His seat goes before: what waits for him is reported to those who are left. */
	assert_int_equal(r->n_closed, 1);
	assert_null(room_next(r, "BYE", "p@"));
	room_drained(r);
	room_run(r, 0);
	assert_non_null(room_next(r, "BYE", "p@"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_CF_X_2__the_others_get_their_bye_when_all_is_delivered),
		T(test_CF_X_2__with_nothing_under_way_it_ends_at_once),
		T(test_CF_X_2__a_switch_that_says_nothing_is_not_waited_for),
		T(test_CF_X_2__meanwhile_it_takes_nobody),
		T(test_CF_X_2__who_rings_is_not_left_to_ring),
		T(test_CF_X_2__when_nobody_is_left_nothing_is_waited_for),
		T(test_CF_X_2__seats_that_come_too_late_do_not_end_it_early),
		T(test_CF_X_2__shutting_down_waits_for_it_too),
		T(test_CF_X_2__shutting_down_in_the_middle_of_it),
		T(test_CF_X_2__freed_in_the_middle_of_it),
		T(test_CF_X_2__the_last_but_one_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
