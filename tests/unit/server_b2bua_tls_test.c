/* SW-4: MSRP over TLS through the B2BUA: on both sides, on one, and by which policy. */
#include "b2bua_world.h"

#define ANN_PRINT "SHA-256 A0:A1"
#define BO_PRINT  "SHA-256 B0:B1"

static const char *tls_sdp(const char *host, const char *who, const char *print,
			   const char *setup_line)
{
	return textf(w,
		     "v=0\no=- 7 1 IN IP4 %s\ns=-\nc=IN IP4 %s\nt=0 0\n"
		     "m=message 7654 TCP/TLS/MSRP *\na=accept-types:message/cpim\n"
		     "a=path:msrps://%s:7654/%s;tcp\n%s%s%s%s",
		     host, host, host, who, setup_line, *print ? "a=fingerprint:" : "", print,
		     *print ? "\n" : "");
}

#define ANN_TLS tls_sdp("192.0.2.11", "ann", ANN_PRINT, "a=setup:actpass\n")
#define BO_TLS	tls_sdp("192.0.2.12", "bo", BO_PRINT, "a=setup:passive\n")

static void start(enum b2bua_tls tls)
{
	world_with((int)tls);
}

static void invites(const char *uri, const char *sdp)
{
	phone_send(&ann, with_sdp(phone_request(&ann, "INVITE", uri, BO, 5, IM_ACCEPT), sdp));
	if (n_opened)
		ready();
}

static void bo_answers(const char *got, int status, const char *sdp)
{
	answers(&bo, got, status, "bo-tag", status < 300 ? "Contact: <sip:bo@" AT_BO ">\n" : "",
		sdp);
}

static void expect_stream(const char *message, bool tls, const char *path)
{
	assert_non_null(strstr(message, textf(w, "\r\nm=message %u %s *\r\n", tls ? 2955 : 2855,
					      tls ? "TCP/TLS/MSRP" : "TCP/MSRP")));
	assert_non_null(strstr(message, textf(w, "\r\na=path:%s\r\n", path)));
	if (tls)
		assert_non_null(strstr(message, "\r\na=fingerprint:" RELAY_PRINT "\r\n"));
	else
		assert_null(strstr(message, "a=fingerprint"));
	/* The phones' own certificates are between them and the relay. */
	assert_null(strstr(message, ANN_PRINT));
	assert_null(strstr(message, BO_PRINT));
}

static void test_SW_4__tls_on_both_sides(void **state)
{
	char *got, *ok;

	(void)state;
	start(B2BUA_TLS_KEEP);
	invites(BO_URI, ANN_TLS);
	assert_true(opened_tls[B2BUA_NEAR] && opened_tls[B2BUA_FAR]);
	got = request(&bo, "INVITE");
	assert_non_null(got);
	expect_stream(got, true, FAR_TLS_PATH);
	bo_answers(got, 200, BO_TLS);
	ok = response(&ann, 200);
	expect_stream(ok, true, NEAR_TLS_PATH);
	assert_string_equal(end_print[B2BUA_NEAR], ANN_PRINT);
	assert_string_equal(end_print[B2BUA_FAR], BO_PRINT);
	assert_string_equal(end_path[B2BUA_FAR], "msrps://192.0.2.12:7654/bo;tcp");
	assert_true(end_connect[B2BUA_FAR]);
	assert_false(end_connect[B2BUA_NEAR]);
}

static void test_SW_4__two_active_phones_by_tls(void **state)
{
	char *got, *ok;

	(void)state;
	start(B2BUA_TLS_KEEP);
	invites(BO_URI, tls_sdp("192.0.2.11", "ann", ANN_PRINT, "a=setup:active\n"));
	got = request(&bo, "INVITE");
	assert_non_null(strstr(got, "\r\na=setup:actpass\r\n"));
	bo_answers(got, 200, tls_sdp("192.0.2.12", "bo", BO_PRINT, "a=setup:active\n"));
	ok = response(&ann, 200);
	assert_non_null(strstr(ok, "\r\na=setup:passive\r\n"));
	assert_false(end_connect[B2BUA_NEAR] || end_connect[B2BUA_FAR]);
}

