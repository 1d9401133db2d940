/* confab for a person: lines of text, on a terminal or through pipes. */
#include "confab_app.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdlib.h>

enum { WORDS_MAX = 64, LINGER_MS = 10000, TEXT_KEPT = 80, SENT_KEPT = 1000, TOLD_KEPT = 100 };

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

static void say(struct app *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct app *a, const char *fmt, ...)
{
	char *text = NULL;
	struct buf b;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (!text)
		return;
	buf_init(&b, SIZE_MAX / 2);
	text_clean(&b, view_str(text));
	free(text);
	buf_putc(&b, '\n');
	if (buf_ok(&b))
		app_write(a, buf_view(&b));
	buf_fini(&b);
}

/* The name of a URI, in one of four buffers used by turns. */
static const char *name_of(const struct app *a, const char *uri)
{
	static char kept[4][256];
	static unsigned turn;
	char *dst = kept[turn++ % 4];
	struct buf b;

	buf_init(&b, 65536);
	text_name(&b, a->domain, uri);
	(void)view_copy(buf_view(&b), dst, sizeof(kept[0]));
	buf_fini(&b);
	return dst[0] ? dst : "somebody";
}

/* Where several chats run, each line says to which it belongs. */
static const char *mark(const struct app *a, uint32_t id)
{
	static char text[16];

	if (list_empty(&a->chats) || a->chats.next->next == &a->chats)
		return "";
	(void)snprintf(text, sizeof(text), "[%u] ", id);
	return text;
}

static struct chat *chat_find(const struct app *a, uint32_t id)
{
	LIST_EACH(l, next, &a->chats)
	{
		struct chat *chat = CONTAINER(l, struct chat, link);

		if (chat->id == id)
			return chat;
	}
	return NULL;
}

static struct chat *chat_new(struct app *a, uint32_t id, const char *peer)
{
	struct chat *chat = calloc(1, sizeof(*chat));

	if (!chat)
		return NULL;
	chat->id = id;
	chat->peer = view_dup(view_str(peer));
	list_init(&chat->said);
	list_init(&chat->told);
	list_add_tail(&a->chats, &chat->link);
	return chat;
}

static void said_free(struct chat *chat, struct said *s)
{
	list_del(&s->link);
	chat->n_said--;
	free(s);
}

static void told_free(struct chat *chat, struct said *s)
{
	list_del(&s->link);
	chat->n_told--;
	free(s);
}

static void said_confirmed(struct chat *chat, struct said *s)
{
	list_del(&s->link);
	chat->n_said--;
	list_add_tail(&chat->told, &s->link);
	if (++chat->n_told > TOLD_KEPT)
		told_free(chat, CONTAINER(chat->told.next, struct said, link));
}

static void chat_free(struct chat *chat)
{
	LIST_EACH(l, next, &chat->said)
	said_free(chat, CONTAINER(l, struct said, link));
	while (!list_empty(&chat->told))
		told_free(chat, CONTAINER(chat->told.next, struct said, link));
	list_del(&chat->link);
	free(chat->peer);
	free(chat);
}

/* Where text goes when the chat it went to is over; invitations are left out. */
static uint32_t oldest_chat(const struct app *a)
{
	LIST_EACH(l, next, &a->chats)
	{
		const struct chat *chat = CONTAINER(l, struct chat, link);

		if (!chat->invited)
			return chat->id;
	}
	return 0;
}

static struct said *find_in(struct list *list, const char *id)
{
	LIST_EACH(l, next, list)
	{
		struct said *s = CONTAINER(l, struct said, link);

		if (strcmp(s->id, id) == 0)
			return s;
	}
	return NULL;
}

static struct said *said_find(struct chat *chat, const char *id)
{
	return find_in(&chat->said, id);
}

/* The beginning of a message of ours. */
static const char *quoted(struct chat *chat, const char *id)
{
	const struct said *s = said_find(chat, id);

	if (!s)
		s = find_in(&chat->told, id);
	return s ? s->text : "a message";
}

/* --- what happens --- */

/* A pipe that ended: the program stays until what it said has arrived. */
static void leave_when_said(struct app *a)
{
	if (!a->input_over || a->wait)
		return;
	LIST_EACH(l, next, &a->chats)
	if (CONTAINER(l, struct chat, link)->n_said)
		return;
	app_quit(a);
}

