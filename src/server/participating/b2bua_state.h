/* Inside the B2BUA: shared by its files. */
#ifndef CONFAB_SERVER_PARTICIPATING_B2BUA_STATE_H
#define CONFAB_SERVER_PARTICIPATING_B2BUA_STATE_H

#include "body/sdp.h"
#include "procedure/negotiate.h"
#include "server/participating/b2bua.h"
#include "sip/session_timer.h"

enum {
	B2BUA_TOKEN_CHARS = 20,
	B2BUA_DIALOGS_MAX = 16,
	B2BUA_PASSES_MAX = 64,
	RELAY_FINGERPRINT_MAX = 112
};

struct b2bua {
	struct b2bua_config cfg; /* its views are our own copies */
	char *feature_tag, *release;
	struct core *core;
	struct sip_stack *stack;
	struct timers *timers;
	struct relay_broker broker;
	struct hash by_token, by_relay;
	uint64_t next_relay;
	bool shut_down, looked_again;
	size_t n_draining;    /* calls whose relay drains */
	struct buf out, body; /* scratch: the message being composed, and its body */
};

/* One side of a dialog: a user agent's end (RFC 3261 §12). */
struct b2bua_leg {
	struct b2bua_dialog *dialog;
	char *target;  /* the Contact that its peer gave; NULL: none yet */
	char *contact; /* header parameters of that */
	char *routes;  /* Route values in sending order, comma-joined */
	char *allow;   /* as the peer has it; NULL: not said */
	uint32_t local_seq, remote_seq;
	bool has_remote_seq;
	uint32_t invite_in,
		invite_out; /* its last INVITE's number, and that on the other side: for the ACK */
	struct session_timer timer;
};

/* A dialog: near and far, by the callee's tag. */
struct b2bua_dialog {
	struct list link;
	struct b2bua_call *call;
	char *tag;
	struct b2bua_leg leg[2];
	struct list passes;
	unsigned n_passes;
	bool confirmed, over;
	const char *farewell; /* the Reason of the BYEs that both are to get; NULL: none */
	bool server_told;     /* PF-9.1.1-6 */
	char *answer;	      /* the 2xx as it went to the near side, for its retransmissions;
			       * NULL once the call is settled */
	size_t answer_n;
};

/* A request inside a dialog on its way from one side to the other, or one of our own. */
struct b2bua_pass {
	struct list link;
	struct b2bua_dialog *dialog;
	enum b2bua_side from; /* it goes to the other side */
	enum sip_method method;
	struct sip_server_tx *in; /* NULL: ours, or answered and gone */
	struct sip_client_tx *out;
	uint32_t seq;		    /* on the way out */
	bool own, open;		    /* open: no final answer yet */
	bool offered;		    /* the request had a session description */
	struct session_terms terms; /* of the side it came from */
	char *answer;
	size_t answer_n;
	char *held; /* a BYE, as it goes out when the relay is drained; NULL: it went */
	size_t held_n;
};

enum b2bua_drain { B2BUA_RUNS, B2BUA_DRAINING, B2BUA_DRAINED };

struct b2bua_call {
	struct hash_node by_token, by_relay;
	struct b2bua *b;
	enum b2bua_role role;
	char token[B2BUA_TOKEN_CHARS + 1];
	struct sip_server_tx *near;
	struct sip_client_tx *far;
	char *invite; /* as it came; settled: what names the dialog */
	size_t invite_n;
	char *identity; /* P-Asserted-Identity line that goes with it, or "" */
	char *routes;	/* Route values that were left */
	struct sip_flow near_flow;
	bool near_trusted, cancelled, settled;
	struct session_terms near_terms;
	uint32_t far_expires_s, far_seq;
	struct quota_share *share; /* of the sessions that its originator may have */
	uint64_t relay;		   /* 0: none (any more) */
	bool relay_up, refuses;
	enum b2bua_drain drain; /* of the relay, before its sessions end */
	struct timer drain_late;
	bool tls[2]; /* the kind of MSRP on each side, for as long as the session lasts */
	bool near_told, turned; /* of the relay's path; the far side's kind was changed */
	char *path[2];		/* of our ends; NULL before the relay is up */
	uint64_t told[2];	/* hash of what the relay knows of the two phones; 0: nothing */
	bool connects[2];
	char *sdp[2];		    /* the last that was sent to each, for a refresh */
	struct b2bua_dialog *media; /* whose media the relay carries */
	struct list dialogs;
	unsigned n_dialogs;
	unsigned depth; /* calls of ours on the stack */
};

static inline enum b2bua_side other_side(enum b2bua_side s)
{
	return s == B2BUA_NEAR ? B2BUA_FAR : B2BUA_NEAR;
}

/* b2bua.c */
struct b2bua_call *call_of_relay(const struct b2bua *b, uint64_t relay);
/* The dialog of a request by its Request-URI and tags, and the side its sender is on; NULL. */
struct b2bua_dialog *b2bua_dialog_of(struct inbound *r, enum b2bua_side *side);
void call_hold(struct b2bua_call *call);
void call_release(struct b2bua_call *call); /* may free it */
void call_media_end(struct b2bua_call *call);
int call_invitation(const struct b2bua_call *call, struct sip_msg *out);

/* b2bua_invite.c: the initial INVITE on its far side. */
void call_invite_far(struct b2bua_call *call, uint64_t now_ms);
void call_refuse(struct b2bua_call *call, int status, const char *reason, struct view extra,
		 uint64_t now_ms);

