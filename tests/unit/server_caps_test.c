/* Loops and spirals (RFC 3261 §16.3, RFC 5393), and the core's caps, each one below, at and one
 * above. */
#include "server_world.h"

#define AT_BO	"192.0.2.12:5060"
#define AT_PEER "192.0.2.50:5060"
#define BO	"<sip:bo@example.com>"
#define BO_URI	"sip:bo@example.com"

static const struct addr peer = {.family = 4, .ip = {192, 0, 2, 50}};

static struct world *peered_world(void)
{
	struct world *w = world_new();

	w->cfg.trusted = &peer;
	w->cfg.n_trusted = 1;
	w->cfg.auth_required = false;
	world_start(w);
	return w;
}

/* --- loops --- */

/* A request that was forwarded, sent back by the peer to that Request-URI. */
static void send_back(struct phone *gate, const char *forwarded, const char *uri)
{
	struct world *w = gate->w;
	const char *rest = strstr(forwarded, "\r\n") + 2;

	phone_send(gate, textf(w,
			       "MESSAGE %s SIP/2.0\r\n"
			       "Via: SIP/2.0/UDP 192.0.2.50:5060;branch=z9hG4bK-back-%u\r\n%s",
			       uri, ++w->serial, rest));
}

static const char *forwarded_to(struct phone *gate, struct phone *to, unsigned cseq)
{
	phone_send(gate, phone_request(gate, "MESSAGE", BO_URI, BO, cseq,
				       "P-Asserted-Identity: <sip:x@elsewhere.example>\n"));
	return phone_next(to);
}

static void test_RFC_5393__what_comes_back_unchanged_is_482_at_once(void **state)
{
	struct world *w = peered_world();
	struct phone gate = phone_at(w, "x", AT_PEER), bo = phone_at(w, "bo", AT_BO);
	const char *text;

	(void)state;
	phone_registers(&bo, "");
	/* The identity stays in it: it goes from the peer to the phone by way of the store. */
	text = forwarded_to(&gate, &bo, 1);
	assert_non_null(text);
	send_back(&gate, text, BO_URI);
	assert_int_equal(phone_status(&gate), 482);
	assert_null(phone_next(&bo));
	world_end(w);
}

static void test_RFC_5393__a_spiral_passes(void **state)
{
	struct world *w = peered_world();
	struct phone gate = phone_at(w, "x", AT_PEER), bo = phone_at(w, "bo", AT_BO),
		     charles = phone_at(w, "charles", "192.0.2.13:5060");
	const char *text;

	(void)state;
	phone_registers(&bo, "");
	phone_registers(&charles, "");
	text = forwarded_to(&gate, &bo, 1);
	/* Bo's is diverted to charles, and charles's back to bo: that is the loop. */
	send_back(&gate, text, "sip:charles@example.com");
	text = phone_next(&charles);
	assert_non_null(text);
	send_back(&gate, text, BO_URI);
	assert_int_equal(phone_status(&gate), 482);
	assert_null(phone_next(&bo));
	world_end(w);
}

static void test_RFC_5393__a_branch_of_anothers_making_is_no_loop(void **state)
{
	struct world *w = peered_world();
	struct phone gate = phone_at(w, "x", AT_PEER), bo = phone_at(w, "bo", AT_BO);

	(void)state;
	phone_registers(&bo, "");
	phone_send(&gate, phone_request(&gate, "MESSAGE", BO_URI, BO, 1,
					"P-Asserted-Identity: <sip:x@elsewhere.example>\n"
					"Via: SIP/2.0/UDP 192.0.2.1:5060;"
					"branch=z9hG4bKabc.0123456789abcdef\n"));
	assert_non_null(phone_next(&bo));
	world_end(w);
}

static void test_max_forwards_of_0_is_483_and_of_1_passes(void **state)
{
	struct world *w = peered_world();
	struct phone gate = phone_at(w, "x", AT_PEER), bo = phone_at(w, "bo", AT_BO);

	(void)state;
	phone_registers(&bo, "");
	for (unsigned hops = 0; hops < 3; hops++) {
		char *text;

		phone_send(&gate,
			   phone_request(&gate, "MESSAGE", BO_URI, BO, 1 + hops,
					 textf(w,
					       "P-Asserted-Identity: <sip:x@elsewhere.example>\n"
					       "Max-Forwards: %u\n",
					       hops)));
		text = phone_next(&bo);
		if (hops)
			assert_string_equal(header(w, text, "Max-Forwards"),
					    textf(w, "%u", hops - 1));
		else
			assert_null(text);
		if (!hops)
			assert_int_equal(phone_status(&gate), 483);
	}
	world_end(w);
}

/* --- caps --- */

/* A REGISTER of bo's with n contacts; its answer. */
static char *register_contacts(struct phone *bo, unsigned n)
{
	struct world *w = bo->w;
	const char *lines = "";

	for (unsigned i = 0; i < n; i++)
		lines = textf(w, "%sContact: <sip:bo@192.0.2.12:%u>\n", lines, 6000 + i);
	w->serial++;
	phone_send(bo, crlf(w, textf(w,
				     "REGISTER sip:example.com SIP/2.0\n"
				     "Via: SIP/2.0/UDP %s;branch=z9hG4bK-r-%u\n"
				     "From: " BO ";tag=r\nTo: " BO "\nCall-ID: r\n"
				     "CSeq: %u REGISTER\n%sContent-Length: 0\n\n",
				     bo->host, w->serial, w->serial, lines)));
	return phone_next(bo);
}

