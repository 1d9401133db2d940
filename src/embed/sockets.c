/* The sockets of a client: where the server is, and where we can be reached. */
#include "embed/state.h"

#include "base/error.h"

enum { PORT_TRIES = 32 };

static int own_host(struct confab *c, const char *listen)
{
	int rc = 0;

	if (listen && listen[0])
		rc = addr_parse(view_str(listen), 0, &c->bind_host);
	else
		rc = io_udp_source_for(&c->server.remote, &c->bind_host);
	if (rc)
		return rc;
	c->bind_host.port = 0;
	c->host = c->bind_host;
	/* Others are told an address that leads here. */
	if (addr_is_any(&c->host))
		rc = io_udp_source_for(&c->server.remote, &c->host);
	c->host.port = 0;
	c->follows = !listen || !listen[0] || addr_is_any(&c->bind_host);
	return rc;
}

/* UDP and TCP on one port: a Contact has only one. */
static int sip_open_once(struct confab *c, uint16_t port)
{
	struct io_listener_options options = {.max_conns = CONNS_MAX, .queue_max = QUEUE_MAX};
	struct addr local = c->bind_host;
	int rc;

	local.port = port;
	/* Who asked for TLS is not to be reached without it. */
	if (c->server.transport == SIP_TLS)
		options.tls = c->msrp_tls;
	rc = io_listener_open(&c->io, &local, &options, wire_accept_sip, c, &c->sip_listener);
	if (rc)
		return rc;
	io_listener_local(c->sip_listener, &local);
	if (!options.tls)
		rc = io_udp_open(&c->io, &local, wires_datagram, c, &c->udp);
	if (rc) {
		io_listener_close(c->sip_listener);
		c->sip_listener = NULL;
		return rc;
	}
	c->sip_local = c->host;
	c->sip_local.port = local.port;
	return 0;
}

static int sip_open(struct confab *c, uint16_t port)
{
	int rc = E_ADDRESS;

	for (int i = 0; i < (port ? 1 : PORT_TRIES) && rc == E_ADDRESS; i++)
		rc = sip_open_once(c, port);
	return rc;
}

static int msrp_open(struct confab *c, uint16_t port, struct io_tls *tls,
		     struct io_listener **listener, struct addr *told)
{
	struct io_listener_options options = {
		.max_conns = CONNS_MAX, .queue_max = QUEUE_MAX, .tls = tls};
	struct addr local = c->bind_host;
	int rc;

	local.port = port;
	rc = io_listener_open(&c->io, &local, &options, wire_accept_msrp, c, listener);
	if (rc)
		return rc;
	io_listener_local(*listener, &local);
	*told = c->host;
	told->port = local.port;
	return 0;
}

static void write_texts(struct confab *c)
{
	(void)addr_text(&c->sip_local, c->sip_text);
	(void)addr_text(&c->msrp_local, c->msrp_text);
}

int sockets_open(struct confab *c, const struct confab_options *o)
{
	int rc = resolver_open(c, o);

	if (rc == 0)
		rc = certificates_open(c, o);
	if (rc == 0)
		rc = own_host(c, o->listen);
	if (rc == 0)
		rc = sip_open(c, o->sip_port);
	if (rc == 0)
		rc = msrp_open(c, o->msrp_port, NULL, &c->msrp_listener, &c->msrp_local);
	if (rc == 0)
		rc = msrp_open(c, 0, c->msrp_tls, &c->msrp_tls_listener, &c->msrp_tls_local);
	write_texts(c);
	return rc;
}

static void close_listening(struct confab *c)
{
	io_listener_close(c->sip_listener);
	io_listener_close(c->msrp_listener);
	io_listener_close(c->msrp_tls_listener);
	io_udp_close(c->udp);
	c->sip_listener = c->msrp_listener = c->msrp_tls_listener = NULL;
	c->udp = NULL;
}

/* Open at every address: others are told another one. */
static void tell_host(struct confab *c)
{
	struct addr *const told[] = {&c->sip_local, &c->msrp_local, &c->msrp_tls_local};

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		uint16_t port = told[i]->port;

		*told[i] = c->host;
		told[i]->port = port;
	}
}

static int reopen(struct confab *c)
{
	uint16_t port = c->sip_local.port;
	int rc;

	close_listening(c);
	c->bind_host = c->host;
	rc = sip_open(c, port);
	if (rc == E_ADDRESS)
		rc = sip_open(c, 0);
	if (rc == 0)
		rc = msrp_open(c, 0, NULL, &c->msrp_listener, &c->msrp_local);
	if (rc == 0)
		rc = msrp_open(c, 0, c->msrp_tls, &c->msrp_tls_listener, &c->msrp_tls_local);
	return rc;
}

int sockets_move(struct confab *c, const struct addr *host)
{
	int rc = 0;

	c->host = *host;
	if (addr_is_any(&c->bind_host) && c->bind_host.family == host->family)
		tell_host(c);
	else
		rc = reopen(c);
	write_texts(c);
	return rc;
}

void sockets_close(struct confab *c)
{
	close_listening(c);
	resolver_close(c);
	certificates_close(c);
}
