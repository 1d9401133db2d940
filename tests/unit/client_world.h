/*
 * The world around one IM Client in a test: everything goes by UDP to a server that is the test
 * itself, MSRP connections are bytes; the clock is virtual.
 */
#ifndef CONFAB_TEST_CLIENT_WORLD_H
#define CONFAB_TEST_CLIENT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "client/client.h"
#include "io/digest.h"
#include "sip/value.h"
#include "sip/write.h"
#include "test_seed.h"

enum { DESK_SENT = 512, DESK_EVENTS = 2048 };

#define DESK_CONFERENCE "sip:conf-1@192.0.2.1:5060"
#define DESK_SDP                                                                                   \
	"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"                \
	"m=message 2855 TCP/MSRP *\r\na=accept-types:message/cpim\r\na=accept-wrapped-types:*\r\n" \
	"a=path:msrp://192.0.2.1:2855/seat;tcp\r\na=setup:passive\r\n"

#define DESK_PHONE_SDP                                                                             \
	"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"                \
	"m=message 7654 TCP/MSRP *\r\na=accept-types:message/cpim text/plain\r\n"                  \
	"a=path:msrp://192.0.2.9:7654/bo;tcp\r\na=setup:passive\r\n"
#define DESK_PHONE "Contact: <sip:bo@192.0.2.9:5060>\r\n"

struct desk_event {
	enum confab_event_type type;
	uint32_t conversation;
	int status;
	bool removing;
	size_t n_participants;
	char peer[128], uri[128], text[128];
	char self[128]; /* of the participants, the one that is us */
	bool taken;
};

struct desk {
	struct timers timers;
	uint64_t now, random;
	struct entropy entropy;
	struct log log;
	struct client *client;
	char *sent[DESK_SENT];
	bool taken[DESK_SENT];
	size_t n_sent;
	const char *from;	     /* where what comes in is from; NULL: the server */
	unsigned n_connects;	     /* of MSRP */
	char sent_to[ADDR_TEXT_MAX]; /* the last one */
	struct msrp_conn *msrp;
	const char *msrp_out; /* written last */
	const char *msrp_all; /* all that was written since this was NULL */
	char *texts[2048];
	size_t n_texts;
	unsigned serial;
	struct desk_event event[DESK_EVENTS];
	size_t n_events;
	enum confab_event_type leave_on; /* the person leaves when it comes; 0: never */
};

