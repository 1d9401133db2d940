/*
 * Inside of the switch. What goes where:
 *
 *   inbound ──► fanout ──► delivery ──► output ──► the world   (of a 1-1 relay: relay.c for fanout)
 *   (read side) (who gets it) (a seat's queue) (a connection's queue)
 *
 * A message's bytes stand once, in a block that its deliveries share. A delivery is one
 * chunk's (or, of a streamed chunk, one piece's) way to one seat; it waits in the seat's queue
 * while nobody holds the seat, is committed to the connection's output when somebody does, and is
 * kept until it was answered. A message record gathers what became of it at all receivers.
 */
#ifndef CONFAB_SWITCH_SHARD_H
#define CONFAB_SWITCH_SHARD_H

#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "msrp/frame.h"
#include "switch/switch.h"

enum {
	SESSION_SHARD_CHARS = 2,  /* base32: up to 1024 shards */
	SESSION_TOKEN_CHARS = 28, /* 140 bits */
	SESSION_CHARS = SESSION_SHARD_CHARS + 1 + SESSION_TOKEN_CHARS,
	TID_SECRET_CHARS = 16, /* 80 bits that no sender can guess (SW-5) */
	TID_COUNT_CHARS = 7,   /* 35 bits */
	TID_CHARS = TID_SECRET_CHARS + TID_COUNT_CHARS,
	MESSAGE_ID_MAX = 128, /* RFC 4975 §9 says 32; longer ones are let pass */
	FIELDS_MAX = 1024,    /* Failure-Report and Content-* lines of one SEND */
	PATH_TEXT_MAX = 1024, /* a participant's a=path */
	URI_TEXT_MAX = 512,
	INCOMING_MAX = 16, /* messages in several chunks at once, per seat */
	RECENT_IDS = 64,   /* of a conference: senders remembered by Message-ID */
	ALIAS_MAX = 32,	   /* a Message-ID that the switch makes (RFC 4975 §9: ident) */
	SEEN_MAX = 64,	   /* complete messages of a seat remembered for duplicates */
	TYPES_MAX = 32,	   /* wrapped types a conference remembers; others are compared */
	TYPE_TEXT_MAX = 96,
	SEARCH_MAX = 128, /* deliveries looked at for a response out of order */
	PARTIAL_MAX = 64, /* deliveries of a seat watched for an error only */
	SEATS_PER_CONN_MAX = 256,
	PIECE_BYTES = 16384, /* a streamed chunk is passed on in pieces up to this */
	MAIL_BYTES = 65536,
	MAIL_LEAST = 1024, /* room in a mail for what may follow */
	TURN_WORK = 2000, /* deliveries that one connection may cause before it is another's turn */
	TURN_BYTES = 2048,    /* so much is read of it in any case */
	AHEAD_MAX = 262144,   /* of a connection's bytes, under way to other shards */
	REPLIES_MAX = 262144, /* answers that may wait for a peer that does not read them */
	SHARDS_MAX = 64,      /* that can share a connection: one bit each */
	GATHER_MS = 1000,     /* failures are gathered so long before they are reported */
	RECONNECT_MS = 500,
	RELAY_RECONNECT_MS = 100,
	RELAY_DRAIN_MS = 7000,	/* more than phones take for theirs */
	RELAY_BACK_MS = 1000,	/* in that time a side that was cut off may be back */
	RELAY_TURN_MS = 2,	/* at least one turn of the loop */
	CHUNK_IDLE_MS = 540000, /* RFC 7701 §6.1: on the order of a TCP timeout */
	BLOCK_CLASSES = 10,	/* 512 bytes to 256 kB */
};

/* ---- memory (pool.c) ---- */

/* Bytes that several queues share. Everything is of one thread: the count needs no atomics. */
struct block {
	struct block *next; /* in a free list */
	uint32_t refs, class;
	size_t size, n;
	char bytes[];
};

/* A free list of equal things: in a steady state nothing is taken from the heap. */
enum { SHA256_BYTES = 32 };

struct pool {
	void *free;
	size_t size, n_free, max_free;
};

void switch_pool_init(struct pool *p, size_t size, size_t max_free);
void switch_pool_fini(struct pool *p);
void *switch_pool_get(struct pool *p); /* zeroed; NULL: no memory */
void switch_pool_put(struct pool *p, void *thing);

