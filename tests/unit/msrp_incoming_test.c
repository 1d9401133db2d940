/* msrp/incoming.c, partial.c, assembly.c: requests that the test itself writes to an agent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "msrp_wire.h"

#define BO    "msrp://192.0.2.2:8888/bo1;tcp"
#define ANN   "msrp://192.0.2.1:7777/ann1;tcp"
#define PATHS "To-Path: " BO "\r\nFrom-Path: " ANN "\r\n"
#define SEND(tid, fields, body, flag)                                                              \
	"MSRP " tid " SEND\r\n" PATHS fields "Content-Type: text/plain\r\n\r\n" body               \
	"\r\n-------" tid flag "\r\n"
#define ANSWER(tid, status)                                                                        \
	"MSRP " tid " " status "\r\nTo-Path: " ANN "\r\nFrom-Path: " BO "\r\n-------" tid "$\r\n"
#define OK(tid) ANSWER(tid, "200 OK")

struct bo {
	struct wire wire;
	struct msrp_session *session;
	struct link *link;
	char got[4096]; /* "<id|type|content>" of each message */
	size_t got_bytes;
	int opens, downs, down_error, requests, answer;
	bool free_in_message, free_in_open;
};

static void on_open(void *ctx, struct msrp_session *s, uint64_t now_ms)
{
	struct bo *b = ctx;

	(void)now_ms;
	b->opens++;
	if (b->free_in_open)
		msrp_session_free(s);
}

static int on_message(void *ctx, struct msrp_session *s, const struct msrp_incoming *m,
		      uint64_t now_ms)
{
	struct bo *b = ctx;
	size_t n = strlen(b->got);

	(void)now_ms;
	b->got_bytes += m->content.n;
	if (b->free_in_message)
		msrp_session_free(s);
	/* Read after that: it lives for the call. */
	if (m->content.n < 200)
		(void)snprintf(b->got + n, sizeof(b->got) - n, "<%.*s|%.*s|%.*s>",
			       VIEW_ARG(m->message_id), VIEW_ARG(m->content_type),
			       VIEW_ARG(m->content));
	return b->answer ? b->answer : 200;
}

static int on_request(void *ctx, struct msrp_session *s, const struct msrp_head *h, uint64_t now_ms)
{
	struct bo *b = ctx;

	(void)s;
	(void)now_ms;
	b->requests++;
	return h->method == MSRP_NICKNAME ? 425 : 501;
}

static void on_down(void *ctx, struct msrp_session *s, int error, uint64_t now_ms)
{
	struct bo *b = ctx;

	(void)s;
	(void)now_ms;
	b->downs++;
	b->down_error = error;
}

static const struct msrp_session_handler handler = {
	.on_open = on_open,
	.on_message = on_message,
	.on_request = on_request,
	.on_down = on_down,
};

static struct msrp_session *add_session(struct bo *b, struct view local, struct view remote)
{
	struct msrp_session_config cfg = {.local_uri = local, .remote_path = remote};
	struct msrp_session *s = NULL;

	assert_int_equal(
		msrp_session_new(b->wire.place[0].agent, &cfg, &handler, b, b->wire.now, &s), 0);
	return s;
}

