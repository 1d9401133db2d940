/*
 * multipart/mixed and its kin (RFC 2046 §5.1, RFC 5621): reading in place, and writing. Nested
 * multiparts are left to the caller, who may parse a part's body again.
 */
#ifndef CONFAB_BODY_MULTIPART_H
#define CONFAB_BODY_MULTIPART_H

#include "base/buf.h"
#include "base/view.h"

enum {
	MULTIPART_PARTS_MAX = 16,
	MULTIPART_BOUNDARY_MAX = 70, /* RFC 2046 §5.1.1 */
};

/* Views point into the bytes that were parsed. Content-Length of a part is ignored. */
struct multipart_part {
	struct view headers;		 /* all header lines */
	struct view content_type;	 /* empty: none, which means text/plain */
	struct view content_disposition; /* "recipient-list", parameters kept */
	struct view content_id;		 /* without angle brackets */
	struct view content_transfer_encoding;
	struct view body;
};

struct multipart {
	struct view boundary;
	size_t n;
	struct multipart_part part[MULTIPART_PARTS_MAX];
};

/* The boundary of a Content-Type value, without quotes; backslash escapes cannot stand in one. 0;
 * E_MISSING: no such parameter; E_SYNTAX: not a multipart type, or a boundary of wrong length or
 * characters. */
int multipart_boundary(struct view content_type, struct view *out);
/* Parses a whole body. Lines may end with LF; preamble and epilogue are dropped. 0, the errors of
 * multipart_boundary, E_SYNTAX where the final boundary or any part is missing or a part's headers
 * are broken, E_LIMIT for too many parts. *out is untouched on failure. */
int multipart_parse(struct view content_type, struct view body, struct multipart *out);
/* The first part of that type/subtype (case folded, parameters aside); NULL: none. */
const struct multipart_part *multipart_find_type(const struct multipart *m, struct view type);
/* The same, of that disposition ("recipient-list"). An empty disposition argument takes any. */
const struct multipart_part *multipart_find(const struct multipart *m, struct view type,
					    struct view disposition);
/* The part that a cid: URL (RFC 2392, escapes undone) or a bare content id names; NULL: none. */
const struct multipart_part *multipart_find_cid(const struct multipart *m, struct view cid);
/* The first token of a Content-Type or Content-Disposition value equals it, case folded. */
bool multipart_value_is(struct view value, struct view token);

/* True when "--boundary" begins no line of body: it may be used around it. */
bool multipart_boundary_fits(struct view boundary, struct view body);
/* Appends a part: delimiter, headers (an empty view leaves a line out, content_id comes without
 * angle brackets) and body. Control bytes in a header value make the buffer fail. */
void multipart_write_part(struct buf *b, struct view boundary, struct view content_type,
			  struct view content_disposition, struct view content_id,
			  struct view body);
/* Appends the closing delimiter. */
void multipart_end(struct buf *b, struct view boundary);

#endif
