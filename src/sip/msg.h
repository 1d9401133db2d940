/*
 * sip: SIP messages, transactions, dialogs and sessions (RFC 3261 and its updates),
 * pure: bytes, time and entropy in; bytes, events and deadlines out. It refuses
 * sockets, clocks, files and threads, and includes only base.
 *
 * This header: one received message as an immutable buffer and an index of its
 * header fields. Parsing finds lines and names only; a value is read when somebody
 * asks for it. All views point into the buffer that was parsed and live as long as it.
 */
#ifndef CONFAB_SIP_MSG_H
#define CONFAB_SIP_MSG_H

#include "base/view.h"

enum sip_method {
	SIP_METHOD_OTHER,
	SIP_INVITE,
	SIP_ACK,
	SIP_BYE,
	SIP_CANCEL,
	SIP_REGISTER,
	SIP_OPTIONS,
	SIP_INFO,
	SIP_PRACK,
	SIP_SUBSCRIBE,
	SIP_NOTIFY,
	SIP_PUBLISH,
	SIP_MESSAGE,
	SIP_REFER,
	SIP_UPDATE,
	SIP_METHODS
};

/* Known header fields, name and compact form ('\0': none). */
#define SIP_HEADERS(X)                                                                             \
	X(VIA, "Via", 'v')                                                                         \
	X(FROM, "From", 'f')                                                                       \
	X(TO, "To", 't')                                                                           \
	X(CALL_ID, "Call-ID", 'i')                                                                 \
	X(CSEQ, "CSeq", 0)                                                                         \
	X(CONTACT, "Contact", 'm')                                                                 \
	X(ROUTE, "Route", 0)                                                                       \
	X(RECORD_ROUTE, "Record-Route", 0)                                                         \
	X(MAX_FORWARDS, "Max-Forwards", 0)                                                         \
	X(CONTENT_LENGTH, "Content-Length", 'l')                                                   \
	X(CONTENT_TYPE, "Content-Type", 'c')                                                       \
	X(CONTENT_DISPOSITION, "Content-Disposition", 0)                                           \
	X(CONTENT_ENCODING, "Content-Encoding", 'e')                                               \
	X(CONTENT_ID, "Content-ID", 0)                                                             \
	X(ACCEPT, "Accept", 0)                                                                     \
	X(ACCEPT_CONTACT, "Accept-Contact", 'a')                                                   \
	X(REJECT_CONTACT, "Reject-Contact", 'j')                                                   \
	X(ALLOW, "Allow", 0)                                                                       \
	X(ALLOW_EVENTS, "Allow-Events", 'u')                                                       \
	X(SUPPORTED, "Supported", 'k')                                                             \
	X(REQUIRE, "Require", 0)                                                                   \
	X(PROXY_REQUIRE, "Proxy-Require", 0)                                                       \
	X(UNSUPPORTED, "Unsupported", 0)                                                           \
	X(EXPIRES, "Expires", 0)                                                                   \
	X(MIN_EXPIRES, "Min-Expires", 0)                                                           \
	X(SESSION_EXPIRES, "Session-Expires", 'x')                                                 \
	X(MIN_SE, "Min-SE", 0)                                                                     \
	X(EVENT, "Event", 'o')                                                                     \
	X(SUBSCRIPTION_STATE, "Subscription-State", 0)                                             \
	X(REFER_TO, "Refer-To", 'r')                                                               \
	X(REFERRED_BY, "Referred-By", 'b')                                                         \
	X(REFER_SUB, "Refer-Sub", 0)                                                               \
	X(REPLACES, "Replaces", 0)                                                                 \
	X(PRIVACY, "Privacy", 0)                                                                   \
	X(P_ASSERTED_IDENTITY, "P-Asserted-Identity", 0)                                           \
	X(P_PREFERRED_IDENTITY, "P-Preferred-Identity", 0)                                         \
	X(AUTHORIZATION, "Authorization", 0)                                                       \
	X(PROXY_AUTHORIZATION, "Proxy-Authorization", 0)                                           \
	X(WWW_AUTHENTICATE, "WWW-Authenticate", 0)                                                 \
	X(PROXY_AUTHENTICATE, "Proxy-Authenticate", 0)                                             \
	X(AUTHENTICATION_INFO, "Authentication-Info", 0)                                           \
	X(USER_AGENT, "User-Agent", 0)                                                             \
	X(SERVER, "Server", 0)                                                                     \
	X(DATE, "Date", 0)                                                                         \
	X(SUBJECT, "Subject", 's')                                                                 \
	X(RETRY_AFTER, "Retry-After", 0)                                                           \
	X(WARNING, "Warning", 0)                                                                   \
	X(REASON, "Reason", 0)                                                                     \
	X(TIMESTAMP, "Timestamp", 0)                                                               \
	X(MIME_VERSION, "MIME-Version", 0)                                                         \
	X(PATH, "Path", 0)                                                                         \
	X(SERVICE_ROUTE, "Service-Route", 0)                                                       \
	X(P_ASSOCIATED_URI, "P-Associated-URI", 0)                                                 \
	X(SESSION_REPLACES, "Session-Replaces", 0)                                                 \
	X(CONTRIBUTION_ID, "Contribution-ID", 0)                                                   \
	X(P_ACCESS_NETWORK_INFO, "P-Access-Network-Info", 0)                                       \
	X(P_CHARGING_VECTOR, "P-Charging-Vector", 0)                                               \
	X(P_CHARGING_FUNCTION_ADDRESSES, "P-Charging-Function-Addresses", 0)                       \
	X(P_SERVED_USER, "P-Served-User", 0)                                                       \
	X(HISTORY_INFO, "History-Info", 0)

