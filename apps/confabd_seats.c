/* The switch as the focus sees it: seats are asked of a thread, and its answers come back as events
 * on the SIP loop. */
#include "confabd.h"

#include "base/error.h"
#include "io/tls.h"

#include <stdlib.h>

enum { SEATS_MAX = 1024 };

/* Conference ids are handed out one by one: they spread over the threads by themselves, and every
 * later call finds the same thread again without a table. */
static unsigned shard_of(const struct confabd *d, uint64_t conference)
{
	return (unsigned)(conference % switch_threads_count(d->switch_threads));
}

static int seats_open(void *ctx, uint64_t request, uint64_t conference, struct view uri,
		      const struct seat_offer *seat, size_t n)
{
	struct confabd *d = ctx;
	struct switch_seat_config *list;

	if (n > SEATS_MAX)
		return E_LIMIT;
	list = calloc(n, sizeof(*list));
	if (!list)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++)
		list[i] = (struct switch_seat_config){.seat = seat[i].seat,
						      .uri = seat[i].uri,
						      .display = seat[i].display,
						      .tls = seat[i].tls,
						      .held = seat[i].held};
	switch_threads_seats_open(d->switch_threads, shard_of(d, conference), request, conference,
				  uri, list, n);
	free(list);
	return 0;
}

static void seat_answer(void *ctx, uint64_t conference, uint64_t seat, const struct seat_answer *a)
{
	struct confabd *d = ctx;
	struct switch_seat_answer answer = {.remote_path = a->remote_path,
					    .accept_types = a->accept_types,
					    .accept_wrapped_types = a->accept_wrapped_types,
					    .max_size = a->max_size,
					    .fingerprint = a->fingerprint,
					    .connect = a->connect,
					    .takes_private = a->takes_private};

	switch_threads_seat_answer(d->switch_threads, shard_of(d, conference), seat, &answer);
}

static void seat_close(void *ctx, uint64_t conference, uint64_t seat, bool drain)
{
	struct confabd *d = ctx;

	switch_threads_seat_close(d->switch_threads, shard_of(d, conference), seat, drain);
}

static void conference_drain(void *ctx, uint64_t conference)
{
	struct confabd *d = ctx;

	switch_threads_conference_drain(d->switch_threads, shard_of(d, conference), conference,
					true);
}

static void conference_over(void *ctx, uint64_t conference)
{
	struct confabd *d = ctx;

	switch_threads_conference_close(d->switch_threads, shard_of(d, conference), conference);
}

static void fingerprint(void *ctx, char *dst)
{
	struct confabd *d = ctx;

	io_tls_fingerprint(d->msrp_tls, dst);
}

void confabd_seats_broker(struct confabd *d, struct seat_broker *broker)
{
	*broker = (struct seat_broker){.open = seats_open,
				       .answer = seat_answer,
				       .close = seat_close,
				       .drain = conference_drain,
				       .end = conference_over,
				       .fingerprint = d->msrp_tls ? fingerprint : NULL,
				       .ctx = d};
}

static void seats_ready(struct confabd *d, const struct switch_event *ev, uint64_t now_ms)
{
	uint64_t *seat = calloc(ev->n_seats + 1, sizeof(*seat));
	struct view *path = calloc(ev->n_seats + 1, sizeof(*path));

	for (size_t i = 0; seat && path && i < ev->n_seats; i++) {
		seat[i] = ev->seat_ready[i].seat;
		path[i] = view_str(ev->seat_ready[i].path);
	}
	if (seat && path)
		controlling_seats_ready(d->controlling, ev->request, ev->conference, seat, path,
					ev->n_seats, now_ms);
	else
		controlling_seats_failed(d->controlling, ev->request, ev->conference, E_NOMEM,
					 now_ms);
	free(seat);
	free(path);
}

static void on_event(void *ctx, unsigned shard, const struct switch_event *ev)
{
	struct confabd *d = ctx;
	uint64_t now_ms = io_now_ms(&d->loop);

	(void)shard;
	if (confabd_relays_event(d, ev, now_ms))
		return;
	switch (ev->type) {
	case SWITCH_EV_SEATS_READY:
		seats_ready(d, ev, now_ms);
		break;
	case SWITCH_EV_SEATS_FAILED:
		controlling_seats_failed(d->controlling, ev->request, ev->conference, ev->error,
					 now_ms);
		break;
	case SWITCH_EV_SEAT_LOST:
		controlling_seat_lost(d->controlling, ev->conference, ev->seat, now_ms);
		break;
	case SWITCH_EV_SEAT_NAMED:
		controlling_seat_named(d->controlling, ev->conference, ev->seat, ev->nickname,
				       now_ms);
		break;
	case SWITCH_EV_DRAINED:
		controlling_drained(d->controlling, ev->conference, now_ms);
		break;
	case SWITCH_EV_SEAT_BOUND:
	case SWITCH_EV_SEAT_DOWN:
		break;
	}
}

uint32_t confabd_drain_ms(const struct confabd *d)
{
	return (uint32_t)d->cfg.msrp.drain_ms + SWITCH_DRAIN_FLUSH_MS;
}

int confabd_seats_start(struct confabd *d)
{
	struct switch_threads_config cfg = {
		.n_threads = d->cfg.msrp.threads,
		.listen = d->cfg.msrp.listen,
		.max_per_source = d->cfg.msrp.max_connections_per_address,
		.loop = &d->loop,
		.event = on_event,
		.ctx = d,
		.trace = d->trace ? confabd_trace_msrp : NULL,
		.trace_ctx = d,
		.trace_bodies = d->cfg.trace.bodies,
		.shard = {.seat_backlog = d->cfg.msrp.seat_backlog,
			  .chunk_whole_max = d->cfg.msrp.chunk_whole_max,
			  .max_message = d->cfg.msrp.max_message,
			  .max_chunks = d->cfg.msrp.max_chunks,
			  .unclaimed_bytes = d->cfg.msrp.unclaimed_bytes,
			  .response_timeout_ms = 30000,
			  .rebind_grace_ms = d->cfg.msrp.rebind_grace_ms,
			  .bind_timeout_ms = 30000,
			  .drain_ms = d->cfg.msrp.drain_ms,
			  .max_conns = d->cfg.msrp.max_connections,
			  .max_conferences =
				  (size_t)d->cfg.conference.max + d->cfg.msrp.max_connections,
			  .max_seats =
				  (size_t)d->cfg.conference.max * d->cfg.conference.max_members +
				  2 * (size_t)d->cfg.msrp.max_connections,
			  /* The focus counts people. One who comes back has two seats for a while.
			   */
			  .max_members = 2 * (size_t)d->cfg.conference.max_members,
			  .private_messages = d->cfg.msrp.private_messages,
			  .nicknames = d->cfg.msrp.nicknames,
			  .wrap_plain = d->cfg.msrp.wrap_plain,
			  .unix_ms_at_zero = io_wall_ms() - io_now_fresh_ms(&d->loop)},
	};

	cfg.listen.port = (uint16_t)d->cfg.msrp.port;
	cfg.tls = d->msrp_tls;
	cfg.tls_port = (uint16_t)d->cfg.msrp.tls_port;
	cfg.tls_unverified = !d->cfg.msrp.tls_verify;
	if (d->cfg.sip.advertise.family == cfg.listen.family && addr_is_any(&cfg.listen))
		cfg.shard.advertise = d->cfg.sip.advertise;
	return switch_threads_start(&cfg, &d->log.log, &d->switch_threads);
}
