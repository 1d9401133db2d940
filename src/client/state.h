/* Inside the IM Client: shared by the files of this room only. */
#ifndef CONFAB_CLIENT_STATE_H
#define CONFAB_CLIENT_STATE_H

#include "base/list.h"
#include "body/conference_info.h"
#include "client/client.h"
#include "procedure/general.h"
#include "sip/session.h"

enum { PATH_TEXT_MAX = 192, SEEN_MAX = 1024, TEXT_MAX = 16 * 1024 * 1024 };

struct client {
	struct client_config cfg;
	char *user, *display, *password, *factory, *feature_tag, *aor, *contact, *from, *domain;
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
	uint64_t flow_conn; /* the connection the binding was made over */
	bool registered, closing;
	struct hash ids; /* no entries: the keyed hash behind conversation.seen */
};

enum leg_state {
	LEG_INVITING, /* our INVITE is on its way */
	LEG_INCOMING, /* theirs waits for the person */
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
	bool cpim;        /* the peer takes message/cpim */
	bool dialog_over; /* BYE went or came */
	bool said_bye;    /* it was ours */
	bool by_replaces; /* it came with Replaces */
	char *peer;       /* the other party's URI, or the conference's */
	char *allow;      /* what the peer's Allow said (IC-8.3.1-3) */
	char *offer;      /* theirs, until we answer */
	char local_uri[PATH_TEXT_MAX];
	unsigned reconnects;
	struct timer again, patience; /* reconnecting; end of a drain or of an opening */
};

enum outgoing_state { OUTGOING_WAITING, OUTGOING_HANDED };

/* A message of ours until it is confirmed. */
struct outgoing {
	struct list link;
	enum outgoing_state state;
	bool to_all;      /* whom it was written for: fixed when it was written */
	bool confirmed;   /* 200; a report may follow */
	struct leg *leg;
	char id[CONFAB_ID_SIZE];
	size_t n;
	char text[];
};

/* A message that has to wait until what was said before it is on the screen. */
struct held {
	struct list link;
	bool to_all;
	char *from, *display, *id, *content_type, *data;
	size_t n;
};

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
	bool leaving; /* the person wants out of all of it */
	bool ended; /* the person was told so; the rest is taken down */
	struct list outbox, holding;
	struct timer gate; /* the longest that new text waits for old text to be confirmed */
	struct timer hold; /* the longest that a message is held back */
	struct timer stays; /* split.c: the old peer joined, but keeps the old chat */
	bool gate_over;
	uint64_t seen[SEEN_MAX];
	size_t n_seen;
	/* roster.c */
	struct sip_uac *subscribing;
	struct sip_dialog subscription;
	bool subscribed, who_wanted;
	struct timer resubscribe;
	struct conference_info roster;
};

/* --- client.c --- */
void client_profile(const struct client *c, struct im_profile *p);
void client_emit(struct client *c, const struct confab_event *ev);
struct confab_event event_of(const struct conversation *v, enum confab_event_type type);
struct sip_flow client_flow(const struct client *c);
char *client_aor(struct view uri);

/* --- reap.c --- */
void reap_init(struct client *c);
/* Frees what has died, once nobody on the stack can still look at it: whoever is told of an event may end whatever it is
 * about. */
void reap_later(struct client *c);
void reap_now(struct client *c);

/* --- registration.c --- */
void registration_init(struct client *c);
void registration_conn_down(struct client *c, uint64_t conn, uint64_t now_ms);
void registration_end(struct client *c, uint64_t now_ms);

/* --- conversation.c --- */
struct conversation *conversation_new(struct client *c, struct view peer);
struct conversation *conversation_find(const struct client *c, uint32_t id);
/* Ends it for the person: what is not confirmed is told, CONFAB_ENDED comes, the memory goes. */
void conversation_end(struct conversation *v, int status, const char *text, uint64_t now_ms);
/* Forgets one that the person was never told of. */
void conversation_drop(struct conversation *v, uint64_t now_ms);
/* Hands over what may go out now: the gate of docs/protocol/upgrade.md. */
void conversation_flush(struct conversation *v, uint64_t now_ms);
/* A leg has no connection any more, for good: who wrote what is unconfirmed on it is told. */
void conversation_unconfirmed(struct conversation *v, struct leg *leg);
/* Shows what was held back. */
void conversation_release(struct conversation *v);
/* A leg has come to its end. It may be freed, and the conversation with it. */
void conversation_leg_closed(struct leg *leg, uint64_t now_ms);
extern const struct msrp_session_handler conversation_messages;

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
void leg_enter(struct leg *leg, enum leg_state to);
/* Ends the dialog from here; nothing more is heard of it. more: header lines of the BYE. */
void leg_hang_up(struct leg *leg, struct view more, uint64_t now_ms);
/* The dialog is over: what is under way is finished (bounded), then the leg is closed. ours: we said BYE. */
void leg_drain(struct leg *leg, bool ours, uint64_t now_ms);
void leg_drain_progress(struct leg *leg, uint64_t now_ms);
void leg_opened(struct leg *leg, uint64_t now_ms);
void leg_down(struct leg *leg, int error, uint64_t now_ms);
bool leg_settled(const struct leg *leg); /* nothing of ours is under way on it */

/* --- originate.c --- */
extern const struct sip_session_handler originated;
int leg_invite(struct leg *leg, struct view uri, struct view content_type, struct view body,
	       struct view extra, uint64_t now_ms);

/* --- terminating.c --- */
void client_invited(struct client *c, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms);
int leg_accept(struct leg *leg, uint64_t now_ms);
extern const struct sip_session_handler terminated;

/* --- session_events.c: what both sides of an INVITE have in common --- */
void leg_ended(struct leg *leg, enum sip_session_end why, int status, const struct sip_msg *m,
	       uint64_t now_ms);
void leg_reinvited(struct leg *leg, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms);

/* --- move.c --- */
void move_begin_here(struct conversation *v, struct leg *conference, uint64_t now_ms); /* we added people */
void move_begin_there(struct conversation *v, struct leg *conference, uint64_t now_ms); /* Replaces came */
void move_opened(struct conversation *v, uint64_t now_ms);
void move_progress(struct conversation *v, uint64_t now_ms);
void move_failed(struct conversation *v, int status, const char *text, uint64_t now_ms);
void move_old_closed(struct conversation *v, uint64_t now_ms);

/* --- split.c --- */
void split_init(struct conversation *v);
/* The old chat becomes a conversation of its own; why: what became of its peer in the conference. */
void split_old(struct conversation *v, const char *why, uint64_t now_ms);
/* Looks at what the roster says of somebody: the old peer, who did not come along? */
void split_look(struct conversation *v, struct view aor, bool in, const char *how, uint64_t now_ms);

/* --- roster.c --- */
void roster_subscribe(struct conversation *v, uint64_t now_ms);
void roster_end(struct conversation *v);
void roster_tell(struct conversation *v);

#endif