enum sip_header_id {
	SIP_H_OTHER,
#define X(id, name, compact) SIP_H_##id,
	SIP_HEADERS(X)
#undef X
		SIP_HEADER_IDS
};

enum {
	SIP_FIELDS_MAX = 128,	    /* header fields in one message; more is "broken" */
	SIP_HEAD_BYTES_MAX = 65536, /* start line and header fields together */
};

/* One header field line; offsets into the message. The value is trimmed and may still hold
 * folds (CRLF followed by SP or HTAB), which every value parser takes as white space. */
struct sip_field {
	uint32_t name_at, value_at, value_n;
	uint16_t name_n;
	uint8_t id; /* enum sip_header_id */
};

/* One Via value; sip/value.h reads it. */
struct sip_via {
	struct view transport; /* "UDP" */
	struct view host;      /* sent-by host, IPv6 with brackets */
	uint16_t port;	       /* 0: none given */
	struct view params;
	struct view branch;   /* empty: none */
	struct view received; /* empty: none */
	bool rport;	      /* the parameter is there */
	uint16_t rport_value; /* 0: no value */
};

struct sip_msg {
	struct view raw; /* the whole message, head and body */
	bool is_request;
	enum sip_method method;	 /* of a request; of a response: that of its CSeq */
	struct view method_name; /* request: as it stands in the start line */
	struct view uri;	 /* Request-URI */
	uint16_t status;	 /* response: 100..699 */
	struct view reason;
	struct view head; /* start line, fields and the empty line */
	struct view body;
	struct sip_via via; /* the topmost one */
	int via_error;	    /* why there is none: E_MISSING, E_SYNTAX; 0 */
	uint16_t n_fields;
	int16_t first[SIP_HEADER_IDS]; /* index of the first field of each known id, -1: none */
	struct sip_field field[SIP_FIELDS_MAX];
};

/* Parses one whole message (start line to the last body byte). Lines may end with CRLF or a bare
 * LF. Content-Length, where present, cuts a longer body (RFC 3261 §18.3); a body shorter than it
 * says is E_RANGE. Leading CRLFs are skipped. Errors: E_SYNTAX (start line, a line without a
 * colon, a header name that is no token, a bad or contradicting Content-Length, a NUL or bare CR in
 * the head), E_LIMIT (too many fields, head too long), E_UNSUPPORTED (a SIP version other
 * than 2.0). On E_SYNTAX and E_RANGE of a request whose start line was good, out is filled as far
 * as it was read, so that a 400 can be written when Via, From, To, Call-ID and CSeq are among it.
 */
int sip_msg_parse(struct view bytes, struct sip_msg *out);
/* bytes: a copy of m's (raw) in which nothing but the topmost Via value is another, longer or
 * shorter; m becomes the message in it. */
void sip_msg_via_replaced(struct sip_msg *m, struct view bytes);

/* The trimmed value of the first field of that id; empty view where there is none (has tells). */
struct view sip_msg_value(const struct sip_msg *m, enum sip_header_id id);
static inline bool sip_msg_has(const struct sip_msg *m, enum sip_header_id id)
{
	return m->first[id] >= 0;
}
/* The same by name, for fields that have no id; case folded. */
struct view sip_msg_value_named(const struct sip_msg *m, struct view name);

/* Walks all fields of an id: for (int i = sip_msg_field(m, id, -1); i >= 0; i = sip_msg_field(m,
 * id, i)). Returns the index of the next after `after`, -1 at the end. */
int sip_msg_field(const struct sip_msg *m, enum sip_header_id id, int after);
struct view sip_field_name(const struct sip_msg *m, int field);
struct view sip_field_value(const struct sip_msg *m, int field);

/* Walks single values: repeated fields and comma-joined ones alike (commas inside quotes and <> do
 * not count). Not for Authorization and the like, whose commas join parameters. */
struct sip_values {
	const struct sip_msg *msg;
	enum sip_header_id id;
	int field;
	struct view rest;
};
void sip_values_start(struct sip_values *it, const struct sip_msg *m, enum sip_header_id id);
/* True and a trimmed, non-empty value while there is one. */
bool sip_values_next(struct sip_values *it, struct view *value);
/* True when a comma list (Supported, Require, Allow …) has the token, case folded. */
bool sip_msg_lists(const struct sip_msg *m, enum sip_header_id id, struct view token);

enum sip_method sip_method_of(struct view name); /* case sensitive (RFC 3261 §7.1) */
struct view sip_method_text(enum sip_method m);
enum sip_header_id sip_header_of(struct view name); /* long or compact, case folded */
struct view sip_header_text(enum sip_header_id id);

/* Checks what every request needs before anything else is done with it (RFC 3261 §8.2, §16.3, and
 * the lists of RFC 4475): Via, From with tag or without, To, Call-ID, CSeq with the start line's
 * method, Max-Forwards a number up to 255, no second of a field that may stand once, Content-Length
 * a number, parsable From/To/first Via, Request-URI without spaces. Returns 0, or the status to
 * answer with and *reason_out (static text) as its reason phrase, for example "Missing Call-ID". 0
 * with a response whose Via, From, To, Call-ID and CSeq are usable. */
int sip_msg_check(const struct sip_msg *m, const char **reason_out);

/* The reason phrase of a status code of RFC 3261 and of its updates; "Unknown" otherwise. */
const char *sip_reason(int status);

#endif
