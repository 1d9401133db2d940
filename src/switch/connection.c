/* The read side of a connection: frames to where they belong. */
#include "switch/shard.h"

#include "base/error.h"

#include "base/buf.h"
#include "msrp/uri.h"
#include "msrp/write.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t number_hash(const struct hash *h, unsigned origin, uint64_t number)
{
	uint64_t key[2] = {origin, number};

	return hash_bytes(h, view_of((const char *)key, sizeof(key)));
}

static struct hash *table_of(struct switch_shard *s, unsigned origin)
{
	return origin == s->cfg.shard ? &s->by_number : &s->guests;
}

struct switch_conn *switch_conn_find(struct switch_shard *s, unsigned origin, uint64_t number)
{
	struct hash *h = table_of(s, origin);
	uint64_t hash = number_hash(h, origin, number);

	for (struct hash_node *n = hash_first(h, hash); n; n = hash_next(n, hash)) {
		struct switch_conn *c = CONTAINER(n, struct switch_conn, node);

		if (c->origin == origin && c->number == number)
			return c;
	}
	return NULL;
}

static bool is_claimed(const struct switch_conn *c)
{
	return c->n_seats || c->used;
}

/* RFC 4975 §5.4: a connection that names no session of ours is not kept. Neither is one whose peer
 * has taken nothing for as long as an answer may take: what waits for it would wait for ever, and
 * nobody would be told. Its seats may be bound anew. */
static void conn_timeout(void *ctx, uint64_t now_ms)
{
	struct switch_conn *c = ctx;
	struct switch_shard *s = c->shard;

	if (c->finishing)
		log_line(s->log, LOG_INFO, "switch",
			 "a connection whose sessions are over was not read to the end: closed");
	else if (is_claimed(c))
		log_line(s->log, LOG_INFO, "switch",
			 "a connection with %u sessions takes nothing any more: closed",
			 c->n_seats);
	else
		s->counts.refused++;
	s->ops.close(s->ops.ctx, c->handle);
	switch_conn_release(c, now_ms);
	switch_handover_output(s);
}

struct switch_conn *switch_conn_new(struct switch_shard *s, void *handle, unsigned origin,
				    uint64_t number)
{
	struct switch_conn *c;

	if (s->n_conns >= s->cfg.max_conns)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->shard = s;
	c->handle = handle;
	c->guest = origin != s->cfg.shard;
	c->origin = origin;
	c->number = number;
	msrp_reader_init(&c->reader);
	list_init(&c->link);
	list_init(&c->unwritten);
	list_init(&c->seats);
	list_init(&c->dirty);
	timer_init(&c->timer, conn_timeout, c);
	if (hash_add(table_of(s, origin), &c->node,
		     number_hash(table_of(s, origin), origin, number))) {
		free(c);
		return NULL;
	}
	list_add_tail(&s->conns, &c->link);
	s->n_conns++;
	return c;
}

void switch_conn_free(struct switch_conn *c)
{
	struct switch_shard *s = c->shard;

	while (!list_empty(&c->unwritten))
		switch_delivery_free(CONTAINER(c->unwritten.next, struct delivery, conn_link));
	while (!list_empty(&c->seats)) {
		CONTAINER(c->seats.next, struct seat, conn_link)->conn = NULL;
		list_del(c->seats.next);
	}
	hash_del(table_of(s, c->origin), &c->node);
	list_del(&c->link);
	list_del(&c->dirty);
	timer_cancel(s->timers, &c->timer);
	switch_output_fini(c);
	msrp_reader_fini(&c->reader);
	switch_inbound_free(c);
	switch_mail_free(c->mail);
	s->n_conns--;
	free(c);
}

static void let_seats_go(struct switch_conn *c, uint64_t now_ms)
{
	switch_inbound_abort(c, now_ms);
	switch_delivery_forget_written(c, now_ms);
	while (!list_empty(&c->seats))
		switch_seat_unbind(CONTAINER(c->seats.next, struct seat, conn_link), now_ms);
}

void switch_conn_release(struct switch_conn *c, uint64_t now_ms)
{
	struct seat *dialed = c->dialed;

	if (c->freed)
		return;
	c->freed = true;
	c->dialed = NULL;
	let_seats_go(c, now_ms);
	switch_handover_down(c);
	if (dialed) {
		dialed->dialing = NULL;
		switch_seat_undialed(dialed, now_ms);
	}
	if (!c->busy)
		switch_conn_free(c);
}

