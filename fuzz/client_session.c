/*
 * The IM Client against a server and peers that say anything: SIP by UDP, MSRP on connections that
 * it makes and takes, a person who asks for this and that, a virtual clock.
 *
 * Input: a byte of settings, then the records of a script (session_driver.h). The first byte of one
 * says what happens:
 *
 *  - s: the rest is a datagram of the server's
 *  - o: the newest request of the client's is answered: status, then header lines and body
 *  - m, n: bytes on the newest MSRP connection that it made, or that it took
 *  - u, d: the one that it made comes up; both break
 *  - C F A K S P T N W Q L D Y: call, conference, add, take out, send, privately, type, nickname,
 * who, page, leave, decline, accept, of conversation 1 or the one after "C" and so on
 *  - 0 to 9: time passes, more with each
 *
 * In texts, {x} is also the transaction id, {y} the To-Path and {z} the From-Path of its last MSRP
 * request.
 */
#include "base/error.h"
#include "client/client.h"
#include "io/digest.h"
#include "msrp/head.h"
#include "session_driver.h"

#define SDP                                                                                        \
	"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"                \
	"m=message 2855 TCP/MSRP *\r\na=accept-types:message/cpim text/plain\r\n"                  \
	"a=accept-wrapped-types:*\r\na=path:msrp://192.0.2.1:2855/seat;tcp\r\na=setup:passive\r\n" \
	"a=chatroom:nickname private-messages\r\n"

struct world {
	struct driver d;
	struct client *client;
	struct msrp_conn *conn[2]; /* that it made, that it took */
	bool muted[2];
	unsigned sum, meddling;
	char tid[64], to[512], from[512];
	struct addr server;
};

static struct world *w;

/* --- what the client does to the world --- */

static void udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	struct sip_msg m;

	(void)ctx;
	(void)to;
	(void)driver_sent(&w->d, bytes, &m);
}

static void *no_tcp(void *ctx, struct sip_conn *conn, enum sip_transport t, const struct addr *to)
{
	(void)ctx;
	(void)conn;
	(void)t;
	(void)to;
	return NULL;
}

static void *msrp_connect(void *ctx, struct msrp_conn *conn, const struct addr *to, bool tls)
{
	(void)ctx;
	(void)to;
	if (tls || w->conn[0])
		return NULL;
	w->conn[0] = conn;
	w->muted[0] = false;
	return &w->conn[0];
}

static void msrp_write(void *ctx, void *handle, struct view bytes)
{
	struct msrp_conn **c = handle;
	struct msrp_head_end end;
	struct msrp_head h;

	(void)ctx;
	check(*c && !w->muted[c - w->conn] && bytes.n);
	for (size_t i = 0; i < bytes.n; i++)
		w->sum += (unsigned char)bytes.p[i];
	if (msrp_head_parse(bytes, &h, &end) != MSRP_HEAD_DONE || !h.is_request)
		return;
	(void)view_copy(h.tid, w->tid, sizeof(w->tid));
	(void)view_copy(h.to_path, w->to, sizeof(w->to));
	(void)view_copy(h.from_path, w->from, sizeof(w->from));
}

static size_t msrp_pending(void *ctx, void *handle)
{
	(void)ctx;
	(void)handle;
	return 0;
}

static void msrp_finish(void *ctx, void *handle)
{
	(void)ctx;
	w->muted[(struct msrp_conn **)handle - w->conn] = true;
}

static void msrp_close(void *ctx, void *handle)
{
	(void)ctx;
	*(struct msrp_conn **)handle = NULL;
}

static void read_text(const char *text)
{
	for (; *text; text++)
		w->sum += (unsigned char)*text;
}

/* Reads all of an event, and now and then asks for something out of it. */
static void on_event(void *ctx, const struct confab_event *ev)
{
	(void)ctx;
	read_text(ev->peer);
	read_text(ev->display);
	read_text(ev->uri);
	read_text(ev->id);
	read_text(ev->text);
	read_text(ev->content_type);
	for (size_t i = 0; i < ev->data_n; i++)
		w->sum += (unsigned char)ev->data[i];
	for (size_t i = 0; i < ev->n_participants; i++) {
		read_text(ev->participant[i].uri);
		read_text(ev->participant[i].display);
		read_text(ev->participant[i].status);
		read_text(ev->participant[i].how);
	}
	if (w->meddling && ++w->meddling % 8 == 0)
		(void)client_leave(w->client, ev->conversation, false, w->d.now);
}

/* --- what the server and peers say --- */

static bool put(struct buf *b, char what, int who, struct view text)
{
	(void)who;
	(void)text;
	if (what != 'x' && what != 'y' && what != 'z')
		return false;
	buf_puts(b, what == 'x' ? w->tid : what == 'y' ? w->to : w->from);
	return true;
}

/* conn NULL: a datagram. */
static void say(struct msrp_conn *conn, bool msrp, struct view text)
{
	struct view bytes = driver_said(&w->d, 0, text);

	if (!msrp)
		sip_stack_datagram(client_stack(w->client), bytes, &w->server, w->d.now);
	else if (conn)
		msrp_conn_recv(conn, bytes, w->d.now);
	free((char *)bytes.p);
}

