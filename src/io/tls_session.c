#include "io/tls_session.h"

#include "base/buf.h"
#include "base/error.h"
#include "io/loop.h"
#include "io/tls_private.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
	RECORD_MAX = 16384,	  /* plaintext of one record (RFC 8446 §5.1) */
	CIPHER_MAX = 128 * 1024,  /* what the handshake or key updates may leave unsent */
	READ_AT_ONCE = 23 * 1024, /* ciphertext; with what OpenSSL may hold of a record, this and
				   * its plaintext fit into IO_STREAM_BUFFER together */
};

_Static_assert(READ_AT_ONCE + READ_AT_ONCE + RECORD_MAX + 512 <= IO_STREAM_BUFFER, "no room");

/* What one recv gave, on its way through OpenSSL, which asks for a record's head and body apart. */
struct staged {
	struct view bytes;
	int error; /* of what follows them: errno, or 0 for the peer's end */
};

struct io_tls_session {
	SSL *ssl;
	int fd;
	bool ended, broken;
	struct buf cipher; /* encrypted, not taken by the kernel; its first `sent` bytes are gone */
	size_t sent;
	struct staged *staged; /* while io_tls_session_recv runs */
	char why[128];
};

/* --- the descriptor as OpenSSL sees it: writing never blocks there --- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static ssize_t to_kernel(const struct io_tls_session *s, const char *p, size_t n)
{
	ssize_t taken;

	do
		taken = send(s->fd, p, n, MSG_NOSIGNAL);
	while (taken < 0 && errno == EINTR);
	return taken;
}

static int wire_write(BIO *b, const char *p, int n)
{
	struct io_tls_session *s = BIO_get_data(b);
	ssize_t taken = 0;

	BIO_clear_retry_flags(b);
	if (n <= 0)
		return 0;
	if (!s->cipher.n) {
		taken = to_kernel(s, p, (size_t)n);
		if (taken < 0 && errno != EAGAIN)
			return -1;
		taken = taken < 0 ? 0 : taken;
	}
	buf_put(&s->cipher, view_of(p + taken, (size_t)(n - taken)));
	if (buf_ok(&s->cipher))
		return n;
	errno = ENOBUFS;
	return -1;
}

static ssize_t from_kernel(const struct io_tls_session *s, char *p, size_t n)
{
	ssize_t got;

	do
		got = recv(s->fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	return got;
}

static ssize_t from_staged(struct staged *staged, char *p, size_t n)
{
	struct view v = view_first(staged->bytes, n);

	if (!v.n) {
		errno = staged->error;
		return errno ? -1 : 0;
	}
	memcpy(p, v.p, v.n);
	staged->bytes = view_from(staged->bytes, v.n);
	return (ssize_t)v.n;
}

static int wire_read(BIO *b, char *p, int n)
{
	struct io_tls_session *s = BIO_get_data(b);
	ssize_t got;

	BIO_clear_retry_flags(b);
	got = s->staged ? from_staged(s->staged, p, (size_t)n) : from_kernel(s, p, (size_t)n);
	if (got < 0 && errno == EAGAIN)
		BIO_set_retry_read(b);
	if (got == 0)
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	return (int)got;
}

static long wire_ctrl(BIO *b, int cmd, long n, void *p)
{
	(void)n;
	(void)p;
	if (cmd == BIO_CTRL_EOF)
		return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
	return cmd == BIO_CTRL_FLUSH;
}

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "confab");
	if (method && (BIO_meth_set_write(method, wire_write) != 1 ||
		       BIO_meth_set_read(method, wire_read) != 1 ||
		       BIO_meth_set_ctrl(method, wire_ctrl) != 1)) {
		BIO_meth_free(method);
		method = NULL;
	}
}

/* --- life --- */

static bool begin(struct io_tls_session *s, SSL_CTX *ctx, bool accepts, const char *name, bool any)
{
	BIO *wire;

	(void)pthread_once(&once, make_method);
	if (!method || (accepts && !SSL_CTX_get0_certificate(ctx)))
		return false;
	s->ssl = SSL_new(ctx);
	wire = s->ssl ? BIO_new(method) : NULL;
	if (!wire)
		return false;
	BIO_set_data(wire, s);
	BIO_set_init(wire, 1);
	SSL_set_bio(s->ssl, wire, wire);
	if (accepts) {
		SSL_set_accept_state(s->ssl);
		return true;
	}
	SSL_set_connect_state(s->ssl);
	if (any)
		SSL_set_verify(s->ssl, SSL_VERIFY_PEER, io_tls_accept_any);
	return !name || SSL_set_tlsext_host_name(s->ssl, name) == 1;
}

struct io_tls_session *io_tls_session_new(struct io_tls *t, int fd, bool accepts, const char *name,
					  bool any)
{
	struct io_tls_session *s = calloc(1, sizeof(*s));
	SSL_CTX *ctx;
	bool ok;

	if (!s)
		return NULL;
	s->fd = fd;
	buf_init(&s->cipher, CIPHER_MAX);
	ctx = io_tls_ctx(t, accepts);
	ok = begin(s, ctx, accepts, name, any);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	if (ok)
		return s;
	io_tls_session_free(s);
	return NULL;
}

