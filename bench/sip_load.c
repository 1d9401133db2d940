/*
 * Calls through a proxy: INVITE, 100, 180, 200, ACK, BYE, 200, caller and callee in one process.
 * Nothing is ever sent again from here, so that one datagram lost on the way is one call lost.
 *
 *   sip_load --server IP:PORT --caller IP:PORT --callee IP:PORT [--tcp] [--rate CALLS_PER_S]
 *            [--seconds S] [--warm S] [--users N] [--register] [--active] [--callers-connections N]
 *
 * --register: the callees register first (a server with a location table); over TCP then the calls
 * come over that connection, otherwise over one that the server opens to --callee.
 * --active: the ends would connect to their MSRP peer, so that a server in the media path waits for
 * them. --warm: what is refused with 503 is acknowledged and counted apart; after so many seconds
 * there is a line "warm", when the last call has begun a line "cold", and the report's "window" is
 * what happened between them. One line of JSON at the end.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
	MESSAGE_MAX = 8192,
	ROUTES_MAX = 700,
	RING_MS = 10,	  /* between 180 and 200 */
	TALK_MS = 10,	  /* between ACK and BYE */
	LINGER_MS = 2000, /* for what is still on its way at the end */
	EVENTS = 64
};

#define SDP(port, id)                                                                              \
	"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"                \
	"m=message " port " TCP/MSRP *\r\na=accept-types:message/cpim\r\n"                         \
	"a=path:msrp://127.0.0.1:" port "/" id ";tcp\r\n"
#define ACTIVE "a=setup:active\r\n"

struct link {
	int fd;
	bool callee, listener;
	struct queue in, out;
};

enum call_state { CALL_NEW, CALL_RINGING, CALL_UP, CALL_ENDING, CALL_DONE, CALL_FAILED };

struct call {
	uint8_t state, rung, invited;
	uint16_t routes_n, contact_n, to_n;
	uint64_t began_ns;
	struct link *by;
	char *text; /* routes, contact, To: for ACK and BYE */
};

/* Something to be sent later; the delay is the same for all in a line, so a line is in order. */
struct later {
	uint64_t due_ns;
	uint32_t call;
	struct link *by;
	char *message;
	size_t n;
};

struct line {
	struct later *item;
	size_t first, n, size;
};

struct moment {
	uint64_t at_ns;
	uint32_t done, refused;
};

static struct {
	struct sockaddr_in server, caller, callee;
	bool tcp, registers, active;
	unsigned rate, users, connections;
	unsigned run;
	uint32_t n_calls, started, done, failed, again, registered, refused, bare;
	uint32_t warm_calls; /* begun before the window */
	struct moment warm, cold;
	uint32_t n_latency;
	uint32_t *latency_us;
	int epoll;
	struct link caller_link[1024], callee_link;
	struct call *call;
	struct line answers, byes;
} load;

/* ---- reading ---- */

struct text {
	const char *p;
	size_t n;
};

/* The next field with this name behind *at (NULL: from the start line on); its value without the
 * line end. */
static bool field(struct text m, const char **at, const char *name, struct text *value)
{
	size_t name_n = strlen(name);
	const char *p = *at ? *at : m.p, *end = m.p + m.n;

	while ((p = memchr(p, '\n', (size_t)(end - p))) && ++p < end && *p != '\r') {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if (!nl)
			return false;
		if ((size_t)(nl - p) > name_n + 1 && p[name_n] == ':' &&
		    !strncasecmp(p, name, name_n)) {
			p += name_n + 1;
			while (*p == ' ')
				p++;
			value->p = p;
			value->n = (size_t)(nl - p) - (nl[-1] == '\r');
			*at = p;
			return true;
		}
	}
	return false;
}

static struct text first_field(struct text m, const char *name)
{
	const char *at = NULL;
	struct text v = {"", 0};

	(void)field(m, &at, name, &v);
	return v;
}

/* ---- sending ---- */

