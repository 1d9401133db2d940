/* The participating function in proxy mode: clauses 9.1.2 and 9.2, R-12, R-13. */
#include "procedure/participate.h"
#include "server_world.h"

#define AT_ANN	    "192.0.2.11:5060"
#define AT_BO	    "192.0.2.12:5060"
#define BO	    "<sip:bo@example.com>"
#define BO_URI	    "sip:bo@example.com"
#define FACTORY	    "<sip:factory@example.com>"
#define FACTORY_URI "sip:factory@example.com"

struct two {
	struct world *w;
	struct phone ann, bo;
};

static struct two two_phones(enum core_im_tag deployment, enum core_im_tag ann_tag,
			     enum core_im_tag bo_tag, const char *bo_params)
{
	struct two t = {.w = world_new()};

	t.w->cfg.auth_required = false;
	t.w->cfg.im_tag = deployment;
	t.w->user[0].im_tag = ann_tag;
	t.w->user[1].im_tag = bo_tag;
	world_start(t.w);
	t.ann = phone_at(t.w, "ann", AT_ANN);
	t.bo = phone_at(t.w, "bo", AT_BO);
	phone_registers(&t.ann, "");
	phone_registers(&t.bo, bo_params);
	return t;
}

/* What Ann hears at once; 0 where the request went on to Bo. */
static int status_at_once(struct two *t, const char *method, const char *extra)
{
	phone_send(&t->ann, phone_request(&t->ann, method, BO_URI, BO, 1, extra));
	return phone_status(&t->ann);
}

static void test_PF_9_1_2_1__no_feature_tag_is_403(void **state)
{
	struct two t = two_phones(CORE_IM_REQUIRE, CORE_IM_DEFAULT, CORE_IM_DEFAULT, IM_CONTACT);
	char *text;

	(void)state;
	phone_send(&t.ann, phone_request(&t.ann, "INVITE", BO_URI, BO, 1, ""));
	text = phone_next(&t.ann);
	assert_string_equal(start_line(t.w, text), "SIP/2.0 403 Service Not Authorised");
	assert_null(phone_next(&t.bo));
	assert_int_equal(status_at_once(&t, "INVITE", "Accept-Contact: *;audio\n"), 403);
	world_end(t.w);
}

static void test_PF_9_1_2_1__any_of_the_three_spellings(void **state)
{
	struct two t = two_phones(CORE_IM_REQUIRE, CORE_IM_DEFAULT, CORE_IM_DEFAULT, IM_CONTACT);

	(void)state;
	assert_int_equal(status_at_once(&t, "INVITE", "Accept-Contact: *;+g.oma.im.simple\n"), 0);
	assert_int_equal(status_at_once(&t, "INVITE", "Accept-Contact: *;+g.oma.sip.simple\n"), 0);
	assert_int_equal(status_at_once(&t, "INVITE", "a: *;audio\na: *;+g.oma.sip-im\n"), 0);
	world_end(t.w);
}

static void test_PF_9_1_2_1__the_factory_is_no_way_round_it(void **state)
{
	struct two t = two_phones(CORE_IM_REQUIRE, CORE_IM_DEFAULT, CORE_IM_DEFAULT, IM_CONTACT);

	(void)state;
	phone_send(&t.ann, phone_request(&t.ann, "INVITE", FACTORY_URI, FACTORY, 1, ""));
	assert_int_equal(phone_status(&t.ann), 403);
	assert_int_equal(t.w->local_requests, 0);
	world_end(t.w);
}

static void test_PF_9_1_1_8__refer_is_checked_like_invite(void **state)
{
	struct two t = two_phones(CORE_IM_REQUIRE, CORE_IM_DEFAULT, CORE_IM_DEFAULT, IM_CONTACT);

	(void)state;
	assert_int_equal(status_at_once(&t, "REFER", "Refer-To: <sip:charles@example.com>\n"), 403);
	assert_int_equal(
		status_at_once(&t, "REFER", IM_ACCEPT "Refer-To: <sip:charles@example.com>\n"), 0);
	assert_non_null(strstr(phone_next(&t.bo), "REFER sip:bo@192.0.2.12"));
	/* One to the functions themselves is the controlling function's. */
	phone_send(&t.ann, phone_request(&t.ann, "REFER", FACTORY_URI, FACTORY, 3,
					 "Refer-To: <sip:charles@example.com>\n"));
	assert_int_equal(phone_status(&t.ann), 200);
	world_end(t.w);
}

static void test_PF_9_1_2__message_and_subscribe_are_routed_on(void **state)
{
	struct two t = two_phones(CORE_IM_REQUIRE, CORE_IM_DEFAULT, CORE_IM_DEFAULT, IM_CONTACT);

	(void)state;
	assert_int_equal(status_at_once(&t, "MESSAGE", ""), 0);
	assert_int_equal(status_at_once(&t, "SUBSCRIBE", "Event: presence\n"), 0);
	world_end(t.w);
}

