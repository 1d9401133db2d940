/* Digest authentication with the examples that were published, and both sides against each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "io/digest.h"
#include "sip/digest_private.h"

enum { LIFETIME_MS = 60000, NOW = 1000000 };

static uint64_t random_state;

static void fill(void *ctx, void *dst, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		random_state = random_state * 6364136223846793005u + 1442695040888963407u;
		((unsigned char *)dst)[i] = (unsigned char)(random_state >> 56);
	}
}

static const struct entropy entropy = {fill, NULL};

#define REALM  VIEW("example.com")
#define METHOD VIEW("REGISTER")
#define URI    VIEW("sip:example.com")

static struct view V(const char *text) {
	return view_str(text);
}

/* Credentials as their own header value. */
static struct sip_auth
parsed(const char *value)
{
	struct sip_auth a;

	assert_int_equal(sip_auth_parse(V(value), &a), 0);
	return a;
}

/* Published examples have nonces that are not ours: what they say is compared to what we compute.
 */
static bool computes(const char *realm, const char *credentials, const char *method,
		     const char *user, const char *password)
{
	enum sip_digest_algorithm alg;
	struct sip_auth a = parsed(credentials);
	char ha1[SIP_HA1_SIZE], response[SIP_HA1_SIZE];

	assert_int_equal(sip_digest_algorithm_of(a.algorithm, &alg), 0);
	sip_digest_ha1(io_digest(), alg, V(user), V(realm), V(password), ha1);
	sip_digest_response(io_digest(), alg, ha1, &a, V(method), response);
	return view_eq(a.response, V(response));
}

static void test_RFC_2617_3_5_example(void **state)
{
	static const char credentials[] =
		"Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
		"nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, "
		"nc=00000001, cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\", "
		"opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
	char ha1[SIP_HA1_SIZE];

	(void)state;
	/* HA1 and HA2 of this example are not in the RFC; the response stands for them. */
	sip_digest_ha1(io_digest(), SIP_DIGEST_MD5, VIEW("Mufasa"), VIEW("testrealm@host.com"),
		       VIEW("Circle Of Life"), ha1);
	assert_string_equal(ha1, "939e7578ed9e3c518a452acee763bce9");
#define CHECK(method, password)                                                                    \
	computes("testrealm@host.com", credentials, method, "Mufasa", password)
	assert_true(CHECK("GET", "Circle Of Life"));
	assert_false(CHECK("GET", "Circle Of life"));
	assert_false(CHECK("PUT", "Circle Of Life"));
#undef CHECK
}

#define RFC_7616_EXAMPLE                                                                           \
	"Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", "   \
	"nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, "                    \
	"cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, "                      \
	"opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", "

static void test_RFC_7616_3_9_1_examples(void **state)
{
	(void)state;
#define CHECK(rest, password)                                                                      \
	computes("http-auth@example.org", RFC_7616_EXAMPLE rest, "GET", "Mufasa", password)
	assert_true(CHECK("algorithm=MD5, response=\"8ca523f5e9506fed4657c9700eebdbec\"",
			  "Circle of Life"));
	assert_true(CHECK("algorithm=SHA-256, response=\"753927fa0e85d155564e2e272a28d1802ca10daf44"
			  "96794697cf8db5856cb6c1\"",
			  "Circle of Life"));
	assert_false(
		CHECK("algorithm=SHA-256, response=\"753927fa0e85d155564e2e272a28d1802ca10daf44"
		      "96794697cf8db5856cb6c1\"",
		      "Circle of Lies"));
	/* One response under the name of the other algorithm. */
	assert_false(CHECK("algorithm=SHA-256, response=\"8ca523f5e9506fed4657c9700eebdbec\"",
			   "Circle of Life"));
#undef CHECK
}

/* RFC 7616 §3.9.2's algorithm is not ours. RFC 8760 has no numbers of its own: §2.6 has the empty
 * hash. */
