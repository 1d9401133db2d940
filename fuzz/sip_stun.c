/* Fuzz target: a STUN message; what is read of a request can be answered, and the answer is read.
 */
#include "sip/stun.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answered(const struct stun *request)
{
	struct addr from = {.family = 4, .port = 5060, .ip = {192, 0, 2, 1}};
	struct stun answer;
	struct buf b;

	buf_init(&b, STUN_BYTES_MAX);
	stun_write_answer(&b, request, &from);
	if (!buf_ok(&b) || stun_parse(buf_view(&b), &answer))
		abort();
	if (memcmp(answer.id, request->id, sizeof(answer.id)) != 0)
		abort();
	if (request->n_unknown ? answer.error != 420 : !addr_eq(&answer.mapped, &from))
		abort();
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view v = view_of(size ? (const char *)data : "", size);
	struct stun m;

	if (stun_parse(v, &m))
		return 0;
	if (!stun_is(v) || m.n_unknown > STUN_UNKNOWN_MAX)
		abort();
	if (m.class == STUN_REQUEST)
		answered(&m);
	return 0;
}
