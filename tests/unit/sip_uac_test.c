/* Requests that answer a challenge by themselves: RFC 3261 §8.1.3.5, §22. */
#include "sip_ua_world.h"

#include "sip/digest.h"

static struct sip_challenger server, proxy;
static struct sip_uac *uac;
static bool detach_at_failure;

static void uac_response(void *ctx, struct sip_uac *u, const struct sip_msg *m, uint64_t now_ms)
{
	(void)now_ms;
	assert_ptr_equal(u, uac);
	assert_ptr_equal(ctx, &S);
	world_note(S.w, "told %u", m->status);
}

static void uac_failed(void *ctx, struct sip_uac *u, int error, uint64_t now_ms)
{
	(void)ctx;
	(void)now_ms;
	world_note(S.w, "failed %s", error_name(error));
	if (detach_at_failure) {
		sip_uac_detach(u);
		uac = NULL;
	}
}

static void uac_gone(void *ctx, struct sip_uac *u)
{
	(void)ctx;
	assert_ptr_equal(u, uac);
	uac = NULL;
	world_note(S.w, "gone");
}

static const struct sip_uac_handler handler = {uac_response, uac_failed, uac_gone};

static int begin(void **state)
{
	(void)state;
	scene_begin("alice", "secret");
	sip_challenger_init(&server, io_digest(), &S.w->entropy, VIEW("home"), 300000);
	sip_challenger_init(&proxy, io_digest(), &S.w->entropy, VIEW("outside"), 300000);
	uac = NULL;
	detach_at_failure = false;
	return 0;
}

static int begin_without_credentials(void **state)
{
	(void)state;
	begin(state);
	sip_ua_free(S.ua);
	S.ua = sip_ua_new(S.w->stack, &(struct sip_ua_config){.digest = io_digest(),
							      .max_dialogs = 10,
							      .next_hop = scene_next_hop});
	assert_non_null(S.ua);
	return 0;
}

static int end(void **state)
{
	(void)state;
	sip_challenger_fini(&server);
	sip_challenger_fini(&proxy);
	detach_at_failure = false;
	scene_end(true);
	return 0;
}

static void send(const char *method, const char *extra, size_t body_n, uint32_t *seq)
{
	char *text = world_request_text(method, extra, body_n);
	struct sip_flow to = world_flow(SIP_UDP, PEER_AT);

	assert_int_equal(sip_uac_send(S.ua, view_str(text), &to, seq, &handler, &S, S.w->now, &uac),
			 0);
	free(text);
}

/* Challenge lines of both kinds, in the order that is asked for. */
static char *challenges(bool of_server, bool of_proxy, bool stale)
{
	struct buf b;
	size_t n;

	buf_init(&b, 1 << 14);
	if (of_server)
		sip_challenge_write(&b, &server, false, stale, S.w->now);
	if (of_proxy)
		sip_challenge_write(&b, &proxy, true, stale, S.w->now);
	buf_putc(&b, '\0');
	return buf_take(&b, &n);
}

/* The last request is challenged. */
static void challenge(int status, bool of_server, bool of_proxy, bool stale)
{
	char *lines = challenges(of_server, of_proxy, stale);
	char *request = strdup(S.w->last);

	scene_respond(request, status, "t", lines);
	free(request);
	free(lines);
}

static enum sip_auth_result verify(bool is_proxy, const char *password)
{
	struct sip_challenger *c = is_proxy ? &proxy : &server;
	char md5[SIP_HA1_SIZE], sha[SIP_HA1_SIZE];
	struct sip_auth a;
	struct sip_msg m;

	assert_int_equal(sip_msg_parse(view_of(S.w->last, S.w->last_n), &m), 0);
	if (sip_credentials_find(&m, is_proxy, c->realm, &a))
		return SIP_AUTH_OTHER_REALM;
	sip_digest_ha1(io_digest(), SIP_DIGEST_MD5, VIEW("alice"), c->realm, view_str(password),
		       md5);
	sip_digest_ha1(io_digest(), SIP_DIGEST_SHA256, VIEW("alice"), c->realm, view_str(password),
		       sha);
	assert_view(a.username, "alice");
	return sip_challenge_verify(c, &a, m.method_name, m.uri, md5, sha, S.w->now);
}

