#include "msrp/agent.h"

#include "base/error.h"

#include <stdlib.h>

static uint64_t message_hash(struct msrp_session *s, struct view id)
{
	return hash_more(&s->agent->messages, (uint64_t)(uintptr_t)s, id);
}

struct message *msrp_message_find(struct msrp_session *s, struct view id)
{
	uint64_t value = message_hash(s, id);
	struct hash_node *n = hash_first(&s->agent->messages, value);

	for (; n; n = hash_next(n, value)) {
		struct message *m = CONTAINER(n, struct message, by_id);

		if (m->session == s && view_eq(m->id, id))
			return m;
	}
	return NULL;
}

static bool message_is_outstanding(const struct message *m)
{
	return m->state == MSRP_MSG_QUEUED || m->state == MSRP_MSG_WRITTEN;
}

static void message_leave_window(struct message *m)
{
	struct msrp_session *s = m->session;

	if (!m->begun)
		return;
	m->begun = false;
	s->n_begun--;
	msrp_session_ready(s);
}

/* It counts as outstanding, or as remembered, no longer. */
static void message_uncount(struct message *m)
{
	struct msrp_session *s = m->session;

	message_leave_window(m);
	if (message_is_outstanding(m)) {
		s->n_outstanding--;
		if (m->lost)
			s->n_lost--;
		m->lost = false;
	}
	if (!list_empty(&m->accepted_link)) {
		list_del(&m->accepted_link);
		s->n_accepted--;
	}
	if (m->kept)
		s->kept_bytes -= m->content.n;
	m->kept = false;
}

static void message_transactions_free(struct message *m)
{
	LIST_EACH(l, tmp, &m->transactions)
	msrp_transaction_free(CONTAINER(l, struct transaction, owner));
}

void msrp_message_forget(struct message *m)
{
	struct msrp_session *s = m->session;
	struct msrp_conn *c = s->conn;

	if (c && c->current == m)
		msrp_chunk_interrupt(c, '#');
	message_uncount(m);
	message_transactions_free(m);
	hash_del(&s->agent->messages, &m->by_id);
	list_del(&m->link);
	list_del(&m->unsent_link);
	list_del(&m->told_link);
	free(m->content_text);
	free(m);
}

/* Kept for a success report or a late failure. Its content is needed once more where the connection
 * breaks before the report of one that was asked for: a 200 may have come from a relay on the way.
 */
static void message_remember(struct message *m)
{
	struct msrp_session *s = m->session;

	m->kept = m->success_report && m->content.n <= KEPT_BYTES_MAX - s->kept_bytes;
	if (m->kept) {
		s->kept_bytes += m->content.n;
	} else {
		free(m->content_text);
		m->content_text = NULL;
		m->content.p = "";
	}
	list_del(&m->unsent_link);
	list_add_tail(&s->accepted, &m->accepted_link);
	if (++s->n_accepted > s->agent->cfg.max_queue)
		msrp_message_forget(CONTAINER(s->accepted.next, struct message, accepted_link));
}

void msrp_message_tell(struct message *m, enum msrp_message_state state, int status,
		       struct view comment)
{
	struct msrp_session *s = m->session;
	char id[MSRP_TID_MAX + 1] = "";
	struct view id_view = view_of(id, m->id.n);
	bool told = state == MSRP_MSG_ACCEPTED && m->again;

	/* The handler may free the session and all its messages. */
	memcpy(id, m->id.p, m->id.n);
	list_del(&m->told_link);
	if (state == MSRP_MSG_ACCEPTED) {
		message_uncount(m);
		m->state = state;
		message_remember(m);
	} else {
		msrp_message_forget(m);
	}
	if (s->handler->on_state && !told)
		s->handler->on_state(s->ctx, s, id_view, state, status, comment, s->agent->now_ms);
	if (!s->dead)
		msrp_session_settle(s);
}

void msrp_agent_tell(void *agent, uint64_t now_ms)
{
	struct msrp_agent *a = agent;
	struct list batch;

	msrp_agent_enter(a, now_ms);
	/* What handlers add comes with the next run, so that they cannot hold this one for ever. */
	list_init(&batch);
	LIST_EACH(l, tmp, &a->told)
	{
		list_del(l);
		list_add_tail(&batch, l);
	}
	while (!list_empty(&batch)) {
		struct message *m = CONTAINER(batch.next, struct message, told_link);
		int status = m->status;

		msrp_message_tell(m, status ? MSRP_MSG_FAILED : MSRP_MSG_ACCEPTED, status,
				  VIEW(""));
	}
	/* A window may have opened. */
	LIST_EACH(l, tmp, &a->conns)
	msrp_conn_pump(CONTAINER(l, struct msrp_conn, link));
	msrp_agent_leave(a);
}

void msrp_session_messages_lost(struct msrp_session *s)
{
	LIST_EACH(l, tmp, &s->messages)
	{
		struct message *m = CONTAINER(l, struct message, link);

		message_transactions_free(m);
		m->begun = false;
		/* With told_link all of it was written, and no response was wanted. */
		if (m->state != MSRP_MSG_WRITTEN || m->lost || !list_empty(&m->told_link))
			continue;
		m->lost = true;
		s->n_lost++;
		list_del(&m->unsent_link);
	}
	s->n_begun = 0;
}