void io_tls_session_free(struct io_tls_session *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	buf_fini(&s->cipher);
	free(s);
}

const char *io_tls_session_why(const struct io_tls_session *s)
{
	return s->why;
}

void io_tls_session_set_why(struct io_tls_session *s, const char *why)
{
	if (!s->why[0])
		(void)view_copy(view_str(why), s->why, sizeof(s->why));
}

/* The first failure counts: what follows is its consequence. */
static void note_failure(struct io_tls_session *s)
{
	long verified = SSL_get_verify_result(s->ssl);
	unsigned long e = ERR_peek_error();
	const char *text = e ? ERR_reason_error_string(e) : NULL;
	char both[sizeof(s->why)];

	if (verified != X509_V_OK && e && ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		(void)snprintf(both, sizeof(both), "the peer's certificate: %s",
			       X509_verify_cert_error_string(verified));
	else
		(void)snprintf(both, sizeof(both), "%s",
			       text ? text : "the peer ended the connection");
	io_tls_session_set_why(s, both);
}

int io_tls_session_handshake(struct io_tls_session *s)
{
	int rc, error;

	ERR_clear_error();
	errno = 0;
	rc = SSL_do_handshake(s->ssl);
	if (rc == 1)
		return 0;
	error = SSL_get_error(s->ssl, rc);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return E_STATE;
	note_failure(s);
	s->broken = true;
	return error == SSL_ERROR_SSL ? E_DENIED : E_CLOSED;
}

void io_tls_session_refuse(struct io_tls_session *s)
{
	/* OpenSSL has no call for an alert of one's own choice; an end is what there is. */
	io_tls_session_shut(s);
	s->broken = true;
}

/* --- bytes --- */

bool io_tls_session_pending(const struct io_tls_session *s)
{
	return s->cipher.n > 0;
}

int io_tls_session_flush(struct io_tls_session *s)
{
	while (s->sent < s->cipher.n) {
		ssize_t n = to_kernel(s, s->cipher.p + s->sent, s->cipher.n - s->sent);

		if (n < 0)
			return -1;
		s->sent += (size_t)n;
	}
	buf_fini(&s->cipher);
	s->sent = 0;
	return 0;
}

/* -1 and errno, or 0 at the peer's end. A wire that takes nothing any more may still have what the
 * peer sent before. */
static ssize_t failed(struct io_tls_session *s, int rc, int system_error, bool reading)
{
	int error = SSL_get_error(s->ssl, rc);

	switch (error) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		s->ended = true;
		return 0;
	case SSL_ERROR_SYSCALL:
		s->ended = s->broken = reading;
		if (!system_error)
			return 0;
		errno = system_error;
		return -1;
	default:
		s->ended = s->broken = true;
		note_failure(s);
		errno = EPROTO;
		return -1;
	}
}

/* All that is staged goes through, so that no record stays behind where no poll would see it. */
static ssize_t decrypt(struct io_tls_session *s, char *dst, size_t size)
{
	size_t n = 0;

	while (n < size) {
		int got;

		ERR_clear_error();
		errno = 0;
		got = SSL_read(s->ssl, dst + n, (int)(size - n));
		if (got <= 0) {
			ssize_t rc = failed(s, got, errno, true);

			return n ? (ssize_t)n : rc;
		}
		n += (size_t)got;
	}
	return (ssize_t)n;
}

ssize_t io_tls_session_recv(struct io_tls_session *s, char *dst)
{
	char *end = dst + IO_STREAM_BUFFER - READ_AT_ONCE;
	struct staged staged = {.error = EAGAIN};
	ssize_t n;

	if (s->broken) {
		errno = EPROTO;
		return -1;
	}
	n = from_kernel(s, end, READ_AT_ONCE);
	if (n > 0)
		staged.bytes = view_of(end, (size_t)n);
	else
		staged.error = n < 0 ? errno : 0;
	s->staged = &staged;
	n = decrypt(s, dst, IO_STREAM_BUFFER - READ_AT_ONCE);
	s->staged = NULL;
	return n;
}

bool io_tls_session_ended(const struct io_tls_session *s)
{
	return s->ended;
}

/* Gathers the next record's worth; moves on in iov. */
static size_t gather(char *dst, const struct iovec *iov, size_t n, size_t *i, size_t *at)
{
	size_t filled = 0;

	while (*i < n && filled < RECORD_MAX) {
		size_t more = iov[*i].iov_len - *at;

		if (more > RECORD_MAX - filled)
			more = RECORD_MAX - filled;
		if (more)
			memcpy(dst + filled, (const char *)iov[*i].iov_base + *at, more);
		filled += more;
		*at += more;
		if (*at == iov[*i].iov_len) {
			(*i)++;
			*at = 0;
		}
	}
	return filled;
}

