#include "msrp/agent.h"

#include "base/error.h"
#include "msrp/write.h"

#include <stdlib.h>

enum { COPY_MAX = 8192 }; /* above this a piece is handed to the world from where it lies */

static struct message *message_of_unsent(struct list *l)
{
	return CONTAINER(l, struct message, unsent_link);
}

static size_t message_left(const struct message *m)
{
	return m->content.n - m->written;
}

bool msrp_session_window_open(const struct msrp_session *s)
{
	size_t window = s->agent->cfg.window;

	return !window || s->n_begun < window;
}

void msrp_session_ready(struct msrp_session *s)
{
	struct msrp_conn *c = s->conn;

	if (!c || s->state != SESSION_OPEN || s->finished || list_empty(&s->unsent) ||
	    (s->unheard && s->again) ||
	    (!message_of_unsent(s->unsent.next)->written && !msrp_session_window_open(s)))
		return;
	if (list_empty(&s->ready_link) && !(c->current && c->current->session == s))
		list_add_tail(&c->ready, &s->ready_link);
}

/* A short message that waits behind a long one which has much to go. */
static bool short_waits(const struct message *m)
{
	struct list *next = m->unsent_link.next;

	return next != &m->session->unsent && message_left(m) > PIECE_BYTES &&
	       message_of_unsent(next)->content.n <= SHORT_CHUNK;
}

/* The next one by order; only a short one may go before the rest of one that was interrupted,
 * and not twice in a row. */
static struct message *message_next(struct msrp_session *s)
{
	struct message *m = message_of_unsent(s->unsent.next);

	if (m->written && !s->short_went && short_waits(m) && msrp_session_window_open(s)) {
		s->short_went = true;
		return message_of_unsent(m->unsent_link.next);
	}
	s->short_went = false;
	return m;
}

/* Its last byte is written. */
static void message_written(struct message *m)
{
	struct msrp_agent *a = m->session->agent;

	list_del(&m->unsent_link);
	if (m->failure_report == MSRP_FAILURE_YES)
		return;
	/* No 200 will come (RFC 4975 §7.2), and no handler is called from here. */
	list_add_tail(&a->told, &m->told_link);
	timer_arm(a->timers, &a->tell, a->now_ms);
}

static void message_no_memory(struct message *m)
{
	struct msrp_agent *a = m->session->agent;

	list_del(&m->unsent_link);
	m->state = MSRP_MSG_WRITTEN;
	m->status = 408;
	list_add_tail(&a->told, &m->told_link);
	timer_arm(a->timers, &a->tell, a->now_ms);
}

static void chunk_end(struct msrp_conn *c, char flag)
{
	struct message *m = c->current;
	struct msrp_session *s = m->session;
	struct transaction *t = c->current_txn;

	c->current = NULL;
	c->current_txn = NULL;
	msrp_write_end(msrp_agent_out(c->agent, c), t->tid, flag, true);
	if (flag == '$')
		message_written(m);
	else if (flag == '#')
		list_del(&m->unsent_link);
	msrp_transaction_wait(t);
	msrp_session_ready(s);
}

void msrp_chunk_interrupt(struct msrp_conn *c, char flag)
{
	if (msrp_conn_can_write(c)) {
		chunk_end(c, flag);
	} else {
		c->current = NULL;
		c->current_txn = NULL;
	}
}

static bool chunk_begin(struct msrp_conn *c, struct message *m)
{
	struct msrp_session *s = m->session;
	struct transaction *t = msrp_transaction_new(s, m, TXN_CHUNK);
	struct buf *b;

	if (!t)
		return false;
	c->current = m;
	c->current_txn = t;
	c->chunk_bytes = 0;
	m->state = MSRP_MSG_WRITTEN;
	if (!m->begun && m->failure_report == MSRP_FAILURE_YES) {
		m->begun = true;
		s->n_begun++;
	}
	b = msrp_agent_out(c->agent, c);
	msrp_write_send(b,
			&(struct msrp_send_head){
				.tid = t->tid,
				.to_path = s->remote_path,
				.from_path = s->local_uri,
				.message_id = m->id,
				.start = m->written + 1,
				.end = message_left(m) <= SHORT_CHUNK ? m->content.n : MSRP_UNKNOWN,
				.total = m->content.n,
				.success_report = m->success_report,
				.failure_report = m->failure_report,
				.content_type = m->type,
			});
	return true;
}

static void chunk_piece(struct msrp_conn *c, size_t n)
{
	struct msrp_agent *a = c->agent;
	struct message *m = c->current;
	struct view piece = view_of(m->content.p + m->written, n);

	m->written += n;
	c->chunk_bytes += n;
	if (n <= COPY_MAX) {
		buf_put(msrp_agent_out(a, c), piece);
		return;
	}
	msrp_agent_out(a, c);
	msrp_agent_flush(a);
	if (msrp_conn_can_write(c))
		a->ops.write(a->ops.ctx, c->handle, piece);
}

/* Has the current chunk had its share while somebody else waits (RFC 4975 §7.1.1)? */
static bool chunk_should_yield(const struct msrp_conn *c)
{
	size_t ahead = c->agent->cfg.write_ahead, share = ahead < PIECE_BYTES ? ahead : PIECE_BYTES;

	if (c->chunk_bytes < share || c->chunk_bytes < SHORT_CHUNK)
		return false;
	return !list_empty(&c->ready) || short_waits(c->current);
}

