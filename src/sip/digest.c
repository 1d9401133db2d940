/* Digest authentication: the computation, the client's side, and challenges. Verification stands in
 * digest_verify.c. */
#include "sip/digest_private.h"

#include "base/error.h"

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void sip_digest_hash(const struct digest *d, enum sip_digest_algorithm alg,
		     const struct view *parts, size_t n, char *hex_out)
{
	uint8_t raw[DIGEST_SHA256_LEN];

	if (alg == SIP_DIGEST_SHA256) {
		d->sha256(parts, n, raw);
		digest_hex(raw, DIGEST_SHA256_LEN, hex_out);
	} else {
		d->md5(parts, n, raw);
		digest_hex(raw, DIGEST_MD5_LEN, hex_out);
	}
}

void sip_digest_ha1(const struct digest *d, enum sip_digest_algorithm alg, struct view user,
		    struct view realm, struct view password, char *hex_out)
{
	struct view parts[] = {user, VIEW(":"), realm, VIEW(":"), password};

	sip_digest_hash(d, alg, parts, 5, hex_out);
}

void sip_digest_response(const struct digest *d, enum sip_digest_algorithm alg, const char *ha1,
			 const struct sip_auth *a, struct view method, char *hex_out)
{
	struct view a2[] = {method, VIEW(":"), a->uri};
	char ha2[SIP_HA1_SIZE];

	sip_digest_hash(d, alg, a2, 3, ha2);
	if (a->qop.n) {
		struct view parts[] = {view_str(ha1), VIEW(":"), a->nonce,     VIEW(":"),
				       a->nc,	      VIEW(":"), a->cnonce,    VIEW(":"),
				       a->qop,	      VIEW(":"), view_str(ha2)};

		sip_digest_hash(d, alg, parts, 11, hex_out);
	} else {
		/* RFC 2069 */
		struct view parts[] = {view_str(ha1), VIEW(":"), a->nonce, VIEW(":"),
				       view_str(ha2)};

		sip_digest_hash(d, alg, parts, 5, hex_out);
	}
}

int sip_digest_algorithm_of(struct view text, enum sip_digest_algorithm *out)
{
	/* RFC 7616 §3.3: MD5 where none is given. */
	if (text.n == 0 || view_eq_nocase(text, VIEW("MD5")))
		*out = SIP_DIGEST_MD5;
	else if (view_eq_nocase(text, VIEW("SHA-256")))
		*out = SIP_DIGEST_SHA256;
	else
		return E_UNSUPPORTED;
	return 0;
}

/* --- the server's challenge --- */

void sip_challenger_init(struct sip_challenger *c, const struct digest *digest,
			 const struct entropy *entropy, struct view realm,
			 uint64_t nonce_lifetime_ms)
{
	uint64_t key[2];

	*c = (struct sip_challenger){
		.digest = digest,
		.entropy = entropy,
		.nonce_lifetime_ms = nonce_lifetime_ms,
		.realm = realm,
		.offer_sha256 = true,
		.offer_md5 = true,
		.track_nc = true,
		.check_uri = true,
		.max_nonces = SIP_CHALLENGER_NONCES,
	};
	entropy->fill(entropy->ctx, c->secret, sizeof(c->secret));
	key[0] = entropy_u64(entropy);
	key[1] = entropy_u64(entropy);
	/* The cap is max_nonces, kept where entries are made. */
	hash_init(&c->uses, SIZE_MAX, key);
	list_init(&c->uses_by_age);
}

