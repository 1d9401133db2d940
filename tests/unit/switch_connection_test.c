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

static void request(struct phone *p, const char *method, const char *to, const char *from,
		    const char *extra)
{
	char text[900];

	snprintf(text, sizeof(text),
		 "MSRP q%04u %s\r\nTo-Path: %s\r\nFrom-Path: %s\r\n%s-------q%04u$\r\n", p->n_sent,
		 method, to, from, extra, p->n_sent);
	p->n_sent++;
	phone_write(p, text);
	world_run(p->w);
}

static void test_SW_5__an_unknown_session_gets_481(void **state)
{
	(void)state;
	request(ann, "SEND", "msrp://198.51.100.7:2855/aa-guess;tcp", ann->local,
		"Message-ID: x\r\n");
	assert_int_equal(phone_status(ann), 481);
	request(ann, "SEND", "msrp://198.51.100.7:2855/aa-guess;tcp", ann->local,
		"Message-ID: x\r\nFailure-Report: no\r\n");
	assert_int_equal(ann->got[ann->n_got - 1].status, 481);
	assert_int_equal(ann->n_got, 2);
	/* The right id from somebody else: his path is not the seat's. */
	request(ann, "SEND", ann->path[0], "msrp://192.0.2.200:1/else;tcp", "Message-ID: x\r\n");
	assert_int_equal(phone_status(ann), 481);
}

static void test_SW_5__a_session_bound_elsewhere_gets_506(void **state)
{
	struct phone *thief = phone_connect(&w, 0);

	(void)state;
	request(thief, "SEND", ann->path[0], ann->local, "Message-ID: x\r\n");
	assert_int_equal(phone_status(thief), 506);
	phone_say(bo, "m1", BO, CONF, "secret");
	world_run(&w);
	assert_int_equal(phone_sends(ann), 1);
	assert_int_equal(phone_sends(thief), 0);
}

/* RFC 4975 §14.1: whoever runs the server hears that somebody has seen a session id, and whose;
 * once in a while, so that nobody fills the disk with it. */
static void test_SW_5__a_second_connection_to_a_session_is_reported(void **state)
{
	static const char *const methods[] = {"SEND", "NICKNAME", "REPORT", "AUTH", "DANCE"};

	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		struct phone *thief = phone_connect(&w, 0);

		/* His own words are no intrusion, nor is a guess. */
		w.n_warned = 0;
		request(ann, methods[i], ann->path[0], ann->local, "Message-ID: x\r\n");
		request(thief, methods[i], "msrp://198.51.100.7:2855/aa-guess;tcp", ann->local,
			"Message-ID: x\r\n");
		assert_int_equal(w.n_warned, 0);
		for (int again = 0; again < 3; again++)
			request(thief, methods[i], ann->path[0], ann->local, "Message-ID: x\r\n");
		assert_int_equal(w.n_warned, 1);
		assert_non_null(strstr(w.warned, "second connection"));
		assert_non_null(strstr(w.warned, ANN));
		/* Another session has a line of its own. */
		request(thief, methods[i], bo->path[0], bo->local, "Message-ID: x\r\n");
		assert_int_equal(w.n_warned, 2);
		assert_non_null(strstr(w.warned, BO));
		world_advance(&w, 9999);
		request(thief, methods[i], ann->path[0], ann->local, "Message-ID: x\r\n");
		assert_int_equal(w.n_warned, 2);
		world_advance(&w, 1);
		request(thief, methods[i], ann->path[0], ann->local, "Message-ID: x\r\n");
		assert_int_equal(w.n_warned, 3);
		world_advance(&w, 10000);
	}
	phone_say(bo, "m1", BO, CONF, "hello");
	world_run(&w);
	assert_int_equal(phone_sends(ann), 1);
}

static void test_SW_5__session_ids_are_long_and_name_the_shard(void **state)
{
	const char *a = strstr(ann->path[0], "/aa-"), *b = strstr(bo->path[0], "/aa-");

	(void)state;
	assert_non_null(strstr(ann->path[0], "msrp://198.51.100.7:2855/aa-"));
	assert_true(strcspn(a + 4, ";") >= 26);
	assert_memory_not_equal(a + 4, b + 4, 26);
	assert_string_equal(a + 4 + strcspn(a + 4, ";"), ";tcp");
}

/* RFC 4975 §14.1, and 128 bits at least: none of an id is fixed, or follows from another one. */
static void test_SW_5__every_character_of_a_session_id_is_drawn(void **state)
{
	enum { N = 100, CHARS = 26 /* of 5 bits */ };
	char id[N][CHARS];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		const struct phone *p = phone_join(&w, 0, 7, (switch_seat_id)(100 + i), BO);

		memcpy(id[i], strstr(p->path[0], "/aa-") + 4, CHARS);
		for (size_t k = 0; k < i; k++) {
			size_t same = 0;

			for (size_t c = 0; c < CHARS; c++)
				same += id[i][c] == id[k][c];
			assert_true(same < CHARS / 2);
		}
	}
	for (size_t c = 0; c < CHARS; c++) {
		bool seen[256] = {false};
		unsigned n = 0;

		for (size_t i = 0; i < N; i++) {
			n += !seen[(unsigned char)id[i][c]];
			seen[(unsigned char)id[i][c]] = true;
		}
		assert_in_range(n, 20, 32);
	}
}

