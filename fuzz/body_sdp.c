/* Any bytes as a session description; what was read must be answerable and read again. */
#include "body/sdp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sdp_local l = {.path = VIEW("msrp://192.0.2.1:9/a;tcp"), .accept_types = VIEW("*")};
	struct sdp s, answer;
	struct buf b;

	if (sdp_parse(view_of((const char *)data, size), &s))
		return 0;
	l.addr = (struct addr){.family = 4, .port = 9};
	buf_init(&b, 1 << 20);
	sdp_write_answer(&b, &s, sdp_find_msrp(&s), &l);
	if (buf_ok(&b) && (sdp_parse(buf_view(&b), &answer) || answer.n_media != s.n_media))
		abort();
	for (size_t i = 0; i < s.n_media; i++)
		(void)sdp_accepts(s.media[i].msrp.accept_types, VIEW("text/plain"));
	buf_fini(&b);
	return 0;
}
