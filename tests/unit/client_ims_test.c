/* The client behind an IMS core (IC-7.1.1-6), as bytes: what it registers with, and what it learns
 * of the answer. */
#include "base/error.h"
#include "client/client.h"
#include "io/digest.h"
#include "sip/value.h"
#include "sip/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SENT_MAX = 64 };
#define PCSCF	"192.0.2.1:5060"
#define CONF	"sip:conf-1@192.0.2.9"
#define CONF_TO "<sip:conf-1@192.0.2.9>;tag=focus"

struct world {
	struct timers timers;
	struct entropy entropy;
	uint64_t random, now;
	struct client *client;
	char *sent[SENT_MAX];
	int n, seen;
	uint32_t conversation;
	int rosters;
	char self_uri[64];
};

static void fill(void *ctx, void *dst, size_t n)
{
	struct world *w = ctx;

	for (size_t i = 0; i < n; i++) {
		w->random = w->random * 6364136223846793005u + 1442695040888963407u;
		((unsigned char *)dst)[i] = (unsigned char)(w->random >> 56);
	}
}

static void udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	struct world *w = ctx;

	(void)to;
	assert_true(w->n < SENT_MAX);
	w->sent[w->n++] = strndup(bytes.p, bytes.n);
}

/* A long request falls back to UDP. */
static void *sip_connect(void *ctx, struct sip_conn *conn, enum sip_transport t,
			 const struct addr *to)
{
	(void)ctx;
	(void)conn;
	(void)t;
	(void)to;
	return NULL;
}

static void *msrp_connect(void *ctx, struct msrp_conn *conn, const struct addr *to, bool tls)
{
	(void)conn;
	(void)to;
	(void)tls;
	return ctx; /* never up */
}

static void msrp_write(void *ctx, void *handle, struct view bytes)
{
	(void)ctx;
	(void)handle;
	(void)bytes;
}

static void msrp_close(void *ctx, void *handle)
{
	(void)ctx;
	(void)handle;
}

static size_t msrp_pending(void *ctx, void *handle)
{
	(void)ctx;
	(void)handle;
	return 0;
}

static void on_event(void *ctx, const struct confab_event *ev)
{
	struct world *w = ctx;

	if (ev->type != CONFAB_ROSTER)
		return;
	w->rosters++;
	for (size_t i = 0; i < ev->n_participants; i++)
		if (ev->participant[i].self)
			snprintf(w->self_uri, sizeof(w->self_uri), "%s", ev->participant[i].uri);
}

static void run(struct world *w, uint64_t ms)
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

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_hostport(view_str(text), 5060, &a), 0);
	return a;
}

/* What the client sent next; 100s are passed by. */
static struct sip_msg next(struct world *w)
{
	struct sip_msg m;

	do {
		run(w, 1);
		assert_true(w->seen < w->n);
		assert_int_equal(sip_msg_parse(view_str(w->sent[w->seen++]), &m), 0);
	} while (!m.is_request && m.status == 100);
	return m;
}

static struct sip_msg next_request(struct world *w, const char *method)
{
	struct sip_msg m = next(w);

	assert_true(m.is_request);
	assert_true(view_eq(m.method_name, view_str(method)));
	return m;
}

/* extra: header lines, each with its CRLF; body may be NULL. */
static void answer(struct world *w, const struct sip_msg *m, int status, const char *extra,
		   const char *type, const char *body)
{
	struct addr from = address(PCSCF);
	struct buf b;

	buf_init(&b, 65536);
	sip_write_response_head(&b, m, status, NULL, VIEW("focus"));
	buf_puts(&b, extra);
	sip_write_body(&b, view_str(type), view_str(body));
	assert_true(buf_ok(&b));
	sip_stack_datagram(client_stack(w->client), buf_view(&b), &from, w->now);
	buf_fini(&b);
	run(w, 0);
}

