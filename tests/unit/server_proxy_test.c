/* The forking proxy: RFC 3261 §16, RFC 5658, RFC 6026 §7.3, RFC 3325 §5, RFC 5393. */
#include "server_world.h"

#define AT_BO "192.0.2.12:5060"
#define BO    "<sip:bo@example.com>"

static void test_PF_9_1_2_3__invite_is_record_routed_and_forwarded(void **state)
{
	struct call c = simple_call();
	const char *text = c.forwarded;

	(void)state;
	assert_string_equal(start_line(c.w, text), "INVITE sip:bo@192.0.2.12:5060 SIP/2.0");
	assert_non_null(strstr(header(c.w, text, "Record-Route"), "<sip:192.0.2.1:5060;lr;ck="));
	assert_null(strchr(header(c.w, text, "Record-Route"), '|'));
	assert_string_equal(header(c.w, text, "Max-Forwards"), "70");
	assert_int_equal(parsed(phone_next(&c.ann)).status, 100);
	assert_null(phone_next(&c.ann));
	world_end(c.w);
}

static void test_R_13__a_proxy_leaves_the_rest_as_it_is(void **state)
{
	struct call c = simple_call();
	static const char *const same[] = {
		"Contact", "Allow", "Supported",      "From",	       "To",
		"Call-ID", "CSeq",  "Accept-Contact", "Content-Length"};
	const char *vias = header(c.w, c.forwarded, "Via");

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_string_equal(header(c.w, c.forwarded, same[i]),
				    header(c.w, c.invite, same[i]));
	assert_ptr_equal(strstr(vias, "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"), vias);
	assert_non_null(strstr(vias, "|SIP/2.0/UDP 192.0.2.11:5060;"));
	world_end(c.w);
}

static void test_PF_9_1_2_5__200_is_forwarded_and_the_session_stays_proxied(void **state)
{
	struct call c = simple_call();
	struct world *w = c.w;
	char *ok, *text;

	(void)state;
	phone_next(&c.ann); /* 100 */
	phone_answers(&c.bo, c.forwarded, 180, "");
	assert_int_equal(phone_status(&c.ann), 180);
	phone_answers(&c.bo, c.forwarded, 200, contact_of(&c.bo));
	ok = phone_next(&c.ann);
	assert_int_equal(parsed(ok).status, 200);
	assert_string_equal(header(w, ok, "Contact"), "<sip:bo@192.0.2.12:5060>");
	assert_null(strchr(header(w, ok, "Via"), '|'));
	assert_string_equal(header(w, ok, "Record-Route"), header(w, c.forwarded, "Record-Route"));

	phone_send(&c.ann,
		   phone_request(&c.ann, "ACK", "sip:bo@192.0.2.12:5060",
				 "<sip:bo@example.com>;tag=bo-tag", 1, routes_of(w, ok, true)));
	text = phone_next(&c.bo);
	assert_string_equal(start_line(w, text), "ACK sip:bo@192.0.2.12:5060 SIP/2.0");
	assert_string_equal(header(w, text, "Route"), "");
	assert_string_equal(header(w, text, "P-Asserted-Identity"), "");

	phone_send(&c.bo, phone_request(&c.bo, "BYE", "sip:ann@192.0.2.11:5060",
					"<sip:ann@example.com>;tag=ann-tag", 1,
					textf(w, "%sMax-Forwards: 12\n",
					      routes_of(w, c.forwarded, false))));
	text = phone_next(&c.ann);
	assert_string_equal(start_line(w, text), "BYE sip:ann@192.0.2.11:5060 SIP/2.0");
	assert_string_equal(header(w, text, "Route"), "");
	assert_string_equal(header(w, text, "Max-Forwards"), "11");
	assert_string_equal(header(w, text, "Record-Route"), "");
	phone_answers(&c.ann, text, 200, "");
	assert_int_equal(phone_status(&c.bo), 200);
	world_end(w);
}

