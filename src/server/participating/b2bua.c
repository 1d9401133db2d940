/* Calls through the B2BUA: their table, their relay, and which of them a message is for. */
#include "server/participating/b2bua_state.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdlib.h>

struct b2bua *b2bua_new(const struct b2bua_config *cfg, struct core *core,
			const struct relay_broker *broker)
{
	struct b2bua *b = calloc(1, sizeof(*b));
	const struct entropy *entropy = sip_stack_entropy(core->stack);
	size_t max = sip_stack_get_config(core->stack)->max_message + 1024;
	uint64_t key[2];

	if (!b)
		return NULL;
	b->cfg = *cfg;
	b->feature_tag = view_dup(cfg->feature_tag);
	b->release = view_dup(cfg->release);
	b->cfg.feature_tag = view_str(b->feature_tag);
	b->cfg.release = view_str(b->release);
	b->core = core;
	b->stack = core->stack;
	b->timers = core->timers;
	b->broker = *broker;
	b->next_relay = entropy_u64(entropy) >> 16;
	key[0] = entropy_u64(entropy);
	key[1] = entropy_u64(entropy);
	hash_init(&b->by_token, cfg->max_calls, key);
	hash_init(&b->by_relay, cfg->max_calls, key);
	buf_init(&b->out, max + CORE_HEAD_MAX);
	buf_init(&b->body, max);
	if (!b->feature_tag || !b->release) {
		b2bua_free(b);
		return NULL;
	}
	core->b2bua = b;
	return b;
}

static void call_free(struct b2bua_call *call)
{
	struct b2bua *b = call->b;

	while (!list_empty(&call->dialogs))
		dialog_free(CONTAINER(call->dialogs.next, struct b2bua_dialog, link));
	call_media_end(call);
	call_drain_stop(call);
	hash_del(&b->by_token, &call->by_token);
	hash_del(&b->by_relay, &call->by_relay);
	if (call->near)
		sip_server_tx_attach(call->near, NULL, NULL);
	if (call->far)
		sip_client_tx_detach(call->far);
	free(call->invite);
	free(call->identity);
	free(call->routes);
	free(call->path[0]);
	free(call->path[1]);
	free(call->sdp[0]);
	free(call->sdp[1]);
	free(call);
}

static void drop(void *ctx, struct hash_node *node)
{
	struct b2bua_call *call = CONTAINER(node, struct b2bua_call, by_token);

	(void)ctx;
	call->relay = 0;
	call_free(call);
}

void b2bua_free(struct b2bua *b)
{
	if (!b)
		return;
	b->core->b2bua = NULL;
	hash_each(&b->by_token, drop, NULL);
	hash_fini(&b->by_token);
	hash_fini(&b->by_relay);
	buf_fini(&b->out);
	buf_fini(&b->body);
	free(b->feature_tag);
	free(b->release);
	free(b);
}

size_t b2bua_call_count(const struct b2bua *b)
{
	return b->by_token.n;
}

/* Both INVITE transactions are over, and nobody can ask for an answer again (RFC 6026): what only
 * they needed goes. Sessions last for hours. */
static void call_settle(struct b2bua_call *call)
{
	struct sip_msg invite;
	struct buf b;
	char *text;
	size_t n;

	call->settled = true;
	LIST_EACH(l, tmp, &call->dialogs)
	{
		struct b2bua_dialog *d = CONTAINER(l, struct b2bua_dialog, link);

		free(d->answer);
		d->answer = NULL;
	}
	free(call->identity);
	free(call->routes);
	call->identity = call->routes = NULL;
	if (call_invitation(call, &invite))
		return;
	buf_init(&b, call->invite_n);
	sip_write_request_line(&b, VIEW("INVITE"), invite.uri);
	sip_write_copy(&b, &invite, SIP_H_FROM);
	sip_write_copy(&b, &invite, SIP_H_TO);
	sip_write_copy(&b, &invite, SIP_H_CALL_ID);
	sip_write_copy(&b, &invite, SIP_H_CSEQ);
	sip_write_copy(&b, &invite, SIP_H_P_CHARGING_VECTOR); /* message_put_charging */
	buf_puts(&b, "\r\n");
	text = buf_take(&b, &n);
	buf_fini(&b);
	if (!text)
		return;
	free(call->invite);
	call->invite = text;
	call->invite_n = n;
}

