/* The connections of clients and of the server's SIP side, as src/embed/wires.c and
 * apps/confabd_sockets.c have them. */
#include "flow_world.h"

#include "sip/msg.h"
#include "sip/write.h"

/* Exactly one of sip and msrp is set, until that side has been told of the end or has closed it. */
struct wire {
	struct list link;
	struct flow_world *w;
	struct person *person; /* NULL: the server's */
	struct net_end *end;
	struct sip_conn *sip;
	struct msrp_conn *msrp;
};

static struct wire *wire_new(struct flow_world *w, struct person *p)
{
	struct wire *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	x->w = w;
	x->person = p;
	list_add_tail(&w->wires, &x->link);
	return x;
}

static void wire_free(struct wire *x)
{
	list_del(&x->link);
	free(x);
}

void wires_free(struct flow_world *w)
{
	while (!list_empty(&w->wires))
		wire_free(CONTAINER(w->wires.next, struct wire, link));
}

/* --- a phone that answers in its own way --- */

static void answer_in_its_place(struct wire *x, const struct sip_msg *m)
{
	struct buf b;

	buf_init(&b, 65536);
	sip_write_response_head(&b, m, x->person->to_replaces, NULL, VIEW("inplace"));
	if (x->person->to_replaces == 420)
		sip_write_field(&b, "Unsupported", VIEW("replaces"));
	sip_write_body(&b, VIEW(""), VIEW(""));
	net_write(x->end, buf_view(&b));
	buf_fini(&b);
}

/* True: the message was for the test's ears alone. Needs a network that keeps writes whole. */
static bool intercepted(struct wire *x, struct view bytes)
{
	struct sip_msg m;

	if (!x->person || !x->person->to_replaces || !x->sip || sip_msg_parse(bytes, &m) ||
	    !m.is_request)
		return false;
	if (m.method == SIP_ACK)
		return view_find_view(sip_msg_value(&m, SIP_H_TO), VIEW("tag=inplace"), 0) <
		       sip_msg_value(&m, SIP_H_TO).n;
	if (m.method != SIP_INVITE || !sip_msg_has(&m, SIP_H_REPLACES))
		return false;
	x->person->replaces_seen++;
	if (x->person->to_replaces > 0)
		answer_in_its_place(x, &m);
	return true;
}

/* --- events of the network --- */

static void connected(void *ctx, struct net_end *e)
{
	struct wire *x = ctx;

	(void)e;
	if (x->sip)
		sip_conn_up(x->sip, x->w->net.now);
	else if (x->msrp)
		msrp_conn_up(x->msrp, x->w->net.now);
}

static void data(void *ctx, struct net_end *e, struct view bytes)
{
	struct wire *x = ctx;

	(void)e;
	if (intercepted(x, bytes))
		return;
	if (x->sip)
		sip_conn_recv(x->sip, bytes, x->w->net.now);
	else if (x->msrp)
		msrp_conn_recv(x->msrp, bytes, x->w->net.now);
}

static void writable(void *ctx, struct net_end *e)
{
	struct wire *x = ctx;

	(void)e;
	if (x->msrp)
		msrp_conn_drained(x->msrp, x->w->net.now);
}

static void closed(void *ctx, struct net_end *e)
{
	struct wire *x = ctx;
	struct sip_conn *sip = x->sip;
	struct msrp_conn *msrp = x->msrp;
	uint64_t now = x->w->net.now;

	(void)e;
	wire_free(x);
	if (sip)
		sip_conn_down(sip, now);
	else if (msrp)
		msrp_conn_down(msrp, now);
}

static const struct net_end_events events = {
	.connected = connected, .data = data, .writable = writable, .closed = closed};

/* --- what the pure rooms ask for --- */

static void trace(struct flow_world *w, const char *who, bool out, struct view bytes)
{
	if (w->trace)
		printf("%8lu %-8s %c %.*s\n", (unsigned long)(w->net.now - WORLD_BEGAN), who,
		       out ? '>' : '<', VIEW_ARG(bytes));
}

static void person_udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	struct person *p = ctx;

	net_send(&p->w->net, &p->sip, to, bytes);
}

static void *person_sip_connect(void *ctx, struct sip_conn *conn, enum sip_transport t,
				const struct addr *to)
{
	struct person *p = ctx;
	struct wire *x;

	if (t != SIP_TCP)
		return NULL;
	x = wire_new(p->w, p);
	x->sip = conn;
	x->end = net_connect(&p->w->net, p->name, &p->sip, to, &events, x);
	return x;
}

static void wire_write(void *ctx, void *handle, struct view bytes)
{
	struct wire *x = handle;

	(void)ctx;
	net_write(x->end, bytes);
}

