/*
 * The room io: thin input and output on libuv. It moves bytes and tells the time, knows no
 * protocol, and includes nothing of this project but base. Each loop belongs to one thread; unless
 * a header says "any thread", a function may be called only on the thread that runs the loop (or
 * before the loop runs, or after it has stopped).
 *
 * One iteration of the loop: due deadlines fire; the batch hooks run; the loop sleeps until a
 * descriptor is ready or a deadline is due (io_loop_rest: a little longer); the callbacks of
 * sockets, mailboxes and lines run; the batch hooks run again; what was closed is told so
 * (on_closed and the like) and freed.
 */
#ifndef CONFAB_IO_LOOP_H
#define CONFAB_IO_LOOP_H

#include "base/list.h"
#include "base/log_quota.h"
#include "base/timers.h"

#include <uv.h>

/* Anything that io_loop_fini has to close. For the files of this room. */
struct io_handle {
	struct list link;
	void (*close)(struct io_handle *h);
};

struct io_loop {
	uv_loop_t *uv;
	const struct log *log; /* may be NULL; set it with io_loop_set_log */
	/* The rest is for the files of this room. */
	uv_loop_t own;
	bool owned, closing;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_timer_t timer;
	uint64_t timer_due_ms;	   /* what `timer` is set to, UINT64_MAX when stopped */
	struct timers timers;	   /* deadlines and the timeouts of connections */
	struct list batch;	   /* struct io_batch */
	struct list batch_mark;	   /* behind the hook that runs */
	struct list handles;	   /* struct io_handle */
	size_t n_uv;		   /* uv handles of this room that are not closed yet */
	uint64_t rest_ns;	   /* io_loop_rest */
	uint64_t rested_ns;	   /* all of it so far */
	uint64_t looked_ns;	   /* since when it has been at the sockets */
	struct log_quota tls_told; /* of what strangers can cause at will */
	char *stream_buffer;	   /* shared by all connections, IO_STREAM_BUFFER bytes */
	char *datagram_buffer;	   /* shared by all UDP sockets */
};

enum { IO_STREAM_BUFFER = 64 * 1024 };

/* borrowed: a loop to use, which stays the caller's and must outlive this one, or NULL to make one.
 * 0, E_NOMEM, E_IO. */
int io_loop_init(struct io_loop *loop, uv_loop_t *borrowed_or_null);
/* Where this room's own warnings about this loop's sockets go. The log must outlive the loop. */
void io_loop_set_log(struct io_loop *loop, const struct log *log);
/* Closes all sockets, listeners, mailboxes, signals and lines that are open on this loop, and turns
 * the loop until each has been told (so closed callbacks run in here, with E_CLOSED for connections
 * that nobody had closed before); cancels all deadlines and hooks. On a borrowed loop other users'
 * callbacks may run too. Not from inside a callback of the loop. */
void io_loop_fini(struct io_loop *loop);

/* Runs until io_stop, or until nothing is left that could happen. */
void io_run(struct io_loop *loop);
/* One iteration: with wait, sleeps until something happens. True when there may be more to do. For
 * tests: while (!condition) io_turn(loop, true). */
bool io_turn(struct io_loop *loop, bool wait);
/* Makes io_run return after the running iteration. On another thread: post a mail instead. */
void io_stop(struct io_loop *loop);

/* Milliseconds of a monotonic clock, as of the start of this iteration (costs nothing). */
uint64_t io_now_ms(const struct io_loop *loop);
/* The same clock, read anew; io_now_ms follows. */
uint64_t io_now_fresh_ms(struct io_loop *loop);
/* Once nothing is there any more, the sockets are looked at again so many microseconds (less than a
 * second) after the last time, so that what comes close together is done together: to be woken costs
 * as much as a small message does. Deadlines may come late by that much, too. Who is at work that
 * long anyway does not wait. 0, as it begins: at once. */
void io_loop_rest(struct io_loop *loop, unsigned us);
/* For how long the loop has been asleep, all in all; what is missing to the time that went by, it
 * was at work. A loop of its own only (not a borrowed one). */
uint64_t io_idle_ms(const struct io_loop *loop);
/* Unix time in milliseconds. Any thread. */
uint64_t io_wall_ms(void);

/*
 * A re-armable deadline: for a pure room that says when it wants to be called next.
 * Storage is the caller's; fini is immediate (the storage may go at once) and may be called twice.
 */
struct io_deadline {
	struct timer timer; /* holds fire and ctx */
	struct io_loop *loop;
	uint64_t set_ms; /* as last asked for */
};

void io_deadline_init(struct io_deadline *d, struct io_loop *loop,
		      void (*fire)(void *ctx, uint64_t now_ms), void *ctx);
/* fire is called once from the loop when io_now_ms has reached due_ms; a time in the past means the
 * next iteration; UINT64_MAX disarms. Replaces what was set before; costs a comparison when
 * due_ms is unchanged. An armed deadline keeps io_run going. */
void io_deadline_set(struct io_deadline *d, uint64_t due_ms);
void io_deadline_fini(struct io_deadline *d);

/* For the files of this room: arms a timer of loop->timers and sees to it that the loop wakes up
 * for it. */
void io_loop_arm(struct io_loop *loop, struct timer *t, uint64_t due_ms);

/*
 * A hook that runs after the callbacks of an iteration, so that what many callbacks queued goes out
 * in one write. It runs after the deadlines and again after the sockets' callbacks, hence always
 * before the loop sleeps; it should cost nothing when there is nothing to flush. Storage is the
 * caller's. What a hook queues for a later hook is seen in the same round; what it queues for an
 * earlier one is seen in the next, which without other events may be after a sleep.
 */
struct io_batch {
	struct list link;
	void (*fn)(void *ctx);
	void *ctx;
};

/* Hooks run in the order of registration. */
void io_loop_after_batch(struct io_loop *loop, struct io_batch *b, void (*fn)(void *ctx),
			 void *ctx);
/* May be called twice, and from inside the hook itself. */
void io_batch_fini(struct io_batch *b);

/* The E_ code for an errno value (positive) or a libuv error (negative): E_NOMEM, E_LIMIT (no
 * descriptors), E_ADDRESS (in use, not local, no route), E_DENIED, E_TIMEOUT, E_CLOSED (broken
 * pipe), else E_IO. Any thread. */
int io_error(int system_error);

#endif
