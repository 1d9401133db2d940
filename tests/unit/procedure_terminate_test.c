/* 8.3.1: judging an INVITE at the phone: IC-8.3.1-1 … -4. */
#include "procedure/terminate.h"
#include "procedure_msg.h"

#define FROM	"From: \"Ann\" <sip:ann@example.com>;tag=1\r\n"
#define CONTACT "Contact: <sip:ann@192.0.2.9>;+g.oma.sip-im\r\n"
#define FOCUS	"Contact: <sip:conf-1@example.com>;isfocus;+g.oma.sip-im\r\n"

static bool vouched = true;

static void read_it(struct terminate *t, const char *fields, const char *type, const char *body)
{
	struct request r;
	static struct sip_msg kept; /* views live as long as the message */

	request_make(&r, "INVITE", fields, type, view_str(body));
	kept = r.m;
	terminate_read(t, &kept, vouched);
	assert_true(buf_ok(&t->lines));
	assert_true(t->lines.n == 0 || view_ends(buf_view(&t->lines), VIEW("\r\n")));
}

static void assert_refused(const char *fields, const char *type, const char *body, int status,
			   const char *lines)
{
	struct terminate t;

	read_it(&t, fields, type, body);
	assert_int_equal(t.status, status);
	assert_view(buf_view(&t.lines), lines);
	terminate_fini(&t);
}

static void test_IC_8_3_1_4__a_chat(void **state)
{
	struct terminate t;

	(void)state;
	read_it(&t, FROM CONTACT, "application/sdp", SDP_PLAIN);
	assert_int_equal(t.status, 0);
	assert_false(t.focus);
	assert_view(t.session_identity, "sip:ann@192.0.2.9");
	assert_view(t.contact, "<sip:ann@192.0.2.9>;+g.oma.sip-im");
	assert_view(t.inviter, "sip:ann@example.com");
	assert_view(t.display, "\"Ann\"");
	assert_false(t.inviter_asserted);
	assert_view(t.sdp, SDP_PLAIN);
	assert_ptr_equal(t.media, &t.desc.media[0]);
	assert_false(t.replaces.present);
	terminate_fini(&t);
}

static void test_R_3__the_asserted_identity_counts(void **state)
{
	struct terminate t;

	(void)state;
	read_it(&t, FROM CONTACT "P-Asserted-Identity: <sip:real@example.com>, <tel:+15551234>\r\n",
		"application/sdp", SDP_PLAIN);
	assert_view(t.inviter, "sip:real@example.com");
	assert_true(t.inviter_asserted);
	assert_view(t.display, "\"Ann\"");
	terminate_fini(&t);
	read_it(&t, FROM CONTACT "P-Asserted-Identity: \"Vouched\" <sip:real@example.com>\r\n",
		"application/sdp", SDP_PLAIN);
	assert_view(t.display, "\"Vouched\"");
	terminate_fini(&t);
	read_it(&t, FROM CONTACT "P-Asserted-Identity: nonsense\r\n", "application/sdp", SDP_PLAIN);
	assert_view(t.inviter, "sip:ann@example.com");
	assert_false(t.inviter_asserted);
	terminate_fini(&t);
}

static void test_R_8_and_R_9__a_conference(void **state)
{
	struct terminate t;

	(void)state;
	read_it(&t,
		"From: <sip:conf-1@example.com>;tag=1\r\n" FOCUS
		"P-Asserted-Identity: <sip:conf-1@example.com>\r\n"
		"Referred-By: \"Ann\" <sip:ann@example.com>\r\n",
		"application/sdp", SDP_PLAIN);
	assert_int_equal(t.status, 0);
	assert_true(t.focus);
	assert_view(t.session_identity, "sip:conf-1@example.com");
	assert_view(t.inviter, "sip:ann@example.com");
	assert_view(t.display, "\"Ann\"");
	assert_true(t.inviter_asserted);
	terminate_fini(&t);
	/* Without it, all that is known is the conference. */
	read_it(&t, "From: <sip:conf-1@example.com>;tag=1\r\n" FOCUS, "application/sdp", SDP_PLAIN);
	assert_view(t.inviter, "sip:conf-1@example.com");
	terminate_fini(&t);
}

