/* 7.1.2 "IM Client initiates an IM Session", and the INVITEs of 7.1.4. */
#include "client/state.h"

#include "base/error.h"
#include "procedure/upgrade.h"
#include "sip/write.h"

#include <stdlib.h>

enum { AGAIN_MAX = 3 }; /* of one INVITE, after a 422 */

static int send_invite(struct leg *leg, uint64_t now_ms)
{
	struct client *c = leg->conversation->client;
	struct sip_invite invite = {.uri = view_str(leg->asked[0]),
				    .from = view_str(c->from),
				    .content_type = view_str(leg->asked[1]),
				    .body = view_str(leg->asked[2]),
				    .flow = client_flow(c),
				    /* A chat that is to move, or to come back, has something
				     * better to do than to wait. */
				    .hurried = leg != leg->conversation->current ||
					       leg->conversation->recovery.on,
				    .again = leg->refused};
	struct im_profile p;
	struct buf lines, contact;
	int rc;

	client_profile(c, &p);
	buf_init(&lines, SIP_HEAD_BYTES_MAX);
	buf_init(&contact, 1024);
	im_write_accept_contact(&lines, &p);
	im_write_initial(&lines, &p);
	refresh_write_offer(leg, &lines);
	buf_puts(&lines, leg->asked[3]);
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

int leg_invite(struct leg *leg, struct view uri, struct view content_type, struct view body,
	       struct view extra, uint64_t now_ms)
{
	const struct view parts[4] = {uri, content_type, body, extra};

	for (int i = 0; i < 4; i++) {
		leg->asked[i] = view_dup(parts[i]);
		if (!leg->asked[i])
			return E_NOMEM;
	}
	return send_invite(leg, now_ms);
}

bool leg_invite_again(struct leg *leg, uint64_t now_ms)
{
	struct sip_session *refused = leg->sip;

	int rc;

	if (!leg->asked[0] || leg->state != LEG_INVITING || leg->again_tries >= AGAIN_MAX)
		return false;
	leg->again_tries++;
	leg->sip = NULL;
	leg->refused = refused;
	rc = send_invite(leg, now_ms);
	leg->refused = NULL;
	if (rc) {
		leg->sip = refused;
		return false;
	}
	sip_session_set_ctx(refused, NULL);
	sip_session_free(refused);
	return true;
}

/* What RCS phones say of a group or a chat, so that they find it again. */
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

/* The factory, with a list: from the start (7.1.2-3), or with the peer of a running session
 * (7.1.4). */
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

int leg_invite_peer(struct leg *leg, uint64_t now_ms)
{
	struct buf sdp, extra;
	int rc;

	buf_init(&sdp, SIP_HEAD_BYTES_MAX);
	buf_init(&extra, 1024);
	write_group(leg->conversation, &extra);
	rc = leg_write_offer(leg, &sdp, now_ms);
	if (rc == 0)
		rc = leg_invite(leg, view_str(leg->peer), VIEW("application/sdp"), buf_view(&sdp),
				buf_view(&extra), now_ms);
	buf_fini(&sdp);
	buf_fini(&extra);
	return rc;
}

static int keep_options(struct conversation *v, const struct client_call_options *o,
			const struct view *uri, size_t n)
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

static int check_call(struct client *c, const struct view *uri, size_t n,
		      const struct client_call_options *o)
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
		     const struct client_call_options *o, uint32_t *conversation_out,
		     uint64_t now_ms)
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
	if (rejoin.n || !group)
		rc = leg_invite_peer(leg, now_ms);
	else
		rc = leg_invite_many(leg, uri, n, NULL, now_ms);
	if (rc) {
		conversation_drop(v, now_ms);
		return rc;
	}
	if (group)
		people_asked(v, uri, n);
	if (group && !rejoin.n)
		people_made(v);
	*conversation_out = v->id;
	return 0;
}

int client_call(struct client *c, const struct view *uri, size_t n, uint32_t *conversation_out,
		uint64_t now_ms)
{
	return client_call_with(c, uri, n, NULL, conversation_out, now_ms);
}

