/* confab --json: one event per line out, one command per line in. */
#include "confab_app.h"

#include <stdlib.h>
#include <sys/time.h>

static void line_out(struct app *a, json_t *o)
{
	struct timeval now;
	struct buf b;
	char *text;

	(void)gettimeofday(&now, NULL);
	(void)json_object_set_new(o, "t",
				  json_real((double)now.tv_sec + (double)now.tv_usec / 1e6));
	text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(16));
	json_decref(o);
	if (!text)
		return;
	buf_init(&b, SIZE_MAX / 2);
	buf_puts(&b, text);
	buf_putc(&b, '\n');
	free(text);
	if (buf_ok(&b))
		app_write(a, buf_view(&b));
	buf_fini(&b);
}

/* JSON text is UTF-8; a peer's bytes need not be: each that is not comes out as U+FFFD. */
static json_t *text_of(const char *s)
{
	struct view v = view_str(s);
	struct buf b;
	json_t *o;

	if (text_is_utf8(v))
		return json_stringn(s, v.n);
	buf_init(&b, SIZE_MAX / 2);
	text_clean(&b, v);
	o = json_stringn(b.p, b.n);
	buf_fini(&b);
	return o ? o : json_string("");
}

static void put(json_t *o, const char *key, const char *s)
{
	(void)json_object_set_new(o, key, text_of(s));
}

static json_t *base64(struct view v)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct buf b;
	json_t *o;

	buf_init(&b, SIZE_MAX / 2);
	for (size_t i = 0; i < v.n; i += 3) {
		uint32_t x = 0;
		size_t left = v.n - i < 3 ? v.n - i : 3;

		for (size_t k = 0; k < 3; k++)
			x = x << 8 | (k < left ? (uint8_t)v.p[i + k] : 0);
		buf_putc(&b, digit[x >> 18]);
		buf_putc(&b, digit[x >> 12 & 63]);
		buf_putc(&b, left > 1 ? digit[x >> 6 & 63] : '=');
		buf_putc(&b, left > 2 ? digit[x & 63] : '=');
	}
	o = json_stringn(b.p ? b.p : "", b.n);
	buf_fini(&b);
	return o;
}

static json_t *event_new(const char *name, uint32_t conversation)
{
	json_t *o = json_object();

	(void)json_object_set_new(o, "event", json_string(name));
	if (conversation)
		(void)json_object_set_new(o, "conversation", json_integer(conversation));
	return o;
}

static const char *const event_names[] = {
	[CONFAB_REGISTERED] = "registered",
	[CONFAB_REGISTER_FAILED] = "register-failed",
	[CONFAB_INVITED] = "invited",
	[CONFAB_RINGING] = "ringing",
	[CONFAB_OPEN] = "open",
	[CONFAB_MOVING] = "moving",
	[CONFAB_MOVED] = "moved",
	[CONFAB_MOVE_FAILED] = "move-failed",
	[CONFAB_MESSAGE] = "message",
	[CONFAB_SENT] = "sent",
	[CONFAB_ROSTER] = "roster",
	[CONFAB_JOINED] = "joined",
	[CONFAB_LEFT] = "left",
	[CONFAB_ENDED] = "ended",
	[CONFAB_CONNECTION] = "connection",
	[CONFAB_PROGRESS] = "progress",
	[CONFAB_SPLIT] = "split",
	[CONFAB_TYPING] = "typing",
	[CONFAB_DELIVERED_TO] = "delivered-to",
	[CONFAB_DISPLAYED_BY] = "displayed-by",
	[CONFAB_NICKNAME] = "nickname",
	[CONFAB_PAGE] = "page",
	[CONFAB_PAGED] = "paged",
};

static void put_message(json_t *o, const struct confab_event *ev)
{
	struct view data = view_of(ev->data, ev->data_n);

	put(o, "from", ev->peer);
	put(o, "display", ev->display);
	put(o, "id", ev->id);
	put(o, "content_type", ev->content_type);
	(void)json_object_set_new(o, "to_all", json_boolean(ev->to_all));
	if (text_is_utf8(data))
		(void)json_object_set_new(o, "text", json_stringn(data.n ? data.p : "", data.n));
	else
		(void)json_object_set_new(o, "base64", base64(data));
}

