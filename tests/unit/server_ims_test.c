/* The core as application server on ISC: PF-X-2, PF-9.1.2-1, R-3; and the edges of the trust
 * domain. */
#include "server_world.h"

#define CORE_AT "192.0.2.50:5060" /* the S-CSCF */
#define P_FIELDS                                                                                   \
	"P-Charging-Vector: icid-value=\"one\"\n"                                                  \
	"P-Charging-Function-Addresses: ccf=192.0.2.77\n"                                          \
	"P-Access-Network-Info: IEEE-802.11\n"
#define ANN_SAYS "P-Asserted-Identity: \"Ann\" <sip:ann@ims.example>\n"
#define ORIG	 "Route: <sip:orig@192.0.2.1:5060;lr>,<sip:mark1@192.0.2.50:5060;lr>\n"
#define TERM	 "Route: <sip:term@192.0.2.1:5060;lr>,<sip:mark2@192.0.2.50:5060;lr>\n"
#define BO_IMS	 "sip:bo@ims.example"

struct isc {
	struct world *w;
	struct phone core; /* the S-CSCF is a phone to this world */
};

static struct addr peer;

static struct isc isc_new(enum core_im_tag deployment)
{
	struct isc i = {.w = world_new()};

	peer = address(CORE_AT);
	i.w->cfg.trusted = &peer;
	i.w->cfg.n_trusted = 1;
	i.w->cfg.im_tag = deployment;
	i.w->cfg.ims = (struct ims_config){
		.on = true, .orig_user = VIEW("orig"), .term_user = VIEW("term")};
	world_start(i.w);
	i.core = phone_at(i.w, "ann", CORE_AT);
	return i;
}

/* Sends a request from the S-CSCF; what comes back to it next but 100. */
static char *sent_on(struct isc *i, const char *method, const char *uri, const char *extra)
{
	char *text;

	phone_send(&i->core,
		   phone_request(&i->core, method, uri, textf(i->w, "<%s>", uri), 1, extra));
	do
		text = phone_next(&i->core);
	while (text && strstr(text, "SIP/2.0 100 ") == text);
	return text;
}

/* 0: it went on; -1: nothing came. */
static int status_of(struct isc *i, const char *method, const char *uri, const char *extra)
{
	char *text = sent_on(i, method, uri, extra);

	return text ? parsed(text).status : -1;
}

static void test_PF_X_2__the_own_route_is_popped_and_the_next_followed(void **state)
{
	struct isc i = isc_new(CORE_IM_REQUIRE);
	char *text = sent_on(&i, "INVITE", BO_IMS ";user=x",
			     IM_ACCEPT ORIG ANN_SAYS P_FIELDS
			     "P-Served-User: <sip:ann@ims.example>;sescase=orig;regstate=reg\n");

	(void)state;
	assert_string_equal(start_line(i.w, text), "INVITE " BO_IMS ";user=x SIP/2.0");
	assert_string_equal(header(i.w, text, "Route"), "<sip:mark1@192.0.2.50:5060;lr>");
	assert_non_null(strstr(header(i.w, text, "Record-Route"), "<sip:" OWN ";lr"));
	assert_string_equal(header(i.w, text, "P-Asserted-Identity"),
			    "\"Ann\" <sip:ann@ims.example>");
	assert_string_equal(header(i.w, text, "P-Charging-Vector"), "icid-value=\"one\"");
	assert_string_equal(header(i.w, text, "P-Charging-Function-Addresses"), "ccf=192.0.2.77");
	assert_string_equal(header(i.w, text, "P-Access-Network-Info"), "IEEE-802.11");
	assert_string_equal(header(i.w, text, "P-Served-User"),
			    "<sip:ann@ims.example>;sescase=orig;regstate=reg");
	world_end(i.w);
}

static void test_PF_X_2__the_name_that_the_core_knows_us_by(void **state)
{
	struct isc i = isc_new(CORE_IM_REQUIRE);
	char *text = sent_on(&i, "INVITE", BO_IMS,
			     IM_ACCEPT "Route: <sip:term@as.ims.example;lr>\n"
				       "Route: <sip:orig@as2.ims.example;lr>\n");

	(void)state;
	/* The second is another server; its name is left to the S-CSCF that sent this. */
	assert_string_equal(header(i.w, text, "Route"), "<sip:orig@as2.ims.example;lr>");
	text = sent_on(&i, "INVITE", BO_IMS, IM_ACCEPT "Route: <sip:orig@192.0.2.99:5060;lr>\n");
	assert_null(text); /* not ours: forwarded to where it says */
	world_end(i.w);
}