static void test_PF_9_1_2_6__another_final_answer_is_forwarded(void **state)
{
	struct call c = simple_call();
	char *text;

	(void)state;
	phone_answers(&c.bo, c.forwarded, 486, "Warning: 399 x \"in a meeting\"\n");
	phone_next(&c.ann); /* 100 */
	text = phone_next(&c.ann);
	assert_int_equal(parsed(text).status, 486);
	assert_string_equal(header(c.w, text, "Warning"), "399 x \"in a meeting\"");
	assert_non_null(strstr(phone_next(&c.bo), "ACK "));
	phone_acks_refusal(&c.ann, c.invite, BO_URI, BO, "x", 1);
	assert_null(phone_next(&c.bo));
	world_run(c.w, 70000);
	assert_int_equal(sip_stack_tx_count(c.w->stack), 0);
	world_end(c.w);
}

static void test_RFC_6026__a_200_that_comes_again_is_forwarded_again(void **state)
{
	struct call c = simple_call();

	(void)state;
	phone_answers(&c.bo, c.forwarded, 200, contact_of(&c.bo));
	phone_answers(&c.bo, c.forwarded, 200, contact_of(&c.bo));
	assert_int_equal(phone_status(&c.ann), 200);
	assert_int_equal(phone_status(&c.ann), 200);
	assert_int_equal(phone_status(&c.ann), 0);
	world_run(c.w, 40000);
	assert_int_equal(sip_stack_tx_count(c.w->stack), 0);
	world_end(c.w);
}

static void test_RFC_5658__two_record_routes_between_tcp_and_udp(void **state)
{
	struct world *w = open_world();
	struct call c =
		call_of(phone_tcp(w, "ann", "192.0.2.11:40001"), phone_at(w, "bo", AT_BO), "");
	const char *rr = header(w, c.forwarded, "Record-Route");
	char *ok, *text;

	(void)state;
	assert_ptr_equal(strstr(rr, "<sip:192.0.2.1:5060;lr;"), rr);
	assert_non_null(strstr(rr, "|<sip:192.0.2.1:5060;transport=tcp;lr;"));
	phone_answers(&c.bo, c.forwarded, 200, contact_of(&c.bo));
	phone_next(&c.ann); /* 100 */
	ok = phone_next(&c.ann);
	phone_send(&c.ann,
		   phone_request(&c.ann, "BYE", "sip:bo@192.0.2.12:5060",
				 "<sip:bo@example.com>;tag=bo-tag", 2, routes_of(w, ok, true)));
	text = phone_next(&c.bo);
	assert_string_equal(start_line(w, text), "BYE sip:bo@192.0.2.12:5060 SIP/2.0");
	assert_string_equal(header(w, text, "Route"), "");
	/* The other way: to Ann's contact over the connection she registered on. */
	phone_send(&c.bo, phone_request(&c.bo, "INFO", "sip:ann@192.0.2.11:40001;transport=tcp",
					"<sip:ann@example.com>;tag=ann-tag", 1,
					routes_of(w, c.forwarded, false)));
	text = phone_next(&c.ann);
	assert_string_equal(start_line(w, text),
			    "INFO sip:ann@192.0.2.11:40001;transport=tcp SIP/2.0");
	world_end(w);
}

static void test_a_phone_behind_a_nat_is_reached_where_it_came_from(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", "198.51.100.7:31000");

	(void)state;
	phone_registers(&ann, IM_CONTACT);
	strcpy(bo.host, "10.0.0.5:5060");
	phone_registers(&bo, IM_CONTACT);
	phone_send(&ann, phone_request(&ann, "MESSAGE", BO_URI, BO, 1, ""));
	assert_string_equal(start_line(w, phone_next(&bo)), "MESSAGE sip:bo@10.0.0.5:5060 SIP/2.0");
	world_end(w);
}

static void test_a_lost_connection_leaves_the_contacts_address(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_tcp(w, "bo", "192.0.2.12:41000");

	(void)state;
	phone_registers(&ann, IM_CONTACT);
	phone_registers(&bo, IM_CONTACT);
	phone_hangs_up(&bo);
	assert_int_equal(core_binding_count(w->core), 2);
	phone_send(&ann, phone_request(&ann, "MESSAGE", BO_URI, BO, 1, ""));
	bo.link = w->n_links; /* opened by us */
	assert_string_equal(start_line(w, phone_next(&bo)),
			    "MESSAGE sip:bo@192.0.2.12:41000;transport=tcp SIP/2.0");
	world_end(w);
}

