/* Server transactions: RFC 3261 §17.2 with the Accepted state of RFC 6026; merged requests of
 * §8.2.2.2. */
#include "sip/tx.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	TRYING_MS = 200, /* RFC 3261 §17.2.1: when an INVITE gets its 100 */
	NO_ROOM_S = 5,	 /* Retry-After where the table of transactions is full */
};

/* RFC 4320 §4.1: any other request gets one when the sender's timer E has come to T2, no sooner:
 * his retransmissions get scarce then. */
static uint64_t trying_ms(const struct sip_stack_config *cfg, enum sip_method method)
{
	uint64_t sum = 0;

	if (method == SIP_INVITE)
		return TRYING_MS;
	for (uint64_t e = cfg->t1_ms; e && e < cfg->t2_ms; e *= 2)
		sum += e;
	return sum;
}

static const char *const state_name[] = {"trying",    "proceeding", "completed",
					 "confirmed", "accepted",   "terminated"};

static void tx_free(struct sip_server_tx *tx)
{
	struct sip_stack *s = tx->stack;

	timer_cancel(s->timers, &tx->retransmit);
	timer_cancel(s->timers, &tx->life);
	hash_del(&s->server_tx, &tx->node);
	if (tx->uas)
		hash_del(&s->merged, &tx->merged_node);
	if (tx->h && tx->h->on_gone)
		tx->h->on_gone(tx->ctx, tx);
	free(tx->request);
	free(tx->response);
	free(tx);
}

void sip_server_tx_kill(struct sip_server_tx *tx)
{
	tx_free(tx);
}

static void drop_request(struct sip_server_tx *tx)
{
	free(tx->request);
	tx->request = NULL;
	tx->request_n = 0;
}

static void drop_response(struct sip_server_tx *tx)
{
	free(tx->response);
	tx->response = NULL;
	tx->response_n = 0;
}

/* The one place where a state changes: RFC 3261 figures 7 and 8, RFC 6026 §7.1. */
static void enter(struct sip_server_tx *tx, enum sip_server_state to, uint64_t now_ms)
{
	struct sip_stack *s = tx->stack;
	const struct sip_stack_config *cfg = &s->cfg;
	bool reliable = sip_reliable(tx->flow.transport);
	uint64_t long_wait = 64 * (uint64_t)cfg->t1_ms;

	log_line(s->log, LOG_DEBUG, "sip", "server transaction %.*s: %s -> %s",
		 VIEW_ARG(sip_method_text(tx->method)), state_name[tx->state], state_name[to]);
	tx->state = to;
	timer_cancel(s->timers, &tx->retransmit);
	switch (to) {
	case SIP_SERVER_TRYING:
		timer_arm(s->timers, &tx->retransmit, now_ms + trying_ms(cfg, tx->method));
		/* RFC 4320 §4.2: whoever asked has given up by then, and is told nothing any more.
		 */
		if (tx->method != SIP_INVITE)
			timer_arm(s->timers, &tx->life, now_ms + long_wait);
		break;
	case SIP_SERVER_PROCEEDING:
		break;
	case SIP_SERVER_COMPLETED:
		if (tx->unproven) {
			timer_arm(s->timers, &tx->life, now_ms + (tx->forgotten ? 0 : cfg->t4_ms));
			break;
		}
		if (tx->method == SIP_INVITE && !reliable) { /* timer G */
			tx->interval_ms = cfg->t1_ms;
			timer_arm(s->timers, &tx->retransmit, now_ms + tx->interval_ms);
		}
		/* timers H and J */
		timer_arm(s->timers, &tx->life,
			  now_ms + (tx->method == SIP_INVITE || !reliable ? long_wait : 0));
		break;
	case SIP_SERVER_CONFIRMED: /* timer I */
		timer_arm(s->timers, &tx->life, now_ms + (reliable ? 0 : cfg->t4_ms));
		break;
	case SIP_SERVER_ACCEPTED: /* timer L */
		timer_arm(s->timers, &tx->life, now_ms + long_wait);
		break;
	case SIP_SERVER_TERMINATED:
		tx_free(tx);
		break;
	}
}

