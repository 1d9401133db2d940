#include "io/udp.h"

#include "base/error.h"
#include "io_until.h"

#include <stdio.h>

struct end {
	struct io_udp *udp;
	struct addr local, from;
	unsigned n;
	size_t n_bytes;
	char last[2048];
	size_t last_n;
	bool echo, close_at_once;
};

static void on_receive(void *ctx, struct io_udp *udp, struct view bytes, const struct addr *from)
{
	struct end *e = ctx;

	assert_ptr_equal(udp, e->udp);
	e->n++;
	e->n_bytes += bytes.n;
	e->from = *from;
	e->last_n = bytes.n < sizeof(e->last) ? bytes.n : sizeof(e->last);
	if (bytes.n)
		memcpy(e->last, bytes.p, e->last_n);
	if (e->echo)
		assert_int_equal(io_udp_send(udp, from, bytes), 0);
	if (e->close_at_once) {
		io_udp_close(udp);
		assert_int_equal(io_udp_send(udp, from, bytes), E_STATE);
	}
}

static void end_open(struct end *e, struct io_loop *loop, int family)
{
	struct addr any = io_loopback(family);

	*e = (struct end){.n = 0};
	assert_int_equal(io_udp_open(loop, &any, on_receive, e, &e->udp), 0);
	io_udp_local(e->udp, &e->local);
	assert_true(addr_same_host(&e->local, &any));
	assert_true(e->local.port != 0);
}

static void there_and_back(int family)
{
	static char big[8000];
	struct io_loop loop;
	struct end a, b;

	assert_int_equal(io_loop_init(&loop, NULL), 0);
	end_open(&a, &loop, family);
	end_open(&b, &loop, family);
	b.echo = true;
	assert_int_equal(io_udp_send(a.udp, &b.local, VIEW("ping")), 0);
	UNTIL(&loop, a.n == 1);
	assert_int_equal(a.last_n, 4);
	assert_memory_equal(a.last, "ping", 4);
	assert_true(addr_eq(&a.from, &b.local));
	assert_true(addr_eq(&b.from, &a.local));
	/* Empty and large datagrams arrive as they are. */
	assert_int_equal(io_udp_send(a.udp, &b.local, VIEW("")), 0);
	UNTIL(&loop, a.n == 2);
	assert_int_equal(a.last_n, 0);
	assert_int_equal(io_udp_send(a.udp, &b.local, view_of(big, sizeof(big))), 0);
	UNTIL(&loop, a.n == 3);
	assert_int_equal(a.n_bytes, 4 + sizeof(big));
	io_loop_fini(&loop);
}

static void test_ipv4(void **state)
{
	(void)state;
	there_and_back(4);
}

static void test_ipv6(void **state)
{
	(void)state;
	there_and_back(6);
}

static void test_a_burst_comes_whole_and_in_order(void **state)
{
	struct io_loop loop;
	struct end a, b;

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	end_open(&a, &loop, 4);
	end_open(&b, &loop, 4);
	/* More than one batch, less than the smallest kernel buffer. */
	for (unsigned i = 0; i < 60; i++) {
		char text[8];
		int n = snprintf(text, sizeof(text), "%u", i);

		assert_int_equal(io_udp_send(a.udp, &b.local, view_of(text, (size_t)n)), 0);
	}
	UNTIL(&loop, b.n == 60);
	assert_memory_equal(b.last, "59", 2);
	io_loop_fini(&loop);
}

static void test_closing_inside_the_callback_ends_the_batch(void **state)
{
	struct io_loop loop;
	struct end a, b, c;

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	end_open(&a, &loop, 4);
	end_open(&b, &loop, 4);
	end_open(&c, &loop, 4);
	b.close_at_once = true;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(io_udp_send(a.udp, &b.local, VIEW("x")), 0);
	assert_int_equal(io_udp_send(a.udp, &c.local, VIEW("x")), 0);
	UNTIL(&loop, c.n == 1 && b.n > 0);
	assert_int_equal(b.n, 1);
	io_udp_close(NULL);
	io_loop_fini(&loop);
}

