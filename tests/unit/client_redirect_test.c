/* What the client does with 3xx and 503 (RFC 3261 §8.1.3.4, §20.33), and to whom it shows what it
 * makes of its password (§22). */
#include "client_world.h"

#include "sip/digest.h"

#define CHALLENGE(realm)                                                                           \
	"WWW-Authenticate: Digest realm=\"" realm                                                  \
	"\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"\r\n"

static const char *calling(struct desk *d)
{
	struct view bo = VIEW("sip:bo@example.com");
	uint32_t id;

	assert_int_equal(client_call(d->client, &bo, 1, &id, d->now), 0);
	desk_run(d, 0);
	return desk_next(d, "INVITE sip:bo@example.com ");
}

static void same_call(struct desk *d, const char *a, const char *b, const char *cseq)
{
	assert_non_null(b);
	assert_string_equal(desk_field(d, a, "Call-ID"), desk_field(d, b, "Call-ID"));
	assert_string_equal(desk_field(d, a, "From"), desk_field(d, b, "From"));
	assert_string_equal(desk_field(d, a, "To"), desk_field(d, b, "To"));
	assert_string_not_equal(desk_field(d, a, "Via"), desk_field(d, b, "Via"));
	assert_string_equal(desk_field(d, b, "CSeq"), cseq);
}

static void test_RFC3261_8_1_3_4__an_invite_is_tried_elsewhere(void **state)
{
	struct desk *d = desk_registered();
	const char *invite = calling(d), *next;

	(void)state;
	desk_answer(d, invite, 302, "Contact: <sip:bo@a.example>;q=0.4, <sip:bo@b.example>\r\n", "",
		    "");
	assert_non_null(desk_next(d, "ACK sip:bo@example.com "));
	next = desk_next(d, "INVITE sip:bo@b.example ");
	same_call(d, invite, next, "2 INVITE");
	assert_string_equal(strstr(next, "v=0"), strstr(invite, "v=0"));
	/* That place sends further; the first one is still there, too. */
	desk_answer(d, next, 301, "Contact: <sip:bo@c.example>;q=0.3\r\n", "", "");
	next = desk_next(d, "INVITE sip:bo@a.example ");
	same_call(d, invite, next, "3 INVITE");
	desk_answer(d, next, 486, "", "", "");
	next = desk_next(d, "INVITE sip:bo@c.example ");
	same_call(d, invite, next, "4 INVITE");
	desk_answer(d, next, 200, "Contact: <sip:bo@192.0.2.9:5060>\r\n", "application/sdp",
		    DESK_PHONE_SDP);
	next = desk_next(d, "ACK sip:bo@192.0.2.9:5060 ");
	assert_non_null(next);
	assert_string_equal(desk_field(d, next, "CSeq"), "4 ACK");
	desk_seat_opens(d);
	assert_non_null(desk_event(d, CONFAB_OPEN));
	/* Who is there now is who is taken along into a conference. */
	assert_int_equal(client_add(d->client, 1, &VIEW("sip:charles@example.com"), 1, d->now), 0);
	desk_run(d, 0);
	assert_non_null(strstr(desk_next(d, "INVITE sip:conference-factory@example.com "),
			       "<entry uri=\"sip:bo@c.example;"));
	desk_free(d);
}

static void test_RFC3261_8_1_3_4__the_last_failure_is_told(void **state)
{
	/* Not followed at all; nowhere to go; a loop; refused everywhere. */
	static const struct {
		int status;
		const char *contact;
	} told[] = {{305, "Contact: <sip:proxy.example>\r\n"},
		    {380, "Contact: <sip:bo@b.example>\r\n"},
		    {302, ""},
		    {302, "Contact: <tel:+123>\r\n"},
		    {302, "Contact: <sip:bo@example.com>\r\n"}};

	(void)state;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		struct desk *d = desk_registered();

		desk_answer(d, calling(d), told[i].status, told[i].contact, "", "");
		assert_int_equal(desk_event(d, CONFAB_ENDED)->status, told[i].status);
		assert_null(desk_next(d, "INVITE "));
		desk_free(d);
	}
}

