/* struct io_conn, for the files that make one of it: tcp.c its bytes, handshake.c its TLS. */
#ifndef CONFAB_IO_CONN_PRIVATE_H
#define CONFAB_IO_CONN_PRIVATE_H

#include "base/buf.h"
#include "io/conn.h"

enum conn_state {
	CONN_CONNECTING,
	CONN_HANDSHAKE,
	CONN_REFUSED, /* TLS failed and the alert is out; what still comes is thrown away */
	CONN_UP,
	CONN_BROKEN, /* writing failed; what the peer sent before is still read, then it ends */
	CONN_CLOSING,
};

struct io_conn {
	struct io_handle handle;
	uv_poll_t poll;
	struct timer timer; /* for connecting, later for finishing */
	struct io_loop *loop;
	const struct io_conn_events *events;
	void *ctx;
	struct io_conn_listener listener; /* where it was accepted; none of them set otherwise */
	struct io_tls_session *tls;	  /* NULL: plain */
	const char *(*identify)(void *ctx, struct io_conn *c, const struct cert_name *name,
				size_t n);
	struct buf out; /* queued output; its first `sent` bytes are gone already */
	size_t sent;
	uint64_t bytes_in, bytes_out;
	struct addr remote;
	int fd;
	int error;	    /* for closed */
	int system_error;   /* errno behind it */
	uint32_t read_most; /* bytes at a time, once a turn; 0: no limit */
	uint8_t state;	    /* enum conn_state */
	uint8_t polled;	    /* what libuv watches for */
	bool paused, want_write, eof_seen, finishing, fin_sent, tls_shut;
	bool owes_drained; /* the queue was in use since the last drained callback */
};

_Static_assert(sizeof(struct io_conn) < 700, "the price of an idle connection");

/* Tells libuv what to watch for, if that changed. */
void io_conn_watch(struct io_conn *c);
/* Ends it at once; `closed` is told at the end of the iteration. */
void io_conn_end(struct io_conn *c, int error);
void io_conn_end_errno(struct io_conn *c, int system_error);
void io_conn_queue_clear(struct io_conn *c);
/* Encrypted bytes wait, which are no longer the owner's matter. */
bool io_conn_owes(const struct io_conn *c);
/* It can be written to, and its owner is told. */
void io_conn_go_up(struct io_conn *c);

/* In CONN_HANDSHAKE: something has come, or can be written. It may be up, refused or over then. */
void io_conn_handshake(struct io_conn *c);
/* In CONN_REFUSED: the same. */
void io_conn_refused(struct io_conn *c);

#endif
