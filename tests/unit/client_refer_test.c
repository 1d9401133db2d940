/* Adding to and removing from a conference, its events, and coming back to it, at the client:
 * IC-7.1.3-1 … -2e, CF-X-3, CF-X-4, CF-X-5. */
#include "client_world.h"

static const char *refer(struct desk *d, const char *lines, int status)
{
	const char *text = desk_next(d, "REFER ");

	assert_non_null(text);
	desk_answer(d, text, status,
		    desk_textf(d, "Contact: <" DESK_CONFERENCE ">;isfocus\r\n%s", lines), "", "");
	return text;
}

static int notify(struct desk *d, const char *invite, unsigned cseq, const char *event,
		  const char *state, const char *frag)
{
	const char *answer =
		desk_ask(d, invite, "NOTIFY", cseq,
			 desk_textf(d, "Event: %s\r\nSubscription-State: %s\r\n", event, state),
			 "message/sipfrag;version=2.0", frag);

	return desk_parsed(answer).status;
}

static void test_IC_7_1_3_2c__one_is_added_and_followed(void **state)
{
	struct desk *d = desk_new();
	struct view carol = VIEW("sip:carol@example.com");
	const char *invite, *text;
	struct desk_event *e;
	uint32_t chat = desk_conference(d, &invite);

	(void)state;
	assert_int_equal(client_add(d->client, chat, &carol, 1, d->now), 0);
	desk_run(d, 0);
	text = refer(d, "", 202); /* as good as 200 */
	assert_non_null(strstr(text, "REFER " DESK_CONFERENCE " SIP/2.0"));
	assert_string_equal(desk_field(d, text, "Call-ID"), desk_field(d, invite, "Call-ID"));
	assert_string_equal(desk_field(d, text, "Refer-To"), "<sip:carol@example.com>");
	assert_string_equal(desk_field(d, text, "Refer-Sub"), "true");
	assert_non_null(strstr(desk_field(d, text, "Accept-Contact"), "+g.oma.sip-im"));
	assert_string_equal(desk_field(d, text, "P-Preferred-Identity"), "<sip:ann@example.com>");
	assert_int_equal(
		notify(d, invite, 1, "refer;id=2", "active;expires=60", "SIP/2.0 180 Ringing\r\n"),
		200);
	e = desk_event(d, CONFAB_PROGRESS);
	assert_string_equal(e->peer, "sip:carol@example.com");
	assert_int_equal(e->status, 180);
	assert_false(e->removing);
	assert_int_equal(notify(d, invite, 2, "refer;id=2", "terminated;reason=noresource",
				"SIP/2.0 200 OK\r\nContact: <x>\r\n"),
			 200);
	assert_int_equal(desk_event(d, CONFAB_PROGRESS)->status, 200);
	/* That was the end of it. */
	assert_int_equal(notify(d, invite, 3, "refer;id=2", "active", "SIP/2.0 200 OK\r\n"), 481);
	assert_null(desk_event(d, CONFAB_PROGRESS));
	desk_free(d);
}

static void test_RFC3261_8_1_3_5__one_at_a_time_where_lists_are_not_known(void **state)
{
	static const int status[] = {420, 415};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct desk *d = desk_new();
		struct view users[] = {VIEW("sip:carol@example.com"), VIEW("sip:dora@example.com")};
		const char *invite, *text;
		uint32_t chat = desk_conference(d, &invite);

		assert_int_equal(client_add(d->client, chat, users, 2, d->now), 0);
		desk_run(d, 0);
		text = refer(d, "Unsupported: multiple-refer\r\n", status[i]);
		assert_non_null(strstr(desk_field(d, text, "Require"), "multiple-refer"));
		assert_null(desk_event(d, CONFAB_PROGRESS));
		for (size_t k = 0; k < 2; k++) {
			text = refer(d, "Refer-Sub: false\r\n", 200);
			assert_string_equal(desk_field(d, text, "Refer-To"),
					    k ? "<sip:dora@example.com>"
					      : "<sip:carol@example.com>");
			assert_string_equal(desk_field(d, text, "Require"), "");
		}
		assert_null(desk_next(d, "REFER "));
		desk_free(d);
	}
}

