#include "server/participating/ims_isc.h"

#include "procedure/participate.h"
#include "server/participating/b2bua.h"
#include "server/participating/ims_register.h"

bool ims_isc_is_own_route(const struct core *c, const struct sip_uri *u, bool topmost)
{
	struct addr numeric;

	if (sip_stack_is_own(c->stack, u->host, u->port))
		return true;
	/* Another application server may use the same user parts at its own address. */
	if (!topmost || addr_parse(u->host, 5060, &numeric) == 0 || u->user.n == 0)
		return false;
	return view_eq(u->user, c->cfg.ims.orig_user) || view_eq(u->user, c->cfg.ims.term_user);
}

/* The address-of-record of a URI, in c->served; "" for one without. */
static struct view aor_of_uri(struct inbound *r, struct view uri)
{
	struct sip_uri u;

	buf_reset(&r->c->served);
	if (sip_uri_parse(uri, &u) == 0 && u.user.n &&
	    (u.scheme == SIP_SCHEME_SIP || u.scheme == SIP_SCHEME_SIPS)) {
		u.scheme = SIP_SCHEME_SIP;
		u.port = 0;
		sip_uri_aor(&r->c->served, &u);
	}
	return buf_ok(&r->c->served) ? buf_view(&r->c->served) : VIEW("");
}

void ims_isc_read(struct inbound *r)
{
	const struct ims_config *ims = &r->c->cfg.ims;
	struct ims_served_user served;

	r->ims = (struct ims_isc){.side = IMS_SIDE_NONE};
	/* What the B2BUA sends on has had its turn. */
	if (!r->trusted || r->in_dialog || r->routes_taken == 0 || r->participated)
		return;
	r->ims.side = ims_side_of_route(&r->own_route, ims->orig_user, ims->term_user);
	if (ims_served_user_read(r->m, &served) == 0) {
		if (served.side != IMS_SIDE_NONE)
			r->ims.side = served.side;
		r->ims.regstate = served.regstate;
		r->ims.served = aor_of_uri(r, served.uri);
	}
	/* What is not marked as originating and goes on elsewhere is for the one it is sent to. */
	if (r->ims.side == IMS_SIDE_NONE && r->more_routes)
		r->ims.side = IMS_SIDE_TERM;
	if (r->ims.side == IMS_SIDE_ORIG && r->ims.served.n == 0 && r->who.asserted)
		r->ims.served = r->who.uri;
	if (r->ims.side == IMS_SIDE_TERM && r->ims.served.n == 0)
		r->ims.served = aor_of_uri(r, r->uri.text);
	/* What no P-Served-User says, a third-party REGISTER may have said. */
	if (r->ims.regstate == IMS_REGSTATE_UNKNOWN &&
	    ims_served_has(r->c->served_users, r->ims.served))
		r->ims.regstate = IMS_REGISTERED;
}

void ims_isc_user(const struct inbound *r, struct core_user *out)
{
	struct core_user found;

	*out = (struct core_user){.im_tag = CORE_IM_DEFAULT};
	if (r->ims.served.n && core_user_find(r->c, r->ims.served, &found) == 0)
		*out = found;
}

enum participation ims_isc_participate(struct inbound *r)
{
	enum participation chosen;
	struct core_user user;
	bool to_function;

	if (r->ims.side == IMS_SIDE_NONE || !participate_concerns(r->m))
		return PARTICIPATION_PROXY;
	to_function = r->c->ops.is_local(r->c->ops.ctx, &r->uri);
	/* PF-9.1.1-8: a REFER to a conference is the controlling function's alone. */
	if (r->m->method == SIP_REFER && to_function)
		return PARTICIPATION_PROXY;
	ims_isc_user(r, &user);
	chosen = participate_check(r, &user, false);
	/* The switch is in the media path of a conference anyway. */
	return chosen == PARTICIPATION_B2BUA && to_function ? PARTICIPATION_PROXY : chosen;
}

bool ims_isc_way_back(const struct inbound *r, struct sip_flow *flow)
{
	if (!r->c->cfg.ims.on || !r->trusted || !r->more_routes)
		return false;
	if (r->from->transport != SIP_LOCAL)
		*flow = *r->from;
	else if (!r->c->b2bua || !b2bua_near_flow(r->c->b2bua, r->b2bua_call, flow))
		return false;
	flow->may_grow = flow->transport == SIP_UDP;
	return true;
}
