/* message/sipfrag (RFC 3420) as NOTIFYs of a REFER carry it: a status line (RFC 3515 §2.4.5). */
#ifndef CONFAB_BODY_SIPFRAG_H
#define CONFAB_BODY_SIPFRAG_H

#include "base/buf.h"
#include "base/view.h"

struct sipfrag {
	int status;	    /* 100..699 */
	struct view reason; /* into the bytes that were parsed; may be empty */
};

/* Appends "SIP/2.0 200 OK" CRLF. Control bytes in reason make the buffer fail. */
void sipfrag_write(struct buf *b, int status, struct view reason);
/* Reads the status line; header lines after it are ignored, a missing line end is tolerated. 0 or
 * E_SYNTAX. */
int sipfrag_parse(struct view bytes, struct sipfrag *out);

#endif
