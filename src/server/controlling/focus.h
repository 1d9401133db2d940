/* Inside the controlling function: conferences, members, watchers; shared by its files only. */
#ifndef CONFAB_SERVER_CONTROLLING_FOCUS_H
#define CONFAB_SERVER_CONTROLLING_FOCUS_H

#include "base/list.h"
#include "base/quota.h"
#include "body/conference_info.h"
#include "procedure/general.h"
#include "procedure/negotiate.h"
#include "procedure/uri_list.h"
#include "server/controlling/controlling.h"
#include "sip/session.h"
#include "sip/session_timer.h"

enum {
	CONFERENCE_USER_MAX = 48,
	CONFERENCE_URI_MAX = 320,
	SEAT_PATH_MAX = 192,
	CONFERENCES_ENDED_KEPT = 1024, /* tombstones: 410 instead of 404 */
	REFERRALS_MAX = 64,	       /* running REFERs of one conference */
	RECORDS_PER_MEMBER = 4,	       /* of those who are gone, kept so that they can come back */
	KEEP_BATCH_MS = 100,
};

/* One that has ended, and what of it the keeper does not know yet. */
struct ended_conference {
	char user[CONFERENCE_USER_MAX];
	char drops[CONFERENCE_USER_MAX]; /* an older one, whose place this took; "": none */
	bool kept, unwritten;
};

struct controlling {
	struct controlling_config cfg;
	char *factory_user, *feature_tag, *release;
	char *route, *conference_domain, *ioi; /* "": none */
	struct sip_stack *stack;
	struct sip_ua *ua;
	struct seat_broker broker;
	bool (*served)(void *ctx, struct view host, uint16_t port);
	void *served_ctx;
	struct hash by_user, by_id;
	struct quota made; /* running conferences by the address of who made them */
	uint64_t next_id;
	struct ended_conference ended[CONFERENCES_ENDED_KEPT]; /* a ring */
	size_t n_ended;
	struct {
		struct conference_keeper keeper; /* begin NULL: conferences are not kept */
		struct list dirty;
		struct timer timer;
		bool behind; /* the last attempt failed */
		bool anew;   /* what is kept is not known any more: all is written again */
	} keep;
	size_t n_restored, n_watchers_restored; /* by which what they do is spread over time */
	const char *farewell; /* header lines of the BYEs that end conferences; NULL: none */
};

enum member_state {
	MEMBER_SEATING, /* his seat was asked for */
	MEMBER_WAITING, /* has a seat, is not invited yet */
	MEMBER_INVITED,
	MEMBER_ALERTING,
	MEMBER_ANSWERED, /* his 200 had our offer: his answer comes in the ACK */
	MEMBER_JOINED,
	MEMBER_GONE
};

struct member {
	struct list link;
	struct conference *conference;
	uint64_t seat;
	char path[SEAT_PATH_MAX];
	char *uri, *aor, *display, *replaces, *inviter;
	char *session_replaces; /* what RCS phones read beside Replaces; NULL: none */
	bool inviter_anonymous, anonymous, creator, dialed_in;
	bool without_replaces; /* he was asked again, without it */
	bool was_in;	       /* he has been joined */
	bool removed;	       /* by somebody else: he may not come back by himself */
	bool superseded;       /* a later record of the same person counts */
	uint32_t anonymous_id;
	uint64_t request;	   /* under which his seat was asked for */
	struct referral *referral; /* whose NOTIFYs tell of him; NULL: none */
	/* notify.c: what watchers are told. Conference versions, 0: never. */
	uint32_t look, changed, deleted;
	uint64_t gone_at_ms;
	/* He was in when an earlier life of this server ended, and may come back: he counts as
	 * present until then. What is said meanwhile waits at a seat of his. */
	bool awaited;
	bool tls; /* his seat is one for MSRP over TLS */
	bool other_kind; /* he was asked again, with the other kind */
	struct sip_session *refused; /* that which he refused, until he is asked */
	char *nickname;	 /* NULL: none */
	uint8_t renamed; /* so often, as far as that fits */
	enum member_state state;
	enum conference_disconnection why;
	struct sip_session *session;
	/* The INVITE that made him a member, as far as it is needed until he is answered. Empty: it
	 * had no offer. */
	char *offer;
	size_t offer_n;
	char *sdp; /* our side as he was last told it; NULL: not yet */
	uint32_t sdp_version;
	struct session_timer timer;
	struct session_terms terms;   /* of the latest INVITE of either side */
	uint32_t expires_s, min_se_s; /* what INVITEs to him ask for */
	unsigned longer_tries;
	bool knows_timer; /* he says so */
	bool reoffered; /* the 2xx to his re-INVITE said it again, and is not acknowledged yet */
};

