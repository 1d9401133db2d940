/* The stack around the transactions: Via, broken messages, connections, messages inside the
 * process. */
#include "sip_world.h"

#define PEER	"192.0.2.9:5060"
#define VIA	"SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-one"
#define VIA_TCP "SIP/2.0/TCP 192.0.2.9:5070;branch=z9hG4bK-one"

/* --- received and rport --- */

/* The topmost Via line as the user sees it, and where the answer goes. */
static void check_stamp(const char *via, const char *from, const char *seen, const char *answered)
{
	struct world *w = world_default();

	w->answer = 200;
	world_incoming(w, "MESSAGE", via, "", from);
	assert_happened(w, "0:request MESSAGE, 0:udp 200");
	assert_view(world_field(w->request, SIP_H_VIA), seen);
	assert_view(world_field(w->last, SIP_H_CALL_ID), "c1@example.org");
	assert_sent_to(w, answered);
	world_end(w);
}

static void test_received_is_added_where_the_address_differs(void **state)
{
	(void)state;
	/* RFC 3261 §18.2.1; the answer goes to the port of sent-by (§18.2.2). */
	check_stamp("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa", "192.0.2.9:5060",
		    "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa", "192.0.2.9:5060");
	check_stamp("SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bKa", "192.0.2.9:33000",
		    "SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bKa", "192.0.2.9:5080");
	check_stamp("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa", "192.0.2.9:33000",
		    "SIP/2.0/UDP 10.0.0.1;received=192.0.2.9;branch=z9hG4bKa", "192.0.2.9:5060");
	check_stamp("SIP/2.0/UDP 10.0.0.1:5080;branch=z9hG4bKa", "192.0.2.9:33000",
		    "SIP/2.0/UDP 10.0.0.1:5080;received=192.0.2.9;branch=z9hG4bKa",
		    "192.0.2.9:5080");
	check_stamp("SIP/2.0/UDP phone.example.com:5080;branch=z9hG4bKa;ttl=1", "192.0.2.9:33000",
		    "SIP/2.0/UDP phone.example.com:5080;received=192.0.2.9;branch=z9hG4bKa;ttl=1",
		    "192.0.2.9:5080");
	/* Without any parameter, and with blanks in sent-by. */
	check_stamp("SIP/2.0/UDP 10.0.0.1", "192.0.2.9:33000",
		    "SIP/2.0/UDP 10.0.0.1;received=192.0.2.9", "192.0.2.9:5060");
	check_stamp("SIP/2.0/UDP 10.0.0.1 : 5080", "192.0.2.9:33000",
		    "SIP/2.0/UDP 10.0.0.1 : 5080;received=192.0.2.9", "192.0.2.9:5080");
	check_stamp("SIP / 2.0 / UDP 10.0.0.1 : 5080 ; branch = z9hG4bKa", "192.0.2.9:33000",
		    "SIP / 2.0 / UDP 10.0.0.1 : 5080 ;received=192.0.2.9; branch = z9hG4bKa",
		    "192.0.2.9:5080");
}

static void test_rport_gets_the_port_and_received_with_it(void **state)
{
	(void)state;
	/* RFC 3581 §4: received even where it is the same. */
	check_stamp("SIP/2.0/UDP 192.0.2.9:5080;rport;branch=z9hG4bKa", "192.0.2.9:33000",
		    "SIP/2.0/UDP 192.0.2.9:5080;received=192.0.2.9;rport=33000;branch=z9hG4bKa",
		    "192.0.2.9:33000");
	check_stamp("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa;rport", "192.0.2.9:33000",
		    "SIP/2.0/UDP 10.0.0.1;received=192.0.2.9;branch=z9hG4bKa;rport=33000",
		    "192.0.2.9:33000");
	check_stamp("SIP/2.0/UDP 10.0.0.1;RPORT;branch=z9hG4bKa", "192.0.2.9:33000",
		    "SIP/2.0/UDP 10.0.0.1;received=192.0.2.9;rport=33000;branch=z9hG4bKa",
		    "192.0.2.9:33000");
	check_stamp("SIP/2.0/UDP 10.0.0.1;rport=;branch=z9hG4bKa", "192.0.2.9:33000",
		    "SIP/2.0/UDP 10.0.0.1;received=192.0.2.9;rport=33000;branch=z9hG4bKa",
		    "192.0.2.9:33000");
}

static void test_a_sender_does_not_say_what_it_looks_like_from_here(void **state)
{
	(void)state;
	check_stamp("SIP/2.0/UDP 192.0.2.9;received=203.0.113.1;branch=z9hG4bKa", "192.0.2.9:5060",
		    "SIP/2.0/UDP 192.0.2.9;received=192.0.2.9;branch=z9hG4bKa", "192.0.2.9:5060");
	check_stamp("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa;received=203.0.113.1;rport=9;x",
		    "192.0.2.9:33",
		    "SIP/2.0/UDP 10.0.0.1;received=192.0.2.9;branch=z9hG4bKa;rport=33;x",
		    "192.0.2.9:33");
}

