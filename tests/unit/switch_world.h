/* A world of shards, phones and a virtual clock, wired in memory, for the tests of the switch. */
#ifndef CONFAB_TEST_SWITCH_WORLD_H
#define CONFAB_TEST_SWITCH_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "msrp/frame.h"
#include "switch/switch.h"
#include "test_seed.h"

enum { WORLD_SHARDS = 4, WORLD_EVENTS = 4096, WORLD_READY = 2048 };

struct world;

/* A frame that a phone got. */
struct got {
	bool is_request, has_body;
	enum msrp_method method;
	int status;
	char tid[40], id[140], to[200], from[200], type[80], comment[80];
	uint64_t start, end, total;
	enum msrp_failure_report failure_report;
	bool success_report;
	char flag;
	char *body;
	size_t n_body;
};

/* One end of a connection: a phone. */
struct phone {
	struct world *w;
	unsigned shard;
	struct switch_conn *conn;		     /* NULL: gone */
	bool finish, closed, reading, stalled, mute; /* mute: answers nothing */
	bool woken, dialed;
	size_t take; /* at most so many bytes are taken at a time; 0: all */
	int refuse;  /* answers SENDs with this status; 0: 200 */
	struct msrp_reader reader;
	struct got *got;
	size_t n_got, size_got;
	struct got now; /* being read */
	uint64_t bytes;
	struct buf raw;	 /* all that came */
	struct buf held; /* answers kept back while `hold` */
	bool hold;
	char local[120];
	char path[4][SWITCH_PATH_TEXT_MAX]; /* the seats' paths */
	unsigned n_sent;
};

struct world_shard {
	struct world *w;
	unsigned number;
	struct switch_shard *s;
	struct timers timers;
};

struct world_mail {
	unsigned to;
	struct switch_mail *mail;
};

struct world {
	struct world_shard shard[WORLD_SHARDS];
	unsigned n_shards;
	struct switch_config cfg;
	uint64_t now, seed;
	struct phone **phone;
	size_t n_phones;
	struct world_mail *mail;
	size_t n_mail, size_mail;
	struct switch_event event[WORLD_EVENTS];
	size_t n_events;
	char nickname[1024]; /* of the last event that told one */
	struct switch_seat_ready ready[WORLD_READY];
	size_t n_ready;
	int open_error;
	bool refuse_connect;
	struct addr dialed_to;
	struct log log;
	unsigned n_warned;
	char warned[300]; /* the last warning */
};

static inline uint64_t world_random(struct world *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed * 0x2545f4914f6cdd1du;
}

static inline void world_fill(void *ctx, void *dst, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((unsigned char *)dst)[i] = (unsigned char)(world_random(ctx) >> 32);
}

static inline void world_wake(void *ctx, void *handle)
{
	struct phone *p = handle;

	(void)ctx;
	/* Who is gone is not woken: the world has forgotten him. */
	assert_non_null(p->conn);
	assert_false(p->woken);
	p->woken = true;
}

static inline void world_read(void *ctx, void *handle, bool on)
{
	(void)ctx;
	((struct phone *)handle)->reading = on;
}

static inline struct phone *phone_new(struct world *w, unsigned shard)
{
	struct phone *p = calloc(1, sizeof(*p));

	p->w = w;
	p->shard = shard;
	p->reading = true;
	msrp_reader_init(&p->reader);
	buf_init(&p->raw, 1u << 30);
	buf_init(&p->held, 1u << 24);
	snprintf(p->local, sizeof(p->local), "msrp://192.0.2.%zu:7654/peer%zu;tcp",
		 w->n_phones % 250 + 1, w->n_phones);
	w->phone = realloc(w->phone, (w->n_phones + 1) * sizeof(*w->phone));
	w->phone[w->n_phones++] = p;
	return p;
}

/* The only host that certificates name here; NULL: none of them is good. */
static const char *world_certified;

