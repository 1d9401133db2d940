/* FL-8 and FL-10: upgrades that are refused, that go another way, or that meet another one.
 * Whatever happens, the running chat is not lost, and Ann is told. */
#include "flow_move.h"

#include "body/sdp.h"
#include "client/state.h"

/* Who has to see what: what was for Bo alone, Bo; for all, those of this mask (bit: index of the
 * person). */
static unsigned audience;

static bool by_audience(const struct said *s, const struct person *r)
{
	size_t i = 0;

	while (r->w->person[i] != r)
		i++;
	/* The chat of two was Ann's and Bo's. */
	return s->to_all ? audience & 1u << i : i < 2;
}

enum { ANN = 1, BO = 2, CHARLES = 4, DORA = 8 };

static void prepare(struct move_run *r, uint64_t seed)
{
	*r = (struct move_run){.each = 20, .spread_ms = 500, .large = 10};
	move_open(r, seed);
	/* So that a phone's place can be taken (flow_wires.c). */
	r->w->net.whole_percent = 100;
}

static void judge(struct move_run *r, unsigned whole_audience, enum judging how)
{
	audience = whole_audience;
	world_judge(r->w, by_audience, how);
	for (size_t i = 0; i < r->w->n_said; i++)
		if (!r->w->said[i].to_all)
			assert_int_equal(r->w->said[i].seen[2], 0);
}

/* Both still have their chat of two, under these numbers, and it works. */
static void judge_chat_of_two(struct move_run *r, uint32_t anns, uint32_t bos)
{
	size_t ann = person_count(r->ann, CONFAB_MESSAGE), bo = person_count(r->bo, CONFAB_MESSAGE);

	r->ann->chat = anns;
	r->bo->chat = bos;
	person_write(r->ann, 0);
	person_write(r->bo, 0);
	world_run(r->w, 1000);
	assert_int_equal(person_count(r->ann, CONFAB_MESSAGE), ann + 1);
	assert_int_equal(person_count(r->bo, CONFAB_MESSAGE), bo + 1);
	assert_int_equal(person_last(r->ann, CONFAB_MESSAGE)->conversation, anns);
	assert_int_equal(person_last(r->bo, CONFAB_MESSAGE)->conversation, bos);
}

/* --- Ann is refused --- */

static void judge_refused(struct move_run *r, int status)
{
	move_settle(r);
	assert_int_equal(person_count(r->ann, CONFAB_MOVE_FAILED), 1);
	assert_int_equal(person_last(r->ann, CONFAB_MOVE_FAILED)->status, status);
	assert_int_equal(person_count(r->bo, CONFAB_MOVING), 0);
	/* What she wrote for all meanwhile reached the one who is left of them. */
	judge(r, ANN | BO, ALL_SEEN);
	judge_chat_of_two(r, 1, 1);
	assert_int_equal(controlling_conference_count(r->w->server.controlling), 0);
	assert_int_equal(r->w->server.ended, r->w->server.opened);
	world_end(r->w);
}

static void test_FL_8_and_CF_X_1__no_seats_leave_the_chat_as_it_was(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct move_run r = {.each = 20, .spread_ms = 500, .max_seats = 2};

		move_open(&r, seed);
		move_write(&r, true);
		judge_refused(&r, 503);
	}
}

static void test_FL_8_and_CF_X_1__a_silent_switch_leaves_the_chat_as_it_was(void **state)
{
	struct move_run r;

	(void)state;
	prepare(&r, 1);
	r.w->server.switch_mute = true;
	move_write(&r, true);
	assert_true(person_wait(r.ann, CONFAB_MOVE_FAILED, 1, 10000));
	r.w->server.switch_mute = false;
	judge_refused(&r, 503);
}

static void test_FL_8_and_move_6__a_seat_that_cannot_be_reached(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct move_run r;

		prepare(&r, seed);
		net_listener_at(&r.w->net, &r.w->server.msrp)->refuse = 1000;
		move_write(&r, true);
		move_settle(&r);
		assert_int_equal(person_count(r.ann, CONFAB_MOVE_FAILED), 1);
		assert_int_equal(person_count(r.ann, CONFAB_ENDED), 0);
		assert_int_equal(person_count(r.bo, CONFAB_ENDED), 0);
		assert_int_equal(person_count(r.charles, CONFAB_MESSAGE), 0);
		judge(&r, ANN | BO, ALL_SEEN);
		judge_chat_of_two(&r, 1, 1);
		world_end(r.w);
	}
}