static void test_unknown_user_404_and_no_binding_480(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);

	(void)state;
	phone_registers(&ann, "");
	phone_send(&ann, phone_request(&ann, "MESSAGE", "sip:dan@example.com",
				       "<sip:dan@example.com>", 1, ""));
	assert_int_equal(phone_status(&ann), 404);
	phone_send(&ann, phone_request(&ann, "MESSAGE", BO_URI, BO, 2, ""));
	assert_int_equal(phone_status(&ann), 480);
	phone_send(&ann, phone_request(&ann, "MESSAGE", "sip:nobody.example.com", BO, 3, ""));
	assert_int_equal(phone_status(&ann), 404);
	world_end(w);
}

static void test_a_request_may_be_sent_to_our_address_instead_of_the_domain(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO);

	(void)state;
	phone_registers(&ann, "");
	phone_registers(&bo, "");
	phone_send(&ann, phone_request(&ann, "MESSAGE", "sip:bo@192.0.2.1", BO, 1, ""));
	assert_non_null(phone_next(&bo));
	world_end(w);
}

/* --- identity --- */

static void test_R_3__identity_is_asserted_towards_the_phone(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO);
	char *text;

	(void)state;
	phone_registers(&bo, IM_CONTACT);
	phone_asks(&ann, "INVITE", BO_URI, BO, 1,
		   IM_ACCEPT "P-Asserted-Identity: <sip:charles@example.com>\n"
			     "P-Preferred-Identity: \"A\" <sip:ann@example.com>\n");
	text = phone_next(&bo);
	assert_string_equal(header(w, text, "P-Asserted-Identity"), "\"A\" <sip:ann@example.com>");
	assert_string_equal(header(w, text, "P-Preferred-Identity"), "");
	assert_string_equal(header(w, text, "Proxy-Authorization"), "");
	phone_answers(&bo, text, 200,
		      "Contact: <sip:bo@192.0.2.12>\nP-Asserted-Identity: <sip:eve@example.com>\n"
		      "P-Preferred-Identity: <sip:bo@example.com>\n");
	phone_next(&ann); /* 100 */
	text = phone_next(&ann);
	assert_string_equal(header(w, text, "P-Asserted-Identity"), "<sip:bo@example.com>");
	assert_string_equal(header(w, text, "P-Preferred-Identity"), "");
	world_end(w);
}

static void test_R_3__privacy_id_hides_the_identity_from_phones(void **state)
{
	struct call c;
	struct world *w = open_world();
	char *text;

	(void)state;
	c = call_of(phone_at(w, "ann", AT_ANN), phone_at(w, "bo", AT_BO),
		    "Privacy: critical;id\nP-Preferred-Identity: <sip:ann@example.com>\n");
	assert_string_equal(header(w, c.forwarded, "P-Asserted-Identity"), "");
	assert_string_equal(header(w, c.forwarded, "P-Preferred-Identity"), "");
	assert_string_equal(header(w, c.forwarded, "Privacy"), "critical;id");
	phone_answers(&c.bo, c.forwarded, 200, "Privacy: id\nContact: <sip:bo@192.0.2.12>\n");
	phone_next(&c.ann); /* 100 */
	text = phone_next(&c.ann);
	assert_string_equal(header(w, text, "P-Asserted-Identity"), "");
	world_end(w);
}

/* --- this process itself --- */

struct focus {
	int status[8], n;
	char *last;
	struct world *w;
};

static void focus_response(void *ctx, struct sip_client_tx *tx, const struct sip_msg *m,
			   uint64_t now_ms)
{
	struct focus *f = ctx;

	(void)tx;
	(void)now_ms;
	f->status[f->n++] = m->status;
	f->last = keep_text(f->w, strndup(m->raw.p, m->raw.n));
}

static void focus_failed(void *ctx, struct sip_client_tx *tx, int error, uint64_t now_ms)
{
	(void)tx;
	(void)now_ms;
	((struct focus *)ctx)->status[((struct focus *)ctx)->n++] = error;
}