static void test_a_challenge_is_answered_and_not_passed_up(void **state)
{
	(void)state;
	send("MESSAGE", "X-Mine: 1\r\nRoute: <sip:192.0.2.9;lr>\r\nContent-Type: text/plain\r\n", 5,
	     NULL);
	assert_happened(S.w, "0:udp MESSAGE");
	challenge(401, true, false, false);
	assert_happened(S.w, "0:udp MESSAGE");
	assert_int_equal(verify(false, "secret"), SIP_AUTH_OK);
	assert_field(SIP_H_CSEQ, "8 MESSAGE");
	assert_field(SIP_H_CALL_ID, "c1@example.org");
	assert_field(SIP_H_FROM, "<sip:alice@example.org>;tag=a1");
	assert_field(SIP_H_ROUTE, "<sip:192.0.2.9;lr>");
	assert_field(SIP_H_CONTENT_TYPE, "text/plain");
	assert_field(SIP_H_CONTENT_LENGTH, "5");
	assert_non_null(strstr(S.w->last, "X-Mine: 1\r\n"));
	assert_non_null(strstr(S.w->last, "\r\n\r\nxxxxx"));
	scene_respond(S.w->last, 200, "t", "");
	assert_happened(S.w, "0:told 200");
	world_run(S.w, 10000);
	assert_happened(S.w, "5000:gone");
}

static void test_a_proxys_challenge(void **state)
{
	(void)state;
	send("MESSAGE", "", 0, NULL);
	challenge(407, false, true, false);
	assert_int_equal(verify(true, "secret"), SIP_AUTH_OK);
	assert_int_equal(verify(false, "secret"), SIP_AUTH_OTHER_REALM);
	assert_happened(S.w, "0:udp MESSAGE, 0:udp MESSAGE");
}

static void test_wrong_credentials_are_passed_up(void **state)
{
	(void)state;
	send("MESSAGE", "", 0, NULL);
	challenge(401, true, false, false);
	assert_int_equal(verify(false, "another"), SIP_AUTH_WRONG);
	buf_reset(&S.w->happened);
	challenge(401, true, false, false);
	assert_happened(S.w, "0:told 401");
}

static void test_a_stale_nonce_is_answered_anew(void **state)
{
	(void)state;
	send("MESSAGE", "", 0, NULL);
	challenge(401, true, false, false);
	assert_field(SIP_H_CSEQ, "8 MESSAGE");
	world_run(S.w, 310000);
	buf_reset(&S.w->happened);
	/* Too late for that one: again, now with a nonce gone stale. */
	send("MESSAGE", "", 0, NULL);
	challenge(401, true, false, false);
	challenge(401, true, false, true);
	assert_happened(S.w, "310000:udp MESSAGE, 310000:udp MESSAGE, 310000:udp MESSAGE");
	assert_field(SIP_H_CSEQ, "9 MESSAGE");
	assert_int_equal(verify(false, "secret"), SIP_AUTH_OK);
	/* One set of credentials for the realm, not two. */
	{
		struct sip_msg m;
		int first;

		assert_int_equal(sip_msg_parse(view_of(S.w->last, S.w->last_n), &m), 0);
		first = sip_msg_field(&m, SIP_H_AUTHORIZATION, -1);
		assert_true(first >= 0);
		assert_int_equal(sip_msg_field(&m, SIP_H_AUTHORIZATION, first), -1);
	}
}

static void test_stale_for_ever_comes_to_an_end(void **state)
{
	int tries = 0;

	(void)state;
	send("MESSAGE", "", 0, NULL);
	challenge(401, true, false, false);
	do {
		buf_reset(&S.w->happened);
		challenge(401, true, false, true);
		tries++;
		buf_putc(&S.w->happened, '\0');
	} while (tries < 20 && !strstr(S.w->happened.p, "told 401"));
	assert_in_range(tries, 1, 5);
	buf_reset(&S.w->happened);
}

static void test_stale_of_the_nonce_just_used_is_passed_up(void **state)
{
	char *same;
	char *request;

	(void)state;
	send("MESSAGE", "", 0, NULL);
	same = challenges(true, false, true);
	request = strdup(S.w->last);
	scene_respond(request, 401, "t", same);
	free(request);
	buf_reset(&S.w->happened);
	request = strdup(S.w->last);
	scene_respond(request, 401, "t", same);
	assert_happened(S.w, "0:told 401");
	free(request);
	free(same);
}

