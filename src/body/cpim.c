#include "body/cpim.h"

#include "base/error.h"
#include "body/mime.h"

#include <stdio.h>

struct cpim_span {
	struct view headers, mime_headers;
	size_t body; /* offset */
};

/* Walks header lines from *at to the empty line. 1: reached, *at behind it; 0: the bytes end
 * before; or E_SYNTAX. */
static int section_end(struct view bytes, size_t *at, struct view *section)
{
	struct view rest = view_from(bytes, *at), line;
	const char *start = rest.p;
	bool first = true;

	while (mime_line_next(&rest, &line)) {
		bool fold = !first && line.n && (line.p[0] == ' ' || line.p[0] == '\t');

		if (line.n == 0) {
			*section = view_of(start, (size_t)(line.p - start));
			*at = bytes.n - rest.n;
			return 1;
		}
		if (!fold && !mime_is_field(line))
			return E_SYNTAX;
		first = false;
	}
	return 0;
}

static int scan_head(struct view bytes, bool whole, struct cpim_span *s)
{
	struct view head = view_first(bytes, CPIM_HEAD_MAX);
	size_t at = 0, mime;
	int rc = section_end(head, &at, &s->headers);

	if (rc < 0)
		return rc;
	mime = at;
	if (rc == 1) {
		rc = section_end(head, &at, &s->mime_headers);
		if (rc < 0)
			return rc;
		if (rc == 1) {
			s->body = at;
			return 1;
		}
		if (whole && bytes.n < CPIM_HEAD_MAX) {
			s->mime_headers = view_from(bytes, mime);
			s->body = bytes.n;
			return 1;
		}
	}
	return bytes.n >= CPIM_HEAD_MAX ? E_LIMIT : 0;
}

/* Index of the closing quote of a string that begins at v.p[0]; v.n where there is none. */
static size_t quote_end(struct view v)
{
	for (size_t i = 1; i < v.n; i++) {
		if (v.p[i] == '\\')
			i++;
		else if (v.p[i] == '"')
			return i;
	}
	return v.n;
}

int cpim_addr_parse(struct view value, struct cpim_addr *out)
{
	struct cpim_addr a = {0};
	struct view rest = view_trim(value);
	size_t open, close;

	if (rest.n && rest.p[0] == '"') {
		size_t end = quote_end(rest);

		if (end == rest.n)
			return E_SYNTAX;
		a.display = view_of(rest.p + 1, end - 1);
		rest = view_trim(view_from(rest, end + 1));
		if (rest.n == 0 || rest.p[0] != '<')
			return E_SYNTAX;
	}
	open = view_find(rest, '<', 0);
	if (open == rest.n) {
		a.uri = rest;
	} else {
		close = view_find(rest, '>', open);
		if (close == rest.n)
			return E_SYNTAX;
		if (open)
			a.display = view_trim(view_first(rest, open));
		a.uri = view_trim(view_of(rest.p + open + 1, close - open - 1));
	}
	if (view_empty(a.uri) || view_find(a.uri, ' ', 0) < a.uri.n ||
	    view_find(a.uri, '>', 0) < a.uri.n || mime_has_control(a.uri))
		return E_SYNTAX;
	*out = a;
	return 0;
}

/* A value may begin with parameters right behind the colon: ";lang=fr Objet" (§3.2, §3.6). */
static struct view without_params(struct view value)
{
	bool quoted = false;

	if (value.n == 0 || value.p[0] != ';')
		return value;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '"')
			quoted = !quoted;
		else if (quoted && value.p[i] == '\\')
			i++;
		else if (!quoted && value.p[i] == ' ')
			return view_trim(view_from(value, i));
	}
	return view_from(value, value.n);
}

bool cpim_header_next(struct view *rest, struct view *name, struct view *value)
{
	if (!mime_field_next(rest, name, value))
		return false;
	*value = without_params(*value);
	return true;
}

