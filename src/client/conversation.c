/* Conversations: what the person sees as one chat. What he writes, what comes in, and the end. */
#include "client/state.h"

#include "base/error.h"
#include "body/cpim.h"

#include <stdlib.h>

/* Messages of a conversation that have no last word; accepted ones whose reports may never come. */
enum { OUTBOX_MAX = 10000, UNREPORTED_MAX = 64, RECENT_MAX = 64, RECENT_TEXT_MAX = 65536 };

static void gate_over(void *ctx, uint64_t now_ms)
{
	struct conversation *v = ctx;

	v->gate_over = true;
	conversation_flush(v, now_ms);
	move_progress(v, now_ms);
}

static void resubscribe(void *ctx, uint64_t now_ms)
{
	roster_subscribe(ctx, now_ms);
}

struct conversation *conversation_new(struct client *c, struct view peer)
{
	struct conversation *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->client = c;
	v->peer = view_dup(peer);
	if (!v->peer) {
		free(v);
		return NULL;
	}
	v->id = ++c->next_conversation;
	list_init(&v->outbox);
	list_init(&v->recent);
	timer_init(&v->gate, gate_over, v);
	holding_init(v);
	timer_init(&v->resubscribe, resubscribe, v);
	split_init(v);
	glare_init(v);
	recover_init(v);
	typing_init(v);
	dispositions_init(v);
	list_add_tail(&c->conversations, &v->link);
	c->n_conversations++;
	return v;
}

struct conversation *conversation_find(const struct client *c, uint32_t id)
{
	LIST_EACH(l, next, &c->conversations)
	{
		struct conversation *v = CONTAINER(l, struct conversation, link);

		if (v->id == id)
			return v;
	}
	return NULL;
}

/* --- out --- */

static void tell_sent(struct conversation *v, const char *id, enum confab_sent state, int status,
		      const char *text)
{
	struct confab_event ev = event_of(v, CONFAB_SENT);

	ev.id = id;
	ev.sent = state;
	ev.status = status;
	ev.text = text;
	client_emit(v->client, &ev);
}

/* Out of the outbox: before anybody is told of its fate, who may end all this. */
static void outgoing_take(struct conversation *v, struct outgoing *o)
{
	list_del(&o->link);
	v->n_outbox--;
}

static void outgoing_free(struct conversation *v, struct outgoing *o)
{
	outgoing_take(v, o);
	free(o->to);
	free(o);
}

static struct outgoing *outgoing_find(struct conversation *v, struct view id)
{
	LIST_EACH(l, next, &v->outbox)
	{
		struct outgoing *o = CONTAINER(l, struct outgoing, link);

		if (view_eq(view_str(o->id), id))
			return o;
	}
	return NULL;
}

/* The message as it goes on the wire: CPIM where the peer takes it (R-5 of RFC 7701: To says for
 * whom). */
static int compose(const struct leg *leg, const struct outgoing *o, uint64_t now_ms,
		   struct buf *body)
{
	const struct conversation *v = leg->conversation;
	struct client *c = v->client;
	bool named = leg->conference && v->nickname;
	struct buf headers;
	int rc;
	char when[CPIM_DATETIME_MAX];
	struct cpim_text text = {
		.from_uri = view_str(c->aor),
		.from_display = view_str(named ? v->nickname : c->display),
		.to_uri = view_str(o->to ? o->to : leg->peer),
		.date_time = view_str(cpim_datetime(when, c->cfg.unix_ms_at_zero + now_ms)),
		.content_type = VIEW("text/plain;charset=utf-8"),
		.body = view_of(o->text, o->n),
	};

	if (!leg->cpim) {
		buf_put(body, text.body);
		return buf_ok(body) ? 0 : E_NOMEM;
	}
	buf_init(&headers, 512);
	if (c->cfg.notices && leg->imdn)
		dispositions_write(&headers, o->id);
	text.headers = buf_view(&headers);
	rc = buf_ok(&headers) ? cpim_write(body, &text) : E_NOMEM;
	buf_fini(&headers);
	return rc;
}