static void test_RFC_8760_2_6_hashes_of_nothing(void **state)
{
	uint8_t raw[32];
	char hex[65];

	(void)state;
	io_digest()->sha256(NULL, 0, raw);
	digest_hex(raw, 32, hex);
	assert_string_equal(hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	io_digest()->md5(NULL, 0, raw);
	digest_hex(raw, 16, hex);
	assert_string_equal(hex, "d41d8cd98f00b204e9800998ecf8427e");
}

/* RFC 2069 §2.4 as corrected by its erratum 749. */
static void test_RFC_2069_2_4_example(void **state)
{
	static const char credentials[] =
		"Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
		"nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", "
		"response=\"1949323746fe6a43ef61f9606e7febea\", "
		"opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";

	(void)state;
	assert_true(computes("testrealm@host.com", credentials, "GET", "Mufasa", "CircleOfLife"));
}

/* A whole server with one user, and a client that answers it. */
struct pair {
	struct sip_challenger c;
	char md5[SIP_HA1_SIZE], sha256[SIP_HA1_SIZE];
	struct buf line;
};

static void pair_init(struct pair *p)
{
	sip_challenger_init(&p->c, io_digest(), &entropy, REALM, LIFETIME_MS);
	sip_digest_ha1(io_digest(), SIP_DIGEST_MD5, VIEW("alice"), REALM, VIEW("secret"), p->md5);
	sip_digest_ha1(io_digest(), SIP_DIGEST_SHA256, VIEW("alice"), REALM, VIEW("secret"),
		       p->sha256);
	buf_init(&p->line, 1 << 16);
}

static void pair_fini(struct pair *p)
{
	sip_challenger_fini(&p->c);
	buf_fini(&p->line);
}

/* A message that holds header lines; NUL-terminated text to be freed. */
static char *message_text(const char *start, struct view lines)
{
	char *text = NULL;

	assert_true(asprintf(&text, "%s\r\n%.*s\r\n", start, VIEW_ARG(lines)) > 0);
	return text;
}

/* 401 as it was sent at a time. */
static char *challenge_text(struct pair *p, bool proxy, bool stale, uint64_t now_ms)
{
	buf_reset(&p->line);
	sip_challenge_write(&p->line, &p->c, proxy, stale, now_ms);
	assert_true(buf_ok(&p->line));
	return message_text("SIP/2.0 401 Unauthorized", buf_view(&p->line));
}

/* Answers a challenge and parses the answer out of a request: views live in p->line. */
static struct sip_auth answer(struct pair *p, const char *challenge, const char *password,
			      uint32_t nc)
{
	struct sip_msg m;
	struct sip_auth a, out;
	bool proxy;
	char *text;

	assert_int_equal(sip_msg_parse(V(challenge), &m), 0);
	assert_int_equal(sip_challenge_pick(&m, &a, &proxy), 0);
	buf_reset(&p->line);
	assert_int_equal(sip_credentials_write(&p->line, io_digest(), &entropy, proxy, &a,
					       VIEW("alice"), V(password), METHOD, URI, nc),
			 0);
	text = message_text("REGISTER sip:example.com SIP/2.0", buf_view(&p->line));
	buf_reset(&p->line);
	buf_puts(&p->line, text);
	free(text);
	assert_int_equal(sip_msg_parse(buf_view(&p->line), &m), 0);
	assert_int_equal(sip_credentials_find(&m, proxy, REALM, &out), 0);
	return out;
}

static enum sip_auth_result verify(struct pair *p, const struct sip_auth *a, uint64_t now_ms)
{
	return sip_challenge_verify(&p->c, a, METHOD, URI, p->md5, p->sha256, now_ms);
}

static void test_round_trip(void **state)
{
	(void)state;
	for (int alg = 0; alg < 2; alg++) {
		for (int proxy = 0; proxy < 2; proxy++) {
			struct pair p;
			struct sip_auth a;
			char *text;

			pair_init(&p);
			p.c.offer_sha256 = alg == SIP_DIGEST_SHA256;
			p.c.offer_md5 = alg == SIP_DIGEST_MD5;
			text = challenge_text(&p, proxy, false, NOW);
			a = answer(&p, text, "secret", 1);
			assert_int_equal(a.response.n, alg == SIP_DIGEST_SHA256 ? 64 : 32);
			assert_true(view_eq(a.username, VIEW("alice")));
			assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_OK);
			a = answer(&p, text, "wrong", 2);
			assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_WRONG);
			a = answer(&p, text, "secret", 2);
			assert_int_equal(
				sip_challenge_verify(&p.c, &a, METHOD, URI, NULL, NULL, NOW),
				SIP_AUTH_WRONG);
			assert_int_equal(sip_challenge_verify(&p.c, &a, VIEW("INVITE"), URI, p.md5,
							      p.sha256, NOW),
					 SIP_AUTH_WRONG);
			assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_OK);
			free(text);
			pair_fini(&p);
		}
	}
}

