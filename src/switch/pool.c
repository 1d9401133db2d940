#include "switch/shard.h"

#include <stdlib.h>

/* Free lists keep at most so much in blocks; beyond it blocks go back to the heap. */
static const size_t blocks_kept = (size_t)64 << 20;
enum { BLOCK_SMALLEST = 512 };

void switch_pool_init(struct pool *p, size_t size, size_t max_free)
{
	*p = (struct pool){.size = size < sizeof(void *) ? sizeof(void *) : size,
			   .max_free = max_free};
}

void switch_pool_fini(struct pool *p)
{
	while (p->free) {
		void *thing = p->free;

		memcpy(&p->free, thing, sizeof(void *));
		free(thing);
	}
	p->n_free = 0;
}

void *switch_pool_get(struct pool *p)
{
	void *thing = p->free;

	if (!thing)
		return calloc(1, p->size);
	memcpy(&p->free, thing, sizeof(void *));
	p->n_free--;
	return memset(thing, 0, p->size);
}

void switch_pool_put(struct pool *p, void *thing)
{
	if (p->n_free >= p->max_free) {
		free(thing);
		return;
	}
	memcpy(thing, &p->free, sizeof(void *));
	p->free = thing;
	p->n_free++;
}

static uint32_t class_of(size_t size)
{
	uint32_t class = 0;

	while (class < BLOCK_CLASSES && ((size_t)BLOCK_SMALLEST << class) < size)
		class ++;
	return class;
}

struct block *switch_block_new(struct switch_shard *s, size_t size)
{
	uint32_t class = class_of(size);
	struct block *b = NULL;

	if (class < BLOCK_CLASSES) {
		size = (size_t)BLOCK_SMALLEST << class;
		b = s->free_block[class];
	}
	if (b) {
		s->free_block[class] = b->next;
		s->free_bytes -= size;
	} else {
		b = malloc(sizeof(*b) + size);
		if (!b)
			return NULL;
	}
	b->next = NULL;
	b->refs = 1;
	b->class = class;
	b->size = size;
	b->n = 0;
	return b;
}

void switch_block_unref(struct switch_shard *s, struct block *b)
{
	if (!b || --b->refs)
		return;
	if (b->class >= BLOCK_CLASSES || s->free_bytes + b->size > blocks_kept) {
		free(b);
		return;
	}
	b->next = s->free_block[b->class];
	s->free_block[b->class] = b;
	s->free_bytes += b->size;
}

int switch_block_put(struct switch_shard *s, struct block **b, struct view v)
{
	struct block *old = *b;

	if (v.n > old->size - old->n) {
		size_t want = old->n + v.n;
		struct block *larger =
			switch_block_new(s, want < 2 * old->size ? 2 * old->size : want);

		if (!larger)
			return E_NOMEM;
		memcpy(larger->bytes, old->bytes, old->n);
		larger->n = old->n;
		switch_block_unref(s, old);
		*b = old = larger;
	}
	if (v.n)
		memcpy(old->bytes + old->n, v.p, v.n);
	old->n += v.n;
	return 0;
}

void switch_blocks_fini(struct switch_shard *s)
{
	for (int i = 0; i < BLOCK_CLASSES; i++) {
		while (s->free_block[i]) {
			struct block *b = s->free_block[i];

			s->free_block[i] = b->next;
			free(b);
		}
	}
	s->free_bytes = 0;
}