static void test_stamping_with_IPv6(void **state)
{
	(void)state;
	check_stamp("SIP/2.0/UDP [2001:db8::9];branch=z9hG4bKa", "[2001:db8::9]:5060",
		    "SIP/2.0/UDP [2001:db8::9];branch=z9hG4bKa", "[2001:db8::9]:5060");
	check_stamp("SIP/2.0/UDP [2001:DB8:0::9]:5080;branch=z9hG4bKa", "[2001:db8::9]:33000",
		    "SIP/2.0/UDP [2001:DB8:0::9]:5080;branch=z9hG4bKa", "[2001:db8::9]:5080");
	check_stamp("SIP/2.0/UDP [fd00::1]:5080;rport;branch=z9hG4bKa", "[2001:db8::9]:33000",
		    "SIP/2.0/UDP [fd00::1]:5080;received=2001:db8::9;rport=33000;branch=z9hG4bKa",
		    "[2001:db8::9]:33000");
	/* Behind a translator. */
	check_stamp("SIP/2.0/UDP 10.0.0.1:5080;rport", "[2001:db8::9]:33000",
		    "SIP/2.0/UDP 10.0.0.1:5080;received=2001:db8::9;rport=33000",
		    "[2001:db8::9]:33000");
}

static void test_only_the_topmost_via_is_stamped_wherever_it_is_written(void **state)
{
	struct world *w = world_default();

	(void)state;
	check_stamp("SIP/2.0/UDP 10.0.0.1;rport , SIP/2.0/UDP 10.0.0.2;rport;branch=z9hG4bKb",
		    "192.0.2.9:33000",
		    "SIP/2.0/UDP 10.0.0.1;received=192.0.2.9;rport=33000 , "
		    "SIP/2.0/UDP 10.0.0.2;rport;branch=z9hG4bKb",
		    "192.0.2.9:33000");
	check_stamp("SIP/2.0/UDP 10.0.0.1,SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKb", "192.0.2.9:33000",
		    "SIP/2.0/UDP 10.0.0.1;received=192.0.2.9,SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKb",
		    "192.0.2.9:5060");
	/* Folded lines, and a second field. */
	check_stamp("SIP/2.0/UDP\r\n 10.0.0.1:5080\r\n\t;branch=z9hG4bKa\r\n ;rport\r\n"
		    "Via: SIP/2.0/UDP 10.0.0.2;rport",
		    "192.0.2.9:33000",
		    "SIP/2.0/UDP\r\n 10.0.0.1:5080\r\n\t;received=192.0.2.9;branch=z9hG4bKa\r\n "
		    ";rport=33000",
		    "192.0.2.9:33000");
	w->answer = 200;
	world_incoming(w, "MESSAGE", "SIP/2.0/UDP 10.0.0.1\r\nVia: SIP/2.0/UDP 10.0.0.2;rport", "",
		       PEER);
	assert_non_null(strstr(w->request, "Via: SIP/2.0/UDP 10.0.0.2;rport\r\n"));
	assert_non_null(strstr(w->last, "Via: SIP/2.0/UDP 10.0.0.2;rport\r\n"));
	world_end(w);
}

static void test_nothing_is_changed_where_nothing_is_missing(void **state)
{
	struct world *w = world_default();
	char *text = world_incoming_text("MESSAGE", VIA, "Subject: a\r\n  b\r\n");

	(void)state;
	world_datagram(w, text, PEER);
	assert_string_equal(w->request, text);
	free(text);
	world_end(w);
}

/* --- broken messages --- */

static void check_refused(const char *bytes, const char *happens, const char *status_line)
{
	struct world *w = world_default();

	world_datagram(w, bytes, "192.0.2.9:33000");
	assert_happened(w, happens);
	if (status_line)
		assert_true(view_starts(view_of(w->last, w->last_n), view_str(status_line)));
	world_end(w);
}

#define REST                                                                                       \
	"From: <sip:a@example.org>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: 1\r\n"             \
	"Via: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bKa\r\n"

