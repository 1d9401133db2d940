/*
 * Messages in several chunks on their way through a relay. A relay gathers nothing and keeps
 * nothing of a chunk that was answered; so that a message has a last chunk all the same (RFC 4975
 * §10.5: 413 makes its sender stop), those under way are remembered, a few of each sender's and no
 * more than their number of chunks.
 */
#include "switch/shard.h"

#include "msrp/write.h"

#include <stdlib.h>

enum { PASSING_IDLE_MS = 30000 };

static uint64_t id_hash(const struct seat *seat, struct view id)
{
	return hash_bytes(&seat->shard->by_session, id) | 1;
}

static struct passing *find(const struct seat *seat, struct view id)
{
	uint64_t hash = seat->passing ? id_hash(seat, id) : 0;

	for (size_t i = 0; seat->passing && i < INCOMING_MAX; i++)
		if (seat->passing[i].hash == hash)
			return &seat->passing[i];
	return NULL;
}

/* Its place, or a new one. Senders give messages up without a word: of the places, the one that was
 * idle longest is taken when that is long enough that nobody gets on by taking turns. */
static struct passing *take(struct seat *seat, struct view id, uint64_t now_ms)
{
	struct passing *p = find(seat, id), *oldest;

	if (p)
		return p;
	if (!seat->passing)
		seat->passing = calloc(INCOMING_MAX, sizeof(*seat->passing));
	if (!seat->passing)
		return NULL;
	oldest = seat->passing;
	for (size_t i = 0; i < INCOMING_MAX && oldest->hash; i++)
		if (!seat->passing[i].hash || seat->passing[i].at_ms < oldest->at_ms)
			oldest = &seat->passing[i];
	if (oldest->hash && now_ms - oldest->at_ms < PASSING_IDLE_MS)
		return NULL;
	*oldest = (struct passing){.hash = id_hash(seat, id)};
	return oldest;
}

int switch_passing_check(struct inbound *in)
{
	uint32_t max = in->seat->shard->cfg.max_chunks;
	struct passing *p = max ? find(in->seat, view_of(in->id, in->id_n)) : NULL;

	return p && (p->over || p->chunks >= max) ? 413 : 0;
}

int switch_passing_count(struct inbound *in, uint64_t now_ms)
{
	struct passing *p;

	if (!in->seat->shard->cfg.max_chunks)
		return 0;
	p = take(in->seat, view_of(in->id, in->id_n), now_ms);
	if (!p)
		return 413;
	p->at_ms = now_ms;
	p->chunks++;
	return 0;
}

void switch_passing_end(struct inbound *in)
{
	struct passing *p = find(in->seat, view_of(in->id, in->id_n));

	if (p)
		*p = (struct passing){0};
}

/* The receiver has some of it, and nothing more will come (RFC 4975 §7.3.1). */
static void tell_receiver(struct seat *sender, struct view id, uint64_t start, uint64_t now_ms)
{
	struct inbound in = {.mode = INBOUND_GATHER,
			     .seat = sender,
			     .start = start,
			     .end = MSRP_UNKNOWN,
			     .total = MSRP_UNKNOWN,
			     .failure_report = MSRP_FAILURE_NO};

	in.id_n = (uint16_t)id.n;
	memcpy(in.id, id.p, id.n);
	in.block = switch_inbound_head_block(
		sender->shard, &in, VIEW("Failure-Report: no\r\nContent-Type: text/plain\r\n\r\n"),
		start, MSRP_UNKNOWN, MSRP_UNKNOWN, 0, &in.fields_at);
	if (in.block && !switch_block_put(sender->shard, &in.block, VIEW("\r\n-------")) &&
	    !switch_relay_pass(&in, '#', now_ms)) {
		struct message *m = in.message;

		m->in = NULL;
		switch_message_end(m, now_ms);
	}
	switch_block_unref(sender->shard, in.block);
}

void switch_passing_stop(struct seat *sender, struct view id, uint64_t start, uint64_t now_ms)
{
	struct passing *p = find(sender, id);

	if (!p)
		return;
	p->at_ms = now_ms;
	if (!p->over)
		tell_receiver(sender, id, start, now_ms);
	p->over = true;
}
