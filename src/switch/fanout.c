/* Who gets a message (SW-1, SW-2; RFC 7701 §6). */
#include "switch/shard.h"

#include "base/buf.h"
#include "body/cpim.h"

#include <stdlib.h>

enum { DASHES = sizeof("\r\n-------") - 1 };

struct route {
	bool all;
	char key[URI_TEXT_MAX]; /* of the one it is for */
	struct view display;
	bool no_from, no_to; /* to be put in on behalf of the sender */
	size_t head;	     /* bytes that are CPIM's, not the content's */
	int type;
	char type_text[TYPE_TEXT_MAX];
};

static bool is_anonymous(const char *key)
{
	return view_ends(view_str(key), VIEW("@anonymous.invalid"));
}

/* CPIM From must be the sender's own address. Several anonymous ones share an address: they are
 * told apart by the name the focus gave them. */
static bool from_is_own(struct seat *sender, const struct cpim *m)
{
	char key[URI_TEXT_MAX];

	if (m->n_from != 1 || view_empty(m->from.uri) || m->from.uri.n >= URI_TEXT_MAX)
		return false;
	if (is_anonymous(sender->key) && *sender->display && m->from.display.n &&
	    !view_eq(m->from.display, view_str(sender->display)))
		return false;
	if (sender->from && view_eq(view_str(sender->from), m->from.uri))
		return true;
	if (strcmp(switch_uri_key(m->from.uri, key), sender->key) != 0)
		return false;
	free(sender->from);
	sender->from = view_dup(m->from.uri);
	return true;
}

/* Reads CPIM headers: 0, a status, or -1 for "more bytes". last: no more will come. */
static int route_read(struct seat *sender, struct view body, bool last, struct route *r)
{
	struct conference *conf = sender->conference;
	struct cpim m;
	int rc = cpim_parse_head(body, &m);

	if (rc == 0 && last)
		rc = cpim_parse(body, &m) < 0 ? E_SYNTAX : (int)body.n;
	if (rc <= 0)
		return rc == 0 ? -1 : 400;
	r->head = (size_t)rc;
	r->no_from = m.n_from == 0 && sender->shard->cfg.wrap_plain;
	r->no_to = m.n_to == 0;
	if ((!r->no_from && !from_is_own(sender, &m)) || m.n_to > 1)
		return 403;
	r->type = switch_conference_type(conf, m.content_type, r->type_text);
	r->all = true;
	if (m.n_to == 0 || view_eq(m.to[0].uri, view_str(conf->uri)))
		return 0;
	if (m.to[0].uri.n >= URI_TEXT_MAX)
		return 404;
	if (strcmp(switch_uri_key(m.to[0].uri, r->key), conf->key) == 0)
		return 0;
	r->all = false;
	r->display = m.to[0].display;
	return 0;
}

/* Where a chunk was prefixed the sender's own bytes stand behind that. */
static struct view body_of(const struct inbound *in, size_t tail)
{
	return view_of(in->block->bytes + in->body_at, in->block->n - in->body_at - tail);
}

static uint64_t head_hash(const struct inbound *in, size_t n)
{
	size_t before = in->first ? (size_t)in->shift : 0;

	return hash_bytes(&in->seat->shard->by_session,
			  view_first(view_from(body_of(in, 0), before), n));
}

/* Where chunks overlap the last one counts (RFC 4975 §7.3.1): one that comes later could put
 * another From in the place of the one that was looked at. 0, a status, or -1 for "more bytes". */
static int head_is_kept(const struct inbound *in, size_t tail)
{
	const struct message *m = in->message;

	if (in->start > m->head_n)
		return 0;
	if (in->start != 1)
		return 400;
	if (body_of(in, tail).n < m->head_n)
		return -1;
	return head_hash(in, m->head_n) == m->head_hash ? 0 : 400;
}

static uint64_t uri_hash(const struct switch_shard *s, const struct conference *conf,
			 const char *key)
{
	struct view id = view_of((const char *)&conf->id, sizeof(conf->id));

	return hash_more(&s->by_uri, hash_bytes(&s->by_uri, id), view_str(key));
}

static bool is_addressed(const struct seat *seat, const struct seat *sender, const struct route *r)
{
	if (seat == sender || seat->conference != sender->conference ||
	    strcmp(seat->key, r->key) != 0)
		return false;
	return !is_anonymous(seat->key) || view_eq(view_str(seat->display), r->display);
}

