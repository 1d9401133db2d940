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

/* The disposition says what a list is for, recipient-list-history for one that is only to be known;
 * one without can only be the recipients'. */
static bool names_recipients(struct view disposition)
{
	return !disposition.n || multipart_value_is(disposition, VIEW("recipient-list"));
}

static struct view find_parts(struct create_conference *c, struct view type, struct view body)
{
	const struct multipart_part *part;
	struct multipart mp;

	if (multipart_parse(type, body, &mp)) {
		refuse(c, 400, "Malformed Multipart Body");
		return VIEW("");
	}
	part = multipart_find_type(&mp, sdp_type);
	if (part)
		c->sdp = part->body;
	for (size_t i = 0; i < mp.n; i++) {
		part = &mp.part[i];
		if (!multipart_value_is(part->content_type, list_type) ||
		    !names_recipients(part->content_disposition))
			continue;
		c->has_list = true;
		return part->body;
	}
	return VIEW("");
}

static struct view find_list(struct create_conference *c, const struct sip_msg *m)
{
	struct view type = sip_msg_value(m, SIP_H_CONTENT_TYPE);

	if (!m->body.n)
		return VIEW("");
	if (sip_content_is(type, sdp_type)) {
		c->sdp = m->body;
	} else if (sip_content_is(type, list_type)) {
		c->has_list = names_recipients(sip_msg_value(m, SIP_H_CONTENT_DISPOSITION));
		return m->body;
	} else if (view_starts_nocase(type, VIEW("multipart/"))) {
		return find_parts(c, type, m->body);
	} else {
		refuse(c, 415, NULL);
		sip_write_field(
			&c->lines, "Accept",
			VIEW("application/sdp, application/resource-lists+xml, multipart/mixed"));
	}
	return VIEW("");
}

void create_conference_read(struct create_conference *out, const struct sip_msg *m,
			    struct view creator, const struct invitee_limits *max)
{
	struct buf unsupported;
	struct view list;

	*out = (struct create_conference){0};
	buf_init(&out->lines, SIP_HEAD_BYTES_MAX);
	buf_init(&unsupported, IM_UNSUPPORTED_BYTES_MAX);
	if (im_check_require(m, VIEW(CREATE_CONFERENCE_SUPPORTED), &unsupported)) {
		refuse(out, 420, NULL);
		sip_write_field(&out->lines, "Unsupported", buf_view(&unsupported));
	}
	buf_fini(&unsupported);
	if (out->status)
		return;
	if (im_is_encoded(m)) {
		refuse(out, 415, NULL);
		sip_write_field(&out->lines, "Accept-Encoding", VIEW("identity"));
		return;
	}
	list = find_list(out, m);
	if (out->status || !out->has_list)
		return;
	(void)invitee_list_parse(list, creator, max, &out->invitees, &out->status, &out->reason);
	if (!out->status && out->invitees.n == 0)
		refuse(out, 403, "No Destinations");
}
