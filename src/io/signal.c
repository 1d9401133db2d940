#include "io/signal.h"

#include "base/error.h"

#include <signal.h>
#include <stdlib.h>

static const int watched[] = {SIGINT, SIGTERM, SIGHUP};

enum { N_WATCHED = sizeof(watched) / sizeof(watched[0]) };

struct io_signals {
	struct io_handle handle;
	uv_signal_t uv[N_WATCHED];
	struct io_loop *loop;
	io_signal_fn *fn;
	void *ctx;
	unsigned n_open;
	bool closed;
};

static void on_signal(uv_signal_t *uv, int signo)
{
	struct io_signals *s = uv->data;

	if (!s->closed)
		s->fn(s->ctx, signo);
}

static void on_closed(uv_handle_t *h)
{
	struct io_signals *s = h->data;

	s->loop->n_uv--;
	if (--s->n_open == 0)
		free(s);
}

void io_signals_close(struct io_signals *s)
{
	if (!s || s->closed)
		return;
	s->closed = true;
	list_del(&s->handle.link);
	for (unsigned i = 0; i < N_WATCHED; i++)
		uv_close((uv_handle_t *)&s->uv[i], on_closed);
}

static void close_handle(struct io_handle *h)
{
	io_signals_close(CONTAINER(h, struct io_signals, handle));
}

void io_signals_ignore_failed_writes(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
}

int io_signals_open(struct io_loop *loop, io_signal_fn *fn, void *ctx, struct io_signals **out)
{
	struct io_signals *s;
	int rc;

	if (loop->closing)
		return E_STATE;
	s = calloc(1, sizeof(*s));
	if (!s)
		return E_NOMEM;
	io_signals_ignore_failed_writes();
	/* Only the loop's first signal handle can fail to be made (it needs a pipe). */
	rc = uv_signal_init(loop->uv, &s->uv[0]);
	if (rc) {
		free(s);
		return io_error(rc);
	}
	for (unsigned i = 1; i < N_WATCHED; i++)
		(void)uv_signal_init(loop->uv, &s->uv[i]);
	s->loop = loop;
	s->fn = fn;
	s->ctx = ctx;
	s->n_open = N_WATCHED;
	loop->n_uv += N_WATCHED;
	s->handle.close = close_handle;
	list_add_tail(&loop->handles, &s->handle.link);
	for (unsigned i = 0; i < N_WATCHED; i++) {
		s->uv[i].data = s;
		rc = rc ? rc : uv_signal_start(&s->uv[i], on_signal, watched[i]);
		uv_unref((uv_handle_t *)&s->uv[i]);
	}
	if (rc) {
		io_signals_close(s);
		return io_error(rc);
	}
	*out = s;
	return 0;
}
