/* The end of conferences: what was answered with 200 is delivered, or its sender is told
 * before his session ends (SW-2, RFC 4975 §7.1.4). */
#include "switch_world.h"

#define ANN  "sip:ann@example.com"
#define BO   "sip:bo@example.com"
#define CY   "sip:cy@example.com"
#define CONF "sip:conf@example.com"

static struct world w;
static struct phone *ann, *bo, *cy;

static void begin(const struct switch_config *cfg, unsigned shards)
{
	world_init(&w, shards, cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	bo = phone_join(&w, 0, 7, 2, BO);
	cy = phone_join(&w, 0, 7, 3, CY);
}

static int setup(void **state)
{
	struct switch_config cfg = world_config();

	(void)state;
	begin(&cfg, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static bool drained(void)
{
	for (size_t i = 0; i < w.n_events; i++)
		if (w.event[i].type == SWITCH_EV_DRAINED && w.event[i].conference == 7)
			return true;
	return false;
}

static size_t times_drained(void)
{
	return world_events(&w, SWITCH_EV_DRAINED, 0);
}

static void drain(void)
{
	switch_conference_drain(w.shard[0].s, 7, true, w.now);
	world_run(&w);
}

static void assert_nothing_left(void)
{
	struct switch_counts n;

	switch_conference_close(w.shard[0].s, 7, w.now);
	world_advance(&w, 35000);
	switch_shard_counts(w.shard[0].s, &n);
	assert_int_equal(n.seats, 0);
	assert_int_equal(n.conferences, 0);
	assert_int_equal(n.conns, 0);
	assert_int_equal(times_drained(), 1);
}

static struct phone *rebind(struct phone *old)
{
	struct phone *p = phone_connect(&w, 0);

	strcpy(p->path[0], old->path[0]);
	strcpy(p->local, old->local);
	phone_bind(p, 0);
	world_run(&w);
	return p;
}

static void test_SW_2__an_idle_conference_ends_at_once(void **state)
{
	(void)state;
	phone_say(ann, "m1", ANN, CONF, "heard by all");
	world_run(&w);
	switch_conference_drain(w.shard[0].s, 7, true, w.now);
	assert_true(drained());
	assert_nothing_left();
}

static void test_SW_2__an_unknown_conference_is_drained(void **state)
{
	(void)state;
	switch_conference_drain(w.shard[0].s, 99, true, w.now);
	assert_int_equal(w.event[w.n_events - 1].type, SWITCH_EV_DRAINED);
	assert_int_equal(w.event[w.n_events - 1].conference, 99);
}

static void test_RFC_4975_7_1_4__a_stalled_receiver_is_reported_before_the_end(void **state)
{
	const struct got *r = NULL;

	(void)state;
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "last words");
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	drain();
	world_advance(&w, 1900);
	assert_false(drained());
	assert_int_equal(phone_reports(ann, NULL), 0);
	world_advance(&w, 150);
	assert_true(drained());
	assert_int_equal(phone_reports(ann, &r), 1);
	assert_string_equal(r->id, "m1");
	assert_int_equal(r->status, 408);
	assert_string_equal(r->comment, "1 of 2 receivers");
	assert_int_equal(phone_sends(cy), 1);
	assert_nothing_left();
}

static void test_SW_2__who_takes_it_in_time_ends_it_at_once(void **state)
{
	(void)state;
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "last words");
	drain();
	world_advance(&w, 1000);
	assert_false(drained());
	bo->stalled = false;
	world_run(&w);
	assert_true(drained());
	assert_int_equal(phone_sends(bo), 1);
	world_advance(&w, 5000);
	assert_int_equal(phone_reports(ann, NULL), 0);
	assert_nothing_left();
}

static void test_RFC_4975_7_1_4__one_who_reads_and_never_answers_is_reported(void **state)
{
	(void)state;
	bo->mute = true;
	phone_say(ann, "m1", ANN, CONF, "last words");
	drain();
	assert_false(drained());
	world_advance(&w, 2100);
	assert_true(drained());
	assert_int_equal(phone_reports(ann, NULL), 1);
	assert_nothing_left();
}

static void test_RFC_4975_10_3__who_sends_after_the_end_has_begun_gets_403(void **state)
{
	(void)state;
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "in time");
	drain();
	phone_say(cy, "m2", CY, CONF, "too late");
	world_run(&w);
	assert_int_equal(phone_status(cy), 403);
	assert_int_equal(phone_sends(ann), 0);
	bo->stalled = false;
	world_advance(&w, 100);
	assert_int_equal(phone_sends(bo), 1);
	/* Also when all is done, and the focus has not closed it yet. */
	phone_say(cy, "m3", CY, CONF, "too late");
	world_run(&w);
	assert_int_equal(phone_status(cy), 403);
	assert_int_equal(phone_sends(bo), 1);
	assert_nothing_left();
}

