/* Plain MSRP or MSRP over TLS (SW-4): by whose offer, and by which policy. Each seat is of one
 * kind. */
#include "server/controlling/focus.h"

#include "base/error.h"

enum negotiate_tls controlling_kinds(const struct controlling *c)
{
	if (!c->broker.fingerprint)
		return NEGOTIATE_NO_TLS;
	return c->cfg.tls == CONFERENCE_TLS_REQUIRED ? NEGOTIATE_TLS : NEGOTIATE_EITHER;
}

int conference_read_kind(const struct conference *conf, struct view offer, bool *tls_out)
{
	enum negotiate_tls kinds = controlling_kinds(conf->ctl);
	const struct sdp_media *media;
	struct sdp desc;
	int rc;

	/* Those who are in speak over TLS, and may expect that nobody overhears them. */
	if (conf->tls && conf->ctl->cfg.tls != CONFERENCE_TLS_EITHER)
		kinds = NEGOTIATE_TLS;
	rc = negotiate_read_kind(offer, kinds, &desc, &media);
	if (rc == 0)
		*tls_out = media->msrp.tls;
	return rc;
}
