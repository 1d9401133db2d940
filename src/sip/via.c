/* The topmost Via: written into requests, stamped into what arrives, read for the way back. */
#include "sip/tx.h"

#include "base/error.h"
#include "sip/grammar.h"

void sip_write_via(struct buf *b, const struct sip_stack *s, const struct sip_flow *flow,
		   struct view branch)
{
	char host[ADDR_TEXT_MAX];
	const struct addr *a = sip_stack_sent_by(s, flow->transport, flow->remote.family);

	/* LOCAL is no transport of the grammar; nobody outside sees this Via but as history. */
	buf_put(b, VIEW("Via: SIP/2.0/"));
	buf_puts(b, flow->transport == SIP_LOCAL ? "TCP" : sip_transport_text(flow->transport));
	buf_putc(b, ' ');
	buf_puts(b, addr_text(a, host));
	buf_put(b, VIEW(";branch="));
	buf_put(b, branch);
	buf_put(b, VIEW(";rport\r\n"));
}

/* Where the sent-by of a parsed Via ends and its parameters begin. */
static const char *sent_by_end(const struct sip_via *via, const char *end)
{
	struct view v =
		view_of(via->host.p + via->host.n, (size_t)(end - via->host.p) - via->host.n);

	if (via->params.n)
		return via->params.p;
	if (via->port && sip_take_char(&v, ':'))
		return v.p + sip_span(v, SIP_CHAR_DIGIT, 0);
	return via->host.p + via->host.n;
}

static void put_rport(struct buf *out, uint16_t port)
{
	buf_put(out, VIEW(";rport="));
	buf_put_u64(out, port);
}

int sip_via_stamp_value(struct buf *out, struct view around, const struct sip_via *via,
			const struct addr *from)
{
	struct addr sent_by;
	struct view rest = via->params, name, value;
	char host[ADDR_TEXT_MAX];
	const char *end = around.p + around.n, *at;
	bool differs;

	differs = addr_parse(via->host, from->port, &sent_by) || !addr_same_host(&sent_by, from);
	if (!differs && !via->rport && !via->received.n)
		return E_EXISTS;
	at = sent_by_end(via, end);
	buf_put(out, view_of(around.p, (size_t)(at - around.p)));
	addr_host(from, host);
	/* An IPv6 address stands here without brackets (RFC 3261 §25.1, via-received). */
	buf_put(out, VIEW(";received="));
	buf_put(out, view_of(host + (host[0] == '['), strcspn(host + (host[0] == '['), "]")));
	while (sip_param_next(&rest, &name, &value)) {
		const char *next = rest.n ? rest.p : via->params.p + via->params.n;

		/* What a sender says of its own address as seen from here is not for it to say. */
		if (view_eq_nocase(name, VIEW("rport")))
			put_rport(out, from->port);
		else if (!view_eq_nocase(name, VIEW("received")))
			buf_put(out, view_of(at, (size_t)(next - at)));
		at = next;
	}
	buf_put(out, view_of(at, (size_t)(end - at)));
	return buf_ok(out) ? 0 : E_LIMIT;
}

int sip_via_stamp(struct buf *out, const struct sip_msg *m, const struct addr *from)
{
	struct sip_via via;

	if (sip_msg_top_via(m, &via))
		return E_MISSING;
	buf_reset(out);
	return sip_via_stamp_value(out, m->raw, &via, from);
}

void sip_via_answer_to(const struct sip_via *via, const struct sip_flow *from, struct addr *out)
{
	*out = from->remote;
	if (from->transport == SIP_UDP && via->rport)
		return;
	out->port = via->port ? via->port : from->transport == SIP_TLS ? 5061 : 5060;
}

void sip_via_return_address(const struct sip_msg *m, const struct sip_flow *from, struct addr *out)
{
	struct sip_via via;

	if (from->transport == SIP_LOCAL || sip_msg_top_via(m, &via))
		*out = from->remote;
	else
		sip_via_answer_to(&via, from, out);
}
