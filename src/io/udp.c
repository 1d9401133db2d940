#include "io/udp.h"

#include "base/error.h"
#include "io/aside.h"
#include "io/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	DATAGRAM_MAX = 64 * 1024,	 /* the stride libuv cuts a batch buffer into */
	BATCH_MAX = 20,			 /* datagrams libuv takes per recvmmsg */
	KERNEL_BUFFER = 8 * 1024 * 1024, /* asked for; the kernel gives what it may */
};

struct io_udp {
	struct io_handle handle;
	uv_udp_t uv;
	struct io_loop *loop;
	struct io_aside *aside; /* made when it is first needed */
	io_udp_receive_fn *receive;
	void *ctx;
	uint8_t family;
	bool closed;
};

/* A datagram that waits for the kernel. */
struct waiting {
	uv_udp_send_t req;
	char bytes[];
};

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct io_udp *udp = h->data;
	struct io_loop *loop = udp->loop;

	(void)suggested;
	if (!loop->datagram_buffer)
		loop->datagram_buffer = malloc((size_t)DATAGRAM_MAX * BATCH_MAX);
	/* Without a buffer libuv reports ENOBUFS, and the datagram waits in the kernel. */
	*buf = uv_buf_init(loop->datagram_buffer,
			   loop->datagram_buffer ? DATAGRAM_MAX * BATCH_MAX : 0);
}

static void on_receive(uv_udp_t *uv, ssize_t n, const uv_buf_t *buf, const struct sockaddr *s,
		       unsigned flags)
{
	struct io_udp *udp = uv->data;
	struct addr from;

	/* No address: nothing more to read, or an error of an earlier datagram (ICMP). */
	if (!s || n < 0 || (flags & UV_UDP_PARTIAL))
		return;
	io_addr_from_sockaddr(s, &from);
	udp->receive(udp->ctx, udp, view_of(buf->base, (size_t)n), &from);
}

static void on_closed(uv_handle_t *h)
{
	struct io_udp *udp = h->data;

	udp->loop->n_uv--;
	free(udp);
}

void io_udp_close(struct io_udp *udp)
{
	if (!udp || udp->closed)
		return;
	udp->closed = true;
	list_del(&udp->handle.link);
	io_aside_free(udp->aside);
	udp->aside = NULL;
	/* Stopped first: libuv would go on with the rest of a batch. */
	(void)uv_udp_recv_stop(&udp->uv);
	uv_close((uv_handle_t *)&udp->uv, on_closed);
}

static void close_handle(struct io_handle *h)
{
	io_udp_close(CONTAINER(h, struct io_udp, handle));
}

static void enlarge(int fd)
{
	/* The FORCE kinds pass the system's cap and need a privilege. */
	io_socket_option(fd, SOL_SOCKET, SO_RCVBUF, KERNEL_BUFFER);
	io_socket_option(fd, SOL_SOCKET, SO_SNDBUF, KERNEL_BUFFER);
	io_socket_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, KERNEL_BUFFER);
	io_socket_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, KERNEL_BUFFER);
}

int io_udp_open(struct io_loop *loop, const struct addr *local, io_udp_receive_fn *receive,
		void *ctx, struct io_udp **udp_out)
{
	struct io_udp *udp;
	int fd, rc;

	if (loop->closing)
		return E_STATE;
	fd = io_socket(local, SOCK_DGRAM);
	if (fd < 0)
		return fd;
	rc = io_socket_bind(fd, local);
	udp = rc ? NULL : calloc(1, sizeof(*udp));
	if (!udp) {
		(void)close(fd);
		return rc ? rc : E_NOMEM;
	}
	enlarge(fd);
	udp->loop = loop;
	udp->receive = receive;
	udp->ctx = ctx;
	udp->family = local->family;
	udp->handle.close = close_handle;
	list_add_tail(&loop->handles, &udp->handle.link);
	loop->n_uv++;
	(void)uv_udp_init_ex(loop->uv, &udp->uv, AF_UNSPEC | UV_UDP_RECVMMSG);
	udp->uv.data = udp;
	rc = uv_udp_open(&udp->uv, fd);
	if (rc)
		(void)close(fd);
	else if (receive)
		rc = uv_udp_recv_start(&udp->uv, on_alloc, on_receive);
	if (rc) {
		io_udp_close(udp);
		return io_error(rc);
	}
	*udp_out = udp;
	return 0;
}

