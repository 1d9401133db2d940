/* src/client/registration.c and keepalive.c against a server made of strings, on a virtual clock.
 */
#include "client/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "io/digest.h"
#include "sip/stun.h"
#include "sip/write.h"

static struct {
	struct timers timers;
	uint64_t now, random;
	struct client *client;
	struct sip_conn *conn; /* NULL: none */
	struct buf out, udp;   /* what the client wrote; udp: the last datagram */
	unsigned n_connects, n_closed, n_udp, n_registered, n_lost;
	struct addr server;
} w;

static void fill(void *ctx, void *dst, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		w.random = w.random * 6364136223846793005u + 1442695040888963407u;
		((unsigned char *)dst)[i] = (unsigned char)(w.random >> 56);
	}
}

static void udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	(void)ctx;
	assert_true(addr_eq(to, &w.server));
	buf_reset(&w.udp);
	buf_put(&w.udp, bytes);
	w.n_udp++;
}

static void *tcp_connect(void *ctx, struct sip_conn *conn, enum sip_transport t,
			 const struct addr *to)
{
	(void)ctx;
	(void)to;
	assert_int_equal(t, SIP_TCP);
	w.conn = conn;
	w.n_connects++;
	return &w;
}

static void tcp_write(void *ctx, void *handle, struct view bytes)
{
	(void)ctx;
	(void)handle;
	buf_put(&w.out, bytes);
}

static void tcp_close(void *ctx, void *handle)
{
	(void)ctx;
	(void)handle;
	w.conn = NULL;
	w.n_closed++;
}

static void on_event(void *ctx, const struct confab_event *ev)
{
	(void)ctx;
	w.n_registered += ev->type == CONFAB_REGISTERED;
	w.n_lost += ev->type == CONFAB_CONNECTION && strcmp(ev->text, "lost") == 0;
}

static void start(enum sip_transport t)
{
	struct client_config cfg = {.user = VIEW("sip:ann@example.com"),
				    .password = VIEW("x"),
				    .server = {.transport = t},
				    .register_expires = 600000,
				    .max_conversations = 8,
				    .drain_ms = 5000};
	struct client_world world = {.udp_send = udp_send,
				     .sip_connect = tcp_connect,
				     .sip_write = tcp_write,
				     .sip_close = tcp_close,
				     .event = on_event};
	static const struct entropy entropy = {.fill = fill};

	memset(&w, 0, sizeof(w));
	buf_init(&w.out, 1 << 20);
	buf_init(&w.udp, 1 << 16);
	w.now = 1000;
	w.random = 7;
	timers_init(&w.timers, w.now);
	assert_int_equal(addr_parse_hostport(VIEW("192.0.2.1:5060"), 0, &w.server), 0);
	cfg.server.remote = w.server;
	for (int i = 0; i < 3; i++)
		assert_int_equal(addr_parse_hostport(VIEW("192.0.2.9:5070"), 0, &cfg.sip_local[i]),
				 0);
	cfg.msrp_local = cfg.sip_local[0];
	w.client = client_new(&cfg, &world, io_digest(), &w.timers, &entropy, NULL);
	assert_non_null(w.client);
	client_register(w.client, w.now);
}

static void stop(void)
{
	client_free(w.client);
	buf_fini(&w.out);
	buf_fini(&w.udp);
}

/* Time goes on, timer by timer. */
static void wait(uint64_t ms)
{
	uint64_t until = w.now + ms;

	while (timers_next(&w.timers) <= until) {
		if (timers_next(&w.timers) > w.now)
			w.now = timers_next(&w.timers);
		timers_run(&w.timers, w.now);
	}
	w.now = until;
	timers_run(&w.timers, w.now);
}

