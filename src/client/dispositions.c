/* Delivered and displayed (RFC 5438), inside sessions and in CPIM: what is asked of us is told, and
 * what we are told. */
#include "client/state.h"

#include "base/error.h"
#include "body/imdn.h"

#include <stdio.h>
#include <stdlib.h>

enum { WANTED_MAX = 256 };

#define NS_LINE "NS: imdn <" CPIM_NS_IMDN ">\r\n"

/* Who asked to be told that a message of his was displayed. */
struct wanted {
	struct list link;
	char *to;      /* CPIM From of the message */
	char *msrp_id; /* as the application knows the message */
	char *id;      /* imdn.Message-ID */
	char *date_time;
	bool conference; /* it came there */
};

void dispositions_write(struct buf *b, const char *id)
{
	buf_putf(b,
		 NS_LINE "imdn.Message-ID: %s\r\nimdn.Disposition-Notification: positive-delivery, "
			 "display\r\n",
		 id);
}

static bool listed(struct view list, struct view token)
{
	while (list.n) {
		struct view entry = view_cut(&list, ',');

		if (view_eq_nocase(view_trim(view_cut(&entry, ';')), token))
			return true;
	}
	return false;
}

static void tell(struct leg *leg, struct view to, struct view id, struct view date_time,
		 enum imdn_kind kind, uint64_t now_ms)
{
	struct client *c = leg->conversation->client;
	struct imdn m = {.kind = kind,
			 .status = kind == IMDN_DISPLAY ? IMDN_DISPLAYED : IMDN_DELIVERED};
	char token[25], headers[128];
	struct buf xml;

	if (!view_copy(id, m.message_id, sizeof(m.message_id)) ||
	    !view_copy(date_time, m.date_time, sizeof(m.date_time)) ||
	    !view_copy(view_str(c->aor), m.recipient_uri, sizeof(m.recipient_uri)))
		return;
	(void)snprintf(headers, sizeof(headers), NS_LINE "imdn.Message-ID: %s\r\n",
		       entropy_token(c->entropy, token, 24));
	buf_init(&xml, IMDN_BYTES_MAX);
	if (imdn_write(&xml, &m) == 0 && buf_ok(&xml))
		notice_send(leg, NOTICE_DISPOSITION, to, view_str(headers), buf_view(&xml), now_ms);
	buf_fini(&xml);
}

static void wanted_free(struct conversation *v, struct wanted *w)
{
	list_del(&w->link);
	v->n_wanted--;
	free(w->to);
	free(w->msrp_id);
	free(w->id);
	free(w->date_time);
	free(w);
}

static void keep(struct leg *leg, struct view to, struct view msrp_id, struct view id,
		 struct view date_time)
{
	struct conversation *v = leg->conversation;
	struct wanted *w = calloc(1, sizeof(*w));

	if (!w)
		return;
	w->to = view_dup(to);
	w->msrp_id = view_dup(msrp_id);
	w->id = view_dup(id);
	w->date_time = view_dup(date_time);
	w->conference = leg->conference;
	list_add_tail(&v->wanted, &w->link);
	if (++v->n_wanted > WANTED_MAX)
		wanted_free(v, CONTAINER(v->wanted.next, struct wanted, link));
	else if (!w->to || !w->msrp_id || !w->id || !w->date_time)
		wanted_free(v, w);
}

void dispositions_received(struct leg *leg, struct view from, struct view id, const struct cpim *m,
			   uint64_t now_ms)
{
	struct view ns = VIEW(CPIM_NS_IMDN), asked, imdn_id, writer;

	/* Nobody can be told whose address is withheld (RFC 5438 §10). */
	if (!m->from.uri.n || view_ends(from, VIEW("@anonymous.invalid")) ||
	    !cpim_header(m, ns, VIEW("Disposition-Notification"), &asked) ||
	    !cpim_header(m, ns, VIEW("Message-ID"), &imdn_id) || !imdn_id.n ||
	    imdn_id.n >= IMDN_ID_MAX)
		return;
	/* Between two it is the other one, whatever he writes: what he is told may have to go by a
	 * conference, where others have that name. */
	writer = leg->conference ? m->from.uri : view_str(leg->peer);
	if (listed(asked, VIEW("positive-delivery")))
		tell(leg, writer, imdn_id, m->date_time, IMDN_DELIVERY, now_ms);
	if (listed(asked, VIEW("display")))
		keep(leg, writer, id, imdn_id, m->date_time);
}

int client_displayed(struct client *c, uint32_t conversation, struct view id, uint64_t now_ms)
{
	struct conversation *v = conversation_find(c, conversation);

	if (!v || !v->current)
		return E_NOTFOUND;
	LIST_EACH(l, next, &v->wanted)
	{
		struct wanted *w = CONTAINER(l, struct wanted, link);
		struct leg *leg = v->current;

		if (!view_eq(view_str(w->msrp_id), id))
			continue;
		/* While the chat moves, who wrote in the old session may be reached there alone. */
		if (leg->conference != w->conference && v->old && v->old->state == LEG_OPEN)
			leg = v->old;
		tell(leg, view_str(w->to), view_str(w->id), view_str(w->date_time), IMDN_DISPLAY,
		     now_ms);
		wanted_free(v, w);
	}
	/* Nobody asked: there is nothing to tell. */
	return 0;
}

int dispositions_came(struct conversation *v, struct view from, struct view display,
		      struct view body)
{
	struct imdn m;
	struct confab_event ev;
	char who[256], name[256];

	if (imdn_parse(body, &m))
		return 400;
	if (m.status != IMDN_DELIVERED && m.status != IMDN_DISPLAYED) {
		log_line(v->client->log, LOG_INFO, "client",
			 "conversation %u: a disposition that was not asked for", v->id);
		return 200;
	}
	ev = event_of(v, m.status == IMDN_DELIVERED ? CONFAB_DELIVERED_TO : CONFAB_DISPLAYED_BY);
	(void)view_copy(from, who, sizeof(who));
	(void)view_copy(display, name, sizeof(name));
	ev.peer = who;
	ev.display = name;
	ev.id = m.message_id;
	client_emit(v->client, &ev);
	return 200;
}

void dispositions_init(struct conversation *v)
{
	list_init(&v->wanted);
}

void dispositions_fini(struct conversation *v)
{
	while (!list_empty(&v->wanted))
		wanted_free(v, CONTAINER(v->wanted.next, struct wanted, link));
}
