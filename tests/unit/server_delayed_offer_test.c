/* INVITEs without an offer (RFC 3261 §13.2.1): ours is in the 2xx, the answer in the ACK. To the
 * factory, as phones without MSRP send them, to the conference URI, and inside a session. */
#include "controlling_world.h"

#define FACTORY "sip:conference-factory@example.com"
/* A list and nothing else, with a namespace prefix. */
#define LIST_LINES                                                                                 \
	ROOM_IM "Require: recipient-list-invite\nContent-Type: application/resource-lists+xml\n"   \
		"Content-Disposition: recipient-list\nSubject: lunch\n"
#define LIST                                                                                       \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<p1:resource-lists "                          \
	"xmlns:p1=\"urn:ietf:params:xml:ns:resource-lists\"><p1:list>"                             \
	"<p1:entry uri=\"sip:bo@example.com\"/></p1:list></p1:resource-lists>\n"
#define SDP_LINE "Content-Type: application/sdp\n"
#define ANSWER                                                                                     \
	"v=0\no=- 1 1 IN IP4 192.0.2.50\ns=-\nc=IN IP4 192.0.2.50\nt=0 0\nm=message 3000 "         \
	"TCP/MSRP *\na=accept-types:message/cpim\n"                                                \
	"a=path:msrp://192.0.2.50:3000/mine;tcp\na=setup:active\n"
#define REFUSING                                                                                   \
	"v=0\no=- 1 1 IN IP4 192.0.2.50\ns=-\nc=IN IP4 192.0.2.50\nt=0 0\nm=message 0 TCP/MSRP "   \
	"*\n"

static int status_of(const char *answer)
{
	return room_parsed(answer).status;
}

static const char *create(struct room *r)
{
	const char *ok = room_ask(r, "INVITE", FACTORY, "ann", LIST_LINES, LIST);

	assert_int_equal(status_of(ok), 200);
	return ok;
}

static void acknowledge(struct room *r, const char *ok, const char *lines, const char *body)
{
	(void)room_inside(r, ok, "ACK", 7, lines, body);
}

static const char *join(struct room *r, const char *uri, const char *user)
{
	return room_ask(r, "INVITE", uri, user, ROOM_IM, "");
}

static void test_CF_9_3_1__the_offer_is_in_the_200_and_the_answer_in_the_ack(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = create(r);

	(void)state;
	assert_string_equal(room_field(r, ok, "Content-Type"), "application/sdp");
	assert_non_null(strstr(room_field(r, ok, "Contact"), ";isfocus"));
	assert_non_null(strstr(ok, "m=message 2855 TCP/MSRP *\r\n"));
	assert_non_null(strstr(ok, "a=path:msrp://192.0.2.1:2855/s"));
	assert_non_null(strstr(ok, "a=setup:actpass\r\n")); /* RFC 6135 §4.2 */
	assert_non_null(strstr(ok, "a=accept-types:message/cpim"));
	assert_int_equal(r->n_answers, 0);
	/* Whom the list names is invited when its sender is answered (CF-9.3-5), as ever. */
	room_reply(r, room_next(r, "INVITE", "bo@"), 200);
	assert_int_equal(r->n_answers, 1);
	acknowledge(r, ok, SDP_LINE, ANSWER);
	assert_int_equal(r->n_answers, 2);
	assert_string_equal(r->remote_path, "msrp://192.0.2.50:3000/mine;tcp");
	assert_false(r->connect);
	assert_null(room_next(r, "BYE", ""));
	/* She is a participant: she may add somebody. */
	assert_int_equal(status_of(room_inside(r, ok, "REFER", 8,
					       "Refer-To: <sip:carol@example.com>\n", "")),
			 200);
	room_free(r);
}

