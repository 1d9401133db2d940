/* Any bytes as message/sipfrag. */
#include "body/sipfrag.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sipfrag f, again;
	struct buf b;

	if (sipfrag_parse(view_of((const char *)data, size), &f))
		return 0;
	if (f.status < 100 || f.status > 699)
		abort();
	buf_init(&b, 1 << 20);
	sipfrag_write(&b, f.status, f.reason);
	if (buf_ok(&b) && (sipfrag_parse(buf_view(&b), &again) || again.status != f.status))
		abort();
	buf_fini(&b);
	return 0;
}
