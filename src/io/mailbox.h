/*
 * Mail between threads: each loop that wants mail opens a mailbox, and any thread may post to it.
 * Threads of this project share nothing else.
 */
#ifndef CONFAB_IO_MAILBOX_H
#define CONFAB_IO_MAILBOX_H

#include "io/loop.h"

/* The first or any member of a struct that the poster allocates; find it with CONTAINER. */
struct io_mail {
	struct io_mail *next;
};

struct io_mailbox;

/* A mail arrived: mail is the receiver's now. */
typedef void io_mail_fn(void *ctx, struct io_mail *mail);

/* Opens a mailbox on the loop. receive runs on the loop's thread, for one mail after the other in
 * the order of posting (mails of one poster never overtake each other). discard gets what is still
 * unread when the mailbox closes, to free it; NULL: receive gets it.
 * An open mailbox keeps io_run going. 0, E_NOMEM, E_IO, E_LIMIT. */
int io_mailbox_open(struct io_loop *loop, io_mail_fn *receive, io_mail_fn *discard, void *ctx,
		    struct io_mailbox **mailbox_out);
/* On the loop's thread, when no thread will post any more. NULL is accepted. discard runs inside.
 */
void io_mailbox_close(struct io_mailbox *mb);
/* Any thread. Hands mail over; never blocks longer than a few instructions, never fails. There is
 * no cap: a poster that must not flood the receiver looks at io_mailbox_depth. */
void io_mailbox_post(struct io_mailbox *mb, struct io_mail *mail);
/* Any thread. Mails posted and not yet received, the one being received not counted. */
size_t io_mailbox_depth(struct io_mailbox *mb);

struct io_thread {
	uv_thread_t id;
	void (*run)(void *ctx);
	void *ctx;
	char name[16];
};

/* Starts a thread that runs run(ctx). t must live until the join. name: shown by ps and debuggers,
 * cut at 15 bytes. The new thread has all signals blocked (they go to the main thread). 0, E_LIMIT.
 */
int io_thread_start(struct io_thread *t, const char *name, void (*run)(void *ctx), void *ctx);
/* Waits until run has returned. */
void io_thread_join(struct io_thread *t);

#endif
