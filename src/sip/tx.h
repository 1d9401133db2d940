/* Inside the transaction layer: shared by stack.c, connection.c, via.c, client_tx.c
 * and server_tx.c only. */
#ifndef CONFAB_SIP_TX_H
#define CONFAB_SIP_TX_H

#include "base/buf.h"
#include "base/list.h"
#include "base/log_quota.h"
#include "sip/stack.h"
#include "sip/stream.h"
#include "sip/stun.h"
#include "sip/value.h"

enum { SIP_TAG_CHARS = 10, SIP_BRANCH_CHARS = 20, SIP_KEY_BYTES_MAX = 8192 };
#define SIP_MAGIC "z9hG4bK"

struct sip_conn {
	struct sip_stack *stack;
	struct hash_node by_id, by_addr;
	uint64_t id;
	enum sip_transport transport;
	struct addr remote;
	void *handle;
	bool up;
	bool named; /* sip_conn_set_named */
	/* A whole message came, or a proven request (sip_stack_config.unproven_bytes), or we made
	 * it ourselves. */
	bool proven;
	size_t unproven_bytes;
	struct sip_stream stream;
	struct list client_txs;
	struct list acks; /* large ones, until it is up */
	unsigned n_acks;
	struct timer idle;
	uint64_t used_at_ms;
	bool *dead;  /* set while bytes are being read: tells the reader that the connection went */
	bool pinged; /* a keep-alive of ours is not answered yet */
};

struct sip_stack {
	struct sip_stack_config cfg;
	struct sip_stack_ops ops;
	struct timers *timers;
	const struct entropy *entropy;
	const struct log *log;
	struct log_quota broken_told, closed_told; /* of what strangers can cause at will */
	struct hash client_tx, server_tx, merged, conn_id, conn_addr;
	uint64_t next_conn;
	struct list local; /* messages on their way inside the process */
	size_t n_local;
	struct timer local_timer;
	struct buf scratch;		/* a request with its stamped Via */
	uint8_t stun_id[STUN_ID_BYTES]; /* of our last Binding request */
	struct buf key;			/* of the transaction that a request belongs to */
	struct buf gathered;		/* refusals of what came in one read, to go in one write */
	uint64_t gathers_for;		/* the connection that they are for; 0: none */
	bool admitted;			/* the request that is looked at was asked about already */
};

extern const struct log_kind sip_closed_connections;

/* Figures 5 and 6 of RFC 3261, figures 5 of RFC 6026. */
enum sip_client_state {
	SIP_CLIENT_CALLING, /* INVITE; "trying" of the others */
	SIP_CLIENT_PROCEEDING,
	SIP_CLIENT_COMPLETED,
	SIP_CLIENT_ACCEPTED,
	SIP_CLIENT_TERMINATED
};

struct sip_client_tx {
	struct hash_node node;
	struct list on_conn; /* in sip_conn.client_txs */
	struct sip_stack *stack;
	enum sip_client_state state;
	enum sip_method method;
	struct sip_flow flow;
	const struct sip_client_handler *h;
	void *ctx;
	char branch[sizeof(SIP_MAGIC) + SIP_BRANCH_CHARS + 1 + SIP_MARK_CHARS];
	char *request; /* with our Via; the ACK instead once a non-2xx final came */
	size_t request_n, via_at, via_n;
	struct timer retransmit, life; /* A/E and B/D/F/K/M */
	uint32_t interval_ms;
	char *cancel_extra;
	bool cancel_wanted, cancelled, grown, failing, acknowledged;
	uint8_t reconnects;
	int error;
};

/* Figures 7 and 8 of RFC 3261, figure 7 of RFC 6026. */
enum sip_server_state {
	SIP_SERVER_TRYING,
	SIP_SERVER_PROCEEDING,
	SIP_SERVER_COMPLETED,
	SIP_SERVER_CONFIRMED,
	SIP_SERVER_ACCEPTED,
	SIP_SERVER_TERMINATED
};

struct sip_server_tx {
	struct hash_node node, merged_node;
	struct sip_stack *stack;
	enum sip_server_state state;
	enum sip_method method;
	bool uas, merged;
	bool unproven;	/* sip_server_tx_doubt */
	bool forgotten; /* answered, and nothing of it is to stay */
	bool owes;	/* the answer that there was no memory for */
	struct sip_flow flow;
	struct addr
		return_address; /* of UDP, and of a connection that is gone (RFC 3261 §18.2.2) */
	const struct sip_server_handler *h;
	void *ctx;
	char *request, *response;
	size_t request_n, response_n;
	char to_tag[SIP_TAG_CHARS + 1];
	struct timer retransmit, life; /* the 100 and G; H/I/J/L */
	uint32_t interval_ms;
	size_t key_n;
	char key[]; /* what RFC 3261 §17.2.3 matches by */
};

/* An answer that is larger than so many requests is not sent to an address that a datagram alone
 * speaks for: it could be anybody's (RFC 9000 §8.1 has the same measure). */
enum { SIP_ANSWER_FACTOR = 3 };

static inline bool sip_reliable(enum sip_transport t)
{
	return t != SIP_UDP;
}

