/* Sessions, inviting side, and our re-INVITEs: RFC 3261 §13.2, §14.1, RFC 6026. */
#include "sip_ua_world.h"

static void test_IC_7_1_5_1_and_IC_7_1_5_3__answered_and_hung_up(void **state)
{
	(void)state;
	scene_invite();
	assert_int_equal(state_now(), SIP_SESSION_INVITING);
	assert_null(sip_session_dialog(S.s));
	assert_ptr_equal(sip_session_ctx(S.s), &S);
	assert_field(SIP_H_CSEQ, "1 INVITE");
	assert_field(SIP_H_TO, "<sip:bob@example.com>");
	assert_field(SIP_H_CONTACT, "<sip:alice@192.0.2.1>");
	assert_field(SIP_H_CONTENT_TYPE, "text/plain");
	assert_non_null(strstr(S.w->last, "X-More: yes\r\n"));
	assert_non_null(strstr(S.w->last, "\r\n\r\noffer"));
	scene_answer(100, NULL);
	scene_answer(180, "b1");
	scene_answer(200, "b1");
	assert_happened(S.w, "0:udp INVITE, 0:progress 180, 0:udp ACK, 0:answered");
	scene_sent("ACK");
	assert_sent_to(S.w, "192.0.2.9:5060");
	assert_field(SIP_H_CSEQ, "1 ACK");
	assert_int_equal(state_now(), SIP_SESSION_CONFIRMED);
	assert_non_null(sip_session_dialog(S.s));
	hang_up("Privacy: id\r\n");
	assert_int_equal(state_now(), SIP_SESSION_ENDING);
	scene_sent("BYE");
	assert_field(SIP_H_CSEQ, "2 BYE");
	assert_field(SIP_H_PRIVACY, "id");
	hang_up("");
	scene_respond(S.w->last, 200, NULL, "");
	assert_happened(S.w, "0:udp BYE, 0:ended bye sent");
	hang_up("");
	assert_happened(S.w, "");
}

static void test_to_and_route_as_given(void **state)
{
	const struct sip_invite invite = {
		.uri = VIEW("sip:bob@example.com"),
		.to = VIEW("Bob <sip:bob@example.com>"),
		.from = VIEW("<sip:alice@example.org>"),
		.contact = VIEW("<sip:alice@192.0.2.1>"),
		.routes = VIEW("<sip:192.0.2.9;lr>"),
		.flow = world_flow(SIP_UDP, PEER_AT),
	};

	(void)state;
	assert_int_equal(sip_session_invite(S.ua, &invite, &scene_handler, &S, S.w->now, &S.s), 0);
	assert_field(SIP_H_TO, "Bob <sip:bob@example.com>");
	assert_field(SIP_H_ROUTE, "<sip:192.0.2.9;lr>");
	scene_keep_invite();
	scene_answer(486, "b1");
	assert_happened(S.w, "0:udp INVITE, 0:udp ACK, 0:ended rejected 486");
}

static void test_an_invitation_that_cannot_be_sent(void **state)
{
	struct sip_invite invite = {.uri = VIEW("sip:b ob@example.com"),
				    .from = VIEW("<sip:alice@example.org>"),
				    .contact = VIEW("<sip:alice@192.0.2.1>"),
				    .flow = world_flow(SIP_UDP, PEER_AT)};
	struct sip_session *s = (struct sip_session *)&S;

	(void)state;
	assert_int_equal(sip_session_invite(S.ua, &invite, &scene_handler, &S, S.w->now, &s),
			 E_NOMEM);
	invite.uri = VIEW("sip:bob@example.com");
	invite.flow = (struct sip_flow){.transport = SIP_UDP};
	assert_int_equal(sip_session_invite(S.ua, &invite, &scene_handler, &S, S.w->now, &s),
			 E_ADDRESS);
	assert_ptr_equal(s, &S);
	assert_happened(S.w, "");
}

static void test_a_refusal(void **state)
{
	(void)state;
	scene_invite();
	scene_answer(603, "b1");
	assert_happened(S.w, "0:udp INVITE, 0:udp ACK, 0:ended rejected 603");
	scene_answer(603, "b1"); /* again: acknowledged again, told once */
	assert_happened(S.w, "0:udp ACK");
	assert_int_equal(S.ended, 1);
}

