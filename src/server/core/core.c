/* The core as a whole: set-up, and the way of a request up to where it is answered or forwarded. */
#include "server/core/state.h"

#include "base/error.h"
#include "server/core/proxy.h"
#include "server/participating/b2bua.h"
#include "server/participating/ims_isc.h"
#include "server/participating/ims_register.h"
#include "server/participating/participate_proxy.h"
#include "sip/write.h"

#include <stdlib.h>

enum { GUESSERS_MAX = 65536 }; /* pairs of an address and a user whose passwords were wrong */

static void binding_expired(void *ctx, const struct binding *b, uint64_t now_ms)
{
	struct binding_values gone = {.contact = b->contact};
	struct core *c = ctx;

	log_line(c->log, LOG_INFO, "core", "a binding of %.*s ran out", (int)b->aor->aor_n,
		 b->aor->aor);
	if (c->ops.on_binding)
		c->ops.on_binding(c->ops.ctx, view_of(b->aor->aor, b->aor->aor_n), &gone, now_ms);
}

static struct view keep(char **at, struct view v)
{
	struct view copy = view_of(*at, v.n);

	if (v.n)
		memcpy(*at, v.p, v.n);
	*at += v.n;
	return copy;
}

/* One block: the lists of domains and of trusted names, the routes, the trusted addresses, then the
 * text. */
static int copy_config(struct core *c, const struct core_config *cfg)
{
	size_t text = cfg->realm.n + cfg->server.n + cfg->service_route.n + cfg->ims.orig_user.n +
		      cfg->ims.term_user.n + cfg->ims.ioi.n;
	size_t n_names = cfg->n_domains + cfg->n_trusted_names;
	struct core_route *routes;
	struct view *domains;
	struct addr *trusted;
	char *at;

	if (cfg->n_domains == 0)
		return E_MISSING;
	for (size_t i = 0; i < cfg->n_domains; i++)
		text += cfg->domains[i].n;
	for (size_t i = 0; i < cfg->n_trusted_names; i++)
		text += cfg->trusted_names[i].n;
	for (size_t i = 0; i < cfg->n_routes; i++)
		text += cfg->routes[i].domain.n;
	domains = malloc(n_names * sizeof(*domains) + cfg->n_trusted * sizeof(*trusted) +
			 cfg->n_routes * sizeof(*routes) + text);
	if (!domains)
		return E_NOMEM;
	c->text = (char *)domains;
	routes = (struct core_route *)(void *)(domains + n_names);
	trusted = (struct addr *)(void *)(routes + cfg->n_routes);
	at = (char *)(trusted + cfg->n_trusted);
	c->cfg = *cfg;
	for (size_t i = 0; i < cfg->n_domains; i++)
		domains[i] = keep(&at, cfg->domains[i]);
	for (size_t i = 0; i < cfg->n_trusted_names; i++)
		domains[cfg->n_domains + i] = keep(&at, cfg->trusted_names[i]);
	if (cfg->n_trusted)
		memcpy(trusted, cfg->trusted, cfg->n_trusted * sizeof(*trusted));
	for (size_t i = 0; i < cfg->n_routes; i++) {
		routes[i] = cfg->routes[i];
		routes[i].domain = keep(&at, cfg->routes[i].domain);
	}
	c->cfg.routes = routes;
	c->cfg.domains = domains;
	c->cfg.trusted = trusted;
	c->cfg.trusted_names = domains + cfg->n_domains;
	c->cfg.realm = keep(&at, cfg->realm);
	c->cfg.server = keep(&at, cfg->server);
	c->cfg.service_route = keep(&at, cfg->service_route);
	c->cfg.ims.orig_user = keep(&at, cfg->ims.orig_user);
	c->cfg.ims.term_user = keep(&at, cfg->ims.term_user);
	c->cfg.ims.ioi = keep(&at, cfg->ims.ioi);
	if (c->cfg.realm.n == 0)
		c->cfg.realm = domains[0];
	return 0;
}