static void test_SW_5__other_methods_get_501(void **state)
{
	(void)state;
	request(ann, "AUTH", ann->path[0], ann->local, "");
	assert_int_equal(phone_status(ann), 501);
	request(ann, "DANCE", ann->path[0], ann->local, "");
	assert_int_equal(phone_status(ann), 501);
	phone_say(ann, "m1", ANN, CONF, "still fine");
	world_run(&w);
	assert_int_equal(phone_sends(bo), 1);
}

static void test_SW_5__bad_framing_costs_that_connection_only(void **state)
{
	struct phone *cy = phone_join(&w, 0, 7, 3, "sip:cy@example.com");
	char text[900];

	(void)state;
	snprintf(text, sizeof(text),
		 "MSRP badd SEND\r\nTo-Path: %s\r\nTo-Path: %s\r\nFrom-Path: %s\r\n\r\nx",
		 ann->path[0], ann->path[0], ann->local);
	phone_write(ann, text);
	phone_write(ann, "more noise");
	world_run(&w);
	assert_true(ann->closed);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_DOWN, 1), 1);
	phone_say(bo, "m1", BO, CONF, "go on");
	world_run(&w);
	assert_int_equal(phone_status(bo), 200);
	assert_int_equal(phone_sends(cy), 1);
}

static void test_SW_5__a_connection_without_a_session_is_not_kept(void **state)
{
	struct phone *idle = phone_connect(&w, 0), *liar = phone_connect(&w, 0);

	(void)state;
	phone_write(idle, "MSRP slow SE");
	request(liar, "SEND", "msrp://198.51.100.7:2855/aa-guess;tcp", "msrp://192.0.2.9:1/x;tcp",
		"Message-ID: x\r\n");
	world_advance(&w, 29000);
	assert_false(idle->closed);
	world_advance(&w, 2000);
	assert_true(idle->closed);
	assert_true(liar->closed);
	assert_false(ann->closed);
}

static void test_SW_5__connections_have_a_cap(void **state)
{
	struct switch_config cfg = world_config();
	struct phone *p;

	(void)state;
	world_fini(&w);
	cfg.max_conns = 3;
	world_init(&w, 1, &cfg);
	for (int i = 0; i < 3; i++)
		phone_connect(&w, 0);
	p = phone_new(&w, 0);
	assert_null(switch_conn_accept(w.shard[0].s, p, w.now));
}

/* A body that holds end-lines with tids of all kinds, in every cut: passed on as it is. */
static void test_SW_5__an_end_line_in_a_body_breaks_nothing(void **state)
{
	char seen[40] = "", text[700], body[1200], *frame = malloc(4096);
	size_t n;

	(void)state;
	/* The tid that Bo's frames carried last is the best that a sender could have learned. */
	phone_say(ann, "m0", ANN, CONF, "x");
	world_run(&w);
	strcpy(seen, phone_send(bo, 0)->tid);
	snprintf(text, sizeof(text),
		 "a\r\n-------%s$\r\nMSRP evil SEND\r\nTo-Path: %s\r\n\r\n-------x$\r\n-------",
		 seen, bo->local);
	cpim(body, sizeof(body), ANN, CONF, text);
	snprintf(frame, 4096,
		 "MSRP cutt SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: cut\r\n"
		 "Byte-Range: 1-*/*\r\nContent-Type: message/cpim\r\n\r\n%s\r\n-------cutt$\r\n",
		 ann->path[0], ann->local, body);
	n = strlen(frame);
	for (size_t cut = 0; cut < n; cut++) {
		size_t before = phone_sends(bo);
		const struct got *g;

		phone_recv(ann, frame, cut);
		phone_recv(ann, frame + cut, n - cut);
		world_run(&w);
		assert_int_equal(phone_sends(bo), before + 1);
		g = phone_send(bo, before);
		assert_string_equal(g->body, body);
		assert_int_equal(g->flag, '$');
	}
	/* And byte by byte. */
	for (size_t i = 0; i < n; i++)
		phone_recv(ann, frame + i, 1);
	world_run(&w);
	assert_int_equal(phone_sends(bo), n + 2);
	free(frame);
}

