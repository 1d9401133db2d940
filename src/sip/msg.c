#include "sip/msg.h"

#include "base/error.h"
#include "sip/grammar.h"
#include "sip/value.h"

static void msg_clear(struct sip_msg *m)
{
	/* field[] stays as it is: only the first n_fields entries are ever read. */
	m->raw = m->method_name = m->uri = m->reason = m->head = m->body = VIEW("");
	m->is_request = false;
	m->method = SIP_METHOD_OTHER;
	m->status = 0;
	m->n_fields = 0;
	m->via_error = E_MISSING;
	for (int i = 0; i < SIP_HEADER_IDS; i++)
		m->first[i] = -1;
}

static struct view skip_empty_lines(struct view v)
{
	size_t i = 0;

	for (;;) {
		if (i < v.n && v.p[i] == '\n')
			i++;
		else if (i + 1 < v.n && v.p[i] == '\r' && v.p[i + 1] == '\n')
			i += 2;
		else
			return view_from(v, i);
	}
}

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct view trim_blanks(struct view v)
{
	while (v.n && is_blank(v.p[0]))
		v = view_from(v, 1);
	while (v.n && is_blank(v.p[v.n - 1]))
		v.n--;
	return v;
}

static struct view take_word(struct view *line)
{
	size_t n = 0;
	struct view word;

	while (n < line->n && !is_blank(line->p[n]))
		n++;
	word = view_first(*line, n);
	*line = trim_blanks(view_from(*line, n));
	return word;
}

/* "SIP/2.0": 0; another version: E_UNSUPPORTED; no SIP version at all: E_SYNTAX. */
static int check_version(struct view v)
{
	size_t major, minor;

	if (!view_starts_nocase(v, VIEW("SIP/")))
		return E_SYNTAX;
	v = view_from(v, 4);
	if (view_eq(v, VIEW("2.0")))
		return 0;
	major = sip_span(v, SIP_CHAR_DIGIT, 0);
	if (major == 0 || major == v.n || v.p[major] != '.')
		return E_SYNTAX;
	minor = sip_span(v, SIP_CHAR_DIGIT, major + 1);
	return minor > major + 1 && minor == v.n ? E_UNSUPPORTED : E_SYNTAX;
}

static int parse_status_line(struct view line, struct sip_msg *m)
{
	struct view version = take_word(&line), code = take_word(&line);
	uint32_t status;
	int rc = check_version(version);

	if (rc == E_SYNTAX)
		return rc;
	if (code.n != 3 || view_to_u32(code, &status) || status < 100 || status > 699)
		return E_SYNTAX;
	m->status = (uint16_t)status;
	m->reason = line;
	return rc;
}

/* More than one blank between the parts and blanks at the end are overlooked (RFC 4475 §3.1.2.9,
 * §3.1.2.10). Blanks inside the URI stay in it for sip_msg_check to refuse. */
static int parse_request_line(struct view line, struct sip_msg *m)
{
	struct view method, version;
	size_t at;
	int rc;

	line = trim_blanks(line);
	method = take_word(&line);
	for (at = line.n; at > 0 && !is_blank(line.p[at - 1]); at--)
		;
	version = view_from(line, at);
	line = trim_blanks(view_first(line, at));
	if (!sip_is_token(method) || line.n == 0)
		return E_SYNTAX;
	rc = check_version(version);
	if (rc == E_SYNTAX)
		return rc;
	m->is_request = true;
	m->method_name = method;
	m->method = sip_method_of(method);
	m->uri = line;
	return rc;
}

static int parse_start_line(struct view bytes, size_t *at, struct sip_msg *m)
{
	size_t nl = view_find(bytes, '\n', 0);
	struct view line = view_first(bytes, nl);

	if (nl == bytes.n)
		return E_SYNTAX;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n && (memchr(line.p, '\r', line.n) || memchr(line.p, '\0', line.n)))
		return E_SYNTAX;
	*at = nl + 1;
	if (view_starts_nocase(line, VIEW("SIP/")))
		return parse_status_line(line, m);
	return parse_request_line(line, m);
}

static int add_field(struct sip_msg *m, struct view line)
{
	struct view name, value;
	struct sip_field *f;
	enum sip_header_id id;
	int rc = sip_head_field(line, &name, &value);

	if (rc)
		return rc;
	if (m->n_fields == SIP_FIELDS_MAX)
		return E_LIMIT;
	id = sip_header_of(name);
	if (m->first[id] < 0)
		m->first[id] = (int16_t)m->n_fields;
	f = &m->field[m->n_fields++];
	f->name_at = (uint32_t)(name.p - m->raw.p);
	f->name_n = (uint16_t)name.n;
	f->value_at = (uint32_t)(value.p - m->raw.p);
	f->value_n = (uint32_t)value.n;
	f->id = (uint8_t)id;
	return 0;
}

/* Goes on behind a bad line, so that an answer can be written with what the others hold; returns
 * the first error. *at becomes the start of the body. */
static int parse_fields(struct sip_msg *m, struct view bytes, size_t *at)
{
	struct view head = view_first(bytes, SIP_HEAD_BYTES_MAX), line;
	int rc = 0, line_rc;

	for (;;) {
		switch (sip_head_next(head, at, &line)) {
		case SIP_HEAD_END:
			return rc;
		case SIP_HEAD_CUT:
			*at = head.n;
			if (rc)
				return rc;
			return bytes.n > head.n ? E_LIMIT : E_SYNTAX;
		case SIP_HEAD_BAD:
			line_rc = E_SYNTAX;
			break;
		default:
			line_rc = add_field(m, line);
		}
		if (line_rc == E_LIMIT)
			return E_LIMIT;
		if (rc == 0)
			rc = line_rc;
	}
}

