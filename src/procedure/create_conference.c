#include "procedure/create_conference.h"

#include "body/multipart.h"
#include "procedure/general.h"
#include "sip/value.h"
#include "sip/write.h"

static const struct view sdp_type = {"application/sdp", 15};
static const struct view list_type = {"application/resource-lists+xml", 30};

void create_conference_fini(struct create_conference *c)
{
	invitee_list_free(&c->invitees);
	buf_fini(&c->lines);
}

static void refuse(struct create_conference *c, int status, const char *reason)
{
	c->status = status;
	c->reason = reason;
}

static void refuse_type(struct create_conference *c)
{
	refuse(c, 415, NULL);
	sip_write_field(&c->lines, "Accept",
			VIEW("application/sdp, application/resource-lists+xml, multipart/mixed"));
}

static struct view find_list(struct create_conference *c, const struct sip_msg *m)
{
	struct view type = sip_msg_value(m, SIP_H_CONTENT_TYPE);
	const struct multipart_part *part;
	struct multipart mp;

	if (!m->body.n)
		return VIEW("");
	if (sip_content_is(type, sdp_type)) {
		c->sdp = m->body;
		return VIEW("");
	}
	if (sip_content_is(type, list_type))
		return m->body;
	if (!view_starts_nocase(type, VIEW("multipart/"))) {
		refuse_type(c);
		return VIEW("");
	}
	if (multipart_parse(type, m->body, &mp)) {
		refuse(c, 400, "Malformed Multipart Body");
		return VIEW("");
	}
	part = multipart_find_type(&mp, sdp_type);
	if (part)
		c->sdp = part->body;
	/* The disposition says what the list is for; a list without one can only be the recipients'. */
	part = multipart_find(&mp, list_type, VIEW("recipient-list"));
	if (!part)
		part = multipart_find_type(&mp, list_type);
	return part ? part->body : VIEW("");
}

void create_conference_read(struct create_conference *out, const struct sip_msg *m, struct view creator,
			    size_t max_members)
{
	struct buf unsupported;
	struct view list;

	*out = (struct create_conference){0};
	buf_init(&out->lines, SIP_HEAD_BYTES_MAX);
	buf_init(&unsupported, SIP_HEAD_BYTES_MAX);
	if (im_check_require(m, VIEW(CREATE_CONFERENCE_SUPPORTED), &unsupported)) {
		refuse(out, 420, NULL);
		sip_write_field(&out->lines, "Unsupported", buf_view(&unsupported));
	}
	buf_fini(&unsupported);
	if (out->status)
		return;
	if (sip_msg_has(m, SIP_H_CONTENT_ENCODING)) {
		refuse(out, 415, NULL);
		sip_write_field(&out->lines, "Accept-Encoding", VIEW("identity"));
		return;
	}
	list = find_list(out, m);
	if (out->status || !list.n)
		return;
	out->has_list = true;
	(void)invitee_list_parse(list, creator, max_members, &out->invitees, &out->status, &out->reason);
	if (!out->status && out->invitees.n == 0)
		refuse(out, 403, "No Destinations");
}
