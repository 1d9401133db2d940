/* Host names to addresses. */
#ifndef CONFAB_IO_RESOLVE_H
#define CONFAB_IO_RESOLVE_H

#include "base/addr.h"

/* Looks host (a name or an address, IPv6 with or without brackets) up and gives its first address,
 * with port. family: 4, 6 or 0 for either. Blocks: for start-up and one-shot programs only, never
 * inside a loop. E_NOTFOUND, E_TIMEOUT (no name server answered), E_NOMEM, E_SYNTAX (empty), E_IO.
 */
int io_resolve_now(const char *host, uint16_t port, int family, struct addr *out);

#endif
