/*
 * Entries of a URI list as the factory reads and the client writes them
 * (RFC 5366, RFC 5363), RCS's Session-Replaces beside Replaces.
 */
#ifndef CONFAB_PROCEDURE_URI_LIST_H
#define CONFAB_PROCEDURE_URI_LIST_H

#include "base/buf.h"
#include "body/resource_lists.h"
#include "sip/uri.h"

/* One invitee. All text lives in `text`. */
struct invitee {
	struct buf text;
	struct view uri;      /* sip:bo@example.com, parameters but `method` kept, no headers */
	struct view aor;      /* for comparing */
	struct view replaces; /* unescaped Replaces value; empty: none */
	struct view session_replaces;
	struct view display;
	bool anonymize;
	bool remove; /* method=BYE: he is to be taken out (only where a REFER is read) */
	enum resource_copy copy;
};

/* What a list may be; 0: the default of resource_lists_parse, and of entries: none at all. */
struct invitee_limits {
	size_t entries; /* people named, the sender and doubles not counted */
	size_t bytes;	/* of the document */
	unsigned depth; /* of nested elements */
};

struct invitee_list {
	struct invitee *entry;
	size_t n;
};

/* Reads one entry's URI. The missing "sip:" and the unescaped "?Replaces: …" of the source's
 * example are let pass. All other escaped headers are dropped (CF-9.3.1-5). E_SYNTAX;
 * E_UNSUPPORTED: a scheme other than sip and sips, or a method other than INVITE; E_NOMEM. */
int invitee_parse(struct view uri, struct invitee *out);
/* The same for a REFER's target, where method BYE is allowed too (RFC 4579 §5.11, RFC 5368 §5). */
int invitee_parse_refer(struct view uri, struct invitee *out);
void invitee_fini(struct invitee *i);

/* Reads a whole list: duplicates (RFC 5363 §4) and `self` (the inviter's AOR) are left out.
 * status_out is what to answer on failure: 400, 403, 413, 500. */
int invitee_list_parse(struct view xml, struct view self, const struct invitee_limits *max,
		       struct invitee_list *out, int *status_out, const char **reason_out);
/* The list of a REFER (RFC 5368): BYE entries too, and nobody is left out for being the sender. */
int invitee_list_parse_refer(struct view xml, const struct invitee_limits *max,
			     struct invitee_list *out, int *status_out, const char **reason_out);
void invitee_list_free(struct invitee_list *l);

/* Appends an entry URI with an escaped Replaces header: sip:bo@example.com;method=INVITE?Replaces=…
 * (R-6). */
void invitee_write_replaces(struct buf *b, struct view uri, struct view replaces);

#endif