/* b2bua_dialog.c */
struct b2bua_dialog *dialog_new(struct b2bua_call *call, const struct sip_msg *response);
struct b2bua_dialog *dialog_find(struct b2bua_call *call, struct view tag);
void dialog_free(struct b2bua_dialog *d);
/* Contact and Route set of a leg from a message of its peer. */
int leg_learn(struct b2bua_leg *leg, const struct sip_msg *m, bool routes, bool reversed);
void leg_fini(struct b2bua_leg *leg);
/* Ends both sides with BYE, once the relay is drained. */
void dialog_hang_up(struct b2bua_dialog *d, const char *reason, uint64_t now_ms);
void dialog_over(struct b2bua_dialog *d);
extern const struct session_timer_handler leg_timer;

/* Now. */
void dialog_say_farewell(struct b2bua_dialog *d, uint64_t now_ms);

/* b2bua_drain.c */
void call_drain_init(struct b2bua_call *call);
/* What the relay has under way is delivered, or reported to who is still there to hear it, before a
 * BYE ends his session. False: nothing has to be waited for, or it has been (also while this ran).
 */
bool call_drain(struct b2bua_call *call, bool refuse, uint64_t now_ms);
/* It is not waited for any more. */
void call_drain_stop(struct b2bua_call *call);
/* Shutting down: all that has waited for the relays, once the last one is drained. */
void b2bua_go_on_all(struct b2bua *b, uint64_t now_ms);

/* b2bua_pass.c: requests inside a dialog */
/* A BYE that was held goes out. */
void pass_release(struct b2bua_pass *p, uint64_t now_ms);
struct b2bua_pass *pass_new(struct b2bua_dialog *d, enum b2bua_side from, enum sip_method method);
void pass_free(struct b2bua_pass *p);
/* An INVITE inside the dialog has no final answer; whose it is. */
bool pass_invite_open(const struct b2bua_dialog *d, enum b2bua_side *from);
void pass_done(struct b2bua_pass *p);
/* on_gone of its client transaction; ctx is the pass. */
void pass_gone(void *ctx, struct sip_client_tx *tx);
/* Sends b->out. */
int pass_send(struct b2bua_pass *p, const struct sip_client_handler *h, uint64_t now_ms);

/* b2bua_own.c: requests of our own */
void pass_refresh(struct b2bua_leg *leg, uint64_t now_ms);
/* The ACK of a 2xx that the other side never hears of. */
void dialog_acknowledge(struct b2bua_dialog *d, enum b2bua_side to, uint32_t seq, uint64_t now_ms);
void pass_bye(struct b2bua_dialog *d, enum b2bua_side to, const char *reason, uint64_t now_ms);

/* b2bua_message.c: everything goes to b->out. */
/* What of a message goes through from one side to the other. identity: P-Asserted-Identity does;
 * inside: it came from the trust domain and stays in it, and so do that domain's own fields. */
void message_copy_fields(struct b2bua *b, const struct sip_msg *m, bool identity, bool inside);
/* Our own Route and those behind it: by the core of this process, which is told whose it is. */
void message_put_routes(struct b2bua_call *call, const char *routes);
void message_put_contact(struct b2bua_call *call, enum b2bua_side to, const struct b2bua_leg *peer);
void message_put_abilities(struct b2bua *b, const struct sip_msg *m);
/* Body of m with its session description (when it has one) as `sdp`, then the end. */
void message_put_body(struct b2bua *b, const struct sip_msg *m, struct view sdp);
/* Status line, dialog fields and Record-Route of an answer to the near INVITE or to a request
 * inside a dialog. */
void message_answer_head(struct b2bua_call *call, const struct sip_msg *request, int status,
			 const char *reason, struct view tag, const struct sip_flow *record);
/* Request line, Route, Max-Forwards of a request to that side of a dialog. */
void message_request_head(struct b2bua_dialog *d, enum b2bua_side to, struct view method,
			  const struct sip_msg *from, uint32_t seq);
/* From, To, Call-ID of a request of our own. */
void message_own_parties(struct b2bua_dialog *d, enum b2bua_side to);
/* In IMS mode: the session's charging identifier in a request of our own, and in an answer that has
 * none yet. */
void message_put_charging(struct b2bua_call *call);
void message_answer_charging(struct b2bua_call *call, const struct sip_msg *request);

/* b2bua_media.c */
struct b2bua_media {
	struct view sdp; /* empty: none */
	struct sdp desc;
	const struct sdp_media *msrp; /* NULL: refused, or nothing of use */
};
/* 0, also without a session description; E_SYNTAX. E_UNSUPPORTED: there are MSRP streams in it, but
 * none of that kind (488); out is filled all the same. */
int media_read(const struct sip_msg *m, enum negotiate_tls kind, struct b2bua_media *out);
/* The kind that was agreed on with a side. */
enum negotiate_tls media_kind(const struct b2bua_call *call, enum b2bua_side side);
/* The session description as that side gets it, in b->body. */
void media_write(struct b2bua_call *call, enum b2bua_side to, const struct b2bua_media *m,
		 enum sdp_setup setup);

/* b2bua_relay.c */
/* RFC 3261 §26.2: who asks by sips wants nothing in the clear. */
bool call_is_sips(const struct b2bua_call *call);
/* What an initial offer may be of. */
enum negotiate_tls relay_kinds(const struct b2bua *b);
uint64_t relay_hash(const struct b2bua *b, uint64_t relay);
/* Asks for a relay between the kinds of call->tls. */
int relay_begin(struct b2bua_call *call);
/* The callee has refused what he was offered: a relay of the other kind towards him is asked for,
 * where policy and time allow. */
bool relay_turn(struct b2bua_call *call, const struct sip_msg *refusal);
/* Tells the relay who sits at that end, when that is new. */
void media_tell(struct b2bua_call *call, enum b2bua_side side, const struct b2bua_media *m,
		bool connect);

#endif
