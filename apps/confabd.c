/* confabd: the IM Server. Options, set-up, the loop, the end. */
#include "confabd.h"

#include "base/error.h"
#include "body/xml.h"
#include "io/digest.h"
#include "io/entropy.h"
#include "io/limits.h"
#include "io/privileges.h"
#include "io/signal.h"
#include "procedure/general.h"
#include "sip/session_timer.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SETTINGS_MAX = 64, EXIT_USAGE = 2, SERVICE_ROUTE_MAX = 16384 };

struct options {
	const char *config;
	const char *setting[SETTINGS_MAX];
	size_t n_settings;
	bool check;
};

static void usage(FILE *to)
{
	struct buf keys;

	fputs("Usage: confabd [--config FILE] [--set KEY=VALUE]... [--check-config]\n"
	      "       confabd --help | --version\n\n"
	      "  --config FILE      read the configuration from FILE\n"
	      "  --set KEY=VALUE    one setting, over those of the file\n"
	      "  --check-config     say what is wrong with the configuration, and stop\n\n"
	      "Keys, with their defaults:\n\n",
	      to);
	buf_init(&keys, 1 << 20);
	config_server_help(&keys);
	if (buf_ok(&keys) && keys.n)
		fwrite(keys.p, 1, keys.n, to);
	buf_fini(&keys);
}

static const char *operand(int argc, char **argv, int *i)
{
	if (*i + 1 < argc)
		return argv[++*i];
	fprintf(stderr, "confabd: %s needs a value\n", argv[*i]);
	exit(EXIT_USAGE);
}

static void parse_options(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--config") || !strcmp(argv[i], "-c")) {
			o->config = operand(argc, argv, &i);
		} else if (!strcmp(argv[i], "--set") && o->n_settings < SETTINGS_MAX) {
			o->setting[o->n_settings++] = operand(argc, argv, &i);
		} else if (!strcmp(argv[i], "--check-config")) {
			o->check = true;
		} else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			usage(stdout);
			exit(0);
		} else if (!strcmp(argv[i], "--version")) {
			puts("confabd " CONFAB_VERSION);
			exit(0);
		} else {
			fprintf(stderr, "confabd: unknown option %s; --help lists them\n", argv[i]);
			exit(EXIT_USAGE);
		}
	}
}

static int load_config(const struct options *o, struct server_config *cfg)
{
	static struct config_mistakes mistakes;
	int rc = config_server_load(o->config, o->setting, o->n_settings, cfg, &mistakes);

	for (size_t i = 0; i < mistakes.n; i++)
		fprintf(stderr, "confabd: %s%s%s\n", o->config ? o->config : "",
			o->config ? ": " : "", mistakes.text[i]);
	if (mistakes.total > mistakes.n)
		fprintf(stderr, "confabd: and %zu more\n", mistakes.total - mistakes.n);
	return rc;
}

/* --- what core and controlling are told --- */

static bool is_local(void *ctx, const struct sip_uri *uri)
{
	return controlling_is_local(((struct confabd *)ctx)->controlling, uri);
}

static void local_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
			  const struct core_identity *who, uint64_t now_ms)
{
	controlling_request(((struct confabd *)ctx)->controlling, tx, m, who, now_ms);
}

static void local_ack(void *ctx, const struct sip_msg *m, uint64_t now_ms)
{
	controlling_ack(((struct confabd *)ctx)->controlling, m, now_ms);
}

static bool served(void *ctx, struct view host, uint16_t port)
{
	return core_is_served_domain(((struct confabd *)ctx)->core, host, port);
}

static int resolve(void *ctx, const struct sip_uri *uri, struct sip_flow *out, size_t max,
		   size_t *n_out, uint64_t now_ms)
{
	return confabd_resolve(ctx, uri, out, max, n_out, now_ms);
}

/* --- what the stack tells --- */

static void on_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
		       uint64_t now_ms)
{
	core_request(((struct confabd *)ctx)->core, tx, m, now_ms);
}

static void on_ack(void *ctx, const struct sip_msg *m, const struct sip_flow *from, uint64_t now_ms)
{
	core_ack(((struct confabd *)ctx)->core, m, from, now_ms);
}

static void on_conn_down(void *ctx, uint64_t conn, uint64_t now_ms)
{
	core_conn_down(((struct confabd *)ctx)->core, conn, now_ms);
}

