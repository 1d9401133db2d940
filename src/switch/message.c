/*
 * Message records: what became of a message at all its receivers, gathered into one
 * report to its sender (SW-2, RFC 4975 §7.1.4).
 */
#include "switch/shard.h"

#include <stdio.h>
#include <stdlib.h>

static void gathered(void *ctx, uint64_t now_ms);

static void idle(void *ctx, uint64_t now_ms)
{
	struct message *m = ctx;
	struct switch_shard *s = m->shard;

	switch_message_abandon(m, now_ms);
	switch_handover_output(s);
}

struct message *switch_message_new(struct seat *sender, struct inbound *in)
{
	struct switch_shard *s = sender->shard;
	struct message *m = switch_pool_get(&s->messages);

	if (!m)
		return NULL;
	m->shard = s;
	m->sender = sender;
	list_add_tail(&sender->sent, &m->sender_link);
	list_init(&m->incoming_link);
	list_init(&m->conference_link);
	list_init(&m->due_link);
	timer_init(&m->timer, gathered, m);
	timer_init(&m->idle, idle, m);
	m->failure_report = in->failure_report;
	m->receiving = true;
	m->in = in;
	m->type = -1;
	m->shift = in->shift;
	m->alias = in->alias;
	m->next = 1;
	m->total = in->total == MSRP_UNKNOWN ? in->total : in->total + in->shift;
	m->id_n = in->id_n;
	memcpy(m->id, in->id, in->id_n);
	return m;
}

static void stop_receiving(struct message *m)
{
	m->receiving = false;
	timer_cancel(m->shard->timers, &m->idle);
	/* A chunk that is being read goes nowhere any more. */
	if (m->in) {
		m->in->message = NULL;
		m->in->mode = INBOUND_SKIP;
		m->in = NULL;
	}
	if (!list_empty(&m->incoming_link)) {
		list_del(&m->incoming_link);
		if (m->sender)
			m->sender->n_incoming--;
	}
	list_del(&m->conference_link);
	for (size_t i = 0; i < m->n_listeners; i++)
		m->listener[i].seat = NULL;
}

void switch_message_free(struct message *m)
{
	struct switch_shard *s = m->shard;

	stop_receiving(m);
	timer_cancel(s->timers, &m->timer);
	list_del(&m->sender_link);
	switch_drain_message_done(m);
	switch_block_unref(s, m->fields);
	if (m->listener != &m->only)
		free(m->listener);
	switch_pool_put(&s->messages, m);
}

/* Queued like a message, so that it outlives a broken connection. False: no memory just now. */
static bool write_report(struct seat *to, struct view id, uint64_t first, uint64_t bytes,
			 uint64_t total, int status, const char *comment)
{
	char text[MESSAGE_ID_MAX + 256], total_text[24] = "*";
	struct block *b;
	bool queued;
	int n;

	if (total != MSRP_UNKNOWN)
		(void)snprintf(total_text, sizeof(total_text), "%llu", (unsigned long long)total);
	n = snprintf(text, sizeof(text),
		     "Message-ID: %.*s\r\nByte-Range: %llu-%llu/%s\r\nStatus: 000 %d %s\r\n-------",
		     VIEW_ARG(id), (unsigned long long)first, (unsigned long long)bytes, total_text,
		     status, comment);
	if (n < 0 || (size_t)n >= sizeof(text))
		return true;
	b = switch_block_new(to->shard, (size_t)n);
	if (!b)
		return false;
	memcpy(b->bytes, text, (size_t)n);
	b->n = (size_t)n;
	queued = switch_delivery_report(to, b);
	switch_block_unref(to->shard, b);
	if (queued && to->conn)
		switch_output_replied(to->conn, (size_t)n + to->n_paths);
	return queued;
}

