/* The UA itself, and requests that answer a challenge (RFC 3261 §8.1.3.5, §22). */
#include "sip/ua_table.h"

#include "base/error.h"
#include "sip/digest_private.h"
#include "sip/redirect.h"
#include "sip/write.h"

#include <stdlib.h>

enum {
	TRIES_MAX = 5, /* the first, one each for a server and two proxies, one for a stale nonce */
	CHALLENGES_MAX = 8,
	WAITS_MAX = 2,
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
	unsigned tries, waits;
	bool cancelled;
	struct sip_targets *targets; /* NULL: it was not redirected */
	struct timer again;	     /* the time that a 503 asks for */
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
	ua->realm = view_dup(cfg->realm);
	if (!ua->user || !ua->password || !ua->every || !ua->realm) {
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
	timer_cancel(uac->ua->timers, &uac->again);
	if (uac->targets)
		sip_targets_fini(uac->targets);
	free(uac->targets);
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
	free(ua->realm);
	while (ua->n_proven)
		free(ua->proven[--ua->n_proven]);
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

static bool is_of(const struct sip_auth *a, enum sip_digest_algorithm wanted)
{
	enum sip_digest_algorithm alg;

	return sip_digest_algorithm_of(a->algorithm, &alg) == 0 && alg == wanted;
}

static bool usable(const struct sip_auth *a, enum sip_digest_algorithm wanted)
{
	return view_eq_nocase(a->scheme, VIEW("Digest")) && a->realm.p && a->nonce.n &&
	       is_of(a, wanted) && offers_auth(a->qop);
}

/* A registrar that we ask by our own domain may call its realm what it likes. */
static bool asks_home(const struct sip_ua *ua, const struct sip_msg *request)
{
	struct sip_uri uri;

	return request->method == SIP_REGISTER && sip_uri_parse(request->uri, &uri) == 0 &&
	       view_eq_nocase(uri.host, view_str(ua->realm));
}

static bool is_proven(const struct sip_ua *ua, struct view realm)
{
	for (size_t i = 0; i < ua->n_proven; i++)
		if (view_eq(view_str(ua->proven[i]), realm))
			return true;
	return false;
}

/* A challenge may be that of a peer, whose name for himself is his own choice: what is made of the
 * password for him is something to guess it by. */
static bool may_know(const struct sip_ua *ua, const struct sip_msg *request, struct view realm)
{
	return !ua->realm[0] || view_eq_nocase(realm, view_str(ua->realm)) ||
	       is_proven(ua, realm) || asks_home(ua, request);
}

/* What a registrar that we asked by our own domain has accepted: realms that are his, and whether
 * MD5 is needed at all. */
static void learn_realms(struct sip_ua *ua, const struct sip_msg *request)
{
	if (!ua->realm[0] || !asks_home(ua, request))
		return;
	for (int i = 0; i < request->n_fields; i++) {
		enum sip_header_id id = request->field[i].id;
		struct sip_auth a;
		char *realm;

		if ((id != SIP_H_AUTHORIZATION && id != SIP_H_PROXY_AUTHORIZATION) ||
		    sip_auth_parse(sip_field_value(request, i), &a))
			continue;
		ua->past_md5 |= is_of(&a, SIP_DIGEST_SHA256);
		if (is_proven(ua, a.realm) || ua->n_proven == SIP_REALMS_MAX)
			continue;
		realm = view_dup(a.realm);
		if (realm)
			ua->proven[ua->n_proven++] = realm;
	}
}

static const struct challenge *challenge_of(const struct challenge *list, size_t n, bool proxy,
					    struct view realm)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].proxy == proxy && view_eq(list[i].auth.realm, realm))
			return &list[i];
	return NULL;
}

struct asked {
	const struct sip_ua *ua;
	const struct sip_msg *request, *response;
};

static size_t gather(const struct asked *by, enum sip_header_id id, enum sip_digest_algorithm alg,
		     struct challenge *list, size_t n)
{
	const struct sip_msg *m = by->response;
	bool proxy = id == SIP_H_PROXY_AUTHENTICATE;

	for (int i = sip_msg_field(m, id, -1); i >= 0 && n < CHALLENGES_MAX;
	     i = sip_msg_field(m, id, i)) {
		struct sip_auth a;

		if (sip_auth_parse(sip_field_value(m, i), &a) == 0 && usable(&a, alg) &&
		    may_know(by->ua, by->request, a.realm) &&
		    !challenge_of(list, n, proxy, a.realm))
			list[n++] = (struct challenge){a, proxy};
	}
	return n;
}

/* The strongest challenge of each realm: a forking proxy passes on those of several servers and its
 * own in one response (RFC 3261 §22.3). */
