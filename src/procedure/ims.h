/*
 * IMS mode, the parts of messages alone: what an application server on the ISC interface reads in
 * a request and writes into its own, and which header fields are the trust domain's (RFC 3325,
 * RFC 5502, RFC 7315). Used by proxy, B2BUA and focus alike.
 */
#ifndef CONFAB_PROCEDURE_IMS_H
#define CONFAB_PROCEDURE_IMS_H

#include "base/buf.h"
#include "base/entropy.h"
#include "sip/value.h"

/* For whom an initial request passes here. */
enum ims_side {
	IMS_SIDE_NONE, /* for nobody: it is for the application server itself */
	IMS_SIDE_ORIG, /* for him who sends it */
	IMS_SIDE_TERM, /* for him whom it is sent to */
};

enum ims_regstate { IMS_REGSTATE_UNKNOWN, IMS_REGISTERED, IMS_UNREGISTERED };

/* P-Served-User (RFC 5502 §6); the URI points into the message. */
struct ims_served_user {
	struct view uri;
	enum ims_side side; /* NONE: sescase was not given or is not known */
	enum ims_regstate regstate;
};

/* E_MISSING, E_SYNTAX; nothing is put into out then. */
int ims_served_user_read(const struct sip_msg *m, struct ims_served_user *out);

/* The side that the server's own Route entry tells: its user part, else the parameter `orig` that
 * the core puts into the Route of an originating request; NONE where it tells nothing. */
enum ims_side ims_side_of_route(const struct sip_uri *route, struct view orig_user,
				struct view term_user);

/* True for a header field that is passed on inside the trust domain alone (RFC 7315 §4, RFC 5502
 * §7, RFC 6050 §5). P-Asserted-Identity is not among them: it may leave where no privacy is asked
 * for (RFC 3325 §7). */
bool ims_is_trust_field(const struct sip_msg *m, int field);

/* P-Charging-Vector (RFC 7315 §4.6). ioi: the inter-operator identifier of this network, a token;
 * empty: none is said.
 *
 * Of a session that begins here: a fresh icid-value, and ioi as orig-ioi. host: as it stands in
 * URIs, IPv6 in brackets. */
void ims_write_charging_vector(struct buf *b, const struct entropy *entropy, struct view host,
			       struct view ioi);
/* In an answer: icid-value, icid-generated-at and orig-ioi as the request has them, and ioi as
 * term-ioi. Nothing where the request has no icid-value. */
void ims_write_charging_answer(struct buf *b, const struct sip_msg *request, struct view ioi);
/* In a request of our own inside the session that this INVITE began: its icid-value and
 * icid-generated-at, and ioi as orig-ioi. Nothing where it has no icid-value. */
void ims_write_charging_inside(struct buf *b, const struct sip_msg *invite, struct view ioi);

#endif
