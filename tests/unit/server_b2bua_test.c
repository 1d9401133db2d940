#include "b2bua_world.h"

static void test_cap_on_sessions_of_a_user_is_486(void **state)
{
	char *invite, *answer;

	(void)state;
	/* setup's world, with a cap of two. */
	w->core->sessions.max_each = 2;
	for (unsigned i = 0; i < 3; i++) {
		invite = with_sdp(phone_request(&ann, "INVITE", BO_URI, BO, 5 + i, IM_ACCEPT),
				  ANN_SDP);
		phone_send(&ann, invite);
		if (i == 2)
			break;
		ready();
		answers(&bo, phone_next(&bo), 200, textf(w, "b%u", i),
			"Contact: <sip:bo@192.0.2.12:5060>\n", BO_SDP);
		assert_int_equal(phone_status(&ann), 200);
	}
	assert_int_equal(b2bua_call_count(b), 2);
	answer = phone_next(&ann);
	assert_int_equal(parsed(answer).status, 486);
	assert_string_equal(header(w, answer, "Retry-After"), "30");
	assert_int_equal(n_opened, 2);
	/* What comes in for him is not his doing. */
	phone_send(&bo, with_sdp(phone_request(&bo, "INVITE", "sip:ann@example.com",
					       "<sip:ann@example.com>", 1, IM_ACCEPT),
				 BO_SDP));
	assert_int_equal(n_opened, 3);
	/* The share is given back when the calls are over. */
	b2bua_free(b);
	b = NULL;
	assert_int_equal(w->core->sessions.table.n, 0);
}

static void test_PF_9_1_2_2__own_contact_request_uri_and_media(void **state)
{
	char *got;

	(void)state;
	ann_invites(
		"Allow: INVITE, BYE\nSupported: replaces, 100rel\nPrivacy: none\nX-Some: thing\n");
	got = request(&bo, "INVITE");
	assert_non_null(got);
	assert_string_equal(start_line(w, got), "INVITE sip:bo@192.0.2.12:5060 SIP/2.0");
	assert_string_equal(header(w, got, "Call-ID"), "call-of-ann");
	assert_string_equal(header(w, got, "From"), "\"ann\" <sip:ann@example.com>;tag=ann-tag");
	assert_non_null(strstr(header(w, got, "Contact"), "@192.0.2.1:5060;pf="));
	assert_non_null(strstr(header(w, got, "Contact"), ";+g.oma.sip-im"));
	/* PF-9.2-2, -3, -5, -6 and PF-9.1.1-3, -4. */
	assert_string_equal(header(w, got, "Privacy"), "none");
	assert_string_equal(header(w, got, "Supported"), "replaces, timer");
	assert_string_equal(header(w, got, "Allow"), "INVITE, BYE");
	assert_string_equal(header(w, got, "P-Asserted-Identity"), "\"ann\" <sip:ann@example.com>");
	assert_string_equal(header(w, got, "X-Some"), "thing");
	assert_string_equal(header(w, got, "User-Agent"), "IM-serv/OMA1.0 Confab/test");
	/* The offer: our address and port, the rest as it was. */
	assert_non_null(strstr(got, "\r\na=path:" FAR_PATH "\r\n"));
	assert_non_null(strstr(got, "\r\nm=message 2855 TCP/MSRP *\r\n"));
	assert_non_null(strstr(got, "\r\nc=IN IP4 192.0.2.1\r\n"));
	assert_non_null(strstr(got, "\r\no=- 7 1 IN IP4 192.0.2.1\r\n"));
	assert_non_null(strstr(got, "\r\na=setup:actpass\r\n"));
	assert_non_null(strstr(got, "\r\na=x-other:kept\r\n"));
	assert_null(strstr(got, "192.0.2.11:7654"));
}

