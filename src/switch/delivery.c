/*
 * Deliveries: what is on its way to a seat, from the moment it is queued until the
 * receiver answered (RFC 4975 §7.1.1), the connection took it (Failure-Report: no), or it failed.
 */
#include "switch/shard.h"

#include <stdio.h>

static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";

enum { END_LINE_BYTES = 9 + TID_CHARS + 3, HEAD_EXTRA = 512, METHOD_BYTES = 9 };

/* What a delivery holds until it is answered: a cap in bytes of the sender's own would let small
 * ones take many times of it. A block that several receivers share counts with each of them. */
static size_t cost(const struct seat *seat, const struct block *b)
{
	return sizeof(struct delivery) + sizeof(struct message) + 3 * sizeof(struct piece) +
	       seat->n_paths + (b ? sizeof(*b) + b->size : 0);
}

void switch_seat_tid(const struct seat *seat, uint64_t count, char *dst)
{
	memcpy(dst, seat->tid, TID_SECRET_CHARS);
	for (int i = TID_COUNT_CHARS - 1; i >= 0; i--, count >>= 5)
		dst[TID_SECRET_CHARS + i] = base32[count & 31];
}

/* The counter of one of our tids; UINT64_MAX: not one of this seat's. */
static uint64_t tid_count(const struct seat *seat, struct view tid)
{
	uint64_t count = 0;

	if (tid.n != TID_CHARS || memcmp(tid.p, seat->tid, TID_SECRET_CHARS) != 0)
		return UINT64_MAX;
	for (size_t i = TID_SECRET_CHARS; i < TID_CHARS; i++) {
		char x = tid.p[i];

		if (x >= 'a' && x <= 'z')
			count = count << 5 | (uint64_t)(x - 'a');
		else if (x >= '2' && x <= '7')
			count = count << 5 | (uint64_t)(x - '2' + 26);
		else
			return UINT64_MAX;
	}
	return count;
}

void switch_delivery_free(struct delivery *d)
{
	struct switch_shard *s = d->owner;

	if (d->unwritten)
		switch_relay_written(d->seat, d);
	switch_drain_written(d);
	list_del(&d->link);
	list_del(&d->conn_link);
	switch_block_unref(s, d->block);
	if (d->seat) {
		d->seat->backlog -= d->bytes;
		d->seat->n_partial -= d->watched;
	}
	switch_pool_put(&s->deliveries, d);
}

/* The result is there; status 0: good. */
static void delivery_done(struct delivery *d, int status, uint64_t now_ms)
{
	struct seat *seat = d->seat;
	struct message *m = d->message;
	uint32_t listener = d->listener;

	switch_delivery_free(d);
	if (m) {
		if (status && listener < m->n_listeners)
			m->listener[listener].dead = true;
		switch_message_result(m, listener, status, now_ms);
	}
	switch_seat_drained(seat, now_ms);
}

void switch_delivery_result(struct delivery *d, int status, uint64_t now_ms)
{
	delivery_done(d, status, now_ms);
}

static struct delivery *delivery_new(struct seat *seat, struct message *m, enum delivery_kind kind,
				     uint32_t listener)
{
	struct delivery *d = switch_pool_get(&seat->shard->deliveries);

	if (!d)
		return NULL;
	d->owner = seat->shard;
	d->seat = seat;
	d->message = m;
	d->kind = kind;
	d->listener = listener;
	list_init(&d->conn_link);
	list_add_tail(&seat->queue, &d->link);
	if (m)
		m->pending++;
	return d;
}

/* Queued in vain: as if it had never been. */
static void delivery_undo(struct delivery *d)
{
	if (d->message)
		d->message->pending--;
	switch_delivery_free(d);
}

