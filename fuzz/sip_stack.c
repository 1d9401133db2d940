/*
 * Fuzz target: the transaction layer in a world of its own. The input is a script of commands,
 * parted by the byte 0x1e; the first byte of each says what it is and the rest is its text: D
 * datagram   1 2 bytes on a connection   T time passes   B a connection breaks   W connecting fails
 * or not I M G L O the stack sends INVITE, MESSAGE, a large MESSAGE, a local INVITE, a MESSAGE over
 * TCP   C CANCEL R the last request sent is answered with the status in the text   A the user
 * answers   F detach The user answers as the first byte of the input and the course of things
 * decide.
 */
#include "base/error.h"
#include "sip/stack.h"
#include "sip/write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINKS = 64, TXS = 512, SEPARATOR = 0x1e };

struct link {
	struct sip_conn *conn;
};

struct world {
	struct timers timers;
	struct sip_stack *stack;
	uint64_t now, random;
	struct link link[LINKS];
	size_t n_links;
	struct link *in[2];
	bool refuse;
	struct sip_server_tx *server[TXS];
	struct sip_client_tx *client[TXS], *last_client;
	struct buf sent; /* the last request */
	enum sip_transport sent_by;
	struct link *sent_on;
};

static unsigned roll(struct world *w, unsigned n)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(w->random >> 40) % n;
}

static void fill(void *ctx, void *dst, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((unsigned char *)dst)[i] = (unsigned char)roll(ctx, 256);
}

static void check(bool truth)
{
	if (!truth)
		abort();
}

static void note_sent(struct world *w, struct view bytes, enum sip_transport t, struct link *l)
{
	struct sip_msg m;

	check(bytes.n > 0);
	if (view_starts(bytes, VIEW("\r\n")) || view_starts(bytes, VIEW("SIP/2.0 ")))
		return;
	check(sip_msg_parse(bytes, &m) == 0 && m.is_request);
	buf_reset(&w->sent);
	buf_put(&w->sent, bytes);
	w->sent_by = t;
	w->sent_on = l;
}

static void udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	check(to->family != 0);
	note_sent(ctx, bytes, SIP_UDP, NULL);
}

static void *open_link(void *ctx, struct sip_conn *conn, enum sip_transport t,
		       const struct addr *to)
{
	struct world *w = ctx;

	(void)t;
	check(to->family != 0);
	if (w->refuse || w->n_links == LINKS)
		return NULL;
	w->link[w->n_links].conn = conn;
	return &w->link[w->n_links++];
}

static void write_link(void *ctx, void *handle, struct view bytes)
{
	struct link *l = handle;

	check(l->conn != NULL);
	note_sent(ctx, bytes, SIP_TCP, l);
}

static void close_link(void *ctx, void *handle)
{
	struct link *l = handle;

	(void)ctx;
	check(l->conn != NULL);
	l->conn = NULL;
}

static void answer(struct world *w, struct sip_server_tx *tx)
{
	static const int statuses[] = {100, 180, 183, 200, 202, 302, 404, 486, 500, 603};
	bool pending = sip_server_tx_pending(tx);
	int rc = sip_server_tx_reply(tx, statuses[roll(w, 10)], NULL, VIEW(""), w->now);

	check(pending || rc == E_STATE);
}

static void on_cancel(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms)
{
	check(m->method == SIP_CANCEL && sip_server_tx_pending(tx));
	if (roll(ctx, 2))
		check(sip_server_tx_reply(tx, 487, NULL, VIEW(""), now_ms) == 0);
}

static void on_server_gone(void *ctx, struct sip_server_tx *tx)
{
	struct world *w = ctx;
	size_t i = 0;

	while (i < TXS && w->server[i] != tx)
		i++;
	check(i < TXS);
	w->server[i] = NULL;
}

static const struct sip_server_handler server_handler = {.on_cancel = on_cancel,
							 .on_gone = on_server_gone};

static void on_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
		       uint64_t now_ms)
{
	struct world *w = ctx;
	struct sip_msg again;
	size_t i = 0;

	check(now_ms == w->now && m->is_request && m->method != SIP_ACK && m->method != SIP_CANCEL);
	check(sip_server_tx_request(tx, &again) == 0 && view_eq(again.raw, m->raw));
	while (i < TXS && w->server[i])
		i++;
	if (i == TXS) {
		check(sip_server_tx_reply(tx, 503, NULL, VIEW(""), now_ms) == 0);
		return;
	}
	w->server[i] = tx;
	sip_server_tx_attach(tx, &server_handler, w);
	if (roll(w, 2) && sip_server_tx_is_merged(tx))
		check(sip_server_tx_reply(tx, 482, NULL, VIEW(""), now_ms) == 0);
	else if (roll(w, 2))
		answer(w, tx);
}