/* Point 5 of "The move": never from one audience to a wider one; and what is for one participant
 * alone goes nowhere but to a conference that knows private messages. */
static bool may_go(const struct leg *leg, const struct outgoing *o)
{
	if (o->to)
		return leg->conference && leg->private_messages && leg->cpim;
	return !leg->conference || o->to_all;
}

static int hand_over(struct leg *leg, struct outgoing *o, uint64_t now_ms)
{
	struct msrp_outgoing m = {.message_id = view_str(o->id)};
	struct buf body;
	int rc;

	buf_init(&body, o->n + 4096);
	rc = compose(leg, o, now_ms, &body);
	m.content_type = leg->cpim ? VIEW("message/cpim") : VIEW("text/plain;charset=utf-8");
	m.content = buf_view(&body);
	/* Between two phones a report is the peer's own word, also where a relay stands between
	 * them. In a conference it would only be the switch's, which its 200 is already. */
	m.success_report = !leg->conference;
	o->state = OUTGOING_HANDED;
	o->leg = leg;
	leg->used = true;
	if (rc == 0)
		rc = msrp_session_send(leg->msrp, &m, NULL, now_ms);
	buf_fini(&body);
	return rc;
}

/* The gate: may what is written now go to the present leg? While the chat moves, only after all
 * that was written to the old session was confirmed there, or a bounded time has passed. */
static bool gate_open(const struct conversation *v)
{
	if (!v->current || v->current->state != LEG_OPEN || (v->old && glare_possible(v)))
		return false;
	return !v->old || v->gate_over || v->old->state == LEG_CLOSED || leg_settled(v->old);
}

/* Where it waits, everything after it does too. */
static struct outgoing *next_waiting(const struct conversation *v)
{
	struct outgoing *found = NULL;

	for (struct list *l = v->outbox.prev; l != &v->outbox; l = l->prev) {
		struct outgoing *o = CONTAINER(l, struct outgoing, link);

		if (o->state != OUTGOING_WAITING)
			break;
		found = o;
	}
	return found;
}

static void refuse(struct conversation *v, struct outgoing *o, int error)
{
	outgoing_take(v, o);
	tell_sent(v, o->id, o->rerouted ? CONFAB_SENT_UNCONFIRMED : CONFAB_SENT_FAILED,
		  error == E_LIMIT ? 413 : 0, error_text(error));
	free(o->to);
	free(o);
}

void conversation_flush(struct conversation *v, uint64_t now_ms)
{
	if (!gate_open(v))
		return;
	for (;;) {
		struct outgoing *o = next_waiting(v);
		int rc;

		if (!o)
			return;
		rc = may_go(v->current, o) ? hand_over(v->current, o, now_ms) : E_DENIED;
		if (rc == E_STATE) {
			o->state = OUTGOING_WAITING;
			o->leg = NULL;
			return;
		}
		if (rc)
			refuse(v, o, rc);
		/* Who is told of it may have ended all this. */
		if (rc && !gate_open(v))
			return;
	}
}

int conversation_say(struct conversation *v, struct view to, struct view text, char *id_out,
		     uint64_t now_ms)
{
	struct client *c = v->client;
	struct outgoing *o;

	if (text.n > TEXT_MAX || v->n_outbox >= OUTBOX_MAX)
		return E_LIMIT;
	if (v->current->state >= LEG_DRAINING || v->current->state == LEG_INCOMING)
		return E_STATE;
	o = calloc(1, sizeof(*o) + text.n);
	if (!o)
		return E_NOMEM;
	entropy_token(c->entropy, o->id, 26);
	o->to = to.n ? view_dup(to) : NULL;
	if (to.n && !o->to) {
		free(o);
		return E_NOMEM;
	}
	o->to_all = v->current->conference && !o->to;
	o->n = text.n;
	if (text.n)
		memcpy(o->text, text.p, text.n);
	list_add_tail(&v->outbox, &o->link);
	v->n_outbox++;
	if (id_out)
		memcpy(id_out, o->id, sizeof(o->id));
	typing_sent(v);
	conversation_flush(v, now_ms);
	return 0;
}

