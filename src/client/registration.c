/* Registration with the SIP/IP core (RFC 3261 §10, R-12), and coming back after a lost connection.
 */
#include "client/state.h"

#include "base/error.h"
#include "sip/redirect.h"
#include "sip/write.h"

#include <stdlib.h>

enum {
	SERVICE_ROUTE_MAX = 4096,
	BACKOFF_FIRST_MS = 500,
	BACKOFF_MAX_MS = 30000,
	LOST_SPREAD_MS = 200,
	LONGEST_S = 7 * 86400, /* Min-Expires above that are not followed */
	SHORTEST_MS = 1000,    /* between two registrations that succeed */
	MOVES_MAX = 5,	       /* 3xx in a row */
	RAISES_MAX = 3,	       /* 423 in a row */
	RETRY_AFTER_MAX_S = 600
};

static void send_register(struct client *c, uint32_t expires, uint64_t now_ms);

static void again(void *ctx, uint64_t now_ms)
{
	struct client *c = ctx;

	send_register(c, c->cfg.register_expires, now_ms);
}

void registration_init(struct client *c)
{
	timer_init(&c->register_again, again, c);
	entropy_token(c->entropy, c->call_id, 26);
	entropy_token(c->entropy, c->from_tag, 12);
	c->backoff_ms = BACKOFF_FIRST_MS;
	c->instance[0] = entropy_u64(c->entropy);
	c->instance[1] = entropy_u64(c->entropy);
}

static void later(struct client *c, uint64_t now_ms)
{
	/* RFC 5626 §4.5: doubled after each failure, and between half of it and all of it. Its base
	 * of 30 s is meant for those who have another flow. What a server asks for comes before
	 * (RFC 3261 §20.33), but not that nobody ever comes back. */
	timer_arm(c->timers, &c->register_again,
		  now_ms + (uint64_t)c->retry_after_s * 1000 + c->backoff_ms / 2 +
			  entropy_u64(c->entropy) % (c->backoff_ms / 2 + 1));
	c->backoff_ms = c->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : c->backoff_ms * 2;
}

/* How long our binding lives: the expires of our own Contact in the 200, else Expires (§10.2.4).
 * Not longer than was asked for (§10.3). */
static uint32_t granted(const struct client *c, const struct sip_msg *m)
{
	uint32_t seconds = c->cfg.register_expires;
	struct sip_values it;
	struct sip_addr a;
	struct view v, e;

	(void)view_to_u32(sip_msg_value(m, SIP_H_EXPIRES), &seconds);
	sip_values_start(&it, m, SIP_H_CONTACT);
	while (sip_values_next(&it, &v))
		if (sip_addr_parse(v, &a) == 0 && view_eq(a.uri, view_str(c->contact)) &&
		    sip_param(a.params, VIEW("expires"), &e))
			(void)view_to_u32(e, &seconds);
	return seconds < c->cfg.register_expires ? seconds : c->cfg.register_expires;
}

/* RFC 3608 §5: the route of this registration, in its order, for what is asked for from now on. */
static void keep_service_route(struct client *c, const struct sip_msg *m)
{
	struct sip_values it;
	struct view v;
	struct buf b;
	size_t n;

	free(c->service_route);
	c->service_route = NULL;
	buf_init(&b, SERVICE_ROUTE_MAX);
	sip_values_start(&it, m, SIP_H_SERVICE_ROUTE);
	while (sip_values_next(&it, &v))
		sip_write_field(&b, "Route", v);
	if (b.n) {
		buf_putc(&b, '\0');
		c->service_route = buf_take(&b, &n);
	}
	buf_fini(&b);
}

/* --- 3xx (§8.1.3.4, §10.2.7) --- */

/* Where a registration was redirected to has failed: the next one goes where the first one did. */
static void go_home(struct client *c)
{
	c->moved = 0;
	free(c->registrar);
	c->registrar = NULL;
	if (c->home.family)
		client_set_server(c, &c->home);
	c->home = (struct addr){0};
}

static void write_registrar(const struct client *c, struct buf *b)
{
	if (c->registrar)
		buf_puts(b, c->registrar);
	else
		buf_putf(b, "%s:%s", c->sips ? "sips" : "sip", c->domain);
}

/* An address is gone to, by the transport that there is: what was TLS stays so, and who is there
 * has to prove the same name. A name is asked for by the server that there is. */
