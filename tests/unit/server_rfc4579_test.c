/* What RFC 4579 has where the source is silent (R-11), by its sections: the focus's side. The
 * client's is in the flow tests; docs/protocol/rfc4579.md has the whole list. */
#include "controlling_world.h"

#define FACTORY	   "sip:conference-factory@example.com"
#define JOIN_LINES ROOM_IM "Content-Type: application/sdp\n"

static int status_of(const char *answer)
{
	return room_parsed(answer).status;
}

static void assert_focus(struct room *r, const char *text)
{
	assert_non_null(strstr(room_field(r, text, "Contact"), ">;isfocus;+g.oma.sip-im"));
	assert_non_null(strstr(room_field(r, text, "Allow"), "REFER"));
	assert_non_null(strstr(room_field(r, text, "Allow"), "SUBSCRIBE"));
	assert_string_equal(room_field(r, text, "Allow-Events"), "conference, refer");
	assert_non_null(strstr(room_field(r, text, "Accept"), "application/sdp"));
	assert_non_null(strstr(room_field(r, text, "Accept"), "message/sipfrag"));
	assert_non_null(strstr(room_field(r, text, "Supported"), "replaces"));
}

/* §3.1, §4.2, §5.13: in an INVITE of the focus, and in the 200 to one. */
static void test_R_11__a_focus_says_what_it_is_and_can(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>"), *again;

	(void)state;
	assert_focus(r, ok);
	room_acknowledge(r, ok);
	assert_focus(r, room_next(r, "INVITE", "bo@")->text);
	again = room_ask(r, "INVITE", room_uri(r, ok), "ann", JOIN_LINES, ROOM_SDP);
	assert_focus(r, again);
	room_free(r);
}

/* §4.3, §5.13 */
static void test_R_11__OPTIONS_finds_out_whether_a_uri_is_a_conference(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok), *answer;

	(void)state;
	answer = room_ask(r, "OPTIONS", uri, "stranger", "", "");
	assert_int_equal(status_of(answer), 200);
	assert_focus(r, answer);
	assert_string_equal(room_uri(r, answer), uri);
	answer = room_inside(r, ok, "OPTIONS", 8, "", "");
	assert_int_equal(status_of(answer), 200);
	assert_focus(r, answer);
	/* The factory makes conferences, and is none. */
	answer = room_ask(r, "OPTIONS", FACTORY, "stranger", "", "");
	assert_int_equal(status_of(answer), 200);
	assert_null(strstr(answer, "isfocus"));
	assert_non_null(strstr(room_field(r, answer, "Supported"), "recipient-list-invite"));
	assert_int_equal(
		status_of(room_ask(r, "OPTIONS", "sip:conf-none@example.com", "ann", "", "")), 404);
	room_free(r);
}

/* §3.3: one that knows nothing of conferences: INVITE, ACK and BYE will do. */
static void test_R_11__a_phone_that_knows_no_conferences_takes_part(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r);
	struct asked *carol;

	(void)state;
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:carol@example.com>\nRefer-Sub: false\n", "");
	carol = room_next(r, "INVITE", "carol@");
	/* Nothing is required of it. */
	assert_string_equal(room_field(r, carol->text, "Require"), "");
	assert_string_equal(room_field(r, carol->text, "Content-Type"), "application/sdp");
	r->n_answers = 0;
	room_reply(r, carol, 200);
	assert_int_equal(r->n_answers, 1);
	room_free(r);
}

/* --- §5.9, RFC 3891: the participant changes his phone --- */

static const char *replaces_of(struct room *r, const char *answer, const char *more)
{
	return room_textf(r, "Require: replaces\nReplaces: %s;to-tag=%s;from-tag=%s%s\n" JOIN_LINES,
			  room_field(r, answer, "Call-ID"),
			  strstr(room_field(r, answer, "To"), "tag=") + 4,
			  strstr(room_field(r, answer, "From"), "tag=") + 4, more);
}

static void test_R_11__another_phone_takes_the_place_of_the_first(void **state)
{
	struct room *r = room_new();
	const char *ok, *uri, *second;

	(void)state;
	/* He is in: it is no joining. */
	r->cfg.dial_in = CONFERENCE_DIAL_IN_NOBODY;
	ok = room_of_two(room_start(r));
	uri = room_uri(r, ok);
	assert_int_equal(status_of(room_ask(r, "INVITE", uri, "ann", JOIN_LINES, ROOM_SDP)), 403);
	second = room_ask(r, "INVITE", uri, "ann", replaces_of(r, ok, ""), ROOM_SDP);
	assert_int_equal(status_of(second), 200);
	assert_focus(r, second);
	room_acknowledge(r, second);
	assert_non_null(room_next(r, "BYE", "ann@"));
	assert_int_equal(r->n_closed, 1);
	assert_int_equal(r->n_ended, 0);
	/* What the creator may do came along. */
	assert_int_equal(status_of(room_inside(r, second, "REFER", 8,
					       "Refer-To: <sip:bo@example.com;method=BYE>\n", "")),
			 200);
	room_free(r);
}

