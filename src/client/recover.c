/* A conversation whose session is gone with its server: it comes back by itself, as the same
 * conversation. A conference is joined again by an INVITE to its URI (CF-X-5); where its server
 * does not know it any more (404), one of those who were in it has the factory make a new one, and
 * the others wait for his invitation. A chat of two whose words went by the server is called anew.
 * docs/protocol/recovery.md says who does what when. */
#include "client/state.h"

#include "base/error.h"
#include "procedure/terminate.h"

#include <stdlib.h>

enum {
	LASTS_MS = 90000,      /* then the conversation is over */
	RECENT_MS = 10000,     /* what a switch accepted so shortly before its end may not have been
				  passed on */
	FLOW_LOST_MS = 60000,  /* a server that was lost so recently explains what else breaks */
	SPREAD_MS = 500,       /* not all phones of a server at once */
	UNREGISTERED_MS = 250, /* looks again whether we are registered */
	AGAIN_MS = 1000,
	AGAIN_MAX_MS = 8000,
	CALLEE_WAITS_MS = 8000,	   /* for the call of who had called first */
	OTHERS_REGISTER_MS = 1500, /* before a new conference is made */
	RANK_MS = 10000, /* longer than the first one takes, and that much more for each further one
			  */
	RANK_STEP_MS = 5000,
	MISSING_MS = 4000, /* whom the new conference lacks is invited again: oftener than he waits
			      himself */
	MISSING_TRIES = 15,
};

static uint64_t up_to(const struct conversation *v, uint64_t ms)
{
	return entropy_u64(v->client->entropy) % (ms + 1);
}

static void wait(struct conversation *v, uint64_t ms, uint64_t now_ms)
{
	timer_arm(v->client->timers, &v->recovery.timer, now_ms + ms);
}

/* The conversation's leg is one that nothing was asked for yet. False: no memory. */
static bool fresh_leg(struct conversation *v, uint64_t now_ms)
{
	struct leg *old = v->current, *leg = leg_new(v, old->conference);

	if (leg)
		leg->peer = view_dup(view_str(v->recovery.anew ? v->client->factory : old->peer));
	if (!leg || !leg->peer) {
		leg_free(leg, now_ms);
		return false;
	}
	leg->private_messages = old->private_messages;
	leg->cpim = old->cpim;
	v->current = leg;
	leg_free(old, now_ms);
	return true;
}

/* A chat of two is worth a new call where the server's end explains its own: its words went that
 * way. */
static bool explained(const struct leg *leg, uint64_t now_ms)
{
	const struct client *c = leg->conversation->client;

	if (leg->conference)
		return true;
	if (!leg->by_server)
		return false;
	return c->cfg.server.transport == SIP_UDP ||
	       (c->flow_lost_ms && now_ms - c->flow_lost_ms < FLOW_LOST_MS);
}

static bool may_come_back(const struct leg *leg)
{
	const struct conversation *v = leg->conversation;

	return !v->recovery.on && leg == v->current && !v->old && !v->offered && !v->leaving &&
	       !v->ended && v->told_open && !leg->dialog_over && !v->client->closing;
}

/* Its leg is given up for one that is to come; in so many ms we see to that ourselves. goodbye: its
 * session is one that lives. */
static bool begin(struct leg *leg, bool goodbye, uint64_t delay_ms, uint64_t now_ms)
{
	struct conversation *v = leg->conversation;
	struct recovery *r = &v->recovery;

	r->caller = sip_session_dialog(leg->sip)->initiator;
	if (leg->conference)
		people_gather(v, r->anew);
	r->anew = r->gone_over = false;
	r->tries = 0;
	r->began_ms = now_ms;
	r->peer_sdp_id = leg->peer_sdp_id;
	/* Else no BYE: whoever still has that session replaces it by the one to come. */
	leg->dialog_over = !goodbye;
	conversation_requeue(v, leg, now_ms > RECENT_MS ? now_ms - RECENT_MS : 0);
	if (!fresh_leg(v, now_ms))
		return false;
	roster_forget(v);
	r->on = true;
	wait(v, delay_ms + up_to(v, SPREAD_MS), now_ms);
	log_line(v->client->log, LOG_INFO, "client", "conversation %u: is to come back", v->id);
	return true;
}

