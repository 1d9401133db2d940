/*
 * What a proxy changes in a message that it passes on: RFC 3261 §16.6, §16.7; RFC 3325 §5. All
 * else goes through byte by byte.
 */
#include "server/core/proxy.h"

#include "sip/write.h"

enum { HOPS_DEFAULT = 70 };

/* A message copied in runs, with some of its header fields left out. */
struct copying {
	struct buf *out;
	const struct sip_msg *m;
	size_t from; /* first byte not yet copied */
};

static size_t field_end(const struct sip_msg *m, int i)
{
	size_t end = m->head.n;

	if (i + 1 < m->n_fields)
		return m->field[i + 1].name_at;
	/* The empty line is not the last field's. */
	return end >= 2 && m->raw.p[end - 2] == '\r' ? end - 2 : end - 1;
}

static void copy_begin(struct copying *c, struct buf *out, const struct sip_msg *m)
{
	c->out = out;
	c->m = m;
	c->from = m->n_fields ? m->field[0].name_at : 0;
}

static void copy_without(struct copying *c, int field)
{
	size_t at = c->m->field[field].name_at;

	buf_put(c->out, view_of(c->m->raw.p + c->from, at - c->from));
	c->from = field_end(c->m, field);
}

static void copy_end(struct copying *c)
{
	size_t end = field_end(c->m, c->m->n_fields - 1);

	if (end > c->from)
		buf_put(c->out, view_of(c->m->raw.p + c->from, end - c->from));
	/* A stream needs it (RFC 3261 §18.3), and the next hop may be one. */
	if (!sip_msg_has(c->m, SIP_H_CONTENT_LENGTH)) {
		buf_puts(c->out, "Content-Length: ");
		buf_put_u64(c->out, c->m->body.n);
		buf_puts(c->out, "\r\n");
	}
	buf_puts(c->out, "\r\n");
	buf_put(c->out, c->m->body);
}

/* --- requests --- */

static void put_record_route(struct inbound *r, enum sip_transport t, const struct addr *own)
{
	static const char *const param[] = {"", ";transport=tcp", ";transport=tls", ""};
	char host[ADDR_TEXT_MAX], cookie[CORE_COOKIE_CHARS];
	struct buf *b = &r->c->out;

	buf_puts(b,
		 r->uri.scheme == SIP_SCHEME_SIPS ? "Record-Route: <sips:" : "Record-Route: <sip:");
	buf_puts(b, addr_text(own, host));
	buf_puts(b, param[t]);
	buf_put(b, VIEW(";lr;ck="));
	buf_put(b, core_route_cookie(r, false, cookie));
	buf_put(b, VIEW(">\r\n"));
}

static bool may_record_route(const struct sip_msg *m)
{
	return m->method == SIP_INVITE || m->method == SIP_SUBSCRIBE || m->method == SIP_REFER;
}

/* PF-9.1.2-3. Where the transports of the two sides differ, each side sees an address it can use
 * (RFC 5658); the one on top is for the next hop. */
static void put_record_routes(struct inbound *r, const struct sip_flow *to)
{
	const struct sip_stack *s = r->c->stack;
	const struct addr *far_own = sip_stack_sent_by(s, to->transport, to->remote.family);
	const struct addr *near_own;

	put_record_route(r, to->transport, far_own);
	if (r->from->transport == SIP_LOCAL)
		return;
	near_own = sip_stack_sent_by(s, r->from->transport, r->from->remote.family);
	if (r->from->transport != to->transport || !addr_eq(near_own, far_own))
		put_record_route(r, r->from->transport, near_own);
}

static bool is_loose(struct view route)
{
	struct sip_addr a;
	struct sip_uri u;

	return sip_addr_parse(route, &a) || sip_uri_parse(a.uri, &u) ||
	       sip_param(u.params, VIEW("lr"), NULL);
}

/* The Routes that are left, the first of them without (it has become the Request-URI) where strict.
 */
static void put_routes(struct inbound *r, bool strict)
{
	struct buf *b = &r->c->out;
	struct sip_values it;
	struct view value, next;
	unsigned i = 0;
	bool more;

	sip_values_start(&it, r->m, SIP_H_ROUTE);
	more = sip_values_next(&it, &value);
	for (; more; i++) {
		more = sip_values_next(&it, &next);
		if (i >= r->routes_taken + (strict ? 1u : 0u) && (more || !r->last_route_taken))
			sip_write_field(b, "Route", value);
		value = next;
	}
}

/* The request line and the Routes: §16.6 steps 2 and 6. */
static void put_way(struct inbound *r, const struct proxy_target *t)
{
	struct buf *b = &r->c->out;
	struct sip_addr route;
	bool strict = t->path.n == 0 && r->more_routes && !is_loose(r->next_route);

	if (strict && sip_addr_parse(r->next_route, &route) == 0)
		sip_write_request_line(b, r->m->method_name, route.uri);
	else
		sip_write_request_line(b, r->m->method_name, t->uri);
	if (may_record_route(r->m))
		put_record_routes(r, &t->flow);
	if (t->path.n)
		sip_write_field(b, "Route", t->path);
	put_routes(r, strict);
	if (strict) {
		buf_puts(b, "Route: <");
		buf_put(b, t->uri);
		buf_puts(b, ">\r\n");
	}
}

static void put_hops(struct inbound *r)
{
	uint32_t hops;

	if (!sip_msg_has(r->m, SIP_H_MAX_FORWARDS) ||
	    view_to_u32(sip_msg_value(r->m, SIP_H_MAX_FORWARDS), &hops))
		hops = HOPS_DEFAULT;
	else if (hops > 0)
		hops--;
	buf_puts(&r->c->out, "Max-Forwards: ");
	buf_put_u64(&r->c->out, hops);
	buf_puts(&r->c->out, "\r\n");
}

