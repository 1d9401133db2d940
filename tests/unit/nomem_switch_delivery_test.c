/* RFC 4975 §7.1.4 with a heap that runs out: what was answered with 200 is delivered, or its sender
 * hears that it was not, whichever allocation fails, and however many after it. */
#include "switch_world.h"
#include "nomem.h"

#define ANN  "sip:ann@example.com"
#define BO   "sip:bo@example.com"
#define CONF "sip:conf@example.com"

enum { MESSAGES = 3, MOST = 400 };

static struct world w;
static struct phone *ann, *bo;
static const char *const ids[MESSAGES] = {"m0", "m1", "m2"};
static unsigned sent_as[MESSAGES]; /* the number in its tid */

static void say_all(void)
{
	for (size_t i = 0; i < MESSAGES; i++) {
		sent_as[i] = ann->n_sent;
		phone_say(ann, ids[i], ANN, CONF, "hello");
		world_run(&w);
	}
}

static void come_back(void)
{
	struct phone *p = phone_new(&w, 0);

	/* Without memory for a connection it is closed at once, and tried again. */
	p->conn = switch_conn_accept(w.shard[0].s, p, w.now);
	strcpy(p->path[0], bo->path[0]);
	strcpy(p->local, bo->local);
	if (p->conn)
		phone_bind(p, 0);
	world_run(&w);
	bo = p;
}

/* What waited is written to one who has come back. */
static void returns(void)
{
	phone_cut(bo);
	say_all();
	come_back();
}

/* Each is refused by its receiver. */
static void refuses(void)
{
	bo->refuse = 413;
	say_all();
	world_advance(&w, 2000);
}

/* He never answers. */
static void is_mute(void)
{
	bo->mute = true;
	say_all();
	world_advance(&w, 31000);
}

static bool delivered(const char *id)
{
	for (size_t k = 0; k < w.n_phones; k++) {
		const struct phone *p = w.phone[k];

		for (size_t i = 0; p != ann && !p->refuse && !p->mute && i < p->n_got; i++)
			if (p->got[i].is_request && p->got[i].method == MSRP_SEND &&
			    p->got[i].flag == '$' && view_eq(view_str(p->got[i].id), view_str(id)))
				return true;
	}
	return false;
}

static bool reported(const char *id)
{
	for (size_t i = 0; i < ann->n_got; i++)
		if (ann->got[i].is_request && ann->got[i].method == MSRP_REPORT &&
		    view_eq(view_str(ann->got[i].id), view_str(id)))
			return true;
	return false;
}

static bool acknowledged(unsigned serial)
{
	char tid[16];

	snprintf(tid, sizeof(tid), "t%06u", serial);
	for (size_t i = 0; i < ann->n_got; i++)
		if (!ann->got[i].is_request && !strcmp(ann->got[i].tid, tid))
			return ann->got[i].status == 200;
	return false;
}

/* How many allocations it takes. */
static uint64_t tell(void (*story)(void), uint64_t at, uint64_t n)
{
	struct switch_config cfg = world_config();
	uint64_t asked;

	world_init(&w, 1, &cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	bo = phone_join(&w, 0, 7, 2, BO);
	nomem_fail(at, n);
	story();
	asked = nomem_asked();
	nomem_fail(0, 0);
	if (story == returns && !bo->conn)
		come_back();
	world_advance(&w, 100000);
	for (size_t i = 0; i < MESSAGES; i++)
		if (acknowledged(sent_as[i]) && !delivered(ids[i]) && !reported(ids[i]))
			fail_msg("%s: neither delivered nor reported; allocation %llu", ids[i],
				 (unsigned long long)at);
	world_fini(&w);
	return asked;
}

static void sweep(void (*story)(void))
{
	static const uint64_t together[] = {1, 4, 1000000};
	uint64_t total = tell(story, 0, 0);

	assert_in_range(total, 1, MOST);
	for (uint64_t at = 1; at <= total; at++)
		for (size_t i = 0; i < sizeof(together) / sizeof(together[0]); i++)
			(void)tell(story, at, together[i]);
}

static void test_RFC_4975_7_1_4__what_waited_for_one_who_is_back(void **state)
{
	(void)state;
	sweep(returns);
}

static void test_RFC_4975_7_1_4__what_its_receiver_refuses(void **state)
{
	(void)state;
	sweep(refuses);
}

static void test_RFC_4975_7_1_4__what_is_not_answered(void **state)
{
	(void)state;
	sweep(is_mute);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC_4975_7_1_4__what_waited_for_one_who_is_back),
		cmocka_unit_test(test_RFC_4975_7_1_4__what_its_receiver_refuses),
		cmocka_unit_test(test_RFC_4975_7_1_4__what_is_not_answered),
	};

	nomem_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