static void test_server_and_proxy_one_after_the_other(void **state)
{
	(void)state;
	send("MESSAGE", "", 0, NULL);
	challenge(407, false, true, false);
	assert_int_equal(verify(true, "secret"), SIP_AUTH_OK);
	challenge(401, true, false, false);
	assert_happened(S.w, "0:udp MESSAGE, 0:udp MESSAGE, 0:udp MESSAGE");
	assert_int_equal(verify(false, "secret"), SIP_AUTH_OK);
	/* The proxy's still go along: its next challenge would refuse them. */
	assert_true(sip_auth_parse(world_field(S.w->last, SIP_H_PROXY_AUTHORIZATION),
				   &(struct sip_auth){0}) == 0);
	assert_int_equal(verify(true, "other"), SIP_AUTH_WRONG);
	assert_field(SIP_H_CSEQ, "9 MESSAGE");
}

static void test_both_in_one_response(void **state)
{
	(void)state;
	send("MESSAGE", "", 0, NULL);
	challenge(401, true, true, false);
	assert_int_equal(verify(true, "secret"), SIP_AUTH_OK);
	assert_int_equal(verify(false, "secret"), SIP_AUTH_OK);
	assert_field(SIP_H_CSEQ, "8 MESSAGE");
}

static void assert_algorithm(const char *expected)
{
	struct sip_auth a;

	send("MESSAGE", "", 0, NULL);
	challenge(401, true, false, false);
	assert_int_equal(sip_auth_parse(world_field(S.w->last, SIP_H_AUTHORIZATION), &a), 0);
	assert_view(a.algorithm, expected);
	sip_uac_detach(uac);
	uac = NULL;
}

static void test_the_strongest_algorithm_is_taken(void **state)
{
	(void)state;
	assert_algorithm("SHA-256");
	server.offer_sha256 = false;
	assert_algorithm("MD5");
}

static void test_challenges_that_cannot_be_answered(void **state)
{
	static const char *const lines[] = {
		"",
		"WWW-Authenticate: Basic realm=\"home\"\r\n",
		"WWW-Authenticate: Digest realm=\"home\", nonce=\"n\", algorithm=SHA-512-256, "
		"qop=\"auth\"\r\n",
		"WWW-Authenticate: Digest realm=\"home\", nonce=\"n\", qop=\"auth-int\"\r\n",
		"WWW-Authenticate: Digest realm=\"home\", nonce=\"n\"\r\n",
		"WWW-Authenticate: Digest realm=\"home\", qop=\"auth\"\r\n",
		"WWW-Authenticate: Digest nonsense\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char *request;

		send("MESSAGE", "", 0, NULL);
		buf_reset(&S.w->happened);
		request = strdup(S.w->last);
		scene_respond(request, 401, "t", lines[i]);
		free(request);
		buf_putc(&S.w->happened, '\0');
		assert_non_null(strstr(S.w->happened.p, "told 401"));
		world_run(S.w, (i + 1) * 10000);
		assert_null(uac);
	}
	buf_reset(&S.w->happened);
}

static void test_without_credentials_the_challenge_is_passed_up(void **state)
{
	(void)state;
	send("MESSAGE", "", 0, NULL);
	challenge(401, true, false, false);
	assert_happened(S.w, "0:udp MESSAGE, 0:told 401");
}

static void test_an_invite_is_acknowledged_and_sent_again(void **state)
{
	(void)state;
	send("INVITE", "Contact: <sip:alice@192.0.2.1>\r\n", 0, NULL);
	challenge(407, false, true, false);
	assert_happened(S.w, "0:udp INVITE, 0:udp ACK, 0:udp INVITE");
	assert_field(SIP_H_CSEQ, "8 INVITE");
	assert_int_equal(verify(true, "secret"), SIP_AUTH_OK);
	/* A retransmission of the 407 concerns the first INVITE alone. */
	challenge(407, false, true, false);
	buf_reset(&S.w->happened);
	world_run(S.w, 100);
	assert_happened(S.w, "");
}

