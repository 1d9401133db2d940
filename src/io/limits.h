/* Limits of the process. */
#ifndef CONFAB_IO_LIMITS_H
#define CONFAB_IO_LIMITS_H

#include <stdint.h>

/* Raises the soft limit on open descriptors to the hard one, as far as the kernel lets it, and
 * returns the number that holds afterwards (UINT64_MAX: no limit). */
uint64_t io_limits_raise_files(void);

#endif
