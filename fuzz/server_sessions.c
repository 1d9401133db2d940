/*
 * The server's whole SIP side, driven by bytes and a virtual clock: stack, registrar, proxy, B2BUA,
 * factory and focus, with a switch that is played here. Ann, Bo and Charles (password "secret") and
 * a trusted peer speak by UDP or a stream each.
 *
 * Input: a byte of settings, then the records of a script (session_driver.h). The first byte of one
 * says what happens:
 *
 *  - a, b, c, t: the rest is a datagram of that one's; A, B, C, T: the same on his stream
 *  - r and a, b or c: that one registers; x and a, b, c or t: his stream breaks
 *  - o: the newest request of the server's is answered: status, then header lines and body
 *  - s, f, l: the switch grants what it is asked, refuses it, loses a seat
 *  - 0 to 9: time passes, more with each
 *  - K: the server is killed and starts again, with the conferences that it kept
 *  - k: it starts again with this for one more: a name, a line feed, the record
 *
 * In texts, {A} is also an Authorization line for what was challenged last.
 */
#include "base/error.h"
#include "io/digest.h"
#include "server/controlling/controlling.h"
#include "server/core/core.h"
#include "server/participating/b2bua.h"
#include "session_driver.h"
#include "sip/digest.h"

#include <stdio.h>

enum { PEERS = 4, LINKS = 16, ASKED = 8, SEATS = 64, KEPT = 16, KEPT_MAX = 65536 };

#define SDP                                                                                        \
	"v=0\r\no=- 1 1 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\n"              \
	"m=message 7654 TCP/MSRP *\r\na=accept-types:message/cpim text/plain\r\n"                  \
	"a=path:msrp://192.0.2.11:7654/x;tcp\r\n"

static const char *const user[PEERS] = {"ann", "bo", "charles", "peer"};

struct link {
	struct sip_conn *conn;
	struct addr remote;
};

/* Of the switch. */
struct asked {
	uint64_t request, conference, seat[SEATS];
	size_t n;
	bool relay, drain;
};

/* Of the keeper of conferences. */
struct kept {
	char user[64];
	char *record;
	size_t n;
	bool ended;
};

struct world {
	struct driver d;
	unsigned settings;
	struct kept kept[KEPT];
	size_t n_kept;
	struct sip_stack *stack;
	struct core *core;
	struct controlling *controlling;
	struct b2bua *b2bua;
	struct addr addr[PEERS];
	struct link link[LINKS];
	struct asked asked[ASKED];
	size_t n_asked;
	uint64_t a_conference, a_seat; /* one that was granted */
	unsigned serial;
	char challenge[DRIVER_TEXT]; /* the newest one */
	struct addr asks;	     /* whom the request went to */
};

static struct world *w;

static struct addr address(const char *text)
{
	struct addr a;

	check(addr_parse_hostport(view_str(text), 5060, &a) == 0);
	return a;
}

/* --- what the server sends --- */

static void sent(const struct addr *to, struct view bytes)
{
	struct sip_msg m;

	if (!driver_sent(&w->d, bytes, &m))
		return;
	if (m.is_request && m.method != SIP_ACK && m.method != SIP_CANCEL)
		w->asks = *to;
	if (m.status == 401 || m.status == 407)
		driver_keep(w->challenge, bytes);
}

static void udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	(void)ctx;
	sent(to, bytes);
}

static struct link *link_free(void)
{
	for (size_t i = PEERS; i < LINKS; i++)
		if (!w->link[i].conn)
			return &w->link[i];
	return NULL;
}

static void *open_link(void *ctx, struct sip_conn *conn, enum sip_transport t,
		       const struct addr *to)
{
	struct link *l = link_free();

	(void)ctx;
	(void)t;
	if (l)
		*l = (struct link){conn, *to};
	return l;
}

static void write_link(void *ctx, void *handle, struct view bytes)
{
	(void)ctx;
	check(((struct link *)handle)->conn != NULL);
	sent(&((struct link *)handle)->remote, bytes);
}

static void close_link(void *ctx, void *handle)
{
	(void)ctx;
	((struct link *)handle)->conn = NULL;
}

/* --- what core and focus ask for --- */

