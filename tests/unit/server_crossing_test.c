/* What crosses on the wire, at the focus (FL-8): CANCEL in each state, BYE against BYE, glare, a
 * lost ACK, a lost 200, and a conference that ends while somebody is joining. Whatever it is: one
 * end for each, no seat left, and nobody else is harmed. */
#include "controlling_world.h"

#define JOIN_LINES ROOM_IM "Content-Type: application/sdp\n"
#define LEAVES	   "Refer-To: <sip:bo@example.com;method=BYE>\n"

static int status_of(const char *answer)
{
	return room_parsed(answer).status;
}

static size_t count_sent(const struct room *r, const char *begins)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_sent; i++)
		n += strncmp(r->sent[i], begins, strlen(begins)) == 0;
	return n;
}

/* Joins where the switch takes its time: the INVITE waits. */
static void begin_to_join(struct room *r, const char *uri, const char *user)
{
	r->slow_seats = true;
	assert_null(room_ask(r, "INVITE", uri, user, JOIN_LINES, ROOM_SDP));
}

/* The CANCEL of the last INVITE of room_ask. */
static void cancel(struct room *r, const char *uri, const char *user)
{
	room_send(r,
		  room_crlf(r, room_textf(r,
					  "CANCEL %s SIP/2.0\n"
					  "Via: SIP/2.0/UDP 192.0.2.50:5060;branch=z9hG4bK%u\n"
					  "Max-Forwards: 70\n"
					  "From: <sip:%s@example.com>;tag=f%u\nTo: <%s>\n"
					  "Call-ID: call-%u\nCSeq: 7 CANCEL\nContent-Length: 0\n\n",
					  uri, r->serial, user, r->serial, uri, r->serial)));
}

/* The 200 of a phone to which the focus has sent an INVITE, also when that was cancelled. */
static void answer_late(struct room *r, struct asked *a)
{
	struct sip_msg m = room_parsed(a->text);
	struct buf b;

	buf_init(&b, 65536);
	sip_write_response_head(&b, &m, 200, NULL, sip_server_tx_to_tag(a->tx));
	sip_write_field(&b, "Contact", VIEW("<sip:late@192.0.2.50:5060>"));
	sip_write_body(&b, VIEW("application/sdp"), view_str(room_crlf(r, ROOM_SDP)));
	assert_true(buf_ok(&b));
	assert_int_equal(sip_server_tx_respond(a->tx, buf_view(&b), 200, r->now), 0);
	buf_fini(&b);
	room_run(r, 0);
}

/* Its CANCEL comes to a phone that has just picked up. */
static void ignore_cancel(struct room *r, struct asked *a)
{
	static const struct sip_server_handler deaf = {.on_gone = room_gone};

	sip_server_tx_attach(a->tx, &deaf, r);
}

/* --- CANCEL --- */

static void test_FL_8__who_cancels_while_he_waits_for_a_seat_was_never_there(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);

	(void)state;
	(void)room_ask(r, "SUBSCRIBE", uri, "ann", "Event: conference\n", "");
	(void)room_notify(r, "conference");
	begin_to_join(r, uri, "bo");
	cancel(r, uri, "bo");
	assert_int_equal(status_of(r->sent[r->n_sent - 1]), 487);
	assert_int_equal(count_sent(r, "SIP/2.0 487"), 1);
	assert_int_equal(r->n_closed, 1);
	/* The seat comes all the same, to nobody. */
	room_grant(r);
	room_run(r, 0);
	assert_int_equal(r->n_ended, 0);
	assert_null(room_notify(r, "conference"));
	assert_null(room_next(r, "BYE", ""));
	room_free(r);
}

static void test_FL_8__a_cancel_behind_the_200_changes_nothing(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok), *joined;

	(void)state;
	joined = room_ask(r, "INVITE", uri, "bo", JOIN_LINES, ROOM_SDP);
	cancel(r, uri, "bo");
	assert_int_equal(count_sent(r, "SIP/2.0 487"), 0);
	room_acknowledge(r, joined);
	assert_int_equal(status_of(room_inside(r, joined, "OPTIONS", 8, "", "")), 200);
	room_free(r);
}

static void test_FL_8__a_200_that_crosses_the_focus_s_cancel_is_ended_by_bye(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r);
	struct asked *invite;

	(void)state;
	(void)room_ask(r, "SUBSCRIBE", room_uri(r, ok), "ann", "Event: conference\n", "");
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:carol@example.com>\nRefer-Sub: false\n", "");
	invite = room_next(r, "INVITE", "carol@");
	room_reply(r, invite, 180);
	ignore_cancel(r, invite);
	room_inside(r, ok, "REFER", 9,
		    "Refer-To: <sip:carol@example.com;method=BYE>\nRefer-Sub: false\n", "");
	while (room_notify(r, "conference"))
		;
	r->n_answers = 0;
	answer_late(r, invite);
	assert_non_null(room_next(r, "BYE", "late@"));
	assert_int_equal(r->n_answers, 0);
	assert_int_equal(r->n_closed, 1);
	assert_null(room_notify(r, "conference"));
	room_free(r);
}