static void test_broken_requests_are_answered_without_a_transaction(void **state)
{
	(void)state;
	check_refused("OPTIONS sip:b@example.com SIP/2.0\r\n" REST "CSeq: 1 OPTIONS\r\n"
		      "Content-Length: 9\r\n\r\nshort",
		      "0:udp 400", "SIP/2.0 400 Body Shorter Than Content-Length");
	/* RFC 4475 §3.3.1: Via, Call-ID and CSeq will do for an answer. */
	check_refused(
		"OPTIONS sip:b@example.com SIP/2.0\r\nTo: <sip:b@example.com>\r\nCall-ID: 1\r\n"
		"Via: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bKa\r\nCSeq: 1 OPTIONS\r\n\r\n",
		"0:udp 400", "SIP/2.0 400 Missing From");
	check_refused("OPTIONS sip:b@example.com SIP/2.0\r\n" REST
		      "CSeq: 1 OPTIONS\r\nno colon\r\n\r\n",
		      "0:udp 400", "SIP/2.0 400 ");
	check_refused("OPTIONS sip:b@example.com SIP/2.0\r\n" REST "CSeq: 1 INFO\r\n\r\n",
		      "0:udp 400", "SIP/2.0 400 CSeq method mismatch");
	check_refused("OPTIONS sip:b@example.com SIP/7.0\r\n" REST "CSeq: 1 OPTIONS\r\n\r\n",
		      "0:udp 505", "SIP/2.0 505 ");
	/* What cannot be answered is not: an ACK, a response, one whose fields do not say to whom.
	 */
	check_refused("ACK sip:b@example.com SIP/7.0\r\n" REST "CSeq: 1 ACK\r\n\r\n", "", NULL);
	check_refused("SIP/7.0 200 OK\r\n" REST "CSeq: 1 OPTIONS\r\n\r\n", "", NULL);
	check_refused("OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1\r\n\r\n", "",
		      NULL);
	check_refused("hello, are you there?", "", NULL);
	check_refused("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "", NULL);
}

/* An answer repeats Via, From, To and Call-ID: where no message can hold what stands in them, there
 * is none. The Via is said by who sent it, so it could go to anybody. */
static void test_what_cannot_be_repeated_is_not_answered(void **state)
{
	static const char bytes[] =
		"OPTIONS sip:b@example.com SIP/2.0\r\n"
		"From: <sip:a@example.org>;tag=1\r\nTo: <sip:b\0@example.com>\r\n"
		"Call-ID: 1\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa\r\n"
		"CSeq: 1 OPTIONS\r\n\r\n";
	struct world *w = world_default();
	struct addr from;

	(void)state;
	assert_int_equal(addr_parse_hostport(VIEW("192.0.2.9:33000"), 5060, &from), 0);
	sip_stack_datagram(w->stack, view_of(bytes, sizeof(bytes) - 1), &from, w->now);
	assert_happened(w, "");
	world_end(w);
}

static void test_too_many_fields_are_513(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_puts(&b, "OPTIONS sip:b@example.com SIP/2.0\r\n" REST "CSeq: 1 OPTIONS\r\n");
	for (int i = 0; i < SIP_FIELDS_MAX; i++)
		buf_puts(&b, "X: y\r\n");
	buf_put(&b, view_of("\r\n", 3));
	check_refused(b.p, "0:udp 513", "SIP/2.0 513 ");
	buf_fini(&b);
}

static void test_a_stateless_answer_finds_its_way_and_is_the_same_twice(void **state)
{
	const char *bytes = "OPTIONS sip:b@example.com SIP/2.0\r\n" REST "CSeq: 1 INFO\r\n\r\n";
	struct world *w = world_default();
	char *first;

	(void)state;
	world_datagram(w, bytes, "192.0.2.9:33000");
	first = view_dup(view_of(w->last, w->last_n));
	assert_sent_to(w, "192.0.2.9:33000");
	assert_view(world_field(first, SIP_H_VIA),
		    "SIP/2.0/UDP 10.0.0.1;received=192.0.2.9;rport=33000;branch=z9hG4bKa");
	world_datagram(w, bytes, "192.0.2.9:33000");
	/* RFC 3261 §8.2.7: the same To tag, though nothing is remembered. */
	assert_string_equal(first, w->last);
	assert_non_null(strstr(first, ";tag="));
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	free(first);
	world_end(w);
}

static void test_keep_alives_of_datagrams_are_nothing(void **state)
{
	struct world *w = world_default();
	struct addr from = world_addr(PEER);

	(void)state;
	world_datagram(w, "", PEER);
	world_datagram(w, "\r\n\r\n", PEER);
	sip_stack_datagram(w->stack, view_of("\0\0\0\0", 4), &from, w->now);
	world_datagram(w, "jaK", PEER);
	assert_happened(w, "");
	world_end(w);
}

/* --- connections --- */

static char *tcp_text(const char *method, const char *branch)
{
	char *via = NULL, *text;

	assert_true(asprintf(&via, "SIP/2.0/TCP 192.0.2.9;branch=%s", branch) > 0);
	text = world_incoming_text(method, via, "");
	free(via);
	return text;
}

static void test_a_stream_in_one_piece_and_byte_by_byte(void **state)
{
	struct world *w = world_default();
	char *a = tcp_text("OPTIONS", "z9hG4bK1"), *b = tcp_text("MESSAGE", "z9hG4bK2"),
	     *both = NULL;
	int in = world_accept(w, "192.0.2.9:40000");

	(void)state;
	w->answer = 200;
	assert_true(asprintf(&both, "%s\r\n%s", a, b) > 0);
	world_stream(w, in, both);
	assert_happened(w, "0:request OPTIONS, 0:tcp1 200, 0:request MESSAGE, 0:tcp1 200");
	world_run(w, 1);
	assert_happened(w, "0:gone, 0:gone");
	for (const char *p = both; *p; p++)
		sip_conn_recv(w->link[in].conn, view_of(p, 1), w->now);
	assert_happened(w, "1:request OPTIONS, 1:tcp1 200, 1:request MESSAGE, 1:tcp1 200");
	free(a);
	free(b);
	free(both);
	world_end(w);
}

static void test_ping_gets_pong(void **state)
{
	struct world *w = world_default();
	struct addr to = world_addr(PEER);
	int in = world_accept(w, "192.0.2.9:40000");
	uint64_t id;

	(void)state;
	/* RFC 5626 §3.5.1 */
	world_stream(w, in, "\r\n\r\n");
	assert_happened(w, "0:tcp1 CRLF");
	world_stream(w, in, "\r\n");
	world_stream(w, in, "\r");
	assert_happened(w, "");
	world_stream(w, in, "\n");
	assert_happened(w, "0:tcp1 CRLF");
	/* And the other way round. */
	id = sip_stack_conn_open(w->stack, SIP_TCP, &to, w->now);
	assert_int_not_equal(id, 0);
	assert_int_equal(sip_stack_keepalive(w->stack, id), 0);
	assert_happened(w, "0:connect2 tcp, 0:tcp2 CRLFCRLF");
	sip_conn_up(w->link[2].conn, w->now);
	world_stream(w, 2, "\r\n");
	assert_int_equal(sip_stack_conn_open(w->stack, SIP_TCP, &to, w->now), id);
	world_break(w, 2);
	assert_int_equal(sip_stack_keepalive(w->stack, id), E_CLOSED);
	assert_happened(w, "0:lost");
	w->refuse_connect = true;
	assert_int_equal(sip_stack_conn_open(w->stack, SIP_TCP, &to, w->now), 0);
	world_end(w);
}

static void test_a_broken_stream_costs_its_own_connection_only(void **state)
{
	struct world *w = world_default();
	int a = world_accept(w, "192.0.2.9:40000"), b = world_accept(w, "192.0.2.9:40001");
	char *text = tcp_text("OPTIONS", "z9hG4bK1"), *at;

	(void)state;
	w->answer = 200;
	world_stream(w, b, text);
	assert_happened(w, "0:request OPTIONS, 0:tcp2 200");
	/* No Content-Length (RFC 3261 §18.3, §20.14): answered, never handed on. */
	at = strstr(text, "Content-Length");
	memcpy(at, "\r\n", 3);
	world_stream(w, a, text);
	assert_happened(w, "0:tcp1 400, 0:close1, 0:lost");
	assert_null(w->link[a].conn);
	assert_non_null(w->link[b].conn);
	free(text);
	text = tcp_text("OPTIONS", "z9hG4bK2");
	world_stream(w, b, text);
	assert_happened(w, "0:request OPTIONS, 0:tcp2 200");
	world_stream(w, b, "OPTIONS x\rSIP/2.0\r\nContent-Length: x\r\n\r\n");
	assert_happened(w, "0:close2, 0:lost");
	free(text);
	world_end(w);
}

static void test_a_message_past_the_cap_is_413_and_ends_the_connection(void **state)
{
	struct world *w = world_new();
	int in;

	(void)state;
	w->cfg.max_message = 2000;
	world_begin(w);
	in = world_accept(w, "192.0.2.9:40000");
	world_stream(w, in,
		     "MESSAGE sip:b@example.com SIP/2.0\r\n" REST
		     "CSeq: 1 MESSAGE\r\nContent-Length: 3000\r\n\r\n");
	assert_happened(w, "0:tcp1 413, 0:close1, 0:lost");
	world_end(w);
}

static void test_a_broken_message_in_a_whole_frame_costs_nothing(void **state)
{
	struct world *w = world_default();
	int in = world_accept(w, "192.0.2.9:40000");
	char *text = tcp_text("OPTIONS", "z9hG4bK1");

	(void)state;
	world_stream(w, in,
		     "OPTIONS sip:b@example.com SIP/2.0\r\n" REST
		     "CSeq: 1 INFO\r\nContent-Length: 0\r\n\r\n");
	world_stream(w, in,
		     "OPTIONS sip:b@example.com SIP/3.0\r\n" REST
		     "CSeq: 1 OPTIONS\r\nContent-Length: 2\r\n\r\nab");
	world_stream(w, in, text);
	assert_happened(w, "0:tcp1 400, 0:tcp1 505, 0:request OPTIONS");
	free(text);
	world_end(w);
}

static void test_a_connection_that_shows_no_message_goes(void **state)
{
	struct world *w = world_default();
	char *text = tcp_text("OPTIONS", "z9hG4bK1");

	(void)state;
	world_accept(w, "192.0.2.9:40000");
	world_accept(w, "192.0.2.9:40001");
	world_run(w, 1000);
	world_stream(w, 1, "\r\n\r\nOPTI");
	world_stream(w, 2, text);
	world_run(w, 29999);
	assert_happened(w, "1000:tcp1 CRLF, 1000:request OPTIONS, 4500:tcp2 100");
	world_run(w, 90000);
	assert_happened(w, "30000:close1, 30000:lost, 33000:gone");
	assert_non_null(w->link[2].conn);
	free(text);
	world_end(w);
}

static void test_a_connection_on_which_nothing_happens_goes(void **state)
{
	struct world *w = world_new();
	struct sip_flow to = world_flow(SIP_TCP, "192.0.2.7:5060");
	char *text = tcp_text("OPTIONS", "z9hG4bK1");

	(void)state;
	w->cfg.conn_quiet_ms = 20000;
	w->answer = 200;
	world_begin(w);
	world_accept(w, "192.0.2.9:40000");
	world_stream(w, 1, text);
	assert_happened(w, "0:request OPTIONS, 0:tcp1 200");
	world_run(w, 19000);
	assert_happened(w, "0:gone");
	/* A keep-alive is a sign of life. */
	world_stream(w, 1, "\r\n\r\n");
	world_run(w, 38999);
	assert_happened(w, "19000:tcp1 CRLF");
	world_run(w, 39000);
	assert_happened(w, "39000:close1, 39000:lost");
	/* One of our own making; and who waits for an answer on it keeps it. */
	world_send(w, "INVITE", "", 0, &to);
	sip_conn_up(w->link[2].conn, w->now);
	assert_happened(w, "39000:connect2 tcp, 39000:tcp2 INVITE");
	world_run(w, 78999);
	assert_happened(w, "71000:failed E_TIMEOUT, 71000:gone");
	world_run(w, 79000);
	assert_happened(w, "79000:close2, 79000:lost");
	free(text);
	world_end(w);
}

static void test_RFC_3261_18_1_1__a_large_ack_goes_by_tcp(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, "192.0.2.7:5060");
	struct buf b;

	(void)state;
	buf_init(&b, 8192);
	buf_puts(&b,
		 "ACK sip:b@example.com SIP/2.0\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\n"
		 "Call-ID: 1\r\nCSeq: 1 ACK\r\nContent-Length: 1400\r\n\r\n");
	for (int i = 0; i < 1400; i++)
		buf_putc(&b, 'x');
	/* Where the flow may not grow, it does not. */
	assert_int_equal(sip_stack_send_ack(w->stack, buf_view(&b), &to, w->now), 0);
	assert_happened(w, "0:udp ACK");
	to.may_grow = true;
	assert_int_equal(sip_stack_send_ack(w->stack, buf_view(&b), &to, w->now), 0);
	assert_happened(w, "0:connect1 tcp, 0:tcp1 ACK");
	assert_non_null(strstr(w->last, "Via: SIP/2.0/TCP "));
	/* It is up: no UDP any more, whatever happens then. */
	sip_conn_up(w->link[1].conn, w->now);
	assert_int_equal(sip_stack_send_ack(w->stack, buf_view(&b), &to, w->now), 0);
	assert_happened(w, "0:tcp1 ACK");
	world_break(w, 1);
	assert_happened(w, "0:lost");
	/* It does not come about: by UDP after all. */
	assert_int_equal(sip_stack_send_ack(w->stack, buf_view(&b), &to, w->now), 0);
	assert_happened(w, "0:connect2 tcp, 0:tcp2 ACK");
	world_refuse(w, 2);
	assert_happened(w, "0:udp ACK, 0:lost");
	assert_non_null(strstr(w->last, "Via: SIP/2.0/UDP "));
	w->refuse_connect = true;
	assert_int_equal(sip_stack_send_ack(w->stack, buf_view(&b), &to, w->now), 0);
	assert_happened(w, "0:connect refused, 0:udp ACK");
	/* The stack may go while one waits. */
	w->refuse_connect = false;
	assert_int_equal(sip_stack_send_ack(w->stack, buf_view(&b), &to, w->now), 0);
	buf_fini(&b);
	world_end(w);
}

