#include "sip/write.h"

#include "sip/grammar.h"
#include "sip/value.h"

#include <stdarg.h>
#include <stdio.h>

/* Puts v with each line end and the white space behind it as one blank: undoes folds, and keeps a
 * value that came from somewhere else from beginning a field of its own. */
static void put_one_line(struct buf *b, struct view v)
{
	size_t n = 0;

	while (v.n) {
		while (n < v.n && v.p[n] != '\r' && v.p[n] != '\n')
			n++;
		buf_put(b, view_first(v, n));
		v = view_from(v, n);
		sip_skip_lws(&v);
		if (v.n)
			buf_putc(b, ' ');
		n = 0;
	}
}

/* Method and URI are delimited by blanks, so that one inside would forge a start line. */
static void put_word(struct buf *b, struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] <= ' ')
			b->failed = true;
	buf_put(b, v);
}

void sip_write_request_line(struct buf *b, struct view method, struct view uri)
{
	put_word(b, method);
	buf_putc(b, ' ');
	put_word(b, uri);
	buf_puts(b, " SIP/2.0\r\n");
}

void sip_write_status_line(struct buf *b, int status, const char *reason)
{
	buf_put(b, VIEW("SIP/2.0 "));
	buf_put_u64(b, (uint64_t)status);
	buf_putc(b, ' ');
	put_one_line(b, view_str(reason ? reason : sip_reason(status)));
	buf_puts(b, "\r\n");
}

static void put_field(struct buf *b, struct view name, struct view value)
{
	buf_put(b, name);
	buf_puts(b, ": ");
	put_one_line(b, value);
	buf_puts(b, "\r\n");
}

void sip_write_field(struct buf *b, const char *name, struct view value)
{
	put_field(b, view_str(name), value);
}

static void put_vf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	size_t start = b->n;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	/* One byte more for the NUL that vsnprintf ends with. */
	if (n < 0 || buf_reserve(b, (size_t)n + 1)) {
		b->failed = true;
		return;
	}
	(void)vsnprintf(b->p + start, (size_t)n + 1, fmt, ap);
	b->n = start + (size_t)n;
	for (size_t i = start; i < b->n; i++)
		if (b->p[i] == '\r' || b->p[i] == '\n')
			b->p[i] = ' ';
}

void sip_write_fieldf(struct buf *b, const char *name, const char *fmt, ...)
{
	va_list ap;

	buf_puts(b, name);
	buf_puts(b, ": ");
	va_start(ap, fmt);
	put_vf(b, fmt, ap);
	va_end(ap);
	buf_puts(b, "\r\n");
}

void sip_write_body(struct buf *b, struct view content_type, struct view body)
{
	if (content_type.n)
		sip_write_field(b, "Content-Type", content_type);
	buf_puts(b, "Content-Length: ");
	buf_put_u64(b, body.n);
	buf_puts(b, "\r\n\r\n");
	buf_put(b, body);
}

static void copy_field(struct buf *b, const struct sip_msg *m, int field)
{
	enum sip_header_id id = m->field[field].id;

	put_field(b, id == SIP_H_OTHER ? sip_field_name(m, field) : sip_header_text(id),
		  sip_field_value(m, field));
}

void sip_write_copy(struct buf *b, const struct sip_msg *m, enum sip_header_id id)
{
	for (int i = sip_msg_field(m, id, -1); i >= 0; i = sip_msg_field(m, id, i))
		copy_field(b, m, i);
}

static void copy_first(struct buf *b, const struct sip_msg *m, enum sip_header_id id)
{
	if (sip_msg_has(m, id))
		copy_field(b, m, m->first[id]);
}

static void put_to(struct buf *b, const struct sip_msg *req, int status, struct view to_tag)
{
	struct sip_addr to;

	if (status <= 100 || to_tag.n == 0 || sip_msg_to(req, &to) || sip_addr_tag(&to).n) {
		copy_first(b, req, SIP_H_TO);
		return;
	}
	buf_puts(b, "To: ");
	put_one_line(b, sip_msg_value(req, SIP_H_TO));
	buf_puts(b, ";tag=");
	put_one_line(b, to_tag);
	buf_puts(b, "\r\n");
}

static bool may_form_dialog(enum sip_method m)
{
	return m == SIP_INVITE || m == SIP_SUBSCRIBE || m == SIP_REFER || m == SIP_UPDATE;
}

void sip_write_response_head(struct buf *b, const struct sip_msg *req, int status,
			     const char *reason, struct view to_tag)
{
	sip_write_status_line(b, status, reason);
	sip_write_copy(b, req, SIP_H_VIA);
	copy_first(b, req, SIP_H_FROM);
	put_to(b, req, status, to_tag);
	copy_first(b, req, SIP_H_CALL_ID);
	copy_first(b, req, SIP_H_CSEQ);
	if (status == 100)
		copy_first(b, req, SIP_H_TIMESTAMP);
	if (status > 100 && status < 300 && may_form_dialog(req->method))
		sip_write_copy(b, req, SIP_H_RECORD_ROUTE);
}
