/*
 * Hash functions are handed in: the pure rooms have none of their own. The table that a program
 * hands over comes from io/digest.h.
 */
#ifndef CONFAB_BASE_DIGEST_H
#define CONFAB_BASE_DIGEST_H

#include "base/view.h"

enum { DIGEST_MD5_LEN = 16, DIGEST_SHA256_LEN = 32 };

struct digest {
	/* The hash of the parts as if they stood one after the other; n may be 0. Never fails. Any
	 * thread. */
	void (*md5)(const struct view *parts, size_t n, uint8_t out[DIGEST_MD5_LEN]);
	void (*sha256)(const struct view *parts, size_t n, uint8_t out[DIGEST_SHA256_LEN]);
	/* HMAC-SHA-256 (RFC 2104, RFC 4231); a key of any length. */
	void (*hmac_sha256)(struct view key, struct view data, uint8_t out[DIGEST_SHA256_LEN]);
};

/* Writes 2*n lowercase hexadecimal digits and a NUL. dst: 2*n + 1 bytes. */
void digest_hex(const uint8_t *bytes, size_t n, char *dst);
/* Equality in a time that depends on the lengths alone (which are not secret). */
bool digest_equal(struct view a, struct view b);

#endif