static inline bool world_vouch(void *ctx, void *handle, struct view host)
{
	(void)ctx;
	assert_non_null(handle);
	return world_certified && view_eq(host, view_str(world_certified));
}

static inline void *world_connect(void *ctx, struct switch_conn *conn, const struct addr *to,
				  bool tls)
{
	struct world_shard *ws = ctx;
	struct phone *p;

	(void)tls;
	ws->w->dialed_to = *to;
	if (ws->w->refuse_connect)
		return NULL;
	p = phone_new(ws->w, ws->number);
	p->conn = conn;
	p->dialed = true;
	return p;
}

static inline void world_finish(void *ctx, void *handle)
{
	(void)ctx;
	((struct phone *)handle)->finish = true;
}

static inline void world_close(void *ctx, void *handle)
{
	struct phone *p = handle;

	(void)ctx;
	p->closed = true;
	p->conn = NULL;
}

static inline void world_event(void *ctx, const struct switch_event *ev)
{
	struct world *w = ((struct world_shard *)ctx)->w;

	if (w->n_events < WORLD_EVENTS)
		w->event[w->n_events++] = *ev;
	if (ev->type == SWITCH_EV_SEAT_NAMED)
		assert_true(view_copy(ev->nickname, w->nickname, sizeof(w->nickname)));
	w->open_error = ev->error;
	for (size_t i = 0; i < ev->n_seats && w->n_ready < WORLD_READY; i++)
		w->ready[w->n_ready++] = ev->seat_ready[i];
}

static inline void world_mail(void *ctx, unsigned to, struct switch_mail *mail)
{
	struct world *w = ((struct world_shard *)ctx)->w;

	assert_true(to < w->n_shards);
	if (w->n_mail == w->size_mail) {
		w->size_mail = w->size_mail ? 2 * w->size_mail : 64;
		w->mail = realloc(w->mail, w->size_mail * sizeof(*w->mail));
	}
	w->mail[w->n_mail++] = (struct world_mail){to, mail};
}

static inline struct switch_config world_config(void)
{
	struct switch_config cfg = {
		.seat_backlog = 1 << 20,
		.chunk_whole_max = 10240,
		.max_message = 100u << 20,
		.response_timeout_ms = 30000,
		.rebind_grace_ms = 20000,
		.bind_timeout_ms = 30000,
		.drain_ms = 2000,
		.max_conns = 5000,
		.max_conferences = 100,
		.max_seats = 5000,
		.max_members = 2000,
		.private_messages = true,
		.nicknames = true,
		.unix_ms_at_zero = 1700000000000u,
	};

	addr_parse(VIEW("198.51.100.7"), 2855, &cfg.advertise);
	return cfg;
}

static inline void world_log(void *ctx, enum log_level level, const char *room, const char *text)
{
	struct world *w = ctx;

	assert_true(level <= LOG_WARN);
	assert_string_equal(room, "switch");
	w->n_warned++;
	snprintf(w->warned, sizeof(w->warned), "%s", text);
}

static inline void world_init(struct world *w, unsigned n_shards, const struct switch_config *cfg)
{
	memset(w, 0, sizeof(*w));
	w->seed = 0x9e3779b97f4a7c15u + test_seed();
	w->seed += w->seed == 0;
	w->cfg = *cfg;
	w->n_shards = n_shards;
	w->now = 1000;
	w->log = (struct log){LOG_WARN, world_log, w};
	for (unsigned i = 0; i < n_shards; i++) {
		struct world_shard *ws = &w->shard[i];
		struct switch_config c = *cfg;
		struct switch_ops ops = {world_wake,   world_read,  world_connect,
					 world_finish, world_close, world_event,
					 world_mail,   world_vouch, ws};
		struct entropy entropy = {world_fill, w};

		ws->w = w;
		ws->number = i;
		c.shard = i;
		c.n_shards = n_shards;
		c.advertise.port = (uint16_t)(2855 + i);
		timers_init(&ws->timers, w->now);
		ws->s = switch_shard_new(&c, &ops, &ws->timers, &entropy, &w->log);
		assert_non_null(ws->s);
	}
}

