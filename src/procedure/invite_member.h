/* 9.3.1 "IM Session invitation request": the focus's INVITE to one invitee (CF-9.3.1-1 … -5). */
#ifndef CONFAB_PROCEDURE_INVITE_MEMBER_H
#define CONFAB_PROCEDURE_INVITE_MEMBER_H

#include "procedure/general.h"

struct invite_member {
	struct view inviter;		   /* authenticated address of who invites */
	bool inviter_anonymous;		   /* Privacy: id was asked */
	struct view replaces;		   /* empty: none */
	struct view session_replaces;	   /* the same in RCS's words; empty: none */
	struct view conference;		   /* conference URI */
	struct view subject, contribution; /* Subject and Contribution-ID of the INVITE that made
					      it; empty: none */
};

/* Appends the header fields between Contact and the body. */
void invite_member_write_fields(struct buf *b, const struct im_profile *p,
				const struct invite_member *i);

#endif