/* --- set-up --- */

static int start_stack(struct confabd *d)
{
	struct sip_stack_config cfg;
	struct sip_stack_ops ops = {.on_request = on_request,
				    .on_ack = on_ack,
				    .on_conn_down = on_conn_down,
				    .admit = confabd_admit,
				    .pressed = confabd_pressed,
				    .trace = d->trace ? confabd_trace_sip : NULL,
				    .ctx = d};
	int rc;

	sip_stack_config_defaults(&cfg);
	cfg.max_tx = d->cfg.sip.max_transactions;
	cfg.max_conns = d->cfg.sip.max_connections;
	cfg.max_uri = d->cfg.sip.max_uri;
	cfg.max_head = d->cfg.sip.max_head;
	cfg.max_fields = d->cfg.sip.max_fields;
	cfg.max_body = d->cfg.sip.max_body;
	cfg.max_message = SIP_HEAD_BYTES_MAX + d->cfg.sip.max_body;
	cfg.conn_idle_ms = (uint32_t)d->cfg.sip.unproven_time_ms;
	cfg.unproven_bytes = d->cfg.sip.unproven_bytes;
	cfg.conn_quiet_ms = d->cfg.sip.idle_timeout_ms;
	cfg.server = VIEW(IM_SERVER_RELEASE);
	rc = confabd_sockets_open(d, cfg.sent_by);
	if (rc)
		return rc;
	confabd_sockets_ops(&ops);
	d->stack = sip_stack_new(&cfg, &ops, &d->timers, &d->entropy, &d->log.log);
	return d->stack ? 0 : E_NOMEM;
}

static int start_core(struct confabd *d)
{
	struct core_ops ops = {.user_find = confabd_user_find,
			       .is_local = is_local,
			       .local_request = local_request,
			       .local_ack = local_ack,
			       .resolve = resolve,
			       .on_binding = confabd_on_binding,
			       .on_served = confabd_on_served,
			       .ctx = d};
	struct buf route;
	struct core_config cfg = {
		.domains = d->domains,
		.n_domains = d->cfg.sip.domain.n,
		.trusted = d->cfg.sip.trusted.item,
		.n_trusted = d->cfg.sip.trusted.n,
		.trusted_names = d->trusted_names,
		.n_trusted_names = d->cfg.sip.trusted_names.n,
		.auth_required = d->cfg.auth.required,
		.realm = view_str(d->cfg.auth.realm),
		.nonce_lifetime_ms = d->cfg.auth.nonce_lifetime_ms,
		.max_failures = d->cfg.auth.max_failures,
		.lockout_ms = d->cfg.auth.lockout_ms,
		.offer_md5 = d->cfg.auth.algorithms & SERVER_AUTH_MD5,
		.offer_sha256 = d->cfg.auth.algorithms & SERVER_AUTH_SHA256,
		.min_expires = (uint32_t)(d->cfg.registrar.min_expires_ms / 1000),
		.max_expires = (uint32_t)(d->cfg.registrar.max_expires_ms / 1000),
		.default_expires = (uint32_t)(d->cfg.registrar.default_expires_ms / 1000),
		.max_contacts = d->cfg.registrar.max_contacts,
		.max_bindings = 1000000,
		.im_tag = d->cfg.im.feature_tag == SERVER_IM_ASSUME ? CORE_IM_ASSUME
								    : CORE_IM_REQUIRE,
		.mode = d->cfg.participating.mode == SERVER_B2BUA ? CORE_MODE_B2BUA
								  : CORE_MODE_PROXY,
		.routes = d->routes,
		.n_routes = d->cfg.sip.routes.n,
		.server = VIEW(IM_SERVER_RELEASE),
		.timer_c_ms = 200000,
		.max_sessions_per_user = d->cfg.participating.max_sessions_per_user,
		.fork_ms = (uint32_t)d->cfg.sip.fork_timeout_ms,
		.ims = {.on = d->cfg.ims.mode,
			.orig_user = view_str(d->cfg.ims.orig_user),
			.term_user = view_str(d->cfg.ims.term_user),
			.ioi = view_str(d->cfg.ims.ioi)},
	};

	buf_init(&route, SERVICE_ROUTE_MAX);
	for (size_t i = 0; i < d->cfg.sip.service_route.n; i++)
		buf_putf(&route, "%s<%s>", i ? ", " : "", d->cfg.sip.service_route.item[i]);
	cfg.service_route = buf_view(&route);
	for (size_t i = 0; i < d->cfg.sip.domain.n; i++)
		d->domains[i] = view_str(d->cfg.sip.domain.item[i]);
	for (size_t i = 0; i < d->cfg.sip.trusted_names.n; i++)
		d->trusted_names[i] = view_str(d->cfg.sip.trusted_names.item[i]);
	for (size_t i = 0; i < d->cfg.sip.routes.n; i++)
		(void)config_server_route(d->cfg.sip.routes.item[i], &d->routes[i].domain,
					  &d->routes[i].peer, &d->routes[i].tls);
	d->core = core_new(&cfg, &ops, d->stack, io_digest());
	buf_fini(&route);
	return d->core ? 0 : E_NOMEM;
}

