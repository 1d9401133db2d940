/* A conference as bytes, for whoever keeps it over a restart: what its URI answers for, who is and
 * was in it, and who watches it. Seats, nicknames, dialogs of members and what is under way are not
 * in it. What comes back is checked like a peer's bytes: a file can be damaged.
 *
 *     record  = format text(user) text(uri) text(subject) text(contribution) text(history)
 *               flags next-anonymous *("M" member) *("W" watcher) "."
 *     number  = 1*DIGIT ","       text = 1*DIGIT ":" bytes ","
 */
#include "server/controlling/focus.h"

#include "base/error.h"
#include "sip/msg.h"

#include <stdlib.h>

enum { RECORD_FORMAT = 1, WATCHER_TEXTS = 9 };

/* Bits of flags; they stand on disks. */
enum { CONFERENCE_TLS = 1 };
enum {
	MEMBER_CREATOR = 1,
	MEMBER_DIALED_IN = 2,
	MEMBER_WAS_IN = 4,
	MEMBER_REMOVED = 8,
	MEMBER_ANONYMOUS = 16,
	MEMBER_INVITER_ANONYMOUS = 32,
	MEMBER_IS_IN = 64,
	MEMBER_TLS = 128
};

static void put_number(struct buf *b, uint64_t n)
{
	buf_put_u64(b, n);
	buf_putc(b, ',');
}

static void put_text(struct buf *b, struct view v)
{
	buf_put_u64(b, v.n);
	buf_putc(b, ':');
	buf_put(b, v);
	buf_putc(b, ',');
}

static bool is_in(const struct member *m)
{
	return m->awaited || (m->state == MEMBER_JOINED && m->was_in);
}

static void put_member(struct buf *b, const struct member *m)
{
	unsigned flags = (m->creator ? MEMBER_CREATOR : 0) | (m->dialed_in ? MEMBER_DIALED_IN : 0) |
			 (m->was_in ? MEMBER_WAS_IN : 0) | (m->removed ? MEMBER_REMOVED : 0) |
			 (m->anonymous ? MEMBER_ANONYMOUS : 0) |
			 (m->inviter_anonymous ? MEMBER_INVITER_ANONYMOUS : 0) |
			 (is_in(m) ? MEMBER_IS_IN : 0) | (m->tls ? MEMBER_TLS : 0);

	buf_putc(b, 'M');
	put_text(b, view_str(m->uri));
	put_text(b, view_str(m->display));
	put_text(b, view_str(m->inviter));
	put_number(b, flags);
	put_number(b,
		   m->state == MEMBER_GONE && !m->awaited ? (uint64_t)m->why : CONFERENCE_FAILED);
	put_number(b, m->anonymous_id);
}

static void put_watcher(void *ctx, const struct watcher_state *w)
{
	const struct sip_dialog_state *d = &w->dialog;
	const struct view text[WATCHER_TEXTS] = {w->aor,       w->event,      d->call_id,
						 d->local_tag, d->remote_tag, d->local,
						 d->remote,    d->target,     d->routes};
	struct buf *b = ctx;

	buf_putc(b, 'W');
	for (size_t i = 0; i < WATCHER_TEXTS; i++)
		put_text(b, text[i]);
	put_number(b, d->local_seq);
	put_number(b, d->remote_seq);
	put_number(b, w->version);
	put_number(b, w->left_ms);
}

void record_write(const struct conference *conf, struct buf *b, uint64_t now_ms)
{
	put_number(b, RECORD_FORMAT);
	put_text(b, view_str(conf->user));
	put_text(b, view_str(conf->uri));
	put_text(b, view_str(conf->subject));
	put_text(b, view_str(conf->contribution));
	put_text(b, view_str(conf->history));
	put_number(b, conf->tls ? CONFERENCE_TLS : 0);
	put_number(b, conf->next_anonymous);
	LIST_EACH(l, next, &conf->members)
	{
		const struct member *m = CONTAINER(l, struct member, link);

		if (!m->superseded && (m->was_in || !m->dialed_in))
			put_member(b, m);
	}
	watchers_each(conf, now_ms, put_watcher, b);
	buf_putc(b, '.');
}