/* Calls fn for each receiver, and says how many there are. */
static size_t each_receiver(struct seat *sender, const struct route *r,
			    void (*fn)(void *ctx, struct seat *seat), void *ctx)
{
	struct switch_shard *s = sender->shard;
	struct conference *conf = sender->conference;
	size_t n = 0;

	if (r->all) {
		for (size_t i = 0; i < conf->n; i++) {
			struct seat *seat = conf->seat[i];

			if (seat == sender || !switch_seat_receives(seat) ||
			    !switch_seat_takes(seat, r->type, r->type_text))
				continue;
			n++;
			if (fn)
				fn(ctx, seat);
		}
		return n;
	}
	uint64_t hash = uri_hash(s, conf, r->key);

	for (struct hash_node *node = hash_first(&s->by_uri, hash); node;
	     node = hash_next(node, hash)) {
		struct seat *seat = CONTAINER(node, struct seat, by_uri);

		if (!is_addressed(seat, sender, r) || !switch_seat_receives(seat))
			continue;
		n++;
		if (fn && switch_seat_takes(seat, r->type, r->type_text))
			fn(ctx, seat);
	}
	return n;
}

static void takes_private(void *ctx, struct seat *seat)
{
	bool *yes = ctx;

	/* Before its owner's answer nobody knows. */
	if (seat->takes_private || !seat->answered)
		*yes = true;
}

/* Private messages: 428 where they are off or the receiver knows none, 404 for nobody, and an
 * anonymous address that several share finds nobody unless the name tells which. */
static int check_private(struct seat *sender, const struct route *r)
{
	bool taken = false;
	size_t n;

	if (r->all)
		return 0;
	if (!sender->shard->cfg.private_messages)
		return 428;
	n = each_receiver(sender, r, NULL, NULL);
	if (n == 0 || (n > 1 && is_anonymous(r->key)))
		return 404;
	/* RFC 7701 §6.2: who cannot tell it from a message to all must not get it. */
	each_receiver(sender, r, takes_private, &taken);
	return taken ? 0 : 428;
}

struct gathered {
	struct message *m;
	struct block *block;
	uint64_t now_ms;
};

/* A message that came in one chunk: nobody has to be remembered. */
static void to_one(void *ctx, struct seat *seat)
{
	struct gathered *g = ctx;

	g->m->n_receivers++;
	if (seat->max_size && g->m->total != MSRP_UNKNOWN && g->m->total > seat->max_size)
		switch_message_failed(g->m, 0, 413, g->now_ms);
	else if (!switch_delivery_whole(seat, g->m, g->block, '$', 0))
		switch_message_failed(g->m, 0, 408, g->now_ms);
}

static void add_listener(void *ctx, struct seat *seat)
{
	struct message *m = ctx;

	m->listener[m->n_listeners++] = (struct listener){.seat = seat};
}

/* The receivers, fixed by the first chunk. */
static struct message *begin_message(struct inbound *in, const struct route *r, uint64_t now_ms)
{
	struct seat *sender = in->seat;
	size_t n = each_receiver(sender, r, NULL, NULL);
	struct message *m;

	if (sender->n_incoming >= INCOMING_MAX)
		return NULL;
	m = switch_message_new(sender, in);
	if (!m)
		return NULL;
	m->type = r->type;
	m->head_n = in->wrapped ? 0 : r->head;
	m->head_hash = head_hash(in, m->head_n);
	m->listener = calloc(n ? n : 1, sizeof(*m->listener));
	if (!m->listener) {
		switch_message_free(m);
		return NULL;
	}
	each_receiver(sender, r, add_listener, m);
	m->n_receivers = (uint32_t)m->n_listeners;
	list_add_tail(&sender->incoming, &m->incoming_link);
	sender->n_incoming++;
	list_add_tail(&sender->conference->messages, &m->conference_link);
	for (size_t i = 0; i < m->n_listeners; i++) {
		struct seat *seat = m->listener[i].seat;

		if (!seat->max_size || m->total == MSRP_UNKNOWN || m->total <= seat->max_size)
			continue;
		m->listener[i].dead = true;
		switch_message_failed(m, (uint32_t)i, 413, now_ms);
	}
	switch_message_arm(m, now_ms);
	return m;
}

static void listener_failed(struct message *m, size_t i, uint64_t position, uint64_t now_ms)
{
	struct listener *l = &m->listener[i];

	l->dead = true;
	switch_message_failed(m, (uint32_t)i, 408, now_ms);
	switch_delivery_abort(l->seat, m, position, (uint32_t)i);
}

