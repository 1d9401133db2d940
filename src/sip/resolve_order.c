#include "sip/resolve_order.h"

#include "base/error.h"

#include <stdio.h>

enum { PORT = 5060, TLS_PORT = 5061 };

static uint16_t default_port(enum sip_transport t)
{
	return t == SIP_TLS ? TLS_PORT : PORT;
}

/* Puts a question in at a place; what is behind it moves back. False: no room. */
static bool ask_at(struct sip_lookup *l, size_t at, enum dns_type type, enum sip_transport t,
		   uint16_t port, struct view prefix, struct view name)
{
	struct sip_lookup_place *p;

	if (l->n == SIP_QUESTIONS_MAX || !name.n || prefix.n + name.n >= DNS_NAME_MAX)
		return false;
	memmove(&l->place[at + 1], &l->place[at], (l->n - at) * sizeof(l->place[0]));
	l->n++;
	p = &l->place[at];
	*p = (struct sip_lookup_place){.type = type, .transport = t, .port = port};
	(void)snprintf(p->name, sizeof(p->name), "%.*s%.*s", VIEW_ARG(prefix), VIEW_ARG(name));
	return true;
}

static void ask(struct sip_lookup *l, enum dns_type type, enum sip_transport t, uint16_t port,
		struct view prefix)
{
	(void)ask_at(l, l->n, type, t, port, prefix, view_str(l->host));
}

static struct view srv_prefix(enum sip_transport t)
{
	return t == SIP_UDP   ? VIEW("_sip._udp.")
	       : t == SIP_TCP ? VIEW("_sip._tcp.")
			      : VIEW("_sips._tcp.");
}

static bool may(const struct sip_lookup *l, enum sip_transport t)
{
	return (l->allowed & SIP_MAY(t)) && (!l->sips || t == SIP_TLS);
}

/* §4.2: without NAPTR, SRV for each transport; TLS before the others. */
static void ask_all_srv(struct sip_lookup *l)
{
	static const enum sip_transport order[] = {SIP_TLS, SIP_TCP, SIP_UDP};

	for (size_t i = 0; i < 3; i++)
		if (may(l, order[i]))
			ask(l, DNS_SRV, order[i], 0, srv_prefix(order[i]));
}

static void add_target(struct sip_lookup *l, enum sip_transport t, const struct addr *a,
		       uint16_t port)
{
	struct sip_target target = {.transport = t, .addr = *a};

	target.addr.port = port;
	for (size_t i = 0; i < l->n_targets; i++)
		if (l->target[i].transport == t && addr_eq(&l->target[i].addr, &target.addr))
			return;
	if (l->n_targets < SIP_TARGETS_MAX)
		l->target[l->n_targets++] = target;
}

int sip_lookup_begin(struct sip_lookup *l, const struct sip_lookup_order *order,
		     const struct entropy *entropy)
{
	enum sip_transport t = order->has_transport ? order->transport : order->fallback;
	struct addr a;

	*l = (struct sip_lookup){.entropy = entropy,
				 .allowed = order->allowed,
				 .sips = order->sips,
				 .fallback = order->fallback};
	if (order->sips)
		t = SIP_TLS;
	if (order->sips || order->has_transport)
		l->fallback = t;
	if (!order->host.n || !view_copy(order->host, l->host, sizeof(l->host)))
		return E_SYNTAX;
	if (!may(l, t) && (order->has_transport || order->port || order->sips))
		return E_UNSUPPORTED;
	if (addr_parse(order->host, 0, &a) == 0)
		add_target(l, t, &a, order->port ? order->port : default_port(t));
	else if (order->port)
		ask(l, DNS_ADDRESS, t, order->port, VIEW("")); /* §4.2: no SRV then */
	else if (order->has_transport)
		ask(l, DNS_SRV, t, 0, srv_prefix(t));
	else
		ask(l, DNS_NAPTR, t, 0, VIEW(""));
	return 0;
}

const char *sip_lookup_question(const struct sip_lookup *l, enum dns_type *type_out)
{
	if (l->at == l->n || l->n_targets == SIP_TARGETS_MAX)
		return NULL;
	*type_out = l->place[l->at].type;
	return l->place[l->at].name;
}