static void test_R_11__what_cannot_be_replaced(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);
	const char *none = JOIN_LINES "Replaces: nobody;to-tag=1;from-tag=2\n";

	(void)state;
	/* RFC 3891 §3 */
	assert_int_equal(status_of(room_ask(r, "INVITE", uri, "ann", none, ROOM_SDP)), 481);
	assert_int_equal(status_of(room_ask(r, "INVITE", uri, "ann",
					    replaces_of(r, ok, ";early-only"), ROOM_SDP)),
			 486);
	assert_int_equal(status_of(room_ask(r, "INVITE", uri, "ann",
					    room_textf(r, "%sReplaces: x;to-tag=1;from-tag=2\n",
						       replaces_of(r, ok, "")),
					    ROOM_SDP)),
			 400);
	assert_int_equal(status_of(room_ask(r, "INVITE", uri, "ann",
					    JOIN_LINES "Replaces: x;to-tag=1\n", ROOM_SDP)),
			 400);
	/* §5: nobody takes another's seat, whoever he is. */
	assert_int_equal(
		status_of(room_ask(r, "INVITE", uri, "bo", replaces_of(r, ok, ""), ROOM_SDP)), 403);
	assert_int_equal(
		status_of(room_ask(r, "INVITE", uri, "stranger", replaces_of(r, ok, ""), ROOM_SDP)),
		403);
	assert_int_equal(status_of(room_ask(r, "OPTIONS", uri, "ann", replaces_of(r, ok, ""), "")),
			 400);
	assert_int_equal(status_of(room_ask(r, "INVITE", FACTORY, "ann", none, ROOM_SDP)), 481);
	assert_null(room_next(r, "BYE", ""));
	assert_int_equal(r->n_closed, 0);
	room_inside(r, ok, "BYE", 8, "", "");
	assert_int_equal(
		status_of(room_ask(r, "INVITE", uri, "ann", replaces_of(r, ok, ""), ROOM_SDP)),
		603);
	room_free(r);
}

static void test_R_11__no_seat_for_the_second_phone_leaves_the_first(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);

	(void)state;
	r->no_seats = true;
	assert_int_equal(
		status_of(room_ask(r, "INVITE", uri, "ann", replaces_of(r, ok, ""), ROOM_SDP)),
		503);
	assert_null(room_next(r, "BYE", ""));
	r->no_seats = false;
	assert_int_equal(status_of(room_inside(r, ok, "OPTIONS", 8, "", "")), 200);
	room_free(r);
}

/* §5.12: what its default is for a factory's conferences is a policy here. */
static void test_R_11__deleted_when_its_creator_departs(void **state)
{
	struct room *r = room_new();
	const char *ok, *uri;

	(void)state;
	r->cfg.end_policy = CONFERENCE_END_CREATOR;
	ok = room_of_two(room_start(r));
	uri = room_uri(r, ok);
	(void)room_ask(r, "SUBSCRIBE", uri, "bo", "Event: conference\n", "");
	(void)room_notify(r, "conference");
	room_inside(r, ok, "BYE", 8, "", "");
	assert_non_null(room_next(r, "BYE", "p@"));
	(void)room_notify(r, "conference"); /* that Ann is out */
	assert_string_equal(room_field(r, room_notify(r, "conference")->text, "Subscription-State"),
			    "terminated;reason=noresource");
	assert_int_equal(status_of(room_ask(r, "OPTIONS", uri, "ann", "", "")), 410);
	room_free(r);
}

/* §6 */
static void test_R_11__who_joins_with_privacy_is_not_named(void **state)
{
	struct room *r = room_new();
	const char *ok, *uri;
	struct asked *notify;

	(void)state;
	r->cfg.dial_in = CONFERENCE_DIAL_IN_ANYONE;
	ok = room_of_two(room_start(r));
	uri = room_uri(r, ok);
	(void)room_ask(r, "SUBSCRIBE", uri, "ann", "Event: conference\n", "");
	(void)room_notify(r, "conference");
	assert_int_equal(
		status_of(room_ask(r, "INVITE", uri, "dora", JOIN_LINES "Privacy: id\n", ROOM_SDP)),
		200);
	notify = room_notify(r, "conference");
	assert_non_null(notify);
	assert_non_null(strstr(notify->text, "anonymous"));
	assert_null(strstr(notify->text, "dora"));
	room_free(r);
}

/* §3.4: BYE does not have to end the subscription. Who is out is told no more, all the same. */
static void test_R_11__a_subscription_is_a_dialog_of_its_own(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok), *sub;

	(void)state;
	sub = room_ask(r, "SUBSCRIBE", uri, "ann", "Event: conference\n", "");
	assert_int_equal(status_of(sub), 200);
	assert_string_not_equal(room_field(r, sub, "Call-ID"), room_field(r, ok, "Call-ID"));
	(void)room_notify(r, "conference");
	/* The end of the subscription ends nothing else. */
	assert_int_equal(status_of(room_inside(r, sub, "SUBSCRIBE", 8,
					       "Event: conference\nExpires: 0\n", "")),
			 200);
	assert_int_equal(r->n_closed, 0);
	assert_null(room_next(r, "BYE", ""));
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_R_11__a_focus_says_what_it_is_and_can),
		cmocka_unit_test(test_R_11__OPTIONS_finds_out_whether_a_uri_is_a_conference),
		cmocka_unit_test(test_R_11__a_phone_that_knows_no_conferences_takes_part),
		cmocka_unit_test(test_R_11__another_phone_takes_the_place_of_the_first),
		cmocka_unit_test(test_R_11__what_cannot_be_replaced),
		cmocka_unit_test(test_R_11__no_seat_for_the_second_phone_leaves_the_first),
		cmocka_unit_test(test_R_11__deleted_when_its_creator_departs),
		cmocka_unit_test(test_R_11__who_joins_with_privacy_is_not_named),
		cmocka_unit_test(test_R_11__a_subscription_is_a_dialog_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
