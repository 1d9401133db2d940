#include "io/aside.h"

#include "base/error.h"
#include "io/mailbox.h"

#include <stdlib.h>

enum {
	PIECES = 512,
	BYTES = 256 * 1024,
	GATHER_MS = 2,	   /* how long what comes is gathered, while there is much of it */
	TURNS_AWAKE = 500, /* without anything to send; then it sleeps until it is woken */
};

/* Some datagrams. */
struct block {
	unsigned n;
	size_t used;
	struct mmsghdr head[PIECES];
	struct iovec piece[PIECES];
	struct sockaddr_storage to[PIECES];
	char bytes[BYTES];
};

struct io_aside {
	struct io_thread thread;
	int fd;
	struct block *sending; /* its thread only */
	uv_mutex_t lock;       /* guards what follows */
	uv_cond_t more;
	struct block *filling;
	bool asleep, over;
	struct block block[2];
};

static void send_all(int fd, struct block *b)
{
	unsigned at = 0;

	while (at < b->n) {
		int sent = sendmmsg(fd, b->head + at, b->n - at, 0);

		/* One that the kernel does not take is passed by. */
		at += sent > 0 ? (unsigned)sent : 1;
	}
	b->n = 0;
	b->used = 0;
}

/* A wake-up for each datagram would cost who hands it over nearly what it costs to send it: while
 * there is something to do now and then, it looks by itself. */
static void wait_for_more(struct io_aside *a, unsigned *turns)
{
	if (++*turns <= TURNS_AWAKE) {
		(void)uv_cond_timedwait(&a->more, &a->lock, GATHER_MS * 1000000ull);
		return;
	}
	a->asleep = true;
	while (a->asleep && !a->over)
		uv_cond_wait(&a->more, &a->lock);
	*turns = 0;
}

static void run(void *ctx)
{
	struct io_aside *a = ctx;
	unsigned turns = 0;

	uv_mutex_lock(&a->lock);
	while (!a->over) {
		struct block *b = a->filling;

		if (b->n) {
			a->filling = a->sending;
			a->sending = b;
			uv_mutex_unlock(&a->lock);
			send_all(a->fd, b);
			uv_mutex_lock(&a->lock);
			turns = 0;
		}
		wait_for_more(a, &turns);
	}
	uv_mutex_unlock(&a->lock);
}

static bool append(struct block *b, const struct sockaddr *to, socklen_t to_n, struct view bytes)
{
	if (b->n == PIECES || bytes.n > BYTES - b->used)
		return false;
	if (bytes.n)
		memcpy(b->bytes + b->used, bytes.p, bytes.n);
	memcpy(&b->to[b->n], to, to_n);
	b->piece[b->n] = (struct iovec){.iov_base = b->bytes + b->used, .iov_len = bytes.n};
	b->head[b->n] = (struct mmsghdr){.msg_hdr = {.msg_name = &b->to[b->n],
						     .msg_namelen = to_n,
						     .msg_iov = &b->piece[b->n],
						     .msg_iovlen = 1}};
	b->used += bytes.n;
	b->n++;
	return true;
}

int io_aside_send(struct io_aside *a, const struct sockaddr *to, socklen_t to_n, struct view bytes)
{
	bool taken, wake;

	if (to_n > sizeof(a->filling->to[0]))
		return E_LIMIT;
	uv_mutex_lock(&a->lock);
	taken = append(a->filling, to, to_n, bytes);
	wake = a->asleep;
	a->asleep = false;
	uv_mutex_unlock(&a->lock);
	if (wake)
		uv_cond_signal(&a->more);
	return taken ? 0 : E_LIMIT;
}

int io_aside_new(int fd, struct io_aside **out)
{
	struct io_aside *a = calloc(1, sizeof(*a));

	if (!a)
		return E_NOMEM;
	a->fd = fd;
	a->filling = &a->block[0];
	a->sending = &a->block[1];
	if (uv_mutex_init(&a->lock))
		goto no_lock;
	if (uv_cond_init(&a->more))
		goto no_cond;
	if (io_thread_start(&a->thread, "aside", run, a))
		goto no_thread;
	*out = a;
	return 0;
no_thread:
	uv_cond_destroy(&a->more);
no_cond:
	uv_mutex_destroy(&a->lock);
no_lock:
	free(a);
	return E_LIMIT;
}

void io_aside_free(struct io_aside *a)
{
	if (!a)
		return;
	uv_mutex_lock(&a->lock);
	a->over = true;
	uv_cond_signal(&a->more);
	uv_mutex_unlock(&a->lock);
	io_thread_join(&a->thread);
	uv_cond_destroy(&a->more);
	uv_mutex_destroy(&a->lock);
	free(a);
}
