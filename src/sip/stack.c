/* The stack as a whole: set-up, datagrams, sending, messages inside the process. */
#include "sip/tx.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdlib.h>

enum { LOCAL_SPARE = 64, LOCAL_TURNS = 8, GATHERED_MAX = 65536 };

static const struct log_kind broken_messages = {LOG_INFO, "sip", "broken messages"};

struct local_message {
	struct list link;
	size_t n;
	char bytes[];
};

static void local_deliver(void *ctx, uint64_t now_ms);

void sip_stack_config_defaults(struct sip_stack_config *cfg)
{
	*cfg = (struct sip_stack_config){
		.t1_ms = 500,
		.t2_ms = 4000,
		.t4_ms = 5000,
		.udp_grow_at = 1300,
		.max_tx = 1000000,
		.max_conns = 20000,
		.max_message = 262144,
		.conn_idle_ms = 30000,
		.server = VIEW("Confab/" CONFAB_VERSION),
	};
}

struct sip_stack *sip_stack_new(const struct sip_stack_config *cfg, const struct sip_stack_ops *ops,
				struct timers *timers, const struct entropy *entropy,
				const struct log *log)
{
	struct sip_stack *s = calloc(1, sizeof(*s));
	uint64_t key[2];

	if (!s)
		return NULL;
	s->cfg = *cfg;
	s->ops = *ops;
	s->timers = timers;
	s->entropy = entropy;
	s->log = log;
	key[0] = entropy_u64(entropy);
	key[1] = entropy_u64(entropy);
	hash_init(&s->client_tx, cfg->max_tx, key);
	hash_init(&s->server_tx, cfg->max_tx, key);
	hash_init(&s->merged, cfg->max_tx, key);
	hash_init(&s->conn_id, cfg->max_conns, key);
	hash_init(&s->conn_addr, cfg->max_conns, key);
	list_init(&s->local);
	timer_init(&s->local_timer, local_deliver, s);
	buf_init(&s->scratch, cfg->max_message + 256);
	buf_init(&s->key, SIP_KEY_BYTES_MAX);
	buf_init(&s->gathered, GATHERED_MAX);
	return s;
}

static void kill_client(void *ctx, struct hash_node *node)
{
	(void)ctx;
	sip_client_tx_kill(CONTAINER(node, struct sip_client_tx, node));
}

static void kill_server(void *ctx, struct hash_node *node)
{
	(void)ctx;
	sip_server_tx_kill(CONTAINER(node, struct sip_server_tx, node));
}

void sip_stack_free(struct sip_stack *s)
{
	if (!s)
		return;
	hash_each(&s->client_tx, kill_client, s);
	hash_each(&s->server_tx, kill_server, s);
	sip_conns_close(s);
	log_quota_tell(&s->broken_told, s->log, &broken_messages);
	log_quota_tell(&s->closed_told, s->log, &sip_closed_connections);
	hash_fini(&s->client_tx);
	hash_fini(&s->server_tx);
	hash_fini(&s->merged);
	hash_fini(&s->conn_id);
	hash_fini(&s->conn_addr);
	LIST_EACH(l, next, &s->local)
	free(CONTAINER(l, struct local_message, link));
	timer_cancel(s->timers, &s->local_timer);
	buf_fini(&s->scratch);
	buf_fini(&s->key);
	buf_fini(&s->gathered);
	free(s);
}

const char *sip_transport_text(enum sip_transport t)
{
	static const char *const text[] = {"UDP", "TCP", "TLS", "LOCAL"};

	return text[t];
}

const struct entropy *sip_stack_entropy(const struct sip_stack *s)
{
	return s->entropy;
}

struct timers *sip_stack_timers(const struct sip_stack *s)
{
	return s->timers;
}

const struct log *sip_stack_log(const struct sip_stack *s)
{
	return s->log;
}

const struct sip_stack_config *sip_stack_get_config(const struct sip_stack *s)
{
	return &s->cfg;
}

size_t sip_stack_tx_count(const struct sip_stack *s)
{
	return s->client_tx.n + s->server_tx.n;
}

