/*
 * One sender and many receivers of a conference, or many pairs through a relay: sends messages,
 * answers each copy, counts what arrives.
 *
 *   msrp_load [--floor | --auth] [--tls] [--group N] [--messages N] [--window W] [--singly]
 *             [--idle [--share N]] [--from URI] [--to URI]
 *
 * Standard input names the phones, one to a line: "IP:PORT TO-PATH FROM-PATH", then an empty line.
 * They form groups of N (0: all are one), the first of each sends to the others. A window of W: in
 * each group so many messages are under way, to the slowest receiver and back.
 * --singly: each message is a write of its own; else what the window has room for is one write.
 * --floor: the other side is msrp_floor. --auth: it is a relay (RFC 4976) to which each phone of a
 * pair says AUTH; what it answers is the path to that phone. --tls: over TLS. --idle: connects and
 * binds, says "ready", and waits for the end of input; --share: N phones share a connection
 * (RFC 4975 §5.4). One line of JSON at the end.
 */
#include "stream.h"
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
	PATH_MAX_BYTES = 400,
	PHONES_MAX = 60000,
	READ_MAX = 65536,
	EVENTS = 256,
	BODY = 200,
	WINDOW_MAX = 64,
	TID_MAX = 64,
	SILENCE_S = 10 /* then what did not come is lost */
};

/* The first phone sends, the others receive. */
struct group {
	uint32_t first, sent, answered, done;
	uint32_t arrived[WINDOW_MAX]; /* copies of message k, at k % WINDOW_MAX */
};

struct phone {
	struct stream s;
	struct group *group;
	struct phone *by; /* whose connection it uses */
	char to[PATH_MAX_BYTES], from[PATH_MAX_BYTES];
	struct sockaddr_in at;
	struct queue in, out;
	uint32_t got;
};

static struct {
	int epoll;
	bool floor, auth, tls, singly;
	const char *sender, *conference;
	struct phone *phone;
	struct group *group;
	uint32_t n, size, n_groups, bound, messages, window; /* size: of a group */
	uint32_t share;
	uint32_t refused, alien;
	uint64_t delivered, answered, done; /* of all groups */
} load;

static void flush(struct phone *p)
{
	while (p->out.at < p->out.n) {
		ssize_t n = stream_send(&p->s, p->out.p + p->out.at, p->out.n - p->out.at);

		if (n <= 0) {
			rewatch(load.epoll, p->s.fd, EPOLLIN | EPOLLOUT, p);
			return;
		}
		queue_drop(&p->out, (size_t)n);
	}
}

static int put_send(const struct phone *p, char *dst, size_t size, uint32_t number)
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

/* As many as the window has room for. */
static void send_more(struct group *g)
{
	struct phone *p = &load.phone[g->first];
	uint32_t behind = g->done < g->answered ? g->done : g->answered;

	if (g->sent == load.messages || g->sent - behind >= load.window)
		return;
	while (g->sent < load.messages && g->sent - behind < load.window) {
		char m[2048];
		int n = put_send(p, m, sizeof(m), g->sent);

		queue_put(&p->out, m, (size_t)n);
		g->sent++;
		if (load.singly)
			flush(p);
	}
	flush(p);
}

