/* The B2BUA as application server on ISC (PF-X-2, PF-9.1.2-2, PF-X-1), and the edges of the trust
 * domain at a B2BUA in either mode (R-3). */
#include "b2bua_world.h"

#define CORE_AT "192.0.2.50:5060" /* the S-CSCF, which is both sides' peer */
#define BO_IMS	"sip:bo@ims.example"
#define ANN_IMS "P-Asserted-Identity: \"Ann\" <sip:ann@example.com>, <tel:+41>\n"
#define ORIG	"Route: <sip:orig@192.0.2.1:5060;lr>,<sip:mark1@192.0.2.50:5060;lr>\n"
#define TERM	"Route: <sip:term@192.0.2.1:5060;lr>,<sip:mark2@192.0.2.50:5060;lr>\n"
#define SERVED	"P-Served-User: <sip:ann@example.com>;sescase=orig;regstate=reg\n"
#define VECTOR	"icid-value=\"one;1\";icid-generated-at=192.0.2.50;orig-ioi=home.net"
#define P_FIELDS                                                                                   \
	"P-Charging-Vector: " VECTOR "\n"                                                          \
	"P-Charging-Function-Addresses: ccf=c.net\n"                                               \
	"P-Access-Network-Info: 3GPP\n"                                                            \
	"P-Visited-Network-ID: v.net\n"

static struct addr peer;

/* Ann's sessions are served by B2BUA, Bo's are not. */
static int isc_setup(void **state)
{
	(void)state;
	w = world_new();
	peer = address(CORE_AT);
	w->cfg.trusted = &peer;
	w->cfg.n_trusted = 1;
	w->cfg.mode = CORE_MODE_PROXY;
	w->user[0].mode = CORE_MODE_B2BUA;
	w->cfg.ims = (struct ims_config){.on = true,
					 .orig_user = VIEW("orig"),
					 .term_user = VIEW("term"),
					 .ioi = VIEW("as.net")};
	begin();
	ann = bo = phone_at(w, "ann", CORE_AT);
	return 0;
}

static char *core_invites(const char *uri, const char *extra)
{
	char *invite = with_sdp(phone_request(&ann, "INVITE", uri, textf(w, "<%s>", uri), 5,
					      textf(w, IM_ACCEPT "%s", extra)),
				ANN_SDP);
	int before = n_opened;

	phone_send(&ann, invite);
	if (n_opened > before && answer_at_once)
		ready();
	return invite;
}

/* Without the S-CSCF's own entry, which it takes off before it sends anything on. */
static char *without_record_route(const char *text, const char *uri)
{
	const char *line = textf(w, "Record-Route: <%s>\r\n", uri), *at = strstr(text, line);

	assert_non_null(at);
	return textf(w, "%.*s%s", (int)(at - text), text, at + strlen(line));
}

/* A confirmed session of Ann's, as the S-CSCF sees it: it record-routes by that URI on either side.
 */
static struct talk isc_talk_by(const char *uri, const char *extra, const char *answer_extra)
{
	struct talk t = {
		.invite = core_invites(BO_IMS, textf(w, "Record-Route: <%s>\n%s", uri, extra))};
	char *line;

	t.got = request(&ann, "INVITE");
	assert_non_null(t.got);
	line = strstr(t.got, "\r\n") + 2;
	answers(&ann,
		textf(w, "%.*sRecord-Route: <%s>\r\n%s", (int)(line - t.got), t.got, uri, line),
		200, "bo-tag", textf(w, "Contact: <sip:bo@" AT_BO ">\n%s", answer_extra), BO_SDP);
	t.ok = without_record_route(response(&ann, 200), uri);
	phone_send(&ann, ann_inside(&t, "ACK", 5, ""));
	assert_non_null(request(&ann, "ACK"));
	return t;
}

static struct talk isc_talk(const char *extra, const char *answer_extra)
{
	return isc_talk_by("sip:" CORE_AT ";lr", extra, answer_extra);
}

