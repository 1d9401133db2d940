/* Any bytes as message/imdn+xml: what was read is written, and read again as the same. */
#include "body/imdn.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct imdn m, again;
	struct buf b;

	if (imdn_parse(view_of((const char *)data, size), &m))
		return 0;
	buf_init(&b, 1 << 20);
	if (imdn_write(&b, &m) || !buf_ok(&b) || imdn_parse(buf_view(&b), &again) ||
	    again.status != m.status || again.kind != m.kind ||
	    strcmp(again.message_id, m.message_id) != 0)
		abort();
	buf_fini(&b);
	return 0;
}
