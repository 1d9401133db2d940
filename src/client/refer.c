/* REFERs of ours inside a conference's dialog, and the NOTIFYs that tell what becomes of them
 * (IC-7.1.3-2, R-4; RFC 3515, RFC 5368). */
#include "procedure/refer.h"

#include "base/error.h"
#include "body/sipfrag.h"
#include "client/state.h"
#include "sip/write.h"

#include <stdlib.h>

enum { REFERRALS_MAX = 64 };

struct referral {
	struct list link;
	struct leg *leg;
	struct sip_uac *uac; /* until it is answered */
	uint32_t seq;	     /* its CSeq number, by which NOTIFYs name it */
	bool remove, multiple;
	bool waiting;	    /* for the ACK that confirms the dialog */
	bool telling, dead; /* an event may be answered by leaving: freed once it was told */
	size_t n;
	char *user[];
};

static void referral_free(struct referral *r)
{
	if (r->uac)
		sip_uac_detach(r->uac);
	r->uac = NULL;
	list_del(&r->link);
	if (list_empty(&r->leg->referrals))
		leg_referrals_done(r->leg);
	r->dead = true;
	if (r->telling)
		return;
	for (size_t i = 0; i < r->n; i++)
		free(r->user[i]);
	free(r);
}

/* False: the person left meanwhile, and r is gone. */
static bool tell(struct referral *r, int status, struct view reason)
{
	struct conversation *v = r->leg->conversation;
	struct client *c = v->client;
	char text[128];

	(void)view_copy(reason, text, sizeof(text));
	r->telling = true;
	for (size_t i = 0; i < r->n && !r->dead && !glare_dropped(r->leg); i++) {
		struct confab_event ev = event_of(v, CONFAB_PROGRESS);

		if (!r->remove && recover_adds(v, r->user[i]))
			continue;
		ev.peer = r->user[i];
		ev.status = status;
		ev.text = text;
		ev.removing = r->remove;
		client_emit(c, &ev);
	}
	/* Of several it is the worst that is told, and not whose it is. */
	if (!r->remove && r->n == 1)
		people_declined(v, r->user[0], status);
	r->telling = false;
	if (!r->dead)
		return true;
	referral_free(r);
	return false;
}

/* RFC 3261 §8.1.3.5: a focus that knows no lists (420, 415) is asked for one at a time. */
static void refer_singly(struct referral *r, uint64_t now_ms)
{
	struct leg *leg = r->leg;

	/* Not found by what comes for these. */
	r->waiting = r->telling = true;
	for (size_t i = 0; i < r->n && !r->dead; i++) {
		struct view uri = view_str(r->user[i]);
		struct confab_event ev;
		int rc = leg_refer(leg, &uri, 1, r->remove, now_ms);

		if (!rc)
			continue;
		ev = event_of(leg->conversation, CONFAB_PROGRESS);
		ev.peer = r->user[i];
		ev.status = 503;
		ev.text = error_text(rc);
		ev.removing = r->remove;
		client_emit(leg->conversation->client, &ev);
	}
	r->waiting = r->telling = false;
	referral_free(r);
}

static void on_response(void *ctx, struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	struct referral *r = ctx;
	struct sip_cseq cseq;

	if (m->status < 200)
		return;
	sip_uac_detach(uac);
	r->uac = NULL;
	/* A challenge made it go out anew, under another number. */
	if (sip_msg_cseq(m, &cseq) == 0)
		r->seq = cseq.number;
	if (r->multiple && (m->status == 420 || m->status == 415)) {
		refer_singly(r, now_ms);
		return;
	}
	if (m->status >= 300 && !tell(r, m->status, m->reason))
		return;
	/* 202 is as good as 200, and says nothing of a subscription; Refer-Sub does. */
	if (m->status >= 300 || r->multiple ||
	    view_starts_nocase(sip_msg_value(m, SIP_H_REFER_SUB), VIEW("false")))
		referral_free(r);
}

static void on_failed(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms)
{
	struct referral *r = ctx;
	const char *text;
	int status = client_failure(error, &text);

	(void)now_ms;
	sip_uac_detach(uac);
	r->uac = NULL;
	if (tell(r, status, view_str(text)))
		referral_free(r);
}

static const struct sip_uac_handler handler = {.on_response = on_response, .on_failed = on_failed};

static struct referral *referral_new(struct leg *leg, const struct view *uri, size_t n, bool remove)
{
	struct referral *r;
	size_t running = 0;

	LIST_EACH(l, next, &leg->referrals)
	running++;
	r = running < REFERRALS_MAX ? calloc(1, sizeof(*r) + n * sizeof(r->user[0])) : NULL;
	if (!r)
		return NULL;
	r->leg = leg;
	r->remove = remove;
	r->multiple = n > 1;
	list_add_tail(&leg->referrals, &r->link);
	for (; r->n < n; r->n++) {
		r->user[r->n] = view_dup(uri[r->n]);
		if (!r->user[r->n]) {
			referral_free(r);
			return NULL;
		}
	}
	return r;
}

static void write_general(const struct client *c, struct buf *lines)
{
	struct buf contact;
	struct im_profile p;

	client_profile(c, &p);
	buf_init(&contact, 1024);
	im_write_contact(&contact, &p, view_str(c->contact), false);
	sip_write_field(lines, "Contact", buf_view(&contact));
	im_write_accept_contact(lines, &p);
	im_write_initial(lines, &p);
	buf_fini(&contact);
}

