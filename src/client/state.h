/* Inside the IM Client: shared by the files of this room only. */
#ifndef CONFAB_CLIENT_STATE_H
#define CONFAB_CLIENT_STATE_H

#include "base/list.h"
#include "body/conference_info.h"
#include "body/cpim.h"
#include "body/sdp.h"
#include "client/client.h"
#include "procedure/general.h"
#include "sip/session.h"
#include "sip/session_timer.h"

enum {
	PATH_TEXT_MAX = 192,
	SEEN_MAX = 4096,
	NOTICES_MAX = 16,
	TEXT_MAX = 16 * 1024 * 1024,
	ALLOW_BYTES_MAX = 1024
};

struct client {
	struct client_config cfg;
	char *user, *display, *password, *factory, *feature_tag, *aor, *contact, *from, *domain, *fingerprint;
	char *old_contact; /* still to be taken back from the registrar (relocate.c); NULL: none */
	struct client_world world;
	struct timers *timers;
	const struct entropy *entropy;
	const struct log *log;
	struct sip_stack *stack;
	struct sip_ua *ua;
	struct msrp_agent *msrp;
	struct list conversations;
	struct list dead_conversations, dead_legs; /* reap.c */
	struct timer reap;
	uint32_t next_conversation;
	unsigned n_conversations;
	/* registration.c */
	struct sip_uac *registering;
	struct timer register_again;
	char call_id[33], from_tag[13];
	uint32_t register_seq, backoff_ms;
	char *registrar;     /* where a 3xx has sent us; NULL: our domain */
	struct addr home;    /* the server before that; family 0: there was none */
	unsigned moved, raised; /* 3xx and 423 in a row */
	uint32_t retry_after_s;
	uint64_t flow_conn; /* the connection the binding was made over */
	uint64_t flow_lost_ms; /* when it was last lost; 0: never */
	bool registered, closing, sips;
	char *service_route; /* Route lines for requests outside dialogs (RFC 3608); NULL: none */
	/* keepalive.c */
	struct timer ping, pong_late;
	uint32_t flow_timer_s; /* what the registrar asked for, 0: nothing */
	unsigned pings;	       /* of this round */
	bool pongs;	       /* the server has answered one on this flow */
	bool flow_probed;      /* it answered none, and was asked by a REGISTER once */
	struct addr mapped;    /* where it sees us (STUN) */
	/* ims.c */
	char *identity; /* the default one of the latest 200 to REGISTER; NULL: none was told */
	uint64_t instance[2];
	struct list pages; /* pager.c */
	struct hash ids; /* no entries: the keyed hash behind conversation.seen */
};

enum leg_state {
	LEG_INVITING, /* our INVITE is on its way */
	LEG_INCOMING, /* theirs waits for the person */
	LEG_OFFERED,  /* our 200 has our offer: the answer comes in the ACK (RFC 3261 §13.2.1) */
	LEG_OPENING,  /* agreed on; the MSRP connection is being made */
	LEG_OPEN,
	LEG_DRAINING, /* the dialog is over or about to be; what is under way is still finished */
	LEG_CLOSED
};

