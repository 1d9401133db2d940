/* Joining by the conference URI (CF-X-5), the end (CF-X-2), what is said of a conference in its
 * invitations (R-5, RCS). */
#include "controlling_world.h"

#define JOIN_LINES ROOM_IM "Content-Type: application/sdp\n"

static const char *join(struct room *r, const char *uri, const char *user)
{
	return room_ask(r, "INVITE", uri, user, JOIN_LINES, ROOM_SDP);
}

static int status_of(const char *answer)
{
	return room_parsed(answer).status;
}

static void test_CF_X_5__who_was_in_comes_back(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok), *answer;

	(void)state;
	/* The creator leaves; the conference stays with Bo. */
	room_inside(r, ok, "BYE", 8, "", "");
	answer = join(r, uri, "ann");
	assert_int_equal(status_of(answer), 200);
	assert_string_equal(room_uri(r, answer), uri);
	assert_non_null(strstr(room_field(r, answer, "Contact"), ";isfocus"));
	assert_non_null(strstr(answer, "a=path:msrp://192.0.2.1:2855/"));
	room_acknowledge(r, answer);
	/* He may do again what participants may, and what the creator may. */
	assert_int_equal(status_of(room_inside(r, answer, "REFER", 8,
					       "Refer-To: <sip:c@example.com>\n", "")),
			 200);
	assert_int_equal(status_of(room_inside(r, answer, "REFER", 9,
					       "Refer-To: <sip:bo@example.com;method=BYE>\n", "")),
			 200);
	room_free(r);
}

static void test_CF_X_5__who_was_never_asked_is_403_unknown_404_ended_410(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);

	(void)state;
	assert_int_equal(status_of(join(r, uri, "dora")), 403);
	assert_int_equal(status_of(join(r, uri, "stranger")), 403);
	assert_int_equal(status_of(join(r, "sip:conf-unknown@192.0.2.1:5060", "ann")), 404);
	room_inside(r, ok, "BYE", 8, "", "");
	room_inside(r, join(r, uri, "bo"), "BYE", 8, "", "");
	assert_int_equal(r->n_ended, 1);
	assert_int_equal(status_of(join(r, uri, "ann")), 410);
	room_run(r, 40000);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	assert_int_equal(status_of(join(r, uri, "ann")), 410);
	room_free(r);
}

static void test_CF_X_5__policies(void **state)
{
	static const enum conference_dial_in_policy policy[] = {
		CONFERENCE_DIAL_IN_MEMBERS, CONFERENCE_DIAL_IN_ANYONE, CONFERENCE_DIAL_IN_NOBODY};
	static const int bo[] = {200, 200, 403}, dora[] = {403, 200, 403};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct room *r = room_new();
		const char *uri;

		r->cfg.dial_in = policy[i];
		uri = room_uri(r, room_of_two(room_start(r)));
		assert_int_equal(status_of(join(r, uri, "bo")), bo[i]);
		assert_int_equal(status_of(join(r, uri, "dora")), dora[i]);
		room_free(r);
	}
}

static void test_CF_X_5__cap_on_members_holds_for_who_joins(void **state)
{
	static const char *const user[] = {"carol", "dora", "eve"};
	struct room *r = room_new();
	const char *uri;

	(void)state;
	r->cfg.dial_in = CONFERENCE_DIAL_IN_ANYONE;
	r->cfg.max_members = 4;
	uri = room_uri(r, room_of_two(room_start(r)));
	/* One below, at, one above. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(status_of(join(r, uri, user[i])), i < 2 ? 200 : 403);
	/* A second seat of one who is in takes the place of his first. */
	assert_int_equal(status_of(join(r, uri, "bo")), 200);
	room_free(r);
}

static void test_CF_X_5__a_second_seat_replaces_the_first(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok), *again;

	(void)state;
	again = join(r, uri, "ann");
	assert_int_equal(status_of(again), 200);
	assert_non_null(room_next(r, "BYE", "ann@"));
	assert_int_equal(r->n_closed, 1);
	/* She is still the creator: she may remove. */
	assert_int_equal(status_of(room_inside(r, again, "REFER", 8,
					       "Refer-To: <sip:bo@example.com;method=BYE>\n", "")),
			 200);
	assert_int_equal(r->n_ended, 0);
	room_free(r);
}

static void test_CF_X_5__again_and_again_takes_no_memory(void **state)
{
	struct room *r = room_start(room_new());
	const char *uri = room_uri(r, room_of_two(r)), *answer;

	(void)state;
	for (int i = 0; i < 60; i++) {
		answer = join(r, uri, "bo");
		assert_int_equal(status_of(answer), 200);
		room_acknowledge(r, answer);
		r->n_closed = 0;
	}
	room_free(r);
}

