/* client/refresh.c: session timers at the client (RFC 4028), from both sides of the INVITE; and
 * allow.c: a peer is sent what he lists (IC-8.3.1-3). */
#include "client_world.h"

#define KNOWS_UPDATE "Allow: INVITE, ACK, BYE\r\nAllow: UPDATE\r\n"
#define KNOWS_LITTLE "Allow: INVITE, ACK, BYE, CANCEL\r\n"

/* A chat that we began, answered with these lines. */
static uint32_t called(struct desk *d, const char *lines, const char **invite_out)
{
	return desk_chat(d, desk_textf(d, DESK_PHONE "%s", lines), DESK_SDP, invite_out);
}

/* Somebody calls us; our final answer. */
static const char *invited(struct desk *d, const char *lines)
{
	return desk_called(d, desk_textf(d, DESK_PHONE "%s", lines), DESK_PHONE_SDP);
}

/* A request of the caller's in the dialog that `invited` made. */
static const char *asked(struct desk *d, const char *answer, const char *method, unsigned cseq,
			 const char *lines)
{
	return desk_asked(d, answer, method, cseq, desk_textf(d, DESK_PHONE "%s", lines), "");
}

static void ended_unrefreshed(struct desk *d)
{
	const char *bye = desk_next(d, "BYE ");
	struct desk_event *e;

	assert_non_null(bye);
	assert_string_equal(desk_field(d, bye, "Reason"), "SIP;cause=408;text=\"Session Expired\"");
	desk_answer(d, bye, 200, "", "", "");
	desk_run(d, 10000);
	e = desk_event(d, CONFAB_ENDED);
	assert_non_null(e);
	assert_int_equal(e->status, 408);
	assert_string_equal(e->text, "the session was not refreshed");
}

static void test_RFC4028_7_1__what_the_invite_asks_for(void **state)
{
	struct desk *d = desk_new();
	struct view bo = VIEW("sip:bo@example.com");
	const char *invite;
	uint32_t id;

	(void)state;
	assert_int_equal(client_call(d->client, &bo, 1, &id, d->now), 0);
	desk_run(d, 0);
	invite = desk_next(d, "INVITE ");
	assert_string_equal(desk_field(d, invite, "Session-Expires"), "1800");
	assert_string_equal(desk_field(d, invite, "Min-SE"), "90");
	assert_non_null(strstr(desk_field(d, invite, "Supported"), "timer"));
	assert_non_null(strstr(desk_field(d, invite, "Allow"), "UPDATE"));
	desk_free(d);
}

static void test_RFC4028_10__refreshed_by_update_where_the_peer_knows_it(void **state)
{
	struct desk *d = desk_new();
	const char *invite, *update;

	(void)state;
	(void)called(d, KNOWS_UPDATE "Require: timer\r\nSession-Expires: 200;refresher=uac\r\n",
		     &invite);
	desk_run(d, 99000);
	assert_null(desk_next(d, "UPDATE "));
	for (int i = 0; i < 3; i++) {
		desk_run(d, 1000);
		update = desk_next(d, "UPDATE sip:bo@192.0.2.9:5060");
		assert_non_null(update);
		assert_string_equal(desk_field(d, update, "Session-Expires"), "200;refresher=uac");
		assert_string_equal(desk_field(d, update, "Call-ID"),
				    desk_field(d, invite, "Call-ID"));
		assert_null(strstr(update, "v=0"));
		desk_answer(d, update, 200,
			    "Contact: <sip:bo@192.0.2.9:5060>\r\nSession-Expires: "
			    "200;refresher=uac\r\n",
			    "", "");
		desk_run(d, 99000);
	}
	assert_null(desk_next(d, "BYE "));
	desk_free(d);
}

static void test_RFC4028_7_4__and_by_the_same_invite_where_not(void **state)
{
	struct desk *d = desk_new();
	const char *invite, *again;

	(void)state;
	(void)called(d, KNOWS_LITTLE "Session-Expires: 200;refresher=uac\r\n", &invite);
	desk_run(d, 100000);
	assert_null(desk_next(d, "UPDATE "));
	again = desk_next(d, "INVITE sip:bo@192.0.2.9:5060");
	assert_non_null(again);
	assert_string_equal(desk_field(d, again, "Session-Expires"), "200;refresher=uac");
	/* "the same value for the origin field" */
	assert_memory_equal(strstr(again, "o=") ? strstr(again, "o=") : "", strstr(invite, "o="),
			    30);
	desk_answer(d, again, 200,
		    "Contact: <sip:bo@192.0.2.9:5060>\r\nSession-Expires: 200;refresher=uac\r\n",
		    "application/sdp", DESK_SDP);
	assert_non_null(desk_next(d, "ACK "));
	desk_run(d, 100000);
	assert_non_null(desk_next(d, "INVITE sip:bo@192.0.2.9:5060"));
	desk_free(d);
}