static void test_a_challenge_is_a_line_per_algorithm_the_strong_one_first(void **state)
{
	struct pair p;
	struct sip_msg m;
	struct sip_auth a, b;
	char *text;
	int i;

	(void)state;
	pair_init(&p);
	text = challenge_text(&p, false, true, NOW);
	assert_int_equal(sip_msg_parse(V(text), &m), 0);
	i = sip_msg_field(&m, SIP_H_WWW_AUTHENTICATE, -1);
	assert_int_equal(sip_auth_parse(sip_field_value(&m, i), &a), 0);
	i = sip_msg_field(&m, SIP_H_WWW_AUTHENTICATE, i);
	assert_int_equal(sip_auth_parse(sip_field_value(&m, i), &b), 0);
	assert_int_equal(sip_msg_field(&m, SIP_H_WWW_AUTHENTICATE, i), -1);
	assert_true(view_eq(a.algorithm, VIEW("SHA-256")));
	assert_true(view_eq(b.algorithm, VIEW("MD5")));
	assert_true(view_eq(a.realm, REALM));
	assert_true(view_eq(a.qop, VIEW("auth")));
	assert_true(view_eq(a.nonce, b.nonce));
	assert_true(a.stale && b.stale);
	assert_int_equal(a.nonce.n, 32);
	free(text);
	/* Two challenges of one millisecond are told apart. */
	text = challenge_text(&p, false, false, NOW);
	a = answer(&p, text, "secret", 1);
	assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_OK);
	free(text);
	text = challenge_text(&p, false, false, NOW);
	a = answer(&p, text, "secret", 1);
	assert_false(a.stale);
	assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_OK);
	free(text);
	pair_fini(&p);
}

static void test_a_nonce_ages_and_belongs_to_its_challenger(void **state)
{
	struct pair p, other;
	struct sip_auth a;
	char *text, *nonce;

	(void)state;
	pair_init(&p);
	pair_init(&other);
	p.c.track_nc = false;
	text = challenge_text(&p, false, false, NOW);
	a = answer(&p, text, "secret", 1);
	assert_int_equal(verify(&p, &a, NOW + LIFETIME_MS), SIP_AUTH_OK);
	assert_int_equal(verify(&p, &a, NOW + LIFETIME_MS + 1), SIP_AUTH_STALE);
	/* Made in the future: a clock that began anew. */
	assert_int_equal(verify(&p, &a, NOW - 1), SIP_AUTH_STALE);
	/* As after a restart: another secret. Nothing is said of a password then. */
	assert_int_equal(verify(&other, &a, NOW), SIP_AUTH_STALE);
	a = answer(&p, text, "wrong", 1);
	assert_int_equal(verify(&other, &a, NOW), SIP_AUTH_STALE);
	free(text);
	/* Every character of a nonce counts, whoever knows the password. */
	text = challenge_text(&p, false, false, NOW);
	for (int i = 0; i < 32; i++) {
		char *copy = strdup(text), *at;

		while ((at = strstr(copy, "nonce=\"")) != NULL) {
			at[0] = 'N'; /* names are case folded */
			at[7 + i] = at[7 + i] == 'A' ? 'B' : 'A';
		}
		a = answer(&p, copy, "secret", 1);
		assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_STALE);
		free(copy);
	}
	nonce = strstr(text, "nonce=\"");
	nonce[7] = '*';
	nonce = strstr(nonce + 1, "nonce=\"");
	nonce[7] = '*';
	a = answer(&p, text, "secret", 1);
	assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_STALE);
	free(text);
	/* The realm is signed with it. */
	other.c = p.c;
	memcpy(other.c.secret, p.c.secret, sizeof(p.c.secret));
	other.c.realm = VIEW("example.net");
	text = challenge_text(&other, false, false, NOW);
	while ((nonce = strstr(text, "example.net")) != NULL)
		memcpy(nonce, "example.com", 11);
	a = answer(&p, text, "secret", 1);
	assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_STALE);
	free(text);
	buf_fini(&other.line);
	pair_fini(&p);
}

static void check_count(struct pair *p, const char *text, uint32_t nc,
			enum sip_auth_result expected)
{
	struct sip_auth a = answer(p, text, "secret", nc);

