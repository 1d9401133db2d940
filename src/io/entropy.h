/* The kernel's entropy, for the pure rooms. */
#ifndef CONFAB_IO_ENTROPY_H
#define CONFAB_IO_ENTROPY_H

#include "base/entropy.h"

/* Random bytes from getrandom(2) through a small buffer per thread; used bytes are wiped from it.
 * The value may be copied and used on any thread. Aborts the process when the kernel has no entropy
 * to give. Not for use in a forked child that goes on (its buffer would repeat the parent's). */
struct entropy io_entropy(void);

#endif
