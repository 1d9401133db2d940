/* confab: an OMA SIMPLE IM client for the terminal and for scripts, on libconfab. */
#include "confab_app.h"

#include "base/error.h"
#include "io/signal.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, LINE_MAX_BYTES = 16 * 1024 * 1024, PASSWORD_SIZE = 1024 };

static const char usage[] =
	"usage: confab --user sip:NAME@DOMAIN [option...] [chat ADDRESS...] [wait]\n"
	"\n"
	"  chat ADDRESS...      chat at once: with one a chat of two, with several a conference\n"
	"  wait                 stay when standard input ends\n"
	"\n"
	"  --user URI           own address; sip: may be left out\n"
	"  --password P         others on this machine may see it; better:\n"
	"  --password-file F    its first line, or the environment variable CONFAB_PASSWORD\n"
	"  --server HOST[:PORT] the SIP server; default: the domain of the user. A name without\n"
	"                       a port is looked up by NAPTR and SRV\n"
	"  --transport T        tcp, udp or tls; default: what DNS says, else tcp\n"
	"  --dns ADDR,...       DNS servers; default: those of the system\n"
	"  --ca FILE            the CAs believed (PEM); default: those of the system\n"
	"  --certificate FILE   shown to a server that asks for one (PEM); --key FILE: its key\n"
	"  --tls-name DOMAIN    whom the server's certificate must name; default: the name in\n"
	"                       --server, or where that is an address, the domain of the user\n"
	"  --msrp-tls           offer messages over TLS; offers of it are taken in any case\n"
	"  --msrp-tls-only      and refuse messages without it\n"
	"  --msrp-active        nobody can connect to this client: it always connects itself\n"
	"  --listen ADDR        own IP address; default: the one that leads to the server\n"
	"  --display NAME       the name that others see\n"
	"  --factory URI        the conference factory; default sip:conference-factory@DOMAIN\n"
	"  --feature-tag TAG    default +g.oma.sip-im\n"
	"  --ims                register as a phone of an IMS core does\n"
	"  --access-network I   P-Access-Network-Info of every request, IEEE-802.11\n"
	"  --register-expires S seconds; default 600\n"
	"  --rejoin URI         come back to this conference at once\n"
	"  --session-expires S  a session is over when not refreshed for so long; default 1800\n"
	"  --keepalive S        seconds between keep-alives; default 27 over UDP, else 110\n"
	"  --max-conversations N at once, others get 486; default 64\n"
	"  --auto-accept        take every chat\n"
	"  --direct             let in who comes past the server, unproven\n"
	"  --ask-before-move    ask before a chat of two becomes a conference\n"
	"  --notices            ask to be told when messages are delivered and displayed\n"
	"  --json               events as JSON lines out, commands as JSON lines in\n"
	"  --trace FILE         append every SIP and MSRP message to FILE, as JSON lines\n"
	"  --log LEVEL          error, warn (default), info or debug; to standard error\n"
	"  -h, --help           this text\n"
	"  -V, --version        the version\n"
	"\n"
	"Exit status: 0 quit, 1 could not be started or written, 2 the command line is wrong.\n";

struct settings {
	struct confab_options options;
	const char *user, *password_file, *trace, *rejoin, *log;
	char *user_uri;
	char password[PASSWORD_SIZE];
	bool json;
};

