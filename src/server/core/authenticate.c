/* Who sent a request: digest, the word of a trusted peer (RFC 3325), or a binding's flow. */
#include "server/core/state.h"

#include "base/error.h"

bool core_privacy_has(const struct sip_msg *m, struct view value)
{
	for (int i = sip_msg_field(m, SIP_H_PRIVACY, -1); i >= 0;
	     i = sip_msg_field(m, SIP_H_PRIVACY, i)) {
		struct view rest = sip_field_value(m, i);

		/* Its values are parted by semicolons (RFC 3323 §4.2); commas are seen as well. */
		while (rest.n) {
			struct view part = view_cut(&rest, ';');

			while (part.n)
				if (view_eq_nocase(view_trim(view_cut(&part, ',')), value))
					return true;
		}
	}
	return false;
}

static bool is_anonymous(const struct sip_uri *u)
{
	return view_eq_nocase(u->host, VIEW("anonymous.invalid"));
}

/* RFC 3261 §22: 401 or 407 with fresh challenges. */
static void challenge(struct inbound *r, bool proxy, bool stale)
{
	struct buf *extra = &r->c->extra;

	buf_reset(extra);
	r->c->challenger.peer = addr_source(&r->from->remote);
	sip_challenge_write(extra, &r->c->challenger, proxy, stale, r->now_ms);
	core_reply(r, proxy ? 407 : 401, NULL, buf_view(extra));
}

/* The address-of-record that a user name stands for: "ann", or "ann@example.com". */
static void aor_of_username(struct inbound *r, struct view name, struct buf *aor)
{
	const struct core *c = r->c;
	size_t at = view_find(name, '@', 0);
	struct view user = view_first(name, at), domain = view_from(name, at + 1);
	struct sip_uri from;

	if (at == name.n) {
		domain = c->cfg.domains[0];
		if (sip_uri_parse(r->from_addr.uri, &from) == 0 &&
		    core_is_served_domain(c, from.host, from.port))
			domain = from.host;
		else if (core_is_served_domain(c, c->cfg.realm, 0))
			domain = c->cfg.realm;
	}
	buf_reset(aor);
	if (user.n && domain.n && user.n + domain.n < CORE_AOR_MAX - 8) {
		struct sip_uri u = {.scheme = SIP_SCHEME_SIP, .user = user, .host = domain};

		sip_uri_aor(aor, &u);
	}
}

/* The phone that this user registered with sent this. */
static bool came_from_binding(const struct inbound *r, struct view aor)
{
	const struct location_aor *a = location_find(&r->c->location, aor);

	if (!a)
		return false;
	LIST_EACH(l, tmp, &a->bindings)
	{
		if (binding_came_from(binding_of(l), r->from))
			return true;
	}
	return false;
}

/* Who guessed at this user's password from there is not listened to for a while: 403, as a
 * challenge would ask for the next guess. The user's own phone is, though a neighbour of it
 * guesses. */
static bool is_shut_out(struct inbound *r, struct view aor)
{
	return guesses_shut(&r->c->guesses, &r->from->remote, aor, r->now_ms) &&
	       !came_from_binding(r, aor);
}

static enum sip_auth_result verify(struct inbound *r, const struct sip_auth *cred,
				   const struct core_user *user_or_null)
{
	struct core *c = r->c;
	const char *md5 = user_or_null ? user_or_null->ha1_md5 : "";
	const char *sha256 = user_or_null ? user_or_null->ha1_sha256 : "";

	c->challenger.peer = addr_source(&r->from->remote);
	return sip_challenge_verify(&c->challenger, cred, r->m->method_name, r->m->uri,
				    md5[0] ? md5 : NULL, sha256[0] ? sha256 : NULL, r->now_ms);
}

/* Answered, whatever the result. */
static bool refuse_credentials(struct inbound *r, bool proxy, enum sip_auth_result result)
{
	if (result == SIP_AUTH_MALFORMED)
		core_reply(r, 400, "Malformed Credentials", VIEW(""));
	else
		challenge(r, proxy, result == SIP_AUTH_STALE);
	return false;
}

bool core_authenticate(struct inbound *r, bool proxy, struct buf *aor, struct core_user *user)
{
	struct core *c = r->c;
	enum sip_auth_result result;
	struct sip_auth cred;
	int rc;

	if (sip_credentials_find(r->m, proxy, c->cfg.realm, &cred)) {
		challenge(r, proxy, false);
		return false;
	}
	aor_of_username(r, cred.username, aor);
	if (is_shut_out(r, buf_view(aor))) {
		core_reply(r, 403, "Too Many Wrong Passwords", VIEW(""));
		return false;
	}
	rc = aor->n ? core_user_find(c, buf_view(aor), user) : E_NOTFOUND;
	if (rc && rc != E_NOTFOUND) {
		core_reply(r, 500, NULL, VIEW(""));
		return false;
	}
	result = verify(r, &cred, rc == 0 ? user : NULL);
	if (result == SIP_AUTH_WRONG)
		core_note_wrong(r, buf_view(aor),
				guesses_wrong(&c->guesses, &r->from->remote, buf_view(aor),
					      cred.response, r->now_ms));
	if (result != SIP_AUTH_OK)
		return refuse_credentials(r, proxy, result);
	guesses_right(&c->guesses, &r->from->remote, buf_view(aor));
	sip_server_tx_prove(r->tx, r->now_ms);
	return true;
}

