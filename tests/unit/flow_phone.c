#include "flow_phone.h"

#include "io/digest.h"
#include "sip/write.h"

#define SDP                                                                                        \
	"v=0\r\no=- 1 1 IN IP4 192.0.2.99\r\ns=-\r\nc=IN IP4 192.0.2.99\r\nt=0 0\r\n"              \
	"m=message 7777 TCP/MSRP *\r\na=path:msrp://192.0.2.99:7777/foreign;tcp\r\n"               \
	"a=accept-types:message/cpim text/plain\r\n"

const char *sdp_offer(void)
{
	return SDP "a=setup:actpass\r\n";
}

const char *sdp_answer(void)
{
	return SDP "a=setup:active\r\n";
}

const char *field_of(const char *message, const char *name)
{
	static char value[4][1024];
	static unsigned turn;
	char *v = value[++turn % 4];
	struct sip_msg m;

	v[0] = '\0';
	assert_int_equal(sip_msg_parse(view_str(message), &m), 0);
	for (int i = 0; i < m.n_fields; i++)
		if (view_eq_nocase(sip_field_name(&m, i), view_str(name))) {
			(void)view_copy(sip_field_value(&m, i), v, 1024);
			break;
		}
	return v;
}

static void keep(char *to, struct view bytes)
{
	assert_true(view_copy(bytes, to, PHONE_TEXT));
}

/* --- what comes in --- */

static void on_answered(void *ctx, struct sip_session *s, const struct sip_msg *m, uint64_t now_ms)
{
	struct phone *p = ctx;

	(void)s;
	(void)now_ms;
	p->status = m->status;
	keep(p->response, m->raw);
}

static void on_ended(void *ctx, struct sip_session *s, enum sip_session_end why, int status,
		     const struct sip_msg *m, uint64_t now_ms)
{
	struct phone *p = ctx;

	(void)s;
	(void)now_ms;
	p->ended = true;
	if (why == SIP_END_REJECTED && m) {
		p->status = status;
		keep(p->response, m->raw);
	}
	if (why == SIP_END_BYE_RECEIVED) {
		p->n_byes++;
		keep(p->bye, m->raw);
	}
}

static const struct sip_session_handler session_handler = {.on_answered = on_answered,
							   .on_ended = on_ended};

static void invited(struct phone *p, struct sip_server_tx *tx, const struct sip_msg *m,
		    uint64_t now_ms)
{
	p->n_invites++;
	keep(p->invite, m->raw);
	if (p->to_invite > 0) {
		(void)sip_server_tx_reply(
			tx, p->to_invite, NULL,
			p->to_invite == 420 ? VIEW("Unsupported: replaces\r\n") : VIEW(""), now_ms);
		return;
	}
	sip_session_free(p->session);
	p->session = NULL;
	p->ended = false;
	assert_int_equal(sip_session_incoming(p->ua, tx, m, VIEW(""), &session_handler, p, now_ms,
					      &p->session),
			 0);
	if (p->to_invite < 0)
		(void)sip_session_ring(p->session, 180, view_str(p->contact), now_ms);
	else
		(void)sip_session_answer(p->session, view_str(p->contact), VIEW(""),
					 VIEW("application/sdp"), view_str(sdp_answer()), now_ms);
}

static void on_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
		       uint64_t now_ms)
{
	struct phone *p = ctx;

	if (m->method == SIP_NOTIFY) {
		p->n_notifies++;
		keep(p->notify, m->raw);
		(void)sip_server_tx_reply(tx, 200, NULL, VIEW(""), now_ms);
	} else if (sip_ua_request(p->ua, tx, m, now_ms)) {
		return;
	} else if (m->method == SIP_INVITE) {
		invited(p, tx, m, now_ms);
	} else {
		(void)sip_server_tx_reply(tx, 405, NULL, VIEW(""), now_ms);
	}
}

static void on_ack(void *ctx, const struct sip_msg *m, const struct sip_flow *from, uint64_t now_ms)
{
	(void)from;
	(void)sip_ua_ack(((struct phone *)ctx)->ua, m, now_ms);
}

/* --- what goes out --- */

static void udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	struct phone *p = ctx;

	if (p->w->trace)
		printf("%8lu %-8s > %.*s\n", (unsigned long)(p->w->net.now - WORLD_BEGAN), p->name,
		       VIEW_ARG(bytes));
	net_send(&p->w->net, &p->addr, to, bytes);
}

static void *no_connect(void *ctx, struct sip_conn *conn, enum sip_transport t,
			const struct addr *to)
{
	(void)ctx;
	(void)conn;
	(void)t;
	(void)to;
	return NULL;
}

static void datagram(void *ctx, struct view bytes, const struct addr *from)
{
	struct phone *p = ctx;

	sip_stack_datagram(p->stack, bytes, from, p->w->net.now);
}

static void on_response(void *ctx, struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	struct phone *p = ctx;

	(void)now_ms;
	if (m->status < 200)
		return;
	p->status = m->status;
	keep(p->response, m->raw);
	sip_uac_detach(uac);
}

static void on_failed(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms)
{
	(void)error;
	(void)now_ms;
	((struct phone *)ctx)->status = -1;
	sip_uac_detach(uac);
}

static const struct sip_uac_handler uac_handler = {.on_response = on_response,
						   .on_failed = on_failed};

static int next_hop(void *ctx, struct view uri, struct sip_flow *out)
{
	struct phone *p = ctx;

	(void)uri;
	*out = (struct sip_flow){.transport = SIP_UDP, .remote = p->w->server.sip};
	return 0;
}