/* "MSRP tid SEND" (or REPORT) and the paths; the counter of the tid goes to d. */
static void put_head(struct switch_conn *c, struct delivery *d)
{
	struct seat *seat = d->seat;
	struct view method = d->kind == DELIVERY_REPORT ? VIEW(" REPORT\r\n") : VIEW(" SEND\r\n");
	char line[5 + TID_CHARS + METHOD_BYTES];

	d->count = seat->count++;
	memcpy(line, "MSRP ", 5);
	switch_seat_tid(seat, d->count, line + 5);
	memcpy(line + 5 + TID_CHARS, method.p, method.n);
	switch_output_text(c, line, 5 + TID_CHARS + method.n);
	switch_output_text(c, seat->paths, seat->n_paths);
}

/* tid, flag and CRLF; the dashes stand at the end of the block. */
static void put_end(struct switch_conn *c, const struct delivery *d, char flag, bool dashes)
{
	char line[END_LINE_BYTES];

	memcpy(line, "\r\n-------", 9);
	switch_seat_tid(d->seat, d->count, line + 9);
	line[9 + TID_CHARS] = flag;
	memcpy(line + 9 + TID_CHARS + 1, "\r\n", 2);
	if (dashes)
		switch_output_text(c, line, sizeof(line));
	else
		switch_output_text(c, line + 9, sizeof(line) - 9);
}

static void commit(struct switch_conn *c, struct delivery *d)
{
	d->state = DELIVERY_COMMITTED;
	d->out_end = c->out.queued;
	list_del(&d->conn_link);
	list_add_tail(&c->unwritten, &d->conn_link);
	switch_output_wake(c);
}

void switch_delivery_interrupt(struct switch_conn *c, char flag)
{
	struct delivery *d = c->open;

	if (!d)
		return;
	c->open = NULL;
	/* Room for it was taken with the head, and a slot with each piece. */
	put_end(c, d, flag, true);
	commit(c, d);
}

static bool commit_whole(struct switch_conn *c, struct delivery *d)
{
	size_t text = 5 + TID_CHARS + METHOD_BYTES + d->seat->n_paths + END_LINE_BYTES;

	switch_delivery_interrupt(c, '+');
	if (switch_output_reserve(c, 3, text))
		return false;
	put_head(c, d);
	switch_output_block(c, d->block, 0, d->block->n);
	put_end(c, d, d->flag, false);
	commit(c, d);
	c->shard->counts.deliveries++;
	return true;
}

static struct view shown_id(const struct message *m, char *dst)
{
	return switch_message_shown_id(view_of(m->id, m->id_n), m->alias, dst);
}

/* Begins a streamed chunk towards a seat (SW-6); `before` is the delivery that needs it. */
static bool open_chunk(struct switch_conn *c, struct delivery *before)
{
	struct seat *seat = before->seat;
	struct message *m = before->message;
	struct delivery *d;
	char line[HEAD_EXTRA], total[24] = "*", id[MESSAGE_ID_MAX];
	int n;

	switch_delivery_interrupt(c, '+');
	if (m->total != MSRP_UNKNOWN)
		(void)snprintf(total, sizeof(total), "%llu", (unsigned long long)m->total);
	n = snprintf(line, sizeof(line), "Message-ID: %.*s\r\nByte-Range: %llu-*/%s\r\n",
		     VIEW_ARG(shown_id(m, id)), (unsigned long long)before->start, total);
	if (switch_output_reserve(c, 4,
				  5 + TID_CHARS + 7 + seat->n_paths + (size_t)n + END_LINE_BYTES))
		return false;
	d = delivery_new(seat, m, DELIVERY_CHUNK, before->listener);
	if (!d)
		return false;
	d->bytes = cost(seat, NULL);
	seat->backlog += d->bytes;
	list_del(&d->link);
	list_add_tail(&before->link, &d->link);
	put_head(c, d);
	switch_output_text(c, line, (size_t)n);
	switch_output_block(c, m->fields, 0, m->fields->n);
	d->state = DELIVERY_COMMITTED;
	c->open = d;
	c->shard->counts.deliveries++;
	return true;
}