static void test_nobody_answers(void **state)
{
	(void)state;
	scene_invite();
	world_run(S.w, 33000);
	assert_happened(S.w, "0:udp INVITE, 500:udp INVITE, 1500:udp INVITE, 3500:udp INVITE, "
			     "7500:udp INVITE, 15500:udp INVITE, 31500:udp INVITE, "
			     "32000:ended timeout 408");
}

static void test_no_way_to_send(void **state)
{
	const struct sip_invite invite = {.uri = VIEW("sip:bob@example.com"),
					  .from = VIEW("<sip:alice@example.org>"),
					  .contact = VIEW("<sip:alice@192.0.2.1>"),
					  .flow = world_flow(SIP_TCP, PEER_AT)};

	(void)state;
	S.w->refuse_connect = true;
	assert_int_equal(sip_session_invite(S.ua, &invite, &scene_handler, &S, S.w->now, &S.s), 0);
	world_run(S.w, 1);
	assert_happened(S.w, "0:connect refused, 0:ended failed 503");
}

static void test_each_retransmission_of_the_2xx_gets_its_ack(void **state)
{
	char *ack, *bye;

	(void)state;
	scene_invite();
	scene_answer(200, "b1");
	ack = strdup(scene_sent("ACK"));
	world_run(S.w, 500);
	scene_answer(200, "b1");
	assert_happened(S.w, "0:udp INVITE, 0:udp ACK, 0:answered, 500:udp ACK");
	/* The same ACK, but for the branch (§13.2.2.4). */
	assert_string_equal(strstr(ack, "From:"), strstr(scene_sent("ACK"), "From:"));
	hang_up("");
	bye = strdup(scene_sent("BYE"));
	scene_answer(200, "b1");
	scene_respond(bye, 200, NULL, "");
	assert_happened(S.w, "500:udp BYE, 500:udp ACK, 500:ended bye sent");
	free(ack);
	free(bye);
	/* Even after the end, while the transaction lives (timer M). */
	scene_answer(200, "b1");
	assert_happened(S.w, "500:udp ACK");
	free_session();
	scene_answer(200, "b1");
	assert_happened(S.w, "500:udp ACK");
	world_run(S.w, 33000);
	scene_answer(200, "b1");
	assert_happened(S.w, "");
}

static void test_the_second_branch_of_a_fork_is_released(void **state)
{
	(void)state;
	scene_invite();
	scene_answer(180, "b1");
	scene_answer(180, "b2");
	scene_answer(200, "b2");
	buf_reset(&S.w->happened);
	scene_respond(S.invite, 200, "b1", "Contact: <sip:other@192.0.2.8>\r\n");
	assert_happened(S.w, "0:udp ACK, 0:udp BYE");
	scene_sent("BYE");
	assert_sent_to(S.w, "192.0.2.8:5060");
	assert_field(SIP_H_TO, "<sip:bob@example.com>;tag=b1");
	assert_field(SIP_H_CSEQ, "2 BYE");
	scene_respond(S.w->last, 200, NULL, "");
	/* Its 2xx again: the ACK alone. */
	scene_respond(S.invite, 200, "b1", "Contact: <sip:other@192.0.2.8>\r\n");
	assert_happened(S.w, "0:udp ACK");
	scene_sent("ACK");
	assert_sent_to(S.w, "192.0.2.8:5060");
	assert_field(SIP_H_TO, "<sip:bob@example.com>;tag=b1");
	/* The winner's has its own. */
	scene_answer(200, "b2");
	assert_field(SIP_H_TO, "<sip:bob@example.com>;tag=b2");
	assert_happened(S.w, "0:udp ACK");
	assert_int_equal(state_now(), SIP_SESSION_CONFIRMED);
}

static void test_a_late_fork_is_released_though_the_owner_is_gone(void **state)
{
	(void)state;
	scene_caller();
	S.in_ended = THEN_FREE;
	hang_up("");
	scene_respond(S.w->last, 200, NULL, "");
	assert_null(S.s);
	assert_happened(S.w, "0:udp BYE, 0:ended bye sent");
	scene_answer(200, "b2");
	assert_happened(S.w, "0:udp ACK, 0:udp BYE");
}

