#include "procedure/negotiate.h"

#include "base/error.h"

/* The first stream without TLS: an offer may have both kinds. */
static const struct sdp_media *find_plain(const struct sdp *desc)
{
	const struct sdp_media *any = sdp_find_msrp(desc);
	const struct sdp_media *end = desc->media + desc->n_media;

	for (const struct sdp_media *m = any; m && m < end; m++)
		if (view_eq_nocase(m->type, VIEW("message")) &&
		    view_eq_nocase(m->proto, VIEW("TCP/MSRP")) && m->port && m->msrp.path.n &&
		    m->msrp.accept_types.n)
			return m;
	return NULL;
}

int negotiate_read(struct view bytes, struct sdp *desc, const struct sdp_media **media_out)
{
	const struct sdp_media *media;
	int rc;

	if (!view_trim(bytes).n)
		return E_MISSING;
	rc = sdp_parse(bytes, desc);
	if (rc)
		return rc == E_LIMIT ? E_UNSUPPORTED : E_SYNTAX;
	media = find_plain(desc);
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
