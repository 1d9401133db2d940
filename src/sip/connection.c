/* Connections of the stack: their tables, their streams, and what happens when they go. */
#include "sip/tx.h"

#include "base/error.h"

#include <stdlib.h>

enum { ACKS_MAX = 64 /* that wait for one connection */ };

const struct log_kind sip_closed_connections = {LOG_INFO, "sip", "connections that were closed"};

/* Strangers can have this said at will. */
static bool tells_closed(struct sip_stack *s, uint64_t now_ms)
{
	return log_quota_take(&s->closed_told, s->log, &sip_closed_connections, now_ms);
}

static uint64_t addr_hash(const struct sip_stack *s, enum sip_transport t, const struct addr *a)
{
	uint64_t h = hash_more(&s->conn_addr, (uint64_t)t << 16 | a->port,
			       view_of((const char *)a->ip, a->family == 4 ? 4 : 16));

	return h;
}

static struct sip_conn *conn_to(const struct sip_stack *s, enum sip_transport t,
				const struct addr *a)
{
	uint64_t h = addr_hash(s, t, a);
	struct hash_node *n;

	for (n = hash_first(&s->conn_addr, h); n; n = hash_next(n, h)) {
		struct sip_conn *c = CONTAINER(n, struct sip_conn, by_addr);

		if (c->transport == t && addr_eq(&c->remote, a))
			return c;
	}
	return NULL;
}

struct sip_conn *sip_conn_find(const struct sip_stack *s, uint64_t id)
{
	struct hash_node *n;

	if (!id)
		return NULL;
	for (n = hash_first(&s->conn_id, id * 0x9e3779b97f4a7c15u); n;
	     n = hash_next(n, id * 0x9e3779b97f4a7c15u)) {
		struct sip_conn *c = CONTAINER(n, struct sip_conn, by_id);

		if (c->id == id)
			return c;
	}
	return NULL;
}

bool sip_stack_conn_alive(const struct sip_stack *s, uint64_t conn)
{
	return sip_conn_find(s, conn) != NULL;
}

void sip_conn_set_named(struct sip_conn *c)
{
	c->named = true;
}

enum sip_flow_name sip_stack_flow_name(const struct sip_stack *s, const struct sip_flow *flow)
{
	const struct sip_conn *c = sip_conn_find(s, flow->conn);

	if (!c)
		c = conn_to(s, flow->transport, &flow->remote);
	if (!c)
		return SIP_FLOW_NEW;
	return c->named ? SIP_FLOW_NAMED : SIP_FLOW_NAMELESS;
}

uint64_t sip_conn_id(const struct sip_conn *c)
{
	return c->id;
}

/* Whoever is waited for on it, or has been heard or spoken to lately, keeps it. */
static bool is_quiet(struct sip_conn *c, uint64_t now_ms)
{
	uint64_t until = c->used_at_ms + c->stack->cfg.conn_quiet_ms;

	if (now_ms >= until && list_empty(&c->client_txs))
		return true;
	timer_arm(c->stack->timers, &c->idle,
		  now_ms < until ? until : now_ms + c->stack->cfg.conn_quiet_ms);
	return false;
}

static void conn_idle(void *ctx, uint64_t now_ms)
{
	struct sip_conn *c = ctx;

	if (c->proven) {
		if (is_quiet(c, now_ms)) {
			log_line(c->stack->log, LOG_INFO, "sip", "an idle connection: closed");
			sip_conn_close(c, now_ms);
		}
		return;
	}
	if (tells_closed(c->stack, now_ms))
		log_line(c->stack->log, LOG_INFO, "sip",
			 "a connection that did not show in time what it is for: closed");
	sip_conn_close(c, now_ms);
}

static struct sip_conn *conn_new(struct sip_stack *s, enum sip_transport t,
				 const struct addr *remote)
{
	struct sip_conn *c;

	if (s->conn_id.n >= s->cfg.max_conns)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->stack = s;
	c->id = ++s->next_conn;
	c->transport = t;
	c->remote = *remote;
	sip_stream_init(&c->stream, s->cfg.max_message);
	list_init(&c->client_txs);
	list_init(&c->acks);
	timer_init(&c->idle, conn_idle, c);
	if (hash_add(&s->conn_id, &c->by_id, c->id * 0x9e3779b97f4a7c15u)) {
		free(c);
		return NULL;
	}
	if (hash_add(&s->conn_addr, &c->by_addr, addr_hash(s, t, remote))) {
		hash_del(&s->conn_id, &c->by_id);
		free(c);
		return NULL;
	}
	return c;
}