static void test_forks_are_capped(void **state)
{
	char tag[8];

	(void)state;
	scene_caller();
	for (int i = 0; i < 15; i++) {
		snprintf(tag, sizeof(tag), "f%d", i);
		scene_answer(200, tag);
	}
	buf_reset(&S.w->happened);
	scene_answer(200, "f14");
	assert_happened(S.w, "0:udp ACK");
	scene_answer(200, "f15");
	assert_happened(S.w, "");
}

static void test_a_2xx_without_contact_ends_it(void **state)
{
	(void)state;
	scene_invite();
	scene_respond(S.invite, 200, "b1", "");
	assert_happened(S.w, "0:udp INVITE, 0:ended failed 200");
	scene_respond(S.invite, 200, "b1", "");
	assert_happened(S.w, "");
}

static void test_credentials_go_into_the_ack(void **state)
{
	struct sip_auth a;

	(void)state;
	scene_invite();
	scene_respond(S.invite, 407, "x",
		      "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n");
	scene_keep_invite();
	assert_happened(S.w, "0:udp INVITE, 0:udp ACK, 0:udp INVITE");
	scene_answer(200, "b1");
	scene_sent("ACK");
	assert_field(SIP_H_CSEQ, "2 ACK");
	assert_int_equal(sip_auth_parse(world_field(S.w->last, SIP_H_PROXY_AUTHORIZATION), &a), 0);
	hang_up("");
	assert_field(SIP_H_CSEQ, "3 BYE");
	scene_respond(S.w->last, 407, NULL,
		      "Proxy-Authenticate: Digest realm=\"r\", nonce=\"m\", qop=\"auth\"\r\n");
	assert_field(SIP_H_CSEQ, "4 BYE");
	scene_respond(S.w->last, 200, NULL, "");
	assert_int_equal(S.ended, 1);
	buf_reset(&S.w->happened);
}

static void test_a_bye_is_authenticated_though_nobody_waits(void **state)
{
	(void)state;
	scene_caller();
	hang_up("");
	free_session();
	scene_respond(S.w->last, 407, NULL,
		      "Proxy-Authenticate: Digest realm=\"r\", nonce=\"m\", qop=\"auth\"\r\n");
	scene_sent("BYE");
	assert_field(SIP_H_CSEQ, "3 BYE");
	assert_true(world_field(S.w->last, SIP_H_PROXY_AUTHORIZATION).n > 0);
	assert_happened(S.w, "0:udp BYE, 0:udp BYE");
}

static void test_cancel_waits_for_a_provisional(void **state)
{
	(void)state;
	scene_invite();
	hang_up("");
	assert_int_equal(state_now(), SIP_SESSION_ENDING);
	assert_happened(S.w, "0:udp INVITE");
	scene_answer(100, NULL);
	assert_happened(S.w, "0:udp CANCEL");
	scene_respond(S.w->last, 200, "b1", "");
	scene_answer(180, "b1"); /* nobody wants to know any more */
	scene_answer(487, "b1");
	assert_happened(S.w, "0:udp ACK, 0:ended cancelled 487");
}

static void test_cancel_after_a_provisional(void **state)
{
	(void)state;
	scene_invite();
	scene_answer(180, "b1");
	hang_up("");
	assert_happened(S.w, "0:udp INVITE, 0:progress 180, 0:udp CANCEL");
	scene_sent("CANCEL");
	assert_field(SIP_H_CSEQ, "1 CANCEL");
	scene_answer(487, "b1");
	assert_happened(S.w, "0:udp ACK, 0:ended cancelled 487");
}

static void test_a_cancel_that_nobody_hears(void **state)
{
	(void)state;
	scene_invite();
	scene_answer(180, "b1");
	world_run(S.w, 60000);
	hang_up("");
	buf_reset(&S.w->happened);
	world_run(S.w, 91999);
	assert_int_equal(S.ended, 0);
	buf_reset(&S.w->happened);
	world_run(S.w, 93000);
	assert_happened(S.w, "92000:ended timeout 408");
}

