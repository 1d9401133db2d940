#include "flow_move.h"

static bool cut_here(void *ctx, unsigned long k, struct net_conn *conn, struct view bytes)
{
	struct move_run *r = ctx;

	(void)bytes;
	if (!r->cut_at || r->was_cut || k < r->began + r->cut_at)
		return true;
	if (r->cut_label)
		conn = net_find(&r->w->net, r->cut_label);
	if (!conn)
		return true;
	r->was_cut = true;
	if (r->w->trace)
		printf("%8lu cut of %s\n", (unsigned long)(r->w->net.now - WORLD_BEGAN),
		       conn->label);
	net_cut(conn);
	return true;
}

void move_open(struct move_run *r, uint64_t seed)
{
	r->w = world_new(seed);
	if (r->max_seats)
		r->w->server.switch_cfg.max_seats = r->max_seats;
	if (r->invite_timeout_ms)
		r->w->server.cfg.invite_timeout_ms = r->invite_timeout_ms;
	r->w->server.cfg.end_policy = r->end_policy;
	r->w->server.cfg.replaces_fallback = !r->no_fallback;
	world_start(r->w);
	r->w->net.arriving = cut_here;
	r->w->net.ctx = r;
	r->ann = person_there(r->w, "ann", "ann");
	r->bo = person_new(r->w, "bo", "bo");
	r->bo->cfg.auto_accept = true;
	r->bo->cfg.ask_before_move = r->ask_bo;
	person_start(r->bo);
	assert_true(person_wait(r->bo, CONFAB_REGISTERED, 1, 20000));
	r->charles = person_there(r->w, "charles", "charles");
	if (r->bo_calls)
		chat_open(r->bo, r->ann);
	else
		chat_open(r->ann, r->bo);
}

static void write_one(void *ctx, void *arg)
{
	struct person *p = ctx;
	struct move_run *r = arg;
	bool large = r->large && world_random(p->w, r->large) == 0;

	person_write(p, large ? 3000 + (size_t)world_random(p->w, 30000) : 0);
	r->to_write--;
}

static void add_dora(void *ctx, void *arg)
{
	struct move_run *r = ctx;

	(void)arg;
	if (person_add(r->bo, "sip:dora@example.com") == E_STATE)
		net_later(&r->w->net, 10, add_dora, r, NULL, NULL);
}

static void add_charles(void *ctx, void *arg)
{
	struct move_run *r = ctx;
	int rc = person_add(r->ann, r->add ? r->add : "sip:charles@example.com");

	(void)arg;
	/* Only a confirmed dialog can be named: the ACK may still be under way. */
	if (rc == E_STATE)
		net_later(&r->w->net, 10, add_charles, r, NULL, NULL);
	else
		assert_int_equal(rc, 0);
	if (rc == 0 && r->bo_adds_dora)
		net_later(&r->w->net, r->bo_adds_later_ms, add_dora, r, NULL, NULL);
}

static bool written(void *ctx)
{
	return ((struct move_run *)ctx)->to_write == 0;
}

void move_write(struct move_run *r, bool add)
{
	struct net *n = &r->w->net;

	r->to_write = 2 * r->each;
	for (unsigned i = 0; i < r->each; i++) {
		net_later(n, net_random(n, r->spread_ms), write_one, r->ann, r, NULL);
		net_later(n, net_random(n, r->spread_ms), write_one, r->bo, r, NULL);
	}
	if (add)
		net_later(n, r->spread_ms / 10 + net_random(n, r->spread_ms / 4), add_charles, r,
			  NULL, NULL);
	r->began = n->count;
	assert_true(world_until(r->w, written, r, r->spread_ms + 1));
}

static bool has_last_word(void *ctx)
{
	const struct flow_world *w = ((struct move_run *)ctx)->w;

	for (size_t i = 0; i < w->n_said; i++) {
		const struct said *s = &w->said[i];

		if (!s->failed && !s->unconfirmed && !s->delivered && !(s->accepted && s->to_all))
			return false;
	}
	return true;
}

void move_settle(struct move_run *r)
{
	/* A minute is more than all timers of the move together. */
	(void)world_until(r->w, has_last_word, r, 60000);
	world_run(r->w, 15000);
}

/* What was for Bo alone is his; what is for everybody, whoever is in and stays. */
bool move_due(const struct said *s, const struct person *r)
{
	if (person_last(r, CONFAB_ENDED))
		return false;
	/* Who was told that the move failed knows that it went to the old peer alone. */
	if (!strcmp(r->name, "charles"))
		return s->to_all && person_last(r, CONFAB_OPEN) &&
		       !person_last(s->by, CONFAB_MOVE_FAILED);
	/* Or that the old peer did not come along. */
	return (!strcmp(r->name, "ann") || !strcmp(r->name, "bo")) &&
	       !(s->to_all && person_last(s->by, CONFAB_SPLIT));
}

static void judge_conversation(const struct person *p)
{
	for (size_t i = 0; i < p->n_events; i++)
		if (p->event[i].conversation > 1)
			fail_msg("seed %lu: %s has a second conversation",
				 (unsigned long)p->w->seed, p->name);
}

void move_judge(struct move_run *r, enum judging how)
{
	struct flow_world *w = r->w;

	judge_conversation(r->ann);
	judge_conversation(r->bo);
	judge_conversation(r->charles);
	world_judge(w, move_due, how);
	for (size_t i = 0; i < w->n_said; i++)
		if (!w->said[i].to_all && w->said[i].seen[2])
			fail_msg("seed %lu: Charles saw %s %u, which was for one alone",
				 (unsigned long)w->seed, w->said[i].by->name, w->said[i].number);
}
