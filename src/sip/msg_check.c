/* What a message must hold before anything else is done with it. */
#include "base/error.h"
#include "sip/grammar.h"
#include "sip/msg.h"
#include "sip/value.h"

static int refuse(int status, const char *reason, const char **reason_out)
{
	*reason_out = reason;
	return status;
}

/* Reason for a second field of an id that may stand once; NULL where it may be repeated. */
static const char *repeated_reason(enum sip_header_id id)
{
	switch (id) {
#define ONCE(id, name)                                                                             \
	case SIP_H_##id:                                                                           \
		return "Multiple " name;
		ONCE(FROM, "From")
		ONCE(TO, "To")
		ONCE(CALL_ID, "Call-ID")
		ONCE(CSEQ, "CSeq")
		ONCE(MAX_FORWARDS, "Max-Forwards")
		ONCE(CONTENT_LENGTH, "Content-Length")
		ONCE(CONTENT_TYPE, "Content-Type")
		ONCE(CONTENT_DISPOSITION, "Content-Disposition")
		ONCE(CONTENT_ID, "Content-ID")
		ONCE(EXPIRES, "Expires")
		ONCE(MIN_EXPIRES, "Min-Expires")
		ONCE(SESSION_EXPIRES, "Session-Expires")
		ONCE(MIN_SE, "Min-SE")
		ONCE(EVENT, "Event")
		ONCE(SUBSCRIPTION_STATE, "Subscription-State")
		ONCE(REFER_TO, "Refer-To")
		ONCE(REFERRED_BY, "Referred-By")
		ONCE(REFER_SUB, "Refer-Sub")
		ONCE(REPLACES, "Replaces")
#undef ONCE
	default:
		return NULL;
	}
}

static const char *find_repeated(const struct sip_msg *m)
{
	for (int i = 0; i < m->n_fields; i++) {
		enum sip_header_id id = m->field[i].id;

		if (m->first[id] != i && repeated_reason(id))
			return repeated_reason(id);
	}
	return NULL;
}

static const char *find_missing(const struct sip_msg *m)
{
	if (!sip_msg_has(m, SIP_H_VIA))
		return "Missing Via";
	if (!sip_msg_has(m, SIP_H_FROM))
		return "Missing From";
	if (!sip_msg_has(m, SIP_H_TO))
		return "Missing To";
	if (!sip_msg_has(m, SIP_H_CALL_ID))
		return "Missing Call-ID";
	if (!sip_msg_has(m, SIP_H_CSEQ))
		return "Missing CSeq";
	return NULL;
}

static bool addr_usable(const struct sip_msg *m, enum sip_header_id id)
{
	struct sip_addr a;
	struct sip_uri uri;

	return sip_addr_parse(sip_msg_value(m, id), &a) == 0 && !a.star &&
	       sip_uri_parse(a.uri, &uri) == 0;
}

static bool call_id_usable(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] <= ' ' || v.p[i] == 0x7f)
			return false;
	return v.n > 0;
}

/* A branch that is the magic cookie and nothing more names no transaction: all requests of such a
 * sender would be one (RFC 4475 §3.2.1 lets us refuse it). */
static bool branch_usable(const struct sip_via *via)
{
	return !view_eq_nocase(via->branch, VIEW("z9hG4bK"));
}

/* What requests and responses have in common. */
static const char *check_fields(const struct sip_msg *m, struct sip_cseq *cseq)
{
	struct sip_via via;
	const char *reason = find_missing(m);

	if (!reason)
		reason = find_repeated(m);
	if (reason)
		return reason;
	if (sip_msg_top_via(m, &via) || !branch_usable(&via))
		return "Bad Via";
	if (!addr_usable(m, SIP_H_FROM))
		return "Bad From";
	if (!addr_usable(m, SIP_H_TO))
		return "Bad To";
	if (!call_id_usable(sip_msg_value(m, SIP_H_CALL_ID)))
		return "Bad Call-ID";
	if (sip_msg_cseq(m, cseq))
		return "Bad CSeq";
	return NULL;
}

/* Header parts in a Request-URI are refused (RFC 3261 §19.1.1 table 1, RFC 4475 §3.1.2.11). */
static bool request_uri_usable(struct view text)
{
	struct sip_uri uri;

	return sip_uri_parse(text, &uri) == 0 && uri.headers.n == 0;
}

int sip_msg_check(const struct sip_msg *m, const char **reason_out)
{
	struct sip_cseq cseq = {0};
	uint32_t hops;
	const char *reason = check_fields(m, &cseq);

	if (reason)
		return refuse(400, reason, reason_out);
	if (!m->is_request)
		return 0;
	if (!view_eq(cseq.method, m->method_name)) {
		/* A method that is not known may have rules that are not known either (RFC 4475
		 * §3.1.2.18). */
		if (m->method == SIP_METHOD_OTHER)
			return refuse(501, sip_reason(501), reason_out);
		return refuse(400, "CSeq method mismatch", reason_out);
	}
	if (!request_uri_usable(m->uri))
		return refuse(400, "Bad Request-URI", reason_out);
	if (sip_msg_has(m, SIP_H_MAX_FORWARDS) &&
	    (view_to_u32(sip_msg_value(m, SIP_H_MAX_FORWARDS), &hops) || hops > 255))
		return refuse(400, "Bad Max-Forwards", reason_out);
	return 0;
}
