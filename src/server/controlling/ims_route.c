/* IMS mode: the focus's own requests go to the core (S-CSCF or I-CSCF), not through this process's
 * (PF-X-2). */
#include "server/controlling/focus.h"

#include "base/error.h"
#include "procedure/ims.h"

static int route_flow(const struct controlling *c, struct sip_flow *out)
{
	struct sip_uri u;
	int rc = sip_uri_parse(view_str(c->route), &u);

	return rc ? rc : sip_flow_of_uri(&u, out);
}

int focus_ims_next_hop(const struct controlling *c, struct view uri, struct sip_flow *out)
{
	struct sip_uri u;
	int rc = sip_uri_parse(uri, &u);

	if (rc)
		return rc;
	rc = sip_flow_of_uri(&u, out);
	/* Names are the core's to look up. */
	return rc == E_ADDRESS ? route_flow(c, out) : rc;
}

int focus_first_hop(const struct controlling *c, struct sip_invite *invite, struct buf *route,
		    struct buf *extra)
{
	char host[ADDR_TEXT_MAX];
	const struct addr *own;

	if (!c->route[0]) {
		invite->flow = (struct sip_flow){.transport = SIP_LOCAL};
		return 0;
	}
	own = sip_stack_sent_by(c->stack, SIP_LOCAL, 4);
	buf_putf(route, "<%s>", c->route);
	invite->routes = buf_view(route);
	ims_write_charging_vector(extra, sip_stack_entropy(c->stack),
				  view_str(addr_host(own, host)), view_str(c->ioi));
	return route_flow(c, &invite->flow);
}

void focus_write_charging(const struct controlling *c, struct buf *b, const struct sip_msg *request)
{
	/* In IMS mode who gets here is of the trust domain, or in a dialog that it has set up. */
	if (c->route[0])
		ims_write_charging_answer(b, request, view_str(c->ioi));
}