static void answers(struct view text)
{
	struct buf b;

	buf_init(&b, DRIVER_SAID);
	if (driver_answer(&w->d, &b, text,
			  "Contact: <sip:conf-1@192.0.2.1:5060>;isfocus\r\nAllow: INVITE\r\n"
			  "Supported: replaces\r\nExpires: 600\r\n",
			  SDP))
		sip_stack_datagram(client_stack(w->client), buf_view(&b), &w->server, w->d.now);
	buf_fini(&b);
}

static void breaks(int i)
{
	struct msrp_conn *c = w->conn[i];

	w->conn[i] = NULL;
	if (c)
		msrp_conn_down(c, w->d.now);
}

static void take(void)
{
	if (!w->conn[1]) {
		w->muted[1] = false;
		w->conn[1] = msrp_conn_accept(client_msrp(w->client), &w->conn[1], w->d.now);
	}
}

/* --- what the person asks for --- */

static void asks(char what, uint32_t chat)
{
	static const struct view people[] = {{"sip:bo@example.com", 18},
					     {"sip:charles@example.com", 23}};
	char id[CONFAB_ID_SIZE];
	struct client *c = w->client;
	uint32_t made;

	switch (what) {
	case 'C':
		(void)client_call(c, people, 1, &made, w->d.now);
		break;
	case 'F':
		(void)client_call(c, people, 2, &made, w->d.now);
		break;
	case 'A':
		(void)client_add(c, chat, people + 1, 1, w->d.now);
		break;
	case 'K':
		(void)client_kick(c, chat, people, 1, w->d.now);
		break;
	case 'S':
		(void)client_send(c, chat, VIEW("hello"), id, w->d.now);
		break;
	case 'P':
		(void)client_send_to(c, chat, people[0], VIEW("psst"), id, w->d.now);
		break;
	case 'T':
		(void)client_typing(c, chat, true, w->d.now);
		break;
	case 'N':
		(void)client_nick(c, chat, VIEW("nick"), w->d.now);
		break;
	case 'W':
		(void)client_who(c, chat, w->d.now);
		break;
	case 'Q':
		(void)client_page(c, people[0], VIEW("page"), id, w->d.now);
		break;
	case 'L':
		(void)client_leave(c, chat, false, w->d.now);
		break;
	case 'D':
		(void)client_decline(c, chat, 603, w->d.now);
		break;
	case 'Y':
		(void)client_accept(c, chat, w->d.now);
		break;
	default:
		break;
	}
}

/* --- life --- */

static void step(struct view record)
{
	static const uint64_t pause[] = {0,	10,    300,    1000,   5000,
					 20000, 40000, 100000, 300000, 900000};
	char what;

	if (!record.n)
		return;
	what = record.p[0];
	record = view_from(record, 1);
	if (what >= '0' && what <= '9') {
		driver_pass_time(&w->d, pause[what - '0']);
	} else if (what == 's') {
		say(NULL, false, record);
	} else if (what == 'o') {
		answers(record);
	} else if (what == 'm') {
		say(w->conn[0], true, record);
	} else if (what == 'n') {
		take();
		say(w->conn[1], true, record);
	} else if (what == 'u') {
		if (w->conn[0])
			msrp_conn_up(w->conn[0], w->d.now);
	} else if (what == 'd') {
		breaks(0);
		breaks(1);
	} else {
		asks(what, record.n ? (uint32_t)(unsigned char)record.p[0] - '0' : 1);
	}
	driver_pass_time(&w->d, 0);
}

static void begin(unsigned settings)
{
	const struct client_world world = {
		.udp_send = udp_send,
		.sip_connect = no_tcp,
		.msrp = {msrp_connect, msrp_write, msrp_pending, msrp_finish, msrp_close, NULL,
			 NULL},
		.event = on_event,
	};
	struct client_config cfg = {.user = VIEW("sip:ann@example.com"),
				    .password = VIEW("secret"),
				    .auto_accept = settings & 1,
				    .ask_before_move = settings & 2,
				    .notices = settings & 4,
				    .ims = settings & 8,
				    .max_conversations = 4,
				    .register_expires = 600,
				    .max_message = 1 << 16,
				    .drain_ms = 5000};

	w = calloc(1, sizeof(*w));
	check(w != NULL);
	driver_init(&w->d);
	w->d.put = put;
	w->meddling = settings & 16 ? 1 : 0;
	check(addr_parse_hostport(VIEW("192.0.2.1:5060"), 5060, &w->server) == 0);
	cfg.server = (struct sip_flow){.transport = SIP_UDP, .remote = w->server};
	check(addr_parse_hostport(VIEW("192.0.2.7:5060"), 5060, &cfg.sip_local[0]) == 0);
	cfg.sip_local[1] = cfg.msrp_local = cfg.sip_local[0];
	w->client = client_new(&cfg, &world, io_digest(), &w->d.timers, &w->d.entropy, NULL);
	check(w->client != NULL);
	client_register(w->client, w->d.now);
	driver_pass_time(&w->d, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	begin(data[0]);
	driver_run(data + 1, size - 1, step);
	/* Whatever was said to it, it comes to an end when it is told to. */
	client_shutdown(w->client, w->d.now);
	breaks(0);
	driver_pass_time(&w->d, 400000);
	check(client_idle(w->client));
	breaks(0);
	breaks(1);
	client_free(w->client);
	check(w->d.timers.n == 0);
	free(w);
	return 0;
}