/* What is sent does not move the end. */
static void test_SW_3__a_flood_of_sends_does_not_prolong_it(void **state)
{
	char id[20];

	(void)state;
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "in time");
	drain();
	for (int i = 0; i < 42; i++) {
		snprintf(id, sizeof(id), "x%d", i);
		phone_say(cy, id, CY, CONF, "more");
		world_advance(&w, 50);
	}
	assert_true(drained());
	assert_int_equal(phone_reports(ann, NULL), 1);
	assert_int_equal(phone_reports(cy, NULL), 0);
	assert_nothing_left();
}

static void test_SW_1__one_who_was_cut_off_may_come_back_for_it(void **state)
{
	struct phone *again;

	(void)state;
	phone_cut(bo);
	phone_say(ann, "m1", ANN, CONF, "last words");
	drain();
	world_advance(&w, 500);
	again = rebind(bo);
	assert_int_equal(phone_sends(again), 1);
	assert_true(drained());
	world_advance(&w, 3000);
	assert_int_equal(phone_reports(ann, NULL), 0);
	assert_nothing_left();
}

static void test_RFC_4975_7_1_4__one_who_was_cut_off_and_stays_away_is_reported(void **state)
{
	(void)state;
	phone_say(ann, "m0", ANN, CONF, "before");
	world_run(&w);
	bo->mute = true;
	phone_say(ann, "m1", ANN, CONF, "unanswered");
	world_run(&w);
	phone_cut(bo);
	phone_say(ann, "m2", ANN, CONF, "waits");
	drain();
	world_advance(&w, 2100);
	assert_true(drained());
	assert_int_equal(phone_reports(ann, NULL), 2);
	assert_nothing_left();
}

static void test_RFC_4975_7_1_4__one_who_never_came_is_not_waited_for(void **state)
{
	const struct got *r = NULL;

	(void)state;
	seat_open(&w, 0, 7, 4, "sip:dee@example.com", true);
	phone_say(ann, "m1", ANN, CONF, "while Dee's phone rings");
	world_run(&w);
	drain();
	assert_true(drained());
	assert_int_equal(phone_reports(ann, &r), 1);
	assert_string_equal(r->comment, "1 of 3 receivers");
	assert_nothing_left();
}

static void test_SW_1__words_of_one_who_has_left_still_come_to_the_others(void **state)
{
	(void)state;
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "good bye");
	world_run(&w);
	switch_seat_close(w.shard[0].s, 1, false, w.now);
	drain();
	assert_false(drained());
	world_advance(&w, 1500);
	assert_false(drained());
	bo->stalled = false;
	world_run(&w);
	assert_true(drained());
	assert_int_equal(phone_sends(bo), 1);
	assert_int_equal(phone_sends(cy), 1);
	assert_nothing_left();
}

