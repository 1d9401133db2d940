/* REFER at the focus: CF-9.3-2 … -5, CF-X-3, R-4, R-5, the forms that phones use. */
#include "controlling_world.h"

#define FACTORY "sip:conference-factory@example.com"
#define LIST_LINES                                                                                 \
	"Require: multiple-refer, norefersub\nRefer-Sub: false\nRefer-To: "                        \
	"<cid:list@example.com>\n"                                                                 \
	"Content-Type: application/resource-lists+xml\nContent-Disposition: recipient-list\n"      \
	"Content-ID: <list@example.com>\n"

static void test_CF_9_3_2__one_by_refer_inside_the_dialog_is_invited_and_followed(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *answer;
	struct asked *invite;

	(void)state;
	answer = room_inside(r, ok, "REFER", 8, "Refer-To: <sip:carol@example.com>\n", "");
	assert_int_equal(room_parsed(answer).status, 200);
	assert_string_equal(room_field(r, answer, "Refer-Sub"), "");
	assert_string_equal(room_progress(r), "100 active");
	assert_int_equal(r->n_open, 2);
	invite = room_next(r, "INVITE", "carol@");
	assert_non_null(invite);
	assert_string_equal(room_field(r, invite->text, "Referred-By"), "<sip:ann@example.com>");
	room_reply(r, invite, 180);
	assert_string_equal(room_progress(r), "180 active");
	room_reply(r, invite, 200);
	assert_string_equal(room_progress(r), "200 terminated");
	assert_string_equal(room_progress(r), "none");
	/* RFC 3515 §2.4.6: the id is the REFER's CSeq. */
	for (size_t i = 0; i < r->n_asked; i++)
		if (strncmp(r->asked[i].text, "NOTIFY", 6) == 0)
			assert_string_equal(room_field(r, r->asked[i].text, "Event"), "refer;id=8");
	room_free(r);
}

static void test_CF_9_3_4__a_refusal_is_the_final_notify(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r);

	(void)state;
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:carol@example.com>\n", "");
	room_reply(r, room_next(r, "INVITE", "carol@"), 603);
	assert_string_equal(room_progress(r), "100 active");
	assert_string_equal(room_progress(r), "603 terminated");
	room_free(r);
}

/* sipsimple: to the To URI of its INVITE, outside the dialog, the method behind the brackets. */
static void
test_CF_9_3_2__outside_the_dialog_to_the_factory_with_the_method_outside_the_brackets(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *answer;

	(void)state;
	answer = room_ask(r, "REFER", FACTORY, "ann",
			  "Refer-To: <sip:carol@example.com>;method=INVITE\n", "");
	assert_int_equal(room_parsed(answer).status, 200);
	assert_string_equal(room_uri(r, answer), room_uri(r, ok));
	room_reply(r, room_next(r, "INVITE", "carol@"), 200);
	assert_string_equal(room_progress(r), "100 active");
	assert_string_equal(room_progress(r), "200 terminated");
	answer = room_ask(r, "REFER", FACTORY, "ann",
			  "Refer-To: <sip:carol@example.com>;method=BYE\n", "");
	assert_int_equal(room_parsed(answer).status, 200);
	assert_non_null(room_next(r, "BYE", "p@"));
	assert_string_equal(room_progress(r), "100 active");
	assert_string_equal(room_progress(r), "200 terminated");
	room_free(r);
}

/* liblinphone: to the conference URI, the method inside the brackets, a parameter behind them. */
static void test_CF_9_3_2__outside_the_dialog_to_the_conference(void **state)
{
	struct room *r = room_start(room_new());
	const char *uri = room_uri(r, room_of_two(r)), *answer;

	(void)state;
	answer = room_ask(r, "REFER", uri, "bo", "Refer-To: <sip:le@example.com>;text\n", "");
	assert_int_equal(room_parsed(answer).status, 200);
	room_reply(r, room_next(r, "INVITE", "le@"), 200);
	answer = room_ask(r, "REFER", uri, "ann",
			  "Refer-To: <sip:le@example.com;method=BYE>;text\n", "");
	assert_int_equal(room_parsed(answer).status, 200);
	assert_non_null(room_next(r, "BYE", "p@"));
	room_free(r);
}