static void registered(struct world *w, const char *extra)
{
	struct sip_msg m = next_request(w, "REGISTER");
	char text[1024];

	(void)snprintf(text, sizeof(text), "Contact: %.*s\r\n%s",
		       VIEW_ARG(sip_msg_value(&m, SIP_H_CONTACT)), extra);
	answer(w, &m, 200, text, "", "");
}

static int world_begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct client_world cw = {.udp_send = udp_send,
				  .sip_connect = sip_connect,
				  .msrp = {.connect = msrp_connect,
					   .write = msrp_write,
					   .pending = msrp_pending,
					   .close = msrp_close,
					   .finish = msrp_close,
					   .ctx = w},
				  .event = on_event,
				  .ctx = w};
	struct client_config cfg = {
		.user = VIEW("sip:ann@example.com"),
		.server = {.transport = SIP_UDP, .remote = address(PCSCF)},
		.sip_local = {address("192.0.2.11:5070"), address("192.0.2.11:5070")},
		.msrp_local = address("192.0.2.11:2855"),
		.max_conversations = 8,
		.register_expires = 600,
		.max_message = 1 << 20,
		.ims = true,
		.access_network = VIEW("IEEE-802.11"),
		.drain_ms = 1000,
	};

	w->now = 1000;
	w->entropy = (struct entropy){fill, w};
	timers_init(&w->timers, w->now);
	w->client = client_new(&cfg, &cw, io_digest(), &w->timers, &w->entropy, NULL);
	assert_non_null(w->client);
	client_register(w->client, w->now);
	*state = w;
	return 0;
}

static int world_end(void **state)
{
	struct world *w = *state;

	client_free(w->client);
	for (int i = 0; i < w->n; i++)
		free(w->sent[i]);
	free(w);
	return 0;
}

static void check_value(const struct sip_msg *m, enum sip_header_id id, const char *value)
{
	struct view v = sip_msg_value(m, id);
	char text[512];

	(void)snprintf(text, sizeof(text), "%.*s", VIEW_ARG(v));
	assert_string_equal(text, value);
}

static void call(struct world *w, const char *a, const char *b)
{
	struct view to[] = {view_str(a), view_str(b ? b : "")};

	assert_int_equal(client_call(w->client, to, b ? 2 : 1, &w->conversation, w->now), 0);
}

static void test_IC_7_1_1_6__what_it_registers_with(void **state)
{
	struct world *w = *state;
	struct sip_msg m = next_request(w, "REGISTER");
	struct sip_addr contact;
	struct view instance;

	assert_true(sip_msg_lists(&m, SIP_H_SUPPORTED, VIEW("path")));
	check_value(&m, SIP_H_P_ACCESS_NETWORK_INFO, "IEEE-802.11");
	assert_int_equal(sip_addr_parse(sip_msg_value(&m, SIP_H_CONTACT), &contact), 0);
	assert_true(sip_params_have_im_tag(contact.params));
	assert_true(sip_param(contact.params, VIEW("+sip.instance"), &instance));
	assert_true(view_starts(instance, VIEW("\"<urn:uuid:")));
	assert_int_equal(instance.n, strlen("\"<urn:uuid:00000000-0000-4000-8000-000000000000>\""));
	assert_int_equal(instance.p[25], '4');
}

