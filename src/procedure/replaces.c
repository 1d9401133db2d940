#include "procedure/replaces.h"

static void refuse(struct replaces *r, int status, const char *reason)
{
	r->status = status;
	r->reason = reason;
}

/* Fields of several, or several values in one: a Call-ID and tags have no commas. */
static bool several(const struct sip_msg *m)
{
	struct view v = sip_msg_value(m, SIP_H_REPLACES);

	return sip_msg_field(m, SIP_H_REPLACES, m->first[SIP_H_REPLACES]) >= 0 ||
	       view_find(v, ',', 0) < v.n;
}

void replaces_read(const struct sip_msg *m, struct replaces *out)
{
	struct replaces r = {.present = sip_msg_has(m, SIP_H_REPLACES)};

	if (r.present && m->method != SIP_INVITE)
		refuse(&r, 400, "Replaces Outside INVITE");
	else if (r.present && several(m))
		refuse(&r, 400, "Several Replaces");
	else if (r.present && sip_msg_value_named(m, VIEW("Join")).n) /* RFC 3911 §4 */
		refuse(&r, 400, "Replaces And Join");
	else if (r.present && sip_replaces_parse(sip_msg_value(m, SIP_H_REPLACES), &r.named))
		refuse(&r, 400, "Malformed Replaces");
	*out = r;
}

void replaces_judge(struct replaces *r, enum replaces_dialog_state found, bool authorised)
{
	if (!r->present || r->status)
		return;
	switch (found) {
	case REPLACES_DIALOG_NONE:
	case REPLACES_DIALOG_EARLY_THEIRS: /* only who started it may be taken over early */
		refuse(r, 481, NULL);
		return;
	case REPLACES_DIALOG_ENDED:
		refuse(r, 603, NULL);
		return;
	case REPLACES_DIALOG_CONFIRMED:
		if (r->named.early_only)
			refuse(r, 486, NULL);
		break;
	case REPLACES_DIALOG_EARLY_OURS:
		break;
	}
	if (!r->status && !authorised)
		refuse(r, 403, "Replacement Not Authorised");
}
