#include "switch_world.h"

#define ANN  "sip:ann@example.com"
#define BO   "sip:bo@example.com"
#define CONF "sip:conf@example.com"

static struct world w;
static struct phone *ann, *bo;

static int setup(void **state)
{
	struct switch_config cfg = world_config();

	(void)state;
	world_init(&w, 1, &cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	bo = phone_join(&w, 0, 7, 2, BO);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static void answer_active(switch_seat_id seat, const char *path)
{
	struct switch_seat_answer a = {
		.remote_path = view_str(path),
		.accept_types = VIEW("message/cpim"),
		.connect = true,
	};

	switch_seat_answer(w.shard[0].s, seat, &a, w.now);
}

static void test_SW_4__a_seat_nobody_claims_is_lost(void **state)
{
	(void)state;
	seat_open(&w, 0, 7, 3, "sip:cy@example.com", false);
	world_advance(&w, 60000);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 3), 0);
	seat_answer(&w, 0, 3, "msrp://192.0.2.77:1234/cy;tcp");
	world_advance(&w, 29000);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 3), 0);
	world_advance(&w, 1500);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 3), 1);
}

static void test_SW_4__the_owner_may_be_faster_than_his_answer(void **state)
{
	struct phone *cy = phone_connect(&w, 0);

	(void)state;
	strcpy(cy->path[0], seat_open(&w, 0, 7, 3, "sip:cy@example.com", true));
	phone_bind(cy, 0);
	phone_say(cy, "m1", "sip:cy@example.com", CONF, "first!");
	world_run(&w);
	assert_int_equal(phone_status(cy), 200);
	assert_int_equal(phone_sends(ann), 1);
	seat_answer(&w, 0, 3, cy->local);
	phone_say(ann, "m2", ANN, CONF, "hello cy");
	world_run(&w);
	assert_int_equal(phone_sends(cy), 1);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_BOUND, 3), 1);
}

static void test_SW_5__an_answer_that_names_another_path_ends_an_early_hold(void **state)
{
	struct phone *cy = phone_connect(&w, 0), *real = phone_connect(&w, 0);

	(void)state;
	strcpy(cy->path[0], seat_open(&w, 0, 7, 3, "sip:cy@example.com", true));
	phone_bind(cy, 0);
	world_run(&w);
	strcpy(real->path[0], cy->path[0]);
	seat_answer(&w, 0, 3, real->local);
	phone_say(ann, "m1", ANN, CONF, "for the real one");
	phone_bind(real, 0);
	world_run(&w);
	assert_int_equal(phone_sends(real), 1);
	assert_int_equal(phone_sends(cy), 0);
}

static void test_SW_4__where_answered_passive_we_connect_and_bind(void **state)
{
	const char *path = seat_open(&w, 0, 7, 3, "sip:cy@example.com", true);
	struct phone *cy;
	char text[64];

	(void)state;
	phone_say(ann, "m1", ANN, CONF, "waits");
	answer_active(3, "msrp://[2001:db8::7]:4321/cy;tcp");
	assert_string_equal(addr_text(&w.dialed_to, text), "[2001:db8::7]:4321");
	cy = w.phone[w.n_phones - 1];
	assert_true(cy->dialed);
	strcpy(cy->local, "msrp://[2001:db8::7]:4321/cy;tcp");
	strcpy(cy->path[0], path);
	world_run(&w);
	assert_int_equal(cy->n_got, 0);
	switch_conn_up(cy->conn, w.now);
	world_run(&w);
	/* RFC 6135 §4.2.2: a SEND at once, then what waited. */
	assert_int_equal(cy->n_got, 2);
	assert_false(cy->got[0].has_body);
	assert_int_equal(cy->got[0].total, 0);
	assert_string_equal(cy->got[0].to, cy->local);
	assert_string_equal(cy->got[1].id, "m1");
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_BOUND, 3), 1);
	phone_say(cy, "m2", "sip:cy@example.com", CONF, "hello");
	world_run(&w);
	assert_int_equal(phone_sends(ann), 1);
	/* It broke: once more, and then not. */
	phone_cut(cy);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_DOWN, 3), 1);
	w.refuse_connect = true;
	world_advance(&w, 1000);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 3), 1);
}