static void test_SW_4__without_tls_an_offer_of_it_is_488(void **state)
{
	(void)state;
	world_with(-1);
	invites(BO_URI, ANN_TLS);
	response(&ann, 488);
	assert_int_equal(n_opened, 0);
}

static void test_SW_4__a_hash_that_is_not_known_is_488(void **state)
{
	(void)state;
	start(B2BUA_TLS_KEEP);
	invites(BO_URI, tls_sdp("192.0.2.11", "ann", "MD5 00:11", "a=setup:actpass\n"));
	response(&ann, 488);
	assert_int_equal(n_opened, 0);
}

/* Ann's side by near, Bo takes far alone: what he is offered, and what becomes of it. */
static void crossing(enum b2bua_tls tls, bool near, bool far, bool works)
{
	char *got, *ok;

	start(tls);
	invites(BO_URI, near ? ANN_TLS : ANN_SDP);
	got = request(&bo, "INVITE");
	assert_non_null(got);
	expect_stream(got, near, near ? FAR_TLS_PATH : FAR_PATH);
	bo_answers(got, 488, NULL);
	if (!works) {
		response(&ann, 488);
		assert_int_equal(n_opened, 1);
		assert_int_equal(n_closed, 1);
		return;
	}
	assert_int_equal(n_opened, 2);
	assert_int_equal(n_closed, 1);
	ready();
	assert_true(opened_tls[B2BUA_NEAR] == near && opened_tls[B2BUA_FAR] == far);
	assert_non_null(request(&bo, "ACK"));
	got = request(&bo, "INVITE");
	assert_non_null(got);
	assert_string_equal(header(w, got, "CSeq"), "6 INVITE");
	expect_stream(got, far, far ? FAR_TLS_PATH : FAR_PATH);
	bo_answers(got, 200, far ? BO_TLS : BO_SDP);
	ok = response(&ann, 200);
	expect_stream(ok, near, near ? NEAR_TLS_PATH : NEAR_PATH);
	assert_string_equal(end_print[B2BUA_NEAR], near ? ANN_PRINT : "");
	assert_string_equal(end_print[B2BUA_FAR], far ? BO_PRINT : "");
	assert_int_equal(n_opened - n_closed, 1);
}

static void test_SW_4__plain_to_tls_by_policy(void **state)
{
	(void)state;
	crossing(B2BUA_TLS_MORE, false, true, true);
}

static void test_SW_4__plain_to_tls_where_both_ways_are_allowed(void **state)
{
	(void)state;
	crossing(B2BUA_TLS_EITHER, false, true, true);
}

static void test_SW_4__tls_to_plain_by_policy(void **state)
{
	(void)state;
	crossing(B2BUA_TLS_EITHER, true, false, true);
}

static void test_SW_4__tls_never_becomes_plain_unless_allowed(void **state)
{
	(void)state;
	crossing(B2BUA_TLS_MORE, true, false, false);
}

static void test_SW_4__the_default_keeps_the_kind(void **state)
{
	(void)state;
	crossing(B2BUA_TLS_KEEP, false, true, false);
}

static void test_SW_4__required_means_both_sides(void **state)
{
	(void)state;
	start(B2BUA_TLS_REQUIRED);
	invites(BO_URI, ANN_SDP);
	response(&ann, 488);
	assert_int_equal(n_opened, 0);
}

static void test_SW_4__required_never_offers_plain(void **state)
{
	(void)state;
	crossing(B2BUA_TLS_REQUIRED, true, false, false);
}

static void test_SW_4__it_is_tried_once(void **state)
{
	char *got;

	(void)state;
	start(B2BUA_TLS_EITHER);
	invites(BO_URI, ANN_SDP);
	bo_answers(request(&bo, "INVITE"), 488, NULL);
	ready();
	got = request(&bo, "INVITE");
	assert_non_null(got);
	bo_answers(got, 488, NULL);
	response(&ann, 488);
	assert_int_equal(n_opened, n_closed);
	world_run(w, 70000);
	assert_int_equal(b2bua_call_count(b), 0);
}