	assert_int_equal(verify(p, &a, NOW), expected);
}

static void test_a_nonce_count_serves_once(void **state)
{
	struct pair p;
	char *text;

	(void)state;
	pair_init(&p);
	text = challenge_text(&p, false, false, NOW);
	check_count(&p, text, 1, SIP_AUTH_OK);
	check_count(&p, text, 1, SIP_AUTH_STALE);
	/* Out of order within the window of 64. */
	check_count(&p, text, 10, SIP_AUTH_OK);
	check_count(&p, text, 5, SIP_AUTH_OK);
	check_count(&p, text, 5, SIP_AUTH_STALE);
	check_count(&p, text, 9, SIP_AUTH_OK);
	check_count(&p, text, 1, SIP_AUTH_STALE);
	check_count(&p, text, 73, SIP_AUTH_OK);
	check_count(&p, text, 10, SIP_AUTH_STALE);
	check_count(&p, text, 11, SIP_AUTH_OK);
	check_count(&p, text, 9, SIP_AUTH_STALE);
	check_count(&p, text, 4000000000u, SIP_AUTH_OK);
	check_count(&p, text, 73, SIP_AUTH_STALE);
	check_count(&p, text, 4000000000u, SIP_AUTH_STALE);
	check_count(&p, text, 3999999937u, SIP_AUTH_OK);
	check_count(&p, text, 3999999936u, SIP_AUTH_STALE);
	check_count(&p, text, UINT32_MAX, SIP_AUTH_OK);
	/* What has a wrong password leaves no trace. */
	assert_int_equal(p.c.uses.n, 1);
	free(text);
	text = challenge_text(&p, false, false, NOW);
	{
		struct sip_auth a = answer(&p, text, "wrong", 1);

		assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_WRONG);
	}
	assert_int_equal(p.c.uses.n, 1);
	check_count(&p, text, 1, SIP_AUTH_OK);
	p.c.track_nc = false;
	check_count(&p, text, 1, SIP_AUTH_OK);
	free(text);
	pair_fini(&p);
}

static void test_the_table_of_nonces_is_capped_and_forgets_safely(void **state)
{
	enum { N = 6 };
	struct pair p;
	struct sip_auth a;
	char *text[N];

	(void)state;
	pair_init(&p);
	p.c.max_nonces = 4;
	for (int i = 0; i < N; i++) {
		text[i] = challenge_text(&p, false, false, NOW + (uint64_t)i);
		a = answer(&p, text[i], "secret", 1);
		assert_int_equal(verify(&p, &a, NOW + 10), SIP_AUTH_OK);
	}
	assert_int_equal(p.c.uses.n, 4);
	/* The oldest two were crowded out; they cannot be used again. */
	for (int i = 0; i < N; i++) {
		a = answer(&p, text[i], "secret", 1);
		assert_int_equal(verify(&p, &a, NOW + 10), SIP_AUTH_STALE);
		a = answer(&p, text[i], "secret", 2);
		assert_int_equal(verify(&p, &a, NOW + 10), i < 2 ? SIP_AUTH_STALE : SIP_AUTH_OK);
	}
	for (int i = 0; i < N; i++)
		free(text[i]);
	/* Those past their lifetime make room by themselves. */
	text[0] = challenge_text(&p, false, false, NOW + 2 * LIFETIME_MS);
	a = answer(&p, text[0], "secret", 1);
	assert_int_equal(verify(&p, &a, NOW + 2 * LIFETIME_MS), SIP_AUTH_OK);
	assert_int_equal(p.c.uses.n, 1);
	free(text[0]);
	pair_fini(&p);
}

static enum sip_auth_result verify_uri(struct pair *p, const char *credential_uri,
				       const char *request_uri)
{
	struct sip_msg m;
	struct sip_auth ch, a;
	enum sip_auth_result r;
	bool proxy;
	char *text = challenge_text(p, false, false, NOW), *value;

	assert_int_equal(sip_msg_parse(V(text), &m), 0);
	assert_int_equal(sip_challenge_pick(&m, &ch, &proxy), 0);
	buf_reset(&p->line);
	assert_int_equal(sip_credentials_write(&p->line, io_digest(), &entropy, false, &ch,
					       VIEW("alice"), VIEW("secret"), METHOD,
					       V(credential_uri), 1),
			 0);
	value = view_dup(view_from(buf_view(&p->line), sizeof("Authorization:") - 1));
	a = parsed(value);
	r = sip_challenge_verify(&p->c, &a, METHOD, V(request_uri), p->md5, p->sha256, NOW);
	free(value);
	free(text);
	return r;
}