static void test_PF_9_1_1_6__server_once_and_the_responders_address(void **state)
{
	char *got, *ringing, *ok;

	(void)state;
	ann_invites("");
	got = request(&bo, "INVITE");
	answers(&bo, got, 180, "bo-tag", "Contact: <sip:bo@" AT_BO ">\nServer: phone\n", NULL);
	ringing = response(&ann, 180);
	assert_string_equal(header(w, ringing, "Server"), "IM-serv/OMA1.0 Confab/test");
	assert_string_equal(header(w, ringing, "P-Asserted-Identity"), "<sip:bo@example.com>");
	assert_non_null(strstr(header(w, ringing, "To"), ";tag=bo-tag"));
	answers(&bo, got, 200, "bo-tag", "Contact: <sip:bo@" AT_BO ">\nServer: phone\nAllow: BYE\n",
		BO_SDP);
	ok = response(&ann, 200);
	/* PF-9.1.1-7, PF-9.2-9, -10 */
	assert_string_equal(header(w, ok, "Server"), "");
	assert_string_equal(header(w, ok, "Allow"), "BYE");
	assert_string_equal(header(w, ok, "P-Asserted-Identity"), "<sip:bo@example.com>");
	assert_string_equal(header(w, ok, "Session-Expires"), "1800;refresher=uas");
	assert_non_null(strstr(ok, "\r\na=path:" NEAR_PATH "\r\n"));
	assert_non_null(strstr(ok, "\r\na=setup:passive\r\n"));
	assert_non_null(strstr(header(w, ok, "Contact"), ";pf="));
	/* PF-9.1.2-4: the relay knows who sits where, and connects to him who waits. */
	assert_string_equal(end_path[B2BUA_NEAR], "msrp://192.0.2.11:7654/ann;tcp");
	assert_string_equal(end_path[B2BUA_FAR], "msrp://192.0.2.12:7654/bo;tcp");
	assert_false(end_connect[B2BUA_NEAR]);
	assert_true(end_connect[B2BUA_FAR]);
}

static void test_PF_9_1_1_7__server_in_the_200_when_nothing_came_before(void **state)
{
	(void)state;
	struct talk t = talk();

	assert_string_equal(header(w, t.ok, "Server"), "IM-serv/OMA1.0 Confab/test");
}

static void test_PF_9_1_1_6__privacy_of_the_responder(void **state)
{
	char *got;

	(void)state;
	ann_invites("");
	got = request(&bo, "INVITE");
	answers(&bo, got, 200, "bo-tag", "Contact: <sip:bo@" AT_BO ">\nPrivacy: id\n", BO_SDP);
	got = response(&ann, 200);
	assert_string_equal(header(w, got, "P-Asserted-Identity"), "");
	assert_string_equal(header(w, got, "Privacy"), "id");
}

static void test_PF_9_1_2_2__requests_inside_the_dialog_pass_both_ways(void **state)
{
	struct talk t = talk();
	char *got;

	(void)state;
	phone_send(&ann, ann_inside(&t, "MESSAGE", 6, "X-Hello: bo\n"));
	got = request(&bo, "MESSAGE");
	assert_non_null(got);
	assert_string_equal(header(w, got, "X-Hello"), "bo");
	assert_string_equal(header(w, got, "CSeq"), "6 MESSAGE");
	answers(&bo, got, 415, "", "Accept: text/plain\n", NULL);
	assert_string_equal(header(w, response(&ann, 415), "Accept"), "text/plain");
	phone_send(&bo, bo_inside(&t, "INFO", 77, ""));
	got = request(&ann, "INFO");
	assert_non_null(got);
	assert_string_equal(start_line(w, got), "INFO sip:ann@192.0.2.11:5060 SIP/2.0");
	assert_non_null(strstr(header(w, got, "From"), "tag=bo-tag"));
	answers(&ann, got, 200, "", "", NULL);
	response(&bo, 200);
	/* Out of order. */
	phone_send(&ann, ann_inside(&t, "MESSAGE", 6, ""));
	response(&ann, 500);
}

/* RFC 3261 §16.3 step 3, RFC 7332: a B2BUA counts hops, or what leads back to it goes round without
 * end. One hop is the B2BUA's, one the proxy's behind it. */
static void test_RFC_7332__hops_run_out_inside_the_dialog_too(void **state)
{
	struct talk t = talk();

	(void)state;
	for (unsigned hops = 0; hops < 4; hops++) {
		char *got;

		phone_send(&ann, ann_inside(&t, "MESSAGE", 6 + hops,
					    textf(w, "Max-Forwards: %u\n", hops)));
		got = request(&bo, "MESSAGE");
		if (hops < 2) {
			assert_null(got);
			response(&ann, 483);
		} else {
			assert_non_null(got);
			assert_string_equal(header(w, got, "Max-Forwards"),
					    textf(w, "%u", hops - 2));
			answers(&bo, got, 200, "", "", NULL);
			response(&ann, 200);
		}
	}
}

/* Bo says that he is to be reached at the very Contact that he was given: what Ann sends him comes
 * back to the B2BUA, which knows no such dialog on that side. */
static void test_RFC_7332__a_contact_that_is_the_servers_own_leads_nowhere(void **state)
{
	const char *contact;
	struct talk t;

	(void)state;
	t.invite = ann_invites("");
	t.got = request(&bo, "INVITE");
	assert_non_null(t.got);
	contact = header(w, t.got, "Contact");
	answers(&bo, t.got, 200, "bo-tag",
		textf(w, "Contact: %.*s\n", (int)(strchr(contact, '>') + 1 - contact), contact),
		BO_SDP);
	t.ok = response(&ann, 200);
	phone_send(&ann, ann_inside(&t, "ACK", 5, ""));
	phone_send(&ann, ann_inside(&t, "MESSAGE", 6, ""));
	world_run(w, 0);
	response(&ann, 481);
}

