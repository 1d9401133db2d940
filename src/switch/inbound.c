/* SENDs as they come (RFC 4975 §7.3.1): checks on the head, then gathering or streaming. */
#include "switch/shard.h"

#include "base/buf.h"
#include "body/cpim.h"
#include "msrp/write.h"

#include <stdio.h>

enum { END_DASHES = 9, BODY_UNKNOWN = 768 };
static const char end_dashes[] = "\r\n-------";

struct inbound *switch_inbound_new(struct switch_conn *c, enum inbound_mode mode)
{
	struct inbound *in = switch_pool_get(&c->shard->inbounds);

	if (in)
		in->mode = mode;
	c->in = in;
	return in;
}

void switch_inbound_free(struct switch_conn *c)
{
	struct inbound *in = c->in;

	if (!in)
		return;
	c->in = NULL;
	if (in->message)
		in->message->in = NULL;
	switch_block_unref(c->shard, in->block);
	switch_pool_put(&c->shard->inbounds, in);
}

static bool wants_response(enum msrp_failure_report report, int status)
{
	return report == MSRP_FAILURE_YES || (report == MSRP_FAILURE_PARTIAL && status != 200);
}

/* No: what is left of the frame is dropped. The answer does not wait for it (RFC 4975 §7.3.2 lets a
 * sender hear it in the middle). */
static void refuse(struct switch_conn *c, struct seat *seat, const struct msrp_head *h, int status,
		   uint64_t now_ms)
{
	c->shard->counts.refused++;
	if (status == 413 && seat->relay)
		switch_passing_stop(seat, h->message_id, h->start, now_ms);
	if (wants_response(h->failure_report, status)) {
		if (seat && seat->reply) {
			switch_conn_reply(c, seat, h->tid, status);
		} else {
			struct buf b;

			buf_init(&b, 2 * MSRP_HEAD_BYTES_MAX);
			msrp_write_response(&b, h, status, NULL);
			if (buf_ok(&b))
				switch_output_reply(c, b.p, b.n);
			buf_fini(&b);
		}
	}
	switch_inbound_new(c, INBOUND_SKIP);
}

/* The same when the head is gone already. */
static void refuse_now(struct switch_conn *c, int status, uint64_t now_ms)
{
	struct inbound *in = c->in;

	c->shard->counts.refused++;
	if (wants_response(in->failure_report, status))
		switch_conn_reply(c, in->seat, view_of(in->tid, in->tid_n), status);
	if (in->message) {
		struct message *m = in->message;

		in->message = NULL;
		switch_message_abandon(m, now_ms);
	}
	if (status == 413 && in->seat->relay)
		switch_passing_stop(in->seat, view_of(in->id, in->id_n), in->start, now_ms);
	switch_block_unref(c->shard, in->block);
	in->block = NULL;
	in->mode = INBOUND_SKIP;
}

/* Lines that are passed on behind Byte-Range: Failure-Report as the sender has it, and what
 * describes the content (RFC 4975 §9: Content-Type is the last one). */
static int write_fields(char *dst, size_t size, const struct msrp_head *h, bool wrapped)
{
	static const char *const report[] = {"", "Failure-Report: no\r\n",
					     "Failure-Report: partial\r\n"};
	struct view rest = h->raw, type = wrapped ? VIEW("message/cpim") : h->content_type;
	size_t n = strlen(report[h->failure_report]);

	memcpy(dst, report[h->failure_report], n);
	while (!wrapped && !view_empty(rest)) {
		struct view line = view_cut(&rest, '\n');

		if (!view_starts_nocase(line, VIEW("Content-")) ||
		    view_starts_nocase(line, VIEW("Content-Type:")))
			continue;
		if (line.n + 1 > size - n)
			return E_LIMIT;
		memcpy(dst + n, line.p, line.n);
		n += line.n;
		dst[n++] = '\n';
	}
	if (type.n + 18 > size - n)
		return E_LIMIT;
	memcpy(dst + n, "Content-Type: ", 14);
	memcpy(dst + n + 14, type.p, type.n);
	memcpy(dst + n + 14 + type.n, "\r\n\r\n", 4);
	return (int)(n + type.n + 18);
}

