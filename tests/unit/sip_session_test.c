/* Sessions: the end, requests inside the dialog, and owners that go at any moment: RFC 3261 §12.2,
 * §15. */
#include "sip_ua_world.h"

static void test_freed_while_inviting_then_a_200(void **state)
{
	(void)state;
	scene_invite();
	scene_answer(180, "b1");
	free_session();
	assert_happened(S.w, "0:udp INVITE, 0:progress 180, 0:udp CANCEL");
	scene_answer(200, "b1");
	assert_happened(S.w, "0:udp ACK, 0:udp BYE");
	scene_respond(S.w->last, 200, NULL, "");
	scene_answer(200, "b1");
	assert_happened(S.w, "0:udp ACK");
}

static void test_freed_while_inviting_then_a_refusal(void **state)
{
	(void)state;
	scene_invite();
	scene_answer(180, "b1");
	free_session();
	scene_answer(487, "b1");
	assert_happened(S.w, "0:udp INVITE, 0:progress 180, 0:udp CANCEL, 0:udp ACK");
	world_run(S.w, 40000);
	buf_reset(&S.w->happened);
}

static void test_freed_while_inviting_then_nothing(void **state)
{
	(void)state;
	scene_invite();
	free_session();
	world_run(S.w, 40000);
	buf_putc(&S.w->happened, '\0');
	assert_null(strstr(S.w->happened.p, "ended"));
	buf_reset(&S.w->happened);
}

static void test_freed_while_inviting_until_the_very_end(void **state)
{
	(void)state;
	scene_invite();
	scene_answer(180, "b1");
	free_session();
	scene_answer(200, "b1"); /* BYE under way when all goes */
}

static void test_freed_while_confirmed_nothing_is_said(void **state)
{
	const char *tag;
	char *text, *call_id;

	(void)state;
	scene_caller();
	call_id = strdup(sip_session_dialog(S.s)->call_id);
	tag = strdup(sip_session_dialog(S.s)->local_tag);
	free_session();
	assert_happened(S.w, "");
	text = scene_peer_text("INFO", 1, call_id, "b1", tag, "", 0);
	world_datagram(S.w, text, PEER_AT);
	assert_happened(S.w, "0:udp 481");
	free(text);
	free(call_id);
	free((char *)(uintptr_t)tag);
}

static void test_freed_while_invited(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	free_session();
	assert_happened(S.w, "0:udp 100, 0:udp 480");
}

static void test_freed_before_the_ack(void **state)
{
	char *tag, *ack;

	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	scene_accept();
	tag = strdup(sip_session_dialog(S.s)->local_tag);
	free_session();
	world_run(S.w, 600);
	assert_happened(S.w, "0:udp 100, 0:udp 200, 500:udp 200");
	ack = scene_peer_text("ACK", 10, "in1", "p1", tag, "", 0);
	world_datagram(S.w, ack, PEER_AT);
	assert_happened(S.w, "600:udp BYE");
	world_datagram(S.w, ack, PEER_AT);
	assert_happened(S.w, "600:stray ack");
	free(ack);
	free(tag);
}

static void test_freed_before_the_ack_that_never_comes(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	scene_accept();
	free_session();
	world_run(S.w, 31999);
	buf_reset(&S.w->happened);
	world_run(S.w, 32100);
	assert_happened(S.w, "32000:udp BYE");
}

static void test_freed_before_the_ack_until_the_very_end(void **state)
{
	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	scene_accept();
}

static void test_bye_crosses_bye(void **state)
{
	char *bye;

	(void)state;
	scene_caller();
	hang_up("");
	bye = strdup(scene_sent("BYE"));
	scene_peer("BYE", 1, "");
	assert_happened(S.w, "0:udp BYE, 0:udp 200, 0:ended bye received BYE");
	scene_respond(bye, 481, NULL, "");
	assert_happened(S.w, "");
	assert_int_equal(S.ended, 1);
	free(bye);
}

static void test_a_bye_that_nobody_answers(void **state)
{
	(void)state;
	scene_caller();
	hang_up("");
	world_run(S.w, 31999);
	assert_int_equal(S.ended, 0);
	buf_reset(&S.w->happened);
	world_run(S.w, 32100);
	assert_happened(S.w, "32000:ended bye sent");
}

static void test_a_bye_that_cannot_be_sent(void **state)
{
	(void)state;
	scene_caller();
	S.no_route = true;
	S.in_ended = THEN_FREE;
	hang_up("");
	assert_happened(S.w, "0:ended failed");
}

static void test_requests_while_ending(void **state)
{
	(void)state;
	scene_caller();
	hang_up("");
	buf_reset(&S.w->happened);
	scene_peer("INFO", 1, "");
	scene_peer("INVITE", 2, "");
	scene_peer("OPTIONS", 3, "");
	assert_happened(S.w, "0:udp 481, 0:udp 481, 0:udp 481");
	assert_null(strstr(S.w->last, "Retry-After"));
}

