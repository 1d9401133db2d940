/*
 * Inside msrp: what the files of the endpoint share. agent.c: the agent, its scratch buffer
 * and its ends; conn.c: connections; session.c: sessions; message.c: what a session has to
 * say; outgoing.c: chunks out; transaction.c: their responses and reports; incoming.c:
 * requests in; partial.c: messages that come in chunks.
 *
 * Who may vanish when: handlers may free sessions, and with them connections, in any call.
 * Both are only marked dead then, taken out of every list and table, and freed when the
 * outermost call into the agent ends. Whoever calls a handler looks at `dead` afterwards.
 * Handlers are never called out of msrp_conn_pump: what that decides is told by a timer.
 */
#ifndef CONFAB_MSRP_AGENT_H
#define CONFAB_MSRP_AGENT_H

#include "base/hash.h"
#include "msrp/assembly.h"
#include "msrp/session.h"

enum {
	SHORT_CHUNK = 2048,  /* RFC 4975 §5.1: more must be interruptible */
	PIECE_BYTES = 65536, /* written at a time, and what a message gets before others */
	PARTIALS_MAX = 16,   /* incomplete messages of a session */
	PARTIAL_IDLE_MS = 60000,
	OTHER_BODY_MAX = 10240,	 /* RFC 4975 §7.1: body of a request that is not a SEND */
	OVERRUN_BYTES = 1 << 20, /* pending beyond 16 write_aheads: the peer does not read */
};

enum conn_end { CONN_GOES_ON, CONN_FINISH, CONN_CLOSE };

struct msrp_agent {
	struct msrp_agent_config cfg;
	struct msrp_agent_ops ops;
	struct timers *timers;
	struct entropy entropy;
	const struct log *log;
	uint64_t now_ms;
	unsigned depth; /* calls into the agent that are under way */
	bool dying;
	struct hash sessions;	  /* by our session id */
	struct hash transactions; /* by transaction id; its key also makes the ids */
	struct hash messages;	  /* by Message-ID */
	struct list all_sessions, conns;
	size_t n_conns;
	struct list ending;		       /* connections to finish or close */
	struct list dead_sessions, dead_conns; /* to free at the end of the outermost call */
	struct list told;		       /* messages whose state is to be told */
	struct timer tell;		       /* does that */
	uint64_t tid_count;
	struct buf out; /* bytes for out_conn, not yet handed to the world */
	struct msrp_conn *out_conn;
};

/* The frame that a connection is receiving. */
struct frame_in {
	struct msrp_head head;
	struct buf raw;		      /* the head's bytes once they had to outlive the input */
	struct msrp_session *session; /* NULL: none, or freed meanwhile */
	struct partial *into;	      /* where the body goes; NULL as long as held is enough */
	struct view held;	      /* the body so far, in the input */
	uint64_t body_n;	      /* bytes of the body so far */
	bool open;		      /* between head and end of a request that concerns us */
	bool answered;
};

struct message;

struct msrp_conn {
	struct msrp_agent *agent;
	void *handle;
	struct list link;	  /* agent's conns or dead_conns */
	struct list end_link;	  /* agent's ending */
	struct list sessions;	  /* bound or waiting for it to be up */
	struct list ready;	  /* those that have something to write */
	struct list transactions; /* awaiting a response, by due time */
	struct timer response_timer, unbound_timer;
	struct msrp_reader reader;
	struct frame_in in;
	struct message *current; /* whose chunk is being written */
	struct transaction *current_txn;
	size_t chunk_bytes;
	struct addr peer; /* where a session's path leads that uses it; family 0: not known */
	uint8_t end;	  /* enum conn_end */
	bool peer_tls, up, dead;
	bool mute;   /* nothing is written any more: FIN is queued */
	bool broken; /* nothing is read any more */
};

enum session_state {
	SESSION_WAITING,    /* for the peer, or for its path */
	SESSION_CONNECTING, /* for the connection */
	SESSION_OPEN,	    /* bound */
	SESSION_DOWN,	    /* the connection is gone */
};

