#include "flow_net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum event_type {
	EV_SYN,
	EV_UP,
	EV_DATA,
	EV_FIN,
	EV_CLOSED,
	EV_RESUME,
	EV_FINISH_OVER,
	EV_DATAGRAM,
	EV_LATER
};

enum { LOST_IN_ROW_MAX = 3 };

struct net_event {
	uint64_t at, serial;
	enum event_type type;
	struct net_end *to;
	struct addr from_addr, to_addr;
	void (*run)(void *ctx, void *arg);
	void (*drop)(void *arg);
	void *ctx, *arg;
	size_t n;
	char bytes[];
};

void net_init(struct net *n, uint64_t seed, uint64_t now)
{
	*n = (struct net){.now = now,
			  .random = seed * 2654435769u + 1,
			  .latency_min = 1,
			  .latency_max = 12,
			  .window = 1 << 20,
			  .whole_percent = 60,
			  .port = 40000};
}

uint64_t net_random(struct net *n, uint64_t below)
{
	n->random = n->random * 6364136223846793005u + 1442695040888963407u;
	return below ? (n->random >> 33) % below : 0;
}

/* --- the heap --- */

static bool before(const struct net_event *a, const struct net_event *b)
{
	return a->at != b->at ? a->at < b->at : a->serial < b->serial;
}

static void push(struct net *n, struct net_event *e)
{
	size_t i = n->n_heap++;

	if (n->n_heap > n->size_heap) {
		n->size_heap = n->size_heap ? 2 * n->size_heap : 64;
		n->heap = realloc(n->heap, n->size_heap * sizeof(*n->heap));
		assert_non_null(n->heap);
	}
	e->serial = ++n->serial;
	if (e->to)
		e->to->conn->events++;
	for (; i > 0 && before(e, n->heap[(i - 1) / 2]); i = (i - 1) / 2)
		n->heap[i] = n->heap[(i - 1) / 2];
	n->heap[i] = e;
}

static struct net_event *pop(struct net *n)
{
	struct net_event *top = n->heap[0], *e = n->heap[--n->n_heap];
	size_t i = 0;

	for (;;) {
		size_t k = 2 * i + 1;

		if (k >= n->n_heap)
			break;
		if (k + 1 < n->n_heap && before(n->heap[k + 1], n->heap[k]))
			k++;
		if (!before(n->heap[k], e))
			break;
		n->heap[i] = n->heap[k];
		i = k;
	}
	n->heap[i] = e;
	return top;
}

static struct net_event *event_new(enum event_type type, uint64_t at, struct net_end *to,
				   struct view bytes)
{
	struct net_event *e = calloc(1, sizeof(*e) + bytes.n);

	assert_non_null(e);
	e->type = type;
	e->at = at;
	e->to = to;
	e->n = bytes.n;
	if (bytes.n)
		memcpy(e->bytes, bytes.p, bytes.n);
	return e;
}

static void conn_free(struct net_conn *c)
{
	struct net_conn **at = &c->net->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	for (int i = 0; i < 2; i++) {
		buf_fini(&c->end[i].early);
		buf_fini(&c->end[i].held);
	}
	free(c);
}

void net_fini(struct net *n)
{
	while (n->n_heap) {
		struct net_event *e = n->heap[--n->n_heap];

		if (e->type == EV_LATER && e->drop)
			e->drop(e->arg);
		free(e);
	}
	free(n->heap);
	while (n->conns)
		conn_free(n->conns);
}

/* --- listeners and connections --- */

static uint64_t latency(struct net *n)
{
	return n->latency_min + net_random(n, n->latency_max - n->latency_min + 1);
}

struct net_listener *net_listen(struct net *n, const char *name, const struct addr *at,
				net_accept_fn *accept, net_datagram_fn *datagram, void *ctx)
{
	struct net_listener *l = &n->listener[n->n_listeners++];

	assert_true(n->n_listeners <= NET_LISTENERS);
	*l = (struct net_listener){
		.addr = *at, .name = name, .accept = accept, .datagram = datagram, .ctx = ctx};
	return l;
}

struct net_listener *net_listener_at(struct net *n, const struct addr *at)
{
	for (size_t i = 0; i < n->n_listeners; i++)
		if (addr_eq(&n->listener[i].addr, at))
			return &n->listener[i];
	return NULL;
}

static struct net_end *peer(struct net_end *e)
{
	return &e->conn->end[!e->side];
}

static void tell_closed(struct net_end *e, uint64_t at)
{
	push(e->conn->net, event_new(EV_CLOSED, at, e, VIEW("")));
}

