/*
 * The floor of the switch and of the relay: the same reads and writes, and nothing looked at. What
 * a sender writes goes to each receiver of his group as it was read; what receivers write is read
 * and dropped; the sender gets an answer for each of his messages, whose size he says when he
 * connects.
 *
 *   msrp_floor --listen IP:PORT
 *
 * A connection begins with 18 bytes: "S 00000450 000007\n" (the sender of group 7, and the size of
 * a message) or "R 00000000 000007\n".
 */
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { HELLO = 18, EVENTS = 256, READ_MAX = 65536, RECEIVERS_MAX = 20000, GROUPS_MAX = 1000 };

static const char answer[] =
	"MSRP 0123456789abcdefghijklmno 200 OK\r\n"
	"To-Path: msrp://127.0.0.1:50000/0123456789abcdefghijkl;tcp\r\n"
	"From-Path: msrp://127.0.0.1:2855/0123456789abcdefghijklmnopqrst;tcp\r\n"
	"-------0123456789abcdefghijklmno$\r\n";

struct group {
	struct conn **receiver;
	size_t n;
	size_t size, bytes; /* of a message; of the one that is coming */
};

struct conn {
	int fd;
	bool sender;
	struct group *group; /* NULL: it has not said */
	struct queue out;
};

static struct {
	int epoll;
	struct conn listener;
	struct group group[GROUPS_MAX];
} all;

static void flush(struct conn *c)
{
	while (c->out.at < c->out.n) {
		ssize_t n = send(c->fd, c->out.p + c->out.at, c->out.n - c->out.at, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		queue_drop(&c->out, (size_t)n);
	}
	if (c->out.at == c->out.n)
		rewatch(all.epoll, c->fd, EPOLLIN, c);
}

static void put(struct conn *c, const char *p, size_t n)
{
	ssize_t sent = c->out.at == c->out.n ? send(c->fd, p, n, MSG_NOSIGNAL) : 0;

	if (sent == (ssize_t)n)
		return;
	if (sent > 0) {
		p += sent;
		n -= (size_t)sent;
	}
	queue_put(&c->out, p, n);
	rewatch(all.epoll, c->fd, EPOLLIN | EPOLLOUT, c);
}

static void accept_all(void)
{
	int fd;

	while ((fd = accept4(all.listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));

		if (!c)
			die("memory");
		no_delay(fd);
		c->fd = fd;
		watch(all.epoll, fd, EPOLLIN, c);
	}
}

static void hello(struct conn *c)
{
	char text[HELLO + 1] = "";
	struct group *g;
	unsigned long number;

	if (recv(c->fd, text, HELLO, 0) != HELLO)
		return;
	number = strtoul(text + 11, NULL, 10);
	if (number >= GROUPS_MAX)
		die("group %lu", number);
	g = c->group = &all.group[number];
	c->sender = text[0] == 'S';
	if (!g->receiver)
		g->receiver = calloc(RECEIVERS_MAX, sizeof(struct conn *));
	if (!g->receiver)
		die("memory");
	if (c->sender)
		g->size = strtoul(text + 2, NULL, 10);
	else if (g->n < RECEIVERS_MAX)
		g->receiver[g->n++] = c;
}

static void from_sender(struct conn *c, const char *p, size_t n)
{
	static char answers[READ_MAX];
	struct group *g = c->group;
	size_t used = 0;

	for (size_t i = 0; i < g->n; i++)
		put(g->receiver[i], p, n);
	for (g->bytes += n; g->bytes >= g->size; g->bytes -= g->size)
		if (used + sizeof(answer) <= sizeof(answers)) {
			memcpy(answers + used, answer, sizeof(answer) - 1);
			used += sizeof(answer) - 1;
		}
	if (used)
		put(c, answers, used);
}

static void readable(struct conn *c)
{
	static char bytes[READ_MAX];
	ssize_t n;

	if (!c->group) {
		hello(c);
		return;
	}
	n = recv(c->fd, bytes, sizeof(bytes), 0);
	if (n == 0)
		exit(0); /* the load has gone */
	if (n > 0 && c->sender)
		from_sender(c, bytes, (size_t)n);
}

int main(int argc, char **argv)
{
	struct sockaddr_in local = address(option(argc, argv, "--listen", "127.0.0.1:2855"));
	struct epoll_event e[EVENTS];

	raise_files();
	all.epoll = epoll_create1(EPOLL_CLOEXEC);
	all.listener.fd = tcp_listen(&local);
	watch(all.epoll, all.listener.fd, EPOLLIN, &all.listener);
	puts("ready");
	(void)fflush(stdout);
	for (;;) {
		int n = epoll_wait(all.epoll, e, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = e[i].data.ptr;

			if (c == &all.listener) {
				accept_all();
				continue;
			}
			if (e[i].events & EPOLLOUT)
				flush(c);
			if (e[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				readable(c);
		}
	}
}
