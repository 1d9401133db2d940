/* client/typing.c, dispositions.c and notices.c: two clients' conversations over two wired MSRP
 * agents, on a virtual clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "client/state.h"
#include "msrp_wire.h"

enum { EVENTS_MAX = 64 };

#define ANN "sip:ann@example.com"
#define BO  "sip:bo@example.com"

struct seen {
	enum confab_event_type type;
	bool active;
	uint64_t at;
	enum confab_sent sent;
	char peer[64], id[CONFAB_ID_SIZE];
};

struct person {
	struct wire *wire;
	struct client client;
	struct conversation *chat;
	struct seen seen[EVENTS_MAX];
	size_t n;
	bool leaves; /* as soon as somebody stops writing */
};

static struct wire wire;
static struct person ann, bo;
static struct entropy entropy;

static void on_event(void *ctx, const struct confab_event *ev)
{
	struct person *p = ctx;
	struct seen *s;

	assert_true(p->n < EVENTS_MAX);
	s = &p->seen[p->n++];
	*s = (struct seen){
		.type = ev->type, .active = ev->active, .at = p->wire->now, .sent = ev->sent};
	(void)view_copy(view_str(ev->peer), s->peer, sizeof(s->peer));
	(void)view_copy(view_str(ev->id), s->id, sizeof(s->id));
	if (p->leaves && ev->type == CONFAB_TYPING && !ev->active)
		assert_int_equal(client_leave(&p->client, ev->conversation, false, p->wire->now),
				 0);
}

static void person_init(struct person *p, int i, const char *aor, const char *peer, bool conference)
{
	static const char *const uri[] = {"msrp://192.0.2.1:7777/ann;tcp",
					  "msrp://192.0.2.2:8888/bo;tcp"};
	static const uint64_t key[2] = {1, 2};
	struct msrp_session_config sc = {
		.local_uri = view_str(uri[i]), .remote_path = view_str(uri[!i]), .active = i == 0};
	struct leg *leg;

	*p = (struct person){.wire = &wire};
	p->client = (struct client){.timers = &wire.timers, .entropy = &entropy};
	p->client.aor = view_dup(view_str(aor));
	p->client.display = view_dup(VIEW(""));
	p->client.world = (struct client_world){.event = on_event, .ctx = p};
	p->client.cfg.notices = true;
	p->client.cfg.drain_ms = 5000;
	p->client.cfg.max_conversations = 4;
	hash_init(&p->client.ids, 0, key);
	list_init(&p->client.conversations);
	reap_init(&p->client);
	p->chat = conversation_new(&p->client, view_str(peer));
	leg = leg_new(p->chat, conference);
	p->chat->current = leg;
	p->chat->told_open = true;
	leg->peer = view_dup(view_str(peer));
	leg->cpim = leg->typing = leg->imdn = leg->private_messages = true;
	leg->state = LEG_OPENING;
	assert_int_equal(msrp_session_new(wire_agent(&wire, i, i ? 8888 : 7777, NULL), &sc,
					  &conversation_messages, leg, wire.now, &leg->msrp),
			 0);
}

static int setup(void **state)
{
	(void)state;
	wire_init(&wire, 7);
	entropy = (struct entropy){.fill = wire_fill, .ctx = &wire};
	person_init(&bo, 1, BO, ANN, false);
	person_init(&ann, 0, ANN, BO, false);
	wire_run(&wire);
	assert_int_equal(ann.chat->current->state, LEG_OPEN);
	assert_int_equal(bo.chat->current->state, LEG_OPEN);
	ann.n = bo.n = 0;
	return 0;
}

static int teardown(void **state)
{
	struct person *all[] = {&ann, &bo};

	(void)state;
	for (int i = 0; i < 2; i++) {
		all[i]->client.world.event = NULL;
		if (!list_empty(&all[i]->client.conversations))
			conversation_end(all[i]->chat, 0, "", wire.now);
		reap_now(&all[i]->client);
		hash_fini(&all[i]->client.ids);
		free(all[i]->client.aor);
		free(all[i]->client.display);
	}
	wire_fini(&wire);
	return 0;
}

static size_t count(const struct person *p, enum confab_event_type type, const struct seen **last)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->seen[i].type == type) {
			n++;
			if (last)
				*last = &p->seen[i];
		}
	return n;
}

/* How often this stands in what ann wrote. */
static size_t written(const char *word)
{
	struct buf *log = &wire.link[0].side[0].log;
	struct view v = buf_view(log), w = view_str(word);
	size_t n = 0;

	for (size_t at = view_find_view(v, w, 0); at < v.n; at = view_find_view(v, w, at + 1))
		n++;
	return n;
}

static void typing(bool active)
{
	assert_int_equal(client_typing(&ann.client, ann.chat->id, active, wire.now), 0);
	wire_run(&wire);
}

