#include "switch_world.h"

#define ANN  "sip:ann@example.com"
#define BO   "sip:bo@example.com"
#define CY   "sip:cy@example.com"
#define CONF "sip:conf@example.com"

static struct world w;
/* Ann has one connection, to shard 0; conference 7 is on shard 0, conference 8 on shard 1. */
static struct phone *ann, *bo, *cy;

static int setup(void **state)
{
	struct switch_config cfg = world_config();

	(void)state;
	world_init(&w, 2, &cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	bo = phone_join(&w, 0, 7, 2, BO);
	cy = phone_join(&w, 1, 8, 3, CY);
	strcpy(ann->path[1], seat_open(&w, 1, 8, 4, ANN, false));
	seat_answer(&w, 1, 4, ann->local);
	phone_bind(ann, 1);
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_BOUND, 4), 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static void say(struct phone *p, int at, const char *id, const char *from, const char *text)
{
	char body[3000], range[64];

	cpim(body, sizeof(body), from, CONF, text);
	snprintf(range, sizeof(range), "1-%zu/%zu", strlen(body), strlen(body));
	phone_chunk(p, at, id, range, "", body, strlen(body), '$');
}

static void test_SW_4__two_conferences_of_two_shards_over_one_connection(void **state)
{
	char id[20];

	(void)state;
	for (int i = 0; i < 50; i++) {
		snprintf(id, sizeof(id), "x%d", i);
		say(ann, 0, id, ANN, "to seven");
		snprintf(id, sizeof(id), "y%d", i);
		say(ann, 1, id, ANN, "to eight");
		snprintf(id, sizeof(id), "b%d", i);
		say(bo, 0, id, BO, "from bo");
		snprintf(id, sizeof(id), "c%d", i);
		say(cy, 0, id, CY, "from cy");
		if (i % 3 == 0)
			world_run(&w);
	}
	world_run(&w);
	assert_int_equal(phone_sends(bo), 50);
	assert_int_equal(phone_sends(cy), 50);
	assert_int_equal(phone_sends(ann), 100);
	int b = 0, c = 0;
	for (size_t i = 0; i < 100; i++) {
		const struct got *g = phone_send(ann, i);

		snprintf(id, sizeof(id), "%c%d", g->id[0], g->id[0] == 'b' ? b++ : c++);
		assert_string_equal(g->id, id);
		assert_string_equal(g->from, g->id[0] == 'b' ? ann->path[0] : ann->path[1]);
	}
	for (size_t i = 0; i < 50; i++) {
		snprintf(id, sizeof(id), "y%zu", i);
		assert_string_equal(phone_send(cy, i)->id, id);
	}
	world_advance(&w, 60000);
	assert_int_equal(
		phone_reports(ann, NULL) + phone_reports(bo, NULL) + phone_reports(cy, NULL), 0);
}

static void test_SW_4__frames_of_two_shards_do_not_mix(void **state)
{
	struct buf b;
	static char big[60000];
	size_t n;

	(void)state;
	memset(big, 'z', sizeof(big));
	cpim(big, 200, CY, CONF, "");
	n = strlen(big);
	big[n] = 'z';
	/* A streamed chunk from shard 1 to Ann's connection on shard 0, cut by Bo's words there. */
	buf_init(&b, 1 << 20);
	buf_putf(&b,
		 "MSRP bigg SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: big\r\n"
		 "Byte-Range: 1-*/%zu\r\nContent-Type: message/cpim\r\n\r\n",
		 cy->path[0], cy->local, sizeof(big));
	buf_put(&b, view_of(big, sizeof(big)));
	buf_puts(&b, "\r\n-------bigg$\r\n");
	for (size_t i = 0; i < b.n; i += 5000) {
		char id[32];

		phone_recv(cy, b.p + i, b.n - i < 5000 ? b.n - i : 5000);
		snprintf(id, sizeof(id), "b%zu", i);
		say(bo, 0, id, BO, "and I say");
		world_run(&w);
	}
	buf_fini(&b);
	world_run(&w);
	n = 0;
	for (size_t i = 0; phone_send(ann, i); i++) {
		const struct got *g = phone_send(ann, i);

		if (strcmp(g->id, "big") != 0)
			continue;
		assert_int_equal(g->start, n + 1);
		assert_memory_equal(g->body, big + n, g->n_body);
		n += g->n_body;
	}
	assert_int_equal(n, sizeof(big));
}

static void test_SW_4__the_connection_gone_is_told_to_the_other_shard(void **state)
{
	struct phone *again;

	(void)state;
	phone_cut(ann);
	world_run(&w);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_DOWN, 1), 1);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_DOWN, 4), 1);
	say(cy, 0, "m1", CY, "come back");
	world_run(&w);
	again = phone_connect(&w, 0);
	strcpy(again->path[1], ann->path[1]);
	strcpy(again->local, ann->local);
	phone_bind(again, 1);
	world_run(&w);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_BOUND, 4), 2);
	assert_int_equal(phone_sends(again), 1);
	/* It serves a session, if only one of another shard: it is kept. */
	world_advance(&w, 60000);
	assert_false(again->closed);
}