static void test_RFC3261_8_1_3_4__at_most_five_places(void **state)
{
	struct desk *d = desk_registered();
	const char *invite = calling(d);

	(void)state;
	for (int i = 0; i < 6; i++) {
		assert_non_null(invite);
		desk_answer(d, invite, 302,
			    desk_textf(d, "Contact: <sip:u%d@h.example>, <sip:v%d@h.example>\r\n",
				       i, i),
			    "", "");
		invite = desk_next(d, "INVITE ");
	}
	assert_null(invite);
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 302);
	desk_free(d);
}

static void test_RFC3261_21_6__a_global_failure_is_one(void **state)
{
	struct desk *d = desk_registered();

	(void)state;
	desk_answer(d, calling(d), 302, "Contact: <sip:a@h.example>, <sip:b@h.example>\r\n", "",
		    "");
	desk_answer(d, desk_next(d, "INVITE sip:a@h.example "), 603, "", "", "");
	assert_null(desk_next(d, "INVITE "));
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 603);
	desk_free(d);
}

static void test_RFC3261_9_1__left_while_it_is_redirected(void **state)
{
	struct desk *d = desk_registered();
	const char *invite = calling(d);

	(void)state;
	desk_answer(d, invite, 180, DESK_PHONE, "", "");
	assert_int_equal(client_leave(d->client, 1, false, d->now), 0);
	assert_non_null(desk_next(d, "CANCEL "));
	desk_answer(d, invite, 302, "Contact: <sip:a@h.example>\r\n", "", "");
	assert_null(desk_next(d, "INVITE "));
	desk_free(d);
}

static void test_RFC3261_8_1_3_4__a_message_and_a_subscribe_too(void **state)
{
	struct desk *d = desk_registered();
	const char *request, *next;

	(void)state;
	assert_int_equal(
		client_page(d->client, VIEW("sip:bo@example.com"), VIEW("hi"), NULL, d->now), 0);
	desk_run(d, 0);
	request = desk_next(d, "MESSAGE ");
	desk_answer(d, request, 302, "Contact: <sip:bo@b.example?Subject=x>\r\n", "", "");
	next = desk_next(d, "MESSAGE sip:bo@b.example ");
	same_call(d, request, next, "2 MESSAGE");
	assert_null(desk_event(d, CONFAB_PAGED));
	desk_answer(d, next, 200, "", "", "");
	assert_int_equal(desk_event(d, CONFAB_PAGED)->status, 200);

	(void)desk_conference(d, &request);
	desk_seat_opens(d);
	request = desk_next(d, "SUBSCRIBE ");
	desk_answer(d, request, 301, "Contact: <sip:state@192.0.2.1>\r\n", "", "");
	same_call(d, request, desk_next(d, "SUBSCRIBE sip:state@192.0.2.1 "), "2 SUBSCRIBE");
	desk_free(d);
}

/* --- 488 --- */

static void has_tls(struct client_config *cfg)
{
	cfg->msrp_tls_local = cfg->msrp_local;
	cfg->msrp_fingerprint = VIEW("SHA-256 0A:0B");
}

static void offers_tls(struct client_config *cfg)
{
	has_tls(cfg);
	cfg->msrp_tls = true;
}

static void test_SW_4__who_takes_no_plain_msrp_is_offered_tls(void **state)
{
	struct desk *d = desk_new_with(has_tls);
	const char *invite = calling(d), *next;

	(void)state;
	assert_non_null(strstr(invite, " TCP/MSRP *"));
	desk_answer(d, invite, 488, "", "", "");
	next = desk_next(d, "INVITE sip:bo@example.com ");
	same_call(d, invite, next, "2 INVITE");
	assert_non_null(strstr(next, " TCP/TLS/MSRP *"));
	assert_null(desk_event(d, CONFAB_ENDED));
	desk_answer(d, next, 488, "", "", "");
	assert_null(desk_next(d, "INVITE "));
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 488);
	desk_free(d);
}

