#include "switch_world.h"

/* The 1-1 relay: seat 1 is Ann's, seat 2 is Bo's. */

static struct world w;
static struct phone *ann, *bo;
static char ann_path[SWITCH_PATH_TEXT_MAX], bo_path[SWITCH_PATH_TEXT_MAX];

static void open_relay(unsigned shard)
{
	struct switch_seat_config seat[2] = {{.seat = 1, .uri = VIEW(""), .display = VIEW("")},
					     {.seat = 2, .uri = VIEW(""), .display = VIEW("")}};

	switch_relay_open(w.shard[shard].s, 1, 7, seat, w.now);
	assert_int_equal(w.open_error, 0);
	assert_int_equal(w.n_ready, 2);
	strcpy(ann_path, w.ready[0].path);
	strcpy(bo_path, w.ready[1].path);
}

static struct phone *come(unsigned shard, const char *path)
{
	struct phone *p = phone_connect(&w, shard);

	strcpy(p->path[0], path);
	return p;
}

static int setup_with(struct switch_config cfg, unsigned shards)
{
	world_init(&w, shards, &cfg);
	open_relay(0);
	ann = come(0, ann_path);
	bo = come(shards - 1, bo_path);
	seat_answer(&w, 0, 1, ann->local);
	seat_answer(&w, 0, 2, bo->local);
	phone_bind(ann, 0);
	phone_bind(bo, 0);
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	assert_int_equal(phone_status(bo), 200);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return setup_with(world_config(), 1);
}