/* The asker's route set makes a NOTIFY longer than a head may be: it cannot be sent, and what he
 * asked for is done all the same. (The answer repeats the Record-Route and is as long.) */
static void test_CF_9_3_2__a_notify_that_cannot_be_sent(void **state)
{
	struct room *r = room_start(room_new());
	const char *uri = room_uri(r, room_of_two(r));
	char *route = malloc(SIP_HEAD_BYTES_MAX);

	(void)state;
	assert_non_null(route);
	memset(route, 'x', SIP_HEAD_BYTES_MAX);
	route[SIP_HEAD_BYTES_MAX - 400] = '\0';
	room_send(r, room_crlf(r, room_textf(r,
					     "REFER %s SIP/2.0\n"
					     "Via: SIP/2.0/UDP 192.0.2.50:5060;branch=z9hG4bKr\n"
					     "From: <sip:ann@example.com>;tag=f\nTo: <%s>\n"
					     "Call-ID: long\nCSeq: 7 REFER\n"
					     "Contact: <sip:ann@192.0.2.50:5060>\n"
					     "Refer-To: <sip:bo@example.com;method=BYE>\n"
					     "Record-Route: <sip:192.0.2.9;lr;x=%s>\n\n",
					     uri, uri, route)));
	free(route);
	assert_null(room_next(r, "NOTIFY", ""));
	assert_non_null(room_next(r, "BYE", ""));
	room_free(r);
}

static void test_CF_9_3_2__only_participants_may_refer(void **state)
{
	struct room *r = room_start(room_new());
	const char *uri = room_uri(r, room_of_two(r));
	const char *to = "Refer-To: <sip:carol@example.com>\n";

	(void)state;
	assert_int_equal(room_parsed(room_ask(r, "REFER", uri, "dora", to, "")).status, 403);
	assert_int_equal(room_parsed(room_ask(r, "REFER", uri, "stranger", to, "")).status, 403);
	assert_int_equal(room_parsed(room_ask(r, "REFER", FACTORY, "dora", to, "")).status, 403);
	assert_null(room_next(r, "INVITE", "carol@"));
	room_free(r);
}

static void test_R_4__no_subscription_where_none_is_wanted(void **state)
{
	static const char *const say[] = {"Refer-Sub: false\n", "Refer-Sub: FALSE;x=1\n",
					  "Norefer-Sub: true\n"};
	static const char *const want[] = {"Refer-Sub: true\n", "Norefer-Sub: false\n", ""};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct room *r = room_start(room_new());
		const char *ok = room_of_two(r), *answer;

		answer = room_inside(r, ok, "REFER", 8,
				     room_textf(r, "Refer-To: <sip:carol@example.com>\n%s", say[i]),
				     "");
		assert_int_equal(room_parsed(answer).status, 200);
		assert_string_equal(room_field(r, answer, "Refer-Sub"), "false");
		room_reply(r, room_next(r, "INVITE", "carol@"), 200);
		assert_string_equal(room_progress(r), "none");
		answer = room_inside(r, ok, "REFER", 9,
				     room_textf(r, "Refer-To: <sip:dora@example.com>\n%s", want[i]),
				     "");
		assert_int_equal(room_parsed(answer).status, 200);
		assert_string_equal(room_field(r, answer, "Refer-Sub"), "");
		assert_string_equal(room_progress(r), "100 active");
		room_free(r);
	}
}

static void test_R_5__several_by_a_list(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *answer;

	(void)state;
	answer = room_inside(
		r, ok, "REFER", 8, LIST_LINES,
		ROOM_LIST_HEAD
		"<entry uri=\"sip:carol@example.com\"/>"
		"<entry uri=\"sip:dora@example.com?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc"
		"&amp;Route=%3Csip:evil%3E\"/>"
		"<entry uri=\"sip:bo@example.com;method=BYE\"/>" ROOM_LIST_TAIL);
	assert_int_equal(room_parsed(answer).status, 200);
	assert_string_equal(room_field(r, answer, "Refer-Sub"), "false");
	answer = room_next(r, "INVITE", "dora@")->text;
	/* Who gives up a running session is asked first, and with Replaces; nothing else of the
	 * entry is copied. */
	assert_string_equal(room_field(r, answer, "Replaces"), "a;to-tag=b;from-tag=c");
	assert_null(strstr(answer, "evil"));
	assert_null(room_next(r, "INVITE", "carol@"));
	room_run(r, 20000);
	assert_non_null(room_next(r, "INVITE", "carol@"));
	assert_non_null(room_next(r, "BYE", "p@"));
	assert_string_equal(room_progress(r), "none");
	room_free(r);
}

