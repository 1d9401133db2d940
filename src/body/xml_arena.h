/* One block that holds all text read from one XML document, each piece with a NUL behind it. */
#ifndef CONFAB_BODY_XML_ARENA_H
#define CONFAB_BODY_XML_ARENA_H

#include "base/view.h"

struct xml_arena {
	char *text; /* heap; the owner of the result frees it */
	size_t n, size;
};

/* size: bytes of all pieces and their NULs; at least one byte is allocated. 0 or E_NOMEM. */
int xml_arena_init(struct xml_arena *a, size_t size);
/* Copies v in and makes *out the copy. 0, or E_INTERNAL when the block was taken too small. */
int xml_arena_copy(struct xml_arena *a, struct view v, struct view *out);

#endif
