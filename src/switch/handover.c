/*
 * Sessions of other shards over a connection of this one (RFC 4975 §5.4). The shard that accepted
 * the connection finds the frames' ends, and mails whole frames or parts of them in order to the
 * shard that the session id names; there they are read as from a connection of its own
 * (a guest). What the guest has to write comes back as bytes that end with a frame, so that
 * they can be mixed with what others write; a streamed chunk is interrupted there (§5.1).
 *
 * Neither side may run ahead of the other: of a connection, only AHEAD_MAX bytes are under way to
 * other shards, then it is not read until they were taken; and what a guest answers counts as the
 * connection's own answers do (switch_output_replied).
 */
#include "switch/shard.h"

#include <stdlib.h>

enum mail_type {
	MAIL_DATA,     /* what was read, for a guest */
	MAIL_DOWN,     /* the connection is gone */
	MAIL_WRITTEN,  /* `count` bytes of a guest's output are written */
	MAIL_TAKEN,    /* a MAIL_DATA on its way back: it has been read; count: switch_conn_most */
	MAIL_OUT,      /* a guest's output; `count` bytes of it are answers */
	MAIL_USED,     /* a seat is bound to the connection */
	MAIL_UNUSED,   /* none is any more */
	MAIL_FINISHED, /* none is, and the last one was closed */
	MAIL_STOP,     /* the connection is not to be read for now (relay) */
	MAIL_GO,       /* it is, again */
};

struct switch_mail {
	enum mail_type type;
	unsigned from;
	uint64_t number; /* of the connection, on the shard where it lives */
	uint64_t count;
	size_t n, size;
	bool shared, tls, known; /* what its guests have to know of the connection */
	uint8_t sha256[SHA256_BYTES];
	char bytes[];
};

void switch_mail_free(struct switch_mail *mail)
{
	free(mail);
}

static struct switch_mail *mail_new(const struct switch_conn *c, enum mail_type type, size_t size)
{
	struct switch_mail *mail = malloc(sizeof(*mail) + size);

	if (!mail)
		return NULL;
	*mail = (struct switch_mail){
		.type = type, .from = c->shard->cfg.shard, .number = c->number, .size = size};
	mail->shared = (c->n_seats > 0) + __builtin_popcountll(c->used) > 1 || c->n_seats > 1;
	mail->tls = c->tls;
	mail->known = c->known;
	memcpy(mail->sha256, c->sha256, sizeof(mail->sha256));
	return mail;
}

static void mail_send(struct switch_shard *s, unsigned to, struct switch_mail *mail)
{
	if (!mail)
		return;
	s->counts.mails++;
	s->ops.mail(s->ops.ctx, to, mail);
}

unsigned switch_handover_shard(const struct switch_shard *s, struct view session)
{
	unsigned shard = 0;

	if (session.n <= SESSION_SHARD_CHARS || session.p[SESSION_SHARD_CHARS] != '-')
		return s->cfg.shard;
	for (int i = 0; i < SESSION_SHARD_CHARS; i++) {
		char x = session.p[i];

		if (x >= 'a' && x <= 'z')
			shard = shard << 5 | (unsigned)(x - 'a');
		else if (x >= '2' && x <= '7')
			shard = shard << 5 | (unsigned)(x - '2' + 26);
		else
			return s->cfg.shard;
	}
	return shard < s->cfg.n_shards && shard < SHARDS_MAX ? shard : s->cfg.shard;
}

void switch_handover_flush(struct switch_conn *c)
{
	struct switch_mail *mail = c->mail;

	c->mail = NULL;
	if (mail)
		mail_send(c->shard, c->mail_to, mail);
}

/* Memory gave out in the middle of a stream: nothing after it could be read there. */
static void give_up(struct switch_conn *c)
{
	c->deaf = true;
	if (!c->finishing) {
		c->finishing = true;
		c->shard->ops.finish(c->shard->ops.ctx, c->handle);
	}
}

