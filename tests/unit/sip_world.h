/*
 * The world around a SIP stack in a test: a virtual clock, a network in memory and a user that
 * writes down what it is told. All that happens becomes one line of text, "0:udp INVITE, 500:udp
 * INVITE", with the time in ms since the world began; a test compares it as a whole.
 */
#ifndef CONFAB_TEST_SIP_WORLD_H
#define CONFAB_TEST_SIP_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "sip/stack.h"
#include "sip/value.h"
#include "sip/write.h"
#include "test_seed.h"

enum { WORLD_LINKS = 64, WORLD_TXS = 64, WORLD_BEGAN = 7000000 };

struct world_link {
	struct sip_conn *conn; /* NULL: gone */
	struct addr to;
};

struct world {
	struct timers timers;
	uint64_t now, random;
	struct entropy entropy;
	struct sip_stack_config cfg;
	struct log log; /* where a test wants one */
	struct sip_stack *stack;

	struct buf happened;
	char *last; /* bytes sent last */
	size_t last_n;
	struct addr last_to;

	struct world_link link[WORLD_LINKS + 1]; /* [0] is not used; a handle points into it */
	int n_links;
	bool refuse_connect;

	struct sip_server_tx *tx[WORLD_TXS]; /* as they came; NULL once gone */
	int n_txs;
	struct sip_client_tx *client;
	int answer;  /* 0: none */
	bool silent; /* does not attach */
	bool check_merged;
	unsigned asked;
	bool is_pressed; /* what is refused is so before it is parsed */
	enum sip_method newcomer;
	char credentials[128];
	unsigned refuse_s; /* requests outside of dialogs get 503 with this Retry-After; 0: none */
	char *request;	   /* the last one seen by the user */
	size_t request_n;
};

static inline void world_note(struct world *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static inline void world_note(struct world *w, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_putf(&w->happened, "%s%llu:%s", w->happened.n ? ", " : "",
		 (unsigned long long)(w->now - WORLD_BEGAN), text);
}

/* "INVITE" or "200", or the bytes themselves where they are no message. */
static inline const char *world_name(struct view bytes, char *dst)
{
	struct sip_msg m;

	if (view_eq(bytes, VIEW("\r\n")))
		return "CRLF";
	if (view_eq(bytes, VIEW("\r\n\r\n")))
		return "CRLFCRLF";
	if (sip_msg_parse(bytes, &m))
		return "?";
	if (m.is_request)
		snprintf(dst, 32, "%.*s", VIEW_ARG(m.method_name));
	else
		snprintf(dst, 32, "%u", m.status);
	return dst;
}

static inline void world_keep(char **to, size_t *to_n, struct view bytes)
{
	free(*to);
	*to = malloc(bytes.n + 1);
	memcpy(*to, bytes.p, bytes.n);
	(*to)[bytes.n] = '\0';
	*to_n = bytes.n;
}

static void world_fill(void *ctx, void *dst, size_t n)
{
	struct world *w = ctx;

	for (size_t i = 0; i < n; i++) {
		w->random = w->random * 6364136223846793005u + 1442695040888963407u;
		((unsigned char *)dst)[i] = (unsigned char)(w->random >> 56);
	}
}

static void world_udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	struct world *w = ctx;
	char name[32];

	world_note(w, "udp %s", world_name(bytes, name));
	world_keep(&w->last, &w->last_n, bytes);
	w->last_to = *to;
}

static inline int world_link_number(const struct world *w, const void *handle)
{
	return (int)((const struct world_link *)handle - w->link);
}

static void *world_connect(void *ctx, struct sip_conn *conn, enum sip_transport t,
			   const struct addr *to)
{
	struct world *w = ctx;

	if (w->refuse_connect || w->n_links == WORLD_LINKS) {
		world_note(w, "connect refused");
		return NULL;
	}
	w->link[++w->n_links] = (struct world_link){.conn = conn, .to = *to};
	world_note(w, "connect%d %s", w->n_links, t == SIP_TLS ? "tls" : "tcp");
	return &w->link[w->n_links];
}

