/*
 * Where a 3xx sends a request (RFC 3261 §8.1.3.4, §19.1.5): the target set of one request, and
 * the order in which it is tried. Only sip and sips, and from sips nowhere but to sips; no URI
 * twice, and not for ever. What a URI wants written into the request (its headers) is left out.
 */
#ifndef CONFAB_SIP_REDIRECT_H
#define CONFAB_SIP_REDIRECT_H

#include "sip/value.h"

enum {
	SIP_TARGETS_MAX = 16,
	SIP_TARGET_BYTES_MAX = 512,
	SIP_REDIRECTS_MAX = 5 /* targets tried, besides the first one */
};

struct sip_target {
	char *uri;
	uint32_t q; /* thousandths */
	bool tried;
};

struct sip_targets {
	struct sip_target target[SIP_TARGETS_MAX];
	size_t n;
	unsigned taken;
	bool sips; /* one that was tried was sips */
};

/* A status whose contacts are other places to ask: not 305, which has to be followed by whoever set
 * the proxy, nor 380, which offers another service (§21.3). */
bool sip_is_redirection(int status);
/* request_uri has been tried. E_NOMEM. */
int sip_targets_init(struct sip_targets *t, struct view request_uri);
void sip_targets_fini(struct sip_targets *t); /* safe on a zeroed one */
/* The contacts of a 3xx. What cannot be used is left out. */
void sip_targets_add(struct sip_targets *t, const struct sip_msg *response);
/* The next one to try, by q and then as they came; it lives as long as the set. Empty: no more. */
struct view sip_targets_next(struct sip_targets *t);

#endif