/* §4.1: SIP+D2U, SIP+D2T, SIPS+D2T. */
static bool service_transport(const struct dns_record *r, enum sip_transport *out)
{
	struct view s = view_str(r->service);

	if (!view_eq_nocase(view_str(r->flags), VIEW("s")))
		return false;
	if (view_eq_nocase(s, VIEW("SIPS+D2T")))
		*out = SIP_TLS;
	else if (view_eq_nocase(s, VIEW("SIP+D2T")))
		*out = SIP_TCP;
	else if (view_eq_nocase(s, VIEW("SIP+D2U")))
		*out = SIP_UDP;
	else
		return false;
	return true;
}

static bool naptr_before(const struct dns_record *a, const struct dns_record *b)
{
	return a->order != b->order ? a->order < b->order : a->preference < b->preference;
}

/* The best record of those not taken yet; n: none. */
static size_t best_naptr(const struct sip_lookup *l, const struct dns_record *r, size_t n,
			 const bool *taken)
{
	size_t best = n;
	enum sip_transport t;

	for (size_t i = 0; i < n; i++)
		if (!taken[i] && r[i].type == DNS_NAPTR && service_transport(&r[i], &t) &&
		    may(l, t) && (best == n || naptr_before(&r[i], &r[best])))
			best = i;
	return best;
}

static void take_naptr(struct sip_lookup *l, const struct dns_record *r, size_t n)
{
	bool taken[DNS_RECORDS_MAX] = {false};
	size_t i;

	for (int k = 0; k < SIP_SERVICES_MAX && (i = best_naptr(l, r, n, taken)) < n; k++) {
		enum sip_transport t = l->fallback;

		taken[i] = true;
		(void)service_transport(&r[i], &t);
		(void)ask_at(l, l->n, DNS_SRV, t, 0, VIEW(""), view_str(r[i].name));
	}
	if (l->n == l->at)
		ask_all_srv(l);
}

/* RFC 2782: among those of the lowest priority, by chance and in proportion to weight; those of
 * weight 0 first in the list, so that they have a small chance. */
static size_t pick_srv(const struct sip_lookup *l, const struct dns_record *r, size_t n,
		       const bool *taken)
{
	uint32_t sum = 0, at;
	uint16_t lowest = 0;
	bool any = false;

	for (size_t i = 0; i < n; i++)
		if (!taken[i] && (!any || r[i].priority < lowest)) {
			lowest = r[i].priority;
			any = true;
		}
	if (!any)
		return n;
	for (size_t i = 0; i < n; i++)
		if (!taken[i] && r[i].priority == lowest)
			sum += r[i].weight;
	at = (uint32_t)(entropy_u64(l->entropy) % (sum + 1));
	for (int zero = 1; zero >= 0; zero--)
		for (size_t i = 0; i < n; i++) {
			if (taken[i] || r[i].priority != lowest || (r[i].weight == 0) != zero)
				continue;
			if (at <= r[i].weight)
				return i;
			at -= r[i].weight;
		}
	return n;
}

static void take_srv(struct sip_lookup *l, enum sip_transport t, const struct dns_record *r,
		     size_t n)
{
	bool taken[DNS_RECORDS_MAX] = {false};
	size_t at = l->at, i;

	for (i = 0; i < n; i++)
		taken[i] = r[i].type != DNS_SRV;
	while ((i = pick_srv(l, r, n, taken)) < n) {
		taken[i] = true;
		l->srv_found = true;
		/* "." says that there is decidedly nothing. */
		if (r[i].name[0] && strcmp(r[i].name, ".") != 0 &&
		    ask_at(l, at, DNS_ADDRESS, t, r[i].port, VIEW(""), view_str(r[i].name)))
			at++;
	}
}

void sip_lookup_answer(struct sip_lookup *l, const struct dns_record *record, size_t n)
{
	struct sip_lookup_place p;

	if (l->at == l->n)
		return;
	p = l->place[l->at++];
	if (n > DNS_RECORDS_MAX)
		n = DNS_RECORDS_MAX;
	switch (p.type) {
	case DNS_NAPTR:
		take_naptr(l, record, n);
		break;
	case DNS_SRV:
		take_srv(l, p.transport, record, n);
		/* §4.2: no SRV at all: the addresses of the domain itself. */
		if (l->at == l->n && !l->srv_found && !l->n_targets)
			ask(l, DNS_ADDRESS, l->fallback, default_port(l->fallback), VIEW(""));
		break;
	case DNS_ADDRESS:
		for (size_t i = 0; i < n; i++)
			if (record[i].type == DNS_ADDRESS)
				add_target(l, p.transport, &record[i].addr, p.port);
		break;
	}
}