static int user_find(void *ctx, struct view name, struct view domain, struct core_user *out)
{
	static struct core_user known[PEERS - 1];

	(void)ctx;
	for (size_t i = 0; i < PEERS - 1; i++) {
		if (!view_eq(name, view_str(user[i])) || !view_eq(domain, VIEW("example.com")))
			continue;
		if (!known[i].ha1_md5[0]) {
			sip_digest_ha1(io_digest(), SIP_DIGEST_MD5, name, VIEW("example.com"),
				       VIEW("secret"), known[i].ha1_md5);
			sip_digest_ha1(io_digest(), SIP_DIGEST_SHA256, name, VIEW("example.com"),
				       VIEW("secret"), known[i].ha1_sha256);
		}
		*out = known[i];
		return 0;
	}
	return E_NOTFOUND;
}

static bool is_local(void *ctx, const struct sip_uri *uri)
{
	(void)ctx;
	return controlling_is_local(w->controlling, uri);
}

static void local_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
			  const struct core_identity *who, uint64_t now_ms)
{
	(void)ctx;
	controlling_request(w->controlling, tx, m, who, now_ms);
}

static void local_ack(void *ctx, const struct sip_msg *m, uint64_t now_ms)
{
	(void)ctx;
	controlling_ack(w->controlling, m, now_ms);
}

static bool served(void *ctx, struct view host, uint16_t port)
{
	(void)ctx;
	return core_is_served_domain(w->core, host, port);
}

static void on_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
		       uint64_t now_ms)
{
	(void)ctx;
	core_request(w->core, tx, m, now_ms);
}

static void on_ack(void *ctx, const struct sip_msg *m, const struct sip_flow *from, uint64_t now_ms)
{
	(void)ctx;
	core_ack(w->core, m, from, now_ms);
}

static void on_conn_down(void *ctx, uint64_t conn, uint64_t now_ms)
{
	(void)ctx;
	core_conn_down(w->core, conn, now_ms);
}

/* --- the switch --- */

static int seats_open(void *ctx, uint64_t request, uint64_t conference, struct view uri,
		      const struct seat_offer *seat, size_t n)
{
	struct asked *a = &w->asked[w->n_asked];

	(void)ctx;
	(void)uri;
	if (w->n_asked == ASKED || n > SEATS)
		return E_LIMIT;
	w->n_asked++;
	*a = (struct asked){.request = request, .conference = conference, .n = n};
	for (size_t i = 0; i < n; i++)
		a->seat[i] = seat[i].seat;
	return 0;
}

static void seat_answer(void *ctx, uint64_t conference, uint64_t seat, const struct seat_answer *a)
{
	(void)ctx;
	(void)conference;
	(void)seat;
	check(a->remote_path.n > 0);
}

static void seat_close(void *ctx, uint64_t conference, uint64_t seat, bool drain)
{
	(void)ctx;
	(void)conference;
	(void)seat;
	(void)drain;
}

/* Answered later, or never where too much is asked. */
static void note_drain(uint64_t id, bool relay)
{
	if (w->n_asked < ASKED)
		w->asked[w->n_asked++] =
			(struct asked){.conference = id, .relay = relay, .drain = true};
}

static void conference_drain(void *ctx, uint64_t conference)
{
	(void)ctx;
	note_drain(conference, false);
}

static void conference_end(void *ctx, uint64_t conference)
{
	(void)ctx;
	(void)conference;
}

static int relay_open(void *ctx, uint64_t relay, const bool tls[2])
{
	(void)ctx;
	(void)tls;
	if (w->n_asked == ASKED)
		return E_LIMIT;
	w->asked[w->n_asked++] = (struct asked){.request = relay, .relay = true};
	return 0;
}

static void relay_answer(void *ctx, uint64_t relay, enum b2bua_side side,
			 const struct relay_end *end)
{
	(void)ctx;
	(void)relay;
	(void)side;
	check(end->remote_path.n > 0);
}

static void relay_drain(void *ctx, uint64_t relay, bool refuse)
{
	(void)ctx;
	(void)refuse;
	note_drain(relay, true);
}

static void relay_close(void *ctx, uint64_t relay)
{
	(void)ctx;
	(void)relay;
}

