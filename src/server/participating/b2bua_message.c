/*
 * Messages as they go from one side of the B2BUA to the other: a user agent's own fields (Via,
 * Contact, Route, CSeq, Allow, Supported, Server …) are ours, all others go through (RFC 7092
 * §3.1).
 */
#include "server/participating/b2bua_state.h"

#include "sip/write.h"

enum { HOPS_DEFAULT = 70 };

static const struct view methods[] = {
	{"INVITE", 6}, {"ACK", 3},     {"BYE", 3},   {"CANCEL", 6}, {"OPTIONS", 7},  {"INFO", 4},
	{"UPDATE", 6}, {"MESSAGE", 7}, {"REFER", 5}, {"NOTIFY", 6}, {"SUBSCRIBE", 9}};

static bool is_own_realm(const struct b2bua *b, struct view value)
{
	struct sip_auth a;

	return sip_auth_parse(value, &a) == 0 && view_eq(a.realm, b->core->cfg.realm);
}

static bool goes_through(const struct b2bua *b, const struct sip_msg *m, int field,
			 bool keep_identity)
{
	switch (m->field[field].id) {
	case SIP_H_VIA:
	case SIP_H_ROUTE:
	case SIP_H_RECORD_ROUTE:
	case SIP_H_CONTACT:
	case SIP_H_CSEQ:
	case SIP_H_MAX_FORWARDS:
	case SIP_H_CONTENT_LENGTH:
	case SIP_H_CONTENT_TYPE:
	case SIP_H_SESSION_EXPIRES:
	case SIP_H_MIN_SE:
	case SIP_H_ALLOW:
	case SIP_H_SUPPORTED:
	case SIP_H_REQUIRE:
	case SIP_H_PROXY_REQUIRE:
	case SIP_H_USER_AGENT:
	case SIP_H_SERVER:
	case SIP_H_TIMESTAMP:
	case SIP_H_P_PREFERRED_IDENTITY:
		return false;
	case SIP_H_FROM:
	case SIP_H_TO:
	case SIP_H_CALL_ID:
		return m->is_request;
	case SIP_H_P_ASSERTED_IDENTITY:
		return keep_identity;
	case SIP_H_AUTHORIZATION:
	case SIP_H_PROXY_AUTHORIZATION:
		return !is_own_realm(b, sip_field_value(m, field));
	default:
		return true;
	}
}

void message_copy_fields(struct b2bua *b, const struct sip_msg *m, bool keep_identity)
{
	for (int i = 0; i < m->n_fields; i++)
		if (goes_through(b, m, i, keep_identity))
			buf_putf(&b->out, "%.*s: %.*s\r\n", VIEW_ARG(sip_field_name(m, i)),
				 VIEW_ARG(sip_field_value(m, i)));
}

/* A list without the tokens that are each side's own business. */
static void put_list(struct buf *out, const struct sip_msg *m, enum sip_header_id id,
		     const char *name, const char *own)
{
	struct sip_values it;
	struct view v;
	bool any = false;

	sip_values_start(&it, m, id);
	while (sip_values_next(&it, &v)) {
		if (view_eq_nocase(v, VIEW("timer")) || view_eq_nocase(v, VIEW("100rel")))
			continue;
		buf_putf(out, "%s%.*s", any ? ", " : name, VIEW_ARG(v));
		any = true;
	}
	if (own)
		buf_putf(out, "%s%s", any ? ", " : name, own);
	if (any || own)
		buf_puts(out, "\r\n");
}

void message_put_abilities(struct b2bua *b, const struct sip_msg *m)
{
	bool known = sip_msg_has(m, SIP_H_ALLOW), any = false;

	/* What the peer does not take cannot be passed on to it. */
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (known && !sip_msg_lists(m, SIP_H_ALLOW, methods[i]))
			continue;
		buf_putf(&b->out, "%s%.*s", any ? ", " : "Allow: ", VIEW_ARG(methods[i]));
		any = true;
	}
	if (any)
		buf_puts(&b->out, "\r\n");
	put_list(&b->out, m, SIP_H_SUPPORTED, "Supported: ", "timer");
	put_list(&b->out, m, SIP_H_REQUIRE, "Require: ", NULL);
}

