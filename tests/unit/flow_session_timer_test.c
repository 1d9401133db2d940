/* Session timers of a conference (RFC 4028) with our own clients and a foreign phone: who is there
 * stays, who has gone without a word leaves, and no message is lost for it (CF-X-2, FL-7). */
#include "flow_phone.h"

#define GUS "sip:gus@example.com"

struct stage {
	struct flow_world *w;
	struct person *ann, *bo;
	struct phone *gus;
};

static void stage_open(struct stage *s, uint64_t seed)
{
	const char *const uris[] = {"sip:bo@example.com", GUS};

	*s = (struct stage){.w = world_new(seed)};
	s->w->server.cfg.session_expires_s = 90;
	/* Its connection is made by nobody: a seat that stays unclaimed is no matter here. */
	s->w->server.switch_cfg.bind_timeout_ms = 3600000;
	world_start(s->w);
	s->ann = person_there(s->w, "ann", "ann");
	s->bo = person_there(s->w, "bo", "bo");
	s->gus = phone_new(s->w, "gus", "gus");
	person_call(s->ann, uris, 2);
	assert_true(person_wait(s->ann, CONFAB_OPEN, 1, 10000));
	assert_true(person_wait(s->bo, CONFAB_OPEN, 1, 10000));
	world_run(s->w, 2000);
}

/* Nobody's phone answers there any more. */
static void vanish(struct phone *p)
{
	net_listener_at(&p->w->net, &p->addr)->datagram = NULL;
}

static void test_CF_X_2_and_FL_7__who_is_there_stays(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, 3);
	/* Twenty times the interval; the phone's stack refuses re-INVITEs, and is there all the
	 * same. */
	for (int i = 0; i < 20; i++) {
		world_run(s.w, 90000);
		person_write(s.ann, 10);
	}
	world_run(s.w, 5000);
	assert_int_equal(person_count(s.ann, CONFAB_ENDED), 0);
	assert_int_equal(person_count(s.bo, CONFAB_ENDED), 0);
	assert_int_equal(person_count(s.bo, CONFAB_MESSAGE), 20);
	assert_int_equal(person_count(s.ann, CONFAB_LEFT), 0);
	assert_int_equal(s.gus->n_byes, 0);
	phone_bye(s.gus, "");
	world_run(s.w, 1000);
	phone_free(s.gus);
	world_end(s.w);
}

static void test_CF_X_2_and_FL_7__who_has_gone_without_a_word_leaves(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, 4);
	vanish(s.gus);
	/* Half of the interval, and the 32 s that an INVITE may go unanswered. */
	assert_true(person_wait(s.ann, CONFAB_LEFT, 1, 45000 + 33000));
	assert_string_equal(person_last(s.ann, CONFAB_LEFT)->peer, GUS);
	assert_true(person_wait(s.bo, CONFAB_LEFT, 1, 2000));
	assert_int_equal(person_count(s.ann, CONFAB_ENDED), 0);
	person_write(s.bo, 10);
	assert_true(person_wait(s.ann, CONFAB_MESSAGE, 1, 5000));
	world_run(s.w, 40000);
	phone_free(s.gus);
	world_end(s.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_CF_X_2_and_FL_7__who_is_there_stays),
		cmocka_unit_test(test_CF_X_2_and_FL_7__who_has_gone_without_a_word_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
