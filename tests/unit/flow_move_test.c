/* "The move" (docs/protocol/upgrade.md) under many random runs, undisturbed and with a cut at every
 * step of them. FLOW_RUNS: how many; FLOW_SEED: the first seed; FLOW_TEST: a pattern of test names.
 */
#include "flow_move.h"

enum { USUAL_RUNS = 300, CUT_EACH = 6, CUT_SPREAD_MS = 120 };

static uint64_t first_seed;
static unsigned runs, n_cut, n_unconfirmed;

static unsigned from_env(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void judge_moved(struct move_run *r)
{
	assert_int_equal(person_count(r->ann, CONFAB_MOVED), 1);
	assert_int_equal(person_count(r->bo, CONFAB_MOVED), 1);
	assert_int_equal(person_count(r->charles, CONFAB_OPEN), 1);
	assert_int_equal(person_count(r->ann, CONFAB_ENDED), 0);
	assert_int_equal(person_count(r->bo, CONFAB_ENDED), 0);
	/* The first session is gone, with its connection. */
	assert_null(net_find(&r->w->net, "bo>ann"));
	assert_null(net_find(&r->w->net, "ann>bo"));
}

static void one_move(uint64_t seed)
{
	struct move_run r = {.each = 24, .spread_ms = 500, .large = 12, .bo_calls = seed % 3 == 0};

	if (seed % 5 == 0)
		r.spread_ms = 100;
	move_open(&r, seed);
	if (seed % 4 == 0)
		r.w->net.window = 3000;
	if (seed % 7 == 0)
		r.w->net.latency_max = 150;
	/* The old path is slower than the new one: only the gate and the hold keep the order. */
	if (seed % 3 != 1) {
		r.w->net.slow = r.bo_calls ? "bo>ann" : "ann>bo";
		r.w->net.slow_ms = 600;
	}
	move_write(&r, true);
	move_settle(&r);
	move_judge(&r, NOBODY_TOLD);
	judge_moved(&r);
	world_end(r.w);
}

static void test_FL_2_and_move_1__none_lost_none_doubled_each_order_kept(void **state)
{
	(void)state;
	for (unsigned i = 0; i < runs; i++)
		one_move(first_seed + i);
}

/* --- cuts --- */

static void cut_any(struct flow_world *w)
{
	struct net_conn *c = w->net.conns;

	for (uint64_t skip = world_random(w, 10); c && skip; skip--)
		c = c->next ? c->next : w->net.conns;
	if (c)
		net_cut(c);
}

static void prepare(struct move_run *r, uint64_t seed)
{
	*r = (struct move_run){
		.each = CUT_EACH, .spread_ms = CUT_SPREAD_MS, .large = 5, .bo_calls = seed & 1};
	move_open(r, seed);
	if (seed % 3 == 0)
		r->w->net.window = 3000;
	if (seed % 4 == 0)
		r->w->net.latency_max = 60;
}

/* How many things arrive from the beginning of the writing until all is quiet. */
static unsigned long steps_of(uint64_t seed)
{
	struct move_run r;
	unsigned long n;

	prepare(&r, seed);
	move_write(&r, true);
	(void)person_wait(r.charles, CONFAB_OPEN, 1, 5000);
	world_run(r.w, 1000);
	n = r.w->net.count - r.began;
	world_free(r.w);
	return n;
}

static void one_cut(uint64_t seed, unsigned long at, const char *label)
{
	struct move_run r;

	prepare(&r, seed);
	r.cut_at = at;
	r.cut_label = label;
	move_write(&r, true);
	move_settle(&r);
	if (r.w->trace)
		printf("seed %lu step %lu %s\n", (unsigned long)seed, at, label ? label : "itself");
	move_judge(&r, SEEN_OR_TOLD);
	/* One broken connection, whichever, stops no move. */
	judge_moved(&r);
	if (r.was_cut) {
		n_cut++;
		for (size_t i = 0; i < r.w->n_said; i++) {
			if (!r.w->said[i].unconfirmed && !r.w->said[i].failed)
				continue;
			n_unconfirmed++;
			printf("seed %lu, FLOW_CUT=\"%lu %s\": %s %u\n", (unsigned long)seed, at,
			       label ? label : "", r.w->said[i].by->name, r.w->said[i].number);
		}
	}
	world_end(r.w);
}

/* Every so many steps: what breaks is the connection that something arrives on, or one of these. */
static void sweep(uint64_t seed, unsigned own_stride, unsigned stride)
{
	static const char *const label[] = {"ann>bo",	 "bo>ann",	   "ann>switch",
					    "bo>switch", "charles>switch", "ann>sip",
					    "bo>sip",	 "charles>sip"};
	unsigned long n = steps_of(seed);

	for (unsigned long at = 1; at <= n; at += own_stride)
		one_cut(seed, at, NULL);
	for (size_t k = 0; k < sizeof(label) / sizeof(label[0]); k++)
		for (unsigned long at = 1 + (k + seed) % stride; at <= n; at += stride)
			one_cut(seed, at, label[k]);
	printf("seed %lu: %lu steps, %u cuts, %u messages unconfirmed\n", (unsigned long)seed, n,
	       n_cut, n_unconfirmed);
}

static void test_FL_10_and_move_5__any_connection_cut_at_any_step(void **state)
{
	const char *one = getenv("FLOW_CUT");

	(void)state;
	/* FLOW_CUT="17 ann>bo" with FLOW_SEED: that one alone. */
	if (one) {
		char name[32] = "";
		unsigned long at = 0;

		(void)sscanf(one, "%lu %31s", &at, name);
		one_cut(first_seed, at, name[0] ? name : NULL);
		return;
	}
	sweep(first_seed, 1, runs > USUAL_RUNS ? 1 : 16);
	for (uint64_t seed = first_seed + 3; seed < first_seed + 5; seed++)
		sweep(seed, runs > USUAL_RUNS ? 1 : 9, runs > USUAL_RUNS ? 1 : 31);
	/* One connection at a time: whatever broke with it is sent again. */
	assert_int_equal(n_unconfirmed, 0);
}

/* Two or three broken connections, and whoever connects anew is refused once or gets no answer. */
static void many_cuts(uint64_t seed)
{
	struct move_run r;
	struct net_listener *l;

	prepare(&r, seed);
	move_write(&r, true);
	for (uint64_t i = 0; i < 2 + seed % 2; i++) {
		world_run(r.w, world_random(r.w, 100));
		cut_any(r.w);
		l = &r.w->net.listener[world_random(r.w, r.w->net.n_listeners)];
		l->refuse = (unsigned)world_random(r.w, 3) / 2;
		l->swallow = (unsigned)world_random(r.w, 8) / 7;
	}
	for (size_t i = 0; i < 8; i++) {
		world_run(r.w, 4000);
		person_write(r.ann, 0);
		person_write(r.bo, 0);
	}
	move_settle(&r);
	world_judge(r.w, move_due, SEEN_OR_TOLD);
	world_end(r.w);
}

static void test_FL_10_and_move_5__many_connections_cut(void **state)
{
	(void)state;
	for (unsigned i = 0; i < runs / 4; i++)
		many_cuts(first_seed + i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_FL_2_and_move_1__none_lost_none_doubled_each_order_kept),
		cmocka_unit_test(test_FL_10_and_move_5__any_connection_cut_at_any_step),
		cmocka_unit_test(test_FL_10_and_move_5__many_connections_cut),
	};

	runs = from_env("FLOW_RUNS", USUAL_RUNS);
	first_seed = from_env("FLOW_SEED", 1);
	printf("seed %lu, %u runs\n", (unsigned long)first_seed, runs);
	cmocka_set_test_filter(getenv("FLOW_TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
