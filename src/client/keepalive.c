/*
 * Keep-alives towards the server (RFC 5626 §3.5, §4.4): CRLFs on a connection, STUN over UDP. A
 * flow whose pong is missing is given up and registered anew. A server that never answered one is
 * asked once by a REGISTER; if it answers that, it does not know them: it is not held to it, but
 * the NAT on the way is kept awake all the same.
 */
#include "client/state.h"

enum {
	STREAM_S = 110,	   /* §4.4.1: 95 to 120 s */
	DATAGRAM_S = 27,   /* §4.4.2: 24 to 29 s */
	PONG_MS = 10000,   /* §4.4.1 */
	STUN_RTO_MS = 500, /* RFC 5389 §7.2.1, and how often */
	STUN_TRIES = 7,
};

static bool by_udp(const struct client *c)
{
	return c->cfg.server.transport == SIP_UDP;
}

static uint64_t period_ms(const struct client *c)
{
	uint64_t s = by_udp(c) ? DATAGRAM_S : STREAM_S;

	if (c->cfg.keepalive)
		s = c->cfg.keepalive;
	if (c->flow_timer_s && c->flow_timer_s < s)
		s = c->flow_timer_s;
	/* Not all phones of a server at once: 80 to 100 % (§4.4). */
	return s * 800 + entropy_u64(c->entropy) % (s * 200 + 1);
}

static void ping(void *ctx, uint64_t now_ms)
{
	struct client *c = ctx;

	c->pings = 1;
	if (by_udp(c))
		sip_stack_stun_ping(c->stack, &c->cfg.server.remote, false);
	else if (sip_stack_keepalive(c->stack, c->flow_conn))
		return; /* gone; that was told already */
	timer_arm(c->timers, &c->pong_late, now_ms + (by_udp(c) ? STUN_RTO_MS : PONG_MS));
}

static void flow_failed(struct client *c, uint64_t now_ms)
{
	struct confab_event ev = {.type = CONFAB_CONNECTION, .text = "lost"};
	bool was;

	log_line(c->log, LOG_WARN, "client",
		 "the server does not answer a keep-alive: registering anew");
	if (!by_udp(c)) {
		/* registration_conn_down sees to the rest. */
		sip_stack_conn_close(c->stack, c->flow_conn, now_ms);
		return;
	}
	was = c->registered;
	registration_lost(c, now_ms);
	if (was)
		client_emit(c, &ev);
}

static void late(void *ctx, uint64_t now_ms)
{
	struct client *c = ctx;

	if (by_udp(c) && c->pings < STUN_TRIES) {
		sip_stack_stun_ping(c->stack, &c->cfg.server.remote, true);
		timer_arm(c->timers, &c->pong_late, now_ms + ((uint64_t)STUN_RTO_MS << c->pings));
		c->pings++;
		return;
	}
	if (c->pongs) {
		flow_failed(c, now_ms);
		return;
	}
	timer_arm(c->timers, &c->ping, now_ms + period_ms(c));
	/* It knows no keep-alives, or is not there any more: a REGISTER it has to answer. */
	if (!c->flow_probed)
		timer_arm(c->timers, &c->register_again, now_ms);
	c->flow_probed = true;
}

void keepalive_init(struct client *c)
{
	timer_init(&c->ping, ping, c);
	timer_init(&c->pong_late, late, c);
}

void keepalive_start(struct client *c, uint64_t now_ms)
{
	if (!timer_armed(&c->ping) && !timer_armed(&c->pong_late))
		timer_arm(c->timers, &c->ping, now_ms + period_ms(c));
}

void keepalive_stop(struct client *c)
{
	timer_cancel(c->timers, &c->ping);
	timer_cancel(c->timers, &c->pong_late);
	c->pongs = c->flow_probed = false;
	c->mapped = (struct addr){0};
}

void keepalive_pong(struct client *c, const struct sip_flow *from, const struct addr *mapped,
		    uint64_t now_ms)
{
	if (by_udp(c) ? !addr_eq(&from->remote, &c->cfg.server.remote) : from->conn != c->flow_conn)
		return;
	c->pongs = true;
	if (!timer_armed(&c->pong_late))
		return;
	timer_cancel(c->timers, &c->pong_late);
	timer_arm(c->timers, &c->ping, now_ms + period_ms(c));
	/* §4.4.2: the NAT sees us at another place now, where nobody was told to call. */
	if (c->mapped.family && mapped->family && !addr_eq(&c->mapped, mapped))
		timer_arm(c->timers, &c->register_again, now_ms);
	if (mapped->family)
		c->mapped = *mapped;
}
