/* The end of a relay between two: what was answered with 200 is delivered, or its sender is told
 * before his session ends (PF-9.1.2-2, RFC 4975 §7.1.4). */
#include "switch_world.h"

static struct world w;
static struct phone *ann, *bo;
static char relay_path[2][SWITCH_PATH_TEXT_MAX];

static int setup(void **state)
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

static int teardown(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static size_t times_drained(void)
{
	return world_events(&w, SWITCH_EV_DRAINED, 0);
}

static bool drained(void)
{
	return times_drained() > 0;
}

static void say(struct phone *p, const char *id, const char *text)
{
	char range[64];

	snprintf(range, sizeof(range), "1-%zu/%zu", strlen(text), strlen(text));
	phone_chunk(p, 0, id, range, "", text, strlen(text), '$');
	world_run(&w);
}

static void drain(bool refuse)
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
	drain(false);
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
	drain(false);
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
	drain(false);
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
	drain(false);
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
	drain(true);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_PF_9_1_2_2__a_quiet_relay_is_drained_at_once),
		T(test_PF_9_1_2_2__at_the_end_the_answer_is_the_receivers),
		T(test_RFC_7701_6_3__a_conference_is_answered_end_to_end),
		T(test_PF_9_1_2_2__before_the_bye_the_sender_hears_what_was_not_taken),
		T(test_PF_9_1_2_2__what_comes_later_is_not_waited_for),
		T(test_PF_9_1_2_2__where_the_server_ends_it_nothing_more_is_taken),
		T(test_PF_9_1_2_2__after_the_bye_the_sender_hears_that_the_other_is_gone),
		T(test_PF_9_1_2_2__after_the_bye_both_hear_what_was_not_taken_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
