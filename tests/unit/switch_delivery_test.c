#include "switch_world.h"

#define ANN  "sip:ann@example.com"
#define BO   "sip:bo@example.com"
#define CY   "sip:cy@example.com"
#define CONF "sip:conf@example.com"

static struct world w;
static struct phone *ann, *bo, *cy;

static void begin(const struct switch_config *cfg)
{
	world_init(&w, 1, cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	bo = phone_join(&w, 0, 7, 2, BO);
	cy = phone_join(&w, 0, 7, 3, CY);
}

static int setup(void **state)
{
	struct switch_config cfg = world_config();

	(void)state;
	begin(&cfg);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

/* A large message: its CPIM headers and n bytes more. */
static char *large(size_t *n, const char *from, const char *to, size_t more)
{
	char *p = malloc(more + 400);

	cpim(p, 400, from, to, "");
	*n = strlen(p);
	for (size_t i = 0; i < more; i++)
		p[*n + i] = (char)('a' + i % 23);
	*n += more;
	return p;
}

/* The head of a chunk, so that its body can be written bit by bit. */
static void chunk_head(struct phone *p, const char *id, const char *range)
{
	char text[700];

	snprintf(text, sizeof(text),
		 "MSRP big SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: %s\r\n"
		 "Byte-Range: %s\r\nContent-Type: message/cpim\r\n\r\n",
		 p->path[0], p->local, id, range);
	phone_write(p, text);
}

static void write_slowly(struct phone *p, const char *bytes, size_t n, size_t step)
{
	for (size_t i = 0; i < n; i += step) {
		phone_recv(p, bytes + i, n - i < step ? n - i : step);
		world_run(p->w);
	}
}

/* Joins the SENDs of one id. */
static struct buf joined(const struct phone *p, const char *id)
{
	struct buf b;

	buf_init(&b, 64u << 20);
	for (size_t i = 0; phone_send(p, i); i++) {
		const struct got *g = phone_send(p, i);

		if (strcmp(g->id, id) != 0)
			continue;
		assert_int_equal(g->start, b.n + 1);
		buf_put(&b, view_of(g->body, g->n_body));
	}
	return b;
}

static void test_SW_6__a_chunk_up_to_the_limit_is_passed_on_whole(void **state)
{
	size_t n;
	char *body = large(&n, ANN, CONF, 8000), range[64];

	(void)state;
	snprintf(range, sizeof(range), "1-*/%zu", n);
	chunk_head(ann, "m1", range);
	write_slowly(ann, body, n, 1000);
	assert_int_equal(phone_sends(bo), 0);
	phone_write(ann, "\r\n-------big$\r\n");
	world_run(&w);
	assert_int_equal(phone_sends(bo), 1);
	assert_int_equal(phone_send(bo, 0)->end, MSRP_UNKNOWN);
	assert_int_equal(phone_send(bo, 0)->total, n);
	assert_int_equal(phone_send(bo, 0)->n_body, n);
	assert_memory_equal(phone_send(bo, 0)->body, body, n);
	free(body);
}

static void test_SW_6__a_larger_one_is_streamed_as_one_chunk(void **state)
{
	size_t n;
	char *body = large(&n, ANN, CONF, 300000), range[64];

	(void)state;
	snprintf(range, sizeof(range), "1-*/%zu", n);
	chunk_head(ann, "m1", range);
	write_slowly(ann, body, n / 2, 7001);
	/* On its way before it is all there. */
	assert_true(bo->bytes > n / 3);
	write_slowly(ann, body + n / 2, n - n / 2, 7001);
	phone_write(ann, "\r\n-------big$\r\n");
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	assert_int_equal(phone_sends(bo), 1);
	assert_int_equal(phone_sends(cy), 1);
	assert_int_equal(phone_send(bo, 0)->n_body, n);
	assert_memory_equal(phone_send(bo, 0)->body, body, n);
	assert_int_equal(phone_send(bo, 0)->flag, '$');
	assert_int_equal(phone_send(bo, 0)->total, n);
	world_advance(&w, 60000);
	assert_int_equal(phone_reports(ann, NULL), 0);
	free(body);
}

static void test_SW_6__a_streamed_chunk_gives_way_and_goes_on(void **state)
{
	size_t n;
	char *body = large(&n, ANN, CONF, 200000), range[64];
	struct buf b;

	(void)state;
	snprintf(range, sizeof(range), "1-*/%zu", n);
	chunk_head(ann, "m1", range);
	ann->hold = true; /* her answers wait for the end of her chunk */
	write_slowly(ann, body, n / 2, 9000);
	phone_say(cy, "short", CY, CONF, "excuse me");
	world_run(&w);
	assert_int_equal(phone_sends(bo), 2);
	assert_string_equal(phone_send(bo, 1)->id, "short");
	assert_int_equal(phone_send(bo, 0)->flag, '+');
	write_slowly(ann, body + n / 2, n - n / 2, 9000);
	phone_write(ann, "\r\n-------big$\r\n");
	phone_release(ann);
	world_run(&w);
	assert_int_equal(phone_sends(bo), 3);
	assert_int_equal(phone_send(bo, 2)->flag, '$');
	b = joined(bo, "m1");
	assert_int_equal(b.n, n);
	assert_memory_equal(b.p, body, n);
	buf_fini(&b);
	/* Cy, who wrote meanwhile, had to get an answer. */
	b = joined(cy, "m1");
	assert_int_equal(b.n, n);
	buf_fini(&b);
	world_advance(&w, 60000);
	assert_int_equal(phone_reports(ann, NULL), 0);
	free(body);
}

static void test_SW_1__a_sender_gone_in_the_middle_ends_in_an_abort(void **state)
{
	size_t n;
	char *body = large(&n, ANN, CONF, 100000), range[64];

	(void)state;
	snprintf(range, sizeof(range), "1-*/%zu", n);
	chunk_head(ann, "m1", range);
	write_slowly(ann, body, n / 2, 9000);
	phone_cut(ann);
	world_run(&w);
	assert_int_equal(phone_sends(bo), 1);
	assert_int_equal(phone_send(bo, 0)->flag, '#');
	assert_int_equal(phone_send(cy, 0)->flag, '#');
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_DOWN, 1), 1);
	free(body);
}