static void test_IC_7_1_3_2c__two_at_a_time_are_told_apart(void **state)
{
	struct desk *d = desk_new();
	struct view carol = VIEW("sip:carol@example.com"), dora = VIEW("sip:dora@example.com");
	const char *invite;
	uint32_t chat = desk_conference(d, &invite);

	(void)state;
	assert_int_equal(client_add(d->client, chat, &carol, 1, d->now), 0);
	assert_int_equal(client_add(d->client, chat, &dora, 1, d->now), 0);
	desk_run(d, 0);
	/* The NOTIFY may overtake the answer. */
	assert_int_equal(notify(d, invite, 1, "refer;id=3", "active", "SIP/2.0 100 Trying\r\n"),
			 200);
	assert_string_equal(desk_event(d, CONFAB_PROGRESS)->peer, "sip:dora@example.com");
	refer(d, "", 200);
	refer(d, "", 200);
	assert_int_equal(notify(d, invite, 2, "refer;id=2", "active", "SIP/2.0 100 Trying\r\n"),
			 200);
	assert_string_equal(desk_event(d, CONFAB_PROGRESS)->peer, "sip:carol@example.com");
	/* No id: the first (RFC 3515 §2.4.6). */
	assert_int_equal(notify(d, invite, 3, "refer", "terminated", "SIP/2.0 603 Decline\r\n"),
			 200);
	assert_string_equal(desk_event(d, CONFAB_PROGRESS)->peer, "sip:carol@example.com");
	desk_free(d);
}

/* On its way a REFER could overtake the 200 that makes the dialog known to the focus. */
static void test_IC_7_1_3_2b__who_was_invited_waits_for_the_ack(void **state)
{
	struct desk *d = desk_new();
	struct view carol[2] = {VIEW("sip:carol@example.com"), VIEW("sip:dave@example.com")};
	const char *ok;
	uint32_t chat;

	(void)state;
	desk_deliver(d, view_str(desk_textf(
				d,
				"INVITE sip:ann@192.0.2.7:5060 SIP/2.0\r\n"
				"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n"
				"Max-Forwards: 70\r\nFrom: <sip:bo@example.com>;tag=b\r\n"
				"To: <sip:ann@example.com>\r\nCall-ID: one\r\nCSeq: 1 INVITE\r\n"
				"Contact: <" DESK_CONFERENCE ">;isfocus\r\n"
				"Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
				strlen(DESK_SDP), DESK_SDP)));
	chat = desk_event(d, CONFAB_INVITED)->conversation;
	ok = desk_next(d, "SIP/2.0 200");
	desk_seat_opens(d);
	assert_int_equal(client_add(d->client, chat, carol, 1, d->now), 0);
	assert_int_equal(client_add(d->client, chat, carol, 2, d->now), 0);
	desk_run(d, 0);
	assert_null(desk_next(d, "REFER "));
	desk_deliver(d, view_str(desk_textf(d,
					    "ACK sip:ann@192.0.2.7:5060 SIP/2.0\r\n"
					    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK2\r\n"
					    "Max-Forwards: 70\r\n"
					    "From: <sip:bo@example.com>;tag=b\r\nTo: %s\r\n"
					    "Call-ID: one\r\nCSeq: 1 ACK\r\n"
					    "Content-Length: 0\r\n\r\n",
					    desk_field(d, ok, "To"))));
	assert_string_equal(desk_field(d, refer(d, "", 200), "Refer-To"),
			    "<sip:carol@example.com>");
	assert_non_null(strstr(desk_field(d, refer(d, "", 200), "Refer-To"), "<cid:"));
	assert_null(desk_next(d, "REFER "));
	desk_free(d);
}

static void test_IC_7_1_3_2d__several_go_as_a_list(void **state)
{
	struct desk *d = desk_new();
	struct view users[] = {VIEW("sip:carol@example.com"), VIEW("sip:dora@example.com")};
	const char *invite, *text;
	uint32_t chat = desk_conference(d, &invite);

	(void)state;
	assert_int_equal(client_add(d->client, chat, users, 2, d->now), 0);
	desk_run(d, 0);
	text = refer(d, "Refer-Sub: false\r\n", 200);
	assert_string_equal(desk_field(d, text, "Require"), "multiple-refer, norefersub");
	assert_string_equal(desk_field(d, text, "Refer-Sub"), "false");
	assert_string_equal(desk_field(d, text, "Content-Type"), "application/resource-lists+xml");
	assert_non_null(strstr(text, "uri=\"sip:dora@example.com\""));
	assert_null(desk_event(d, CONFAB_PROGRESS));
	assert_int_equal(notify(d, invite, 1, "refer;id=2", "active", "SIP/2.0 100 Trying\r\n"),
			 481);
	desk_free(d);
}