static void test_a_200_that_crosses_the_cancel(void **state)
{
	(void)state;
	scene_invite();
	scene_answer(180, "b1");
	hang_up("");
	scene_respond(scene_sent("CANCEL"), 200, "b1", "");
	buf_reset(&S.w->happened);
	scene_answer(200, "b1");
	assert_happened(S.w, "0:udp ACK, 0:udp BYE");
	assert_int_equal(state_now(), SIP_SESSION_ENDING);
	scene_answer(200, "b1");
	assert_happened(S.w, "0:udp ACK");
	world_run(S.w, 500);
	scene_respond(scene_sent("BYE"), 200, NULL, "");
	assert_happened(S.w, "500:udp BYE, 500:ended bye sent");
}

static void test_a_200_before_the_cancel_could_go(void **state)
{
	(void)state;
	scene_invite();
	hang_up("");
	scene_answer(200, "b1");
	assert_happened(S.w, "0:udp INVITE, 0:udp ACK, 0:udp BYE");
}

static void test_our_reinvite(void **state)
{
	char *first;

	(void)state;
	scene_caller();
	assert_int_equal(reinvite(), 0);
	first = strdup(scene_sent("INVITE"));
	assert_field(SIP_H_CSEQ, "2 INVITE");
	assert_field(SIP_H_CONTACT, "<sip:new@192.0.2.1>");
	assert_non_null(strstr(first, "X-Re: 1\r\n"));
	assert_non_null(strstr(first, "\r\n\r\nagain"));
	assert_int_equal(reinvite(), E_STATE);
	scene_respond(first, 180, NULL, "");
	scene_respond(first, 200, NULL, "Contact: <sip:moved@192.0.2.8>\r\n");
	assert_happened(S.w, "0:udp INVITE, 0:udp ACK, 0:reinvited 200");
	scene_sent("ACK");
	assert_field(SIP_H_CSEQ, "2 ACK");
	/* The target is the new one (§12.2.1.2). */
	assert_sent_to(S.w, "192.0.2.8:5060");
	/* The next one need not wait until the transaction is gone. */
	assert_int_equal(reinvite(), 0);
	scene_sent("INVITE");
	assert_field(SIP_H_CSEQ, "3 INVITE");
	buf_reset(&S.w->happened);
	/* The first one's ACK was lost; so was that of the first INVITE. */
	scene_respond(first, 200, NULL, "Contact: <sip:moved@192.0.2.8>\r\n");
	assert_happened(S.w, "0:udp ACK");
	assert_field(SIP_H_CSEQ, "2 ACK");
	scene_answer(200, "b1");
	assert_happened(S.w, "0:udp ACK");
	assert_field(SIP_H_CSEQ, "1 ACK");
	free(first);
}

static void test_our_reinvite_refused(void **state)
{
	(void)state;
	scene_caller();
	assert_int_equal(reinvite(), 0);
	scene_respond(S.w->last, 488, NULL, "Contact: <sip:moved@192.0.2.8>\r\n");
	assert_happened(S.w, "0:udp INVITE, 0:udp ACK, 0:reinvited 488");
	assert_int_equal(state_now(), SIP_SESSION_CONFIRMED);
	assert_string_equal(sip_session_dialog(S.s)->target, "sip:peer@192.0.2.9");
	/* And at once the peer may ask, and we. */
	scene_peer("INVITE", 1, "");
	assert_happened(S.w, "0:udp 100, 0:reinvite, 0:udp 200");
	scene_peer("ACK", 1, "");
	assert_int_equal(reinvite(), 0);
}

static void test_our_reinvite_finds_no_dialog(void **state)
{
	(void)state;
	scene_caller();
	assert_int_equal(reinvite(), 0);
	scene_respond(S.w->last, 481, NULL, "");
	assert_happened(S.w, "0:udp INVITE, 0:udp ACK, 0:ended failed 481");
}

static void test_our_reinvite_gets_no_answer(void **state)
{
	(void)state;
	scene_caller();
	assert_int_equal(reinvite(), 0);
	S.in_ended = THEN_FREE;
	world_run(S.w, 31999);
	buf_reset(&S.w->happened);
	world_run(S.w, 32100);
	assert_happened(S.w, "32000:udp BYE, 32000:ended timeout 408");
	assert_null(S.s);
}

static void test_our_reinvite_gets_no_answer_and_the_bye_no_route(void **state)
{
	(void)state;
	scene_caller();
	assert_int_equal(reinvite(), 0);
	S.in_ended = THEN_FREE;
	S.no_route = true;
	world_run(S.w, 31999);
	buf_reset(&S.w->happened);
	world_run(S.w, 32100);
	assert_happened(S.w, "32000:ended failed");
	assert_null(S.s);
}

