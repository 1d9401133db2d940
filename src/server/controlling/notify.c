/* Who watches a conference: SUBSCRIBE and NOTIFY of the conference event package (CF-X-4; RFC 4575,
 * RFC 6665). The first NOTIFY and the answer to each SUBSCRIBE are full state; what changes in
 * between is partial state (§4.4). */
#include "server/controlling/focus.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdlib.h>

enum {
	EXPIRES_DEFAULT = 3600,
	EXPIRES_MAX = 7200,
	DOCUMENT_MAX =
		245760, /* leaves room for a head in the largest message that the stack sends */
	GONE_SHOWN_MS =
		30000, /* who left stays in the roster, as disconnected, for that long at least */
	/* Of a subscription of an earlier life: phones have to be reachable again, and not all are
	 * told at once. */
	WAKE_MS = 3000,
	WAKE_SPREAD_MS = 10000,
	WAKE_AGAIN_MS = 15000,
	/* More NOTIFYs than there can have been since it was kept last. */
	UNKNOWN_NOTIFIES = 1000,
};

struct watcher {
	struct list link;
	struct conference *conference;
	struct sip_dialog dialog;
	struct timer expiry, wake;
	struct sip_uac *notify; /* one at a time */
	bool stale;		/* something changed while it was under way */
	bool ending;		/* the next NOTIFY is the last one */
	bool last;		/* that is under way */
	bool lost;		/* a NOTIFY could not be sent */
	bool asleep;		/* of an earlier life, and not to be told yet */
	bool restored;		/* of an earlier life, and has not answered yet */
	bool waits;		/* was told that he has to wait until he is in */
	const char *reason;	/* of the termination */
	uint32_t version;
	uint32_t seen; /* conference version that the last NOTIFY told */
	bool full;     /* the next NOTIFY is full state */
	uint64_t expires_at_ms;
	char *aor;	/* of the participant who watches */
	char event[64]; /* Event as it was asked for */
};

static void watcher_free(struct watcher *w)
{
	struct conference *conf = w->conference;

	conference_hold(conf);
	timer_cancel(sip_stack_timers(conf->ctl->stack), &w->expiry);
	timer_cancel(sip_stack_timers(conf->ctl->stack), &w->wake);
	conference_dirty(conf, sip_stack_timers(conf->ctl->stack)->now_ms);
	if (w->notify)
		sip_uac_detach(w->notify);
	list_del(&w->link);
	sip_dialog_fini(&w->dialog);
	free(w->aor);
	free(w);
	conference_release(conf);
}

void watchers_free(struct conference *conf)
{
	LIST_EACH(l, next, &conf->watchers)
	watcher_free(CONTAINER(l, struct watcher, link));
}

static enum conference_status status_of(enum member_state s)
{
	switch (s) {
	case MEMBER_JOINED:
		return CONFERENCE_CONNECTED;
	case MEMBER_ALERTING:
		return CONFERENCE_ALERTING;
	case MEMBER_INVITED:
		return CONFERENCE_DIALING_OUT;
	case MEMBER_GONE:
		return CONFERENCE_DISCONNECTED;
	default:
		return CONFERENCE_PENDING;
	}
}

static void describe(const struct member *m, struct conference_user *u,
		     struct conference_endpoint *e)
{
	*u = (struct conference_user){
		.entity = view_str(m->aor),
		.display_text = view_str(m->display),
		.nickname = view_str(m->nickname),
		.state = CONFERENCE_FULL,
		.anonymous = m->anonymous,
		.anonymous_id = m->anonymous_id,
		.endpoints = e,
		.n_endpoints = 1,
	};
	*e = (struct conference_endpoint){
		.entity = view_str(m->uri),
		.status = status_of(m->state),
		.joining = m->creator	  ? CONFERENCE_JOINING_NONE
			   : m->dialed_in ? CONFERENCE_DIALED_IN
					  : CONFERENCE_DIALED_OUT,
		.disconnection = m->state == MEMBER_GONE ? m->why : CONFERENCE_DISCONNECTION_NONE,
		.referred_by =
			m->inviter && !m->inviter_anonymous ? view_str(m->inviter) : VIEW(""),
	};
	if (m->creator)
		e->joining = CONFERENCE_DIALED_IN;
}

