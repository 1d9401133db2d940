/* Route information preprocessing (RFC 3261 §16.4), also of ACKs. */
#include "server/core/state.h"

#include "base/error.h"
#include "server/participating/ims_isc.h"

/* A Route of ours has two values at most (RFC 5658), so no more are looked at: each costs the hash
 * of what its sender made as long as he liked. */
enum { COOKIES_MAX = 2 };

/* The user and domain of From or To, in the one form that all spellings of them share. */
static uint64_t hash_party(const struct inbound *r, uint64_t h, struct view text)
{
	struct buf *aor = &r->c->other;
	struct sip_uri u;

	buf_reset(aor);
	if (sip_uri_parse(text, &u) == 0 && u.scheme != SIP_SCHEME_OTHER) {
		u.scheme = SIP_SCHEME_SIP;
		sip_uri_aor(aor, &u);
	}
	return hash_more(&r->c->keyed, h, aor->n && buf_ok(aor) ? buf_view(aor) : text);
}

static void put_digits(uint64_t x, char *text, unsigned n)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

	while (n--) {
		text[n] = digits[x & 31];
		x >>= 5;
	}
}

struct view core_route_cookie(const struct inbound *r, bool turned, char *text)
{
	const struct hash *keyed = &r->c->keyed;
	const struct sip_addr *caller = turned ? &r->to_addr : &r->from_addr;
	const struct sip_addr *callee = turned ? &r->from_addr : &r->to_addr;
	uint64_t x = hash_bytes(keyed, sip_msg_value(r->m, SIP_H_CALL_ID));

	x = hash_more(keyed, x, sip_addr_tag(caller));
	x = hash_party(r, hash_party(r, x, caller->uri), callee->uri);
	put_digits(x, text, CORE_COOKIE_DIALOG);
	put_digits(hash_more(keyed, x, addr_source(&r->from->remote)), text + CORE_COOKIE_DIALOG,
		   CORE_COOKIE_CHARS - CORE_COOKIE_DIALOG);
	return view_of(text, CORE_COOKIE_CHARS);
}

/* A Route value or Request-URI that names this proxy. */
static bool is_own_route(const struct inbound *r, const struct sip_uri *u)
{
	const struct core *c = r->c;

	if (u->scheme != SIP_SCHEME_SIP && u->scheme != SIP_SCHEME_SIPS)
		return false;
	if (c->cfg.ims.on)
		return ims_isc_is_own_route(c, u, r->routes_taken == 0);
	return sip_stack_is_own(c->stack, u->host, u->port) ||
	       core_is_served_domain(c, u->host, u->port);
}

static void note_cookie(struct inbound *r, const struct sip_uri *u)
{
	char text[CORE_COOKIE_CHARS];
	struct view value, dialog, want;

	if (!sip_param(u->params, VIEW("ck"), &value))
		return;
	dialog = view_first(value, CORE_COOKIE_DIALOG);
	want = core_route_cookie(r, false, text);
	if (view_eq(dialog, view_first(want, CORE_COOKIE_DIALOG))) {
		r->marked = true;
		r->from_caller = r->from_caller || view_eq(value, want);
	}
	want = core_route_cookie(r, true, text);
	if (view_eq(dialog, view_first(want, CORE_COOKIE_DIALOG)))
		r->marked = true;
}

/* The B2BUA of this process says what it has done (no one else is believed). */
static void note_participation(struct inbound *r, const struct sip_uri *u)
{
	struct view value;

	if (r->from->transport != SIP_LOCAL || !sip_param(u->params, VIEW("pf"), &value) ||
	    !value.n)
		return;
	r->participated = value.p[0];
	r->b2bua_call = view_from(value, 1);
}

static int route_uri(struct view value, struct sip_uri *out)
{
	struct sip_addr a;

	if (sip_addr_parse(value, &a) || a.star || sip_uri_parse(a.uri, out))
		return E_SYNTAX;
	return 0;
}

/* What a strict router made of a Route that we record-routed: our own URI as Request-URI, and the
 * real one at the end of the Route. */
static int undo_strict_router(struct inbound *r)
{
	struct sip_values it;
	struct view value, last = VIEW("");

	if (r->uri.user.n || !sip_param(r->uri.params, VIEW("lr"), NULL) ||
	    !sip_stack_is_own(r->c->stack, r->uri.host, r->uri.port))
		return 0;
	sip_values_start(&it, r->m, SIP_H_ROUTE);
	while (sip_values_next(&it, &value))
		last = value;
	if (last.n == 0)
		return 0;
	note_cookie(r, &r->uri);
	r->last_route_taken = true;
	return route_uri(last, &r->uri);
}

int core_route_preprocess(struct inbound *r)
{
	struct sip_values it;
	struct view value, next;
	struct sip_uri u;
	bool more;

	if (sip_uri_parse(r->m->uri, &r->uri))
		return E_SYNTAX;
	if (!sip_msg_has(r->m, SIP_H_ROUTE))
		return 0;
	if (undo_strict_router(r))
		return E_SYNTAX;
	sip_values_start(&it, r->m, SIP_H_ROUTE);
	more = sip_values_next(&it, &value);
	while (more) {
		more = sip_values_next(&it, &next);
		if (!more && r->last_route_taken)
			break;
		if (route_uri(value, &u))
			return E_SYNTAX;
		/* Two in a row where the transports differ (RFC 5658). */
		if (!is_own_route(r, &u)) {
			r->more_routes = true;
			r->next_route = value;
			break;
		}
		if (r->routes_taken < COOKIES_MAX)
			note_cookie(r, &u);
		note_participation(r, &u);
		if (r->routes_taken++ == 0)
			r->own_route = u;
		value = next;
	}
	return 0;
}
