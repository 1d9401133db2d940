/*
 * The world around the core in a test: a real SIP stack on a virtual clock, phones that are bytes,
 * three users (ann, bo, charles; password "secret"), and a local user agent at
 * sip:factory@example.com that answers 200 and writes down who asked.
 */
#ifndef CONFAB_TEST_SERVER_WORLD_H
#define CONFAB_TEST_SERVER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "io/digest.h"
#include "server/core/core.h"
#include "server/core/location.h"
#include "sip/digest.h"
#include "sip/stack.h"
#include "sip/value.h"
#include "sip/write.h"
#include "test_seed.h"

enum { WORLD_SENT = 256, WORLD_TEXTS = 1024, WORLD_BEGAN = 7000000 };
#define OWN "192.0.2.1:5060"

struct sent {
	struct addr to;
	int link; /* 0: UDP */
	char *text;
	bool taken;
};

struct link {
	struct sip_conn *conn;
	struct addr to;
};

struct world {
	struct timers timers;
	uint64_t now, random;
	struct entropy entropy;
	struct log log; /* where a test wants one */
	struct sip_stack *stack;
	struct core_config cfg;
	struct core *core;
	struct core_user user[3];
	bool store_broken;
	struct sip_flow places[4]; /* where each name leads (RFC 3263); none: names are not known */
	size_t n_places;
	bool resolving; /* DNS has not answered yet */
	bool everybody; /* whoever is asked for is a user, like Ann */
	struct sent sent[WORLD_SENT];
	size_t n_sent;
	struct link link[32];
	int n_links;
	char *text[WORLD_TEXTS];
	size_t n_texts;
	unsigned serial;
	/* what the local user agent saw last */
	int local_requests, local_acks;
	char local_method[16], local_uri[128], local_display[64];
	bool local_asserted, local_privacy;
	int bindings_told;
	uint64_t binding_expires;
	unsigned served_told;
	uint64_t served_expires; /* of the last that was told */
};

struct phone {
	struct world *w;
	const char *user;
	struct addr addr;
	int link; /* 0: UDP */
	char host[ADDR_TEXT_MAX];
};

/* --- text --- */

static inline char *keep_text(struct world *w, char *text)
{
	assert_true(w->n_texts < WORLD_TEXTS);
	return w->text[w->n_texts++] = text;
}

static inline char *textf(struct world *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static inline char *textf(struct world *w, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	return keep_text(w, text);
}

/* Lines end with \n where they are written down, and with CRLF on the wire. */
static inline char *crlf(struct world *w, const char *text)
{
	char *out = malloc(2 * strlen(text) + 1), *at = out;

	for (; *text; text++) {
		if (*text == '\n')
			*at++ = '\r';
		*at++ = *text;
	}
	*at = '\0';
	return keep_text(w, out);
}

static inline struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_hostport(view_str(text), 5060, &a), 0);
	return a;
}

/* --- stack and core --- */

static inline void world_fill(void *ctx, void *dst, size_t n)
{
	struct world *w = ctx;

	for (size_t i = 0; i < n; i++) {
		w->random = w->random * 6364136223846793005u + 1442695040888963407u;
		((unsigned char *)dst)[i] = (unsigned char)(w->random >> 56);
	}
}

static inline void world_record(struct world *w, const struct addr *to, int link, struct view bytes)
{
	struct sip_msg m;

	if (bytes.n < 8)
		return;
	/* Whatever we send must be a message. */
	assert_int_equal(sip_msg_parse(bytes, &m), 0);
	assert_true(w->n_sent < WORLD_SENT);
	w->sent[w->n_sent++] = (struct sent){
		.to = *to, .link = link, .text = keep_text(w, strndup(bytes.p, bytes.n))};
}

static inline void world_udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	world_record(ctx, to, 0, bytes);
}

