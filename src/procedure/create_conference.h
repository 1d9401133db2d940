/* 9.3 "Creating an IM Conference": reading an INVITE to the Conference-factory-URI (CF-9.3-1, -2).
 */
#ifndef CONFAB_PROCEDURE_CREATE_CONFERENCE_H
#define CONFAB_PROCEDURE_CREATE_CONFERENCE_H

#include "procedure/uri_list.h"
#include "sip/msg.h"

struct create_conference {
	struct view sdp; /* the offer, inside the message; empty: none */
	bool has_list;
	struct invitee_list invitees; /* owned */
	int status;		      /* 0: go on; else the answer */
	const char *reason;
	struct buf lines; /* header lines that go with that answer (Unsupported, Accept) */
};

#define CREATE_CONFERENCE_SUPPORTED                                                                \
	"recipient-list-invite, replaces, norefersub, multiple-refer, timer"

/* creator: his AOR. max: the invitees besides him. Look at status; call create_conference_fini
 * in any case. */
void create_conference_read(struct create_conference *out, const struct sip_msg *m,
			    struct view creator, const struct invitee_limits *max);
void create_conference_fini(struct create_conference *c);

#endif
