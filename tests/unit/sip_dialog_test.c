/* Dialogs: RFC 3261 §12. */
#include "sip_ua_world.h"

static struct sip_dialog D;

static void dialog_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
			   uint64_t now_ms)
{
	world_note(S.w, "%s %.*s", (const char *)ctx, VIEW_ARG(m->method_name));
	assert_int_equal(sip_server_tx_reply(tx, 200, NULL, VIEW(""), now_ms), 0);
}

static void dialog_ack(void *ctx, const struct sip_msg *m, uint64_t now_ms)
{
	(void)m;
	(void)now_ms;
	world_note(S.w, "%s ack", (const char *)ctx);
}

static const struct sip_dialog_owner owner = {dialog_request, dialog_ack};
static const struct sip_dialog_owner deaf = {dialog_request, NULL};
static char first_name[] = "first", second_name[] = "second";

static int begin(void **state)
{
	(void)state;
	scene_begin("", "");
	D = (struct sip_dialog){0};
	return 0;
}

static int end(void **state)
{
	(void)state;
	sip_dialog_fini(&D);
	scene_end(false);
	return 0;
}

/* A dialog by a response to INVITE of world_request_text. */
static int by_response(struct sip_dialog *d, const char *tag, const char *extra, void *ctx)
{
	char *request = world_request_text("INVITE", "", 0);
	char *response = world_response_text(request, 200, tag, extra);
	struct sip_msg q, m;
	int rc;

	assert_int_equal(sip_msg_parse(view_str(request), &q), 0);
	assert_int_equal(sip_msg_parse(view_str(response), &m), 0);
	rc = sip_dialog_init_uac(d, S.ua, &q, &m, &owner, ctx);
	/* Nothing of the dialog may point into these. */
	memset(request, 'x', strlen(request));
	memset(response, 'x', strlen(response));
	free(request);
	free(response);
	return rc;
}

static int by_request(struct sip_dialog *d, const char *extra, void *ctx)
{
	char *request = scene_peer_text("INVITE", 10, "in1", "p1", NULL, extra, 0);
	struct sip_msg q;
	int rc;

	assert_int_equal(sip_msg_parse(view_str(request), &q), 0);
	rc = sip_dialog_init_uas(d, S.ua, &q, VIEW("mine"), &owner, ctx);
	memset(request, 'x', strlen(request));
	free(request);
	return rc;
}

#define PEER_CONTACT "Contact: <sip:peer@192.0.2.9:5070>\r\n"

/* The head of a request of D, up to the end of Max-Forwards. */
static void assert_request(const char *method, uint32_t seq, uint32_t expected_seq,
			   const char *expected)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	assert_int_equal(sip_dialog_write_request(&D, &b, view_str(method), seq), expected_seq);
	buf_putc(&b, '\0');
	assert_true(buf_ok(&b));
	assert_string_equal(b.p, expected);
	buf_fini(&b);
}

static void test_uac_takes_its_ids_from_request_and_response(void **state)
{
	(void)state;
	assert_int_equal(by_response(&D, "b1", PEER_CONTACT, first_name), 0);
	assert_string_equal(D.call_id, "c1@example.org");
	assert_string_equal(D.local_tag, "a1");
	assert_string_equal(D.remote_tag, "b1");
	assert_string_equal(D.target, "sip:peer@192.0.2.9:5070");
	assert_string_equal(D.routes, "");
	assert_true(D.initiator);
	assert_false(D.has_remote_seq);
	assert_ptr_equal(sip_dialog_find(S.ua, VIEW("c1@example.org"), VIEW("a1"), VIEW("b1")), &D);
	assert_null(sip_dialog_find(S.ua, VIEW("c1@example.org"), VIEW("b1"), VIEW("a1")));
	assert_request(
		"INFO", 0, 8,
		"INFO sip:peer@192.0.2.9:5070 SIP/2.0\r\n"
		"From: <sip:alice@example.org>;tag=a1\r\nTo: <sip:bob@example.com>;tag=b1\r\n"
		"Call-ID: c1@example.org\r\nCSeq: 8 INFO\r\nMax-Forwards: 70\r\n");
	assert_request(
		"ACK", 7, 7,
		"ACK sip:peer@192.0.2.9:5070 SIP/2.0\r\n"
		"From: <sip:alice@example.org>;tag=a1\r\nTo: <sip:bob@example.com>;tag=b1\r\n"
		"Call-ID: c1@example.org\r\nCSeq: 7 ACK\r\nMax-Forwards: 70\r\n");
	assert_int_equal(D.local_seq, 8);
}

