/* Registration with the SIP/IP core (RFC 3261 §10, R-12), and coming back after a lost connection. */
#include "client/state.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdlib.h>

enum {
	SERVICE_ROUTE_MAX = 4096,
	BACKOFF_FIRST_MS = 500,
	BACKOFF_MAX_MS = 30000,
	LOST_SPREAD_MS = 200
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
	 * of 30 s is meant for those who have another flow. */
	timer_arm(c->timers, &c->register_again,
		  now_ms + c->backoff_ms / 2 + entropy_u64(c->entropy) % (c->backoff_ms / 2 + 1));
	c->backoff_ms = c->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : c->backoff_ms * 2;
}

/* How long our binding lives: the expires of our own Contact in the 200, else Expires (§10.2.4). */
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
	return seconds;
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

static void failed(struct client *c, int status, const char *text, uint64_t now_ms)
{
	struct confab_event ev = {.type = CONFAB_REGISTER_FAILED, .status = status, .text = text};

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
	char reason[128];

	if (m->status < 200)
		return;
	sip_uac_detach(uac);
	c->registering = NULL;
	if (m->status == 423 && view_to_u32(sip_msg_value(m, SIP_H_MIN_EXPIRES), &min) == 0 &&
	    min > c->cfg.register_expires) {
		c->cfg.register_expires = min;
		send_register(c, min, now_ms);
		return;
	}
	if (m->status >= 300) {
		(void)view_copy(m->reason, reason, sizeof(reason));
		failed(c, m->status, reason, now_ms);
		return;
	}
	if (c->closing)
		return;
	free(c->old_contact);
	c->old_contact = NULL;
	seconds = granted(c, m);
	keep_service_route(c, m);
	if (view_to_u32(sip_msg_value_named(m, VIEW("Flow-Timer")), &c->flow_timer_s))
		c->flow_timer_s = 0;
	keepalive_start(c, now_ms);
	c->registered = true;
	ims_registered(c, m);
	c->backoff_ms = BACKOFF_FIRST_MS;
	/* Well before it ends, and not all phones of a server at once. */
	timer_arm(c->timers, &c->register_again,
		  now_ms + (uint64_t)seconds * 750 + entropy_u64(c->entropy) % (seconds * 100u + 1));
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
	/* The connection is kept: what the server has for us comes over it. */
	if (c->cfg.server.transport != SIP_UDP)
		c->flow_conn = sip_stack_conn_open(c->stack, c->cfg.server.transport,
						   &c->cfg.server.remote, now_ms);
	flow = client_flow(c);
	client_profile(c, &p);
	p.identity = VIEW("");
	buf_init(&b, SIP_HEAD_BYTES_MAX);
	buf_putf(&b, "REGISTER %s:%s SIP/2.0\r\n", c->sips ? "sips" : "sip", c->domain);
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