struct block *switch_block_new(struct switch_shard *s, size_t size);
static inline struct block *block_ref(struct block *b)
{
	b->refs++;
	return b;
}
void switch_block_unref(struct switch_shard *s, struct block *b); /* NULL is fine */
/* Appends; *b may be moved to a larger block (its only owner is the caller). E_NOMEM. */
int switch_block_put(struct switch_shard *s, struct block **b, struct view v);
void switch_blocks_fini(struct switch_shard *s);

/* ---- the things ---- */

struct piece {
	struct block *block;
	char *p;
	size_t n;
};

/* What waits to be written on a connection. Offsets count all bytes since its beginning. */
struct output {
	struct piece *ring;
	uint32_t first, n, size;
	struct block
		*text; /* heads, end-lines and answers are written into it, so that they merge */
	uint64_t queued, written;
};

enum inbound_mode {
	INBOUND_SKIP,	/* refused: the rest of the frame is read and dropped */
	INBOUND_EMPTY,	/* a SEND without a body (RFC 4975 §5.4: it binds) */
	INBOUND_GATHER, /* up to chunk_whole_max */
	INBOUND_STREAM,
	INBOUND_FORWARD, /* to the shard where the session lives */
};

/* The frame that is being read. */
struct inbound {
	enum inbound_mode mode;
	unsigned shard; /* INBOUND_FORWARD */
	struct seat *seat;
	struct message *message; /* it belongs to; INBOUND_STREAM: always */
	struct block *block;	 /* common part as far as it came; INBOUND_STREAM: the next piece */
	size_t fields_at, body_at;  /* in block */
	uint64_t start, end, total; /* as the sender wrote them */
	uint64_t n_body;	    /* bytes of the sender's body so far */
	uint64_t position;	    /* INBOUND_STREAM: of the next piece in the forwarded message */
	uint64_t shift;		    /* bytes that wrapping puts before the message */
	uint64_t alias;		    /* see struct message */
	bool has_range, success_report, is_cpim, wrapped, duplicate;
	bool first; /* of its message: what wrapping puts before the message goes with it */
	enum msrp_failure_report failure_report;
	uint8_t tid_n;
	uint16_t id_n;
	char tid[MSRP_TID_MAX];
	char id[MESSAGE_ID_MAX];
};

struct switch_conn {
	struct switch_shard *shard;
	struct list link;      /* shard->conns */
	struct hash_node node; /* by number; of another shard's: by shard and number */
	void *handle;
	uint64_t number;
	struct msrp_reader reader;
	struct inbound *in;
	struct output out;
	struct list unwritten;	  /* deliveries committed and not yet written, in order */
	struct list seats;	  /* bound to it */
	struct seat *last;	  /* the seat of the last frame */
	struct seat *dialed;	  /* the seat for which it was begun */
	struct delivery *open;	  /* the streamed chunk whose end-line is still due */
	struct timer timer;	  /* no valid session yet; or its peer takes nothing */
	size_t unclaimed_bytes;	  /* read while it had no session */
	size_t ahead;		  /* bytes of mails that other shards have not read yet */
	struct list dirty;	  /* shard->dirty: output to be mailed */
	struct switch_mail *mail; /* being filled, for mail_to */
	uint64_t told, used;	  /* a bit per shard: was sent frames, holds seats bound to it */
	uint64_t stopped_by;	  /* a bit per shard with seats whose peers cannot take more */
	/* Small ones together: there are many idle connections. */
	unsigned origin; /* the shard it lives on */
	unsigned mail_to;
	uint32_t n_seats;
	uint32_t replies;   /* bytes of answers queued since the queue was last empty */
	uint32_t n_stopped; /* of its own shard, like stopped_by */
	uint32_t work;	    /* deliveries per 64 kB that were read of it lately */
	uint32_t most;	    /* see switch_conn_most */
	bool guest;	    /* it lives on another shard; there is no handle */
	bool woken, paused, finishing, deaf, busy, freed;
	bool quiet;	 /* is not being read */
	bool shared;	 /* guest: sessions of other shards use the connection, too */
	bool tls, known; /* known: sha256 is that of the peer's certificate */
	uint8_t sha256[SHA256_BYTES];
};

