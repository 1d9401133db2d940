/* Caps of the stack, each one below, at and one above: sizes of a request, and what a connection
 * may take before somebody proved who it belongs to. */
#include "base/log_quota.h"
#include "sip_world.h"

enum { BODY = 50 };

static char *text_of(const char *method, unsigned serial)
{
	struct buf b;
	size_t n;

	buf_init(&b, 1 << 16);
	buf_putf(&b,
		 "%s sip:bob@example.com SIP/2.0\r\n"
		 "Via: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK%u\r\nMax-Forwards: 70\r\n"
		 "From: <sip:alice@example.org>;tag=a1\r\nTo: <sip:bob@example.com>\r\n"
		 "Call-ID: c%u@example.org\r\nCSeq: 7 %s\r\nContent-Type: text/plain\r\n"
		 "Content-Length: %d\r\n\r\n",
		 method, serial, serial, method, BODY);
	for (int i = 0; i < BODY; i++)
		buf_putc(&b, 'x');
	buf_putc(&b, '\0');
	return buf_take(&b, &n);
}

/* The same message against a cap at its size, one above it and one below: what happened by UDP and,
 * on one connection that stays, by TCP. */
static void check_cap(size_t offset, size_t size, int status)
{
	for (int k = -1; k <= 1; k++) {
		struct world *w = world_new();
		char *text = text_of("MESSAGE", 1), expected[96];
		bool fits = k >= 0;
		int in;

		memcpy((char *)&w->cfg + offset, &(size_t){size + (size_t)(ptrdiff_t)k},
		       sizeof(size_t));
		w->answer = 200;
		world_begin(w);
		world_datagram(w, text, "192.0.2.9:5060");
		snprintf(expected, sizeof(expected),
			 fits ? "0:request MESSAGE, 0:udp 200" : "0:udp %d", status);
		assert_happened(w, expected);
		/* Nothing is kept of what was refused. */
		assert_int_equal(sip_stack_tx_count(w->stack), fits ? 1 : 0);
		free(text);
		in = world_accept(w, "192.0.2.9:40000");
		for (unsigned i = 2; i < 4; i++) {
			text = text_of("MESSAGE", i);
			world_stream(w, in, text);
			snprintf(expected, sizeof(expected),
				 fits ? "0:request MESSAGE, 0:tcp1 200" : "0:tcp1 %d", status);
			assert_happened(w, expected);
			free(text);
		}
		assert_non_null(w->link[in].conn);
		assert_int_equal(sip_stack_tx_count(w->stack), fits ? 3 : 0);
		world_end(w);
	}
}

static struct sip_msg measured(char **text)
{
	struct sip_msg m;

	*text = text_of("MESSAGE", 1);
	assert_int_equal(sip_msg_parse(view_str(*text), &m), 0);
	return m;
}

static void test_a_long_request_uri_is_414(void **state)
{
	char *text;
	size_t size = measured(&text).uri.n;

	(void)state;
	free(text);
	check_cap(offsetof(struct sip_stack_config, max_uri), size, 414);
}

static void test_a_long_head_is_513(void **state)
{
	char *text;
	size_t size = measured(&text).head.n;

	(void)state;
	free(text);
	check_cap(offsetof(struct sip_stack_config, max_head), size, 513);
}

static void test_many_fields_are_513(void **state)
{
	char *text;
	size_t size = (size_t)measured(&text).n_fields;

	(void)state;
	free(text);
	check_cap(offsetof(struct sip_stack_config, max_fields), size, 513);
}

static void test_a_large_body_is_413(void **state)
{
	(void)state;
	check_cap(offsetof(struct sip_stack_config, max_body), BODY, 413);
}

/* The parser's own cap, of which the configured one is a part. */
static void test_128_fields_are_read_and_129_are_513(void **state)
{
	for (int n = SIP_FIELDS_MAX - 1; n <= SIP_FIELDS_MAX + 1; n++) {
		struct world *w = world_new();
		struct buf extra;
		char *text;

		(void)state;
		w->answer = 200;
		world_begin(w);
		buf_init(&extra, 1 << 16);
		for (int i = 7; i < n; i++)
			buf_puts(&extra, "Foo: y\r\n");
		buf_putc(&extra, '\0');
		assert_true(buf_ok(&extra));
		text = world_incoming_text("OPTIONS", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1",
					   extra.p);
		world_datagram(w, text, "192.0.2.9:5060");
		assert_happened(w,
				n <= SIP_FIELDS_MAX ? "0:request OPTIONS, 0:udp 200" : "0:udp 513");
		free(text);
		buf_fini(&extra);
		world_end(w);
	}
}

static void test_a_message_that_says_it_is_too_large_for_the_stream_is_413_and_ends_it(void **state)
{
	char *text;
	size_t size = measured(&text).raw.n;

	(void)state;
	for (int k = -1; k <= 1; k++) {
		struct world *w = world_new();
		int in;

		w->cfg.max_message = size + (size_t)(ptrdiff_t)k;
		w->answer = 200;
		world_begin(w);
		in = world_accept(w, "192.0.2.9:40000");
		world_stream(w, in, text);
		assert_happened(w, k >= 0 ? "0:request MESSAGE, 0:tcp1 200"
					  : "0:tcp1 413, 0:close1, 0:lost");
		world_end(w);
	}
	free(text);
}