static int setup_shared(void **state)
{
	(void)state;
	return setup_with(world_config(), 2);
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static void say(struct phone *p, const char *id, const char *text)
{
	char range[64];

	snprintf(range, sizeof(range), "1-%zu/%zu", strlen(text), strlen(text));
	phone_chunk(p, 0, id, range, "", text, strlen(text), '$');
}

static void test_PF_9_1_2_2__a_message_is_passed_on_with_paths_rewritten(void **state)
{
	const struct got *g;

	(void)state;
	phone_chunk(ann, 0, "m1", "1-*/5", "Success-Report: yes\r\nX-Some: thing\r\n", "hello", 5,
		    '$');
	world_run(&w);
	assert_int_equal(phone_sends(bo), 1);
	g = phone_send(bo, 0);
	assert_string_equal(g->body, "hello");
	assert_string_equal(g->id, "m1");
	assert_string_equal(g->to, bo->local);
	assert_string_equal(g->from, bo_path);
	assert_true(g->success_report);
	assert_int_equal(g->start, 1);
	assert_true(g->end == MSRP_UNKNOWN);
	assert_int_equal(g->total, 5);
	assert_non_null(strstr(bo->raw.p, "X-Some: thing\r\n"));
	/* The answer is the relay's own, the tid is not the sender's (SW-5). */
	assert_int_equal(phone_status(ann), 200);
	assert_null(strstr(g->tid, "t0000"));
	assert_true(strlen(g->tid) >= 16);
	assert_int_equal(phone_sends(ann), 0);
	assert_int_equal(phone_reports(ann, NULL), 0);
}

static void test_PF_9_1_2_2__any_content_type_passes(void **state)
{
	char text[600];

	(void)state;
	snprintf(text, sizeof(text),
		 "MSRP plain1 SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: p1\r\n"
		 "Byte-Range: 1-2/2\r\nContent-Type: text/plain\r\n\r\nhi\r\n-------plain1$\r\n",
		 ann_path, ann->local);
	phone_write(ann, text);
	world_run(&w);
	assert_string_equal(phone_send(bo, 0)->type, "text/plain");
	assert_string_equal(phone_send(bo, 0)->body, "hi");
}

static void test_PF_9_1_2_2__reports_go_end_to_end(void **state)
{
	const struct got *g = NULL;
	char text[600];

	(void)state;
	phone_chunk(ann, 0, "m1", "1-5/5", "Success-Report: yes\r\n", "hello", 5, '$');
	world_run(&w);
	assert_int_equal(phone_reports(ann, NULL), 0);
	snprintf(text, sizeof(text),
		 "MSRP rep11 REPORT\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: m1\r\n"
		 "Byte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n-------rep11$\r\n",
		 bo_path, bo->local);
	phone_write(bo, text);
	world_run(&w);
	assert_int_equal(phone_reports(ann, &g), 1);
	assert_string_equal(g->id, "m1");
	assert_int_equal(g->status, 200);
	assert_int_equal(g->end, 5);
	assert_string_equal(g->to, ann->local);
	assert_string_equal(g->from, ann_path);
	assert_null(strstr(g->tid, "rep11"));
}

static void test_PF_9_1_2_2__a_refusal_becomes_a_report(void **state)
{
	const struct got *g = NULL;

	(void)state;
	bo->refuse = 415;
	phone_chunk(ann, 0, "m1", "3-5/9", "", "llo", 3, '+');
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	assert_int_equal(phone_reports(ann, &g), 1);
	assert_int_equal(g->status, 415);
	assert_int_equal(g->start, 3);
	assert_int_equal(g->end, 5);
	assert_int_equal(g->total, 9);
	/* Who wants no word gets none. */
	phone_chunk(ann, 0, "m2", "1-3/3", "Failure-Report: no\r\n", "llo", 3, '$');
	world_run(&w);
	assert_int_equal(phone_reports(ann, NULL), 1);
}

static void test_SW_6__chunks_pass_as_they_come(void **state)
{
	(void)state;
	phone_chunk(ann, 0, "m1", "1-3/6", "", "abc", 3, '+');
	world_run(&w);
	assert_int_equal(phone_send(bo, 0)->flag, '+');
	assert_int_equal(phone_send(bo, 0)->total, 6);
	phone_chunk(ann, 0, "m1", "4-6/6", "", "def", 3, '$');
	phone_chunk(ann, 0, "m2", "1-3/6", "", "ghi", 3, '#');
	world_run(&w);
	assert_int_equal(phone_send(bo, 1)->start, 4);
	assert_int_equal(phone_send(bo, 1)->flag, '$');
	assert_int_equal(phone_send(bo, 2)->flag, '#');
}

static void test_PF_9_1_2_2__a_large_chunk_is_not_gathered(void **state)
{
	size_t n = 300000, half;
	char *body = malloc(n), *frame;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < n; i++)
		body[i] = (char)('a' + i % 26);
	buf_init(&b, 1 << 20);
	buf_putf(&b,
		 "MSRP large1 SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: big\r\n"
		 "Byte-Range: 1-*/300000\r\nContent-Type: image/png\r\n\r\n",
		 ann_path, ann->local);
	buf_put(&b, view_of(body, n));
	buf_puts(&b, "\r\n-------large1$\r\n");
	frame = b.p;
	half = b.n / 2;
	phone_recv(ann, frame, half);
	world_run(&w);
	/* Its first half is with the receiver already. */
	assert_true(bo->now.n_body > 100000);
	phone_recv(ann, frame + half, b.n - half);
	world_run(&w);
	assert_int_equal(phone_sends(bo), 1);
	assert_int_equal(phone_send(bo, 0)->n_body, n);
	assert_memory_equal(phone_send(bo, 0)->body, body, n);
	assert_int_equal(phone_send(bo, 0)->flag, '$');
	assert_string_equal(phone_send(bo, 0)->type, "image/png");
	buf_fini(&b);
	free(body);
}

static void test_SW_3__the_sender_is_not_read_faster_than_the_receiver_takes(void **state)
{
	char *body = calloc(1, 10000);
	unsigned sent = 0;

	(void)state;
	memset(body, 'x', 10000);
	bo->stalled = true;
	while (ann->reading && sent < 1000) {
		char id[16];

		snprintf(id, sizeof(id), "m%u", sent++);
		phone_chunk(ann, 0, id, "1-10000/10000", "", body, 10000, '$');
		world_run(&w);
	}
	assert_false(ann->reading);
	assert_in_range(sent, 10, 60);
	/* The other direction goes on meanwhile. */
	say(bo, "b1", "still here");
	assert_true(bo->reading);
	bo->stalled = false;
	world_run(&w);
	assert_true(ann->reading);
	assert_int_equal(phone_sends(bo), sent);
	assert_int_equal(phone_reports(ann, NULL), 0);
	assert_string_equal(phone_send(ann, 0)->body, "still here");
	free(body);
}