static void test_PF_X_2__the_invite_goes_back_along_the_route_that_remains(void **state)
{
	char *got;

	(void)state;
	core_invites(BO_IMS ";user=x",
		     ORIG ANN_IMS SERVED P_FIELDS "Privacy: id\nMax-Forwards: 60\n");
	/* It is too long for a datagram, and goes by TCP (RFC 3261 §18.1.1). */
	got = w->sent[w->n_sent - 1].text;
	assert_true(w->sent[w->n_sent - 1].link && addr_eq(&w->sent[w->n_sent - 1].to, &peer));
	assert_string_equal(start_line(w, got), "INVITE " BO_IMS ";user=x SIP/2.0");
	assert_string_equal(header(w, got, "Route"), "<sip:mark1@192.0.2.50:5060;lr>");
	assert_non_null(strstr(header(w, got, "Record-Route"), "<sip:" OWN ";lr"));
	/* A dialog of its own: no Via of the near side, our Contact. */
	assert_null(strstr(header(w, got, "Via"), CORE_AT));
	assert_non_null(strstr(header(w, got, "Contact"), "@192.0.2.1:5060;pf="));
	assert_string_equal(header(w, got, "Max-Forwards"), "58");
	assert_string_equal(header(w, got, "Privacy"), "id");
	assert_string_equal(header(w, got, "P-Asserted-Identity"),
			    "\"Ann\" <sip:ann@example.com>, <tel:+41>");
	assert_string_equal(header(w, got, "P-Served-User"),
			    "<sip:ann@example.com>;sescase=orig;regstate=reg");
	assert_string_equal(header(w, got, "P-Charging-Vector"), VECTOR);
	assert_string_equal(header(w, got, "P-Charging-Function-Addresses"), "ccf=c.net");
	assert_string_equal(header(w, got, "P-Access-Network-Info"), "3GPP");
	assert_string_equal(header(w, got, "Supported"), "timer");
	assert_non_null(strstr(got, "a=path:" FAR_PATH "\r\n"));
	assert_int_equal(n_opened, 1);
}

static void test_PF_X_2__answers_of_the_b2bua_keep_the_icid(void **state)
{
	char *got, *text;

	(void)state;
	core_invites(BO_IMS, ORIG ANN_IMS SERVED P_FIELDS);
	got = request(&ann, "INVITE");
	answers(&ann, got, 180, "bo-tag",
		"Contact: <sip:bo@" AT_BO
		">\nP-Asserted-Identity: <sip:bo@ims.example>\nPrivacy: id\n",
		NULL);
	text = response(&ann, 180);
	assert_string_equal(header(w, text, "P-Charging-Vector"), VECTOR ";term-ioi=\"as.net\"");
	assert_string_equal(header(w, text, "P-Asserted-Identity"), "<sip:bo@ims.example>");
	answers(&ann, got, 200, "bo-tag",
		"Contact: <sip:bo@" AT_BO ">\nP-Charging-Vector: " VECTOR ";term-ioi=far.net\n"
		"P-Charging-Function-Addresses: ccf=192.0.2.78\n",
		BO_SDP);
	text = response(&ann, 200);
	assert_string_equal(header(w, text, "P-Charging-Vector"), VECTOR ";term-ioi=far.net");
	assert_string_equal(header(w, text, "P-Charging-Function-Addresses"), "ccf=192.0.2.78");
	assert_non_null(strstr(text, "a=path:" NEAR_PATH "\r\n"));
}

static void test_PF_X_2__a_refusal_goes_through_as_well(void **state)
{
	(void)state;
	core_invites(BO_IMS, ORIG ANN_IMS);
	answers(&ann, request(&ann, "INVITE"), 486, "bo-tag", "", NULL);
	response(&ann, 486);
	assert_int_equal(n_closed, 1);
}