ssize_t io_tls_session_send(struct io_tls_session *s, const struct iovec *iov, size_t n)
{
	char record[RECORD_MAX];
	size_t total = 0, i = 0, at = 0, more;

	if (s->broken) {
		errno = EPIPE;
		return -1;
	}
	if (io_tls_session_flush(s))
		return -1;
	while (!io_tls_session_pending(s) && (more = gather(record, iov, n, &i, &at)) > 0) {
		int rc;

		ERR_clear_error();
		errno = 0;
		rc = SSL_write(s->ssl, record, (int)more);
		if (rc != (int)more) {
			int system_error = errno;
			ssize_t what = failed(s, rc, system_error, false);

			/* A record in part cannot be: the wire takes all or fails. */
			if (total)
				return (ssize_t)total;
			if (what == 0)
				errno = EPIPE;
			return -1;
		}
		total += more;
	}
	return (ssize_t)total;
}

void io_tls_session_shut(struct io_tls_session *s)
{
	ERR_clear_error();
	if (!s->broken)
		(void)SSL_shutdown(s->ssl);
	ERR_clear_error();
}

/* --- the peer --- */

static void take_general_name(struct io_tls_names *out, const GENERAL_NAME *g)
{
	struct cert_name *name = &out->name[out->n];
	const ASN1_STRING *text = NULL;
	const unsigned char *p;
	int n;

	if (g->type == GEN_DNS || g->type == GEN_URI)
		text = g->d.ia5;
	else if (g->type == GEN_IPADD)
		text = g->d.iPAddress;
	else
		return;
	p = ASN1_STRING_get0_data(text);
	n = ASN1_STRING_length(text);
	*name = (struct cert_name){.text = view_of((const char *)p, (size_t)n)};
	if (g->type == GEN_IPADD) {
		if (n != 4 && n != 16)
			return;
		name->kind = CERT_NAME_IP;
		name->addr.family = n == 4 ? 4 : 6;
		memcpy(name->addr.ip, p, (size_t)n);
	} else {
		/* "example.com\0.evil.example" is nobody's name. */
		if (memchr(p, 0, (size_t)n))
			return;
		name->kind = g->type == GEN_DNS ? CERT_NAME_DNS : CERT_NAME_URI;
	}
	out->n++;
}

void io_tls_session_names(struct io_tls_session *s, struct io_tls_names *out)
{
	X509 *x = SSL_get1_peer_certificate(s->ssl);
	GENERAL_NAMES *names;
	int n;

	*out = (struct io_tls_names){0};
	if (!x)
		return;
	names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	out->held = names;
	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++)
		if (out->n < CERT_NAMES_MAX - 1)
			take_general_name(out, sk_GENERAL_NAME_value(names, i));
	n = X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, out->cn,
				      (int)sizeof(out->cn));
	if (n > 0 && (size_t)n < sizeof(out->cn) && strlen(out->cn) == (size_t)n)
		out->name[out->n++] =
			(struct cert_name){.kind = CERT_NAME_CN, .text = view_str(out->cn)};
	X509_free(x);
	ERR_clear_error();
}

void io_tls_names_free(struct io_tls_names *names)
{
	GENERAL_NAMES_free(names->held);
	names->held = NULL;
	names->n = 0;
}

static bool peer_hash(const struct io_tls_session *s, const EVP_MD *md, unsigned char *hash,
		      unsigned *n)
{
	X509 *x = SSL_get1_peer_certificate(s->ssl);
	bool ok = x && X509_digest(x, md, hash, n) == 1;

	X509_free(x);
	return ok;
}

bool io_tls_session_sha256(const struct io_tls_session *s, uint8_t out[IO_TLS_SHA256])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n;

	if (!peer_hash(s, EVP_sha256(), hash, &n))
		return false;
	memcpy(out, hash, IO_TLS_SHA256);
	return true;
}

bool io_tls_session_believed(const struct io_tls_session *s)
{
	X509 *x = SSL_get1_peer_certificate(s->ssl);
	bool ok = x && SSL_get_verify_result(s->ssl) == X509_V_OK;

	X509_free(x);
	return ok;
}

/* RFC 8122 §5; MD5 and MD2 are not believed. */
static const EVP_MD *hash_named(struct view name)
{
	if (view_eq_nocase(name, VIEW("SHA-256")))
		return EVP_sha256();
	if (view_eq_nocase(name, VIEW("SHA-1")))
		return EVP_sha1();
	if (view_eq_nocase(name, VIEW("SHA-224")))
		return EVP_sha224();
	if (view_eq_nocase(name, VIEW("SHA-384")))
		return EVP_sha384();
	if (view_eq_nocase(name, VIEW("SHA-512")))
		return EVP_sha512();
	return NULL;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool io_tls_session_matches(const struct io_tls_session *s, struct view fingerprint)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	struct view rest = view_trim(fingerprint);
	const EVP_MD *md = hash_named(view_cut(&rest, ' '));
	unsigned n;

	rest = view_trim(rest);
	if (!md || !peer_hash(s, md, hash, &n) || rest.n != (size_t)n * 3 - 1)
		return false;
	for (unsigned i = 0; i < n; i++) {
		const char *p = rest.p + (size_t)i * 3;

		if (hex(p[0]) < 0 || hex(p[1]) < 0 || hash[i] != (hex(p[0]) << 4 | hex(p[1])) ||
		    (i + 1 < n && p[2] != ':'))
			return false;
	}
	return true;
}