/* Nobody is told of him: a later record of him counts, or he only tries to join. */
static bool is_hidden(const struct member *m)
{
	return m->superseded || (m->dialed_in && !m->was_in);
}

struct roster {
	struct conference_user *user;
	struct conference_endpoint *end;
	size_t n;
};

static void add(const struct member *m, uint32_t seen, bool full, struct roster *r)
{
	struct conference_user *u = &r->user[r->n];

	if (full ? is_hidden(m) || m->deleted : m->changed <= seen && m->deleted <= seen)
		return;
	if (is_hidden(m))
		return;
	describe(m, u, &r->end[r->n]);
	if (m->deleted) {
		u->state = CONFERENCE_DELETED;
		u->n_endpoints = 0;
	}
	r->n++;
}

/* E_MISSING: nothing that a watcher would see has changed. */
static int write_state(const struct watcher *w, uint32_t version, struct buf *b)
{
	const struct conference *conf = w->conference;
	enum conference_state state = w->full ? CONFERENCE_FULL : CONFERENCE_PARTIAL;
	struct conference_info doc;
	struct roster r = {0};
	size_t n = 1;

	LIST_EACH(l, next, &conf->members)
	n++;
	r.user = calloc(n, sizeof(*r.user));
	r.end = calloc(n, sizeof(*r.end));
	if (!r.user || !r.end) {
		free(r.user);
		free(r.end);
		return E_NOMEM;
	}
	LIST_EACH(l, next, &conf->members)
	add(CONTAINER(l, struct member, link), w->seen, w->full, &r);
	doc = (struct conference_info){
		.entity = view_str(conf->uri),
		.version = version,
		.state = state,
		.subject = view_str(conf->subject),
		.has_subject = w->full && conf->subject,
		.has_user_count = true,
		.user_count = (uint32_t)conference_count(conf, true),
		.has_active = true,
		.active = !conf->ending,
		.has_users = true,
		.users_state = state,
		.users = r.user,
		.n_users = r.n,
	};
	if (w->full || r.n)
		conference_info_write(b, &doc);
	/* They are decoration: nobody makes the roster too large for all by long ones. */
	if (!buf_ok(b)) {
		for (size_t i = 0; i < r.n; i++)
			r.user[i].nickname = VIEW("");
		buf_reset(b);
		conference_info_write(b, &doc);
	}
	n = r.n;
	free(r.user);
	free(r.end);
	if (!w->full && !n)
		return E_MISSING;
	return buf_ok(b) ? 0 : E_NOMEM;
}

static void send_notify(struct watcher *w, uint64_t now_ms);

/* One of an earlier life whose phone is not there yet: again, as long as it may come back. False:
 * it is not, or the phone knows nothing of it. */
static bool sleeps_on(struct watcher *w, int status, uint64_t now_ms)
{
	struct conference *conf = w->conference;

	if (!w->restored || w->last || status == 481 || status == 489 ||
	    !timer_armed(&conf->comeback))
		return false;
	w->asleep = w->full = true;
	timer_arm(sip_stack_timers(conf->ctl->stack), &w->wake,
		  now_ms + WAKE_AGAIN_MS +
			  entropy_u64(sip_stack_entropy(conf->ctl->stack)) % WAKE_MS);
	return true;
}

static void notified(void *ctx, struct sip_uac *uac, const struct sip_msg *m, uint64_t now_ms)
{
	struct watcher *w = ctx;

	if (m->status < 200)
		return;
	sip_uac_detach(uac);
	w->notify = NULL;
	if (m->status >= 300 && sleeps_on(w, m->status, now_ms))
		return;
	w->restored = w->restored && m->status >= 300;
	/* RFC 6665 §4.2.2: an error without Retry-After ends the subscription. */
	if (w->last || (m->status >= 300 && !sip_msg_has(m, SIP_H_RETRY_AFTER)))
		watcher_free(w);
	else if (w->stale)
		send_notify(w, now_ms);
}

static void not_notified(void *ctx, struct sip_uac *uac, int error, uint64_t now_ms)
{
	struct watcher *w = ctx;

	(void)error;
	sip_uac_detach(uac);
	w->notify = NULL;
	if (!sleeps_on(w, 408, now_ms))
		watcher_free(w);
}

static const struct sip_uac_handler notify_handler = {.on_response = notified,
						      .on_failed = not_notified};