static void test_PF_9_1_2_2__bye_passes_and_the_relay_drains(void **state)
{
	struct talk t = talk();
	char *got;

	(void)state;
	phone_send(&bo, bo_inside(&t, "BYE", 1, "Reason: SIP;cause=200\n"));
	got = request(&ann, "BYE");
	assert_non_null(got);
	assert_string_equal(header(w, got, "Reason"), "SIP;cause=200");
	assert_int_equal(n_closed, 1);
	assert_true(closed == opened);
	answers(&ann, got, 200, "", "", NULL);
	response(&bo, 200);
	phone_send(&bo, bo_inside(&t, "INFO", 2, ""));
	response(&bo, 481);
	world_run(w, 70000);
	assert_int_equal(b2bua_call_count(b), 0);
	phone_send(&bo, bo_inside(&t, "INFO", 3, ""));
	response(&bo, 481);
}

static void test_PF_9_1_2_6__another_final_response_is_passed_on(void **state)
{
	char *got;

	(void)state;
	ann_invites("");
	got = request(&bo, "INVITE");
	answers(&bo, got, 486, "bo-tag", "Retry-After: 7\n", NULL);
	got = response(&ann, 486);
	assert_string_equal(header(w, got, "Retry-After"), "7");
	assert_int_equal(n_closed, 1);
	world_run(w, 70000);
	assert_int_equal(b2bua_call_count(b), 0);
}

static void ann_cancels(const char *invite)
{
	phone_send(&ann,
		   crlf(w, textf(w,
				 "CANCEL " BO_URI " SIP/2.0\nVia: SIP/2.0/UDP %s;%s\n"
				 "From: <sip:ann@example.com>;tag=ann-tag\nTo: " BO "\n"
				 "Call-ID: call-of-ann\nCSeq: 5 CANCEL\nContent-Length: 0\n\n",
				 ann.host, via_branch_of(w, invite))));
}

static void test_PF_9_1_2_2__cancel_passes(void **state)
{
	char *invite, *got, *cancel;

	(void)state;
	invite = ann_invites("");
	got = request(&bo, "INVITE");
	answers(&bo, got, 180, "bo-tag", "Contact: <sip:bo@" AT_BO ">\n", NULL);
	ann_cancels(invite);
	cancel = request(&bo, "CANCEL");
	assert_non_null(cancel);
	answers(&bo, cancel, 200, "bo-tag", "", NULL);
	answers(&bo, got, 487, "bo-tag", "", NULL);
	response(&ann, 487);
	assert_int_equal(n_closed, 1);
}

static void test_PF_9_1_2_2__cancel_before_the_relay_is_there(void **state)
{
	char *invite;

	(void)state;
	answer_at_once = false;
	invite = ann_invites("");
	ann_cancels(invite);
	response(&ann, 487);
	ready();
	assert_null(request(&bo, "INVITE"));
	assert_true(n_closed >= 1);
}

static void test_PF_9_1_2_2__no_relay_is_503(void **state)
{
	(void)state;
	answer_at_once = false;
	ann_invites("");
	b2bua_relay_failed(b, opened, w->now);
	assert_string_equal(header(w, response(&ann, 503), "Retry-After"), "10");
}

static void test_PF_9_1_2_2__a_relay_that_is_ready_twice_invites_once(void **state)
{
	(void)state;
	answer_at_once = false;
	ann_invites("");
	ready();
	ready();
	assert_non_null(request(&bo, "INVITE"));
	assert_null(request(&bo, "INVITE"));
}

