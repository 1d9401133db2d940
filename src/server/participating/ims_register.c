#include "server/participating/ims_register.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdlib.h>

enum { SERVED_MAX_S = 7 * 86400 };

struct ims_served {
	struct hash users;
	struct timers *timers;
	void (*on_expired)(void *ctx, struct view aor, uint64_t now_ms);
	void *ctx;
};

struct served_user {
	struct hash_node node;
	struct ims_served *table;
	struct timer expiry;
	uint64_t expires_at_ms;
	size_t aor_n;
	char aor[];
};

static void user_free(struct served_user *u)
{
	timer_cancel(u->table->timers, &u->expiry);
	hash_del(&u->table->users, &u->node);
	free(u);
}

static void run_out(void *ctx, uint64_t now_ms)
{
	struct served_user *u = ctx;

	u->table->on_expired(u->table->ctx, view_of(u->aor, u->aor_n), now_ms);
	user_free(u);
}

struct ims_served *ims_served_new(struct timers *timers, size_t max, const uint64_t key[2],
				  void (*on_expired)(void *ctx, struct view aor, uint64_t now_ms),
				  void *ctx)
{
	struct ims_served *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->timers = timers;
	s->on_expired = on_expired;
	s->ctx = ctx;
	hash_init(&s->users, max, key);
	return s;
}

static void drop(void *ctx, struct hash_node *node)
{
	(void)ctx;
	user_free(CONTAINER(node, struct served_user, node));
}

void ims_served_free(struct ims_served *s)
{
	if (!s)
		return;
	hash_each(&s->users, drop, NULL);
	hash_fini(&s->users);
	free(s);
}

static struct served_user *find(const struct ims_served *s, struct view aor)
{
	uint64_t h = hash_bytes(&s->users, aor);

	for (struct hash_node *n = hash_first(&s->users, h); n; n = hash_next(n, h)) {
		struct served_user *u = CONTAINER(n, struct served_user, node);

		if (view_eq(view_of(u->aor, u->aor_n), aor))
			return u;
	}
	return NULL;
}

bool ims_served_has(const struct ims_served *s, struct view aor)
{
	return s && find(s, aor) != NULL;
}

size_t ims_served_count(const struct ims_served *s)
{
	return s ? s->users.n : 0;
}

/* E_NOMEM, E_LIMIT. */
static int serve(struct ims_served *s, struct view aor, uint64_t until_ms)
{
	struct served_user *u = find(s, aor);
	int rc;

	if (!u) {
		u = malloc(sizeof(*u) + aor.n);
		if (!u)
			return E_NOMEM;
		u->table = s;
		u->aor_n = aor.n;
		memcpy(u->aor, aor.p, aor.n);
		timer_init(&u->expiry, run_out, u);
		rc = hash_add(&s->users, &u->node, hash_bytes(&s->users, aor));
		if (rc) {
			free(u);
			return rc;
		}
	}
	u->expires_at_ms = until_ms;
	timer_arm(s->timers, &u->expiry, until_ms);
	return 0;
}

int ims_served_restore(struct ims_served *s, struct view aor, uint64_t expires_at_ms,
		       uint64_t now_ms)
{
	uint64_t longest = now_ms + (uint64_t)SERVED_MAX_S * 1000;
	struct sip_uri u;

	if (!s || expires_at_ms <= now_ms)
		return E_NOTFOUND;
	if (aor.n >= CORE_AOR_MAX || sip_uri_parse(aor, &u) || u.scheme != SIP_SCHEME_SIP)
		return E_SYNTAX;
	/* The wall clock, which the caller went by, may have been set meanwhile. */
	return serve(s, aor, expires_at_ms > longest ? longest : expires_at_ms);
}

struct each {
	void (*fn)(void *ctx, struct view aor, uint64_t expires_at_ms);
	void *ctx;
};

static void each_node(void *ctx, struct hash_node *node)
{
	const struct served_user *u = CONTAINER(node, struct served_user, node);
	const struct each *e = ctx;

	e->fn(e->ctx, view_of(u->aor, u->aor_n), u->expires_at_ms);
}

void ims_served_each(struct ims_served *s,
		     void (*fn)(void *ctx, struct view aor, uint64_t expires_at_ms), void *ctx)
{
	struct each e = {fn, ctx};

	if (s)
		hash_each(&s->users, each_node, &e);
}

/* Expires of the Contact or of the request (RFC 3261 §10.2.1.1), within the configured bounds. */
static uint32_t granted(const struct inbound *r)
{
	const struct core_config *cfg = &r->c->cfg;
	uint32_t seconds = cfg->default_expires;
	struct sip_values it;
	struct view v, e;
	struct sip_addr a;

	(void)view_to_u32(sip_msg_value(r->m, SIP_H_EXPIRES), &seconds);
	sip_values_start(&it, r->m, SIP_H_CONTACT);
	if (sip_values_next(&it, &v) && sip_addr_parse(v, &a) == 0 &&
	    sip_param(a.params, VIEW("expires"), &e))
		(void)view_to_u32(e, &seconds);
	/* The registrar is another: what it has granted is not cut, only bounded. */
	return seconds > SERVED_MAX_S ? SERVED_MAX_S : seconds;
}

void ims_register(struct inbound *r)
{
	struct core *c = r->c;
	struct served_user *u;
	struct sip_uri to;
	uint32_t seconds = granted(r);
	int rc = 0;

	if (!core_is_trusted(c, r->from)) {
		core_reply(r, 403, "Not The Registrar", VIEW(""));
		return;
	}
	buf_reset(&c->target);
	if (sip_uri_parse(r->to_addr.uri, &to) || to.scheme == SIP_SCHEME_OTHER) {
		core_reply(r, 400, "Malformed To", VIEW(""));
		return;
	}
	to.scheme = to.scheme == SIP_SCHEME_SIPS ? SIP_SCHEME_SIP : to.scheme;
	sip_uri_aor(&c->target, &to);
	if (!buf_ok(&c->target)) {
		core_reply(r, 400, "Malformed To", VIEW(""));
		return;
	}
	u = find(c->served_users, buf_view(&c->target));
	if (seconds)
		rc = serve(c->served_users, buf_view(&c->target),
			   r->now_ms + (uint64_t)seconds * 1000);
	else if (u)
		user_free(u);
	if (rc) {
		core_reply(r, 503, NULL, VIEW("Retry-After: 60\r\n"));
		return;
	}
	if (c->ops.on_served && (seconds || u))
		c->ops.on_served(c->ops.ctx, buf_view(&c->target),
				 seconds ? r->now_ms + (uint64_t)seconds * 1000 : 0, r->now_ms);
	log_line(c->log, LOG_INFO, "ims", "%.*s is %s, says the core",
		 VIEW_ARG(buf_view(&c->target)), seconds ? "registered" : "no longer registered");
	buf_reset(&c->extra);
	sip_write_copy(&c->extra, r->m, SIP_H_CONTACT);
	sip_write_fieldf(&c->extra, "Expires", "%u", seconds);
	core_reply(r, 200, NULL, buf_view(&c->extra));
}