static void test_IC_7_1_1_6__initial_requests_go_along_the_service_route(void **state)
{
	struct world *w = *state;
	struct sip_msg m;
	struct sip_values it;
	struct view v;
	int n = 0;

	registered(w, "Service-Route: <sip:scscf@192.0.2.2;lr;orig>\r\nService-Route: "
		      "<sip:b@192.0.2.3;lr>\r\n"
		      "P-Associated-URI: <tel:+41791234567>, \"A\" <sip:ann.one@example.com>, "
		      "<sip:ann@example.com>\r\n");
	call(w, "sip:bo@example.com", NULL);
	m = next_request(w, "INVITE");
	sip_values_start(&it, &m, SIP_H_ROUTE);
	while (sip_values_next(&it, &v))
		assert_true(view_eq(v, n++ ? VIEW("<sip:b@192.0.2.3;lr>")
					   : VIEW("<sip:scscf@192.0.2.2;lr;orig>")));
	assert_int_equal(n, 2);
	check_value(&m, SIP_H_P_ACCESS_NETWORK_INFO, "IEEE-802.11");
	check_value(&m, SIP_H_P_PREFERRED_IDENTITY, "<sip:ann.one@example.com>");
	assert_false(sip_msg_lists(&m, SIP_H_SUPPORTED, VIEW("precondition")));
	assert_false(sip_msg_lists(&m, SIP_H_SUPPORTED, VIEW("100rel")));
	/* Neither ACK nor CANCEL tells the access network (RFC 7315 §4.4). */
	answer(w, &m, 486, "", "", "");
	m = next_request(w, "ACK");
	assert_false(sip_msg_has(&m, SIP_H_P_ACCESS_NETWORK_INFO));
	call(w, "sip:bo@example.com", NULL);
	m = next_request(w, "INVITE");
	answer(w, &m, 180, "", "", "");
	assert_int_equal(client_leave(w->client, w->conversation, false, w->now), 0);
	m = next_request(w, "CANCEL");
	assert_false(sip_msg_has(&m, SIP_H_P_ACCESS_NETWORK_INFO));
}

static void test_IC_7_1_1_6__without_a_service_route_there_is_none(void **state)
{
	struct world *w = *state;
	struct sip_msg m;

	registered(w, "");
	call(w, "sip:bo@example.com", NULL);
	m = next_request(w, "INVITE");
	assert_false(sip_msg_has(&m, SIP_H_ROUTE));
	check_value(&m, SIP_H_P_PREFERRED_IDENTITY, "<sip:ann@example.com>");
}

static void test_IC_7_1_1_6__after_a_503_it_registers_anew(void **state)
{
	struct world *w = *state;
	struct sip_msg m;

	registered(w, "");
	call(w, "sip:bo@example.com", NULL);
	m = next_request(w, "INVITE");
	answer(w, &m, 503, "", "", "");
	(void)next_request(w, "ACK");
	(void)next_request(w, "REGISTER");
}

/* --- the conference, through a core that overtakes --- */

static const char focus_sdp[] =
	"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
	"m=message 2855 TCP/MSRP *\r\na=accept-types:message/cpim\r\n"
	"a=accept-wrapped-types:*\r\na=setup:passive\r\n"
	"a=path:msrp://192.0.2.9:2855/seat1;tcp\r\n";

static void notify(struct world *w, const struct sip_msg *subscribe, unsigned cseq,
		   unsigned version)
{
	static const char one[] = "<user entity=\"%s\" state=\"full\"><endpoint entity=\"%s\">"
				  "<status>connected</status></endpoint></user>";
	struct addr from = address(PCSCF);
	char body[2048], text[4096], user[512];
	int n;

	(void)snprintf(user, sizeof(user), one, "sip:ann.one@example.com",
		       "sip:ann.one@example.com");
	(void)snprintf(body, sizeof(body),
		       "<?xml version=\"1.0\"?><conference-info "
		       "xmlns=\"urn:ietf:params:xml:ns:conference-info\" "
		       "entity=\"" CONF
		       "\" state=\"full\" version=\"%u\"><users>%s</users></conference-info>",
		       version, user);
	n = snprintf(
		text, sizeof(text),
		"NOTIFY sip:ann@192.0.2.11:5070 SIP/2.0\r\n"
		"Via: SIP/2.0/UDP " PCSCF ";branch=z9hG4bKn%u-%u\r\nMax-Forwards: 70\r\n"
		"From: " CONF_TO "\r\nTo: %.*s\r\nCall-ID: %.*s\r\nCSeq: %u NOTIFY\r\n"
		"Contact: <" CONF
		">\r\nEvent: conference\r\nSubscription-State: active;expires=600\r\n"
		"Content-Type: application/conference-info+xml\r\nContent-Length: %zu\r\n\r\n%s",
		cseq, version, VIEW_ARG(sip_msg_value(subscribe, SIP_H_FROM)),
		VIEW_ARG(sip_msg_value(subscribe, SIP_H_CALL_ID)), cseq, strlen(body), body);
	sip_stack_datagram(client_stack(w->client), view_of(text, (size_t)n), &from, w->now);
	run(w, 0);
}