/* A Referred-By of somebody who is no focus says nothing about who invites. */
static void test_CF_9_3_1_3__referred_by_counts_from_a_focus_only(void **state)
{
	struct terminate t;

	(void)state;
	read_it(&t, FROM CONTACT "Referred-By: <sip:boss@example.com>\r\n", "application/sdp",
		SDP_PLAIN);
	assert_view(t.inviter, "sip:ann@example.com");
	terminate_fini(&t);
}

static void test_R_8__isfocus_without_brackets(void **state)
{
	struct terminate t;

	(void)state;
	read_it(&t, FROM "Contact: sip:conf-1@example.com;isfocus\r\n", "application/sdp",
		SDP_PLAIN);
	assert_true(t.focus);
	terminate_fini(&t);
	/* A parameter of the URI is none of the Contact. */
	read_it(&t, FROM "Contact: <sip:conf-1@example.com;isfocus>\r\n", "application/sdp",
		SDP_PLAIN);
	assert_false(t.focus);
	terminate_fini(&t);
}

static void test_IC_8_3_1_1__no_contact_400(void **state)
{
	(void)state;
	assert_refused(FROM, "application/sdp", SDP_PLAIN, 400, "");
	assert_refused(FROM "Contact: nonsense\r\n", "application/sdp", SDP_PLAIN, 400, "");
	assert_refused(FROM "Contact: *\r\n", "application/sdp", SDP_PLAIN, 400, "");
}

static void test_IC_8_3_1_1__another_body_415(void **state)
{
	(void)state;
	assert_refused(FROM CONTACT, "text/plain", "hello", 415,
		       "Accept: application/sdp, multipart/mixed\r\n");
	assert_refused(FROM CONTACT "Content-Encoding: gzip\r\n", "application/sdp", SDP_PLAIN, 415,
		       "Accept-Encoding: identity\r\n");
}

static void test_IC_8_3_1_1__require_420(void **state)
{
	struct terminate t;

	(void)state;
	assert_refused(FROM CONTACT "Require: 100rel, replaces\r\n", "application/sdp", SDP_PLAIN,
		       420, "Unsupported: 100rel\r\n");
	/* The first fault is the answer, and its lines alone. */
	assert_refused(FROM CONTACT "Require: 100rel\r\n", "text/plain", "hello", 420,
		       "Unsupported: 100rel\r\n");
	/* What is announced as supported is. */
	read_it(&t, FROM CONTACT "Require: norefersub, timer, replaces\r\n", "application/sdp",
		SDP_PLAIN);
	assert_int_equal(t.status, 0);
	terminate_fini(&t);
}

static void test_RFC3325_9_2__a_stranger_vouches_for_nobody(void **state)
{
	struct terminate t;

	(void)state;
	vouched = false;
	read_it(&t, FROM CONTACT "P-Asserted-Identity: <sip:real@example.com>\r\n",
		"application/sdp", SDP_PLAIN);
	assert_view(t.inviter, "sip:ann@example.com");
	assert_false(t.inviter_asserted);
	terminate_fini(&t);
	read_it(&t, FROM FOCUS "Referred-By: <sip:real@example.com>\r\n", "application/sdp",
		SDP_PLAIN);
	assert_view(t.inviter, "sip:ann@example.com");
	terminate_fini(&t);
	vouched = true;
}

static void test_IC_8_3_1_1__unusable_media_488(void **state)
{
	(void)state;
	assert_refused(FROM CONTACT, "application/sdp", SDP_OF("0", "TCP/MSRP", ""), 488, "");
	assert_refused(FROM CONTACT, "application/sdp", SDP_OF("2855", "TCP/TLS/MSRP", ""), 488,
		       "");
	assert_refused(FROM CONTACT, "application/sdp",
		       "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP "
		       "0\r\n",
		       488, "");
	assert_refused(FROM CONTACT, "multipart/mixed;boundary=b",
		       "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n", 488, "");
}

