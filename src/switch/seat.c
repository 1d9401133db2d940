/*
 * Seats: a participant's place in a conference, from its reservation to its end.
 *
 *   reserved ─► answered ─► bound ◄─► down ─► lost
 *                  │          ▲ └──► draining
 *                  └► connecting
 */
#include "switch/shard.h"

#include "base/buf.h"
#include "msrp/uri.h"

#include <stdio.h>
#include <stdlib.h>

static void seat_timer(void *ctx, uint64_t now_ms);

static uint64_t id_hash(const struct switch_shard *s, switch_seat_id id)
{
	return hash_bytes(&s->by_id, view_of((const char *)&id, sizeof(id)));
}

struct seat *switch_seat_find(struct switch_shard *s, switch_seat_id id)
{
	uint64_t hash = id_hash(s, id);

	for (struct hash_node *n = hash_first(&s->by_id, hash); n; n = hash_next(n, hash)) {
		struct seat *seat = CONTAINER(n, struct seat, by_id);

		if (seat->id == id)
			return seat;
	}
	return NULL;
}

struct seat *switch_seat_of_session(struct switch_shard *s, struct view session)
{
	uint64_t hash = hash_bytes(&s->by_session, session);

	for (struct hash_node *n = hash_first(&s->by_session, hash); n; n = hash_next(n, hash)) {
		struct seat *seat = CONTAINER(n, struct seat, by_session);

		if (view_eq(view_str(seat->session), session))
			return seat;
	}
	return NULL;
}

/* "<shard>-<token>": any shard sees where a session lives (RFC 4975 §14.1: at least 80 bits). */
static int write_session(struct seat *seat)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	struct switch_shard *s = seat->shard;
	char *text = seat->session;
	struct buf b;
	size_t n;

	text[0] = alphabet[s->cfg.shard >> 5 & 31];
	text[1] = alphabet[s->cfg.shard & 31];
	text[2] = '-';
	entropy_token(&s->entropy, text + 3, SESSION_TOKEN_CHARS);
	buf_init(&b, SWITCH_PATH_TEXT_MAX);
	if (!seat->tls || s->cfg.advertise_tls.family)
		msrp_uri_write(&b, seat->tls, seat->tls ? &s->cfg.advertise_tls : &s->cfg.advertise,
			       view_str(text));
	seat->n_local = b.n;
	buf_putc(&b, '\0');
	seat->local = buf_ok(&b) && seat->n_local ? buf_take(&b, &n) : NULL;
	buf_fini(&b);
	return seat->local ? 0 : E_NOMEM;
}

struct seat *switch_seat_new(struct switch_shard *s, const struct switch_seat_config *sc,
			     switch_conference_id conference)
{
	struct seat *seat = calloc(1, sizeof(*seat) + 2 * (sc->uri.n + 1) + sc->display.n + 1);
	struct view conf = view_of((const char *)&conference, sizeof(conference));

	if (!seat)
		return NULL;
	s->n_seats++;
	seat->shard = s;
	seat->id = sc->seat;
	seat->held = seat->queues = sc->held;
	seat->tls = sc->tls;
	list_init(&seat->conn_link);
	list_init(&seat->queue);
	list_init(&seat->sent);
	list_init(&seat->incoming);
	list_init(&seat->watched);
	timer_init(&seat->timer, seat_timer, seat);
	timer_init(&seat->answer_timer, switch_delivery_timeout, seat);
	timer_init(&seat->naming, switch_nickname_due, seat);
	seat->uri = seat->text;
	(void)view_copy(sc->uri, seat->uri, sc->uri.n + 1);
	seat->key = switch_uri_key(sc->uri, seat->text + sc->uri.n + 1);
	seat->display = seat->text + 2 * (sc->uri.n + 1);
	(void)view_copy(sc->display, seat->display, sc->display.n + 1);
	seat->types = view_dup(VIEW(""));
	seat->wrapped_types = view_dup(VIEW(""));
	if (!seat->types || !seat->wrapped_types || write_session(seat) ||
	    hash_add(&s->by_id, &seat->by_id, id_hash(s, seat->id)) ||
	    hash_add(&s->by_session, &seat->by_session,
		     hash_bytes(&s->by_session, view_str(seat->session))) ||
	    hash_add(&s->by_uri, &seat->by_uri,
		     hash_more(&s->by_uri, hash_bytes(&s->by_uri, conf), view_str(seat->key)))) {
		switch_seat_free(seat);
		return NULL;
	}
	return seat;
}

