/* The public functions of libconfab: the pure client bound to libuv. */
#include "embed/state.h"

#include "base/error.h"
#include "io/digest.h"
#include "io/entropy.h"

#include <stdlib.h>

/* The pure rooms say by their timers when they want to be called next. */
static void rest(struct confab *c)
{
	io_deadline_set(&c->deadline, timers_next(&c->timers));
}

static void due(void *ctx, uint64_t now_ms)
{
	struct confab *c = ctx;

	timers_run(&c->timers, now_ms);
}

static void shutdown_over(void *ctx, uint64_t now_ms)
{
	struct confab *c = ctx;
	void (*done)(void *) = c->on_shutdown;

	(void)now_ms;
	c->on_shutdown = NULL;
	if (done)
		done(c->shutdown_ctx);
}

static void after_batch(void *ctx)
{
	struct confab *c = ctx;

	rest(c);
	/* Said by the deadline: this hook runs right before the loop sleeps, and who is told may
	 * wait for the loop to return. */
	if (c->on_shutdown && client_idle(c->client))
		io_deadline_set(&c->shutdown_over, io_now_ms(&c->io));
}

static void write_log(void *ctx, enum log_level level, const char *room, const char *text)
{
	struct confab *c = ctx;
	struct buf b;

	if (!c->log_fn)
		return;
	buf_init(&b, 65536);
	buf_putf(&b, "%s: %s", room, text);
	buf_putc(&b, '\0');
	if (buf_ok(&b))
		c->log_fn(c->log_ctx, (int)level, b.p);
	buf_fini(&b);
}

static void on_event(void *ctx, const struct confab_event *ev)
{
	struct confab *c = ctx;

	struct confab_event told = *ev;

	/* What came of it says less than what it came from. */
	if (ev->type == CONFAB_REGISTER_FAILED && ev->status == 503 && c->tls_why[0])
		told.text = c->tls_why;
	/* RFC 3263 §4.3: no answer, no connection, or a 503. */
	if (ev->type == CONFAB_REGISTER_FAILED && (ev->status == 503 || ev->status == 408))
		resolver_failed(c);
	if (ev->type == CONFAB_REGISTER_FAILED)
		roam_look(c);
	if (c->on_event)
		c->on_event(c->event_ctx, &told);
}

static int make_client(struct confab *c, const struct confab_options *o)
{
	struct client_config cfg = {
		.user = view_str(o->user),
		.display = view_str(o->display),
		.password = view_str(o->password),
		.server = c->server,
		.sip_local = {c->sip_local, c->sip_local, c->sip_local},
		.msrp_local = c->msrp_local,
		.msrp_tls_local = c->msrp_tls_local,
		.msrp_tls = o->msrp_tls || o->msrp_tls_only,
		.msrp_tls_only = o->msrp_tls_only,
		.msrp_active = o->msrp_active,
		.factory = view_str(o->factory),
		.feature_tag = view_str(o->feature_tag),
		.auto_accept = o->auto_accept,
		.direct = o->direct,
		.ask_before_move = o->ask_before_move,
		.notices = o->notices,
		.max_conversations = o->max_conversations ? o->max_conversations : 64,
		.register_expires = o->register_expires ? o->register_expires : 600,
		.keepalive = o->keepalive,
		.session_expires = o->session_expires,
		.max_message = o->max_message ? o->max_message : 10u << 20,
		.unix_ms_at_zero = io_wall_ms() - io_now_ms(&c->io),
		.ims = o->ims,
		.access_network = view_str(o->access_network),
		.drain_ms = 5000,
	};
	struct client_world world = {.event = on_event};
	char fingerprint[IO_TLS_FINGERPRINT_MAX];
	struct sip_uri u;

	if (sip_uri_parse(cfg.user, &u) || !u.user.n ||
	    (u.scheme != SIP_SCHEME_SIP && u.scheme != SIP_SCHEME_SIPS))
		return E_SYNTAX;
	if (!io_digest())
		return E_UNSUPPORTED;
	wires_world(c, &world);
	io_tls_fingerprint(c->msrp_tls, fingerprint);
	cfg.msrp_fingerprint = view_str(fingerprint);
	c->client = client_new(&cfg, &world, io_digest(), &c->timers, &c->entropy, &c->log);
	return c->client ? 0 : E_NOMEM;
}

