/* IMS mode of the client (IC-7.1.1-6): what a registration says besides, and what its answer
 * teaches. */
#include "client/state.h"

#include <stdlib.h>

/* RFC 5626 §4.1, RFC 9562 §5.4: nothing is kept on disk, so each start has a UUID of its own. */
void ims_write_instance(struct client *c, struct buf *contact)
{
	uint64_t a = c->instance[0], b = c->instance[1];

	if (!c->cfg.ims)
		return;
	buf_putf(contact, ";+sip.instance=\"<urn:uuid:%08x-%04x-4%03x-%04x-%012llx>\"",
		 (unsigned)(a >> 32), (unsigned)(a >> 16) & 0xffffu, (unsigned)a & 0xfffu,
		 0x8000u | ((unsigned)(b >> 48) & 0x3fffu),
		 (unsigned long long)(b & 0xffffffffffffull));
}

/* RFC 7315 §4.1: the first of the associated URIs is the default one; the SIP one among them is
 * what people here go by. */
static char *default_identity(const struct sip_msg *m)
{
	struct sip_values it;
	struct sip_addr a;
	struct sip_uri u;
	struct view v;

	sip_values_start(&it, m, SIP_H_P_ASSOCIATED_URI);
	while (sip_values_next(&it, &v))
		if (sip_addr_parse(v, &a) == 0 && sip_uri_parse(a.uri, &u) == 0 &&
		    (u.scheme == SIP_SCHEME_SIP || u.scheme == SIP_SCHEME_SIPS))
			return client_aor(a.uri);
	return NULL;
}

void ims_registered(struct client *c, const struct sip_msg *m)
{
	free(c->identity);
	c->identity = default_identity(m);
}

/* The P-CSCF may have lost us: the registration is made anew. */
void ims_unavailable(struct client *c, uint64_t now_ms)
{
	if (c->cfg.ims && !c->closing)
		client_register(c, now_ms);
}

bool ims_is_self(const struct client *c, struct view aor)
{
	return view_eq(aor, view_str(c->aor)) ||
	       (c->identity && view_eq(aor, view_str(c->identity)));
}