/* Lines end with \n where they are written down. */
static void put_lines(struct buf *b, const char *lines)
{
	for (; *lines; lines++) {
		if (*lines == '\n')
			buf_putc(b, '\r');
		buf_putc(b, *lines);
	}
}

static bool answered(void *ctx)
{
	return ((struct phone *)ctx)->status != 0;
}

static int await(struct phone *p)
{
	if (!p->no_wait)
		(void)world_until(p->w, answered, p, 40000);
	return p->status;
}

static int request(struct phone *p, const char *method, const char *uri, const char *to,
		   const char *lines, const char *type, const char *body)
{
	struct sip_flow flow = {.transport = SIP_UDP, .remote = p->w->server.sip};
	struct buf b;

	p->status = 0;
	buf_init(&b, PHONE_TEXT);
	sip_write_request_line(&b, view_str(method), view_str(uri));
	sip_write_fieldf(&b, "From", "%s;tag=f%u", p->from, ++p->serial);
	sip_write_fieldf(&b, "To", "<%s>", to);
	sip_write_fieldf(&b, "Call-ID", "%s-%u", p->name, p->serial);
	sip_write_fieldf(&b, "CSeq", "1 %s", method);
	sip_write_fieldf(&b, "Max-Forwards", "70");
	sip_write_field(&b, "Contact", view_str(p->contact));
	put_lines(&b, lines);
	sip_write_body(&b, view_str(type), view_str(body));
	assert_true(buf_ok(&b));
	assert_int_equal(sip_uac_send(p->ua, buf_view(&b), &flow, NULL, &uac_handler, p,
				      p->w->net.now, NULL),
			 0);
	buf_fini(&b);
	return await(p);
}

int phone_request(struct phone *p, const char *method, const char *uri, const char *lines,
		  const char *type, const char *body)
{
	return request(p, method, uri, uri, lines, type, body);
}

static int phone_register(struct phone *p)
{
	return request(p, "REGISTER", "sip:example.com", p->uri, "Expires: 7200\n", "", "");
}

int phone_invite(struct phone *p, const char *uri, const char *lines, const char *type,
		 const char *body)
{
	struct sip_invite i = {.uri = view_str(uri),
			       .from = view_str(p->from),
			       .contact = view_str(p->contact),
			       .content_type = view_str(type),
			       .body = view_str(body),
			       .flow = {.transport = SIP_UDP, .remote = p->w->server.sip}};
	struct buf extra;

	p->status = 0;
	p->ended = false;
	sip_session_free(p->session);
	p->session = NULL;
	buf_init(&extra, PHONE_TEXT);
	put_lines(&extra, lines);
	i.extra = buf_view(&extra);
	assert_int_equal(
		sip_session_invite(p->ua, &i, &session_handler, p, p->w->net.now, &p->session), 0);
	buf_fini(&extra);
	return await(p);
}

void phone_bye(struct phone *p, const char *lines)
{
	struct buf extra;

	buf_init(&extra, PHONE_TEXT);
	put_lines(&extra, lines);
	sip_session_end(p->session, buf_view(&extra), p->w->net.now);
	buf_fini(&extra);
}

struct phone *phone_new(struct flow_world *w, const char *name, const char *user)
{
	struct phone *p = calloc(1, sizeof(*p));
	struct sip_stack_ops ops = {.udp_send = udp_send,
				    .connect = no_connect,
				    .on_request = on_request,
				    .on_ack = on_ack,
				    .ctx = p};
	struct sip_ua_config ua = {.digest = io_digest(),
				   .user = view_str(user),
				   .password = VIEW("secret"),
				   .max_dialogs = 100000,
				   .next_hop = next_hop,
				   .ctx = p};
	struct sip_stack_config cfg;
	char at[ADDR_TEXT_MAX];

	assert_non_null(p);
	p->w = w;
	p->name = name;
	p->random = w->seed * 91 + w->n_timers;
	p->entropy = (struct entropy){world_fill, &p->random};
	snprintf(at, sizeof(at), "192.0.2.%zu:5060", 100 + w->n_timers);
	p->addr = world_addr(at);
	snprintf(p->uri, sizeof(p->uri), "sip:%s@example.com", user);
	snprintf(p->from, sizeof(p->from), "<%s>", p->uri);
	snprintf(p->contact, sizeof(p->contact), "<sip:%s@%s>;+g.oma.sip-im", user, at);
	timers_init(&p->timers, w->net.now);
	w->timers[w->n_timers++] = &p->timers;
	net_listen(&w->net, name, &p->addr, NULL, datagram, p);
	sip_stack_config_defaults(&cfg);
	cfg.sent_by[SIP_UDP][0] = p->addr;
	p->stack = sip_stack_new(&cfg, &ops, &p->timers, &p->entropy, NULL);
	assert_non_null(p->stack);
	p->ua = sip_ua_new(p->stack, &ua);
	assert_non_null(p->ua);
	assert_int_equal(phone_register(p), 200);
	return p;
}

void phone_free(struct phone *p)
{
	sip_session_free(p->session);
	sip_stack_free(p->stack);
	sip_ua_free(p->ua);
	assert_int_equal(p->timers.n, 0);
	net_listener_at(&p->w->net, &p->addr)->datagram = NULL;
	for (size_t i = 0; i < p->w->n_timers; i++)
		if (p->w->timers[i] == &p->timers)
			p->w->timers[i] = p->w->timers[--p->w->n_timers];
	free(p);
}
