/* The whole system with a heap that runs out in the middle of a conversation, once or for a while:
 * the server and the clients go on, nothing is lost without a word, nothing is left behind.
 * NOMEM_MOST: so many places of each story, spread evenly; 0: every one. NOMEM_STORY, NOMEM_AT and
 * CMOCKA_TEST_FILTER: that story, that place, that test alone. */
#include "flow_phone.h"
#include "nomem.h"

enum { MOST = 25, MOMENT = 25, WHILE = 900 };

static struct person *there(struct flow_world *w, const char *name)
{
	struct person *p = person_new(w, name, name);

	p->cfg.auto_accept = true;
	p->cfg.notices = true;
	person_start(p);
	(void)person_wait(p, CONFAB_REGISTERED, 1, 3000);
	return p;
}

static void chats(struct flow_world *w)
{
	struct person *ann = w->person[0], *bo = w->person[1];
	const char *uri = bo->uri;

	person_try_call(ann, &uri, 1);
	world_run(w, 500);
	person_write(ann, 0);
	person_write(ann, 9000);
	(void)client_typing(bo->client, bo->chat, true, w->net.now);
	world_run(w, 300);
	person_write(bo, 0);
	world_run(w, 500);
	(void)client_leave(ann->client, ann->chat, false, w->net.now);
	world_run(w, 1000);
}

static void moves(struct flow_world *w)
{
	struct person *ann = w->person[0], *bo = w->person[1];
	const char *uri = bo->uri;

	person_try_call(ann, &uri, 1);
	world_run(w, 500);
	(void)person_add(ann, w->person[2]->uri);
	for (size_t i = 0; i < 3; i++)
		person_write(w->person[i % 2], 100);
	world_run(w, 2000);
	for (size_t i = 0; i < 3; i++)
		person_write(w->person[i], 5000);
	world_run(w, 1000);
	(void)person_add(ann, w->person[3]->uri);
	(void)client_who(bo->client, bo->chat, w->net.now);
	world_run(w, 1000);
	(void)client_leave(bo->client, bo->chat, false, w->net.now);
	world_run(w, 1000);
}

static void confers(struct flow_world *w)
{
	struct person *ann = w->person[0], *bo = w->person[1];
	const char *uris[2] = {bo->uri, w->person[2]->uri};
	struct view charles = view_str(w->person[2]->uri);
	char id[CONFAB_ID_SIZE];

	person_try_call(ann, uris, 2);
	world_run(w, 1000);
	person_write(ann, 0);
	(void)client_nick(bo->client, bo->chat, VIEW("Bobo"), w->net.now);
	(void)client_page(bo->client, view_str(ann->uri), VIEW("psst"), id, w->net.now);
	world_run(w, 500);
	(void)client_kick(ann->client, ann->chat, &charles, 1, w->net.now);
	client_register(bo->client, w->net.now);
	world_run(w, 1000);
	net_cut(net_find(&w->net, "bo>switch") ? net_find(&w->net, "bo>switch") : w->net.conns);
	world_run(w, 3000);
	person_write(bo, 0);
	world_run(w, 1000);
}

static void registers(struct flow_world *w)
{
	for (size_t i = 0; i < w->n_people; i++)
		client_register(w->person[i]->client, w->net.now);
	world_run(w, 2000);
	/* Theirs for 600 s are refreshed before. */
	world_run(w, 400000);
}

static void (*const story[])(struct flow_world *w) = {chats, moves, confers, registers};

static struct flow_world *opened(void)
{
	struct flow_world *w = world_new(7);
	static const char *const name[] = {"ann", "bo", "charles", "dora"};

	w->server.switch_cfg.nicknames = true;
	world_start(w);
	for (size_t i = 0; i < 4; i++)
		(void)there(w, name[i]);
	return w;
}

static bool open_again(void *ctx)
{
	struct person *p = ctx;
	const struct happened *h = person_last(p, CONFAB_OPEN);

	return h && h->conversation == p->chat;
}

static bool heard(void *ctx)
{
	struct said *s = ctx;

	return s->seen[1] == 1;
}

static bool registered(void *ctx)
{
	const struct happened *good = person_last(ctx, CONFAB_REGISTERED),
			      *bad = person_last(ctx, CONFAB_REGISTER_FAILED);

	return good && (!bad || good > bad);
}

/* Memory is back: all are registered without being asked to, the two have a chat as if nothing had
 * been. */
static void goes_on(struct flow_world *w)
{
	struct person *ann = w->person[0], *bo = w->person[1];
	const char *uri = bo->uri;

	for (size_t i = 0; i < w->n_people; i++)
		for (uint32_t chat = 1; chat < 16; chat++)
			(void)client_leave(w->person[i]->client, chat, false, w->net.now);
	world_run(w, 70000);
	for (size_t i = 0; i < w->n_people; i++)
		assert_true(world_until(w, registered, w->person[i], 60000));
	person_call(ann, &uri, 1);
	assert_true(world_until(w, open_again, ann, 40000));
	person_write(ann, 0);
	assert_true(world_until(w, heard, &w->said[w->n_said - 1], 10000));
	person_call(ann, (const char *[]){bo->uri, w->person[2]->uri}, 2);
	assert_true(world_until(w, open_again, ann, 40000));
}

static size_t told_story;
static uint64_t told_at;

/* How many allocations the story takes from its start. */
static uint64_t tell(void (*events)(struct flow_world *w), uint64_t at, uint64_t n)
{
	size_t before = nomem_live();
	struct flow_world *w = opened();
	uint64_t asked;

	nomem_fail(at, n);
	events(w);
	asked = nomem_asked();
	assert_int_equal(nomem_failed() > 0, at > 0);
	nomem_fail(0, 0);
	goes_on(w);
	world_close(w);
	world_judge(w, NULL, SEEN_OR_TOLD);
	world_free(w);
	assert_int_equal(nomem_live(), before);
	return asked;
}

static void sweep(uint64_t n)
{
	const char *text = getenv("NOMEM_MOST"), *only = getenv("NOMEM_AT"),
		   *which = getenv("NOMEM_STORY");
	uint64_t most = text ? strtoull(text, NULL, 10) : MOST;

	for (size_t i = 0; i < sizeof(story) / sizeof(story[0]); i++) {
		uint64_t total, points;

		if (which && strtoull(which, NULL, 10) != i)
			continue;
		total = tell(story[i], 0, 0);
		points = most && most < total ? most : total;
		for (uint64_t k = 0; k < points; k++) {
			uint64_t at = 1 + k * total / points;

			if (only && strtoull(only, NULL, 10) != at)
				continue;
			told_story = i;
			told_at = at;
			(void)tell(story[i], at, n);
		}
	}
}

/* Whatever came of the test. */
static int memory_is_back(void **state)
{
	(void)state;
	nomem_fail(0, 0);
	printf("# the last was story %zu, allocation %llu\n", told_story,
	       (unsigned long long)told_at);
	return 0;
}

static void test_one_allocation_fails(void **state)
{
	(void)state;
	sweep(1);
}

static void test_allocations_fail_for_a_moment(void **state)
{
	(void)state;
	sweep(MOMENT);
}

static void test_allocations_fail_for_a_while(void **state)
{
	(void)state;
	sweep(WHILE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_one_allocation_fails, memory_is_back),
		cmocka_unit_test_teardown(test_allocations_fail_for_a_moment, memory_is_back),
		cmocka_unit_test_teardown(test_allocations_fail_for_a_while, memory_is_back),
	};

	nomem_init();
	if (getenv("CMOCKA_TEST_FILTER"))
		cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
