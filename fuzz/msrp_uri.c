/* Any bytes as an MSRP path: its URIs are equal to themselves, and the first is the first. */
#include "msrp/uri.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view path = view_of((const char *)data, size);
	struct msrp_uri uris[MOST], first;
	size_t n = 0;

	(void)msrp_uri_parse(path, &first);
	if (msrp_path_parse(path, uris, MOST, &n))
		return 0;
	if (n > MOST)
		abort();
	for (size_t i = 0; i < n; i++)
		if (!msrp_uri_eq(&uris[i], &uris[i]) ||
		    msrp_uri_eq(&uris[0], &uris[i]) != msrp_uri_eq(&uris[i], &uris[0]))
			abort();
	if (n && (msrp_uri_parse(msrp_path_first(path), &first) || !msrp_uri_eq(&first, &uris[0])))
		abort();
	return 0;
}