void sip_nonce_sign(const struct sip_challenger *c, uint8_t raw[SIP_NONCE_BYTES])
{
	uint8_t key[DIGEST_SHA256_LEN], mac[DIGEST_SHA256_LEN];
	char own[SIP_NONCE_ID_BYTES + SIP_CHALLENGER_PEER_MAX];
	struct view peer = view_first(c->peer, SIP_CHALLENGER_PEER_MAX);

	/* Two steps, as data comes in one piece: a key for the realm, then the nonce's own part. */
	c->digest->hmac_sha256(view_of((const char *)c->secret, sizeof(c->secret)), c->realm, key);
	memcpy(own, raw, SIP_NONCE_ID_BYTES);
	if (peer.n)
		memcpy(own + SIP_NONCE_ID_BYTES, peer.p, peer.n);
	c->digest->hmac_sha256(view_of((const char *)key, sizeof(key)),
			       view_of(own, SIP_NONCE_ID_BYTES + peer.n), mac);
	memcpy(raw + SIP_NONCE_ID_BYTES, mac, SIP_NONCE_BYTES - SIP_NONCE_ID_BYTES);
}

static void nonce_write(const struct sip_challenger *c, uint64_t now_ms,
			char text[SIP_NONCE_CHARS + 1])
{
	uint8_t raw[SIP_NONCE_BYTES];

	for (int i = 0; i < SIP_NONCE_TIME_BYTES; i++)
		raw[i] = (uint8_t)(now_ms >> (8 * (SIP_NONCE_TIME_BYTES - 1 - i)));
	/* Random bytes tell apart two challenges of one millisecond, whose nonce counts would
	 * clash. */
	c->entropy->fill(c->entropy->ctx, raw + SIP_NONCE_TIME_BYTES,
			 SIP_NONCE_ID_BYTES - SIP_NONCE_TIME_BYTES);
	sip_nonce_sign(c, raw);
	for (size_t i = 0, o = 0; i < SIP_NONCE_BYTES; i += 3) {
		uint32_t x = (uint32_t)raw[i] << 16 | (uint32_t)raw[i + 1] << 8 | raw[i + 2];

		text[o++] = base64url[x >> 18];
		text[o++] = base64url[x >> 12 & 63];
		text[o++] = base64url[x >> 6 & 63];
		text[o++] = base64url[x & 63];
	}
	text[SIP_NONCE_CHARS] = '\0';
}

/* The content of a quoted string. */
static void put_quoted(struct buf *b, struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '"' || v.p[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, v.p[i]);
	}
}

void sip_challenge_write(struct buf *b, const struct sip_challenger *c, bool proxy, bool stale,
			 uint64_t now_ms)
{
	char nonce[SIP_NONCE_CHARS + 1];

	nonce_write(c, now_ms, nonce);
	for (int i = 0; i < 2; i++) {
		if (!(i == 0 ? c->offer_sha256 : c->offer_md5))
			continue;
		buf_puts(b, proxy ? "Proxy-Authenticate" : "WWW-Authenticate");
		buf_puts(b, ": Digest realm=\"");
		put_quoted(b, c->realm);
		buf_putf(b, "\", nonce=\"%s\", algorithm=%s, qop=\"auth\"%s\r\n", nonce,
			 i == 0 ? "SHA-256" : "MD5", stale ? ", stale=true" : "");
	}
}

/* --- the client's answer --- */

static bool offers_auth(struct view qop)
{
	while (qop.n)
		if (view_eq_nocase(view_trim(view_cut(&qop, ',')), VIEW("auth")))
			return true;
	return false;
}

/* How good a challenge is; 0: cannot be answered. */
static int rank(const struct sip_auth *a, bool rfc2069)
{
	enum sip_digest_algorithm alg;

	if (!view_eq_nocase(a->scheme, VIEW("Digest")) || !a->realm.p || !a->nonce.n ||
	    sip_digest_algorithm_of(a->algorithm, &alg))
		return 0;
	if (!a->qop.n)
		return rfc2069 ? 1 + (alg == SIP_DIGEST_SHA256) : 0;
	return offers_auth(a->qop) ? 3 + (alg == SIP_DIGEST_SHA256) : 0;
}

