/*
 * Registrations over a restart: each is in the store before its REGISTER is answered, and is put
 * back at start; in IMS mode, what the core's third-party REGISTERs say. While the store cannot be
 * written to (a full disk) the server goes on from memory, and writes them all as soon as it can.
 */
#include "confabd.h"

#include "base/error.h"
#include "server/core/location.h"

enum { RETRY_MS = 2000 };

/* The store outlives the process, so it counts by the wall clock. */
static struct store_binding to_store(const struct confabd *d, struct view aor,
				     const struct binding_values *b)
{
	return (struct store_binding){.aor = aor,
				      .contact = b->contact,
				      .params = b->params,
				      .path = b->path,
				      .call_id = b->call_id,
				      .remote = b->flow.remote,
				      .transport = (uint32_t)b->flow.transport,
				      .cseq = b->cseq,
				      .q = b->q,
				      .expires_unix_ms = confabd_wall_ms(d, b->expires_at_ms)};
}

void confabd_bindings_behind(struct confabd *d, uint64_t now_ms)
{
	log_line(&d->log.log, LOG_ERROR, "confabd",
		 "registrations cannot be kept: %s: a restart would lose the newest; trying again",
		 store_error(d->store));
	d->bindings.behind = true;
	timer_arm(&d->timers, &d->bindings.retry, now_ms + RETRY_MS);
}

struct writing {
	struct confabd *d;
	int rc;
};

static void write_one(void *ctx, struct view aor, const struct binding_values *b)
{
	struct writing *w = ctx;
	struct store_binding s = to_store(w->d, aor, b);

	if (w->rc == 0)
		w->rc = store_binding_put(w->d->store, &s);
}

static void write_served(void *ctx, struct view aor, uint64_t expires_at_ms)
{
	struct writing *w = ctx;

	if (w->rc == 0)
		w->rc = store_served_put(w->d->store, aor, confabd_wall_ms(w->d, expires_at_ms));
}

static void write_all(void *ctx, uint64_t now_ms)
{
	struct confabd *d = ctx;
	struct writing w = {.d = d};

	w.rc = store_begin(d->store);
	if (w.rc == 0) {
		w.rc = store_binding_purge(d->store, UINT64_MAX);
		core_each_binding(d->core, write_one, &w);
		if (w.rc == 0)
			w.rc = store_served_purge(d->store, UINT64_MAX);
		core_each_served(d->core, write_served, &w);
		if (w.rc == 0)
			w.rc = store_commit(d->store);
		else
			store_rollback(d->store);
	}
	d->bindings.behind = w.rc != 0;
	if (w.rc)
		timer_arm(&d->timers, &d->bindings.retry, now_ms + RETRY_MS);
	else
		log_line(&d->log.log, LOG_INFO, "confabd", "registrations are kept again");
}

void confabd_on_binding(void *ctx, struct view aor, const struct binding_values *b, uint64_t now_ms)
{
	struct confabd *d = ctx;
	struct store_binding s;
	int rc;

	if (!d->store || d->bindings.behind)
		return;
	if (b->expires_at_ms) {
		s = to_store(d, aor, b);
		rc = store_binding_put(d->store, &s);
	} else {
		rc = store_binding_del(d->store, aor, b->contact);
	}
	if (rc)
		confabd_bindings_behind(d, now_ms);
}

void confabd_on_served(void *ctx, struct view aor, uint64_t expires_at_ms, uint64_t now_ms)
{
	struct confabd *d = ctx;
	int rc;

	if (!d->store || d->bindings.behind)
		return;
	rc = expires_at_ms ? store_served_put(d->store, aor, confabd_wall_ms(d, expires_at_ms))
			   : store_served_del(d->store, aor);
	if (rc)
		confabd_bindings_behind(d, now_ms);
}

struct reading {
	struct confabd *d;
	uint64_t now_ms, wall_ms;
	size_t n;
};

static int put_back(void *ctx, const struct store_binding *s)
{
	struct reading *r = ctx;
	struct binding_values b = {.contact = s->contact,
				   .params = s->params,
				   .path = s->path,
				   .call_id = s->call_id,
				   .cseq = s->cseq,
				   .q = (uint16_t)s->q};

	if (s->expires_unix_ms <= r->wall_ms || s->transport > SIP_TLS)
		return 0;
	b.flow.transport = (enum sip_transport)s->transport;
	b.flow.remote = s->remote;
	b.expires_at_ms = r->now_ms + (s->expires_unix_ms - r->wall_ms);
	if (core_restore_binding(r->d->core, s->aor, &b, r->now_ms) == 0)
		r->n++;
	return 0;
}

static int put_back_served(void *ctx, struct view aor, uint64_t expires_unix_ms)
{
	struct reading *r = ctx;

	if (expires_unix_ms > r->wall_ms &&
	    core_restore_served(r->d->core, aor, r->now_ms + (expires_unix_ms - r->wall_ms),
				r->now_ms) == 0)
		r->n++;
	return 0;
}

int confabd_bindings_open(struct confabd *d)
{
	uint64_t now_ms = io_now_ms(&d->loop);
	struct reading r = {.d = d, .now_ms = now_ms, .wall_ms = confabd_wall_ms(d, now_ms)};
	int rc;

	timer_init(&d->bindings.retry, write_all, d);
	if (!d->store)
		return 0;
	rc = store_binding_list(d->store, put_back, &r);
	if (rc == 0)
		rc = store_served_list(d->store, put_back_served, &r);
	if (rc == 0 && r.n)
		log_line(&d->log.log, LOG_INFO, "confabd", "%zu registrations of before", r.n);
	/* A disk that is full already is no reason not to serve. */
	if (rc == 0 &&
	    (store_binding_purge(d->store, r.wall_ms) || store_served_purge(d->store, r.wall_ms)))
		confabd_bindings_behind(d, r.now_ms);
	return rc;
}

void confabd_bindings_close(struct confabd *d)
{
	/* The start may have failed before. */
	if (d->bindings.retry.fire)
		timer_cancel(&d->timers, &d->bindings.retry);
}