static void init_tables(struct core *c, const struct digest *digest)
{
	const struct entropy *entropy = sip_stack_entropy(c->stack);
	size_t max = sip_stack_get_config(c->stack)->max_message + 1024;
	uint64_t key[2];

	key[0] = entropy_u64(entropy);
	key[1] = entropy_u64(entropy);
	location_init(&c->location, c->timers, c->cfg.max_bindings, key);
	c->location.on_expired = binding_expired;
	c->location.ctx = c;
	key[0] = entropy_u64(entropy);
	key[1] = entropy_u64(entropy);
	hash_init(&c->keyed, 0, key);
	sip_challenger_init(&c->challenger, digest, entropy, c->cfg.realm,
			    c->cfg.nonce_lifetime_ms);
	c->challenger.offer_md5 = c->cfg.offer_md5;
	c->challenger.offer_sha256 = c->cfg.offer_sha256;
	key[0] = entropy_u64(entropy);
	key[1] = entropy_u64(entropy);
	guesses_init(&c->guesses, GUESSERS_MAX, c->cfg.max_failures, c->cfg.lockout_ms, key);
	key[0] = entropy_u64(entropy);
	key[1] = entropy_u64(entropy);
	quota_init(&c->sessions, c->cfg.max_sessions_per_user, key);
	list_init(&c->contexts);
	core_parking_init(c);
	buf_init(&c->out, max + CORE_HEAD_MAX);
	buf_init(&c->extra, CORE_HEAD_MAX);
	buf_init(&c->sender, CORE_AOR_MAX);
	buf_init(&c->target, CORE_AOR_MAX);
	buf_init(&c->other, CORE_AOR_MAX);
	buf_init(&c->served, CORE_AOR_MAX);
}

static void served_expired(void *ctx, struct view aor, uint64_t now_ms)
{
	struct core *c = ctx;

	if (c->ops.on_served)
		c->ops.on_served(c->ops.ctx, aor, 0, now_ms);
}

static int init_ims(struct core *c)
{
	const struct entropy *entropy = sip_stack_entropy(c->stack);
	uint64_t key[2] = {entropy_u64(entropy), entropy_u64(entropy)};

	c->served_users = ims_served_new(c->timers, c->cfg.max_bindings, key, served_expired, c);
	return c->served_users ? 0 : E_NOMEM;
}

struct core *core_new(const struct core_config *cfg, const struct core_ops *ops,
		      struct sip_stack *stack, const struct digest *digest)
{
	struct core *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	if (copy_config(c, cfg)) {
		free(c);
		return NULL;
	}
	c->ops = *ops;
	c->stack = stack;
	c->timers = sip_stack_timers(stack);
	c->log = sip_stack_log(stack);
	init_tables(c, digest);
	if (c->cfg.ims.on && init_ims(c)) {
		core_free(c);
		return NULL;
	}
	return c;
}

void core_free(struct core *c)
{
	if (!c)
		return;
	core_told_fini(c);
	proxy_drop_all(c);
	core_parked_drop(c);
	location_fini(&c->location);
	sip_challenger_fini(&c->challenger);
	guesses_fini(&c->guesses);
	quota_fini(&c->sessions);
	hash_fini(&c->keyed);
	buf_fini(&c->out);
	buf_fini(&c->extra);
	buf_fini(&c->sender);
	buf_fini(&c->target);
	buf_fini(&c->other);
	buf_fini(&c->served);
	ims_served_free(c->served_users);
	free(c->text);
	free(c);
}

size_t core_binding_count(const struct core *c)
{
	return location_count(&c->location);
}

size_t core_served_count(const struct core *c)
{
	return ims_served_count(c->served_users);
}

void core_conn_down(struct core *c, uint64_t conn, uint64_t now_ms)
{
	/* Connection ids are never used twice, and binding_flow asks whether one lives: nothing is
	 * to be gone through here. */
	(void)now_ms;
	log_line(c->log, LOG_DEBUG, "core", "connection %llu is gone", (unsigned long long)conn);
}

static bool is_own_port(const struct core *c, uint16_t port)
{
	const struct sip_stack_config *s = sip_stack_get_config(c->stack);

	for (unsigned t = 0; t < 3; t++)
		for (unsigned f = 0; f < 2; f++)
			if (s->sent_by[t][f].family && s->sent_by[t][f].port == port)
				return true;
	return false;
}

bool core_is_served_domain(const struct core *c, struct view host, uint16_t port)
{
	/* A phone on the host that the domain names has a port of its own. */
	if (port && !is_own_port(c, port))
		return false;
	for (size_t i = 0; i < c->cfg.n_domains; i++)
		if (view_eq_nocase(c->cfg.domains[i], host))
			return true;
	return false;
}

bool core_is_ours(const struct core *c, const struct sip_uri *u)
{
	if (u->scheme != SIP_SCHEME_SIP && u->scheme != SIP_SCHEME_SIPS)
		return false;
	return core_is_served_domain(c, u->host, u->port) ||
	       sip_stack_is_own(c->stack, u->host, u->port);
}

bool core_aor(const struct core *c, const struct sip_uri *u, struct buf *out)
{
	struct sip_uri plain = *u;

	buf_reset(out);
	if (u->user.n == 0 || !core_is_ours(c, u))
		return false;
	if (!core_is_served_domain(c, u->host, u->port))
		plain.host = c->cfg.domains[0]; /* one of our addresses */
	plain.scheme = SIP_SCHEME_SIP;
	plain.port = 0;
	sip_uri_aor(out, &plain);
	return buf_ok(out);
}

