/* 7.1.2 "IM Client initiates an IM Session", and the INVITEs of 7.1.4. */
#include "client/state.h"

#include "base/error.h"
#include "procedure/upgrade.h"
#include "sip/write.h"

#include <stdlib.h>

int leg_invite(struct leg *leg, struct view uri, struct view content_type, struct view body,
	       struct view extra, uint64_t now_ms)
{
	struct client *c = leg->conversation->client;
	struct sip_invite invite = {.uri = uri,
				    .from = view_str(c->from),
				    .content_type = content_type,
				    .body = body,
				    .flow = client_flow(c)};
	struct im_profile p;
	struct buf lines, contact;
	int rc;

	client_profile(c, &p);
	buf_init(&lines, SIP_HEAD_BYTES_MAX);
	buf_init(&contact, 1024);
	im_write_accept_contact(&lines, &p);
	im_write_initial(&lines, &p);
	buf_put(&lines, extra);
	buf_puts(&lines, c->service_route ? c->service_route : "");
	im_write_contact(&contact, &p, view_str(c->contact), false);
	invite.extra = buf_view(&lines);
	invite.contact = buf_view(&contact);
	rc = buf_ok(&lines) && buf_ok(&contact)
		     ? sip_session_invite(c->ua, &invite, &originated, leg, now_ms, &leg->sip)
		     : E_NOMEM;
	buf_fini(&lines);
	buf_fini(&contact);
	return rc;
}

static int invite_one(struct leg *leg, struct view uri, uint64_t now_ms)
{
	struct buf sdp;
	int rc;

	buf_init(&sdp, SIP_HEAD_BYTES_MAX);
	rc = leg_write_offer(leg, &sdp, now_ms);
	if (rc == 0)
		rc = leg_invite(leg, uri, VIEW("application/sdp"), buf_view(&sdp), VIEW(""), now_ms);
	buf_fini(&sdp);
	return rc;
}

/* What RCS phones say of a group, so that they find it again. */
static void write_group(struct conversation *v, struct buf *extra)
{
	char token[33];

	if (!v->contribution)
		v->contribution = view_dup(view_str(entropy_token(v->client->entropy, token, 32)));
	if (v->contribution)
		sip_write_field(extra, "Contribution-ID", view_str(v->contribution));
	if (v->subject && v->subject[0])
		sip_write_field(extra, "Subject", view_str(v->subject));
}

/* The factory, with a list: from the start (7.1.2-3), or with the peer of a running session (7.1.4). */
int leg_invite_many(struct leg *leg, const struct view *uri, size_t n, struct leg *running,
		    uint64_t now_ms)
{
	struct client *c = leg->conversation->client;
	char boundary[25];
	struct upgrade u = {.invitees = uri, .n_invitees = n};
	struct buf sdp, body, type, extra;
	int rc;

	buf_init(&sdp, SIP_HEAD_BYTES_MAX);
	buf_init(&body, (size_t)SIP_HEAD_BYTES_MAX * 2);
	buf_init(&type, 256);
	buf_init(&extra, 256);
	rc = leg_write_offer(leg, &sdp, now_ms);
	u.sdp = buf_view(&sdp);
	u.boundary = view_str(entropy_token(c->entropy, boundary, 24));
	if (running) {
		u.peer = view_str(running->peer);
		u.dialog = sip_session_dialog(running->sip);
	}
	upgrade_write_fields(&extra);
	write_group(leg->conversation, &extra);
	if (rc == 0)
		rc = upgrade_write_body(&body, &type, &u);
	if (rc == 0)
		rc = leg_invite(leg, view_str(c->factory), buf_view(&type), buf_view(&body),
				buf_view(&extra), now_ms);
	buf_fini(&sdp);
	buf_fini(&body);
	buf_fini(&type);
	buf_fini(&extra);
	return rc;
}