bool recover_begin(struct leg *leg, uint64_t now_ms)
{
	struct client *c = leg->conversation->client;
	bool caller;

	if (!may_come_back(leg) || !explained(leg, now_ms))
		return false;
	caller = sip_session_dialog(leg->sip)->initiator;
	if (!begin(leg, false, leg->conference || caller ? 0 : CALLEE_WAITS_MS, now_ms))
		return false;
	registration_again(c, now_ms);
	return true;
}

void recover_relocated(struct leg *leg, uint64_t now_ms)
{
	/* The peer may not know for long that we are gone: it is not for him to call. */
	if (may_come_back(leg))
		(void)begin(leg, false, 0, now_ms);
}

static int invite(struct conversation *v, uint64_t now_ms)
{
	struct leg *leg = v->current;
	struct view *uri;
	int rc;

	if (!v->recovery.anew)
		return leg_invite_peer(leg, now_ms);
	uri = calloc(v->n_rejoin_with, sizeof(*uri));
	if (!uri)
		return E_NOMEM;
	for (size_t i = 0; i < v->n_rejoin_with; i++)
		uri[i] = view_str(v->rejoin_with[i]);
	rc = leg_invite_many(leg, uri, v->n_rejoin_with, NULL, now_ms);
	free(uri);
	return rc;
}

static void later(struct conversation *v, uint64_t now_ms)
{
	uint64_t ms = (uint64_t)AGAIN_MS << (v->recovery.tries < 4 ? v->recovery.tries : 3);

	if (ms > AGAIN_MAX_MS)
		ms = AGAIN_MAX_MS;
	v->recovery.tries++;
	wait(v, ms / 2 + up_to(v, ms / 2), now_ms);
}

static void attempt(struct conversation *v, uint64_t now_ms)
{
	if (now_ms >= v->recovery.began_ms + LASTS_MS) {
		conversation_end(v, 408, "connection lost", now_ms);
		return;
	}
	if (!v->client->registered) {
		wait(v, UNREGISTERED_MS, now_ms);
		return;
	}
	if (invite(v, now_ms) == 0)
		return;
	/* What has begun of a description cannot be used twice. */
	if (!fresh_leg(v, now_ms)) {
		conversation_end(v, 500, "connection lost", now_ms);
		return;
	}
	later(v, now_ms);
}

static bool is_final(int status)
{
	return status == 403 || status == 410 || status == 486 || status == 488 || status >= 600;
}

bool recover_failed(struct leg *leg, int status, uint64_t now_ms)
{
	struct conversation *v = leg->conversation;
	struct recovery *r = &v->recovery;
	/* 410: it ended while we were away; nobody wants it back. */
	bool gone = leg->conference && !r->anew && status == 404;

	if (!r->on || leg != v->current)
		return false;
	if (is_final(status) || now_ms >= r->began_ms + LASTS_MS)
		return false;
	r->anew = r->anew || gone;
	if (gone)
		conversation_say_again(v, r->began_ms - RECENT_MS);
	if (!fresh_leg(v, now_ms))
		return false;
	if (!gone)
		later(v, now_ms);
	else if (!v->n_rejoin_with) /* somebody else knows who was in */
		wait(v, r->began_ms + LASTS_MS - now_ms, now_ms);
	else if (people_rank(v) == 0)
		wait(v, OTHERS_REGISTER_MS, now_ms);
	else
		wait(v, RANK_MS + (uint64_t)RANK_STEP_MS * (people_rank(v) - 1), now_ms);
	return true;
}

/* Not everybody was registered yet when the new conference was made. */
static void add_missing(struct conversation *v, uint64_t now_ms)
{
	struct recovery *r = &v->recovery;
	bool missing = false;

	for (size_t i = 0; i < v->n_rejoin_with && v->current; i++) {
		struct view uri = view_str(v->rejoin_with[i]);

		if (roster_has(v, uri))
			continue;
		missing = true;
		(void)leg_add_users(v->current, &uri, 1, now_ms);
	}
	if (missing && ++r->tries < MISSING_TRIES)
		wait(v, MISSING_MS, now_ms);
	else
		join_end(v);
}

