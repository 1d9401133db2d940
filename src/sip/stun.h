/*
 * STUN as a keep-alive (RFC 5626 §3.5.2, RFC 5389): Binding requests and their answers on the UDP
 * port that SIP uses. Pure; read in place.
 */
#ifndef CONFAB_SIP_STUN_H
#define CONFAB_SIP_STUN_H

#include "base/addr.h"
#include "base/buf.h"

enum { STUN_ID_BYTES = 12, STUN_UNKNOWN_MAX = 8, STUN_BYTES_MAX = 548 };

enum stun_class { STUN_REQUEST, STUN_INDICATION, STUN_SUCCESS, STUN_ERROR };

struct stun {
	enum stun_class class;
	uint16_t method; /* 1: Binding */
	uint8_t id[STUN_ID_BYTES];
	struct addr mapped; /* XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS; family 0: neither */
	uint16_t error;	    /* ERROR-CODE, 0: none */
	/* Attributes that have to be understood and are not (RFC 5389 §7.3.1). */
	size_t n_unknown;
	uint16_t unknown[STUN_UNKNOWN_MAX];
};

enum { STUN_BINDING = 1 };

/* Tells a STUN message from a SIP one: two zero bits in front and the magic cookie (§6). */
bool stun_is(struct view datagram);
/* The whole datagram. E_SYNTAX: lengths that do not fit, or a wrong FINGERPRINT; E_LIMIT: longer
 * than STUN_BYTES_MAX. */
int stun_parse(struct view datagram, struct stun *out);
void stun_write_request(struct buf *b, const uint8_t id[STUN_ID_BYTES]);
/* The answer to a request that came from `from`: success, or 420 where it has attributes that are
 * not known. */
void stun_write_answer(struct buf *b, const struct stun *request, const struct addr *from);

#endif