static void copy_arrived(struct phone *p)
{
	struct group *g = p->group;
	uint32_t slot = p->got++ % WINDOW_MAX;

	load.delivered++;
	if (p->got > g->sent) {
		load.alien++;
		return;
	}
	if (++g->arrived[slot] == load.size - 1) {
		g->arrived[slot] = 0;
		g->done++;
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

/* What the answer to AUTH says is the path to this phone: that of the other one of the pair. */
static void bind_answered(struct phone *p, const char *answer, size_t n)
{
	static const char name[] = "Use-Path: ";
	const char *path = load.auth ? memmem(answer, n, name, sizeof(name) - 1) : NULL;
	struct phone *other = &load.phone[(uint32_t)(p - load.phone) ^ 1];

	load.bound++;
	if (!load.auth)
		return;
	if (!path)
		die("no Use-Path: %.*s", (int)n, answer);
	path += sizeof(name) - 1;
	(void)snprintf(other->to, sizeof(other->to), "%.*s %s", (int)strcspn(path, "\r"), path,
		       p->from);
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
		if (load.bound < load.n) {
			bind_answered(p, rest, (size_t)(end - rest));
		} else {
			p->group->answered++;
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
	ssize_t n = stream_recv(&p->s, queue_room(&p->in, READ_MAX), READ_MAX);

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
			rewatch(load.epoll, p->s.fd, EPOLLIN, p);
			flush(p);
		}
		if (e[i].events & ~(uint32_t)EPOLLOUT)
			readable(p);
	}
	return n != 0;
}

/* The first bytes of a connection. */
static int put_first(const struct phone *p, uint32_t i, char *dst, size_t size)
{
	char message[2048];
	bool sender = i % load.size == 0;

	if (load.floor)
		return snprintf(dst, size, "%c %08d %06u\n", sender ? 'S' : 'R',
				sender ? put_send(p, message, sizeof(message), 0) : 0,
				i / load.size);
	if (load.auth)
		return snprintf(
			dst, size,
			"MSRP b%08u AUTH\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------b%08u$\r\n", i,
			p->to, p->from, i);
	return snprintf(dst, size,
			"MSRP b%08u SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\n"
			"Message-ID: b%08u\r\nByte-Range: 1-0/0\r\n-------b%08u$\r\n",
			i, p->to, p->from, i, i);
}

static void connect_all(void)
{
	for (uint32_t i = 0; i < load.n; i++) {
		struct phone *p = &load.phone[i];
		char text[1024];
		int n = put_first(p, i, text, sizeof(text));

		p->group = &load.group[i / load.size];
		if (i % load.size == 0)
			p->group->first = i;
		p->by = p - i % load.share;
		if (p->by == p) {
			p->s.fd = tcp_connect(&p->at, NULL);
			if (load.tls)
				stream_secure(&p->s);
			watch(load.epoll, p->s.fd, EPOLLIN, p);
		}
		load.bound += load.floor;
		queue_put(&p->by->out, text, (size_t)n);
		flush(p->by);
		while (load.bound <= i)
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

		if (sscanf(line, "%63s %399s %399s", at, p->to, p->from) != 3)
			die("not a phone: %s", line);
		p->at = address(at);
	}
	load.size = load.size ? load.size : load.n;
	if (load.size < 2 || load.n % load.size)
		die("phones that form no groups");
	load.n_groups = load.n / load.size;
	load.group = calloc(load.n_groups, sizeof(*load.group));
	if (!load.group)
		die("memory");
}

static void say_ready(void)
{
	puts("ready");
	(void)fflush(stdout);
}

static uint32_t number(int argc, char **argv, const char *name, const char *otherwise)
{
	return (uint32_t)strtoul(option(argc, argv, name, otherwise), NULL, 10);
}

static void send_to_all(void)
{
	for (uint32_t i = 0; i < load.n_groups; i++)
		send_more(&load.group[i]);
}

static void report(double seconds)
{
	uint64_t messages = (uint64_t)load.messages * load.n_groups;

	printf("{\"messages\": %llu, \"receivers\": %u, \"deliveries\": %llu, \"lost\": %llu, "
	       "\"failed\": %u, \"twice\": %u, \"seconds\": %.3f}\n",
	       (unsigned long long)messages, load.size - 1, (unsigned long long)load.delivered,
	       (unsigned long long)(messages * (load.size - 1) - load.delivered), load.refused,
	       load.alien, seconds);
}

int main(int argc, char **argv)
{
	uint64_t began, messages;

	raise_files();
	load.floor = has_option(argc, argv, "--floor");
	load.auth = has_option(argc, argv, "--auth");
	load.singly = has_option(argc, argv, "--singly");
	load.tls = has_option(argc, argv, "--tls");
	load.size = number(argc, argv, "--group", "0");
	load.share = number(argc, argv, "--share", "1");
	load.messages = number(argc, argv, "--messages", "1000");
	load.window = number(argc, argv, "--window", "1");
	load.sender = option(argc, argv, "--from", "sip:m0@example.com");
	load.conference = option(argc, argv, "--to", "sip:0123456789abcdefghij@example.com");
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!load.window || load.window > WINDOW_MAX || !load.share)
		die("--window, --share");
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
	messages = (uint64_t)load.messages * load.n_groups;
	began = now_ns();
	send_to_all();
	while (load.done < messages || load.answered < messages) {
		if (!turn(SILENCE_S * 1000))
			break;
		send_to_all();
	}
	report((double)(now_ns() - began) / 1e9);
	return 0;
}