static void test_RFC4028_10__who_is_not_refreshed_ends(void **state)
{
	struct desk *d = desk_new();
	const char *invite;

	(void)state;
	(void)called(d, KNOWS_UPDATE "Session-Expires: 120;refresher=uas\r\n", &invite);
	/* A third of the interval, 32 s at the most, before its end. */
	desk_run(d, 87900);
	assert_null(desk_next(d, "BYE "));
	desk_run(d, 200);
	ended_unrefreshed(d);
	desk_free(d);
}

static void test_RFC5057_5_1__a_refresh_that_finds_no_dialog(void **state)
{
	struct desk *d = desk_new();
	const char *invite;

	(void)state;
	(void)called(d, KNOWS_UPDATE "Session-Expires: 200;refresher=uac\r\n", &invite);
	desk_run(d, 100000);
	desk_answer(d, desk_next(d, "UPDATE "), 481, "", "", "");
	ended_unrefreshed(d);
	desk_free(d);
}

/* The server is away for a while: it is tried again, and only the end of the interval is the end.
 */
static void test_RFC4028_10__a_refresh_that_is_not_answered_is_tried_again(void **state)
{
	struct desk *d = desk_new();
	const char *invite, *update;

	(void)state;
	(void)called(d, KNOWS_UPDATE "Session-Expires: 400;refresher=uac\r\n", &invite);
	desk_run(d, 200000);
	assert_non_null(desk_next(d, "UPDATE "));
	desk_run(d, 40000);
	assert_null(desk_next(d, "BYE "));
	update = NULL;
	for (const char *u; (u = desk_next(d, "UPDATE "));)
		update = u;
	desk_answer(d, update, 200,
		    "Contact: <sip:bo@192.0.2.9:5060>\r\nSession-Expires: 400;refresher=uac\r\n",
		    "", "");
	desk_run(d, 190000);
	assert_null(desk_next(d, "BYE "));
	desk_free(d);
}

static void test_RFC4028_7_3__a_422_is_answered_with_a_longer_interval(void **state)
{
	struct desk *d = desk_new();
	struct view bo = VIEW("sip:bo@example.com");
	const char *invite, *again;
	uint32_t id;

	(void)state;
	assert_int_equal(client_call(d->client, &bo, 1, &id, d->now), 0);
	desk_run(d, 0);
	invite = desk_next(d, "INVITE ");
	desk_answer(d, invite, 422, "Min-SE: 3600\r\n", "", "");
	again = desk_next(d, "INVITE ");
	assert_non_null(again);
	assert_string_equal(desk_field(d, again, "Session-Expires"), "3600");
	assert_string_equal(desk_field(d, again, "Min-SE"), "3600");
	assert_string_equal(strstr(again, "v=0"), strstr(invite, "v=0"));
	/* "the same value as the Call-ID, To, and From of the previous request", and the next CSeq.
	 */
	assert_string_equal(desk_field(d, again, "Call-ID"), desk_field(d, invite, "Call-ID"));
	assert_string_equal(desk_field(d, again, "From"), desk_field(d, invite, "From"));
	assert_string_equal(desk_field(d, again, "To"), desk_field(d, invite, "To"));
	assert_string_equal(desk_field(d, again, "CSeq"), "2 INVITE");
	assert_null(desk_event(d, CONFAB_ENDED));
	/* One who asks for the same again is not asked for ever. */
	desk_answer(d, again, 422, "Min-SE: 3600\r\n", "", "");
	assert_null(desk_next(d, "INVITE "));
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 422);
	desk_free(d);
}

static void test_RFC4028_9__as_who_is_invited(void **state)
{
	struct desk *d = desk_new();
	const char *answer, *update;

	(void)state;
	answer = invited(d, KNOWS_UPDATE "Supported: timer\r\nSession-Expires: 60\r\n");
	assert_int_equal(desk_parsed(answer).status, 422);
	assert_string_equal(desk_field(d, answer, "Min-SE"), "90");
	assert_null(desk_event(d, CONFAB_INVITED));
	answer = invited(d,
			 KNOWS_UPDATE "Supported: timer\r\nSession-Expires: 200;refresher=uas\r\n");
	assert_int_equal(desk_parsed(answer).status, 200);
	assert_string_equal(desk_field(d, answer, "Session-Expires"), "200;refresher=uas");
	(void)asked(d, answer, "ACK", 1, "");
	desk_seat_opens(d);
	desk_run(d, 100000);
	update = desk_next(d, "UPDATE sip:bo@192.0.2.9:5060");
	assert_non_null(update);
	assert_string_equal(desk_field(d, update, "Session-Expires"), "200;refresher=uac");
	desk_free(d);
}

static void test_RFC4028_9__the_peers_refreshes(void **state)
{
	struct desk *d = desk_new();
	const char *answer, *ok;

	(void)state;
	answer = invited(d,
			 KNOWS_UPDATE "Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n");
	assert_string_equal(desk_field(d, answer, "Session-Expires"), "120;refresher=uac");
	assert_non_null(strstr(desk_field(d, answer, "Require"), "timer"));
	(void)asked(d, answer, "ACK", 1, "");
	desk_seat_opens(d);
	for (unsigned i = 0; i < 5; i++) {
		desk_run(d, 60000);
		ok = asked(d, answer, "UPDATE", 2 + i,
			   "Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n");
		assert_int_equal(desk_parsed(ok).status, 200);
		assert_string_equal(desk_field(d, ok, "Session-Expires"), "120;refresher=uac");
	}
	ok = asked(d, answer, "UPDATE", 20, "Supported: timer\r\nSession-Expires: 20\r\n");
	assert_int_equal(desk_parsed(ok).status, 422);
	assert_null(desk_next(d, "BYE "));
	desk_run(d, 90000);
	ended_unrefreshed(d);
	desk_free(d);
}

