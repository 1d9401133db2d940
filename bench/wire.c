#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { DATAGRAM_BUFFER = 16 * 1024 * 1024, BACKLOG = 4096 };

void die(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, error ? ": %s\n" : "\n", strerror(error));
	exit(1);
}

uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void raise_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

struct sockaddr_in address(const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	char host[64];
	unsigned port;

	errno = 0;
	if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2 || port > 65535 ||
	    inet_pton(AF_INET, host, &a.sin_addr) != 1)
		die("not an address: %s", text);
	a.sin_port = htons((uint16_t)port);
	return a;
}

bool same_address(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
	return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
}

static void set(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

void no_delay(int fd)
{
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static void unblock(int fd)
{
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int udp_open(const struct sockaddr_in *local)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)local, sizeof(*local)))
		die("UDP port %u", ntohs(local->sin_port));
	set(fd, SOL_SOCKET, SO_RCVBUF, DATAGRAM_BUFFER);
	set(fd, SOL_SOCKET, SO_SNDBUF, DATAGRAM_BUFFER);
	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, DATAGRAM_BUFFER);
	set(fd, SOL_SOCKET, SO_SNDBUFFORCE, DATAGRAM_BUFFER);
	return fd;
}

int tcp_listen(const struct sockaddr_in *local)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (fd < 0 || bind(fd, (const struct sockaddr *)local, sizeof(*local)) ||
	    listen(fd, BACKLOG))
		die("TCP port %u", ntohs(local->sin_port));
	return fd;
}

int tcp_connect(const struct sockaddr_in *to, const struct sockaddr_in *local)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (fd < 0 || (local && bind(fd, (const struct sockaddr *)local, sizeof(*local))))
		die("a socket for TCP");
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		die("connecting to port %u", ntohs(to->sin_port));
	no_delay(fd);
	unblock(fd);
	return fd;
}

void watch(int epoll, int fd, uint32_t events, void *data)
{
	struct epoll_event e = {.events = events, .data.ptr = data};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
		die("epoll");
}

void rewatch(int epoll, int fd, uint32_t events, void *data)
{
	struct epoll_event e = {.events = events, .data.ptr = data};

	if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &e))
		die("epoll");
}

char *queue_room(struct queue *q, size_t n)
{
	if (q->at == q->n)
		q->at = q->n = 0;
	if (q->size - q->n < n && q->at) {
		memmove(q->p, q->p + q->at, q->n - q->at);
		q->n -= q->at;
		q->at = 0;
	}
	if (q->size - q->n < n) {
		q->size = (q->n + n) * 2;
		q->p = realloc(q->p, q->size);
		if (!q->p)
			die("memory");
	}
	return q->p + q->n;
}

void queue_put(struct queue *q, const void *p, size_t n)
{
	memcpy(queue_room(q, n), p, n);
	q->n += n;
}

void queue_drop(struct queue *q, size_t n)
{
	q->at += n;
}

const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	return otherwise;
}

bool has_option(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return false;
}