static const struct sip_client_handler focus_handler = {.on_response = focus_response,
							.on_failed = focus_failed};

static void focus_send(struct focus *f, const char *text)
{
	struct sip_flow local = {.transport = SIP_LOCAL};

	assert_int_equal(sip_client_tx_new(f->w->stack, view_str(crlf(f->w, text)), &local,
					   &focus_handler, f, f->w->now, NULL),
			 0);
	world_run(f->w, 0);
}

static void test_the_focus_invites_through_the_core(void **state)
{
	struct world *w = world_default();
	struct phone bo = phone_tcp(w, "bo", "192.0.2.12:41000");
	struct focus f = {.w = w};
	struct sip_flow local = {.transport = SIP_LOCAL};
	char *text, *ok;

	(void)state;
	phone_registers(&bo, IM_CONTACT);
	focus_send(&f, "INVITE sip:bo@example.com SIP/2.0\n"
		       "From: <sip:conf-1@192.0.2.1:5060>;tag=f\nTo: <sip:bo@example.com>\n"
		       "Call-ID: focus\nCSeq: 1 INVITE\nMax-Forwards: 70\n"
		       "Contact: <sip:conf-1@192.0.2.1:5060>;isfocus\n" IM_ACCEPT
		       "Referred-By: <sip:ann@example.com>\n"
		       "P-Asserted-Identity: <sip:ann@example.com>\n"
		       "Content-Length: 0\n\n");
	text = phone_next(&bo);
	assert_string_equal(start_line(w, text),
			    "INVITE sip:bo@192.0.2.12:41000;transport=tcp SIP/2.0");
	assert_non_null(
		strstr(header(w, text, "Record-Route"), "<sip:192.0.2.1:5060;transport=tcp;lr"));
	assert_null(strchr(header(w, text, "Record-Route"), '|'));
	assert_string_equal(header(w, text, "P-Asserted-Identity"), "<sip:ann@example.com>");
	assert_string_equal(header(w, text, "Referred-By"), "<sip:ann@example.com>");
	phone_answers(&bo, text, 200, contact_of(&bo));
	world_run(w, 0);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.status[0], 200);
	ok = f.last;

	/* From the focus, along its own Route, over the connection. */
	assert_int_equal(
		sip_stack_send_ack(
			w->stack,
			view_str(crlf(w, textf(w,
					       "ACK sip:bo@192.0.2.12:41000;transport=tcp SIP/2.0\n"
					       "From: <sip:conf-1@192.0.2.1:5060>;tag=f\n"
					       "To: <sip:bo@example.com>;tag=bo-tag\n"
					       "Call-ID: focus\nCSeq: 1 ACK\n%s"
					       "Content-Length: 0\n\n",
					       routes_of(w, ok, true)))),
			&local, w->now),
		0);
	world_run(w, 0);
	assert_non_null(strstr(phone_next(&bo), "ACK sip:bo@192.0.2.12:41000"));

	/* From Bo to the focus. */
	phone_send(&bo, phone_request(&bo, "BYE", "sip:conf-1@192.0.2.1:5060",
				      "<sip:conf-1@192.0.2.1:5060>;tag=f", 1,
				      routes_of(w, text, false)));
	assert_int_equal(phone_status(&bo), 200);
	assert_int_equal(w->local_requests, 1);
	assert_string_equal(w->local_uri, "sip:bo@example.com");
	world_end(w);
}

static void test_ack_for_a_local_user_agent(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN);

	(void)state;
	phone_asks(&ann, "INVITE", "sip:factory@example.com", "<sip:factory@example.com>", 1,
		   IM_ACCEPT);
	assert_int_equal(phone_status(&ann), 200);
	phone_send(&ann, phone_request(&ann, "ACK", "sip:conf-1@192.0.2.1:5060",
				       "<sip:factory@example.com>;tag=f", 2, ""));
	assert_int_equal(w->local_acks, 1);
	world_end(w);
}

/* --- what is refused --- */