const struct addr *sip_stack_sent_by(const struct sip_stack *s, enum sip_transport t,
				     uint8_t family)
{
	/* Inside the process any own address will do: nobody connects to it. */
	unsigned first = t == SIP_LOCAL ? SIP_UDP : t, last = t == SIP_LOCAL ? SIP_TLS : t;
	unsigned f = family == 6;

	for (unsigned i = first; i <= last; i++)
		if (s->cfg.sent_by[i][f].family)
			return &s->cfg.sent_by[i][f];
	for (unsigned i = first; i <= last; i++)
		if (s->cfg.sent_by[i][!f].family)
			return &s->cfg.sent_by[i][!f];
	/* A client without a listener of this kind: what the datagram socket says. */
	return s->cfg.sent_by[SIP_UDP][f].family ? &s->cfg.sent_by[SIP_UDP][f]
						 : &s->cfg.sent_by[SIP_UDP][!f];
}

void sip_stack_set_sent_by(struct sip_stack *s, enum sip_transport t, const struct addr *a)
{
	memset(s->cfg.sent_by[t], 0, sizeof(s->cfg.sent_by[t]));
	if (a->family)
		s->cfg.sent_by[t][a->family == 6] = *a;
}

bool sip_stack_is_own(const struct sip_stack *s, struct view host, uint16_t port)
{
	struct addr a;

	if (addr_parse(host, port ? port : 5060, &a))
		return false;
	for (unsigned t = 0; t < 3; t++)
		for (unsigned f = 0; f < 2; f++)
			if (s->cfg.sent_by[t][f].family && addr_eq(&a, &s->cfg.sent_by[t][f]))
				return true;
	return false;
}

int sip_flow_of_uri(const struct sip_uri *u, struct sip_flow *out)
{
	struct sip_flow flow = {.transport = SIP_UDP, .may_grow = true};
	struct view v, host = u->host;
	int rc;

	if (u->scheme != SIP_SCHEME_SIP && u->scheme != SIP_SCHEME_SIPS)
		return E_UNSUPPORTED;
	if (sip_param(u->params, VIEW("maddr"), &v) && v.n)
		host = v;
	if (u->scheme == SIP_SCHEME_SIPS)
		flow.transport = SIP_TLS;
	if (sip_param(u->params, VIEW("transport"), &v)) {
		flow.may_grow = false;
		if (view_eq_nocase(v, VIEW("tcp")))
			flow.transport = flow.transport == SIP_TLS ? SIP_TLS : SIP_TCP;
		else if (view_eq_nocase(v, VIEW("tls")))
			flow.transport = SIP_TLS;
		else if (view_eq_nocase(v, VIEW("udp")))
			flow.may_grow = true;
		else
			return E_UNSUPPORTED;
	}
	rc = addr_parse(host,
			u->port			    ? u->port
			: flow.transport == SIP_TLS ? 5061
						    : 5060,
			&flow.remote);
	if (rc)
		return E_ADDRESS;
	*out = flow;
	return 0;
}

void sip_stack_stateless_tag_of(const struct sip_stack *s, struct view call_id, struct view from,
				struct view branch, char *tag)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint64_t h = hash_bytes(&s->server_tx, call_id);
	struct sip_addr a;

	h = hash_more(&s->server_tx, h, sip_addr_parse(from, &a) ? VIEW("") : sip_addr_tag(&a));
	h = hash_more(&s->server_tx, h, branch);
	for (int i = 0; i < SIP_TAG_CHARS; i++, h >>= 5)
		tag[i] = alphabet[h & 31];
	tag[SIP_TAG_CHARS] = '\0';
}

void sip_stack_stateless_tag(const struct sip_stack *s, const struct sip_msg *m, char *tag)
{
	/* What an ACK has in common with its INVITE (RFC 3261 §17.1.1.3). */
	sip_stack_stateless_tag_of(s, sip_msg_value(m, SIP_H_CALL_ID), sip_msg_value(m, SIP_H_FROM),
				   m->via_error ? VIEW("") : m->via.branch, tag);
}