static void transmit(struct sip_server_tx *tx, struct view bytes, uint64_t now_ms)
{
	struct sip_flow flow = tx->flow;
	struct sip_conn *c;

	/* RFC 3261 §18.2.2: the connection the request came on; when that is gone, a new one to the
	 * address the Via gives. */
	if (flow.transport == SIP_UDP) {
		flow.remote = tx->return_address;
	} else if (flow.transport != SIP_LOCAL && !sip_conn_find(tx->stack, flow.conn)) {
		flow.conn = 0;
		flow.remote = tx->return_address;
	}
	if (sip_stack_transmit(tx->stack, &flow, bytes, now_ms, &c))
		log_line(tx->stack->log, LOG_INFO, "sip", "a response could not be sent");
	else
		tx->flow.conn = flow.conn;
}

static void on_retransmit(void *ctx, uint64_t now_ms)
{
	struct sip_server_tx *tx = ctx;
	struct sip_stack *s = tx->stack;

	if (tx->state == SIP_SERVER_TRYING) {
		(void)sip_server_tx_reply(tx, 100, NULL, VIEW(""), now_ms);
		return;
	}
	transmit(tx, view_of(tx->response, tx->response_n), now_ms);
	tx->interval_ms = tx->interval_ms * 2 > s->cfg.t2_ms ? s->cfg.t2_ms : tx->interval_ms * 2;
	timer_arm(s->timers, &tx->retransmit, now_ms + tx->interval_ms);
}

/* The user has said his last word, and there was no memory for it. Nobody else would end the
 * transaction: a plain 500 is tried until it goes. */
static void owe_answer(struct sip_server_tx *tx, uint64_t now_ms)
{
	struct sip_stack *s = tx->stack;

	log_line(s->log, LOG_WARN, "sip", "no memory for an answer; a 500 follows");
	tx->owes = true;
	timer_arm(s->timers, &tx->life, now_ms + s->cfg.t1_ms);
}

static void on_life(void *ctx, uint64_t now_ms)
{
	struct sip_server_tx *tx = ctx;

	if (tx->owes && sip_server_tx_pending(tx)) {
		(void)sip_server_tx_reply(tx, 500, NULL, VIEW(""), now_ms);
		return;
	}
	if (tx->state == SIP_SERVER_COMPLETED && tx->method == SIP_INVITE && !tx->forgotten &&
	    tx->h && tx->h->on_unacknowledged)
		tx->h->on_unacknowledged(tx->ctx, tx, now_ms);
	enter(tx, SIP_SERVER_TERMINATED, now_ms);
}

static bool has_cookie(const struct sip_via *via)
{
	return view_starts(via->branch, VIEW(SIP_MAGIC)) && via->branch.n > sizeof(SIP_MAGIC) - 1;
}

/* What all keys begin with. Who sent it counts (RFC 3261 §22.1): ACK and CANCEL cannot be
 * challenged, and a retransmission from elsewhere would have the answer sent there. */
static void begin_key(struct buf *key, enum sip_method method, struct view name,
		      const struct sip_flow *from)
{
	buf_reset(key);
	buf_put_u64(key, method);
	if (method == SIP_METHOD_OTHER)
		buf_put(key, name);
	buf_putc(key, ' ');
	buf_put(key, addr_source(&from->remote));
	buf_putc(key, ' ');
}

