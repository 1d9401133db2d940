/* Whether a certificate speaks for a SIP domain (RFC 5922), or for the host of an MSRP path. */
#ifndef CONFAB_SIP_DOMAIN_IDENTITY_H
#define CONFAB_SIP_DOMAIN_IDENTITY_H

#include "base/cert_name.h"

/*
 * RFC 5922 §7.1, §7.2: the SIP domain identities of a certificate are its "sip:" URIs without a
 * user part; where there is none of these, its DNS names; where it has no alternative name at all,
 * its common name. One of them must equal the domain: case folded, and without wildcards.
 * A domain that is an address is compared with the addresses that the certificate names, which the
 * RFC leaves open.
 */
bool sip_domain_identity_matches(const struct cert_name *name, size_t n, struct view domain);

#endif
