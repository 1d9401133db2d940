/* Inside msrp: the head of a frame, start line and header fields (RFC 4975 §9). */
#ifndef CONFAB_MSRP_HEAD_H
#define CONFAB_MSRP_HEAD_H

#include "msrp/frame.h"

enum { MSRP_HEAD_MORE = 0, MSRP_HEAD_DONE = 1 };

struct msrp_head_end {
	size_t n;  /* bytes of the head, the empty line or the end-line included */
	char flag; /* of the end-line of a frame without body, else 0 */
};

/* Reads a head from the front of text, which may go on behind it. MSRP_HEAD_MORE: its end is not
 * in text. Negative: E_SYNTAX, E_LIMIT (fields). A bad start line is told as soon as it is
 * seen, everything else when the end of the head is there, so that the result does not depend on
 * how the stream was split; *out then holds what could be read. */
int msrp_head_parse(struct view text, struct msrp_head *out, struct msrp_head_end *end);

#endif