/* --- Bo does not come along --- */

static void bo_answers(int status, uint64_t seed)
{
	struct move_run r;
	const struct happened *split;

	prepare(&r, seed);
	r.bo->to_replaces = status;
	move_write(&r, true);
	assert_true(person_wait(r.ann, CONFAB_SPLIT, 1, 300000));
	move_settle(&r);
	split = person_last(r.ann, CONFAB_SPLIT);
	assert_string_equal(split->text, status == 486 ? "busy" : "failed");
	assert_string_equal(split->peer, "sip:bo@example.com");
	/* The conference goes on without him. */
	assert_int_equal(person_count(r.ann, CONFAB_MOVED), 1);
	judge(&r, ANN | CHARLES, ALL_SEEN);
	for (size_t i = 0; i < r.w->n_said; i++)
		assert_false(r.w->said[i].to_all && r.w->said[i].seen[1]);
	person_write(r.ann, 0);
	world_run(r.w, 1000);
	judge(&r, ANN | CHARLES, ALL_SEEN);
	judge_chat_of_two(&r, split->other, 1);
	world_end(r.w);
}

static void test_FL_8_and_move_6__bo_declines(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++)
		bo_answers(603, seed);
}

static void test_FL_8_and_move_6__bo_is_busy(void **state)
{
	(void)state;
	bo_answers(486, 3);
}

static void test_FL_8_and_move_6__bo_cannot_be_reached(void **state)
{
	(void)state;
	bo_answers(480, 4);
	bo_answers(481, 5);
	bo_answers(500, 6);
}

static void test_FL_8_and_move_6__bo_never_answers(void **state)
{
	(void)state;
	bo_answers(-1, 5);
}

static void test_FL_8_and_move_6__bo_knows_no_replaces(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct move_run r;
		uint32_t second;

		prepare(&r, seed);
		r.bo->to_replaces = 420;
		move_write(&r, true);
		assert_true(person_wait(r.ann, CONFAB_SPLIT, 1, 30000));
		move_settle(&r);
		/* He has two chats now; the old one is Ann's until one of them ends it. */
		assert_int_equal(r.bo->replaces_seen, 1);
		assert_int_equal(person_count(r.bo, CONFAB_MOVING), 0);
		assert_int_equal(person_count(r.bo, CONFAB_OPEN), 2);
		judge(&r, ANN | BO | CHARLES, NOBODY_TOLD);
		second = person_last(r.ann, CONFAB_SPLIT)->other;
		judge_chat_of_two(&r, second, 1);
		client_leave(r.ann->client, second, false, r.w->net.now);
		assert_true(person_wait(r.bo, CONFAB_ENDED, 1, 10000));
		assert_int_equal(person_last(r.bo, CONFAB_ENDED)->conversation, 1);
		r.ann->chat = 1;
		person_write(r.ann, 0);
		world_run(r.w, 1000);
		judge(&r, ANN | BO | CHARLES, NOBODY_TOLD);
		world_end(r.w);
	}
}

static void test_FL_8_and_move_6__without_the_fallback_a_420_is_a_refusal(void **state)
{
	struct move_run r = {.each = 10, .spread_ms = 300, .no_fallback = true};

	(void)state;
	move_open(&r, 7);
	r.w->net.whole_percent = 100;
	r.bo->to_replaces = 420;
	move_write(&r, true);
	move_settle(&r);
	assert_int_equal(r.bo->replaces_seen, 1);
	assert_int_equal(person_count(r.bo, CONFAB_OPEN), 1);
	judge(&r, ANN | CHARLES, ALL_SEEN);
	judge_chat_of_two(&r, person_last(r.ann, CONFAB_SPLIT)->other, 1);
	world_end(r.w);
}

/* --- Charles does not come --- */

static void charles_is(const char *uri, bool shut)
{
	struct move_run r;

	prepare(&r, 11);
	if (shut) {
		client_shutdown(r.charles->client, r.w->net.now);
		world_run(r.w, 1000);
	}
	r.add = uri;
	move_write(&r, true);
	move_settle(&r);
	assert_int_equal(person_count(r.ann, CONFAB_MOVED), 1);
	assert_int_equal(person_count(r.bo, CONFAB_MOVED), 1);
	assert_string_equal(person_last(r.ann, CONFAB_LEFT)->peer, uri);
	assert_string_equal(person_last(r.ann, CONFAB_LEFT)->text, "failed");
	judge(&r, ANN | BO, ALL_SEEN);
	judge_chat_of_two(&r, 1, 1);
	world_end(r.w);
}