static void test_SW_4__a_connection_that_cannot_be_made_loses_the_seat(void **state)
{
	struct phone *cy;

	(void)state;
	seat_open(&w, 0, 7, 3, "sip:cy@example.com", true);
	answer_active(3, "msrp://host.example.com:4321/cy;tcp");
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 3), 1);
	assert_int_equal(w.event[w.n_events - 1].error, E_ADDRESS);
	seat_open(&w, 0, 7, 4, "sip:dee@example.com", true);
	answer_active(4, "msrp://192.0.2.5:4321/dee;tcp");
	cy = w.phone[w.n_phones - 1];
	phone_cut(cy);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 4), 1);
	assert_int_equal(w.event[w.n_events - 1].error, E_IO);
	/* One that hangs; and one whose seat is closed meanwhile. */
	seat_open(&w, 0, 7, 5, "sip:eve@example.com", true);
	answer_active(5, "msrp://192.0.2.5:4321/eve;tcp");
	seat_open(&w, 0, 7, 6, "sip:fay@example.com", true);
	answer_active(6, "msrp://192.0.2.5:4321/fay;tcp");
	switch_seat_close(w.shard[0].s, 6, true, w.now);
	assert_true(w.phone[w.n_phones - 1]->closed);
	world_advance(&w, 31000);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 5), 1);
	assert_true(w.phone[w.n_phones - 2]->closed);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 6), 0);
}

static void test_SW_4__a_bind_refused_by_the_peer_loses_the_seat(void **state)
{
	struct phone *cy;

	(void)state;
	seat_open(&w, 0, 7, 3, "sip:cy@example.com", true);
	answer_active(3, "msrp://192.0.2.5:4321/cy;tcp");
	cy = w.phone[w.n_phones - 1];
	cy->refuse = 481;
	switch_conn_up(cy->conn, w.now);
	world_run(&w);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 3), 1);
	assert_int_equal(w.event[w.n_events - 1].error, E_DENIED);
}

static void test_SW_1__a_drained_seat_is_written_to_the_end(void **state)
{
	struct switch_counts counts;
	char id[20];

	(void)state;
	bo->stalled = true;
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		phone_say(ann, id, ANN, CONF, "last words");
	}
	switch_seat_close(w.shard[0].s, 2, true, w.now);
	phone_say(ann, "late", ANN, CONF, "not for Bo");
	assert_false(bo->finish);
	bo->stalled = false;
	world_advance(&w, 100);
	assert_int_equal(phone_sends(bo), 20);
	assert_true(bo->closed);
	world_advance(&w, 60000);
	assert_int_equal(phone_reports(ann, NULL), 0);
	switch_shard_counts(w.shard[0].s, &counts);
	assert_int_equal(counts.seats, 1);
	assert_false(ann->closed);
	assert_int_equal(counts.conns, 1);
}

static void test_SW_1__a_drained_seat_does_not_wait_for_ever(void **state)
{
	(void)state;
	bo->mute = true;
	phone_say(ann, "m1", ANN, CONF, "last words");
	world_run(&w);
	switch_seat_close(w.shard[0].s, 2, true, w.now);
	world_advance(&w, 3000);
	assert_true(bo->closed);
	assert_int_equal(phone_reports(ann, NULL), 1);
}

static void test_SW_1__a_seat_closed_in_the_middle_of_its_words(void **state)
{
	char body[300];

	(void)state;
	cpim(body, sizeof(body), ANN, CONF, "first of two");
	phone_chunk(ann, 0, "m1", "1-*/5000", "", body, strlen(body), '+');
	world_run(&w);
	assert_int_equal(phone_sends(bo), 1);
	switch_seat_close(w.shard[0].s, 1, false, w.now);
	world_run(&w);
	assert_int_equal(phone_sends(bo), 2);
	assert_int_equal(phone_send(bo, 1)->flag, '#');
	assert_string_equal(phone_send(bo, 1)->id, "m1");
	phone_say(ann, "m2", ANN, CONF, "am I heard?");
	world_run(&w);
	assert_int_equal(phone_status(ann), 481);
}

