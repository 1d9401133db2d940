/* Sockets and socket addresses, for the files of this room. */
#ifndef CONFAB_IO_SOCKET_H
#define CONFAB_IO_SOCKET_H

#include "base/addr.h"

#include <sys/socket.h>

/* E_ADDRESS for family 0 (and anything but 4 and 6). */
int io_addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out, socklen_t *len_out);
/* Family 0 for anything but IPv4 and IPv6. */
void io_addr_from_sockaddr(const struct sockaddr *s, struct addr *out);
/* A non-blocking, close-on-exec socket of the address's family (IPv6: no IPv4 on it); type:
 * SOCK_STREAM or SOCK_DGRAM. The descriptor, or a negative E_ code. */
int io_socket(const struct addr *a, int type);
/* 0 or a negative E_ code. */
int io_socket_bind(int fd, const struct addr *a);
/* The local address; family 0 where there is none. */
void io_socket_local(int fd, struct addr *out);
/* Sets an integer option; best effort. */
void io_socket_option(int fd, int level, int name, int value);

#endif