void switch_conn_read_update(struct switch_conn *c)
{
	bool quiet = c->paused || c->n_stopped || c->stopped_by || c->ahead > AHEAD_MAX;

	if (c->guest || c->freed || quiet == c->quiet)
		return;
	c->quiet = quiet;
	c->shard->ops.read(c->shard->ops.ctx, c->handle, !quiet);
}

void switch_conn_stop(struct switch_conn *c, bool stop)
{
	unsigned before = c->n_stopped;

	c->n_stopped = stop ? before + 1 : before - 1;
	if (!before == !c->n_stopped)
		return;
	if (c->guest)
		switch_handover_stop(c, stop);
	else
		switch_conn_read_update(c);
}

/* What waits for the peer is written, as long as an answer may take: one who takes none of it would
 * keep the connection for ever. */
static void conn_finish(struct switch_conn *c, uint64_t now_ms)
{
	struct switch_shard *s = c->shard;

	if (c->finishing)
		return;
	c->finishing = true;
	timer_arm(s->timers, &c->timer, now_ms + s->cfg.response_timeout_ms);
	s->ops.finish(s->ops.ctx, c->handle);
}

void switch_conn_idle(struct switch_conn *c, bool finish, uint64_t now_ms)
{
	struct switch_shard *s = c->shard;

	if (c->freed || c->deaf || c->n_seats || c->used)
		return;
	if (c->guest) {
		switch_handover_used(c, false, finish);
	} else if (!finish) {
		timer_arm(s->timers, &c->timer, now_ms + s->cfg.bind_timeout_ms);
	} else {
		conn_finish(c, now_ms);
	}
}

void switch_conn_reply(struct switch_conn *c, struct seat *seat, struct view tid, int status)
{
	char text[128 + 2 * MSRP_TID_MAX + PATH_TEXT_MAX + SWITCH_PATH_TEXT_MAX];
	const char *reason = msrp_reason(status);
	size_t n = 5, reason_n = strlen(reason);

	memcpy(text, "MSRP ", 5);
	memcpy(text + n, tid.p, tid.n);
	n += tid.n;
	text[n++] = ' ';
	text[n++] = (char)('0' + status / 100);
	text[n++] = (char)('0' + status / 10 % 10);
	text[n++] = (char)('0' + status % 10);
	text[n++] = ' ';
	memcpy(text + n, reason, reason_n);
	n += reason_n;
	memcpy(text + n, "\r\n", 2);
	n += 2;
	memcpy(text + n, seat->reply, seat->n_reply);
	n += seat->n_reply;
	memcpy(text + n, "-------", 7);
	n += 7;
	memcpy(text + n, tid.p, tid.n);
	n += tid.n;
	memcpy(text + n, "$\r\n", 3);
	switch_output_reply(c, text, n + 3);
}

void switch_conn_answer(struct switch_conn *c, const struct msrp_head *h, int status)
{
	struct buf b;

	buf_init(&b, 2 * MSRP_HEAD_BYTES_MAX);
	msrp_write_response(&b, h, status, NULL);
	if (buf_ok(&b))
		switch_output_reply(c, b.p, b.n);
	buf_fini(&b);
}

typedef void request_fn(struct switch_conn *c, struct seat *seat, const struct msrp_head *h,
			uint64_t now_ms);

static void on_report(struct switch_conn *c, struct seat *seat, const struct msrp_head *h,
		      uint64_t now_ms)
{
	/* Never answered (RFC 4975 §7.1.2); forwarded by a relay, never by a conference (RFC 7701
	 * §6.3). */
	if (seat && seat->conn == c && seat->relay)
		switch_relay_report(seat, h, now_ms);
	else if (seat && seat->conn == c && h->has_status && h->status_ns == 0)
		switch_delivery_answer(seat, h, now_ms);
	switch_inbound_new(c, INBOUND_SKIP);
}

static void on_unknown(struct switch_conn *c, struct seat *seat, const struct msrp_head *h,
		       uint64_t now_ms)
{
	(void)now_ms;
	c->shard->counts.refused++;
	switch_conn_answer(c, h, seat && seat->conn == c ? 501 : 481);
	switch_inbound_new(c, INBOUND_SKIP);
}

