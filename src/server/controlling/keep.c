/* Conferences over a restart: what has changed is gathered and handed to the keeper in one go, so
 * that no request waits for a disk; and what is handed back. A conference that begins and ends in
 * between is never written. */
#include "server/controlling/focus.h"

#include "base/error.h"

enum {
	BATCH_CONFERENCES = 256,
	BATCH_BYTES = 4 << 20,
	RECORD_MAX = 4 << 20,
	RETRY_MS = 2000,
	COMEBACK_SPREAD_MS = 10000, /* those that nobody comes back to do not all end at once */
};

static const struct log *log_of(const struct controlling *c)
{
	return sip_stack_log(c->stack);
}

static bool keeps(const struct controlling *c)
{
	return c->keep.keeper.begin != NULL;
}

static void arm(struct controlling *c, uint64_t now_ms, uint64_t ms)
{
	if (keeps(c) && !timer_armed(&c->keep.timer))
		timer_arm(sip_stack_timers(c->stack), &c->keep.timer, now_ms + ms);
}

void conference_dirty(struct conference *conf, uint64_t now_ms)
{
	struct controlling *c = conf->ctl;

	if (!keeps(c) || conf->ending || conf->dead)
		return;
	if (list_empty(&conf->dirty))
		list_add_tail(&c->keep.dirty, &conf->dirty);
	arm(c, now_ms, KEEP_BATCH_MS);
}

void conference_dirty_at_once(struct conference *conf, uint64_t now_ms)
{
	struct controlling *c = conf->ctl;

	conference_dirty(conf, now_ms);
	if (!c->keep.behind && timer_armed(&c->keep.timer))
		timer_arm(sip_stack_timers(c->stack), &c->keep.timer, now_ms);
}

/* Takes the place of the oldest one. */
static void remember_ended(struct controlling *c, struct view user, bool kept, bool written)
{
	struct ended_conference *e = &c->ended[c->n_ended++ % CONFERENCES_ENDED_KEPT];
	struct ended_conference old = *e;

	*e = (struct ended_conference){.kept = kept};
	(void)view_copy(user, e->user, sizeof(e->user));
	if (old.kept)
		memcpy(e->drops, old.user, sizeof(e->drops));
	e->unwritten = (kept && !written) || old.kept;
	/* More have ended than were written: of some nobody knows any more what is on the disk. */
	c->keep.anew = c->keep.anew || (old.unwritten && keeps(c));
}

void conference_dirty_end(struct conference *conf, uint64_t now_ms)
{
	struct controlling *c = conf->ctl;

	list_del(&conf->dirty);
	remember_ended(c, view_str(conf->user), conf->kept, false);
	if (conf->kept)
		arm(c, now_ms, KEEP_BATCH_MS);
}

/* --- writing --- */

static bool is_worth_it(const struct conference *conf)
{
	LIST_EACH(l, next, &conf->members)
	if (CONTAINER(l, struct member, link)->was_in)
		return true;
	return false;
}

static int write_ended(struct controlling *c)
{
	const struct conference_keeper *k = &c->keep.keeper;
	int rc = 0;

	for (size_t i = 0; i < CONFERENCES_ENDED_KEPT && rc == 0; i++) {
		const struct ended_conference *e = &c->ended[i];

		if (e->unwritten && e->drops[0] && !c->keep.anew)
			rc = k->drop(k->ctx, view_str(e->drops));
		if (rc == 0 && e->kept && (e->unwritten || c->keep.anew))
			rc = k->put(k->ctx, view_str(e->user), VIEW(""), true);
	}
	return rc;
}

static int write_one(struct conference *conf, struct buf *b, uint64_t now_ms)
{
	const struct conference_keeper *k = &conf->ctl->keep.keeper;

	buf_reset(b);
	if (!is_worth_it(conf))
		return 0;
	record_write(conf, b, now_ms);
	if (!buf_ok(b)) {
		log_line(log_of(conf->ctl), LOG_WARN, "focus", "%s is too large to be kept",
			 conf->uri);
		return 0;
	}
	return k->put(k->ctx, view_str(conf->user), buf_view(b), false);
}

