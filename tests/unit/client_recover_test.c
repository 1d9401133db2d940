/* client/recover.c: a conversation whose server was killed comes back (CF-X-5, RFC 5626): who calls
 * whom when, and that it stays the conversation it was. */
#include "recover_world.h"

static const char desk_another_switch[] =
	"v=0\r\no=- 77 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
	"m=message 2855 TCP/MSRP *\r\na=accept-types:message/cpim\r\na=accept-wrapped-types:*\r\n"
	"a=path:msrp://192.0.2.1:2855/seat2;tcp\r\na=setup:passive\r\n";

static const char *message_id(struct desk *d, const char *send)
{
	char id[64];

	assert_int_equal(sscanf(strstr(send, "Message-ID: "), "Message-ID: %63s", id), 1);
	return desk_textf(d, "%s", id);
}

static void test_CF_X_5__joined_again_by_its_uri(void **state)
{
	struct desk *d = desk_registered();
	const char *invite, *again, *sent;
	uint32_t id = conference(
		d, STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")), &invite);
	struct desk_event *e;

	(void)state;
	assert_int_equal(client_send(d->client, id, VIEW("under way"), NULL, d->now), 0);
	desk_run(d, 0);
	sent = d->msrp_out;
	server_is_new(d);
	assert_string_equal(desk_event(d, CONFAB_CONNECTION)->text, "lost");
	/* By UDP nobody says whether the server still knows us. */
	assert_non_null(desk_await(d, "REGISTER ", 500));
	again = desk_await(d, "INVITE " DESK_CONFERENCE " ", 500);
	assert_non_null(again);
	assert_string_not_equal(desk_field(d, again, "Call-ID"), desk_field(d, invite, "Call-ID"));
	assert_string_equal(desk_field(d, again, "Contribution-ID"),
			    desk_field(d, invite, "Contribution-ID"));
	/* Whoever still has the old session replaces it: it is not said goodbye to. */
	assert_null(desk_next(d, "BYE "));
	desk_answer(d, again, 200, "Contact: <" DESK_CONFERENCE ">;isfocus\r\n", "application/sdp",
		    DESK_SDP);
	desk_seat_opens(d);
	e = desk_event(d, CONFAB_CONNECTION);
	assert_string_equal(e->text, "restored");
	assert_string_equal(e->uri, DESK_CONFERENCE);
	assert_int_equal(e->conversation, id);
	/* What had no answer goes out again, under its name. */
	assert_string_equal(message_id(d, answer_send(d, "200 OK")), message_id(d, sent));
	assert_null(desk_event(d, CONFAB_ENDED));
	assert_non_null(desk_next(d, "SUBSCRIBE " DESK_CONFERENCE));
	desk_free(d);
}

/* The conference is what it was; whether its switch is, the session description says. */
static void accepted_before(const char *sdp, bool goes_again)
{
	struct desk *d = desk_registered();
	const char *invite, *accepted, *sent, *before, *under_way, *meanwhile;
	uint32_t id = conference(
		d, STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")), &invite);

	assert_int_equal(client_send(d->client, id, VIEW("long ago"), NULL, d->now), 0);
	desk_run(d, 0);
	(void)answer_send(d, "200 OK");
	desk_run(d, 12000);
	assert_int_equal(client_send(d->client, id, VIEW("accepted"), NULL, d->now), 0);
	desk_run(d, 0);
	accepted = answer_send(d, "200 OK");
	assert_int_equal(client_send(d->client, id, VIEW("under way"), NULL, d->now), 0);
	desk_run(d, 0);
	sent = d->msrp_out;
	server_is_new(d);
	assert_int_equal(client_send(d->client, id, VIEW("meanwhile"), NULL, d->now), 0);
	desk_run(d, 600);
	desk_answer(d, desk_next(d, "INVITE " DESK_CONFERENCE " "), 200,
		    "Contact: <" DESK_CONFERENCE ">;isfocus\r\n", "application/sdp", sdp);
	d->msrp_all = NULL;
	desk_seat_opens(d);
	before = strstr(d->msrp_all, "\r\n\r\naccepted\r\n");
	under_way = strstr(d->msrp_all, "\r\n\r\nunder way\r\n");
	meanwhile = strstr(d->msrp_all, "\r\n\r\nmeanwhile\r\n");
	/* In the order they were written, under the names that they have. */
	assert_true(under_way && meanwhile && under_way < meanwhile);
	assert_non_null(strstr(d->msrp_all, message_id(d, sent)));
	if (goes_again)
		assert_true(before && before < under_way);
	else
		assert_null(before);
	assert_int_equal(strstr(d->msrp_all, message_id(d, accepted)) != NULL, goes_again);
	assert_null(strstr(d->msrp_all, "long ago"));
	desk_free(d);
}

static void test_CF_X_5__what_the_dead_switch_had_accepted_goes_to_the_new_one(void **state)
{
	(void)state;
	accepted_before(desk_another_switch, true);
	accepted_before(DESK_SDP, false);
}

static void test_CF_X_5__a_new_one_where_it_is_gone(void **state)
{
	struct desk *d = desk_registered();
	const char *invite, *again, *accepted, *subscribe;
	uint32_t id = conference(d,
				 STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")
						    USER("sip:charles@example.com")),
				 &invite);

	(void)state;
	/* Accepted by a switch that dies: it may not have been passed on. */
	assert_int_equal(client_send(d->client, id, VIEW("accepted"), NULL, d->now), 0);
	desk_run(d, 0);
	accepted = answer_send(d, "200 OK");
	assert_int_equal(desk_event(d, CONFAB_SENT)->status, 0);
	server_is_new(d);
	desk_answer(d, desk_await(d, "INVITE " DESK_CONFERENCE " ", 500), 404, "", "", "");
	/* Ann had made it. The others register meanwhile. */
	desk_run(d, 1400);
	assert_null(desk_next(d, "INVITE "));
	desk_run(d, 200);
	again = desk_next(d, "INVITE sip:conference-factory@example.com ");
	assert_non_null(again);
	assert_non_null(strstr(again, "sip:bo@example.com"));
	assert_non_null(strstr(again, "sip:charles@example.com"));
	assert_null(strstr(strstr(again, "<resource-lists"), "sip:ann@example.com"));
	assert_string_equal(desk_field(d, again, "Contribution-ID"),
			    desk_field(d, invite, "Contribution-ID"));
	desk_answer(d, again, 200, "Contact: <" NEW_CONFERENCE ">;isfocus\r\n", "application/sdp",
		    DESK_SDP);
	desk_seat_opens(d);
	(void)desk_event(d, CONFAB_CONNECTION);
	assert_string_equal(desk_event(d, CONFAB_CONNECTION)->uri, NEW_CONFERENCE);
	assert_string_equal(message_id(d, answer_send(d, "200 OK")), message_id(d, accepted));
	/* Its writer knows that already. */
	assert_null(desk_event(d, CONFAB_SENT));
	/* Bo is in, Charles was not registered in time. */
	subscribe = desk_next(d, "SUBSCRIBE " NEW_CONFERENCE);
	desk_answer(d, subscribe, 200, "Contact: <" NEW_CONFERENCE ">\r\nExpires: 3600\r\n", "",
		    "");
	(void)desk_ask(d, subscribe, "NOTIFY", 1,
		       "Event: conference\r\nSubscription-State: active;expires=3600\r\n",
		       "application/conference-info+xml",
		       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")));
	desk_run(d, 4000);
	assert_string_equal(desk_field(d, desk_next(d, "REFER "), "Refer-To"),
			    "<sip:charles@example.com>");
	assert_null(desk_event(d, CONFAB_ENDED));
	desk_free(d);
}

static void test_CF_X_5__the_others_wait_for_the_first_one(void **state)
{
	struct desk *d = desk_registered();
	const char *answer;
	uint32_t id;

	(void)state;
	notify(d, asked_in(d), 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")));
	id = desk_event(d, CONFAB_OPEN)->conversation;
	server_is_new(d);
	desk_answer(d, desk_await(d, "INVITE " DESK_CONFERENCE " ", 500), 404, "", "", "");
	desk_run(d, 9000);
	assert_null(desk_next(d, "INVITE "));
	answer = desk_called(d,
			     "Contact: <" NEW_CONFERENCE
			     ">;isfocus\r\nReferred-By: <sip:bo@example.com>\r\n"
			     "Contribution-ID: one\r\n",
			     DESK_SDP);
	/* Without a question: it is the conversation that she has. */
	assert_int_equal(desk_parsed(answer).status, 200);
	(void)desk_asked(d, answer, "ACK", 1, "", "");
	assert_null(desk_event(d, CONFAB_INVITED));
	desk_seat_opens(d);
	(void)desk_event(d, CONFAB_CONNECTION);
	assert_int_equal(desk_event(d, CONFAB_CONNECTION)->conversation, id);
	desk_run(d, 60000);
	assert_null(desk_next(d, "INVITE "));
	desk_free(d);
}

/* Bo, who has asked her, and two of lower addresses. */
static void test_CF_X_5__and_do_it_themselves_if_he_does_not_come(void **state)
{
	struct desk *d = desk_registered();

	(void)state;
	notify(d, asked_in(d), 1,
	       STATE("1", USER("sip:abe@example.com") USER("sip:adam@example.com")
				  USER("sip:ann@example.com") USER("sip:bo@example.com")));
	server_is_new(d);
	desk_answer(d, desk_await(d, "INVITE " DESK_CONFERENCE " ", 500), 404, "", "", "");
	desk_run(d, 19900);
	assert_null(desk_next(d, "INVITE "));
	desk_run(d, 200);
	assert_non_null(desk_next(d, "INVITE sip:conference-factory@example.com "));
	desk_free(d);
}

/* The server died before it told who is in: whom we had asked is known all the same. */
static void test_CF_X_5__before_there_was_a_roster(void **state)
{
	struct desk *d = desk_registered();
	const char *invite, *again;

	(void)state;
	(void)desk_conference(d, &invite);
	desk_seat_opens(d);
	server_is_new(d);
	desk_answer(d, desk_await(d, "INVITE " DESK_CONFERENCE " ", 500), 404, "", "", "");
	again = desk_await(d, "INVITE sip:conference-factory@example.com ", 1600);
	assert_non_null(again);
	assert_non_null(strstr(again, "sip:bo@example.com"));
	desk_free(d);
}

static void test_CF_X_5__tried_for_a_while_and_then_told(void **state)
{
	struct desk *d = desk_registered();
	const char *invite, *again;
	unsigned tries = 0;
	uint32_t id = conference(
		d, STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")), &invite);
	struct desk_event *e;

	(void)state;
	server_is_new(d);
	assert_int_equal(client_send(d->client, id, VIEW("never sent"), NULL, d->now), 0);
	for (unsigned s = 0; s < 120; s++) {
		desk_run(d, 1000);
		if ((again = desk_next(d, "REGISTER ")))
			desk_answer(d, again, 200,
				    "Contact: <sip:ann@192.0.2.7:5060>;expires=600\r\n", "", "");
		while ((again = desk_next(d, "INVITE " DESK_CONFERENCE " "))) {
			tries++;
			desk_answer(d, again, 503, "", "", "");
		}
	}
	/* 1, 2, 4, 8, 8, 8 … seconds, or half of that. */
	assert_in_range(tries, 12, 30);
	e = desk_event(d, CONFAB_ENDED);
	assert_non_null(e);
	assert_string_equal(desk_event(d, CONFAB_SENT)->text, "never sent");
	desk_free(d);
}

static void test_CF_X_5__who_is_not_wanted_any_more(void **state)
{
	/* Taken out, and over. */
	static const int status[] = {403, 410};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct desk *d = desk_registered();
		const char *invite;

		(void)conference(d,
				 STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")),
				 &invite);
		server_is_new(d);
		desk_answer(d, desk_await(d, "INVITE " DESK_CONFERENCE " ", 500), status[i], "", "",
			    "");
		assert_int_equal(desk_event(d, CONFAB_ENDED)->status, status[i]);
		desk_run(d, 60000);
		assert_null(desk_next(d, "INVITE "));
		desk_free(d);
	}
}

/* The seat goes before the BYE comes: that is the end, and nothing to come back from. */
static void test_IC_7_1_5_6__a_bye_behind_the_seats_end(void **state)
{
	struct desk *d = desk_registered();
	struct msrp_conn *c;
	const char *invite;

	(void)state;
	(void)conference(d, STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")),
			 &invite);
	c = d->msrp;
	d->msrp = NULL;
	msrp_conn_down(c, d->now);
	desk_run(d, 50);
	msrp_conn_up(d->msrp, d->now);
	desk_run(d, 0);
	(void)answer_send(d, "481 Unknown");
	desk_run(d, 500);
	(void)desk_ask(d, invite, "BYE", 10, "", "", "");
	desk_run(d, 60000);
	assert_non_null(desk_event(d, CONFAB_ENDED));
	assert_null(desk_next(d, "INVITE "));
	desk_free(d);
}

/* --- made anew by two --- */

#define LOWER  "sip:conf-1a@192.0.2.1:5060"
#define HIGHER "sip:conf-3@192.0.2.1:5060"

/* Ann's conference is gone, and she has made it anew: she is in NEW_CONFERENCE with Charles. */
static uint32_t made_anew(struct desk *d, const char **invite_out)
{
	uint32_t id = conference(d,
				 STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")
						    USER("sip:charles@example.com")),
				 invite_out);

	server_is_new(d);
	desk_answer(d, desk_await(d, "INVITE " DESK_CONFERENCE " ", 500), 404, "", "", "");
	*invite_out = desk_await(d, "INVITE sip:conference-factory@example.com ", 2000);
	desk_answer(d, *invite_out, 200, "Contact: <" NEW_CONFERENCE ">;isfocus\r\n",
		    "application/sdp", DESK_SDP);
	desk_seat_opens(d);
	notify(d, subscribed(d, NEW_CONFERENCE), 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:charles@example.com")));
	while (desk_event(d, CONFAB_CONNECTION) || desk_event(d, CONFAB_INVITED))
		;
	return id;
}

/* Into another conference, of the same conversation or of none. */
static int called_into(struct desk *d, const char *uri, const char *by, const char *contribution)
{
	const char *answer = desk_called(d,
					 desk_textf(d,
						    "Contact: <%s>;isfocus\r\nReferred-By: <%s>\r\n"
						    "Contribution-ID: %s\r\n",
						    uri, by, contribution),
					 DESK_SDP);
	int status = desk_parsed(answer).status;

	if (status == 200)
		(void)desk_asked(d, answer, "ACK", 1, "", "");
	return status;
}

static void test_CF_X_5__of_two_made_anew_that_of_the_lower_uri_stands(void **state)
{
	struct desk *d = desk_registered();
	const char *invite;

	(void)state;
	(void)made_anew(d, &invite);
	assert_int_equal(called_into(d, HIGHER, "sip:bo@example.com",
				     desk_field(d, invite, "Contribution-ID")),
			 491);
	/* He is asked into this one. */
	desk_run(d, 4000);
	assert_string_equal(desk_field(d, desk_next(d, "REFER " NEW_CONFERENCE), "Refer-To"),
			    "<sip:bo@example.com>");
	assert_null(desk_event(d, CONFAB_INVITED));
	assert_null(desk_next(d, "BYE "));
	desk_free(d);
}

static void test_CF_X_5__and_the_other_one_is_left_for_it(void **state)
{
	struct desk *d = desk_registered();
	const char *invite, *under_way;
	uint32_t id = made_anew(d, &invite);
	struct desk_event *e;

	(void)state;
	assert_int_equal(client_send(d->client, id, VIEW("accepted"), NULL, d->now), 0);
	desk_run(d, 0);
	(void)answer_send(d, "200 OK");
	assert_int_equal(client_send(d->client, id, VIEW("under way"), NULL, d->now), 0);
	desk_run(d, 0);
	under_way = message_id(d, d->msrp_out);
	assert_int_equal(called_into(d, LOWER, "sip:bo@example.com",
				     desk_field(d, invite, "Contribution-ID")),
			 200);
	assert_string_equal(desk_field(d, desk_next(d, "BYE "), "Call-ID"),
			    desk_field(d, invite, "Call-ID"));
	d->msrp_all = NULL;
	desk_seat_opens(d);
	e = desk_event(d, CONFAB_CONNECTION);
	assert_string_equal(e->text, "restored");
	assert_string_equal(e->uri, LOWER);
	assert_int_equal(e->conversation, id);
	assert_null(desk_event(d, CONFAB_ENDED));
	assert_null(desk_event(d, CONFAB_INVITED));
	/* Those who are there have heard nothing of it. */
	assert_non_null(strstr(d->msrp_all, "\r\n\r\naccepted\r\n"));
	assert_non_null(strstr(d->msrp_all, under_way));
	/* Nor has Charles heard of that one. */
	notify(d, subscribed(d, LOWER), 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")));
	desk_run(d, 4000);
	assert_string_equal(desk_field(d, desk_next(d, "REFER " LOWER), "Refer-To"),
			    "<sip:charles@example.com>");
	desk_free(d);
}

/* Who was asked into the one by somebody, and into the other by somebody else. */
static void test_CF_X_5__who_was_asked_into_both_joins_them(void **state)
{
	struct desk *d = desk_registered();

	(void)state;
	notify(d, asked_in(d), 1,
	       STATE("1", USER("sip:abe@example.com") USER("sip:ann@example.com")
				  USER("sip:bo@example.com")));
	server_is_new(d);
	assert_int_equal(called_into(d, NEW_CONFERENCE, "sip:abe@example.com", "one"), 200);
	/* That one is not open yet. */
	assert_int_equal(called_into(d, HIGHER, "sip:bo@example.com", "one"), 491);
	desk_seat_opens(d);
	assert_null(desk_next(d, "REFER "));
	assert_int_equal(called_into(d, HIGHER, "sip:bo@example.com", "one"), 491);
	assert_string_equal(desk_field(d, desk_next(d, "REFER " NEW_CONFERENCE), "Refer-To"),
			    "<sip:bo@example.com>");
	/* Whoever has asked her goes there himself, and asks her to follow. */
	notify(d, subscribed(d, NEW_CONFERENCE), 1,
	       STATE("1", OUT("sip:abe@example.com", "departed") USER("sip:ann@example.com")));
	assert_int_equal(called_into(d, LOWER, "sip:abe@example.com", "one"), 200);
	assert_non_null(desk_next(d, "BYE " NEW_CONFERENCE));
	assert_null(desk_event(d, CONFAB_ENDED));
	desk_free(d);
}

/* The second comes before the first is open: who has called into that one follows. */
static void test_CF_X_5__the_first_of_two_is_left_before_it_is_open(void **state)
{
	struct desk *d = desk_registered();

	(void)state;
	notify(d, asked_in(d), 1,
	       STATE("1", USER("sip:abe@example.com") USER("sip:ann@example.com")
				  USER("sip:bo@example.com")));
	server_is_new(d);
	assert_int_equal(called_into(d, NEW_CONFERENCE, "sip:abe@example.com", "one"), 200);
	assert_int_equal(called_into(d, LOWER, "sip:bo@example.com", "one"), 200);
	assert_non_null(desk_next(d, "BYE " NEW_CONFERENCE));
	desk_seat_opens(d);
	notify(d, subscribed(d, LOWER), 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")));
	desk_run(d, 4000);
	assert_string_equal(desk_field(d, desk_next(d, "REFER " LOWER), "Refer-To"),
			    "<sip:abe@example.com>");
	desk_free(d);
}

/* Who had been put out knows the Contribution-ID, too. */
static void test_CF_X_5__who_was_not_in_leads_nobody_away(void **state)
{
	struct desk *d = desk_registered();

	(void)state;
	notify(d, asked_in(d), 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")
				  OUT("sip:eve@example.com", "departed")
					  USER("sip:mallory@example.com")));
	server_is_new(d);
	assert_int_equal(called_into(d, NEW_CONFERENCE, "sip:bo@example.com", "one"), 200);
	desk_seat_opens(d);
	notify(d, subscribed(d, NEW_CONFERENCE), 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")
				  OUT("sip:mallory@example.com", "booted")));
	while (desk_event(d, CONFAB_INVITED))
		;
	for (size_t i = 0; i < 2; i++) {
		const char *who[] = {"sip:eve@example.com", "sip:mallory@example.com"};

		assert_int_equal(called_into(d, LOWER, who[i], "one"), 491);
		assert_int_equal(called_into(d, HIGHER, who[i], "one"), 491);
	}
	desk_run(d, 30000);
	assert_null(desk_next(d, "REFER "));
	assert_null(desk_next(d, "BYE "));
	assert_null(desk_event(d, CONFAB_INVITED));
	desk_free(d);
}

static void test_CF_X_5__any_other_conference_is_another_one(void **state)
{
	struct desk *d = desk_registered();
	const char *invite, *contribution;

	(void)state;
	(void)made_anew(d, &invite);
	contribution = desk_field(d, invite, "Contribution-ID");
	(void)called_into(d, LOWER, "sip:bo@example.com", "other");
	assert_non_null(desk_event(d, CONFAB_INVITED));
	(void)called_into(d, LOWER, "sip:bo@example.com", "");
	assert_non_null(desk_event(d, CONFAB_INVITED));
	/* Long after. */
	desk_run(d, 90000);
	(void)called_into(d, LOWER, "sip:charles@example.com", contribution);
	assert_non_null(desk_event(d, CONFAB_INVITED));
	assert_null(desk_next(d, "BYE " NEW_CONFERENCE));
	desk_free(d);
}

/* --- chats of two --- */

static void test_PF_9_1_2_2__a_relayed_chat_is_called_anew(void **state)
{
	struct desk *d = desk_registered();
	const char *invite, *again;
	uint32_t id = desk_chat(d, DESK_PHONE, DESK_SDP, &invite);

	(void)state;
	server_is_new(d);
	again = desk_await(d, "INVITE sip:bo@example.com", 500);
	assert_non_null(again);
	assert_true(desk_field(d, again, "Contribution-ID")[0] != '\0');
	assert_string_equal(desk_field(d, again, "Contribution-ID"),
			    desk_field(d, invite, "Contribution-ID"));
	/* Bo is not registered yet. */
	desk_answer(d, again, 480, "", "", "");
	desk_answer(d, desk_await(d, "INVITE sip:bo@example.com", 1000), 200, DESK_PHONE,
		    "application/sdp", DESK_SDP);
	desk_seat_opens(d);
	(void)desk_event(d, CONFAB_CONNECTION);
	assert_int_equal(desk_event(d, CONFAB_CONNECTION)->conversation, id);
	desk_free(d);
}

static void test_FL_1__one_between_two_phones_is_not(void **state)
{
	struct desk *d = desk_registered();
	const char *invite;

	(void)state;
	(void)desk_chat(d, DESK_PHONE, DESK_PHONE_SDP, &invite);
	server_is_new(d);
	desk_run(d, 20000);
	assert_null(desk_next(d, "INVITE "));
	assert_string_equal(desk_event(d, CONFAB_ENDED)->text, "connection lost");
	desk_free(d);
}

static void test_PF_9_1_2_2__who_was_called_waits_for_the_call(void **state)
{
	struct desk *d = desk_registered();
	const char *answer;

	(void)state;
	for (int late = 0; late <= 1; late++) {
		answer = desk_called(d, DESK_PHONE "Contribution-ID: one\r\n", DESK_SDP);
		assert_int_equal(desk_parsed(answer).status, 200);
		(void)desk_event(d, CONFAB_INVITED);
		desk_seat_opens(d);
		server_is_new(d);
		desk_run(d, late ? 9000 : 7000);
		assert_int_equal(desk_next(d, "INVITE sip:bo@example.com") != NULL, late);
		if (late)
			break;
		answer = desk_called(d, DESK_PHONE "Contribution-ID: one\r\n", DESK_SDP);
		assert_int_equal(desk_parsed(answer).status, 200);
		assert_null(desk_event(d, CONFAB_INVITED));
		desk_seat_opens(d);
		(void)desk_event(d, CONFAB_CONNECTION);
		assert_string_equal(desk_event(d, CONFAB_CONNECTION)->text, "restored");
		assert_null(desk_event(d, CONFAB_ENDED));
	}
	desk_free(d);
}

/* Somebody else's call is another conversation, asked for as ever. */
static void test_PF_9_1_2_2__another_call_is_another_chat(void **state)
{
	struct desk *d = desk_registered();
	const char *invite;

	(void)state;
	(void)desk_chat(d, DESK_PHONE, DESK_SDP, &invite);
	server_is_new(d);
	(void)desk_called(d,
			  "Contact: <sip:eve@192.0.2.9:5060>\r\nP-Asserted-Identity: "
			  "<sip:eve@example.com>\r\n"
			  "Contribution-ID: other\r\n",
			  DESK_PHONE_SDP);
	assert_non_null(desk_event(d, CONFAB_INVITED));
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_CF_X_5__joined_again_by_its_uri),
		cmocka_unit_test(
			test_CF_X_5__what_the_dead_switch_had_accepted_goes_to_the_new_one),
		cmocka_unit_test(test_CF_X_5__a_new_one_where_it_is_gone),
		cmocka_unit_test(test_CF_X_5__the_others_wait_for_the_first_one),
		cmocka_unit_test(test_CF_X_5__and_do_it_themselves_if_he_does_not_come),
		cmocka_unit_test(test_CF_X_5__before_there_was_a_roster),
		cmocka_unit_test(test_CF_X_5__tried_for_a_while_and_then_told),
		cmocka_unit_test(test_CF_X_5__who_is_not_wanted_any_more),
		cmocka_unit_test(test_IC_7_1_5_6__a_bye_behind_the_seats_end),
		cmocka_unit_test(test_CF_X_5__of_two_made_anew_that_of_the_lower_uri_stands),
		cmocka_unit_test(test_CF_X_5__and_the_other_one_is_left_for_it),
		cmocka_unit_test(test_CF_X_5__who_was_asked_into_both_joins_them),
		cmocka_unit_test(test_CF_X_5__the_first_of_two_is_left_before_it_is_open),
		cmocka_unit_test(test_CF_X_5__who_was_not_in_leads_nobody_away),
		cmocka_unit_test(test_CF_X_5__any_other_conference_is_another_one),
		cmocka_unit_test(test_PF_9_1_2_2__a_relayed_chat_is_called_anew),
		cmocka_unit_test(test_FL_1__one_between_two_phones_is_not),
		cmocka_unit_test(test_PF_9_1_2_2__who_was_called_waits_for_the_call),
		cmocka_unit_test(test_PF_9_1_2_2__another_call_is_another_chat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