/* What a mail costs, whatever stands in it. */
static size_t mail_cost(const struct switch_mail *mail)
{
	return sizeof(*mail) + mail->size;
}

static void mail_data(struct switch_conn *c, size_t want)
{
	size_t size = want < MAIL_LEAST ? MAIL_LEAST : want < MAIL_BYTES ? want : MAIL_BYTES;

	c->mail = mail_new(c, MAIL_DATA, size);
	if (!c->mail) {
		give_up(c);
		return;
	}
	c->ahead += mail_cost(c->mail);
	switch_conn_read_update(c);
}

static void put(struct switch_conn *c, struct view v)
{
	while (v.n && !c->deaf) {
		size_t room;

		if (c->mail && c->mail->n == c->mail->size)
			switch_handover_flush(c);
		if (!c->mail)
			mail_data(c, v.n);
		if (!c->mail)
			return;
		room = c->mail->size - c->mail->n;
		room = room < v.n ? room : v.n;
		memcpy(c->mail->bytes + c->mail->n, v.p, room);
		c->mail->n += room;
		v = view_from(v, room);
	}
}

void switch_handover_head(struct switch_conn *c, unsigned to, const struct msrp_head *h)
{
	struct inbound *in = switch_inbound_new(c, INBOUND_FORWARD);

	if (!in) {
		give_up(c);
		return;
	}
	if (c->mail && c->mail_to != to)
		switch_handover_flush(c);
	c->mail_to = to;
	c->told |= (uint64_t)1 << to;
	in->shard = to;
	in->tid_n = (uint8_t)h->tid.n;
	memcpy(in->tid, h->tid.p, h->tid.n);
	in->has_range = h->has_body;
	put(c, h->raw);
	if (h->has_body)
		put(c, VIEW("\r\n"));
}

void switch_handover_body(struct switch_conn *c, struct view body)
{
	put(c, body);
}

void switch_handover_end(struct switch_conn *c, char flag)
{
	struct inbound *in = c->in;

	put(c, in->has_range ? VIEW("\r\n-------") : VIEW("-------"));
	put(c, view_of(in->tid, in->tid_n));
	put(c, view_of(&flag, 1));
	put(c, VIEW("\r\n"));
	c->in = NULL;
	switch_pool_put(&c->shard->inbounds, in);
}

void switch_handover_down(struct switch_conn *c)
{
	if (c->guest)
		return;
	switch_handover_flush(c);
	for (unsigned to = 0; to < SHARDS_MAX; to++)
		if (c->told >> to & 1)
			mail_send(c->shard, to, mail_new(c, MAIL_DOWN, 0));
	c->told = 0;
}

void switch_handover_used(struct switch_conn *c, bool used, bool finish)
{
	if (!c->guest || c->freed)
		return;
	mail_send(c->shard, c->origin,
		  mail_new(c,
			   used	    ? MAIL_USED
			   : finish ? MAIL_FINISHED
				    : MAIL_UNUSED,
			   0));
}

void switch_handover_stop(struct switch_conn *c, bool stop)
{
	mail_send(c->shard, c->origin, mail_new(c, stop ? MAIL_STOP : MAIL_GO, 0));
}

void switch_handover_written(struct switch_conn *c, unsigned shard, size_t n)
{
	struct switch_mail *mail = mail_new(c, MAIL_WRITTEN, 0);

	if (!mail)
		return;
	mail->count = n;
	mail_send(c->shard, shard, mail);
}

static void mail_output(struct switch_conn *c)
{
	struct output *o = &c->out;
	struct switch_mail *mail;
	size_t n = 0;

	switch_delivery_interrupt(c, '+');
	for (uint32_t i = 0; i < o->n; i++)
		n += o->ring[(o->first + i) & (o->size - 1)].n;
	list_del(&c->dirty);
	if (!n)
		return;
	mail = mail_new(c, MAIL_OUT, n);
	if (!mail)
		return; /* tried again with the next output */
	for (uint32_t i = 0; i < o->n; i++) {
		const struct piece *p = &o->ring[(o->first + i) & (o->size - 1)];

		memcpy(mail->bytes + mail->n, p->p, p->n);
		mail->n += p->n;
	}
	mail->count = c->replies;
	switch_output_drop(c, n);
	mail_send(c->shard, c->origin, mail);
}