bool core_has_challenged(struct core *c, struct view credentials, const struct sip_flow *from,
			 uint64_t now_ms)
{
	struct sip_auth cred;

	if (sip_auth_parse(credentials, &cred))
		return false;
	c->challenger.peer = addr_source(&from->remote);
	return sip_challenge_is_answered(&c->challenger, &cred, now_ms);
}

static void assert_as(struct inbound *r, struct view uri, struct view display)
{
	r->who.asserted = true;
	r->who.uri = uri;
	r->who.display = display;
}

/* P-Preferred-Identity that names the user himself gives the display name (RFC 3325 §6); others are
 * not known to be his and are passed over. */
static struct view preferred_display(struct inbound *r, struct view aor, struct view otherwise)
{
	struct sip_values it;
	struct view value;
	struct sip_addr a;
	struct sip_uri u;

	sip_values_start(&it, r->m, SIP_H_P_PREFERRED_IDENTITY);
	while (sip_values_next(&it, &value))
		if (sip_addr_parse(value, &a) == 0 && sip_uri_parse(a.uri, &u) == 0 &&
		    core_aor(r->c, &u, &r->c->other) && view_eq(buf_view(&r->c->other), aor))
			return a.display;
	return otherwise;
}

static bool identify_by_digest(struct inbound *r)
{
	struct core *c = r->c;
	struct view display = r->from_addr.display;
	struct sip_uri from;

	if (!core_authenticate(r, true, &c->sender, &r->sender))
		return false;
	if (sip_uri_parse(r->from_addr.uri, &from) == 0 && is_anonymous(&from)) {
		display = VIEW("");
	} else if (!core_aor(c, &from, &c->other) ||
		   !view_eq(buf_view(&c->other), buf_view(&c->sender))) {
		core_reply(r, 403, "From Is Not The Authenticated User", VIEW(""));
		return false;
	}
	r->sender_served = true;
	assert_as(r, buf_view(&c->sender), preferred_display(r, buf_view(&c->sender), display));
	return true;
}

/* The user whom From (or, where that is anonymous, P-Preferred-Identity) claims to be, in
 * c->sender. */
static bool claimed_user(struct inbound *r)
{
	struct core *c = r->c;
	struct sip_addr a = r->from_addr;
	struct sip_uri u;

	if (sip_uri_parse(a.uri, &u))
		return false;
	if (is_anonymous(&u) &&
	    (sip_addr_parse(sip_msg_value(r->m, SIP_H_P_PREFERRED_IDENTITY), &a) ||
	     sip_uri_parse(a.uri, &u)))
		return false;
	return core_aor(c, &u, &c->sender);
}

/* The claim stands when a binding of that user came from where this request came from. Without
 * passwords, the same host will do: nothing better is known of anybody. */
static bool identify_by_binding(struct inbound *r)
{
	struct core *c = r->c;
	struct location_aor *a;
	struct sip_uri from;

	if (!claimed_user(r))
		return false;
	a = location_find(&c->location, buf_view(&c->sender));
	if (!a)
		return false;
	LIST_EACH(l, tmp, &a->bindings)
	{
		const struct binding *b = binding_of(l);
		struct view display;

		if (!binding_came_from(b, r->from) &&
		    (c->cfg.auth_required || !addr_same_host(&b->flow.remote, &r->from->remote)))
			continue;
		(void)sip_uri_parse(r->from_addr.uri, &from);
		display = is_anonymous(&from) ? VIEW("") : r->from_addr.display;
		assert_as(r, buf_view(&c->sender),
			  preferred_display(r, buf_view(&c->sender), display));
		return true;
	}
	return false;
}

/* The address-of-record form of any URI; true when the user is one of ours. */
static bool any_aor(const struct core *c, const struct sip_uri *u, struct buf *out)
{
	if (core_aor(c, u, out))
		return true;
	buf_reset(out);
	sip_uri_aor(out, u);
	return false;
}

static bool identify_by_assertion(struct inbound *r)
{
	struct sip_values it;
	struct view value;
	struct sip_addr a;
	struct sip_uri u;

	sip_values_start(&it, r->m, SIP_H_P_ASSERTED_IDENTITY);
	while (sip_values_next(&it, &value)) {
		/* A tel URI may stand beside; people here go by their SIP address. */
		if (sip_addr_parse(value, &a) || sip_uri_parse(a.uri, &u) ||
		    (u.scheme != SIP_SCHEME_SIP && u.scheme != SIP_SCHEME_SIPS))
			continue;
		r->sender_served = any_aor(r->c, &u, &r->c->sender);
		if (buf_ok(&r->c->sender))
			assert_as(r, buf_view(&r->c->sender), a.display);
		return r->who.asserted;
	}
	return false;
}

