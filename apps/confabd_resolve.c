/* Where other domains are (RFC 3263): looked up without blocking, and remembered for a while. */
#include "confabd.h"

#include "base/error.h"
#include "io/dns.h"
#include "sip/resolve_order.h"

#include <stdlib.h>

enum { PLACES_MAX = 256, GOOD_MS = 60000, BAD_MS = 10000 };

/* One domain, as it was asked for. */
struct place {
	struct list link; /* the one used last stands first */
	struct confabd *d;
	char host[DNS_NAME_MAX];
	struct sip_lookup_order order;
	struct sip_lookup *lookup; /* NULL: none is under way */
	uint64_t good_until_ms;
	size_t n, at;
	struct sip_target target[SIP_TARGETS_MAX];
};

struct confabd_resolver {
	struct io_dns *dns;
	struct list places;
	size_t n_places;
};

static void place_free(struct confabd_resolver *r, struct place *p)
{
	list_del(&p->link);
	r->n_places--;
	free(p->lookup);
	free(p);
}

static void found(struct place *p)
{
	struct sip_lookup *l = p->lookup;
	uint64_t now_ms = io_now_ms(&p->d->loop);

	p->lookup = NULL;
	p->n = l->n_targets;
	p->at = 0;
	memcpy(p->target, l->target, l->n_targets * sizeof(l->target[0]));
	p->good_until_ms = now_ms + (p->n ? GOOD_MS : BAD_MS);
	free(l);
	log_line(&p->d->log.log, LOG_INFO, "confabd", "%s: %zu addresses", p->host, p->n);
	core_resolved(p->d->core, now_ms);
}

static void go_on(struct place *p);

static void on_answer(void *ctx, int error, const struct dns_record *record, size_t n)
{
	struct place *p = ctx;

	if (error == E_CLOSED)
		return;
	sip_lookup_answer(p->lookup, record, n);
	go_on(p);
}

static void go_on(struct place *p)
{
	enum dns_type type;
	const char *name = sip_lookup_question(p->lookup, &type);

	if (name)
		io_dns_ask(p->d->resolver->dns, type, name, on_answer, p);
	else
		found(p);
}

static struct place *place_find(struct confabd_resolver *r, const struct sip_lookup_order *o)
{
	LIST_EACH(l, next, &r->places)
	{
		struct place *p = CONTAINER(l, struct place, link);

		if (p->order.port == o->port && p->order.sips == o->sips &&
		    p->order.has_transport == o->has_transport &&
		    p->order.transport == o->transport && view_eq_nocase(p->order.host, o->host)) {
			list_del(&p->link);
			list_add_head(&r->places, &p->link);
			return p;
		}
	}
	return NULL;
}

/* Makes room by forgetting the one that was not used for longest. */
static struct place *place_new(struct confabd *d, const struct sip_lookup_order *o)
{
	struct confabd_resolver *r = d->resolver;
	struct place *p;

	for (struct list *l = r->places.prev; r->n_places >= PLACES_MAX && l != &r->places;) {
		struct list *before = l->prev;

		p = CONTAINER(l, struct place, link);
		if (!p->lookup)
			place_free(r, p);
		l = before;
	}
	p = r->n_places < PLACES_MAX ? calloc(1, sizeof(*p)) : NULL;
	if (!p)
		return NULL;
	p->d = d;
	p->order = *o;
	(void)view_copy(o->host, p->host, sizeof(p->host));
	p->order.host = view_str(p->host);
	list_add_head(&r->places, &p->link);
	r->n_places++;
	return p;
}

static int read_order(const struct confabd *d, const struct sip_uri *uri,
		      struct sip_lookup_order *o)
{
	struct view v;

	*o = (struct sip_lookup_order){.host = uri->host,
				       .port = uri->port,
				       .sips = uri->scheme == SIP_SCHEME_SIPS,
				       .allowed = SIP_MAY(SIP_UDP) | SIP_MAY(SIP_TCP),
				       .fallback = SIP_UDP};
	if (d->sip_tls)
		o->allowed |= SIP_MAY(SIP_TLS);
	if (sip_param(uri->params, VIEW("maddr"), &v) && v.n)
		o->host = v;
	if (sip_param(uri->params, VIEW("transport"), &v)) {
		o->has_transport = true;
		o->transport = view_eq_nocase(v, VIEW("tls"))	? SIP_TLS
			       : view_eq_nocase(v, VIEW("tcp")) ? SIP_TCP
								: SIP_UDP;
	}
	if (o->sips) /* sips with transport=tcp is TLS all the same (RFC 3261 §26.2.2) */
		o->transport = o->has_transport ? SIP_TLS : o->transport;
	return o->host.n && o->host.n < DNS_NAME_MAX ? 0 : E_NOTFOUND;
}

