/* The implicit subscription that a REFER makes, and its NOTIFYs with message/sipfrag (CF-9.3-4; RFC
 * 3515 §2.4.4, RFC 6665, RFC 7647): inside the participant's dialog, or in a dialog of its own for
 * a REFER that came outside one. */
#include "server/controlling/focus.h"

#include "base/error.h"
#include "body/sipfrag.h"
#include "procedure/refer.h"
#include "sip/write.h"

#include <stdlib.h>

enum {
	QUEUE_MAX = 8,	 /* statuses that wait for the NOTIFY before them */
	EXPIRES_S = 300, /* no INVITE is under way as long as that */
	SIPFRAG_MAX = 256,
};

struct referral {
	struct list link;
	struct conference *conference;
	struct member *inside; /* whose dialog carries it; NULL: its own does */
	struct sip_dialog dialog;
	uint32_t id;	  /* CSeq number of the REFER (RFC 3515 §2.4.6) */
	unsigned pending; /* targets whose fate is open */
	int worst;	  /* of those that are settled; 200 when all went well */
	int queue[QUEUE_MAX];
	unsigned n_queue;
	bool settled;		/* the last in the queue is the final one */
	bool over;		/* the final NOTIFY is on its way */
	struct sip_uac *notify; /* one at a time */
	struct timer expiry;
	uint64_t expires_at_ms;
};

static void referral_free(struct referral *r)
{
	struct conference *conf = r->conference;

	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (m->referral == r)
			m->referral = NULL;
	}
	timer_cancel(sip_stack_timers(conf->ctl->stack), &r->expiry);
	if (r->notify)
		sip_uac_detach(r->notify);
	list_del(&r->link);
	sip_dialog_fini(&r->dialog);
	free(r);
}

/* Freed at the end of a handler: the conference may have waited for it. */
static void referral_end(struct referral *r)
{
	struct conference *conf = r->conference;

	conference_hold(conf);
	referral_free(r);
	conference_release(conf);
}

static void send_next(struct referral *r, uint64_t now_ms);

static void notified(void *ctx, struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	struct referral *r = ctx;

	if (m->status < 200)
		return;
	sip_uac_detach(uac);
	r->notify = NULL;
	if (r->over || m->status >= 300) /* RFC 6665 §4.2.2 */
		referral_end(r);
	else
		send_next(r, now_ms);
}

static void not_notified(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms)
{
	struct referral *r = ctx;

	(void)error;
	(void)now_ms;
	sip_uac_detach(uac);
	r->notify = NULL;
	referral_end(r);
}

static const struct sip_uac_handler notify_handler = {.on_response = notified,
						      .on_failed = not_notified};

static void write_fields(struct referral *r, struct buf *b, bool last, uint64_t now_ms)
{
	struct conference *conf = r->conference;
	uint64_t left = r->expires_at_ms > now_ms ? (r->expires_at_ms - now_ms) / 1000 : 0;

	sip_write_fieldf(b, "Event", "refer;id=%u", (unsigned)r->id);
	if (last)
		sip_write_field(b, "Subscription-State", VIEW("terminated;reason=noresource"));
	else
		sip_write_fieldf(b, "Subscription-State", "active;expires=%u", (unsigned)left);
	sip_write_fieldf(b, "Contact", "<%s>;isfocus", conf->uri);
	sip_write_field(b, "User-Agent", view_str(conf->ctl->release));
}