static void test_SW_1__closing_a_conference_closes_all_its_seats(void **state)
{
	struct switch_counts counts;

	(void)state;
	seat_open(&w, 0, 7, 3, "sip:cy@example.com", true);
	phone_say(ann, "m1", ANN, CONF, "bye");
	switch_conference_close(w.shard[0].s, 7, w.now);
	world_advance(&w, 5000);
	assert_int_equal(phone_sends(bo), 1);
	assert_true(ann->closed && bo->closed);
	switch_shard_counts(w.shard[0].s, &counts);
	assert_int_equal(counts.seats, 0);
	assert_int_equal(counts.conferences, 0);
	assert_int_equal(counts.conns, 0);
	switch_conference_close(w.shard[0].s, 7, w.now);
	switch_seat_close(w.shard[0].s, 2, true, w.now);
}

static void open_many(switch_conference_id conf, switch_seat_id first, size_t n)
{
	struct switch_seat_config sc[64];

	for (size_t i = 0; i < n; i++)
		sc[i] = (struct switch_seat_config){
			.seat = first + i, .uri = VIEW("sip:x@example.com"), .display = VIEW("X")};
	switch_seats_open(w.shard[0].s, 5, conf, VIEW(CONF), sc, n, w.now);
}

static void test_CF_X_1__seats_are_taken_all_or_none_at_the_caps(void **state)
{
	struct switch_config cfg = world_config();
	struct switch_counts counts;

	(void)state;
	world_fini(&w);
	cfg.max_seats = 10;
	cfg.max_members = 6;
	cfg.max_conferences = 2;
	world_init(&w, 1, &cfg);
	open_many(1, 100, 7);
	assert_int_equal(w.event[0].type, SWITCH_EV_SEATS_FAILED);
	assert_int_equal(w.event[0].error, E_LIMIT);
	assert_int_equal(w.event[0].request, 5);
	switch_shard_counts(w.shard[0].s, &counts);
	assert_int_equal(counts.seats + counts.conferences, 0);
	open_many(1, 100, 6);
	assert_int_equal(w.event[1].type, SWITCH_EV_SEATS_READY);
	assert_int_equal(w.n_ready, 6);
	open_many(1, 200, 1);
	assert_int_equal(w.event[2].error, E_LIMIT);
	open_many(2, 200, 5);
	assert_int_equal(w.event[3].error, E_LIMIT);
	/* A seat number that is there already, behind new ones. */
	open_many(2, 97, 4);
	assert_int_equal(w.event[4].error, E_EXISTS);
	switch_shard_counts(w.shard[0].s, &counts);
	assert_int_equal(counts.seats, 6);
	assert_int_equal(counts.conferences, 1);
	open_many(2, 97, 3);
	assert_int_equal(w.event[5].error, 0);
	open_many(3, 300, 1);
	assert_int_equal(w.event[6].error, E_LIMIT);
	switch_seat_close(w.shard[0].s, 97, false, w.now);
	switch_conference_close(w.shard[0].s, 2, w.now);
	open_many(3, 300, 4);
	assert_int_equal(w.event[7].error, 0);
}

static void test_SW_1__two_phones_of_one_person_both_get_it(void **state)
{
	struct phone *bo2 = phone_join(&w, 0, 7, 3, BO);

	(void)state;
	phone_say(ann, "m1", ANN, BO, "both of you");
	phone_say(bo, "m2", BO, CONF, "said on one");
	world_run(&w);
	assert_int_equal(phone_sends(bo), 1);
	assert_int_equal(phone_sends(bo2), 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_SW_4__a_seat_nobody_claims_is_lost),
		T(test_SW_4__the_owner_may_be_faster_than_his_answer),
		T(test_SW_5__an_answer_that_names_another_path_ends_an_early_hold),
		T(test_SW_4__where_answered_passive_we_connect_and_bind),
		T(test_SW_4__a_connection_that_cannot_be_made_loses_the_seat),
		T(test_SW_4__a_bind_refused_by_the_peer_loses_the_seat),
		T(test_SW_1__a_drained_seat_is_written_to_the_end),
		T(test_SW_1__a_drained_seat_does_not_wait_for_ever),
		T(test_SW_1__a_seat_closed_in_the_middle_of_its_words),
		T(test_SW_1__closing_a_conference_closes_all_its_seats),
		T(test_CF_X_1__seats_are_taken_all_or_none_at_the_caps),
		T(test_SW_1__two_phones_of_one_person_both_get_it),
	};

	return cmocka_run_group_tests_name("switch_seat", tests, NULL, NULL);
}