struct net_end *net_connect(struct net *n, const char *name, const struct addr *from,
			    const struct addr *to, const struct net_end_events *ev, void *ctx)
{
	struct net_conn *c = calloc(1, sizeof(*c));
	const struct net_listener *l = net_listener_at(n, to);

	assert_non_null(c);
	c->net = n;
	c->number = ++n->n_conns;
	c->next = n->conns;
	n->conns = c;
	snprintf(c->label, sizeof(c->label), "%s>%s", name, l ? l->name : "nobody");
	c->addr[0] = *from;
	c->addr[0].port = ++n->port;
	c->addr[1] = *to;
	for (int i = 0; i < 2; i++) {
		c->end[i].conn = c;
		c->end[i].side = i;
		buf_init(&c->end[i].early, 1 << 24);
		buf_init(&c->end[i].held, 1 << 24);
	}
	net_attach(&c->end[0], ev, ctx);
	push(n, event_new(EV_SYN, n->now + latency(n), &c->end[1], VIEW("")));
	return &c->end[0];
}

void net_attach(struct net_end *e, const struct net_end_events *ev, void *ctx)
{
	e->ev = ev;
	e->ctx = ctx;
}

/* When something that is sent now arrives: never before what was sent earlier. */
static uint64_t arrival(struct net_end *from)
{
	struct net *n = from->conn->net;
	uint64_t at = n->now + latency(n);

	if (n->slow && !strcmp(from->conn->label, n->slow))
		at += net_random(n, n->slow_ms);
	if (at < from->last_at)
		at = from->last_at;
	from->last_at = at;
	return at;
}

static void arrive(struct net_event *e);

static void note(const struct net_conn *c, const char *what)
{
	if (c->net->trace)
		printf("%8lu wire %u %s %s\n", (unsigned long)c->net->now, c->number, c->label,
		       what);
}

static void syn(struct net *n, struct net_event *e)
{
	struct net_end *there = e->to, *here = peer(there);
	struct net_listener *l = net_listener_at(n, &there->conn->addr[1]);

	if (here->closing)
		return;
	if (l && l->swallow) {
		l->swallow--;
		tell_closed(here, n->now + NET_CONNECT_MS);
		return;
	}
	if (l && l->accept && !l->refuse)
		l->accept(l->ctx, there, &there->conn->addr[0]);
	else if (l && l->refuse)
		l->refuse--;
	if (!there->ev) {
		there->conn->refused = true;
		note(there->conn, "refused");
		tell_closed(here, n->now + latency(n));
		return;
	}
	there->up = true;
	note(there->conn, "accepted");
	push(n, event_new(EV_UP, arrival(there), here, VIEW("")));
}

static void up(struct net_end *e)
{
	struct buf early = e->early;

	if (e->closing || e->told)
		return;
	e->up = true;
	buf_init(&e->early, 1 << 24);
	if (early.n)
		net_write(e, buf_view(&early));
	buf_fini(&early);
	if (e->ev->connected)
		e->ev->connected(e->ctx, e);
	if (e->finishing)
		push(e->conn->net, event_new(EV_FIN, arrival(e), peer(e), VIEW("")));
}

void net_write(struct net_end *e, struct view bytes)
{
	struct net *n = e->conn->net;

	if (e->conn->cut || e->closing || e->told || e->conn->refused)
		return;
	if (!e->up) {
		buf_put(&e->early, bytes);
		return;
	}
	while (bytes.n) {
		size_t k = bytes.n;

		if (net_random(n, 100) >= n->whole_percent)
			k = 1 + (size_t)net_random(n, bytes.n);
		push(n, event_new(EV_DATA, arrival(e), peer(e), view_first(bytes, k)));
		e->in_flight += k;
		bytes = view_from(bytes, k);
	}
}

size_t net_room(struct net_end *e)
{
	size_t window = e->conn->net->window, used = e->in_flight + peer(e)->held.n;

	if (!e->up)
		return 0;
	if (used < window)
		return window - used;
	e->blocked = true;
	return 0;
}

static void window_opens(struct net_end *e)
{
	if (!e->blocked || e->closing || e->told || !net_room(e))
		return;
	e->blocked = false;
	if (e->ev->writable)
		e->ev->writable(e->ctx, e);
}

static void data(struct net_end *e, struct net_event *ev)
{
	peer(e)->in_flight -= ev->n;
	if (e->told)
		return;
	if (e->closing) {
		/* Nobody reads this any more. */
	} else if (e->paused) {
		buf_put(&e->held, view_of(ev->bytes, ev->n));
	} else {
		e->ev->data(e->ctx, e, view_of(ev->bytes, ev->n));
	}
	window_opens(peer(e));
}

static void fin(struct net_end *e)
{
	if (e->told)
		return;
	if (e->paused) {
		e->conn->eof_held = true;
		return;
	}
	/* Its own output goes first, then its end. */
	if (!e->finishing && !e->closing)
		push(e->conn->net, event_new(EV_FIN, arrival(e), peer(e), VIEW("")));
	if (!e->closing) {
		e->closing = true;
		tell_closed(e, e->conn->net->now);
	}
}

static void resume(struct net_end *e)
{
	struct buf held = e->held;

	if (e->paused || e->closing || e->told)
		return;
	buf_init(&e->held, 1 << 24);
	if (held.n)
		e->ev->data(e->ctx, e, buf_view(&held));
	buf_fini(&held);
	if (e->conn->eof_held && !e->paused) {
		e->conn->eof_held = false;
		fin(e);
	}
	window_opens(peer(e));
}

