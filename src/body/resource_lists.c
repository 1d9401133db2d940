#include "body/resource_lists.h"

#include "base/error.h"
#include "body/xml.h"
#include "body/xml_arena.h"

#include <stdlib.h>

#define NS_LISTS      "urn:ietf:params:xml:ns:resource-lists"
#define NS_COPY	      "urn:ietf:params:xml:ns:copycontrol"
#define ANONYMOUS_URI "sip:anonymous@anonymous.invalid" /* RFC 5364 §4 */

struct lists_reader {
	struct resource_list list;
	size_t max_entries;
	struct xml_arena arena;
};

static const char *const copy_text[] = {
	[RESOURCE_COPY_BCC] = "bcc",
	[RESOURCE_COPY_CC] = "cc",
	[RESOURCE_COPY_TO] = "to",
};

/* The attribute, with or (a slip of some phones) without its namespace. */
static struct view copy_attr(const xmlNode *node, const char *name)
{
	bool found;
	struct view v = xml_attr(node, NS_COPY, name, &found);

	return view_trim(found ? v : xml_attr(node, NULL, name, NULL));
}

static void read_copy_control(const xmlNode *node, struct resource_entry *e)
{
	struct view copy = copy_attr(node, "copyControl");
	struct view anonymize = copy_attr(node, "anonymize");

	for (int i = RESOURCE_COPY_BCC; i <= RESOURCE_COPY_TO; i++)
		if (view_eq_nocase(copy, view_str(copy_text[i]))) {
			e->copy = (enum resource_copy)i;
			e->has_copy = true;
		}
	e->anonymize = view_eq(anonymize, VIEW("true")) || view_eq(anonymize, VIEW("1"));
	e->count = 1;
	(void)view_to_u32(copy_attr(node, "count"), &e->count);
}

static int read_entry(struct lists_reader *r, const xmlNode *node)
{
	struct resource_entry *e;
	struct view uri = xml_attr(node, NULL, "uri", NULL);
	int rc;

	if (view_empty(view_trim(uri)))
		return E_SYNTAX;
	if (r->list.n == r->max_entries)
		return E_LIMIT;
	/* Grows by doubling: the size is a power of two whenever n is one. */
	if ((r->list.n & (r->list.n - 1)) == 0) {
		e = realloc(r->list.entries, (r->list.n ? r->list.n * 2 : 1) * sizeof(*e));
		if (!e)
			return E_NOMEM;
		r->list.entries = e;
	}
	e = &r->list.entries[r->list.n];
	*e = (struct resource_entry){0};
	read_copy_control(node, e);
	rc = xml_arena_copy(&r->arena, uri, &e->uri);
	if (!rc)
		rc = xml_arena_copy(&r->arena, xml_text(xml_child(node, NS_LISTS, "display-name")),
				    &e->display);
	if (!rc)
		r->list.n++;
	return rc;
}

static int read_element(struct lists_reader *r, const xmlNode *node)
{
	if (xml_is(node, NS_LISTS, "entry"))
		return read_entry(r, node);
	if (xml_is(node, NS_LISTS, "entry-ref") || xml_is(node, NS_LISTS, "external"))
		r->list.unsupported = true;
	return 0;
}

/* Walks all that stands in <list> elements, without recursion. */
static int read_lists(struct lists_reader *r, const xmlNode *root)
{
	const xmlNode *node = root->children, *up = root;

	for (;;) {
		while (!node) {
			if (up == root)
				return 0;
			node = up->next;
			up = up->parent;
		}
		if (xml_is(node, NS_LISTS, "list")) {
			up = node;
			node = node->children;
			continue;
		}
		/* Entries stand in lists, not right below the root (RFC 4826 §3.2). */
		if (up != root) {
			int rc = read_element(r, node);

			if (rc)
				return rc;
		}
		node = node->next;
	}
}

