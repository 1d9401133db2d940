#include "msrp/agent.h"

#include "base/error.h"

#include <stdlib.h>

struct view msrp_session_name(const struct msrp_session *s)
{
	enum { SHOWN = 6 };

	return view_first(s->local_id, SHOWN);
}

void msrp_session_set_state(struct msrp_session *s, enum session_state state)
{
	static const char *const name[] = {"waiting", "connecting", "open", "down"};

	if (s->state == state)
		return;
	log_line(s->agent->log, LOG_DEBUG, "msrp", "session %.*s: %s -> %s",
		 VIEW_ARG(msrp_session_name(s)), name[s->state], name[state]);
	s->state = state;
	/* Each state has its own deadline, and whoever wants one arms it. */
	timer_cancel(s->agent->timers, &s->timer);
}

void msrp_session_attach(struct msrp_session *s, struct msrp_conn *c)
{
	s->conn = c;
	list_add_tail(&c->sessions, &s->conn_link);
	timer_cancel(c->agent->timers, &c->unbound_timer);
}

void msrp_session_detach(struct msrp_session *s)
{
	struct msrp_conn *c = s->conn;

	if (!c)
		return;
	if (c->current && c->current->session == s)
		msrp_chunk_interrupt(c, '#');
	if (c->in.session == s) {
		if (c->in.into)
			c->in.into->busy = false;
		c->in.into = NULL;
		c->in.session = NULL;
	}
	list_del(&s->ready_link);
	list_del(&s->conn_link);
	msrp_session_messages_lost(s);
	LIST_EACH(l, tmp, &s->requests)
	msrp_transaction_free(CONTAINER(l, struct transaction, owner));
	s->conn = NULL;
}

enum { BIND_ANSWER_MS = 2000 };

bool msrp_session_trusts(const struct msrp_session *s, const struct msrp_conn *c)
{
	const struct msrp_agent_ops *ops = &s->agent->ops;
	struct msrp_peer peer = {.fingerprint = view_str(s->fingerprint)};
	struct msrp_uri hop;

	if (!ops->vouch)
		return true;
	if (!s->path_given)
		return ops->vouch(ops->ctx, c->handle, s->local_tls, NULL);
	if (msrp_uri_parse(msrp_path_first(s->remote_path), &hop) == 0)
		peer.host = hop.host;
	return ops->vouch(ops->ctx, c->handle, s->local_tls, &peer);
}

int msrp_session_set_fingerprint(struct msrp_session *s, struct view fingerprint)
{
	char *copy = fingerprint.n ? view_dup(fingerprint) : NULL;

	if (fingerprint.n && !copy)
		return E_NOMEM;
	free(s->fingerprint);
	s->fingerprint = copy;
	return 0;
}

void msrp_session_heard(struct msrp_session *s)
{
	if (!s->unheard)
		return;
	s->unheard = false;
	timer_cancel(s->agent->timers, &s->timer);
	msrp_session_ready(s);
	if (s->handler->on_open)
		s->handler->on_open(s->ctx, s, s->agent->now_ms);
	if (!s->dead)
		msrp_session_settle(s);
}

/* Who connects has a session when the peer has taken it: he answers the empty SEND, or sends
 * something himself. For peers who answer no empty SEND the wait is short. */
void msrp_session_open(struct msrp_session *s)
{
	struct msrp_conn *c = s->conn;

	if (!msrp_session_trusts(s, c)) {
		log_line(s->agent->log, LOG_WARN, "msrp",
			 "session %.*s: its peer is not who was agreed on",
			 VIEW_ARG(msrp_session_name(s)));
		msrp_session_down(s, E_DENIED);
		msrp_conn_check_use(c);
		return;
	}
	msrp_session_set_state(s, SESSION_OPEN);
	s->unheard = true;
	/* After a broken connection no message is risked before it: a peer who has not noticed yet
	 * answers 506. */
	if (s->active && (s->again || list_empty(&s->unsent))) {
		msrp_session_bind_send(s);
		timer_arm(s->agent->timers, &s->timer, s->agent->now_ms + BIND_ANSWER_MS);
		return;
	}
	msrp_session_ready(s);
	msrp_session_heard(s);
}

void msrp_session_down(struct msrp_session *s, int error)
{
	msrp_session_detach(s);
	msrp_session_set_state(s, SESSION_DOWN);
	s->unheard = false;
	timer_cancel(s->agent->timers, &s->timer);
	if (s->finishing)
		s->finished = true;
	if (s->handler->on_down)
		s->handler->on_down(s->ctx, s, error, s->agent->now_ms);
}