/* --- and back --- */

struct reader {
	struct view rest;
	bool bad;
};

static uint64_t take_digits(struct reader *r, char end)
{
	size_t n = view_find(r->rest, end, 0);
	uint64_t number = 0;

	if (r->bad || n == r->rest.n || view_to_u64(view_first(r->rest, n), &number)) {
		r->bad = true;
		return 0;
	}
	r->rest = view_from(r->rest, n + 1);
	return number;
}

static uint64_t take_number(struct reader *r, uint64_t max)
{
	uint64_t n = take_digits(r, ',');

	r->bad = r->bad || n > max;
	return r->bad ? 0 : n;
}

static struct view take_bytes(struct reader *r)
{
	uint64_t n = take_digits(r, ':');
	struct view v;

	if (r->bad || n >= r->rest.n || r->rest.p[n] != ',') {
		r->bad = true;
		return VIEW("");
	}
	v = view_first(r->rest, (size_t)n);
	r->rest = view_from(r->rest, (size_t)n + 1);
	return v;
}

/* Text that goes into header fields. */
static struct view take_text(struct reader *r)
{
	struct view v = take_bytes(r);

	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7f)
			r->bad = true;
	r->bad = r->bad || v.n >= SIP_HEAD_BYTES_MAX;
	return r->bad ? VIEW("") : v;
}

static char take_tag(struct reader *r)
{
	char tag = r->bad || !r->rest.n ? '\0' : r->rest.p[0];

	r->rest = view_from(r->rest, 1);
	return tag;
}

static int keep(struct view v, char **out)
{
	*out = v.n ? view_dup(v) : NULL;
	return v.n && !*out ? E_NOMEM : 0;
}

static int take_member(struct reader *r, struct conference *conf, uint64_t now_ms)
{
	struct view uri = take_text(r), display = take_text(r), inviter = take_text(r);
	uint64_t flags = take_number(r, 255), why = take_number(r, CONFERENCE_BUSY);
	uint64_t anonymous = take_number(r, UINT32_MAX);
	struct member *m;
	struct sip_uri u;

	if (r->bad || sip_uri_parse(uri, &u))
		return E_SYNTAX;
	m = member_new(conf, uri, display);
	if (!m)
		return members_prune(conf) ? E_NOMEM : E_LIMIT;
	m->state = MEMBER_GONE;
	m->gone_at_ms = now_ms;
	m->why = (enum conference_disconnection)why;
	m->creator = flags & MEMBER_CREATOR;
	m->dialed_in = flags & MEMBER_DIALED_IN;
	m->was_in = flags & MEMBER_WAS_IN;
	m->removed = flags & MEMBER_REMOVED;
	m->anonymous = flags & MEMBER_ANONYMOUS;
	m->inviter_anonymous = flags & MEMBER_INVITER_ANONYMOUS;
	m->awaited = flags & MEMBER_IS_IN;
	m->tls = flags & MEMBER_TLS;
	m->anonymous_id = (uint32_t)anonymous;
	return keep(inviter, &m->inviter);
}

static int take_watcher(struct reader *r, struct conference *conf, uint64_t elapsed_ms,
			uint64_t now_ms)
{
	struct watcher_state w = {.dialog = {.has_remote_seq = true}};
	struct sip_dialog_state *d = &w.dialog;
	struct view *const text[WATCHER_TEXTS] = {&w.aor,	 &w.event,	 &d->call_id,
						  &d->local_tag, &d->remote_tag, &d->local,
						  &d->remote,	 &d->target,	 &d->routes};

	for (size_t i = 0; i < WATCHER_TEXTS; i++)
		*text[i] = take_text(r);
	d->local_seq = (uint32_t)take_number(r, UINT32_MAX);
	d->remote_seq = (uint32_t)take_number(r, UINT32_MAX);
	w.version = (uint32_t)take_number(r, UINT32_MAX);
	w.left_ms = take_number(r, UINT64_MAX);
	if (r->bad)
		return E_SYNTAX;
	if (w.left_ms <= elapsed_ms)
		return 0;
	w.left_ms -= elapsed_ms;
	return watcher_restore(conf, &w, now_ms);
}