static void on_sent(struct app *a, struct chat *chat, const struct confab_event *ev)
{
	struct said *s = said_find(chat, ev->id);
	const char *text = s ? s->text : "";

	if (ev->sent == CONFAB_SENT_FAILED)
		say(a, "%s! not delivered: %s (%d %s)", mark(a, chat->id), text, ev->status,
		    ev->text);
	else if (ev->sent == CONFAB_SENT_UNCONFIRMED)
		say(a, "%s? %s (unconfirmed)", mark(a, chat->id), text);
	if (s && (ev->sent != CONFAB_SENT_ACCEPTED || chat->conference))
		said_confirmed(chat, s);
	leave_when_said(a);
}

/* What a peer wrote, as text; to free. */
static char *text_of(const struct confab_event *ev)
{
	char *text = view_dup(view_of(ev->data, ev->data_n));

	/* A NUL is a control character as any other. */
	for (size_t i = 0; text && i < ev->data_n; i++)
		if (!text[i])
			text[i] = '\1';
	return text;
}

static void on_page(struct app *a, const struct confab_event *ev)
{
	char *text = text_of(ev);

	if (text)
		say(a, "%s (page): %s", name_of(a, ev->peer), text);
	free(text);
}

static void on_nickname(struct app *a, const struct chat *chat, const struct confab_event *ev)
{
	const char *m = mark(a, chat->id);

	if (ev->status != 200)
		say(a, "%s! not your nickname: %d %s", m, ev->status, ev->text);
	else if (ev->text[0])
		say(a, "%s* you are now %s", m, ev->text);
	else
		say(a, "%s* you have no nickname now", m);
}

/* Who gave himself a name in a conference is shown by it, and his address stays in sight. */
static const char *sender_of(const struct app *a, const struct confab_event *ev, char *dst,
			     size_t size)
{
	const char *name = name_of(a, ev->peer);

	if (!ev->conference || !ev->display[0] ||
	    view_eq_nocase(view_str(ev->display), view_str(name)))
		return name;
	(void)snprintf(dst, size, "%s (%s)", ev->display, name);
	return dst;
}

static void on_message(struct app *a, struct chat *chat, const struct confab_event *ev)
{
	char sender[512];
	struct view type = view_str(ev->content_type);
	char *text;

	if (!view_starts_nocase(type, VIEW("text/plain"))) {
		say(a, "%s* %s sent %zu bytes of %s", mark(a, chat->id), name_of(a, ev->peer),
		    ev->data_n, ev->content_type);
		return;
	}
	text = text_of(ev);
	if (!text)
		return;
	say(a, "%s%s%s: %s", mark(a, chat->id), sender_of(a, ev, sender, sizeof(sender)),
	    chat->conference && !ev->to_all ? " (to you alone)" : "", text);
	free(text);
	(void)confab_displayed(a->confab, chat->id, ev->id);
}

static void on_roster(struct app *a, const struct chat *chat, const struct confab_event *ev)
{
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	for (size_t i = 0; i < ev->n_participants; i++) {
		const struct confab_participant *p = &ev->participant[i];

		buf_puts(&b, i ? ", " : "");
		buf_puts(&b, p->self ? "you" : p->anonymous ? "Anonymous" : name_of(a, p->uri));
		if (p->nickname[0])
			buf_putf(&b, " \"%s\"", p->nickname);
		if (strcmp(p->status, "connected") != 0)
			buf_putf(&b, " (%s)", p->how[0] ? p->how : p->status);
	}
	say(a, "%s* here: %.*s", mark(a, chat->id), VIEW_ARG(buf_view(&b)));
	buf_fini(&b);
}

static void on_invited(struct app *a, struct chat *chat, const struct confab_event *ev)
{
	chat->invited = true;
	say(a, "%s* %s%s%s%s%s%s%s: /accept or /decline", mark(a, chat->id), name_of(a, ev->peer),
	    ev->display[0] ? " (\"" : "", ev->display, ev->display[0] ? "\")" : "",
	    ev->conference ? " invites you to a conference" : " wants to chat",
	    ev->text[0] ? " about " : "", ev->text);
}

