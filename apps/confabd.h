/* Inside confabd: the parts of the program and how they hang together. */
#ifndef CONFABD_H
#define CONFABD_H

#include "admin/trace.h"
#include "config/server.h"
#include "confabd_switch.h"
#include "io/log.h"
#include "io/loop.h"
#include "server/controlling/controlling.h"
#include "server/core/core.h"
#include "store/store.h"

struct confabd_sockets;
struct confabd_users;

struct confabd {
	struct server_config cfg;
	struct io_log log;
	struct io_loop loop;
	struct timers timers; /* of all that is pure on this thread */
	struct entropy entropy;
	struct io_deadline deadline;
	struct io_batch batch;
	struct trace *trace;
	struct store *store;
	struct confabd_users *users;
	struct confabd_sockets *sockets;
	struct switch_threads *switch_threads;
	struct sip_stack *stack;
	struct core *core;
	struct controlling *controlling;
	struct view domains[OPTION_LIST_MAX];
};

/* --- confabd_sockets.c: SIP listeners and connections --- */
/* Opens what is configured, and fills the addresses that Via and Contact give. 0, or a negative code (the log says
 * which). */
int confabd_sockets_open(struct confabd *d, struct addr sent_by[3][2]);
void confabd_sockets_close(struct confabd *d);
/* The part of the stack's operations that reaches the sockets. */
void confabd_sockets_ops(struct sip_stack_ops *ops);

/* --- confabd_users.c: the store as the core sees it --- */
int confabd_users_open(struct confabd *d);
void confabd_users_close(struct confabd *d);
/* core_ops.user_find; ctx is the struct confabd. */
int confabd_user_find(void *ctx, struct view user, struct view domain, struct core_user *out);

/* --- confabd_seats.c: the switch as the focus sees it --- */
int confabd_seats_start(struct confabd *d);
void confabd_seats_broker(struct confabd *d, struct seat_broker *broker);

/* --- confabd_trace.c --- */
void confabd_trace_sip(void *ctx, bool out, const struct sip_flow *flow, struct view bytes);
void confabd_trace_msrp(void *ctx, unsigned shard, bool out, const struct addr *local,
			const struct addr *remote, struct view bytes);

#endif
