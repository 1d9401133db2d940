/* Comparison of SIP URIs (RFC 3261 §19.1.4). */
#include "base/addr.h"
#include "sip/grammar.h"
#include "sip/uri.h"

/* More parameters or headers than this are compared as they stand: looking each up in the other
 * list would cost the square of what a peer can send. */
enum { PARTS_MAX = 64 };

static int hex(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Takes one character off v, escapes of what is not reserved undone. An escaped reserved character
 * differs from the plain one, so that it comes out above all plain ones. */
static int next_char(struct view *v, bool fold)
{
	unsigned char c = (unsigned char)v->p[0];
	int mark = 0;

	if (c == '%' && v->n >= 3 && sip_char_is(v->p[1], SIP_CHAR_HEX) &&
	    sip_char_is(v->p[2], SIP_CHAR_HEX)) {
		c = (unsigned char)(hex(v->p[1]) * 16 + hex(v->p[2]));
		if (sip_char_is((char)c, SIP_CHAR_RESERVED))
			mark = 0x100;
		*v = view_from(*v, 3);
	} else {
		*v = view_from(*v, 1);
	}
	if (fold && c >= 'A' && c <= 'Z')
		c |= 0x20;
	return c | mark;
}

static bool text_eq(struct view a, struct view b, bool fold)
{
	while (a.n && b.n)
		if (next_char(&a, fold) != next_char(&b, fold))
			return false;
	return a.n == 0 && b.n == 0;
}

static bool host_eq(struct view a, struct view b)
{
	struct addr ip_a, ip_b;

	if (view_eq_nocase(a, b))
		return true;
	return a.n && b.n && a.p[0] == '[' && b.p[0] == '[' && addr_parse(a, 0, &ip_a) == 0 &&
	       addr_parse(b, 0, &ip_b) == 0 && addr_eq(&ip_a, &ip_b);
}

static bool param_find(struct view params, struct view name, struct view *value)
{
	struct view n, v;

	while (sip_param_next(&params, &n, &v)) {
		if (!text_eq(n, name, true))
			continue;
		*value = v;
		return true;
	}
	return false;
}

/* Parameters that count even where only one of the URIs has them. */
static bool param_must_match(struct view name)
{
	return text_eq(name, VIEW("transport"), true) || text_eq(name, VIEW("user"), true) ||
	       text_eq(name, VIEW("ttl"), true) || text_eq(name, VIEW("method"), true) ||
	       text_eq(name, VIEW("maddr"), true);
}

static bool params_within(struct view a, struct view b)
{
	struct view name, value, other;

	while (sip_param_next(&a, &name, &value)) {
		if (!param_find(b, name, &other)) {
			if (param_must_match(name))
				return false;
		} else if (!text_eq(value, other, true)) {
			return false;
		}
	}
	return true;
}

/* Values with their case: a Call-ID in Replaces has one (RFC 3261 §20.8). */
static size_t header_count(struct view headers, struct view name, struct view value)
{
	struct view n, v;
	size_t count = 0;

	while (sip_uri_header_next(&headers, &n, &v))
		count += text_eq(n, name, true) && text_eq(v, value, false);
	return count;
}

static bool headers_within(struct view a, struct view b)
{
	struct view rest = a, name, value;

	while (sip_uri_header_next(&rest, &name, &value))
		if (header_count(a, name, value) != header_count(b, name, value))
			return false;
	return true;
}

static bool too_many(struct view v, char separator)
{
	size_t n = 0;

	for (size_t i = view_find(v, separator, 0); i < v.n; i = view_find(v, separator, i + 1))
		n++;
	return n > PARTS_MAX;
}

static bool params_eq(struct view a, struct view b)
{
	if (too_many(a, ';') || too_many(b, ';'))
		return view_eq(a, b);
	return params_within(a, b) && params_within(b, a);
}

static bool headers_eq(struct view a, struct view b)
{
	if (too_many(a, '&') || too_many(b, '&'))
		return view_eq(a, b);
	return headers_within(a, b) && headers_within(b, a);
}

bool sip_uri_eq(const struct sip_uri *a, const struct sip_uri *b)
{
	if (a->scheme != b->scheme)
		return false;
	/* Also where a parameter stands twice, which the RFC forbids. */
	if (view_eq(a->text, b->text))
		return true;
	if (a->scheme != SIP_SCHEME_SIP && a->scheme != SIP_SCHEME_SIPS)
		return view_eq_nocase(a->text, b->text);
	return a->port == b->port && host_eq(a->host, b->host) &&
	       text_eq(a->user, b->user, false) && text_eq(a->password, b->password, false) &&
	       params_eq(a->params, b->params) && headers_eq(a->headers, b->headers);
}
