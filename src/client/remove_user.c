/* Taking participants out of a conference: REFER with method BYE (CF-X-3, RFC 4579 §5.11), one for
 * each, so that each one's fate is told. */
#include "client/state.h"

#include "base/error.h"

int client_kick(struct client *c, uint32_t conversation, const struct view *uri, size_t n,
		uint64_t now_ms)
{
	struct conversation *v = conversation_find(c, conversation);
	struct sip_uri u;
	int rc = n ? 0 : E_MISSING;

	if (!v || !v->current)
		return E_NOTFOUND;
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (sip_uri_parse(uri[i], &u) ||
		    (u.scheme != SIP_SCHEME_SIP && u.scheme != SIP_SCHEME_SIPS))
			rc = E_SYNTAX;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = leg_refer(v->current, &uri[i], 1, true, now_ms);
	return rc;
}
