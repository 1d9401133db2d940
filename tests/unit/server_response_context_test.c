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

/* --- one after the other (§16.6; the q of RFC 3261 §20.10) --- */

/* Bo's phones: q 0.3, 1.0 and 0.3 again, registered in this order; he is called. */
struct search {
	struct world *w;
	struct phone ann, low, high, low2;
	char *got; /* by the first one */
	const char *invite;
};

static struct search search_of(const char *method, uint32_t fork_ms)
{
	struct world *w = world_new();
	struct search s = {.w = w};

	w->cfg.auth_required = false;
	w->cfg.fork_ms = fork_ms;
	world_start(w);
	s.ann = phone_at(w, "ann", AT_ANN);
	s.low = phone_at(w, "bo", AT_BO);
	s.high = phone_at(w, "bo", AT_BO2);
	s.low2 = phone_at(w, "bo", "192.0.2.32:5060");
	phone_registers(&s.ann, IM_CONTACT);
	phone_registers(&s.low, ";q=0.3" IM_CONTACT);
	phone_registers(&s.high, IM_CONTACT);
	phone_registers(&s.low2, ";q=0.3" IM_CONTACT);
	s.invite = phone_request(&s.ann, method, BO_URI, BO, 1, IM_ACCEPT);
	phone_send(&s.ann, s.invite);
	return s;
}

static void test_q__the_lower_ones_when_the_higher_has_refused(void **state)
{
	struct search s = search_of("INVITE", 20000);
	char *one, *two;

	(void)state;
	s.got = phone_next(&s.high);
	assert_non_null(s.got);
	assert_null(phone_next(&s.low));
	assert_null(phone_next(&s.low2));
	phone_answers(&s.high, s.got, 486, "");
	one = phone_next(&s.low);
	two = phone_next(&s.low2);
	assert_non_null(one);
	assert_non_null(two);
	assert_string_not_equal(via_branch_of(s.w, one), via_branch_of(s.w, s.got));
	assert_string_not_equal(via_branch_of(s.w, one), via_branch_of(s.w, two));
	/* Nobody has been told anything. */
	assert_int_equal(phone_status(&s.ann), 0);
	phone_answers(&s.low, one, 480, "");
	phone_answers(&s.low2, two, 200, contact_of(&s.low2));
	assert_int_equal(phone_status(&s.ann), 200);
	assert_int_equal(phone_status(&s.ann), 0);
	world_end(s.w);
}

static void test_q__who_takes_it_is_the_end_of_the_search(void **state)
{
	struct search s = search_of("INVITE", 20000);

	(void)state;
	s.got = phone_next(&s.high);
	phone_answers(&s.high, s.got, 180, "");
	phone_answers(&s.high, s.got, 200, contact_of(&s.high));
	assert_int_equal(phone_status(&s.ann), 180);
	assert_int_equal(phone_status(&s.ann), 200);
	world_run(s.w, 60000);
	assert_null(phone_next(&s.low));
	assert_null(phone_next(&s.low2));
	world_end(s.w);
}

static void test_q__a_6xx_is_the_end_of_the_search(void **state)
{
	struct search s = search_of("INVITE", 20000);

	(void)state;
	phone_answers(&s.high, phone_next(&s.high), 603, "");
	assert_int_equal(phone_status(&s.ann), 603);
	assert_null(phone_next(&s.low));
	assert_null(phone_next(&s.low2));
	world_end(s.w);
}

static void test_q__who_rings_too_long_is_passed_over(void **state)
{
	struct search s = search_of("INVITE", 20000);
	char *cancel, *one, *two;

	(void)state;
	s.got = phone_next(&s.high);
	phone_answers(&s.high, s.got, 180, "");
	world_run(s.w, 19999);
	assert_null(phone_next(&s.high));
	world_run(s.w, 1);
	cancel = phone_next(&s.high);
	assert_non_null(cancel);
	assert_int_equal(strncmp(cancel, "CANCEL ", 7), 0);
	phone_answers(&s.high, cancel, 200, "");
	assert_null(phone_next(&s.low));
	phone_answers(&s.high, s.got, 487, "");
	one = phone_next(&s.low);
	two = phone_next(&s.low2);
	assert_non_null(one);
	assert_non_null(two);
	assert_int_equal(phone_status(&s.ann), 180);
	assert_int_equal(phone_status(&s.ann), 0);
	phone_answers(&s.low, one, 486, "");
	phone_answers(&s.low2, two, 480, "");
	/* She has cancelled nothing. */
	assert_int_equal(phone_status(&s.ann), 486);
	world_end(s.w);
}

