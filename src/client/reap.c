/* Conversations and legs that are over. An event may be answered by any call, client_leave
 * included: what tells events goes on with memory that must still be there. It is freed from a
 * timer of its own. */
#include "client/state.h"

#include <stdlib.h>

static void leg_reap(struct leg *leg)
{
	struct timers *q = leg->conversation->client->timers;

	list_del(&leg->link);
	timer_cancel(q, &leg->again);
	timer_cancel(q, &leg->patience);
	free(leg->peer);
	free(leg->allow);
	free(leg->offer);
	free(leg->contribution);
	for (int i = 0; i < 4; i++)
		free(leg->asked[i]);
	free(leg);
}

static void conversation_reap(struct conversation *v)
{
	struct timers *q = v->client->timers;

	list_del(&v->link);
	timer_cancel(q, &v->gate);
	timer_cancel(q, &v->hold);
	timer_cancel(q, &v->stays);
	timer_cancel(q, &v->glare.wait);
	timer_cancel(q, &v->recovery.timer);
	timer_cancel(q, &v->resubscribe);
	conference_info_free(&v->roster);
	free(v->subject);
	free(v->contribution);
	free(v->peer);
	free(v);
}

void reap_now(struct client *c)
{
	timer_cancel(c->timers, &c->reap);
	while (!list_empty(&c->dead_legs))
		leg_reap(CONTAINER(c->dead_legs.next, struct leg, link));
	while (!list_empty(&c->dead_conversations))
		conversation_reap(CONTAINER(c->dead_conversations.next, struct conversation, link));
}

static void reap(void *ctx, uint64_t now_ms)
{
	(void)now_ms;
	reap_now(ctx);
}

void reap_init(struct client *c)
{
	list_init(&c->dead_conversations);
	list_init(&c->dead_legs);
	timer_init(&c->reap, reap, c);
}

void reap_later(struct client *c)
{
	if (!timer_armed(&c->reap))
		timer_arm(c->timers, &c->reap, c->timers->now_ms);
}
