/*
 * switch: the MSRP switch (the deck's "MSRP Conf Switch / Mixer", SW-1 … SW-6), pure.
 * A shard is what one thread owns: connections, conferences, seats. It takes bytes
 * and time, and gives bytes, events and mails to other shards. It never gathers a
 * message (only a chunk up to a configured size), never copies a body per receiver,
 * and holds no lock. It includes base, msrp and body.
 *
 * A conference lives on one shard. A connection lives on the shard that accepted it;
 * when it carries a session of another shard (RFC 4975 §5.4) its frames are mailed there and
 * the answers come back by mail.
 *
 * Seats are reserved before their owners are invited: what is sent to the conference waits for
 * a seat that is not bound yet (up to its backlog), so that nobody in the audience misses what
 * was written while he was being invited or while his connection was broken.
 */
#ifndef CONFAB_SWITCH_SWITCH_H
#define CONFAB_SWITCH_SWITCH_H

#include "base/addr.h"
#include "base/entropy.h"
#include "base/log.h"
#include "base/timers.h"
#include "base/view.h"

struct switch_shard;
struct switch_conn;

typedef uint64_t switch_conference_id; /* chosen by the controlling function, never reused */
typedef uint64_t switch_seat_id;       /* the same */

struct switch_config {
	unsigned shard, n_shards;
	struct addr advertise;     /* address and port that stand in a=path; the port is this shard's own */
	struct addr advertise_tls; /* the same for TLS; family 0: no TLS */
	size_t seat_backlog;       /* bytes that may wait for one seat, unanswered ones included */
	size_t chunk_whole_max;    /* a chunk up to this is passed on whole (SW-6) */
	uint64_t max_message;      /* bytes; a larger one: 413 */
	/* RFC 4975 §7.1.1, 30 s; also how long a connection may take nothing */
	uint64_t response_timeout_ms;
	uint32_t max_chunks;	   /* of one message; one more: 413; 0: no cap */
	size_t unclaimed_bytes;	   /* most that are read of a connection that has no session (any
				      more); 0: no cap */
	uint64_t rebind_grace_ms;  /* how long a seat that lost its connection may be bound anew */
	uint64_t bind_timeout_ms;  /* how long a seat whose owner has answered may stay unclaimed */
	uint64_t drain_ms; /* how long what was acknowledged is still written when its session ends */
	size_t max_conns, max_conferences, max_seats; /* of this shard; max_seats per conference below */
	size_t max_members;
	bool wrap_plain; /* SW-2: wrap what comes without CPIM on behalf of its sender, and name the
			  * sender where a CPIM says none; else 415 and 403 */
	bool private_messages;     /* SW-1: CPIM To a single participant; off: 428 */
	bool nicknames;		   /* RFC 7701 §7: NICKNAME; off: 403 */
	uint64_t unix_ms_at_zero;  /* wall clock at now_ms == 0, for the DateTime of wrapped messages */
};

enum switch_event_type {
	SWITCH_EV_SEATS_READY,	/* answer to switch_seats_open: local paths are in seat[] */
	SWITCH_EV_SEATS_FAILED, /* the same, error tells why; nothing was taken */
	SWITCH_EV_SEAT_BOUND,	/* the owner's connection is there */
	SWITCH_EV_SEAT_DOWN,	/* connection lost; may come back within rebind_grace_ms */
	SWITCH_EV_SEAT_LOST, /* not bound in time (bind_timeout or grace over): the focus should end
				the leg */
	SWITCH_EV_SEAT_NAMED, /* its owner has another nickname (RFC 7701 §7), or none any more */
	SWITCH_EV_DRAINED, /* answer to switch_conference_drain */
};

enum { SWITCH_PATH_TEXT_MAX = 160 };

struct switch_seat_ready {
	switch_seat_id seat;
	char path[SWITCH_PATH_TEXT_MAX]; /* msrp://…/…;tcp */
};

