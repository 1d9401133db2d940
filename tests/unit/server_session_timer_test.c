/* The session timer of a conference's participants (RFC 4028), on a virtual clock: CF-X-2, and RFC
 * 4028 by its sections. */
#include "controlling_world.h"

#define FACTORY	     "sip:conference-factory@example.com"
#define INVITE_LINES ROOM_IM "Content-Type: application/sdp\n"
#define MINUTE	     60000u

static int status_of(const char *answer)
{
	return room_parsed(answer).status;
}

static const char *call_factory(struct room *r, const char *lines)
{
	return room_ask(r, "INVITE", FACTORY, "ann", room_textf(r, INVITE_LINES "%s", lines),
			ROOM_SDP);
}

/* The 200 of an invited phone, with these lines. */
static void answer_with(struct room *r, struct asked *a, const char *lines)
{
	struct sip_msg m;
	struct buf b;

	assert_non_null(a);
	m = room_parsed(a->text);
	buf_init(&b, 65536);
	sip_write_response_head(&b, &m, 200, NULL, sip_server_tx_to_tag(a->tx));
	buf_puts(&b, room_crlf(r, lines));
	sip_write_field(&b, "Contact", VIEW("<sip:p@192.0.2.50:5060>"));
	sip_write_body(&b, VIEW("application/sdp"), view_str(room_crlf(r, ROOM_SDP)));
	assert_int_equal(sip_server_tx_respond(a->tx, buf_view(&b), 200, r->now), 0);
	buf_fini(&b);
	room_run(r, 0);
}

/* Ann, whose phone knows no session timer, and Bo, who answers with these lines. */
static const char *two(struct room *r, const char *bo)
{
	const char *ok = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");

	assert_int_equal(status_of(ok), 200);
	room_acknowledge(r, ok);
	answer_with(r, room_next(r, "INVITE", "bo@"), bo);
	return ok;
}

static void test_RFC_4028_9__too_short_is_422_where_that_is_known(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok, *uri;

	(void)state;
	ok = call_factory(r, "Supported: timer\nSession-Expires: 60\n");
	assert_int_equal(status_of(ok), 422);
	assert_string_equal(room_field(r, ok, "Min-SE"), "90");
	assert_int_equal(r->n_open, 0);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	/* Who does not know 422 gets the least that is taken. */
	ok = call_factory(r, "Session-Expires: 60\n");
	assert_int_equal(status_of(ok), 200);
	assert_string_equal(room_field(r, ok, "Session-Expires"), "90;refresher=uas");
	room_acknowledge(r, ok);
	uri = room_uri(r, ok);
	ok = room_ask(r, "INVITE", uri, "ann",
		      INVITE_LINES "Supported: timer\nSession-Expires: 60\n", ROOM_SDP);
	assert_int_equal(status_of(ok), 422);
	room_free(r);
}

static void test_RFC_4028_9__the_answer_says_what_is_agreed(void **state)
{
	static const char *const c[][3] = {
		{"Supported: timer\nSession-Expires: 600\n", "600;refresher=uac", "timer"},
		{"Supported: timer\nSession-Expires: 600;refresher=uas\n", "600;refresher=uas", ""},
		{"Require: timer\nSession-Expires: 7200\n", "1800;refresher=uac", "timer"},
		{"Supported: timer\nMin-SE: 3600\n", "3600;refresher=uac", "timer"},
		{"", "1800;refresher=uas", ""}};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct room *r = room_start(room_new());
		const char *ok = call_factory(r, c[i][0]);

		assert_int_equal(status_of(ok), 200);
		assert_string_equal(room_field(r, ok, "Session-Expires"), c[i][1]);
		assert_string_equal(room_field(r, ok, "Require"), c[i][2]);
		assert_non_null(strstr(room_field(r, ok, "Supported"), "timer"));
		room_free(r);
	}
}

