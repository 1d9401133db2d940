/* Any bytes as an address, with and without a port: what was read is written, and read again. */
#include "base/addr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view v = view_of((const char *)data, size);
	char text[ADDR_TEXT_MAX];
	struct addr a, again;

	if (addr_parse(v, 5060, &a) == 0 &&
	    (addr_parse(view_str(addr_host(&a, text)), 5060, &again) || !addr_eq(&a, &again)))
		abort();
	if (addr_parse_hostport(v, 5060, &a) == 0 &&
	    (addr_parse_hostport(view_str(addr_text(&a, text)), 1, &again) || !addr_eq(&a, &again)))
		abort();
	return 0;
}
