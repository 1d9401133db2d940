#include "server/core/guesses.h"

#include <stdlib.h>
#include <string.h>

enum { SOURCE_MAX = 1 + 16 + 2 };

struct guess {
	struct hash_node node;
	struct list by_age;
	uint64_t last_ms;
	uint64_t last_answer; /* its hash */
	uint32_t n;
	size_t source_n, key_n;
	char key[]; /* source, then the user */
};

struct source {
	char text[SOURCE_MAX];
	size_t n;
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

static struct source source_of(const struct addr *from, bool port)
{
	struct view address = addr_source(from);
	struct source s = {.text = {port ? 'p' : 'a'}, .n = 1};

	if (port) {
		address = view_of((const char *)from->ip, sizeof(from->ip));
		s.text[s.n++] = (char)(from->port >> 8);
		s.text[s.n++] = (char)(from->port & 0xff);
	}
	memcpy(s.text + s.n, address.p, address.n);
	s.n += address.n;
	return s;
}

static uint64_t hash_of(const struct guesses *g, struct view source, struct view aor)
{
	return hash_more(&g->table, hash_bytes(&g->table, source), aor);
}

static struct guess *find(const struct guesses *g, const struct source *s, struct view aor)
{
	struct view source = view_of(s->text, s->n);
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

static struct guess *add(struct guesses *g, const struct source *s, struct view aor)
{
	struct view source = view_of(s->text, s->n);
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

static uint32_t limit_of(const struct guesses *g, bool port)
{
	return port || g->limit > UINT32_MAX / GUESSES_PORTS ? g->limit : g->limit * GUESSES_PORTS;
}

bool guesses_shut(struct guesses *g, const struct addr *from, struct view aor, uint64_t now_ms)
{
	bool shut = false;

	forget_old(g, now_ms);
	for (int port = 0; port < 2 && g->limit; port++) {
		struct source s = source_of(from, port);
		const struct guess *guess = find(g, &s, aor);

		shut = shut || (guess && guess->n >= limit_of(g, port));
	}
	return shut;
}

/* One more of this source. True: it was the last that is allowed. */
static bool count(struct guesses *g, const struct addr *from, bool port, struct view aor,
		  uint64_t sum, uint64_t now_ms)
{
	struct source s = source_of(from, port);
	struct guess *guess = find(g, &s, aor);

	if (!guess)
		guess = add(g, &s, aor);
	if (!guess || (guess->n && guess->last_answer == sum))
		return false;
	guess->last_answer = sum;
	guess->last_ms = now_ms;
	list_del(&guess->by_age);
	list_add_tail(&g->by_age, &guess->by_age);
	return ++guess->n == limit_of(g, port);
}

bool guesses_wrong(struct guesses *g, const struct addr *from, struct view aor, struct view answer,
		   uint64_t now_ms)
{
	uint64_t sum = hash_bytes(&g->table, answer);
	bool port, address;

	if (!g->limit)
		return false;
	forget_old(g, now_ms);
	port = count(g, from, true, aor, sum, now_ms);
	address = count(g, from, false, aor, sum, now_ms);
	return port || address;
}

void guesses_right(struct guesses *g, const struct addr *from, struct view aor)
{
	struct source s = source_of(from, true);
	struct guess *guess = find(g, &s, aor);

	if (guess)
		drop(g, guess);
}