static void on_sent(uv_udp_send_t *req, int status)
{
	(void)status;
	free(req->data);
}

static int enqueue(struct io_udp *udp, const struct sockaddr *to, struct view bytes)
{
	struct waiting *w;
	uv_buf_t buf;
	int rc;

	if (uv_udp_get_send_queue_size(&udp->uv) + bytes.n > IO_UDP_QUEUE_MAX)
		return E_LIMIT;
	w = malloc(sizeof(*w) + bytes.n);
	if (!w)
		return E_NOMEM;
	if (bytes.n)
		memcpy(w->bytes, bytes.p, bytes.n);
	w->req.data = w;
	buf = uv_buf_init(w->bytes, (unsigned)bytes.n);
	rc = uv_udp_send(&w->req, &udp->uv, &buf, 1, to, on_sent);
	if (rc) {
		free(w);
		return io_error(rc);
	}
	return 0;
}

int io_udp_send(struct io_udp *udp, const struct addr *to, struct view bytes)
{
	struct sockaddr_storage s;
	socklen_t len;
	uv_buf_t buf;
	int rc;

	if (udp->closed)
		return E_STATE;
	if (to->family != udp->family || to->port == 0 || io_addr_to_sockaddr(to, &s, &len))
		return E_ADDRESS;
	if (bytes.n > DATAGRAM_MAX)
		return E_LIMIT;
	buf = uv_buf_init((char *)(uintptr_t)bytes.p, (unsigned)bytes.n);
	rc = uv_udp_try_send(&udp->uv, &buf, 1, (struct sockaddr *)&s);
	if (rc >= 0)
		return 0;
	if (rc == UV_EAGAIN)
		return enqueue(udp, (struct sockaddr *)&s, bytes);
	return io_error(rc);
}

int io_udp_send_aside(struct io_udp *udp, const struct addr *to, struct view bytes)
{
	struct sockaddr_storage s;
	socklen_t len;
	uv_os_fd_t fd;

	if (!udp->closed && !udp->aside && uv_fileno((uv_handle_t *)&udp->uv, &fd) == 0)
		(void)io_aside_new(fd, &udp->aside);
	if (!udp->aside)
		return io_udp_send(udp, to, bytes);
	if (to->family != udp->family || to->port == 0 || io_addr_to_sockaddr(to, &s, &len))
		return E_ADDRESS;
	return io_aside_send(udp->aside, (struct sockaddr *)&s, len, bytes);
}

void io_udp_local(const struct io_udp *udp, struct addr *out)
{
	uv_os_fd_t fd = -1;

	(void)uv_fileno((const uv_handle_t *)&udp->uv, &fd);
	io_socket_local(fd, out);
}

int io_udp_source_for(const struct addr *to, struct addr *out)
{
	struct sockaddr_storage s;
	struct addr found;
	socklen_t len;
	int rc, fd;

	rc = io_addr_to_sockaddr(to, &s, &len);
	if (rc)
		return rc;
	fd = io_socket(to, SOCK_DGRAM);
	if (fd < 0)
		return fd;
	/* Connecting a UDP socket only looks the route up. */
	if (connect(fd, (struct sockaddr *)&s, len)) {
		(void)close(fd);
		return E_ADDRESS;
	}
	io_socket_local(fd, &found);
	(void)close(fd);
	if (!found.family)
		return E_ADDRESS;
	found.port = 0;
	*out = found;
	return 0;
}