static void on_ack(void *ctx, const struct sip_msg *m, const struct sip_flow *from, uint64_t now_ms)
{
	(void)ctx;
	(void)from;
	(void)now_ms;
	check(m->method == SIP_ACK);
}

static void on_response(void *ctx, struct sip_client_tx *tx, const struct sip_msg *m,
			uint64_t now_ms)
{
	struct world *w = ctx;

	check(!m->is_request && m->status > 100 && now_ms == w->now);
	if (roll(w, 8) == 0)
		sip_client_tx_cancel(tx, VIEW(""), now_ms);
}

static void on_failed(void *ctx, struct sip_client_tx *tx, int error, uint64_t now_ms)
{
	(void)ctx;
	(void)tx;
	(void)now_ms;
	check(error == E_TIMEOUT || error == E_IO || error == E_NOMEM || error == E_LIMIT);
}

static void on_client_gone(void *ctx, struct sip_client_tx *tx)
{
	struct world *w = ctx;
	size_t i = 0;

	while (i < TXS && w->client[i] != tx)
		i++;
	check(i < TXS);
	w->client[i] = NULL;
	if (w->last_client == tx)
		w->last_client = NULL;
}

static const struct sip_client_handler client_handler = {on_response, on_failed, on_client_gone};

static void pass_time(struct world *w, uint64_t ms)
{
	uint64_t until = w->now + ms, next;

	while ((next = timers_next(&w->timers)) <= until) {
		if (next > w->now)
			w->now = next;
		timers_run(&w->timers, w->now);
	}
	w->now = until;
	timers_run(&w->timers, w->now);
}

static struct addr peer(uint8_t last)
{
	return (struct addr){.family = 4, .port = 5060, .ip = {192, 0, 2, last}};
}

static void send_request(struct world *w, const char *method, size_t body_n, struct sip_flow to)
{
	struct buf b;
	size_t i = 0;

	while (i < TXS && w->client[i])
		i++;
	if (i == TXS)
		return;
	buf_init(&b, 1 << 16);
	buf_putf(&b,
		 "%s sip:b@example.com SIP/2.0\r\nFrom: <sip:a@example.org>;tag=1\r\n"
		 "To: <sip:b@example.com>\r\nCall-ID: c%u\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\n"
		 "Content-Length: %zu\r\n\r\n",
		 method, roll(w, 1000), method, body_n);
	while (body_n--)
		buf_putc(&b, 'x');
	if (buf_ok(&b) && sip_client_tx_new(w->stack, buf_view(&b), &to, &client_handler, w, w->now,
					    &w->client[i]) == 0)
		w->last_client = w->client[i];
	buf_fini(&b);
}

static void link_recv(struct world *w, struct link *l, struct view bytes)
{
	/* Exactly as long as the input, so that a sanitizer sees a byte too far. */
	char *copy = malloc(bytes.n ? bytes.n : 1);

	if (copy) {
		memcpy(copy, bytes.p, bytes.n);
		sip_conn_recv(l->conn, view_of(copy, bytes.n), w->now);
	}
	free(copy);
}

static void stream(struct world *w, int which, struct view bytes)
{
	struct addr from = peer((uint8_t)(20 + which));

	if (!w->in[which] || !w->in[which]->conn) {
		if (w->n_links == LINKS)
			return;
		w->in[which] = &w->link[w->n_links];
		w->in[which]->conn =
			sip_conn_accept(w->stack, w->in[which], SIP_TCP, &from, w->now);
		if (!w->in[which]->conn)
			return;
		w->n_links++;
	}
	link_recv(w, w->in[which], bytes);
}

/* Answers the last request that the stack sent, on the way it came. */
static void respond(struct world *w, struct view text)
{
	struct addr from = peer(9);
	struct sip_msg m;
	struct buf b;
	uint32_t status;

	if (view_to_u32(view_first(text, 3), &status) || status < 100 || status > 699)
		status = 200;
	if (!w->sent.n || sip_msg_parse(buf_view(&w->sent), &m))
		return;
	buf_init(&b, 1 << 17);
	sip_write_response_head(&b, &m, (int)status, NULL, view_first(view_from(text, 3), 1));
	sip_write_body(&b, VIEW(""), VIEW(""));
	if (!buf_ok(&b))
		;
	else if (w->sent_by == SIP_UDP)
		sip_stack_datagram(w->stack, buf_view(&b), &from, w->now);
	else if (w->sent_on->conn)
		link_recv(w, w->sent_on, buf_view(&b));
	buf_fini(&b);
}