static request_fn *const requests[] = {
	[MSRP_METHOD_OTHER] = on_unknown,
	[MSRP_SEND] = switch_inbound_send,
	[MSRP_REPORT] = on_report,
	[MSRP_AUTH] = on_unknown, /* a relay's method (RFC 4976) */
	[MSRP_NICKNAME] = switch_nickname,
};

/* The seat a To-Path names. The session id alone tells: it is the secret (RFC 4975 §14.1), while
 * host and port may have been rewritten on the way. */
static struct seat *seat_of_path(struct switch_conn *c, struct view to_path, unsigned *shard)
{
	struct switch_shard *s = c->shard;
	struct msrp_uri uri;

	*shard = s->cfg.shard;
	if (c->last && view_eq(view_of(c->last->local, c->last->n_local), to_path))
		return c->last;
	if (msrp_uri_parse(to_path, &uri))
		return NULL;
	if (!c->guest)
		*shard = switch_handover_shard(s, uri.session_id);
	return *shard == s->cfg.shard ? switch_seat_of_session(s, uri.session_id) : NULL;
}

/* RFC 4975 §5.4, §14.1: an id that was seen by somebody else, or a phone in two places. Whoever
 * knows one could fill the disk with such lines. */
static void note_intrusion(struct seat *seat, uint64_t now_ms)
{
	enum { QUIET_MS = 10000 };

	if (seat->intruded && now_ms - seat->intruded_ms < QUIET_MS)
		return;
	seat->intruded = true;
	seat->intruded_ms = now_ms;
	log_line(seat->shard->log, LOG_WARN, "switch",
		 "a second connection shows the session id of %s: refused", seat->uri);
}

static void on_head(struct switch_conn *c, const struct msrp_head *h, uint64_t now_ms)
{
	unsigned shard;
	struct seat *seat = seat_of_path(c, h->to_path, &shard);

	if (shard != c->shard->cfg.shard) {
		switch_handover_head(c, shard, h);
		return;
	}
	if (h->is_request) {
		if (seat && seat->conn && seat->conn != c)
			note_intrusion(seat, now_ms);
		requests[h->method](c, seat, h, now_ms);
		return;
	}
	if (seat && seat->conn == c) {
		c->last = seat;
		switch_delivery_answer(seat, h, now_ms);
	}
	switch_inbound_new(c, INBOUND_SKIP);
}

/* Bad framing costs this connection and no other (SW-5). */
static void on_broken(struct switch_conn *c, const struct msrp_head *h, uint64_t now_ms)
{
	struct switch_shard *s = c->shard;

	s->counts.refused++;
	c->deaf = true;
	let_seats_go(c, now_ms);
	if (!view_empty(h->tid) && !view_empty(h->to_path) && !view_empty(h->from_path))
		switch_conn_answer(c, h, 400);
	if (!c->guest)
		conn_finish(c, now_ms);
}

static bool forwards(const struct switch_conn *c)
{
	return c->in && c->in->mode == INBOUND_FORWARD;
}

static void on_event(struct switch_conn *c, int type, const struct msrp_event *ev, uint64_t now_ms)
{
	if (type == MSRP_EV_HEAD)
		on_head(c, &ev->head, now_ms);
	else if (type == MSRP_EV_BODY && forwards(c))
		switch_handover_body(c, ev->body);
	else if (type == MSRP_EV_BODY)
		switch_inbound_body(c, ev->body, now_ms);
	else if (type == MSRP_EV_END && forwards(c))
		switch_handover_end(c, ev->flag);
	else if (type == MSRP_EV_END)
		switch_inbound_end(c, ev->flag, now_ms);
	else
		on_broken(c, &ev->head, now_ms);
}

/* Only so much is read of who has shown no session id of ours. Of what goes to another shard the
 * verdict is here before the last of AHEAD_MAX bytes (and of the read that went beyond) was taken.
 */
static bool spends_too_much(struct switch_conn *c, size_t n)
{
	const struct switch_config *cfg = &c->shard->cfg;

	size_t max = cfg->unclaimed_bytes + (c->told ? 2 * (size_t)AHEAD_MAX : 0);

	if (!cfg->unclaimed_bytes || c->guest || c->n_seats || c->used || c->dialed)
		return false;
	c->unclaimed_bytes += n;
	return c->unclaimed_bytes > max;
}

