/* 8.3.1 "IM Client invited to a IM Session": judging an INVITE at the phone (IC-8.3.1-1 … -4). */
#ifndef CONFAB_PROCEDURE_TERMINATE_H
#define CONFAB_PROCEDURE_TERMINATE_H

#include "body/sdp.h"
#include "procedure/replaces.h"

struct terminate {
	int status; /* 0: may be accepted; else the answer */
	const char *reason;
	struct buf lines; /* header lines of that answer */
	struct replaces replaces;
	bool focus;		      /* Contact has isfocus: a conference */
	struct view session_identity; /* Contact URI (IC-8.3.1-4) */
	struct view contact;	      /* Contact value */
	struct view inviter;	      /* who asked for it: Referred-By of a focus, else the asserted
					 identity, else From: a URI */
	struct view display;	      /* his display name as it stands, may be empty */
	bool inviter_asserted;
	struct view sdp; /* empty: no offer */
	struct sdp desc;
	const struct sdp_media
		*media; /* what to answer, by TLS or not; inside desc. NULL: no offer */
};

/* Reads everything but Replaces' dialog, which the caller looks up and judges with replaces_judge.
 * vouched: it came from our server, whose word on who is who is believed (RFC 3325 §9.2).
 * Views live as long as the message. Call terminate_fini in any case. */
void terminate_read(struct terminate *out, const struct sip_msg *m, bool vouched);
void terminate_fini(struct terminate *t);

#endif
