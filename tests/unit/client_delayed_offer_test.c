/* An INVITE without an offer at the client (RFC 3261 §13.2.1, RFC 6337 §2.2): our 200 has it, the
 * ACK the answer. */
#include "client_world.h"

#define FOCUS_LINES "Contact: <" DESK_CONFERENCE ">;isfocus\r\n"

static const char *offer_in(const char *answer)
{
	const char *sdp = strstr(answer, "m=message ");

	assert_int_equal(desk_parsed(answer).status, 200);
	assert_non_null(sdp);
	assert_non_null(strstr(sdp, "a=path:msrp://192.0.2.7:5060/"));
	assert_non_null(strstr(sdp, "a=setup:actpass\r\n"));
	return sdp;
}

static void test_RFC3261_13_2_1__our_200_offers_and_the_ack_answers(void **state)
{
	struct desk *d = desk_registered();
	const char *answer = desk_called(d, DESK_PHONE, "");
	uint32_t id;

	(void)state;
	(void)offer_in(answer);
	id = desk_event(d, CONFAB_INVITED)->conversation;
	/* Nothing is agreed on yet; what is written waits. */
	assert_null(d->msrp);
	assert_int_equal(client_send(d->client, id, VIEW("early"), NULL, d->now), 0);
	assert_int_equal(client_accept(d->client, id, d->now), E_STATE);
	(void)desk_asked(d, answer, "ACK", 1, "", DESK_PHONE_SDP);
	assert_non_null(d->msrp);
	/* His answer is passive: we connect. */
	desk_seat_opens(d);
	assert_non_null(desk_event(d, CONFAB_OPEN));
	assert_non_null(strstr(d->msrp_out, "To-Path: msrp://192.0.2.9:7654/bo;tcp\r\n"));
	assert_non_null(strstr(d->msrp_out, "early"));
	desk_run(d, 60000);
	assert_null(desk_next(d, "BYE "));
	desk_free(d);
}

static void test_RFC3261_13_2_1__the_peer_connects(void **state)
{
	struct desk *d = desk_registered();
	const char *answer = desk_called(d, DESK_PHONE, ""), *path;
	struct msrp_conn *c = msrp_conn_accept(client_msrp(d->client), d, d->now);
	char to[200];

	(void)state;
	path = strstr(offer_in(answer), "a=path:");
	assert_int_equal(sscanf(path, "a=path:%199s", to), 1);
	/* He may be quicker than his ACK, but until that is here he has agreed to nothing. */
	msrp_conn_recv(c,
		       view_str(desk_textf(d,
					   "MSRP abcd1234 SEND\r\nTo-Path: %s\r\nFrom-Path: "
					   "msrp://192.0.2.9:7654/bo;tcp\r\nMessage-ID: 1\r\n"
					   "Byte-Range: 1-0/0\r\n-------abcd1234$\r\n",
					   to)),
		       d->now);
	desk_run(d, 0);
	assert_null(desk_event(d, CONFAB_OPEN));
	(void)desk_asked(d, answer, "ACK", 1, "",
			 "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
			 "m=message 7654 TCP/MSRP *\r\na=accept-types:message/cpim text/plain\r\n"
			 "a=path:msrp://192.0.2.9:7654/bo;tcp\r\na=setup:active\r\n");
	assert_non_null(desk_event(d, CONFAB_OPEN));
	desk_free(d);
}

static void test_RFC3261_13_3_1_4__an_ack_without_an_answer_is_the_end(void **state)
{
	static const char *const sdp[] = {"", "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n"
					      "m=message 0 TCP/MSRP *\r\n"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct desk *d = desk_registered();
		const char *answer = desk_called(d, DESK_PHONE, ""), *bye;

		(void)desk_event(d, CONFAB_INVITED);
		(void)desk_asked(d, answer, "ACK", 1, "", sdp[i]);
		bye = desk_next(d, "BYE ");
		assert_non_null(bye);
		assert_string_equal(desk_field(d, bye, "Reason"),
				    "SIP;cause=488;text=\"Not Acceptable Here\"");
		assert_int_equal(desk_event(d, CONFAB_ENDED)->status, 488);
		assert_null(d->msrp);
		desk_free(d);
	}
}

static void test_RFC3261_13_3_1_4__no_ack_at_all(void **state)
{
	struct desk *d = desk_registered();

	(void)state;
	(void)desk_called(d, DESK_PHONE, "");
	desk_run(d, 31000);
	assert_null(desk_event(d, CONFAB_ENDED));
	desk_run(d, 2000);
	assert_non_null(desk_event(d, CONFAB_ENDED));
	assert_non_null(desk_next(d, "BYE "));
	desk_free(d);
}

/* The person leaves between our 200 and the ACK. */
static void test_RFC3261_15__left_before_the_ack(void **state)
{
	struct desk *d = desk_registered();
	const char *answer = desk_called(d, DESK_PHONE, "");
	uint32_t id = desk_event(d, CONFAB_INVITED)->conversation;

	(void)state;
	assert_int_equal(client_leave(d->client, id, false, d->now), 0);
	desk_run(d, 0);
	assert_null(desk_next(d, "BYE "));
	(void)desk_asked(d, answer, "ACK", 1, "", DESK_PHONE_SDP);
	assert_non_null(desk_next(d, "BYE "));
	assert_null(d->msrp);
	desk_free(d);
}

