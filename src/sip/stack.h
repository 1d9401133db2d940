/*
 * The SIP transport user interface and the transaction layer (RFC 3261 §17, §18, RFC 6026),
 * pure. The world hands in datagrams, connection bytes and time; the stack hands
 * whole requests to its user, keeps transactions, and gives bytes back through
 * struct sip_stack_ops.
 *
 * Via is the stack's business: the user writes requests without one of its own; the
 * stack puts it on top (and picks TCP for a request that would be over 1300 bytes,
 * RFC 3261 §18.1.1, falling back to UDP where TCP cannot be had). `received` and `rport`
 * are stamped into a request before the user sees it.
 * Answers to datagrams go to the port that rport asks for, or else to that of sent-by (RFC 3581 §4,
 * RFC 3261 §18.2.2). An INVITE that the user leaves alone for 200 ms gets its 100 by itself,
 * another request when its sender has become slow (RFC 4320 §4.1); one that is not answered in
 * 64*T1 is forgotten, and a 408 to it is not sent (§4.2).
 */
#ifndef CONFAB_SIP_STACK_H
#define CONFAB_SIP_STACK_H

#include "base/addr.h"
#include "base/entropy.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/timers.h"
#include "sip/msg.h"
#include "sip/uri.h"

enum sip_transport {
	SIP_UDP,
	SIP_TCP,
	SIP_TLS,
	SIP_LOCAL, /* inside this process: from one user of the stack to another */
};

struct sip_stack;
struct sip_conn;
struct sip_client_tx;
struct sip_server_tx;

/* Where a message came from, or where it goes. */
struct sip_flow {
	enum sip_transport transport;
	struct addr remote;
	uint64_t conn; /* id of a connection to prefer while it lives; 0: any */
	bool may_grow; /* UDP, and a large request may go by TCP instead */
};

/* What is known of a request that asks to be let in. */
struct sip_newcomer {
	enum sip_method method;
	struct view credentials; /* the first Proxy-Authorization or Authorization; empty: none */
	const struct sip_flow *from;
};

struct sip_stack_ops {
	/* These four must not call back into the stack. */
	void (*udp_send)(void *ctx, const struct addr *to, struct view bytes);
	/* Begins a connection; its handle, or NULL. The world then calls sip_conn_up or
	 * sip_conn_down. */
	void *(*connect)(void *ctx, struct sip_conn *conn, enum sip_transport t,
			 const struct addr *to);
	void (*write)(void *ctx, void *handle,
		      struct view bytes);	/* queues; also before sip_conn_up */
	void (*close)(void *ctx, void *handle); /* no sip_conn_down follows */

	/* A request that is not a retransmission, an ACK or a CANCEL of a known INVITE. The message
	 * lives during the call; the transaction until on_gone. */
	void (*on_request)(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
			   uint64_t now_ms);
	/* An ACK to a 2xx (it has no transaction). */
	void (*on_ack)(void *ctx, const struct sip_msg *m, const struct sip_flow *from,
		       uint64_t now_ms);
	/* A connection that carried registrations is gone. May be NULL. */
	void (*on_conn_down)(void *ctx, uint64_t conn, uint64_t now_ms);
	/* A keep-alive of ours was answered (RFC 5626 §3.5): on a connection by CRLF, on UDP by
	 * STUN; then mapped is the address that the peer sees us at, else its family is 0. May be
	 * NULL. */
	void (*on_pong)(void *ctx, const struct sip_flow *from, const struct addr *mapped,
			uint64_t now_ms);
	/* A new request from outside, of no dialog: 0 to take it; else it is refused with 503,
	 * Retry-After so many seconds, and nothing is kept of it. Not asked of CANCEL. NULL: all
	 * are taken. */
	unsigned (*admit)(void *ctx, const struct sip_newcomer *n);
	/* Whether any is being refused: then they are looked at before they are parsed, to be
	 * refused cheaply. May be NULL. */
	bool (*pressed)(void *ctx);
	/* As udp_send, but for answers that nobody waits for: they may go later, or be lost. NULL:
	 * they go by udp_send. */
	void (*udp_send_aside)(void *ctx, const struct addr *to, struct view bytes);
	/* Every message as it was on the wire; may be NULL. */
	void (*trace)(void *ctx, bool out, const struct sip_flow *flow, struct view bytes);
	void *ctx;
};

/* One part in so many of max_tx is left to requests inside dialogs, CANCEL, REGISTER and what comes
 * from this process. */
enum { SIP_TX_RESERVE = 8 };

