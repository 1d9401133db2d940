/*
 * application/resource-lists+xml (RFC 4826 §3) as URI lists of requests use it (RFC 5363, RFC 5366,
 * RFC 5368), with copyControl, anonymize and count (RFC 5364).
 */
#ifndef CONFAB_BODY_RESOURCE_LISTS_H
#define CONFAB_BODY_RESOURCE_LISTS_H

#include "base/buf.h"
#include "base/view.h"

enum resource_copy { /* RFC 5364 §4; no attribute means bcc */
		     RESOURCE_COPY_BCC,
		     RESOURCE_COPY_CC,
		     RESOURCE_COPY_TO,
};

struct resource_entry {
	struct view uri;     /* as it stands, references undone; never empty after a parse */
	struct view display; /* <display-name>; may be empty */
	enum resource_copy copy;
	bool has_copy; /* the attribute was there, with a known value */
	bool anonymize;
	uint32_t count; /* 1 without the attribute; 0 counts as 1 when written */
};

/* Entries in document order, nested lists flattened, duplicates kept. The views point into text,
 * are followed by a NUL each and live until resource_list_free. */
struct resource_list {
	struct resource_entry *entries;
	size_t n;
	bool unsupported; /* an <entry-ref> or <external> was skipped */
	char *text;
};

/* 0 in a field: the default. */
struct resource_limits {
	size_t max_bytes;   /* of the document; default 65536 */
	size_t max_entries; /* default 256 */
	unsigned max_depth; /* of nested elements; default 16 */
};

/* Parses a document of any namespace prefix; limits may be NULL. No network, no entities. 0;
 * E_SYNTAX: broken XML, not UTF-8, another root element, an entry without uri; E_LIMIT: too many
 * entries; E_RANGE: too large or too deep; E_DENIED: it has a DOCTYPE; E_NOMEM. *out is untouched
 * on failure. */
int resource_lists_parse(struct view xml, const struct resource_limits *limits,
			 struct resource_list *out);
/* Gives up what a parse allocated; NULL and an already freed list do nothing. */
void resource_list_free(struct resource_list *list);

/* Appends a document. with_copy_control writes copyControl (always), anonymize and count (where
 * they say something). Bytes that XML cannot hold come out as U+FFFD; look at buf_ok at the end. */
void resource_lists_write(struct buf *b, const struct resource_entry *entries, size_t n,
			  bool with_copy_control);
/* Appends the list that invitees get with Content-Disposition recipient-list-history (RFC 5364 §4,
 * RFC 5366 §5.2): without bcc entries; anonymized ones as sip:anonymous@anonymous.invalid, gathered
 * per copyControl with a count, after the others. */
void resource_lists_write_history(struct buf *b, const struct resource_entry *entries, size_t n);

#endif