static void test_uri_of_the_credentials_must_mean_the_request(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
#define SAME(a, b)  assert_int_equal(verify_uri(&p, a, b), SIP_AUTH_OK)
#define OTHER(a, b) assert_int_equal(verify_uri(&p, a, b), SIP_AUTH_BAD)
	SAME("sip:bob@example.com", "sip:bob@example.com");
	SAME("sip:bob@EXAMPLE.com", "sip:bob@example.com");
	SAME("sip:b%6fb@example.com", "sip:bob@example.com");
	SAME("sip:bob@example.com", "sip:bob@example.com;user=phone");
	SAME("sip:bob@example.com:5060;transport=tcp", "sip:bob@example.com");
	SAME("sip:example.com", "sip:bob@example.com");
	SAME("sip:example.com:5060", "sip:example.com");
	SAME("tel:+15551234", "TEL:+15551234");
	SAME("urn:service:sos", "urn:service:sos");
	OTHER("sip:carol@example.com", "sip:bob@example.com");
	OTHER("sip:bob@example.net", "sip:bob@example.com");
	OTHER("sip:bob@example.com", "sip:example.com");
	OTHER("tel:+15551234", "tel:+15551235");
	OTHER("tel:+15551234", "sip:+15551234@example.com");
	OTHER("urn:service:sos", "urn:service:fire");
	p.c.check_uri = false;
	SAME("sip:carol@example.com", "sip:bob@example.com");
#undef SAME
#undef OTHER
	pair_fini(&p);
}

static void test_form_of_credentials(void **state)
{
	static const struct {
		const char *value;
		enum sip_auth_result result;
	} rows[] = {
		{"Basic dXNlcjpwYXNz", SIP_AUTH_OTHER_REALM},
		{"Digest username=\"alice\", nonce=\"x\", uri=\"u\", response=\"r\"",
		 SIP_AUTH_MALFORMED},
		{"Digest realm=\"example.net\"", SIP_AUTH_OTHER_REALM},
		{"Digest realm=\"example.com\"", SIP_AUTH_MALFORMED},
		{"Digest realm=\"example.com\", nonce=\"x\", uri=\"u\", response=\"r\"",
		 SIP_AUTH_MALFORMED},
		{"Digest realm=\"example.com\", username=\"a\", uri=\"u\", response=\"r\"",
		 SIP_AUTH_MALFORMED},
		{"Digest realm=\"example.com\", username=\"a\", nonce=\"x\", response=\"r\"",
		 SIP_AUTH_MALFORMED},
		{"Digest realm=\"example.com\", username=\"a\", nonce=\"x\", uri=\"u\"",
		 SIP_AUTH_MALFORMED},
		/* RFC 8760 §2.7: a client that was not challenged yet. */
		{"Digest realm=\"example.com\", username=\"a\", nonce=\"\", uri=\"u\", "
		 "response=\"\"",
		 SIP_AUTH_BAD},
		{"Digest realm=\"example.com\", username=\"a\", nonce=\"x\", uri=\"u\", "
		 "response=\"r\"",
		 SIP_AUTH_BAD}, /* no qop, and not allowed */
		{"Digest realm=\"example.com\", username=\"a\", nonce=\"x\", uri=\"u\", "
		 "response=\"r\", "
		 "qop=auth",
		 SIP_AUTH_MALFORMED},
		{"Digest realm=\"example.com\", username=\"a\", nonce=\"x\", uri=\"u\", "
		 "response=\"r\", "
		 "qop=auth, nc=00000001",
		 SIP_AUTH_MALFORMED},
		{"Digest realm=\"example.com\", username=\"a\", nonce=\"x\", uri=\"u\", "
		 "response=\"r\", "
		 "qop=auth, nc=1, cnonce=\"c\"",
		 SIP_AUTH_MALFORMED},
		{"Digest realm=\"example.com\", username=\"a\", nonce=\"x\", uri=\"u\", "
		 "response=\"r\", "
		 "qop=auth, nc=00000000, cnonce=\"c\"",
		 SIP_AUTH_MALFORMED},
		{"Digest realm=\"example.com\", username=\"a\", nonce=\"x\", uri=\"u\", "
		 "response=\"r\", "
		 "qop=auth, nc=0000000g, cnonce=\"c\"",
		 SIP_AUTH_MALFORMED},
		{"Digest realm=\"example.com\", username=\"a\", nonce=\"x\", uri=\"u\", "
		 "response=\"r\", "
		 "qop=auth, nc=0000000F, cnonce=\"c\"",
		 SIP_AUTH_STALE},
		{"Digest realm=\"example.com\", username=\"a\", nonce=\"x\", uri=\"u\", "
		 "response=\"r\", "
		 "qop=auth-int, nc=00000001, cnonce=\"c\"",
		 SIP_AUTH_BAD},
		{"Digest realm=\"example.com\", username=\"a\", nonce=\"x\", uri=\"u\", "
		 "response=\"r\", "
		 "algorithm=MD5-sess, qop=auth, nc=00000001, cnonce=\"c\"",
		 SIP_AUTH_BAD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pair p;
		struct sip_auth a = parsed(rows[i].value);

		pair_init(&p);
		assert_int_equal(verify(&p, &a, NOW), rows[i].result);
		pair_fini(&p);
	}
}

static void test_a_nonce_is_good_for_the_peer_that_it_was_made_for(void **state)
{
	struct pair p;
	struct sip_auth a;
	char *text;

	(void)state;
	pair_init(&p);
	p.c.peer = VIEW("\xc0\x00\x02\x01");
	text = challenge_text(&p, false, false, NOW);
	a = answer(&p, text, "secret", 1);
	p.c.peer = VIEW("\xc0\x00\x02\x02");
	assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_STALE);
	p.c.peer = VIEW("");
	assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_STALE);
	p.c.peer = VIEW("\xc0\x00\x02\x01");
	assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_OK);
	/* Nobody learns of a password by a nonce that was not made for him. */
	a = answer(&p, text, "wrong", 2);
	p.c.peer = VIEW("\xc0\x00\x02\x02");
	assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_STALE);
	free(text);
	pair_fini(&p);
}

