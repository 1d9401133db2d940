/* Legs: one SIP session with its MSRP session; offer and answer (IC-7.1.2-4), release (IC-7.1.5-5,
 * -6). */
#include "client/state.h"

#include "base/error.h"
#include "procedure/negotiate.h"

#include <stdlib.h>

enum {
	RECONNECTS_MAX = 5,
	OPENING_MS = 32000, /* an agreed session whose connection does not come */
	ABSENT_MS = 1000,
	BYE_MS = 1500,
	COME_BACK_MS = 8000, /* a passive side waits that long for the peer to connect again */
	OLD_BACK_MS =
		4000, /* the same while the chat moves: all tries of the peer, but less than the
		       * gate waits, so that what is not confirmed can still go the other way */
};

static const char *const state_name[] = {"inviting", "incoming", "offered", "opening",
					 "open",     "draining", "closed"};

void leg_enter(struct leg *leg, enum leg_state to)
{
	struct conversation *v = leg->conversation;

	log_line(v->client->log, LOG_DEBUG, "client", "conversation %u %s leg: %s -> %s", v->id,
		 leg->conference ? "conference" : "direct", state_name[leg->state], state_name[to]);
	leg->state = to;
}

static void reconnect(void *ctx, uint64_t now_ms)
{
	struct leg *leg = ctx;

	/* What was on its way is sent again under the same Message-ID: who has it drops it. */
	if (leg->msrp && msrp_session_reconnect(leg->msrp, true, now_ms))
		leg_down(leg, E_IO, now_ms);
}

static void patience_over(void *ctx, uint64_t now_ms)
{
	struct leg *leg = ctx;

	if (glare_dropped(leg)) {
		glare_dropped_over(leg, now_ms);
		return;
	}
	if (leg->state == LEG_INCOMING) {
		(void)client_decline(leg->conversation->client, leg->conversation->id, 480, now_ms);
		return;
	}
	if (leg->state == LEG_DRAINING) {
		conversation_leg_closed(leg, now_ms);
		return;
	}
	leg->reconnects = RECONNECTS_MAX;
	leg_down(leg, E_TIMEOUT, now_ms);
}

struct leg *leg_new(struct conversation *v, bool conference)
{
	struct leg *leg = calloc(1, sizeof(*leg));

	if (!leg)
		return NULL;
	list_init(&leg->link);
	leg->conversation = v;
	leg->conference = conference;
	leg->sdp_id = entropy_u64(v->client->entropy) >> 2;
	refresh_init(leg);
	list_init(&leg->referrals);
	timer_init(&leg->again, reconnect, leg);
	timer_init(&leg->patience, patience_over, leg);
	return leg;
}

void leg_free(struct leg *leg, uint64_t now_ms)
{
	struct client *c;

	if (!leg)
		return;
	c = leg->conversation->client;
	timer_cancel(c->timers, &leg->again);
	timer_cancel(c->timers, &leg->patience);
	leg_referrals_end(leg);
	refresh_end(leg);
	if (leg->sip && !leg->dialog_over && sip_session_state(leg->sip) != SIP_SESSION_ENDED)
		leg_hang_up(leg, VIEW(""), now_ms);
	sip_session_free(leg->sip);
	msrp_session_free(leg->msrp);
	leg->sip = NULL;
	leg->msrp = NULL;
	leg->state = LEG_CLOSED;
	list_add_tail(&c->dead_legs, &leg->link);
	reap_later(c);
}

static bool to_server(const struct client *c, struct view path)
{
	struct msrp_uri hop;
	struct addr at;

	return msrp_uri_parse(msrp_path_first(path), &hop) == 0 &&
	       addr_parse(hop.host, hop.port, &at) == 0 &&
	       addr_same_host(&at, &c->cfg.server.remote);
}

static void local_side(const struct leg *leg, struct sdp_local *l)
{
	struct client *c = leg->conversation->client;

	*l = (struct sdp_local){
		.username = VIEW("-"),
		.sess_id = leg->sdp_id,
		.sess_version = 1,
		.addr = leg->tls ? c->cfg.msrp_tls_local : c->cfg.msrp_local,
		.tls = leg->tls,
		.fingerprint = leg->tls ? view_str(c->fingerprint) : VIEW(""),
		.path = view_str(leg->local_uri),
		.accept_types = VIEW(CLIENT_ACCEPT_TYPES),
		.accept_wrapped_types = VIEW("text/plain *"),
		.max_size = c->cfg.max_message,
		.has_chatroom = true,
		.chatroom = VIEW(CLIENT_CHATROOM),
	};
}