static void world_write(void *ctx, void *handle, struct view bytes)
{
	struct world *w = ctx;
	char name[32];

	assert_non_null(((struct world_link *)handle)->conn);
	world_note(w, "tcp%d %s", world_link_number(w, handle), world_name(bytes, name));
	world_keep(&w->last, &w->last_n, bytes);
}

static void world_close(void *ctx, void *handle)
{
	struct world *w = ctx;
	struct world_link *l = handle;

	assert_non_null(l->conn);
	l->conn = NULL;
	world_note(w, "close%d", world_link_number(w, handle));
}

static void world_on_conn_down(void *ctx, uint64_t conn, uint64_t now_ms)
{
	(void)conn;
	assert_int_equal(now_ms, ((struct world *)ctx)->now);
	world_note(ctx, "lost");
}

static inline int world_tx_number(const struct world *w, const struct sip_server_tx *tx)
{
	for (int i = 0; i < w->n_txs; i++)
		if (w->tx[i] == tx)
			return i;
	fail_msg("a transaction that is gone or was never there");
	return -1;
}

static void world_on_cancel(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
			    uint64_t now_ms)
{
	(void)m;
	(void)now_ms;
	(void)world_tx_number(ctx, tx);
	world_note(ctx, "cancelled");
}

static void world_on_unacknowledged(void *ctx, struct sip_server_tx *tx, uint64_t now_ms)
{
	(void)now_ms;
	(void)world_tx_number(ctx, tx);
	world_note(ctx, "unacknowledged");
}

static void world_on_server_gone(void *ctx, struct sip_server_tx *tx)
{
	struct world *w = ctx;

	w->tx[world_tx_number(w, tx)] = NULL;
	world_note(w, "gone");
}

static const struct sip_server_handler world_server_handler = {
	world_on_cancel, world_on_unacknowledged, world_on_server_gone};

static void world_on_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
			     uint64_t now_ms)
{
	struct world *w = ctx;

	assert_int_equal(now_ms, w->now);
	assert_true(w->n_txs < WORLD_TXS);
	w->tx[w->n_txs++] = tx;
	world_note(w, "request %.*s", VIEW_ARG(m->method_name));
	world_keep(&w->request, &w->request_n, m->raw);
	if (!w->silent)
		sip_server_tx_attach(tx, &world_server_handler, w);
	if (w->check_merged && sip_server_tx_is_merged(tx))
		world_note(w, "merged");
	if (w->answer)
		assert_int_equal(sip_server_tx_reply(tx, w->answer, NULL, VIEW(""), now_ms), 0);
}

static void world_on_ack(void *ctx, const struct sip_msg *m, const struct sip_flow *from,
			 uint64_t now_ms)
{
	(void)now_ms;
	(void)from;
	assert_int_equal(m->method, SIP_ACK);
	world_note(ctx, "ack");
}

static void world_on_response(void *ctx, struct sip_client_tx *tx, const struct sip_msg *m,
			      uint64_t now_ms)
{
	struct world *w = ctx;

	(void)tx;
	assert_int_equal(now_ms, w->now);
	world_note(w, "told %u", m->status);
}

static void world_on_failed(void *ctx, struct sip_client_tx *tx, int error, uint64_t now_ms)
{
	struct world *w = ctx;

	(void)tx;
	assert_int_equal(now_ms, w->now);
	world_note(w, "failed %s", error_name(error));
}

static void world_on_client_gone(void *ctx, struct sip_client_tx *tx)
{
	struct world *w = ctx;

	if (w->client == tx)
		w->client = NULL;
	world_note(w, "gone");
}

static const struct sip_client_handler world_client_handler = {world_on_response, world_on_failed,
							       world_on_client_gone};

