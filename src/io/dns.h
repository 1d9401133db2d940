/* Questions to DNS (c-ares), answered on a loop without blocking it. */
#ifndef CONFAB_IO_DNS_H
#define CONFAB_IO_DNS_H

#include "base/dns_record.h"
#include "io/loop.h"

struct io_dns;

/* error: 0; E_NOTFOUND no such name or no such record; E_TIMEOUT nobody answered; E_CLOSED
 * io_dns_close; E_NOMEM, E_IO. The records live during the call; n is 0 with an error. */
typedef void io_dns_fn(void *ctx, int error, const struct dns_record *record, size_t n);

/* servers: "192.0.2.53, [2001:db8::53]:5353" instead of those of the system; NULL or "": the
 * system's. E_SYNTAX (servers), E_NOMEM, E_IO. */
int io_dns_open(struct io_loop *loop, const char *servers, struct io_dns **out);
/* Open questions are answered with E_CLOSED. NULL is accepted. Before io_loop_fini. */
void io_dns_close(struct io_dns *d);
/* Asks; answer is called once, from the loop or from inside this call. Addresses come of the hosts
 * file too. */
void io_dns_ask(struct io_dns *d, enum dns_type type, const char *name, io_dns_fn *answer,
		void *ctx);

#endif
