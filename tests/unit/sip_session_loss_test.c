/*
 * Two user agents and a network that loses, doubles, delays and overtakes: thousands of calls, each
 * with a course of its own (re-INVITEs from both sides, CANCEL, BYE, owners that go away). Whatever
 * happened, both sides hear of the end once, and nothing is left of the call.
 */
#include "sip_world.h"

#include "io/digest.h"
#include "sip/session.h"

enum { CALLS = 3000, LOSS_PERCENT = 25, DELAY_MS = 80, CALL_MS = 20000, LONG_MS = 400000 };

struct side {
	struct world *w;
	struct sip_ua *ua;
	struct sip_session *s;
	struct side *other;
	struct timer act;
	bool caller, begun, freed;
	int ended;
};

static struct {
	uint64_t now, random;
	struct timers timers;
	struct side side[2];
	struct list packets; /* under way */
} N;

struct packet {
	struct list link;
	struct timer arrival;
	struct side *to;
	size_t n;
	char bytes[];
};

static unsigned roll(unsigned n)
{
	N.random = N.random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(N.random >> 40) % n;
}

static void arrive(void *ctx, uint64_t now_ms)
{
	struct packet *p = ctx;
	struct addr from = world_addr(p->to->caller ? "192.0.2.2:5060" : "192.0.2.1:5060");

	list_del(&p->link);
	sip_stack_datagram(p->to->w->stack, view_of(p->bytes, p->n), &from, now_ms);
	free(p);
}

static void post(struct side *to, struct view bytes)
{
	struct packet *p = malloc(sizeof(*p) + bytes.n);

	assert_non_null(p);
	p->to = to;
	p->n = bytes.n;
	memcpy(p->bytes, bytes.p, bytes.n);
	list_add_tail(&N.packets, &p->link);
	timer_init(&p->arrival, arrive, p);
	timer_arm(&N.timers, &p->arrival, N.now + 1 + roll(DELAY_MS));
}

static void lossy_send(void *ctx, const struct addr *to, struct view bytes)
{
	struct side *from = ctx;

	(void)to;
	if (roll(100) < LOSS_PERCENT)
		return;
	post(from->other, bytes);
	if (roll(100) < 5)
		post(from->other, bytes);
}

static void *no_connect(void *ctx, struct sip_conn *c, enum sip_transport t, const struct addr *to)
{
	(void)ctx;
	(void)c;
	(void)t;
	(void)to;
	return NULL;
}

static void let_go(struct side *d)
{
	sip_session_end(d->s, VIEW(""), N.now);
	if (d->s) /* the end may have been told, and the session freed, inside */
		sip_session_free(d->s);
	d->s = NULL;
	d->freed = true;
}

static void reinvite(struct side *d)
{
	int rc = sip_session_reinvite(d->s, VIEW("<sip:x@192.0.2.7>"), VIEW(""), VIEW("text/plain"),
				      VIEW("again"), N.now);

	assert_true(rc == 0 || rc == E_STATE);
}

static void act_soon(struct side *d)
{
	timer_arm(&N.timers, &d->act, N.now + roll(CALL_MS / 4));
}

/* What an owner does next with a session that is not over. */
static void act(void *ctx, uint64_t now_ms)
{
	struct side *d = ctx;

	if (!d->s || sip_session_state(d->s) == SIP_SESSION_ENDED)
		return;
	if (sip_session_state(d->s) == SIP_SESSION_INCOMING) {
		switch (roll(6)) {
		case 0:
			(void)sip_session_reject(d->s, 486, NULL, VIEW(""), now_ms);
			return;
		case 1:
			let_go(d);
			return;
		case 2:
			assert_int_equal(
				sip_session_ring(d->s, 180, VIEW("<sip:me@192.0.2.1>"), now_ms), 0);
			break;
		default:
			assert_int_equal(sip_session_answer(d->s, VIEW("<sip:x@192.0.2.7>"),
							    VIEW(""), VIEW(""), VIEW(""), now_ms),
					 0);
		}
	} else if (roll(8) == 0) {
		let_go(d);
		return;
	} else if (roll(5) == 0) {
		sip_session_end(d->s, VIEW(""), now_ms);
	} else {
		reinvite(d);
	}
	act_soon(d);
}

