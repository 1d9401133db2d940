/* Sessions, answering side, and re-INVITEs of the peer: RFC 3261 §13.3, §14.2, §15. */
#include "sip_ua_world.h"

static void test_IC_7_1_5_6_and_IC_8_3_2_1__invited_and_hung_up_on(void **state)
{
	struct sip_msg m;

	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	assert_int_equal(state_now(), SIP_SESSION_INCOMING);
	assert_happened(S.w, "0:udp 100");
	assert_int_equal(sip_session_invitation(S.s, &m), 0);
	assert_int_equal(m.method, SIP_INVITE);
	assert_int_equal(sip_session_ring(S.s, 180, VIEW("<sip:me@192.0.2.1>"), S.w->now), 0);
	scene_sent("180");
	assert_field(SIP_H_CONTACT, "<sip:me@192.0.2.1>");
	assert_non_null(strstr(S.w->last, "X-Extra: 1\r\n"));
	/* RFC 3261 §12.1.1: an early dialog has a target and a tag. */
	assert_non_null(strstr(strstr(S.w->last, "\r\nTo: "), ";tag="));
	scene_accept();
	scene_sent("200");
	assert_int_equal(state_now(), SIP_SESSION_ANSWERED);
	assert_field(SIP_H_CONTACT, "<sip:me@192.0.2.1>");
	assert_non_null(strstr(S.w->last, "X-Extra: 1\r\n"));
	assert_non_null(strstr(S.w->last, "X-Own: 2\r\n"));
	assert_non_null(strstr(S.w->last, "\r\n\r\nanswer"));
	assert_int_equal(sip_session_invitation(S.s, &m), E_STATE);
	assert_int_equal(sip_session_ring(S.s, 180, VIEW("<sip:me@192.0.2.1>"), S.w->now), E_STATE);
	assert_int_equal(sip_session_reject(S.s, 486, NULL, VIEW(""), S.w->now), E_STATE);
	assert_int_equal(sip_session_answer(S.s, VIEW("<sip:me@192.0.2.1>"), VIEW(""), VIEW(""),
					    VIEW(""), S.w->now),
			 E_STATE);
	scene_peer("ACK", 10, "");
	assert_happened(S.w, "0:udp 180, 0:udp 200, 0:confirmed");
	scene_peer("ACK", 10, "");
	assert_happened(S.w, "");
	scene_peer("BYE", 11, "");
	assert_happened(S.w, "0:udp 200, 0:ended bye received BYE");
	assert_non_null(strstr(scene_sent("200"), "X-Extra: 1\r\n"));
	scene_peer("BYE", 12, "");
	assert_happened(S.w, "0:udp 481");
}

static void test_invited_without_contact(void **state)
{
	struct sip_session *s = NULL;
	struct sip_msg m;

	(void)state;
	S.s = (struct sip_session *)&S; /* keeps the scene from taking it */
	S.invite = scene_peer_text("INVITE", 10, "in1", "p1", NULL, "", 1);
	world_datagram(S.w, S.invite, PEER_AT);
	S.s = NULL;
	assert_non_null(S.tx);
	assert_int_equal(sip_server_tx_request(S.tx, &m), 0);
	assert_int_equal(
		sip_session_incoming(S.ua, S.tx, &m, VIEW(""), &scene_handler, &S, S.w->now, &s),
		E_SYNTAX);
	assert_null(s);
	/* It is still the caller's to answer. */
	assert_int_equal(sip_server_tx_reply(S.tx, 400, "Missing Contact", VIEW(""), S.w->now), 0);
	assert_happened(S.w, "0:udp 400");
}

static void test_declined(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	assert_int_equal(sip_session_reject(S.s, 486, "No Time", VIEW("X-Why: busy\r\n"), S.w->now),
			 0);
	assert_happened(S.w, "0:udp 100, 0:udp 486, 0:ended rejected 486");
	assert_non_null(strstr(S.w->last, "SIP/2.0 486 No Time\r\n"));
	assert_non_null(strstr(S.w->last, "X-Why: busy\r\n"));
	assert_non_null(strstr(S.w->last, "X-Extra: 1\r\n"));
}

