/* Refusing under load: a request that is not let in is answered from its bytes. */
#include "base/error.h"
#include "sip/glance.h"
#include "sip/tx.h"
#include "sip/write.h"

static void put_line(struct buf *b, struct view name, struct view value)
{
	buf_put(b, name);
	buf_put(b, value);
	buf_put(b, VIEW("\r\n"));
}

static void write_503(struct sip_stack *s, struct buf *b, const struct sip_glance *g,
		      const struct sip_flow *from, unsigned retry_after_s)
{
	char tag[SIP_TAG_CHARS + 1];

	buf_put(b, VIEW("SIP/2.0 503 Service Unavailable\r\nVia: "));
	if (sip_via_stamp_value(b, g->via[0], &g->top, &from->remote) == E_EXISTS)
		buf_put(b, g->via[0]);
	buf_put(b, VIEW("\r\n"));
	for (unsigned i = 1; i < g->n_vias; i++)
		put_line(b, VIEW("Via: "), g->via[i]);
	put_line(b, VIEW("From: "), g->from);
	sip_stack_stateless_tag_of(s, g->call_id, g->from, g->top.branch, tag);
	buf_put(b, VIEW("To: "));
	buf_put(b, g->to);
	put_line(b, VIEW(";tag="), view_of(tag, SIP_TAG_CHARS));
	put_line(b, VIEW("Call-ID: "), g->call_id);
	put_line(b, VIEW("CSeq: "), g->cseq);
	put_line(b, VIEW("Server: "), s->cfg.server);
	buf_put(b, VIEW("Retry-After: "));
	buf_put_u64(b, retry_after_s);
	buf_put(b, VIEW("\r\nContent-Length: 0\r\n\r\n"));
}

/* What refuses the requests of one read goes with one write. */
static bool gather(struct sip_stack *s, const struct sip_flow *from, struct view bytes)
{
	if (s->gathers_for != from->conn || buf_reserve(&s->gathered, bytes.n))
		return false;
	if (s->ops.trace)
		s->ops.trace(s->ops.ctx, true, from, bytes);
	buf_put(&s->gathered, bytes);
	return true;
}

void sip_stack_gather_begin(struct sip_stack *s, const struct sip_conn *c)
{
	s->gathers_for = c->id;
}

void sip_stack_gather_end(struct sip_stack *s, const struct sip_conn *c_or_null)
{
	if (c_or_null && s->gathered.n)
		s->ops.write(s->ops.ctx, c_or_null->handle, buf_view(&s->gathered));
	s->gathers_for = 0;
	buf_reset(&s->gathered);
}

static void send_503(struct sip_stack *s, const struct sip_glance *g, size_t request_n,
		     const struct sip_flow *from, unsigned retry_after_s, uint64_t now_ms)
{
	struct buf *b = &s->scratch;
	struct sip_flow to = *from;

	buf_reset(b);
	write_503(s, b, g, from, retry_after_s);
	if (!buf_ok(b))
		return;
	if (from->transport != SIP_UDP) {
		if (!gather(s, from, buf_view(b)))
			(void)sip_stack_transmit(s, &to, buf_view(b), now_ms, NULL);
		return;
	}
	/* Nothing is known of who asks. */
	if (b->n > SIP_ANSWER_FACTOR * request_n)
		return;
	sip_via_answer_to(&g->top, from, &to.remote);
	if (!s->ops.udp_send_aside) {
		(void)sip_stack_transmit(s, &to, buf_view(b), now_ms, NULL);
		return;
	}
	if (s->ops.trace)
		s->ops.trace(s->ops.ctx, true, &to, buf_view(b));
	s->ops.udp_send_aside(s->ops.ctx, &to.remote, buf_view(b));
}

static bool is_new(const struct sip_glance *g)
{
	return !g->to_tag.n && g->method != SIP_CANCEL && g->method != SIP_REGISTER &&
	       g->method != SIP_OPTIONS && view_starts(g->top.branch, VIEW(SIP_MAGIC)) &&
	       g->top.branch.n > sizeof(SIP_MAGIC) - 1;
}

/* What was answered without a transaction is acknowledged all the same (RFC 3261 §8.2.7). */
static bool is_own_ack(const struct sip_stack *s, const struct sip_glance *g)
{
	char tag[SIP_TAG_CHARS + 1];

	if (g->to_tag.n != SIP_TAG_CHARS)
		return false;
	sip_stack_stateless_tag_of(s, g->call_id, g->from, g->top.branch, tag);
	return view_eq(g->to_tag, view_of(tag, SIP_TAG_CHARS));
}

bool sip_stack_refuse(struct sip_stack *s, struct view bytes, const struct sip_flow *from,
		      uint64_t now_ms)
{
	struct sip_newcomer n = {.from = from};
	struct sip_glance g;
	unsigned wait_s;

	if (from->transport == SIP_LOCAL || !s->ops.pressed || !s->ops.admit ||
	    !s->ops.pressed(s->ops.ctx) || !sip_glance(bytes, &g))
		return false;
	if (g.method == SIP_ACK)
		return is_own_ack(s, &g);
	/* A retransmission of what was let in is no newcomer. */
	if (!is_new(&g) || sip_server_tx_of_branch(s, g.method, &g.top, from))
		return false;
	n.method = g.method;
	n.credentials = g.credentials;
	wait_s = s->ops.admit(s->ops.ctx, &n);
	s->admitted = !wait_s;
	if (wait_s)
		send_503(s, &g, bytes.n, from, wait_s, now_ms);
	return wait_s != 0;
}