static void test_PF_X_1__every_fork_is_a_dialog_of_its_own(void **state)
{
	char *got, *got2, *ok;

	(void)state;
	phone_registers(&bo2, IM_CONTACT);
	ann_invites("");
	got = request(&bo, "INVITE");
	got2 = request(&bo2, "INVITE");
	assert_non_null(got2);
	answers(&bo, got, 180, "one", "Contact: <sip:bo@" AT_BO ">\n", NULL);
	answers(&bo2, got2, 180, "two", "Contact: <sip:bo@" AT_BO2 ">\n", NULL);
	assert_non_null(strstr(header(w, response(&ann, 180), "To"), "tag=one"));
	ok = response(&ann, 180);
	assert_non_null(strstr(header(w, ok, "To"), "tag=two"));
	assert_string_not_equal(header(w, ok, "Server"), "");
	/* Both pick up; each hears of his own ACK and BYE. */
	answers(&bo, got, 200, "one", "Contact: <sip:bo@" AT_BO ">\n", BO_SDP);
	answers(&bo2, got2, 200, "two", "Contact: <sip:bo@" AT_BO2 ">\n",
		sdp_of("192.0.2.22", "msrp://192.0.2.22:7/two;tcp", ""));
	struct talk t = {.ok = response(&ann, 200)};
	struct talk t2 = {.ok = response(&ann, 200)};

	phone_send(&ann, ann_inside(&t, "ACK", 5, ""));
	phone_send(&ann, ann_inside(&t2, "ACK", 5, ""));
	assert_non_null(request(&bo, "ACK"));
	assert_non_null(request(&bo2, "ACK"));
	phone_send(&ann, ann_inside(&t2, "BYE", 6, ""));
	got2 = request(&bo2, "BYE");
	assert_non_null(got2);
	assert_non_null(strstr(header(w, got2, "To"), "tag=two"));
	assert_null(request(&bo, "BYE"));
	/* The media of the first one goes on. */
	assert_int_equal(n_closed, 0);
	assert_string_equal(end_path[B2BUA_FAR], "msrp://192.0.2.12:7654/bo;tcp");
}

static void test_PF_X_1__both_functions_in_one_process_do_not_collide(void **state)
{
	(void)state;
	w->user[1].mode = CORE_MODE_B2BUA;
	answer_at_once = true;
	char *invite = with_sdp(phone_request(&ann, "INVITE", BO_URI, BO, 5, IM_ACCEPT), ANN_SDP);

	phone_send(&ann, invite);
	ready();
	assert_int_equal(n_opened, 2);
	b2bua_relay_ready(b, opened, VIEW("msrp://192.0.2.1:2856/ab-n;tcp"),
			  VIEW("msrp://192.0.2.1:2856/ab-f;tcp"), w->now);
	world_run(w, 0);
	struct talk t = {.got = request(&bo, "INVITE")};

	assert_non_null(t.got);
	assert_string_equal(header(w, t.got, "Call-ID"), "call-of-ann");
	assert_non_null(strstr(t.got, "ab-f;tcp"));
	answers(&bo, t.got, 200, "bo-tag", "Contact: <sip:bo@" AT_BO ">\n", BO_SDP);
	t.ok = response(&ann, 200);
	assert_non_null(strstr(t.ok, NEAR_PATH));
	phone_send(&ann, ann_inside(&t, "ACK", 5, ""));
	assert_non_null(request(&bo, "ACK"));
	phone_send(&bo, bo_inside(&t, "BYE", 1, ""));
	char *bye = request(&ann, "BYE");
	assert_non_null(bye);
	answers(&ann, bye, 200, "", "", NULL);
	response(&bo, 200);
	assert_int_equal(n_closed, 2);
	world_run(w, 70000);
	assert_int_equal(b2bua_call_count(b), 0);
}

static void test_PF_9_2_1__the_terminating_side_by_its_users_mode(void **state)
{
	(void)state;
	w->user[0].mode = CORE_MODE_PROXY;
	w->user[1].mode = CORE_MODE_B2BUA;
	struct talk t = talk();

	assert_int_equal(n_opened, 1);
	assert_non_null(strstr(header(w, t.got, "Contact"), ";pf="));
	assert_non_null(strstr(header(w, t.got, "Supported"), "timer"));
}

static void test_PF_9_1_2_3__a_user_in_proxy_mode_is_proxied(void **state)
{
	char *got;

	(void)state;
	w->user[0].mode = CORE_MODE_PROXY;
	ann_invites("");
	got = request(&bo, "INVITE");
	assert_int_equal(n_opened, 0);
	assert_null(strstr(header(w, got, "Contact"), "pf="));
	assert_non_null(strstr(got, "msrp://192.0.2.11:7654/ann;tcp"));
}

static void test_PF_9_1_2_3__without_an_offer_there_is_no_media_path(void **state)
{
	(void)state;
	phone_send(&ann, phone_request(&ann, "INVITE", BO_URI, BO, 5, IM_ACCEPT));
	assert_non_null(request(&bo, "INVITE"));
	assert_int_equal(n_opened, 0);
}

static void test_PF_9_1_2_1__the_check_comes_first(void **state)
{
	(void)state;
	phone_send(&ann, with_sdp(phone_request(&ann, "INVITE", BO_URI, BO, 5, ""), ANN_SDP));
	response(&ann, 403);
	assert_int_equal(n_opened, 0);
}

static void test_PF_9_1_2_2__nothing_it_could_relay_is_488(void **state)
{
	(void)state;
	phone_send(&ann,
		   with_sdp(phone_request(&ann, "INVITE", BO_URI, BO, 5, IM_ACCEPT),
			    "v=0\no=- 1 1 IN IP4 192.0.2.11\ns=-\nc=IN IP4 192.0.2.11\nt=0 0\n"
			    "m=audio 4000 RTP/AVP 0\n"));
	response(&ann, 488);
}

