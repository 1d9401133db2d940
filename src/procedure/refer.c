#include "procedure/refer.h"

#include "base/error.h"
#include "body/multipart.h"
#include "body/resource_lists.h"
#include "procedure/general.h"
#include "sip/value.h"
#include "sip/write.h"

#include <stdlib.h>

enum { LIST_BYTES_MAX = 65536, ENTRIES_MAX = 256 };

static const struct view list_type = {"application/resource-lists+xml", 30};

static void refuse(struct refer *r, int status, const char *reason)
{
	r->status = status;
	r->reason = reason;
}

void refer_fini(struct refer *r)
{
	invitee_list_free(&r->targets);
	buf_fini(&r->lines);
}

static bool check_require(struct refer *r, const struct sip_msg *m)
{
	struct buf unsupported;
	bool good;

	buf_init(&unsupported, SIP_HEAD_BYTES_MAX);
	good = im_check_require(m, VIEW(REFER_SUPPORTED), &unsupported) == 0;
	if (!good) {
		refuse(r, 420, NULL);
		sip_write_field(&r->lines, "Unsupported", buf_view(&unsupported));
	}
	buf_fini(&unsupported);
	return good;
}

/* RFC 3515 §2.4.2: exactly one. */
static bool read_refer_to(struct refer *r, const struct sip_msg *m, struct sip_addr *out)
{
	struct view value, more;
	struct sip_values it;

	sip_values_start(&it, m, SIP_H_REFER_TO);
	if (!sip_values_next(&it, &value)) {
		refuse(r, 400, "Missing Refer-To");
		return false;
	}
	if (sip_values_next(&it, &more)) {
		refuse(r, 400, "More Than One Refer-To");
		return false;
	}
	if (sip_addr_parse(value, out) || out->star || !out->uri.n) {
		refuse(r, 400, "Malformed Refer-To");
		return false;
	}
	return true;
}

/* The list that the cid URL names: a part of the body, or the body itself, whose Content-ID then
 * stands in the head (RFC 5368 §8, RFC 8262). */
static struct view find_list(struct refer *r, const struct sip_msg *m, struct view cid)
{
	struct view type = sip_msg_value(m, SIP_H_CONTENT_TYPE),
		    id = sip_msg_value(m, SIP_H_CONTENT_ID);
	const struct multipart_part *part;
	struct multipart mp;

	if (sip_content_is(type, list_type)) {
		if (id.n >= 2 && id.p[0] == '<')
			id = view_of(id.p + 1, id.n - 2);
		if (id.n && !view_eq(id, view_from(cid, 4)))
			refuse(r, 400, "No Part Of That Content-ID");
		return m->body;
	}
	if (!view_starts_nocase(type, VIEW("multipart/"))) {
		refuse(r, m->body.n ? 415 : 400, m->body.n ? NULL : "Missing Recipient List");
		if (m->body.n)
			sip_write_field(&r->lines, "Accept",
					VIEW("application/resource-lists+xml, multipart/mixed"));
		return VIEW("");
	}
	if (multipart_parse(type, m->body, &mp)) {
		refuse(r, 400, "Malformed Multipart Body");
		return VIEW("");
	}
	part = multipart_find_cid(&mp, cid);
	if (!part || !sip_content_is(part->content_type, list_type)) {
		refuse(r, 400, "No Part Of That Content-ID");
		return VIEW("");
	}
	return part->body;
}

static void read_list(struct refer *r, const struct sip_msg *m, struct view cid,
		      const struct invitee_limits *max)
{
	struct view list;

	r->multiple = true;
	if (sip_msg_has(m, SIP_H_CONTENT_ENCODING)) {
		refuse(r, 415, NULL);
		sip_write_field(&r->lines, "Accept-Encoding", VIEW("identity"));
		return;
	}
	list = find_list(r, m, cid);
	if (r->status)
		return;
	(void)invitee_list_parse_refer(list, max, &r->targets, &r->status, &r->reason);
	if (!r->status && r->targets.n == 0)
		refuse(r, 403, "No Destinations");
}

