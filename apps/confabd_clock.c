/*
 * The wall clock is set: by an operator, by NTP after a start with a wrong one, or because the
 * machine slept. What runs here runs by the monotonic clock and does not notice; what is in the
 * store counts by the wall clock, and is moved with it, so that a restart later finds what it would
 * have found.
 */
#include "confabd.h"

enum {
	LOOK_EVERY_MS = 1000,
	JUMP_MS = 1000, /* less is the slow correction of a clock that runs wrong */
};

static int64_t offset(struct confabd *d)
{
	return (int64_t)io_wall_ms() - (int64_t)io_now_fresh_ms(&d->loop);
}

uint64_t confabd_wall_ms(const struct confabd *d, uint64_t now_ms)
{
	return (uint64_t)((int64_t)now_ms + d->clock.offset_ms);
}

static void moved(struct confabd *d, int64_t by_ms, uint64_t now_ms)
{
	log_line(&d->log.log, LOG_WARN, "confabd",
		 "the clock was set by %+.1f s: calls and registrations go on as before",
		 (double)by_ms / 1000);
	if (d->store && store_clock_moved(d->store, by_ms))
		confabd_bindings_behind(d, now_ms);
}

static void look(void *ctx, uint64_t now_ms)
{
	struct confabd *d = ctx;
	int64_t now = offset(d), by_ms = now - d->clock.offset_ms;

	d->clock.offset_ms = now;
	if (by_ms > JUMP_MS || by_ms < -JUMP_MS)
		moved(d, by_ms, now_ms);
	timer_arm(&d->timers, &d->clock.look, now_ms + LOOK_EVERY_MS);
}

void confabd_clock_open(struct confabd *d)
{
	d->clock.offset_ms = offset(d);
	timer_init(&d->clock.look, look, d);
	timer_arm(&d->timers, &d->clock.look, io_now_ms(&d->loop) + LOOK_EVERY_MS);
}

void confabd_clock_close(struct confabd *d)
{
	if (d->clock.look.fire)
		timer_cancel(&d->timers, &d->clock.look);
}