static void test_end_while_invited(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	hang_up("");
	assert_happened(S.w, "0:udp 100, 0:udp 480, 0:ended rejected 480");
}

static void test_cancelled_by_the_inviter(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	cancel_invite();
	assert_happened(S.w, "0:udp 100, 0:udp 200, 0:udp 487, 0:ended cancelled CANCEL");
	assert_non_null(strstr(scene_sent("487"), "X-Extra: 1\r\n"));
}

static void test_a_cancel_that_comes_too_late(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	scene_accept();
	cancel_invite();
	assert_happened(S.w, "0:udp 100, 0:udp 200, 0:udp 200");
	assert_int_equal(state_now(), SIP_SESSION_ANSWERED);
	scene_peer("ACK", 10, "");
	assert_happened(S.w, "0:confirmed");
}

static void test_bye_in_an_early_dialog(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	(void)sip_session_ring(S.s, 180, VIEW("<sip:me@192.0.2.1>"), S.w->now);
	buf_reset(&S.w->happened);
	scene_peer("BYE", 11, "");
	assert_happened(S.w, "0:udp 200, 0:udp 487, 0:ended bye received BYE");
}

static void test_the_2xx_is_sent_until_its_ack(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	scene_accept();
	world_run(S.w, 16000);
	assert_happened(S.w, "0:udp 100, 0:udp 200, 500:udp 200, 1500:udp 200, 3500:udp 200, "
			     "7500:udp 200, 11500:udp 200, 15500:udp 200");
	/* An ACK of something else. */
	scene_peer("ACK", 9, "");
	assert_int_equal(state_now(), SIP_SESSION_ANSWERED);
	scene_peer("ACK", 10, "");
	world_run(S.w, 60000);
	assert_happened(S.w, "16000:confirmed");
}

static void test_no_ack_ends_it_with_a_bye(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	scene_accept();
	world_run(S.w, 31999);
	buf_reset(&S.w->happened);
	world_run(S.w, 32100);
	assert_happened(S.w, "32000:udp BYE, 32000:ended timeout");
	/* A late ACK changes nothing. */
	scene_peer("ACK", 10, "");
	scene_respond(scene_sent("BYE"), 200, NULL, "");
	assert_happened(S.w, "");
	assert_int_equal(S.ended, 1);
}

static void test_no_ack_and_nowhere_to_send_the_bye(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	scene_accept();
	S.no_route = true;
	S.in_ended = THEN_FREE;
	world_run(S.w, 31999);
	buf_reset(&S.w->happened);
	world_run(S.w, 32100);
	assert_happened(S.w, "32000:ended failed");
	assert_null(S.s);
}

/* §15: no BYE of the one who was called before the ACK, or before its time is up. */
static void test_hanging_up_before_the_ack(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	scene_accept();
	hang_up("Privacy: id\r\n");
	assert_int_equal(state_now(), SIP_SESSION_ENDING);
	world_run(S.w, 1000);
	assert_happened(S.w, "0:udp 100, 0:udp 200, 500:udp 200");
	scene_peer("ACK", 10, "");
	assert_happened(S.w, "1000:udp BYE");
	assert_field(SIP_H_PRIVACY, "id");
	scene_respond(S.w->last, 200, NULL, "");
	assert_happened(S.w, "1000:ended bye sent");
}

static void test_hanging_up_before_the_ack_that_never_comes(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	scene_accept();
	hang_up("");
	world_run(S.w, 31999);
	buf_reset(&S.w->happened);
	world_run(S.w, 32000);
	assert_happened(S.w, "32000:udp BYE");
	scene_respond(S.w->last, 481, NULL, "");
	assert_happened(S.w, "32000:ended bye sent");
}

static void test_hanging_up_before_the_ack_while_the_peer_does_too(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	scene_accept();
	hang_up("");
	buf_reset(&S.w->happened);
	scene_peer("BYE", 11, "");
	world_run(S.w, 40000);
	assert_happened(S.w, "0:udp 200, 0:ended bye received BYE");
}

