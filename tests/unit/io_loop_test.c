#include "io/loop.h"

#include "base/error.h"
#include "io_until.h"

#include <errno.h>
#include <unistd.h>

struct watch {
	struct io_deadline d;
	unsigned n;
	uint64_t fired_ms;
	uint64_t again_ms; /* re-arms itself by so much, if not UINT64_MAX */
	struct io_loop *loop;
};

static void on_due(void *ctx, uint64_t now_ms)
{
	struct watch *w = ctx;

	w->n++;
	w->fired_ms = now_ms;
	if (w->again_ms != UINT64_MAX)
		io_deadline_set(&w->d, now_ms + w->again_ms);
}

static void watch_init(struct watch *w, struct io_loop *loop)
{
	*w = (struct watch){.again_ms = UINT64_MAX, .loop = loop};
	io_deadline_init(&w->d, loop, on_due, w);
}

static void test_deadline_fires_once_and_not_early(void **state)
{
	struct io_loop loop;
	struct watch w;
	uint64_t due;

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	watch_init(&w, &loop);
	due = io_now_fresh_ms(&loop) + 20;
	io_deadline_set(&w.d, due);
	io_deadline_set(&w.d, due);
	/* Ends by itself: nothing else is there to wait for. */
	io_run(&loop);
	assert_int_equal(w.n, 1);
	assert_true(io_now_fresh_ms(&loop) >= due);
	io_loop_fini(&loop);
}

static void test_deadline_moves_both_ways_and_disarms(void **state)
{
	struct io_loop loop;
	struct watch near, far, never;
	uint64_t now;

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	watch_init(&near, &loop);
	watch_init(&far, &loop);
	watch_init(&never, &loop);
	now = io_now_fresh_ms(&loop);
	io_deadline_set(&near.d, now + 3600 * 1000);
	io_deadline_set(&far.d, now + 1);
	io_deadline_set(&never.d, now + 2);
	io_deadline_set(&near.d, now + 5);
	io_deadline_set(&far.d, now + 30);
	io_deadline_set(&never.d, UINT64_MAX);
	io_run(&loop);
	assert_int_equal(near.n, 1);
	assert_int_equal(far.n, 1);
	assert_int_equal(never.n, 0);
	assert_true(near.fired_ms >= now + 5);
	assert_true(far.fired_ms >= now + 30);
	/* Armed anew for the very time it had before. */
	io_deadline_set(&far.d, now + 30);
	io_run(&loop);
	assert_int_equal(far.n, 2);
	io_deadline_fini(&near.d);
	io_loop_fini(&loop);
	io_deadline_fini(&far.d);
	io_deadline_fini(&far.d);
}

static void on_peer(uv_poll_t *p, int status, int events)
{
	(void)status;
	(void)events;
	++*(unsigned *)p->data;
}

