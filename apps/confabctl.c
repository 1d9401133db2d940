/* confabctl: the users of a store, and the documentation and check of a configuration file. */
#include "confabctl.h"

#include "base/error.h"
#include "config/server.h"
#include "io/digest.h"
#include "store/store.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

enum { CERTIFICATE_DAYS = 397 };

static const char usage[] =
	"usage: confabctl [--store FILE] user add sip:NAME@DOMAIN [--password P] [--realm R]\n"
	"       confabctl [--store FILE] user del sip:NAME@DOMAIN\n"
	"       confabctl [--store FILE] user im sip:NAME@DOMAIN require|assume|default\n"
	"       confabctl [--store FILE] user digest sip:NAME@DOMAIN SHA-256\n"
	"       confabctl [--store FILE] user mode sip:NAME@DOMAIN proxy|b2bua|default\n"
	"       confabctl [--store FILE] user list\n"
	"       confabctl config check FILE | help | man\n"
	"       confabctl [--days N] tls init DIR NAME...\n"
	"       confabctl [--days N] tls issue DIR FILE NAME...\n"
	"\n"
	"  --store FILE    the users' file; default: store.path of an empty configuration\n"
	"  --password P    others on this machine may see it while the command runs; without it "
	"the\n"
	"                  password is asked for, or read as one line where standard input is no "
	"terminal\n"
	"  --realm R       auth.realm of confabd where that is not the user's domain\n"
	"  --days N        how long a certificate is good; default 397. 0 or less: it is over\n"
	"                  already (to test what happens then)\n"
	"\n"
	"  tls init makes DIR with a CA, a server's certificate for the domains and IP addresses\n"
	"  NAME..., and one for clients: ca, server and client, each .pem and .key; tls issue\n"
	"  makes one more by that CA: FILE.pem, FILE.key.\n"
	"\n"
	"  -h, --help      this text\n"
	"  -V, --version   the version\n"
	"\n"
	"Exit status: 0 done, 1 could not be done, 2 the command line is wrong.\n";

struct command {
	const char *store_path;
	const char *password; /* NULL: ask */
	const char *realm;
	int days;
	char **words; /* what is neither option nor its value */
	int n_words;
};

int ctl_complain(int status, const char *fmt, ...)
{
	va_list ap;

	(void)fputs("confabctl: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputs(status == EXIT_USAGE ? " (--help shows how)\n" : "\n", stderr);
	return status;
}

/* Name and domain of "sip:ann@example.com"; the scheme may be left out. */
static int address_parse(const char *text, struct view *name, struct view *domain)
{
	struct view rest = view_str(text);

	if (view_starts_nocase(rest, VIEW("sip:")))
		rest = view_from(rest, 4);
	if (view_find(rest, '@', 0) == rest.n)
		return E_SYNTAX;
	*name = view_cut(&rest, '@');
	*domain = rest;
	return name->n && domain->n ? 0 : E_SYNTAX;
}

/* One line of standard input, without its end. dst: STORE_PASSWORD_MAX + 2 bytes, so that one that
 * is too long is seen to be. */
static int line_read(char *dst)
{
	size_t n = 0;
	int c;

	while ((c = getchar()) != EOF && c != '\n')
		if (n < STORE_PASSWORD_MAX + 1)
			dst[n++] = (char)c;
	if (n && dst[n - 1] == '\r')
		n--;
	dst[n] = '\0';
	return n || c == '\n' ? 0 : E_CLOSED;
}

/* The same, asked for at the terminal without showing what is typed. */
static int password_ask(const char *question, char *dst)
{
	struct termios shown, hidden;
	int rc;

	if (tcgetattr(STDIN_FILENO, &shown))
		return E_IO;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	(void)fputs(question, stderr);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden))
		return E_IO;
	rc = line_read(dst);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	(void)fputc('\n', stderr);
	return rc;
}

static int password_get(const struct command *command, char *dst)
{
	char again[STORE_PASSWORD_MAX + 2];
	int rc;

	if (command->password) {
		(void)view_copy(view_str(command->password), dst, STORE_PASSWORD_MAX + 2);
		return 0;
	}
	if (!isatty(STDIN_FILENO))
		return line_read(dst);
	rc = password_ask("Password: ", dst);
	if (rc == 0)
		rc = password_ask("Once more: ", again);
	if (rc == 0 && strcmp(dst, again) != 0) {
		(void)ctl_complain(EXIT_FAILURE, "the two are not the same");
		rc = E_SYNTAX;
	}
	explicit_bzero(again, sizeof(again));
	return rc;
}