/* Who says nothing of session timers, and does not know UPDATE, is left alone. */
static void test_RFC4028_7_2__a_peer_without_timers(void **state)
{
	struct desk *d = desk_new();
	const char *invite;

	(void)state;
	(void)called(d, KNOWS_LITTLE, &invite);
	desk_run(d, 4000000);
	assert_null(desk_next(d, "INVITE "));
	assert_null(desk_next(d, "UPDATE "));
	assert_null(desk_next(d, "BYE "));
	desk_free(d);
}

/* --- IC-8.3.1-3 --- */

static uint32_t conference_that_allows(struct desk *d, const char *allow)
{
	struct client_call_options o = {.conference = true};
	struct view bo = VIEW("sip:bo@example.com");
	uint32_t id = 0;

	assert_int_equal(client_call_with(d->client, &bo, 1, &o, &id, d->now), 0);
	desk_run(d, 0);
	desk_answer(d, desk_next(d, "INVITE "), 200,
		    desk_textf(d, "Contact: <" DESK_CONFERENCE ">;isfocus\r\n%s", allow),
		    "application/sdp", DESK_SDP);
	desk_seat_opens(d);
	return id;
}

static void test_IC_8_3_1_3__a_focus_without_refer_is_not_sent_one(void **state)
{
	struct desk *d = desk_new();
	struct view carol = VIEW("sip:carol@example.com");
	uint32_t id = conference_that_allows(d, "Allow: INVITE, ACK, BYE, SUBSCRIBE\r\n");

	(void)state;
	assert_int_equal(client_add(d->client, id, &carol, 1, d->now), E_UNSUPPORTED);
	assert_int_equal(client_kick(d->client, id, &carol, 1, d->now), E_UNSUPPORTED);
	desk_run(d, 1000);
	assert_null(desk_next(d, "REFER "));
	assert_non_null(desk_next(d, "SUBSCRIBE "));
	desk_free(d);
}

static void test_IC_8_3_1_3__a_focus_without_subscribe_is_not_sent_one(void **state)
{
	struct desk *d = desk_new();
	struct view carol = VIEW("sip:carol@example.com");
	uint32_t id = conference_that_allows(d, "Allow: INVITE, ACK\r\nAllow: BYE,REFER\r\n");

	(void)state;
	assert_int_equal(client_who(d->client, id, d->now), E_UNSUPPORTED);
	assert_int_equal(client_add(d->client, id, &carol, 1, d->now), 0);
	desk_run(d, 1000);
	assert_null(desk_next(d, "SUBSCRIBE "));
	assert_non_null(desk_next(d, "REFER "));
	desk_free(d);
}

/* Whoever says nothing may know all. Methods are case-sensitive. */
static void test_IC_8_3_1_3__no_allow_says_nothing(void **state)
{
	struct desk *d = desk_new();
	struct view carol = VIEW("sip:carol@example.com");

	(void)state;
	assert_int_equal(client_add(d->client, conference_that_allows(d, ""), &carol, 1, d->now),
			 0);
	assert_int_equal(client_add(d->client,
				    conference_that_allows(d, "Allow: INVITE, refer\r\n"), &carol,
				    1, d->now),
			 E_UNSUPPORTED);
	/* Even an empty one says something. */
	assert_int_equal(
		client_add(d->client, conference_that_allows(d, "Allow:\r\n"), &carol, 1, d->now),
		E_UNSUPPORTED);
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC4028_7_1__what_the_invite_asks_for),
		cmocka_unit_test(test_RFC4028_10__refreshed_by_update_where_the_peer_knows_it),
		cmocka_unit_test(test_RFC4028_7_4__and_by_the_same_invite_where_not),
		cmocka_unit_test(test_RFC4028_10__who_is_not_refreshed_ends),
		cmocka_unit_test(test_RFC5057_5_1__a_refresh_that_finds_no_dialog),
		cmocka_unit_test(test_RFC4028_10__a_refresh_that_is_not_answered_is_tried_again),
		cmocka_unit_test(test_RFC4028_7_3__a_422_is_answered_with_a_longer_interval),
		cmocka_unit_test(test_RFC4028_9__as_who_is_invited),
		cmocka_unit_test(test_RFC4028_9__the_peers_refreshes),
		cmocka_unit_test(test_RFC4028_7_2__a_peer_without_timers),
		cmocka_unit_test(test_IC_8_3_1_3__a_focus_without_refer_is_not_sent_one),
		cmocka_unit_test(test_IC_8_3_1_3__a_focus_without_subscribe_is_not_sent_one),
		cmocka_unit_test(test_IC_8_3_1_3__no_allow_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
