/* msrp/outgoing.c, message.c, transaction.c: what an agent writes, read by the test itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "msrp_wire.h"

#define ANN  "msrp://192.0.2.1:7777/ann1;tcp"
#define ANN2 "msrp://192.0.2.1:7777/ann2;tcp"
#define BO   "msrp://192.0.2.2:8888/bo1;tcp"
#define BO2  "msrp://192.0.2.2:8888/bo2;tcp"

enum { WINDOW = 8 };

struct ann {
	struct wire wire;
	struct msrp_agent *agent;
	struct msrp_session *session;
	struct side *side; /* ours */
	struct msrp_reader reader;
	char states[4096]; /* "<id state status comment>" */
	char down[64];
	int opens;
	bool free_in_state;
};

static void on_open(void *ctx, struct msrp_session *s, uint64_t now_ms)
{
	struct ann *a = ctx;

	(void)s;
	(void)now_ms;
	a->opens++;
}

static void on_state(void *ctx, struct msrp_session *s, struct view id, enum msrp_message_state st,
		     int status, struct view comment, uint64_t now_ms)
{
	static const char *const name[] = {"queued", "written", "accepted", "delivered", "failed"};
	struct ann *a = ctx;
	size_t n = strlen(a->states);

	(void)now_ms;
	if (a->free_in_state)
		msrp_session_free(s);
	(void)snprintf(a->states + n, sizeof(a->states) - n, "<%.*s %s %d %.*s>", VIEW_ARG(id),
		       name[st], status, VIEW_ARG(comment));
}

static void on_response(void *ctx, struct msrp_session *s, struct view tid, int status,
			struct view comment, uint64_t now_ms)
{
	struct ann *a = ctx;
	size_t n = strlen(a->states);

	(void)s;
	(void)now_ms;
	assert_true(tid.n > 13);
	(void)snprintf(a->states + n, sizeof(a->states) - n, "<request %d %.*s>", status,
		       VIEW_ARG(comment));
}

static void on_down(void *ctx, struct msrp_session *s, int error, uint64_t now_ms)
{
	struct ann *a = ctx;

	(void)s;
	(void)now_ms;
	(void)snprintf(a->down + strlen(a->down), sizeof(a->down) - strlen(a->down), "%s ",
		       error_name(error));
}

static const struct msrp_session_handler handler = {
	.on_open = on_open,
	.on_state = on_state,
	.on_response = on_response,
	.on_down = on_down,
};

static struct msrp_session *add(struct ann *a, struct view local, struct view remote, bool share)
{
	struct msrp_session_config cfg = {
		.local_uri = local, .remote_path = remote, .active = true, .share = share};
	struct msrp_session *s = NULL;

	assert_int_equal(msrp_session_new(a->agent, &cfg, &handler, a, a->wire.now, &s), 0);
	return s;
}

static int setup_with(void **state, size_t write_ahead, size_t window)
{
	struct ann *a = calloc(1, sizeof(*a));
	struct msrp_agent_config cfg = wire_config;

	cfg.write_ahead = write_ahead;
	cfg.window = window;
	cfg.max_queue = 50;
	wire_init(&a->wire, 7);
	a->agent = wire_agent(&a->wire, 0, 0, &cfg);
	a->session = add(a, VIEW(ANN), VIEW(BO), false);
	a->side = &a->wire.link[0].side[0];
	msrp_reader_init(&a->reader);
	*state = a;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, 65536, 0);
}

static int setup_narrow(void **state)
{
	return setup_with(state, 4096, 0);
}

static int setup_windowed(void **state)
{
	return setup_with(state, 65536, WINDOW);
}

static int teardown(void **state)
{
	struct ann *a = *state;

	wire_fini(&a->wire);
	msrp_reader_fini(&a->reader);
	free(a);
	return 0;
}

/* A frame that the agent wrote. */
struct frame {
	char tid[40], method[40], to[80], id[40], type[40];
	uint64_t start, end, total;
	size_t body_n;
	char body[4096]; /* its beginning */
	char flag;	 /* 0: there is none whole */
	int status;
};

/* Reads the next frame, or what there is of it, out of what was written. */
static struct frame next(struct ann *a)
{
	struct view in = buf_view(&a->side->out);
	struct frame f = {0};
	struct msrp_event ev;
	int rc;

