/* Names in a certificate against the domain that was asked for (RFC 5922 §7): a line each, the
 * domain first; a name's first byte says of which kind it is. */
#include "sip/domain_identity.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view rest = view_of(size ? (const char *)data : "", size);
	struct view domain = view_cut(&rest, '\n');
	struct cert_name name[CERT_NAMES_MAX];
	bool whole, one = false;
	size_t n = 0;

	while (rest.n && n < CERT_NAMES_MAX) {
		struct view line = view_cut(&rest, '\n');

		if (!line.n)
			continue;
		name[n] = (struct cert_name){.kind = (enum cert_name_kind)(line.p[0] & 3),
					     .text = view_from(line, 1)};
		if (name[n].kind == CERT_NAME_IP && addr_parse(name[n].text, 0, &name[n].addr))
			name[n].kind = CERT_NAME_DNS;
		one |= sip_domain_identity_matches(&name[n], 1, domain);
		n++;
	}
	/* More names can never make a match that none of them is: a common name counts only alone.
	 */
	whole = sip_domain_identity_matches(name, n, domain);
	if ((whole && !one) || (whole && !domain.n))
		abort();
	return 0;
}
