/* The UA itself, and requests that answer a challenge (RFC 3261 §8.1.3.5, §22). */
#include "sip/ua_table.h"

#include "base/error.h"
#include "sip/digest.h"
#include "sip/write.h"

#include <stdlib.h>

enum { TRIES_MAX = 3 }; /* the first, one with credentials, one more for a stale nonce */

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
	ua->cfg = *cfg;
	ua->user = view_dup(cfg->user);
	ua->password = view_dup(cfg->password);
	if (!ua->user || !ua->password) {
		sip_ua_free(ua);
		return NULL;
	}
	key[0] = entropy_u64(sip_stack_entropy(stack));
	key[1] = entropy_u64(sip_stack_entropy(stack));
	hash_init(&ua->dialogs, cfg->max_dialogs, key);
	list_init(&ua->uacs);
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
	while (ua->uacs.next && !list_empty(&ua->uacs)) {
		struct sip_uac *uac = CONTAINER(ua->uacs.next, struct sip_uac, link);

		if (uac->tx)
			sip_client_tx_detach(uac->tx);
		uac_free(uac);
	}
	hash_fini(&ua->dialogs);
	free(ua->user);
	free(ua->password);
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

/* The same request with the next CSeq and with credentials in place of older ones. */
static int with_credentials(struct sip_uac *uac, const struct sip_auth *challenge, bool proxy)
{
	struct sip_ua *ua = uac->ua;
	struct sip_msg m;
	struct sip_cseq cseq;
	struct buf b;
	char *bytes;
	size_t n;
	int rc;

	if (sip_msg_parse(view_of(uac->request, uac->request_n), &m) || sip_msg_cseq(&m, &cseq))
		return E_SYNTAX;
	if (uac->seq)
		cseq.number = ++*uac->seq;
	else
		cseq.number++;
	buf_init(&b, SIP_HEAD_BYTES_MAX * 8);
	sip_write_request_line(&b, m.method_name, m.uri);
	for (int i = 0; i < m.n_fields; i++) {
		enum sip_header_id id = m.field[i].id;

		if (id == (proxy ? SIP_H_PROXY_AUTHORIZATION : SIP_H_AUTHORIZATION) ||
		    id == SIP_H_CONTENT_LENGTH || id == SIP_H_CONTENT_TYPE)
			continue;
		if (id == SIP_H_CSEQ)
			sip_write_fieldf(&b, "CSeq", "%u %.*s", cseq.number,
					 VIEW_ARG(m.method_name));
		else
			buf_putf(&b, "%.*s: %.*s\r\n", VIEW_ARG(sip_field_name(&m, i)),
				 VIEW_ARG(sip_field_value(&m, i)));
	}
	rc = sip_credentials_write(&b, ua->cfg.digest, sip_stack_entropy(ua->stack), proxy,
				   challenge, view_str(ua->user), view_str(ua->password),
				   m.method_name, m.uri, 1);
	sip_write_body(&b, sip_msg_value(&m, SIP_H_CONTENT_TYPE), m.body);
	bytes = rc ? NULL : buf_take(&b, &n);
	if (!bytes) {
		buf_fini(&b);
		return rc ? rc : E_NOMEM;
	}
	free(uac->request);
	uac->request = bytes;
	uac->request_n = n;
	return 0;
}

static bool answer_challenge(struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_auth challenge;
	struct sip_client_tx *old = uac->tx;
	bool proxy;

	if ((m->status != 401 && m->status != 407) || uac->cancelled || !uac->ua->user[0] ||
	    uac->tries >= TRIES_MAX)
		return false;
	if (sip_challenge_pick(m, &challenge, &proxy))
		return false;
	/* A second challenge that does not say "stale" refuses the credentials. */
	if (uac->tries > 1 && !challenge.stale)
		return false;
	if (with_credentials(uac, &challenge, proxy))
		return false;
	sip_client_tx_detach(old);
	uac->tx = NULL;
	if (launch(uac, now_ms)) {
		if (uac->h)
			uac->h->on_failed(uac->ctx, uac, E_IO, now_ms);
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
	uac->request = malloc(request.n + 1);
	if (!uac->request) {
		uac_free(uac);
		return E_NOMEM;
	}
	memcpy(uac->request, request.p, request.n);
	uac->request_n = request.n;
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