static void test_PF_9_1_2_1__the_tag_is_asked_for_on_either_side(void **state)
{
	struct isc i = isc_new(CORE_IM_REQUIRE);

	(void)state;
	assert_int_equal(status_of(&i, "INVITE", BO_IMS, ORIG), 403);
	assert_int_equal(status_of(&i, "INVITE", BO_IMS, TERM), 403);
	assert_int_equal(status_of(&i, "REFER", BO_IMS, TERM), 403);
	assert_int_equal(status_of(&i, "MESSAGE", BO_IMS, TERM), 0);
	assert_int_equal(status_of(&i, "INVITE", BO_IMS, TERM IM_ACCEPT), 0);
	world_end(i.w);
}

/* Bo's phone knows no tag and is served all the same; Ann's is not. */
static void test_PF_X_2__the_check_is_made_for_the_side_that_is_served(void **state)
{
	struct isc i = isc_new(CORE_IM_REQUIRE);

	(void)state;
	i.w->user[1].im_tag = CORE_IM_ASSUME;
	assert_int_equal(status_of(&i, "INVITE", "sip:bo@example.com", TERM), 0);
	assert_int_equal(status_of(&i, "INVITE", "sip:bo@example.com", ORIG ANN_SAYS), 403);
	/* P-Served-User has the last word, in side and user. */
	assert_int_equal(status_of(&i, "INVITE", "sip:charles@example.com",
				   ORIG "P-Served-User: <sip:bo@example.com>;sescase=term\n"),
			 0);
	assert_int_equal(status_of(&i, "INVITE", "sip:bo@example.com",
				   TERM "P-Served-User: <sip:ann@example.com>;sescase=orig\n"),
			 403);
	/* Ann's own request on the originating side. */
	i.w->user[0].im_tag = CORE_IM_ASSUME;
	assert_int_equal(
		status_of(&i, "INVITE", BO_IMS,
			  "P-Asserted-Identity: <sip:ann@example.com>\n"
			  "Route: <sip:192.0.2.1:5060;lr;orig>,<sip:192.0.2.50:5060;lr>\n"),
		0);
	world_end(i.w);
}

static void test_PF_X_2__a_store_that_fails_does_not_end_the_call(void **state)
{
	struct isc i = isc_new(CORE_IM_REQUIRE);

	(void)state;
	i.w->store_broken = true;
	assert_int_equal(status_of(&i, "INVITE", "sip:bo@example.com",
				   TERM IM_ACCEPT "P-Asserted-Identity: <sip:ann@example.com>\n"),
			 0);
	world_end(i.w);
}

static void test_PF_X_2__a_caller_without_a_name(void **state)
{
	struct isc i = isc_new(CORE_IM_REQUIRE);

	(void)state;
	assert_int_equal(status_of(&i, "INVITE", BO_IMS, TERM IM_ACCEPT "Privacy: id\n"), 0);
	world_end(i.w);
}

static void test_PF_X_2__public_service_identities_are_ours(void **state)
{
	struct isc i = isc_new(CORE_IM_REQUIRE);

	(void)state;
	assert_int_equal(status_of(&i, "INVITE", "sip:factory@example.com",
				   IM_ACCEPT
				   "P-Asserted-Identity: \"Ann\" <sip:ann@ims.example>\n"),
			 200);
	assert_int_equal(i.w->local_requests, 1);
	assert_true(i.w->local_asserted);
	assert_string_equal(i.w->local_uri, "sip:ann@ims.example");
	/* While the S-CSCF is still to come, it is not at its end. */
	assert_int_equal(
		status_of(&i, "INVITE", "sip:factory@example.com", ORIG IM_ACCEPT ANN_SAYS), 0);
	assert_int_equal(i.w->local_requests, 1);
	/* PF-9.1.1-8: the check of a REFER to a conference is the focus's. */
	assert_int_equal(status_of(&i, "REFER", "sip:conf-1@example.com", ORIG ANN_SAYS), 0);
	world_end(i.w);
}

