#include "sip/uri.h"

#include "base/error.h"
#include "sip/grammar.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte of the "%HH" at the front of v, or -1. */
static int escaped_byte(struct view v)
{
	if (v.n < 3 || v.p[0] != '%' || hex(v.p[1]) < 0 || hex(v.p[2]) < 0)
		return -1;
	return hex(v.p[1]) * 16 + hex(v.p[2]);
}

/* No blanks, controls, quotes or angle brackets anywhere in a URI. */
static bool bytes_allowed(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];

		if (c <= ' ' || c == 0x7f || c == '"' || c == '<' || c == '>')
			return false;
	}
	return true;
}

static bool escapes_whole(struct view v)
{
	for (size_t i = view_find(v, '%', 0); i < v.n; i = view_find(v, '%', i + 1))
		if (escaped_byte(view_from(v, i)) < 0)
			return false;
	return true;
}

static enum sip_scheme scheme_of(struct view name)
{
	if (view_eq_nocase(name, VIEW("sip")))
		return SIP_SCHEME_SIP;
	if (view_eq_nocase(name, VIEW("sips")))
		return SIP_SCHEME_SIPS;
	if (view_eq_nocase(name, VIEW("tel")))
		return SIP_SCHEME_TEL;
	return SIP_SCHEME_OTHER;
}

static bool scheme_allowed(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		char c = v.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!letter && (i == 0 || (!sip_char_is(c, SIP_CHAR_DIGIT) && c != '+' &&
					   c != '-' && c != '.')))
			return false;
	}
	return v.n > 0;
}

static int parse_tel(struct view rest, struct sip_uri *u)
{
	size_t n = view_find(rest, ';', 0);

	if (n == 0)
		return E_SYNTAX;
	u->user = view_first(rest, n);
	u->params = view_from(rest, n);
	return 0;
}

static int parse_userinfo(struct view info, struct sip_uri *u)
{
	size_t colon = view_find(info, ':', 0);

	u->user = view_first(info, colon);
	u->password = view_from(info, colon + 1);
	/* userinfo = user [":" password] "@": the user is not optional there. */
	if (u->user.n == 0 || !escapes_whole(info))
		return E_SYNTAX;
	return 0;
}

static int parse_sip(struct view rest, struct sip_uri *u)
{
	/* The user part may hold ';' and '?', parameters no '@'; so the first '@' ends it. */
	size_t n = view_find(rest, '@', 0);
	int rc;

	if (n < rest.n) {
		rc = parse_userinfo(view_first(rest, n), u);
		if (rc)
			return rc;
		rest = view_from(rest, n + 1);
	}
	rc = sip_take_hostport(&rest, &u->host, &u->port);
	if (rc)
		return rc;
	if (rest.n && rest.p[0] != ';' && rest.p[0] != '?')
		return E_SYNTAX;
	n = view_find(rest, '?', 0);
	u->params = view_first(rest, n);
	u->headers = view_from(rest, n + 1);
	return 0;
}

int sip_uri_parse(struct view text, struct sip_uri *out)
{
	const struct view none = VIEW("");
	struct sip_uri u = {.text = text,
			    .user = none,
			    .password = none,
			    .host = none,
			    .params = none,
			    .headers = none};
	struct view rest = text, scheme;
	int rc = 0;

	if (!bytes_allowed(text) || view_find(text, ':', 0) == text.n)
		return E_SYNTAX;
	scheme = view_cut(&rest, ':');
	if (!scheme_allowed(scheme) || rest.n == 0)
		return E_SYNTAX;
	u.scheme = scheme_of(scheme);
	if (u.scheme == SIP_SCHEME_TEL)
		rc = parse_tel(rest, &u);
	else if (u.scheme != SIP_SCHEME_OTHER)
		rc = parse_sip(rest, &u);
	if (rc == 0)
		*out = u;
	return rc;
}

/* Length of a parameter's value: to the ';' outside of quotes and angle brackets. */
static size_t param_value_span(struct view v)
{
	size_t from = 0;

	if (v.n && v.p[0] == '"')
		from = sip_quoted_span(v) ? sip_quoted_span(v) : v.n;
	else if (v.n && v.p[0] == '<')
		from = view_find(v, '>', 0);
	return view_find(v, ';', from);
}

