#include "msrp/uri.h"

#include "base/error.h"

/* Punctuation that the parts of a URI admit beside letters and digits (RFC 4975 §9, RFC 3986
 * appendix A). ';' ends the authority here, so a host has none; a session id is taken more
 * leniently than the grammar has it: any pchar but ';'. */
#define HOST_MARKS    "-._~%!$&'()*+,="
#define USER_MARKS    HOST_MARKS ";:"
#define SESSION_MARKS HOST_MARKS "/:@"
#define PARAM_MARKS   "!#$%&'*+-.^_`{|}~=;"

static inline bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool made_of(struct view v, const char *marks, size_t n_marks)
{
	for (size_t i = 0; i < v.n; i++)
		if (!is_alnum(v.p[i]) && !memchr(marks, v.p[i], n_marks))
			return false;
	return true;
}

#define MADE_OF(v, marks) made_of((v), (marks), sizeof(marks) - 1)

static int parse_port(struct view text, uint16_t *out)
{
	uint32_t port;

	if (view_to_u32(text, &port) || port == 0 || port > 65535)
		return E_SYNTAX;
	*out = (uint16_t)port;
	return 0;
}

/* "[v6]:port", "host:port" or either without a port. */
static int parse_hostport(struct view text, struct msrp_uri *u)
{
	size_t n;

	if (text.n && text.p[0] == '[') {
		struct addr ignored;

		n = view_find(text, ']', 0);
		if (n == text.n)
			return E_SYNTAX;
		n++;
		u->host = view_first(text, n);
		if (addr_parse(u->host, 0, &ignored))
			return E_SYNTAX;
	} else {
		n = view_find(text, ':', 0);
		u->host = view_first(text, n);
		if (n == 0 || !MADE_OF(u->host, HOST_MARKS))
			return E_SYNTAX;
	}
	if (n == text.n)
		return 0;
	return text.p[n] == ':' ? parse_port(view_from(text, n + 1), &u->port) : E_SYNTAX;
}

static int parse_transport(struct view text, struct msrp_uri *u)
{
	size_t n = view_find(text, ';', 0);

	u->transport = view_first(text, n);
	u->params = view_from(text, n);
	if (n == 0 || !made_of(u->transport, "", 0) || !MADE_OF(u->params, PARAM_MARKS))
		return E_SYNTAX;
	return 0;
}

int msrp_uri_parse(struct view text, struct msrp_uri *out)
{
	struct msrp_uri u = {.text = text};
	struct view rest, authority;
	size_t slash, at, semi;

	if (view_starts_nocase(text, VIEW("msrp://"))) {
		rest = view_from(text, 7);
	} else if (view_starts_nocase(text, VIEW("msrps://"))) {
		rest = view_from(text, 8);
		u.tls = true;
	} else {
		return E_SYNTAX;
	}
	/* userinfo may hold ';' and ':', so it goes first; what comes after the authority may
	 * hold '@' only behind a '/'. */
	slash = view_find(rest, '/', 0);
	authority = view_first(rest, slash);
	at = view_find(authority, '@', 0);
	if (at < authority.n) {
		u.userinfo = view_first(rest, at);
		if (!MADE_OF(u.userinfo, USER_MARKS))
			return E_SYNTAX;
		rest = view_from(rest, at + 1);
		slash -= at + 1;
	}
	semi = view_find(rest, ';', 0);
	if (semi == rest.n)
		return E_SYNTAX;
	if (slash > semi)
		slash = semi;
	if (parse_hostport(view_first(rest, slash), &u))
		return E_SYNTAX;
	if (slash < semi)
		u.session_id = view_of(rest.p + slash + 1, semi - slash - 1);
	if (!MADE_OF(u.session_id, SESSION_MARKS) || parse_transport(view_from(rest, semi + 1), &u))
		return E_SYNTAX;
	*out = u;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next byte of a host, percent-decoded and case folded; moves *i on. */
static char host_byte(struct view v, size_t *i)
{
	char c = v.p[*i];

	if (c == '%' && v.n - *i >= 3) {
		int hi = hex_digit(v.p[*i + 1]), lo = hex_digit(v.p[*i + 2]);

		if (hi >= 0 && lo >= 0) {
			c = (char)(hi << 4 | lo);
			*i += 2;
		}
	}
	*i += 1;
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool host_eq(struct view a, struct view b)
{
	struct addr x, y;
	size_t i = 0, j = 0;

	if (view_eq_nocase(a, b))
		return true;
	/* RFC 4975 §6.1: numeric addresses by value, other authorities percent-decoded. */
	if (addr_parse(a, 0, &x) == 0 && addr_parse(b, 0, &y) == 0)
		return addr_same_host(&x, &y);
	while (i < a.n && j < b.n)
		if (host_byte(a, &i) != host_byte(b, &j))
			return false;
	return i == a.n && j == b.n;
}

bool msrp_uri_eq(const struct msrp_uri *a, const struct msrp_uri *b)
{
	return a->tls == b->tls && a->port == b->port && view_eq(a->session_id, b->session_id) &&
	       view_eq_nocase(a->transport, b->transport) && host_eq(a->host, b->host);
}

int msrp_path_parse(struct view path, struct msrp_uri *uris, size_t max, size_t *n_out)
{
	struct view rest = path;
	size_t n = 0;

	while (rest.n) {
		struct view one = view_cut(&rest, ' ');

		if (view_empty(one))
			continue;
		if (n == max)
			return E_LIMIT;
		if (msrp_uri_parse(one, &uris[n]))
			return E_SYNTAX;
		n++;
	}
	if (n == 0)
		return E_SYNTAX;
	*n_out = n;
	return 0;
}

struct view msrp_path_first(struct view path)
{
	path = view_trim(path);
	return view_first(path, view_find(path, ' ', 0));
}

void msrp_uri_write(struct buf *b, bool tls, const struct addr *at, struct view session_id)
{
	char text[ADDR_TEXT_MAX];

	buf_put(b, tls ? VIEW("msrps://") : VIEW("msrp://"));
	buf_puts(b, addr_text(at, text));
	if (!view_empty(session_id)) {
		buf_putc(b, '/');
		buf_put(b, session_id);
	}
	buf_put(b, VIEW(";tcp"));
}