static void test_connections_are_capped(void **state)
{
	struct world *w = world_new();
	struct sip_flow to = world_flow(SIP_TCP, "192.0.2.7:5060");

	(void)state;
	w->cfg.max_conns = 2;
	world_begin(w);
	assert_int_not_equal(world_accept(w, "192.0.2.9:1"), 0);
	assert_int_not_equal(world_accept(w, "192.0.2.9:2"), 0);
	assert_int_equal(world_accept(w, "192.0.2.9:3"), 0);
	world_send(w, "MESSAGE", "", 0, &to);
	world_run(w, 0);
	assert_happened(w, "0:failed E_IO, 0:gone");
	world_break(w, 1);
	world_send(w, "MESSAGE", "", 0, &to);
	assert_happened(w, "0:lost, 0:connect4 tcp, 0:tcp4 MESSAGE");
	world_end(w);
}

/* --- inside the process --- */

static void test_local_messages_come_in_order_and_never_at_once(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = {.transport = SIP_LOCAL};

	(void)state;
	world_send(w, "INVITE", "", 0, &to);
	world_send(w, "MESSAGE", "", 0, &to);
	world_send(w, "OPTIONS", "", 0, &to);
	assert_happened(w, "");
	timers_run(&w->timers, w->now);
	assert_happened(w, "0:request INVITE, 0:request MESSAGE, 0:request OPTIONS");
	assert_int_equal(sip_server_tx_flow(w->tx[0])->transport, SIP_LOCAL);
	assert_int_equal(sip_server_tx_reply(w->tx[2], 200, NULL, VIEW(""), w->now), 0);
	assert_int_equal(sip_server_tx_reply(w->tx[0], 180, NULL, VIEW(""), w->now), 0);
	assert_int_equal(sip_server_tx_reply(w->tx[0], 486, NULL, VIEW(""), w->now), 0);
	assert_happened(w, "");
	timers_run(&w->timers, w->now);
	/* Timers J and K are zero here as well; the ACK is on its way. */
	assert_happened(w, "0:told 200, 0:told 180, 0:told 486, 0:gone");
	timers_run(&w->timers, w->now);
	timers_run(&w->timers, w->now);
	assert_happened(w, "0:gone, 0:gone, 0:gone");
	assert_int_equal(sip_stack_tx_count(w->stack), 2);
	world_run(w, 40000);
	assert_happened(w, "32000:failed E_TIMEOUT, 32000:gone, 32000:gone");
	world_end(w);
}

