/* Making certificates: the one a client has for itself, and a CA with what it signs, for tests and
 * for small installations. */
#ifndef CONFAB_IO_CERTIFICATE_H
#define CONFAB_IO_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A certificate and its private key (P-256). */
struct io_certificate;

struct io_certificate_order {
	const char *name; /* the common name */
	const char *const
		*alternative; /* "DNS:example.com", "URI:sip:example.com", "IP:192.0.2.1" */
	size_t n_alternatives;
	int64_t from_s, to_s; /* validity, seconds from now; negative: in the past */
	bool ca;	      /* may sign others */
};

/* issuer NULL: self-signed. E_SYNTAX (a name that cannot stand in one), E_NOMEM, E_IO. */
int io_certificate_new(const struct io_certificate_order *order,
		       const struct io_certificate *issuer, struct io_certificate **out);
void io_certificate_free(struct io_certificate *c);
/* PEM files; the key's is readable by its owner alone. Files that exist are written over. E_IO, the
 * errno tells. */
int io_certificate_save(const struct io_certificate *c, const char *certificate_path,
			const char *key_path);
/* E_NOTFOUND (cannot be opened), E_SYNTAX (not a certificate, or not its key). */
int io_certificate_load(const char *certificate_path, const char *key_path,
			struct io_certificate **out);

#endif
