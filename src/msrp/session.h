/*
 * An endpoint's MSRP: connections, the sessions bound to them, messages out and in
 * (RFC 4975 §5, §7; RFC 6135). The switch and the relay do not use this: they never
 * gather a message. Many sessions share a connection where host and port are the
 * same (§5.4).
 *
 * The agent owns sessions and its side of connections; the world outside is reached
 * through struct msrp_agent_ops. Calls into the agent may call handlers; a handler may call
 * any function of the agent, msrp_session_free of its own session included.
 */
#ifndef CONFAB_MSRP_SESSION_H
#define CONFAB_MSRP_SESSION_H

#include "base/addr.h"
#include "base/entropy.h"
#include "base/log.h"
#include "base/timers.h"
#include "msrp/frame.h"
#include "msrp/uri.h"

struct msrp_agent;
struct msrp_session;
struct msrp_conn; /* the agent's side of a connection */

/* Whom a session description promised at the other end of a TLS connection. */
struct msrp_peer {
	struct view fingerprint; /* "SHA-256 4A:AD:…" (RFC 8122); empty: none given */
	struct view host;	 /* of the first hop in its path (RFC 4975 §14.4) */
};

/* None of them calls back into the agent. */
struct msrp_agent_ops {
	/* Begins a connection to `to`; the world keeps conn as its context and calls msrp_conn_up
	 * or msrp_conn_down. Returns its handle, NULL when it cannot even begin. */
	void *(*connect)(void *ctx, struct msrp_conn *conn, const struct addr *to, bool tls);
	/* Queues bytes on a connection; the world copies them. */
	void (*write)(void *ctx, void *handle, struct view bytes);
	/* Bytes queued and not yet taken by the kernel. */
	size_t (*pending)(void *ctx, void *handle);
	/* Flush, FIN, read on until the peer's end (bounded by the world), then msrp_conn_down. */
	void (*finish)(void *ctx, void *handle);
	/* Closes at once; no msrp_conn_down follows. */
	void (*close)(void *ctx, void *handle);
	/* May this connection carry a session that was agreed on with this peer? tls: by TLS alone.
	 * peer: who must be at the other end; NULL: the answer that says so is not here yet.
	 * May be NULL itself: every connection may. */
	bool (*vouch)(void *ctx, void *handle, bool tls, const struct msrp_peer *peer);
	void *ctx;
};

struct msrp_agent_config {
	uint64_t max_message;		/* bytes of one incoming message; more is answered 413 */
	uint64_t response_timeout_ms;	/* §7.1.1: 30 s */
	uint64_t bind_timeout_ms;	/* a passive session that nobody claims: 30 s */
	size_t max_sessions, max_queue; /* queue: messages per session not yet confirmed */
	size_t window; /* messages of a session on the wire and not yet answered: what may have to
			* be sent again, and be recognised, after a break. 0: no limit */
	size_t write_ahead; /* bytes pending on a connection above which no more is written: 64 kB
			     */
};

/* Copies cfg, ops and entropy; timers and log (which may be NULL) have to outlive it. NULL: no
 * memory. */
struct msrp_agent *msrp_agent_new(const struct msrp_agent_config *cfg,
				  const struct msrp_agent_ops *ops, struct timers *timers,
				  const struct entropy *entropy, const struct log *log);
void msrp_agent_free(struct msrp_agent *a);

/* What the world tells the agent. msrp_conn_accept: a connection came in; NULL: refused (close it).
 */
struct msrp_conn *msrp_conn_accept(struct msrp_agent *a, void *handle, uint64_t now_ms);
void msrp_conn_up(struct msrp_conn *c, uint64_t now_ms);
void msrp_conn_recv(struct msrp_conn *c, struct view bytes, uint64_t now_ms);
void msrp_conn_drained(struct msrp_conn *c, uint64_t now_ms); /* pending fell below write_ahead */
void msrp_conn_down(struct msrp_conn *c, uint64_t now_ms);    /* gone; c is freed */

enum msrp_message_state {
	MSRP_MSG_QUEUED,    /* not a byte written */
	MSRP_MSG_WRITTEN,   /* at least partly on the wire, no final response for all chunks */
	MSRP_MSG_ACCEPTED,  /* every chunk answered 200 by the next hop */
	MSRP_MSG_DELIVERED, /* Success-Report for the whole of it */
	MSRP_MSG_FAILED,    /* error response, failure report, or timeout (status 408) */
};

struct msrp_incoming {
	struct view message_id, content_type, from_path;
	struct view content; /* the whole message; lives during the call */
};

struct msrp_session_handler {
	/* The session is bound to a connection and can carry messages. */
	void (*on_open)(void *ctx, struct msrp_session *s, uint64_t now_ms);
	/* A whole message came (reassembled; a 200 was sent, and a success report where asked for,
	 * unless the handler returns a status other than 200, which is then sent instead: 400, 403,
	 * 413, 415 …). The handler is called before the last chunk's response is written. Empty
	 * SENDs (no body) do not come here. */
	int (*on_message)(void *ctx, struct msrp_session *s, const struct msrp_incoming *m,
			  uint64_t now_ms);
	/* A message of ours came to ACCEPTED, DELIVERED or FAILED (QUEUED and WRITTEN are not told:
	 * ask msrp_session_unconfirmed); status and comment of the response or report that
	 * did it (0: none). After DELIVERED, FAILED, or after ACCEPTED where no success report was
	 * asked, id may be forgotten. A FAILED may follow ACCEPTED (failure report). */
	void (*on_state)(void *ctx, struct msrp_session *s, struct view message_id,
			 enum msrp_message_state state, int status, struct view comment,
			 uint64_t now_ms);
	/* Other requests (NICKNAME and so on): the status to answer. NULL: 501. */
	int (*on_request)(void *ctx, struct msrp_session *s, const struct msrp_head *head,
			  uint64_t now_ms);
	/* Response to a request made by msrp_session_request. */
	void (*on_response)(void *ctx, struct msrp_session *s, struct view tid, int status,
			    struct view comment, uint64_t now_ms);
	/* The connection is gone or was never made (E_CLOSED, E_TIMEOUT: never claimed, E_IO,
	 * E_NOTFOUND: the peer has no such session).
	 * Messages that are not confirmed keep their state: ask msrp_session_unconfirmed, or call
	 * msrp_session_reconnect. */
	void (*on_down)(void *ctx, struct msrp_session *s, int error, uint64_t now_ms);
};

