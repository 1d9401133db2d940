/* Who the process runs as. */
#ifndef CONFAB_IO_PRIVILEGES_H
#define CONFAB_IO_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>

/* True when the process may do everything (effective user 0). */
bool io_is_root(void);

/*
 * From now on and for good: the user of that name, with his groups and no others, on all threads,
 * and without a way to gain privileges by running a program (no_new_privs). Called when what needs
 * root (ports below 1024, private keys) is open. Where the process is that user already, only the
 * last is done. 0; E_NOTFOUND: there is no such user; E_DENIED: not root, and somebody else; E_IO.
 * why (size bytes) says for a person.
 */
int io_become(const char *user, char *why, size_t size);

#endif