static void test_bye_while_our_reinvite_is_open(void **state)
{
	char *invite;

	(void)state;
	scene_caller();
	assert_int_equal(reinvite(), 0);
	invite = strdup(S.w->last);
	scene_peer("BYE", 1, "");
	assert_happened(S.w, "0:udp INVITE, 0:udp 200, 0:ended bye received BYE");
	scene_respond(invite, 487, NULL, "");
	assert_happened(S.w, "0:udp ACK");
	world_run(S.w, 40000);
	assert_happened(S.w, "");
	assert_int_equal(S.ended, 1);
	free(invite);
}

static void test_our_bye_while_our_reinvite_is_open(void **state)
{
	char *invite, *bye;

	(void)state;
	scene_caller();
	assert_int_equal(reinvite(), 0);
	invite = strdup(S.w->last);
	hang_up("");
	bye = strdup(S.w->last);
	scene_respond(invite, 481, NULL, "");
	scene_respond(bye, 200, NULL, "");
	assert_happened(S.w, "0:udp INVITE, 0:udp BYE, 0:udp ACK, 0:ended bye sent");
	free(invite);
	free(bye);
}

static void test_our_reinvite_answered_while_ending(void **state)
{
	char *invite;

	(void)state;
	scene_caller();
	assert_int_equal(reinvite(), 0);
	invite = strdup(S.w->last);
	hang_up("");
	scene_respond(invite, 200, NULL, "Contact: <sip:peer@192.0.2.9>\r\n");
	assert_happened(S.w, "0:udp INVITE, 0:udp BYE, 0:udp ACK");
	free(invite);
}

/* When the re-INVITE after a 491 goes, in ms after it. */
static uint64_t retry_after_491(void)
{
	uint64_t at = S.w->now - WORLD_BEGAN, told = at;

	assert_int_equal(reinvite(), 0);
	scene_respond(S.w->last, 491, NULL, "");
	assert_int_equal(reinvite(), E_STATE);
	buf_reset(&S.w->happened);
	/* It may be at once. */
	for (world_run(S.w, at); S.w->happened.n == 0 && at < told + 10000;)
		world_run(S.w, ++at);
	scene_sent("INVITE");
	assert_non_null(strstr(S.w->last, "X-Re: 1\r\n"));
	scene_respond(S.w->last, 200, NULL, "Contact: <sip:peer@192.0.2.9>\r\n");
	buf_putc(&S.w->happened, '\0');
	assert_non_null(strstr(S.w->happened.p, "reinvited 200"));
	buf_reset(&S.w->happened);
	return at - told;
}

static void assert_retries(uint64_t least, uint64_t most, uint64_t spread)
{
	uint64_t min = UINT64_MAX, max = 0;

	for (int i = 0; i < 40; i++) {
		uint64_t t = retry_after_491();

		assert_in_range(t, least, most);
		assert_int_equal(t % 10, 0);
		min = t < min ? t : min;
		max = t > max ? t : max;
	}
	assert_true(max - min > spread);
}

static void test_glare_the_callers_retry(void **state)
{
	(void)state;
	scene_caller();
	assert_retries(2100, 4000, 1000);
}

static void test_glare_the_callees_retry(void **state)
{
	(void)state;
	scene_callee();
	assert_retries(0, 2000, 1000);
}

static void test_glare_from_both_sides(void **state)
{
	char *ours;

	(void)state;
	scene_caller();
	assert_int_equal(reinvite(), 0);
	ours = strdup(S.w->last);
	scene_peer("INVITE", 1, "");
	assert_happened(S.w, "0:udp INVITE, 0:udp 491");
	scene_respond(ours, 491, NULL, "");
	assert_happened(S.w, "0:udp ACK");
	/* The peer, who does not own the Call-ID, is the first to try again. */
	S.late_reinvite = true;
	world_run(S.w, 2000);
	buf_reset(&S.w->happened);
	scene_peer("INVITE", 2, "");
	assert_happened(S.w, "2000:udp 100, 2000:reinvite");
	/* Ours waits for its end, as long as it takes. */
	world_run(S.w, 9000);
	buf_putc(&S.w->happened, '\0');
	assert_null(strstr(S.w->happened.p, "INVITE"));
	buf_reset(&S.w->happened);
	assert_int_equal(sip_session_answer_reinvite(S.s, S.tx, VIEW("<sip:me@192.0.2.1>"),
						     VIEW(""), VIEW(""), VIEW(""), S.w->now),
			 0);
	scene_peer("ACK", 2, "");
	assert_happened(S.w, "9000:udp 200");
	world_run(S.w, 14000);
	scene_sent("INVITE");
	buf_reset(&S.w->happened);
	free(ours);
}

