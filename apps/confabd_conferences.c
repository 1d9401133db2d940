/*
 * Conferences over a restart: what the focus wants kept goes into the store, many changes in one
 * transaction (server/controlling/keep.c says when), and is put back at start.
 */
#include "confabd.h"

#include "base/error.h"

static int begin(void *ctx)
{
	return store_begin(((struct confabd *)ctx)->store);
}

static int put(void *ctx, struct view user, struct view record, bool ended)
{
	struct confabd *d = ctx;
	struct store_conference c = {.user = user,
				     .record = record,
				     .saved_unix_ms = confabd_wall_ms(d, io_now_ms(&d->loop)),
				     .ended = ended};

	return store_conference_put(d->store, &c);
}

static int drop(void *ctx, struct view user)
{
	return store_conference_del(((struct confabd *)ctx)->store, user);
}

static int clear(void *ctx)
{
	return store_conference_clear(((struct confabd *)ctx)->store);
}

static int commit(void *ctx)
{
	return store_commit(((struct confabd *)ctx)->store);
}

static void rollback(void *ctx)
{
	store_rollback(((struct confabd *)ctx)->store);
}

struct reading {
	struct confabd *d;
	uint64_t now_ms, wall_ms;
	size_t n;
};

static int put_back(void *ctx, const struct store_conference *c)
{
	struct reading *r = ctx;
	/* Where the wall clock was set back meanwhile, no time has passed. */
	uint64_t elapsed_ms = r->wall_ms > c->saved_unix_ms ? r->wall_ms - c->saved_unix_ms : 0;
	int rc = controlling_restore(r->d->controlling, c->user, c->record, c->ended, elapsed_ms,
				     r->now_ms);

	if (rc)
		log_line(&r->d->log.log, LOG_WARN, "confabd", "%.*s of before is left out: %s",
			 VIEW_ARG(c->user), error_text(rc));
	else
		r->n += !c->ended;
	return 0;
}

int confabd_conferences_open(struct confabd *d)
{
	const struct conference_keeper keeper = {.begin = begin,
						 .put = put,
						 .drop = drop,
						 .clear = clear,
						 .commit = commit,
						 .rollback = rollback,
						 .ctx = d};
	uint64_t now_ms = io_now_ms(&d->loop);
	struct reading r = {.d = d, .now_ms = now_ms, .wall_ms = confabd_wall_ms(d, now_ms)};
	int rc;

	if (!d->store)
		return 0;
	if (!d->cfg.conference.comeback_ms) {
		/* Those of a time when they were kept would be stale when they are kept again. */
		(void)store_conference_clear(d->store);
		return 0;
	}
	rc = store_conference_list(d->store, put_back, &r);
	if (rc == 0 && r.n)
		log_line(&d->log.log, LOG_INFO, "confabd", "%zu conferences of before", r.n);
	controlling_set_keeper(d->controlling, &keeper);
	return rc;
}

void confabd_conferences_close(struct confabd *d)
{
	if (d->controlling)
		controlling_keep_now(d->controlling, io_now_ms(&d->loop));
}
