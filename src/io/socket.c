#include "io/socket.h"

#include "base/error.h"
#include "io/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

int io_addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out, socklen_t *len_out)
{
	*out = (struct sockaddr_storage){0};
	if (a->family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip, 4);
		*len_out = sizeof(*in);
	} else if (a->family == 6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(a->port);
		in6->sin6_scope_id = a->scope;
		memcpy(&in6->sin6_addr, a->ip, 16);
		*len_out = sizeof(*in6);
	} else {
		return E_ADDRESS;
	}
	return 0;
}

void io_addr_from_sockaddr(const struct sockaddr *s, struct addr *out)
{
	*out = (struct addr){0};
	if (s->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)s;

		out->family = 4;
		out->port = ntohs(in->sin_port);
		memcpy(out->ip, &in->sin_addr, 4);
	} else if (s->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)s;

		out->family = 6;
		out->port = ntohs(in6->sin6_port);
		out->scope = in6->sin6_scope_id;
		memcpy(out->ip, &in6->sin6_addr, 16);
	}
}

void io_socket_option(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

int io_socket(const struct addr *a, int type)
{
	int fd;

	if (a->family != 4 && a->family != 6)
		return E_ADDRESS;
	fd = socket(a->family == 4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return io_error(errno);
	if (a->family == 6)
		io_socket_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	return fd;
}

int io_socket_bind(int fd, const struct addr *a)
{
	struct sockaddr_storage s;
	socklen_t len;
	int rc = io_addr_to_sockaddr(a, &s, &len);

	if (rc)
		return rc;
	return bind(fd, (struct sockaddr *)&s, len) ? io_error(errno) : 0;
}

void io_socket_local(int fd, struct addr *out)
{
	struct sockaddr_storage s = {0};
	socklen_t len = sizeof(s);

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&s, &len))
		s.ss_family = AF_UNSPEC;
	io_addr_from_sockaddr((struct sockaddr *)&s, out);
}
