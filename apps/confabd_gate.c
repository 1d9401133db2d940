/*
 * Who is let in: while the SIP thread has more to do than time, and once the server is to end, new
 * sessions are refused with 503 and Retry-After, and those that run go on.
 *
 * The end: SIGTERM or SIGINT begins it. Sessions have shutdown.grace to come to their own ends;
 * then what was acknowledged is delivered or reported (msrp.drain_ms), they are ended by BYE with a
 * Reason, and the process ends as soon as these are answered. A second signal ends it at once.
 */
#include "confabd.h"

enum {
	LOOK_MS = 50,	    /* at the end: whether any session is left */
	FAREWELL_MS = 3000, /* how long the answers to BYE are waited for */
	REST_US = 4000,	    /* how long what comes is gathered when all is refused */
};

static size_t sessions(const struct confabd *d)
{
	return controlling_conference_count(d->controlling) + b2bua_open_count(d->b2bua);
}

unsigned confabd_admit(void *ctx, const struct sip_newcomer *n)
{
	struct confabd *d = ctx;
	bool known;

	/* Registrations cost little, and without them nobody is found. */
	if (n->method == SIP_REGISTER || n->method == SIP_OPTIONS)
		return 0;
	if (d->gate.draining)
		return n->method == SIP_INVITE ? d->gate.retry_after_s : 0;
	known = d->gate.overload.shed && n->credentials.n &&
		core_has_challenged(d->core, n->credentials, n->from, io_now_ms(&d->loop));
	return overload_admit(&d->gate.overload, known) ? 0 : OVERLOAD_RETRY_AFTER_S;
}

bool confabd_pressed(void *ctx)
{
	const struct confabd *d = ctx;

	return d->gate.draining || d->gate.overload.shed;
}

static void look_at_load(void *ctx, uint64_t due_ms)
{
	struct confabd *d = ctx;
	/* Not the time that this was due at: after a stop of the process timers catch up. */
	uint64_t now_ms = io_now_ms(&d->loop), idle_ms = io_idle_ms(&d->loop);
	unsigned before = d->gate.overload.shed;
	uint64_t refused = d->gate.overload.refused;

	(void)due_ms;
	if (overload_window(&d->gate.overload, idle_ms - d->gate.idle_ms,
			    now_ms - d->gate.looked_ms))
		log_line(&d->log.log, LOG_WARN, "confabd",
			 "more to do than time: new sessions are refused with 503");
	if (before && !d->gate.overload.shed) {
		log_line(&d->log.log, LOG_WARN, "confabd",
			 "all new sessions are taken again; %llu were refused",
			 (unsigned long long)(refused - d->gate.refused_told));
		d->gate.refused_told = refused;
	}
	/* The more there is to refuse, the more is done at a time. */
	io_loop_rest(&d->loop, d->gate.overload.shed * REST_US / OVERLOAD_ALL);
	d->gate.idle_ms = idle_ms;
	d->gate.looked_ms = now_ms;
	timer_arm(&d->timers, &d->gate.window, now_ms + OVERLOAD_WINDOW_MS);
}

static void look_at_end(void *ctx, uint64_t now_ms)
{
	struct confabd *d = ctx;

	if (sessions(d) && now_ms < d->gate.end_ms) {
		timer_arm(&d->timers, &d->gate.end, now_ms + LOOK_MS);
		return;
	}
	if (!sessions(d) || d->gate.told) {
		log_line(&d->log.log, LOG_INFO, "confabd", "%zu sessions left: stopping",
			 sessions(d));
		io_stop(&d->loop);
		return;
	}
	log_line(&d->log.log, LOG_INFO, "confabd", "%zu sessions are ended", sessions(d));
	d->gate.told = true;
	/* Relays that stand in a row are drained twice. */
	d->gate.end_ms = now_ms + 2 * (uint64_t)confabd_drain_ms(d) + FAREWELL_MS;
	controlling_shut_down(d->controlling, now_ms);
	b2bua_shut_down(d->b2bua, now_ms);
	timer_arm(&d->timers, &d->gate.end, now_ms + LOOK_MS);
}

void confabd_gate_open(struct confabd *d)
{
	overload_init(&d->gate.overload, d->cfg.overload.limit);
	timer_init(&d->gate.window, look_at_load, d);
	timer_init(&d->gate.end, look_at_end, d);
	d->gate.idle_ms = io_idle_ms(&d->loop);
	d->gate.looked_ms = io_now_ms(&d->loop);
	timer_arm(&d->timers, &d->gate.window, d->gate.looked_ms + OVERLOAD_WINDOW_MS);
}

void confabd_gate_drain(struct confabd *d)
{
	uint64_t grace = d->cfg.shutdown.grace_ms, now_ms = io_now_fresh_ms(&d->loop);

	if (d->gate.draining) {
		log_line(&d->log.log, LOG_INFO, "confabd", "once more: stopping at once");
		io_stop(&d->loop);
		return;
	}
	log_line(&d->log.log, LOG_INFO, "confabd",
		 "draining: new sessions get 503, %zu have %llu ms to end", sessions(d),
		 (unsigned long long)grace);
	d->gate.draining = true;
	/* When another server, or this one anew, will be there. */
	d->gate.retry_after_s = (unsigned)((grace + confabd_drain_ms(d) + FAREWELL_MS) / 1000 + 1);
	d->gate.end_ms = now_ms + grace;
	look_at_end(d, now_ms);
}

void confabd_gate_close(struct confabd *d)
{
	/* The start may have failed before. */
	if (!d->gate.window.fire)
		return;
	timer_cancel(&d->timers, &d->gate.window);
	timer_cancel(&d->timers, &d->gate.end);
}