struct msrp_session_config {
	struct view local_uri;	 /* ours, whole; its session id is what peers must send */
	struct view remote_path; /* the peer's a=path, copied */
	bool active;		 /* we connect (and send the empty SEND) */
	uint64_t peer_max_size;	 /* a=max-size of the peer, 0: none */
	struct view fingerprint; /* of the peer's certificate, where its description has one */
	bool share;		 /* may use a connection that already leads there (§5.4) */
};

/* Adds a session. Passive ones wait for the peer; a SEND that came for the id before is not lost as
 * long as the session is added before the peer connects. E_EXISTS (id), E_SYNTAX, E_LIMIT, E_NOMEM;
 * when active: E_ADDRESS (the path begins with a host name), E_IO (no connection could be begun).
 * on_open comes after the return, never within.
 */
int msrp_session_new(struct msrp_agent *a, const struct msrp_session_config *cfg,
		     const struct msrp_session_handler *handler, void *ctx, uint64_t now_ms,
		     struct msrp_session **out);
/* The remote path became known later (the offerer adds its session before the answer comes): sets
 * it and, if active, connects. E_STATE, E_SYNTAX, E_NOMEM, E_ADDRESS, E_IO. A peer that was quicker
 * than its answer and has bound the session stays bound. */
int msrp_session_start(struct msrp_session *s, struct view remote_path, bool active,
		       uint64_t peer_max_size, uint64_t now_ms);
/* Before msrp_session_start: the fingerprint in the peer's answer, copied. E_NOMEM. */
int msrp_session_set_fingerprint(struct msrp_session *s, struct view fingerprint);
/* Active again after on_down: a new connection, the same ids. Messages that were never written go
 * out after on_open; those in WRITTEN state are sent anew from their first byte with the same
 * Message-ID only when resend is true, and with them those that were ACCEPTED and still wait for
 * the success report of a peer who sends reports (ACCEPTED is not told twice; content of 1 MiB is
 * kept for that). A passive session waits for the peer again (which may also
 * come without this call). E_STATE, E_ADDRESS, E_IO. */
int msrp_session_reconnect(struct msrp_session *s, bool resend, uint64_t now_ms);

struct msrp_outgoing {
	struct view message_id; /* empty: the agent makes one */
	struct view content_type;
	struct view content; /* copied */
	bool success_report;
	enum msrp_failure_report failure_report;
};
/* Queues a message; sent in order, one chunk each (RFC 4975 §5.1: a chunk over 2048 bytes has '*'
 * as range end and is interrupted only when another message waits). Copies the id to id_out when
 * not NULL (33 bytes at least). E_LIMIT (queue, or the peer's max-size), E_STATE (finished),
 * E_SYNTAX (id over 32 bytes, type), E_EXISTS (id), E_NOMEM. While no connection is there it waits
 * for one. A short message does not wait for the end of one that has more than 64 kB to go.
 */
int msrp_session_send(struct msrp_session *s, const struct msrp_outgoing *m, char *id_out,
		      uint64_t now_ms);
/* Sends a request without a body, for instance NICKNAME: extra = header lines. tid_out: 33 bytes.
 */
int msrp_session_request(struct msrp_session *s, struct view method, struct view extra,
			 char *tid_out, uint64_t now_ms);
/* Messages not yet ACCEPTED, DELIVERED or FAILED. */
size_t msrp_session_outstanding(const struct msrp_session *s);
/* Calls fn for each message that is QUEUED or WRITTEN (or ACCEPTED and waiting for a wanted success
 * report), in order. */
void msrp_session_unconfirmed(struct msrp_session *s,
			      void (*fn)(void *ctx, struct view message_id,
					 enum msrp_message_state state),
			      void *ctx);
/* Takes back a message of which no byte was written; E_STATE when one was, E_NOTFOUND. */
int msrp_session_cancel(struct msrp_session *s, struct view message_id);
/* No new messages; when nothing is outstanding any longer (or at once when `now`), its use of the
 * connection ends: the last session of a connection finishes it (FIN after the queue). The peer's
 * messages are read until its end. on_down comes once the connection is gone; where there is none,
 * from the timers. */
void msrp_session_finish(struct msrp_session *s, bool now, uint64_t now_ms);
/* Ends it without a word: a connection that no other session uses is closed. No handler is called.
 */
void msrp_session_free(struct msrp_session *s);
bool msrp_session_is_open(const struct msrp_session *s);
/* The world's handle of the connection the session is bound to, NULL when it has none. */
void *msrp_session_handle(const struct msrp_session *s);

#endif
