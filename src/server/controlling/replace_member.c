/* An INVITE with Replaces to a conference URI (RFC 3891): a participant goes over to another phone
 * of his. His dialog is his to replace; anybody else is refused (§5). */
#include "procedure/replaces.h"

#include "server/controlling/focus.h"

#include <stdlib.h>

static struct member *member_of_dialog(const struct conference *conf, const struct sip_dialog *d)
{
	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (m->state == MEMBER_JOINED && m->session && sip_session_dialog(m->session) == d)
			return m;
	}
	return NULL;
}

static bool is_himself(const struct member *m, const struct core_identity *who)
{
	char *aor = who->asserted ? aor_of(who->uri) : NULL;
	bool same = aor && view_eq(view_str(aor), view_str(m->aor));

	free(aor);
	return same;
}

void conference_replace(struct conference *conf, struct sip_server_tx *tx, const struct sip_msg *m,
			const struct core_identity *who, uint64_t now_ms)
{
	const struct sip_dialog *d;
	struct member *member = NULL;
	struct replaces r;

	replaces_read(m, &r);
	if (!r.status) {
		d = sip_dialog_find(conf->ctl->ua, r.named.call_id, r.named.to_tag,
				    r.named.from_tag);
		member = d ? member_of_dialog(conf, d) : NULL;
		replaces_judge(&r, member ? REPLACES_DIALOG_CONFIRMED : REPLACES_DIALOG_NONE,
			       member && is_himself(member, who));
	}
	/* The dialog that he had ends as soon as he is in by the new one (member_take_over). */
	if (r.status)
		(void)sip_server_tx_reply(tx, r.status, r.reason, VIEW(""), now_ms);
	else
		conference_dial_in(conf, tx, m, who, now_ms);
}