struct msrp_session {
	struct msrp_agent *agent;
	struct msrp_conn *conn;
	struct hash_node by_id;
	struct list link;	/* agent's all_sessions or dead_sessions */
	struct list conn_link;	/* conn's sessions */
	struct list ready_link; /* conn's ready */
	const struct msrp_session_handler *handler;
	void *ctx;
	char *local_text, *remote_text;
	struct view local_uri, local_id;
	struct view remote_path, remote_id; /* id of the last URI; empty paths: not known */
	struct addr next_hop;
	bool next_hop_tls, local_tls;
	char *fingerprint; /* of the peer; NULL: none given */
	enum session_state state;
	struct timer timer; /* by state: nobody claims it; sharing; nothing to finish */
	uint64_t peer_max_size;
	bool active, share, dead;
	bool unheard; /* open, and nothing came from the peer yet: on_open is owed */
	bool again;   /* connected anew: the peer may still hold the old connection */
	bool path_given; /* remote_path came from the SDP, not from the first request */
	bool finishing;	 /* no new messages */
	bool finish_now; /* and no waiting for the old ones */
	bool finished;	 /* makes no use of the connection any more */
	bool short_went; /* a short message went before the interrupted one's turn */
	/* Outgoing. */
	struct list messages; /* all that is remembered, in order */
	struct list unsent;   /* to be written; the head may be partly written */
	struct list accepted; /* remembered for a report only, oldest first */
	struct list requests; /* transactions that belong to no message */
	size_t n_outstanding, n_lost, n_accepted;
	/* Incoming. */
	struct list partials;
	size_t n_partials;
};

/* A message of ours. */
struct message {
	struct msrp_session *session;
	struct list link, unsent_link, accepted_link, told_link;
	struct list transactions;
	struct hash_node by_id;
	enum msrp_message_state state;
	enum msrp_failure_report failure_report;
	bool success_report;
	bool lost;	   /* written on a connection that is gone: no response will come */
	int status;	   /* with told_link: of what is to be told */
	size_t written;	   /* bytes of content, all chunks */
	uint64_t reported; /* bytes from the first that success reports cover */
	struct view id, type, content;
	char *content_text; /* freed once accepted */
	char text[];	    /* id and type */
};

enum transaction_kind { TXN_CHUNK, TXN_BIND, TXN_REQUEST };

struct transaction {
	struct list link;  /* conn's transactions, once all is written */
	struct list owner; /* message's transactions or session's requests */
	struct hash_node by_tid;
	struct msrp_conn *conn;
	struct msrp_session *session;
	struct message *message;
	enum transaction_kind kind;
	uint64_t due_ms;
	bool answered;	 /* with 200, before its last byte was written */
	struct view tid; /* in text */
	char text[MSRP_TID_MAX + 1];
};

/* An incoming message that is not complete. */
struct partial {
	struct list link;
	struct msrp_session *session;
	struct timer timer; /* nothing came for too long */
	struct msrp_assembly data;
	struct view id, type;
	int refused; /* status for whatever still comes of it */
	bool busy;   /* a frame is being read into it */
	char text[];
};

/* agent.c */
void msrp_agent_enter(struct msrp_agent *a, uint64_t now_ms);
void msrp_agent_leave(struct msrp_agent *a);
/* The buffer for bytes to c; handed to the world at the latest when the outermost call ends. */
struct buf *msrp_agent_out(struct msrp_agent *a, struct msrp_conn *c);
void msrp_agent_flush(struct msrp_agent *a);
/* A transaction id nobody can guess. dst: MSRP_TID_MAX + 1 bytes. */
struct view msrp_agent_tid(struct msrp_agent *a, char *dst);
struct msrp_session *msrp_agent_session_by_id(struct msrp_agent *a, struct view id);

/* conn.c */
struct msrp_conn *msrp_conn_connect(struct msrp_agent *a, const struct addr *to, bool tls);
struct msrp_conn *msrp_conn_find(struct msrp_agent *a, const struct addr *to, bool tls);
/* How it ends, when the outermost call does; a close goes over a finish. */
void msrp_conn_end(struct msrp_conn *c, enum conn_end how);
/* Ends it when nobody uses it any more. */
void msrp_conn_check_use(struct msrp_conn *c);
static inline bool msrp_conn_can_write(const struct msrp_conn *c)
{
	return c->up && !c->dead && !c->mute;
}
/* Bytes on their way, with those still here. */
size_t msrp_conn_pending(const struct msrp_conn *c);
/* Takes c out of everything; it is freed when the outermost call ends. */
void msrp_conn_kill(struct msrp_conn *c);
/* The connection is gone: tells its sessions. */
void msrp_conn_lost(struct msrp_conn *c, int error);

