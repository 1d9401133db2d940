/*
 * The participating function in the media path (clauses 9.1.2 and 9.2), pure: a B2BUA for one
 * session of a served user. Its near side faces the originator, its far side the callee.
 *
 * Call-ID and both tags are the same on its two sides, so that Replaces names the same dialog from
 * end to end (PF-X-1), and each fork of the far side is a dialog of its own on the near one. What
 * tells the sides apart is the parameter `pf` of the Contact that each of them was given: so two
 * sides of one Call-ID never meet in a table, also with the originating and the terminating
 * function in one process.
 *
 * All that it sends goes by the core of this process, which knows where phones and peers are.
 */
#ifndef CONFAB_SERVER_PARTICIPATING_B2BUA_H
#define CONFAB_SERVER_PARTICIPATING_B2BUA_H

#include "server/core/state.h"

struct b2bua;

enum b2bua_side { B2BUA_NEAR, B2BUA_FAR };
enum b2bua_role { B2BUA_ORIGINATING, B2BUA_TERMINATING };

/* Who sits at one end of a relay. Views are borrowed. */
struct relay_end {
	struct view remote_path, accept_types, accept_wrapped_types;
	struct view fingerprint; /* of the phone's certificate; empty: none given */
	bool connect;		 /* the relay connects */
	bool focus; /* a conference: its switch has to know of each message whether it came through */
};

/* The MSRP relay (switch/relay.c), seen from here. Calls return at once; b2bua_relay_ready or
 * _failed answers open. */
struct relay_broker {
	/* tls: which of its two ends are for MSRP over TLS. */
	int (*open)(void *ctx, uint64_t relay, const bool tls[2]);
	void (*answer)(void *ctx, uint64_t relay, enum b2bua_side side,
		       const struct relay_end *end);
	/* The session is to end: what is under way is delivered or reported, and b2bua_relay_drained
	 * answers. refuse: nothing more is taken from either side. */
	void (*drain)(void *ctx, uint64_t relay, bool refuse);
	void (*close)(void *ctx, uint64_t relay);
	/* The a=fingerprint of the relay as it is now (112 bytes); NULL where it has no TLS. */
	void (*fingerprint)(void *ctx, char *dst);
	void *ctx;
};

/* MSRP by TLS on one side and without on the other (SW-4). The near side is always answered in
 * kind. */
enum b2bua_tls {
	B2BUA_TLS_KEEP,	    /* the callee is offered what the caller offered */
	B2BUA_TLS_MORE,	    /* a callee who refuses plain MSRP (488) is offered TLS */
	B2BUA_TLS_EITHER,   /* and one who refuses TLS is offered plain MSRP, unless it is a sips call */
	B2BUA_TLS_REQUIRED, /* nothing but TLS on either side */
};

struct b2bua_config {
	struct view feature_tag;
	struct view release; /* User-Agent and Server */
	size_t max_calls;
	enum b2bua_tls tls;
	uint32_t session_expires_s, min_se_s; /* RFC 4028 */
	uint32_t drain_ms;		      /* how long the relay takes to drain, at most */
};

/* Registers itself with the core. cfg is copied. NULL: no memory. */
struct b2bua *b2bua_new(const struct b2bua_config *cfg, struct core *core,
			const struct relay_broker *broker);
void b2bua_free(struct b2bua *b);

/* True when a B2BUA can serve it: an INVITE that offers a session. One without an offer has no
 * media to be in the path of, and is left to the proxy. */
bool b2bua_can_serve(const struct sip_msg *invite);
/* Takes an initial INVITE and answers it in the end. */
void b2bua_invite(struct inbound *r, enum b2bua_role role);
/* True when the request, inside a dialog, is for one of the sides here by its Request-URI. */
bool b2bua_is_side(const struct sip_uri *uri);
/* Such a request: passed on to the other side, or answered. */
void b2bua_request(struct inbound *r);
void b2bua_ack(struct inbound *r);

/* What the relay tells. Unknown ids are ignored. paths live during the call. */
void b2bua_relay_ready(struct b2bua *b, uint64_t relay, struct view near_path, struct view far_path,
		       uint64_t now_ms);
void b2bua_relay_failed(struct b2bua *b, uint64_t relay, uint64_t now_ms);
void b2bua_relay_drained(struct b2bua *b, uint64_t relay, uint64_t now_ms);
/* A side never connected: the session is ended on both sides. */
void b2bua_relay_lost(struct b2bua *b, uint64_t relay, uint64_t now_ms);

/* Where the INVITE of the call with this token came from. False: no such call, or the connection is
 * gone. */
bool b2bua_near_flow(const struct b2bua *b, struct view token, struct sip_flow *out);
/* Ends all sessions on both sides; each BYE or CANCEL says why. */
void b2bua_shut_down(struct b2bua *b, uint64_t now_ms);
/* Those that run or ring, or whose BYE is not answered yet. Goes through all. */
size_t b2bua_open_count(struct b2bua *b);
/* Those whose transactions linger included. */
size_t b2bua_call_count(const struct b2bua *b);

#endif
