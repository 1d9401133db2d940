#include "server/participating/participate_proxy.h"

#include "procedure/participate.h"
#include "server/participating/b2bua.h"

bool participate_assumes(const struct core *c, const struct core_user *user)
{
	if (user->im_tag != CORE_IM_DEFAULT)
		return user->im_tag == CORE_IM_ASSUME;
	return c->cfg.im_tag == CORE_IM_ASSUME;
}

static bool wants_media_path(const struct inbound *r, const struct core_user *user)
{
	enum core_mode mode = user->mode == CORE_MODE_DEFAULT ? r->c->cfg.mode : user->mode;

	return r->c->b2bua && mode == CORE_MODE_B2BUA && b2bua_can_serve(r->m);
}

enum participation participate_check(struct inbound *r, const struct core_user *user, bool checked)
{
	struct participate_policy policy = {.assume_tag =
						    checked || participate_assumes(r->c, user),
					    .media_path = wants_media_path(r, user)};
	struct participate_decision decision;

	participate_decide(r->m, &policy, &decision);
	if (decision.status == 0)
		return decision.mode == PARTICIPATE_B2BUA ? PARTICIPATION_B2BUA
							  : PARTICIPATION_PROXY;
	core_reply(r, decision.status, decision.reason, VIEW(""));
	return PARTICIPATION_REFUSED;
}

enum participation participate_originating(struct inbound *r, bool to_function)
{
	if (!r->sender_served || !participate_concerns(r->m) ||
	    (to_function && r->m->method == SIP_REFER))
		return PARTICIPATION_PROXY;
	return participate_check(r, &r->sender, false);
}

enum participation participate_terminating(struct inbound *r, const struct core_user *callee)
{
	if (!participate_concerns(r->m) || r->participated == 't')
		return PARTICIPATION_PROXY;
	return participate_check(r, callee, r->sender_served || r->participated == 'o');
}
