#include "server/participating/participate_proxy.h"

#include "procedure/participate.h"

bool participate_assumes(const struct core *c, const struct core_user *user)
{
	if (user->im_tag != CORE_IM_DEFAULT)
		return user->im_tag == CORE_IM_ASSUME;
	return c->cfg.im_tag == CORE_IM_ASSUME;
}

/* PF-9.1.2-1 for either side. */
static bool check(struct inbound *r, const struct core_user *user)
{
	struct participate_policy policy = {.assume_tag = participate_assumes(r->c, user)};
	struct participate_decision decision;

	participate_decide(r->m, &policy, &decision);
	if (decision.status == 0)
		return true;
	core_reply(r, decision.status, decision.reason, VIEW(""));
	return false;
}

bool participate_originating(struct inbound *r, bool to_function)
{
	if (!r->sender_served || !participate_concerns(r->m) ||
	    (to_function && r->m->method == SIP_REFER))
		return true;
	return check(r, &r->sender);
}

bool participate_terminating(struct inbound *r, const struct core_user *callee)
{
	if (r->sender_served || !participate_concerns(r->m))
		return true;
	return check(r, callee);
}