static void test_RFC_4028_10__who_does_not_refresh_has_left(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_create(r, "Supported: timer\nSession-Expires: 600;refresher=uac\n",
				     "<entry uri=\"sip:bo@example.com\"/>");
	const char *uri = room_uri(r, ok), *state_text;
	struct asked *bye;

	(void)state;
	room_acknowledge(r, ok);
	answer_with(r, room_next(r, "INVITE", "bo@"), "");
	(void)room_ask(r, "SUBSCRIBE", uri, "bo", "Event: conference\nExpires: 3600\n", "");
	(void)room_notify(r, "conference");
	/* A third of the interval, or 32 s, before its end. */
	room_run(r, 600000 - 32000 - 1);
	assert_null(room_next(r, "BYE", ""));
	assert_int_equal(r->n_closed, 0);
	room_run(r, 1);
	bye = room_next(r, "BYE", "ann@");
	assert_non_null(bye);
	assert_non_null(strstr(room_field(r, bye->text, "Reason"), "Session Timer Expired"));
	assert_int_equal(r->n_closed, 1);
	assert_int_equal(r->n_ended, 0);
	state_text = room_notify(r, "conference")->text;
	assert_non_null(strstr(state_text, "sip:ann@example.com"));
	assert_non_null(
		strstr(state_text, "<disconnection-method>departed</disconnection-method>"));
	room_free(r);
}

static void test_RFC_4028_10__his_re_invite_refreshes(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = call_factory(r, "Supported: timer\nSession-Expires: 600\n"), *again;

	(void)state;
	room_acknowledge(r, ok);
	for (unsigned i = 0; i < 4; i++) {
		room_run(r, 5 * MINUTE);
		again = room_inside(r, ok, "INVITE", 8 + i,
				    "Supported: timer\nSession-Expires: 600;refresher=uac\n"
				    "Content-Type: application/sdp\n",
				    ROOM_SDP);
		assert_int_equal(status_of(again), 200);
		assert_string_equal(room_field(r, again, "Session-Expires"), "600;refresher=uac");
		assert_string_equal(room_field(r, again, "Require"), "timer");
		(void)room_inside(r, ok, "ACK", 8 + i, "", "");
	}
	again = room_inside(r, ok, "INVITE", 12, "Supported: timer\nSession-Expires: 20\n", "");
	assert_int_equal(status_of(again), 422);
	assert_null(room_next(r, "BYE", ""));
	room_run(r, 10 * MINUTE);
	assert_non_null(room_next(r, "BYE", ""));
	room_free(r);
}

static void test_RFC_4028_10__we_refresh_whose_phone_knows_no_timer(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = two(r, "Session-Expires: 1800;refresher=uas\n");
	struct asked *invite;

	(void)state;
	for (int i = 0; i < 3; i++) {
		room_run(r, 15 * MINUTE);
		/* The answer to a refresh may bring another Contact. */
		invite = room_next(r, "INVITE", i ? "p@" : "ann@");
		assert_non_null(invite);
		assert_string_equal(room_field(r, invite->text, "Session-Expires"),
				    "1800;refresher=uac");
		assert_string_equal(room_field(r, invite->text, "Min-SE"), "90");
		assert_non_null(strstr(room_field(r, invite->text, "Supported"), "timer"));
		assert_non_null(strstr(room_field(r, invite->text, "Contact"), ";isfocus"));
		/* Nothing is changed by it: what she was told before (RFC 3264 §8). */
		assert_string_equal(strstr(invite->text, "\r\n\r\n"), strstr(ok, "\r\n\r\n"));
		answer_with(r, invite, "");
		if (i == 0) /* Bo's phone said that it would refresh, and has not. */
			assert_null(room_next(r, "BYE", ""));
		else if (i == 1)
			assert_non_null(room_next(r, "BYE", "p@"));
	}
	assert_null(room_next(r, "BYE", ""));
	assert_int_equal(r->n_closed, 1);
	room_free(r);
}