static void test_PF_9_1_2__inside_a_dialog_nothing_is_checked(void **state)
{
	struct two t = two_phones(CORE_IM_REQUIRE, CORE_IM_DEFAULT, CORE_IM_DEFAULT, IM_CONTACT);

	(void)state;
	phone_send(&t.ann, phone_request(&t.ann, "INVITE", "sip:bo@192.0.2.12:5060",
					 BO ";tag=bo-tag", 2, ""));
	assert_non_null(phone_next(&t.bo));
	world_end(t.w);
}

static void test_R_12__assume_for_the_deployment(void **state)
{
	struct two t = two_phones(CORE_IM_ASSUME, CORE_IM_DEFAULT, CORE_IM_DEFAULT, ";audio");

	(void)state;
	assert_int_equal(status_at_once(&t, "INVITE", ""), 0);
	assert_int_equal(status_at_once(&t, "INVITE", IM_ACCEPT), 0);
	assert_non_null(phone_next(&t.bo));
	assert_non_null(phone_next(&t.bo));
	world_end(t.w);
}

static void test_R_12__a_user_that_is_to_have_it_all_the_same(void **state)
{
	struct two t = two_phones(CORE_IM_ASSUME, CORE_IM_REQUIRE, CORE_IM_DEFAULT, ";audio");

	(void)state;
	assert_int_equal(status_at_once(&t, "INVITE", ""), 403);
	world_end(t.w);
}

static void test_R_12__assume_for_the_one_who_calls(void **state)
{
	struct two t = two_phones(CORE_IM_REQUIRE, CORE_IM_ASSUME, CORE_IM_DEFAULT, IM_CONTACT);

	(void)state;
	assert_int_equal(status_at_once(&t, "INVITE", ""), 0);
	assert_non_null(phone_next(&t.bo));
	world_end(t.w);
}

static void test_R_12__assume_for_the_one_who_is_called(void **state)
{
	struct two t = two_phones(CORE_IM_REQUIRE, CORE_IM_DEFAULT, CORE_IM_ASSUME, ";audio");

	(void)state;
	assert_int_equal(status_at_once(&t, "INVITE", IM_ACCEPT), 0);
	assert_non_null(phone_next(&t.bo));
	assert_int_equal(status_at_once(&t, "INVITE", ""), 403); /* Ann's own side */
	world_end(t.w);
}

static void test_R_12__no_phone_with_the_tag_is_480(void **state)
{
	struct two t = two_phones(CORE_IM_REQUIRE, CORE_IM_DEFAULT, CORE_IM_DEFAULT, ";audio");

	(void)state;
	assert_int_equal(status_at_once(&t, "INVITE", IM_ACCEPT), 480);
	world_end(t.w);
}

static void test_R_12__of_two_phones_the_one_with_the_tag(void **state)
{
	struct two t = two_phones(CORE_IM_REQUIRE, CORE_IM_DEFAULT, CORE_IM_DEFAULT, ";audio");
	struct phone second = phone_at(t.w, "bo", "192.0.2.22:5060");

	(void)state;
	phone_registers(&second, ";audio;+g.oma.im.simple");
	assert_int_equal(status_at_once(&t, "INVITE", IM_ACCEPT), 0);
	assert_non_null(phone_next(&second));
	assert_null(phone_next(&t.bo));
	world_end(t.w);
}

static void test_implicit_preferences_that_leave_nobody_are_dropped(void **state)
{
	struct two t = two_phones(CORE_IM_REQUIRE, CORE_IM_DEFAULT, CORE_IM_DEFAULT,
				  ";methods=\"INVITE\"");

	(void)state;
	assert_int_equal(status_at_once(&t, "MESSAGE", ""), 0);
	assert_non_null(phone_next(&t.bo));
	world_end(t.w);
}

/* An INVITE of another domain's user that a trusted peer brings: only the terminating side is here.
 */
static int from_outside(enum core_im_tag bo_tag, const char *extra)
{
	struct addr peer = address("192.0.2.50:0");
	struct world *w = world_new();
	struct phone gate, bo;
	int status;

	w->cfg.auth_required = false;
	w->cfg.trusted = &peer;
	w->cfg.n_trusted = 1;
	w->user[1].im_tag = bo_tag;
	world_start(w);
	gate = phone_at(w, "dan", "192.0.2.50:5060");
	bo = phone_at(w, "bo", AT_BO);
	phone_registers(&bo, ";audio");
	phone_send(&gate, phone_request(&gate, "INVITE", BO_URI, BO, 1,
					textf(w, "P-Asserted-Identity: <sip:dan@other.example>\n%s",
					      extra)));
	status = phone_status(&gate);
	if (!status) {
		char *text = phone_next(&bo);

		assert_string_equal(header(w, text, "P-Asserted-Identity"),
				    "<sip:dan@other.example>");
	}
	world_end(w);
	return status;
}

