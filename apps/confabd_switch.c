/* The threads of the switch, and their connections. */
#include "confabd_certificate.h"
#include "confabd_switch_private.h"
#include "confabd_switch_trace.h"

#include "base/error.h"
#include "io/entropy.h"
#include "io/tcp.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	THREADS_MAX = 64,
	WRITE_PIECES = 64,
	GATHER_MAX = 4096, /* below it copying costs less than handing the kernel many pieces */
};

/* A connection: the switch's side and the world's. */
struct link {
	struct switch_thread *t;
	struct io_conn *io;
	struct switch_conn *conn; /* NULL: the switch has let it go */
	struct list wake;
	bool finish, blocked;
	struct link_trace *trace;
};

struct event_mail {
	struct io_mail mail;
	unsigned shard;
	struct switch_event event;
	struct switch_seat_ready ready[]; /* and the nickname behind them */
};

/* ---- output ---- */

static void link_block(struct link *l, bool blocked)
{
	if (l->blocked != blocked)
		io_conn_want_write(l->io, blocked);
	l->blocked = blocked;
}

static size_t total(const struct view *piece, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += piece[i].n;
	return bytes;
}

/* *taken_out: how many of the bytes the kernel took. */
static int link_write(struct link *l, const struct view *piece, size_t n, size_t bytes,
		      size_t *taken_out)
{
	char together[GATHER_MAX];
	struct view one = view_of(together, bytes);
	size_t at = 0;

	if (n == 1 || bytes > sizeof(together))
		return io_conn_try_writev(l->io, piece, n, taken_out);
	for (size_t i = 0; i < n; i++) {
		memcpy(together + at, piece[i].p, piece[i].n);
		at += piece[i].n;
	}
	return io_conn_try_writev(l->io, &one, 1, taken_out);
}

static void link_flush(struct link *l)
{
	struct view piece[WRITE_PIECES];

	while (l->conn) {
		size_t n = switch_conn_output(l->conn, piece, WRITE_PIECES), taken = 0, offered;

		if (n == 0)
			break;
		offered = total(piece, n);
		/* Not up yet, or closing: connected or closed will be told. */
		if (link_write(l, piece, n, offered, &taken))
			return;
		link_trace_bytes(l->trace, l->io, true, piece, n, taken);
		if (taken)
			switch_conn_consumed(l->conn, taken, io_now_ms(&l->t->loop));
		if (taken < offered) {
			link_block(l, true);
			if (l->conn)
				switch_conn_blocked(l->conn, io_now_ms(&l->t->loop));
			return;
		}
	}
	link_block(l, false);
	if (l->finish) {
		l->finish = false;
		io_conn_finish(l->io, 0);
	}
}

static void after_batch(void *ctx)
{
	struct switch_thread *t = ctx;

	while (!list_empty(&t->woken)) {
		struct link *l = CONTAINER(t->woken.next, struct link, wake);

		list_del(&l->wake);
		if (!l->blocked)
			link_flush(l);
	}
	uv_mutex_lock(&t->lock);
	switch_shard_counts(t->shard, &t->counts);
	atomic_store_explicit(&t->seats, (size_t)t->counts.seats, memory_order_relaxed);
	uv_mutex_unlock(&t->lock);
	io_deadline_set(&t->deadline, timers_next(&t->timers));
}

static void on_deadline(void *ctx, uint64_t now_ms)
{
	struct switch_thread *t = ctx;

	timers_run(&t->timers, now_ms);
}

/* ---- what the switch asks of the world ---- */

static void op_wake(void *ctx, void *handle)
{
	struct switch_thread *t = ctx;
	struct link *l = handle;

	if (list_empty(&l->wake))
		list_add_tail(&t->woken, &l->wake);
}

static void op_read(void *ctx, void *handle, bool on)
{
	struct link *l = handle;

	(void)ctx;
	if (on)
		io_conn_read_resume(l->io);
	else
		io_conn_read_pause(l->io);
}

