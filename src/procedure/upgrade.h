/*
 * 7.1.4 "Adding user(s) to a 1-1 IM Session", and 7.1.2-3 (several invitees): the body of an INVITE
 * to the Conference-factory-URI: SDP next to the URI list, the present peer's entry with
 * Replaces.
 */
#ifndef CONFAB_PROCEDURE_UPGRADE_H
#define CONFAB_PROCEDURE_UPGRADE_H

#include "sip/ua.h"

struct upgrade {
	struct view sdp;	     /* the offer */
	struct view boundary;	     /* must not occur in the bodies: a token of entropy */
	const struct view *invitees; /* URIs of the new users */
	size_t n_invitees;
	struct view peer; /* URI of the present peer; empty: a group from the start */
	const struct sip_dialog *dialog; /* the running dialog with him (confirmed); NULL: none */
};

/* Appends the multipart body; *content_type gets the Content-Type value. E_LIMIT, E_NOMEM by the
 * buffers. */
int upgrade_write_body(struct buf *body, struct buf *content_type, const struct upgrade *u);
/* "Require: recipient-list-invite\r\n" (RFC 5366 §5). */
void upgrade_write_fields(struct buf *b);

#endif
