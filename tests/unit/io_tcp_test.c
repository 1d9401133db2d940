#include "io/tcp.h"

#include "base/error.h"
#include "io_until.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PATTERN = 251 };

/* One end of a connection and what its owner was told. */
struct end {
	struct io_conn *c; /* NULL once closed */
	unsigned n_connected, n_data, n_eof, n_drained, n_writable, n_closed;
	size_t n_bytes;
	bool in_order; /* bytes came as the pattern */
	int error, system_error;
	bool inside; /* the owner is inside a call; nothing may call back */
	/* What to do when called. */
	bool close_on_data, finish_on_eof, pause_on_data, echo;
	size_t to_send; /* by writev, as the pattern */
	size_t sent;
};

struct world {
	struct io_loop loop;
	struct io_listener *l;
	struct addr at;
	struct end end[64]; /* of accepted connections */
	size_t n_ends;
	const struct io_conn_events *events;
	bool turn_away;
};

static char pattern[4 * 1024 * 1024];

static void on_connected(void *ctx, struct io_conn *c)
{
	struct end *e = ctx;

	assert_false(e->inside);
	assert_true(io_conn_is_up(c));
	e->n_connected++;
}

static void on_data(void *ctx, struct io_conn *c, struct view bytes)
{
	struct end *e = ctx;

	assert_false(e->inside);
	assert_true(bytes.n > 0);
	e->n_data++;
	if (memcmp(bytes.p, pattern + e->n_bytes % PATTERN, bytes.n) != 0)
		e->in_order = false;
	e->n_bytes += bytes.n;
	if (e->echo)
		assert_int_equal(io_conn_write(c, bytes), 0);
	if (e->pause_on_data)
		io_conn_read_pause(c);
	if (e->close_on_data) {
		e->inside = true;
		io_conn_close(c);
		assert_int_equal(io_conn_write(c, VIEW("x")), E_CLOSED);
		e->inside = false;
	}
}

static void on_eof(void *ctx, struct io_conn *c)
{
	struct end *e = ctx;

	assert_false(e->inside);
	e->n_eof++;
	if (e->finish_on_eof)
		io_conn_finish(c, 0);
}

static void on_drained(void *ctx, struct io_conn *c)
{
	struct end *e = ctx;

	assert_false(e->inside);
	assert_int_equal(io_conn_pending(c), 0);
	e->n_drained++;
}

static void on_writable(void *ctx, struct io_conn *c)
{
	struct end *e = ctx;

	e->n_writable++;
	while (e->sent < e->to_send) {
		size_t left = e->to_send - e->sent > 1000000 ? 1000000 : e->to_send - e->sent;
		size_t taken = 77, half = left / 2;
		const char *p = pattern + e->sent % PATTERN;
		struct view v[3] = {{p, half}, {NULL, 0}, {p + half, left - half}};

		if (io_conn_try_writev(c, v, 3, &taken) == E_CLOSED)
			return;
		assert_true(taken <= left);
		e->sent += taken;
		if (!taken)
			return;
	}
	io_conn_want_write(c, false);
}

static void on_closed(void *ctx, struct io_conn *c, int error)
{
	struct end *e = ctx;

	assert_false(e->inside);
	assert_ptr_equal(c, e->c);
	e->n_closed++;
	e->error = error;
	e->system_error = io_conn_errno(c);
	assert_int_equal(io_conn_write(c, VIEW("x")), E_CLOSED);
	io_conn_close(c);
	io_conn_reset(c);
	io_conn_finish(c, 0);
	io_conn_read_resume(c);
	io_conn_want_write(c, true);
	assert_int_equal(io_conn_pending(c), 0);
	e->c = NULL;
}

static const struct io_conn_events all = {on_connected, on_data,     on_eof,
					  on_drained,	on_writable, on_closed};
static const struct io_conn_events no_eof = {
	.connected = on_connected, .data = on_data, .drained = on_drained, .closed = on_closed};
static const struct io_conn_events closed_alone = {.closed = on_closed};

static void end_init(struct end *e)
{
	*e = (struct end){.in_order = true};
}

static void on_accept(void *ctx, struct io_listener *l, struct io_conn *c)
{
	struct world *w = ctx;
	struct end *e = &w->end[w->n_ends];

	assert_ptr_equal(l, w->l);
	if (w->turn_away)
		return;
	assert_true(w->n_ends < sizeof(w->end) / sizeof(w->end[0]));
	w->n_ends++;
	e->c = c;
	io_conn_attach(c, w->events, e);
	assert_ptr_equal(io_conn_ctx(c), e);
}

