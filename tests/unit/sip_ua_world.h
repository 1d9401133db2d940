/*
 * A user agent in the world of sip_world.h: requests go to its dialogs, its sessions write down
 * what they are told, and the peer is played by hand, message by message, from 192.0.2.9. What
 * happens in a handler can be told beforehand (what_then).
 */
#ifndef CONFAB_TEST_SIP_UA_WORLD_H
#define CONFAB_TEST_SIP_UA_WORLD_H

#include "sip_world.h"

#include "io/digest.h"
#include "sip/session.h"

#define PEER_AT "192.0.2.9:5060"

/* What a handler does besides writing down. */
enum what_then { THEN_NOTHING, THEN_FREE, THEN_END };

struct scene {
	struct world *w;
	struct sip_ua *ua;
	struct sip_session *s;
	struct sip_server_tx *tx; /* the last request that nobody has answered */
	char *invite;		  /* the INVITE as the stack sent it, or as the peer did */
	enum what_then in_progress, in_answered, in_confirmed, in_ended, in_reinvite, in_reinvited,
		in_request;
	bool late_reinvite; /* re-INVITEs are answered by the test */
	bool no_route;	    /* next_hop fails */
	int ended;	    /* how often on_ended was called */
	unsigned branch;
};

static struct scene S;

static inline void scene_then(enum what_then what)
{
	if (what == THEN_FREE) {
		sip_session_free(S.s);
		S.s = NULL;
	} else if (what == THEN_END) {
		sip_session_end(S.s, VIEW(""), S.w->now);
	}
}

static void scene_progress(void *ctx, struct sip_session *s, const struct sip_msg *m,
			   uint64_t now_ms)
{
	(void)ctx;
	(void)s;
	(void)now_ms;
	world_note(S.w, "progress %u", m->status);
	scene_then(S.in_progress);
}

static void scene_answered(void *ctx, struct sip_session *s, const struct sip_msg *m,
			   uint64_t now_ms)
{
	(void)ctx;
	(void)now_ms;
	assert_int_equal(m->status, 200);
	assert_int_equal(sip_session_state(s), SIP_SESSION_CONFIRMED);
	world_note(S.w, "answered");
	scene_then(S.in_answered);
}

static void scene_confirmed(void *ctx, struct sip_session *s, const struct sip_msg *ack,
			    uint64_t now_ms)
{
	(void)ctx;
	(void)now_ms;
	assert_int_equal(ack->method, SIP_ACK);
	assert_int_equal(sip_session_state(s), SIP_SESSION_CONFIRMED);
	world_note(S.w, "confirmed");
	scene_then(S.in_confirmed);
}

static void scene_reinvite(void *ctx, struct sip_session *s, struct sip_server_tx *tx,
			   const struct sip_msg *m, uint64_t now_ms)
{
	(void)ctx;
	(void)m;
	world_note(S.w, "reinvite");
	S.tx = tx;
	if (!S.late_reinvite)
		assert_int_equal(sip_session_answer_reinvite(s, tx, VIEW("<sip:me@192.0.2.1>"),
							     VIEW(""), VIEW(""), VIEW(""), now_ms),
				 0);
	scene_then(S.in_reinvite);
}

static void scene_reinvited(void *ctx, struct sip_session *s, const struct sip_msg *m,
			    uint64_t now_ms)
{
	(void)ctx;
	(void)s;
	(void)now_ms;
	world_note(S.w, "reinvited %u", m->status);
	scene_then(S.in_reinvited);
}

static void scene_request(void *ctx, struct sip_session *s, struct sip_server_tx *tx,
			  const struct sip_msg *m, uint64_t now_ms)
{
	(void)ctx;
	(void)s;
	world_note(S.w, "request %.*s", VIEW_ARG(m->method_name));
	assert_int_equal(sip_server_tx_reply(tx, 200, NULL, VIEW(""), now_ms), 0);
	scene_then(S.in_request);
}

static void scene_ended(void *ctx, struct sip_session *s, enum sip_session_end why, int status,
			const struct sip_msg *m, uint64_t now_ms)
{
	static const char *const text[] = {"bye received", "bye sent", "cancelled",
					   "rejected",	   "timeout",  "failed"};

	(void)ctx;
	(void)now_ms;
	assert_int_equal(sip_session_state(s), SIP_SESSION_ENDED);
	if (m && m->is_request)
		world_note(S.w, "ended %s %.*s", text[why], VIEW_ARG(m->method_name));
	else if (status)
		world_note(S.w, "ended %s %d", text[why], status);
	else
		world_note(S.w, "ended %s", text[why]);
	S.ended++;
	scene_then(S.in_ended);
}

