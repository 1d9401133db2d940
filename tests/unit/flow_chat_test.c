/* Chats of two and of many from their start to their end: FL-1, FL-5, FL-7, and refusals
 * (IC-8.3.1). */
#include "flow_phone.h"

static bool everybody_else(const struct said *s, const struct person *r)
{
	(void)s;
	(void)r;
	return true;
}

static struct flow_world *started(uint64_t seed)
{
	struct flow_world *w = world_new(seed);

	world_start(w);
	return w;
}

static void say_much(struct flow_world *w, unsigned each)
{
	for (unsigned i = 0; i < each; i++) {
		for (size_t k = 0; k < w->n_people; k++)
			person_write(w->person[k], world_random(w, 8) ? 0 : 9000);
		world_run(w, world_random(w, 40));
	}
	world_run(w, 3000);
}

/* --- two --- */

static void test_FL_1__two_chat_through_the_proxy(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct flow_world *w = started(seed);
		struct person *ann = person_there(w, "ann", "ann"),
			      *bo = person_there(w, "bo", "bo");

		if (seed % 4 == 0)
			w->net.window = 2500;
		chat_open(ann, bo);
		say_much(w, 20);
		world_judge(w, everybody_else, NOBODY_TOLD);
		assert_int_equal(person_count(bo, CONFAB_MESSAGE), 20);
		assert_int_equal(person_count(ann, CONFAB_MESSAGE), 20);
		for (size_t i = 0; i < w->n_said; i++)
			assert_true(w->said[i].delivered);
		/* The server sees no word of it: MSRP runs straight between the two. */
		assert_non_null(net_find(&w->net, "ann>bo"));
		assert_null(net_find(&w->net, "ann>switch"));
		client_leave(seed & 1 ? ann->client : bo->client, 1, false, w->net.now);
		assert_true(person_wait(bo, CONFAB_ENDED, 1, 10000));
		assert_true(person_wait(ann, CONFAB_ENDED, 1, 10000));
		assert_null(net_find(&w->net, "ann>bo"));
		world_end(w);
	}
}

static void test_IC_7_1_5_6__what_is_under_way_when_one_leaves(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct flow_world *w = started(seed);
		struct person *ann = person_there(w, "ann", "ann"),
			      *bo = person_there(w, "bo", "bo");

		chat_open(ann, bo);
		for (int i = 0; i < 10; i++) {
			person_write(ann, 4000);
			person_write(bo, 0);
		}
		world_run(w, seed * 2);
		client_leave(ann->client, 1, false, w->net.now);
		world_run(w, 20000);
		/* Delivered, or its writer was told. */
		world_judge(w, everybody_else, SEEN_OR_TOLD);
		assert_int_equal(person_count(ann, CONFAB_ENDED), 1);
		assert_int_equal(person_count(bo, CONFAB_ENDED), 1);
		world_end(w);
	}
}

static void test_FL_1__datagrams_are_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct flow_world *w = started(seed);
		struct person *p[2] = {person_new(w, "ann", "ann"), person_new(w, "bo", "bo")};

		w->net.lose_percent = 20;
		for (int i = 0; i < 2; i++) {
			p[i]->cfg.auto_accept = true;
			p[i]->cfg.server.transport = SIP_UDP;
			person_start(p[i]);
		}
		assert_true(person_wait(p[0], CONFAB_REGISTERED, 1, 300000));
		assert_true(person_wait(p[1], CONFAB_REGISTERED, 1, 300000));
		chat_open(p[0], p[1]);
		say_much(w, 5);
		world_judge(w, everybody_else, NOBODY_TOLD);
		client_leave(p[0]->client, 1, false, w->net.now);
		assert_true(person_wait(p[1], CONFAB_ENDED, 1, 60000));
		/* One chat, however often an INVITE or a 200 came. */
		assert_int_equal(person_count(p[1], CONFAB_INVITED), 1);
		w->net.lose_percent = 0;
		world_end(w);
	}
}

/* --- refusals --- */

struct pair {
	struct flow_world *w;
	struct person *ann, *bo;
};

/* Bo is asked. */
static struct pair ringing(uint64_t seed)
{
	struct pair p = {.w = started(seed)};
	const char *uri = "sip:bo@example.com";

	p.ann = person_there(p.w, "ann", "ann");
	p.bo = person_new(p.w, "bo", "bo");
	p.bo->cfg.max_conversations = 1;
	person_start(p.bo);
	assert_true(person_wait(p.bo, CONFAB_REGISTERED, 1, 5000));
	person_call(p.ann, &uri, 1);
	assert_true(person_wait(p.ann, CONFAB_RINGING, 1, 5000));
	assert_int_equal(person_count(p.bo, CONFAB_INVITED), 1);
	assert_string_equal(person_last(p.bo, CONFAB_INVITED)->peer, "sip:ann@example.com");
	return p;
}

