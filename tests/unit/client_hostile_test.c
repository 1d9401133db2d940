/* A server, a peer, or somebody on the path who means harm: what the client does not let itself be
 * made to do. (Replaces: client_may_replace_test; passwords and redirections:
 * client_redirect_test.) */
#include "client_world.h"

#define FLOOD 3000

static void let_in(struct client_config *cfg)
{
	cfg->direct = true;
}

static void ask_the_person(struct client_config *cfg)
{
	cfg->auto_accept = false;
}

/* --- who is not our server --- */

static const char *paged(struct desk *d)
{
	return desk_from_bo(d, "MESSAGE", "<sip:ann@example.com>", "page1", 1,
			    "P-Asserted-Identity: <sip:boss@example.com>\r\n", "");
}

static void test_RFC3325_9_2__who_comes_past_the_server_is_not_let_in(void **state)
{
	struct desk *d = desk_registered();

	(void)state;
	d->from = "192.0.2.66:5060";
	assert_int_equal(desk_parsed(desk_called(d, DESK_PHONE, DESK_PHONE_SDP)).status, 403);
	assert_int_equal(desk_parsed(paged(d)).status, 403);
	assert_null(desk_event(d, CONFAB_INVITED));
	assert_null(desk_event(d, CONFAB_PAGE));
	desk_free(d);
}

static void test_RFC3325_9_2__and_where_he_is_he_is_who_he_says_at_most(void **state)
{
	struct desk *d = desk_new_with(let_in);

	(void)state;
	d->from = "192.0.2.66:5060";
	(void)desk_called(d, DESK_PHONE "P-Asserted-Identity: <sip:boss@example.com>\r\n",
			  DESK_PHONE_SDP);
	assert_string_equal(desk_event(d, CONFAB_INVITED)->peer, "sip:bo@example.com");
	(void)paged(d);
	assert_string_equal(desk_event(d, CONFAB_PAGE)->peer, "sip:bo@example.com");
	desk_free(d);
}

/* We call nobody because somebody says so: REFER is not for phones. */
static void test_RFC3515_5__nobody_has_us_call(void **state)
{
	struct desk *d = desk_registered();
	const char *answer = desk_called(d, DESK_PHONE, DESK_PHONE_SDP);

	(void)state;
	assert_int_equal(
		desk_parsed(desk_from_bo(d, "REFER", "<sip:ann@example.com>", "r", 1,
					 DESK_PHONE "Refer-To: <sip:900@premium.example>\r\n", ""))
			.status,
		405);
	assert_int_equal(
		desk_parsed(desk_asked(d, answer, "REFER", 2,
				       DESK_PHONE "Refer-To: <sip:900@premium.example>\r\n", ""))
			.status,
		405);
	desk_run(d, 5000);
	assert_null(desk_next(d, "INVITE "));
	desk_free(d);
}

/* --- times that make no sense --- */

static unsigned registrations(struct desk *d, const char *lines, unsigned s)
{
	const char *request;
	unsigned n = 0;

	client_register(d->client, d->now);
	for (unsigned i = 0; i < s * 10; i++) {
		desk_run(d, 100);
		while ((request = desk_next(d, "REGISTER "))) {
			n++;
			desk_answer(d, request, 200, lines, "", "");
		}
	}
	return n;
}

static void test_RFC3261_10_2_4__a_binding_of_no_time(void **state)
{
	static const char *const lines[] = {"Contact: <sip:ann@192.0.2.7:5060>;expires=0\r\n",
					    "Expires: 0\r\n",
					    "Contact: <sip:ann@192.0.2.7:5060>;expires=1\r\n"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct desk *d = desk_new();

		assert_in_range(registrations(d, lines[i], 20), 2, 21);
		desk_free(d);
	}
}

static void test_RFC3261_10_3__a_binding_is_not_longer_than_asked_for(void **state)
{
	struct desk *d = desk_new();

	(void)state;
	assert_int_equal(registrations(d, "Expires: 4294967295\r\n", 1), 1);
	assert_non_null(desk_await(d, "REGISTER ", 600000));
	desk_free(d);
}

static void test_RFC3261_10_2_8__an_interval_too_brief_again_and_again(void **state)
{
	struct desk *d = desk_new();
	const char *request;
	unsigned n = 0;

	(void)state;
	client_register(d->client, d->now);
	desk_run(d, 0);
	while ((request = desk_next(d, "REGISTER ")) && n < 50)
		desk_answer(d, request, 423, desk_textf(d, "Min-Expires: %u\r\n", 700 + ++n), "",
			    "");
	assert_int_equal(n, 4);
	assert_int_equal(desk_event(d, CONFAB_REGISTER_FAILED)->status, 423);
	/* For ever is too long. */
	request = desk_await(d, "REGISTER ", 1000);
	desk_answer(d, request, 423, "Min-Expires: 4294967295\r\n", "", "");
	assert_null(desk_next(d, "REGISTER "));
	desk_free(d);
}