/* --- before somebody proved who he is --- */

static struct world *strict_world(size_t bytes)
{
	struct world *w = world_new();

	w->cfg.unproven_bytes = bytes;
	w->cfg.conn_idle_ms = 1000;
	w->answer = 401;
	world_begin(w);
	return w;
}

static void test_bytes_of_a_connection_that_proves_nothing_are_counted(void **state)
{
	char *text = text_of("MESSAGE", 1);
	size_t n = strlen(text);

	(void)state;
	for (int k = -1; k <= 1; k++) {
		struct world *w = strict_world(2 * n + (size_t)(ptrdiff_t)k);
		int in = world_accept(w, "192.0.2.9:40000");

		world_stream(w, in, text);
		assert_happened(w, "0:request MESSAGE, 0:tcp1 401");
		/* A retransmission, as good as anything else. */
		world_stream(w, in, text);
		assert_happened(w, k >= 0 ? "0:tcp1 401" : "0:close1, 0:lost");
		if (k >= 0) {
			world_stream(w, in, k ? "x" : "");
			assert_non_null(w->link[in].conn);
			world_stream(w, in, "xx");
			assert_happened(w, "0:close1, 0:lost");
		}
		world_end(w);
	}
	free(text);
}

static void count_line(void *ctx, enum log_level level, const char *room, const char *text)
{
	unsigned *n = ctx;

	(void)level;
	(void)room;
	*n += strstr(text, "closed") != NULL;
}

/* Connections that say too much, then as many that say nothing. */
static void test_a_flood_of_connections_of_no_use_fills_no_log(void **state)
{
	struct world *w = world_new();
	unsigned lines = 0, n = LOG_QUOTA_LINES + 5;

	(void)state;
	w->cfg.unproven_bytes = 4;
	w->cfg.conn_idle_ms = 5000;
	w->log = (struct log){LOG_INFO, count_line, &lines};
	world_begin(w);
	for (unsigned i = 0; i < n; i++)
		world_stream(w, world_accept(w, "192.0.2.9:40000"), "hello");
	assert_int_equal(lines, LOG_QUOTA_LINES);
	for (unsigned i = 0; i < n; i++)
		(void)world_accept(w, "192.0.2.9:40000");
	world_run(w, 5000);
	/* and the one that says how many of the first were left out */
	assert_int_equal(lines, 2 * LOG_QUOTA_LINES + 1);
	world_end(w);
	assert_int_equal(lines, 2 * LOG_QUOTA_LINES + 2);
}

static void test_time_of_a_connection_that_proves_nothing_is_counted(void **state)
{
	struct world *w = strict_world(1 << 20);
	int in = world_accept(w, "192.0.2.9:40000");
	char *text = text_of("MESSAGE", 1);

	(void)state;
	world_stream(w, in, text);
	assert_happened(w, "0:request MESSAGE, 0:tcp1 401");
	world_run(w, 999);
	assert_non_null(w->link[in].conn);
	buf_reset(&w->happened);
	world_run(w, 1000);
	assert_null(w->link[in].conn);
	free(text);
	world_end(w);
}

static void test_a_proven_connection_stays_and_may_send_what_it_likes(void **state)
{
	char *text = text_of("MESSAGE", 1);
	struct world *w = strict_world(strlen(text));
	int in = world_accept(w, "192.0.2.9:40000");

	(void)state;
	w->answer = 0;
	world_stream(w, in, text);
	sip_server_tx_prove(w->tx[0], w->now);
	assert_int_equal(sip_server_tx_reply(w->tx[0], 200, NULL, VIEW(""), w->now), 0);
	for (int i = 0; i < 5; i++)
		world_stream(w, in, text);
	world_run(w, 5000);
	assert_non_null(w->link[in].conn);
	free(text);
	world_end(w);
}

/* --- answers to those in doubt --- */

static void doubt(struct sip_server_tx *tx)
{
	struct sip_msg m;

	assert_int_equal(sip_server_tx_request(tx, &m), 0);
	sip_server_tx_doubt(tx, &m);
}

