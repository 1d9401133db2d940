/* Client transactions on a virtual clock: RFC 3261 §17.1, §9.1, §18.1.1, RFC 6026 §8.4. */
#include "sip_world.h"

#define PEER "192.0.2.9:5060"

static void respond_udp(struct world *w, const char *request, int status, const char *tag)
{
	char *text = world_response_text(request, status, tag, NULL);

	world_datagram(w, text, PEER);
	free(text);
}

static void respond_tcp(struct world *w, int link, const char *request, int status, const char *tag)
{
	char *text = world_response_text(request, status, tag, NULL);

	world_stream(w, link, text);
	free(text);
}

static char *copy_of_last(const struct world *w)
{
	return view_dup(view_of(w->last, w->last_n));
}

static void test_timer_A_doubles_and_timer_B_ends_an_invite(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);

	(void)state;
	world_send(w, "INVITE", "", 0, &to);
	world_run(w, 40000);
	assert_happened(w, "0:udp INVITE, 500:udp INVITE, 1500:udp INVITE, 3500:udp INVITE, "
			   "7500:udp INVITE, 15500:udp INVITE, 31500:udp INVITE, "
			   "32000:failed E_TIMEOUT, 32000:gone");
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	world_end(w);
}

static void test_timer_E_is_capped_at_T2_and_timer_F_ends_a_request(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);

	(void)state;
	world_send(w, "MESSAGE", "", 0, &to);
	world_run(w, 40000);
	assert_happened(w, "0:udp MESSAGE, 500:udp MESSAGE, 1500:udp MESSAGE, 3500:udp MESSAGE, "
			   "7500:udp MESSAGE, 11500:udp MESSAGE, 15500:udp MESSAGE, "
			   "19500:udp MESSAGE, 23500:udp MESSAGE, 27500:udp MESSAGE, "
			   "31500:udp MESSAGE, 32000:failed E_TIMEOUT, 32000:gone");
	world_end(w);
}

static void test_T1_of_the_configuration_is_used(void **state)
{
	struct world *w = world_new();
	struct sip_flow to = world_flow(SIP_UDP, PEER);

	(void)state;
	w->cfg.t1_ms = 100;
	world_begin(w);
	world_send(w, "INVITE", "", 0, &to);
	world_run(w, 7000);
	assert_happened(w, "0:udp INVITE, 100:udp INVITE, 300:udp INVITE, 700:udp INVITE, "
			   "1500:udp INVITE, 3100:udp INVITE, 6300:udp INVITE, "
			   "6400:failed E_TIMEOUT, 6400:gone");
	world_end(w);
}

static void test_a_stream_is_not_repeated_but_timed(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_TCP, PEER);

	(void)state;
	world_send(w, "INVITE", "", 0, &to);
	world_run(w, 33000);
	assert_happened(w, "0:connect1 tcp, 0:tcp1 INVITE, 32000:failed E_TIMEOUT, 32000:gone");
	world_send(w, "MESSAGE", "", 0, &to);
	world_run(w, 66000);
	assert_happened(w, "33000:tcp1 MESSAGE, 65000:failed E_TIMEOUT, 65000:gone");
	world_end(w);
}

static void test_provisional_stops_timers_A_and_B(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);

	(void)state;
	world_send(w, "INVITE", "", 0, &to);
	world_run(w, 600);
	respond_udp(w, w->last, 100, NULL);
	respond_udp(w, w->last, 180, "b1");
	respond_udp(w, w->last, 183, "b1");
	world_run(w, 120000);
	assert_happened(w, "0:udp INVITE, 500:udp INVITE, 600:told 180, 600:told 183");
	respond_udp(w, w->last, 200, "b1");
	world_run(w, 200000);
	assert_happened(w, "120000:told 200, 152000:gone");
	world_end(w);
}