static size_t put_number(char *dst, uint64_t x)
{
	char tmp[20];
	size_t i = sizeof(tmp), n;

	if (x == MSRP_UNKNOWN) {
		*dst = '*';
		return 1;
	}
	do {
		tmp[--i] = (char)('0' + x % 10);
		x /= 10;
	} while (x);
	n = sizeof(tmp) - i;
	memcpy(dst, tmp + i, n);
	return n;
}

struct block *switch_inbound_head_block(struct switch_shard *s, const struct inbound *in,
					struct view fields, uint64_t start, uint64_t end,
					uint64_t total, size_t body, size_t *fields_at)
{
	struct block *b = switch_block_new(s, MESSAGE_ID_MAX + 100 + fields.n + body + END_DASHES);
	char text[MESSAGE_ID_MAX], *p;
	struct view id = switch_message_shown_id(view_of(in->id, in->id_n), in->alias, text);

	if (!b)
		return NULL;
	p = b->bytes;
	memcpy(p, "Message-ID: ", 12);
	p += 12;
	memcpy(p, id.p, id.n);
	p += id.n;
	memcpy(p, "\r\nByte-Range: ", 14);
	p += 14;
	p += put_number(p, start);
	*p++ = '-';
	p += put_number(p, end);
	*p++ = '/';
	p += put_number(p, total);
	*p++ = '\r';
	*p++ = '\n';
	*fields_at = (size_t)(p - b->bytes);
	memcpy(p, fields.p, fields.n);
	b->n = *fields_at + fields.n;
	return b;
}

/* CPIM headers for a phone that knows none (SW-2); they come before its content. */
static int write_wrapping(struct switch_shard *s, struct inbound *in, const struct msrp_head *h,
			  struct buf *b, uint64_t now_ms)
{
	char date[CPIM_DATETIME_MAX];
	struct cpim_text t = {
		.from_uri = view_str(in->seat->uri),
		.from_display = view_str(switch_seat_name(in->seat)),
		.to_uri = view_str(in->seat->conference->uri),
		.date_time = view_str(cpim_datetime(date, s->cfg.unix_ms_at_zero + now_ms)),
		.content_type = h->content_type,
	};
	int rc = cpim_write(b, &t);

	if (!rc && !buf_ok(b))
		rc = E_NOMEM;
	in->shift = b->n;
	return rc;
}

static uint64_t shifted(const struct inbound *in, uint64_t x)
{
	return x == MSRP_UNKNOWN ? x : x + in->shift;
}

/* The first chunk brings along what wrapping puts before it; one that says byte 1 again does not.
 */
static uint64_t shifted_start(const struct inbound *in)
{
	return in->first ? 1 : shifted(in, in->start);
}

/* How many bytes the chunk is going to have; 0: it does not say. */
static uint64_t promised(const struct msrp_head *h)
{
	uint64_t last = h->end != MSRP_UNKNOWN ? h->end : h->total;

	return last == MSRP_UNKNOWN || last + 1 < h->start ? 0 : last + 1 - h->start;
}

static int begin_block(struct switch_conn *c, struct inbound *in, const struct msrp_head *h,
		       struct view prefix)
{
	struct switch_shard *s = c->shard;
	char text[FIELDS_MAX];
	uint64_t size = promised(h);
	int n = write_fields(text, sizeof(text), h, in->wrapped);
	size_t room = size && size <= s->cfg.chunk_whole_max ? (size_t)size : BODY_UNKNOWN;

	if (n < 0)
		return 400;
	in->block = switch_inbound_head_block(s, in, view_of(text, (size_t)n), shifted_start(in),
					      shifted(in, in->end), shifted(in, in->total),
					      room + prefix.n, &in->fields_at);
	if (!in->block)
		return 413;
	in->body_at = in->block->n;
	return switch_block_put(s, &in->block, prefix) ? 413 : 0;
}

static int begin_gather(struct switch_conn *c, struct inbound *in, const struct msrp_head *h,
			uint64_t now_ms)
{
	struct buf b;
	int status;

	if (in->message)
		in->shift = in->message->shift;
	if (!in->wrapped || in->message)
		return begin_block(c, in, h, view_of("", 0));
	buf_init(&b, CPIM_HEAD_MAX);
	status = write_wrapping(c->shard, in, h, &b, now_ms) ? 415 : 0;
	if (!status)
		status = begin_block(c, in, h, buf_view(&b));
	buf_fini(&b);
	return status;
}

