/*
 * The world around the controlling function in a test: a real SIP stack on a virtual clock, phones
 * that are bytes over UDP, and a switch that grants seats when it is told to. What the focus sends
 * comes back to the stack's user (SIP_LOCAL), who writes it down and answers as the test says. Who
 * a phone is, stands in its From.
 */
#ifndef CONFAB_TEST_CONTROLLING_WORLD_H
#define CONFAB_TEST_CONTROLLING_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "io/digest.h"
#include "server/controlling/controlling.h"
#include "sip/stack.h"
#include "sip/value.h"
#include "sip/write.h"
#include "test_seed.h"

enum { ROOM_SENT = 512, ROOM_SEATS = 64, ROOM_BEGAN = 5000000 };

/* A request of the focus. */
struct asked {
	char *text;
	struct sip_server_tx *tx; /* NULL once it is answered or gone */
	bool taken;
};

struct room {
	struct timers timers;
	uint64_t now, random;
	struct entropy entropy;
	struct log log;
	struct sip_stack *stack;
	struct controlling_config cfg;
	struct controlling *ctl;
	struct asked asked[ROOM_SENT];
	size_t n_asked;
	char *sent[ROOM_SENT]; /* answers to phones */
	size_t n_sent, n_looked;
	char *text[4096];
	size_t n_texts;
	unsigned serial;
	unsigned notify_status; /* what NOTIFYs are answered with */
	/* the switch */
	bool no_seats, slow_seats;
	bool has_tls, seat_tls[ROOM_SEATS]; /* the kind of each seat of the last request */
	char print[128];		    /* the fingerprint of the last answer */
	const char *sdp;		    /* what phones say; NULL: ROOM_SDP */
	uint64_t request, conference, seat[ROOM_SEATS];
	size_t n_seats; /* of the last request */
	size_t n_open, n_answers, n_closed, n_drained, n_ended;
	bool slow_drain; /* it says nothing until room_drained */
	uint64_t closed[ROOM_SEATS];
	bool connect; /* of the last answer that it was told */
	char remote_path[128];
};

static inline char *room_keep(struct room *r, char *text)
{
	assert_true(r->n_texts < 4096);
	return r->text[r->n_texts++] = text;
}

static inline char *room_textf(struct room *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static inline char *room_textf(struct room *r, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	return room_keep(r, text);
}

static inline char *room_crlf(struct room *r, const char *text)
{
	char *out = malloc(2 * strlen(text) + 1), *at = out;

	for (; *text; text++) {
		if (*text == '\n')
			*at++ = '\r';
		*at++ = *text;
	}
	*at = '\0';
	return room_keep(r, out);
}

static inline void room_fill(void *ctx, void *dst, size_t n)
{
	struct room *r = ctx;

	for (size_t i = 0; i < n; i++) {
		r->random = r->random * 6364136223846793005u + 1442695040888963407u;
		((unsigned char *)dst)[i] = (unsigned char)(r->random >> 56);
	}
}

static inline void room_udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	struct room *r = ctx;

	(void)to;
	assert_true(r->n_sent < ROOM_SENT);
	r->sent[r->n_sent++] = room_keep(r, strndup(bytes.p, bytes.n));
}

/* Nobody listens for connections. */
static inline void *room_connect(void *ctx, struct sip_conn *conn, enum sip_transport t,
				 const struct addr *to)
{
	(void)ctx;
	(void)conn;
	(void)t;
	(void)to;
	return NULL;
}

static inline void room_gone(void *ctx, struct sip_server_tx *tx)
{
	struct room *r = ctx;

	for (size_t i = 0; i < r->n_asked; i++)
		if (r->asked[i].tx == tx)
			r->asked[i].tx = NULL;
}

static inline void room_cancelled(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
				  uint64_t now_ms)
{
	(void)ctx;
	(void)m;
	(void)sip_server_tx_reply(tx, 487, NULL, VIEW(""), now_ms);
}

static const struct sip_server_handler room_tx = {.on_cancel = room_cancelled,
						  .on_gone = room_gone};