/* peer: the offer that is answered; NULL: this is ours. */
static int make_msrp(struct leg *leg, const struct sdp_msrp *peer, bool active, uint64_t now_ms)
{
	struct client *c = leg->conversation->client;
	struct msrp_session_config sc = {.active = active};
	char token[27];
	struct buf b;

	buf_init(&b, PATH_TEXT_MAX);
	if (peer) {
		leg->by_server = to_server(c, peer->path);
		sc.remote_path = peer->path;
		sc.peer_max_size = peer->max_size;
		sc.fingerprint = peer->tls ? peer->fingerprint : VIEW("");
	}
	/* A conversation that ran by TLS goes on by TLS: in the conference it moves to, and when it
	 * is joined anew. */
	leg->tls = peer ? peer->tls
			: c->cfg.msrp_tls || leg->conversation->tls ||
				   (leg->secure && c->cfg.msrp_tls_local.family);
	leg->conversation->tls |= leg->tls;
	msrp_uri_write(&b, leg->tls, leg->tls ? &c->cfg.msrp_tls_local : &c->cfg.msrp_local,
		       view_str(entropy_token(c->entropy, token, 26)));
	if (!buf_ok(&b) || !view_copy(buf_view(&b), leg->local_uri, sizeof(leg->local_uri))) {
		buf_fini(&b);
		return E_NOMEM;
	}
	buf_fini(&b);
	leg->active = active;
	sc.local_uri = view_str(leg->local_uri);
	return msrp_session_new(c->msrp, &sc, &conversation_messages, leg, now_ms, &leg->msrp);
}

int leg_write_offer(struct leg *leg, struct buf *sdp, uint64_t now_ms)
{
	struct sdp_local l;
	int rc = make_msrp(leg, NULL, false, now_ms);

	if (rc)
		return rc;
	local_side(leg, &l);
	l.setup = leg->conversation->client->cfg.msrp_active ? SDP_SETUP_ACTIVE : SDP_SETUP_ACTPASS;
	sdp_write_msrp(sdp, &l);
	return buf_ok(sdp) ? 0 : E_NOMEM;
}

static enum negotiate_tls kinds(const struct client_config *cfg)
{
	if (!cfg->msrp_tls_local.family)
		return NEGOTIATE_NO_TLS;
	return cfg->msrp_tls_only ? NEGOTIATE_TLS : NEGOTIATE_EITHER;
}

static void learn_peer(struct leg *leg, const struct sdp *desc, const struct sdp_media *media)
{
	/* One that is no number (RFC 4566 §5.2) says nothing. */
	(void)view_to_u64(desc->sess_id, &leg->peer_sdp_id);
	notice_learn(leg, &media->msrp);
}

int leg_write_answer(struct leg *leg, struct buf *sdp, struct view offer, uint64_t now_ms)
{
	const struct client_config *cfg = &leg->conversation->client->cfg;
	const struct sdp_media *media;
	struct sdp_local l;
	struct sdp desc;
	enum sdp_setup setup;
	int rc = negotiate_read_kind(offer, kinds(cfg), &desc, &media);

	if (rc)
		return rc;
	setup = negotiate_answer_setup(media->msrp.setup, leg->conference || cfg->msrp_active);
	/* SW-4: two who both can only connect do not meet. */
	if (cfg->msrp_active && setup != SDP_SETUP_ACTIVE)
		return E_UNSUPPORTED;
	learn_peer(leg, &desc, media);
	if (!leg->cpim && !sdp_accepts(media->msrp.accept_types, VIEW("text/plain")))
		return E_UNSUPPORTED;
	rc = make_msrp(leg, &media->msrp, negotiate_answerer_connects(setup), now_ms);
	if (rc)
		return rc;
	local_side(leg, &l);
	l.setup = setup;
	sdp_write_answer(sdp, &desc, media, &l);
	return buf_ok(sdp) ? 0 : E_NOMEM;
}

void leg_write_same_offer(const struct leg *leg, struct buf *sdp)
{
	struct sdp_local l;

	local_side(leg, &l);
	l.setup = SDP_SETUP_ACTPASS;
	sdp_write_msrp(sdp, &l);
}