void net_pause(struct net_end *e, bool paused)
{
	e->paused = paused;
	if (!paused)
		push(e->conn->net, event_new(EV_RESUME, e->conn->net->now, e, VIEW("")));
}

static void finish_over(struct net_end *e)
{
	if (!e->told && !e->closing) {
		e->closing = true;
		tell_closed(e, e->conn->net->now);
	}
}

void net_finish(struct net_end *e)
{
	if (e->finishing || e->closing || e->told)
		return;
	e->finishing = true;
	if (e->up && !e->conn->cut)
		push(e->conn->net, event_new(EV_FIN, arrival(e), peer(e), VIEW("")));
	push(e->conn->net,
	     event_new(EV_FINISH_OVER, e->conn->net->now + NET_FINISH_MS, e, VIEW("")));
}

void net_close(struct net_end *e)
{
	if (e->closing || e->told)
		return;
	if (!e->finishing && e->up && !e->conn->cut)
		push(e->conn->net, event_new(EV_FIN, arrival(e), peer(e), VIEW("")));
	e->closing = true;
	tell_closed(e, e->conn->net->now);
}

void net_cut(struct net_conn *c)
{
	struct net *n = c->net;
	int first = (int)net_random(n, 2);

	if (c->cut)
		return;
	c->cut = true;
	for (int i = 0; i < 2; i++) {
		struct net_end *e = &c->end[i ^ first];

		if (e->ev && !e->told && !e->closing)
			tell_closed(e, n->now + (i ? 2 * latency(n) : 0));
	}
}

void net_send(struct net *n, const struct addr *from, const struct addr *to, struct view bytes)
{
	struct net_event *e = event_new(EV_DATAGRAM, n->now + latency(n), NULL, bytes);

	e->from_addr = *from;
	e->to_addr = *to;
	push(n, e);
}

void net_later(struct net *n, uint64_t in_ms, void (*run)(void *ctx, void *arg), void *ctx,
	       void *arg, void (*drop)(void *arg))
{
	struct net_event *e = event_new(EV_LATER, n->now + in_ms, NULL, VIEW(""));

	e->run = run;
	e->ctx = ctx;
	e->arg = arg;
	e->drop = drop;
	push(n, e);
}

uint64_t net_next(const struct net *n)
{
	return n->n_heap ? n->heap[0]->at : UINT64_MAX;
}

static void closed(struct net_end *e)
{
	if (e->told)
		return;
	e->told = true;
	note(e->conn, e->side ? "closed there" : "closed here");
	e->ev->closed(e->ctx, e);
}

/* Never so many in a row that all copies of a request are among them: that would prove nothing. */
static bool loses(struct net *n)
{
	if (net_random(n, 100) >= n->lose_percent || n->lost_in_row >= LOST_IN_ROW_MAX) {
		n->lost_in_row = 0;
		return false;
	}
	n->lost_in_row++;
	return true;
}

static void datagram(struct net *n, struct net_event *e)
{
	struct net_listener *l = net_listener_at(n, &e->to_addr);

	if (loses(n))
		return;
	if (l && l->datagram)
		l->datagram(l->ctx, view_of(e->bytes, e->n), &e->from_addr);
}

static void arrive(struct net_event *e)
{
	switch (e->type) {
	case EV_SYN:
		syn(e->to->conn->net, e);
		break;
	case EV_UP:
		up(e->to);
		break;
	case EV_DATA:
		data(e->to, e);
		break;
	case EV_FIN:
		fin(e->to);
		break;
	case EV_RESUME:
		resume(e->to);
		break;
	case EV_FINISH_OVER:
		finish_over(e->to);
		break;
	default:
		break;
	}
}

static bool is_wire(const struct net_event *e)
{
	return e->type <= EV_FIN || e->type == EV_DATAGRAM;
}

/* Nobody speaks of it any more. */
static bool is_over(const struct net_conn *c)
{
	return !c->events && c->end[0].told && (c->end[1].told || !c->end[1].ev);
}

void net_step(struct net *n)
{
	struct net_event *e = pop(n);
	struct net_conn *c = e->to ? e->to->conn : NULL;
	bool arrives = true;

	if (e->at > n->now)
		n->now = e->at;
	if (is_wire(e) && !(c && c->cut)) {
		n->count++;
		arrives = !n->arriving || n->arriving(n->ctx, n->count, c, view_of(e->bytes, e->n));
	}
	if (e->type == EV_LATER)
		e->run(e->ctx, e->arg);
	else if (e->type == EV_CLOSED)
		closed(e->to);
	else if (e->type == EV_DATAGRAM && arrives)
		datagram(n, e);
	else if (c && !c->cut && !c->refused)
		arrive(e);
	if (c && (--c->events, is_over(c)))
		conn_free(c);
	free(e);
}

struct net_conn *net_find(struct net *n, const char *label)
{
	for (struct net_conn *c = n->conns; c; c = c->next)
		if (!c->cut && !c->refused && !strcmp(c->label, label) && !c->end[0].told &&
		    !c->end[0].closing)
			return c;
	return NULL;
}
