/* Plain MSRP or MSRP over TLS (SW-4): by whose offer, and by which policy. Each seat is of one
 * kind. */
#include "server/controlling/focus.h"

#include "base/error.h"

#include <stdlib.h>

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

/* Plain becomes TLS wherever there is TLS; TLS becomes plain only where plain members are let in to
 * those who speak over TLS, and never for a sips URI. */
static bool may_be_other_kind(const struct member *m)
{
	const struct controlling *c = m->conference->ctl;
	struct sip_uri uri;

	if (!m->tls)
		return c->broker.fingerprint != NULL;
	return c->cfg.tls == CONFERENCE_TLS_EITHER && sip_uri_parse(view_str(m->uri), &uri) == 0 &&
	       uri.scheme == SIP_SCHEME_SIP;
}

bool member_ask_other_kind(struct member *m, int status, uint64_t now_ms)
{
	struct conference *conf = m->conference;
	struct controlling *c = conf->ctl;
	int rc;

	if ((status != 488 && status != 606) || m->other_kind || m->creator || m->dialed_in ||
	    m->was_in || !may_be_other_kind(m))
		return false;
	log_line(sip_stack_log(c->stack), LOG_INFO, "focus", "%s: %s is asked by %s", conf->uri,
		 m->uri, m->tls ? "plain MSRP" : "TLS");
	m->other_kind = true;
	m->tls = !m->tls;
	m->refused = m->session;
	m->session = NULL;
	free(m->sdp);
	m->sdp = NULL;
	/* A seat is of one kind for good. */
	c->broker.close(c->broker.ctx, conf->id, m->seat, false);
	m->seat = ++c->next_id;
	m->request = ++c->next_id;
	m->state = MEMBER_SEATING;
	rc = conference_ask_seats(conf, m->request, now_ms);
	if (rc)
		controlling_seats_failed(c, m->request, conf->id, rc, now_ms);
	return true;
}