static void world_init(struct world *w, int family, const struct io_listener_options *options)
{
	struct addr at = io_loopback(family);

	memset(w, 0, sizeof(*w));
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (char)(i % PATTERN);
	for (size_t i = 0; i < sizeof(w->end) / sizeof(w->end[0]); i++)
		end_init(&w->end[i]);
	w->events = &all;
	assert_int_equal(io_loop_init(&w->loop, NULL), 0);
	assert_int_equal(io_listener_open(&w->loop, &at, options, on_accept, w, &w->l), 0);
	io_listener_local(w->l, &w->at);
	assert_true(w->at.port != 0);
}

static void world_fini(struct world *w)
{
	io_listener_close(w->l);
	io_loop_fini(&w->loop);
	for (size_t i = 0; i < w->n_ends; i++)
		assert_int_equal(w->end[i].n_closed, 1);
}

static void dial(struct world *w, struct end *e, const struct io_conn_events *events,
		 const struct io_conn_options *options)
{
	end_init(e);
	e->inside = true;
	assert_int_equal(io_conn_connect(&w->loop, &w->at, options, events, e, &e->c), 0);
	e->inside = false;
}

/* A client and the server's end of its connection. */
static struct end *pair(struct world *w, struct end *client, const struct io_conn_events *events)
{
	size_t i = w->n_ends;

	dial(w, client, events, NULL);
	UNTIL(&w->loop, client->n_connected == 1 && w->n_ends == i + 1);
	return &w->end[i];
}

static void there_and_back(int family)
{
	struct end client, *server;
	struct addr a, b;
	struct world w;

	world_init(&w, family, NULL);
	server = pair(&w, &client, &all);
	server->echo = true;
	io_conn_remote(client.c, &a);
	assert_true(addr_eq(&a, &w.at));
	io_conn_local(client.c, &a);
	io_conn_remote(server->c, &b);
	assert_true(addr_eq(&a, &b));
	io_conn_local(server->c, &b);
	assert_true(addr_eq(&b, &w.at));
	assert_int_equal(io_conn_write(client.c, view_of(pattern, 1000)), 0);
	UNTIL(&w.loop, client.n_bytes == 1000);
	assert_true(client.in_order && server->in_order);
	assert_int_equal(io_conn_bytes_in(client.c), 1000);
	assert_int_equal(io_conn_bytes_out(client.c), 1000);
	/* What the kernel took at once was never queued. */
	assert_int_equal(client.n_drained, 0);
	client.inside = true;
	io_conn_close(client.c);
	client.inside = false;
	assert_int_equal(client.n_closed, 0);
	UNTIL(&w.loop, client.n_closed && server->n_eof);
	assert_int_equal(client.error, 0);
	world_fini(&w);
	assert_int_equal(client.n_closed, 1);
}

static void test_ipv4(void **state)
{
	(void)state;
	there_and_back(4);
}

static void test_ipv6(void **state)
{
	(void)state;
	there_and_back(6);
}

static void test_output_before_connected_is_sent(void **state)
{
	struct end client, second;
	struct world w;
	size_t taken = 5;

	(void)state;
	world_init(&w, 4, NULL);
	dial(&w, &client, &all, NULL);
	assert_false(io_conn_is_up(client.c));
	assert_int_equal(io_conn_write(client.c, view_of(pattern, 10)), 0);
	assert_int_equal(io_conn_write(client.c, view_of(pattern + 10, 20)), 0);
	assert_int_equal(io_conn_try_writev(client.c, NULL, 0, &taken), E_STATE);
	assert_int_equal(taken, 5);
	assert_int_equal(io_conn_pending(client.c), 30);
	UNTIL(&w.loop, w.end[0].n_bytes == 30);
	assert_true(w.end[0].in_order);
	assert_int_equal(client.n_drained, 1);
	/* The same with an end right behind it. */
	dial(&w, &second, &all, NULL);
	assert_int_equal(io_conn_write(second.c, view_of(pattern, 10)), 0);
	io_conn_finish(second.c, 0);
	w.end[1].finish_on_eof = true;
	UNTIL(&w.loop, second.n_closed && w.end[1].n_closed);
	assert_int_equal(w.end[1].n_bytes, 10);
	assert_int_equal(second.error, 0);
	world_fini(&w);
}