static const struct core_route *route_to(const struct confabd *d, const struct addr *to)
{
	for (size_t i = 0; i < d->cfg.sip.routes.n; i++)
		if (d->routes[i].tls && addr_eq(&d->routes[i].peer, to))
			return &d->routes[i];
	return NULL;
}

/* A connection is found again by its address: DNS must not lead the requests for one name to a
 * server that was looked for, and certified, by another. */
static bool is_alone(const struct place *p, const struct addr *to)
{
	const struct core_route *route = route_to(p->d, to);

	return (!route || view_eq_nocase(route->domain, p->order.host)) &&
	       confabd_sockets_lead_to(p->d, to, p->order.host);
}

static int answer(const struct place *p, struct sip_flow *out)
{
	const struct sip_target *t = &p->target[p->at];
	bool tls = p->n && t->transport == SIP_TLS;
	char text[ADDR_TEXT_MAX];

	if (!p->n)
		return E_NOTFOUND;
	if (tls && !is_alone(p, &t->addr)) {
		log_line(&p->d->log.log, LOG_WARN, "confabd",
			 "%s is said to be at %s, where somebody else is", p->host,
			 addr_text(&t->addr, text));
		return E_NOTFOUND;
	}
	*out = (struct sip_flow){.transport = t->transport,
				 .remote = t->addr,
				 .may_grow = t->transport == SIP_UDP,
				 .vouched = tls && confabd_tls_trusts_domain(p->d, p->order.host)};
	return 0;
}

int confabd_resolve(struct confabd *d, const struct sip_uri *uri, struct sip_flow *out,
		    uint64_t now_ms)
{
	struct sip_lookup_order o;
	struct sip_lookup *l;
	struct place *p;

	if (!d->resolver || read_order(d, uri, &o))
		return E_NOTFOUND;
	p = place_find(d->resolver, &o);
	if (p && p->lookup)
		return E_STATE;
	if (p && now_ms < p->good_until_ms)
		return answer(p, out);
	if (!p)
		p = place_new(d, &o);
	l = p ? malloc(sizeof(*l)) : NULL;
	if (!l || sip_lookup_begin(l, &p->order, &d->entropy)) {
		free(l);
		if (p)
			place_free(d->resolver, p);
		return E_NOTFOUND;
	}
	p->lookup = l;
	go_on(p);
	/* What c-ares knows without asking comes at once. */
	return p->lookup ? E_STATE : answer(p, out);
}

static bool is_at(const struct place *p, const struct addr *to)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->target[i].transport == SIP_TLS && addr_eq(&p->target[i].addr, to))
			return true;
	return false;
}

void confabd_resolve_peer(const struct confabd *d, const struct addr *to, char *dst)
{
	const struct core_route *route = route_to(d, to);
	char text[ADDR_TEXT_MAX];

	(void)view_copy(route ? route->domain : view_str(addr_host(to, text)), dst, DNS_NAME_MAX);
	if (route || !d->resolver)
		return;
	/* The one that was asked for last stands first. */
	LIST_EACH(l, next, &d->resolver->places)
	{
		const struct place *p = CONTAINER(l, struct place, link);

		if (!is_at(p, to))
			continue;
		(void)view_copy(view_str(p->host), dst, DNS_NAME_MAX);
		return;
	}
}

void confabd_resolve_failed(struct confabd *d, const struct addr *to)
{
	if (!d->resolver)
		return;
	LIST_EACH(l, next, &d->resolver->places)
	{
		struct place *p = CONTAINER(l, struct place, link);

		if (p->n > 1 && addr_eq(&p->target[p->at].addr, to))
			p->at = (p->at + 1) % p->n;
	}
}

int confabd_resolve_open(struct confabd *d)
{
	struct confabd_resolver *r = calloc(1, sizeof(*r));
	struct buf servers;
	int rc;

	if (!r)
		return E_NOMEM;
	list_init(&r->places);
	buf_init(&servers, 8192);
	for (size_t i = 0; i < d->cfg.dns.servers.n; i++)
		buf_putf(&servers, "%s%s", i ? "," : "", d->cfg.dns.servers.item[i]);
	buf_putc(&servers, '\0');
	rc = buf_ok(&servers) ? io_dns_open(&d->loop, servers.p, &r->dns) : E_NOMEM;
	buf_fini(&servers);
	if (rc) {
		log_line(&d->log.log, LOG_ERROR, "confabd", "dns.servers: %s", error_text(rc));
		free(r);
		return rc;
	}
	d->resolver = r;
	return 0;
}

void confabd_resolve_close(struct confabd *d)
{
	struct confabd_resolver *r = d->resolver;

	if (!r)
		return;
	d->resolver = NULL;
	io_dns_close(r->dns);
	while (!list_empty(&r->places))
		place_free(r, CONTAINER(r->places.next, struct place, link));
	free(r);
}