static void switch_answers(bool grants)
{
	static char text[SEATS][64];
	struct view path[SEATS];

	while (w->n_asked) {
		struct asked a = w->asked[--w->n_asked];

		for (size_t i = 0; i < SEATS && i < a.n + 2; i++) {
			(void)snprintf(text[i], sizeof(text[i]), "msrp://192.0.2.1:2855/s%u;tcp",
				       ++w->serial);
			path[i] = view_str(text[i]);
		}
		if (a.drain && a.relay)
			b2bua_relay_drained(w->b2bua, a.conference, w->d.now);
		else if (a.drain)
			controlling_drained(w->controlling, a.conference, w->d.now);
		else if (a.relay && grants)
			b2bua_relay_ready(w->b2bua, a.request, path[0], path[1], w->d.now);
		else if (a.relay)
			b2bua_relay_failed(w->b2bua, a.request, w->d.now);
		else if (grants)
			controlling_seats_ready(w->controlling, a.request, a.conference, a.seat,
						path, a.n, w->d.now);
		else
			controlling_seats_failed(w->controlling, a.request, a.conference, E_LIMIT,
						 w->d.now);
		if (!a.relay && a.n && grants) {
			w->a_conference = a.conference;
			w->a_seat = a.seat[a.n - 1];
		}
	}
}

/* --- the keeper of conferences --- */

static int keeper_begin(void *ctx)
{
	(void)ctx;
	return 0;
}

static void keeper_rollback(void *ctx)
{
	(void)ctx;
}

static struct kept *kept_of(struct view name)
{
	for (size_t i = 0; i < w->n_kept; i++)
		if (view_eq(view_str(w->kept[i].user), name))
			return &w->kept[i];
	return NULL;
}

static int keeper_drop(void *ctx, struct view name)
{
	struct kept *k = kept_of(name);

	(void)ctx;
	if (!k)
		return 0;
	free(k->record);
	*k = w->kept[--w->n_kept];
	return 0;
}

static int keeper_put(void *ctx, struct view name, struct view record, bool ended)
{
	struct kept *k;

	(void)keeper_drop(ctx, name);
	if (w->n_kept == KEPT || record.n > KEPT_MAX)
		return E_IO;
	k = &w->kept[w->n_kept];
	/* Of its own length, so that a byte too far is seen. */
	*k = (struct kept){
		.record = malloc(record.n ? record.n : 1), .n = record.n, .ended = ended};
	check(k->record && view_copy(name, k->user, sizeof(k->user)));
	if (record.n)
		memcpy(k->record, record.p, record.n);
	w->n_kept++;
	return 0;
}

static int keeper_clear(void *ctx)
{
	(void)ctx;
	while (w->n_kept)
		free(w->kept[--w->n_kept].record);
	return 0;
}

static const struct conference_keeper keeper = {.begin = keeper_begin,
						.put = keeper_put,
						.drop = keeper_drop,
						.clear = keeper_clear,
						.commit = keeper_begin,
						.rollback = keeper_rollback};

/* --- what peers say --- */

static void put_credentials(struct buf *b, int who, struct view text)
{
	struct view method = view_cut(&text, ' '), uri = view_cut(&text, ' ');
	struct sip_auth auth;
	struct sip_msg m;
	bool proxy;

	if (sip_msg_parse(view_str(w->challenge), &m) == 0 &&
	    sip_challenge_pick(&m, &auth, &proxy) == 0)
		(void)sip_credentials_write(b, io_digest(), &w->d.entropy, proxy, &auth,
					    view_str(user[who]), VIEW("secret"), method, uri, 1);
}

static bool put(struct buf *b, char what, int who, struct view text)
{
	if (what != 'A')
		return false;
	put_credentials(b, who, text);
	return true;
}

static void say(int who, bool stream, struct view text)
{
	struct link *l = &w->link[who];
	struct view bytes = driver_said(&w->d, who, text);

	if (stream && !l->conn)
		l->conn = sip_conn_accept(w->stack, l, SIP_TCP, &w->addr[who], w->d.now);
	if (!stream)
		sip_stack_datagram(w->stack, bytes, &w->addr[who], w->d.now);
	else if (l->conn)
		sip_conn_recv(l->conn, bytes, w->d.now);
	free((char *)bytes.p);
}