static void test_after_cancel_no_challenge_is_answered(void **state)
{
	char *request;

	(void)state;
	send("INVITE", "Contact: <sip:alice@192.0.2.1>\r\n", 0, NULL);
	request = strdup(S.w->last);
	sip_uac_cancel(uac, VIEW(""), S.w->now);
	{
		char *lines = challenges(true, false, false);

		scene_respond(request, 401, "t", lines);
		free(lines);
	}
	assert_happened(S.w, "0:udp INVITE, 0:udp ACK, 0:told 401");
	free(request);
}

static void test_cseq_moves_on_with_the_counter(void **state)
{
	uint32_t seq = 7;

	(void)state;
	send("REGISTER", "", 0, &seq);
	challenge(401, true, false, false);
	assert_int_equal(seq, 8);
	assert_field(SIP_H_CSEQ, "8 REGISTER");
	seq = 20; /* others were sent meanwhile */
	challenge(401, true, false, true);
	assert_int_equal(seq, 21);
	assert_field(SIP_H_CSEQ, "21 REGISTER");
	sip_uac_detach(uac);
	uac = NULL;
}

static void test_refused_credentials_take_no_number(void **state)
{
	uint32_t seq = 7;

	(void)state;
	send("REGISTER", "", 0, &seq);
	challenge(401, true, false, false);
	challenge(401, true, false, false);
	assert_int_equal(seq, 8);
}

static struct sip_dialog dialog;

static void ignore_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
			   uint64_t now_ms)
{
	(void)ctx;
	(void)m;
	(void)sip_server_tx_reply(tx, 200, NULL, VIEW(""), now_ms);
}

static const struct sip_dialog_owner owner = {.on_request = ignore_request};

static void in_dialog(const char *method)
{
	struct sip_flow to = world_flow(SIP_UDP, PEER_AT);
	struct buf b;

	buf_init(&b, 1 << 16);
	sip_dialog_write_request(&dialog, &b, view_str(method), 0);
	sip_write_body(&b, VIEW(""), VIEW(""));
	assert_int_equal(sip_uac_send(S.ua, buf_view(&b), &to, &dialog.local_seq, &handler, &S,
				      S.w->now, &uac),
			 0);
	buf_fini(&b);
}

static void make_dialog(void)
{
	char *request = world_request_text("INVITE", "", 0);
	char *response =
		world_response_text(request, 200, "b1", "Contact: <sip:peer@192.0.2.9>\r\n");
	struct sip_msg q, m;

	assert_int_equal(sip_msg_parse(view_str(request), &q), 0);
	assert_int_equal(sip_msg_parse(view_str(response), &m), 0);
	assert_int_equal(sip_dialog_init_uac(&dialog, S.ua, &q, &m, &owner, NULL), 0);
	free(request);
	free(response);
}

static void test_in_a_dialog_the_dialogs_counter_moves_on(void **state)
{
	(void)state;
	make_dialog();
	in_dialog("INFO");
	assert_field(SIP_H_CSEQ, "8 INFO");
	challenge(407, false, true, false);
	assert_field(SIP_H_CSEQ, "9 INFO");
	assert_int_equal(dialog.local_seq, 9);
	scene_respond(S.w->last, 200, "b1", "");
	world_run(S.w, 6000);
	in_dialog("INFO");
	assert_field(SIP_H_CSEQ, "10 INFO");
	sip_dialog_fini(&dialog);
	/* The counter is gone with the dialog; the request goes on. */
	challenge(407, false, true, false);
	assert_field(SIP_H_CSEQ, "11 INFO");
	assert_int_equal(verify(true, "secret"), SIP_AUTH_OK);
	buf_reset(&S.w->happened);
}

static void test_timeout(void **state)
{
	(void)state;
	send("MESSAGE", "", 0, NULL);
	buf_reset(&S.w->happened);
	world_run(S.w, 31999);
	buf_reset(&S.w->happened);
	world_run(S.w, 33000);
	assert_happened(S.w, "32000:failed E_TIMEOUT, 32000:gone");
}

static void test_detached_inside_the_failure(void **state)
{
	(void)state;
	detach_at_failure = true;
	send("MESSAGE", "", 0, NULL);
	world_run(S.w, 33000);
	assert_null(uac);
	buf_putc(&S.w->happened, '\0');
	assert_null(strstr(S.w->happened.p, "gone"));
	buf_reset(&S.w->happened);
}

