/* Plain MSRP or MSRP over TLS (SW-4): by whose offer, and by which policy. Each seat is of one
 * kind. */
#include "server/controlling/focus.h"

#include "base/error.h"

static enum negotiate_tls kinds_of(const struct controlling *c)
{
	if (!c->broker.fingerprint)
		return NEGOTIATE_NO_TLS;
	return c->cfg.tls == CONFERENCE_TLS_REQUIRED ? NEGOTIATE_TLS : NEGOTIATE_EITHER;
}

static bool asks_for_sips(const struct sip_msg *m)
{
	struct sip_uri uri;

	return sip_uri_parse(m->uri, &uri) == 0 && uri.scheme == SIP_SCHEME_SIPS;
}

/* Without an offer (RFC 3261 §13.2.1) ours is in the 200: by TLS where the INVITE asks for that
 * from end to end, or nothing else is allowed. */
static int read_kind(enum negotiate_tls kinds, const struct sip_msg *m, struct view offer,
		     bool *tls_out)
{
	const struct sdp_media *media;
	struct sdp desc;
	int rc = offer.n ? negotiate_read_kind(offer, kinds, &desc, &media) : 0;

	if (rc)
		return rc;
	if (offer.n)
		*tls_out = media->msrp.tls;
	else
		*tls_out =
			kinds == NEGOTIATE_TLS || (kinds == NEGOTIATE_EITHER && asks_for_sips(m));
	return 0;
}

int controlling_read_kind(const struct controlling *c, const struct sip_msg *m, struct view offer,
			  bool *tls_out)
{
	return read_kind(kinds_of(c), m, offer, tls_out);
}

int conference_read_kind(const struct conference *conf, const struct sip_msg *m, struct view offer,
			 bool *tls_out)
{
	enum negotiate_tls kinds = kinds_of(conf->ctl);

	/* Those who are in speak over TLS, and may expect that nobody overhears them. */
	if (conf->tls && conf->ctl->cfg.tls != CONFERENCE_TLS_EITHER)
		kinds = NEGOTIATE_TLS;
	return read_kind(kinds, m, offer, tls_out);
}