static void test_PF_X_2__the_mode_is_the_served_users(void **state)
{
	(void)state;
	/* Ann's B2BUA is hers alone: where Bo is served, his setting counts. */
	core_invites("sip:bo@example.com", TERM ANN_IMS);
	assert_int_equal(n_opened, 0);
	assert_null(strstr(header(w, request(&ann, "INVITE"), "Contact"), "pf="));
	w->user[1].mode = CORE_MODE_B2BUA;
	core_invites("sip:bo@example.com", TERM ANN_IMS);
	assert_int_equal(n_opened, 1);
	assert_string_equal(header(w, request(&ann, "INVITE"), "Route"),
			    "<sip:mark2@192.0.2.50:5060;lr>");
	/* P-Served-User has the last word, against the Request-URI too. */
	core_invites("sip:bo@example.com",
		     TERM ANN_IMS "P-Served-User: <sip:charles@example.com>;sescase=term\n");
	assert_int_equal(n_opened, 1);
	core_invites(BO_IMS, TERM "P-Served-User: <sip:ann@example.com>;sescase=term\n");
	assert_int_equal(n_opened, 2);
}

static void test_PF_X_2__the_deployments_mode_for_users_unknown_here(void **state)
{
	(void)state;
	b2bua_free(b);
	b = NULL;
	world_end(w);
	w = world_new();
	peer = address(CORE_AT);
	w->cfg.trusted = &peer;
	w->cfg.n_trusted = 1;
	w->cfg.mode = CORE_MODE_B2BUA;
	w->user[0].mode = CORE_MODE_PROXY;
	w->cfg.ims = (struct ims_config){
		.on = true, .orig_user = VIEW("orig"), .term_user = VIEW("term")};
	begin();
	ann = phone_at(w, "ann", CORE_AT);
	core_invites(BO_IMS, TERM ANN_IMS);
	assert_int_equal(n_opened, 1);
	core_invites(BO_IMS, ORIG ANN_IMS);
	assert_int_equal(n_opened, 1);
}

static void test_PF_9_1_2_1__the_check_comes_before_the_b2bua(void **state)
{
	(void)state;
	phone_send(&ann,
		   with_sdp(phone_request(&ann, "INVITE", BO_IMS, "<" BO_IMS ">", 5, ORIG ANN_IMS),
			    ANN_SDP));
	response(&ann, 403);
	assert_int_equal(n_opened, 0);
}

/* The switch is in a conference's media path by itself. */
static void test_PF_X_2__no_relay_before_a_conference(void **state)
{
	(void)state;
	core_invites("sip:factory@example.com", ORIG ANN_IMS SERVED);
	assert_non_null(request(&ann, "INVITE"));
	assert_int_equal(n_opened, 0);
}

static void test_PF_X_2__a_caller_without_a_name_is_given_none(void **state)
{
	(void)state;
	core_invites(BO_IMS, ORIG "P-Served-User: <sip:ann@example.com>;sescase=orig\n");
	assert_int_equal(n_opened, 1);
	assert_string_equal(header(w, request(&ann, "INVITE"), "P-Asserted-Identity"), "");
}

/* Whose name it is that stands in Route is the one who sent it, for what follows as well. */
static void test_PF_X_2__an_s_cscf_with_a_name(void **state)
{
	char *got;

	(void)state;
	struct talk t = isc_talk_by(
		"sip:scscf.ims.example;lr",
		"Route: <sip:orig@192.0.2.1:5060;lr>,<sip:scscf.ims.example;lr>\n" ANN_IMS, "");

	assert_string_equal(header(w, t.got, "Route"), "<sip:scscf.ims.example;lr>");
	phone_send(&ann, ann_inside(&t, "INFO", 6, ""));
	got = request(&ann, "INFO");
	assert_non_null(got);
	assert_string_equal(header(w, got, "Route"), "<sip:scscf.ims.example;lr>");
	answers(&ann, got, 200, "", "", NULL);
	response(&ann, 200);
	phone_send(&ann, bo_inside(&t, "BYE", 7, ""));
	got = request(&ann, "BYE");
	assert_non_null(got);
	assert_string_equal(header(w, got, "Route"), "<sip:scscf.ims.example;lr>");
}

