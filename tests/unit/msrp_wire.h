/*
 * MSRP agents wired back to back in memory, with a virtual clock: bytes move in random pieces, in
 * whatever order the seed has it. A link can also be held by the test alone, which then plays
 * the peer byte by byte.
 */
#ifndef CONFAB_TEST_MSRP_WIRE_H
#define CONFAB_TEST_MSRP_WIRE_H

#include "base/error.h"
#include "msrp/session.h"
#include "test_seed.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINKS_MAX = 64 };

struct wire;

struct side {
	struct wire *wire;
	struct link *link;
	struct msrp_agent *agent; /* NULL: the test itself */
	struct msrp_conn *conn;
	struct buf out; /* written, not yet with the other side */
	struct buf log; /* all that was ever written */
	bool finished, closed;
};

struct link {
	bool used, up, cut;
	struct side side[2]; /* 0 connected to 1 */
};

/* What an agent's world is: ops.ctx. */
struct place {
	struct wire *wire;
	struct msrp_agent *agent;
	uint16_t port; /* where it is reached; 0: nowhere */
};

struct wire {
	struct timers timers;
	uint64_t now;
	unsigned seed;
	size_t piece_max; /* bytes that move at a time */
	bool refuse;	  /* connections cannot even begin */
	struct place place[2];
	struct link link[LINKS_MAX];
	size_t n_links;
	uint64_t random;
};

static inline void *wire_connect(void *ctx, struct msrp_conn *conn, const struct addr *to, bool tls)
{
	struct place *p = ctx;
	struct wire *w = p->wire;
	struct link *l;

	(void)tls;
	if (w->refuse || w->n_links == LINKS_MAX)
		return NULL;
	l = &w->link[w->n_links++];
	l->used = true;
	for (int i = 0; i < 2; i++) {
		l->side[i].wire = w;
		l->side[i].link = l;
		buf_init(&l->side[i].out, 64 << 20);
		buf_init(&l->side[i].log, 64 << 20);
	}
	l->side[0].agent = p->agent;
	l->side[0].conn = conn;
	for (int i = 0; i < 2; i++)
		if (w->place[i].port == to->port)
			l->side[1].agent = w->place[i].agent;
	return &l->side[0];
}

static inline void wire_write(void *ctx, void *handle, struct view bytes)
{
	struct side *s = handle;

	(void)ctx;
	if (s->finished || s->closed)
		abort();
	buf_put(&s->out, bytes);
	buf_put(&s->log, bytes);
	assert_true(buf_ok(&s->out) && buf_ok(&s->log));
}

static inline size_t wire_pending(void *ctx, void *handle)
{
	(void)ctx;
	return ((struct side *)handle)->out.n;
}

static inline void wire_finish(void *ctx, void *handle)
{
	(void)ctx;
	((struct side *)handle)->finished = true;
}

static inline void wire_close(void *ctx, void *handle)
{
	struct side *s = handle;

	(void)ctx;
	s->closed = true;
	s->conn = NULL;
	buf_reset(&s->out);
}

static inline void wire_fill(void *ctx, void *dst, size_t n)
{
	struct wire *w = ctx;
	unsigned char *p = dst;

	for (size_t i = 0; i < n; i++) {
		w->random = w->random * 6364136223846793005u + 1442695040888963407u;
		p[i] = (unsigned char)(w->random >> 56);
	}
}

static inline void wire_init(struct wire *w, unsigned seed)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed + (unsigned)test_seed();
	w->random = seed + test_seed();
	w->now = 1000;
	w->piece_max = 3000;
	timers_init(&w->timers, w->now);
}

static const struct msrp_agent_config wire_config = {
	.max_message = 10 << 20,
	.response_timeout_ms = 30000,
	.bind_timeout_ms = 20000,
	.max_sessions = 50,
	.max_queue = 2000,
	.write_ahead = 65536,
};

static inline struct msrp_agent *wire_agent(struct wire *w, int i, uint16_t port,
					    const struct msrp_agent_config *cfg)
{
	const struct msrp_agent_ops ops = {
		.connect = wire_connect,
		.write = wire_write,
		.pending = wire_pending,
		.finish = wire_finish,
		.close = wire_close,
		.ctx = &w->place[i],
	};
	const struct entropy entropy = {.fill = wire_fill, .ctx = w};

	w->place[i] = (struct place){.wire = w, .port = port};
	w->place[i].agent =
		msrp_agent_new(cfg ? cfg : &wire_config, &ops, &w->timers, &entropy, NULL);
	assert_non_null(w->place[i].agent);
	return w->place[i].agent;
}