static void on_progress(void *ctx, struct sip_session *s, const struct sip_msg *m, uint64_t now_ms)
{
	(void)s;
	(void)m;
	(void)now_ms;
	if (roll(20) == 0)
		let_go(ctx);
}

static void on_answered(void *ctx, struct sip_session *s, const struct sip_msg *m, uint64_t now_ms)
{
	(void)m;
	(void)now_ms;
	assert_int_equal(sip_session_state(s), SIP_SESSION_CONFIRMED);
	if (roll(10) == 0)
		let_go(ctx);
}

static void on_confirmed(void *ctx, struct sip_session *s, const struct sip_msg *m, uint64_t now_ms)
{
	on_answered(ctx, s, m, now_ms);
}

static void on_reinvite(void *ctx, struct sip_session *s, struct sip_server_tx *tx,
			const struct sip_msg *m, uint64_t now_ms)
{
	(void)m;
	if (roll(4) == 0)
		(void)sip_server_tx_reply(tx, 488, NULL, VIEW(""), now_ms);
	else if (roll(4))
		assert_int_equal(sip_session_answer_reinvite(s, tx, VIEW("<sip:x@192.0.2.7>"),
							     VIEW(""), VIEW(""), VIEW(""), now_ms),
				 0);
	else
		let_go(ctx); /* unanswered */
}

static void on_reinvited(void *ctx, struct sip_session *s, const struct sip_msg *m, uint64_t now_ms)
{
	on_answered(ctx, s, m, now_ms);
}

static void on_ended(void *ctx, struct sip_session *s, enum sip_session_end why, int status,
		     const struct sip_msg *m, uint64_t now_ms)
{
	struct side *d = ctx;

	(void)why;
	(void)status;
	(void)m;
	(void)now_ms;
	assert_ptr_equal(s, d->s);
	d->ended++;
	if (roll(2)) {
		sip_session_free(s);
		d->s = NULL;
	}
}

static const struct sip_session_handler handler = {
	.on_progress = on_progress,
	.on_answered = on_answered,
	.on_confirmed = on_confirmed,
	.on_reinvite = on_reinvite,
	.on_reinvited = on_reinvited,
	.on_ended = on_ended,
};

static void on_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
		       uint64_t now_ms)
{
	struct side *d = ctx;

	if (sip_ua_request(d->ua, tx, m, now_ms))
		return;
	if (d->begun || sip_server_tx_is_merged(tx)) {
		(void)sip_server_tx_reply(tx, 482, NULL, VIEW(""), now_ms);
		return;
	}
	d->begun = true;
	assert_int_equal(sip_session_incoming(d->ua, tx, m, VIEW(""), &handler, d, now_ms, &d->s),
			 0);
	act_soon(d);
}

static void on_ack(void *ctx, const struct sip_msg *m, const struct sip_flow *from, uint64_t now_ms)
{
	struct side *d = ctx;

	(void)from;
	(void)sip_ua_ack(d->ua, m, now_ms);
}

static int next_hop(void *ctx, struct view uri, struct sip_flow *out)
{
	(void)ctx;
	(void)uri;
	*out = world_flow(SIP_UDP, "192.0.2.7:5060"); /* the network knows who is meant */
	return 0;
}

static void side_begin(struct side *d, struct side *other, bool caller)
{
	const struct sip_stack_ops ops = {.udp_send = lossy_send,
					  .connect = no_connect,
					  .on_request = on_request,
					  .on_ack = on_ack,
					  .ctx = d};
	const struct sip_ua_config cfg = {
		.digest = io_digest(), .max_dialogs = 10, .next_hop = next_hop};

	*d = (struct side){.w = world_new(), .other = other, .caller = caller, .begun = caller};
	d->w->random = N.random + caller;
	timer_init(&d->act, act, d);
	d->w->stack = sip_stack_new(&d->w->cfg, &ops, &N.timers, &d->w->entropy, NULL);
	assert_non_null(d->w->stack);
	d->ua = sip_ua_new(d->w->stack, &cfg);
	assert_non_null(d->ua);
}

