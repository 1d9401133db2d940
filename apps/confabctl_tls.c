/* confabctl tls: a CA of one's own and certificates by it, for tests and closed networks. */
#include "confabctl.h"

#include "base/addr.h"
#include "base/buf.h"
#include "base/error.h"
#include "io/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	DAY_S = 24 * 3600,
	CLOCKS_DIFFER_S = 3600,
	CA_DAYS = 3650,
	PATH_SIZE = 4096,
	NAMES_MAX = 16,
	CLIENT_NAME_MAX = 64, /* X.520 ends there */
};

static bool path_in(const char *dir, const char *name, const char *end, char *dst)
{
	int n = snprintf(dst, PATH_SIZE, "%s/%s%s", dir, name, end);

	return n > 0 && n < PATH_SIZE;
}

static int save(const char *dir, const char *name, const struct io_certificate *c)
{
	char certificate[PATH_SIZE], key[PATH_SIZE];

	if (!path_in(dir, name, ".pem", certificate) || !path_in(dir, name, ".key", key))
		return ctl_complain(EXIT_FAILURE, "%s: too long", dir);
	if (io_certificate_save(c, certificate, key))
		return ctl_complain(EXIT_FAILURE, "%s, %s: %s", certificate, key, strerror(errno));
	(void)printf("%s\n%s\n", certificate, key);
	return EXIT_SUCCESS;
}

/* RFC 5922 §7.1: a domain stands in it as a sip URI and as a DNS name. */
static int order_names(struct buf *text, char **word, size_t n, const char **name_out,
		       size_t *n_out)
{
	size_t at[2 * NAMES_MAX], k = 0;
	struct addr a;

	for (size_t i = 0; i < n; i++) {
		bool ip = addr_parse(view_str(word[i]), 0, &a) == 0;

		at[k++] = text->n;
		buf_putf(text, "%s:%s", ip ? "IP" : "DNS", word[i]);
		buf_putc(text, '\0');
		if (ip)
			continue;
		at[k++] = text->n;
		buf_putf(text, "URI:sip:%s", word[i]);
		buf_putc(text, '\0');
	}
	for (size_t i = 0; buf_ok(text) && i < k; i++)
		name_out[i] = text->p + at[i];
	*n_out = k;
	return buf_ok(text) ? 0 : E_LIMIT;
}

static int issue(const char *dir, const char *file, char **word, int n, int days)
{
	char certificate[PATH_SIZE], key[PATH_SIZE];
	const char *name[2 * NAMES_MAX];
	struct io_certificate_order order = {.name = word[0],
					     .alternative = name,
					     /* One that is over was good once. */
					     .from_s = days > 0 ? -CLOCKS_DIFFER_S
								: ((int64_t)days - 1) * DAY_S,
					     .to_s = (int64_t)days * DAY_S};
	struct io_certificate *ca, *c;
	struct buf text;
	int rc, status;

	if (n > NAMES_MAX)
		return ctl_complain(EXIT_USAGE, "more than %d names", NAMES_MAX);
	if (!path_in(dir, "ca", ".pem", certificate) || !path_in(dir, "ca", ".key", key))
		return ctl_complain(EXIT_FAILURE, "%s: too long", dir);
	rc = io_certificate_load(certificate, key, &ca);
	if (rc)
		return ctl_complain(EXIT_FAILURE, "%s, %s: %s", certificate, key,
				    rc == E_NOTFOUND
					    ? "cannot be read (confabctl tls init makes them)"
					    : "no certificate and its key");
	buf_init(&text, 65536);
	rc = order_names(&text, word, (size_t)n, name, &order.n_alternatives);
	if (!rc)
		rc = io_certificate_new(&order, ca, &c);
	buf_fini(&text);
	io_certificate_free(ca);
	if (rc)
		return ctl_complain(EXIT_FAILURE, "%s: %s", word[0], error_text(rc));
	status = save(dir, file, c);
	io_certificate_free(c);
	return status;
}

/* Everything that a CA signed would be worth nothing without it; and whoever made the others may
 * need them. */
static bool is_new(const char *dir)
{
	static const char *const file[] = {"ca", "server", "client"};
	static const char *const end[] = {".pem", ".key"};
	char path[PATH_SIZE];
	struct stat st;

	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++)
		for (size_t k = 0; k < 2; k++) {
			if (!path_in(dir, file[i], end[k], path)) {
				(void)ctl_complain(EXIT_FAILURE, "%s: too long", dir);
				return false;
			}
			if (lstat(path, &st) == 0) {
				(void)ctl_complain(EXIT_FAILURE,
						   "%s exists already; confabctl tls issue makes "
						   "more",
						   path);
				return false;
			}
		}
	return true;
}

/* For phones, where the server wants to see a certificate. It must not name the domain itself: then
 * it would be a server's (RFC 5922). */
static int issue_client(const char *dir, const char *server, int days)
{
	char text[CLIENT_NAME_MAX + 1] = "client";
	char *name = text;
	struct addr a;
	int n = addr_parse(view_str(server), 0, &a)
			? snprintf(text, sizeof(text), "client.%s", server)
			: 0;

	if (n < 0 || (size_t)n >= sizeof(text))
		(void)snprintf(text, sizeof(text), "client");
	return issue(dir, "client", &name, 1, days);
}

static int init(const char *dir, char **word, int n, int days)
{
	struct io_certificate_order order = {.name = "Confab test CA",
					     .from_s = -CLOCKS_DIFFER_S,
					     .to_s = (int64_t)CA_DAYS * DAY_S,
					     .ca = true};
	struct io_certificate *ca;
	int rc, status;

	if (mkdir(dir, 0700) && errno != EEXIST)
		return ctl_complain(EXIT_FAILURE, "%s: %s", dir, strerror(errno));
	if (!is_new(dir))
		return EXIT_FAILURE;
	rc = io_certificate_new(&order, NULL, &ca);
	if (rc)
		return ctl_complain(EXIT_FAILURE, "%s", error_text(rc));
	status = save(dir, "ca", ca);
	io_certificate_free(ca);
	if (status == EXIT_SUCCESS)
		status = issue(dir, "server", word, n, days);
	return status == EXIT_SUCCESS ? issue_client(dir, word[0], days) : status;
}

int ctl_tls(char **words, int n_words, int days)
{
	const char *verb = n_words > 1 ? words[1] : "";

	if (strcmp(verb, "init") == 0 && n_words >= 4)
		return init(words[2], words + 3, n_words - 3, days);
	if (strcmp(verb, "issue") == 0 && n_words >= 5 && !strchr(words[3], '/'))
		return issue(words[2], words[3], words + 4, n_words - 4, days);
	return ctl_complain(EXIT_USAGE, "tls: init DIR NAME... or issue DIR FILE NAME...?");
}