static inline void *world_connect(void *ctx, struct sip_conn *conn, enum sip_transport t,
				  const struct addr *to)
{
	struct world *w = ctx;

	(void)t;
	/* Nobody listens at this one. */
	if (to->port == 9)
		return NULL;
	w->link[++w->n_links] = (struct link){conn, *to};
	return &w->link[w->n_links];
}

static inline void world_write(void *ctx, void *handle, struct view bytes)
{
	struct world *w = ctx;
	struct link *l = handle;

	world_record(w, &l->to, (int)(l - w->link), bytes);
}

static inline void world_close(void *ctx, void *handle)
{
	(void)ctx;
	((struct link *)handle)->conn = NULL;
}

static inline void world_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
				 uint64_t now_ms)
{
	core_request(((struct world *)ctx)->core, tx, m, now_ms);
}

static inline void world_ack(void *ctx, const struct sip_msg *m, const struct sip_flow *from,
			     uint64_t now_ms)
{
	core_ack(((struct world *)ctx)->core, m, from, now_ms);
}

static inline void world_conn_down(void *ctx, uint64_t conn, uint64_t now_ms)
{
	core_conn_down(((struct world *)ctx)->core, conn, now_ms);
}

static inline int user_index(struct view user)
{
	static const char *const name[] = {"ann", "bo", "charles"};

	for (int i = 0; i < 3; i++)
		if (view_eq(user, view_str(name[i])))
			return i;
	return -1;
}

static inline int world_user_find(void *ctx, struct view user, struct view domain,
				  struct core_user *out)
{
	struct world *w = ctx;

	if (w->store_broken)
		return E_IO;
	if (w->everybody) {
		*out = w->user[0];
		return 0;
	}
	if (user_index(user) < 0 || !view_eq_nocase(domain, VIEW("example.com")))
		return E_NOTFOUND;
	*out = w->user[user_index(user)];
	return 0;
}

static inline int world_resolve(void *ctx, const struct sip_uri *uri, struct sip_flow *out,
				size_t max, size_t *n_out, uint64_t now_ms)
{
	struct world *w = ctx;

	(void)uri;
	(void)now_ms;
	if (w->resolving)
		return E_STATE;
	if (!w->n_places)
		return E_NOTFOUND;
	*n_out = w->n_places < max ? w->n_places : max;
	memcpy(out, w->places, *n_out * sizeof(out[0]));
	return 0;
}

static inline bool world_is_local(void *ctx, const struct sip_uri *uri)
{
	(void)ctx;
	return view_eq(uri->user, VIEW("factory")) || view_eq(uri->user, VIEW("conf-1"));
}

static inline void world_local_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
				       const struct core_identity *who, uint64_t now_ms)
{
	struct world *w = ctx;

	w->local_requests++;
	snprintf(w->local_method, sizeof(w->local_method), "%.*s", VIEW_ARG(m->method_name));
	snprintf(w->local_uri, sizeof(w->local_uri), "%.*s", VIEW_ARG(who->uri));
	snprintf(w->local_display, sizeof(w->local_display), "%.*s", VIEW_ARG(who->display));
	w->local_asserted = who->asserted;
	w->local_privacy = who->privacy_id;
	assert_int_equal(sip_server_tx_reply(tx, 200, NULL,
					     VIEW("Contact: <sip:conf-1@192.0.2.1:5060>\r\n"),
					     now_ms),
			 0);
}

static inline void world_local_ack(void *ctx, const struct sip_msg *m, uint64_t now_ms)
{
	(void)m;
	(void)now_ms;
	((struct world *)ctx)->local_acks++;
}

static inline void world_on_binding(void *ctx, struct view aor, const struct binding_values *b,
				    uint64_t now_ms)
{
	struct world *w = ctx;

	assert_true(aor.n && b->contact.n);
	assert_true(now_ms >= WORLD_BEGAN && now_ms <= w->now);
	w->bindings_told++;
	w->binding_expires = b->expires_at_ms;
}

static inline void world_on_served(void *ctx, struct view aor, uint64_t expires_at_ms,
				   uint64_t now_ms)
{
	struct world *w = ctx;

	assert_true(aor.n && now_ms >= WORLD_BEGAN && now_ms <= w->now);
	w->served_told++;
	w->served_expires = expires_at_ms;
}