static void test_provisional_slows_timer_E_to_T2_and_timer_F_goes_on(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);

	(void)state;
	world_send(w, "MESSAGE", "", 0, &to);
	world_run(w, 700);
	respond_udp(w, w->last, 100, NULL);
	world_run(w, 10000);
	respond_udp(w, w->last, 182, "b1");
	world_run(w, 40000);
	assert_happened(w,
			"0:udp MESSAGE, 500:udp MESSAGE, 1500:udp MESSAGE, 5500:udp MESSAGE, "
			"9500:udp MESSAGE, 10000:told 182, 13500:udp MESSAGE, 17500:udp MESSAGE, "
			"21500:udp MESSAGE, 25500:udp MESSAGE, 29500:udp MESSAGE, "
			"32000:failed E_TIMEOUT, 32000:gone");
	world_end(w);
}

static void test_timer_K_absorbs_repeated_final_responses(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);

	(void)state;
	world_send(w, "MESSAGE", "", 0, &to);
	world_run(w, 100);
	respond_udp(w, w->last, 200, "b1");
	respond_udp(w, w->last, 200, "b1");
	respond_udp(w, w->last, 404, "b1");
	world_run(w, 6000);
	assert_happened(w, "0:udp MESSAGE, 100:told 200, 5100:gone");
	/* After that it is a stray response. */
	respond_udp(w, w->last, 200, "b1");
	assert_happened(w, "");
	world_end(w);
}

static void test_timer_K_is_zero_on_a_stream(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_TCP, PEER);

	(void)state;
	world_send(w, "MESSAGE", "", 0, &to);
	world_run(w, 100);
	respond_tcp(w, 1, w->last, 486, "b1");
	world_run(w, 101);
	assert_happened(w, "0:connect1 tcp, 0:tcp1 MESSAGE, 100:told 486, 100:gone");
	world_end(w);
}

static void test_non_2xx_is_acknowledged_again_and_again_until_timer_D(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);
	char *invite;

	(void)state;
	world_send(w, "INVITE", "", 0, &to);
	invite = copy_of_last(w);
	world_run(w, 100);
	respond_udp(w, invite, 486, "b1");
	respond_udp(w, invite, 486, "b1");
	world_run(w, 31000);
	respond_udp(w, invite, 486, "b1");
	respond_udp(w, invite, 200, "b2"); /* too late: dropped */
	world_run(w, 40000);
	assert_happened(w, "0:udp INVITE, 100:udp ACK, 100:told 486, 100:udp ACK, 31000:udp ACK, "
			   "32100:gone");
	free(invite);
	world_end(w);
}

static void test_timer_D_is_zero_on_a_stream(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_TCP, PEER);

	(void)state;
	world_send(w, "INVITE", "", 0, &to);
	world_run(w, 100);
	respond_tcp(w, 1, w->last, 603, "b1");
	world_run(w, 101);
	assert_happened(w, "0:connect1 tcp, 0:tcp1 INVITE, 100:tcp1 ACK, 100:told 603, 100:gone");
	world_end(w);
}

static void test_ack_of_a_non_2xx_is_made_of_invite_and_response(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);
	struct sip_msg ack, invite_msg;
	struct sip_values it;
	struct view v;
	char *invite;

	(void)state;
	world_send(w, "INVITE",
		   "Route: <sip:p1.example.com;lr>\r\nRoute: <sip:p2.example.com;lr>\r\n"
		   "Contact: <sip:alice@192.0.2.1>\r\nAuthorization: Digest x=\"y\"\r\n",
		   5, &to);
	invite = copy_of_last(w);
	respond_udp(w, invite, 404, "from-response");
	assert_int_equal(sip_msg_parse(view_of(w->last, w->last_n), &ack), 0);
	assert_int_equal(sip_msg_parse(view_str(invite), &invite_msg), 0);
	assert_int_equal(ack.method, SIP_ACK);
	assert_view(ack.uri, "sip:bob@example.com");
	assert_true(view_eq(sip_msg_value(&ack, SIP_H_VIA), sip_msg_value(&invite_msg, SIP_H_VIA)));
	assert_int_equal(sip_msg_field(&ack, SIP_H_VIA, sip_msg_field(&ack, SIP_H_VIA, -1)), -1);
	assert_view(sip_msg_value(&ack, SIP_H_TO), "<sip:bob@example.com>;tag=from-response");
	assert_view(sip_msg_value(&ack, SIP_H_FROM), "<sip:alice@example.org>;tag=a1");
	assert_view(sip_msg_value(&ack, SIP_H_CALL_ID), "c1@example.org");
	assert_view(sip_msg_value(&ack, SIP_H_CSEQ), "7 ACK");
	assert_view(sip_msg_value(&ack, SIP_H_MAX_FORWARDS), "70");
	assert_view(sip_msg_value(&ack, SIP_H_CONTENT_LENGTH), "0");
	assert_int_equal(ack.body.n, 0);
	sip_values_start(&it, &ack, SIP_H_ROUTE);
	assert_true(sip_values_next(&it, &v));
	assert_view(v, "<sip:p1.example.com;lr>");
	assert_true(sip_values_next(&it, &v));
	assert_view(v, "<sip:p2.example.com;lr>");
	assert_false(sip_values_next(&it, &v));
	assert_false(sip_msg_has(&ack, SIP_H_CONTACT));
	assert_sent_to(w, PEER);
	free(invite);
	world_end(w);
}

