/* The world of a B2BUA in a test: the core's, with a relay that is a note of what was asked of it.
 */
#ifndef CONFAB_TEST_B2BUA_WORLD_H
#define CONFAB_TEST_B2BUA_WORLD_H

#include "server_world.h"

#include "server/participating/b2bua.h"

#define NEAR_PATH "msrp://192.0.2.1:2855/aa-near;tcp"
#define FAR_PATH  "msrp://192.0.2.1:2855/aa-far;tcp"
#define NEAR_TLS_PATH "msrps://192.0.2.1:2955/aa-near;tcp"
#define FAR_TLS_PATH  "msrps://192.0.2.1:2955/aa-far;tcp"
#define RELAY_PRINT   "SHA-256 0A:0B"

static struct world *w;
static struct b2bua *b;
static struct phone ann, bo, bo2;

/* The relay as the B2BUA asks for it. */
static uint64_t opened, closed;
static int n_opened, n_closed, n_drained;
static bool slow_drain, drain_refuses; /* slow: it answers only when told to */
static char end_path[2][128];
static char end_print[2][128];
static bool end_connect[2], end_focus[2], opened_tls[2];
static bool answer_at_once;

static int relay_open(void *ctx, uint64_t relay, const bool tls[2])
{
	(void)ctx;
	opened = relay;
	memcpy(opened_tls, tls, sizeof(opened_tls));
	n_opened++;
	return 0;
}

static void relay_answer(void *ctx, uint64_t relay, enum b2bua_side side, const struct relay_end *e)
{
	(void)ctx;
	assert_true(relay == opened || n_opened > 1);
	view_copy(e->remote_path, end_path[side], sizeof(end_path[side]));
	view_copy(e->fingerprint, end_print[side], sizeof(end_print[side]));
	end_connect[side] = e->connect;
	end_focus[side] = e->focus;
}

static void relay_drain(void *ctx, uint64_t relay, bool refuse)
{
	(void)ctx;
	n_drained++;
	drain_refuses = refuse;
	if (!slow_drain)
		b2bua_relay_drained(b, relay, w->now);
}

static void relay_close(void *ctx, uint64_t relay)
{
	(void)ctx;
	closed = relay;
	n_closed++;
}

static void relay_fingerprint(void *ctx, char *dst)
{
	(void)ctx;
	strcpy(dst, RELAY_PRINT);
}

static void ready(void)
{
	b2bua_relay_ready(b, opened, opened_tls[0] ? VIEW(NEAR_TLS_PATH) : VIEW(NEAR_PATH),
			  opened_tls[1] ? VIEW(FAR_TLS_PATH) : VIEW(FAR_PATH), w->now);
	world_run(w, 0);
}

/* Starts the world with a B2BUA in it. tls: how it deals with MSRP over TLS; -1: it has none. */
static void begin_with(int tls)
{
	struct b2bua_config cfg = {.feature_tag = VIEW("+g.oma.sip-im"),
						.release = VIEW("IM-serv/OMA1.0 Confab/test"),
						.max_calls = 100,
						.session_expires_s = 1800,
						.min_se_s = 90,
						.drain_ms = 3000};
	struct relay_broker broker = {relay_open, relay_answer, relay_drain, relay_close,
				      tls < 0 ? NULL : relay_fingerprint, NULL};

	cfg.tls = tls < 0 ? B2BUA_TLS_KEEP : (enum b2bua_tls)tls;
	world_start(w);
	b = b2bua_new(&cfg, w->core, &broker);
	assert_non_null(b);
	n_opened = n_closed = n_drained = 0;
	slow_drain = drain_refuses = false;
	memset(end_path, 0, sizeof(end_path));
	memset(end_print, 0, sizeof(end_print));
	answer_at_once = true;
}

static inline void begin(void)
{
	begin_with(-1);
}

static inline void world_with(int tls)
{
	w = world_new();
	w->cfg.auth_required = false;
	w->cfg.mode = CORE_MODE_PROXY;
	w->user[0].mode = CORE_MODE_B2BUA;
	begin_with(tls);
	ann = phone_at(w, "ann", AT_ANN);
	bo = phone_at(w, "bo", AT_BO);
	bo2 = phone_at(w, "bo", AT_BO2);
	phone_registers(&ann, IM_CONTACT);
	phone_registers(&bo, IM_CONTACT);
}

