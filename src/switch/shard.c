/* A shard's life. */
#include "switch/shard.h"

#include <stdlib.h>

enum { POOL_KEPT = 65536, GUESTS_MAX = 65536 };

static void key_of(struct switch_shard *s, uint64_t key[2])
{
	key[0] = entropy_u64(&s->entropy);
	key[1] = entropy_u64(&s->entropy);
}

struct switch_shard *switch_shard_new(const struct switch_config *cfg, const struct switch_ops *ops,
				      struct timers *timers, const struct entropy *entropy,
				      const struct log *log)
{
	struct switch_shard *s = calloc(1, sizeof(*s));
	uint64_t key[2];

	if (!s)
		return NULL;
	s->cfg = *cfg;
	s->ops = *ops;
	s->timers = timers;
	s->entropy = *entropy;
	s->log = log;
	key_of(s, key);
	/* Draining seats keep their session ids for a while: there can be more of these than seats.
	 */
	hash_init(&s->by_session, 2 * cfg->max_seats, key);
	hash_init(&s->by_id, cfg->max_seats, key);
	hash_init(&s->by_uri, cfg->max_seats, key);
	hash_init(&s->conferences, cfg->max_conferences, key);
	hash_init(&s->by_number, cfg->max_conns, key);
	hash_init(&s->guests, GUESTS_MAX, key);
	list_init(&s->conns);
	list_init(&s->dirty);
	list_init(&s->orphans);
	s->next_number = 1;
	switch_pool_init(&s->deliveries, sizeof(struct delivery), POOL_KEPT);
	switch_pool_init(&s->messages, sizeof(struct message), POOL_KEPT);
	switch_pool_init(&s->inbounds, sizeof(struct inbound), POOL_KEPT);
	return s;
}

static void seat_discard(void *ctx, struct hash_node *node)
{
	struct seat *seat = CONTAINER(node, struct seat, by_session);

	(void)ctx;
	while (!list_empty(&seat->queue)) {
		struct delivery *d = CONTAINER(seat->queue.next, struct delivery, link);

		if (d->message)
			d->message->pending--;
		switch_delivery_free(d);
	}
	while (!list_empty(&seat->sent))
		switch_message_free(CONTAINER(seat->sent.next, struct message, sender_link));
}

static void seat_forget(void *ctx, struct hash_node *node)
{
	(void)ctx;
	switch_seat_free(CONTAINER(node, struct seat, by_session));
}

static void conference_forget(void *ctx, struct hash_node *node)
{
	switch_conference_free(ctx, CONTAINER(node, struct conference, node));
}

void switch_shard_free(struct switch_shard *s)
{
	if (!s)
		return;
	while (!list_empty(&s->conns))
		switch_conn_free(CONTAINER(s->conns.next, struct switch_conn, link));
	hash_each(&s->by_session, seat_discard, s);
	while (!list_empty(&s->orphans))
		switch_message_free(CONTAINER(s->orphans.next, struct message, sender_link));
	hash_each(&s->by_session, seat_forget, s);
	hash_each(&s->conferences, conference_forget, s);
	hash_fini(&s->by_session);
	hash_fini(&s->by_id);
	hash_fini(&s->by_uri);
	hash_fini(&s->conferences);
	hash_fini(&s->by_number);
	hash_fini(&s->guests);
	switch_pool_fini(&s->deliveries);
	switch_pool_fini(&s->messages);
	switch_pool_fini(&s->inbounds);
	switch_blocks_fini(s);
	free(s);
}

void switch_shard_counts(const struct switch_shard *s, struct switch_counts *out)
{
	*out = s->counts;
	out->conns = s->n_conns;
	out->conferences = s->conferences.n;
	out->seats = s->n_seats;
}
