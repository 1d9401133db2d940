/* Client transactions: RFC 3261 §17.1 with the Accepted state of RFC 6026, CANCEL of §9.1. */
#include "sip/tx.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdlib.h>

enum { RECONNECTS_MAX = 2, VIA_BYTES_MAX = 160 };

static const char *const state_name[] = {"calling", "proceeding", "completed", "accepted",
					 "terminated"};

static uint64_t branch_hash(const struct sip_stack *s, struct view branch, enum sip_method m)
{
	return hash_more(&s->client_tx, m, branch);
}

static void tx_free(struct sip_client_tx *tx)
{
	struct sip_stack *s = tx->stack;

	timer_cancel(s->timers, &tx->retransmit);
	timer_cancel(s->timers, &tx->life);
	list_del(&tx->on_conn);
	hash_del(&s->client_tx, &tx->node);
	if (tx->h && tx->h->on_gone)
		tx->h->on_gone(tx->ctx, tx);
	free(tx->request);
	free(tx->cancel_extra);
	free(tx);
}

void sip_client_tx_kill(struct sip_client_tx *tx)
{
	tx_free(tx);
}

/* The one place where a state changes: RFC 3261 figures 5 and 6, RFC 6026 §8.4. */
static void enter(struct sip_client_tx *tx, enum sip_client_state to, uint64_t now_ms)
{
	struct sip_stack *s = tx->stack;
	const struct sip_stack_config *cfg = &s->cfg;
	bool reliable = sip_reliable(tx->flow.transport);

	log_line(s->log, LOG_DEBUG, "sip", "client transaction %s: %s -> %s", tx->branch,
		 state_name[tx->state], state_name[to]);
	tx->state = to;
	switch (to) {
	case SIP_CLIENT_CALLING:
		tx->interval_ms = cfg->t1_ms;
		if (!reliable) /* timers A and E */
			timer_arm(s->timers, &tx->retransmit, now_ms + tx->interval_ms);
		timer_arm(s->timers, &tx->life, now_ms + 64 * (uint64_t)cfg->t1_ms); /* B and F */
		break;
	case SIP_CLIENT_PROCEEDING:
		if (tx->method == SIP_INVITE) {
			timer_cancel(s->timers, &tx->retransmit);
			if (!tx->cancelled)
				timer_cancel(s->timers, &tx->life);
		} else {
			tx->interval_ms = cfg->t2_ms;
		}
		break;
	case SIP_CLIENT_COMPLETED: /* timers D and K */
		timer_cancel(s->timers, &tx->retransmit);
		timer_arm(s->timers, &tx->life,
			  now_ms + (reliable		       ? 0
				    : tx->method == SIP_INVITE ? 64 * (uint64_t)cfg->t1_ms
							       : cfg->t4_ms));
		break;
	case SIP_CLIENT_ACCEPTED: /* timer M */
		timer_cancel(s->timers, &tx->retransmit);
		timer_arm(s->timers, &tx->life, now_ms + 64 * (uint64_t)cfg->t1_ms);
		break;
	case SIP_CLIENT_TERMINATED:
		tx_free(tx);
		break;
	}
}

static void fail(struct sip_client_tx *tx, int error, uint64_t now_ms)
{
	if (tx->h)
		tx->h->on_failed(tx->ctx, tx, error, now_ms);
	enter(tx, SIP_CLIENT_TERMINATED, now_ms);
}

/* Failure found while the user is still in its own call: told by the next timer run. */
static void fail_later(struct sip_client_tx *tx, int error, uint64_t now_ms)
{
	timer_cancel(tx->stack->timers, &tx->retransmit);
	tx->failing = true;
	tx->error = error;
	timer_arm(tx->stack->timers, &tx->life, now_ms);
}

static int transmit(struct sip_client_tx *tx, uint64_t now_ms)
{
	struct sip_conn *c;
	int rc = sip_stack_transmit(tx->stack, &tx->flow, view_of(tx->request, tx->request_n),
				    now_ms, &c);

	list_del(&tx->on_conn);
	if (c)
		list_add_tail(&c->client_txs, &tx->on_conn);
	return rc;
}