static void test_PF_X_2__requests_inside_the_dialog_pass_with_their_fields(void **state)
{
	char *got;

	(void)state;
	struct talk t = isc_talk(ORIG ANN_IMS P_FIELDS, "");

	phone_send(&ann, with_sdp(ann_inside(&t, "INVITE", 6, P_FIELDS ANN_IMS), ANN_SDP));
	got = request(&ann, "INVITE");
	assert_non_null(got);
	assert_string_equal(header(w, got, "P-Charging-Vector"), VECTOR);
	assert_string_equal(header(w, got, "P-Access-Network-Info"), "3GPP");
	assert_non_null(strstr(got, "a=path:" FAR_PATH "\r\n"));
	answers(&ann, got, 200, "", "Contact: <sip:bo@" AT_BO ">\n", BO_SDP);
	got = response(&ann, 200);
	assert_string_equal(header(w, got, "P-Charging-Vector"), VECTOR ";term-ioi=\"as.net\"");
	phone_send(&ann, ann_inside(&t, "ACK", 6, P_FIELDS));
	assert_string_equal(header(w, request(&ann, "ACK"), "P-Charging-Vector"), VECTOR);
	/* The other way. */
	phone_send(&ann, bo_inside(&t, "BYE", 1, P_FIELDS));
	got = request(&ann, "BYE");
	assert_non_null(got);
	assert_string_equal(start_line(w, got), "BYE sip:ann@192.0.2.50:5060 SIP/2.0");
	assert_string_equal(header(w, got, "P-Charging-Vector"), VECTOR);
	answers(&ann, got, 200, "", P_FIELDS, NULL);
	assert_string_equal(header(w, response(&ann, 200), "P-Access-Network-Info"), "3GPP");
	assert_int_equal(n_closed, 1);
}

/* PF-9.2-3 behind a core: the session timer runs, and its requests belong to the session. */
static void test_PF_X_2__the_session_timer_runs_on_both_sides(void **state)
{
	char *near_one, *far_one;

	(void)state;
	(void)isc_talk(ORIG ANN_IMS P_FIELDS
		       "Supported: timer\nSession-Expires: 90;refresher=uas\n",
		       "Session-Expires: 1800;refresher=uac\nRequire: timer\n");
	world_run(w, 46000);
	near_one = request(&ann, "INVITE");
	assert_non_null(near_one);
	assert_string_equal(
		header(w, near_one, "P-Charging-Vector"),
		"icid-value=\"one;1\";icid-generated-at=192.0.2.50;orig-ioi=\"as.net\"");
	assert_non_null(strstr(near_one, "a=path:" NEAR_PATH "\r\n"));
	/* Nobody answers: both are told. */
	world_run(w, 64000);
	near_one = request(&ann, "BYE");
	far_one = request(&ann, "BYE");
	assert_non_null(near_one);
	assert_non_null(far_one);
	assert_non_null(strstr(header(w, far_one, "P-Charging-Vector"), "one;1"));
	assert_string_not_equal(start_line(w, near_one), start_line(w, far_one));
}

/* Originating and terminating function in one process, the S-CSCF between them: one Call-ID and the
 * same tags four times over. */
