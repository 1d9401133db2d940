#include "sip/value.h"

#include "base/error.h"
#include "sip/grammar.h"

/* Where the addr-spec without brackets ends: what follows belongs to the header (RFC 3261 §20.10).
 */
static size_t addr_spec_span(struct view v)
{
	size_t n = 0;

	while (n < v.n && !sip_char_is(v.p[n], SIP_CHAR_LWS) && !memchr(";,?<>\"", v.p[n], 6))
		n++;
	return n;
}

/* Header parameters or nothing. */
static int take_params(struct view rest, struct view *params_out)
{
	rest = view_trim(rest);
	if (rest.n && rest.p[0] != ';')
		return E_SYNTAX;
	*params_out = rest;
	return 0;
}

static int parse_addr_spec(struct view v, struct sip_addr *a)
{
	size_t n = addr_spec_span(v);

	a->uri = view_first(v, n);
	if (n == 0 || view_find(a->uri, ':', 0) == n)
		return E_SYNTAX;
	return take_params(view_from(v, n), &a->params);
}

/* v begins with '<'. Blanks inside the brackets are overlooked (RFC 4475 §3.1.2.14). */
static int parse_name_addr(struct view v, struct sip_addr *a)
{
	size_t end = view_find(v, '>', 0);

	if (end == v.n)
		return E_SYNTAX;
	a->bracketed = true;
	a->uri = view_trim(view_of(v.p + 1, end - 1));
	if (a->uri.n == 0 || view_find(a->uri, '<', 0) < a->uri.n)
		return E_SYNTAX;
	return take_params(view_from(v, end + 1), &a->params);
}

static int parse_addr(struct view v, struct sip_addr *a)
{
	size_t n;

	if (v.n == 0)
		return E_SYNTAX;
	if (v.p[0] == '"') {
		n = sip_quoted_span(v);
		if (n == 0)
			return E_SYNTAX;
		a->display = view_first(v, n);
		v = view_from(v, n);
		sip_skip_lws(&v);
		return v.n && v.p[0] == '<' ? parse_name_addr(v, a) : E_SYNTAX;
	}
	n = sip_span(v, SIP_CHAR_DISPLAY, 0);
	if (n < v.n && v.p[n] == '<') {
		a->display = view_trim(view_first(v, n));
		return parse_name_addr(view_from(v, n), a);
	}
	if (view_eq(view_trim(view_first(v, n)), VIEW("*"))) {
		a->star = true;
		a->uri = view_first(v, 1);
		return take_params(view_from(v, 1), &a->params);
	}
	return parse_addr_spec(v, a);
}

int sip_addr_parse(struct view value, struct sip_addr *out)
{
	const struct view none = VIEW("");
	struct sip_addr a = {.display = none, .uri = none, .params = none};
	int rc = parse_addr(view_trim(value), &a);

	if (rc == 0)
		*out = a;
	return rc;
}

struct view sip_addr_tag(const struct sip_addr *a)
{
	struct view tag;

	return sip_param(a->params, VIEW("tag"), &tag) ? tag : VIEW("");
}

static int via_param(struct sip_via *via, struct view name, struct view value)
{
	uint32_t port;

	if (view_eq_nocase(name, VIEW("branch"))) {
		if (via->branch.n == 0)
			via->branch = value;
	} else if (view_eq_nocase(name, VIEW("received"))) {
		via->received = value;
	} else if (view_eq_nocase(name, VIEW("rport"))) {
		via->rport = true;
		if (value.n == 0)
			return 0;
		if (view_to_u32(value, &port) || port == 0 || port > UINT16_MAX)
			return E_SYNTAX;
		via->rport_value = (uint16_t)port;
	}
	return 0;
}

/* Each ';' must be followed by a token (RFC 4475 §3.1.2.1). */
static int parse_via_params(struct view rest, struct sip_via *via)
{
	struct view name, value, left;
	int rc;

	rc = take_params(rest, &via->params);
	left = via->params;
	while (rc == 0 && sip_take_char(&left, ';')) {
		if (left.n == 0 || left.p[0] == ';' || !sip_param_next(&left, &name, &value))
			return E_SYNTAX;
		rc = sip_is_token(name) ? via_param(via, name, value) : E_SYNTAX;
	}
	return rc;
}

int sip_via_parse(struct view value, struct sip_via *out)
{
	const struct view none = VIEW("");
	struct sip_via via = {.params = none, .branch = none, .received = none};
	struct view v = view_trim(value);
	int rc;

	/* Any version is read: a 505 has to find its way back as well. */
	if (!view_eq_nocase(sip_take_token(&v), VIEW("SIP")) || !sip_take_char(&v, '/') ||
	    sip_take_token(&v).n == 0 || !sip_take_char(&v, '/'))
		return E_SYNTAX;
	via.transport = sip_take_token(&v);
	if (via.transport.n == 0 || v.n == 0 || !sip_char_is(v.p[0], SIP_CHAR_LWS))
		return E_SYNTAX;
	sip_skip_lws(&v);
	rc = sip_take_hostport(&v, &via.host, &via.port);
	if (rc == 0)
		rc = parse_via_params(v, &via);
	if (rc == 0)
		*out = via;
	return rc;
}

int sip_msg_top_via(const struct sip_msg *m, struct sip_via *out)
{
	if (m->via_error == 0)
		*out = m->via;
	return m->via_error;
}

