#include "io/resolve.h"

#include "base/error.h"
#include "io/socket.h"

#include <netdb.h>

static int resolve_error(int rc)
{
	switch (rc) {
	case EAI_MEMORY:
		return E_NOMEM;
	case EAI_AGAIN:
		return E_TIMEOUT;
	case EAI_SYSTEM:
		return E_IO;
	default:
		return E_NOTFOUND;
	}
}

int io_resolve_now(const char *host, uint16_t port, int family, struct addr *out)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	struct addr a = {0};
	int rc;

	if (!host || !*host)
		return E_SYNTAX;
	if (addr_parse(view_str(host), port, &a) == 0) {
		if (family && a.family != family)
			return E_NOTFOUND;
		*out = a;
		return 0;
	}
	hints.ai_family = family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC;
	rc = getaddrinfo(host, NULL, &hints, &found);
	if (rc)
		return resolve_error(rc);
	for (const struct addrinfo *i = found; i && !a.family; i = i->ai_next)
		io_addr_from_sockaddr(i->ai_addr, &a);
	freeaddrinfo(found);
	if (!a.family)
		return E_NOTFOUND;
	a.port = port;
	*out = a;
	return 0;
}
