/*
 * A growing byte buffer with a hard cap. Failure is sticky: once a put did not
 * fit (cap or memory), further puts do nothing and buf_ok says false, so that a
 * writer can put piece after piece and check once at its end.
 */
#ifndef CONFAB_BASE_BUF_H
#define CONFAB_BASE_BUF_H

#include "base/view.h"

struct buf {
	char *p;
	size_t n;    /* bytes in use */
	size_t size; /* bytes allocated */
	size_t max;  /* cap in bytes */
	bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
/* Empties it and clears the failure; keeps the storage. */
void buf_reset(struct buf *b);
static inline bool buf_ok(const struct buf *b)
{
	return !b->failed;
}
/* The bytes in use; valid until the next put, reset or fini. */
static inline struct view buf_view(const struct buf *b)
{
	return (struct view){b->p, b->n};
}
/* Room for n more bytes: E_LIMIT past the cap, E_NOMEM. */
int buf_reserve(struct buf *b, size_t n);
void buf_put(struct buf *b, struct view v);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_put_u64(struct buf *b, uint64_t x);
void buf_putf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Drops n bytes from the front (n <= b->n), moving the rest down. */
void buf_drop(struct buf *b, size_t n);
/* Hands the heap storage over, cut to size (free with free); NULL when empty or failed. The buffer is
 * empty afterwards. */
char *buf_take(struct buf *b, size_t *n_out);

#endif