/* Accepted, and its report was cut off with the connection: nothing is known of it. */
static void message_unaccept(struct message *m)
{
	struct msrp_session *s = m->session;

	if (m->state != MSRP_MSG_ACCEPTED || !m->kept)
		return;
	message_uncount(m);
	m->state = MSRP_MSG_WRITTEN;
	m->again = m->lost = true;
	s->n_outstanding++;
	s->n_lost++;
}

void msrp_session_messages_resend(struct msrp_session *s)
{
	/* A peer who never sends reports is not asked to take everything twice. */
	bool reports = s->reports || s->n_accepted <= UNREPORTED_MAX;

	LIST_EACH(l, tmp, &s->messages)
	{
		struct message *m = CONTAINER(l, struct message, link);

		if (reports)
			message_unaccept(m);
		/* Each one that is to be written moves to the end: all are in order then. */
		if (m->lost) {
			m->lost = false;
			s->n_lost--;
			m->written = 0;
			m->reported = 0;
			list_add_tail(&s->unsent, &m->unsent_link);
		} else if (!list_empty(&m->unsent_link)) {
			list_del(&m->unsent_link);
			list_add_tail(&s->unsent, &m->unsent_link);
		}
	}
}

void msrp_session_messages_free(struct msrp_session *s)
{
	LIST_EACH(l, tmp, &s->messages)
	msrp_message_forget(CONTAINER(l, struct message, link));
}

/* A Message-ID is an ident (RFC 4975 §9); a shorter one than that has it passes, as everywhere. */
static bool id_ok(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] > '~')
			return false;
	return v.n > 0 && v.n <= MSRP_TID_MAX;
}

static bool type_ok(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] < ' ')
			return false;
	return v.n > 0 && v.n <= 256;
}

static struct message *message_new(struct msrp_session *s, const struct msrp_outgoing *o,
				   struct view id)
{
	struct message *m = calloc(1, sizeof(*m) + id.n + o->content_type.n);

	if (!m)
		return NULL;
	m->content_text = malloc(o->content.n ? o->content.n : 1);
	if (!m->content_text) {
		free(m);
		return NULL;
	}
	m->session = s;
	memcpy(m->text, id.p, id.n);
	memcpy(m->text + id.n, o->content_type.p, o->content_type.n);
	m->id = view_of(m->text, id.n);
	m->type = view_of(m->text + id.n, o->content_type.n);
	if (o->content.n)
		memcpy(m->content_text, o->content.p, o->content.n);
	m->content = view_of(m->content_text, o->content.n);
	m->success_report = o->success_report;
	m->failure_report = o->failure_report;
	list_init(&m->link);
	list_init(&m->unsent_link);
	list_init(&m->accepted_link);
	list_init(&m->told_link);
	list_init(&m->transactions);
	return m;
}

static int message_queue(struct msrp_session *s, const struct msrp_outgoing *o, char *id_out)
{
	struct msrp_agent *a = s->agent;
	struct message *m;
	struct view id = o->message_id;
	char made[27];
	int rc;

	if (s->dead || s->finishing)
		return E_STATE;
	if (s->n_outstanding >= a->cfg.max_queue ||
	    (s->peer_max_size && o->content.n > s->peer_max_size))
		return E_LIMIT;
	if (view_empty(id))
		id = view_str(entropy_token(&a->entropy, made, sizeof(made) - 1));
	if (!id_ok(id) || !type_ok(o->content_type))
		return E_SYNTAX;
	if (msrp_message_find(s, id))
		return E_EXISTS;
	m = message_new(s, o, id);
	if (!m)
		return E_NOMEM;
	rc = hash_add(&a->messages, &m->by_id, message_hash(s, id));
	if (rc) {
		free(m->content_text);
		free(m);
		return rc;
	}
	list_add_tail(&s->messages, &m->link);
	list_add_tail(&s->unsent, &m->unsent_link);
	s->n_outstanding++;
	if (id_out)
		(void)view_copy(id, id_out, MSRP_TID_MAX + 1);
	return 0;
}

int msrp_session_send(struct msrp_session *s, const struct msrp_outgoing *m, char *id_out,
		      uint64_t now_ms)
{
	struct msrp_agent *a = s->agent;
	int rc;

	msrp_agent_enter(a, now_ms);
	rc = message_queue(s, m, id_out);
	if (!rc) {
		msrp_session_ready(s);
		if (s->conn)
			msrp_conn_pump(s->conn);
	}
	msrp_agent_leave(a);
	return rc;
}

size_t msrp_session_outstanding(const struct msrp_session *s)
{
	return s->n_outstanding;
}

void msrp_session_unconfirmed(struct msrp_session *s,
			      void (*fn)(void *ctx, struct view message_id,
					 enum msrp_message_state state),
			      void *ctx)
{
	LIST_EACH(l, tmp, &s->messages)
	{
		struct message *m = CONTAINER(l, struct message, link);

		if (message_is_outstanding(m) || m->success_report)
			fn(ctx, m->id, m->state);
	}
}

int msrp_session_cancel(struct msrp_session *s, struct view message_id)
{
	struct msrp_agent *a = s->agent;
	struct message *m = msrp_message_find(s, message_id);

	if (!m)
		return E_NOTFOUND;
	if (m->state != MSRP_MSG_QUEUED)
		return E_STATE;
	msrp_agent_enter(a, a->now_ms);
	msrp_message_forget(m);
	msrp_session_settle(s);
	msrp_agent_leave(a);
	return 0;
}
