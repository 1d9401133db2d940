/* The client as a whole: set-up, and where a request goes. */
#include "client/state.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdlib.h>

enum { WAIT_S = 32 }; /* so long a person waits for a server that asks for it (503, Retry-After) */

char *client_aor(struct view uri)
{
	struct sip_uri u;
	struct buf b;
	size_t n;
	char *s;

	if (sip_uri_parse(uri, &u) || u.scheme == SIP_SCHEME_OTHER)
		return NULL;
	buf_init(&b, SIP_HEAD_BYTES_MAX);
	sip_uri_aor(&b, &u);
	buf_putc(&b, '\0');
	s = buf_take(&b, &n);
	if (!s)
		buf_fini(&b);
	return s;
}

void client_profile(const struct client *c, struct im_profile *p)
{
	*p = (struct im_profile){
		.feature_tag = view_str(c->feature_tag),
		.release = VIEW(IM_CLIENT_RELEASE),
		.allow = VIEW(IM_ALLOW),
		.supported = VIEW("replaces, norefersub, timer"),
		.identity = view_str(c->identity ? c->identity : c->aor),
	};
}

int client_failure(int error, const char **text_out)
{
	*text_out = error == E_IO ? "the server cannot be reached" : error_text(error);
	return error == E_TIMEOUT ? 408 : 503;
}

static void fill(const char **s)
{
	if (!*s)
		*s = "";
}

void client_emit(struct client *c, const struct confab_event *ev)
{
	struct confab_event e = *ev;

	if (!c->world.event)
		return;
	fill(&e.peer);
	fill(&e.display);
	fill(&e.uri);
	fill(&e.id);
	fill(&e.text);
	fill(&e.content_type);
	fill(&e.data);
	c->world.event(c->world.ctx, &e);
}

struct confab_event event_of(const struct conversation *v, enum confab_event_type type)
{
	return (struct confab_event){
		.type = type,
		.conversation = v->id,
		.peer = v->peer,
		.conference = v->current && v->current->conference,
	};
}

struct sip_flow client_flow(const struct client *c)
{
	struct sip_flow flow = c->cfg.server;

	flow.conn = c->flow_conn;
	flow.may_grow = flow.transport == SIP_UDP;
	return flow;
}

/* Everything goes by the server; a URI is not looked at further (IC-7.1.2-5). */
static int next_hop(void *ctx, struct view uri, struct sip_flow *out)
{
	struct client *c = ctx;

	(void)uri;
	*out = client_flow(c);
	return 0;
}

/* RFC 3261 §8.2.2.1 and §8.2.2.3 for what stands outside of dialogs and is no INVITE, of which
 * terminate_read is the judge. */
static bool refused(struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_uri uri;
	struct buf names, lines;
	bool missing;

	if (sip_uri_parse(m->uri, &uri) || uri.scheme == SIP_SCHEME_OTHER) {
		(void)sip_server_tx_reply(tx, 416, NULL, VIEW(""), now_ms);
		return true;
	}
	if (m->method == SIP_INVITE || !sip_msg_has(m, SIP_H_REQUIRE))
		return false;
	buf_init(&names, IM_UNSUPPORTED_BYTES_MAX);
	buf_init(&lines, SIP_HEAD_BYTES_MAX);
	missing = im_check_require(m, VIEW(""), &names) != 0;
	if (missing) {
		sip_write_field(&lines, "Unsupported", buf_view(&names));
		(void)sip_server_tx_reply(tx, 420, NULL, buf_view(&lines), now_ms);
	}
	buf_fini(&lines);
	buf_fini(&names);
	return missing;
}

bool client_is_server(const struct client *c, const struct sip_server_tx *tx)
{
	return addr_same_host(&sip_server_tx_flow(tx)->remote, &c->cfg.server.remote);
}

/* Nobody has asked a stranger who he is. OPTIONS and the like tell him no more than that a phone is
 * here. */
static bool past_the_server(const struct client *c, const struct sip_server_tx *tx,
			    const struct sip_msg *m)
{
	return !c->cfg.direct && (m->method == SIP_INVITE || m->method == SIP_MESSAGE) &&
	       !client_is_server(c, tx);
}