int leg_write_same_answer(const struct leg *leg, struct view offer, struct buf *sdp)
{
	const struct sdp_media *media;
	struct sdp_local l;
	struct sdp desc;
	int rc = negotiate_read_kind(offer, leg->tls ? NEGOTIATE_TLS : NEGOTIATE_NO_TLS, &desc,
				     &media);

	if (rc)
		return rc;
	local_side(leg, &l);
	l.setup = negotiate_answer_setup(media->msrp.setup, leg->active);
	sdp_write_answer(sdp, &desc, media, &l);
	return buf_ok(sdp) ? 0 : E_NOMEM;
}

int leg_read_answer(struct leg *leg, const struct sip_msg *m, uint64_t now_ms)
{
	struct client *c = leg->conversation->client;
	const struct sdp_media *media;
	struct sdp desc;
	int rc;

	if (!sip_content_is(sip_msg_value(m, SIP_H_CONTENT_TYPE), VIEW("application/sdp")))
		return E_UNSUPPORTED;
	rc = negotiate_read_kind(m->body, leg->tls ? NEGOTIATE_TLS : NEGOTIATE_NO_TLS, &desc,
				 &media);
	if (rc == 0 && leg->tls)
		rc = msrp_session_set_fingerprint(leg->msrp, media->msrp.fingerprint);
	if (rc)
		return rc;
	leg->active = negotiate_offerer_connects(media->msrp.setup);
	if (c->cfg.msrp_active && !leg->active)
		return E_UNSUPPORTED;
	leg->by_server = to_server(c, media->msrp.path);
	learn_peer(leg, &desc, media);
	leg_enter(leg, LEG_OPENING);
	timer_arm(c->timers, &leg->patience, now_ms + OPENING_MS);
	rc = msrp_session_start(leg->msrp, media->msrp.path, leg->active, media->msrp.max_size,
				now_ms);
	/* A peer who connects to us can be quicker than his answer. */
	if (rc == 0 && !leg->active && msrp_session_is_open(leg->msrp))
		leg_opened(leg, now_ms);
	return rc;
}

void leg_unusable_answer(struct leg *leg, uint64_t now_ms)
{
	struct conversation *v = leg->conversation;

	log_line(v->client->log, LOG_WARN, "client", "conversation %u: the answer cannot be used",
		 v->id);
	leg_hang_up(leg, VIEW("Reason: SIP;cause=488;text=\"Not Acceptable Here\"\r\n"), now_ms);
	if (v->old)
		move_failed(v, 488, "the answer cannot be used", now_ms);
	else
		conversation_end(v, 488, "the answer cannot be used", now_ms);
}

bool leg_settled(const struct leg *leg)
{
	return !leg->msrp ||
	       (msrp_session_outstanding(leg->msrp) == 0 && !conversation_awaits(leg));
}

void leg_opened(struct leg *leg, uint64_t now_ms)
{
	struct conversation *v = leg->conversation;
	struct confab_event ev;
	bool back = leg->state == LEG_OPEN;

	/* A peer who connects before he has answered has agreed to nothing yet. */
	if (leg->state < LEG_OPENING)
		return;
	timer_cancel(v->client->timers, &leg->again);
	leg->reconnects = 0;
	if (leg->state == LEG_OPENING || leg->state == LEG_OPEN) {
		timer_cancel(v->client->timers, &leg->patience);
		leg_enter(leg, LEG_OPEN);
	}
	if (back) {
		ev = event_of(v, CONFAB_CONNECTION);
		ev.text = "restored";
		client_emit(v->client, &ev);
	}
	if (leg->state == LEG_CLOSED)
		return; /* by who was told */
	recover_opened(leg, now_ms);
	if (v->moving && leg == v->current) {
		if (back)
			move_progress(v, now_ms);
		else
			move_opened(v, now_ms);
	} else if (!v->told_open && leg == v->current) {
		v->told_open = true;
		ev = event_of(v, CONFAB_OPEN);
		ev.uri = leg->conference ? leg->peer : "";
		client_emit(v->client, &ev);
		if (leg->conference)
			roster_subscribe(v, now_ms);
	}
	conversation_flush(v, now_ms);
}

/* Whoever connects, connects again, a few times, waiting longer each time. False: that is enough.
 */
