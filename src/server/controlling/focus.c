/* Conferences and their members: life, look-up, leaving and ending (CF-X-2). */
#include "server/controlling/focus.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

void focus_profile(const struct controlling *c, struct im_profile *p, struct view identity)
{
	*p = (struct im_profile){
		.feature_tag = view_str(c->feature_tag),
		.release = view_str(c->release),
		.allow = VIEW(IM_ALLOW_FOCUS),
		.identity = identity,
		.asserted = true,
		.supported = VIEW("replaces, norefersub, timer"),
	};
}

char *aor_of(struct view uri)
{
	struct sip_uri u;
	struct buf b;
	size_t n;
	char *s;

	if (sip_uri_parse(uri, &u))
		return NULL;
	buf_init(&b, SIP_HEAD_BYTES_MAX);
	sip_uri_aor(&b, &u);
	buf_putc(&b, '\0');
	s = buf_take(&b, &n);
	if (!s)
		buf_fini(&b);
	return s;
}

static void seats_late(void *ctx, uint64_t now_ms)
{
	struct conference *conf = ctx;

	log_line(sip_stack_log(conf->ctl->stack), LOG_WARN, "focus",
		 "%s: the switch gave no seats in time", conf->uri);
	if (!conf->seated) {
		controlling_seats_failed(conf->ctl, conf->id, conf->id, E_TIMEOUT, now_ms);
		return;
	}
	/* Who was added later: each request by itself. */
	conference_hold(conf);
	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (m->state == MEMBER_SEATING)
			controlling_seats_failed(conf->ctl, m->request, conf->id, E_TIMEOUT,
						 now_ms);
	}
	conference_release(conf);
}

static void drain_late(void *ctx, uint64_t now_ms)
{
	struct conference *conf = ctx;

	log_line(sip_stack_log(conf->ctl->stack), LOG_WARN, "focus",
		 "%s: the switch did not say in time that it is drained", conf->uri);
	conference_finish(conf, now_ms);
}

static void replaces_late(void *ctx, uint64_t now_ms)
{
	struct conference *conf = ctx;

	conf->others_released = true;
	conference_invite_next(conf, now_ms);
}

/* Its user and URI are there. */
static int list_conference(struct controlling *c, struct conference *conf)
{
	int rc;

	conf->ctl = c;
	conf->id = ++c->next_id;
	conf->sess_id = entropy_u64(sip_stack_entropy(c->stack)) >> 2;
	list_init(&conf->members);
	list_init(&conf->watchers);
	list_init(&conf->referrals);
	list_init(&conf->dirty);
	timer_init(&conf->seats_late, seats_late, conf);
	timer_init(&conf->replaces_late, replaces_late, conf);
	timer_init(&conf->comeback, conference_comeback_over, conf);
	timer_init(&conf->drain_late, drain_late, conf);
	rc = hash_add(&c->by_user, &conf->by_user, hash_bytes(&c->by_user, view_str(conf->user)));
	if (rc)
		return rc;
	rc = hash_add(&c->by_id, &conf->by_id, conf->id);
	if (rc)
		hash_del(&c->by_user, &conf->by_user);
	return rc;
}

static struct conference *make(struct controlling *c)
{
	struct conference *conf;
	char token[27], at[ADDR_TEXT_MAX];
	const struct addr *own;

	conf = calloc(1, sizeof(*conf));
	if (!conf)
		return NULL;
	own = sip_stack_sent_by(c->stack, SIP_LOCAL, 4);
	(void)snprintf(conf->user, sizeof(conf->user), "conf-%s",
		       entropy_token(sip_stack_entropy(c->stack), token, 26));
	(void)snprintf(conf->uri, sizeof(conf->uri), "sip:%s@%s", conf->user,
		       c->conference_domain[0] ? c->conference_domain : addr_text(own, at));
	if (list_conference(c, conf)) {
		free(conf);
		return NULL;
	}
	return conf;
}

int conference_new_named(struct controlling *c, struct view user, struct view uri,
			 struct conference **out)
{
	struct conference *conf;
	int rc;

	if (conference_by_user(c, user))
		return E_EXISTS;
	conf = calloc(1, sizeof(*conf));
	if (!conf)
		return E_NOMEM;
	rc = view_copy(user, conf->user, sizeof(conf->user)) &&
			     view_copy(uri, conf->uri, sizeof(conf->uri))
		     ? list_conference(c, conf)
		     : E_SYNTAX;
	if (rc)
		free(conf);
	else
		*out = conf;
	return rc;
}

int conference_new(struct controlling *c, struct view maker, struct conference **out)
{
	struct quota_share *share;
	int rc;

	if (c->by_user.n >= c->cfg.max_conferences)
		return E_NOMEM;
	rc = quota_take(&c->made, maker, &share);
	if (rc)
		return rc;
	*out = make(c);
	if (!*out) {
		quota_release(&c->made, share);
		return E_NOMEM;
	}
	(*out)->share = share;
	return 0;
}

struct conference *conference_by_user(const struct controlling *c, struct view user)
{
	uint64_t h = hash_bytes(&c->by_user, user);

