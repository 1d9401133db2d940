/* The controlling function as a whole: what is addressed to it, and where that goes. */
#include "server/controlling/focus.h"

#include "base/error.h"

#include <stdlib.h>

/* What the focus sends goes by the core of this process, which knows where the phones are. */
static int next_hop(void *ctx, struct view uri, struct sip_flow *out)
{
	const struct controlling *c = ctx;

	if (c->route[0])
		return focus_ims_next_hop(c, uri, out);
	*out = (struct sip_flow){.transport = SIP_LOCAL};
	return 0;
}

struct controlling *controlling_new(const struct controlling_config *cfg, struct sip_stack *stack,
				    const struct digest *digest, const struct seat_broker *broker)
{
	struct controlling *c = calloc(1, sizeof(*c));
	struct sip_ua_config ua = {.digest = digest, .next_hop = next_hop, .ctx = c};
	uint64_t key[2];

	if (!c)
		return NULL;
	/* Those of ended conferences linger with their INVITE transactions (RFC 6026). */
	ua.max_dialogs = cfg->max_conferences * (cfg->max_members + 1) * 2 +
			 sip_stack_get_config(stack)->max_tx;
	c->cfg = *cfg;
	c->factory_user = view_dup(cfg->factory_user);
	c->feature_tag = view_dup(cfg->feature_tag);
	c->release = view_dup(cfg->release);
	c->route = view_dup(cfg->route);
	c->conference_domain = view_dup(cfg->conference_domain);
	c->ioi = view_dup(cfg->ioi);
	c->stack = stack;
	c->broker = *broker;
	c->ua = sip_ua_new(stack, &ua);
	c->next_id = entropy_u64(sip_stack_entropy(stack)) >> 16;
	key[0] = entropy_u64(sip_stack_entropy(stack));
	key[1] = entropy_u64(sip_stack_entropy(stack));
	hash_init(&c->by_user, cfg->max_conferences, key);
	hash_init(&c->by_id, cfg->max_conferences, key);
	keep_init(c);
	quota_init(&c->made, cfg->max_conferences_per_user, key);
	if (!c->factory_user || !c->feature_tag || !c->release || !c->route ||
	    !c->conference_domain || !c->ioi || !c->ua) {
		controlling_free(c);
		return NULL;
	}
	return c;
}

static void drop(void *ctx, struct hash_node *node)
{
	(void)ctx;
	conference_free(CONTAINER(node, struct conference, by_id));
}

void controlling_free(struct controlling *c)
{
	if (!c)
		return;
	keep_fini(c);
	hash_each(&c->by_id, drop, c);
	hash_fini(&c->by_id);
	hash_fini(&c->by_user);
	quota_fini(&c->made);
	sip_ua_free(c->ua);
	free(c->factory_user);
	free(c->feature_tag);
	free(c->release);
	free(c->route);
	free(c->conference_domain);
	free(c->ioi);
	free(c);
}

void controlling_set_domain_check(struct controlling *c,
				  bool (*served)(void *ctx, struct view host, uint16_t port),
				  void *ctx)
{
	c->served = served;
	c->served_ctx = ctx;
}

struct invitee_limits controlling_list_limits(const struct controlling *c, size_t entries)
{
	return (struct invitee_limits){
		.entries = entries, .bytes = c->cfg.max_list_bytes, .depth = c->cfg.max_list_depth};
}

bool controlling_is_local(const struct controlling *c, const struct sip_uri *uri)
{
	if (uri->scheme != SIP_SCHEME_SIP && uri->scheme != SIP_SCHEME_SIPS)
		return false;
	if (!view_eq(uri->user, view_str(c->factory_user)) &&
	    !view_starts(uri->user, VIEW("conf-")))
		return false;
	return sip_stack_is_own(c->stack, uri->host, uri->port) ||
	       (c->served && c->served(c->served_ctx, uri->host, uri->port));
}

bool controlling_names_conference(const struct controlling *c, struct view uri)
{
	struct sip_uri u;

	return sip_uri_parse(uri, &u) == 0 && controlling_is_local(c, &u);
}

/* Who is being invited too: his SUBSCRIBE may overtake his 200. He is told nothing before
 * (notify.c). */
static bool is_member(const struct conference *conf, const struct core_identity *who)
{
	char *aor = who->asserted ? aor_of(who->uri) : NULL;
	bool is = aor && member_by_aor(conf, view_str(aor));

	free(aor);
	return is;
}

static void refuse_method(struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms)
{
	(void)sip_server_tx_reply(tx, m->method == SIP_METHOD_OTHER ? 501 : 405, NULL,
				  VIEW("Allow: " IM_ALLOW_FOCUS "\r\n"), now_ms);
}

/* A request outside any dialog to a conference URI. */
static void conference_request(struct conference *conf, struct sip_server_tx *tx,
			       const struct sip_msg *m, const struct core_identity *who,
			       uint64_t now_ms)
{
	switch (m->method) {
	case SIP_OPTIONS:
		focus_answer_options(conf->ctl, conf, tx, now_ms);
		break;
	case SIP_SUBSCRIBE:
		if (is_member(conf, who))
			watcher_subscribe(conf, tx, m, who, now_ms);
		else
			(void)sip_server_tx_reply(tx, 403, "Participants Only", VIEW(""), now_ms);
		break;
	case SIP_INVITE:
		if (sip_msg_has(m, SIP_H_REPLACES))
			conference_replace(conf, tx, m, who, now_ms);
		else
			conference_dial_in(conf, tx, m, who, now_ms);
		break;
	case SIP_REFER:
		conference_refer(conf, NULL, tx, m, who, now_ms);
		break;
	default:
		refuse_method(tx, m, now_ms);
		break;
	}
}