static void test_RFC_6026_accepted_passes_2xx_of_every_fork_until_timer_M(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);
	char *invite;

	(void)state;
	world_send(w, "INVITE", "", 0, &to);
	invite = copy_of_last(w);
	world_run(w, 100);
	respond_udp(w, invite, 200, "fork1");
	world_run(w, 600);
	respond_udp(w, invite, 200, "fork1"); /* a retransmission: the user acknowledges it again */
	respond_udp(w, invite, 200, "fork2");
	respond_udp(w, invite, 486, "fork3"); /* and nothing else */
	respond_udp(w, invite, 180, "fork4");
	world_run(w, 32099);
	respond_udp(w, invite, 200, "fork5");
	world_run(w, 33000);
	assert_happened(w, "0:udp INVITE, 100:told 200, 600:told 200, 600:told 200, "
			   "32099:told 200, 32100:gone");
	free(invite);
	world_end(w);
}

static void test_a_response_must_have_branch_and_method_of_the_request(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);
	char *text, *at;

	(void)state;
	world_send(w, "MESSAGE", "", 0, &to);
	text = world_response_text(w->last, 200, "b1", NULL);
	at = strstr(text, "z9hG4bK");
	at[10] = at[10] == 'a' ? 'b' : 'a';
	world_datagram(w, text, PEER);
	free(text);
	text = world_response_text(w->last, 200, "b1", NULL);
	memcpy(strstr(text, "7 MESSAGE"), "7 OPTIONS", 9);
	world_datagram(w, text, PEER);
	free(text);
	assert_happened(w, "0:udp MESSAGE");
	world_end(w);
}

static void test_via_goes_on_top_and_the_rest_is_untouched(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);
	struct sip_via via;
	struct sip_msg m;
	char *text = world_request_text("MESSAGE",
					"Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKx\r\n", 3);
	char *rest = strchr(text, '\n') + 1;

	(void)state;
	assert_int_equal(sip_client_tx_new(w->stack, view_str(text), &to, &world_client_handler, w,
					   w->now, &w->client),
			 0);
	assert_true(view_ends(view_of(w->last, w->last_n), view_str(rest)));
	assert_true(view_eq(sip_client_tx_request(w->client), view_of(w->last, w->last_n)));
	assert_int_equal(sip_msg_parse(view_of(w->last, w->last_n), &m), 0);
	assert_int_equal(sip_msg_top_via(&m, &via), 0);
	assert_view(via.transport, "UDP");
	assert_view(via.host, "192.0.2.1");
	assert_int_equal(via.port, 5060);
	assert_true(via.rport && via.rport_value == 0);
	assert_true(view_starts(via.branch, VIEW("z9hG4bK")));
	assert_int_equal(via.branch.n, 7 + 20);
	assert_int_equal(sip_client_tx_flow(w->client)->transport, SIP_UDP);
	free(text);

	to = world_flow(SIP_TLS, "[2001:db8::9]:5061");
	world_send(w, "MESSAGE", "", 0, &to);
	assert_view(view_first(world_field(w->last, SIP_H_VIA), 33),
		    "SIP/2.0/TLS [2001:db8::1]:5061;br");
	world_end(w);
}