static void test_queue_cap_takes_all_or_nothing(void **state)
{
	const struct io_conn_options options = {.queue_max = 100000};
	struct end client, *server;
	struct world w;
	size_t accepted = 0;
	unsigned n_refused = 0;

	(void)state;
	world_init(&w, 4, NULL);
	dial(&w, &client, &all, &options);
	UNTIL(&w.loop, client.n_connected && w.n_ends == 1);
	server = &w.end[0];
	io_conn_read_pause(server->c);
	assert_int_equal(io_conn_write(client.c, view_of(pattern, 100001)), E_LIMIT);
	assert_int_equal(io_conn_bytes_out(client.c), 0);
	while (n_refused < 3) {
		int rc = io_conn_write(client.c, view_of(pattern + accepted % PATTERN, 7001));

		assert_true(rc == 0 || rc == E_LIMIT);
		if (rc)
			n_refused++;
		else
			accepted += 7001;
		assert_true(io_conn_pending(client.c) <= 100000);
	}
	assert_true(io_conn_pending(client.c) > 100000 - 7001);
	assert_int_equal(client.n_drained, 0);
	io_conn_read_resume(server->c);
	UNTIL(&w.loop, server->n_bytes == accepted && client.n_drained);
	assert_true(server->in_order);
	assert_int_equal(client.n_drained, 1);
	world_fini(&w);
}

static void test_writev_and_want_write_move_much_data(void **state)
{
	struct end client, *server;
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	server = pair(&w, &client, &all);
	client.to_send = 40 * 1000000;
	io_conn_want_write(client.c, true);
	io_conn_read_pause(server->c);
	/* Back-pressure: the kernel's buffers fill up, and the writer is not called in vain. */
	UNTIL(&w.loop, client.sent > 0 && client.n_writable > 0);
	for (int i = 0; i < 50; i++)
		(void)io_turn(&w.loop, false);
	assert_true(client.sent < client.to_send);
	assert_true(client.n_writable < 50);
	assert_int_equal(server->n_bytes, 0);
	io_conn_read_resume(server->c);
	UNTIL(&w.loop, server->n_bytes == client.to_send);
	assert_true(server->in_order);
	/* Told off, it is not called again. */
	client.n_writable = 0;
	for (int i = 0; i < 5; i++)
		(void)io_turn(&w.loop, false);
	assert_int_equal(client.n_writable, 0);
	world_fini(&w);
}

static void test_pause_inside_data(void **state)
{
	struct end client, *server;
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	server = pair(&w, &client, &all);
	server->pause_on_data = true;
	assert_int_equal(io_conn_write(client.c, view_of(pattern, 300000)), 0);
	UNTIL(&w.loop, server->n_data == 1);
	for (int i = 0; i < 10; i++)
		(void)io_turn(&w.loop, false);
	assert_int_equal(server->n_data, 1);
	server->pause_on_data = false;
	io_conn_read_resume(server->c);
	UNTIL(&w.loop, server->n_bytes == 300000);
	assert_true(server->in_order);
	world_fini(&w);
}

static void test_close_inside_data(void **state)
{
	struct end client, *server;
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	server = pair(&w, &client, &all);
	server->close_on_data = true;
	assert_int_equal(io_conn_write(client.c, view_of(pattern, 200000)), 0);
	UNTIL(&w.loop, server->n_closed && client.n_closed + client.n_eof);
	assert_int_equal(server->error, 0);
	assert_int_equal(server->n_data, 1);
	world_fini(&w);
	assert_int_equal(client.n_closed, 1);
}

static void test_half_close_and_answer(void **state)
{
	struct end client, *server;
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	server = pair(&w, &client, &all);
	assert_int_equal(io_conn_write(client.c, view_of(pattern, 500)), 0);
	io_conn_finish(client.c, 0);
	assert_int_equal(io_conn_write(client.c, VIEW("x")), E_STATE);
	UNTIL(&w.loop, server->n_eof == 1);
	assert_int_equal(server->n_bytes, 500);
	assert_int_equal(client.n_closed, 0);
	/* The other direction still runs, and more than the kernel takes at once comes through. */
	assert_int_equal(io_conn_write(server->c, view_of(pattern, 900000)), 0);
	io_conn_finish(server->c, 0);
	UNTIL(&w.loop, client.n_closed && server->n_closed);
	assert_int_equal(client.n_bytes, 900000);
	assert_true(client.in_order);
	assert_int_equal(client.error, 0);
	assert_int_equal(server->error, 0);
	assert_int_equal(client.n_eof, 0);
	assert_int_equal(server->n_eof, 1);
	world_fini(&w);
}

