/* Who may have a running session replaced (IC-8.3.1-2, RFC 3891 §5). Call-ID and tags are known to
 * every proxy on the way, and to whoever they were told; knowing them is not enough. */
#include "client/state.h"

#include "base/error.h"

enum { AOR_BYTES_MAX = 512 };

static bool same_person(struct view uri, struct view other)
{
	struct sip_uri u;
	struct buf a, b;
	bool same;

	buf_init(&a, AOR_BYTES_MAX);
	buf_init(&b, AOR_BYTES_MAX);
	if (sip_uri_parse(uri, &u) == 0)
		sip_uri_aor(&a, &u);
	if (sip_uri_parse(other, &u) == 0)
		sip_uri_aor(&b, &u);
	same = buf_ok(&a) && buf_ok(&b) && a.n && view_eq(buf_view(&a), buf_view(&b));
	buf_fini(&a);
	buf_fini(&b);
	return same;
}

static bool names(const struct sip_msg *m, enum sip_header_id id, struct view uri)
{
	struct sip_values it;
	struct sip_addr a;
	struct view value;

	sip_values_start(&it, m, id);
	while (sip_values_next(&it, &value))
		if (sip_addr_parse(value, &a) == 0 && same_person(a.uri, uri))
			return true;
	return false;
}

bool client_may_replace(const struct client *c, const struct leg *leg, struct sip_server_tx *tx)
{
	struct sip_msg m;

	/* Our server alone asserts identities, and lets nobody but a focus speak of another in
	 * Referred-By. */
	if (!leg || !client_is_server(c, tx) || sip_server_tx_request(tx, &m))
		return false;
	/* The other party himself; or the focus that he asked to, by name or, where he wants none
	 * said, without. */
	return names(&m, SIP_H_P_ASSERTED_IDENTITY, view_str(leg->peer)) ||
	       names(&m, SIP_H_REFERRED_BY, view_str(leg->peer)) ||
	       names(&m, SIP_H_REFERRED_BY, VIEW("sip:anonymous@anonymous.invalid"));
}
