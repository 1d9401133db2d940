/* What is sent again after a broken connection, when much was under way: a receiver recognises it
 * by its Message-ID (RFC 4975 §5.4, SW-1), in a conference and between two, however much it was. */
#include "flow_move.h"

enum { MUCH = 700 };

static bool everybody_else(const struct said *s, const struct person *r)
{
	(void)s;
	(void)r;
	return true;
}

static struct flow_world *far_world(uint64_t seed)
{
	struct flow_world *w = world_new(seed);

	world_start(w);
	w->net.latency_min = 40;
	w->net.latency_max = 60;
	return w;
}

static bool all_told(void *ctx)
{
	const struct flow_world *w = ctx;

	for (size_t i = 0; i < w->n_said; i++)
		if (!w->said[i].delivered && !(w->said[i].accepted && w->said[i].to_all))
			return false;
	return true;
}

/* Everybody writes, all at once; then a connection breaks somewhere in the middle of it. */
static void break_under(struct flow_world *w, const char *label, uint64_t after_ms)
{
	struct net_conn *c;

	for (unsigned i = 0; i < MUCH; i++)
		person_write(w->person[i % 8 == 7], 0);
	world_run(w, after_ms);
	c = net_find(&w->net, label);
	assert_non_null(c);
	net_cut(c);
	(void)world_until(w, all_told, w, 60000);
	/* The switch says 200 for itself; the others have it in a moment. */
	world_run(w, 3000);
	world_judge(w, everybody_else, NOBODY_TOLD);
	world_end(w);
}

static void test_SW_1__much_is_under_way_to_the_switch(void **state)
{
	static const char *const others[] = {"sip:bo@example.com", "sip:charles@example.com"};
	static const char *const label[] = {"ann>switch", "bo>switch", "charles>switch"};

	(void)state;
	for (uint64_t seed = 0; seed < 18; seed++) {
		struct flow_world *w = far_world(seed + 1);
		struct person *ann = person_there(w, "ann", "ann");

		(void)person_there(w, "bo", "bo");
		(void)person_there(w, "charles", "charles");
		person_call(ann, others, 2);
		for (size_t i = 0; i < 3; i++)
			assert_true(person_wait(w->person[i], CONFAB_OPEN, 1, 20000));
		break_under(w, label[seed % 3], 60 + seed / 3 * 10);
	}
}

static void test_FL_1_and_move_5__much_is_under_way_between_two(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 12; seed++) {
		struct flow_world *w = far_world(seed + 1);
		struct person *ann = person_there(w, "ann", "ann"),
			      *bo = person_there(w, "bo", "bo");

		chat_open(ann, bo);
		break_under(w, "ann>bo", 60 + seed * 10);
	}
}

/* The old connection breaks under the move, and nobody can connect there any more: what had no last
 * word goes on to its one reader by the conference. */
static void test_FL_10_and_move_5__the_old_connection_does_not_come_back(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct move_run r = {.each = 10, .spread_ms = 200, .bo_calls = seed & 1};
		struct net_conn *c;

		move_open(&r, seed);
		r.w->net.latency_min = 20;
		r.w->net.latency_max = 30;
		net_listener_at(&r.w->net, &r.ann->msrp)->refuse = 1000;
		net_listener_at(&r.w->net, &r.bo->msrp)->refuse = 1000;
		for (int i = 0; i < 5; i++) {
			person_write(r.ann, 0);
			person_write(r.bo, 0);
		}
		assert_int_equal(person_add(r.ann, "sip:charles@example.com"), 0);
		for (int i = 0; i < 5; i++)
			person_write(r.ann, 0);
		world_run(r.w, seed);
		c = net_find(&r.w->net, "bo>ann");
		c = c ? c : net_find(&r.w->net, "ann>bo");
		assert_non_null(c);
		net_cut(c);
		assert_true(person_wait(r.bo, CONFAB_MOVED, 1, 10000));
		for (int i = 0; i < 5; i++) {
			person_write(r.bo, 0);
			person_write(r.ann, 0);
		}
		move_settle(&r);
		move_judge(&r, NOBODY_TOLD);
		world_end(r.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_SW_1__much_is_under_way_to_the_switch),
		cmocka_unit_test(test_FL_10_and_move_5__the_old_connection_does_not_come_back),
		cmocka_unit_test(test_FL_1_and_move_5__much_is_under_way_between_two),
	};

	cmocka_set_test_filter(getenv("FLOW_TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