	while (!f.flag && (rc = msrp_reader_next(&a->reader, &in, &ev)) != MSRP_EV_NEED_MORE) {
		assert_true(rc > 0);
		if (rc == MSRP_EV_HEAD) {
			(void)view_copy(ev.head.tid, f.tid, sizeof(f.tid));
			(void)view_copy(ev.head.method_name, f.method, sizeof(f.method));
			(void)view_copy(ev.head.to_path, f.to, sizeof(f.to));
			(void)view_copy(ev.head.message_id, f.id, sizeof(f.id));
			(void)view_copy(ev.head.content_type, f.type, sizeof(f.type));
			f.start = ev.head.start;
			f.end = ev.head.end;
			f.total = ev.head.total;
			f.status = ev.head.status;
		} else if (rc == MSRP_EV_BODY) {
			if (f.body_n + ev.body.n < sizeof(f.body))
				memcpy(f.body + f.body_n, ev.body.p, ev.body.n);
			f.body_n += ev.body.n;
		} else {
			f.flag = ev.flag;
		}
	}
	buf_drop(&a->side->out, a->side->out.n - in.n);
	return f;
}

/* From the peer. */
static void feed(struct ann *a, const char *fmt, ...)
{
	char text[2000];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	link_feed(a->side->link, 0, text);
}

static void answer(struct ann *a, const struct frame *f, const char *status)
{
	feed(a, "MSRP %s %s\r\nTo-Path: " ANN "\r\nFrom-Path: %s\r\n-------%s$\r\n", f->tid, status,
	     f->to, f->tid);
}

static void report(struct ann *a, const char *id, const char *range, const char *status)
{
	feed(a,
	     "MSRP rrrr REPORT\r\nTo-Path: " ANN "\r\nFrom-Path: " BO "\r\nMessage-ID: %s\r\n"
	     "Byte-Range: %s\r\nStatus: 000 %s\r\n-------rrrr$\r\n",
	     id, range, status);
}

static int send_to(struct ann *a, struct msrp_session *s, const char *id, const char *content,
		   bool success, enum msrp_failure_report failure)
{
	struct msrp_outgoing m = {
		.message_id = view_str(id),
		.content_type = VIEW("text/plain"),
		.content = view_str(content),
		.success_report = success,
		.failure_report = failure,
	};

	return msrp_session_send(s, &m, NULL, a->wire.now);
}

static int send_text(struct ann *a, const char *id, const char *content)
{
	return send_to(a, a->session, id, content, false, MSRP_FAILURE_YES);
}

static int send_big(struct ann *a, struct msrp_session *s, const char *id, size_t n)
{
	char *text = malloc(n + 1);
	int rc;

	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + i % 23);
	text[n] = '\0';
	rc = send_to(a, s, id, text, false, MSRP_FAILURE_YES);
	free(text);
	return rc;
}

/* Runs timers that are due and lets the connection come up; nothing is read. */
static void settle(struct ann *a)
{
	for (size_t i = 0; i < a->wire.n_links; i++)
		if (!a->wire.link[i].up)
			link_step(&a->wire.link[i]);
	timers_run(&a->wire.timers, a->wire.now);
	timers_run(&a->wire.timers, a->wire.now);
}

static void open_quietly(struct ann *a)
{
	struct frame f;

	settle(a);
	f = next(a);
	assert_int_equal(f.flag, '$');
	answer(a, &f, "200 OK");
	assert_int_equal(a->opens, 1);
}

static void test_RFC4975_5_4__active_sends_at_once(void **state)
{
	struct ann *a = *state;
	struct frame f;

	assert_int_equal(a->side->out.n, 0);
	settle(a);
	f = next(a);
	assert_string_equal(f.method, "SEND");
	assert_string_equal(f.to, BO);
	assert_int_equal(f.flag, '$');
	assert_int_equal(f.start, 1);
	assert_int_equal(f.end, 0);
	assert_int_equal(f.total, 0);
	assert_string_equal(f.type, "");
	assert_true(strlen(f.id) >= 4);
	assert_int_equal(next(a).flag, 0);
	answer(a, &f, "200 OK");
	assert_string_equal(a->states, "");
}