static inline void side_down(struct side *s)
{
	struct msrp_conn *c = s->conn;

	s->conn = NULL;
	s->closed = true;
	buf_reset(&s->out);
	if (c)
		msrp_conn_down(c, s->wire->now);
}

/* Both sides lose it, with all that is on its way. */
static inline void link_cut(struct link *l)
{
	l->cut = true;
	side_down(&l->side[0]);
	side_down(&l->side[1]);
}

/* Something happens on a link, if it can. */
static inline bool link_step(struct link *l)
{
	int first = rand_r(&l->side[0].wire->seed) & 1;

	if (!l->used || l->cut)
		return false;
	if (!l->up) {
		struct wire *w = l->side[0].wire;

		l->up = true;
		if (l->side[1].agent) {
			l->side[1].conn = msrp_conn_accept(l->side[1].agent, &l->side[1], w->now);
			if (!l->side[1].conn) {
				link_cut(l);
				return true;
			}
		}
		if (l->side[0].conn)
			msrp_conn_up(l->side[0].conn, w->now);
		return true;
	}
	for (int i = 0; i < 2; i++) {
		struct side *from = &l->side[first ^ i], *to = &l->side[first ^ i ^ 1];
		struct wire *w = from->wire;

		if (!from->closed && !to->closed && from->out.n && to->agent) {
			size_t n = 1 + (size_t)rand_r(&w->seed) % w->piece_max;
			char *piece;

			if (n > from->out.n)
				n = from->out.n;
			piece = malloc(n);
			memcpy(piece, from->out.p, n);
			buf_drop(&from->out, n);
			if (to->conn)
				msrp_conn_recv(to->conn, view_of(piece, n), w->now);
			free(piece);
			if (from->conn && from->out.n < 32768)
				msrp_conn_drained(from->conn, w->now);
			return true;
		}
		/* Its end: the other side reads it to there, and is through. */
		if ((from->closed || (from->finished && !from->out.n)) && !to->closed &&
		    (to->agent || from->closed)) {
			if (from->closed || to->finished || !to->out.n) {
				side_down(to);
				if (!from->closed)
					side_down(from);
				return true;
			}
		}
	}
	return false;
}

/* A random event; false when nothing can happen without time going on. */
static inline bool wire_step(struct wire *w)
{
	size_t at = w->n_links ? (size_t)rand_r(&w->seed) % w->n_links : 0;

	timers_run(&w->timers, w->now);
	for (size_t i = 0; i < w->n_links; i++)
		if (link_step(&w->link[(at + i) % w->n_links]))
			return true;
	timers_run(&w->timers, w->now);
	return timers_next(&w->timers) <= w->now;
}

static inline void wire_run(struct wire *w)
{
	while (wire_step(w))
		;
}

static inline void wire_wait(struct wire *w, uint64_t ms)
{
	uint64_t until = w->now + ms;

	wire_run(w);
	while (timers_next(&w->timers) <= until) {
		w->now = timers_next(&w->timers);
		wire_run(w);
		/* timers_next may name a time before the earliest deadline. */
		if (timers_next(&w->timers) <= w->now)
			w->now++;
	}
	w->now = until;
	wire_run(w);
}

static inline void wire_fini(struct wire *w)
{
	for (int i = 0; i < 2; i++)
		msrp_agent_free(w->place[i].agent);
	for (size_t i = 0; i < w->n_links; i++) {
		for (int j = 0; j < 2; j++) {
			buf_fini(&w->link[i].side[j].out);
			buf_fini(&w->link[i].side[j].log);
		}
	}
}

/* A connection from the test to agent i. */
static inline struct link *wire_dial(struct wire *w, int i)
{
	struct place nobody = {.wire = w};
	struct addr to = {.family = 4, .port = w->place[i].port};
	struct side *s = wire_connect(&nobody, NULL, &to, false);

	link_step(s->link);
	return s->link;
}

/* Bytes from the test to the agent on side i, in one piece. */
static inline void link_feed(struct link *l, int i, const char *text)
{
	struct side *s = &l->side[i];

	if (s->conn)
		msrp_conn_recv(s->conn, view_str(text), s->wire->now);
}

/* What the agent on side i wrote since the last time, as a string; free it. */
static inline char *link_taken(struct link *l, int i)
{
	struct side *s = &l->side[i];
	char *text = view_dup(buf_view(&s->out));

	buf_reset(&s->out);
	return text;
}

#endif
