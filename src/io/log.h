/* The log sink of the programs: timestamped lines to stderr or to a file. */
#ifndef CONFAB_IO_LOG_H
#define CONFAB_IO_LOG_H

#include "base/log.h"

#include <stdatomic.h>

struct io_log {
	struct log log; /* hand out &l.log */
	int fd;
	bool owned;
	atomic_bool cut; /* the last line was not written to its end */
	char *path;
};

/* Lines look like "2026-03-01T12:00:00.123Z info  sip: text" (UTC), each written by one write(2)
 * with O_APPEND, so lines of several threads and processes never mix; l->log may be used on any
 * thread. path: the file (made with mode 0640 where missing), or NULL for stderr. A line that
 * cannot be written is lost without a word; one that a full disk cuts is ended by the next. 0,
 * E_NOMEM, E_DENIED, E_IO. */
int io_log_open(struct io_log *l, const char *path, enum log_level level);
/* After the file was renamed (log rotation): opens path anew. On failure the old one stays in use.
 * Any thread, while others write. 0 (also for stderr), E_DENIED, E_IO. */
int io_log_reopen(struct io_log *l);
/* No thread may be using the log any more. */
void io_log_close(struct io_log *l);

/* "error", "warn", "info" or "debug" to a level: E_SYNTAX for anything else. */
int io_log_level_parse(struct view text, enum log_level *out);

#endif