static void test_PF_X_2__users_are_not_looked_for_here(void **state)
{
	struct isc i = isc_new(CORE_IM_REQUIRE);

	(void)state;
	assert_int_equal(status_of(&i, "INVITE", "sip:bo@example.com", IM_ACCEPT ANN_SAYS), 404);
	world_end(i.w);
}

/* --- outside the trust domain --- */

static void test_R_3__strangers_have_no_identity_on_ISC(void **state)
{
	struct isc i = isc_new(CORE_IM_REQUIRE);
	struct phone mallory = phone_at(i.w, "mallory", "192.0.2.66:5060");

	(void)state;
	phone_send(&mallory, phone_request(&mallory, "INVITE", "sip:factory@example.com",
					   "<sip:factory@example.com>", 1, IM_ACCEPT ANN_SAYS));
	assert_int_equal(phone_status(&mallory), 403);
	phone_send(&mallory, phone_request(&mallory, "INVITE", BO_IMS, "<" BO_IMS ">", 2,
					   IM_ACCEPT ORIG ANN_SAYS));
	assert_int_equal(phone_status(&mallory), 403);
	assert_null(phone_next(&i.core));
	assert_int_equal(i.w->local_requests, 0);
	world_end(i.w);
}

/* An S-CSCF at any address, which has proven its name by TLS. */
static void test_R_3__a_name_that_TLS_has_proven_is_as_good_as_an_address(void **state)
{
	static const struct view name = VIEW("scscf.ims.example");
	struct isc i = {.w = world_new()};
	struct phone other;
	char *text;

	(void)state;
	i.w->cfg.trusted_names = &name;
	i.w->cfg.n_trusted_names = 1;
	i.w->cfg.ims = (struct ims_config){
		.on = true, .orig_user = VIEW("orig"), .term_user = VIEW("term")};
	world_start(i.w);
	i.core = phone_on(i.w, SIP_TLS, "ann", "192.0.2.50:40000");
	other = phone_on(i.w, SIP_TLS, "ann", "192.0.2.50:40001");
	sip_conn_set_named(i.w->link[i.core.link].conn);
	text = sent_on(&i, "INVITE", BO_IMS,
		       IM_ACCEPT ANN_SAYS P_FIELDS
		       "Route: <sip:orig@192.0.2.1:5060;lr>,<sip:scscf.ims.example;lr>\n");
	assert_string_equal(start_line(i.w, text), "INVITE " BO_IMS " SIP/2.0");
	assert_string_equal(header(i.w, text, "P-Charging-Vector"), "icid-value=\"one\"");
	/* The same host on another connection is nobody. */
	phone_send(&other, phone_request(&other, "INVITE", BO_IMS, "<" BO_IMS ">", 2,
					 IM_ACCEPT ORIG ANN_SAYS));
	assert_int_equal(phone_status(&other), 403);
	world_end(i.w);
}

/* PF-X-2 where the embedded core serves phones: what they say of the trust domain stops, and so
 * does what it says. */