/* What the head alone decides: 0 or a status. */
static int check_head(struct switch_conn *c, struct seat *seat, const struct msrp_head *h)
{
	const struct switch_config *cfg = &c->shard->cfg;

	if (!seat || seat->state == SEAT_LOST || seat->state == SEAT_DRAINING)
		return 481;
	if (seat->conn && seat->conn != c)
		return 506;
	if (!switch_seat_from_path(seat, h->from_path))
		return 481;
	if (!seat->conn && (c->n_seats >= SEATS_PER_CONN_MAX || !switch_seat_trusts(seat, c)))
		return 403;
	if (!h->has_body)
		return 0;
	if (h->message_id.n == 0 || h->message_id.n > MESSAGE_ID_MAX || h->start == 0 ||
	    view_empty(h->content_type))
		return 400;
	if (cfg->max_message && ((h->total != MSRP_UNKNOWN && h->total > cfg->max_message) ||
				 h->start > cfg->max_message))
		return 413;
	return 0;
}

static int check_content(struct switch_conn *c, struct seat *seat, const struct msrp_head *h,
			 struct inbound *in)
{
	struct view type = h->content_type;

	in->message = switch_message_find(seat, h->message_id);
	if (in->message)
		in->message->in = in;
	in->is_cpim = view_eq_nocase(view_trim(view_cut(&type, ';')), VIEW("message/cpim"));
	if (in->message) {
		const struct switch_config *cfg = &c->shard->cfg;

		in->wrapped = in->message->shift > 0;
		in->alias = in->message->alias;
		return cfg->max_chunks && in->message->chunks >= cfg->max_chunks ? 413 : 0;
	}
	/* The beginning is not known (any more): 413 makes a sender stop (RFC 4975 §10.5). */
	if (h->start > 1)
		return 413;
	in->first = true;
	in->alias = switch_message_alias(seat, h->message_id);
	if (in->is_cpim)
		return 0;
	in->wrapped = c->shard->cfg.wrap_plain;
	return in->wrapped ? 0 : 415;
}

static void copy_head(struct inbound *in, struct seat *seat, const struct msrp_head *h)
{
	in->seat = seat;
	in->start = h->start;
	in->end = h->end;
	in->total = h->total;
	in->has_range = h->has_range;
	in->success_report = h->success_report;
	in->failure_report = h->failure_report;
	in->tid_n = (uint8_t)(h->tid.n < MSRP_TID_MAX ? h->tid.n : MSRP_TID_MAX);
	memcpy(in->tid, h->tid.p, in->tid_n);
	in->id_n = (uint16_t)(h->message_id.n < MESSAGE_ID_MAX ? h->message_id.n : MESSAGE_ID_MAX);
	if (in->id_n)
		memcpy(in->id, h->message_id.p, in->id_n);
}

static int begin_content(struct switch_conn *c, struct seat *seat, const struct msrp_head *h,
			 uint64_t now_ms)
{
	uint64_t size = promised(h);
	int status;

	/* It is to end: nobody would be told in time what becomes of this. */
	if (seat->conference->refuses)
		return 403;
	if (seat->relay)
		return switch_relay_begin(c->shard, c->in, h,
					  size && size <= c->shard->cfg.chunk_whole_max
						  ? (size_t)size
						  : BODY_UNKNOWN);
	status = check_content(c, seat, h, c->in);
	return status ? status : begin_gather(c, c->in, h, now_ms);
}

void switch_inbound_send(struct switch_conn *c, struct seat *seat, const struct msrp_head *h,
			 uint64_t now_ms)
{
	int status = check_head(c, seat, h);
	struct inbound *in;

	c->shard->counts.chunks_in++;
	if (status) {
		refuse(c, seat, h, status, now_ms);
		return;
	}
	c->last = seat;
	if (!seat->conn)
		switch_seat_bind(seat, c, now_ms);
	in = switch_inbound_new(c, INBOUND_EMPTY);
	if (!in)
		return;
	copy_head(in, seat, h);
	/* RFC 4975 §5.4: what was sent before a connection broke may come again after it. */
	in->duplicate = h->has_body && seat->rebound && !seat->relay &&
			switch_message_seen(seat, h->message_id);
	/* Some phones bind with a Content-Type and no bytes at all ("1-0/0"). */
	if (!h->has_body || in->duplicate || h->total == 0)
		return;
	status = begin_content(c, seat, h, now_ms);
	if (status) {
		in->mode = INBOUND_GATHER;
		refuse_now(c, status, now_ms);
		return;
	}
	in->mode = INBOUND_GATHER;
}

