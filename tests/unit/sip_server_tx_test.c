/* Server transactions on a virtual clock: RFC 3261 §17.2, §9.2, §8.2.2.2, RFC 6026 §7.1. */
#include "sip_world.h"

#define PEER	"192.0.2.9:5060"
#define VIA	"SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-one"
#define VIA_TCP "SIP/2.0/TCP 192.0.2.9:5070;branch=z9hG4bK-one"

static void incoming(struct world *w, const char *method)
{
	world_incoming(w, method, VIA, "", PEER);
}

static void reply(struct world *w, int i, int status)
{
	assert_non_null(w->tx[i]);
	assert_int_equal(sip_server_tx_reply(w->tx[i], status, NULL, VIEW(""), w->now), 0);
}

static void stream_request(struct world *w, int link, const char *method, const char *via)
{
	char *text = world_incoming_text(method, via, "");

	world_stream(w, link, text);
	free(text);
}

static void test_timer_J_absorbs_retransmissions(void **state)
{
	struct world *w = world_default();

	(void)state;
	incoming(w, "MESSAGE");
	incoming(w, "MESSAGE"); /* trying: nothing to say yet */
	assert_true(sip_server_tx_pending(w->tx[0]));
	world_run(w, 1000);
	reply(w, 0, 200);
	assert_false(sip_server_tx_pending(w->tx[0]));
	incoming(w, "MESSAGE");
	world_run(w, 32999);
	incoming(w, "MESSAGE");
	assert_happened(w, "0:request MESSAGE, 1000:udp 200, 1000:udp 200, 32999:udp 200");
	world_run(w, 33000);
	assert_happened(w, "33000:gone");
	incoming(w, "MESSAGE");
	assert_happened(w, "33000:request MESSAGE");
	world_end(w);
}

static void test_timer_J_is_zero_on_a_stream(void **state)
{
	struct world *w = world_default();
	int in = world_accept(w, "192.0.2.9:40000");

	(void)state;
	w->answer = 202;
	stream_request(w, in, "MESSAGE", VIA_TCP);
	world_run(w, 1);
	assert_happened(w, "0:request MESSAGE, 0:tcp1 202, 0:gone");
	world_end(w);
}

static void test_a_provisional_is_repeated_to_a_retransmission(void **state)
{
	struct world *w = world_default();

	(void)state;
	incoming(w, "SUBSCRIBE");
	reply(w, 0, 182);
	incoming(w, "SUBSCRIBE");
	assert_happened(w, "0:request SUBSCRIBE, 0:udp 182, 0:udp 182");
	reply(w, 0, 200);
	assert_int_equal(sip_server_tx_reply(w->tx[0], 200, NULL, VIEW(""), w->now), E_STATE);
	assert_int_equal(sip_server_tx_respond(w->tx[0], VIEW("x"), 500, w->now), E_STATE);
	incoming(w, "SUBSCRIBE");
	assert_happened(w, "0:udp 200, 0:udp 200");
	world_end(w);
}

