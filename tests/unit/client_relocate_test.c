/* client/relocate.c: the phone has another address (FL-10): what it says to whom, and that its
 * conversations go on. */
#include "client_world.h"

static void relocate(struct desk *d, const char *to)
{
	struct client_addresses at = {0};
	struct addr a;

	assert_int_equal(addr_parse_hostport(view_str(to), 5060, &a), 0);
	at.sip[0] = at.sip[1] = at.msrp = a;
	assert_int_equal(client_relocate(d->client, &at, d->now), 0);
	desk_run(d, 0);
}

/* The latest REGISTER is answered with its own Contact. */
static const char *registers(struct desk *d, const char *host)
{
	const char *sent = desk_await(d, "REGISTER ", 1000);

	assert_non_null(sent);
	desk_answer(d, sent, 200, desk_textf(d, "Contact: <sip:ann@%s>;expires=600\r\n", host), "",
		    "");
	return sent;
}

static void test_RFC3261_10_2_2__the_old_contact_is_taken_back(void **state)
{
	struct desk *d = desk_registered();
	const char *sent;

	(void)state;
	relocate(d, "198.51.100.3:5060");
	assert_string_equal(desk_event(d, CONFAB_CONNECTION)->text, "moved");
	sent = registers(d, "198.51.100.3:5060");
	assert_non_null(strstr(sent, "Contact: <sip:ann@198.51.100.3:5060>"));
	assert_non_null(strstr(sent, "Contact: <sip:ann@192.0.2.7:5060>;expires=0\r\n"));
	assert_non_null(strstr(sent, "Via: SIP/2.0/UDP 198.51.100.3:5060"));
	assert_non_null(desk_event(d, CONFAB_REGISTERED));
	/* Once is enough. */
	sent = desk_await(d, "REGISTER ", 600000);
	assert_non_null(sent);
	assert_null(strstr(sent, "192.0.2.7"));
	desk_free(d);
}

static void test_RFC3261_10_2_2__of_two_moves_before_an_answer(void **state)
{
	struct desk *d = desk_registered();
	const char *first, *second;

	(void)state;
	relocate(d, "198.51.100.3:5060");
	first = desk_next(d, "REGISTER ");
	relocate(d, "203.0.113.4:5060");
	second = desk_next(d, "REGISTER ");
	assert_true(first && second);
	/* What the registrar knows is the one that it has confirmed. */
	assert_non_null(strstr(second, "Contact: <sip:ann@203.0.113.4:5060>"));
	assert_non_null(strstr(second, "Contact: <sip:ann@192.0.2.7:5060>;expires=0\r\n"));
	desk_free(d);
}

static void test_FL_10__a_chat_is_called_anew_from_there(void **state)
{
	struct desk *d = desk_registered();
	const char *invite, *again, *sent;
	uint32_t id = desk_chat(d, DESK_PHONE, DESK_PHONE_SDP, &invite);
	struct desk_event *e;

	(void)state;
	assert_int_equal(client_send(d->client, id, VIEW("under way"), NULL, d->now), 0);
	desk_run(d, 0);
	relocate(d, "198.51.100.3:5060");
	assert_string_equal(desk_event(d, CONFAB_CONNECTION)->text, "moved");
	(void)registers(d, "198.51.100.3:5060");
	again = desk_await(d, "INVITE sip:bo@example.com", 1000);
	assert_non_null(again);
	assert_string_equal(desk_field(d, again, "Contribution-ID"),
			    desk_field(d, invite, "Contribution-ID"));
	assert_non_null(strstr(again, "Contact: <sip:ann@198.51.100.3:5060"));
	assert_non_null(strstr(again, "a=path:msrp://198.51.100.3:5060/"));
	assert_null(strstr(again, "192.0.2.7"));
	/* It would be the first that Bo hears, and the end of the chat. */
	assert_null(desk_next(d, "BYE "));
	desk_answer(d, again, 200, DESK_PHONE, "application/sdp", DESK_PHONE_SDP);
	d->msrp_all = NULL;
	desk_seat_opens(d);
	e = desk_event(d, CONFAB_CONNECTION);
	assert_string_equal(e->text, "restored");
	assert_int_equal(e->conversation, id);
	sent = strstr(d->msrp_all, "under way");
	assert_non_null(sent);
	assert_null(desk_event(d, CONFAB_ENDED));
	desk_free(d);
}

static void test_FL_10__a_conference_is_joined_from_there(void **state)
{
	struct desk *d = desk_registered();
	const char *invite, *again;
	uint32_t id = desk_conference(d, &invite);

	(void)state;
	desk_seat_opens(d);
	relocate(d, "198.51.100.3:5060");
	assert_string_equal(desk_event(d, CONFAB_CONNECTION)->text, "moved");
	(void)registers(d, "198.51.100.3:5060");
	again = desk_await(d, "INVITE " DESK_CONFERENCE " ", 1000);
	assert_non_null(again);
	desk_answer(d, again, 200, "Contact: <" DESK_CONFERENCE ">;isfocus\r\n", "application/sdp",
		    DESK_SDP);
	desk_seat_opens(d);
	assert_int_equal(desk_event(d, CONFAB_CONNECTION)->conversation, id);
	assert_null(desk_event(d, CONFAB_ENDED));
	desk_free(d);
}

/* Bo has moved; here nothing was noticed. */
static void test_FL_10__the_peer_who_moves_is_the_same_chat(void **state)
{
	struct desk *d = desk_registered();
	const char *answer = desk_called(d, DESK_PHONE "Contribution-ID: one\r\n", DESK_SDP);

	(void)state;
	assert_int_equal(desk_parsed(answer).status, 200);
	desk_seat_opens(d);
	(void)desk_event(d, CONFAB_INVITED);
	answer = desk_called(d, DESK_PHONE "Contribution-ID: one\r\n", DESK_SDP);
	assert_int_equal(desk_parsed(answer).status, 200);
	assert_null(desk_event(d, CONFAB_INVITED));
	desk_seat_opens(d);
	assert_string_equal(desk_event(d, CONFAB_CONNECTION)->text, "restored");
	/* Another name is another chat. */
	answer = desk_called(d, DESK_PHONE "Contribution-ID: two\r\n", DESK_SDP);
	assert_int_equal(desk_parsed(answer).status, 200);
	assert_non_null(desk_event(d, CONFAB_INVITED));
	desk_free(d);
}

static void test_RFC5626_4_4__no_answer_to_the_first_keep_alive_is_asked_by_register(void **state)
{
	struct desk *d = desk_registered();
	const char *sent;

	(void)state;
	/* STUN is said seven times before it is given up. */
	sent = desk_await(d, "REGISTER ", 120000);
	assert_non_null(sent);
	desk_answer(d, sent, 200, "Contact: <sip:ann@192.0.2.7:5060>;expires=600\r\n", "", "");
	/* It answers that: it knows no keep-alives, and is not asked at every one. */
	assert_null(desk_await(d, "REGISTER ", 300000));
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC3261_10_2_2__the_old_contact_is_taken_back),
		cmocka_unit_test(test_RFC3261_10_2_2__of_two_moves_before_an_answer),
		cmocka_unit_test(test_FL_10__a_chat_is_called_anew_from_there),
		cmocka_unit_test(test_FL_10__a_conference_is_joined_from_there),
		cmocka_unit_test(test_FL_10__the_peer_who_moves_is_the_same_chat),
		cmocka_unit_test(
			test_RFC5626_4_4__no_answer_to_the_first_keep_alive_is_asked_by_register),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