static void test_CF_X_5__who_was_removed_is_not_let_in(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);

	(void)state;
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:bo@example.com;method=BYE>\n", "");
	assert_int_equal(status_of(join(r, uri, "bo")), 403);
	room_inside(r, ok, "REFER", 9, "Refer-To: <sip:bo@example.com>\n", "");
	room_reply(r, room_next(r, "INVITE", "bo@"), 200);
	assert_int_equal(status_of(join(r, uri, "bo")), 200);
	room_free(r);
}

static void test_CF_X_5__what_cannot_be_joined_with(void **state)
{
	struct room *r = room_start(room_new());
	const char *uri = room_uri(r, room_of_two(r));

	(void)state;
	assert_int_equal(status_of(room_ask(r, "INVITE", uri, "bo",
					    ROOM_IM "Content-Type: text/plain\n", "hello")),
			 415);
	assert_int_equal(status_of(room_ask(r, "INVITE", uri, "bo",
					    "Content-Type: application/sdp\n", ROOM_SDP)),
			 403);
	assert_int_equal(status_of(room_ask(r, "INVITE", uri, "bo",
					    JOIN_LINES "Require: teleport\n", ROOM_SDP)),
			 420);
	assert_int_equal(status_of(room_ask(r, "INVITE", uri, "bo", JOIN_LINES, "v=garbage\n")),
			 400);
	r->no_seats = true;
	assert_int_equal(status_of(join(r, uri, "bo")), 503);
	r->no_seats = false;
	/* The tag repeated without a list is let pass (R-5). */
	assert_int_equal(
		status_of(room_ask(r, "INVITE", uri, "bo",
				   JOIN_LINES "Require: recipient-list-invite\n", ROOM_SDP)),
		200);
	room_free(r);
}

static void test_CF_X_5__no_seat_is_503_and_nothing_is_lost(void **state)
{
	struct room *r = room_start(room_new());
	const char *uri = room_uri(r, room_of_two(r));

	(void)state;
	r->slow_seats = true;
	assert_null(join(r, uri, "bo"));
	room_refuse_seats(r);
	assert_int_equal(status_of(r->sent[r->n_sent - 1]), 503);
	/* He sits where he sat. */
	assert_null(room_next(r, "BYE", "p@"));
	assert_int_equal(controlling_conference_count(r->ctl), 1);
	room_free(r);
}

static void test_CF_X_2__policies(void **state)
{
	static const enum conference_end_policy policy[] = {
		CONFERENCE_END_LAST, CONFERENCE_END_BELOW_TWO, CONFERENCE_END_CREATOR};
	/* Of ann, bo and carol leave: bo, then ann. */
	static const size_t after_bo[] = {0, 0, 0}, after_ann[] = {0, 1, 1};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct room *r = room_new();
		const char *ok;

		r->cfg.end_policy = policy[i];
		ok = room_of_two(room_start(r));
		room_inside(r, ok, "REFER", 8,
			    "Refer-To: <sip:carol@example.com>\nRefer-Sub: false\n", "");
		room_reply(r, room_next(r, "INVITE", "carol@"), 200);
		room_inside(r, ok, "REFER", 9,
			    "Refer-To: <sip:bo@example.com;method=BYE>\nRefer-Sub: false\n", "");
		assert_int_equal(r->n_ended, after_bo[i]);
		room_inside(r, ok, "BYE", 10, "", "");
		assert_int_equal(r->n_ended, after_ann[i]);
		room_free(r);
	}
}

static void test_CF_X_2__who_is_being_invited_keeps_it_alive(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");
	struct asked *invite;

	(void)state;
	room_acknowledge(r, ok);
	invite = room_next(r, "INVITE", "bo@");
	room_inside(r, ok, "BYE", 8, "", "");
	assert_int_equal(r->n_ended, 0);
	room_reply(r, invite, 486);
	assert_int_equal(r->n_ended, 1);
	room_free(r);
}

static void test_R_5__invitees_see_the_list_where_it_says_so(void **state)
{
	struct room *r = room_start(room_new());
	const char *text;

	(void)state;
	room_create(
		r, "",
		"<entry uri=\"sip:bo@example.com\" cp:copyControl=\"to\"/>"
		"<entry uri=\"sip:carol@example.com\" cp:copyControl=\"cc\" cp:anonymize=\"true\"/>"
		"<entry uri=\"sip:dora@example.com\" cp:copyControl=\"bcc\"/>");
	text = room_next(r, "INVITE", "bo@")->text;
	assert_int_equal(strncmp(room_field(r, text, "Content-Type"), "multipart/mixed", 15), 0);
	assert_non_null(
		strstr(text, "Content-Disposition: recipient-list-history;handling=optional"));
	assert_non_null(strstr(text, "sip:bo@example.com\""));
	assert_non_null(strstr(text, "sip:anonymous@anonymous.invalid"));
	assert_null(strstr(text, "carol"));
	assert_null(strstr(text, "dora"));
	room_free(r);
	r = room_start(room_new());
	room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");
	text = room_next(r, "INVITE", "bo@")->text;
	assert_string_equal(room_field(r, text, "Content-Type"), "application/sdp");
	room_free(r);
}