static void test_local_2xx_and_ack(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = {.transport = SIP_LOCAL};
	char *ack = world_request_text("ACK", "", 0);

	(void)state;
	w->answer = 200;
	world_send(w, "INVITE", "", 0, &to);
	world_run(w, 1);
	assert_happened(w, "0:request INVITE, 0:told 200");
	assert_int_equal(sip_stack_send_ack(w->stack, view_str(ack), &to, w->now), 0);
	assert_happened(w, "");
	world_run(w, 2);
	assert_happened(w, "1:ack");
	world_run(w, 40000);
	assert_happened(w, "32000:gone, 32000:gone");
	free(ack);
	world_end(w);
}

static void test_local_messages_left_over_are_freed_with_the_stack(void **state)
{
	struct world *w = world_new();
	struct sip_flow to = {.transport = SIP_LOCAL};
	char *ack = world_request_text("ACK", "", 0);
	int n = 0;

	(void)state;
	w->cfg.max_tx = 10;
	world_begin(w);
	/* The queue has an end. */
	while (n < 1000 && sip_stack_send_ack(w->stack, view_str(ack), &to, w->now) == 0)
		n++;
	assert_in_range(n, 10, 100);
	timers_run(&w->timers, w->now);
	assert_int_equal(sip_stack_send_ack(w->stack, view_str(ack), &to, w->now), 0);
	free(ack);
	world_end(w);
}