static bool is_open_for(const struct switch_conn *c, const struct seat *seat,
			const struct message *m)
{
	return c->open && c->open->seat == seat && c->open->message == m;
}

static bool commit_piece(struct switch_conn *c, struct delivery *d)
{
	char flag = d->flag;

	if (!is_open_for(c, d->seat, d->message)) {
		if (!open_chunk(c, d))
			return false;
	} else if (switch_output_reserve(c, 2, 0)) {
		return false;
	}
	switch_output_block(c, d->block, d->off, d->n);
	list_del(&d->link);
	commit(c, d);
	if (flag)
		switch_delivery_interrupt(c, flag);
	return true;
}

static bool delivery_commit(struct switch_conn *c, struct delivery *d)
{
	return d->kind == DELIVERY_PIECE ? commit_piece(c, d) : commit_whole(c, d);
}

static bool has_room(const struct seat *seat, size_t bytes)
{
	if (seat->relay)
		return !switch_relay_overflows(seat, bytes);
	return seat->backlog + bytes <= seat->shard->cfg.seat_backlog;
}

bool switch_delivery_whole(struct seat *seat, struct message *m, struct block *b, char flag,
			   uint32_t listener)
{
	size_t bytes = cost(seat, b);
	struct delivery *d;

	seat->shard->work++;
	if (!has_room(seat, bytes))
		return false;
	d = delivery_new(seat, m, DELIVERY_WHOLE, listener);
	if (!d)
		return false;
	d->block = block_ref(b);
	d->flag = flag;
	d->bytes = bytes;
	seat->backlog += bytes;
	switch_relay_queued(seat, d);
	if (!seat->conn || delivery_commit(seat->conn, d))
		return true;
	delivery_undo(d);
	return false;
}

bool switch_delivery_report(struct seat *seat, struct block *b)
{
	struct delivery *d = delivery_new(seat, NULL, DELIVERY_REPORT, 0);

	if (!d)
		return false;
	d->block = block_ref(b);
	d->flag = '$';
	d->bytes = cost(seat, b);
	seat->backlog += d->bytes;
	switch_relay_queued(seat, d);
	switch_drain_report(d);
	if (!seat->conn || delivery_commit(seat->conn, d))
		return true;
	delivery_undo(d);
	return false;
}

void switch_delivery_forget_reports(struct seat *seat, uint64_t now_ms)
{
	LIST_EACH(l, tmp, &seat->queue)
	{
		struct delivery *d = CONTAINER(l, struct delivery, link);

		if (d->kind == DELIVERY_REPORT && d->state == DELIVERY_WRITTEN)
			delivery_done(d, 0, now_ms);
	}
}

bool switch_delivery_piece(struct seat *seat, struct message *m, struct block *b, size_t off,
			   size_t n, uint64_t start, char flag, uint32_t listener)
{
	struct delivery *d;
	size_t bytes = sizeof(*d) + sizeof(struct piece) + (b ? sizeof(*b) + b->size : 0);

	seat->shard->work++;
	if (!has_room(seat, bytes))
		return false;
	d = delivery_new(seat, m, DELIVERY_PIECE, listener);
	if (!d)
		return false;
	d->block = b ? block_ref(b) : NULL;
	d->off = off;
	d->n = n;
	d->start = start;
	d->flag = flag;
	d->bytes = bytes;
	seat->backlog += bytes;
	switch_relay_queued(seat, d);
	if (!seat->conn || delivery_commit(seat->conn, d))
		return true;
	delivery_undo(d);
	return false;
}

