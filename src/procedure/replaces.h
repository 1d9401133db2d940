/* INVITE with Replaces at a user agent: IC-8.3.1-2 (RFC 3891 §3). */
#ifndef CONFAB_PROCEDURE_REPLACES_H
#define CONFAB_PROCEDURE_REPLACES_H

#include "sip/value.h"

enum replaces_dialog_state {
	REPLACES_DIALOG_NONE,
	REPLACES_DIALOG_EARLY_OURS,   /* early, and this side sent the INVITE */
	REPLACES_DIALOG_EARLY_THEIRS, /* early, and the peer did */
	REPLACES_DIALOG_CONFIRMED,
	REPLACES_DIALOG_ENDED, /* known, but already over or on its way out */
};

struct replaces {
	bool present;
	struct sip_replaces named;
	int status;	    /* 0: may go on; else the answer */
	const char *reason; /* NULL: the standard phrase */
};

/* Reads Replaces of any request: several, or one in a method other than INVITE: 400 (RFC 3891 §3).
 */
void replaces_read(const struct sip_msg *m, struct replaces *out);
/* Judges the dialog that was found for it. authorised: the sender may replace it (RFC 3891 §5). */
void replaces_judge(struct replaces *r, enum replaces_dialog_state found, bool authorised);

#endif