static void test_what_cannot_be_sent_is_refused(void **state)
{
	struct world *w = world_new();
	struct sip_flow to = world_flow(SIP_UDP, PEER), nowhere = {.transport = SIP_UDP};
	char *text = world_request_text("MESSAGE", "", 0), *large;

	(void)state;
	w->cfg.max_tx = 1;
	w->cfg.max_message = 3000;
	world_begin(w);
#define NEW(v, flow) sip_client_tx_new(w->stack, v, flow, &world_client_handler, w, w->now, NULL)
	assert_int_equal(NEW(VIEW("MESSAGE"), &to), E_SYNTAX);
	assert_int_equal(NEW(VIEW("MESSAGE\r\n"), &to), E_SYNTAX);
	assert_int_equal(NEW(VIEW(" \r\n"), &to), E_SYNTAX);
	assert_int_equal(NEW(view_str(text), &nowhere), E_ADDRESS);
	large = world_request_text("MESSAGE", "", 3000);
	assert_int_equal(NEW(view_str(large), &to), E_LIMIT);
	assert_int_equal(NEW(view_str(text), &to), 0);
	assert_int_equal(NEW(view_str(text), &to), E_LIMIT);
	assert_int_equal(sip_stack_tx_count(w->stack), 1);
#undef NEW
	free(large);
	free(text);
	world_end(w);
}

static void test_cancel_waits_for_a_provisional(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);
	char *invite;

	(void)state;
	world_send(w, "INVITE", "", 0, &to);
	invite = copy_of_last(w);
	sip_client_tx_cancel(w->client, VIEW(""), w->now);
	sip_client_tx_cancel(w->client, VIEW(""), w->now); /* once is enough */
	world_run(w, 600);
	assert_happened(w, "0:udp INVITE, 500:udp INVITE");
	respond_udp(w, invite, 100, NULL);
	assert_happened(w, "600:udp CANCEL");
	respond_udp(w, w->last, 200, "b1");
	respond_udp(w, invite, 180, "b1");
	world_run(w, 700);
	respond_udp(w, invite, 487, "b1");
	world_run(w, 40000);
	assert_happened(w, "600:told 180, 700:udp ACK, 700:told 487, 32700:gone");
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	free(invite);
	world_end(w);
}

static void test_cancel_after_a_provisional_has_the_branch_of_the_invite(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);
	struct sip_msg cancel, invite_msg;
	char *invite;

	(void)state;
	world_send(w, "INVITE", "Route: <sip:p1.example.com;lr>\r\nRequire: x\r\n", 0, &to);
	invite = copy_of_last(w);
	respond_udp(w, invite, 180, "b1");
	sip_client_tx_cancel(w->client, VIEW("Reason: SIP;cause=200\r\n"), w->now);
	assert_happened(w, "0:udp INVITE, 0:told 180, 0:udp CANCEL");
	assert_int_equal(sip_msg_parse(view_of(w->last, w->last_n), &cancel), 0);
	assert_int_equal(sip_msg_parse(view_str(invite), &invite_msg), 0);
	assert_view(cancel.uri, "sip:bob@example.com");
	assert_true(
		view_eq(sip_msg_value(&cancel, SIP_H_VIA), sip_msg_value(&invite_msg, SIP_H_VIA)));
	assert_view(sip_msg_value(&cancel, SIP_H_TO), "<sip:bob@example.com>");
	assert_view(sip_msg_value(&cancel, SIP_H_FROM), "<sip:alice@example.org>;tag=a1");
	assert_view(sip_msg_value(&cancel, SIP_H_CSEQ), "7 CANCEL");
	assert_view(sip_msg_value(&cancel, SIP_H_ROUTE), "<sip:p1.example.com;lr>");
	assert_view(sip_msg_value(&cancel, SIP_H_REASON), "SIP;cause=200");
	assert_false(sip_msg_has(&cancel, SIP_H_REQUIRE));
	/* The CANCEL is a transaction of its own, and repeated as one. */
	world_run(w, 1500);
	assert_happened(w, "500:udp CANCEL, 1500:udp CANCEL");
	/* RFC 3261 §9.1: no final response counts as the end. */
	respond_udp(w, w->last, 200, "b1");
	world_run(w, 40000);
	assert_happened(w, "32000:failed E_TIMEOUT, 32000:gone");
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	free(invite);
	world_end(w);
}

