#include "io/tls.h"

#include "base/error.h"
#include "io/certificate_private.h"
#include "io/tls_private.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SELF_SIGNED_S = 400 * 24 * 3600, CLOCKS_DIFFER_S = 3600 };

static void say(char *why, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void say(char *why, size_t size, const char *fmt, ...)
{
	va_list ap;

	if (!why || !size)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(why, size, fmt, ap);
	va_end(ap);
}

/* What OpenSSL has to say of the last failure. */
static const char *reason(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *text = ERR_reason_error_string(e);

	return text ? text : "OpenSSL does not say why";
}

static char *keep(const char *text)
{
	return text && text[0] ? strdup(text) : NULL;
}

/* Cannot be opened at all: a clearer word than OpenSSL has. */
static bool readable(const char *path, char *why, size_t size)
{
	FILE *f = fopen(path, "re");

	if (f) {
		(void)fclose(f);
		return true;
	}
	say(why, size, "%s: %s", path, strerror(errno));
	return false;
}

static int take_files(const struct io_tls *t, SSL_CTX *ctx, char *why, size_t size)
{
	const char *key = t->key ? t->key : t->certificate;

	if (!t->certificate)
		return 0;
	if (!readable(t->certificate, why, size) || !readable(key, why, size))
		return E_NOTFOUND;
	if (SSL_CTX_use_certificate_chain_file(ctx, t->certificate) != 1) {
		say(why, size, "%s: no certificate in it (%s)", t->certificate, reason());
		return E_SYNTAX;
	}
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1) {
		say(why, size, "%s: not the private key of %s (%s)", key, t->certificate, reason());
		return E_SYNTAX;
	}
	return 0;
}

static int take_ca(const struct io_tls *t, SSL_CTX *ctx, bool accepts, char *why, size_t size)
{
	STACK_OF(X509_NAME) * names;

	if (!t->ca)
		return SSL_CTX_set_default_verify_paths(ctx) == 1 ? 0 : E_NOMEM;
	if (!readable(t->ca, why, size))
		return E_NOTFOUND;
	if (SSL_CTX_load_verify_file(ctx, t->ca) != 1) {
		say(why, size, "%s: no CA certificate in it (%s)", t->ca, reason());
		return E_SYNTAX;
	}
	if (!accepts || t->clients == IO_TLS_CLIENTS_ANY)
		return 0;
	/* So that a client with several certificates knows which one is asked for. */
	names = SSL_load_client_CA_file(t->ca);
	if (names)
		SSL_CTX_set_client_CA_list(ctx, names);
	return 0;
}

int io_tls_accept_any(int ok, X509_STORE_CTX *store)
{
	/* The error stays noted: io_tls_session_believed. */
	(void)ok;
	(void)store;
	return 1;
}

static void take_rules(const struct io_tls *t, SSL_CTX *ctx, bool accepts)
{
	int verify = SSL_VERIFY_PEER;

	if (accepts && t->clients == IO_TLS_CLIENTS_IGNORE)
		verify = SSL_VERIFY_NONE;
	else if (accepts && t->clients == IO_TLS_CLIENTS_REQUIRE)
		verify = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, verify,
			   accepts && t->clients == IO_TLS_CLIENTS_ANY ? io_tls_accept_any : NULL);
	(void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	/* An end without close_notify is one all the same: SIP and MSRP frame themselves. */
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
					       SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY |
					    SSL_MODE_NO_AUTO_CHAIN);
	/* Connections live long; a session that could be resumed would only cost memory. */
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(ctx, 0);
}

/* OpenSSL writes down what the extensions of a certificate say when it looks at them first: here,
 * and not by several threads in the middle of their handshakes. */
static void read_extensions(SSL_CTX *ctx)
{
	STACK_OF(X509_OBJECT) *known = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
	X509 *own = SSL_CTX_get0_certificate(ctx);

	if (own)
		(void)X509_check_purpose(own, -1, 0);
	for (int i = 0; i < sk_X509_OBJECT_num(known); i++) {
		X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(known, i));

		if (ca)
			(void)X509_check_purpose(ca, -1, 0);
	}
}