static void put_identity(struct buf *b, struct view display, struct view uri)
{
	buf_puts(b, "P-Asserted-Identity: ");
	if (display.n) {
		for (size_t i = 0; i < display.n; i++)
			buf_putc(b,
				 display.p[i] == '\r' || display.p[i] == '\n' ? ' ' : display.p[i]);
		buf_putc(b, ' ');
	}
	buf_putc(b, '<');
	buf_put(b, uri);
	buf_puts(b, ">\r\n");
}

/* Credentials for this realm have done their work (RFC 3261 §22.3). */
static bool is_own_credentials(const struct core *c, const struct sip_msg *m, int field)
{
	struct sip_auth a;

	return sip_auth_parse(sip_field_value(m, field), &a) == 0 && view_eq(a.realm, c->cfg.realm);
}

struct identity_plan {
	bool keep; /* what stands in the message goes on */
	bool put;  /* a fresh one is put in */
};

static struct identity_plan plan_identity(bool hide, bool from_trusted, bool known, bool stands)
{
	struct identity_plan p = {.keep = from_trusted && !hide && stands};

	p.put = !hide && known && !p.keep;
	return p;
}

/* PF-X-2: the trust domain's own fields come from and go to its members alone. */
static bool leaves_domain(const struct sip_msg *m, int field, bool from_trusted, bool to_trusted)
{
	return !(from_trusted && to_trusted) && ims_is_trust_field(m, field);
}

static bool is_dropped(const struct inbound *r, int field, bool keep_identity)
{
	switch (r->m->field[field].id) {
	case SIP_H_ROUTE:
	case SIP_H_MAX_FORWARDS:
		return true;
	case SIP_H_P_ASSERTED_IDENTITY:
		return !keep_identity;
	case SIP_H_P_PREFERRED_IDENTITY:
		return !r->trusted;
	case SIP_H_PROXY_AUTHORIZATION:
		return is_own_credentials(r->c, r->m, field);
	default:
		return false;
	}
}

/* The name that was looked up is trusted, and TLS will ask for it (RFC 5922): a connection that is
 * there already was made for another. */
static bool will_be_named(const struct core *c, const struct proxy_target *t)
{
	return t->named && t->flow.transport == SIP_TLS &&
	       sip_stack_flow_name(c->stack, &t->flow) == SIP_FLOW_NEW;
}

void proxy_compose_request(struct inbound *r, const struct proxy_target *t, uint32_t breadth)
{
	struct buf *b = &r->c->out;
	bool to_trusted = core_is_trusted(r->c, &t->flow) || will_be_named(r->c, t);
	bool hide = r->who.privacy_id && !to_trusted;
	struct identity_plan identity = plan_identity(hide, r->trusted, r->tx && r->who.asserted,
						      sip_msg_has(r->m, SIP_H_P_ASSERTED_IDENTITY));
	struct copying copy;

	buf_reset(b);
	put_way(r, t);
	put_hops(r);
	if (identity.put)
		put_identity(b, r->who.display, r->who.uri);
	if (breadth) {
		buf_puts(b, "Max-Breadth: ");
		buf_put_u64(b, breadth);
		buf_puts(b, "\r\n");
	}
	copy_begin(&copy, b, r->m);
	for (int i = 0; i < r->m->n_fields; i++)
		if (is_dropped(r, i, identity.keep) ||
		    leaves_domain(r->m, i, r->trusted, to_trusted) ||
		    (breadth && view_eq_nocase(sip_field_name(r->m, i), VIEW("Max-Breadth"))))
			copy_without(&copy, i);
	copy_end(&copy);
}

/* --- responses --- */

/* The topmost Via value is ours; others may stand behind it in the same field. */
static void put_rest_of_via(struct buf *b, const struct sip_msg *m)
{
	struct sip_values it;
	struct view value;
	int first = m->first[SIP_H_VIA];

	sip_values_start(&it, m, SIP_H_VIA);
	(void)sip_values_next(&it, &value);
	while (sip_values_next(&it, &value) && it.field == first)
		sip_write_field(b, "Via", value);
}

void proxy_compose_response(struct core *c, const struct sip_msg *m, bool from_trusted,
			    bool to_trusted, struct view aor)
{
	struct buf *b = &c->out;
	bool hide = !to_trusted && sip_msg_has(m, SIP_H_PRIVACY) && core_privacy_has(m, VIEW("id"));
	struct identity_plan identity = plan_identity(hide, from_trusted, aor.n > 0,
						      sip_msg_has(m, SIP_H_P_ASSERTED_IDENTITY));
	struct copying copy;

	buf_reset(b);
	buf_put(b, view_of(m->raw.p, m->n_fields ? m->field[0].name_at : m->head.n));
	put_rest_of_via(b, m);
	if (identity.put)
		put_identity(b, VIEW(""), aor);
	copy_begin(&copy, b, m);
	for (int i = 0; i < m->n_fields; i++) {
		enum sip_header_id id = m->field[i].id;

		if (i == m->first[SIP_H_VIA] ||
		    (id == SIP_H_P_ASSERTED_IDENTITY && !identity.keep) ||
		    (id == SIP_H_P_PREFERRED_IDENTITY && !from_trusted) ||
		    leaves_domain(m, i, from_trusted, to_trusted))
			copy_without(&copy, i);
	}
	copy_end(&copy);
}