/* A whole message or the head of a broken one, however it came. refuse: the status (and its reason,
 * NULL for the standard one) to answer a request with instead of handing it on; 0. */
void sip_stack_receive(struct sip_stack *s, struct view bytes, const struct sip_flow *from,
		       int refuse, const char *reason, uint64_t now_ms);
/* Hands over what is on its way inside the process, so that the next message from the wire cannot
 * overtake what the one before it set in motion (a 2xx, and the request that its sender lets
 * follow). Bounded. */
void sip_stack_settle(struct sip_stack *s, uint64_t now_ms);
/* It is known to be of use: from now on it is closed only when nothing happens on it for long. */
void sip_conn_prove(struct sip_conn *c, uint64_t now_ms);
/* An ACK that goes over a connection which is not up yet: how it goes by UDP when that fails.
 * False: no memory. */
bool sip_conn_keep_ack(struct sip_conn *c, const struct addr *to, struct view bytes);
/* Sends on a flow, opening a connection where needed; *conn_out (may be NULL) is the connection
 * used, NULL for UDP and LOCAL. E_IO, E_NOMEM. */
int sip_stack_transmit(struct sip_stack *s, struct sip_flow *flow, struct view bytes,
		       uint64_t now_ms, struct sip_conn **conn_out);
struct sip_conn *sip_conn_find(const struct sip_stack *s, uint64_t id);
/* Ours to close: client transactions are told. */
void sip_conn_close(struct sip_conn *c, uint64_t now_ms);
/* All of them, without a word to anybody but the world. */
void sip_conns_close(struct sip_stack *s);

/* What the receiving side does with a parsed message. */
void sip_client_tx_receive(struct sip_stack *s, const struct sip_msg *m, uint64_t now_ms);
void sip_server_tx_receive(struct sip_stack *s, const struct sip_msg *m,
			   const struct sip_flow *from, uint64_t now_ms);
/* The transaction of a request from there with this top Via, which is not made the RFC 2543 way;
 * NULL. */
struct sip_server_tx *sip_server_tx_of_branch(struct sip_stack *s, enum sip_method method,
					      const struct sip_via *via,
					      const struct sip_flow *from);
/* Under load, new requests are refused, and the ACKs of that dropped, before they are parsed. True:
 * that was done. */
bool sip_stack_refuse(struct sip_stack *s, struct view bytes, const struct sip_flow *from,
		      uint64_t now_ms);
/* Around the messages of one read: refusals are gathered, and then written to c (NULL: it is gone).
 */
void sip_stack_gather_begin(struct sip_stack *s, const struct sip_conn *c);
void sip_stack_gather_end(struct sip_stack *s, const struct sip_conn *c_or_null);
/* was_up: it had been there; a peer that does not even take a connection is not asked again. */
void sip_client_tx_conn_down(struct sip_client_tx *tx, bool was_up, uint64_t now_ms);
void sip_client_tx_kill(struct sip_client_tx *tx);
void sip_server_tx_kill(struct sip_server_tx *tx);
/* "Via: SIP/2.0/UDP host:port;branch=…;rport\r\n" */
void sip_write_via(struct buf *b, const struct sip_stack *s, const struct sip_flow *flow,
		   struct view branch);
/* Copies a message with received (and rport, where the parameter is there) in its topmost Via
 * (RFC 3261 §18.2.1, RFC 3581 §4) to out, which is reset first. E_EXISTS: nothing needs to be
 * added; E_MISSING: no usable Via; E_LIMIT. out holds nothing of use then. */
int sip_via_stamp(struct buf *out, const struct sip_msg *m, const struct addr *from);
/* The same of a Via alone, that stands in these bytes (which all go to out, behind what is there).
 */
int sip_via_stamp_value(struct buf *out, struct view around, const struct sip_via *via,
			const struct addr *from);
/* Where the answer to a request goes when there is no connection for it (RFC 3261 §18.2.2): the
 * address that it came from, at the port of its Via's sent-by; at the port that it came from with
 * rport (RFC 3581 §4). */
void sip_via_return_address(const struct sip_msg *m, const struct sip_flow *from, struct addr *out);
void sip_via_answer_to(const struct sip_via *via, const struct sip_flow *from, struct addr *out);
/* Answers without a transaction (RFC 3261 §8.2.7), for broken requests. */
void sip_stack_reply_stateless(struct sip_stack *s, const struct sip_msg *m,
			       const struct sip_flow *from, int status, const char *reason,
			       struct view extra, uint64_t now_ms);
/* The To tag of such an answer: a retransmission gets it again (RFC 3261 §8.2.7), with nothing
 * kept. tag: SIP_TAG_CHARS and a NUL. */
void sip_stack_stateless_tag(const struct sip_stack *s, const struct sip_msg *m, char *tag);
void sip_stack_stateless_tag_of(const struct sip_stack *s, struct view call_id, struct view from,
				struct view branch, char *tag);
/* An ACK to an answer of the above. */
bool sip_stack_refused_stateless(const struct sip_stack *s, const struct sip_msg *ack);

#endif
