/*
 * Where the server is (RFC 3263): looked up once at the start, and again without blocking when all
 * that was found then has failed (§4.3).
 */
#include "embed/state.h"

#include "base/error.h"
#include "io/dns.h"
#include "sip/resolve_order.h"

#include <stdlib.h>

enum { START_MS = 8000, SIP_PORT = 5060, SIPS_PORT = 5061 };

struct resolver {
	struct confab *confab;
	struct sip_lookup_order order;
	char host[DNS_NAME_MAX];
	char *dns_servers;
	struct io_dns *dns; /* on the client's loop; NULL: not needed yet */
	struct sip_lookup lookup;
	struct io_dns *asking; /* where the lookup's questions go; NULL: none is under way */
	void (*done)(struct resolver *r);
	bool over; /* of the lookup at the start */
	struct sip_target target[SIP_TARGETS_MAX];
	size_t n, at;
};

/* --- one lookup --- */

static void go_on(struct resolver *r);

static void on_answer(void *ctx, int error, const struct dns_record *record, size_t n)
{
	struct resolver *r = ctx;

	if (error == E_CLOSED || !r->asking)
		return;
	sip_lookup_answer(&r->lookup, record, n);
	go_on(r);
}

static void go_on(struct resolver *r)
{
	struct io_dns *dns = r->asking;
	enum dns_type type;
	const char *name = sip_lookup_question(&r->lookup, &type);

	if (name) {
		io_dns_ask(dns, type, name, on_answer, r);
		return;
	}
	r->asking = NULL;
	r->done(r);
}

static int begin(struct resolver *r, struct io_dns *dns, void (*done)(struct resolver *r))
{
	int rc = sip_lookup_begin(&r->lookup, &r->order, &r->confab->entropy);

	if (rc)
		return rc;
	r->asking = dns;
	r->done = done;
	go_on(r);
	return 0;
}

/* What was found, as far as it is of one kind: our Contact names a transport, and our sockets are
 * of a family. */
static void keep(struct resolver *r)
{
	const struct sip_lookup *l = &r->lookup;

	r->n = r->at = 0;
	for (size_t i = 0; i < l->n_targets; i++) {
		const struct sip_target *first = r->confab->client ? NULL : &l->target[0];
		enum sip_transport t = first ? first->transport : r->confab->server.transport;
		uint8_t family = first ? first->addr.family : r->confab->server.remote.family;

		if (l->target[i].transport == t && l->target[i].addr.family == family)
			r->target[r->n++] = l->target[i];
	}
}

/* --- the start --- */

static void on_start_done(struct resolver *r)
{
	r->over = true;
}

static void start_late(void *ctx, uint64_t now_ms)
{
	struct resolver *r = ctx;

	(void)now_ms;
	r->over = true;
}

/* On a loop of its own, so that nothing of the caller's happens meanwhile. */
static int find_now(struct resolver *r)
{
	struct io_deadline late;
	struct io_dns *dns = NULL;
	struct io_loop loop;
	int rc = io_loop_init(&loop, NULL);

	if (rc)
		return rc;
	io_deadline_init(&late, &loop, start_late, r);
	io_deadline_set(&late, io_now_fresh_ms(&loop) + START_MS);
	rc = io_dns_open(&loop, r->dns_servers, &dns);
	if (!rc)
		rc = begin(r, dns, on_start_done);
	while (!rc && !r->over)
		(void)io_turn(&loop, true);
	r->asking = NULL;
	io_dns_close(dns);
	io_deadline_fini(&late);
	io_loop_fini(&loop);
	if (rc)
		return rc;
	keep(r);
	return r->n ? 0 : E_NOTFOUND;
}

