/*
 * The user agent core: dialogs (RFC 3261 §12), and requests that answer a challenge by
 * themselves (§22). It stands on a stack; the stack's user hands it what belongs to a
 * dialog.
 */
#ifndef CONFAB_SIP_UA_H
#define CONFAB_SIP_UA_H

#include "base/digest.h"
#include "sip/stack.h"
#include "sip/value.h"

struct sip_ua;

struct sip_ua_config {
	const struct digest *digest;
	struct view user, password; /* for challenges; empty: challenges are passed up. Copied. */
	size_t max_dialogs;
	struct view every; /* header lines of every request but ACK and CANCEL, each with its CRLF.
			      Copied. */
	/* Of requests outside dialogs, except REGISTER: a 3xx is followed (redirect.h); a 503 whose
	 * Retry-After is so many seconds at the most is waited for, twice. */
	bool redirects;
	uint32_t max_wait_s;
	/* Not empty: the domain of the user. Credentials then go to this realm alone, and to those
	 * with whose credentials a REGISTER to it was accepted. Copied. */
	struct view realm;
	/* Where a URI leads to (next hop: the first Route, or the target). */
	int (*next_hop)(void *ctx, struct view uri, struct sip_flow *out);
	void *ctx;
};

struct sip_ua *sip_ua_new(struct sip_stack *stack, const struct sip_ua_config *cfg);
/* The dialogs of its users are gone by then; requests under way end without a word (on_gone is
 * called). Before or after the stack. */
void sip_ua_free(struct sip_ua *ua);
struct sip_stack *sip_ua_stack(const struct sip_ua *ua);
int sip_ua_next_hop(const struct sip_ua *ua, struct view uri, struct sip_flow *out);

/* --- dialogs --- */

struct sip_dialog;
struct sip_dialog_owner {
	/* A request inside the dialog, its CSeq already checked. Must answer. */
	void (*on_request)(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
			   uint64_t now_ms);
	/* ACK to a 2xx. May be NULL. */
	void (*on_ack)(void *ctx, const struct sip_msg *m, uint64_t now_ms);
};

/* All text is owned by the dialog and NUL-terminated. */
struct sip_dialog {
	struct hash_node node;
	struct sip_ua *ua;
	const struct sip_dialog_owner *owner;
	void *ctx;
	char *call_id, *local_tag, *remote_tag;
	char *local, *remote; /* From/To values without tag: "Ann" <sip:ann@example.com> */
	char *target;	      /* remote target URI */
	char *routes;	      /* Route values, comma-joined, in sending order; "" for none */
	uint32_t local_seq, remote_seq;
	bool has_remote_seq, listed;
	bool initiator; /* we sent the request that made it */
};

/* From a request of ours and its 1xx/2xx with a To tag (§12.1.2), or from a request received and
 * the tag that our answer has (§12.1.1). The dialog is in the table afterwards. E_SYNTAX (no
 * Contact where one is needed, no tag), E_EXISTS, E_LIMIT, E_NOMEM; nothing is kept on failure. */
int sip_dialog_init_uac(struct sip_dialog *d, struct sip_ua *ua, const struct sip_msg *request,
			const struct sip_msg *response, const struct sip_dialog_owner *owner,
			void *ctx);
int sip_dialog_init_uas(struct sip_dialog *d, struct sip_ua *ua, const struct sip_msg *request,
			struct view local_tag, const struct sip_dialog_owner *owner, void *ctx);
/* What a dialog is made of, for one that outlives the process. Views are of the dialog's own text.
 */
struct sip_dialog_state {
	struct view call_id, local_tag, remote_tag, local, remote, target, routes;
	uint32_t local_seq, remote_seq;
	bool has_remote_seq, initiator;
};
void sip_dialog_get_state(const struct sip_dialog *d, struct sip_dialog_state *out);
/* A dialog of an earlier life. As above; E_SYNTAX also for text that no header field could hold. */
int sip_dialog_init_state(struct sip_dialog *d, struct sip_ua *ua,
			  const struct sip_dialog_state *state,
			  const struct sip_dialog_owner *owner, void *ctx);
void sip_dialog_fini(struct sip_dialog *d); /* safe on a zeroed one */
/* Contact of a target refresh (re-INVITE, UPDATE, and their 2xx): §12.2. */
void sip_dialog_refresh(struct sip_dialog *d, const struct sip_msg *m);
struct sip_dialog *sip_dialog_find(const struct sip_ua *ua, struct view call_id,
				   struct view local_tag, struct view remote_tag);
/* Request line, Route, From, To, Call-ID, CSeq, Max-Forwards: the caller goes on with its fields
 * and sip_write_body. seq 0: the next number (which is then taken). Returns the number. */
uint32_t sip_dialog_write_request(struct sip_dialog *d, struct buf *b, struct view method,
				  uint32_t seq);
int sip_dialog_next_hop(const struct sip_dialog *d, struct sip_flow *out);
/* "Replaces" value that names this dialog to its remote party: to-tag is the receiver's own tag
 * (R-7). */
void sip_dialog_write_replaces(const struct sip_dialog *d, struct buf *b);

/* True when the request belongs to a dialog of this UA (its To has a tag): it was handed to the
 * owner, or answered 481 (no such dialog) or 500 (CSeq too low). An INVITE or other request without
 * a To tag: false, and nothing was done. */
bool sip_ua_request(struct sip_ua *ua, struct sip_server_tx *tx, const struct sip_msg *m,
		    uint64_t now_ms);
/* True when a dialog with these ids is here (to tell whose a request is without touching it). */
bool sip_ua_owns(const struct sip_ua *ua, const struct sip_msg *m);
/* An ACK to a 2xx. True when it was for a dialog here. */
bool sip_ua_ack(struct sip_ua *ua, const struct sip_msg *m, uint64_t now_ms);

/* --- requests --- */

struct sip_uac;
struct sip_uac_handler {
	void (*on_response)(void *ctx, struct sip_uac *uac, const struct sip_msg *m,
			    uint64_t now_ms);
	void (*on_failed)(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms);
	void (*on_gone)(void *ctx, struct sip_uac *uac); /* the pointer is dead; may be NULL */
};
/* Sends a request (without Via), answering a 401 or 407 with the UA's credentials, for each realm
 * that asks (none by MD5 once its own registrar has accepted SHA-256): the challenge is not passed
 * up then, unless a realm refuses what it got. Nor is a 3xx or 503 that is followed by another try.
 * seq (may be NULL) is the dialog's counter, moved on when the request has to be sent anew; it must
 * be that of a dialog (whose end is noticed), or live until the uac is gone or detached. */
int sip_uac_send(struct sip_ua *ua, struct view request, const struct sip_flow *to, uint32_t *seq,
		 const struct sip_uac_handler *h, void *ctx, uint64_t now_ms, struct sip_uac **out);
void sip_uac_cancel(struct sip_uac *uac, struct view extra, uint64_t now_ms);
/* A 503 is passed up at once, whatever the UA's max_wait_s. */
void sip_uac_hurry(struct sip_uac *uac);
void sip_uac_detach(struct sip_uac *uac);
/* The request as last sent, without Via. */
struct view sip_uac_request(const struct sip_uac *uac);

#endif