static void test_SW_4__but_who_takes_no_tls_is_not_offered_plain(void **state)
{
	struct desk *d = desk_new_with(offers_tls);
	const char *invite = calling(d);

	(void)state;
	assert_non_null(strstr(invite, " TCP/TLS/MSRP *"));
	desk_answer(d, invite, 488, "", "", "");
	assert_null(desk_next(d, "INVITE "));
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 488);
	desk_free(d);
}

/* --- REGISTER --- */

static void test_RFC3261_10__a_registrar_at_another_address(void **state)
{
	struct desk *d = desk_new();
	const char *request;

	(void)state;
	client_register(d->client, d->now);
	desk_run(d, 0);
	desk_answer(d, desk_next(d, "REGISTER "), 302,
		    "Contact: <sip:192.0.2.1>, <sip:[2001:db8::1]>, <sip:192.0.2.44:5070>\r\n", "",
		    "");
	assert_string_equal(d->sent_to, "192.0.2.44:5070");
	request = desk_next(d, "REGISTER sip:example.com ");
	assert_non_null(request);
	/* Silent: the next one goes where the first one did. */
	desk_run(d, 32000);
	assert_int_equal(desk_event(d, CONFAB_REGISTER_FAILED)->status, 408);
	while (desk_next(d, "REGISTER "))
		;
	assert_non_null(desk_await(d, "REGISTER ", 1000));
	assert_string_equal(d->sent_to, "192.0.2.1:5060");
	desk_free(d);
}

static void test_RFC3261_10__a_registrar_of_another_name(void **state)
{
	struct desk *d = desk_new();
	const char *request;

	(void)state;
	client_register(d->client, d->now);
	desk_run(d, 0);
	desk_answer(d, desk_next(d, "REGISTER "), 302, "Contact: <sip:reg2.example.net>\r\n", "",
		    "");
	request = desk_next(d, "REGISTER sip:reg2.example.net ");
	assert_non_null(request);
	assert_string_equal(desk_field(d, request, "To"), "<sip:ann@example.com>");
	assert_string_equal(d->sent_to, "192.0.2.1:5060");
	/* Who is there is not shown what only our own registrar may see. */
	desk_answer(d, request, 401, CHALLENGE("reg2.example.net"), "", "");
	assert_null(desk_next(d, "REGISTER "));
	assert_int_equal(desk_event(d, CONFAB_REGISTER_FAILED)->status, 401);
	desk_free(d);
}

static void test_RFC3261_10__not_in_circles(void **state)
{
	struct desk *d = desk_new();
	const char *request;
	int n = 0;

	(void)state;
	client_register(d->client, d->now);
	desk_run(d, 0);
	while ((request = desk_next(d, "REGISTER ")) && n < 20)
		desk_answer(d, request, 302,
			    desk_textf(d, "Contact: <sip:r%d.example>\r\n", n++ % 2), "", "");
	assert_int_equal(n, 6);
	assert_int_equal(desk_event(d, CONFAB_REGISTER_FAILED)->status, 302);
	desk_free(d);
}

/* --- whom the password is for --- */

static void test_RFC3261_22__a_peer_is_shown_nothing(void **state)
{
	struct desk *d = desk_registered();
	const char *invite = calling(d);

	(void)state;
	desk_answer(d, invite, 401, CHALLENGE("evil.example"), "", "");
	assert_null(desk_next(d, "INVITE "));
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 401);
	/* Our own domain may ask. */
	invite = calling(d);
	desk_answer(d, invite, 401, CHALLENGE("Example.com"), "", "");
	assert_non_null(strstr(desk_field(d, desk_next(d, "INVITE "), "Authorization"),
			       "realm=\"Example.com\""));
	desk_free(d);
}