static void test_uas_takes_its_ids_from_the_request(void **state)
{
	(void)state;
	assert_int_equal(by_request(&D, PEER_CONTACT, first_name), 0);
	assert_string_equal(D.call_id, "in1");
	assert_string_equal(D.local_tag, "mine");
	assert_string_equal(D.remote_tag, "p1");
	assert_false(D.initiator);
	assert_true(D.has_remote_seq);
	assert_int_equal(D.remote_seq, 10);
	assert_request("BYE", 0, 1,
		       "BYE sip:peer@192.0.2.9:5070 SIP/2.0\r\n"
		       "From: <sip:me@example.org>;tag=mine\r\n"
		       "To: Peer <sip:peer@example.com>;tag=p1\r\n"
		       "Call-ID: in1\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\n");
}

static void test_a_peer_without_a_tag_has_the_empty_one(void **state)
{
	char *text = scene_peer_text("INVITE", 10, "in1", "p1", NULL, PEER_CONTACT, 0);
	char *tag = strstr(text, ";tag=p1");
	struct sip_msg m;
	struct buf b;

	(void)state;
	memset(tag, ' ', 7);
	assert_int_equal(sip_msg_parse(view_str(text), &m), 0);
	assert_int_equal(sip_dialog_init_uas(&D, S.ua, &m, VIEW("mine"), &owner, NULL), 0);
	buf_init(&b, 4096);
	sip_dialog_write_request(&D, &b, VIEW("BYE"), 0);
	sip_write_body(&b, VIEW(""), VIEW(""));
	buf_putc(&b, '\0');
	assert_view(world_field(b.p, SIP_H_TO), "Peer <sip:peer@example.com>");
	buf_fini(&b);
	free(text);
}

#define TWO_ROUTES                                                                                 \
	"Record-Route: <sip:p2@192.0.2.22;lr>;x=\"a,b\", <sip:p1@192.0.2.21;lr>\r\n"               \
	"Record-Route: <sip:192.0.2.20;lr>\r\n"

static void assert_hop(const char *expected)
{
	char text[ADDR_TEXT_MAX];
	struct sip_flow flow;

	assert_int_equal(sip_dialog_next_hop(&D, &flow), 0);
	assert_string_equal(addr_text(&flow.remote, text), expected);
}

static void test_IC_7_1_5_4__uac_reverses_the_route_set(void **state)
{
	(void)state;
	assert_int_equal(by_response(&D, "b1", PEER_CONTACT TWO_ROUTES, first_name), 0);
	assert_request(
		"BYE", 0, 8,
		"BYE sip:peer@192.0.2.9:5070 SIP/2.0\r\n"
		"Route: <sip:192.0.2.20;lr>, <sip:p1@192.0.2.21;lr>, "
		"<sip:p2@192.0.2.22;lr>;x=\"a,b\"\r\n"
		"From: <sip:alice@example.org>;tag=a1\r\nTo: <sip:bob@example.com>;tag=b1\r\n"
		"Call-ID: c1@example.org\r\nCSeq: 8 BYE\r\nMax-Forwards: 70\r\n");
	assert_hop("192.0.2.20:5060");
}

static void test_IC_7_1_5_4__uas_keeps_the_route_set_in_order(void **state)
{
	(void)state;
	assert_int_equal(by_request(&D, PEER_CONTACT TWO_ROUTES, first_name), 0);
	assert_string_equal(D.routes, "<sip:p2@192.0.2.22;lr>;x=\"a,b\", <sip:p1@192.0.2.21;lr>, "
				      "<sip:192.0.2.20;lr>");
	assert_hop("192.0.2.22:5060");
}