bool recover_adds(const struct conversation *v, const char *uri)
{
	return !v->recovery.on && v->recovery.anew && people_were_in(v, view_str(uri));
}

static void fire(void *ctx, uint64_t now_ms)
{
	struct conversation *v = ctx;

	if (v->recovery.on)
		attempt(v, now_ms);
	else
		add_missing(v, now_ms);
}

void recover_init(struct conversation *v)
{
	timer_init(&v->recovery.timer, fire, v);
}

void recover_end(struct conversation *v)
{
	timer_cancel(v->client->timers, &v->recovery.timer);
	v->recovery.on = false;
}

void recover_fini(struct conversation *v)
{
	recover_end(v);
	people_fini(v);
}

void recover_given_up(struct conversation *v)
{
	if (v->recovery.on)
		conversation_say_again(v, v->recovery.began_ms - RECENT_MS);
}

void recover_opened(struct leg *leg, uint64_t now_ms)
{
	struct conversation *v = leg->conversation;
	struct recovery *r = &v->recovery;
	struct confab_event ev;

	if (!r->on || leg != v->current)
		return;
	recover_end(v);
	/* The same conference, but not the same switch: what that one had accepted may not have
	 * been passed on. */
	if (leg->conference && leg->peer_sdp_id != r->peer_sdp_id)
		conversation_say_again(v, r->began_ms - RECENT_MS);
	if (r->anew && !leg->incoming)
		people_made(v);
	if ((r->anew && !leg->incoming) || r->gone_over) {
		r->tries = 0;
		wait(v, MISSING_MS, now_ms);
	} else {
		join_end(v);
	}
	r->anew = r->anew || (leg->conference && leg->incoming);
	ev = event_of(v, CONFAB_CONNECTION);
	ev.text = "restored";
	ev.uri = leg->conference ? leg->peer : "";
	client_emit(v->client, &ev);
	if (v->current == leg)
		roster_subscribe(v, now_ms);
}

/* --- the other's call --- */

/* Is this invitation the conversation's way back? */
static bool leads_back(const struct conversation *v, const struct sip_msg *m,
		       const struct terminate *t)
{
	struct view contribution = sip_msg_value(m, SIP_H_CONTRIBUTION_ID);

	if (t->focus != v->current->conference)
		return false;
	if (contribution.n && v->contribution && view_eq(contribution, view_str(v->contribution)))
		return true;
	return t->focus ? people_were_in(v, t->inviter) : people_same(v->current->peer, t->inviter);
}

/* Its connection is broken, and nobody has given it up yet; one that was made anew has still to be
 * answered. */
static bool is_broken(const struct leg *leg, uint64_t now_ms)
{
	return leg->state == LEG_OPEN && leg->reconnects && explained(leg, now_ms);
}

/* Here all seems well, but the peer calls once more about the same: he has another address now. */
static bool has_moved(const struct conversation *v, const struct sip_msg *m,
		      const struct terminate *t)
{
	struct view contribution = sip_msg_value(m, SIP_H_CONTRIBUTION_ID);

	return may_come_back(v->current) && !t->focus && !v->current->conference &&
	       contribution.n && v->contribution &&
	       view_eq(contribution, view_str(v->contribution)) &&
	       people_same(v->current->peer, t->inviter);
}

/* As client_take has it for the leg's peer. */
static struct view identity_of(const struct terminate *t)
{
	struct sip_uri u;

	if (sip_uri_parse(t->session_identity, &u))
		return t->session_identity;
	return view_first(t->session_identity, t->session_identity.n - u.params.n);
}

/* The same conversation, which came back a moment ago, has been made anew by somebody else, too. */
static bool is_doubled(const struct conversation *v, const struct sip_msg *m,
		       const struct terminate *t, uint64_t now_ms)
{
	const struct recovery *r = &v->recovery;
	struct view contribution = sip_msg_value(m, SIP_H_CONTRIBUTION_ID);

	return r->anew && now_ms < r->began_ms + LASTS_MS && may_come_back(v->current) &&
	       v->current->state == LEG_OPEN && v->current->conference && t->focus &&
	       contribution.n && v->contribution &&
	       view_eq(contribution, view_str(v->contribution)) &&
	       !view_eq(identity_of(t), view_str(v->current->peer));
}