static void test_RFC4975_5_4__what_waits_is_the_first_send(void **state)
{
	struct ann *a = *state;
	struct frame f;

	assert_int_equal(send_text(a, "m1", "hello"), 0);
	settle(a);
	f = next(a);
	assert_string_equal(f.id, "m1");
	assert_string_equal(f.body, "hello");
	assert_int_equal(f.end, 5);
	assert_int_equal(next(a).flag, 0);
	answer(a, &f, "200 OK");
	assert_string_equal(a->states, "<m1 accepted 200 OK>");
}

static void test_RFC4975_10_8__a_refused_session_goes_down(void **state)
{
	struct ann *a = *state;
	struct frame f;

	settle(a);
	f = next(a);
	answer(a, &f, "481 No");
	assert_string_equal(a->down, "E_NOTFOUND ");
	assert_true(a->side->closed);
}

static void test_RFC4975_7_1_1__responses_in_any_order(void **state)
{
	struct ann *a = *state;
	struct frame f[4];

	open_quietly(a);
	for (int i = 0; i < 4; i++) {
		char id[3] = {'m', (char)('0' + i), '\0'};

		assert_int_equal(send_text(a, id, "x"), 0);
	}
	/* None waits for a response to the one before it. */
	for (int i = 0; i < 4; i++)
		f[i] = next(a);
	assert_int_equal(msrp_session_outstanding(a->session), 4);
	answer(a, &f[2], "200 OK");
	answer(a, &f[0], "403 Go away");
	answer(a, &f[0], "200 OK");
	answer(a, &f[1], "200");
	assert_string_equal(a->states,
			    "<m2 accepted 200 OK><m0 failed 403 Go away><m1 accepted 200 >");
	assert_int_equal(msrp_session_outstanding(a->session), 1);
	wire_wait(&a->wire, 29999);
	assert_null(strstr(a->states, "m3"));
	wire_wait(&a->wire, 1);
	assert_non_null(strstr(a->states, "<m3 failed 408 Timeout>"));
	assert_int_equal(msrp_session_outstanding(a->session), 0);
}

static void test_RFC4975_7_1_1__partial_and_no_wait_for_nothing(void **state)
{
	struct ann *a = *state;
	struct frame f;

	open_quietly(a);
	assert_int_equal(send_to(a, a->session, "m1", "x", false, MSRP_FAILURE_PARTIAL), 0);
	assert_int_equal(send_to(a, a->session, "m2", "x", false, MSRP_FAILURE_NO), 0);
	/* Not before the call returned. */
	assert_string_equal(a->states, "");
	settle(a);
	assert_string_equal(a->states, "<m1 accepted 0 ><m2 accepted 0 >");
	f = next(a);
	answer(a, &f, "415 What");
	f = next(a);
	answer(a, &f, "415 What");
	assert_string_equal(a->states, "<m1 accepted 0 ><m2 accepted 0 ><m1 failed 415 What>");
	wire_wait(&a->wire, 100000);
	assert_int_equal(strlen(a->states),
			 strlen("<m1 accepted 0 ><m2 accepted 0 ><m1 failed 415 What>"));
}

static void test_RFC4975_7_3_2__reports(void **state)
{
	struct ann *a = *state;
	struct frame f;

	open_quietly(a);
	assert_int_equal(send_to(a, a->session, "m1", "12345678", true, MSRP_FAILURE_YES), 0);
	f = next(a);
	answer(a, &f, "200 OK");
	report(a, "m1", "1-4/8", "200 OK");
	assert_string_equal(a->states, "<m1 accepted 200 OK>");
	report(a, "m1", "5-8/8", "200 Here");
	report(a, "m1", "1-8/8", "200 OK");
	report(a, "mX", "1-8/8", "200 OK");
	assert_string_equal(a->states, "<m1 accepted 200 OK><m1 delivered 200 Here>");
	/* Before the 200, which then says nothing new. */
	a->states[0] = '\0';
	assert_int_equal(send_to(a, a->session, "m2", "12345678", true, MSRP_FAILURE_YES), 0);
	f = next(a);
	report(a, "m2", "1-*/8", "200 OK");
	answer(a, &f, "200 OK");
	assert_string_equal(a->states, "<m2 delivered 200 OK>");
	/* A failure after it was accepted; a success nobody asked for. */
	a->states[0] = '\0';
	assert_int_equal(send_text(a, "m3", "x"), 0);
	f = next(a);
	answer(a, &f, "200 OK");
	report(a, "m3", "1-1/1", "200 OK");
	report(a, "m3", "1-1/1", "404 Nobody");
	assert_string_equal(a->states, "<m3 accepted 200 OK><m3 failed 404 Nobody>");
	assert_int_equal(a->side->out.n, 0);
}