/* Puts our Via for the flow on top of `request`, replacing an earlier one of ours. */
static int compose(struct sip_client_tx *tx, struct view before, struct view after)
{
	struct buf b;
	size_t n, via_n = 0;
	char *bytes;

	if (before.n + after.n + VIA_BYTES_MAX > tx->stack->cfg.max_message)
		return E_LIMIT;
	buf_init(&b, tx->stack->cfg.max_message);
	if (buf_reserve(&b, before.n + after.n + VIA_BYTES_MAX) == 0) {
		buf_put(&b, before);
		sip_write_via(&b, tx->stack, &tx->flow, view_str(tx->branch));
		via_n = b.n - before.n;
		buf_put(&b, after);
	}
	bytes = buf_take(&b, &n);
	if (!bytes) {
		buf_fini(&b);
		return E_NOMEM;
	}
	free(tx->request);
	tx->request = bytes;
	tx->request_n = n;
	tx->via_at = before.n;
	tx->via_n = via_n;
	return 0;
}

/* Over 1300 bytes by TCP did not work out: UDP after all (RFC 3261 §18.1.1). */
static int shrink(struct sip_client_tx *tx, uint64_t now_ms)
{
	char *old = tx->request;
	struct view all = view_of(old, tx->request_n);
	int rc;

	tx->request = NULL;
	tx->grown = false;
	tx->flow.transport = SIP_UDP;
	tx->flow.conn = 0;
	rc = compose(tx, view_first(all, tx->via_at), view_from(all, tx->via_at + tx->via_n));
	free(old);
	if (rc)
		return rc;
	enter(tx, SIP_CLIENT_CALLING, now_ms);
	return transmit(tx, now_ms);
}

/* A broken connection: what was sent may or may not have arrived. The same bytes on a new
 * connection are a retransmission to whoever got them already. */
void sip_client_tx_conn_down(struct sip_client_tx *tx, bool was_up, uint64_t now_ms)
{
	int rc = E_IO;

	if (tx->state > SIP_CLIENT_PROCEEDING || tx->failing)
		return;
	tx->flow.conn = 0;
	if (tx->grown && tx->state == SIP_CLIENT_CALLING)
		rc = shrink(tx, now_ms);
	else if (was_up && tx->reconnects++ < RECONNECTS_MAX)
		rc = transmit(tx, now_ms);
	if (rc)
		fail_later(tx, rc, now_ms);
}

static void on_retransmit(void *ctx, uint64_t now_ms)
{
	struct sip_client_tx *tx = ctx;
	struct sip_stack *s = tx->stack;

	(void)transmit(tx, now_ms);
	tx->interval_ms *= 2;
	if (tx->method != SIP_INVITE && tx->interval_ms > s->cfg.t2_ms)
		tx->interval_ms = s->cfg.t2_ms;
	timer_arm(s->timers, &tx->retransmit, now_ms + tx->interval_ms);
}

static void on_life(void *ctx, uint64_t now_ms)
{
	struct sip_client_tx *tx = ctx;

	if (tx->failing)
		fail(tx, tx->error, now_ms);
	else if (tx->state <= SIP_CLIENT_PROCEEDING)
		fail(tx, E_TIMEOUT, now_ms);
	else
		enter(tx, SIP_CLIENT_TERMINATED, now_ms);
}

/* RFC 5393 §4.2.1: one part that is unique, and one that can be compared. */
static void make_branch(struct sip_client_tx *tx, struct view mark)
{
	char *unique = tx->branch + sizeof(SIP_MAGIC) - 1, *end = unique + SIP_BRANCH_CHARS;

	memcpy(tx->branch, SIP_MAGIC, sizeof(SIP_MAGIC));
	entropy_token(tx->stack->entropy, unique, SIP_BRANCH_CHARS);
	if (mark.n && mark.n <= SIP_MARK_CHARS) {
		*end++ = '.';
		memcpy(end, mark.p, mark.n);
	}
}

/* branch: NULL for one of our own making, with this mark. */
static int create(struct sip_stack *s, struct view request, const struct sip_flow *to,
		  const char *branch, struct view mark, uint64_t now_ms,
		  struct sip_client_tx **tx_out)
{
	size_t line = view_find(request, '\n', 0), space = view_find(request, ' ', 0);
	struct sip_client_tx *tx;
	int rc;

