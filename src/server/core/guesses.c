#include "server/core/guesses.h"

#include <stdlib.h>
#include <string.h>

struct guess {
	struct hash_node node;
	struct list by_age;
	uint64_t last_ms;
	uint64_t last_answer; /* its hash */
	uint32_t n;
	size_t source_n, key_n;
	char key[]; /* source, then the user */
};

void guesses_init(struct guesses *g, size_t max, uint32_t limit, uint64_t lockout_ms,
		  const uint64_t key[2])
{
	*g = (struct guesses){.max = max, .limit = limit, .lockout_ms = lockout_ms};
	hash_init(&g->table, max, key);
	list_init(&g->by_age);
}

static void drop(struct guesses *g, struct guess *guess)
{
	hash_del(&g->table, &guess->node);
	list_del(&guess->by_age);
	free(guess);
}

static struct guess *oldest(struct guesses *g)
{
	return CONTAINER(g->by_age.next, struct guess, by_age);
}

void guesses_fini(struct guesses *g)
{
	while (!list_empty(&g->by_age))
		drop(g, oldest(g));
	hash_fini(&g->table);
}

static uint64_t hash_of(const struct guesses *g, struct view source, struct view aor)
{
	return hash_more(&g->table, hash_bytes(&g->table, source), aor);
}

static struct guess *find(const struct guesses *g, const struct addr *from, struct view aor)
{
	struct view source = addr_source(from);
	uint64_t h = hash_of(g, source, aor);

	for (struct hash_node *n = hash_first(&g->table, h); n; n = hash_next(n, h)) {
		struct guess *guess = CONTAINER(n, struct guess, node);
		struct view key = view_of(guess->key, guess->key_n);

		if (view_eq(view_first(key, guess->source_n), source) &&
		    view_eq(view_from(key, guess->source_n), aor))
			return guess;
	}
	return NULL;
}

static void forget_old(struct guesses *g, uint64_t now_ms)
{
	while (!list_empty(&g->by_age) && now_ms - oldest(g)->last_ms >= g->lockout_ms)
		drop(g, oldest(g));
}

static struct guess *add(struct guesses *g, const struct addr *from, struct view aor)
{
	struct view source = addr_source(from);
	struct guess *guess;

	while (g->table.n && g->table.n >= g->max)
		drop(g, oldest(g));
	guess = calloc(1, sizeof(*guess) + source.n + aor.n);
	if (!guess)
		return NULL;
	guess->source_n = source.n;
	guess->key_n = source.n + aor.n;
	memcpy(guess->key, source.p, source.n);
	if (aor.n)
		memcpy(guess->key + source.n, aor.p, aor.n);
	list_init(&guess->by_age);
	if (hash_add(&g->table, &guess->node, hash_of(g, source, aor))) {
		free(guess);
		return NULL;
	}
	list_add_tail(&g->by_age, &guess->by_age);
	return guess;
}

bool guesses_shut(struct guesses *g, const struct addr *from, struct view aor, uint64_t now_ms)
{
	const struct guess *guess;

	forget_old(g, now_ms);
	guess = find(g, from, aor);
	return guess && g->limit && guess->n >= g->limit;
}

bool guesses_wrong(struct guesses *g, const struct addr *from, struct view aor, struct view answer,
		   uint64_t now_ms)
{
	uint64_t sum = hash_bytes(&g->table, answer);
	struct guess *guess;

	if (!g->limit)
		return false;
	forget_old(g, now_ms);
	guess = find(g, from, aor);
	if (!guess)
		guess = add(g, from, aor);
	if (!guess || (guess->n && guess->last_answer == sum))
		return false;
	guess->last_answer = sum;
	guess->last_ms = now_ms;
	list_del(&guess->by_age);
	list_add_tail(&g->by_age, &guess->by_age);
	return ++guess->n == g->limit;
}

void guesses_right(struct guesses *g, const struct addr *from, struct view aor)
{
	struct guess *guess = find(g, from, aor);

	if (guess)
		drop(g, guess);
}