/* *n_out: how many of the dirty ones. */
static int write_dirty(struct controlling *c, size_t *n_out, uint64_t now_ms)
{
	size_t bytes = 0, n = 0;
	struct buf b;
	int rc = 0;

	buf_init(&b, RECORD_MAX);
	LIST_EACH(l, next, &c->keep.dirty)
	{
		bool enough = n >= BATCH_CONFERENCES || bytes >= BATCH_BYTES;

		if (rc || (enough && !c->keep.anew))
			break;
		rc = write_one(CONTAINER(l, struct conference, dirty), &b, now_ms);
		bytes += b.n;
		n++;
	}
	buf_fini(&b);
	*n_out = n;
	return rc;
}

static void written(struct controlling *c, size_t n)
{
	while (n--) {
		struct conference *conf = CONTAINER(c->keep.dirty.next, struct conference, dirty);

		list_del(&conf->dirty);
		conf->kept = conf->kept || is_worth_it(conf);
	}
	for (size_t i = 0; i < CONFERENCES_ENDED_KEPT; i++) {
		c->ended[i].unwritten = false;
		c->ended[i].drops[0] = '\0';
	}
	c->keep.anew = false;
}

static void mark(void *ctx, struct hash_node *node)
{
	struct conference *conf = CONTAINER(node, struct conference, by_id);
	struct controlling *c = ctx;

	if (!conf->ending && !conf->dead && list_empty(&conf->dirty))
		list_add_tail(&c->keep.dirty, &conf->dirty);
}

static int write_all(struct controlling *c, size_t *n, uint64_t now_ms)
{
	const struct conference_keeper *k = &c->keep.keeper;
	int rc = k->begin(k->ctx);

	if (rc)
		return rc;
	if (c->keep.anew) {
		hash_each(&c->by_id, mark, c);
		rc = k->clear(k->ctx);
	}
	if (rc == 0)
		rc = write_ended(c);
	if (rc == 0)
		rc = write_dirty(c, n, now_ms);
	if (rc == 0)
		return k->commit(k->ctx);
	k->rollback(k->ctx);
	return rc;
}

static int flush(struct controlling *c, uint64_t now_ms)
{
	size_t n = 0;
	int rc = write_all(c, &n, now_ms);

	if (rc && !c->keep.behind)
		log_line(log_of(c), LOG_ERROR, "focus",
			 "conferences cannot be kept: %s: a restart would lose the newest; trying "
			 "again",
			 error_text(rc));
	if (rc == 0 && c->keep.behind)
		log_line(log_of(c), LOG_INFO, "focus", "conferences are kept again");
	c->keep.behind = rc != 0;
	if (rc == 0)
		written(c, n);
	return rc;
}

static void on_timer(void *ctx, uint64_t now_ms)
{
	struct controlling *c = ctx;

	if (flush(c, now_ms))
		arm(c, now_ms, RETRY_MS);
	else if (!list_empty(&c->keep.dirty))
		arm(c, now_ms, KEEP_BATCH_MS);
}

void keep_init(struct controlling *c)
{
	list_init(&c->keep.dirty);
	timer_init(&c->keep.timer, on_timer, c);
}

void keep_fini(struct controlling *c)
{
	timer_cancel(sip_stack_timers(c->stack), &c->keep.timer);
	c->keep.keeper = (struct conference_keeper){0};
}

void controlling_set_keeper(struct controlling *c, const struct conference_keeper *keeper)
{
	c->keep.keeper = *keeper;
}

void controlling_keep_now(struct controlling *c, uint64_t now_ms)
{
	if (!keeps(c) || !timer_armed(&c->keep.timer))
		return;
	timer_cancel(sip_stack_timers(c->stack), &c->keep.timer);
	while (flush(c, now_ms) == 0 && !list_empty(&c->keep.dirty))
		;
}

/* --- and back --- */

void conference_await(struct conference *conf, uint64_t now_ms)
{
	struct controlling *c = conf->ctl;

	timer_arm(sip_stack_timers(c->stack), &conf->comeback,
		  now_ms + c->cfg.comeback_ms + c->n_restored++ % COMEBACK_SPREAD_MS);
}

int controlling_restore(struct controlling *c, struct view user, struct view record, bool ended,
			uint64_t elapsed_ms, uint64_t now_ms)
{
	struct conference *conf;
	int rc;

	if (ended) {
		if (user.n >= CONFERENCE_USER_MAX)
			return E_SYNTAX;
		remember_ended(c, user, true, true);
		return 0;
	}
	rc = record_read(c, user, record, elapsed_ms, now_ms, &conf);
	if (rc)
		return rc;
	conf->kept = true;
	/* The switch hears of it with the first one who comes back. */
	conf->seated = true;
	conference_await(conf, now_ms);
	return 0;
}