static inline void room_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
				uint64_t now_ms)
{
	struct room *r = ctx;
	struct core_identity who = {.asserted = true};
	struct sip_addr from;
	struct sip_uri uri;

	assert_int_equal(sip_uri_parse(m->uri, &uri), 0);
	if (controlling_is_local(r->ctl, &uri)) {
		assert_int_equal(sip_msg_from(m, &from), 0);
		who.uri = from.uri;
		who.asserted = view_find_view(from.uri, VIEW("stranger"), 0) == from.uri.n;
		who.privacy_id = sip_msg_has(m, SIP_H_PRIVACY);
		controlling_request(r->ctl, tx, m, &who, now_ms);
		return;
	}
	assert_true(r->n_asked < ROOM_SENT);
	r->asked[r->n_asked++] =
		(struct asked){.text = room_keep(r, strndup(m->raw.p, m->raw.n)), .tx = tx};
	sip_server_tx_attach(tx, &room_tx, r);
	if (m->method == SIP_NOTIFY)
		(void)sip_server_tx_reply(tx, (int)r->notify_status, NULL, VIEW(""), now_ms);
	else if (m->method == SIP_BYE)
		(void)sip_server_tx_reply(tx, 200, NULL, VIEW(""), now_ms);
}

static inline void room_ack(void *ctx, const struct sip_msg *m, const struct sip_flow *from,
			    uint64_t now_ms)
{
	(void)from;
	controlling_ack(((struct room *)ctx)->ctl, m, now_ms);
}

/* --- the switch --- */

static inline void room_grant(struct room *r)
{
	struct view path[ROOM_SEATS];

	for (size_t i = 0; i < r->n_seats; i++)
		path[i] = view_str(room_textf(r, "msrp%s://192.0.2.1:2855/s%llu;tcp",
					      r->seat_tls[i] ? "s" : "",
					      (unsigned long long)r->seat[i]));
	controlling_seats_ready(r->ctl, r->request, r->conference, r->seat, path, r->n_seats,
				r->now);
}

static inline void room_refuse_seats(struct room *r)
{
	controlling_seats_failed(r->ctl, r->request, r->conference, E_LIMIT, r->now);
}

static inline int room_open(void *ctx, uint64_t request, uint64_t conference, struct view uri,
			    const struct seat_offer *seat, size_t n)
{
	struct room *r = ctx;

	assert_true(uri.n && n && n <= ROOM_SEATS);
	r->n_open++;
	if (r->no_seats)
		return E_LIMIT;
	r->request = request;
	r->conference = conference;
	r->n_seats = n;
	for (size_t i = 0; i < n; i++) {
		r->seat[i] = seat[i].seat;
		r->seat_tls[i] = seat[i].tls;
	}
	if (!r->slow_seats)
		room_grant(r);
	return 0;
}

static inline void room_answer(void *ctx, uint64_t conference, uint64_t seat,
			       const struct seat_answer *a)
{
	struct room *r = ctx;

	(void)conference;
	assert_true(seat && a->remote_path.n);
	r->n_answers++;
	r->connect = a->connect;
	assert_true(view_copy(a->remote_path, r->remote_path, sizeof(r->remote_path)));
	(void)view_copy(a->fingerprint, r->print, sizeof(r->print));
}

static inline void room_fingerprint(void *ctx, char *dst)
{
	(void)ctx;
	strcpy(dst, "SHA-256 05:06");
}

static inline void room_close(void *ctx, uint64_t conference, uint64_t seat, bool drain)
{
	struct room *r = ctx;

	(void)conference;
	(void)drain;
	assert_true(r->n_closed < ROOM_SEATS);
	r->closed[r->n_closed++] = seat;
}

static inline void room_drained(struct room *r)
{
	controlling_drained(r->ctl, r->conference, r->now);
}

static inline void room_drain(void *ctx, uint64_t conference)
{
	struct room *r = ctx;

	r->n_drained++;
	if (!r->slow_drain)
		controlling_drained(r->ctl, conference, r->now);
}

static inline void room_end(void *ctx, uint64_t conference)
{
	(void)conference;
	((struct room *)ctx)->n_ended++;
}

/* --- life --- */

