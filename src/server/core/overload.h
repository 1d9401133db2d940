/*
 * How many new sessions are taken when there is more to do than time (RFC 6357 §5: the server
 * protects itself by a loss-based feedback loop). Pure: it is told how busy the thread was, and
 * says of each new session whether it is taken. What goes on already is never asked about.
 */
#ifndef CONFAB_SERVER_CORE_OVERLOAD_H
#define CONFAB_SERVER_CORE_OVERLOAD_H

#include <stdbool.h>
#include <stdint.h>

enum {
	OVERLOAD_ALL = 1000,	    /* of the new sessions */
	OVERLOAD_WINDOW_MS = 100,   /* how often it wants to be told */
	OVERLOAD_PATIENCE_MS = 500, /* a burst shorter than this is worked off, not refused */
	OVERLOAD_RETRY_AFTER_S = 5,
};

struct overload {
	unsigned limit; /* thousandths of the time; 1000 or more: nothing is ever refused */
	unsigned shed;	/* thousandths of the new sessions that are refused */
	/* What the last decisions have left over, so that the share is exact. */
	unsigned debt, debt_known;
	uint64_t busy_for_ms;
	uint64_t refused; /* all in all */
};

/* limit_percent: how busy the thread may be for long. */
void overload_init(struct overload *o, unsigned limit_percent);
/* Of the last span_ms the thread was idle for idle_ms. True when it begins to refuse with this. */
bool overload_window(struct overload *o, uint64_t idle_ms, uint64_t span_ms);
/* Whether one more session is taken. known: it was challenged already, and comes again with an
 * answer: to refuse it then would throw that work away. */
bool overload_admit(struct overload *o, bool known);

#endif
