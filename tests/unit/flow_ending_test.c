/* Conferences that end while somebody does not take what is sent to him, or is gone: each of the
 * others knows what became of his words before his conversation ends (SW-2, CF-X-2). */
#include "flow_world.h"

enum { PEOPLE = 3 };

struct end {
	struct flow_world *w;
	struct person *ann, *bo, *charles;
};

static void begin(struct end *e, uint64_t seed, enum conference_end_policy policy)
{
	const char *uri[] = {"sip:bo@example.com", "sip:charles@example.com"};

	*e = (struct end){.w = world_new(seed)};
	e->w->net.window = 3000;
	e->w->server.cfg.end_policy = policy;
	world_start(e->w);
	e->ann = person_there(e->w, "ann", "ann");
	e->bo = person_there(e->w, "bo", "bo");
	e->charles = person_there(e->w, "charles", "charles");
	person_call(e->ann, uri, 2);
	for (int i = 0; i < PEOPLE; i++)
		assert_true(person_wait(e->w->person[i], CONFAB_OPEN, 1, 30000));
	world_run(e->w, 1000);
}

static struct net_conn *line_of(struct end *e, const char *label)
{
	struct net_conn *c = net_find(&e->w->net, label);

	assert_non_null(c);
	return c;
}

/* Bo's machine has stopped reading. */
static void stall(struct end *e)
{
	net_pause(&line_of(e, "bo>switch")->end[0], true);
}

static void charles_writes(struct end *e, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		person_write(e->charles, i % 2 ? 0 : 6000);
		world_run(e->w, 20);
	}
}

static bool due(const struct said *s, const struct person *r)
{
	/* Who leaves by himself has ended his own session. */
	return strcmp(s->by->name, "ann") != 0 && strcmp(r->name, "ann") != 0;
}

/* What Charles is told of his words comes before the end of his conversation. */
static void told_before_the_end(const struct end *e, unsigned at_least)
{
	unsigned failed = 0;
	bool ended = false;

	for (size_t i = 0; i < e->charles->n_events; i++) {
		const struct happened *h = &e->charles->event[i];

		ended = ended || h->type == CONFAB_ENDED;
		if (h->type != CONFAB_SENT || h->sent != CONFAB_SENT_FAILED)
			continue;
		assert_false(ended);
		/* 481: for Ann, who left before she had it. */
		assert_true(h->status == 408 || h->status == 481);
		failed++;
	}
	assert_true(ended);
	assert_in_range(failed, at_least, 100);
}

static void finish(struct end *e)
{
	world_judge(e->w, due, SEEN_OR_TOLD);
	world_free(e->w);
}

static void test_CF_X_2__its_creator_leaves_while_one_does_not_read(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct end e;
		uint64_t left;

		begin(&e, seed, CONFERENCE_END_CREATOR);
		stall(&e);
		charles_writes(&e, 6);
		left = e.w->net.now;
		client_leave(e.ann->client, e.ann->chat, false, left);
		assert_true(person_wait(e.charles, CONFAB_ENDED, 1, 30000));
		/* A stalled receiver does not hold him for longer than the switch was told to wait.
		 */
		assert_true(e.w->net.now - left <
			    e.w->server.switch_cfg.drain_ms + SWITCH_DRAIN_FLUSH_MS + 1000);
		told_before_the_end(&e, 5);
		finish(&e);
	}
}

static void test_CF_X_2__its_creator_leaves_and_all_is_well(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct end e;
		uint64_t left;

		begin(&e, seed, CONFERENCE_END_CREATOR);
		charles_writes(&e, 6);
		world_run(e.w, 1000);
		left = e.w->net.now;
		client_leave(e.ann->client, e.ann->chat, false, left);
		assert_true(person_wait(e.charles, CONFAB_ENDED, 1, 30000));
		assert_true(e.w->net.now - left < 500);
		world_judge(e.w, due, NOBODY_TOLD);
		world_free(e.w);
	}
}

static void test_CF_X_2__the_last_but_one_leaves_while_one_is_gone(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct end e;

		begin(&e, seed, CONFERENCE_END_BELOW_TWO);
		/* His machine is gone without a word, and the network swallows what is for it. */
		stall(&e);
		charles_writes(&e, 4);
		client_leave(e.ann->client, e.ann->chat, false, e.w->net.now);
		world_run(e.w, 100);
		charles_writes(&e, 2);
		/* Bo hangs up: what he has not read is nothing that Charles should take as read. */
		client_leave(e.bo->client, e.bo->chat, false, e.w->net.now);
		assert_true(person_wait(e.charles, CONFAB_ENDED, 1, 30000));
		world_judge(e.w, due, SEEN_OR_TOLD);
		world_free(e.w);
	}
}

static void test_R_10__the_server_ends_while_one_is_cut_off(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct end e;

		begin(&e, seed, CONFERENCE_END_LAST);
		net_listener_at(&e.w->net, &e.w->server.msrp)->refuse = 100;
		net_cut(line_of(&e, "bo>switch"));
		world_run(e.w, 50);
		charles_writes(&e, 4);
		controlling_shut_down(e.w->server.controlling, e.w->net.now);
		world_run(e.w, 10);
		/* Too late, and he is told so. */
		person_write(e.charles, 0);
		assert_true(person_wait(e.charles, CONFAB_ENDED, 1, 30000));
		world_judge(e.w, NULL, SEEN_OR_TOLD);
		for (size_t i = 0; i < e.w->n_said; i++)
			assert_true(e.w->said[i].failed);
		world_free(e.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_CF_X_2__its_creator_leaves_while_one_does_not_read),
		cmocka_unit_test(test_CF_X_2__its_creator_leaves_and_all_is_well),
		cmocka_unit_test(test_CF_X_2__the_last_but_one_leaves_while_one_is_gone),
		cmocka_unit_test(test_R_10__the_server_ends_while_one_is_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
