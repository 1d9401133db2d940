/* Verification of digest credentials, and protection against their replay. */
#include "sip/digest_private.h"

#include "base/error.h"

#include <stdlib.h>

enum { WINDOW = 64 };

/* A nonce that was used with a right password. */
struct nonce_use {
	struct hash_node node;
	struct list by_age; /* in the order of first use */
	uint64_t made_ms;
	uint8_t id[SIP_NONCE_ID_BYTES];
	uint32_t highest;
	uint64_t seen; /* bit i: highest - i was used */
};

static void use_free(struct sip_challenger *c, struct nonce_use *u)
{
	list_del(&u->by_age);
	hash_del(&c->uses, &u->node);
	free(u);
}

void sip_challenger_fini(struct sip_challenger *c)
{
	while (!list_empty(&c->uses_by_age))
		use_free(c, CONTAINER(c->uses_by_age.next, struct nonce_use, by_age));
	hash_fini(&c->uses);
}

static int base64url_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* E_SYNTAX: not one of our making. */
static int nonce_read(const struct sip_challenger *c, struct view text,
		      uint8_t raw[SIP_NONCE_BYTES], uint64_t *made_ms)
{
	uint8_t right[SIP_NONCE_BYTES];
	uint64_t t = 0;

	if (text.n != SIP_NONCE_CHARS)
		return E_SYNTAX;
	for (size_t i = 0, o = 0; i < SIP_NONCE_CHARS; i += 4, o += 3) {
		uint32_t x = 0;

		for (size_t k = 0; k < 4; k++) {
			int digit = base64url_digit(text.p[i + k]);

			if (digit < 0)
				return E_SYNTAX;
			x = x << 6 | (uint32_t)digit;
		}
		raw[o] = (uint8_t)(x >> 16);
		raw[o + 1] = (uint8_t)(x >> 8);
		raw[o + 2] = (uint8_t)x;
	}
	memcpy(right, raw, SIP_NONCE_ID_BYTES);
	sip_nonce_sign(c, right);
	if (!digest_equal(view_of((const char *)raw, SIP_NONCE_BYTES),
			  view_of((const char *)right, SIP_NONCE_BYTES)))
		return E_SYNTAX;
	for (int i = 0; i < SIP_NONCE_TIME_BYTES; i++)
		t = t << 8 | raw[i];
	*made_ms = t;
	return 0;
}

/* A nonce of ours that holds. */
static bool nonce_is_good(const struct sip_challenger *c, struct view text,
			  uint8_t raw[SIP_NONCE_BYTES], uint64_t *made_ms, uint64_t now_ms)
{
	return nonce_read(c, text, raw, made_ms) == 0 && *made_ms <= now_ms &&
	       now_ms - *made_ms <= c->nonce_lifetime_ms;
}

bool sip_challenge_is_answered(const struct sip_challenger *c, const struct sip_auth *cred,
			       uint64_t now_ms)
{
	uint8_t raw[SIP_NONCE_BYTES];
	uint64_t made_ms;

	return view_eq_nocase(cred->scheme, VIEW("Digest")) && view_eq(cred->realm, c->realm) &&
	       nonce_is_good(c, cred->nonce, raw, &made_ms, now_ms);
}