/* One SIP session and its MSRP session. */
struct leg {
	struct list link; /* client's dead_legs */
	struct conversation *conversation;
	struct sip_session *sip;
	struct msrp_session *msrp;
	enum leg_state state;
	bool conference;
	bool active;      /* we connect */
	bool tls;         /* MSRP over TLS */
	bool cpim;        /* the peer takes message/cpim */
	bool typing, imdn; /* it takes these types of notices, and has not refused one with 415 */
	bool private_messages, nicknames; /* a=chatroom (RFC 7701 §8) */
	uint64_t notices[NOTICES_MAX]; /* hashes of the ids of those that were answered 200, newest
					  at n_notices - 1 */
	unsigned n_notices;
	bool dialog_over; /* BYE went or came */
	bool said_bye;    /* it was ours */
	int rung;	  /* the latest provisional status that was told */
	bool finishing;   /* draining: all of ours is confirmed, and the peer is read to its end */
	bool incoming;    /* the peer invited us */
	bool by_server;   /* its MSRP goes to the server's host */
	bool by_replaces; /* it came with Replaces */
	bool reports;     /* the peer has sent a success report */
	bool used;	  /* text of ours was handed to it */
	char *peer;       /* the other party's URI, or the conference's */
	char *allow;	  /* what the peer's Allow said (IC-8.3.1-3); NULL: it said nothing */
	char *offer;      /* theirs, until we answer; empty: the offer is to be ours */
	bool secure;      /* their INVITE was to a sips URI */
	char *contribution; /* Contribution-ID of its INVITE; NULL: none */
	struct list referrals; /* REFERs of ours whose outcome is open */
	char local_uri[PATH_TEXT_MAX];
	unsigned reconnects;
	uint64_t peer_sdp_id; /* sess-id of the o= line: a switch that was started anew has another */
	uint64_t sdp_id; /* of our session description */
	/* refresh.c */
	struct session_timer timer;
	struct session_terms terms; /* of an invitation: what our 2xx says */
	struct sip_uac *updating;
	uint32_t session_expires, min_se; /* seconds: what we ask for */
	char *asked[4]; /* our INVITE, until it is answered: URI, content type, body, extra lines */
	const struct sip_session *refused; /* during the sending of one: whose call it is again */
	unsigned again_tries;
	int end_status; /* what its end means, where more is known than that it came */
	const char *end_text;
	struct timer again, patience; /* reconnecting; end of a drain or of an opening */
};

enum outgoing_state { OUTGOING_WAITING, OUTGOING_HANDED };

/* A message of ours until it is confirmed. */
struct outgoing {
	struct list link;
	enum outgoing_state state;
	bool to_all;      /* whom it was written for: fixed when it was written */
	bool confirmed;   /* 200; a report may follow */
	bool rerouted;	  /* written for the old session, which broke: it goes on by the conference,
			     privately */
	bool again;	  /* the switch had accepted it before it died: that was told */
	uint64_t accepted_ms;
	struct leg *leg;
	char id[CONFAB_ID_SIZE];
	char *to; /* for this participant alone; NULL: for all */
	size_t n;
	char text[];
};

/* glare.c */
struct glare {
	char **user; /* whom our own move adds */
	size_t n_users;
	bool add;	     /* they are still to be added to the other's conference */
	struct timer wait;   /* the longest that a sign of the old peer is waited for */
	const char *absent;  /* what the roster said of him meanwhile; NULL: nothing */
	struct leg *dropped; /* our own conference, until those whom we had invited are out of it */
};

/* people.c */
struct known_person {
	char *aor;
	bool listed;	/* a roster of this conference had him, or he has asked us in */
	bool here, out; /* what the present one says */
	bool gone;	/* he is not asked anew */
};

/* recover.c */
struct recovery {
	bool on;
	bool caller; /* we had begun the session that is lost */
	bool anew;   /* the conference is gone, too: a new one is made, or was a moment ago */
	bool gone_over; /* from one that was made anew to another one that was */
	struct known_person *people; /* who was asked into the conference, or in it when it was lost */
	size_t n_people;
	bool made;     /* the conference is one that we had made */
	char *inviter; /* who has asked us in; NULL: nobody */
	unsigned tries;
	uint64_t began_ms;
	uint64_t peer_sdp_id; /* of the session that was lost */
	struct timer timer;
};

/* What came in, as it is shown. */
struct incoming {
	struct view from, display, id, type, data;
	bool to_all;
};

/* What every session description of ours says (RFC 4975 §8.6, RFC 7701 §8). */
#define CLIENT_ACCEPT_TYPES "message/cpim text/plain application/im-iscomposing+xml"
#define CLIENT_CHATROOM	    "nickname private-messages"

