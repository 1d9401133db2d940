#include "procedure/negotiate.h"

#include "base/error.h"

/* SHA-256 is compared, as RFC 8122 §5 demands of all; a peer without any has to be known otherwise.
 */
static bool knows_fingerprint(const struct sdp_msrp *m)
{
	return !m->fingerprint.n || view_starts_nocase(m->fingerprint, VIEW("SHA-256 "));
}

static bool is_wanted(const struct sdp_media *m, enum negotiate_tls tls)
{
	/* RFC 4975 §14.1: the scheme and the proto say the same. */
	bool secure = view_starts_nocase(m->msrp.path, VIEW("msrps:"));

	if (m->msrp.tls)
		return secure && tls != NEGOTIATE_NO_TLS && knows_fingerprint(&m->msrp);
	return tls != NEGOTIATE_TLS;
}

int negotiate_read(struct view bytes, struct sdp *desc, const struct sdp_media **media_out)
{
	return negotiate_read_kind(bytes, NEGOTIATE_NO_TLS, desc, media_out);
}

int negotiate_read_kind(struct view bytes, enum negotiate_tls tls, struct sdp *desc,
			const struct sdp_media **media_out)
{
	const struct sdp_media *media;
	int rc;

	if (!view_trim(bytes).n)
		return E_MISSING;
	rc = sdp_parse(bytes, desc);
	if (rc)
		return rc == E_LIMIT ? E_UNSUPPORTED : E_SYNTAX;
	media = sdp_find_msrp(desc);
	while (media && !is_wanted(media, tls))
		media = sdp_next_msrp(desc, media);
	if (!media)
		return E_UNSUPPORTED;
	*media_out = media;
	return 0;
}

enum sdp_setup negotiate_answer_setup(enum sdp_setup offered, bool eager)
{
	return sdp_setup_answer(offered == SDP_SETUP_HOLDCONN ? SDP_SETUP_NONE : offered,
				eager ? SDP_SETUP_ACTIVE : SDP_SETUP_PASSIVE);
}

bool negotiate_answerer_connects(enum sdp_setup answer)
{
	return answer == SDP_SETUP_ACTIVE;
}

bool negotiate_offerer_connects(enum sdp_setup answered)
{
	/* No line is a peer of RFC 4975 alone: the offerer connects. holdconn counts as none. */
	return answered != SDP_SETUP_ACTIVE;
}