static inline void got_fini(struct got *g)
{
	free(g->body);
}

static inline void world_forget_phones(struct world *w)
{
	for (size_t i = 0; i < w->n_phones; i++) {
		struct phone *p = w->phone[i];

		for (size_t k = 0; k < p->n_got; k++)
			got_fini(&p->got[k]);
		free(p->got);
		got_fini(&p->now);
		msrp_reader_fini(&p->reader);
		buf_fini(&p->raw);
		buf_fini(&p->held);
		free(p);
	}
	free(w->phone);
	w->phone = NULL;
	w->n_phones = 0;
}

static inline void world_fini(struct world *w)
{
	for (unsigned i = 0; i < w->n_shards; i++) {
		switch_shard_free(w->shard[i].s);
		assert_int_equal(w->shard[i].timers.n, 0);
	}
	for (size_t i = 0; i < w->n_mail; i++)
		switch_mail_free(w->mail[i].mail);
	world_forget_phones(w);
	free(w->mail);
}

static inline void phone_recv(struct phone *p, const char *bytes, size_t n)
{
	if (p->conn)
		switch_conn_recv(p->conn, view_of(bytes, n), p->w->now);
}

static inline void phone_write(struct phone *p, const char *text)
{
	phone_recv(p, text, strlen(text));
}

static inline void got_head(struct got *g, const struct msrp_head *h)
{
	memset(g, 0, sizeof(*g));
	g->is_request = h->is_request;
	g->has_body = h->has_body;
	g->method = h->method;
	g->status = h->is_request ? h->status_code : h->status;
	view_copy(h->tid, g->tid, sizeof(g->tid));
	view_copy(h->message_id, g->id, sizeof(g->id));
	view_copy(h->to_path, g->to, sizeof(g->to));
	view_copy(h->from_path, g->from, sizeof(g->from));
	view_copy(h->content_type, g->type, sizeof(g->type));
	view_copy(h->status_comment, g->comment, sizeof(g->comment));
	g->start = h->start;
	g->end = h->end;
	g->total = h->total;
	g->failure_report = h->failure_report;
	g->success_report = h->success_report;
}

static inline void phone_answer(struct phone *p, const struct got *g)
{
	char text[700];

	if (!g->is_request || g->method != MSRP_SEND || p->mute ||
	    g->failure_report == MSRP_FAILURE_NO ||
	    (g->failure_report == MSRP_FAILURE_PARTIAL && !p->refuse))
		return;
	snprintf(text, sizeof(text),
		 "MSRP %s %d X\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n", g->tid,
		 p->refuse ? p->refuse : 200, g->from, g->to, g->tid);
	if (p->hold)
		buf_puts(&p->held, text);
	else
		phone_write(p, text);
}

/* Answers kept back go out now. */
static inline void phone_release(struct phone *p)
{
	struct buf b = p->held;

	buf_init(&p->held, 1u << 24);
	phone_recv(p, b.p, b.n);
	buf_fini(&b);
}

static inline void phone_read(struct phone *p, struct view in)
{
	buf_put(&p->raw, in);
	p->bytes += in.n;
	for (;;) {
		struct msrp_event ev;
		int type = msrp_reader_next(&p->reader, &in, &ev);

		assert_true(type >= 0);
		if (type == MSRP_EV_NEED_MORE)
			return;
		if (type == MSRP_EV_HEAD) {
			got_head(&p->now, &ev.head);
		} else if (type == MSRP_EV_BODY) {
			p->now.body = realloc(p->now.body, p->now.n_body + ev.body.n + 1);
			memcpy(p->now.body + p->now.n_body, ev.body.p, ev.body.n);
			p->now.n_body += ev.body.n;
			p->now.body[p->now.n_body] = '\0';
		} else {
			struct got g = p->now;

			g.flag = ev.flag;
			memset(&p->now, 0, sizeof(p->now));
			if (p->n_got == p->size_got) {
				p->size_got = p->size_got ? 2 * p->size_got : 16;
				p->got = realloc(p->got, p->size_got * sizeof(*p->got));
			}
			p->got[p->n_got++] = g;
			phone_answer(p, &g);
		}
	}
}