static void test_CF_9_3_1__an_ack_without_a_usable_answer_ends_that_leg_alone(void **state)
{
	static const char *const ack[][2] = {{"", ""},
					     {SDP_LINE, "v=garbage\n"},
					     {SDP_LINE, REFUSING},
					     {"Content-Type: text/plain\n", "hello"}};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct room *r = room_start(room_new());
		const char *ok = create(r);
		struct asked *bye;

		room_reply(r, room_next(r, "INVITE", "bo@"), 200);
		acknowledge(r, ok, ack[i][0], ack[i][1]);
		bye = room_next(r, "BYE", "ann@");
		assert_non_null(bye);
		assert_non_null(strstr(room_field(r, bye->text, "Reason"), "cause=488"));
		assert_null(room_next(r, "BYE", ""));
		assert_int_equal(r->n_closed, 1);
		assert_int_equal(r->n_ended, 0);
		assert_int_equal(controlling_conference_count(r->ctl), 1);
		room_free(r);
	}
}

static void test_CF_9_3_1__an_ack_that_never_comes_ends_that_leg_alone(void **state)
{
	struct room *r = room_start(room_new());

	(void)state;
	(void)create(r);
	room_reply(r, room_next(r, "INVITE", "bo@"), 200);
	room_run(r, 31000);
	assert_int_equal(r->n_closed, 0);
	room_run(r, 2000);
	assert_non_null(room_next(r, "BYE", "ann@"));
	assert_null(room_next(r, "BYE", ""));
	assert_int_equal(r->n_closed, 1);
	assert_int_equal(r->n_ended, 0);
	room_free(r);
}

static void test_CF_X_4__who_has_not_answered_yet_is_pending(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = create(r), *uri = room_uri(r, ok);
	struct asked *notify;

	(void)state;
	/* Before the ACK, as phones do. */
	assert_int_equal(status_of(room_ask(r, "SUBSCRIBE", uri, "ann", "Event: conference\n", "")),
			 200);
	notify = room_notify(r, "conference");
	assert_non_null(strstr(notify->text, "<status>pending</status>"));
	acknowledge(r, ok, SDP_LINE, ANSWER);
	notify = room_notify(r, "conference");
	assert_non_null(strstr(notify->text, "<status>connected</status>"));
	assert_non_null(strstr(notify->text, "sip:ann@example.com"));
	room_free(r);
}

static void test_CF_X_5__joining_without_an_offer(void **state)
{
	struct room *r = room_start(room_new());
	const char *uri = room_uri(r, room_of_two(r)), *ok;

	(void)state;
	r->n_answers = 0;
	ok = join(r, uri, "bo");
	assert_int_equal(status_of(ok), 200);
	assert_non_null(strstr(ok, "a=setup:actpass\r\n"));
	/* He sits where he sat until he has answered. */
	assert_int_equal(r->n_closed, 0);
	acknowledge(r, ok, SDP_LINE, ANSWER);
	assert_int_equal(r->n_answers, 1);
	assert_int_equal(r->n_closed, 1);
	assert_non_null(room_next(r, "BYE", "p@"));
	assert_int_equal(status_of(room_inside(r, ok, "REFER", 8,
					       "Refer-To: <sip:carol@example.com>\n", "")),
			 200);
	room_free(r);
}

static void test_CF_X_5__a_bad_answer_leaves_him_where_he_was(void **state)
{
	struct room *r = room_start(room_new());
	const char *uri = room_uri(r, room_of_two(r)), *ok;

	(void)state;
	/* More often than there is room for records. */
	for (int i = 0; i < 60; i++) {
		ok = join(r, uri, "bo");
		assert_int_equal(status_of(ok), 200);
		acknowledge(r, ok, "", "");
		assert_non_null(room_next(r, "BYE", "bo@"));
		assert_int_equal(r->n_closed, 1);
		r->n_closed = 0;
	}
	assert_null(room_next(r, "BYE", "p@"));
	assert_int_equal(r->n_ended, 0);
	room_free(r);
}

static void test_CF_X_3__who_is_removed_does_not_come_back_by_an_ack(void **state)
{
	struct room *r = room_start(room_new());
	const char *ann = room_of_two(r), *uri = room_uri(r, ann), *ok = join(r, uri, "bo");

	(void)state;
	assert_int_equal(status_of(ok), 200);
	assert_int_equal(status_of(room_inside(r, ann, "REFER", 8,
					       "Refer-To: <sip:bo@example.com;method=BYE>\n", "")),
			 200);
	r->n_answers = 0;
	acknowledge(r, ok, SDP_LINE, ANSWER);
	assert_int_equal(r->n_answers, 0);
	assert_non_null(room_next(r, "BYE", "bo@"));
	assert_int_equal(r->n_closed, 2);
	room_free(r);
}

