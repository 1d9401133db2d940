/* msrp/session.h: sessions that only certain connections may carry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "msrp_wire.h"

#include "base/error.h"

struct guard {
	struct msrp_agent_ops ops; /* the wire's */
	bool asked_tls, knew_peer;
	char fingerprint[64], host[64];
	const char *good; /* the only fingerprint that is right */
	unsigned n_asked;
};

static struct wire w;
static struct guard guard[2];
static int opens[2], downs[2], error[2];

static bool vouch(void *ctx, void *handle, bool tls, const struct msrp_peer *peer)
{
	struct place *p = ctx;
	struct guard *g = &guard[p - w.place];

	assert_non_null(handle);
	g->n_asked++;
	g->asked_tls = tls;
	g->knew_peer = peer != NULL;
	if (!peer)
		return true;
	(void)view_copy(peer->fingerprint, g->fingerprint, sizeof(g->fingerprint));
	(void)view_copy(peer->host, g->host, sizeof(g->host));
	return !g->good || view_eq(peer->fingerprint, view_str(g->good));
}

static struct msrp_agent *agent(int i, uint16_t port)
{
	const struct msrp_agent_ops ops = {.connect = wire_connect,
					   .write = wire_write,
					   .pending = wire_pending,
					   .finish = wire_finish,
					   .close = wire_close,
					   .vouch = vouch,
					   .ctx = &w.place[i]};
	const struct entropy entropy = {.fill = wire_fill, .ctx = &w};

	w.place[i] = (struct place){.wire = &w, .port = port};
	guard[i] = (struct guard){0};
	opens[i] = downs[i] = error[i] = 0;
	w.place[i].agent = msrp_agent_new(&wire_config, &ops, &w.timers, &entropy, NULL);
	assert_non_null(w.place[i].agent);
	return w.place[i].agent;
}

static void on_open(void *ctx, struct msrp_session *s, uint64_t now_ms)
{
	(void)s;
	(void)now_ms;
	opens[*(int *)ctx]++;
}

static int on_message(void *ctx, struct msrp_session *s, const struct msrp_incoming *m,
		      uint64_t now_ms)
{
	(void)ctx;
	(void)s;
	(void)m;
	(void)now_ms;
	return 200;
}

static void on_state(void *ctx, struct msrp_session *s, struct view id, enum msrp_message_state st,
		     int status, struct view comment, uint64_t now_ms)
{
	(void)ctx;
	(void)s;
	(void)id;
	(void)st;
	(void)status;
	(void)comment;
	(void)now_ms;
}

static void on_down(void *ctx, struct msrp_session *s, int why, uint64_t now_ms)
{
	(void)s;
	(void)now_ms;
	downs[*(int *)ctx]++;
	error[*(int *)ctx] = why;
}

static const struct msrp_session_handler handler = {
	.on_open = on_open, .on_message = on_message, .on_state = on_state, .on_down = on_down};

static int number[2] = {0, 1};

static struct msrp_session *session(int i, const char *local, const char *remote, bool active,
				    const char *fingerprint)
{
	struct msrp_session_config sc = {.local_uri = view_str(local),
					 .remote_path = view_str(remote),
					 .active = active,
					 .fingerprint = view_str(fingerprint)};
	struct msrp_session *s;

	assert_int_equal(msrp_session_new(w.place[i].agent, &sc, &handler, &number[i], w.now, &s),
			 0);
	return s;
}

#define ANN "msrps://192.0.2.1:1001/ann0ann0;tcp"
#define BO  "msrps://192.0.2.2:1002/bo00bo00;tcp"

static int setup(void **state)
{
	(void)state;
	wire_init(&w, 5);
	(void)agent(0, 1001);
	(void)agent(1, 1002);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	msrp_agent_free(w.place[0].agent);
	msrp_agent_free(w.place[1].agent);
	for (size_t i = 0; i < w.n_links; i++)
		for (int k = 0; k < 2; k++) {
			buf_fini(&w.link[i].side[k].out);
			buf_fini(&w.link[i].side[k].log);
		}
	return 0;
}

static void test_SW_4__both_sides_ask_before_anything_is_said(void **state)
{
	(void)state;
	(void)session(1, BO, ANN, false, "SHA-256 AA");
	(void)session(0, ANN, BO, true, "SHA-256 BB");
	wire_run(&w);
	assert_int_equal(opens[0], 1);
	assert_int_equal(opens[1], 1);
	assert_true(guard[0].asked_tls && guard[1].asked_tls);
	assert_string_equal(guard[0].fingerprint, "SHA-256 BB");
	assert_string_equal(guard[1].fingerprint, "SHA-256 AA");
	assert_string_equal(guard[0].host, "192.0.2.2");
}

static void test_SW_4__who_connects_says_nothing_to_somebody_else(void **state)
{
	(void)state;
	(void)session(1, BO, ANN, false, "");
	guard[0].good = "SHA-256 CC";
	(void)session(0, ANN, BO, true, "SHA-256 BB");
	wire_run(&w);
	assert_int_equal(opens[0] + opens[1], 0);
	assert_int_equal(downs[0], 1);
	assert_int_equal(error[0], E_DENIED);
	assert_int_equal(w.link[0].side[0].log.n, 0);
	assert_true(w.link[0].side[0].closed);
}

static void test_SW_4__who_waits_does_not_take_somebody_else(void **state)
{
	(void)state;
	(void)session(1, BO, ANN, false, "SHA-256 AA");
	guard[1].good = "SHA-256 CC";
	(void)session(0, ANN, BO, true, "");
	wire_run(&w);
	assert_int_equal(opens[1], 0);
	assert_true(view_find_view(buf_view(&w.link[0].side[1].log), VIEW(" 403"), 0) <
		    w.link[0].side[1].log.n);
}

static void test_SW_4__an_early_bird_is_looked_at_when_the_answer_is_there(void **state)
{
	struct msrp_session *bo = session(1, BO, "", false, "");

	(void)state;
	guard[1].good = "SHA-256 AA";
	(void)session(0, ANN, BO, true, "");
	wire_run(&w);
	assert_int_equal(opens[1], 1);
	assert_false(guard[1].knew_peer);
	assert_int_equal(msrp_session_set_fingerprint(bo, VIEW("SHA-256 FF")), 0);
	assert_int_equal(msrp_session_start(bo, VIEW(ANN), false, 0, w.now), 0);
	wire_run(&w);
	assert_true(guard[1].knew_peer);
	assert_true(w.link[0].side[1].closed);
	assert_false(msrp_session_is_open(bo));
	/* The right one may still come. */
	assert_int_equal(msrp_session_set_fingerprint(bo, VIEW("SHA-256 AA")), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_SW_4__both_sides_ask_before_anything_is_said),
		TEST(test_SW_4__who_connects_says_nothing_to_somebody_else),
		TEST(test_SW_4__who_waits_does_not_take_somebody_else),
		TEST(test_SW_4__an_early_bird_is_looked_at_when_the_answer_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