static struct conversation *find(struct client *c, const struct sip_msg *m,
				 const struct terminate *t, uint64_t now_ms)
{
	LIST_EACH(l, next, &c->conversations)
	{
		struct conversation *v = CONTAINER(l, struct conversation, link);

		if (!v->current || v->old || v->leaving)
			continue;
		if ((v->recovery.on || is_broken(v->current, now_ms)) && leads_back(v, m, t))
			return v;
		if (has_moved(v, m, t) || is_doubled(v, m, t, now_ms))
			return v;
	}
	return NULL;
}

/* Of two conferences that both have a URI, that of the lower one: whoever looks at the two comes to
 * the same end. */
static bool is_lower(const struct conversation *v, const struct terminate *t)
{
	char *theirs = view_dup(identity_of(t));
	bool lower = theirs && strcmp(v->current->peer, theirs) < 0;

	free(theirs);
	return lower;
}

/* Both call at once: who had called first goes on; of two new conferences, that of the lower
 * address. */
static bool ours_stands(const struct conversation *v, const struct terminate *t)
{
	char *aor;
	bool stands;

	if (!v->current->sip)
		return false;
	if (!t->focus)
		return v->recovery.caller;
	if (v->current->incoming)
		return is_lower(v, t);
	if (!v->recovery.anew)
		return false;
	aor = client_aor(t->inviter);
	stands = aor && strcmp(v->client->aor, aor) < 0;
	free(aor);
	return stands;
}

/* Who calls into the other of the two is asked into this one; who had never been in is not. */
static void call_over(struct conversation *v, const struct terminate *t, uint64_t now_ms)
{
	if (!people_knows(v, t->inviter))
		return;
	people_missing(v, t->inviter);
	v->recovery.tries = 0;
	if (!timer_armed(&v->recovery.timer))
		wait(v, 0, now_ms);
}

/* To the other of the two. What was said in this one is said there once more, and whom that one
 * lacks is asked to follow. */
static bool go_over(struct conversation *v, uint64_t now_ms)
{
	struct recovery *r = &v->recovery;
	uint64_t began_ms = r->began_ms;

	if (!begin(v->current, true, CALLEE_WAITS_MS, now_ms))
		return false;
	r->began_ms = began_ms;
	r->gone_over = true;
	conversation_say_again(v, began_ms - RECENT_MS);
	return true;
}

/* False: the invitation is refused. */
static bool settle_double(struct conversation *v, const struct terminate *t, uint64_t now_ms)
{
	if (!is_lower(v, t))
		return people_knows(v, t->inviter) && go_over(v, now_ms);
	call_over(v, t, now_ms);
	return false;
}

bool recover_invited(struct client *c, struct sip_server_tx *tx, const struct sip_msg *m,
		     const struct terminate *t, uint64_t now_ms)
{
	struct conversation *v;
	struct leg *leg, *before;

	/* The server that we trust speaks for who calls. */
	if (!client_is_server(c, tx))
		return false;
	v = find(c, m, t, now_ms);
	if (!v)
		return false;
	if (!is_broken(v->current, now_ms) && is_doubled(v, m, t, now_ms)) {
		if (!settle_double(v, t, now_ms)) {
			client_refuse(c, tx, 491, now_ms);
			return true;
		}
	} else if (!v->recovery.on && (!may_come_back(v->current) ||
				       !begin(v->current, false, CALLEE_WAITS_MS, now_ms))) {
		return false;
	}
	if (ours_stands(v, t)) {
		client_refuse(c, tx, 491, now_ms);
		return true;
	}
	/* Who has called into the first of two is asked to follow into the second. */
	if (t->focus && v->current->incoming)
		v->recovery.gone_over = true;
	leg = client_take(c, v, tx, m, t, now_ms);
	if (!leg)
		return true; /* answered; ours is tried again */
	before = v->current;
	v->current = leg;
	if (leg_accept(leg, now_ms)) {
		v->current = before;
		leg_free(leg, now_ms);
		return true;
	}
	leg_free(before, now_ms);
	timer_cancel(c->timers, &v->recovery.timer);
	return true;
}
