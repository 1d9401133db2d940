#include "body/is_composing.h"

#include "base/error.h"
#include "body/xml.h"

#define NS_COMPOSING "urn:ietf:params:xml:ns:im-iscomposing"

enum { DEPTH_MAX = 8 };

void is_composing_write(struct buf *b, const struct is_composing *c)
{
	buf_puts(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<isComposing");
	xml_put_attr(b, "xmlns", VIEW(NS_COMPOSING));
	buf_puts(b, ">\n");
	xml_put_element(b, "state", c->active ? VIEW("active") : VIEW("idle"));
	if (c->last_active[0])
		xml_put_element(b, "lastactive", view_str(c->last_active));
	if (c->content_type[0])
		xml_put_element(b, "contenttype", view_str(c->content_type));
	if (c->refresh_s)
		buf_putf(b, "<refresh>%lu</refresh>\n", (unsigned long)c->refresh_s);
	buf_puts(b, "</isComposing>\n");
}

static int read_composing(const xmlNode *root, struct is_composing *c)
{
	const xmlNode *state = xml_child(root, NS_COMPOSING, "state");
	const xmlNode *refresh = xml_child(root, NS_COMPOSING, "refresh");
	int rc;

	if (!xml_is(root, NS_COMPOSING, "isComposing") || !state)
		return E_SYNTAX;
	c->active = view_eq(xml_text(state), VIEW("active"));
	rc = xml_child_copy(root, NS_COMPOSING, "lastactive", c->last_active,
			    sizeof(c->last_active));
	if (!rc)
		rc = xml_child_copy(root, NS_COMPOSING, "contenttype", c->content_type,
				    sizeof(c->content_type));
	/* A number that makes no sense counts as not said: the default holds. */
	if (refresh)
		(void)view_to_u32(xml_text(refresh), &c->refresh_s);
	return rc;
}

int is_composing_parse(struct view xml, struct is_composing *out)
{
	struct is_composing c = {0};
	xmlDocPtr doc = NULL;
	int rc = xml_parse(xml, IS_COMPOSING_BYTES_MAX, DEPTH_MAX, &doc);

	if (rc)
		return rc;
	rc = read_composing(xmlDocGetRootElement(doc), &c);
	xmlFreeDoc(doc);
	if (rc)
		return rc;
	*out = c;
	return 0;
}