/* E_SYNTAX, E_ADDRESS (a name), E_UNSUPPORTED: the invitations of conferences would lead nowhere.
 */
static int check_ims_route(struct confabd *d)
{
	struct sip_flow flow;
	struct sip_uri u;
	int rc = sip_uri_parse(view_str(d->cfg.ims.route), &u);

	if (rc == 0)
		rc = sip_flow_of_uri(&u, &flow);
	if (rc)
		log_line(&d->log.log, LOG_ERROR, "confabd", "ims.route = %s: %s", d->cfg.ims.route,
			 error_text(rc));
	return rc;
}

static int start_controlling(struct confabd *d)
{
	static const enum conference_end_policy policy[] = {
		[SERVER_END_LAST] = CONFERENCE_END_LAST,
		[SERVER_END_BELOW_TWO] = CONFERENCE_END_BELOW_TWO,
		[SERVER_END_CREATOR] = CONFERENCE_END_CREATOR};
	static const enum conference_remove_policy remove[] = {
		[SERVER_REMOVE_CREATOR] = CONFERENCE_REMOVE_CREATOR,
		[SERVER_REMOVE_ANYONE] = CONFERENCE_REMOVE_ANYONE,
		[SERVER_REMOVE_NOBODY] = CONFERENCE_REMOVE_NOBODY};
	static const enum conference_dial_in_policy dial_in[] = {
		[SERVER_DIAL_IN_MEMBERS] = CONFERENCE_DIAL_IN_MEMBERS,
		[SERVER_DIAL_IN_ANYONE] = CONFERENCE_DIAL_IN_ANYONE,
		[SERVER_DIAL_IN_NOBODY] = CONFERENCE_DIAL_IN_NOBODY};
	static const enum conference_tls_policy tls[] = {
		[SERVER_CONFERENCE_TLS_KEEP] = CONFERENCE_TLS_KEEP,
		[SERVER_CONFERENCE_TLS_EITHER] = CONFERENCE_TLS_EITHER,
		[SERVER_CONFERENCE_TLS_REQUIRED] = CONFERENCE_TLS_REQUIRED};
	struct controlling_config cfg = {
		.factory_user = view_str(d->cfg.conference.factory),
		.feature_tag = view_str(d->cfg.im.feature_tag_name),
		.release = VIEW(IM_SERVER_RELEASE),
		.max_members = d->cfg.conference.max_members,
		.max_conferences = d->cfg.conference.max,
		.max_conferences_per_user = d->cfg.conference.max_per_user,
		.max_list_bytes = d->cfg.conference.max_list_bytes,
		.max_list_depth = d->cfg.conference.max_list_depth,
		.max_subscriptions = d->cfg.conference.max_subscriptions,
		.max_subscriptions_per_user = d->cfg.conference.max_subscriptions_per_user,
		.invite_timeout_ms = (uint32_t)d->cfg.conference.invite_timeout_ms,
		.seat_timeout_ms = 5000,
		.drain_ms = confabd_drain_ms(d),
		.session_expires_s = (uint32_t)(d->cfg.conference.session_expires_ms / 1000),
		.min_se_s = SESSION_TIMER_MIN_SE,
		.end_policy = policy[d->cfg.conference.end_policy],
		.remove = remove[d->cfg.conference.remove],
		.dial_in = dial_in[d->cfg.conference.dial_in],
		.tls = tls[d->cfg.conference.msrp_tls],
		.replaces_fallback = d->cfg.conference.replaces_fallback,
		.assume_im = d->cfg.im.feature_tag == SERVER_IM_ASSUME,
		.max_message = d->cfg.msrp.max_message,
		.private_messages = d->cfg.msrp.private_messages,
		.nicknames = d->cfg.msrp.nicknames,
		.wrap_plain = d->cfg.msrp.wrap_plain,
		.comeback_ms = d->cfg.conference.comeback_ms,
	};
	struct seat_broker broker;

	if (d->cfg.ims.mode) {
		int rc = check_ims_route(d);

		if (rc)
			return rc;
		cfg.route = view_str(d->cfg.ims.route);
		cfg.conference_domain = d->domains[0];
		cfg.ioi = view_str(d->cfg.ims.ioi);
	}
	confabd_seats_broker(d, &broker);
	d->controlling = controlling_new(&cfg, d->stack, io_digest(), &broker);
	if (!d->controlling)
		return E_NOMEM;
	controlling_set_domain_check(d->controlling, served, d);
	return confabd_conferences_open(d);
}