static void test_FL_8__charles_is_unknown(void **state)
{
	(void)state;
	charles_is("sip:nobody@example.com", false);
}

static void test_FL_8__charles_is_not_there(void **state)
{
	(void)state;
	charles_is("sip:charles@example.com", true);
}

static void test_FL_8__charles_declines(void **state)
{
	struct move_run r;

	(void)state;
	prepare(&r, 12);
	r.dora = person_new(r.w, "dora", "dora");
	person_start(r.dora);
	assert_true(person_wait(r.dora, CONFAB_REGISTERED, 1, 5000));
	r.add = "sip:dora@example.com";
	move_write(&r, true);
	assert_true(person_wait(r.dora, CONFAB_INVITED, 1, 30000));
	assert_int_equal(client_decline(r.dora->client, 1, 603, r.w->net.now), 0);
	move_settle(&r);
	assert_string_equal(person_last(r.ann, CONFAB_LEFT)->peer, "sip:dora@example.com");
	judge(&r, ANN | BO, ALL_SEEN);
	judge_chat_of_two(&r, 1, 1);
	world_end(r.w);
}

/* Nobody comes, and the conference ends under Ann: she is back in the chat. */
static void test_FL_8_and_move_6__a_conference_that_ends_gives_the_chat_back(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct move_run r = {.each = 10,
				     .spread_ms = 300,
				     .end_policy = CONFERENCE_END_BELOW_TWO,
				     .add = "sip:nobody@example.com"};
		const struct happened *split;

		move_open(&r, seed);
		r.w->net.whole_percent = 100;
		r.bo->to_replaces = 603;
		move_write(&r, true);
		move_settle(&r);
		split = person_last(r.ann, CONFAB_SPLIT);
		/* She was told what became of him, or that all of it failed: whichever word was
		 * quicker. */
		assert_true(split || person_count(r.ann, CONFAB_MOVE_FAILED) == 1);
		assert_int_equal(person_count(r.bo, CONFAB_ENDED), 0);
		assert_int_equal(controlling_conference_count(r.w->server.controlling), 0);
		judge_chat_of_two(&r, split ? split->other : 1, 1);
		world_end(r.w);
	}
}

/* --- other ways --- */

static void test_FL_10__the_phone_without_the_dialog_does_not_ring(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct move_run r;

		prepare(&r, seed);
		r.dora = person_there(r.w, "bo2", "bo");
		move_write(&r, true);
		move_settle(&r);
		assert_int_equal(person_count(r.dora, CONFAB_INVITED), 0);
		assert_int_equal(person_count(r.bo, CONFAB_MOVED), 1);
		judge(&r, ANN | BO | CHARLES, NOBODY_TOLD);
		move_judge(&r, NOBODY_TOLD);
		world_end(r.w);
	}
}

static void reinvite(struct person *p)
{
	struct conversation *v = conversation_find(p->client, p->chat);
	struct leg *leg = v->current;
	char contact[128];
	struct buf sdp;
	struct sdp_local l = {.username = VIEW("-"),
			      .sess_id = 1,
			      .sess_version = 2,
			      .addr = p->msrp,
			      .path = view_str(leg->local_uri),
			      .accept_types = VIEW("message/cpim text/plain"),
			      .setup = leg->active ? SDP_SETUP_ACTIVE : SDP_SETUP_PASSIVE};

	buf_init(&sdp, 4096);
	sdp_write_msrp(&sdp, &l);
	snprintf(contact, sizeof(contact), "<%s>", p->client->contact);
	assert_int_equal(sip_session_reinvite(leg->sip, view_str(contact), VIEW(""),
					      VIEW("application/sdp"), buf_view(&sdp),
					      p->w->net.now),
			 0);
	buf_fini(&sdp);
}