static void put_sent(json_t *o, const struct confab_event *ev)
{
	static const char *const names[] = {
		[CONFAB_SENT_ACCEPTED] = "accepted",
		[CONFAB_SENT_DELIVERED] = "delivered",
		[CONFAB_SENT_FAILED] = "failed",
		[CONFAB_SENT_UNCONFIRMED] = "unconfirmed",
	};

	put(o, "id", ev->id);
	put(o, "state", names[ev->sent]);
	(void)json_object_set_new(o, "status", json_integer(ev->status));
	put(o, "text", ev->text);
}

static void put_roster(json_t *o, const struct confab_event *ev)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ev->n_participants; i++) {
		const struct confab_participant *p = &ev->participant[i];
		json_t *one = json_object();

		put(one, "uri", p->uri);
		put(one, "display", p->display);
		put(one, "nickname", p->nickname);
		put(one, "status", p->status);
		put(one, "how", p->how);
		(void)json_object_set_new(one, "self", json_boolean(p->self));
		(void)json_object_set_new(one, "anonymous", json_boolean(p->anonymous));
		(void)json_array_append_new(list, one);
	}
	(void)json_object_set_new(o, "participants", list);
}

static void put_progress(json_t *o, const struct confab_event *ev)
{
	put(o, "user", ev->peer);
	(void)json_object_set_new(o, "remove", json_boolean(ev->removing));
	(void)json_object_set_new(o, "status", json_integer(ev->status));
	put(o, "text", ev->text);
}

static void put_rest(json_t *o, const struct confab_event *ev)
{
	if (ev->type == CONFAB_CONNECTION) {
		put(o, "state", ev->text);
		if (ev->uri[0])
			put(o, "uri", ev->uri);
		return;
	}
	if (ev->conversation) {
		put(o, "peer", ev->peer);
		put(o, "display", ev->display);
		put(o, "uri", ev->uri);
		(void)json_object_set_new(o, "conference", json_boolean(ev->conference));
	}
	if (ev->type == CONFAB_REGISTERED)
		(void)json_object_set_new(o, "expires", json_integer(ev->expires));
	else
		(void)json_object_set_new(o, "status", json_integer(ev->status));
	if (ev->type == CONFAB_SPLIT)
		(void)json_object_set_new(o, "other", json_integer(ev->other));
	put(o, "text", ev->text);
}

/* Typing, dispositions, pages: what is said of or by one peer. */
static void put_notice(json_t *o, const struct confab_event *ev)
{
	put(o, "peer", ev->peer);
	put(o, "display", ev->display);
	if (ev->type == CONFAB_TYPING) {
		(void)json_object_set_new(o, "active", json_boolean(ev->active));
		return;
	}
	put(o, "id", ev->id);
	if (ev->type == CONFAB_PAGED) {
		(void)json_object_set_new(o, "status", json_integer(ev->status));
		put(o, "text", ev->text);
	}
}

static void on_event(struct app *a, const struct confab_event *ev)
{
	json_t *o = event_new(event_names[ev->type], ev->conversation);

	if (ev->type == CONFAB_TYPING || ev->type == CONFAB_DELIVERED_TO ||
	    ev->type == CONFAB_DISPLAYED_BY || ev->type == CONFAB_PAGED)
		put_notice(o, ev);
	else if (ev->type == CONFAB_MESSAGE || ev->type == CONFAB_PAGE)
		put_message(o, ev);
	else if (ev->type == CONFAB_SENT)
		put_sent(o, ev);
	else if (ev->type == CONFAB_ROSTER)
		put_roster(o, ev);
	else if (ev->type == CONFAB_PROGRESS)
		put_progress(o, ev);
	else
		put_rest(o, ev);
	line_out(a, o);
}

/* --- commands --- */

struct command {
	const char *name;
	json_t *line;
	json_t *tag; /* borrowed, may be NULL */
	uint32_t conversation;
};

static void put_tag(json_t *o, const struct command *c)
{
	if (c->tag)
		(void)json_object_set(o, "tag", c->tag);
}

static void refuse(struct app *a, const struct command *c, const char *why)
{
	json_t *o = event_new("error", c->conversation);

	put(o, "command", c->name);
	put(o, "error", why);
	put_tag(o, c);
	line_out(a, o);
}

static void answer(struct app *a, const struct command *c, int rc)
{
	if (rc)
		refuse(a, c, confab_error_text(rc));
}

/* The URIs in member `key`, a string or an array of strings; NULL (and told) when there are none.
 * To free with uris_free. */
