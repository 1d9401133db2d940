/* Any bytes as a REFER: it is refused, or names at least one target, each a SIP URI without
 * headers. */
#include "procedure/refer.h"
#include "sip/uri.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_msg m;
	struct sip_uri u;
	struct refer r;
	uint32_t id;

	if (sip_msg_parse(view_of((const char *)data, size), &m) || !m.is_request)
		return 0;
	(void)refer_event_id(sip_msg_value(&m, SIP_H_EVENT), &id);
	refer_read(&r, &m, &(struct invitee_limits){.entries = 8});
	if (r.status == 0 && (r.targets.n == 0 || r.targets.n > 8))
		abort();
	for (size_t i = 0; r.status == 0 && i < r.targets.n; i++)
		if (sip_uri_parse(r.targets.entry[i].uri, &u) || u.headers.n ||
		    (u.scheme != SIP_SCHEME_SIP && u.scheme != SIP_SCHEME_SIPS))
			abort();
	refer_fini(&r);
	return 0;
}
