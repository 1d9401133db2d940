/* The registrar and who a sender is: RFC 3261 §10.3, §22; R-3. */
#include "server_world.h"

#include "server/core/state.h"

#define AT_BO "192.0.2.12:5060"

/* A REGISTER with everything given; no credentials. */
static const char *raw_register(struct phone *p, const char *call_id, unsigned cseq,
				const char *lines)
{
	struct world *w = p->w;

	phone_send(p, crlf(w, textf(w,
				    "REGISTER sip:example.com SIP/2.0\n"
				    "Via: SIP/2.0/UDP %s;branch=z9hG4bK-raw-%u\n"
				    "From: <sip:%s@example.com>;tag=r\n"
				    "To: <sip:%s@example.com>\n"
				    "Call-ID: %s\n"
				    "CSeq: %u REGISTER\n"
				    "%s"
				    "Content-Length: 0\n\n",
				    p->host, ++w->serial, p->user, p->user, call_id, cseq, lines)));
	return phone_next(p);
}

static void test_register_is_challenged_then_bound(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *answer = raw_register(&ann, "c", 1, "Contact: <sip:ann@192.0.2.11:5060>\n");

	(void)state;
	assert_int_equal(parsed(answer).status, 401);
	assert_non_null(strstr(header(w, answer, "WWW-Authenticate"), "SHA-256"));
	assert_non_null(strstr(header(w, answer, "WWW-Authenticate"), "|Digest"));
	assert_int_equal(core_binding_count(w->core), 0);
	phone_registers(&ann, IM_CONTACT);
	assert_int_equal(core_binding_count(w->core), 1);
	assert_int_equal(w->bindings_told, 1);
	assert_int_equal(w->binding_expires, WORLD_BEGAN + 3600000);
	world_end(w);
}

static void test_wrong_password_is_challenged_again(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *answer = raw_register(&ann, "c", 1, "");

	(void)state;
	answer = raw_register(
		&ann, "c", 2,
		credentials(&ann, answer, "ann", "wrong", "REGISTER", "sip:example.com"));
	assert_int_equal(parsed(answer).status, 401);
	world_end(w);
}

static void test_bindings_of_another_are_403(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *answer = raw_register(&ann, "c", 1, "");
	const char *lines =
		textf(w, "%sContact: <sip:x@192.0.2.11>\n",
		      credentials(&ann, answer, "bo", "secret", "REGISTER", "sip:example.com"));

	(void)state;
	answer = raw_register(&ann, "c", 2, lines);
	assert_int_equal(parsed(answer).status, 403);
	assert_int_equal(core_binding_count(w->core), 0);
	world_end(w);
}

static void test_user_name_may_hold_the_domain(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *answer = raw_register(&ann, "c", 1, "");

	(void)state;
	sip_digest_ha1(io_digest(), SIP_DIGEST_SHA256, VIEW("ann@example.com"), VIEW("example.com"),
		       VIEW("secret"), w->user[0].ha1_sha256);
	answer = raw_register(&ann, "c", 2,
			      credentials(&ann, answer, "ann@example.com", "secret", "REGISTER",
					  "sip:example.com"));
	assert_int_equal(parsed(answer).status, 200);
	world_end(w);
}

static void test_store_that_cannot_answer_is_500(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);

	(void)state;
	w->store_broken = true;
	assert_int_equal(parsed(raw_register(&ann, "c", 1, "")).status, 500);
	world_end(w);
}

static void test_unknown_user_is_404(void **state)
{
	struct world *w = open_world();
	struct phone dan = phone_at(w, "dan", AT_ANN);

	(void)state;
	assert_int_equal(parsed(raw_register(&dan, "c", 1, "")).status, 404);
	world_end(w);
}

static void test_200_lists_all_contacts(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *answer;

	(void)state;
	raw_register(&ann, "c", 1,
		     "Contact: <sip:ann@192.0.2.11>;q=0.5;+g.oma.sip-im;expires=100, "
		     "<sip:ann@192.0.2.13>;+sip.instance=\"<urn:uuid:1>\"\nExpires: 600\n");
	world_run(w, 10000);
	answer = raw_register(&ann, "c", 2, "");
	assert_string_equal(header(w, answer, "Contact"),
			    "<sip:ann@192.0.2.11>;q=0.5;+g.oma.sip-im;expires=90|"
			    "<sip:ann@192.0.2.13>;+sip.instance=\"<urn:uuid:1>\";expires=590");
	world_end(w);
}