static void test_SW_1__the_senders_own_abort_is_passed_on(void **state)
{
	size_t n;
	char *body = large(&n, ANN, CONF, 50000), range[64];

	(void)state;
	snprintf(range, sizeof(range), "1-*/%zu", n);
	chunk_head(ann, "m1", range);
	write_slowly(ann, body, n / 2, 9000);
	phone_write(ann, "\r\n-------big#\r\n");
	world_run(&w);
	assert_int_equal(phone_send(bo, 0)->flag, '#');
	assert_int_equal(phone_status(ann), 200);
	free(body);
}

static void test_SW_1__a_chunk_that_stands_still_is_given_up(void **state)
{
	size_t n;
	char *body = large(&n, ANN, CONF, 50000), range[64];

	(void)state;
	snprintf(range, sizeof(range), "1-*/%zu", n);
	chunk_head(ann, "m1", range);
	write_slowly(ann, body, n / 2, 9000);
	world_advance(&w, 600000);
	assert_int_equal(phone_send(bo, 0)->flag, '#');
	/* The rest of it, late, goes nowhere and breaks nothing. */
	write_slowly(ann, body + n / 2, n - n / 2, 9000);
	phone_write(ann, "\r\n-------big$\r\n");
	phone_say(ann, "m2", ANN, CONF, "next");
	world_run(&w);
	assert_int_equal(phone_sends(bo), 2);
	assert_string_equal(phone_send(bo, 1)->id, "m2");
	free(body);
}

