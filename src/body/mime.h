/* Header lines of MIME parts, as CPIM and multiparts hold them (RFC 2045 §3, RFC 5322 §2.2). */
#ifndef CONFAB_BODY_MIME_H
#define CONFAB_BODY_MIME_H

#include "base/view.h"

/* The header fields of a part that this room knows. Views point into the bytes that were read. */
struct mime_fields {
	struct view content_type;
	struct view content_disposition;
	struct view content_id; /* without angle brackets */
	struct view content_transfer_encoding;
	struct view content_encoding;
};

/* Cuts a line off *rest, LF or CRLF taken away; false at the end or where no LF comes any more
 * (then *rest is as it was). */
bool mime_line_next(struct view *rest, struct view *line);
/* True for a line "name:value" whose name is made of printable ASCII without SP, and which holds no
 * control byte but HTAB. */
bool mime_is_field(struct view line);
/* Walks header lines: true while there is one, with its folded lines; an empty line or one that is
 * no field ends the walk. The value is trimmed; folds stay inside. The last line may lack its end.
 */
bool mime_field_next(struct view *rest, struct view *name, struct view *value);
/* Reads all of headers: 0, or E_SYNTAX where a line is no header field. */
int mime_fields_parse(struct view headers, struct mime_fields *out);
/* The first token of a value ("text/plain; charset=utf-8") equals it, case folded. */
bool mime_value_is(struct view value, struct view token);
/* A parameter of a value, quotes taken away, escapes left: true where it is there. */
bool mime_param(struct view value, struct view name, struct view *out);
/* True when v holds a control byte (below SP, or DEL). */
bool mime_has_control(struct view v);

#endif