struct conversation {
	struct list link;
	struct client *client;
	uint32_t id;
	char *peer;
	/* Text goes to `current`. While a chat moves, `old` is the session it moves from: read to its end, and given
	 * nothing new. See docs/protocol/upgrade.md. */
	struct leg *current, *old;
	struct leg *offered; /* an invitation to move that the person is asked about */
	bool moving;      /* from the decision to move until both sessions have settled */
	bool told_open;
	bool tls;     /* it ran over TLS, and goes on so */
	bool leaving; /* the person wants out of all of it */
	bool ended; /* the person was told so; the rest is taken down */
	struct list outbox, holding;
	struct list recent; /* what a switch accepted a moment ago: it may die with it */
	size_t n_recent;
	struct timer gate; /* the longest that new text waits for old text to be confirmed */
	struct timer hold; /* the longest that a message is held back */
	size_t n_held, held_bytes;
	size_t n_outbox;
	struct timer stays; /* split.c: the old peer joined, but keeps the old chat */
	bool gate_over;
	struct glare glare;
	struct recovery recovery;
	uint64_t seen[SEEN_MAX];
	size_t n_seen;
	/* join.c: whom a new conference is made with when the one to come back to is gone */
	char **rejoin_with;
	size_t n_rejoin_with;
	char *subject, *contribution; /* NULL: none */
	/* typing.c */
	bool composing; /* we said so */
	struct timer composing_idle, composing_refresh;
	struct list composers;
	unsigned n_composers;
	/* dispositions.c */
	struct list wanted; /* displays that were asked for and not told yet, oldest first */
	unsigned n_wanted;
	/* private_message.c */
	char *nickname, *nickname_asked;
	char nickname_tid[CONFAB_ID_SIZE];
	/* roster.c */
	struct sip_uac *subscribing;
	struct sip_dialog subscription;
	bool subscribed, who_wanted;
	bool fresh;                   /* the next full state is the first of its subscription */
	unsigned gaps;                /* versions missed in a row */
	struct timer resubscribe;
	struct conference_info roster;
};

/* --- client.c --- */
void client_profile(const struct client *c, struct im_profile *p);
void client_emit(struct client *c, const struct confab_event *ev);
/* What a request that failed without an answer is told as: the status, and its text for people. */
int client_failure(int error, const char **text_out);
struct confab_event event_of(const struct conversation *v, enum confab_event_type type);
struct sip_flow client_flow(const struct client *c);
char *client_aor(struct view uri);
/* The Contact that we are reached by at this address; NULL: no memory. */
char *client_contact(const struct client *c, const struct addr *at);
/* It came from our server: what that says of people is believed (RFC 3325 §9.2). */
bool client_is_server(const struct client *c, const struct sip_server_tx *tx);

/* --- reap.c --- */
void reap_init(struct client *c);
/* Frees what has died, once nobody on the stack can still look at it: whoever is told of an event may end whatever it is
 * about. */
void reap_later(struct client *c);
void reap_now(struct client *c);

/* --- registration.c --- */
void registration_init(struct client *c);
/* The flow is gone: registers anew, soon. */
void registration_lost(struct client *c, uint64_t now_ms);
void registration_conn_down(struct client *c, uint64_t conn, uint64_t now_ms);
void registration_end(struct client *c, uint64_t now_ms);
/* Who knows whether the server still knows us: by UDP nobody tells. */
void registration_again(struct client *c, uint64_t now_ms);

/* --- keepalive.c: RFC 5626 §4.4 --- */
void keepalive_init(struct client *c);
/* The flow is registered: begins, or goes on. */
void keepalive_start(struct client *c, uint64_t now_ms);
void keepalive_stop(struct client *c);
void keepalive_pong(struct client *c, const struct sip_flow *from, const struct addr *mapped, uint64_t now_ms);
/* --- ims.c --- */
void ims_write_instance(struct client *c, struct buf *contact); /* parameter of Contact */
/* A 200 to REGISTER: P-Associated-URI. */
void ims_registered(struct client *c, const struct sip_msg *m);
/* A 503 to a request of ours. */
void ims_unavailable(struct client *c, uint64_t now_ms);
bool ims_is_self(const struct client *c, struct view aor);

