/* Both sides of a chat add people at the same moment (FL-10): each one's focus invites the other
 * with Replaces while the other's own move is under way. Who made the call keeps his conference and
 * refuses (491). Who was called gives up his own, joins the other's, and adds there whom he had
 * added. docs/protocol/upgrade.md, "Both at once". */
#include "client/state.h"

#include "base/error.h"

#include <stdlib.h>

/* From the seat's opening on: the other's invitation was begun before ours reached him, so it is
 * here soon or not at all. */
enum { GLARE_MS = 2000, CLEAR_MS = 5000 };

static void wait_over(void *ctx, uint64_t now_ms)
{
	struct conversation *v = ctx;
	const char *absent = v->glare.absent;

	v->glare.absent = NULL;
	if (absent)
		split_old(v, absent, now_ms);
	conversation_flush(v, now_ms);
}

void glare_init(struct conversation *v)
{
	timer_init(&v->glare.wait, wait_over, v);
}

void glare_end(struct conversation *v)
{
	struct glare *g = &v->glare;

	timer_cancel(v->client->timers, &g->wait);
	g->absent = NULL;
	g->add = false;
	if (g->dropped)
		return; /* it needs them still */
	while (g->n_users)
		free(g->user[--g->n_users]);
	free(g->user);
	g->user = NULL;
}

int glare_begin(struct conversation *v, const struct view *uri, size_t n)
{
	struct glare *g = &v->glare;

	if (g->dropped)
		return E_STATE;
	glare_end(v);
	g->user = calloc(n, sizeof(*g->user));
	for (; g->user && g->n_users < n; g->n_users++) {
		g->user[g->n_users] = view_dup(uri[g->n_users]);
		if (!g->user[g->n_users])
			break;
	}
	if (g->n_users == n)
		return 0;
	glare_end(v);
	return E_NOMEM;
}

/* --- the other's conference --- */

static void tell_not_added(struct conversation *v, int error)
{
	for (size_t i = 0; i < v->glare.n_users && !v->ended; i++) {
		struct confab_event ev = event_of(v, CONFAB_PROGRESS);

		ev.peer = v->glare.user[i];
		ev.status = 503;
		ev.text = error_text(error);
		client_emit(v->client, &ev);
	}
}

/* Whom we wanted to add is added there. */
static void add_there(struct conversation *v, uint64_t now_ms)
{
	struct glare *g = &v->glare;
	struct view *uri = calloc(g->n_users, sizeof(*uri));
	int rc = uri ? 0 : E_NOMEM;

	for (size_t i = 0; uri && i < g->n_users; i++)
		uri[i] = view_str(g->user[i]);
	if (rc == 0)
		rc = leg_add_users(v->current, uri, g->n_users, now_ms);
	free(uri);
	if (rc)
		tell_not_added(v, rc);
	glare_end(v);
}

void glare_opened(struct conversation *v, uint64_t now_ms)
{
	if (!v->old)
		return;
	if (!v->current->by_replaces)
		timer_arm(v->client->timers, &v->glare.wait, now_ms + GLARE_MS);
	else if (v->glare.add)
		add_there(v, now_ms);
}

bool glare_possible(const struct conversation *v)
{
	return timer_armed(&v->glare.wait);
}

void glare_heard(struct conversation *v, uint64_t now_ms)
{
	if (!glare_possible(v))
		return;
	glare_end(v);
	conversation_flush(v, now_ms);
}

bool glare_explains(struct conversation *v, const char *how)
{
	if (!glare_possible(v) || strcmp(how, "failed") != 0)
		return false;
	v->glare.absent = "failed";
	return true;
}

/* --- our own one --- */

bool glare_dropped(const struct leg *leg)
{
	return leg == leg->conversation->glare.dropped;
}

/* Whom we had invited leaves the conference that we give up (CF-X-3), so that nobody is left in it
 * alone; then we do. */
void glare_dropped_answered(struct leg *leg, uint64_t now_ms)
{
	const struct glare *g = &leg->conversation->glare;

	for (size_t i = 0; i < g->n_users; i++) {
		struct view uri = view_str(g->user[i]);

		(void)leg_refer(leg, &uri, 1, true, now_ms);
	}
	if (list_empty(&leg->referrals))
		leg_referrals_done(leg);
}

void leg_referrals_done(struct leg *leg)
{
	struct timers *q = leg->conversation->client->timers;

	if (glare_dropped(leg))
		timer_arm(q, &leg->patience, q->now_ms);
}

void glare_dropped_over(struct leg *leg, uint64_t now_ms)
{
	struct conversation *v = leg->conversation;
	bool add = v->glare.add;

	v->glare.dropped = NULL;
	leg_free(leg, now_ms);
	if (!add)
		glare_end(v);
}

static void drop(struct conversation *v, struct leg *own, uint64_t now_ms)
{
	struct timers *q = v->client->timers;

	v->glare.dropped = own;
	v->glare.add = true;
	timer_cancel(q, &own->again);
	timer_arm(q, &own->patience, now_ms + CLEAR_MS);
	msrp_session_free(own->msrp);
	own->msrp = NULL;
	if (own->state >= LEG_OPENING)
		glare_dropped_answered(own, now_ms);
}

bool glare_yield(struct conversation *v, const struct leg *replaced, uint64_t now_ms)
{
	struct leg *own = v->current;

	/* What went to our own conference was for those in it: too late to give it up. */
	if (replaced != v->old || replaced->state != LEG_OPEN || v->offered || own->by_replaces ||
	    own->used || v->leaving || sip_session_dialog(replaced->sip)->initiator)
		return false;
	timer_cancel(v->client->timers, &v->glare.wait);
	v->glare.absent = NULL;
	own = move_back(v, 491, "both added people at once: joining the other's conference",
			now_ms);
	if (v->ended) {
		leg_free(own, now_ms);
		return false;
	}
	drop(v, own, now_ms);
	return v->current == replaced && replaced->state == LEG_OPEN;
}
