/* sip/redirect.c: where a 3xx leads (RFC 3261 §8.1.3.4, §19.1.5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sip/redirect.h"

/* The order in which the contacts of one response are tried, joined by blanks. */
static void assert_order(const char *request_uri, const char *contacts, const char *order)
{
	struct sip_targets t;
	struct sip_msg m;
	char text[8192], got[4096] = "";
	struct view next;

	assert_int_equal(sip_targets_init(&t, view_str(request_uri)), 0);
	(void)snprintf(text, sizeof(text),
		       "SIP/2.0 302 Moved Temporarily\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n"
		       "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 "
		       "INVITE\r\n%sContent-Length: 0\r\n\r\n",
		       contacts);
	assert_int_equal(sip_msg_parse(view_str(text), &m), 0);
	sip_targets_add(&t, &m);
	while ((next = sip_targets_next(&t)).n)
		(void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%.*s",
			       got[0] ? " " : "", VIEW_ARG(next));
	assert_string_equal(got, order);
	sip_targets_fini(&t);
}

static void test_RFC3261_8_1_3_4__by_q_and_then_as_they_came(void **state)
{
	(void)state;
	assert_order("sip:bo@h",
		     "Contact: <sip:a@h>;q=0.2, <sip:b@h>;q=0.75\r\nContact: <sip:c@h>\r\n",
		     "sip:c@h sip:b@h sip:a@h");
	assert_order("sip:bo@h", "Contact: <sip:a@h>;q=0.5, <sip:b@h>;q=0.5, <sip:c@h>;q=0.501\r\n",
		     "sip:c@h sip:a@h sip:b@h");
	/* What cannot be read counts as none. */
	assert_order("sip:bo@h", "Contact: <sip:a@h>;q=0.9, <sip:b@h>;q=7, <sip:c@h>;q=0.1234\r\n",
		     "sip:b@h sip:c@h sip:a@h");
}

static void test_RFC3261_8_1_3_4__only_sip_and_sips(void **state)
{
	(void)state;
	assert_order("sip:bo@h",
		     "Contact: <tel:+123>, <mailto:a@h>, <sips:b@h>, *, <sip:>, nonsense\r\n",
		     "sips:b@h");
	assert_order("sip:bo@h", "", "");
}

static void test_RFC3261_26_2_2__sips_is_never_weakened(void **state)
{
	(void)state;
	assert_order("sips:bo@h", "Contact: <sip:a@h>, <sips:b@h>;q=0.1\r\n", "sips:b@h");
	/* Nor is one that was redirected to sips. */
	assert_order("sip:bo@h", "Contact: <sip:a@h>;q=0.1, <sips:b@h>\r\n", "sips:b@h");
}

static void test_RFC3261_8_1_3_4__no_uri_twice(void **state)
{
	(void)state;
	assert_order("sip:bo@h", "Contact: <sip:bo@H>, <sip:a@h>, <sip:%61@h>\r\n", "sip:a@h");
}

static void test_RFC3261_19_1_5__what_a_uri_wants_in_the_request_is_left_out(void **state)
{
	(void)state;
	assert_order("sip:bo@h",
		     "Contact: <sip:a@h;user=phone?Replaces=x%3Bto-tag%3D1&Route=%3Csip:evil%3E>, "
		     "<sip:b@h;method=REGISTER>\r\n",
		     "sip:a@h;user=phone");
}

static void test_RFC3261_8_1_3_4__not_for_ever(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8192);
	for (int i = 0; i < 40; i++)
		buf_putf(&b, "Contact: <sip:u%d@h>\r\n", i);
	buf_putc(&b, '\0');
	assert_order("sip:bo@h", b.p, "sip:u0@h sip:u1@h sip:u2@h sip:u3@h sip:u4@h");
	buf_fini(&b);
}

static void test_RFC3261_21_3__which_status_leads_elsewhere(void **state)
{
	(void)state;
	assert_true(sip_is_redirection(300));
	assert_true(sip_is_redirection(301));
	assert_true(sip_is_redirection(302));
	assert_true(sip_is_redirection(399));
	assert_false(sip_is_redirection(305));
	assert_false(sip_is_redirection(380));
	assert_false(sip_is_redirection(299));
	assert_false(sip_is_redirection(400));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC3261_8_1_3_4__by_q_and_then_as_they_came),
		cmocka_unit_test(test_RFC3261_8_1_3_4__only_sip_and_sips),
		cmocka_unit_test(test_RFC3261_26_2_2__sips_is_never_weakened),
		cmocka_unit_test(test_RFC3261_8_1_3_4__no_uri_twice),
		cmocka_unit_test(test_RFC3261_19_1_5__what_a_uri_wants_in_the_request_is_left_out),
		cmocka_unit_test(test_RFC3261_8_1_3_4__not_for_ever),
		cmocka_unit_test(test_RFC3261_21_3__which_status_leads_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