static void test_PF_9_1_2_2__other_streams_are_refused(void **state)
{
	char *got;

	(void)state;
	phone_send(&ann,
		   with_sdp(phone_request(&ann, "INVITE", BO_URI, BO, 5, IM_ACCEPT),
			    textf(w, "%sm=audio 4000 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n", ANN_SDP)));
	ready();
	got = request(&bo, "INVITE");
	assert_non_null(strstr(got, "\r\nm=audio 0 RTP/AVP 0\r\n"));
	assert_null(strstr(got, "rtpmap"));
}

static void test_PF_9_1_2_2__a_list_beside_the_offer_goes_through(void **state)
{
	char *invite = phone_request(&ann, "INVITE", BO_URI, BO, 5, IM_ACCEPT), *got;
	char *end = strstr(invite, "Content-Length: 0"), *body;

	(void)state;
	*end = '\0';
	body = crlf(w, textf(w,
			     "--bb\nContent-Type: application/sdp\n\n%s\n--bb\nContent-Type: "
			     "application/resource-lists+xml\n\n<list/>\n--bb--\n",
			     ANN_SDP));
	phone_send(&ann, textf(w,
			       "%sContent-Type: multipart/mixed;boundary=bb\r\nContent-Length: "
			       "%zu\r\n\r\n%s",
			       invite, strlen(body), body));
	ready();
	got = request(&bo, "INVITE");
	assert_non_null(got);
	assert_non_null(strstr(got, "a=path:" FAR_PATH "\r\n"));
	assert_non_null(strstr(got, "\r\n<list/>\r\n--bb--"));
	assert_null(strstr(got, "192.0.2.11:7654"));
}

static void test_R_9__the_uri_of_a_focus_stays_what_it_is(void **state)
{
	char *got;

	(void)state;
	ann_invites("");
	got = request(&bo, "INVITE");
	answers(&bo, got, 200, "bo-tag",
		"Contact: <sip:conf-9@far.example;pf=another;x=y>;isfocus;text\n", BO_SDP);
	got = response(&ann, 200);
	assert_non_null(strstr(header(w, got, "Contact"), "<sip:conf-9@far.example;x=y;pf="));
	assert_non_null(strstr(header(w, got, "Contact"), ">;isfocus;text;+g.oma.sip-im"));
	assert_non_null(strstr(header(w, got, "Record-Route"), "192.0.2.1:5060"));
	/* The relay answers its switch end to end. */
	assert_true(end_focus[B2BUA_FAR]);
	assert_false(end_focus[B2BUA_NEAR]);
}

static void test_PF_9_1_2_2__a_reinvite_passes_and_renews(void **state)
{
	struct talk t = talk();
	char *got;

	(void)state;
	phone_send(&bo, with_sdp(bo_inside(&t, "INVITE", 3, ""),
				 sdp_of("192.0.2.12", "msrp://192.0.2.12:9999/new;tcp",
					"a=setup:active\n")));
	got = request(&ann, "INVITE");
	assert_non_null(got);
	assert_non_null(strstr(got, "a=path:" NEAR_PATH "\r\n"));
	assert_non_null(strstr(header(w, got, "Contact"), ";pf="));
	/* Meanwhile another is too many, from either side. */
	phone_send(&ann, with_sdp(ann_inside(&t, "INVITE", 6, ""), ANN_SDP));
	response(&ann, 491);
	phone_send(&bo, with_sdp(bo_inside(&t, "INVITE", 4, ""), BO_SDP));
	response(&bo, 500);
	answers(&ann, got, 200, "", "Contact: <sip:ann@" AT_ANN ">\n",
		sdp_of("192.0.2.11", "msrp://192.0.2.11:7654/ann;tcp", "a=setup:active\n"));
	got = response(&bo, 200);
	assert_non_null(strstr(got, "a=path:" FAR_PATH "\r\n"));
	assert_non_null(strstr(got, "a=setup:passive\r\n"));
	assert_string_equal(end_path[B2BUA_FAR], "msrp://192.0.2.12:9999/new;tcp");
	assert_false(end_connect[B2BUA_FAR]);
	phone_send(&bo, bo_inside(&t, "ACK", 3, ""));
	assert_non_null(request(&ann, "ACK"));
}