void core_aor_split(struct view aor, struct view *user, struct view *domain)
{
	size_t at = aor.n;

	while (at > 0 && aor.p[at - 1] != '@')
		at--;
	*domain = view_from(aor, at);
	*user = at ? view_from(view_first(aor, at - 1), 4) : VIEW("");
}

int core_user_find(const struct core *c, struct view aor, struct core_user *out)
{
	struct view user, domain;

	core_aor_split(aor, &user, &domain);
	*out = (struct core_user){.im_tag = CORE_IM_DEFAULT};
	return c->ops.user_find(c->ops.ctx, user, domain, out);
}

bool core_is_trusted(const struct core *c, const struct sip_flow *flow)
{
	if (flow->transport == SIP_LOCAL)
		return true;
	for (size_t i = 0; i < c->cfg.n_trusted; i++)
		if (addr_same_host(&c->cfg.trusted[i], &flow->remote))
			return true;
	return flow->transport == SIP_TLS && sip_stack_flow_name(c->stack, flow) == SIP_FLOW_NAMED;
}

bool core_name_is_trusted(const struct core *c, struct view host)
{
	for (size_t i = 0; i < c->cfg.n_trusted_names; i++)
		if (view_eq_nocase(c->cfg.trusted_names[i], host))
			return true;
	return false;
}

void core_answer_at_least(struct sip_server_tx *tx, int status, uint64_t now_ms)
{
	if (status >= 200 && sip_server_tx_pending(tx))
		(void)sip_server_tx_reply(tx, 500, NULL, VIEW(""), now_ms);
}

void core_reply(struct inbound *r, int status, const char *reason, struct view extra)
{
	struct buf *b = &r->c->out;

	if (!r->tx)
		return;
	buf_reset(b);
	sip_write_response_head(b, r->m, status, reason,
				status > 100 ? sip_server_tx_to_tag(r->tx) : VIEW(""));
	if (status > 100)
		sip_write_field(b, "Server", r->c->cfg.server);
	buf_put(b, extra);
	sip_write_body(b, VIEW(""), VIEW(""));
	if (buf_ok(b) && sip_server_tx_respond(r->tx, buf_view(b), status, r->now_ms) == 0)
		return;
	log_line(r->c->log, LOG_WARN, "core", "a %d could not be sent", status);
	core_answer_at_least(r->tx, status, r->now_ms);
}

/* Whose share an INVITE is of; empty: nobody's. What comes in for a user is not his doing: counted,
 * it would let others use up his share. */
static struct view inviter(struct inbound *r)
{
	struct sip_uri u;

	if (!r->in_dialog)
		return r->sender_served ? r->who.uri : VIEW("");
	if (r->trusted)
		return VIEW("");
	/* A dialog has one at a time (RFC 3261 §14.1), but its Route lets as many through as its
	 * holder likes, each of which may wait for timer C. */
	if (sip_uri_parse(r->from_addr.uri, &u) == 0 && core_aor(r->c, &u, &r->c->other))
		return buf_view(&r->c->other);
	return addr_source(&r->from->remote);
}

bool core_session_count(struct inbound *r, struct quota_share **out)
{
	struct view who = r->m->method == SIP_INVITE ? inviter(r) : VIEW("");
	int rc = 0;

	*out = NULL;
	if (who.n)
		rc = quota_take(&r->c->sessions, who, out);
	if (rc)
		core_reply(r, rc == E_LIMIT ? 486 : 500, rc == E_LIMIT ? "Too Many Sessions" : NULL,
			   rc == E_LIMIT ? VIEW("Retry-After: 30\r\n") : VIEW(""));
	return rc == 0;
}

/* RFC 3261 §16.3 step 5. Privacy other than id asks for what is not done here (RFC 3323 §5). */
static bool check_proxy_require(struct inbound *r)
{
	struct buf *extra = &r->c->extra;
	struct sip_values it;
	struct view tag;
	bool unknown = false;

	buf_reset(extra);
	sip_values_start(&it, r->m, SIP_H_PROXY_REQUIRE);
	while (sip_values_next(&it, &tag)) {
		if (view_eq_nocase(tag, VIEW("privacy")) &&
		    !core_privacy_has(r->m, VIEW("header")) &&
		    !core_privacy_has(r->m, VIEW("session")))
			continue;
		sip_write_field(extra, "Unsupported", tag);
		unknown = true;
	}
	if (unknown)
		core_reply(r, 420, NULL, buf_view(extra));
	return !unknown;
}

static bool is_local(struct inbound *r)
{
	return !r->more_routes && r->c->ops.is_local(r->c->ops.ctx, &r->uri);
}

