/* Signals, as callbacks of a loop. */
#ifndef CONFAB_IO_SIGNAL_H
#define CONFAB_IO_SIGNAL_H

#include "io/loop.h"

struct io_signals;

/* signo: SIGINT, SIGTERM or SIGHUP. */
typedef void io_signal_fn(void *ctx, int signo);

/* Calls fn from the loop for each SIGINT, SIGTERM and SIGHUP (several of a kind may come as one).
 * Does not keep io_run going. SIGPIPE and SIGXFSZ are ignored from then on. E_NOMEM, E_IO. */
int io_signals_open(struct io_loop *loop, io_signal_fn *fn, void *ctx, struct io_signals **out);
/* The default actions hold again. NULL is accepted. */
void io_signals_close(struct io_signals *s);
/* SIGPIPE and SIGXFSZ are ignored from then on: the write says what is wrong. Any thread. */
void io_signals_ignore_failed_writes(void);

#endif
