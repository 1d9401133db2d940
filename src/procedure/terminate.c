#include "procedure/terminate.h"

#include "base/error.h"
#include "body/multipart.h"
#include "procedure/general.h"
#include "procedure/negotiate.h"
#include "sip/write.h"

static void refuse(struct terminate *t, int status, const char *reason)
{
	if (t->status)
		return;
	t->status = status;
	t->reason = reason;
}

void terminate_fini(struct terminate *t)
{
	buf_fini(&t->lines);
}

static struct view find_sdp(struct terminate *t, const struct sip_msg *m)
{
	struct view type = sip_msg_value(m, SIP_H_CONTENT_TYPE);
	const struct multipart_part *part;
	struct multipart mp;

	if (!m->body.n)
		return VIEW("");
	if (sip_content_is(type, VIEW("application/sdp")))
		return m->body;
	if (view_starts_nocase(type, VIEW("multipart/"))) {
		if (multipart_parse(type, m->body, &mp)) {
			refuse(t, 400, "Malformed Multipart Body");
			return VIEW("");
		}
		part = multipart_find_type(&mp, VIEW("application/sdp"));
		return part ? part->body : VIEW("");
	}
	refuse(t, 415, NULL);
	sip_write_field(&t->lines, "Accept", VIEW("application/sdp, multipart/mixed"));
	return VIEW("");
}

static void read_media(struct terminate *t, const struct sip_msg *m)
{
	if (im_is_encoded(m)) {
		refuse(t, 415, NULL);
		sip_write_field(&t->lines, "Accept-Encoding", VIEW("identity"));
		return;
	}
	t->sdp = find_sdp(t, m);
	if (t->status)
		return;
	switch (negotiate_read_kind(t->sdp, NEGOTIATE_EITHER, &t->desc, &t->media)) {
	case 0:
		break;
	case E_SYNTAX:
		refuse(t, 400, "Malformed Session Description");
		break;
	case E_MISSING:
		/* RFC 3261 §13.2.1: without any body it is for the answer to offer. */
		if (m->body.n)
			refuse(t, 488, NULL);
		break;
	default:
		refuse(t, 488, NULL);
		break;
	}
}

static void read_people(struct terminate *t, const struct sip_msg *m, bool vouched)
{
	struct sip_addr a;
	struct sip_values it;
	struct view v;

	sip_values_start(&it, m, SIP_H_CONTACT);
	if (sip_values_next(&it, &v) && sip_addr_parse(v, &a) == 0 && !a.star) {
		t->contact = v;
		t->session_identity = a.uri;
		t->focus = sip_param(a.params, VIEW("isfocus"), NULL);
	} else {
		refuse(t, 400, "Missing Contact");
	}
	if (sip_msg_from(m, &a) == 0) {
		t->inviter = a.uri;
		t->display = a.display;
	}
	if (!vouched)
		return;
	sip_values_start(&it, m, SIP_H_P_ASSERTED_IDENTITY);
	if (sip_values_next(&it, &v) && sip_addr_parse(v, &a) == 0) {
		t->inviter_asserted = true;
		if (!t->focus) {
			t->inviter = a.uri;
			/* A name that was vouched for wins over the one he gave himself. */
			if (a.display.n)
				t->display = a.display;
		}
	}
	if (t->focus && sip_addr_parse(sip_msg_value(m, SIP_H_REFERRED_BY), &a) == 0) {
		t->inviter = a.uri;
		t->display = a.display;
	}
}

void terminate_read(struct terminate *out, const struct sip_msg *m, bool vouched)
{
	struct buf unsupported;

	*out = (struct terminate){0};
	buf_init(&out->lines, SIP_HEAD_BYTES_MAX);
	buf_init(&unsupported, IM_UNSUPPORTED_BYTES_MAX);
	if (im_check_require(m, VIEW("replaces, norefersub, timer"), &unsupported)) {
		refuse(out, 420, NULL);
		sip_write_field(&out->lines, "Unsupported", buf_view(&unsupported));
	}
	buf_fini(&unsupported);
	replaces_read(m, &out->replaces);
	if (out->replaces.status)
		refuse(out, out->replaces.status, out->replaces.reason);
	read_people(out, m, vouched);
	if (!out->status)
		read_media(out, m);
}
