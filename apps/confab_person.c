/* confab for a person: lines of text, on a terminal or through pipes. */
#include "confab_person.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdlib.h>

enum { LINGER_MS = 10000, TOLD_KEPT = 100 };

void person_say(struct app *a, const char *fmt, ...)
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
const char *person_name_of(const struct app *a, const char *uri)
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
const char *person_mark(const struct app *a, uint32_t id)
{
	static char text[16];

	if (list_empty(&a->chats) || a->chats.next->next == &a->chats)
		return "";
	(void)snprintf(text, sizeof(text), "[%u] ", id);
	return text;
}

struct chat *person_chat_find(const struct app *a, uint32_t id)
{
	LIST_EACH(l, next, &a->chats)
	{
		struct chat *chat = CONTAINER(l, struct chat, link);

		if (chat->id == id)
			return chat;
	}
	return NULL;
}

struct chat *person_chat_new(struct app *a, uint32_t id, const char *peer)
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

void person_said_free(struct chat *chat, struct said *s)
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
	person_said_free(chat, CONTAINER(l, struct said, link));
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
		person_say(a, "%s! not delivered: %s (%d %s)", person_mark(a, chat->id), text,
			   ev->status, ev->text);
	else if (ev->sent == CONFAB_SENT_UNCONFIRMED)
		person_say(a, "%s? %s (unconfirmed)", person_mark(a, chat->id), text);
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
		person_say(a, "%s (page): %s", person_name_of(a, ev->peer), text);
	free(text);
}

static void on_nickname(struct app *a, const struct chat *chat, const struct confab_event *ev)
{
	const char *m = person_mark(a, chat->id);

	if (ev->status != 200)
		person_say(a, "%s! not your nickname: %d %s", m, ev->status, ev->text);
	else if (ev->text[0])
		person_say(a, "%s* you are now %s", m, ev->text);
	else
		person_say(a, "%s* you have no nickname now", m);
}

/* Who gave himself a name in a conference is shown by it, and his address stays in sight. */
static const char *sender_of(const struct app *a, const struct confab_event *ev, char *dst,
			     size_t size)
{
	const char *name = person_name_of(a, ev->peer);

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
		person_say(a, "%s* %s sent %zu bytes of %s", person_mark(a, chat->id),
			   person_name_of(a, ev->peer), ev->data_n, ev->content_type);
		return;
	}
	text = text_of(ev);
	if (!text)
		return;
	person_say(a, "%s%s%s: %s", person_mark(a, chat->id),
		   sender_of(a, ev, sender, sizeof(sender)),
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
		buf_puts(&b, p->self	    ? "you"
			     : p->anonymous ? "Anonymous"
					    : person_name_of(a, p->uri));
		if (p->nickname[0])
			buf_putf(&b, " \"%s\"", p->nickname);
		if (strcmp(p->status, "connected") != 0)
			buf_putf(&b, " (%s)", p->how[0] ? p->how : p->status);
	}
	person_say(a, "%s* here: %.*s", person_mark(a, chat->id), VIEW_ARG(buf_view(&b)));
	buf_fini(&b);
}