static inline struct addr world_addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_hostport(view_str(text), 5060, &a), 0);
	return a;
}

/* A world with the default configuration; tests may change w->cfg before world_begin. */
static inline struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	w->now = WORLD_BEGAN;
	w->random = test_seed();
	w->entropy = (struct entropy){world_fill, w};
	buf_init(&w->happened, 1 << 20);
	timers_init(&w->timers, w->now);
	sip_stack_config_defaults(&w->cfg);
	for (int t = 0; t < 3; t++) {
		w->cfg.sent_by[t][0] = world_addr(t == 2 ? "192.0.2.1:5061" : "192.0.2.1:5060");
		w->cfg.sent_by[t][1] =
			world_addr(t == 2 ? "[2001:db8::1]:5061" : "[2001:db8::1]:5060");
	}
	return w;
}

static inline unsigned world_admit(void *ctx, const struct sip_newcomer *n)
{
	struct world *w = ctx;

	w->asked++;
	w->newcomer = n->method;
	(void)view_copy(n->credentials, w->credentials, sizeof(w->credentials));
	return w->refuse_s;
}

static inline bool world_pressed(void *ctx)
{
	return ((struct world *)ctx)->is_pressed;
}

static inline void world_begin(struct world *w)
{
	const struct sip_stack_ops ops = {
		.udp_send = world_udp_send,
		.connect = world_connect,
		.write = world_write,
		.close = world_close,
		.on_request = world_on_request,
		.on_ack = world_on_ack,
		.on_conn_down = world_on_conn_down,
		.admit = world_admit,
		.pressed = world_pressed,
		.ctx = w,
	};

	w->stack = sip_stack_new(&w->cfg, &ops, &w->timers, &w->entropy,
				 w->log.write ? &w->log : NULL);
	assert_non_null(w->stack);
}

static inline struct world *world_default(void)
{
	struct world *w = world_new();

	world_begin(w);
	return w;
}

static inline void world_end(struct world *w)
{
	sip_stack_free(w->stack);
	assert_int_equal(w->timers.n, 0);
	buf_fini(&w->happened);
	free(w->last);
	free(w->request);
	free(w);
}

/* Lets time pass until `at` ms since the beginning, firing every timer at its own time. */
static inline void world_run(struct world *w, uint64_t at)
{
	uint64_t until = WORLD_BEGAN + at, next;

	while ((next = timers_next(&w->timers)) <= until) {
		if (next > w->now)
			w->now = next;
		timers_run(&w->timers, w->now);
	}
	w->now = until;
	timers_run(&w->timers, w->now);
}

/* Compares what happened since the last time, and forgets it. */
#define assert_happened(w, expected)                                                               \
	do {                                                                                       \
		buf_putc(&(w)->happened, '\0');                                                    \
		assert_string_equal((w)->happened.p, expected);                                    \
		buf_reset(&(w)->happened);                                                         \
	} while (0)

/* A request without a Via; extra: header lines. */
static inline char *world_request_text(const char *method, const char *extra, size_t body_n)
{
	struct buf b;
	size_t n;

	buf_init(&b, 1 << 20);
	buf_putf(&b,
		 "%s sip:bob@example.com SIP/2.0\r\nMax-Forwards: 70\r\n"
		 "From: <sip:alice@example.org>;tag=a1\r\nTo: <sip:bob@example.com>\r\n"
		 "Call-ID: c1@example.org\r\nCSeq: 7 %s\r\n%sContent-Length: %zu\r\n\r\n",
		 method, method, extra, body_n);
	while (body_n--)
		buf_putc(&b, 'x');
	buf_putc(&b, '\0');
	return buf_take(&b, &n);
}

static inline struct sip_flow world_flow(enum sip_transport t, const char *to)
{
	return (struct sip_flow){.transport = t, .remote = world_addr(to)};
}