static int put_branch(struct buf *key, const struct sip_via *via)
{
	buf_put(key, via->branch);
	buf_putc(key, ' ');
	for (size_t i = 0; i < via->host.n; i++) {
		char c = via->host.p[i];

		buf_putc(key, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
	}
	buf_putc(key, ':');
	buf_put_u64(key, via->port);
	return buf_ok(key) ? 0 : E_LIMIT;
}

/* What RFC 3261 §17.2.3 compares, and where it is from. ACK and CANCEL look for the INVITE. */
static int make_key(const struct sip_msg *m, const struct sip_flow *flow, enum sip_method method,
		    struct buf *key)
{
	struct sip_via via;
	struct sip_addr from;
	struct sip_cseq cseq;

	if (sip_msg_top_via(m, &via))
		return E_SYNTAX;
	begin_key(key, method, m->method_name, flow);
	if (has_cookie(&via))
		return put_branch(key, &via);
	/* RFC 2543 clients. */
	if (sip_msg_from(m, &from) || sip_msg_cseq(m, &cseq))
		return E_SYNTAX;
	buf_put(key, m->uri);
	buf_putc(key, ' ');
	buf_put(key, sip_addr_tag(&from));
	buf_putc(key, ' ');
	buf_put(key, sip_msg_value(m, SIP_H_CALL_ID));
	buf_putf(key, " %u ", cseq.number);
	buf_put(key, via.host);
	buf_putf(key, ":%u", via.port);
	buf_put(key, via.branch);
	return buf_ok(key) ? 0 : E_LIMIT;
}

static struct sip_server_tx *find(const struct sip_stack *s, struct view key)
{
	uint64_t h = hash_bytes(&s->server_tx, key);

	for (struct hash_node *n = hash_first(&s->server_tx, h); n; n = hash_next(n, h)) {
		struct sip_server_tx *tx = CONTAINER(n, struct sip_server_tx, node);

		if (view_eq(view_of(tx->key, tx->key_n), key))
			return tx;
	}
	return NULL;
}

struct sip_server_tx *sip_server_tx_of_branch(struct sip_stack *s, enum sip_method method,
					      const struct sip_via *via,
					      const struct sip_flow *from)
{
	begin_key(&s->key, method, VIEW(""), from);
	return put_branch(&s->key, via) == 0 ? find(s, buf_view(&s->key)) : NULL;
}

static struct sip_server_tx *tx_new(struct sip_stack *s, const struct sip_msg *m,
				    const struct sip_flow *from, struct view key)
{
	struct sip_server_tx *tx = calloc(1, sizeof(*tx) + key.n);

	if (!tx)
		return NULL;
	tx->stack = s;
	tx->method = m->method;
	tx->flow = *from;
	tx->key_n = key.n;
	memcpy(tx->key, key.p, key.n);
	timer_init(&tx->retransmit, on_retransmit, tx);
	timer_init(&tx->life, on_life, tx);
	sip_via_return_address(m, from, &tx->return_address);
	tx->request = malloc(m->raw.n);
	if (!tx->request || hash_add(&s->server_tx, &tx->node, hash_bytes(&s->server_tx, key))) {
		free(tx->request);
		free(tx);
		return NULL;
	}
	memcpy(tx->request, m->raw.p, m->raw.n);
	tx->request_n = m->raw.n;
	return tx;
}

static void refuse_for_now(struct sip_stack *s, const struct sip_msg *m,
			   const struct sip_flow *from, unsigned retry_after_s, uint64_t now_ms)
{
	char extra[40];

	(void)snprintf(extra, sizeof(extra), "Retry-After: %u\r\n", retry_after_s);
	sip_stack_reply_stateless(s, m, from, 503, NULL, view_str(extra), now_ms);
}

/* What is left is for the dialogs that there are: their BYEs are what makes room again. A request
 * that is passed on needs a transaction of either kind. */
static bool is_crowded(const struct sip_stack *s)
{
	size_t most = s->cfg.max_tx - s->cfg.max_tx / SIP_TX_RESERVE;

	return s->server_tx.n >= most || s->client_tx.n >= most;
}

/* 0, or for how many seconds a request is not wanted (RFC 3261 §21.5.4). Requests of dialogs go on,
 * and so does what this process sends itself. */
static unsigned unwanted(const struct sip_stack *s, const struct sip_msg *m,
			 const struct sip_flow *from)
{
	enum sip_header_id id = sip_msg_has(m, SIP_H_PROXY_AUTHORIZATION)
					? SIP_H_PROXY_AUTHORIZATION
					: SIP_H_AUTHORIZATION;
	struct sip_newcomer n = {
		.method = m->method, .credentials = sip_msg_value(m, id), .from = from};
	struct sip_addr to;

	if (sip_msg_to(m, &to) || sip_addr_tag(&to).n || from->transport == SIP_LOCAL)
		return 0;
	if (m->method != SIP_REGISTER && is_crowded(s))
		return NO_ROOM_S;
	return s->ops.admit && !s->admitted ? s->ops.admit(s->ops.ctx, &n) : 0;
}

static void receive_new(struct sip_stack *s, const struct sip_msg *m, const struct sip_flow *from,
			struct view key, uint64_t now_ms)
{
	unsigned wait_s = unwanted(s, m, from);
	struct sip_server_tx *tx = wait_s ? NULL : tx_new(s, m, from, key);

	if (!tx) {
		refuse_for_now(s, m, from, wait_s ? wait_s : NO_ROOM_S, now_ms);
		return;
	}
	enter(tx, SIP_SERVER_TRYING, now_ms);
	/* The user may answer at once; a transaction that ends inside the call must not vanish
	 * under us, so the short-lived ones end by their timer. */
	s->ops.on_request(s->ops.ctx, tx, m, now_ms);
	if (tx->forgotten)
		tx_free(tx);
}

/* A retransmission. It may come on a new connection when the old one broke, or by UDP after TCP:
 * the answer goes back the same way. */
static void repeat(struct sip_server_tx *tx, const struct sip_msg *m, const struct sip_flow *from,
		   uint64_t now_ms)
{
	tx->flow = *from;
	sip_via_return_address(m, from, &tx->return_address);
	if (tx->response && tx->state != SIP_SERVER_ACCEPTED && tx->state != SIP_SERVER_CONFIRMED)
		transmit(tx, view_of(tx->response, tx->response_n), now_ms);
}

/* Its own key stands in s->key, and makes room for the INVITE's and comes back. */
static void receive_cancel(struct sip_stack *s, const struct sip_msg *m,
			   const struct sip_flow *from, uint64_t now_ms)
{
	struct sip_server_tx *tx = find(s, buf_view(&s->key)), *invite;

	if (tx) {
		repeat(tx, m, from, now_ms);
		return;
	}
	invite = make_key(m, from, SIP_INVITE, &s->key) == 0 ? find(s, buf_view(&s->key)) : NULL;
	/* Anybody can send one that cancels nothing: none of them is kept. */
	if (!invite) {
		sip_stack_reply_stateless(s, m, from, 481, NULL, VIEW(""), now_ms);
		return;
	}
	tx = make_key(m, from, SIP_CANCEL, &s->key) == 0 ? tx_new(s, m, from, buf_view(&s->key))
							 : NULL;
	if (!tx) {
		refuse_for_now(s, m, from, NO_ROOM_S, now_ms);
		return;
	}
	/* RFC 3261 §9.2: the same To tag as in the answer to the INVITE. */
	(void)view_copy(sip_server_tx_to_tag(invite), tx->to_tag, sizeof(tx->to_tag));
	/* One that cannot be answered is not kept: it may come again. */
	if (sip_server_tx_reply(tx, 200, NULL, VIEW(""), now_ms))
		tx_free(tx);
	if (sip_server_tx_pending(invite) && invite->h && invite->h->on_cancel)
		invite->h->on_cancel(invite->ctx, invite, m, now_ms);
}

static void receive_ack(struct sip_stack *s, const struct sip_msg *m, const struct sip_flow *from,
			struct sip_server_tx *tx, uint64_t now_ms)
{
	if (tx && tx->state == SIP_SERVER_COMPLETED) {
		enter(tx, SIP_SERVER_CONFIRMED, now_ms);
		return;
	}
	/* Of what was refused without a transaction nothing is kept: RFC 3261 §8.2.7. */
	if (!tx && sip_stack_refused_stateless(s, m))
		return;
	/* One that has the INVITE's branch and comes before the final answer acknowledges nothing;
	 * after a 2xx it should have had a branch of its own. */
	if (tx && tx->state != SIP_SERVER_ACCEPTED)
		return;
	s->ops.on_ack(s->ops.ctx, m, from, now_ms);
}

void sip_server_tx_receive(struct sip_stack *s, const struct sip_msg *m,
			   const struct sip_flow *from, uint64_t now_ms)
{
	enum sip_method method = m->method == SIP_ACK ? SIP_INVITE : m->method;
	struct sip_server_tx *tx;
	struct buf *key = &s->key;

	if (make_key(m, from, method, key)) {
		sip_stack_reply_stateless(s, m, from, 400, "Via Too Long", VIEW(""), now_ms);
		return;
	}
	if (m->method == SIP_CANCEL) {
		receive_cancel(s, m, from, now_ms);
		return;
	}
	tx = find(s, buf_view(key));
	if (m->method == SIP_ACK)
		receive_ack(s, m, from, tx, now_ms);
	else if (tx)
		repeat(tx, m, from, now_ms);
	else
		receive_new(s, m, from, buf_view(key), now_ms);
}

void sip_server_tx_doubt(struct sip_server_tx *tx, const struct sip_msg *m)
{
	tx->unproven = true;
	/* By which the ACK of a stateless answer is known. */
	sip_stack_stateless_tag(tx->stack, m, tx->to_tag);
}

void sip_server_tx_prove(struct sip_server_tx *tx, uint64_t now_ms)
{
	struct sip_conn *c = sip_conn_find(tx->stack, tx->flow.conn);

	/* The tag of a dialog is nobody's to compute. */
	if (tx->unproven && sip_server_tx_pending(tx))
		tx->to_tag[0] = '\0';
	tx->unproven = false;
	if (c && !c->proven)
		sip_conn_prove(c, now_ms);
}

void sip_server_tx_attach(struct sip_server_tx *tx, const struct sip_server_handler *h, void *ctx)
{
	tx->h = h;
	tx->ctx = ctx;
}

/* What a retransmission of the request will be answered with. */
static int keep_response(struct sip_server_tx *tx, struct view response)
{
	char *copy = malloc(response.n ? response.n : 1);

	if (!copy)
		return E_NOMEM;
	memcpy(copy, response.p, response.n);
	free(tx->response);
	tx->response = copy;
	tx->response_n = response.n;
	return 0;
}

/* RFC 3261 §26.3.2.4: who has shown nothing leaves nothing behind. A 2xx is to a request of a
 * dialog, but for OPTIONS. */
static bool is_stateless(const struct sip_server_tx *tx, int status)
{
	return tx->unproven && (status >= 300 || (tx->method == SIP_OPTIONS && status >= 200));
}

static void forget(struct sip_server_tx *tx, uint64_t now_ms)
{
	tx->forgotten = true;
	drop_request(tx);
	drop_response(tx);
	enter(tx, SIP_SERVER_COMPLETED, now_ms);
}

static bool is_amplified(const struct sip_server_tx *tx, size_t n, int status)
{
	return tx->unproven && tx->flow.transport == SIP_UDP && status >= 200 &&
	       n > SIP_ANSWER_FACTOR * tx->request_n;
}

static int out_of_memory(struct sip_server_tx *tx, int status, uint64_t now_ms)
{
	if (status >= 200)
		owe_answer(tx, now_ms);
	return E_NOMEM;
}

int sip_server_tx_respond(struct sip_server_tx *tx, struct view response, int status,
			  uint64_t now_ms)
{
	bool accepts = tx->method == SIP_INVITE && status >= 200 && status < 300;

	if (tx->state == SIP_SERVER_ACCEPTED && accepts) {
		if (!response.n)
			return E_NOMEM;
		/* RFC 6026 §7.1: the user retransmits its 2xx itself. */
		transmit(tx, response, now_ms);
		return 0;
	}
	if (tx->state > SIP_SERVER_PROCEEDING)
		return E_STATE;
	if (tx->method != SIP_INVITE && status == 408) { /* RFC 4320 §4.2: MUST NOT be sent */
		drop_request(tx);
		drop_response(tx);
		enter(tx, SIP_SERVER_COMPLETED, now_ms);
		return 0;
	}
	/* There was no memory to write it. */
	if (!response.n)
		return out_of_memory(tx, status, now_ms);
	if (is_amplified(tx, response.n, status)) {
		log_line(tx->stack->log, LOG_DEBUG, "sip",
			 "a %d would be much longer than its request: dropped", status);
		forget(tx, now_ms);
		return 0;
	}
	if (is_stateless(tx, status)) {
		transmit(tx, response, now_ms);
		forget(tx, now_ms);
		return 0;
	}
	if (!accepts && keep_response(tx, response))
		return out_of_memory(tx, status, now_ms);
	transmit(tx, response, now_ms);
	if (status < 200) {
		if (tx->state == SIP_SERVER_TRYING)
			enter(tx, SIP_SERVER_PROCEEDING, now_ms);
		return 0;
	}
	drop_request(tx);
	/* Nothing is repeated any more, and an Accepted transaction lingers for half a minute. */
	if (accepts)
		drop_response(tx);
	enter(tx, accepts ? SIP_SERVER_ACCEPTED : SIP_SERVER_COMPLETED, now_ms);
	return 0;
}

struct view sip_server_tx_to_tag(struct sip_server_tx *tx)
{
	if (!tx->to_tag[0])
		entropy_token(tx->stack->entropy, tx->to_tag, SIP_TAG_CHARS);
	return view_str(tx->to_tag);
}

static bool says_server(struct view lines)
{
	while (lines.n)
		if (view_starts_nocase(view_cut(&lines, '\n'), VIEW("Server:")))
			return true;
	return false;
}

int sip_server_tx_reply(struct sip_server_tx *tx, int status, const char *reason, struct view extra,
			uint64_t now_ms)
{
	struct sip_msg m;
	struct buf b;
	int rc = sip_server_tx_request(tx, &m);

	if (rc)
		return rc;
	buf_init(&b, tx->stack->cfg.max_message);
	sip_write_response_head(&b, &m, status, reason,
				status > 100 ? sip_server_tx_to_tag(tx) : VIEW(""));
	if (status > 100 && !says_server(extra))
		sip_write_field(&b, "Server", tx->stack->cfg.server);
	buf_put(&b, extra);
	sip_write_body(&b, VIEW(""), VIEW(""));
	if (buf_ok(&b)) {
		rc = sip_server_tx_respond(tx, buf_view(&b), status, now_ms);
	} else {
		rc = E_NOMEM;
		if (status >= 200)
			owe_answer(tx, now_ms);
	}
	buf_fini(&b);
	return rc;
}

int sip_server_tx_request(const struct sip_server_tx *tx, struct sip_msg *out)
{
	if (!tx->request)
		return E_STATE;
	return sip_msg_parse(view_of(tx->request, tx->request_n), out);
}

const struct sip_flow *sip_server_tx_flow(const struct sip_server_tx *tx)
{
	return &tx->flow;
}

enum sip_method sip_server_tx_method(const struct sip_server_tx *tx)
{
	return tx->method;
}

struct sip_stack *sip_server_tx_stack(const struct sip_server_tx *tx)
{
	return tx->stack;
}

bool sip_server_tx_pending(const struct sip_server_tx *tx)
{
	return tx->state <= SIP_SERVER_PROCEEDING;
}

bool sip_server_tx_is_merged(struct sip_server_tx *tx)
{
	struct sip_stack *s = tx->stack;
	struct sip_msg m;
	struct sip_addr from, to;
	struct sip_cseq cseq;
	uint64_t h;

	if (tx->uas)
		return tx->merged;
	if (sip_server_tx_request(tx, &m) || sip_msg_from(&m, &from) || sip_msg_to(&m, &to) ||
	    sip_msg_cseq(&m, &cseq))
		return false;
	if (sip_addr_tag(&to).n)
		return false;
	/* 64 keyed bits stand for the three values: a chance hit needs 2^32 requests at once. */
	h = hash_bytes(&s->merged, sip_msg_value(&m, SIP_H_CALL_ID));
	h = hash_more(&s->merged, h ^ cseq.number, sip_addr_tag(&from));
	h = hash_more(&s->merged, h, m.method_name);
	tx->merged = hash_first(&s->merged, h) != NULL;
	if (hash_add(&s->merged, &tx->merged_node, h) == 0)
		tx->uas = true;
	return tx->merged;
}