static void wire_close(void *ctx, void *handle)
{
	struct wire *x = handle;

	(void)ctx;
	x->sip = NULL;
	x->msrp = NULL;
	net_close(x->end);
}

static void person_sip_trace(void *ctx, bool out, const struct sip_flow *flow, struct view bytes)
{
	struct person *p = ctx;

	(void)flow;
	trace(p->w, p->name, out, bytes);
}

static void *person_msrp_connect(void *ctx, struct msrp_conn *conn, const struct addr *to, bool tls)
{
	struct person *p = ctx;
	struct wire *x;

	if (tls)
		return NULL;
	x = wire_new(p->w, p);
	x->msrp = conn;
	x->end = net_connect(&p->w->net, p->name, &p->sip, to, &events, x);
	return x;
}

static size_t wire_pending(void *ctx, void *handle)
{
	struct wire *x = handle;
	size_t window = x->w->net.window;

	(void)ctx;
	if (!x->end->up)
		return x->end->early.n;
	/* The network takes all; what is beyond its window counts as waiting here. */
	return net_room(x->end)
		       ? 0
		       : x->end->in_flight + x->end->conn->end[!x->end->side].held.n - window + 1;
}

static void wire_finish(void *ctx, void *handle)
{
	(void)ctx;
	net_finish(((struct wire *)handle)->end);
}

static void accept_sip(void *ctx, struct net_end *e, const struct addr *remote)
{
	struct person *p = ctx;
	struct wire *x = wire_new(p->w, p);

	x->end = e;
	x->sip = sip_conn_accept(client_stack(p->client), x, SIP_TCP, remote, p->w->net.now);
	if (x->sip)
		net_attach(e, &events, x);
	else
		wire_free(x);
}

static void accept_msrp(void *ctx, struct net_end *e, const struct addr *remote)
{
	struct person *p = ctx;
	struct wire *x = wire_new(p->w, p);

	(void)remote;
	x->end = e;
	x->msrp = msrp_conn_accept(client_msrp(p->client), x, p->w->net.now);
	if (x->msrp)
		net_attach(e, &events, x);
	else
		wire_free(x);
}

static void datagram(void *ctx, struct view bytes, const struct addr *from)
{
	struct person *p = ctx;

	sip_stack_datagram(client_stack(p->client), bytes, from, p->w->net.now);
}

void wires_of_person(struct person *p, struct client_world *world)
{
	net_listen(&p->w->net, p->name, &p->sip, accept_sip, datagram, p);
	net_listen(&p->w->net, p->name, &p->msrp, accept_msrp, NULL, p);
	world->udp_send = person_udp_send;
	world->sip_connect = person_sip_connect;
	world->sip_write = wire_write;
	world->sip_close = wire_close;
	world->sip_trace = person_sip_trace;
	world->msrp = (struct msrp_agent_ops){.connect = person_msrp_connect,
					      .write = wire_write,
					      .pending = wire_pending,
					      .finish = wire_finish,
					      .close = wire_close,
					      .ctx = p};
}

/* --- the server's SIP side --- */

static void server_udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	struct flow_server *s = ctx;

	net_send(&s->w->net, &s->sip, to, bytes);
}

static void *server_connect(void *ctx, struct sip_conn *conn, enum sip_transport t,
			    const struct addr *to)
{
	struct flow_server *s = ctx;
	struct wire *x;

	if (t != SIP_TCP)
		return NULL;
	x = wire_new(s->w, NULL);
	x->sip = conn;
	x->end = net_connect(&s->w->net, "sip", &s->sip, to, &events, x);
	return x;
}

static void server_close(void *ctx, void *handle)
{
	struct wire *x = handle;

	(void)ctx;
	x->sip = NULL;
	net_finish(x->end);
}

static void server_accept(void *ctx, struct net_end *e, const struct addr *remote)
{
	struct flow_server *s = ctx;
	struct wire *x = wire_new(s->w, NULL);

	x->end = e;
	x->sip = sip_conn_accept(s->stack, x, SIP_TCP, remote, s->w->net.now);
	if (x->sip)
		net_attach(e, &events, x);
	else
		wire_free(x);
}

static void server_datagram(void *ctx, struct view bytes, const struct addr *from)
{
	struct flow_server *s = ctx;

	sip_stack_datagram(s->stack, bytes, from, s->w->net.now);
}

void wires_of_server(struct flow_server *s, struct sip_stack_ops *ops)
{
	net_listen(&s->w->net, "sip", &s->sip, server_accept, server_datagram, s);
	ops->udp_send = server_udp_send;
	ops->connect = server_connect;
	ops->write = wire_write;
	ops->close = server_close;
}