/* --- conversation.c --- */
struct conversation *conversation_new(struct client *c, struct view peer);
struct conversation *conversation_find(const struct client *c, uint32_t id);
/* Ends it for the person: what is not confirmed is told, CONFAB_ENDED comes, the memory goes. */
void conversation_end(struct conversation *v, int status, const char *text, uint64_t now_ms);
/* Forgets one that the person was never told of. */
void conversation_drop(struct conversation *v, uint64_t now_ms);
/* Hands over what may go out now: the gate of docs/protocol/upgrade.md. */
void conversation_flush(struct conversation *v, uint64_t now_ms);
/* Something said on a direct leg has its 200 and not its report: where a relay stands between, the peer may not have it
 * yet. */
bool conversation_awaits(const struct leg *leg);
/* A leg has no connection any more, for good: who wrote what is unconfirmed on it is told. */
void conversation_unconfirmed(struct conversation *v, struct leg *leg);
/* The old session is gone: what is unconfirmed there goes to its peer alone by the present one,
 * under the same Message-ID (point 5 of "The move"). What cannot is told as
 * conversation_unconfirmed does. */
void conversation_reroute(struct conversation *v, struct leg *old, uint64_t now_ms);
/* What was handed to a leg that is gone and is not confirmed waits for the next one; so does what a
 * relay has accepted since then, of whose peer no report ever came. */
void conversation_requeue(struct conversation *v, const struct leg *leg, uint64_t since_ms);
/* The switch that accepted these since then is dead: they go before all that waits. Who has them
 * drops them. */
void conversation_say_again(struct conversation *v, uint64_t since_ms);
/* Queues text of ours; to: for this participant alone, may be empty. */
int conversation_say(struct conversation *v, struct view to, struct view text, char *id_out,
		     uint64_t now_ms);
/* A leg has come to its end. It may be freed, and the conversation with it. */
void conversation_leg_closed(struct leg *leg, uint64_t now_ms);
extern const struct msrp_session_handler conversation_messages;

/* --- holding.c --- */
void holding_init(struct conversation *v);
void holding_fini(struct conversation *v);
void conversation_show(struct conversation *v, const struct incoming *in);
/* Does what came on this leg from this address of record have to wait? */
bool holding_must_wait(const struct conversation *v, const struct leg *leg, const char *from);
/* False: it cannot be held back, and is to be shown. */
bool holding_add(struct conversation *v, const struct incoming *in, uint64_t now_ms);
/* Shows what was held back. */
void conversation_release(struct conversation *v);

/* --- leg.c --- */
struct leg *leg_new(struct conversation *v, bool conference);
/* Forgets it: BYE where one is owed, MSRP closed at once. */
void leg_free(struct leg *leg, uint64_t now_ms);
/* Our session description: an offer, or (offer not empty) the answer to one. Makes the MSRP session. E_UNSUPPORTED (488),
 * E_SYNTAX. */
int leg_write_offer(struct leg *leg, struct buf *sdp, uint64_t now_ms);
int leg_write_answer(struct leg *leg, struct buf *sdp, struct view offer, uint64_t now_ms);
/* Their answer to our offer. */
int leg_read_answer(struct leg *leg, const struct sip_msg *m, uint64_t now_ms);
/* It cannot be used: BYE, and the conversation is told. */
void leg_unusable_answer(struct leg *leg, uint64_t now_ms);
/* The same description once more, for a refresh. leg_write_same_answer: as leg_write_answer. */
void leg_write_same_offer(const struct leg *leg, struct buf *sdp);
int leg_write_same_answer(const struct leg *leg, struct view offer, struct buf *sdp);
void leg_enter(struct leg *leg, enum leg_state to);
/* Ends the dialog from here; nothing more is heard of it. more: header lines of the BYE. */
void leg_hang_up(struct leg *leg, struct view more, uint64_t now_ms);
/* The dialog is over: what is under way is finished (bounded), then the leg is closed. ours: we said BYE. */
void leg_drain(struct leg *leg, bool ours, uint64_t now_ms);
void leg_drain_progress(struct leg *leg, uint64_t now_ms);
void leg_opened(struct leg *leg, uint64_t now_ms);
void leg_down(struct leg *leg, int error, uint64_t now_ms);
/* The chat moves from it: where its peer has to connect again, not as long is waited for that. */
void leg_hurry_back(struct leg *leg, uint64_t now_ms);
bool leg_settled(const struct leg *leg); /* nothing of ours is under way on it */

