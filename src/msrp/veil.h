/*
 * A stream of MSRP as it may be written down where nobody asked for what people write: heads and
 * end-lines as they were, and of each body its length. One for each direction of a connection.
 */
#ifndef CONFAB_MSRP_VEIL_H
#define CONFAB_MSRP_VEIL_H

#include "msrp/frame.h"

struct msrp_veil {
	struct msrp_reader reader;
	char tid[MSRP_TID_MAX + 1]; /* of the frame that is read */
	uint64_t hidden;	    /* bytes of its body so far */
	bool has_body, lost; /* lost: it could not be framed, and nothing of it is shown any more */
};

typedef void msrp_veil_put(void *ctx, struct view text);

void msrp_veil_init(struct msrp_veil *v);
void msrp_veil_fini(struct msrp_veil *v);
/* Takes the next bytes; put is called for each piece of text that can be shown, none, once or
 * several times. */
void msrp_veil_take(struct msrp_veil *v, struct view bytes, msrp_veil_put *put, void *ctx);

#endif