static void test_cap_on_contacts_of_a_user_is_403(void **state)
{
	for (int k = -1; k <= 1; k++) {
		struct world *w = open_world();
		struct phone bo = phone_at(w, "bo", AT_BO);
		unsigned n = (unsigned)((int)w->cfg.max_contacts + k);

		(void)state;
		assert_int_equal(parsed(register_contacts(&bo, n)).status, k <= 0 ? 200 : 403);
		assert_int_equal(core_binding_count(w->core), k <= 0 ? n : 0);
		world_end(w);
	}
}

static int register_status(struct phone *p)
{
	phone_send(p, phone_request(p, "REGISTER", "sip:example.com", BO, 1, ""));
	return parsed(phone_next(p)).status;
}

static void test_cap_on_contacts_makes_room_for_who_comes_back(void **state)
{
	struct world *w = world_new();
	struct phone bo[4];

	(void)state;
	w->cfg.auth_required = false;
	w->cfg.max_contacts = 2;
	world_start(w);
	for (unsigned i = 0; i < 4; i++) {
		bo[i] = phone_tcp(w, "bo", textf(w, "192.0.2.12:%u", 7000 + i));
		/* The third finds the first one gone; the fourth finds two that are there. */
		assert_int_equal(register_status(&bo[i]), i < 3 ? 200 : 403);
		assert_int_equal(core_binding_count(w->core), i ? 2 : 1);
		if (i == 0)
			phone_hangs_up(&bo[i]);
	}
	world_end(w);
}

static void test_cap_on_bindings_of_all_is_503(void **state)
{
	for (int k = -1; k <= 1; k++) {
		struct world *w = world_new();
		struct phone bo;
		char *answer;

		(void)state;
		w->cfg.auth_required = false;
		w->cfg.max_bindings = 3;
		world_start(w);
		bo = phone_at(w, "bo", AT_BO);
		answer = register_contacts(&bo, (unsigned)(3 + k));
		assert_int_equal(parsed(answer).status, k <= 0 ? 200 : 503);
		if (k > 0)
			assert_string_equal(header(w, answer, "Retry-After"), "60");
		assert_int_equal(core_binding_count(w->core), k <= 0 ? 3 + k : 0);
		world_end(w);
	}
}

static void test_cap_on_sessions_of_a_user_is_486(void **state)
{
	struct world *w = world_new();
	struct phone ann, bo, charles;
	char *invite[3], *got[3], *answer;

	(void)state;
	w->cfg.auth_required = false;
	w->cfg.max_sessions_per_user = 3;
	world_start(w);
	ann = phone_at(w, "ann", AT_ANN);
	bo = phone_at(w, "bo", AT_BO);
	charles = phone_at(w, "charles", "192.0.2.13:5060");
	phone_registers(&ann, IM_CONTACT);
	phone_registers(&bo, IM_CONTACT);
	phone_registers(&charles, IM_CONTACT);
	for (unsigned i = 0; i < 3; i++) {
		invite[i] = phone_request(&ann, "INVITE", BO_URI, BO, 1 + i, IM_ACCEPT);
		phone_send(&ann, invite[i]);
		got[i] = phone_next(&bo);
		assert_non_null(got[i]);
		assert_int_equal(phone_status(&ann), 0);
	}
	answer = phone_request(&ann, "INVITE", BO_URI, BO, 4, IM_ACCEPT);
	phone_send(&ann, answer);
	phone_acks_refusal(&ann, answer, BO_URI, BO, "x", 4);
	answer = phone_next(&ann);
	assert_int_equal(parsed(answer).status, 486);
	assert_string_equal(header(w, answer, "Retry-After"), "30");
	assert_null(phone_next(&bo));
	/* Whom ann calls, and what else ann does, is not concerned. */
	phone_send(&ann, phone_request(&ann, "MESSAGE", BO_URI, BO, 5, ""));
	assert_non_null(phone_next(&bo));
	phone_send(&charles, phone_request(&charles, "INVITE", BO_URI, BO, 1, IM_ACCEPT));
	assert_non_null(phone_next(&bo));
	phone_send(&charles, phone_request(&charles, "INVITE", "sip:ann@example.com",
					   "<sip:ann@example.com>", 2, IM_ACCEPT));
	assert_int_equal(strncmp(phone_next(&ann), "INVITE", 6), 0);
	/* One that is answered makes room. */
	phone_answers(&bo, got[0], 486, "");
	assert_int_equal(phone_status(&ann), 486);
	phone_acks_refusal(&ann, invite[0], BO_URI, BO, "x", 1);
	while (phone_next(&bo))
		;
	phone_send(&ann, phone_request(&ann, "INVITE", BO_URI, BO, 6, IM_ACCEPT));
	assert_non_null(phone_next(&bo));
	world_end(w);
}