/* This process needs no assertion about itself. What its B2BUA passes on speaks for another, and
 * has said who that is where it knew. */
static void identify_own(struct inbound *r)
{
	struct sip_uri u;

	if (!identify_by_assertion(r) && !r->participated &&
	    sip_uri_parse(r->from_addr.uri, &u) == 0 && !is_anonymous(&u)) {
		(void)any_aor(r->c, &u, &r->c->sender);
		if (buf_ok(&r->c->sender))
			assert_as(r, buf_view(&r->c->sender), r->from_addr.display);
	}
	r->sender_served = false;
}

/* What the store says about a sender who needed no password. */
static bool look_up_sender(struct inbound *r)
{
	int rc = core_user_find(r->c, r->who.uri, &r->sender);

	/* On ISC the call goes on without what the store would say. */
	if (rc && rc != E_NOTFOUND && !r->c->cfg.ims.on) {
		core_reply(r, 500, NULL, VIEW(""));
		return false;
	}
	r->sender_served = rc == 0;
	return true;
}

/* Every value of Referred-By names this user of ours. */
static bool refers_as(struct inbound *r, struct view own)
{
	struct sip_values it;
	struct view value;
	struct sip_addr a;
	struct sip_uri u;

	sip_values_start(&it, r->m, SIP_H_REFERRED_BY);
	while (sip_values_next(&it, &value))
		if (sip_addr_parse(value, &a) || sip_uri_parse(a.uri, &u) ||
		    !core_aor(r->c, &u, &r->c->other) || !view_eq(buf_view(&r->c->other), own))
			return false;
	return own.n > 0;
}

/* CF-9.3.1-3: Referred-By is the focus's to make; a phone may name its own user alone. */
static bool check_referred_by(struct inbound *r)
{
	struct core *c = r->c;
	struct sip_uri u;

	if (r->trusted || !sip_msg_has(r->m, SIP_H_REFERRED_BY))
		return true;
	if (!r->who.asserted &&
	    (sip_uri_parse(r->from_addr.uri, &u) || !core_aor(c, &u, &c->sender)))
		buf_reset(&c->sender);
	if (refers_as(r, buf_view(&c->sender)))
		return true;
	core_reply(r, 403, "Referred-By Is Not The Sender", VIEW(""));
	return false;
}

/* A request of no dialog that is known: digest, or refused. */
static bool identify_stranger(struct inbound *r)
{
	if (!r->trusted && r->c->cfg.auth_required && !r->c->cfg.ims.on)
		return identify_by_digest(r);
	if (!identify_by_binding(r)) {
		core_reply(r, 403, "Identity Not Known", VIEW(""));
		return false;
	}
	return look_up_sender(r);
}

/* A user of ours is to prove himself where From is his, and he speaks neither from where the dialog
 * was begun, which digest has seen, nor from the address of a phone of his: a phone may well use
 * another port or connection inside a dialog. */
static bool may_not_be_the_user(struct inbound *r)
{
	const struct location_aor *a;
	struct sip_uri u;

	if (r->from_caller || sip_uri_parse(r->from_addr.uri, &u) ||
	    !core_aor(r->c, &u, &r->c->other))
		return false;
	a = location_find(&r->c->location, buf_view(&r->c->other));
	if (!a)
		return true;
	LIST_EACH(l, tmp, &a->bindings)
	{
		if (addr_same_host(&binding_of(l)->flow.remote, &r->from->remote))
			return false;
	}
	return true;
}

/* A tag in To proves nothing by itself. The dialog's own secrets do: the tags, that a user agent of
 * this process has and goes by; or the Route that was made here for it. That may be handed on, and
 * so speaks for nobody who can be asked himself; and with an IMS core, not for anybody. */
static bool is_of_a_dialog(struct inbound *r)
{
	const struct core_config *cfg = &r->c->cfg;
	bool marked = r->marked && (r->trusted || !cfg->ims.on);

	if (!r->trusted && cfg->auth_required && may_not_be_the_user(r))
		marked = false;
	if (!marked && !r->ends_here)
		return false;
	(void)identify_by_binding(r);
	if (marked)
		sip_server_tx_prove(r->tx, r->now_ms);
	return true;
}

bool core_believes_ack(struct inbound *r)
{
	return r->trusted || (r->marked && !r->c->cfg.ims.on) || identify_by_binding(r);
}

bool core_identify(struct inbound *r)
{
	r->who.privacy_id = core_privacy_has(r->m, VIEW("id"));
	r->trusted = core_is_trusted(r->c, r->from);
	if (r->from->transport == SIP_LOCAL) {
		identify_own(r);
		return true;
	}
	if (r->trusted && identify_by_assertion(r)) {
		if (r->sender_served && !look_up_sender(r))
			return false;
	} else if (r->in_dialog && is_of_a_dialog(r)) {
		; /* Not challenged: who set up the dialog was. */
	} else if (r->c->cfg.ims.on && r->trusted) {
		/* A caller whom the core does not name: the participating function needs no name.
		 */
		r->sender_served = false;
	} else if (!identify_stranger(r)) {
		return false;
	}
	return check_referred_by(r);
}