static void test_PF_9_1_1_6__one_who_rings_without_a_contact(void **state)
{
	struct talk t = {0};

	(void)state;
	ann_invites("");
	t.got = request(&bo, "INVITE");
	answers(&bo, t.got, 180, "bo-tag", "", NULL);
	assert_string_equal(header(w, response(&ann, 180), "Contact"), "");
	answers(&bo, t.got, 200, "bo-tag", "Contact: <sip:bo@" AT_BO ">\n", BO_SDP);
	t.ok = response(&ann, 200);
	assert_string_equal(header(w, t.ok, "Server"), "");
	phone_send(&ann, ann_inside(&t, "ACK", 5, ""));
	assert_non_null(request(&bo, "ACK"));
}

static void test_PF_9_1_1_7__a_200_without_a_contact_is_of_no_use(void **state)
{
	(void)state;
	ann_invites("");
	answers(&bo, request(&bo, "INVITE"), 200, "bo-tag", "", BO_SDP);
	response(&ann, 500);
	assert_int_equal(n_closed, 1);
}

static void test_PF_9_1_2_2__a_repeated_200_is_repeated(void **state)
{
	struct talk t = talk();
	char *again;

	(void)state;
	answers(&bo, t.got, 200, "bo-tag",
		"Contact: <sip:bo@" AT_BO ">;expires=9\nAllow: INVITE, BYE, ACK, MESSAGE\n",
		BO_SDP);
	again = response(&ann, 200);
	assert_string_equal(again, t.ok);
	phone_send(&ann, ann_inside(&t, "ACK", 5, ""));
	assert_non_null(request(&bo, "ACK"));
}

static void test_PF_9_1_2_2__what_it_cannot_carry_is_420(void **state)
{
	(void)state;
	ann_invites("Require: 100rel\n");
	assert_string_equal(header(w, response(&ann, 420), "Unsupported"), "100rel");
}

static void test_PF_9_1_2_2__a_side_that_never_connects_ends_the_session(void **state)
{
	(void)state;
	talk();
	b2bua_relay_lost(b, opened, w->now);
	world_run(w, 0);
	assert_non_null(request(&ann, "BYE"));
	assert_non_null(request(&bo, "BYE"));
}

static void test_PF_9_1_2_2__shutting_down_ends_both_sides_and_says_why(void **state)
{
	char *bye;

	(void)state;
	talk();
	assert_int_equal(b2bua_open_count(b), 1);
	b2bua_shut_down(b, w->now);
	world_run(w, 0);
	bye = request(&ann, "BYE");
	assert_string_equal(header(w, bye, "Reason"),
			    "SIP;cause=503;text=\"Server Shutting Down\"");
	assert_int_equal(b2bua_open_count(b), 1);
	answers(&ann, bye, 200, "", "", "");
	bye = request(&bo, "BYE");
	assert_non_null(strstr(bye, "Reason: SIP;cause=503"));
	answers(&bo, bye, 200, "", "", "");
	world_run(w, 0);
	/* Transactions linger, but nobody is waited for. */
	assert_int_equal(b2bua_open_count(b), 0);
}

static void test_PF_9_1_2_2__shutting_down_cancels_what_rings(void **state)
{
	char *got;

	(void)state;
	ann_invites("");
	got = request(&bo, "INVITE");
	answers(&bo, got, 180, "bo-tag", "Contact: <sip:bo@" AT_BO ">\n", "");
	b2bua_shut_down(b, w->now);
	world_run(w, 0);
	assert_non_null(strstr(request(&bo, "CANCEL"), "Reason: SIP;cause=503"));
	answers(&bo, got, 487, "bo-tag", "", "");
	assert_non_null(response(&ann, 487));
	world_run(w, 0);
	assert_int_equal(b2bua_open_count(b), 0);
}

static void test_PF_X_1__replaces_goes_through_as_it_is(void **state)
{
	char *got;

	(void)state;
	ann_invites("Replaces: some-call;to-tag=x;from-tag=y\nRequire: replaces\n");
	got = request(&bo, "INVITE");
	assert_string_equal(header(w, got, "Replaces"), "some-call;to-tag=x;from-tag=y");
	assert_string_equal(header(w, got, "Require"), "replaces");
}

static void test_PF_X_1__somebody_elses_tags_find_nothing(void **state)
{
	struct talk t = talk();

	(void)state;
	t.ok = textf(w, "%s", t.ok);
	memcpy(strstr(t.ok, "tag=bo-tag"), "tag=xx-tag", 10);
	phone_send(&ann, ann_inside(&t, "BYE", 9, ""));
	response(&ann, 481);
	assert_null(request(&bo, "BYE"));
}

/* What Bo gets when the function of one side is in the media path. */
static char *through(bool originating, const char *extra)
{
	w->user[0].mode = originating ? CORE_MODE_B2BUA : CORE_MODE_PROXY;
	w->user[1].mode = originating ? CORE_MODE_PROXY : CORE_MODE_B2BUA;
	ann_invites(extra);
	return request(&bo, "INVITE");
}