static const struct view world_domains[] = {{"example.com", 11}, {"second.example", 14}};

/* The configuration may be changed before world_start. */
static inline struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	w->now = WORLD_BEGAN;
	w->random = test_seed();
	w->entropy = (struct entropy){world_fill, w};
	timers_init(&w->timers, w->now);
	w->cfg = (struct core_config){
		.domains = world_domains,
		.n_domains = 2,
		.auth_required = true,
		.realm = VIEW("example.com"),
		.nonce_lifetime_ms = 300000,
		.offer_md5 = true,
		.offer_sha256 = true,
		.min_expires = 60,
		.max_expires = 7200,
		.default_expires = 3600,
		.max_contacts = 4,
		.max_bindings = 100,
		.im_tag = CORE_IM_REQUIRE,
		.server = VIEW("IM-serv/OMA1.0 Confab/test"),
		.timer_c_ms = 181000,
	};
	for (int i = 0; i < 3; i++) {
		static const char *const name[] = {"ann", "bo", "charles"};
		struct view user = view_str(name[i]);

		sip_digest_ha1(io_digest(), SIP_DIGEST_MD5, user, VIEW("example.com"),
			       VIEW("secret"), w->user[i].ha1_md5);
		sip_digest_ha1(io_digest(), SIP_DIGEST_SHA256, user, VIEW("example.com"),
			       VIEW("secret"), w->user[i].ha1_sha256);
	}
	return w;
}

static inline void world_start(struct world *w)
{
	struct sip_stack_config cfg;
	struct sip_stack_ops ops = {
		.udp_send = world_udp_send,
		.connect = world_connect,
		.write = world_write,
		.close = world_close,
		.on_request = world_request,
		.on_ack = world_ack,
		.on_conn_down = world_conn_down,
		.ctx = w,
	};
	struct core_ops core_ops = {
		.user_find = world_user_find,
		.is_local = world_is_local,
		.local_request = world_local_request,
		.local_ack = world_local_ack,
		.resolve = world_resolve,
		.on_binding = world_on_binding,
		.on_served = world_on_served,
		.ctx = w,
	};

	sip_stack_config_defaults(&cfg);
	cfg.sent_by[SIP_UDP][0] = address(OWN);
	cfg.sent_by[SIP_TCP][0] = address(OWN);
	w->stack = sip_stack_new(&cfg, &ops, &w->timers, &w->entropy,
				 w->log.write ? &w->log : NULL);
	assert_non_null(w->stack);
	w->core = core_new(&w->cfg, &core_ops, w->stack, io_digest());
	assert_non_null(w->core);
}

static inline struct world *world_default(void)
{
	struct world *w = world_new();

	world_start(w);
	return w;
}

static inline void world_end(struct world *w)
{
	core_free(w->core);
	sip_stack_free(w->stack);
	for (size_t i = 0; i < w->n_texts; i++)
		free(w->text[i]);
	free(w);
}

static inline void world_run(struct world *w, uint64_t ms)
{
	uint64_t until = w->now + ms;

	while (timers_next(&w->timers) <= until) {
		uint64_t next = timers_next(&w->timers);

		if (next > w->now)
			w->now = next;
		timers_run(&w->timers, w->now);
	}
	w->now = until;
	timers_run(&w->timers, w->now);
}

/* --- phones --- */

static inline struct phone phone_at(struct world *w, const char *user, const char *at)
{
	struct phone p = {.w = w, .user = user, .addr = address(at)};

	addr_text(&p.addr, p.host);
	return p;
}

static inline struct phone phone_on(struct world *w, enum sip_transport t, const char *user,
				    const char *at)
{
	struct phone p = phone_at(w, user, at);

	p.link = ++w->n_links;
	w->link[p.link].to = p.addr;
	w->link[p.link].conn = sip_conn_accept(w->stack, &w->link[p.link], t, &p.addr, w->now);
	assert_non_null(w->link[p.link].conn);
	return p;
}