static void flush(struct link *l)
{
	while (l->out.at < l->out.n) {
		ssize_t n = send(l->fd, l->out.p + l->out.at, l->out.n - l->out.at, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		queue_drop(&l->out, (size_t)n);
	}
	rewatch(load.epoll, l->fd, EPOLLIN | (l->out.at < l->out.n ? EPOLLOUT : 0u), l);
}

static void send_message(struct link *l, const char *p, size_t n)
{
	if (!load.tcp) {
		if (sendto(l->fd, p, n, 0, (struct sockaddr *)&load.server, sizeof(load.server)) <
		    0)
			die("sendto");
		return;
	}
	if (l->out.at == l->out.n) {
		ssize_t sent = send(l->fd, p, n, MSG_NOSIGNAL);

		if (sent == (ssize_t)n)
			return;
		if (sent < 0 && errno != EAGAIN)
			die("send");
		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
		}
	}
	queue_put(&l->out, p, n);
	flush(l);
}

static void put_later(struct line *line, uint64_t due_ns, uint32_t call, struct link *by,
		      const char *message, size_t n)
{
	struct later *x;

	if (line->n == line->size)
		die("the line is full");
	x = &line->item[(line->first + line->n++) % line->size];
	*x = (struct later){.due_ns = due_ns, .call = call, .by = by, .n = n};
	if (n) {
		x->message = malloc(n);
		if (!x->message)
			die("memory");
		memcpy(x->message, message, n);
	}
}

/* ---- the caller ---- */

static const char *transport(void)
{
	return load.tcp ? "TCP" : "UDP";
}

static void invite(uint32_t i)
{
	const char *sdp = load.active ? SDP("2855", "s6tr5a") ACTIVE : SDP("2855", "s6tr5a");
	char m[MESSAGE_MAX];
	unsigned u = i % load.users;
	struct call *c = &load.call[i];
	int n;

	c->by = &load.caller_link[i % load.connections];
	n = snprintf(m, sizeof(m),
		     "INVITE sip:bo%u@example.com SIP/2.0\r\n"
		     "Via: SIP/2.0/%s 127.0.0.1:%u;branch=z9hG4bK%08x%08x;rport\r\n"
		     "Max-Forwards: 70\r\n"
		     "From: \"Ann\" <sip:ann%u@example.com>;tag=f%x\r\n"
		     "To: <sip:bo%u@example.com>\r\n"
		     "Call-ID: %u.%08x@127.0.0.1\r\n"
		     "CSeq: 1 INVITE\r\n"
		     "Contact: <sip:ann%u@127.0.0.1:%u%s>;+g.oma.sip-im\r\n"
		     "P-Asserted-Identity: \"Ann\" <sip:ann%u@example.com>\r\n"
		     "Accept-Contact: *;+g.oma.sip-im;require;explicit\r\n"
		     "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n"
		     "Supported: replaces\r\n"
		     "User-Agent: IM-client/OMA1.0\r\n"
		     "Content-Type: application/sdp\r\n"
		     "Content-Length: %zu\r\n\r\n%s",
		     u, transport(), ntohs(load.caller.sin_port), i, load.run, u, i, u, i, load.run,
		     u, ntohs(load.caller.sin_port), load.tcp ? ";transport=tcp" : "", u,
		     strlen(sdp), sdp);
	c->began_ns = now_ns();
	load.started++;
	send_message(c->by, m, (size_t)n);
}

/* Record-Routes turned round, the contact and To: what a request inside the dialog needs. */
static void keep_dialog(struct call *c, struct text m)
{
	struct text route[16], contact = first_field(m, "Contact"), to = first_field(m, "To"), v;
	char routes[ROUTES_MAX];
	const char *at = NULL, *end;
	int n = 0, used = 0;

	while (n < 16 && field(m, &at, "Record-Route", &v))
		route[n++] = v;
	while (n-- > 0)
		used += snprintf(routes + used, sizeof(routes) - (size_t)used, "Route: %.*s\r\n",
				 (int)route[n].n, route[n].p);
	end = memchr(contact.p, '>', contact.n);
	if (contact.n && contact.p[0] == '<' && end)
		contact = (struct text){contact.p + 1, (size_t)(end - contact.p) - 1};
	c->text = malloc((size_t)used + contact.n + to.n);
	if (!c->text)
		die("memory");
	memcpy(c->text, routes, (size_t)used);
	memcpy(c->text + used, contact.p, contact.n);
	memcpy(c->text + (size_t)used + contact.n, to.p, to.n);
	c->routes_n = (uint16_t)used;
	c->contact_n = (uint16_t)contact.n;
	c->to_n = (uint16_t)to.n;
}