static void test_deadline_always_due_lets_the_sockets_live(void **state)
{
	struct io_loop loop;
	struct watch w;
	uv_poll_t poll;
	unsigned n_polls = 0;
	uv_os_sock_t pair[2];

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	assert_int_equal(uv_socketpair(SOCK_STREAM, 0, pair, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE),
			 0);
	assert_int_equal(uv_poll_init(loop.uv, &poll, pair[0]), 0);
	poll.data = &n_polls;
	assert_int_equal(uv_poll_start(&poll, UV_WRITABLE, on_peer), 0);
	watch_init(&w, &loop);
	w.again_ms = 0;
	io_deadline_set(&w.d, 0);
	UNTIL(&loop, n_polls >= 3 && w.n >= 3);
	io_deadline_set(&w.d, UINT64_MAX);
	uv_close((uv_handle_t *)&poll, NULL);
	io_loop_fini(&loop);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

struct hook {
	struct io_batch b;
	char *trace;
	char name;
	struct hook *drop; /* taken out while it runs */
};

static void on_hook(void *ctx)
{
	struct hook *h = ctx;
	size_t n = strlen(h->trace);

	h->trace[n] = h->name;
	h->trace[n + 1] = '\0';
	if (h->drop)
		io_batch_fini(&h->drop->b);
}

static void test_hooks_run_in_order_and_before_sleeping(void **state)
{
	char trace[256] = "";
	struct hook a = {.trace = trace, .name = 'a'}, b = {.trace = trace, .name = 'b'},
		    c = {.trace = trace, .name = 'c'};
	struct io_loop loop;
	struct watch w;

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	watch_init(&w, &loop);
	io_loop_after_batch(&loop, &a.b, on_hook, &a);
	io_loop_after_batch(&loop, &b.b, on_hook, &b);
	io_loop_after_batch(&loop, &c.b, on_hook, &c);
	/* A loop with nothing to wait for does not turn. */
	io_deadline_set(&w.d, io_now_ms(&loop) + 3600 * 1000);
	(void)io_turn(&loop, false);
	/* Once before the sockets are looked at and once after them. */
	assert_string_equal(trace, "abcabc");
	/* b takes the next one out, then itself. */
	trace[0] = '\0';
	b.drop = &c;
	(void)io_turn(&loop, false);
	assert_string_equal(trace, "abab");
	trace[0] = '\0';
	b.drop = &b;
	(void)io_turn(&loop, false);
	assert_string_equal(trace, "aba");
	io_batch_fini(&a.b);
	io_batch_fini(&a.b);
	trace[0] = '\0';
	(void)io_turn(&loop, false);
	assert_string_equal(trace, "");
	io_loop_fini(&loop);
}

static void on_stop(void *ctx, uint64_t now_ms)
{
	(void)now_ms;
	io_stop(((struct watch *)ctx)->loop);
}

static void test_stop(void **state)
{
	struct io_loop loop;
	struct watch w, later;

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	watch_init(&later, &loop);
	watch_init(&w, &loop);
	io_deadline_init(&w.d, &loop, on_stop, &w);
	io_deadline_set(&later.d, io_now_ms(&loop) + 3600 * 1000);
	io_deadline_set(&w.d, io_now_ms(&loop) + 1);
	io_run(&loop);
	assert_int_equal(later.n, 0);
	io_loop_fini(&loop);
}

static void on_readable(uv_poll_t *p, int status, int events)
{
	char waste[8];

	on_peer(p, status, events);
	(void)read(*(int *)p->loop->data, waste, 1);
}

/* What comes close together is done together, and nothing that is there waits. */
static void test_rest_gathers_and_leaves_nothing_waiting(void **state)
{
	enum { REST_US = 30000 };
	struct io_loop loop;
	struct watch w;
	uv_poll_t poll;
	unsigned n_polls = 0;
	uv_os_sock_t pair[2];
	uint64_t rested, began;

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	assert_int_equal(uv_socketpair(SOCK_STREAM, 0, pair, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE),
			 0);
	watch_init(&w, &loop);
	io_deadline_set(&w.d, io_now_ms(&loop) + 3600 * 1000);
	assert_int_equal(uv_poll_init(loop.uv, &poll, pair[0]), 0);
	poll.data = &n_polls;
	loop.uv->data = &pair[0];
	assert_int_equal(uv_poll_start(&poll, UV_READABLE, on_readable), 0);
	(void)io_turn(&loop, false);
	assert_int_equal(loop.rested_ns, 0);
	/* Nothing is there: it does not look again so soon. */
	io_loop_rest(&loop, REST_US);
	(void)io_turn(&loop, false);
	began = uv_hrtime();
	(void)io_turn(&loop, false);
	(void)io_turn(&loop, false);
	assert_true(uv_hrtime() - began >= REST_US * 1000ull / 2);
	rested = loop.rested_ns;
	assert_true(rested && rested <= uv_hrtime() - began + REST_US * 1000ull);
	assert_true(io_idle_ms(&loop) >= rested / 1000000);
	/* Two bytes, of which one iteration takes one: the other is not waited with. */
	assert_int_equal(write(pair[1], "ab", 2), 2);
	(void)io_turn(&loop, false);
	assert_int_equal(n_polls, 1);
	rested = loop.rested_ns;
	(void)io_turn(&loop, false);
	assert_int_equal(n_polls, 2);
	assert_int_equal(loop.rested_ns, rested);
	io_loop_rest(&loop, 0);
	(void)io_turn(&loop, false);
	(void)io_turn(&loop, false);
	assert_int_equal(loop.rested_ns, rested);
	uv_close((uv_handle_t *)&poll, NULL);
	io_loop_fini(&loop);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void test_borrowed_loop_is_left_clean(void **state)
{
	struct io_loop loop;
	struct watch w;
	uv_loop_t uv;

	(void)state;
	assert_int_equal(uv_loop_init(&uv), 0);
	assert_int_equal(io_loop_init(&loop, &uv), 0);
	watch_init(&w, &loop);
	io_deadline_set(&w.d, io_now_ms(&loop) + 3600 * 1000);
	io_loop_fini(&loop);
	io_loop_fini(&loop);
	assert_int_equal(w.n, 0);
	/* libuv refuses while a handle is open. */
	assert_int_equal(uv_loop_close(&uv), 0);
}

static void test_clocks(void **state)
{
	struct io_loop loop;

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	assert_true(io_now_fresh_ms(&loop) >= loop.timers.now_ms);
	assert_true(io_now_ms(&loop) <= io_now_fresh_ms(&loop));
	/* After 2020 and before 2200, so in milliseconds. */
	assert_true(io_wall_ms() > 1577836800000 && io_wall_ms() < 7258118400000);
	io_loop_fini(&loop);
}

static void test_errors(void **state)
{
	(void)state;
	assert_int_equal(io_error(0), 0);
	assert_int_equal(io_error(EADDRINUSE), E_ADDRESS);
	assert_int_equal(io_error(UV_EADDRINUSE), E_ADDRESS);
	assert_int_equal(io_error(EMFILE), E_LIMIT);
	assert_int_equal(io_error(UV_ENOMEM), E_NOMEM);
	assert_int_equal(io_error(ECONNRESET), E_IO);
	assert_int_equal(io_error(EPIPE), E_CLOSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadline_fires_once_and_not_early),
		cmocka_unit_test(test_deadline_moves_both_ways_and_disarms),
		cmocka_unit_test(test_deadline_always_due_lets_the_sockets_live),
		cmocka_unit_test(test_hooks_run_in_order_and_before_sleeping),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_rest_gathers_and_leaves_nothing_waiting),
		cmocka_unit_test(test_borrowed_loop_is_left_clean),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