static int pick(const struct sip_msg *m, bool rfc2069, struct sip_auth *out, bool *proxy_out)
{
	static const enum sip_header_id ids[] = {SIP_H_WWW_AUTHENTICATE, SIP_H_PROXY_AUTHENTICATE};
	bool seen = false;
	int best = 0;

	for (size_t k = 0; k < 2; k++)
		for (int i = sip_msg_field(m, ids[k], -1); i >= 0;
		     i = sip_msg_field(m, ids[k], i)) {
			struct sip_auth a;
			int r;

			seen = true;
			if (sip_auth_parse(sip_field_value(m, i), &a))
				continue;
			r = rank(&a, rfc2069);
			if (r <= best)
				continue;
			best = r;
			*out = a;
			*proxy_out = ids[k] == SIP_H_PROXY_AUTHENTICATE;
		}
	return best ? 0 : seen ? E_UNSUPPORTED : E_NOTFOUND;
}

int sip_challenge_pick(const struct sip_msg *response, struct sip_auth *out, bool *proxy_out)
{
	return pick(response, false, out, proxy_out);
}

int sip_challenge_pick_any(const struct sip_msg *response, struct sip_auth *out, bool *proxy_out)
{
	return pick(response, true, out, proxy_out);
}

static bool has_control(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7f)
			return true;
	return false;
}

int sip_credentials_write(struct buf *b, const struct digest *d, const struct entropy *entropy,
			  bool proxy, const struct sip_auth *challenge, struct view user,
			  struct view password, struct view method, struct view uri, uint32_t nc)
{
	enum { CNONCE_CHARS = 26, NC_CHARS = 8 };
	struct sip_auth a = {.realm = challenge->realm, .nonce = challenge->nonce, .uri = uri};
	enum sip_digest_algorithm alg;
	char ha1[SIP_HA1_SIZE], response[SIP_HA1_SIZE], cnonce[CNONCE_CHARS + 1],
		count[NC_CHARS + 1];
	uint8_t raw[4] = {(uint8_t)(nc >> 24), (uint8_t)(nc >> 16), (uint8_t)(nc >> 8),
			  (uint8_t)nc};

	if (sip_digest_algorithm_of(challenge->algorithm, &alg) ||
	    (challenge->qop.n && !offers_auth(challenge->qop)))
		return E_UNSUPPORTED;
	if (!a.realm.p || !a.nonce.n || has_control(user) || has_control(a.realm) ||
	    has_control(a.nonce) || has_control(challenge->opaque) || has_control(uri) ||
	    view_find(uri, '"', 0) < uri.n)
		return E_SYNTAX;
	if (challenge->qop.n) {
		digest_hex(raw, sizeof(raw), count);
		a.qop = VIEW("auth");
		a.nc = view_str(count);
		a.cnonce = view_str(entropy_token(entropy, cnonce, CNONCE_CHARS));
	}
	sip_digest_ha1(d, alg, user, a.realm, password, ha1);
	sip_digest_response(d, alg, ha1, &a, method, response);

	buf_puts(b, proxy ? "Proxy-Authorization: Digest username=\""
			  : "Authorization: Digest username=\"");
	put_quoted(b, user);
	/* realm, nonce and opaque go back with the escapes they came with. */
	buf_putf(b, "\", realm=\"%.*s\", nonce=\"%.*s\", uri=\"%.*s\", response=\"%s\"",
		 VIEW_ARG(a.realm), VIEW_ARG(a.nonce), VIEW_ARG(uri), response);
	if (challenge->algorithm.n)
		buf_puts(b, alg == SIP_DIGEST_SHA256 ? ", algorithm=SHA-256" : ", algorithm=MD5");
	if (challenge->opaque.p)
		buf_putf(b, ", opaque=\"%.*s\"", VIEW_ARG(challenge->opaque));
	if (a.qop.n)
		buf_putf(b, ", qop=auth, nc=%s, cnonce=\"%s\"", count, cnonce);
	buf_puts(b, "\r\n");
	return 0;
}
