#include "io/conn_private.h"

#include "base/error.h"
#include "io/socket.h"
#include "io/tls_session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	READS_PER_EVENT = 4, /* then it is another connection's turn */
	IOV_MAX_OFFERED = 64,
	KEEPALIVE_IDLE_S = 60,
	KEEPALIVE_INTERVAL_S = 15,
	KEEPALIVE_COUNT = 4,
};

/* The ways to the peer, with TLS and without. */

/* dst: IO_STREAM_BUFFER bytes. */
static ssize_t conn_recv(struct io_conn *c, char *dst)
{
	size_t most = c->read_most ? c->read_most : IO_STREAM_BUFFER;
	ssize_t n;

	if (c->tls)
		return io_tls_session_recv(c->tls, dst);
	do
		n = recv(c->fd, dst, most, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

static ssize_t to_peer(struct io_conn *c, struct iovec *iov, size_t n_iov)
{
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = n_iov};

	if (c->tls)
		return io_tls_session_send(c->tls, iov, n_iov);
	/* The kernel takes a single piece more cheaply this way. */
	if (n_iov == 1)
		return send(c->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
	return sendmsg(c->fd, &m, MSG_NOSIGNAL);
}

static ssize_t conn_send(struct io_conn *c, struct iovec *iov, size_t n_iov)
{
	ssize_t n;

	do
		n = to_peer(c, iov, n_iov);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		c->bytes_out += (uint64_t)n;
	return n;
}

bool io_conn_owes(const struct io_conn *c)
{
	return c->tls && io_tls_session_pending(c->tls);
}

static void on_poll(uv_poll_t *poll, int status, int events);

size_t io_conn_pending(const struct io_conn *c)
{
	return c->out.n - c->sent;
}

void io_conn_queue_clear(struct io_conn *c)
{
	buf_fini(&c->out);
	c->sent = 0;
}

static void on_poll_closed(uv_handle_t *h)
{
	struct io_conn *c = h->data;

	c->loop->n_uv--;
	if (c->listener.gone)
		c->listener.gone(c->listener.ctx);
	if (c->events && c->events->closed)
		c->events->closed(c->ctx, c, c->error);
	io_conn_queue_clear(c);
	io_tls_session_free(c->tls);
	free(c);
}

void io_conn_end(struct io_conn *c, int error)
{
	if (c->state == CONN_CLOSING)
		return;
	c->state = CONN_CLOSING;
	c->error = error;
	timer_cancel(&c->loop->timers, &c->timer);
	list_del(&c->handle.link);
	io_conn_queue_clear(c);
	/* libuv tells on_poll_closed at the end of the iteration, which defers `closed` too. */
	uv_close((uv_handle_t *)&c->poll, on_poll_closed);
	(void)close(c->fd);
	c->fd = -1;
}

void io_conn_end_errno(struct io_conn *c, int system_error)
{
	c->system_error = system_error;
	io_conn_end(c, io_error(system_error));
}

static void close_handle(struct io_handle *h)
{
	io_conn_end(CONTAINER(h, struct io_conn, handle), E_CLOSED);
}

void io_conn_watch(struct io_conn *c)
{
	int mask = 0;

	if (c->state == CONN_CLOSING)
		return;
	if (c->state == CONN_CONNECTING) {
		mask = UV_WRITABLE;
	} else if (c->state == CONN_BROKEN) {
		mask = UV_READABLE | UV_WRITABLE;
	} else if (c->state == CONN_HANDSHAKE || c->state == CONN_REFUSED) {
		mask = UV_READABLE | (io_conn_owes(c) ? UV_WRITABLE : 0);
	} else {
		if (!c->paused && !c->eof_seen)
			mask |= UV_READABLE;
		if (c->want_write || c->owes_drained || io_conn_pending(c) || io_conn_owes(c))
			mask |= UV_WRITABLE;
	}
	if (mask == c->polled)
		return;
	c->polled = (uint8_t)mask;
	if (mask)
		(void)uv_poll_start(&c->poll, mask, on_poll);
	else
		(void)uv_poll_stop(&c->poll);
}

static void write_failed(struct io_conn *c, int system_error)
{
	bool peer_gone = system_error == EPIPE || system_error == ECONNRESET;

	if (!peer_gone || c->eof_seen || c->paused) {
		io_conn_end_errno(c, system_error);
		return;
	}
	/* What the peer sent before it went may still lie in the kernel. */
	c->system_error = system_error;
	c->state = CONN_BROKEN;
	io_conn_queue_clear(c);
	io_conn_watch(c);
}

/* Once the queue is empty: sends FIN; ends when the peer has sent its own. */
static void finish_if_flushed(struct io_conn *c)
{
	if (c->state != CONN_UP || !c->finishing || io_conn_pending(c))
		return;
	if (c->tls && !c->tls_shut) {
		c->tls_shut = true;
		io_tls_session_shut(c->tls);
	}
	if (io_conn_owes(c))
		return;
	if (!c->fin_sent) {
		(void)shutdown(c->fd, SHUT_WR);
		c->fin_sent = true;
	}
	if (c->eof_seen)
		io_conn_end(c, c->error);
}

/* Hands the queue to the kernel as far as it takes it. */
static void flush(struct io_conn *c)
{
	if (io_conn_owes(c) && io_tls_session_flush(c->tls)) {
		if (errno != EAGAIN)
			write_failed(c, errno);
		return;
	}
	while (io_conn_pending(c)) {
		struct iovec iov = {c->out.p + c->sent, io_conn_pending(c)};
		ssize_t n = conn_send(c, &iov, 1);

		if (n < 0) {
			if (errno != EAGAIN)
				write_failed(c, errno);
			return;
		}
		c->sent += (size_t)n;
		if ((size_t)n < iov.iov_len)
			return;
	}
	io_conn_queue_clear(c);
}

static int enqueue(struct io_conn *c, struct view bytes)
{
	/* Moving the rest down costs less than it saves once half is gone. */
	if (c->sent && (c->sent >= c->out.n / 2 || bytes.n > c->out.max - c->out.n)) {
		buf_drop(&c->out, c->sent);
		c->sent = 0;
	}
	buf_put(&c->out, bytes);
	if (!buf_ok(&c->out)) {
		c->out.failed = false;
		return E_NOMEM;
	}
	c->owes_drained = true;
	io_conn_watch(c);
	return 0;
}

/* Nothing can be written any more. */
static bool is_over(const struct io_conn *c)
{
	return c->state == CONN_BROKEN || c->state == CONN_REFUSED || c->state == CONN_CLOSING;
}

int io_conn_write(struct io_conn *c, struct view bytes)
{
	struct view rest = bytes;
	int rc;

	if (is_over(c))
		return E_CLOSED;
	if (c->finishing)
		return E_STATE;
	if (c->state == CONN_UP && bytes.n > c->out.max - io_conn_pending(c)) {
		flush(c);
		if (c->state != CONN_UP)
			return E_CLOSED;
	}
	if (bytes.n > c->out.max - io_conn_pending(c))
		return E_LIMIT;
	if (c->state == CONN_UP && !io_conn_pending(c) && bytes.n) {
		struct iovec iov = {(void *)(uintptr_t)bytes.p, bytes.n};
		ssize_t n = conn_send(c, &iov, 1);

		if (n < 0 && errno != EAGAIN) {
			write_failed(c, errno);
			return E_CLOSED;
		}
		rest = view_from(bytes, n > 0 ? (size_t)n : 0);
	}
	if (!rest.n) {
		io_conn_watch(c);
		return 0;
	}
	rc = enqueue(c, rest);
	if (rc && rest.n < bytes.n) {
		/* A part is on its way: the stream cannot be mended. */
		io_conn_end(c, rc);
		return E_CLOSED;
	}
	return rc;
}

int io_conn_try_writev(struct io_conn *c, const struct view *iov, size_t n, size_t *taken_out)
{
	struct iovec v[IOV_MAX_OFFERED];
	ssize_t taken;

	if (is_over(c))
		return E_CLOSED;
	if (c->state != CONN_UP || c->finishing || io_conn_pending(c))
		return E_STATE;
	if (n > IOV_MAX_OFFERED)
		n = IOV_MAX_OFFERED;
	for (size_t i = 0; i < n; i++)
		v[i] = (struct iovec){(void *)(uintptr_t)iov[i].p, iov[i].n};
	taken = n ? conn_send(c, v, n) : 0;
	if (taken < 0 && errno != EAGAIN) {
		write_failed(c, errno);
		return E_CLOSED;
	}
	*taken_out = taken > 0 ? (size_t)taken : 0;
	io_conn_watch(c);
	return 0;
}

void io_conn_want_write(struct io_conn *c, bool want)
{
	c->want_write = want;
	io_conn_watch(c);
}

void io_conn_read_pause(struct io_conn *c)
{
	if (!c->finishing)
		c->paused = true;
	io_conn_watch(c);
}

void io_conn_read_resume(struct io_conn *c)
{
	c->paused = false;
	io_conn_watch(c);
}

void io_conn_read_most(struct io_conn *c, size_t bytes)
{
	c->read_most = bytes < IO_STREAM_BUFFER ? (uint32_t)bytes : 0;
}

static void finish(struct io_conn *c, uint64_t timeout_ms, int error)
{
	if (c->finishing || is_over(c))
		return;
	c->finishing = true;
	c->paused = false;
	c->error = error;
	io_loop_arm(c->loop, &c->timer,
		    io_now_ms(c->loop) + (timeout_ms ? timeout_ms : IO_CONN_FINISH_MS));
	finish_if_flushed(c);
	io_conn_watch(c);
}

void io_conn_finish(struct io_conn *c, uint64_t timeout_ms)
{
	finish(c, timeout_ms, 0);
}

void io_conn_close(struct io_conn *c)
{
	if (c)
		io_conn_end(c, 0);
}

void io_conn_reset(struct io_conn *c)
{
	struct linger hard = {.l_onoff = 1, .l_linger = 0};

	if (c->state == CONN_CLOSING)
		return;
	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	io_conn_end(c, 0);
}

static void on_timeout(void *ctx, uint64_t now_ms)
{
	struct io_conn *c = ctx;

	(void)now_ms;
	if (c->state == CONN_REFUSED) {
		io_conn_end(c, c->error);
		return;
	}
	if (c->state == CONN_HANDSHAKE)
		io_tls_session_set_why(c->tls, "the handshake took too long");
	c->system_error = ETIMEDOUT;
	io_conn_end(c, E_TIMEOUT);
}

static int pending_error(const struct io_conn *c)
{
	int e = 0;
	socklen_t len = sizeof(e);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &len))
		return errno;
	return e;
}