/* "imdn <urn:…>", "<urn:…>"; the brackets may be missing. */
static int ns_parse(struct view value, struct cpim_ns *out)
{
	struct cpim_addr a;
	size_t sp = view_find(value, ' ', 0);

	if (view_find(value, '<', 0) < value.n || sp == value.n) {
		if (cpim_addr_parse(value, &a))
			return E_SYNTAX;
		*out = (struct cpim_ns){.prefix = a.display, .uri = a.uri};
		return 0;
	}
	*out = (struct cpim_ns){view_first(value, sp), view_trim(view_from(value, sp))};
	return 0;
}

/* A later declaration of a prefix takes the place of an earlier one. */
static int ns_add(struct cpim_ns *table, size_t *n, struct view value)
{
	struct cpim_ns ns;

	/* A broken declaration declares nothing: headers of that prefix are not recognized. */
	if (ns_parse(value, &ns))
		return 0;
	for (size_t i = 0; i < *n; i++)
		if (view_eq(table[i].prefix, ns.prefix)) {
			table[i] = ns;
			return 0;
		}
	if (*n == CPIM_NS_MAX)
		return E_LIMIT;
	table[(*n)++] = ns;
	return 0;
}

/* Parts "prefix.Name"; true where the prefix is declared (an empty one always means something). */
static bool ns_resolve(const struct cpim_ns *table, size_t n, struct view *name, struct view *uri)
{
	size_t dot = view_find(*name, '.', 0);
	struct view prefix = {0};

	if (dot < name->n) {
		prefix = view_first(*name, dot);
		*name = view_from(*name, dot + 1);
	}
	for (size_t i = 0; i < n; i++)
		if (view_eq(table[i].prefix, prefix)) {
			*uri = table[i].uri;
			return true;
		}
	*uri = VIEW(CPIM_NS_DEFAULT);
	return view_empty(prefix);
}

/* Whether a header is one of RFC 3862 itself; *name is then without its prefix. */
static bool is_core(const struct cpim_ns *table, size_t n, struct view *name)
{
	struct view uri;
	bool plain = view_find(*name, '.', 0) == name->n;

	return ns_resolve(table, n, name, &uri) && (plain || view_eq(uri, VIEW(CPIM_NS_DEFAULT)));
}

static int take_header(struct cpim *m, struct view name, struct view value)
{
	struct cpim_addr other;

	if (!is_core(m->ns, m->n_ns, &name))
		return 0;
	if (view_eq(name, VIEW("NS")))
		return ns_add(m->ns, &m->n_ns, value);
	if (view_eq(name, VIEW("From")))
		return cpim_addr_parse(value, m->n_from++ ? &other : &m->from);
	if (view_eq(name, VIEW("To"))) {
		size_t i = m->n_to++;

		return cpim_addr_parse(value, i < CPIM_TO_MAX ? &m->to[i] : &other);
	}
	if (view_eq(name, VIEW("cc")))
		return cpim_addr_parse(value, m->n_cc++ ? &other : &m->cc);
	if (view_eq(name, VIEW("DateTime")) && view_empty(m->date_time))
		m->date_time = value;
	else if (view_eq(name, VIEW("Subject")) && view_empty(m->subject))
		m->subject = value;
	else if (view_eq(name, VIEW("Require")) && view_empty(m->require))
		m->require = value;
	return 0;
}

static int read_head(struct view bytes, const struct cpim_span *s, struct cpim *m)
{
	struct view rest = s->headers, name, value;
	struct mime_fields f;
	int rc;

	*m = (struct cpim){.headers = s->headers, .mime_headers = s->mime_headers};
	while (cpim_header_next(&rest, &name, &value)) {
		rc = take_header(m, name, value);
		if (rc)
			return rc;
	}
	rc = rest.n ? E_SYNTAX : mime_fields_parse(s->mime_headers, &f);
	if (rc)
		return rc;
	m->content_type = f.content_type;
	m->content_disposition = f.content_disposition;
	m->content_id = f.content_id;
	m->content_transfer_encoding = f.content_transfer_encoding;
	m->content_encoding = f.content_encoding;
	m->body = view_of(bytes.p + s->body, 0);
	return 0;
}

