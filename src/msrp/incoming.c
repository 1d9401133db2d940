#include "msrp/agent.h"

#include "base/error.h"
#include "msrp/write.h"

#include <stdlib.h>

/* The response that Failure-Report asks for (RFC 4975 §7.2). */
static void frame_respond(struct msrp_conn *c, int status)
{
	struct frame_in *in = &c->in;
	struct buf *b;

	in->answered = true;
	if (in->head.failure_report == MSRP_FAILURE_NO ||
	    (in->head.failure_report == MSRP_FAILURE_PARTIAL && status == 200))
		return;
	b = msrp_conn_control(c);
	if (b)
		msrp_write_response(b, &in->head, status, NULL);
}

/* At once, so that the sender of a long chunk can stop; the rest of it is skipped. */
static void frame_refuse(struct msrp_conn *c, int status)
{
	struct frame_in *in = &c->in;

	if (in->answered)
		return;
	log_line(c->agent->log, LOG_INFO, "msrp", "request %.*s refused with %d",
		 VIEW_ARG(in->head.tid), status);
	frame_respond(c, status);
	in->held = (struct view){0};
	if (in->into)
		in->into->busy = false;
	in->into = NULL;
}

/* The peer must be the one that the session was made with. A relay in between may be left out or
 * named otherwise, so the id of the peer's own URI is what counts. */
static int check_from(const struct msrp_session *s, const struct msrp_head *h)
{
	struct msrp_uri from[MSRP_PATH_MAX];
	size_t n;

	if (msrp_path_parse(h->from_path, from, MSRP_PATH_MAX, &n))
		return 400;
	if (s->path_given && !view_eq(from[n - 1].session_id, s->remote_id))
		return 481;
	return 0;
}

/* The first request that names a session binds it (RFC 4975 §5.4). */
static int session_bind(struct msrp_session *s, struct msrp_conn *c, const struct msrp_head *h)
{
	bool waits = s->state == SESSION_WAITING && !s->finished;
	bool again = s->state == SESSION_DOWN && !s->active && !s->finishing;

	if (!waits && !again)
		return 481;
	if (!msrp_session_trusts(s, c))
		return 403;
	if (!s->path_given && msrp_session_set_remote(s, h->from_path))
		return 400;
	msrp_session_attach(s, c);
	if (!c->peer.family && s->path_given && s->next_hop.family) {
		c->peer = s->next_hop;
		c->peer_tls = s->next_hop_tls;
	}
	msrp_session_open(s);
	return 0;
}

/* Finds the session of a request, which then is bound to c: in.session. 0 or a status (§7.3). */
static int frame_session(struct msrp_conn *c)
{
	struct frame_in *in = &c->in;
	struct msrp_session *s;
	struct msrp_uri to;
	size_t n;
	int rc = msrp_path_parse(in->head.to_path, &to, 1, &n);

	if (rc)
		return rc == E_LIMIT ? 481 : 400;
	s = view_empty(to.session_id) ? NULL : msrp_agent_session_by_id(c->agent, to.session_id);
	if (!s)
		return 481;
	if (s->conn && s->conn != c)
		return 506;
	rc = check_from(s, &in->head);
	if (rc)
		return rc;
	/* Handlers are called: should they free the session, it goes from here, too. */
	in->session = s;
	if (!s->conn)
		rc = session_bind(s, c, &in->head);
	else if (s->state == SESSION_CONNECTING)
		msrp_session_open(s); /* it shares this connection, and the peer was quicker */
	if (in->session && s->unheard)
		msrp_session_heard(s);
	if (rc)
		in->session = NULL;
	else if (!in->session)
		rc = 481;
	return rc;
}

static int check_range(const struct msrp_conn *c, const struct msrp_head *h)
{
	/* Nothing is what every range may say of no body: 1-0/0, 0-0/0. */
	if (h->start == 0)
		return h->end == 0 ? 0 : 400;
	if (h->end != MSRP_UNKNOWN &&
	    (h->end + 1 < h->start || (h->total != MSRP_UNKNOWN && h->end > h->total)))
		return 400;
	if (h->total != MSRP_UNKNOWN && h->total > c->agent->cfg.max_message)
		return 413;
	return 0;
}

