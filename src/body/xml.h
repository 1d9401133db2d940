/*
 * What the XML bodies share: reading a document with libxml2 behind all its safeties, and writing
 * escaped text. Only this room uses it.
 *
 * Refused: a DOCTYPE (so no entity but the five of XML and no external subset), anything but UTF-8,
 * documents above a size, elements nested above a depth. libxml2 is given no network, no file, no
 * entity to expand and nowhere to print.
 */
#ifndef CONFAB_BODY_XML_H
#define CONFAB_BODY_XML_H

#include "base/buf.h"
#include "base/view.h"

#include <libxml/tree.h>

/* libxml2 sets up its tables on first use and not safely among threads: a program with threads
 * calls this once before it starts them. */
void xml_init(void);

/* Parses bytes into a tree (free with xmlFreeDoc). 0; E_SYNTAX: not well-formed or not UTF-8;
 * E_RANGE: above max_bytes or max_depth; E_DENIED: it has a DOCTYPE; E_NOMEM. */
int xml_parse(struct view bytes, size_t max_bytes, unsigned max_depth, xmlDocPtr *out);

/* An element of that namespace and local name. */
bool xml_is(const xmlNode *node, const char *ns, const char *name);
/* The first child element of that name, NULL where there is none. */
const xmlNode *xml_child(const xmlNode *node, const char *ns, const char *name);
/* An attribute's value; ns NULL: one without a prefix. Empty view where there is none; *found (may
 * be NULL) says whether there was. Lives as long as the tree. */
struct view xml_attr(const xmlNode *node, const char *ns, const char *name, bool *found);
/* The text right inside an element, trimmed; of several runs parted by child elements, the first.
 */
struct view xml_text(const xmlNode *node);
/* xml_text of a child, copied as a string. 0 also where there is no such child (dst is ""),
 * E_LIMIT. */
int xml_child_copy(const xmlNode *node, const char *ns, const char *name, char *dst, size_t size);

/* Appends text for element content or an attribute value in double quotes. Bytes that are
 * not UTF-8 or no character of XML 1.0 come out as U+FFFD: what a peer sent cannot make a document
 * ill-formed, nor keep one from being written. */
void xml_put(struct buf *b, struct view text);
/* Appends ' name="value"'. */
void xml_put_attr(struct buf *b, const char *name, struct view value);
/* Appends "<name>text</name>" and a line end. */
void xml_put_element(struct buf *b, const char *name, struct view text);

#endif
