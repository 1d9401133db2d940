/*
 * TCP listeners and connections, IPv4 and IPv6.
 *
 * Life of a connection. It is announced to its owner either by io_listener's accept callback or by
 * io_conn_connect returning 0. From then on, closed is called exactly once, whoever ended it,
 * always from the loop and never from inside a call that the owner made; the connection is freed
 * when that callback returns. Between the moment of closing and that callback no other callback
 * comes, and calls are harmless: writes answer E_CLOSED. (A write that finds the peer gone answers
 * E_CLOSED too; then data may still bring what the peer had sent before, and closed follows.)
 *
 * Bytes come in a buffer that all connections of a loop share, so an idle connection costs only its
 * struct (under 700 bytes with libuv's part).
 *
 * TLS is behind the same calls (io/tls.h): a connection that was made with a struct io_tls is
 * announced (connected, the accept callback) once the handshake is through and the peer's
 * certificate was found good; all bytes are the plain ones. A failed handshake is closed(E_DENIED),
 * and io_conn_tls_why says what it was. Idle, a session costs less than 16 kB.
 */
#ifndef CONFAB_IO_TCP_H
#define CONFAB_IO_TCP_H

#include "base/addr.h"
#include "io/loop.h"
#include "io/tls.h"

struct io_conn;
struct io_listener;

enum {
	IO_CONN_QUEUE_MAX = 1024 * 1024,    /* default cap on queued output, bytes */
	IO_CONN_CONNECT_TIMEOUT_MS = 10000, /* default for io_conn_connect */
	IO_CONN_FINISH_MS = 5000,	    /* default longest time io_conn_finish takes */
	IO_CONN_HANDSHAKE_MS = 10000, /* default longest time a client's TLS handshake takes */
};

/*
 * What an owner wants to hear; a static table. ctx is the pointer last given to io_conn_attach
 * or io_conn_connect. Any callback may make any call on any connection, close and reset of its own
 * included. All but closed may be NULL.
 */
struct io_conn_events {
	/* An outgoing connection is up. */
	void (*connected)(void *ctx, struct io_conn *c);
	/* bytes (at least 1) are valid during the call. NULL: input is read and thrown away. */
	void (*data)(void *ctx, struct io_conn *c, struct view bytes);
	/* The peer will send no more; writing goes on until the owner finishes or closes. NULL: the
	 * peer's end of input closes the connection (E_CLOSED) once queued output is flushed. Not
	 * called after io_conn_finish, which ends with the peer's EOF. */
	void (*eof)(void *ctx, struct io_conn *c);
	/* The queue of io_conn_write was not empty and now is. */
	void (*drained)(void *ctx, struct io_conn *c);
	/* After io_conn_want_write(c, true): the kernel takes bytes. Comes again and again until
	 * io_conn_want_write(c, false). */
	void (*writable)(void *ctx, struct io_conn *c);
	/* error: 0 the owner closed, reset or finished it in good order; E_CLOSED the peer closed
	 * it, or the loop is ending; E_TIMEOUT connecting, or the peer stopped answering, or a
	 * finish took too long; E_ADDRESS no route; E_DENIED, E_NOMEM, E_IO (refused, reset)
	 * otherwise. io_conn_errno has the detail. c is freed when this returns. */
	void (*closed)(void *ctx, struct io_conn *c, int error);
};

struct io_listener_options {
	int backlog;	  /* 0: 512 */
	size_t max_conns; /* most connections at a time; 0: no cap. Above it, new ones are accepted
			   * and closed at once, so that they do not hang. */
	size_t max_per_source; /* the same of those from one address (IPv6: /64); 0: no cap */
	size_t queue_max;      /* cap on queued output of each connection; 0: IO_CONN_QUEUE_MAX */
	struct io_tls *tls;    /* NULL: plain; must outlive the listener */
	/* Longest time that a handshake takes, whatever comes meanwhile; 0: IO_CONN_HANDSHAKE_MS */
	uint64_t handshake_ms;
};

/* A connection came in: the callback takes it by io_conn_attach. One that is not attached when the
 * callback returns is closed, and never heard of again. */
typedef void io_accept_fn(void *ctx, struct io_listener *l, struct io_conn *c);

/* Binds and listens (port 0: the kernel chooses; IPv6 takes no IPv4). options may be NULL. When the
 * process or system is out of descriptors, accepting pauses and is tried again by a timer.
 * 0; E_ADDRESS (in use, not ours), E_DENIED, E_LIMIT (descriptors), E_NOMEM, E_IO. */
int io_listener_open(struct io_loop *loop, const struct addr *local,
		     const struct io_listener_options *options, io_accept_fn *accept, void *ctx,
		     struct io_listener **listener_out);
/* Stops listening; its connections live on. NULL is accepted. No accept callback comes afterwards.
 */
void io_listener_close(struct io_listener *l);
/* The bound address with its real port. */
void io_listener_local(const struct io_listener *l, struct addr *out);
/* Connections of this listener that are open now. */
size_t io_listener_conns(const struct io_listener *l);
/* Connections turned away because of max_conns or max_per_source. */
uint64_t io_listener_refused(const struct io_listener *l);