/* --- small things --- */

static void test_ack_to_a_2xx_goes_out_with_a_via_of_its_own(void **state)
{
	struct world *w = world_default();
	struct sip_flow to = world_flow(SIP_UDP, PEER), tcp = world_flow(SIP_TCP, PEER);
	char *ack = world_request_text("ACK", "", 0);
	struct sip_via via;
	struct sip_msg m;
	char *first;

	(void)state;
	assert_int_equal(sip_stack_send_ack(w->stack, view_str(ack), &to, w->now), 0);
	assert_int_equal(sip_msg_parse(view_of(w->last, w->last_n), &m), 0);
	assert_int_equal(sip_msg_top_via(&m, &via), 0);
	assert_true(view_starts(via.branch, VIEW("z9hG4bK")));
	first = view_dup(via.branch);
	assert_int_equal(sip_stack_send_ack(w->stack, view_str(ack), &to, w->now), 0);
	assert_int_equal(sip_msg_parse(view_of(w->last, w->last_n), &m), 0);
	assert_int_equal(sip_msg_top_via(&m, &via), 0);
	assert_false(view_eq(via.branch, view_str(first)));
	assert_happened(w, "0:udp ACK, 0:udp ACK");
	assert_int_equal(sip_stack_send_ack(w->stack, VIEW("ACK"), &to, w->now), E_SYNTAX);
	w->refuse_connect = true;
	assert_int_equal(sip_stack_send_ack(w->stack, view_str(ack), &tcp, w->now), E_IO);
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	free(first);
	free(ack);
	world_end(w);
}