static void test_an_algorithm_that_is_not_offered_is_not_taken(void **state)
{
	struct pair p;
	struct sip_auth a;
	char *text;

	(void)state;
	pair_init(&p);
	p.c.offer_sha256 = false;
	text = challenge_text(&p, false, false, NOW);
	a = answer(&p, text, "secret", 1);
	p.c.offer_sha256 = true;
	p.c.offer_md5 = false;
	assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_BAD);
	p.c.offer_md5 = true;
	/* A user whose MD5 hash is not kept. */
	assert_int_equal(sip_challenge_verify(&p.c, &a, METHOD, URI, NULL, p.sha256, NOW),
			 SIP_AUTH_WRONG);
	assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_OK);
	free(text);
	pair_fini(&p);
}

static void test_without_qop_only_where_allowed(void **state)
{
	struct pair p;
	struct sip_auth ch = {.scheme = VIEW("Digest"), .realm = REALM}, a;
	char *text, *value;

	(void)state;
	pair_init(&p);
	text = challenge_text(&p, false, false, NOW);
	ch.nonce = view_of(strstr(text, "nonce=\"") + 7, 32);
	buf_reset(&p.line);
	assert_int_equal(sip_credentials_write(&p.line, io_digest(), &entropy, false, &ch,
					       VIEW("alice"), VIEW("secret"), METHOD, URI, 1),
			 0);
	value = view_dup(view_from(buf_view(&p.line), sizeof("Authorization:") - 1));
	assert_null(strstr(value, "cnonce"));
	assert_null(strstr(value, "algorithm"));
	a = parsed(value);
	assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_BAD);
	p.c.allow_rfc2069 = true;
	assert_int_equal(verify(&p, &a, NOW), SIP_AUTH_OK);
	assert_int_equal(verify(&p, &a, NOW + LIFETIME_MS + 1), SIP_AUTH_STALE);
	free(value);
	free(text);
	pair_fini(&p);
}

static void check_pick(const char *lines, int rc, const char *nonce, bool proxy)
{
	char *text = message_text("SIP/2.0 401 Unauthorized", V(lines));
	struct sip_auth a;
	struct sip_msg m;
	bool is_proxy;

	assert_int_equal(sip_msg_parse(V(text), &m), 0);
	assert_int_equal(sip_challenge_pick(&m, &a, &is_proxy), rc);
	if (rc == 0) {
		assert_true(view_eq(a.nonce, V(nonce)));
		assert_int_equal(is_proxy, proxy);
	}
	free(text);
}