static int complain(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Returns status, for the callers to return. */
static int complain(int status, const char *fmt, ...)
{
	va_list ap;

	(void)fputs("confab: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputs(status == EXIT_USAGE ? " (--help shows how)\n" : "\n", stderr);
	return status;
}

void app_write(struct app *a, struct view bytes)
{
	if (a->output_broken)
		return;
	if (fwrite(bytes.p, 1, bytes.n, stdout) == bytes.n && fflush(stdout) == 0)
		return;
	/* Nobody reads what happens any more. */
	a->output_broken = true;
	app_quit(a);
}

static void quit_done(void *ctx)
{
	struct app *a = ctx;

	io_stop(&a->io);
}

void app_quit(struct app *a)
{
	if (a->quitting) {
		io_stop(&a->io);
		return;
	}
	a->quitting = true;
	confab_shutdown(a->confab, quit_done, a);
}

static void rejoin(struct app *a)
{
	struct confab_call_options o = {.rejoin = a->rejoin};
	uint32_t id;
	int rc = confab_call_with(a->confab, NULL, 0, &o, &id);

	if (rc)
		(void)complain(EXIT_FAILURE, "--rejoin %s: %s", a->rejoin, confab_error_text(rc));
	else
		a->current = id;
	a->rejoin = NULL;
}

static void on_event(void *ctx, const struct confab_event *ev)
{
	struct app *a = ctx;

	a->face->event(a, ev);
	if (ev->type == CONFAB_REGISTERED && a->rejoin)
		rejoin(a);
}

static void on_line(void *ctx, struct view line, bool cut)
{
	struct app *a = ctx;

	if (!a->quitting)
		a->face->line(a, line, cut);
}

static void on_input_end(void *ctx, int error)
{
	struct app *a = ctx;

	(void)error;
	a->input_over = true;
	if (!a->quitting)
		a->face->end(a);
}

static const struct io_lines_events lines_events = {.line = on_line, .end = on_input_end};

static void on_signal(void *ctx, int signo)
{
	(void)signo;
	app_quit(ctx);
}

static void on_trace(void *ctx, char dir, const char *protocol, const char *transport,
		     const char *local, const char *remote, const char *bytes, size_t n)
{
	struct app *a = ctx;

	trace_write(a->trace, dir, protocol, transport, local, remote, view_of(bytes, n));
}

static void on_log(void *ctx, int level, const char *text)
{
	struct app *a = ctx;
	struct view rest = view_str(text);
	char room[32];

	if (level > (int)a->log.log.level)
		return;
	(void)view_copy(view_cut(&rest, ':'), room, sizeof(room));
	rest = view_trim(rest);
	log_line(&a->log.log, (enum log_level)level, room, "%.*s", VIEW_ARG(rest));
}

/* --- the command line --- */

enum option_id {
	OPT_USER = 1,
	OPT_PASSWORD,
	OPT_PASSWORD_FILE,
	OPT_SERVER,
	OPT_TRANSPORT,
	OPT_DNS,
	OPT_CA,
	OPT_CERTIFICATE,
	OPT_KEY,
	OPT_TLS_NAME,
	OPT_MSRP_TLS,
	OPT_MSRP_TLS_ONLY,
	OPT_MSRP_ACTIVE,
	OPT_LISTEN,
	OPT_DISPLAY,
	OPT_FACTORY,
	OPT_FEATURE_TAG,
	OPT_IMS,
	OPT_ACCESS_NETWORK,
	OPT_EXPIRES,
	OPT_KEEPALIVE,
	OPT_SESSION_EXPIRES,
	OPT_MAX_CONVERSATIONS,
	OPT_AUTO_ACCEPT,
	OPT_DIRECT,
	OPT_ASK,
	OPT_NOTICES,
	OPT_JSON,
	OPT_REJOIN,
	OPT_TRACE,
	OPT_LOG,
};

static const struct option options[] = {
	{"user", required_argument, NULL, OPT_USER},
	{"password", required_argument, NULL, OPT_PASSWORD},
	{"password-file", required_argument, NULL, OPT_PASSWORD_FILE},
	{"server", required_argument, NULL, OPT_SERVER},
	{"transport", required_argument, NULL, OPT_TRANSPORT},
	{"dns", required_argument, NULL, OPT_DNS},
	{"ca", required_argument, NULL, OPT_CA},
	{"certificate", required_argument, NULL, OPT_CERTIFICATE},
	{"key", required_argument, NULL, OPT_KEY},
	{"tls-name", required_argument, NULL, OPT_TLS_NAME},
	{"msrp-tls", no_argument, NULL, OPT_MSRP_TLS},
	{"msrp-tls-only", no_argument, NULL, OPT_MSRP_TLS_ONLY},
	{"msrp-active", no_argument, NULL, OPT_MSRP_ACTIVE},
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"display", required_argument, NULL, OPT_DISPLAY},
	{"factory", required_argument, NULL, OPT_FACTORY},
	{"feature-tag", required_argument, NULL, OPT_FEATURE_TAG},
	{"ims", no_argument, NULL, OPT_IMS},
	{"access-network", required_argument, NULL, OPT_ACCESS_NETWORK},
	{"register-expires", required_argument, NULL, OPT_EXPIRES},
	{"rejoin", required_argument, NULL, OPT_REJOIN},
	{"keepalive", required_argument, NULL, OPT_KEEPALIVE},
	{"session-expires", required_argument, NULL, OPT_SESSION_EXPIRES},
	{"max-conversations", required_argument, NULL, OPT_MAX_CONVERSATIONS},
	{"auto-accept", no_argument, NULL, OPT_AUTO_ACCEPT},
	{"direct", no_argument, NULL, OPT_DIRECT},
	{"ask-before-move", no_argument, NULL, OPT_ASK},
	{"notices", no_argument, NULL, OPT_NOTICES},
	{"json", no_argument, NULL, OPT_JSON},
	{"trace", required_argument, NULL, OPT_TRACE},
	{"log", required_argument, NULL, OPT_LOG},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0}};