static void test_SW_4__cancelled_while_the_other_relay_is_made(void **state)
{
	char *got, *invite;

	(void)state;
	start(B2BUA_TLS_EITHER);
	invite = with_sdp(phone_request(&ann, "INVITE", BO_URI, BO, 5, IM_ACCEPT), ANN_SDP);
	phone_send(&ann, invite);
	ready();
	got = request(&bo, "INVITE");
	bo_answers(got, 488, NULL);
	phone_send(&ann,
		   crlf(w, textf(w,
				 "CANCEL " BO_URI " SIP/2.0\nVia: SIP/2.0/UDP %s;%s\n"
				 "From: <sip:ann@example.com>;tag=ann-tag\nTo: " BO "\n"
				 "Call-ID: call-of-ann\nCSeq: 5 CANCEL\nContent-Length: 0\n\n",
				 ann.host, via_branch_of(w, invite))));
	response(&ann, 487);
	ready();
	assert_null(request(&bo, "INVITE"));
	world_run(w, 70000);
	assert_int_equal(b2bua_call_count(b), 0);
	assert_true(n_closed >= n_opened);
}

static void test_SW_4__an_answer_of_another_kind_ends_it(void **state)
{
	char *got;

	(void)state;
	start(B2BUA_TLS_KEEP);
	invites(BO_URI, ANN_TLS);
	got = request(&bo, "INVITE");
	bo_answers(got, 200, BO_SDP);
	response(&ann, 488);
	assert_non_null(request(&bo, "ACK"));
	got = request(&bo, "BYE");
	assert_non_null(got);
	assert_string_equal(header(w, got, "Reason"), "SIP;cause=488");
	assert_int_equal(n_opened, n_closed);
}

static struct talk tls_talk(void)
{
	struct talk t = {0};

	invites(BO_URI, ANN_TLS);
	t.got = request(&bo, "INVITE");
	bo_answers(t.got, 200, BO_TLS);
	t.ok = response(&ann, 200);
	phone_send(&ann, ann_inside(&t, "ACK", 5, ""));
	assert_non_null(request(&bo, "ACK"));
	return t;
}

static void test_SW_4__a_reinvite_stays_with_the_kind(void **state)
{
	struct talk t;
	char *got;

	(void)state;
	start(B2BUA_TLS_EITHER);
	t = tls_talk();
	phone_send(&ann, with_sdp(ann_inside(&t, "INVITE", 6, "Contact: <sip:ann@" AT_ANN ">\n"),
				  ANN_SDP));
	response(&ann, 488);
	phone_send(&ann, with_sdp(ann_inside(&t, "INVITE", 7, "Contact: <sip:ann@" AT_ANN ">\n"),
				  tls_sdp("192.0.2.11", "ann", "SHA-256 C0:C1", "")));
	got = request(&bo, "INVITE");
	assert_non_null(got);
	expect_stream(got, true, FAR_TLS_PATH);
	bo_answers(got, 200, BO_TLS);
	expect_stream(response(&ann, 200), true, NEAR_TLS_PATH);
	/* The path is as it was, the certificate is not. */
	assert_string_equal(end_print[B2BUA_NEAR], "SHA-256 C0:C1");
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_SW_4__tls_on_both_sides),
		TEST(test_SW_4__two_active_phones_by_tls),
		TEST(test_SW_4__without_tls_an_offer_of_it_is_488),
		TEST(test_SW_4__a_hash_that_is_not_known_is_488),
		TEST(test_SW_4__plain_to_tls_by_policy),
		TEST(test_SW_4__plain_to_tls_where_both_ways_are_allowed),
		TEST(test_SW_4__tls_to_plain_by_policy),
		TEST(test_SW_4__tls_never_becomes_plain_unless_allowed),
		TEST(test_SW_4__the_default_keeps_the_kind),
		TEST(test_SW_4__required_means_both_sides),
		TEST(test_SW_4__required_never_offers_plain),
		TEST(test_SW_4__it_is_tried_once),
		TEST(test_SW_4__cancelled_while_the_other_relay_is_made),
		TEST(test_SW_4__an_answer_of_another_kind_ends_it),
		TEST(test_SW_4__a_reinvite_stays_with_the_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