enum seat_state {
	SEAT_RESERVED,	 /* its owner was not heard of yet */
	SEAT_ANSWERED,	 /* to be claimed */
	SEAT_CONNECTING, /* we are active */
	SEAT_BOUND,
	SEAT_DOWN,     /* lost its connection */
	SEAT_DRAINING, /* closed; waits for answers, for drain_ms at most */
	SEAT_LOST,
};

struct seat {
	struct switch_shard *shard;
	struct conference *conference; /* NULL when draining */
	size_t index;		       /* in conference->seat */
	switch_seat_id id;
	struct hash_node by_id, by_session, by_uri;
	enum seat_state state;
	bool held, queues, answered, active, rebound, finish;
	bool takes_cpim, takes_any, takes_private;
	bool named;
	bool tls, vouched; /* vouched: the owner's certificate has the hash sha256 */
	uint8_t sha256[SHA256_BYTES];
	struct switch_conn *conn;
	struct switch_conn *dialing; /* being made for it */
	struct list conn_link;
	struct timer timer;	       /* of the state */
	struct timer answer_timer;     /* of the first delivery without an answer */
	char *uri, *key, *display;     /* in text; key: the URI in the form that is compared */
	char *from;		       /* CPIM From as it last came, when it was right */
	char *nickname, *nickname_key; /* RFC 7701 §7, and the form that is compared; NULL: none */
	struct timer naming;	       /* a nickname that the focus has yet to be told */
	uint64_t named_ms;	       /* when it was last, if named */
	char session[SESSION_CHARS + 1];
	char *local;  /* our a=path */
	char *paths;  /* To-Path and From-Path lines of what we send; NULL: his path is not known */
	char *remote; /* a=path, in paths */
	char *reply; /* for responses: the first hop only (RFC 4975 §7.2); paths where it is one */
	size_t n_local, n_remote, n_paths, n_reply;
	char *types, *wrapped_types;
	uint64_t max_size;
	uint32_t type_known, type_taken; /* a bit per type of the conference */
	char tid[TID_SECRET_CHARS + 1];
	uint64_t count;	   /* of the next tid */
	struct list queue; /* deliveries, in order */
	size_t backlog;	   /* bytes */
	struct seat *peer; /* the other one of a relay; NULL: gone */
	bool relay, end_to_end;
	bool full;     /* relay: too much is unwritten for its peer to be read */
	bool stopped;  /* relay: its connection is not read on its peer's account */
	bool intruded; /* another connection showed its session id, at intruded_ms */
	uint64_t intruded_ms;
	bool gone;	     /* relay: down for longer than the grace */
	size_t unwritten;    /* relay: bytes */
	uint64_t give_up_ms; /* relay: how long we connect again */
	struct list watched; /* deliveries from whom only an error is awaited */
	size_t n_partial;
	struct passing *passing; /* relay: INCOMING_MAX of them; NULL: none yet */
	struct list sent;	 /* message records of its messages */
	struct list incoming;	 /* those of which chunks are still due */
	size_t n_incoming;
	uint64_t *seen; /* SEEN_MAX hashes of Message-IDs, newest at seen_at - 1; NULL: none yet */
	unsigned seen_at;
	char text[]; /* uri, key, display */
};

enum drain_state {
	DRAIN_NONE,
	DRAIN_RUNNING,	 /* what was acknowledged is written, and answers are waited for */
	DRAIN_REPORTING, /* the time is over: REPORTs are written */
	DRAIN_OVER,
};

struct conference {
	struct switch_shard *shard;
	struct hash_node node;
	switch_conference_id id;
	char *uri, *key; /* in text */
	struct seat **seat;
	size_t n, size;
	struct list messages; /* those with an audience */
	bool relay, closing;
	bool refuses; /* it is to end, and takes nothing any more */
	bool turned;  /* draining a relay: what was there to be read when it began was read */
	enum drain_state drain;
	struct list due;    /* draining: message records whose end is waited for */
	size_t n_unwritten; /* draining: deliveries of its seats that are only to be written */
	struct timer timer; /* of draining; relay: of closing */
	struct recent_id *recent; /* RECENT_IDS of them, by hash; NULL: nothing was said yet */
	unsigned n_types;
	char (*type)[TYPE_TEXT_MAX]; /* n_types of them */
	char text[];
};