/* An ACK as it goes by UDP where its connection does not come about. */
struct large_ack {
	struct list link;
	struct addr to;
	size_t n;
	char bytes[];
};

static void drop_acks(struct list *acks, struct sip_stack *send_by)
{
	while (!list_empty(acks)) {
		struct large_ack *a = CONTAINER(acks->next, struct large_ack, link);
		struct sip_flow flow = {.transport = SIP_UDP, .remote = a->to};

		list_del(&a->link);
		if (send_by)
			(void)sip_stack_transmit(send_by, &flow, view_of(a->bytes, a->n), 0, NULL);
		free(a);
	}
}

bool sip_conn_keep_ack(struct sip_conn *c, const struct addr *to, struct view bytes)
{
	struct large_ack *a;

	if (c->up)
		return true;
	a = c->n_acks < ACKS_MAX ? malloc(sizeof(*a) + bytes.n) : NULL;
	if (!a)
		return false;
	c->n_acks++;
	a->to = *to;
	a->n = bytes.n;
	memcpy(a->bytes, bytes.p, bytes.n);
	list_add_tail(&c->acks, &a->link);
	return true;
}

static void conn_free(struct sip_conn *c)
{
	struct sip_stack *s = c->stack;

	if (c->dead)
		*c->dead = true;
	drop_acks(&c->acks, NULL);
	timer_cancel(s->timers, &c->idle);
	hash_del(&s->conn_id, &c->by_id);
	hash_del(&s->conn_addr, &c->by_addr);
	sip_stream_fini(&c->stream);
	free(c);
}

struct sip_conn *sip_conn_accept(struct sip_stack *s, void *handle, enum sip_transport t,
				 const struct addr *remote, uint64_t now_ms)
{
	struct sip_conn *c = conn_new(s, t, remote);

	if (!c)
		return NULL;
	c->handle = handle;
	c->up = true;
	timer_arm(s->timers, &c->idle, now_ms + s->cfg.conn_idle_ms);
	return c;
}

void sip_conn_up(struct sip_conn *c, uint64_t now_ms)
{
	c->up = true;
	drop_acks(&c->acks, NULL);
	sip_conn_prove(c, now_ms);
}

void sip_conn_prove(struct sip_conn *c, uint64_t now_ms)
{
	struct sip_stack *s = c->stack;

	c->proven = true;
	c->used_at_ms = now_ms;
	timer_cancel(s->timers, &c->idle);
	if (s->cfg.conn_quiet_ms)
		timer_arm(s->timers, &c->idle, now_ms + s->cfg.conn_quiet_ms);
}

/* The connection is out of the tables before anybody is told, so that a new try opens a new one. */
static void conn_lost(struct sip_conn *c, uint64_t now_ms)
{
	struct sip_stack *s = c->stack;
	uint64_t id = c->id;
	bool was_up = c->up;
	struct list txs;

	list_init(&txs);
	while (!list_empty(&c->client_txs)) {
		struct list *l = c->client_txs.next;

		list_del(l);
		list_add_tail(&txs, l);
	}
	if (!was_up)
		drop_acks(&c->acks, s);
	conn_free(c);
	while (!list_empty(&txs)) {
		struct sip_client_tx *tx = CONTAINER(txs.next, struct sip_client_tx, on_conn);

		list_del(&tx->on_conn);
		sip_client_tx_conn_down(tx, was_up, now_ms);
	}
	if (s->ops.on_conn_down)
		s->ops.on_conn_down(s->ops.ctx, id, now_ms);
}

void sip_conn_down(struct sip_conn *c, uint64_t now_ms)
{
	conn_lost(c, now_ms);
}

void sip_conn_close(struct sip_conn *c, uint64_t now_ms)
{
	struct sip_stack *s = c->stack;

	s->ops.close(s->ops.ctx, c->handle);
	conn_lost(c, now_ms);
}

static void kill(void *ctx, struct hash_node *node)
{
	struct sip_conn *c = CONTAINER(node, struct sip_conn, by_id);
	struct sip_stack *s = ctx;

	s->ops.close(s->ops.ctx, c->handle);
	conn_free(c);
}

