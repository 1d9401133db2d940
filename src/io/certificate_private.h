/* A certificate as OpenSSL has it, for the files of this room. */
#ifndef CONFAB_IO_CERTIFICATE_PRIVATE_H
#define CONFAB_IO_CERTIFICATE_PRIVATE_H

#include "io/certificate.h"

#include <openssl/x509.h>

struct io_certificate {
	X509 *x509;
	EVP_PKEY *key;
};

#endif