static void test_hops_that_ran_out_are_483(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO);

	(void)state;
	phone_registers(&ann, "");
	phone_registers(&bo, "");
	phone_send(&ann, phone_request(&ann, "MESSAGE", BO_URI, BO, 1, "Max-Forwards: 0\n"));
	assert_int_equal(phone_status(&ann), 483);
	phone_send(&ann, phone_request(&ann, "MESSAGE", BO_URI, BO, 2, "Max-Forwards: 1\n"));
	assert_string_equal(header(w, phone_next(&bo), "Max-Forwards"), "0");
	world_end(w);
}

static void test_unknown_proxy_require_is_420(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	char *text;

	(void)state;
	phone_send(&ann,
		   phone_request(&ann, "MESSAGE", BO_URI, BO, 1, "Proxy-Require: a, privacy\n"));
	text = phone_next(&ann);
	assert_int_equal(parsed(text).status, 420);
	assert_string_equal(header(w, text, "Unsupported"), "a");
	world_end(w);
}

static void test_no_open_relay(void **state)
{
	struct call c = simple_call();
	struct world *w = c.w;
	struct phone eve = phone_at(w, "eve", "192.0.2.66:5060"),
		     far = phone_at(w, "far", "203.0.113.9:5060");
	const char *uri = "sip:far@203.0.113.9:5060";

	(void)state;
	phone_send(&eve, phone_request(&eve, "MESSAGE", uri, "<sip:far@203.0.113.9>", 1, ""));
	assert_int_equal(phone_status(&eve), 403);
	phone_send(&eve, phone_request(&eve, "BYE", uri, "<sip:far@203.0.113.9>;tag=x", 2,
				       "Route: <sip:192.0.2.1:5060;lr>\n"));
	assert_int_equal(phone_status(&eve), 403);
	/* Another call's cookie does not help. */
	phone_send(&eve, phone_request(&eve, "BYE", uri, "<sip:far@203.0.113.9>;tag=x", 3,
				       routes_of(w, c.forwarded, true)));
	assert_int_equal(phone_status(&eve), 403);
	assert_null(phone_next(&far));
	/* Whom we know may ask for it; names are not looked up. */
	phone_send(&c.ann, phone_request(&c.ann, "MESSAGE", uri, "<sip:far@203.0.113.9>", 4, ""));
	assert_non_null(phone_next(&far));
	phone_send(&c.ann, phone_request(&c.ann, "MESSAGE", "sip:x@other.example", BO, 5, ""));
	assert_int_equal(phone_status(&c.ann), 404);
	world_end(w);
}

static void test_a_dialog_that_we_record_routed_reaches_strangers(void **state)
{
	struct call c = simple_call();
	struct phone moved = phone_at(c.w, "ann", "203.0.113.77:5060"),
		     far = phone_at(c.w, "far", "203.0.113.9:5060");

	(void)state;
	/* Ann's address changed, and so did Bo's contact: the cookie of this very Call-ID stands.
	 */
	phone_send(&moved, phone_request(&moved, "BYE", "sip:bo@203.0.113.9:5060",
					 "<sip:bo@example.com>;tag=bo-tag", 9,
					 routes_of(c.w, c.forwarded, true)));
	assert_non_null(phone_next(&far));
	world_end(c.w);
}

static void test_a_contact_cannot_be_taken_over(void **state)
{
	struct call c = simple_call();
	struct world *w = c.w;
	struct phone eve = phone_at(w, "charles", "192.0.2.66:5060");

	(void)state;
	strcpy(eve.host, "192.0.2.12:5060");
	eve.user = "charles";
	phone_send(&eve, crlf(w, "REGISTER sip:example.com SIP/2.0\n"
				 "Via: SIP/2.0/UDP 192.0.2.66:5060;branch=z9hG4bK-eve\n"
				 "From: <sip:charles@example.com>;tag=1\n"
				 "To: <sip:charles@example.com>\n"
				 "Call-ID: eve\nCSeq: 1 REGISTER\n"
				 "Contact: <sip:bo@192.0.2.12:5060>\n"
				 "Content-Length: 0\n\n"));
	assert_int_equal(phone_status(&eve), 200);
	phone_send(&c.ann, phone_request(&c.ann, "INFO", "sip:bo@192.0.2.12:5060",
					 "<sip:bo@example.com>;tag=bo-tag", 2,
					 routes_of(w, c.forwarded, true)));
	assert_non_null(phone_next(&c.bo));
	assert_null(phone_next(&eve));
	world_end(w);
}

