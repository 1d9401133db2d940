/* The names in a peer's certificate. */
#ifndef CONFABD_CERTIFICATE_H
#define CONFABD_CERTIFICATE_H

#include "base/view.h"

#include <stdbool.h>

struct io_conn;

/* The peer of a TLS connection showed a certificate that is good and names that domain or address
 * (RFC 5922). */
bool certificate_names(const struct io_conn *io, struct view host);

#endif