static void test_SW_5__too_large_gets_413(void **state)
{
	struct switch_config cfg = world_config();
	static char body[9000];

	(void)state;
	world_fini(&w);
	cfg.max_message = 5000;
	world_init(&w, 1, &cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	bo = phone_join(&w, 0, 7, 2, BO);
	memset(body, 'x', sizeof(body));
	cpim(body, 200, ANN, CONF, "");
	body[strlen(body)] = 'x';
	phone_chunk(ann, 0, "m1", "1-*/9000", "", body, sizeof(body), '$');
	world_run(&w);
	assert_int_equal(phone_status(ann), 413);
	phone_chunk(ann, 0, "m2", "1-*/*", "", body, sizeof(body), '$');
	world_run(&w);
	assert_int_equal(phone_status(ann), 413);
	assert_int_equal(phone_sends(bo), 0);
	phone_say(ann, "m3", ANN, CONF, "small");
	world_run(&w);
	assert_int_equal(phone_sends(bo), 1);
}

static void test_SW_5__what_lacks_a_message_id_or_type_gets_400(void **state)
{
	(void)state;
	request(ann, "SEND", ann->path[0], ann->local,
		"Byte-Range: 1-1/1\r\nContent-Type: message/cpim\r\n\r\nx\r\n");
	assert_int_equal(phone_status(ann), 400);
	request(ann, "SEND", ann->path[0], ann->local,
		"Message-ID: a\r\nByte-Range: 1-8/8\r\nContent-Type: message/cpim\r\n\r\nnot "
		"cpim\r\n");
	assert_int_equal(phone_status(ann), 400);
	phone_say(ann, "m1", ANN, CONF, "fine");
	world_run(&w);
	assert_int_equal(phone_sends(bo), 1);
}

static void test_SW_4__phones_that_bind_in_their_own_ways(void **state)
{
	(void)state;
	/* No Byte-Range at all, short tids, and a Content-Type over nothing. */
	request(ann, "SEND", ann->path[0], ann->local, "Message-ID: a\r\n");
	assert_int_equal(phone_status(ann), 200);
	phone_write(ann, "MSRP 12 SEND\r\nTo-Path: ");
	phone_write(ann, ann->path[0]);
	phone_write(ann, "\r\nFrom-Path: ");
	phone_write(ann, ann->local);
	phone_write(ann, "\r\nMessage-ID: b\r\nByte-Range: 1-0/0\r\nContent-Type: "
			 "text/plain\r\n\r\n\r\n-------12$\r\n");
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	assert_string_equal(ann->got[ann->n_got - 1].tid, "12");
	assert_int_equal(phone_sends(bo), 0);
}

/* Answers that nobody reads do not pile up: the peer is not read any further. */
/* It is to be closed when what waits was written, and its peer takes none of it. */
static void test_SW_5__a_connection_that_is_to_end_does_not_wait_for_ever(void **state)
{
	struct switch_counts counts;

	(void)state;
	/* Once by its session's end, once by bytes that are no MSRP. */
	for (int k = 0; k < 2; k++) {
		struct phone *p = k ? ann : bo;

		p->stalled = true;
		phone_say(k ? bo : ann, "m", k ? BO : ANN, CONF, "are you there?");
		world_run(&w);
		if (k)
			phone_write(p, "no MSRP at all\r\n\r\n");
		else
			switch_seat_close(w.shard[0].s, 2, true, w.now);
		world_advance(&w, 45000);
		assert_true(p->closed);
		if (!k)
			bo = phone_join(&w, 0, 7, 22, BO);
	}
	switch_shard_counts(w.shard[0].s, &counts);
	assert_int_equal(counts.conns, w.n_phones - 2);
}

static void test_SW_3__a_sender_who_reads_no_answers_is_not_read(void **state)
{
	char body[300];
	unsigned n = 0;

	(void)state;
	ann->stalled = true;
	cpim(body, sizeof(body), ANN, CONF, "x");
	while (ann->reading && n++ < 100000)
		phone_chunk(ann, 0, "m", "1-*/*", "", body, strlen(body), '$');
	assert_false(ann->reading);
	assert_true(n > 100);
	ann->stalled = false;
	world_run(&w);
	assert_true(ann->reading);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_SW_5__an_unknown_session_gets_481),
		T(test_SW_5__a_session_bound_elsewhere_gets_506),
		T(test_SW_5__a_second_connection_to_a_session_is_reported),
		T(test_SW_5__session_ids_are_long_and_name_the_shard),
		T(test_SW_5__every_character_of_a_session_id_is_drawn),
		T(test_SW_5__other_methods_get_501),
		T(test_SW_5__bad_framing_costs_that_connection_only),
		T(test_SW_5__a_connection_without_a_session_is_not_kept),
		T(test_SW_5__connections_have_a_cap),
		T(test_SW_5__an_end_line_in_a_body_breaks_nothing),
		T(test_SW_5__too_large_gets_413),
		T(test_SW_5__what_lacks_a_message_id_or_type_gets_400),
		T(test_SW_4__phones_that_bind_in_their_own_ways),
		T(test_SW_3__a_sender_who_reads_no_answers_is_not_read),
		T(test_SW_5__a_connection_that_is_to_end_does_not_wait_for_ever),
	};

	return cmocka_run_group_tests_name("switch_connection", tests, NULL, NULL);
}