static void free_heads(struct seat *seat)
{
	if (seat->reply != seat->paths)
		free(seat->reply);
	free(seat->paths);
}

void switch_seat_free(struct seat *seat)
{
	struct switch_shard *s = seat->shard;

	timer_cancel(s->timers, &seat->timer);
	timer_cancel(s->timers, &seat->answer_timer);
	timer_cancel(s->timers, &seat->naming);
	hash_del(&s->by_id, &seat->by_id);
	hash_del(&s->by_session, &seat->by_session);
	hash_del(&s->by_uri, &seat->by_uri);
	list_del(&seat->conn_link);
	free(seat->from);
	free(seat->nickname);
	free(seat->nickname_key);
	free(seat->local);
	free_heads(seat);
	free(seat->seen);
	free(seat->passing);
	free(seat->types);
	free(seat->wrapped_types);
	s->n_seats--;
	free(seat);
}

void switch_seat_event(const struct seat *seat, enum switch_event_type type, int error)
{
	const struct switch_shard *s = seat->shard;
	struct switch_event ev = {
		.type = type,
		.conference = seat->conference ? seat->conference->id : 0,
		.seat = seat->id,
		.error = error,
		.nickname = view_str(seat->nickname),
	};

	s->ops.event(s->ops.ctx, &ev);
}

bool switch_seat_receives(const struct seat *seat)
{
	return seat->queues && seat->state != SEAT_LOST && seat->state != SEAT_DRAINING;
}

/* Renders the header lines that each frame to the seat begins with. */
static int set_remote(struct seat *seat, struct view path)
{
	struct view first = msrp_path_first(path);
	struct msrp_uri uri[MSRP_PATH_MAX];
	char *paths, *reply = NULL;
	size_t n, room = path.n + seat->n_local + 32;
	int rc;

	if (path.n >= PATH_TEXT_MAX)
		return E_LIMIT;
	rc = msrp_path_parse(path, uri, MSRP_PATH_MAX, &n);
	if (rc || !n)
		return rc ? rc : E_SYNTAX;
	paths = malloc(room);
	if (n > 1)
		reply = malloc(room);
	if (!paths || (n > 1 && !reply)) {
		free(paths);
		free(reply);
		return E_NOMEM;
	}
	free_heads(seat);
	seat->remote = paths + sizeof("To-Path: ") - 1;
	seat->n_remote = path.n;
	seat->paths = paths;
	seat->n_paths = (size_t)snprintf(paths, room, "To-Path: %.*s\r\nFrom-Path: %s\r\n",
					 VIEW_ARG(path), seat->local);
	seat->reply = paths;
	seat->n_reply = seat->n_paths;
	if (n == 1)
		return 0;
	seat->reply = reply;
	seat->n_reply = (size_t)snprintf(reply, room, "To-Path: %.*s\r\nFrom-Path: %s\r\n",
					 VIEW_ARG(first), seat->local);
	return 0;
}

static bool path_same(struct view a, struct view b)
{
	struct msrp_uri x[MSRP_PATH_MAX], y[MSRP_PATH_MAX];
	size_t n, m;

	if (view_eq(a, b))
		return true;
	if (msrp_path_parse(a, x, MSRP_PATH_MAX, &n) || msrp_path_parse(b, y, MSRP_PATH_MAX, &m))
		return false;
	/* The first hop counts: it is whom we talk to. */
	return n && m && msrp_uri_eq(&x[0], &y[0]);
}

/* The connection leads to the seat's owner as far as certificates can tell. One whom we went to has
 * to be proven; one who came has shown the session id, which is told to him alone. */