struct conference {
	struct hash_node by_user, by_id;
	struct controlling *ctl;
	uint64_t id;
	struct quota_share *share; /* of its maker */
	char user[CONFERENCE_USER_MAX];
	char uri[CONFERENCE_URI_MAX];
	struct list members, watchers, referrals;
	char *subject, *contribution; /* of the INVITE that made it; NULL: none */
	char *history;		      /* the list that invitees are shown (RFC 5364); NULL: none */
	uint32_t version, next_anonymous;
	uint64_t sess_id;
	struct timer seats_late;    /* the switch does not answer */
	struct timer drain_late;    /* nor to this */
	struct timer replaces_late; /* an entry with Replaces does not answer */
	bool seated, others_released;
	bool ending; /* it takes nobody and nothing any more; joined ones get their BYE when it is drained */
	bool tls; /* its creator uses MSRP over TLS, and so the others are offered it */
	struct timer comeback; /* of those who are awaited */
	struct list dirty;     /* in the list of what is to be kept */
	bool kept;	       /* the keeper has some of it */
	int depth; /* handlers under way: freed only at 0 */
	bool dead;
};

/* --- focus.c --- */
/* maker: his address-of-record. E_LIMIT: he has as many as he may; E_NOMEM: no room for one more.
 */
int conference_new(struct controlling *c, struct view maker, struct conference **out);
/* One of an earlier life, under the name that it had. E_EXISTS, E_LIMIT, E_NOMEM. */
int conference_new_named(struct controlling *c, struct view user, struct view uri,
			 struct conference **out);
struct conference *conference_by_id(const struct controlling *c, uint64_t id);
struct conference *conference_by_user(const struct controlling *c, struct view user);
/* Records of those who are gone are kept so that they can come back. Drops those that no longer
 * count, unless a handler of the conference is under way; false: there is no room for one more. */
bool members_prune(struct conference *conf);
struct member *member_new(struct conference *conf, struct view uri, struct view display);
struct member *member_by_seat(const struct conference *conf, uint64_t seat);
struct member *member_by_aor(const struct conference *conf, struct view aor);
/* The latest record of a person, gone or not. */
struct member *member_record(const struct conference *conf, struct view aor);
void conference_free(struct conference *conf);
bool conference_has_ended(const struct controlling *c, struct view user);
size_t conference_count(const struct conference *conf, bool joined_only);
/* A member is out: his seat is freed, the others are told, the end policy is looked at. */
void member_leave(struct member *m, enum conference_disconnection why, bool drain, uint64_t now_ms);
void conference_end(struct conference *conf, uint64_t now_ms);
/* What was said is delivered or reported: BYE to all. */
void conference_finish(struct conference *conf, uint64_t now_ms);
/* The comeback timer's; ctx is the conference. */
void conference_comeback_over(void *ctx, uint64_t now_ms);
/* Brackets around work that may end the conference. */
void conference_hold(struct conference *conf);
void conference_release(struct conference *conf);
/* URI without parameters, in the form addresses are compared in. Heap; NULL when memory ran out or
 * it is none. */
char *aor_of(struct view uri);
void focus_profile(const struct controlling *c, struct im_profile *p, struct view identity);
/* The 200 to a SUBSCRIBE (RFC 6665 §4.2.1). */
void conference_grant(const struct conference *conf, struct sip_server_tx *tx,
		      const struct sip_msg *subscribe, uint32_t seconds, uint64_t now_ms);

/* --- keep.c: conferences over a restart --- */
void keep_init(struct controlling *c);
void keep_fini(struct controlling *c);
/* There is something new to keep of it. */
void conference_dirty(struct conference *conf, uint64_t now_ms);
/* And it is not to be lost in the moment before it is written. */
void conference_dirty_at_once(struct conference *conf, uint64_t now_ms);
/* It is over: that is kept. */
void conference_dirty_end(struct conference *conf, uint64_t now_ms);
/* Its members may come back from now on. */
void conference_await(struct conference *conf, uint64_t now_ms);

/* --- record.c: a conference as bytes --- */
void record_write(const struct conference *conf, struct buf *b, uint64_t now_ms);
/* As controlling_restore. */
int record_read(struct controlling *c, struct view user, struct view record, uint64_t elapsed_ms,
		uint64_t now_ms, struct conference **out);

/* --- awaited.c: who was in before --- */
/* The record of one who is awaited; NULL. */
struct member *member_awaited(const struct conference *conf, struct view aor);
/* Counts those who are awaited and not in the conference by now, but for `aor`. */
size_t conference_awaits(const struct conference *conf, struct view aor);
/* Who comes back gets the seat that waits for him. True: it is there, or is on its way. */
bool member_reclaim(struct member *m);
/* They need seats, so that what is said waits for them: names up to max of those without one. */
size_t conference_name_awaited(struct conference *conf, uint64_t request, struct seat_offer *offer,
			       size_t max);