static void ended_with(struct person *p, int status)
{
	assert_true(person_wait(p, CONFAB_ENDED, 1, 250000));
	assert_int_equal(person_last(p, CONFAB_ENDED)->status, status);
}

static void test_IC_8_3_1_1__declined(void **state)
{
	static const int status[] = {603, 486, 480};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct pair p = ringing(i);

		person_write(p.ann, 0);
		assert_int_equal(client_decline(p.bo->client, 1, status[i], p.w->net.now), 0);
		ended_with(p.ann, status[i]);
		ended_with(p.bo, status[i]);
		/* What waited for the chat to open is told as never sent. */
		assert_true(p.w->said[0].failed);
		world_end(p.w);
	}
}

static void test_IC_8_3_1_1__busy_at_the_limit(void **state)
{
	struct pair p = ringing(4);
	struct person *charles = person_there(p.w, "charles", "charles");
	const char *uri = "sip:bo@example.com";

	(void)state;
	person_call(charles, &uri, 1);
	ended_with(charles, 486);
	assert_int_equal(client_accept(p.bo->client, 1, p.w->net.now), 0);
	assert_true(person_wait(p.ann, CONFAB_OPEN, 1, 5000));
	world_end(p.w);
}

static void test_IC_8_3_1_1__accepted_late(void **state)
{
	struct pair p = ringing(5);

	(void)state;
	person_write(p.ann, 0);
	world_run(p.w, 60000);
	assert_int_equal(client_accept(p.bo->client, 1, p.w->net.now), 0);
	assert_int_equal(client_accept(p.bo->client, 1, p.w->net.now), E_STATE);
	assert_true(person_wait(p.bo, CONFAB_MESSAGE, 1, 5000));
	world_run(p.w, 1000);
	world_judge(p.w, everybody_else, NOBODY_TOLD);
	world_end(p.w);
}

static void test_FL_1__cancelled_at_any_moment(void **state)
{
	(void)state;
	for (uint64_t ms = 0; ms < 120; ms += 3) {
		struct flow_world *w = started(ms + 1);
		struct person *ann = person_there(w, "ann", "ann"), *bo = person_new(w, "bo", "bo");
		const char *uri = "sip:bo@example.com";

		bo->cfg.auto_accept = ms & 1;
		person_start(bo);
		assert_true(person_wait(bo, CONFAB_REGISTERED, 1, 5000));
		person_call(ann, &uri, 1);
		world_run(w, ms);
		client_leave(ann->client, 1, false, w->net.now);
		world_run(w, 40000);
		/* The 200 may have crossed the CANCEL: then a BYE went after it. */
		assert_int_equal(person_count(ann, CONFAB_ENDED), 1);
		assert_int_equal(person_count(bo, CONFAB_ENDED), person_count(bo, CONFAB_INVITED));
		world_end(w);
	}
}

static void test_FL_1__nobody_answers(void **state)
{
	struct pair p = ringing(7);

	(void)state;
	/* Timer C of the proxy: a CANCEL, and its answer. */
	ended_with(p.ann, 487);
	ended_with(p.bo, 487);
	assert_string_equal(person_last(p.bo, CONFAB_ENDED)->text, "cancelled");
	world_end(p.w);
}

static void test_IC_8_3_1_1__who_is_left_while_he_asks_is_told(void **state)
{
	struct pair p = ringing(8);

	(void)state;
	client_leave(p.bo->client, 1, false, p.w->net.now);
	ended_with(p.ann, 480);
	assert_int_equal(person_count(p.bo, CONFAB_ENDED), 1);
	world_end(p.w);
}

static void test_FL_8__unknown_and_absent_people(void **state)
{
	struct flow_world *w = started(9);
	struct person *ann = person_there(w, "ann", "ann");
	const char *nobody = "sip:nobody@example.com", *absent = "sip:zoe@example.com";

	(void)state;
	person_call(ann, &nobody, 1);
	ended_with(ann, 404);
	person_call(ann, &absent, 1);
	assert_true(person_wait(ann, CONFAB_ENDED, 2, 5000));
	assert_int_equal(person_last(ann, CONFAB_ENDED)->status, 480);
	world_end(w);
}

#define IM "Accept-Contact: *;+g.oma.sip-im;require;explicit\n"

