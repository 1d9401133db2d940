/* What confabd writes to its trace: SIP messages and MSRP bytes as they were on the wire. */
#include "confabd.h"

enum { BODY_NOTE_MAX = 32 };

/* Bodies of MESSAGE are what people write (RFC 3428); those of other requests are signalling. */
static struct view without_text(struct buf *b, struct view bytes)
{
	struct sip_msg m;

	if (sip_msg_parse(bytes, &m))
		return VIEW("[not SIP]");
	if (!m.is_request || m.method != SIP_MESSAGE || !m.body.n)
		return bytes;
	buf_put(b, view_first(bytes, (size_t)(m.body.p - bytes.p)));
	buf_putf(b, "[%zu bytes]", m.body.n);
	return buf_ok(b) ? buf_view(b) : VIEW("[MESSAGE]");
}

void confabd_trace_sip(void *ctx, bool out, const struct sip_flow *flow, struct view bytes)
{
	struct confabd *d = ctx;
	char local[ADDR_TEXT_MAX], remote[ADDR_TEXT_MAX];
	struct buf veiled;

	if (!d->trace || flow->transport == SIP_LOCAL)
		return;
	buf_init(&veiled, SIP_HEAD_BYTES_MAX + BODY_NOTE_MAX);
	bytes = d->cfg.trace.bodies ? bytes : without_text(&veiled, bytes);
	trace_write(
		d->trace, out ? '>' : '<', "sip",
		flow->transport == SIP_UDP   ? "udp"
		: flow->transport == SIP_TLS ? "tls"
					     : "tcp",
		addr_text(sip_stack_sent_by(d->stack, flow->transport, flow->remote.family), local),
		addr_text(&flow->remote, remote), bytes);
	buf_fini(&veiled);
}

void confabd_trace_msrp(void *ctx, bool tls, bool out, const struct addr *local,
			const struct addr *remote, struct view bytes)
{
	struct confabd *d = ctx;
	char here[ADDR_TEXT_MAX], there[ADDR_TEXT_MAX];

	trace_write(d->trace, out ? '>' : '<', "msrp", tls ? "tls" : "tcp", addr_text(local, here),
		    addr_text(remote, there), bytes);
}
