#include "io/digest.h"

#include "io/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

typedef void hash_fn(const struct view *parts, size_t n, uint8_t *out);

static void assert_hash(hash_fn *fn, size_t len, const char *text, const char *want)
{
	size_t n = strlen(text);
	uint8_t out[32];
	char hex[65];

	/* Cut in all ways into three parts, one possibly empty. */
	for (size_t i = 0; i <= n; i++) {
		for (size_t k = i; k <= n; k++) {
			struct view parts[] = {
				{text, i}, {text + i, k - i}, {text + k, n - k}, {NULL, 0}};

			fn(parts, 4, out);
			digest_hex(out, len, hex);
			assert_string_equal(hex, want);
		}
	}
}

/* RFC 1321 §A.5. */
static void test_md5(void **state)
{
	const struct digest *d = io_digest();
	uint8_t out[DIGEST_MD5_LEN];
	char hex[33];

	(void)state;
	assert_non_null(d);
	assert_hash(d->md5, 16, "", "d41d8cd98f00b204e9800998ecf8427e");
	assert_hash(d->md5, 16, "abc", "900150983cd24fb0d6963f7d28e17f72");
	assert_hash(d->md5, 16, "message digest", "f96b697d7cb7938d525a2f31aaf161d0");
	d->md5(NULL, 0, out);
	digest_hex(out, sizeof(out), hex);
	assert_string_equal(hex, "d41d8cd98f00b204e9800998ecf8427e");
}

/* FIPS 180-2, Appendix B. */
static void test_sha256(void **state)
{
	(void)state;
	assert_hash(io_digest()->sha256, 32, "abc",
		    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_hash(io_digest()->sha256, 32, "",
		    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_hash(io_digest()->sha256, 32,
		    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void assert_hmac(struct view key, struct view data, const char *want)
{
	uint8_t out[DIGEST_SHA256_LEN];
	char hex[65];

	io_digest()->hmac_sha256(key, data, out);
	digest_hex(out, sizeof(out), hex);
	assert_string_equal(hex, want);
}

/* RFC 4231 §4.2, §4.3, §4.4 and §4.7 (a key longer than a block). */
static void test_hmac_sha256(void **state)
{
	char key[131], data[50];

	(void)state;
	memset(key, 0x0b, 20);
	assert_hmac(view_of(key, 20), VIEW("Hi There"),
		    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	assert_hmac(VIEW("Jefe"), VIEW("what do ya want for nothing?"),
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, sizeof(data));
	assert_hmac(view_of(key, 20), view_of(data, sizeof(data)),
		    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	assert_hmac(view_of(key, sizeof(key)),
		    VIEW("Test Using Larger Than Block-Size Key - Hash Key First"),
		    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void run_hashes(void *ctx)
{
	uint8_t out[DIGEST_SHA256_LEN];
	struct view abc = VIEW("abc");

	for (int i = 0; i < 2000; i++)
		io_digest()->sha256(&abc, 1, out);
	digest_hex(out, 4, ctx);
}

static void test_threads(void **state)
{
	struct io_thread t[3];
	char hex[3][9];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(io_thread_start(&t[i], "hash", run_hashes, hex[i]), 0);
	for (int i = 0; i < 3; i++) {
		io_thread_join(&t[i]);
		assert_string_equal(hex[i], "ba7816bf");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_md5),
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_hmac_sha256),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