static void test_IC_8_3_1_1__what_cannot_be_accepted(void **state)
{
	struct flow_world *w = started(10);
	struct person *bo = person_there(w, "bo", "bo");
	struct phone *eve = phone_new(w, "eve", "eve");
	const char *audio =
		"v=0\r\no=- 1 1 IN IP4 192.0.2.99\r\ns=-\r\nc=IN IP4 192.0.2.99\r\nt=0 0\r\n"
		"m=audio 7777 RTP/AVP 0\r\n";

	(void)state;
	assert_int_equal(phone_invite(eve, bo->uri, "", "application/sdp", sdp_offer()), 403);
	assert_int_equal(phone_invite(eve, bo->uri, IM, "application/sdp", audio), 488);
	assert_int_equal(phone_invite(eve, bo->uri, IM, "text/plain", "hello"), 415);
	assert_string_equal(field_of(eve->response, "Accept"), "application/sdp, multipart/mixed");
	assert_int_equal(phone_invite(eve, bo->uri, IM "Require: teleport\n", "application/sdp",
				      sdp_offer()),
			 420);
	assert_string_equal(field_of(eve->response, "Unsupported"), "teleport");
	assert_int_equal(phone_invite(eve, bo->uri, IM, "application/sdp", "v=1"), 400);
	assert_int_equal(person_count(bo, CONFAB_INVITED), 0);
	/* IC-8.3.1-2: nobody may take over what he does not know. */
	assert_int_equal(phone_invite(eve, bo->uri, IM "Replaces: x;to-tag=1;from-tag=2\n",
				      "application/sdp", sdp_offer()),
			 481);
	assert_int_equal(
		phone_invite(eve, bo->uri,
			     IM
			     "Replaces: x;to-tag=1;from-tag=2\nReplaces: y;to-tag=1;from-tag=2\n",
			     "application/sdp", sdp_offer()),
		400);
	assert_int_equal(person_count(bo, CONFAB_INVITED), 0);
	/* And one that can. */
	assert_int_equal(phone_invite(eve, bo->uri, IM, "application/sdp", sdp_offer()), 200);
	assert_int_equal(person_count(bo, CONFAB_INVITED), 1);
	phone_bye(eve, "");
	world_run(w, 60000);
	phone_free(eve);
	world_end(w);
}

/* --- many --- */

static void group(struct flow_world *w, struct person **p, size_t n)
{
	static const char *const name[] = {"ann", "bo", "charles", "dora", "emil"};
	const char *uri[4];

	for (size_t i = 0; i < n; i++) {
		p[i] = person_there(w, name[i], name[i]);
		if (i)
			uri[i - 1] = p[i]->uri;
	}
	person_call(p[0], uri, n - 1);
	for (size_t i = 0; i < n; i++)
		assert_true(person_wait(p[i], CONFAB_OPEN, 1, 10000));
}

static void test_FL_5__a_group_from_the_start(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct flow_world *w = started(seed);
		struct person *p[5];

		if (seed % 3 == 0)
			w->net.window = 3000;
		group(w, p, 5);
		say_much(w, 8);
		world_judge(w, everybody_else, NOBODY_TOLD);
		for (int i = 0; i < 5; i++) {
			assert_int_equal(person_count(p[i], CONFAB_MESSAGE), 32);
			assert_true(person_last(p[i], CONFAB_MESSAGE)->to_all);
			assert_int_equal(client_who(p[i]->client, 1, w->net.now), 0);
			assert_true(person_wait(p[i], CONFAB_ROSTER, 1, 5000));
			assert_int_equal(person_last(p[i], CONFAB_ROSTER)->n_participants, 5);
		}
		world_end(w);
	}
}

static bool is_there(const struct said *s, const struct person *r)
{
	return !person_last(r, CONFAB_ENDED) ||
	       person_last(r, CONFAB_ENDED)->at > s->by->event[0].at + 100000;
}

static void test_FL_7__one_leaves_the_rest_go_on(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct flow_world *w = started(seed);
		struct person *p[4];
		bool anonymous = seed & 1;

		group(w, p, 4);
		world_run(w, 1000);
		say_much(w, 3);
		assert_int_equal(client_leave(p[3]->client, 1, anonymous, w->net.now), 0);
		assert_true(person_wait(p[3], CONFAB_ENDED, 1, 10000));
		/* The creator leaves too: by the usual policy that ends nothing. */
		assert_int_equal(client_leave(p[0]->client, 1, false, w->net.now), 0);
		assert_true(person_wait(p[0], CONFAB_ENDED, 1, 10000));
		world_run(w, 2000);
		if (anonymous)
			assert_string_not_equal(person_last(p[1], CONFAB_LEFT)->peer,
						"sip:dora@example.com");
		assert_string_equal(person_last(p[1], CONFAB_LEFT)->text, "departed");
		for (int i = 0; i < 5; i++) {
			person_write(p[1], 0);
			person_write(p[2], 0);
			world_run(w, 20);
		}
		world_run(w, 3000);
		world_judge(w, is_there, NOBODY_TOLD);
		assert_int_equal(person_count(p[1], CONFAB_MESSAGE), 9 + 5);
		assert_int_equal(person_count(p[2], CONFAB_MESSAGE), 9 + 5);
		assert_int_equal(person_count(p[0], CONFAB_MESSAGE), 9);
		client_leave(p[1]->client, 1, false, w->net.now);
		client_leave(p[2]->client, 1, false, w->net.now);
		world_run(w, 10000);
		assert_int_equal(controlling_conference_count(w->server.controlling), 0);
		world_end(w);
	}
}

