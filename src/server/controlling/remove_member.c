/* Taking a participant out (CF-X-3; RFC 4579 §5.11): BYE to him, or CANCEL while he is being
 * invited. */
#include "server/controlling/focus.h"

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
	member_leave(m, CONFERENCE_BOOTED, true, now_ms);
	/* His BYE's answer is the end of it; on_ended comes even when there is none. */
	if (waits && sip_session_state(m->session) != SIP_SESSION_ENDED && !conf->ending)
		m->referral = r;
	else
		referral_settle(r, 200, now_ms);
	conference_release(conf);
}