static void test_RFC4975_5_1__more_than_2048_bytes_may_be_interrupted(void **state)
{
	struct ann *a = *state;
	struct frame f;

	open_quietly(a);
	assert_int_equal(send_big(a, a->session, "m1", 2048), 0);
	assert_int_equal(send_big(a, a->session, "m2", 2049), 0);
	f = next(a);
	assert_int_equal(f.end, 2048);
	f = next(a);
	assert_true(f.end == MSRP_UNKNOWN);
	assert_int_equal(f.total, 2049);
	assert_int_equal(f.body_n, 2049);
	assert_int_equal(f.flag, '$');
}

/* Takes what is written until nothing comes any more; each frame's "id start+n flag ". */
static void drain(struct ann *a, char *text, size_t size)
{
	struct frame f = {0};
	size_t n_body = 0;

	for (;;) {
		struct frame g;

		if (a->side->out.n == 0) {
			msrp_conn_drained(a->side->conn, a->wire.now);
			if (a->side->out.n == 0)
				return;
		}
		assert_true(a->side->out.n < 8192);
		g = next(a);
		if (g.id[0]) {
			f = g;
			n_body = 0;
		}
		n_body += g.body_n;
		if (g.flag)
			(void)snprintf(text + strlen(text), size - strlen(text), "%s %llu+%zu%c ",
				       f.id, (unsigned long long)f.start, n_body, g.flag);
	}
}

static void test_RFC4975_7_1_1__sessions_that_share_take_turns(void **state)
{
	struct ann *a = *state;
	struct msrp_session *s2;
	char text[1000] = "";
	unsigned long long first = 0, then = 0;
	struct frame f;

	open_quietly(a);
	s2 = add(a, VIEW(ANN2), VIEW(BO2), true);
	assert_int_equal(a->wire.n_links, 1);
	settle(a);
	/* A session is there when its peer has answered, not before. */
	assert_int_equal(a->opens, 1);
	f = next(a);
	assert_string_equal(f.to, BO2);
	answer(a, &f, "200 OK");
	assert_int_equal(a->opens, 2);
	assert_int_equal(send_big(a, a->session, "big", 30000), 0);
	assert_true(a->side->out.n < 5000);
	assert_int_equal(send_big(a, s2, "other", 100), 0);
	drain(a, text, sizeof(text));
	assert_int_equal(sscanf(text, "big 1+%llu+ other 1+100$ big %llu+", &first, &then), 2);
	assert_int_equal(then, first + 1);
	assert_true(first >= 4096 && first < 10000);
	assert_null(strstr(strstr(text, "other"), "+ "));
}

static void test_RFC4975_7_1_1__a_response_interrupts(void **state)
{
	struct ann *a = *state;
	char text[1000] = "", expected[100];
	struct frame f;
	size_t n;

	open_quietly(a);
	assert_int_equal(send_big(a, a->session, "big", 30000), 0);
	f = next(a);
	assert_int_equal(f.flag, 0);
	n = f.body_n;
	feed(a, "MSRP q1 SEND\r\nTo-Path: " ANN "\r\nFrom-Path: " BO "\r\n-------q1$\r\n");
	f = next(a);
	assert_int_equal(f.flag, '+');
	n += f.body_n;
	f = next(a);
	assert_int_equal(f.status, 200);
	assert_string_equal(f.tid, "q1");
	drain(a, text, sizeof(text));
	(void)snprintf(expected, sizeof(expected), "big %zu+%zu$ ", n + 1, 30000 - n);
	assert_string_equal(text, expected);
}

static void test_a_short_message_does_not_wait_for_a_very_long_one(void **state)
{
	struct ann *a = *state;
	char text[1000] = "";

	open_quietly(a);
	assert_int_equal(send_big(a, a->session, "big", 300000), 0);
	assert_int_equal(send_text(a, "s1", "x"), 0);
	assert_int_equal(send_text(a, "s2", "x"), 0);
	drain(a, text, sizeof(text));
	assert_non_null(strstr(text, "+ s1 1+1$ big "));
	assert_non_null(strstr(text, "+ s2 1+1$ big "));
	assert_non_null(strstr(text, "$ "));
}

