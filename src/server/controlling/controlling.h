/*
 * server/controlling: the controlling function (clause 9.3), pure: the conference factory,
 * the focus of each conference with its invitations, the roster and who is told of it
 * (RFC 4579, RFC 5366, RFC 5368, RFC 4575). It includes base, sip, body, procedure and core's idea
 * of an identity. Seats are asked of a switch that is reached through struct seat_broker.
 */
#ifndef CONFAB_SERVER_CONTROLLING_CONTROLLING_H
#define CONFAB_SERVER_CONTROLLING_CONTROLLING_H

#include "server/core/core.h"

struct controlling;

struct seat_offer {
	uint64_t seat;
	struct view uri, display;
	bool tls;  /* MSRP over TLS */
	bool held; /* for an invitee: what is said meanwhile waits for him */
};

struct seat_answer {
	struct view remote_path, accept_types, accept_wrapped_types;
	struct view fingerprint; /* of the owner's certificate; empty: none given */
	uint64_t max_size;
	bool connect; /* the switch connects */
	bool takes_private; /* a=chatroom:private-messages */
};

/* The switch, seen from the focus. Calls return at once; controlling_seats_ready or _failed answers
 * open. Views are copied. */
struct seat_broker {
	int (*open)(void *ctx, uint64_t request, uint64_t conference, struct view uri,
		    const struct seat_offer *seat, size_t n);
	void (*answer)(void *ctx, uint64_t conference, uint64_t seat, const struct seat_answer *a);
	void (*close)(void *ctx, uint64_t conference, uint64_t seat, bool drain);
	/* The conference is to end: it takes no messages any more, and what is under way is delivered
	 * or reported. controlling_drained answers. */
	void (*drain)(void *ctx, uint64_t conference);
	void (*end)(void *ctx, uint64_t conference);
	/* The a=fingerprint of the switch as it is now (112 bytes); NULL where it has no TLS. */
	void (*fingerprint)(void *ctx, char *dst);
	void *ctx;
};

enum conference_end_policy {
	CONFERENCE_END_LAST,	  /* when the last one has left */
	CONFERENCE_END_BELOW_TWO, /* when fewer than two are left */
	CONFERENCE_END_CREATOR,	  /* when its creator leaves */
};

/* Who may take somebody out by REFER (CF-X-3). Taking oneself out is leaving, and always allowed.
 */
enum conference_remove_policy {
	CONFERENCE_REMOVE_CREATOR, /* the conference's creator, anybody */
	CONFERENCE_REMOVE_ANYONE,  /* every participant */
	CONFERENCE_REMOVE_NOBODY,
};

/* Who may join by an INVITE to the conference URI (CF-X-5). */
enum conference_dial_in_policy {
	CONFERENCE_DIAL_IN_MEMBERS, /* who was invited, or was in before and not removed */
	CONFERENCE_DIAL_IN_ANYONE,  /* everybody whose identity is known */
	CONFERENCE_DIAL_IN_NOBODY,
};

/* MSRP over TLS. The others are always invited by what the creator uses. */
enum conference_tls_policy {
	CONFERENCE_TLS_KEEP,   /* who joins a conference by TLS needs it too; else he may choose */
	CONFERENCE_TLS_EITHER, /* he may always choose */
	CONFERENCE_TLS_REQUIRED, /* there are no conferences without it */
};