static void test_RFC_4975_7_1_4__what_one_who_is_put_out_has_not_got_is_reported(void **state)
{
	const struct got *r = NULL;

	(void)state;
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "for Bo, too");
	world_run(&w);
	switch_seat_close(w.shard[0].s, 2, true, w.now);
	world_advance(&w, 1000);
	assert_int_equal(phone_reports(ann, NULL), 0);
	/* He has a second left, and the conference ends meanwhile. */
	drain();
	assert_false(drained());
	world_advance(&w, 1100);
	assert_true(drained());
	assert_int_equal(phone_reports(ann, &r), 1);
	assert_int_equal(r->status, 408);
	assert_nothing_left();
}

static void test_RFC_4975_7_1_4__what_one_who_leaves_has_not_got_is_reported(void **state)
{
	const struct got *r = NULL;

	(void)state;
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "for Bo, too");
	world_run(&w);
	switch_seat_close(w.shard[0].s, 2, false, w.now);
	world_run(&w);
	assert_int_equal(phone_reports(ann, &r), 1);
	assert_int_equal(r->status, 481);
}

static void test_RFC_4975_7_1_4__a_message_of_which_chunks_are_due_is_reported(void **state)
{
	char body[300], range[64];

	(void)state;
	cpim(body, sizeof(body), ANN, CONF, "first of two");
	snprintf(range, sizeof(range), "1-%zu/%zu", strlen(body), strlen(body) + 4);
	phone_chunk(ann, 0, "m1", range, "", body, strlen(body), '+');
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	drain();
	assert_true(drained());
	assert_int_equal(phone_send(bo, 1)->flag, '#');
	assert_int_equal(phone_reports(ann, NULL), 1);
	snprintf(range, sizeof(range), "%zu-*/*", strlen(body) + 1);
	phone_chunk(ann, 0, "m1", range, "", "rest", 4, '$');
	world_run(&w);
	assert_true(phone_status(ann) == 403);
	assert_nothing_left();
}

static void test_RFC_4975_7_3_2__a_chunk_that_is_being_read_is_refused_in_the_middle(void **state)
{
	char text[700], body[4000];

	(void)state;
	snprintf(text, sizeof(text),
		 "MSRP big SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: big\r\n"
		 "Byte-Range: 1-*/60000\r\nContent-Type: message/cpim\r\n\r\n",
		 ann->path[0], ann->local);
	phone_write(ann, text);
	cpim(body, sizeof(body), ANN, CONF, "");
	phone_write(ann, body);
	memset(body, 'x', sizeof(body));
	for (int i = 0; i < 8; i++)
		phone_recv(ann, body, sizeof(body));
	world_run(&w);
	drain();
	assert_int_equal(phone_status(ann), 403);
	assert_int_equal(phone_send(bo, 0)->flag, '#');
	assert_true(drained());
	assert_int_equal(phone_reports(ann, NULL), 0);
	assert_nothing_left();
}

static void test_RFC_4975_7_3_2__a_chunk_of_which_nobody_has_heard_yet_is_refused(void **state)
{
	char text[700];

	(void)state;
	snprintf(text, sizeof(text),
		 "MSRP small SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: s\r\n"
		 "Byte-Range: 1-100/100\r\nContent-Type: message/cpim\r\n\r\nFrom",
		 cy->path[0], cy->local);
	phone_write(cy, text);
	drain();
	assert_int_equal(phone_status(cy), 403);
	assert_true(drained());
	phone_write(cy, ": <" CY ">\r\n\r\nContent-Type: text/plain\r\n\r\nx\r\n-------small$\r\n");
	world_run(&w);
	assert_int_equal(phone_sends(ann), 0);
	assert_nothing_left();
}

static void say_with(struct phone *p, const char *id, const char *extra)
{
	char body[300], range[64];

	cpim(body, sizeof(body), ANN, CONF, "hear me");
	snprintf(range, sizeof(range), "1-%zu/%zu", strlen(body), strlen(body));
	phone_chunk(p, 0, id, range, extra, body, strlen(body), '$');
}

