/* Connections and datagrams between io and the pure rooms, and the trace of both. */
#include "embed/state.h"

#include "base/error.h"

#include <stdlib.h>

static void trace(const struct confab *c, bool out, const char *protocol, const char *transport,
		  const struct addr *local, const struct addr *remote, struct view bytes)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	if (c->trace)
		c->trace(c->trace_ctx, out ? '>' : '<', protocol, transport, addr_text(local, from),
			 addr_text(remote, to), bytes.p, bytes.n);
}

static void trace_msrp(const struct wire *w, bool out, struct view bytes)
{
	struct addr local, remote;

	if (!w->confab->trace)
		return;
	io_conn_local(w->io, &local);
	io_conn_remote(w->io, &remote);
	trace(w->confab, out, "msrp", io_conn_is_tls(w->io) ? "tls" : "tcp", &local, &remote,
	      bytes);
}

/* The message's flow names the remote end alone. */
static struct addr local_of(const struct confab *c, const struct sip_flow *flow)
{
	struct addr local = c->sip_local, remote;

	if (flow->transport == SIP_UDP)
		return local;
	for (struct list *l = c->wires.next; l != &c->wires; l = l->next) {
		struct wire *w = CONTAINER(l, struct wire, link);

		if (!w->for_sip)
			continue;
		io_conn_remote(w->io, &remote);
		if (!addr_eq(&remote, &flow->remote))
			continue;
		io_conn_local(w->io, &local);
		break;
	}
	return local;
}

static void sip_trace(void *ctx, bool out, const struct sip_flow *flow, struct view bytes)
{
	struct confab *c = ctx;
	struct addr local;

	if (!c->trace)
		return;
	local = local_of(c, flow);
	trace(c, out, "sip",
	      flow->transport == SIP_UDP   ? "udp"
	      : flow->transport == SIP_TLS ? "tls"
					   : "tcp",
	      &local, &flow->remote, bytes);
}

static void wire_free(struct wire *w)
{
	list_del(&w->link);
	free(w);
}

static struct wire *wire_new(struct confab *c, bool for_sip)
{
	struct wire *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->confab = c;
	w->for_sip = for_sip;
	list_add_tail(&c->wires, &w->link);
	return w;
}

static void connected(void *ctx, struct io_conn *io)
{
	struct wire *w = ctx;
	uint64_t now_ms = io_now_ms(&w->confab->io);

	(void)io;
	if (w->for_sip)
		w->confab->tls_why[0] = '\0';
	if (w->sip)
		sip_conn_up(w->sip, now_ms);
	else if (w->msrp)
		msrp_conn_up(w->msrp, now_ms);
}

static void data(void *ctx, struct io_conn *io, struct view bytes)
{
	struct wire *w = ctx;
	uint64_t now_ms = io_now_ms(&w->confab->io);

	(void)io;
	if (w->sip) {
		sip_conn_recv(w->sip, bytes, now_ms);
	} else if (w->msrp) {
		trace_msrp(w, false, bytes);
		msrp_conn_recv(w->msrp, bytes, now_ms);
	}
}

static void drained(void *ctx, struct io_conn *io)
{
	struct wire *w = ctx;

	(void)io;
	if (w->msrp)
		msrp_conn_drained(w->msrp, io_now_ms(&w->confab->io));
}

static void tls_failed(struct wire *w, struct io_conn *io)
{
	struct confab *c = w->confab;
	struct buf b;

	if (!w->for_sip)
		return;
	buf_init(&b, sizeof(c->tls_why) - 1);
	buf_putf(&b, "TLS: %s", io_conn_tls_why(io));
	(void)view_copy(buf_view(&b), c->tls_why, sizeof(c->tls_why));
	buf_fini(&b);
}

static void closed(void *ctx, struct io_conn *io, int error)
{
	struct wire *w = ctx;
	struct sip_conn *sip = w->sip;
	struct msrp_conn *msrp = w->msrp;
	struct confab *c = w->confab;

	log_line(&c->log, LOG_DEBUG, "embed", "a %s connection is closed: %s",
		 w->for_sip ? "SIP" : "MSRP", error ? error_text(error) : "in good order");
	if (io_conn_tls_why(io)[0])
		tls_failed(w, io);
	wire_free(w);
	if (sip)
		sip_conn_down(sip, io_now_ms(&c->io));
	else if (msrp)
		msrp_conn_down(msrp, io_now_ms(&c->io));
}

static const struct io_conn_events wire_events = {
	.connected = connected, .data = data, .drained = drained, .closed = closed};

/* Linux sends a SYN again after one second and after three: two lost ones are survived. A server
 * that does not answer is left for the next one after that time (RFC 3263 §4.3), and within the ten
 * seconds that a switch keeps a seat for us (msrp.rebind_grace_ms) there is time for another
 * attempt. A TLS handshake takes some round trips more. */
enum { CONNECT_MS = 4000, CONNECT_TLS_MS = 5000 };

static struct wire *wire_connect(struct confab *c, bool for_sip, const struct addr *to,
				 struct io_conn_options options)
{
	struct addr local = c->bind_host;
	struct wire *w = wire_new(c, for_sip);
	int rc;