/* Who is in may know who else is; he keeps that until he has been told of his own end. Who has been
 * invited and has not answered may not: bcc entries and those who came later are no business of one
 * who declines. */
static bool may_know(const struct watcher *w)
{
	const struct member *m = member_record(w->conference, view_str(w->aor));

	return m && (m->was_in || m->creator || m->state == MEMBER_JOINED);
}

static void write_subscription_state(struct watcher *w, bool pending, struct buf *b,
				     uint64_t now_ms)
{
	uint64_t left = w->expires_at_ms > now_ms ? (w->expires_at_ms - now_ms) / 1000 : 0;

	if (w->ending)
		sip_write_fieldf(b, "Subscription-State", "terminated;reason=%s", w->reason);
	else
		sip_write_fieldf(b, "Subscription-State", "%s;expires=%u",
				 pending ? "pending" : "active", (unsigned)left);
}

static void send_notify(struct watcher *w, uint64_t now_ms)
{
	struct conference *conf = w->conference;
	bool pending = !may_know(w);
	struct sip_flow flow;
	struct buf b, body;
	int rc;

	if (w->notify) {
		w->stale = true;
		return;
	}
	w->full = w->full || w->asleep;
	if (w->asleep && !w->ending)
		return;
	w->stale = false;
	if (pending && w->waits && !w->ending)
		return;
	w->waits = pending;
	w->full = w->full || w->ending;
	buf_init(&body, DOCUMENT_MAX);
	buf_init(&b, DOCUMENT_MAX + SIP_HEAD_BYTES_MAX);
	rc = pending ? 0 : write_state(w, w->version + 1, &body);
	if (rc == E_MISSING) {
		w->seen = conf->version;
		buf_fini(&b);
		buf_fini(&body);
		return;
	}
	(void)sip_dialog_write_request(&w->dialog, &b, VIEW("NOTIFY"), 0);
	sip_write_field(&b, "Event", view_str(w->event));
	write_subscription_state(w, pending, &b, now_ms);
	sip_write_fieldf(&b, "Contact", "<%s>;isfocus", conf->uri);
	sip_write_field(&b, "User-Agent", view_str(conf->ctl->release));
	sip_write_body(&b, pending ? VIEW("") : VIEW("application/conference-info+xml"),
		       buf_view(&body));
	if (rc == 0)
		rc = buf_ok(&b) ? sip_dialog_next_hop(&w->dialog, &flow) : E_NOMEM;
	if (rc == 0)
		rc = sip_uac_send(conf->ctl->ua, buf_view(&b), &flow, NULL, &notify_handler, w,
				  now_ms, &w->notify);
	buf_fini(&b);
	buf_fini(&body);
	if (!rc) {
		w->last = w->ending;
		if (pending)
			return;
		w->version++;
		w->seen = conf->version;
		w->full = false;
		return;
	}
	log_line(sip_stack_log(conf->ctl->stack), LOG_WARN, "focus", "a NOTIFY could not be sent");
	/* Whoever called may go on with the list of watchers. */
	w->lost = true;
	timer_arm(sip_stack_timers(conf->ctl->stack), &w->expiry, now_ms);
}

static void end(struct watcher *w, const char *reason, uint64_t now_ms)
{
	timer_cancel(sip_stack_timers(w->conference->ctl->stack), &w->expiry);
	w->ending = true;
	w->reason = reason;
	send_notify(w, now_ms);
}

static void on_expiry(void *ctx, uint64_t now_ms)
{
	struct watcher *w = ctx;

	if (w->lost)
		watcher_free(w);
	else
		end(w, "timeout", now_ms);
}

static void wake(struct watcher *w)
{
	timer_cancel(sip_stack_timers(w->conference->ctl->stack), &w->wake);
	w->asleep = false;
}

static void on_wake(void *ctx, uint64_t now_ms)
{
	wake(ctx);
	send_notify(ctx, now_ms);
}

