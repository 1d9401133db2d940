/*
 * One INVITE dialog usage, from either side (RFC 3261 §13, §14, §15, RFC 6026, RFC 5057):
 * the INVITE and its CANCEL, the 2xx with its retransmission and ACK, re-INVITEs with
 * glare, BYE.
 */
#ifndef CONFAB_SIP_SESSION_H
#define CONFAB_SIP_SESSION_H

#include "sip/ua.h"

struct sip_session;

enum sip_session_state {
	SIP_SESSION_INVITING, /* our INVITE has no final answer */
	SIP_SESSION_INCOMING, /* an INVITE waits for our final answer */
	SIP_SESSION_ANSWERED, /* we sent 2xx, no ACK yet */
	SIP_SESSION_CONFIRMED,
	SIP_SESSION_ENDING, /* our BYE or CANCEL is on its way */
	SIP_SESSION_ENDED,
};

enum sip_session_end {
	SIP_END_BYE_RECEIVED,
	SIP_END_BYE_SENT,  /* and answered, or given up on */
	SIP_END_CANCELLED, /* the inviter cancelled, before our final answer */
	SIP_END_REJECTED,  /* we answered with a failure, or our INVITE was (status tells) */
	SIP_END_TIMEOUT,   /* no answer, or no ACK */
	SIP_END_FAILED,	   /* could not be sent, or the dialog broke */
};

struct sip_session_handler {
	/* 101..199 to our INVITE. May be NULL. */
	void (*on_progress)(void *ctx, struct sip_session *s, const struct sip_msg *m,
			    uint64_t now_ms);
	/* The 2xx to our INVITE; the ACK was sent. Confirmed. */
	void (*on_answered)(void *ctx, struct sip_session *s, const struct sip_msg *m,
			    uint64_t now_ms);
	/* The ACK to our 2xx. Confirmed. May be NULL. */
	void (*on_confirmed)(void *ctx, struct sip_session *s, const struct sip_msg *ack,
			     uint64_t now_ms);
	/* A re-INVITE (tx may be answered later): sip_session_answer_reinvite, or a plain reply to
	 * refuse it. The session stays attached to tx: a CANCEL or BYE is quicker, and answers it
	 * 487. NULL: 488. */
	void (*on_reinvite)(void *ctx, struct sip_session *s, struct sip_server_tx *tx,
			    const struct sip_msg *m, uint64_t now_ms);
	/* The ACK to our 2xx to a re-INVITE: the answer is in it where the offer was ours. May be
	 * NULL. */
	void (*on_reinvite_confirmed)(void *ctx, struct sip_session *s, const struct sip_msg *ack,
				      uint64_t now_ms);
	/* The answer to our own re-INVITE, any final. May be NULL. */
	void (*on_reinvited)(void *ctx, struct sip_session *s, const struct sip_msg *m,
			     uint64_t now_ms);
	/* OPTIONS in the dialog. Must answer. NULL: 200. */
	void (*on_options)(void *ctx, struct sip_session *s, struct sip_server_tx *tx,
			   uint64_t now_ms);
	/* Any other request in the dialog but BYE. Must answer. NULL: 405 (501 for unknown
	 * methods).
	 */
	void (*on_request)(void *ctx, struct sip_session *s, struct sip_server_tx *tx,
			   const struct sip_msg *m, uint64_t now_ms);
	/* The end, exactly once; m is the BYE, the failure response or the CANCEL (NULL: none). The
	 * owner frees the session then or later. */
	void (*on_ended)(void *ctx, struct sip_session *s, enum sip_session_end why, int status,
			 const struct sip_msg *m, uint64_t now_ms);
};

