#include "body/multipart.h"

#include "base/error.h"
#include "body/mime.h"

/* One delimiter line and where it lies. */
struct delimiter {
	size_t start;	/* of the line */
	size_t content; /* behind the line's end */
	bool closing;
};

static bool boundary_valid(struct view v)
{
	if (v.n == 0 || v.n > MULTIPART_BOUNDARY_MAX || v.p[v.n - 1] == ' ')
		return false;
	/* More characters than RFC 2046 §5.1.1 grants, but none that could end a header value. */
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] < ' ' || v.p[i] > '~' || v.p[i] == '"')
			return false;
	return true;
}

int multipart_boundary(struct view content_type, struct view *out)
{
	struct view boundary;

	if (!view_starts_nocase(view_trim(content_type), VIEW("multipart/")))
		return E_SYNTAX;
	if (!mime_param(content_type, VIEW("boundary"), &boundary))
		return E_MISSING;
	if (!boundary_valid(boundary))
		return E_SYNTAX;
	*out = boundary;
	return 0;
}

/* Whether the line that begins at body.p[at] is a delimiter: "--", boundary, "--" for the closing
 * one, white space. The whole line counts, so that a longer boundary of a nested multipart that
 * begins with the same text is none of ours. */
static bool delimiter_at(struct view body, struct view boundary, size_t at, struct delimiter *out)
{
	struct view line = view_from(body, at);
	size_t end = view_find(line, '\n', 0);
	struct delimiter d = {.start = at, .content = at + (end < line.n ? end + 1 : end)};

	line = view_first(line, end);
	if (!view_starts(line, VIEW("--")) || !view_starts(view_from(line, 2), boundary))
		return false;
	line = view_from(line, 2 + boundary.n);
	if (view_starts(line, VIEW("--"))) {
		d.closing = true;
		line = view_from(line, 2);
	}
	if (!view_empty(view_trim(line)))
		return false;
	*out = d;
	return true;
}

static bool delimiter_find(struct view body, struct view boundary, size_t from,
			   struct delimiter *out)
{
	for (size_t at = from; at < body.n; at = view_find(body, '\n', at) + 1)
		if (delimiter_at(body, boundary, at, out))
			return true;
	return false;
}

/* The bytes between two delimiters; the line end before the second one is its own (§5.1.1). */
static int part_parse(struct view bytes, struct multipart_part *out)
{
	struct multipart_part part = {0};
	struct mime_fields f;
	struct view rest, line;
	bool separated = false;

	if (bytes.n && bytes.p[bytes.n - 1] == '\n')
		bytes.n--;
	if (bytes.n && bytes.p[bytes.n - 1] == '\r')
		bytes.n--;
	rest = bytes;
	/* Without an empty line (or with one whose end went to the delimiter) the part is all
	 * header, which is allowed. */
	part.headers = bytes;
	part.body = view_from(bytes, bytes.n);
	while (!separated && mime_line_next(&rest, &line)) {
		if (line.n)
			continue;
		part.headers = view_of(bytes.p, (size_t)(line.p - bytes.p));
		part.body = rest;
		separated = true;
	}
	if (mime_fields_parse(part.headers, &f))
		return E_SYNTAX;
	part.content_type = f.content_type;
	part.content_disposition = f.content_disposition;
	part.content_id = f.content_id;
	part.content_transfer_encoding = f.content_transfer_encoding;
	*out = part;
	return 0;
}

int multipart_parse(struct view content_type, struct view body, struct multipart *out)
{
	struct multipart m = {0};
	struct delimiter from, to;
	int rc = multipart_boundary(content_type, &m.boundary);

	if (rc)
		return rc;
	if (!delimiter_find(body, m.boundary, 0, &from) || from.closing)
		return E_SYNTAX;
	do {
		if (!delimiter_find(body, m.boundary, from.content, &to))
			return E_SYNTAX;
		if (m.n == MULTIPART_PARTS_MAX)
			return E_LIMIT;
		rc = part_parse(view_of(body.p + from.content, to.start - from.content),
				&m.part[m.n++]);
		if (rc)
			return rc;
		from = to;
	} while (!to.closing);
	*out = m;
	return 0;
}

const struct multipart_part *multipart_find(const struct multipart *m, struct view type,
					    struct view disposition)
{
	for (size_t i = 0; i < m->n; i++)
		if (mime_value_is(m->part[i].content_type, type) &&
		    (view_empty(disposition) ||
		     mime_value_is(m->part[i].content_disposition, disposition)))
			return &m->part[i];
	return NULL;
}

const struct multipart_part *multipart_find_type(const struct multipart *m, struct view type)
{
	return multipart_find(m, type, (struct view){0});
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Compares a part's id with the escaped form of a cid: URL (RFC 2392 §2). */
static bool cid_eq(struct view id, struct view escaped)
{
	size_t at = 0;

	for (size_t i = 0; i < escaped.n; i++) {
		char c = escaped.p[i];

		if (c == '%' && escaped.n - i > 2) {
			int high = hex_digit(escaped.p[i + 1]), low = hex_digit(escaped.p[i + 2]);

			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (at == id.n || id.p[at++] != c)
			return false;
	}
	return at == id.n;
}

const struct multipart_part *multipart_find_cid(const struct multipart *m, struct view cid)
{
	bool url = view_starts_nocase(cid, VIEW("cid:"));

	if (url)
		cid = view_from(cid, 4);
	if (view_empty(cid))
		return NULL;
	for (size_t i = 0; i < m->n; i++) {
		struct view id = m->part[i].content_id;

		if (!view_empty(id) && (url ? cid_eq(id, cid) : view_eq(id, cid)))
			return &m->part[i];
	}
	return NULL;
}

bool multipart_value_is(struct view value, struct view token)
{
	return mime_value_is(value, token);
}

bool multipart_boundary_fits(struct view boundary, struct view body)
{
	/* Any line that begins with it, as RFC 2046 §5.1.1 has it: other readers may compare less
	 * strictly than delimiter_at. */
	for (size_t at = 0; at < body.n; at = view_find(body, '\n', at) + 1) {
		struct view line = view_from(body, at);

		if (view_starts(line, VIEW("--")) && view_starts(view_from(line, 2), boundary))
			return false;
	}
	return boundary_valid(boundary);
}

static void put_field(struct buf *b, const char *lead, struct view value, const char *trail)
{
	if (view_empty(value))
		return;
	if (mime_has_control(value))
		b->failed = true;
	buf_puts(b, lead);
	buf_put(b, value);
	buf_puts(b, trail);
}

/* The line end before a delimiter belongs to it; the first one has none before it. */
static void put_delimiter(struct buf *b, struct view boundary, const char *trail)
{
	if (!boundary_valid(boundary))
		b->failed = true;
	buf_puts(b, "--");
	buf_put(b, boundary);
	buf_puts(b, trail);
}

void multipart_write_part(struct buf *b, struct view boundary, struct view content_type,
			  struct view content_disposition, struct view content_id, struct view body)
{
	put_delimiter(b, boundary, "\r\n");
	put_field(b, "Content-Type: ", content_type, "\r\n");
	put_field(b, "Content-Disposition: ", content_disposition, "\r\n");
	put_field(b, "Content-ID: <", content_id, ">\r\n");
	buf_puts(b, "\r\n");
	buf_put(b, body);
	buf_puts(b, "\r\n");
}

void multipart_end(struct buf *b, struct view boundary)
{
	put_delimiter(b, boundary, "--\r\n");
}
