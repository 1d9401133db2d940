/* The SIP sockets of confabd, and the stack's connections on them. */
#include "confabd.h"
#include "confabd_certificate.h"

#include "base/error.h"
#include "io/tcp.h"
#include "io/tls.h"
#include "io/udp.h"
#include "sip/domain_identity.h"

#include <stdio.h>
#include <stdlib.h>

enum { QUEUE_MAX = 4 * 1024 * 1024 };

struct confabd_sockets {
	struct confabd *d;
	size_t n_udp, n_tcp;
	struct list tls; /* struct link, dialed by TLS */
	struct io_udp *udp[OPTION_LIST_MAX];
	struct addr udp_addr[OPTION_LIST_MAX];
	struct io_listener *tcp[OPTION_LIST_MAX];
};

/* Between an io_conn and the stack's side of it. */
struct link {
	struct confabd *d;
	struct io_conn *io;
	struct sip_conn *sip;
	struct list tls; /* dialed by TLS */
	bool dialed, up;
	char peer[256]; /* who must be there, where we connect by TLS */
	char why[320];
};

static void on_datagram(void *ctx, struct io_udp *udp, struct view bytes, const struct addr *from)
{
	struct confabd *d = ctx;

	(void)udp;
	sip_stack_datagram(d->stack, bytes, from, io_now_ms(&d->loop));
}

static void look_for_trusted(void *ctx, const struct cert_name *name, size_t n)
{
	struct link *l = ctx;
	const struct option_strings *trusted = &l->d->cfg.sip.trusted_names;
	char text[ADDR_TEXT_MAX];
	struct addr remote;

	for (size_t i = 0; i < trusted->n; i++)
		if (sip_domain_identity_matches(name, n, view_str(trusted->item[i]))) {
			sip_conn_set_named(l->sip);
			return;
		}
	if (!n || l->dialed)
		return;
	io_conn_remote(l->io, &remote);
	log_line(&l->d->log.log, LOG_WARN, "confabd",
		 "the certificate of %s names none of sip.trusted_names: it is not believed",
		 addr_text(&remote, text));
}

/* The handshake is over, and somebody whom we believe has signed the peer's certificate. */
static void know_by_name(struct link *l, struct io_conn *io)
{
	if (l->sip && l->d->cfg.sip.trusted_names.n && io_conn_tls_believed(io))
		io_conn_tls_names(io, look_for_trusted, l);
}

static void on_connected(void *ctx, struct io_conn *io)
{
	struct link *l = ctx;

	l->up = true;
	know_by_name(l, io);
	if (l->sip)
		sip_conn_up(l->sip, io_now_ms(&l->d->loop));
}

static void on_data(void *ctx, struct io_conn *io, struct view bytes)
{
	struct link *l = ctx;

	(void)io;
	if (l->sip)
		sip_conn_recv(l->sip, bytes, io_now_ms(&l->d->loop));
}

static void on_closed(void *ctx, struct io_conn *io, int error)
{
	struct link *l = ctx;
	struct addr to;

	if (l->dialed && !l->up && error) {
		io_conn_remote(io, &to);
		confabd_resolve_failed(l->d, &to);
	}
	list_del(&l->tls);
	if (l->sip)
		sip_conn_down(l->sip, io_now_ms(&l->d->loop));
	free(l);
}

static const struct io_conn_events events = {
	.connected = on_connected, .data = on_data, .closed = on_closed};

static void on_accept(void *ctx, struct io_listener *listener, struct io_conn *io)
{
	struct confabd *d = ctx;
	struct link *l = calloc(1, sizeof(*l));
	struct addr remote;

	(void)listener;
	if (!l)
		return;
	io_conn_remote(io, &remote);
	list_init(&l->tls);
	l->d = d;
	l->io = io;
	l->sip = sip_conn_accept(d->stack, l, io_conn_is_tls(io) ? SIP_TLS : SIP_TCP, &remote,
				 io_now_ms(&d->loop));
	if (!l->sip) {
		free(l);
		return;
	}
	know_by_name(l, io);
	io_conn_attach(io, &events, l);
}

static struct io_udp *udp_towards(const struct confabd *d, const struct addr *to)
{
	for (size_t i = 0; i < d->sockets->n_udp; i++)
		if (d->sockets->udp_addr[i].family == to->family)
			return d->sockets->udp[i];
	return NULL;
}

static void udp_send(void *ctx, const struct addr *to, struct view bytes)
{
	struct io_udp *udp = udp_towards(ctx, to);

	if (udp)
		(void)io_udp_send(udp, to, bytes);
}

static void udp_send_aside(void *ctx, const struct addr *to, struct view bytes)
{
	struct io_udp *udp = udp_towards(ctx, to);

	if (udp)
		(void)io_udp_send_aside(udp, to, bytes);
}

/* RFC 5922 §7.3. */
static const char *identify(void *ctx, struct io_conn *io, const struct cert_name *name, size_t n)
{
	struct link *l = ctx;

	(void)io;
	if (sip_domain_identity_matches(name, n, view_str(l->peer)))
		return NULL;
	(void)snprintf(l->why, sizeof(l->why), "the certificate does not name %s", l->peer);
	return l->why;
}

bool confabd_sockets_lead_to(const struct confabd *d, const struct addr *to, struct view host)
{
	struct addr remote;

	LIST_EACH(i, next, &d->sockets->tls)
	{
		const struct link *l = CONTAINER(i, struct link, tls);

		io_conn_remote(l->io, &remote);
		if (!addr_eq(&remote, to))
			continue;
		if (!view_eq_nocase(view_str(l->peer), host) &&
		    !(l->up && certificate_names(l->io, host)))
			return false;
	}
	return true;
}