	for (struct hash_node *n = hash_first(&c->by_user, h); n; n = hash_next(n, h)) {
		struct conference *conf = CONTAINER(n, struct conference, by_user);

		if (view_eq(view_str(conf->user), user))
			return conf;
	}
	return NULL;
}

struct conference *conference_by_id(const struct controlling *c, uint64_t id)
{
	struct hash_node *n = hash_first(&c->by_id, id);

	return n ? CONTAINER(n, struct conference, by_id) : NULL;
}

struct member *member_new(struct conference *conf, struct view uri, struct view display)
{
	struct member *m = members_prune(conf) ? calloc(1, sizeof(*m)) : NULL;

	if (!m)
		return NULL;
	m->conference = conf;
	m->tls = conf->tls;
	m->seat = ++conf->ctl->next_id;
	m->uri = view_dup(uri);
	m->aor = aor_of(uri);
	m->display = view_dup(display);
	list_init(&m->link);
	if (!m->uri || !m->aor || !m->display) {
		free(m->uri);
		free(m->aor);
		free(m->display);
		free(m);
		return NULL;
	}
	list_add_tail(&conf->members, &m->link);
	member_timer_init(m);
	return m;
}

static void member_free(struct member *m)
{
	session_timer_stop(&m->timer);
	sip_session_free(m->session);
	sip_session_free(m->refused);
	list_del(&m->link);
	free(m->uri);
	free(m->aor);
	free(m->display);
	free(m->replaces);
	free(m->inviter);
	free(m->session_replaces);
	free(m->nickname);
	free(m->offer);
	free(m->sdp);
	free(m);
}

struct member *member_by_seat(const struct conference *conf, uint64_t seat)
{
	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (m->seat == seat)
			return m;
	}
	return NULL;
}

struct member *member_by_aor(const struct conference *conf, struct view aor)
{
	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (m->state != MEMBER_GONE && view_eq(view_str(m->aor), aor))
			return m;
	}
	return NULL;
}

struct member *member_record(const struct conference *conf, struct view aor)
{
	struct member *found = NULL;

	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (view_eq(view_str(m->aor), aor))
			found = m;
	}
	return found;
}

bool members_prune(struct conference *conf)
{
	size_t n = 0, max = RECORDS_PER_MEMBER * conf->ctl->cfg.max_members;

	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);
		bool over = !m->session || sip_session_state(m->session) == SIP_SESSION_ENDED;

		if (m->superseded && m->state == MEMBER_GONE && over && !conf->depth && !m->awaited)
			member_free(m);
		else
			n++;
	}
	return n < max;
}

size_t conference_count(const struct conference *conf, bool joined_only)
{
	size_t n = 0;

	LIST_EACH(l, next, &conf->members)
	{
		enum member_state s = CONTAINER(l, struct member, link)->state;

		n += s == MEMBER_JOINED || (!joined_only && s < MEMBER_JOINED);
	}
	return n;
}

void conference_hold(struct conference *conf)
{
	conf->depth++;
}

void conference_free(struct conference *conf)
{
	struct controlling *c = conf->ctl;
	struct timers *q = sip_stack_timers(c->stack);

	conf->ending = true; /* nothing below is news */
	timer_cancel(q, &conf->seats_late);
	timer_cancel(q, &conf->replaces_late);
	timer_cancel(q, &conf->drain_late);
	timer_cancel(q, &conf->comeback);
	list_del(&conf->dirty);
	conf->depth++; /* nothing below may end it a second time */
	watchers_free(conf);
	referrals_drop(conf);
	hash_del(&c->by_user, &conf->by_user);
	hash_del(&c->by_id, &conf->by_id);
	quota_release(&c->made, conf->share);
	LIST_EACH(l, next, &conf->members)
	member_free(CONTAINER(l, struct member, link));
	free(conf->subject);
	free(conf->contribution);
	free(conf->history);
	free(conf);
}

void conference_release(struct conference *conf)
{
	bool idle = true;

	if (--conf->depth > 0 || !conf->dead)
		return;
	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		idle = idle && (!m->session || sip_session_state(m->session) == SIP_SESSION_ENDED);
	}
	if (idle && list_empty(&conf->watchers) && list_empty(&conf->referrals))
		conference_free(conf);
}

static void reject_who_is_out(struct conference *conf, uint64_t now_ms)
{
	LIST_EACH(l, next, &conf->members)
	{
		const struct member *m = CONTAINER(l, struct member, link);

		if (!member_by_aor(conf, view_str(m->aor)))
			watchers_reject(conf, view_str(m->aor), now_ms);
	}
}

/* How long those who were in may take is over: who is not back has left. */
void conference_comeback_over(void *ctx, uint64_t now_ms)
{
	struct conference *conf = ctx;
	bool creator_left = false;

	conference_hold(conf);
	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		creator_left = creator_left || (m->awaited && m->creator);
		member_expected_no_more(m);
	}
	if (policy_is_over(conf, creator_left)) {
		conference_end(conf, now_ms);
	} else {
		reject_who_is_out(conf, now_ms);
		conference_changed(conf, now_ms);
	}
	conference_release(conf);
}

