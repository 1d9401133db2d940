#include "procedure/general.h"

#include "sip/write.h"

void im_write_accept_contact(struct buf *b, const struct im_profile *p)
{
	sip_write_fieldf(b, "Accept-Contact", "*;%.*s;require;explicit", VIEW_ARG(p->feature_tag));
}

static void write_identity(struct buf *b, const struct im_profile *p)
{
	if (p->identity.n)
		sip_write_fieldf(b, p->asserted ? "P-Asserted-Identity" : "P-Preferred-Identity",
				 "<%.*s>", VIEW_ARG(p->identity));
}

static void write_supported(struct buf *b, const struct im_profile *p)
{
	sip_write_field(b, "Supported",
			p->supported.n ? p->supported : VIEW("replaces, norefersub"));
}

void im_write_initial(struct buf *b, const struct im_profile *p)
{
	sip_write_field(b, "User-Agent", p->release);
	sip_write_field(b, "Allow", p->allow);
	write_supported(b, p);
	write_identity(b, p);
}

void im_write_response(struct buf *b, const struct im_profile *p)
{
	sip_write_field(b, "Server", p->release);
	sip_write_field(b, "Allow", p->allow);
	write_supported(b, p);
	write_identity(b, p);
}

void im_write_contact(struct buf *b, const struct im_profile *p, struct view uri, bool focus)
{
	buf_putf(b, "<%.*s>%s;%.*s", VIEW_ARG(uri), focus ? ";isfocus" : "",
		 VIEW_ARG(p->feature_tag));
}

static bool listed(struct view list, struct view token)
{
	while (list.n)
		if (view_eq_nocase(view_trim(view_cut(&list, ',')), token))
			return true;
	return false;
}

int im_check_require(const struct sip_msg *m, struct view supported, struct buf *unsupported)
{
	struct sip_values it;
	struct view v;
	bool missing = false;

	sip_values_start(&it, m, SIP_H_REQUIRE);
	while (sip_values_next(&it, &v)) {
		if (listed(supported, v) || view_eq_nocase(v, VIEW("recipient-list-subscribe")))
			continue;
		/* Thousands of names get the 420 too, but not all of them back: a buffer that
		 * failed would end in half a line. */
		if (v.n + 2 <= unsupported->max - unsupported->n) {
			buf_puts(unsupported, missing ? ", " : "");
			buf_put(unsupported, v);
		}
		missing = true;
	}
	return missing ? 420 : 0;
}

bool im_is_encoded(const struct sip_msg *m)
{
	struct sip_values it;
	struct view v;

	sip_values_start(&it, m, SIP_H_CONTENT_ENCODING);
	while (sip_values_next(&it, &v))
		if (!view_eq_nocase(v, VIEW("identity")))
			return true;
	return false;
}