/* True when there is nothing more to say; false: to be tried again. */
static bool report(struct message *m)
{
	uint64_t total;
	char comment[48];

	if (m->reported || !m->n_failed || m->failure_report == MSRP_FAILURE_NO || !m->sender ||
	    m->sender->state == SEAT_LOST)
		return true;
	total = m->total - m->shift;
	if (m->total == MSRP_UNKNOWN)
		total = m->relay ? m->total : m->size;
	if (m->relay)
		(void)snprintf(comment, sizeof(comment), "%s", msrp_reason(m->status));
	else
		(void)snprintf(comment, sizeof(comment), "%u of %u receivers",
			       (unsigned)m->n_failed, (unsigned)m->n_receivers);
	m->reported = write_report(m->sender, view_of(m->id, m->id_n), m->relay ? m->start : 1,
				   m->size, total, m->status, comment);
	return m->reported;
}

/* Reports and frees what has all its results. */
static void conclude(struct message *m, uint64_t now_ms)
{
	if (m->receiving || m->pending)
		return;
	if (m->tid_n && m->sender && m->sender->conn)
		switch_conn_reply(m->sender->conn, m->sender, view_of(m->tid, m->tid_n),
				  m->n_failed ? m->status : 200);
	if (report(m))
		switch_message_free(m);
	else
		timer_arm(m->shard->timers, &m->timer, now_ms + GATHER_MS);
}

static void gathered(void *ctx, uint64_t now_ms)
{
	struct message *m = ctx;
	struct switch_shard *s = m->shard;

	if (m->receiving || !report(m))
		timer_arm(s->timers, &m->timer, now_ms + GATHER_MS);
	else if (!m->pending)
		switch_message_free(m);
	switch_handover_output(s);
}

void switch_message_failed(struct message *m, uint32_t listener, int status, uint64_t now_ms)
{
	struct switch_shard *s = m->shard;

	if (listener < m->n_listeners) {
		if (m->listener[listener].failed)
			return;
		m->listener[listener].failed = true;
	}
	m->n_failed++;
	s->counts.failed++;
	if (status > m->status)
		m->status = status;
	if (!m->reported && m->failure_report != MSRP_FAILURE_NO && !timer_armed(&m->timer))
		timer_arm(s->timers, &m->timer, now_ms + GATHER_MS);
}

void switch_message_withhold(struct message *m, struct view tid)
{
	m->tid_n = (uint8_t)tid.n;
	memcpy(m->tid, tid.p, tid.n);
	m->reported = true; /* by the answer */
	timer_cancel(m->shard->timers, &m->timer);
}

void switch_message_result(struct message *m, uint32_t listener, int status, uint64_t now_ms)
{
	if (status)
		switch_message_failed(m, listener, status, now_ms);
	m->pending--;
	conclude(m, now_ms);
}

void switch_message_end(struct message *m, uint64_t now_ms)
{
	stop_receiving(m);
	conclude(m, now_ms);
}

void switch_message_arm(struct message *m, uint64_t now_ms)
{
	timer_arm(m->shard->timers, &m->idle, now_ms + CHUNK_IDLE_MS);
}

void switch_message_abandon(struct message *m, uint64_t now_ms)
{
	for (size_t i = 0; i < m->n_listeners; i++) {
		struct listener *l = &m->listener[i];

		if (!l->dead && l->seat && l->begun)
			switch_delivery_abort(l->seat, m, m->size + m->shift + 1, (uint32_t)i);
		l->dead = true;
	}
	switch_message_end(m, now_ms);
}

void switch_message_cut_short(struct message *m, int status, uint64_t now_ms)
{
	for (size_t i = 0; i < m->n_listeners; i++)
		if (!m->listener[i].dead)
			switch_message_failed(m, (uint32_t)i, status, now_ms);
	switch_message_abandon(m, now_ms);
}

void switch_message_give_up(struct message *m, int status, uint64_t now_ms)
{
	if (!m->n_failed)
		switch_message_failed(m, UINT32_MAX, status, now_ms);
	if (report(m))
		switch_drain_message_done(m);
}

void switch_message_success(struct seat *sender, struct view id, uint64_t bytes)
{
	(void)write_report(sender, id, 1, bytes, bytes, 200, "OK");
}