static int send(struct referral *r, int status, bool last, uint64_t now_ms)
{
	const struct view type = VIEW("message/sipfrag;version=2.0");
	struct sip_ua *ua = r->conference->ctl->ua;
	struct sip_flow flow;
	struct buf b, body;
	int rc;

	buf_init(&b, SIP_HEAD_BYTES_MAX);
	buf_init(&body, SIPFRAG_MAX);
	sipfrag_write(&body, status, view_str(sip_reason(status)));
	if (r->inside) {
		write_fields(r, &b, last, now_ms);
		rc = buf_ok(&b) ? sip_session_request(r->inside->session, VIEW("NOTIFY"),
						      buf_view(&b), type, buf_view(&body),
						      &notify_handler, r, now_ms, &r->notify)
				: E_NOMEM;
	} else {
		(void)sip_dialog_write_request(&r->dialog, &b, VIEW("NOTIFY"), 0);
		write_fields(r, &b, last, now_ms);
		sip_write_body(&b, type, buf_view(&body));
		rc = buf_ok(&b) ? sip_dialog_next_hop(&r->dialog, &flow) : E_NOMEM;
		if (rc == 0)
			rc = sip_uac_send(ua, buf_view(&b), &flow, &r->dialog.local_seq,
					  &notify_handler, r, now_ms, &r->notify);
	}
	buf_fini(&b);
	buf_fini(&body);
	return rc;
}

static void send_next(struct referral *r, uint64_t now_ms)
{
	int status;

	if (r->notify || r->n_queue == 0)
		return;
	status = r->queue[0];
	r->n_queue--;
	memmove(r->queue, r->queue + 1, r->n_queue * sizeof(r->queue[0]));
	r->over = r->settled && r->n_queue == 0;
	if (send(r, status, r->over, now_ms) == 0)
		return;
	log_line(sip_stack_log(r->conference->ctl->stack), LOG_WARN, "focus",
		 "a NOTIFY of a REFER could not be sent");
	/* It ends, but not here: who pushed holds it still. */
	r->settled = r->over = true;
	r->n_queue = 0;
	timer_arm(sip_stack_timers(r->conference->ctl->stack), &r->expiry, now_ms);
}

static void push(struct referral *r, int status, uint64_t now_ms)
{
	/* Of provisional answers the latest counts. */
	if (r->n_queue == QUEUE_MAX)
		r->n_queue--;
	r->queue[r->n_queue++] = status;
	send_next(r, now_ms);
}

static void expired(void *ctx, uint64_t now_ms)
{
	struct referral *r = ctx;

	if (r->over && !r->notify) {
		referral_end(r);
		return;
	}
	if (r->settled)
		return;
	r->settled = true;
	push(r, 408, now_ms);
}

/* RFC 3515 §2.4.4: a SUBSCRIBE may ask for more time, or with Expires 0 for the end. */
static void refresh(struct referral *r, struct sip_server_tx *tx, const struct sip_msg *m,
		    uint64_t now_ms)
{
	struct timers *q = sip_stack_timers(r->conference->ctl->stack);
	uint32_t seconds = EXPIRES_S;

	(void)view_to_u32(sip_msg_value(m, SIP_H_EXPIRES), &seconds);
	if (seconds > EXPIRES_S)
		seconds = EXPIRES_S;
	conference_grant(r->conference, tx, m, seconds, now_ms);
	if (r->settled)
		return;
	r->expires_at_ms = now_ms + (uint64_t)seconds * 1000;
	timer_arm(q, &r->expiry, r->expires_at_ms);
	/* RFC 6665 §4.2.1.2: a NOTIFY at once, here with what is known so far. */
	r->settled = seconds == 0;
	push(r, 100, now_ms);
}

static void on_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
		       uint64_t now_ms)
{
	struct referral *r = ctx;
	uint32_t id;

	if (m->method != SIP_SUBSCRIBE)
		(void)sip_server_tx_reply(tx, 405, NULL, VIEW("Allow: SUBSCRIBE\r\n"), now_ms);
	else if (refer_event_id(sip_msg_value(m, SIP_H_EVENT), &id))
		(void)sip_server_tx_reply(tx, 489, NULL, VIEW("Allow-Events: refer\r\n"), now_ms);
	else
		refresh(r, tx, m, now_ms);
}

static const struct sip_dialog_owner referral_owner = {.on_request = on_request};