static void on_eof(struct io_conn *c)
{
	c->eof_seen = true;
	if (c->state == CONN_BROKEN) {
		io_conn_end_errno(c, c->system_error);
		return;
	}
	if (c->finishing) {
		finish_if_flushed(c);
	} else if (c->events && c->events->eof) {
		io_conn_watch(c);
		c->events->eof(c->ctx, c);
	} else {
		finish(c, 0, E_CLOSED);
	}
	io_conn_watch(c);
}

/* False: out of memory for the shared buffer. */
static bool stream_buffer(struct io_loop *loop)
{
	if (!loop->stream_buffer)
		loop->stream_buffer = malloc(IO_STREAM_BUFFER);
	return loop->stream_buffer != NULL;
}

static void on_readable(struct io_conn *c)
{
	if (!stream_buffer(c->loop)) {
		io_conn_end(c, E_NOMEM);
		return;
	}
	for (int i = 0; i < READS_PER_EVENT || c->state == CONN_BROKEN; i++) {
		ssize_t n = conn_recv(c, c->loop->stream_buffer);

		if (n == 0) {
			on_eof(c);
			return;
		}
		if (n < 0) {
			if (c->state == CONN_BROKEN)
				io_conn_end_errno(c, c->system_error);
			else if (errno != EAGAIN)
				io_conn_end_errno(c, errno);
			return;
		}
		c->bytes_in += (uint64_t)n;
		if (c->events && c->events->data)
			c->events->data(c->ctx, c, view_of(c->loop->stream_buffer, (size_t)n));
		if (c->state == CONN_CLOSING || c->paused)
			return;
		/* A short read: the kernel has no more, and asking again would cost a call. */
		if ((n < IO_STREAM_BUFFER || c->read_most) && c->state == CONN_UP &&
		    !(c->tls && io_tls_session_ended(c->tls)))
			return;
	}
}

