/* Those who were in a conference when an earlier life of this server ended. Until they are back, or
 * it has been long enough, what the others say waits for them at seats of theirs: nothing that is
 * acknowledged meanwhile is lost. */
#include "server/controlling/focus.h"

struct member *member_awaited(const struct conference *conf, struct view aor)
{
	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (m->awaited && view_eq(view_str(m->aor), aor))
			return m;
	}
	return NULL;
}

size_t conference_awaits(const struct conference *conf, struct view aor)
{
	size_t n = 0;

	LIST_EACH(l, next, &conf->members)
	{
		const struct member *m = CONTAINER(l, struct member, link);

		n += m->awaited && !view_eq(view_str(m->aor), aor) &&
		     !member_by_aor(conf, view_str(m->aor));
	}
	return n;
}

bool member_reclaim(struct member *m)
{
	struct member *old = member_awaited(m->conference, view_str(m->aor));
	uint64_t seat = m->seat;

	/* A seat is of one kind for good. Who asks for the other has to do without what waits. */
	if (!old || !old->request || old->tls != m->tls)
		return false;
	m->seat = old->seat;
	m->request = old->request;
	memcpy(m->path, old->path, sizeof(m->path));
	old->seat = seat;
	old->request = 0;
	old->path[0] = '\0';
	return true;
}

size_t conference_name_awaited(struct conference *conf, uint64_t request, struct seat_offer *offer,
			       size_t max)
{
	size_t n = 0;

	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (!m->awaited || m->request || n == max || member_by_aor(conf, view_str(m->aor)))
			continue;
		m->request = request;
		offer[n++] = (struct seat_offer){.seat = m->seat,
						 .uri = view_str(m->aor),
						 .display = view_str(m->display),
						 .tls = m->tls,
						 .held = true};
	}
	return n;
}

void conference_awaited_unseated(struct conference *conf, uint64_t request)
{
	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (m->awaited && m->request == request && !m->path[0])
			m->request = 0;
	}
}

void member_expected_no_more(struct member *m)
{
	struct conference *conf = m->conference;

	if (!m->awaited)
		return;
	m->awaited = false;
	if (m->request)
		conf->ctl->broker.close(conf->ctl->broker.ctx, conf->id, m->seat, false);
	m->request = 0;
	m->path[0] = '\0';
}
