/* Taking a participant out (CF-X-3; RFC 4579 §5.11): BYE to him, or CANCEL while he is being
 * invited. */
#include "server/controlling/focus.h"

/* What he has under way to join once more is over too. */
static void refuse_coming_back(struct member *m, uint64_t now_ms)
{
	LIST_EACH(l, next, &m->conference->members)
	{
		struct member *other = CONTAINER(l, struct member, link);

		if (other == m || other->state >= MEMBER_JOINED || !other->dialed_in ||
		    !view_eq(view_str(other->aor), view_str(m->aor)))
			continue;
		if (other->session)
			sip_session_end(other->session, VIEW(""), now_ms);
		member_leave(other, CONFERENCE_BOOTED, false, now_ms);
	}
}

void member_remove(struct member *m, struct referral *r, uint64_t now_ms)
{
	struct conference *conf = m->conference;
	bool waits = m->session && sip_session_state(m->session) != SIP_SESSION_ENDED;

	conference_hold(conf);
	/* Who asked for him to come learns that he does not. */
	member_settle(m, 487, now_ms);
	m->removed = true;
	if (waits)
		sip_session_end(
			m->session,
			VIEW("Reason: SIP;cause=200;text=\"Removed from the conference\"\r\n"),
			now_ms);
	refuse_coming_back(m, now_ms);
	member_leave(m, CONFERENCE_BOOTED, true, now_ms);
	conference_dirty_at_once(conf, now_ms);
	/* His BYE's answer is the end of it; on_ended comes even when there is none. */
	if (waits && sip_session_state(m->session) != SIP_SESSION_ENDED && !conf->ending)
		m->referral = r;
	else
		referral_settle(r, 200, now_ms);
	conference_release(conf);
}
