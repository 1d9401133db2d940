/*
 * The relay of a call: between which kinds of MSRP it stands (SW-4), and who sits at its ends.
 *
 * TLS is hop by hop here as SIP's is: each phone proves itself to the relay and the relay to it, by
 * the fingerprints of their session descriptions (RFC 8122).
 */
#include "server/participating/b2bua_state.h"

#include "base/error.h"
#include "sip/uri.h"

#include <stdlib.h>

/* Ids of relays and of conferences never meet. */
#define RELAY_BIT ((uint64_t)1 << 63)

enum negotiate_tls relay_kinds(const struct b2bua *b)
{
	if (!b->broker.fingerprint)
		return NEGOTIATE_NO_TLS;
	return b->cfg.tls == B2BUA_TLS_REQUIRED ? NEGOTIATE_TLS : NEGOTIATE_EITHER;
}

uint64_t relay_hash(const struct b2bua *b, uint64_t relay)
{
	return hash_bytes(&b->by_relay, view_of((const char *)&relay, sizeof(relay)));
}

int relay_begin(struct b2bua_call *call)
{
	struct b2bua *b = call->b;

	call->relay = b->next_relay = (b->next_relay + 1) | RELAY_BIT;
	call->relay_up = false;
	hash_del(&b->by_relay, &call->by_relay);
	if (hash_add(&b->by_relay, &call->by_relay, relay_hash(b, call->relay)) ||
	    b->broker.open(b->broker.ctx, call->relay, call->tls)) {
		call->relay = 0;
		return E_LIMIT;
	}
	return 0;
}

bool call_is_sips(const struct b2bua_call *call)
{
	struct sip_msg invite;
	struct sip_uri uri;

	return call_invitation(call, &invite) || sip_uri_parse(invite.uri, &uri) ||
	       uri.scheme == SIP_SCHEME_SIPS;
}

static bool may_turn(const struct b2bua_call *call)
{
	switch (call->b->cfg.tls) {
	case B2BUA_TLS_MORE:
		return !call->tls[B2BUA_FAR];
	case B2BUA_TLS_EITHER:
		return !call->tls[B2BUA_FAR] || !call_is_sips(call);
	default:
		return false;
	}
}

bool relay_turn(struct b2bua_call *call, const struct sip_msg *refusal)
{
	struct b2bua *b = call->b;

	/* 606 is 488 for all of his phones (RFC 3261 §21.6.4). Once the caller knows the relay it
	 * cannot be another one. */
	if ((refusal->status != 488 && refusal->status != 606) || !b->broker.fingerprint ||
	    call->turned || call->near_told || call->cancelled || !call->near || !may_turn(call))
		return false;
	call->turned = true;
	call->tls[B2BUA_FAR] = !call->tls[B2BUA_FAR];
	call_media_end(call);
	if (relay_begin(call))
		return false;
	sip_client_tx_detach(call->far);
	call->far = NULL;
	return true;
}

/* Of path and fingerprint; keyed, so that no phone can make two that are equal. */
static uint64_t hash_of(const struct b2bua *b, const struct sdp_msrp *msrp)
{
	return hash_more(&b->by_relay, hash_bytes(&b->by_relay, msrp->path), msrp->fingerprint) | 1;
}

/* RFC 4579 §5.1. */
static bool is_focus(const struct b2bua_call *call, enum b2bua_side side)
{
	const char *contact = call->media ? call->media->leg[side].contact : NULL;

	return contact && sip_param(view_str(contact), VIEW("isfocus"), NULL);
}

void media_tell(struct b2bua_call *call, enum b2bua_side side, const struct b2bua_media *m,
		bool connect)
{
	const struct sdp_msrp *msrp = m->msrp ? &m->msrp->msrp : NULL;
	struct relay_end end = {.connect = connect, .focus = is_focus(call, side)};
	uint64_t hash;

	if (!msrp || !call->relay)
		return;
	/* As long as the path is the same, the connection that is there goes on being used. */
	hash = hash_of(call->b, msrp);
	if (call->told[side] == hash)
		return;
	call->told[side] = hash;
	call->connects[side] = connect;
	end.remote_path = msrp->path;
	end.accept_types = msrp->accept_types;
	end.accept_wrapped_types = msrp->accept_wrapped_types;
	end.fingerprint = msrp->tls ? msrp->fingerprint : VIEW("");
	call->b->broker.answer(call->b->broker.ctx, call->relay, side, &end);
}