/* session.c */
void msrp_session_attach(struct msrp_session *s, struct msrp_conn *c);
/* Leaves its connection, if any; what was written and not answered is lost. */
void msrp_session_detach(struct msrp_session *s);
void msrp_session_set_state(struct msrp_session *s, enum session_state state);
/* Bound to its connection, which is up: tells the handler. */
void msrp_session_open(struct msrp_session *s);
void msrp_session_heard(struct msrp_session *s);
/* For log lines: the beginning of its id. The whole of it is a secret (RFC 4975 §14.1). */
struct view msrp_session_name(const struct msrp_session *s);
/* May c carry it? (struct msrp_agent_ops, vouch) */
bool msrp_session_trusts(const struct msrp_session *s, const struct msrp_conn *c);
void msrp_session_down(struct msrp_session *s, int error);
/* Copies the path and reads what we need of it. */
int msrp_session_set_remote(struct msrp_session *s, struct view path);
/* After a message came to its end: a session that is finishing may be done. */
void msrp_session_settle(struct msrp_session *s);
void msrp_session_kill(struct msrp_session *s);
void msrp_session_release(struct msrp_session *s);

/* outgoing.c */
void msrp_conn_pump(struct msrp_conn *c);
/* Room for a response or request between chunks: interrupts the current one (RFC 4975 §7.1.1).
 * NULL: nothing can be written. */
struct buf *msrp_conn_control(struct msrp_conn *c);
/* Ends the chunk that is being written, with flag '+' or '#'. */
void msrp_chunk_interrupt(struct msrp_conn *c, char flag);
void msrp_session_ready(struct msrp_session *s);
void msrp_session_bind_send(struct msrp_session *s);

/* message.c */
struct message *msrp_message_find(struct msrp_session *s, struct view id);
void msrp_message_forget(struct message *m);
/* Sets the state and tells the handler, at once. May free m. */
void msrp_message_tell(struct message *m, enum msrp_message_state state, int status,
		       struct view comment);
/* All of a session's written messages will see no response. */
void msrp_session_messages_lost(struct msrp_session *s);
/* Queues the lost ones again, in order. */
void msrp_session_messages_resend(struct msrp_session *s);
void msrp_session_messages_free(struct msrp_session *s);
void msrp_agent_tell(void *agent, uint64_t now_ms);

/* transaction.c */
struct transaction *msrp_transaction_new(struct msrp_session *s, struct message *m,
					 enum transaction_kind kind);
/* Its last byte was written: the response is awaited from now on. */
void msrp_transaction_wait(struct transaction *t);
void msrp_transaction_free(struct transaction *t);
void msrp_conn_response(struct msrp_conn *c, const struct msrp_head *h);
void msrp_conn_report(struct msrp_conn *c, const struct msrp_head *h);
void msrp_conn_response_timeout(void *conn, uint64_t now_ms);

/* incoming.c */
void msrp_conn_request_head(struct msrp_conn *c, const struct msrp_head *h, struct view input);
void msrp_conn_request_body(struct msrp_conn *c, struct view body, struct view input);
void msrp_conn_request_end(struct msrp_conn *c, char flag);
/* The input goes away: what is needed of it is copied. */
void msrp_conn_request_keep(struct msrp_conn *c, struct view input);
void msrp_conn_request_drop(struct msrp_conn *c);

/* partial.c */
struct partial *msrp_partial_find(struct msrp_session *s, struct view id);
/* The partial message that a chunk belongs to, made when there is none, and the chunk begun in it.
 * 0 or the status to refuse it with. */
int msrp_partial_begin(struct msrp_session *s, const struct msrp_head *h, struct partial **out);
/* Bytes of the chunk. 0 or a status; the rest of the message is refused then, too. */
int msrp_partial_put(struct partial *p, struct view bytes);
/* The chunk's end. */
int msrp_partial_end(struct partial *p, char flag);
/* Out of its session, which may vanish; the caller frees it. */
void msrp_partial_unlink(struct partial *p);
void msrp_partial_free(struct partial *p);
void msrp_session_partials_free(struct msrp_session *s);

#endif