static void refresh(struct watcher *w, struct sip_server_tx *tx, const struct sip_msg *m,
		    uint64_t now_ms)
{
	uint32_t seconds = EXPIRES_DEFAULT;

	(void)view_to_u32(sip_msg_value(m, SIP_H_EXPIRES), &seconds);
	if (seconds > EXPIRES_MAX)
		seconds = EXPIRES_MAX;
	conference_grant(w->conference, tx, m, seconds, now_ms);
	w->expires_at_ms = now_ms + (uint64_t)seconds * 1000;
	if (!seconds) {
		end(w, "timeout", now_ms);
		return;
	}
	timer_arm(sip_stack_timers(w->conference->ctl->stack), &w->expiry, w->expires_at_ms + 1000);
	w->full = true; /* RFC 6665 §4.4.1: full state answers each SUBSCRIBE */
	wake(w);
	conference_dirty(w->conference, now_ms);
	send_notify(w, now_ms);
}

static void on_request(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
		       uint64_t now_ms)
{
	struct watcher *w = ctx;

	if (m->method == SIP_SUBSCRIBE) {
		sip_dialog_refresh(&w->dialog, m);
		refresh(w, tx, m, now_ms);
	} else {
		(void)sip_server_tx_reply(tx, 405, NULL, VIEW("Allow: SUBSCRIBE\r\n"), now_ms);
	}
}

static const struct sip_dialog_owner watcher_owner = {.on_request = on_request};

/* False: the conference has as many as it may, or this one has. */
static bool has_room(const struct conference *conf, struct view aor)
{
	const struct controlling_config *cfg = &conf->ctl->cfg;
	size_t n = 0, own = 0;

	LIST_EACH(l, next, &conf->watchers)
	{
		const struct watcher *w = CONTAINER(l, struct watcher, link);

		/* Who comes back subscribes anew, and his phone knows nothing of what was. */
		if (w->restored)
			continue;
		n++;
		own += view_eq(view_str(w->aor), aor);
	}
	return (!cfg->max_subscriptions || n < cfg->max_subscriptions) &&
	       (!cfg->max_subscriptions_per_user || own < cfg->max_subscriptions_per_user);
}

void watcher_subscribe(struct conference *conf, struct sip_server_tx *tx, const struct sip_msg *m,
		       const struct core_identity *who, uint64_t now_ms)
{
	struct sip_token_params event;
	struct watcher *w;
	char *aor;

	if (sip_token_params_parse(sip_msg_value(m, SIP_H_EVENT), &event) ||
	    !view_eq(event.token, VIEW("conference"))) {
		(void)sip_server_tx_reply(tx, 489, NULL, VIEW("Allow-Events: conference\r\n"),
					  now_ms);
		return;
	}
	aor = aor_of(who->uri);
	if (aor && !has_room(conf, view_str(aor))) {
		free(aor);
		(void)sip_server_tx_reply(tx, 486, "Too Many Subscriptions",
					  VIEW("Retry-After: 30\r\n"), now_ms);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		free(aor);
		(void)sip_server_tx_reply(tx, 503, NULL, VIEW("Retry-After: 30\r\n"), now_ms);
		return;
	}
	w->conference = conf;
	w->aor = aor;
	if (!view_copy(sip_msg_value(m, SIP_H_EVENT), w->event, sizeof(w->event)))
		(void)view_copy(VIEW("conference"), w->event, sizeof(w->event));
	timer_init(&w->expiry, on_expiry, w);
	timer_init(&w->wake, on_wake, w);
	if (!w->aor || sip_dialog_init_uas(&w->dialog, conf->ctl->ua, m, sip_server_tx_to_tag(tx),
					   &watcher_owner, w)) {
		free(w->aor);
		free(w);
		(void)sip_server_tx_reply(tx, 400, "Missing Contact", VIEW(""), now_ms);
		return;
	}
	list_add_tail(&conf->watchers, &w->link);
	refresh(w, tx, m, now_ms);
}

void watchers_each(const struct conference *conf, uint64_t now_ms,
		   void (*fn)(void *ctx, const struct watcher_state *w), void *ctx)
{
	LIST_EACH(l, next, &conf->watchers)
	{
		const struct watcher *w = CONTAINER(l, struct watcher, link);
		struct watcher_state s = {.aor = view_str(w->aor),
					  .event = view_str(w->event),
					  .version = w->version};

		if (w->ending || w->lost || w->expires_at_ms <= now_ms)
			continue;
		s.left_ms = w->expires_at_ms - now_ms;
		sip_dialog_get_state(&w->dialog, &s.dialog);
		fn(ctx, &s);
	}
}