void call_hold(struct b2bua_call *call)
{
	call->depth++;
}

void call_release(struct b2bua_call *call)
{
	if (--call->depth)
		return;
	LIST_EACH(l, tmp, &call->dialogs)
	{
		struct b2bua_dialog *d = CONTAINER(l, struct b2bua_dialog, link);

		/* Without an answer yet it stays as long as the INVITE is under way. */
		if (list_empty(&d->passes) && (d->over || (!d->confirmed && !call->far)))
			dialog_free(d);
	}
	if (call->near || call->far)
		return;
	if (list_empty(&call->dialogs))
		call_free(call);
	else if (!call->settled)
		call_settle(call);
}

void call_media_end(struct b2bua_call *call)
{
	if (call->relay)
		call->b->broker.close(call->b->broker.ctx, call->relay);
	call->relay = 0;
	call->media = NULL;
	/* Transactions may linger; the session does not. */
	quota_release(&call->b->core->sessions, call->share);
	call->share = NULL;
}

int call_invitation(const struct b2bua_call *call, struct sip_msg *out)
{
	return sip_msg_parse(view_of(call->invite, call->invite_n), out);
}

/* ---- whose it is ---- */

struct b2bua_call *call_of_relay(const struct b2bua *b, uint64_t relay)
{
	uint64_t h = relay_hash(b, relay);

	for (struct hash_node *n = hash_first(&b->by_relay, h); n; n = hash_next(n, h)) {
		struct b2bua_call *call = CONTAINER(n, struct b2bua_call, by_relay);

		if (call->relay == relay)
			return call;
	}
	return NULL;
}

bool b2bua_is_side(const struct sip_uri *uri)
{
	return sip_param(uri->params, VIEW("pf"), NULL);
}

static struct b2bua_call *call_of_token(const struct b2bua *b, struct view token)
{
	uint64_t h = hash_bytes(&b->by_token, token);

	for (struct hash_node *n = hash_first(&b->by_token, h); n; n = hash_next(n, h)) {
		struct b2bua_call *call = CONTAINER(n, struct b2bua_call, by_token);

		if (view_eq(view_str(call->token), token))
			return call;
	}
	return NULL;
}

/* By the `pf` of the Request-URI: the call, and the side that the sender is on. */
static struct b2bua_call *call_of_uri(const struct b2bua *b, const struct sip_uri *uri,
				      enum b2bua_side *side)
{
	struct view v;

	if (!sip_param(uri->params, VIEW("pf"), &v) || v.n != B2BUA_TOKEN_CHARS + 1)
		return NULL;
	*side = v.p[B2BUA_TOKEN_CHARS] == 'n' ? B2BUA_NEAR : B2BUA_FAR;
	return call_of_token(b, view_first(v, B2BUA_TOKEN_CHARS));
}

bool b2bua_near_flow(const struct b2bua *b, struct view token, struct sip_flow *out)
{
	const struct b2bua_call *call = call_of_token(b, token);

	if (!call ||
	    (call->near_flow.conn && !sip_stack_conn_alive(b->stack, call->near_flow.conn)))
		return false;
	*out = call->near_flow;
	return true;
}

struct b2bua_dialog *b2bua_dialog_of(struct inbound *r, enum b2bua_side *side)
{
	struct b2bua_call *call = call_of_uri(r->c->b2bua, &r->uri, side);
	struct sip_msg invite;
	struct sip_addr caller;
	struct view theirs, callee;