static void test_PF_X_2__nothing_of_the_trust_domain_from_or_to_phones(void **state)
{
	struct world *w = world_new();
	struct phone ann, bo, far;
	char *text;

	(void)state;
	peer = address(CORE_AT);
	w->cfg.trusted = &peer;
	w->cfg.n_trusted = 1;
	w->cfg.auth_required = false;
	world_start(w);
	ann = phone_at(w, "ann", AT_ANN);
	bo = phone_at(w, "bo", AT_BO);
	far = phone_at(w, "far", CORE_AT);
	phone_registers(&ann, IM_CONTACT);
	phone_registers(&bo, IM_CONTACT);
	/* From a phone to a phone. */
	phone_send(&ann,
		   phone_request(&ann, "INVITE", BO_URI, BO, 1,
				 IM_ACCEPT P_FIELDS "P-Served-User: <sip:x@y.z>\n"
						    "P-Profile-Key: <sip:x@y.z>\nP-Mine: 1\n"));
	text = phone_next(&bo);
	assert_string_equal(header(w, text, "P-Charging-Vector"), "");
	assert_string_equal(header(w, text, "P-Charging-Function-Addresses"), "");
	assert_string_equal(header(w, text, "P-Access-Network-Info"), "");
	assert_string_equal(header(w, text, "P-Served-User"), "");
	assert_string_equal(header(w, text, "P-Profile-Key"), "");
	assert_string_equal(header(w, text, "P-Mine"), "1");
	/* Nor in its answer. */
	phone_answers(&bo, text, 180, P_FIELDS "Contact: <sip:bo@" AT_BO ">\n");
	(void)phone_next(&ann);
	text = phone_next(&ann);
	assert_int_equal(parsed(text).status, 180);
	assert_string_equal(header(w, text, "P-Charging-Vector"), "");
	/* From inside the domain to a phone, and back. */
	phone_send(&far, phone_request(&far, "INVITE", BO_URI, BO, 1,
				       IM_ACCEPT P_FIELDS
				       "Privacy: id\n"
				       "P-Asserted-Identity: <sip:far@far.example>\n"));
	text = phone_next(&bo);
	assert_string_equal(header(w, text, "P-Charging-Vector"), "");
	assert_string_equal(header(w, text, "P-Access-Network-Info"), "");
	assert_string_equal(header(w, text, "P-Asserted-Identity"), "");
	world_end(w);
}

/* --- third-party REGISTER --- */

static char *third_party(struct isc *i, struct phone *from, const char *user, const char *expires)
{
	struct world *w = i->w;

	phone_send(from, crlf(w, textf(w,
				       "REGISTER sip:as.ims.example SIP/2.0\n"
				       "Via: SIP/2.0/UDP %s;branch=z9hG4bK-tp-%u\n"
				       "From: <sip:scscf@ims.example>;tag=1\n"
				       "To: <%s>\nCall-ID: tp-%u\nCSeq: 1 REGISTER\n"
				       "Contact: <sip:scscf@192.0.2.50:5060>\n%s"
				       "Content-Length: 0\n\n",
				       from->host, w->serial + 1, user, w->serial + 1, expires)));
	w->serial++;
	return phone_next(from);
}

static void test_PF_X_2__third_party_register_is_kept_with_its_expiry(void **state)
{
	struct isc i = isc_new(CORE_IM_REQUIRE);
	struct phone mallory = phone_at(i.w, "mallory", "192.0.2.66:5060");
	char *text = third_party(&i, &i.core, "sip:ann@ims.example", "Expires: 100\n");

	(void)state;
	assert_int_equal(parsed(text).status, 200);
	assert_string_equal(header(i.w, text, "Expires"), "100");
	assert_int_equal(core_served_count(i.w->core), 1);
	(void)third_party(&i, &i.core, "sip:ann@IMS.example;x=1", "Expires: 200\n");
	assert_int_equal(core_served_count(i.w->core), 1);
	(void)third_party(&i, &i.core, "sip:bo@ims.example", "");
	assert_int_equal(core_served_count(i.w->core), 2);
	world_run(i.w, 150000);
	assert_int_equal(core_served_count(i.w->core), 2);
	world_run(i.w, 51000);
	assert_int_equal(core_served_count(i.w->core), 1);
	text = third_party(&i, &i.core, "sip:bo@ims.example", "Expires: 0\n");
	assert_int_equal(parsed(text).status, 200);
	assert_int_equal(core_served_count(i.w->core), 0);
	text = third_party(&i, &mallory, "sip:ann@ims.example", "Expires: 100\n");
	assert_int_equal(parsed(text).status, 403);
	assert_int_equal(core_served_count(i.w->core), 0);
	assert_int_equal(core_binding_count(i.w->core), 0);
	world_end(i.w);
}

static void test_PF_X_2__the_table_of_served_users_has_a_cap(void **state)
{
	struct isc i = {.w = world_new()};

	(void)state;
	peer = address(CORE_AT);
	i.w->cfg.trusted = &peer;
	i.w->cfg.n_trusted = 1;
	i.w->cfg.max_bindings = 2;
	i.w->cfg.ims.on = true;
	world_start(i.w);
	i.core = phone_at(i.w, "ann", CORE_AT);
	for (int n = 0; n < 3; n++)
		assert_int_equal(
			parsed(third_party(&i, &i.core, textf(i.w, "sip:u%d@ims.example", n),
					   "Expires: 60\n"))
				.status,
			n < 2 ? 200 : 503);
	assert_int_equal(core_served_count(i.w->core), 2);
	world_end(i.w);
}