/* RFC 4028: refreshed while it is wanted, a chat of two by UPDATE and a conference by re-INVITE. */
static void test_IC_8_3_1__sessions_last_for_hours(void **state)
{
	const char *both[2] = {"sip:bo@example.com", "sip:charles@example.com"};

	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct flow_world *w = started(seed);
		struct person *p[3] = {person_there(w, "ann", "ann"), person_there(w, "bo", "bo"),
				       person_there(w, "charles", "charles")};

		if (seed & 1)
			chat_open(p[0], p[1]);
		else
			person_call(p[0], both, 2);
		world_run(w, 3 * 3600 * 1000u);
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(person_count(p[i], CONFAB_ENDED), 0);
		person_write(p[0], 0);
		world_run(w, 1000);
		assert_int_equal(person_count(p[1], CONFAB_MESSAGE), 1);
		world_end(w);
	}
}

/* Ann's machine is gone without a word: the other side of each session finds out. */
static void test_IC_8_3_1__who_vanishes_is_missed(void **state)
{
	struct flow_world *w = started(1);
	struct person *ann = person_there(w, "ann", "ann"), *bo = person_there(w, "bo", "bo");
	struct net_conn *c;

	(void)state;
	chat_open(ann, bo);
	/* Her ACK, too, has come. */
	world_run(w, 1000);
	/* Nothing that she sends arrives any more, and no connection of hers ends. */
	for (size_t i = 0; i < w->n_timers; i++)
		if (w->timers[i] == &ann->timers)
			w->timers[i] = w->timers[--w->n_timers];
	net_listener_at(&w->net, &ann->sip)->swallow = 1000;
	net_listener_at(&w->net, &ann->msrp)->swallow = 1000;
	for (c = w->net.conns; c; c = c->next)
		for (int side = 0; side < 2; side++)
			if (strstr(c->label, "ann"))
				net_pause(&c->end[side], true);
	world_run(w, 1700 * 1000);
	assert_int_equal(person_count(bo, CONFAB_ENDED), 0);
	assert_true(person_wait(bo, CONFAB_ENDED, 1, 200000));
	assert_int_equal(person_last(bo, CONFAB_ENDED)->status, 408);
	assert_string_equal(person_last(bo, CONFAB_ENDED)->text, "the session was not refreshed");
	world_free(w);
}

static void test_FL_5__datagrams_are_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		static const char *const name[] = {"ann", "bo", "charles"};
		const char *uri[2] = {"sip:bo@example.com", "sip:charles@example.com"};
		struct flow_world *w = started(seed);
		struct person *p[3];

		w->net.lose_percent = 20;
		for (int i = 0; i < 3; i++) {
			p[i] = person_new(w, name[i], name[i]);
			p[i]->cfg.auto_accept = true;
			p[i]->cfg.server.transport = SIP_UDP;
			person_start(p[i]);
			assert_true(person_wait(p[i], CONFAB_REGISTERED, 1, 300000));
		}
		person_call(p[0], uri, 2);
		for (int i = 0; i < 3; i++)
			assert_true(person_wait(p[i], CONFAB_OPEN, 1, 30000));
		say_much(w, 5);
		world_judge(w, everybody_else, NOBODY_TOLD);
		w->net.lose_percent = 0;
		world_end(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_FL_1__two_chat_through_the_proxy),
		cmocka_unit_test(test_IC_7_1_5_6__what_is_under_way_when_one_leaves),
		cmocka_unit_test(test_FL_1__datagrams_are_lost),
		cmocka_unit_test(test_IC_8_3_1_1__declined),
		cmocka_unit_test(test_IC_8_3_1_1__busy_at_the_limit),
		cmocka_unit_test(test_IC_8_3_1_1__accepted_late),
		cmocka_unit_test(test_FL_1__cancelled_at_any_moment),
		cmocka_unit_test(test_FL_1__nobody_answers),
		cmocka_unit_test(test_IC_8_3_1_1__who_is_left_while_he_asks_is_told),
		cmocka_unit_test(test_FL_8__unknown_and_absent_people),
		cmocka_unit_test(test_IC_8_3_1_1__what_cannot_be_accepted),
		cmocka_unit_test(test_FL_5__a_group_from_the_start),
		cmocka_unit_test(test_FL_7__one_leaves_the_rest_go_on),
		cmocka_unit_test(test_IC_8_3_1__sessions_last_for_hours),
		cmocka_unit_test(test_IC_8_3_1__who_vanishes_is_missed),
		cmocka_unit_test(test_FL_5__datagrams_are_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