static int check_uris(const struct view *uri, size_t n)
{
	struct sip_uri u;

	if (n == 0 || n > 255)
		return E_RANGE;
	for (size_t i = 0; i < n; i++)
		if (sip_uri_parse(uri[i], &u) || u.scheme == SIP_SCHEME_OTHER || !u.host.n)
			return E_SYNTAX;
	return 0;
}

int leg_invite_conference(struct leg *leg, struct view uri, uint64_t now_ms)
{
	struct buf sdp, extra;
	int rc;

	buf_init(&sdp, SIP_HEAD_BYTES_MAX);
	buf_init(&extra, 1024);
	write_group(leg->conversation, &extra);
	rc = leg_write_offer(leg, &sdp, now_ms);
	if (rc == 0)
		rc = leg_invite(leg, uri, VIEW("application/sdp"), buf_view(&sdp), buf_view(&extra), now_ms);
	buf_fini(&sdp);
	buf_fini(&extra);
	return rc;
}

static int keep_options(struct conversation *v, const struct client_call_options *o, const struct view *uri,
			size_t n)
{
	if (!o)
		return 0;
	if (o->subject.n && !(v->subject = view_dup(o->subject)))
		return E_NOMEM;
	if (o->contribution.n && !(v->contribution = view_dup(o->contribution)))
		return E_NOMEM;
	if (!o->rejoin.n || !n)
		return 0;
	v->rejoin_with = calloc(n, sizeof(*v->rejoin_with));
	for (; v->rejoin_with && v->n_rejoin_with < n; v->n_rejoin_with++) {
		v->rejoin_with[v->n_rejoin_with] = view_dup(uri[v->n_rejoin_with]);
		if (!v->rejoin_with[v->n_rejoin_with])
			return E_NOMEM;
	}
	return v->rejoin_with ? 0 : E_NOMEM;
}

static bool is_token_text(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7f)
			return false;
	return true;
}

static int check_call(struct client *c, const struct view *uri, size_t n, const struct client_call_options *o)
{
	int rc = 0;

	if (o && o->rejoin.n)
		rc = check_uris(&o->rejoin, 1);
	if (rc == 0 && (n || !o || !o->rejoin.n))
		rc = check_uris(uri, n);
	if (rc == 0 && o && (!is_token_text(o->subject) || !is_token_text(o->contribution)))
		rc = E_SYNTAX;
	if (rc == 0 && (c->n_conversations >= c->cfg.max_conversations || c->closing))
		rc = E_LIMIT;
	return rc;
}

int client_call_with(struct client *c, const struct view *uri, size_t n,
		     const struct client_call_options *o, uint32_t *conversation_out, uint64_t now_ms)
{
	struct view rejoin = o ? o->rejoin : VIEW("");
	bool group = n > 1 || rejoin.n || (o && o->conference);
	struct conversation *v;
	struct leg *leg;
	int rc = check_call(c, uri, n, o);

	if (rc)
		return rc;
	v = conversation_new(c, rejoin.n ? rejoin : group ? view_str(c->factory) : uri[0]);
	leg = v && keep_options(v, o, uri, n) == 0 ? leg_new(v, group) : NULL;
	if (!leg) {
		if (v)
			conversation_drop(v, now_ms);
		return E_NOMEM;
	}
	v->current = leg;
	leg->peer = view_dup(view_str(v->peer));
	if (rejoin.n)
		rc = leg_invite_conference(leg, rejoin, now_ms);
	else
		rc = group ? leg_invite_many(leg, uri, n, NULL, now_ms) : invite_one(leg, uri[0], now_ms);
	if (rc) {
		conversation_drop(v, now_ms);
		return rc;
	}
	*conversation_out = v->id;
	return 0;
}

int client_call(struct client *c, const struct view *uri, size_t n, uint32_t *conversation_out,
		uint64_t now_ms)
{
	return client_call_with(c, uri, n, NULL, conversation_out, now_ms);
}