static void registers(int who)
{
	char text[1024], host[ADDR_TEXT_MAX];

	addr_text(&w->addr[who], host);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(text, sizeof(text),
			       "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP %s;branch={b}\n"
			       "From: <sip:%s@example.com>;tag=r\nTo: <sip:%s@example.com>\n"
			       "Call-ID: r%d\nCSeq: %u REGISTER\nMax-Forwards: 70\n"
			       "Contact: <sip:%s@%s>;+g.oma.sip-im\n%sContent-Length: 0\n\n",
			       host, user[who], user[who], who, ++w->serial, user[who], host,
			       i ? "{A}" : "");
		say(who, false, view_str(text));
	}
}

/* "200" alone is a good answer; more is put into it as it stands. */
static void answers(struct view text)
{
	struct buf b;

	buf_init(&b, DRIVER_SAID);
	if (driver_answer(&w->d, &b, text,
			  "Contact: <sip:x@192.0.2.11:5060>;+g.oma.sip-im\r\nAllow: INVITE, "
			  "REFER\r\nSupported: replaces, timer\r\n",
			  SDP))
		sip_stack_datagram(w->stack, buf_view(&b), &w->asks, w->d.now);
	buf_fini(&b);
}

static void breaks(int who)
{
	struct sip_conn *conn = w->link[who].conn;

	w->link[who].conn = NULL;
	if (conn)
		sip_conn_down(conn, w->d.now);
}

static int peer_of(char c)
{
	const char *at = c ? strchr("abct", c) : NULL;

	return at ? (int)(at - "abct") : -1;
}

static void restart(void);

static void keeps(struct view text)
{
	struct view name = view_cut(&text, '\n');

	if (name.n < sizeof(w->kept[0].user))
		(void)keeper_put(NULL, name, text, false);
	restart();
}

static void step(struct view record)
{
	static const uint64_t pause[] = {0,	10,    300,    1000,	5000,
					 20000, 40000, 200000, 1000000, 8000000};
	char what;
	int who;

	if (!record.n)
		return;
	what = record.p[0];
	record = view_from(record, 1);
	who = peer_of(record.n && (what == 'r' || what == 'x') ? record.p[0] : what);
	if (what == 'r' && who >= 0 && who < PEERS - 1)
		registers(who);
	else if (what == 'x' && who >= 0)
		breaks(who);
	else if (what >= '0' && what <= '9')
		driver_pass_time(&w->d, pause[what - '0']);
	else if (what == 's' || what == 'f')
		switch_answers(what == 's');
	else if (what == 'l')
		controlling_seat_lost(w->controlling, w->a_conference, w->a_seat, w->d.now);
	else if (what == 'o')
		answers(record);
	else if (what == 'K')
		restart();
	else if (what == 'k')
		keeps(record);
	else if (who >= 0)
		say(who, false, record);
	else if (what >= 'A' && what <= 'Z' && peer_of((char)(what | 0x20)) >= 0)
		say(peer_of((char)(what | 0x20)), true, record);
	driver_pass_time(&w->d, 0);
}

/* --- life --- */

static void start_core(unsigned settings)
{
	static const struct view domain = {"example.com", 11};
	struct sip_stack_config cfg;
	struct core_config core = {
		.domains = &domain,
		.n_domains = 1,
		.trusted = &w->addr[PEERS - 1],
		.n_trusted = 1,
		.auth_required = !(settings & 1),
		.nonce_lifetime_ms = 300000,
		.offer_md5 = true,
		.offer_sha256 = true,
		.min_expires = 60,
		.max_expires = 7200,
		.default_expires = 3600,
		.max_contacts = 4,
		.max_bindings = 20,
		.im_tag = settings & 2 ? CORE_IM_ASSUME : CORE_IM_REQUIRE,
		.mode = settings & 4 ? CORE_MODE_B2BUA : CORE_MODE_PROXY,
		.server = VIEW("fuzz"),
		.timer_c_ms = 181000,
		.ims = {.on = settings & 8, .orig_user = VIEW("orig"), .term_user = VIEW("term")},
	};
	const struct sip_stack_ops ops = {.udp_send = udp_send,
					  .connect = open_link,
					  .write = write_link,
					  .close = close_link,
					  .on_request = on_request,
					  .on_ack = on_ack,
					  .on_conn_down = on_conn_down};
	const struct core_ops core_ops = {.user_find = user_find,
					  .is_local = is_local,
					  .local_request = local_request,
					  .local_ack = local_ack};

	sip_stack_config_defaults(&cfg);
	cfg.sent_by[SIP_UDP][0] = cfg.sent_by[SIP_TCP][0] = address("192.0.2.1:5060");
	cfg.max_tx = 200;
	w->stack = sip_stack_new(&cfg, &ops, &w->d.timers, &w->d.entropy, NULL);
	check(w->stack != NULL);
	w->core = core_new(&core, &core_ops, w->stack, io_digest());
	check(w->core != NULL);
}