/* One receiver of a message in several chunks, fixed by the first one (RFC 7701 §6.1). */
struct listener {
	struct seat *seat; /* NULL: gone */
	bool dead;	   /* no more chunks: it failed, or its seat is gone */
	bool failed;	   /* counted */
	bool begun;	   /* something of it was queued */
};

struct message {
	struct switch_shard *shard;
	struct seat *sender; /* NULL: gone */
	struct list sender_link, incoming_link, conference_link, due_link;
	struct conference *due; /* that waits for its end; NULL: none */
	struct timer timer; /* report gathering */
	struct timer idle;  /* chunk reception (RFC 7701 §6.1) */
	uint32_t chunks;    /* that came whole */
	uint32_t pending;   /* deliveries without a result */
	uint32_t n_receivers, n_failed;
	int status; /* worst */
	enum msrp_failure_report failure_report;
	bool receiving, reported;
	struct inbound *in; /* the frame in which a chunk of it is being read; NULL: none */
	int type;	    /* wrapped type: index in conference->type, -1: other */
	uint64_t shift;
	uint64_t next;	      /* bytes 1 … next-1 came without a gap (as the sender counts) */
	uint64_t size;	      /* the furthest byte that came */
	uint64_t total;	      /* as forwarded */
	struct block *fields; /* lines after Byte-Range, with the empty line; of streamed ones */
	struct listener *listener;
	size_t n_listeners;
	struct listener only; /* of a relay's streamed chunk */
	bool relay;	      /* one chunk on its way through a relay */
	uint64_t start;	      /* relay: its first byte */
	size_t head_n;	      /* CPIM headers, in bytes as the sender counts */
	uint64_t head_hash;   /* of them */
	uint64_t alias;	      /* receivers are shown another Message-ID, made with this; 0: his */
	uint8_t tid_n;	      /* relay: of the chunk whose answer waits for the receiver's; 0: it was given */
	uint16_t id_n;
	char tid[MSRP_TID_MAX];
	char id[MESSAGE_ID_MAX];
};

/* A message that goes through a relay in several chunks. */
struct passing {
	uint64_t hash;	/* of its Message-ID; 0: a free place */
	uint64_t at_ms; /* of its last chunk */
	uint32_t chunks;
	bool over; /* refused: nothing more of it is passed on */
};

/* Who used a Message-ID last. */
struct recent_id {
	uint64_t hash;
	uint64_t user;
};

enum delivery_kind {
	DELIVERY_WHOLE,	 /* a chunk in one block */
	DELIVERY_PIECE,	 /* bytes of a streamed chunk; of no use once written */
	DELIVERY_CHUNK,	 /* stands for a streamed chunk until it is answered */
	DELIVERY_BIND,	 /* our empty SEND (RFC 6135 §4.2.2) */
	DELIVERY_REMOTE, /* bytes that another shard wants to know written */
	DELIVERY_REPORT, /* a REPORT that is passed on (relay) */
};
enum delivery_state { DELIVERY_WAITING, DELIVERY_COMMITTED, DELIVERY_WRITTEN };

struct delivery {
	struct list link;      /* seat->queue */
	struct list conn_link; /* conn->unwritten; once written, seat->watched */
	struct switch_shard *owner;
	struct seat *seat; /* NULL: DELIVERY_REMOTE */
	struct message *message;
	struct block *block;
	size_t off, n;	  /* DELIVERY_PIECE: body bytes in block; DELIVERY_REMOTE: n bytes */
	size_t bytes;	  /* counted in seat->backlog */
	size_t unwritten; /* counted in seat->unwritten */
	uint64_t start;	  /* DELIVERY_PIECE: position of its first byte */
	uint64_t count;	  /* of its tid */
	uint64_t out_end; /* offset in the connection's output at which it is written */
	uint64_t written_ms;
	uint32_t listener; /* index in message->listener */
	unsigned shard;	   /* DELIVERY_REMOTE */
	enum delivery_kind kind;
	enum delivery_state state;
	bool watched; /* in seat->watched, and counted in its n_partial */
	bool due;     /* counted in its conference's n_unwritten */
	char flag;    /* of the end-line; 0: none yet */
};