/* Both orders in which programs take their stack and their UA down. */
static void side_end(struct side *d, bool stack_first)
{
	timer_cancel(&N.timers, &d->act);
	sip_session_free(d->s);
	d->s = NULL;
	if (!stack_first)
		sip_ua_free(d->ua);
	sip_stack_free(d->w->stack);
	d->w->stack = NULL;
	if (stack_first)
		sip_ua_free(d->ua);
	world_end(d->w);
}

static void call_end(void)
{
	side_end(&N.side[0], roll(2));
	side_end(&N.side[1], roll(2));
	LIST_EACH(l, next, &N.packets)
	{
		struct packet *p = CONTAINER(l, struct packet, link);

		timer_cancel(&N.timers, &p->arrival);
		free(p);
	}
	assert_int_equal(N.timers.n, 0);
}

static void run_until(uint64_t until)
{
	uint64_t next;

	while ((next = timers_next(&N.timers)) <= until) {
		if (next > N.now)
			N.now = next;
		timers_run(&N.timers, N.now);
	}
	N.now = until;
	timers_run(&N.timers, N.now);
}

/* The assertion that fails tells which call it was. */
#define CHECK(truth)                                                                               \
	do {                                                                                       \
		if (!(truth))                                                                      \
			fail_msg("call %llu: %s", (unsigned long long)seed, #truth);               \
	} while (0)

static void call(uint64_t seed)
{
	struct side *a = &N.side[0], *b = &N.side[1];
	const struct sip_invite invite = {
		.uri = VIEW("sip:bob@example.com"),
		.from = VIEW("<sip:alice@example.org>"),
		.contact = VIEW("<sip:x@192.0.2.7>"),
		.flow = world_flow(SIP_UDP, "192.0.2.2:5060"),
	};

	N.now = WORLD_BEGAN;
	N.random = seed;
	(void)roll(2);
	timers_init(&N.timers, N.now);
	list_init(&N.packets);
	side_begin(a, b, true);
	side_begin(b, a, false);
	assert_int_equal(sip_session_invite(a->ua, &invite, &handler, a, N.now, &a->s), 0);
	act_soon(a);
	if (roll(4) == 0) { /* the programs end in the middle of it */
		run_until(WORLD_BEGAN + roll(2 * CALL_MS));
		call_end();
		return;
	}
	run_until(WORLD_BEGAN + CALL_MS);
	for (int i = 0; i < 2; i++) {
		timer_cancel(&N.timers, &N.side[i].act);
		if (N.side[i].s && (i == 0 || roll(3)))
			sip_session_end(N.side[i].s, VIEW(""), N.now);
	}
	/* All that is owed is done, whether the owners are still there or not. */
	run_until(WORLD_BEGAN + LONG_MS);
	for (int i = 0; i < 2; i++) {
		struct side *d = &N.side[i];

		if (d->s && sip_session_state(d->s) == SIP_SESSION_INCOMING)
			let_go(d);
		CHECK(!d->s || sip_session_state(d->s) == SIP_SESSION_ENDED);
		CHECK(d->ended <= 1);
		CHECK(d->freed || d->ended == d->begun);
	}
	run_until(WORLD_BEGAN + 2 * LONG_MS);
	CHECK(sip_stack_tx_count(a->w->stack) == 0);
	CHECK(sip_stack_tx_count(b->w->stack) == 0);
	CHECK(N.timers.n == 0);
	call_end();
}

static void test_calls_over_a_bad_network(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= CALLS; seed++)
		call(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls_over_a_bad_network)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