static void test_RFC3261_13_2_1__without_an_offer_the_answer_offers(void **state)
{
	struct terminate t;

	(void)state;
	read_it(&t, FROM CONTACT, "", "");
	assert_int_equal(t.status, 0);
	assert_view(t.sdp, "");
	assert_null(t.media);
	terminate_fini(&t);
}

static void test_IC_8_3_1_1__broken_bodies_400(void **state)
{
	(void)state;
	assert_refused(FROM CONTACT, "application/sdp", "nonsense", 400, "");
	assert_refused(FROM CONTACT, "multipart/mixed;boundary=b", "nonsense", 400, "");
}

static void test_the_offer_in_a_multipart(void **state)
{
	struct terminate t;

	(void)state;
	read_it(&t, FROM FOCUS, "multipart/mixed;boundary=b",
		"--b\r\nContent-Type: application/sdp\r\n\r\n" SDP_PLAIN "\r\n"
		"--b\r\nContent-Type: application/resource-lists+xml\r\n"
		"Content-Disposition: recipient-list-history\r\n\r\n<x/>\r\n--b--\r\n");
	assert_int_equal(t.status, 0);
	assert_view(t.sdp, SDP_PLAIN);
	terminate_fini(&t);
}

static void test_IC_8_3_1_2__replaces_is_read(void **state)
{
	struct terminate t;

	(void)state;
	read_it(&t, FROM FOCUS "Require: replaces\r\nReplaces: a@b;to-tag=t;from-tag=f\r\n",
		"application/sdp", SDP_PLAIN);
	assert_int_equal(t.status, 0);
	assert_true(t.replaces.present);
	assert_view(t.replaces.named.call_id, "a@b");
	terminate_fini(&t);
	assert_refused(FROM FOCUS "Replaces: a@b;to-tag=t\r\n", "application/sdp", SDP_PLAIN, 400,
		       "");
	/* A Replaces that is in order does not save a body that is not: the old session stays. */
	assert_refused(FROM FOCUS "Replaces: a@b;to-tag=t;from-tag=f\r\n", "application/sdp",
		       SDP_OF("0", "TCP/MSRP", ""), 488, "");
}

static void test_a_require_of_thousands(void **state)
{
	struct terminate t;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 16);
	buf_puts(&b, FROM CONTACT "Require: ");
	for (int i = 0; i < 20000; i++)
		buf_puts(&b, "ab,");
	buf_puts(&b, "c\r\n");
	buf_putc(&b, '\0');
	assert_true(buf_ok(&b));
	read_it(&t, b.p, "application/sdp", SDP_PLAIN);
	assert_int_equal(t.status, 420);
	terminate_fini(&t);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IC_8_3_1_4__a_chat),
		cmocka_unit_test(test_R_3__the_asserted_identity_counts),
		cmocka_unit_test(test_R_8_and_R_9__a_conference),
		cmocka_unit_test(test_CF_9_3_1_3__referred_by_counts_from_a_focus_only),
		cmocka_unit_test(test_R_8__isfocus_without_brackets),
		cmocka_unit_test(test_IC_8_3_1_1__no_contact_400),
		cmocka_unit_test(test_IC_8_3_1_1__another_body_415),
		cmocka_unit_test(test_IC_8_3_1_1__require_420),
		cmocka_unit_test(test_RFC3325_9_2__a_stranger_vouches_for_nobody),
		cmocka_unit_test(test_IC_8_3_1_1__unusable_media_488),
		cmocka_unit_test(test_RFC3261_13_2_1__without_an_offer_the_answer_offers),
		cmocka_unit_test(test_IC_8_3_1_1__broken_bodies_400),
		cmocka_unit_test(test_the_offer_in_a_multipart),
		cmocka_unit_test(test_IC_8_3_1_2__replaces_is_read),
		cmocka_unit_test(test_a_require_of_thousands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
