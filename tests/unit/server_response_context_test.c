/* How the answers of the branches become one: RFC 3261 §16.7 to §16.10, RFC 6026 §7.3. */
#include "server_world.h"

static void test_FL_10__the_phone_without_the_dialog_says_481_and_the_other_wins(void **state)
{
	struct fork f = fork_of("INVITE");

	(void)state;
	assert_string_not_equal(via_branch_of(f.w, f.got[0]), via_branch_of(f.w, f.got[1]));
	phone_answers(&f.bo[0], f.got[0], 481, "");
	assert_int_equal(phone_status(&f.ann), 0);
	phone_answers(&f.bo[1], f.got[1], 200, contact_of(&f.bo[1]));
	assert_int_equal(phone_status(&f.ann), 200);
	world_run(f.w, 70000);
	assert_int_equal(phone_status(&f.ann), 0);
	assert_int_equal(sip_stack_tx_count(f.w->stack), 0);
	world_end(f.w);
}

static void test_FL_10__busy_says_more_than_481(void **state)
{
	struct fork f = fork_of("INVITE");

	(void)state;
	phone_answers(&f.bo[0], f.got[0], 481, "");
	phone_answers(&f.bo[1], f.got[1], 486, "");
	assert_int_equal(phone_status(&f.ann), 486);
	world_end(f.w);
}

static void test_first_200_cancels_the_other_branches(void **state)
{
	struct fork f = fork_of("INVITE");
	char *cancel;

	(void)state;
	phone_answers(&f.bo[0], f.got[0], 180, "");
	phone_answers(&f.bo[1], f.got[1], 200, contact_of(&f.bo[1]));
	assert_int_equal(phone_status(&f.ann), 180);
	assert_int_equal(phone_status(&f.ann), 200);
	cancel = phone_next(&f.bo[0]);
	assert_non_null(strstr(cancel, "CANCEL "));
	assert_non_null(strstr(header(f.w, cancel, "Reason"), "cause=200"));
	phone_answers(&f.bo[0], cancel, 200, "");
	phone_answers(&f.bo[0], f.got[0], 487, "");
	assert_int_equal(phone_status(&f.ann), 0);
	world_end(f.w);
}

static void test_both_200_go_up(void **state)
{
	struct fork f = fork_of("INVITE");

	(void)state;
	phone_answers(&f.bo[0], f.got[0], 200, contact_of(&f.bo[0]));
	phone_answers(&f.bo[1], f.got[1], 200, contact_of(&f.bo[1]));
	assert_int_equal(phone_status(&f.ann), 200);
	assert_int_equal(phone_status(&f.ann), 200);
	world_end(f.w);
}

static void test_one_200_to_a_message(void **state)
{
	struct fork f = fork_of("MESSAGE");

	(void)state;
	phone_answers(&f.bo[0], f.got[0], 200, "");
	phone_answers(&f.bo[1], f.got[1], 200, "");
	assert_int_equal(phone_status(&f.ann), 200);
	assert_int_equal(phone_status(&f.ann), 0);
	world_end(f.w);
}

static void test_603_ends_the_search(void **state)
{
	struct fork f = fork_of("INVITE");
	char *cancel;

	(void)state;
	phone_answers(&f.bo[0], f.got[0], 180, "");
	phone_answers(&f.bo[1], f.got[1], 603, "");
	assert_int_equal(phone_status(&f.ann), 180);
	assert_int_equal(phone_status(&f.ann), 0);
	cancel = phone_next(&f.bo[0]);
	assert_non_null(strstr(cancel, "CANCEL "));
	phone_answers(&f.bo[0], f.got[0], 487, "");
	assert_int_equal(phone_status(&f.ann), 603);
	world_end(f.w);
}

static void test_challenges_are_gathered(void **state)
{
	struct fork f = fork_of("INVITE");
	char *text;

	(void)state;
	phone_answers(&f.bo[0], f.got[0], 407,
		      "Proxy-Authenticate: Digest realm=\"one\", nonce=\"1\"\n");
	phone_answers(&f.bo[1], f.got[1], 401,
		      "WWW-Authenticate: Digest realm=\"two\", nonce=\"2\"\n");
	phone_next(&f.ann); /* 100 */
	text = phone_next(&f.ann);
	assert_int_equal(parsed(text).status, 407);
	assert_non_null(strstr(header(f.w, text, "Proxy-Authenticate"), "one"));
	assert_non_null(strstr(header(f.w, text, "WWW-Authenticate"), "two"));
	world_end(f.w);
}