	if (!w)
		return NULL;
	options.queue_max = QUEUE_MAX;
	options.timeout_ms = options.tls ? CONNECT_TLS_MS : CONNECT_MS;
	if (local.family == to->family && !addr_is_any(&local))
		options.local = &local;
	rc = io_conn_connect(&c->io, to, &options, &wire_events, w, &w->io);
	if (rc == 0)
		return w;
	log_line(&c->log, LOG_WARN, "embed", "cannot connect: %s", error_text(rc));
	wire_free(w);
	return NULL;
}

/* What does not fit into the queue costs the connection: half a message cannot be sent. The owner
 * hears of it by closed. */
static void wire_write(struct wire *w, struct view bytes)
{
	int rc = io_conn_write(w->io, bytes);

	if (rc == 0 || rc == E_CLOSED)
		return;
	log_line(&w->confab->log, LOG_WARN, "embed", "a connection is given up: %s",
		 error_text(rc));
	io_conn_close(w->io);
}

static void udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	struct confab *c = ctx;
	int rc = c->udp ? io_udp_send(c->udp, to, bytes) : E_UNSUPPORTED;

	if (rc)
		log_line(&c->log, LOG_INFO, "embed", "a datagram was not sent: %s", error_text(rc));
}

static void *sip_connect(void *ctx, struct sip_conn *conn, enum sip_transport t,
			 const struct addr *to)
{
	struct io_conn_options options = {0};
	struct confab *c = ctx;
	struct addr literal;
	struct wire *w;

	if (t == SIP_TLS) {
		if (!c->sip_tls)
			return NULL;
		options.tls = c->sip_tls;
		options.tls_name =
			addr_parse(view_str(c->tls_name), 0, &literal) ? c->tls_name : NULL;
		options.identify = certificates_identify_server;
	}
	w = wire_connect(c, true, to, options);
	if (w)
		w->sip = conn;
	return w;
}

static void sip_write(void *ctx, void *handle, struct view bytes)
{
	(void)ctx;
	wire_write(handle, bytes);
}

static void wire_close(void *ctx, void *handle)
{
	struct wire *w = handle;

	(void)ctx;
	w->sip = NULL;
	w->msrp = NULL;
	io_conn_close(w->io);
}

static void *msrp_connect(void *ctx, struct msrp_conn *conn, const struct addr *to, bool tls)
{
	struct confab *c = ctx;
	/* Who is there is looked at when a session is to go over it: certificates_vouch. */
	struct io_conn_options options = {.tls = tls ? c->msrp_tls : NULL, .tls_any = true};
	struct wire *w;

	w = wire_connect(c, false, to, options);
	if (w)
		w->msrp = conn;
	return w;
}

static void msrp_write(void *ctx, void *handle, struct view bytes)
{
	(void)ctx;
	trace_msrp(handle, true, bytes);
	wire_write(handle, bytes);
}

static size_t msrp_pending(void *ctx, void *handle)
{
	struct wire *w = handle;

	(void)ctx;
	return io_conn_pending(w->io);
}

static void msrp_finish(void *ctx, void *handle)
{
	struct wire *w = handle;

	(void)ctx;
	io_conn_finish(w->io, 0);
}

void wires_world(struct confab *c, struct client_world *world)
{
	world->udp_send = udp_send;
	world->sip_connect = sip_connect;
	world->sip_write = sip_write;
	world->sip_close = wire_close;
	world->sip_trace = sip_trace;
	world->msrp = (struct msrp_agent_ops){.connect = msrp_connect,
					      .write = msrp_write,
					      .pending = msrp_pending,
					      .finish = msrp_finish,
					      .close = wire_close,
					      .vouch = certificates_vouch,
					      .ctx = c};
	world->ctx = c;
}

/* An io_conn that nobody attaches to is closed by the listener. */
void wire_accept_sip(void *ctx, struct io_listener *l, struct io_conn *io)
{
	struct confab *c = ctx;
	struct wire *w = wire_new(c, true);
	struct addr remote;

	(void)l;
	if (!w)
		return;
	w->io = io;
	io_conn_remote(io, &remote);
	w->sip = sip_conn_accept(client_stack(c->client), w, io_conn_is_tls(io) ? SIP_TLS : SIP_TCP,
				 &remote, io_now_ms(&c->io));
	if (w->sip)
		io_conn_attach(io, &wire_events, w);
	else
		wire_free(w);
}

void wire_accept_msrp(void *ctx, struct io_listener *l, struct io_conn *io)
{
	struct confab *c = ctx;
	struct wire *w = wire_new(c, false);

	(void)l;
	if (!w)
		return;
	w->io = io;
	w->msrp = msrp_conn_accept(client_msrp(c->client), w, io_now_ms(&c->io));
	if (w->msrp)
		io_conn_attach(io, &wire_events, w);
	else
		wire_free(w);
}

void wires_datagram(void *ctx, struct io_udp *udp, struct view bytes, const struct addr *from)
{
	struct confab *c = ctx;

	(void)udp;
	sip_stack_datagram(client_stack(c->client), bytes, from, io_now_ms(&c->io));
}

void wire_reset(struct wire *w)
{
	io_conn_reset(w->io);
}

void wires_reset_sip(struct confab *c)
{
	LIST_EACH(l, next, &c->wires)
	{
		struct wire *w = CONTAINER(l, struct wire, link);

		if (w->for_sip)
			wire_reset(w);
	}
}
