/* confab for a person: confab_person.c tells what happens, confab_person_words.c does what is typed. */
#ifndef CONFAB_PERSON_H
#define CONFAB_PERSON_H

#include "confab_app.h"

enum { TEXT_KEPT = 80 };

/* A message that is not confirmed yet, so that a failure can say which. */
struct said {
	struct list link;
	char id[CONFAB_ID_SIZE];
	char text[TEXT_KEPT];
};

struct chat {
	struct list link;
	uint32_t id;
	bool invited; /* waits for /accept or /decline */
	bool open, conference;
	char *peer;
	struct list said;
	struct list told; /* confirmed, and kept a while for who gets and sees them */
	unsigned n_said, n_told;
};

/* A line to the person; what comes from others in it cannot move the cursor. */
void person_say(struct app *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The name of a URI, in one of four buffers used by turns. */
const char *person_name_of(const struct app *a, const char *uri);
/* What a line of this chat begins with, where there are several. */
const char *person_mark(const struct app *a, uint32_t id);
/* NULL: none; no memory. */
struct chat *person_chat_find(const struct app *a, uint32_t id);
struct chat *person_chat_new(struct app *a, uint32_t id, const char *peer);
void person_said_free(struct chat *chat, struct said *s);

/* command: what to say failed, if it does. */
void person_call(struct app *a, const char *const *uri, size_t n, struct view command);
/* To the current chat. to: one of a conference alone; NULL: all of the chat. */
void person_send(struct app *a, const char *to, struct view text);
/* A line that begins with a slash. */
void person_command(struct app *a, struct view line);

#endif