static int nc_read(struct view text, uint32_t *out)
{
	uint32_t x = 0;

	if (text.n != 8)
		return E_SYNTAX;
	for (size_t i = 0; i < 8; i++) {
		char c = (char)(text.p[i] | 0x20);
		uint32_t digit;

		if (text.p[i] >= '0' && text.p[i] <= '9')
			digit = (uint32_t)(text.p[i] - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (uint32_t)(c - 'a') + 10;
		else
			return E_SYNTAX;
		x = x << 4 | digit;
	}
	*out = x;
	return x ? 0 : E_SYNTAX; /* counting begins at 1 */
}

static bool same_host_and_user(struct view a_text, struct view b_text)
{
	struct sip_uri a, b;

	if (sip_uri_parse(a_text, &a) || sip_uri_parse(b_text, &b) || a.scheme == SIP_SCHEME_OTHER)
		return false;
	if (sip_uri_eq(&a, &b))
		return true;
	if (a.scheme == SIP_SCHEME_TEL || b.scheme == SIP_SCHEME_TEL)
		return false;
	/* A proxy on the way may have added or taken parameters, port or scheme (RFC 3261 §22.4
	 * item 6, RFC 8760 §2.6 item 6); and some phones name the domain alone. */
	return view_eq_nocase(a.host, b.host) && (a.user.n == 0 || view_eq(a.user, b.user));
}

static bool uri_matches(const struct sip_challenger *c, struct view cred, struct view request)
{
	return !c->check_uri || view_eq(cred, request) || same_host_and_user(cred, request);
}

static bool response_matches(const struct sip_challenger *c, enum sip_digest_algorithm alg,
			     const struct sip_auth *cred, struct view method, const char *ha1)
{
	static const char nobody[] = "00000000000000000000000000000000";
	char right[SIP_HA1_SIZE], given[SIP_HA1_SIZE];
	size_t n = alg == SIP_DIGEST_SHA256 ? 2 * DIGEST_SHA256_LEN : 2 * DIGEST_MD5_LEN;
	bool equal;

	/* An unknown user costs as much as a known one. */
	sip_digest_response(c->digest, alg, ha1 ? ha1 : nobody, cred, method, right);
	if (cred->response.n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		char x = cred->response.p[i];

		given[i] = x >= 'A' && x <= 'F' ? (char)(x | 0x20) : x;
	}
	equal = digest_equal(view_of(given, n), view_of(right, n));
	return equal && ha1;
}

static struct nonce_use *use_find(const struct sip_challenger *c, const uint8_t *id, uint64_t h)
{
	for (struct hash_node *n = hash_first(&c->uses, h); n; n = hash_next(n, h)) {
		struct nonce_use *u = CONTAINER(n, struct nonce_use, node);

		if (memcmp(u->id, id, SIP_NONCE_ID_BYTES) == 0)
			return u;
	}
	return NULL;
}

/* Those past their lifetime need no memory: their time alone refuses them. */
static void uses_expire(struct sip_challenger *c, uint64_t now_ms)
{
	while (!list_empty(&c->uses_by_age)) {
		struct nonce_use *u = CONTAINER(c->uses_by_age.next, struct nonce_use, by_age);

		if (now_ms - u->made_ms <= c->nonce_lifetime_ms)
			break;
		use_free(c, u);
	}
}

static void uses_make_room(struct sip_challenger *c)
{
	while (c->uses.n && c->uses.n >= c->max_nonces) {
		struct nonce_use *u = CONTAINER(c->uses_by_age.next, struct nonce_use, by_age);

		/* From now on, nothing is known of nonces as old as this one: they count as used,
		 * so that crowding others out of the table does not open it to replay. */
		if (!c->forgot || u->made_ms > c->forgotten_ms)
			c->forgotten_ms = u->made_ms;
		c->forgot = true;
		use_free(c, u);
	}
}

/* True when this count of this nonce is used for the first time; marks it. */
static bool nc_take(struct sip_challenger *c, const uint8_t *id, uint64_t made_ms, uint32_t nc,
		    uint64_t now_ms)
{
	uint64_t h = hash_bytes(&c->uses, view_of((const char *)id, SIP_NONCE_ID_BYTES));
	struct nonce_use *u = use_find(c, id, h);
	uint32_t gap;

	if (!u) {
		if (c->forgot && made_ms <= c->forgotten_ms)
			return false;
		uses_expire(c, now_ms);
		uses_make_room(c);
		u = calloc(1, sizeof(*u));
		if (!u)
			return false;
		memcpy(u->id, id, SIP_NONCE_ID_BYTES);
		u->made_ms = made_ms;
		u->highest = nc;
		u->seen = 1;
		list_init(&u->by_age);
		if (hash_add(&c->uses, &u->node, h)) {
			free(u);
			return false;
		}
		list_add_tail(&c->uses_by_age, &u->by_age);
		return true;
	}
	if (nc > u->highest) {
		gap = nc - u->highest;
		u->seen = gap >= WINDOW ? 1 : u->seen << gap | 1;
		u->highest = nc;
		return true;
	}
	gap = u->highest - nc;
	if (gap >= WINDOW || (u->seen >> gap & 1))
		return false;
	u->seen |= (uint64_t)1 << gap;
	return true;
}

/* What must stand in credentials, whatever their worth. */
static enum sip_auth_result check_form(const struct sip_challenger *c, const struct sip_auth *cred,
				       enum sip_digest_algorithm *alg, uint32_t *nc)
{
	if (!view_eq_nocase(cred->scheme, VIEW("Digest")))
		return SIP_AUTH_OTHER_REALM;
	if (!cred->realm.p)
		return SIP_AUTH_MALFORMED;
	if (!view_eq(cred->realm, c->realm))
		return SIP_AUTH_OTHER_REALM;
	if (!cred->username.p || !cred->nonce.p || !cred->uri.p || !cred->response.p)
		return SIP_AUTH_MALFORMED;
	/* RFC 8760 §2.7: empty parameters from a client that was not challenged yet. */
	if (cred->nonce.n == 0 || cred->response.n == 0)
		return SIP_AUTH_BAD;
	if (sip_digest_algorithm_of(cred->algorithm, alg) ||
	    !(*alg == SIP_DIGEST_SHA256 ? c->offer_sha256 : c->offer_md5))
		return SIP_AUTH_BAD;
	if (cred->qop.n == 0)
		return c->allow_rfc2069 ? SIP_AUTH_OK : SIP_AUTH_BAD;
	if (!view_eq_nocase(cred->qop, VIEW("auth")))
		return SIP_AUTH_BAD;
	if (!cred->cnonce.p || nc_read(cred->nc, nc))
		return SIP_AUTH_MALFORMED;
	return SIP_AUTH_OK;
}

enum sip_auth_result sip_challenge_verify(struct sip_challenger *c, const struct sip_auth *cred,
					  struct view method, struct view request_uri,
					  const char *ha1_md5_or_null,
					  const char *ha1_sha256_or_null, uint64_t now_ms)
{
	enum sip_digest_algorithm alg = SIP_DIGEST_MD5;
	uint8_t raw[SIP_NONCE_BYTES];
	uint64_t made_ms;
	uint32_t nc = 0;
	enum sip_auth_result form = check_form(c, cred, &alg, &nc);
	const char *ha1 = alg == SIP_DIGEST_SHA256 ? ha1_sha256_or_null : ha1_md5_or_null;

	if (form != SIP_AUTH_OK)
		return form;
	/* A nonce of ours is fresh, whatever else it is: RFC 7616 §3.3 lets stale say so without a
	 * look at the password. That covers nonces from before a restart. */
	if (!nonce_is_good(c, cred->nonce, raw, &made_ms, now_ms))
		return SIP_AUTH_STALE;
	if (!uri_matches(c, cred->uri, request_uri))
		return SIP_AUTH_BAD;
	if (!response_matches(c, alg, cred, method, ha1))
		return SIP_AUTH_WRONG;
	if (c->track_nc && cred->qop.n && !nc_take(c, raw, made_ms, nc, now_ms))
		return SIP_AUTH_STALE;
	return SIP_AUTH_OK;
}

int sip_credentials_find(const struct sip_msg *request, bool proxy, struct view realm,
			 struct sip_auth *out)
{
	enum sip_header_id id = proxy ? SIP_H_PROXY_AUTHORIZATION : SIP_H_AUTHORIZATION;

	for (int i = sip_msg_field(request, id, -1); i >= 0; i = sip_msg_field(request, id, i)) {
		struct sip_auth a;

		if (sip_auth_parse(sip_field_value(request, i), &a) ||
		    !view_eq_nocase(a.scheme, VIEW("Digest")) || !view_eq(a.realm, realm))
			continue;
		*out = a;
		return 0;
	}
	return E_NOTFOUND;
}
