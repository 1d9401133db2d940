#include "procedure/ims.h"

#include "base/error.h"
#include "sip/write.h"

enum { ICID_CHARS = 26 };

int ims_served_user_read(const struct sip_msg *m, struct ims_served_user *out)
{
	struct sip_addr a;
	struct sip_uri u;
	struct view v;

	if (!sip_msg_has(m, SIP_H_P_SERVED_USER))
		return E_MISSING;
	if (sip_addr_parse(sip_msg_value(m, SIP_H_P_SERVED_USER), &a) || a.star ||
	    sip_uri_parse(a.uri, &u))
		return E_SYNTAX;
	*out = (struct ims_served_user){.uri = a.uri};
	if (sip_param(a.params, VIEW("sescase"), &v)) {
		if (view_eq_nocase(v, VIEW("orig")))
			out->side = IMS_SIDE_ORIG;
		else if (view_eq_nocase(v, VIEW("term")))
			out->side = IMS_SIDE_TERM;
	}
	if (sip_param(a.params, VIEW("regstate"), &v)) {
		if (view_eq_nocase(v, VIEW("reg")))
			out->regstate = IMS_REGISTERED;
		else if (view_eq_nocase(v, VIEW("unreg")))
			out->regstate = IMS_UNREGISTERED;
	}
	return 0;
}

enum ims_side ims_side_of_route(const struct sip_uri *route, struct view orig_user,
				struct view term_user)
{
	if (route->user.n && view_eq(route->user, orig_user))
		return IMS_SIDE_ORIG;
	if (route->user.n && view_eq(route->user, term_user))
		return IMS_SIDE_TERM;
	return sip_param(route->params, VIEW("orig"), NULL) ? IMS_SIDE_ORIG : IMS_SIDE_NONE;
}

bool ims_is_trust_field(const struct sip_msg *m, int field)
{
	/* Those of the trust domain that nothing here reads, and that have no id therefore: of the
	 * RFCs, of TS 24.229 §4.4, and Remote-Party-ID, which was an assertion before RFC 3325 and
	 * is shown as the caller's name by many phones. */
	static const char *const other[] = {
		"P-Visited-Network-ID",	 "P-User-Database",	"P-Profile-Key",
		"P-Asserted-Service",	 "P-DCS-Billing-Info",	"P-Private-Network-Indication",
		"P-Early-Media",	 "Feature-Caps",	"Relayed-Charge",
		"Cellular-Network-Info", "Resource-Share",	"Restoration-Info",
		"Service-Interact-Info", "Additional-Identity", "Priority-Share",
		"Remote-Party-ID",
	};
	struct view name;

	switch (m->field[field].id) {
	case SIP_H_P_CHARGING_VECTOR:
	case SIP_H_P_CHARGING_FUNCTION_ADDRESSES:
	case SIP_H_P_ACCESS_NETWORK_INFO:
	case SIP_H_P_SERVED_USER:
		return true;
	case SIP_H_OTHER:
		break;
	default:
		return false;
	}
	name = sip_field_name(m, field);
	/* None is shorter: what others send as compact forms and the like is done with. */
	if (name.n < sizeof("Feature-Caps") - 1)
		return false;
	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
		if (view_eq_nocase(name, view_str(other[i])))
			return true;
	return false;
}

static void put_ioi(struct buf *b, const char *name, struct view ioi)
{
	if (ioi.n)
		buf_putf(b, ";%s=\"%.*s\"", name, VIEW_ARG(ioi));
}

void ims_write_charging_vector(struct buf *b, const struct entropy *entropy, struct view host,
			       struct view ioi)
{
	char icid[ICID_CHARS + 1];

	buf_putf(b, "P-Charging-Vector: icid-value=\"%s\";icid-generated-at=%.*s",
		 entropy_token(entropy, icid, ICID_CHARS), VIEW_ARG(host));
	put_ioi(b, "orig-ioi", ioi);
	buf_puts(b, "\r\n");
}

/* The parameters of that name as they stand, quotes included. */
static void keep_param(struct buf *b, struct view vector, const char *name)
{
	struct view v;

	if (sip_param(vector, view_str(name), &v) && v.n)
		buf_putf(b, ";%s=%.*s", name, VIEW_ARG(v));
}

static bool begin_vector(struct buf *b, const struct sip_msg *m, struct view *vector)
{
	struct view icid;

	*vector = sip_msg_value(m, SIP_H_P_CHARGING_VECTOR);
	if (!sip_param(*vector, VIEW("icid-value"), &icid) || !icid.n)
		return false;
	buf_putf(b, "P-Charging-Vector: icid-value=%.*s", VIEW_ARG(icid));
	keep_param(b, *vector, "icid-generated-at");
	return true;
}

void ims_write_charging_answer(struct buf *b, const struct sip_msg *request, struct view ioi)
{
	struct view vector;

	if (!begin_vector(b, request, &vector))
		return;
	keep_param(b, vector, "orig-ioi");
	put_ioi(b, "term-ioi", ioi);
	buf_puts(b, "\r\n");
}

void ims_write_charging_inside(struct buf *b, const struct sip_msg *invite, struct view ioi)
{
	struct view vector;

	if (!begin_vector(b, invite, &vector))
		return;
	put_ioi(b, "orig-ioi", ioi);
	buf_puts(b, "\r\n");
}