/* A NUL may stand in the head as a quoted-pair only (RFC 3261 §25.1; RFC 4475 §3.1.1.2 has one). */
static bool has_bare_nul(struct view v)
{
	for (size_t i = view_find(v, '\0', 0); i < v.n; i = view_find(v, '\0', i + 1))
		if (i == 0 || v.p[i - 1] != '\\')
			return true;
	return false;
}

/* Cuts the body to Content-Length (RFC 3261 §18.3). */
static int cut_body(struct sip_msg *m)
{
	uint64_t length = 0, other;
	int i = sip_msg_field(m, SIP_H_CONTENT_LENGTH, -1);

	if (i < 0)
		return 0;
	if (view_to_u64(sip_field_value(m, i), &length))
		return E_SYNTAX;
	while ((i = sip_msg_field(m, SIP_H_CONTENT_LENGTH, i)) >= 0)
		if (view_to_u64(sip_field_value(m, i), &other) || other != length)
			return E_SYNTAX;
	if (length > m->body.n)
		return E_RANGE;
	m->body.n = (size_t)length;
	return 0;
}

/* Asked for at every step of a message's way, so it is read once. */
static void read_top_via(struct sip_msg *m)
{
	struct sip_values it;
	struct view v;

	m->via_error = E_MISSING;
	if (!sip_msg_has(m, SIP_H_VIA))
		return;
	sip_values_start(&it, m, SIP_H_VIA);
	m->via_error = sip_values_next(&it, &v) ? sip_via_parse(v, &m->via) : E_SYNTAX;
}

/* v of the message that stood at `from`, now at `to`. */
static void move_view(struct view *v, const char *from, const char *to)
{
	if (v->n)
		v->p = to + (v->p - from);
}

void sip_msg_via_replaced(struct sip_msg *m, struct view bytes)
{
	const char *from = m->raw.p, *to = bytes.p;
	uint32_t shift = (uint32_t)bytes.n - (uint32_t)m->raw.n; /* may wrap: it is only added */
	int via = m->first[SIP_H_VIA];

	move_view(&m->method_name, from, to);
	move_view(&m->uri, from, to);
	move_view(&m->reason, from, to);
	m->head = view_of(to, m->head.n + bytes.n - m->raw.n);
	m->body = view_from(bytes, m->head.n);
	m->raw = bytes;
	m->field[via].value_n += shift;
	for (int i = via + 1; i < m->n_fields; i++) {
		m->field[i].name_at += shift;
		m->field[i].value_at += shift;
	}
	read_top_via(m);
}

int sip_msg_parse(struct view bytes, struct sip_msg *out)
{
	struct sip_cseq cseq;
	size_t at = 0;
	int rc, body_rc;

	msg_clear(out);
	bytes = skip_empty_lines(bytes);
	if (bytes.n > UINT32_MAX)
		return E_LIMIT;
	out->raw = bytes;
	rc = parse_start_line(view_first(bytes, SIP_HEAD_BYTES_MAX), &at, out);
	if (rc == E_SYNTAX)
		return bytes.n > SIP_HEAD_BYTES_MAX && at == 0 ? E_LIMIT : rc;
	body_rc = parse_fields(out, bytes, &at);
	if (rc == 0)
		rc = body_rc;
	out->head = view_first(bytes, at);
	out->body = view_from(bytes, at);
	if (rc == 0 && has_bare_nul(out->head))
		rc = E_SYNTAX;
	body_rc = cut_body(out);
	if (rc == 0)
		rc = body_rc;
	out->raw.n = out->head.n + out->body.n;
	read_top_via(out);
	if (!out->is_request && sip_msg_cseq(out, &cseq) == 0)
		out->method = sip_method_of(cseq.method);
	return rc;
}

struct view sip_field_name(const struct sip_msg *m, int field)
{
	const struct sip_field *f;

	if (field < 0 || field >= m->n_fields)
		return VIEW("");
	f = &m->field[field];
	return view_of(m->raw.p + f->name_at, f->name_n);
}

struct view sip_field_value(const struct sip_msg *m, int field)
{
	const struct sip_field *f;

	if (field < 0 || field >= m->n_fields)
		return VIEW("");
	f = &m->field[field];
	return view_of(m->raw.p + f->value_at, f->value_n);
}

struct view sip_msg_value(const struct sip_msg *m, enum sip_header_id id)
{
	return sip_field_value(m, m->first[id]);
}

struct view sip_msg_value_named(const struct sip_msg *m, struct view name)
{
	enum sip_header_id id = sip_header_of(name);

	if (id != SIP_H_OTHER)
		return sip_msg_value(m, id);
	for (int i = sip_msg_field(m, id, -1); i >= 0; i = sip_msg_field(m, id, i))
		if (view_eq_nocase(sip_field_name(m, i), name))
			return sip_field_value(m, i);
	return VIEW("");
}

int sip_msg_field(const struct sip_msg *m, enum sip_header_id id, int after)
{
	if (after < 0)
		return m->first[id];
	for (int i = after + 1; i < m->n_fields; i++)
		if (m->field[i].id == id)
			return i;
	return -1;
}