static void op_finish(void *ctx, void *handle)
{
	struct link *l = handle;

	l->finish = true;
	op_wake(ctx, handle);
}

static void op_close(void *ctx, void *handle)
{
	struct link *l = handle;

	(void)ctx;
	l->conn = NULL;
	list_del(&l->wake);
	io_conn_close(l->io);
}

/* The shard compares certificates with what session descriptions promised. */
static void link_secured(const struct link *l)
{
	uint8_t sha256[IO_TLS_SHA256];

	if (l->conn && io_conn_is_tls(l->io))
		switch_conn_secured(l->conn, io_conn_tls_sha256(l->io, sha256) ? sha256 : NULL);
}

static void on_connected(void *ctx, struct io_conn *io)
{
	struct link *l = ctx;

	link_secured(l);
	(void)io;
	if (l->conn)
		switch_conn_up(l->conn, io_now_ms(&l->t->loop));
}

static void on_data(void *ctx, struct io_conn *io, struct view bytes)
{
	struct link *l = ctx;

	if (!l->conn)
		return;
	link_trace_bytes(l->trace, io, false, &bytes, 1, bytes.n);
	switch_conn_recv(l->conn, bytes, io_now_ms(&l->t->loop));
	if (l->conn)
		io_conn_read_most(io, switch_conn_most(l->conn));
}

static void on_writable(void *ctx, struct io_conn *io)
{
	(void)io;
	link_flush(ctx);
}

static void link_free(struct link *l)
{
	link_trace_free(l->trace);
	free(l);
}

static void on_closed(void *ctx, struct io_conn *io, int error)
{
	struct link *l = ctx;
	struct switch_conn *conn = l->conn;

	(void)io;
	(void)error;
	l->conn = NULL;
	if (conn)
		switch_conn_down(conn, io_now_ms(&l->t->loop));
	list_del(&l->wake);
	link_free(l);
}

static const struct io_conn_events link_events = {
	.connected = on_connected,
	.data = on_data,
	.writable = on_writable,
	.closed = on_closed,
};

static struct link *link_new(struct switch_thread *t)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->t = t;
	list_init(&l->wake);
	if (link_trace_new(&t->all->cfg, &l->trace)) {
		free(l);
		return NULL;
	}
	return l;
}

static void *op_connect(void *ctx, struct switch_conn *conn, const struct addr *to, bool tls)
{
	struct switch_thread *t = ctx;
	struct io_conn_options options = {.tls = tls ? t->all->cfg.tls : NULL, .tls_any = true};
	struct link *l = tls && !options.tls ? NULL : link_new(t);

	if (!l)
		return NULL;
	l->conn = conn;
	if (io_conn_connect(&t->loop, to, &options, &link_events, l, &l->io)) {
		link_free(l);
		return NULL;
	}
	return l;
}

static bool op_vouch(void *ctx, void *handle, struct view host)
{
	const struct switch_thread *t = ctx;
	const struct link *l = handle;

	return t->all->cfg.tls_unverified || certificate_names(l->io, host);
}

static void on_accept(void *ctx, struct io_listener *listener, struct io_conn *io)
{
	struct switch_thread *t = ctx;
	struct link *l = link_new(t);

	(void)listener;
	if (!l)
		return;
	l->io = io;
	l->conn = switch_conn_accept(t->shard, l, io_now_ms(&t->loop));
	if (!l->conn) {
		link_free(l);
		return;
	}
	link_secured(l);
	io_conn_attach(io, &link_events, l);
}

static void op_event(void *ctx, const struct switch_event *ev)
{
	struct switch_thread *t = ctx;
	struct event_mail *m;

	if (t->all->stopping)
		return;
	m = calloc(1, sizeof(*m) + ev->n_seats * sizeof(m->ready[0]) + ev->nickname.n);
	if (!m) {
		log_line(t->all->log, LOG_ERROR, "switch", "an event was lost: no memory");
		return;
	}
	m->shard = t->number;
	m->event = *ev;
	m->event.seat_ready = m->ready;
	if (ev->n_seats)
		memcpy(m->ready, ev->seat_ready, ev->n_seats * sizeof(m->ready[0]));
	if (ev->nickname.n) {
		char *nickname = (char *)(m->ready + ev->n_seats);

		memcpy(nickname, ev->nickname.p, ev->nickname.n);
		m->event.nickname = view_of(nickname, ev->nickname.n);
	}
	io_mailbox_post(t->all->events, &m->mail);
}

