/* REFER to a conference (CF-9.3-2 … -5, CF-X-3): whom it names is invited, or removed. Inside a
 * participant's dialog as the source asks, or outside one, to the conference URI or to the
 * factory's, as RFC 7647 §4 asks and phones do. */
#include "procedure/refer.h"

#include "base/error.h"
#include "server/controlling/focus.h"
#include "sip/write.h"

#include <stdlib.h>

static void refuse(struct sip_server_tx *tx, int status, const char *reason, uint64_t now_ms)
{
	(void)sip_server_tx_reply(tx, status, reason, VIEW(""), now_ms);
}

/* Who asks must be in. */
static struct member *asker_of(const struct conference *conf, const struct core_identity *who)
{
	char *aor = who && who->asserted ? aor_of(who->uri) : NULL;
	struct member *m = aor ? member_by_aor(conf, view_str(aor)) : NULL;

	free(aor);
	return m && m->state == MEMBER_JOINED ? m : NULL;
}

static bool asks_privacy(const struct sip_msg *m)
{
	struct view v = sip_msg_value(m, SIP_H_PRIVACY);

	return view_find_view(v, VIEW("id"), 0) < v.n;
}

/* 0, or what the REFER is refused with. */
static int check(const struct conference *conf, const struct member *asker, const struct refer *r,
		 const char **reason)
{
	size_t added = 0;

	for (size_t i = 0; i < r->targets.n; i++) {
		const struct invitee *e = &r->targets.entry[i];
		const struct member *m = member_by_aor(conf, e->aor);

		if (e->remove && !m) {
			*reason = "Not A Participant";
			return 404;
		}
		if (e->remove && !policy_may_remove(asker, m)) {
			*reason = "Removing Is Not Allowed";
			return 403;
		}
		if (!e->remove && controlling_names_conference(conf->ctl, e->uri)) {
			*reason = "A Conference Cannot Be Invited";
			return 403;
		}
		added += !e->remove && !m;
	}
	if (conference_count(conf, false) + added > conf->ctl->cfg.max_members) {
		*reason = "Size Exceeded";
		return 403;
	}
	return 0;
}

static void accept(const struct conference *conf, struct sip_server_tx *tx, const struct sip_msg *m,
		   bool subscribed, uint64_t now_ms)
{
	struct im_profile p;
	struct buf lines;

	focus_profile(conf->ctl, &p, view_str(conf->uri));
	buf_init(&lines, SIP_HEAD_BYTES_MAX);
	buf_puts(&lines, "Contact: ");
	im_write_contact(&lines, &p, view_str(conf->uri), true);
	buf_puts(&lines, "\r\nAllow: " IM_ALLOW_FOCUS "\r\nSupported: replaces, norefersub\r\n");
	if (!subscribed)
		sip_write_field(&lines, "Refer-Sub", VIEW("false"));
	focus_write_charging(conf->ctl, &lines, m);
	/* R-4, RFC 7647 §5: never 202. */
	(void)sip_server_tx_reply(tx, 200, NULL, buf_view(&lines), now_ms);
	buf_fini(&lines);
}

static void invite(struct conference *conf, const struct member *asker, const struct refer *r,
		   bool anonymous, struct referral *sub, uint64_t now_ms)
{
	uint64_t request = ++conf->ctl->next_id;
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < r->targets.n; i++) {
		const struct invitee *e = &r->targets.entry[i];
		struct member *m = e->remove || member_by_aor(conf, e->aor)
					   ? NULL
					   : member_add(conf, e, asker, anonymous);

		/* Who is in already, or asked already, is left as he is. */
		if (!m)
			continue;
		m->request = request;
		m->referral = sub;
		referral_expect(sub);
		n++;
	}
	if (!n)
		return;
	rc = conference_ask_seats(conf, request, now_ms);
	if (rc)
		controlling_seats_failed(conf->ctl, request, conf->id, rc, now_ms);
}

static void remove_all(struct conference *conf, const struct refer *r, const struct member *inside,
		       struct referral *sub, uint64_t now_ms)
{
	for (size_t i = 0; i < r->targets.n && !conf->ending; i++) {
		struct member *m = r->targets.entry[i].remove
					   ? member_by_aor(conf, r->targets.entry[i].aor)
					   : NULL;

		if (!m)
			continue;
		log_line(sip_stack_log(conf->ctl->stack), LOG_INFO, "focus", "%s: %s is removed",
			 conf->uri, m->uri);
		member_remove(m, m == inside ? NULL : sub, now_ms);
	}
}

static void carry_out(struct conference *conf, struct member *asker, struct sip_server_tx *tx,
		      const struct sip_msg *m, const struct refer *r, bool inside, bool anonymous,
		      uint64_t now_ms)
{
	struct referral *sub = NULL;
	int rc = r->subscribe ? referral_new(conf, inside ? asker : NULL, tx, m, &sub) : 0;

	if (rc == E_LIMIT || rc == E_NOMEM) {
		(void)sip_server_tx_reply(tx, 503, NULL, VIEW("Retry-After: 10\r\n"), now_ms);
		return;
	}
	if (rc) {
		refuse(tx, 400, "Missing Contact", now_ms);
		return;
	}
	accept(conf, tx, m, r->subscribe, now_ms);
	invite(conf, asker, r, anonymous, sub, now_ms);
	/* In his own dialog there is no NOTIFY after his BYE: what he does to himself is not waited
	 * for. */
	for (size_t i = 0; i < r->targets.n; i++)
		if (r->targets.entry[i].remove &&
		    !(inside && member_by_aor(conf, r->targets.entry[i].aor) == asker))
			referral_expect(sub);
	referral_begin(sub, now_ms);
	remove_all(conf, r, inside ? asker : NULL, sub, now_ms);
}

void conference_refer(struct conference *conf, struct member *asker, struct sip_server_tx *tx,
		      const struct sip_msg *m, const struct core_identity *who, uint64_t now_ms)
{
	struct invitee_limits max = controlling_list_limits(conf->ctl, conf->ctl->cfg.max_members);
	bool inside = asker != NULL, anonymous;
	const char *reason = NULL;
	struct refer r;
	int status;

	if (conf->ending) {
		refuse(tx, 410, "Conference Has Ended", now_ms);
		return;
	}
	if (!inside)
		asker = asker_of(conf, who);
	(void)members_prune(conf);
	if (!asker || asker->state != MEMBER_JOINED) {
		refuse(tx, 403, "Participants Only", now_ms);
		return;
	}
	anonymous = asker->anonymous || asks_privacy(m) || (who && who->privacy_id);
	refer_read(&r, m, &max);
	status = r.status ? 0 : check(conf, asker, &r, &reason);
	if (r.status) {
		(void)sip_server_tx_reply(tx, r.status, r.reason, buf_view(&r.lines), now_ms);
	} else if (status) {
		refuse(tx, status, reason, now_ms);
	} else {
		conference_hold(conf);
		carry_out(conf, asker, tx, m, &r, inside, anonymous, now_ms);
		conference_release(conf);
	}
	refer_fini(&r);
}