/* --- BYE --- */

static void test_FL_8__bye_crosses_bye(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok), *joined, *answer;

	(void)state;
	/* Bo comes by himself, so that he can speak in his dialog. */
	joined = room_ask(r, "INVITE", uri, "bo", JOIN_LINES, ROOM_SDP);
	room_acknowledge(r, joined);
	r->n_closed = 0;
	room_inside(r, ok, "REFER", 8, LEAVES "Refer-Sub: false\n", "");
	answer = room_inside(r, joined, "BYE", 8, "", "");
	/* His is answered whichever was first: 200, or 481 where ours is over already. */
	assert_true(status_of(answer) == 200 || status_of(answer) == 481);
	assert_int_equal(r->n_closed, 1);
	assert_int_equal(r->n_ended, 0);
	/* And twice from his side. */
	assert_int_equal(status_of(room_inside(r, joined, "BYE", 9, "", "")), 481);
	assert_int_equal(r->n_closed, 1);
	room_free(r);
}

static void test_FL_8__bye_before_the_ack(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");

	(void)state;
	room_reply(r, room_next(r, "INVITE", "bo@"), 200);
	assert_int_equal(status_of(room_inside(r, ok, "BYE", 8, "", "")), 200);
	assert_int_equal(r->n_closed, 1);
	assert_int_equal(r->n_ended, 0);
	room_acknowledge(r, ok);
	room_run(r, 40000);
	assert_null(room_next(r, "BYE", ""));
	room_free(r);
}

/* --- glare --- */

static void test_FL_8__glare_of_a_refresh(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *theirs;
	struct asked *ours;

	(void)state;
	room_run(r, 900000);
	ours = room_next(r, "INVITE", "ann@");
	assert_non_null(ours);
	theirs = room_inside(r, ok, "INVITE", 8, "Content-Type: application/sdp\n", ROOM_SDP);
	assert_int_equal(status_of(theirs), 491);
	(void)room_inside(r, ok, "ACK", 8, "", "");
	room_reply(r, ours, 491);
	/* RFC 3261 §14.1: who did not make the Call-ID waits no longer than 2 s. */
	room_run(r, 2000);
	ours = room_next(r, "INVITE", "ann@");
	assert_non_null(ours);
	room_reply(r, ours, 200);
	room_run(r, 800000);
	assert_int_equal(r->n_closed, 0);
	room_free(r);
}

/* --- what is lost --- */

static void test_FL_8__a_lost_200_comes_again_until_the_ack(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");

	(void)state;
	assert_int_equal(count_sent(r, "SIP/2.0 200"), 1);
	room_run(r, 500);
	assert_int_equal(count_sent(r, "SIP/2.0 200"), 2);
	assert_string_equal(r->sent[r->n_sent - 1], ok);
	room_run(r, 1000);
	assert_int_equal(count_sent(r, "SIP/2.0 200"), 3);
	room_acknowledge(r, ok);
	room_run(r, 40000);
	assert_int_equal(count_sent(r, "SIP/2.0 200"), 3);
	assert_null(room_next(r, "BYE", ""));
	room_free(r);
}

static void test_FL_8__a_creator_whose_ack_never_comes_is_out_and_the_others_stay(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");

	(void)state;
	room_reply(r, room_next(r, "INVITE", "bo@"), 200);
	room_run(r, 33000);
	assert_non_null(room_next(r, "BYE", "ann@"));
	assert_null(room_next(r, "BYE", ""));
	assert_int_equal(r->n_closed, 1);
	assert_int_equal(r->n_ended, 0);
	/* He comes back. */
	assert_int_equal(
		status_of(room_ask(r, "INVITE", room_uri(r, ok), "ann", JOIN_LINES, ROOM_SDP)),
		200);
	room_free(r);
}

static void test_FL_8__an_invitee_s_200_that_comes_again_is_acknowledged_again(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");
	struct asked *invite = room_next(r, "INVITE", "bo@");

	(void)state;
	room_acknowledge(r, ok);
	room_reply(r, invite, 200);
	/* Its transaction lingers for that (RFC 6026). */
	if (invite->tx)
		answer_late(r, invite);
	assert_int_equal(r->n_answers, 2);
	assert_null(room_next(r, "BYE", ""));
	room_free(r);
}