/* --- originate.c --- */
extern const struct sip_session_handler originated;
int leg_invite(struct leg *leg, struct view uri, struct view content_type, struct view body,
	       struct view extra, uint64_t now_ms);

/* The same INVITE once more, after a 422. False: it could not be sent. */
bool leg_invite_again(struct leg *leg, uint64_t now_ms);

/* INVITE to the leg's peer: a conference's URI, or a person. */
int leg_invite_peer(struct leg *leg, uint64_t now_ms);

/* Writes the INVITE of a leg to the factory (7.1.2-3), with the peer of a running session (7.1.4) or without (NULL). */
int leg_invite_many(struct leg *leg, const struct view *uri, size_t n, struct leg *running, uint64_t now_ms);

/* --- add_users.c, remove_user.c, refer.c --- */
int leg_add_users(struct leg *leg, const struct view *uri, size_t n, uint64_t now_ms);
/* One REFER for these users, sent once the dialog is confirmed; where the focus knows no lists, one for each. */
int leg_refer(struct leg *leg, const struct view *uri, size_t n, bool remove, uint64_t now_ms);
/* The ACK to our 200 is here: the REFERs that wait for it go. */
void leg_confirmed(struct leg *leg, uint64_t now_ms);
/* A request inside the leg's dialog that its session does not answer itself. */
void leg_requested(struct leg *leg, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms);
void leg_referrals_end(struct leg *leg);
/* All of them have come to an end. */
void leg_referrals_done(struct leg *leg);

/* --- join.c --- */
/* A conference that was to be joined again is gone (404, 410): a new one is made. Who takes no plain MSRP (488) is
 * offered TLS. False: nothing was begun. */
bool join_anew(struct leg *leg, int status, uint64_t now_ms);
void join_end(struct conversation *v);

/* --- may_replace.c --- */
/* The INVITE of this transaction may have the leg replaced (RFC 3891 §5). leg may be NULL: no. */
bool client_may_replace(const struct client *c, const struct leg *leg, struct sip_server_tx *tx);
/* --- people.c --- */
/* We make a conference; we are asked into one. */
void people_made(struct conversation *v);
void people_inviter(struct conversation *v, struct view uri);
/* These are asked into the conference. */
void people_asked(struct conversation *v, const struct view *uri, size_t n);
/* What a roster says of them. */
void people_look(struct conversation *v);
/* Nothing came of our asking him. */
void people_declined(struct conversation *v, const char *uri, int status);
/* The conference is lost: rejoin_with is whom a new one is made with. also: those, too, who were still
 * being brought back into it. */
void people_gather(struct conversation *v, bool also);
/* How many of rejoin_with stand before us in making it. */
unsigned people_rank(const struct conversation *v);
/* He was in, and is to be brought back. */
void people_missing(struct conversation *v, struct view uri);
/* Was he in when the conference was lost, or is he now? */
bool people_knows(const struct conversation *v, struct view uri);
/* One of rejoin_with. */
bool people_were_in(const struct conversation *v, struct view uri);
bool people_same(const char *uri, struct view other);
void people_fini(struct conversation *v);

