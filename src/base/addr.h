/* Network addresses without sockets: IPv4 and IPv6, port, text form. */
#ifndef CONFAB_BASE_ADDR_H
#define CONFAB_BASE_ADDR_H

#include "base/view.h"

struct addr {
	uint8_t family; /* 4 or 6; 0: none */
	uint16_t port;
	uint8_t ip[16]; /* network order; the first 4 for IPv4 */
	uint32_t scope; /* IPv6 zone index, 0 where none */
};

enum { ADDR_TEXT_MAX = 64 };

/* "192.0.2.1", "2001:db8::1" or "[2001:db8::1]": E_SYNTAX for anything else (host names
 * included). */
int addr_parse(struct view host, uint16_t port, struct addr *out);
/* "192.0.2.1:5060", "[2001:db8::1]:5060" or a bare address (then port is default_port). */
int addr_parse_hostport(struct view text, uint16_t default_port, struct addr *out);
/* The address as it stands in a URI or Via: IPv6 in brackets. dst: ADDR_TEXT_MAX bytes. Returns
 * dst. */
const char *addr_host(const struct addr *a, char *dst);
/* Host and port, "[::1]:5060". dst: ADDR_TEXT_MAX bytes. Returns dst. */
const char *addr_text(const struct addr *a, char *dst);
bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_same_host(const struct addr *a, const struct addr *b);
/* The bytes that tell one source of requests from another: all of IPv4, the first half of IPv6, of
 * which a subscriber has the rest to himself (RFC 4291 §2.5.1). They point into a. */
struct view addr_source(const struct addr *a);
/* 0.0.0.0 or ::; not "none" (family 0). */
bool addr_is_any(const struct addr *a);
/* 127.0.0.0/8 or ::1. */
bool addr_is_loopback(const struct addr *a);
/* One host: not "this host" (0.0.0.0/8, ::), multicast, broadcast, or of the reserved 240.0.0.0/4.
 */
bool addr_is_unicast(const struct addr *a);

#endif
