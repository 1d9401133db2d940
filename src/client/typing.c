/*
 * Who is writing (RFC 3994). Ours: one state of the person's, sent when it changes and again before
 * it would run out. Theirs: one state per sender, ended by their word, a message of theirs, or
 * time.
 */
#include "client/state.h"

#include "base/error.h"
#include "body/is_composing.h"

#include <stdlib.h>

enum {
	IDLE_MS = 15000, /* §3.2: the recommended idle timeout */
	REFRESH_S = 90,	 /* said to others; at least 60 (§3.3) */
	COMPOSERS_MAX = 64,
};

struct composer {
	struct list link;
	struct conversation *conversation;
	struct timer over;
	char *from, *display;
};

/* Who is told may end the conversation, and with it what is known of its writers. */
static void tell(struct conversation *v, const char *from, const char *display, bool active)
{
	struct confab_event ev = event_of(v, CONFAB_TYPING);
	char who[256], name[256];

	(void)view_copy(view_str(from), who, sizeof(who));
	(void)view_copy(view_str(display), name, sizeof(name));
	ev.peer = who;
	ev.display = name;
	ev.active = active;
	client_emit(v->client, &ev);
}

/* --- ours --- */

static void say(struct conversation *v, bool active, uint64_t now_ms)
{
	struct is_composing state = {.active = active, .content_type = "text/plain"};
	struct timers *q = v->client->timers;
	struct buf b;

	timer_cancel(q, &v->composing_refresh);
	v->composing = active;
	if (!v->current)
		return;
	if (active) {
		state.refresh_s = REFRESH_S;
		timer_arm(q, &v->composing_refresh, now_ms + (REFRESH_S - 10) * 1000u);
	}
	buf_init(&b, IS_COMPOSING_BYTES_MAX);
	is_composing_write(&b, &state);
	if (buf_ok(&b))
		notice_send(v->current, NOTICE_TYPING, VIEW(""), VIEW(""), buf_view(&b), now_ms);
	buf_fini(&b);
}

static void idle(void *ctx, uint64_t now_ms)
{
	say(ctx, false, now_ms);
}

static void refresh(void *ctx, uint64_t now_ms)
{
	say(ctx, true, now_ms);
}

int client_typing(struct client *c, uint32_t conversation, bool active, uint64_t now_ms)
{
	struct conversation *v = conversation_find(c, conversation);

	if (!v || !v->current)
		return E_NOTFOUND;
	if (v->current->state != LEG_OPEN)
		return E_STATE;
	timer_cancel(c->timers, &v->composing_idle);
	if (active)
		timer_arm(c->timers, &v->composing_idle, now_ms + IDLE_MS);
	if (active != v->composing)
		say(v, active, now_ms);
	return 0;
}

/* §3.2: the message itself says that its writing is over. */
void typing_sent(struct conversation *v)
{
	timer_cancel(v->client->timers, &v->composing_idle);
	timer_cancel(v->client->timers, &v->composing_refresh);
	v->composing = false;
}

/* --- theirs --- */

static void composer_free(struct composer *p)
{
	timer_cancel(p->conversation->client->timers, &p->over);
	list_del(&p->link);
	p->conversation->n_composers--;
	free(p->from);
	free(p->display);
	free(p);
}

static struct composer *composer_find(const struct conversation *v, struct view from)
{
	LIST_EACH(l, next, &v->composers)
	{
		struct composer *p = CONTAINER(l, struct composer, link);

		if (view_eq(view_str(p->from), from))
			return p;
	}
	return NULL;
}

static void end(struct composer *p)
{
	struct conversation *v = p->conversation;

	timer_cancel(v->client->timers, &p->over);
	list_del(&p->link);
	v->n_composers--;
	tell(v, p->from, p->display, false);
	free(p->from);
	free(p->display);
	free(p);
}

static void over(void *ctx, uint64_t now_ms)
{
	(void)now_ms;
	end(ctx);
}

static struct composer *composer_new(struct conversation *v, struct view from, struct view display)
{
	struct composer *p;

	if (v->n_composers >= COMPOSERS_MAX)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->conversation = v;
	p->from = view_dup(from);
	p->display = view_dup(display);
	timer_init(&p->over, over, p);
	list_add_tail(&v->composers, &p->link);
	v->n_composers++;
	if (p->from && p->display)
		return p;
	composer_free(p);
	return NULL;
}

int typing_came(struct conversation *v, struct view from, struct view display, struct view body,
		uint64_t now_ms)
{
	struct composer *p = composer_find(v, from);
	struct is_composing state;
	bool is_new = !p;
	uint32_t seconds;

	if (is_composing_parse(body, &state))
		return 400;
	if (!state.active) {
		if (p)
			end(p);
		return 200;
	}
	if (!p)
		p = composer_new(v, from, display);
	if (!p)
		return 200;
	seconds = state.refresh_s ? state.refresh_s : IS_COMPOSING_REFRESH_DEFAULT_S;
	if (seconds > 3600)
		seconds = 3600;
	timer_arm(v->client->timers, &p->over, now_ms + (uint64_t)seconds * 1000);
	if (is_new)
		tell(v, p->from, p->display, true);
	return 200;
}

void typing_over(struct conversation *v, struct view from)
{
	struct composer *p = composer_find(v, from);

	if (p)
		end(p);
}

void typing_init(struct conversation *v)
{
	list_init(&v->composers);
	timer_init(&v->composing_idle, idle, v);
	timer_init(&v->composing_refresh, refresh, v);
}

void typing_fini(struct conversation *v)
{
	typing_sent(v);
	while (!list_empty(&v->composers))
		composer_free(CONTAINER(v->composers.next, struct composer, link));
}