static inline char *desk_textf(struct desk *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static inline char *desk_textf(struct desk *d, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	assert_true(d->n_texts < 2048);
	return d->texts[d->n_texts++] = text;
}

static inline void desk_fill(void *ctx, void *dst, size_t n)
{
	struct desk *d = ctx;

	for (size_t i = 0; i < n; i++) {
		d->random = d->random * 6364136223846793005u + 1442695040888963407u;
		((unsigned char *)dst)[i] = (unsigned char)(d->random >> 56);
	}
}

static inline void desk_udp(void *ctx, const struct addr *to, struct view bytes)
{
	struct desk *d = ctx;

	(void)addr_text(to, d->sent_to);
	assert_true(d->n_sent < DESK_SENT);
	d->sent[d->n_sent++] = desk_textf(d, "%.*s", VIEW_ARG(bytes));
}

/* Nothing goes by TCP: what would be too large for a datagram falls back to it (RFC 3261 §18.1.1).
 */
static inline void *desk_no_tcp(void *ctx, struct sip_conn *conn, enum sip_transport t,
				const struct addr *to)
{
	(void)ctx;
	(void)conn;
	(void)t;
	(void)to;
	return NULL;
}

static inline void *desk_msrp_connect(void *ctx, struct msrp_conn *conn, const struct addr *to,
				      bool tls)
{
	struct desk *d = ctx;

	(void)to;
	(void)tls;
	d->msrp = conn;
	d->n_connects++;
	return conn;
}

static inline void desk_msrp_write(void *ctx, void *handle, struct view bytes)
{
	struct desk *d = ctx;

	(void)handle;
	d->msrp_out = desk_textf(d, "%.*s", VIEW_ARG(bytes));
	d->msrp_all = desk_textf(d, "%s%s", d->msrp_all ? d->msrp_all : "", d->msrp_out);
}

static inline size_t desk_msrp_pending(void *ctx, void *handle)
{
	(void)ctx;
	(void)handle;
	return 0;
}

static inline void desk_msrp_close(void *ctx, void *handle)
{
	struct desk *d = ctx;

	if (d->msrp == handle)
		d->msrp = NULL;
}

static inline void desk_on_event(void *ctx, const struct confab_event *ev)
{
	struct desk *d = ctx;
	struct desk_event *e = &d->event[d->n_events++];

	assert_true(d->n_events < DESK_EVENTS);
	*e = (struct desk_event){.type = ev->type,
				 .conversation = ev->conversation,
				 .status = ev->status,
				 .removing = ev->removing,
				 .n_participants = ev->n_participants};
	(void)snprintf(e->peer, sizeof(e->peer), "%s", ev->peer);
	(void)snprintf(e->uri, sizeof(e->uri), "%s", ev->uri);
	(void)snprintf(e->text, sizeof(e->text), "%s", ev->text);
	for (size_t i = 0; i < ev->n_participants; i++)
		if (ev->participant[i].self)
			(void)snprintf(e->self, sizeof(e->self), "%s", ev->participant[i].uri);
	if (d->leave_on && d->leave_on == ev->type)
		(void)client_leave(d->client, ev->conversation, false, d->now);
}

/* NULL: as desk_new has it. */
static inline struct desk *desk_new_with(void (*change)(struct client_config *cfg))
{
	struct desk *d = calloc(1, sizeof(*d));
	struct client_world world = {.udp_send = desk_udp,
				     .sip_connect = desk_no_tcp,
				     .msrp = {.connect = desk_msrp_connect,
					      .write = desk_msrp_write,
					      .pending = desk_msrp_pending,
					      .finish = desk_msrp_close,
					      .close = desk_msrp_close,
					      .ctx = d},
				     .event = desk_on_event,
				     .ctx = d};
	struct client_config cfg = {.user = VIEW("sip:ann@example.com"),
				    .password = VIEW("secret"),
				    .auto_accept = true,
				    .max_conversations = 8,
				    .register_expires = 600,
				    .max_message = 1 << 20,
				    .drain_ms = 5000};

	d->now = 7000000;
	d->random = test_seed();
	d->entropy = (struct entropy){desk_fill, d};
	timers_init(&d->timers, d->now);
	cfg.server.transport = SIP_UDP;
	assert_int_equal(addr_parse_hostport(VIEW("192.0.2.1:5060"), 5060, &cfg.server.remote), 0);
	assert_int_equal(addr_parse_hostport(VIEW("192.0.2.7:5060"), 5060, &cfg.sip_local[0]), 0);
	cfg.sip_local[1] = cfg.msrp_local = cfg.sip_local[0];
	if (change)
		change(&cfg);
	d->client = client_new(&cfg, &world, io_digest(), &d->timers, &d->entropy, &d->log);
	assert_non_null(d->client);
	return d;
}

static inline struct desk *desk_new(void)
{
	return desk_new_with(NULL);
}

static inline void desk_run(struct desk *d, uint64_t ms)
{
	uint64_t until = d->now + ms;

	while (timers_next(&d->timers) <= until) {
		uint64_t next = timers_next(&d->timers);

		if (next > d->now)
			d->now = next;
		timers_run(&d->timers, d->now);
	}
	d->now = until;
	timers_run(&d->timers, d->now);
}

static inline void desk_free(struct desk *d)
{
	/* Everybody leaves, nobody answers, and every transaction is over. */
	client_shutdown(d->client, d->now);
	desk_run(d, 80000);
	client_free(d->client);
	for (size_t i = 0; i < d->n_texts; i++)
		free(d->texts[i]);
	free(d);
}

static inline struct sip_msg desk_parsed(const char *text)
{
	struct sip_msg m;

	assert_non_null(text);
	assert_int_equal(sip_msg_parse(view_str(text), &m), 0);
	return m;
}

static inline const char *desk_field(struct desk *d, const char *text, const char *name)
{
	struct sip_msg m = desk_parsed(text);
	struct view v = sip_header_of(view_str(name)) == SIP_H_OTHER
				? sip_msg_value_named(&m, view_str(name))
				: sip_msg_value(&m, sip_header_of(view_str(name)));

	return desk_textf(d, "%.*s", VIEW_ARG(v));
}

/* The next thing the client sent whose start line begins so. */
static inline const char *desk_next(struct desk *d, const char *begins)
{
	for (size_t i = 0; i < d->n_sent; i++)
		if (!d->taken[i] && strncmp(d->sent[i], begins, strlen(begins)) == 0) {
			d->taken[i] = true;
			return d->sent[i];
		}
	return NULL;
}

/* The same, once it is its time: within so many ms, whose random part is nobody's business. What is
 * sent again afterwards because nobody answered is not taken for another. */
static inline const char *desk_await(struct desk *d, const char *begins, uint64_t within_ms)
{
	uint64_t until = d->now + within_ms;
	const char *found;

	while (!(found = desk_next(d, begins)) && timers_next(&d->timers) <= until)
		desk_run(d,
			 timers_next(&d->timers) > d->now ? timers_next(&d->timers) - d->now : 0);
	return found;
}

static inline void desk_deliver(struct desk *d, struct view bytes)
{
	struct addr from;

	assert_int_equal(
		addr_parse_hostport(view_str(d->from ? d->from : "192.0.2.1:5060"), 5060, &from),
		0);
	sip_stack_datagram(client_stack(d->client), bytes, &from, d->now);
	desk_run(d, 0);
}

/* Answers a request of the client's. lines with CRLF. */
static inline void desk_answer(struct desk *d, const char *request, int status, const char *lines,
			       const char *type, const char *body)
{
	struct sip_msg m = desk_parsed(request);
	struct buf b;

	buf_init(&b, 65536);
	sip_write_response_head(&b, &m, status, NULL, VIEW("server"));
	buf_puts(&b, lines);
	sip_write_body(&b, view_str(type), view_str(body));
	desk_deliver(d, buf_view(&b));
	buf_fini(&b);
}

/* A request of the server's in the dialog that this request of the client's made; the client's
 * answer. */
static inline const char *desk_ask(struct desk *d, const char *made_by, const char *method,
				   unsigned cseq, const char *lines, const char *type,
				   const char *body)
{
	size_t before = d->n_sent;
	struct buf b;

	buf_init(&b, 65536);
	buf_putf(&b,
		 "%s sip:ann@192.0.2.7:5060 SIP/2.0\r\nVia: SIP/2.0/UDP "
		 "192.0.2.1:5060;branch=z9hG4bKs%u\r\n"
		 "Max-Forwards: 70\r\nFrom: %s;tag=server\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u "
		 "%s\r\n"
		 "Contact: <" DESK_CONFERENCE ">;isfocus\r\n%s",
		 method, ++d->serial, desk_field(d, made_by, "To"), desk_field(d, made_by, "From"),
		 desk_field(d, made_by, "Call-ID"), cseq, method, lines);
	sip_write_body(&b, view_str(type), view_str(body));
	desk_deliver(d, buf_view(&b));
	buf_fini(&b);
	for (size_t i = before; i < d->n_sent; i++)
		if (strncmp(d->sent[i], "SIP/2.0 ", 8) == 0) {
			d->taken[i] = true;
			return d->sent[i];
		}
	return NULL;
}

static inline struct desk_event *desk_event(struct desk *d, enum confab_event_type type)
{
	for (size_t i = 0; i < d->n_events; i++)
		if (!d->event[i].taken && d->event[i].type == type) {
			d->event[i].taken = true;
			return &d->event[i];
		}
	return NULL;
}

/* A conference from the start, with its MSRP connection; *invite_out is the INVITE that made it. */
static inline uint32_t desk_conference(struct desk *d, const char **invite_out)
{
	struct client_call_options o = {.conference = true};
	struct view bo = VIEW("sip:bo@example.com");
	uint32_t id = 0;

	assert_int_equal(client_call_with(d->client, &bo, 1, &o, &id, d->now), 0);
	desk_run(d, 0);
	*invite_out = desk_next(d, "INVITE sip:conference-factory@example.com");
	desk_answer(d, *invite_out, 200, "Contact: <" DESK_CONFERENCE ">;isfocus\r\n",
		    "application/sdp", DESK_SDP);
	assert_non_null(desk_next(d, "ACK "));
	assert_non_null(d->msrp);
	return id;
}

/* The MSRP connection is made, and the SEND that claims the session answered. */
static inline void desk_seat_opens(struct desk *d)
{
	char tid[64], to[200], from[200];

	msrp_conn_up(d->msrp, d->now);
	desk_run(d, 0);
	assert_non_null(d->msrp_out);
	assert_int_equal(sscanf(d->msrp_out, "MSRP %63s SEND To-Path: %199s From-Path: %199s", tid,
				to, from),
			 3);
	msrp_conn_recv(
		d->msrp,
		view_str(desk_textf(
			d, "MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n", tid,
			from, to, tid)),
		d->now);
	desk_run(d, 0);
}

static inline struct desk *desk_registered(void)
{
	struct desk *d = desk_new();

	client_register(d->client, d->now);
	desk_run(d, 0);
	desk_answer(d, desk_next(d, "REGISTER "), 200,
		    "Contact: <sip:ann@192.0.2.7:5060>;expires=600\r\n", "", "");
	assert_non_null(desk_event(d, CONFAB_REGISTERED));
	return d;
}

/* A chat that we began with Bo, answered with these lines; its connection is made. */
static inline uint32_t desk_chat(struct desk *d, const char *lines, const char *sdp,
				 const char **invite_out)
{
	struct view bo = VIEW("sip:bo@example.com");
	uint32_t id = 0;

	assert_int_equal(client_call(d->client, &bo, 1, &id, d->now), 0);
	desk_run(d, 0);
	*invite_out = desk_next(d, "INVITE sip:bo@example.com");
	desk_answer(d, *invite_out, 200, lines, "application/sdp", sdp);
	assert_non_null(desk_next(d, "ACK "));
	desk_seat_opens(d);
	assert_non_null(desk_event(d, CONFAB_OPEN));
	return id;
}

/* The latest answer of the client's. */
static inline const char *desk_answered(struct desk *d)
{
	const char *answer, *last = NULL;

	while ((answer = desk_next(d, "SIP/2.0 ")))
		last = answer;
	return last;
}

/* A request of Bo's; to: the To value. */
static inline const char *desk_from_bo(struct desk *d, const char *method, const char *to,
				       const char *call_id, unsigned cseq, const char *lines,
				       const char *sdp)
{
	struct buf b;

	(void)desk_answered(d);
	buf_init(&b, 65536);
	buf_putf(&b,
		 "%s sip:ann@192.0.2.7:5060 SIP/2.0\r\nVia: SIP/2.0/UDP "
		 "192.0.2.1:5060;branch=z9hG4bKbo%u\r\n"
		 "Max-Forwards: 70\r\nFrom: <sip:bo@example.com>;tag=bo\r\nTo: %s\r\n"
		 "Call-ID: %s\r\nCSeq: %u %s\r\n%s",
		 method, ++d->serial, to, call_id, cseq, method, lines);
	sip_write_body(&b, sdp[0] ? VIEW("application/sdp") : VIEW(""), view_str(sdp));
	desk_deliver(d, buf_view(&b));
	buf_fini(&b);
	return desk_answered(d);
}

/* Bo calls; the latest answer to it. sdp "": without an offer. */
static inline const char *desk_called(struct desk *d, const char *lines, const char *sdp)
{
	return desk_from_bo(d, "INVITE", "<sip:ann@example.com>",
			    desk_textf(d, "in%u", d->serial + 1), 1, lines, sdp);
}

/* A request of Bo's in the dialog that this answer to his INVITE made; ours to it. */
static inline const char *desk_asked(struct desk *d, const char *answer, const char *method,
				     unsigned cseq, const char *lines, const char *sdp)
{
	return desk_from_bo(d, method, desk_field(d, answer, "To"),
			    desk_field(d, answer, "Call-ID"), cseq, lines, sdp);
}

#endif
