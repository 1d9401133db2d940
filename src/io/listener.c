#include "io/conn.h"

#include "base/error.h"
#include "base/quota.h"
#include "io/entropy.h"
#include "io/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	BACKLOG = 512,
	ACCEPTS_PER_EVENT = 64,
	RETRY_MS = 100, /* after descriptors ran out */
};

struct io_listener {
	struct io_handle handle;
	uv_poll_t poll;
	struct timer retry;
	struct io_loop *loop;
	io_accept_fn *accept;
	void *ctx;
	struct io_listener_options options;
	size_t n_refs; /* the open handle, and each connection */
	size_t n_conns;
	struct quota sources; /* connections of each */
	uint64_t refused;
	int fd;
	bool closed;
	bool starved; /* out of descriptors, and said so */
};

/* A connection as its listener knows it. */
struct visit {
	struct io_listener *listener;
	struct quota_share *source;
};

static void on_poll(uv_poll_t *poll, int status, int events);

static void unref(struct io_listener *l)
{
	if (--l->n_refs)
		return;
	quota_fini(&l->sources);
	free(l);
}

static struct visit *visit_new(struct io_listener *l, const struct addr *from)
{
	struct visit *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->listener = l;
	if (quota_take(&l->sources, addr_source(from), &v->source)) {
		free(v);
		return NULL;
	}
	l->n_conns++;
	l->n_refs++;
	return v;
}

static void on_conn_gone(void *ctx)
{
	struct visit *v = ctx;
	struct io_listener *l = v->listener;

	quota_release(&l->sources, v->source);
	free(v);
	l->n_conns--;
	unref(l);
}

static void on_conn_ready(void *ctx, struct io_conn *c)
{
	struct io_listener *l = ((struct visit *)ctx)->listener;

	/* A handshake may end when the listener is gone. */
	if (!l->closed)
		l->accept(l->ctx, l, c);
	if (!io_conn_attached(c))
		io_conn_close(c);
}

static void on_poll_closed(uv_handle_t *h)
{
	struct io_listener *l = h->data;

	l->loop->n_uv--;
	unref(l);
}

void io_listener_close(struct io_listener *l)
{
	if (!l || l->closed)
		return;
	l->closed = true;
	list_del(&l->handle.link);
	timer_cancel(&l->loop->timers, &l->retry);
	uv_close((uv_handle_t *)&l->poll, on_poll_closed);
	(void)close(l->fd);
	l->fd = -1;
}

static void close_handle(struct io_handle *h)
{
	io_listener_close(CONTAINER(h, struct io_listener, handle));
}

static void on_retry(void *ctx, uint64_t now_ms)
{
	struct io_listener *l = ctx;

	(void)now_ms;
	(void)uv_poll_start(&l->poll, UV_READABLE, on_poll);
}

/* The connection that cannot be accepted stays readable on the listener: watching on would spin. */
static void rest(struct io_listener *l, int system_error)
{
	if (!l->starved)
		log_line(l->loop->log, LOG_WARN, "io",
			 "cannot accept a connection: %s; trying again", strerror(system_error));
	l->starved = true;
	(void)uv_poll_stop(&l->poll);
	io_loop_arm(l->loop, &l->retry, io_now_ms(l->loop) + RETRY_MS);
}

static void take(struct io_listener *l, int fd, const struct addr *remote)
{
	bool full = l->options.max_conns && l->n_conns >= l->options.max_conns;
	struct visit *v = full ? NULL : visit_new(l, remote);
	struct io_conn_listener us = {on_conn_gone, on_conn_ready, v};
	int rc;

	if (!v) {
		l->refused++;
		(void)close(fd);
		return;
	}
	rc = io_conn_adopt(l->loop, fd, remote, &l->options, &us);
	if (rc) {
		on_conn_gone(v);
		log_line(l->loop->log, LOG_WARN, "io", "an accepted connection is dropped: %s",
			 error_text(rc));
		(void)close(fd);
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct io_listener *l = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPTS_PER_EVENT && !l->closed; i++) {
		struct sockaddr_storage s = {0};
		socklen_t len = sizeof(s);
		struct addr remote;
		int fd = accept4(l->fd, (struct sockaddr *)&s, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EAGAIN)
				break;
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM) {
				rest(l, errno);
				return;
			}
			/* The peer gave up in between, or a network error that accept(2) passes
			 * on: that connection is gone, the next one may be good. */
			continue;
		}
		l->starved = false;
		io_addr_from_sockaddr((struct sockaddr *)&s, &remote);
		take(l, fd, &remote);
	}
	/* libuv stops watching when it reports an error. */
	if (status < 0 && !l->closed)
		rest(l, EIO);
}

static int listen_socket(const struct addr *local, int backlog)
{
	int fd = io_socket(local, SOCK_STREAM);
	int rc;

	if (fd < 0)
		return fd;
	io_socket_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	rc = io_socket_bind(fd, local);
	if (!rc && listen(fd, backlog ? backlog : BACKLOG))
		rc = io_error(errno);
	if (!rc)
		return fd;
	(void)close(fd);
	return rc;
}

static void init_sources(struct io_listener *l)
{
	struct entropy entropy = io_entropy();
	uint64_t key[2] = {entropy_u64(&entropy), entropy_u64(&entropy)};

	quota_init(&l->sources, l->options.max_per_source, key);
}

int io_listener_open(struct io_loop *loop, const struct addr *local,
		     const struct io_listener_options *options, io_accept_fn *accept, void *ctx,
		     struct io_listener **listener_out)
{
	struct io_listener *l;
	int fd, rc;

	if (loop->closing)
		return E_STATE;
	fd = listen_socket(local, options ? options->backlog : 0);
	if (fd < 0)
		return fd;
	l = calloc(1, sizeof(*l));
	rc = l ? io_error(uv_poll_init(loop->uv, &l->poll, fd)) : E_NOMEM;
	if (rc) {
		free(l);
		(void)close(fd);
		return rc;
	}
	l->poll.data = l;
	l->loop = loop;
	l->fd = fd;
	l->accept = accept;
	l->ctx = ctx;
	if (options)
		l->options = *options;
	init_sources(l);
	l->n_refs = 1;
	timer_init(&l->retry, on_retry, l);
	l->handle.close = close_handle;
	list_add_tail(&loop->handles, &l->handle.link);
	loop->n_uv++;
	(void)uv_poll_start(&l->poll, UV_READABLE, on_poll);
	*listener_out = l;
	return 0;
}

void io_listener_local(const struct io_listener *l, struct addr *out)
{
	io_socket_local(l->fd, out);
}

size_t io_listener_conns(const struct io_listener *l)
{
	return l->n_conns;
}

uint64_t io_listener_refused(const struct io_listener *l)
{
	return l->refused;
}
