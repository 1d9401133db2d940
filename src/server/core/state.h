/* Inside server/core: the core itself and one request on its way through it. */
#ifndef CONFAB_SERVER_CORE_STATE_H
#define CONFAB_SERVER_CORE_STATE_H

#include "base/log_quota.h"
#include "base/quota.h"
#include "procedure/ims.h"
#include "server/core/core.h"
#include "server/core/guesses.h"
#include "server/core/location.h"
#include "sip/digest.h"

struct core {
	struct core_config cfg; /* its views and arrays are our own copies */
	char *text;		/* what they point to */
	struct core_ops ops;
	struct sip_stack *stack;
	struct timers *timers;
	const struct log *log;
	/* of what strangers can cause at will */
	struct log_quota acks_told, wrong_told, shut_told;
	struct sip_challenger challenger;
	struct guesses guesses; /* wrong passwords */
	struct quota sessions;	/* of each user of ours who began them */
	struct location location;
	struct hash keyed;    /* its key alone: for the cookies in Record-Route */
	struct list contexts; /* struct response_context */
	struct b2bua *b2bua;  /* server/participating/b2bua.h; NULL: none */
	struct list parked;   /* parked.c */
	size_t n_parked;
	struct quota parking; /* of each user */
	/* One request is looked at at a time: these are its scratch. */
	struct buf out;	   /* the message being composed */
	struct buf extra;  /* header lines for it */
	struct buf sender; /* address-of-record of the sender */
	struct buf target; /* address-of-record of the Request-URI or To */
	struct buf other;
	struct buf served;		 /* IMS mode: address-of-record of the served user */
	struct ims_served *served_users; /* NULL: not in IMS mode */
};

/* What the ISC interface tells of an initial request (server/participating/ims_isc.h). */
struct ims_isc {
	enum ims_side side;
	struct view served; /* address-of-record of the served user; empty: not known */
	enum ims_regstate regstate;
};

/* A request on its way. All views live as long as the message or the core's scratch. */
struct inbound {
	struct core *c;
	struct sip_server_tx *tx; /* NULL: an ACK */
	const struct sip_msg *m;
	const struct sip_flow *from;
	uint64_t now_ms;
	struct sip_uri uri;	  /* Request-URI, a strict router's doing undone */
	unsigned routes_taken;	  /* own Route values in front */
	struct sip_uri own_route; /* the first of them */
	bool last_route_taken;	  /* it became the Request-URI */
	bool more_routes;
	char participated; /* 'o', 't': the participating function of this process has had it */
	struct view b2bua_call; /* the B2BUA's token of the call that sends it; empty: not its */
	bool marked;		/* one of the Routes taken was made here for this very dialog */
	bool from_caller;	/* and it comes from where the request that began it came from */
	struct view next_route; /* value of the first one left */
	struct sip_addr from_addr, to_addr;
	bool in_dialog; /* To has a tag */
	bool ends_here; /* a user agent of this process, or its B2BUA, knows the dialog or refuses
			   it */
	bool trusted;	/* a peer or this process: its P-Asserted-Identity stands */
	struct core_identity who;
	bool sender_served; /* who is a user here, and this is what the store says */
	struct core_user sender;
	struct ims_isc ims;
};

enum { CORE_AOR_MAX = 512, CORE_HEAD_MAX = 65536, CORE_COOKIE_DIALOG = 10, CORE_COOKIE_CHARS = 16 };

/* A URI of a served domain, or of one of our addresses, as the address-of-record that bindings and
 * users go by. False: not ours, without a user, or too long. out is emptied first. */
bool core_aor(const struct core *c, const struct sip_uri *uri, struct buf *out);
/* "sip:user@domain" taken apart. */
void core_aor_split(struct view aor, struct view *user, struct view *domain);
/* True for our own domains and addresses, whatever the user. */
bool core_is_ours(const struct core *c, const struct sip_uri *uri);
int core_user_find(const struct core *c, struct view aor, struct core_user *out);
/* A configured address, or a connection whose peer has proven a configured name. */
bool core_is_trusted(const struct core *c, const struct sip_flow *flow);
bool core_name_is_trusted(const struct core *c, struct view host);
/* Answers; reason may be NULL. extra: whole header lines, not in c->out. */
void core_reply(struct inbound *r, int status, const char *reason, struct view extra);
/* For a final answer that memory was too short for: tries a short one, since a transaction without
 * an answer would stay. */
void core_answer_at_least(struct sip_server_tx *tx, int status, uint64_t now_ms);
/* The cookie for Record-Route. The first part proves that a Route was made here for a dialog of
 * this Call-ID that From began, under this tag, with To; turned: that To began with From. The rest
 * stands for the address that this request came from. text has room for CORE_COOKIE_CHARS; the view
 * is of it. Uses c->other. */
struct view core_route_cookie(const struct inbound *r, bool turned, char *text);

/* route.c: RFC 3261 §16.4. E_SYNTAX: a Route or the Request-URI cannot be read. */
int core_route_preprocess(struct inbound *r);

/* core.c: fills what is read off the message; false: it was answered. */
bool core_readable(struct inbound *r);

/* loop.c: RFC 3261 §16.3 steps 3 and 4, RFC 5393. False: it was answered (483, 482). */
bool core_check_hops(struct inbound *r);
bool core_check_loop(struct inbound *r);
/* What the branches of this request say of it, for core_check_loop should it come back. text has
 * room for SIP_MARK_CHARS; the view is of it. */
struct view core_loop_mark(const struct inbound *r, char *text);
/* kept.c: what was found out about the sender of a request that is to be looked at once more. */
struct core_kept;
struct core_kept *core_keep(const struct inbound *r); /* NULL: no memory */
void core_kept_free(struct core_kept *k);	      /* accepts NULL */
/* The request, which the transaction still has, as it was: r and *m, which it points to. False: it
 * is gone, or was answered. */
bool core_kept_again(const struct core_kept *k, struct core *c, struct sip_server_tx *tx,
		     struct sip_msg *m, uint64_t now_ms, struct inbound *r);

/* parked.c: a request that waits for DNS. E_LIMIT, E_NOMEM. */
void core_parking_init(struct core *c);
int core_park(struct inbound *r);
void core_parked_drop(struct core *c);

/* core.c: counts a session that a user of ours begins, or an INVITE inside a dialog; *out for
 * quota_release, NULL where nothing is counted. False: he has as many as he may, and it was
 * answered.
 */
bool core_session_count(struct inbound *r, struct quota_share **out);

/* told.c: lines of the log that strangers can cause; fini says what was left out. */
void core_note_ack(struct inbound *r, const char *what);
void core_note_wrong(struct inbound *r, struct view aor, bool once_too_often);
void core_told_fini(struct core *c);

/* authenticate.c */
/* Finds out who sent a request. False: it was answered. */
bool core_identify(struct inbound *r);
/* Something speaks for an ACK, which cannot be challenged (RFC 3261 §22.1). */
bool core_believes_ack(struct inbound *r);
/* Digest. True, and the user's address-of-record in aor; false: it was answered. */
bool core_authenticate(struct inbound *r, bool proxy, struct buf *aor, struct core_user *user);
/* Privacy lists this value (RFC 3323, RFC 3325). */
bool core_privacy_has(const struct sip_msg *m, struct view value);

/* registrar.c */
void core_register(struct inbound *r);

#endif
