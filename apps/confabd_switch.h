/*
 * The switch on threads of its own: each has a loop, a listener, a shard and a mailbox. A
 * conference lives on one thread; threads share nothing and speak by mail. The functions
 * below are for the thread whose loop the configuration names (the SIP loop), where events arrive
 * too.
 */
#ifndef CONFABD_SWITCH_H
#define CONFABD_SWITCH_H

#include "io/loop.h"
#include "switch/switch.h"

struct io_tls;
struct switch_threads;

struct switch_threads_config {
	unsigned n_threads; /* at least 1, at most 64 */
	struct addr listen; /* thread i listens on port + i; port 0: any ports */
	struct io_tls *tls; /* NULL: plain TCP alone. Needed while it runs. */
	bool tls_unverified; /* who is connected to and gave no fingerprint is believed all the same
			      */
	size_t max_per_source; /* connections from one address at each listener; 0: no cap */
	uint16_t tls_port;  /* thread i listens for TLS on this plus i; 0: any ports */
	struct switch_config
		shard; /* shard, n_shards and the port of advertise are set for each thread; an
			* advertise of family 0 means the listening address */
	struct io_loop *loop; /* where events are told */
	/* ev lives during the call. */
	void (*event)(void *ctx, unsigned shard, const struct switch_event *ev);
	void *ctx;
	/* Bytes as they were read (out false) and written; called on the threads, at the same time
	 * by several. May be NULL. */
	void (*trace)(void *ctx, bool tls, bool out, const struct addr *local,
		      const struct addr *remote, struct view bytes);
	void *trace_ctx;
	bool trace_bodies; /* otherwise the trace is told how long they were (msrp/veil.h) */
};

/* E_NOMEM, E_SYNTAX (how many threads), or why an address cannot be listened on; the log says which.
 * log may be NULL; it is used from all threads. */
int switch_threads_start(const struct switch_threads_config *cfg, const struct log *log,
			 struct switch_threads **out);
/* Ends all connections and threads, and waits for them. No event comes after it. NULL is fine. */
void switch_threads_stop(struct switch_threads *ts);
unsigned switch_threads_count(const struct switch_threads *ts);
/* Where thread i really listens. */
void switch_threads_addr(const struct switch_threads *ts, unsigned i, struct addr *out);
/* The thread with the fewest seats: for a new conference. */
unsigned switch_threads_pick(struct switch_threads *ts);
/* Numbers of all threads together, as of their last batch. */
void switch_threads_counts(struct switch_threads *ts, struct switch_counts *out);

/* As switch_seats_open and so on; everything is copied. Commands to one thread are carried out in
 * their order. */
void switch_threads_seats_open(struct switch_threads *ts, unsigned shard, uint64_t request,
			       switch_conference_id conference, struct view conference_uri,
			       const struct switch_seat_config *seat, size_t n_seats);
void switch_threads_relay_open(struct switch_threads *ts, unsigned shard,
			       switch_conference_id relay,
			       const struct switch_seat_config seat[2]);
void switch_threads_relay_close(struct switch_threads *ts, unsigned shard,
				switch_conference_id relay);
void switch_threads_seat_answer(struct switch_threads *ts, unsigned shard, switch_seat_id seat,
				const struct switch_seat_answer *a);
void switch_threads_seat_close(struct switch_threads *ts, unsigned shard, switch_seat_id seat,
			       bool drain);
void switch_threads_conference_drain(struct switch_threads *ts, unsigned shard,
				     switch_conference_id conference, bool refuse);
void switch_threads_conference_close(struct switch_threads *ts, unsigned shard,
				     switch_conference_id conference);

#endif