static void test_SW_3__a_connection_of_another_thread_is_stopped_as_well(void **state)
{
	char *body = calloc(1, 10000);
	unsigned sent = 0;

	(void)state;
	memset(body, 'x', 10000);
	/* Bo's connection is one that thread 1 accepted. */
	ann->stalled = true;
	while (bo->reading && sent < 1000) {
		char id[16];

		snprintf(id, sizeof(id), "m%u", sent++);
		phone_chunk(bo, 0, id, "1-10000/10000", "", body, 10000, '$');
		world_run(&w);
	}
	assert_false(bo->reading);
	ann->stalled = false;
	world_run(&w);
	assert_true(bo->reading);
	assert_int_equal(phone_sends(ann), sent);
	free(body);
}

static void test_PF_9_1_2_2__what_is_said_before_the_other_came_waits(void **state)
{
	struct switch_config cfg = world_config();

	(void)state;
	world_fini(&w);
	world_init(&w, 1, &cfg);
	open_relay(0);
	ann = come(0, ann_path);
	phone_bind(ann, 0);
	say(ann, "m1", "early");
	world_run(&w);
	bo = come(0, bo_path);
	phone_bind(bo, 0);
	world_run(&w);
	assert_string_equal(phone_send(bo, 0)->body, "early");
	assert_int_equal(phone_reports(ann, NULL), 0);
}

static void test_PF_9_1_2_2__a_broken_connection_costs_nothing_when_it_comes_back(void **state)
{
	struct phone *again;

	(void)state;
	bo->mute = true;
	say(ann, "m1", "one");
	world_run(&w);
	phone_cut(bo);
	say(ann, "m2", "two");
	world_run(&w);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_DOWN, 2), 1);
	again = come(0, bo_path);
	strcpy(again->local, bo->local);
	phone_bind(again, 0);
	world_run(&w);
	/* The first was written and not answered: it comes again, under its id. */
	assert_string_equal(phone_send(again, 0)->id, "m1");
	assert_string_equal(phone_send(again, 1)->id, "m2");
	assert_int_equal(phone_reports(ann, NULL), 0);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 2), 0);
}

static void test_PF_9_1_2_2__a_side_that_stays_away_is_reported_and_may_return(void **state)
{
	const struct got *g = NULL;
	struct phone *again;

	(void)state;
	phone_cut(bo);
	say(ann, "m1", "one");
	world_advance(&w, w.cfg.rebind_grace_ms + 100);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 2), 1);
	assert_int_equal(phone_reports(ann, &g), 1);
	assert_int_equal(g->status, 408);
	say(ann, "m2", "two");
	world_run(&w);
	assert_int_equal(phone_status(ann), 408);
	assert_non_null(ann->conn);
	again = come(0, bo_path);
	strcpy(again->local, bo->local);
	phone_bind(again, 0);
	say(ann, "m3", "three");
	world_run(&w);
	assert_int_equal(phone_sends(again), 1);
	assert_string_equal(phone_send(again, 0)->id, "m3");
}

static void test_SW_4__two_who_can_only_connect_are_served(void **state)
{
	(void)state;
	/* Both came to us in the setup: that is it. */
	say(ann, "m1", "hello");
	say(bo, "m2", "hello yourself");
	world_run(&w);
	assert_string_equal(phone_send(bo, 0)->body, "hello");
	assert_string_equal(phone_send(ann, 0)->body, "hello yourself");
}

static void test_SW_4__the_relay_connects_to_one_who_waits_and_does_so_again(void **state)
{
	struct switch_config cfg = world_config();
	struct switch_seat_answer a = {.remote_path = VIEW("msrp://192.0.2.77:7777/waits;tcp"),
				       .accept_types = VIEW("*"),
				       .accept_wrapped_types = VIEW(""),
				       .connect = true};

	(void)state;
	world_fini(&w);
	world_init(&w, 1, &cfg);
	open_relay(0);
	switch_seat_answer(w.shard[0].s, 2, &a, w.now);
	assert_int_equal(w.n_phones, 1);
	assert_int_equal(w.dialed_to.port, 7777);
	bo = w.phone[0];
	strcpy(bo->local, "msrp://192.0.2.77:7777/waits;tcp");
	switch_conn_up(bo->conn, w.now);
	world_run(&w);
	assert_int_equal(bo->n_got, 1); /* our empty SEND */
	phone_cut(bo);
	w.refuse_connect = true;
	world_advance(&w, 250);
	w.refuse_connect = false;
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 2), 0);
	world_advance(&w, 1000);
	assert_int_equal(w.n_phones, 2);
	switch_conn_up(w.phone[1]->conn, w.now);
	world_run(&w);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_BOUND, 2), 2);
}