/* Where we are at one address alone, connections come from there too, whatever other addresses the
 * machine has: servers and phones know us by it. */
static bool own_source(const struct confabd *d, const struct addr *to, struct addr *from)
{
	*from = (struct addr){0};
	for (size_t i = 0; i < d->cfg.sip.listen.n; i++) {
		const struct addr *a = &d->cfg.sip.listen.item[i].addr;

		if (a->family != to->family)
			continue;
		if (addr_is_any(a) || (from->family && !addr_same_host(a, from)))
			return false;
		*from = *a;
	}
	from->port = 0;
	return from->family && addr_is_loopback(from) == addr_is_loopback(to);
}

static void *connect_to(void *ctx, struct sip_conn *conn, enum sip_transport t,
			const struct addr *to)
{
	struct confabd *d = ctx;
	struct io_conn_options options = {.queue_max = QUEUE_MAX};
	struct addr from;
	struct link *l;

	if (t != SIP_TCP && (t != SIP_TLS || !d->sip_tls))
		return NULL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	list_init(&l->tls);
	l->d = d;
	l->sip = conn;
	l->dialed = true;
	if (t == SIP_TLS) {
		struct addr literal;

		confabd_resolve_peer(d, to, l->peer);
		options.tls = d->sip_tls;
		options.tls_name = addr_parse(view_str(l->peer), 0, &literal) ? l->peer : NULL;
		options.identify = identify;
	}
	if (own_source(d, to, &from))
		options.local = &from;
	if (io_conn_connect(&d->loop, to, &options, &events, l, &l->io)) {
		free(l);
		return NULL;
	}
	if (t == SIP_TLS)
		list_add_tail(&d->sockets->tls, &l->tls);
	return l;
}

static void write_to(void *ctx, void *handle, struct view bytes)
{
	struct link *l = handle;

	(void)ctx;
	/* A peer that does not read what it asked for: its own connection is the price. */
	if (io_conn_write(l->io, bytes) == E_LIMIT)
		io_conn_reset(l->io);
}

static void close_it(void *ctx, void *handle)
{
	struct link *l = handle;

	(void)ctx;
	l->sip = NULL;
	io_conn_finish(l->io, 1000);
}

void confabd_sockets_ops(struct sip_stack_ops *ops)
{
	ops->udp_send = udp_send;
	ops->udp_send_aside = udp_send_aside;
	ops->connect = connect_to;
	ops->write = write_to;
	ops->close = close_it;
}

static int open_one(struct confabd *d, const struct option_listen *want, struct addr *bound)
{
	struct confabd_sockets *s = d->sockets;
	struct io_listener_options options = {.max_conns = d->cfg.sip.max_connections,
					      .max_per_source =
						      d->cfg.sip.max_connections_per_address,
					      .queue_max = QUEUE_MAX};
	int rc;

	if (want->transport == OPTION_UDP) {
		rc = io_udp_open(&d->loop, &want->addr, on_datagram, d, &s->udp[s->n_udp]);
		if (rc)
			return rc;
		io_udp_local(s->udp[s->n_udp], bound);
		s->udp_addr[s->n_udp++] = *bound;
		return 0;
	}
	if (want->transport == OPTION_TLS)
		options.tls = d->sip_tls;
	rc = io_listener_open(&d->loop, &want->addr, &options, on_accept, d, &s->tcp[s->n_tcp]);
	if (rc)
		return rc;
	io_listener_local(s->tcp[s->n_tcp++], bound);
	return 0;
}

int confabd_sockets_open(struct confabd *d, struct addr sent_by[3][2])
{
	d->sockets = calloc(1, sizeof(*d->sockets));
	if (!d->sockets)
		return E_NOMEM;
	d->sockets->d = d;
	list_init(&d->sockets->tls);
	for (size_t i = 0; i < d->cfg.sip.listen.n; i++) {
		const struct option_listen *want = &d->cfg.sip.listen.item[i];
		enum sip_transport t = want->transport == OPTION_UDP   ? SIP_UDP
				       : want->transport == OPTION_TLS ? SIP_TLS
								       : SIP_TCP;
		struct addr bound, *own;
		char text[ADDR_TEXT_MAX];
		int rc = open_one(d, want, &bound);

		if (rc) {
			log_line(&d->log.log, LOG_ERROR, "confabd", "cannot listen on %s %s: %s",
				 sip_transport_text(t), addr_text(&want->addr, text),
				 error_text(rc));
			return rc;
		}
		own = &sent_by[t][bound.family == 6];
		if (own->family)
			continue; /* the first of its kind is what others are told */
		*own = bound;
		if (d->cfg.sip.advertise.family == bound.family) {
			*own = d->cfg.sip.advertise;
			/* Its port is that of UDP and TCP. */
			if (!own->port || t == SIP_TLS)
				own->port = bound.port;
		}
		log_line(&d->log.log, LOG_INFO, "confabd", "SIP on %s %s", sip_transport_text(t),
			 addr_text(&bound, text));
	}
	return 0;
}

void confabd_sockets_close(struct confabd *d)
{
	struct confabd_sockets *s = d->sockets;

	if (!s)
		return;
	for (size_t i = 0; i < s->n_udp; i++)
		io_udp_close(s->udp[i]);
	for (size_t i = 0; i < s->n_tcp; i++)
		io_listener_close(s->tcp[i]);
	/* Connections live until the loop ends. */
	while (!list_empty(&s->tls))
		list_del(s->tls.next);
	free(s);
	d->sockets = NULL;
}