/* A piece of the current chunk, its end where that is due. room: bytes that may be written. */
static void chunk_go_on(struct msrp_conn *c, size_t room)
{
	struct message *m = c->current;
	size_t n = message_left(m);

	/* What does not fit into SHORT_CHUNK goes by what the connection takes. */
	if (n > SHORT_CHUNK) {
		if (room < SHORT_CHUNK)
			room = SHORT_CHUNK;
		if (room > PIECE_BYTES)
			room = PIECE_BYTES;
		if (n > room)
			n = room;
	}
	if (n)
		chunk_piece(c, n);
	if (c->current != m || !msrp_conn_can_write(c))
		return;
	if (message_left(m) == 0)
		chunk_end(c, '$');
	else if (chunk_should_yield(c))
		chunk_end(c, '+');
}

/* Takes the next message of the next session. False: nothing waits. */
static bool chunk_next(struct msrp_conn *c)
{
	while (!list_empty(&c->ready)) {
		struct msrp_session *s = CONTAINER(c->ready.next, struct msrp_session, ready_link);
		struct message *m;

		list_del(&s->ready_link);
		if (list_empty(&s->unsent))
			continue;
		m = message_next(s);
		if (!m->written && !msrp_session_window_open(s))
			continue;
		if (chunk_begin(c, m))
			return true;
		message_no_memory(m);
		msrp_session_ready(s);
	}
	return false;
}

void msrp_conn_pump(struct msrp_conn *c)
{
	size_t ahead = c->agent->cfg.write_ahead, pending;

	while (msrp_conn_can_write(c) && c->end == CONN_GOES_ON && !c->broken &&
	       (c->current || !list_empty(&c->ready))) {
		pending = msrp_conn_pending(c);
		if (pending >= ahead || (!c->current && !chunk_next(c)))
			return;
		chunk_go_on(c, ahead - pending);
	}
}

struct buf *msrp_conn_control(struct msrp_conn *c)
{
	if (!msrp_conn_can_write(c))
		return NULL;
	if (c->current && message_left(c->current) <= SHORT_CHUNK)
		chunk_go_on(c, SHORT_CHUNK);
	else if (c->current)
		msrp_chunk_interrupt(c, '+');
	return msrp_conn_can_write(c) ? msrp_agent_out(c->agent, c) : NULL;
}

void msrp_session_bind_send(struct msrp_session *s)
{
	struct transaction *t;
	char id[27];
	struct buf *b = msrp_conn_control(s->conn);

	t = b ? msrp_transaction_new(s, NULL, TXN_BIND) : NULL;
	if (!t)
		return;
	entropy_token(&s->agent->entropy, id, sizeof(id) - 1);
	msrp_write_send(b, &(struct msrp_send_head){
				   .tid = t->tid,
				   .to_path = s->remote_path,
				   .from_path = s->local_uri,
				   .message_id = view_str(id),
				   .start = 1,
				   .end = 0,
				   .total = 0,
				   .failure_report = MSRP_FAILURE_YES,
			   });
	msrp_write_end(b, t->tid, '$', false);
	msrp_transaction_wait(t);
}

/* Whole header lines, none of which ends the head. */
static bool header_lines_ok(struct view v)
{
	while (v.n) {
		size_t lf = view_find(v, '\n', 0);

		if (lf == v.n || lf < 2 || view_find(v, '\r', 0) != lf - 1 || v.p[0] == '-')
			return false;
		v = view_from(v, lf + 1);
	}
	return true;
}

static bool method_ok(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] < 'A' || v.p[i] > 'Z')
			return false;
	return v.n > 0 && v.n <= 32 && msrp_method_of(v) != MSRP_SEND &&
	       msrp_method_of(v) != MSRP_REPORT;
}

static int request_write(struct msrp_session *s, struct view method, struct view extra,
			 char *tid_out)
{
	struct transaction *t;
	struct buf *b;

	if (s->state != SESSION_OPEN || s->finishing)
		return E_STATE;
	if (!method_ok(method) || !header_lines_ok(extra) || extra.n > MSRP_HEAD_BYTES_MAX)
		return E_SYNTAX;
	b = msrp_conn_control(s->conn);
	if (!b)
		return E_STATE;
	t = msrp_transaction_new(s, NULL, TXN_REQUEST);
	if (!t)
		return E_NOMEM;
	if (tid_out)
		memcpy(tid_out, t->text, t->tid.n + 1);
	buf_put(b, VIEW("MSRP "));
	buf_put(b, t->tid);
	buf_putc(b, ' ');
	buf_put(b, method);
	buf_put(b, VIEW("\r\nTo-Path: "));
	buf_put(b, s->remote_path);
	buf_put(b, VIEW("\r\nFrom-Path: "));
	buf_put(b, s->local_uri);
	buf_put(b, VIEW("\r\n"));
	buf_put(b, extra);
	msrp_write_end(b, t->tid, '$', false);
	msrp_transaction_wait(t);
	return 0;
}

int msrp_session_request(struct msrp_session *s, struct view method, struct view extra,
			 char *tid_out, uint64_t now_ms)
{
	struct msrp_agent *a = s->agent;
	int rc;

	msrp_agent_enter(a, now_ms);
	rc = request_write(s, method, extra, tid_out);
	if (s->conn)
		msrp_conn_pump(s->conn);
	msrp_agent_leave(a);
	return rc;
}