static void on_writable(struct io_conn *c)
{
	if (io_conn_pending(c) || io_conn_owes(c))
		flush(c);
	if (c->state == CONN_UP && c->owes_drained && !io_conn_pending(c)) {
		c->owes_drained = false;
		if (c->events && c->events->drained)
			c->events->drained(c->ctx, c);
	}
	if (c->state == CONN_UP && c->want_write && !io_conn_pending(c) && c->events &&
	    c->events->writable)
		c->events->writable(c->ctx, c);
	finish_if_flushed(c);
}

void io_conn_go_up(struct io_conn *c)
{
	c->state = CONN_UP;
	if (!c->finishing)
		timer_cancel(&c->loop->timers, &c->timer);
	if (c->listener.ready)
		c->listener.ready(c->listener.ctx, c);
	else if (c->events && c->events->connected)
		c->events->connected(c->ctx, c);
	if (c->state == CONN_UP)
		on_writable(c);
	io_conn_watch(c);
}

static void on_connected(struct io_conn *c)
{
	int e = pending_error(c);

	if (e) {
		io_conn_end_errno(c, e);
		return;
	}
	if (!c->tls) {
		io_conn_go_up(c);
		return;
	}
	c->state = CONN_HANDSHAKE;
	io_conn_handshake(c);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct io_conn *c = poll->data;

	if (status < 0) {
		/* An error lies on the socket and libuv has stopped watching. What came before it
		 * can still be read. */
		c->polled = 0;
		events = UV_READABLE | UV_WRITABLE;
	}
	switch (c->state) {
	case CONN_CONNECTING:
		on_connected(c);
		return;
	case CONN_HANDSHAKE:
		io_conn_handshake(c);
		return;
	case CONN_REFUSED:
		io_conn_refused(c);
		return;
	default:
		break;
	}
	if (c->state == CONN_BROKEN) {
		if (c->paused)
			io_conn_end_errno(c, c->system_error);
		else
			on_readable(c);
		return;
	}
	if ((events & UV_READABLE) && !c->paused && !c->eof_seen)
		on_readable(c);
	if ((events & UV_WRITABLE) && c->state == CONN_UP)
		on_writable(c);
	if (status < 0 && c->state == CONN_UP) {
		int e = pending_error(c);

		if (e)
			io_conn_end_errno(c, e);
	}
	io_conn_watch(c);
}