static inline struct room *room_new(void)
{
	struct room *r = calloc(1, sizeof(*r));

	r->now = ROOM_BEGAN;
	r->random = test_seed();
	r->notify_status = 200;
	r->entropy = (struct entropy){room_fill, r};
	timers_init(&r->timers, r->now);
	r->cfg = (struct controlling_config){
		.factory_user = VIEW("conference-factory"),
		.feature_tag = VIEW("+g.oma.sip-im"),
		.release = VIEW("IM-serv/OMA1.0 Confab/test"),
		.max_members = 6,
		.max_conferences = 10,
		.invite_timeout_ms = 20000,
		.seat_timeout_ms = 5000,
		.drain_ms = 3000,
		.session_expires_s = 1800,
		.min_se_s = 90,
		.replaces_fallback = true,
	};
	return r;
}

static inline bool room_served(void *ctx, struct view host, uint16_t port)
{
	(void)ctx;
	(void)port;
	return view_eq(host, VIEW("example.com"));
}

static inline struct room *room_start(struct room *r)
{
	struct sip_stack_config cfg;
	struct sip_stack_ops ops = {.udp_send = room_udp_send,
				    .connect = room_connect,
				    .on_request = room_request,
				    .on_ack = room_ack,
				    .ctx = r};
	struct seat_broker broker = {.open = room_open,
				     .answer = room_answer,
				     .close = room_close,
				     .drain = room_drain,
				     .end = room_end,
				     .fingerprint = r->has_tls ? room_fingerprint : NULL,
				     .ctx = r};

	sip_stack_config_defaults(&cfg);
	assert_int_equal(
		addr_parse_hostport(VIEW("192.0.2.1:5060"), 5060, &cfg.sent_by[SIP_UDP][0]), 0);
	cfg.sent_by[SIP_TCP][0] = cfg.sent_by[SIP_UDP][0];
	cfg.server = VIEW("IM-serv/OMA1.0 Confab/test");
	r->stack = sip_stack_new(&cfg, &ops, &r->timers, &r->entropy, NULL);
	assert_non_null(r->stack);
	r->ctl = controlling_new(&r->cfg, r->stack, io_digest(), &broker);
	assert_non_null(r->ctl);
	controlling_set_domain_check(r->ctl, room_served, NULL);
	return r;
}

static inline void room_run(struct room *r, uint64_t ms);

static inline void room_free(struct room *r)
{
	/* Nobody is left waiting for an answer, and every transaction is over. */
	for (size_t i = 0; i < r->n_asked; i++)
		if (r->asked[i].tx && sip_server_tx_pending(r->asked[i].tx))
			(void)sip_server_tx_reply(r->asked[i].tx, 480, NULL, VIEW(""), r->now);
	room_run(r, 40000);
	controlling_free(r->ctl);
	sip_stack_free(r->stack);
	for (size_t i = 0; i < r->n_texts; i++)
		free(r->text[i]);
	free(r);
}

static inline void room_run(struct room *r, uint64_t ms)
{
	uint64_t until = r->now + ms;

	while (timers_next(&r->timers) <= until) {
		uint64_t next = timers_next(&r->timers);

		if (next > r->now)
			r->now = next;
		timers_run(&r->timers, r->now);
	}
	r->now = until;
	timers_run(&r->timers, r->now);
}

/* --- text --- */

static inline struct sip_msg room_parsed(const char *text)
{
	struct sip_msg m;

	assert_non_null(text);
	assert_int_equal(sip_msg_parse(view_str(text), &m), 0);
	return m;
}

/* A header's value, "" where there is none. */
static inline const char *room_field(struct room *r, const char *text, const char *name)
{
	struct sip_msg m = room_parsed(text);
	struct view v = sip_header_of(view_str(name)) == SIP_H_OTHER
				? sip_msg_value_named(&m, view_str(name))
				: sip_msg_value(&m, sip_header_of(view_str(name)));

	return room_textf(r, "%.*s", VIEW_ARG(v));
}

/* --- phones: one address serves all, From tells who --- */