static void test_detached_it_still_answers_the_challenge(void **state)
{
	uint32_t seq = 7;

	(void)state;
	send("MESSAGE", "", 0, &seq);
	sip_uac_detach(uac);
	challenge(401, true, false, false);
	assert_int_equal(seq, 7);
	assert_field(SIP_H_CSEQ, "8 MESSAGE");
	assert_int_equal(verify(false, "secret"), SIP_AUTH_OK);
	scene_respond(S.w->last, 200, "t", "");
	assert_happened(S.w, "0:udp MESSAGE, 0:udp MESSAGE");
	uac = NULL;
}

/* The second try has no room in the largest message that may be. */
static void test_the_second_try_does_not_fit(void **state)
{
	size_t n;

	(void)state;
	send("MESSAGE", "", S.w->cfg.max_message - 500, NULL);
	buf_reset(&S.w->happened);
	n = S.w->last_n;
	challenge(401, true, false, false);
	assert_int_equal(S.w->last_n, n);
	assert_happened(S.w, "0:failed E_LIMIT, 0:gone");
}

static void test_bad_requests(void **state)
{
	struct sip_flow to = world_flow(SIP_UDP, PEER_AT), nowhere = {.transport = SIP_UDP};
	struct sip_uac *out = (struct sip_uac *)&S;

	(void)state;
	assert_int_equal(
		sip_uac_send(S.ua, VIEW("nonsense"), &to, NULL, &handler, &S, S.w->now, &out),
		E_SYNTAX);
	assert_int_equal(sip_uac_send(S.ua, VIEW("A b SIP/2.0\r\n\r\n"), &nowhere, NULL, &handler,
				      &S, S.w->now, &out),
			 E_ADDRESS);
	assert_ptr_equal(out, &S);
	assert_happened(S.w, "");
}

static void test_the_ua_goes_first(void **state)
{
	(void)state;
	send("MESSAGE", "", 0, NULL);
	sip_ua_free(S.ua);
	S.ua = NULL;
	assert_happened(S.w, "0:udp MESSAGE, 0:gone");
	world_run(S.w, 40000);
	buf_reset(&S.w->happened);
}

static void test_without_a_handler(void **state)
{
	struct sip_flow to = world_flow(SIP_UDP, PEER_AT);
	char *text = world_request_text("MESSAGE", "", 0);

	(void)state;
	assert_int_equal(sip_uac_send(S.ua, view_str(text), &to, NULL, NULL, NULL, S.w->now, NULL),
			 0);
	free(text);
	challenge(401, true, false, false);
	assert_int_equal(verify(false, "secret"), SIP_AUTH_OK);
	scene_respond(S.w->last, 200, "t", "");
	world_run(S.w, 40000);
	assert_happened(S.w, "0:udp MESSAGE, 0:udp MESSAGE");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_a_challenge_is_answered_and_not_passed_up),
		T(test_a_proxys_challenge),
		T(test_wrong_credentials_are_passed_up),
		T(test_a_stale_nonce_is_answered_anew),
		T(test_stale_for_ever_comes_to_an_end),
		T(test_stale_of_the_nonce_just_used_is_passed_up),
		T(test_server_and_proxy_one_after_the_other),
		T(test_both_in_one_response),
		T(test_the_strongest_algorithm_is_taken),
		T(test_challenges_that_cannot_be_answered),
		cmocka_unit_test_setup_teardown(test_without_credentials_the_challenge_is_passed_up,
						begin_without_credentials, end),
		T(test_an_invite_is_acknowledged_and_sent_again),
		T(test_after_cancel_no_challenge_is_answered),
		T(test_cseq_moves_on_with_the_counter),
		T(test_refused_credentials_take_no_number),
		T(test_in_a_dialog_the_dialogs_counter_moves_on),
		T(test_timeout),
		T(test_detached_inside_the_failure),
		T(test_detached_it_still_answers_the_challenge),
		T(test_the_second_try_does_not_fit),
		T(test_bad_requests),
		T(test_the_ua_goes_first),
		T(test_without_a_handler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
