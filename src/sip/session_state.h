/* Inside the session: what session.c, session_invite.c, session_answer.c share. */
#ifndef CONFAB_SIP_SESSION_STATE_H
#define CONFAB_SIP_SESSION_STATE_H

#include "sip/session.h"
#include "sip/write.h"

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
	bool orphan;     /* the owner is gone; what is owed to the peer is still done */
	bool hung_up;    /* end was asked for before the answer came */
	int depth;       /* handlers on the stack */
	bool free_wanted;
	char *extra;     /* of our answers */
	char *bye_more;
	struct sip_uac *invite, *bye, *reinvite;
	char *ack;       /* last ACK, for retransmitted 2xx */
	size_t ack_n;
	struct sip_flow ack_flow;
	char *winner;    /* To tag of the 2xx that made the dialog */
	struct sip_server_tx *incoming;
	char tag[32];
	struct sip_answer answer;
	struct timer glare;
	char *reinvite_parts[4]; /* contact, more, content type, body: for a second try */
	size_t reinvite_body_n;
};

struct sip_session *sip_session_new(struct sip_ua *ua, const struct sip_session_handler *h, void *ctx);
/* The one place where a state changes. */
void sip_session_enter(struct sip_session *s, enum sip_session_state to);
void sip_session_finish(struct sip_session *s, enum sip_session_end why, int status,
			const struct sip_msg *m, uint64_t now_ms);
/* Brackets around calls of the owner: s may be freed by sip_session_leave. False: it was freed. */
void sip_session_hold(struct sip_session *s);
bool sip_session_leave(struct sip_session *s);
extern const struct sip_dialog_owner sip_session_owner;

void sip_answer_init(struct sip_session *s);
void sip_answer_stop(struct sip_session *s);
int sip_answer_send(struct sip_session *s, struct sip_server_tx *tx, const struct sip_msg *req,
		    struct view contact, struct view more, struct view content_type, struct view body,
		    uint64_t now_ms);
bool sip_answer_acked(struct sip_session *s, const struct sip_msg *ack);
void sip_session_send_ack(struct sip_session *s, struct sip_dialog *d, const struct sip_msg *invite,
			  bool keep, uint64_t now_ms);
void sip_session_send_bye(struct sip_session *s, uint64_t now_ms);

#endif