static void test_RFC_4028_10__who_does_not_answer_a_refresh_has_left(void **state)
{
	/* 0: nothing at all, and 408 and 481 are the dialog's end (RFC 3261 §12.2.1.2). */
	static const int status[] = {408, 481, 0};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct room *r = room_start(room_new());
		struct asked *invite;

		(void)two(r, "Session-Expires: 1800;refresher=uas\n");
		room_run(r, 15 * MINUTE);
		invite = room_next(r, "INVITE", "ann@");
		assert_non_null(invite);
		if (status[i])
			room_reply(r, invite, status[i]);
		room_run(r, status[i] ? 0 : 15 * MINUTE);
		assert_int_equal(r->n_closed, status[i] ? 1 : 2); /* Bo's has run out too */
		assert_int_equal(r->n_ended, status[i] ? 0 : 1);
		room_free(r);
	}
}

static void test_RFC_4028_10__a_refusal_is_a_sign_of_life_of_who_knows_no_timer(void **state)
{
	struct room *r = room_start(room_new());
	unsigned ann = 0, bo = 0;
	struct asked *invite;

	(void)state;
	(void)two(r, "Session-Expires: 1800;refresher=uac\n");
	for (unsigned s = 0; s < 60 * 60; s += 10) {
		room_run(r, 10000);
		if ((invite = room_next(r, "INVITE", "ann@"))) {
			room_reply(r, invite, 488);
			ann++;
		}
		/* Bo's knows it, and does not do it: asked again until the time is up. */
		if ((invite = room_next(r, "INVITE", "p@"))) {
			room_reply(r, invite, 488);
			bo++;
		}
		if (s == 29 * 60)
			assert_null(room_next(r, "BYE", ""));
	}
	assert_int_equal(ann, 4);
	assert_int_equal(bo, 87); /* every 10 s, in 15 min less 32 s */
	assert_non_null(room_next(r, "BYE", "p@"));
	assert_null(room_next(r, "BYE", ""));
	assert_int_equal(r->n_closed, 1);
	room_free(r);
}

static void test_RFC_4028_7_4__a_refresh_that_is_too_short_for_him_is_made_longer(void **state)
{
	struct room *r = room_start(room_new());
	struct asked *invite;

	(void)state;
	(void)two(r, "Session-Expires: 1800;refresher=uac\n");
	room_run(r, 15 * MINUTE);
	invite = room_next(r, "INVITE", "p@");
	assert_int_equal(
		sip_server_tx_reply(invite->tx, 422, NULL, VIEW("Min-SE: 2400\r\n"), r->now), 0);
	room_run(r, 0);
	invite = room_next(r, "INVITE", "p@");
	assert_string_equal(room_field(r, invite->text, "Session-Expires"), "2400;refresher=uac");
	assert_string_equal(room_field(r, invite->text, "Min-SE"), "2400");
	answer_with(r, invite, "Session-Expires: 2400;refresher=uac\n");
	room_run(r, 19 * MINUTE);
	assert_null(room_next(r, "INVITE", "p@"));
	room_run(r, MINUTE);
	assert_non_null(room_next(r, "INVITE", "p@"));
	room_free(r);
}

static void test_RFC_4028_7_4__a_refresh_asks_for_what_is_agreed(void **state)
{
	struct room *r = room_start(room_new());
	struct asked *invite;

	(void)state;
	(void)two(r, "Session-Expires: 600;refresher=uac\n");
	for (int i = 0; i < 2; i++) {
		room_run(r, 5 * MINUTE);
		invite = room_next(r, "INVITE", "p@");
		assert_non_null(invite);
		assert_string_equal(room_field(r, invite->text, "Session-Expires"),
				    "600;refresher=uac");
		answer_with(r, invite, "Session-Expires: 600;refresher=uac\n");
	}
	room_free(r);
}