static void session_timeout(void *session, uint64_t now_ms)
{
	struct msrp_session *s = session;
	struct msrp_agent *a = s->agent;

	msrp_agent_enter(a, now_ms);
	if (!s->conn) {
		msrp_session_down(s, s->finished ? E_CLOSED : E_TIMEOUT);
	} else if (s->state == SESSION_OPEN) {
		msrp_session_heard(s);
		if (!s->dead && s->conn)
			msrp_conn_pump(s->conn);
	} else if (s->state == SESSION_CONNECTING && s->conn->up) {
		/* It shares a connection that was there already. */
		msrp_session_open(s);
		if (!s->dead && s->conn)
			msrp_conn_pump(s->conn);
	}
	msrp_agent_leave(a);
}

int msrp_session_set_remote(struct msrp_session *s, struct view path)
{
	struct msrp_uri uris[MSRP_PATH_MAX];
	struct addr hop = {0};
	char *text;
	size_t n;
	int rc = msrp_path_parse(path, uris, MSRP_PATH_MAX, &n);

	if (rc)
		return rc;
	/* A host name cannot be resolved here: such a peer has to come to us. */
	if (uris[0].port)
		(void)addr_parse(uris[0].host, uris[0].port, &hop);
	text = view_dup(path);
	if (!text)
		return E_NOMEM;
	free(s->remote_text);
	s->remote_text = text;
	s->remote_path = view_of(text, path.n);
	s->remote_id = uris[n - 1].session_id;
	if (s->remote_id.n)
		s->remote_id.p = text + (s->remote_id.p - path.p);
	s->next_hop = hop;
	s->next_hop_tls = uris[0].tls;
	return 0;
}

static int session_connect(struct msrp_session *s)
{
	struct msrp_agent *a = s->agent;
	struct msrp_conn *c = NULL;

	if (!s->next_hop.family || addr_is_any(&s->next_hop))
		return E_ADDRESS;
	if (s->share)
		c = msrp_conn_find(a, &s->next_hop, s->next_hop_tls);
	if (!c)
		c = msrp_conn_connect(a, &s->next_hop, s->next_hop_tls);
	if (!c)
		return E_IO;
	msrp_session_attach(s, c);
	msrp_session_set_state(s, SESSION_CONNECTING);
	/* on_open never comes before the call that asked for it returned. */
	if (c->up)
		timer_arm(a->timers, &s->timer, a->now_ms);
	return 0;
}

/* For the peer to come: now that both paths are known, not for ever. */
static void session_wait(struct msrp_session *s)
{
	msrp_session_set_state(s, SESSION_WAITING);
	timer_arm(s->agent->timers, &s->timer, s->agent->now_ms + s->agent->cfg.bind_timeout_ms);
}

static void session_init(struct msrp_session *s, struct msrp_agent *a,
			 const struct msrp_session_handler *handler, void *ctx)
{
	s->agent = a;
	s->handler = handler;
	s->ctx = ctx;
	s->state = SESSION_WAITING;
	list_init(&s->link);
	list_init(&s->conn_link);
	list_init(&s->ready_link);
	list_init(&s->messages);
	list_init(&s->unsent);
	list_init(&s->accepted);
	list_init(&s->requests);
	list_init(&s->partials);
	timer_init(&s->timer, session_timeout, s);
}

static int session_set_local(struct msrp_session *s, struct view uri)
{
	struct msrp_uri local;

	if (msrp_uri_parse(uri, &local) || view_empty(local.session_id))
		return E_SYNTAX;
	if (msrp_agent_session_by_id(s->agent, local.session_id))
		return E_EXISTS;
	s->local_text = view_dup(uri);
	if (!s->local_text)
		return E_NOMEM;
	s->local_uri = view_of(s->local_text, uri.n);
	s->local_tls = local.tls;
	s->local_id = view_of(s->local_text + (local.session_id.p - uri.p), local.session_id.n);
	return 0;
}

static int session_setup(struct msrp_session *s, const struct msrp_session_config *cfg)
{
	struct msrp_agent *a = s->agent;
	int rc = session_set_local(s, cfg->local_uri);

	if (!rc && !view_empty(cfg->remote_path)) {
		rc = msrp_session_set_remote(s, cfg->remote_path);
		s->path_given = true;
	}
	if (!rc)
		rc = msrp_session_set_fingerprint(s, cfg->fingerprint);
	if (rc)
		return rc;
	s->active = cfg->active;
	s->share = cfg->share;
	s->peer_max_size = cfg->peer_max_size;
	rc = hash_add(&a->sessions, &s->by_id, hash_bytes(&a->sessions, s->local_id));
	if (rc || !s->path_given)
		return rc;
	if (!s->active)
		session_wait(s);
	else
		rc = session_connect(s);
	if (rc)
		hash_del(&a->sessions, &s->by_id);
	return rc;
}