static const struct sip_session_handler scene_handler = {
	.on_progress = scene_progress,
	.on_answered = scene_answered,
	.on_confirmed = scene_confirmed,
	.on_reinvite = scene_reinvite,
	.on_reinvited = scene_reinvited,
	.on_request = scene_request,
	.on_ended = scene_ended,
};

/* What the tests hand in for new INVITEs: kept in S.tx, not answered. */
static void scene_on_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
			     uint64_t now_ms)
{
	(void)ctx;
	if (sip_ua_request(S.ua, tx, m, now_ms))
		return;
	S.tx = tx;
	if (m->method == SIP_INVITE && !S.s)
		assert_int_equal(sip_session_incoming(S.ua, tx, m,
						      VIEW("X-Extra: 1\r\nServer: test\r\n"),
						      &scene_handler, &S, now_ms, &S.s),
				 0);
}

static void scene_on_ack(void *ctx, const struct sip_msg *m, const struct sip_flow *from,
			 uint64_t now_ms)
{
	(void)ctx;
	(void)from;
	if (!sip_ua_ack(S.ua, m, now_ms))
		world_note(S.w, "stray ack");
}

/* All URIs lead to the peer, unless they name a numeric host. */
static int scene_next_hop(void *ctx, struct view uri, struct sip_flow *out)
{
	struct sip_uri u;

	(void)ctx;
	if (S.no_route)
		return E_ADDRESS;
	if (sip_uri_parse(uri, &u))
		return E_SYNTAX;
	if (sip_flow_of_uri(&u, out))
		*out = world_flow(SIP_UDP, PEER_AT);
	return 0;
}

/* With credentials, unless user is empty. */
static inline void scene_begin(const char *user, const char *password)
{
	const struct sip_stack_ops ops = {
		.udp_send = world_udp_send,
		.connect = world_connect,
		.write = world_write,
		.close = world_close,
		.on_request = scene_on_request,
		.on_ack = scene_on_ack,
	};
	struct sip_ua_config cfg = {
		.digest = io_digest(),
		.user = view_str(user),
		.password = view_str(password),
		.max_dialogs = 100,
		.next_hop = scene_next_hop,
	};
	struct sip_stack_ops with = ops;

	S = (struct scene){.w = world_new()};
	with.ctx = S.w;
	S.w->stack = sip_stack_new(&S.w->cfg, &with, &S.w->timers, &S.w->entropy, NULL);
	assert_non_null(S.w->stack);
	S.ua = sip_ua_new(S.w->stack, &cfg);
	assert_non_null(S.ua);
}

/* stack_first: in the order in which a client goes; else as a server does. */
static inline void scene_end(bool stack_first)
{
	/* Itself stands for none, and for not to take one. */
	if (S.s != (struct sip_session *)&S)
		sip_session_free(S.s);
	S.s = NULL;
	free(S.invite);
	if (!stack_first)
		sip_ua_free(S.ua);
	sip_stack_free(S.w->stack);
	if (stack_first)
		sip_ua_free(S.ua);
	S.w->stack = NULL;
	world_end(S.w);
}

/* What the stack sent last: must be that method or status. */
static inline char *scene_sent(const char *name)
{
	char text[32];

	assert_string_equal(world_name(view_of(S.w->last, S.w->last_n), text), name);
	return S.w->last;
}

/* Keeps the INVITE that was sent last, to answer it. */
static inline void scene_keep_invite(void)
{
	size_t n;

	world_keep(&S.invite, &n, view_str(scene_sent("INVITE")));
}

static inline void scene_respond(const char *request, int status, const char *tag,
				 const char *extra)
{
	char *text = world_response_text(request, status, tag, extra);

	world_datagram(S.w, text, PEER_AT);
	free(text);
}

/* The peer's answer to our INVITE, with what a dialog needs. */
static inline void scene_answer(int status, const char *tag)
{
	scene_respond(S.invite, status, tag,
		      status < 300 ? "Contact: <sip:peer@192.0.2.9>\r\n" : "");
}

static inline void scene_invite(void)
{
	const struct sip_invite invite = {
		.uri = VIEW("sip:bob@example.com"),
		.from = VIEW("\"Alice\" <sip:alice@example.org>"),
		.contact = VIEW("<sip:alice@192.0.2.1>"),
		.extra = VIEW("X-More: yes\r\n"),
		.content_type = VIEW("text/plain"),
		.body = VIEW("offer"),
		.flow = world_flow(SIP_UDP, PEER_AT),
	};

	assert_int_equal(sip_session_invite(S.ua, &invite, &scene_handler, &S, S.w->now, &S.s), 0);
	scene_keep_invite();
}