static void test_R_5__a_list_whose_sender_wants_to_know_gets_one_end(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *answer;

	(void)state;
	answer = room_inside(r, ok, "REFER", 8,
			     "Require: multiple-refer\nRefer-To: <cid:list@example.com>\n"
			     "Content-Type: multipart/mixed;boundary=x\n",
			     "--x\nContent-Type: application/resource-lists+xml\nContent-ID: "
			     "<list@example.com>\n\n" ROOM_LIST_HEAD
			     "<entry uri=\"sip:carol@example.com\"/>"
			     "<entry uri=\"sip:dora@example.com\"/>" ROOM_LIST_TAIL "\n--x--\n");
	assert_int_equal(room_parsed(answer).status, 200);
	room_reply(r, room_next(r, "INVITE", "carol@"), 200);
	assert_string_equal(room_progress(r), "100 active");
	assert_string_equal(room_progress(r), "none");
	room_reply(r, room_next(r, "INVITE", "dora@"), 486);
	assert_string_equal(room_progress(r), "486 terminated");
	room_free(r);
}

static void test_CF_9_3_2__what_cannot_be_done_is_refused(void **state)
{
	static const struct {
		const char *lines;
		int status;
	} bad[] = {
		{"", 400},
		{"Refer-To: <sip:a@example.com>, <sip:b@example.com>\n", 400},
		{"Refer-To: <sip:a@example.com>\nRefer-To: <sip:b@example.com>\n", 400},
		{"Refer-To: <sip:>\n", 400},
		{"Refer-To: <tel:+4912345>\n", 416},
		{"Refer-To: <http://example.com/>\n", 416},
		{"Refer-To: <sip:a@example.com;method=MESSAGE>\n", 403},
		{"Refer-To: <sip:a@example.com>;method=SUBSCRIBE\n", 403},
		{"Refer-To: <sip:a@example.com;method=INVITE>;method=BYE\n", 400},
		{"Refer-To: <cid:list@example.com>\n", 400},
		{"Refer-To: <sip:a@example.com>\nRequire: teleport\n", 420},
		{"Refer-To: <sip:nobody@example.com;method=BYE>\n", 404},
		{"Refer-To: <sip:conference-factory@example.com>\n", 403},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct room *r = room_start(room_new());
		const char *ok = room_of_two(r);

		assert_int_equal(
			room_parsed(room_inside(r, ok, "REFER", 8, bad[i].lines, "")).status,
			bad[i].status);
		assert_null(room_next(r, "INVITE", "@"));
		assert_null(room_notify(r, "refer"));
		room_free(r);
	}
}

static void test_CF_9_3_2__who_is_in_already_is_left_alone(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r);

	(void)state;
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:bo@example.com>\n", "");
	assert_string_equal(room_progress(r), "200 terminated");
	assert_null(room_next(r, "INVITE", "bo@"));
	room_free(r);
}

static void test_CF_X_1__a_seat_is_asked_before_inviting(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r);

	(void)state;
	r->slow_seats = true;
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:carol@example.com>\n", "");
	assert_null(room_next(r, "INVITE", "carol@"));
	room_grant(r);
	room_run(r, 0);
	assert_non_null(room_next(r, "INVITE", "carol@"));
	/* No seat: the outcome is 503, and nobody is invited. */
	room_inside(r, ok, "REFER", 9, "Refer-To: <sip:dora@example.com>\n", "");
	room_refuse_seats(r);
	room_run(r, 0);
	assert_null(room_next(r, "INVITE", "dora@"));
	assert_string_equal(room_progress(r), "100 active");
	assert_string_equal(room_progress(r), "100 active");
	assert_string_equal(room_progress(r), "503 terminated");
	/* No answer of the switch at all. */
	room_inside(r, ok, "REFER", 10, "Refer-To: <sip:eve@example.com>\n", "");
	room_run(r, 6000);
	assert_string_equal(room_progress(r), "100 active");
	assert_string_equal(room_progress(r), "503 terminated");
	assert_int_equal(controlling_conference_count(r->ctl), 1);
	room_free(r);
}

