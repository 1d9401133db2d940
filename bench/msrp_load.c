/*
 * One sender and many receivers of a conference: sends messages, answers each copy, counts what
 * arrives.
 *
 *   msrp_load [--floor] [--messages N] [--window W] [--idle] [--from URI] [--to URI]
 *
 * Standard input names the phones, the sender first, one to a line: "IP:PORT TO-PATH FROM-PATH",
 * then an empty line. A window of W: so many messages are under way, to the slowest receiver and
 * back.
 * --floor: the other side is msrp_floor. --idle: connects and binds, says "ready", and waits for
 * the end of input. One line of JSON at the end.
 */
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
	PATH_MAX_BYTES = 200,
	PHONES_MAX = 20000,
	READ_MAX = 65536,
	EVENTS = 256,
	BODY = 200,
	WINDOW_MAX = 64,
	TID_MAX = 64,
	SILENCE_S = 10 /* then what did not come is lost */
};

struct phone {
	int fd;
	bool sender, bound;
	char to[PATH_MAX_BYTES], from[PATH_MAX_BYTES];
	struct sockaddr_in at;
	struct queue in, out;
	uint32_t got;
};

static struct {
	int epoll;
	bool floor;
	const char *sender, *conference;
	struct phone *phone;
	uint32_t n, bound, messages, window;
	uint32_t sent, answered, done, refused, alien;
	uint64_t delivered;
	uint32_t arrived[WINDOW_MAX]; /* copies of message k, at k % WINDOW_MAX */
} load;

static void flush(struct phone *p)
{
	while (p->out.at < p->out.n) {
		ssize_t n = send(p->fd, p->out.p + p->out.at, p->out.n - p->out.at, MSG_NOSIGNAL);

		if (n <= 0) {
			if (n < 0 && errno != EAGAIN)
				die("send");
			rewatch(load.epoll, p->fd, EPOLLIN | EPOLLOUT, p);
			return;
		}
		queue_drop(&p->out, (size_t)n);
	}
}

static int put_send(struct phone *p, char *dst, size_t size, uint32_t number)
{
	char body[BODY + 1];
	int n = snprintf(body, sizeof(body),
			 "From: <%s>\r\nTo: <%s>\r\nDateTime: 2026-01-01T00:00:00Z\r\n\r\n"
			 "Content-Type: text/plain\r\n\r\n%08u ",
			 load.sender, load.conference, number);

	if (n > BODY)
		die("the URIs are too long");
	memset(body + n, 'x', (size_t)(BODY - n));
	return snprintf(dst, size,
			"MSRP t%08u SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: m%08u\r\n"
			"Byte-Range: 1-%d/%d\r\nContent-Type: "
			"message/cpim\r\n\r\n%.*s\r\n-------t%08u$\r\n",
			number, p->to, p->from, number, BODY, BODY, BODY, body, number);
}

/* As many as the window has room for, in one write. */
static void send_more(void)
{
	struct phone *p = &load.phone[0];
	uint32_t behind = load.done < load.answered ? load.done : load.answered;

	while (load.sent < load.messages && load.sent - behind < load.window) {
		char m[2048];
		int n = put_send(p, m, sizeof(m), load.sent);

		queue_put(&p->out, m, (size_t)n);
		load.sent++;
	}
	flush(p);
}

static void copy_arrived(struct phone *p)
{
	uint32_t slot = p->got++ % WINDOW_MAX;

	load.delivered++;
	if (p->got > load.sent) {
		load.alien++;
		return;
	}
	if (++load.arrived[slot] == load.n - 1) {
		load.arrived[slot] = 0;
		load.done++;
	}
}

static void answer(struct phone *p, const char *tid, size_t tid_n)
{
	char a[1024];
	int n = snprintf(a, sizeof(a),
			 "MSRP %.*s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%.*s$\r\n",
			 (int)tid_n, tid, p->to, p->from, (int)tid_n, tid);

	/* A write for each, as phones do that answer as they parse. */
	queue_put(&p->out, a, (size_t)n);
	flush(p);
}