void switch_handover_output(struct switch_shard *s)
{
	while (!list_empty(&s->dirty))
		mail_output(CONTAINER(s->dirty.next, struct switch_conn, dirty));
}

static struct switch_conn *guest_new(struct switch_shard *s, const struct switch_mail *mail)
{
	struct switch_conn *c = switch_conn_new(s, NULL, mail->from, mail->number);

	if (c && mail->tls)
		switch_conn_secured(c, mail->known ? mail->sha256 : NULL);
	return c;
}

/* On the shard where the session lives. */
static void for_guest(struct switch_shard *s, const struct switch_mail *mail, uint64_t now_ms)
{
	struct switch_conn *c = switch_conn_find(s, mail->from, mail->number);

	if (!c && mail->type == MAIL_DATA)
		c = guest_new(s, mail);
	if (!c)
		return;
	c->shared = mail->shared;
	if (mail->type == MAIL_DATA) {
		switch_conn_recv(c, view_of(mail->bytes, mail->n), now_ms);
	} else if (mail->type == MAIL_DOWN) {
		switch_conn_release(c, now_ms);
	} else {
		uint64_t left = c->out.queued - c->out.written;

		c->out.written += mail->count < left ? mail->count : left;
		switch_output_settle(c, now_ms);
	}
}

/* On the shard where the connection lives. */
static void for_host(struct switch_shard *s, const struct switch_mail *mail, uint64_t now_ms)
{
	struct switch_conn *c = switch_conn_find(s, s->cfg.shard, mail->number);
	uint64_t bit = (uint64_t)1 << (mail->from % SHARDS_MAX);
	struct block *b;

	if (!c)
		return;
	switch (mail->type) {
	case MAIL_OUT:
		b = switch_block_new(s, mail->n);
		if (b) {
			memcpy(b->bytes, mail->bytes, mail->n);
			b->n = mail->n;
		}
		if (!b || !switch_delivery_remote(c, b, mail->from))
			give_up(c);
		else if (mail->count)
			switch_output_replied(c, (size_t)mail->count);
		break;
	case MAIL_TAKEN:
		c->ahead -= mail_cost(mail);
		c->most = (uint32_t)mail->count;
		switch_conn_read_update(c);
		break;
	case MAIL_USED:
		if (!c->n_seats && !c->used && !c->finishing)
			timer_cancel(s->timers, &c->timer);
		c->used |= bit;
		break;
	case MAIL_STOP:
	case MAIL_GO:
		c->stopped_by =
			mail->type == MAIL_STOP ? c->stopped_by | bit : c->stopped_by & ~bit;
		switch_conn_read_update(c);
		break;
	default:
		c->used &= ~bit;
		switch_conn_idle(c, mail->type == MAIL_FINISHED, now_ms);
		break;
	}
}

void switch_mail_deliver(struct switch_shard *s, struct switch_mail *mail, uint64_t now_ms)
{
	if (mail->type > MAIL_WRITTEN) {
		for_host(s, mail, now_ms);
		switch_mail_free(mail);
	} else if (mail->type == MAIL_DATA) {
		const struct switch_conn *c;
		unsigned host = mail->from;

		for_guest(s, mail, now_ms);
		c = switch_conn_find(s, host, mail->number);
		mail->count = c ? c->most : 0;
		/* The mail itself goes back: that cannot fail. */
		mail->type = MAIL_TAKEN;
		mail->from = s->cfg.shard;
		switch_handover_output(s);
		mail_send(s, host, mail);
	} else {
		for_guest(s, mail, now_ms);
		switch_mail_free(mail);
	}
	switch_handover_output(s);
}
