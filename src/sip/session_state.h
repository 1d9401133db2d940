/* Inside the session: what session.c, session_invite.c, session_answer.c share. */
#ifndef CONFAB_SIP_SESSION_STATE_H
#define CONFAB_SIP_SESSION_STATE_H

#include "sip/session.h"
#include "sip/ua_table.h"
#include "sip/write.h"

enum { SIP_FORKS_MAX = 16 }; /* answers of one forked INVITE that are dealt with */

/* An ACK as it was sent, for retransmissions of its 2xx. */
struct sip_ack {
	char *bytes;
	size_t n;
	struct sip_flow flow;
};

/* A 2xx to our INVITE, told from others by its To tag; the first made the dialog. */
struct sip_fork {
	struct list link;
	char *tag;
	struct sip_ack ack;
};

/* A re-INVITE of ours; it outlives its answer, whose retransmissions want their ACK. */
struct sip_reinvite {
	struct list link;
	struct sip_session *session;
	struct sip_uac *uac;
	struct sip_ack ack;
	bool answered;
};

/* A 2xx of ours until its ACK comes (RFC 3261 §13.3.1.4). */
struct sip_answer {
	struct sip_server_tx *tx; /* NULL once it is gone */
	char *bytes;
	size_t n;
	uint32_t cseq, interval_ms;
	struct timer retransmit, give_up;
	bool waiting;
};

struct sip_session {
	struct sip_ua *ua;
	const struct sip_session_handler *h;
	void *ctx;
	enum sip_session_state state;
	struct sip_dialog dialog;
	bool has_dialog;
	bool orphan;  /* the owner is gone; what is owed to the peer is still done */
	bool hung_up; /* end was asked for before the answer came */
	bool refused; /* our INVITE has its failure response, nothing can follow */
	int depth;    /* handlers on the stack */
	bool free_wanted;
	struct sip_leftover leftover; /* in the UA while an orphan */
	char *extra;		      /* of our answers */
	char *bye_more;
	struct sip_uac *invite, *bye;
	struct list forks; /* struct sip_fork */
	size_t n_forks;
	struct sip_server_tx *incoming;
	char tag[32];
	char call_id[33]; /* of our INVITE, whose CSeq number, once it was refused, is */
	uint32_t invite_cseq;
	struct sip_answer answer;
	struct list reinvites;	   /* struct sip_reinvite */
	struct sip_reinvite *open; /* the one without a final answer */
	struct sip_server_tx
		*theirs; /* the peer's last re-INVITE, NULL once gone or answered 2xx */
	struct timer glare;
	char *reinvite_parts[4]; /* contact, more, content type, body: for a second try */
	size_t reinvite_body_n;
};

struct sip_session *sip_session_new(struct sip_ua *ua, const struct sip_session_handler *h,
				    void *ctx);
/* The one place where a state changes. */
void sip_session_enter(struct sip_session *s, enum sip_session_state to);
void sip_session_finish(struct sip_session *s, enum sip_session_end why, int status,
			const struct sip_msg *m, uint64_t now_ms);
/* Brackets around calls of the owner: s may be freed by sip_session_leave. */
void sip_session_hold(struct sip_session *s);
void sip_session_leave(struct sip_session *s);
extern const struct sip_dialog_owner sip_session_owner;

void sip_answer_init(struct sip_session *s);
void sip_answer_stop(struct sip_session *s);
int sip_answer_send(struct sip_session *s, struct sip_server_tx *tx, const struct sip_msg *req,
		    struct view contact, struct view more, struct view content_type,
		    struct view body, uint64_t now_ms);
bool sip_answer_acked(struct sip_session *s, const struct sip_msg *ack);
/* A re-INVITE of the peer: answered here, or handed to the owner. */
void sip_session_receive_reinvite(struct sip_session *s, struct sip_server_tx *tx,
				  const struct sip_msg *m, uint64_t now_ms);
/* True while a re-INVITE of the peer waits for a final answer. */
bool sip_session_reinvite_pending(const struct sip_session *s);
/* Forgets it; one that is pending is answered 487 (RFC 3261 §15.1.2). */
void sip_session_drop_reinvite(struct sip_session *s, uint64_t now_ms);

/* Takes forks and re-INVITEs apart; their requests go on by themselves. */
void sip_session_forget_invites(struct sip_session *s);
void sip_session_send_bye(struct sip_session *s, uint64_t now_ms);

#endif
