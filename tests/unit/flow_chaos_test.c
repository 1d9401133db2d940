/* Anything at any moment: people call, write, add, leave, decline, connections break, the server
 * refuses. Whatever comes of it: nothing is doubled, nothing reaches whom it was not for,
 * everything has a last word, and nothing is left at the end. FLOW_RUNS, FLOW_SEED. */
#include "flow_world.h"

enum { PEOPLE = 5, STEPS = 60 };

static const char *const name[PEOPLE] = {"ann", "bo", "charles", "dora", "emil"};

static const char *uri_of(struct flow_world *w)
{
	return w->person[world_random(w, w->n_people)]->uri;
}

static void cut_one(struct flow_world *w)
{
	struct net_conn *c = w->net.conns;
	uint64_t skip = world_random(w, w->net.n_conns);

	for (; c && skip; skip--)
		c = c->next ? c->next : w->net.conns;
	if (c)
		net_cut(c);
}

static void act(struct flow_world *w, struct person *p)
{
	const char *uris[3] = {uri_of(w), uri_of(w), uri_of(w)};
	uint32_t chat = p->chat;

	p->chat = 1 + (uint32_t)world_random(w, chat + 1);
	switch (world_random(w, 16)) {
	case 0:
		if (strcmp(uris[0], p->uri) != 0)
			person_try_call(p, uris, 1);
		return;
	case 1:
		person_try_call(p, uris, 2 + (size_t)world_random(w, 2));
		return;
	case 2:
	case 3:
		(void)person_add(p, uris[0]);
		break;
	case 4:
		(void)client_leave(p->client, p->chat, world_random(w, 2), w->net.now);
		break;
	case 5:
		(void)client_decline(p->client, p->chat, 486, w->net.now);
		break;
	case 6:
	case 7:
		(void)client_accept(p->client, p->chat, w->net.now);
		break;
	case 8:
		(void)client_who(p->client, p->chat, w->net.now);
		break;
	case 9:
		cut_one(w);
		break;
	case 10:
		net_listener_at(&w->net, world_random(w, 2) ? &w->server.msrp : &p->msrp)->refuse =
			1;
		break;
	default:
		person_write(p, world_random(w, 6) ? 0 : 20000);
		break;
	}
	p->chat = chat;
}

/* Whatever may be asked of a client may be asked out of its events. */
static void meddle(struct person *p, const struct happened *h)
{
	struct flow_world *w = p->w;
	uint32_t chat = p->chat, conversation = h->conversation;

	if (!conversation || p->meddling || world_random(w, 12))
		return;
	p->meddling = true;
	p->chat = conversation;
	switch (world_random(w, 6)) {
	case 0:
		(void)client_leave(p->client, conversation, false, w->net.now);
		break;
	case 1:
		(void)client_decline(p->client, conversation, 603, w->net.now);
		break;
	case 2:
		(void)client_accept(p->client, conversation, w->net.now);
		break;
	case 3:
		(void)person_add(p, uri_of(w));
		break;
	case 4:
		(void)client_who(p->client, conversation, w->net.now);
		break;
	default:
		person_write(p, 10);
		break;
	}
	p->chat = chat;
	p->meddling = false;
}

static struct flow_world *chaos(uint64_t seed, unsigned steps, bool meddling)
{
	struct flow_world *w = world_new(seed);

	if (seed % 3 == 0)
		w->net.window = 3000;
	w->server.cfg.end_policy = (enum conference_end_policy)(seed % 3);
	if (seed % 4 == 0)
		w->server.switch_cfg.max_seats = 5;
	world_start(w);
	for (size_t i = 0; i < PEOPLE; i++) {
		struct person *p = person_new(w, name[i], name[i]);

		p->cfg.auto_accept = (seed + i) % 3 != 0;
		p->cfg.ask_before_move = (seed + i) % 4 == 0;
		if ((seed + i) % 5 == 0)
			p->cfg.server.transport = SIP_UDP;
		p->on_event = meddling ? meddle : NULL;
		person_start(p);
	}
	world_run(w, 300);
	for (unsigned i = 0; i < steps; i++) {
		act(w, w->person[world_random(w, PEOPLE)]);
		world_run(w, world_random(w, world_random(w, 10) ? 60 : 3000));
	}
	return w;
}

static void whatever_happens(bool meddling)
{
	unsigned runs = getenv("FLOW_RUNS") ? (unsigned)atoi(getenv("FLOW_RUNS")) : 60;
	uint64_t seed = getenv("FLOW_SEED") ? (uint64_t)atoll(getenv("FLOW_SEED")) : 1;

	size_t messages = 0, moves = 0, lost = 0;

	for (uint64_t end = seed + runs; seed < end; seed++) {
		struct flow_world *w = chaos(seed, STEPS, meddling);

		world_run(w, 20000);
		world_close(w);
		world_judge(w, NULL, SEEN_OR_TOLD);
		for (size_t i = 0; i < PEOPLE; i++) {
			messages += person_count(w->person[i], CONFAB_MESSAGE);
			moves += person_count(w->person[i], CONFAB_MOVED);
			lost += person_count(w->person[i], CONFAB_CONNECTION);
		}
		world_free(w);
	}
	printf("%zu messages, %zu moves, %zu lost connections\n", messages, moves, lost);
	assert_true(runs < 50 || (messages > 5 * runs && moves > runs / 10 && lost > runs));
}

static void test_FL_10__whatever_happens(void **state)
{
	(void)state;
	whatever_happens(false);
}

static void test_FL_10__asked_out_of_events(void **state)
{
	(void)state;
	whatever_happens(true);
}

/* The server and the clients may be taken down in the middle of anything. */
static void test_FL_10__freed_in_the_middle(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++)
		world_free(chaos(seed, (unsigned)(seed % 30), seed & 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_FL_10__whatever_happens),
		cmocka_unit_test(test_FL_10__asked_out_of_events),
		cmocka_unit_test(test_FL_10__freed_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