static void inside_dialog(uint32_t i, const char *method, unsigned cseq)
{
	struct call *c = &load.call[i];
	char m[MESSAGE_MAX];
	unsigned u = i % load.users;
	int n = snprintf(m, sizeof(m),
			 "%s %.*s SIP/2.0\r\n"
			 "Via: SIP/2.0/%s 127.0.0.1:%u;branch=z9hG4bK%s%08x%08x;rport\r\n"
			 "%.*s"
			 "Max-Forwards: 70\r\n"
			 "From: \"Ann\" <sip:ann%u@example.com>;tag=f%x\r\n"
			 "To: %.*s\r\n"
			 "Call-ID: %u.%08x@127.0.0.1\r\n"
			 "CSeq: %u %s\r\n"
			 "Content-Length: 0\r\n\r\n",
			 method, (int)c->contact_n, c->text + c->routes_n, transport(),
			 ntohs(load.caller.sin_port), method, i, load.run, (int)c->routes_n,
			 c->text, u, i, (int)c->to_n, c->text + c->routes_n + c->contact_n, i,
			 load.run, cseq, method);

	send_message(c->by, m, (size_t)n);
}

static void fail_call(struct call *c, struct text m)
{
	if (c->state == CALL_DONE || c->state == CALL_FAILED)
		return;
	c->state = CALL_FAILED;
	if (!load.failed++)
		(void)fprintf(stderr, "a call failed: %.*s\n", (int)m.n, m.p);
}

/* RFC 3261 §17.1.1.3. */
static void acknowledge_refusal(uint32_t i, struct text m)
{
	struct call *c = &load.call[i];
	struct text to = first_field(m, "To");
	char a[MESSAGE_MAX];
	unsigned u = i % load.users;
	int n = snprintf(a, sizeof(a),
			 "ACK sip:bo%u@example.com SIP/2.0\r\n"
			 "Via: SIP/2.0/%s 127.0.0.1:%u;branch=z9hG4bK%08x%08x;rport\r\n"
			 "Max-Forwards: 70\r\n"
			 "From: \"Ann\" <sip:ann%u@example.com>;tag=f%x\r\n"
			 "To: %.*s\r\n"
			 "Call-ID: %u.%08x@127.0.0.1\r\n"
			 "CSeq: 1 ACK\r\n"
			 "Content-Length: 0\r\n\r\n",
			 u, transport(), ntohs(load.caller.sin_port), i, load.run, u, i, (int)to.n,
			 to.p, i, load.run);

	send_message(c->by, a, (size_t)n);
	if (c->state != CALL_NEW)
		return;
	c->state = CALL_FAILED;
	load.refused++;
	load.bare += first_field(m, "Retry-After").n == 0;
}

static void caller_answer(uint32_t i, unsigned status, bool to_bye, struct text m)
{
	struct call *c = &load.call[i];

	if (status < 200) {
		c->rung |= status == 180;
	} else if (status == 503 && !to_bye && load.warm_calls) {
		acknowledge_refusal(i, m);
	} else if (status >= 300) {
		fail_call(c, m);
	} else if (to_bye) {
		if (c->state != CALL_ENDING)
			return;
		c->state = CALL_DONE;
		load.done++;
		free(c->text);
		c->text = NULL;
	} else if (c->state == CALL_NEW) {
		load.latency_us[load.n_latency++] = (uint32_t)((now_ns() - c->began_ns) / 1000);
		keep_dialog(c, m);
		c->state = CALL_UP;
		inside_dialog(i, "ACK", 1);
		put_later(&load.byes, now_ns() + TALK_MS * 1000000ull, i, NULL, NULL, 0);
	} else {
		load.again++;
	}
}

/* ---- the callee ---- */

static void put_copies(char *m, size_t size, size_t *n, struct text request, const char *name)
{
	const char *at = NULL;
	struct text v;

	while (field(request, &at, name, &v) && *n < size)
		*n += (size_t)snprintf(m + *n, size - *n, "%s: %.*s\r\n", name, (int)v.n, v.p);
}