static void test_PF_X_1__both_sides_on_isc_and_replaces_through_both(void **state)
{
	static const char replaces[] = "old;to-tag=b;from-tag=a";
	char *first, *second, *ok;

	(void)state;
	w->user[1].mode = CORE_MODE_B2BUA;
	core_invites("sip:bo@example.com",
		     textf(w, ORIG ANN_IMS "Require: replaces\nReplaces: %s\n", replaces));
	first = request(&ann, "INVITE");
	assert_non_null(first);
	/* The S-CSCF goes on with Bo's side. */
	phone_send(&ann,
		   with_sdp(crlf(w, textf(w,
					  "INVITE sip:bo@example.com SIP/2.0\n"
					  "Via: SIP/2.0/UDP " CORE_AT ";branch=z9hG4bK-second\n%s"
					  "From: %s\nTo: %s\nCall-ID: %s\nCSeq: %s\n"
					  "Contact: %s\nRecord-Route: %s\n"
					  "Replaces: %s\nRequire: replaces\n" IM_ACCEPT ANN_IMS
					  "Content-Length: 0\n\n",
					  TERM, header(w, first, "From"), header(w, first, "To"),
					  header(w, first, "Call-ID"), header(w, first, "CSeq"),
					  header(w, first, "Contact"),
					  header(w, first, "Record-Route"),
					  header(w, first, "Replaces"))),
			    ANN_SDP));
	assert_int_equal(n_opened, 2);
	ready();
	second = request(&ann, "INVITE");
	assert_non_null(second);
	assert_string_equal(header(w, second, "Replaces"), replaces);
	assert_string_equal(header(w, second, "Call-ID"), header(w, first, "Call-ID"));
	assert_string_equal(header(w, second, "From"), header(w, first, "From"));
	assert_string_not_equal(header(w, second, "Contact"), header(w, first, "Contact"));
	answers(&ann, second, 200, "bo-tag", "Contact: <sip:bo@" AT_BO ">\n", BO_SDP);
	ok = response(&ann, 200);
	answers(&ann, first, 200, "bo-tag",
		textf(w, "Contact: %s\nRecord-Route: %s\n", header(w, ok, "Contact"),
		      header(w, ok, "Record-Route")),
		BO_SDP);
	assert_non_null(strstr(header(w, response(&ann, 200), "To"), ";tag=bo-tag"));
	assert_int_equal(b2bua_call_count(b), 2);
}

static void test_PF_X_2__no_relay_is_left_to_the_cores_default_handling(void **state)
{
	(void)state;
	answer_at_once = false;
	core_invites(BO_IMS, ORIG ANN_IMS);
	b2bua_relay_failed(b, opened, w->now);
	response(&ann, 503);
}

static void test_R_3__a_stranger_has_no_b2bua_on_ISC(void **state)
{
	struct phone mallory = phone_at(w, "ann", "192.0.2.66:5060");

	(void)state;
	phone_send(&mallory, with_sdp(phone_request(&mallory, "INVITE", BO_IMS, "<" BO_IMS ">", 5,
						    IM_ACCEPT ORIG ANN_IMS SERVED),
				      ANN_SDP));
	assert_int_equal(phone_status(&mallory), 403);
	assert_int_equal(n_opened, 0);
}

/* --- the edge of the trust domain where the B2BUA faces phones --- */

static const struct core_route to_far = {.domain = VIEW("far.example")};
static struct core_route far_route;

/* The embedded core; Ann's sessions are served by B2BUA, and far.example is a trusted peer's. */
static int edge_setup(void **state)
{
	(void)state;
	w = world_new();
	peer = address(CORE_AT);
	far_route = to_far;
	far_route.peer = peer;
	w->cfg.trusted = &peer;
	w->cfg.n_trusted = 1;
	w->cfg.routes = &far_route;
	w->cfg.n_routes = 1;
	w->cfg.auth_required = false;
	w->cfg.mode = CORE_MODE_B2BUA;
	begin();
	ann = phone_at(w, "ann", AT_ANN);
	bo = phone_at(w, "bo", CORE_AT);
	phone_registers(&ann, IM_CONTACT);
	return 0;
}

static void has_none(const char *text)
{
	static const char *const name[] = {"P-Charging-Vector", "P-Charging-Function-Addresses",
					   "P-Access-Network-Info", "P-Visited-Network-ID",
					   "P-Served-User"};

	assert_non_null(text);
	for (size_t i = 0; i < sizeof(name) / sizeof(*name); i++)
		assert_string_equal(header(w, text, name[i]), "");
}