int client_add(struct client *c, uint32_t conversation, const struct view *uri, size_t n,
	       uint64_t now_ms)
{
	struct conversation *v = conversation_find(c, conversation);
	struct view peer;
	struct leg *leg;
	int rc = check_uris(uri, n);

	if (rc)
		return rc;
	if (!v || !v->current)
		return E_NOTFOUND;
	if (v->current->conference) {
		rc = leg_add_users(v->current, uri, n, now_ms);
		if (rc == 0 && !v->ended)
			people_asked(v, uri, n);
		return rc;
	}
	/* Only a confirmed dialog can be named in Replaces. */
	if (v->current->state != LEG_OPEN || v->old || v->offered ||
	    sip_session_state(v->current->sip) != SIP_SESSION_CONFIRMED)
		return E_STATE;
	leg = leg_new(v, true);
	if (!leg)
		return E_NOMEM;
	leg->peer = view_dup(view_str(c->factory));
	rc = glare_begin(v, uri, n);
	if (rc == 0)
		rc = leg_invite_many(leg, uri, n, v->current, now_ms);
	if (rc) {
		glare_end(v);
		leg_free(leg, now_ms);
		return rc;
	}
	people_made(v);
	people_asked(v, uri, n);
	peer = view_str(v->current->peer);
	people_asked(v, &peer, 1);
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
	/* A forked call rings in many places; once is enough. */
	if (!leg || m->status < 180 || m->status == leg->rung || leg->conversation->old ||
	    glare_dropped(leg))
		return;
	leg->rung = m->status;
	ev = event_of(leg->conversation, CONFAB_RINGING);
	ev.status = m->status;
	client_emit(leg->conversation->client, &ev);
}

/* RFC 3261 §8.1.3.4: a redirection has led to somebody else, who is the one that others are to know
 * him by from here on. */
static void learn_redirected(struct leg *leg)
{
	struct view uri = sip_session_invited(leg->sip);
	struct sip_uri u;
	char *peer;

	if (!uri.n || !leg->asked[0] || view_eq(uri, view_str(leg->asked[0])) ||
	    sip_uri_parse(uri, &u))
		return;
	peer = view_dup(view_first(uri, uri.n - u.params.n));
	if (!peer)
		return;
	free(leg->peer);
	leg->peer = peer;
}

/* IC-8.3.1-4 and R-9: Contact is the IM Session Identity; a focus says isfocus. */
static void learn_identity(struct leg *leg, const struct sip_msg *m)
{
	struct sip_values it;
	struct sip_addr a;
	struct sip_uri u;
	struct view v;

	leg_learn_allow(leg, m);
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

	(void)s;
	if (!leg)
		return;
	learn_redirected(leg);
	learn_identity(leg, m);
	for (int i = 0; i < 4; i++) {
		free(leg->asked[i]);
		leg->asked[i] = NULL;
	}
	if (glare_dropped(leg)) {
		glare_dropped_answered(leg, now_ms);
		return;
	}
	if (leg_read_answer(leg, m, now_ms) == 0) {
		refresh_answered(leg, m, now_ms);
		return;
	}
	leg_unusable_answer(leg, now_ms);
}

static void on_reinvite(void *ctx, struct sip_session *s, struct sip_server_tx *tx,
			const struct sip_msg *m, uint64_t now_ms)
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

static void on_request(void *ctx, struct sip_session *s, struct sip_server_tx *tx,
		       const struct sip_msg *m, uint64_t now_ms)
{
	(void)s;
	leg_requested(ctx, tx, m, now_ms);
}

static void on_reinvited(void *ctx, struct sip_session *s, const struct sip_msg *m, uint64_t now_ms)
{
	(void)s;
	if (ctx)
		leg_reinvite_answered(ctx, m, now_ms);
}

const struct sip_session_handler originated = {
	.on_reinvited = on_reinvited,
	.on_request = on_request,
	.on_progress = on_progress,
	.on_answered = on_answered,
	.on_reinvite = on_reinvite,
	.on_ended = on_ended,
};