static size_t answer(char *m, size_t size, struct text request, const char *status, bool dialog,
		     const char *tag, unsigned user)
{
	const char *sdp = load.active ? SDP("2856", "t7us6b") ACTIVE : SDP("2856", "t7us6b");
	bool with_sdp = dialog && status[0] == '2';
	size_t n = (size_t)snprintf(m, size, "SIP/2.0 %s\r\n", status);

	put_copies(m, size, &n, request, "Via");
	if (dialog)
		put_copies(m, size, &n, request, "Record-Route");
	put_copies(m, size, &n, request, "From");
	put_copies(m, size, &n, request, "To");
	if (tag[0]) {
		n -= 2;
		n += (size_t)snprintf(m + n, size - n, ";tag=%s\r\n", tag);
	}
	put_copies(m, size, &n, request, "Call-ID");
	put_copies(m, size, &n, request, "CSeq");
	if (dialog)
		n += (size_t)snprintf(
			m + n, size - n, "Contact: <sip:bo%u@127.0.0.1:%u%s>;+g.oma.sip-im\r\n",
			user, ntohs(load.callee.sin_port), load.tcp ? ";transport=tcp" : "");
	n += (size_t)snprintf(m + n, size - n, "%sContent-Length: %zu\r\n\r\n%s",
			      with_sdp ? "Content-Type: application/sdp\r\n" : "",
			      with_sdp ? strlen(sdp) : 0, with_sdp ? sdp : "");
	return n;
}

static void callee_request(struct link *l, uint32_t i, struct text m)
{
	char a[MESSAGE_MAX], tag[16];
	size_t n;

	(void)snprintf(tag, sizeof(tag), "t%x", i);
	if (!strncmp(m.p, "INVITE", 6)) {
		if (load.call[i].invited++) {
			load.again++;
			return;
		}
		n = answer(a, sizeof(a), m, "100 Trying", false, "", i % load.users);
		send_message(l, a, n);
		n = answer(a, sizeof(a), m, "180 Ringing", true, tag, i % load.users);
		send_message(l, a, n);
		n = answer(a, sizeof(a), m, "200 OK", true, tag, i % load.users);
		put_later(&load.answers, now_ns() + RING_MS * 1000000ull, i, l, a, n);
	} else if (!strncmp(m.p, "BYE", 3)) {
		n = answer(a, sizeof(a), m, "200 OK", false, "", i % load.users);
		send_message(l, a, n);
	} else if (strncmp(m.p, "ACK", 3)) {
		n = answer(a, sizeof(a), m, "501 Not Implemented", false, "x", i % load.users);
		send_message(l, a, n);
	}
}

static void register_callees(struct link *l)
{
	char m[MESSAGE_MAX];

	for (unsigned u = 0; u < load.users; u++) {
		int n = snprintf(m, sizeof(m),
				 "REGISTER sip:example.com SIP/2.0\r\n"
				 "Via: SIP/2.0/%s 127.0.0.1:%u;branch=z9hG4bKr%08x%08x;rport\r\n"
				 "Max-Forwards: 70\r\n"
				 "From: <sip:bo%u@example.com>;tag=r%x\r\n"
				 "To: <sip:bo%u@example.com>\r\n"
				 "Call-ID: r%u.%08x@127.0.0.1\r\n"
				 "CSeq: 1 REGISTER\r\n"
				 "Contact: <sip:bo%u@127.0.0.1:%u%s>;+g.oma.sip-im\r\n"
				 "Expires: 3600\r\n"
				 "Content-Length: 0\r\n\r\n",
				 transport(), ntohs(load.callee.sin_port), u, load.run, u, u, u, u,
				 load.run, u, ntohs(load.callee.sin_port),
				 load.tcp ? ";transport=tcp" : "");

		send_message(l, m, (size_t)n);
	}
}

/* ---- both ---- */

