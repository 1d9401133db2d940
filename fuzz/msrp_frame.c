/* The frame reader: whatever way a stream is cut, the events are the same. The first four bytes are
 * the seed of the cuts. */
#include "msrp/frame.h"
#include "msrp/uri.h"
#include "msrp/write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct msrp_reader reader;
	struct buf log;
	char tid[MSRP_TID_MAX + 1];
	bool ambiguous;
};

/* Only the promised end of a body can let one through that holds its own end-line. */
static bool holds_end_line(struct view body, const char *tid)
{
	size_t n = strlen(tid), at = 0;

	for (;; at++) {
		struct view rest;

		at = view_find_view(body, VIEW("-------"), at);
		if (at == body.n)
			return false;
		rest = view_from(body, at + 7);
		if (rest.n >= n + 3 && memcmp(rest.p, tid, n) == 0)
			return true;
	}
}

static void log_head(struct run *r, const struct msrp_head *h)
{
	buf_putf(&r->log, "H%d%d%d ", h->is_request, h->method, h->has_body);
	buf_put(&r->log, h->raw);
	buf_put_u64(&r->log, h->start ^ h->end ^ h->total);
	buf_put(&r->log, h->tid);
	buf_put(&r->log, h->message_id);
	buf_put(&r->log, h->content_type);
}

static bool feed(struct run *r, struct view in)
{
	struct msrp_event ev;
	int rc;

	while ((rc = msrp_reader_next(&r->reader, &in, &ev)) > 0) {
		if (rc == MSRP_EV_HEAD) {
			log_head(r, &ev.head);
			(void)view_copy(ev.head.tid, r->tid, sizeof(r->tid));
		} else if (rc == MSRP_EV_BODY) {
			if (ev.body.n == 0)
				abort();
			r->ambiguous = r->ambiguous || holds_end_line(ev.body, r->tid);
			buf_put(&r->log, ev.body);
		} else {
			buf_putf(&r->log, "E%c", ev.flag);
		}
	}
	if (rc < 0) {
		buf_putf(&r->log, "!%d", rc);
		buf_put(&r->log, ev.head.tid);
		return false;
	}
	if (in.n)
		abort();
	return true;
}

static void run_init(struct run *r)
{
	memset(r, 0, sizeof(*r));
	msrp_reader_init(&r->reader);
	buf_init(&r->log, 16 << 20);
}

static void run_fini(struct run *r)
{
	msrp_reader_fini(&r->reader);
	buf_fini(&r->log);
}

/* Paths, and what is written about a request, are read again. */
static void answer(struct view in)
{
	struct msrp_reader r, again;
	struct msrp_event ev;
	struct msrp_uri uris[MSRP_PATH_MAX];
	size_t n;

	msrp_reader_init(&r);
	if (msrp_reader_next(&r, &in, &ev) == MSRP_EV_HEAD) {
		struct buf b;

		(void)msrp_path_parse(ev.head.from_path, uris, MSRP_PATH_MAX, &n);
		buf_init(&b, 65536);
		msrp_write_response(&b, &ev.head, 400, NULL);
		if (buf_ok(&b) && ev.head.is_request) {
			struct view text = buf_view(&b);

			msrp_reader_init(&again);
			if (msrp_reader_next(&again, &text, &ev) != MSRP_EV_HEAD &&
			    b.n < MSRP_HEAD_BYTES_MAX)
				abort();
			msrp_reader_fini(&again);
		}
		buf_fini(&b);
	}
	msrp_reader_fini(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole, parts;
	unsigned seed = 0;
	struct view in;
	bool ok = true;

	if (size < 4)
		return 0;
	memcpy(&seed, data, sizeof(seed));
	in = view_of((const char *)data + 4, size - 4);
	answer(in);
	run_init(&whole);
	run_init(&parts);
	feed(&whole, in);
	for (size_t at = 0; ok && at < in.n;) {
		size_t n = 1 + (size_t)rand_r(&seed) % (seed & 1 ? 8 : 200);
		char *piece;

		if (n > in.n - at)
			n = in.n - at;
		piece = malloc(n);
		memcpy(piece, in.p + at, n);
		ok = feed(&parts, view_of(piece, n));
		free(piece);
		at += n;
	}
	if (!whole.ambiguous && !view_eq(buf_view(&whole.log), buf_view(&parts.log)))
		abort();
	run_fini(&whole);
	run_fini(&parts);
	return 0;
}