int sip_cseq_parse(struct view value, struct sip_cseq *out)
{
	struct view v = view_trim(value);
	size_t n = sip_span(v, SIP_CHAR_DIGIT, 0);
	struct view digits = view_first(v, n);
	uint32_t number;

	v = view_from(v, n);
	if (v.n == 0 || !sip_char_is(v.p[0], SIP_CHAR_LWS))
		return E_SYNTAX;
	sip_skip_lws(&v);
	/* Below 2^31 (RFC 3261 §8.1.1.5). */
	if (view_to_u32(digits, &number) || number > INT32_MAX || !sip_is_token(v))
		return E_SYNTAX;
	out->number = number;
	out->method = v;
	return 0;
}

int sip_msg_cseq(const struct sip_msg *m, struct sip_cseq *out)
{
	if (!sip_msg_has(m, SIP_H_CSEQ))
		return E_MISSING;
	return sip_cseq_parse(sip_msg_value(m, SIP_H_CSEQ), out);
}

int sip_replaces_parse(struct view value, struct sip_replaces *out)
{
	struct view params = value, name, v;
	struct sip_replaces r = {.to_tag = VIEW(""), .from_tag = VIEW("")};

	r.call_id = view_trim(view_cut(&params, ';'));
	if (r.call_id.n == 0 || sip_span(r.call_id, SIP_CHAR_LWS, 0))
		return E_SYNTAX;
	while (sip_param_next(&params, &name, &v)) {
		struct view *tag = NULL;

		if (view_eq_nocase(name, VIEW("to-tag")))
			tag = &r.to_tag;
		else if (view_eq_nocase(name, VIEW("from-tag")))
			tag = &r.from_tag;
		else if (view_eq_nocase(name, VIEW("early-only")))
			r.early_only = true;
		/* One of each (RFC 3891 §6.1): a second one could mean another dialog. */
		if (tag && (tag->n || v.n == 0))
			return E_SYNTAX;
		if (tag)
			*tag = v;
	}
	if (r.to_tag.n == 0 || r.from_tag.n == 0)
		return E_SYNTAX;
	*out = r;
	return 0;
}

int sip_token_params_parse(struct view value, struct sip_token_params *out)
{
	struct view v = view_trim(value), start = v, params;

	if (sip_take_token(&v).n == 0)
		return E_SYNTAX;
	start.n = (size_t)(v.p - start.p);
	if (sip_take_char(&v, '/')) {
		if (sip_take_token(&v).n == 0)
			return E_SYNTAX;
		start.n = (size_t)(v.p - start.p);
	}
	if (take_params(v, &params))
		return E_SYNTAX;
	out->token = start;
	out->params = params;
	return 0;
}

bool sip_content_is(struct view content_type, struct view type)
{
	struct sip_token_params p;
	struct view slash = type, main_type = view_cut(&slash, '/'), v;

	if (sip_token_params_parse(content_type, &p))
		return false;
	v = p.token;
	return view_eq_nocase(sip_take_token(&v), main_type) && sip_take_char(&v, '/') &&
	       view_eq_nocase(v, slash);
}

int sip_session_expires_parse(struct view value, struct sip_session_expires *out)
{
	struct view params = view_trim(value), digits, refresher;
	struct sip_session_expires s = {.refresher = SIP_REFRESHER_NONE};
	size_t n = sip_span(params, SIP_CHAR_DIGIT, 0);

	digits = view_first(params, n);
	if (view_to_u32(digits, &s.seconds) || take_params(view_from(params, n), &params))
		return E_SYNTAX;
	if (sip_param(params, VIEW("refresher"), &refresher)) {
		if (view_eq_nocase(refresher, VIEW("uac")))
			s.refresher = SIP_REFRESHER_UAC;
		else if (view_eq_nocase(refresher, VIEW("uas")))
			s.refresher = SIP_REFRESHER_UAS;
		else
			return E_SYNTAX;
	}
	*out = s;
	return 0;
}

int sip_msg_from(const struct sip_msg *m, struct sip_addr *out)
{
	if (!sip_msg_has(m, SIP_H_FROM))
		return E_MISSING;
	return sip_addr_parse(sip_msg_value(m, SIP_H_FROM), out);
}

int sip_msg_to(const struct sip_msg *m, struct sip_addr *out)
{
	if (!sip_msg_has(m, SIP_H_TO))
		return E_MISSING;
	return sip_addr_parse(sip_msg_value(m, SIP_H_TO), out);
}

bool sip_params_have_im_tag(struct view params)
{
	struct view name, value;

	while (sip_param_next(&params, &name, &value)) {
		/* A boolean feature may be spelled out, and denied (RFC 3840 §9). */
		if (view_eq_nocase(value, VIEW("\"FALSE\"")))
			continue;
		if (view_eq_nocase(name, VIEW("+g.oma.sip-im")) ||
		    view_eq_nocase(name, VIEW("+g.oma.im.simple")) ||
		    view_eq_nocase(name, VIEW("+g.oma.sip.simple")))
			return true;
	}
	return false;
}

bool sip_msg_accepts_im(const struct sip_msg *m)
{
	struct sip_values it;
	struct sip_addr a;
	struct view v;

	sip_values_start(&it, m, SIP_H_ACCEPT_CONTACT);
	while (sip_values_next(&it, &v)) {
		/* "*;params"; some leave out the star, some put a URI there. */
		if (sip_addr_parse(v, &a) == 0)
			v = a.params;
		if (sip_params_have_im_tag(v))
			return true;
	}
	return false;
}

bool sip_retry_after(const struct sip_msg *m, uint32_t *seconds_out)
{
	struct view v = sip_msg_value(m, SIP_H_RETRY_AFTER);
	size_t n = 0;

	while (n < v.n && v.p[n] >= '0' && v.p[n] <= '9')
		n++;
	return n && view_to_u32(view_first(v, n), seconds_out) == 0;
}