/* All that an event says is inside it: it can be copied to another thread (seat[] has n_seats
 * entries, and lives during the call, as the nickname does). */
struct switch_event {
	enum switch_event_type type;
	uint64_t request; /* of switch_seats_open */
	switch_conference_id conference;
	switch_seat_id seat;
	int error;
	size_t n_seats;
	const struct switch_seat_ready *seat_ready;
	struct view nickname; /* UTF-8, at most 1023 bytes */
};

/* A frame on its way to another shard, or an answer on its way back; opaque, owned by whom it is handed to. */
struct switch_mail;

struct switch_ops {
	/* The connection has output: call switch_conn_output for it soon (after the batch of reads). */
	void (*wake)(void *ctx, void *handle);
	/* Reading on or off (back-pressure). */
	void (*read)(void *ctx, void *handle, bool on);
	/* Begins a connection (a seat whose owner answered passive); NULL when it cannot begin. */
	void *(*connect)(void *ctx, struct switch_conn *conn, const struct addr *to, bool tls);
	/* Flush what switch_conn_output still gives, then close; switch_conn_down follows. */
	void (*finish)(void *ctx, void *handle);
	/* Close at once; no switch_conn_down follows. */
	void (*close)(void *ctx, void *handle);
	void (*event)(void *ctx, const struct switch_event *ev);
	/* Hands mail to shard number `to`, which gets it by switch_mail_deliver on its own thread. Takes ownership. */
	void (*mail)(void *ctx, unsigned to, struct switch_mail *mail);
	/* The peer of a TLS connection that we made showed a good certificate, and it names this
	 * host (RFC 4975 §5.4): asked where its session description has no fingerprint. NULL:
	 * nobody is believed without one. */
	bool (*vouch)(void *ctx, void *handle, struct view host);
	void *ctx;
};

struct switch_shard *switch_shard_new(const struct switch_config *cfg, const struct switch_ops *ops,
				      struct timers *timers, const struct entropy *entropy,
				      const struct log *log);
void switch_shard_free(struct switch_shard *s);

/* --- control: called on the shard's thread, in the order the controlling function asked --- */

/* What the focus knows of a seat's owner. Views are copied. */
struct switch_seat_config {
	switch_seat_id seat;
	struct view uri;        /* the participant's address: what CPIM From must say, what CPIM To finds */
	struct view display;
	bool tls;               /* its path is msrps: nothing but TLS leads to it */
	bool held;              /* reserved for an invitee: the conference's messages wait for it from now on */
};
/* Opens the conference if it is new and adds the seats to it, all or none. Answers with SEATS_READY or SEATS_FAILED carrying
 * `request`. conference_uri: what CPIM To says for "all" (copied). */
void switch_seats_open(struct switch_shard *s, uint64_t request, switch_conference_id conference,
		       struct view conference_uri, const struct switch_seat_config *seat, size_t n_seats,
		       uint64_t now_ms);
struct switch_seat_answer {
	struct view remote_path;   /* the participant's a=path */
	struct view accept_types, accept_wrapped_types;
	uint64_t max_size;         /* a=max-size, 0: none */
	struct view fingerprint;   /* a=fingerprint, SHA-256; empty: none (then who we connect to is
				    * vouched for   by ops.vouch, and who comes by the session id that
				    * he shows) */
	bool connect;              /* we are the active side (RFC 6135) */
	/* Relay: what he sends is answered when it has come through, as by the receiver himself: a conference's switch
	 * has no use for a REPORT after a 200 (RFC 7701 §6.3). */
	bool end_to_end;
	bool takes_private; /* it tells private messages from others (a=chatroom:private-messages);
			     * else 428 to who sends it one (RFC 7701 §6.2) */
};
/* The SDP of the seat's owner is known. */
void switch_seat_answer(struct switch_shard *s, switch_seat_id seat, const struct switch_seat_answer *a,
			uint64_t now_ms);
