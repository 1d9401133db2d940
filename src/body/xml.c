#include "body/xml.h"

#include "base/error.h"

#include <limits.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/SAX2.h>

/* Hangs on the parser context while a document is read. */
struct xml_guard {
	unsigned depth, max_depth;
	int refusal; /* why the parser was stopped, or 0 */
};

static void stop(xmlParserCtxtPtr parser, int why)
{
	struct xml_guard *guard = parser->_private;

	if (!guard->refusal)
		guard->refusal = why;
	xmlStopParser(parser);
}

static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *public_id,
		       const xmlChar *system_id)
{
	(void)name;
	(void)public_id;
	(void)system_id;
	/* Called before anything of an internal subset is read: no entity is ever declared. */
	stop(ctx, E_DENIED);
}

static void on_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
		     int n_ns, const xmlChar **ns, int n_attr, int n_default, const xmlChar **attr)
{
	xmlParserCtxtPtr parser = ctx;
	struct xml_guard *guard = parser->_private;

	if (guard->depth == guard->max_depth) {
		stop(parser, E_RANGE);
		return;
	}
	guard->depth++;
	xmlSAX2StartElementNs(ctx, name, prefix, uri, n_ns, ns, n_attr, n_default, attr);
}

static void on_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct xml_guard *guard = ((xmlParserCtxtPtr)ctx)->_private;

	if (guard->refusal)
		return;
	guard->depth--;
	xmlSAX2EndElementNs(ctx, name, prefix, uri);
}

static void on_error(void *ctx, xmlErrorPtr error)
{
	(void)ctx;
	(void)error;
}

static void guard_parser(xmlParserCtxtPtr parser, struct xml_guard *guard)
{
	parser->_private = guard;
	parser->sax->internalSubset = on_doctype;
	parser->sax->externalSubset = NULL;
	parser->sax->startElementNs = on_start;
	parser->sax->endElementNs = on_end;
	parser->sax->serror = on_error;
	parser->sax->comment = NULL;
	parser->sax->processingInstruction = NULL;
}

void xml_init(void)
{
	xmlInitParser();
}

/* As xmlCtxtReadMemory has it, but that the input is never made larger: libxml2 falls over itself
 * where there is no memory for that, and all of the document is there from the start. NULL: no
 * memory. */
static xmlParserCtxtPtr parser_of(struct view bytes)
{
	/* IGNORE_ENC with a fixed encoding: a declared one cannot make iconv load a table. */
	const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
			    XML_PARSE_NOCDATA | XML_PARSE_IGNORE_ENC;
	xmlParserCtxtPtr parser = xmlCreateMemoryParserCtxt(bytes.p, (int)bytes.n);

	if (!parser)
		return NULL;
	(void)xmlCtxtUseOptions(parser, options);
	parser->encoding = xmlStrdup((const xmlChar *)"UTF-8");
	if (!parser->encoding || !parser->input || !parser->input->buf || !parser->input->cur) {
		xmlFreeParserCtxt(parser);
		return NULL;
	}
	parser->input->buf->readcallback = NULL;
	return parser;
}

static int parse(struct view bytes, unsigned max_depth, xmlDocPtr *out)
{
	struct xml_guard guard = {.max_depth = max_depth};
	xmlParserCtxtPtr parser = parser_of(bytes);
	xmlDocPtr doc;
	int rc = 0;

	if (!parser)
		return E_NOMEM;
	guard_parser(parser, &guard);
	(void)xmlSwitchEncoding(parser, XML_CHAR_ENCODING_UTF8);
	(void)xmlParseDocument(parser);
	doc = parser->myDoc;
	parser->myDoc = NULL;
	if (guard.refusal)
		rc = guard.refusal;
	else if (parser->errNo == XML_ERR_NO_MEMORY)
		rc = E_NOMEM;
	else if (!doc || !parser->wellFormed || !parser->nsWellFormed || !xmlDocGetRootElement(doc))
		rc = E_SYNTAX;
	xmlFreeParserCtxt(parser);
	if (rc) {
		xmlFreeDoc(doc);
		return rc;
	}
	*out = doc;
	return 0;
}