static void test_RFC4975_10_5__a_413_stops_the_message_with_a_hash(void **state)
{
	struct ann *a = *state;
	struct frame f, g;

	open_quietly(a);
	assert_int_equal(send_big(a, a->session, "big", 300000), 0);
	assert_int_equal(send_text(a, "m2", "x"), 0);
	f = next(a);
	assert_int_equal(f.flag, 0);
	answer(a, &f, "413 Stop");
	assert_string_equal(a->states, "<big failed 413 Stop>");
	g = next(a);
	assert_int_equal(g.flag, '#');
	assert_string_equal(next(a).id, "m2");
}

static void test_transaction_ids_differ(void **state)
{
	struct ann *a = *state;
	char seen[50][40];

	open_quietly(a);
	for (int i = 0; i < 50; i++) {
		char id[8];
		struct frame f;

		(void)snprintf(id, sizeof(id), "m%d", i);
		assert_int_equal(send_text(a, id, "x"), 0);
		f = next(a);
		(void)memcpy(seen[i], f.tid, sizeof(seen[i]));
		assert_true(strlen(f.tid) >= 14 && strlen(f.tid) <= MSRP_TID_MAX);
		for (int j = 0; j < i; j++)
			assert_true(strncmp(seen[i], seen[j], 13) != 0);
	}
	/* That was all the queue takes. */
	assert_int_equal(send_text(a, "more", "x"), E_LIMIT);
}

static void test_what_is_refused_at_once(void **state)
{
	struct ann *a = *state;
	struct msrp_session *s = NULL;
	struct msrp_session_config cfg = {.local_uri = VIEW(ANN), .remote_path = VIEW(BO)};
	struct msrp_outgoing m = {.content_type = VIEW("text/plain"), .content = VIEW("x")};
	char id[33];

	assert_int_equal(msrp_session_new(a->agent, &cfg, &handler, a, 0, &s), E_EXISTS);
	cfg.local_uri = VIEW("msrp://h:1;tcp");
	assert_int_equal(msrp_session_new(a->agent, &cfg, &handler, a, 0, &s), E_SYNTAX);
	cfg.local_uri = VIEW(ANN2);
	cfg.remote_path = VIEW("nonsense");
	assert_int_equal(msrp_session_new(a->agent, &cfg, &handler, a, 0, &s), E_SYNTAX);
	cfg.remote_path = VIEW("msrp://a.name:1/x;tcp");
	cfg.active = true;
	assert_int_equal(msrp_session_new(a->agent, &cfg, &handler, a, 0, &s), E_ADDRESS);
	cfg.remote_path = VIEW(BO);
	a->wire.refuse = true;
	assert_int_equal(msrp_session_new(a->agent, &cfg, &handler, a, 0, &s), E_IO);
	assert_null(s);
	assert_int_equal(send_text(a, "bad id", "x"), E_SYNTAX);
	assert_int_equal(send_text(a, "m1", "x"), 0);
	assert_int_equal(send_text(a, "m1", "x"), E_EXISTS);
	assert_int_equal(msrp_session_send(a->session, &m, id, 0), 0);
	assert_true(strlen(id) >= 4 && strlen(id) <= 32);
	m.content_type = VIEW("text/plain\r\nX: y");
	assert_int_equal(msrp_session_send(a->session, &m, id, 0), E_SYNTAX);
	assert_int_equal(msrp_session_request(a->session, VIEW("NICKNAME"), VIEW(""), id, 0),
			 E_STATE);
	/* Not a byte of it is out yet. */
	assert_int_equal(msrp_session_cancel(a->session, VIEW("m1")), 0);
	assert_int_equal(msrp_session_cancel(a->session, VIEW("m1")), E_NOTFOUND);
	assert_int_equal(send_text(a, "m2", "x"), 0);
	settle(a);
	assert_int_equal(msrp_session_cancel(a->session, VIEW("m2")), E_STATE);
	assert_string_equal(a->states, "");
}

static void test_peers_max_size(void **state)
{
	struct ann *a = *state;
	struct msrp_session_config cfg = {
		.local_uri = VIEW(ANN2), .remote_path = VIEW(BO2), .peer_max_size = 5};
	struct msrp_session *s;

	assert_int_equal(msrp_session_new(a->agent, &cfg, &handler, a, 0, &s), 0);
	assert_int_equal(send_to(a, s, "m1", "12345", false, MSRP_FAILURE_YES), 0);
	assert_int_equal(send_to(a, s, "m2", "123456", false, MSRP_FAILURE_YES), E_LIMIT);
}

