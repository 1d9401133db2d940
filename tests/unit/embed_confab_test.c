#include "confab/confab.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include <cmocka.h>

struct world {
	uv_loop_t loop;
	struct confab *confab;
	unsigned failed, ended, done, traced;
	int status;
	uint32_t conversation;
};

static int world_make(void **state)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	*state = &w;
	return uv_loop_init(&w.loop);
}

/* What libconfab put on the loop is gone after confab_free: a loop with handles would not close. */
static int world_end(void **state)
{
	struct world *w = *state;

	confab_free(w->confab);
	return uv_loop_close(&w->loop);
}

static void on_event(void *ctx, const struct confab_event *ev)
{
	struct world *w = ctx;

	assert_non_null(ev->text);
	assert_non_null(ev->peer);
	if (ev->type == CONFAB_REGISTER_FAILED)
		w->failed++;
	if (ev->type == CONFAB_ENDED) {
		w->ended++;
		w->status = ev->status;
		w->conversation = ev->conversation;
	}
}

static void on_done(void *ctx)
{
	struct world *w = ctx;

	w->done++;
}

static void on_trace(void *ctx, char dir, const char *protocol, const char *transport,
		     const char *local, const char *remote, const char *bytes, size_t n)
{
	struct world *w = ctx;

	(void)local;
	assert_int_equal(dir, '>');
	assert_string_equal(protocol, "sip");
	assert_string_equal(transport, "tcp");
	assert_string_equal(remote, "127.0.0.1:9");
	assert_non_null(memmem(bytes, n, "\r\n\r\n", 4));
	w->traced++;
}

/* Nobody listens on the discard port of the loopback. */
static struct confab_options nobody(struct world *w)
{
	return (struct confab_options){.user = "sip:ann@example.com",
				       .server = "127.0.0.1:9",
				       .trace = on_trace,
				       .trace_ctx = w};
}

static void open_it(struct world *w)
{
	struct confab_options o = nobody(w);

	assert_int_equal(confab_new(&w->loop, &o, on_event, w, &w->confab), 0);
}

static void test_options_are_checked(void **state)
{
	struct world *w = *state;
	struct confab_options good = nobody(w), o;

	assert_int_equal(confab_new(&w->loop, NULL, on_event, w, &w->confab), E_MISSING);
	o = good;
	o.user = NULL;
	assert_int_equal(confab_new(&w->loop, &o, on_event, w, &w->confab), E_MISSING);
	o = good;
	o.server = NULL;
	assert_int_equal(confab_new(&w->loop, &o, on_event, w, &w->confab), E_MISSING);
	o = good;
	o.user = "ann";
	assert_int_equal(confab_new(&w->loop, &o, on_event, w, &w->confab), E_SYNTAX);
	o = good;
	o.server = "127.0.0.1:port";
	assert_int_equal(confab_new(&w->loop, &o, on_event, w, &w->confab), E_SYNTAX);
	o = good;
	o.transport = "pigeon";
	assert_int_equal(confab_new(&w->loop, &o, on_event, w, &w->confab), E_UNSUPPORTED);
	o = good;
	o.listen = "192.0.2.1";
	assert_int_equal(confab_new(&w->loop, &o, on_event, w, &w->confab), E_ADDRESS);
	assert_null(w->confab);
}

static void test_one_port_for_udp_and_tcp(void **state)
{
	struct world *w = *state;
	struct confab_options o = nobody(w);
	struct confab *second;
	const char *port;

	open_it(w);
	assert_memory_equal(confab_sip_address(w->confab), "127.0.0.1:", 10);
	assert_memory_equal(confab_msrp_address(w->confab), "127.0.0.1:", 10);
	port = strchr(confab_sip_address(w->confab), ':') + 1;
	(void)sscanf(port, "%hu", &o.sip_port);
	assert_int_equal(confab_new(&w->loop, &o, on_event, w, &second), E_ADDRESS);
}

static void test_R_12__an_absent_server_is_told_and_tried_again(void **state)
{
	struct world *w = *state;

	open_it(w);
	while (w->failed < 2)
		assert_int_not_equal(uv_run(&w->loop, UV_RUN_ONCE), 0);
	assert_true(w->traced >= 2);
}

static void test_a_call_that_cannot_be_is_ended(void **state)
{
	const char *bo[] = {"sip:bo@example.com"};
	struct world *w = *state;
	uint32_t id = 0;

	open_it(w);
	assert_int_equal(confab_call(w->confab, bo, 1, &id), 0);
	assert_int_not_equal(id, 0);
	while (!w->ended)
		assert_int_not_equal(uv_run(&w->loop, UV_RUN_ONCE), 0);
	assert_int_equal(w->conversation, id);
	assert_true(w->status >= 400);
	assert_int_equal(confab_send(w->confab, id, "x", 1, NULL), E_NOTFOUND);
}

static void test_wrong_calls_are_refused(void **state)
{
	const char *bo[] = {"sip:bo@example.com"};
	struct world *w = *state;
	uint32_t id;

	open_it(w);
	assert_int_equal(confab_call(w->confab, bo, 0, &id), E_MISSING);
	assert_int_equal(confab_accept(w->confab, 1), E_NOTFOUND);
	assert_int_equal(confab_decline(w->confab, 1, 603), E_NOTFOUND);
	assert_int_equal(confab_decline(w->confab, 1, 200), E_RANGE);
	assert_int_equal(confab_add(w->confab, 1, bo, 1), E_NOTFOUND);
	assert_int_equal(confab_leave(w->confab, 1, false), E_NOTFOUND);
	assert_int_equal(confab_who(w->confab, 1), E_NOTFOUND);
	assert_int_equal(confab_break(w->confab, 1, "direct"), E_NOTFOUND);
	assert_int_equal(confab_break(w->confab, 1, "all"), E_SYNTAX);
	assert_int_equal(confab_break(w->confab, 1, "sip"), 0);
}

static void test_shutdown_is_said_once_and_is_bounded(void **state)
{
	struct world *w = *state;
	uint64_t begin;

	open_it(w);
	begin = uv_hrtime();
	confab_shutdown(w->confab, on_done, w);
	while (!w->done)
		assert_int_not_equal(uv_run(&w->loop, UV_RUN_ONCE), 0);
	assert_true(uv_hrtime() - begin < 10000000000u);
	for (int i = 0; i < 3; i++)
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	assert_int_equal(w->done, 1);
}

static void test_free_in_the_middle_of_a_call(void **state)
{
	const char *uris[] = {"sip:bo@example.com", "sip:charles@example.com"};
	struct world *w = *state;
	uint32_t id;

	open_it(w);
	assert_int_equal(confab_call(w->confab, uris, 1, &id), 0);
	assert_int_equal(confab_send(w->confab, id, "waits", 5, NULL), 0);
	assert_int_equal(confab_call(w->confab, uris, 2, &id), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_options_are_checked),
		TEST(test_one_port_for_udp_and_tcp),
		TEST(test_R_12__an_absent_server_is_told_and_tried_again),
		TEST(test_a_call_that_cannot_be_is_ended),
		TEST(test_wrong_calls_are_refused),
		TEST(test_shutdown_is_said_once_and_is_bounded),
		TEST(test_free_in_the_middle_of_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