/* Is it too large to be gathered, or said to become so? */
static bool is_large(const struct switch_shard *s, const struct inbound *in)
{
	uint64_t last = in->end != MSRP_UNKNOWN ? in->end : in->total;
	size_t have = in->block->n - in->body_at;

	return have > s->cfg.chunk_whole_max || (last != MSRP_UNKNOWN && last >= in->start &&
						 last - in->start >= s->cfg.chunk_whole_max);
}

static void try_stream(struct switch_conn *c, uint64_t now_ms)
{
	struct switch_shard *s = c->shard;
	struct inbound *in = c->in;
	size_t have = in->block->n - in->body_at;
	int status;

	if (!is_large(s, in))
		return;
	status = switch_fanout_stream_begin(s, in, now_ms);
	if (status < 0) {
		/* The CPIM headers are not all there; they have a limit of their own. */
		if (have > s->cfg.chunk_whole_max + CPIM_HEAD_MAX)
			refuse_now(c, 400, now_ms);
	} else if (status) {
		refuse_now(c, status, now_ms);
	} else {
		in->mode = INBOUND_STREAM;
	}
}

void switch_inbound_body(struct switch_conn *c, struct view body, uint64_t now_ms)
{
	struct switch_shard *s = c->shard;
	struct inbound *in = c->in;

	if (!in || in->mode == INBOUND_SKIP)
		return;
	in->n_body += body.n;
	if (in->mode == INBOUND_EMPTY)
		return;
	if (s->cfg.max_message && in->start - 1 + in->n_body > s->cfg.max_message) {
		refuse_now(c, 413, now_ms);
		return;
	}
	if (!in->block && !(in->block = switch_block_new(s, body.n))) {
		refuse_now(c, 413, now_ms);
		return;
	}
	if (switch_block_put(s, &in->block, body)) {
		refuse_now(c, 413, now_ms);
		return;
	}
	if (in->mode == INBOUND_GATHER)
		try_stream(c, now_ms);
	else if (in->block->n - in->body_at >= PIECE_BYTES)
		switch_fanout_stream(s, in, 0, now_ms);
}

void switch_inbound_pause(struct switch_conn *c, uint64_t now_ms)
{
	if (c->in && c->in->mode == INBOUND_STREAM)
		switch_fanout_stream(c->shard, c->in, 0, now_ms);
}

void switch_inbound_refuse(struct seat *seat, int status, uint64_t now_ms)
{
	struct switch_conn *c = seat->conn;

	if (c && c->in && c->in->seat == seat &&
	    (c->in->mode == INBOUND_GATHER || c->in->mode == INBOUND_STREAM))
		refuse_now(c, status, now_ms);
}

int switch_inbound_prefix(struct inbound *in, struct view prefix)
{
	struct switch_shard *s = in->seat->shard;
	struct block *old = in->block, *b;
	struct view fields = view_of(old->bytes + in->fields_at, in->body_at - in->fields_at);
	struct view body = view_of(old->bytes + in->body_at, old->n - in->body_at);
	size_t at;

	in->shift += prefix.n;
	b = switch_inbound_head_block(s, in, fields, 1, shifted(in, in->end),
				      shifted(in, in->total), prefix.n + body.n, &at);
	if (!b || switch_block_put(s, &b, prefix) || switch_block_put(s, &b, body)) {
		switch_block_unref(s, b);
		return 413;
	}
	in->fields_at = at;
	in->body_at = at + fields.n;
	in->block = b;
	switch_block_unref(s, old);
	return 0;
}