static int start_participating(struct confabd *d)
{
	static const enum b2bua_tls tls[] = {[SERVER_TLS_KEEP] = B2BUA_TLS_KEEP,
					     [SERVER_TLS_MORE] = B2BUA_TLS_MORE,
					     [SERVER_TLS_EITHER] = B2BUA_TLS_EITHER,
					     [SERVER_TLS_REQUIRED] = B2BUA_TLS_REQUIRED};
	struct b2bua_config cfg = {
		.feature_tag = view_str(d->cfg.im.feature_tag_name),
		.release = VIEW(IM_SERVER_RELEASE),
		.max_calls = d->cfg.msrp.max_connections * (size_t)d->cfg.msrp.threads,
		.tls = tls[d->cfg.participating.msrp_tls],
		.session_expires_s = (uint32_t)(d->cfg.participating.session_expires_ms / 1000),
		.min_se_s = SESSION_TIMER_MIN_SE,
		.drain_ms = confabd_drain_ms(d),
	};
	struct relay_broker broker;

	confabd_relays_broker(d, &broker);
	d->b2bua = b2bua_new(&cfg, d->core, &broker);
	return d->b2bua ? 0 : E_NOMEM;
}

static void on_deadline(void *ctx, uint64_t now_ms)
{
	struct confabd *d = ctx;

	timers_run(&d->timers, now_ms);
}

static void after_batch(void *ctx)
{
	struct confabd *d = ctx;

	io_deadline_set(&d->deadline, timers_next(&d->timers));
}

static void on_signal(void *ctx, int signo)
{
	struct confabd *d = ctx;

	if (signo == SIGHUP) {
		confabd_tls_reload(d);
		return;
	}
	confabd_gate_drain(d);
}

/* In IMS mode the users are the core's: what the file says of some of them is welcome, but it is
 * for what is kept over a restart. It is made here, unless it would then belong to another user
 * than it has to. */
static int start_store(struct confabd *d)
{
	bool make = d->cfg.ims.mode && !(io_is_root() && d->cfg.run.user[0]);
	char why[256] = "";
	int rc = store_open(d->cfg.store.path, io_digest(), make ? STORE_CREATE : 0, &d->store, why,
			    sizeof(why));

	if (rc && d->cfg.ims.mode && access(d->cfg.store.path, F_OK)) {
		log_line(&d->log.log, LOG_WARN, "confabd",
			 "%s: nothing is kept over a restart (store.path says where it could be)",
			 why);
		return 0;
	}
	if (rc)
		log_line(&d->log.log, LOG_ERROR, "confabd", "%s: %s (confabctl user add makes one)",
			 d->cfg.store.path, why[0] ? why : error_text(rc));
	return rc;
}

static int drop_privileges(struct confabd *d)
{
	char why[256] = "";
	int rc = d->cfg.run.user[0] ? io_become(d->cfg.run.user, why, sizeof(why)) : 0;

	if (io_is_root() && strcmp(d->cfg.run.user, "root") != 0)
		log_line(&d->log.log, LOG_WARN, "confabd",
			 "runs as root, and needs no privilege: run.user says whom to become");
	if (rc)
		log_line(&d->log.log, LOG_ERROR, "confabd", "run.user: %s", why);
	return rc;
}