struct controlling_config {
	struct view factory_user; /* user part of the Conference-factory-URI */
	struct view feature_tag;
	struct view release; /* Server / User-Agent */
	size_t max_members;  /* of one conference, its creator included */
	size_t max_conferences;
	size_t max_conferences_per_user;   /* running ones that he made; 0: no cap */
	size_t max_list_bytes;		   /* of a recipient list; 0: 64 KiB */
	unsigned max_list_depth;	   /* of its elements; 0: 16 */
	size_t max_subscriptions;	   /* to one conference; 0: no cap */
	size_t max_subscriptions_per_user; /* to one conference; 0: no cap */
	uint32_t invite_timeout_ms; /* how long the others wait for the final answer of an entry
				       with Replaces */
	uint32_t seat_timeout_ms;   /* how long the switch may take */
	uint32_t drain_ms; /* how much longer for broker.drain */
	uint32_t session_expires_s, min_se_s; /* RFC 4028; at least SESSION_TIMER_MIN_SE */
	enum conference_end_policy end_policy;
	enum conference_remove_policy remove;
	enum conference_dial_in_policy dial_in;
	enum conference_tls_policy tls;
	bool replaces_fallback; /* a 420 to Replaces: once more without (point 6 of "The move") */
	bool assume_im;		/* */
	uint64_t max_message;	/* a=max-size that is offered; 0: none */
	/* IMS mode: the URI that requests of the focus's own are routed by ("sip:192.0.2.5;lr;orig"); empty: by the core
	 * of this process. */
	struct view route;
	struct view ioi; /* inter-operator identifier (RFC 7315 §4.6); empty: none is said */
	/* Host of the conference URIs, a name that the core routes here; empty: our address. */
	struct view conference_domain;
	bool private_messages, nicknames; /* what a=chatroom says (RFC 7701 §8) */
	bool wrap_plain; /* the switch wraps plain text: it is offered as a type of its own */
	/* How long who was in a conference of an earlier life may take to come back to it. */
	uint64_t comeback_ms;
};

/* Where conferences are kept over a restart. What has changed is written in one go, KEEP_BATCH_MS after the first change
 * at the latest: begin, put and drop, then commit, or rollback where one of them failed. Then it is tried again later. */
struct conference_keeper {
	int (*begin)(void *ctx);
	/* Over what there was of it. ended: that it has ended is all there is to say. */
	int (*put)(void *ctx, struct view user, struct view record, bool ended);
	int (*drop)(void *ctx, struct view user);
	int (*clear)(void *ctx); /* all of them */
	int (*commit)(void *ctx);
	void (*rollback)(void *ctx);
	void *ctx;
};

struct controlling *controlling_new(const struct controlling_config *cfg, struct sip_stack *stack,
				    const struct digest *digest, const struct seat_broker *broker);
void controlling_free(struct controlling *c);
/* Own domains are the core's business: it is asked by this. */
void controlling_set_domain_check(struct controlling *c,
				  bool (*served)(void *ctx, struct view host, uint16_t port),
				  void *ctx);

/* From now on conferences are kept there. */
void controlling_set_keeper(struct controlling *c, const struct conference_keeper *keeper);
/* Puts back what a keeper was given, in the order it was first given; elapsed_ms: since then. A conference waits for
 * those who were in it (comeback_ms). E_SYNTAX, E_UNSUPPORTED: the record is damaged, or not of this version; E_EXISTS,
 * E_LIMIT, E_NOMEM. Nothing of it is there on failure. */
int controlling_restore(struct controlling *c, struct view user, struct view record, bool ended,
			uint64_t elapsed_ms, uint64_t now_ms);
/* Writes what has not been written yet, because the process ends. */
void controlling_keep_now(struct controlling *c, uint64_t now_ms);

bool controlling_is_local(const struct controlling *c, const struct sip_uri *uri);
void controlling_request(struct controlling *c, struct sip_server_tx *tx, const struct sip_msg *m,
			 const struct core_identity *who, uint64_t now_ms);
void controlling_ack(struct controlling *c, const struct sip_msg *m, uint64_t now_ms);

/* What the switch answers and tells. Unknown ids are ignored. path: of each seat, in the order of
 * open. */
void controlling_seats_ready(struct controlling *c, uint64_t request, uint64_t conference,
			     const uint64_t *seat, const struct view *path, size_t n,
			     uint64_t now_ms);
void controlling_seats_failed(struct controlling *c, uint64_t request, uint64_t conference,
			      int error, uint64_t now_ms);
void controlling_seat_lost(struct controlling *c, uint64_t conference, uint64_t seat,
			   uint64_t now_ms);

void controlling_drained(struct controlling *c, uint64_t conference, uint64_t now_ms);

/* Ends all conferences; each BYE says why. They are gone when controlling_conference_count is 0. */
void controlling_shut_down(struct controlling *c, uint64_t now_ms);
/* His nickname (RFC 7701 §7.4), UTF-8; empty: none any more. */
void controlling_seat_named(struct controlling *c, uint64_t conference, uint64_t seat,
			    struct view nickname, uint64_t now_ms);

size_t controlling_conference_count(const struct controlling *c);

#endif
