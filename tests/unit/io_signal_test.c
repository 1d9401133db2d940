#include "io/signal.h"

#include "io_until.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

struct seen {
	struct io_signals *s;
	unsigned n_int, n_term, n_hup;
	bool close;
};

static void on_signal(void *ctx, int signo)
{
	struct seen *s = ctx;

	s->n_int += signo == SIGINT;
	s->n_term += signo == SIGTERM;
	s->n_hup += signo == SIGHUP;
	if (s->close)
		io_signals_close(s->s);
}

static void test_each_kind(void **state)
{
	struct io_loop loop;
	struct seen s = {.s = NULL};

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	assert_int_equal(io_signals_open(&loop, on_signal, &s, &s.s), 0);
	/* Signals alone do not keep a loop going. */
	io_run(&loop);
	assert_int_equal(raise(SIGHUP), 0);
	UNTIL(&loop, s.n_hup == 1);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(raise(SIGINT), 0);
	UNTIL(&loop, s.n_term == 1 && s.n_int == 1);
	s.close = true;
	assert_int_equal(raise(SIGHUP), 0);
	UNTIL(&loop, s.n_hup == 2);
	io_signals_close(NULL);
	io_loop_fini(&loop);
}

static void test_default_holds_again_after_the_end(void **state)
{
	struct io_loop loop;
	struct sigaction now;
	struct seen s = {.s = NULL};

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	assert_int_equal(io_signals_open(&loop, on_signal, &s, &s.s), 0);
	assert_int_equal(sigaction(SIGTERM, NULL, &now), 0);
	assert_true(now.sa_handler != SIG_DFL);
	io_loop_fini(&loop);
	assert_int_equal(sigaction(SIGTERM, NULL, &now), 0);
	assert_true(now.sa_handler == SIG_DFL);
}

static void test_broken_pipe_is_an_error_not_the_end(void **state)
{
	int p[2];

	(void)state;
	io_signals_ignore_failed_writes();
	assert_int_equal(pipe(p), 0);
	(void)close(p[0]);
	assert_true(write(p[1], "x", 1) < 0);
	assert_int_equal(errno, EPIPE);
	(void)close(p[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind),
		cmocka_unit_test(test_default_holds_again_after_the_end),
		cmocka_unit_test(test_broken_pipe_is_an_error_not_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
