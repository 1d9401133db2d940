/* Entropy is handed in: the pure rooms have none of their own. */
#ifndef CONFAB_BASE_ENTROPY_H
#define CONFAB_BASE_ENTROPY_H

#include "base/view.h"

struct entropy {
	/* Fills dst with n unpredictable bytes; never fails (the source aborts the process where
	 * the kernel has none). */
	void (*fill)(void *ctx, void *dst, size_t n);
	void *ctx;
};

/* Writes n_chars characters of [a-z2-7] (5 bits each) and a NUL: a token good for tags,
 * branches, Call-IDs and MSRP ids. dst: n_chars + 1 bytes. Returns dst. */
char *entropy_token(const struct entropy *e, char *dst, size_t n_chars);
uint64_t entropy_u64(const struct entropy *e);

#endif
