/*
 * The 1-1 relay: a conference of two seats whose frames are passed on to the other seat, chunk by
 * chunk and with nothing in them changed but the paths and the transaction id. Responses go
 * hop by hop (RFC 4975 §7.2), REPORTs end to end (§7.1.3). It knows no CPIM, gathers no message,
 * and drops no duplicates: to both sides it is as good as a wire.
 *
 * The relay is slow when a receiver is slow: above a mark of unwritten bytes the sender's
 * connection is not read any further (SW-3). What is written and not answered does not count there,
 * or two sides who both wait for answers would stop each other for good.
 */
#include "switch/shard.h"

#include <stdio.h>

enum {
	UNANSWERED_BYTES = 256, /* what is kept of one: less than its share, since many are under
				   way on a long line */
	MARK_PART = 4
};

void switch_relay_link(struct conference *conf)
{
	struct seat *a = conf->seat[0], *b = conf->seat[1];

	conf->relay = true;
	a->peer = b;
	b->peer = a;
	a->relay = b->relay = true;
	/* What one says waits for the other, whoever's connection comes first. */
	a->queues = b->queues = true;
}

/* ---- back-pressure ---- */

/* Sessions with other peers use it as well (RFC 4975 §5.4 wants that): who reads nothing must not
 * stop those. */
static bool is_shared(const struct switch_conn *c)
{
	return c->n_seats > 1 || c->used || c->shared;
}

bool switch_relay_overflows(const struct seat *seat, size_t bytes)
{
	const struct seat *sender = seat->peer;

	return sender && sender->conn && is_shared(sender->conn) &&
	       seat->unwritten + bytes > seat->shard->cfg.seat_backlog;
}

void switch_relay_gate(struct seat *sender, bool leaving)
{
	bool stop = !leaving && sender->conn && sender->peer && sender->peer->full &&
		    !is_shared(sender->conn);

	if (stop == sender->stopped || !sender->conn)
		return;
	sender->stopped = stop;
	switch_conn_stop(sender->conn, stop);
}

void switch_relay_queued(struct seat *seat, struct delivery *d)
{
	if (!seat->relay)
		return;
	d->unwritten = d->bytes;
	seat->unwritten += d->bytes;
	if (seat->full || seat->unwritten <= seat->shard->cfg.seat_backlog / MARK_PART)
		return;
	seat->full = true;
	if (seat->peer)
		switch_relay_gate(seat->peer, false);
}

void switch_relay_written(struct seat *seat, struct delivery *d)
{
	seat->unwritten -= d->unwritten;
	d->unwritten = 0;
	if (!seat->full || seat->unwritten > seat->shard->cfg.seat_backlog / MARK_PART / 2)
		return;
	seat->full = false;
	if (seat->peer)
		switch_relay_gate(seat->peer, false);
}

/* Of a receiver who reads and does not answer, only so much is kept for sending it again. */
void switch_relay_trim(struct seat *seat, uint64_t now_ms)
{
	size_t max = seat->shard->cfg.seat_backlog;

	LIST_EACH(l, tmp, &seat->queue)
	{
		struct delivery *d = CONTAINER(l, struct delivery, link);

		if (seat->backlog <= max || d->state != DELIVERY_WRITTEN)
			return;
		if (!d->block) {
			switch_delivery_result(d, 408, now_ms);
			continue;
		}
		switch_block_unref(seat->shard, d->block);
		d->block = NULL;
		seat->backlog -= d->bytes - UNANSWERED_BYTES;
		d->bytes = UNANSWERED_BYTES;
	}
}

/* ---- SEND ---- */

/* all: Message-ID and Byte-Range are not. */
static bool is_ours(struct view line, bool all)
{
	switch (line.n ? line.p[0] | 0x20 : 0) {
	case 't':
		return view_starts_nocase(line, VIEW("To-Path:"));
	case 'f':
		return view_starts_nocase(line, VIEW("From-Path:"));
	case 'm':
		return !all && view_starts_nocase(line, VIEW("Message-ID:"));
	case 'b':
		return !all && view_starts_nocase(line, VIEW("Byte-Range:"));
	default:
		return false;
	}
}

/* The lines behind the start line that are not written anew. all: Message-ID and Byte-Range, too.
 */
static int copy_lines(char *dst, size_t size, const struct msrp_head *h, bool all)
{
	struct view rest = h->raw;
	size_t n = 0;

	(void)view_cut(&rest, '\n');
	while (!view_empty(rest)) {
		struct view line = view_cut(&rest, '\n');

		if (is_ours(line, all))
			continue;
		if (line.n + 4 > size - n)
			return E_LIMIT;
		memcpy(dst + n, line.p, line.n);
		n += line.n;
		dst[n++] = '\n';
	}
	return (int)n;
}

int switch_relay_begin(struct switch_shard *s, struct inbound *in, const struct msrp_head *h,
		       size_t room)
{
	char text[MSRP_HEAD_BYTES_MAX];
	int n = copy_lines(text, sizeof(text) - 2, h, false), status = switch_passing_check(in);

	if (n < 0 || status)
		return n < 0 ? 400 : status;
	memcpy(text + n, "\r\n", 2);
	in->block = switch_inbound_head_block(s, in, view_of(text, (size_t)n + 2), in->start,
					      in->end, in->total, room, &in->fields_at);
	if (!in->block)
		return 413;
	in->body_at = in->block->n;
	return 0;
}

static struct message *chunk_record(struct inbound *in)
{
	struct message *m = switch_message_new(in->seat, in);

