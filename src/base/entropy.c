#include "base/entropy.h"

char *entropy_token(const struct entropy *e, char *dst, size_t n_chars)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char raw[64];

	for (size_t i = 0; i < n_chars; i++) {
		size_t at = i % sizeof(raw);

		if (at == 0) {
			size_t left = n_chars - i;

			e->fill(e->ctx, raw, left < sizeof(raw) ? left : sizeof(raw));
		}
		dst[i] = alphabet[raw[at] & 31];
	}
	dst[n_chars] = '\0';
	return dst;
}

uint64_t entropy_u64(const struct entropy *e)
{
	uint64_t x;

	e->fill(e->ctx, &x, sizeof(x));
	return x;
}