int client_add(struct client *c, uint32_t conversation, const struct view *uri, size_t n, uint64_t now_ms)
{
	struct conversation *v = conversation_find(c, conversation);
	struct leg *leg;
	int rc = check_uris(uri, n);

	if (rc)
		return rc;
	if (!v || !v->current)
		return E_NOTFOUND;
	if (v->current->conference)
		return leg_add_users(v->current, uri, n, now_ms);
	/* Only a confirmed dialog can be named in Replaces. */
	if (v->current->state != LEG_OPEN || v->old || v->offered ||
	    sip_session_state(v->current->sip) != SIP_SESSION_CONFIRMED)
		return E_STATE;
	leg = leg_new(v, true);
	if (!leg)
		return E_NOMEM;
	leg->peer = view_dup(view_str(c->factory));
	rc = leg_invite_many(leg, uri, n, v->current, now_ms);
	if (rc) {
		leg_free(leg, now_ms);
		return rc;
	}
	move_begin_here(v, leg, now_ms);
	return 0;
}

/* --- what comes back --- */

static void on_progress(void *ctx, struct sip_session *s, const struct sip_msg *m, uint64_t now_ms)
{
	struct leg *leg = ctx;
	struct confab_event ev;

	(void)s;
	(void)now_ms;
	if (!leg || m->status < 180 || leg->conversation->old)
		return;
	ev = event_of(leg->conversation, CONFAB_RINGING);
	ev.status = m->status;
	client_emit(leg->conversation->client, &ev);
}

/* IC-8.3.1-4 and R-9: Contact is the IM Session Identity; a focus says isfocus. */
static void learn_identity(struct leg *leg, const struct sip_msg *m)
{
	struct sip_values it;
	struct sip_addr a;
	struct sip_uri u;
	struct view v;

	free(leg->allow);
	leg->allow = view_dup(sip_msg_value(m, SIP_H_ALLOW));
	sip_values_start(&it, m, SIP_H_CONTACT);
	if (!sip_values_next(&it, &v) || sip_addr_parse(v, &a) || sip_uri_parse(a.uri, &u))
		return;
	if (!leg->conference && !sip_param(a.params, VIEW("isfocus"), NULL))
		return;
	leg->conference = true;
	free(leg->peer);
	leg->peer = view_dup(view_first(a.uri, a.uri.n - u.params.n));
}

static void on_answered(void *ctx, struct sip_session *s, const struct sip_msg *m, uint64_t now_ms)
{
	struct leg *leg = ctx;
	struct conversation *v;

	(void)s;
	if (!leg)
		return;
	v = leg->conversation;
	learn_identity(leg, m);
	if (leg_read_answer(leg, m, now_ms) == 0)
		return;
	log_line(v->client->log, LOG_WARN, "client", "conversation %u: the answer cannot be used", v->id);
	leg_hang_up(leg, VIEW("Reason: SIP;cause=488;text=\"Not Acceptable Here\"\r\n"), now_ms);
	if (v->old)
		move_failed(v, 488, "the answer cannot be used", now_ms);
	else
		conversation_end(v, 488, "the answer cannot be used", now_ms);
}

static void on_reinvite(void *ctx, struct sip_session *s, struct sip_server_tx *tx, const struct sip_msg *m,
			uint64_t now_ms)
{
	(void)s;
	if (ctx)
		leg_reinvited(ctx, tx, m, now_ms);
	else
		(void)sip_server_tx_reply(tx, 481, NULL, VIEW(""), now_ms);
}

static void on_ended(void *ctx, struct sip_session *s, enum sip_session_end why, int status,
		     const struct sip_msg *m, uint64_t now_ms)
{
	(void)s;
	if (ctx)
		leg_ended(ctx, why, status, m, now_ms);
}

static void on_request(void *ctx, struct sip_session *s, struct sip_server_tx *tx, const struct sip_msg *m,
		       uint64_t now_ms)
{
	(void)s;
	leg_requested(ctx, tx, m, now_ms);
}

const struct sip_session_handler originated = {
	.on_request = on_request,
	.on_progress = on_progress,
	.on_answered = on_answered,
	.on_reinvite = on_reinvite,
	.on_ended = on_ended,
};