static void test_a_strict_router_takes_the_request_uri(void **state)
{
	(void)state;
	assert_int_equal(by_request(&D,
				    PEER_CONTACT "Record-Route: <sip:s@192.0.2.21;x=1>, "
						 "<sip:192.0.2.20;lr>\r\n",
				    first_name),
			 0);
	assert_request("BYE", 0, 1,
		       "BYE sip:s@192.0.2.21;x=1 SIP/2.0\r\nRoute: <sip:192.0.2.20;lr>\r\n"
		       "Route: <sip:peer@192.0.2.9:5070>\r\n"
		       "From: <sip:me@example.org>;tag=mine\r\n"
		       "To: Peer <sip:peer@example.com>;tag=p1\r\n"
		       "Call-ID: in1\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\n");
	assert_hop("192.0.2.21:5060");
}

static void test_a_lone_strict_router(void **state)
{
	(void)state;
	assert_int_equal(
		by_request(&D, PEER_CONTACT "Record-Route: <sip:s@192.0.2.21>\r\n", first_name), 0);
	assert_request("BYE", 0, 1,
		       "BYE sip:s@192.0.2.21 SIP/2.0\r\nRoute: <sip:peer@192.0.2.9:5070>\r\n"
		       "From: <sip:me@example.org>;tag=mine\r\n"
		       "To: Peer <sip:peer@example.com>;tag=p1\r\n"
		       "Call-ID: in1\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\n");
}

static void test_what_makes_no_dialog(void **state)
{
	(void)state;
	assert_int_equal(by_response(&D, NULL, PEER_CONTACT, first_name), E_SYNTAX);
	assert_int_equal(by_response(&D, "b1", "", first_name), E_SYNTAX);
	assert_int_equal(by_response(&D, "b1", "Contact: *\r\n", first_name), E_SYNTAX);
	assert_int_equal(by_response(&D, "b1", "Contact: <sip:>\r\n", first_name), E_SYNTAX);
	assert_int_equal(by_request(&D, "", first_name), E_SYNTAX);
	assert_int_equal(by_request(&D, "Contact: nonsense\r\n", first_name), E_SYNTAX);
	assert_int_equal(S.ua != NULL && D.ua == NULL, 1);
}

static void test_a_route_set_without_end_makes_no_dialog(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 16);
	buf_puts(&b, PEER_CONTACT "Record-Route: <sip:1.1.1.1;lr>");
	for (int i = 0; i < 200; i++)
		buf_puts(&b, ",<sip:1.1.1.1;lr>");
	buf_puts(&b, "\r\n");
	buf_putc(&b, '\0');
	assert_true(buf_ok(&b));
	assert_int_not_equal(by_response(&D, "b1", b.p, first_name), 0);
	assert_null(D.ua);
	buf_fini(&b);
}

static void test_the_same_dialog_twice(void **state)
{
	struct sip_dialog again = {0};

	(void)state;
	assert_int_equal(by_response(&D, "b1", PEER_CONTACT, first_name), 0);
	assert_int_equal(by_response(&again, "b1", PEER_CONTACT, first_name), E_EXISTS);
	assert_null(again.call_id);
	sip_dialog_fini(&again);
	assert_ptr_equal(sip_dialog_find(S.ua, VIEW("c1@example.org"), VIEW("a1"), VIEW("b1")), &D);
}

static void test_the_table_is_capped(void **state)
{
	static struct sip_dialog many[101];
	char tag[8];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(tag, sizeof(tag), "t%d", i);
		assert_int_equal(by_response(&many[i], tag, PEER_CONTACT, NULL), 0);
	}
	assert_int_equal(by_response(&many[100], "last", PEER_CONTACT, NULL), E_LIMIT);
	assert_null(many[100].ua);
	for (int i = 0; i < 100; i++)
		sip_dialog_fini(&many[i]);
	assert_null(sip_dialog_find(S.ua, VIEW("c1@example.org"), VIEW("a1"), VIEW("t5")));
}

static void receive(const char *method, unsigned seq, const char *call_id, const char *from_tag,
		    const char *to_tag)
{
	char *text = scene_peer_text(method, seq, call_id, from_tag, to_tag, "", 0);

	world_datagram(S.w, text, PEER_AT);
	free(text);
}

