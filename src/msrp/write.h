/* Writing frames (RFC 4975 §7, §9). To a struct buf; look at buf_ok once at the end. */
#ifndef CONFAB_MSRP_WRITE_H
#define CONFAB_MSRP_WRITE_H

#include "base/buf.h"
#include "msrp/frame.h"

struct msrp_send_head {
	struct view tid, to_path, from_path, message_id;
	uint64_t start, end, total;		 /* MSRP_UNKNOWN for '*' */
	bool success_report;			 /* written only when true */
	enum msrp_failure_report failure_report; /* written only when not yes */
	struct view content_type;		 /* empty: no body and no empty line */
};

/* "MSRP tid SEND" … up to and with the empty line (when there is a content type); the body and
 * msrp_write_end follow. */
void msrp_write_send(struct buf *b, const struct msrp_send_head *h);
/* "\r\n-------tid$\r\n"; without a body the first CRLF is left out. flag '$', '+' or '#'. */
void msrp_write_end(struct buf *b, struct view tid, char flag, bool has_body);
/* A response to the request `req` (RFC 4975 §7.2): To-Path is the first URI of a SEND's From-Path,
 * all of the From-Path of any other request; From-Path is the first URI of its To-Path. comment
 * NULL: the standard one. */
void msrp_write_response(struct buf *b, const struct msrp_head *req, int status,
			 const char *comment);
/* A REPORT (§7.1.2): to_path as given (the SEND's From-Path in the order it came), Byte-Range,
 * Status. */
void msrp_write_report(struct buf *b, struct view tid, struct view to_path, struct view from_path,
		       struct view message_id, uint64_t start, uint64_t end, uint64_t total,
		       int status, const char *comment);

#endif
