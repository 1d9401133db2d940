/*
 * application/conference-info+xml (RFC 4575): writing documents, reading them, and keeping a state
 * up to date from full and partial ones (§4.6).
 */
#ifndef CONFAB_BODY_CONFERENCE_INFO_H
#define CONFAB_BODY_CONFERENCE_INFO_H

#include "base/buf.h"
#include "base/view.h"

enum {
	CONFERENCE_USERS_MAX = 4096,
	CONFERENCE_ENDPOINTS_MAX = 8, /* per user */
	CONFERENCE_BYTES_MAX = 4 * 1024 * 1024,
	CONFERENCE_DEPTH_MAX = 24,
};

enum conference_state { CONFERENCE_FULL, CONFERENCE_PARTIAL, CONFERENCE_DELETED };

enum conference_status {			 /* <status> of an endpoint, §5.7.3 */
			 CONFERENCE_STATUS_NONE, /* not said, or not known */
			 CONFERENCE_PENDING,
			 CONFERENCE_DIALING_OUT,
			 CONFERENCE_DIALING_IN,
			 CONFERENCE_ALERTING,
			 CONFERENCE_ON_HOLD,
			 CONFERENCE_CONNECTED,
			 CONFERENCE_MUTED,
			 CONFERENCE_DISCONNECTING,
			 CONFERENCE_DISCONNECTED,
};

enum conference_joining { /* <joining-method>, §5.7.4 */
			  CONFERENCE_JOINING_NONE,
			  CONFERENCE_DIALED_IN,
			  CONFERENCE_DIALED_OUT,
			  CONFERENCE_FOCUS_OWNER,
};

enum conference_disconnection { /* <disconnection-method>, §5.7.6 */
				CONFERENCE_DISCONNECTION_NONE,
				CONFERENCE_DEPARTED,
				CONFERENCE_BOOTED,
				CONFERENCE_FAILED,
				CONFERENCE_BUSY,
};

struct conference_endpoint {
	struct view entity; /* the key; a URI */
	struct view display_text;
	enum conference_state state;
	enum conference_status status;
	enum conference_joining joining;
	enum conference_disconnection disconnection;
	struct view referred_by; /* <referred><by>; empty: none */
};

struct conference_user {
	struct view entity; /* the key; a URI */
	struct view display_text;
	struct view nickname; /* RFC 7701 §7.4 (an attribute of RFC 6501); empty: none */
	enum conference_state state;
	/* Written as sip:anonymousN@anonymous.invalid (§5.6), its endpoints too, with "AnonymousN"
	 * for display text; N must differ among the anonymous of a conference and stay for as long
	 * as they are in. Read: the entity is of that form. The referred_by of others is the
	 * writer's care. */
	bool anonymous;
	uint32_t anonymous_id;
	struct conference_endpoint *endpoints;
	size_t n_endpoints;
};

/* A document or a held state. To write one, the caller fills it with borrowed views and arrays. A
 * parsed one owns its memory (conference_info_free); the views live until then or until the next
 * apply. */
struct conference_info {
	struct view entity; /* the conference URI */
	uint32_t version;
	enum conference_state state;
	struct view subject; /* <conference-description>; empty: none */
	bool has_subject;
	struct view display_text;
	bool has_display_text;
	uint32_t user_count; /* <conference-state> */
	bool has_user_count;
	bool active;
	bool has_active;
	bool has_users; /* a <users> element is there (written when this or n_users says so) */
	enum conference_state users_state;
	struct conference_user *users;
	size_t n_users;
	/* Owned memory of a parsed document. */
	struct conference_endpoint *endpoint_memory;
	char *text_memory;
};

/* Appends a document. A user or endpoint whose state is FULL gets state="full". Bytes that XML
 * cannot hold come out as U+FFFD, so that no member can spoil the document for the others; look at
 * buf_ok at the end. */
void conference_info_write(struct buf *b, const struct conference_info *doc);
/* Parses a document. 0; E_SYNTAX: broken XML, another root, no entity or version, a user without
 * entity; E_LIMIT: too many users or endpoints; E_RANGE: too large or too deep; E_DENIED: it has a
 * DOCTYPE; E_NOMEM. *out is untouched on failure. */
int conference_info_parse(struct view xml, struct conference_info *out);
/* NULL and an already freed document do nothing. */
void conference_info_free(struct conference_info *doc);
/* Brings held (zeroed before the first time, or of an earlier parse or apply) up to date by a
 * parsed news (§4.6), which stays the caller's. Returns 0; E_EXISTS: not newer than what is held,
 * nothing changed; E_STATE: a version was skipped, or a partial came first: ask for full state;
 * E_LIMIT; E_NOMEM. held is unchanged on failure. Versions belong to one subscription: a new one
 * begins with a freed held. After a document with state deleted, held->state is DELETED and there
 * are no users; else it is FULL. */
int conference_info_apply(struct conference_info *held, const struct conference_info *news);
/* The user of that entity, NULL where there is none. */
const struct conference_user *conference_info_find(const struct conference_info *doc,
						   struct view entity);

/* The words of the schema, "dialing-out"; "" for NONE. */
const char *conference_status_text(enum conference_status s);

#endif
