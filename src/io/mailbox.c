#include "io/mailbox.h"

#include "base/error.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct io_mailbox {
	struct io_handle handle;
	uv_async_t async;
	struct io_loop *loop;
	io_mail_fn *receive, *discard;
	void *ctx;
	bool closed;
	struct io_mail *batch; /* taken from the posters; the loop's thread only */
	atomic_size_t depth;
	uv_mutex_t lock; /* guards what follows */
	struct io_mail *first, **end;
};

static struct io_mail *take_all(struct io_mailbox *mb)
{
	struct io_mail *first;

	uv_mutex_lock(&mb->lock);
	first = mb->first;
	mb->first = NULL;
	mb->end = &mb->first;
	uv_mutex_unlock(&mb->lock);
	return first;
}

static void hand_out(struct io_mailbox *mb, io_mail_fn *to)
{
	while (mb->batch) {
		struct io_mail *m = mb->batch;

		mb->batch = m->next;
		m->next = NULL;
		atomic_fetch_sub(&mb->depth, 1);
		to(mb->ctx, m);
	}
}

static void on_async(uv_async_t *a)
{
	struct io_mailbox *mb = a->data;

	if (mb->closed)
		return;
	mb->batch = take_all(mb);
	/* A receiver that closes the mailbox has the rest discarded and batch set to NULL. */
	hand_out(mb, mb->receive);
}

static void on_closed(uv_handle_t *h)
{
	struct io_mailbox *mb = h->data;

	mb->loop->n_uv--;
	uv_mutex_destroy(&mb->lock);
	free(mb);
}

void io_mailbox_close(struct io_mailbox *mb)
{
	io_mail_fn *to;

	if (!mb || mb->closed)
		return;
	mb->closed = true;
	to = mb->discard ? mb->discard : mb->receive;
	list_del(&mb->handle.link);
	hand_out(mb, to);
	mb->batch = take_all(mb);
	hand_out(mb, to);
	uv_close((uv_handle_t *)&mb->async, on_closed);
}

static void close_handle(struct io_handle *h)
{
	io_mailbox_close(CONTAINER(h, struct io_mailbox, handle));
}

int io_mailbox_open(struct io_loop *loop, io_mail_fn *receive, io_mail_fn *discard, void *ctx,
		    struct io_mailbox **mailbox_out)
{
	struct io_mailbox *mb;
	int rc;

	if (loop->closing)
		return E_STATE;
	mb = calloc(1, sizeof(*mb));
	if (!mb)
		return E_NOMEM;
	rc = uv_mutex_init(&mb->lock);
	if (rc) {
		free(mb);
		return io_error(rc);
	}
	rc = uv_async_init(loop->uv, &mb->async, on_async);
	if (rc) {
		uv_mutex_destroy(&mb->lock);
		free(mb);
		return io_error(rc);
	}
	mb->async.data = mb;
	mb->loop = loop;
	mb->receive = receive;
	mb->discard = discard;
	mb->ctx = ctx;
	mb->end = &mb->first;
	mb->handle.close = close_handle;
	list_add_tail(&loop->handles, &mb->handle.link);
	loop->n_uv++;
	*mailbox_out = mb;
	return 0;
}

void io_mailbox_post(struct io_mailbox *mb, struct io_mail *mail)
{
	bool was_empty;

	mail->next = NULL;
	atomic_fetch_add(&mb->depth, 1);
	uv_mutex_lock(&mb->lock);
	was_empty = mb->first == NULL;
	*mb->end = mail;
	mb->end = &mail->next;
	/* The receiver takes all there is: one wake-up per emptied box is enough. Inside the lock,
	 * so that the box cannot be closed between a mail's arrival and its wake-up. */
	if (was_empty)
		(void)uv_async_send(&mb->async);
	uv_mutex_unlock(&mb->lock);
}

size_t io_mailbox_depth(struct io_mailbox *mb)
{
	return atomic_load(&mb->depth);
}

static void trampoline(void *ctx)
{
	struct io_thread *t = ctx;

	(void)pthread_setname_np(pthread_self(), t->name);
	t->run(t->ctx);
}

int io_thread_start(struct io_thread *t, const char *name, void (*run)(void *ctx), void *ctx)
{
	sigset_t all, before;
	int rc;

	t->run = run;
	t->ctx = ctx;
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	/* The new thread inherits the mask. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = uv_thread_create(&t->id, trampoline, t);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc ? E_LIMIT : 0;
}

void io_thread_join(struct io_thread *t)
{
	(void)uv_thread_join(&t->id);
}
