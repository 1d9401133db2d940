/* Whom a participant names, in the INVITE that makes the conference or by REFER later (CF-9.3-2,
 * CF-9.3-5). */
#include "server/controlling/focus.h"

#include <stdlib.h>

static bool copy(struct view v, char **out)
{
	if (!v.n)
		return true;
	*out = view_dup(v);
	return *out != NULL;
}

struct member *member_add(struct conference *conf, const struct invitee *e,
			  const struct member *inviter, bool inviter_anonymous)
{
	struct member *before = member_record(conf, e->aor);
	struct member *m = member_new(conf, e->uri, e->display);

	if (!m)
		return NULL;
	m->request = conf->id;
	m->inviter_anonymous = inviter_anonymous;
	m->anonymous = e->anonymize;
	m->anonymous_id = e->anonymize ? ++conf->next_anonymous : 0;
	m->inviter = view_dup(view_str(inviter->uri));
	if (!m->inviter || !copy(e->replaces, &m->replaces) ||
	    !copy(e->session_replaces, &m->session_replaces)) {
		m->state = MEMBER_GONE;
		m->superseded = true;
		return NULL;
	}
	/* Who was in before, and is asked back. */
	if (before && before != m)
		before->superseded = true;
	return m;
}