static void break_link(struct world *w, struct view text)
{
	struct link *l;
	struct sip_conn *c;

	if (!w->n_links)
		return;
	l = &w->link[text.n ? (unsigned char)text.p[0] % w->n_links
			    : roll(w, (unsigned)w->n_links)];
	c = l->conn;
	l->conn = NULL;
	if (c)
		sip_conn_down(c, w->now);
}

static void user_answers(struct world *w)
{
	size_t i = roll(w, TXS);

	for (size_t n = 0; n < TXS; n++, i = (i + 1) % TXS)
		if (w->server[i]) {
			answer(w, w->server[i]);
			return;
		}
}

static void detach(struct world *w)
{
	if (!w->last_client)
		return;
	for (size_t i = 0; i < TXS; i++)
		if (w->client[i] == w->last_client)
			w->client[i] = NULL;
	sip_client_tx_detach(w->last_client);
	w->last_client = NULL;
}

static void sending(struct world *w, char what)
{
	struct sip_flow to = {.transport = SIP_UDP, .remote = peer(9)};

	if (what == 'O')
		to.transport = SIP_TCP;
	if (what == 'L')
		to = (struct sip_flow){.transport = SIP_LOCAL};
	to.may_grow = what == 'G';
	send_request(w, what == 'I' || what == 'L' ? "INVITE" : "MESSAGE", what == 'G' ? 2000 : 0,
		     to);
}

static void command(struct world *w, struct view record)
{
	struct view text = view_from(record, 1);
	struct addr from = peer((uint8_t)(9 + roll(w, 3)));
	uint8_t steps = text.n ? (uint8_t)text.p[0] : 50;

	switch (record.n ? record.p[0] : '\0') {
	case 'D':
		sip_stack_datagram(w->stack, text, &from, w->now);
		break;
	case '1':
	case '2':
		stream(w, record.p[0] - '1', text);
		break;
	case 'T':
		pass_time(w, (uint64_t)steps * steps);
		break;
	case 'B':
		break_link(w, text);
		break;
	case 'W':
		w->refuse = !w->refuse;
		break;
	case 'C':
		if (w->last_client)
			sip_client_tx_cancel(w->last_client, VIEW("Reason: SIP\r\n"), w->now);
		break;
	case 'R':
		respond(w, text);
		break;
	case 'A':
		user_answers(w);
		break;
	case 'F':
		detach(w);
		break;
	default:
		if (record.n && memchr("IMGLO", record.p[0], 5))
			sending(w, record.p[0]);
	}
}

/* Everything that waits for the user gets its answer; then only what an INVITE without a final
 * response holds may be left. */
static void finish(struct world *w)
{
	for (size_t i = 0; i < TXS; i++) {
		if (w->server[i] && sip_server_tx_pending(w->server[i]))
			(void)sip_server_tx_reply(w->server[i], 500, NULL, VIEW(""), w->now);
		if (w->client[i])
			sip_client_tx_cancel(w->client[i], VIEW(""), w->now);
	}
	pass_time(w, 300000);
	for (size_t i = 0; i < TXS; i++)
		check(!w->client[i]);
	sip_stack_free(w->stack);
	for (size_t i = 0; i < TXS; i++)
		check(!w->server[i]);
	for (size_t i = 0; i < LINKS; i++)
		check(!w->link[i].conn);
	check(w->timers.n == 0);
	buf_fini(&w->sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	struct entropy entropy = {fill, &w};
	struct sip_stack_config cfg;
	struct sip_stack_ops ops = {.udp_send = udp_send,
				    .connect = open_link,
				    .write = write_link,
				    .close = close_link,
				    .on_request = on_request,
				    .on_ack = on_ack,
				    .ctx = &w};
	struct view script, record;

	if (size < 2)
		return 0;
	w = (struct world){.now = 1000000, .random = data[0]};
	timers_init(&w.timers, w.now);
	buf_init(&w.sent, 1 << 17);
	sip_stack_config_defaults(&cfg);
	cfg.sent_by[SIP_UDP][0] = cfg.sent_by[SIP_TCP][0] = peer(1);
	cfg.max_tx = TXS / 2;
	cfg.max_message = 8192;
	w.stack = sip_stack_new(&cfg, &ops, &w.timers, &entropy, NULL);
	if (!w.stack)
		return 0;
	script = view_of((const char *)data + 1, size - 1);
	while (script.n) {
		record = view_cut(&script, SEPARATOR);
		command(&w, record);
	}
	finish(&w);
	return 0;
}
