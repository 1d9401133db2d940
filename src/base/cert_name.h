/* What a certificate says its owner is called, apart from the library that reads it. */
#ifndef CONFAB_BASE_CERT_NAME_H
#define CONFAB_BASE_CERT_NAME_H

#include "base/addr.h"

enum { CERT_NAMES_MAX = 32 }; /* of one certificate; further ones are not looked at */

enum cert_name_kind {
	CERT_NAME_DNS, /* subjectAltName dNSName */
	CERT_NAME_URI, /* subjectAltName uniformResourceIdentifier */
	CERT_NAME_IP,  /* subjectAltName iPAddress: in addr, port 0 */
	CERT_NAME_CN,  /* the subject's last common name */
};

/* text lives during the call that hands the name on. Names with a NUL byte in them are left out. */
struct cert_name {
	enum cert_name_kind kind;
	struct view text;
	struct addr addr;
};

#endif