static void test_RFC7701_7__requests_of_other_methods(void **state)
{
	struct ann *a = *state;
	struct frame f;
	char tid[33];

	open_quietly(a);
	assert_int_equal(msrp_session_request(a->session, VIEW("NICKNAME"),
					      VIEW("Use-Nickname: \"Al\"\r\n"), tid, a->wire.now),
			 0);
	f = next(a);
	assert_string_equal(f.method, "NICKNAME");
	assert_string_equal(f.tid, tid);
	assert_int_equal(f.flag, '$');
	answer(a, &f, "425 Taken");
	answer(a, &f, "200 OK");
	assert_string_equal(a->states, "<request 425 Taken>");
	assert_int_equal(
		msrp_session_request(a->session, VIEW("NICKNAME"), VIEW(""), tid, a->wire.now), 0);
	wire_wait(&a->wire, 30000);
	assert_string_equal(a->states, "<request 425 Taken><request 408 Timeout>");
	assert_int_equal(msrp_session_request(a->session, VIEW("nick"), VIEW(""), tid, a->wire.now),
			 E_SYNTAX);
	assert_int_equal(msrp_session_request(a->session, VIEW("SEND"), VIEW(""), tid, a->wire.now),
			 E_SYNTAX);
	assert_int_equal(msrp_session_request(a->session, VIEW("NICKNAME"), VIEW("A: b\r\n\r\n"),
					      tid, a->wire.now),
			 E_SYNTAX);
}

static void test_finish_waits_for_what_is_outstanding(void **state)
{
	struct ann *a = *state;
	struct frame f;

	open_quietly(a);
	assert_int_equal(send_text(a, "m1", "x"), 0);
	msrp_session_finish(a->session, false, a->wire.now);
	assert_false(msrp_session_is_open(a->session));
	assert_int_equal(send_text(a, "m2", "x"), E_STATE);
	assert_false(a->side->finished);
	f = next(a);
	/* The peer is still heard, and answered. */
	feed(a, "MSRP q1 SEND\r\nTo-Path: " ANN "\r\nFrom-Path: " BO "\r\n-------q1$\r\n");
	assert_int_equal(next(a).status, 200);
	answer(a, &f, "200 OK");
	assert_true(a->side->finished);
	assert_string_equal(a->down, "");
	feed(a, "MSRP q2 SEND\r\nTo-Path: " ANN "\r\nFrom-Path: " BO "\r\n-------q2$\r\n");
	side_down(a->side);
	assert_string_equal(a->down, "E_CLOSED ");
}

static void test_finish_without_a_connection_comes_down_too(void **state)
{
	struct ann *a = *state;
	struct msrp_session *s;
	struct msrp_session_config cfg = {.local_uri = VIEW(ANN2), .remote_path = VIEW(BO2)};

	/* One that is still being connected, and one that waits for its peer. */
	msrp_session_finish(a->session, true, a->wire.now);
	assert_true(a->side->closed);
	assert_string_equal(a->down, "");
	timers_run(&a->wire.timers, a->wire.now);
	assert_string_equal(a->down, "E_CLOSED ");
	assert_int_equal(msrp_session_new(a->agent, &cfg, &handler, a, 0, &s), 0);
	msrp_session_finish(s, false, a->wire.now);
	settle(a);
	assert_string_equal(a->down, "E_CLOSED E_CLOSED ");
}

static void test_a_connection_that_fails(void **state)
{
	struct ann *a = *state;

	side_down(a->side);
	assert_string_equal(a->down, "E_IO ");
	assert_int_equal(msrp_session_reconnect(a->session, false, a->wire.now), 0);
	assert_int_equal(msrp_session_reconnect(a->session, false, a->wire.now), E_STATE);
	a->side = &a->wire.link[1].side[0];
	open_quietly(a);
}

static void unconfirmed(void *ctx, struct view id, enum msrp_message_state state)
{
	char *text = ctx;

	(void)sprintf(text + strlen(text), "%.*s:%d ", VIEW_ARG(id), state);
}