void sip_conns_close(struct sip_stack *s)
{
	hash_each(&s->conn_id, kill, s);
}

/* What could be read of it is answered, then the connection goes (and no other). */
static void stream_broken(struct sip_conn *c, int error, struct view head, uint64_t now_ms)
{
	struct sip_stack *s = c->stack;
	struct sip_flow from = {.transport = c->transport, .remote = c->remote, .conn = c->id};

	if (tells_closed(s, now_ms))
		log_line(s->log, LOG_INFO, "sip", "a stream that cannot be framed: closed (%s)",
			 error_text(error));
	/* A head that can be read is broken by what it says of its body. */
	if (head.n && error == E_LIMIT)
		sip_stack_receive(s, head, &from, 413, NULL, now_ms);
	else if (head.n)
		sip_stack_receive(s, head, &from, 400, "Bad Content-Length", now_ms);
	sip_conn_close(c, now_ms);
}

/* Of one who has not shown who he is, only so much is read. */
static bool spends_too_much(struct sip_conn *c, size_t n, uint64_t now_ms)
{
	struct sip_stack *s = c->stack;

	if (c->proven || !s->cfg.unproven_bytes)
		return false;
	if (n <= s->cfg.unproven_bytes - c->unproven_bytes) {
		c->unproven_bytes += n;
		return false;
	}
	if (tells_closed(s, now_ms))
		log_line(s->log, LOG_INFO, "sip",
			 "a connection sent too much before it was known: closed");
	return true;
}

void sip_conn_recv(struct sip_conn *c, struct view bytes, uint64_t now_ms)
{
	struct sip_stack *s = c->stack;
	struct sip_flow from = {.transport = c->transport, .remote = c->remote, .conn = c->id};
	bool dead = false;
	struct view message;
	int rc;

	if (spends_too_much(c, bytes.n, now_ms)) {
		sip_conn_close(c, now_ms);
		return;
	}
	c->dead = &dead;
	c->used_at_ms = now_ms;
	sip_stack_gather_begin(s, c);
	while ((rc = sip_stream_feed(&c->stream, &bytes, &message)) > SIP_STREAM_NEED_MORE) {
		bool crlf = rc == SIP_STREAM_PING || rc == SIP_STREAM_PONG;

		/* The stream cannot tell the second of two pongs from the second half of a ping. */
		if (crlf && c->pinged) {
			struct addr none = {0};

			c->pinged = false;
			if (s->ops.on_pong)
				s->ops.on_pong(s->ops.ctx, &from, &none, now_ms);
			if (dead)
				break;
			continue;
		}
		if (rc == SIP_STREAM_PING)
			s->ops.write(s->ops.ctx, c->handle, VIEW("\r\n"));
		if (rc != SIP_STREAM_MESSAGE)
			continue;
		if (!c->proven && !s->cfg.unproven_bytes)
			sip_conn_prove(c, now_ms);
		sip_stack_receive(s, message, &from, 0, NULL, now_ms);
		sip_stack_settle(s, now_ms);
		if (dead)
			break;
	}
	sip_stack_gather_end(s, dead ? NULL : c);
	if (dead)
		return;
	c->dead = NULL;
	if (rc < 0)
		stream_broken(c, rc, message, now_ms);
}

uint64_t sip_stack_conn_open(struct sip_stack *s, enum sip_transport t, const struct addr *to,
			     uint64_t now_ms)
{
	struct sip_conn *c = conn_to(s, t, to);

	(void)now_ms;
	if (c)
		return c->id;
	c = conn_new(s, t, to);
	if (!c)
		return 0;
	c->proven = true; /* it leads where we meant */
	c->handle = s->ops.connect(s->ops.ctx, c, t, to);
	if (!c->handle) {
		conn_free(c);
		return 0;
	}
	return c->id;
}

void sip_stack_conn_close(struct sip_stack *s, uint64_t conn, uint64_t now_ms)
{
	struct sip_conn *c = sip_conn_find(s, conn);

	if (c)
		sip_conn_close(c, now_ms);
}

int sip_stack_keepalive(struct sip_stack *s, uint64_t conn)
{
	struct sip_conn *c = sip_conn_find(s, conn);

	if (!c)
		return E_CLOSED;
	c->pinged = true;
	s->ops.write(s->ops.ctx, c->handle, VIEW("\r\n\r\n"));
	return 0;
}
