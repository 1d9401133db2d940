/* What a person types: text, and commands that begin with a slash. */
#include "confab_person.h"

#include <stdlib.h>

enum { WORDS_MAX = 64, SENT_KEPT = 1000 };

struct words {
	struct view word[WORDS_MAX];
	size_t n;
};

/* NULL (and told) when a word is no address; to free with uris_free. */
static char **uris_of(struct app *a, const struct words *w, size_t *n_out)
{
	size_t n = 0;
	char **uri;

	if (w->n < 2) {
		person_say(a, "! whom? %.*s NAME…", VIEW_ARG(w->word[0]));
		return NULL;
	}
	uri = calloc(w->n, sizeof(*uri));
	for (size_t i = 1; uri && i < w->n; i++, n++) {
		uri[n] = text_address(a->domain, w->word[i]);
		if (uri[n])
			continue;
		person_say(a, "! not an address: %.*s", VIEW_ARG(w->word[i]));
		while (n)
			free(uri[--n]);
		free(uri);
		return NULL;
	}
	*n_out = n;
	return uri;
}

static void uris_free(char **uri, size_t n)
{
	while (n)
		free(uri[--n]);
	free(uri);
}

static void told(struct app *a, struct view command, int rc)
{
	if (rc)
		person_say(a, "! %.*s: %s", VIEW_ARG(command), confab_error_text(rc));
}

static void outcome(struct app *a, const struct words *w, int rc)
{
	told(a, w->word[0], rc);
}

void person_call(struct app *a, const char *const *uri, size_t n, struct view command)
{
	uint32_t id;
	int rc = confab_call(a->confab, uri, n, &id);

	told(a, command, rc);
	if (rc)
		return;
	if (!person_chat_find(a, id))
		(void)person_chat_new(a, id, uri[0]);
	a->current = id;
	for (size_t i = 0; i < n; i++)
		person_say(a, "%s* asking %s", person_mark(a, id), person_name_of(a, uri[i]));
}

static void do_chat(struct app *a, const struct words *w)
{
	size_t n = 0;
	char **uri = uris_of(a, w, &n);

	if (!uri)
		return;
	person_call(a, (const char *const *)uri, n, w->word[0]);
	uris_free(uri, n);
}

static bool have_chat(struct app *a)
{
	if (!a->current)
		person_say(a, "! there is no chat: /chat NAME begins one");
	return a->current != 0;
}

static void do_add(struct app *a, const struct words *w)
{
	size_t n = 0;
	char **uri;

	if (!have_chat(a))
		return;
	uri = uris_of(a, w, &n);
	if (!uri)
		return;
	outcome(a, w, confab_add(a->confab, a->current, (const char *const *)uri, n));
	uris_free(uri, n);
}

static void do_kick(struct app *a, const struct words *w)
{
	size_t n = 0;
	char **uri = have_chat(a) ? uris_of(a, w, &n) : NULL;

	if (!uri)
		return;
	outcome(a, w, confab_kick(a->confab, a->current, (const char *const *)uri, n));
	uris_free(uri, n);
}

static void do_who(struct app *a, const struct words *w)
{
	if (have_chat(a))
		outcome(a, w, confab_who(a->confab, a->current));
}

static void do_leave(struct app *a, const struct words *w)
{
	bool anonymous = w->n > 1 && view_eq(w->word[1], VIEW("anonymously"));

	if (w->n > 1 && !anonymous)
		person_say(a, "! /leave, or /leave anonymously");
	else if (have_chat(a))
		outcome(a, w, confab_leave(a->confab, a->current, anonymous));
}

/* The chat that is meant: the one named by number, else the oldest that waits for an answer. */
static struct chat *invitation(struct app *a, const struct words *w)
{
	uint32_t id = 0;

	if (w->n > 1 && view_to_u32(w->word[1], &id)) {
		person_say(a, "! %.*s N", VIEW_ARG(w->word[0]));
		return NULL;
	}
	LIST_EACH(l, next, &a->chats)
	{
		struct chat *chat = CONTAINER(l, struct chat, link);

		if (chat->invited && (!id || chat->id == id))
			return chat;
	}
	person_say(a, "! nobody has asked");
	return NULL;
}

static void do_accept(struct app *a, const struct words *w)
{
	struct chat *chat = invitation(a, w);
	int rc;

	if (!chat)
		return;
	rc = confab_accept(a->confab, chat->id);
	outcome(a, w, rc);
	if (rc)
		return;
	chat->invited = false;
	a->current = chat->id;
}

static void do_decline(struct app *a, const struct words *w)
{
	struct chat *chat = invitation(a, w);

	if (chat)
		outcome(a, w, confab_decline(a->confab, chat->id, 603));
}

static void list_chats(struct app *a)
{
	LIST_EACH(l, next, &a->chats)
	{
		struct chat *chat = CONTAINER(l, struct chat, link);

		person_say(a, "%s[%u] %s%s%s", chat->id == a->current ? "->" : "  ", chat->id,
			   chat->conference ? "conference with " : "",
			   person_name_of(a, chat->peer),
			   chat->invited ? " (asks: /accept or /decline)" : "");
	}
	if (list_empty(&a->chats))
		person_say(a, "* no chats");
}

