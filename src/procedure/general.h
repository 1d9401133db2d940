/*
 * procedure: the procedures of the source, one file each, pure: what a clause says to
 * put into a message, and how a message received is judged. State machines that live
 * longer than a message stand in client and server. It includes base, sip, msrp and
 * body.
 *
 * This file: 7.1.1 "General" of the IM Client and its counterparts for responses
 * (8.3.1) and for the IM Server (9.1.1, 9.3.1): the header fields that every message has.
 */
#ifndef CONFAB_PROCEDURE_GENERAL_H
#define CONFAB_PROCEDURE_GENERAL_H

#include "base/buf.h"
#include "sip/value.h"

enum { IM_UNSUPPORTED_BYTES_MAX = 1024 };

#define IM_FEATURE_TAG	  "+g.oma.sip-im"
#define IM_ALLOW	  "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, NOTIFY, MESSAGE"
#define IM_ALLOW_FOCUS	  "INVITE, ACK, BYE, CANCEL, OPTIONS, SUBSCRIBE, REFER"
#define IM_CLIENT_RELEASE "IM-client/OMA1.0 Confab/" CONFAB_VERSION
#define IM_SERVER_RELEASE "IM-serv/OMA1.0 Confab/" CONFAB_VERSION

struct im_profile {
	struct view feature_tag; /* as sent; IM_FEATURE_TAG by default */
	struct view release;	 /* User-Agent or Server value */
	struct view allow;
	struct view supported; /* empty: "replaces, norefersub" */
	struct view identity; /* own IM Address, a URI; empty: none said */
	bool asserted; /* a server's: P-Asserted-Identity instead of P-Preferred-Identity */
};

/* Accept-Contact of an initial request (IC-7.1.1-1, CF-9.3.1-1). */
void im_write_accept_contact(struct buf *b, const struct im_profile *p);
/* What an initial request has besides it: User-Agent, Allow, Supported, originator's address
 * (IC-7.1.1-2, -4, -5). */
void im_write_initial(struct buf *b, const struct im_profile *p);
/* What a response other than 100 has: Server, Allow, Supported, own address (IC-8.3.1-5). */
void im_write_response(struct buf *b, const struct im_profile *p);
/* "<uri>;+g.oma.sip-im", with ";isfocus" after the URI's bracket for a focus (IC-7.1.1-3, CF-9.3-1,
 * */
void im_write_contact(struct buf *b, const struct im_profile *p, struct view uri, bool focus);

/* Checks Require against what is supported here (comma list): 0, or 420 with the names that are not
 * in `unsupported` (appended as far as they fit: its cap is IM_UNSUPPORTED_BYTES_MAX or so). The
 * source's mistaken recipient-list-subscribe is let pass. */
int im_check_require(const struct sip_msg *m, struct view supported, struct buf *unsupported);
/* True when the body is in a Content-Encoding that nobody here undoes (415, Accept-Encoding). */
bool im_is_encoded(const struct sip_msg *m);

#endif
