/* The end of conferences and relays: what was answered with 200 is delivered, or its sender is told
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

/* --- the relay --- */

static char relay_path[2][SWITCH_PATH_TEXT_MAX];

static int setup_relay(void **state)
{
	struct switch_config cfg = world_config();
	struct switch_seat_config seat[2] = {{.seat = 1, .uri = VIEW(""), .display = VIEW("")},
					     {.seat = 2, .uri = VIEW(""), .display = VIEW("")}};

	(void)state;
	world_init(&w, 1, &cfg);
	switch_relay_open(w.shard[0].s, 1, 7, seat, w.now);
	for (int i = 0; i < 2; i++) {
		struct phone *p = phone_connect(&w, 0);

		strcpy(relay_path[i], w.ready[i].path);
		strcpy(p->path[0], relay_path[i]);
		seat_answer(&w, 0, (switch_seat_id)i + 1, p->local);
		phone_bind(p, 0);
		*(i ? &bo : &ann) = p;
	}
	world_run(&w);
	return 0;
}

static void say(struct phone *p, const char *id, const char *text)
{
	char range[64];

	snprintf(range, sizeof(range), "1-%zu/%zu", strlen(text), strlen(text));
	phone_chunk(p, 0, id, range, "", text, strlen(text), '$');
	world_run(&w);
}

static void relay_drain(bool refuse)
{
	switch_conference_drain(w.shard[0].s, 7, refuse, w.now);
	world_advance(&w, 5);
}

static void test_PF_9_1_2_2__a_quiet_relay_is_drained_at_once(void **state)
{
	(void)state;
	say(ann, "m1", "hello");
	/* One turn of the loop: there may be something to be read. */
	switch_conference_drain(w.shard[0].s, 7, false, w.now);
	assert_false(drained());
	world_advance(&w, 5);
	assert_true(drained());
	/* Asked again, it looks again. */
	relay_drain(false);
	assert_int_equal(times_drained(), 2);
	/* What either still has to say is passed on. */
	say(bo, "m2", "one thing more");
	assert_int_equal(phone_sends(ann), 1);
	switch_relay_close(w.shard[0].s, 7, w.now);
	say(bo, "m3", "and this");
	assert_int_equal(phone_sends(ann), 2);
	assert_int_equal(phone_status(bo), 200);
	/* What is answered now has come through: nothing is told later to who closes at once. */
	ann->refuse = 413;
	say(bo, "m4", "too much");
	assert_int_equal(phone_status(bo), 413);
	assert_int_equal(phone_reports(bo, NULL), 0);
}

static void test_PF_9_1_2_2__at_the_end_the_answer_is_the_receivers(void **state)
{
	size_t before;

	(void)state;
	relay_drain(false);
	ann->hold = true;
	before = bo->n_got;
	say(bo, "m1", "one thing more");
	assert_int_equal(phone_sends(ann), 1);
	assert_int_equal(bo->n_got, before);
	phone_release(ann);
	world_run(&w);
	assert_int_equal(bo->n_got, before + 1);
	assert_int_equal(phone_status(bo), 200);
	/* One that never comes through is never acknowledged. */
	say(bo, "m2", "and this");
	phone_cut(ann);
	switch_relay_close(w.shard[0].s, 7, w.now);
	world_advance(&w, 1200);
	assert_int_equal(bo->n_got, before + 2);
	assert_int_equal(phone_status(bo), 408);
}

/* Between a conference and a phone: its switch knows of a message what the phone said. */
static void test_RFC_7701_6_3__a_conference_is_answered_end_to_end(void **state)
{
	struct switch_seat_answer a = {
		.remote_path = view_str(ann->local), .accept_types = VIEW("*"), .end_to_end = true};
	size_t before;

	(void)state;
	switch_seat_answer(w.shard[0].s, 1, &a, w.now);
	bo->mute = true;
	before = ann->n_got;
	say(ann, "m1", "hello");
	assert_int_equal(ann->n_got, before);
	assert_non_null(bo->conn);
	phone_cut(bo);
	world_advance(&w, w.cfg.rebind_grace_ms + 100);
	assert_int_equal(ann->n_got, before + 1);
	assert_int_equal(phone_status(ann), 408);
	assert_int_equal(phone_reports(ann, NULL), 0);
	/* The other way it is a relay as ever. */
	bo = phone_connect(&w, 0);
	strcpy(bo->path[0], relay_path[1]);
	strcpy(bo->local, w.phone[1]->local);
	phone_bind(bo, 0);
	ann->mute = true;
	say(bo, "m2", "hello");
	assert_int_equal(phone_status(bo), 200);
}