static void test_SW_3__a_stalled_receiver_delays_nobody_and_is_reported_once(void **state)
{
	struct switch_config cfg = world_config();
	const struct got *r = NULL;
	char id[20], text[1001];
	size_t failed = 0;

	(void)state;
	world_fini(&w);
	cfg.seat_backlog = 60000;
	begin(&cfg);
	memset(text, 'x', 1000);
	text[1000] = '\0';
	bo->stalled = true;
	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		phone_say(ann, id, ANN, CONF, text);
		world_run(&w);
	}
	assert_int_equal(phone_sends(cy), 40);
	assert_true(ann->reading);
	world_advance(&w, 2000);
	failed = phone_reports(ann, &r);
	assert_true(failed > 15 && failed < 30);
	assert_int_equal(r->status, 408);
	assert_string_equal(r->comment, "1 of 2 receivers");
	/* One report each, for those and no others. */
	bo->stalled = false;
	world_advance(&w, 60000);
	assert_int_equal(phone_reports(ann, NULL), failed);
	assert_int_equal(phone_sends(bo), 40 - failed);
	assert_string_equal(phone_send(bo, 0)->id, "m0");
	phone_say(ann, "after", ANN, CONF, "still there?");
	world_run(&w);
	assert_int_equal(phone_sends(bo), 41 - failed);
}

static void test_SW_3__a_streamed_message_is_aborted_towards_a_stalled_receiver(void **state)
{
	struct switch_config cfg = world_config();
	size_t n;
	char *body = large(&n, ANN, CONF, 400000), range[64];

	(void)state;
	world_fini(&w);
	cfg.seat_backlog = 65536;
	begin(&cfg);
	snprintf(range, sizeof(range), "1-*/%zu", n);
	chunk_head(ann, "m1", range);
	write_slowly(ann, body, 50000, 5000);
	bo->stalled = true;
	write_slowly(ann, body + 50000, n - 50000, 5000);
	phone_write(ann, "\r\n-------big$\r\n");
	world_advance(&w, 3000);
	assert_int_equal(phone_send(cy, 0)->n_body, n);
	assert_int_equal(phone_send(cy, 0)->flag, '$');
	assert_int_equal(phone_reports(ann, NULL), 1);
	bo->stalled = false;
	world_run(&w);
	assert_int_equal(phone_sends(bo), 1);
	assert_int_equal(phone_send(bo, 0)->flag, '#');
	assert_memory_equal(phone_send(bo, 0)->body, body, phone_send(bo, 0)->n_body);
	phone_say(ann, "after", ANN, CONF, "still there?");
	world_advance(&w, 60000);
	assert_int_equal(phone_sends(bo), 2);
	assert_int_equal(phone_reports(ann, NULL), 1);
	free(body);
}

/* The owner of seat 2 with a new connection. */
static struct phone *rebind(struct phone *old)
{
	struct phone *p = phone_connect(&w, 0);

	strcpy(p->path[0], old->path[0]);
	strcpy(p->local, old->local);
	phone_bind(p, 0);
	world_run(&w);
	return p;
}

/* Bytes of that message that came to p; *end: its last chunk, too. */
static size_t came(const struct phone *p, const char *id, bool *end)
{
	size_t n = 0;

	*end = false;
	for (size_t i = 0; i < p->n_got; i++) {
		const struct got *g = &p->got[i];

		if (!g->is_request || !view_eq(view_str(g->id), view_str(id)))
			continue;
		n += g->n_body;
		*end = *end || g->flag == '$';
	}
	return n;
}

/* RFC 4975 §7.1.4: of a chunk that is passed on while it comes, nothing is kept. Who was cut off in
 * the middle of it has lost its beginning for good, on the wire or before it was written: its
 * sender is told, however fast he is back. */