	if (!m)
		return NULL;
	m->relay = true;
	m->start = in->start;
	m->total = in->total;
	m->n_receivers = 1;
	in->message = m;
	return m;
}

static bool is_there(const struct seat *to)
{
	return to && !to->gone && switch_seat_receives(to);
}

int switch_relay_whole(struct inbound *in, char flag, uint64_t now_ms)
{
	int status = flag == '+' && is_there(in->seat->peer) ? switch_passing_count(in, now_ms) : 0;

	return status ? status : switch_relay_pass(in, flag, now_ms);
}

int switch_relay_pass(struct inbound *in, char flag, uint64_t now_ms)
{
	struct seat *to = in->seat->peer;
	struct message *m;

	if (!is_there(to))
		return 408;
	m = chunk_record(in);
	if (!m)
		return 413;
	m->size = in->start - 1 + in->n_body;
	if (!switch_delivery_whole(to, m, in->block, flag, 0))
		switch_message_failed(m, 0, 408, now_ms);
	switch_relay_trim(to, now_ms);
	return 0;
}

bool switch_relay_withholds(const struct inbound *in)
{
	const struct conference *conf = in->seat->conference;

	return in->message && in->seat->relay &&
	       (in->seat->end_to_end || conf->closing || conf->drain != DRAIN_NONE);
}

int switch_relay_stream_begin(struct inbound *in, uint64_t now_ms)
{
	struct seat *to = in->seat->peer;
	struct message *m;
	int status = is_there(to) ? switch_passing_count(in, now_ms) : 408;

	if (status)
		return status;
	m = chunk_record(in);
	if (!m)
		return 413;
	m->listener = &m->only;
	m->only = (struct listener){.seat = to};
	m->n_listeners = 1;
	list_add_tail(&in->seat->conference->messages, &m->conference_link);
	in->position = in->start;
	return 0;
}

void switch_relay_chunk_end(struct switch_shard *s, struct inbound *in, char flag, uint64_t now_ms)
{
	struct message *m = in->message;

	if (flag == '$')
		s->counts.sends_in++;
	if (flag != '+')
		switch_passing_end(in);
	in->message = NULL;
	if (m)
		switch_message_end(m, now_ms);
}

/* ---- REPORT ---- */

void switch_relay_report(struct seat *from, const struct msrp_head *h, uint64_t now_ms)
{
	struct seat *to = from->peer;
	char text[MSRP_HEAD_BYTES_MAX];
	struct block *b;
	int n;

	if (!is_there(to) || !switch_seat_from_path(from, h->from_path))
		return;
	n = copy_lines(text, sizeof(text), h, true);
	b = n < 0 ? NULL : switch_block_new(from->shard, (size_t)n + 7);
	if (!b)
		return;
	memcpy(b->bytes, text, (size_t)n);
	memcpy(b->bytes + n, "-------", 7);
	b->n = (size_t)n + 7;
	(void)switch_delivery_report(to, b);
	switch_block_unref(from->shard, b);
	switch_relay_trim(to, now_ms);
}

/* ---- connections that break ---- */

void switch_relay_gone(struct seat *seat, uint64_t now_ms)
{
	if (seat->conference && seat->conference->closing) {
		switch_relay_over(seat, now_ms);
		return;
	}
	/* The other side's session stays; its writer hears of each message what became of it. The
	 * owner may still come back. */
	seat->gone = true;
	switch_delivery_fail_all(seat, 408, now_ms);
	switch_seat_event(seat, SWITCH_EV_SEAT_LOST, E_CLOSED);
}

/* ---- the end ---- */

void switch_relay_over(struct seat *seat, uint64_t now_ms)
{
	struct seat *peer = seat->peer;

	/* The owner is gone: the peer may still be there to hear of what that one has not got. */
	switch_delivery_fail_messages(seat, 408, now_ms);
	if (peer)
		switch_seat_end(peer, true, now_ms);
	switch_seat_end(seat, true, now_ms);
}

static void close_late(void *ctx, uint64_t now_ms)
{
	struct conference *conf = ctx;
	struct switch_shard *s = conf->shard;

	if (conf->n == 2)
		switch_delivery_fail_messages(conf->seat[1], 408, now_ms);
	switch_relay_over(conf->seat[0], now_ms);
	switch_handover_output(s);
}

static bool may_say_more(const struct seat *seat)
{
	return seat->conn || (seat->state == SEAT_DOWN && !seat->gone);
}

/* Who is cut off just now is not waited for as long as otherwise. */
static void hurry(struct seat *seat, uint64_t now_ms)
{
	if (seat->state != SEAT_DOWN || seat->gone)
		return;
	seat->give_up_ms = now_ms + RELAY_BACK_MS;
	if (!seat->active)
		timer_arm(seat->shard->timers, &seat->timer, seat->give_up_ms);
}

void switch_relay_close(struct switch_shard *s, switch_conference_id id, uint64_t now_ms)
{
	struct conference *conf = switch_conference_find(s, id);

	if (!conf || !conf->relay || conf->closing)
		return;
	switch_drain_stop(conf, false);
	conf->closing = true;
	if (conf->n < 2 || (!may_say_more(conf->seat[0]) && !may_say_more(conf->seat[1]))) {
		switch_relay_over(conf->seat[0], now_ms);
	} else {
		hurry(conf->seat[0], now_ms);
		hurry(conf->seat[1], now_ms);
		timer_init(&conf->timer, close_late, conf);
		timer_arm(s->timers, &conf->timer, now_ms + RELAY_DRAIN_MS);
	}
	switch_handover_output(s);
}