static void test_move_4__closing_drains_what_the_last_writer_had(void **state)
{
	(void)state;
	bo->stalled = true;
	say(ann, "m1", "last words");
	switch_relay_close(w.shard[0].s, 7, w.now);
	say(ann, "m2", "very last");
	world_run(&w);
	phone_cut(ann);
	world_advance(&w, 1100);
	assert_non_null(bo->conn);
	bo->stalled = false;
	world_run(&w);
	assert_int_equal(phone_sends(bo), 2);
	assert_string_equal(phone_send(bo, 1)->body, "very last");
	world_advance(&w, 10);
	assert_true(bo->closed);
	struct switch_counts n;
	switch_shard_counts(w.shard[0].s, &n);
	assert_int_equal(n.seats, 0);
	assert_int_equal(n.conferences, 0);
}

static void test_move_4__closing_waits_a_second_for_one_who_is_cut_off(void **state)
{
	(void)state;
	phone_cut(ann);
	world_advance(&w, 50);
	switch_relay_close(w.shard[0].s, 7, w.now);
	world_advance(&w, 900);
	assert_non_null(bo->conn);
	world_advance(&w, 200);
	assert_true(bo->closed);
}

static void test_PF_9_1_2_2__closing_ends_by_itself(void **state)
{
	struct switch_counts n;

	(void)state;
	switch_relay_close(w.shard[0].s, 7, w.now);
	world_advance(&w, 7100);
	assert_true(ann->closed && bo->closed);
	switch_shard_counts(w.shard[0].s, &n);
	assert_int_equal(n.seats, 0);
}

static void test_PF_9_1_2_2__closing_before_anybody_came(void **state)
{
	struct switch_config cfg = world_config();
	struct switch_counts n;

	(void)state;
	world_fini(&w);
	world_init(&w, 1, &cfg);
	open_relay(0);
	switch_relay_close(w.shard[0].s, 7, w.now);
	switch_shard_counts(w.shard[0].s, &n);
	assert_int_equal(n.seats, 0);
	assert_int_equal(n.conferences, 0);
}

static void test_PF_9_1_2_2__a_mute_receiver_costs_no_more_than_the_cap(void **state)
{
	char *body = calloc(1, 10000);

	(void)state;
	memset(body, 'x', 10000);
	bo->mute = true;
	for (unsigned i = 0; i < 400; i++) {
		char id[16];

		snprintf(id, sizeof(id), "m%u", i);
		phone_chunk(ann, 0, id, "1-10000/10000", "", body, 10000, '$');
		world_run(&w);
	}
	assert_true(ann->reading);
	assert_int_equal(phone_sends(bo), 400);
	/* Those of which nothing is kept have failed when his connection breaks. */
	phone_cut(bo);
	world_run(&w);
	assert_in_range(phone_reports(ann, NULL), 250, 350);
	free(body);
}

