#include "io/lines.h"

#include "base/buf.h"
#include "base/error.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CHUNK = 4096 };

/*
 * The descriptor may be shared with the shell and others, so it must not be made non-blocking
 * (which is a flag of the shared open file). It is therefore watched through an epoll descriptor of
 * our own, which libuv watches in turn; a plain file, which epoll refuses, is read once per turn of
 * the loop.
 */
struct io_lines {
	struct io_handle handle;
	uv_poll_t poll;
	uv_idle_t idle; /* for plain files, and for input that is read but not handed out yet */
	struct io_loop *loop;
	const struct io_lines_events *events;
	void *ctx;
	size_t max;
	struct buf line;
	int fd;
	int watch_fd; /* epoll; -1: a plain file */
	unsigned n_open;
	bool overlong, paused, ended, closed;
	size_t at, n; /* of chunk: handed out, read */
	char chunk[CHUNK];
};

static void on_idle(uv_idle_t *idle);
static void on_poll(uv_poll_t *poll, int status, int events);

static void schedule(struct io_lines *l)
{
	bool live = !l->closed && !l->ended && !l->paused;
	bool by_idle = live && (l->watch_fd < 0 || l->at < l->n);

	if (l->closed)
		return;
	if (by_idle)
		(void)uv_idle_start(&l->idle, on_idle);
	else
		(void)uv_idle_stop(&l->idle);
	if (l->watch_fd < 0)
		return;
	if (live && !by_idle)
		(void)uv_poll_start(&l->poll, UV_READABLE, on_poll);
	else
		(void)uv_poll_stop(&l->poll);
}

static void append(struct io_lines *l, struct view piece)
{
	/* One byte more than a line may have: a CR before the LF does not count. */
	size_t room = l->max + 1 - l->line.n;

	if (l->overlong)
		return;
	if (piece.n > room)
		l->overlong = true;
	buf_put(&l->line, view_first(piece, room));
	if (!buf_ok(&l->line)) {
		l->line.failed = false;
		l->overlong = true;
	}
}

static void hand_out(struct io_lines *l)
{
	struct view v = buf_view(&l->line);
	bool cut = l->overlong;

	if (!cut && v.n && v.p[v.n - 1] == '\r')
		v.n--;
	if (v.n > l->max) {
		v.n = l->max;
		cut = true;
	}
	l->overlong = false;
	l->events->line(l->ctx, v, cut);
	buf_reset(&l->line);
}

/* Cuts what was read into lines until it is used up or the owner wants no more. */
static void hand_out_chunk(struct io_lines *l)
{
	while (l->at < l->n && !l->paused && !l->closed) {
		struct view rest = view_of(l->chunk + l->at, l->n - l->at);
		size_t end = view_find(rest, '\n', 0);

		append(l, view_first(rest, end));
		if (end < rest.n) {
			l->at += end + 1;
			hand_out(l);
		} else {
			l->at = l->n;
		}
	}
}

static void end(struct io_lines *l, int error)
{
	l->ended = true;
	if (l->line.n || l->overlong)
		hand_out(l);
	if (!l->closed)
		l->events->end(l->ctx, error);
}

static void read_chunk(struct io_lines *l)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};
	ssize_t n;

	/* Another reader of the same terminal may have been faster, and read would block. */
	if (l->watch_fd >= 0 && poll(&p, 1, 0) <= 0)
		return;
	n = read(l->fd, l->chunk, sizeof(l->chunk));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		end(l, n < 0 ? E_IO : 0);
		return;
	}
	l->at = 0;
	l->n = (size_t)n;
	hand_out_chunk(l);
}

static void work(struct io_lines *l)
{
	if (l->at < l->n)
		hand_out_chunk(l);
	else
		read_chunk(l);
	schedule(l);
}

static void on_idle(uv_idle_t *idle)
{
	work(idle->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	work(poll->data);
}

static void on_closed(uv_handle_t *h)
{
	struct io_lines *l = h->data;

	l->loop->n_uv--;
	if (--l->n_open)
		return;
	buf_fini(&l->line);
	free(l);
}

void io_lines_close(struct io_lines *l)
{
	if (!l || l->closed)
		return;
	l->closed = true;
	list_del(&l->handle.link);
	uv_close((uv_handle_t *)&l->idle, on_closed);
	if (l->watch_fd >= 0) {
		uv_close((uv_handle_t *)&l->poll, on_closed);
		(void)close(l->watch_fd);
	}
}

static void close_handle(struct io_handle *h)
{
	io_lines_close(CONTAINER(h, struct io_lines, handle));
}

/* An epoll descriptor that is readable when fd is; *watch_out is -1 for a plain file. */
static int watch_open(int fd, int *watch_out)
{
	struct epoll_event e = {.events = EPOLLIN};
	int watch = epoll_create1(EPOLL_CLOEXEC);
	int rc = 0;

	if (watch < 0)
		return io_error(errno);
	if (epoll_ctl(watch, EPOLL_CTL_ADD, fd, &e)) {
		/* EPERM is how epoll says: a file, always readable. */
		rc = errno == EPERM ? 0 : io_error(errno);
		(void)close(watch);
		watch = -1;
	}
	*watch_out = watch;
	return rc;
}

int io_lines_open(struct io_loop *loop, int fd, size_t max_line,
		  const struct io_lines_events *events, void *ctx, struct io_lines **out)
{
	struct io_lines *l;
	int rc;

	if (loop->closing)
		return E_STATE;
	l = calloc(1, sizeof(*l));
	if (!l)
		return E_NOMEM;
	rc = watch_open(fd, &l->watch_fd);
	if (!rc && l->watch_fd >= 0) {
		rc = io_error(uv_poll_init(loop->uv, &l->poll, l->watch_fd));
		if (rc)
			(void)close(l->watch_fd);
	}
	if (rc) {
		free(l);
		return rc;
	}
	(void)uv_idle_init(loop->uv, &l->idle);
	l->idle.data = l->poll.data = l;
	l->n_open = l->watch_fd >= 0 ? 2 : 1;
	loop->n_uv += l->n_open;
	l->loop = loop;
	l->fd = fd;
	l->max = max_line;
	l->events = events;
	l->ctx = ctx;
	buf_init(&l->line, max_line + 1);
	l->handle.close = close_handle;
	list_add_tail(&loop->handles, &l->handle.link);
	schedule(l);
	*out = l;
	return 0;
}

void io_lines_pause(struct io_lines *l)
{
	l->paused = true;
	schedule(l);
}

void io_lines_resume(struct io_lines *l)
{
	l->paused = false;
	schedule(l);
}