static void receive(struct link *l, struct text m)
{
	struct text id = first_field(m, "Call-ID");
	char *end;
	unsigned long i;

	if (id.n && id.p[0] == 'r') {
		if (!strncmp(m.p, "SIP/2.0 200", 11))
			load.registered++;
		else if (!strncmp(m.p, "SIP/2.0 ", 8) && m.p[8] > '1')
			die("registering: %.*s", (int)m.n, m.p);
		return;
	}
	i = strtoul(id.n ? id.p : "x", &end, 10);
	/* What is left of another run is none of this one's. */
	if (*end != '.' || i >= load.n_calls || strtoul(end + 1, NULL, 16) != load.run)
		return;
	if (strncmp(m.p, "SIP/2.0 ", 8)) {
		callee_request(l, (uint32_t)i, m);
		return;
	}
	caller_answer((uint32_t)i, (unsigned)atoi(m.p + 8),
		      memchr(first_field(m, "CSeq").p, 'B', 8) != NULL, m);
}

/* Bytes of the message at the front; 0: it is not whole. */
static size_t message_size(struct text in)
{
	const char *end = memmem(in.p, in.n, "\r\n\r\n", 4);
	struct text head, v;

	if (!end)
		return 0;
	head = (struct text){in.p, (size_t)(end - in.p) + 4};
	v = first_field(head, "Content-Length");
	if (v.n == 0)
		die("no Content-Length");
	head.n += strtoul(v.p, NULL, 10);
	return head.n <= in.n ? head.n : 0;
}

static void read_stream(struct link *l)
{
	ssize_t n;

	while ((n = recv(l->fd, queue_room(&l->in, 65536), 65536, 0)) > 0) {
		size_t size;

		l->in.n += (size_t)n;
		while ((size = message_size(
				(struct text){l->in.p + l->in.at, l->in.n - l->in.at}))) {
			receive(l, (struct text){l->in.p + l->in.at, size});
			queue_drop(&l->in, size);
		}
		if (n < 65536)
			return;
	}
	if (n == 0)
		die("the server closed a connection");
}

static void read_datagrams(struct link *l)
{
	char bytes[MESSAGE_MAX];
	ssize_t n;

	while ((n = recv(l->fd, bytes, sizeof(bytes), 0)) > 0)
		receive(l, (struct text){bytes, (size_t)n});
}

static void accept_all(struct link *listener)
{
	int fd;

	while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct link *l = calloc(1, sizeof(*l));

		if (!l)
			die("memory");
		no_delay(fd);
		l->fd = fd;
		l->callee = true;
		watch(load.epoll, fd, EPOLLIN, l);
	}
}

static void send_due(uint64_t now)
{
	while (load.answers.n && load.answers.item[load.answers.first].due_ns <= now) {
		struct later *x = &load.answers.item[load.answers.first];

		send_message(x->by, x->message, x->n);
		free(x->message);
		load.answers.first = (load.answers.first + 1) % load.answers.size;
		load.answers.n--;
	}
	while (load.byes.n && load.byes.item[load.byes.first].due_ns <= now) {
		uint32_t i = load.byes.item[load.byes.first].call;

		load.byes.first = (load.byes.first + 1) % load.byes.size;
		load.byes.n--;
		load.call[i].state = CALL_ENDING;
		inside_dialog(i, "BYE", 2);
	}
}

static void open_links(void)
{
	if (!load.tcp) {
		load.connections = 1;
		load.caller_link[0].fd = udp_open(&load.caller);
		load.callee_link.fd = udp_open(&load.callee);
	} else {
		for (unsigned i = 0; i < load.connections; i++)
			load.caller_link[i].fd = tcp_connect(&load.server, NULL);
		load.callee_link.listener = !load.registers;
		load.callee_link.fd =
			load.registers ? tcp_connect(&load.server, NULL) : tcp_listen(&load.callee);
	}
	for (unsigned i = 0; i < load.connections; i++)
		watch(load.epoll, load.caller_link[i].fd, EPOLLIN, &load.caller_link[i]);
	load.callee_link.callee = true;
	watch(load.epoll, load.callee_link.fd, EPOLLIN, &load.callee_link);
}

static void turn(int timer)
{
	struct epoll_event e[EVENTS];
	int n = epoll_wait(load.epoll, e, EVENTS, 1000);

	for (int i = 0; i < n; i++) {
		struct link *l = e[i].data.ptr;
		uint64_t ticks;

		if (!l)
			(void)!read(timer, &ticks, sizeof(ticks));
		else if (l->listener)
			accept_all(l);
		else if (!load.tcp)
			read_datagrams(l);
		else {
			if (e[i].events & EPOLLOUT)
				flush(l);
			read_stream(l);
		}
	}
}