static void test_SW_4__a_closed_seat_of_the_other_shard_finishes_the_connection(void **state)
{
	(void)state;
	switch_seat_close(w.shard[0].s, 1, true, w.now);
	world_advance(&w, 5000);
	assert_false(ann->closed);
	say(cy, 0, "m1", CY, "still here?");
	switch_seat_close(w.shard[1].s, 4, true, w.now);
	world_advance(&w, 5000);
	assert_true(ann->closed);
	assert_int_equal(phone_sends(ann), 1);
}

static void test_SW_3__a_stalled_receiver_on_another_shard_is_capped(void **state)
{
	struct switch_config cfg = world_config();
	char text[901], id[20];

	(void)state;
	world_fini(&w);
	cfg.seat_backlog = 20000;
	world_init(&w, 2, &cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	cy = phone_join(&w, 1, 8, 3, CY);
	strcpy(ann->path[1], seat_open(&w, 1, 8, 4, ANN, false));
	seat_answer(&w, 1, 4, ann->local);
	phone_bind(ann, 1);
	world_run(&w);
	ann->stalled = true;
	memset(text, 'x', 900);
	text[900] = '\0';
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		say(cy, 0, id, CY, text);
		world_run(&w);
	}
	world_advance(&w, 2000);
	size_t failed = phone_reports(cy, NULL);
	assert_true(failed > 70 && failed < 95);
	ann->stalled = false;
	world_advance(&w, 60000);
	assert_int_equal(phone_sends(ann), 100 - failed);
	assert_int_equal(phone_reports(cy, NULL), failed);
}

static void test_SW_5__a_guess_at_another_shard_gets_481(void **state)
{
	struct phone *p = phone_connect(&w, 0);
	char text[500];

	(void)state;
	snprintf(text, sizeof(text),
		 "MSRP gggg SEND\r\nTo-Path: msrp://198.51.100.7:2856/ab-guess;tcp\r\n"
		 "From-Path: %s\r\nMessage-ID: g\r\n-------gggg$\r\n",
		 p->local);
	phone_write(p, text);
	world_run(&w);
	assert_int_equal(phone_status(p), 481);
	world_advance(&w, 31000);
	assert_true(p->closed);
	struct switch_counts counts;
	switch_shard_counts(w.shard[1].s, &counts);
	assert_int_equal(counts.conns, 2);
}

/* Mails under way, all of them: what is between two threads costs memory as well. */
static void test_SW_3__a_fast_sender_does_not_run_ahead_of_another_shard(void **state)
{
	char body[4096], range[64];
	size_t n = 0;

	(void)state;
	cpim(body, sizeof(body), ANN, CONF, "");
	memset(body + strlen(body), 'x', sizeof(body) - strlen(body) - 1);
	body[sizeof(body) - 1] = '\0';
	snprintf(range, sizeof(range), "1-%zu/%zu", strlen(body), strlen(body));
	/* Nothing is delivered to shard 1 meanwhile. */
	while (ann->reading && n < 1000) {
		char id[20];

		snprintf(id, sizeof(id), "f%zu", n++);
		phone_chunk(ann, 1, id, range, "", body, strlen(body), '$');
	}
	assert_in_range(n, 30, 100);
	world_run(&w);
	assert_true(ann->reading);
	assert_int_equal(phone_sends(cy), n);
}