	if (line == request.n || space == 0 || space > line)
		return E_SYNTAX;
	if (to->transport != SIP_LOCAL && (!to->remote.family || !to->remote.port))
		return E_ADDRESS;
	tx = calloc(1, sizeof(*tx));
	if (!tx)
		return E_NOMEM;
	tx->stack = s;
	tx->flow = *to;
	tx->method = sip_method_of(view_first(request, space));
	list_init(&tx->on_conn);
	timer_init(&tx->retransmit, on_retransmit, tx);
	timer_init(&tx->life, on_life, tx);
	if (branch)
		memcpy(tx->branch, branch, sizeof(tx->branch));
	else
		make_branch(tx, mark);
	rc = compose(tx, view_first(request, line + 1), view_from(request, line + 1));
	/* RFC 3261 §18.1.1 */
	if (rc == 0 && to->transport == SIP_UDP && to->may_grow &&
	    tx->request_n > s->cfg.udp_grow_at) {
		tx->grown = true;
		tx->flow.transport = SIP_TCP;
		rc = compose(tx, view_first(request, line + 1), view_from(request, line + 1));
	}
	if (rc == 0)
		rc = hash_add(&s->client_tx, &tx->node,
			      branch_hash(s, view_str(tx->branch), tx->method));
	if (rc) {
		free(tx->request);
		free(tx);
		return rc;
	}
	enter(tx, SIP_CLIENT_CALLING, now_ms);
	rc = transmit(tx, now_ms);
	if (rc && tx->grown)
		rc = shrink(tx, now_ms);
	if (rc)
		fail_later(tx, rc, now_ms);
	*tx_out = tx;
	return 0;
}

int sip_client_tx_new(struct sip_stack *s, struct view request, const struct sip_flow *to,
		      const struct sip_client_handler *h, void *ctx, uint64_t now_ms,
		      struct sip_client_tx **tx_out)
{
	return sip_client_tx_new_marked(s, request, to, VIEW(""), h, ctx, now_ms, tx_out);
}

int sip_client_tx_new_marked(struct sip_stack *s, struct view request, const struct sip_flow *to,
			     struct view mark, const struct sip_client_handler *h, void *ctx,
			     uint64_t now_ms, struct sip_client_tx **tx_out)
{
	struct sip_client_tx *tx;
	int rc = create(s, request, to, NULL, mark, now_ms, &tx);

	if (rc)
		return rc;
	tx->h = h;
	tx->ctx = ctx;
	if (tx_out)
		*tx_out = tx;
	return 0;
}

/* RFC 3261 §17.1.1.3: the ACK of a non-2xx, within the INVITE's own transaction. False: no memory,
 * and nothing to send. */
static bool make_ack(struct sip_client_tx *tx, const struct sip_msg *response)
{
	struct sip_msg invite;
	struct sip_cseq cseq;
	struct buf b;
	size_t n;
	char *bytes;

	if (sip_msg_parse(view_of(tx->request, tx->request_n), &invite) ||
	    sip_msg_cseq(&invite, &cseq))
		return false;
	buf_init(&b, tx->stack->cfg.max_message);
	sip_write_request_line(&b, VIEW("ACK"), invite.uri);
	buf_put(&b, view_of(tx->request + tx->via_at, tx->via_n));
	sip_write_copy(&b, &invite, SIP_H_ROUTE);
	sip_write_copy(&b, &invite, SIP_H_FROM);
	sip_write_copy(&b, response, SIP_H_TO);
	sip_write_copy(&b, &invite, SIP_H_CALL_ID);
	sip_write_fieldf(&b, "CSeq", "%u ACK", cseq.number);
	sip_write_field(&b, "Max-Forwards", VIEW("70"));
	sip_write_body(&b, VIEW(""), VIEW(""));
	bytes = buf_take(&b, &n);
	if (!bytes) {
		buf_fini(&b);
		return false;
	}
	free(tx->request);
	tx->request = bytes;
	tx->request_n = n;
	tx->acknowledged = true;
	return true;
}

static void send_cancel(struct sip_client_tx *tx, uint64_t now_ms)
{
	struct sip_client_tx *cancel;
	struct sip_stack *s = tx->stack;
	struct sip_msg invite;
	struct sip_cseq cseq;
	struct sip_flow flow = tx->flow;
	struct buf b;

	tx->cancelled = true;
	/* RFC 3261 §9.1: no final answer in 64*T1 counts as cancelled. */
	timer_arm(s->timers, &tx->life, now_ms + 64 * (uint64_t)s->cfg.t1_ms);
	if (sip_msg_parse(view_of(tx->request, tx->request_n), &invite) ||
	    sip_msg_cseq(&invite, &cseq))
		return;
	buf_init(&b, s->cfg.max_message);
	sip_write_request_line(&b, VIEW("CANCEL"), invite.uri);
	sip_write_copy(&b, &invite, SIP_H_ROUTE);
	sip_write_copy(&b, &invite, SIP_H_FROM);
	sip_write_copy(&b, &invite, SIP_H_TO);
	sip_write_copy(&b, &invite, SIP_H_CALL_ID);
	sip_write_fieldf(&b, "CSeq", "%u CANCEL", cseq.number);
	sip_write_field(&b, "Max-Forwards", VIEW("70"));
	buf_puts(&b, tx->cancel_extra ? tx->cancel_extra : "");
	sip_write_body(&b, VIEW(""), VIEW(""));
	/* The CANCEL has the branch of what it cancels; its method keeps the two apart. */
	flow.may_grow = false;
	if (buf_ok(&b))
		(void)create(s, buf_view(&b), &flow, tx->branch, VIEW(""), now_ms, &cancel);
	buf_fini(&b);
}

