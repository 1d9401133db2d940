/*
 * Clauses 9.1.2 and 9.2: what the participating function does with an initial request, as a pure
 * choice. The caller applies it: as a proxy (PF-9.1.2-3) or as a B2BUA (PF-9.1.2-2).
 */
#ifndef CONFAB_PROCEDURE_PARTICIPATE_H
#define CONFAB_PROCEDURE_PARTICIPATE_H

#include "sip/msg.h"

enum participate_mode {
	PARTICIPATE_PROXY, /* not in the media path: Record-Route and forward */
	PARTICIPATE_B2BUA, /* in the media path */
};

struct participate_policy {
	bool assume_tag; /* the user's phone knows no IM feature tag, and is served all the same
			 */
	bool media_path; /* the participating function is to be in the media path */
};

struct participate_decision {
	int status;	    /* 0: go on in the mode; else what to refuse with */
	const char *reason; /* static text; NULL where status is 0 */
	enum participate_mode mode;
};

/* True when the clause speaks of this request: an INVITE or a REFER outside a dialog (PF-9.1.1-8).
 * MESSAGE and SUBSCRIBE are routed on without a check. */
bool participate_concerns(const struct sip_msg *request);
/* The check of PF-9.1.2-1 and the choice of PF-9.1.2-2 and -3 for a request that it concerns. REFER
 * makes no session: always by proxy. */
void participate_decide(const struct sip_msg *request, const struct participate_policy *policy,
			struct participate_decision *out);

#endif