static void test_RFC_3994_3_2__writing_ends_15_s_after_the_last_key(void **state)
{
	uint64_t begin = wire.now;
	const struct seen *s;

	(void)state;
	typing(true);
	for (int i = 0; i < 5; i++) {
		wire_wait(&wire, 10000);
		typing(true);
	}
	assert_int_equal(count(&bo, CONFAB_TYPING, &s), 1);
	assert_true(s->active);
	assert_string_equal(s->peer, ANN);
	wire_wait(&wire, 14900);
	assert_int_equal(count(&bo, CONFAB_TYPING, &s), 1);
	wire_wait(&wire, 200);
	assert_int_equal(count(&bo, CONFAB_TYPING, &s), 2);
	assert_false(s->active);
	assert_true(s->at >= begin + 65000 && s->at < begin + 65200);
	/* One state each: no key stroke is told by itself. */
	assert_int_equal(written("<isComposing"), 2);
}

static void test_RFC_3994_3_3__long_writing_is_refreshed_before_it_runs_out(void **state)
{
	const struct seen *s;

	(void)state;
	for (int i = 0; i < 30; i++) {
		typing(true);
		wire_wait(&wire, 10000);
	}
	/* Five minutes: at the beginning, and every 80 seconds. */
	assert_int_equal(written("<isComposing"), 4);
	assert_int_equal(count(&bo, CONFAB_TYPING, &s), 1);
}

static void test_RFC_3994_3_3__a_state_that_is_not_refreshed_runs_out(void **state)
{
	static const char xml[] = "<isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\">"
				  "<state>active</state></isComposing>";
	uint64_t begin = wire.now;
	const struct seen *s;

	(void)state;
	notice_send(ann.chat->current, NOTICE_TYPING, VIEW(""), VIEW(""), view_str(xml), wire.now);
	wire_wait(&wire, 119000);
	assert_int_equal(count(&bo, CONFAB_TYPING, &s), 1);
	wire_wait(&wire, 2000);
	assert_int_equal(count(&bo, CONFAB_TYPING, &s), 2);
	assert_false(s->active);
	assert_true(s->at >= begin + 120000);
}

static void test_RFC_3994_3_2__a_message_ends_writing_without_another_state(void **state)
{
	const struct seen *s;

	(void)state;
	typing(true);
	assert_int_equal(client_send(&ann.client, ann.chat->id, VIEW("done"), NULL, wire.now), 0);
	wire_run(&wire);
	assert_int_equal(count(&bo, CONFAB_TYPING, &s), 2);
	assert_false(s->active);
	assert_int_equal(count(&bo, CONFAB_MESSAGE, NULL), 1);
	wire_wait(&wire, 200000);
	assert_int_equal(written("<isComposing"), 1);
	/* A new word begins a new state. */
	typing(true);
	assert_int_equal(written("<isComposing"), 2);
}

static void test_RFC_5438__delivered_at_once_displayed_when_it_was_seen_and_once(void **state)
{
	char id[CONFAB_ID_SIZE];
	const struct seen *s;

	(void)state;
	assert_int_equal(client_send(&ann.client, ann.chat->id, VIEW("hello"), id, wire.now), 0);
	wire_run(&wire);
	assert_int_equal(count(&ann, CONFAB_DELIVERED_TO, &s), 1);
	assert_string_equal(s->id, id);
	assert_string_equal(s->peer, BO);
	assert_int_equal(count(&ann, CONFAB_DISPLAYED_BY, NULL), 0);
	assert_int_equal(bo.chat->n_wanted, 1);
	assert_int_equal(client_displayed(&bo.client, bo.chat->id, VIEW("another"), wire.now), 0);
	assert_int_equal(bo.chat->n_wanted, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(client_displayed(&bo.client, bo.chat->id, view_str(id), wire.now),
				 0);
		wire_run(&wire);
	}
	assert_int_equal(count(&ann, CONFAB_DISPLAYED_BY, &s), 1);
	assert_string_equal(s->id, id);
	/* A disposition is nobody's message, and asks for none itself. */
	assert_int_equal(count(&ann, CONFAB_MESSAGE, NULL), 0);
	assert_int_equal(count(&bo, CONFAB_DELIVERED_TO, NULL), 0);
	for (size_t i = 0; i < bo.n; i++)
		assert_int_not_equal(bo.seen[i].type, CONFAB_SENT);
}

static void test_RFC_5438__what_waits_to_be_displayed_has_a_cap(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++) {
		assert_int_equal(client_send(&ann.client, ann.chat->id, VIEW("x"), NULL, wire.now),
				 0);
		wire_run(&wire);
		ann.n = bo.n = 0;
	}
	assert_int_equal(bo.chat->n_wanted, 256);
}

static void test_415_ends_a_kind_of_notice_for_the_session(void **state)
{
	struct leg *leg = ann.chat->current;

	(void)state;
	assert_false(notice_state(leg, VIEW("abcdefghijklmnopqrstuvwxyz"), MSRP_MSG_FAILED, 415));
	assert_true(notice_state(leg, VIEW("t.1"), MSRP_MSG_FAILED, 408));
	assert_true(leg->typing && leg->imdn);
	assert_true(notice_state(leg, VIEW("t.1"), MSRP_MSG_FAILED, 415));
	assert_true(!leg->typing && leg->imdn);
	assert_true(notice_state(leg, VIEW("d.1"), MSRP_MSG_FAILED, 415));
	assert_false(leg->imdn);
	typing(true);
	assert_int_equal(written("<isComposing"), 0);
	assert_int_equal(client_send(&ann.client, ann.chat->id, VIEW("x"), NULL, wire.now), 0);
	wire_run(&wire);
	assert_int_equal(written("imdn."), 0);
	assert_int_equal(count(&bo, CONFAB_MESSAGE, NULL), 1);
}

