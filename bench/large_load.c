/*
 * One large message to a conference: a single SEND, as fast as the slowest receiver reads, bytes
 * counted at each.
 *
 *   large_load [--floor] [--bytes N] [--from URI] [--to URI]
 *
 * Standard input names the phones, as for msrp_load. --floor: the other side is msrp_floor. One
 * line of JSON at the end.
 */
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
	PHONES_MAX = 64,
	READ_MAX = 262144,
	WRITE_MAX = 65536,
	AHEAD_MAX = 524288, /* what the sender may be ahead of the slowest; a seat's backlog is
			       larger */
	MARK_MAX = 80,
	SILENCE_MS = 10000
};

struct phone {
	int fd;
	bool bound, in_body, ended;
	char to[200], from[200];
	struct sockaddr_in at;
	struct queue in, out;
	char mark[MARK_MAX]; /* CRLF, dashes and tid of the chunk that is being read */
	size_t mark_n;
	uint64_t got;
};

static struct {
	int epoll;
	bool floor, answered;
	struct phone phone[PHONES_MAX];
	size_t n;
	uint64_t bytes, sent, failed; /* bytes: of the body */
} load;

static void flush(struct phone *p)
{
	while (p->out.at < p->out.n) {
		ssize_t n = send(p->fd, p->out.p + p->out.at, p->out.n - p->out.at, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			die("send");
		if (n <= 0)
			break;
		queue_drop(&p->out, (size_t)n);
	}
	rewatch(load.epoll, p->fd, EPOLLIN | (p->out.at < p->out.n ? EPOLLOUT : 0u), p);
}

static uint64_t slowest(void)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 1; i < load.n; i++)
		if (load.phone[i].got < least)
			least = load.phone[i].got;
	return least;
}

static void put_text(struct phone *p, const char *text)
{
	queue_put(&p->out, text, strlen(text));
}

static uint64_t begin(struct phone *p, const char *sender, const char *conference)
{
	char cpim[512], head[1024];
	int n = snprintf(cpim, sizeof(cpim),
			 "From: <%s>\r\nTo: <%s>\r\nDateTime: 2026-01-01T00:00:00Z\r\n\r\n"
			 "Content-Type: application/octet-stream\r\n\r\n",
			 sender, conference);

	(void)snprintf(
		head, sizeof(head),
		"MSRP large00001 SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: large1\r\n"
		"Byte-Range: 1-%llu/%llu\r\nContent-Type: message/cpim\r\n\r\n%s",
		p->to, p->from, (unsigned long long)load.bytes, (unsigned long long)load.bytes,
		cpim);
	put_text(p, head);
	return (uint64_t)n;
}

/* More of the body, while the slowest receiver is near and the kernel takes it. */
static void pump(struct phone *p)
{
	static char filler[WRITE_MAX];

	if (!filler[0])
		memset(filler, 'x', sizeof(filler));
	flush(p);
	while (p->out.at == p->out.n && load.sent < load.bytes &&
	       load.sent - slowest() + WRITE_MAX <= AHEAD_MAX) {
		uint64_t left = load.bytes - load.sent;
		size_t n = left < WRITE_MAX ? (size_t)left : WRITE_MAX;

		queue_put(&p->out, filler, n);
		load.sent += n;
		if (load.sent == load.bytes)
			put_text(p, "\r\n-------large00001$\r\n");
		flush(p);
	}
}

static void answer(struct phone *p)
{
	char a[700];

	(void)snprintf(a, sizeof(a),
		       "MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n",
		       p->mark + 9, p->to, p->from, p->mark + 9);
	put_text(p, a);
	flush(p);
}

/* A head, or a response; false: it is not whole. */
static bool take_head(struct phone *p)
{
	const char *in = p->in.p + p->in.at, *tid = in + 5, *space, *blank, *end;
	size_t n = p->in.n - p->in.at;

	if (n < 6 || !(space = memchr(tid, ' ', n - 5)))
		return false;
	if (memcmp(in, "MSRP ", 5) || space - tid > MARK_MAX - 16)
		die("not MSRP: %.60s", in);
	p->mark_n = (size_t)snprintf(p->mark, sizeof(p->mark), "\r\n-------%.*s",
				     (int)(space - tid), tid);
	blank = memmem(in, n, "\r\n\r\n", 4);
	end = memmem(in, n, p->mark, p->mark_n);
	if (end && (!blank || end < blank)) {
		size_t size = (size_t)(end - in) + p->mark_n + 3;

		if (size > n)
			return false;
		if (memcmp(space, " 200", 4) && memcmp(space, " SEND", 5))
			load.failed++;
		if (p == &load.phone[0] && p->bound)
			load.answered = true;
		p->bound = true;
		if (!memcmp(space, " SEND", 5))
			answer(p);
		queue_drop(&p->in, size);
		return true;
	}
	if (!blank)
		return false;
	queue_drop(&p->in, (size_t)(blank - in) + 4);
	p->in_body = true;
	return true;
}