	if (!call || call_invitation(call, &invite) || sip_msg_from(&invite, &caller))
		return NULL;
	/* Towards the callee the caller's tag is in From, from him it is in To. */
	theirs = sip_addr_tag(*side == B2BUA_NEAR ? &r->from_addr : &r->to_addr);
	callee = sip_addr_tag(*side == B2BUA_NEAR ? &r->to_addr : &r->from_addr);
	if (!view_eq(sip_msg_value(&invite, SIP_H_CALL_ID), sip_msg_value(r->m, SIP_H_CALL_ID)) ||
	    !view_eq(theirs, sip_addr_tag(&caller)))
		return NULL;
	return dialog_find(call, callee);
}

/* ---- a new call ---- */

bool b2bua_can_serve(const struct sip_msg *invite)
{
	struct b2bua_media media;

	return invite->method == SIP_INVITE &&
	       media_read(invite, NEGOTIATE_EITHER, &media) != E_SYNTAX && media.sdp.n;
}

static void on_cancel(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms)
{
	struct b2bua_call *call = ctx;
	struct buf *reason = &call->b->body;

	(void)tx;
	call_hold(call);
	call->cancelled = true;
	if (call->far) {
		buf_reset(reason);
		sip_write_copy(reason, m, SIP_H_REASON);
		sip_client_tx_cancel(call->far, buf_ok(reason) ? buf_view(reason) : VIEW(""),
				     now_ms);
	} else {
		call_refuse(call, 487, NULL, VIEW(""), now_ms);
	}
	call_release(call);
}

static void on_near_gone(void *ctx, struct sip_server_tx *tx)
{
	struct b2bua_call *call = ctx;

	(void)tx;
	call_hold(call);
	call->near = NULL;
	call_release(call);
}

static const struct sip_server_handler near_handler = {.on_cancel = on_cancel,
						       .on_gone = on_near_gone};

/* PF-9.1.1-4, R-3: what was proven about the originator goes with the INVITE. */
static char *identity_line(struct inbound *r)
{
	struct buf b;
	char *line;
	size_t n;

	buf_init(&b, CORE_HEAD_MAX);
	if (r->trusted && sip_msg_has(r->m, SIP_H_P_ASSERTED_IDENTITY))
		sip_write_copy(&b, r->m, SIP_H_P_ASSERTED_IDENTITY);
	else if (r->who.asserted)
		sip_write_fieldf(&b, "P-Asserted-Identity", "%.*s%s<%.*s>",
				 VIEW_ARG(r->who.display), r->who.display.n ? " " : "",
				 VIEW_ARG(r->who.uri));
	buf_putc(&b, '\0');
	line = buf_take(&b, &n);
	buf_fini(&b);
	return line;
}

/* The Route values behind our own. */
static char *routes_left(struct inbound *r)
{
	struct sip_values it;
	struct view value;
	struct buf b;
	unsigned i = 0;
	char *text;
	size_t n;

	buf_init(&b, CORE_HEAD_MAX);
	sip_values_start(&it, r->m, SIP_H_ROUTE);
	while (sip_values_next(&it, &value))
		if (i++ >= r->routes_taken) {
			buf_puts(&b, b.n ? ", " : "");
			buf_put(&b, value);
		}
	buf_putc(&b, '\0');
	text = buf_take(&b, &n);
	buf_fini(&b);
	return text;
}

static struct b2bua_call *call_new(struct inbound *r, enum b2bua_role role)
{
	struct b2bua *b = r->c->b2bua;
	struct b2bua_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->b = b;
	call->role = role;
	call->near_flow = *r->from;
	call->near_trusted = core_is_trusted(r->c, r->from);
	call->far_expires_s = b->cfg.session_expires_s;
	list_init(&call->dialogs);
	call_drain_init(call);
	entropy_token(sip_stack_entropy(b->stack), call->token, B2BUA_TOKEN_CHARS);
	call->invite = view_dup(r->m->raw);
	call->invite_n = r->m->raw.n;
	call->identity = identity_line(r);
	call->routes = routes_left(r);
	if (!call->invite || !call->identity || !call->routes ||
	    hash_add(&b->by_token, &call->by_token,
		     hash_bytes(&b->by_token, view_str(call->token)))) {
		call_free(call);
		return NULL;
	}
	call->near = r->tx;
	sip_server_tx_attach(r->tx, &near_handler, call);
	return call;
}