static void on_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
		       uint64_t now_ms)
{
	struct client *c = ctx;

	if (m->method == SIP_NOTIFY && !sip_ua_owns(c->ua, m))
		roster_early_notify(c, m);
	if (sip_ua_request(c->ua, tx, m, now_ms) || refused(tx, m, now_ms))
		return;
	if (past_the_server(c, tx, m)) {
		(void)sip_server_tx_reply(tx, 403, "Not By My Server", VIEW(""), now_ms);
	} else if (m->method == SIP_INVITE) {
		client_invited(c, tx, m, now_ms);
	} else if (m->method == SIP_MESSAGE) {
		pager_came(c, tx, m, now_ms);
	} else if (m->method == SIP_OPTIONS) {
		(void)sip_server_tx_reply(tx, 200, NULL,
					  VIEW("Allow: " IM_ALLOW "\r\nAccept: application/sdp\r\n"
					       "Supported: replaces, norefersub, timer\r\n"),
					  now_ms);
	} else if (sip_msg_has(m, SIP_H_REPLACES)) {
		(void)sip_server_tx_reply(tx, 400, "Replaces Outside INVITE", VIEW(""), now_ms);
	} else if (m->method == SIP_NOTIFY || m->method == SIP_BYE) {
		(void)sip_server_tx_reply(tx, 481, NULL, VIEW(""), now_ms);
	} else {
		(void)sip_server_tx_reply(tx, m->method == SIP_METHOD_OTHER ? 501 : 405, NULL,
					  VIEW("Allow: " IM_ALLOW "\r\n"), now_ms);
	}
}

static void on_ack(void *ctx, const struct sip_msg *m, const struct sip_flow *from, uint64_t now_ms)
{
	struct client *c = ctx;

	(void)from;
	(void)sip_ua_ack(c->ua, m, now_ms);
}

static void udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	struct client *c = ctx;

	c->world.udp_send(c->world.ctx, to, bytes);
}

static void *sip_connect(void *ctx, struct sip_conn *conn, enum sip_transport t,
			 const struct addr *to)
{
	struct client *c = ctx;

	return c->world.sip_connect(c->world.ctx, conn, t, to);
}

static void sip_write(void *ctx, void *handle, struct view bytes)
{
	struct client *c = ctx;

	c->world.sip_write(c->world.ctx, handle, bytes);
}

static void sip_close(void *ctx, void *handle)
{
	struct client *c = ctx;

	c->world.sip_close(c->world.ctx, handle);
}

static void sip_trace(void *ctx, bool out, const struct sip_flow *flow, struct view bytes)
{
	struct client *c = ctx;

	if (c->world.sip_trace)
		c->world.sip_trace(c->world.ctx, out, flow, bytes);
}

static void conn_down(void *ctx, uint64_t conn, uint64_t now_ms)
{
	registration_conn_down(ctx, conn, now_ms);
}

static void pong(void *ctx, const struct sip_flow *from, const struct addr *mapped, uint64_t now_ms)
{
	keepalive_pong(ctx, from, mapped, now_ms);
}

static char *text_of(const char *fmt, struct view a, struct view b)
{
	struct buf t;
	size_t n;
	char *s;

	buf_init(&t, SIP_HEAD_BYTES_MAX);
	for (; *fmt; fmt++) {
		if (*fmt == '1')
			buf_put(&t, a);
		else if (*fmt == '2')
			buf_put(&t, b);
		else
			buf_putc(&t, *fmt);
	}
	buf_putc(&t, '\0');
	s = buf_take(&t, &n);
	if (!s)
		buf_fini(&t);
	return s;
}

char *client_contact(const struct client *c, const struct addr *at)
{
	static const char *const form[] = {"sip:1@2", "sip:1@2;transport=tcp",
					   "sip:1@2;transport=tls"};
	char host[ADDR_TEXT_MAX];
	struct sip_uri u;

	if (sip_uri_parse(view_str(c->user), &u))
		return NULL;
	return text_of(c->sips ? "sips:1@2" : form[c->cfg.server.transport], u.user,
		       view_str(addr_text(at, host)));
}

/* The texts that stand in every request: From, Contact, the factory. E_SYNTAX: the user is no SIP
 * URI. */
static int make_texts(struct client *c, const struct client_config *cfg)
{
	struct sip_uri u;

	if (view_find(cfg->access_network, '\r', 0) < cfg->access_network.n ||
	    view_find(cfg->access_network, '\n', 0) < cfg->access_network.n)
		return E_SYNTAX;
	c->user = view_dup(cfg->user);
	c->display = view_dup(cfg->display);
	c->password = view_dup(cfg->password);
	c->fingerprint = view_dup(cfg->msrp_fingerprint);
	c->feature_tag = view_dup(cfg->feature_tag.n ? cfg->feature_tag : VIEW(IM_FEATURE_TAG));
	if (!c->user || !c->display || !c->password || !c->feature_tag || !c->fingerprint)
		return E_NOMEM;
	if (sip_uri_parse(view_str(c->user), &u) || !u.user.n ||
	    (u.scheme != SIP_SCHEME_SIP && u.scheme != SIP_SCHEME_SIPS))
		return E_SYNTAX;
	c->aor = client_aor(view_str(c->user));
	c->domain = view_dup(u.host);
	c->factory = cfg->factory.n ? view_dup(cfg->factory)
				    : text_of("sip:conference-factory@1", u.host, VIEW(""));
	c->from = c->display[0] ? text_of("\"1\" <2>", cfg->display, cfg->user)
				: text_of("<2>", VIEW(""), cfg->user);
	/* RFC 3261 §8.1.1.8: a sips URI is answered for by one. */
	c->sips = u.scheme == SIP_SCHEME_SIPS;
	c->contact = client_contact(c, &cfg->sip_local[cfg->server.transport]);
	return c->aor && c->domain && c->factory && c->from && c->contact ? 0 : E_NOMEM;
}

