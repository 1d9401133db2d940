/* The switch's side of a member's session description (CF-9.3-1, CF-9.3.1-4). */
#include "server/controlling/focus.h"

#include "base/error.h"
#include "msrp/uri.h"

#include <stdlib.h>

enum { FINGERPRINT_MAX = 112 };

/* A seat's path says for good which kind it is for (SW-4: an offer is answered in kind). */
static enum negotiate_tls kind_of(const struct member *m)
{
	return view_starts_nocase(view_str(m->path), VIEW("msrps:")) ? NEGOTIATE_TLS
								     : NEGOTIATE_NO_TLS;
}

/* RFC 7701 §8 */
static struct view chatroom(const struct controlling_config *cfg)
{
	if (cfg->nicknames)
		return cfg->private_messages ? VIEW("nickname private-messages") : VIEW("nickname");
	return cfg->private_messages ? VIEW("private-messages") : VIEW("");
}

static bool has_token(struct view list, struct view token)
{
	while (list.n)
		if (view_eq_nocase(view_trim(view_cut(&list, ' ')), token))
			return true;
	return false;
}

/* fingerprint: 112 bytes, which l points to. */
static int local_side(const struct member *m, struct sdp_local *l, char *fingerprint)
{
	const struct seat_broker *broker = &m->conference->ctl->broker;
	const struct controlling_config *cfg = &m->conference->ctl->cfg;
	struct msrp_uri path;

	*l = (struct sdp_local){
		.username = VIEW("confab"),
		.sess_id = m->conference->sess_id,
		.sess_version = m->sdp_version,
		.path = view_str(m->path),
		.accept_types =
			cfg->wrap_plain ? VIEW("message/cpim text/*") : VIEW("message/cpim"),
		.accept_wrapped_types = VIEW("*"),
		.max_size = cfg->max_message,
		.has_chatroom = true,
		.chatroom = chatroom(cfg),
	};
	if (msrp_uri_parse(l->path, &path) || addr_parse(path.host, path.port, &l->addr))
		return E_INTERNAL;
	l->tls = path.tls;
	if (l->tls && broker->fingerprint) {
		broker->fingerprint(broker->ctx, fingerprint);
		l->fingerprint = view_str(fingerprint);
	}
	return 0;
}

static int describe(const struct member *m, struct buf *b, struct view offer)
{
	const struct sdp_media *media;
	struct sdp_local l;
	struct sdp desc;
	char fingerprint[FINGERPRINT_MAX];
	int rc = local_side(m, &l, fingerprint);

	if (rc)
		return rc;
	if (!offer.n) {
		l.setup = SDP_SETUP_ACTPASS;
		sdp_write_msrp(b, &l);
	} else {
		rc = negotiate_read_kind(offer, kind_of(m), &desc, &media);
		if (rc)
			return rc;
		l.setup = negotiate_answer_setup(media->msrp.setup, false);
		l.direction = sdp_direction_answer(media->msrp.direction, SDP_SENDRECV);
		sdp_write_answer(b, &desc, media, &l);
	}
	return buf_ok(b) ? 0 : E_NOMEM;
}

int member_write_sdp(struct member *m, struct buf *b, struct view offer)
{
	struct buf now;
	int rc;

	if (m->sdp && !offer.n) {
		buf_puts(b, m->sdp);
		return buf_ok(b) ? 0 : E_NOMEM;
	}
	buf_init(&now, SIP_HEAD_BYTES_MAX);
	rc = describe(m, &now, offer);
	/* RFC 3264 §8: what differs has the next version, what is the same has the same. */
	if (rc == 0 && !(m->sdp && view_eq(buf_view(&now), view_str(m->sdp)))) {
		buf_reset(&now);
		m->sdp_version++;
		rc = describe(m, &now, offer);
		free(m->sdp);
		m->sdp = rc ? NULL : view_dup(buf_view(&now));
		if (rc == 0 && !m->sdp)
			rc = E_NOMEM;
	}
	buf_put(b, buf_view(&now));
	buf_fini(&now);
	return rc ? rc : buf_ok(b) ? 0 : E_NOMEM;
}

int member_read_sdp(struct member *m, struct view sdp, bool answered)
{
	struct seat_broker *broker = &m->conference->ctl->broker;
	const struct sdp_media *media;
	struct seat_answer a;
	struct sdp desc;
	int rc = negotiate_read_kind(sdp, kind_of(m), &desc, &media);

	if (rc)
		return rc;
	a = (struct seat_answer){
		.remote_path = media->msrp.path,
		.accept_types = media->msrp.accept_types,
		.accept_wrapped_types = media->msrp.accept_wrapped_types,
		.max_size = media->msrp.max_size,
		.fingerprint = media->msrp.tls ? media->msrp.fingerprint : VIEW(""),
		.takes_private = has_token(media->msrp.chatroom, VIEW("private-messages")),
	};
	/* To our offer of actpass, who says nothing or "passive" waits for us; "active" comes. */
	a.connect = answered ? negotiate_offerer_connects(media->msrp.setup)
			     : negotiate_answerer_connects(
				       negotiate_answer_setup(media->msrp.setup, false));
	broker->answer(broker->ctx, m->conference->id, m->seat, &a);
	return 0;
}