/* A chunk without content whose end-line says '#' (RFC 4975 §7.1.1); its answer is of no use. */
static void abort_chunk(struct seat *seat, const struct message *m, uint64_t start)
{
	struct switch_conn *c = seat->conn;
	struct delivery d = {.seat = seat};
	char line[HEAD_EXTRA], total[24] = "*", id[MESSAGE_ID_MAX];
	int n;

	if (m->total != MSRP_UNKNOWN)
		(void)snprintf(total, sizeof(total), "%llu", (unsigned long long)m->total);
	n = snprintf(line, sizeof(line),
		     "Message-ID: %.*s\r\nByte-Range: %llu-*/%s\r\nFailure-Report: no\r\n"
		     "Content-Type: message/cpim\r\n\r\n",
		     VIEW_ARG(shown_id(m, id)), (unsigned long long)start, total);
	switch_delivery_interrupt(c, '+');
	if (switch_output_reserve(c, 1,
				  5 + TID_CHARS + 7 + seat->n_paths + (size_t)n + END_LINE_BYTES))
		return;
	put_head(c, &d);
	switch_output_text(c, line, (size_t)n);
	put_end(c, &d, '#', true);
	switch_output_wake(c);
}

void switch_delivery_abort(struct seat *seat, struct message *m, uint64_t start, uint32_t listener)
{
	struct switch_conn *c = seat->conn;

	seat->shard->counts.aborted++;
	if (c && is_open_for(c, seat, m)) {
		switch_delivery_interrupt(c, '#');
		return;
	}
	if (c) {
		if (listener < m->n_listeners && m->listener[listener].begun)
			abort_chunk(seat, m, start);
		return;
	}
	/* Nobody holds the seat: what waits of the message is taken back. */
	LIST_EACH(l, tmp, &seat->queue)
	{
		struct delivery *d = CONTAINER(l, struct delivery, link);

		if (d->message == m)
			delivery_undo(d);
	}
}

void switch_delivery_flush(struct seat *seat, uint64_t now_ms)
{
	LIST_EACH(l, tmp, &seat->queue)
	{
		struct delivery *d = CONTAINER(l, struct delivery, link);
		struct message *m = d->message;

		if (d->state != DELIVERY_WAITING || !seat->conn)
			continue;
		if (m && !m->relay && !switch_seat_takes(seat, m->type, NULL))
			delivery_done(d, 0, now_ms);
		else if (!delivery_commit(seat->conn, d))
			delivery_done(d, 408, now_ms);
	}
}

void switch_delivery_forget_written(struct switch_conn *c, uint64_t now_ms)
{
	if (c->open)
		switch_delivery_interrupt(c, '#');
	LIST_EACH(l, tmp, &c->unwritten)
	{
		struct delivery *d = CONTAINER(l, struct delivery, conn_link);

		if (d->kind == DELIVERY_PIECE)
			delivery_done(d, 408, now_ms);
		else if (d->kind != DELIVERY_REMOTE)
			list_del(&d->conn_link);
	}
}

/* What of the seat stands only in the connection's list: pieces of streamed chunks. reports: what
 * is under way of REPORTs is no longer watched either. */
static void drop_pieces(struct seat *seat, struct switch_conn *c, bool reports, uint64_t now_ms)
{
	LIST_EACH(l, tmp, &c->unwritten)
	{
		struct delivery *d = CONTAINER(l, struct delivery, conn_link);

		if (d->seat != seat)
			continue;
		if (d->kind == DELIVERY_PIECE)
			delivery_done(d, 408, now_ms);
		else if (reports || d->kind != DELIVERY_REPORT)
			list_del(&d->conn_link);
	}
}

/* A REPORT is never answered, so nobody knows what of those just written the break has swallowed:
 * they are written again, and one that comes twice says nothing new. */
static bool keep_report(struct delivery *d)
{
	if (d->kind != DELIVERY_REPORT || !d->block)
		return false;
	d->seat->n_partial -= d->watched;
	list_del(&d->conn_link);
	d->watched = false;
	d->state = DELIVERY_WAITING;
	return true;
}

