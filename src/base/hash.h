/*
 * Intrusive hash table with a keyed hash (SipHash-1-3), so that a peer who
 * chooses Call-IDs or session ids cannot choose the buckets. Grows by doubling;
 * has a cap on entries.
 */
#ifndef CONFAB_BASE_HASH_H
#define CONFAB_BASE_HASH_H

#include "base/view.h"

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash {
	struct hash_node **bucket;
	size_t n_buckets; /* a power of two, or 0 before the first insert */
	size_t n;
	size_t max;
	uint64_t key[2];
};

/* max: most entries; key: 128 bits of entropy. No memory is taken yet. */
void hash_init(struct hash *h, size_t max, const uint64_t key[2]);
/* Frees the buckets; the entries belong to the caller. */
void hash_fini(struct hash *h);
uint64_t hash_bytes(const struct hash *h, struct view v);
/* A second part of a key folded into a first one's hash. */
uint64_t hash_more(const struct hash *h, uint64_t seed, struct view v);
/* Inserts node under hash value; duplicates are the caller's business. E_LIMIT at the cap,
 * E_NOMEM. */
int hash_add(struct hash *h, struct hash_node *node, uint64_t value);
/* Removes node; does nothing when it is not in the table. */
void hash_del(struct hash *h, struct hash_node *node);
/* The chain that may hold entries of this value: walk with hash_next. */
struct hash_node *hash_first(const struct hash *h, uint64_t value);
struct hash_node *hash_next(const struct hash_node *node, uint64_t value);
/* Calls fn for each node; fn may delete the node it is given, and nothing else. */
void hash_each(struct hash *h, void (*fn)(void *ctx, struct hash_node *node), void *ctx);

#endif
