#include "body/imdn.h"

#include "base/error.h"
#include "body/xml.h"

#define NS_IMDN "urn:ietf:params:xml:ns:imdn"

enum { DEPTH_MAX = 8 };

static const char *const kind_text[] = {
	[IMDN_DELIVERY] = "delivery-notification",
	[IMDN_PROCESSING] = "processing-notification",
	[IMDN_DISPLAY] = "display-notification",
};

static const struct {
	const char *text;
	unsigned kinds; /* a bit per enum imdn_kind (§11.1.7) */
} status_table[] = {
	[IMDN_DELIVERED] = {"delivered", 1u << IMDN_DELIVERY},
	[IMDN_FAILED] = {"failed", 1u << IMDN_DELIVERY},
	[IMDN_PROCESSED] = {"processed", 1u << IMDN_PROCESSING},
	[IMDN_STORED] = {"stored", 1u << IMDN_PROCESSING},
	[IMDN_DISPLAYED] = {"displayed", 1u << IMDN_DISPLAY},
	[IMDN_FORBIDDEN] = {"forbidden", ~0u},
	[IMDN_ERROR] = {"error", ~0u},
};

static bool status_fits(enum imdn_kind kind, enum imdn_status status)
{
	return (unsigned)kind <= IMDN_DISPLAY && (unsigned)status <= IMDN_ERROR &&
	       (status_table[status].kinds & 1u << kind);
}

static void put_optional(struct buf *b, const char *name, const char *text)
{
	if (text[0])
		xml_put_element(b, name, view_str(text));
}

int imdn_write(struct buf *b, const struct imdn *m)
{
	if (!status_fits(m->kind, m->status))
		return E_STATE;
	buf_puts(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<imdn");
	xml_put_attr(b, "xmlns", VIEW(NS_IMDN));
	buf_puts(b, ">\n");
	xml_put_element(b, "message-id", view_str(m->message_id));
	xml_put_element(b, "datetime", view_str(m->date_time));
	put_optional(b, "recipient-uri", m->recipient_uri);
	put_optional(b, "original-recipient-uri", m->original_recipient_uri);
	put_optional(b, "subject", m->subject);
	buf_putf(b, "<%s>\n<status>\n<%s/>\n</status>\n</%s>\n", kind_text[m->kind],
		 status_table[m->status].text, kind_text[m->kind]);
	buf_puts(b, "</imdn>\n");
	return 0;
}

static int read_status(const xmlNode *status, struct imdn *m)
{
	for (int i = IMDN_DELIVERED; i <= IMDN_ERROR; i++)
		if (xml_child(status, NS_IMDN, status_table[i].text) &&
		    status_fits(m->kind, (enum imdn_status)i)) {
			m->status = (enum imdn_status)i;
			return 0;
		}
	return E_UNSUPPORTED;
}

static int read_notification(const xmlNode *root, struct imdn *m)
{
	for (int i = IMDN_DELIVERY; i <= IMDN_DISPLAY; i++) {
		const xmlNode *note = xml_child(root, NS_IMDN, kind_text[i]);

		if (!note)
			continue;
		m->kind = (enum imdn_kind)i;
		return read_status(xml_child(note, NS_IMDN, "status"), m);
	}
	return E_SYNTAX;
}

static int read_imdn(const xmlNode *root, struct imdn *m)
{
	struct {
		const char *name;
		char *dst;
		size_t size;
	} fields[] = {
		{"message-id", m->message_id, sizeof(m->message_id)},
		{"datetime", m->date_time, sizeof(m->date_time)},
		{"recipient-uri", m->recipient_uri, sizeof(m->recipient_uri)},
		{"original-recipient-uri", m->original_recipient_uri,
		 sizeof(m->original_recipient_uri)},
		{"subject", m->subject, sizeof(m->subject)},
	};

	if (!xml_is(root, NS_IMDN, "imdn"))
		return E_SYNTAX;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		int rc = xml_child_copy(root, NS_IMDN, fields[i].name, fields[i].dst,
					fields[i].size);

		if (rc)
			return rc;
	}
	return m->message_id[0] ? read_notification(root, m) : E_SYNTAX;
}

int imdn_parse(struct view xml, struct imdn *out)
{
	struct imdn m = {0};
	xmlDocPtr doc = NULL;
	int rc = xml_parse(xml, IMDN_BYTES_MAX, DEPTH_MAX, &doc);

	if (rc)
		return rc;
	rc = read_imdn(xmlDocGetRootElement(doc), &m);
	xmlFreeDoc(doc);
	if (rc)
		return rc;
	*out = m;
	return 0;
}