static void test_CF_X_5__an_offer_may_follow_later_in_a_re_invite(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *again, *first = strstr(ok, "\r\n\r\n");

	(void)state;
	r->n_answers = 0;
	/* As the phones of liblinphone rename a group: no body, the option tag once more. */
	again = room_inside(r, ok, "INVITE", 8, "Require: recipient-list-invite\nSubject: tea\n",
			    "");
	assert_int_equal(status_of(again), 200);
	/* RFC 3264 §8: nothing has changed, so that it is the same to the letter. */
	assert_string_equal(strstr(again, "\r\n\r\n"), first);
	(void)room_inside(r, ok, "ACK", 8, SDP_LINE, ANSWER);
	assert_int_equal(r->n_answers, 1);
	assert_string_equal(r->remote_path, "msrp://192.0.2.50:3000/mine;tcp");
	/* Nothing in the ACK: what stood before stands. */
	again = room_inside(r, ok, "INVITE", 9, "", "");
	assert_int_equal(status_of(again), 200);
	(void)room_inside(r, ok, "ACK", 9, "", "");
	assert_int_equal(r->n_answers, 1);
	assert_null(room_next(r, "BYE", ""));
	assert_int_equal(r->n_closed, 0);
	/* The stream given up in the ACK is the session given up. */
	again = room_inside(r, ok, "INVITE", 10, "", "");
	assert_int_equal(status_of(again), 200);
	(void)room_inside(r, ok, "ACK", 10, SDP_LINE, REFUSING);
	assert_non_null(room_next(r, "BYE", "x@")); /* the Contact of the last re-INVITE */
	assert_int_equal(r->n_closed, 1);
	assert_int_equal(r->n_ended, 0);
	room_free(r);
}

static void test_CF_9_3_1__a_changed_description_has_the_next_version(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *again;

	(void)state;
	assert_non_null(strstr(ok, " 1 IN IP4 192.0.2.1\r\n"));
	again = room_inside(r, ok, "INVITE", 8, SDP_LINE, ROOM_SDP);
	assert_non_null(strstr(again, " 1 IN IP4 192.0.2.1\r\n"));
	(void)room_inside(r, ok, "ACK", 8, "", "");
	again = room_inside(r, ok, "INVITE", 9, SDP_LINE, ROOM_SDP "a=sendonly\n");
	assert_non_null(strstr(again, " 2 IN IP4 192.0.2.1\r\n"));
	assert_non_null(strstr(again, "a=recvonly"));
	room_free(r);
}

static void test_R_5__a_re_invite_with_another_body_is_refused_and_changes_nothing(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r);

	(void)state;
	assert_int_equal(
		status_of(room_inside(r, ok, "INVITE", 8, "Content-Type: text/plain\n", "hello")),
		415);
	(void)room_inside(r, ok, "ACK", 8, "", "");
	assert_int_equal(status_of(room_inside(r, ok, "INVITE", 9,
					       "Content-Type: application/resource-lists+xml\n"
					       "Content-Disposition: recipient-list\n",
					       LIST)),
			 420);
	assert_null(room_next(r, "BYE", ""));
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_CF_9_3_1__the_offer_is_in_the_200_and_the_answer_in_the_ack),
		cmocka_unit_test(test_CF_9_3_1__an_ack_without_a_usable_answer_ends_that_leg_alone),
		cmocka_unit_test(test_CF_9_3_1__an_ack_that_never_comes_ends_that_leg_alone),
		cmocka_unit_test(test_CF_X_4__who_has_not_answered_yet_is_pending),
		cmocka_unit_test(test_CF_X_5__joining_without_an_offer),
		cmocka_unit_test(test_CF_X_5__a_bad_answer_leaves_him_where_he_was),
		cmocka_unit_test(test_CF_X_3__who_is_removed_does_not_come_back_by_an_ack),
		cmocka_unit_test(test_CF_X_5__an_offer_may_follow_later_in_a_re_invite),
		cmocka_unit_test(test_CF_9_3_1__a_changed_description_has_the_next_version),
		cmocka_unit_test(
			test_R_5__a_re_invite_with_another_body_is_refused_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