static void test_binding_runs_out(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);

	(void)state;
	raw_register(&ann, "c", 1, "Contact: <sip:ann@192.0.2.11>;expires=60\n");
	world_run(w, 59999);
	assert_int_equal(core_binding_count(w->core), 1);
	world_run(w, 1);
	assert_int_equal(core_binding_count(w->core), 0);
	assert_int_equal(w->bindings_told, 2);
	assert_int_equal(w->binding_expires, 0);
	world_end(w);
}

static void test_too_short_is_423(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *answer =
		raw_register(&ann, "c", 1, "Contact: <sip:ann@192.0.2.11>;expires=59\n");

	(void)state;
	assert_int_equal(parsed(answer).status, 423);
	assert_string_equal(header(w, answer, "Min-Expires"), "60");
	answer = raw_register(&ann, "c", 2, "Contact: <sip:ann@192.0.2.11>;expires=99999\n");
	assert_non_null(strstr(answer, ";expires=7200"));
	world_end(w);
}

static void test_caps_on_expires_are_exact(void **state)
{
	static const struct {
		unsigned asked, given; /* 0: 423 */
	} t[] = {{1, 0},       {59, 0},	     {60, 60},	   {61, 61},
		 {7199, 7199}, {7200, 7200}, {7201, 7200}, {4294967295, 7200}};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct world *w = open_world();
		struct phone ann = phone_at(w, "ann", AT_ANN);
		const char *answer = raw_register(
			&ann, "c", 1,
			textf(w, "Contact: <sip:ann@192.0.2.11>;expires=%u\n", t[i].asked));

		assert_int_equal(parsed(answer).status, t[i].given ? 200 : 423);
		if (t[i].given)
			assert_string_equal(
				header(w, answer, "Contact"),
				textf(w, "<sip:ann@192.0.2.11>;expires=%u", t[i].given));
		world_end(w);
	}
}

static void test_refresh_and_removal(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *answer;

	(void)state;
	raw_register(&ann, "c", 1, "Contact: <sip:ann@192.0.2.11>;expires=100\n");
	raw_register(&ann, "c", 2, "Contact: <sip:ann@192.0.2.11;x=1>;expires=500\n");
	assert_int_equal(core_binding_count(w->core), 1);
	answer = raw_register(&ann, "c", 3, "Contact: <sip:ann@192.0.2.11>;expires=0\n");
	assert_int_equal(parsed(answer).status, 200);
	assert_string_equal(header(w, answer, "Contact"), "");
	assert_int_equal(core_binding_count(w->core), 0);
	world_end(w);
}

static void test_older_cseq_of_a_call_id_is_refused(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);

	(void)state;
	raw_register(&ann, "c", 5, "Contact: <sip:ann@192.0.2.11>\n");
	assert_int_equal(
		parsed(raw_register(&ann, "c", 4, "Contact: <sip:ann@192.0.2.11>;expires=0\n"))
			.status,
		500);
	assert_int_equal(parsed(raw_register(&ann, "c", 5, "Contact: *\nExpires: 0\n")).status,
			 500);
	assert_int_equal(core_binding_count(w->core), 1);
	assert_int_equal(
		parsed(raw_register(&ann, "d", 1, "Contact: <sip:ann@192.0.2.11>\n")).status, 200);
	assert_int_equal(core_binding_count(w->core), 1);
	world_end(w);
}

/* What on_binding says is all that a restart needs. */
static struct binding_values kept;
static char kept_text[5][512];
static size_t n_gone;

static struct view kept_view(int i, struct view v)
{
	assert_true(v.n < sizeof(kept_text[0]));
	(void)view_copy(v, kept_text[i], sizeof(kept_text[i]));
	return view_str(kept_text[i]);
}