void referral_subscribe(struct member *inside, struct sip_server_tx *tx, const struct sip_msg *m,
			uint64_t now_ms)
{
	struct sip_token_params event;
	uint32_t id;

	if (sip_token_params_parse(sip_msg_value(m, SIP_H_EVENT), &event) == 0 &&
	    view_eq(event.token, VIEW("conference"))) {
		/* RFC 6665 §4.5.2: to the conference URI, in a dialog of its own. */
		(void)sip_server_tx_reply(tx, 403, "Dialog Sharing Not Supported", VIEW(""),
					  now_ms);
		return;
	}
	if (refer_event_id(sip_msg_value(m, SIP_H_EVENT), &id)) {
		(void)sip_server_tx_reply(tx, 489, NULL, VIEW("Allow-Events: refer\r\n"), now_ms);
		return;
	}
	LIST_EACH(l, next, &inside->conference->referrals)
	{
		struct referral *r = CONTAINER(l, struct referral, link);

		/* Without an id, the first one is meant (§2.4.6). */
		if (r->inside == inside && (!id || r->id == id)) {
			refresh(r, tx, m, now_ms);
			return;
		}
	}
	(void)sip_server_tx_reply(tx, 481, NULL, VIEW(""), now_ms);
}

int referral_new(struct conference *conf, struct member *inside, struct sip_server_tx *tx,
		 const struct sip_msg *m, struct referral **out)
{
	struct referral *r;
	struct sip_cseq cseq;
	size_t n = 0;
	int rc;

	LIST_EACH(l, next, &conf->referrals)
	n++;
	if (n >= REFERRALS_MAX)
		return E_LIMIT;
	if (sip_msg_cseq(m, &cseq))
		return E_SYNTAX;
	r = calloc(1, sizeof(*r));
	if (!r)
		return E_NOMEM;
	r->conference = conf;
	r->inside = inside;
	r->id = cseq.number;
	r->worst = 200;
	timer_init(&r->expiry, expired, r);
	rc = inside ? 0
		    : sip_dialog_init_uas(&r->dialog, conf->ctl->ua, m, sip_server_tx_to_tag(tx),
					  &referral_owner, r);
	if (rc) {
		free(r);
		return rc;
	}
	list_add_tail(&conf->referrals, &r->link);
	*out = r;
	return 0;
}

void referral_expect(struct referral *r)
{
	if (r)
		r->pending++;
}

void referral_begin(struct referral *r, uint64_t now_ms)
{
	if (!r || r->over)
		return;
	r->expires_at_ms = now_ms + (uint64_t)EXPIRES_S * 1000;
	timer_arm(sip_stack_timers(r->conference->ctl->stack), &r->expiry, r->expires_at_ms);
	if (r->pending == 0) {
		r->settled = true;
		push(r, r->worst, now_ms);
	} else {
		push(r, 100, now_ms);
	}
}

void referral_progress(struct referral *r, int status, uint64_t now_ms)
{
	/* Of several, one's ringing says nothing of the others. */
	if (r && !r->settled && r->pending == 1)
		push(r, status, now_ms);
}

void referral_settle(struct referral *r, int status, uint64_t now_ms)
{
	if (!r || r->settled || !r->pending)
		return;
	if (status >= 300 && status > r->worst)
		r->worst = status;
	if (--r->pending)
		return;
	/* Before it has begun, referral_begin tells. */
	if (!r->expires_at_ms)
		return;
	r->settled = true;
	push(r, r->worst, now_ms);
}

void member_settle(struct member *m, int status, uint64_t now_ms)
{
	struct referral *r = m->referral;

	m->referral = NULL;
	referral_settle(r, status, now_ms);
}

void referrals_drop_inside(struct member *inside)
{
	LIST_EACH(l, next, &inside->conference->referrals)
	{
		struct referral *r = CONTAINER(l, struct referral, link);

		if (r->inside == inside)
			referral_free(r);
	}
}

void referrals_drop(struct conference *conf)
{
	LIST_EACH(l, next, &conf->referrals)
	referral_free(CONTAINER(l, struct referral, link));
}