struct switch_shard {
	struct switch_config cfg;
	struct switch_ops ops;
	struct timers *timers;
	struct entropy entropy;
	const struct log *log;
	struct hash by_id, by_session, by_uri, conferences, by_number, guests;
	struct list conns;
	struct list dirty;
	struct list orphans; /* message records whose sender is gone */
	size_t n_conns, n_seats;
	uint64_t next_number;
	struct pool deliveries, messages, inbounds;
	struct block *free_block[BLOCK_CLASSES];
	size_t free_bytes;
	struct switch_counts counts;
	uint64_t work; /* deliveries that were tried, ever */
};

/* ---- output.c: a connection's queue ---- */

/* Room for so many pieces and so many bytes of text in one run: 0 or E_NOMEM. After it the puts
 * below cannot fail as long as they stay inside. */
int switch_output_reserve(struct switch_conn *c, uint32_t pieces, size_t text);
void switch_output_text(struct switch_conn *c, const char *p, size_t n);
void switch_output_block(struct switch_conn *c, struct block *b, size_t off, size_t n);
void switch_output_fini(struct switch_conn *c);
/* Takes n bytes off the front. */
void switch_output_drop(struct switch_conn *c, size_t n);
/* So many bytes were queued that answer what the peer sent: when it reads none of them, it is not
 * read either. Of a guest they are counted where the connection lives. */
void switch_output_replied(struct switch_conn *c, size_t n);
/* Asks for the connection to be written (or mailed). */
void switch_output_wake(struct switch_conn *c);
/* Answers to the peer; lost when memory is. */
void switch_output_reply(struct switch_conn *c, const char *bytes, size_t n);
/* Bytes up to c->out.written are written: deliveries learn of it. */
void switch_output_settle(struct switch_conn *c, uint64_t now_ms);

/* ---- delivery.c: seats' queues and answers ---- */

/* "MSRP tid" counter text. dst: TID_CHARS bytes. */
void switch_seat_tid(const struct seat *seat, uint64_t count, char *dst);
/* Queues a chunk, or a piece, for a seat; commits it when the seat is bound. False: it did not fit
 * or memory ran out; the caller counts the failure. */
bool switch_delivery_whole(struct seat *seat, struct message *m, struct block *b, char flag,
			   uint32_t listener);
bool switch_delivery_piece(struct seat *seat, struct message *m, struct block *b, size_t off,
			   size_t n, uint64_t start, char flag, uint32_t listener);
/* What was sent of m to the seat so far is ended by '#'. */
void switch_delivery_abort(struct seat *seat, struct message *m, uint64_t start, uint32_t listener);
/* Ends a streamed chunk on a connection that has one open, so that something else can be written.
 */
void switch_delivery_interrupt(struct switch_conn *c, char flag);
/* Writes all that waits for a seat that has just been bound. */
void switch_delivery_flush(struct seat *seat, uint64_t now_ms);
/* The seat's connection is going: what was not answered waits again, streamed pieces are given up.
 */
void switch_delivery_unbind(struct seat *seat, uint64_t now_ms);
/* All seats are going to leave the connection: its list of what is unwritten is gone through once,
 * and not by each of them. */
void switch_delivery_forget_written(struct switch_conn *c, uint64_t now_ms);
/* Everything failed with this status. */
void switch_delivery_fail_all(struct seat *seat, int status, uint64_t now_ms);
/* The same, but for the REPORTs to its owner. */
void switch_delivery_fail_messages(struct seat *seat, int status, uint64_t now_ms);
/* A response came for the seat. */
void switch_delivery_answer(struct seat *seat, const struct msrp_head *h, uint64_t now_ms);
/* Its last byte was written (d may be freed). */
void switch_delivery_written(struct switch_conn *c, struct delivery *d, uint64_t now_ms);
void switch_delivery_timeout(void *seat, uint64_t now_ms);
void switch_delivery_bind_send(struct seat *seat);
/* Bytes that another shard wrote for this connection: whole frames. Takes b. False: no memory. */
bool switch_delivery_remote(struct switch_conn *c, struct block *b, unsigned shard);
void switch_delivery_free(struct delivery *d);
/* Its result is there; 0: good. d is freed. */
void switch_delivery_result(struct delivery *d, int status, uint64_t now_ms);
/* A REPORT on its way to the seat's owner: all behind the paths, and the dashes. The latest are
 * kept for a while after they were written, and written again on a new connection. False: no
 * memory. */