/* The next request of that method; what is answered again meanwhile is passed by. */
static char *request_at(struct phone *p, const char *method)
{
	char *text;

	while ((text = phone_next(p)) && strncmp(text, method, strlen(method)) != 0)
		;
	assert_non_null(text);
	return text;
}

/* The Route of a dialog is as good for a hundred INVITEs that nobody answers as for one; RFC 3261
 * §14.1 knows one at a time. */
static void test_cap_on_sessions_holds_inside_a_dialog(void **state)
{
	const char *at_bo = "sip:bo@192.0.2.12:5060", *tagged = BO ";tag=bo-tag", *route;
	struct world *w = world_new();
	struct phone ann, bo;
	char *invite, *again[3];

	(void)state;
	w->cfg.auth_required = false;
	w->cfg.max_sessions_per_user = 3;
	world_start(w);
	ann = phone_at(w, "ann", AT_ANN);
	bo = phone_at(w, "bo", AT_BO);
	phone_registers(&ann, IM_CONTACT);
	phone_registers(&bo, IM_CONTACT);
	phone_send(&ann, phone_request(&ann, "INVITE", BO_URI, BO, 1, IM_ACCEPT));
	invite = phone_next(&bo);
	phone_answers(&bo, invite, 200, contact_of(&bo));
	assert_int_equal(phone_status(&ann), 200);
	route = routes_of(w, invite, true);
	for (unsigned i = 0; i < 3; i++) {
		phone_send(&ann, phone_request(&ann, "INVITE", at_bo, tagged, 10 + i, route));
		again[i] = phone_next(&bo);
		assert_non_null(again[i]);
	}
	phone_send(&ann, phone_request(&ann, "INVITE", at_bo, tagged, 13, route));
	assert_int_equal(phone_status(&ann), 486);
	phone_send(&ann, phone_request(&ann, "INVITE", BO_URI, BO, 14, IM_ACCEPT));
	assert_int_equal(phone_status(&ann), 486);
	assert_null(phone_next(&bo));
	/* Nothing else of the dialog is concerned, nor is bo. */
	phone_send(&ann, phone_request(&ann, "INFO", at_bo, tagged, 15, route));
	(void)request_at(&bo, "INFO");
	phone_send(&bo, phone_request(&bo, "INVITE", "sip:ann@example.com", "<sip:ann@example.com>",
				      2, IM_ACCEPT));
	(void)request_at(&ann, "INVITE");
	/* One that is answered makes room. */
	phone_answers(&bo, again[0], 200, contact_of(&bo));
	phone_send(&ann, phone_request(&ann, "INVITE", at_bo, tagged, 16, route));
	(void)request_at(&bo, "INVITE");
	world_end(w);
}

/* Names that nobody answers for are asked about for seconds. */
static void test_cap_on_requests_of_a_user_that_wait_for_DNS_is_503(void **state)
{
	static const char uri[] = "sip:x@slow.example", to[] = "<sip:x@slow.example>";
	struct world *w = world_new();
	struct phone ann, bo;

	(void)state;
	w->cfg.auth_required = false;
	world_start(w);
	ann = phone_at(w, "ann", AT_ANN);
	bo = phone_at(w, "bo", AT_BO);
	phone_registers(&ann, IM_CONTACT);
	phone_registers(&bo, IM_CONTACT);
	w->resolving = true;
	for (unsigned i = 1; i <= 51; i++) {
		phone_send(&ann, phone_request(&ann, "MESSAGE", uri, to, i, ""));
		assert_int_equal(phone_status(&ann), i <= 50 ? 0 : 503);
	}
	phone_send(&bo, phone_request(&bo, "MESSAGE", uri, to, 1, ""));
	assert_int_equal(phone_status(&bo), 0);
	/* They may have to wait again, and all of them are still there at the end. */
	core_resolved(w->core, w->now);
	assert_int_equal(phone_status(&ann), 0);
	w->resolving = false;
	core_resolved(w->core, w->now);
	for (unsigned i = 1; i <= 50; i++)
		assert_int_equal(phone_status(&ann), 404);
	assert_int_equal(phone_status(&ann), 0);
	assert_int_equal(phone_status(&bo), 404);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC_5393__what_comes_back_unchanged_is_482_at_once),
		cmocka_unit_test(test_RFC_5393__a_spiral_passes),
		cmocka_unit_test(test_RFC_5393__a_branch_of_anothers_making_is_no_loop),
		cmocka_unit_test(test_max_forwards_of_0_is_483_and_of_1_passes),
		cmocka_unit_test(test_cap_on_contacts_of_a_user_is_403),
		cmocka_unit_test(test_cap_on_contacts_makes_room_for_who_comes_back),
		cmocka_unit_test(test_cap_on_bindings_of_all_is_503),
		cmocka_unit_test(test_cap_on_sessions_of_a_user_is_486),
		cmocka_unit_test(test_cap_on_sessions_holds_inside_a_dialog),
		cmocka_unit_test(test_cap_on_requests_of_a_user_that_wait_for_DNS_is_503),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