/* Ann has a second relay, with Cy, over the same connection (RFC 4975 §5.4). */
static void test_SW_3__who_reads_nothing_does_not_stop_another_session(void **state)
{
	struct switch_config cfg = world_config();
	struct switch_seat_config seat[2] = {{.seat = 3, .uri = VIEW(""), .display = VIEW("")},
					     {.seat = 4, .uri = VIEW(""), .display = VIEW("")}};
	char text[8001], id[20];

	(void)state;
	memset(text, 'x', 8000);
	text[8000] = '\0';
	cfg.seat_backlog = 200000;
	for (unsigned shards = 1; shards <= 2; shards++) {
		unsigned far = shards - 1;
		struct phone *cy;

		world_fini(&w);
		setup_with(cfg, shards);
		switch_relay_open(w.shard[far].s, 1, 8, seat, w.now);
		strcpy(ann->path[1], w.ready[2].path);
		cy = come(far, w.ready[3].path);
		seat_answer(&w, far, 3, ann->local);
		seat_answer(&w, far, 4, cy->local);
		phone_bind(ann, 1);
		phone_bind(cy, 0);
		world_run(&w);
		/* Each of the two in turn reads nothing: once of ann's own shard, once of the
		 * other. */
		for (int k = 0; k < 2; k++) {
			struct phone *deaf = k ? cy : bo, *good = k ? bo : cy;
			size_t had = phone_sends(good), reports = phone_reports(ann, NULL), got;

			deaf->stalled = true;
			for (unsigned i = 0; i < 60; i++) {
				snprintf(id, sizeof(id), "d%d%u", k, i);
				phone_chunk(ann, k, id, "1-8000/8000", "", text, 8000, '$');
				snprintf(id, sizeof(id), "g%d%u", k, i);
				phone_chunk(ann, !k, id, "1-5/5", "", "hello", 5, '$');
				world_run(&w);
				assert_true(ann->reading);
			}
			assert_int_equal(phone_sends(good), had + 60);
			/* Each is delivered or reported. */
			got = phone_sends(deaf);
			deaf->stalled = false;
			world_advance(&w, 2000);
			got = phone_sends(deaf) - got;
			reports = phone_reports(ann, NULL) - reports;
			assert_in_range(reports, 30, 55);
			assert_int_equal(got + reports, 60);
		}
	}
}

/* The process ends while a connection of another thread is stopped. */
static void test_SW_5__a_shard_ends_with_what_waits(void **state)
{
	struct switch_config cfg = world_config();
	char *body = calloc(1, 20000);

	(void)state;
	memset(body, 'x', 20000);
	cfg.seat_backlog = 100000;
	for (int k = 0; k < 2; k++) {
		struct phone *deaf, *writer;

		world_fini(&w);
		setup_with(cfg, 2);
		deaf = k ? ann : bo;
		writer = k ? bo : ann;
		deaf->stalled = true;
		for (unsigned i = 0; i < 20 && writer->reading; i++) {
			phone_chunk(writer, 0, "m", "1-20000/20000", "", body, 20000, '$');
			world_run(&w);
		}
		assert_false(writer->reading);
	}
	free(body);
}

static void part(const char *id, unsigned i, size_t n, const char *bytes, char flag)
{
	char range[64];

	snprintf(range, sizeof(range), "%zu-%zu/*", i * n + 1, (i + 1) * n);
	phone_chunk(ann, 0, id, range, "", bytes, n, flag);
	world_run(&w);
}

/* One below, at and above; gathered and streamed. */
static void test_SW_1__cap_on_the_chunks_of_a_relayed_message_is_413(void **state)
{
	enum { CHUNKS = 4 };
	static const size_t size[] = {1, 300, 20000};
	char *bytes = calloc(1, 20000);

	(void)state;
	memset(bytes, 'x', 20000);
	for (int k = -1; k <= 1; k++)
		for (size_t s = 0; s < 3; s++) {
			struct switch_config cfg = world_config();
			const struct got *last;
			unsigned n = (unsigned)(CHUNKS + k);

			cfg.max_chunks = CHUNKS;
			world_fini(&w);
			setup_with(cfg, 1);
			for (unsigned i = 0; i < n; i++) {
				part("m", i, size[s], bytes, i == n - 1 ? '$' : '+');
				assert_int_equal(phone_status(ann), i < CHUNKS ? 200 : 413);
			}
			last = phone_send(bo, phone_sends(bo) - 1);
			assert_string_equal(last->id, "m");
			assert_int_equal(last->flag, k <= 0 ? '$' : '#');
			/* What follows of it is refused as well, and bo hears it once. */
			for (unsigned i = n; k > 0 && i < n + 3; i++) {
				size_t sends = phone_sends(bo);

				part("m", i, size[s], bytes, '+');
				assert_int_equal(phone_status(ann), 413);
				assert_int_equal(phone_sends(bo), sends);
			}
			part("next", 0, size[s], bytes, '$');
			assert_int_equal(phone_status(ann), 200);
		}
	free(bytes);
}

