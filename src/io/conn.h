/* What a listener needs of a connection, for the files of this room. */
#ifndef CONFAB_IO_CONN_H
#define CONFAB_IO_CONN_H

#include "io/tcp.h"

/* What the listener is told of a connection of its own. */
struct io_conn_listener {
	void (*gone)(void *ctx); /* it is freed */
	/* It can be announced: with TLS after the handshake, without before io_conn_adopt returns.
	 */
	void (*ready)(void *ctx, struct io_conn *c);
	void *ctx;
};

/* Makes a connection of an accepted descriptor, which it owns from success on. 0, or E_NOMEM,
 * E_LIMIT, E_IO. */
int io_conn_adopt(struct io_loop *loop, int fd, const struct addr *remote,
		  const struct io_listener_options *options,
		  const struct io_conn_listener *listener);
/* What loop->tls_told counts. */
extern const struct log_kind io_failed_handshakes;
/* Has an owner taken it? */
bool io_conn_attached(const struct io_conn *c);

#endif
