#include "io/mailbox.h"

#include "io_until.h"

#include <signal.h>

enum { POSTERS = 3, EACH = 20000 };

struct letter {
	int of; /* mail follows: it need not be the first member */
	struct io_mail mail;
	unsigned n;
};

struct box {
	struct io_loop loop;
	struct io_mailbox *mb;
	unsigned next[POSTERS];
	unsigned n, n_discarded;
	bool in_order, close_at_once, post_again;
	int of; /* for a poster */
};

static void post(struct io_mailbox *mb, int of, unsigned n)
{
	struct letter *l = malloc(sizeof(*l));

	if (!l)
		abort();
	l->of = of;
	l->n = n;
	io_mailbox_post(mb, &l->mail);
}

static void receive(void *ctx, struct io_mail *mail)
{
	struct letter *l = CONTAINER(mail, struct letter, mail);
	struct box *b = ctx;

	if (l->n != b->next[l->of]++)
		b->in_order = false;
	b->n++;
	free(l);
	if (b->close_at_once)
		io_mailbox_close(b->mb);
	if (b->post_again && b->n < 5)
		post(b->mb, 0, b->n);
}

static void discard(void *ctx, struct io_mail *mail)
{
	struct box *b = ctx;

	b->n_discarded++;
	free(CONTAINER(mail, struct letter, mail));
}

static void box_init(struct box *b)
{
	memset(b, 0, sizeof(*b));
	b->in_order = true;
	assert_int_equal(io_loop_init(&b->loop, NULL), 0);
	assert_int_equal(io_mailbox_open(&b->loop, receive, discard, b, &b->mb), 0);
}

static void test_own_thread(void **state)
{
	struct box b;

	(void)state;
	box_init(&b);
	post(b.mb, 0, 0);
	post(b.mb, 0, 1);
	assert_int_equal(io_mailbox_depth(b.mb), 2);
	assert_int_equal(b.n, 0);
	UNTIL(&b.loop, b.n == 2);
	assert_true(b.in_order);
	assert_int_equal(io_mailbox_depth(b.mb), 0);
	b.post_again = true;
	post(b.mb, 0, 2);
	UNTIL(&b.loop, b.n == 5);
	io_loop_fini(&b.loop);
	assert_int_equal(b.n_discarded, 0);
}

static void test_closing_discards_what_is_unread(void **state)
{
	struct box b;

	(void)state;
	box_init(&b);
	for (unsigned i = 0; i < 5; i++)
		post(b.mb, 0, i);
	b.close_at_once = true;
	UNTIL(&b.loop, b.n == 1);
	assert_int_equal(b.n_discarded, 4);
	io_loop_fini(&b.loop);
	box_init(&b);
	post(b.mb, 0, 0);
	io_loop_fini(&b.loop);
	assert_int_equal(b.n, 0);
	assert_int_equal(b.n_discarded, 1);
	io_mailbox_close(NULL);
}

struct poster {
	struct io_thread thread;
	struct io_mailbox *mb;
	int of;
	bool signals_blocked;
};

static void run_poster(void *ctx)
{
	struct poster *p = ctx;
	sigset_t mask;

	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
	p->signals_blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGHUP) == 1;
	for (unsigned i = 0; i < EACH; i++)
		post(p->mb, p->of, i);
}

static void test_many_threads(void **state)
{
	struct poster p[POSTERS];
	struct box b;

	(void)state;
	box_init(&b);
	for (int i = 0; i < POSTERS; i++) {
		p[i] = (struct poster){.mb = b.mb, .of = i};
		assert_int_equal(
			io_thread_start(&p[i].thread, "a rather long name", run_poster, &p[i]), 0);
	}
	UNTIL(&b.loop, b.n == POSTERS * EACH);
	assert_true(b.in_order);
	for (int i = 0; i < POSTERS; i++) {
		io_thread_join(&p[i].thread);
		assert_true(p[i].signals_blocked);
	}
	assert_int_equal(io_mailbox_depth(b.mb), 0);
	io_loop_fini(&b.loop);
	assert_int_equal(b.n_discarded, 0);
}

/* A loop on another thread that answers each mail, and ends when told by mail. */
struct worker {
	struct io_thread thread;
	struct io_loop loop;
	struct io_mailbox *in, *back;
};

static void answer(void *ctx, struct io_mail *mail)
{
	struct letter *l = CONTAINER(mail, struct letter, mail);
	struct worker *w = ctx;

	if (l->of < 0) {
		free(l);
		io_stop(&w->loop);
	} else {
		io_mailbox_post(w->back, mail);
	}
}

static void run_worker(void *ctx)
{
	struct worker *w = ctx;

	io_run(&w->loop);
	io_loop_fini(&w->loop);
}

static void test_two_loops(void **state)
{
	struct worker w;
	struct box b;

	(void)state;
	box_init(&b);
	w.back = b.mb;
	assert_int_equal(io_loop_init(&w.loop, NULL), 0);
	assert_int_equal(io_mailbox_open(&w.loop, answer, NULL, &w, &w.in), 0);
	assert_int_equal(io_thread_start(&w.thread, "worker", run_worker, &w), 0);
	for (unsigned i = 0; i < 1000; i++) {
		post(w.in, 0, i);
		if (i % 100 == 0)
			UNTIL(&b.loop, b.n == i + 1);
	}
	UNTIL(&b.loop, b.n == 1000);
	assert_true(b.in_order);
	post(w.in, -1, 0);
	io_thread_join(&w.thread);
	io_loop_fini(&b.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_thread),
		cmocka_unit_test(test_closing_discards_what_is_unread),
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_two_loops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
