/* The client behind an IMS core (IC-7.1.1-6), as bytes: what it registers with, and what it learns
 * of the answer. */
#include "client_world.h"

#define CONF	"sip:conf-1@192.0.2.9"
#define CONF_TO "<sip:conf-1@192.0.2.9>;tag=server"

static void in_ims(struct client_config *cfg)
{
	cfg->ims = true;
	cfg->access_network = VIEW("IEEE-802.11");
}

/* What the client sent next; 100s are passed by. */
static struct sip_msg next(struct desk *d)
{
	struct sip_msg m;

	do {
		const char *text;

		desk_run(d, 1);
		text = desk_next(d, "");
		m = desk_parsed(text);
	} while (!m.is_request && m.status == 100);
	return m;
}

static struct sip_msg next_request(struct desk *d, const char *method)
{
	struct sip_msg m = next(d);

	assert_true(m.is_request);
	assert_true(view_eq(m.method_name, view_str(method)));
	return m;
}

/* extra: header lines, each with its CRLF. */
static void answer(struct desk *d, const struct sip_msg *m, int status, const char *extra,
		   const char *type, const char *body)
{
	/* Its text is the desk's, and ends with a NUL. */
	desk_answer(d, m->raw.p, status, extra, type, body);
}

static void registered(struct desk *d, const char *extra)
{
	struct sip_msg m = next_request(d, "REGISTER");
	char text[1024];

	(void)snprintf(text, sizeof(text), "Contact: %.*s\r\n%s",
		       VIEW_ARG(sip_msg_value(&m, SIP_H_CONTACT)), extra);
	answer(d, &m, 200, text, "", "");
}

static struct desk *begun(void)
{
	struct desk *d = desk_new_with(in_ims);

	client_register(d->client, d->now);
	return d;
}

static void check_value(const struct sip_msg *m, enum sip_header_id id, const char *value)
{
	struct view v = sip_msg_value(m, id);
	char text[512];

	(void)snprintf(text, sizeof(text), "%.*s", VIEW_ARG(v));
	assert_string_equal(text, value);
}

static uint32_t call(struct desk *d, const char *a, const char *b)
{
	struct view to[] = {view_str(a), view_str(b ? b : "")};
	uint32_t id = 0;

	assert_int_equal(client_call(d->client, to, b ? 2 : 1, &id, d->now), 0);
	return id;
}

static void test_IC_7_1_1_6__what_it_registers_with(void **state)
{
	struct desk *d = begun();
	struct sip_msg m = next_request(d, "REGISTER");
	struct sip_addr contact;
	struct view instance;

	(void)state;
	assert_true(sip_msg_lists(&m, SIP_H_SUPPORTED, VIEW("path")));
	check_value(&m, SIP_H_P_ACCESS_NETWORK_INFO, "IEEE-802.11");
	assert_int_equal(sip_addr_parse(sip_msg_value(&m, SIP_H_CONTACT), &contact), 0);
	assert_true(sip_params_have_im_tag(contact.params));
	assert_true(sip_param(contact.params, VIEW("+sip.instance"), &instance));
	assert_true(view_starts(instance, VIEW("\"<urn:uuid:")));
	assert_int_equal(instance.n, strlen("\"<urn:uuid:00000000-0000-4000-8000-000000000000>\""));
	assert_int_equal(instance.p[25], '4');
	desk_free(d);
}

static void test_IC_7_1_1_6__initial_requests_go_along_the_service_route(void **state)
{
	struct desk *d = begun();
	struct sip_msg m;
	struct sip_values it;
	struct view v;
	uint32_t id;
	int n = 0;

	(void)state;
	registered(d, "Service-Route: <sip:scscf@192.0.2.2;lr;orig>\r\nService-Route: "
		      "<sip:b@192.0.2.3;lr>\r\n"
		      "P-Associated-URI: <tel:+41791234567>, \"A\" <sip:ann.one@example.com>, "
		      "<sip:ann@example.com>\r\n");
	(void)call(d, "sip:bo@example.com", NULL);
	m = next_request(d, "INVITE");
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
	answer(d, &m, 486, "", "", "");
	m = next_request(d, "ACK");
	assert_false(sip_msg_has(&m, SIP_H_P_ACCESS_NETWORK_INFO));
	id = call(d, "sip:bo@example.com", NULL);
	m = next_request(d, "INVITE");
	answer(d, &m, 180, "", "", "");
	assert_int_equal(client_leave(d->client, id, false, d->now), 0);
	m = next_request(d, "CANCEL");
	assert_false(sip_msg_has(&m, SIP_H_P_ACCESS_NETWORK_INFO));
	desk_free(d);
}

static void test_IC_7_1_1_6__without_a_service_route_there_is_none(void **state)
{
	struct desk *d = begun();
	struct sip_msg m;

	(void)state;
	registered(d, "");
	(void)call(d, "sip:bo@example.com", NULL);
	m = next_request(d, "INVITE");
	assert_false(sip_msg_has(&m, SIP_H_ROUTE));
	check_value(&m, SIP_H_P_PREFERRED_IDENTITY, "<sip:ann@example.com>");
	desk_free(d);
}

