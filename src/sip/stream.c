#include "sip/stream.h"

#include "base/error.h"
#include "sip/grammar.h"
#include "sip/msg.h"

void sip_stream_init(struct sip_stream *s, size_t max)
{
	*s = (struct sip_stream){.max = max};
	buf_init(&s->pending, max);
}

void sip_stream_fini(struct sip_stream *s)
{
	buf_fini(&s->pending);
	s->scanned = s->need = 0;
}

static int fail(struct sip_stream *s, int error)
{
	s->error = error;
	return error;
}

/* Bytes up to and with the empty line that ends the head, searched from the line that starts at
 * *line; 0 when it is not there, then *line is the start of the last line, the one without an end.
 */
static size_t head_span(struct view v, size_t *line)
{
	size_t nl;

	while ((nl = view_find(v, '\n', *line)) < v.n) {
		if (nl == *line || (nl == *line + 1 && v.p[*line] == '\r'))
			return nl + 1;
		*line = nl + 1;
	}
	return 0;
}

static size_t head_max(const struct sip_stream *s)
{
	return s->max < SIP_HEAD_BYTES_MAX ? s->max : SIP_HEAD_BYTES_MAX;
}

/* The Content-Length of a whole head; on a stream there must be one (RFC 3261 §20.14). */
static int head_content_length(struct view head, uint64_t *length_out)
{
	size_t at = view_find(head, '\n', 0) + 1;
	struct view line, name, value;
	bool found = false;
	uint64_t length;
	enum sip_head_result r;

	while ((r = sip_head_next(head, &at, &line)) == SIP_HEAD_LINE || r == SIP_HEAD_BAD) {
		if (!memchr("clCL", line.p[0], 4) || sip_head_field(line, &name, &value) ||
		    sip_header_of(name) != SIP_H_CONTENT_LENGTH)
			continue;
		if (view_to_u64(value, &length) || (found && length != *length_out))
			return E_SYNTAX;
		*length_out = length;
		found = true;
	}
	return found ? 0 : E_SYNTAX;
}

/* Size of the message that begins with this head. */
static int message_size(struct sip_stream *s, struct view head, size_t *size_out)
{
	uint64_t length = 0;

	if (head_content_length(head, &length))
		return E_SYNTAX;
	if (length > s->max || head.n > s->max - (size_t)length)
		return E_LIMIT;
	*size_out = head.n + (size_t)length;
	return 0;
}

/* Moves up to n bytes from the front of *in to pending. */
static int take(struct sip_stream *s, struct view *in, size_t n)
{
	struct view part = view_first(*in, n);
	int rc = buf_reserve(&s->pending, part.n);

	if (rc)
		return fail(s, rc);
	buf_put(&s->pending, part);
	*in = view_from(*in, part.n);
	return 0;
}

/* Where a head was found, in pending or in the input itself. */
static int head_found(struct sip_stream *s, struct view head, size_t *size_out,
		      struct view *message_out)
{
	int rc = message_size(s, head, size_out);

	if (rc) {
		*message_out = head;
		return fail(s, rc);
	}
	return 0;
}

/* Nothing is pending: the message may lie whole in the input, and then nothing is copied. */
static int begin_message(struct sip_stream *s, struct view *in, struct view *message_out)
{
	size_t line = 0, size = 0, head = head_span(*in, &line);
	int rc;

	s->after_crlf = false;
	if (head > head_max(s) || (head == 0 && in->n > head_max(s)))
		return fail(s, E_LIMIT);
	if (head) {
		rc = head_found(s, view_first(*in, head), &size, message_out);
		if (rc)
			return rc;
	}
	if (head && in->n >= size) {
		*message_out = view_first(*in, size);
		*in = view_from(*in, size);
		return SIP_STREAM_MESSAGE;
	}
	/* Room grows with what arrives, not with what Content-Length promises. */
	s->need = size;
	s->scanned = line;
	rc = take(s, in, in->n);
	return rc ? rc : SIP_STREAM_NEED_MORE;
}

/* The head is not whole: takes line by line, so that nothing behind it is taken. */
static int continue_head(struct sip_stream *s, struct view *in, struct view *message_out)
{
	struct view head;
	size_t size;
	int rc;

	while (in->n && s->need == 0) {
		rc = take(s, in, view_find(*in, '\n', 0) + 1);
		if (rc)
			return rc;
		head = buf_view(&s->pending);
		if (head.n > head_max(s))
			return fail(s, E_LIMIT);
		if (head.p[head.n - 1] != '\n' || head_span(head, &s->scanned) == 0)
			continue;
		rc = head_found(s, head, &size, message_out);
		if (rc)
			return rc;
		s->need = size;
	}
	return 0;
}

static int continue_message(struct sip_stream *s, struct view *in, struct view *message_out)
{
	int rc = 0;

	if (s->need == 0)
		rc = continue_head(s, in, message_out);
	if (rc || s->need == 0)
		return rc ? rc : SIP_STREAM_NEED_MORE;
	rc = take(s, in, s->need - s->pending.n);
	if (rc)
		return rc;
	if (s->pending.n < s->need)
		return SIP_STREAM_NEED_MORE;
	*message_out = buf_view(&s->pending);
	return SIP_STREAM_MESSAGE;
}

/* A line end between messages. */
static int keep_alive(struct sip_stream *s, struct view *in, size_t n)
{
	*in = view_from(*in, n);
	s->after_crlf = !s->after_crlf;
	return s->after_crlf ? SIP_STREAM_PONG : SIP_STREAM_PING;
}

/* The first byte after a message decides: a line end, or the next message. A CR alone waits in
 * pending for its LF. */
static int between_messages(struct sip_stream *s, struct view *in, struct view *message_out)
{
	if (s->pending.n) {
		if (in->p[0] != '\n')
			return fail(s, E_SYNTAX);
		buf_fini(&s->pending);
		return keep_alive(s, in, 1);
	}
	if (in->p[0] == '\n')
		return keep_alive(s, in, 1);
	if (in->p[0] != '\r')
		return begin_message(s, in, message_out);
	if (in->n == 1)
		return take(s, in, 1) ? s->error : SIP_STREAM_NEED_MORE;
	if (in->p[1] != '\n')
		return fail(s, E_SYNTAX);
	return keep_alive(s, in, 2);
}

int sip_stream_feed(struct sip_stream *s, struct view *in, struct view *message_out)
{
	struct view message = VIEW("");
	int rc;

	/* The message handed out by the last call. */
	if (s->need && s->pending.n == s->need) {
		buf_fini(&s->pending);
		s->need = s->scanned = 0;
	}
	if (s->error)
		rc = s->error;
	else if (in->n == 0)
		rc = SIP_STREAM_NEED_MORE;
	else if (s->pending.n == 0 || s->pending.p[0] == '\r')
		rc = between_messages(s, in, &message);
	else
		rc = continue_message(s, in, &message);
	if (rc < 0 || rc == SIP_STREAM_MESSAGE)
		*message_out = message;
	return rc;
}