static void chunk_to_listeners(struct inbound *in, char flag, uint64_t now_ms)
{
	struct message *m = in->message;

	for (size_t i = 0; i < m->n_listeners; i++) {
		struct listener *l = &m->listener[i];

		if (l->dead || !l->seat)
			continue;
		if (switch_delivery_whole(l->seat, m, in->block, flag, (uint32_t)i))
			l->begun = true;
		else
			listener_failed(m, i, in->start + m->shift, now_ms);
	}
}

/* Some phones write CPIM that names nobody: the switch knows who they are, and a header in front of
 * theirs leaves all of theirs as it was. */
static int name_sender(struct inbound *in, const struct route *r)
{
	const struct seat *sender = in->seat;
	struct buf b;
	int status;

	if (!r->no_from)
		return 0;
	buf_init(&b, CPIM_HEAD_MAX);
	buf_putf(&b, "From: <%s>\r\n", sender->uri);
	if (r->no_to)
		buf_putf(&b, "To: <%s>\r\n", sender->conference->uri);
	status = buf_ok(&b) ? switch_inbound_prefix(in, buf_view(&b)) : 413;
	buf_fini(&b);
	return status;
}

int switch_fanout_whole(struct switch_shard *s, struct inbound *in, char flag, uint64_t now_ms)
{
	struct gathered g = {.now_ms = now_ms};
	struct route r = {0};
	int status;

	(void)s;
	if (in->seat->relay)
		return switch_relay_whole(in, flag, now_ms);
	if (in->message) {
		if (flag != '#' && head_is_kept(in, DASHES))
			return 400;
		chunk_to_listeners(in, flag, now_ms);
		return 0;
	}
	status = route_read(in->seat, body_of(in, DASHES), flag != '+', &r);
	if (!status)
		status = check_private(in->seat, &r);
	if (!status)
		status = name_sender(in, &r);
	if (status)
		return status < 0 ? 400 : status;
	if (flag == '#')
		return 0;
	if (flag == '+') {
		in->message = begin_message(in, &r, now_ms);
		if (!in->message)
			return 413;
		chunk_to_listeners(in, flag, now_ms);
		return 0;
	}
	in->message = g.m = switch_message_new(in->seat, in);
	if (!g.m)
		return 413;
	g.block = in->block;
	g.m->type = r.type;
	g.m->total = in->n_body + in->shift;
	each_receiver(in->seat, &r, to_one, &g);
	return 0;
}

int switch_fanout_stream_begin(struct switch_shard *s, struct inbound *in, uint64_t now_ms)
{
	struct view fields;
	struct route r = {0};
	int status;

	if (in->seat->relay) {
		status = switch_relay_stream_begin(in, now_ms);
		if (status)
			return status;
	} else if (!in->message) {
		status = route_read(in->seat, body_of(in, 0), false, &r);
		if (!status)
			status = check_private(in->seat, &r);
		if (!status)
			status = name_sender(in, &r);
		if (status)
			return status;
		in->message = begin_message(in, &r, now_ms);
		if (!in->message)
			return 413;
	} else {
		status = head_is_kept(in, 0);
		if (status)
			return status;
	}
	if (!in->message->fields) {
		struct block *b;

		fields = view_of(in->block->bytes + in->fields_at, in->body_at - in->fields_at);
		b = switch_block_new(s, fields.n);
		if (!b)
			return 413;
		memcpy(b->bytes, fields.p, fields.n);
		b->n = fields.n;
		in->message->fields = b;
	}
	in->position = in->first ? 1 : in->start + in->message->shift;
	return 0;
}

void switch_fanout_stream(struct switch_shard *s, struct inbound *in, char flag, uint64_t now_ms)
{
	struct message *m = in->message;
	size_t n = in->block ? in->block->n - in->body_at : 0;

	if (n == 0 && !flag)
		return;
	for (size_t i = 0; i < m->n_listeners; i++) {
		struct listener *l = &m->listener[i];

		if (l->dead || !l->seat)
			continue;
		if (switch_delivery_piece(l->seat, m, in->block, in->body_at, n, in->position, flag,
					  (uint32_t)i))
			l->begun = true;
		else
			listener_failed(m, i, in->position, now_ms);
	}
	switch_block_unref(s, in->block);
	in->block = NULL;
	in->body_at = 0;
	in->position += n;
	if (in->n_body + in->start - 1 > m->size)
		m->size = in->n_body + in->start - 1;
	switch_message_arm(m, now_ms);
}