static void do_to(struct app *a, const struct words *w)
{
	struct chat *chat;
	uint32_t id;

	if (w->n < 2) {
		list_chats(a);
		return;
	}
	chat = view_to_u32(w->word[1], &id) ? NULL : person_chat_find(a, id);
	if (!chat) {
		person_say(a, "! there is no chat of that number");
		list_chats(a);
		return;
	}
	a->current = id;
	person_say(a, "* you write to %s",
		   chat->conference ? "the conference" : person_name_of(a, chat->peer));
}

/* "NAME text" taken apart; the address is to free, NULL (and told) where it is none. */
static char *addressed(struct app *a, struct view *rest, const char *usage)
{
	struct view name = view_cut(rest, ' ');
	char *uri = name.n ? text_address(a->domain, name) : NULL;

	*rest = view_trim(*rest);
	if (!name.n || !rest->n)
		person_say(a, "! %s", usage);
	else if (!uri)
		person_say(a, "! not an address: %.*s", VIEW_ARG(name));
	else
		return uri;
	free(uri);
	return NULL;
}

static void do_page(struct app *a, struct view rest)
{
	char *uri = addressed(a, &rest, "/page NAME text");
	int rc = uri ? confab_page(a->confab, uri, rest.p, rest.n, NULL) : 0;

	if (rc)
		person_say(a, "! not sent: %s", confab_error_text(rc));
	free(uri);
}

static void do_nick(struct app *a, struct view rest)
{
	char *name = view_dup(rest);
	int rc;

	if (name && have_chat(a)) {
		rc = confab_nick(a->confab, a->current, name);
		if (rc)
			person_say(a, "! /nick: %s", confab_error_text(rc));
	}
	free(name);
}

void person_send(struct app *a, const char *to, struct view text)
{
	struct chat *chat = person_chat_find(a, a->current);
	struct said *s;
	int rc;

	if (!have_chat(a) || !chat)
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	rc = to ? confab_send_to(a->confab, chat->id, to, text.p, text.n, s->id)
		: confab_send(a->confab, chat->id, text.p, text.n, s->id);
	if (rc) {
		person_say(a, "! not sent: %s", confab_error_text(rc));
		free(s);
		return;
	}
	(void)view_copy(text, s->text, sizeof(s->text));
	if (chat->n_said == SENT_KEPT)
		person_said_free(chat, CONTAINER(chat->said.next, struct said, link));
	list_add_tail(&chat->said, &s->link);
	chat->n_said++;
}

static void do_msg(struct app *a, struct view rest)
{
	char *uri = addressed(a, &rest, "/msg NAME text");

	if (uri)
		person_send(a, uri, rest);
	free(uri);
}

static void do_help(struct app *a, const struct words *w)
{
	(void)w;
	person_say(
		a,
		"* what you type goes to the chat. NAME: bo, bo@example.net or sip:bo@example.net");
	person_say(
		a,
		"* /chat NAME… begins a chat (with several: a conference); /add NAME… adds people");
	person_say(a, "* /kick NAME… takes people out of a conference");
	person_say(a, "* /accept [N], /decline [N] answer an invitation; /who tells who is here");
	person_say(a, "* /leave [anonymously]; /to N writes to chat N, /to lists them; /quit");
	person_say(a, "* /msg NAME text writes to one of a conference alone; /nick NAME takes a "
		      "nickname");
	person_say(a, "* /page NAME text sends a message outside of any chat");
	person_say(a, "* //text sends a line that begins with /");
}

static void do_quit(struct app *a, const struct words *w)
{
	(void)w;
	app_quit(a);
}

void person_command(struct app *a, struct view line)
{
	static const struct {
		const char *name;
		void (*run)(struct app *a, const struct words *w);
	} table[] = {{"/chat", do_chat},   {"/add", do_add},	     {"/who", do_who},
		     {"/leave", do_leave}, {"/to", do_to},	     {"/accept", do_accept},
		     {"/kick", do_kick},   {"/decline", do_decline}, {"/help", do_help},
		     {"/quit", do_quit}};
	/* What follows these is text, blanks and all. */
	static const struct {
		const char *name;
		void (*run)(struct app *a, struct view rest);
	} texts[] = {{"/msg", do_msg}, {"/page", do_page}, {"/nick", do_nick}};
	struct words w = {.n = 0};
	struct view command = line;

	command = view_cut(&command, ' ');
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (view_eq(command, view_str(texts[i].name))) {
			texts[i].run(a, view_trim(view_from(line, command.n)));
			return;
		}
	}
	while ((line = view_trim(line)).n) {
		struct view word = view_cut(&line, ' ');

		if (w.n == WORDS_MAX) {
			person_say(a, "! too many words");
			return;
		}
		w.word[w.n++] = view_trim(word);
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!view_eq(w.word[0], view_str(table[i].name)))
			continue;
		table[i].run(a, &w);
		return;
	}
	person_say(a, "! there is no %.*s; /help tells what there is", VIEW_ARG(w.word[0]));
}