bool conversation_awaits(const struct leg *leg)
{
	LIST_EACH(l, next, &leg->conversation->outbox)
	{
		const struct outgoing *o = CONTAINER(l, struct outgoing, link);

		if (o->leg == leg && o->confirmed)
			return true;
	}
	return false;
}

int client_send(struct client *c, uint32_t conversation, struct view text, char *id_out,
		uint64_t now_ms)
{
	struct conversation *v = conversation_find(c, conversation);

	if (!v || !v->current)
		return E_NOTFOUND;
	return conversation_say(v, VIEW(""), text, id_out, now_ms);
}

static struct outgoing *first_on(const struct conversation *v, const struct leg *leg)
{
	LIST_EACH(l, next, &v->outbox)
	{
		struct outgoing *o = CONTAINER(l, struct outgoing, link);

		if (!leg || o->leg == leg)
			return o;
	}
	return NULL;
}

void conversation_unconfirmed(struct conversation *v, struct leg *leg)
{
	struct outgoing *o;

	while ((o = first_on(v, leg))) {
		bool waiting = o->state == OUTGOING_WAITING && !o->rerouted;

		outgoing_take(v, o);
		/* A 200 may be that of a relay: the word of a peer who sends reports is his report.
		 */
		if (!o->confirmed || (o->leg && o->leg->reports))
			tell_sent(v, o->id, waiting ? CONFAB_SENT_FAILED : CONFAB_SENT_UNCONFIRMED,
				  0, waiting ? "never sent" : "");
		free(o->to);
		free(o);
	}
}

void conversation_requeue(struct conversation *v, const struct leg *leg, uint64_t since_ms)
{
	LIST_EACH(l, next, &v->outbox)
	{
		struct outgoing *o = CONTAINER(l, struct outgoing, link);

		if (o->leg != leg)
			continue;
		/* Where no relay stood between, the 200 was the peer's own. */
		if (o->confirmed && !leg->reports &&
		    (!leg->by_server || o->accepted_ms < since_ms)) {
			outgoing_free(v, o);
			continue;
		}
		o->state = OUTGOING_WAITING;
		o->confirmed = false;
		o->leg = NULL;
	}
}

/* Only before anything newer has gone there: a writer's words keep their order. */
static bool may_reroute(const struct conversation *v)
{
	const struct leg *leg = v->current;

	return !v->ended && !v->leaving && leg && leg->state == LEG_OPEN && !leg->used &&
	       leg->conference && leg->private_messages && leg->cpim;
}

void conversation_reroute(struct conversation *v, struct leg *old, uint64_t now_ms)
{
	char *peer = may_reroute(v) ? client_aor(view_str(old->peer)) : NULL;

	LIST_EACH(l, next, &v->outbox)
	{
		struct outgoing *o = CONTAINER(l, struct outgoing, link);

		if (!peer || o->leg != old || o->to || o->to_all || (o->confirmed && !old->reports))
			continue;
		o->to = view_dup(view_str(peer));
		if (!o->to)
			continue;
		o->rerouted = true;
		o->confirmed = false;
		o->state = OUTGOING_WAITING;
		o->leg = NULL;
	}
	free(peer);
	conversation_unconfirmed(v, old);
	conversation_flush(v, now_ms);
}

/* A peer who never reports leaves his to the end of the session: only the latest ones are kept for
 * it. */
static void forget_unreported(struct conversation *v, const struct leg *leg)
{
	struct outgoing *oldest = NULL;
	size_t n = 0;

	if (leg->reports)
		return;
	LIST_EACH(l, next, &v->outbox)
	{
		struct outgoing *o = CONTAINER(l, struct outgoing, link);

		if (o->leg != leg || !o->confirmed)
			continue;
		oldest = oldest ? oldest : o;
		n++;
	}
	if (n > UNREPORTED_MAX)
		outgoing_free(v, oldest);
}

