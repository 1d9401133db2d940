#include "msrp/agent.h"

#include "base/error.h"

#include <stdlib.h>

struct transaction *msrp_transaction_new(struct msrp_session *s, struct message *m,
					 enum transaction_kind kind)
{
	struct msrp_agent *a = s->agent;
	struct transaction *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->conn = s->conn;
	t->session = s;
	t->message = m;
	t->kind = kind;
	t->tid = msrp_agent_tid(a, t->text);
	list_init(&t->link);
	list_init(&t->owner);
	if (hash_add(&a->transactions, &t->by_tid, hash_bytes(&a->transactions, t->tid))) {
		free(t);
		return NULL;
	}
	list_add_tail(m ? &m->transactions : &s->requests, &t->owner);
	return t;
}

void msrp_transaction_free(struct transaction *t)
{
	hash_del(&t->session->agent->transactions, &t->by_tid);
	list_del(&t->link);
	list_del(&t->owner);
	free(t);
}

void msrp_transaction_wait(struct transaction *t)
{
	struct msrp_conn *c = t->conn;
	struct msrp_agent *a = c->agent;

	if (t->message && t->message->failure_report == MSRP_FAILURE_NO) {
		msrp_transaction_free(t);
		return;
	}
	if (t->answered) {
		/* Its message goes by what the told list says, as nothing else will come. */
		struct message *m = t->message;

		msrp_transaction_free(t);
		if (list_empty(&m->transactions) && m->written == m->content.n &&
		    list_empty(&m->told_link)) {
			list_add_tail(&a->told, &m->told_link);
			timer_arm(a->timers, &a->tell, a->now_ms);
		}
		return;
	}
	/* All wait equally long, so the list is in order of the due times. */
	t->due_ms = a->now_ms + a->cfg.response_timeout_ms;
	list_add_tail(&c->transactions, &t->link);
	if (!timer_armed(&c->response_timer))
		timer_arm(a->timers, &c->response_timer, t->due_ms);
}

static struct transaction *transaction_find(struct msrp_conn *c, struct view tid)
{
	struct msrp_agent *a = c->agent;
	uint64_t value;

	/* Responses mostly come in the order of the requests. */
	if (!list_empty(&c->transactions)) {
		struct transaction *first =
			CONTAINER(c->transactions.next, struct transaction, link);

		if (view_eq(first->tid, tid))
			return first;
	}
	value = hash_bytes(&a->transactions, tid);
	for (struct hash_node *n = hash_first(&a->transactions, value); n;
	     n = hash_next(n, value)) {
		struct transaction *t = CONTAINER(n, struct transaction, by_tid);

		if (t->conn == c && view_eq(t->tid, tid))
			return t;
	}
	return NULL;
}

static void chunk_response(struct transaction *t, int status, struct view comment)
{
	struct message *m = t->message;

	if (status != 200) {
		msrp_message_tell(m, MSRP_MSG_FAILED, status, comment);
		return;
	}
	if (list_empty(&t->link)) {
		/* Accepted before we were through with it. */
		t->answered = true;
		return;
	}
	msrp_transaction_free(t);
	if (m->state == MSRP_MSG_WRITTEN && list_empty(&m->transactions) &&
	    m->written == m->content.n)
		msrp_message_tell(m, MSRP_MSG_ACCEPTED, status, comment);
}

static void request_response(struct transaction *t, int status, struct view comment)
{
	struct msrp_session *s = t->session;
	char tid[MSRP_TID_MAX + 1] = "";
	struct view tid_view = view_of(tid, t->tid.n);

	memcpy(tid, t->text, sizeof(tid));
	msrp_transaction_free(t);
	if (s->handler->on_response)
		s->handler->on_response(s->ctx, s, tid_view, status, comment, s->agent->now_ms);
}

static void bind_response(struct transaction *t, int status)
{
	struct msrp_session *s = t->session;
	struct msrp_conn *c = t->conn;

	msrp_transaction_free(t);
	/* The peer has no such session, or has it elsewhere: RFC 4975 §10.8, §10.10. Other errors
	 * say that it dislikes an empty SEND, which does no harm. */
	if (status != 481 && status != 506) {
		msrp_session_heard(s);
		return;
	}
	log_line(s->agent->log, LOG_INFO, "msrp", "session %.*s: refused by its peer with %d",
		 VIEW_ARG(msrp_session_name(s)), status);
	msrp_session_down(s, E_CLOSED);
	msrp_conn_check_use(c);
}

void msrp_conn_response(struct msrp_conn *c, const struct msrp_head *h)
{
	struct transaction *t = transaction_find(c, h->tid);

	if (!t)
		return;
	if (t->kind == TXN_CHUNK)
		chunk_response(t, h->status, h->comment);
	else if (t->kind == TXN_BIND)
		bind_response(t, h->status);
	else
		request_response(t, h->status, h->comment);
}

void msrp_conn_response_timeout(void *conn, uint64_t now_ms)
{
	struct msrp_conn *c = conn;
	struct msrp_agent *a = c->agent;

	msrp_agent_enter(a, now_ms);
	while (!c->dead && !list_empty(&c->transactions)) {
		struct transaction *t = CONTAINER(c->transactions.next, struct transaction, link);

		if (t->due_ms > now_ms) {
			timer_arm(a->timers, &c->response_timer, t->due_ms);
			break;
		}
		if (t->kind == TXN_REQUEST)
			request_response(t, 408, VIEW("Timeout"));
		else if (t->kind == TXN_CHUNK && t->message->failure_report == MSRP_FAILURE_YES)
			msrp_message_tell(t->message, MSRP_MSG_FAILED, 408, VIEW("Timeout"));
		else
			msrp_transaction_free(t); /* partial (RFC 4975 §7.1.1), or an empty SEND */
	}
	msrp_conn_pump(c);
	msrp_agent_leave(a);
}

/* Success reports may cover a message piece by piece (RFC 4975 §7.1.3). */
static bool report_covers(struct message *m, const struct msrp_head *h)
{
	uint64_t end = h->end;

	if (end == MSRP_UNKNOWN)
		end = m->content.n;
	if (h->start <= m->reported + 1 && end > m->reported)
		m->reported = end;
	return m->reported >= m->content.n && m->written == m->content.n;
}

void msrp_conn_report(struct msrp_conn *c, const struct msrp_head *h)
{
	struct msrp_uri to;
	struct msrp_session *s;
	struct message *m;

	/* Whatever is wrong with a REPORT is not told to anybody (RFC 4975 §7.1.2). */
	if (!h->has_status || h->status_ns != 0 || msrp_uri_parse(msrp_path_first(h->to_path), &to))
		return;
	s = msrp_agent_session_by_id(c->agent, to.session_id);
	if (!s || s->conn != c)
		return;
	m = msrp_message_find(s, h->message_id);
	if (!m || m->state == MSRP_MSG_QUEUED)
		return;
	if (h->status_code != 200)
		msrp_message_tell(m, MSRP_MSG_FAILED, h->status_code, h->status_comment);
	else if (m->success_report && report_covers(m, h))
		msrp_message_tell(m, MSRP_MSG_DELIVERED, 200, h->status_comment);
}