static int start(struct confab *c, struct uv_loop_s *loop, const struct confab_options *o)
{
	int rc = io_loop_init(&c->io, loop);

	if (rc)
		return rc;
	c->io_made = true;
	io_loop_set_log(&c->io, &c->log);
	timers_init(&c->timers, io_now_fresh_ms(&c->io));
	io_deadline_init(&c->deadline, &c->io, due, c);
	io_deadline_init(&c->shutdown_over, &c->io, shutdown_over, c);
	roam_open(c);
	rc = sockets_open(c, o);
	if (rc == 0)
		rc = make_client(c, o);
	if (rc)
		return rc;
	io_loop_after_batch(&c->io, &c->batch, after_batch, c);
	client_register(c->client, io_now_fresh_ms(&c->io));
	rest(c);
	return 0;
}

int confab_new(struct uv_loop_s *loop, const struct confab_options *options, confab_event_fn *event,
	       void *ctx, struct confab **out)
{
	struct confab *c;
	int rc;

	if (!loop || !options || !options->user || !options->server)
		return E_MISSING;
	c = calloc(1, sizeof(*c));
	if (!c)
		return E_NOMEM;
	list_init(&c->wires);
	list_init(&c->batch.link);
	c->on_event = event;
	c->event_ctx = ctx;
	c->trace = options->trace;
	c->trace_ctx = options->trace_ctx;
	c->log_fn = options->log;
	c->log_ctx = options->log_ctx;
	c->log = (struct log){
		.level = c->log_fn ? LOG_DEBUG : LOG_ERROR, .write = write_log, .ctx = c};
	c->entropy = io_entropy();
	rc = start(c, loop, options);
	if (rc) {
		confab_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void confab_shutdown(struct confab *c, void (*done)(void *ctx), void *ctx)
{
	uint64_t now_ms = io_now_fresh_ms(&c->io);

	c->on_shutdown = done;
	c->shutdown_ctx = ctx;
	io_deadline_set(&c->shutdown_over, now_ms + SHUTDOWN_MS);
	if (!c->shutting_down)
		client_shutdown(c->client, now_ms);
	c->shutting_down = true;
	rest(c);
}

void confab_free(struct confab *c)
{
	if (!c)
		return;
	c->on_event = NULL;
	c->on_shutdown = NULL;
	if (c->io_made) {
		io_batch_fini(&c->batch);
		client_free(c->client);
		roam_close(c);
		sockets_close(c);
		io_deadline_fini(&c->deadline);
		io_deadline_fini(&c->shutdown_over);
		io_loop_fini(&c->io);
	}
	free(c);
}

/* *out: an array to free. */
static int views_of(const char *const *uris, size_t n, struct view **out)
{
	struct view *v;

	if (n == 0)
		return E_MISSING;
	if (n > URIS_MAX)
		return E_LIMIT;
	v = calloc(n, sizeof(*v));
	if (!v)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++)
		v[i] = view_str(uris[i]);
	*out = v;
	return 0;
}

int confab_call_with(struct confab *c, const char *const *uris, size_t n,
		     const struct confab_call_options *o, uint32_t *conversation_out)
{
	struct client_call_options options = {0};
	struct view *v = NULL;
	int rc;

	if (o)
		options = (struct client_call_options){.conference = o->conference,
						       .subject = view_str(o->subject),
						       .contribution = view_str(o->contribution),
						       .rejoin = view_str(o->rejoin)};
	rc = n == 0 && options.rejoin.n ? 0 : views_of(uris, n, &v);
	if (rc)
		return rc;
	rc = client_call_with(c->client, v, n, &options, conversation_out, io_now_fresh_ms(&c->io));
	free(v);
	rest(c);
	return rc;
}

int confab_call(struct confab *c, const char *const *uris, size_t n, uint32_t *conversation_out)
{
	return confab_call_with(c, uris, n, NULL, conversation_out);
}

int confab_accept(struct confab *c, uint32_t conversation)
{
	int rc = client_accept(c->client, conversation, io_now_fresh_ms(&c->io));

	rest(c);
	return rc;
}

int confab_decline(struct confab *c, uint32_t conversation, int status)
{
	int rc;

	if (status < 300 || status > 699)
		return E_RANGE;
	rc = client_decline(c->client, conversation, status, io_now_fresh_ms(&c->io));
	rest(c);
	return rc;
}

int confab_send(struct confab *c, uint32_t conversation, const char *text, size_t n, char *id_out)
{
	char id[CONFAB_ID_SIZE];
	int rc = client_send(c->client, conversation, view_of(text, n), id_out ? id_out : id,
			     io_now_fresh_ms(&c->io));

	rest(c);
	return rc;
}

int confab_send_to(struct confab *c, uint32_t conversation, const char *uri, const char *text,
		   size_t n, char *id_out)
{
	int rc = client_send_to(c->client, conversation, view_str(uri), view_of(text, n), id_out,
				io_now_fresh_ms(&c->io));

	rest(c);
	return rc;
}

int confab_nick(struct confab *c, uint32_t conversation, const char *nickname)
{
	int rc = client_nick(c->client, conversation, view_str(nickname), io_now_fresh_ms(&c->io));

	rest(c);
	return rc;
}

int confab_typing(struct confab *c, uint32_t conversation, bool active)
{
	int rc = client_typing(c->client, conversation, active, io_now_fresh_ms(&c->io));

	rest(c);
	return rc;
}

int confab_displayed(struct confab *c, uint32_t conversation, const char *id)
{
	int rc = client_displayed(c->client, conversation, view_str(id), io_now_fresh_ms(&c->io));

	rest(c);
	return rc;
}

int confab_page(struct confab *c, const char *uri, const char *text, size_t n, char *id_out)
{
	int rc = client_page(c->client, view_str(uri), view_of(text, n), id_out,
			     io_now_fresh_ms(&c->io));

	rest(c);
	return rc;
}

int confab_add(struct confab *c, uint32_t conversation, const char *const *uris, size_t n)
{
	struct view *v;
	int rc = views_of(uris, n, &v);

	if (rc)
		return rc;
	rc = client_add(c->client, conversation, v, n, io_now_fresh_ms(&c->io));
	free(v);
	rest(c);
	return rc;
}

int confab_kick(struct confab *c, uint32_t conversation, const char *const *uris, size_t n)
{
	struct view *v;
	int rc = views_of(uris, n, &v);

	if (rc)
		return rc;
	rc = client_kick(c->client, conversation, v, n, io_now_fresh_ms(&c->io));
	free(v);
	rest(c);
	return rc;
}

int confab_leave(struct confab *c, uint32_t conversation, bool anonymous)
{
	int rc = client_leave(c->client, conversation, anonymous, io_now_fresh_ms(&c->io));

	rest(c);
	return rc;
}

int confab_who(struct confab *c, uint32_t conversation)
{
	int rc = client_who(c->client, conversation, io_now_fresh_ms(&c->io));

	rest(c);
	return rc;
}

int confab_break(struct confab *c, uint32_t conversation, const char *which)
{
	struct view w = view_str(which);
	struct msrp_session *s;
	struct wire *wire;

	if (view_eq(w, VIEW("sip"))) {
		wires_reset_sip(c);
		return 0;
	}
	if (!view_eq(w, VIEW("direct")) && !view_eq(w, VIEW("conference")))
		return E_SYNTAX;
	s = client_msrp_session(c->client, conversation, view_eq(w, VIEW("conference")));
	wire = s ? msrp_session_handle(s) : NULL;
	if (!wire)
		return E_NOTFOUND;
	wire_reset(wire);
	return 0;
}

const char *confab_error_text(int error)
{
	return error_text(error);
}

const char *confab_sip_address(const struct confab *c)
{
	return c->sip_text;
}

const char *confab_msrp_address(const struct confab *c)
{
	return c->msrp_text;
}
