/* The phone goes from one network to another: its address is the one that leads to the server,
 * whichever that is. The kernel says when addresses and routes change (io/address_watch.h); where
 * it cannot be asked, a registration that fails is reason enough to look. */
#include "embed/state.h"

#include "base/error.h"

enum {
	SETTLE_MS = 100, /* an address goes, another one comes, then its route */
	AGAIN_MS = 1000
};

void roam_addresses(const struct confab *c, struct client_addresses *out)
{
	*out = (struct client_addresses){.sip = {c->sip_local, c->sip_local, c->sip_local},
					 .msrp = c->msrp_local,
					 .msrp_tls = c->msrp_tls_local};
}

/* What was made at the old address leads nowhere; the kernel would go on trying for minutes. */
static void shut_wires(struct confab *c, const struct addr *old)
{
	LIST_EACH(l, next, &c->wires)
	{
		struct wire *w = CONTAINER(l, struct wire, link);
		struct addr local;

		io_conn_local(w->io, &local);
		if (addr_same_host(&local, old))
			wire_reset(w);
	}
}

static void move(struct confab *c, const struct addr *host, uint64_t now_ms)
{
	struct client_addresses at;
	struct addr old = c->host;
	char text[ADDR_TEXT_MAX];
	int rc = sockets_move(c, host);

	if (rc == 0) {
		roam_addresses(c, &at);
		rc = client_relocate(c->client, &at, now_ms);
	}
	/* Whatever came of it, the old address is gone. */
	shut_wires(c, &old);
	if (rc == 0) {
		log_line(&c->log, LOG_INFO, "embed", "our address is %s now",
			 addr_host(host, text));
		return;
	}
	log_line(&c->log, LOG_WARN, "embed", "cannot listen at %s: %s", addr_host(host, text),
		 error_text(rc));
	/* None of ours: it is moved to once more. */
	c->host = (struct addr){0};
	io_deadline_set(&c->look, now_ms + AGAIN_MS);
}

static void look(void *ctx, uint64_t now_ms)
{
	struct confab *c = ctx;
	struct addr host;

	io_deadline_set(&c->look, UINT64_MAX);
	/* Without a way to the server there is nothing to go to: another change will come. */
	if (!c->follows || !c->client || c->shutting_down ||
	    io_udp_source_for(&c->server.remote, &host))
		return;
	host.port = 0;
	if (!addr_same_host(&host, &c->host))
		move(c, &host, now_ms);
}

static void changed(void *ctx)
{
	struct confab *c = ctx;

	io_deadline_set(&c->look, io_now_ms(&c->io) + SETTLE_MS);
}

void roam_look(struct confab *c)
{
	/* Not from inside the event: the client is in the middle of something. */
	io_deadline_set(&c->look, io_now_ms(&c->io));
}

void roam_open(struct confab *c)
{
	int rc = io_address_watch_open(&c->io, changed, c, &c->watch);

	io_deadline_init(&c->look, &c->io, look, c);
	if (rc)
		log_line(&c->log, LOG_INFO, "embed", "changes of our address are not told: %s",
			 error_text(rc));
}

void roam_close(struct confab *c)
{
	io_address_watch_close(c->watch);
	c->watch = NULL;
	io_deadline_fini(&c->look);
}