bool switch_delivery_report(struct seat *seat, struct block *b);
/* Its owner leaves: written ones are done with. */
void switch_delivery_forget_reports(struct seat *seat, uint64_t now_ms);

/* ---- message.c: records and reports ---- */

struct message *switch_message_new(struct seat *sender, struct inbound *in);
/* One delivery has its result: 0 when it is good (or skipped), else a status. May free m. */
void switch_message_result(struct message *m, uint32_t listener, int status, uint64_t now_ms);
/* A receiver failed without a delivery; never frees m. */
void switch_message_failed(struct message *m, uint32_t listener, int status, uint64_t now_ms);
/* The chunk is answered when the receiver has answered it. */
void switch_message_withhold(struct message *m, struct view tid);
/* No more chunks will come. May free m. */
void switch_message_end(struct message *m, uint64_t now_ms);
/* Success-Report of the switch itself (SW-2). */
void switch_message_success(struct seat *sender, struct view id, uint64_t bytes);
void switch_message_sender_gone(struct seat *seat, uint64_t now_ms);
void switch_message_listener_gone(struct seat *seat, uint64_t now_ms);
struct message *switch_message_find(struct seat *sender, struct view id);
/* Whether somebody else in the conference uses this Message-ID, and if so what makes ours another:
 * RFC 4975 §7.3.1 would have receivers put the two together. 0: it may go on as it is. */
uint64_t switch_message_alias(struct seat *sender, struct view id);
/* The Message-ID that receivers are shown; dst: MESSAGE_ID_MAX bytes. */
struct view switch_message_shown_id(struct view id, uint64_t alias, char *dst);
bool switch_message_seen(struct seat *sender, struct view id);
void switch_message_remember(struct seat *sender, struct view id);
void switch_message_free(struct message *m);
/* A chunk of it came: the next one is awaited. */
void switch_message_arm(struct message *m, uint64_t now_ms);
/* The rest will not come: receivers are told by '#'. May free m. */
void switch_message_abandon(struct message *m, uint64_t now_ms);
/* The same for one that the sender has to hear of, although chunks of it were acknowledged. May free m. */
void switch_message_cut_short(struct message *m, int status, uint64_t now_ms);
/* Its sender is told now, whatever is still pending. */
void switch_message_give_up(struct message *m, int status, uint64_t now_ms);

/* ---- fanout.c: who gets a message ---- */

/* A gathered chunk is there; flag of its end-line. 0 or a status to answer. */
int switch_fanout_whole(struct switch_shard *s, struct inbound *in, char flag, uint64_t now_ms);
/* The first bytes of a large chunk are there: fixes the receivers (in->message). 0, a status, or
 * -1: more bytes are needed. */
int switch_fanout_stream_begin(struct switch_shard *s, struct inbound *in, uint64_t now_ms);
/* Sends what stands in in->block on its way; flag 0: the chunk goes on. */
void switch_fanout_stream(struct switch_shard *s, struct inbound *in, char flag, uint64_t now_ms);

/* ---- relay.c: two seats, each the other's audience ---- */

/* Makes a relay of a conference with two seats. */
void switch_relay_link(struct conference *conf);
/* Stops or goes on reading the sender's connection, as its peer can take more or not. leaving: the
 * sender lets go of the connection. */
void switch_relay_gate(struct seat *sender, bool leaving);
/* A relay's receiver cannot take it, and its sender's connection must not stop: others use it. */
bool switch_relay_overflows(const struct seat *seat, size_t bytes);
/* Back-pressure's books: d was queued for the seat, or is written (or given up). */
void switch_relay_queued(struct seat *seat, struct delivery *d);
void switch_relay_written(struct seat *seat, struct delivery *d);
void switch_relay_trim(struct seat *seat, uint64_t now_ms);
/* As begin_block, switch_fanout_whole and switch_fanout_stream_begin. */
int switch_relay_begin(struct switch_shard *s, struct inbound *in, const struct msrp_head *h,
		       size_t room);
