#include "io/digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHA256_BLOCK = 64 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t ctx_key;
static EVP_MD *md5_kind, *sha256_kind;
static bool usable;

static void free_ctx(void *p)
{
	EVP_MD_CTX_free(p);
}

static void start(void)
{
	/* Fetched once: looking a kind up by name costs more than hashing a short text. */
	md5_kind = EVP_MD_fetch(NULL, "MD5", NULL);
	sha256_kind = EVP_MD_fetch(NULL, "SHA256", NULL);
	usable = md5_kind && sha256_kind && pthread_key_create(&ctx_key, free_ctx) == 0;
}

/* Each thread keeps one context. */
static EVP_MD_CTX *thread_ctx(void)
{
	EVP_MD_CTX *ctx = pthread_getspecific(ctx_key);

	if (!ctx) {
		ctx = EVP_MD_CTX_new();
		if (ctx)
			(void)pthread_setspecific(ctx_key, ctx);
	}
	return ctx;
}

static void hash(const EVP_MD *kind, const struct view *parts, size_t n, uint8_t *out)
{
	EVP_MD_CTX *ctx = thread_ctx();
	bool ok = ctx && EVP_DigestInit_ex(ctx, kind, NULL) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = parts[i].n == 0 || EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
	if (ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1)
		return;
	/* Only memory can run out here, and for the few bytes of a context: a wrong hash would open
	 * doors, so there is no going on. */
	(void)fputs("hashing failed; cannot go on\n", stderr);
	abort();
}

static void md5(const struct view *parts, size_t n, uint8_t out[DIGEST_MD5_LEN])
{
	hash(md5_kind, parts, n, out);
}

static void sha256(const struct view *parts, size_t n, uint8_t out[DIGEST_SHA256_LEN])
{
	hash(sha256_kind, parts, n, out);
}

/* RFC 2104 §2, with B = 64. */
static void hmac_sha256(struct view key, struct view data, uint8_t out[DIGEST_SHA256_LEN])
{
	char inner_pad[SHA256_BLOCK] = {0}, outer_pad[SHA256_BLOCK];
	uint8_t inner[DIGEST_SHA256_LEN];
	struct view parts[2];

	if (key.n > SHA256_BLOCK)
		sha256(&key, 1, (uint8_t *)inner_pad);
	else if (key.n)
		memcpy(inner_pad, key.p, key.n);
	for (size_t i = 0; i < SHA256_BLOCK; i++) {
		outer_pad[i] = (char)(inner_pad[i] ^ 0x5c);
		inner_pad[i] = (char)(inner_pad[i] ^ 0x36);
	}
	parts[0] = view_of(inner_pad, SHA256_BLOCK);
	parts[1] = data;
	sha256(parts, 2, inner);
	parts[0] = view_of(outer_pad, SHA256_BLOCK);
	parts[1] = view_of((const char *)inner, sizeof(inner));
	sha256(parts, 2, out);
	explicit_bzero(inner_pad, sizeof(inner_pad));
	explicit_bzero(outer_pad, sizeof(outer_pad));
}

const struct digest *io_digest(void)
{
	static const struct digest table = {md5, sha256, hmac_sha256};

	(void)pthread_once(&once, start);
	return usable ? &table : NULL;
}
