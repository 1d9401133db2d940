#include "io/certificate_private.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VERSION_3 = 2, SERIAL_BYTES = 16, NAMES_TEXT_MAX = 4096 };

static int set_serial(X509 *x)
{
	unsigned char bytes[SERIAL_BYTES];
	BIGNUM *n;
	int ok;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return E_IO;
	bytes[0] &= 0x7f; /* RFC 5280 §4.1.2.2: positive */
	bytes[0] |= 0x01;
	n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok ? 0 : E_NOMEM;
}

static int set_name(X509 *x, const char *name)
{
	X509_NAME *n = X509_get_subject_name(x);

	/* X.520 ends at 64 characters. */
	if (!name || !name[0] || strlen(name) > 64)
		return E_SYNTAX;
	return X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
					  -1, 0) == 1
		       ? 0
		       : E_SYNTAX;
}

static int add_extension(X509 *x, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
	int ok = e && X509_add_ext(x, e, -1) == 1;

	X509_EXTENSION_free(e);
	return ok ? 0 : E_SYNTAX;
}

static int add_alternatives(X509 *x, X509V3_CTX *ctx, const struct io_certificate_order *o)
{
	char text[NAMES_TEXT_MAX] = "";
	size_t n = 0;

	for (size_t i = 0; i < o->n_alternatives; i++) {
		int more = snprintf(text + n, sizeof(text) - n, "%s%s", i ? "," : "",
				    o->alternative[i]);

		/* A comma would begin another name. */
		if (more < 0 || (size_t)more >= sizeof(text) - n || strchr(o->alternative[i], ','))
			return E_SYNTAX;
		n += (size_t)more;
	}
	return n ? add_extension(x, ctx, NID_subject_alt_name, text) : 0;
}

static int fill(X509 *x, const struct io_certificate_order *o, EVP_PKEY *key,
		const struct io_certificate *issuer)
{
	X509 *signer = issuer ? issuer->x509 : x;
	X509V3_CTX ctx;
	int rc = set_serial(x);

	if (!rc)
		rc = set_name(x, o->name);
	if (!rc && (X509_set_version(x, VERSION_3) != 1 ||
		    !X509_gmtime_adj(X509_getm_notBefore(x), (long)o->from_s) ||
		    !X509_gmtime_adj(X509_getm_notAfter(x), (long)o->to_s) ||
		    X509_set_issuer_name(x, X509_get_subject_name(signer)) != 1 ||
		    X509_set_pubkey(x, key) != 1))
		rc = E_NOMEM;
	X509V3_set_ctx(&ctx, signer, x, NULL, NULL, 0);
	if (!rc)
		rc = add_extension(x, &ctx, NID_basic_constraints,
				   o->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (!rc)
		rc = add_extension(x, &ctx, NID_key_usage,
				   o->ca ? "critical,keyCertSign,cRLSign"
					 : "critical,digitalSignature");
	if (!rc)
		rc = add_extension(x, &ctx, NID_subject_key_identifier, "hash");
	if (!rc && issuer)
		rc = add_extension(x, &ctx, NID_authority_key_identifier, "keyid:always");
	/* A SIP server is client and server in turn (RFC 5922 §7.1). */
	if (!rc && !o->ca)
		rc = add_extension(x, &ctx, NID_ext_key_usage, "serverAuth,clientAuth");
	return rc ? rc : add_alternatives(x, &ctx, o);
}

int io_certificate_new(const struct io_certificate_order *order,
		       const struct io_certificate *issuer, struct io_certificate **out)
{
	struct io_certificate *c = calloc(1, sizeof(*c));
	int rc = E_NOMEM;

	if (!c)
		return E_NOMEM;
	c->key = EVP_EC_gen("P-256");
	c->x509 = X509_new();
	if (c->key && c->x509)
		rc = fill(c->x509, order, c->key, issuer);
	if (!rc && !X509_sign(c->x509, issuer ? issuer->key : c->key, EVP_sha256()))
		rc = E_IO;
	ERR_clear_error();
	if (rc)
		io_certificate_free(c);
	else
		*out = c;
	return rc;
}

void io_certificate_free(struct io_certificate *c)
{
	if (!c)
		return;
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
	free(c);
}

static FILE *create(const char *path, mode_t mode)
{
	int fd;

	/* One that was there may be readable by others. */
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

int io_certificate_save(const struct io_certificate *c, const char *certificate_path,
			const char *key_path)
{
	FILE *f = create(certificate_path, 0644);
	bool ok = f && PEM_write_X509(f, c->x509) == 1;

	if (f && fclose(f))
		ok = false;
	if (!ok)
		return E_IO;
	f = create(key_path, 0600);
	ok = f && PEM_write_PKCS8PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL) == 1;
	if (f && fclose(f))
		ok = false;
	return ok ? 0 : E_IO;
}

int io_certificate_load(const char *certificate_path, const char *key_path,
			struct io_certificate **out)
{
	struct io_certificate *c = calloc(1, sizeof(*c));
	FILE *f = fopen(certificate_path, "re"), *k = fopen(key_path, "re");
	int rc = 0;

	if (!c)
		rc = E_NOMEM;
	else if (!f || !k)
		rc = E_NOTFOUND;
	if (!rc) {
		c->x509 = PEM_read_X509(f, NULL, NULL, NULL);
		c->key = PEM_read_PrivateKey(k, NULL, NULL, NULL);
		if (!c->x509 || !c->key || X509_check_private_key(c->x509, c->key) != 1)
			rc = E_SYNTAX;
		ERR_clear_error();
	}
	if (f)
		(void)fclose(f);
	if (k)
		(void)fclose(k);
	if (rc)
		io_certificate_free(c);
	else
		*out = c;
	return rc;
}
