/* Writing messages. Everything goes to a struct buf; look at buf_ok once at the end. */
#ifndef CONFAB_SIP_WRITE_H
#define CONFAB_SIP_WRITE_H

#include "base/buf.h"
#include "sip/msg.h"

void sip_write_request_line(struct buf *b, struct view method, struct view uri);
void sip_write_status_line(struct buf *b, int status, const char *reason); /* NULL: the standard one */
/* "Name: value\r\n" */
void sip_write_field(struct buf *b, const char *name, struct view value);
void sip_write_fieldf(struct buf *b, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Content-Type (unless empty), Content-Length, the empty line and the body. Ends a message. */
void sip_write_body(struct buf *b, struct view content_type, struct view body);
/* Copies all fields of an id from m, one line each, folds undone, long name. */
void sip_write_copy(struct buf *b, const struct sip_msg *m, enum sip_header_id id);
/* Status line, then what RFC 3261 §8.2.6.2 says: Via (all), From, To (with to_tag added when it has
 * none and status > 100 and to_tag is not empty), Call-ID, CSeq, Timestamp for a 100; Record-Route is
 * copied for 101..299 to requests that may form a dialog (INVITE, SUBSCRIBE, REFER, UPDATE). The caller
 * goes on with its own fields and sip_write_body. reason NULL: the standard one. */
void sip_write_response_head(struct buf *b, const struct sip_msg *req, int status, const char *reason,
			     struct view to_tag);

#endif