static void test_cancel_crossing_a_2xx_loses(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);
	char *invite;

	(void)state;
	world_send(w, "INVITE", "", 0, &to);
	invite = copy_of_last(w);
	respond_udp(w, invite, 180, "b1");
	sip_client_tx_cancel(w->client, VIEW(""), w->now);
	respond_udp(w, invite, 200, "b1");
	sip_client_tx_cancel(w->client, VIEW(""), w->now); /* nothing left to cancel */
	respond_udp(w, w->last, 481, "b2");		   /* to the CANCEL: nobody's business */
	world_run(w, 32001);
	assert_happened(w, "0:udp INVITE, 0:told 180, 0:udp CANCEL, 0:told 200, 32000:gone");
	free(invite);
	world_end(w);
}

static void test_cancel_before_anything_then_a_final_response_sends_none(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);

	(void)state;
	world_send(w, "INVITE", "", 0, &to);
	sip_client_tx_cancel(w->client, VIEW(""), w->now);
	respond_udp(w, w->last, 486, "b1");
	assert_happened(w, "0:udp INVITE, 0:udp ACK, 0:told 486");
	world_send(w, "MESSAGE", "", 0, &to);
	sip_client_tx_cancel(w->client, VIEW(""), w->now); /* RFC 3261 §9.1: only an INVITE */
	respond_udp(w, w->last, 100, NULL);
	assert_happened(w, "0:udp MESSAGE");
	world_end(w);
}

static void test_detached_goes_on_without_a_word(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);

	(void)state;
	world_send(w, "INVITE", "", 0, &to);
	sip_client_tx_detach(w->client);
	world_run(w, 600);
	respond_udp(w, w->last, 480, "b1");
	world_run(w, 40000);
	assert_happened(w, "0:udp INVITE, 500:udp INVITE, 600:udp ACK");
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	world_end(w);
}

/* Size of the request that the stack would send by UDP for a body of this size. */
static size_t sent_size(size_t body_n)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);
	size_t n;

	world_send(w, "MESSAGE", "", body_n, &to);
	n = w->last_n;
	world_end(w);
	return n;
}

static void test_over_1300_bytes_grows_to_tcp(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);
	size_t body_n = 1300 - sent_size(1000) + 1000;

	(void)state;
	to.may_grow = true;
	world_send(w, "MESSAGE", "", body_n, &to);
	assert_int_equal(w->last_n, 1300);
	assert_happened(w, "0:udp MESSAGE");
	world_send(w, "MESSAGE", "", body_n + 1, &to);
	assert_happened(w, "0:connect1 tcp, 0:tcp1 MESSAGE");
	assert_view(view_first(world_field(w->last, SIP_H_VIA), 11), "SIP/2.0/TCP");
	assert_int_equal(sip_client_tx_flow(w->client)->transport, SIP_TCP);
	to.may_grow = false;
	world_send(w, "MESSAGE", "", body_n + 1, &to);
	assert_happened(w, "0:udp MESSAGE");
	world_end(w);
}

static void test_grown_falls_back_to_udp_when_tcp_cannot_be_had(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);

	(void)state;
	to.may_grow = true;
	w->refuse_connect = true;
	world_send(w, "MESSAGE", "", 2000, &to);
	world_run(w, 600);
	assert_happened(w, "0:connect refused, 0:udp MESSAGE, 500:udp MESSAGE");
	assert_view(view_first(world_field(w->last, SIP_H_VIA), 11), "SIP/2.0/UDP");
	respond_udp(w, w->last, 200, "b1");
	assert_happened(w, "600:told 200");
	world_end(w);
}

