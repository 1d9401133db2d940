#include "stream.h"

#include "wire.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

enum { HANDSHAKE_MS = 10000 };

static void need(bool good, const char *what)
{
	if (good)
		return;
	ERR_print_errors_fp(stderr);
	die("%s", what);
}

static SSL_CTX *context(void)
{
	static SSL_CTX *ctx;

	if (ctx)
		return ctx;
	ctx = SSL_CTX_new(TLS_client_method());
	need(ctx != NULL, "TLS");
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

void stream_secure(struct stream *s)
{
	int rc;

	s->tls = SSL_new(context());
	need(s->tls && SSL_set_fd(s->tls, s->fd), "TLS");
	while ((rc = SSL_connect(s->tls)) != 1) {
		int why = SSL_get_error(s->tls, rc);
		struct pollfd p = {.fd = s->fd,
				   .events = why == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN};

		need(why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE, "a handshake");
		need(poll(&p, 1, HANDSHAKE_MS) > 0, "a handshake takes too long");
	}
}

static ssize_t tls_result(struct stream *s, int rc)
{
	int why = SSL_get_error(s->tls, rc);

	if (rc > 0)
		return rc;
	if (why == SSL_ERROR_ZERO_RETURN)
		return 0;
	need(why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE, "TLS");
	return -1;
}

ssize_t stream_send(struct stream *s, const void *p, size_t n)
{
	ssize_t sent;

	if (s->tls)
		return tls_result(s, SSL_write(s->tls, p, (int)n));
	sent = send(s->fd, p, n, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		die("send");
	return sent;
}

ssize_t stream_recv(struct stream *s, void *p, size_t n)
{
	if (s->tls)
		return tls_result(s, SSL_read(s->tls, p, (int)n));
	return recv(s->fd, p, n, 0);
}