/* "192.0.2.10:5060", "[2001:db8::1]:5060", "im.example.com", "im.example.com:5070". */
static int read_server(struct resolver *r, const struct confab_options *o)
{
	struct view text = view_str(o->server), host = text, port;
	uint32_t number = 0;
	struct addr a;

	if (addr_parse_hostport(text, 0, &a) == 0) {
		char plain[ADDR_TEXT_MAX];

		r->order.port = a.port;
		a.port = 0;
		host = view_str(addr_host(&a, plain));
		return view_copy(host, r->host, sizeof(r->host)) ? 0 : E_SYNTAX;
	}
	if (view_find(text, ':', 0) < text.n) {
		port = text;
		host = view_cut(&port, ':');
		if (view_to_u32(port, &number) || number == 0 || number > UINT16_MAX)
			return E_SYNTAX;
	}
	r->order.port = (uint16_t)number;
	/* "localhost" and its like are no domains. */
	if (!number && view_find(host, '.', 0) == host.n)
		r->order.port = r->order.transport == SIP_TLS ? SIPS_PORT : SIP_PORT;
	return host.n && view_copy(host, r->host, sizeof(r->host)) ? 0 : E_SYNTAX;
}

static int read_transport(struct resolver *r, const struct confab_options *o)
{
	static const struct {
		const char *name;
		enum sip_transport transport;
	} known[] = {{"tcp", SIP_TCP}, {"udp", SIP_UDP}, {"tls", SIP_TLS}};
	struct sip_lookup_order *order = &r->order;
	struct sip_uri user;

	/* RFC 3263 §4.1 would have UDP; what is said here is longer than a datagram. */
	order->fallback = order->transport = SIP_TCP;
	order->allowed = SIP_MAY(SIP_UDP) | SIP_MAY(SIP_TCP) | SIP_MAY(SIP_TLS);
	order->sips =
		sip_uri_parse(view_str(o->user), &user) == 0 && user.scheme == SIP_SCHEME_SIPS;
	if (!o->transport || !o->transport[0])
		return 0;
	for (size_t i = 0; i < 3; i++)
		if (view_eq_nocase(view_str(o->transport), view_str(known[i].name))) {
			order->has_transport = true;
			order->transport = known[i].transport;
			return 0;
		}
	return E_UNSUPPORTED;
}

int resolver_open(struct confab *c, const struct confab_options *o)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return E_NOMEM;
	c->resolver = r;
	r->confab = c;
	r->dns_servers =
		o->dns_servers && o->dns_servers[0] ? view_dup(view_str(o->dns_servers)) : NULL;
	rc = read_transport(r, o);
	if (!rc)
		rc = read_server(r, o);
	if (rc)
		return rc;
	r->order.host = view_str(r->host);
	rc = find_now(r);
	if (rc)
		return rc;
	c->server.transport = r->target[0].transport;
	c->server.remote = r->target[0].addr;
	return 0;
}

void resolver_close(struct confab *c)
{
	struct resolver *r = c->resolver;

	if (!r)
		return;
	r->asking = NULL;
	io_dns_close(r->dns);
	free(r->dns_servers);
	free(r);
	c->resolver = NULL;
}

/* --- when a server has failed --- */

static void use(struct resolver *r)
{
	struct confab *c = r->confab;
	char text[ADDR_TEXT_MAX];

	if (addr_eq(&c->server.remote, &r->target[r->at].addr))
		return;
	c->server.remote = r->target[r->at].addr;
	log_line(&c->log, LOG_INFO, "embed", "the server is looked for at %s",
		 addr_text(&c->server.remote, text));
	client_set_server(c->client, &c->server.remote);
}

static void on_again_done(struct resolver *r)
{
	if (r->lookup.n_targets)
		keep(r);
	r->at = 0;
	if (r->n)
		use(r);
}

void resolver_failed(struct confab *c)
{
	struct resolver *r = c->resolver;
	struct addr literal;

	if (!r || r->asking || !c->client)
		return;
	if (r->at + 1 < r->n) {
		r->at++;
		use(r);
		return;
	}
	if (addr_parse(r->order.host, 0, &literal) == 0)
		return;
	if (!r->dns && io_dns_open(&c->io, r->dns_servers, &r->dns))
		return;
	(void)begin(r, r->dns, on_again_done);
}
