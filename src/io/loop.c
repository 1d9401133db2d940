#include "io/loop.h"

#include "base/error.h"
#include "io/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

static void on_timer(uv_timer_t *t);

/* Sets the one uv timer to the next deadline, but not before floor_ms. */
static void timer_sync(struct io_loop *loop, uint64_t floor_ms)
{
	uint64_t due = timers_next(&loop->timers);
	uint64_t now = uv_now(loop->uv);

	if (due < floor_ms)
		due = floor_ms;
	if (due == loop->timer_due_ms)
		return;
	loop->timer_due_ms = due;
	if (due == UINT64_MAX)
		(void)uv_timer_stop(&loop->timer);
	else
		(void)uv_timer_start(&loop->timer, on_timer, due > now ? due - now : 0, 0);
}

static void on_timer(uv_timer_t *t)
{
	struct io_loop *loop = t->data;
	uint64_t now = uv_now(loop->uv);

	/* 0: while they fire, arming does not start the uv timer. */
	loop->timer_due_ms = 0;
	timers_run(&loop->timers, now);
	loop->timer_due_ms = UINT64_MAX;
	/* libuv runs a timer set to the present time again at once, and would never get to the
	 * sockets; prepare brings it nearer. */
	timer_sync(loop, now + 1);
}

/* The mark stands behind the hook that runs, which may take itself or others out. */
static void run_batch(struct io_loop *loop)
{
	struct list *mark = &loop->batch_mark;

	list_add_head(&loop->batch, mark);
	while (mark->next != &loop->batch) {
		struct io_batch *b = CONTAINER(mark->next, struct io_batch, link);

		list_del(mark);
		list_add_head(&b->link, mark);
		b->fn(b->ctx);
	}
	list_del(mark);
}