/* OPTIONS to the server itself, as phones and proxies send it to see whether it lives. */
static void answer_options(struct inbound *r)
{
	core_reply(r, 200, NULL,
		   VIEW("Allow: INVITE, ACK, CANCEL, BYE, REGISTER, OPTIONS, MESSAGE, REFER, "
			"SUBSCRIBE, NOTIFY, INFO, UPDATE, PUBLISH, PRACK\r\n"
			"Accept: */*\r\n"
			"Supported: path\r\n"));
}

bool core_readable(struct inbound *r)
{
	if (sip_msg_from(r->m, &r->from_addr) || sip_msg_to(r->m, &r->to_addr) ||
	    core_route_preprocess(r)) {
		core_reply(r, 400, "Bad Route", VIEW(""));
		return false;
	}
	r->in_dialog = sip_addr_tag(&r->to_addr).n > 0;
	if (r->uri.scheme != SIP_SCHEME_SIP && r->uri.scheme != SIP_SCHEME_SIPS &&
	    !r->more_routes) {
		core_reply(r, 416, NULL, VIEW(""));
		return false;
	}
	return true;
}

/* A request inside a dialog that runs through a B2BUA here. Outside of one, its parameter says
 * nothing. */
static bool is_b2bua_side(const struct inbound *r)
{
	return r->c->b2bua && r->in_dialog && !r->more_routes && b2bua_is_side(&r->uri);
}

/* The participating function's choice; local: the request ends here. */
static enum participation participates(struct inbound *r, bool local)
{
	if (!r->c->cfg.ims.on)
		return participate_originating(r, local);
	ims_isc_read(r);
	return ims_isc_participate(r);
}

static void go_on(struct inbound *r)
{
	bool local = is_local(r);

	if (r->m->method == SIP_REGISTER && !r->more_routes && r->c->cfg.ims.on) {
		ims_register(r);
		return;
	}
	if (r->m->method == SIP_REGISTER && !r->more_routes && core_is_ours(r->c, &r->uri)) {
		core_register(r);
		return;
	}
	if (r->m->method == SIP_OPTIONS && !local && !r->more_routes && r->uri.user.n == 0 &&
	    core_is_ours(r->c, &r->uri)) {
		answer_options(r);
		return;
	}
	r->ends_here = local || is_b2bua_side(r);
	if (!core_identify(r))
		return;
	if (is_b2bua_side(r)) {
		if (core_check_hops(r))
			b2bua_request(r);
		return;
	}
	if (local) {
		if (participates(r, true) != PARTICIPATION_REFUSED)
			r->c->ops.local_request(r->c->ops.ctx, r->tx, r->m, &r->who, r->now_ms);
		return;
	}
	if (!core_check_hops(r) || !core_check_loop(r))
		return;
	switch (participates(r, false)) {
	case PARTICIPATION_B2BUA:
		b2bua_invite(r,
			     r->ims.side == IMS_SIDE_TERM ? B2BUA_TERMINATING : B2BUA_ORIGINATING);
		break;
	case PARTICIPATION_PROXY:
		proxy_request(r);
		break;
	case PARTICIPATION_REFUSED:
		break;
	}
}

void core_request(struct core *c, struct sip_server_tx *tx, const struct sip_msg *m,
		  uint64_t now_ms)
{
	struct inbound r = {
		.c = c, .tx = tx, .m = m, .from = sip_server_tx_flow(tx), .now_ms = now_ms};

	/* RFC 3261 §26.3.2.4: nobody gets a stream of answers by putting another's address on a
	 * datagram, and nobody fills a table. Digest and a dialog's Route prove it later. */
	if ((c->cfg.auth_required || c->cfg.ims.on) && !core_is_trusted(c, r.from))
		sip_server_tx_doubt(tx, m);
	else
		sip_server_tx_prove(tx, now_ms);
	if (core_readable(&r) && check_proxy_require(&r))
		go_on(&r);
}

void core_ack(struct core *c, const struct sip_msg *m, const struct sip_flow *from, uint64_t now_ms)
{
	struct inbound r = {.c = c, .m = m, .from = from, .now_ms = now_ms};

	if (!core_readable(&r) || !core_check_hops(&r) || !core_check_loop(&r))
		return;
	r.trusted = core_is_trusted(c, from);
	r.who.privacy_id = core_privacy_has(m, VIEW("id"));
	if (is_b2bua_side(&r))
		b2bua_ack(&r);
	else if (is_local(&r))
		c->ops.local_ack(c->ops.ctx, m, now_ms);
	else if (core_believes_ack(&r))
		proxy_ack(&r);
	else
		core_note_ack(&r, "an ACK of a stranger: dropped");
}