int resource_lists_parse(struct view xml, const struct resource_limits *limits,
			 struct resource_list *out)
{
	struct resource_limits l = limits ? *limits : (struct resource_limits){0};
	struct lists_reader r = {.max_entries = l.max_entries ? l.max_entries : 256};
	xmlDocPtr doc = NULL;
	const xmlNode *root;
	int rc;

	rc = xml_parse(xml, l.max_bytes ? l.max_bytes : 65536, l.max_depth ? l.max_depth : 16,
		       &doc);
	if (rc)
		return rc;
	/* Text never takes more room than its source: the quotes or tags around it are more than
	 * the NULs, and an entry without display name still has its own tag. */
	rc = xml_arena_init(&r.arena, xml.n);
	r.list.text = r.arena.text;
	root = xmlDocGetRootElement(doc);
	if (!rc)
		rc = xml_is(root, NS_LISTS, "resource-lists") ? read_lists(&r, root) : E_SYNTAX;
	xmlFreeDoc(doc);
	if (rc) {
		resource_list_free(&r.list);
		return rc;
	}
	*out = r.list;
	return 0;
}

void resource_list_free(struct resource_list *list)
{
	if (!list)
		return;
	free(list->entries);
	free(list->text);
	*list = (struct resource_list){0};
}

static void put_head(struct buf *b, bool with_copy_control)
{
	buf_puts(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<resource-lists");
	xml_put_attr(b, "xmlns", VIEW(NS_LISTS));
	if (with_copy_control)
		xml_put_attr(b, "xmlns:cp", VIEW(NS_COPY));
	buf_puts(b, ">\n<list>\n");
}

static void put_copy_control(struct buf *b, enum resource_copy copy, bool anonymize, uint64_t count)
{
	xml_put_attr(b, "cp:copyControl", view_str(copy_text[copy]));
	if (anonymize)
		xml_put_attr(b, "cp:anonymize", VIEW("true"));
	if (count > 1) {
		buf_puts(b, " cp:count=\"");
		buf_put_u64(b, count);
		buf_putc(b, '"');
	}
}

static void put_entry(struct buf *b, const struct resource_entry *e, bool with_copy_control,
		      bool anonymize)
{
	buf_puts(b, "<entry");
	xml_put_attr(b, "uri", e->uri);
	if (with_copy_control)
		put_copy_control(b, e->copy, anonymize, e->count);
	if (view_empty(e->display)) {
		buf_puts(b, "/>\n");
		return;
	}
	buf_puts(b, ">");
	xml_put_element(b, "display-name", e->display);
	buf_puts(b, "</entry>\n");
}

static void put_tail(struct buf *b)
{
	buf_puts(b, "</list>\n</resource-lists>\n");
}

void resource_lists_write(struct buf *b, const struct resource_entry *entries, size_t n,
			  bool with_copy_control)
{
	put_head(b, with_copy_control);
	for (size_t i = 0; i < n; i++)
		put_entry(b, &entries[i], with_copy_control, entries[i].anonymize);
	put_tail(b);
}

void resource_lists_write_history(struct buf *b, const struct resource_entry *entries, size_t n)
{
	uint64_t hidden[] = {
		[RESOURCE_COPY_BCC] = 0, [RESOURCE_COPY_CC] = 0, [RESOURCE_COPY_TO] = 0};

	put_head(b, true);
	for (size_t i = 0; i < n; i++) {
		const struct resource_entry *e = &entries[i];

		if (e->copy == RESOURCE_COPY_BCC)
			continue;
		if (e->anonymize)
			hidden[e->copy] += e->count ? e->count : 1;
		else
			put_entry(b, e, true, false);
	}
	for (int copy = RESOURCE_COPY_TO; copy > RESOURCE_COPY_BCC; copy--) {
		if (!hidden[copy])
			continue;
		buf_puts(b, "<entry");
		xml_put_attr(b, "uri", VIEW(ANONYMOUS_URI));
		put_copy_control(b, (enum resource_copy)copy, false, hidden[copy]);
		buf_puts(b, "/>\n");
	}
	put_tail(b);
}