static char **uris_of(struct app *a, const struct command *c, const char *key, size_t *n_out)
{
	json_t *list = json_object_get(c->line, key);
	size_t n = json_is_string(list) ? 1 : json_array_size(list), i;
	char **uri;

	if (n == 0 || n > APP_URIS_MAX) {
		refuse(a, c, n ? "too many addresses" : "addresses are missing");
		return NULL;
	}
	uri = calloc(n, sizeof(*uri));
	for (i = 0; uri && i < n; i++) {
		json_t *one = json_is_string(list) ? list : json_array_get(list, i);

		uri[i] = json_is_string(one)
				 ? text_address(a->domain, view_str(json_string_value(one)))
				 : NULL;
		if (!uri[i])
			break;
	}
	if (uri && i == n) {
		*n_out = n;
		return uri;
	}
	refuse(a, c, "not an address");
	while (uri && i)
		free(uri[--i]);
	free(uri);
	return NULL;
}

static void uris_free(char **uri, size_t n)
{
	while (n)
		free(uri[--n]);
	free(uri);
}

static void do_chat(struct app *a, const struct command *c)
{
	struct confab_call_options o = {
		.conference = json_is_true(json_object_get(c->line, "conference")),
		.subject = json_string_value(json_object_get(c->line, "subject")),
		.contribution = json_string_value(json_object_get(c->line, "contribution")),
		.rejoin = json_string_value(json_object_get(c->line, "rejoin")),
	};
	size_t n = 0;
	uint32_t id = 0;
	bool nobody = o.rejoin && !json_object_get(c->line, "to");
	char **uri = nobody ? NULL : uris_of(a, c, "to", &n);
	json_t *answer_line;
	int rc;

	if (!uri && !nobody)
		return;
	rc = confab_call_with(a->confab, (const char *const *)uri, n, &o, &id);
	uris_free(uri, n);
	if (rc) {
		answer(a, c, rc);
		return;
	}
	answer_line = event_new("calling", id);
	put_tag(answer_line, c);
	line_out(a, answer_line);
}

static void do_accept(struct app *a, const struct command *c)
{
	answer(a, c, confab_accept(a->confab, c->conversation));
}

static void do_decline(struct app *a, const struct command *c)
{
	json_t *status = json_object_get(c->line, "status");
	json_int_t value = status ? json_integer_value(status) : 603;

	if (value < 300 || value > 699)
		refuse(a, c, "status is a number from 300 to 699");
	else
		answer(a, c, confab_decline(a->confab, c->conversation, (int)value));
}

/* Text to all of a conversation, to one in it, or (page) to one outside of any. */
static void say(struct app *a, const struct command *c, bool page)
{
	json_t *text = json_object_get(c->line, "text"), *o;
	bool to = page || json_object_get(c->line, "to");
	char id[CONFAB_ID_SIZE];
	char **uri = NULL;
	size_t n = 0;
	int rc;

	if (!json_is_string(text)) {
		refuse(a, c, "text is missing");
		return;
	}
	if (to && !(uri = uris_of(a, c, "to", &n)))
		return;
	if (page)
		rc = confab_page(a->confab, uri[0], json_string_value(text),
				 json_string_length(text), id);
	else if (to)
		rc = confab_send_to(a->confab, c->conversation, uri[0], json_string_value(text),
				    json_string_length(text), id);
	else
		rc = confab_send(a->confab, c->conversation, json_string_value(text),
				 json_string_length(text), id);
	uris_free(uri, n);
	if (rc) {
		answer(a, c, rc);
		return;
	}
	o = event_new("queued", c->conversation);
	put(o, "id", id);
	put_tag(o, c);
	line_out(a, o);
}

static void do_send(struct app *a, const struct command *c)
{
	say(a, c, false);
}

static void do_page(struct app *a, const struct command *c)
{
	say(a, c, true);
}

static void do_nick(struct app *a, const struct command *c)
{
	const char *name = json_string_value(json_object_get(c->line, "name"));

	if (!name)
		refuse(a, c, "name is missing");
	else
		answer(a, c, confab_nick(a->confab, c->conversation, name));
}

static void do_typing(struct app *a, const struct command *c)
{
	json_t *active = json_object_get(c->line, "active");

	if (!json_is_boolean(active))
		refuse(a, c, "active is missing: true or false");
	else
		answer(a, c, confab_typing(a->confab, c->conversation, json_is_true(active)));
}