/* Where an option's text goes; NULL for the others. */
static const char **text_option(struct settings *s, int id)
{
	const char **const at[] = {
		[OPT_USER] = &s->user,
		[OPT_PASSWORD] = &s->options.password,
		[OPT_PASSWORD_FILE] = &s->password_file,
		[OPT_SERVER] = &s->options.server,
		[OPT_TRANSPORT] = &s->options.transport,
		[OPT_DNS] = &s->options.dns_servers,
		[OPT_CA] = &s->options.tls_ca,
		[OPT_CERTIFICATE] = &s->options.tls_certificate,
		[OPT_KEY] = &s->options.tls_key,
		[OPT_TLS_NAME] = &s->options.tls_name,
		[OPT_LISTEN] = &s->options.listen,
		[OPT_DISPLAY] = &s->options.display,
		[OPT_FACTORY] = &s->options.factory,
		[OPT_FEATURE_TAG] = &s->options.feature_tag,
		[OPT_ACCESS_NETWORK] = &s->options.access_network,
		[OPT_REJOIN] = &s->rejoin,
		[OPT_TRACE] = &s->trace,
		[OPT_LOG] = &s->log,
	};

	return id > 0 && (size_t)id < sizeof(at) / sizeof(at[0]) ? at[id] : NULL;
}

static int number_option(const char *name, uint32_t *out)
{
	if (view_to_u32(view_str(optarg), out) == 0 && *out)
		return 0;
	return 1 + complain(EXIT_USAGE, "%s %s: a number, 1 or more", name, optarg);
}