static void test_FL_10__after_a_reinvite(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct move_run r = {.each = 20, .spread_ms = 500, .bo_calls = seed & 1};

		move_open(&r, seed);
		world_run(r.w, 200);
		reinvite(seed & 2 ? r.ann : r.bo);
		world_run(r.w, 200);
		move_write(&r, true);
		move_settle(&r);
		move_judge(&r, NOBODY_TOLD);
		assert_int_equal(person_count(r.bo, CONFAB_MOVED), 1);
		world_end(r.w);
	}
}

/* They see each other's words whatever happens; who called, and after the glare everybody, has
 * Charles too. */
static bool of_the_two(const struct said *s, const struct person *r)
{
	const struct happened *lost = person_last(s->by, CONFAB_MOVE_FAILED);

	if (!strcmp(r->name, "charles"))
		return s->to_all && person_last(r, CONFAB_OPEN) && (!lost || s->at > lost->at);
	return !strcmp(r->name, "ann") || !strcmp(r->name, "bo");
}

/* The conversation that has not ended. */
static uint32_t living_chat(const struct person *p)
{
	uint32_t chat = 1;

	for (size_t i = 0; i < p->n_events; i++)
		if (p->event[i].type == CONFAB_ENDED && p->event[i].conversation == chat)
			chat++;
	return chat;
}

/* All four are in one conference, which is the conversation that Ann and Bo had. */
static void judge_one_of_four(struct move_run *r)
{
	struct person *p[] = {r->ann, r->bo, r->charles, r->dora};
	size_t n[4];

	assert_int_equal(controlling_conference_count(r->w->server.controlling), 1);
	for (size_t i = 0; i < 4; i++)
		n[i] = person_count(p[i], CONFAB_MESSAGE);
	for (size_t i = 0; i < 4; i++) {
		p[i]->chat = living_chat(p[i]);
		person_write(p[i], 0);
	}
	world_run(r->w, 2000);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(person_count(p[i], CONFAB_MESSAGE), n[i] + 3);
		assert_true(person_last(p[i], CONFAB_MESSAGE)->to_all);
	}
	assert_int_equal(person_last(r->ann, CONFAB_MESSAGE)->conversation, 1);
	assert_int_equal(person_last(r->bo, CONFAB_MESSAGE)->conversation, 1);
}

/* True: neither was early enough for the other. */
static bool both_add(struct move_run *r, uint64_t seed)
{
	bool glare;

	struct person *caller, *callee;
	const struct happened *lost;

	move_open(r, seed);
	r->dora = person_there(r->w, "dora", "dora");
	r->bo_adds_dora = true;
	move_write(r, true);
	move_settle(r);
	caller = r->bo_calls ? r->bo : r->ann;
	callee = r->bo_calls ? r->ann : r->bo;
	lost = person_last(callee, CONFAB_MOVE_FAILED);
	glare = lost != NULL;
	/* Who called keeps his conference; who was called is told that he joins it. */
	assert_int_equal(person_count(caller, CONFAB_MOVE_FAILED), 0);
	assert_true(person_count(callee, CONFAB_MOVE_FAILED) <= 1);
	if (lost)
		assert_int_equal(lost->status, 491);
	for (size_t i = 0; i < 2; i++) {
		assert_in_range(person_count(r->w->person[i], CONFAB_MOVED), 1,
				r->w->person[i] == callee && lost ? 2 : 1);
		assert_int_equal(person_count(r->w->person[i], CONFAB_SPLIT), 0);
		assert_int_equal(person_count(r->w->person[i], CONFAB_ENDED), 0);
	}
	if (!r->bo_calls)
		world_judge(r->w, of_the_two, NOBODY_TOLD);
	else
		world_judge(r->w, NULL, NOBODY_TOLD);
	/* What the callee had written for his own conference is not for those whom the other added.
	 */
	for (size_t i = 0; lost && i < r->w->n_said; i++)
		if (r->w->said[i].by == callee && r->w->said[i].at <= lost->at)
			assert_int_equal(r->w->said[i].seen[r->bo_calls ? 3 : 2], 0);
	judge_one_of_four(r);
	world_end(r->w);
	return glare;
}

static void test_FL_10__both_start_an_upgrade_at_the_same_moment(void **state)
{
	unsigned glares = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct move_run r = {
			.each = 20, .spread_ms = 500, .large = 10, .bo_calls = seed & 1};

		/* From the same moment to when Ann's invitation is about to arrive, and beyond. */
		r.bo_adds_later_ms = seed / 2 * 2;
		glares += both_add(&r, seed);
	}
	assert_in_range(glares, 20, 59);
}

