/* Requests that are looked at once more, later: with the identity that was proven, so that nobody
 * is challenged twice. */
#include "server/core/state.h"

#include <stdlib.h>

struct core_kept {
	struct core_identity who; /* its views point to text */
	bool trusted, sender_served;
	struct core_user sender;
	char text[];
};

struct core_kept *core_keep(const struct inbound *r)
{
	struct core_kept *k = malloc(sizeof(*k) + r->who.uri.n + r->who.display.n);

	if (!k)
		return NULL;
	*k = (struct core_kept){.who = r->who,
				.trusted = r->trusted,
				.sender_served = r->sender_served,
				.sender = r->sender};
	if (r->who.uri.n)
		memcpy(k->text, r->who.uri.p, r->who.uri.n);
	if (r->who.display.n)
		memcpy(k->text + r->who.uri.n, r->who.display.p, r->who.display.n);
	k->who.uri.p = k->text;
	k->who.display.p = k->text + r->who.uri.n;
	return k;
}

void core_kept_free(struct core_kept *k)
{
	free(k);
}

bool core_kept_again(const struct core_kept *k, struct core *c, struct sip_server_tx *tx,
		     struct sip_msg *m, uint64_t now_ms, struct inbound *r)
{
	*r = (struct inbound){.c = c,
			      .tx = tx,
			      .m = m,
			      .from = sip_server_tx_flow(tx),
			      .now_ms = now_ms,
			      .trusted = k->trusted,
			      .who = k->who,
			      .sender_served = k->sender_served,
			      .sender = k->sender};
	return sip_server_tx_request(tx, m) == 0 && core_readable(r);
}