static void start_functions(unsigned settings)
{
	const struct seat_broker seats = {.open = seats_open,
					  .answer = seat_answer,
					  .close = seat_close,
					  .drain = conference_drain,
					  .end = conference_end};
	const struct relay_broker relays = {.open = relay_open,
					    .answer = relay_answer,
					    .drain = relay_drain,
					    .close = relay_close};
	const struct b2bua_config b2bua = {.feature_tag = VIEW("+g.oma.sip-im"),
					   .release = VIEW("fuzz"),
					   .max_calls = 8,
					   .session_expires_s = 1800,
					   .min_se_s = 90};
	const struct controlling_config cfg = {
		.factory_user = VIEW("conference-factory"),
		.feature_tag = VIEW("+g.oma.sip-im"),
		.release = VIEW("fuzz"),
		.max_members = 8,
		.max_conferences = 4,
		.invite_timeout_ms = 20000,
		.seat_timeout_ms = 5000,
		.end_policy = (enum conference_end_policy)(settings >> 4 & 1),
		.remove = CONFERENCE_REMOVE_ANYONE,
		.dial_in = settings & 32 ? CONFERENCE_DIAL_IN_ANYONE : CONFERENCE_DIAL_IN_MEMBERS,
		.replaces_fallback = true,
		.assume_im = settings & 2,
		.max_message = 1 << 20,
		.private_messages = true,
		.nicknames = true,
		.wrap_plain = true,
		.comeback_ms = 90000,
	};

	w->controlling = controlling_new(&cfg, w->stack, io_digest(), &seats);
	check(w->controlling != NULL);
	controlling_set_domain_check(w->controlling, served, NULL);
	for (size_t i = 0; i < w->n_kept; i++)
		(void)controlling_restore(w->controlling, view_str(w->kept[i].user),
					  view_of(w->kept[i].record, w->kept[i].n),
					  w->kept[i].ended, 1000, w->d.now);
	controlling_set_keeper(w->controlling, &keeper);
	w->b2bua = b2bua_new(&b2bua, w->core, &relays);
	check(w->b2bua != NULL);
}

static void end(void)
{
	b2bua_free(w->b2bua);
	controlling_free(w->controlling);
	core_free(w->core);
	sip_stack_free(w->stack);
	check(w->d.timers.n == 0);
}

static void restart(void)
{
	for (size_t i = 0; i < LINKS; i++)
		breaks((int)i);
	end();
	w->n_asked = 0;
	start_core(w->settings);
	start_functions(w->settings);
}

static void finish(void)
{
	for (size_t i = 0; i < LINKS; i++)
		breaks((int)i);
	/* Whatever waits for somebody gives up; only calls that nobody ends go on. */
	driver_pass_time(&w->d, 400000);
	driver_pass_time(&w->d, 400000);
	end();
	(void)keeper_clear(NULL);
	free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	w = calloc(1, sizeof(*w));
	driver_init(&w->d);
	w->d.put = put;
	w->settings = data[0];
	for (size_t i = 0; i < PEERS; i++) {
		char at[32];

		(void)snprintf(at, sizeof(at), "192.0.2.%zu:5060", 11 + i);
		w->addr[i] = address(at);
	}
	start_core(data[0]);
	start_functions(data[0]);
	driver_run(data + 1, size - 1, step);
	finish();
	return 0;
}