static void do_displayed(struct app *a, const struct command *c)
{
	const char *id = json_string_value(json_object_get(c->line, "id"));

	if (!id)
		refuse(a, c, "id is missing");
	else
		answer(a, c, confab_displayed(a->confab, c->conversation, id));
}

static void do_add(struct app *a, const struct command *c)
{
	size_t n;
	char **uri = uris_of(a, c, "users", &n);

	if (!uri)
		return;
	answer(a, c, confab_add(a->confab, c->conversation, (const char *const *)uri, n));
	uris_free(uri, n);
}

static void do_kick(struct app *a, const struct command *c)
{
	size_t n;
	char **uri = uris_of(a, c, "users", &n);

	if (!uri)
		return;
	answer(a, c, confab_kick(a->confab, c->conversation, (const char *const *)uri, n));
	uris_free(uri, n);
}

static void do_leave(struct app *a, const struct command *c)
{
	bool anonymous = json_is_true(json_object_get(c->line, "anonymous"));

	answer(a, c, confab_leave(a->confab, c->conversation, anonymous));
}

static void do_who(struct app *a, const struct command *c)
{
	answer(a, c, confab_who(a->confab, c->conversation));
}

static void do_break(struct app *a, const struct command *c)
{
	const char *which = json_string_value(json_object_get(c->line, "which"));

	if (!which)
		refuse(a, c, "which is missing: direct, conference or sip");
	else
		answer(a, c, confab_break(a->confab, c->conversation, which));
}

static void do_quit(struct app *a, const struct command *c)
{
	(void)c;
	app_quit(a);
}

static void run(struct app *a, struct command *c)
{
	static const struct {
		const char *name;
		bool conversation;
		void (*run)(struct app *a, const struct command *c);
	} table[] = {
		{"chat", false, do_chat},      {"accept", true, do_accept},
		{"decline", true, do_decline}, {"send", true, do_send},
		{"add", true, do_add},	       {"leave", true, do_leave},
		{"who", true, do_who},	       {"break", false, do_break},
		{"typing", true, do_typing},   {"displayed", true, do_displayed},
		{"nick", true, do_nick},       {"page", false, do_page},
		{"quit", false, do_quit},      {"kick", true, do_kick},
	};
	json_t *conversation = json_object_get(c->line, "conversation");
	json_int_t value = json_integer_value(conversation);

	if (json_is_integer(conversation) && value > 0 && value <= UINT32_MAX)
		c->conversation = (uint32_t)value;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].name, c->name) != 0)
			continue;
		if (table[i].conversation && !c->conversation)
			refuse(a, c, "conversation is missing, or no positive number");
		else
			table[i].run(a, c);
		return;
	}
	refuse(a, c, "no such command");
}

static void on_line(struct app *a, struct view line, bool cut)
{
	struct command c = {.name = ""};
	json_error_t error;
	const char *name;

	if (!view_trim(line).n)
		return;
	if (cut) {
		refuse(a, &c, "the line is too long");
		return;
	}
	c.line = json_loadb(line.p, line.n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
	if (!c.line) {
		refuse(a, &c, error.text);
		return;
	}
	c.tag = json_object_get(c.line, "tag");
	name = json_string_value(json_object_get(c.line, "cmd"));
	if (!json_is_object(c.line)) {
		refuse(a, &c, "a command is a JSON object");
	} else if (!name) {
		refuse(a, &c, "cmd is missing");
	} else {
		c.name = name;
		run(a, &c);
	}
	json_decref(c.line);
}

static void on_end(struct app *a)
{
	if (!a->wait)
		app_quit(a);
}

static void on_ready(struct app *a)
{
	json_t *o = event_new("ready", 0);

	put(o, "sip", confab_sip_address(a->confab));
	put(o, "msrp", confab_msrp_address(a->confab));
	line_out(a, o);
	if (a->n_call) {
		struct command c = {.name = "chat"};
		json_t *to = json_array();

		for (size_t i = 0; i < a->n_call; i++)
			(void)json_array_append_new(to, json_string(a->call[i]));
		c.line = json_object();
		(void)json_object_set_new(c.line, "to", to);
		do_chat(a, &c);
		json_decref(c.line);
	}
}

const struct app_face app_json = {
	.ready = on_ready, .event = on_event, .line = on_line, .end = on_end};
