/* struct io_tls, for the files of this room. */
#ifndef CONFAB_IO_TLS_PRIVATE_H
#define CONFAB_IO_TLS_PRIVATE_H

#include "io/tls.h"

#include <openssl/ssl.h>
#include <uv.h>

struct io_certificate;

struct io_tls {
	uv_mutex_t lock; /* of the two contexts: a reload may come from another thread */
	SSL_CTX *accepting, *connecting;
	struct io_certificate *self;
	char *certificate, *key, *ca; /* NULL: none */
	enum io_tls_clients clients;
};

/* A reference to free. */
SSL_CTX *io_tls_ctx(struct io_tls *t, bool accepts);
/* A verify callback that goes on whatever was found. */
int io_tls_accept_any(int ok, X509_STORE_CTX *store);

#endif
