/* Says when this machine's addresses or routes have changed (rtnetlink), as when a phone goes from
 * one network to another. What they are now is asked of io_udp_source_for. */
#ifndef CONFAB_IO_ADDRESS_WATCH_H
#define CONFAB_IO_ADDRESS_WATCH_H

#include "io/loop.h"

struct io_address_watch;

/* changed is called from the loop, once for several changes that come together; it may close the
 * watch. Does not keep io_run going. The watch lives until io_address_watch_close or io_loop_fini.
 * 0, E_NOMEM, E_LIMIT (descriptors), E_IO, E_STATE (the loop is closing). */
int io_address_watch_open(struct io_loop *loop, void (*changed)(void *ctx), void *ctx,
			  struct io_address_watch **out);
/* NULL is accepted. No callback comes afterwards. */
void io_address_watch_close(struct io_address_watch *w);

#endif