static bool is_of_binding(struct view name)
{
	static const char *const own[] = {"expires", "q",	 "+sip.instance",
					  "reg-id",  "pub-gruu", "temp-gruu"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (view_eq_nocase(name, view_str(own[i])))
			return true;
	return false;
}

/* PF-9.1.1-5: our address with the feature tag; what the peer's Contact says of it (isfocus) stays.
 */
static void put_contact_params(struct b2bua *b, struct view params)
{
	struct view rest = params, name, value;

	while (sip_param_next(&rest, &name, &value)) {
		if (is_of_binding(name))
			continue;
		buf_putf(&b->out, ";%.*s", VIEW_ARG(name));
		if (value.n)
			buf_putf(&b->out, "=%.*s", VIEW_ARG(value));
	}
	if (!sip_params_have_im_tag(params))
		buf_putf(&b->out, ";%s", b->feature_tag);
	buf_puts(&b->out, "\r\n");
}

/* A URI that stays what it is but for the `pf` of another B2BUA on the way. */
static void put_kept_uri(struct buf *out, struct view target)
{
	struct sip_uri uri;
	struct view rest, name, value;

	if (sip_uri_parse(target, &uri))
		return;
	buf_put(out, view_first(target, target.n - uri.params.n));
	rest = uri.params;
	while (sip_param_next(&rest, &name, &value)) {
		if (view_eq_nocase(name, VIEW("pf")))
			continue;
		buf_putf(out, ";%.*s", VIEW_ARG(name));
		if (value.n)
			buf_putf(out, "=%.*s", VIEW_ARG(value));
	}
}

void message_put_contact(struct b2bua_call *call, enum b2bua_side to, const struct b2bua_leg *peer)
{
	struct b2bua *b = call->b;
	struct view target = view_str(peer->target), params = view_str(peer->contact);
	enum sip_transport t = to == B2BUA_NEAR ? call->near_flow.transport : SIP_LOCAL;
	bool sips = call_is_sips(call);
	char host[ADDR_TEXT_MAX];
	struct sip_uri uri;

	if (sips && sip_stack_sent_by(b->stack, SIP_TLS, call->near_flow.remote.family)->family)
		t = SIP_TLS;
	buf_puts(&b->out, "Contact: <");
	/* The conference's URI is what people know it by (R-9): it is kept, and led through here by
	 * its parameter. */
	if (sip_param(params, VIEW("isfocus"), NULL) && view_find(target, '?', 0) == target.n) {
		put_kept_uri(&b->out, target);
	} else {
		/* RFC 3261 §12.1.1: sips in, sips out. */
		buf_puts(&b->out, sips ? "sips:" : "sip:");
		if (sip_uri_parse(target, &uri) == 0 && uri.user.n)
			buf_putf(&b->out, "%.*s@", VIEW_ARG(uri.user));
		buf_puts(&b->out,
			 addr_text(sip_stack_sent_by(b->stack, t, call->near_flow.remote.family),
				   host));
	}
	buf_putf(&b->out, ";pf=%s%c>", call->token, to == B2BUA_NEAR ? 'n' : 'f');
	put_contact_params(b, params);
}

void message_put_body(struct b2bua *b, const struct sip_msg *m, struct view sdp)
{
	size_t at = sdp.n ? (size_t)(sdp.p - m->body.p) : 0;
	size_t n = sdp.n ? m->body.n - sdp.n + b->body.n : m->body.n;

	if (sip_msg_has(m, SIP_H_CONTENT_TYPE))
		sip_write_field(&b->out, "Content-Type", sip_msg_value(m, SIP_H_CONTENT_TYPE));
	buf_puts(&b->out, "Content-Length: ");
	buf_put_u64(&b->out, n);
	buf_puts(&b->out, "\r\n\r\n");
	if (!sdp.n) {
		buf_put(&b->out, m->body);
		return;
	}
	if (!buf_ok(&b->body))
		b->out.failed = true;
	buf_put(&b->out, view_first(m->body, at));
	buf_put(&b->out, buf_view(&b->body));
	buf_put(&b->out, view_from(m->body, at + sdp.n));
}

void message_answer_head(struct b2bua_call *call, const struct sip_msg *request, int status,
			 const char *reason, struct view tag, const struct sip_flow *record)
{
	static const char *const param[] = {"", ";transport=tcp", ";transport=tls", ""};
	struct b2bua *b = call->b;
	char host[ADDR_TEXT_MAX];
	size_t line;

	buf_reset(&b->out);
	sip_write_status_line(&b->out, status, reason);
	/* A phone that faces us comes back by the transport it came on, whatever the Contact says.
	 */
	if (record && record->transport != SIP_LOCAL && status < 300)
		buf_putf(&b->out, "Record-Route: <%s:%s%s;lr>\r\n",
			 call_is_sips(call) ? "sips" : "sip",
			 addr_text(sip_stack_sent_by(b->stack, record->transport,
						     record->remote.family),
				   host),
			 param[record->transport]);
	buf_reset(&b->core->extra);
	sip_write_response_head(&b->core->extra, request, status, reason, tag);
	line = view_find(buf_view(&b->core->extra), '\n', 0) + 1;
	if (!buf_ok(&b->core->extra))
		b->out.failed = true;
	buf_put(&b->out, view_from(buf_view(&b->core->extra), line));
}

static uint32_t hops_of(const struct sip_msg *m)
{
	uint32_t hops;

	if (!m || !sip_msg_has(m, SIP_H_MAX_FORWARDS) ||
	    view_to_u32(sip_msg_value(m, SIP_H_MAX_FORWARDS), &hops))
		return HOPS_DEFAULT;
	return hops ? hops - 1 : 0;
}

void message_request_head(struct b2bua_dialog *d, enum b2bua_side to, struct view method,
			  const struct sip_msg *from, uint32_t seq)
{
	struct buf *b = &d->call->b->out;
	const struct b2bua_leg *leg = &d->leg[to];

	buf_reset(b);
	sip_write_request_line(b, method, view_str(leg->target));
	if (leg->routes[0])
		sip_write_field(b, "Route", view_str(leg->routes));
	sip_write_fieldf(b, "CSeq", "%u %.*s", seq, VIEW_ARG(method));
	sip_write_fieldf(b, "Max-Forwards", "%u", hops_of(from));
}

void message_own_parties(struct b2bua_dialog *d, enum b2bua_side to)
{
	struct buf *b = &d->call->b->out;
	struct sip_msg invite;
	struct view caller, callee;
	struct sip_addr a;

	if (call_invitation(d->call, &invite) || sip_msg_to(&invite, &a)) {
		b->failed = true;
		return;
	}
	caller = sip_msg_value(&invite, SIP_H_FROM);
	callee = a.uri;
	sip_write_field(b, to == B2BUA_FAR ? "From" : "To", caller);
	sip_write_fieldf(b, to == B2BUA_FAR ? "To" : "From", "%.*s%s<%.*s>;tag=%s",
			 VIEW_ARG(a.display), a.display.n ? " " : "", VIEW_ARG(callee), d->tag);
	sip_write_field(b, "Call-ID", sip_msg_value(&invite, SIP_H_CALL_ID));
}
