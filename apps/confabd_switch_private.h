/* The threads of the switch, for the files that make them: confabd_switch.c has the threads and their
 * connections, confabd_switch_commands.c what they are told. */
#ifndef CONFABD_SWITCH_PRIVATE_H
#define CONFABD_SWITCH_PRIVATE_H

#include "confabd_switch.h"

#include "io/mailbox.h"

#include <stdatomic.h>

struct switch_thread {
	struct switch_threads *all;
	unsigned number;
	struct io_loop loop;
	struct io_mailbox *mailbox;
	struct io_listener *listener, *tls_listener;
	struct io_thread thread;
	struct io_deadline deadline;
	struct io_batch batch;
	struct timers timers;
	struct switch_shard *shard;
	struct list woken; /* struct link */
	struct addr addr, tls_addr;
	bool has_loop, started;
	atomic_size_t seats;
	uv_mutex_t lock; /* of counts, which other threads read */
	struct switch_counts counts;
};

struct switch_threads {
	struct switch_threads_config cfg;
	const struct log *log;
	struct io_mailbox *events;
	bool stopping;	  /* set while no thread runs */
	atomic_uint turn; /* where switch_threads_pick begins to look */
	unsigned n;
	struct switch_thread thread[];
};

/* A switch_ops.mail: to another thread of ctx's, a struct switch_thread. */
void switch_command_mail(void *ctx, unsigned to, struct switch_mail *mail);
/* What a thread's mailbox calls; ctx is the struct switch_thread. */
void switch_command_receive(void *ctx, struct io_mail *mail);
void switch_command_discard(void *ctx, struct io_mail *mail);
/* The thread's loop ends, after all that it was told before. */
void switch_command_stop(struct switch_threads *ts, unsigned shard);

#endif