int cpim_parse_head(struct view bytes, struct cpim *out)
{
	struct cpim_span s = {0};
	struct cpim m;
	int rc = scan_head(bytes, false, &s);

	if (rc <= 0)
		return rc;
	rc = read_head(bytes, &s, &m);
	if (rc)
		return rc;
	*out = m;
	return (int)s.body;
}

int cpim_parse(struct view bytes, struct cpim *out)
{
	struct cpim_span s = {0};
	struct cpim m;
	int rc = scan_head(bytes, true, &s);

	if (rc <= 0)
		return rc ? rc : E_SYNTAX;
	rc = read_head(bytes, &s, &m);
	if (rc)
		return rc;
	m.body = view_from(bytes, s.body);
	*out = m;
	return 0;
}

bool cpim_header(const struct cpim *m, struct view ns_uri, struct view name, struct view *value_out)
{
	struct cpim_ns table[CPIM_NS_MAX];
	struct view rest = m->headers, field, value, uri;
	size_t n = 0;

	while (cpim_header_next(&rest, &field, &value)) {
		struct view core = field;

		if (ns_resolve(table, n, &field, &uri) && view_eq(uri, ns_uri) &&
		    view_eq(field, name)) {
			*value_out = value;
			return true;
		}
		if (is_core(table, n, &core) && view_eq(core, VIEW("NS")) &&
		    ns_add(table, &n, value))
			return false;
	}
	return false;
}

