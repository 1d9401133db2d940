/* UDP sockets: datagrams in and out, IPv4 and IPv6. */
#ifndef CONFAB_IO_UDP_H
#define CONFAB_IO_UDP_H

#include "base/addr.h"
#include "io/loop.h"

struct io_udp;

enum { IO_UDP_QUEUE_MAX = 4 * 1024 * 1024 /* bytes waiting for the kernel, per socket */ };

/* bytes: one datagram (may be empty), valid during the call; from is too. The callback may send on
 * and close any socket, this one included. A datagram that was cut by the kernel is dropped. */
typedef void io_udp_receive_fn(void *ctx, struct io_udp *udp, struct view bytes,
			       const struct addr *from);

/* Opens a socket bound to local (port 0: the kernel chooses; IPv6 sockets take no IPv4) and starts
 * to receive. The socket lives until io_udp_close or io_loop_fini. receive may be NULL (send only).
 * 0; E_ADDRESS (in use, not ours), E_DENIED (port), E_LIMIT (descriptors), E_NOMEM, E_IO. */
int io_udp_open(struct io_loop *loop, const struct addr *local, io_udp_receive_fn *receive,
		void *ctx, struct io_udp **udp_out);
/* NULL is accepted. No callback comes afterwards; queued datagrams are dropped. */
void io_udp_close(struct io_udp *udp);
/* Sends one datagram: hands it to the kernel at once where it takes it, else copies it into the
 * queue. bytes are not needed afterwards.
 * 0 (sent or queued); E_LIMIT (queue full: dropped; or longer than a datagram can be), E_ADDRESS
 * (no route, wrong family), E_DENIED, E_NOMEM, E_IO, E_STATE (closed). */
int io_udp_send(struct io_udp *udp, const struct addr *to, struct view bytes);
/* The same for what nobody waits for: a thread beside the loop's sends it a little later, so that
 * it costs the loop little (io/aside.h). E_LIMIT also where that thread is behind. It begins with
 * the first use; where it cannot, this is io_udp_send. */
int io_udp_send_aside(struct io_udp *udp, const struct addr *to, struct view bytes);
/* The bound address with its real port. */
void io_udp_local(const struct io_udp *udp, struct addr *out);
/* The local address the kernel would use towards `to` (for a Via or Contact when bound to 0.0.0.0
 * or
 * ::), with port 0. Sends nothing. E_ADDRESS when there is no route. Any thread. */
int io_udp_source_for(const struct addr *to, struct addr *out);

#endif
