/* Any bytes as CPIM: the head read alone and the whole message must agree. */
#include "body/cpim.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes as header lines, and their values as addresses. */
static void walk(struct view rest)
{
	struct view name, value;
	struct cpim_addr a;

	while (cpim_header_next(&rest, &name, &value))
		if (cpim_addr_parse(value, &a) == 0 && a.uri.n > value.n)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view bytes = view_of((const char *)data, size), value;
	struct cpim head, whole;
	struct buf b;
	int n = cpim_parse_head(bytes, &head);

	walk(bytes);
	if (n > 0 && ((size_t)n > size || cpim_parse(bytes, &whole) || whole.n_to != head.n_to ||
		      whole.body.n != size - (size_t)n))
		abort();
	if (cpim_parse(bytes, &whole))
		return 0;
	(void)cpim_header(&whole, VIEW(CPIM_NS_IMDN), VIEW("Message-ID"), &value);
	buf_init(&b, 1 << 20);
	cpim_unescape(&b, whole.subject);
	cpim_escape(&b, whole.from.display);
	buf_fini(&b);
	return 0;
}