static size_t pick_challenges(const struct asked *by, struct challenge *list)
{
	static const enum sip_digest_algorithm algs[] = {SIP_DIGEST_SHA256, SIP_DIGEST_MD5};
	/* RFC 8760 §3: somebody on the way may have left out the better one. */
	size_t n = 0, known = by->ua->past_md5 ? 1 : 2;

	for (size_t i = 0; i < known; i++) {
		n = gather(by, SIP_H_WWW_AUTHENTICATE, algs[i], list, n);
		n = gather(by, SIP_H_PROXY_AUTHENTICATE, algs[i], list, n);
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

/* How a request is to go out once more. */
struct anew {
	struct view uri;
	uint32_t seq;
	bool elsewhere; /* the credentials were for another URI */
	const struct challenge *list;
	size_t n;
};

/* Fields that are written anew: CSeq and body fields, and credentials that a challenge replaces. */
static bool rewritten(const struct sip_msg *m, int field, const struct anew *how)
{
	enum sip_header_id id = m->field[field].id;
	struct sip_auth a;

	if (id == SIP_H_CONTENT_LENGTH || id == SIP_H_CONTENT_TYPE)
		return true;
	if (id != SIP_H_AUTHORIZATION && id != SIP_H_PROXY_AUTHORIZATION)
		return false;
	return how->elsewhere ||
	       (sip_auth_parse(sip_field_value(m, field), &a) == 0 &&
		challenge_of(how->list, how->n, id == SIP_H_PROXY_AUTHORIZATION, a.realm));
}

/* The same request with another CSeq and with credentials for the challenges, keeping those for
 * other realms. */
static int write_again(struct buf *b, const struct sip_ua *ua, const struct sip_msg *m,
		       const struct anew *how)
{
	int rc = 0;

	sip_write_request_line(b, m->method_name, how->uri);
	for (int i = 0; i < m->n_fields; i++) {
		if (rewritten(m, i, how))
			continue;
		if (m->field[i].id == SIP_H_CSEQ)
			sip_write_fieldf(b, "CSeq", "%u %.*s", how->seq, VIEW_ARG(m->method_name));
		else
			buf_putf(b, "%.*s: %.*s\r\n", VIEW_ARG(sip_field_name(m, i)),
				 VIEW_ARG(sip_field_value(m, i)));
	}
	for (size_t i = 0; rc == 0 && i < how->n; i++)
		rc = sip_credentials_write(b, ua->cfg.digest, sip_stack_entropy(ua->stack),
					   how->list[i].proxy, &how->list[i].auth,
					   view_str(ua->user), view_str(ua->password),
					   m->method_name, how->uri, 1);
	sip_write_body(b, sip_msg_value(m, SIP_H_CONTENT_TYPE), m->body);
	return rc ? rc : buf_ok(b) ? 0 : E_NOMEM;
}

/* The same request, as `how` has it but for the CSeq number, which is the next one. */
static int rewrite(struct sip_uac *uac, const struct sip_msg *m, struct anew *how)
{
	struct sip_cseq cseq;
	struct buf b;
	char *bytes;
	size_t len;
	int rc;

	if (sip_msg_cseq(m, &cseq))
		return E_SYNTAX;
	how->seq = uac->seq ? *uac->seq + 1 : cseq.number + 1;
	buf_init(&b, sip_stack_get_config(uac->ua->stack)->max_message);
	rc = write_again(&b, uac->ua, m, how);
	bytes = rc ? NULL : buf_take(&b, &len);
	buf_fini(&b);
	if (!bytes)
		return rc ? rc : E_NOMEM;
	if (uac->seq)
		*uac->seq = how->seq;
	free(uac->request);
	uac->request = bytes;
	uac->request_n = len;
	return 0;
}

/* E_DENIED: the credentials were refused; E_NOTFOUND: no challenge that can be answered. */
static int with_credentials(struct sip_uac *uac, const struct sip_msg *response)
{
	struct challenge list[CHALLENGES_MAX];
	struct anew how = {.list = list};
	struct sip_msg m;

	if (sip_msg_parse(view_of(uac->request, uac->request_n), &m))
		return E_SYNTAX;
	how.uri = m.uri;
	how.n = pick_challenges(&(struct asked){uac->ua, &m, response}, list);
	if (how.n == 0)
		return E_NOTFOUND;
	if (refused(&m, list, how.n))
		return E_DENIED;
	return rewrite(uac, &m, &how);
}

static void give_up(struct sip_uac *uac, int error, uint64_t now_ms)
{
	if (uac->h)
		uac->h->on_failed(uac->ctx, uac, error, now_ms);
	if (uac->h && uac->h->on_gone)
		uac->h->on_gone(uac->ctx, uac);
	uac_free(uac);
}

/* What was sent last is over: nothing more is heard of it. */
static void forget_tx(struct sip_uac *uac)
{
	if (uac->tx)
		sip_client_tx_detach(uac->tx);
	uac->tx = NULL;
}

static void relaunch(struct sip_uac *uac, uint64_t now_ms)
{
	int rc;

	forget_tx(uac);
	rc = launch(uac, now_ms);
	if (rc)
		give_up(uac, rc, now_ms);
}

static bool answer_challenge(struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	if ((m->status != 401 && m->status != 407) || uac->cancelled || !uac->ua->user[0] ||
	    uac->tries >= TRIES_MAX || with_credentials(uac, m))
		return false;
	relaunch(uac, now_ms);
	return true;
}

/* --- other places, other times --- */

/* A request outside dialogs whose sender still cares. A registration knows itself where to go. */
static bool may_try_again(const struct sip_uac *uac, struct sip_msg *request)
{
	struct sip_addr to;

	return !uac->cancelled && uac->h &&
	       sip_msg_parse(view_of(uac->request, uac->request_n), request) == 0 &&
	       request->method != SIP_REGISTER && sip_msg_to(request, &to) == 0 &&
	       !sip_addr_tag(&to).n;
}

static bool try_next(struct sip_uac *uac, const struct sip_msg *request, uint64_t now_ms)
{
	struct anew how = {.elsewhere = true};

	how.uri = sip_targets_next(uac->targets);
	if (!how.uri.n || rewrite(uac, request, &how))
		return false;
	log_line(sip_stack_log(uac->ua->stack), LOG_INFO, "sip", "redirected to %.*s",
		 VIEW_ARG(how.uri));
	uac->tries = 0;
	relaunch(uac, now_ms);
	return true;
}

/* RFC 3261 §8.1.3.4: a failure of one place leads to the next, but 6xx speaks for all of them. */
static bool redirect(struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_msg request;

	if (!uac->ua->cfg.redirects || m->status < 300 || m->status >= 600 ||
	    (!uac->targets && !sip_is_redirection(m->status)) || !may_try_again(uac, &request))
		return false;
	if (!uac->targets) {
		uac->targets = calloc(1, sizeof(*uac->targets));
		if (!uac->targets || sip_targets_init(uac->targets, request.uri))
			return false;
	}
	if (sip_is_redirection(m->status))
		sip_targets_add(uac->targets, m);
	return try_next(uac, &request, now_ms);
}

static void wait_over(void *ctx, uint64_t now_ms)
{
	struct sip_uac *uac = ctx;
	struct anew how = {0};
	struct sip_msg m;
	int rc = E_TIMEOUT;

	if (uac->h && !uac->cancelled) {
		rc = sip_msg_parse(view_of(uac->request, uac->request_n), &m);
		how.uri = m.uri;
		rc = rc ? rc : rewrite(uac, &m, &how);
	}
	if (rc)
		give_up(uac, rc, now_ms);
	else
		relaunch(uac, now_ms);
}

/* §20.33, §21.5.4: it may go better in so many seconds. */
static bool wait(struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_msg request;
	uint32_t seconds;

	if (m->status != 503 || uac->waits >= WAITS_MAX || !sip_retry_after(m, &seconds) ||
	    seconds > uac->ua->cfg.max_wait_s || !may_try_again(uac, &request))
		return false;
	uac->waits++;
	uac->tries = 0;
	forget_tx(uac);
	/* At least as long as a lost message would have been waited for. */
	timer_arm(uac->ua->timers, &uac->again,
		  now_ms + (seconds ? (uint64_t)seconds * 1000 : 500));
	return true;
}

static void on_response(void *ctx, struct sip_client_tx *tx, const struct sip_msg *m,
			uint64_t now_ms)
{
	struct sip_uac *uac = ctx;
	struct sip_msg request;

	(void)tx;
	if (answer_challenge(uac, m, now_ms) || redirect(uac, m, now_ms) || wait(uac, m, now_ms))
		return;
	if (m->status / 100 == 2 && uac->ua->realm[0] &&
	    sip_msg_parse(view_of(uac->request, uac->request_n), &request) == 0)
		learn_realms(uac->ua, &request);
	if (uac->h)
		uac->h->on_response(uac->ctx, uac, m, now_ms);
}

static void on_failed(void *ctx, struct sip_client_tx *tx, int error, uint64_t now_ms)
{
	struct sip_uac *uac = ctx;
	struct sip_msg request;

	(void)tx;
	if (uac->targets && may_try_again(uac, &request) && try_next(uac, &request, now_ms))
		return;
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
	timer_init(&uac->again, wait_over, uac);
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
	else if (timer_armed(&uac->again))
		timer_arm(uac->ua->timers, &uac->again, now_ms);
}

void sip_uac_hurry(struct sip_uac *uac)
{
	uac->waits = WAITS_MAX;
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
