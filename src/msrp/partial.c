#include "msrp/agent.h"

#include "base/error.h"

#include <stdlib.h>

static int status_of(int error)
{
	return error == E_RANGE ? 400 : 413;
}

struct partial *msrp_partial_find(struct msrp_session *s, struct view id)
{
	LIST_EACH(l, tmp, &s->partials)
	{
		struct partial *p = CONTAINER(l, struct partial, link);

		if (view_eq(p->id, id))
			return p;
	}
	return NULL;
}

void msrp_partial_unlink(struct partial *p)
{
	if (list_empty(&p->link))
		return;
	list_del(&p->link);
	p->session->n_partials--;
	timer_cancel(p->session->agent->timers, &p->timer);
}

void msrp_partial_free(struct partial *p)
{
	msrp_partial_unlink(p);
	msrp_assembly_fini(&p->data);
	free(p);
}

void msrp_session_partials_free(struct msrp_session *s)
{
	LIST_EACH(l, tmp, &s->partials)
	msrp_partial_free(CONTAINER(l, struct partial, link));
}

/* What was gathered is dropped; that the message was refused is known for a while. */
static int partial_refuse(struct partial *p, int status)
{
	msrp_assembly_fini(&p->data);
	p->refused = status;
	return status;
}

static void partial_wait(struct partial *p)
{
	struct msrp_agent *a = p->session->agent;

	timer_arm(a->timers, &p->timer, a->now_ms + PARTIAL_IDLE_MS);
}

static void partial_timeout(void *partial, uint64_t now_ms)
{
	struct partial *p = partial;

	(void)now_ms;
	if (!p->busy) {
		msrp_partial_free(p);
		return;
	}
	/* A frame is open that fills it: what still comes of that is refused. */
	if (!p->refused)
		partial_refuse(p, 408);
	partial_wait(p);
}

static struct partial *partial_new(struct msrp_session *s, const struct msrp_head *h)
{
	struct partial *p = calloc(1, sizeof(*p) + h->message_id.n + h->content_type.n);

	if (!p)
		return NULL;
	p->session = s;
	p->id = view_of(p->text, h->message_id.n);
	p->type = view_of(p->text + p->id.n, h->content_type.n);
	memcpy(p->text, h->message_id.p, p->id.n);
	if (p->type.n)
		memcpy(p->text + p->id.n, h->content_type.p, p->type.n);
	msrp_assembly_init(&p->data, s->agent->cfg.max_message);
	timer_init(&p->timer, partial_timeout, p);
	list_add_tail(&s->partials, &p->link);
	s->n_partials++;
	return p;
}

int msrp_partial_begin(struct msrp_session *s, const struct msrp_head *h, struct partial **out)
{
	struct partial *p;
	int rc;

	if (view_empty(h->message_id))
		return 400;
	p = msrp_partial_find(s, h->message_id);
	if (!p && s->n_partials >= PARTIALS_MAX)
		return 413;
	if (!p)
		p = partial_new(s, h);
	if (!p)
		return 413;
	partial_wait(p);
	*out = p;
	p->busy = true;
	if (p->refused)
		return p->refused;
	rc = msrp_assembly_begin(&p->data, h->start, h->total);
	return rc ? partial_refuse(p, status_of(rc)) : 0;
}

int msrp_partial_put(struct partial *p, struct view bytes)
{
	int rc;

	if (p->refused)
		return p->refused;
	partial_wait(p);
	rc = msrp_assembly_put(&p->data, bytes);
	return rc ? partial_refuse(p, status_of(rc)) : 0;
}

int msrp_partial_end(struct partial *p, char flag)
{
	int rc;

	if (p->refused)
		return p->refused;
	rc = msrp_assembly_end(&p->data, flag);
	return rc ? partial_refuse(p, status_of(rc)) : 0;
}