/* What cannot be carried through here (100rel: its PRACK would be ours to answer), and sessions
 * whose parameters do not fit. False: refused. */
static bool acceptable(struct b2bua_call *call, const struct sip_msg *m, uint64_t now_ms)
{
	struct b2bua_media media;
	struct b2bua *b = call->b;
	int rc;

	buf_reset(&b->body);
	if (sip_msg_lists(m, SIP_H_REQUIRE, VIEW("100rel"))) {
		call_refuse(call, 420, NULL, VIEW("Unsupported: 100rel\r\n"), now_ms);
		return false;
	}
	if (session_timer_judge(m, b->cfg.session_expires_s, b->cfg.min_se_s, &call->near_terms)) {
		session_timer_write_min_se(&b->body, b->cfg.min_se_s);
		call_refuse(call, 422, NULL, buf_view(&b->body), now_ms);
		return false;
	}
	rc = media_read(m, relay_kinds(b), &media);
	if (rc || !media.msrp) {
		call_refuse(call, rc == E_SYNTAX ? 400 : 488, NULL, VIEW(""), now_ms);
		return false;
	}
	call->tls[B2BUA_NEAR] = call->tls[B2BUA_FAR] = media.msrp->msrp.tls;
	return true;
}

void b2bua_invite(struct inbound *r, enum b2bua_role role)
{
	struct quota_share *share;
	struct b2bua_call *call;

	if (!core_session_count(r, &share))
		return;
	call = call_new(r, role);
	if (!call) {
		quota_release(&r->c->sessions, share);
		core_reply(r, 503, NULL, VIEW(""));
		return;
	}
	call->share = share;
	call_hold(call);
	core_reply(r, 100, NULL, VIEW(""));
	if (acceptable(call, r->m, r->now_ms) && relay_begin(call))
		call_refuse(call, 503, NULL, VIEW("Retry-After: 10\r\n"), r->now_ms);
	call_release(call);
}

void b2bua_relay_ready(struct b2bua *b, uint64_t relay, struct view near_path, struct view far_path,
		       uint64_t now_ms)
{
	struct b2bua_call *call = call_of_relay(b, relay);

	/* The inviter may have gone meanwhile: what was opened for him goes as well. */
	if (!call) {
		b->broker.close(b->broker.ctx, relay);
		return;
	}
	/* Said once more, it would invite him twice. */
	if (call->relay_up)
		return;
	call_hold(call);
	call->relay_up = true;
	free(call->path[B2BUA_NEAR]);
	free(call->path[B2BUA_FAR]);
	call->path[B2BUA_NEAR] = view_dup(near_path);
	call->path[B2BUA_FAR] = view_dup(far_path);
	if (!call->path[B2BUA_NEAR] || !call->path[B2BUA_FAR])
		call_refuse(call, 500, NULL, VIEW(""), now_ms);
	else if (call->near && !call->cancelled)
		call_invite_far(call, now_ms);
	call_release(call);
}

void b2bua_relay_failed(struct b2bua *b, uint64_t relay, uint64_t now_ms)
{
	struct b2bua_call *call = call_of_relay(b, relay);

	if (!call)
		return;
	call_hold(call);
	call->relay = 0;
	call_refuse(call, 503, NULL, VIEW("Retry-After: 10\r\n"), now_ms);
	call_release(call);
}

void b2bua_relay_lost(struct b2bua *b, uint64_t relay, uint64_t now_ms)
{
	struct b2bua_call *call = call_of_relay(b, relay);

	if (!call || !call->media)
		return;
	call_hold(call);
	dialog_hang_up(call->media, "SIP;cause=480;text=\"No MSRP Connection\"", now_ms);
	call_release(call);
}