static void keep_binding(void *ctx, struct view aor, const struct binding_values *b,
			 uint64_t now_ms)
{
	(void)ctx;
	(void)now_ms;
	if (!b->expires_at_ms) {
		n_gone++;
		return;
	}
	kept = *b;
	(void)kept_view(4, aor);
	kept.contact = kept_view(0, b->contact);
	kept.params = kept_view(1, b->params);
	kept.path = kept_view(2, b->path);
	kept.call_id = kept_view(3, b->call_id);
}

static void test_R_10__a_binding_comes_back_after_a_restart(void **state)
{
	struct world *w = open_world(), *after = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN), again = phone_at(after, "ann", AT_ANN);
	const char *answer;

	(void)state;
	w->core->ops.on_binding = keep_binding;
	n_gone = 0;
	raw_register(&ann, "c", 7,
		     "Contact: <sip:ann@192.0.2.11>;q=0.5;+g.oma.sip-im;expires=3000\n");
	/* The same phone, written otherwise: the old name is told to be gone. */
	raw_register(&ann, "c", 8,
		     "Contact: <sip:ann@192.0.2.11;x=1>;q=0.5;+g.oma.sip-im;expires=3000\n");
	assert_int_equal(n_gone, 1);
	assert_int_equal(
		core_restore_binding(after->core, view_str(kept_text[4]), &kept, after->now), 0);
	assert_int_equal(core_binding_count(after->core), 1);
	/* Older requests of the same Call-ID stay older. */
	assert_int_equal(parsed(raw_register(&again, "c", 8, "Contact: *\nExpires: 0\n")).status,
			 500);
	answer = raw_register(&again, "d", 1, "");
	assert_non_null(
		strstr(answer, "<sip:ann@192.0.2.11;x=1>;q=0.5;+g.oma.sip-im;expires=3000"));
	world_run(after, 3000000);
	assert_int_equal(core_binding_count(after->core), 0);
	/* By a clock that was set: neither what is over nor what would never be. */
	kept.expires_at_ms = after->now;
	assert_int_equal(
		core_restore_binding(after->core, view_str(kept_text[4]), &kept, after->now),
		E_NOTFOUND);
	kept.expires_at_ms = after->now + 864000000;
	assert_int_equal(
		core_restore_binding(after->core, view_str(kept_text[4]), &kept, after->now), 0);
	world_run(after, 7200000);
	assert_int_equal(core_binding_count(after->core), 0);
	world_end(w);
	world_end(after);
}

static void test_star_removes_all(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);

	(void)state;
	raw_register(&ann, "c", 1, "Contact: <sip:a@192.0.2.11>, <sip:b@192.0.2.11>\n");
	assert_int_equal(core_binding_count(w->core), 2);
	assert_int_equal(parsed(raw_register(&ann, "c", 2, "Contact: *\n")).status, 400);
	assert_int_equal(
		parsed(raw_register(&ann, "c", 3, "Contact: *, <sip:a@b>\nExpires: 0\n")).status,
		400);
	assert_int_equal(parsed(raw_register(&ann, "c", 4, "Contact: *\nExpires: 0\n")).status,
			 200);
	assert_int_equal(core_binding_count(w->core), 0);
	world_end(w);
}

static void test_cap_per_user_changes_nothing(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);

	(void)state;
	raw_register(&ann, "c", 1, "Contact: <sip:1@192.0.2.11>, <sip:2@192.0.2.11>\n");
	assert_int_equal(parsed(raw_register(&ann, "c", 2,
					     "Contact: <sip:3@192.0.2.11>, <sip:4@192.0.2.11>, "
					     "<sip:5@192.0.2.11>\n"))
				 .status,
			 403);
	assert_int_equal(core_binding_count(w->core), 2);
	assert_int_equal(parsed(raw_register(&ann, "c", 3,
					     "Contact: <sip:3@192.0.2.11>, <sip:4@192.0.2.11>, "
					     "<sip:1@192.0.2.11>\n"))
				 .status,
			 200);
	assert_int_equal(core_binding_count(w->core), 4);
	world_end(w);
}