static void look(struct moment *at, const char *says)
{
	*at = (struct moment){.at_ns = now_ns(), .done = load.done, .refused = load.refused};
	if (load.warm_calls)
		puts(says);
	(void)fflush(stdout);
}

static void run(void)
{
	struct itimerspec tick = {{0, 1000000}, {0, 1000000}};
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	uint64_t began, end = 0;

	(void)timerfd_settime(timer, 0, &tick, NULL);
	watch(load.epoll, timer, EPOLLIN, NULL);
	if (load.registers) {
		register_callees(&load.callee_link);
		for (began = now_ns(); load.registered < load.users;) {
			turn(timer);
			if (now_ns() - began > 5000000000ull)
				die("registrations are not answered");
		}
	}
	puts("ready");
	(void)fflush(stdout);
	began = now_ns();
	while (load.done + load.failed + load.refused < load.n_calls && (!end || now_ns() < end)) {
		uint64_t now = now_ns(), due = (now - began) * load.rate / 1000000000;

		while (load.started < load.n_calls && load.started <= due)
			invite(load.started);
		if (load.started >= load.warm_calls && !load.warm.at_ns)
			look(&load.warm, "warm");
		if (load.started == load.n_calls && !end) {
			look(&load.cold, "cold");
			end = now + LINGER_MS * 1000000ull;
		}
		send_due(now);
		turn(timer);
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void report(void)
{
	uint32_t n = load.n_latency, rung = 0;

	for (uint32_t i = 0; i < load.n_calls; i++)
		rung += load.call[i].rung;
	qsort(load.latency_us, n, sizeof(*load.latency_us), by_size);
	printf("{\"calls\": %u, \"completed\": %u, \"failed\": %u, \"refused\": %u, \"bare\": %u, "
	       "\"lost\": %u, \"rung\": %u, \"again\": %u, \"setup_us_median\": %u, "
	       "\"setup_us_p99\": %u, \"window\": {\"ns\": %llu, \"completed\": %u, "
	       "\"refused\": %u}}\n",
	       load.n_calls, load.done, load.failed, load.refused, load.bare,
	       load.n_calls - load.done - load.failed - load.refused, rung, load.again,
	       n ? load.latency_us[n / 2] : 0, n ? load.latency_us[n * 99 / 100] : 0,
	       (unsigned long long)(load.cold.at_ns - load.warm.at_ns),
	       load.cold.done - load.warm.done, load.cold.refused - load.warm.refused);
}

static unsigned number(int argc, char **argv, const char *name, const char *otherwise)
{
	return (unsigned)strtoul(option(argc, argv, name, otherwise), NULL, 10);
}

int main(int argc, char **argv)
{
	raise_files();
	load.server = address(option(argc, argv, "--server", "127.0.0.1:5060"));
	load.caller = address(option(argc, argv, "--caller", "127.0.0.1:5070"));
	load.callee = address(option(argc, argv, "--callee", "127.0.0.1:5080"));
	load.tcp = has_option(argc, argv, "--tcp");
	load.registers = has_option(argc, argv, "--register");
	load.active = has_option(argc, argv, "--active");
	load.rate = number(argc, argv, "--rate", "2500");
	load.users = number(argc, argv, "--users", "10");
	load.connections = number(argc, argv, "--callers-connections", "20");
	load.n_calls = load.rate * number(argc, argv, "--seconds", "4");
	load.warm_calls = load.rate * number(argc, argv, "--warm", "0");
	load.run = (unsigned)now_ns();
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	load.answers.size = load.byes.size = load.n_calls + 1;
	load.call = calloc(load.n_calls, sizeof(*load.call));
	load.latency_us = calloc(load.n_calls, sizeof(*load.latency_us));
	load.answers.item = calloc(load.answers.size, sizeof(struct later));
	load.byes.item = calloc(load.byes.size, sizeof(struct later));
	if (!load.call || !load.latency_us || !load.answers.item || !load.byes.item ||
	    !load.users || !load.connections || load.connections > 1024 || !load.rate)
		die("options");
	open_links();
	run();
	report();
	return 0;
}