void switch_delivery_unbind(struct seat *seat, uint64_t now_ms)
{
	struct switch_conn *c = seat->conn;

	if (c->open && c->open->seat == seat)
		switch_delivery_interrupt(c, '#');
	drop_pieces(seat, c, true, now_ms);
	LIST_EACH(l, tmp, &seat->queue)
	{
		struct delivery *d = CONTAINER(l, struct delivery, link);

		if (keep_report(d))
			continue;
		if (d->kind == DELIVERY_BIND || d->watched)
			delivery_done(d, 0, now_ms);
		else if (d->kind == DELIVERY_CHUNK || (d->kind == DELIVERY_WHOLE && !d->block))
			delivery_done(d, 408, now_ms);
		else
			d->state = DELIVERY_WAITING;
	}
}

static void fail(struct seat *seat, bool reports, int status, uint64_t now_ms)
{
	if (seat->conn) {
		if (seat->conn->open && seat->conn->open->seat == seat)
			switch_delivery_interrupt(seat->conn, '#');
		drop_pieces(seat, seat->conn, reports, now_ms);
	}
	LIST_EACH(l, tmp, &seat->queue)
	{
		struct delivery *d = CONTAINER(l, struct delivery, link);

		if (reports || d->kind != DELIVERY_REPORT)
			delivery_done(d, d->watched ? 0 : status, now_ms);
	}
}

void switch_delivery_fail_all(struct seat *seat, int status, uint64_t now_ms)
{
	fail(seat, true, status, now_ms);
}

void switch_delivery_fail_messages(struct seat *seat, int status, uint64_t now_ms)
{
	fail(seat, false, status, now_ms);
}

/* With Failure-Report: partial no answer means success, and a REPORT gets none: only so many of the
 * latest are watched. */
static void watch(struct delivery *d, uint64_t now_ms)
{
	struct seat *seat = d->seat;

	d->watched = true;
	list_add_tail(&seat->watched, &d->conn_link);
	seat->n_partial++;
	if (seat->n_partial > PARTIAL_MAX)
		delivery_done(CONTAINER(seat->watched.next, struct delivery, conn_link), 0, now_ms);
}

void switch_delivery_written(struct switch_conn *c, struct delivery *d, uint64_t now_ms)
{
	struct seat *seat = d->seat;
	enum msrp_failure_report report =
		d->message ? d->message->failure_report : MSRP_FAILURE_YES;

	if (d->unwritten)
		switch_relay_written(seat, d);
	switch_drain_written(d);
	if (d->kind == DELIVERY_REMOTE) {
		switch_handover_written(c, d->shard, d->n);
		switch_delivery_free(d);
		return;
	}
	if (d->kind == DELIVERY_PIECE || report == MSRP_FAILURE_NO ||
	    (d->kind == DELIVERY_REPORT && seat->state == SEAT_DRAINING)) {
		delivery_done(d, 0, now_ms);
		return;
	}
	d->state = DELIVERY_WRITTEN;
	d->written_ms = now_ms;
	if (!timer_armed(&seat->answer_timer))
		timer_arm(seat->shard->timers, &seat->answer_timer,
			  now_ms + seat->shard->cfg.response_timeout_ms);
	if (d->kind == DELIVERY_REPORT)
		watch(d, now_ms);
	if (report == MSRP_FAILURE_PARTIAL) {
		switch_block_unref(seat->shard, d->block);
		d->block = NULL;
		seat->backlog -= d->bytes;
		d->bytes = 0;
		watch(d, now_ms);
	}
}

void switch_delivery_timeout(void *ctx, uint64_t now_ms)
{
	struct seat *seat = ctx;
	struct switch_shard *s = seat->shard;

	while (!list_empty(&seat->queue)) {
		struct delivery *d = CONTAINER(seat->queue.next, struct delivery, link);

		if (d->state != DELIVERY_WRITTEN)
			break;
		if (d->written_ms + s->cfg.response_timeout_ms > now_ms) {
			timer_arm(s->timers, &seat->answer_timer,
				  d->written_ms + s->cfg.response_timeout_ms);
			break;
		}
		delivery_done(d, d->watched ? 0 : 408, now_ms);
	}
	switch_handover_output(s);
}