void switch_message_sender_gone(struct seat *seat, uint64_t now_ms)
{
	LIST_EACH(l, tmp, &seat->sent)
	{
		struct message *m = CONTAINER(l, struct message, sender_link);

		if (m->receiving && !list_empty(&m->incoming_link)) {
			list_del(&m->incoming_link);
			seat->n_incoming--;
		}
		m->sender = NULL;
		list_del(&m->sender_link);
		list_add_tail(&m->shard->orphans, &m->sender_link);
		if (m->receiving)
			switch_message_abandon(m, now_ms);
		else
			conclude(m, now_ms);
	}
}

/* The chunks that are still to come will not reach it: the message fails there, whatever was
 * answered of it. */
void switch_message_listener_gone(struct seat *seat, uint64_t now_ms)
{
	LIST_EACH(l, tmp, &seat->conference->messages)
	{
		struct message *m = CONTAINER(l, struct message, conference_link);

		for (size_t i = 0; i < m->n_listeners; i++) {
			if (m->listener[i].seat != seat)
				continue;
			m->listener[i].seat = NULL;
			if (!m->listener[i].dead)
				switch_message_failed(m, (uint32_t)i, 481, now_ms);
			m->listener[i].dead = true;
		}
	}
}

struct message *switch_message_find(struct seat *sender, struct view id)
{
	LIST_EACH(l, tmp, &sender->incoming)
	{
		struct message *m = CONTAINER(l, struct message, incoming_link);

		if (view_eq(view_of(m->id, m->id_n), id))
			return m;
	}
	return NULL;
}

/* Whose seat it is. Somebody who has come back to another one sends again what was not answered, by
 * the id that receivers may know already. */
static uint64_t user_of(const struct seat *seat)
{
	const struct hash *h = &seat->shard->by_session;

	bool shared = view_ends(view_str(seat->key), VIEW("@anonymous.invalid"));

	return hash_more(h, hash_bytes(h, view_str(seat->key)),
			 shared ? view_str(seat->display) : VIEW(""));
}

uint64_t switch_message_alias(struct seat *sender, struct view id)
{
	struct conference *conf = sender->conference;
	const struct hash *h = &sender->shard->by_session;
	uint64_t hash = hash_bytes(h, id), user = user_of(sender);
	struct recent_id *last;
	bool taken = false;

	/* A slot can be overwritten by whoever says enough; what is under way counts in any case.
	 */
	LIST_EACH(l, tmp, &conf->messages)
	{
		struct message *m = CONTAINER(l, struct message, conference_link);

		taken = taken || (m->sender != sender && view_eq(view_of(m->id, m->id_n), id) &&
				  (!m->sender || user_of(m->sender) != user));
	}
	if (!conf->recent)
		conf->recent = calloc(RECENT_IDS, sizeof(*conf->recent));
	if (conf->recent) {
		last = &conf->recent[hash % RECENT_IDS];
		taken = taken || (last->hash == hash && last->user != user);
		if (!taken)
			*last = (struct recent_id){hash, user};
	}
	return taken ? hash_more(h, hash, view_of((const char *)&user, sizeof(user))) | 1 : 0;
}

struct view switch_message_shown_id(struct view id, uint64_t alias, char *dst)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	enum { MADE = 13 };
	size_t n = id.n < ALIAS_MAX - MADE - 1 ? id.n : ALIAS_MAX - MADE - 1;

	if (!alias)
		return id;
	memcpy(dst, id.p, n);
	dst[n++] = '.';
	for (int i = 0; i < MADE; i++, alias >>= 5)
		dst[n++] = alphabet[alias & 31];
	return view_of(dst, n);
}

bool switch_message_seen(struct seat *sender, struct view id)
{
	uint64_t hash = hash_bytes(&sender->shard->by_session, id);

	for (unsigned i = 0; sender->seen && i < SEEN_MAX; i++)
		if (sender->seen[i] == hash)
			return true;
	return false;
}

void switch_message_remember(struct seat *sender, struct view id)
{
	/* Most only listen. Without memory for it, duplicates are passed on. */
	if (!sender->seen)
		sender->seen = calloc(SEEN_MAX, sizeof(*sender->seen));
	if (!sender->seen)
		return;
	sender->seen[sender->seen_at++ % SEEN_MAX] = hash_bytes(&sender->shard->by_session, id);
}