static void test_table_has_a_cap(void **state)
{
	struct world *w = world_new();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO);
	const char *answer;

	(void)state;
	w->cfg.auth_required = false;
	w->cfg.max_bindings = 1;
	world_start(w);
	raw_register(&ann, "c", 1, "Contact: <sip:ann@192.0.2.11>\n");
	answer = raw_register(&bo, "d", 1, "Contact: <sip:bo@192.0.2.12>\n");
	assert_int_equal(parsed(answer).status, 503);
	assert_string_equal(header(w, answer, "Retry-After"), "60");
	/* A refresh is no new one. */
	assert_int_equal(
		parsed(raw_register(&ann, "c", 2, "Contact: <sip:ann@192.0.2.11>\n")).status, 200);
	world_end(w);
}

static void test_same_instance_and_reg_id_takes_the_place(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);

	(void)state;
	raw_register(&ann, "c", 1,
		     "Contact: <sip:ann@192.0.2.11:1>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"\n");
	raw_register(&ann, "d", 1,
		     "Contact: <sip:ann@192.0.2.11:2>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"\n");
	assert_int_equal(core_binding_count(w->core), 1);
	raw_register(&ann, "e", 1,
		     "Contact: <sip:ann@192.0.2.11:3>;reg-id=2;+sip.instance=\"<urn:uuid:1>\"\n");
	assert_int_equal(core_binding_count(w->core), 2);
	world_end(w);
}

static void test_path_is_echoed_to_who_knows_it(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *answer = raw_register(&ann, "c", 1,
					  "Contact: <sip:ann@192.0.2.11>\n"
					  "Supported: path\nPath: <sip:192.0.2.99;lr>\n");

	(void)state;
	assert_string_equal(header(w, answer, "Path"), "<sip:192.0.2.99;lr>");
	answer = raw_register(&ann, "c", 2,
			      "Contact: <sip:ann@192.0.2.11>\nPath: <sip:192.0.2.99;lr>\n");
	assert_string_equal(header(w, answer, "Path"), "");
	world_end(w);
}

static void test_unknown_require_is_420(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *answer = raw_register(&ann, "c", 1, "Require: path, teleport\n");

	(void)state;
	assert_int_equal(parsed(answer).status, 420);
	assert_string_equal(header(w, answer, "Unsupported"), "teleport");
	world_end(w);
}

static void test_bad_contacts_are_400(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);

	(void)state;
	assert_int_equal(parsed(raw_register(&ann, "c", 1, "Contact: <mailto:a@b>\n")).status, 400);
	assert_int_equal(parsed(raw_register(&ann, "c", 2, "Contact: <sip:a@b\n")).status, 400);
	assert_int_equal(core_binding_count(w->core), 0);
	world_end(w);
}

/* --- who is it? --- */

static void test_R_3__digest_proves_the_sender(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN);

	(void)state;
	phone_asks(&ann, "INVITE", "sip:factory@example.com", "<sip:factory@example.com>", 1,
		   IM_ACCEPT);
	assert_int_equal(phone_status(&ann), 200);
	assert_int_equal(w->local_requests, 1);
	assert_true(w->local_asserted);
	assert_string_equal(w->local_uri, "sip:ann@example.com");
	assert_string_equal(w->local_display, "\"ann\"");
	assert_false(w->local_privacy);
	world_end(w);
}

static void test_R_3__from_must_be_the_authenticated_user(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *to = "<sip:bo@example.com>", *uri = "sip:bo@example.com";

	(void)state;
	phone_send(&ann, phone_request(&ann, "MESSAGE", uri, to, 1, ""));
	phone_send(&ann, phone_request(&ann, "MESSAGE", uri, to, 2,
				       credentials(&ann, phone_next(&ann), "charles", "secret",
						   "MESSAGE", uri)));
	assert_string_equal(start_line(w, phone_next(&ann)),
			    "SIP/2.0 403 From Is Not The Authenticated User");
	world_end(w);
}