/* Begins a client transaction; it is w->client. */
static inline void world_send(struct world *w, const char *method, const char *extra, size_t body_n,
			      const struct sip_flow *to)
{
	char *text = world_request_text(method, extra, body_n);

	assert_int_equal(sip_client_tx_new(w->stack, view_str(text), to, &world_client_handler, w,
					   w->now, &w->client),
			 0);
	free(text);
}

/* A response to a request that the stack sent. to_tag NULL: none. */
static inline char *world_response_text(const char *request, int status, const char *to_tag,
					const char *extra)
{
	struct sip_msg m;
	struct buf b;
	size_t n;
	char *text;

	buf_init(&b, 1 << 20);
	assert_int_equal(sip_msg_parse(view_str(request), &m), 0);
	sip_write_response_head(&b, &m, status, NULL, view_str(to_tag));
	buf_puts(&b, extra ? extra : "");
	sip_write_body(&b, VIEW(""), VIEW(""));
	buf_putc(&b, '\0');
	assert_true(buf_ok(&b));
	text = buf_take(&b, &n);
	return text;
}

static inline void world_datagram(struct world *w, const char *bytes, const char *from)
{
	struct addr a = world_addr(from);

	sip_stack_datagram(w->stack, view_str(bytes), &a, w->now);
}

static inline void world_stream(struct world *w, int link, const char *bytes)
{
	assert_non_null(w->link[link].conn);
	sip_conn_recv(w->link[link].conn, view_str(bytes), w->now);
}

/* A connection from outside; its number. */
static inline int world_accept(struct world *w, const char *from)
{
	struct world_link *l = &w->link[++w->n_links];

	l->to = world_addr(from);
	l->conn = sip_conn_accept(w->stack, l, SIP_TCP, &l->to, w->now);
	return l->conn ? w->n_links : 0;
}

/* A connection that never came up. */
static inline void world_refuse(struct world *w, int link)
{
	struct sip_conn *c = w->link[link].conn;

	assert_non_null(c);
	w->link[link].conn = NULL;
	sip_conn_down(c, w->now);
}

/* One that was there. */
static inline void world_break(struct world *w, int link)
{
	struct sip_conn *c = w->link[link].conn;

	assert_non_null(c);
	sip_conn_up(c, w->now);
	w->link[link].conn = NULL;
	sip_conn_down(c, w->now);
}

/* A request as it comes from outside. via: the whole value of the topmost Via line. */
static inline char *world_incoming_text(const char *method, const char *via, const char *extra)
{
	struct buf b;
	size_t n;

	buf_init(&b, 1 << 20);
	buf_putf(&b,
		 "%s sip:bob@example.com SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\n"
		 "From: <sip:alice@example.org>;tag=a1\r\nTo: <sip:bob@example.com>\r\n"
		 "Call-ID: c1@example.org\r\nCSeq: 7 %s\r\n%sContent-Length: 0\r\n\r\n",
		 method, via, method, extra);
	buf_putc(&b, '\0');
	return buf_take(&b, &n);
}

static inline void world_incoming(struct world *w, const char *method, const char *via,
				  const char *extra, const char *from)
{
	char *text = world_incoming_text(method, via, extra);

	world_datagram(w, text, from);
	free(text);
}

/* The value of a header field of a message, as a view into it. */
static inline struct view world_field(const char *message, enum sip_header_id id)
{
	struct sip_msg m;

	assert_int_equal(sip_msg_parse(view_str(message), &m), 0);
	return sip_msg_value(&m, id);
}

#define assert_view(v, expected)                                                                   \
	do {                                                                                       \
		struct view view_ = (v);                                                           \
		char *text_ = view_dup(view_);                                                     \
		assert_string_equal(text_, expected);                                              \
		free(text_);                                                                       \
	} while (0)

static inline void assert_sent_to(const struct world *w, const char *expected)
{
	char text[ADDR_TEXT_MAX];

	assert_string_equal(addr_text(&w->last_to, text), expected);
}

#endif
