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
#include "server/core/overload.h"
#include "server/participating/b2bua.h"
#include "store/store.h"

struct confabd_sockets;
struct confabd_resolver;
struct io_tls;
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
	struct io_tls *sip_tls, *msrp_tls; /* NULL: no certificate is configured */
	struct store *store;
	struct confabd_users *users;
	struct confabd_sockets *sockets;
	struct switch_threads *switch_threads;
	struct confabd_resolver *resolver;
	struct sip_stack *stack;
	struct core *core;
	struct b2bua *b2bua;
	struct controlling *controlling;
	struct {
		struct timer retry;
		bool behind; /* the store is not what memory is */
	} bindings;
	struct {
		struct timer look;
		int64_t offset_ms; /* of the wall clock from the monotonic one, when it was looked at */
	} clock;
	struct {
		struct overload overload;
		struct timer window, end;
		uint64_t idle_ms, looked_ms, refused_told;
		uint64_t end_ms; /* draining: when sessions are ended; then, when the process is */
		unsigned retry_after_s;
		bool draining, told;
	} gate;
	struct view domains[OPTION_LIST_MAX], trusted_names[OPTION_LIST_MAX];
	struct core_route routes[OPTION_LIST_MAX];
};

/* --- confabd_sockets.c: SIP listeners and connections --- */
/* Opens what is configured, and fills the addresses that Via and Contact give. 0, or a negative code (the log says
 * which). */
int confabd_sockets_open(struct confabd *d, struct addr sent_by[3][2]);
void confabd_sockets_close(struct confabd *d);
/* There is no TLS connection to this address that is to somebody else than host. */
bool confabd_sockets_lead_to(const struct confabd *d, const struct addr *to, struct view host);
/* The part of the stack's operations that reaches the sockets. */
void confabd_sockets_ops(struct sip_stack_ops *ops);

/* --- confabd_tls.c: certificates --- */
/* 0, or a negative code (the log says which file). */
int confabd_tls_open(struct confabd *d);
void confabd_tls_close(struct confabd *d);
/* Reads the files anew; what is wrong with them goes to the log, and all stays as it was. */
void confabd_tls_reload(struct confabd *d);

/* --- confabd_resolve.c: other domains --- */
int confabd_resolve_open(struct confabd *d);
void confabd_resolve_close(struct confabd *d);
/* As struct core_ops has it. */
int confabd_resolve(struct confabd *d, const struct sip_uri *uri, struct sip_flow *out, size_t max,
		    size_t *n_out, uint64_t now_ms);
/* Nobody is at this address: others that were found with it are next (RFC 3263 section 4.3). */
void confabd_resolve_failed(struct confabd *d, const struct addr *to);
/* Whom a TLS connection to this address must lead to (RFC 5922): the domain that was asked for, or the
 * address itself. dst: 256 bytes. */
void confabd_resolve_peer(const struct confabd *d, const struct addr *to, char *dst);

/* --- confabd_users.c: the store as the core sees it --- */
int confabd_users_open(struct confabd *d);
void confabd_users_close(struct confabd *d);
/* core_ops.user_find; ctx is the struct confabd. */
int confabd_user_find(void *ctx, struct view user, struct view domain, struct core_user *out);

/* --- confabd_gate.c: who is let in, and the end --- */
void confabd_gate_open(struct confabd *d);
void confabd_gate_close(struct confabd *d);
/* A signal to end. The second one ends it at once. */
void confabd_gate_drain(struct confabd *d);
/* sip_stack_ops.admit and .pressed; ctx is the struct confabd. */
unsigned confabd_admit(void *ctx, const struct sip_newcomer *n);
bool confabd_pressed(void *ctx);

/* --- confabd_bindings.c: registrations over a restart --- */
/* Puts back what the store has. After core_new. 0, or a negative code. */
int confabd_bindings_open(struct confabd *d);
void confabd_bindings_close(struct confabd *d);
/* core_ops.on_binding; ctx is the struct confabd. */
void confabd_on_binding(void *ctx, struct view aor, const struct binding_values *b,
			uint64_t now_ms);
/* core_ops.on_served; likewise. */
void confabd_on_served(void *ctx, struct view aor, uint64_t expires_at_ms, uint64_t now_ms);

/* The store is not what memory is: says so, and writes all of it anew as soon as it can. */
void confabd_bindings_behind(struct confabd *d, uint64_t now_ms);

/* --- confabd_clock.c: the wall clock is set --- */
/* Before anything is read from the store. */
void confabd_clock_open(struct confabd *d);
/* The wall clock as it was when it was looked at last: all times in the store are by this, also in the moment between a
 * jump and its being noticed. */
uint64_t confabd_wall_ms(const struct confabd *d, uint64_t now_ms);
void confabd_clock_close(struct confabd *d);

/* --- confabd_conferences.c: conferences over a restart --- */
/* Puts back what the store has. After controlling_new. 0, or a negative code. */
int confabd_conferences_open(struct confabd *d);
/* Writes what has not been written yet. */
void confabd_conferences_close(struct confabd *d);

/* --- confabd_seats.c: the switch as the focus sees it --- */
/* How long the switch may take to end a session in good order. */
uint32_t confabd_drain_ms(const struct confabd *d);
int confabd_seats_start(struct confabd *d);
void confabd_seats_broker(struct confabd *d, struct seat_broker *broker);
/* Events of conferences that are relays, and the relays as the B2BUA sees them: confabd_relays.c. */
void confabd_relays_broker(struct confabd *d, struct relay_broker *broker);
bool confabd_relays_event(struct confabd *d, const struct switch_event *ev, uint64_t now_ms);

/* --- confabd_trace.c --- */
void confabd_trace_sip(void *ctx, bool out, const struct sip_flow *flow, struct view bytes);
void confabd_trace_msrp(void *ctx, bool tls, bool out, const struct addr *local,
			const struct addr *remote, struct view bytes);

#endif
