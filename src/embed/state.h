/* Inside embed: shared by the files of this room only. */
#ifndef CONFAB_EMBED_STATE_H
#define CONFAB_EMBED_STATE_H

#include "client/client.h"
#include "io/address_watch.h"
#include "io/tcp.h"
#include "io/tls.h"
#include "io/udp.h"

enum {
	QUEUE_MAX = 8 * 1024 * 1024, /* queued output of a connection */
	CONNS_MAX = 256,	     /* incoming, per listener */
	URIS_MAX = 1000,	     /* in one call */
	SHUTDOWN_MS = 2000,
};

struct confab {
	struct client *client;
	struct io_loop io;
	bool io_made;
	struct timers timers;
	struct io_deadline deadline, shutdown_over;
	struct io_batch batch;
	struct entropy entropy;
	struct log log;
	confab_event_fn *on_event;
	void *event_ctx;
	confab_trace_fn *trace;
	confab_log_fn *log_fn;
	void *trace_ctx, *log_ctx;
	void (*on_shutdown)(void *ctx);
	void *shutdown_ctx;
	bool shutting_down;
	/* Sockets. */
	struct addr host; /* ours, as others see it; port 0 */
	struct addr bind_host;
	bool follows; /* our address is the one that leads to the server, whichever that is */
	struct io_address_watch *watch;
	struct io_deadline look; /* whether it still is */
	struct addr sip_local, msrp_local, msrp_tls_local;
	struct sip_flow server;
	struct resolver *resolver;
	struct io_udp *udp;
	struct io_listener *sip_listener, *msrp_listener, *msrp_tls_listener;
	struct io_tls *sip_tls;  /* towards the server; NULL: not by TLS */
	struct io_tls *msrp_tls; /* a certificate of our own making: fingerprints vouch for it */
	char tls_name[256];	 /* who the server must be */
	char tls_why[160];	 /* why TLS with the server failed last; "" where it did not */
	struct list wires;
	char sip_text[ADDR_TEXT_MAX], msrp_text[ADDR_TEXT_MAX];
};

/* A connection: what the pure rooms hold as its handle. Exactly one of sip and msrp is set, until
 * that side has been told of the end or has closed it. */
struct wire {
	struct list link;
	struct confab *confab;
	struct io_conn *io;
	struct sip_conn *sip;
	struct msrp_conn *msrp;
	bool for_sip;
};

/* --- certificates.c --- */
/* Reads and makes them; on failure the log says what was wrong. */
int certificates_open(struct confab *c, const struct confab_options *o);
void certificates_close(struct confab *c);
/* Is the other end of an MSRP connection (a struct wire) who was agreed on? */
bool certificates_vouch(void *ctx, void *handle, bool tls, const struct msrp_peer *peer);
/* Is the server who it should be (RFC 5922)? ctx: struct wire. */
const char *certificates_identify_server(void *ctx, struct io_conn *io, const struct cert_name *name,
					 size_t n);

/* --- resolver.c --- */
/* Finds the server; blocks for some seconds at the most. E_SYNTAX, E_UNSUPPORTED (transport), E_NOTFOUND. */
int resolver_open(struct confab *c, const struct confab_options *o);
void resolver_close(struct confab *c);
/* The server did not do: the next one of those found, or a new lookup. */
void resolver_failed(struct confab *c);

/* --- sockets.c --- */
/* Finds the server, opens the UDP socket and both listeners. E_MISSING, E_SYNTAX, E_NOTFOUND, and
 * what io answers. */
int sockets_open(struct confab *c, const struct confab_options *o);
/* Others reach us at `host` from now on. After a failure they are shut, and it may be called again. */
int sockets_move(struct confab *c, const struct addr *host);
void sockets_close(struct confab *c);

/* --- roam.c --- */
/* Own addresses, as client_config has them. */
void roam_addresses(const struct confab *c, struct client_addresses *out);
/* From now on. */
void roam_open(struct confab *c);
void roam_close(struct confab *c);
/* Something was not reached: is it us? */
void roam_look(struct confab *c);

/* --- wires.c --- */
void wires_world(struct confab *c, struct client_world *world);
void wire_accept_sip(void *ctx, struct io_listener *l, struct io_conn *io);
void wire_accept_msrp(void *ctx, struct io_listener *l, struct io_conn *io);
void wires_datagram(void *ctx, struct io_udp *udp, struct view bytes, const struct addr *from);
/* Resets one (fault injection); the pure side is told as of any other loss. */
void wire_reset(struct wire *w);
void wires_reset_sip(struct confab *c);

#endif
