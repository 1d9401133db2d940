/* Shared by digest.c and digest_verify.c only. */
#ifndef CONFAB_SIP_DIGEST_PRIVATE_H
#define CONFAB_SIP_DIGEST_PRIVATE_H

#include "sip/digest.h"

/* A nonce: when it was made, random bytes, and 96 bits of HMAC over both, the realm and the
 * peer; base64url. */
enum {
	SIP_NONCE_TIME_BYTES = 6,
	SIP_NONCE_ID_BYTES = 12,
	SIP_NONCE_BYTES = 24,
	SIP_NONCE_CHARS = 32,
};

/* Lowercase hexadecimal digits of a hash over the parts. hex_out: SIP_HA1_SIZE bytes. */
void sip_digest_hash(const struct digest *d, enum sip_digest_algorithm alg,
		     const struct view *parts, size_t n, char *hex_out);
/* The response parameter from nonce, nc, cnonce, qop and uri of a (RFC 7616 §3.4.1; without qop,
 * RFC 2069). hex_out: SIP_HA1_SIZE bytes. */
void sip_digest_response(const struct digest *d, enum sip_digest_algorithm alg, const char *ha1,
			 const struct sip_auth *a, struct view method, char *hex_out);
/* E_UNSUPPORTED. */
int sip_digest_algorithm_of(struct view text, enum sip_digest_algorithm *out);
/* Fills the HMAC part of a raw nonce for c->peer from its first SIP_NONCE_ID_BYTES bytes. */
void sip_nonce_sign(const struct sip_challenger *c, uint8_t raw[SIP_NONCE_BYTES]);

#endif
