/*
 * A phone's connection, over TCP or TLS.
 */
#ifndef CONFAB_BENCH_STREAM_H
#define CONFAB_BENCH_STREAM_H

#include <stddef.h>
#include <sys/types.h>

struct ssl_st;

struct stream {
	int fd;
	struct ssl_st *tls; /* NULL: plain */
};

/* The handshake as a client without a certificate; it waits for its end. */
void stream_secure(struct stream *s);
/* As send() and recv(); -1: nothing goes or comes just now. A broken connection ends the program.
 */
ssize_t stream_send(struct stream *s, const void *p, size_t n);
ssize_t stream_recv(struct stream *s, void *p, size_t n);

#endif