static void test_the_end_while_waiting_to_try_again(void **state)
{
	(void)state;
	scene_caller();
	assert_int_equal(reinvite(), 0);
	scene_respond(S.w->last, 491, NULL, "");
	scene_peer("BYE", 1, "");
	buf_reset(&S.w->happened);
	world_run(S.w, 10000);
	assert_happened(S.w, "");
}

static void test_the_retry_has_no_route(void **state)
{
	(void)state;
	scene_caller();
	assert_int_equal(reinvite(), 0);
	scene_respond(S.w->last, 491, NULL, "");
	S.no_route = true;
	S.in_ended = THEN_FREE;
	world_run(S.w, 10000);
	assert_int_equal(S.ended, 1);
	assert_null(S.s);
	buf_reset(&S.w->happened);
}

#define TESTS(X)                                                                                   \
	X(test_IC_7_1_5_1_and_IC_7_1_5_3__answered_and_hung_up, scene_setup)                       \
	X(test_to_and_route_as_given, scene_setup)                                                 \
	X(test_an_invitation_that_cannot_be_sent, scene_setup)                                     \
	X(test_a_refusal, scene_setup)                                                             \
	X(test_nobody_answers, scene_setup)                                                        \
	X(test_no_way_to_send, scene_setup)                                                        \
	X(test_each_retransmission_of_the_2xx_gets_its_ack, scene_setup)                           \
	X(test_the_second_branch_of_a_fork_is_released, scene_setup)                               \
	X(test_a_late_fork_is_released_though_the_owner_is_gone, scene_setup)                      \
	X(test_forks_are_capped, scene_setup)                                                      \
	X(test_a_2xx_without_contact_ends_it, scene_setup)                                         \
	X(test_credentials_go_into_the_ack, scene_setup_credentials)                               \
	X(test_a_bye_is_authenticated_though_nobody_waits, scene_setup_credentials)                \
	X(test_cancel_waits_for_a_provisional, scene_setup)                                        \
	X(test_cancel_after_a_provisional, scene_setup)                                            \
	X(test_a_cancel_that_nobody_hears, scene_setup)                                            \
	X(test_a_200_that_crosses_the_cancel, scene_setup)                                         \
	X(test_a_200_before_the_cancel_could_go, scene_setup)                                      \
	X(test_our_reinvite, scene_setup)                                                          \
	X(test_our_reinvite_refused, scene_setup)                                                  \
	X(test_our_reinvite_finds_no_dialog, scene_setup)                                          \
	X(test_our_reinvite_gets_no_answer, scene_setup)                                           \
	X(test_our_reinvite_gets_no_answer_and_the_bye_no_route, scene_setup)                      \
	X(test_bye_while_our_reinvite_is_open, scene_setup)                                        \
	X(test_our_bye_while_our_reinvite_is_open, scene_setup)                                    \
	X(test_our_reinvite_answered_while_ending, scene_setup)                                    \
	X(test_glare_the_callers_retry, scene_setup)                                               \
	X(test_glare_the_callees_retry, scene_setup)                                               \
	X(test_glare_from_both_sides, scene_setup)                                                 \
	X(test_the_end_while_waiting_to_try_again, scene_setup)                                    \
	X(test_the_retry_has_no_route, scene_setup)

int main(void)
{
	const struct CMUnitTest server[] = {TESTS(SCENE_AS_SERVER)};
	const struct CMUnitTest client[] = {TESTS(SCENE_AS_CLIENT)};

	return cmocka_run_group_tests(server, NULL, NULL) +
	       cmocka_run_group_tests(client, NULL, NULL);
}