static int setup(void **state)
{
	struct bo *b = calloc(1, sizeof(*b));
	struct msrp_agent_config cfg = wire_config;

	cfg.max_message = 100000;
	wire_init(&b->wire, 1);
	wire_agent(&b->wire, 0, 8888, &cfg);
	b->session = add_session(b, VIEW(BO), VIEW(ANN));
	b->link = wire_dial(&b->wire, 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bo *b = *state;

	wire_fini(&b->wire);
	free(b);
	return 0;
}

static void feed(struct bo *b, const char *text)
{
	link_feed(b->link, 1, text);
}

#define expect(b, text) expect_at((b)->link, (text), __LINE__)

static void expect_at(struct link *l, const char *text, int line)
{
	char *got = link_taken(l, 1);

	if (strcmp(got, text) != 0)
		fail_msg("line %d\n got: %s\nwant: %s", line, got, text);
	free(got);
}

static void test_RFC4975_5_4__the_first_request_binds(void **state)
{
	struct bo *b = *state;

	assert_false(msrp_session_is_open(b->session));
	feed(b, "MSRP 17 SEND\r\n" PATHS "-------17$\r\n");
	expect(b, OK("17"));
	assert_int_equal(b->opens, 1);
	assert_true(msrp_session_is_open(b->session));
	feed(b, "MSRP 18 SEND\r\n" PATHS "Message-ID: x\r\nByte-Range: 1-0/0\r\n-------18$\r\n");
	expect(b, OK("18"));
	assert_int_equal(b->opens, 1);
	assert_string_equal(b->got, "");
}

static void test_RFC4975_7_3__unknown_481_elsewhere_506_unreadable_400(void **state)
{
	struct bo *b = *state;
	struct link *first = b->link, *second = wire_dial(&b->wire, 0);

#define TO(tid, to)                                                                                \
	"MSRP " tid " SEND\r\nTo-Path: " to "\r\nFrom-Path: " ANN "\r\n-------" tid "$\r\n"
#define FROM_OF(tid, status, from)                                                                 \
	"MSRP " tid " " status "\r\nTo-Path: " ANN "\r\nFrom-Path: " from "\r\n-------" tid "$\r"  \
	"\n"
	feed(b, TO("a1", "msrp://192.0.2.2:8888/bo2;tcp"));
	expect(b, FROM_OF("a1", "481 Session Does Not Exist", "msrp://192.0.2.2:8888/bo2;tcp"));
	feed(b, TO("a2", "msrp://192.0.2.2:8888;tcp"));
	expect(b, FROM_OF("a2", "481 Session Does Not Exist", "msrp://192.0.2.2:8888;tcp"));
	feed(b, TO("a3", "nonsense"));
	expect(b, FROM_OF("a3", "400 Bad Request", "nonsense"));
	feed(b, TO("a4", "msrp://192.0.2.9:1/relay;tcp " BO));
	expect(b, FROM_OF("a4", "481 Session Does Not Exist", "msrp://192.0.2.9:1/relay;tcp"));
	/* Somebody else with the id. */
	feed(b,
	     "MSRP a5 SEND\r\nTo-Path: " BO "\r\nFrom-Path: msrp://h:1/eve;tcp\r\n-------a5$\r\n");
	expect(b, "MSRP a5 481 Session Does Not Exist\r\nTo-Path: msrp://h:1/eve;tcp\r\n"
		  "From-Path: " BO "\r\n-------a5$\r\n");
	assert_int_equal(b->opens, 0);
	feed(b, TO("a6", BO));
	expect(b, OK("a6"));
	b->link = second;
	feed(b, TO("a7", BO));
	expect(b, ANSWER("a7", "506 Session Already in Use"));
	/* Not with Failure-Report: no. */
	feed(b, "MSRP a8 SEND\r\n" PATHS "Failure-Report: no\r\n-------a8$\r\n");
	expect(b, "");
	b->link = first;
}

static void test_RFC4975_10_9__methods(void **state)
{
	struct bo *b = *state;

	feed(b, "MSRP n1 NICKNAME\r\n" PATHS "Use-Nickname: \"x\"\r\n-------n1$\r\n");
	expect(b, ANSWER("n1", "425 Nickname Reserved or Already in Use"));
	feed(b, "MSRP n2 DANCE\r\n" PATHS "-------n2$\r\n");
	expect(b, ANSWER("n2", "501 Method Not Understood"));
	assert_int_equal(b->requests, 2);
	/* A REPORT is never answered, however odd. */
	feed(b, "MSRP n3 REPORT\r\n" PATHS "Status: 000 200 OK\r\n-------n3$\r\n"
		"MSRP n4 REPORT\r\nTo-Path: x\r\nFrom-Path: y\r\n\r\nbody\r\n-------n4$\r\n");
	expect(b, "");
}

static void test_RFC4975_7_2__failure_report_decides_on_the_response(void **state)
{
	struct bo *b = *state;

	feed(b, SEND("t1", "Message-ID: m1\r\nByte-Range: 1-2/2\r\n", "hi", "$"));
	expect(b, OK("t1"));
	feed(b, SEND("t2", "Message-ID: m2\r\nFailure-Report: partial\r\n", "hi", "$"));
	expect(b, "");
	feed(b, SEND("t3", "Message-ID: m3\r\nFailure-Report: no\r\n", "hi", "$"));
	expect(b, "");
	b->answer = 415;
	feed(b, SEND("t4", "Message-ID: m4\r\nFailure-Report: partial\r\n", "hi", "$"));
	expect(b, ANSWER("t4", "415 Unsupported Media Type"));
	feed(b, SEND("t5", "Message-ID: m5\r\nFailure-Report: no\r\n", "hi", "$"));
	expect(b, "");
	assert_string_equal(b->got, "<m1|text/plain|hi><m2|text/plain|hi><m3|text/plain|hi>"
				    "<m4|text/plain|hi><m5|text/plain|hi>");
}

/* "MSRP <some tid> REPORT…-------<the same>$" with the tid taken out. */
static char *without_report_tid(char *text)
{
	char *at = strstr(text, " REPORT\r\n"), *tid, *end;
	size_t n;

	assert_non_null(at);
	for (tid = at; tid > text && tid[-1] != ' '; tid--)
		;
	n = (size_t)(at - tid);
	assert_true(n >= 13);
	end = strstr(at, "-------");
	assert_memory_equal(end + 7, tid, n);
	memmove(end + 7, end + 7 + n, strlen(end + 7 + n) + 1);
	memmove(tid, at, strlen(at) + 1);
	return text;
}

static void test_RFC4975_7_1_3__success_report_after_the_whole(void **state)
{
	struct bo *b = *state;
	char *got;

	feed(b, SEND("t1", "Message-ID: m1\r\nSuccess-Report: yes\r\nByte-Range: 1-*/8\r\n", "abcd",
		     "+"));
	expect(b, OK("t1"));
	feed(b, SEND("t2", "Message-ID: m1\r\nSuccess-Report: yes\r\nByte-Range: 5-8/8\r\n", "EFGH",
		     "$"));
	got = link_taken(b->link, 1);
	assert_string_equal(without_report_tid(got),
			    OK("t2") "MSRP  REPORT\r\nTo-Path: " ANN "\r\nFrom-Path: " BO
				     "\r\nMessage-ID: m1\r\nByte-Range: 1-8/8\r\n"
				     "Status: 000 200 OK\r\n-------$\r\n");
	free(got);
	assert_string_equal(b->got, "<m1|text/plain|abcdEFGH>");
	b->answer = 403;
	feed(b, SEND("t3", "Message-ID: m2\r\nSuccess-Report: yes\r\n", "x", "$"));
	expect(b, ANSWER("t3", "403 Forbidden"));
}

#define CHUNK(tid, id, range, body, flag)                                                          \
	SEND(tid, "Message-ID: " id "\r\nByte-Range: " range "\r\n", body, flag)

static void test_RFC4975_7_3_1__chunks_in_any_order(void **state)
{
	struct bo *b = *state;

	feed(b, CHUNK("t1", "m", "7-9/*", "ghi", "$") CHUNK("t2", "m", "4-6/*", "def", "+"));
	expect(b, OK("t1") OK("t2"));
	/* A repetition, whole and in part, of what is there. */
	feed(b, CHUNK("t3", "m", "7-9/*", "ghi", "$") CHUNK("t4", "m", "8-8/*", "h", "+"));
	expect(b, OK("t3") OK("t4"));
	assert_string_equal(b->got, "");
	feed(b, CHUNK("t5", "m", "1-3/9", "abc", "+"));
	expect(b, OK("t5"));
	assert_string_equal(b->got, "<m|text/plain|abcdefghi>");
}

static void test_RFC4975_7_3_1__a_repetition_may_be_cut_otherwise(void **state)
{
	struct bo *b = *state;

	feed(b, CHUNK("t1", "m", "1-*/9", "abcd", "+") CHUNK("t2", "m", "6-*/9", "fg", "+"));
	feed(b, CHUNK("t3", "m", "1-*/9", "ab", "+") CHUNK("t4", "m", "3-*/9", "cdefghi", "$"));
	expect(b, OK("t1") OK("t2") OK("t3") OK("t4"));
	assert_string_equal(b->got, "<m|text/plain|abcdefghi>");
	b->got[0] = '\0';

	feed(b, CHUNK("t1", "m", "1-*/6", "abc", "+") CHUNK("t2", "m", "1-6/6", "abcdef", "$"));
	expect(b, OK("t1") OK("t2"));
	assert_string_equal(b->got, "<m|text/plain|abcdef>");
}

static void test_RFC4975_7_3_1__overlaps_and_totals_that_do_not_fit(void **state)
{
	struct bo *b = *state;
	static const char *const pairs[][2] = {
		{CHUNK("t1", "m", "1-3/*", "abc", "+"), CHUNK("t2", "m", "3-5/*", "Xde", "+")},
		{CHUNK("t1", "m", "1-3/*", "abc", "+"), CHUNK("t2", "m", "1-3/*", "abX", "+")},
		{CHUNK("t1", "m", "4-6/*", "def", "+"), CHUNK("t2", "m", "1-5/*", "abcdX", "+")},
		{CHUNK("t1", "m", "1-3/9", "abc", "+"), CHUNK("t2", "m", "4-6/8", "def", "+")},
		{CHUNK("t1", "m", "1-3/9", "abc", "+"), CHUNK("t2", "m", "4-6/9", "def", "$")},
		{CHUNK("t1", "m", "1-3/5", "abc", "+"), CHUNK("t2", "m", "4-*/5", "def", "$")},
		{CHUNK("t1", "m", "4-6/*", "def", "+"), CHUNK("t2", "m", "1-2/*", "ab", "$")},
		{CHUNK("t1", "m", "1-3/3", "abc", "+"), CHUNK("t2", "m", "9-9/3", "x", "$")},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		feed(b, pairs[i][0]);
		expect(b, OK("t1"));
		feed(b, pairs[i][1]);
		expect(b, ANSWER("t2", "400 Bad Request"));
		/* Forgotten with its end. */
		feed(b, CHUNK("t3", "m", "1-*/*", "", "#"));
		free(link_taken(b->link, 1));
	}
	feed(b, CHUNK("t4", "m", "1-3/3", "abcd", "$") CHUNK("t5", "m", "1-3/3", "ab", "$"));
	expect(b, ANSWER("t4", "400 Bad Request") ANSWER("t5", "400 Bad Request"));
	feed(b, CHUNK("t6", "m", "3-1/*", "a", "$") CHUNK("t7", "m", "1-9/3", "a", "$"));
	expect(b, ANSWER("t6", "400 Bad Request") ANSWER("t7", "400 Bad Request"));
	assert_string_equal(b->got, "");
}

static void test_RFC4975_7_1__an_aborted_message_is_dropped(void **state)
{
	struct bo *b = *state;

	feed(b, CHUNK("t1", "m", "1-*/9", "abc", "+") CHUNK("t2", "m", "4-*/9", "de", "#"));
	expect(b, OK("t1") OK("t2"));
	feed(b, CHUNK("t3", "m", "1-*/9", "abcde", "#") CHUNK("t4", "m", "1-2/2", "zz", "$"));
	expect(b, OK("t3") OK("t4"));
	assert_string_equal(b->got, "<m|text/plain|zz>");
}

static void test_RFC4975_10_5__too_much_is_413_at_once_and_for_the_rest(void **state)
{
	struct bo *b = *state;
	char *big = malloc(60001);

	memset(big, 'x', 60000);
	big[60000] = '\0';
	/* By the total, before the body came. */
	feed(b, "MSRP t0 SEND\r\n" PATHS "Message-ID: m0\r\nByte-Range: 1-*/100001\r\n"
		"Content-Type: text/plain\r\n\r\nab");
	expect(b, ANSWER("t0", "413 Message Too Large"));
	feed(b, "cd\r\n-------t0#\r\n");
	expect(b, "");
	/* By what came. */
	feed(b, "MSRP t1 SEND\r\n" PATHS "Message-ID: m\r\nByte-Range: 1-*/*\r\n"
		"Content-Type: text/plain\r\n\r\n");
	feed(b, big);
	expect(b, "");
	feed(b, big);
	expect(b, ANSWER("t1", "413 Message Too Large"));
	feed(b, "more\r\n-------t1+\r\n" CHUNK("t2", "m", "120005-*/*", "x", "+"));
	expect(b, ANSWER("t2", "413 Message Too Large"));
	feed(b, CHUNK("t3", "m", "120006-*/*", "x", "#") CHUNK("t4", "m", "1-1/1", "y", "$"));
	expect(b, OK("t3") OK("t4"));
	assert_string_equal(b->got, "<m|text/plain|y>");
	free(big);
}

static void test_limit_of_incomplete_messages(void **state)
{
	struct bo *b = *state;
	char text[400];

	for (int i = 0; i < 17; i++) {
		(void)snprintf(text, sizeof(text), CHUNK("tt", "m%d", "1-*/9", "abc", "+"), i);
		feed(b, text);
		expect(b, i < 16 ? OK("tt") : ANSWER("tt", "413 Message Too Large"));
	}
	/* They do not stay for ever. */
	wire_wait(&b->wire, 61000);
	feed(b, CHUNK("t1", "m16", "1-*/6", "abc", "+") CHUNK("t2", "m16", "4-6/6", "def", "$"));
	expect(b, OK("t1") OK("t2"));
	assert_string_equal(b->got, "<m16|text/plain|abcdef>");
	/* What came before is gone: of m0 the beginning is missing now. */
	feed(b, CHUNK("t3", "m0", "4-9/9", "defghi", "$"));
	expect(b, OK("t3"));
	assert_string_equal(b->got, "<m16|text/plain|abcdef>");
}

static void test_limit_of_holes_in_a_message(void **state)
{
	struct bo *b = *state;
	char text[400];

	for (int i = 0; i < 65; i++) {
		(void)snprintf(text, sizeof(text), CHUNK("tt", "m", "%d-*/999", "a", "+"),
			       2 * i + 1);
		feed(b, text);
		expect(b, i < 64 ? OK("tt") : ANSWER("tt", "413 Message Too Large"));
	}
}

static void test_bodies_empty_untyped_and_long(void **state)
{
	struct bo *b = *state;

	/* A type and no bytes is a message, no type and no bytes is traffic. */
	feed(b, SEND("t1", "Message-ID: m1\r\nByte-Range: 1-0/0\r\n", "", "$"));
	expect(b, OK("t1"));
	feed(b, "MSRP t2 SEND\r\n" PATHS "\r\n\r\n-------t2$\r\n");
	expect(b, OK("t2"));
	feed(b, "MSRP t3 SEND\r\n" PATHS "\r\nbody\r\n-------t3$\r\n");
	expect(b, ANSWER("t3", "400 Bad Request"));
	assert_string_equal(b->got, "<m1|text/plain|>");
	feed(b, "MSRP t4 NICKNAME\r\n" PATHS "Content-Type: a/b\r\n\r\n");
	for (int i = 0; i < 11; i++) {
		char kb[1025];

		memset(kb, 'x', 1024);
		kb[1024] = '\0';
		feed(b, kb);
	}
	expect(b, ANSWER("t4", "413 Message Too Large"));
	assert_int_equal(b->requests, 0);
}

static void test_frames_cut_anywhere(void **state)
{
	struct bo *b = *state;
	static const char text[] = CHUNK("t1", "m1", "1-*/8", "abcd", "+")
		CHUNK("t2", "m1", "5-8/8", "EF\r\n", "$") CHUNK("t3", "m2", "1-3/3", "xyz", "$")
			SEND("t4", "Message-ID: m3\r\n", "-------t4x", "$");

	for (size_t step = 1; step < 100; step++) {
		assert_non_null(b->link->side[1].conn);
		b->got[0] = '\0';
		for (size_t at = 0; at < sizeof(text) - 1; at += step) {
			size_t n = sizeof(text) - 1 - at < step ? sizeof(text) - 1 - at : step;
			char *piece = malloc(n);

			memcpy(piece, text + at, n);
			msrp_conn_recv(b->link->side[1].conn, view_of(piece, n), b->wire.now);
			free(piece);
		}
		expect(b, OK("t1") OK("t2") OK("t3") OK("t4"));
		assert_string_equal(b->got, "<m1|text/plain|abcdEF\r\n><m2|text/plain|xyz>"
					    "<m3|text/plain|-------t4x>");
	}
}

static void test_SW_5__bad_framing_ends_that_connection_alone(void **state)
{
	struct bo *b = *state;
	struct link *other = wire_dial(&b->wire, 0), *first = b->link;
	struct msrp_session *s2 = add_session(b, VIEW("msrp://192.0.2.2:8888/bo2;tcp"), VIEW(ANN));

	feed(b, TO("a1", BO));
	expect(b, OK("a1"));
	link_feed(other, 1, TO("a2", "msrp://192.0.2.2:8888/bo2;tcp"));
	free(link_taken(other, 1));
	assert_int_equal(b->opens, 2);
	feed(b, "MSRP a3 SEND\r\n" PATHS "nonsense\r\n-------a3$\r\n");
	expect(b, ANSWER("a3", "400 Bad Request"));
	assert_true(first->side[1].finished);
	feed(b, TO("a4", BO));
	wire_run(&b->wire);
	side_down(&first->side[1]);
	assert_int_equal(b->downs, 1);
	assert_int_equal(b->down_error, E_CLOSED);
	assert_true(msrp_session_is_open(s2));
	b->link = other;
	feed(b, TO("a5", BO));
	expect(b, OK("a5"));
	assert_int_equal(b->opens, 3);
}

static void test_bind_timeout(void **state)
{
	struct bo *b = *state;

	wire_wait(&b->wire, 19999);
	assert_int_equal(b->downs, 0);
	assert_false(b->link->side[1].closed);
	wire_wait(&b->wire, 1);
	assert_int_equal(b->downs, 1);
	assert_int_equal(b->down_error, E_TIMEOUT);
	/* And a connection that claims nothing. */
	assert_true(b->link->side[1].closed);
}

static void test_freed_in_a_handler(void **state)
{
	struct bo *b = *state;

	b->free_in_message = true;
	feed(b, CHUNK("t1", "m", "1-*/6", "abc", "+") CHUNK("t2", "m", "4-6/6", "def", "$")
			CHUNK("t3", "m", "1-1/1", "x", "$"));
	assert_string_equal(b->got, "<m|text/plain|abcdef>");
	assert_true(b->link->side[1].closed);
	b->session = add_session(b, VIEW(BO), VIEW(ANN));
	b->link = wire_dial(&b->wire, 0);
	b->free_in_open = true;
	feed(b, CHUNK("t4", "m4", "1-1/1", "x", "$"));
	assert_string_equal(b->got, "<m|text/plain|abcdef>");
}

static void test_offerer_whose_peer_is_quicker_than_its_answer(void **state)
{
	struct bo *b = *state;
	struct msrp_session *s =
		add_session(b, VIEW("msrp://192.0.2.2:8888/bo2;tcp"), (struct view){0});

	/* No deadline as long as the phone rings. */
	wire_wait(&b->wire, 600000);
	assert_int_equal(b->downs, 1); /* the other one, of the set-up */
	b->link = wire_dial(&b->wire, 0);
	feed(b, TO("a1", "msrp://192.0.2.2:8888/bo2;tcp"));
	assert_int_equal(b->opens, 1);
	assert_int_equal(msrp_session_start(s, VIEW(ANN), true, 0, b->wire.now), 0);
	assert_int_equal(b->wire.n_links, 2);
	assert_true(msrp_session_is_open(s));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_RFC4975_5_4__the_first_request_binds),
		TEST(test_RFC4975_7_3__unknown_481_elsewhere_506_unreadable_400),
		TEST(test_RFC4975_10_9__methods),
		TEST(test_RFC4975_7_2__failure_report_decides_on_the_response),
		TEST(test_RFC4975_7_1_3__success_report_after_the_whole),
		TEST(test_RFC4975_7_3_1__chunks_in_any_order),
		TEST(test_RFC4975_7_3_1__a_repetition_may_be_cut_otherwise),
		TEST(test_RFC4975_7_3_1__overlaps_and_totals_that_do_not_fit),
		TEST(test_RFC4975_7_1__an_aborted_message_is_dropped),
		TEST(test_RFC4975_10_5__too_much_is_413_at_once_and_for_the_rest),
		TEST(test_limit_of_incomplete_messages),
		TEST(test_limit_of_holes_in_a_message),
		TEST(test_bodies_empty_untyped_and_long),
		TEST(test_frames_cut_anywhere),
		TEST(test_SW_5__bad_framing_ends_that_connection_alone),
		TEST(test_bind_timeout),
		TEST(test_freed_in_a_handler),
		TEST(test_offerer_whose_peer_is_quicker_than_its_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