static void forget_recent(struct conversation *v)
{
	struct outgoing *o = CONTAINER(v->recent.next, struct outgoing, link);

	list_del(&o->link);
	v->n_recent--;
	free(o->to);
	free(o);
}

/* The switch has it, and it leaves the outbox. */
static void accepted(struct conversation *v, struct outgoing *o, uint64_t now_ms)
{
	if (o->n > RECENT_TEXT_MAX) {
		outgoing_free(v, o);
		return;
	}
	outgoing_take(v, o);
	o->accepted_ms = now_ms;
	o->leg = NULL;
	list_add_tail(&v->recent, &o->link);
	if (++v->n_recent > RECENT_MAX)
		forget_recent(v);
}

void conversation_say_again(struct conversation *v, uint64_t since_ms)
{
	while (!list_empty(&v->recent)) {
		struct outgoing *o = CONTAINER(v->recent.prev, struct outgoing, link);

		if (o->accepted_ms < since_ms)
			break;
		list_del(&o->link);
		v->n_recent--;
		o->state = OUTGOING_WAITING;
		o->again = o->rerouted = true;
		list_add_head(&v->outbox, &o->link);
		v->n_outbox++;
	}
}

/* What a message's new state means for it; before anybody is told, who may end all this. */
static enum confab_sent settle(const struct leg *leg, struct outgoing *o,
			       enum msrp_message_state state, uint64_t now_ms)
{
	struct conversation *v = leg->conversation;
	bool rerouted = o && o->rerouted;

	if (o && state == MSRP_MSG_ACCEPTED && !leg->conference) {
		o->confirmed = true; /* a report follows */
		o->accepted_ms = now_ms;
		forget_unreported(v, leg);
	} else if (o && state == MSRP_MSG_ACCEPTED) {
		accepted(v, o, now_ms);
	} else if (o) {
		outgoing_free(v, o);
	}
	return state == MSRP_MSG_ACCEPTED    ? CONFAB_SENT_ACCEPTED
	       : state == MSRP_MSG_DELIVERED ? CONFAB_SENT_DELIVERED
	       /* It may have arrived on the session that it was written for. */
	       : rerouted ? CONFAB_SENT_UNCONFIRMED
			  : CONFAB_SENT_FAILED;
}

static void on_state(void *ctx, struct msrp_session *s, struct view message_id,
		     enum msrp_message_state state, int status, struct view comment,
		     uint64_t now_ms)
{
	struct leg *leg = ctx;
	struct conversation *v = leg->conversation;
	char id[CONFAB_ID_SIZE], text[128];
	enum confab_sent sent;

	(void)s;
	if (state < MSRP_MSG_ACCEPTED)
		return;
	(void)view_copy(message_id, id, sizeof(id));
	(void)view_copy(comment, text, sizeof(text));
	if (state == MSRP_MSG_DELIVERED)
		leg->reports = true;
	if (!notice_state(leg, message_id, state, status)) {
		struct outgoing *o = outgoing_find(v, message_id);
		bool told = o && o->again && state == MSRP_MSG_ACCEPTED;

		sent = settle(leg, o, state, now_ms);
		if (!told)
			tell_sent(v, id, sent, sent == CONFAB_SENT_FAILED ? status : 0,
				  sent == CONFAB_SENT_FAILED ? text : "");
	}
	if (leg == v->old)
		conversation_flush(v, now_ms);
	/* Either of these may be the leg's end. */
	if (leg->state == LEG_DRAINING)
		leg_drain_progress(leg, now_ms);
	else if (leg == v->old)
		move_progress(v, now_ms);
}

/* --- in --- */