static void test_requests_find_their_dialog_among_several_of_one_call_id(void **state)
{
	struct sip_dialog second = {0};

	(void)state;
	assert_int_equal(by_response(&D, "b1", PEER_CONTACT, first_name), 0);
	assert_int_equal(by_response(&second, "b2", PEER_CONTACT, second_name), 0);
	receive("INFO", 1, "c1@example.org", "b2", "a1");
	assert_happened(S.w, "0:second INFO, 0:udp 200");
	receive("INFO", 1, "c1@example.org", "b1", "a1");
	assert_happened(S.w, "0:first INFO, 0:udp 200");
	receive("INFO", 1, "c1@example.org", "b3", "a1");
	assert_happened(S.w, "0:udp 481");
	receive("ACK", 1, "c1@example.org", "b2", "a1");
	assert_happened(S.w, "0:second ack");
	receive("ACK", 1, "c1@example.org", "b3", "a1");
	assert_happened(S.w, "0:stray ack");
	sip_dialog_fini(&second);
	receive("INFO", 2, "c1@example.org", "b2", "a1");
	assert_happened(S.w, "0:udp 481");
	receive("INFO", 2, "c1@example.org", "b1", "a1");
	assert_happened(S.w, "0:first INFO, 0:udp 200");
}

static void test_owner_without_ack(void **state)
{
	char *text = scene_peer_text("INVITE", 10, "in1", "p1", NULL, PEER_CONTACT, 0);
	struct sip_msg m;

	(void)state;
	assert_int_equal(sip_msg_parse(view_str(text), &m), 0);
	assert_int_equal(sip_dialog_init_uas(&D, S.ua, &m, VIEW("mine"), &deaf, NULL), 0);
	free(text);
	receive("ACK", 10, "in1", "p1", "mine");
	assert_happened(S.w, "");
}

static void test_cseq_has_to_grow(void **state)
{
	(void)state;
	assert_int_equal(by_request(&D, PEER_CONTACT, first_name), 0);
	receive("INFO", 9, "in1", "p1", "mine");
	assert_happened(S.w, "0:udp 500");
	receive("INFO", 10, "in1", "p1", "mine");
	assert_happened(S.w, "0:udp 500");
	receive("INFO", 12, "in1", "p1", "mine"); /* gaps are no error (§12.2.2) */
	assert_happened(S.w, "0:first INFO, 0:udp 200");
	receive("INFO", 11, "in1", "p1", "mine");
	assert_happened(S.w, "0:udp 500");
	receive("INFO", 2147483648u, "in1", "p1", "mine"); /* out of range: no CSeq at all */
	receive("INFO", 13, "in1", "p1", "mine");
	assert_non_null(strstr(S.w->happened.p, "first INFO, 0:udp 200"));
	buf_reset(&S.w->happened);
}

static void test_any_cseq_is_the_first_for_a_uac(void **state)
{
	(void)state;
	assert_int_equal(by_response(&D, "b1", PEER_CONTACT, first_name), 0);
	receive("INFO", 0, "c1@example.org", "b1", "a1");
	assert_happened(S.w, "0:first INFO, 0:udp 200");
	receive("INFO", 0, "c1@example.org", "b1", "a1");
	assert_happened(S.w, "0:udp 500");
}

static void test_a_request_without_a_to_tag_is_left_alone(void **state)
{
	(void)state;
	receive("MESSAGE", 1, "x", "p1", NULL);
	assert_happened(S.w, "");
	assert_non_null(S.tx);
	assert_true(sip_server_tx_pending(S.tx));
	assert_int_equal(sip_server_tx_reply(S.tx, 200, NULL, VIEW(""), S.w->now), 0);
}

static void test_owns(void **state)
{
	char *in = scene_peer_text("INFO", 11, "in1", "p1", "mine", "", 0);
	char *out = scene_peer_text("INFO", 11, "in1", "p1", "other", "", 0);
	struct sip_msg m;

	(void)state;
	assert_int_equal(by_request(&D, PEER_CONTACT, first_name), 0);
	assert_int_equal(sip_msg_parse(view_str(in), &m), 0);
	assert_true(sip_ua_owns(S.ua, &m));
	assert_int_equal(D.remote_seq, 10);
	assert_int_equal(sip_msg_parse(view_str(out), &m), 0);
	assert_false(sip_ua_owns(S.ua, &m));
	free(in);
	free(out);
}