int switch_relay_whole(struct inbound *in, char flag, uint64_t now_ms);
/* Nothing is acknowledged to him that might not come through: his session is to end, or he asks for it. */
bool switch_relay_withholds(const struct inbound *in);
int switch_relay_stream_begin(struct inbound *in, uint64_t now_ms);
/* A gathered chunk goes to the other side, whatever becomes of its message: 0 or a status. */
int switch_relay_pass(struct inbound *in, char flag, uint64_t now_ms);
void switch_relay_chunk_end(struct switch_shard *s, struct inbound *in, char flag, uint64_t now_ms);
void switch_relay_report(struct seat *from, const struct msrp_head *h, uint64_t now_ms);
/* The grace of a seat that is down is over. May free it. */
void switch_relay_gone(struct seat *seat, uint64_t now_ms);
/* Ends both seats, the peer's with what waits for it. */
void switch_relay_over(struct seat *seat, uint64_t now_ms);

/* ---- passing.c: messages in several chunks, through a relay ---- */

/* Whether one more chunk of its message may come: 0 or 413. */
int switch_passing_check(struct inbound *in);
/* One that does not end its message: 0, or 413 where too many are under way. */
int switch_passing_count(struct inbound *in, uint64_t now_ms);
/* Its message ends. */
void switch_passing_end(struct inbound *in);
/* What follows `start` of a message was refused: its receiver is told once, if he has some of it.
 */
void switch_passing_stop(struct seat *sender, struct view id, uint64_t start, uint64_t now_ms);

/* ---- inbound.c: SENDs as they come ---- */

void switch_inbound_send(struct switch_conn *c, struct seat *seat, const struct msrp_head *h,
			 uint64_t now_ms);
void switch_inbound_body(struct switch_conn *c, struct view body, uint64_t now_ms);
void switch_inbound_end(struct switch_conn *c, char flag, uint64_t now_ms);
/* The input of this call is at its end: a streamed chunk's bytes go on. */
void switch_inbound_pause(struct switch_conn *c, uint64_t now_ms);
/* What is being read for the seat is refused with this status, unless it has no content. */
void switch_inbound_refuse(struct seat *seat, int status, uint64_t now_ms);
/* The sender is gone in the middle of a frame. */
void switch_inbound_abort(struct switch_conn *c, uint64_t now_ms);
/* Puts bytes before the content of the gathered chunk, which is the first one of its message: 0 or
 * 413. */
int switch_inbound_prefix(struct inbound *in, struct view prefix);
/* The storage of the frame being read, if there is one. */
void switch_inbound_free(struct switch_conn *c);
struct inbound *switch_inbound_new(struct switch_conn *c, enum inbound_mode mode);
/* Writes the lines that come before the body of a WHOLE chunk into a new block. NULL: no memory. */
struct block *switch_inbound_head_block(struct switch_shard *s, const struct inbound *in,
					struct view fields, uint64_t start, uint64_t end,
					uint64_t total, size_t body, size_t *fields_at);

/* ---- nickname.c ---- */

void switch_nickname(struct switch_conn *c, struct seat *seat, const struct msrp_head *h,
		     uint64_t now_ms);
/* The timer of what was not told at once. */
void switch_nickname_due(void *seat, uint64_t now_ms);
/* What others are shown: the nickname, else the name that the focus gave. */
const char *switch_seat_name(const struct seat *seat);

/* ---- seat.c ---- */

struct seat *switch_seat_new(struct switch_shard *s, const struct switch_seat_config *sc,
			     switch_conference_id conference);
void switch_seat_free(struct seat *seat); /* no words to anybody */
struct seat *switch_seat_find(struct switch_shard *s, switch_seat_id id);
struct seat *switch_seat_of_session(struct switch_shard *s, struct view session);
/* Whether the conference's messages are kept for it. */
bool switch_seat_receives(const struct seat *seat);
void switch_seat_bind(struct seat *seat, struct switch_conn *c, uint64_t now_ms);
/* Its connection is gone or unusable. */
void switch_seat_unbind(struct seat *seat, uint64_t now_ms);
/* From-Path of what comes for it: right, or taken as right while the owner's answer is under way.
 */
