#include "base/digest.h"

void digest_hex(const uint8_t *bytes, size_t n, char *dst)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*dst++ = hex[bytes[i] >> 4];
		*dst++ = hex[bytes[i] & 15];
	}
	*dst = '\0';
}

bool digest_equal(struct view a, struct view b)
{
	/* volatile: the loop must not be turned into one that ends early. */
	volatile unsigned char differ = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		differ = (unsigned char)(differ | (a.p[i] ^ b.p[i]));
	return differ == 0;
}
