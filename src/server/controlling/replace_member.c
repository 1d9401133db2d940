/* An INVITE with Replaces to a conference URI (R-11; RFC 3891 §3, RFC 4579 §5.9): a participant
 * goes over to another phone of his. His dialog is his to replace; anybody else is refused (§5). */
#include "procedure/replaces.h"

#include "server/controlling/focus.h"

#include <stdlib.h>

static const struct member *member_of_dialog(const struct conference *conf,
					     const struct sip_dialog *d)
{
	LIST_EACH(l, next, &conf->members)
	{
		const struct member *m = CONTAINER(l, struct member, link);

		if (d && m->session && sip_session_dialog(m->session) == d)
			return m;
	}
	return NULL;
}

static enum replaces_dialog_state state_of(const struct member *m)
{
	if (!m)
		return REPLACES_DIALOG_NONE;
	switch (sip_session_state(m->session)) {
	case SIP_SESSION_INVITING:
		return REPLACES_DIALOG_EARLY_OURS;
	case SIP_SESSION_INCOMING:
		return REPLACES_DIALOG_EARLY_THEIRS;
	case SIP_SESSION_ANSWERED:
	case SIP_SESSION_CONFIRMED:
		return m->state == MEMBER_GONE ? REPLACES_DIALOG_ENDED : REPLACES_DIALOG_CONFIRMED;
	default:
		return REPLACES_DIALOG_ENDED;
	}
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
	const struct member *member;
	struct replaces r;

	replaces_read(m, &r);
	if (!r.status) {
		member = member_of_dialog(conf, sip_dialog_find(conf->ctl->ua, r.named.call_id,
								r.named.to_tag, r.named.from_tag));
		replaces_judge(&r, state_of(member), member && is_himself(member, who));
	}
	/* The dialog that he had ends as soon as he is in by the new one (member_take_over). */
	if (r.status)
		(void)sip_server_tx_reply(tx, r.status, r.reason, VIEW(""), now_ms);
	else
		conference_dial_in(conf, tx, m, who, now_ms);
}