/* Takes fd over on success only. */
static int conn_new(struct io_loop *loop, int fd, const struct addr *remote, size_t queue_max,
		    struct io_conn **conn_out)
{
	struct io_conn *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return E_NOMEM;
	rc = uv_poll_init(loop->uv, &c->poll, fd);
	if (rc) {
		free(c);
		return io_error(rc);
	}
	c->poll.data = c;
	c->loop = loop;
	c->fd = fd;
	c->remote = *remote;
	buf_init(&c->out, queue_max ? queue_max : IO_CONN_QUEUE_MAX);
	timer_init(&c->timer, on_timeout, c);
	c->handle.close = close_handle;
	list_add_tail(&loop->handles, &c->handle.link);
	loop->n_uv++;
	io_socket_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	io_socket_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	io_socket_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	io_socket_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	io_socket_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
	*conn_out = c;
	return 0;
}

int io_conn_adopt(struct io_loop *loop, int fd, const struct addr *remote,
		  const struct io_listener_options *options,
		  const struct io_conn_listener *listener)
{
	uint64_t handshake = options->handshake_ms ? options->handshake_ms : IO_CONN_HANDSHAKE_MS;
	struct io_tls_session *session = NULL;
	struct io_conn *c;
	int rc;

	if (options->tls) {
		session = io_tls_session_new(options->tls, fd, true, NULL, false);
		if (!session)
			return E_NOMEM;
	}
	rc = conn_new(loop, fd, remote, options->queue_max, &c);
	if (rc) {
		io_tls_session_free(session);
		return rc;
	}
	c->listener = *listener;
	c->tls = session;
	if (!session) {
		c->state = CONN_UP;
		io_conn_watch(c);
		listener->ready(listener->ctx, c);
		return 0;
	}
	c->state = CONN_HANDSHAKE;
	io_loop_arm(loop, &c->timer, io_now_ms(loop) + handshake);
	io_conn_watch(c);
	return 0;
}

