/* Where a request goes: RFC 3261 §16.5 and §16.6 step 7. */
#include "server/core/proxy.h"

#include "base/error.h"
#include "server/core/target.h"
#include "server/participating/b2bua.h"
#include "server/participating/ims_isc.h"
#include "server/participating/participate_proxy.h"

enum {
	BREADTH_DEFAULT = 60, /* RFC 5393 §5.3.3 */
	WAIT = 1,	      /* DNS has to be asked */
};

/* RFC 3261 §26.2.2, RFC 5630 §3.1: what is asked for by sips goes over TLS on each hop. */
static bool is_safe(const struct inbound *r, const struct sip_flow *to)
{
	return r->uri.scheme != SIP_SCHEME_SIPS || to->transport == SIP_TLS ||
	       to->transport == SIP_LOCAL;
}

/* Bindings of the user that take the request, by q then age. RFC 3841 §7.2.4: where implicit
 * preferences leave none, all are tried. */
static size_t choose(struct inbound *r, const struct location_aor *a, bool assume_im, bool all,
		     struct proxy_target *out, size_t max)
{
	size_t n = 0, i;

	LIST_EACH(l, tmp, &a->bindings)
	{
		const struct binding *b = binding_of(l);
		struct proxy_target t = {.uri = b->contact, .path = b->path, .q = b->q};

		if (n == max || (!all && !target_matches(r->m, b->params, assume_im, NULL)) ||
		    binding_flow(b, r->c->stack, &t.flow) || !is_safe(r, &t.flow))
			continue;
		/* The highest q first; of equal ones, as they stand. */
		for (i = n++; i > 0 && out[i - 1].q < t.q; i--)
			out[i] = out[i - 1];
		out[i] = t;
	}
	return n;
}

/* RFC 5393 §5.3.3. */
static bool fits_breadth(struct inbound *r, size_t n)
{
	uint32_t breadth;
	struct view v = sip_msg_value_named(r->m, VIEW("Max-Breadth"));

	if (v.n == 0 || view_to_u32(v, &breadth))
		breadth = BREADTH_DEFAULT;
	if (n <= breadth)
		return true;
	core_reply(r, 440, "Max-Breadth Exceeded", VIEW(""));
	return false;
}

static void to_user(struct inbound *r)
{
	struct core *c = r->c;
	struct view aor = buf_view(&c->target);
	struct proxy_target targets[PROXY_BRANCHES_MAX];
	struct location_aor *a;
	struct core_user user;
	bool assume;
	size_t n = 0;
	int rc = core_user_find(c, aor, &user);

	if (rc) {
		core_reply(r, rc == E_NOTFOUND ? 404 : 500, NULL, VIEW(""));
		return;
	}
	switch (participate_terminating(r, &user)) {
	case PARTICIPATION_B2BUA:
		b2bua_invite(r, B2BUA_TERMINATING);
		return;
	case PARTICIPATION_REFUSED:
		return;
	case PARTICIPATION_PROXY:
		break;
	}
	a = location_find(&c->location, aor);
	assume = participate_assumes(c, &user);
	if (a)
		n = choose(r, a, assume, false, targets, PROXY_BRANCHES_MAX);
	if (a && n == 0 && target_is_implicit(r->m))
		n = choose(r, a, assume, true, targets, PROXY_BRANCHES_MAX);
	if (n == 0) {
		core_reply(r, 480, NULL, VIEW(""));
		return;
	}
	if (fits_breadth(r, n))
		proxy_fork(r, targets, n, aor);
}

/* The user whom a request inside a dialog is sent to. */
static struct view dialog_peer(struct inbound *r)
{
	struct sip_uri to;

	if (sip_uri_parse(r->to_addr.uri, &to) || !core_aor(r->c, &to, &r->c->target))
		return VIEW("");
	return buf_view(&r->c->target);
}

/* A contact that somebody registered: over his connection. */
static bool to_binding(struct inbound *r, struct proxy_target *t, struct view *aor)
{
	const struct binding *b = location_by_contact(&r->c->location, &r->uri, dialog_peer(r));

	if (!b || binding_flow(b, r->c->stack, &t->flow))
		return false;
	*aor = view_of(b->aor->aor, b->aor->aor_n);
	return true;
}

/* No open relay: what leads to strangers must come from a user of ours, or belong to a dialog that
 * was set up through here. A trusted peer's word for somebody else's user is not enough; behind an
 * S-CSCF, whose users these are is its business. */
