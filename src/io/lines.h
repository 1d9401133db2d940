/* Lines from a terminal, pipe, socket or file, through the loop. */
#ifndef CONFAB_IO_LINES_H
#define CONFAB_IO_LINES_H

#include "io/loop.h"

struct io_lines;

struct io_lines_events {
	/* One line without its end (LF or CR LF); valid during the call. cut: the line was longer
	 * than the cap, and this is its beginning; its rest is thrown away. */
	void (*line)(void *ctx, struct view line, bool cut);
	/* No more input (a last line without an end has been given to line before). Comes once,
	 * never after io_lines_close. error: 0, or E_IO. */
	void (*end)(void *ctx, int error);
};

/* Reads lines of up to max_line bytes from fd, which stays the caller's, and whose flags are left
 * as they are (standard input may be shared with other programs). events must stay valid (static).
 * Open lines that have not ended keep io_run going. E_NOMEM, E_IO (no such descriptor), E_LIMIT. */
int io_lines_open(struct io_loop *loop, int fd, size_t max_line,
		  const struct io_lines_events *events, void *ctx, struct io_lines **out);
/* Stops and starts the callbacks, so that a writer of many lines is held back. */
void io_lines_pause(struct io_lines *l);
void io_lines_resume(struct io_lines *l);
/* No callback comes afterwards. To be called after end too. NULL is accepted. */
void io_lines_close(struct io_lines *l);

#endif
