/*
 * Where a SIP URI leads (RFC 3263 §4), without asking anybody: it says what to ask of DNS next,
 * takes the answer, and ends with targets in the order in which they are to be tried (RFC 2782).
 */
#ifndef CONFAB_SIP_RESOLVE_ORDER_H
#define CONFAB_SIP_RESOLVE_ORDER_H

#include "base/dns_record.h"
#include "base/entropy.h"
#include "sip/stack.h"

enum { SIP_TARGETS_MAX = 32, SIP_SERVICES_MAX = 8, SIP_QUESTIONS_MAX = 64 };

/* Bits of `allowed`. */
#define SIP_MAY(transport) (1u << (transport))

struct sip_target {
	enum sip_transport transport;
	struct addr addr;
};

struct sip_lookup_place { /* a name that is still to be asked for */
	enum dns_type type;
	enum sip_transport transport;
	uint16_t port; /* DNS_ADDRESS */
	char name[DNS_NAME_MAX];
};

struct sip_lookup {
	const struct entropy *entropy;
	char host[DNS_NAME_MAX];
	unsigned allowed;
	enum sip_transport fallback; /* where DNS leaves the choice */
	bool sips;
	struct sip_lookup_place place[SIP_QUESTIONS_MAX]; /* in the order of preference */
	size_t at, n;
	bool srv_found;
	struct sip_target target[SIP_TARGETS_MAX];
	size_t n_targets;
};

struct sip_lookup_order {
	struct view host;   /* of the URI, or its maddr */
	uint16_t port;	    /* 0: none */
	bool has_transport; /* a transport parameter, or a choice made elsewhere */
	enum sip_transport transport;
	bool sips;
	unsigned allowed; /* SIP_MAY() of what can be had here */
	enum sip_transport
		fallback; /* RFC 3263 §4.1: UDP, TLS for sips; a client with long messages: TCP */
};

/* E_SYNTAX (no host, or one too long), E_UNSUPPORTED (a transport that is not allowed). A numeric
 * host needs no question. entropy: for SRV weights. */
int sip_lookup_begin(struct sip_lookup *l, const struct sip_lookup_order *order,
		     const struct entropy *entropy);
/* The next question: a name that lives until the answer; NULL: over, target[] is what was found. */
const char *sip_lookup_question(const struct sip_lookup *l, enum dns_type *type_out);
/* Its answer; n 0: no such records, or no answer at all. */
void sip_lookup_answer(struct sip_lookup *l, const struct dns_record *record, size_t n);

#endif
