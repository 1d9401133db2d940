#include "io/address_watch.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

struct io_address_watch {
	struct io_handle handle;
	uv_poll_t uv;
	struct io_loop *loop;
	int fd;
	void (*changed)(void *ctx);
	void *ctx;
	bool closed;
};

/* Which change it was does not matter, nor whether the kernel had to drop some (ENOBUFS): what
 * holds now is looked up. */
static void on_readable(uv_poll_t *uv, int status, int events)
{
	struct io_address_watch *w = uv->data;
	char some[8192];

	(void)status;
	(void)events;
	if (w->closed)
		return;
	while (recv(w->fd, some, sizeof(some), MSG_DONTWAIT) > 0 || errno == EINTR ||
	       errno == ENOBUFS)
		errno = 0;
	w->changed(w->ctx);
}

static void on_closed(uv_handle_t *h)
{
	struct io_address_watch *w = h->data;

	w->loop->n_uv--;
	(void)close(w->fd);
	free(w);
}

void io_address_watch_close(struct io_address_watch *w)
{
	if (!w || w->closed)
		return;
	w->closed = true;
	list_del(&w->handle.link);
	uv_close((uv_handle_t *)&w->uv, on_closed);
}

static void close_handle(struct io_handle *h)
{
	io_address_watch_close(CONTAINER(h, struct io_address_watch, handle));
}

static int open_socket(int *fd_out)
{
	struct sockaddr_nl all = {.nl_family = AF_NETLINK,
				  .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
					       RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE), rc;

	if (fd < 0)
		return io_error(errno);
	if (bind(fd, (struct sockaddr *)&all, sizeof(all)) == 0) {
		*fd_out = fd;
		return 0;
	}
	rc = io_error(errno);
	(void)close(fd);
	return rc;
}

int io_address_watch_open(struct io_loop *loop, void (*changed)(void *ctx), void *ctx,
			  struct io_address_watch **out)
{
	struct io_address_watch *w;
	int rc;

	if (loop->closing)
		return E_STATE;
	w = calloc(1, sizeof(*w));
	if (!w)
		return E_NOMEM;
	rc = open_socket(&w->fd);
	if (rc == 0) {
		rc = uv_poll_init(loop->uv, &w->uv, w->fd);
		if (rc) {
			(void)close(w->fd);
			rc = io_error(rc);
		}
	}
	if (rc) {
		free(w);
		return rc;
	}
	w->uv.data = w;
	w->loop = loop;
	w->changed = changed;
	w->ctx = ctx;
	w->handle.close = close_handle;
	list_add_tail(&loop->handles, &w->handle.link);
	loop->n_uv++;
	uv_unref((uv_handle_t *)&w->uv);
	(void)uv_poll_start(&w->uv, UV_READABLE, on_readable);
	*out = w;
	return 0;
}