static void test_RFC4975_5_4__resent_with_the_same_message_id_or_not_at_all(void **state)
{
	struct ann *a = *state;

	for (int resend = 0; resend <= 1; resend++) {
		char text[200] = "", frames[400] = "";
		struct frame f;

		a->opens = 0;
		a->states[0] = a->down[0] = '\0';
		open_quietly(a);
		assert_int_equal(send_to(a, a->session, "m0", "x", true, MSRP_FAILURE_YES), 0);
		f = next(a);
		answer(a, &f, "200 OK");
		assert_int_equal(send_text(a, "m1", "x"), 0);
		assert_int_equal(send_big(a, a->session, "m2", 20000), 0);
		assert_int_equal(send_text(a, "m3", "x"), 0);
		assert_int_equal(msrp_session_outstanding(a->session), 3);
		side_down(a->side);
		wire_wait(&a->wire, 100000); /* what is lost has no timeout */
		assert_string_equal(a->states, "<m0 accepted 200 OK>");
		msrp_session_unconfirmed(a->session, unconfirmed, text);
		assert_string_equal(text, "m0:2 m1:1 m2:1 m3:0 ");
		a->side = &a->wire.link[a->wire.n_links].side[0];
		msrp_reader_fini(&a->reader);
		msrp_reader_init(&a->reader);
		assert_int_equal(msrp_session_reconnect(a->session, resend, a->wire.now), 0);
		/* First the empty SEND: the peer may still hold the old connection, and would
		 * refuse them all. */
		settle(a);
		f = next(a);
		drain(a, frames, sizeof(frames));
		assert_string_equal(frames, "");
		answer(a, &f, "200 OK");
		settle(a);
		drain(a, frames, sizeof(frames));
		/* m0 has no report yet. */
		assert_string_equal(frames,
				    resend ? "m0 1+1$ m1 1+1$ m2 1+20000$ m3 1+1$ " : "m3 1+1$ ");
		if (!resend) {
			/* A new session object for the second round. */
			msrp_session_free(a->session);
			a->session = add(a, VIEW(ANN), VIEW(BO), false);
			a->side = &a->wire.link[a->wire.n_links - 1].side[0];
			msrp_reader_fini(&a->reader);
			msrp_reader_init(&a->reader);
		}
	}
}

/* Connects again after a break, and gives what is then sent anew. */
static void break_and_resend(struct ann *a, char *frames, size_t size)
{
	struct frame f;

	frames[0] = '\0';
	side_down(a->side);
	a->side = &a->wire.link[a->wire.n_links].side[0];
	msrp_reader_fini(&a->reader);
	msrp_reader_init(&a->reader);
	assert_int_equal(msrp_session_reconnect(a->session, true, a->wire.now), 0);
	settle(a);
	f = next(a);
	answer(a, &f, "200 OK");
	settle(a);
	drain(a, frames, size);
}

/* A 200 may be that of a relay: what has one and no report is sent again, in its place among the
 * others. */
static void test_move_5__accepted_and_not_reported_is_sent_again(void **state)
{
	struct ann *a = *state;
	char frames[400];
	struct frame f;

	open_quietly(a);
	for (int i = 0; i < 3; i++) {
		char id[] = {'m', (char)('0' + i), '\0'};

		assert_int_equal(send_to(a, a->session, id, "xy", true, MSRP_FAILURE_YES), 0);
		f = next(a);
		if (i < 2)
			answer(a, &f, "200 OK");
	}
	report(a, "m0", "1-2/2", "200 OK");
	assert_int_equal(msrp_session_outstanding(a->session), 1);
	break_and_resend(a, frames, sizeof(frames));
	assert_string_equal(frames, "m1 1+2$ m2 1+2$ ");
	assert_int_equal(msrp_session_outstanding(a->session), 2);
	report(a, "m1", "1-2/2", "200 OK");
	report(a, "m2", "1-2/2", "200 OK");
	/* That it was accepted is not told twice. */
	assert_string_equal(a->states,
			    "<m0 accepted 200 OK><m1 accepted 200 OK><m0 delivered 200 OK>"
			    "<m1 delivered 200 OK><m2 delivered 200 OK>");
	assert_int_equal(msrp_session_outstanding(a->session), 0);
	break_and_resend(a, frames, sizeof(frames));
	assert_string_equal(frames, "");
}