static void test_cancel_reaches_all_branches(void **state)
{
	struct fork f = fork_of("INVITE");

	(void)state;
	phone_answers(&f.bo[0], f.got[0], 180, "");
	phone_answers(&f.bo[1], f.got[1], 180, "");
	phone_send(&f.ann, crlf(f.w, textf(f.w,
					   "CANCEL " BO_URI " SIP/2.0\n"
					   "Via: SIP/2.0/UDP 192.0.2.11:5060;%s\n"
					   "From: <sip:ann@example.com>;tag=ann-tag\n"
					   "To: " BO "\n"
					   "Call-ID: call-of-ann\n"
					   "CSeq: 1 CANCEL\n"
					   "Reason: SIP;cause=487\n"
					   "Content-Length: 0\n\n",
					   via_branch_of(f.w, f.invite))));
	for (int i = 0; i < 2; i++) {
		char *cancel = phone_next(&f.bo[i]);

		assert_non_null(strstr(cancel, "CANCEL "));
		assert_string_equal(header(f.w, cancel, "Reason"), "SIP;cause=487");
		phone_answers(&f.bo[i], cancel, 200, "");
		phone_answers(&f.bo[i], f.got[i], 487, "");
	}
	assert_int_equal(phone_status(&f.ann), 180);
	assert_int_equal(phone_status(&f.ann), 180);
	assert_int_equal(phone_status(&f.ann), 200); /* to the CANCEL */
	assert_int_equal(phone_status(&f.ann), 487);
	world_end(f.w);
}

static void test_silence_is_408(void **state)
{
	struct call c = simple_call();

	(void)state;
	world_run(c.w, 32001);
	assert_int_equal(phone_status(&c.ann), 408);
	world_end(c.w);
}

static void test_RFC_4320__silence_to_a_message_stays_silence(void **state)
{
	struct fork f = fork_of("MESSAGE");

	(void)state;
	world_run(f.w, 40000);
	assert_int_equal(phone_status(&f.ann), 0);
	assert_int_equal(sip_stack_tx_count(f.w->stack), 0);
	world_end(f.w);
}

static void test_timer_C_ends_what_rings_for_ever(void **state)
{
	struct call c = simple_call();
	char *text;

	(void)state;
	phone_answers(&c.bo, c.forwarded, 180, "");
	world_run(c.w, 180000);
	phone_answers(&c.bo, c.forwarded, 183, ""); /* begins anew */
	world_run(c.w, 180000);
	assert_null(phone_next(&c.bo));
	world_run(c.w, 1001);
	text = phone_next(&c.bo);
	assert_non_null(strstr(text, "CANCEL "));
	phone_answers(&c.bo, c.forwarded, 487, "");
	assert_int_equal(phone_status(&c.ann), 180);
	assert_int_equal(phone_status(&c.ann), 183);
	assert_int_equal(phone_status(&c.ann), 487);
	world_end(c.w);
}

static void test_503_of_a_branch_is_500_and_refused_connection_too(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_tcp(w, "bo", "192.0.2.12:9");
	struct call c = simple_call();

	(void)state;
	phone_answers(&c.bo, c.forwarded, 503, "Retry-After: 9\n");
	assert_int_equal(phone_status(&c.ann), 500);
	world_end(c.w);

	phone_registers(&ann, IM_CONTACT);
	phone_registers(&bo, IM_CONTACT);
	phone_hangs_up(&bo);
	phone_send(&ann, phone_request(&ann, "MESSAGE", BO_URI, BO, 1, ""));
	assert_int_equal(phone_status(&ann), 500);
	world_end(w);
}

static void test_core_may_go_while_calls_are_on(void **state)
{
	struct fork f = fork_of("INVITE");
	struct call c = simple_call();

	(void)state;
	phone_answers(&f.bo[0], f.got[0], 180, "");
	world_end(f.w);
	/* The stack first. */
	phone_answers(&c.bo, c.forwarded, 200, contact_of(&c.bo));
	sip_stack_free(c.w->stack);
	core_free(c.w->core);
	for (size_t i = 0; i < c.w->n_texts; i++)
		free(c.w->text[i]);
	free(c.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_FL_10__the_phone_without_the_dialog_says_481_and_the_other_wins),
		cmocka_unit_test(test_FL_10__busy_says_more_than_481),
		cmocka_unit_test(test_first_200_cancels_the_other_branches),
		cmocka_unit_test(test_both_200_go_up),
		cmocka_unit_test(test_one_200_to_a_message),
		cmocka_unit_test(test_603_ends_the_search),
		cmocka_unit_test(test_challenges_are_gathered),
		cmocka_unit_test(test_cancel_reaches_all_branches),
		cmocka_unit_test(test_silence_is_408),
		cmocka_unit_test(test_RFC_4320__silence_to_a_message_stays_silence),
		cmocka_unit_test(test_timer_C_ends_what_rings_for_ever),
		cmocka_unit_test(test_503_of_a_branch_is_500_and_refused_connection_too),
		cmocka_unit_test(test_core_may_go_while_calls_are_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