static inline int setup(void **state)
{
	(void)state;
	world_with(-1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	b2bua_free(b);
	world_end(w);
	return 0;
}

static const char *sdp_of(const char *host, const char *path, const char *setup_line)
{
	return textf(w,
		     "v=0\no=- 7 1 IN IP4 %s\ns=-\nc=IN IP4 %s\nt=0 0\nm=message 7654 TCP/MSRP *\n"
		     "a=accept-types:message/cpim\na=x-other:kept\na=path:%s\n%s",
		     host, host, path, setup_line);
}

#define ANN_SDP sdp_of("192.0.2.11", "msrp://192.0.2.11:7654/ann;tcp", "a=setup:actpass\n")
#define BO_SDP	sdp_of("192.0.2.12", "msrp://192.0.2.12:7654/bo;tcp", "a=setup:passive\n")

/* The message with a session description in place of no body. */
static char *with_sdp(char *message, const char *sdp)
{
	char *end = strstr(message, "Content-Length: 0"), *body = crlf(w, sdp);

	assert_non_null(end);
	*end = '\0';
	return textf(w, "%sContent-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s", message,
		     strlen(body), body);
}

static char *ann_invites(const char *extra)
{
	char *invite = with_sdp(
		phone_request(&ann, "INVITE", BO_URI, BO, 5, textf(w, IM_ACCEPT "%s", extra)),
		ANN_SDP);

	phone_send(&ann, invite);
	if (n_opened && answer_at_once)
		ready();
	return invite;
}

static void answers(struct phone *p, const char *request, int status, const char *tag,
		    const char *extra, const char *sdp)
{
	struct sip_msg m = parsed(request);
	struct buf out;

	buf_init(&out, 65536);
	sip_write_response_head(&out, &m, status, NULL, view_str(tag));
	buf_puts(&out, crlf(w, extra));
	if (sdp)
		sip_write_body(&out, VIEW("application/sdp"), view_str(crlf(w, sdp)));
	else
		sip_write_body(&out, VIEW(""), VIEW(""));
	buf_putc(&out, '\0');
	phone_send(p, keep_text(w, strdup(out.p)));
	buf_fini(&out);
}

/* The next of a status; earlier ones of other statuses are passed by. */
static char *response(struct phone *p, int status)
{
	for (char *text; (text = phone_next(p));)
		if (!parsed(text).is_request && parsed(text).status == status)
			return text;
	fail_msg("no %d came", status);
	return NULL;
}

static char *request(struct phone *p, const char *method)
{
	for (char *text; (text = phone_next(p));)
		if (parsed(text).is_request && view_eq(parsed(text).method_name, view_str(method)))
			return text;
	return NULL;
}

struct talk {
	char *invite, *got, *ok;
};

/* What Ann sends inside the dialog, along Contact and Record-Route of her 200. */
static char *ann_inside(const struct talk *t, const char *method, unsigned cseq, const char *extra)
{
	const char *contact = header(w, t->ok, "Contact");
	const char *uri = textf(w, "%.*s", (int)(strchr(contact, '>') - contact - 1), contact + 1);

	return phone_request(&ann, method, uri, header(w, t->ok, "To"), cseq,
			     textf(w, "%s%s", routes_of(w, t->ok, true), extra));
}

static inline char *bo_inside(const struct talk *t, const char *method, unsigned cseq, const char *extra)
{
	const char *contact = header(w, t->got, "Contact");

	return crlf(w,
		    textf(w,
			  "%s %.*s SIP/2.0\nVia: SIP/2.0/UDP " AT_BO ";rport;branch=z9hG4bK-i%u\n"
			  "%sFrom: <sip:bo@example.com>;tag=bo-tag\nTo: %s\nCall-ID: call-of-ann\n"
			  "CSeq: %u %s\nMax-Forwards: 70\nContact: <sip:bo@" AT_BO
			  ">\n%sContent-Length: 0\n\n",
			  method, (int)(strchr(contact, '>') - contact - 1), contact + 1,
			  ++w->serial, routes_of(w, t->got, false), header(w, t->got, "From"), cseq,
			  method, extra));
}

static struct talk talk_with(const char *extra, const char *answer_extra)
{
	struct talk t;

	t.invite = ann_invites(extra);
	t.got = request(&bo, "INVITE");
	assert_non_null(t.got);
	answers(&bo, t.got, 200, "bo-tag",
		textf(w,
		      "Contact: <sip:bo@" AT_BO ">;expires=9\nAllow: INVITE, BYE, ACK, MESSAGE\n%s",
		      answer_extra),
		BO_SDP);
	t.ok = response(&ann, 200);
	phone_send(&ann, ann_inside(&t, "ACK", 5, ""));
	assert_non_null(request(&bo, "ACK"));
	return t;
}

static inline struct talk talk(void)
{
	return talk_with("Allow: INVITE, BYE, ACK, CANCEL\nSupported: replaces, 100rel\n", "");
}

#endif