static void test_PF_9_2__terminating_side_checks_for_itself(void **state)
{
	(void)state;
	assert_int_equal(from_outside(CORE_IM_DEFAULT, ""), 403);
	assert_int_equal(from_outside(CORE_IM_DEFAULT, IM_ACCEPT), 480);
	assert_int_equal(from_outside(CORE_IM_ASSUME, ""), 0);
	assert_int_equal(from_outside(CORE_IM_ASSUME, IM_ACCEPT), 0);
}

static void test_PF_9_2__privacy_is_carried_over(void **state)
{
	struct two t = two_phones(CORE_IM_REQUIRE, CORE_IM_DEFAULT, CORE_IM_DEFAULT, IM_CONTACT);
	char *text;

	(void)state;
	assert_int_equal(status_at_once(&t, "INVITE",
					IM_ACCEPT "Privacy: id\nSession-Expires: 1800\n"
						  "Supported: timer\n"),
			 0);
	text = phone_next(&t.bo);
	assert_string_equal(header(t.w, text, "Privacy"), "id");
	/* A proxy runs no session timer of its own. */
	assert_string_equal(header(t.w, text, "Session-Expires"), "1800");
	assert_string_equal(header(t.w, text, "Supported"), "timer");
	world_end(t.w);
}

static struct sip_msg message(const char *method, const char *to, const char *extra)
{
	static char text[1024];
	struct sip_msg m;

	snprintf(text, sizeof(text),
		 "%s sip:bo@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
		 "From: <sip:a@b>;tag=1\r\nTo: %s\r\nCall-ID: 1\r\nCSeq: 1 %s\r\n%s\r\n",
		 method, to, method, extra);
	assert_int_equal(sip_msg_parse(view_str(text), &m), 0);
	return m;
}

static void test_PF_9_1_2__whom_the_clause_concerns(void **state)
{
	struct sip_msg m = message("INVITE", "<sip:b@c>", "");

	(void)state;
	assert_true(participate_concerns(&m));
	m = message("REFER", "<sip:b@c>", "");
	assert_true(participate_concerns(&m));
	m = message("INVITE", "<sip:b@c>;tag=1", "");
	assert_false(participate_concerns(&m));
	m = message("MESSAGE", "<sip:b@c>", "");
	assert_false(participate_concerns(&m));
}

static void test_PF_9_1_2_2__the_media_path_makes_a_b2bua(void **state)
{
	struct participate_policy policy = {.media_path = true};
	struct participate_decision d;
	struct sip_msg m = message("INVITE", "<sip:b@c>", "Accept-Contact: *;+g.oma.sip-im\r\n");

	(void)state;
	participate_decide(&m, &policy, &d);
	assert_int_equal(d.status, 0);
	assert_int_equal(d.mode, PARTICIPATE_B2BUA);
	policy.media_path = false;
	participate_decide(&m, &policy, &d);
	assert_int_equal(d.mode, PARTICIPATE_PROXY);
	policy.media_path = true;
	m = message("REFER", "<sip:b@c>", "Accept-Contact: *;+g.oma.sip-im\r\n");
	participate_decide(&m, &policy, &d);
	assert_int_equal(d.mode, PARTICIPATE_PROXY);
	m = message("INVITE", "<sip:b@c>", "");
	participate_decide(&m, &policy, &d);
	assert_int_equal(d.status, 403);
	policy.assume_tag = true;
	participate_decide(&m, &policy, &d);
	assert_int_equal(d.status, 0);
	assert_null(d.reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_PF_9_1_2_1__no_feature_tag_is_403),
		cmocka_unit_test(test_PF_9_1_2_1__any_of_the_three_spellings),
		cmocka_unit_test(test_PF_9_1_2_1__the_factory_is_no_way_round_it),
		cmocka_unit_test(test_PF_9_1_1_8__refer_is_checked_like_invite),
		cmocka_unit_test(test_PF_9_1_2__message_and_subscribe_are_routed_on),
		cmocka_unit_test(test_PF_9_1_2__inside_a_dialog_nothing_is_checked),
		cmocka_unit_test(test_R_12__assume_for_the_deployment),
		cmocka_unit_test(test_R_12__a_user_that_is_to_have_it_all_the_same),
		cmocka_unit_test(test_R_12__assume_for_the_one_who_calls),
		cmocka_unit_test(test_R_12__assume_for_the_one_who_is_called),
		cmocka_unit_test(test_R_12__no_phone_with_the_tag_is_480),
		cmocka_unit_test(test_R_12__of_two_phones_the_one_with_the_tag),
		cmocka_unit_test(test_implicit_preferences_that_leave_nobody_are_dropped),
		cmocka_unit_test(test_PF_9_2__terminating_side_checks_for_itself),
		cmocka_unit_test(test_PF_9_2__privacy_is_carried_over),
		cmocka_unit_test(test_PF_9_1_2__whom_the_clause_concerns),
		cmocka_unit_test(test_PF_9_1_2_2__the_media_path_makes_a_b2bua),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
