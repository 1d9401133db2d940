/*
 * Digest authentication of SIP (RFC 3261 §22, RFC 7616, RFC 8760; RFC 2617 and, where allowed, RFC
 * 2069), pure: MD5 and SHA-256 with qop=auth. Both sides: a server challenges and verifies, a
 * client picks a challenge and answers it.
 */
#ifndef CONFAB_SIP_DIGEST_H
#define CONFAB_SIP_DIGEST_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/entropy.h"
#include "base/hash.h"
#include "base/list.h"
#include "sip/msg.h"
#include "sip/value.h"

enum sip_digest_algorithm { SIP_DIGEST_MD5, SIP_DIGEST_SHA256 };

enum {
	SIP_HA1_SIZE = 65,	       /* 64 hexadecimal digits and a NUL; MD5 takes 33 of them */
	SIP_CHALLENGER_NONCES = 16384, /* default of sip_challenger.max_nonces */
	SIP_CHALLENGER_PEER_MAX = 16,
};

/* H(user ":" realm ":" password) in lowercase hexadecimal digits, NUL-terminated: what a server
 * keeps instead of the password. hex_out: SIP_HA1_SIZE bytes for either algorithm. */
void sip_digest_ha1(const struct digest *d, enum sip_digest_algorithm alg, struct view user,
		    struct view realm, struct view password, char *hex_out);

/* --- server side --- */

/* Makes challenges for one realm and verifies what comes back. A nonce carries its own proof (time,
 * random bytes, HMAC), so that challenging a stranger keeps no memory; only nonces that were used
 * with a right password are remembered, against replay. One thread. */
struct sip_challenger {
	const struct digest *digest;
	const struct entropy *entropy;
	uint8_t secret[32];
	uint64_t nonce_lifetime_ms;
	struct view realm; /* lives as long as the challenger */
	/* Bytes that stand for the peer whose request is looked at (an address): his nonces are
	 * good for him alone. Set before each challenge and check; borrowed for that call. Empty:
	 * for anybody. At most SIP_CHALLENGER_PEER_MAX. */
	struct view peer;
	bool offer_sha256;  /* default: yes */
	bool offer_md5;	    /* default: yes; most phones know nothing else */
	bool allow_rfc2069; /* take answers without qop; no replay protection; default: no */
	bool track_nc;	    /* refuse a nonce count that was seen before; default: yes */
	bool check_uri;	    /* default: yes */
	size_t max_nonces;  /* most nonces remembered; set before the first verify */
	struct hash uses;   /* of nonces in use, and the same by age */
	struct list uses_by_age;
	uint64_t forgotten_ms; /* nonces made until then may have been dropped for want of room */
	bool forgot;
};

/* Defaults as above; secret from entropy. Takes no memory yet. realm is borrowed. */
void sip_challenger_init(struct sip_challenger *c, const struct digest *digest,
			 const struct entropy *entropy, struct view realm,
			 uint64_t nonce_lifetime_ms);
void sip_challenger_fini(struct sip_challenger *c);

/* Whole header lines, each with its CRLF: one WWW-Authenticate (proxy: Proxy-Authenticate) per
 * algorithm offered, SHA-256 first (RFC 8760 §2.3), with one fresh nonce. stale: as SIP_AUTH_STALE
 * asks for. */
void sip_challenge_write(struct buf *b, const struct sip_challenger *c, bool proxy, bool stale,
			 uint64_t now_ms);

enum sip_auth_result {
	SIP_AUTH_OK,
	SIP_AUTH_STALE, /* the nonce is old, used, or not one made for this peer: challenge, stale;
			 * of a nonce that is not good the password was not looked at */
	SIP_AUTH_BAD,	/* of no use: challenge again */
	SIP_AUTH_WRONG, /* a good nonce and a wrong password: challenge again, and count it */
	SIP_AUTH_OTHER_REALM, /* credentials for somebody else */
	SIP_AUTH_MALFORMED,   /* 400: a parameter is missing or cannot be what it says */
};

/* Verifies credentials. method and request_uri are those of the request line. HA1s as
 * sip_digest_ha1 writes them; NULL where the user has none of that kind (both NULL: no such user,
 * takes the same time, SIP_AUTH_WRONG). The nonce comes first: who was not seen to get one cannot
 * try passwords, so each guess has an address that it can be counted for. The caller looks the user
 * up by cred->username beforehand, and calls once per request (a second call with the same nonce
 * count is a replay). Memory short while a nonce is to be remembered: SIP_AUTH_STALE. */
enum sip_auth_result sip_challenge_verify(struct sip_challenger *c, const struct sip_auth *cred,
					  struct view method, struct view request_uri,
					  const char *ha1_md5_or_null,
					  const char *ha1_sha256_or_null, uint64_t now_ms);

/* Whether these credentials answer a challenge of ours to this peer that still holds. Whether they
 * do it well, and for the first time, is not looked at. */
bool sip_challenge_is_answered(const struct sip_challenger *c, const struct sip_auth *cred,
			       uint64_t now_ms);

/* The Digest credentials of a request for a realm, among all its Authorization (proxy:
 * Proxy-Authorization) fields; those that cannot be parsed are passed by. E_NOTFOUND. */
int sip_credentials_find(const struct sip_msg *request, bool proxy, struct view realm,
			 struct sip_auth *out);

/* --- client side --- */

/* The strongest Digest challenge that can be answered: SHA-256 before MD5, qop with "auth" (RFC
 * 8760 §2.4), among all WWW-Authenticate and Proxy-Authenticate fields; the first of equals. Views
 * point into the response. E_NOTFOUND: none at all; E_UNSUPPORTED: none that is known. */
int sip_challenge_pick(const struct sip_msg *response, struct sip_auth *out, bool *proxy_out);
/* The same, and where there is nothing better, one without qop (RFC 2069). */
int sip_challenge_pick_any(const struct sip_msg *response, struct sip_auth *out, bool *proxy_out);

/* One whole Authorization (proxy: Proxy-Authorization) line with its CRLF that answers the
 * challenge. uri: the Request-URI of the request it goes into. nc: 1 for the first request with
 * this nonce, then one more each time. Nothing is written on E_UNSUPPORTED (algorithm or qop),
 * E_SYNTAX (no realm or nonce; control characters in what was handed in). */
int sip_credentials_write(struct buf *b, const struct digest *d, const struct entropy *entropy,
			  bool proxy, const struct sip_auth *challenge, struct view user,
			  struct view password, struct view method, struct view uri, uint32_t nc);

#endif
