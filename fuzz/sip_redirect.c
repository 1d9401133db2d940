/* Two answers that redirect, parted by a NUL, to a request that went to a sip or a sips URI (the
 * first byte says which): where they lead is few places, each a bare sip or sips URI, none twice,
 * and from sips nowhere but to sips. */
#include "sip/redirect.h"
#include "sip/uri.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void learn(struct sip_targets *t, struct view bytes)
{
	struct sip_msg m;

	if (sip_msg_parse(bytes, &m) == 0 && !m.is_request && sip_is_redirection(m.status))
		sip_targets_add(t, &m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view rest = view_of((const char *)data, size), first, to;
	struct sip_uri been[SIP_REDIRECTS_MAX];
	struct sip_targets t;
	bool sips;
	size_t n = 0;

	if (!size)
		return 0;
	sips = data[0] & 1;
	rest = view_from(rest, 1);
	first = view_cut(&rest, '\0');
	if (sip_targets_init(&t, sips ? VIEW("sips:bo@example.com") : VIEW("sip:bo@example.com")))
		return 0;
	learn(&t, first);
	while ((to = sip_targets_next(&t)).n) {
		struct sip_uri u;

		check(n < SIP_REDIRECTS_MAX && sip_uri_parse(to, &u) == 0 && !u.headers.n &&
		      to.n <= SIP_TARGET_BYTES_MAX);
		check(u.scheme == SIP_SCHEME_SIPS || (u.scheme == SIP_SCHEME_SIP && !sips));
		for (size_t i = 0; i < n; i++)
			check(!sip_uri_eq(&u, &been[i]));
		sips |= u.scheme == SIP_SCHEME_SIPS;
		been[n++] = u;
		learn(&t, rest);
	}
	sip_targets_fini(&t);
	return 0;
}