struct sip_stack_config {
	uint32_t t1_ms, t2_ms, t4_ms; /* 500, 4000, 5000 */
	struct addr sent_by[3][2]; /* own address per transport (UDP, TCP, TLS) and family (4, 6) */
	size_t udp_grow_at;	   /* 1300 bytes */
	size_t max_tx, max_conns, max_message;
	/* Of a request from outside: bytes of its Request-URI (414), of its head and header fields
	 * in it (513), and of its body (413). 0: what the parser takes, at most SIP_HEAD_BYTES_MAX
	 * and SIP_FIELDS_MAX. */
	size_t max_uri, max_head, max_fields, max_body;
	/* A connection that was accepted goes when it has shown nothing in this time: a whole
	 * message; or with unproven_bytes, a request that was proven (sip_server_tx_prove). */
	uint32_t conn_idle_ms;
	size_t unproven_bytes;	/* most that are read of it before; 0: no cap, a message will do */
	uint64_t conn_quiet_ms; /* one on which nothing has happened for so long goes; 0: never */
	struct view
		server; /* Server header of answers that the stack makes itself; lives as long */
};

void sip_stack_config_defaults(struct sip_stack_config *cfg);
struct sip_stack *sip_stack_new(const struct sip_stack_config *cfg, const struct sip_stack_ops *ops,
				struct timers *timers, const struct entropy *entropy,
				const struct log *log);
/* Ends all transactions without a word (on_gone is called, and must not begin anything new). */
void sip_stack_free(struct sip_stack *s);

void sip_stack_datagram(struct sip_stack *s, struct view bytes, const struct addr *from,
			uint64_t now_ms);
struct sip_conn *sip_conn_accept(struct sip_stack *s, void *handle, enum sip_transport t,
				 const struct addr *remote, uint64_t now_ms); /* NULL: refuse */
void sip_conn_up(struct sip_conn *c, uint64_t now_ms);
void sip_conn_recv(struct sip_conn *c, struct view bytes, uint64_t now_ms);
void sip_conn_down(struct sip_conn *c, uint64_t now_ms); /* gone; c is freed */
uint64_t sip_conn_id(const struct sip_conn *c);
bool sip_stack_conn_alive(const struct sip_stack *s, uint64_t conn);
/* The world has seen a certificate of the peer's that proves a name it trusts. */
void sip_conn_set_named(struct sip_conn *c);
/* Whether the flow's connection, or the one that there is to its address, is such a one. */
enum sip_flow_name { SIP_FLOW_NEW, SIP_FLOW_NAMELESS, SIP_FLOW_NAMED }; /* NEW: none is there */
enum sip_flow_name sip_stack_flow_name(const struct sip_stack *s, const struct sip_flow *flow);
/* Opens (or finds) a connection and returns its id, 0 when that failed. */
uint64_t sip_stack_conn_open(struct sip_stack *s, enum sip_transport t, const struct addr *to,
			     uint64_t now_ms);
/* Sends an ACK to a 2xx, outside any transaction; a Via is put on top. A large one goes by TCP
 * where the flow may grow, and by UDP after all when that cannot be had (RFC 3261 §18.1.1). E_IO,
 * E_SYNTAX, E_NOMEM. */
int sip_stack_send_ack(struct sip_stack *s, struct view request, const struct sip_flow *to,
		       uint64_t now_ms);
int sip_stack_keepalive(struct sip_stack *s, uint64_t conn);
/* The same over UDP: a STUN Binding request (RFC 5626 §3.5.2). again: the last one is sent once
 * more. Only the last one's answer counts. */
void sip_stack_stun_ping(struct sip_stack *s, const struct addr *to, bool again);
/* Gives a connection up: what is on its way over it fails, and on_conn_down is told. */
void sip_stack_conn_close(struct sip_stack *s, uint64_t conn, uint64_t now_ms);

struct entropy;
const struct entropy *sip_stack_entropy(const struct sip_stack *s);
struct timers *sip_stack_timers(const struct sip_stack *s);
const struct log *sip_stack_log(const struct sip_stack *s);
const struct sip_stack_config *sip_stack_get_config(const struct sip_stack *s);
/* The process has another address for this transport now; the other family's goes. */
void sip_stack_set_sent_by(struct sip_stack *s, enum sip_transport t, const struct addr *a);
/* Own address for a flow's transport and family (as in Via). */
const struct addr *sip_stack_sent_by(const struct sip_stack *s, enum sip_transport t,
				     uint8_t family);
/* True when host:port is one of the own addresses. port 0: 5060. */
bool sip_stack_is_own(const struct sip_stack *s, struct view host, uint16_t port);
/* Next hop of a numeric SIP URI (host or maddr, port, transport). E_ADDRESS for names,
 * E_UNSUPPORTED for other schemes or transports. */
int sip_flow_of_uri(const struct sip_uri *u, struct sip_flow *out);
const char *sip_transport_text(enum sip_transport t); /* "UDP" */

/* --- client transactions --- */

struct sip_client_handler {
	/* Provisional (not 100), final; for INVITE each further 2xx while the transaction lives. m
	 * lives during the call. */
	void (*on_response)(void *ctx, struct sip_client_tx *tx, const struct sip_msg *m,
			    uint64_t now_ms);
	/* No final response: E_TIMEOUT, E_IO (could not be sent), E_NOMEM. The transaction is over.
	 */
	void (*on_failed)(void *ctx, struct sip_client_tx *tx, int error, uint64_t now_ms);
	/* Last call: the pointer is dead. May be NULL. */
	void (*on_gone)(void *ctx, struct sip_client_tx *tx);
};
/* request: whole, without a Via of ours, copied. The handler is called later, never from inside.
 * tx_out may be NULL. E_LIMIT, E_NOMEM, E_SYNTAX, E_ADDRESS. */