/* Who is in between cannot have a weaker digest than the registrar has shown to know. */
static void test_RFC8760_3__no_weaker_digest_than_before(void **state)
{
	static const char weak[] =
		"WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n1\", algorithm=MD5, "
		"qop=\"auth\"\r\n";
	struct desk *d = desk_new();
	const char *request;

	(void)state;
	client_register(d->client, d->now);
	desk_run(d, 0);
	/* Nothing is known yet: MD5 is better than nothing, and proves nothing of SHA-256. */
	for (int i = 0; i < 2; i++) {
		desk_answer(d, desk_next(d, "REGISTER "), 401, i ? CHALLENGE("example.com") : weak,
			    "", "");
		request = desk_next(d, "REGISTER ");
		assert_non_null(strstr(desk_field(d, request, "Authorization"),
				       i ? "algorithm=SHA-256" : "algorithm=MD5"));
		desk_answer(d, request, 200, "Contact: <sip:ann@192.0.2.7:5060>;expires=600\r\n",
			    "", "");
		client_register(d->client, d->now);
		desk_run(d, 0);
	}
	desk_answer(d, desk_next(d, "REGISTER "), 401, weak, "", "");
	assert_null(desk_next(d, "REGISTER "));
	assert_int_equal(desk_event(d, CONFAB_REGISTER_FAILED)->status, 401);
	request = calling(d);
	desk_answer(d, request, 401, weak, "", "");
	assert_null(desk_next(d, "INVITE "));
	request = calling(d);
	desk_answer(d, request, 401, CHALLENGE("example.com"), "", "");
	assert_non_null(desk_next(d, "INVITE "));
	desk_free(d);
}

static void test_RFC3261_22__a_realm_of_the_registrars_choice(void **state)
{
	struct desk *d = desk_new();
	const char *request;

	(void)state;
	client_register(d->client, d->now);
	desk_run(d, 0);
	desk_answer(d, desk_next(d, "REGISTER "), 401, CHALLENGE("im core 7"), "", "");
	request = desk_next(d, "REGISTER ");
	assert_non_null(strstr(desk_field(d, request, "Authorization"), "realm=\"im core 7\""));
	desk_answer(d, request, 200, "Contact: <sip:ann@192.0.2.7:5060>;expires=600\r\n", "", "");
	desk_answer(
		d, calling(d), 407,
		"Proxy-Authenticate: Digest realm=\"im core 7\", nonce=\"n2\", algorithm=SHA-256, "
		"qop=\"auth\"\r\n",
		"", "");
	request = desk_next(d, "INVITE ");
	assert_non_null(
		strstr(desk_field(d, request, "Proxy-Authorization"), "realm=\"im core 7\""));
	/* What was made for one place is not taken along to another. */
	desk_answer(d, request, 302, "Contact: <sip:bo@b.example>\r\n", "", "");
	assert_string_equal(
		desk_field(d, desk_next(d, "INVITE sip:bo@b.example "), "Proxy-Authorization"), "");
	desk_free(d);
}

/* --- 503 --- */

static void test_RFC3261_21_5_4__the_time_that_is_asked_for_is_waited(void **state)
{
	struct desk *d = desk_registered();
	const char *invite = calling(d), *next;

	(void)state;
	desk_answer(d, invite, 503, "Retry-After: 10 (maintenance)\r\n", "", "");
	desk_run(d, 9900);
	assert_null(desk_next(d, "INVITE "));
	assert_null(desk_event(d, CONFAB_ENDED));
	desk_run(d, 100);
	next = desk_next(d, "INVITE ");
	same_call(d, invite, next, "2 INVITE");
	/* Twice, and then it is told. */
	desk_answer(d, next, 503, "Retry-After: 0\r\n", "", "");
	next = desk_await(d, "INVITE ", 500);
	same_call(d, invite, next, "3 INVITE");
	desk_answer(d, next, 503, "Retry-After: 1\r\n", "", "");
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 503);
	desk_free(d);
}

