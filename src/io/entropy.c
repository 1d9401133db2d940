#include "io/entropy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { POOL = 512 };

static _Thread_local struct {
	unsigned char bytes[POOL];
	size_t left; /* the unused ones stand at the end */
} pool;

/* Fills dst whole or ends the process: ids that can be guessed would be worse than none. */
static void from_kernel(unsigned char *dst, size_t n)
{
	while (n) {
		ssize_t got = getrandom(dst, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			(void)fputs("the kernel gives no random bytes; cannot go on\n", stderr);
			abort();
		}
		dst += got;
		n -= (size_t)got;
	}
}

static void fill(void *ctx, void *dst, size_t n)
{
	unsigned char *at;

	(void)ctx;
	if (n > POOL) {
		from_kernel(dst, n);
		return;
	}
	if (n > pool.left) {
		from_kernel(pool.bytes, POOL);
		pool.left = POOL;
	}
	if (!n)
		return;
	at = pool.bytes + POOL - pool.left;
	memcpy(dst, at, n);
	explicit_bzero(at, n);
	pool.left -= n;
}

struct entropy io_entropy(void)
{
	return (struct entropy){.fill = fill};
}