/* What went wrong with that user, for a person. */
static int user_failed(struct store *store, int rc, const char *address)
{
	switch (rc) {
	case 0:
		return EXIT_SUCCESS;
	case E_EXISTS:
		return ctl_complain(EXIT_FAILURE, "%s exists already", address);
	case E_NOTFOUND:
		return ctl_complain(EXIT_FAILURE, "there is no user %s", address);
	case E_LIMIT:
		return ctl_complain(EXIT_FAILURE, "%s: name, domain, realm or password is too long",
				    address);
	case E_SYNTAX:
		return ctl_complain(
			EXIT_FAILURE,
			"%s: the password is empty, or a character is not allowed there", address);
	default:
		return ctl_complain(EXIT_FAILURE, "%s", store_error(store));
	}
}

static int user_add(struct store *store, const struct command *command, struct view name,
		    struct view domain)
{
	char password[STORE_PASSWORD_MAX + 2];
	int rc = password_get(command, password);

	if (rc == 0)
		rc = store_user_add(store, name, domain, view_str(command->realm),
				    view_str(password));
	else
		rc = E_SYNTAX;
	explicit_bzero(password, sizeof(password));
	return user_failed(store, rc, command->words[2]);
}

static const char *const im_words[] = {
	[STORE_IM_DEFAULT] = "default",
	[STORE_IM_REQUIRE] = "require",
	[STORE_IM_ASSUME] = "assume",
};

static int user_im(struct store *store, const struct command *command, struct view name,
		   struct view domain)
{
	for (int i = STORE_IM_DEFAULT; i <= STORE_IM_ASSUME; i++)
		if (strcmp(command->words[3], im_words[i]) == 0)
			return user_failed(store,
					   store_user_set_im(store, name, domain,
							     (enum store_im_feature_tag)i),
					   command->words[2]);
	return ctl_complain(EXIT_USAGE, "%s is none of require, assume, default",
			    command->words[3]);
}

static const char *const mode_words[] = {
	[STORE_MODE_DEFAULT] = "default",
	[STORE_MODE_PROXY] = "proxy",
	[STORE_MODE_B2BUA] = "b2bua",
};

static int user_mode(struct store *store, const struct command *command, struct view name,
		     struct view domain)
{
	for (int i = STORE_MODE_DEFAULT; i <= STORE_MODE_B2BUA; i++)
		if (strcmp(command->words[3], mode_words[i]) == 0)
			return user_failed(
				store, store_user_set_mode(store, name, domain, (enum store_mode)i),
				command->words[2]);
	return ctl_complain(EXIT_USAGE, "%s is none of proxy, b2bua, default", command->words[3]);
}

/* There is no way back but the password. */
static int user_digest(struct store *store, const struct command *command, struct view name,
		       struct view domain)
{
	if (strcmp(command->words[3], "SHA-256") != 0)
		return ctl_complain(EXIT_USAGE, "%s is not SHA-256", command->words[3]);
	return user_failed(store, store_user_drop_md5(store, name, domain), command->words[2]);
}

static int user_print(void *ctx, const struct store_user *user)
{
	(void)ctx;
	(void)printf("sip:%s@%s", user->name, user->domain);
	if (strcmp(user->realm, user->domain) != 0)
		(void)printf(" realm=\"%s\"", user->realm);
	if (user->im_feature_tag != STORE_IM_DEFAULT)
		(void)printf(" im=%s", im_words[user->im_feature_tag]);
	if (!user->ha1_md5[0])
		(void)printf(" digest=SHA-256");
	if (user->mode != STORE_MODE_DEFAULT)
		(void)printf(" mode=%s", mode_words[user->mode]);
	return putchar('\n') == EOF ? E_IO : 0;
}

static int user_list(struct store *store)
{
	int rc = store_user_list(store, user_print, NULL);

	if (rc || fflush(stdout))
		return ctl_complain(EXIT_FAILURE, "the list could not be written");
	return EXIT_SUCCESS;
}

/* The commands on one user; its address is the third word. */
static int user_one(struct store *store, const struct command *command)
{
	const char *verb = command->words[1];
	struct view name, domain;

	if (address_parse(command->words[2], &name, &domain))
		return ctl_complain(EXIT_USAGE, "%s is not of the form sip:NAME@DOMAIN",
				    command->words[2]);
	if (strcmp(verb, "add") == 0)
		return user_add(store, command, name, domain);
	if (strcmp(verb, "im") == 0)
		return user_im(store, command, name, domain);
	if (strcmp(verb, "digest") == 0)
		return user_digest(store, command, name, domain);
	if (strcmp(verb, "mode") == 0)
		return user_mode(store, command, name, domain);
	return user_failed(store, store_user_del(store, name, domain), command->words[2]);
}