/* --- a conference that ends while somebody is joining --- */

static struct room *ends_with_its_creator(const char **ok, const char **uri)
{
	struct room *r = room_new();

	r->cfg.end_policy = CONFERENCE_END_CREATOR;
	*ok = room_of_two(room_start(r));
	*uri = room_uri(r, *ok);
	return r;
}

static void test_FL_8_and_CF_X_5__it_ends_while_a_seat_is_asked_for(void **state)
{
	const char *ok, *uri;
	struct room *r = ends_with_its_creator(&ok, &uri);

	(void)state;
	begin_to_join(r, uri, "bo");
	room_inside(r, ok, "BYE", 8, "", "");
	assert_int_equal(count_sent(r, "SIP/2.0 410 Conference Has Ended"), 1);
	assert_int_equal(r->n_ended, 1);
	/* The seat comes too late, and is given back. */
	room_grant(r);
	assert_true(r->n_ended >= 1);
	room_run(r, 40000);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	room_free(r);
}

static void test_FL_8_and_CF_X_5__it_ends_before_his_ack(void **state)
{
	static const char *const lines[] = {JOIN_LINES, ROOM_IM};
	static const char *const body[] = {ROOM_SDP, ""};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *ok, *uri, *joined;
		struct room *r = ends_with_its_creator(&ok, &uri);

		joined = room_ask(r, "INVITE", uri, "bo", lines[i], body[i]);
		assert_int_equal(status_of(joined), 200);
		room_inside(r, ok, "BYE", 8, "", "");
		/* RFC 3261 §15: his BYE waits for his ACK. */
		assert_null(room_next(r, "BYE", "bo@"));
		(void)room_inside(r, joined, "ACK", 7, i ? "Content-Type: application/sdp\n" : "",
				  i ? ROOM_SDP : "");
		assert_non_null(room_next(r, "BYE", "bo@"));
		assert_int_equal(r->n_ended, 1);
		room_run(r, 40000);
		assert_int_equal(controlling_conference_count(r->ctl), 0);
		room_free(r);
	}
}

static void test_FL_8_and_CF_X_2__it_ends_while_somebody_picks_up(void **state)
{
	const char *ok, *uri;
	struct room *r = ends_with_its_creator(&ok, &uri);
	struct asked *invite;

	(void)state;
	room_inside(r, ok, "REFER", 8, "Refer-To: <sip:carol@example.com>\n", "");
	invite = room_next(r, "INVITE", "carol@");
	room_reply(r, invite, 180);
	ignore_cancel(r, invite);
	room_inside(r, ok, "BYE", 9, "", "");
	r->n_answers = 0;
	answer_late(r, invite);
	assert_non_null(room_next(r, "BYE", "late@"));
	assert_int_equal(r->n_answers, 0);
	room_run(r, 40000);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	room_free(r);
}

static void test_FL_8_and_CF_X_1__it_ends_while_it_is_being_made(void **state)
{
	struct room *r = room_start(room_new());

	(void)state;
	r->slow_seats = true;
	assert_null(room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>"));
	/* The creator gives up, and the switch answers then. */
	cancel(r, "sip:conference-factory@example.com", "ann");
	assert_int_equal(count_sent(r, "SIP/2.0 487"), 1);
	room_grant(r);
	room_run(r, 40000);
	assert_null(room_next(r, "INVITE", "bo@"));
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_FL_8__who_cancels_while_he_waits_for_a_seat_was_never_there),
		cmocka_unit_test(test_FL_8__a_cancel_behind_the_200_changes_nothing),
		cmocka_unit_test(test_FL_8__a_200_that_crosses_the_focus_s_cancel_is_ended_by_bye),
		cmocka_unit_test(test_FL_8__bye_crosses_bye),
		cmocka_unit_test(test_FL_8__bye_before_the_ack),
		cmocka_unit_test(test_FL_8__glare_of_a_refresh),
		cmocka_unit_test(test_FL_8__a_lost_200_comes_again_until_the_ack),
		cmocka_unit_test(
			test_FL_8__a_creator_whose_ack_never_comes_is_out_and_the_others_stay),
		cmocka_unit_test(
			test_FL_8__an_invitee_s_200_that_comes_again_is_acknowledged_again),
		cmocka_unit_test(test_FL_8_and_CF_X_5__it_ends_while_a_seat_is_asked_for),
		cmocka_unit_test(test_FL_8_and_CF_X_5__it_ends_before_his_ack),
		cmocka_unit_test(test_FL_8_and_CF_X_2__it_ends_while_somebody_picks_up),
		cmocka_unit_test(test_FL_8_and_CF_X_1__it_ends_while_it_is_being_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