static void test_CF_9_3_2__a_full_conference_takes_nobody(void **state)
{
	struct room *r = room_new();
	const char *ok;

	(void)state;
	r->cfg.max_members = 2;
	ok = room_of_two(room_start(r));
	assert_int_equal(
		room_parsed(room_inside(r, ok, "REFER", 8, "Refer-To: <sip:c@example.com>\n", ""))
			.status,
		403);
	room_free(r);
}

static void test_cap_on_members_is_403_one_below_and_at_it_200(void **state)
{
	struct room *r = room_new();
	const char *ok;

	(void)state;
	r->cfg.max_members = 4;
	ok = room_of_two(room_start(r));
	for (unsigned i = 0; i < 3; i++) {
		const char *answer =
			room_inside(r, ok, "REFER", 8 + i,
				    room_textf(r, "Refer-To: <sip:more%u@example.com>\n", i), "");

		assert_int_equal(room_parsed(answer).status, i < 2 ? 200 : 403);
		/* Who is still being invited counts. */
		assert_int_equal(room_next(r, "INVITE", room_textf(r, "more%u@", i)) != NULL,
				 i < 2);
	}
	room_free(r);
}

static void test_CF_X_3__the_creator_removes_others_do_not(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);

	(void)state;
	assert_int_equal(room_parsed(room_ask(r, "REFER", uri, "bo",
					      "Refer-To: <sip:ann@example.com;method=BYE>\n", ""))
				 .status,
			 403);
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:bo@example.com;method=BYE>\n", "");
	assert_non_null(room_next(r, "BYE", "p@"));
	assert_int_equal(r->n_closed, 1);
	assert_string_equal(room_progress(r), "100 active");
	assert_string_equal(room_progress(r), "200 terminated");
	room_free(r);
}

static void test_CF_X_3__who_is_being_invited_is_cancelled(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r);
	struct asked *invite;

	(void)state;
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:carol@example.com>\n", "");
	invite = room_next(r, "INVITE", "carol@");
	room_reply(r, invite, 180);
	room_inside(r, ok, "REFER", 9, "Refer-To: <sip:carol@example.com;method=BYE>\n", "");
	room_run(r, 0);
	assert_string_equal(room_progress(r), "100 active");
	assert_string_equal(room_progress(r), "180 active");
	/* The one who wanted him in learns that he does not come, the one who wanted him out that
	 * it is done. */
	assert_string_equal(room_progress(r), "100 active");
	assert_string_equal(room_progress(r), "487 terminated");
	assert_string_equal(room_progress(r), "200 terminated");
	room_free(r);
}

static void test_CF_X_3__himself_always(void **state)
{
	struct room *r = room_new();
	const char *uri;

	(void)state;
	r->cfg.remove = CONFERENCE_REMOVE_NOBODY;
	uri = room_uri(r, room_of_two(room_start(r)));
	assert_int_equal(room_parsed(room_ask(r, "REFER", uri, "ann",
					      "Refer-To: <sip:bo@example.com;method=BYE>\n", ""))
				 .status,
			 403);
	assert_int_equal(room_parsed(room_ask(r, "REFER", uri, "bo",
					      "Refer-To: <sip:bo@example.com;method=BYE>\n", ""))
				 .status,
			 200);
	assert_non_null(room_next(r, "BYE", "p@"));
	room_free(r);
}

/* The asker leaves while his REFER is under way, and the conference ends under another one's. */
static void test_CF_9_3_4__the_end_of_a_dialog_is_the_end_of_its_subscriptions(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);

	(void)state;
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:carol@example.com>\n", "");
	room_ask(r, "REFER", uri, "bo", "Refer-To: <sip:dora@example.com>\n", "");
	assert_string_equal(room_progress(r), "100 active");
	assert_string_equal(room_progress(r), "100 active");
	room_inside(r, ok, "BYE", 9, "", "");
	room_reply(r, room_next(r, "INVITE", "carol@"), 200);
	assert_string_equal(room_progress(r), "none");
	room_reply(r, room_next(r, "INVITE", "dora@"), 200);
	assert_string_equal(room_progress(r), "200 terminated");
	room_free(r);
}

