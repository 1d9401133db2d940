#include "io/dns.h"

#include "base/error.h"
#include "io/socket.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>

enum {
	SOCKETS_MAX = 16,
	TIMEOUT_MS = 2000, /* of one try at one server; c-ares doubles it */
	TRIES = 2,
};

/* A socket of c-ares that is being watched. */
struct watch {
	uv_poll_t poll;
	struct io_dns *dns; /* NULL: io_dns_close came first */
	struct io_loop *loop;
	ares_socket_t fd;
};

struct io_dns {
	struct io_loop *loop;
	ares_channel channel;
	struct io_deadline deadline;
	struct watch *watch[SOCKETS_MAX];
};

struct question {
	enum dns_type type;
	io_dns_fn *answer;
	void *ctx;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int library;

static void start_library(void)
{
	library = ares_library_init(ARES_LIB_INIT_ALL);
}

/* --- its sockets and timeouts on our loop --- */

static void rest(struct io_dns *d)
{
	struct timeval longest = {3600, 0}, tv, *next;

	next = ares_timeout(d->channel, &longest, &tv);
	if (!next || next == &longest)
		io_deadline_set(&d->deadline, UINT64_MAX);
	else
		io_deadline_set(&d->deadline, io_now_ms(d->loop) + (uint64_t)next->tv_sec * 1000 +
						      (uint64_t)next->tv_usec / 1000 + 1);
}

static void on_timeout(void *ctx, uint64_t now_ms)
{
	struct io_dns *d = ctx;

	(void)now_ms;
	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rest(d);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	struct io_dns *d = w->dns;
	ares_socket_t fd = w->fd;
	bool in = status < 0 || (events & UV_READABLE), out = status < 0 || (events & UV_WRITABLE);

	/* w may be gone when this returns. */
	ares_process_fd(d->channel, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
	rest(d);
}

static void on_watch_closed(uv_handle_t *h)
{
	struct watch *w = h->data;

	w->loop->n_uv--;
	free(w);
}

static void watch_end(struct watch **at)
{
	struct watch *w = *at;

	*at = NULL;
	(void)uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

static struct watch **watch_of(struct io_dns *d, ares_socket_t fd)
{
	struct watch **free_place = NULL;

	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		if (d->watch[i] && d->watch[i]->fd == fd)
			return &d->watch[i];
		if (!d->watch[i] && !free_place)
			free_place = &d->watch[i];
	}
	return free_place;
}

static void on_socket(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct io_dns *d = ctx;
	struct watch **at = watch_of(d, fd), *w;

	if (!at)
		return; /* the question times out */
	if (!readable && !writable) {
		if (*at)
			watch_end(at);
		return;
	}
	if (!*at) {
		w = calloc(1, sizeof(*w));
		if (!w || uv_poll_init(d->loop->uv, &w->poll, fd)) {
			free(w);
			return;
		}
		w->poll.data = w;
		w->dns = d;
		w->loop = d->loop;
		w->fd = fd;
		d->loop->n_uv++;
		*at = w;
	}
	(void)uv_poll_start(&(*at)->poll,
			    (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_ready);
}

/* --- life --- */

/* c-ares wants no blanks, and addresses of IPv6 in brackets where a port follows. */
static int set_servers(struct io_dns *d, const char *servers)
{
	char plain[1024];
	size_t n = 0;

	for (; *servers; servers++)
		if (*servers != ' ' && n < sizeof(plain) - 1)
			plain[n++] = *servers;
	plain[n] = '\0';
	return ares_set_servers_ports_csv(d->channel, plain) == ARES_SUCCESS ? 0 : E_SYNTAX;
}

int io_dns_open(struct io_loop *loop, const char *servers, struct io_dns **out)
{
	struct ares_options options = {.timeout = TIMEOUT_MS, .tries = TRIES};
	struct io_dns *d;
	int rc;

	(void)pthread_once(&once, start_library);
	d = library == ARES_SUCCESS ? calloc(1, sizeof(*d)) : NULL;
	if (!d)
		return E_NOMEM;
	d->loop = loop;
	options.sock_state_cb = on_socket;
	options.sock_state_cb_data = d;
	rc = ares_init_options(&d->channel, &options,
			       ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (rc != ARES_SUCCESS) {
		free(d);
		return rc == ARES_ENOMEM ? E_NOMEM : E_IO;
	}
	io_deadline_init(&d->deadline, loop, on_timeout, d);
	rc = servers && servers[0] ? set_servers(d, servers) : 0;
	if (rc)
		io_dns_close(d);
	else
		*out = d;
	return rc;
}

void io_dns_close(struct io_dns *d)
{
	if (!d)
		return;
	/* Answers what is open, and lets its sockets go. */
	ares_destroy(d->channel);
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (d->watch[i])
			watch_end(&d->watch[i]);
	io_deadline_fini(&d->deadline);
	free(d);
}

/* --- questions --- */

static int error_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
	case ARES_ESERVICE:
		return E_NOTFOUND;
	case ARES_ENOMEM:
		return E_NOMEM;
	case ARES_EDESTRUCTION:
	case ARES_ECANCELLED:
		return E_CLOSED;
	case ARES_ETIMEOUT:
	case ARES_ECONNREFUSED:
	case ARES_ESERVFAIL:
		return E_TIMEOUT;
	default:
		return E_IO;
	}
}

static void finish(struct question *q, int error, const struct dns_record *r, size_t n)
{
	q->answer(q->ctx, error || n ? error : E_NOTFOUND, r, error ? 0 : n);
	free(q);
}

static size_t read_naptr(const unsigned char *bytes, int n_bytes, struct dns_record *out)
{
	struct ares_naptr_reply *list = NULL;
	size_t n = 0;

	if (ares_parse_naptr_reply(bytes, n_bytes, &list) != ARES_SUCCESS)
		return 0;
	for (const struct ares_naptr_reply *p = list; p && n < DNS_RECORDS_MAX; p = p->next) {
		struct dns_record *r = &out[n];

		*r = (struct dns_record){
			.type = DNS_NAPTR, .order = p->order, .preference = p->preference};
		/* What does not fit is no service of SIP. */
		if (view_copy(view_str((const char *)p->flags), r->flags, sizeof(r->flags)) &&
		    view_copy(view_str((const char *)p->service), r->service, sizeof(r->service)) &&
		    view_copy(view_str(p->replacement), r->name, sizeof(r->name)))
			n++;
	}
	ares_free_data(list);
	return n;
}

static size_t read_srv(const unsigned char *bytes, int n_bytes, struct dns_record *out)
{
	struct ares_srv_reply *list = NULL;
	size_t n = 0;

	if (ares_parse_srv_reply(bytes, n_bytes, &list) != ARES_SUCCESS)
		return 0;
	for (const struct ares_srv_reply *p = list; p && n < DNS_RECORDS_MAX; p = p->next) {
		struct dns_record *r = &out[n];

		*r = (struct dns_record){.type = DNS_SRV,
					 .priority = p->priority,
					 .weight = p->weight,
					 .port = p->port};
		if (view_copy(view_str(p->host), r->name, sizeof(r->name)))
			n++;
	}
	ares_free_data(list);
	return n;
}

static void on_records(void *ctx, int status, int timeouts, unsigned char *bytes, int n_bytes)
{
	struct question *q = ctx;
	struct dns_record r[DNS_RECORDS_MAX];
	size_t n = 0;

	(void)timeouts;
	if (status == ARES_SUCCESS)
		n = q->type == DNS_NAPTR ? read_naptr(bytes, n_bytes, r)
					 : read_srv(bytes, n_bytes, r);
	finish(q, error_of(status), r, n);
}

static void on_addresses(void *ctx, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *q = ctx;
	struct dns_record r[DNS_RECORDS_MAX];
	size_t n = 0;

	(void)timeouts;
	for (const struct ares_addrinfo_node *p = info ? info->nodes : NULL;
	     p && n < DNS_RECORDS_MAX; p = p->ai_next) {
		r[n] = (struct dns_record){.type = DNS_ADDRESS};
		io_addr_from_sockaddr(p->ai_addr, &r[n].addr);
		r[n].addr.port = 0;
		if (r[n].addr.family)
			n++;
	}
	ares_freeaddrinfo(info);
	finish(q, error_of(status), r, n);
}

void io_dns_ask(struct io_dns *d, enum dns_type type, const char *name, io_dns_fn *answer,
		void *ctx)
{
	struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT};
	struct question *q = calloc(1, sizeof(*q));

	if (!q) {
		answer(ctx, E_NOMEM, NULL, 0);
		return;
	}
	*q = (struct question){type, answer, ctx};
	if (type == DNS_ADDRESS)
		ares_getaddrinfo(d->channel, name, NULL, &hints, on_addresses, q);
	else
		ares_query(d->channel, name, C_IN, type == DNS_NAPTR ? T_NAPTR : T_SRV, on_records,
			   q);
	rest(d);
}