static int make_stacks(struct client *c, const struct digest *digest)
{
	struct sip_stack_ops ops = {.udp_send = udp_send,
				    .connect = sip_connect,
				    .write = sip_write,
				    .close = sip_close,
				    .on_request = on_request,
				    .on_ack = on_ack,
				    .on_conn_down = conn_down,
				    .on_pong = pong,
				    .trace = sip_trace,
				    .ctx = c};
	struct sip_stack_config sc;
	struct sip_ua_config ua = {.digest = digest,
				   .max_dialogs = 4096,
				   .next_hop = next_hop,
				   .ctx = c,
				   .redirects = true,
				   /* An IMS core that is not there has to be found anew first. */
				   .max_wait_s = c->cfg.ims ? 0 : WAIT_S};
	struct msrp_agent_config mc = {.max_message = c->cfg.max_message,
				       .response_timeout_ms = 30000,
				       .bind_timeout_ms = 30000,
				       .max_sessions = 1024,
				       .max_queue = 100000,
				       /* A switch remembers so many, and more. */
				       .window = 32,
				       .write_ahead = 65536};
	struct sip_uri u;
	char *every;

	sip_stack_config_defaults(&sc);
	sc.max_tx = 10000;
	sc.max_conns = 256;
	sc.server = VIEW(IM_CLIENT_RELEASE);
	for (int t = 0; t < 3; t++)
		if (c->cfg.sip_local[t].family)
			sc.sent_by[t][c->cfg.sip_local[t].family == 6] = c->cfg.sip_local[t];
	c->stack = sip_stack_new(&sc, &ops, c->timers, c->entropy, c->log);
	if (!c->stack || sip_uri_parse(view_str(c->user), &u))
		return E_NOMEM;
	ua.user = u.user;
	ua.password = view_str(c->password);
	ua.realm = view_str(c->domain);
	every = text_of("P-Access-Network-Info: 1\r\n", c->cfg.access_network, VIEW(""));
	if (c->cfg.access_network.n && every)
		ua.every = view_str(every);
	c->ua = sip_ua_new(c->stack, &ua);
	free(every);
	c->msrp = msrp_agent_new(&mc, &c->world.msrp, c->timers, c->entropy, c->log);
	return c->ua && c->msrp ? 0 : E_NOMEM;
}

struct client *client_new(const struct client_config *cfg, const struct client_world *world,
			  const struct digest *digest, struct timers *timers,
			  const struct entropy *entropy, const struct log *log)
{
	struct client *c = calloc(1, sizeof(*c));
	uint64_t key[2];

	if (!c)
		return NULL;
	c->cfg = *cfg;
	c->world = *world;
	c->timers = timers;
	c->entropy = entropy;
	c->log = log;
	list_init(&c->conversations);
	reap_init(c);
	key[0] = entropy_u64(entropy);
	key[1] = entropy_u64(entropy);
	hash_init(&c->ids, 0, key);
	registration_init(c);
	keepalive_init(c);
	pager_init(c);
	if (make_texts(c, cfg) || make_stacks(c, digest)) {
		client_free(c);
		return NULL;
	}
	return c;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	timer_cancel(c->timers, &c->register_again);
	keepalive_stop(c);
	if (c->registering)
		sip_uac_detach(c->registering);
	while (!list_empty(&c->conversations)) {
		struct conversation *v =
			CONTAINER(c->conversations.next, struct conversation, link);

		c->world.event = NULL;
		conversation_end(v, 0, NULL, c->timers->now_ms);
	}
	pager_fini(c);
	reap_now(c);
	msrp_agent_free(c->msrp);
	sip_stack_free(c->stack);
	sip_ua_free(c->ua);
	hash_fini(&c->ids);
	free(c->user);
	free(c->display);
	free(c->password);
	free(c->factory);
	free(c->feature_tag);
	free(c->fingerprint);
	free(c->service_route);
	free(c->registrar);
	free(c->aor);
	free(c->identity);
	free(c->contact);
	free(c->old_contact);
	free(c->from);
	free(c->domain);
	free(c);
}

struct sip_stack *client_stack(struct client *c)
{
	return c->stack;
}

struct msrp_agent *client_msrp(struct client *c)
{
	return c->msrp;
}

void client_shutdown(struct client *c, uint64_t now_ms)
{
	c->closing = true;
	/* By number: whoever is told of one's end may end another. */
	for (uint32_t id = 1; id <= c->next_conversation; id++)
		(void)client_leave(c, id, false, now_ms);
	registration_end(c, now_ms);
}

bool client_idle(const struct client *c)
{
	return list_empty(&c->conversations) && !c->registering;
}