/* Who never sends a report is not asked to take everything twice. */
static void test_move_5__a_peer_without_reports_gets_nothing_twice(void **state)
{
	struct ann *a = *state;
	char frames[400];
	struct frame f;

	open_quietly(a);
	for (int i = 0; i < 9; i++) {
		char id[] = {'m', (char)('0' + i), '\0'};

		assert_int_equal(send_to(a, a->session, id, "xy", true, MSRP_FAILURE_YES), 0);
		f = next(a);
		answer(a, &f, "200 OK");
	}
	break_and_resend(a, frames, sizeof(frames));
	assert_string_equal(frames, "");
}

/* What is on the wire unanswered may have to be recognised when it comes again: no more than a
 * switch remembers. */
static void test_move_5__only_so_many_are_on_the_wire_unanswered(void **state)
{
	struct ann *a = *state;
	char frames[4000] = "", expected[400] = "";
	struct frame f;

	open_quietly(a);
	assert_int_equal(send_text(a, "m0", "x"), 0);
	f = next(a);
	for (int i = 1; i < 40; i++) {
		char id[8];

		(void)snprintf(id, sizeof(id), "m%d", i % 100);
		assert_int_equal(send_text(a, id, "x"), 0);
		if (i < WINDOW)
			(void)snprintf(expected + strlen(expected),
				       sizeof(expected) - strlen(expected), "%s 1+1$ ", id);
	}
	drain(a, frames, sizeof(frames));
	assert_string_equal(frames, expected);
	/* One answer, one more. */
	frames[0] = '\0';
	answer(a, &f, "200 OK");
	drain(a, frames, sizeof(frames));
	assert_string_equal(frames, "m8 1+1$ ");
	assert_int_equal(msrp_session_outstanding(a->session), 39);
	/* A new connection begins with the same ones. */
	break_and_resend(a, frames, sizeof(frames));
	(void)strcat(expected, "m8 1+1$ ");
	assert_string_equal(frames, expected);
}

static void test_freed_in_on_state(void **state)
{
	struct ann *a = *state;
	struct frame f;

	open_quietly(a);
	assert_int_equal(send_text(a, "m1", "x"), 0);
	assert_int_equal(send_text(a, "m2", "x"), 0);
	a->free_in_state = true;
	f = next(a);
	answer(a, &f, "200 OK");
	assert_string_equal(a->states, "<m1 accepted 200 OK>");
	assert_true(a->side->closed);
}

#define TEST(name)     cmocka_unit_test_setup_teardown(name, setup, teardown)
#define WINDOWED(name) cmocka_unit_test_setup_teardown(name, setup_windowed, teardown)
#define NARROW(name)   cmocka_unit_test_setup_teardown(name, setup_narrow, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_RFC4975_5_4__active_sends_at_once),
		TEST(test_RFC4975_5_4__what_waits_is_the_first_send),
		TEST(test_RFC4975_10_8__a_refused_session_goes_down),
		TEST(test_RFC4975_7_1_1__responses_in_any_order),
		TEST(test_RFC4975_7_1_1__partial_and_no_wait_for_nothing),
		TEST(test_RFC4975_7_3_2__reports),
		TEST(test_RFC4975_5_1__more_than_2048_bytes_may_be_interrupted),
		NARROW(test_RFC4975_7_1_1__sessions_that_share_take_turns),
		NARROW(test_RFC4975_7_1_1__a_response_interrupts),
		NARROW(test_a_short_message_does_not_wait_for_a_very_long_one),
		NARROW(test_RFC4975_10_5__a_413_stops_the_message_with_a_hash),
		TEST(test_transaction_ids_differ),
		TEST(test_what_is_refused_at_once),
		TEST(test_peers_max_size),
		TEST(test_RFC7701_7__requests_of_other_methods),
		TEST(test_finish_waits_for_what_is_outstanding),
		TEST(test_finish_without_a_connection_comes_down_too),
		TEST(test_a_connection_that_fails),
		NARROW(test_RFC4975_5_4__resent_with_the_same_message_id_or_not_at_all),
		TEST(test_move_5__accepted_and_not_reported_is_sent_again),
		TEST(test_move_5__a_peer_without_reports_gets_nothing_twice),
		WINDOWED(test_move_5__only_so_many_are_on_the_wire_unanswered),
		TEST(test_freed_in_on_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