static void test_without_eof_callback_the_peers_end_closes(void **state)
{
	struct end client, *server;
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	w.events = &no_eof;
	server = pair(&w, &client, &all);
	server->echo = true;
	/* The echo of what came before the end is still sent. */
	assert_int_equal(io_conn_write(client.c, view_of(pattern, 600000)), 0);
	io_conn_finish(client.c, 0);
	UNTIL(&w.loop, client.n_closed && server->n_closed);
	assert_int_equal(client.n_bytes, 600000);
	assert_true(client.in_order);
	assert_int_equal(client.error, 0);
	assert_int_equal(server->error, E_CLOSED);
	world_fini(&w);
}

static void test_finish_is_bounded(void **state)
{
	struct end client, *server;
	struct world w;
	uint64_t start;

	(void)state;
	world_init(&w, 4, NULL);
	server = pair(&w, &client, &all);
	io_conn_read_pause(server->c);
	start = io_now_fresh_ms(&w.loop);
	io_conn_finish(client.c, 30);
	io_conn_finish(client.c, 1);
	UNTIL(&w.loop, client.n_closed);
	assert_int_equal(client.error, E_TIMEOUT);
	assert_true(io_now_fresh_ms(&w.loop) >= start + 30);
	world_fini(&w);
}

static void test_reset_is_told_after_the_data(void **state)
{
	struct end client, *server;
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	server = pair(&w, &client, &all);
	io_conn_reset(client.c);
	UNTIL(&w.loop, client.n_closed && server->n_closed);
	assert_int_equal(client.error, 0);
	assert_int_equal(server->error, E_IO);
	assert_int_equal(server->system_error, ECONNRESET);
	world_fini(&w);
}

static void test_a_failed_write_does_not_hide_what_came_before(void **state)
{
	struct end client, *server;
	struct world w;
	int rc = 0;

	(void)state;
	world_init(&w, 4, NULL);
	server = pair(&w, &client, &all);
	assert_int_equal(io_conn_write(client.c, view_of(pattern, 100)), 0);
	io_conn_reset(client.c);
	/* The loop has not turned: the server knows nothing yet, and writes. */
	for (int i = 0; i < 5 && !rc; i++) {
		server->inside = true;
		rc = io_conn_write(server->c, VIEW("answer"));
		server->inside = false;
	}
	assert_int_equal(rc, E_CLOSED);
	UNTIL(&w.loop, server->n_closed);
	assert_int_equal(server->n_bytes, 100);
	assert_int_equal(server->error, E_IO);
	world_fini(&w);
}

static void test_a_failed_write_while_paused(void **state)
{
	struct end client, *server;
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	server = pair(&w, &client, &all);
	io_conn_read_pause(server->c);
	io_conn_want_write(server->c, true);
	assert_int_equal(io_conn_write(client.c, view_of(pattern, 100)), 0);
	io_conn_reset(client.c);
	server->to_send = 1000;
	UNTIL(&w.loop, server->n_closed);
	assert_int_equal(server->n_bytes, 0);
	assert_int_not_equal(server->error, 0);
	world_fini(&w);
}

static void test_refused(void **state)
{
	struct end client;
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	io_listener_close(w.l);
	w.l = NULL;
	dial(&w, &client, &all, NULL);
	UNTIL(&w.loop, client.n_closed);
	assert_int_equal(client.n_connected, 0);
	assert_int_equal(client.error, E_IO);
	assert_int_equal(client.system_error, ECONNREFUSED);
	io_loop_fini(&w.loop);
}

