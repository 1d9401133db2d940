#include "msrp/agent.h"

#include "base/error.h"
#include "msrp/write.h"

#include <stdlib.h>

static void unbound_timeout(void *conn, uint64_t now_ms)
{
	struct msrp_conn *c = conn;
	struct msrp_agent *a = c->agent;

	msrp_agent_enter(a, now_ms);
	if (list_empty(&c->sessions))
		msrp_conn_end(c, CONN_CLOSE);
	msrp_agent_leave(a);
}

static struct msrp_conn *conn_new(struct msrp_agent *a)
{
	struct msrp_conn *c;

	/* A session has one, and a stranger may hold one until the unbound timer. */
	if (a->dying || a->n_conns > a->cfg.max_sessions + a->cfg.max_sessions / 2 + 8)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->agent = a;
	list_init(&c->end_link);
	list_init(&c->sessions);
	list_init(&c->ready);
	list_init(&c->transactions);
	timer_init(&c->response_timer, msrp_conn_response_timeout, c);
	timer_init(&c->unbound_timer, unbound_timeout, c);
	msrp_reader_init(&c->reader);
	buf_init(&c->in.raw, MSRP_HEAD_BYTES_MAX);
	list_add_tail(&a->conns, &c->link);
	a->n_conns++;
	return c;
}

struct msrp_conn *msrp_conn_accept(struct msrp_agent *a, void *handle, uint64_t now_ms)
{
	struct msrp_conn *c = conn_new(a);

	if (!c)
		return NULL;
	if (now_ms > a->now_ms)
		a->now_ms = now_ms;
	c->handle = handle;
	c->up = true;
	timer_arm(a->timers, &c->unbound_timer, a->now_ms + a->cfg.bind_timeout_ms);
	return c;
}

struct msrp_conn *msrp_conn_connect(struct msrp_agent *a, const struct addr *to, bool tls)
{
	struct msrp_conn *c = conn_new(a);

	if (!c)
		return NULL;
	c->peer = *to;
	c->peer_tls = tls;
	c->handle = a->ops.connect(a->ops.ctx, c, to, tls);
	if (!c->handle || c->dead) {
		msrp_conn_kill(c);
		return NULL;
	}
	return c;
}

struct msrp_conn *msrp_conn_find(struct msrp_agent *a, const struct addr *to, bool tls)
{
	LIST_EACH(l, tmp, &a->conns)
	{
		struct msrp_conn *c = CONTAINER(l, struct msrp_conn, link);

		if (c->end == CONN_GOES_ON && !c->broken && c->peer.family && c->peer_tls == tls &&
		    addr_eq(&c->peer, to))
			return c;
	}
	return NULL;
}

void msrp_conn_end(struct msrp_conn *c, enum conn_end how)
{
	if (c->dead || how <= (enum conn_end)c->end)
		return;
	c->end = (uint8_t)how;
	if (list_empty(&c->end_link))
		list_add_tail(&c->agent->ending, &c->end_link);
}

void msrp_conn_check_use(struct msrp_conn *c)
{
	if (list_empty(&c->sessions)) {
		msrp_conn_end(c, CONN_CLOSE);
		return;
	}
	LIST_EACH(l, tmp, &c->sessions)
	if (!CONTAINER(l, struct msrp_session, conn_link)->finished)
		return;
	if (c->current)
		msrp_chunk_interrupt(c, '#');
	msrp_conn_end(c, c->up ? CONN_FINISH : CONN_CLOSE);
}

size_t msrp_conn_pending(const struct msrp_conn *c)
{
	struct msrp_agent *a = c->agent;
	size_t n = a->ops.pending(a->ops.ctx, c->handle);

	return a->out_conn == c ? n + a->out.n : n;
}

void msrp_conn_kill(struct msrp_conn *c)
{
	struct msrp_agent *a = c->agent;

	if (c->dead)
		return;
	c->dead = true;
	msrp_conn_request_drop(c);
	LIST_EACH(l, tmp, &c->sessions)
	msrp_session_detach(CONTAINER(l, struct msrp_session, conn_link));
	/* Sessions took theirs along; this is what is left of sessions that went before. */
	LIST_EACH(l, tmp, &c->transactions)
	msrp_transaction_free(CONTAINER(l, struct transaction, link));
	timer_cancel(a->timers, &c->response_timer);
	timer_cancel(a->timers, &c->unbound_timer);
	msrp_reader_fini(&c->reader);
	buf_fini(&c->in.raw);
	list_del(&c->end_link);
	if (a->out_conn == c) {
		a->out_conn = NULL;
		buf_reset(&a->out);
	}
	list_del(&c->link);
	list_add_tail(&a->dead_conns, &c->link);
	a->n_conns--;
}