static bool inside(struct view part, struct view whole)
{
	return part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

/* Moves the views of a head from one copy of its bytes to another. */
static void head_move(struct msrp_head *h, const char *to)
{
	struct view *views[] = {
		&h->method_name,      &h->tid,		 &h->comment,
		&h->to_path,	      &h->from_path,	 &h->message_id,
		&h->status_comment,   &h->content_type,	 &h->use_nickname,
		&h->www_authenticate, &h->authorization, &h->authentication_info,
		&h->expires,	      &h->min_expires,	 &h->max_expires,
		&h->use_path,
	};

	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		if (views[i]->n)
			views[i]->p = to + (views[i]->p - h->raw.p);
	h->raw.p = to;
}

static void frame_keep_head(struct msrp_conn *c)
{
	struct frame_in *in = &c->in;

	buf_reset(&in->raw);
	buf_put(&in->raw, in->head.raw);
	if (buf_ok(&in->raw))
		head_move(&in->head, in->raw.p);
	else
		msrp_conn_request_drop(c);
}

void msrp_conn_request_head(struct msrp_conn *c, const struct msrp_head *h, struct view input)
{
	struct frame_in *in = &c->in;
	int status;

	in->head = *h;
	in->session = NULL;
	in->into = NULL;
	in->held = (struct view){0};
	in->body_n = 0;
	in->open = true;
	in->answered = false;
	status = frame_session(c);
	if (!status && h->method == MSRP_SEND)
		status = check_range(c, h);
	if (c->dead)
		return;
	if (status)
		frame_refuse(c, status);
	if (!inside(h->raw, input))
		frame_keep_head(c);
}

/* Brings what is held and, behind it, bytes into the partial message. */
static void frame_gather(struct msrp_conn *c, struct view bytes)
{
	struct frame_in *in = &c->in;
	int status = 0;

	if (!in->into)
		status = msrp_partial_begin(in->session, &in->head, &in->into);
	if (!status)
		status = msrp_partial_put(in->into, in->held);
	in->held = (struct view){0};
	if (!status)
		status = msrp_partial_put(in->into, bytes);
	if (status)
		frame_refuse(c, status);
}

void msrp_conn_request_body(struct msrp_conn *c, struct view body, struct view input)
{
	struct frame_in *in = &c->in;

	if (!in->open || in->answered)
		return;
	in->body_n += body.n;
	if (!in->session)
		return;
	if (in->head.method != MSRP_SEND) {
		if (in->body_n > OTHER_BODY_MAX)
			frame_refuse(c, 413);
	} else if (!in->into && view_empty(in->held) && inside(body, input)) {
		in->held = body;
	} else {
		frame_gather(c, body);
	}
}

void msrp_conn_request_keep(struct msrp_conn *c, struct view input)
{
	struct frame_in *in = &c->in;

	if (!in->open)
		return;
	if (in->held.n)
		frame_gather(c, (struct view){0});
	if (inside(in->head.raw, input))
		frame_keep_head(c);
}

void msrp_conn_request_drop(struct msrp_conn *c)
{
	struct frame_in *in = &c->in;

	if (in->into)
		in->into->busy = false;
	in->into = NULL;
	in->session = NULL;
	in->open = false;
	in->held = (struct view){0};
	buf_fini(&in->raw);
}

static void success_report(struct msrp_conn *c, struct msrp_session *s, uint64_t total)
{
	const struct msrp_head *h = &c->in.head;
	char tid[MSRP_TID_MAX + 1];
	struct buf *b;

	if (!h->success_report || view_empty(h->message_id) || s->dead || s->conn != c)
		return;
	b = msrp_conn_control(c);
	if (b)
		msrp_write_report(b, msrp_agent_tid(c->agent, tid), h->from_path, s->local_uri,
				  h->message_id, 1, total, total, 200, NULL);
}

static void frame_deliver(struct msrp_conn *c, struct view type, struct view content)
{
	struct frame_in *in = &c->in;
	struct msrp_session *s = in->session;
	struct msrp_incoming m = {
		.message_id = in->head.message_id,
		.content_type = type,
		.from_path = in->head.from_path,
		.content = content,
	};
	int status = 200;

	if (s->handler->on_message)
		status = s->handler->on_message(s->ctx, s, &m, c->agent->now_ms);
	if (c->dead)
		return;
	frame_respond(c, status);
	if (status == 200)
		success_report(c, s, content.n);
}

/* The whole message in one frame, and all of that in the input: nothing is copied. */
static void send_whole(struct msrp_conn *c)
{
	struct frame_in *in = &c->in;
	struct view content = in->held;
	int status = 0;

	if (in->head.total != MSRP_UNKNOWN && in->head.total != content.n)
		status = 400;
	else if (content.n > c->agent->cfg.max_message)
		status = 413;
	else if (content.n && view_empty(in->head.content_type))
		status = 400; /* RFC 4975 §7.1: a body has a type */
	if (status)
		frame_refuse(c, status);
	else
		frame_deliver(c, in->head.content_type, content);
}

static void send_chunk(struct msrp_conn *c, char flag)
{
	struct frame_in *in = &c->in;
	struct partial *p;
	struct view content;
	int status;

	if (!in->into || in->held.n)
		frame_gather(c, (struct view){0});
	p = in->into;
	if (in->answered || !p)
		return;
	status = msrp_partial_end(p, flag);
	if (!status && msrp_assembly_complete(&p->data, &content) && content.n &&
	    view_empty(p->type))
		status = 400;
	if (status) {
		frame_refuse(c, status);
		return;
	}
	p->busy = false;
	in->into = NULL;
	if (!msrp_assembly_complete(&p->data, &content)) {
		frame_respond(c, 200);
		return;
	}
	/* It outlives its session while the handler has it. */
	msrp_partial_unlink(p);
	frame_deliver(c, p->type, content);
	msrp_partial_free(p);
}

static void send_end(struct msrp_conn *c, char flag)
{
	struct frame_in *in = &c->in;
	const struct msrp_head *h = &in->head;
	struct partial *p;

	if (in->body_n == 0 && view_empty(h->content_type)) {
		/* Traffic, and nothing to show (RFC 4975 §7.1). */
		struct msrp_session *s = in->session;

		frame_respond(c, 200);
		success_report(c, s, 0);
		return;
	}
	p = in->into ? in->into : msrp_partial_find(in->session, h->message_id);
	if (flag == '#') {
		frame_respond(c, 200);
		in->into = NULL;
		if (p)
			msrp_partial_free(p);
	} else if (flag == '$' && h->start <= 1 && !p) {
		send_whole(c);
	} else {
		send_chunk(c, flag);
	}
}

static void other_end(struct msrp_conn *c)
{
	struct frame_in *in = &c->in;
	struct msrp_session *s = in->session;
	int status = 501;

	if (s->handler->on_request)
		status = s->handler->on_request(s->ctx, s, &in->head, c->agent->now_ms);
	if (!c->dead)
		frame_respond(c, status);
}

/* Nothing more will come of a message that was refused. */
static void refused_end(struct msrp_conn *c, char flag)
{
	struct frame_in *in = &c->in;
	struct partial *p;

	if (flag == '+' || !in->session || in->head.method != MSRP_SEND)
		return;
	p = msrp_partial_find(in->session, in->head.message_id);
	if (p && p->refused)
		msrp_partial_free(p);
}

void msrp_conn_request_end(struct msrp_conn *c, char flag)
{
	struct frame_in *in = &c->in;

	if (!in->open)
		return;
	if (!in->answered && !in->session)
		frame_refuse(c, 481); /* freed while the frame came */
	else if (!in->answered && in->head.method == MSRP_SEND)
		send_end(c, flag);
	else if (!in->answered)
		other_end(c);
	else
		refused_end(c, flag);
	if (!c->dead)
		msrp_conn_request_drop(c);
}