/* Answers the request in `bytes`. */
static void answer(struct view bytes, const char *extra)
{
	struct sip_msg m;
	struct buf b;

	assert_int_equal(sip_msg_parse(bytes, &m), 0);
	assert_int_equal(m.method, SIP_REGISTER);
	buf_init(&b, 65536);
	sip_write_response_head(&b, &m, 200, NULL, VIEW("tag"));
	sip_write_field(&b, "Contact", sip_msg_value(&m, SIP_H_CONTACT));
	buf_puts(&b, extra);
	sip_write_body(&b, VIEW(""), VIEW(""));
	assert_true(buf_ok(&b));
	if (w.conn)
		sip_conn_recv(w.conn, buf_view(&b), w.now);
	else
		sip_stack_datagram(client_stack(w.client), buf_view(&b), &w.server, w.now);
	buf_fini(&b);
}

static void registered_by_tcp(const char *extra)
{
	assert_non_null(w.conn);
	sip_conn_up(w.conn, w.now);
	answer(buf_view(&w.out), extra);
	buf_reset(&w.out);
}

static bool is_ping(void)
{
	return view_eq(buf_view(&w.out), VIEW("\r\n\r\n"));
}

static void down(void)
{
	struct sip_conn *c = w.conn;

	w.conn = NULL;
	buf_reset(&w.out);
	sip_conn_down(c, w.now);
}

static void no_connection_for(unsigned attempts)
{
	uint64_t least = 250, began;

	for (unsigned i = 0; i < attempts; i++) {
		unsigned before = w.n_connects;

		assert_non_null(w.conn);
		down();
		began = w.now;
		while (w.n_connects == before && w.now - began <= 2 * least + 2)
			wait(1);
		/* Doubled each time, and between half of it and all of it (RFC 5626 §4.5). */
		assert_in_range(w.now - began, least, 2 * least + 2);
		least = least * 2 > 15000 ? 15000 : least * 2;
	}
}

static void test_RFC5626_4_5__a_server_that_is_away_is_not_hammered(void **state)
{
	(void)state;
	start(SIP_TCP);
	no_connection_for(10);
	registered_by_tcp("");
	assert_int_equal(w.n_registered, 1);
	/* Registered and lost: at once, or nearly so. */
	down();
	assert_int_equal(w.n_lost, 1);
	wait(201);
	/* And anew from the shortest wait on. */
	no_connection_for(4);
	stop();
}

static void test_a_missing_pong_gives_the_connection_up(void **state)
{
	(void)state;
	start(SIP_TCP);
	registered_by_tcp("");
	assert_int_equal(w.n_registered, 1);
	for (int i = 0; i < 3; i++) {
		uint64_t begin = w.now;

		while (!w.out.n && w.now - begin <= 110100)
			wait(100);
		if (!is_ping())
			fail_msg("%d %.*s", i, (int)w.out.n, w.out.p);
		assert_in_range(w.now - begin, 88000, 110100);
		buf_reset(&w.out);
		if (i < 2)
			sip_conn_recv(w.conn, VIEW("\r\n"), w.now);
	}
	wait(9000);
	assert_int_equal(w.n_closed, 0);
	wait(25000);
	assert_int_equal(w.n_closed, 1);
	assert_int_equal(w.n_lost, 1);
	/* A new connection, and a REGISTER on it. */
	assert_int_equal(w.n_connects, 2);
	registered_by_tcp("");
	assert_int_equal(w.n_registered, 2);
	stop();
}

static void test_a_server_that_never_answered_is_not_held_to_it(void **state)
{
	(void)state;
	start(SIP_TCP);
	registered_by_tcp("");
	wait(1000000);
	assert_int_equal(w.n_closed, 0);
	assert_true(w.out.n >= 4 * 7);
	stop();
}

static void test_flow_timer_of_the_registrar(void **state)
{
	(void)state;
	start(SIP_TCP);
	registered_by_tcp("Flow-Timer: 20\r\n");
	wait(15999);
	assert_int_equal(w.out.n, 0);
	wait(4001);
	assert_true(is_ping());
	stop();
}