static void test_q__nobody_answers_is_408_and_not_487(void **state)
{
	struct search s = search_of("INVITE", 5000);
	char *text;

	(void)state;
	s.got = phone_next(&s.high);
	phone_answers(&s.high, s.got, 180, "");
	world_run(s.w, 5000);
	text = phone_next(&s.high);
	phone_answers(&s.high, text, 200, "");
	phone_answers(&s.high, s.got, 487, "");
	(void)phone_next(&s.low);
	(void)phone_next(&s.low2);
	world_run(s.w, 32001);
	assert_int_equal(phone_status(&s.ann), 180);
	assert_int_equal(phone_status(&s.ann), 408);
	world_end(s.w);
}

static void test_q__a_cancel_ends_the_search(void **state)
{
	struct search s = search_of("INVITE", 20000);
	char *cancel;

	(void)state;
	s.got = phone_next(&s.high);
	phone_answers(&s.high, s.got, 180, "");
	phone_send(&s.ann,
		   crlf(s.w, textf(s.w,
				   "CANCEL " BO_URI " SIP/2.0\nVia: SIP/2.0/UDP %s;rport;%s\n"
				   "From: \"ann\" <sip:ann@example.com>;tag=ann-tag\nTo: " BO "\n"
				   "Call-ID: call-of-ann\nCSeq: 1 CANCEL\nContent-Length: 0\n\n",
				   s.ann.host, via_branch_of(s.w, s.invite))));
	cancel = phone_next(&s.high);
	assert_int_equal(strncmp(cancel, "CANCEL ", 7), 0);
	phone_answers(&s.high, cancel, 200, "");
	phone_answers(&s.high, s.got, 487, "");
	assert_int_equal(phone_status(&s.ann), 180);
	assert_int_equal(phone_status(&s.ann), 200);
	assert_int_equal(phone_status(&s.ann), 487);
	assert_null(phone_next(&s.low));
	assert_null(phone_next(&s.low2));
	world_end(s.w);
}

static void test_q__a_message_does_not_wait_for_ever(void **state)
{
	struct search s = search_of("MESSAGE", 5000);

	(void)state;
	assert_non_null(phone_next(&s.high));
	world_run(s.w, 4999);
	assert_null(phone_next(&s.low));
	world_run(s.w, 1);
	while (strncmp(s.got = phone_next(&s.low), "MESSAGE", 7) != 0)
		;
	phone_answers(&s.low, s.got, 200, "");
	assert_int_equal(phone_status(&s.ann), 200);
	world_run(s.w, 40000);
	assert_int_equal(phone_status(&s.ann), 0);
	world_end(s.w);
}

static void test_q__without_a_time_all_are_tried_at_once(void **state)
{
	struct search s = search_of("INVITE", 0);

	(void)state;
	assert_non_null(phone_next(&s.high));
	assert_non_null(phone_next(&s.low));
	assert_non_null(phone_next(&s.low2));
	world_end(s.w);
}

static void test_q__the_core_may_go_in_the_middle(void **state)
{
	struct search s = search_of("INVITE", 20000);

	(void)state;
	assert_non_null(phone_next(&s.high));
	world_end(s.w);
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
		cmocka_unit_test(test_q__the_lower_ones_when_the_higher_has_refused),
		cmocka_unit_test(test_q__who_takes_it_is_the_end_of_the_search),
		cmocka_unit_test(test_q__a_6xx_is_the_end_of_the_search),
		cmocka_unit_test(test_q__who_rings_too_long_is_passed_over),
		cmocka_unit_test(test_q__nobody_answers_is_408_and_not_487),
		cmocka_unit_test(test_q__a_cancel_ends_the_search),
		cmocka_unit_test(test_q__a_message_does_not_wait_for_ever),
		cmocka_unit_test(test_q__without_a_time_all_are_tried_at_once),
		cmocka_unit_test(test_q__the_core_may_go_in_the_middle),
		cmocka_unit_test(test_core_may_go_while_calls_are_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
