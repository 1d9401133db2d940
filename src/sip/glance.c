#include "sip/glance.h"

enum { LINES_MAX = 64 };

/* A whole line without its CRLF; false: there is none that ends as it should. */
static bool take_line(struct view *rest, struct view *line)
{
	size_t nl = view_find(*rest, '\n', 0);

	if (nl == rest->n || nl == 0 || rest->p[nl - 1] != '\r')
		return false;
	*line = view_first(*rest, nl - 1);
	*rest = view_from(*rest, nl + 1);
	return true;
}

static bool read_start_line(struct view line, struct sip_glance *g)
{
	size_t n = view_find(line, ' ', 0);

	g->method = sip_method_of(view_first(line, n));
	return g->method != SIP_METHOD_OTHER && view_ends(line, VIEW(" SIP/2.0"));
}

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Whether the line is this field, in its long or its short form; then its value. */
static bool is_field(struct view line, struct view name, char compact, struct view *value)
{
	size_t n = name.n;

	if (line.n > 1 && compact && (line.p[0] | 0x20) == compact &&
	    (line.p[1] == ':' || is_blank(line.p[1])))
		n = 1;
	else if (!view_starts_nocase(line, name))
		return false;
	while (n < line.n && is_blank(line.p[n]))
		n++;
	if (n == line.n || line.p[n] != ':')
		return false;
	*value = view_trim(view_from(line, n + 1));
	return true;
}

/* What is repeated in an answer may hold nothing that would end its line. */
static bool put_once(struct view *to, struct view value)
{
	if (to->n || !value.n || memchr(value.p, '\0', value.n) || memchr(value.p, '\r', value.n))
		return false;
	*to = value;
	return true;
}

static bool put_via(struct sip_glance *g, struct view value)
{
	if (g->n_vias == SIP_GLANCE_VIAS || memchr(value.p, ',', value.n))
		return false;
	g->via[g->n_vias] = VIEW("");
	return put_once(&g->via[g->n_vias++], value);
}

static bool read_field(struct view line, struct sip_glance *g)
{
	struct view value;

	switch (line.p[0] | 0x20) {
	case 'v':
		return !is_field(line, VIEW("Via"), 'v', &value) || put_via(g, value);
	case 'f':
		return !is_field(line, VIEW("From"), 'f', &value) || put_once(&g->from, value);
	case 't':
		return !is_field(line, VIEW("To"), 't', &value) || put_once(&g->to, value);
	case 'i':
		return !is_field(line, VIEW("i"), 'i', &value) || put_once(&g->call_id, value);
	case 'c':
		if (is_field(line, VIEW("Call-ID"), '\0', &value))
			return put_once(&g->call_id, value);
		return !is_field(line, VIEW("CSeq"), '\0', &value) || put_once(&g->cseq, value);
	case 'p':
		if (!g->credentials.n)
			(void)is_field(line, VIEW("Proxy-Authorization"), '\0', &g->credentials);
		return true;
	case 'a':
		if (!g->credentials.n)
			(void)is_field(line, VIEW("Authorization"), '\0', &g->credentials);
		return true;
	default:
		/* A fold may be one of those above, or hide one. */
		return !is_blank(line.p[0]);
	}
}

bool sip_glance(struct view bytes, struct sip_glance *out)
{
	struct view rest = view_first(bytes, SIP_HEAD_BYTES_MAX), line;
	struct sip_addr to;
	int lines = 0;

	out->n_vias = 0;
	out->from = out->to = out->call_id = out->cseq = out->credentials = VIEW("");
	if (!take_line(&rest, &line) || !read_start_line(line, out))
		return false;
	do {
		if (++lines > LINES_MAX || !take_line(&rest, &line))
			return false;
		if (line.n && !read_field(line, out))
			return false;
	} while (line.n);
	if (!out->n_vias || !out->from.n || !out->to.n || !out->call_id.n || !out->cseq.n ||
	    sip_via_parse(out->via[0], &out->top) || sip_addr_parse(out->to, &to))
		return false;
	out->to_tag = sip_addr_tag(&to);
	return true;
}