static inline void room_send(struct room *r, const char *text)
{
	struct addr from;

	assert_int_equal(addr_parse_hostport(VIEW("192.0.2.50:5060"), 5060, &from), 0);
	sip_stack_datagram(r->stack, view_str(text), &from, r->now);
	room_run(r, 0);
}

#define ROOM_SDP                                                                                   \
	"v=0\no=- 1 1 IN IP4 192.0.2.50\ns=-\nc=IN IP4 192.0.2.50\nt=0 0\nm=message 3000 "         \
	"TCP/MSRP *\n"                                                                             \
	"a=accept-types:message/cpim "                                                             \
	"text/plain\na=path:msrp://192.0.2.50:3000/abc;tcp\na=setup:actpass\n"

/* A request outside any dialog; its final answer. lines and body with \n. */
static inline const char *room_ask(struct room *r, const char *method, const char *uri,
				   const char *user, const char *lines, const char *body)
{
	size_t before = r->n_sent;
	const char *crlf = room_crlf(r, body);

	r->serial++;
	room_send(r,
		  room_textf(
			  r, "%s%s",
			  room_crlf(r,
				    room_textf(r,
					       "%s %s SIP/2.0\n"
					       "Via: SIP/2.0/UDP 192.0.2.50:5060;branch=z9hG4bK%u\n"
					       "Max-Forwards: 70\n"
					       "From: <sip:%s@example.com>;tag=f%u\n"
					       "To: <%s>\n"
					       "Call-ID: call-%u\n"
					       "CSeq: 7 %s\n"
					       "Contact: <sip:%s@192.0.2.50:5060>\n"
					       "%s"
					       "Content-Length: %zu\n\n",
					       method, uri, r->serial, user, r->serial, uri,
					       r->serial, method, user, lines, strlen(crlf))),
			  crlf));
	for (size_t i = r->n_sent; i > before; i--)
		if (room_parsed(r->sent[i - 1]).status >= 200)
			return r->sent[i - 1];
	return NULL;
}

#define ROOM_IM "Accept-Contact: *;+g.oma.sip-im;require;explicit\n"

/* A request inside the dialog that this answer to a phone made. */
static inline const char *room_inside(struct room *r, const char *answer, const char *method,
				      unsigned cseq, const char *lines, const char *body)
{
	struct sip_msg m = room_parsed(answer);
	struct sip_addr contact;
	const char *crlf = room_crlf(r, body);
	size_t before = r->n_sent;

	assert_int_equal(sip_addr_parse(sip_msg_value(&m, SIP_H_CONTACT), &contact), 0);
	room_send(r,
		  room_textf(
			  r, "%s%s",
			  room_crlf(r,
				    room_textf(r,
					       "%s %.*s SIP/2.0\n"
					       "Via: SIP/2.0/UDP 192.0.2.50:5060;branch=z9hG4bK%u\n"
					       "Max-Forwards: 70\nFrom: %s\nTo: %s\nCall-ID: %s\n"
					       "CSeq: %u %s\nContact: <sip:x@192.0.2.50:5060>\n%s"
					       "Content-Length: %zu\n\n",
					       method, VIEW_ARG(contact.uri), ++r->serial,
					       room_field(r, answer, "From"),
					       room_field(r, answer, "To"),
					       room_field(r, answer, "Call-ID"), cseq, method,
					       lines, strlen(crlf))),
			  crlf));
	for (size_t i = r->n_sent; i > before; i--)
		if (room_parsed(r->sent[i - 1]).status >= 200)
			return r->sent[i - 1];
	return NULL;
}

static inline void room_acknowledge(struct room *r, const char *answer)
{
	(void)room_inside(r, answer, "ACK", 7, "", "");
}

/* --- what the focus asks --- */

/* The next request of that method that the focus sent (to somebody whose URI holds `whom`), not
 * looked at yet. */
static inline struct asked *room_next(struct room *r, const char *method, const char *whom)
{
	for (size_t i = 0; i < r->n_asked; i++) {
		struct asked *a = &r->asked[i];
		struct sip_msg m = room_parsed(a->text);

		if (a->taken || !view_eq(m.method_name, view_str(method)) ||
		    view_find_view(m.uri, view_str(whom), 0) == m.uri.n)
			continue;
		a->taken = true;
		return a;
	}
	return NULL;
}