static bool seen_before(struct conversation *v, struct view from, struct view id)
{
	uint64_t h = hash_more(&v->client->ids, hash_bytes(&v->client->ids, from), id);
	size_t n = v->n_seen < SEEN_MAX ? v->n_seen : SEEN_MAX;

	for (size_t i = 0; i < n; i++)
		if (v->seen[i] == h)
			return true;
	v->seen[v->n_seen++ % SEEN_MAX] = h;
	return false;
}

static int read_message(const struct leg *leg, const struct msrp_incoming *m, struct incoming *in,
			struct cpim *cpim)
{
	*in = (struct incoming){.from = view_str(leg->peer),
				.id = m->message_id,
				.type = m->content_type,
				.data = m->content,
				.to_all = leg->conference};
	if (!view_starts_nocase(m->content_type, VIEW("message/cpim")))
		return leg->conference ? 415 : 200;
	if (cpim_parse(m->content, cpim))
		return 400;
	if (leg->conference && cpim->from.uri.n)
		in->from = cpim->from.uri;
	/* RFC 7701 §6: To names one person where it is for him alone. */
	if (leg->conference && cpim->n_to == 1) {
		char *to = client_aor(cpim->to[0].uri);

		in->to_all =
			!to || !view_eq(view_str(to), view_str(leg->conversation->client->aor));
		free(to);
	}
	in->display = cpim->from.display;
	in->type = cpim->content_type.n ? cpim->content_type : VIEW("text/plain");
	in->data = cpim->body;
	return 200;
}

/* A CPIM name without its escapes. */
static struct view plain_name(struct view escaped, char *dst, size_t size)
{
	struct buf b;

	buf_init(&b, size);
	cpim_unescape(&b, escaped);
	(void)view_copy(buf_ok(&b) ? buf_view(&b) : VIEW(""), dst, size);
	buf_fini(&b);
	return view_str(dst);
}

static bool is_type(const struct incoming *in, const char *type)
{
	struct view rest = in->type;

	return view_eq_nocase(view_trim(view_cut(&rest, ';')), view_str(type));
}

static int on_message(void *ctx, struct msrp_session *s, const struct msrp_incoming *m,
		      uint64_t now_ms)
{
	struct leg *leg = ctx;
	struct conversation *v = leg->conversation;
	struct incoming in;
	struct cpim cpim = {0};
	char from[256], display[256], id[256], type[128];
	char *aor;
	int status = read_message(leg, m, &in, &cpim);

	(void)s;
	if (status != 200)
		return status;
	aor = client_aor(in.from);
	(void)view_copy(aor ? view_str(aor) : in.from, from, sizeof(from));
	free(aor);
	in.from = view_str(from);
	in.display = plain_name(in.display, display, sizeof(display));
	if (is_type(&in, "application/im-iscomposing+xml"))
		return typing_came(v, in.from, in.display, in.data, now_ms);
	if (is_type(&in, "message/imdn+xml"))
		return dispositions_came(v, in.from, in.display, in.data);
	/* A message may come twice when a connection broke under it: shown once. */
	if (seen_before(v, in.from, in.id))
		return 200;
	typing_over(v, in.from);
	if (v->ended)
		return 200; /* who was told has left */
	if (cpim.n_from)
		dispositions_received(leg, in.from, in.id, &cpim, now_ms);
	(void)view_copy(in.id, id, sizeof(id));
	(void)view_copy(in.type, type, sizeof(type));
	in.id = view_str(id);
	in.type = view_str(type);
	if (!holding_must_wait(v, leg, from) || !holding_add(v, &in, now_ms))
		conversation_show(v, &in);
	return 200;
}

static void on_open(void *ctx, struct msrp_session *s, uint64_t now_ms)
{
	(void)s;
	leg_opened(ctx, now_ms);
}

static void on_response(void *ctx, struct msrp_session *s, struct view tid, int status,
			struct view comment, uint64_t now_ms)
{
	(void)s;
	(void)now_ms;
	nickname_response(ctx, tid, status, comment);
}

static void on_down(void *ctx, struct msrp_session *s, int error, uint64_t now_ms)
{
	(void)s;
	leg_down(ctx, error, now_ms);
}