static bool may_leave(const struct inbound *r)
{
	if (r->from->transport == SIP_LOCAL || (r->c->cfg.ims.on && r->trusted))
		return true;
	return (r->who.asserted && r->sender_served) || (r->in_dialog && r->marked);
}

/* A domain whose server is known by configuration. */
static bool to_peer(const struct core *c, const struct sip_uri *next, struct sip_flow *flow)
{
	for (size_t i = 0; i < c->cfg.n_routes; i++) {
		const struct core_route *way = &c->cfg.routes[i];

		if (!view_eq_nocase(way->domain, next->host))
			continue;
		*flow = (struct sip_flow){.transport = way->tls ? SIP_TLS : SIP_UDP,
					  .remote = way->peer,
					  .may_grow = !way->tls};
		return true;
	}
	return false;
}

/* The host is a name: 0, WAIT, or the status to refuse with. */
static int resolve(struct inbound *r, const struct sip_uri *next, struct proxy_target *t)
{
	const struct core_ops *ops = &r->c->ops;
	struct sip_flow flow[1 + PROXY_SPARES_MAX];
	size_t n, safe = 0;

	if (!ops->resolve)
		return 404;
	switch (ops->resolve(ops->ctx, next, flow, 1 + PROXY_SPARES_MAX, &n, r->now_ms)) {
	case 0:
		break;
	case E_STATE:
		return WAIT;
	default:
		return 404;
	}
	for (size_t i = 0; i < n; i++)
		if (is_safe(r, &flow[i]))
			flow[safe++] = flow[i];
	if (!safe)
		return 416;
	t->flow = flow[0];
	t->n_spares = safe - 1;
	memcpy(t->spare, flow + 1, t->n_spares * sizeof(flow[0]));
	t->named = core_name_is_trusted(r->c, next->host);
	return 0;
}

/* 0 and the way; WAIT; or the status to refuse with. */
static int find_way(struct inbound *r, struct proxy_target *t, struct view *aor)
{
	struct sip_addr route;
	struct sip_uri next = r->uri;

	*t = (struct proxy_target){.uri = r->uri.text, .path = VIEW("")};
	*aor = VIEW("");
	if (!r->more_routes && to_binding(r, t, aor))
		return 0;
	if (!may_leave(r))
		return 403;
	if (r->more_routes &&
	    (sip_addr_parse(r->next_route, &route) || sip_uri_parse(route.uri, &next)))
		return 400;
	if (to_peer(r->c, &next, &t->flow)) {
		t->named = t->flow.transport == SIP_TLS && core_name_is_trusted(r->c, next.host);
		return is_safe(r, &t->flow) ? 0 : 416;
	}
	switch (sip_flow_of_uri(&next, &t->flow)) {
	case 0:
		return is_safe(r, &t->flow) ? 0 : 416;
	case E_UNSUPPORTED:
		return 416;
	default:
		if (ims_isc_way_back(r, &t->flow))
			return 0;
		return resolve(r, &next, t);
	}
}

void proxy_request(struct inbound *r)
{
	struct proxy_target t;
	struct view aor;
	int status;

	/* In IMS mode the users are the other core's. */
	if (!r->more_routes && !r->c->cfg.ims.on && core_aor(r->c, &r->uri, &r->c->target)) {
		to_user(r);
		return;
	}
	if (!r->more_routes && core_is_ours(r->c, &r->uri)) {
		core_reply(r, r->in_dialog ? 481 : 404, NULL, VIEW(""));
		return;
	}
	status = find_way(r, &t, &aor);
	if (status == WAIT)
		status = core_park(r) ? 503 : WAIT;
	if (status == WAIT)
		return;
	if (status)
		core_reply(r, status, NULL, VIEW(""));
	else
		proxy_fork(r, &t, 1, aor);
}

void proxy_ack(struct inbound *r)
{
	struct proxy_target t;
	struct view aor;

	if (!r->more_routes && core_is_ours(r->c, &r->uri))
		return;
	if (find_way(r, &t, &aor)) {
		core_note_ack(r, "an ACK leads nowhere: dropped");
		return;
	}
	proxy_compose_request(r, &t, 0);
	if (!buf_ok(&r->c->out) ||
	    sip_stack_send_ack(r->c->stack, buf_view(&r->c->out), &t.flow, r->now_ms))
		core_note_ack(r, "an ACK could not be sent");
}
