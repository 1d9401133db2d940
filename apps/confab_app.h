/* The program confab: what its files share. One struct app lives in main(). */
#ifndef CONFAB_APP_H
#define CONFAB_APP_H

#include "admin/trace.h"
#include "base/buf.h"
#include "confab/confab.h"
#include "io/lines.h"
#include "io/log.h"

#include <jansson.h>

enum { APP_URIS_MAX = 1000 };

struct app;

/* How the program speaks with whoever uses it. */
struct app_face {
	void (*ready)(struct app *a);
	void (*event)(struct app *a, const struct confab_event *ev);
	void (*line)(struct app *a, struct view line, bool cut);
	/* The input is over. */
	void (*end)(struct app *a);
	/* The program ends: the face forgets what it keeps. May be NULL. */
	void (*over)(struct app *a);
};

struct app {
	struct confab *confab;
	struct io_loop io;
	struct io_lines *lines;
	const struct app_face *face;
	char *user;   /* own address */
	char *domain; /* of it */
	bool wait;    /* stay when the input is over */
	bool quitting;
	bool input_over;
	bool told_registered;
	bool output_broken;
	struct trace *trace;
	struct io_log log;
	uint32_t current; /* line mode: where text goes; 0: nowhere */
	struct list chats;
	struct io_deadline linger;
	const char *rejoin; /* a conference to come back to once we are registered; NULL: none */
	char **call; /* chat with these at once */
	size_t n_call;
};

extern const struct app_face app_json, app_person;

/* Ends in good order; a second call ends at once. */
void app_quit(struct app *a);
/* A line of output that could not be written ends the program. */
void app_write(struct app *a, struct view bytes);

/* --- confab_text.c --- */
/* "bo" -> "sip:bo@example.com", "bo@example.net" -> "sip:bo@example.net"; what has a scheme stays.
 * To free; NULL when memory ran out or the word is no address. */
char *text_address(const char *domain, struct view word);
/* A URI as a person reads it: "Bo" for one of the own domain, else "bo@example.net". */
void text_name(struct buf *out, const char *domain, const char *uri);
/* What a peer wrote, so that it can only be text on a terminal: control characters, what turns the
 * writing direction around, and bytes that are no UTF-8 come out as U+FFFD; further lines are
 * indented. */
void text_clean(struct buf *out, struct view text);
/* Is it UTF-8 (RFC 3629)? */
bool text_is_utf8(struct view text);

#endif
