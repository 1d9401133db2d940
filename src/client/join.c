/* Another INVITE after a refused one. Coming back to a conference: INVITE to its URI; where it is
 * no more (404, 410), a new one is made with the same people under the same Contribution-ID, as RCS
 * phones do. Who takes no plain MSRP is offered TLS. */
#include "client/state.h"

#include <stdlib.h>

/* A conference that runs by TLS takes nobody without it (488), and who comes back after a restart
 * does not know that it does; nor does who calls a phone that wants TLS. The other way is never
 * gone: who offers TLS does not fall back (SW-4). */
static bool offer_tls(struct leg *leg, uint64_t now_ms)
{
	struct conversation *v = leg->conversation;
	struct client *c = v->client;
	struct leg *next;

	if (leg->tls || leg != v->current || leg->incoming || !leg->peer ||
	    !c->cfg.msrp_tls_local.family || view_eq(view_str(leg->peer), view_str(c->factory)) ||
	    !(next = leg_new(v, leg->conference)))
		return false;
	v->tls = true;
	next->peer = view_dup(view_str(leg->peer));
	next->refused = leg->sip;
	if (!next->peer || leg_invite_peer(next, now_ms)) {
		leg_free(next, now_ms);
		return false;
	}
	next->refused = NULL;
	v->current = next;
	leg_free(leg, now_ms);
	return true;
}

bool join_anew(struct leg *leg, int status, uint64_t now_ms)
{
	struct conversation *v = leg->conversation;
	struct view *uri;
	struct leg *next;
	bool begun = false;

	if (status == 488)
		return offer_tls(leg, now_ms);
	if ((status != 404 && status != 410) || !v->n_rejoin_with || leg != v->current)
		return false;
	uri = calloc(v->n_rejoin_with, sizeof(*uri));
	next = leg_new(v, true);
	if (uri && next) {
		for (size_t i = 0; i < v->n_rejoin_with; i++)
			uri[i] = view_str(v->rejoin_with[i]);
		next->peer = view_dup(view_str(v->client->factory));
		begun = leg_invite_many(next, uri, v->n_rejoin_with, NULL, now_ms) == 0;
	}
	free(uri);
	if (!begun) {
		leg_free(next, now_ms);
		return false;
	}
	join_end(v); /* once */
	v->current = next;
	leg_free(leg, now_ms);
	return true;
}

void join_end(struct conversation *v)
{
	while (v->n_rejoin_with)
		free(v->rejoin_with[--v->n_rejoin_with]);
	free(v->rejoin_with);
	v->rejoin_with = NULL;
}
