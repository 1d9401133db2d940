/*
 * What is needed of a request to refuse it, read off its bytes in one pass: under load a 503 has to
 * cost little beside a call (RFC 3261 §21.5.4). Nothing but the fields named here is looked at, and
 * what is written in any unusual way (folds, line ends other than CRLF, a field twice, two Vias in
 * a line) is left to the parser.
 */
#ifndef CONFAB_SIP_GLANCE_H
#define CONFAB_SIP_GLANCE_H

#include "sip/msg.h"
#include "sip/value.h"

enum { SIP_GLANCE_VIAS = 16 };

/* Views into the bytes; values are trimmed. */
struct sip_glance {
	enum sip_method method;
	struct view via[SIP_GLANCE_VIAS];
	unsigned n_vias;
	struct view from, to, call_id, cseq;
	struct view to_tag; /* empty: none */
	struct view
		credentials; /* of Proxy-Authorization or Authorization, the first; empty: none */
	struct sip_via top;
};

/* False: not a request, or one for the parser. Nothing is known of its other fields or of its body.
 */
bool sip_glance(struct view bytes, struct sip_glance *out);

#endif
