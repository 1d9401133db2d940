/* Hash functions (OpenSSL) for the pure rooms. */
#ifndef CONFAB_IO_DIGEST_H
#define CONFAB_IO_DIGEST_H

#include "base/digest.h"

/* The table of hash functions; static, any thread. NULL when the installed OpenSSL offers no MD5 or
 * no SHA-256 (a program says so and ends at its start). */
const struct digest *io_digest(void);

#endif
