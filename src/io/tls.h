/*
 * TLS (OpenSSL; 1.2 and later): what a listener or a connecting side shows of itself and wants of
 * its peer. One struct io_tls serves any number of connections on any threads; connections hold
 * what they were made with, so that a reload never breaks one.
 *
 * Which connection is whose is asked of the owner (io_conn_options.identify): io knows
 * certificates, no domains.
 */
#ifndef CONFAB_IO_TLS_H
#define CONFAB_IO_TLS_H

#include "base/cert_name.h"
#include "base/view.h"

struct io_tls;

/* What a listener wants of those who connect. */
enum io_tls_clients {
	IO_TLS_CLIENTS_IGNORE,	/* nothing is asked */
	IO_TLS_CLIENTS_ASK,	/* asked; what comes must be good */
	IO_TLS_CLIENTS_REQUIRE, /* nobody without a good one */
	IO_TLS_CLIENTS_ANY,	/* asked, not looked at: the owner compares fingerprints */
};

struct io_tls_options {
	/* PEM files. The certificate's may go on with the chain to its CA, and may hold the key
	 * where key is NULL or "". Without a certificate only connecting is possible. */
	const char *certificate, *key;
	const char *ca;	       /* PEM file of the CAs believed; NULL or "": those of the system */
	const char *self_name; /* not NULL: no files, a certificate of this name made now */
	enum io_tls_clients clients;
};

enum { IO_TLS_FINGERPRINT_MAX = 112, IO_TLS_WHY_MAX = 256, IO_TLS_SHA256 = 32 };

/* why (size bytes, may be NULL) says for a person what was wrong. E_NOTFOUND: a file cannot be
 * read; E_SYNTAX: it holds no certificate, no key, or not this certificate's; E_NOMEM. */
int io_tls_new(const struct io_tls_options *options, struct io_tls **out, char *why, size_t size);
/* Connections that were made with it live on. NULL is accepted. */
void io_tls_free(struct io_tls *t);
/* Reads the files anew, for connections from now on. On an error, all stays as it was. Any thread.
 */
int io_tls_reload(struct io_tls *t, char *why, size_t size);
/* "SHA-256 4A:AD:…" of the own certificate, as a=fingerprint has it (RFC 8122 §5); empty without
 * one. Any thread. */
void io_tls_fingerprint(struct io_tls *t, char out[IO_TLS_FINGERPRINT_MAX]);
/* Unix time in seconds of the own certificate's end; 0 without one. Any thread. */
int64_t io_tls_not_after(struct io_tls *t);

#endif