static void test_their_reinvite(void **state)
{
	(void)state;
	scene_callee();
	scene_peer("INVITE", 11, "Contact: <sip:moved@192.0.2.8>\r\n");
	assert_happened(S.w, "0:udp 100, 0:reinvite, 0:udp 200");
	assert_field(SIP_H_CSEQ, "11 INVITE");
	assert_string_equal(sip_session_dialog(S.s)->target, "sip:moved@192.0.2.8");
	world_run(S.w, 600);
	assert_happened(S.w, "500:udp 200");
	assert_int_equal(reinvite(), E_STATE);
	scene_peer("ACK", 10, ""); /* not that one */
	scene_peer("ACK", 11, "");
	world_run(S.w, 40000);
	assert_happened(S.w, "");
	assert_int_equal(state_now(), SIP_SESSION_CONFIRMED);
	assert_int_equal(reinvite(), 0);
	buf_reset(&S.w->happened);
}

static void test_their_reinvite_is_never_acknowledged(void **state)
{
	(void)state;
	scene_callee();
	scene_peer("INVITE", 11, "");
	world_run(S.w, 31999);
	buf_reset(&S.w->happened);
	world_run(S.w, 32100);
	assert_happened(S.w, "32000:udp BYE, 32000:ended timeout");
}

static void test_their_reinvite_refused_changes_nothing(void **state)
{
	(void)state;
	scene_callee();
	S.late_reinvite = true;
	scene_peer("INVITE", 11, "Contact: <sip:moved@192.0.2.8>\r\n");
	assert_int_equal(sip_server_tx_reply(S.tx, 488, NULL, VIEW(""), S.w->now), 0);
	assert_string_equal(sip_session_dialog(S.s)->target, "sip:peer@192.0.2.9");
	assert_int_equal(sip_session_answer_reinvite(S.s, S.tx, VIEW("<sip:me@192.0.2.1>"),
						     VIEW(""), VIEW(""), VIEW(""), S.w->now),
			 E_STATE);
	assert_happened(S.w, "0:udp 100, 0:reinvite, 0:udp 488");
	assert_int_equal(reinvite(), 0);
	scene_respond(S.w->last, 200, NULL, "");
	buf_reset(&S.w->happened);
	scene_peer("INVITE", 12, "");
	assert_happened(S.w, "0:udp 100, 0:reinvite");
}

static void assert_500_retry_after(void)
{
	uint32_t seconds;

	scene_sent("500");
	assert_int_equal(view_to_u32(world_field(S.w->last, SIP_H_RETRY_AFTER), &seconds), 0);
	assert_in_range(seconds, 0, 10);
}

static void test_a_second_invite_before_the_answer(void **state)
{
	(void)state;
	/* The first INVITE rings. */
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	(void)sip_session_ring(S.s, 180, VIEW("<sip:me@192.0.2.1>"), S.w->now);
	scene_peer("INVITE", 11, "");
	assert_500_retry_after();
	/* Answered, not acknowledged. */
	scene_accept();
	scene_peer("INVITE", 12, "");
	assert_500_retry_after();
	/* A re-INVITE waits for its answer. */
	scene_peer("ACK", 10, "");
	S.late_reinvite = true;
	scene_peer("INVITE", 13, "");
	scene_peer("INVITE", 14, "");
	assert_500_retry_after();
	buf_reset(&S.w->happened);
	assert_int_equal(sip_session_answer_reinvite(S.s, S.tx, VIEW("<sip:me@192.0.2.1>"),
						     VIEW(""), VIEW(""), VIEW(""), S.w->now),
			 0);
	assert_field(SIP_H_CSEQ, "13 INVITE");
	/* That one too has to be acknowledged first. */
	scene_peer("INVITE", 15, "");
	assert_500_retry_after();
	scene_peer("ACK", 13, "");
	S.late_reinvite = false;
	buf_reset(&S.w->happened);
	scene_peer("INVITE", 16, "");
	assert_happened(S.w, "0:udp 100, 0:reinvite, 0:udp 200");
}