static void count_served(void *ctx, struct view aor, uint64_t expires_at_ms)
{
	(void)aor;
	*(uint64_t *)ctx += expires_at_ms;
}

/* What on_served says is all that a restart needs. */
static void test_PF_X_2__third_party_registration_comes_back_after_a_restart(void **state)
{
	struct isc i = isc_new(CORE_IM_REQUIRE);
	struct core *core = i.w->core;
	uint64_t sum = 0, now = i.w->now;

	(void)state;
	(void)third_party(&i, &i.core, "sip:ann@ims.example", "Expires: 100\n");
	assert_int_equal(i.w->served_told, 1);
	assert_true(i.w->served_expires == now + 100000);
	/* One that nobody has heard of goes without a word. */
	(void)third_party(&i, &i.core, "sip:bo@ims.example", "Expires: 0\n");
	assert_int_equal(i.w->served_told, 1);
	world_run(i.w, 100000);
	assert_int_equal(i.w->served_told, 2);
	assert_true(i.w->served_expires == 0);
	now = i.w->now;
	assert_int_equal(core_restore_served(core, VIEW("sip:ann@ims.example"), now + 5000, now),
			 0);
	assert_int_equal(core_restore_served(core, VIEW("sip:bo@ims.example"), now, now),
			 E_NOTFOUND);
	assert_int_equal(core_restore_served(core, VIEW("nonsense"), now + 5000, now), E_SYNTAX);
	assert_int_equal(core_restore_served(core, VIEW(""), now + 5000, now), E_SYNTAX);
	assert_int_equal(core_served_count(core), 1);
	core_each_served(core, count_served, &sum);
	assert_true(sum == now + 5000);
	(void)third_party(&i, &i.core, "sip:ann@ims.example", "Expires: 0\n");
	assert_int_equal(i.w->served_told, 3);
	/* A wall clock that was set cannot make it last for ever. */
	assert_int_equal(core_restore_served(core, VIEW("sip:ann@ims.example"), UINT64_MAX, now),
			 0);
	world_run(i.w, 7 * 86400 * (uint64_t)1000);
	assert_int_equal(core_served_count(core), 0);
	world_end(i.w);
}

static void test_PF_X_2__nobody_is_served_so_without_ims_mode(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_start(w);
	assert_int_equal(
		core_restore_served(w->core, VIEW("sip:ann@ims.example"), w->now + 5000, w->now),
		E_NOTFOUND);
	core_each_served(w->core, count_served, NULL);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_PF_X_2__the_own_route_is_popped_and_the_next_followed),
		cmocka_unit_test(test_PF_X_2__the_name_that_the_core_knows_us_by),
		cmocka_unit_test(test_PF_9_1_2_1__the_tag_is_asked_for_on_either_side),
		cmocka_unit_test(test_PF_X_2__the_check_is_made_for_the_side_that_is_served),
		cmocka_unit_test(test_PF_X_2__a_store_that_fails_does_not_end_the_call),
		cmocka_unit_test(test_PF_X_2__a_caller_without_a_name),
		cmocka_unit_test(test_PF_X_2__public_service_identities_are_ours),
		cmocka_unit_test(test_PF_X_2__users_are_not_looked_for_here),
		cmocka_unit_test(test_R_3__strangers_have_no_identity_on_ISC),
		cmocka_unit_test(test_R_3__a_name_that_TLS_has_proven_is_as_good_as_an_address),
		cmocka_unit_test(test_PF_X_2__nothing_of_the_trust_domain_from_or_to_phones),
		cmocka_unit_test(test_PF_X_2__third_party_register_is_kept_with_its_expiry),
		cmocka_unit_test(test_PF_X_2__third_party_registration_comes_back_after_a_restart),
		cmocka_unit_test(test_PF_X_2__nobody_is_served_so_without_ims_mode),
		cmocka_unit_test(test_PF_X_2__the_table_of_served_users_has_a_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
