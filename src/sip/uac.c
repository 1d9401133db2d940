/* The UA itself, and requests that answer a challenge (RFC 3261 §8.1.3.5, §22). */
#include "sip/ua_table.h"

#include "base/error.h"
#include "sip/digest_private.h"
#include "sip/write.h"

#include <stdlib.h>

enum {
	TRIES_MAX = 5, /* the first, one each for a server and two proxies, one for a stale nonce */
	CHALLENGES_MAX = 8,
};

/* A challenge that can be answered. */
struct challenge {
	struct sip_auth auth;
	bool proxy;
};

struct sip_uac {
	struct list link;
	struct sip_ua *ua;
	struct sip_client_tx *tx;
	struct sip_flow flow;
	const struct sip_uac_handler *h;
	void *ctx;
	uint32_t *seq;
	char *request;
	size_t request_n;
	unsigned tries;
	bool cancelled;
};

struct sip_ua *sip_ua_new(struct sip_stack *stack, const struct sip_ua_config *cfg)
{
	struct sip_ua *ua = calloc(1, sizeof(*ua));
	uint64_t key[2];

	if (!ua)
		return NULL;
	ua->stack = stack;
	ua->timers = sip_stack_timers(stack);
	ua->cfg = *cfg;
	list_init(&ua->uacs);
	list_init(&ua->leftovers);
	ua->user = view_dup(cfg->user);
	ua->password = view_dup(cfg->password);
	ua->every = view_dup(cfg->every);
	if (!ua->user || !ua->password || !ua->every) {
		sip_ua_free(ua);
		return NULL;
	}
	key[0] = entropy_u64(sip_stack_entropy(stack));
	key[1] = entropy_u64(sip_stack_entropy(stack));
	hash_init(&ua->dialogs, cfg->max_dialogs, key);
	return ua;
}

static void uac_free(struct sip_uac *uac)
{
	list_del(&uac->link);
	free(uac->request);
	free(uac);
}

void sip_ua_free(struct sip_ua *ua)
{
	if (!ua)
		return;
	while (!list_empty(&ua->uacs)) {
		struct sip_uac *uac = CONTAINER(ua->uacs.next, struct sip_uac, link);

		if (uac->tx)
			sip_client_tx_detach(uac->tx);
		if (uac->h && uac->h->on_gone)
			uac->h->on_gone(uac->ctx, uac);
		uac_free(uac);
	}
	while (!list_empty(&ua->leftovers)) {
		struct sip_leftover *l = CONTAINER(ua->leftovers.next, struct sip_leftover, link);

		list_del(&l->link);
		l->end(l);
	}
	hash_fini(&ua->dialogs);
	free(ua->user);
	free(ua->password);
	free(ua->every);
	free(ua);
}

struct sip_stack *sip_ua_stack(const struct sip_ua *ua)
{
	return ua->stack;
}

int sip_ua_next_hop(const struct sip_ua *ua, struct view uri, struct sip_flow *out)
{
	return ua->cfg.next_hop(ua->cfg.ctx, uri, out);
}

static void on_response(void *ctx, struct sip_client_tx *tx, const struct sip_msg *m,
			uint64_t now_ms);
static void on_failed(void *ctx, struct sip_client_tx *tx, int error, uint64_t now_ms);
static void on_gone(void *ctx, struct sip_client_tx *tx);

static const struct sip_client_handler handler = {
	.on_response = on_response, .on_failed = on_failed, .on_gone = on_gone};

static int launch(struct sip_uac *uac, uint64_t now_ms)
{
	uac->tries++;
	return sip_client_tx_new(uac->ua->stack, view_of(uac->request, uac->request_n), &uac->flow,
				 &handler, uac, now_ms, &uac->tx);
}

/* qop with "auth"; without any, replay could not be told (RFC 7616 §3.4.5 note). */
static bool offers_auth(struct view qop)
{
	while (qop.n)
		if (view_eq_nocase(view_trim(view_cut(&qop, ',')), VIEW("auth")))
			return true;
	return false;
}

static bool usable(const struct sip_auth *a, enum sip_digest_algorithm wanted)
{
	enum sip_digest_algorithm alg;

	return view_eq_nocase(a->scheme, VIEW("Digest")) && a->realm.p && a->nonce.n &&
	       sip_digest_algorithm_of(a->algorithm, &alg) == 0 && alg == wanted &&
	       offers_auth(a->qop);
}