static struct delivery *find_by_tid(struct seat *seat, struct view tid)
{
	uint64_t count = tid_count(seat, tid);
	int looked = 0;

	if (count == UINT64_MAX)
		return NULL;
	LIST_EACH(l, tmp, &seat->queue)
	{
		struct delivery *d = CONTAINER(l, struct delivery, link);

		if (d->count == count && d->state != DELIVERY_WAITING)
			return d;
		if (++looked == SEARCH_MAX)
			break;
	}
	return NULL;
}

static struct delivery *find_by_id(struct seat *seat, struct view id)
{
	int looked = 0;

	LIST_EACH(l, tmp, &seat->queue)
	{
		struct delivery *d = CONTAINER(l, struct delivery, link);
		char text[MESSAGE_ID_MAX];

		if (d->message && view_eq(shown_id(d->message, text), id) &&
		    d->state != DELIVERY_WAITING)
			return d;
		if (++looked == SEARCH_MAX)
			break;
	}
	return NULL;
}

void switch_delivery_answer(struct seat *seat, const struct msrp_head *h, uint64_t now_ms)
{
	int status = h->is_request ? h->status_code : h->status;
	struct delivery *d =
		h->is_request ? find_by_id(seat, h->message_id) : find_by_tid(seat, h->tid);

	/* A success report says nothing that the response does not say (RFC 7701 §6.3). */
	if (!d || (h->is_request && status == 200))
		return;
	if (seat->conn && seat->conn->open == d) {
		if (status == 200)
			return;
		/* §7.3.2: the entire message should be aborted. */
		switch_delivery_interrupt(seat->conn, '#');
	}
	if (d->kind == DELIVERY_BIND && status != 200) {
		delivery_done(d, 0, now_ms);
		switch_seat_lost(seat, E_DENIED, now_ms);
		return;
	}
	delivery_done(d, status == 200 ? 0 : status, now_ms);
}

void switch_delivery_bind_send(struct seat *seat)
{
	static const char range[] = "Byte-Range: 1-0/0\r\n";
	struct switch_conn *c = seat->conn;
	struct delivery *d = delivery_new(seat, NULL, DELIVERY_BIND, 0);
	char id[64], line[END_LINE_BYTES];
	int n;

	if (!d)
		return;
	list_del(&d->link);
	list_add_head(&seat->queue, &d->link);
	if (switch_output_reserve(c, 1, 256 + seat->n_paths)) {
		switch_delivery_free(d);
		return;
	}
	put_head(c, d);
	n = snprintf(id, sizeof(id), "Message-ID: %.12s%llu\r\n", seat->session,
		     (unsigned long long)d->count);
	switch_output_text(c, id, (size_t)n);
	switch_output_text(c, range, sizeof(range) - 1);
	memcpy(line, "-------", 7);
	switch_seat_tid(seat, d->count, line + 7);
	memcpy(line + 7 + TID_CHARS, "$\r\n", 3);
	switch_output_text(c, line, 7 + TID_CHARS + 3);
	commit(c, d);
}

bool switch_delivery_remote(struct switch_conn *c, struct block *b, unsigned shard)
{
	struct delivery *d = switch_pool_get(&c->shard->deliveries);

	switch_delivery_interrupt(c, '+');
	if (!d || switch_output_reserve(c, 1, 0)) {
		if (d)
			switch_pool_put(&c->shard->deliveries, d);
		switch_block_unref(c->shard, b);
		return false;
	}
	d->owner = c->shard;
	d->kind = DELIVERY_REMOTE;
	d->shard = shard;
	d->n = b->n;
	list_init(&d->link);
	list_init(&d->conn_link);
	switch_output_block(c, b, 0, b->n);
	switch_block_unref(c->shard, b);
	commit(c, d);
	return true;
}