static int start(struct confabd *d, const char **what)
{
	int rc;

	*what = "log.file";
	rc = io_log_open(&d->log, d->cfg.log.file[0] ? d->cfg.log.file : NULL,
			 (enum log_level)d->cfg.log.level);
	if (rc)
		return rc;
	*what = "trace.file";
	rc = d->cfg.trace.file[0] ? trace_open(d->cfg.trace.file, "server", &d->trace) : 0;
	if (rc)
		return rc;
	*what = "the loop";
	rc = io_loop_init(&d->loop, NULL);
	if (rc)
		return rc;
	io_loop_set_log(&d->loop, &d->log.log);
	timers_init(&d->timers, io_now_fresh_ms(&d->loop));
	io_deadline_init(&d->deadline, &d->loop, on_deadline, d);
	io_loop_after_batch(&d->loop, &d->batch, after_batch, d);
	confabd_clock_open(d);
	*what = "store.path";
	rc = start_store(d);
	if (rc)
		return rc;
	*what = "tls.certificate";
	rc = confabd_tls_open(d);
	if (rc)
		return rc;
	*what = "the SIP sockets";
	rc = confabd_resolve_open(d);
	if (rc == 0)
		rc = confabd_users_open(d);
	if (rc == 0)
		rc = start_stack(d);
	if (rc == 0)
		rc = start_core(d);
	if (rc)
		return rc;
	*what = "store.path";
	rc = confabd_bindings_open(d);
	if (rc)
		return rc;
	*what = "the MSRP switch";
	rc = confabd_seats_start(d);
	if (rc)
		return rc;
	*what = "the participating function";
	rc = start_participating(d);
	if (rc)
		return rc;
	*what = "the controlling function";
	rc = start_controlling(d);
	if (rc)
		return rc;
	confabd_gate_open(d);
	*what = "run.user";
	return drop_privileges(d);
}

static void stop(struct confabd *d)
{
	switch_threads_stop(d->switch_threads);
	confabd_conferences_close(d);
	controlling_free(d->controlling);
	b2bua_free(d->b2bua);
	confabd_resolve_close(d);
	confabd_bindings_close(d);
	confabd_gate_close(d);
	confabd_clock_close(d);
	core_free(d->core);
	sip_stack_free(d->stack);
	confabd_sockets_close(d);
	if (d->loop.uv) {
		io_batch_fini(&d->batch);
		io_deadline_fini(&d->deadline);
		io_loop_fini(&d->loop);
	}
	confabd_tls_close(d);
	confabd_users_close(d);
	store_close(d->store);
	trace_close(d->trace);
	io_log_close(&d->log);
}

int main(int argc, char **argv)
{
	static struct confabd d;
	struct options o = {0};
	struct io_signals *signals = NULL;
	const char *what = "";
	sigset_t ending;
	int rc;

	(void)sigemptyset(&ending);
	(void)sigaddset(&ending, SIGTERM);
	(void)sigaddset(&ending, SIGINT);
	(void)sigaddset(&ending, SIGHUP);
	parse_options(argc, argv, &o);
	if (load_config(&o, &d.cfg))
		return EXIT_USAGE;
	if (o.check) {
		puts("configuration ok");
		return 0;
	}
	(void)io_limits_raise_files();
	io_signals_ignore_failed_writes();
	xml_init();
	d.entropy = io_entropy();
	/* Whoever sees it listen may tell it to end: that waits until somebody hears of it. */
	(void)sigprocmask(SIG_BLOCK, &ending, NULL);
	rc = start(&d, &what);
	if (rc) {
		fprintf(stderr, "confabd: cannot start: %s: %s\n", what, error_text(rc));
	} else {
		(void)io_signals_open(&d.loop, on_signal, &d, &signals);
		(void)sigprocmask(SIG_UNBLOCK, &ending, NULL);
		log_line(&d.log.log, LOG_INFO, "confabd", "ready");
		io_run(&d.loop);
		/* It ends already: one more signal to end must not cut that short, and with it the
		 * exit status and what is still to be written. */
		(void)sigprocmask(SIG_BLOCK, &ending, NULL);
		io_signals_close(signals);
		(void)signal(SIGTERM, SIG_IGN);
		(void)signal(SIGINT, SIG_IGN);
	}
	stop(&d);
	return rc ? 1 : 0;
}