static void test_bye_while_their_reinvite_waits(void **state)
{
	(void)state;
	scene_callee();
	S.late_reinvite = true;
	scene_peer("INVITE", 11, "");
	scene_peer("BYE", 12, "");
	/* §15.1.2 */
	assert_happened(S.w,
			"0:udp 100, 0:reinvite, 0:udp 200, 0:udp 487, 0:ended bye received BYE");
	assert_int_equal(sip_session_answer_reinvite(S.s, S.tx, VIEW("<sip:me@192.0.2.1>"),
						     VIEW(""), VIEW(""), VIEW(""), S.w->now),
			 E_STATE);
}

static void test_cancel_of_their_reinvite(void **state)
{
	char *invite, *cancel;
	const struct sip_dialog *d;

	(void)state;
	scene_callee();
	d = sip_session_dialog(S.s);
	S.late_reinvite = true;
	invite = scene_peer_text("INVITE", 11, "in1", "p1", d->local_tag, "", 77);
	cancel = scene_peer_text("CANCEL", 11, "in1", "p1", d->local_tag, "", 77);
	world_datagram(S.w, invite, PEER_AT);
	world_datagram(S.w, cancel, PEER_AT);
	assert_happened(S.w, "0:udp 100, 0:reinvite, 0:udp 200, 0:udp 487");
	assert_int_equal(state_now(), SIP_SESSION_CONFIRMED);
	assert_int_equal(sip_session_answer_reinvite(S.s, S.tx, VIEW("<sip:me@192.0.2.1>"),
						     VIEW(""), VIEW(""), VIEW(""), S.w->now),
			 E_STATE);
	world_run(S.w, 40000);
	buf_reset(&S.w->happened);
	/* The transaction is gone, and with it what the owner knew. */
	assert_int_equal(sip_session_answer_reinvite(S.s, S.tx, VIEW("<sip:me@192.0.2.1>"),
						     VIEW(""), VIEW(""), VIEW(""), S.w->now),
			 E_STATE);
	free(invite);
	free(cancel);
}

static void test_the_end_while_their_2xx_waits_for_its_ack(void **state)
{
	(void)state;
	scene_callee();
	scene_peer("INVITE", 11, "");
	buf_reset(&S.w->happened);
	hang_up("");
	world_run(S.w, 499);
	assert_happened(S.w, "0:udp BYE");
}

#define TESTS(X)                                                                                   \
	X(test_IC_7_1_5_6_and_IC_8_3_2_1__invited_and_hung_up_on, scene_setup)                     \
	X(test_invited_without_contact, scene_setup)                                               \
	X(test_declined, scene_setup)                                                              \
	X(test_end_while_invited, scene_setup)                                                     \
	X(test_cancelled_by_the_inviter, scene_setup)                                              \
	X(test_a_cancel_that_comes_too_late, scene_setup)                                          \
	X(test_bye_in_an_early_dialog, scene_setup)                                                \
	X(test_the_2xx_is_sent_until_its_ack, scene_setup)                                         \
	X(test_no_ack_ends_it_with_a_bye, scene_setup)                                             \
	X(test_no_ack_and_nowhere_to_send_the_bye, scene_setup)                                    \
	X(test_hanging_up_before_the_ack, scene_setup)                                             \
	X(test_hanging_up_before_the_ack_that_never_comes, scene_setup)                            \
	X(test_hanging_up_before_the_ack_while_the_peer_does_too, scene_setup)                     \
	X(test_their_reinvite, scene_setup)                                                        \
	X(test_their_reinvite_is_never_acknowledged, scene_setup)                                  \
	X(test_their_reinvite_refused_changes_nothing, scene_setup)                                \
	X(test_a_second_invite_before_the_answer, scene_setup)                                     \
	X(test_bye_while_their_reinvite_waits, scene_setup)                                        \
	X(test_cancel_of_their_reinvite, scene_setup)                                              \
	X(test_the_end_while_their_2xx_waits_for_its_ack, scene_setup)

int main(void)
{
	const struct CMUnitTest server[] = {TESTS(SCENE_AS_SERVER)};
	const struct CMUnitTest client[] = {TESTS(SCENE_AS_CLIENT)};

	return cmocka_run_group_tests(server, NULL, NULL) +
	       cmocka_run_group_tests(client, NULL, NULL);
}