static int user_command(const struct command *command)
{
	static const struct {
		const char *verb;
		int n_words;
		unsigned open_flags;
	} verbs[] = {{"add", 3, STORE_CREATE}, {"del", 3, 0},	 {"im", 4, 0},
		     {"mode", 4, 0},	       {"digest", 4, 0}, {"list", 2, 0}};
	const char *verb = command->n_words > 1 ? command->words[1] : "";
	struct store *store;
	char why[512];
	const size_t n = sizeof(verbs) / sizeof(verbs[0]);
	size_t i = 0;
	int status;

	while (i < n && strcmp(verb, verbs[i].verb) != 0)
		i++;
	if (i == n)
		return ctl_complain(EXIT_USAGE, "user: add, del, im, mode, digest or list?");
	if (command->n_words != verbs[i].n_words)
		return ctl_complain(EXIT_USAGE, "user %s: too %s words", verb,
				    command->n_words < verbs[i].n_words ? "few" : "many");
	if (!io_digest())
		return ctl_complain(EXIT_FAILURE, "the installed OpenSSL lacks MD5 or SHA-256");
	if (store_open(command->store_path, io_digest(), verbs[i].open_flags, &store, why,
		       sizeof(why)))
		return ctl_complain(EXIT_FAILURE, "%s", why);
	status = verbs[i].n_words == 2 ? user_list(store) : user_one(store, command);
	store_close(store);
	return status;
}

static int config_check(const char *path)
{
	static struct server_config config;
	static struct config_mistakes mistakes;
	int rc = config_server_load(path, NULL, 0, &config, &mistakes);

	for (size_t i = 0; i < mistakes.n; i++)
		(void)fprintf(stderr, "%s\n", mistakes.text[i]);
	if (mistakes.total > mistakes.n)
		(void)fprintf(stderr, "and %zu more\n", mistakes.total - mistakes.n);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int config_print(void (*print)(struct buf *out))
{
	struct buf out;
	int status = EXIT_SUCCESS;

	buf_init(&out, CONFIG_FILE_MAX);
	print(&out);
	if (!buf_ok(&out) || fwrite(out.p, 1, out.n, stdout) != out.n || fflush(stdout))
		status = ctl_complain(EXIT_FAILURE, "the text could not be written");
	buf_fini(&out);
	return status;
}

static int config_command(const struct command *command)
{
	const char *verb = command->n_words > 1 ? command->words[1] : "";

	if (strcmp(verb, "check") == 0 && command->n_words == 3)
		return config_check(command->words[2]);
	if (strcmp(verb, "help") == 0 && command->n_words == 2)
		return config_print(config_server_help);
	if (strcmp(verb, "man") == 0 && command->n_words == 2)
		return config_print(config_server_man);
	return ctl_complain(EXIT_USAGE, "config: check FILE, help or man?");
}

static bool days_read(const char *text, int *out)
{
	bool minus = text[0] == '-';
	uint32_t n;

	if (view_to_u32(view_str(text + minus), &n) || n > 36500)
		return false;
	*out = minus ? -(int)n : (int)n;
	return true;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"store", required_argument, NULL, 's'},
						{"password", required_argument, NULL, 'p'},
						{"realm", required_argument, NULL, 'r'},
						{"days", required_argument, NULL, 'd'},
						{"help", no_argument, NULL, 'h'},
						{"version", no_argument, NULL, 'V'},
						{NULL, 0, NULL, 0}};
	static struct server_config defaults;
	struct command command = {.realm = "", .days = CERTIFICATE_DAYS};
	int option;

	if (config_server_init(&defaults))
		return ctl_complain(EXIT_FAILURE, "the defaults do not parse");
	command.store_path = defaults.store.path;
	while ((option = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		switch (option) {
		case 's':
			command.store_path = optarg;
			break;
		case 'p':
			command.password = optarg;
			break;
		case 'r':
			command.realm = optarg;
			break;
		case 'd':
			if (!days_read(optarg, &command.days))
				return ctl_complain(EXIT_USAGE, "--days %s: a number of days",
						    optarg);
			break;
		case 'h':
			return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		case 'V':
			return puts("confabctl " CONFAB_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
	}
	command.words = argv + optind;
	command.n_words = argc - optind;
	if (command.n_words && strcmp(command.words[0], "user") == 0)
		return user_command(&command);
	if (command.n_words && strcmp(command.words[0], "config") == 0)
		return config_command(&command);
	if (command.n_words && strcmp(command.words[0], "tls") == 0)
		return ctl_tls(command.words, command.n_words, command.days);
	return ctl_complain(EXIT_USAGE, "user, config or tls?");
}
