/* TLS of a connection: how it is brought up or refused, and what is known of the peer by it. */
#include "base/error.h"
#include "io/conn_private.h"
#include "io/tls_session.h"

#include <errno.h>
#include <sys/socket.h>

enum { REFUSE_MS = 1000 /* for the peer to read why TLS failed */ };

const struct log_kind io_failed_handshakes = {LOG_WARN, "io", "TLS connections that failed"};

/* Of connections that were accepted: strangers can have this said at will. */
static bool tells_failure(struct io_conn *c)
{
	return !c->listener.ready || log_quota_take(&c->loop->tls_told, c->loop->log,
						    &io_failed_handshakes, io_now_ms(c->loop));
}

/* The alert has to reach the peer: closing while there is something to read would overtake it by a
 * reset. */
static void refuse(struct io_conn *c, const char *why)
{
	char text[ADDR_TEXT_MAX];

	if (why) {
		io_tls_session_set_why(c->tls, why);
		io_tls_session_refuse(c->tls);
	}
	if (tells_failure(c))
		log_line(c->loop->log, LOG_WARN, "io", "TLS with %s failed: %s",
			 addr_text(&c->remote, text), io_tls_session_why(c->tls));
	io_conn_queue_clear(c);
	c->state = CONN_REFUSED;
	c->error = E_DENIED;
	io_loop_arm(c->loop, &c->timer, io_now_ms(c->loop) + REFUSE_MS);
	if (!io_conn_owes(c))
		(void)shutdown(c->fd, SHUT_WR);
	io_conn_watch(c);
}

void io_conn_handshake(struct io_conn *c)
{
	const char *why = NULL;
	struct io_tls_names names;
	int rc;

	if (io_conn_owes(c) && io_tls_session_flush(c->tls) && errno != EAGAIN) {
		io_conn_end_errno(c, errno);
		return;
	}
	rc = io_tls_session_handshake(c->tls);
	if (rc == E_DENIED) {
		refuse(c, NULL);
		return;
	}
	if (rc == E_CLOSED) {
		io_conn_end(c, E_CLOSED);
		return;
	}
	if (rc) {
		io_conn_watch(c);
		return;
	}
	if (c->identify) {
		io_tls_session_names(c->tls, &names);
		why = c->identify(c->ctx, c, names.name, names.n);
		io_tls_names_free(&names);
	}
	if (c->state != CONN_HANDSHAKE)
		return;
	if (why)
		refuse(c, why);
	else
		io_conn_go_up(c);
}

void io_conn_refused(struct io_conn *c)
{
	char waste[4096];
	ssize_t n;

	if (io_conn_owes(c) && io_tls_session_flush(c->tls) == 0)
		(void)shutdown(c->fd, SHUT_WR);
	n = recv(c->fd, waste, sizeof(waste), 0);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		io_conn_end(c, E_DENIED);
	else
		io_conn_watch(c);
}

bool io_conn_is_tls(const struct io_conn *c)
{
	return c->tls != NULL;
}

const char *io_conn_tls_why(const struct io_conn *c)
{
	return c->tls ? io_tls_session_why(c->tls) : "";
}

bool io_conn_tls_matches(const struct io_conn *c, struct view fingerprint)
{
	return c->tls && io_tls_session_matches(c->tls, fingerprint);
}

bool io_conn_tls_believed(const struct io_conn *c)
{
	return c->tls && io_tls_session_believed(c->tls);
}

void io_conn_tls_names(const struct io_conn *c,
		       void (*fn)(void *ctx, const struct cert_name *name, size_t n), void *ctx)
{
	struct io_tls_names names = {.n = 0};

	if (c->tls)
		io_tls_session_names(c->tls, &names);
	fn(ctx, names.name, names.n);
	io_tls_names_free(&names);
}

bool io_conn_tls_sha256(const struct io_conn *c, uint8_t out[IO_TLS_SHA256])
{
	return c->tls && io_tls_session_sha256(c->tls, out);
}