static bool move_to(struct client *c, struct view target)
{
	static const uint16_t port[] = {5060, 5060, 5061};
	struct view transport;
	struct sip_uri uri;
	struct addr at;
	char *copy;

	if (sip_uri_parse(target, &uri) || uri.user.n)
		return false;
	if (addr_parse(uri.host, uri.port ? uri.port : port[c->cfg.server.transport], &at)) {
		copy = view_dup(target);
		if (!copy)
			return false;
		free(c->registrar);
		c->registrar = copy;
		return true;
	}
	if (at.family != c->cfg.server.remote.family || addr_eq(&at, &c->cfg.server.remote) ||
	    (sip_param(uri.params, VIEW("transport"), &transport) &&
	     !view_eq_nocase(transport, view_str(sip_transport_text(c->cfg.server.transport)))))
		return false;
	if (!c->home.family)
		c->home = c->cfg.server.remote;
	client_set_server(c, &at);
	return true;
}

static bool redirected(struct client *c, const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_targets t;
	struct view target;
	struct buf here;
	bool moved = false;

	if (!sip_is_redirection(m->status) || c->closing || c->moved >= MOVES_MAX)
		return false;
	buf_init(&here, SIP_TARGET_BYTES_MAX);
	write_registrar(c, &here);
	if (sip_targets_init(&t, buf_view(&here)) == 0) {
		sip_targets_add(&t, m);
		while (!moved && (target = sip_targets_next(&t)).n)
			moved = move_to(c, target);
	}
	sip_targets_fini(&t);
	buf_fini(&here);
	if (!moved)
		return false;
	c->moved++;
	send_register(c, c->cfg.register_expires, now_ms);
	return true;
}

static void failed(struct client *c, int status, const char *text, uint64_t now_ms)
{
	struct confab_event ev = {.type = CONFAB_REGISTER_FAILED, .status = status, .text = text};

	go_home(c);
	c->raised = 0;
	c->registered = false;
	if (c->closing)
		return;
	later(c, now_ms);
	client_emit(c, &ev);
}

static void on_response(void *ctx, struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	struct client *c = ctx;
	struct confab_event ev = {.type = CONFAB_REGISTERED};
	uint32_t seconds, min;
	uint64_t again_ms;
	char reason[128];

	if (m->status < 200)
		return;
	sip_uac_detach(uac);
	c->registering = NULL;
	if (m->status == 423 && view_to_u32(sip_msg_value(m, SIP_H_MIN_EXPIRES), &min) == 0 &&
	    min > c->cfg.register_expires && min <= LONGEST_S && c->raised++ < RAISES_MAX) {
		c->cfg.register_expires = min;
		send_register(c, min, now_ms);
		return;
	}
	if (redirected(c, m, now_ms))
		return;
	if (m->status >= 300) {
		if (!sip_retry_after(m, &c->retry_after_s))
			c->retry_after_s = 0;
		else if (c->retry_after_s > RETRY_AFTER_MAX_S)
			c->retry_after_s = RETRY_AFTER_MAX_S;
		(void)view_copy(m->reason, reason, sizeof(reason));
		failed(c, m->status, reason, now_ms);
		return;
	}
	if (c->closing)
		return;
	free(c->old_contact);
	c->old_contact = NULL;
	seconds = granted(c, m);
	if (!seconds) {
		/* Accepted, and kept for no time at all: to ask again at once would never end. */
		failed(c, 500, "the registration was not kept", now_ms);
		return;
	}
	c->moved = c->raised = 0;
	keep_service_route(c, m);
	if (view_to_u32(sip_msg_value_named(m, VIEW("Flow-Timer")), &c->flow_timer_s))
		c->flow_timer_s = 0;
	keepalive_start(c, now_ms);
	c->registered = true;
	ims_registered(c, m);
	c->backoff_ms = BACKOFF_FIRST_MS;
	/* Well before it ends, and not all phones of a server at once. */
	again_ms = (uint64_t)seconds * 750 + entropy_u64(c->entropy) % (seconds * 100u + 1);
	timer_arm(c->timers, &c->register_again,
		  now_ms + (again_ms > SHORTEST_MS ? again_ms : SHORTEST_MS));
	ev.expires = seconds;
	client_emit(c, &ev);
}

