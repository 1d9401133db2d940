/*
 * A network in memory on a virtual clock: TCP-like connections and datagrams between numeric
 * addresses. Bytes take a random time and arrive in random pieces, in order; a connection can be
 * cut at any moment, and what is in flight is lost then, in both directions. All randomness comes
 * from one seed.
 *
 * Life of an end as in io/tcp.h: `closed` comes exactly once, never from inside a call of its
 * owner; after net_close nothing else comes before it.
 */
#ifndef CONFAB_TEST_FLOW_NET_H
#define CONFAB_TEST_FLOW_NET_H

#include "base/addr.h"
#include "base/buf.h"

enum { NET_LISTENERS = 64, NET_LABEL = 24, NET_CONNECT_MS = 4000, NET_FINISH_MS = 5000 };

struct net_conn;
struct net_end;
struct net;

struct net_end_events {
	void (*connected)(void *ctx, struct net_end *e);
	void (*data)(void *ctx, struct net_end *e, struct view bytes);
	void (*writable)(void *ctx,
			 struct net_end *e); /* room again after a full window; may be NULL */
	void (*closed)(void *ctx, struct net_end *e);
};

struct net_end {
	struct net_conn *conn;
	int side; /* 0: who connected */
	const struct net_end_events *ev;
	void *ctx;
	bool up, closing, finishing, told, paused, blocked;
	uint64_t last_at; /* when the last of what was sent arrives at the other end */
	size_t in_flight;
	struct buf early; /* written before the connection was up */
	struct buf held;  /* came while paused */
};

struct net_conn {
	struct net *net;
	struct net_conn *next;
	unsigned number;
	char label[NET_LABEL]; /* by the acceptor's address and the connector's: "ann>server" */
	struct addr addr[2];
	struct net_end end[2];
	bool cut, refused, eof_held;
	unsigned events; /* that are about it */
};

typedef void net_accept_fn(void *ctx, struct net_end *e, const struct addr *remote);
typedef void net_datagram_fn(void *ctx, struct view bytes, const struct addr *from);

struct net_listener {
	struct addr addr;
	const char *name;
	net_accept_fn *accept;
	net_datagram_fn *datagram;
	void *ctx;
	unsigned refuse;  /* so many connections are refused */
	unsigned swallow; /* so many get no answer at all */
};

struct net_event;

struct net {
	uint64_t now, random, serial;
	uint64_t latency_min, latency_max;
	size_t window;		/* bytes in flight per direction */
	unsigned whole_percent; /* of writes that arrive in one piece */
	unsigned lose_percent;	/* of datagrams */
	unsigned lost_in_row;
	const char *slow; /* label of connections that take longer by up to slow_ms */
	uint64_t slow_ms;
	struct net_event **heap;
	size_t n_heap, size_heap;
	struct net_conn *conns;
	unsigned n_conns;
	uint16_t port;
	struct net_listener listener[NET_LISTENERS];
	size_t n_listeners;
	bool trace;
	unsigned long count; /* things that arrived */
	/* Called when something is about to arrive; conn: NULL for datagrams. False: it is lost
	 * (datagrams). */
	bool (*arriving)(void *ctx, unsigned long k, struct net_conn *conn, struct view bytes);
	void *ctx;
};

void net_init(struct net *n, uint64_t seed, uint64_t now);
void net_fini(struct net *n);
uint64_t net_random(struct net *n, uint64_t below);
struct net_listener *net_listen(struct net *n, const char *name, const struct addr *at,
				net_accept_fn *accept, net_datagram_fn *datagram, void *ctx);
struct net_listener *net_listener_at(struct net *n, const struct addr *at);
/* name: who connects. */
struct net_end *net_connect(struct net *n, const char *name, const struct addr *from,
			    const struct addr *to, const struct net_end_events *ev, void *ctx);
void net_attach(struct net_end *e, const struct net_end_events *ev, void *ctx);
/* Takes all. */
void net_write(struct net_end *e, struct view bytes);
/* Bytes that may still be written before the window is full; 0 marks the end as blocked. */
size_t net_room(struct net_end *e);
void net_pause(struct net_end *e, bool paused);
void net_finish(struct net_end *e);
void net_close(struct net_end *e);
/* A reset, seen by both ends at different times. */
void net_cut(struct net_conn *c);
void net_send(struct net *n, const struct addr *from, const struct addr *to, struct view bytes);
/* Something of the world's own that is to happen later, in order for equal ctx. */
void net_later(struct net *n, uint64_t in_ms, void (*run)(void *ctx, void *arg), void *ctx,
	       void *arg, void (*drop)(void *arg));
/* When the next thing arrives, UINT64_MAX: nothing is under way. */
uint64_t net_next(const struct net *n);
/* Lets the next thing arrive. */
void net_step(struct net *n);
/* The newest live connection with the label, NULL when there is none. */
struct net_conn *net_find(struct net *n, const char *label);

#endif
