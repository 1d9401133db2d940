/* Who is in the conference: the client's side of the conference event package (RFC 4575, RFC 6665).
 */
#include "client/state.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdlib.h>

enum { EXPIRES_S = 3600, SHORTEST_S = 10, AGAIN_MS = 2000, NEVER_KNOWN_MS = 60000, GAPS_MAX = 3 };

static void notified(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms);

static const struct sip_dialog_owner owner = {.on_request = notified};

static const char *const how_text[] = {"", "departed", "booted", "failed", "busy"};

static bool is_in(const struct conference_user *u)
{
	for (size_t i = 0; u && i < u->n_endpoints; i++)
		if (u->endpoints[i].status == CONFERENCE_CONNECTED)
			return true;
	return false;
}

bool roster_has(const struct conversation *v, struct view aor)
{
	for (size_t i = 0; i < v->roster.n_users; i++)
		if (view_eq(v->roster.users[i].entity, aor))
			return is_in(&v->roster.users[i]);
	return false;
}

static const struct conference_user *find(const struct conference_info *doc, struct view entity)
{
	return doc->users ? conference_info_find(doc, entity) : NULL;
}

/* conference_info's views end with a NUL in its text memory only by chance: strings of our own. */
static char *text(struct view v)
{
	return view_dup(v);
}

void roster_tell(struct conversation *v)
{
	struct confab_event ev = event_of(v, CONFAB_ROSTER);
	size_t n = v->roster.n_users;
	struct confab_participant *p = calloc(n + 1, sizeof(*p));
	char **owned = calloc(3 * n + 1, sizeof(*owned));

	for (size_t i = 0; p && owned && i < n; i++) {
		const struct conference_user *u = &v->roster.users[i];
		const struct conference_endpoint *e = u->n_endpoints ? &u->endpoints[0] : NULL;

		owned[3 * i] = text(u->entity);
		owned[3 * i + 1] = text(u->display_text);
		owned[3 * i + 2] = text(u->nickname);
		p[i].uri = owned[3 * i] ? owned[3 * i] : "";
		p[i].display = owned[3 * i + 1] ? owned[3 * i + 1] : "";
		p[i].nickname = owned[3 * i + 2] ? owned[3 * i + 2] : "";
		p[i].status = e ? conference_status_text(e->status) : "";
		p[i].how = e ? how_text[e->disconnection] : "";
		p[i].anonymous = u->anonymous;
		p[i].self = ims_is_self(v->client, u->entity);
	}
	if (p && owned) {
		ev.participant = p;
		ev.n_participants = n;
		client_emit(v->client, &ev);
	}
	for (size_t i = 0; owned && i < 3 * n; i++)
		free(owned[i]);
	free(owned);
	free(p);
}

static void tell_one(struct conversation *v, const struct conference_user *u, bool in)
{
	struct confab_event ev = event_of(v, in ? CONFAB_JOINED : CONFAB_LEFT);
	char *uri = text(u->entity), *display = text(u->display_text);

	ev.peer = uri ? uri : "";
	ev.display = display ? display : "";
	if (!in && u->n_endpoints)
		ev.text = how_text[u->endpoints[0].disconnection];
	if (!ims_is_self(v->client, u->entity))
		client_emit(v->client, &ev);
	free(uri);
	free(display);
}

static bool is_out(const struct conference_user *u)
{
	return u && u->n_endpoints && u->endpoints[0].status == CONFERENCE_DISCONNECTED;
}

/* Who came and who went between two states. Who leaves without a name is there anew, as an
 * anonymous one who is out: his old entry then goes without a word. */
static void tell_changes(struct conversation *v, const struct conference_info *before)
{
	bool nameless = false;

	for (size_t i = 0; i < v->roster.n_users; i++) {
		const struct conference_user *u = &v->roster.users[i], *b = find(before, u->entity);

		if (is_in(u) && !is_in(b)) {
			tell_one(v, u, true);
		} else if (is_out(u) && !is_out(b)) {
			tell_one(v, u, false);
			nameless = nameless || u->anonymous;
		}
	}
	for (size_t i = 0; i < before->n_users; i++)
		if (is_in(&before->users[i]) && !find(&v->roster, before->users[i].entity) &&
		    !nameless)
			tell_one(v, &before->users[i], false);
}

/* Did the peer of the chat that this conference grew from come along? */
static void look_for_old_peer(struct conversation *v, uint64_t now_ms)
{
	for (size_t i = 0; v->old && i < v->roster.n_users; i++) {
		const struct conference_user *u = &v->roster.users[i];

		if (is_in(u))
			split_look(v, u->entity, true, "", now_ms);
		else if (is_out(u))
			split_look(v, u->entity, false, how_text[u->endpoints[0].disconnection],
				   now_ms);
	}
}

/* A version was missed: the full state is asked for; were that to fail again and again, not for
 * ever. */