#define W "WWW-Authenticate: Digest realm=\"r\", "
#define P "Proxy-Authenticate: Digest realm=\"r\", "

static void test_pick_takes_the_strongest_that_is_known(void **state)
{
	struct sip_auth a;
	struct sip_msg m;
	bool proxy;
	char *text;

	(void)state;
	check_pick("", E_NOTFOUND, NULL, false);
	check_pick("WWW-Authenticate: Basic realm=\"r\"\r\n", E_UNSUPPORTED, NULL, false);
	check_pick(W "nonce=\"1\", qop=\"auth\"\r\n", 0, "1", false);
	check_pick(P "nonce=\"1\", qop=\"auth\"\r\n", 0, "1", true);
	check_pick(W "nonce=\"1\", qop=\"auth\", algorithm=MD5\r\n" W
		     "nonce=\"2\", qop=\"auth\", algorithm=SHA-256\r\n",
		   0, "2", false);
	check_pick(W "nonce=\"1\", qop=\"auth\", algorithm=MD5\r\n" P
		     "nonce=\"2\", qop=\"auth-int , AUTH\", algorithm=sha-256\r\n",
		   0, "2", true);
	check_pick(W "nonce=\"1\", qop=\"auth\"\r\n" W "nonce=\"2\", qop=\"auth\"\r\n", 0, "1",
		   false);
	check_pick(W "nonce=\"1\", qop=\"auth\", algorithm=SHA-512-256\r\n", E_UNSUPPORTED, NULL,
		   false);
	check_pick(W "nonce=\"1\", qop=\"auth\", algorithm=MD5-sess\r\n" W
		     "nonce=\"2\", qop=\"auth\", algorithm=MD5\r\n",
		   0, "2", false);
	check_pick(W "nonce=\"1\", qop=\"auth-int\"\r\n", E_UNSUPPORTED, NULL, false);
	check_pick(W "nonce=\"\", qop=\"auth\"\r\n", E_UNSUPPORTED, NULL, false);
	check_pick("WWW-Authenticate: Digest nonce=\"1\", qop=\"auth\"\r\n", E_UNSUPPORTED, NULL,
		   false);
	check_pick("WWW-Authenticate: Digest nonce\r\n" W "nonce=\"2\", qop=\"auth\"\r\n", 0, "2",
		   false);
	check_pick(W "nonce=\"1\"\r\n", E_UNSUPPORTED, NULL, false);

	text = message_text("SIP/2.0 401 Unauthorized",
			    VIEW(W "nonce=\"1\", algorithm=SHA-256\r\n"));
	assert_int_equal(sip_msg_parse(V(text), &m), 0);
	assert_int_equal(sip_challenge_pick_any(&m, &a, &proxy), 0);
	assert_true(view_eq(a.nonce, VIEW("1")));
	free(text);
	text = message_text(
		"SIP/2.0 401 Unauthorized",
		VIEW(W "nonce=\"1\", algorithm=SHA-256\r\n" W "nonce=\"2\", qop=auth\r\n"));
	assert_int_equal(sip_msg_parse(V(text), &m), 0);
	assert_int_equal(sip_challenge_pick_any(&m, &a, &proxy), 0);
	assert_true(view_eq(a.nonce, VIEW("2")));
	free(text);
}