static inline bool phone_take(struct phone *p)
{
	struct view piece[8];
	size_t n, want = p->take ? p->take : SIZE_MAX, taken = 0;
	char *copy;

	if (!p->conn)
		return false;
	n = switch_conn_output(p->conn, piece, 8);
	if (p->stalled) {
		if (n)
			switch_conn_blocked(p->conn, p->w->now);
		return false;
	}
	if (n == 0) {
		p->woken = false;
		if (p->finish) {
			struct switch_conn *c = p->conn;

			p->conn = NULL;
			p->closed = true;
			switch_conn_down(c, p->w->now);
			return true;
		}
		return false;
	}
	copy = malloc(1 << 20);
	for (size_t i = 0; i < n && taken < want; i++) {
		size_t k = piece[i].n < want - taken ? piece[i].n : want - taken;

		if (k > (1u << 20) - taken)
			k = (1u << 20) - taken;
		memcpy(copy + taken, piece[i].p, k);
		taken += k;
		if (k < piece[i].n)
			break;
	}
	/* As the world does it: what leaves the queue clears the wake only when all of it left. */
	n = switch_conn_output(p->conn, piece, 1);
	switch_conn_consumed(p->conn, taken, p->w->now);
	if (p->conn && switch_conn_output(p->conn, piece, 1) == 0)
		p->woken = false;
	phone_read(p, view_of(copy, taken));
	free(copy);
	return true;
}

/* Until nobody has anything to say. */
static inline void world_run(struct world *w)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < w->n_mail; i++) {
			struct world_mail m = w->mail[i];

			switch_mail_deliver(w->shard[m.to].s, m.mail, w->now);
			more = true;
		}
		w->n_mail = 0;
		for (size_t i = 0; i < w->n_phones; i++)
			while (phone_take(w->phone[i]))
				more = true;
	}
}

static inline void world_advance(struct world *w, uint64_t ms)
{
	uint64_t to = w->now + ms;

	world_run(w);
	while (w->now < to) {
		w->now = to - w->now > 50 ? w->now + 50 : to;
		for (unsigned i = 0; i < w->n_shards; i++)
			timers_run(&w->shard[i].timers, w->now);
		world_run(w);
	}
}

static inline struct phone *phone_connect(struct world *w, unsigned shard)
{
	struct phone *p = phone_new(w, shard);

	p->conn = switch_conn_accept(w->shard[shard].s, p, w->now);
	assert_non_null(p->conn);
	return p;
}

static inline void phone_cut(struct phone *p)
{
	struct switch_conn *c = p->conn;

	p->conn = NULL;
	switch_conn_down(c, p->w->now);
}

/* Opens one seat and gives its path. */
static inline const char *seat_open(struct world *w, unsigned shard, switch_conference_id conf,
				    switch_seat_id seat, const char *uri, bool held)
{
	struct switch_seat_config sc = {
		.seat = seat, .uri = view_str(uri), .display = VIEW(""), .held = held};
	size_t before = w->n_ready;

	switch_seats_open(w->shard[shard].s, 1, conf, VIEW("sip:conf@example.com"), &sc, 1, w->now);
	assert_int_equal(w->open_error, 0);
	assert_int_equal(w->n_ready, before + 1);
	return w->ready[before].path;
}