static void test_RFC4028_7_3__a_longer_session_again_and_again(void **state)
{
	struct desk *d = desk_registered();
	struct view bo = VIEW("sip:bo@example.com");
	const char *invite;
	unsigned n = 0;
	uint32_t id;

	(void)state;
	assert_int_equal(client_call(d->client, &bo, 1, &id, d->now), 0);
	desk_run(d, 0);
	while ((invite = desk_next(d, "INVITE ")) && n < 50)
		desk_answer(d, invite, 422, desk_textf(d, "Min-SE: %u\r\n", 2000 + ++n), "", "");
	assert_int_equal(n, 4);
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 422);
	assert_int_equal(client_call(d->client, &bo, 1, &id, d->now), 0);
	desk_run(d, 0);
	desk_answer(d, desk_next(d, "INVITE "), 422, "Min-SE: 4294967295\r\n", "", "");
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 422);
	desk_free(d);
}

static void test_RFC6665_4_2_1_1__a_subscription_of_no_time(void **state)
{
	struct desk *d = desk_registered();
	const char *request;
	unsigned n = 0;

	(void)state;
	(void)desk_conference(d, &request);
	desk_seat_opens(d);
	for (unsigned i = 0; i < 100; i++) {
		while ((request = desk_next(d, "SUBSCRIBE "))) {
			n++;
			desk_answer(d, request, 200,
				    "Contact: <" DESK_CONFERENCE ">\r\nExpires: 0\r\n", "", "");
		}
		desk_run(d, 100);
	}
	assert_in_range(n, 1, 2);
	desk_free(d);
}

static void test_RFC3261_22_2__challenges_without_an_end(void **state)
{
	struct desk *d = desk_new();
	const char *request;
	unsigned n = 0;

	(void)state;
	client_register(d->client, d->now);
	desk_run(d, 0);
	while ((request = desk_next(d, "REGISTER ")) && n < 50)
		desk_answer(d, request, 401,
			    desk_textf(d,
				       "WWW-Authenticate: Digest realm=\"r\", nonce=\"%u\", "
				       "qop=\"auth\", stale=true\r\n",
				       ++n),
			    "", "");
	assert_int_equal(n, 5);
	desk_free(d);
}

/* --- too much of everything --- */

static void test_RFC3261_13_2_2_4__answers_from_many_branches(void **state)
{
	struct desk *d = desk_registered();
	struct view bo = VIEW("sip:bo@example.com");
	struct sip_msg m;
	const char *invite;
	uint32_t id;
	unsigned acks = 0, ringing = 0;

	(void)state;
	assert_int_equal(client_call(d->client, &bo, 1, &id, d->now), 0);
	desk_run(d, 0);
	invite = desk_next(d, "INVITE ");
	m = desk_parsed(invite);
	for (unsigned i = 0; i < 2 * FLOOD; i++) {
		char tag[16];
		struct buf b;

		(void)snprintf(tag, sizeof(tag), "t%u", i);
		buf_init(&b, 65536);
		sip_write_response_head(&b, &m, i < FLOOD ? 180 : 200, NULL, view_str(tag));
		buf_puts(&b, DESK_PHONE);
		sip_write_body(&b, i < FLOOD ? VIEW("") : VIEW("application/sdp"),
			       i < FLOOD ? VIEW("") : VIEW(DESK_PHONE_SDP));
		desk_deliver(d, buf_view(&b));
		buf_fini(&b);
	}
	while (desk_next(d, "ACK "))
		acks++;
	assert_int_equal(acks, 16);
	while (desk_event(d, CONFAB_RINGING))
		ringing++;
	assert_int_equal(ringing, 1);
	desk_free(d);
}

static void test_RFC3261_13_3_1_1__nobody_rings_for_ever(void **state)
{
	struct desk *d = desk_new_with(ask_the_person);
	unsigned busy = 0;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		busy += desk_parsed(desk_called(d, DESK_PHONE, DESK_PHONE_SDP)).status == 486;
	assert_int_equal(busy, 12);
	desk_run(d, 239000);
	assert_null(desk_event(d, CONFAB_ENDED));
	desk_run(d, 2000);
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 480);
	assert_int_equal(desk_parsed(desk_answered(d)).status, 480);
	assert_int_equal(desk_parsed(desk_called(d, DESK_PHONE, DESK_PHONE_SDP)).status, 180);
	desk_free(d);
}

/* --- MSRP --- */

/* Our INVITE names our path: who has it may be quick, but has agreed to nothing before his answer.
 */
