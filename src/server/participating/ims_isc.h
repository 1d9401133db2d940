/*
 * The participating function as application server on the ISC interface (PF-X-2, TS 24.229's
 * part for an AS): initial requests come from the S-CSCF with our own Route in front of its own.
 * Whose side is served stands in P-Served-User or in the own Route; the check of clause 9.1.2 is
 * made for that side, and the request goes on along its Route with the Request-URI untouched. Proxy
 * and B2BUA read the same struct ims_isc.
 */
#ifndef CONFAB_SERVER_PARTICIPATING_IMS_ISC_H
#define CONFAB_SERVER_PARTICIPATING_IMS_ISC_H

#include "server/core/state.h"
#include "server/participating/participate_proxy.h"

/* True when a Route value is ours in IMS mode: one of our addresses, or, as the topmost one, one of
 * the two user parts at whatever name the core knows us by. */
bool ims_isc_is_own_route(const struct core *c, const struct sip_uri *u, bool topmost);
/* Fills r->ims, once the Routes and the identity are known. */
void ims_isc_read(struct inbound *r);
/* What the store says of the served user; a store that cannot answer says nothing, so that the call
 * goes on. */
void ims_isc_user(const struct inbound *r, struct core_user *out);
/* The check of clauses 9.1.2-1 and 9.2 for the side that is served, and the choice of 9.1.2-2 and
 * -3 by that user's mode. */
enum participation ims_isc_participate(struct inbound *r);
/* Where a request goes whose next Route is a name: back to the S-CSCF that sent it, or that sent
 * the INVITE of the B2BUA's call that it belongs to. True: *flow is set. */
bool ims_isc_way_back(const struct inbound *r, struct sip_flow *flow);

#endif