static void test_a_loop_ends_and_a_spiral_passes(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO);
	const char *vias = "";

	(void)state;
	phone_registers(&ann, "");
	phone_registers(&bo, "");
	for (int i = 0; i < 8; i++)
		vias = textf(w, "%sVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-loop-%d\n", vias,
			     i);
	phone_send(&ann, phone_request(&ann, "MESSAGE", BO_URI, BO, 1, vias));
	assert_non_null(phone_next(&bo));
	vias = textf(w, "%sVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-loop-8\n", vias);
	phone_send(&ann, phone_request(&ann, "MESSAGE", BO_URI, BO, 2, vias));
	assert_int_equal(phone_status(&ann), 482);
	world_end(w);
}

static void test_RFC_5393__breadth_is_shared_out(void **state)
{
	struct fork f = fork_of("MESSAGE");
	struct world *w = f.w;
	char *text;

	(void)state;
	assert_string_equal(header(w, f.got[0], "Max-Breadth"), "");
	phone_send(&f.ann, phone_request(&f.ann, "MESSAGE", BO_URI, BO, 2, "Max-Breadth: 5\n"));
	text = phone_next(&f.bo[0]);
	assert_string_equal(header(w, text, "Max-Breadth"), "2");
	phone_send(&f.ann, phone_request(&f.ann, "MESSAGE", BO_URI, BO, 3, "Max-Breadth: 1\n"));
	assert_int_equal(phone_status(&f.ann), 440);
	world_end(w);
}

/* --- Route --- */

static void test_RFC_3327__path_becomes_route(void **state)
{
	struct world *w = open_world();
	struct phone ann = phone_at(w, "ann", AT_ANN), edge = phone_at(w, "bo", "192.0.2.99:5070");
	char *text;

	(void)state;
	phone_registers(&ann, "");
	phone_send(&edge, crlf(w, "REGISTER sip:example.com SIP/2.0\n"
				  "Via: SIP/2.0/UDP 192.0.2.99:5070;branch=z9hG4bK-edge\n"
				  "From: <sip:bo@example.com>;tag=1\nTo: <sip:bo@example.com>\n"
				  "Call-ID: edge\nCSeq: 1 REGISTER\nSupported: path\n"
				  "Path: <sip:192.0.2.99:5070;lr>\nPath: <sip:10.0.0.1;lr>\n"
				  "Contact: <sip:bo@10.0.0.5>\n"
				  "Content-Length: 0\n\n"));
	assert_int_equal(phone_status(&edge), 200);
	phone_send(&ann, phone_request(&ann, "MESSAGE", BO_URI, BO, 1, ""));
	text = phone_next(&edge);
	assert_string_equal(start_line(w, text), "MESSAGE sip:bo@10.0.0.5 SIP/2.0");
	assert_string_equal(header(w, text, "Route"), "<sip:192.0.2.99:5070;lr>,<sip:10.0.0.1;lr>");
	world_end(w);
}

static void test_routes_behind_our_own_are_followed(void **state)
{
	struct call c = simple_call();
	struct phone next = phone_at(c.w, "next", "203.0.113.5:5060");
	char *text;

	(void)state;
	phone_send(&c.ann, phone_request(&c.ann, "MESSAGE", BO_URI, BO, 2,
					 "Route: <sip:example.com;lr>, <sip:192.0.2.1;lr>\n"
					 "Route: <sip:203.0.113.5;lr>, <sip:203.0.113.6;lr>\n"));
	text = phone_next(&next);
	assert_string_equal(start_line(c.w, text), "MESSAGE sip:bo@example.com SIP/2.0");
	assert_string_equal(header(c.w, text, "Route"),
			    "<sip:203.0.113.5;lr>|<sip:203.0.113.6;lr>");
	world_end(c.w);
}