static int ctx_new(const struct io_tls *t, bool accepts, SSL_CTX **out, char *why, size_t size)
{
	SSL_CTX *ctx = SSL_CTX_new(accepts ? TLS_server_method() : TLS_client_method());
	int rc;

	if (!ctx)
		return E_NOMEM;
	take_rules(t, ctx, accepts);
	if (t->self) {
		rc = SSL_CTX_use_certificate(ctx, t->self->x509) == 1 &&
				     SSL_CTX_use_PrivateKey(ctx, t->self->key) == 1
			     ? 0
			     : E_NOMEM;
	} else {
		rc = take_files(t, ctx, why, size);
	}
	if (!rc)
		rc = take_ca(t, ctx, accepts, why, size);
	if (!rc)
		read_extensions(ctx);
	ERR_clear_error();
	if (rc)
		SSL_CTX_free(ctx);
	else
		*out = ctx;
	return rc;
}

static int load(struct io_tls *t, char *why, size_t size)
{
	SSL_CTX *accepting, *connecting, *old[2];
	int rc;

	say(why, size, "out of memory");
	rc = ctx_new(t, true, &accepting, why, size);
	if (rc)
		return rc;
	rc = ctx_new(t, false, &connecting, why, size);
	if (rc) {
		SSL_CTX_free(accepting);
		return rc;
	}
	uv_mutex_lock(&t->lock);
	old[0] = t->accepting;
	old[1] = t->connecting;
	t->accepting = accepting;
	t->connecting = connecting;
	uv_mutex_unlock(&t->lock);
	SSL_CTX_free(old[0]);
	SSL_CTX_free(old[1]);
	say(why, size, "%s", "");
	return 0;
}

static int make_self(struct io_tls *t, const char *name)
{
	struct io_certificate_order order = {
		.name = name, .from_s = -CLOCKS_DIFFER_S, .to_s = SELF_SIGNED_S};

	return io_certificate_new(&order, NULL, &t->self);
}

int io_tls_new(const struct io_tls_options *options, struct io_tls **out, char *why, size_t size)
{
	struct io_tls *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return E_NOMEM;
	uv_mutex_init(&t->lock);
	t->certificate = keep(options->certificate);
	t->key = keep(options->key);
	t->ca = keep(options->ca);
	t->clients = options->clients;
	rc = options->self_name ? make_self(t, options->self_name) : 0;
	if (!rc)
		rc = load(t, why, size);
	if (rc)
		io_tls_free(t);
	else
		*out = t;
	return rc;
}

void io_tls_free(struct io_tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->accepting);
	SSL_CTX_free(t->connecting);
	io_certificate_free(t->self);
	uv_mutex_destroy(&t->lock);
	free(t->certificate);
	free(t->key);
	free(t->ca);
	free(t);
}

int io_tls_reload(struct io_tls *t, char *why, size_t size)
{
	return load(t, why, size);
}

SSL_CTX *io_tls_ctx(struct io_tls *t, bool accepts)
{
	SSL_CTX *ctx;

	uv_mutex_lock(&t->lock);
	ctx = accepts ? t->accepting : t->connecting;
	(void)SSL_CTX_up_ref(ctx);
	uv_mutex_unlock(&t->lock);
	return ctx;
}

void io_tls_fingerprint(struct io_tls *t, char out[IO_TLS_FINGERPRINT_MAX])
{
	SSL_CTX *ctx = io_tls_ctx(t, true);
	X509 *x = SSL_CTX_get0_certificate(ctx);
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	size_t at = 0;

	out[0] = '\0';
	if (x && X509_digest(x, EVP_sha256(), hash, &n) == 1) {
		at = (size_t)snprintf(out, IO_TLS_FINGERPRINT_MAX, "SHA-256 ");
		for (unsigned i = 0; i < n; i++)
			at += (size_t)snprintf(out + at, IO_TLS_FINGERPRINT_MAX - at, "%s%02X",
					       i ? ":" : "", hash[i]);
	}
	SSL_CTX_free(ctx);
}

int64_t io_tls_not_after(struct io_tls *t)
{
	SSL_CTX *ctx = io_tls_ctx(t, true);
	X509 *x = SSL_CTX_get0_certificate(ctx);
	int64_t end = 0;
	struct tm tm = {0};

	if (x && ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1)
		end = (int64_t)timegm(&tm);
	SSL_CTX_free(ctx);
	return end;
}
