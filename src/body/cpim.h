/*
 * message/cpim (RFC 3862): reading in place, and writing.
 *
 * A CPIM message is message headers, an empty line, the MIME headers of what is inside, an empty
 * line, and the content. Read with more tolerance than the RFC grants, since phones need it: LF for
 * CRLF, From and To without angle brackets or not there at all, no space or several after the
 * colon.
 */
#ifndef CONFAB_BODY_CPIM_H
#define CONFAB_BODY_CPIM_H

#include "base/buf.h"
#include "base/view.h"

enum {
	CPIM_HEAD_MAX = 16384, /* bytes of message headers and MIME headers together */
	CPIM_TO_MAX = 16,
	CPIM_NS_MAX = 8,
	CPIM_DATETIME_MAX = 40,
};

/* Namespaces of header names (RFC 3862 §3.4, RFC 5438 §6, RFC 3862 §7.2). */
#define CPIM_NS_DEFAULT "urn:ietf:params:cpim-headers:"
#define CPIM_NS_IMDN	"urn:ietf:params:imdn"

struct cpim_addr {
	struct view display; /* Formal-name without its quotes, escapes left; may be empty */
	struct view uri;     /* without angle brackets */
};

struct cpim_ns {
	struct view prefix; /* empty: the default namespace is replaced */
	struct view uri;
};

/* Views point into the bytes that were parsed; escapes (RFC 3862 §2.3) are left, see cpim_unescape.
 * From, To and the like are found without a prefix and with one that means the default namespace,
 * so that no other reader of the same bytes sees a sender or receiver that was not seen here. */
struct cpim {
	size_t n_from;	       /* From headers seen: more than one is a mistake or a forgery */
	struct cpim_addr from; /* the first one; uri is empty where there is none */
	size_t n_to;	       /* To headers seen; more than CPIM_TO_MAX are counted, not kept */
	struct cpim_addr to[CPIM_TO_MAX];
	size_t n_cc;
	struct cpim_addr cc; /* the first one */
	struct view date_time;
	struct view subject; /* the first one */
	struct view require; /* the first Require value (§4.7) */
	size_t n_ns;
	struct cpim_ns ns[CPIM_NS_MAX];
	struct view headers; /* all message header lines, line ends included */
	/* Of the content inside. */
	struct view mime_headers; /* all MIME header lines */
	struct view content_type; /* empty: none, which means text/plain (RFC 2045 §5.2) */
	struct view content_disposition;
	struct view content_id; /* without angle brackets */
	struct view content_transfer_encoding;
	struct view content_encoding; /* "deflate"; empty: none */
	struct view body;	      /* cpim_parse: all of it; cpim_parse_head: empty */
};

/* Reads the headers up to the content: good on the first chunk of a message. Returns the number of
 * bytes up to the content (> 0), 0 when more bytes are needed, or E_SYNTAX, E_LIMIT (more than
 * CPIM_HEAD_MAX bytes of headers or CPIM_NS_MAX namespaces). *out is untouched unless > 0. */
int cpim_parse_head(struct view bytes, struct cpim *out);
/* Reads a whole message. 0, E_SYNTAX (also where the end comes before the message headers' empty
 * line), E_LIMIT. Content without MIME headers' closing empty line is read as empty. */
int cpim_parse(struct view bytes, struct cpim *out);
/* The first header name of namespace ns_uri: true and its value. Names and namespaces compare
 * exactly (§2.2); a prefix counts only when an NS header before declares it. */
bool cpim_header(const struct cpim *m, struct view ns_uri, struct view name,
		 struct view *value_out);
/* Walks header lines (message or MIME): true while there is one; a line that is no header ends the
 * walk. Name with its prefix, value trimmed. */
bool cpim_header_next(struct view *rest, struct view *name, struct view *value);
/* "Name <uri>", "<uri>" or "uri". 0 or E_SYNTAX. */
int cpim_addr_parse(struct view value, struct cpim_addr *out);
/* Appends v with the escapes of §2.3 undone, as UTF-8. Never produces a NUL. */
void cpim_unescape(struct buf *b, struct view v);
/* Appends v with control bytes and backslashes escaped (§2.3.1). */
void cpim_escape(struct buf *b, struct view v);

/* A message to write. Views are borrowed for the call; an empty one leaves its line out. */
struct cpim_text {
	struct view from_uri;
	struct view from_display; /* plain text: it is quoted and escaped here */
	struct view to_uri;
	struct view to_display;
	struct view date_time; /* see cpim_datetime */
	struct view subject;   /* plain text: escaped here */
	struct view
		headers; /* further message header lines as they shall stand, each ended by CRLF */
	struct view content_type;
	struct view content_disposition;
	struct view content_id; /* without angle brackets */
	struct view body;
};

/* Appends a whole message; without from_uri or to_uri that header is left out. 0 or, with b as it
 * was, E_SYNTAX where a URI, date, type or id holds control bytes or angle brackets, or headers
 * does not end with a line end or holds an empty line; E_LIMIT, E_NOMEM by the buffer (then it
 * failed). */
int cpim_write(struct buf *b, const struct cpim_text *m);
/* RFC 3339, "2026-11-22T07:44:37.123Z", of milliseconds since 1970. Years beyond 9999 come out as
 * the last moment of 9999. Returns dst. */
const char *cpim_datetime(char dst[CPIM_DATETIME_MAX], uint64_t unix_ms);

#endif
