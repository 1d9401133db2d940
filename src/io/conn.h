/* What a listener needs of a connection, for the files of this room. */
#ifndef CONFAB_IO_CONN_H
#define CONFAB_IO_CONN_H

#include "io/tcp.h"

/* Makes a connection of an accepted descriptor, which it owns from success on. gone is called when
 * it is freed. 0 (not announced yet, no events attached), or E_NOMEM, E_LIMIT, E_IO. */
int io_conn_adopt(struct io_loop *loop, int fd, const struct addr *remote, size_t queue_max,
		  void (*gone)(void *ctx), void *gone_ctx, struct io_conn **conn_out);
/* Has an owner taken it? */
bool io_conn_attached(const struct io_conn *c);

#endif