static void test_SW_2__who_is_cut_off_in_a_streamed_chunk_is_reported(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		const struct got *r = NULL;
		struct phone *again;
		char *body, range[64];
		bool end;
		size_t n;

		/* None of it was written; all of it was; its chunk was ended, and not answered. */
		body = large(&n, ANN, CONF, 60000);
		snprintf(range, sizeof(range), "1-*/%zu", n);
		bo->stalled = how == 0;
		bo->mute = how == 2;
		chunk_head(ann, "m1", range);
		write_slowly(ann, body, 30000, 5000);
		if (how == 2) {
			/* Another message comes between (§5.1); ann's answer would be body here. */
			ann->mute = true;
			phone_say(cy, "m2", CY, CONF, "between");
			world_run(&w);
		}
		phone_cut(bo);
		again = rebind(bo);
		write_slowly(ann, body + 30000, n - 30000, 5000);
		phone_write(ann, "\r\n-------big$\r\n");
		world_advance(&w, 60000);
		assert_int_equal(phone_status(ann), 200);
		assert_int_equal(came(cy, "m1", &end), n);
		assert_true(end);
		assert_int_equal(phone_reports(ann, &r), 1);
		assert_string_equal(r->id, "m1");
		assert_int_equal(r->status, 408);
		/* No end of it that would make it look whole. */
		(void)came(again, "m1", &end);
		assert_false(end);
		phone_say(ann, "m3", ANN, CONF, "after");
		world_advance(&w, 60000);
		assert_string_equal(phone_send(again, phone_sends(again) - 1)->id, "m3");
		assert_int_equal(phone_reports(ann, NULL), 1);
		free(body);
		(void)teardown(NULL);
		(void)setup(NULL);
	}
}

/* Bytes that come one by one hold more than themselves, and count as what they hold. */
static void test_SW_3__a_backlog_counts_what_it_holds(void **state)
{
	struct switch_config cfg = world_config();
	size_t n, before;
	char *body = large(&n, ANN, CONF, 400000), range[64];
	struct phone *dee;

	(void)state;
	world_fini(&w);
	cfg.seat_backlog = 1 << 20;
	begin(&cfg);
	dee = phone_connect(&w, 0);
	strcpy(dee->path[0], seat_open(&w, 0, 7, 4, "sip:dee@example.com", true));
	snprintf(range, sizeof(range), "1-*/%zu", n);
	chunk_head(ann, "m1", range);
	write_slowly(ann, body, 20000, 5000);
	write_slowly(ann, body + 20000, 3000, 1);
	phone_write(ann, "\r\n-------big+\r\n");
	phone_chunk(ann, 0, "m1", "23001-23001/400000", "", "x", 1, '#');
	world_advance(&w, 3000);
	assert_int_equal(phone_reports(ann, NULL), 1);
	before = phone_sends(dee);
	seat_answer(&w, 0, 4, dee->local);
	phone_bind(dee, 0);
	world_run(&w);
	assert_int_equal(phone_sends(dee), before);
	assert_int_equal(phone_send(cy, 0)->n_body, 23000);
	free(body);
}

/* Chunks that something interrupts are awaited one by one. */
static void test_SW_3__chunks_without_an_answer_are_counted(void **state)
{
	struct switch_config cfg = world_config();
	size_t n;
	char *body = large(&n, ANN, CONF, 400000), range[64];

	(void)state;
	world_fini(&w);
	cfg.seat_backlog = 100000;
	begin(&cfg);
	bo->mute = true;
	snprintf(range, sizeof(range), "1-*/%zu", n);
	chunk_head(ann, "m1", range);
	write_slowly(ann, body, 20000, 5000);
	for (size_t i = 0; i < 500; i++) {
		/* His request is answered in between. */
		phone_bind(bo, 0);
		world_run(&w);
		write_slowly(ann, body + 20000 + i * 10, 10, 10);
	}
	assert_in_range(phone_sends(bo), 50, 300);
	assert_int_equal(phone_send(bo, phone_sends(bo) - 1)->flag, '#');
	free(body);
}

