/* A participant who does harm to others, or to the server, with frames that are well-formed. */
#include "switch_world.h"

#define ANN  "sip:ann@example.com"
#define BO   "sip:bo@example.com"
#define EVE  "sip:eve@example.com"
#define CONF "sip:conf@example.com"

static struct world w;
static struct phone *ann, *bo, *eve;

static void begin(const struct switch_config *cfg)
{
	world_init(&w, 1, cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	bo = phone_join(&w, 0, 7, 2, BO);
	eve = phone_join(&w, 0, 7, 3, EVE);
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

/* Bytes from … of a message of `total`. */
static void chunk(struct phone *p, const char *id, size_t from, size_t total, const char *bytes,
		  size_t n, char flag)
{
	char range[64];

	snprintf(range, sizeof(range), "%zu-%zu/%zu", from, from + n - 1, total);
	phone_chunk(p, 0, id, range, "", bytes, n, flag);
	world_run(&w);
}

/* What a receiver makes of a message: of bytes that overlap the last ones count (RFC 4975 §7.3.1).
 */
static const char *assembled(const struct phone *p, const char *id, char *dst, size_t size)
{
	memset(dst, 0, size);
	for (size_t i = 0; phone_send(p, i); i++) {
		const struct got *g = phone_send(p, i);

		if (strcmp(g->id, id) == 0 && g->n_body && g->start + g->n_body < size)
			memcpy(dst + g->start - 1, g->body, g->n_body);
	}
	return dst;
}

static void test_SW_2__a_chunk_that_overlaps_the_cpim_head_is_refused(void **state)
{
	char body[600], forged[600], whole[2000];
	size_t n, half;

	(void)state;
	cpim(body, sizeof(body), EVE, CONF, "and then she said nothing of the kind");
	cpim(forged, sizeof(forged), ANN, CONF, "");
	n = strlen(body);
	half = n - 10;
	chunk(eve, "m1", 1, n, body, half, '+');
	assert_int_equal(phone_status(eve), 200);
	chunk(eve, "m1", 1, n, forged, 40, '+');
	assert_int_equal(phone_status(eve), 400);
	chunk(eve, "m1", half + 1, n, body + half, n - half, '$');
	assert_int_equal(phone_status(eve), 413);
	assert_null(strstr(assembled(bo, "m1", whole, sizeof(whole)), ANN));
	/* In the middle of it. */
	chunk(eve, "m2", 1, n, body, half, '+');
	chunk(eve, "m2", 8, n, ANN, strlen(ANN), '+');
	assert_int_equal(phone_status(eve), 400);
	assert_null(strstr(assembled(bo, "m2", whole, sizeof(whole)), ANN));
	/* The same bytes again do no harm: what was not answered may be sent once more. */
	chunk(eve, "m3", 1, n, body, half, '+');
	chunk(eve, "m3", 1, n, body, half, '+');
	chunk(eve, "m3", half + 1, n, body + half, n - half, '$');
	assert_int_equal(phone_status(eve), 200);
	assert_string_equal(assembled(bo, "m3", whole, sizeof(whole)), body);
}

static void test_SW_2__a_streamed_chunk_that_overlaps_the_cpim_head_is_refused(void **state)
{
	size_t n = 30000;
	char *body = malloc(n), *forged = malloc(n), *whole = malloc(2 * n);

	(void)state;
	memset(body, 'x', n);
	memset(forged, 'x', n);
	cpim(forged, n, ANN, CONF, "");
	forged[strlen(forged)] = 'x';
	cpim(body, n, EVE, CONF, "");
	body[strlen(body)] = 'x';
	chunk(eve, "m1", 1, 2 * n, body, n, '+');
	assert_int_equal(phone_status(eve), 200);
	chunk(eve, "m1", 1, 2 * n, forged, n, '+');
	assert_int_equal(phone_status(eve), 400);
	assert_null(strstr(assembled(bo, "m1", whole, 2 * n), ANN));
	chunk(eve, "m2", 1, 2 * n, body, n, '+');
	chunk(eve, "m2", 1, 2 * n, body, n, '+');
	assert_int_equal(phone_status(eve), 200);
	free(body);
	free(forged);
	free(whole);
}

static void test_SW_2__wrapping_is_not_overwritten_by_a_second_first_byte(void **state)
{
	struct switch_config cfg = world_config();
	static const char forged[] = "From: <" ANN ">\r\n";
	char text[] = "plain text that goes on for a while", whole[2000], frame[700];

	(void)state;
	world_fini(&w);
	cfg.wrap_plain = true;
	begin(&cfg);
	for (int i = 0; i < 2; i++) {
		const char *part = i ? forged : text;

		snprintf(frame, sizeof(frame),
			 "MSRP wwww%d SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: m1\r\n"
			 "Byte-Range: 1-%zu/%zu\r\nContent-Type: text/plain\r\n\r\n%s\r\n"
			 "-------wwww%d+\r\n",
			 i, eve->path[0], eve->local, strlen(part), sizeof(text) - 1, part, i);
		phone_write(eve, frame);
		world_run(&w);
	}
	assembled(bo, "m1", whole, sizeof(whole));
	assert_memory_equal(whole, "From: <" EVE ">", strlen("From: <" EVE ">"));
}

/* Receivers have one session with all of us: a Message-ID that somebody else uses would make them
 * put two messages together (RFC 4975 §7.3.1), or take one for a copy of the other (§5.4). */
static void test_SW_1__a_message_id_of_somebody_else_is_shown_as_another(void **state)
{
	char body[600], evil[600], whole[2000];
	const struct got *g = NULL;
	size_t n, half, sends;

	(void)state;
	cpim(body, sizeof(body), ANN, CONF, "I will be there at eight o'clock");
	cpim(evil, sizeof(evil), EVE, CONF, "I will not be there and you can all go");
	n = strlen(body);
	half = n - 10;
	chunk(ann, "m1", 1, n, body, half, '+');
	chunk(eve, "m1", 1, strlen(evil), evil, strlen(evil), '+');
	assert_int_equal(phone_status(eve), 200);
	phone_say(eve, "m1", EVE, CONF, "whole");
	chunk(ann, "m1", half + 1, n, body + half, n - half, '$');
	assert_string_equal(assembled(bo, "m1", whole, sizeof(whole)), body);
	/* Chosen beforehand, so that his is thought to be known. */
	phone_say(eve, "next", EVE, CONF, "first");
	world_run(&w);
	sends = phone_sends(bo);
	phone_say(ann, "next", ANN, CONF, "second");
	world_run(&w);
	assert_int_equal(phone_sends(bo), sends + 1);
	assert_string_not_equal(phone_send(bo, sends)->id, "next");
	assert_true(strlen(phone_send(bo, sends)->id) <= 32);
	/* What becomes of it is told to its sender by his own name for it. */
	bo->refuse = 413;
	phone_say(ann, "next", ANN, CONF, "third");
	world_advance(&w, 2000);
	assert_int_equal(phone_reports(ann, &g), 1);
	assert_string_equal(g->id, "next");
	/* One sender's own are his own. */
	bo->refuse = 0;
	sends = phone_sends(bo);
	phone_say(ann, "own", ANN, CONF, "1");
	phone_say(ann, "own", ANN, CONF, "2");
	world_run(&w);
	assert_string_equal(phone_send(bo, sends)->id, "own");
	assert_string_equal(phone_send(bo, sends + 1)->id, "own");
}

/* Who comes back to a new seat sends again what was not answered: receivers know it by its id. */
static void test_SW_1__a_message_id_is_a_users_at_all_his_seats(void **state)
{
	struct phone *again;
	size_t sends;

	(void)state;
	phone_say(ann, "m1", ANN, CONF, "did you get this?");
	world_run(&w);
	again = phone_join(&w, 0, 7, 9, ANN);
	switch_seat_close(w.shard[0].s, 1, false, w.now);
	world_run(&w);
	sends = phone_sends(bo);
	phone_say(again, "m1", ANN, CONF, "did you get this?");
	world_run(&w);
	assert_int_equal(phone_sends(bo), sends + 1);
	assert_string_equal(phone_send(bo, sends)->id, "m1");
	/* And so it is for one whose id is shown as another. */
	phone_say(eve, "m1", EVE, CONF, "1");
	world_run(&w);
	eve = phone_join(&w, 0, 7, 10, EVE);
	phone_say(eve, "m1", EVE, CONF, "1");
	world_run(&w);
	assert_string_equal(phone_send(bo, sends + 1)->id, phone_send(bo, sends + 2)->id);
}

static void test_SW_1__a_streamed_message_keeps_the_id_it_is_shown_by(void **state)
{
	size_t n = 30000, chunks = 0;
	char *body = malloc(n);
	const char *id = NULL;

	(void)state;
	phone_say(eve, "big", EVE, CONF, "taken");
	memset(body, 'x', n);
	cpim(body, n, ANN, CONF, "");
	body[strlen(body)] = 'x';
	for (size_t at = 0; at < n; at += n / 2)
		chunk(ann, "big", at + 1, n, body + at, n / 2, at ? '$' : '+');
	assert_int_equal(phone_status(ann), 200);
	for (size_t i = 1; phone_send(bo, i); i++, chunks++) {
		assert_string_not_equal(phone_send(bo, i)->id, "big");
		if (id)
			assert_string_equal(phone_send(bo, i)->id, id);
		id = phone_send(bo, i)->id;
	}
	assert_true(chunks >= 2);
	assert_int_equal(phone_reports(ann, NULL), 0);
	free(body);
}

/* What his end brings about is nothing that he could still be told. */
static void test_SW_5__one_who_breaks_off_is_not_woken(void **state)
{
	struct switch_config cfg = world_config();
	char *body = malloc(40000), head[600];

	(void)state;
	world_fini(&w);
	cfg.seat_backlog = 60000;
	begin(&cfg);
	memset(body, 'x', 40000);
	/* In the middle of a chunk, of which one receiver has failed already. */
	bo->stalled = true;
	snprintf(head, sizeof(head),
		 "MSRP bigg SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: m1\r\n"
		 "Byte-Range: 1-90000/90000\r\nContent-Type: message/cpim\r\n\r\n"
		 "From: <" EVE ">\r\nTo: <" CONF ">\r\n\r\nContent-Type: text/plain\r\n\r\n",
		 eve->path[0], eve->local);
	phone_write(eve, head);
	for (int i = 0; i < 4; i++) {
		phone_recv(eve, body, 10000);
		world_run(&w);
	}
	phone_cut(eve);
	world_run(&w);
	/* And one to whom a chunk is being written. */
	snprintf(head, sizeof(head),
		 "MSRP bigg SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: m2\r\n"
		 "Byte-Range: 1-90000/90000\r\nContent-Type: message/cpim\r\n\r\n"
		 "From: <" BO ">\r\nTo: <" CONF ">\r\n\r\nContent-Type: text/plain\r\n\r\n",
		 bo->path[0], bo->local);
	bo->stalled = false;
	phone_write(bo, head);
	phone_recv(bo, body, 20000);
	world_run(&w);
	phone_cut(ann);
	world_advance(&w, 1000);
	free(body);
}

/* What is read at a time shrinks with what it causes, and grows again. */
static void test_SW_3__who_causes_much_work_takes_turns(void **state)
{
	enum { MEMBERS = 100 };
	char body[300], *flood = calloc(1, 1 << 20), *at = flood;

	(void)state;
	for (unsigned i = 0; i < MEMBERS; i++) {
		char uri[40];

		snprintf(uri, sizeof(uri), "sip:u%u@example.com", i);
		phone_join(&w, 0, 7, 100 + i, uri)->mute = true;
	}
	assert_int_equal(switch_conn_most(eve->conn), 0);
	cpim(body, sizeof(body), EVE, CONF, "x");
	for (unsigned i = 0; i < 200; i++)
		at += snprintf(
			at, 1000,
			"MSRP ffff SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: %u\r\n"
			"Failure-Report: no\r\nByte-Range: 1-%zu/%zu\r\n"
			"Content-Type: message/cpim\r\n\r\n%s\r\n-------ffff$\r\n",
			eve->path[0], eve->local, i, strlen(body), strlen(body), body);
	for (int i = 0; i < 5; i++) {
		phone_recv(eve, flood, (size_t)(at - flood));
		world_run(&w);
	}
	/* 2000 deliveries of a hundred each. */
	assert_in_range(switch_conn_most(eve->conn), 2048, 20 * (size_t)(at - flood) / 200 * 3 / 2);
	assert_int_equal(switch_conn_most(ann->conn), 0);
	for (int i = 0; i < 20; i++)
		phone_bind(eve, 0);
	assert_int_equal(switch_conn_most(eve->conn), 0);
	free(flood);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_SW_2__a_chunk_that_overlaps_the_cpim_head_is_refused),
		T(test_SW_2__a_streamed_chunk_that_overlaps_the_cpim_head_is_refused),
		T(test_SW_2__wrapping_is_not_overwritten_by_a_second_first_byte),
		T(test_SW_1__a_message_id_of_somebody_else_is_shown_as_another),
		T(test_SW_1__a_message_id_is_a_users_at_all_his_seats),
		T(test_SW_1__a_streamed_message_keeps_the_id_it_is_shown_by),
		T(test_SW_5__one_who_breaks_off_is_not_woken),
		T(test_SW_3__who_causes_much_work_takes_turns),
	};

	return cmocka_run_group_tests_name("switch_hostile", tests, NULL, NULL);
}