bool io_conn_attached(const struct io_conn *c)
{
	return c->events != NULL;
}

static int connect_socket(const struct addr *to, const struct addr *local)
{
	struct sockaddr_storage s;
	socklen_t len;
	int fd, rc;

	rc = io_addr_to_sockaddr(to, &s, &len);
	if (rc)
		return rc;
	fd = io_socket(to, SOCK_STREAM);
	if (fd < 0)
		return fd;
	if (local) {
		/* Lets the kernel use one local port towards many peers. */
		io_socket_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, local->port == 0);
		io_socket_option(fd, SOL_SOCKET, SO_REUSEADDR, local->port != 0);
		rc = io_socket_bind(fd, local);
	}
	if (!rc && connect(fd, (struct sockaddr *)&s, len) && errno != EINPROGRESS)
		rc = io_error(errno);
	if (!rc)
		return fd;
	(void)close(fd);
	return rc;
}

int io_conn_connect(struct io_loop *loop, const struct addr *to,
		    const struct io_conn_options *options, const struct io_conn_events *events,
		    void *ctx, struct io_conn **conn_out)
{
	static const struct io_conn_options defaults;
	const struct io_conn_options *o = options ? options : &defaults;
	struct io_tls_session *session = NULL;
	struct io_conn *c;
	int fd, rc;

	if (loop->closing)
		return E_STATE;
	fd = connect_socket(to, o->local);
	if (fd < 0)
		return fd;
	if (o->tls)
		session = io_tls_session_new(o->tls, fd, false, o->tls_name, o->tls_any);
	rc = o->tls && !session ? E_NOMEM : conn_new(loop, fd, to, o->queue_max, &c);
	if (rc) {
		io_tls_session_free(session);
		(void)close(fd);
		return rc;
	}
	c->tls = session;
	c->identify = o->identify;
	c->state = CONN_CONNECTING;
	c->events = events;
	c->ctx = ctx;
	io_loop_arm(loop, &c->timer,
		    io_now_ms(loop) + (o->timeout_ms ? o->timeout_ms : IO_CONN_CONNECT_TIMEOUT_MS));
	io_conn_watch(c);
	*conn_out = c;
	return 0;
}

void io_conn_attach(struct io_conn *c, const struct io_conn_events *events, void *ctx)
{
	c->events = events;
	c->ctx = ctx;
}

void *io_conn_ctx(const struct io_conn *c)
{
	return c->ctx;
}

bool io_conn_is_up(const struct io_conn *c)
{
	return c->state == CONN_UP;
}

void io_conn_remote(const struct io_conn *c, struct addr *out)
{
	*out = c->remote;
}

void io_conn_local(const struct io_conn *c, struct addr *out)
{
	io_socket_local(c->fd, out);
}

int io_conn_errno(const struct io_conn *c)
{
	return c->system_error;
}

uint64_t io_conn_bytes_in(const struct io_conn *c)
{
	return c->bytes_in;
}

uint64_t io_conn_bytes_out(const struct io_conn *c)
{
	return c->bytes_out;
}