static void test_SW_1__what_was_not_answered_comes_again_after_a_cut(void **state)
{
	struct phone *again;

	(void)state;
	phone_say(ann, "m1", ANN, CONF, "one");
	world_run(&w);
	bo->mute = true;
	phone_say(ann, "m2", ANN, CONF, "two");
	world_run(&w);
	phone_cut(bo);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_DOWN, 2), 1);
	phone_say(ann, "m3", ANN, CONF, "three");
	world_advance(&w, 5000);
	again = rebind(bo);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_BOUND, 2), 2);
	assert_int_equal(phone_sends(again), 2);
	assert_string_equal(phone_send(again, 0)->id, "m2");
	assert_string_equal(phone_send(again, 1)->id, "m3");
	assert_string_not_equal(phone_send(again, 0)->tid, phone_send(bo, 1)->tid);
	world_advance(&w, 60000);
	assert_int_equal(phone_reports(ann, NULL), 0);
	assert_int_equal(phone_sends(again), 2);
}

static void test_SW_1__after_the_grace_they_count_as_failed(void **state)
{
	const struct got *r = NULL;

	(void)state;
	bo->mute = true;
	phone_say(ann, "m1", ANN, CONF, "one");
	world_run(&w);
	phone_cut(bo);
	phone_say(ann, "m2", ANN, CONF, "two");
	world_advance(&w, 19000);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 2), 0);
	assert_int_equal(phone_reports(ann, NULL), 0);
	world_advance(&w, 2000);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 2), 1);
	assert_int_equal(phone_reports(ann, &r), 2);
	assert_string_equal(r->comment, "1 of 2 receivers");
}

static void test_SW_1__a_message_sent_again_after_a_cut_is_answered_and_not_repeated(void **state)
{
	struct phone *again;
	char body[300];

	(void)state;
	phone_say(ann, "m1", ANN, CONF, "one");
	world_run(&w);
	phone_cut(ann);
	again = rebind(ann);
	cpim(body, sizeof(body), ANN, CONF, "one");
	phone_chunk(again, 0, "m1", "1-*/*", "Success-Report: yes\r\n", body, strlen(body), '$');
	phone_say(again, "m2", ANN, CONF, "two");
	world_run(&w);
	assert_int_equal(phone_status(again), 200);
	assert_int_equal(phone_reports(again, NULL), 1);
	assert_int_equal(phone_sends(bo), 2);
	assert_string_equal(phone_send(bo, 1)->id, "m2");
}

/* A stalled phone's bytes are never written, so no answer is waited for: the connection's own time
 * has to end it. */
static void test_SW_3__one_who_takes_nothing_is_cut_off_and_his_messages_are_reported(void **state)
{
	const struct got *r = NULL;
	struct phone *back;

	(void)state;
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, "one");
	world_advance(&w, 29000);
	assert_false(bo->closed);
	world_advance(&w, 2000);
	assert_true(bo->closed);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_DOWN, 2), 1);
	assert_int_equal(phone_reports(ann, NULL), 0);
	/* He may come back, and then gets it. */
	back = rebind(bo);
	world_run(&w);
	assert_string_equal(phone_send(back, 0)->id, "m1");
	back->stalled = true;
	phone_say(ann, "m2", ANN, CONF, "two");
	world_advance(&w, 53000);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 2), 1);
	assert_int_equal(phone_reports(ann, &r), 1);
	assert_string_equal(r->id, "m2");
	assert_int_equal(r->status, 408);
}

static void test_SW_3__one_who_is_slow_is_not_cut_off(void **state)
{
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	bo->stalled = true;
	phone_say(ann, "m1", ANN, CONF, text);
	/* One byte in ten seconds. */
	for (int i = 0; i < 30; i++) {
		world_advance(&w, 10000);
		bo->take = 1;
		bo->stalled = false;
		(void)phone_take(bo);
		bo->stalled = true;
	}
	assert_false(bo->closed);
	bo->take = 0;
	bo->stalled = false;
	world_run(&w);
	assert_int_equal(phone_sends(bo), 1);
}