/* 0, or the exit status plus one when the program has nothing more to do. */
static int take_option(struct settings *s, int id)
{
	const char **text = text_option(s, id);

	if (text) {
		*text = optarg;
		return 0;
	}
	switch (id) {
	case OPT_EXPIRES:
		return number_option("--register-expires", &s->options.register_expires);
	case OPT_KEEPALIVE:
		return number_option("--keepalive", &s->options.keepalive);
	case OPT_SESSION_EXPIRES:
		return number_option("--session-expires", &s->options.session_expires);
	case OPT_MAX_CONVERSATIONS:
		return number_option("--max-conversations", &s->options.max_conversations);
	case OPT_AUTO_ACCEPT:
		s->options.auto_accept = true;
		return 0;
	case OPT_DIRECT:
		s->options.direct = true;
		break;
	case OPT_ASK:
		s->options.ask_before_move = true;
		return 0;
	case OPT_MSRP_TLS:
		s->options.msrp_tls = true;
		return 0;
	case OPT_MSRP_TLS_ONLY:
		s->options.msrp_tls_only = true;
		return 0;
	case OPT_MSRP_ACTIVE:
		s->options.msrp_active = true;
		return 0;
	case OPT_IMS:
		s->options.ims = true;
		return 0;
	case OPT_NOTICES:
		s->options.notices = true;
		return 0;
	case OPT_JSON:
		s->json = true;
		return 0;
	case 'h':
		return 1 + (fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	case 'V':
		return 1 + (puts("confab " CONFAB_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	return 1 + EXIT_USAGE;
}

static int password_read(struct settings *s)
{
	FILE *f;
	char *got;

	if (s->options.password)
		return 0;
	if (!s->password_file) {
		s->options.password = getenv("CONFAB_PASSWORD");
		return 0;
	}
	f = fopen(s->password_file, "re");
	if (!f)
		return complain(EXIT_FAILURE, "%s: %s", s->password_file, strerror(errno));
	got = fgets(s->password, sizeof(s->password), f);
	(void)fclose(f);
	if (!got)
		return complain(EXIT_FAILURE, "%s: there is no password in it", s->password_file);
	s->password[strcspn(s->password, "\r\n")] = '\0';
	s->options.password = s->password;
	return 0;
}

/* The user's address with its scheme, and the domain in it. */
static int user_read(struct settings *s, struct app *a)
{
	struct view domain;

	if (!s->user)
		return complain(EXIT_USAGE, "--user is missing");
	if (view_find(view_str(s->user), '@', 0) < strlen(s->user))
		s->user_uri = text_address("", view_str(s->user));
	if (!s->user_uri)
		return complain(EXIT_USAGE, "--user %s: not of the form sip:NAME@DOMAIN", s->user);
	domain = view_str(s->user_uri);
	(void)view_cut(&domain, '@');
	domain = view_first(domain, view_find(domain, ';', 0));
	a->domain = view_dup(domain);
	s->options.user = s->user_uri;
	a->user = s->user_uri;
	if (!a->domain || !a->domain[0])
		return complain(EXIT_USAGE, "--user %s: not of the form sip:NAME@DOMAIN", s->user);
	if (!s->options.server)
		s->options.server = a->domain;
	return 0;
}

static int words_read(struct app *a, int n, char **word)
{
	int i = 0;

	if (i < n && strcmp(word[i], "chat") == 0) {
		a->call = calloc((size_t)n, sizeof(*a->call));
		for (i++; a->call && i < n && strcmp(word[i], "wait") != 0; i++) {
			a->call[a->n_call] = text_address(a->domain, view_str(word[i]));
			if (!a->call[a->n_call])
				return complain(EXIT_USAGE, "chat: %s is not an address", word[i]);
			a->n_call++;
		}
		if (!a->n_call)
			return complain(EXIT_USAGE, "chat: with whom?");
	}
	if (i < n && strcmp(word[i], "wait") == 0) {
		a->wait = true;
		i++;
	}
	if (i < n)
		return complain(EXIT_USAGE, "%s: chat or wait?", word[i]);
	return 0;
}

static int outputs_open(struct app *a, const struct settings *s)
{
	enum log_level level = LOG_WARN;
	int rc;

	if (s->log && io_log_level_parse(view_str(s->log), &level))
		return complain(EXIT_USAGE, "--log %s: error, warn, info or debug", s->log);
	rc = io_log_open(&a->log, NULL, level);
	if (rc)
		return complain(EXIT_FAILURE, "the log: %s", error_text(rc));
	if (!s->trace)
		return 0;
	rc = trace_open(s->trace, s->user_uri, &a->trace);
	return rc ? complain(EXIT_FAILURE, "--trace %s: %s", s->trace, error_text(rc)) : 0;
}

static int client_open(struct app *a, struct settings *s)
{
	struct confab_options *o = &s->options;
	int rc;

	o->log = on_log;
	o->log_ctx = a;
	o->trace = a->trace ? on_trace : NULL;
	o->trace_ctx = a;
	rc = confab_new(a->io.uv, o, on_event, a, &a->confab);
	if (rc == E_UNSUPPORTED)
		return complain(EXIT_USAGE, "--transport %s: tcp, udp or tls", o->transport);
	if (rc)
		return complain(EXIT_FAILURE, "server %s, listen %s: %s", o->server,
				o->listen ? o->listen : "(any)", error_text(rc));
	return 0;
}

/* Everything is set up: runs until the end. */
static int run(struct app *a, struct settings *s)
{
	const struct app_face *face = s->json ? &app_json : &app_person;
	struct io_signals *signals = NULL;
	int status, rc;

	a->face = face;
	a->rejoin = s->rejoin;
	if (io_loop_init(&a->io, NULL))
		return complain(EXIT_FAILURE, "no event loop");
	io_deadline_init(&a->linger, &a->io, NULL, NULL);
	status = client_open(a, s);
	if (status == 0) {
		(void)io_signals_open(&a->io, on_signal, a, &signals);
		face->ready(a);
		rc = io_lines_open(&a->io, STDIN_FILENO, LINE_MAX_BYTES, &lines_events, a,
				   &a->lines);
		if (rc) {
			a->input_over = true;
			face->end(a);
		}
		io_run(&a->io);
		if (a->output_broken)
			status = EXIT_FAILURE;
	}
	io_deadline_fini(&a->linger);
	io_lines_close(a->lines);
	io_signals_close(signals);
	confab_free(a->confab);
	if (face->over)
		face->over(a);
	io_loop_fini(&a->io);
	return status;
}

int main(int argc, char **argv)
{
	static struct settings s;
	static struct app a = {.log = {.fd = -1}};
	int id, status = 0;

	while (status == 0 && (id = getopt_long(argc, argv, "hV", options, NULL)) != -1)
		status = take_option(&s, id);
	if (status)
		return status - 1;
	list_init(&a.chats);
	status = user_read(&s, &a);
	if (status == 0)
		status = password_read(&s);
	if (status == 0)
		status = words_read(&a, argc - optind, argv + optind);
	if (status == 0)
		status = outputs_open(&a, &s);
	if (status == 0)
		status = run(&a, &s);
	trace_close(a.trace);
	if (a.log.log.write)
		io_log_close(&a.log);
	while (a.n_call)
		free(a.call[--a.n_call]);
	free(a.call);
	free(a.domain);
	free(s.user_uri);
	explicit_bzero(s.password, sizeof(s.password));
	return status;
}
