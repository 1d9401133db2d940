/*
 * A thread that sends datagrams which nobody waits for, so that the thread of the loop has its time
 * for others: what the kernel does to send one costs more than to refuse a request does. It gathers
 * them for a few milliseconds; what it does not get rid of in time is dropped.
 */
#ifndef CONFAB_IO_ASIDE_H
#define CONFAB_IO_ASIDE_H

#include "base/view.h"
#include "io/loop.h"

#include <sys/socket.h>

struct io_aside;

/* For a socket that stays open until io_aside_free. E_NOMEM, E_LIMIT (no thread). */
int io_aside_new(int fd, struct io_aside **out);
/* Waits for the thread; what it has not sent is dropped. NULL is accepted. */
void io_aside_free(struct io_aside *a);
/* bytes are copied. E_LIMIT: there is too much already; dropped. Any thread. */
int io_aside_send(struct io_aside *a, const struct sockaddr *to, socklen_t to_n, struct view bytes);

#endif