static void invite_is_well_made(bool originating)
{
	char *got = through(originating, "Max-Forwards: 20\n");

	assert_string_equal(header(w, got, "Max-Forwards"), "18");
	assert_string_equal(header(w, got, "CSeq"), "5 INVITE");
	assert_string_equal(header(w, got, "To"), BO);
}

static void test_PF_9_1_1_1__the_invite_is_well_made(void **state)
{
	(void)state;
	invite_is_well_made(true);
}

static void test_PF_9_2_1__the_invite_is_well_made(void **state)
{
	(void)state;
	invite_is_well_made(false);
}

/* What Ann takes is what Bo may send her through here. */
static void test_PF_9_1_1_2__the_originators_allow_is_kept(void **state)
{
	(void)state;
	assert_string_equal(header(w, through(true, "Allow: INVITE, BYE, PUBLISH\n"), "Allow"),
			    "INVITE, BYE");
}

static void test_PF_9_2_4__the_originators_allow_is_kept(void **state)
{
	(void)state;
	assert_string_equal(header(w, through(false, "Allow: INVITE, BYE, PUBLISH\n"), "Allow"),
			    "INVITE, BYE");
}

static void test_PF_9_1_1_3__allow_lists_what_is_served(void **state)
{
	(void)state;
	assert_non_null(strstr(header(w, through(true, ""), "Allow"), "INVITE, ACK, BYE, CANCEL"));
}

static void test_PF_9_2_5__allow_lists_what_is_served(void **state)
{
	(void)state;
	assert_non_null(strstr(header(w, through(false, ""), "Allow"), "INVITE, ACK, BYE, CANCEL"));
}

static void test_PF_9_1_1_4__the_originators_address_goes_along(void **state)
{
	(void)state;
	assert_string_equal(header(w, through(true, ""), "P-Asserted-Identity"),
			    "\"ann\" <sip:ann@example.com>");
}

static void test_PF_9_2_6__the_originators_address_goes_along(void **state)
{
	(void)state;
	assert_string_equal(header(w, through(false, ""), "P-Asserted-Identity"),
			    "\"ann\" <sip:ann@example.com>");
}

static void test_PF_9_1_1_5__contact_has_the_feature_tag(void **state)
{
	const char *contact = header(w, through(true, ""), "Contact");

	(void)state;
	assert_non_null(strstr(contact, "@192.0.2.1:5060;pf="));
	assert_non_null(strstr(contact, ">;+g.oma.sip-im"));
}

static void test_PF_9_2_7__contact_has_the_feature_tag(void **state)
{
	const char *contact = header(w, through(false, ""), "Contact");

	(void)state;
	assert_non_null(strstr(contact, "@192.0.2.1:5060;pf="));
	assert_non_null(strstr(contact, ">;+g.oma.sip-im"));
}

static void test_PF_9_2_2__privacy_goes_unmodified(void **state)
{
	char *got = through(false, "Privacy: id;critical\n");

	(void)state;
	assert_string_equal(header(w, got, "Privacy"), "id;critical");
	/* Bo's phone is no trusted peer. */
	assert_string_equal(header(w, got, "P-Asserted-Identity"), "");
}

/* The answers of the terminating side. */
static void test_PF_9_2_8__the_200_goes_to_the_originator(void **state)
{
	char *got = through(false, "");

	(void)state;
	answers(&bo, got, 200, "bo-tag", "Contact: <sip:bo@" AT_BO ">\n", BO_SDP);
	assert_non_null(strstr(response(&ann, 200), "\r\na=path:" NEAR_PATH "\r\n"));
}

static void test_PF_9_2_9__provisional_answers_of_the_terminating_side(void **state)
{
	char *got = through(false, "");

	(void)state;
	answers(&bo, got, 180, "bo-tag", "Contact: <sip:bo@" AT_BO ">\nServer: phone\n", NULL);
	got = response(&ann, 180);
	assert_string_equal(header(w, got, "Server"), "IM-serv/OMA1.0 Confab/test");
	assert_string_equal(header(w, got, "P-Asserted-Identity"), "<sip:bo@example.com>");
}

static void test_PF_9_2_10__the_200_of_the_terminating_side(void **state)
{
	char *got = through(false, "");

	(void)state;
	answers(&bo, got, 200, "bo-tag", "Contact: <sip:bo@" AT_BO ">\nAllow: BYE, INFO\n", BO_SDP);
	got = response(&ann, 200);
	assert_string_equal(header(w, got, "Server"), "IM-serv/OMA1.0 Confab/test");
	assert_string_equal(header(w, got, "Allow"), "BYE, INFO");
	assert_string_equal(header(w, got, "P-Asserted-Identity"), "<sip:bo@example.com>");
}