static void test_IC_7_1_3_2c__a_refused_refer_is_told(void **state)
{
	struct desk *d = desk_new();
	struct view users[] = {VIEW("sip:carol@example.com"), VIEW("sip:dora@example.com")};
	const char *invite;
	uint32_t chat = desk_conference(d, &invite);
	struct desk_event *e;

	(void)state;
	desk_seat_opens(d);
	assert_int_equal(client_kick(d->client, chat, users, 1, d->now), 0);
	desk_run(d, 0);
	assert_string_equal(desk_field(d, refer(d, "", 403), "Refer-To"),
			    "<sip:carol@example.com;method=BYE>");
	e = desk_event(d, CONFAB_PROGRESS);
	assert_int_equal(e->status, 403);
	assert_true(e->removing);
	assert_int_equal(client_add(d->client, chat, users, 2, d->now), 0);
	desk_run(d, 0);
	refer(d, "", 403);
	assert_int_equal(desk_event(d, CONFAB_PROGRESS)->status, 403);
	assert_string_equal(desk_event(d, CONFAB_PROGRESS)->peer, "sip:dora@example.com");
	/* No answer at all. */
	assert_int_equal(client_add(d->client, chat, users, 1, d->now), 0);
	desk_run(d, 31900);
	desk_run(d, 1000);
	assert_int_equal(desk_event(d, CONFAB_PROGRESS)->status, 408);
	desk_free(d);
}

static void test_IC_7_1_3__who_leaves_when_he_is_told_leaves(void **state)
{
	struct view users[] = {VIEW("sip:carol@example.com"), VIEW("sip:dora@example.com")};

	(void)state;
	for (int how = 0; how < 3; how++) {
		struct desk *d = desk_new();
		const char *invite;
		uint32_t chat = desk_conference(d, &invite);

		d->leave_on = CONFAB_PROGRESS;
		assert_int_equal(client_add(d->client, chat, users, how == 0 ? 2 : 1, d->now), 0);
		desk_run(d, 0);
		if (how == 0)
			refer(d, "", 403);
		else if (how == 1)
			assert_int_equal(notify(d, invite, 1, "refer;id=2", "terminated",
						"SIP/2.0 200 OK\r\n"),
					 200);
		else
			desk_run(d, 40000);
		desk_run(d, 10000);
		assert_non_null(desk_event(d, CONFAB_ENDED));
		desk_free(d);
	}
}

static void test_IC_7_1_3__what_cannot_be_asked(void **state)
{
	struct desk *d = desk_new();
	struct view bad = VIEW("tel:+491"), bo = VIEW("sip:bo@example.com");
	const char *invite;
	uint32_t chat = desk_conference(d, &invite), direct = 0;

	(void)state;
	assert_int_equal(client_add(d->client, chat, &bad, 1, d->now), E_SYNTAX);
	assert_int_equal(client_kick(d->client, chat, &bad, 1, d->now), E_SYNTAX);
	assert_int_equal(client_kick(d->client, 99, &bo, 1, d->now), E_NOTFOUND);
	assert_int_equal(client_call(d->client, &bo, 1, &direct, d->now), 0);
	assert_int_equal(client_kick(d->client, direct, &bo, 1, d->now), E_STATE);
	desk_free(d);
}

/* --- conference events --- */

static const char *user(struct desk *d, const char *who, const char *status)
{
	return desk_textf(d,
			  "<user entity=\"sip:%s@example.com\" state=\"full\"><endpoint "
			  "entity=\"sip:%s@example.com\">"
			  "<status>%s</status></endpoint></user>",
			  who, who, status);
}

static void conference_state(struct desk *d, const char *subscribe, unsigned cseq, unsigned version,
			     const char *kind, const char *users)
{
	const char *answer = desk_ask(
		d, subscribe, "NOTIFY", cseq,
		"Event: conference\r\nSubscription-State: active;expires=600\r\n",
		"application/conference-info+xml",
		desk_textf(d,
			   "<conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" "
			   "entity=\"" DESK_CONFERENCE "\" state=\"%s\" version=\"%u\">"
			   "<users state=\"%s\">%s</users></conference-info>",
			   kind, version, kind, users));

	assert_int_equal(desk_parsed(answer).status, 200);
}