static void test_RFC_4975_7_1_4__no_report_where_none_is_wanted(void **state)
{
	(void)state;
	bo->stalled = true;
	say_with(ann, "m1", "Failure-Report: no\r\n");
	world_run(&w);
	drain();
	/* It is written in the time that there is, and that is all. */
	assert_false(drained());
	world_advance(&w, 2100);
	assert_true(drained());
	assert_int_equal(phone_reports(ann, NULL), 0);
	assert_nothing_left();
}

static void test_RFC_4975_7_1_4__partial_means_written(void **state)
{
	(void)state;
	bo->stalled = true;
	say_with(ann, "m1", "Failure-Report: partial\r\n");
	world_run(&w);
	drain();
	assert_false(drained());
	bo->stalled = false;
	world_run(&w);
	assert_true(drained());
	/* And who refuses sends is heard, as before. */
	say_with(ann, "m2", "Failure-Report: partial\r\n");
	world_run(&w);
	assert_int_equal(phone_status(ann), 403);
	assert_nothing_left();
}

static void test_RFC_4975_7_1_4__partial_that_is_not_taken_is_reported(void **state)
{
	(void)state;
	bo->stalled = true;
	say_with(ann, "m1", "Failure-Report: partial\r\n");
	world_run(&w);
	drain();
	world_advance(&w, 2100);
	assert_true(drained());
	assert_int_equal(phone_reports(ann, NULL), 1);
	assert_nothing_left();
}

static void test_SW_3__a_sender_who_does_not_read_his_reports_is_waited_for_a_second(void **state)
{
	(void)state;
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "last words");
	world_run(&w);
	ann->stalled = true;
	drain();
	world_advance(&w, 2900);
	assert_false(drained());
	world_advance(&w, 150);
	assert_true(drained());
	assert_nothing_left();
}

static void test_SW_2__when_the_last_one_goes_meanwhile_it_is_over(void **state)
{
	(void)state;
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "last words");
	drain();
	for (switch_seat_id seat = 1; seat <= 3; seat++) {
		assert_false(drained());
		switch_seat_close(w.shard[0].s, seat, seat == 2, w.now);
	}
	assert_true(drained());
	assert_nothing_left();
}

static void test_SW_2__one_who_leaves_meanwhile_is_reported(void **state)
{
	(void)state;
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "last words");
	phone_say(cy, "m2", CY, CONF, "and mine");
	drain();
	switch_seat_close(w.shard[0].s, 2, false, w.now);
	world_run(&w);
	assert_true(drained());
	assert_int_equal(phone_reports(ann, NULL), 1);
	assert_int_equal(phone_reports(cy, NULL), 1);
	assert_nothing_left();
}

static void test_RFC_4975_5_4__one_sent_again_after_a_cut_is_still_answered(void **state)
{
	struct phone *again;

	(void)state;
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "once");
	world_run(&w);
	phone_cut(ann);
	drain();
	again = rebind(ann);
	phone_say(again, "m1", ANN, CONF, "once");
	world_run(&w);
	assert_int_equal(phone_status(again), 200);
	world_advance(&w, 2100);
	assert_true(drained());
	assert_int_equal(phone_reports(again, NULL), 1);
	assert_nothing_left();
}

static void test_SW_2__it_is_told_once_and_ends_by_force_too(void **state)
{
	(void)state;
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "last words");
	drain();
	drain();
	assert_false(drained());
	switch_conference_close(w.shard[0].s, 7, w.now);
	assert_true(drained());
	world_advance(&w, 35000);
	assert_int_equal(times_drained(), 1);
}

static void test_CF_X_1__no_seats_in_a_conference_that_ends(void **state)
{
	struct switch_seat_config sc = {.seat = 9, .uri = VIEW("sip:x@example.com")};

	(void)state;
	drain();
	switch_seats_open(w.shard[0].s, 1, 7, VIEW(CONF), &sc, 1, w.now);
	assert_int_equal(w.event[w.n_events - 1].type, SWITCH_EV_SEATS_FAILED);
}