void sip_client_tx_cancel(struct sip_client_tx *tx, struct view extra, uint64_t now_ms)
{
	if (tx->method != SIP_INVITE || tx->cancel_wanted || tx->failing ||
	    tx->state > SIP_CLIENT_PROCEEDING)
		return;
	tx->cancel_wanted = true;
	if (extra.n)
		tx->cancel_extra = view_dup(extra);
	if (tx->state == SIP_CLIENT_PROCEEDING)
		send_cancel(tx, now_ms);
}

void sip_client_tx_detach(struct sip_client_tx *tx)
{
	tx->h = NULL;
	tx->ctx = NULL;
}

const struct sip_flow *sip_client_tx_flow(const struct sip_client_tx *tx)
{
	return &tx->flow;
}

struct view sip_client_tx_request(const struct sip_client_tx *tx)
{
	return view_of(tx->request, tx->request_n);
}

static struct sip_client_tx *find(const struct sip_stack *s, const struct sip_msg *m)
{
	struct sip_via via;
	struct sip_cseq cseq;
	enum sip_method method;
	struct hash_node *n;
	uint64_t h;

	if (sip_msg_top_via(m, &via) || sip_msg_cseq(m, &cseq))
		return NULL;
	method = sip_method_of(cseq.method);
	h = branch_hash(s, via.branch, method);
	for (n = hash_first(&s->client_tx, h); n; n = hash_next(n, h)) {
		struct sip_client_tx *tx = CONTAINER(n, struct sip_client_tx, node);

		if (tx->method == method && view_eq(view_str(tx->branch), via.branch))
			return tx;
	}
	return NULL;
}

static void tell(struct sip_client_tx *tx, const struct sip_msg *m, uint64_t now_ms)
{
	if (tx->h)
		tx->h->on_response(tx->ctx, tx, m, now_ms);
}

static void receive_provisional(struct sip_client_tx *tx, const struct sip_msg *m, uint64_t now_ms)
{
	if (tx->state > SIP_CLIENT_PROCEEDING)
		return;
	if (tx->state == SIP_CLIENT_CALLING)
		enter(tx, SIP_CLIENT_PROCEEDING, now_ms);
	if (tx->cancel_wanted && !tx->cancelled)
		send_cancel(tx, now_ms);
	if (m->status > 100)
		tell(tx, m, now_ms);
}

/* Nothing sends it any more, and the transaction lingers for up to half a minute. */
static void drop_request(struct sip_client_tx *tx)
{
	free(tx->request);
	tx->request = NULL;
	tx->request_n = 0;
}

static void receive_final(struct sip_client_tx *tx, const struct sip_msg *m, uint64_t now_ms)
{
	if (tx->method == SIP_INVITE && m->status < 300) {
		if (tx->state > SIP_CLIENT_PROCEEDING && tx->state != SIP_CLIENT_ACCEPTED)
			return;
		if (tx->state != SIP_CLIENT_ACCEPTED) {
			list_del(&tx->on_conn);
			enter(tx, SIP_CLIENT_ACCEPTED, now_ms);
		}
		tell(tx, m, now_ms);
		drop_request(tx);
		return;
	}
	if (tx->method == SIP_INVITE) {
		if (tx->state == SIP_CLIENT_COMPLETED) {
			if (tx->acknowledged || make_ack(tx, m))
				(void)transmit(tx, now_ms); /* the ACK again */
			return;
		}
		if (tx->state > SIP_CLIENT_PROCEEDING)
			return;
		if (make_ack(tx, m))
			(void)transmit(tx, now_ms);
	} else if (tx->state > SIP_CLIENT_PROCEEDING) {
		return;
	}
	list_del(&tx->on_conn);
	enter(tx, SIP_CLIENT_COMPLETED, now_ms);
	tell(tx, m, now_ms);
	if (tx->method != SIP_INVITE)
		drop_request(tx);
}

void sip_client_tx_receive(struct sip_stack *s, const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_client_tx *tx = find(s, m);

	if (!tx || tx->failing) {
		log_line(s->log, LOG_DEBUG, "sip", "a response %u without a transaction: dropped",
			 m->status);
		return;
	}
	if (m->status < 200)
		receive_provisional(tx, m, now_ms);
	else
		receive_final(tx, m, now_ms);
}