static int referral_send(struct referral *r, uint64_t now_ms)
{
	const struct client *c = r->leg->conversation->client;
	struct view *uri = calloc(r->n ? r->n : 1, sizeof(*uri));
	struct refer_request request = {.user = uri, .n = r->n, .remove = r->remove};
	struct buf lines, type, body, id;
	char token[27];
	int rc;

	if (!uri)
		return E_NOMEM;
	for (size_t i = 0; i < r->n; i++)
		uri[i] = view_str(r->user[i]);
	buf_init(&lines, SIP_HEAD_BYTES_MAX);
	buf_init(&type, 256);
	buf_init(&body, SIP_HEAD_BYTES_MAX);
	buf_init(&id, 512);
	buf_putf(&id, "%s@%s", entropy_token(c->entropy, token, 26), c->domain);
	request.content_id = buf_view(&id);
	write_general(c, &lines);
	rc = refer_write(&lines, &type, &body, &request);
	if (rc == 0)
		rc = sip_session_request(r->leg->sip, VIEW("REFER"), buf_view(&lines),
					 buf_view(&type), buf_view(&body), &handler, r, now_ms,
					 &r->uac);
	if (rc == 0)
		r->seq = sip_session_dialog(r->leg->sip)->local_seq;
	buf_fini(&lines);
	buf_fini(&type);
	buf_fini(&body);
	buf_fini(&id);
	free(uri);
	return rc;
}

int leg_refer(struct leg *leg, const struct view *uri, size_t n, bool remove, uint64_t now_ms)
{
	enum sip_session_state state = leg->sip ? sip_session_state(leg->sip) : SIP_SESSION_ENDED;
	struct referral *r;
	int rc;

	if (!leg->conference || leg->dialog_over ||
	    (state != SIP_SESSION_ANSWERED && state != SIP_SESSION_CONFIRMED))
		return E_STATE;
	if (leg_allowed(leg, VIEW("REFER")) == ALLOWED_NOT)
		return E_UNSUPPORTED;
	r = referral_new(leg, uri, n, remove);
	if (!r)
		return E_LIMIT;
	/* On its way a REFER may be quicker than the 200 that made the dialog: the ACK has to have
	 * come. */
	r->waiting = state == SIP_SESSION_ANSWERED;
	rc = r->waiting ? 0 : referral_send(r, now_ms);
	if (rc)
		referral_free(r);
	return rc;
}

void leg_confirmed(struct leg *leg, uint64_t now_ms)
{
	LIST_EACH(l, next, &leg->referrals)
	{
		struct referral *r = CONTAINER(l, struct referral, link);
		int rc = r->waiting ? referral_send(r, now_ms) : 0;

		r->waiting = false;
		if (!rc)
			continue;
		if (!tell(r, 503, view_str(error_text(rc))))
			return;
		referral_free(r);
	}
}

/* RFC 3515 §2.4.6: the id names the REFER; the first one's NOTIFYs may have none. */
static struct referral *find(const struct leg *leg, uint32_t id)
{
	struct referral *open = NULL;

	LIST_EACH(l, next, &leg->referrals)
	{
		struct referral *r = CONTAINER(l, struct referral, link);

		if (r->seq == id)
			return r;
		if (!open && !r->waiting && (!id || r->uac))
			open = r;
	}
	return open;
}

static void notified(struct leg *leg, struct sip_server_tx *tx, const struct sip_msg *m,
		     uint32_t id, uint64_t now_ms)
{
	struct referral *r = find(leg, id);
	struct sip_token_params state;
	struct sipfrag frag;

	if (!r) {
		(void)sip_server_tx_reply(tx, 481, NULL, VIEW(""), now_ms);
		return;
	}
	(void)sip_server_tx_reply(tx, 200, NULL, VIEW(""), now_ms);
	if (sip_content_is(sip_msg_value(m, SIP_H_CONTENT_TYPE), VIEW("message/sipfrag")) &&
	    sipfrag_parse(m->body, &frag) == 0 && !tell(r, frag.status, frag.reason))
		return;
	if (sip_token_params_parse(sip_msg_value(m, SIP_H_SUBSCRIPTION_STATE), &state) == 0 &&
	    view_eq_nocase(state.token, VIEW("terminated")))
		referral_free(r);
}

void leg_requested(struct leg *leg, struct sip_server_tx *tx, const struct sip_msg *m,
		   uint64_t now_ms)
{
	uint32_t id;

	if (!leg)
		(void)sip_server_tx_reply(tx, 481, NULL, VIEW(""), now_ms);
	else if (m->method == SIP_UPDATE)
		leg_updated(leg, tx, m, now_ms);
	else if (m->method != SIP_NOTIFY)
		(void)sip_server_tx_reply(tx, m->method == SIP_METHOD_OTHER ? 501 : 405, NULL,
					  VIEW("Allow: " IM_ALLOW "\r\n"), now_ms);
	else if (refer_event_id(sip_msg_value(m, SIP_H_EVENT), &id))
		(void)sip_server_tx_reply(tx, 489, NULL,
					  VIEW("Allow-Events: refer, conference\r\n"), now_ms);
	else
		notified(leg, tx, m, id, now_ms);
}

void leg_referrals_end(struct leg *leg)
{
	LIST_EACH(l, next, &leg->referrals)
	referral_free(CONTAINER(l, struct referral, link));
}