static bool take_body(struct phone *p)
{
	const char *in = p->in.p + p->in.at, *end;
	size_t n = p->in.n - p->in.at, keep = p->mark_n + 3, body;

	end = memmem(in, n, p->mark, p->mark_n);
	if (!end) {
		body = n > keep ? n - keep : 0;
		p->got += body;
		queue_drop(&p->in, body);
		return false;
	}
	body = (size_t)(end - in);
	if (n < body + keep)
		return false;
	p->got += body;
	if (end[p->mark_n] == '#')
		load.failed++;
	queue_drop(&p->in, body + keep);
	p->in_body = false;
	answer(p);
	return true;
}

static void readable(struct phone *p)
{
	ssize_t n = recv(p->fd, queue_room(&p->in, READ_MAX), READ_MAX, 0);

	if (n == 0)
		die("the server closed a connection");
	if (n < 0)
		return;
	p->in.n += (size_t)n;
	while (p->in.at < p->in.n && (p->in_body ? take_body(p) : take_head(p)))
		;
}

static bool turn(int timeout_ms)
{
	struct epoll_event e[PHONES_MAX];
	int n = epoll_wait(load.epoll, e, PHONES_MAX, timeout_ms);

	for (int i = 0; i < n; i++) {
		struct phone *p = e[i].data.ptr;

		if (e[i].events & EPOLLOUT)
			flush(p);
		if (e[i].events & ~(uint32_t)EPOLLOUT)
			readable(p);
	}
	return n != 0;
}

static void connect_all(void)
{
	for (size_t i = 0; i < load.n; i++) {
		struct phone *p = &load.phone[i];
		char text[700];

		p->fd = tcp_connect(&p->at, NULL);
		watch(load.epoll, p->fd, EPOLLIN, p);
		if (load.floor)
			(void)snprintf(text, sizeof(text), "%c %08d 000000\n", i ? 'R' : 'S',
				       i ? 0 : 99999999);
		else
			(void)snprintf(
				text, sizeof(text),
				"MSRP b%08zu SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\n"
				"Message-ID: b%zu\r\nByte-Range: 1-0/0\r\n-------b%08zu$\r\n",
				i, p->to, p->from, i, i);
		put_text(p, text);
		flush(p);
		while (!load.floor && !p->bound)
			if (!turn(SILENCE_MS))
				die("a phone is not bound");
	}
	(void)turn(200); /* the floor reads its hellos */
}

static void read_phones(void)
{
	char line[1024], at[64];

	while (fgets(line, sizeof(line), stdin) && line[0] != '\n' && load.n < PHONES_MAX) {
		struct phone *p = &load.phone[load.n++];

		if (sscanf(line, "%63s %199s %199s", at, p->to, p->from) != 3)
			die("not a phone: %s", line);
		p->at = address(at);
	}
}

int main(int argc, char **argv)
{
	uint64_t began, lost = 0;
	double seconds;

	load.floor = has_option(argc, argv, "--floor");
	load.answered = load.floor;
	load.bytes = strtoull(option(argc, argv, "--bytes", "1073741824"), NULL, 10);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	read_phones();
	connect_all();
	puts("ready");
	(void)fflush(stdout);
	began = now_ns();
	load.sent = begin(&load.phone[0], option(argc, argv, "--from", "sip:m0@example.com"),
			  option(argc, argv, "--to", "sip:conference@example.com"));
	do
		pump(&load.phone[0]);
	while ((slowest() < load.bytes || !load.answered) && !load.failed && turn(SILENCE_MS));
	seconds = (double)(now_ns() - began) / 1e9;
	for (size_t i = 1; i < load.n; i++)
		lost += load.phone[i].got != load.bytes;
	printf("{\"bytes\": %llu, \"receivers\": %zu, \"lost\": %llu, \"failed\": %llu, "
	       "\"seconds\": %.3f}\n",
	       (unsigned long long)load.bytes, load.n - 1, (unsigned long long)lost,
	       (unsigned long long)load.failed, seconds);
	return 0;
}