static int hex4(struct view v, uint32_t *out)
{
	uint32_t x = 0;

	if (v.n < 4)
		return E_SYNTAX;
	for (size_t i = 0; i < 4; i++) {
		char c = v.p[i];

		if (c >= '0' && c <= '9')
			x = x * 16 + (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			x = x * 16 + (uint32_t)((c | 0x20) - 'a') + 10;
		else
			return E_SYNTAX;
	}
	*out = x;
	return 0;
}

static void put_utf8(struct buf *b, uint32_t c)
{
	/* Half a surrogate pair and NUL are no characters to hand on. */
	if (c == 0 || (c >= 0xd800 && c <= 0xdfff))
		c = 0xfffd;
	if (c < 0x80) {
		buf_putc(b, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_putc(b, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_putc(b, (char)(0xe0 | c >> 12));
		} else {
			buf_putc(b, (char)(0xf0 | c >> 18));
			buf_putc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_putc(b, (char)(0x80 | (c & 0x3f)));
}

/* The \uXXXX whose digits v begins with, a surrogate pair taken together; returns bytes taken of v,
 * 0 where there are no four digits. */
static size_t put_escaped_u(struct buf *b, struct view v)
{
	uint32_t c, low;

	if (hex4(v, &c))
		return 0;
	if (c >= 0xd800 && c <= 0xdbff && v.n >= 10 && v.p[4] == '\\' && v.p[5] == 'u' &&
	    hex4(view_from(v, 6), &low) == 0 && low >= 0xdc00 && low <= 0xdfff) {
		put_utf8(b, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
		return 10;
	}
	put_utf8(b, c);
	return 4;
}

void cpim_unescape(struct buf *b, struct view v)
{
	static const char from[] = "btnr", to[] = "\b\t\n\r";

	for (size_t i = 0; i < v.n; i++) {
		char c = v.p[i];
		const char *hit;
		size_t taken;

		if (c == '\0') {
			put_utf8(b, 0);
			continue;
		}
		if (c != '\\') {
			buf_putc(b, c);
			continue;
		}
		if (++i == v.n)
			return; /* §2.3.1: a backslash at the end is ignored */
		c = v.p[i];
		hit = c ? strchr(from, c) : NULL;
		if (c == 'u' && (taken = put_escaped_u(b, view_from(v, i + 1))) != 0)
			i += taken;
		else if (c == '\0')
			put_utf8(b, 0);
		else
			buf_putc(b, hit ? to[hit - from] : c);
	}
}

static void escape(struct buf *b, struct view v, bool quoted)
{
	static const char from[] = "\\\b\t\n\r", to[] = "\\btnr";

	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];
		const char *hit = c ? strchr(from, c) : NULL;

		if (hit || (quoted && c == '"')) {
			buf_putc(b, '\\');
			buf_putc(b, hit ? to[hit - from] : '"');
		} else if (c < 0x20 || c == 0x7f) {
			buf_putf(b, "\\u%04x", c);
		} else {
			buf_putc(b, (char)c);
		}
	}
}

void cpim_escape(struct buf *b, struct view v)
{
	escape(b, v, false);
}

static bool uri_writable(struct view v)
{
	return !mime_has_control(v) && view_find(v, ' ', 0) == v.n && view_find(v, '<', 0) == v.n &&
	       view_find(v, '>', 0) == v.n;
}

static bool headers_writable(struct view v)
{
	struct view name, value, rest = v;

	if (v.n && v.p[v.n - 1] != '\n')
		return false;
	while (mime_field_next(&rest, &name, &value))
		;
	return rest.n == 0;
}

static void put_addr(struct buf *b, const char *name, struct view display, struct view uri)
{
	if (view_empty(uri))
		return;
	buf_puts(b, name);
	if (!view_empty(display)) {
		buf_putc(b, '"');
		escape(b, display, true);
		buf_puts(b, "\" ");
	}
	buf_putc(b, '<');
	buf_put(b, uri);
	buf_puts(b, ">\r\n");
}

static void put_field(struct buf *b, const char *name, struct view value)
{
	if (view_empty(value))
		return;
	buf_puts(b, name);
	buf_put(b, value);
	buf_puts(b, "\r\n");
}

int cpim_write(struct buf *b, const struct cpim_text *m)
{
	if (!uri_writable(m->from_uri) || !uri_writable(m->to_uri) ||
	    !uri_writable(m->content_id) || mime_has_control(m->date_time) ||
	    mime_has_control(m->content_type) || mime_has_control(m->content_disposition) ||
	    !headers_writable(m->headers))
		return E_SYNTAX;
	put_addr(b, "From: ", m->from_display, m->from_uri);
	put_addr(b, "To: ", m->to_display, m->to_uri);
	put_field(b, "DateTime: ", m->date_time);
	if (!view_empty(m->subject)) {
		buf_puts(b, "Subject: ");
		cpim_escape(b, m->subject);
		buf_puts(b, "\r\n");
	}
	buf_put(b, m->headers);
	buf_puts(b, "\r\n");
	put_field(b, "Content-Type: ", m->content_type);
	put_field(b, "Content-Disposition: ", m->content_disposition);
	if (!view_empty(m->content_id)) {
		buf_puts(b, "Content-ID: <");
		buf_put(b, m->content_id);
		buf_puts(b, ">\r\n");
	}
	buf_puts(b, "\r\n");
	buf_put(b, m->body);
	return buf_ok(b) ? 0 : E_LIMIT;
}

const char *cpim_datetime(char dst[CPIM_DATETIME_MAX], uint64_t unix_ms)
{
	const uint64_t last_ms = UINT64_C(253402300799999); /* 9999-12-31T23:59:59.999Z */
	uint64_t ms = unix_ms < last_ms ? unix_ms : last_ms;
	uint64_t day_ms = ms % 86400000;
	/* Days since 0000-03-01, so that a leap day ends its year; eras of 400 years have 146097.
	 */
	uint64_t days = ms / 86400000 + 719468;
	uint64_t era = days / 146097, doe = days % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint64_t mp = (5 * doy + 2) / 153; /* months from March */
	unsigned day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
	unsigned month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
	unsigned year = (unsigned)(era * 400 + yoe + (month <= 2 ? 1 : 0));

	(void)snprintf(dst, CPIM_DATETIME_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year, month,
		       day, (unsigned)(day_ms / 3600000), (unsigned)(day_ms / 60000 % 60),
		       (unsigned)(day_ms / 1000 % 60), (unsigned)(day_ms % 1000));
	return dst;
}