int sip_client_tx_new(struct sip_stack *s, struct view request, const struct sip_flow *to,
		      const struct sip_client_handler *h, void *ctx, uint64_t now_ms,
		      struct sip_client_tx **tx_out);
/* The same for a proxy: mark (at most SIP_MARK_CHARS of a token, may be empty) stands behind a '.'
 * at the end of the branch, where the proxy finds it again when the request comes back (RFC 5393
 * §4.2).
 */
enum { SIP_MARK_CHARS = 16 };
int sip_client_tx_new_marked(struct sip_stack *s, struct view request, const struct sip_flow *to,
			     struct view mark, const struct sip_client_handler *h, void *ctx,
			     uint64_t now_ms, struct sip_client_tx **tx_out);
/* RFC 3261 §9.1: CANCEL goes once a provisional came; if no final response follows in 64*T1,
 * on_failed(E_TIMEOUT). extra: further header lines ("Reason: …\r\n") or empty. */
void sip_client_tx_cancel(struct sip_client_tx *tx, struct view extra, uint64_t now_ms);
/* The user is no longer interested: no handler is called any more; the transaction goes on by
 * itself (an INVITE's non-2xx is still acknowledged). */
void sip_client_tx_detach(struct sip_client_tx *tx);
const struct sip_flow *sip_client_tx_flow(const struct sip_client_tx *tx);
/* The request as sent (with our Via). After a non-2xx to an INVITE it is the ACK, after a 2xx it is
 * empty. */
struct view sip_client_tx_request(const struct sip_client_tx *tx);

/* --- server transactions --- */

struct sip_server_handler {
	void (*on_cancel)(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
			  uint64_t now_ms);
	/* An INVITE's non-2xx was never acknowledged (timer H) or the answer could not be sent. May
	 * be NULL. */
	void (*on_unacknowledged)(void *ctx, struct sip_server_tx *tx, uint64_t now_ms);
	void (*on_gone)(void *ctx, struct sip_server_tx *tx); /* last call; may be NULL */
};
/* Says who is told of the transaction's later fate. */
void sip_server_tx_attach(struct sip_server_tx *tx, const struct sip_server_handler *h, void *ctx);
/* Sends a response (whole message; Via as in the request). Copies the bytes. After a final response
 * only further 2xx to an INVITE are sent (retransmissions by the user, RFC 6026). E_STATE, E_NOMEM:
 * when there was no memory for a final response (an empty one: none to write it), a 500 goes by
 * itself as soon as there is. */
int sip_server_tx_respond(struct sip_server_tx *tx, struct view response, int status,
			  uint64_t now_ms);
/* The short way: status, standard or given reason, To tag, extra header lines (each with its CRLF),
 * no body. Adds Server where extra has none. */
int sip_server_tx_reply(struct sip_server_tx *tx, int status, const char *reason, struct view extra,
			uint64_t now_ms);
/* To be said before m, its request, is answered: its sender has shown nothing yet, no password, and
 * by UDP not even that he is at the address that the request names. An answer of 300 and above, and
 * any to OPTIONS, is then stateless (RFC 3261 §26.3.2.4): it is sent once, the transaction ends
 * with it, and a copy of the request is a new one, which gets the same To tag. By UDP no final
 * answer but the 2xx of an INVITE goes that is more than three times as long as the request. */
void sip_server_tx_doubt(struct sip_server_tx *tx, const struct sip_msg *m);
/* Now he has, and the connection that it came on is his. */
void sip_server_tx_prove(struct sip_server_tx *tx, uint64_t now_ms);
/* Re-parses the request (kept until the final response): E_STATE afterwards. */
int sip_server_tx_request(const struct sip_server_tx *tx, struct sip_msg *out);
const struct sip_flow *sip_server_tx_flow(const struct sip_server_tx *tx);
enum sip_method sip_server_tx_method(const struct sip_server_tx *tx);
struct sip_stack *sip_server_tx_stack(const struct sip_server_tx *tx);
/* RFC 3261 §8.2.2.2: marks the transaction as taken by a UAS core and tells whether another one so
 * taken has the same From tag, Call-ID and CSeq (a merged request: 482). A request that only
 * spirals through a proxy is never marked. */
bool sip_server_tx_is_merged(struct sip_server_tx *tx);
/* The To tag that sip_server_tx_reply and the user use for this transaction: stable, made at first
 * use. */
struct view sip_server_tx_to_tag(struct sip_server_tx *tx);
/* True while no final response was sent. */
bool sip_server_tx_pending(const struct sip_server_tx *tx);

size_t sip_stack_tx_count(const struct sip_stack *s);

#endif
