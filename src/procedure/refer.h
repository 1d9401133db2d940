/*
 * REFER to a conference: 7.1.3-2 at the client, 9.3 at the focus (CF-9.3-2, -3, -4, CF-X-3): one
 * target (RFC 3515) or a list of them (RFC 5368), to be invited or, with method BYE, removed (RFC
 * 4579 §5.5, §5.11); the implicit subscription and its absence (RFC 4488, R-4).
 */
#ifndef CONFAB_PROCEDURE_REFER_H
#define CONFAB_PROCEDURE_REFER_H

#include "procedure/uri_list.h"
#include "sip/msg.h"

#define REFER_SUPPORTED "multiple-refer, norefersub, recipient-list-invite, replaces"

struct refer {
	int status;	    /* 0: go on; else the answer */
	const char *reason; /* NULL: the standard phrase */
	struct buf lines;   /* header lines that go with that answer */
	struct invitee_list
		targets; /* owned; each to be invited, or removed where `remove` says so */
	bool multiple;	 /* they came as a list */
	bool subscribe;	 /* its sender is to get NOTIFYs */
};

/* Reads a REFER. max: what it may name. Look at status; call refer_fini in any case. */
void refer_read(struct refer *out, const struct sip_msg *m, const struct invitee_limits *max);
void refer_fini(struct refer *r);

struct refer_request {
	const struct view *user;
	size_t n; /* more than one: a list (7.1.3-2d), without a subscription */
	bool remove;
	struct view content_id; /* of the list, without brackets; unused for one */
};
/* What a REFER has besides what every request has: header lines to lines, and for a list its type
 * and body. E_LIMIT, E_NOMEM by the buffers. */
int refer_write(struct buf *lines, struct buf *type, struct buf *body,
		const struct refer_request *r);

/* The "id" of an Event value "refer;id=…": 0 where there is none. E_SYNTAX: another package. */
int refer_event_id(struct view event, uint32_t *id_out);

#endif