static int init_restored(struct watcher *w, const struct watcher_state *s)
{
	struct sip_dialog_state d = s->dialog;

	if (!s->event.n || !view_copy(s->event, w->event, sizeof(w->event)) ||
	    d.local_seq > UINT32_MAX / 2 || s->version > UINT32_MAX / 2)
		return E_SYNTAX;
	d.local_seq += UNKNOWN_NOTIFIES;
	w->version = s->version + UNKNOWN_NOTIFIES;
	w->aor = view_dup(s->aor);
	return w->aor ? sip_dialog_init_state(&w->dialog, w->conference->ctl->ua, &d,
					      &watcher_owner, w)
		      : E_NOMEM;
}

int watcher_restore(struct conference *conf, const struct watcher_state *s, uint64_t now_ms)
{
	struct controlling *c = conf->ctl;
	struct timers *q = sip_stack_timers(c->stack);
	uint64_t most_ms = (uint64_t)EXPIRES_MAX * 1000;
	uint64_t left_ms = s->left_ms < most_ms ? s->left_ms : most_ms;
	struct watcher *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return E_NOMEM;
	w->conference = conf;
	timer_init(&w->expiry, on_expiry, w);
	timer_init(&w->wake, on_wake, w);
	rc = init_restored(w, s);
	if (rc) {
		free(w->aor);
		free(w);
		return rc;
	}
	w->full = w->asleep = w->restored = true;
	w->expires_at_ms = now_ms + left_ms;
	timer_arm(q, &w->expiry, w->expires_at_ms + 1000);
	/* A millisecond for each: a thousand a second at most. */
	timer_arm(q, &w->wake,
		  now_ms + WAKE_MS + c->n_watchers_restored++ % 30000 +
			  entropy_u64(sip_stack_entropy(c->stack)) % WAKE_SPREAD_MS);
	list_add_tail(&conf->watchers, &w->link);
	return 0;
}

/* What is seen of a member, in a number. */
static uint32_t look_of(const struct member *m)
{
	return 1u + (uint32_t)status_of(m->state) + ((uint32_t)m->why << 8) +
	       ((uint32_t)m->anonymous << 16) + ((uint32_t)is_hidden(m) << 17) +
	       ((uint32_t)m->renamed << 18);
}

/* Everybody knows that he is gone, and has for a while. */
static bool may_go(const struct conference *conf, const struct member *m, uint64_t now_ms)
{
	if (m->state != MEMBER_GONE || m->deleted || m->awaited || is_hidden(m) ||
	    now_ms < m->gone_at_ms + GONE_SHOWN_MS)
		return false;
	LIST_EACH(l, next, &conf->watchers)
	if (CONTAINER(l, struct watcher, link)->seen < m->changed)
		return false;
	return true;
}

/* True when a name that was said must no longer be. */
static bool mark_changes(struct conference *conf, uint64_t now_ms)
{
	bool veiled = false;

	LIST_EACH(l, next, &conf->members)
	{
		struct member *m = CONTAINER(l, struct member, link);
		uint32_t look = look_of(m);

		if (may_go(conf, m, now_ms))
			m->deleted = conf->version;
		if (look == m->look)
			continue;
		veiled = veiled || (m->anonymous && m->look && !(m->look >> 16 & 1));
		m->look = look;
		m->changed = conf->version;
	}
	return veiled;
}

void conference_changed(struct conference *conf, uint64_t now_ms)
{
	bool veiled;

	if (conf->ending)
		return;
	conf->version++;
	conference_dirty(conf, now_ms);
	veiled = mark_changes(conf, now_ms);
	LIST_EACH(l, next, &conf->watchers)
	{
		struct watcher *w = CONTAINER(l, struct watcher, link);

		/* Partial state would have to name whose entry is deleted; in full state he is
		 * just not there. */
		w->full = w->full || veiled;
		send_notify(w, now_ms);
	}
}

void watchers_end(struct conference *conf, uint64_t now_ms)
{
	LIST_EACH(l, next, &conf->watchers)
	end(CONTAINER(l, struct watcher, link), "noresource", now_ms);
}

void watchers_reject(struct conference *conf, struct view aor, uint64_t now_ms)
{
	LIST_EACH(l, next, &conf->watchers)
	{
		struct watcher *w = CONTAINER(l, struct watcher, link);

		if (!w->ending && view_eq(view_str(w->aor), aor))
			end(w, "rejected", now_ms);
	}
}