static const struct challenge *challenge_of(const struct challenge *list, size_t n, bool proxy,
					    struct view realm)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].proxy == proxy && view_eq(list[i].auth.realm, realm))
			return &list[i];
	return NULL;
}

static size_t gather(const struct sip_msg *m, enum sip_header_id id, enum sip_digest_algorithm alg,
		     struct challenge *list, size_t n)
{
	bool proxy = id == SIP_H_PROXY_AUTHENTICATE;

	for (int i = sip_msg_field(m, id, -1); i >= 0 && n < CHALLENGES_MAX;
	     i = sip_msg_field(m, id, i)) {
		struct sip_auth a;

		if (sip_auth_parse(sip_field_value(m, i), &a) == 0 && usable(&a, alg) &&
		    !challenge_of(list, n, proxy, a.realm))
			list[n++] = (struct challenge){a, proxy};
	}
	return n;
}

/* The strongest challenge of each realm: a forking proxy passes on those of several servers and its
 * own in one response (RFC 3261 §22.3). */
static size_t pick_challenges(const struct sip_msg *m, struct challenge *list)
{
	static const enum sip_digest_algorithm algs[] = {SIP_DIGEST_SHA256, SIP_DIGEST_MD5};
	size_t n = 0;

	for (size_t i = 0; i < 2; i++) {
		n = gather(m, SIP_H_WWW_AUTHENTICATE, algs[i], list, n);
		n = gather(m, SIP_H_PROXY_AUTHENTICATE, algs[i], list, n);
	}
	return n;
}

/* A challenge of a realm that has our credentials, and that does not say "stale" of another nonce
 * than its own, refuses them. */
static bool refused(const struct sip_msg *request, const struct challenge *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct sip_auth used;

		if (sip_credentials_find(request, list[i].proxy, list[i].auth.realm, &used) == 0 &&
		    (!list[i].auth.stale || view_eq(used.nonce, list[i].auth.nonce)))
			return true;
	}
	return false;
}

/* Fields that are written anew: CSeq and body fields, and credentials that a challenge replaces. */
static bool rewritten(const struct sip_msg *m, int field, const struct challenge *list, size_t n)
{
	enum sip_header_id id = m->field[field].id;
	struct sip_auth a;

	if (id == SIP_H_CONTENT_LENGTH || id == SIP_H_CONTENT_TYPE)
		return true;
	if (id != SIP_H_AUTHORIZATION && id != SIP_H_PROXY_AUTHORIZATION)
		return false;
	return sip_auth_parse(sip_field_value(m, field), &a) == 0 &&
	       challenge_of(list, n, id == SIP_H_PROXY_AUTHORIZATION, a.realm);
}

/* The same request with another CSeq and with credentials for the challenges, keeping those for
 * other realms. */
static int write_again(struct buf *b, const struct sip_ua *ua, const struct sip_msg *m,
		       uint32_t seq, const struct challenge *list, size_t n)
{
	int rc = 0;

	sip_write_request_line(b, m->method_name, m->uri);
	for (int i = 0; i < m->n_fields; i++) {
		if (rewritten(m, i, list, n))
			continue;
		if (m->field[i].id == SIP_H_CSEQ)
			sip_write_fieldf(b, "CSeq", "%u %.*s", seq, VIEW_ARG(m->method_name));
		else
			buf_putf(b, "%.*s: %.*s\r\n", VIEW_ARG(sip_field_name(m, i)),
				 VIEW_ARG(sip_field_value(m, i)));
	}
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = sip_credentials_write(b, ua->cfg.digest, sip_stack_entropy(ua->stack),
					   list[i].proxy, &list[i].auth, view_str(ua->user),
					   view_str(ua->password), m->method_name, m->uri, 1);
	sip_write_body(b, sip_msg_value(m, SIP_H_CONTENT_TYPE), m->body);
	return rc ? rc : buf_ok(b) ? 0 : E_NOMEM;
}

/* E_DENIED: the credentials were refused; E_NOTFOUND: no challenge that can be answered. */
static int with_credentials(struct sip_uac *uac, const struct sip_msg *response)
{
	struct challenge list[CHALLENGES_MAX];
	size_t n = pick_challenges(response, list);
	struct sip_msg m;
	struct sip_cseq cseq;
	struct buf b;
	char *bytes;
	size_t len;
	int rc;

	if (n == 0)
		return E_NOTFOUND;
	if (sip_msg_parse(view_of(uac->request, uac->request_n), &m) || sip_msg_cseq(&m, &cseq))
		return E_SYNTAX;
	if (refused(&m, list, n))
		return E_DENIED;
	buf_init(&b, sip_stack_get_config(uac->ua->stack)->max_message);
	cseq.number = uac->seq ? *uac->seq + 1 : cseq.number + 1;
	rc = write_again(&b, uac->ua, &m, cseq.number, list, n);
	bytes = rc ? NULL : buf_take(&b, &len);
	buf_fini(&b);
	if (!bytes)
		return rc ? rc : E_NOMEM;
	if (uac->seq)
		*uac->seq = cseq.number;
	free(uac->request);
	uac->request = bytes;
	uac->request_n = len;
	return 0;
}