static void on_failed(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms)
{
	struct client *c = ctx;
	const char *text;
	int status = client_failure(error, &text);

	sip_uac_detach(uac);
	c->registering = NULL;
	failed(c, status, text, now_ms);
}

static const struct sip_uac_handler handler = {.on_response = on_response, .on_failed = on_failed};

static void send_register(struct client *c, uint32_t expires, uint64_t now_ms)
{
	struct sip_flow flow;
	struct im_profile p;
	struct buf b, contact;

	if (c->registering)
		return;
	c->retry_after_s = 0;
	/* The connection is kept: what the server has for us comes over it. */
	if (c->cfg.server.transport != SIP_UDP)
		c->flow_conn = sip_stack_conn_open(c->stack, c->cfg.server.transport,
						   &c->cfg.server.remote, now_ms);
	flow = client_flow(c);
	client_profile(c, &p);
	p.identity = VIEW("");
	buf_init(&b, SIP_HEAD_BYTES_MAX);
	buf_puts(&b, "REGISTER ");
	write_registrar(c, &b);
	buf_puts(&b, " SIP/2.0\r\n");
	sip_write_fieldf(&b, "From", "<%s>;tag=%s", c->user, c->from_tag);
	sip_write_fieldf(&b, "To", "<%s>", c->user);
	sip_write_field(&b, "Call-ID", view_str(c->call_id));
	sip_write_fieldf(&b, "CSeq", "%u REGISTER", ++c->register_seq);
	sip_write_field(&b, "Max-Forwards", VIEW("70"));
	buf_init(&contact, 1024);
	buf_putf(&contact, "<%s>;%s", c->contact, c->feature_tag);
	ims_write_instance(c, &contact);
	buf_putf(&contact, ";expires=%u", expires);
	sip_write_field(&b, "Contact", buf_view(&contact));
	if (c->old_contact)
		sip_write_fieldf(&b, "Contact", "<%s>;expires=0", c->old_contact);
	im_write_initial(&b, &p);
	/* RFC 3327 §4.1: a proxy between may put itself into the way back. */
	sip_write_field(&b, "Supported", VIEW("path"));
	sip_write_body(&b, VIEW(""), VIEW(""));
	if (!buf_ok(&b) || !buf_ok(&contact) ||
	    sip_uac_send(c->ua, buf_view(&b), &flow, &c->register_seq, &handler, c, now_ms,
			 &c->registering))
		failed(c, 503, "could not be sent", now_ms);
	buf_fini(&b);
	buf_fini(&contact);
}

void client_set_server(struct client *c, const struct addr *remote)
{
	/* Who asked us to wait was another one. */
	if (c->retry_after_s && timer_armed(&c->register_again))
		timer_arm(c->timers, &c->register_again, c->timers->now_ms + c->backoff_ms / 2);
	c->retry_after_s = 0;
	c->cfg.server.remote = *remote;
	c->flow_conn = 0;
	keepalive_stop(c);
}

void client_register(struct client *c, uint64_t now_ms)
{
	send_register(c, c->cfg.register_expires, now_ms);
}

void registration_conn_down(struct client *c, uint64_t conn, uint64_t now_ms)
{
	struct confab_event ev = {.type = CONFAB_CONNECTION, .text = "lost"};
	bool was = c->registered;

	if (conn != c->flow_conn || c->closing)
		return;
	c->flow_conn = 0;
	registration_lost(c, now_ms);
	if (was)
		client_emit(c, &ev);
}

void registration_lost(struct client *c, uint64_t now_ms)
{
	bool was = c->registered;

	keepalive_stop(c);
	c->registered = false;
	c->flow_lost_ms = now_ms;
	/* Else the next attempt has its time already. */
	if (!was)
		return;
	/* The server's end breaks the flows of all its phones in the same moment. */
	timer_arm(c->timers, &c->register_again,
		  now_ms + entropy_u64(c->entropy) % (LOST_SPREAD_MS + 1));
}

void registration_again(struct client *c, uint64_t now_ms)
{
	if (c->cfg.server.transport == SIP_UDP && c->registered)
		timer_arm(c->timers, &c->register_again, now_ms);
}

void registration_end(struct client *c, uint64_t now_ms)
{
	bool was = c->registered;

	timer_cancel(c->timers, &c->register_again);
	if (was)
		send_register(c, 0, now_ms);
	c->registered = false;
}