static void test_IC_7_1_2_4__not_open_before_it_is_answered(void **state)
{
	struct desk *d = desk_registered();
	struct view bo = VIEW("sip:bo@example.com");
	struct msrp_conn *c;
	const char *invite;
	char to[200];
	uint32_t id;

	(void)state;
	assert_int_equal(client_call(d->client, &bo, 1, &id, d->now), 0);
	desk_run(d, 0);
	invite = desk_next(d, "INVITE ");
	assert_int_equal(sscanf(strstr(invite, "a=path:"), "a=path:%199s", to), 1);
	c = msrp_conn_accept(client_msrp(d->client), d, d->now);
	msrp_conn_recv(c,
		       view_str(desk_textf(d,
					   "MSRP abcd1234 SEND\r\nTo-Path: %s\r\nFrom-Path: "
					   "msrp://192.0.2.9:7654/bo;tcp\r\nMessage-ID: 1\r\n"
					   "Byte-Range: 1-0/0\r\n-------abcd1234$\r\n",
					   to)),
		       d->now);
	desk_run(d, 0);
	assert_null(desk_event(d, CONFAB_OPEN));
	desk_answer(d, invite, 486, "", "", "");
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 486);
	desk_free(d);
}

/* A path may lead anywhere; it is not knocked at for long. */
static void test_RFC4975_5_4__a_path_to_where_nobody_is(void **state)
{
	struct desk *d = desk_registered();
	struct msrp_conn *c;
	const char *invite;
	struct view bo = VIEW("sip:bo@example.com");
	uint32_t id;

	(void)state;
	assert_int_equal(client_call(d->client, &bo, 1, &id, d->now), 0);
	desk_run(d, 0);
	invite = desk_next(d, "INVITE ");
	desk_answer(d, invite, 200, DESK_PHONE, "application/sdp",
		    "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
		    "m=message 22 TCP/MSRP *\r\na=accept-types:*\r\n"
		    "a=path:msrp://10.0.0.1:22/x;tcp\r\na=setup:passive\r\n");
	for (unsigned i = 0; i < 600; i++) {
		desk_run(d, 100);
		if ((c = d->msrp)) {
			d->msrp = NULL;
			msrp_conn_down(c, d->now);
		}
	}
	assert_in_range(d->n_connects, 2, 6);
	assert_non_null(desk_event(d, CONFAB_ENDED));
	desk_free(d);
}

/* Asks for a notice with each message, and answers none of them. */
static void test_RFC5438__notices_to_who_takes_none(void **state)
{
	struct desk *d = desk_registered();
	const char *invite;
	uint32_t id;
	char tid[64], ours[200];

	(void)state;
	id = desk_chat(d, DESK_PHONE, DESK_PHONE_SDP, &invite);
	assert_int_equal(sscanf(strstr(invite, "a=path:"), "a=path:%199s", ours), 1);
	for (unsigned i = 0; i < FLOOD / 10; i++) {
		struct buf b;

		(void)snprintf(tid, sizeof(tid), "tid%08u", i);
		buf_init(&b, 4096);
		buf_putf(
			&b,
			"MSRP %s SEND\r\nTo-Path: %s\r\nFrom-Path: msrp://192.0.2.9:7654/bo;tcp\r\n"
			"Message-ID: m%u\r\nContent-Type: message/cpim\r\n\r\n"
			"From: <sip:bo@example.com>\r\nTo: <sip:ann@example.com>\r\n"
			"NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: i%u\r\n"
			"imdn.Disposition-Notification: positive-delivery\r\n"
			"\r\nContent-Type: text/plain\r\n\r\nx\r\n-------%s$\r\n",
			tid, ours, i, i, tid);
		msrp_conn_recv(d->msrp, buf_view(&b), d->now);
		buf_fini(&b);
	}
	assert_in_range(msrp_session_outstanding(client_msrp_session(d->client, id, false)), 1,
			256);
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC3325_9_2__who_comes_past_the_server_is_not_let_in),
		cmocka_unit_test(test_RFC3325_9_2__and_where_he_is_he_is_who_he_says_at_most),
		cmocka_unit_test(test_RFC3515_5__nobody_has_us_call),
		cmocka_unit_test(test_RFC3261_10_2_4__a_binding_of_no_time),
		cmocka_unit_test(test_RFC3261_10_3__a_binding_is_not_longer_than_asked_for),
		cmocka_unit_test(test_RFC3261_10_2_8__an_interval_too_brief_again_and_again),
		cmocka_unit_test(test_RFC4028_7_3__a_longer_session_again_and_again),
		cmocka_unit_test(test_RFC6665_4_2_1_1__a_subscription_of_no_time),
		cmocka_unit_test(test_RFC3261_22_2__challenges_without_an_end),
		cmocka_unit_test(test_RFC3261_13_2_2_4__answers_from_many_branches),
		cmocka_unit_test(test_RFC3261_13_3_1_1__nobody_rings_for_ever),
		cmocka_unit_test(test_IC_7_1_2_4__not_open_before_it_is_answered),
		cmocka_unit_test(test_RFC4975_5_4__a_path_to_where_nobody_is),
		cmocka_unit_test(test_RFC5438__notices_to_who_takes_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