static void test_IC_7_1_1_6__after_a_503_it_registers_anew(void **state)
{
	struct desk *d = begun();
	struct sip_msg m;

	(void)state;
	registered(d, "");
	(void)call(d, "sip:bo@example.com", NULL);
	m = next_request(d, "INVITE");
	answer(d, &m, 503, "", "", "");
	(void)next_request(d, "ACK");
	(void)next_request(d, "REGISTER");
	desk_free(d);
}

/* --- the conference, through a core that overtakes --- */

static void notify(struct desk *d, const struct sip_msg *subscribe, unsigned cseq, unsigned version)
{
	static const char one[] = "<user entity=\"%s\" state=\"full\"><endpoint entity=\"%s\">"
				  "<status>connected</status></endpoint></user>";
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
		"NOTIFY sip:ann@192.0.2.7:5060 SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKn%u-%u\r\nMax-Forwards: 70\r\n"
		"From: " CONF_TO "\r\nTo: %.*s\r\nCall-ID: %.*s\r\nCSeq: %u NOTIFY\r\n"
		"Contact: <" CONF
		">\r\nEvent: conference\r\nSubscription-State: active;expires=600\r\n"
		"Content-Type: application/conference-info+xml\r\nContent-Length: %zu\r\n\r\n%s",
		cseq, version, VIEW_ARG(sip_msg_value(subscribe, SIP_H_FROM)),
		VIEW_ARG(sip_msg_value(subscribe, SIP_H_CALL_ID)), cseq, strlen(body), body);
	desk_deliver(d, view_of(text, (size_t)n));
}

/* RFC 6665 §4.1.2.4; the identity of the registration is how the conference knows us. */
static void test_IC_7_1_1_6__a_notify_may_be_faster_than_the_200(void **state)
{
	struct desk *d = begun();
	struct sip_msg m, subscribe;
	uint32_t id;

	(void)state;
	registered(d, "Service-Route: <sip:scscf@192.0.2.2;lr;orig>\r\n"
		      "P-Associated-URI: <sip:ann.one@example.com>\r\n");
	id = call(d, "sip:bo@example.com", "sip:charles@example.com");
	m = next_request(d, "INVITE");
	answer(d, &m, 200, "Contact: <" CONF ">;isfocus\r\nRecord-Route: <sip:192.0.2.1;lr>\r\n",
	       "application/sdp", DESK_SDP);
	(void)next_request(d, "ACK");
	assert_int_equal(client_who(d->client, id, d->now), 0);
	subscribe = next_request(d, "SUBSCRIBE");
	check_value(&subscribe, SIP_H_ROUTE, "<sip:scscf@192.0.2.2;lr;orig>");
	check_value(&subscribe, SIP_H_P_ACCESS_NETWORK_INFO, "IEEE-802.11");
	notify(d, &subscribe, 7, 1);
	m = next(d);
	assert_int_equal(m.status, 200);
	assert_string_equal(desk_event(d, CONFAB_ROSTER)->self, "sip:ann.one@example.com");
	answer(d, &subscribe, 200,
	       "Contact: <" CONF ">\r\nExpires: 600\r\nRecord-Route: <sip:192.0.2.1;lr>\r\n", "",
	       "");
	notify(d, &subscribe, 7, 2); /* old: that number was had */
	assert_int_equal(next(d).status, 500);
	notify(d, &subscribe, 8, 2);
	assert_int_equal(next(d).status, 200);
	/* The route of the refresh is that of the 200. */
	assert_int_equal(client_who(d->client, id, d->now), 0);
	m = next_request(d, "SUBSCRIBE");
	check_value(&m, SIP_H_ROUTE, "<sip:192.0.2.1;lr>");
	assert_true(view_starts(sip_msg_value(&m, SIP_H_CSEQ), VIEW("2 ")));
	desk_free(d);
}

static void test_a_notify_of_nobody_is_481(void **state)
{
	struct desk *d = begun();
	struct sip_msg m;

	(void)state;
	registered(d, "");
	(void)call(d, "sip:bo@example.com", NULL);
	m = next_request(d, "INVITE");
	notify(d, &m, 1, 1);
	assert_int_equal(next(d).status, 481);
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IC_7_1_1_6__what_it_registers_with),
		cmocka_unit_test(test_IC_7_1_1_6__initial_requests_go_along_the_service_route),
		cmocka_unit_test(test_IC_7_1_1_6__without_a_service_route_there_is_none),
		cmocka_unit_test(test_IC_7_1_1_6__after_a_503_it_registers_anew),
		cmocka_unit_test(test_IC_7_1_1_6__a_notify_may_be_faster_than_the_200),
		cmocka_unit_test(test_a_notify_of_nobody_is_481),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
