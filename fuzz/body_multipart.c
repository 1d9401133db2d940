/* The first line is the Content-Type, the rest the body. Parts that were read must lie inside it.
 */
#include "body/multipart.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view rest = view_of((const char *)data, size);
	struct view type = view_cut(&rest, '\n');
	struct multipart m;

	if (multipart_parse(type, rest, &m))
		return 0;
	if (m.n == 0 || m.n > MULTIPART_PARTS_MAX)
		abort();
	for (size_t i = 0; i < m.n; i++)
		if (m.part[i].body.p < rest.p ||
		    m.part[i].body.p + m.part[i].body.n > rest.p + rest.n)
			abort();
	(void)multipart_find_type(&m, VIEW("application/sdp"));
	(void)multipart_find_cid(&m, m.part[0].content_type);
	(void)multipart_find_cid(&m, VIEW("cid:a%40b"));
	return 0;
}