void msrp_conn_lost(struct msrp_conn *c, int error)
{
	/* The first of the list each time: a handler may free any of them. */
	while (!list_empty(&c->sessions)) {
		struct msrp_session *s =
			CONTAINER(c->sessions.next, struct msrp_session, conn_link);

		msrp_session_down(s, s->state == SESSION_CONNECTING && error == E_CLOSED ? E_IO
											 : error);
	}
}

void msrp_conn_up(struct msrp_conn *c, uint64_t now_ms)
{
	struct msrp_agent *a = c->agent;
	size_t n = 0;

	msrp_agent_enter(a, now_ms);
	if (!c->dead && !c->up) {
		c->up = true;
		LIST_EACH(l, tmp, &c->sessions)
		n++;
		/* Each that waits now, by turns: opening one may add and free others. */
		while (n-- && !c->dead && !list_empty(&c->sessions)) {
			struct msrp_session *s =
				CONTAINER(c->sessions.next, struct msrp_session, conn_link);

			list_del(&s->conn_link);
			list_add_tail(&c->sessions, &s->conn_link);
			if (s->state == SESSION_CONNECTING)
				msrp_session_open(s);
		}
		msrp_conn_pump(c);
	}
	msrp_agent_leave(a);
}

static void conn_broke(struct msrp_conn *c, int error, const struct msrp_head *h)
{
	struct buf *b;

	log_line(c->agent->log, LOG_WARN, "msrp", "connection closed: its stream is broken (%s)",
		 error_name(error));
	c->broken = true;
	msrp_conn_request_drop(c);
	if (!view_empty(h->tid) && h->is_request && h->method != MSRP_REPORT &&
	    !view_empty(h->from_path) && !view_empty(h->to_path)) {
		b = msrp_conn_control(c);
		if (b)
			msrp_write_response(b, h, 400, NULL);
	}
	msrp_conn_end(c, msrp_conn_can_write(c) ? CONN_FINISH : CONN_CLOSE);
}

static void conn_head(struct msrp_conn *c, const struct msrp_head *h, struct view input)
{
	if (!h->is_request)
		msrp_conn_response(c, h);
	else if (h->method == MSRP_REPORT)
		msrp_conn_report(c, h);
	else
		msrp_conn_request_head(c, h, input);
}

static void conn_read(struct msrp_conn *c, struct view input)
{
	struct view in = input;
	struct msrp_event ev;
	int rc;

	while (!c->dead && !c->broken) {
		rc = msrp_reader_next(&c->reader, &in, &ev);
		switch (rc) {
		case MSRP_EV_NEED_MORE:
			msrp_conn_request_keep(c, input);
			return;
		case MSRP_EV_HEAD:
			conn_head(c, &ev.head, input);
			break;
		case MSRP_EV_BODY:
			msrp_conn_request_body(c, ev.body, input);
			break;
		case MSRP_EV_END:
			msrp_conn_request_end(c, ev.flag);
			break;
		default:
			conn_broke(c, rc, &ev.head);
			return;
		}
	}
}

void msrp_conn_recv(struct msrp_conn *c, struct view bytes, uint64_t now_ms)
{
	struct msrp_agent *a = c->agent;

	msrp_agent_enter(a, now_ms);
	conn_read(c, bytes);
	if (msrp_conn_can_write(c)) {
		/* Responses are written past write_ahead; a peer that sends and never reads has to
		 * be stopped somewhere. */
		if (msrp_conn_pending(c) > 16 * a->cfg.write_ahead + OVERRUN_BYTES) {
			log_line(a->log, LOG_WARN, "msrp",
				 "connection closed: the peer does not read");
			msrp_conn_end(c, CONN_CLOSE);
		}
		msrp_conn_pump(c);
	}
	msrp_agent_leave(a);
}

void msrp_conn_drained(struct msrp_conn *c, uint64_t now_ms)
{
	struct msrp_agent *a = c->agent;

	msrp_agent_enter(a, now_ms);
	msrp_conn_pump(c);
	msrp_agent_leave(a);
}

void msrp_conn_down(struct msrp_conn *c, uint64_t now_ms)
{
	struct msrp_agent *a = c->agent;

	msrp_agent_enter(a, now_ms);
	if (!c->dead) {
		/* Nothing may be written or closed by its handle from here on. */
		list_del(&c->end_link);
		c->end = CONN_CLOSE;
		c->mute = c->broken = true;
		msrp_conn_lost(c, E_CLOSED);
		msrp_conn_kill(c);
	}
	msrp_agent_leave(a);
}