static void on_open(struct app *a, struct chat *chat, const struct confab_event *ev)
{
	chat->open = true;
	chat->invited = false;
	if (!a->current)
		a->current = chat->id;
	if (ev->conference)
		say(a, "%s* you are in the conference", mark(a, chat->id));
	else
		say(a, "%s* chatting with %s", mark(a, chat->id), name_of(a, ev->peer));
}

static void on_ended(struct app *a, struct chat *chat, const struct confab_event *ev)
{
	const char *who = chat->conference ? "" : name_of(a, chat->peer);
	const char *text = ev->text;
	char number[16] = "";

	if (ev->status)
		(void)snprintf(number, sizeof(number), "%d", ev->status);
	say(a, "%s* the %s%s is over%s%s%s%s%s", mark(a, chat->id),
	    chat->conference ? "conference" : "chat with ", who, ev->status || text[0] ? " (" : "",
	    number, ev->status && text[0] ? " " : "", text, ev->status || text[0] ? ")" : "");
	chat_free(chat);
	if (a->current == ev->conversation)
		a->current = oldest_chat(a);
	leave_when_said(a);
}

static void on_progress(struct app *a, const struct chat *chat, const struct confab_event *ev)
{
	const char *m = mark(a, chat->id), *who = name_of(a, ev->peer);

	if (ev->status >= 300)
		say(a, "%s! %s is not %s: %d %s", m, who, ev->removing ? "taken out" : "added",
		    ev->status, ev->text);
	else if (ev->removing && ev->status >= 200)
		say(a, "%s* %s is taken out", m, who);
	else if (!ev->removing && ev->status >= 180 && ev->status < 200)
		say(a, "%s* %s is being asked", m, who);
}

static void on_chat_event(struct app *a, struct chat *chat, const struct confab_event *ev)
{
	const char *m = mark(a, chat->id), *peer = name_of(a, ev->peer);

	chat->conference = ev->conference;
	switch (ev->type) {
	case CONFAB_RINGING:
		say(a, "%s* %s is being asked", m, peer);
		break;
	case CONFAB_MOVING:
		if (view_eq_nocase(view_str(ev->peer), view_str(a->user)))
			say(a, "%s* you are adding people", m);
		else
			say(a, "%s* %s is adding people", m, peer);
		break;
	case CONFAB_MOVED:
		chat->conference = true;
		say(a, "%s* this chat is now a conference", m);
		break;
	case CONFAB_MOVE_FAILED:
		say(a, "%s! it stays a chat of two: %d %s", m, ev->status, ev->text);
		break;
	case CONFAB_JOINED:
		say(a, "%s* %s joined", m, peer);
		break;
	case CONFAB_LEFT:
		say(a, "%s* %s left%s%s%s", m, peer, ev->text[0] ? " (" : "", ev->text,
		    ev->text[0] ? ")" : "");
		break;
	case CONFAB_CONNECTION:
		say(a, "%s* connection %s", m, ev->text);
		break;
	case CONFAB_SPLIT:
		say(a, "%s! %s did not come along (%s); the chat with %s alone goes on: /to %u", m,
		    peer, ev->text, peer, ev->other);
		(void)chat_new(a, ev->other, ev->peer);
		break;
	case CONFAB_TYPING:
		if (ev->active)
			say(a, "%s* %s is typing", m, peer);
		break;
	case CONFAB_DELIVERED_TO:
		say(a, "%s* %s has got: %s", m, peer, quoted(chat, ev->id));
		break;
	case CONFAB_DISPLAYED_BY:
		say(a, "%s* %s has seen: %s", m, peer, quoted(chat, ev->id));
		break;
	case CONFAB_NICKNAME:
		on_nickname(a, chat, ev);
		break;
	case CONFAB_INVITED:
		on_invited(a, chat, ev);
		break;
	case CONFAB_OPEN:
		on_open(a, chat, ev);
		break;
	case CONFAB_MESSAGE:
		on_message(a, chat, ev);
		break;
	case CONFAB_SENT:
		on_sent(a, chat, ev);
		break;
	case CONFAB_PROGRESS:
		on_progress(a, chat, ev);
		break;
	case CONFAB_ROSTER:
		on_roster(a, chat, ev);
		break;
	case CONFAB_ENDED:
		on_ended(a, chat, ev);
		break;
	default:
		break;
	}
}

