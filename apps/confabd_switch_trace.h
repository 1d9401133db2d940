/* The trace of one MSRP connection, on its thread. */
#ifndef CONFABD_SWITCH_TRACE_H
#define CONFABD_SWITCH_TRACE_H

#include "base/error.h"
#include "confabd_switch.h"

struct io_conn;
struct link_trace;

/* *out is NULL where there is no trace, which the other functions accept. cfg is borrowed. E_NOMEM.
 */
int link_trace_new(const struct switch_threads_config *cfg, struct link_trace **out);
void link_trace_free(struct link_trace *t);
/* The first `bytes` bytes of the n pieces were read, or written. */
void link_trace_bytes(struct link_trace *t, const struct io_conn *io, bool out,
		      const struct view *piece, size_t n, size_t bytes);

#endif
