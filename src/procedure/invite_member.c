#include "procedure/invite_member.h"

#include "sip/write.h"

void invite_member_write_fields(struct buf *b, const struct im_profile *p,
				const struct invite_member *i)
{
	im_write_accept_contact(b, p);
	im_write_initial(b, p);
	if (i->inviter_anonymous)
		sip_write_field(b, "Referred-By", VIEW("<sip:anonymous@anonymous.invalid>"));
	else
		sip_write_fieldf(b, "Referred-By", "<%.*s>", VIEW_ARG(i->inviter));
	if (i->replaces.n) {
		sip_write_field(b, "Require", VIEW("replaces"));
		sip_write_field(b, "Replaces", i->replaces);
	}
	if (i->session_replaces.n)
		sip_write_field(b, "Session-Replaces", i->session_replaces);
	if (i->subject.n)
		sip_write_field(b, "Subject", i->subject);
	if (i->contribution.n)
		sip_write_field(b, "Contribution-ID", i->contribution);
}