static void test_R_5__a_list_has_no_place_in_a_re_invite_the_mere_tag_is_let_pass(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *answer;

	(void)state;
	answer = room_inside(
		r, ok, "INVITE", 8,
		"Require: recipient-list-invite\nContent-Type: multipart/mixed;boundary=b\n",
		"--b\nContent-Type: application/sdp\n\n" ROOM_SDP
		"\n--b\nContent-Type: application/resource-lists+xml\n\n" ROOM_LIST_HEAD
		"<entry uri=\"sip:carol@example.com\"/>" ROOM_LIST_TAIL "\n--b--\n");
	assert_int_equal(status_of(answer), 420);
	assert_string_equal(room_field(r, answer, "Unsupported"), "recipient-list-invite");
	answer = room_inside(r, ok, "INVITE", 9,
			     "Require: recipient-list-invite\nContent-Type: application/sdp\n",
			     ROOM_SDP);
	assert_int_equal(status_of(answer), 200);
	room_free(r);
}

static void test_R_5__the_option_tags_are_in_options(void **state)
{
	struct room *r = room_start(room_new());
	const char *uri = room_uri(r, room_of_two(r));
	const char *where[] = {uri, "sip:conference-factory@example.com"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *answer = room_ask(r, "OPTIONS", where[i], "bo", "", "");

		assert_int_equal(status_of(answer), 200);
		assert_non_null(
			strstr(room_field(r, answer, "Supported"), "recipient-list-invite"));
		assert_non_null(strstr(room_field(r, answer, "Supported"), "multiple-refer"));
		assert_non_null(strstr(room_field(r, answer, "Supported"), "norefersub"));
		assert_non_null(strstr(room_field(r, answer, "Allow"), "REFER"));
	}
	room_free(r);
}

static void test_CF_9_3_1__a_conference_is_no_invitee(void **state)
{
	struct room *r = room_start(room_new());

	(void)state;
	assert_int_equal(status_of(room_create(
				 r, "", "<entry uri=\"sip:conference-factory@example.com\"/>")),
			 403);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	room_free(r);
}

static void test_PEERS__subject_contribution_and_session_replaces_reach_the_invitee(void **state)
{
	struct room *r = room_start(room_new());
	const char *text, *ok;

	(void)state;
	ok = room_create(
		r, "Subject: lunch\nContribution-ID: abc-1\n",
		"<entry uri=\"sip:bo@example.com;method=INVITE?Session-Replaces=old-1\"/>");
	text = room_next(r, "INVITE", "bo@")->text;
	assert_string_equal(room_field(r, text, "Subject"), "lunch");
	assert_string_equal(room_field(r, text, "Contribution-ID"), "abc-1");
	assert_string_equal(room_field(r, text, "Session-Replaces"), "old-1");
	assert_string_equal(room_field(r, text, "Replaces"), "");
	room_acknowledge(r, ok);
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:carol@example.com>\n", "");
	text = room_next(r, "INVITE", "carol@")->text;
	assert_string_equal(room_field(r, text, "Subject"), "lunch");
	assert_string_equal(room_field(r, text, "Contribution-ID"), "abc-1");
	assert_string_equal(room_field(r, text, "Session-Replaces"), "");
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_CF_X_5__who_was_in_comes_back),
		cmocka_unit_test(test_CF_X_5__who_was_never_asked_is_403_unknown_404_ended_410),
		cmocka_unit_test(test_CF_X_5__policies),
		cmocka_unit_test(test_CF_X_5__cap_on_members_holds_for_who_joins),
		cmocka_unit_test(test_CF_X_5__a_second_seat_replaces_the_first),
		cmocka_unit_test(test_CF_X_5__again_and_again_takes_no_memory),
		cmocka_unit_test(test_CF_X_5__who_was_removed_is_not_let_in),
		cmocka_unit_test(test_CF_X_5__what_cannot_be_joined_with),
		cmocka_unit_test(test_CF_X_5__no_seat_is_503_and_nothing_is_lost),
		cmocka_unit_test(test_CF_X_2__policies),
		cmocka_unit_test(test_CF_X_2__who_is_being_invited_keeps_it_alive),
		cmocka_unit_test(
			test_R_5__a_list_has_no_place_in_a_re_invite_the_mere_tag_is_let_pass),
		cmocka_unit_test(test_R_5__the_option_tags_are_in_options),
		cmocka_unit_test(test_CF_9_3_1__a_conference_is_no_invitee),
		cmocka_unit_test(test_R_5__invitees_see_the_list_where_it_says_so),
		cmocka_unit_test(
			test_PEERS__subject_contribution_and_session_replaces_reach_the_invitee),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
