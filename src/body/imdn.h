/* message/imdn+xml (RFC 5438 §11): dispositions of instant messages. */
#ifndef CONFAB_BODY_IMDN_H
#define CONFAB_BODY_IMDN_H

#include "base/buf.h"
#include "base/view.h"

enum {
	IMDN_BYTES_MAX = 16384,
	IMDN_ID_MAX = 256,
	IMDN_URI_MAX = 1024,
};

enum imdn_kind { IMDN_DELIVERY, IMDN_PROCESSING, IMDN_DISPLAY };

enum imdn_status {
	IMDN_DELIVERED,
	IMDN_FAILED,
	IMDN_PROCESSED,
	IMDN_STORED,
	IMDN_DISPLAYED,
	IMDN_FORBIDDEN,
	IMDN_ERROR,
};

struct imdn {
	char message_id[IMDN_ID_MAX];
	char date_time[IMDN_ID_MAX];
	char recipient_uri[IMDN_URI_MAX];	   /* "": not said */
	char original_recipient_uri[IMDN_URI_MAX]; /* "": not said */
	char subject[IMDN_URI_MAX];		   /* "": not said */
	enum imdn_kind kind;
	enum imdn_status status;
};

/* Appends a document; look at buf_ok at the end. 0, or E_STATE where status does not belong to kind
 * (§11.1.7), with nothing written. */
int imdn_write(struct buf *b, const struct imdn *m);
/* 0; E_SYNTAX: broken XML, another root, no message-id or no known notification; E_UNSUPPORTED: a
 * status that is not known for that kind; E_LIMIT: a text longer than it has room for; E_RANGE: too
 * large or too deep; E_DENIED: a DOCTYPE; E_NOMEM. *out is untouched on failure. */
int imdn_parse(struct view xml, struct imdn *out);

#endif