static bool come_back(struct leg *leg, uint64_t now_ms)
{
	struct client *c = leg->conversation->client;

	if (leg->reconnects >= RECONNECTS_MAX)
		return false;
	/* A passive side is ready at once: the peer may be back in a moment. */
	if (leg->active)
		timer_arm(c->timers, &leg->again,
			  now_ms + (leg->reconnects ? 100u << leg->reconnects : 20));
	else
		(void)msrp_session_reconnect(leg->msrp, true, now_ms);
	if (!leg->active && !timer_armed(&leg->patience))
		timer_arm(c->timers, &leg->patience,
			  now_ms + (leg == leg->conversation->old ? OLD_BACK_MS : COME_BACK_MS));
	leg->reconnects++;
	return true;
}

void leg_hurry_back(struct leg *leg, uint64_t now_ms)
{
	if (leg->state == LEG_OPEN && timer_armed(&leg->patience))
		timer_arm(leg->conversation->client->timers, &leg->patience, now_ms + OLD_BACK_MS);
}

void leg_down(struct leg *leg, int error, uint64_t now_ms)
{
	struct conversation *v = leg->conversation;
	struct client *c = v->client;
	struct confab_event ev;

	if (leg->state == LEG_DRAINING) {
		/* The end of an old session: all that the peer had to say was read. What we have
		 * under way on it is worth another connection, as long as the drain lasts. */
		if (leg->said_bye || leg_settled(leg) || !come_back(leg, now_ms))
			conversation_leg_closed(leg, now_ms);
		return;
	}
	if (leg->state < LEG_OPENING || leg->state == LEG_CLOSED)
		return;
	if (leg->reconnects == 0 && leg->state == LEG_OPEN) {
		ev = event_of(v, CONFAB_CONNECTION);
		ev.text = "lost";
		client_emit(c, &ev);
	}
	if (leg->state == LEG_CLOSED || leg->state == LEG_DRAINING)
		return; /* by who was told */
	/* Somebody else at the other end will not become the right one by being asked again. */
	if (error == E_NOTFOUND && leg->state == LEG_OPEN && leg->reconnects < RECONNECTS_MAX) {
		/* The peer has no such session any more. Where it was ended, its BYE may still be
		 * on the way. */
		leg->reconnects = RECONNECTS_MAX;
		timer_arm(c->timers, &leg->patience, now_ms + BYE_MS);
		return;
	}
	if (error != E_DENIED && come_back(leg, now_ms))
		return;
	log_line(c->log, LOG_INFO, "client", "conversation %u: a connection is gone for good (%s)",
		 v->id, error_text(error));
	if (v->old && leg == v->current)
		move_failed(v, 503, "the conference's connection could not be made", now_ms);
	else if (!recover_failed(leg, 503, now_ms) && !recover_begin(leg, now_ms))
		conversation_leg_closed(leg, now_ms);
}

/* Who got the BYE has the last word: he finishes what he has under way and closes; the other reads
 * to that end. */
void leg_drain_progress(struct leg *leg, uint64_t now_ms)
{
	/* Finished: what the other has written is read to its end. That may be more REPORTs than
	 * one. */
	if (leg->state != LEG_DRAINING || leg->said_bye || leg->finishing || !leg_settled(leg))
		return;
	leg->finishing = msrp_session_is_open(leg->msrp);
	if (leg->finishing)
		msrp_session_finish(leg->msrp, false, now_ms);
	else
		conversation_leg_closed(leg, now_ms);
}

void leg_hang_up(struct leg *leg, struct view more, uint64_t now_ms)
{
	leg->dialog_over = true;
	refresh_end(leg);
	if (!leg->sip)
		return;
	/* What can end at once would tell so from inside: whoever hangs up knows it already. */
	sip_session_set_ctx(leg->sip, NULL);
	sip_session_end(leg->sip, more, now_ms);
}

void leg_drain(struct leg *leg, bool ours, uint64_t now_ms)
{
	struct conversation *v = leg->conversation;
	struct client *c = v->client;

	leg->dialog_over = true;
	leg->said_bye = ours;
	if (!leg->msrp || leg->state != LEG_OPEN) {
		conversation_leg_closed(leg, now_ms);
		return;
	}
	leg_enter(leg, LEG_DRAINING);
	/* A peer whose connection is broken may come back with what he has left, but that is not
	 * waited for as long as for one who is there. */
	timer_arm(c->timers, &leg->patience,
		  now_ms + (msrp_session_is_open(leg->msrp) ? c->cfg.drain_ms : ABSENT_MS));
	leg_drain_progress(leg, now_ms);
}