/* A REPORT that the sender's connection breaks under is not lost. */
static void test_SW_2__reports_outlive_the_senders_connection(void **state)
{
	const struct got *r = NULL;
	struct phone *again;

	(void)state;
	bo->refuse = 413;
	phone_say(ann, "m1", ANN, CONF, "one");
	world_run(&w);
	/* It is queued for her as she stops reading, and breaks off. */
	ann->stalled = true;
	world_advance(&w, 2000);
	phone_cut(ann);
	again = rebind(ann);
	world_run(&w);
	assert_int_equal(phone_reports(again, &r), 1);
	assert_string_equal(r->id, "m1");
	assert_int_equal(r->status, 413);
	/* Written and perhaps swallowed by the next break: once more. */
	phone_cut(again);
	again = rebind(again);
	world_run(&w);
	assert_int_equal(phone_reports(again, &r), 1);
	/* After the time of an answer it has come or never will. */
	world_advance(&w, 31000);
	phone_cut(again);
	again = rebind(again);
	world_run(&w);
	assert_int_equal(phone_reports(again, NULL), 0);
}

/* One who leaves between two chunks has not got the message, whatever he answered before. */
static void test_SW_2__a_receiver_who_leaves_between_chunks_is_reported(void **state)
{
	const struct got *r = NULL;
	char body[300];

	(void)state;
	cpim(body, sizeof(body), ANN, CONF, "first");
	phone_chunk(ann, 0, "m1", "1-*/*", "", body, strlen(body), '+');
	world_run(&w);
	assert_int_equal(phone_sends(bo), 1);
	switch_seat_close(w.shard[0].s, 2, true, w.now);
	snprintf(body, sizeof(body), "%zu-*/*", strlen(phone_send(bo, 0)->body) + 1);
	phone_chunk(ann, 0, "m1", body, "", "rest", 4, '$');
	world_advance(&w, 2000);
	assert_int_equal(phone_sends(cy), 2);
	assert_int_equal(phone_reports(ann, &r), 1);
	assert_int_equal(r->status, 481);
	assert_string_equal(r->comment, "1 of 2 receivers");
}

static void test_SW_1__a_held_seat_misses_nothing(void **state)
{
	struct phone *dee = phone_connect(&w, 0), *eve = phone_connect(&w, 0);
	size_t n;
	char *body = large(&n, ANN, CONF, 30000), range[64];

	(void)state;
	strcpy(dee->path[0], seat_open(&w, 0, 7, 4, "sip:dee@example.com", true));
	strcpy(eve->path[0], seat_open(&w, 0, 7, 5, "sip:eve@example.com", false));
	phone_say(ann, "m1", ANN, CONF, "one");
	snprintf(range, sizeof(range), "1-*/%zu", n);
	chunk_head(ann, "big", range);
	write_slowly(ann, body, n, 9000);
	phone_write(ann, "\r\n-------big$\r\n");
	seat_answer(&w, 0, 5, eve->local);
	phone_say(ann, "m3", ANN, CONF, "three");
	world_run(&w);
	seat_answer(&w, 0, 4, dee->local);
	phone_bind(dee, 0);
	phone_bind(eve, 0);
	world_run(&w);
	assert_int_equal(phone_sends(dee), 3);
	assert_string_equal(phone_send(dee, 0)->id, "m1");
	/* One chunk, as it came, although it waited in pieces. */
	assert_string_equal(phone_send(dee, 1)->id, "big");
	assert_int_equal(phone_send(dee, 1)->n_body, n);
	assert_memory_equal(phone_send(dee, 1)->body, body, n);
	assert_string_equal(phone_send(dee, 2)->id, "m3");
	/* Nobody waited for Eve before her answer. */
	assert_int_equal(phone_sends(eve), 1);
	assert_string_equal(phone_send(eve, 0)->id, "m3");
	free(body);
}