static void test_PF_X_2__nothing_of_the_trust_domain_through_a_b2bua(void **state)
{
	struct talk t = {0};
	char *got;

	(void)state;
	core_invites("sip:bo@far.example", P_FIELDS SERVED "P-Mine: 1\n");
	t.got = request(&bo, "INVITE");
	has_none(t.got);
	assert_string_equal(header(w, t.got, "P-Mine"), "1");
	assert_string_equal(header(w, t.got, "P-Asserted-Identity"),
			    "\"ann\" <sip:ann@example.com>");
	/* Provisional and final answers of the peer. */
	answers(&bo, t.got, 180, "bo-tag", "Contact: <sip:bo@" CORE_AT ">\n" P_FIELDS, NULL);
	has_none(response(&ann, 180));
	answers(&bo, t.got, 200, "bo-tag",
		"Contact: <sip:bo@" CORE_AT ">\nP-Asserted-Identity: <sip:bo@far.example>\n"
		"Privacy: id\n" P_FIELDS,
		BO_SDP);
	t.ok = response(&ann, 200);
	has_none(t.ok);
	assert_string_equal(header(w, t.ok, "P-Asserted-Identity"), "");
	phone_send(&ann, ann_inside(&t, "ACK", 5, P_FIELDS));
	has_none(request(&bo, "ACK"));
	/* Inside the dialog: from the phone, and the answer to it. */
	phone_send(&ann, ann_inside(&t, "INFO", 6, P_FIELDS));
	got = request(&bo, "INFO");
	has_none(got);
	answers(&bo, got, 200, "", P_FIELDS, NULL);
	has_none(response(&ann, 200));
	/* To the phone, and the answer to that. */
	phone_send(&bo, bo_inside(&t, "INFO", 7,
				  P_FIELDS "Privacy: id\n"
					   "P-Asserted-Identity: <sip:bo@far.example>\n"));
	got = request(&ann, "INFO");
	has_none(got);
	assert_string_equal(header(w, got, "P-Asserted-Identity"), "");
	answers(&ann, got, 200, "", P_FIELDS, NULL);
	has_none(response(&bo, 200));
}

/* The callee is a phone as well: what the caller keeps back in an answer does not reach him. */
static void test_R_3__privacy_of_an_answer_towards_the_callee(void **state)
{
	char *got;

	(void)state;
	w->user[1].mode = CORE_MODE_PROXY;
	bo = phone_at(w, "bo", AT_BO);
	phone_registers(&bo, IM_CONTACT);
	struct talk t = talk();

	phone_send(&bo, bo_inside(&t, "INFO", 7, ""));
	got = request(&ann, "INFO");
	answers(&ann, got, 200, "", "Privacy: id\nP-Asserted-Identity: <sip:ann@example.com>\n",
		NULL);
	assert_string_equal(header(w, response(&bo, 200), "P-Asserted-Identity"), "");
}

#define ISC(test)  cmocka_unit_test_setup_teardown(test, isc_setup, teardown)
#define EDGE(test) cmocka_unit_test_setup_teardown(test, edge_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ISC(test_PF_X_2__the_invite_goes_back_along_the_route_that_remains),
		ISC(test_PF_X_2__answers_of_the_b2bua_keep_the_icid),
		ISC(test_PF_X_2__a_refusal_goes_through_as_well),
		ISC(test_PF_X_2__the_mode_is_the_served_users),
		ISC(test_PF_X_2__the_deployments_mode_for_users_unknown_here),
		ISC(test_PF_9_1_2_1__the_check_comes_before_the_b2bua),
		ISC(test_PF_X_2__no_relay_before_a_conference),
		ISC(test_PF_X_2__a_caller_without_a_name_is_given_none),
		ISC(test_PF_X_2__an_s_cscf_with_a_name),
		ISC(test_PF_X_2__requests_inside_the_dialog_pass_with_their_fields),
		ISC(test_PF_X_2__the_session_timer_runs_on_both_sides),
		ISC(test_PF_X_1__both_sides_on_isc_and_replaces_through_both),
		ISC(test_PF_X_2__no_relay_is_left_to_the_cores_default_handling),
		ISC(test_R_3__a_stranger_has_no_b2bua_on_ISC),
		EDGE(test_PF_X_2__nothing_of_the_trust_domain_through_a_b2bua),
		EDGE(test_R_3__privacy_of_an_answer_towards_the_callee),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