/* A listener whose backlog is full does not answer, as a host that is gone does not. */
static void test_connect_timeout(void **state)
{
	const struct io_conn_options options = {.timeout_ms = 20};
	struct addr at = io_loopback(4);
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	struct end client[4];
	struct world w;
	unsigned timeouts = 0;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	world_init(&w, 4, NULL);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	at.port = ntohs(in.sin_port);
	for (int i = 0; i < 4; i++) {
		end_init(&client[i]);
		assert_int_equal(
			io_conn_connect(&w.loop, &at, &options, &all, &client[i], &client[i].c), 0);
	}
	UNTIL(&w.loop, client[0].n_connected + client[0].n_closed &&
			       client[1].n_connected + client[1].n_closed &&
			       client[2].n_connected + client[2].n_closed &&
			       client[3].n_connected + client[3].n_closed);
	for (int i = 0; i < 4; i++) {
		if (client[i].n_closed) {
			assert_int_equal(client[i].error, E_TIMEOUT);
			timeouts++;
		}
	}
	assert_true(timeouts > 0);
	world_fini(&w);
	(void)close(fd);
}

static void test_connect_errors_are_not_announced(void **state)
{
	struct addr none = {0}, elsewhere;
	struct io_conn_options options = {.local = &elsewhere};
	struct end client = {0};
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	assert_int_equal(addr_parse(VIEW("192.0.2.1"), 0, &elsewhere), 0);
	assert_int_equal(io_conn_connect(&w.loop, &none, NULL, &all, &client, &client.c),
			 E_ADDRESS);
	assert_int_equal(io_conn_connect(&w.loop, &w.at, &options, &all, &client, &client.c),
			 E_ADDRESS);
	assert_null(client.c);
	world_fini(&w);
	assert_int_equal(client.n_closed, 0);
}

static void test_local_address(void **state)
{
	struct addr local;
	const struct io_conn_options options = {.local = &local};
	struct end client;
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	assert_int_equal(addr_parse(VIEW("127.0.0.9"), 0, &local), 0);
	dial(&w, &client, &closed_alone, &options);
	UNTIL(&w.loop, w.n_ends == 1);
	io_conn_remote(w.end[0].c, &local);
	assert_int_equal(local.ip[3], 9);
	world_fini(&w);
	assert_int_equal(client.error, E_CLOSED);
}

static void test_cap_on_connections(void **state)
{
	const struct io_listener_options options = {.max_conns = 2};
	struct end client[3];
	struct world w;

	(void)state;
	world_init(&w, 4, &options);
	(void)pair(&w, &client[0], &no_eof);
	(void)pair(&w, &client[1], &no_eof);
	assert_int_equal(io_listener_conns(w.l), 2);
	dial(&w, &client[2], &no_eof, NULL);
	UNTIL(&w.loop, client[2].n_closed);
	assert_int_equal(io_listener_refused(w.l), 1);
	assert_int_equal(w.n_ends, 2);
	io_conn_close(w.end[0].c);
	UNTIL(&w.loop, w.end[0].n_closed);
	assert_int_equal(io_listener_conns(w.l), 1);
	(void)pair(&w, &client[2], &no_eof);
	assert_int_equal(io_listener_conns(w.l), 2);
	world_fini(&w);
}

static void test_cap_on_connections_from_one_address(void **state)
{
	const struct io_listener_options options = {.max_per_source = 2};
	struct addr elsewhere;
	const struct io_conn_options from = {.local = &elsewhere};
	struct end client[3], other;
	struct world w;

	(void)state;
	world_init(&w, 4, &options);
	assert_int_equal(addr_parse(VIEW("127.0.0.9"), 0, &elsewhere), 0);
	(void)pair(&w, &client[0], &no_eof);
	(void)pair(&w, &client[1], &no_eof);
	dial(&w, &client[2], &no_eof, NULL);
	UNTIL(&w.loop, client[2].n_closed);
	assert_int_equal(io_listener_refused(w.l), 1);
	assert_int_equal(w.n_ends, 2);
	/* Another one is let in, and so is the next when one has gone. */
	dial(&w, &other, &no_eof, &from);
	UNTIL(&w.loop, w.n_ends == 3);
	io_conn_close(w.end[0].c);
	UNTIL(&w.loop, w.end[0].n_closed);
	(void)pair(&w, &client[2], &no_eof);
	assert_int_equal(io_listener_conns(w.l), 3);
	world_fini(&w);
}

static void test_not_attached_is_closed(void **state)
{
	struct end client;
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	w.turn_away = true;
	dial(&w, &client, &no_eof, NULL);
	UNTIL(&w.loop, client.n_closed);
	assert_int_equal(client.error, E_CLOSED);
	assert_int_equal(io_listener_conns(w.l), 0);
	world_fini(&w);
}