static void test_SW_1__a_held_seats_backlog_has_a_cap(void **state)
{
	struct switch_config cfg = world_config();
	char text[901], id[20];
	struct phone *dee;

	(void)state;
	world_fini(&w);
	cfg.seat_backlog = 27000;
	begin(&cfg);
	dee = phone_connect(&w, 0);
	strcpy(dee->path[0], seat_open(&w, 0, 7, 4, "sip:dee@example.com", true));
	memset(text, 'x', 900);
	text[900] = '\0';
	for (int i = 0; i < 30; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		phone_say(ann, id, ANN, CONF, text);
		world_run(&w);
	}
	world_advance(&w, 2000);
	size_t failed = phone_reports(ann, NULL);
	assert_true(failed > 15 && failed < 25);
	assert_int_equal(phone_sends(cy), 30);
	seat_answer(&w, 0, 4, dee->local);
	phone_bind(dee, 0);
	world_advance(&w, 60000);
	assert_int_equal(phone_sends(dee), 30 - failed);
}

static void test_SW_2__a_closed_seat_counts_its_messages_as_failed(void **state)
{
	const struct got *r = NULL;

	(void)state;
	seat_open(&w, 0, 7, 4, "sip:dee@example.com", true);
	phone_say(ann, "m1", ANN, CONF, "one");
	world_run(&w);
	assert_int_equal(phone_reports(ann, NULL), 0);
	switch_seat_close(w.shard[0].s, 4, true, w.now);
	world_run(&w);
	assert_int_equal(phone_reports(ann, &r), 1);
	assert_int_equal(r->status, 481);
	assert_string_equal(r->comment, "1 of 3 receivers");
}

static void test_SW_1__responses_out_of_order_find_their_messages(void **state)
{
	char text[700];

	(void)state;
	bo->mute = true;
	phone_say(ann, "m1", ANN, CONF, "one");
	phone_say(ann, "m2", ANN, CONF, "two");
	world_run(&w);
	for (size_t i = 2; i-- > 0;) {
		const struct got *g = phone_send(bo, i);

		snprintf(text, sizeof(text),
			 "MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n", g->tid,
			 g->from, g->to, g->tid);
		phone_write(bo, text);
	}
	world_advance(&w, 60000);
	assert_int_equal(phone_reports(ann, NULL), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_SW_6__a_chunk_up_to_the_limit_is_passed_on_whole),
		T(test_SW_6__a_larger_one_is_streamed_as_one_chunk),
		T(test_SW_6__a_streamed_chunk_gives_way_and_goes_on),
		T(test_SW_1__a_sender_gone_in_the_middle_ends_in_an_abort),
		T(test_SW_1__the_senders_own_abort_is_passed_on),
		T(test_SW_1__a_chunk_that_stands_still_is_given_up),
		T(test_SW_3__a_stalled_receiver_delays_nobody_and_is_reported_once),
		T(test_SW_3__a_streamed_message_is_aborted_towards_a_stalled_receiver),
		T(test_SW_2__who_is_cut_off_in_a_streamed_chunk_is_reported),
		T(test_SW_3__a_backlog_counts_what_it_holds),
		T(test_SW_3__chunks_without_an_answer_are_counted),
		T(test_SW_1__what_was_not_answered_comes_again_after_a_cut),
		T(test_SW_1__after_the_grace_they_count_as_failed),
		T(test_SW_1__a_message_sent_again_after_a_cut_is_answered_and_not_repeated),
		T(test_SW_3__one_who_takes_nothing_is_cut_off_and_his_messages_are_reported),
		T(test_SW_3__one_who_is_slow_is_not_cut_off),
		T(test_SW_2__reports_outlive_the_senders_connection),
		T(test_SW_2__a_receiver_who_leaves_between_chunks_is_reported),
		T(test_SW_1__a_held_seat_misses_nothing),
		T(test_SW_1__a_held_seats_backlog_has_a_cap),
		T(test_SW_2__a_closed_seat_counts_its_messages_as_failed),
		T(test_SW_1__responses_out_of_order_find_their_messages),
	};

	return cmocka_run_group_tests_name("switch_delivery", tests, NULL, NULL);
}