struct io_conn_options {
	const struct addr *local; /* bind to it first (port 0: any); NULL: the kernel chooses */
	size_t queue_max;	  /* cap on queued output in bytes; 0: IO_CONN_QUEUE_MAX */
	uint64_t timeout_ms;	  /* for connecting, TLS included; 0: IO_CONN_CONNECT_TIMEOUT_MS */
	struct io_tls *tls;	  /* NULL: plain; needed until the call returns */
	const char *tls_name;	  /* the name to ask for (SNI); NULL: none; copied */
	bool tls_any; /* whoever signed it: identify compares the fingerprint (io_conn_tls_matches)
		       */
	/* Is the peer who was meant? Asked before connected, with ctx, when the certificate is
	 * good otherwise. NULL to go on, or words for what is wrong. */
	const char *(*identify)(void *ctx, struct io_conn *c, const struct cert_name *name,
				size_t n);
};

/* Starts to connect; options may be NULL. Output may be queued (io_conn_write) before it is up.
 * 0: announced, connected or closed will follow. E_ADDRESS, E_DENIED, E_LIMIT, E_NOMEM, E_IO: not
 * announced, no callback comes. */
int io_conn_connect(struct io_loop *loop, const struct addr *to,
		    const struct io_conn_options *options, const struct io_conn_events *events,
		    void *ctx, struct io_conn **conn_out);
/* Takes an accepted connection, or hands one to another owner. events must stay valid (static). */
void io_conn_attach(struct io_conn *c, const struct io_conn_events *events, void *ctx);
void *io_conn_ctx(const struct io_conn *c);

/* Sends all of bytes, in order: what the kernel takes goes at once, the rest is copied and queued
 * behind what is queued already. All or nothing:
 * 0 taken; E_LIMIT the queue's cap has no room for bytes (nothing was taken; the caller decides);
 * E_CLOSED closing or closed; E_STATE after io_conn_finish; E_NOMEM (nothing was taken). */
int io_conn_write(struct io_conn *c, struct view bytes);
/* For owners that keep their own queue: offers n views (more than 64 are offered in part) to the
 * kernel and says how many bytes it took, 0 included (then io_conn_want_write). Copies nothing.
 * 0; E_CLOSED; E_STATE when output of io_conn_write is queued, the connection is not up yet, or
 * after io_conn_finish. */
int io_conn_try_writev(struct io_conn *c, const struct view *iov, size_t n, size_t *taken_out);
/* Asks for the writable callback. Cheap when nothing changes. */
void io_conn_want_write(struct io_conn *c, bool want);
/* Bytes queued by io_conn_write which the kernel has not taken. */
size_t io_conn_pending(const struct io_conn *c);
/* Stops and starts reading, so that the peer's TCP window closes (back-pressure). While paused the
 * peer's end of input goes unnoticed. Inside data: no further data comes once paused. */
void io_conn_read_pause(struct io_conn *c);
void io_conn_read_resume(struct io_conn *c);
/* Reads so many bytes at a time (with TLS: a little more, for what is encrypted as one), and then
 * it is another connection's turn. 0: up to 256 kB a turn, as from the beginning. */
void io_conn_read_most(struct io_conn *c, size_t bytes);

/* Ends in good order: flushes the queue, sends FIN, goes on reading (data is still called) until
 * the peer's FIN, then closed(0). After timeout_ms (0: IO_CONN_FINISH_MS) closed(E_TIMEOUT). Owners
 * with their own queue empty it first. Reading is resumed if it was paused. */
void io_conn_finish(struct io_conn *c, uint64_t timeout_ms);
/* Ends at once; what is queued is lost. NULL is accepted. */
void io_conn_close(struct io_conn *c);
/* Ends at once with a RST. */
void io_conn_reset(struct io_conn *c);

/* True from connected (accepted) until closing. */
bool io_conn_is_up(const struct io_conn *c);
void io_conn_remote(const struct io_conn *c, struct addr *out);
/* The local address; family 0 before it is known. */
void io_conn_local(const struct io_conn *c, struct addr *out);
/* The errno that ended it, 0 if none: for a log line (strerror). */
int io_conn_errno(const struct io_conn *c);
bool io_conn_is_tls(const struct io_conn *c);
/* Why TLS failed, for a person; "" where it did not. Valid until closed returns. */
const char *io_conn_tls_why(const struct io_conn *c);
/* Is this ("SHA-256 4A:AD:…") the fingerprint of the peer's certificate? False without one. */
bool io_conn_tls_matches(const struct io_conn *c, struct view fingerprint);
/* It was made without looking at who signed (tls_any, IO_TLS_CLIENTS_ANY): was the certificate a
 * good one all the same? */
bool io_conn_tls_believed(const struct io_conn *c);
/* Hands the names of the peer's certificate to fn, once; n is 0 without one. */
void io_conn_tls_names(const struct io_conn *c,
		       void (*fn)(void *ctx, const struct cert_name *name, size_t n), void *ctx);
/* SHA-256 over the peer's certificate; false without one. */
bool io_conn_tls_sha256(const struct io_conn *c, uint8_t out[IO_TLS_SHA256]);
/* Totals since the start, bytes. */
uint64_t io_conn_bytes_in(const struct io_conn *c);
uint64_t io_conn_bytes_out(const struct io_conn *c);

#endif
