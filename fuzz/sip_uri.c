/* Fuzz target: two URIs, parted by a line end: their parts, comparison, escapes. */
#include "sip/uri.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct sip_uri *u)
{
	struct view rest = u->params, name, value;
	struct sip_uri back;
	struct buf b, again;

	while (sip_param_next(&rest, &name, &value))
		;
	rest = u->headers;
	while (sip_uri_header_next(&rest, &name, &value))
		;
	if (!sip_uri_eq(u, u))
		abort();
	buf_init(&b, 1 << 20);
	sip_uri_aor(&b, u);
	if (!buf_ok(&b))
		abort();
	/* An address of record is a URI, and its own address of record. */
	if (u->scheme == SIP_SCHEME_SIP || u->scheme == SIP_SCHEME_SIPS) {
		if (sip_uri_parse(buf_view(&b), &back))
			abort();
		if (back.port != u->port || back.scheme != u->scheme)
			abort();
		buf_init(&again, 1 << 20);
		sip_uri_aor(&again, &back);
		if (!view_eq(buf_view(&again), buf_view(&b)))
			abort();
		buf_fini(&again);
	}
	buf_fini(&b);
}

static void escapes(struct view v)
{
	struct buf escaped, back;

	buf_init(&escaped, 1 << 22);
	buf_init(&back, 1 << 22);
	sip_escape(&escaped, v);
	if (sip_unescape(&back, buf_view(&escaped), false) || !view_eq(buf_view(&back), v))
		abort();
	(void)sip_unescape(&back, v, true);
	buf_fini(&escaped);
	buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view rest = view_of(size ? (const char *)data : "", size), first;
	struct sip_uri a, b;
	bool is_a, is_b;

	escapes(rest);
	first = view_cut(&rest, '\n');
	is_a = sip_uri_parse(first, &a) == 0;
	is_b = sip_uri_parse(rest, &b) == 0;
	if (is_a)
		walk(&a);
	if (is_b)
		walk(&b);
	if (is_a && is_b && sip_uri_eq(&a, &b) != sip_uri_eq(&b, &a))
		abort();
	return 0;
}