/* RFC 6665 §4.2.2: 481 to a NOTIFY is the end. */
static void test_CF_9_3_4__a_refused_notify_ends_the_subscription(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r);

	(void)state;
	r->notify_status = 481;
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:carol@example.com>\n", "");
	assert_string_equal(room_progress(r), "100 active");
	room_reply(r, room_next(r, "INVITE", "carol@"), 200);
	assert_string_equal(room_progress(r), "none");
	room_free(r);
}

/* RFC 3515 §2.4.4. */
static void test_CF_9_3_4__unsubscribing_inside_the_dialog(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *answer;

	(void)state;
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:carol@example.com>\n", "");
	answer = room_inside(r, ok, "SUBSCRIBE", 9, "Event: refer;id=99\nExpires: 0\n", "");
	assert_int_equal(room_parsed(answer).status, 481);
	answer = room_inside(r, ok, "SUBSCRIBE", 10, "Event: refer;id=8\nExpires: 0\n", "");
	assert_int_equal(room_parsed(answer).status, 200);
	assert_string_equal(room_progress(r), "100 active");
	assert_string_equal(room_progress(r), "100 terminated");
	room_reply(r, room_next(r, "INVITE", "carol@"), 200);
	assert_string_equal(room_progress(r), "none");
	room_free(r);
}

/* An INVITE that nobody answers: the subscription is not for ever. */
static void test_CF_9_3_4__a_subscription_runs_out(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r);

	(void)state;
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:carol@example.com>\n", "");
	room_reply(r, room_next(r, "INVITE", "carol@"), 180);
	assert_string_equal(room_progress(r), "100 active");
	assert_string_equal(room_progress(r), "180 active");
	room_run(r, 301000);
	assert_string_equal(room_progress(r), "408 terminated");
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_CF_9_3_2__one_by_refer_inside_the_dialog_is_invited_and_followed),
		cmocka_unit_test(test_CF_9_3_4__a_refusal_is_the_final_notify),
		cmocka_unit_test(
			test_CF_9_3_2__outside_the_dialog_to_the_factory_with_the_method_outside_the_brackets),
		cmocka_unit_test(test_CF_9_3_2__outside_the_dialog_to_the_conference),
		cmocka_unit_test(test_CF_9_3_2__a_notify_that_cannot_be_sent),
		cmocka_unit_test(test_CF_9_3_2__only_participants_may_refer),
		cmocka_unit_test(test_R_4__no_subscription_where_none_is_wanted),
		cmocka_unit_test(test_R_5__several_by_a_list),
		cmocka_unit_test(test_R_5__a_list_whose_sender_wants_to_know_gets_one_end),
		cmocka_unit_test(test_CF_9_3_2__what_cannot_be_done_is_refused),
		cmocka_unit_test(test_CF_9_3_2__who_is_in_already_is_left_alone),
		cmocka_unit_test(test_CF_X_1__a_seat_is_asked_before_inviting),
		cmocka_unit_test(test_CF_9_3_2__a_full_conference_takes_nobody),
		cmocka_unit_test(test_cap_on_members_is_403_one_below_and_at_it_200),
		cmocka_unit_test(test_CF_X_3__the_creator_removes_others_do_not),
		cmocka_unit_test(test_CF_X_3__who_is_being_invited_is_cancelled),
		cmocka_unit_test(test_CF_X_3__himself_always),
		cmocka_unit_test(
			test_CF_9_3_4__the_end_of_a_dialog_is_the_end_of_its_subscriptions),
		cmocka_unit_test(test_CF_9_3_4__a_refused_notify_ends_the_subscription),
		cmocka_unit_test(test_CF_9_3_4__unsubscribing_inside_the_dialog),
		cmocka_unit_test(test_CF_9_3_4__a_subscription_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
