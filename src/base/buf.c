#include "base/buf.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
	b->n = 0;
	b->failed = false;
}

/* Room for n bytes that count against the cap, and for `more` that do not. */
static int make_room(struct buf *b, size_t n, size_t more)
{
	size_t want, size;
	char *p;

	if (b->failed)
		return E_LIMIT;
	if (n > b->max || b->n > b->max - n) {
		b->failed = true;
		return E_LIMIT;
	}
	want = b->n + n + more;
	if (want <= b->size)
		return 0;
	size = b->size ? b->size : 256;
	while (size < want)
		size = size > b->max / 2 ? b->max + more : size * 2;
	p = realloc(b->p, size);
	if (!p) {
		b->failed = true;
		return E_NOMEM;
	}
	b->p = p;
	b->size = size;
	return 0;
}

int buf_reserve(struct buf *b, size_t n)
{
	return make_room(b, n, 0);
}

void buf_put(struct buf *b, struct view v)
{
	if (v.n == 0 || buf_reserve(b, v.n))
		return;
	memcpy(b->p + b->n, v.p, v.n);
	b->n += v.n;
}

void buf_puts(struct buf *b, const char *s)
{
	buf_put(b, view_str(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_put(b, view_of(&c, 1));
}

void buf_put_u64(struct buf *b, uint64_t x)
{
	char tmp[20];
	size_t i = sizeof(tmp);

	do {
		tmp[--i] = (char)('0' + x % 10);
		x /= 10;
	} while (x);
	buf_put(b, view_of(tmp + i, sizeof(tmp) - i));
}

void buf_putf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (b->failed)
		return;
	va_start(ap, fmt);
	n = vsnprintf(b->p ? b->p + b->n : NULL, b->size - b->n, fmt, ap);
	va_end(ap);
	/* It fitted at once, as it mostly does. */
	if (n >= 0 && (size_t)n < b->size - b->n && (size_t)n <= b->max &&
	    b->n <= b->max - (size_t)n) {
		b->n += (size_t)n;
		return;
	}
	/* vsnprintf ends with a NUL, which is not part of the text. */
	if (n < 0 || make_room(b, (size_t)n, 1)) {
		b->failed = true;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void buf_drop(struct buf *b, size_t n)
{
	if (n > b->n)
		n = b->n;
	b->n -= n;
	if (b->n)
		memmove(b->p, b->p + n, b->n);
}

char *buf_take(struct buf *b, size_t *n_out)
{
	char *p;

	if (b->failed || b->n == 0)
		return NULL;
	/* It may be kept for long: without what it could still have grown by. */
	p = realloc(b->p, b->n);
	if (!p)
		p = b->p;
	*n_out = b->n;
	*b = (struct buf){.max = b->max};
	return p;
}