static void on_event(struct app *a, const struct confab_event *ev)
{
	struct chat *chat;

	if (ev->type == CONFAB_REGISTERED) {
		if (!a->told_registered)
			say(a, "* online");
		a->told_registered = true;
	} else if (ev->type == CONFAB_REGISTER_FAILED) {
		say(a, "! not online: %d %s (it is tried again)", ev->status, ev->text);
		a->told_registered = false;
	} else if (ev->type == CONFAB_PAGE) {
		on_page(a, ev);
	} else if (ev->type == CONFAB_PAGED) {
		if (ev->status >= 300)
			say(a, "! the page to %s was not delivered: %d %s", name_of(a, ev->peer),
			    ev->status, ev->text);
	} else if (!ev->conversation) {
		if (ev->type == CONFAB_CONNECTION)
			say(a, "* connection to the server %s", ev->text);
		a->told_registered = false;
	} else {
		chat = chat_find(a, ev->conversation);
		if (!chat)
			chat = chat_new(a, ev->conversation, ev->peer);
		if (chat)
			on_chat_event(a, chat, ev);
	}
}

/* --- what the person says --- */

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
		say(a, "! whom? %.*s NAME…", VIEW_ARG(w->word[0]));
		return NULL;
	}
	uri = calloc(w->n, sizeof(*uri));
	for (size_t i = 1; uri && i < w->n; i++, n++) {
		uri[n] = text_address(a->domain, w->word[i]);
		if (uri[n])
			continue;
		say(a, "! not an address: %.*s", VIEW_ARG(w->word[i]));
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

static void outcome(struct app *a, const struct words *w, int rc)
{
	if (rc)
		say(a, "! %.*s: %s", VIEW_ARG(w->word[0]), confab_error_text(rc));
}

static void call(struct app *a, const char *const *uri, size_t n, const struct words *w)
{
	uint32_t id;
	int rc = confab_call(a->confab, uri, n, &id);

	outcome(a, w, rc);
	if (rc)
		return;
	if (!chat_find(a, id))
		(void)chat_new(a, id, uri[0]);
	a->current = id;
	for (size_t i = 0; i < n; i++)
		say(a, "%s* asking %s", mark(a, id), name_of(a, uri[i]));
}

static void do_chat(struct app *a, const struct words *w)
{
	size_t n = 0;
	char **uri = uris_of(a, w, &n);

	if (!uri)
		return;
	call(a, (const char *const *)uri, n, w);
	uris_free(uri, n);
}

static bool have_chat(struct app *a)
{
	if (!a->current)
		say(a, "! there is no chat: /chat NAME begins one");
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
		say(a, "! /leave, or /leave anonymously");
	else if (have_chat(a))
		outcome(a, w, confab_leave(a->confab, a->current, anonymous));
}

/* The chat that is meant: the one named by number, else the oldest that waits for an answer. */
static struct chat *invitation(struct app *a, const struct words *w)
{
	uint32_t id = 0;

	if (w->n > 1 && view_to_u32(w->word[1], &id)) {
		say(a, "! %.*s N", VIEW_ARG(w->word[0]));
		return NULL;
	}
	LIST_EACH(l, next, &a->chats)
	{
		struct chat *chat = CONTAINER(l, struct chat, link);

		if (chat->invited && (!id || chat->id == id))
			return chat;
	}
	say(a, "! nobody has asked");
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

		say(a, "%s[%u] %s%s%s", chat->id == a->current ? "->" : "  ", chat->id,
		    chat->conference ? "conference with " : "", name_of(a, chat->peer),
		    chat->invited ? " (asks: /accept or /decline)" : "");
	}
	if (list_empty(&a->chats))
		say(a, "* no chats");
}

static void do_to(struct app *a, const struct words *w)
{
	struct chat *chat;
	uint32_t id;

	if (w->n < 2) {
		list_chats(a);
		return;
	}
	chat = view_to_u32(w->word[1], &id) ? NULL : chat_find(a, id);
	if (!chat) {
		say(a, "! there is no chat of that number");
		list_chats(a);
		return;
	}
	a->current = id;
	say(a, "* you write to %s", chat->conference ? "the conference" : name_of(a, chat->peer));
}