static void test_requests_in_the_dialog(void **state)
{
	const struct sip_uac_handler none = {0};
	struct sip_uac *uac;

	(void)state;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	assert_int_equal(sip_session_request(S.s, VIEW("INFO"), VIEW(""), VIEW(""), VIEW(""), &none,
					     NULL, S.w->now, &uac),
			 E_STATE);
	scene_accept();
	scene_peer("ACK", 10, "");
	buf_reset(&S.w->happened);
	scene_peer("OPTIONS", 11, "");
	scene_peer("INFO", 12, "");
	assert_happened(S.w, "0:udp 200, 0:request INFO, 0:udp 200");
	assert_int_equal(sip_session_request(S.s, VIEW("INFO"), VIEW("X-A: b\r\n"),
					     VIEW("text/plain"), VIEW("hello"), NULL, NULL,
					     S.w->now, &uac),
			 0);
	scene_sent("INFO");
	assert_field(SIP_H_CSEQ, "1 INFO");
	assert_non_null(strstr(S.w->last, "X-A: b\r\n"));
	assert_non_null(strstr(S.w->last, "\r\n\r\nhello"));
	hang_up("");
	assert_int_equal(sip_session_request(S.s, VIEW("INFO"), VIEW(""), VIEW(""), VIEW(""), NULL,
					     NULL, S.w->now, &uac),
			 E_STATE);
	buf_reset(&S.w->happened);
}

static void test_what_a_bare_owner_answers(void **state)
{
	const struct sip_session_handler bare = {.on_ended = scene_ended};
	struct sip_session *s;
	struct sip_msg m;

	(void)state;
	S.s = (struct sip_session *)&S;
	S.invite = scene_peer_text("INVITE", 10, "in1", "p1", NULL,
				   "Contact: <sip:peer@192.0.2.9>\r\n", 1);
	world_datagram(S.w, S.invite, PEER_AT);
	assert_int_equal(sip_server_tx_request(S.tx, &m), 0);
	assert_int_equal(sip_session_incoming(S.ua, S.tx, &m, VIEW(""), &bare, &S, S.w->now, &s),
			 0);
	S.s = s;
	scene_accept();
	scene_peer("ACK", 10, "");
	buf_reset(&S.w->happened);
	scene_peer("INFO", 11, "");
	scene_peer("TEA", 12, "");
	scene_peer("INVITE", 13, "");
	assert_happened(S.w, "0:udp 405, 0:udp 501, 0:udp 488");
}

static void test_freed_in_on_progress(void **state)
{
	(void)state;
	S.in_progress = THEN_FREE;
	scene_invite();
	scene_answer(180, "b1");
	assert_null(S.s);
	assert_happened(S.w, "0:udp INVITE, 0:progress 180, 0:udp CANCEL");
	scene_answer(200, "b1");
	assert_happened(S.w, "0:udp ACK, 0:udp BYE");
}

static void test_freed_in_on_answered(void **state)
{
	(void)state;
	S.in_answered = THEN_FREE;
	scene_invite();
	scene_answer(200, "b1");
	assert_null(S.s);
	scene_answer(200, "b1");
	assert_happened(S.w, "0:udp INVITE, 0:udp ACK, 0:answered, 0:udp ACK");
}

static void test_ended_in_on_answered(void **state)
{
	(void)state;
	S.in_answered = THEN_END;
	scene_invite();
	scene_answer(200, "b1");
	assert_happened(S.w, "0:udp INVITE, 0:udp ACK, 0:answered, 0:udp BYE");
}

static void test_freed_in_on_confirmed(void **state)
{
	(void)state;
	S.in_confirmed = THEN_FREE;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	scene_accept();
	scene_peer("ACK", 10, "");
	assert_null(S.s);
	world_run(S.w, 40000);
	assert_happened(S.w, "0:udp 100, 0:udp 200, 0:confirmed");
}

static void test_freed_in_on_reinvite(void **state)
{
	(void)state;
	scene_callee();
	S.late_reinvite = true;
	S.in_reinvite = THEN_FREE;
	scene_peer("INVITE", 11, "");
	assert_null(S.s);
	/* It must not hang for ever. */
	assert_happened(S.w, "0:udp 100, 0:reinvite, 0:udp 487");
}

static void test_freed_in_on_reinvited(void **state)
{
	(void)state;
	scene_caller();
	S.in_reinvited = THEN_FREE;
	assert_int_equal(reinvite(), 0);
	scene_respond(S.w->last, 200, NULL, "Contact: <sip:peer@192.0.2.9>\r\n");
	assert_null(S.s);
	assert_happened(S.w, "0:udp INVITE, 0:udp ACK, 0:reinvited 200");
	world_run(S.w, 40000);
}

static void test_freed_in_on_request(void **state)
{
	(void)state;
	scene_callee();
	S.in_request = THEN_FREE;
	scene_peer("INFO", 11, "");
	assert_null(S.s);
	assert_happened(S.w, "0:request INFO, 0:udp 200");
}

