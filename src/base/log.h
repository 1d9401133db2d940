/* Log lines go to a sink that is handed in; the pure rooms never write anywhere. */
#ifndef CONFAB_BASE_LOG_H
#define CONFAB_BASE_LOG_H

#include "base/view.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
	enum log_level level; /* lines above this level are dropped before formatting */
	/* text: one line without an end-of-line, control bytes already escaped. */
	void (*write)(void *ctx, enum log_level level, const char *room, const char *text);
	void *ctx;
};

/* log may be NULL: nothing is written. Bytes outside printable ASCII and UTF-8 letters come out
 * as \xNN, so that a peer cannot forge a line. */
void log_line(const struct log *log, enum log_level level, const char *room, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