/* --- recover.c --- */
struct terminate;
void recover_init(struct conversation *v);
void recover_end(struct conversation *v);
void recover_fini(struct conversation *v);
/* A leg's connection is gone for good: true: the conversation comes back by itself, and has another leg. */
bool recover_begin(struct leg *leg, uint64_t now_ms);
/* The same where it is our own address that is gone, and nobody has noticed yet. */
void recover_relocated(struct leg *leg, uint64_t now_ms);
/* An attempt of it failed: true: there will be another. */
bool recover_failed(struct leg *leg, int status, uint64_t now_ms);
void recover_opened(struct leg *leg, uint64_t now_ms);
/* He is being added because he had been in: the person did not ask for it, and need not hear how it
 * goes. */
bool recover_adds(const struct conversation *v, const char *uri);
/* The conversation ends before it came back: what its switch may have lost is unconfirmed. */
void recover_given_up(struct conversation *v);
/* True: the invitation was such a conversation's way back, and is answered. */
bool recover_invited(struct client *c, struct sip_server_tx *tx, const struct sip_msg *m,
		     const struct terminate *t, uint64_t now_ms);

/* --- terminating.c --- */
void client_refuse(struct client *c, struct sip_server_tx *tx, int status, uint64_t now_ms);
/* Makes the leg of an invitation that may be accepted. NULL: answered already. */
struct leg *client_take(struct client *c, struct conversation *v, struct sip_server_tx *tx,
			const struct sip_msg *m, const struct terminate *t, uint64_t now_ms);
void client_invited(struct client *c, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms);
int leg_accept(struct leg *leg, uint64_t now_ms);
extern const struct sip_session_handler terminated;

/* --- session_events.c: what both sides of an INVITE have in common --- */
void leg_ended(struct leg *leg, enum sip_session_end why, int status, const struct sip_msg *m,
	       uint64_t now_ms);
void leg_reinvited(struct leg *leg, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms);

/* --- allow.c --- */
enum leg_allowed { ALLOWED_UNKNOWN, ALLOWED_LISTED, ALLOWED_NOT };
void leg_learn_allow(struct leg *leg, const struct sip_msg *m);
enum leg_allowed leg_allowed(const struct leg *leg, struct view method);

/* --- refresh.c: RFC 4028 --- */
void refresh_init(struct leg *leg);
void refresh_end(struct leg *leg);
/* Fields of our INVITE. */
void refresh_write_offer(const struct leg *leg, struct buf *lines);
/* A 2xx to our INVITE or refresh. */
void refresh_answered(struct leg *leg, const struct sip_msg *m, uint64_t now_ms);
/* A 422 that wants a longer interval, and not an absurd one: true: it is taken over for the next
 * try. */
bool refresh_longer(struct leg *leg, const struct sip_msg *m);
/* An INVITE or UPDATE of the peer: 0, or 422. terms are what the 2xx says
 * (session_timer_write_answer); refresh_agreed once it went. */
int refresh_judge(const struct client *c, const struct sip_msg *m, struct session_terms *terms);
void refresh_agreed(struct leg *leg, const struct session_terms *terms, uint64_t now_ms);
void leg_reinvite_answered(struct leg *leg, const struct sip_msg *m, uint64_t now_ms);
void leg_updated(struct leg *leg, struct sip_server_tx *tx, const struct sip_msg *m,
		 uint64_t now_ms);

/* --- move.c --- */
void move_begin_here(struct conversation *v, struct leg *conference, uint64_t now_ms); /* we added people */
void move_begin_there(struct conversation *v, struct leg *conference, uint64_t now_ms); /* Replaces came */
void move_opened(struct conversation *v, uint64_t now_ms);
void move_progress(struct conversation *v, uint64_t now_ms);
void move_failed(struct conversation *v, int status, const char *text, uint64_t now_ms);
/* The same while the old session stands; the conference's leg is the caller's then. */
struct leg *move_back(struct conversation *v, int status, const char *text, uint64_t now_ms);
void move_old_closed(struct conversation *v, uint64_t now_ms);