static void test_CF_X_4__partial_states_are_applied_and_a_gap_asks_for_all(void **state)
{
	struct desk *d = desk_new();
	const char *invite, *subscribe, *again;
	uint32_t chat = desk_conference(d, &invite);

	(void)state;
	desk_seat_opens(d);
	assert_string_equal(desk_event(d, CONFAB_OPEN)->uri, DESK_CONFERENCE);
	subscribe = desk_next(d, "SUBSCRIBE ");
	desk_answer(d, subscribe, 200, "Contact: <" DESK_CONFERENCE ">;isfocus\r\nExpires: 600\r\n",
		    "", "");
	conference_state(
		d, subscribe, 1, 1, "full",
		desk_textf(d, "%s%s", user(d, "ann", "connected"), user(d, "bo", "dialing-out")));
	assert_null(desk_event(d, CONFAB_JOINED));
	conference_state(d, subscribe, 2, 2, "partial", user(d, "bo", "connected"));
	assert_string_equal(desk_event(d, CONFAB_JOINED)->peer, "sip:bo@example.com");
	/* An old one changes nothing. */
	conference_state(d, subscribe, 3, 1, "partial", user(d, "bo", "disconnected"));
	assert_null(desk_event(d, CONFAB_LEFT));
	conference_state(d, subscribe, 4, 3, "partial",
			 "<user entity=\"sip:bo@example.com\" state=\"deleted\"/>");
	assert_string_equal(desk_event(d, CONFAB_LEFT)->peer, "sip:bo@example.com");
	/* Version 4 is missed: full state is asked for, inside the subscription. */
	assert_null(desk_next(d, "SUBSCRIBE "));
	conference_state(d, subscribe, 5, 5, "partial", user(d, "carol", "connected"));
	assert_null(desk_event(d, CONFAB_JOINED));
	again = desk_next(d, "SUBSCRIBE ");
	assert_non_null(again);
	assert_string_equal(desk_field(d, again, "Call-ID"), desk_field(d, subscribe, "Call-ID"));
	desk_answer(d, again, 200, "Contact: <" DESK_CONFERENCE ">;isfocus\r\nExpires: 600\r\n", "",
		    "");
	conference_state(
		d, subscribe, 6, 6, "full",
		desk_textf(d, "%s%s", user(d, "ann", "connected"), user(d, "carol", "connected")));
	assert_string_equal(desk_event(d, CONFAB_JOINED)->peer, "sip:carol@example.com");
	assert_int_equal(client_who(d->client, chat, d->now), 0);
	again = desk_next(d, "SUBSCRIBE ");
	desk_answer(d, again, 200, "Contact: <" DESK_CONFERENCE ">;isfocus\r\nExpires: 600\r\n", "",
		    "");
	conference_state(d, subscribe, 7, 7, "full", user(d, "ann", "connected"));
	assert_int_equal(desk_event(d, CONFAB_ROSTER)->n_participants, 1);
	assert_string_equal(desk_event(d, CONFAB_LEFT)->peer, "sip:carol@example.com");
	desk_free(d);
}

/* --- coming back --- */

static void test_CF_X_5__rejoin_goes_to_the_conference_then_to_a_new_one(void **state)
{
	struct desk *d = desk_new();
	struct view bo = VIEW("sip:bo@example.com");
	struct client_call_options o = {.rejoin = VIEW(DESK_CONFERENCE),
					.contribution = VIEW("abc")};
	const char *first, *second;
	uint32_t chat = 0;

	(void)state;
	assert_int_equal(client_call_with(d->client, &bo, 1, &o, &chat, d->now), 0);
	desk_run(d, 0);
	first = desk_next(d, "INVITE " DESK_CONFERENCE);
	assert_non_null(first);
	assert_string_equal(desk_field(d, first, "Contribution-ID"), "abc");
	assert_string_equal(desk_field(d, first, "Content-Type"), "application/sdp");
	desk_answer(d, first, 404, "", "", "");
	second = desk_next(d, "INVITE sip:conference-factory@example.com");
	assert_non_null(second);
	assert_string_equal(desk_field(d, second, "Contribution-ID"), "abc");
	assert_non_null(strstr(second, "uri=\"sip:bo@example.com\""));
	assert_null(desk_event(d, CONFAB_ENDED));
	/* Only once. */
	desk_answer(d, second, 404, "", "", "");
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 404);
	assert_null(desk_next(d, "INVITE "));
	desk_free(d);
}