static inline struct asked *room_notify(struct room *r, const char *event)
{
	for (size_t i = 0; i < r->n_asked; i++) {
		struct asked *a = &r->asked[i];

		if (a->taken || strncmp(a->text, "NOTIFY ", 7) != 0 ||
		    strncmp(room_field(r, a->text, "Event"), event, strlen(event)) != 0)
			continue;
		a->taken = true;
		return a;
	}
	return NULL;
}

/* A status line in a NOTIFY of a REFER, with its state: "100 active". */
static inline const char *room_progress(struct room *r)
{
	struct asked *a = room_notify(r, "refer");
	struct sip_msg m;

	if (!a)
		return "none";
	m = room_parsed(a->text);
	assert_string_equal(room_field(r, a->text, "Content-Type"), "message/sipfrag;version=2.0");
	assert_true(view_starts(m.body, VIEW("SIP/2.0 ")));
	return room_textf(r, "%.3s %.*s", m.body.p + 8,
			  (int)strcspn(room_field(r, a->text, "Subscription-State"), ";"),
			  room_field(r, a->text, "Subscription-State"));
}

/* A phone answers an INVITE of the focus; 200 with a session description. */
static inline void room_reply(struct room *r, struct asked *a, int status)
{
	struct buf b;

	assert_non_null(a);
	assert_non_null(a->tx);
	if (status >= 300 || status < 200) {
		assert_int_equal(sip_server_tx_reply(a->tx, status, NULL,
						     VIEW("Contact: <sip:p@192.0.2.50>\r\n"),
						     r->now),
				 0);
	} else {
		struct sip_msg m = room_parsed(a->text);

		buf_init(&b, 65536);
		sip_write_response_head(&b, &m, status, NULL, sip_server_tx_to_tag(a->tx));
		sip_write_field(&b, "Contact", VIEW("<sip:p@192.0.2.50:5060>"));
		sip_write_body(&b, VIEW("application/sdp"),
			       view_str(room_crlf(r, r->sdp ? r->sdp : ROOM_SDP)));
		assert_true(buf_ok(&b));
		assert_int_equal(sip_server_tx_respond(a->tx, buf_view(&b), status, r->now), 0);
		buf_fini(&b);
	}
	room_run(r, 0);
}

/* --- a conference of ann's with bo --- */

#define ROOM_LIST_HEAD                                                                             \
	"<?xml version=\"1.0\"?>\n<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"" \
	" xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\"><list>"
#define ROOM_LIST_TAIL "</list></resource-lists>\n"

static inline const char *room_create(struct room *r, const char *lines, const char *entries)
{
	const char *body = room_textf(r,
				      "--b\nContent-Type: application/sdp\n\n%s"
				      "\n--b\nContent-Type: application/resource-lists+xml\n"
				      "Content-Disposition: recipient-list\n\n" ROOM_LIST_HEAD
				      "%s" ROOM_LIST_TAIL "\n--b--\n",
				      r->sdp ? r->sdp : ROOM_SDP, entries);

	return room_ask(r, "INVITE", "sip:conference-factory@example.com", "ann",
			room_textf(r,
				   ROOM_IM "Require: recipient-list-invite\n"
					   "Content-Type: multipart/mixed;boundary=b\n%s",
				   lines),
			body);
}

/* Ann's 200; bo is in. */
static inline const char *room_of_two(struct room *r)
{
	const char *ok = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");

	assert_int_equal(room_parsed(ok).status, 200);
	room_acknowledge(r, ok);
	room_reply(r, room_next(r, "INVITE", "bo@"), 200);
	return ok;
}

static inline const char *room_uri(struct room *r, const char *answer)
{
	struct sip_msg m = room_parsed(answer);
	struct sip_addr a;

	assert_int_equal(sip_addr_parse(sip_msg_value(&m, SIP_H_CONTACT), &a), 0);
	return room_textf(r, "%.*s", VIEW_ARG(a.uri));
}

#endif