/* Phones put the method inside the brackets or behind them; both may stand when they agree. */
static void read_one(struct refer *r, const struct sip_addr *a)
{
	struct view method = VIEW(""), inner;
	struct sip_uri u;
	struct invitee *one;

	if (sip_uri_parse(a->uri, &u)) {
		refuse(r, 400, "Malformed Refer-To");
		return;
	}
	/* RFC 3515 §2.1 leaves the scheme open; a focus can invite by SIP only. */
	if (u.scheme != SIP_SCHEME_SIP && u.scheme != SIP_SCHEME_SIPS) {
		refuse(r, 416, "Refer-To Scheme Not Supported");
		return;
	}
	if (sip_param(a->params, VIEW("method"), &method) &&
	    sip_param(u.params, VIEW("method"), &inner) && !view_eq_nocase(method, inner)) {
		refuse(r, 400, "Contradicting Methods In Refer-To");
		return;
	}
	one = calloc(1, sizeof(*one));
	if (!one) {
		refuse(r, 500, NULL);
		return;
	}
	switch (invitee_parse_refer(a->uri, one)) {
	case 0:
		break;
	case E_UNSUPPORTED:
		free(one);
		refuse(r, 403, "Refer-To Method Not Supported");
		return;
	default:
		free(one);
		refuse(r, 400, "Malformed Refer-To");
		return;
	}
	r->targets = (struct invitee_list){.entry = one, .n = 1};
	if (view_eq_nocase(method, VIEW("BYE")))
		one->remove = true;
	else if (method.n && !view_eq_nocase(method, VIEW("INVITE")))
		refuse(r, 403, "Refer-To Method Not Supported");
}

/* Refer-Sub as published (RFC 4488 §4), or the source's Norefer-Sub, whose sense is the
 * opposite. Without either, a list whose sender requires norefersub wants none (RFC 5368 §6). */
static bool wants_subscription(const struct refer *r, const struct sip_msg *m)
{
	struct sip_token_params v;

	if (sip_msg_has(m, SIP_H_REFER_SUB))
		return sip_token_params_parse(sip_msg_value(m, SIP_H_REFER_SUB), &v) ||
		       !view_eq_nocase(v.token, VIEW("false"));
	if (sip_token_params_parse(sip_msg_value_named(m, VIEW("Norefer-Sub")), &v) == 0)
		return !view_eq_nocase(v.token, VIEW("true"));
	return !(r->multiple && sip_msg_lists(m, SIP_H_REQUIRE, VIEW("norefersub")));
}

void refer_read(struct refer *out, const struct sip_msg *m, const struct invitee_limits *max)
{
	struct sip_addr to;

	*out = (struct refer){0};
	buf_init(&out->lines, SIP_HEAD_BYTES_MAX);
	if (!check_require(out, m) || !read_refer_to(out, m, &to))
		return;
	if (view_starts_nocase(to.uri, VIEW("cid:")))
		read_list(out, m, to.uri, max);
	else
		read_one(out, &to);
	out->subscribe = wants_subscription(out, m);
}

static int write_list(struct buf *body, const struct refer_request *r)
{
	struct resource_entry entry[ENTRIES_MAX] = {0};
	struct buf uri[ENTRIES_MAX];

	if (r->n > ENTRIES_MAX)
		return E_LIMIT;
	for (size_t i = 0; i < r->n; i++) {
		buf_init(&uri[i], LIST_BYTES_MAX);
		buf_put(&uri[i], r->user[i]);
		if (r->remove)
			buf_puts(&uri[i], ";method=BYE");
		entry[i].uri = buf_view(&uri[i]);
	}
	resource_lists_write(body, entry, r->n, false);
	for (size_t i = 0; i < r->n; i++)
		buf_fini(&uri[i]);
	return 0;
}

int refer_write(struct buf *lines, struct buf *type, struct buf *body,
		const struct refer_request *r)
{
	int rc = 0;

	if (r->n == 0)
		return E_MISSING;
	if (r->n == 1) {
		sip_write_fieldf(lines, "Refer-To", r->remove ? "<%.*s;method=BYE>" : "<%.*s>",
				 VIEW_ARG(r->user[0]));
		sip_write_field(lines, "Refer-Sub", VIEW("true"));
	} else {
		sip_write_fieldf(lines, "Refer-To", "<cid:%.*s>", VIEW_ARG(r->content_id));
		sip_write_field(lines, "Refer-Sub", VIEW("false"));
		sip_write_field(lines, "Require", VIEW("multiple-refer, norefersub"));
		sip_write_field(lines, "Content-Disposition", VIEW("recipient-list"));
		sip_write_fieldf(lines, "Content-ID", "<%.*s>", VIEW_ARG(r->content_id));
		buf_put(type, list_type);
		rc = write_list(body, r);
	}
	if (rc == 0 && (!buf_ok(lines) || !buf_ok(type) || !buf_ok(body)))
		rc = E_NOMEM;
	return rc;
}

int refer_event_id(struct view event, uint32_t *id_out)
{
	struct sip_token_params v;
	struct view id;

	if (sip_token_params_parse(event, &v) || !view_eq_nocase(v.token, VIEW("refer")))
		return E_SYNTAX;
	*id_out = 0;
	if (sip_param(v.params, VIEW("id"), &id) && view_to_u32(id, id_out))
		return E_SYNTAX;
	return 0;
}
