/*
 * Session descriptions, as far as MSRP needs them: reading any offer or answer (RFC 8866, with the
 * tolerance for LF that RFC 4566 §9 asks for), and writing our own (RFC 4975 §8, RFC 6135, RFC
 * 6714, RFC 7701). The room body reads and writes what messages carry; it includes base and libxml2
 * only, and touches no socket, clock or file.
 */
#ifndef CONFAB_BODY_SDP_H
#define CONFAB_BODY_SDP_H

#include "base/addr.h"
#include "base/buf.h"
#include "base/view.h"

enum { SDP_MEDIA_MAX = 16 };

enum sdp_setup {		 /* RFC 4145 §4 */
		 SDP_SETUP_NONE, /* no a=setup line, or a value that is not known */
		 SDP_SETUP_ACTIVE,
		 SDP_SETUP_PASSIVE,
		 SDP_SETUP_ACTPASS,
		 SDP_SETUP_HOLDCONN,
};

enum sdp_direction { /* RFC 8866 §6.7; without a line: sendrecv */
		     SDP_SENDRECV,
		     SDP_SENDONLY,
		     SDP_RECVONLY,
		     SDP_INACTIVE,
};

/* What stands around one m= line and matters to MSRP. Views point into the bytes that were parsed.
 * Session-level c=, a=setup, a=fingerprint and direction are inherited. */
struct sdp_msrp {
	bool tls;	  /* the proto is TCP/TLS/MSRP */
	struct view host; /* of c=: address or host name, without TTL; empty: none */
	uint8_t family;	  /* of c=: 4, 6, or 0 where there is none */
	uint16_t port;	  /* of m= */
	struct view path; /* a=path as it stands: one or several URIs parted by SP; or empty */
	struct view accept_types;	  /* as it stands; empty: no such line */
	struct view accept_wrapped_types; /* as it stands; empty: no such line */
	uint64_t max_size;		  /* bytes; 0: no limit said */
	enum sdp_setup setup;
	enum sdp_direction direction;
	struct view fingerprint; /* "SHA-256 4A:AD:…" (RFC 8122 §5); empty: none */
	bool has_chatroom;	 /* a=chatroom is there (RFC 7701 §8) */
	struct view chatroom;	 /* its tokens, "nickname private-messages"; may be empty */
	bool msrp_cema;		 /* a=msrp-cema (RFC 6714 §5) */
};

/* One m= line. msrp is filled for any media type and proto, as far as its lines are there. */
struct sdp_media {
	uint8_t index;	   /* place among the m= lines, from 0 */
	struct view type;  /* "message" */
	uint16_t port;	   /* 0: refused or gone */
	struct view proto; /* "TCP/MSRP" */
	struct view fmt;   /* the rest of the line, "*" for MSRP */
	struct sdp_msrp msrp;
};

struct sdp {
	/* o= (RFC 8866 §5.2) */
	struct view username;
	struct view sess_id;
	struct view sess_version;
	struct view addr; /* address or host name */
	/* The value of the first t= line, "0 0"; empty where there is none. An answer repeats it.
	 */
	struct view timing;
	uint8_t n_media;
	struct sdp_media media[SDP_MEDIA_MAX];
};

/* Parses a whole session description. Views live as long as bytes. Unknown lines and attributes are
 * ignored. 0; E_SYNTAX: not a session description or a broken m=, c= or max-size line; E_MISSING:
 * no o= line; E_RANGE: a port beyond 65535; E_LIMIT: more than SDP_MEDIA_MAX m= lines. *out is
 * untouched on failure. */
int sdp_parse(struct view bytes, struct sdp *out);

/* The first m=message line with TCP/MSRP or TCP/TLS/MSRP, a port other than 0, a path and
 * accept-types (RFC 4975 §8.1, §8.6); NULL where there is none. Points into s. */
const struct sdp_media *sdp_find_msrp(const struct sdp *s);

/* The next one after media. */
const struct sdp_media *sdp_next_msrp(const struct sdp *s, const struct sdp_media *media);

/* True when a list of a=accept-types or a=accept-wrapped-types covers a type: listed, or by "*" or
 * "text" "/" "*". Case folded; parameters on either side do not count (RFC 4975 §8.6). */
bool sdp_accepts(struct view accept_list, struct view type);

/* What an answer's a=setup has to be (RFC 4145 §4.1): wanted (ACTIVE or PASSIVE) for an offer of
 * actpass, else the opposite of what is offered. No line in the offer counts as active, so the
 * answer is PASSIVE (RFC 6135 §4.1). holdconn stays holdconn. */
enum sdp_setup sdp_setup_answer(enum sdp_setup offered, enum sdp_setup wanted);
/* What an answer's direction has to be so that it allows no more than the offer and than wanted
 * (RFC 3264 §6.1). */
enum sdp_direction sdp_direction_answer(enum sdp_direction offered, enum sdp_direction wanted);

/* What we say of ourselves. Views are borrowed for the call. */
struct sdp_local {
	struct view username; /* of o=; empty: "-" */
	uint64_t sess_id;
	uint64_t sess_version; /* one more with each change (RFC 3264 §8) */
	struct addr addr;      /* of o=, c= and the port of m= */
	bool tls;
	struct view path; /* one or several URIs parted by SP */
	struct view accept_types;
	struct view accept_wrapped_types; /* empty: no line */
	enum sdp_setup setup;		  /* NONE: no line */
	uint64_t max_size;		  /* bytes; 0: no line */
	bool has_chatroom;
	struct view chatroom;
	enum sdp_direction direction; /* SENDRECV: no line */
	struct view fingerprint;      /* empty: no line */
	bool msrp_cema;
};

/* Appends a session description with the one m= line of l: an offer, or an answer to an offer of
 * one m= line. A value with a line end or another control byte in it makes the buffer fail (sticky,
 * see buf_ok): nothing can be smuggled in. */
void sdp_write_msrp(struct buf *b, const struct sdp_local *l);
/* Appends the answer to offer: each m= line of it in its order, chosen (one of offer->media, or
 * NULL) with our values and all others refused by port 0 (RFC 3264 §6). Fails as above. */
void sdp_write_answer(struct buf *b, const struct sdp *offer, const struct sdp_media *chosen,
		      const struct sdp_local *l);

#endif