bool sip_stack_refused_stateless(const struct sip_stack *s, const struct sip_msg *ack)
{
	char tag[SIP_TAG_CHARS + 1];
	struct sip_addr to;

	if (sip_msg_to(ack, &to))
		return false;
	sip_stack_stateless_tag(s, ack, tag);
	return view_eq(sip_addr_tag(&to), view_str(tag));
}

static void reply_stateless(struct sip_stack *s, const struct sip_msg *m,
			    const struct sip_flow *from, bool broken, int status,
			    const char *reason, struct view extra, uint64_t now_ms)
{
	struct buf b;
	char tag[SIP_TAG_CHARS + 1];
	struct sip_flow to = *from;
	struct sip_msg answer;

	/* Via, Call-ID and CSeq tell the sender which request it was; what else is missing is
	 * missing in the answer too (RFC 4475 §3.3.1). */
	if (!m->is_request || m->method == SIP_ACK || !sip_msg_has(m, SIP_H_VIA) ||
	    !sip_msg_has(m, SIP_H_CALL_ID) || !sip_msg_has(m, SIP_H_CSEQ))
		return;
	if (from->transport == SIP_UDP)
		sip_via_return_address(m, from, &to.remote);
	sip_stack_stateless_tag(s, m, tag);
	buf_init(&b, s->cfg.max_message);
	sip_write_response_head(&b, m, status, reason, view_str(tag));
	sip_write_field(&b, "Server", s->cfg.server);
	buf_put(&b, extra);
	sip_write_body(&b, VIEW(""), VIEW(""));
	/* Nothing is known of who asks. */
	if (from->transport == SIP_UDP && b.n > SIP_ANSWER_FACTOR * m->raw.n)
		b.failed = true;
	/* What it repeats of a broken request may be what is broken about it. */
	if (buf_ok(&b) && (!broken || sip_msg_parse(buf_view(&b), &answer) == 0))
		(void)sip_stack_transmit(s, &to, buf_view(&b), now_ms, NULL);
	buf_fini(&b);
}

void sip_stack_reply_stateless(struct sip_stack *s, const struct sip_msg *m,
			       const struct sip_flow *from, int status, const char *reason,
			       struct view extra, uint64_t now_ms)
{
	reply_stateless(s, m, from, false, status, reason, extra, now_ms);
}

/* Status to refuse a message with that does not parse; 0 for none. */
static int status_of_error(int rc, const char **reason)
{
	switch (rc) {
	case 0:
		return 0;
	case E_UNSUPPORTED:
		return 505;
	case E_LIMIT:
		return 513;
	case E_RANGE:
		*reason = "Body Shorter Than Content-Length";
		return 400;
	default:
		*reason = "Malformed Message";
		return 400;
	}
}

/* The status for a request that is larger than is taken here; 0 for none. */
static int status_of_size(const struct sip_stack_config *cfg, const struct sip_msg *m)
{
	if (cfg->max_uri && m->uri.n > cfg->max_uri)
		return 414;
	if ((cfg->max_head && m->head.n > cfg->max_head) ||
	    (cfg->max_fields && (size_t)m->n_fields > cfg->max_fields))
		return 513;
	return cfg->max_body && m->body.n > cfg->max_body ? 413 : 0;
}

void sip_stack_receive(struct sip_stack *s, struct view bytes, const struct sip_flow *from,
		       int refuse, const char *reason, uint64_t now_ms)
{
	struct sip_msg m;
	char text[ADDR_TEXT_MAX];
	int rc;

	if (s->ops.trace && from->transport != SIP_LOCAL)
		s->ops.trace(s->ops.ctx, false, from, bytes);
	s->admitted = from->transport == SIP_LOCAL;
	if (!refuse && sip_stack_refuse(s, bytes, from, now_ms))
		return;
	rc = sip_msg_parse(bytes, &m);
	if (!refuse)
		refuse = status_of_error(rc, &reason);
	if (!refuse)
		refuse = sip_msg_check(&m, &reason);
	if (!refuse && m.is_request && from->transport != SIP_LOCAL)
		refuse = status_of_size(&s->cfg, &m);
	if (refuse && log_quota_take(&s->broken_told, s->log, &broken_messages, now_ms))
		log_line(s->log, LOG_INFO, "sip", "broken message from %s: %d %s",
			 addr_text(&from->remote, text), refuse,
			 reason ? reason : sip_reason(refuse));
	if (!m.is_request) {
		if (!refuse)
			sip_client_tx_receive(s, &m, now_ms);
		return;
	}
	if (from->transport != SIP_LOCAL && sip_via_stamp(&s->scratch, &m, &from->remote) == 0)
		sip_msg_via_replaced(&m, buf_view(&s->scratch));
	if (refuse)
		reply_stateless(s, &m, from, true, refuse, reason, VIEW(""), now_ms);
	else if (rc == 0)
		sip_server_tx_receive(s, &m, from, now_ms);
}

