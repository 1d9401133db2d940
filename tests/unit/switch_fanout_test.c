#include "switch_world.h"

#include <time.h>

#define ANN  "sip:ann@example.com"
#define BO   "sip:bo@example.com"
#define CY   "sip:cy@example.com"
#define CONF "sip:conf@example.com"

static struct world w;
static struct phone *ann, *bo, *cy;

static int setup(void **state)
{
	struct switch_config cfg = world_config();

	(void)state;
	world_init(&w, 1, &cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	bo = phone_join(&w, 0, 7, 2, BO);
	cy = phone_join(&w, 0, 7, 3, CY);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static void test_SW_1__a_message_reaches_every_other_once_and_never_its_sender(void **state)
{
	(void)state;
	phone_say(ann, "m1", ANN, CONF, "hello");
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	assert_int_equal(phone_sends(ann), 0);
	assert_int_equal(phone_sends(bo), 1);
	assert_int_equal(phone_sends(cy), 1);
	const struct got *g = phone_send(bo, 0);
	assert_string_equal(g->id, "m1");
	assert_string_equal(g->to, bo->local);
	assert_string_equal(g->from, bo->path[0]);
	assert_string_equal(g->type, "message/cpim");
	assert_int_equal(g->flag, '$');
	assert_int_equal(g->start, 1);
	assert_int_equal(g->end, g->n_body);
	assert_int_equal(g->total, g->n_body);
	char body[200];
	assert_string_equal(g->body, cpim(body, sizeof(body), ANN, CONF, "hello"));
}

static void test_SW_1__without_cpim_to_everybody_gets_it(void **state)
{
	static const char body[] = "From: " ANN "\r\n\r\nContent-Type: text/plain\r\n\r\nhi";

	(void)state;
	phone_chunk(ann, 0, "m1", "1-*/*", "", body, sizeof(body) - 1, '$');
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	assert_int_equal(phone_sends(bo), 1);
	assert_int_equal(phone_sends(cy), 1);
}

static void test_SW_1__private_reaches_one_alone(void **state)
{
	(void)state;
	phone_say(ann, "m1", ANN, "sip:bo@EXAMPLE.com;transport=tcp", "psst");
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	assert_int_equal(phone_sends(bo), 1);
	assert_int_equal(phone_sends(cy), 0);
	phone_say(ann, "m2", ANN, "sip:nobody@example.com", "psst");
	world_run(&w);
	assert_int_equal(phone_status(ann), 404);
	/* Somebody who has only been asked, and for whom nothing is kept, is not there yet. */
	seat_open(&w, 0, 7, 4, "sip:dee@example.com", false);
	phone_say(ann, "m3", ANN, "sip:dee@example.com", "psst");
	world_run(&w);
	assert_int_equal(phone_status(ann), 404);
}

static void test_SW_1__private_off_gets_428(void **state)
{
	struct switch_config cfg = world_config();

	(void)state;
	world_fini(&w);
	cfg.private_messages = false;
	world_init(&w, 1, &cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	bo = phone_join(&w, 0, 7, 2, BO);
	phone_say(ann, "m1", ANN, BO, "psst");
	world_run(&w);
	assert_int_equal(phone_status(ann), 428);
	assert_int_equal(phone_sends(bo), 0);
}

static void test_SW_1__anonymous_ones_are_told_apart_by_name(void **state)
{
	static const char anon[] = "sip:anonymous@anonymous.invalid";
	struct switch_seat_config sc[2] = {
		{.seat = 11, .uri = view_str(anon), .display = VIEW("Anonymous 1")},
		{.seat = 12, .uri = view_str(anon), .display = VIEW("Anonymous 2")},
	};
	struct phone *p[2];
	char body[300];

	(void)state;
	switch_seats_open(w.shard[0].s, 2, 7, VIEW(CONF), sc, 2, w.now);
	for (int i = 0; i < 2; i++) {
		p[i] = phone_connect(&w, 0);
		strcpy(p[i]->path[0], w.ready[w.n_ready - 2 + (size_t)i].path);
		seat_answer(&w, 0, sc[i].seat, p[i]->local);
		phone_bind(p[i], 0);
	}
	snprintf(body, sizeof(body),
		 "From: Ann <" ANN
		 ">\r\nTo: \"Anonymous 2\" <%s>\r\n\r\nContent-Type: text/plain\r\n\r\nx",
		 anon);
	phone_chunk(ann, 0, "m1", "1-*/*", "", body, strlen(body), '$');
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	assert_int_equal(phone_sends(p[0]), 0);
	assert_int_equal(phone_sends(p[1]), 1);
	phone_say(ann, "m2", ANN, anon, "which one?");
	world_run(&w);
	assert_int_equal(phone_status(ann), 404);
	snprintf(body, sizeof(body),
		 "From: \"Anonymous 2\" <%s>\r\n\r\nContent-Type: text/plain\r\n\r\nx", anon);
	phone_chunk(p[0], 0, "m3", "1-*/*", "", body, strlen(body), '$');
	world_run(&w);
	assert_int_equal(phone_status(p[0]), 403);
}

static void test_SW_2__a_strange_cpim_from_gets_403(void **state)
{
	(void)state;
	phone_say(ann, "m1", BO, CONF, "I am Bo");
	world_run(&w);
	assert_int_equal(phone_status(ann), 403);
	static const char none[] = "To: <" CONF ">\r\n\r\nContent-Type: text/plain\r\n\r\nhi";
	phone_chunk(ann, 0, "m2", "1-*/*", "", none, sizeof(none) - 1, '$');
	world_run(&w);
	assert_int_equal(phone_status(ann), 403);
	assert_int_equal(phone_sends(bo) + phone_sends(cy), 0);
	phone_say(ann, "m3", "sip:ann@EXAMPLE.COM", CONF, "me");
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	assert_int_equal(phone_sends(bo), 1);
}

static void test_SW_2__several_cpim_to_get_403(void **state)
{
	static const char body[] = "From: <" ANN ">\r\nTo: <" BO ">\r\nTo: <" CY
				   ">\r\n\r\nContent-Type: text/plain\r\n\r\nhi";

	(void)state;
	phone_chunk(ann, 0, "m1", "1-*/*", "", body, sizeof(body) - 1, '$');
	world_run(&w);
	assert_int_equal(phone_status(ann), 403);
	assert_int_equal(phone_sends(bo) + phone_sends(cy), 0);
}

static void say_plain(struct phone *p, const char *text, char flag, const char *range)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_putf(&b,
		 "MSRP p%06u SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: plain\r\n"
		 "Byte-Range: %s\r\nContent-Type: text/plain\r\n\r\n%s\r\n-------p%06u%c\r\n",
		 p->n_sent, p->path[0], p->local, range, text, p->n_sent, flag);
	p->n_sent++;
	phone_recv(p, b.p, b.n);
	buf_fini(&b);
	world_run(p->w);
}

static void test_SW_2__no_cpim_gets_415(void **state)
{
	(void)state;
	say_plain(ann, "hello", '$', "1-5/5");
	assert_int_equal(phone_status(ann), 415);
	assert_int_equal(phone_sends(bo), 0);
}

static void test_SW_2__plain_text_is_wrapped_for_its_sender_where_set(void **state)
{
	struct switch_config cfg = world_config();
	const struct got *g, *h;

	(void)state;
	world_fini(&w);
	cfg.wrap_plain = true;
	world_init(&w, 1, &cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	bo = phone_join(&w, 0, 7, 2, BO);
	say_plain(ann, "hello", '+', "1-5/10");
	say_plain(ann, "again", '$', "6-10/10");
	assert_int_equal(phone_status(ann), 200);
	g = phone_send(bo, 0);
	h = phone_send(bo, 1);
	assert_non_null(h);
	assert_string_equal(g->type, "message/cpim");
	assert_non_null(strstr(g->body, "From: <" ANN ">\r\n"));
	assert_non_null(strstr(g->body, "To: <" CONF ">\r\n"));
	assert_non_null(strstr(g->body, "DateTime: 2023-11-14T"));
	assert_non_null(strstr(g->body, "Content-Type: text/plain\r\n\r\nhello"));
	assert_int_equal(g->end, g->n_body);
	assert_int_equal(h->start, g->end + 1);
	assert_int_equal(h->end, h->total);
	assert_int_equal(g->total, h->total);
	assert_string_equal(h->body, "again");
}

static void test_SW_2__who_does_not_take_the_wrapped_type_is_skipped(void **state)
{
	struct switch_seat_answer a = {
		.remote_path = view_str(cy->local),
		.accept_types = VIEW("message/cpim"),
		.accept_wrapped_types = VIEW("image/* application/im-iscomposing+xml"),
	};

	(void)state;
	switch_seat_answer(w.shard[0].s, 3, &a, w.now);
	phone_say(ann, "m1", ANN, CONF, "text");
	world_run(&w);
	assert_int_equal(phone_sends(bo), 1);
	assert_int_equal(phone_sends(cy), 0);
	static const char image[] = "From: <" ANN ">\r\n\r\nContent-Type: image/PNG\r\n\r\n..";
	phone_chunk(ann, 0, "m2", "1-*/*", "", image, sizeof(image) - 1, '$');
	world_run(&w);
	assert_int_equal(phone_sends(cy), 1);
	world_advance(&w, 40000);
	assert_int_equal(phone_reports(ann, NULL), 0);
}

static void test_SW_2__success_report_is_the_switchs_own(void **state)
{
	char body[300], range[64];
	const struct got *r = NULL;

	(void)state;
	cpim(body, sizeof(body), ANN, CONF, "hello");
	snprintf(range, sizeof(range), "1-%zu/%zu", strlen(body), strlen(body));
	phone_chunk(ann, 0, "m1", range, "Success-Report: yes\r\n", body, strlen(body), '$');
	world_run(&w);
	assert_int_equal(phone_reports(ann, &r), 1);
	assert_int_equal(r->status, 200);
	assert_string_equal(r->id, "m1");
	assert_int_equal(r->start, 1);
	assert_int_equal(r->end, strlen(body));
	assert_false(phone_send(bo, 0)->success_report);
	/* Reports of receivers go nowhere. */
	struct buf b;

	buf_init(&b, 1000);
	buf_putf(&b,
		 "MSRP rrrr REPORT\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: m1\r\n"
		 "Byte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n-------rrrr$\r\n",
		 bo->path[0], bo->local);
	phone_recv(bo, b.p, b.n);
	buf_fini(&b);
	world_run(&w);
	assert_int_equal(phone_reports(ann, NULL), 1);
}

static void test_SW_2__failures_come_in_one_report(void **state)
{
	const struct got *r = NULL;

	(void)state;
	bo->refuse = 415;
	cy->refuse = 413;
	phone_say(ann, "m1", ANN, CONF, "hello");
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	assert_int_equal(phone_reports(ann, &r), 1);
	assert_int_equal(r->status, 415);
	assert_string_equal(r->comment, "2 of 2 receivers");
	assert_string_equal(r->to, ann->local);
	assert_string_equal(r->from, ann->path[0]);
	world_advance(&w, 60000);
	assert_int_equal(phone_reports(ann, NULL), 1);
}

static void test_SW_2__a_silent_receiver_is_reported_after_the_time(void **state)
{
	const struct got *r = NULL;

	(void)state;
	cy->mute = true;
	phone_say(ann, "m1", ANN, CONF, "hello");
	world_advance(&w, 29000);
	assert_int_equal(phone_reports(ann, NULL), 0);
	world_advance(&w, 3000);
	assert_int_equal(phone_reports(ann, &r), 1);
	assert_int_equal(r->status, 408);
	assert_string_equal(r->comment, "1 of 2 receivers");
}

static void test_SW_2__failure_report_no_and_partial_are_kept(void **state)
{
	char body[300];
	size_t n;

	(void)state;
	cpim(body, sizeof(body), ANN, CONF, "hello");
	n = ann->n_got;
	phone_chunk(ann, 0, "m1", "1-*/*", "Failure-Report: no\r\n", body, strlen(body), '$');
	world_run(&w);
	assert_int_equal(ann->n_got, n);
	assert_int_equal(phone_send(bo, 0)->failure_report, MSRP_FAILURE_NO);
	bo->refuse = 413;
	phone_chunk(ann, 0, "m2", "1-*/*", "Failure-Report: partial\r\n", body, strlen(body), '$');
	world_run(&w);
	assert_int_equal(phone_send(bo, 1)->failure_report, MSRP_FAILURE_PARTIAL);
	world_advance(&w, 1500);
	/* No 200, and one report of Bo's refusal. */
	assert_int_equal(ann->n_got, n + 1);
	assert_int_equal(phone_reports(ann, NULL), 1);
	world_advance(&w, 60000);
	assert_int_equal(ann->n_got, n + 1);
	struct switch_counts counts;
	switch_shard_counts(w.shard[0].s, &counts);
	assert_int_equal(counts.failed, 1);
}

static void test_SW_1__chunks_follow_the_first_ones_receivers(void **state)
{
	char body[600];
	struct phone *dee;

	(void)state;
	cpim(body, sizeof(body), ANN, CONF, "first part, second part");
	size_t n = strlen(body), cut = n - 11;
	char r1[80], r2[80];
	snprintf(r1, sizeof(r1), "1-%zu/%zu", cut, n);
	snprintf(r2, sizeof(r2), "%zu-%zu/%zu", cut + 1, n, n);
	phone_chunk(ann, 0, "m1", r1, "Success-Report: yes\r\n", body, cut, '+');
	dee = phone_join(&w, 0, 7, 4, "sip:dee@example.com");
	phone_say(cy, "other", CY, CONF, "between");
	phone_chunk(ann, 0, "m1", r2, "Success-Report: yes\r\n", body + cut, n - cut, '$');
	world_run(&w);
	assert_int_equal(phone_sends(bo), 3);
	assert_int_equal(phone_sends(dee), 1);
	assert_string_equal(phone_send(dee, 0)->id, "other");
	const struct got *a = phone_send(bo, 0), *b = phone_send(bo, 2);
	assert_int_equal(a->flag, '+');
	assert_int_equal(b->flag, '$');
	assert_int_equal(b->start, cut + 1);
	assert_int_equal(b->total, n);
	assert_memory_equal(b->body, body + cut, n - cut);
	assert_int_equal(phone_reports(ann, NULL), 1);
	/* A later chunk of what nobody knows. */
	phone_chunk(ann, 0, "m9", r2, "", body + cut, n - cut, '$');
	world_run(&w);
	assert_int_equal(phone_status(ann), 413);
}

static void test_SW_1__messages_in_chunks_have_a_cap(void **state)
{
	char body[300], id[20];

	(void)state;
	cpim(body, sizeof(body), ANN, CONF, "part");
	for (int i = 0; i < 17; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		phone_chunk(ann, 0, id, "1-*/*", "", body, strlen(body), '+');
		world_run(&w);
		assert_int_equal(phone_status(ann), i < 16 ? 200 : 413);
	}
	/* They are given up after a time, and receivers are told. */
	world_advance(&w, 600000);
	assert_int_equal(phone_sends(bo), 32);
	assert_int_equal(phone_send(bo, 31)->flag, '#');
	phone_chunk(ann, 0, "n", "1-*/*", "", body, strlen(body), '+');
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
}

/* All bytes of all frames of three phones, in random cuts: exactly once, each sender's order. */
static void test_SW_1__exactly_once_in_order_under_random_splits(void **state)
{
	enum { N = 300 };
	struct phone *p[3] = {ann, bo, cy};
	const char *uri[3] = {ANN, BO, CY};
	static size_t edge[3][N];
	struct buf in[3];
	size_t at[3] = {0}, frame[3] = {0};
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	if (getenv("CONFAB_SEED"))
		seed = (unsigned)strtoul(getenv("CONFAB_SEED"), NULL, 10);
	print_message("seed %u\n", seed);
	w.seed ^= seed;
	for (int i = 0; i < 3; i++) {
		buf_init(&in[i], 4u << 20);
		for (int k = 0; k < N; k++) {
			char body[3000], text[2600];
			size_t len = world_random(&w) % 2500;

			for (size_t j = 0; j < len; j++)
				text[j] = "-\r\nab$+"[world_random(&w) % 7];
			text[len] = '\0';
			cpim(body, sizeof(body), uri[i], CONF, text);
			buf_putf(&in[i],
				 "MSRP x%d SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\n"
				 "Message-ID: id%d.%d\r\nByte-Range: 1-%s/%zu\r\n"
				 "Content-Type: message/cpim\r\n\r\n",
				 10000 + k, p[i]->path[0], p[i]->local, i, k, "*", strlen(body));
			buf_puts(&in[i], body);
			buf_putf(&in[i], "\r\n-------x%d$\r\n", 10000 + k);
			edge[i][k] = in[i].n;
		}
		p[i]->hold = true;
	}
	for (;;) {
		int i = (int)(world_random(&w) % 3);
		size_t n = 1 + world_random(&w) % (world_random(&w) % 4 ? 700 : 9000);

		if (at[0] == in[0].n && at[1] == in[1].n && at[2] == in[2].n)
			break;
		if (n > in[i].n - at[i])
			n = in[i].n - at[i];
		/* Now and then the cut is a frame's end, where answers fit in. */
		while (frame[i] < N && edge[i][frame[i]] <= at[i])
			frame[i]++;
		if (frame[i] < N && n > edge[i][frame[i]] - at[i] && world_random(&w) % 2)
			n = edge[i][frame[i]] - at[i];
		phone_recv(p[i], in[i].p + at[i], n);
		at[i] += n;
		if (frame[i] < N && at[i] == edge[i][frame[i]])
			phone_release(p[i]);
		p[i]->take = world_random(&w) % 3 ? 0 : 1 + world_random(&w) % 500;
		if (world_random(&w) % 4 == 0)
			world_run(&w);
	}
	for (int i = 0; i < 3; i++)
		p[i]->take = 0;
	world_run(&w);
	for (int i = 0; i < 3; i++)
		phone_release(p[i]);
	world_advance(&w, 40000);
	for (int i = 0; i < 3; i++) {
		int next[3] = {0};

		assert_int_equal(phone_sends(p[i]), 2 * N);
		for (size_t k = 0; k < p[i]->n_got; k++) {
			const struct got *g = &p[i]->got[k];
			int from, number;

			if (!g->is_request)
				continue;
			assert_int_equal(sscanf(g->id, "id%d.%d", &from, &number), 2);
			assert_int_not_equal(from, i);
			assert_int_equal(number, next[from]++);
		}
		assert_int_equal(phone_reports(p[i], NULL), 0);
		buf_fini(&in[i]);
	}
}

static void test_SW_1__a_thousand_receivers(void **state)
{
	enum { N = 1000, MESSAGES = 20 };
	static struct phone *p[N];
	struct switch_counts counts;

	(void)state;
	for (int i = 0; i < N; i++) {
		char uri[64];

		snprintf(uri, sizeof(uri), "sip:u%d@example.com", i);
		p[i] = phone_join(&w, 0, 99, (switch_seat_id)(1000 + i), uri);
	}
	for (int k = 0; k < MESSAGES; k++) {
		char id[32];

		snprintf(id, sizeof(id), "m%d", k);
		phone_say(p[0], id, "sip:u0@example.com", CONF, "hello all");
	}
	world_run(&w);
	assert_int_equal(phone_sends(p[0]), 0);
	for (int i = 1; i < N; i++) {
		assert_int_equal(phone_sends(p[i]), MESSAGES);
		for (size_t k = 0; k < MESSAGES; k++) {
			char id[32];

			snprintf(id, sizeof(id), "m%zu", k);
			assert_string_equal(phone_send(p[i], k)->id, id);
		}
	}
	assert_int_equal(phone_sends(bo), 0);
	switch_shard_counts(w.shard[0].s, &counts);
	assert_int_equal(counts.deliveries, (N - 1) * MESSAGES);
	assert_int_equal(counts.failed, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_SW_1__a_message_reaches_every_other_once_and_never_its_sender),
		T(test_SW_1__without_cpim_to_everybody_gets_it),
		T(test_SW_1__private_reaches_one_alone),
		T(test_SW_1__private_off_gets_428),
		T(test_SW_1__anonymous_ones_are_told_apart_by_name),
		T(test_SW_2__a_strange_cpim_from_gets_403),
		T(test_SW_2__several_cpim_to_get_403),
		T(test_SW_2__no_cpim_gets_415),
		T(test_SW_2__plain_text_is_wrapped_for_its_sender_where_set),
		T(test_SW_2__who_does_not_take_the_wrapped_type_is_skipped),
		T(test_SW_2__success_report_is_the_switchs_own),
		T(test_SW_2__failures_come_in_one_report),
		T(test_SW_2__a_silent_receiver_is_reported_after_the_time),
		T(test_SW_2__failure_report_no_and_partial_are_kept),
		T(test_SW_1__chunks_follow_the_first_ones_receivers),
		T(test_SW_1__messages_in_chunks_have_a_cap),
		T(test_SW_1__exactly_once_in_order_under_random_splits),
		T(test_SW_1__a_thousand_receivers),
	};

	return cmocka_run_group_tests_name("switch_fanout", tests, NULL, NULL);
}
