/* What confabd writes to its trace: SIP messages and MSRP bytes as they were on the wire. */
#include "confabd.h"

void confabd_trace_sip(void *ctx, bool out, const struct sip_flow *flow, struct view bytes)
{
	struct confabd *d = ctx;
	char local[ADDR_TEXT_MAX], remote[ADDR_TEXT_MAX];

	if (!d->trace || flow->transport == SIP_LOCAL)
		return;
	trace_write(
		d->trace, out ? '>' : '<', "sip",
		flow->transport == SIP_UDP   ? "udp"
		: flow->transport == SIP_TLS ? "tls"
					     : "tcp",
		addr_text(sip_stack_sent_by(d->stack, flow->transport, flow->remote.family), local),
		addr_text(&flow->remote, remote), bytes);
}

void confabd_trace_msrp(void *ctx, bool tls, bool out, const struct addr *local,
			const struct addr *remote, struct view bytes)
{
	struct confabd *d = ctx;
	char here[ADDR_TEXT_MAX], there[ADDR_TEXT_MAX];

	trace_write(d->trace, out ? '>' : '<', "msrp", tls ? "tls" : "tcp", addr_text(local, here),
		    addr_text(remote, there), bytes);
}