static void test_CF_X_5__other_refusals_and_nobody_to_call_end_it(void **state)
{
	struct desk *d = desk_new();
	struct view bo = VIEW("sip:bo@example.com");
	struct client_call_options o = {.rejoin = VIEW(DESK_CONFERENCE)};
	uint32_t chat = 0;

	(void)state;
	assert_int_equal(client_call_with(d->client, &bo, 1, &o, &chat, d->now), 0);
	desk_run(d, 0);
	desk_answer(d, desk_next(d, "INVITE "), 403, "", "", "");
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 403);
	assert_int_equal(client_call_with(d->client, NULL, 0, &o, &chat, d->now), 0);
	desk_run(d, 0);
	desk_answer(d, desk_next(d, "INVITE "), 410, "", "", "");
	assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 410);
	o.rejoin = VIEW("tel:1");
	assert_int_equal(client_call_with(d->client, NULL, 0, &o, &chat, d->now), E_SYNTAX);
	o = (struct client_call_options){.conference = true, .subject = VIEW("a\r\nEvil: x")};
	assert_int_equal(client_call_with(d->client, &bo, 1, &o, &chat, d->now), E_SYNTAX);
	desk_free(d);
}

static void test_PEERS__session_replaces_moves_the_chat_of_that_contribution(void **state)
{
	struct desk *d = desk_new();
	const char *invite = "INVITE sip:ann@192.0.2.7:5060 SIP/2.0\r\nVia: SIP/2.0/UDP "
			     "192.0.2.1:5060;branch=z9hG4bK%s\r\n"
			     "Max-Forwards: 70\r\nFrom: <sip:bo@example.com>;tag=%s\r\nTo: "
			     "<sip:ann@example.com>\r\nCall-ID: %s\r\n"
			     "CSeq: 1 INVITE\r\nContact: "
			     "<sip:%s@192.0.2.1:5060>%s\r\n%sContent-Type: application/sdp\r\n"
			     "Content-Length: %zu\r\n\r\n%s";
	uint32_t chat;

	(void)state;
	desk_deliver(
		d, view_str(desk_textf(d, invite, "1", "b", "one", "bo", "",
				       "Contribution-ID: chat-7\r\n", strlen(DESK_SDP), DESK_SDP)));
	chat = desk_event(d, CONFAB_INVITED)->conversation;
	assert_non_null(desk_next(d, "SIP/2.0 200"));
	desk_seat_opens(d);
	/* Of another chat: an invitation as any other. */
	desk_deliver(d, view_str(desk_textf(
				d, invite, "2", "c", "two", "conf-1", ";isfocus",
				"Session-Replaces: chat-8\r\nReferred-By: <sip:bo@example.com>\r\n",
				strlen(DESK_SDP), DESK_SDP)));
	assert_int_not_equal(desk_event(d, CONFAB_INVITED)->conversation, chat);
	assert_null(desk_event(d, CONFAB_MOVING));
	desk_deliver(d, view_str(desk_textf(
				d, invite, "3", "d", "three", "conf-2", ";isfocus",
				"Session-Replaces: chat-7\r\nReferred-By: <sip:bo@example.com>\r\n",
				strlen(DESK_SDP), DESK_SDP)));
	assert_int_equal(desk_event(d, CONFAB_MOVING)->conversation, chat);
	assert_null(desk_event(d, CONFAB_INVITED));
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IC_7_1_3_2c__one_is_added_and_followed),
		cmocka_unit_test(test_RFC3261_8_1_3_5__one_at_a_time_where_lists_are_not_known),
		cmocka_unit_test(test_IC_7_1_3_2c__two_at_a_time_are_told_apart),
		cmocka_unit_test(test_IC_7_1_3_2b__who_was_invited_waits_for_the_ack),
		cmocka_unit_test(test_IC_7_1_3_2d__several_go_as_a_list),
		cmocka_unit_test(test_IC_7_1_3_2c__a_refused_refer_is_told),
		cmocka_unit_test(test_IC_7_1_3__who_leaves_when_he_is_told_leaves),
		cmocka_unit_test(test_IC_7_1_3__what_cannot_be_asked),
		cmocka_unit_test(test_CF_X_4__partial_states_are_applied_and_a_gap_asks_for_all),
		cmocka_unit_test(test_CF_X_5__rejoin_goes_to_the_conference_then_to_a_new_one),
		cmocka_unit_test(test_CF_X_5__other_refusals_and_nobody_to_call_end_it),
		cmocka_unit_test(test_PEERS__session_replaces_moves_the_chat_of_that_contribution),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