static void test_grown_falls_back_to_udp_when_the_connection_fails(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);
	char *first;

	(void)state;
	to.may_grow = true;
	world_send(w, "INVITE", "", 2000, &to);
	first = copy_of_last(w);
	world_run(w, 1000);
	world_break(w, 1);
	assert_happened(w, "0:connect1 tcp, 0:tcp1 INVITE, 1000:udp INVITE, 1000:lost");
	assert_true(view_eq(view_from(world_field(first, SIP_H_VIA), 11),
			    view_from(world_field(w->last, SIP_H_VIA), 11)));
	assert_int_equal(w->last_n, strlen(first));
	world_run(w, 1500);
	assert_happened(w, "1500:udp INVITE");
	world_run(w, 33000);
	assert_happened(w, "2500:udp INVITE, 4500:udp INVITE, 8500:udp INVITE, 16500:udp INVITE, "
			   "32500:udp INVITE, 33000:failed E_TIMEOUT, 33000:gone");
	free(first);
	world_end(w);
}

static void test_grown_and_answered_stays_on_tcp(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER);

	(void)state;
	to.may_grow = true;
	world_send(w, "INVITE", "", 2000, &to);
	respond_tcp(w, 1, w->last, 180, "b1");
	world_break(w, 1);
	assert_happened(w, "0:connect1 tcp, 0:tcp1 INVITE, 0:told 180, 0:connect2 tcp, "
			   "0:tcp2 INVITE, 0:lost");
	sip_client_tx_cancel(w->client, VIEW(""), w->now);
	assert_happened(w, "0:tcp2 CANCEL");
	world_end(w);
}

static void test_a_broken_connection_is_tried_again_with_the_same_branch(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_TCP, PEER);
	char *first;

	(void)state;
	world_send(w, "MESSAGE", "", 0, &to);
	first = copy_of_last(w);
	world_run(w, 50);
	world_break(w, 1);
	assert_happened(
		w, "0:connect1 tcp, 0:tcp1 MESSAGE, 50:connect2 tcp, 50:tcp2 MESSAGE, 50:lost");
	assert_string_equal(first, w->last);
	respond_tcp(w, 2, w->last, 200, "b1");
	world_run(w, 60);
	assert_happened(w, "50:told 200, 50:gone");
	/* Nothing is pending: nothing is opened again. */
	world_break(w, 2);
	assert_happened(w, "60:lost");
	free(first);
	world_end(w);
}

static void test_a_connection_that_breaks_again_and_again_fails(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_TCP, PEER);

	(void)state;
	world_send(w, "INVITE", "", 0, &to);
	world_break(w, 1);
	world_break(w, 2);
	world_break(w, 3);
	assert_happened(w, "0:connect1 tcp, 0:tcp1 INVITE, 0:connect2 tcp, 0:tcp2 INVITE, 0:lost, "
			   "0:connect3 tcp, 0:tcp3 INVITE, 0:lost, 0:lost");
	/* Told by the clock, never from inside. */
	sip_client_tx_cancel(w->client, VIEW(""), w->now);
	world_run(w, 1);
	assert_happened(w, "0:failed E_IO, 0:gone");
	world_end(w);
}

static void test_a_connection_that_is_refused_is_not_asked_for_again(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_TCP, PEER);

	(void)state;
	world_send(w, "INVITE", "", 0, &to);
	world_refuse(w, 1);
	world_run(w, 1);
	assert_happened(w, "0:connect1 tcp, 0:tcp1 INVITE, 0:lost, 0:failed E_IO, 0:gone");
	world_end(w);
}

static void test_no_connection_at_all_fails_later(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_TCP, PEER);

	(void)state;
	w->refuse_connect = true;
	world_send(w, "MESSAGE", "", 0, &to);
	assert_happened(w, "0:connect refused");
	world_run(w, 0);
	assert_happened(w, "0:failed E_IO, 0:gone");
	world_end(w);
}

static void test_all_transactions_of_a_connection_move_together(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_TCP, PEER);

	(void)state;
	world_send(w, "MESSAGE", "", 0, &to);
	world_send(w, "INVITE", "", 0, &to);
	world_send(w, "OPTIONS", "", 0, &to);
	respond_tcp(w, 1, w->last, 200, "b1");
	assert_happened(
		w, "0:connect1 tcp, 0:tcp1 MESSAGE, 0:tcp1 INVITE, 0:tcp1 OPTIONS, 0:told 200");
	world_break(w, 1);
	assert_happened(w, "0:connect2 tcp, 0:tcp2 MESSAGE, 0:tcp2 INVITE, 0:lost");
	world_end(w);
}