static bool answer_challenge(struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_client_tx *old = uac->tx;
	int rc;

	if ((m->status != 401 && m->status != 407) || uac->cancelled || !uac->ua->user[0] ||
	    uac->tries >= TRIES_MAX || with_credentials(uac, m))
		return false;
	sip_client_tx_detach(old);
	uac->tx = NULL;
	rc = launch(uac, now_ms);
	if (rc) {
		if (uac->h)
			uac->h->on_failed(uac->ctx, uac, rc, now_ms);
		if (uac->h && uac->h->on_gone)
			uac->h->on_gone(uac->ctx, uac);
		uac_free(uac);
	}
	return true;
}

static void on_response(void *ctx, struct sip_client_tx *tx, const struct sip_msg *m,
			uint64_t now_ms)
{
	struct sip_uac *uac = ctx;

	(void)tx;
	if (answer_challenge(uac, m, now_ms))
		return;
	if (uac->h)
		uac->h->on_response(uac->ctx, uac, m, now_ms);
}

static void on_failed(void *ctx, struct sip_client_tx *tx, int error, uint64_t now_ms)
{
	struct sip_uac *uac = ctx;

	(void)tx;
	if (uac->h)
		uac->h->on_failed(uac->ctx, uac, error, now_ms);
}

static void on_gone(void *ctx, struct sip_client_tx *tx)
{
	struct sip_uac *uac = ctx;

	(void)tx;
	if (uac->h && uac->h->on_gone)
		uac->h->on_gone(uac->ctx, uac);
	uac_free(uac);
}

/* With the lines of every request behind its first one. */
static int keep_request(struct sip_uac *uac, struct view request)
{
	struct view every = view_str(uac->ua->every);
	size_t line = view_find(request, '\n', 0) + 1;

	if (line > request.n)
		return E_SYNTAX;
	uac->request = malloc(request.n + every.n + 1);
	if (!uac->request)
		return E_NOMEM;
	memcpy(uac->request, request.p, line);
	memcpy(uac->request + line, every.p, every.n);
	memcpy(uac->request + line + every.n, request.p + line, request.n - line);
	uac->request_n = request.n + every.n;
	return 0;
}

int sip_uac_send(struct sip_ua *ua, struct view request, const struct sip_flow *to, uint32_t *seq,
		 const struct sip_uac_handler *h, void *ctx, uint64_t now_ms, struct sip_uac **out)
{
	struct sip_uac *uac = calloc(1, sizeof(*uac));
	int rc;

	if (!uac)
		return E_NOMEM;
	uac->ua = ua;
	uac->flow = *to;
	uac->seq = seq;
	uac->h = h;
	uac->ctx = ctx;
	list_add_tail(&ua->uacs, &uac->link);
	rc = keep_request(uac, request);
	if (rc == 0)
		rc = launch(uac, now_ms);
	if (rc) {
		uac_free(uac);
		return rc;
	}
	if (out)
		*out = uac;
	return 0;
}

void sip_uac_cancel(struct sip_uac *uac, struct view extra, uint64_t now_ms)
{
	uac->cancelled = true;
	if (uac->tx)
		sip_client_tx_cancel(uac->tx, extra, now_ms);
}

void sip_uac_detach(struct sip_uac *uac)
{
	uac->h = NULL;
	uac->ctx = NULL;
	uac->seq = NULL;
}

void sip_uac_forget_seq(struct sip_ua *ua, const uint32_t *seq)
{
	/* Only who has credentials ever sends a request twice; a server with many dialogs has none.
	 */
	if (!ua->user[0])
		return;
	LIST_EACH(l, next, &ua->uacs)
	{
		struct sip_uac *uac = CONTAINER(l, struct sip_uac, link);

		if (uac->seq == seq)
			uac->seq = NULL;
	}
}

struct view sip_uac_request(const struct sip_uac *uac)
{
	return view_of(uac->request, uac->request_n);
}