/* "NAME text" taken apart; the address is to free, NULL (and told) where it is none. */
static char *addressed(struct app *a, struct view *rest, const char *usage)
{
	struct view name = view_cut(rest, ' ');
	char *uri = name.n ? text_address(a->domain, name) : NULL;

	*rest = view_trim(*rest);
	if (!name.n || !rest->n)
		say(a, "! %s", usage);
	else if (!uri)
		say(a, "! not an address: %.*s", VIEW_ARG(name));
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
		say(a, "! not sent: %s", confab_error_text(rc));
	free(uri);
}

static void do_nick(struct app *a, struct view rest)
{
	char *name = view_dup(rest);
	int rc;

	if (name && have_chat(a)) {
		rc = confab_nick(a->confab, a->current, name);
		if (rc)
			say(a, "! /nick: %s", confab_error_text(rc));
	}
	free(name);
}

static void send_text(struct app *a, const char *to, struct view text);

static void do_msg(struct app *a, struct view rest)
{
	char *uri = addressed(a, &rest, "/msg NAME text");

	if (uri)
		send_text(a, uri, rest);
	free(uri);
}

static void do_help(struct app *a, const struct words *w)
{
	(void)w;
	say(a, "* what you type goes to the chat. NAME: bo, bo@example.net or sip:bo@example.net");
	say(a, "* /chat NAME… begins a chat (with several: a conference); /add NAME… adds people");
	say(a, "* /kick NAME… takes people out of a conference");
	say(a, "* /accept [N], /decline [N] answer an invitation; /who tells who is here");
	say(a, "* /leave [anonymously]; /to N writes to chat N, /to lists them; /quit");
	say(a, "* /msg NAME text writes to one of a conference alone; /nick NAME takes a nickname");
	say(a, "* /page NAME text sends a message outside of any chat");
	say(a, "* //text sends a line that begins with /");
}

static void do_quit(struct app *a, const struct words *w)
{
	(void)w;
	app_quit(a);
}

static void run(struct app *a, struct view line)
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
			say(a, "! too many words");
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
	say(a, "! there is no %.*s; /help tells what there is", VIEW_ARG(w.word[0]));
}

/* to: one of a conference alone; NULL: all of the chat. */
static void send_text(struct app *a, const char *to, struct view text)
{
	struct chat *chat = chat_find(a, a->current);
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
		say(a, "! not sent: %s", confab_error_text(rc));
		free(s);
		return;
	}
	(void)view_copy(text, s->text, sizeof(s->text));
	if (chat->n_said == SENT_KEPT)
		said_free(chat, CONTAINER(chat->said.next, struct said, link));
	list_add_tail(&chat->said, &s->link);
	chat->n_said++;
}

static void on_line(struct app *a, struct view line, bool cut)
{
	if (cut)
		say(a, "! the line is too long");
	else if (!text_is_utf8(line))
		say(a, "! not sent: the line is not UTF-8");
	else if (view_starts(line, VIEW("//")))
		send_text(a, NULL, view_from(line, 1));
	else if (view_starts(line, VIEW("/")))
		run(a, line);
	else if (view_trim(line).n)
		send_text(a, NULL, line);
}

static void linger_over(void *ctx, uint64_t now_ms)
{
	(void)now_ms;
	app_quit(ctx);
}

static void on_end(struct app *a)
{
	if (a->wait)
		return;
	io_deadline_fini(&a->linger);
	io_deadline_init(&a->linger, &a->io, linger_over, a);
	io_deadline_set(&a->linger, io_now_ms(&a->io) + LINGER_MS);
	leave_when_said(a);
}

static void on_ready(struct app *a)
{
	struct words w = {.word = {VIEW("chat")}, .n = 1};

	if (a->n_call)
		call(a, (const char *const *)a->call, a->n_call, &w);
}

static void on_over(struct app *a)
{
	LIST_EACH(l, next, &a->chats)
	chat_free(CONTAINER(l, struct chat, link));
}

const struct app_face app_person = {
	.ready = on_ready, .event = on_event, .line = on_line, .end = on_end, .over = on_over};