/* A few kilobytes can be thousands of deliveries, which others would wait for. */
static void pace(struct switch_conn *c, size_t bytes, uint64_t work)
{
	enum { UNIT = 65536 };
	uint64_t rate = bytes ? work * UNIT / bytes : 0, most;

	rate = (rate + c->work) / 2;
	c->work = rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX;
	most = c->work ? (uint64_t)TURN_WORK * UNIT / c->work : UNIT;
	c->most = most >= UNIT ? 0 : most < TURN_BYTES ? TURN_BYTES : (uint32_t)most;
}

size_t switch_conn_most(const struct switch_conn *c)
{
	return c->most;
}

void switch_conn_recv(struct switch_conn *c, struct view bytes, uint64_t now_ms)
{
	struct switch_shard *s = c->shard;
	uint64_t before = s->work;
	size_t n = bytes.n;

	s->counts.bytes_in += bytes.n;
	if (spends_too_much(c, bytes.n)) {
		conn_timeout(c, now_ms);
		return;
	}
	c->busy = true;
	while (!c->deaf && !c->freed) {
		struct msrp_event ev;
		int type = msrp_reader_next(&c->reader, &bytes, &ev);

		if (type == MSRP_EV_NEED_MORE)
			break;
		on_event(c, type, &ev, now_ms);
	}
	if (!c->freed)
		switch_inbound_pause(c, now_ms);
	/* What goes to another shard is work there (MAIL_TAKEN). */
	if (!c->told)
		pace(c, n, s->work - before);
	c->busy = false;
	if (c->freed)
		switch_conn_free(c);
	else
		switch_handover_flush(c);
	switch_handover_output(s);
}

struct switch_conn *switch_conn_accept(struct switch_shard *s, void *handle, uint64_t now_ms)
{
	struct switch_conn *c = switch_conn_new(s, handle, s->cfg.shard, s->next_number++);

	if (c)
		timer_arm(s->timers, &c->timer, now_ms + s->cfg.bind_timeout_ms);
	else
		s->counts.refused++;
	return c;
}

void switch_conn_secured(struct switch_conn *c, const uint8_t *sha256)
{
	c->tls = true;
	c->known = sha256 != NULL;
	if (sha256)
		memcpy(c->sha256, sha256, sizeof(c->sha256));
}

/* We went to the host of his path, and he had no fingerprint to give. */
static bool is_named(const struct seat *seat, const struct switch_conn *c)
{
	const struct switch_ops *ops = &c->shard->ops;
	struct msrp_uri uri;

	if (msrp_uri_parse(msrp_path_first(view_of(seat->remote, seat->n_remote)), &uri))
		return false;
	if (seat->tls && c->tls && !seat->vouched && ops->vouch &&
	    ops->vouch(ops->ctx, c->handle, uri.host))
		return true;
	log_line(c->shard->log, LOG_WARN, "switch",
		 "the certificate of %.*s:%u is not that of who was agreed on", VIEW_ARG(uri.host),
		 uri.port);
	return false;
}

void switch_conn_up(struct switch_conn *c, uint64_t now_ms)
{
	struct switch_shard *s = c->shard;
	struct seat *seat = c->dialed;

	if (!seat)
		return;
	c->dialed = NULL;
	seat->dialing = NULL;
	/* Its owner may have come to us meanwhile. */
	if (seat->conn) {
		switch_conn_idle(c, true, now_ms);
	} else if (!switch_seat_trusts(seat, c) && !is_named(seat, c)) {
		switch_conn_idle(c, true, now_ms);
		switch_seat_lost(seat, E_DENIED, now_ms);
	} else {
		switch_seat_bind(seat, c, now_ms);
	}
	switch_handover_output(s);
}

void switch_conn_blocked(struct switch_conn *c, uint64_t now_ms)
{
	struct switch_shard *s = c->shard;

	if (is_claimed(c) && !timer_armed(&c->timer))
		timer_arm(s->timers, &c->timer, now_ms + s->cfg.response_timeout_ms);
}

void switch_conn_unblocked(struct switch_conn *c)
{
	if (is_claimed(c))
		timer_cancel(c->shard->timers, &c->timer);
}

void switch_conn_down(struct switch_conn *c, uint64_t now_ms)
{
	struct switch_shard *s = c->shard;

	switch_conn_release(c, now_ms);
	switch_handover_output(s);
}