static void test_PF_9_1_2_4__the_answer_is_ours_and_the_callees_is_kept(void **state)
{
	struct talk t = talk();
	char *got;

	(void)state;
	assert_non_null(strstr(t.ok, "\r\na=path:" NEAR_PATH "\r\n"));
	assert_null(strstr(t.ok, "192.0.2.12:7654"));
	assert_string_equal(header(w, t.ok, "Allow"), "INVITE, ACK, BYE, MESSAGE");
	/* His Contact is where requests inside the dialog go. */
	phone_send(&ann, ann_inside(&t, "BYE", 6, ""));
	got = request(&bo, "BYE");
	assert_string_equal(start_line(w, got), "BYE sip:bo@192.0.2.12:5060 SIP/2.0");
}

int main(void)
{
#define IN(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN(test_cap_on_sessions_of_a_user_is_486),
		IN(test_PF_9_1_2_2__own_contact_request_uri_and_media),
		IN(test_PF_9_1_1_6__server_once_and_the_responders_address),
		IN(test_PF_9_1_1_1__the_invite_is_well_made),
		IN(test_PF_9_2_1__the_invite_is_well_made),
		IN(test_PF_9_1_1_2__the_originators_allow_is_kept),
		IN(test_PF_9_2_4__the_originators_allow_is_kept),
		IN(test_PF_9_1_1_3__allow_lists_what_is_served),
		IN(test_PF_9_2_5__allow_lists_what_is_served),
		IN(test_PF_9_1_1_4__the_originators_address_goes_along),
		IN(test_PF_9_2_6__the_originators_address_goes_along),
		IN(test_PF_9_1_1_5__contact_has_the_feature_tag),
		IN(test_PF_9_2_7__contact_has_the_feature_tag),
		IN(test_PF_9_2_2__privacy_goes_unmodified),
		IN(test_PF_9_2_8__the_200_goes_to_the_originator),
		IN(test_PF_9_2_9__provisional_answers_of_the_terminating_side),
		IN(test_PF_9_2_10__the_200_of_the_terminating_side),
		IN(test_PF_9_1_2_4__the_answer_is_ours_and_the_callees_is_kept),
		IN(test_PF_9_1_1_7__server_in_the_200_when_nothing_came_before),
		IN(test_PF_9_1_1_6__privacy_of_the_responder),
		IN(test_PF_9_1_2_2__requests_inside_the_dialog_pass_both_ways),
		IN(test_RFC_7332__hops_run_out_inside_the_dialog_too),
		IN(test_RFC_7332__a_contact_that_is_the_servers_own_leads_nowhere),
		IN(test_PF_9_1_2_2__bye_passes_and_the_relay_drains),
		IN(test_PF_9_1_2_6__another_final_response_is_passed_on),
		IN(test_PF_9_1_2_2__cancel_passes),
		IN(test_PF_9_1_2_2__cancel_before_the_relay_is_there),
		IN(test_PF_9_1_2_2__no_relay_is_503),
		IN(test_PF_9_1_2_2__a_relay_that_is_ready_twice_invites_once),
		IN(test_PF_X_1__every_fork_is_a_dialog_of_its_own),
		IN(test_PF_X_1__both_functions_in_one_process_do_not_collide),
		IN(test_PF_9_2_1__the_terminating_side_by_its_users_mode),
		IN(test_PF_9_1_2_3__a_user_in_proxy_mode_is_proxied),
		IN(test_PF_9_1_2_3__without_an_offer_there_is_no_media_path),
		IN(test_PF_9_1_2_1__the_check_comes_first),
		IN(test_PF_9_1_2_2__nothing_it_could_relay_is_488),
		IN(test_PF_9_1_2_2__other_streams_are_refused),
		IN(test_PF_9_1_2_2__a_list_beside_the_offer_goes_through),
		IN(test_R_9__the_uri_of_a_focus_stays_what_it_is),
		IN(test_PF_9_1_2_2__a_reinvite_passes_and_renews),
		IN(test_PF_9_1_1_6__one_who_rings_without_a_contact),
		IN(test_PF_9_1_1_7__a_200_without_a_contact_is_of_no_use),
		IN(test_PF_9_1_2_2__a_repeated_200_is_repeated),
		IN(test_PF_9_1_2_2__what_it_cannot_carry_is_420),
		IN(test_PF_9_1_2_2__a_side_that_never_connects_ends_the_session),
		IN(test_PF_9_1_2_2__shutting_down_ends_both_sides_and_says_why),
		IN(test_PF_9_1_2_2__shutting_down_cancels_what_rings),
		IN(test_PF_X_1__replaces_goes_through_as_it_is),
		IN(test_PF_X_1__somebody_elses_tags_find_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