static void test_R_3__anonymous_from_with_the_users_identity(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *fmt = "MESSAGE sip:factory@example.com SIP/2.0\n"
			  "Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK-anon-%u\n"
			  "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1\n"
			  "To: <sip:factory@example.com>\n"
			  "Call-ID: anon\n"
			  "CSeq: %u MESSAGE\n"
			  "P-Preferred-Identity: \"Ann A.\" <sip:ann@example.com>\n"
			  "Privacy: id\n"
			  "%s"
			  "Content-Length: 0\n\n";

	(void)state;
	phone_send(&ann, crlf(w, textf(w, fmt, 1, 1, "")));
	phone_send(&ann, crlf(w, textf(w, fmt, 2, 2,
				       credentials(&ann, phone_next(&ann), "ann", "secret",
						   "MESSAGE", "sip:factory@example.com"))));
	assert_int_equal(phone_status(&ann), 200);
	assert_string_equal(w->local_uri, "sip:ann@example.com");
	assert_string_equal(w->local_display, "\"Ann A.\"");
	assert_true(w->local_privacy);
	world_end(w);
}

static void test_R_3__assertion_of_a_stranger_is_not_believed(void **state)
{
	struct world *w = open_world();
	struct phone eve = phone_at(w, "ann", "192.0.2.66:5060");

	(void)state;
	phone_send(&eve, phone_request(&eve, "MESSAGE", "sip:factory@example.com",
				       "<sip:factory@example.com>", 1,
				       "P-Asserted-Identity: <sip:ann@example.com>\n"));
	assert_int_equal(phone_status(&eve), 403);
	assert_int_equal(w->local_requests, 0);
	world_end(w);
}

static void test_R_3__trusted_peer_asserts(void **state)
{
	struct addr peer = address("192.0.2.50:0");
	struct world *w = world_new();
	struct phone gate;

	(void)state;
	w->cfg.trusted = &peer;
	w->cfg.n_trusted = 1;
	world_start(w);
	gate = phone_at(w, "ann", "192.0.2.50:7777");
	phone_send(&gate,
		   phone_request(
			   &gate, "MESSAGE", "sip:factory@example.com", "<sip:factory@example.com>",
			   1, "P-Asserted-Identity: <tel:+1>, \"Bo\" <sip:bo@EXAMPLE.com;x=1>\n"));
	assert_int_equal(phone_status(&gate), 200);
	assert_string_equal(w->local_uri, "sip:bo@example.com");
	assert_string_equal(w->local_display, "\"Bo\"");
	world_end(w);
}

static void test_R_3__without_assertion_a_trusted_peer_is_refused(void **state)
{
	struct addr peer = address("192.0.2.50:0");
	struct world *w = world_new();
	struct phone gate;

	(void)state;
	w->cfg.trusted = &peer;
	w->cfg.n_trusted = 1;
	world_start(w);
	gate = phone_at(w, "ann", "192.0.2.50:7777");
	phone_send(&gate, phone_request(&gate, "MESSAGE", "sip:factory@example.com",
					"<sip:factory@example.com>", 1, ""));
	assert_int_equal(phone_status(&gate), 403);
	world_end(w);
}

static void test_R_3__from_of_a_binding_serves_without_digest(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN), eve = phone_at(w, "ann", "192.0.2.66:5060");

	(void)state;
	phone_registers(&ann, "");
	phone_send(&ann, phone_request(&ann, "MESSAGE", "sip:factory@example.com",
				       "<sip:factory@example.com>", 1, ""));
	assert_int_equal(phone_status(&ann), 200);
	assert_string_equal(w->local_uri, "sip:ann@example.com");
	phone_send(&eve, phone_request(&eve, "MESSAGE", "sip:factory@example.com",
				       "<sip:factory@example.com>", 1, ""));
	assert_int_equal(phone_status(&eve), 403);
	world_end(w);
}

static void test_R_3__inside_a_dialog_the_flow_tells(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN), eve = phone_at(w, "ann", "192.0.2.66:5060");
	const char *to = "<sip:factory@example.com>;tag=f", *uri = "sip:conf-1@192.0.2.1:5060";

	(void)state;
	phone_registers(&ann, "");
	phone_send(&ann, phone_request(&ann, "BYE", uri, to, 3, ""));
	assert_int_equal(phone_status(&ann), 200);
	assert_true(w->local_asserted);
	assert_string_equal(w->local_uri, "sip:ann@example.com");
	/* Not challenged, and not believed either. */
	phone_send(&eve, phone_request(&eve, "BYE", uri, to, 4, ""));
	assert_int_equal(phone_status(&eve), 200);
	assert_false(w->local_asserted);
	assert_string_equal(w->local_uri, "");
	world_end(w);
}