static void on_invited(struct app *a, struct chat *chat, const struct confab_event *ev)
{
	chat->invited = true;
	person_say(a, "%s* %s%s%s%s%s%s%s: /accept or /decline", person_mark(a, chat->id),
		   person_name_of(a, ev->peer), ev->display[0] ? " (\"" : "", ev->display,
		   ev->display[0] ? "\")" : "",
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
		person_say(a, "%s* you are in the conference", person_mark(a, chat->id));
	else
		person_say(a, "%s* chatting with %s", person_mark(a, chat->id),
			   person_name_of(a, ev->peer));
}

static void on_ended(struct app *a, struct chat *chat, const struct confab_event *ev)
{
	const char *who = chat->conference ? "" : person_name_of(a, chat->peer);
	const char *text = ev->text;
	char number[16] = "";

	if (ev->status)
		(void)snprintf(number, sizeof(number), "%d", ev->status);
	person_say(a, "%s* the %s%s is over%s%s%s%s%s", person_mark(a, chat->id),
		   chat->conference ? "conference" : "chat with ", who,
		   ev->status || text[0] ? " (" : "", number, ev->status && text[0] ? " " : "",
		   text, ev->status || text[0] ? ")" : "");
	chat_free(chat);
	if (a->current == ev->conversation)
		a->current = oldest_chat(a);
	leave_when_said(a);
}

static void on_progress(struct app *a, const struct chat *chat, const struct confab_event *ev)
{
	const char *m = person_mark(a, chat->id), *who = person_name_of(a, ev->peer);

	if (ev->status >= 300)
		person_say(a, "%s! %s is not %s: %d %s", m, who,
			   ev->removing ? "taken out" : "added", ev->status, ev->text);
	else if (ev->removing && ev->status >= 200)
		person_say(a, "%s* %s is taken out", m, who);
	else if (!ev->removing && ev->status >= 180 && ev->status < 200)
		person_say(a, "%s* %s is being asked", m, who);
}

static void on_chat_event(struct app *a, struct chat *chat, const struct confab_event *ev)
{
	const char *m = person_mark(a, chat->id), *peer = person_name_of(a, ev->peer);

	chat->conference = ev->conference;
	switch (ev->type) {
	case CONFAB_RINGING:
		person_say(a, "%s* %s is being asked", m, peer);
		break;
	case CONFAB_MOVING:
		if (view_eq_nocase(view_str(ev->peer), view_str(a->user)))
			person_say(a, "%s* you are adding people", m);
		else
			person_say(a, "%s* %s is adding people", m, peer);
		break;
	case CONFAB_MOVED:
		chat->conference = true;
		person_say(a, "%s* this chat is now a conference", m);
		break;
	case CONFAB_MOVE_FAILED:
		person_say(a, "%s! it stays a chat of two: %d %s", m, ev->status, ev->text);
		break;
	case CONFAB_JOINED:
		person_say(a, "%s* %s joined", m, peer);
		break;
	case CONFAB_LEFT:
		person_say(a, "%s* %s left%s%s%s", m, peer, ev->text[0] ? " (" : "", ev->text,
			   ev->text[0] ? ")" : "");
		break;
	case CONFAB_CONNECTION:
		person_say(a, "%s* connection %s", m, ev->text);
		break;
	case CONFAB_SPLIT:
		person_say(a,
			   "%s! %s did not come along (%s); the chat with %s alone goes on: /to %u",
			   m, peer, ev->text, peer, ev->other);
		(void)person_chat_new(a, ev->other, ev->peer);
		break;
	case CONFAB_TYPING:
		if (ev->active)
			person_say(a, "%s* %s is typing", m, peer);
		break;
	case CONFAB_DELIVERED_TO:
		person_say(a, "%s* %s has got: %s", m, peer, quoted(chat, ev->id));
		break;
	case CONFAB_DISPLAYED_BY:
		person_say(a, "%s* %s has seen: %s", m, peer, quoted(chat, ev->id));
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
			person_say(a, "* online");
		a->told_registered = true;
	} else if (ev->type == CONFAB_REGISTER_FAILED) {
		person_say(a, "! not online: %d %s (it is tried again)", ev->status, ev->text);
		a->told_registered = false;
	} else if (ev->type == CONFAB_PAGE) {
		on_page(a, ev);
	} else if (ev->type == CONFAB_PAGED) {
		if (ev->status >= 300)
			person_say(a, "! the page to %s was not delivered: %d %s",
				   person_name_of(a, ev->peer), ev->status, ev->text);
	} else if (!ev->conversation) {
		if (ev->type == CONFAB_CONNECTION)
			person_say(a, "* connection to the server %s", ev->text);
		a->told_registered = false;
	} else {
		chat = person_chat_find(a, ev->conversation);
		if (!chat)
			chat = person_chat_new(a, ev->conversation, ev->peer);
		if (chat)
			on_chat_event(a, chat, ev);
	}
}

static void on_line(struct app *a, struct view line, bool cut)
{
	if (cut)
		person_say(a, "! the line is too long");
	else if (!text_is_utf8(line))
		person_say(a, "! not sent: the line is not UTF-8");
	else if (view_starts(line, VIEW("//")))
		person_send(a, NULL, view_from(line, 1));
	else if (view_starts(line, VIEW("/")))
		person_command(a, line);
	else if (view_trim(line).n)
		person_send(a, NULL, line);
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
	if (a->n_call)
		person_call(a, (const char *const *)a->call, a->n_call, VIEW("chat"));
}

static void on_over(struct app *a)
{
	LIST_EACH(l, next, &a->chats)
	chat_free(CONTAINER(l, struct chat, link));
}

const struct app_face app_person = {
	.ready = on_ready, .event = on_event, .line = on_line, .end = on_end, .over = on_over};