int xml_parse(struct view bytes, size_t max_bytes, unsigned max_depth, xmlDocPtr *out)
{
	xmlStructuredErrorFunc told = xmlStructuredError;
	void *told_ctx = xmlStructuredErrorContext;
	int rc;

	if (bytes.n > max_bytes || bytes.n > INT_MAX)
		return E_RANGE;
	/* White space before the XML declaration is not well-formed, and is sent all the same. */
	bytes = view_trim(bytes);
	if (view_empty(bytes))
		return E_SYNTAX;
	/* Where memory is short, libxml2 has no parser to tell it to: it would print, and keep a
	 * text for the thread. */
	xmlSetStructuredErrorFunc(NULL, on_error);
	rc = parse(bytes, max_depth, out);
	xmlSetStructuredErrorFunc(told_ctx, told);
	xmlResetLastError();
	return rc;
}

static struct view view_xml(const xmlChar *text)
{
	return view_str((const char *)text);
}

static bool ns_is(const xmlNs *ns, const char *uri)
{
	return ns && ns->href && view_eq(view_xml(ns->href), view_str(uri));
}

bool xml_is(const xmlNode *node, const char *ns, const char *name)
{
	return node && node->type == XML_ELEMENT_NODE && ns_is(node->ns, ns) &&
	       view_eq(view_xml(node->name), view_str(name));
}

const xmlNode *xml_child(const xmlNode *node, const char *ns, const char *name)
{
	for (const xmlNode *c = node ? node->children : NULL; c; c = c->next)
		if (xml_is(c, ns, name))
			return c;
	return NULL;
}

static struct view first_text(const xmlNode *list)
{
	for (const xmlNode *c = list; c; c = c->next)
		if (c->type == XML_TEXT_NODE && c->content)
			return view_xml(c->content);
	return (struct view){0};
}

struct view xml_attr(const xmlNode *node, const char *ns, const char *name, bool *found)
{
	for (const xmlAttr *a = node->properties; a; a = a->next)
		if (view_eq(view_xml(a->name), view_str(name)) &&
		    (ns ? ns_is(a->ns, ns) : a->ns == NULL)) {
			if (found)
				*found = true;
			return first_text(a->children);
		}
	if (found)
		*found = false;
	return (struct view){0};
}

struct view xml_text(const xmlNode *node)
{
	return view_trim(first_text(node ? node->children : NULL));
}

int xml_child_copy(const xmlNode *node, const char *ns, const char *name, char *dst, size_t size)
{
	return view_copy(xml_text(xml_child(node, ns, name)), dst, size) ? 0 : E_LIMIT;
}

static bool is_char(uint32_t c)
{
	return c == 0x9 || c == 0xa || c == 0xd || (c >= 0x20 && c <= 0xd7ff) ||
	       (c >= 0xe000 && c <= 0xfffd) || (c >= 0x10000 && c <= 0x10ffff);
}

/* Bytes of the character that v begins with, 0 where it is no UTF-8 or not allowed in XML 1.0. */
static size_t char_length(struct view v)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char lead = (unsigned char)v.p[0];
	size_t n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	uint32_t c = n == 1 ? lead : lead & (0xffu >> (n + 1));

	if ((lead >= 0x80 && lead < 0xc0) || lead >= 0xf8 || n > v.n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		unsigned char next = (unsigned char)v.p[i];

		if ((next & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (next & 0x3f);
	}
	return c >= least[n] && is_char(c) ? n : 0;
}

static const char *escape_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\t':
		return "&#9;";
	case '\n':
		return "&#10;";
	case '\r':
		return "&#13;";
	default:
		return NULL;
	}
}

void xml_put(struct buf *b, struct view text)
{
	while (text.n) {
		size_t n = char_length(text);
		const char *escape = escape_of(text.p[0]);

		if (!n)
			buf_puts(b, "\xef\xbf\xbd");
		else if (escape)
			buf_puts(b, escape);
		else
			buf_put(b, view_first(text, n));
		text = view_from(text, n ? n : 1);
	}
}

void xml_put_attr(struct buf *b, const char *name, struct view value)
{
	buf_putc(b, ' ');
	buf_puts(b, name);
	buf_puts(b, "=\"");
	xml_put(b, value);
	buf_putc(b, '"');
}

void xml_put_element(struct buf *b, const char *name, struct view text)
{
	buf_putf(b, "<%s>", name);
	xml_put(b, text);
	buf_putf(b, "</%s>\n", name);
}