static void test_a_connection_that_is_asked_for_is_used_while_it_lives(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_TCP, "192.0.2.9:40000");
	int in = world_accept(w, "192.0.2.9:40000");

	(void)state;
	to.conn = sip_conn_id(w->link[in].conn);
	assert_true(sip_stack_conn_alive(w->stack, to.conn));
	world_send(w, "MESSAGE", "", 0, &to);
	assert_happened(w, "0:tcp1 MESSAGE");
	world_break(w, in);
	assert_false(sip_stack_conn_alive(w->stack, to.conn));
	assert_happened(w, "0:connect2 tcp, 0:tcp2 MESSAGE, 0:lost");
	world_end(w);
}

static void test_freeing_the_stack_tells_gone_once_each(void **state)
{
	struct world *w = world_default();
	struct sip_flow udp = world_flow(SIP_UDP, PEER), tcp = world_flow(SIP_TCP, PEER);

	(void)state;
	world_send(w, "MESSAGE", "", 0, &udp);
	world_send(w, "INVITE", "", 0, &tcp);
	respond_tcp(w, 1, w->last, 180, "b1");
	sip_client_tx_cancel(w->client, VIEW(""), w->now);
	assert_happened(w,
			"0:udp MESSAGE, 0:connect1 tcp, 0:tcp1 INVITE, 0:told 180, 0:tcp1 CANCEL");
	sip_stack_free(w->stack);
	w->stack = NULL;
	assert_happened(w, "0:gone, 0:gone, 0:close1");
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timer_A_doubles_and_timer_B_ends_an_invite),
		cmocka_unit_test(test_timer_E_is_capped_at_T2_and_timer_F_ends_a_request),
		cmocka_unit_test(test_T1_of_the_configuration_is_used),
		cmocka_unit_test(test_a_stream_is_not_repeated_but_timed),
		cmocka_unit_test(test_provisional_stops_timers_A_and_B),
		cmocka_unit_test(test_provisional_slows_timer_E_to_T2_and_timer_F_goes_on),
		cmocka_unit_test(test_timer_K_absorbs_repeated_final_responses),
		cmocka_unit_test(test_timer_K_is_zero_on_a_stream),
		cmocka_unit_test(test_non_2xx_is_acknowledged_again_and_again_until_timer_D),
		cmocka_unit_test(test_timer_D_is_zero_on_a_stream),
		cmocka_unit_test(test_ack_of_a_non_2xx_is_made_of_invite_and_response),
		cmocka_unit_test(test_RFC_6026_accepted_passes_2xx_of_every_fork_until_timer_M),
		cmocka_unit_test(test_a_response_must_have_branch_and_method_of_the_request),
		cmocka_unit_test(test_via_goes_on_top_and_the_rest_is_untouched),
		cmocka_unit_test(test_what_cannot_be_sent_is_refused),
		cmocka_unit_test(test_cancel_waits_for_a_provisional),
		cmocka_unit_test(test_cancel_after_a_provisional_has_the_branch_of_the_invite),
		cmocka_unit_test(test_cancel_crossing_a_2xx_loses),
		cmocka_unit_test(test_cancel_before_anything_then_a_final_response_sends_none),
		cmocka_unit_test(test_detached_goes_on_without_a_word),
		cmocka_unit_test(test_over_1300_bytes_grows_to_tcp),
		cmocka_unit_test(test_grown_falls_back_to_udp_when_tcp_cannot_be_had),
		cmocka_unit_test(test_grown_falls_back_to_udp_when_the_connection_fails),
		cmocka_unit_test(test_grown_and_answered_stays_on_tcp),
		cmocka_unit_test(test_a_broken_connection_is_tried_again_with_the_same_branch),
		cmocka_unit_test(test_a_connection_that_breaks_again_and_again_fails),
		cmocka_unit_test(test_a_connection_that_is_refused_is_not_asked_for_again),
		cmocka_unit_test(test_no_connection_at_all_fails_later),
		cmocka_unit_test(test_all_transactions_of_a_connection_move_together),
		cmocka_unit_test(test_a_connection_that_is_asked_for_is_used_while_it_lives),
		cmocka_unit_test(test_freeing_the_stack_tells_gone_once_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