/* ---- events ---- */

static void on_event(void *ctx, struct io_mail *mail)
{
	struct switch_threads *ts = ctx;
	struct event_mail *m = CONTAINER(mail, struct event_mail, mail);

	ts->cfg.event(ts->cfg.ctx, m->shard, &m->event);
	free(m);
}

static void discard_event(void *ctx, struct io_mail *mail)
{
	(void)ctx;
	free(CONTAINER(mail, struct event_mail, mail));
}

/* ---- life ---- */

static void thread_run(void *ctx)
{
	struct switch_thread *t = ctx;

	io_run(&t->loop);
}

static int listen_on(struct switch_thread *t, uint16_t port, struct io_tls *tls,
		     struct io_listener **listener, struct addr *bound)
{
	const struct switch_threads_config *cfg = &t->all->cfg;
	struct io_listener_options options = {.max_conns = cfg->shard.max_conns,
					      .max_per_source = cfg->max_per_source,
					      .tls = tls};
	struct addr at = cfg->listen;
	char text[ADDR_TEXT_MAX];
	int rc;

	at.port = port ? (uint16_t)(port + t->number) : 0;
	rc = io_listener_open(&t->loop, &at, &options, on_accept, t, listener);
	if (rc) {
		log_line(t->all->log, LOG_ERROR, "switch", "cannot listen on %s: %s",
			 addr_text(&at, text), error_text(rc));
		return rc;
	}
	io_listener_local(*listener, bound);
	return 0;
}

static int thread_listen(struct switch_thread *t)
{
	const struct switch_threads_config *cfg = &t->all->cfg;
	int rc = listen_on(t, cfg->listen.port, NULL, &t->listener, &t->addr);

	if (rc || !cfg->tls)
		return rc;
	return listen_on(t, cfg->tls_port, cfg->tls, &t->tls_listener, &t->tls_addr);
}

/* Everything but the thread itself: what follows needs the port. */
static int thread_init(struct switch_threads *ts, unsigned i)
{
	struct switch_thread *t = &ts->thread[i];
	struct switch_ops ops = {op_wake,  op_read,  op_connect,	  op_finish,
				 op_close, op_event, switch_command_mail, op_vouch,
				 t};
	struct switch_config cfg = ts->cfg.shard;
	struct entropy entropy = io_entropy();
	int rc;

	t->all = ts;
	t->number = i;
	list_init(&t->woken);
	uv_mutex_init(&t->lock);
	rc = io_loop_init(&t->loop, NULL);
	if (rc) {
		uv_mutex_destroy(&t->lock);
		return rc;
	}
	t->has_loop = true;
	io_loop_set_log(&t->loop, ts->log);
	timers_init(&t->timers, io_now_ms(&t->loop));
	rc = thread_listen(t);
	if (!rc)
		rc = io_mailbox_open(&t->loop, switch_command_receive, switch_command_discard, t,
				     &t->mailbox);
	if (rc)
		return rc;
	cfg.shard = i;
	cfg.n_shards = ts->cfg.n_threads;
	cfg.unix_ms_at_zero = io_wall_ms() - io_now_ms(&t->loop);
	if (!cfg.advertise.family)
		cfg.advertise = t->addr;
	cfg.advertise.port = t->addr.port;
	if (ts->cfg.tls) {
		cfg.advertise_tls = cfg.advertise;
		cfg.advertise_tls.port = t->tls_addr.port;
	}
	t->shard = switch_shard_new(&cfg, &ops, &t->timers, &entropy, ts->log);
	if (!t->shard)
		return E_NOMEM;
	io_deadline_init(&t->deadline, &t->loop, on_deadline, t);
	io_loop_after_batch(&t->loop, &t->batch, after_batch, t);
	return 0;
}