static void test_credentials_are_one_clean_line(void **state)
{
	struct sip_auth ch = parsed("Digest realm=\"a \\\"b\\\"\", nonce=\"n\", opaque=\"\", "
				    "qop=\"auth,auth-int\", algorithm=MD5, domain=\"sip:x\"");
	struct sip_auth a;
	struct buf b;
	char *value;

	(void)state;
	buf_init(&b, 1 << 16);
#define WRITE(user, uri)                                                                           \
	sip_credentials_write(&b, io_digest(), &entropy, true, &ch, user, VIEW("p"), METHOD, uri,  \
			      26)
	assert_int_equal(WRITE(VIEW("al\"ice\\"), URI), 0);
	assert_true(view_starts(buf_view(&b),
				VIEW("Proxy-Authorization: Digest username=\"al\\\"ice\\\\\", "
				     "realm=\"a \\\"b\\\"\", nonce=\"n\", "
				     "uri=\"sip:example.com\", response=\"")));
	assert_true(view_ends(buf_view(&b), VIEW("\"\r\n")));
	assert_int_equal(view_find(buf_view(&b), '\n', 0), b.n - 1);
	value = view_dup(view_from(buf_view(&b), sizeof("Proxy-Authorization:") - 1));
	a = parsed(value);
	assert_true(view_eq(a.nc, VIEW("0000001a")));
	assert_true(view_eq(a.qop, VIEW("auth")));
	assert_true(view_eq(a.algorithm, VIEW("MD5")));
	assert_true(a.opaque.p && a.opaque.n == 0);
	assert_true(a.cnonce.n >= 16);
	free(value);
	/* Nobody puts a line of his own in. */
	buf_reset(&b);
	assert_int_equal(WRITE(VIEW("alice\r\nX: y"), URI), E_SYNTAX);
	assert_int_equal(WRITE(VIEW("alice"), VIEW("sip:\"x")), E_SYNTAX);
	assert_int_equal(WRITE(VIEW("alice"), VIEW("sip:\nx")), E_SYNTAX);
	ch.opaque = VIEW("a\r\n b");
	assert_int_equal(WRITE(VIEW("alice"), URI), E_SYNTAX);
	ch.opaque = VIEW("");
	ch.algorithm = VIEW("SHA-512-256");
	assert_int_equal(WRITE(VIEW("alice"), URI), E_UNSUPPORTED);
	ch.algorithm = VIEW("MD5");
	ch.qop = VIEW("auth-int");
	assert_int_equal(WRITE(VIEW("alice"), URI), E_UNSUPPORTED);
	ch.qop = VIEW("auth");
	ch.nonce = VIEW("");
	assert_int_equal(WRITE(VIEW("alice"), URI), E_SYNTAX);
	assert_int_equal(b.n, 0);
#undef WRITE
	buf_fini(&b);
}

static void test_credentials_are_found_by_realm(void **state)
{
	char *text = message_text(
		"REGISTER sip:example.com SIP/2.0",
		VIEW("Authorization: Basic eDp5\r\n"
		     "Authorization: Digest realm=\"example.net\", nonce=\"1\"\r\n"
		     "Authorization: Digest realm=\"example.com\", nonce\r\n"
		     "Authorization: Digest realm=\"example.com\", nonce=\"2\"\r\n"
		     "Proxy-Authorization: Digest realm=\"example.com\", nonce=\"3\"\r\n"));
	struct sip_auth a;
	struct sip_msg m;

	(void)state;
	assert_int_equal(sip_msg_parse(V(text), &m), 0);
	assert_int_equal(sip_credentials_find(&m, false, REALM, &a), 0);
	assert_true(view_eq(a.nonce, VIEW("2")));
	assert_int_equal(sip_credentials_find(&m, true, REALM, &a), 0);
	assert_true(view_eq(a.nonce, VIEW("3")));
	assert_int_equal(sip_credentials_find(&m, true, VIEW("example.net"), &a), E_NOTFOUND);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_RFC_2617_3_5_example),
		cmocka_unit_test(test_RFC_7616_3_9_1_examples),
		cmocka_unit_test(test_RFC_8760_2_6_hashes_of_nothing),
		cmocka_unit_test(test_RFC_2069_2_4_example),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_a_challenge_is_a_line_per_algorithm_the_strong_one_first),
		cmocka_unit_test(test_a_nonce_ages_and_belongs_to_its_challenger),
		cmocka_unit_test(test_a_nonce_count_serves_once),
		cmocka_unit_test(test_the_table_of_nonces_is_capped_and_forgets_safely),
		cmocka_unit_test(test_uri_of_the_credentials_must_mean_the_request),
		cmocka_unit_test(test_form_of_credentials),
		cmocka_unit_test(test_a_nonce_is_good_for_the_peer_that_it_was_made_for),
		cmocka_unit_test(test_an_algorithm_that_is_not_offered_is_not_taken),
		cmocka_unit_test(test_without_qop_only_where_allowed),
		cmocka_unit_test(test_pick_takes_the_strongest_that_is_known),
		cmocka_unit_test(test_credentials_are_one_clean_line),
		cmocka_unit_test(test_credentials_are_found_by_realm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