/* A focus invites without an offer. */
static void test_IC_8_3_1__a_conference_without_an_offer(void **state)
{
	struct desk *d = desk_registered();
	const char *answer =
		desk_called(d, FOCUS_LINES "Referred-By: <sip:bo@example.com>\r\n", "");

	(void)state;
	(void)offer_in(answer);
	(void)desk_asked(d, answer, "ACK", 1, "", DESK_SDP);
	desk_seat_opens(d);
	assert_string_equal(desk_event(d, CONFAB_OPEN)->uri, DESK_CONFERENCE);
	assert_non_null(desk_next(d, "SUBSCRIBE " DESK_CONFERENCE));
	desk_free(d);
}

/* The invitation that moves a running chat. */
static const char *moving(struct desk *d, const char **invite_out)
{
	(void)desk_chat(d, DESK_PHONE, DESK_PHONE_SDP, invite_out);
	return desk_called(d,
			   desk_textf(d,
				      FOCUS_LINES "Referred-By: <sip:bo@example.com>\r\n"
						  "Require: replaces\r\n"
						  "Replaces: %s;to-tag=%s;from-tag=server\r\n",
				      desk_field(d, *invite_out, "Call-ID"),
				      strstr(desk_field(d, *invite_out, "From"), "tag=") + 4),
			   "");
}

static void test_IC_8_3_1_2__a_move_without_an_offer(void **state)
{
	struct desk *d = desk_registered();
	const char *invite, *answer = moving(d, &invite);

	(void)state;
	(void)offer_in(answer);
	assert_non_null(desk_event(d, CONFAB_MOVING));
	assert_null(desk_event(d, CONFAB_MOVED));
	d->msrp = NULL;
	(void)desk_asked(d, answer, "ACK", 1, "", DESK_SDP);
	desk_seat_opens(d);
	assert_string_equal(desk_event(d, CONFAB_MOVED)->uri, DESK_CONFERENCE);
	/* The old session goes. */
	assert_non_null(desk_next(d, "BYE "));
	assert_null(desk_event(d, CONFAB_ENDED));
	desk_free(d);
}

static void test_IC_8_3_1_2__a_move_that_is_not_answered(void **state)
{
	struct desk *d = desk_registered();
	const char *invite, *answer = moving(d, &invite), *bye;
	struct desk_event *e;

	(void)state;
	(void)desk_asked(d, answer, "ACK", 1, "", "");
	bye = desk_next(d, "BYE ");
	assert_non_null(bye);
	assert_string_not_equal(desk_field(d, bye, "Call-ID"), desk_field(d, invite, "Call-ID"));
	e = desk_event(d, CONFAB_MOVE_FAILED);
	assert_non_null(e);
	assert_int_equal(e->status, 488);
	/* The chat goes on as it was. */
	assert_null(desk_event(d, CONFAB_ENDED));
	assert_int_equal(client_send(d->client, e->conversation, VIEW("still here"), NULL, d->now),
			 0);
	desk_run(d, 0);
	assert_non_null(strstr(d->msrp_out, "still here"));
	desk_free(d);
}

/* A way back after a lost server (recover.c) may come without an offer, too. */
static void test_CF_X_5__a_way_back_without_an_offer(void **state)
{
	struct desk *d = desk_registered();
	const char *answer;
	struct msrp_conn *c;

	(void)state;
	answer = desk_called(d, DESK_PHONE "Contribution-ID: one\r\n", DESK_SDP);
	desk_seat_opens(d);
	(void)desk_asked(d, answer, "ACK", 1, "", "");
	c = d->msrp;
	d->msrp = NULL;
	msrp_conn_down(c, d->now);
	/* Nobody is there: after all tries the chat is to come back. */
	for (int i = 0; i < 8; i++) {
		desk_run(d, 2000);
		if ((c = d->msrp)) {
			d->msrp = NULL;
			msrp_conn_down(c, d->now);
		}
	}
	(void)desk_event(d, CONFAB_INVITED);
	(void)desk_event(d, CONFAB_CONNECTION);
	answer = desk_called(d, DESK_PHONE "Contribution-ID: one\r\n", "");
	(void)offer_in(answer);
	assert_null(desk_event(d, CONFAB_INVITED));
	(void)desk_asked(d, answer, "ACK", 1, "", DESK_SDP);
	desk_seat_opens(d);
	assert_string_equal(desk_event(d, CONFAB_CONNECTION)->text, "restored");
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC3261_13_2_1__our_200_offers_and_the_ack_answers),
		cmocka_unit_test(test_RFC3261_13_2_1__the_peer_connects),
		cmocka_unit_test(test_RFC3261_13_3_1_4__an_ack_without_an_answer_is_the_end),
		cmocka_unit_test(test_RFC3261_13_3_1_4__no_ack_at_all),
		cmocka_unit_test(test_RFC3261_15__left_before_the_ack),
		cmocka_unit_test(test_IC_8_3_1__a_conference_without_an_offer),
		cmocka_unit_test(test_IC_8_3_1_2__a_move_without_an_offer),
		cmocka_unit_test(test_IC_8_3_1_2__a_move_that_is_not_answered),
		cmocka_unit_test(test_CF_X_5__a_way_back_without_an_offer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
