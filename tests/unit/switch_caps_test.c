/* Caps of the switch, each one below, at and one above: the size of a message, its chunks, and what
 * a connection may send before it has a session. */
#include "switch_world.h"

#define ANN  "sip:ann@example.com"
#define BO   "sip:bo@example.com"
#define CONF "sip:conf@example.com"

static struct world w;
static struct phone *ann, *bo;

static void begin(const struct switch_config *cfg)
{
	world_init(&w, 1, cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	bo = phone_join(&w, 0, 7, 2, BO);
}

/* A body of n bytes. */
static char *body_of(size_t n)
{
	char *body = malloc(n + 1);

	memset(body, 'x', n);
	cpim(body, n, ANN, CONF, "");
	body[strlen(body)] = 'x';
	body[n] = '\0';
	return body;
}

static void test_SW_5__cap_on_the_size_of_a_message_is_413(void **state)
{
	enum { SIZE = 30000 };
	static const char *const how[] = {"announced", "not announced", "in two chunks"};

	(void)state;
	for (int k = -1; k <= 1; k++)
		for (size_t h = 0; h < 3; h++) {
			struct switch_config cfg = world_config();
			size_t n = (size_t)(SIZE + k), cut = h == 2 ? 20000 : 0;
			char *body = body_of(n), range[64];

			(void)how;
			cfg.max_message = SIZE;
			begin(&cfg);
			if (cut) {
				phone_chunk(ann, 0, "m", "1-20000/*", "", body, cut, '+');
				world_run(&w);
				assert_int_equal(phone_status(ann), 200);
			}
			if (h == 0)
				snprintf(range, sizeof(range), "1-%zu/%zu", n, n);
			else
				snprintf(range, sizeof(range), "%zu-*/*", cut + 1);
			phone_chunk(ann, 0, "m", range, "", body + cut, n - cut, '$');
			world_run(&w);
			assert_int_equal(phone_status(ann), k <= 0 ? 200 : 413);
			/* Whoever got a beginning is told that it is no message. */
			if (k > 0 && phone_sends(bo))
				assert_int_equal(phone_send(bo, phone_sends(bo) - 1)->flag, '#');
			else if (k <= 0)
				assert_int_equal(phone_send(bo, phone_sends(bo) - 1)->flag, '$');
			/* What says that it will be too large is refused before it is. */
			snprintf(range, sizeof(range), "1-100/%zu", n);
			phone_chunk(ann, 0, "said", range, "", body, 100, '+');
			world_run(&w);
			assert_int_equal(phone_status(ann), k <= 0 ? 200 : 413);
			/* The session goes on. */
			phone_say(ann, "next", ANN, CONF, "small");
			world_run(&w);
			assert_int_equal(phone_status(ann), 200);
			free(body);
			world_fini(&w);
		}
}

static void test_SW_1__cap_on_the_chunks_of_a_message_is_413(void **state)
{
	enum { CHUNKS = 4, EACH = 300 };

	(void)state;
	for (int k = -1; k <= 1; k++) {
		struct switch_config cfg = world_config();
		int n = CHUNKS + k;
		char *body = body_of((size_t)n * EACH), range[64];

		cfg.max_chunks = CHUNKS;
		begin(&cfg);
		for (int i = 0; i < n; i++) {
			bool last = i == n - 1;

			snprintf(range, sizeof(range), "%d-%d/*", i * EACH + 1, (i + 1) * EACH);
			phone_chunk(ann, 0, "m", range, "", body + (size_t)i * EACH, EACH,
				    last ? '$' : '+');
			world_run(&w);
			assert_int_equal(phone_status(ann), i < CHUNKS ? 200 : 413);
		}
		assert_int_equal(phone_send(bo, phone_sends(bo) - 1)->flag, k <= 0 ? '$' : '#');
		/* Nothing of it is kept: its next chunk belongs to nothing. */
		if (k > 0) {
			phone_chunk(ann, 0, "m", "1501-1800/*", "", body, EACH, '$');
			world_run(&w);
			assert_int_equal(phone_status(ann), 413);
		}
		phone_say(ann, "next", ANN, CONF, "small");
		world_run(&w);
		assert_int_equal(phone_status(ann), 200);
		free(body);
		world_fini(&w);
	}
}

static void test_bytes_of_a_connection_without_a_session_are_counted(void **state)
{
	enum { CAP = 1000 };

	(void)state;
	for (int k = -1; k <= 1; k++) {
		struct switch_config cfg = world_config();
		struct switch_counts counts;
		struct phone *eve;
		char *noise;

		cfg.unclaimed_bytes = CAP;
		begin(&cfg);
		eve = phone_connect(&w, 0);
		/* A SEND to a session that is nobody's, that never ends. */
		noise = malloc(CAP + 2);
		memset(noise, 'x', CAP + 2);
		snprintf(noise, CAP,
			 "MSRP abcd1234 SEND\r\nTo-Path: msrp://198.51.100.7:2855/nobody;tcp\r\n"
			 "From-Path: msrp://192.0.2.9:1/x;tcp\r\nMessage-ID: 1\r\n"
			 "Byte-Range: 1-*/*\r\nContent-Type: text/plain\r\n\r\n");
		noise[strlen(noise)] = 'x';
		phone_recv(eve, noise, CAP / 2);
		world_run(&w);
		switch_shard_counts(w.shard[0].s, &counts);
		assert_int_equal(counts.conns, 3);
		phone_recv(eve, noise + CAP / 2, (size_t)(CAP / 2 + k));
		world_run(&w);
		switch_shard_counts(w.shard[0].s, &counts);
		assert_int_equal(counts.conns, k <= 0 ? 3 : 2);
		/* Those who have sessions are not concerned. */
		for (int i = 0; i < 20; i++) {
			phone_say(ann, "m", ANN, CONF, "a message of some length, again and again");
			world_run(&w);
		}
		assert_int_equal(phone_status(ann), 200);
		free(noise);
		world_fini(&w);
	}
}

static void test_time_of_a_connection_without_a_session_is_counted(void **state)
{
	struct switch_config cfg = world_config();
	struct switch_counts counts;

	(void)state;
	begin(&cfg);
	(void)phone_connect(&w, 0);
	world_advance(&w, cfg.bind_timeout_ms - 1);
	switch_shard_counts(w.shard[0].s, &counts);
	assert_int_equal(counts.conns, 3);
	world_advance(&w, 1);
	switch_shard_counts(w.shard[0].s, &counts);
	assert_int_equal(counts.conns, 2);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_SW_5__cap_on_the_size_of_a_message_is_413),
		cmocka_unit_test(test_SW_1__cap_on_the_chunks_of_a_message_is_413),
		cmocka_unit_test(test_bytes_of_a_connection_without_a_session_are_counted),
		cmocka_unit_test(test_time_of_a_connection_without_a_session_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
