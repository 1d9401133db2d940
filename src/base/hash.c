#include "base/hash.h"

#include "base/error.h"

#include <stdlib.h>

void hash_init(struct hash *h, size_t max, const uint64_t key[2])
{
	*h = (struct hash){.max = max, .key = {key[0], key[1]}};
}

void hash_fini(struct hash *h)
{
	free(h->bucket);
	h->bucket = NULL;
	h->n_buckets = h->n = 0;
}

static inline uint64_t rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

uint64_t hash_more(const struct hash *h, uint64_t seed, struct view in)
{
	uint64_t k0 = h->key[0] ^ seed, k1 = h->key[1];
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
			 k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u};
	uint64_t last = (uint64_t)in.n << 56;
	size_t i = 0;

	for (; i + 8 <= in.n; i += 8) {
		uint64_t m;

		memcpy(&m, in.p + i, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	for (int s = 0; i < in.n; i++, s += 8)
		last |= (uint64_t)(unsigned char)in.p[i] << s;
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(const struct hash *h, struct view v)
{
	return hash_more(h, 0, v);
}

static int grow(struct hash *h)
{
	size_t n = h->n_buckets ? h->n_buckets * 2 : 16;
	struct hash_node **b = calloc(n, sizeof(struct hash_node *));

	if (!b)
		return E_NOMEM;
	for (size_t i = 0; i < h->n_buckets; i++) {
		struct hash_node *node = h->bucket[i];

		while (node) {
			struct hash_node *next = node->next;
			struct hash_node **slot = &b[node->hash & (n - 1)];

			node->next = *slot;
			*slot = node;
			node = next;
		}
	}
	free(h->bucket);
	h->bucket = b;
	h->n_buckets = n;
	return 0;
}

int hash_add(struct hash *h, struct hash_node *node, uint64_t value)
{
	struct hash_node **slot;

	if (h->n >= h->max)
		return E_LIMIT;
	/* A table that could not grow still works, with longer chains. */
	if (h->n >= h->n_buckets && grow(h) && !h->n_buckets)
		return E_NOMEM;
	slot = &h->bucket[value & (h->n_buckets - 1)];
	node->hash = value;
	node->next = *slot;
	*slot = node;
	h->n++;
	return 0;
}

void hash_del(struct hash *h, struct hash_node *node)
{
	struct hash_node **at;

	if (!h->n_buckets)
		return;
	for (at = &h->bucket[node->hash & (h->n_buckets - 1)]; *at; at = &(*at)->next) {
		if (*at == node) {
			*at = node->next;
			node->next = NULL;
			h->n--;
			return;
		}
	}
}

static struct hash_node *same(struct hash_node *node, uint64_t value)
{
	while (node && node->hash != value)
		node = node->next;
	return node;
}

struct hash_node *hash_first(const struct hash *h, uint64_t value)
{
	return h->n_buckets ? same(h->bucket[value & (h->n_buckets - 1)], value) : NULL;
}

struct hash_node *hash_next(const struct hash_node *node, uint64_t value)
{
	return same(node->next, value);
}

void hash_each(struct hash *h, void (*fn)(void *ctx, struct hash_node *node), void *ctx)
{
	for (size_t i = 0; i < h->n_buckets; i++) {
		struct hash_node *node = h->bucket[i];

		while (node) {
			struct hash_node *next = node->next;

			fn(ctx, node);
			node = next;
		}
	}
}