static inline void seat_answer(struct world *w, unsigned shard, switch_seat_id seat,
			       const char *path)
{
	struct switch_seat_answer a = {
		.remote_path = view_str(path),
		.accept_types = VIEW("message/cpim"),
		.accept_wrapped_types = VIEW("*"),
		.takes_private = true,
	};

	switch_seat_answer(w->shard[shard].s, seat, &a, w->now);
}

static inline void phone_bind(struct phone *p, int at)
{
	char text[700];

	snprintf(text, sizeof(text),
		 "MSRP bind%u SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: b%u\r\n"
		 "Byte-Range: 1-0/0\r\n-------bind%u$\r\n",
		 p->n_sent, p->path[at], p->local, p->n_sent, p->n_sent);
	p->n_sent++;
	phone_write(p, text);
}

/* A seat with a phone in it. */
static inline struct phone *phone_join(struct world *w, unsigned shard, switch_conference_id conf,
				       switch_seat_id seat, const char *uri)
{
	struct phone *p = phone_connect(w, shard);

	view_copy(view_str(seat_open(w, shard, conf, seat, uri, false)), p->path[0],
		  sizeof(p->path[0]));
	seat_answer(w, shard, seat, p->local);
	phone_bind(p, 0);
	world_run(w);
	assert_int_equal(p->n_got, 1);
	assert_int_equal(p->got[0].status, 200);
	return p;
}

/* One chunk; extra: header lines. */
static inline void phone_chunk(struct phone *p, int at, const char *id, const char *range,
			       const char *extra, const char *body, size_t n, char flag)
{
	struct buf b;

	buf_init(&b, 64u << 20);
	buf_putf(&b,
		 "MSRP t%06u SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: %s\r\n"
		 "Byte-Range: %s\r\n%sContent-Type: message/cpim\r\n\r\n",
		 p->n_sent, p->path[at], p->local, id, range, extra);
	buf_put(&b, view_of(body, n));
	buf_putf(&b, "\r\n-------t%06u%c\r\n", p->n_sent, flag);
	p->n_sent++;
	phone_recv(p, b.p, b.n);
	buf_fini(&b);
}

static inline char *cpim(char *dst, size_t size, const char *from, const char *to, const char *text)
{
	snprintf(dst, size, "From: <%s>\r\nTo: <%s>\r\n\r\nContent-Type: text/plain\r\n\r\n%s",
		 from, to, text);
	return dst;
}

/* A whole message from a seat's owner. */
static inline void phone_say(struct phone *p, const char *id, const char *from, const char *to,
			     const char *text)
{
	char body[4096], range[64];

	cpim(body, sizeof(body), from, to, text);
	snprintf(range, sizeof(range), "1-%zu/%zu", strlen(body), strlen(body));
	phone_chunk(p, 0, id, range, "", body, strlen(body), '$');
}

/* The nth SEND with content that a phone got; NULL. */
static inline const struct got *phone_send(const struct phone *p, size_t nth)
{
	for (size_t i = 0; i < p->n_got; i++)
		if (p->got[i].is_request && p->got[i].method == MSRP_SEND && p->got[i].has_body &&
		    nth-- == 0)
			return &p->got[i];
	return NULL;
}

static inline size_t phone_sends(const struct phone *p)
{
	size_t n = 0;

	while (phone_send(p, n))
		n++;
	return n;
}

static inline size_t phone_reports(const struct phone *p, const struct got **last)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_got; i++) {
		if (!p->got[i].is_request || p->got[i].method != MSRP_REPORT)
			continue;
		n++;
		if (last)
			*last = &p->got[i];
	}
	return n;
}

/* Status of the last response. */
static inline int phone_status(const struct phone *p)
{
	for (size_t i = p->n_got; i-- > 0;)
		if (!p->got[i].is_request)
			return p->got[i].status;
	return 0;
}

static inline size_t world_events(const struct world *w, enum switch_event_type type,
				  switch_seat_id seat)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_events; i++)
		n += w->event[i].type == type && w->event[i].seat == seat;
	return n;
}

#endif