static void test_RFC3261_21_5_4__but_no_person_waits_for_ever(void **state)
{
	static const char *const after[] = {"", "Retry-After: 33\r\n",
					    "Retry-After: 4294967295\r\n", "Retry-After: -1\r\n",
					    "Retry-After: soon\r\n"};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct desk *d = desk_registered();

		desk_answer(d, calling(d), 503, after[i], "", "");
		assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 503);
		desk_free(d);
	}
}

static void test_RFC3261_21_5_4__left_meanwhile(void **state)
{
	struct desk *d = desk_registered();

	(void)state;
	desk_answer(d, calling(d), 503, "Retry-After: 10\r\n", "", "");
	assert_int_equal(client_leave(d->client, 1, false, d->now), 0);
	desk_run(d, 20000);
	assert_null(desk_next(d, "INVITE "));
	assert_null(desk_next(d, "CANCEL "));
	desk_free(d);
}

static void test_RFC3261_20_33__a_registration_comes_back_later(void **state)
{
	struct desk *d = desk_new();

	(void)state;
	client_register(d->client, d->now);
	desk_run(d, 0);
	desk_answer(d, desk_next(d, "REGISTER "), 503, "Retry-After: 60\r\n", "", "");
	desk_run(d, 60000);
	assert_null(desk_next(d, "REGISTER "));
	assert_non_null(desk_await(d, "REGISTER ", 500));
	desk_free(d);
}

/* RFC 3263 §4.3: another server was not the one that asked for time. */
static void test_RFC3263_4_3__unless_there_is_another_server(void **state)
{
	struct desk *d = desk_new();
	struct addr other;

	(void)state;
	assert_int_equal(addr_parse_hostport(VIEW("192.0.2.2:5060"), 5060, &other), 0);
	client_register(d->client, d->now);
	desk_run(d, 0);
	desk_answer(d, desk_next(d, "REGISTER "), 503, "Retry-After: 60\r\n", "", "");
	client_set_server(d->client, &other);
	assert_non_null(desk_await(d, "REGISTER ", 1000));
	assert_string_equal(d->sent_to, "192.0.2.2:5060");
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC3261_8_1_3_4__an_invite_is_tried_elsewhere),
		cmocka_unit_test(test_RFC3261_8_1_3_4__the_last_failure_is_told),
		cmocka_unit_test(test_RFC3261_8_1_3_4__at_most_five_places),
		cmocka_unit_test(test_RFC3261_21_6__a_global_failure_is_one),
		cmocka_unit_test(test_RFC3261_9_1__left_while_it_is_redirected),
		cmocka_unit_test(test_RFC3261_8_1_3_4__a_message_and_a_subscribe_too),
		cmocka_unit_test(test_SW_4__who_takes_no_plain_msrp_is_offered_tls),
		cmocka_unit_test(test_SW_4__but_who_takes_no_tls_is_not_offered_plain),
		cmocka_unit_test(test_RFC3261_10__a_registrar_at_another_address),
		cmocka_unit_test(test_RFC3261_10__a_registrar_of_another_name),
		cmocka_unit_test(test_RFC3261_10__not_in_circles),
		cmocka_unit_test(test_RFC3261_22__a_peer_is_shown_nothing),
		cmocka_unit_test(test_RFC8760_3__no_weaker_digest_than_before),
		cmocka_unit_test(test_RFC3261_22__a_realm_of_the_registrars_choice),
		cmocka_unit_test(test_RFC3261_21_5_4__the_time_that_is_asked_for_is_waited),
		cmocka_unit_test(test_RFC3261_21_5_4__but_no_person_waits_for_ever),
		cmocka_unit_test(test_RFC3261_21_5_4__left_meanwhile),
		cmocka_unit_test(test_RFC3261_20_33__a_registration_comes_back_later),
		cmocka_unit_test(test_RFC3263_4_3__unless_there_is_another_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