static void ask_again(struct conversation *v, uint64_t now_ms)
{
	if (v->gaps++ < GAPS_MAX)
		roster_subscribe(v, now_ms);
	log_line(v->client->log, LOG_INFO, "client",
		 "conversation %u: a conference state was missed", v->id);
}

static void apply(struct conversation *v, struct view xml, uint64_t now_ms)
{
	struct conference_info news = {0}, before = {0};
	int rc;

	if (conference_info_parse(xml, &news)) {
		log_line(v->client->log, LOG_WARN, "client",
			 "a conference state that cannot be read");
		return;
	}
	if (v->fresh && news.state == CONFERENCE_FULL) {
		/* Versions belong to one subscription. */
		v->fresh = false;
		before = v->roster;
		v->roster = (struct conference_info){0};
		rc = 0;
	} else {
		rc = v->roster.n_users ? conference_info_apply(&before, &v->roster) : 0;
	}
	if (rc == 0)
		rc = conference_info_apply(&v->roster, &news);
	if (rc == 0) {
		v->gaps = 0;
		people_look(v);
		tell_changes(v, &before);
		look_for_old_peer(v, now_ms);
		if (v->who_wanted && news.state == CONFERENCE_FULL) {
			v->who_wanted = false;
			roster_tell(v);
		}
	} else if (rc == E_STATE) {
		ask_again(v, now_ms);
	}
	conference_info_free(&before);
	conference_info_free(&news);
}

static void notified(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms)
{
	struct conversation *v = ctx;
	struct sip_token_params state;

	if (m->method != SIP_NOTIFY) {
		(void)sip_server_tx_reply(tx, 405, NULL, VIEW("Allow: NOTIFY\r\n"), now_ms);
		return;
	}
	(void)sip_server_tx_reply(tx, 200, NULL, VIEW(""), now_ms);
	if (sip_token_params_parse(sip_msg_value(m, SIP_H_SUBSCRIPTION_STATE), &state))
		state.token = VIEW("");
	if (view_eq_nocase(state.token, VIEW("terminated"))) {
		v->subscribed = false;
		timer_cancel(v->client->timers, &v->resubscribe);
	}
	if (m->body.n && sip_content_is(sip_msg_value(m, SIP_H_CONTENT_TYPE),
					VIEW("application/conference-info+xml")))
		apply(v, m->body, now_ms);
}

/* Is this NOTIFY of the subscription that our SUBSCRIBE, still without an answer, asks for? */
static bool is_first_notify(const struct conversation *v, const struct sip_msg *m)
{
	struct sip_msg request;
	struct sip_addr from, to;

	return v->subscribing && !v->subscribed &&
	       sip_msg_parse(sip_uac_request(v->subscribing), &request) == 0 &&
	       view_eq(sip_msg_value(&request, SIP_H_CALL_ID), sip_msg_value(m, SIP_H_CALL_ID)) &&
	       sip_msg_from(&request, &from) == 0 && sip_msg_to(m, &to) == 0 &&
	       view_eq(sip_addr_tag(&from), sip_addr_tag(&to));
}

/* The dialog there is was made by a NOTIFY of this subscription; an older one may be left over. */
static bool has_early_dialog(const struct conversation *v, struct view call_id)
{
	return v->subscription.listed && view_eq(view_str(v->subscription.call_id), call_id);
}

void roster_early_notify(struct client *c, const struct sip_msg *m)
{
	struct sip_addr to;

	if (sip_msg_to(m, &to))
		return;
	LIST_EACH(l, next, &c->conversations)
	{
		struct conversation *v = CONTAINER(l, struct conversation, link);

		if (!is_first_notify(v, m))
			continue;
		/* One of another fork is not wanted. */
		if (has_early_dialog(v, sip_msg_value(m, SIP_H_CALL_ID)))
			return;
		sip_dialog_fini(&v->subscription);
		if (sip_dialog_init_uas(&v->subscription, c->ua, m, sip_addr_tag(&to), &owner, v) ==
		    0)
			v->subscription.has_remote_seq = false; /* it is still to be handed over */
		return;
	}
}

/* The 200 makes the dialog; where a NOTIFY was faster, it is made anew with the 200's route (the
 * proxies need not have put themselves into that of the NOTIFY). */
static bool make_dialog(struct conversation *v, const struct sip_msg *request,
			const struct sip_msg *m)
{
	bool early = has_early_dialog(v, sip_msg_value(request, SIP_H_CALL_ID)) &&
		     v->subscription.has_remote_seq;
	uint32_t seq = v->subscription.remote_seq;

	sip_dialog_fini(&v->subscription);
	if (sip_dialog_init_uac(&v->subscription, v->client->ua, request, m, &owner, v))
		return false;
	v->subscription.has_remote_seq = early;
	v->subscription.remote_seq = seq;
	return true;
}

