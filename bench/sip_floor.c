/*
 * The floor of sip-proxy-udp: what the kernel alone costs. Requests and responses go between the
 * caller and the callee; a Via is put on each request and taken off each response, and nothing else
 * is looked at.
 *
 *   sip_floor --listen IP:PORT --callee IP:PORT
 */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { DATAGRAM_MAX = 65536, VIA_ROOM = 128 };

struct floor_state {
	int fd;
	struct sockaddr_in caller, callee;
	char via[VIA_ROOM];
	size_t via_n;
};

/* Behind the first line. */
static char *second_line(char *p, size_t n)
{
	char *nl = memchr(p, '\n', n);

	return nl ? nl + 1 : NULL;
}

static void forward(struct floor_state *s, char *p, size_t n, const struct sockaddr_in *from)
{
	bool from_callee = same_address(from, &s->callee);
	char *at = second_line(p, n);

	if (!from_callee)
		s->caller = *from;
	if (!at)
		return;
	if (memcmp(p, "SIP/", 4)) {
		size_t line = (size_t)(at - p);

		memmove(p - s->via_n, p, line);
		p -= s->via_n;
		n += s->via_n;
		memcpy(p + line, s->via, s->via_n);
	} else {
		char *next = second_line(at, n - (size_t)(at - p));
		size_t line = (size_t)(at - p), via = next ? (size_t)(next - at) : 0;

		memmove(p + via, p, line);
		p += via;
		n -= via;
	}
	(void)sendto(s->fd, p, n, 0, (struct sockaddr *)(from_callee ? &s->caller : &s->callee),
		     sizeof(s->callee));
}

int main(int argc, char **argv)
{
	static char bytes[VIA_ROOM + DATAGRAM_MAX];
	struct sockaddr_in local = address(option(argc, argv, "--listen", "127.0.0.1:5060"));
	struct floor_state s = {.callee =
					address(option(argc, argv, "--callee", "127.0.0.1:5080"))};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e;

	s.fd = udp_open(&local);
	s.via_n = (size_t)snprintf(
		s.via, sizeof(s.via),
		"Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK0123456789abcdefghij\r\n",
		ntohs(local.sin_port));
	watch(epoll, s.fd, EPOLLIN, NULL);
	puts("ready");
	(void)fflush(stdout);
	while (epoll_wait(epoll, &e, 1, -1) >= 0 || errno == EINTR) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t n;

		while ((n = recvfrom(s.fd, bytes + VIA_ROOM, DATAGRAM_MAX, 0,
				     (struct sockaddr *)&from, &len)) > 0)
			forward(&s, bytes + VIA_ROOM, (size_t)n, &from);
	}
	return 1;
}
