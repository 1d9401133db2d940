/* DNS records as SIP needs them, apart from the library that asks for them. */
#ifndef CONFAB_BASE_DNS_RECORD_H
#define CONFAB_BASE_DNS_RECORD_H

#include "base/addr.h"

enum { DNS_NAME_MAX = 256, DNS_RECORDS_MAX = 32 }; /* of one answer; further ones are dropped */

enum dns_type { DNS_NAPTR, DNS_SRV, DNS_ADDRESS /* A and AAAA */ };

struct dns_record {
	enum dns_type type;
	uint16_t order, preference; /* NAPTR (RFC 3403 §4.1) */
	char flags[4], service[16]; /* NAPTR */
	uint16_t priority, weight;  /* SRV (RFC 2782) */
	uint16_t port;		    /* SRV */
	char name[DNS_NAME_MAX];    /* NAPTR: replacement; SRV: target */
	struct addr addr;	    /* ADDRESS, port 0 */
};

#endif