/* Takes one frame off the front; false: it is not whole. */
static bool take_frame(struct phone *p)
{
	const char *in = p->in.p + p->in.at, *end, *tid, *rest;
	size_t n = p->in.n - p->in.at, tid_n;
	char last[TID_MAX + 16];
	int last_n;

	if (n < 5 || !(rest = memchr(in + 5, ' ', n - 5)))
		return false;
	tid = in + 5;
	tid_n = (size_t)(rest - tid);
	if (memcmp(in, "MSRP ", 5) || tid_n >= TID_MAX)
		die("not MSRP: %.60s", in);
	last_n = snprintf(last, sizeof(last), "-------%.*s$\r\n", (int)tid_n, tid);
	end = memmem(rest, n - (size_t)(rest - in), last, (size_t)last_n);
	if (!end)
		return false;
	if (!memcmp(rest, " SEND", 5)) {
		/* A bodiless SEND only binds. */
		if (memmem(rest, (size_t)(end - rest), "\r\n\r\n", 4))
			copy_arrived(p);
		answer(p, tid, tid_n);
	} else if (!memcmp(rest, " 200", 4)) {
		if (!p->bound) {
			p->bound = true;
			load.bound++;
		} else {
			load.answered++;
		}
	} else if (!load.refused++) {
		(void)fprintf(stderr, "refused: %.*s\n", (int)(end - in), in);
	}
	queue_drop(&p->in, (size_t)(end - in) + (size_t)last_n);
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
	while (take_frame(p))
		;
	/* A phone that waits keeps no buffer: there are thousands. */
	if (p->in.at == p->in.n) {
		free(p->in.p);
		p->in = (struct queue){0};
	}
	flush(p);
}

/* False: nothing happened for so long. */
static bool turn(int timeout_ms)
{
	struct epoll_event e[EVENTS];
	int n = epoll_wait(load.epoll, e, EVENTS, timeout_ms);

	for (int i = 0; i < n; i++) {
		struct phone *p = e[i].data.ptr;

		if (e[i].events & EPOLLOUT) {
			rewatch(load.epoll, p->fd, EPOLLIN, p);
			flush(p);
		}
		if (e[i].events & ~(uint32_t)EPOLLOUT)
			readable(p);
	}
	return n != 0;
}

static void connect_all(void)
{
	for (uint32_t i = 0; i < load.n; i++) {
		struct phone *p = &load.phone[i];
		char text[1024];
		int n;

		p->sender = i == 0;
		p->fd = tcp_connect(&p->at, NULL);
		watch(load.epoll, p->fd, EPOLLIN, p);
		if (load.floor) {
			char message[2048];
			int size = put_send(p, message, sizeof(message), 0);

			n = snprintf(text, sizeof(text), "%c %08d\n", i ? 'R' : 'S', i ? 0 : size);
			p->bound = true;
			load.bound++;
		} else {
			n = snprintf(text, sizeof(text),
				     "MSRP b%08u SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\n"
				     "Message-ID: b%08u\r\nByte-Range: 1-0/0\r\n-------b%08u$\r\n",
				     i, p->to, p->from, i, i);
		}
		queue_put(&p->out, text, (size_t)n);
		flush(p);
		while (!load.floor && load.bound <= i)
			if (!turn(SILENCE_S * 1000))
				die("a phone is not bound");
	}
}

static void read_phones(void)
{
	char line[1024], at[64];

	load.phone = calloc(PHONES_MAX, sizeof(*load.phone));
	if (!load.phone)
		die("memory");
	while (fgets(line, sizeof(line), stdin) && line[0] != '\n' && load.n < PHONES_MAX) {
		struct phone *p = &load.phone[load.n++];

		if (sscanf(line, "%63s %199s %199s", at, p->to, p->from) != 3)
			die("not a phone: %s", line);
		p->at = address(at);
	}
}

static void say_ready(void)
{
	puts("ready");
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	uint64_t began;
	double seconds;

	raise_files();
	load.floor = has_option(argc, argv, "--floor");
	load.messages = (uint32_t)strtoul(option(argc, argv, "--messages", "1000"), NULL, 10);
	load.window = (uint32_t)strtoul(option(argc, argv, "--window", "1"), NULL, 10);
	load.sender = option(argc, argv, "--from", "sip:m0@example.com");
	load.conference = option(argc, argv, "--to", "sip:0123456789abcdefghij@example.com");
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!load.window || load.window > WINDOW_MAX)
		die("--window");
	read_phones();
	connect_all();
	/* The floor reads its hellos. */
	(void)turn(200);
	say_ready();
	if (has_option(argc, argv, "--idle")) {
		(void)getchar();
		puts("{}");
		return 0;
	}
	began = now_ns();
	send_more();
	while (load.done < load.messages || load.answered < load.messages) {
		if (!turn(SILENCE_S * 1000))
			break;
		send_more();
	}
	seconds = (double)(now_ns() - began) / 1e9;
	printf("{\"messages\": %u, \"receivers\": %u, \"deliveries\": %llu, \"lost\": %llu, "
	       "\"failed\": %u, \"twice\": %u, \"seconds\": %.3f}\n",
	       load.messages, load.n - 1, (unsigned long long)load.delivered,
	       (unsigned long long)load.messages * (load.n - 1) - load.delivered, load.refused,
	       load.alien, seconds);
	return 0;
}