static void stun_answer(const char *mapped)
{
	struct stun s;
	struct addr a;
	struct buf b;

	assert_int_equal(stun_parse(buf_view(&w.udp), &s), 0);
	assert_int_equal(s.class, STUN_REQUEST);
	assert_int_equal(addr_parse_hostport(view_str(mapped), 0, &a), 0);
	buf_init(&b, STUN_BYTES_MAX);
	stun_write_answer(&b, &s, &a);
	sip_stack_datagram(client_stack(w.client), buf_view(&b), &w.server, w.now);
	buf_fini(&b);
}

static void test_stun_over_udp(void **state)
{
	(void)state;
	start(SIP_UDP);
	answer(buf_view(&w.udp), "");
	w.n_udp = 0;
	wait(21599);
	assert_int_equal(w.n_udp, 0);
	wait(5401);
	assert_true(w.n_udp >= 1);
	stun_answer("203.0.113.5:1024");
	w.n_udp = 0;
	wait(27001);
	stun_answer("203.0.113.5:1024");
	assert_int_equal(w.n_registered, 1);
	/* The NAT has forgotten us: the address is another one, and the registrar is told. */
	wait(27001);
	stun_answer("203.0.113.5:1025");
	w.n_udp = 0;
	wait(1);
	answer(buf_view(&w.udp), "");
	assert_int_equal(w.n_registered, 2);
	/* No answer any more: seven tries, then a REGISTER. */
	w.n_udp = 0;
	wait(27001 + 500 + 1000 + 2000 + 4000 + 8000 + 16000 + 32000);
	assert_int_equal(w.n_lost, 1);
	answer(buf_view(&w.udp), "");
	assert_int_equal(w.n_registered, 3);
	stop();
}

static void test_a_stranger_s_answer_does_not_count(void **state)
{
	struct stun s;
	struct buf b;

	(void)state;
	start(SIP_UDP);
	answer(buf_view(&w.udp), "");
	wait(27001);
	stun_answer("203.0.113.5:1024");
	wait(27001);
	assert_int_equal(stun_parse(buf_view(&w.udp), &s), 0);
	s.id[3] ^= 1;
	buf_init(&b, STUN_BYTES_MAX);
	stun_write_answer(&b, &s, &w.server);
	sip_stack_datagram(client_stack(w.client), buf_view(&b), &w.server, w.now);
	buf_fini(&b);
	wait(70000);
	assert_int_equal(w.n_lost, 1);
	stop();
}

static void test_IC_7_1_1_6__requests_follow_the_service_route(void **state)
{
	static const char route[] = "\r\nRoute: <sip:p1.example.com;lr>\r\n"
				    "Route: <sip:s1.example.com;lr;orig>\r\n";
	struct view uri = VIEW("sip:bo@example.com");
	uint32_t chat;

	(void)state;
	start(SIP_TCP);
	assert_true(view_find_view(buf_view(&w.out), VIEW("Supported: path\r\n"), 0) < w.out.n);
	registered_by_tcp(
		"Service-Route: <sip:p1.example.com;lr>,\r\n <sip:s1.example.com;lr;orig>\r\n");
	assert_int_equal(client_call(w.client, &uri, 1, &chat, w.now), 0);
	wait(1);
	assert_true(view_starts(buf_view(&w.out), VIEW("INVITE sip:bo@example.com ")));
	assert_true(view_find_view(buf_view(&w.out), view_str(route), 0) < w.out.n);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC5626_4_5__a_server_that_is_away_is_not_hammered),
		cmocka_unit_test(test_a_missing_pong_gives_the_connection_up),
		cmocka_unit_test(test_a_server_that_never_answered_is_not_held_to_it),
		cmocka_unit_test(test_flow_timer_of_the_registrar),
		cmocka_unit_test(test_stun_over_udp),
		cmocka_unit_test(test_a_stranger_s_answer_does_not_count),
		cmocka_unit_test(test_IC_7_1_1_6__requests_follow_the_service_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
