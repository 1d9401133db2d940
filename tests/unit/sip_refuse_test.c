/* What is refused because there is too much: by the caps on transactions, and under load. */
#include "sip_world.h"

#define PEER "192.0.2.9:5060"

static void test_transactions_are_capped_with_503(void **state)
{
	struct world *w = world_new();

	(void)state;
	w->cfg.max_tx = 2;
	world_begin(w);
	world_incoming(w, "MESSAGE", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1", "", PEER);
	world_incoming(w, "INVITE", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2", "", PEER);
	world_incoming(w, "MESSAGE", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK3", "", PEER);
	world_incoming(w, "CANCEL", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2", "", PEER);
	assert_happened(w, "0:request MESSAGE, 0:request INVITE, 0:udp 503, 0:udp 503");
	/* What is known already is served. */
	assert_int_equal(sip_server_tx_reply(w->tx[0], 200, NULL, VIEW(""), w->now), 0);
	world_incoming(w, "MESSAGE", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1", "", PEER);
	world_run(w, 32000);
	assert_happened(w, "0:udp 200, 0:udp 200, 200:udp 100, 32000:gone");
	world_incoming(w, "MESSAGE", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK3", "", PEER);
	assert_happened(w, "32000:request MESSAGE");
	world_end(w);
}

static void test_the_last_eighth_of_the_transactions_is_for_dialogs(void **state)
{
	static const char request[] = "%s sip:b@example.com SIP/2.0\r\n"
				      "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK%d\r\n"
				      "Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=a\r\n"
				      "To: <sip:b@example.com>%s\r\n"
				      "Call-ID: c1\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n";
	static const struct {
		const char *method, *tag, *happens;
	} say[] = {
		{"MESSAGE", "", "0:udp 503"},	    {"INVITE", "", "0:udp 503"},
		{"BYE", ";tag=d", "0:request BYE"}, {"REGISTER", "", "0:request REGISTER"},
		{"BYE", ";tag=e", "0:udp 503"},
	};
	struct world *w = world_new();
	char text[600];

	(void)state;
	w->cfg.max_tx = 2 * SIP_TX_RESERVE;
	world_begin(w);
	for (int i = 0; i < 2 * SIP_TX_RESERVE - 2; i++) {
		(void)snprintf(text, sizeof(text), request, "MESSAGE", i, "", "MESSAGE");
		world_datagram(w, text, PEER);
		assert_happened(w, "0:request MESSAGE");
	}
	for (int i = 0; i < (int)(sizeof(say) / sizeof(say[0])); i++) {
		(void)snprintf(text, sizeof(text), request, say[i].method, 100 + i, say[i].tag,
			       say[i].method);
		world_datagram(w, text, PEER);
		assert_happened(w, say[i].happens);
	}
	world_end(w);
}

static void test_what_is_not_admitted_gets_503_and_nothing_is_kept(void **state)
{
	static const char ack[] = "ACK sip:b@example.com SIP/2.0\r\n"
				  "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2\r\n"
				  "Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=a\r\n"
				  "To: <sip:b@example.com>;tag=%s\r\n"
				  "Call-ID: c1\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n";
	static const char invite[] = "INVITE sip:b@example.com SIP/2.0\r\n"
				     "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2\r\n"
				     "Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=a\r\n"
				     "To: <sip:b@example.com>%s\r\n"
				     "Call-ID: c1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
	struct world *w = world_default();
	struct sip_msg m;
	struct sip_addr to;
	char text[600], tag[64];

	(void)state;
	w->refuse_s = 17;
	(void)snprintf(text, sizeof(text), invite, "");
	world_datagram(w, text, PEER);
	assert_happened(w, "0:udp 503");
	assert_view(world_field(w->last, SIP_H_RETRY_AFTER), "17");
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	assert_int_equal(sip_msg_parse(view_of(w->last, w->last_n), &m), 0);
	assert_int_equal(sip_msg_to(&m, &to), 0);
	(void)view_copy(sip_addr_tag(&to), tag, sizeof(tag));
	/* Its ACK ends here (RFC 3261 §8.2.7); another's goes to the user. */
	(void)snprintf(text, sizeof(text), ack, tag);
	world_datagram(w, text, PEER);
	assert_happened(w, "");
	(void)snprintf(text, sizeof(text), ack, "other");
	world_datagram(w, text, PEER);
	assert_happened(w, "0:ack");
	/* Dialogs go on. */
	(void)snprintf(text, sizeof(text), invite, ";tag=d");
	world_datagram(w, text, PEER);
	assert_happened(w, "0:request INVITE");
	world_end(w);
}

/* --- refused before it is parsed --- */

static const char *const newcomers[] = {
	"INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP "
	"10.0.0.1:5080;branch=z9hG4bK2;rport\r\n"
	"Via: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
	"From: \"A\" <sip:a@example.com>;tag=a\r\nTo: <sip:b@example.com>\r\nCall-ID: c1\r\n"
	"CSeq: 1 INVITE\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi",
	"MESSAGE sip:b@example.com SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK3\r\n"
	"f: sip:a@example.com;tag=a\r\nt: sip:b@example.com\r\ni: c2\r\nMax-Forwards: 70\r\n"
	"CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
};

/* RFC 3261 §8.2.7, §21.5.4: it makes no difference to see. */
static void test_a_refusal_is_the_same_before_and_after_parsing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(newcomers) / sizeof(*newcomers); i++) {
		struct world *w = world_default();
		char *slow;

		w->refuse_s = 17;
		world_datagram(w, newcomers[i], PEER);
		assert_happened(w, "0:udp 503");
		slow = view_dup(view_of(w->last, w->last_n));
		assert_sent_to(w, PEER);
		w->is_pressed = true;
		world_datagram(w, newcomers[i], PEER);
		assert_happened(w, "0:udp 503");
		assert_string_equal(w->last, slow);
		assert_sent_to(w, PEER);
		assert_int_equal(w->asked, 2);
		assert_int_equal(sip_stack_tx_count(w->stack), 0);
		free(slow);
		world_end(w);
	}
}

static void test_who_is_let_in_is_asked_about_once_and_stays(void **state)
{
	struct world *w = world_default();

	(void)state;
	w->is_pressed = true;
	world_datagram(w, newcomers[0], PEER);
	assert_happened(w, "0:request INVITE");
	assert_int_equal(w->asked, 1);
	assert_int_equal(w->newcomer, SIP_INVITE);
	/* RFC 3261 §17.2.1: a retransmission of it is never refused, nor is what belongs to it. */
	w->refuse_s = 17;
	world_run(w, 300);
	world_datagram(w, newcomers[0], PEER);
	assert_happened(w, "200:udp 100, 300:udp 100");
	assert_int_equal(sip_server_tx_reply(w->tx[0], 486, NULL, VIEW(""), w->now), 0);
	world_datagram(w, newcomers[0], PEER);
	assert_happened(w, "300:udp 486, 300:udp 486");
	assert_int_equal(w->asked, 1);
	world_end(w);
}

static void test_only_newcomers_are_refused(void **state)
{
	static const char fmt[] = "%s sip:b@example.com SIP/2.0\r\n"
				  "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-%s\r\n"
				  "Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=a\r\n"
				  "To: <sip:b@example.com>%s\r\nCall-ID: c1\r\nCSeq: 1 %s\r\n"
				  "Content-Length: 0\r\n\r\n";
	static const char *const inside[] = {"INVITE", "BYE",	 "PRACK",  "UPDATE",
					     "INFO",   "NOTIFY", "MESSAGE"};
	struct world *w = world_default();
	char text[600];

	(void)state;
	w->is_pressed = true;
	w->refuse_s = 17;
	for (size_t i = 0; i < sizeof(inside) / sizeof(*inside); i++) {
		(void)snprintf(text, sizeof(text), fmt, inside[i], inside[i], ";tag=d", inside[i]);
		world_datagram(w, text, PEER);
	}
	assert_happened(w, "0:request INVITE, 0:request BYE, 0:request PRACK, 0:request UPDATE, "
			   "0:request INFO, 0:request NOTIFY, 0:request MESSAGE");
	(void)snprintf(text, sizeof(text), fmt, "ACK", "x", ";tag=d", "ACK");
	world_datagram(w, text, PEER);
	assert_happened(w, "0:ack");
	(void)snprintf(text, sizeof(text), fmt, "CANCEL", "nothing", "", "CANCEL");
	world_datagram(w, text, PEER);
	assert_happened(w, "0:udp 481");
	assert_int_equal(w->asked, 0);
	world_end(w);
}

static void test_credentials_are_shown_to_who_decides(void **state)
{
	static const char fmt[] = "INVITE sip:b@example.com SIP/2.0\r\n"
				  "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK%d\r\n"
				  "Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=a\r\n"
				  "To: <sip:b@example.com>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n"
				  "%s: Digest nonce=\"%d\"\r\nContent-Length: 0\r\n\r\n";
	struct world *w = world_default();
	char text[600], want[64];

	(void)state;
	for (int i = 0; i < 4; i++) {
		w->is_pressed = i % 2;
		(void)snprintf(text, sizeof(text), fmt, i,
			       i / 2 ? "Authorization" : "Proxy-Authorization", i);
		(void)snprintf(want, sizeof(want), "Digest nonce=\"%d\"", i);
		world_datagram(w, text, PEER);
		assert_string_equal(w->credentials, want);
		assert_int_equal(w->asked, i + 1);
	}
	world_end(w);
}

/* RFC 3261 §17.1.1.3: the ACK of a refusal ends here, whatever became of the load since. */
static void test_the_ACK_of_a_refusal_is_swallowed(void **state)
{
	struct world *w = world_default();
	struct sip_msg m;
	struct sip_addr to;
	char text[600];

	(void)state;
	w->is_pressed = true;
	w->refuse_s = 17;
	world_datagram(w, newcomers[0], PEER);
	assert_happened(w, "0:udp 503");
	assert_int_equal(sip_msg_parse(view_of(w->last, w->last_n), &m), 0);
	assert_int_equal(sip_msg_to(&m, &to), 0);
	(void)snprintf(
		text, sizeof(text),
		"ACK sip:b@example.com SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 10.0.0.1:5080;branch=z9hG4bK2;rport\r\nMax-Forwards: 70\r\n"
		"From: <sip:a@example.com>;tag=a\r\nTo: <sip:b@example.com>;tag=%.*s\r\n"
		"Call-ID: c1\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
		VIEW_ARG(sip_addr_tag(&to)));
	world_datagram(w, text, PEER);
	w->is_pressed = false;
	world_datagram(w, text, PEER);
	assert_happened(w, "");
	world_end(w);
}

static void test_refusing_on_a_connection(void **state)
{
	struct world *w = world_default();
	int in = world_accept(w, "192.0.2.9:40000");
	struct sip_msg m;
	char *both;

	(void)state;
	w->is_pressed = true;
	w->refuse_s = 17;
	world_stream(w, in, newcomers[0]);
	assert_happened(w, "0:tcp1 503");
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	/* Two at once are two answers in one write. */
	assert_true(asprintf(&both, "%s%s", newcomers[0], newcomers[1]) > 0);
	world_stream(w, in, both);
	assert_happened(w, "0:tcp1 503");
	assert_int_equal(sip_msg_parse(view_of(w->last, w->last_n), &m), 0);
	assert_int_equal(sip_msg_parse(view_from(view_of(w->last, w->last_n), m.raw.n), &m), 0);
	assert_true(view_eq(sip_msg_value(&m, SIP_H_CALL_ID), VIEW("c2")));
	free(both);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transactions_are_capped_with_503),
		cmocka_unit_test(test_the_last_eighth_of_the_transactions_is_for_dialogs),
		cmocka_unit_test(test_what_is_not_admitted_gets_503_and_nothing_is_kept),
		cmocka_unit_test(test_a_refusal_is_the_same_before_and_after_parsing),
		cmocka_unit_test(test_who_is_let_in_is_asked_about_once_and_stays),
		cmocka_unit_test(test_only_newcomers_are_refused),
		cmocka_unit_test(test_credentials_are_shown_to_who_decides),
		cmocka_unit_test(test_the_ACK_of_a_refusal_is_swallowed),
		cmocka_unit_test(test_refusing_on_a_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
