/*
 * Caller preferences (RFC 3841 §7.2) against registered capabilities (RFC 3840), with the three
 * spellings of the IM feature tag taken as one.
 */
#ifndef CONFAB_SERVER_CORE_TARGET_H
#define CONFAB_SERVER_CORE_TARGET_H

#include "sip/value.h"

/* Whether a contact with these header parameters stays in the target set of the request; *score_out
 * (may be NULL) is Qa in thousandths. assume_im: a contact without the IM tag counts as having it
 * . A contact without any feature parameter is immune (§7.2.3) and stays with 1000. Where the
 * request has no explicit preferences, the implicit ones of §7.2.2 hold. */
bool target_matches(const struct sip_msg *request, struct view contact_params, bool assume_im,
		    unsigned *score_out);
/* The request has no explicit preferences: a set that the implicit ones have emptied is used whole.
 */
bool target_is_implicit(const struct sip_msg *request);

#endif