static void test_strict_router_behind_us(void **state)
{
	struct call c = simple_call();
	struct phone next = phone_at(c.w, "next", "203.0.113.5:5060");
	char *text;

	(void)state;
	phone_send(&c.ann, phone_request(&c.ann, "MESSAGE", BO_URI, BO, 2,
					 "Route: <sip:192.0.2.1;lr>, <sip:203.0.113.5>\n"));
	text = phone_next(&next);
	assert_string_equal(start_line(c.w, text), "MESSAGE sip:203.0.113.5 SIP/2.0");
	assert_string_equal(header(c.w, text, "Route"), "<sip:bo@example.com>");
	world_end(c.w);
}

static void test_strict_router_before_us(void **state)
{
	struct call c = simple_call();
	char *text;

	(void)state;
	phone_send(&c.ann,
		   phone_request(&c.ann, "INFO", "sip:192.0.2.1:5060;lr",
				 "<sip:bo@example.com>;tag=bo-tag", 2,
				 "Route: <sip:192.0.2.1:5060;lr>, <sip:bo@192.0.2.12:5060>\n"));
	text = phone_next(&c.bo);
	assert_string_equal(start_line(c.w, text), "INFO sip:bo@192.0.2.12:5060 SIP/2.0");
	assert_string_equal(header(c.w, text, "Route"), "");
	world_end(c.w);
}

static void test_content_length_is_added(void **state)
{
	struct call c = simple_call();
	char *text;

	(void)state;
	phone_send(&c.ann, crlf(c.w, "MESSAGE sip:bo@example.com SIP/2.0\n"
				     "Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK-nolength\n"
				     "From: <sip:ann@example.com>;tag=1\nTo: <sip:bo@example.com>\n"
				     "Call-ID: x\nCSeq: 1 MESSAGE\n\nhello"));
	text = phone_next(&c.bo);
	assert_string_equal(header(c.w, text, "Content-Length"), "5");
	assert_string_equal(strstr(text, "\r\n\r\n") + 4, "hello");
	world_end(c.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_PF_9_1_2_3__invite_is_record_routed_and_forwarded),
		cmocka_unit_test(test_R_13__a_proxy_leaves_the_rest_as_it_is),
		cmocka_unit_test(test_PF_9_1_2_5__200_is_forwarded_and_the_session_stays_proxied),
		cmocka_unit_test(test_PF_9_1_2_6__another_final_answer_is_forwarded),
		cmocka_unit_test(test_RFC_6026__a_200_that_comes_again_is_forwarded_again),
		cmocka_unit_test(test_RFC_5658__two_record_routes_between_tcp_and_udp),
		cmocka_unit_test(test_a_phone_behind_a_nat_is_reached_where_it_came_from),
		cmocka_unit_test(test_a_lost_connection_leaves_the_contacts_address),
		cmocka_unit_test(test_unknown_user_404_and_no_binding_480),
		cmocka_unit_test(test_a_request_may_be_sent_to_our_address_instead_of_the_domain),
		cmocka_unit_test(test_R_3__identity_is_asserted_towards_the_phone),
		cmocka_unit_test(test_R_3__privacy_id_hides_the_identity_from_phones),
		cmocka_unit_test(test_the_focus_invites_through_the_core),
		cmocka_unit_test(test_ack_for_a_local_user_agent),
		cmocka_unit_test(test_hops_that_ran_out_are_483),
		cmocka_unit_test(test_unknown_proxy_require_is_420),
		cmocka_unit_test(test_no_open_relay),
		cmocka_unit_test(test_a_dialog_that_we_record_routed_reaches_strangers),
		cmocka_unit_test(test_a_contact_cannot_be_taken_over),
		cmocka_unit_test(test_a_loop_ends_and_a_spiral_passes),
		cmocka_unit_test(test_RFC_5393__breadth_is_shared_out),
		cmocka_unit_test(test_RFC_3327__path_becomes_route),
		cmocka_unit_test(test_routes_behind_our_own_are_followed),
		cmocka_unit_test(test_strict_router_behind_us),
		cmocka_unit_test(test_strict_router_before_us),
		cmocka_unit_test(test_content_length_is_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