/* The chunk's Byte-Range is passed on as it came unless it was not true or not there. */
static int finish_whole(struct switch_shard *s, struct inbound *in, char flag)
{
	uint64_t last = in->start - 1 + in->n_body;
	bool lies = !in->has_range || (in->end != MSRP_UNKNOWN && in->end != last) ||
		    (in->total != MSRP_UNKNOWN && in->total < last);

	if (lies) {
		struct block *old = in->block, *b;
		struct view fields =
			view_of(old->bytes + in->fields_at, in->body_at - in->fields_at);
		struct view body = view_of(old->bytes + in->body_at, old->n - in->body_at);
		size_t at;

		if (in->total == MSRP_UNKNOWN || in->total < last)
			in->total = flag == '$' ? last : MSRP_UNKNOWN;
		b = switch_inbound_head_block(s, in, fields, shifted_start(in), shifted(in, last),
					      shifted(in, in->total), body.n, &at);
		if (!b || switch_block_put(s, &b, body)) {
			switch_block_unref(s, b);
			return 413;
		}
		in->body_at = at + fields.n;
		in->fields_at = at;
		in->block = b;
		switch_block_unref(s, old);
	}
	return switch_block_put(s, &in->block, view_of(end_dashes, END_DASHES)) ? 413 : 0;
}

/* What a message has come to, chunk by chunk. */
static void note_chunk(struct message *m, const struct inbound *in, uint64_t now_ms)
{
	uint64_t last = in->start - 1 + in->n_body;

	if (in->start <= m->next && last >= m->next)
		m->next = last + 1;
	if (last > m->size)
		m->size = last;
	m->chunks++;
	if (m->n_listeners)
		switch_message_arm(m, now_ms);
}

static void end_of_message(struct switch_conn *c, struct inbound *in, char flag, uint64_t now_ms)
{
	struct seat *seat = in->seat;
	struct message *m = in->message;
	uint64_t size = in->start - 1 + in->n_body;
	bool whole = m ? m->next == size + 1 : in->duplicate;

	if (flag == '$') {
		c->shard->counts.sends_in++;
		if (!in->duplicate)
			switch_message_remember(seat, view_of(in->id, in->id_n));
		if (in->success_report && whole)
			switch_message_success(seat, view_of(in->id, in->id_n), size);
	}
	in->message = NULL;
	if (m)
		switch_message_end(m, now_ms);
}

static bool has_content(const struct inbound *in)
{
	return in->duplicate || in->mode == INBOUND_GATHER || in->mode == INBOUND_STREAM;
}

void switch_inbound_end(struct switch_conn *c, char flag, uint64_t now_ms)
{
	struct switch_shard *s = c->shard;
	struct inbound *in = c->in;
	bool content;
	int status = 0;

	if (!in || in->mode == INBOUND_SKIP) {
		switch_inbound_free(c);
		return;
	}
	/* The same without a Byte-Range. */
	if (in->mode == INBOUND_GATHER && in->n_body == 0 && in->start == 1 && !in->message)
		in->mode = INBOUND_EMPTY;
	content = has_content(in);
	if (in->mode == INBOUND_GATHER) {
		status = finish_whole(s, in, flag);
		if (!status)
			status = switch_fanout_whole(s, in, flag, now_ms);
	} else if (in->mode == INBOUND_STREAM) {
		switch_fanout_stream(s, in, flag, now_ms);
	}
	if (status) {
		refuse_now(c, status, now_ms);
		switch_inbound_free(c);
		return;
	}
	if (content && in->message && !in->seat->relay)
		note_chunk(in->message, in, now_ms);
	if (wants_response(in->failure_report, 200)) {
		if (content && switch_relay_withholds(in))
			switch_message_withhold(in->message, view_of(in->tid, in->tid_n));
		else
			switch_conn_reply(c, in->seat, view_of(in->tid, in->tid_n), 200);
	}
	if (content && in->seat->relay)
		switch_relay_chunk_end(s, in, flag, now_ms);
	else if (content && (flag != '+' || in->duplicate))
		end_of_message(c, in, flag, now_ms);
	switch_inbound_free(c);
}

void switch_inbound_abort(struct switch_conn *c, uint64_t now_ms)
{
	struct inbound *in = c->in;

	if (!in || in->mode == INBOUND_FORWARD)
		return;
	if (in->mode == INBOUND_STREAM) {
		struct message *m = in->message;

		switch_fanout_stream(c->shard, in, '#', now_ms);
		in->message = NULL;
		switch_message_end(m, now_ms);
	}
	/* Of a gathered chunk nobody has heard yet. */
	if (in->message)
		in->message->in = NULL;
	in->message = NULL;
	in->seat = NULL;
	in->mode = INBOUND_SKIP;
}
