/*
 * How many lines of one kind go to a log: of what a stranger can cause, so many a second, and then
 * how many more there were. For lines that say the same over and over; the time is handed in.
 */
#ifndef CONFAB_BASE_LOG_QUOTA_H
#define CONFAB_BASE_LOG_QUOTA_H

#include "base/log.h"

enum { LOG_QUOTA_LINES = 10, LOG_QUOTA_MS = 1000 };

struct log_kind {
	enum log_level level;
	const char *room, *what; /* what: plural, "broken messages" */
};

/* Of one kind; starts zeroed. */
struct log_quota {
	uint64_t since_ms, held;
	unsigned lines;
};

/* Whether one more line of that kind is to be written. Before the first one after some were not,
 * writes how many. Nothing is counted where the log does not take that level (or is NULL). */
bool log_quota_take(struct log_quota *q, const struct log *log, const struct log_kind *kind,
		    uint64_t now_ms);
/* Writes how many were not written since it was said last, where there were any: at the end. */
void log_quota_tell(struct log_quota *q, const struct log *log, const struct log_kind *kind);

#endif