bool switch_seat_from_path(struct seat *seat, struct view from_path);
/* TLS where it must be, with the certificate that the owner's answer promised. */
bool switch_seat_trusts(const struct seat *seat, const struct switch_conn *c);
void switch_seat_lost(struct seat *seat, int error, uint64_t now_ms);
/* The connection that we began for it did not come about. */
void switch_seat_undialed(struct seat *seat, uint64_t now_ms);
void switch_seat_end(struct seat *seat, bool drain, uint64_t now_ms);
/* A draining seat may have come to its end. */
void switch_seat_drained(struct seat *seat, uint64_t now_ms);
void switch_seat_event(const struct seat *seat, enum switch_event_type type, int error);

/* ---- conference.c ---- */

struct conference *switch_conference_find(struct switch_shard *s, switch_conference_id id);
void switch_conference_remove(struct conference *conf, struct seat *seat);
void switch_conference_free(struct switch_shard *s, struct conference *conf);
/* Index of a wrapped type, -1 when the table is full; its text without parameters in dst. */
int switch_conference_type(struct conference *conf, struct view content_type,
			   char dst[TYPE_TEXT_MAX]);
bool switch_seat_takes(struct seat *seat, int type, const char *text);
/* "sip:Ann@EXAMPLE.com;x=y" → "ann@example.com"-like key in dst, which takes it and a NUL: at most
 * URI_TEXT_MAX bytes, and no more than the URI has. Returns dst. */
char *switch_uri_key(struct view uri, char *dst);

/* ---- drain.c: what is under way when a conference ends ---- */

/* A record has come to its end; a delivery is written, or has come to its end. */
void switch_drain_message_done(struct message *m);
void switch_drain_written(struct delivery *d);
/* A REPORT was queued. */
void switch_drain_report(struct delivery *d);
/* The seat is about to leave its conference. */
void switch_drain_leave(struct seat *seat);
/* Nothing is waited for any more; tell: SWITCH_EV_DRAINED where that is still due. */
void switch_drain_stop(struct conference *conf, bool tell);

/* ---- connection.c ---- */

struct switch_conn *switch_conn_new(struct switch_shard *s, void *handle, unsigned origin,
				    uint64_t number);
struct switch_conn *switch_conn_find(struct switch_shard *s, unsigned origin, uint64_t number);
void switch_conn_free(struct switch_conn *c);
/* It is gone: seats and frames are let go, and c is freed (after the read it may be in). */
void switch_conn_release(struct switch_conn *c, uint64_t now_ms);
/* One more (or one less) seat for which it must not be read. */
void switch_conn_stop(struct switch_conn *c, bool stop);
/* Reads it or not, as things stand. */
void switch_conn_read_update(struct switch_conn *c);
/* Something was taken. */
void switch_conn_unblocked(struct switch_conn *c);
/* A seat left it. */
void switch_conn_idle(struct switch_conn *c, bool finish, uint64_t now_ms);
/* Answers a request that nobody here serves. */
void switch_conn_answer(struct switch_conn *c, const struct msrp_head *h, int status);
void switch_conn_reply(struct switch_conn *c, struct seat *seat, struct view tid, int status);

/* ---- handover.c: sessions of other shards ---- */

/* The shard a session id names, or this one where it names none. */
unsigned switch_handover_shard(const struct switch_shard *s, struct view session);
void switch_handover_head(struct switch_conn *c, unsigned to, const struct msrp_head *h);
void switch_handover_body(struct switch_conn *c, struct view body);
void switch_handover_end(struct switch_conn *c, char flag);
void switch_handover_flush(struct switch_conn *c);
void switch_handover_down(struct switch_conn *c);
void switch_handover_used(struct switch_conn *c, bool used, bool finish);
void switch_handover_stop(struct switch_conn *c, bool stop);
void switch_handover_written(struct switch_conn *c, unsigned shard, size_t n);
/* Mails what the connections of other shards have to write. At the end of each call into the shard.
 */
void switch_handover_output(struct switch_shard *s);

#endif