static void test_target_refresh(void **state)
{
	char *with = scene_peer_text("INVITE", 11, "in1", "p1", "mine",
				     "Contact: <sip:new@192.0.2.8;transport=udp>\r\n"
				     "Record-Route: <sip:192.0.2.77;lr>\r\n",
				     0);
	char *without = scene_peer_text("INVITE", 12, "in1", "p1", "mine", "", 0);
	char *broken = scene_peer_text("INVITE", 12, "in1", "p1", "mine", "Contact: *\r\n", 0);
	struct sip_msg m;

	(void)state;
	assert_int_equal(by_request(&D, PEER_CONTACT TWO_ROUTES, first_name), 0);
	assert_int_equal(sip_msg_parse(view_str(without), &m), 0);
	sip_dialog_refresh(&D, &m);
	assert_string_equal(D.target, "sip:peer@192.0.2.9:5070");
	assert_int_equal(sip_msg_parse(view_str(broken), &m), 0);
	sip_dialog_refresh(&D, &m);
	assert_string_equal(D.target, "sip:peer@192.0.2.9:5070");
	assert_int_equal(sip_msg_parse(view_str(with), &m), 0);
	sip_dialog_refresh(&D, &m);
	assert_string_equal(D.target, "sip:new@192.0.2.8;transport=udp");
	/* §12.2: the route set stays. */
	assert_hop("192.0.2.22:5060");
	free(with);
	free(without);
	free(broken);
}

static void test_R_7__to_tag_of_replaces_is_the_receivers_own(void **state)
{
	struct sip_replaces r;
	struct buf b;

	(void)state;
	assert_int_equal(by_response(&D, "b1", PEER_CONTACT, first_name), 0);
	buf_init(&b, 512);
	sip_dialog_write_replaces(&D, &b);
	assert_int_equal(sip_replaces_parse(buf_view(&b), &r), 0);
	assert_view(r.call_id, "c1@example.org");
	assert_view(r.to_tag, "b1");
	assert_view(r.from_tag, "a1");
	buf_fini(&b);
}

static void test_a_fold_in_a_name_comes_out_as_a_blank(void **state)
{
	char *text = scene_peer_text("INVITE", 10, "in1", "p1", NULL, PEER_CONTACT, 0);
	struct sip_msg m;
	struct buf b;

	(void)state;
	memcpy(strstr(text, "Peer <"), "P\r\n ", 4);
	assert_int_equal(sip_msg_parse(view_str(text), &m), 0);
	assert_int_equal(sip_dialog_init_uas(&D, S.ua, &m, VIEW("mine"), &owner, NULL), 0);
	buf_init(&b, 4096);
	sip_dialog_write_request(&D, &b, VIEW("BYE"), 0);
	assert_true(view_find_view(buf_view(&b), VIEW("\r\n "), 0) == b.n);
	assert_true(view_find_view(buf_view(&b), VIEW("To: P"), 0) < b.n);
	buf_fini(&b);
	free(text);
}

static void test_fini_of_nothing(void **state)
{
	struct sip_dialog d = {0};

	(void)state;
	sip_dialog_fini(&d);
	sip_dialog_fini(&d);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_uac_takes_its_ids_from_request_and_response),
		T(test_uas_takes_its_ids_from_the_request),
		T(test_a_peer_without_a_tag_has_the_empty_one),
		T(test_IC_7_1_5_4__uac_reverses_the_route_set),
		T(test_IC_7_1_5_4__uas_keeps_the_route_set_in_order),
		T(test_a_strict_router_takes_the_request_uri),
		T(test_a_lone_strict_router),
		T(test_what_makes_no_dialog),
		T(test_a_route_set_without_end_makes_no_dialog),
		T(test_the_same_dialog_twice),
		T(test_the_table_is_capped),
		T(test_requests_find_their_dialog_among_several_of_one_call_id),
		T(test_owner_without_ack),
		T(test_cseq_has_to_grow),
		T(test_any_cseq_is_the_first_for_a_uac),
		T(test_a_request_without_a_to_tag_is_left_alone),
		T(test_owns),
		T(test_target_refresh),
		T(test_R_7__to_tag_of_replaces_is_the_receivers_own),
		T(test_a_fold_in_a_name_comes_out_as_a_blank),
		T(test_fini_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
