/* Any bytes as application/im-iscomposing+xml: what was read is written, and read again as the
 * same. */
#include "body/is_composing.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct is_composing c, again;
	struct buf b;

	if (is_composing_parse(view_of((const char *)data, size), &c))
		return 0;
	buf_init(&b, 1 << 16);
	is_composing_write(&b, &c);
	if (!buf_ok(&b) || is_composing_parse(buf_view(&b), &again) || again.active != c.active ||
	    again.refresh_s != c.refresh_s || strcmp(again.content_type, c.content_type) != 0)
		abort();
	buf_fini(&b);
	return 0;
}
