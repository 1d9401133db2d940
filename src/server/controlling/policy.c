/* What the conference policy allows: removing (CF-X-3), dialling in (CF-X-5), the end (CF-X-2). */
#include "server/controlling/focus.h"

bool policy_may_remove(const struct member *asker, const struct member *target)
{
	if (view_eq(view_str(asker->aor), view_str(target->aor)))
		return true;
	switch (asker->conference->ctl->cfg.remove) {
	case CONFERENCE_REMOVE_ANYONE:
		return true;
	case CONFERENCE_REMOVE_NOBODY:
		return false;
	case CONFERENCE_REMOVE_CREATOR:
	default:
		return asker->creator;
	}
}

bool policy_may_dial_in(const struct conference *conf, struct view aor)
{
	const struct member *record = member_record(conf, aor);

	/* Who was taken out comes back when somebody invites him. */
	if (record && record->removed)
		return false;
	/* It was not he who went away. */
	if (member_awaited(conf, aor))
		return true;
	switch (conf->ctl->cfg.dial_in) {
	case CONFERENCE_DIAL_IN_ANYONE:
		return true;
	case CONFERENCE_DIAL_IN_NOBODY:
		return false;
	case CONFERENCE_DIAL_IN_MEMBERS:
	default:
		return record != NULL;
	}
}

/* Who is invited and has not answered counts as present, and so does who may still come back after
 * a restart. */
bool policy_is_over(const struct conference *conf, bool creator_left)
{
	size_t n = conference_count(conf, false) + conference_awaits(conf, VIEW(""));

	switch (conf->ctl->cfg.end_policy) {
	case CONFERENCE_END_BELOW_TWO:
		return n < 2;
	case CONFERENCE_END_CREATOR:
		return n == 0 || creator_left;
	case CONFERENCE_END_LAST:
	default:
		return n == 0;
	}
}