/* libuv leaves a socket that has much to give after a part of it. */
static bool has_more(const struct io_loop *loop)
{
	struct pollfd p = {.fd = uv_backend_fd(loop->uv), .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* Idle time like that in which libuv sleeps. */
static void rest(struct io_loop *loop)
{
	uint64_t now = uv_hrtime(), due = loop->looked_ns + loop->rest_ns;
	struct timespec t = {0};

	if (now >= due) {
		loop->looked_ns = now;
		return;
	}
	if (has_more(loop))
		return;
	t.tv_nsec = (long)(due - now);
	(void)nanosleep(&t, NULL);
	loop->looked_ns = uv_hrtime();
	loop->rested_ns += loop->looked_ns - now;
}

static void on_prepare(uv_prepare_t *p)
{
	struct io_loop *loop = p->data;

	run_batch(loop);
	if (loop->rest_ns)
		rest(loop);
	timer_sync(loop, 0);
}

static void on_check(uv_check_t *c)
{
	run_batch(c->data);
}

int io_loop_init(struct io_loop *loop, uv_loop_t *borrowed_or_null)
{
	*loop = (struct io_loop){.timer_due_ms = UINT64_MAX};
	if (borrowed_or_null) {
		loop->uv = borrowed_or_null;
	} else {
		int rc = uv_loop_init(&loop->own);

		if (rc)
			return io_error(rc);
		(void)uv_loop_configure(&loop->own, UV_METRICS_IDLE_TIME);
		loop->uv = &loop->own;
		loop->owned = true;
	}
	list_init(&loop->batch);
	list_init(&loop->batch_mark);
	list_init(&loop->handles);
	timers_init(&loop->timers, uv_now(loop->uv));
	/* These inits and starts cannot fail. */
	(void)uv_timer_init(loop->uv, &loop->timer);
	(void)uv_prepare_init(loop->uv, &loop->prepare);
	(void)uv_check_init(loop->uv, &loop->check);
	loop->timer.data = loop->prepare.data = loop->check.data = loop;
	(void)uv_prepare_start(&loop->prepare, on_prepare);
	(void)uv_check_start(&loop->check, on_check);
	uv_unref((uv_handle_t *)&loop->prepare);
	uv_unref((uv_handle_t *)&loop->check);
	return 0;
}

void io_loop_set_log(struct io_loop *loop, const struct log *log)
{
	loop->log = log;
}

static void cancel_all(struct io_loop *loop)
{
	struct timers *q = &loop->timers;

	while (!list_empty(&q->due))
		timer_cancel(q, CONTAINER(q->due.next, struct timer, link));
	for (int l = 0; l < TIMERS_LEVELS; l++)
		for (int s = 0; s < TIMERS_SLOTS; s++)
			while (!list_empty(&q->slot[l][s]))
				timer_cancel(q, CONTAINER(q->slot[l][s].next, struct timer, link));
	while (!list_empty(&loop->batch))
		list_del(loop->batch.next);
}

static void on_own_closed(uv_handle_t *h)
{
	struct io_loop *loop = h->data;

	loop->n_uv--;
}

void io_loop_fini(struct io_loop *loop)
{
	if (!loop->uv)
		return;
	loop->closing = true;
	while (!list_empty(&loop->handles)) {
		struct io_handle *h = CONTAINER(loop->handles.next, struct io_handle, link);

		list_del(&h->link);
		h->close(h);
	}
	while (loop->n_uv)
		(void)uv_run(loop->uv, UV_RUN_NOWAIT);
	log_quota_tell(&loop->tls_told, loop->log, &io_failed_handshakes);
	cancel_all(loop);
	loop->n_uv = 3;
	uv_close((uv_handle_t *)&loop->timer, on_own_closed);
	uv_close((uv_handle_t *)&loop->prepare, on_own_closed);
	uv_close((uv_handle_t *)&loop->check, on_own_closed);
	while (loop->n_uv)
		(void)uv_run(loop->uv, UV_RUN_NOWAIT);
	if (loop->owned && uv_loop_close(loop->uv))
		log_line(loop->log, LOG_ERROR, "io", "the loop ends with handles still open");
	free(loop->stream_buffer);
	free(loop->datagram_buffer);
	loop->stream_buffer = loop->datagram_buffer = NULL;
	loop->uv = NULL;
}

void io_run(struct io_loop *loop)
{
	timer_sync(loop, 0);
	(void)uv_run(loop->uv, UV_RUN_DEFAULT);
}

bool io_turn(struct io_loop *loop, bool wait)
{
	timer_sync(loop, 0);
	return uv_run(loop->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
}

void io_stop(struct io_loop *loop)
{
	uv_stop(loop->uv);
}

void io_loop_rest(struct io_loop *loop, unsigned us)
{
	loop->rest_ns = us < 1000000 ? us * 1000ull : 999999999;
}

uint64_t io_idle_ms(const struct io_loop *loop)
{
	return (uv_metrics_idle_time(loop->uv) + loop->rested_ns) / 1000000;
}

uint64_t io_now_ms(const struct io_loop *loop)
{
	return uv_now(loop->uv);
}

uint64_t io_now_fresh_ms(struct io_loop *loop)
{
	uv_update_time(loop->uv);
	return uv_now(loop->uv);
}

uint64_t io_wall_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void io_loop_arm(struct io_loop *loop, struct timer *t, uint64_t due_ms)
{
	timer_arm(&loop->timers, t, due_ms);
	/* Only towards sooner; prepare corrects the rest before the loop sleeps. */
	if (due_ms < loop->timer_due_ms)
		timer_sync(loop, 0);
}

void io_deadline_init(struct io_deadline *d, struct io_loop *loop,
		      void (*fire)(void *ctx, uint64_t now_ms), void *ctx)
{
	timer_init(&d->timer, fire, ctx);
	d->loop = loop;
	d->set_ms = UINT64_MAX;
}

void io_deadline_set(struct io_deadline *d, uint64_t due_ms)
{
	if (due_ms == UINT64_MAX) {
		timer_cancel(&d->loop->timers, &d->timer);
		return;
	}
	if (timer_armed(&d->timer) && due_ms == d->set_ms)
		return;
	d->set_ms = due_ms;
	io_loop_arm(d->loop, &d->timer, due_ms);
}

void io_deadline_fini(struct io_deadline *d)
{
	/* Not armed: the loop may be gone already. */
	if (timer_armed(&d->timer))
		timer_cancel(&d->loop->timers, &d->timer);
}

void io_loop_after_batch(struct io_loop *loop, struct io_batch *b, void (*fn)(void *ctx), void *ctx)
{
	b->fn = fn;
	b->ctx = ctx;
	list_add_tail(&loop->batch, &b->link);
}

void io_batch_fini(struct io_batch *b)
{
	list_del(&b->link);
}

int io_error(int system_error)
{
	switch (system_error < 0 ? -system_error : system_error) {
	case 0:
		return 0;
	case ENOMEM:
		return E_NOMEM;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOSPC:
	case EMSGSIZE:
	case EAGAIN:
		return E_LIMIT;
	case EADDRINUSE:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case ENETUNREACH:
	case EHOSTUNREACH:
		return E_ADDRESS;
	case EACCES:
	case EPERM:
		return E_DENIED;
	case ETIMEDOUT:
		return E_TIMEOUT;
	case EPIPE:
		return E_CLOSED;
	default:
		return E_IO;
	}
}
