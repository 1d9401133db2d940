/*
 * One TLS session over a descriptor, for tcp.c: it stands in for recv, send and shutdown.
 *
 * What was encrypted and not taken by the kernel is kept here, one record at the most for what
 * io_tls_send took; so "taken" means the same as without TLS. Idle, it has no buffers.
 */
#ifndef CONFAB_IO_TLS_SESSION_H
#define CONFAB_IO_TLS_SESSION_H

#include "io/tls.h"

#include <sys/types.h>
#include <sys/uio.h>

struct io_tls_session;

/* name: SNI, NULL for none. any: the chain is not looked at (connecting side). NULL: no memory, or
 * no certificate to accept with. */
struct io_tls_session *io_tls_session_new(struct io_tls *t, int fd, bool accepts, const char *name,
					  bool any);
void io_tls_session_free(struct io_tls_session *s);
/* 0: done. E_STATE: goes on when the descriptor is ready. E_DENIED: failed. E_CLOSED: the peer went
 * away. */
int io_tls_session_handshake(struct io_tls_session *s);
/* As recv and send: bytes, 0 at the peer's end, or -1 and errno. dst: IO_STREAM_BUFFER bytes, whose
 * end serves as scratch and is never filled. */
ssize_t io_tls_session_recv(struct io_tls_session *s, char *dst);
ssize_t io_tls_session_send(struct io_tls_session *s, const struct iovec *iov, size_t n);
/* The peer's end or an error was read and is still to be told by recv. */
bool io_tls_session_ended(const struct io_tls_session *s);
/* Says that no more will come; the kernel's side is shut by the caller once nothing pends. */
void io_tls_session_shut(struct io_tls_session *s);
/* Encrypted bytes that wait for the kernel, and how to hand them over: 0, or -1 and errno. */
bool io_tls_session_pending(const struct io_tls_session *s);
int io_tls_session_flush(struct io_tls_session *s);
/* Why it failed; "" while it did not. */
const char *io_tls_session_why(const struct io_tls_session *s);
void io_tls_session_set_why(struct io_tls_session *s, const char *why);
/* Sends the alert that goes with a peer who is not who was meant. */
void io_tls_session_refuse(struct io_tls_session *s);
/* Names of the peer's certificate; the text lives until io_tls_names_free. */
struct io_tls_names {
	struct cert_name name[CERT_NAMES_MAX];
	size_t n;
	void *held; /* GENERAL_NAMES */
	char cn[68];
};
void io_tls_session_names(struct io_tls_session *s, struct io_tls_names *out);
void io_tls_names_free(struct io_tls_names *names);
/* SHA-256 over the peer's certificate; false: it showed none. */
bool io_tls_session_sha256(const struct io_tls_session *s, uint8_t out[IO_TLS_SHA256]);
/* It showed one, and the chain is good. */
bool io_tls_session_believed(const struct io_tls_session *s);
/* hash: "SHA-1", "SHA-256", … as RFC 8122 §5 names them. */
bool io_tls_session_matches(const struct io_tls_session *s, struct view fingerprint);

#endif
