/* What strangers can have the core write into its log at will: of each kind so many lines a second.
 */
#include "server/core/state.h"

static const struct log_kind acks = {LOG_INFO, "core", "ACKs that were dropped"};
static const struct log_kind wrong = {LOG_INFO, "core", "wrong passwords"};
static const struct log_kind shut = {LOG_WARN, "core", "wrong passwords, once too often each,"};

void core_note_ack(struct inbound *r, const char *what)
{
	if (log_quota_take(&r->c->acks_told, r->c->log, &acks, r->now_ms))
		log_line(r->c->log, LOG_INFO, "core", "%s", what);
}

void core_note_wrong(struct inbound *r, struct view aor, bool once_too_often)
{
	struct core *c = r->c;
	struct log_quota *q = once_too_often ? &c->shut_told : &c->wrong_told;
	const struct log_kind *kind = once_too_often ? &shut : &wrong;
	char host[ADDR_TEXT_MAX];

	if (!log_quota_take(q, c->log, kind, r->now_ms))
		return;
	log_line(c->log, kind->level, "core", "wrong password for %.*s from %s%s", VIEW_ARG(aor),
		 addr_text(&r->from->remote, host),
		 once_too_often ? ": once too often, not listened to for a while" : "");
}

void core_told_fini(struct core *c)
{
	log_quota_tell(&c->acks_told, c->log, &acks);
	log_quota_tell(&c->wrong_told, c->log, &wrong);
	log_quota_tell(&c->shut_told, c->log, &shut);
}