static void test_SW_1__a_message_that_begins_anew_is_counted_anew(void **state)
{
	struct switch_config cfg = world_config();
	char id[16];

	(void)state;
	cfg.max_chunks = 3;
	world_fini(&w);
	setup_with(cfg, 1);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(id, sizeof(id), "m%u", i % 5);
		for (unsigned k = 0; k < 3; k++) {
			part(id, k, 5, "12345", k == 2 ? (i % 2 ? '$' : '#') : '+');
			assert_int_equal(phone_status(ann), 200);
		}
	}
}

/* What is kept of them is bounded, nobody gets past the cap by taking turns, and one who gives
 * messages up without a word is served after a while. */
static void test_SW_5__relayed_messages_in_chunks_have_a_cap(void **state)
{
	struct switch_config cfg = world_config();
	char id[16];

	(void)state;
	cfg.max_chunks = 1000;
	world_fini(&w);
	setup_with(cfg, 1);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "m%u", i);
		part(id, 0, 5, "12345", '+');
		assert_int_equal(phone_status(ann), i < 16 ? 200 : 413);
	}
	part("whole", 0, 5, "12345", '$');
	assert_int_equal(phone_status(ann), 200);
	part("m7", 1, 5, "12345", '$');
	part("m16", 0, 5, "12345", '+');
	assert_int_equal(phone_status(ann), 200);
	part("m17", 0, 5, "12345", '+');
	assert_int_equal(phone_status(ann), 413);
	world_advance(&w, 31000);
	part("m17", 0, 5, "12345", '+');
	assert_int_equal(phone_status(ann), 200);
}

/* 413 for the size, after bo was given chunks of it. */
static void
test_SW_5__a_relayed_message_that_grows_too_large_is_ended_for_its_receiver(void **state)
{
	struct switch_config cfg = world_config();
	char *bytes = calloc(1, 6000);

	(void)state;
	memset(bytes, 'x', 6000);
	cfg.max_message = 20000;
	cfg.max_chunks = 1000;
	world_fini(&w);
	setup_with(cfg, 1);
	for (unsigned i = 0; i < 5; i++) {
		part("m", i, 6000, bytes, '+');
		assert_int_equal(phone_status(ann), i < 3 ? 200 : 413);
	}
	assert_int_equal(phone_sends(bo), 4);
	assert_int_equal(phone_send(bo, 3)->flag, '#');
	free(bytes);
}

int main(void)
{
#define IN(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN(test_PF_9_1_2_2__a_message_is_passed_on_with_paths_rewritten),
		IN(test_PF_9_1_2_2__any_content_type_passes),
		IN(test_PF_9_1_2_2__reports_go_end_to_end),
		IN(test_PF_9_1_2_2__a_refusal_becomes_a_report),
		IN(test_SW_6__chunks_pass_as_they_come),
		IN(test_PF_9_1_2_2__a_large_chunk_is_not_gathered),
		IN(test_SW_3__the_sender_is_not_read_faster_than_the_receiver_takes),
		cmocka_unit_test_setup_teardown(
			test_SW_3__a_connection_of_another_thread_is_stopped_as_well, setup_shared,
			teardown),
		IN(test_PF_9_1_2_2__what_is_said_before_the_other_came_waits),
		IN(test_PF_9_1_2_2__a_broken_connection_costs_nothing_when_it_comes_back),
		IN(test_PF_9_1_2_2__a_side_that_stays_away_is_reported_and_may_return),
		IN(test_SW_4__two_who_can_only_connect_are_served),
		IN(test_SW_4__the_relay_connects_to_one_who_waits_and_does_so_again),
		IN(test_move_4__closing_drains_what_the_last_writer_had),
		IN(test_move_4__closing_waits_a_second_for_one_who_is_cut_off),
		IN(test_PF_9_1_2_2__closing_ends_by_itself),
		IN(test_PF_9_1_2_2__closing_before_anybody_came),
		IN(test_PF_9_1_2_2__a_mute_receiver_costs_no_more_than_the_cap),
		IN(test_SW_3__who_reads_nothing_does_not_stop_another_session),
		IN(test_SW_5__a_shard_ends_with_what_waits),
		IN(test_SW_1__cap_on_the_chunks_of_a_relayed_message_is_413),
		IN(test_SW_1__a_message_that_begins_anew_is_counted_anew),
		IN(test_SW_5__relayed_messages_in_chunks_have_a_cap),
		IN(test_SW_5__a_relayed_message_that_grows_too_large_is_ended_for_its_receiver),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