static void test_connections_outlive_their_listener(void **state)
{
	struct end client, *server;
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	server = pair(&w, &client, &all);
	server->echo = true;
	io_listener_close(w.l);
	w.l = NULL;
	(void)io_turn(&w.loop, false);
	assert_int_equal(io_conn_write(client.c, view_of(pattern, 10)), 0);
	UNTIL(&w.loop, client.n_bytes == 10);
	io_conn_close(server->c);
	UNTIL(&w.loop, server->n_closed);
	world_fini(&w);
}

static void count_lines(void *ctx, enum log_level level, const char *room, const char *text)
{
	(void)level;
	(void)room;
	(void)text;
	++*(unsigned *)ctx;
}

static void test_out_of_descriptors_pauses_and_recovers(void **state)
{
	unsigned n_lines = 0, turns = 0;
	struct log log = {LOG_DEBUG, count_lines, &n_lines};
	struct rlimit was, tight;
	struct end client;
	struct world w;
	uint64_t until;
	int last;

	(void)state;
	world_init(&w, 4, NULL);
	io_loop_set_log(&w.loop, &log);
	dial(&w, &client, &all, NULL);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	/* The lowest free number is what the next descriptor would get. */
	last = dup(0);
	assert_true(last > 0);
	(void)close(last);
	tight = was;
	tight.rlim_cur = (rlim_t)last;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	UNTIL(&w.loop, n_lines == 1);
	/* Through a few retries: no spinning, no more lines. */
	until = io_now_fresh_ms(&w.loop) + 350;
	while (io_now_ms(&w.loop) < until) {
		struct io_deadline d;

		io_deadline_init(&d, &w.loop, io_until_late, &(bool){false});
		io_deadline_set(&d, until);
		(void)io_turn(&w.loop, true);
		io_deadline_fini(&d);
		turns++;
	}
	assert_int_equal(n_lines, 1);
	assert_true(turns < 50);
	assert_int_equal(w.n_ends, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	UNTIL(&w.loop, w.n_ends == 1);
	world_fini(&w);
}

static void test_listen_errors(void **state)
{
	struct io_listener *l;
	struct addr none = {0};
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	assert_int_equal(io_listener_open(&w.loop, &w.at, NULL, on_accept, &w, &l), E_ADDRESS);
	assert_int_equal(io_listener_open(&w.loop, &none, NULL, on_accept, &w, &l), E_ADDRESS);
	io_listener_close(NULL);
	io_conn_close(NULL);
	world_fini(&w);
}

static void test_loop_end_tells_every_owner_once(void **state)
{
	struct end client[8], connecting;
	struct world w;

	(void)state;
	world_init(&w, 4, NULL);
	for (int i = 0; i < 8; i++)
		(void)pair(&w, &client[i], &all);
	dial(&w, &connecting, &all, NULL);
	io_conn_close(client[3].c);
	world_fini(&w);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(client[i].n_closed, 1);
		assert_int_equal(client[i].error, i == 3 ? 0 : E_CLOSED);
	}
	assert_int_equal(connecting.n_closed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_output_before_connected_is_sent),
		cmocka_unit_test(test_queue_cap_takes_all_or_nothing),
		cmocka_unit_test(test_writev_and_want_write_move_much_data),
		cmocka_unit_test(test_pause_inside_data),
		cmocka_unit_test(test_close_inside_data),
		cmocka_unit_test(test_half_close_and_answer),
		cmocka_unit_test(test_without_eof_callback_the_peers_end_closes),
		cmocka_unit_test(test_finish_is_bounded),
		cmocka_unit_test(test_reset_is_told_after_the_data),
		cmocka_unit_test(test_a_failed_write_does_not_hide_what_came_before),
		cmocka_unit_test(test_a_failed_write_while_paused),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_connect_timeout),
		cmocka_unit_test(test_connect_errors_are_not_announced),
		cmocka_unit_test(test_local_address),
		cmocka_unit_test(test_cap_on_connections),
		cmocka_unit_test(test_cap_on_connections_from_one_address),
		cmocka_unit_test(test_not_attached_is_closed),
		cmocka_unit_test(test_connections_outlive_their_listener),
		cmocka_unit_test(test_out_of_descriptors_pauses_and_recovers),
		cmocka_unit_test(test_listen_errors),
		cmocka_unit_test(test_loop_end_tells_every_owner_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