static inline struct phone phone_tcp(struct world *w, const char *user, const char *at)
{
	return phone_on(w, SIP_TCP, user, at);
}

static inline void phone_hangs_up(struct phone *p)
{
	struct sip_conn *c = p->w->link[p->link].conn;

	p->w->link[p->link].conn = NULL;
	sip_conn_down(c, p->w->now);
}

static inline void phone_send(struct phone *p, const char *text)
{
	if (p->link)
		sip_conn_recv(p->w->link[p->link].conn, view_str(text), p->w->now);
	else
		sip_stack_datagram(p->w->stack, view_str(text), &p->addr, p->w->now);
	world_run(p->w, 0);
}

static inline struct sent *find_sent(const struct phone *p)
{
	for (size_t i = 0; i < p->w->n_sent; i++) {
		struct sent *s = &p->w->sent[i];

		if (!s->taken && s->link == p->link && addr_eq(&s->to, &p->addr))
			return s;
	}
	return NULL;
}

/* The next message that came to the phone and was not looked at yet; NULL: none. */
static inline char *phone_next(const struct phone *p)
{
	struct sent *s = find_sent(p);

	if (!s)
		return NULL;
	s->taken = true;
	return s->text;
}

static inline struct sip_msg parsed(const char *text)
{
	struct sip_msg m;

	assert_non_null(text);
	assert_int_equal(sip_msg_parse(view_str(text), &m), 0);
	return m;
}

/* The next response; 100s are passed by. 0: none. */
static inline int phone_status(const struct phone *p)
{
	char *text;

	do
		text = phone_next(p);
	while (text && strstr(text, "SIP/2.0 100 ") == text);
	return text ? parsed(text).status : 0;
}

/* A request of this phone. extra: further lines, each with its \n. */
static inline char *phone_request(struct phone *p, const char *method, const char *uri,
				  const char *to, unsigned cseq, const char *extra)
{
	struct world *w = p->w;

	return crlf(w, textf(w,
			     "%s %s SIP/2.0\n"
			     "Via: SIP/2.0/%s %s;rport;branch=z9hG4bK-%s-%u\n"
			     "From: \"%s\" <sip:%s@example.com>;tag=%s-tag\n"
			     "To: %s\n"
			     "Call-ID: call-of-%s\n"
			     "CSeq: %u %s\n"
			     "Contact: <sip:%s@%s%s>\n"
			     "%s"
			     "Content-Length: 0\n\n",
			     method, uri, p->link ? "TCP" : "UDP", p->host, p->user, ++w->serial,
			     p->user, p->user, p->user, to, p->user, cseq, method, p->user, p->host,
			     p->link ? ";transport=tcp" : "", extra));
}

/* Credentials for the challenge in a response, as a header line ending in \n. */
static inline const char *credentials(struct phone *p, const char *response, const char *user,
				      const char *password, const char *method, const char *uri)
{
	struct sip_msg m = parsed(response);
	struct sip_auth a;
	struct buf b;
	bool proxy;
	char *line;

	assert_int_equal(sip_challenge_pick(&m, &a, &proxy), 0);
	buf_init(&b, 4096);
	assert_int_equal(sip_credentials_write(&b, io_digest(), &p->w->entropy, proxy, &a,
					       view_str(user), view_str(password), view_str(method),
					       view_str(uri), 1),
			 0);
	line = textf(p->w, "%.*s\n", (int)b.n - 2, b.p);
	buf_fini(&b);
	return line;
}

static inline char *via_branch_of(struct world *w, const char *request)
{
	const char *from = strstr(request, "branch="), *end = strstr(from, "\r\n");

	return textf(w, "%.*s", (int)(end - from), from);
}