/* RFC 5626 §8: each UDP port of SIP answers Binding requests. */
static void stun_receive(struct sip_stack *s, struct view bytes, const struct sip_flow *from,
			 uint64_t now_ms)
{
	struct stun m;
	struct buf b;

	if (stun_parse(bytes, &m) || m.method != STUN_BINDING)
		return;
	if (m.class == STUN_REQUEST) {
		buf_init(&b, STUN_BYTES_MAX);
		stun_write_answer(&b, &m, &from->remote);
		if (buf_ok(&b))
			s->ops.udp_send(s->ops.ctx, &from->remote, buf_view(&b));
		buf_fini(&b);
		return;
	}
	/* Only who was asked can know the id. */
	if (m.class == STUN_INDICATION || !s->ops.on_pong ||
	    memcmp(m.id, s->stun_id, sizeof(m.id)) != 0)
		return;
	s->ops.on_pong(s->ops.ctx, from, &m.mapped, now_ms);
}

void sip_stack_stun_ping(struct sip_stack *s, const struct addr *to, bool again)
{
	struct buf b;

	if (!again)
		s->entropy->fill(s->entropy->ctx, s->stun_id, sizeof(s->stun_id));
	buf_init(&b, STUN_BYTES_MAX);
	stun_write_request(&b, s->stun_id);
	if (buf_ok(&b))
		s->ops.udp_send(s->ops.ctx, to, buf_view(&b));
	buf_fini(&b);
}

void sip_stack_datagram(struct sip_stack *s, struct view bytes, const struct addr *from,
			uint64_t now_ms)
{
	struct sip_flow flow = {.transport = SIP_UDP, .remote = *from};

	if (stun_is(bytes)) {
		stun_receive(s, bytes, &flow, now_ms);
		return;
	}
	/* Keep-alives of RFC 5626 §3.5 and of the field: nothing but white space, or a zero byte or
	 * two. */
	if (view_trim(bytes).n < 8)
		return;
	sip_stack_receive(s, bytes, &flow, 0, NULL, now_ms);
	sip_stack_settle(s, now_ms);
}

static void local_deliver(void *ctx, uint64_t now_ms)
{
	struct sip_stack *s = ctx;
	struct sip_flow from = {.transport = SIP_LOCAL};
	struct list batch;

	from.remote = *sip_stack_sent_by(s, SIP_LOCAL, 4);
	/* Answers to these come with the next turn, so that a loop between users cannot hold the
	 * thread. */
	list_init(&batch);
	while (!list_empty(&s->local)) {
		struct list *l = s->local.next;

		list_del(l);
		list_add_tail(&batch, l);
	}
	while (!list_empty(&batch)) {
		struct local_message *m = CONTAINER(batch.next, struct local_message, link);

		list_del(&m->link);
		s->n_local--;
		sip_stack_receive(s, view_of(m->bytes, m->n), &from, 0, NULL, now_ms);
		free(m);
	}
}

void sip_stack_settle(struct sip_stack *s, uint64_t now_ms)
{
	for (int turn = 0; turn < LOCAL_TURNS && !list_empty(&s->local); turn++)
		local_deliver(s, now_ms);
}

