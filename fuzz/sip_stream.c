/*
 * Fuzz target: a byte stream, once whole and once in pieces: the same events, and nothing left
 * over. The first byte seeds the lengths of the pieces, the second chooses the cap.
 */
#include "sip/msg.h"
#include "sip/stream.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_event(struct buf *events, int rc, struct view message)
{
	buf_putf(events, "%d %zu ", rc, message.n);
	buf_put(events, message);
}

/* Feeds one piece; false when the stream broke. */
static bool feed(struct sip_stream *s, struct view in, struct buf *events)
{
	for (;;) {
		struct view message = VIEW("");
		size_t before = in.n;
		int rc = sip_stream_feed(s, &in, &message);

		if (rc == SIP_STREAM_NEED_MORE) {
			if (in.n)
				abort();
			return true;
		}
		if (rc == SIP_STREAM_MESSAGE && (message.n == 0 || message.n > s->max))
			abort();
		if (rc >= 0 && in.n >= before)
			abort();
		put_event(events, rc, message);
		if (rc < 0)
			return false;
	}
}

static void run(struct view all, uint8_t seed, size_t max, struct buf *events)
{
	struct sip_stream s;
	uint32_t x = seed;

	sip_stream_init(&s, max);
	buf_init(events, 1 << 22);
	while (all.n) {
		size_t n = all.n;

		if (seed) {
			x = x * 1664525u + 1013904223u;
			n = 1 + (x >> 24) % seed;
		}
		if (!feed(&s, view_first(all, n), events))
			break;
		all = view_from(all, n);
	}
	sip_stream_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, pieces;
	struct view all;
	size_t max;

	if (size < 3)
		return 0;
	all = view_of((const char *)data + 2, size - 2);
	max = (size_t)data[1] * 16 + 1;
	run(all, 0, max, &whole);
	run(all, data[0] ? data[0] : 1, max, &pieces);
	if (!view_eq(buf_view(&whole), buf_view(&pieces)))
		abort();
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
