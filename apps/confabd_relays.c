/* The relays of the switch as the B2BUA sees them. */
#include "confabd.h"

#include "base/error.h"
#include "io/tls.h"

/* Conference ids stay below; seats of relays have it, too. */
#define RELAY_BIT ((uint64_t)1 << 63)

static unsigned shard_of(const struct confabd *d, uint64_t relay)
{
	return (unsigned)((relay & ~RELAY_BIT) % switch_threads_count(d->switch_threads));
}

static switch_seat_id seat_of(uint64_t relay, enum b2bua_side side)
{
	return RELAY_BIT | relay << 1 | (side == B2BUA_FAR);
}

static int relay_open(void *ctx, uint64_t relay, const bool tls[2])
{
	struct confabd *d = ctx;
	struct switch_seat_config seat[2];

	for (int i = 0; i < 2; i++)
		seat[i] = (struct switch_seat_config){.seat = seat_of(relay, (enum b2bua_side)i),
						      .uri = VIEW(""),
						      .display = VIEW(""),
						      .tls = tls[i]};

	switch_threads_relay_open(d->switch_threads, shard_of(d, relay), relay, seat);
	return 0;
}

static void relay_answer(void *ctx, uint64_t relay, enum b2bua_side side,
			 const struct relay_end *end)
{
	struct confabd *d = ctx;
	struct switch_seat_answer answer = {.remote_path = end->remote_path,
					    .accept_types = end->accept_types,
					    .accept_wrapped_types = end->accept_wrapped_types,
					    .fingerprint = end->fingerprint,
					    .connect = end->connect,
					    .end_to_end = end->focus};

	switch_threads_seat_answer(d->switch_threads, shard_of(d, relay), seat_of(relay, side),
				   &answer);
}

static void relay_drain(void *ctx, uint64_t relay, bool refuse)
{
	struct confabd *d = ctx;

	switch_threads_conference_drain(d->switch_threads, shard_of(d, relay), relay, refuse);
}

static void relay_close(void *ctx, uint64_t relay)
{
	struct confabd *d = ctx;

	switch_threads_relay_close(d->switch_threads, shard_of(d, relay), relay);
}

static void fingerprint(void *ctx, char *dst)
{
	struct confabd *d = ctx;

	io_tls_fingerprint(d->msrp_tls, dst);
}

void confabd_relays_broker(struct confabd *d, struct relay_broker *broker)
{
	*broker = (struct relay_broker){.open = relay_open,
					.answer = relay_answer,
					.drain = relay_drain,
					.close = relay_close,
					.fingerprint = d->msrp_tls ? fingerprint : NULL,
					.ctx = d};
}

bool confabd_relays_event(struct confabd *d, const struct switch_event *ev, uint64_t now_ms)
{
	if (!(ev->conference & RELAY_BIT))
		return false;
	switch (ev->type) {
	case SWITCH_EV_SEATS_READY:
		b2bua_relay_ready(d->b2bua, ev->conference, view_str(ev->seat_ready[0].path),
				  view_str(ev->seat_ready[1].path), now_ms);
		break;
	case SWITCH_EV_SEATS_FAILED:
		b2bua_relay_failed(d->b2bua, ev->conference, now_ms);
		break;
	case SWITCH_EV_SEAT_LOST:
		log_line(&d->log.log, LOG_INFO, "confabd",
			 "a relayed session lost a connection: %s", error_text(ev->error));
		/* One that was there and went may still come back; its session timer says when not.
		 */
		if (ev->error != E_CLOSED)
			b2bua_relay_lost(d->b2bua, ev->conference, now_ms);
		break;
	case SWITCH_EV_DRAINED:
		b2bua_relay_drained(d->b2bua, ev->conference, now_ms);
		break;
	case SWITCH_EV_SEAT_BOUND:
	case SWITCH_EV_SEAT_DOWN:
	case SWITCH_EV_SEAT_NAMED:
		break;
	}
	return true;
}