/* Frees the seat. drain: what waits for it is still written if it is bound, its connection then closed when no other session uses
 * it; what cannot be delivered any more is reported to its senders. Unknown seats are ignored. */
void switch_seat_close(struct switch_shard *s, switch_seat_id seat, bool drain, uint64_t now_ms);
void switch_conference_close(struct switch_shard *s, switch_conference_id conference, uint64_t now_ms);
/* A conference or relay is to end: what was acknowledged goes on being written, for drain_ms at most; what then has no
 * answer is reported to its senders, and these REPORTs are written. SWITCH_EV_DRAINED follows, at once where nothing is
 * under way (or the conference is unknown), and within SWITCH_DRAIN_FLUSH_MS more than drain_ms. Nothing is closed by
 * it. refuse: from now on whoever still sends something gets 403 (a conference always refuses): not 481, which would have
 * him leave before he is told (RFC 4975 §10.3, §10.8). It may be asked again. */
enum { SWITCH_DRAIN_FLUSH_MS = 1000 };
void switch_conference_drain(struct switch_shard *s, switch_conference_id conference, bool refuse,
			     uint64_t now_ms);

/* The 1-1 relay (PF-9.1.2-2): a conference of exactly two seats; each chunk that one sends goes to the other with its paths
 * rewritten, REPORTs too. Answers as switch_seats_open does; switch_seat_answer says who the two are. A seat whose
 * connection is lost stays for its owner to come back, and its peer's session with it; SEAT_LOST with E_CLOSED says
 * that rebind_grace_ms is over, from when on what is sent to it fails at once (until it does come back). Any other
 * SEAT_LOST means that the owner never came. */
void switch_relay_open(struct switch_shard *s, uint64_t request, switch_conference_id relay,
		       const struct switch_seat_config seat[2], uint64_t now_ms);
/* The session is over: what either side still has to say is passed on until it closes its connection, then the
 * other's is closed; both are after 7 s. Who is there until then is told of what was not delivered. */
void switch_relay_close(struct switch_shard *s, switch_conference_id relay, uint64_t now_ms);

/* --- connections: called by the world on the shard's thread --- */

struct switch_conn *switch_conn_accept(struct switch_shard *s, void *handle, uint64_t now_ms); /* NULL: refuse */
/* After switch_conn_accept, or before switch_conn_up: it is a TLS connection. sha256: 32 bytes, the hash of the peer's
 * certificate; NULL: it showed none. */
void switch_conn_secured(struct switch_conn *c, const uint8_t *sha256);
void switch_conn_up(struct switch_conn *c, uint64_t now_ms);
void switch_conn_recv(struct switch_conn *c, struct view bytes, uint64_t now_ms);
/* How much should be read of it at a time, then it is another's turn; 0: as much as there is. */
size_t switch_conn_most(const struct switch_conn *c);
/* Output to write, in order: fills up to max pieces, returns their number. They stay until consumed. */
size_t switch_conn_output(struct switch_conn *c, struct view *piece, size_t max);
void switch_conn_consumed(struct switch_conn *c, size_t bytes, uint64_t now_ms);
/* The peer does not take all of it just now. When it takes nothing for response_timeout_ms from here on the connection
 * is closed, and its sessions are down. */
void switch_conn_blocked(struct switch_conn *c, uint64_t now_ms);
void switch_conn_down(struct switch_conn *c, uint64_t now_ms); /* gone; c is freed */

void switch_mail_deliver(struct switch_shard *s, struct switch_mail *mail, uint64_t now_ms);
/* For mails that can no longer be delivered. */
void switch_mail_free(struct switch_mail *mail);

struct switch_counts {
	uint64_t conns, conferences, seats;
	uint64_t sends_in, chunks_in, deliveries, bytes_in, bytes_out;
	uint64_t refused, aborted, failed, mails;
};
void switch_shard_counts(const struct switch_shard *s, struct switch_counts *out);

#endif