/* No seats came for those. */
void conference_awaited_unseated(struct conference *conf, uint64_t request);
/* He is awaited no more: he is back, or it has been long enough. */
void member_expected_no_more(struct member *m);

/* --- invite_member.c --- */
void conference_invite_next(struct conference *conf, uint64_t now_ms);
int member_invite(struct member *m, uint64_t now_ms);
extern const struct sip_session_handler member_handler;

/* --- options.c --- */
#define FOCUS_EVENTS "conference, refer"
/* What a focus says of itself in an INVITE and in the answer to one (RFC 4579 §3.1, §5.13). */
void focus_write_capabilities(struct buf *b);
/* conf NULL: the factory was asked. */
void focus_answer_options(const struct controlling *c, const struct conference *conf,
			  struct sip_server_tx *tx, uint64_t now_ms);

/* --- ims_route.c --- */
/* Where a request in a dialog goes in IMS mode: its Route, or the configured entry where that is a name. */
int focus_ims_next_hop(const struct controlling *c, struct view uri, struct sip_flow *out);
/* The first hop of an initial request of the focus's own. In IMS mode: its Route (in `route`, which lives as long as the
 * invite) and a P-Charging-Vector in extra. E_SYNTAX, E_ADDRESS, E_UNSUPPORTED: the configured entry is unusable. */
int focus_first_hop(const struct controlling *c, struct sip_invite *invite, struct buf *route,
		    struct buf *extra);
/* In IMS mode: the P-Charging-Vector of an answer to a request that has one. */
void focus_write_charging(const struct controlling *c, struct buf *b,
			  const struct sip_msg *request);

/* --- member_kind.c --- */
/* The kind that the offer of a creator is answered by, or that of one who joins; without an offer
 * (empty), the kind of ours to the INVITE m. E_MISSING, E_SYNTAX, E_UNSUPPORTED (488). */
int controlling_read_kind(const struct controlling *c, const struct sip_msg *m, struct view offer,
			  bool *tls_out);
int conference_read_kind(const struct conference *conf, const struct sip_msg *m, struct view offer,
			 bool *tls_out);

/* An invitee has refused (488, 606) what he was offered. Where policy allows it he is asked again with
 * the other kind, on a seat of that: true: that has begun. */
bool member_ask_other_kind(struct member *m, int status, uint64_t now_ms);

/* --- member_media.c --- */
/* Writes the focus's side of the session description for a seat, as an answer to `offer`. offer
 * empty: it is an offer of ours, and what he was told before stands. E_SYNTAX, E_UNSUPPORTED,
 * E_NOMEM. */
int member_write_sdp(struct member *m, struct buf *b, struct view offer);
/* Reads the member's side: tells the switch. answered: his answer to our offer. E_MISSING,
 * E_SYNTAX, E_UNSUPPORTED. */
int member_read_sdp(struct member *m, struct view sdp, bool answered);

/* --- member_timer.c --- */
void member_timer_init(struct member *m);
/* True: what the INVITE asks for is too short, and it was answered 422. */
bool member_timer_refuses(const struct controlling *c, struct sip_server_tx *tx,
			  const struct sip_msg *m, uint64_t now_ms);
/* An INVITE of his: what is agreed (in terms, for the 2xx), and then that the 2xx has gone. */
void member_timer_judge(struct member *m, const struct sip_msg *request);
void member_timer_answered(struct member *m, uint64_t now_ms);
/* An INVITE to him: its fields, and the 2xx to it. */
void member_timer_offer(const struct member *m, struct buf *b, bool refresh);
void member_timer_read(struct member *m, const struct sip_msg *response, bool refresh,
		       uint64_t now_ms);
/* True: that is a 422 (response may be NULL), and he is to be asked once more. */
bool member_timer_longer(struct member *m, const struct sip_msg *response);
/* The final answer to a refresh of ours. */
void member_timer_refreshed(struct member *m, const struct sip_msg *response, uint64_t now_ms);

/* --- reinvite.c --- */
void member_reinvited(struct member *m, struct sip_server_tx *tx, const struct sip_msg *msg,
		      uint64_t now_ms);
void member_reinvite_confirmed(struct member *m, const struct sip_msg *ack, uint64_t now_ms);

/* --- controlling.c --- */
/* What a list may be that names so many people. */
struct invitee_limits controlling_list_limits(const struct controlling *c, size_t entries);
/* The URI is that of a conference here or of the factory: inviting it would make conferences of
 * conferences. */
bool controlling_names_conference(const struct controlling *c, struct view uri);

