#include "procedure/participate.h"

#include "sip/value.h"

bool participate_concerns(const struct sip_msg *request)
{
	struct sip_addr to;

	if (request->method != SIP_INVITE && request->method != SIP_REFER)
		return false;
	return sip_msg_to(request, &to) == 0 && sip_addr_tag(&to).n == 0;
}

void participate_decide(const struct sip_msg *request, const struct participate_policy *policy,
			struct participate_decision *out)
{
	*out = (struct participate_decision){.mode = PARTICIPATE_PROXY};
	if (!policy->assume_tag && !sip_msg_accepts_im(request)) {
		out->status = 403;
		out->reason = "Service Not Authorised";
		return;
	}
	if (policy->media_path && request->method == SIP_INVITE)
		out->mode = PARTICIPATE_B2BUA;
}