struct sip_invite {
	struct view uri;     /* Request-URI */
	struct view to;	     /* To value; empty: <uri> */
	struct view from;    /* From value without a tag */
	struct view contact; /* Contact value */
	struct view routes;  /* initial Route values, comma-joined, or empty */
	struct view extra;   /* further header lines, each with its CRLF */
	struct view content_type, body;
	struct sip_flow flow; /* first hop */
	bool hurried;	      /* a 503 is not waited for (sip_uac_hurry) */
	/* NULL, or one whose INVITE was refused: the same call is tried once more, with its
	 * Call-ID, From tag and the next CSeq (RFC 3261 §8.1.3.5, RFC 4028 §7.4). */
	const struct sip_session *again;
};
/* Sends an INVITE. *out is valid until sip_session_free. */
int sip_session_invite(struct sip_ua *ua, const struct sip_invite *invite,
		       const struct sip_session_handler *h, void *ctx, uint64_t now_ms,
		       struct sip_session **out);

/* Takes an INVITE outside a dialog; the session's 100 is sent. extra (copied): header lines that
 * every answer but 100 carries (Server, Allow, Contact, P-Asserted-Identity …). */
int sip_session_incoming(struct sip_ua *ua, struct sip_server_tx *tx, const struct sip_msg *m,
			 struct view extra, const struct sip_session_handler *h, void *ctx,
			 uint64_t now_ms, struct sip_session **out);
/* 180, 183 …: it makes an early dialog, and so has a Contact (RFC 3261 §12.1.1), here its value.
 * E_STATE, E_NOMEM. */
int sip_session_ring(struct sip_session *s, int status, struct view contact, uint64_t now_ms);
/* 200. contact: Contact value; more: header lines besides `extra`. E_STATE, E_NOMEM, E_SYNTAX (no
 * dialog can be made). */
int sip_session_answer(struct sip_session *s, struct view contact, struct view more,
		       struct view content_type, struct view body, uint64_t now_ms);
/* 3xx … 6xx. on_ended follows from inside, with SIP_END_REJECTED. */
int sip_session_reject(struct sip_session *s, int status, const char *reason, struct view more,
		       uint64_t now_ms);

/* Ends it, whatever its state: CANCEL, rejection with 480, or BYE (which waits for the ACK of our
 * 2xx, RFC 3261 §15). more: header lines of the BYE (Privacy, Reason). on_ended comes when that was
 * answered. */
void sip_session_end(struct sip_session *s, struct view more, uint64_t now_ms);
/* Forgets it without a word on the wire but what is owed: CANCEL or 480 where an INVITE has no
 * final answer, ACK and BYE where a 2xx is under way. No handler is called any more. Before
 * sip_ua_free; NULL is fine. */
void sip_session_free(struct sip_session *s);

/* Any request inside a confirmed dialog. more: header lines; Contact is the owner's business. */
int sip_session_request(struct sip_session *s, struct view method, struct view more,
			struct view content_type, struct view body, const struct sip_uac_handler *h,
			void *ctx, uint64_t now_ms, struct sip_uac **out);
/* Our re-INVITE; E_STATE while another INVITE is open on the dialog. A 491 is tried again after the
 * time of §14.1 (and keeps others out until then); no answer ends the session. */
int sip_session_reinvite(struct sip_session *s, struct view contact, struct view more,
			 struct view content_type, struct view body, uint64_t now_ms);
/* E_STATE: tx was answered already, or does not wait for an answer of this session. */
int sip_session_answer_reinvite(struct sip_session *s, struct sip_server_tx *tx,
				struct view contact, struct view more, struct view content_type,
				struct view body, uint64_t now_ms);

enum sip_session_state sip_session_state(const struct sip_session *s);
/* NULL before there is one. */
struct sip_dialog *sip_session_dialog(struct sip_session *s);
/* The Request-URI of our INVITE as it went out last, which redirections change. Empty: it is long
 * over. */
struct view sip_session_invited(const struct sip_session *s);
/* The INVITE that waits for an answer here (re-parsed); E_STATE when there is none. */
int sip_session_invitation(const struct sip_session *s, struct sip_msg *out);
void *sip_session_ctx(const struct sip_session *s);
void sip_session_set_ctx(struct sip_session *s, void *ctx);

#endif