/* One's word to the server is late: his invitation comes long after he refused the other's. */
static void test_FL_10__both_upgrade_and_one_is_slow(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct move_run r = {.each = 20, .spread_ms = 500};

		move_open(&r, seed);
		r.dora = person_there(r.w, "dora", "dora");
		r.bo_adds_dora = true;
		r.w->net.slow = seed & 1 ? "ann>sip" : "bo>sip";
		r.w->net.slow_ms = 300;
		move_write(&r, true);
		move_settle(&r);
		assert_int_equal(person_count(r.ann, CONFAB_ENDED), 0);
		assert_int_equal(person_count(r.ann, CONFAB_MOVE_FAILED), 0);
		world_judge(r.w, of_the_two, NOBODY_TOLD);
		judge_one_of_four(&r);
		world_end(r.w);
	}
}

static void accept_late(void *ctx, void *arg)
{
	struct move_run *r = ctx;

	(void)arg;
	assert_int_equal(client_accept(r->bo->client, 1, r->w->net.now), 0);
}

static void asked(struct move_run *r, uint64_t seed, uint32_t invite_timeout_ms)
{
	*r = (struct move_run){.each = 20,
			       .spread_ms = 500,
			       .ask_bo = true,
			       .large = 10,
			       .invite_timeout_ms = invite_timeout_ms};
	move_open(r, seed);
	move_write(r, true);
	assert_true(person_wait(r->bo, CONFAB_INVITED, 2, 10000));
	assert_true(person_last(r->bo, CONFAB_INVITED)->conference);
	assert_string_equal(person_last(r->bo, CONFAB_INVITED)->peer, "sip:ann@example.com");
}

static void test_FL_10__charles_picks_up_before_bo(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct move_run r;

		asked(&r, seed, 300);
		assert_true(person_wait(r.charles, CONFAB_OPEN, 1, 5000));
		net_later(&r.w->net, 2000, accept_late, &r, NULL, NULL);
		world_run(r.w, 3000);
		move_settle(&r);
		assert_int_equal(person_count(r.bo, CONFAB_MOVED), 1);
		move_judge(&r, NOBODY_TOLD);
		world_end(r.w);
	}
}

static void test_FL_10__bo_is_asked_and_accepts(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct move_run r;

		asked(&r, seed, 20000);
		person_write(r.bo, 0);
		person_write(r.ann, 0);
		accept_late(&r, NULL);
		person_write(r.bo, 0);
		move_settle(&r);
		assert_int_equal(person_count(r.bo, CONFAB_MOVED), 1);
		move_judge(&r, NOBODY_TOLD);
		world_end(r.w);
	}
}

static void test_FL_8__bo_is_asked_and_declines(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct move_run r;

		asked(&r, seed, 20000);
		assert_int_equal(client_decline(r.bo->client, 1, 603, r.w->net.now), 0);
		move_settle(&r);
		judge(&r, ANN | CHARLES, ALL_SEEN);
		assert_int_equal(person_count(r.bo, CONFAB_MOVING), 0);
		judge_chat_of_two(&r, person_last(r.ann, CONFAB_SPLIT)->other, 1);
		world_end(r.w);
	}
}

/* The invitation goes while Bo is still thinking about it. */
static void test_FL_8__bo_is_asked_and_it_is_too_late(void **state)
{
	struct view bo = VIEW("sip:bo@example.com");
	struct move_run r;

	(void)state;
	asked(&r, 3, 20000);
	assert_true(person_wait(r.ann, CONFAB_MOVED, 1, 10000));
	assert_int_equal(client_kick(r.ann->client, 1, &bo, 1, r.w->net.now), 0);
	assert_true(person_wait(r.bo, CONFAB_MOVE_FAILED, 1, 60000));
	assert_int_equal(person_last(r.bo, CONFAB_MOVE_FAILED)->status, 487);
	assert_string_equal(person_last(r.bo, CONFAB_MOVE_FAILED)->text, "cancelled");
	assert_int_not_equal(client_accept(r.bo->client, 1, r.w->net.now), 0);
	world_end(r.w);
}