/* The ACK that ends a refused INVITE; tag: of the To of its answer. */
static inline void phone_acks_refusal(struct phone *p, const char *invite, const char *uri,
				      const char *to, const char *tag, unsigned cseq)
{
	struct world *w = p->w;

	phone_send(p, crlf(w, textf(w,
				    "ACK %s SIP/2.0\n"
				    "Via: SIP/2.0/%s %s;%s\n"
				    "From: <sip:%s@example.com>;tag=%s-tag\n"
				    "To: %s;tag=%s\n"
				    "Call-ID: call-of-%s\n"
				    "CSeq: %u ACK\n"
				    "Content-Length: 0\n\n",
				    uri, p->link ? "TCP" : "UDP", p->host, via_branch_of(w, invite),
				    p->user, p->user, to, tag, p->user, cseq)));
}

/* Sends a request and answers the challenge. Returns the text that was sent in the end. */
static inline char *phone_asks(struct phone *p, const char *method, const char *uri, const char *to,
			       unsigned cseq, const char *extra)
{
	struct world *w = p->w;
	char *request = phone_request(p, method, uri, to, cseq, extra), *answer;
	struct sip_addr answer_to;

	phone_send(p, request);
	if (!w->cfg.auth_required)
		return request;
	answer = phone_next(p);
	assert_int_equal(parsed(answer).status, strcmp(method, "REGISTER") ? 407 : 401);
	if (strcmp(method, "INVITE") == 0) {
		struct sip_msg m = parsed(answer);

		assert_int_equal(sip_msg_to(&m, &answer_to), 0);
		phone_acks_refusal(p, request, uri, to,
				   textf(w, "%.*s", VIEW_ARG(sip_addr_tag(&answer_to))), cseq);
	}
	request = phone_request(
		p, method, uri, to, cseq + 1,
		textf(w, "%s%s", credentials(p, answer, p->user, "secret", method, uri), extra));
	phone_send(p, request);
	return request;
}

/* params: of the Contact. */
static inline void phone_registers(struct phone *p, const char *params)
{
	struct world *w = p->w;
	char *text, *answer;
	const char *to = textf(w, "<sip:%s@example.com>", p->user), *auth = "";

	for (int i = 0; i < 2; i++) {
		unsigned serial = ++w->serial;

		text = crlf(w, textf(w,
				     "REGISTER sip:example.com SIP/2.0\n"
				     "Via: SIP/2.0/%s %s;rport;branch=z9hG4bK-%s-%u\n"
				     "From: %s;tag=r\n"
				     "To: %s\n"
				     "Call-ID: register-%s-%s\n"
				     "CSeq: %u REGISTER\n"
				     "Contact: <sip:%s@%s%s>%s\n"
				     "%s"
				     "Content-Length: 0\n\n",
				     p->link ? "TCP" : "UDP", p->host, p->user, serial, to, to,
				     p->user, p->host, serial, p->user, p->host,
				     p->link ? ";transport=tcp" : "", params, auth));
		phone_send(p, text);
		answer = phone_next(p);
		if (parsed(answer).status != 401)
			break;
		auth = credentials(p, answer, p->user, "secret", "REGISTER", "sip:example.com");
	}
	assert_int_equal(parsed(answer).status, 200);
}

/* An answer of the phone to a request that came to it. */
static inline void phone_answers(struct phone *p, const char *request, int status,
				 const char *extra)
{
	struct sip_msg m = parsed(request);
	struct buf b;

	buf_init(&b, 65536);
	sip_write_response_head(&b, &m, status, NULL, view_str(textf(p->w, "%s-tag", p->user)));
	buf_puts(&b, crlf(p->w, extra));
	sip_write_body(&b, VIEW(""), VIEW(""));
	assert_true(buf_ok(&b));
	buf_putc(&b, '\0');
	phone_send(p, keep_text(p->w, strdup(b.p)));
	buf_fini(&b);
}