bool sip_param_next(struct view *rest, struct view *name, struct view *value)
{
	struct view v = *rest;
	size_t n = 0;

	while (v.n && (v.p[0] == ';' || sip_char_is(v.p[0], SIP_CHAR_LWS)))
		v = view_from(v, 1);
	if (v.n == 0) {
		*rest = v;
		return false;
	}
	while (n < v.n && v.p[n] != '=' && v.p[n] != ';')
		n++;
	*name = view_trim(view_first(v, n));
	v = view_from(v, n);
	*value = view_first(v, 0);
	if (v.n && v.p[0] == '=') {
		v = view_from(v, 1);
		sip_skip_lws(&v);
		n = param_value_span(v);
		*value = view_trim(view_first(v, n));
		v = view_from(v, n);
	}
	*rest = v;
	return true;
}

bool sip_param(struct view params, struct view name, struct view *value)
{
	struct view n, v;

	while (sip_param_next(&params, &n, &v)) {
		if (!view_eq_nocase(n, name))
			continue;
		if (value)
			*value = v;
		return true;
	}
	return false;
}

bool sip_uri_header_next(struct view *rest, struct view *name, struct view *value)
{
	struct view pair;

	while (rest->n) {
		pair = view_cut(rest, '&');
		if (pair.n == 0)
			continue;
		*name = view_cut(&pair, '=');
		*value = pair;
		return true;
	}
	return false;
}

int sip_unescape(struct buf *out, struct view v, bool reject_control)
{
	while (v.n) {
		size_t n = view_find(v, '%', 0);
		int byte;

		buf_put(out, view_first(v, n));
		v = view_from(v, n);
		if (v.n == 0)
			break;
		byte = escaped_byte(v);
		if (byte < 0)
			return E_SYNTAX;
		if (reject_control && (byte == '\0' || byte == '\r' || byte == '\n'))
			return E_SYNTAX;
		buf_putc(out, (char)byte);
		v = view_from(v, 3);
	}
	return 0;
}

static void put_escaped(struct buf *out, char c)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char u = (unsigned char)c;
	char text[3] = {'%', digits[u >> 4], digits[u & 15]};

	buf_put(out, view_of(text, sizeof(text)));
}

void sip_escape(struct buf *out, struct view v)
{
	while (v.n) {
		size_t n = sip_span(v, SIP_CHAR_UNRESERVED, 0);

		buf_put(out, view_first(v, n));
		v = view_from(v, n);
		if (v.n == 0)
			break;
		put_escaped(out, v.p[0]);
		v = view_from(v, 1);
	}
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static void put_lower(struct buf *out, struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		buf_putc(out, lower(v.p[i]));
}

/* Only escapes of unreserved characters are equivalent to the character (RFC 3261 §19.1.4); the
 * others stay, in one spelling. */
static void put_user(struct buf *out, struct view v)
{
	while (v.n) {
		int byte = escaped_byte(v);

		if (byte < 0) {
			buf_putc(out, v.p[0]);
			v = view_from(v, 1);
			continue;
		}
		if (sip_char_is((char)byte, SIP_CHAR_UNRESERVED))
			buf_putc(out, (char)byte);
		else
			put_escaped(out, (char)byte);
		v = view_from(v, 3);
	}
}

/* Visual separators do not count, and a local number means something in its context only (RFC 3966
 * §4, §5.1.5). */
static void put_tel_aor(struct buf *out, const struct sip_uri *u)
{
	struct view context;

	buf_puts(out, "tel:");
	for (size_t i = 0; i < u->user.n; i++)
		if (!memchr("-.()", u->user.p[i], 4))
			buf_putc(out, lower(u->user.p[i]));
	if (u->user.p[0] != '+' && sip_param(u->params, VIEW("phone-context"), &context)) {
		buf_puts(out, ";phone-context=");
		put_lower(out, context);
	}
}

void sip_uri_aor(struct buf *out, const struct sip_uri *u)
{
	switch (u->scheme) {
	case SIP_SCHEME_TEL:
		put_tel_aor(out, u);
		return;
	case SIP_SCHEME_SIP:
	case SIP_SCHEME_SIPS:
		break;
	default:
		buf_put(out, u->text);
		return;
	}
	buf_puts(out, u->scheme == SIP_SCHEME_SIP ? "sip:" : "sips:");
	if (u->user.n) {
		put_user(out, u->user);
		buf_putc(out, '@');
	}
	put_lower(out, u->host);
	if (u->port) {
		buf_putc(out, ':');
		buf_put_u64(out, u->port);
	}
}