/* A phone that ends the old session before its new seat is open. */
static void bye_at_once(void *ctx, void *arg)
{
	struct person *p = ctx;
	struct conversation *v = conversation_find(p->client, 1);

	(void)arg;
	if (!v || !v->old || v->old->dialog_over)
		return;
	sip_session_end(v->old->sip, VIEW(""), p->w->net.now);
	leg_drain(v->old, true, p->w->net.now);
}

static void on_moving(struct person *p, const struct happened *h)
{
	if (h->type == CONFAB_MOVING)
		net_later(&p->w->net, 0, bye_at_once, p, NULL, NULL);
}

static void test_FL_10__a_foreign_bo_who_says_bye_at_once(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct move_run r;

		prepare(&r, seed);
		r.bo->on_event = on_moving;
		move_write(&r, true);
		move_settle(&r);
		assert_int_equal(person_count(r.bo, CONFAB_MOVED), 1);
		/* What he himself threw away he is told of; Ann's last words on the old session
		 * arrive. */
		for (size_t i = 0; i < r.w->n_said; i++)
			assert_true(r.w->said[i].by == r.bo ||
				    (!r.w->said[i].failed && !r.w->said[i].unconfirmed));
		move_judge(&r, SEEN_OR_TOLD);
		world_end(r.w);
	}
}

/* Ann's client knows no gate and holds nothing back: Bo's gate keeps the order of what he writes,
 * his hold that of what she writes.
 */
static void show_at_once(void *ctx, void *arg)
{
	struct person *p = ctx;
	struct conversation *v = conversation_find(p->client, 1);

	(void)arg;
	if (!v)
		return;
	conversation_release(v);
	net_later(&p->w->net, 1, show_at_once, p, NULL, NULL);
}

static void without_guards(struct person *p, const struct happened *h)
{
	if (h->type != CONFAB_MOVING)
		return;
	conversation_find(p->client, h->conversation)->gate_over = true;
	show_at_once(p, NULL);
}

static void test_FL_2_and_move_3__either_guard_keeps_the_order(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct move_run r = {.each = 24, .spread_ms = 500};

		move_open(&r, seed);
		r.w->net.slow = "ann>bo";
		r.w->net.slow_ms = 600;
		r.ann->on_event = without_guards;
		move_write(&r, true);
		move_settle(&r);
		move_judge(&r, NOBODY_TOLD);
		world_end(r.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_FL_8_and_CF_X_1__no_seats_leave_the_chat_as_it_was),
		cmocka_unit_test(test_FL_8_and_CF_X_1__a_silent_switch_leaves_the_chat_as_it_was),
		cmocka_unit_test(test_FL_8_and_move_6__a_seat_that_cannot_be_reached),
		cmocka_unit_test(test_FL_8_and_move_6__bo_declines),
		cmocka_unit_test(test_FL_8_and_move_6__bo_is_busy),
		cmocka_unit_test(test_FL_8_and_move_6__bo_cannot_be_reached),
		cmocka_unit_test(test_FL_8_and_move_6__bo_never_answers),
		cmocka_unit_test(test_FL_8_and_move_6__bo_knows_no_replaces),
		cmocka_unit_test(test_FL_8_and_move_6__without_the_fallback_a_420_is_a_refusal),
		cmocka_unit_test(test_FL_8__charles_is_unknown),
		cmocka_unit_test(test_FL_8__charles_is_not_there),
		cmocka_unit_test(test_FL_8__charles_declines),
		cmocka_unit_test(test_FL_8_and_move_6__a_conference_that_ends_gives_the_chat_back),
		cmocka_unit_test(test_FL_10__the_phone_without_the_dialog_does_not_ring),
		cmocka_unit_test(test_FL_2_and_move_3__either_guard_keeps_the_order),
		cmocka_unit_test(test_FL_10__after_a_reinvite),
		cmocka_unit_test(test_FL_10__both_start_an_upgrade_at_the_same_moment),
		cmocka_unit_test(test_FL_10__both_upgrade_and_one_is_slow),
		cmocka_unit_test(test_FL_10__charles_picks_up_before_bo),
		cmocka_unit_test(test_FL_10__bo_is_asked_and_accepts),
		cmocka_unit_test(test_FL_8__bo_is_asked_and_declines),
		cmocka_unit_test(test_FL_8__bo_is_asked_and_it_is_too_late),
		cmocka_unit_test(test_FL_10__a_foreign_bo_who_says_bye_at_once),
	};

	cmocka_set_test_filter(getenv("FLOW_TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