static int local_send(struct sip_stack *s, struct view bytes, uint64_t now_ms)
{
	struct local_message *m;

	if (s->n_local >= s->cfg.max_tx + LOCAL_SPARE)
		return E_LIMIT;
	m = malloc(sizeof(*m) + bytes.n);
	if (!m)
		return E_NOMEM;
	s->n_local++;
	m->n = bytes.n;
	memcpy(m->bytes, bytes.p, bytes.n);
	list_add_tail(&s->local, &m->link);
	if (!timer_armed(&s->local_timer))
		timer_arm(s->timers, &s->local_timer, now_ms);
	return 0;
}

int sip_stack_transmit(struct sip_stack *s, struct sip_flow *flow, struct view bytes,
		       uint64_t now_ms, struct sip_conn **conn_out)
{
	struct sip_conn *c = NULL;

	if (conn_out)
		*conn_out = NULL;
	if (flow->transport == SIP_LOCAL)
		return local_send(s, bytes, now_ms);
	if (flow->transport == SIP_UDP) {
		/* What a peer wrote must not be told to a whole network. */
		if (!addr_is_unicast(&flow->remote))
			return E_ADDRESS;
		if (s->ops.trace)
			s->ops.trace(s->ops.ctx, true, flow, bytes);
		s->ops.udp_send(s->ops.ctx, &flow->remote, bytes);
		return 0;
	}
	c = sip_conn_find(s, flow->conn);
	if (!c)
		c = sip_conn_find(s,
				  sip_stack_conn_open(s, flow->transport, &flow->remote, now_ms));
	if (!c)
		return E_IO;
	flow->conn = c->id;
	if (s->ops.trace) {
		struct sip_flow wire = *flow;

		/* flow->remote is where to go without the connection; this goes over it. */
		wire.remote = c->remote;
		s->ops.trace(s->ops.ctx, true, &wire, bytes);
	}
	c->used_at_ms = now_ms;
	s->ops.write(s->ops.ctx, c->handle, bytes);
	if (conn_out)
		*conn_out = c;
	return 0;
}

static int write_ack(struct sip_stack *s, struct buf *b, struct view request,
		     const struct sip_flow *flow, struct view branch)
{
	size_t line = view_find(request, '\n', 0);

	buf_put(b, view_first(request, line + 1));
	sip_write_via(b, s, flow, branch);
	buf_put(b, view_from(request, line + 1));
	return buf_ok(b) ? 0 : E_NOMEM;
}

/* RFC 3261 §18.1.1. E_IO: by TCP it cannot be had. */
static int send_large_ack(struct sip_stack *s, struct view request, const struct sip_flow *to,
			  struct view branch, struct view by_udp, uint64_t now_ms)
{
	struct sip_flow flow = *to;
	struct sip_conn *c;
	struct buf b;
	int rc;

	flow.transport = SIP_TCP;
	flow.conn = 0;
	buf_init(&b, s->cfg.max_message);
	rc = write_ack(s, &b, request, &flow, branch);
	if (rc == 0)
		rc = sip_stack_transmit(s, &flow, buf_view(&b), now_ms, &c);
	buf_fini(&b);
	if (rc == 0 && !sip_conn_keep_ack(c, &to->remote, by_udp))
		rc = E_NOMEM;
	return rc;
}

int sip_stack_send_ack(struct sip_stack *s, struct view request, const struct sip_flow *to,
		       uint64_t now_ms)
{
	char branch[sizeof(SIP_MAGIC) + SIP_BRANCH_CHARS] = SIP_MAGIC;
	struct sip_flow flow = *to;
	struct buf b;
	int rc;

	if (view_find(request, '\n', 0) == request.n)
		return E_SYNTAX;
	entropy_token(s->entropy, branch + sizeof(SIP_MAGIC) - 1, SIP_BRANCH_CHARS);
	buf_init(&b, s->cfg.max_message);
	rc = write_ack(s, &b, request, &flow, view_str(branch));
	if (rc == 0 &&
	    !(flow.transport == SIP_UDP && flow.may_grow && b.n > s->cfg.udp_grow_at &&
	      send_large_ack(s, request, to, view_str(branch), buf_view(&b), now_ms) == 0))
		rc = sip_stack_transmit(s, &flow, buf_view(&b), now_ms, NULL);
	buf_fini(&b);
	return rc;
}