static void thread_fini(struct switch_thread *t)
{
	if (!t->has_loop)
		return;
	if (t->shard) {
		io_batch_fini(&t->batch);
		io_deadline_fini(&t->deadline);
	}
	/* Connections are told to be closed in here, so the shard goes last. */
	io_loop_fini(&t->loop);
	switch_shard_free(t->shard);
	uv_mutex_destroy(&t->lock);
}

int switch_threads_start(const struct switch_threads_config *cfg, const struct log *log,
			 struct switch_threads **out)
{
	struct switch_threads *ts;
	int rc;

	if (cfg->n_threads < 1 || cfg->n_threads > THREADS_MAX)
		return E_SYNTAX;
	ts = calloc(1, sizeof(*ts) + cfg->n_threads * sizeof(ts->thread[0]));
	if (!ts)
		return E_NOMEM;
	ts->cfg = *cfg;
	ts->log = log;
	rc = io_mailbox_open(cfg->loop, on_event, discard_event, ts, &ts->events);
	if (rc) {
		free(ts);
		return rc;
	}
	while (!rc && ts->n < cfg->n_threads)
		rc = thread_init(ts, ts->n++);
	for (unsigned i = 0; !rc && i < ts->n; i++) {
		char name[24];

		(void)snprintf(name, sizeof(name), "switch-%u", i);
		rc = io_thread_start(&ts->thread[i].thread, name, thread_run, &ts->thread[i]);
		ts->thread[i].started = !rc;
	}
	if (rc)
		switch_threads_stop(ts);
	else
		*out = ts;
	return rc;
}

void switch_threads_stop(struct switch_threads *ts)
{
	if (!ts)
		return;
	for (unsigned i = 0; i < ts->n; i++)
		if (ts->thread[i].started)
			switch_command_stop(ts, i);
	for (unsigned i = 0; i < ts->n; i++)
		if (ts->thread[i].started)
			io_thread_join(&ts->thread[i].thread);
	ts->stopping = true;
	for (unsigned i = 0; i < ts->n; i++)
		thread_fini(&ts->thread[i]);
	io_mailbox_close(ts->events);
	free(ts);
}

unsigned switch_threads_count(const struct switch_threads *ts)
{
	return ts->n;
}

void switch_threads_addr(const struct switch_threads *ts, unsigned i, struct addr *out)
{
	*out = ts->thread[i < ts->n ? i : 0].addr;
}

unsigned switch_threads_pick(struct switch_threads *ts)
{
	/* Among equals they take turns: numbers are those of the last batch. */
	unsigned first = atomic_fetch_add(&ts->turn, 1) % ts->n, best = first;

	for (unsigned k = 1; k < ts->n; k++) {
		unsigned i = (first + k) % ts->n;

		if (atomic_load_explicit(&ts->thread[i].seats, memory_order_relaxed) <
		    atomic_load_explicit(&ts->thread[best].seats, memory_order_relaxed))
			best = i;
	}
	return best;
}

void switch_threads_counts(struct switch_threads *ts, struct switch_counts *out)
{
	struct switch_counts sum = {0};

	for (unsigned i = 0; i < ts->n; i++) {
		struct switch_thread *t = &ts->thread[i];
		struct switch_counts c;

		uv_mutex_lock(&t->lock);
		c = t->counts;
		uv_mutex_unlock(&t->lock);
		sum.conns += c.conns;
		sum.conferences += c.conferences;
		sum.seats += c.seats;
		sum.sends_in += c.sends_in;
		sum.chunks_in += c.chunks_in;
		sum.deliveries += c.deliveries;
		sum.bytes_in += c.bytes_in;
		sum.bytes_out += c.bytes_out;
		sum.refused += c.refused;
		sum.aborted += c.aborted;
		sum.failed += c.failed;
		sum.mails += c.mails;
	}
	*out = sum;
}