/* RFC 6665 §4.1.2.4; the identity of the registration is how the conference knows us. */
static void test_IC_7_1_1_6__a_notify_may_be_faster_than_the_200(void **state)
{
	struct world *w = *state;
	struct sip_msg m, subscribe;

	registered(w, "Service-Route: <sip:scscf@192.0.2.2;lr;orig>\r\n"
		      "P-Associated-URI: <sip:ann.one@example.com>\r\n");
	call(w, "sip:bo@example.com", "sip:charles@example.com");
	m = next_request(w, "INVITE");
	answer(w, &m, 200, "Contact: <" CONF ">;isfocus\r\nRecord-Route: <sip:192.0.2.1;lr>\r\n",
	       "application/sdp", focus_sdp);
	(void)next_request(w, "ACK");
	assert_int_equal(client_who(w->client, w->conversation, w->now), 0);
	subscribe = next_request(w, "SUBSCRIBE");
	check_value(&subscribe, SIP_H_ROUTE, "<sip:scscf@192.0.2.2;lr;orig>");
	check_value(&subscribe, SIP_H_P_ACCESS_NETWORK_INFO, "IEEE-802.11");
	notify(w, &subscribe, 7, 1);
	m = next(w);
	assert_int_equal(m.status, 200);
	assert_int_equal(w->rosters, 1);
	assert_string_equal(w->self_uri, "sip:ann.one@example.com");
	answer(w, &subscribe, 200,
	       "Contact: <" CONF ">\r\nExpires: 600\r\nRecord-Route: <sip:192.0.2.1;lr>\r\n", "",
	       "");
	notify(w, &subscribe, 7, 2); /* old: that number was had */
	assert_int_equal(next(w).status, 500);
	notify(w, &subscribe, 8, 2);
	assert_int_equal(next(w).status, 200);
	/* The route of the refresh is that of the 200. */
	assert_int_equal(client_who(w->client, w->conversation, w->now), 0);
	m = next_request(w, "SUBSCRIBE");
	check_value(&m, SIP_H_ROUTE, "<sip:192.0.2.1;lr>");
	assert_true(view_starts(sip_msg_value(&m, SIP_H_CSEQ), VIEW("2 ")));
}

static void test_a_notify_of_nobody_is_481(void **state)
{
	struct world *w = *state;
	struct sip_msg m;

	registered(w, "");
	call(w, "sip:bo@example.com", NULL);
	m = next_request(w, "INVITE");
	notify(w, &m, 1, 1);
	assert_int_equal(next(w).status, 481);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_IC_7_1_1_6__what_it_registers_with,
						world_begin, world_end),
		cmocka_unit_test_setup_teardown(
			test_IC_7_1_1_6__initial_requests_go_along_the_service_route, world_begin,
			world_end),
		cmocka_unit_test_setup_teardown(
			test_IC_7_1_1_6__without_a_service_route_there_is_none, world_begin,
			world_end),
		cmocka_unit_test_setup_teardown(
			test_IC_7_1_1_6__a_notify_may_be_faster_than_the_200, world_begin,
			world_end),
		cmocka_unit_test_setup_teardown(test_IC_7_1_1_6__after_a_503_it_registers_anew,
						world_begin, world_end),
		cmocka_unit_test_setup_teardown(test_a_notify_of_nobody_is_481, world_begin,
						world_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