static void test_freed_in_on_ended_by_bye(void **state)
{
	(void)state;
	scene_callee();
	S.in_ended = THEN_FREE;
	scene_peer("BYE", 11, "");
	assert_null(S.s);
}

static void test_freed_in_on_ended_by_cancel(void **state)
{
	(void)state;
	S.in_ended = THEN_FREE;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	cancel_invite();
	assert_null(S.s);
}

static void test_freed_in_on_ended_by_refusal(void **state)
{
	(void)state;
	S.in_ended = THEN_FREE;
	scene_invite();
	scene_answer(404, "b1");
	assert_null(S.s);
	world_run(S.w, 40000);
}

static void test_freed_in_on_ended_by_reject(void **state)
{
	(void)state;
	S.in_ended = THEN_FREE;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	assert_int_equal(sip_session_reject(S.s, 486, NULL, VIEW(""), S.w->now), 0);
	assert_null(S.s);
}

static void test_freed_in_on_ended_by_timeout(void **state)
{
	(void)state;
	S.in_ended = THEN_FREE;
	scene_invite();
	world_run(S.w, 40000);
	assert_null(S.s);
}

static void test_freed_in_on_ended_without_ack(void **state)
{
	(void)state;
	S.in_ended = THEN_FREE;
	scene_invited("Contact: <sip:peer@192.0.2.9>\r\n");
	scene_accept();
	world_run(S.w, 80000);
	assert_null(S.s);
}

static void test_freed_with_a_bye_under_way(void **state)
{
	(void)state;
	scene_caller();
	hang_up("");
	free_session();
	world_run(S.w, 5000);
	scene_respond(scene_sent("BYE"), 200, NULL, "");
	world_run(S.w, 40000);
	buf_putc(&S.w->happened, '\0');
	assert_null(strstr(S.w->happened.p, "ended"));
	buf_reset(&S.w->happened);
}

static void test_free_of_nothing(void **state)
{
	(void)state;
	sip_session_free(NULL);
}

static void test_ctx(void **state)
{
	(void)state;
	scene_invite();
	sip_session_set_ctx(S.s, NULL);
	assert_null(sip_session_ctx(S.s));
	sip_session_set_ctx(S.s, &S);
}

#define TESTS(X)                                                                                   \
	X(test_freed_while_inviting_then_a_200, scene_setup)                                       \
	X(test_freed_while_inviting_then_a_refusal, scene_setup)                                   \
	X(test_freed_while_inviting_then_nothing, scene_setup)                                     \
	X(test_freed_while_inviting_until_the_very_end, scene_setup)                               \
	X(test_freed_while_confirmed_nothing_is_said, scene_setup)                                 \
	X(test_freed_while_invited, scene_setup)                                                   \
	X(test_freed_before_the_ack, scene_setup)                                                  \
	X(test_freed_before_the_ack_that_never_comes, scene_setup)                                 \
	X(test_freed_before_the_ack_until_the_very_end, scene_setup)                               \
	X(test_bye_crosses_bye, scene_setup)                                                       \
	X(test_a_bye_that_nobody_answers, scene_setup)                                             \
	X(test_a_bye_that_cannot_be_sent, scene_setup)                                             \
	X(test_requests_while_ending, scene_setup)                                                 \
	X(test_requests_in_the_dialog, scene_setup)                                                \
	X(test_what_a_bare_owner_answers, scene_setup)                                             \
	X(test_freed_in_on_progress, scene_setup)                                                  \
	X(test_freed_in_on_answered, scene_setup)                                                  \
	X(test_ended_in_on_answered, scene_setup)                                                  \
	X(test_freed_in_on_confirmed, scene_setup)                                                 \
	X(test_freed_in_on_reinvite, scene_setup)                                                  \
	X(test_freed_in_on_reinvited, scene_setup)                                                 \
	X(test_freed_in_on_request, scene_setup)                                                   \
	X(test_freed_in_on_ended_by_bye, scene_setup)                                              \
	X(test_freed_in_on_ended_by_cancel, scene_setup)                                           \
	X(test_freed_in_on_ended_by_refusal, scene_setup)                                          \
	X(test_freed_in_on_ended_by_reject, scene_setup)                                           \
	X(test_freed_in_on_ended_by_timeout, scene_setup)                                          \
	X(test_freed_in_on_ended_without_ack, scene_setup)                                         \
	X(test_freed_with_a_bye_under_way, scene_setup)                                            \
	X(test_free_of_nothing, scene_setup)                                                       \
	X(test_ctx, scene_setup)

int main(void)
{
	const struct CMUnitTest server[] = {TESTS(SCENE_AS_SERVER)};
	const struct CMUnitTest client[] = {TESTS(SCENE_AS_CLIENT)};

	return cmocka_run_group_tests(server, NULL, NULL) +
	       cmocka_run_group_tests(client, NULL, NULL);
}
