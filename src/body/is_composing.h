/* application/im-iscomposing+xml (RFC 3994). */
#ifndef CONFAB_BODY_IS_COMPOSING_H
#define CONFAB_BODY_IS_COMPOSING_H

#include "base/buf.h"
#include "base/view.h"

enum {
	IS_COMPOSING_BYTES_MAX = 8192,
	IS_COMPOSING_TEXT_MAX = 128,
	/* RFC 3994 §3.3: without <refresh>, active ends after this many seconds. */
	IS_COMPOSING_REFRESH_DEFAULT_S = 120,
};

struct is_composing {
	bool active;	    /* any state but "active" counts as idle (§3.2) */
	uint32_t refresh_s; /* seconds; 0: not said */
	char content_type[IS_COMPOSING_TEXT_MAX]; /* of what is being written; "": not said */
	char last_active[IS_COMPOSING_TEXT_MAX];  /* RFC 3339; "": not said */
};

/* Appends a document; look at buf_ok at the end. */
void is_composing_write(struct buf *b, const struct is_composing *c);
/* 0, E_SYNTAX (broken XML, another root, no state), E_RANGE (too large or too deep), E_LIMIT (a
 * text longer than it has room for), E_DENIED (a DOCTYPE), E_NOMEM. *out is untouched on failure.
 */
int is_composing_parse(struct view xml, struct is_composing *out);

#endif
