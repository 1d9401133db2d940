#include "body/xml_arena.h"

#include "base/error.h"

#include <stdlib.h>

int xml_arena_init(struct xml_arena *a, size_t size)
{
	*a = (struct xml_arena){.size = size + 1};
	a->text = malloc(a->size);
	return a->text ? 0 : E_NOMEM;
}

int xml_arena_copy(struct xml_arena *a, struct view v, struct view *out)
{
	char *p = a->text + a->n;

	if (v.n >= a->size - a->n)
		return E_INTERNAL;
	if (v.n)
		memcpy(p, v.p, v.n);
	p[v.n] = '\0';
	a->n += v.n + 1;
	*out = view_of(p, v.n);
	return 0;
}