static void on_response(void *ctx, struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	struct conversation *v = ctx;
	struct timers *q = v->client->timers;
	struct sip_msg request;
	uint32_t seconds = EXPIRES_S;

	if (m->status < 200)
		return;
	v->subscribing = NULL;
	if (m->status >= 300) {
		sip_uac_detach(uac);
		/* RFC 6665 §4.1.2.2: that subscription is over; a new one begins. */
		if (m->status == 481)
			v->subscribed = false;
		timer_arm(q, &v->resubscribe,
			  now_ms + (m->status == 481 || m->status == 408 ? AGAIN_MS
									 : NEVER_KNOWN_MS));
		return;
	}
	if (!v->subscribed && sip_msg_parse(sip_uac_request(uac), &request) == 0 &&
	    make_dialog(v, &request, m))
		v->subscribed = true;
	sip_uac_detach(uac);
	(void)view_to_u32(sip_msg_value(m, SIP_H_EXPIRES), &seconds);
	/* RFC 6665 §4.2.1.1: not longer than was asked for. One that lasts no time was a question,
	 * or a joke: it is not asked again at once for ever. */
	if (seconds > EXPIRES_S)
		seconds = EXPIRES_S;
	if (seconds < SHORTEST_S)
		seconds = SHORTEST_S;
	timer_arm(q, &v->resubscribe, now_ms + (uint64_t)seconds * 800);
}

static void on_failed(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms)
{
	struct conversation *v = ctx;

	(void)error;
	sip_uac_detach(uac);
	v->subscribing = NULL;
	timer_arm(v->client->timers, &v->resubscribe, now_ms + AGAIN_MS);
}

static const struct sip_uac_handler handler = {.on_response = on_response, .on_failed = on_failed};

static void write_first(struct conversation *v, struct buf *b)
{
	struct client *c = v->client;
	char tag[13], call_id[27];

	sip_write_request_line(b, VIEW("SUBSCRIBE"), view_str(v->current->peer));
	sip_write_fieldf(b, "From", "%s;tag=%s", c->from, entropy_token(c->entropy, tag, 12));
	sip_write_fieldf(b, "To", "<%s>", v->current->peer);
	sip_write_field(b, "Call-ID", view_str(entropy_token(c->entropy, call_id, 26)));
	buf_puts(b, c->service_route ? c->service_route : "");
	sip_write_field(b, "CSeq", VIEW("1 SUBSCRIBE"));
	sip_write_field(b, "Max-Forwards", VIEW("70"));
}

void roster_subscribe(struct conversation *v, uint64_t now_ms)
{
	struct client *c = v->client;
	struct sip_flow flow = client_flow(c);
	struct im_profile p;
	struct buf b, contact;

	if (v->subscribing || !v->current || !v->current->conference || v->current->dialog_over ||
	    leg_allowed(v->current, VIEW("SUBSCRIBE")) == ALLOWED_NOT)
		return;
	client_profile(c, &p);
	buf_init(&b, SIP_HEAD_BYTES_MAX);
	buf_init(&contact, 1024);
	if (v->subscribed)
		(void)sip_dialog_write_request(&v->subscription, &b, VIEW("SUBSCRIBE"), 0);
	else
		write_first(v, &b);
	v->fresh = v->fresh || !v->subscribed;
	im_write_contact(&contact, &p, view_str(c->contact), false);
	sip_write_field(&b, "Contact", buf_view(&contact));
	sip_write_field(&b, "Event", VIEW("conference"));
	sip_write_field(&b, "Accept", VIEW("application/conference-info+xml"));
	sip_write_fieldf(&b, "Expires", "%d", EXPIRES_S);
	im_write_accept_contact(&b, &p);
	im_write_initial(&b, &p);
	sip_write_body(&b, VIEW(""), VIEW(""));
	if (buf_ok(&b))
		(void)sip_uac_send(c->ua, buf_view(&b), &flow,
				   v->subscribed ? &v->subscription.local_seq : NULL, &handler, v,
				   now_ms, &v->subscribing);
	buf_fini(&b);
	buf_fini(&contact);
}

int client_who(struct client *c, uint32_t conversation, uint64_t now_ms)
{
	struct conversation *v = conversation_find(c, conversation);

	if (!v || !v->current)
		return E_NOTFOUND;
	if (!v->current->conference)
		return E_STATE;
	if (leg_allowed(v->current, VIEW("SUBSCRIBE")) == ALLOWED_NOT)
		return E_UNSUPPORTED;
	/* A SUBSCRIBE in the running subscription brings the full state anew (RFC 6665 §4.1.2.3).
	 */
	v->who_wanted = true;
	roster_subscribe(v, now_ms);
	return 0;
}

void roster_forget(struct conversation *v)
{
	roster_end(v);
	timer_cancel(v->client->timers, &v->resubscribe);
	v->subscribed = v->fresh = v->who_wanted = false;
	v->gaps = 0;
	conference_info_free(&v->roster);
}

void roster_end(struct conversation *v)
{
	if (v->subscribing)
		sip_uac_detach(v->subscribing);
	v->subscribing = NULL;
	sip_dialog_fini(&v->subscription);
}