static void test_SW_3__a_sender_who_reads_no_answers_of_another_shard_is_not_read(void **state)
{
	size_t n = 0;
	uint64_t before;

	(void)state;
	ann->stalled = true;
	for (; ann->reading && n < 20000; n++) {
		char id[20];

		snprintf(id, sizeof(id), "r%zu", n);
		say(ann, 1, id, ANN, "and I do not listen");
		world_run(&w);
	}
	assert_in_range(n, 500, 3000);
	assert_int_equal(phone_sends(cy), n);
	before = ann->bytes;
	ann->stalled = false;
	world_run(&w);
	assert_true(ann->reading);
	assert_true(ann->bytes - before < 400000);
}

static void test_SW_5__guesses_at_another_shard_are_counted(void **state)
{
	struct switch_config cfg = world_config();
	struct switch_counts counts;
	size_t sent = 0, n = 65536;
	struct phone *p;
	char *noise;

	(void)state;
	world_fini(&w);
	cfg.unclaimed_bytes = 65536;
	world_init(&w, 2, &cfg);
	p = phone_connect(&w, 0);
	noise = malloc(n);
	memset(noise, 'x', n);
	phone_write(p, "MSRP gggg SEND\r\nTo-Path: msrp://198.51.100.7:2856/ab-guess;tcp\r\n"
		       "From-Path: msrp://192.0.2.9:1/x;tcp\r\nMessage-ID: g\r\n"
		       "Byte-Range: 1-*/*\r\nContent-Type: text/plain\r\n\r\n");
	for (; !p->closed && sent < 100 * n; sent += n) {
		phone_recv(p, noise, n);
		world_run(&w);
	}
	free(noise);
	assert_in_range(sent / n, 2, 12);
	switch_shard_counts(w.shard[1].s, &counts);
	assert_int_equal(counts.conns, 0);
}

/* Whoever binds on another shard and goes on at full speed is not taken for one who guesses. */
static void test_SW_5__a_fast_claim_of_another_shard_is_no_guess(void **state)
{
	struct switch_config cfg = world_config();
	char body[4096], range[64];

	(void)state;
	world_fini(&w);
	cfg.unclaimed_bytes = 65536;
	world_init(&w, 2, &cfg);
	cy = phone_join(&w, 1, 8, 3, CY);
	ann = phone_connect(&w, 0);
	strcpy(ann->path[1], seat_open(&w, 1, 8, 4, ANN, false));
	seat_answer(&w, 1, 4, ann->local);
	cpim(body, sizeof(body), ANN, CONF, "");
	memset(body + strlen(body), 'x', sizeof(body) - strlen(body) - 1);
	body[sizeof(body) - 1] = '\0';
	snprintf(range, sizeof(range), "1-%zu/%zu", strlen(body), strlen(body));
	for (int i = 0; ann->reading && i < 1000; i++)
		phone_chunk(ann, 1, "f", range, "", body, strlen(body), '$');
	assert_false(ann->closed);
	world_run(&w);
	assert_false(ann->closed);
	assert_int_equal(phone_status(ann), 200);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_SW_4__two_conferences_of_two_shards_over_one_connection),
		T(test_SW_4__frames_of_two_shards_do_not_mix),
		T(test_SW_4__the_connection_gone_is_told_to_the_other_shard),
		T(test_SW_4__a_closed_seat_of_the_other_shard_finishes_the_connection),
		T(test_SW_3__a_stalled_receiver_on_another_shard_is_capped),
		T(test_SW_5__a_guess_at_another_shard_gets_481),
		T(test_SW_3__a_fast_sender_does_not_run_ahead_of_another_shard),
		T(test_SW_3__a_sender_who_reads_no_answers_of_another_shard_is_not_read),
		T(test_SW_5__guesses_at_another_shard_are_counted),
		T(test_SW_5__a_fast_claim_of_another_shard_is_no_guess),
	};

	return cmocka_run_group_tests_name("switch_handover", tests, NULL, NULL);
}