static void test_RFC_3261_26_3_2_4__an_answer_in_doubt_is_sent_once_and_forgotten(void **state)
{
	struct world *w = world_default();
	char *text = text_of("INVITE", 1), *first, *ack = NULL;
	struct sip_msg m;
	struct sip_addr to;

	(void)state;
	world_datagram(w, text, "192.0.2.9:5060");
	doubt(w->tx[0]);
	assert_int_equal(sip_server_tx_reply(w->tx[0], 407, NULL, VIEW(""), w->now), 0);
	assert_happened(w, "0:request INVITE, 0:udp 407");
	first = view_dup(view_of(w->last, w->last_n));
	world_run(w, 0);
	assert_happened(w, "0:gone");
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	/* A copy of the request gets the same answer, which is made anew. */
	world_run(w, 500);
	world_datagram(w, text, "192.0.2.9:5060");
	doubt(w->tx[1]);
	assert_int_equal(sip_server_tx_reply(w->tx[1], 407, NULL, VIEW(""), w->now), 0);
	assert_happened(w, "500:request INVITE, 500:udp 407");
	assert_string_equal(w->last, first);
	/* The ACK of either ends here, with nothing to match it by but the tag. */
	assert_int_equal(sip_msg_parse(view_str(first), &m), 0);
	assert_int_equal(sip_msg_to(&m, &to), 0);
	assert_true(asprintf(&ack,
			     "ACK sip:b@example.com SIP/2.0\r\nVia: %.*s\r\nFrom: %.*s\r\n"
			     "To: %.*s\r\nCall-ID: %.*s\r\nCSeq: 1 ACK\r\nMax-Forwards: 70\r\n"
			     "Content-Length: 0\r\n\r\n",
			     VIEW_ARG(sip_msg_value(&m, SIP_H_VIA)),
			     VIEW_ARG(sip_msg_value(&m, SIP_H_FROM)),
			     VIEW_ARG(sip_msg_value(&m, SIP_H_TO)),
			     VIEW_ARG(sip_msg_value(&m, SIP_H_CALL_ID))) > 0);
	world_run(w, 600);
	assert_happened(w, "500:gone");
	world_datagram(w, ack, "192.0.2.9:5060");
	world_run(w, 60000);
	assert_happened(w, "");
	free(ack);
	free(first);
	free(text);
	world_end(w);
}

/* Who has shown who he is gets a tag that nobody can compute from what he sent. */
static void test_the_tag_of_who_is_proven_is_another(void **state)
{
	struct world *w = world_default();
	char *text = text_of("INVITE", 1), first[32];

	(void)state;
	world_datagram(w, text, "192.0.2.9:5060");
	doubt(w->tx[0]);
	(void)view_copy(sip_server_tx_to_tag(w->tx[0]), first, sizeof(first));
	sip_server_tx_prove(w->tx[0], w->now);
	assert_string_not_equal(sip_server_tx_to_tag(w->tx[0]).p, first);
	free(text);
	world_end(w);
}

static void test_a_CANCEL_of_nothing_leaves_nothing(void **state)
{
	struct world *w = world_default();
	char *text = text_of("CANCEL", 1);

	(void)state;
	world_datagram(w, text, "192.0.2.9:5060");
	assert_happened(w, "0:udp 481");
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	free(text);
	world_end(w);
}

static void test_an_answer_in_doubt_is_at_most_three_times_its_request(void **state)
{
	char *text = text_of("INVITE", 1);
	size_t n = strlen(text);

	(void)state;
	for (int k = -1; k <= 1; k++)
		for (int in_doubt = 0; in_doubt < 2; in_doubt++) {
			struct world *w = world_default();
			struct sip_msg m;
			struct buf b;

			world_datagram(w, text, "192.0.2.9:5060");
			if (in_doubt)
				doubt(w->tx[0]);
			assert_int_equal(sip_server_tx_request(w->tx[0], &m), 0);
			/* As stamped: received is ours. */
			n = m.raw.n;
			buf_init(&b, 1 << 16);
			sip_write_response_head(&b, &m, 407, NULL, VIEW("t"));
			buf_puts(&b, "Content-Length: 0\r\nX: ");
			while (buf_ok(&b) && b.n < 3 * n + (size_t)(ptrdiff_t)k - 4)
				buf_putc(&b, 'x');
			buf_puts(&b, "\r\n\r\n");
			assert_int_equal(b.n, 3 * n + (size_t)(ptrdiff_t)k);
			assert_int_equal(sip_server_tx_respond(w->tx[0], buf_view(&b), 407, w->now),
					 0);
			assert_happened(w, in_doubt && k > 0 ? "0:request INVITE"
							     : "0:request INVITE, 0:udp 407");
			buf_fini(&b);
			world_end(w);
		}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_long_request_uri_is_414),
		cmocka_unit_test(test_a_long_head_is_513),
		cmocka_unit_test(test_many_fields_are_513),
		cmocka_unit_test(test_a_large_body_is_413),
		cmocka_unit_test(test_128_fields_are_read_and_129_are_513),
		cmocka_unit_test(
			test_a_message_that_says_it_is_too_large_for_the_stream_is_413_and_ends_it),
		cmocka_unit_test(test_bytes_of_a_connection_that_proves_nothing_are_counted),
		cmocka_unit_test(test_a_flood_of_connections_of_no_use_fills_no_log),
		cmocka_unit_test(test_time_of_a_connection_that_proves_nothing_is_counted),
		cmocka_unit_test(test_a_proven_connection_stays_and_may_send_what_it_likes),
		cmocka_unit_test(
			test_RFC_3261_26_3_2_4__an_answer_in_doubt_is_sent_once_and_forgotten),
		cmocka_unit_test(test_the_tag_of_who_is_proven_is_another),
		cmocka_unit_test(test_a_CANCEL_of_nothing_leaves_nothing),
		cmocka_unit_test(test_an_answer_in_doubt_is_at_most_three_times_its_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