/* Invited, answered and acknowledged: a dialog of ours. The log is empty afterwards. */
static inline void scene_caller(void)
{
	scene_invite();
	scene_answer(200, "b1");
	assert_int_equal(sip_session_state(S.s), SIP_SESSION_CONFIRMED);
	buf_reset(&S.w->happened);
}

/* A request of the peer. to_tag NULL: outside a dialog. branch 0: a new one. */
static inline char *scene_peer_text(const char *method, unsigned seq, const char *call_id,
				    const char *from_tag, const char *to_tag, const char *extra,
				    unsigned branch)
{
	struct buf b;
	size_t n;

	buf_init(&b, 1 << 16);
	buf_putf(&b,
		 "%s sip:me@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKp%u\r\n"
		 "Max-Forwards: 70\r\nFrom: Peer <sip:peer@example.com>;tag=%s\r\n"
		 "To: <sip:me@example.org>%s%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n%s"
		 "Content-Length: 0\r\n\r\n",
		 method, branch ? branch : ++S.branch + 1000, from_tag, to_tag ? ";tag=" : "",
		 to_tag ? to_tag : "", call_id, seq, method, extra);
	buf_putc(&b, '\0');
	assert_true(buf_ok(&b));
	return buf_take(&b, &n);
}

/* A request inside the session's dialog, as its peer. */
static inline void scene_peer(const char *method, unsigned seq, const char *extra)
{
	const struct sip_dialog *d = sip_session_dialog(S.s);
	char *text;

	assert_non_null(d);
	text = scene_peer_text(method, seq, d->call_id, d->remote_tag, d->local_tag, extra, 0);
	world_datagram(S.w, text, PEER_AT);
	free(text);
}

/* The peer's INVITE: a session that waits for our answer. It has branch 1. */
static inline void scene_invited(const char *extra)
{
	S.invite = scene_peer_text("INVITE", 10, "in1", "p1", NULL, extra, 1);
	world_datagram(S.w, S.invite, PEER_AT);
	assert_non_null(S.s);
}

static inline void scene_accept(void)
{
	assert_int_equal(sip_session_answer(S.s, VIEW("<sip:me@192.0.2.1>"), VIEW("X-Own: 2\r\n"),
					    VIEW("text/plain"), VIEW("answer"), S.w->now),
			 0);
}

/* Invited, answered and acknowledged by the peer. The log is empty afterwards. */
static inline void scene_callee(void)
{
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	scene_accept();
	scene_peer("ACK", 10, "");
	assert_int_equal(sip_session_state(S.s), SIP_SESSION_CONFIRMED);
	buf_reset(&S.w->happened);
}

/* --- what the tests of sessions share --- */

static inline int scene_setup(void **state)
{
	(void)state;
	scene_begin("", "");
	return 0;
}

static inline int scene_setup_credentials(void **state)
{
	(void)state;
	scene_begin("alice", "secret");
	return 0;
}

static inline int scene_teardown(void **state)
{
	(void)state;
	scene_end(false);
	return 0;
}

static inline int scene_teardown_stack_first(void **state)
{
	(void)state;
	scene_end(true);
	return 0;
}

static inline void hang_up(const char *more)
{
	sip_session_end(S.s, view_str(more), S.w->now);
}

static inline enum sip_session_state state_now(void)
{
	return sip_session_state(S.s);
}

static inline void free_session(void)
{
	sip_session_free(S.s);
	S.s = NULL;
}

static inline void cancel_invite(void)
{
	char *text = scene_peer_text("CANCEL", 10, "in1", "p1", NULL, "", 1);

	world_datagram(S.w, text, PEER_AT);
	free(text);
}

static inline int reinvite(void)
{
	return sip_session_reinvite(S.s, VIEW("<sip:new@192.0.2.1>"), VIEW("X-Re: 1\r\n"),
				    VIEW("text/plain"), VIEW("again"), S.w->now);
}

/* The UA goes before its stack, or after it: what is left of a session must stand both. */
#define SCENE_AS_SERVER(f, b) cmocka_unit_test_setup_teardown(f, b, scene_teardown),
#define SCENE_AS_CLIENT(f, b) cmocka_unit_test_setup_teardown(f, b, scene_teardown_stack_first),

#define assert_field(id, expected) assert_view(world_field(S.w->last, id), expected)

#endif
