/* Offer and answer for MSRP: IC-7.1.2-4, PF-9.1.2-2, CF-9.3-1 (RFC 3264, RFC 4975 §8, RFC 6135). */
#ifndef CONFAB_PROCEDURE_NEGOTIATE_H
#define CONFAB_PROCEDURE_NEGOTIATE_H

#include "body/sdp.h"

/* Finds the message stream of a session description that this side can use. Views live as long as
 * `bytes`. E_MISSING: no body; E_SYNTAX: broken; E_UNSUPPORTED: nothing in it that can be accepted
 * (488). */
int negotiate_read(struct view bytes, struct sdp *desc, const struct sdp_media **media_out);

/* The same where MSRP over TLS can be had too: the first stream that can be used, of either kind
 * (media->msrp.tls tells; the answer is of its kind). A stream by TLS whose fingerprint is of a hash that is
 * not known here counts as one that cannot be used. tls: 0 not TLS, 1 either, 2 TLS alone. */
enum negotiate_tls { NEGOTIATE_NO_TLS, NEGOTIATE_EITHER, NEGOTIATE_TLS };
int negotiate_read_kind(struct view bytes, enum negotiate_tls tls, struct sdp *desc,
			const struct sdp_media **media_out);

/* Who connects (RFC 6135 §4.2). */
/* The answerer's a=setup: the opposite of the offer's; where the offer leaves the choice (actpass),
 * active when `eager`: a phone towards a server, so that it works from behind a NAT. */
enum sdp_setup negotiate_answer_setup(enum sdp_setup offered, bool eager);
/* True when this side has to connect, given what it answered, or what was answered to it. */
bool negotiate_answerer_connects(enum sdp_setup answer);
bool negotiate_offerer_connects(enum sdp_setup answered);

#endif