/* Phones send SUBSCRIBE and REFER to the URI that they called, the factory: their conference is
 * meant. Of several, the latest that they made, else the latest that they are in. */
static struct conference *conference_of(struct controlling *c, const struct core_identity *who)
{
	char *aor = who->asserted ? aor_of(who->uri) : NULL;
	struct conference *found = NULL;
	bool made = false;

	for (size_t i = 0; aor && i < c->by_id.n_buckets; i++)
		for (struct hash_node *n = c->by_id.bucket[i]; n; n = n->next) {
			struct conference *conf = CONTAINER(n, struct conference, by_id);
			struct member *m = conf->ending ? NULL : member_by_aor(conf, view_str(aor));

			if (!m || (made && !m->creator))
				continue;
			if (!found || (m->creator && !made) || conf->id > found->id)
				found = conf;
			made = made || m->creator;
		}
	free(aor);
	return found;
}

static void factory_request(struct controlling *c, struct sip_server_tx *tx,
			    const struct sip_msg *m, const struct core_identity *who,
			    uint64_t now_ms)
{
	struct conference *conf;

	switch (m->method) {
	case SIP_INVITE:
		/* There is no dialog with the factory that could be replaced. */
		if (sip_msg_has(m, SIP_H_REPLACES))
			(void)sip_server_tx_reply(tx, 481, NULL, VIEW(""), now_ms);
		else
			factory_invite(c, tx, m, who, now_ms);
		break;
	case SIP_OPTIONS:
		focus_answer_options(c, NULL, tx, now_ms);
		break;
	case SIP_SUBSCRIBE:
	case SIP_REFER:
		conf = conference_of(c, who);
		if (conf)
			conference_request(conf, tx, m, who, now_ms);
		else if (m->method == SIP_REFER)
			(void)sip_server_tx_reply(tx, 403, "Participants Only", VIEW(""), now_ms);
		else
			(void)sip_server_tx_reply(tx, 404, NULL, VIEW(""), now_ms);
		break;
	default:
		refuse_method(tx, m, now_ms);
		break;
	}
}

void controlling_request(struct controlling *c, struct sip_server_tx *tx, const struct sip_msg *m,
			 const struct core_identity *who, uint64_t now_ms)
{
	struct conference *conf;
	struct sip_uri uri;

	if (sip_ua_request(c->ua, tx, m, now_ms))
		return;
	if (sip_uri_parse(m->uri, &uri)) {
		(void)sip_server_tx_reply(tx, 400, "Malformed Request-URI", VIEW(""), now_ms);
		return;
	}
	/* RFC 3891 §3: Replaces has no meaning outside INVITE. */
	if (sip_msg_has(m, SIP_H_REPLACES) && m->method != SIP_INVITE) {
		(void)sip_server_tx_reply(tx, 400, "Replaces Outside INVITE", VIEW(""), now_ms);
		return;
	}
	if (view_eq(uri.user, view_str(c->factory_user))) {
		factory_request(c, tx, m, who, now_ms);
		return;
	}
	conf = conference_by_user(c, uri.user);
	if (conf ? conf->ending : conference_has_ended(c, uri.user))
		(void)sip_server_tx_reply(tx, 410, "Conference Has Ended", VIEW(""), now_ms);
	else if (!conf)
		(void)sip_server_tx_reply(tx, 404, "No Such Conference", VIEW(""), now_ms);
	else
		conference_request(conf, tx, m, who, now_ms);
}

void controlling_ack(struct controlling *c, const struct sip_msg *m, uint64_t now_ms)
{
	(void)sip_ua_ack(c->ua, m, now_ms);
}

void controlling_seat_lost(struct controlling *c, uint64_t conference, uint64_t seat,
			   uint64_t now_ms)
{
	struct conference *conf = conference_by_id(c, conference);
	struct member *m = conf ? member_by_seat(conf, seat) : NULL;

	if (!m || m->state == MEMBER_GONE)
		return;
	conference_hold(conf);
	if (m->session)
		sip_session_end(m->session,
				VIEW("Reason: SIP;cause=480;text=\"MSRP connection lost\"\r\n"),
				now_ms);
	member_leave(m, CONFERENCE_FAILED, false, now_ms);
	conference_release(conf);
}

void controlling_seat_named(struct controlling *c, uint64_t conference, uint64_t seat,
			    struct view nickname, uint64_t now_ms)
{
	struct conference *conf = conference_by_id(c, conference);
	struct member *m = conf ? member_by_seat(conf, seat) : NULL;
	char *kept;

	if (!m || m->state == MEMBER_GONE)
		return;
	kept = nickname.n ? view_dup(nickname) : NULL;
	if (nickname.n && !kept)
		return;
	free(m->nickname);
	m->nickname = kept;
	m->renamed++;
	conference_hold(conf);
	conference_changed(conf, now_ms);
	conference_release(conf);
}

size_t controlling_conference_count(const struct controlling *c)
{
	return c->by_id.n;
}