static void test_RFC_4028_7_3__an_invitation_is_repeated_with_a_longer_interval(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");
	struct asked *invite = room_next(r, "INVITE", "bo@");

	(void)state;
	room_acknowledge(r, ok);
	assert_string_equal(room_field(r, invite->text, "Session-Expires"), "1800");
	assert_string_equal(room_field(r, invite->text, "Min-SE"), "90");
	assert_non_null(strstr(room_field(r, invite->text, "Supported"), "timer"));
	assert_int_equal(
		sip_server_tx_reply(invite->tx, 422, NULL, VIEW("Min-SE: 3600\r\n"), r->now), 0);
	room_run(r, 0);
	invite = room_next(r, "INVITE", "bo@");
	assert_non_null(invite);
	assert_string_equal(room_field(r, invite->text, "Session-Expires"), "3600");
	assert_string_equal(room_field(r, invite->text, "Min-SE"), "3600");
	answer_with(r, invite, "Require: timer\nSession-Expires: 3600;refresher=uac\n");
	room_run(r, 31 * MINUTE);
	assert_non_null(room_next(r, "INVITE", "p@"));
	room_free(r);
}

static void test_RFC_4028_7_3__who_is_never_content_is_not_asked_for_ever(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");
	struct asked *invite;
	unsigned n = 0;

	(void)state;
	room_acknowledge(r, ok);
	while ((invite = room_next(r, "INVITE", "bo@"))) {
		(void)sip_server_tx_reply(
			invite->tx, 422, NULL,
			view_str(room_textf(r, "Min-SE: %u\r\n", 3600 + 600 * n++)), r->now);
		room_run(r, 0);
	}
	assert_int_equal(n, 4);
	assert_int_equal(r->n_closed, 1);
	room_free(r);
}

static void test_RFC_4028_10__nothing_runs_on_after_the_end(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = two(r, "Session-Expires: 1800;refresher=uac\n"), *uri = room_uri(r, ok);
	const char *again = room_ask(r, "INVITE", uri, "ann", INVITE_LINES, ROOM_SDP);

	(void)state;
	/* Her first seat is given up for the second, and Bo removed. */
	room_acknowledge(r, again);
	(void)room_inside(r, again, "REFER", 8, "Refer-To: <sip:bo@example.com;method=BYE>\n", "");
	(void)room_inside(r, again, "BYE", 9, "", "");
	while (room_next(r, "BYE", ""))
		;
	room_run(r, 60 * MINUTE);
	assert_null(room_next(r, "BYE", ""));
	assert_null(room_next(r, "INVITE", "ann@"));
	assert_null(room_next(r, "INVITE", "p@"));
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC_4028_9__too_short_is_422_where_that_is_known),
		cmocka_unit_test(test_RFC_4028_9__the_answer_says_what_is_agreed),
		cmocka_unit_test(test_RFC_4028_10__who_does_not_refresh_has_left),
		cmocka_unit_test(test_RFC_4028_10__his_re_invite_refreshes),
		cmocka_unit_test(test_RFC_4028_10__we_refresh_whose_phone_knows_no_timer),
		cmocka_unit_test(test_RFC_4028_10__who_does_not_answer_a_refresh_has_left),
		cmocka_unit_test(
			test_RFC_4028_10__a_refusal_is_a_sign_of_life_of_who_knows_no_timer),
		cmocka_unit_test(
			test_RFC_4028_7_4__a_refresh_that_is_too_short_for_him_is_made_longer),
		cmocka_unit_test(test_RFC_4028_7_4__a_refresh_asks_for_what_is_agreed),
		cmocka_unit_test(
			test_RFC_4028_7_3__an_invitation_is_repeated_with_a_longer_interval),
		cmocka_unit_test(test_RFC_4028_7_3__who_is_never_content_is_not_asked_for_ever),
		cmocka_unit_test(test_RFC_4028_10__nothing_runs_on_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