/* --- seat_request.c --- */
/* Asks the switch for the seats of all who wait under this request. */
int conference_ask_seats(struct conference *conf, uint64_t request, uint64_t now_ms);
/* Begins the session of one who came by himself; his answer waits for his seat. E_SYNTAX: no
 * Contact. */
int member_incoming(struct member *m, struct sip_server_tx *tx, const struct sip_msg *invite,
		    uint64_t now_ms);
/* His seat is there already. */
void member_seated(struct member *m, uint64_t now_ms);
/* The ACK of one who came by himself: his answer is in it where his INVITE had no offer. */
void member_confirmed(struct member *m, const struct sip_msg *ack, uint64_t now_ms);

/* --- factory.c --- */
void factory_invite(struct controlling *c, struct sip_server_tx *tx, const struct sip_msg *m,
		    const struct core_identity *who, uint64_t now_ms);

/* --- dial_in.c --- */
void conference_dial_in(struct conference *conf, struct sip_server_tx *tx, const struct sip_msg *m,
			const struct core_identity *who, uint64_t now_ms);
/* He has his seat and his answer: what was his before is given up. */
void member_take_over(struct member *m, uint64_t now_ms);

/* --- replace_member.c --- */
void conference_replace(struct conference *conf, struct sip_server_tx *tx, const struct sip_msg *m,
			const struct core_identity *who, uint64_t now_ms);

/* --- policy.c --- */
bool policy_may_remove(const struct member *asker, const struct member *target);
bool policy_may_dial_in(const struct conference *conf, struct view aor);
/* After somebody left. */
bool policy_is_over(const struct conference *conf, bool creator_left);

/* --- refer.c --- */
/* asker: the participant inside whose dialog the REFER came; NULL: it came outside any, from `who`.
 */
void conference_refer(struct conference *conf, struct member *asker, struct sip_server_tx *tx,
		      const struct sip_msg *m, const struct core_identity *who, uint64_t now_ms);

/* --- add_member.c --- */
/* One whom a participant names: invited as soon as he has a seat. NULL: no memory, or too many
 * records. */
struct member *member_add(struct conference *conf, const struct invitee *e,
			  const struct member *inviter, bool inviter_anonymous);

/* --- remove_member.c --- */
/* 0 when it has begun; the referral, if any, is settled when he is out. */
void member_remove(struct member *m, struct referral *r, uint64_t now_ms);

/* --- referral.c: the implicit subscription of a REFER (RFC 3515 §2.4.4) --- */
/* inside: in this participant's dialog; else (NULL) in one of its own, made from tx and m. E_LIMIT,
 * E_NOMEM, E_SYNTAX (no Contact). */
int referral_new(struct conference *conf, struct member *inside, struct sip_server_tx *tx,
		 const struct sip_msg *m, struct referral **out);
/* The referral waits for one target more. */
void referral_expect(struct referral *r);
/* All targets are named; 100 is told, or at once the end. */
void referral_begin(struct referral *r, uint64_t now_ms);
/* NULL does nothing. */
void referral_progress(struct referral *r, int status, uint64_t now_ms);
void referral_settle(struct referral *r, int status, uint64_t now_ms);
/* Settles what a member's referral waits for, and lets go of it. */
void member_settle(struct member *m, int status, uint64_t now_ms);
/* A SUBSCRIBE to a referral inside a participant's dialog. */
void referral_subscribe(struct member *inside, struct sip_server_tx *tx, const struct sip_msg *m,
			uint64_t now_ms);
/* The dialog that these lived in is over. */
void referrals_drop_inside(struct member *inside);
void referrals_drop(struct conference *conf);

/* --- notify.c --- */
void watcher_subscribe(struct conference *conf, struct sip_server_tx *tx, const struct sip_msg *m,
		       const struct core_identity *who, uint64_t now_ms);
/* Who is out no longer watches (RFC 6665 §4.1.3, "rejected"). */
void watchers_reject(struct conference *conf, struct view aor, uint64_t now_ms);
void conference_changed(struct conference *conf, uint64_t now_ms);
/* A subscription as it outlives the process. */
struct watcher_state {
	struct sip_dialog_state dialog;
	struct view aor, event;
	uint64_t left_ms; /* of it */
	uint32_t version; /* of the last document */
};
void watchers_each(const struct conference *conf, uint64_t now_ms,
		   void (*fn)(void *ctx, const struct watcher_state *w), void *ctx);
/* E_SYNTAX, E_EXISTS, E_LIMIT, E_NOMEM. */
int watcher_restore(struct conference *conf, const struct watcher_state *s, uint64_t now_ms);
void watchers_end(struct conference *conf, uint64_t now_ms);
/* Forgets them without a word; the caller holds the conference. */
void watchers_free(struct conference *conf);

#endif