/* All values of a header in a message, joined with '|'; "" where there are none. */
static inline const char *header(struct world *w, const char *text, const char *name)
{
	struct sip_msg m = parsed(text);
	char *out = textf(w, "%s", "");

	for (int i = 0; i < m.n_fields; i++)
		if (sip_header_of(sip_field_name(&m, i)) == sip_header_of(view_str(name)) &&
		    (sip_header_of(view_str(name)) != SIP_H_OTHER ||
		     view_eq_nocase(sip_field_name(&m, i), view_str(name))))
			out = textf(w, "%s%s%.*s", out, *out ? "|" : "",
				    VIEW_ARG(sip_field_value(&m, i)));
	return out;
}

static inline const char *start_line(struct world *w, const char *text)
{
	return textf(w, "%.*s", (int)(strstr(text, "\r\n") - text), text);
}

#define IM_ACCEPT  "Accept-Contact: *;+g.oma.sip-im;require;explicit\n"
#define IM_CONTACT ";+g.oma.sip-im"

#define AT_ANN "192.0.2.11:5060"
#define AT_BO  "192.0.2.12:5060"
#define AT_BO2 "192.0.2.22:5060"
#define BO     "<sip:bo@example.com>"
#define BO_URI "sip:bo@example.com"

/* --- calls --- */

struct call {
	struct world *w;
	struct phone ann, bo;
	char *invite;	 /* as Ann sent it */
	char *forwarded; /* as Bo got it */
};

/* No passwords: what is tested here is the way. */
static inline struct world *open_world(void)
{
	struct world *w = world_new();

	w->cfg.auth_required = false;
	world_start(w);
	return w;
}

static inline struct call call_of(struct phone ann, struct phone bo, const char *extra)
{
	struct call c = {.w = ann.w, .ann = ann, .bo = bo};

	phone_registers(&c.ann, IM_CONTACT);
	phone_registers(&c.bo, IM_CONTACT);
	c.invite = phone_request(
		&c.ann, "INVITE", BO_URI, BO, 1,
		textf(c.w, IM_ACCEPT "Allow: INVITE\nSupported: replaces\n%s", extra));
	phone_send(&c.ann, c.invite);
	c.forwarded = phone_next(&c.bo);
	assert_non_null(c.forwarded);
	return c;
}

static inline struct call simple_call(void)
{
	struct world *w = open_world();

	return call_of(phone_at(w, "ann", AT_ANN), phone_at(w, "bo", AT_BO), "");
}

static inline const char *contact_of(struct phone *p)
{
	return textf(p->w, "Contact: <sip:%s@%s%s>\n", p->user, p->host,
		     p->link ? ";transport=tcp" : "");
}

/* The Route that a party uses: the Record-Routes of its message, turned round for the caller. */
static inline const char *routes_of(struct world *w, const char *message, bool caller)
{
	struct sip_msg m = parsed(message);
	struct sip_values it;
	struct view v;
	const char *out = "";

	sip_values_start(&it, &m, SIP_H_RECORD_ROUTE);
	while (sip_values_next(&it, &v))
		out = caller ? textf(w, "Route: %.*s\n%s", VIEW_ARG(v), out)
			     : textf(w, "%sRoute: %.*s\n", out, VIEW_ARG(v));
	return out;
}

struct fork {
	struct world *w;
	struct phone ann, bo[2];
	char *invite, *got[2];
};

static inline struct fork fork_of(const char *method)
{
	struct world *w = open_world();
	struct fork f = {.w = w,
			 .ann = phone_at(w, "ann", AT_ANN),
			 .bo = {phone_at(w, "bo", AT_BO), phone_at(w, "bo", AT_BO2)}};

	phone_registers(&f.ann, IM_CONTACT);
	phone_registers(&f.bo[0], IM_CONTACT);
	phone_registers(&f.bo[1], IM_CONTACT);
	f.invite = phone_request(&f.ann, method, BO_URI, BO, 1, IM_ACCEPT);
	phone_send(&f.ann, f.invite);
	for (int i = 0; i < 2; i++) {
		f.got[i] = phone_next(&f.bo[i]);
		assert_non_null(f.got[i]);
	}
	return f;
}

#endif