static void test_invite_gets_its_100_after_200_ms(void **state)
{
	struct world *w = world_default();
	struct sip_addr to;
	struct sip_msg m;

	(void)state;
	incoming(w, "INVITE");
	world_run(w, 199);
	assert_happened(w, "0:request INVITE");
	world_run(w, 5000);
	assert_happened(w, "200:udp 100");
	assert_int_equal(sip_msg_parse(view_of(w->last, w->last_n), &m), 0);
	assert_int_equal(sip_msg_to(&m, &to), 0);
	assert_int_equal(sip_addr_tag(&to).n, 0);
	incoming(w, "INVITE");
	assert_happened(w, "5000:udp 100");
	reply(w, 0, 180);
	incoming(w, "INVITE");
	assert_happened(w, "5000:udp 180, 5000:udp 180");
	/* Not when the user was quicker; for other methods when their sender has become slow (RFC
	 * 4320 §4.1). */
	world_incoming(w, "INVITE", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-2", "", PEER);
	reply(w, 1, 180);
	world_incoming(w, "OPTIONS", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-3", "", PEER);
	world_run(w, 9000);
	assert_happened(w, "5000:request INVITE, 5000:udp 180, 5000:request OPTIONS, 8500:udp 100");
	world_end(w);
}

static void test_timer_G_repeats_a_non_2xx_and_timer_H_gives_up(void **state)
{
	struct world *w = world_default();

	(void)state;
	w->answer = 486;
	incoming(w, "INVITE");
	world_run(w, 40000);
	assert_happened(w, "0:request INVITE, 0:udp 486, 500:udp 486, 1500:udp 486, 3500:udp 486, "
			   "7500:udp 486, 11500:udp 486, 15500:udp 486, 19500:udp 486, "
			   "23500:udp 486, 27500:udp 486, 31500:udp 486, 32000:unacknowledged, "
			   "32000:gone");
	world_end(w);
}

static void test_ack_stops_timer_G_and_timer_I_ends_it(void **state)
{
	struct world *w = world_default();

	(void)state;
	w->answer = 486;
	incoming(w, "INVITE");
	world_run(w, 600);
	incoming(w, "ACK");
	incoming(w, "ACK");
	incoming(w, "INVITE"); /* late: absorbed */
	world_run(w, 5599);
	incoming(w, "ACK");
	assert_happened(w, "0:request INVITE, 0:udp 486, 500:udp 486");
	world_run(w, 10000);
	assert_happened(w, "5600:gone");
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	world_end(w);
}

static void test_on_a_stream_a_non_2xx_is_not_repeated_and_timer_I_is_zero(void **state)
{
	struct world *w = world_default();
	int in = world_accept(w, "192.0.2.9:40000");

	(void)state;
	w->answer = 486;
	stream_request(w, in, "INVITE", VIA_TCP);
	world_run(w, 20000);
	stream_request(w, in, "ACK", VIA_TCP);
	world_run(w, 20001);
	assert_happened(w, "0:request INVITE, 0:tcp1 486, 20000:gone");
	/* Timer H runs there too. */
	stream_request(w, in, "INVITE", VIA_TCP);
	world_run(w, 60000);
	assert_happened(w,
			"20001:request INVITE, 20001:tcp1 486, 52001:unacknowledged, 52001:gone");
	world_end(w);
}

static void test_RFC_6026_accepted_absorbs_the_invite_and_lets_2xx_pass(void **state)
{
	struct world *w = world_default();
	char *ok;

	(void)state;
	incoming(w, "INVITE");
	reply(w, 0, 200);
	ok = view_dup(view_of(w->last, w->last_n));
	incoming(w, "INVITE"); /* RFC 6026 §7.1: the user repeats its 2xx, not the transaction */
	world_run(w, 500);
	assert_int_equal(sip_server_tx_respond(w->tx[0], view_str(ok), 200, w->now), 0);
	assert_int_equal(sip_server_tx_respond(w->tx[0], view_str(ok), 486, w->now), E_STATE);
	assert_int_equal(sip_server_tx_respond(w->tx[0], view_str(ok), 180, w->now), E_STATE);
	assert_happened(w, "0:request INVITE, 0:udp 200, 500:udp 200");
	/* The ACK of a 2xx is the user's: with a branch of its own, and with the INVITE's by
	 * mistake. */
	world_incoming(w, "ACK", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-ack", "", PEER);
	incoming(w, "ACK");
	assert_happened(w, "500:ack, 500:ack");
	world_run(w, 31999);
	incoming(w, "INVITE");
	assert_happened(w, "");
	world_run(w, 32000);
	assert_happened(w, "32000:gone");
	free(ok);
	world_end(w);
}

static void test_ack_before_any_final_response_is_dropped(void **state)
{
	struct world *w = world_default();

	(void)state;
	incoming(w, "INVITE");
	incoming(w, "ACK");
	reply(w, 0, 180);
	incoming(w, "ACK");
	assert_happened(w, "0:request INVITE, 0:udp 180");
	world_end(w);
}

static void test_cancel_is_answered_200_and_told(void **state)
{
	struct world *w = world_default();
	struct sip_msg m;
	struct sip_addr to;
	char *tag;

	(void)state;
	incoming(w, "INVITE");
	reply(w, 0, 180);
	incoming(w, "CANCEL");
	assert_happened(w, "0:request INVITE, 0:udp 180, 0:udp 200, 0:cancelled");
	/* RFC 3261 §9.2: the same To tag for both. */
	assert_int_equal(sip_msg_parse(view_of(w->last, w->last_n), &m), 0);
	assert_view(sip_msg_value(&m, SIP_H_CSEQ), "7 CANCEL");
	assert_int_equal(sip_msg_to(&m, &to), 0);
	tag = view_dup(sip_addr_tag(&to));
	assert_true(view_eq(view_str(tag), sip_server_tx_to_tag(w->tx[0])));
	reply(w, 0, 487);
	incoming(w, "CANCEL"); /* a retransmission: the stored 200, and not told again */
	incoming(w, "ACK");
	world_run(w, 40000);
	assert_happened(w, "0:udp 487, 0:udp 200, 5000:gone");
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	free(tag);
	world_end(w);
}

static void test_cancel_after_a_final_response_changes_nothing(void **state)
{
	struct world *w = world_default();

	(void)state;
	w->answer = 200;
	incoming(w, "INVITE");
	incoming(w, "CANCEL");
	assert_happened(w, "0:request INVITE, 0:udp 200, 0:udp 200");
	world_end(w);
}

static void test_cancel_of_nothing_is_481(void **state)
{
	struct world *w = world_default();

	(void)state;
	incoming(w, "CANCEL");
	incoming(w, "CANCEL");
	world_run(w, 31000);
	incoming(w, "MESSAGE");
	world_run(w, 32000);
	assert_happened(w, "0:udp 481, 0:udp 481, 31000:request MESSAGE");
	/* A MESSAGE has the branch, but only an INVITE can be cancelled. */
	incoming(w, "CANCEL");
	assert_happened(w, "32000:udp 481");
	world_end(w);
}

static void test_RFC_4320__who_is_not_answered_in_time_is_told_nothing(void **state)
{
	struct world *w = world_default();

	(void)state;
	incoming(w, "MESSAGE");
	world_run(w, 3499);
	incoming(w, "MESSAGE");
	assert_happened(w, "0:request MESSAGE");
	world_run(w, 3500);
	assert_happened(w, "3500:udp 100");
	incoming(w, "MESSAGE");
	assert_happened(w, "3500:udp 100");
	/* Timer F of the sender: whatever comes now would be a stray. */
	world_run(w, 31999);
	assert_happened(w, "");
	world_run(w, 32000);
	assert_happened(w, "32000:gone");
	assert_null(w->tx[0]);
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	world_end(w);
}

static void test_RFC_4320__a_408_is_for_invites_alone(void **state)
{
	struct world *w = world_default();

	(void)state;
	incoming(w, "MESSAGE");
	reply(w, 0, 408);
	incoming(w, "MESSAGE");
	assert_happened(w, "0:request MESSAGE");
	world_run(w, 32000);
	assert_happened(w, "32000:gone");
	incoming(w, "INVITE");
	reply(w, 1, 408);
	assert_happened(w, "32000:request INVITE, 32000:udp 408");
	world_end(w);
}

static void test_a_cancel_that_cannot_be_answered_is_not_kept(void **state)
{
	struct world *w = world_new();

	(void)state;
	/* No room for an answer. */
	w->cfg.max_message = 100;
	world_begin(w);
	incoming(w, "CANCEL");
	assert_happened(w, "");
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	world_end(w);
}

static void test_cancel_race_the_2xx_goes_first(void **state)
{
	struct world *w = world_default();

	(void)state;
	incoming(w, "INVITE");
	incoming(w, "CANCEL");
	/* Told, but the user had already decided. */
	reply(w, 0, 200);
	assert_int_equal(sip_server_tx_reply(w->tx[0], 487, NULL, VIEW(""), w->now), E_STATE);
	world_run(w, 32000);
	assert_happened(w, "0:request INVITE, 0:udp 200, 0:cancelled, 0:udp 200, 32000:gone");
	world_end(w);
}

static void test_matching_needs_branch_sent_by_and_method(void **state)
{
	struct world *w = world_default();

	(void)state;
	incoming(w, "MESSAGE");
	incoming(w, "OPTIONS");
	world_incoming(w, "MESSAGE", "SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK-one", "", PEER);
	world_incoming(w, "MESSAGE", "SIP/2.0/UDP 192.0.2.8:5060;branch=z9hG4bK-one", "", PEER);
	world_incoming(w, "MESSAGE", "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-two", "", PEER);
	world_incoming(w, "FOO", VIA, "", PEER);
	world_incoming(w, "BAR", VIA, "", PEER);
	assert_int_equal(w->n_txs, 7);
	world_incoming(w, "FOO", VIA, "", PEER);
	incoming(w, "MESSAGE");
	assert_int_equal(w->n_txs, 7);
	assert_int_equal(sip_server_tx_method(w->tx[1]), SIP_OPTIONS);
	assert_ptr_equal(sip_server_tx_stack(w->tx[1]), w->stack);
	/* Host names compare without case. */
	world_incoming(w, "INFO", "SIP/2.0/UDP Host.example.com;branch=z9hG4bK-h", "", PEER);
	world_incoming(w, "INFO", "SIP/2.0/UDP hOST.example.com;branch=z9hG4bK-h", "", PEER);
	assert_int_equal(w->n_txs, 8);
	world_end(w);
}

#define OLD_VIA "SIP/2.0/UDP 192.0.2.9:5060"

static void test_RFC_2543_clients_match_by_call_and_cseq(void **state)
{
	struct world *w = world_default();
	char *text;

	(void)state;
	world_incoming(w, "INVITE", OLD_VIA, "", PEER);
	world_incoming(w, "INVITE", OLD_VIA, "", PEER);
	assert_int_equal(w->n_txs, 1);
	/* A branch without the cookie tells as little. */
	world_incoming(w, "INVITE", OLD_VIA ";branch=1", "", PEER);
	assert_int_equal(w->n_txs, 2);
	text = world_incoming_text("INVITE", OLD_VIA, "");
	memcpy(strstr(text, "7 INVITE"), "8 INVITE", 8);
	world_datagram(w, text, PEER);
	assert_int_equal(w->n_txs, 3);
	free(text);
	assert_happened(w, "0:request INVITE, 0:request INVITE, 0:request INVITE");
	reply(w, 0, 180);
	world_incoming(w, "CANCEL", OLD_VIA, "", PEER);
	assert_happened(w, "0:udp 180, 0:udp 200, 0:cancelled");
	reply(w, 0, 487);
	/* Its ACK has the To tag of the response. */
	text = world_incoming_text("ACK", OLD_VIA, "");
	world_datagram(w, text, PEER);
	free(text);
	world_run(w, 5000);
	assert_happened(w, "0:udp 487, 200:udp 100, 200:udp 100, 5000:gone");
	world_end(w);
}

static void test_merged_request_is_told_from_a_spiral(void **state)
{
	struct world *w = world_default();

	(void)state;
	/* Two copies of one request by different ways: the second is merged. */
	w->check_merged = true;
	incoming(w, "INVITE");
	world_incoming(w, "INVITE", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-two", "", PEER);
	assert_happened(w, "0:request INVITE, 0:request INVITE, 0:merged");
	assert_false(sip_server_tx_is_merged(w->tx[0]));
	assert_true(sip_server_tx_is_merged(w->tx[1]));
	/* Another method with the same CSeq number (its ACK or CANCEL) is not. */
	world_incoming(w, "OPTIONS", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-3", "", PEER);
	assert_happened(w, "0:request OPTIONS");
	world_end(w);

	/* A proxy that gets its own request back never asks, and the UAS at the end is the first.
	 */
	w = world_default();
	incoming(w, "INVITE");
	world_incoming(w, "INVITE", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-two", "", PEER);
	assert_false(sip_server_tx_is_merged(w->tx[1]));
	world_end(w);
}

static void test_merged_needs_the_same_request_outside_a_dialog(void **state)
{
	struct world *w = world_default();
	char *text;

	(void)state;
	w->check_merged = true;
	w->answer = 200;
	incoming(w, "MESSAGE");
	text = world_incoming_text("MESSAGE", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-2", "");
	memcpy(strstr(text, "tag=a1"), "tag=a2", 6);
	world_datagram(w, text, PEER);
	free(text);
	text = world_incoming_text("MESSAGE", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-3", "");
	memcpy(strstr(text, "7 MESSAGE"), "9 MESSAGE", 9);
	world_datagram(w, text, PEER);
	free(text);
	text = world_incoming_text("MESSAGE", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-4", "");
	memcpy(strstr(text, "c1@"), "c2@", 3);
	world_datagram(w, text, PEER);
	free(text);
	assert_happened(w, "0:request MESSAGE, 0:udp 200, 0:request MESSAGE, 0:udp 200, "
			   "0:request MESSAGE, 0:udp 200, 0:request MESSAGE, 0:udp 200");
	/* Answered, but still known: merged all the same; forgotten with its transaction. */
	world_incoming(w, "MESSAGE", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-5", "", PEER);
	assert_happened(w, "0:request MESSAGE, 0:merged, 0:udp 200");
	world_run(w, 33000);
	assert_happened(w, "32000:gone, 32000:gone, 32000:gone, 32000:gone, 32000:gone");
	incoming(w, "MESSAGE");
	assert_happened(w, "33000:request MESSAGE, 33000:udp 200");
	world_end(w);
}

static void test_reply_has_what_RFC_3261_8_2_6_wants(void **state)
{
	struct world *w = world_default();
	struct sip_msg m;
	char *first;
	int i;

	(void)state;
	world_incoming(w, "INVITE", VIA "\r\nVia: SIP/2.0/TCP 198.51.100.1;branch=z9hG4bKb",
		       "Record-Route: <sip:p.example.com;lr>\r\n", PEER);
	assert_non_null(w->tx[0]);
	assert_int_equal(sip_server_tx_reply(w->tx[0], 180, NULL, VIEW("X-A: 1\r\n"), w->now), 0);
	first = view_dup(view_of(w->last, w->last_n));
	assert_int_equal(sip_server_tx_reply(w->tx[0], 400, "Because",
					     VIEW("X-B: 1\r\nSERVER: own\r\n"), w->now),
			 0);
	assert_true(view_starts(view_str(first), VIEW("SIP/2.0 180 Ringing\r\n")));
	assert_true(view_starts(view_str(w->last), VIEW("SIP/2.0 400 Because\r\n")));
	assert_true(view_eq(world_field(first, SIP_H_TO), world_field(w->last, SIP_H_TO)));
	assert_int_equal(sip_msg_parse(view_str(first), &m), 0);
	assert_view(sip_msg_value_named(&m, VIEW("X-A")), "1");
	assert_view(sip_msg_value(&m, SIP_H_SERVER), "Confab/" CONFAB_VERSION);
	assert_view(sip_msg_value(&m, SIP_H_RECORD_ROUTE), "<sip:p.example.com;lr>");
	assert_view(sip_msg_value(&m, SIP_H_CALL_ID), "c1@example.org");
	assert_view(sip_msg_value(&m, SIP_H_CSEQ), "7 INVITE");
	assert_view(sip_msg_value(&m, SIP_H_CONTENT_LENGTH), "0");
	assert_view(sip_msg_value(&m, SIP_H_VIA), VIA);
	i = sip_msg_field(&m, SIP_H_VIA, sip_msg_field(&m, SIP_H_VIA, -1));
	assert_view(sip_field_value(&m, i), "SIP/2.0/TCP 198.51.100.1;branch=z9hG4bKb");
	/* Who says himself what he is needs no second Server. */
	assert_int_equal(sip_msg_parse(view_str(w->last), &m), 0);
	assert_view(sip_msg_value(&m, SIP_H_SERVER), "own");
	assert_int_equal(sip_msg_field(&m, SIP_H_SERVER, sip_msg_field(&m, SIP_H_SERVER, -1)), -1);
	free(first);
	world_end(w);
}

static void test_the_request_is_kept_until_the_final_response(void **state)
{
	struct world *w = world_default();
	struct sip_msg m;

	(void)state;
	incoming(w, "INVITE");
	reply(w, 0, 183);
	assert_int_equal(sip_server_tx_request(w->tx[0], &m), 0);
	assert_view(m.uri, "sip:bob@example.com");
	reply(w, 0, 200);
	assert_int_equal(sip_server_tx_request(w->tx[0], &m), E_STATE);
	world_end(w);
}

static void test_a_response_goes_back_on_its_connection(void **state)
{
	struct world *w = world_default();
	int in = world_accept(w, "192.0.2.9:40000");

	(void)state;
	stream_request(w, in, "MESSAGE", VIA_TCP);
	assert_non_null(w->tx[0]);
	assert_int_equal(sip_server_tx_flow(w->tx[0])->conn, sip_conn_id(w->link[in].conn));
	reply(w, 0, 200);
	assert_happened(w, "0:request MESSAGE, 0:tcp1 200");
	world_end(w);
}

static void test_a_response_goes_to_sent_by_when_the_connection_is_gone(void **state)
{
	struct world *w = world_default();
	int in = world_accept(w, "192.0.2.9:40000");
	char text[ADDR_TEXT_MAX];

	(void)state;
	stream_request(w, in, "INVITE", VIA_TCP);
	world_break(w, in);
	reply(w, 0, 180);
	assert_happened(w, "0:request INVITE, 0:lost, 0:connect2 tcp, 0:tcp2 180");
	assert_string_equal(addr_text(&w->link[2].to, text), "192.0.2.9:5070");
	reply(w, 0, 200); /* the new one serves from now on */
	assert_happened(w, "0:tcp2 200");

	/* Without a port 5060, at the address that it came from whatever its sent-by says. */
	in = world_accept(w, "192.0.2.10:40000");
	stream_request(w, in, "MESSAGE", "SIP/2.0/TCP host.example.com;branch=z9hG4bKx");
	world_break(w, in);
	reply(w, 1, 200);
	assert_happened(w, "0:request MESSAGE, 0:lost, 0:connect4 tcp, 0:tcp4 200");
	assert_string_equal(addr_text(&w->link[4].to, text), "192.0.2.10:5060");
	/* Or not at all. */
	in = world_accept(w, "192.0.2.11:40000");
	stream_request(w, in, "MESSAGE", "SIP/2.0/TCP host.example.com;branch=z9hG4bKy");
	world_break(w, in);
	w->refuse_connect = true;
	reply(w, 2, 200);
	world_run(w, 0);
	assert_happened(w, "0:request MESSAGE, 0:lost, 0:connect refused, 0:gone, 0:gone");
	world_end(w);
}

static void test_a_retransmission_by_a_new_way_is_answered_there(void **state)
{
	struct world *w = world_default();
	int a = world_accept(w, "192.0.2.9:40000"), b;

	(void)state;
	stream_request(w, a, "INVITE", VIA_TCP);
	reply(w, 0, 180);
	world_break(w, a);
	b = world_accept(w, "192.0.2.9:40001");
	stream_request(w, b, "INVITE", VIA_TCP);
	assert_happened(w, "0:request INVITE, 0:tcp1 180, 0:lost, 0:tcp2 180");
	reply(w, 0, 200);
	assert_happened(w, "0:tcp2 200");
	/* A sender whose TCP failed comes again by UDP (RFC 3261 §18.1.1). */
	stream_request(w, b, "OPTIONS", VIA_TCP);
	world_incoming(w, "OPTIONS", "SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK-one", "", PEER);
	reply(w, 1, 200);
	assert_happened(w, "0:request OPTIONS, 0:udp 200");
	assert_sent_to(w, "192.0.2.9:5070");
	world_end(w);
}

static void test_an_unattached_transaction_ends_by_itself(void **state)
{
	struct world *w = world_default();

	(void)state;
	w->silent = true;
	incoming(w, "INVITE");
	incoming(w, "CANCEL");
	reply(w, 0, 487);
	world_run(w, 33000);
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	world_end(w);
}

static void test_an_answer_that_could_not_be_written_is_a_500_soon(void **state)
{
	struct world *w = world_default();

	(void)state;
	world_incoming(w, "INVITE", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1", "", "192.0.2.9:5060");
	assert_int_equal(sip_server_tx_respond(w->tx[0], VIEW(""), 180, w->now), E_NOMEM);
	assert_int_equal(sip_server_tx_respond(w->tx[0], VIEW(""), 200, w->now), E_NOMEM);
	assert_happened(w, "0:request INVITE");
	world_run(w, 500);
	/* In the meantime a 100, as for any INVITE. */
	assert_happened(w, "200:udp 100, 500:udp 500");
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_that_could_not_be_written_is_a_500_soon),
		cmocka_unit_test(test_timer_J_absorbs_retransmissions),
		cmocka_unit_test(test_timer_J_is_zero_on_a_stream),
		cmocka_unit_test(test_a_provisional_is_repeated_to_a_retransmission),
		cmocka_unit_test(test_invite_gets_its_100_after_200_ms),
		cmocka_unit_test(test_timer_G_repeats_a_non_2xx_and_timer_H_gives_up),
		cmocka_unit_test(test_ack_stops_timer_G_and_timer_I_ends_it),
		cmocka_unit_test(test_on_a_stream_a_non_2xx_is_not_repeated_and_timer_I_is_zero),
		cmocka_unit_test(test_RFC_6026_accepted_absorbs_the_invite_and_lets_2xx_pass),
		cmocka_unit_test(test_ack_before_any_final_response_is_dropped),
		cmocka_unit_test(test_cancel_is_answered_200_and_told),
		cmocka_unit_test(test_cancel_after_a_final_response_changes_nothing),
		cmocka_unit_test(test_cancel_of_nothing_is_481),
		cmocka_unit_test(test_RFC_4320__who_is_not_answered_in_time_is_told_nothing),
		cmocka_unit_test(test_RFC_4320__a_408_is_for_invites_alone),
		cmocka_unit_test(test_a_cancel_that_cannot_be_answered_is_not_kept),
		cmocka_unit_test(test_cancel_race_the_2xx_goes_first),
		cmocka_unit_test(test_matching_needs_branch_sent_by_and_method),
		cmocka_unit_test(test_RFC_2543_clients_match_by_call_and_cseq),
		cmocka_unit_test(test_merged_request_is_told_from_a_spiral),
		cmocka_unit_test(test_merged_needs_the_same_request_outside_a_dialog),
		cmocka_unit_test(test_reply_has_what_RFC_3261_8_2_6_wants),
		cmocka_unit_test(test_the_request_is_kept_until_the_final_response),
		cmocka_unit_test(test_a_response_goes_back_on_its_connection),
		cmocka_unit_test(test_a_response_goes_to_sent_by_when_the_connection_is_gone),
		cmocka_unit_test(test_a_retransmission_by_a_new_way_is_answered_there),
		cmocka_unit_test(test_an_unattached_transaction_ends_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