void member_leave(struct member *m, enum conference_disconnection why, bool drain, uint64_t now_ms)
{
	struct conference *conf = m->conference;
	bool over;

	if (m->state == MEMBER_GONE)
		return;
	log_line(sip_stack_log(conf->ctl->stack), LOG_INFO, "focus", "%s: %s is out", conf->uri,
		 m->uri);
	session_timer_stop(&m->timer);
	m->state = MEMBER_GONE;
	m->why = why;
	m->gone_at_ms = now_ms;
	/* Who only tried to join leaves no record: trying again and again would fill the list. */
	m->superseded = m->superseded || (m->dialed_in && !m->was_in);
	if (conf->seated)
		conf->ctl->broker.close(conf->ctl->broker.ctx, conf->id, m->seat, drain);
	member_settle(m,
		      why == CONFERENCE_BUSY	 ? 486
		      : why == CONFERENCE_BOOTED ? 487
						 : 480,
		      now_ms);
	over = policy_is_over(conf, m->creator);
	/* Where the conference ends, that is what its watchers are told. */
	if (!over && !member_by_aor(conf, view_str(m->aor)))
		watchers_reject(conf, view_str(m->aor), now_ms);
	conference_changed(conf, now_ms);
	if (conf->ending && !conference_count(conf, true))
		conference_finish(conf, now_ms); /* nobody is left to be told anything */
	else if (over)
		conference_end(conf, now_ms);
	else
		conference_invite_next(conf, now_ms);
}

/* BYE, CANCEL or 410 to those who are joined, or to those who are not. */
static void dismiss(struct conference *conf, bool joined, uint64_t now_ms)
{
	struct controlling *c = conf->ctl;

	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);

		if (m->state == MEMBER_GONE || (m->state == MEMBER_JOINED) != joined)
			continue;
		session_timer_stop(&m->timer);
		m->state = MEMBER_GONE;
		m->why = CONFERENCE_BOOTED;
		member_settle(m, 487, now_ms);
		if (m->session && sip_session_state(m->session) == SIP_SESSION_INCOMING)
			(void)sip_session_reject(m->session, 410, "Conference Has Ended", VIEW(""),
						 now_ms);
		else if (m->session)
			sip_session_end(m->session, view_str(c->farewell ? c->farewell : ""),
					now_ms);
	}
}

/* Who is joined may have messages under way: those are delivered, or reported to him, before he
 * gets his BYE (SW-2). */
void conference_end(struct conference *conf, uint64_t now_ms)
{
	struct controlling *c = conf->ctl;

	if (conf->ending)
		return;
	conf->ending = true;
	/* Those that wait for a last answer are no longer running. */
	quota_release(&c->made, conf->share);
	conf->share = NULL;
	conference_hold(conf);
	log_line(sip_stack_log(c->stack), LOG_INFO, "focus", "%s ends", conf->uri);
	timer_cancel(sip_stack_timers(c->stack), &conf->comeback);
	conference_dirty_end(conf, now_ms);
	dismiss(conf, false, now_ms);
	if (conference_count(conf, true)) {
		timer_arm(sip_stack_timers(c->stack), &conf->drain_late,
			  now_ms + c->cfg.drain_ms + c->cfg.seat_timeout_ms);
		c->broker.drain(c->broker.ctx, conf->id);
	} else {
		conference_finish(conf, now_ms);
	}
	conference_release(conf);
}

void controlling_drained(struct controlling *c, uint64_t conference, uint64_t now_ms)
{
	struct conference *conf = conference_by_id(c, conference);

	if (conf && conf->ending)
		conference_finish(conf, now_ms);
}

void conference_finish(struct conference *conf, uint64_t now_ms)
{
	struct controlling *c = conf->ctl;

	if (conf->dead)
		return;
	conf->dead = true;
	timer_cancel(sip_stack_timers(c->stack), &conf->drain_late);
	conference_hold(conf);
	dismiss(conf, true, now_ms);
	c->broker.end(c->broker.ctx, conf->id);
	watchers_end(conf, now_ms);
	conference_release(conf);
}

bool conference_has_ended(const struct controlling *c, struct view user)
{
	size_t n = c->n_ended < CONFERENCES_ENDED_KEPT ? c->n_ended : CONFERENCES_ENDED_KEPT;

	for (size_t i = 0; i < n; i++)
		if (view_eq(view_str(c->ended[i].user), user))
			return true;
	return false;
}

void conference_grant(const struct conference *conf, struct sip_server_tx *tx,
		      const struct sip_msg *subscribe, uint32_t seconds, uint64_t now_ms)
{
	struct buf lines;

	buf_init(&lines, SIP_HEAD_BYTES_MAX);
	buf_putf(&lines, "Expires: %u\r\nContact: <%s>;isfocus\r\n", (unsigned)seconds, conf->uri);
	focus_write_charging(conf->ctl, &lines, subscribe);
	if (!buf_ok(&lines) || sip_server_tx_reply(tx, 200, NULL, buf_view(&lines), now_ms))
		log_line(sip_stack_log(conf->ctl->stack), LOG_WARN, "focus",
			 "%s: a SUBSCRIBE could not be answered", conf->uri);
	buf_fini(&lines);
}