static void test_next_hop_of_a_uri(void **state)
{
	static const struct {
		const char *uri;
		int rc;
		enum sip_transport transport;
		const char *remote;
		bool may_grow;
	} rows[] = {
		{"sip:a@192.0.2.9", 0, SIP_UDP, "192.0.2.9:5060", true},
		{"sip:a@192.0.2.9:5080;transport=udp", 0, SIP_UDP, "192.0.2.9:5080", true},
		{"sip:a@192.0.2.9;transport=TCP", 0, SIP_TCP, "192.0.2.9:5060", false},
		{"sip:a@192.0.2.9;transport=tls", 0, SIP_TLS, "192.0.2.9:5061", false},
		{"sips:a@[2001:db8::9]", 0, SIP_TLS, "[2001:db8::9]:5061", true},
		{"sips:a@192.0.2.9:5071;transport=tcp", 0, SIP_TLS, "192.0.2.9:5071", false},
		{"sip:a@example.com;maddr=192.0.2.8", 0, SIP_UDP, "192.0.2.8:5060", true},
		{"sip:a@example.com", E_ADDRESS, 0, NULL, false},
		{"sip:a@192.0.2.9;transport=sctp", E_UNSUPPORTED, 0, NULL, false},
		{"tel:+15551234", E_UNSUPPORTED, 0, NULL, false},
		{"mailto:a@example.com", E_UNSUPPORTED, 0, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_flow flow = {0};
		struct sip_uri u;
		char text[ADDR_TEXT_MAX];

		assert_int_equal(sip_uri_parse(view_str(rows[i].uri), &u), 0);
		assert_int_equal(sip_flow_of_uri(&u, &flow), rows[i].rc);
		if (rows[i].rc)
			continue;
		assert_int_equal(flow.transport, rows[i].transport);
		assert_string_equal(addr_text(&flow.remote, text), rows[i].remote);
		assert_int_equal(flow.may_grow, rows[i].may_grow);
		assert_int_equal(flow.conn, 0);
	}
}

static void test_own_addresses(void **state)
{
	struct world *w = world_new();
	char text[ADDR_TEXT_MAX];

	(void)state;
	w->cfg.sent_by[SIP_TLS][1] = w->cfg.sent_by[SIP_TCP][0] = w->cfg.sent_by[SIP_TCP][1] =
		(struct addr){0};
	world_begin(w);
	assert_true(sip_stack_is_own(w->stack, VIEW("192.0.2.1"), 0));
	assert_true(sip_stack_is_own(w->stack, VIEW("192.0.2.1"), 5061));
	assert_true(sip_stack_is_own(w->stack, VIEW("[2001:db8::1]"), 5060));
	assert_false(sip_stack_is_own(w->stack, VIEW("192.0.2.1"), 5062));
	assert_false(sip_stack_is_own(w->stack, VIEW("192.0.2.2"), 0));
	assert_false(sip_stack_is_own(w->stack, VIEW("example.com"), 0));
#define SENT_BY(t, f) addr_text(sip_stack_sent_by(w->stack, t, f), text)
	assert_string_equal(SENT_BY(SIP_UDP, 6), "[2001:db8::1]:5060");
	assert_string_equal(SENT_BY(SIP_TLS, 4), "192.0.2.1:5061");
	/* The other family, and the datagram socket's, where there is nothing better. */
	assert_string_equal(SENT_BY(SIP_TLS, 6), "192.0.2.1:5061");
	assert_string_equal(SENT_BY(SIP_TCP, 6), "[2001:db8::1]:5060");
	assert_string_equal(SENT_BY(SIP_LOCAL, 4), "192.0.2.1:5060");
#undef SENT_BY
	assert_string_equal(sip_transport_text(SIP_TLS), "TLS");
	assert_ptr_equal(sip_stack_entropy(w->stack), &w->entropy);
	assert_ptr_equal(sip_stack_timers(w->stack), &w->timers);
	assert_null(sip_stack_log(w->stack));
	assert_int_equal(sip_stack_get_config(w->stack)->t1_ms, 500);
	world_end(w);
}

static void on_trace(void *ctx, bool out, const struct sip_flow *flow, struct view bytes)
{
	char name[32];

	world_note(ctx, "%s %s %s", out ? "out" : "in", sip_transport_text(flow->transport),
		   world_name(bytes, name));
}

static void test_trace_sees_the_wire_and_not_the_process(void **state)
{
	struct world *w = world_new();
	struct sip_stack_ops ops = {.udp_send = world_udp_send,
				    .write = world_write,
				    .close = world_close,
				    .on_request = world_on_request,
				    .on_ack = world_on_ack,
				    .trace = on_trace,
				    .ctx = w};
	struct sip_flow local = {.transport = SIP_LOCAL};
	char *text = tcp_text("OPTIONS", "z9hG4bK1");

	(void)state;
	w->stack = sip_stack_new(&w->cfg, &ops, &w->timers, &w->entropy, NULL);
	assert_non_null(w->stack);
	w->answer = 200;
	world_incoming(w, "MESSAGE", "SIP/2.0/UDP 10.0.0.1;rport", "", PEER);
	assert_happened(w, "0:in UDP MESSAGE, 0:request MESSAGE, 0:out UDP 200, 0:udp 200");
	world_accept(w, "192.0.2.9:40000");
	world_stream(w, 1, text);
	assert_happened(w, "0:in TCP OPTIONS, 0:request OPTIONS, 0:out TCP 200, 0:tcp1 200");
	world_send(w, "MESSAGE", "", 0, &local);
	world_run(w, 1);
	assert_happened(w, "0:gone, 0:request MESSAGE, 0:told 200, 0:gone, 0:gone");
	world_break(w, 1); /* on_conn_down may be NULL */
	free(text);
	world_end(w);
}

static void test_freeing_the_stack_closes_and_tells_once(void **state)
{
	struct world *w = world_default();
	char *text = tcp_text("INVITE", "z9hG4bK1");

	(void)state;
	world_accept(w, "192.0.2.9:40000");
	world_stream(w, 1, text);
	world_stream(w, 1, "OPTIONS sip:x"); /* half a message */
	world_incoming(w, "MESSAGE", VIA, "", PEER);
	assert_non_null(w->tx[1]);
	assert_int_equal(sip_server_tx_reply(w->tx[1], 200, NULL, VIEW(""), w->now), 0);
	assert_happened(w, "0:request INVITE, 0:request MESSAGE, 0:udp 200");
	sip_stack_free(w->stack);
	w->stack = NULL;
	assert_happened(w, "0:gone, 0:gone, 0:close1");
	assert_null(w->tx[0]);
	assert_null(w->tx[1]);
	sip_stack_free(NULL);
	free(text);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_received_is_added_where_the_address_differs),
		cmocka_unit_test(test_rport_gets_the_port_and_received_with_it),
		cmocka_unit_test(test_a_sender_does_not_say_what_it_looks_like_from_here),
		cmocka_unit_test(test_stamping_with_IPv6),
		cmocka_unit_test(test_only_the_topmost_via_is_stamped_wherever_it_is_written),
		cmocka_unit_test(test_nothing_is_changed_where_nothing_is_missing),
		cmocka_unit_test(test_broken_requests_are_answered_without_a_transaction),
		cmocka_unit_test(test_what_cannot_be_repeated_is_not_answered),
		cmocka_unit_test(test_too_many_fields_are_513),
		cmocka_unit_test(test_a_stateless_answer_finds_its_way_and_is_the_same_twice),
		cmocka_unit_test(test_keep_alives_of_datagrams_are_nothing),
		cmocka_unit_test(test_a_stream_in_one_piece_and_byte_by_byte),
		cmocka_unit_test(test_ping_gets_pong),
		cmocka_unit_test(test_a_broken_stream_costs_its_own_connection_only),
		cmocka_unit_test(test_a_message_past_the_cap_is_413_and_ends_the_connection),
		cmocka_unit_test(test_a_broken_message_in_a_whole_frame_costs_nothing),
		cmocka_unit_test(test_a_connection_that_shows_no_message_goes),
		cmocka_unit_test(test_a_connection_on_which_nothing_happens_goes),
		cmocka_unit_test(test_RFC_3261_18_1_1__a_large_ack_goes_by_tcp),
		cmocka_unit_test(test_connections_are_capped),
		cmocka_unit_test(test_local_messages_come_in_order_and_never_at_once),
		cmocka_unit_test(test_local_2xx_and_ack),
		cmocka_unit_test(test_local_messages_left_over_are_freed_with_the_stack),
		cmocka_unit_test(test_ack_to_a_2xx_goes_out_with_a_via_of_its_own),
		cmocka_unit_test(test_next_hop_of_a_uri),
		cmocka_unit_test(test_own_addresses),
		cmocka_unit_test(test_trace_sees_the_wire_and_not_the_process),
		cmocka_unit_test(test_freeing_the_stack_closes_and_tells_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