static void test_PF_9_1_2_2__before_the_bye_the_sender_hears_what_was_not_taken(void **state)
{
	const struct got *r = NULL;

	(void)state;
	bo->stalled = true;
	say(ann, "m1", "hello");
	relay_drain(false);
	assert_false(drained());
	/* A sender who goes on does not move the end. */
	for (int i = 0; i < 19; i++) {
		char id[16];

		snprintf(id, sizeof(id), "x%d", i);
		say(ann, id, "more");
		world_advance(&w, 100);
	}
	/* The first one was acknowledged. */
	assert_int_equal(phone_status(ann), 200);
	world_advance(&w, 200);
	assert_true(drained());
	assert_int_equal(phone_reports(ann, &r), 1);
	assert_string_equal(r->id, "m1");
	assert_int_equal(r->status, 408);
	/* The others are no longer: their answer is the receiver's. */
	assert_int_equal(phone_status(ann), 408);
	assert_int_equal(ann->n_got, 2 + 1 + 19);
}

static void test_PF_9_1_2_2__what_comes_later_is_not_waited_for(void **state)
{
	(void)state;
	bo->mute = true;
	say(ann, "m1", "hello");
	relay_drain(false);
	bo->mute = false;
	say(ann, "m2", "later");
	assert_false(drained());
	/* He answers the first. */
	char text[700];

	snprintf(text, sizeof(text),
		 "MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n",
		 phone_send(bo, 0)->tid, phone_send(bo, 0)->from, phone_send(bo, 0)->to,
		 phone_send(bo, 0)->tid);
	bo->stalled = true;
	say(ann, "m3", "latest");
	phone_write(bo, text);
	world_run(&w);
	assert_true(drained());
	assert_int_equal(phone_reports(ann, NULL), 0);
}

static void test_PF_9_1_2_2__where_the_server_ends_it_nothing_more_is_taken(void **state)
{
	(void)state;
	bo->stalled = true;
	say(ann, "m1", "hello");
	relay_drain(true);
	say(ann, "m2", "too late");
	assert_int_equal(phone_status(ann), 403);
	say(bo, "m3", "too late");
	assert_int_equal(phone_sends(ann), 0);
	world_advance(&w, 2100);
	assert_true(drained());
	assert_int_equal(phone_reports(ann, NULL), 1);
}

static void test_PF_9_1_2_2__after_the_bye_the_sender_hears_that_the_other_is_gone(void **state)
{
	const struct got *r = NULL;

	(void)state;
	bo->mute = true;
	say(ann, "m1", "hello");
	switch_relay_close(w.shard[0].s, 7, w.now);
	assert_non_null(bo->conn);
	phone_cut(bo);
	world_advance(&w, 1200);
	assert_int_equal(phone_reports(ann, &r), 1);
	assert_string_equal(r->id, "m1");
	assert_int_equal(r->status, 408);
	assert_true(ann->closed);
}

static void test_PF_9_1_2_2__after_the_bye_both_hear_what_was_not_taken_in_time(void **state)
{
	(void)state;
	bo->mute = ann->mute = true;
	say(ann, "m1", "hello");
	say(bo, "m2", "hello yourself");
	switch_relay_close(w.shard[0].s, 7, w.now);
	world_advance(&w, 6900);
	assert_int_equal(phone_reports(ann, NULL) + phone_reports(bo, NULL), 0);
	world_advance(&w, 200);
	assert_int_equal(phone_reports(ann, NULL), 1);
	assert_int_equal(phone_reports(bo, NULL), 1);
	world_advance(&w, 100);
	assert_true(ann->closed && bo->closed);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define R(name) cmocka_unit_test_setup_teardown(name, setup_relay, teardown)

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
		R(test_PF_9_1_2_2__a_quiet_relay_is_drained_at_once),
		R(test_PF_9_1_2_2__at_the_end_the_answer_is_the_receivers),
		R(test_RFC_7701_6_3__a_conference_is_answered_end_to_end),
		R(test_PF_9_1_2_2__before_the_bye_the_sender_hears_what_was_not_taken),
		R(test_PF_9_1_2_2__what_comes_later_is_not_waited_for),
		R(test_PF_9_1_2_2__where_the_server_ends_it_nothing_more_is_taken),
		R(test_PF_9_1_2_2__after_the_bye_the_sender_hears_that_the_other_is_gone),
		R(test_PF_9_1_2_2__after_the_bye_both_hear_what_was_not_taken_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