static void test_CF_9_3_1_3__referred_by_of_another_is_403(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *to = "<sip:factory@example.com>", *uri = "sip:factory@example.com";

	(void)state;
	phone_asks(&ann, "INVITE", uri, to, 1, IM_ACCEPT "Referred-By: <sip:bo@example.com>\n");
	assert_int_equal(phone_status(&ann), 403);
	phone_asks(&ann, "MESSAGE", uri, to, 5, "Referred-By: <sip:ann@example.com>\n");
	assert_int_equal(phone_status(&ann), 200);
	world_end(w);
}

static void test_nonce_that_is_too_old_is_stale(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *to = "<sip:bo@example.com>", *uri = "sip:bo@example.com", *answer;

	(void)state;
	phone_send(&ann, phone_request(&ann, "MESSAGE", uri, to, 1, ""));
	answer = phone_next(&ann);
	world_run(w, 300001);
	phone_send(&ann, phone_request(&ann, "MESSAGE", uri, to, 2,
				       credentials(&ann, answer, "ann", "secret", "MESSAGE", uri)));
	answer = phone_next(&ann);
	assert_int_equal(parsed(answer).status, 407);
	assert_non_null(strstr(header(w, answer, "Proxy-Authenticate"), "stale=true"));
	world_end(w);
}

static void test_options_to_the_server(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN);

	(void)state;
	phone_send(&ann, phone_request(&ann, "OPTIONS", "sip:example.com", "<sip:example.com>", 1,
				       "Max-Forwards: 0\n"));
	assert_int_equal(phone_status(&ann), 200);
	phone_send(&ann, phone_request(&ann, "OPTIONS", "sip:192.0.2.1", "<sip:192.0.2.1>", 2, ""));
	assert_int_equal(phone_status(&ann), 200);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_register_is_challenged_then_bound),
		cmocka_unit_test(test_wrong_password_is_challenged_again),
		cmocka_unit_test(test_bindings_of_another_are_403),
		cmocka_unit_test(test_user_name_may_hold_the_domain),
		cmocka_unit_test(test_store_that_cannot_answer_is_500),
		cmocka_unit_test(test_unknown_user_is_404),
		cmocka_unit_test(test_200_lists_all_contacts),
		cmocka_unit_test(test_binding_runs_out),
		cmocka_unit_test(test_too_short_is_423),
		cmocka_unit_test(test_caps_on_expires_are_exact),
		cmocka_unit_test(test_refresh_and_removal),
		cmocka_unit_test(test_older_cseq_of_a_call_id_is_refused),
		cmocka_unit_test(test_R_10__a_binding_comes_back_after_a_restart),
		cmocka_unit_test(test_star_removes_all),
		cmocka_unit_test(test_cap_per_user_changes_nothing),
		cmocka_unit_test(test_table_has_a_cap),
		cmocka_unit_test(test_same_instance_and_reg_id_takes_the_place),
		cmocka_unit_test(test_path_is_echoed_to_who_knows_it),
		cmocka_unit_test(test_unknown_require_is_420),
		cmocka_unit_test(test_bad_contacts_are_400),
		cmocka_unit_test(test_R_3__digest_proves_the_sender),
		cmocka_unit_test(test_R_3__from_must_be_the_authenticated_user),
		cmocka_unit_test(test_R_3__anonymous_from_with_the_users_identity),
		cmocka_unit_test(test_R_3__assertion_of_a_stranger_is_not_believed),
		cmocka_unit_test(test_R_3__trusted_peer_asserts),
		cmocka_unit_test(test_R_3__without_assertion_a_trusted_peer_is_refused),
		cmocka_unit_test(test_R_3__from_of_a_binding_serves_without_digest),
		cmocka_unit_test(test_R_3__inside_a_dialog_the_flow_tells),
		cmocka_unit_test(test_CF_9_3_1_3__referred_by_of_another_is_403),
		cmocka_unit_test(test_nonce_that_is_too_old_is_stale),
		cmocka_unit_test(test_options_to_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