static int take_people(struct reader *r, struct conference *conf, uint64_t elapsed_ms,
		       uint64_t now_ms)
{
	size_t max = conf->ctl->cfg.max_subscriptions, n = 0;
	int rc = 0;

	while (rc == 0)
		switch (take_tag(r)) {
		case 'M':
			rc = take_member(r, conf, now_ms);
			break;
		case 'W':
			rc = max && n++ == max ? E_LIMIT
					       : take_watcher(r, conf, elapsed_ms, now_ms);
			break;
		case '.':
			return r->rest.n ? E_SYNTAX : 0;
		default:
			return E_SYNTAX;
		}
	return rc;
}

/* Names of ours are letters, digits and hyphens. */
static bool is_name(struct view user, struct view uri)
{
	struct sip_uri u;

	if (!view_starts(user, VIEW("conf-")) || user.n >= CONFERENCE_USER_MAX)
		return false;
	for (size_t i = 0; i < user.n; i++)
		if (user.p[i] != '-' && !(user.p[i] >= '0' && user.p[i] <= '9') &&
		    !((user.p[i] | 0x20) >= 'a' && (user.p[i] | 0x20) <= 'z'))
			return false;
	return sip_uri_parse(uri, &u) == 0 && u.scheme == SIP_SCHEME_SIP && view_eq(u.user, user);
}

/* It counts among those of its maker; he may have as many as he had. */
static void take_share(struct conference *conf)
{
	LIST_EACH(l, next, &conf->members)
	{
		const struct member *m = CONTAINER(l, struct member, link);

		if (m->creator && !conf->share)
			(void)quota_take(&conf->ctl->made, view_str(m->aor), &conf->share);
	}
}

int record_read(struct controlling *c, struct view user, struct view record, uint64_t elapsed_ms,
		uint64_t now_ms, struct conference **out)
{
	struct reader r = {.rest = record};
	struct view name, uri, subject, contribution, history;
	struct conference *conf;
	uint64_t flags, anonymous;
	int rc;

	if (take_number(&r, UINT64_MAX) != RECORD_FORMAT)
		return r.bad ? E_SYNTAX : E_UNSUPPORTED;
	name = take_text(&r);
	uri = take_text(&r);
	subject = take_text(&r);
	contribution = take_text(&r);
	history = take_bytes(&r);
	flags = take_number(&r, CONFERENCE_TLS);
	anonymous = take_number(&r, UINT32_MAX);
	if (r.bad || !view_eq(name, user) || !is_name(name, uri) ||
	    history.n >= SIP_HEAD_BYTES_MAX || view_find(history, '\0', 0) != history.n)
		return E_SYNTAX;
	rc = conference_new_named(c, name, uri, &conf);
	if (rc)
		return rc;
	conf->tls = flags & CONFERENCE_TLS;
	conf->next_anonymous = (uint32_t)anonymous;
	rc = keep(subject, &conf->subject);
	if (rc == 0)
		rc = keep(contribution, &conf->contribution);
	if (rc == 0)
		rc = keep(history, &conf->history);
	if (rc == 0)
		rc = take_people(&r, conf, elapsed_ms, now_ms);
	if (rc == 0 && list_empty(&conf->members))
		rc = E_SYNTAX;
	if (rc) {
		conference_free(conf);
		return rc;
	}
	take_share(conf);
	*out = conf;
	return 0;
}