static void test_refusals(void **state)
{
	static char huge[70000];
	struct io_loop loop;
	struct addr to4 = io_loopback(4), to6 = io_loopback(6), none = {0}, elsewhere;
	struct io_udp *second;
	struct end a;

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	end_open(&a, &loop, 4);
	to4.port = to6.port = 9;
	assert_int_equal(io_udp_send(a.udp, &to6, VIEW("x")), E_ADDRESS);
	assert_int_equal(io_udp_send(a.udp, &none, VIEW("x")), E_ADDRESS);
	assert_int_equal(io_udp_send(a.udp, &to4, view_of(huge, sizeof(huge))), E_LIMIT);
	assert_int_equal(io_udp_send(a.udp, &to4, view_of(huge, 65530)), E_LIMIT);
	to4.port = 0;
	assert_int_equal(io_udp_send(a.udp, &to4, VIEW("x")), E_ADDRESS);
	/* Nobody listens there: an ICMP error comes back and must not end the socket. */
	to4.port = 9;
	assert_int_equal(io_udp_send(a.udp, &to4, VIEW("x")), 0);
	assert_int_equal(io_udp_send(a.udp, &a.local, VIEW("x")), 0);
	UNTIL(&loop, a.n == 1);
	assert_int_equal(io_udp_open(&loop, &a.local, NULL, NULL, &second), E_ADDRESS);
	assert_int_equal(addr_parse(VIEW("192.0.2.1"), 0, &elsewhere), 0);
	assert_int_equal(io_udp_open(&loop, &elsewhere, NULL, NULL, &second), E_ADDRESS);
	assert_int_equal(io_udp_open(&loop, &none, NULL, NULL, &second), E_ADDRESS);
	io_loop_fini(&loop);
}

static void test_what_goes_aside_arrives(void **state)
{
	struct io_loop loop;
	struct end a, b;
	struct addr nowhere;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		assert_int_equal(io_loop_init(&loop, NULL), 0);
		end_open(&a, &loop, family);
		end_open(&b, &loop, family);
		for (unsigned round = 1; round <= 5; round++) {
			char text[1400];

			for (int i = 0; i < 20; i++) {
				memset(text, 'a' + i, sizeof(text));
				assert_int_equal(io_udp_send_aside(a.udp, &b.local,
								   view_of(text, 1000 + (size_t)i)),
						 0);
			}
			UNTIL(&loop, b.n == 20 * round);
			assert_int_equal(b.last_n, 1019);
			assert_memory_equal(b.last, text, 1019);
			assert_true(addr_eq(&b.from, &a.local));
		}
		nowhere = b.local;
		nowhere.port = 0;
		assert_int_equal(io_udp_send_aside(a.udp, &nowhere, VIEW("x")), E_ADDRESS);
		/* With some on their way. */
		assert_int_equal(io_udp_send_aside(a.udp, &b.local, VIEW("x")), 0);
		io_udp_close(a.udp);
		assert_int_equal(io_udp_send_aside(a.udp, &b.local, VIEW("x")), E_STATE);
		io_loop_fini(&loop);
	}
}

static void test_what_goes_aside_has_a_cap(void **state)
{
	static const char text[60000];
	struct io_loop loop;
	struct end a, b;
	int rc = 0;

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	end_open(&a, &loop, 4);
	end_open(&b, &loop, 4);
	for (int i = 0; rc == 0 && i < 100000; i++)
		rc = io_udp_send_aside(a.udp, &b.local, view_of(text, sizeof(text)));
	assert_int_equal(rc, E_LIMIT);
	io_loop_fini(&loop);
}

static void test_source_for(void **state)
{
	struct addr to = io_loopback(4), source, none = {0};

	(void)state;
	to.port = 5060;
	assert_int_equal(io_udp_source_for(&to, &source), 0);
	assert_true(addr_same_host(&source, &to));
	assert_int_equal(source.port, 0);
	assert_int_equal(io_udp_source_for(&none, &source), E_ADDRESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_a_burst_comes_whole_and_in_order),
		cmocka_unit_test(test_closing_inside_the_callback_ends_the_batch),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_what_goes_aside_arrives),
		cmocka_unit_test(test_what_goes_aside_has_a_cap),
		cmocka_unit_test(test_source_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