/* --- glare.c: both added people at once --- */
void glare_init(struct conversation *v);
void glare_end(struct conversation *v);
/* Our own move begins: whom it adds. E_NOMEM. */
int glare_begin(struct conversation *v, const struct view *uri, size_t n);
/* The conference of a move is open. */
void glare_opened(struct conversation *v, uint64_t now_ms);
/* The old peer may still be about to invite us: nothing goes to our conference yet. */
bool glare_possible(const struct conversation *v);
/* He came along. */
void glare_heard(struct conversation *v, uint64_t now_ms);
/* He is out of our conference, which may be because of his own: true: not said yet. */
bool glare_explains(struct conversation *v, const char *how);
/* He invites us, replacing the session that our own move is about: true: our own is given up, and v
 * stands as if it had not begun. Somebody was told, and may have ended v. */
bool glare_yield(struct conversation *v, const struct leg *replaced, uint64_t now_ms);
/* The leg is that of a conference that was given up: news of it are nobody's but these. */
bool glare_dropped(const struct leg *leg);
void glare_dropped_answered(struct leg *leg, uint64_t now_ms);
/* Its last REFER is done, it ended, or it took too long: it may be freed. */
void glare_dropped_over(struct leg *leg, uint64_t now_ms);

/* --- notices.c: what typing and dispositions have in common --- */
enum notice_kind { NOTICE_TYPING, NOTICE_DISPOSITION };
/* Sends one on a leg that is open and takes it; in CPIM where the peer takes that. to: a
 * participant, or empty: all who are there. headers: CPIM header lines. */
void notice_send(struct leg *leg, enum notice_kind kind, struct view to, struct view headers,
		 struct view body, uint64_t now_ms);
/* What became of a message: true where it was a notice (and nobody is told of those). */
bool notice_state(struct leg *leg, struct view id, enum msrp_message_state state, int status);
/* What the peer's session description says of them. */
void notice_learn(struct leg *leg, const struct sdp_msrp *peer);

/* --- typing.c: RFC 3994 --- */
void typing_init(struct conversation *v);
void typing_fini(struct conversation *v);
/* A state came: 200 or 400. */
int typing_came(struct conversation *v, struct view from, struct view display, struct view body,
		uint64_t now_ms);
/* A message came, which ends its writer's state (§3.3); one of ours was sent. */
void typing_over(struct conversation *v, struct view from);
void typing_sent(struct conversation *v);

/* --- dispositions.c: RFC 5438 --- */
void dispositions_init(struct conversation *v);
void dispositions_fini(struct conversation *v);
/* CPIM header lines that ask for both. */
void dispositions_write(struct buf *b, const char *id);
int dispositions_came(struct conversation *v, struct view from, struct view display,
		      struct view body);
/* A message was received: says so where that is wanted. from: its sender's address of record. */
void dispositions_received(struct leg *leg, struct view from, struct view id, const struct cpim *m,
			   uint64_t now_ms);

/* --- private_message.c --- */
void nickname_response(struct leg *leg, struct view tid, int status, struct view comment);

/* --- pager.c: RFC 3428 --- */
void pager_init(struct client *c);
void pager_fini(struct client *c);
void pager_came(struct client *c, struct sip_server_tx *tx, const struct sip_msg *m,
		uint64_t now_ms);

/* --- split.c --- */
void split_init(struct conversation *v);
/* The old chat becomes a conversation of its own; why: what became of its peer in the conference. */
void split_old(struct conversation *v, const char *why, uint64_t now_ms);
/* Looks at what the roster says of somebody: the old peer, who did not come along? */
void split_look(struct conversation *v, struct view aor, bool in, const char *how, uint64_t now_ms);

/* --- roster.c --- */
void roster_subscribe(struct conversation *v, uint64_t now_ms);
/* A NOTIFY outside any dialog: it may be faster than the 200 to our SUBSCRIBE, and makes the dialog then (RFC 6665 §4.1.2.4).
 */
void roster_early_notify(struct client *c, const struct sip_msg *m);
void roster_end(struct conversation *v);
void roster_tell(struct conversation *v);
bool roster_has(const struct conversation *v, struct view aor);
/* The conference is not ours any more: another one begins anew. */
void roster_forget(struct conversation *v);

#endif
