/* What the trace is told of one MSRP connection: all bytes, or without what people write. */
#include "confabd_switch_trace.h"

#include "io/tcp.h"
#include "msrp/veil.h"

#include <stdlib.h>

struct link_trace {
	const struct switch_threads_config *cfg;
	const struct io_conn *io; /* during a call */
	struct msrp_veil veil[2]; /* in, out */
};

int link_trace_new(const struct switch_threads_config *cfg, struct link_trace **out)
{
	struct link_trace *t = NULL;

	if (cfg->trace) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return E_NOMEM;
		t->cfg = cfg;
		msrp_veil_init(&t->veil[0]);
		msrp_veil_init(&t->veil[1]);
	}
	*out = t;
	return 0;
}

void link_trace_free(struct link_trace *t)
{
	if (!t)
		return;
	msrp_veil_fini(&t->veil[0]);
	msrp_veil_fini(&t->veil[1]);
	free(t);
}

static void tell(const struct link_trace *t, bool out, struct view text)
{
	struct addr local, remote;

	io_conn_local(t->io, &local);
	io_conn_remote(t->io, &remote);
	t->cfg->trace(t->cfg->trace_ctx, io_conn_is_tls(t->io), out, &local, &remote, text);
}

static void tell_in(void *ctx, struct view text)
{
	tell(ctx, false, text);
}

static void tell_out(void *ctx, struct view text)
{
	tell(ctx, true, text);
}

void link_trace_bytes(struct link_trace *t, const struct io_conn *io, bool out,
		      const struct view *piece, size_t n, size_t bytes)
{
	if (!t)
		return;
	t->io = io;
	for (size_t i = 0; i < n && bytes; i++) {
		struct view v = view_first(piece[i], bytes);

		if (t->cfg->trace_bodies)
			tell(t, out, v);
		else
			msrp_veil_take(&t->veil[out], v, out ? tell_out : tell_in, t);
		bytes -= v.n;
	}
}