/* The receiver's connection lives on another thread than the conference. */
static void test_SW_4__a_connection_of_another_thread(void **state)
{
	struct switch_config cfg = world_config();
	struct phone *dee;

	(void)state;
	world_fini(&w);
	begin(&cfg, 2);
	dee = phone_connect(&w, 1);
	strcpy(dee->path[0], seat_open(&w, 0, 7, 4, "sip:dee@example.com", false));
	seat_answer(&w, 0, 4, dee->local);
	phone_bind(dee, 0);
	world_run(&w);
	dee->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "last words");
	phone_say(dee, "m2", "sip:dee@example.com", CONF, "mine");
	world_run(&w);
	bo->mute = true;
	phone_say(dee, "m3", "sip:dee@example.com", CONF, "and mine");
	world_run(&w);
	drain();
	assert_false(drained());
	dee->stalled = false;
	world_run(&w);
	assert_false(drained());
	world_advance(&w, 2100);
	assert_true(drained());
	assert_int_equal(phone_sends(dee), 1);
	assert_int_equal(phone_reports(dee, NULL), 1);
	assert_int_equal(phone_reports(ann, NULL), 0);
}

/* --- connections of those who never read --- */

static void test_SW_3__a_connection_that_is_not_read_is_not_kept_after_the_end(void **state)
{
	struct switch_counts n;
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, text);
	world_run(&w);
	switch_seat_close(w.shard[0].s, 2, true, w.now);
	world_advance(&w, 2100);
	assert_false(bo->closed);
	world_advance(&w, 30000);
	assert_true(bo->closed);
	switch_shard_counts(w.shard[0].s, &n);
	assert_int_equal(n.conns, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_SW_2__an_idle_conference_ends_at_once),
		T(test_SW_2__an_unknown_conference_is_drained),
		T(test_RFC_4975_7_1_4__a_stalled_receiver_is_reported_before_the_end),
		T(test_SW_2__who_takes_it_in_time_ends_it_at_once),
		T(test_RFC_4975_7_1_4__one_who_reads_and_never_answers_is_reported),
		T(test_RFC_4975_10_3__who_sends_after_the_end_has_begun_gets_403),
		T(test_SW_3__a_flood_of_sends_does_not_prolong_it),
		T(test_SW_1__one_who_was_cut_off_may_come_back_for_it),
		T(test_RFC_4975_7_1_4__one_who_was_cut_off_and_stays_away_is_reported),
		T(test_RFC_4975_7_1_4__one_who_never_came_is_not_waited_for),
		T(test_SW_1__words_of_one_who_has_left_still_come_to_the_others),
		T(test_RFC_4975_7_1_4__what_one_who_is_put_out_has_not_got_is_reported),
		T(test_RFC_4975_7_1_4__what_one_who_leaves_has_not_got_is_reported),
		T(test_RFC_4975_7_1_4__a_message_of_which_chunks_are_due_is_reported),
		T(test_RFC_4975_7_3_2__a_chunk_that_is_being_read_is_refused_in_the_middle),
		T(test_RFC_4975_7_3_2__a_chunk_of_which_nobody_has_heard_yet_is_refused),
		T(test_RFC_4975_7_1_4__no_report_where_none_is_wanted),
		T(test_RFC_4975_7_1_4__partial_means_written),
		T(test_RFC_4975_7_1_4__partial_that_is_not_taken_is_reported),
		T(test_SW_3__a_sender_who_does_not_read_his_reports_is_waited_for_a_second),
		T(test_SW_2__when_the_last_one_goes_meanwhile_it_is_over),
		T(test_SW_2__one_who_leaves_meanwhile_is_reported),
		T(test_RFC_4975_5_4__one_sent_again_after_a_cut_is_still_answered),
		T(test_SW_2__it_is_told_once_and_ends_by_force_too),
		T(test_CF_X_1__no_seats_in_a_conference_that_ends),
		T(test_SW_4__a_connection_of_another_thread),
		T(test_SW_3__a_connection_that_is_not_read_is_not_kept_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
