/* Any bytes as a resource list; what was read must come through writing and reading unchanged. */
#include "body/resource_lists.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct resource_limits limits = {.max_bytes = 1 << 22};
	struct resource_list list, again;
	struct buf b;

	if (resource_lists_parse(view_of((const char *)data, size), NULL, &list))
		return 0;
	buf_init(&b, 1 << 22);
	resource_lists_write(&b, list.entries, list.n, true);
	if (!buf_ok(&b) || resource_lists_parse(buf_view(&b), &limits, &again) || again.n != list.n)
		abort();
	for (size_t i = 0; i < list.n; i++)
		if (!view_eq(list.entries[i].uri, again.entries[i].uri) ||
		    list.entries[i].copy != again.entries[i].copy)
			abort();
	resource_list_free(&again);
	buf_reset(&b);
	resource_lists_write_history(&b, list.entries, list.n);
	resource_list_free(&list);
	buf_fini(&b);
	return 0;
}
