/*
 * A connection's queue: pieces of shared blocks and, between them, heads and end-lines that
 * are written into blocks of the connection's own, where neighbours merge into one piece.
 */
#include "switch/shard.h"

#include <stdlib.h>

enum { TEXT_BYTES = 2048, RING_FIRST = 4, RING_MAX = 1 << 20, RING_KEPT = 256 };

static int ring_grow(struct output *o, uint32_t pieces)
{
	uint32_t size = o->size ? o->size : RING_FIRST;
	struct piece *ring;

	while (size - o->n < pieces) {
		if (size >= RING_MAX)
			return E_LIMIT;
		size *= 2;
	}
	ring = malloc(size * sizeof(*ring));
	if (!ring)
		return E_NOMEM;
	for (uint32_t i = 0; i < o->n; i++)
		ring[i] = o->ring[(o->first + i) & (o->size - 1)];
	free(o->ring);
	o->ring = ring;
	o->size = size;
	o->first = 0;
	return 0;
}

int switch_output_reserve(struct switch_conn *c, uint32_t pieces, size_t text)
{
	struct output *o = &c->out;

	if (o->size - o->n < pieces && ring_grow(o, pieces))
		return E_NOMEM;
	if (!text || (o->text && o->text->size - o->text->n >= text))
		return 0;
	switch_block_unref(c->shard, o->text);
	o->text = switch_block_new(c->shard, text > TEXT_BYTES ? text : TEXT_BYTES);
	return o->text ? 0 : E_NOMEM;
}

static void push(struct output *o, struct block *b, char *p, size_t n)
{
	o->ring[(o->first + o->n) & (o->size - 1)] =
		(struct piece){.block = block_ref(b), .p = p, .n = n};
	o->n++;
	o->queued += n;
}

void switch_output_text(struct switch_conn *c, const char *bytes, size_t n)
{
	struct output *o = &c->out;
	struct block *t = o->text;
	struct piece *last = o->n ? &o->ring[(o->first + o->n - 1) & (o->size - 1)] : NULL;

	if (!n)
		return;
	memcpy(t->bytes + t->n, bytes, n);
	if (last && last->block == t) {
		last->n += n;
		o->queued += n;
	} else {
		push(o, t, t->bytes + t->n, n);
	}
	t->n += n;
}

void switch_output_block(struct switch_conn *c, struct block *b, size_t off, size_t n)
{
	if (n)
		push(&c->out, b, b->bytes + off, n);
}

void switch_output_fini(struct switch_conn *c)
{
	struct output *o = &c->out;

	for (uint32_t i = 0; i < o->n; i++)
		switch_block_unref(c->shard, o->ring[(o->first + i) & (o->size - 1)].block);
	switch_block_unref(c->shard, o->text);
	free(o->ring);
	*o = (struct output){.queued = o->queued, .written = o->written};
}

void switch_output_drop(struct switch_conn *c, size_t n)
{
	struct output *o = &c->out;

	while (n && o->n) {
		struct piece *p = &o->ring[o->first & (o->size - 1)];

		if (p->n > n) {
			p->p += n;
			p->n -= n;
			return;
		}
		n -= p->n;
		switch_block_unref(c->shard, p->block);
		o->first = (o->first + 1) & (o->size - 1);
		o->n--;
	}
	if (o->n)
		return;
	c->replies = 0;
	/* The room for an open chunk's end-line was taken when it was opened. */
	if (c->open)
		return;
	/* An idle connection holds no block, and no ring that a storm has left behind. */
	switch_block_unref(c->shard, o->text);
	o->text = NULL;
	if (o->size > RING_KEPT) {
		free(o->ring);
		o->ring = NULL;
		o->size = o->first = 0;
	}
}

void switch_output_wake(struct switch_conn *c)
{
	/* What its end brings about is written to nobody; the world has forgotten it. */
	if (c->freed)
		return;
	if (!c->guest && !c->woken) {
		c->woken = true;
		c->shard->ops.wake(c->shard->ops.ctx, c->handle);
	} else if (c->guest && list_empty(&c->dirty)) {
		list_add_tail(&c->shard->dirty, &c->dirty);
	}
}

/* A peer that sends without reading its answers is not read any further. A peer that is slow to
 * read what others wrote goes on being read: its answers to that are on their way. */
void switch_output_replied(struct switch_conn *c, size_t n)
{
	c->replies += (uint32_t)n;
	if (!c->paused && !c->guest && c->replies > REPLIES_MAX) {
		c->paused = true;
		switch_conn_read_update(c);
	}
}

void switch_output_reply(struct switch_conn *c, const char *bytes, size_t n)
{
	switch_delivery_interrupt(c, '+');
	if (switch_output_reserve(c, 1, n))
		return;
	switch_output_text(c, bytes, n);
	switch_output_replied(c, n);
	switch_output_wake(c);
}

void switch_output_settle(struct switch_conn *c, uint64_t now_ms)
{
	while (!list_empty(&c->unwritten)) {
		struct delivery *d = CONTAINER(c->unwritten.next, struct delivery, conn_link);

		if (d->out_end > c->out.written)
			break;
		list_del(&d->conn_link);
		switch_delivery_written(c, d, now_ms);
	}
}

size_t switch_conn_output(struct switch_conn *c, struct view *piece, size_t max)
{
	const struct output *o = &c->out;
	size_t n = o->n < max ? o->n : max;

	for (size_t i = 0; i < n; i++) {
		const struct piece *p = &o->ring[(o->first + i) & (o->size - 1)];

		piece[i] = view_of(p->p, p->n);
	}
	return n;
}

void switch_conn_consumed(struct switch_conn *c, size_t bytes, uint64_t now_ms)
{
	struct switch_shard *s = c->shard;

	if (bytes > c->out.queued - c->out.written)
		bytes = (size_t)(c->out.queued - c->out.written);
	c->out.written += bytes;
	s->counts.bytes_out += bytes;
	if (bytes && timer_armed(&c->timer))
		switch_conn_unblocked(c);
	switch_output_drop(c, bytes);
	if (!c->out.n)
		c->woken = false;
	if (c->paused && !c->replies) {
		c->paused = false;
		switch_conn_read_update(c);
	}
	switch_output_settle(c, now_ms);
	switch_handover_output(s);
}
