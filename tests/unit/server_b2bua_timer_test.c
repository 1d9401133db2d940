/* Session timers through the B2BUA, which keeps one on either side (PF-9.2.3, RFC 4028). */
#include "b2bua_world.h"

static void refresh_answered(struct phone *p, const char *contact, const char *sdp)
{
	char *got = request(p, "INVITE");

	assert_non_null(got);
	assert_non_null(strstr(header(w, got, "Session-Expires"), "refresher=uac"));
	answers(p, got, 200, "", textf(w, "Contact: <%s>\n", contact), sdp);
	got = request(p, "ACK");
	assert_non_null(got);
}

static void test_PF_9_2_3__the_session_is_refreshed_on_both_sides(void **state)
{
	talk();
	(void)state;
	world_run(w, 899000);
	assert_null(request(&ann, "INVITE"));
	world_run(w, 2000);
	refresh_answered(&ann, "sip:ann@" AT_ANN, ANN_SDP);
	refresh_answered(&bo, "sip:bo@" AT_BO, BO_SDP);
	world_run(w, 900100);
	refresh_answered(&ann, "sip:ann@" AT_ANN, ANN_SDP);
	refresh_answered(&bo, "sip:bo@" AT_BO, BO_SDP);
	assert_int_equal(n_closed, 0);
	assert_int_equal(b2bua_call_count(b), 1);
}

static void keep_registered(uint64_t ms)
{
	while (ms) {
		uint64_t step = ms < 1000000 ? ms : 1000000;

		world_run(w, step);
		ms -= step;
	}
}

static void test_PF_9_2_3__one_who_has_gone_ends_it_for_both(void **state)
{
	char *bye;

	talk();
	(void)state;
	world_run(w, 900500);
	refresh_answered(&ann, "sip:ann@" AT_ANN, ANN_SDP);
	assert_non_null(request(&bo, "INVITE")); /* and is not answered */
	keep_registered(60000);
	bye = request(&ann, "BYE");
	assert_non_null(bye);
	assert_non_null(strstr(header(w, bye, "Reason"), "cause=408"));
	assert_int_equal(n_closed, 1);
}

static void test_PF_9_2_3__a_refresher_who_does_not_is_hung_up_on(void **state)
{
	struct talk t = talk_with(
		"Supported: timer\nSession-Expires: 120;refresher=uac\n",
		"Supported: timer\nRequire: timer\nSession-Expires: 1800;refresher=uas\n");

	(void)state;
	assert_string_equal(header(w, t.ok, "Session-Expires"), "120;refresher=uac");
	assert_non_null(strstr(header(w, t.ok, "Require"), "timer"));
	world_run(w, 87000);
	assert_int_equal(n_closed, 0);
	world_run(w, 2000);
	assert_non_null(request(&ann, "BYE"));
	assert_non_null(request(&bo, "BYE"));
	assert_int_equal(n_closed, 1);
}

static void test_PF_9_2_3__a_refresh_by_the_peer_renews_the_time(void **state)
{
	struct talk t = talk_with(
		"Supported: timer\nSession-Expires: 120;refresher=uac\n",
		"Supported: timer\nRequire: timer\nSession-Expires: 1800;refresher=uas\n");
	char *got;

	(void)state;
	world_run(w, 60000);
	phone_send(&ann,
		   with_sdp(ann_inside(&t, "INVITE", 7,
				       "Supported: timer\nSession-Expires: 120;refresher=uac\n"),
			    ANN_SDP));
	got = request(&bo, "INVITE");
	assert_non_null(got);
	assert_string_equal(header(w, got, "Session-Expires"), "1800;refresher=uas");
	answers(&bo, got, 200, "", "Contact: <sip:bo@" AT_BO ">\n", BO_SDP);
	got = response(&ann, 200);
	assert_string_equal(header(w, got, "Session-Expires"), "120;refresher=uac");
	world_run(w, 60000);
	assert_null(request(&ann, "BYE"));
	assert_int_equal(n_closed, 0);
}

static void test_PF_9_2_3__422_both_ways(void **state)
{
	char *got, *again;

	(void)state;
	ann_invites("Supported: timer\nSession-Expires: 30\n");
	assert_string_equal(header(w, response(&ann, 422), "Min-SE"), "90");
	phone_send(&ann,
		   with_sdp(phone_request(&ann, "INVITE", BO_URI, BO, 6, IM_ACCEPT), ANN_SDP));
	ready();
	got = request(&bo, "INVITE");
	answers(&bo, got, 422, "bo-tag", "Min-SE: 3600\n", NULL);
	again = request(&bo, "INVITE");
	assert_non_null(again);
	assert_string_equal(header(w, again, "Session-Expires"), "3600");
	assert_string_equal(header(w, again, "CSeq"), "7 INVITE");
	answers(&bo, again, 200, "bo-tag", "Contact: <sip:bo@" AT_BO ">\n", BO_SDP);
	struct talk t = {.ok = response(&ann, 200)};
	phone_send(&ann, ann_inside(&t, "ACK", 6, ""));
	assert_string_equal(header(w, request(&bo, "ACK"), "CSeq"), "7 ACK");
}

int main(void)
{
#define IN(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN(test_PF_9_2_3__the_session_is_refreshed_on_both_sides),
		IN(test_PF_9_2_3__one_who_has_gone_ends_it_for_both),
		IN(test_PF_9_2_3__a_refresher_who_does_not_is_hung_up_on),
		IN(test_PF_9_2_3__a_refresh_by_the_peer_renews_the_time),
		IN(test_PF_9_2_3__422_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