bool switch_seat_trusts(const struct seat *seat, const struct switch_conn *c)
{
	if (seat->tls != c->tls)
		return false;
	if (!seat->vouched)
		return !seat->tls || !seat->active;
	return c->known && memcmp(seat->sha256, c->sha256, SHA256_BYTES) == 0;
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* "SHA-256 4A:AD:…" (RFC 8122 §5). */
static int set_fingerprint(struct seat *seat, struct view text)
{
	struct view rest = view_trim(text);
	uint8_t hash[SHA256_BYTES];

	seat->vouched = false;
	if (!rest.n)
		return 0;
	if (!view_eq_nocase(view_cut(&rest, ' '), VIEW("SHA-256")))
		return E_UNSUPPORTED;
	rest = view_trim(rest);
	if (rest.n != 3 * SHA256_BYTES - 1)
		return E_SYNTAX;
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		int high = hex(rest.p[3 * i]), low = hex(rest.p[3 * i + 1]);

		if (high < 0 || low < 0 || (i + 1 < SHA256_BYTES && rest.p[3 * i + 2] != ':'))
			return E_SYNTAX;
		hash[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(seat->sha256, hash, sizeof(hash));
	seat->vouched = true;
	return 0;
}

bool switch_seat_from_path(struct seat *seat, struct view from_path)
{
	/* The owner's first request can be faster than the signalling that carries its path: the
	 * session id, which only he was told, stands for him until the answer is here. */
	if (!seat->remote)
		return set_remote(seat, from_path) == 0;
	return path_same(view_of(seat->remote, seat->n_remote), from_path);
}

void switch_seat_bind(struct seat *seat, struct switch_conn *c, uint64_t now_ms)
{
	struct switch_shard *s = seat->shard;

	if (seat->tid[0])
		seat->rebound = true;
	entropy_token(&s->entropy, seat->tid, TID_SECRET_CHARS);
	seat->conn = c;
	seat->queues = true;
	seat->state = SEAT_BOUND;
	timer_cancel(s->timers, &seat->timer);
	list_add_tail(&c->seats, &seat->conn_link);
	c->n_seats++;
	if (c->n_seats == 1 && !c->used && !c->finishing)
		timer_cancel(s->timers, &c->timer);
	switch_handover_used(c, true, false);
	seat->gone = false;
	switch_relay_gate(seat, false);
	if (seat->active)
		switch_delivery_bind_send(seat);
	switch_delivery_flush(seat, now_ms);
	switch_seat_event(seat, SWITCH_EV_SEAT_BOUND, 0);
}

static void leave_conn(struct seat *seat, bool finish, uint64_t now_ms)
{
	struct switch_shard *s = seat->shard;
	struct switch_conn *c = seat->dialing;

	if (c) {
		seat->dialing = NULL;
		c->dialed = NULL;
		s->ops.close(s->ops.ctx, c->handle);
		switch_conn_free(c);
	}
	c = seat->conn;

	if (!c)
		return;
	if (c->in && c->in->seat == seat)
		switch_inbound_abort(c, now_ms);
	switch_relay_gate(seat, true);
	seat->conn = NULL;
	list_del(&seat->conn_link);
	c->n_seats--;
	if (c->last == seat)
		c->last = NULL;
	switch_conn_idle(c, finish, now_ms);
}

/* How long a seat is down before something is done about it. */
static uint64_t time_down(struct seat *seat, uint64_t now_ms)
{
	uint64_t grace = seat->shard->cfg.rebind_grace_ms;

	if (!seat->relay)
		return seat->active ? RECONNECT_MS : grace;
	if (seat->conference->closing)
		grace = RELAY_BACK_MS;
	seat->give_up_ms = now_ms + grace;
	return seat->active ? RELAY_RECONNECT_MS : grace;
}

void switch_seat_unbind(struct seat *seat, uint64_t now_ms)
{
	struct switch_shard *s = seat->shard;

	if (!seat->conn)
		return;
	if (seat->state == SEAT_DRAINING) {
		switch_delivery_fail_all(seat, 481, now_ms);
		leave_conn(seat, false, now_ms);
		switch_seat_drained(seat, now_ms);
		return;
	}
	switch_delivery_unbind(seat, now_ms);
	leave_conn(seat, false, now_ms);
	if (seat->state != SEAT_BOUND)
		return;
	seat->state = SEAT_DOWN;
	timer_arm(s->timers, &seat->timer, now_ms + time_down(seat, now_ms));
	switch_seat_event(seat, SWITCH_EV_SEAT_DOWN, E_CLOSED);
}

void switch_seat_lost(struct seat *seat, int error, uint64_t now_ms)
{
	if (seat->state == SEAT_LOST || seat->state == SEAT_DRAINING)
		return;
	if (seat->relay && seat->conference->closing) {
		switch_relay_over(seat, now_ms);
		return;
	}
	seat->state = SEAT_LOST;
	timer_cancel(seat->shard->timers, &seat->timer);
	switch_delivery_fail_all(seat, 408, now_ms);
	leave_conn(seat, false, now_ms);
	switch_seat_event(seat, SWITCH_EV_SEAT_LOST, error);
}

void switch_seat_undialed(struct seat *seat, uint64_t now_ms)
{
	struct timers *q = seat->shard->timers;

	/* Once it was bound, and for as long as the grace lasts, we try again. */
	if (!seat->relay || !seat->give_up_ms) {
		switch_seat_lost(seat, E_IO, now_ms);
		return;
	}
	seat->state = SEAT_DOWN;
	timer_arm(q, &seat->timer, now_ms + RELAY_RECONNECT_MS);
}

/* Begins our connection to the owner of a seat (RFC 6135 §4.2.2: we are active). */
static void seat_connect(struct seat *seat, uint64_t now_ms)
{
	struct switch_shard *s = seat->shard;
	struct msrp_uri uri;
	struct switch_conn *c;
	struct addr to;

	seat->state = SEAT_CONNECTING;
	if (msrp_uri_parse(msrp_path_first(view_of(seat->remote, seat->n_remote)), &uri) ||
	    addr_parse(uri.host, uri.port, &to)) {
		switch_seat_lost(seat, E_ADDRESS, now_ms);
		return;
	}
	c = switch_conn_new(s, NULL, s->cfg.shard, s->next_number++);
	if (c) {
		c->dialed = seat;
		c->handle = s->ops.connect(s->ops.ctx, c, &to, uri.tls);
		if (c->handle) {
			seat->dialing = c;
			timer_arm(s->timers, &seat->timer, now_ms + s->cfg.bind_timeout_ms);
			return;
		}
		c->dialed = NULL;
		switch_conn_free(c);
	}
	switch_seat_undialed(seat, now_ms);
}

static void seat_timer(void *ctx, uint64_t now_ms)
{
	struct seat *seat = ctx;
	struct switch_shard *s = seat->shard;

	switch (seat->state) {
	case SEAT_DRAINING: {
		bool finish = seat->finish;

		switch_delivery_fail_all(seat, 408, now_ms);
		switch_message_sender_gone(seat, now_ms);
		leave_conn(seat, finish, now_ms);
		switch_seat_free(seat);
		break;
	}
	case SEAT_DOWN:
		if (seat->relay && now_ms >= seat->give_up_ms)
			switch_relay_gone(seat, now_ms);
		else if (seat->active)
			seat_connect(seat, now_ms);
		else
			switch_seat_lost(seat, E_CLOSED, now_ms);
		break;
	case SEAT_ANSWERED:
	case SEAT_CONNECTING:
		switch_seat_lost(seat, E_TIMEOUT, now_ms);
		break;
	default:
		break;
	}
	switch_handover_output(s);
}

void switch_seat_drained(struct seat *seat, uint64_t now_ms)
{
	/* Freed by the timer: whoever is at work on the queue still holds the seat. */
	if (seat->state == SEAT_DRAINING && (list_empty(&seat->queue) || !seat->conn))
		timer_arm(seat->shard->timers, &seat->timer, now_ms);
}

static int set_types(struct seat *seat, const struct switch_seat_answer *a)
{
	char *types = view_dup(a->accept_types), *wrapped = view_dup(a->accept_wrapped_types);
	static const char cpim[] = "message/cpim";
	struct view rest;

	if (!types || !wrapped) {
		free(types);
		free(wrapped);
		return E_NOMEM;
	}
	free(seat->types);
	free(seat->wrapped_types);
	seat->types = types;
	seat->wrapped_types = wrapped;
	seat->type_known = seat->type_taken = 0;
	seat->takes_cpim = false;
	for (rest = view_str(types); !view_empty(rest);) {
		struct view e = view_trim(view_cut(&rest, ' '));

		if (view_eq(e, VIEW("*")) || view_eq_nocase(e, view_str(cpim)) ||
		    view_eq_nocase(e, VIEW("message/*")))
			seat->takes_cpim = true;
	}
	return 0;
}

void switch_seat_answer(struct switch_shard *s, switch_seat_id id,
			const struct switch_seat_answer *a, uint64_t now_ms)
{
	struct seat *seat = switch_seat_find(s, id);
	int rc;

	if (!seat || seat->state == SEAT_DRAINING)
		return;
	seat->active = a->connect;
	rc = set_fingerprint(seat, a->fingerprint);
	if (rc) {
		switch_seat_lost(seat, rc, now_ms);
		return;
	}
	/* Whoever holds the seat by its session id alone must be whom the answer names. */
	if (seat->conn && seat->remote && !seat->answered &&
	    (!path_same(a->remote_path, view_of(seat->remote, seat->n_remote)) ||
	     !switch_seat_trusts(seat, seat->conn))) {
		switch_delivery_unbind(seat, now_ms);
		leave_conn(seat, false, now_ms);
		seat->state = SEAT_RESERVED;
	}
	rc = set_remote(seat, a->remote_path);
	if (!rc)
		rc = set_types(seat, a);
	if (rc) {
		switch_seat_lost(seat, rc, now_ms);
		return;
	}
	seat->max_size = a->max_size;
	seat->takes_private = a->takes_private;
	seat->end_to_end = a->end_to_end;
	seat->answered = seat->queues = true;
	if (!seat->conn && seat->state != SEAT_CONNECTING) {
		seat->state = SEAT_ANSWERED;
		timer_arm(s->timers, &seat->timer, now_ms + s->cfg.bind_timeout_ms);
		if (seat->active)
			seat_connect(seat, now_ms);
	}
	switch_handover_output(s);
}

void switch_seat_end(struct seat *seat, bool drain, uint64_t now_ms)
{
	struct switch_shard *s = seat->shard;
	struct conference *conf = seat->conference;

	if (seat->peer) {
		switch_relay_gate(seat->peer, true);
		switch_relay_gate(seat, true);
		seat->peer->peer = NULL;
		seat->peer = NULL;
	}
	timer_cancel(s->timers, &seat->naming);
	switch_message_listener_gone(seat, now_ms);
	hash_del(&s->by_id, &seat->by_id);
	hash_del(&s->by_uri, &seat->by_uri);
	switch_conference_remove(conf, seat);
	if (seat->conn && seat->conn->in && seat->conn->in->seat == seat)
		switch_inbound_abort(seat->conn, now_ms);
	switch_message_sender_gone(seat, now_ms);
	if (seat->conn && seat->conn->open && seat->conn->open->seat == seat)
		switch_delivery_interrupt(seat->conn, '#');
	switch_delivery_forget_reports(seat, now_ms);
	if (drain && seat->conn && !list_empty(&seat->queue)) {
		seat->state = SEAT_DRAINING;
		seat->finish = true;
		timer_arm(s->timers, &seat->timer, now_ms + s->cfg.drain_ms);
	} else {
		switch_delivery_fail_all(seat, 481, now_ms);
		leave_conn(seat, drain, now_ms);
		switch_seat_free(seat);
	}
	if (!conf->n)
		switch_conference_free(s, conf);
}

void switch_seat_close(struct switch_shard *s, switch_seat_id id, bool drain, uint64_t now_ms)
{
	struct seat *seat = switch_seat_find(s, id);

	if (seat)
		switch_seat_end(seat, drain, now_ms);
	switch_handover_output(s);
}
