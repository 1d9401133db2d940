/*
 * Inside msrp: chunks to a message (RFC 4975 §7.3.1). Chunks may come in any order, and may
 * repeat what is there, in whole or in part: a peer that sends a message again after a broken
 * connection cuts it anew. Repeated bytes have to be the same; where the RFC lets the last ones
 * win, a chunk that says something else is refused: no sender has a reason to do so.
 */
#ifndef CONFAB_MSRP_ASSEMBLY_H
#define CONFAB_MSRP_ASSEMBLY_H

#include "base/buf.h"
#include "base/list.h"
#include "msrp/frame.h"

enum { MSRP_SEGMENTS_MAX = 64 };

struct msrp_segment;

struct msrp_assembly {
	struct list segments; /* by position, no two touch */
	size_t n_segments;
	uint64_t bytes; /* held in all segments */
	uint64_t max;
	uint64_t total;		 /* MSRP_UNKNOWN */
	bool last_seen;		 /* the chunk with '$' came */
	struct msrp_segment *at; /* the open chunk's; NULL: none yet */
	uint64_t pos;		 /* of the open chunk's next byte; the first is 1 */
};

/* max: bytes of the whole message. */
void msrp_assembly_init(struct msrp_assembly *m, uint64_t max);
void msrp_assembly_fini(struct msrp_assembly *m);
/* A chunk begins, at start (1: the first byte) of total (or MSRP_UNKNOWN). 0; E_RANGE: does not fit
 * the others; E_LIMIT: more than max. */
int msrp_assembly_begin(struct msrp_assembly *m, uint64_t start, uint64_t total);
/* Bytes of it. 0, E_RANGE, E_LIMIT, E_NOMEM. */
int msrp_assembly_put(struct msrp_assembly *m, struct view bytes);
/* Its end, flag '$' or '+'. 0, E_RANGE, E_NOMEM. */
int msrp_assembly_end(struct msrp_assembly *m, char flag);
/* True when nothing is missing; *out lives as long as the assembly. */
bool msrp_assembly_complete(const struct msrp_assembly *m, struct view *out);

#endif