/* In a conference a report is about one of several: the others still take it. */
static void test_415_of_one_receiver_in_a_conference_is_his_alone(void **state)
{
	struct leg *leg = ann.chat->current;

	(void)state;
	leg->conference = true;
	assert_true(notice_state(leg, VIEW("t.1"), MSRP_MSG_ACCEPTED, 200));
	assert_true(notice_state(leg, VIEW("t.1"), MSRP_MSG_FAILED, 415));
	assert_true(leg->typing);
	assert_true(notice_state(leg, VIEW("t.2"), MSRP_MSG_FAILED, 415));
	assert_false(leg->typing);
}

static void test_what_a_session_description_says_of_notices(void **state)
{
	static const struct {
		const char *types, *wrapped, *chatroom;
		bool cpim, typing, imdn, private_messages, nicknames;
	} table[] = {
		{"message/cpim", "", "", true, true, true, false, false},
		{"message/CPIM text/*", "*", "private-messages", true, true, true, true, false},
		{"message/cpim", "text/plain", "nickname", true, false, false, false, true},
		{"message/cpim message/imdn+xml", "text/*", "", true, false, true, false, false},
		{"text/plain", "", "nicknames", false, false, false, false, false},
		{"text/plain application/im-iscomposing+xml", "*", "", false, true, false, false,
		 false},
		{"*", "*", "Nickname x.y private-messages", true, true, true, true, true},
	};
	struct leg *leg = ann.chat->current;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sdp_msrp peer = {.accept_types = view_str(table[i].types),
					.accept_wrapped_types = view_str(table[i].wrapped),
					.chatroom = view_str(table[i].chatroom)};

		notice_learn(leg, &peer);
		assert_int_equal(leg->cpim, table[i].cpim);
		assert_int_equal(leg->typing, table[i].typing);
		assert_int_equal(leg->imdn, table[i].imdn);
		assert_int_equal(leg->private_messages, table[i].private_messages);
		assert_int_equal(leg->nicknames, table[i].nicknames);
	}
}

/* The application answers an event by leaving: what told it goes on safely. */
static void test_leaving_while_being_told(void **state)
{
	(void)state;
	typing(true);
	bo.leaves = true;
	assert_int_equal(client_send(&ann.client, ann.chat->id, VIEW("done"), NULL, wire.now), 0);
	wire_run(&wire);
	assert_int_equal(count(&bo, CONFAB_ENDED, NULL), 1);
	assert_int_equal(count(&bo, CONFAB_MESSAGE, NULL), 0);
	assert_true(list_empty(&bo.client.conversations));
}

static void test_SW_1__a_private_message_never_widens(void **state)
{
	struct leg *leg = ann.chat->current;
	const struct seen *s;

	(void)state;
	assert_int_equal(
		client_send_to(&ann.client, ann.chat->id, VIEW(BO), VIEW("psst"), NULL, wire.now),
		E_STATE);
	leg->conference = true;
	leg->private_messages = false;
	assert_int_equal(
		client_send_to(&ann.client, ann.chat->id, VIEW(BO), VIEW("psst"), NULL, wire.now),
		E_UNSUPPORTED);
	/* Written for a conference, and left over when it turned out to be a chat of two. */
	leg->private_messages = true;
	leg->state = LEG_OPENING;
	assert_int_equal(
		client_send_to(&ann.client, ann.chat->id, VIEW(BO), VIEW("psst"), NULL, wire.now),
		0);
	leg->state = LEG_OPEN;
	leg->conference = false;
	conversation_flush(ann.chat, wire.now);
	wire_run(&wire);
	assert_int_equal(count(&ann, CONFAB_SENT, &s), 1);
	assert_int_equal(s->sent, CONFAB_SENT_FAILED);
	assert_int_equal(written("psst"), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_RFC_3994_3_2__writing_ends_15_s_after_the_last_key),
		T(test_RFC_3994_3_3__long_writing_is_refreshed_before_it_runs_out),
		T(test_RFC_3994_3_3__a_state_that_is_not_refreshed_runs_out),
		T(test_RFC_3994_3_2__a_message_ends_writing_without_another_state),
		T(test_RFC_5438__delivered_at_once_displayed_when_it_was_seen_and_once),
		T(test_RFC_5438__what_waits_to_be_displayed_has_a_cap),
		T(test_415_ends_a_kind_of_notice_for_the_session),
		T(test_415_of_one_receiver_in_a_conference_is_his_alone),
		T(test_what_a_session_description_says_of_notices),
		T(test_leaving_while_being_told),
		T(test_SW_1__a_private_message_never_widens),
	};

	return cmocka_run_group_tests_name("client_notices", tests, NULL, NULL);
}