int msrp_session_new(struct msrp_agent *a, const struct msrp_session_config *cfg,
		     const struct msrp_session_handler *handler, void *ctx, uint64_t now_ms,
		     struct msrp_session **out)
{
	struct msrp_session *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return E_NOMEM;
	session_init(s, a, handler, ctx);
	msrp_agent_enter(a, now_ms);
	rc = a->dying ? E_STATE : session_setup(s, cfg);
	if (rc) {
		msrp_session_release(s);
	} else {
		list_add_tail(&a->all_sessions, &s->link);
		*out = s;
	}
	msrp_agent_leave(a);
	return rc;
}

static int session_begin(struct msrp_session *s, struct view remote_path, bool active)
{
	int rc;

	if (s->dead || s->finishing || s->state == SESSION_CONNECTING)
		return E_STATE;
	rc = msrp_session_set_remote(s, remote_path);
	if (rc)
		return rc;
	s->path_given = true;
	/* The peer was quicker than its answer: whoever was to connect, it is done. Unless it was
	 * somebody else. */
	if (s->state == SESSION_OPEN && msrp_session_trusts(s, s->conn))
		return 0;
	if (s->state == SESSION_OPEN) {
		struct msrp_conn *c = s->conn;

		msrp_session_detach(s);
		msrp_conn_check_use(c);
	}
	s->active = active;
	if (active)
		return session_connect(s);
	session_wait(s);
	return 0;
}

int msrp_session_start(struct msrp_session *s, struct view remote_path, bool active,
		       uint64_t peer_max_size, uint64_t now_ms)
{
	struct msrp_agent *a = s->agent;
	int rc;

	msrp_agent_enter(a, now_ms);
	rc = session_begin(s, remote_path, active);
	if (!rc)
		s->peer_max_size = peer_max_size;
	msrp_agent_leave(a);
	return rc;
}

int msrp_session_reconnect(struct msrp_session *s, bool resend, uint64_t now_ms)
{
	struct msrp_agent *a = s->agent;
	int rc = 0;

	if (s->dead || s->finishing || s->state != SESSION_DOWN || view_empty(s->remote_path))
		return E_STATE;
	msrp_agent_enter(a, now_ms);
	s->again = s->active;
	if (s->active)
		rc = session_connect(s);
	else
		session_wait(s);
	if (!rc && resend)
		msrp_session_messages_resend(s);
	msrp_agent_leave(a);
	return rc;
}

void msrp_session_settle(struct msrp_session *s)
{
	struct msrp_conn *c = s->conn;

	if (!s->finishing || s->finished || s->dead)
		return;
	if (!s->finish_now && s->state != SESSION_DOWN && s->n_outstanding > s->n_lost)
		return;
	s->finished = true;
	list_del(&s->ready_link);
	if (c && c->current && c->current->session == s)
		msrp_chunk_interrupt(c, '#');
	if (c && s->state == SESSION_OPEN) {
		msrp_conn_check_use(c);
		return;
	}
	if (c) {
		msrp_session_detach(s);
		msrp_conn_check_use(c);
	}
	timer_arm(s->agent->timers, &s->timer, s->agent->now_ms);
}

void msrp_session_finish(struct msrp_session *s, bool now, uint64_t now_ms)
{
	struct msrp_agent *a = s->agent;

	msrp_agent_enter(a, now_ms);
	s->finishing = true;
	if (now)
		s->finish_now = true;
	msrp_session_settle(s);
	msrp_agent_leave(a);
}

void msrp_session_kill(struct msrp_session *s)
{
	struct msrp_agent *a = s->agent;
	struct msrp_conn *c = s->conn;

	if (s->dead)
		return;
	s->dead = true;
	msrp_session_detach(s);
	if (c)
		msrp_conn_check_use(c);
	msrp_session_messages_free(s);
	msrp_session_partials_free(s);
	timer_cancel(a->timers, &s->timer);
	hash_del(&a->sessions, &s->by_id);
	list_del(&s->link);
	list_add_tail(&a->dead_sessions, &s->link);
}

void msrp_session_release(struct msrp_session *s)
{
	free(s->local_text);
	free(s->remote_text);
	free(s->fingerprint);
	free(s);
}

void msrp_session_free(struct msrp_session *s)
{
	struct msrp_agent *a;

	if (!s)
		return;
	a = s->agent;
	msrp_agent_enter(a, a->now_ms);
	msrp_session_kill(s);
	msrp_agent_leave(a);
}

bool msrp_session_is_open(const struct msrp_session *s)
{
	return s->state == SESSION_OPEN && !s->finishing;
}

void *msrp_session_handle(const struct msrp_session *s)
{
	return s->conn ? s->conn->handle : NULL;
}