const struct msrp_session_handler conversation_messages = {
	.on_open = on_open,
	.on_message = on_message,
	.on_state = on_state,
	.on_response = on_response,
	.on_down = on_down,
};

/* --- the end --- */

/* The memory stays until nobody on the stack can still look at it (reap.c). */
static void conversation_bury(struct conversation *v, uint64_t now_ms)
{
	struct leg *leg[] = {v->offered, v->old, v->current, v->glare.dropped};

	v->offered = v->old = v->current = v->glare.dropped = NULL;
	roster_end(v);
	join_end(v);
	glare_end(v);
	recover_fini(v);
	typing_fini(v);
	dispositions_fini(v);
	free(v->nickname);
	free(v->nickname_asked);
	v->nickname = v->nickname_asked = NULL;
	for (size_t i = 0; i < sizeof(leg) / sizeof(leg[0]); i++)
		leg_free(leg[i], now_ms);
	while (!list_empty(&v->outbox))
		outgoing_free(v, CONTAINER(v->outbox.next, struct outgoing, link));
	while (!list_empty(&v->recent))
		forget_recent(v);
	holding_fini(v);
	list_add_tail(&v->client->dead_conversations, &v->link);
	reap_later(v->client);
}

void conversation_drop(struct conversation *v, uint64_t now_ms)
{
	v->ended = true;
	list_del(&v->link);
	v->client->n_conversations--;
	conversation_bury(v, now_ms);
}

void conversation_end(struct conversation *v, int status, const char *text, uint64_t now_ms)
{
	struct client *c = v->client;
	struct confab_event ev;

	if (v->ended)
		return;
	/* Out of the list before anybody is told: its number means nothing any more. */
	v->ended = true;
	list_del(&v->link);
	c->n_conversations--;
	if (c->world.event) {
		conversation_release(v);
		recover_given_up(v);
		conversation_unconfirmed(v, NULL);
		ev = event_of(v, CONFAB_ENDED);
		ev.status = status;
		ev.text = text;
		client_emit(c, &ev);
	}
	conversation_bury(v, now_ms);
}

void conversation_leg_closed(struct leg *leg, uint64_t now_ms)
{
	struct conversation *v = leg->conversation;

	leg_enter(leg, LEG_CLOSED);
	timer_cancel(v->client->timers, &leg->again);
	timer_cancel(v->client->timers, &leg->patience);
	if (leg == v->old)
		move_old_closed(v, now_ms);
	else if (leg == v->current && v->old && !v->leaving)
		move_failed(v, 0, "the conference ended", now_ms);
	else
		conversation_end(v, leg->end_status,
				 leg->end_text	    ? leg->end_text
				 : leg->dialog_over ? ""
						    : "connection lost",
				 now_ms);
}

int client_leave(struct client *c, uint32_t conversation, bool anonymous, uint64_t now_ms)
{
	struct conversation *v = conversation_find(c, conversation);
	struct leg *leg;

	if (!v)
		return E_NOTFOUND;
	leg = v->current;
	v->leaving = true;
	/* IC-7.1.5-3. The BYE is answered later; the conversation is over for the person now, and
	 * the session object sees its BYE through. */
	if (leg && leg->sip && !leg->dialog_over) {
		leg_hang_up(leg, anonymous ? VIEW("Privacy: id\r\n") : VIEW(""), now_ms);
		if (leg->state >= LEG_OPENING) {
			leg_drain(leg, false, now_ms);
			return 0;
		}
	}
	conversation_end(v, 0, "", now_ms);
	return 0;
}

struct msrp_session *client_msrp_session(struct client *c, uint32_t conversation, bool conference)
{
	struct conversation *v = conversation_find(c, conversation);

	if (v && v->current && v->current->conference == conference)
		return v->current->msrp;
	if (v && v->old && v->old->conference == conference)
		return v->old->msrp;
	return NULL;
}
