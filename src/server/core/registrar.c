/* The registrar (RFC 3261 §10.3) with Path (RFC 3327) and the instance rule of RFC 5626 §6. */
#include "server/core/state.h"

#include "base/error.h"
#include "sip/write.h"

enum {
	CHANGES_MAX = 16,	  /* contacts in one REGISTER */
	CONTACT_BYTES_MAX = 2048, /* of one contact, Path included */
	Q_DEFAULT = 1000,
};

struct change {
	struct sip_addr contact;
	struct sip_uri uri;
	uint32_t expires;
	uint16_t q;
};

struct registration {
	struct inbound *r;
	struct view aor;
	struct view call_id;
	uint32_t cseq;
	bool star;
	struct change change[CHANGES_MAX];
	size_t n;
	size_t surplus; /* bindings that have to go first (is_lost) */
	struct view path;
};

/* "0.5" in thousandths; what cannot be read counts as not given. */
static uint16_t read_q(struct view params)
{
	struct view v;
	uint32_t whole, part = 0;
	size_t dot;

	if (!sip_param(params, VIEW("q"), &v))
		return Q_DEFAULT;
	dot = view_find(v, '.', 0);
	if (view_to_u32(view_first(v, dot), &whole) || whole > 1)
		return Q_DEFAULT;
	v = view_first(view_from(v, dot + 1), 3);
	if (v.n && view_to_u32(v, &part))
		return Q_DEFAULT;
	for (size_t i = v.n; i < 3; i++)
		part *= 10;
	return (uint16_t)(whole ? 1000 : part);
}

/* RFC 3261 §10.3 step 7. The default stands for what cannot be read (§20.19). */
static uint32_t read_expires(const struct inbound *r, struct view params)
{
	const struct core_config *cfg = &r->c->cfg;
	struct view v;
	uint32_t expires;

	if (!sip_param(params, VIEW("expires"), &v))
		v = sip_msg_value(r->m, SIP_H_EXPIRES);
	if (view_to_u32(v, &expires))
		return cfg->default_expires;
	return expires > cfg->max_expires ? cfg->max_expires : expires;
}

static bool refuse(struct inbound *r, int status, const char *reason)
{
	core_reply(r, status, reason, VIEW(""));
	return false;
}

static bool read_contact(struct registration *reg, struct view value)
{
	struct inbound *r = reg->r;
	struct change *c = &reg->change[reg->n];

	if (reg->n == CHANGES_MAX)
		return refuse(r, 403, "Too Many Contacts");
	if (sip_addr_parse(value, &c->contact))
		return refuse(r, 400, "Bad Contact");
	if (c->contact.star) {
		reg->star = true;
		reg->n++;
		return true;
	}
	if (value.n > CONTACT_BYTES_MAX)
		return refuse(r, 400, "Contact Too Long");
	if (sip_uri_parse(c->contact.uri, &c->uri) ||
	    (c->uri.scheme != SIP_SCHEME_SIP && c->uri.scheme != SIP_SCHEME_SIPS))
		return refuse(r, 400, "Bad Contact");
	c->q = read_q(c->contact.params);
	c->expires = read_expires(r, c->contact.params);
	if (c->expires && c->expires < r->c->cfg.min_expires) {
		struct buf *extra = &r->c->extra;

		buf_reset(extra);
		sip_write_fieldf(extra, "Min-Expires", "%u", r->c->cfg.min_expires);
		core_reply(r, 423, NULL, buf_view(extra));
		return false;
	}
	reg->n++;
	return true;
}

static bool read_contacts(struct registration *reg)
{
	struct inbound *r = reg->r;
	struct sip_values it;
	struct view value;
	uint32_t expires;

	sip_values_start(&it, r->m, SIP_H_CONTACT);
	while (sip_values_next(&it, &value))
		if (!read_contact(reg, value))
			return false;
	if (reg->star &&
	    (reg->n != 1 || view_to_u32(sip_msg_value(r->m, SIP_H_EXPIRES), &expires) || expires))
		return refuse(r, 400, "Bad Use Of Contact *");
	return true;
}

/* §10.3 steps 6 and 7: within one Call-ID, only what is newer counts. */
static bool is_newer(const struct registration *reg, const struct binding *b)
{
	return !view_eq(b->call_id, reg->call_id) || reg->cseq > b->cseq;
}

static bool same_instance(const struct change *ch, const struct binding *b)
{
	struct view a, other;

	return sip_param(ch->contact.params, VIEW("+sip.instance"), &a) &&
	       binding_param(b, VIEW("+sip.instance"), &other) && view_eq_nocase(a, other);
}

/* The binding that this contact takes the place of: the one with an equal URI; or that of the same
 * instance and reg-id (RFC 5626 §6); or of the same instance whose connection is gone, which nobody
 * can be reached by any more. */
static struct binding *replaced_by(const struct registration *reg, const struct location_aor *a,
				   const struct change *ch)
{
	struct binding *b = location_aor_binding(a, &ch->uri);
	struct view id, other;

	if (b)
		return b;
	LIST_EACH(l, tmp, &a->bindings)
	{
		bool has_id, other_has_id;

		b = binding_of(l);
		if (!same_instance(ch, b))
			continue;
		has_id = sip_param(ch->contact.params, VIEW("reg-id"), &id);
		other_has_id = binding_param(b, VIEW("reg-id"), &other);
		if (has_id && other_has_id && view_eq(id, other))
			return b;
		if (!has_id && !other_has_id && b->flow.conn &&
		    !sip_stack_conn_alive(reg->r->c->stack, b->flow.conn))
			return b;
	}
	return NULL;
}

/* The connection that it came over is gone. The phone may be there all the same; but where there is
 * no room for another, it is the one most likely to be of somebody who has come back as another: a
 * phone without +sip.instance has a new contact for each connection. */
static bool is_lost(const struct registration *reg, const struct location_aor *a,
		    const struct binding *b)
{
	if ((b->flow.transport != SIP_TCP && b->flow.transport != SIP_TLS) ||
	    sip_stack_conn_alive(reg->r->c->stack, b->flow.conn))
		return false;
	for (size_t i = 0; i < reg->n; i++)
		if (replaced_by(reg, a, &reg->change[i]) == b)
			return false;
	return true;
}

static struct binding *oldest_lost(const struct registration *reg, const struct location_aor *a)
{
	struct binding *oldest = NULL;

	if (!a)
		return NULL;
	LIST_EACH(l, tmp, &a->bindings)
	{
		struct binding *b = binding_of(l);

		if (is_lost(reg, a, b) && (!oldest || b->order < oldest->order))
			oldest = b;
	}
	return oldest;
}

static size_t count_lost(const struct registration *reg, const struct location_aor *a)
{
	size_t n = 0;

	if (!a)
		return 0;
	LIST_EACH(l, tmp, &a->bindings)
	n += is_lost(reg, a, binding_of(l));
	return n;
}

/* Everything that can be refused is refused before anything is changed. */
static bool check_changes(struct registration *reg)
{
	struct inbound *r = reg->r;
	const struct location_aor *a = location_find(&r->c->location, reg->aor);
	size_t after = a ? a->n : 0, added = 0;

	if (reg->star) {
		if (a)
			LIST_EACH(l, tmp, &a->bindings)
		if (!is_newer(reg, binding_of(l)))
			return refuse(r, 500, "CSeq Out Of Order");
		return true;
	}
	for (size_t i = 0; i < reg->n; i++) {
		const struct binding *b = a ? replaced_by(reg, a, &reg->change[i]) : NULL;

		if (b && !is_newer(reg, b))
			return refuse(r, 500, "CSeq Out Of Order");
		if (!b && reg->change[i].expires)
			added++;
		else if (b && !reg->change[i].expires && after)
			after--;
	}
	if (added && after + added > r->c->cfg.max_contacts) {
		reg->surplus = after + added - r->c->cfg.max_contacts;
		if (count_lost(reg, a) < reg->surplus)
			return refuse(r, 403, "Too Many Contacts");
	}
	if (added && location_count(&r->c->location) + added > r->c->cfg.max_bindings) {
		core_reply(r, 503, NULL, VIEW("Retry-After: 60\r\n"));
		return false;
	}
	return true;
}

static void tell(struct registration *reg, const struct binding_values *v)
{
	struct core *c = reg->r->c;

	if (c->ops.on_binding)
		c->ops.on_binding(c->ops.ctx, reg->aor, v, reg->r->now_ms);
}

static void tell_gone(struct registration *reg, const struct binding *b)
{
	tell(reg, &(struct binding_values){.contact = b->contact});
}

static void remove_binding(struct registration *reg, struct binding *b)
{
	tell_gone(reg, b);
	location_del(b);
}

/* Contact parameters as they are kept: all but expires, which runs down. */
static void put_params(struct buf *out, struct view params)
{
	struct view name, value;

	while (sip_param_next(&params, &name, &value)) {
		if (view_eq_nocase(name, VIEW("expires")))
			continue;
		buf_putc(out, ';');
		buf_put(out, name);
		if (value.n) {
			buf_putc(out, '=');
			buf_put(out, value);
		}
	}
}

static int apply_change(struct registration *reg, const struct change *ch)
{
	struct inbound *r = reg->r;
	struct core *c = r->c;
	const struct location_aor *a = location_find(&c->location, reg->aor);
	struct binding *old = a ? replaced_by(reg, a, ch) : NULL, *b;
	struct binding_values v = {
		.contact = ch->contact.uri,
		.path = reg->path,
		.call_id = reg->call_id,
		.flow = *r->from,
		.expires_at_ms = r->now_ms + (uint64_t)ch->expires * 1000,
		.cseq = reg->cseq,
		.q = ch->q,
	};
	int rc;

	if (ch->expires == 0) {
		if (old)
			remove_binding(reg, old);
		return 0;
	}
	buf_reset(&c->out);
	put_params(&c->out, ch->contact.params);
	if (!buf_ok(&c->out))
		return E_LIMIT;
	v.params = buf_view(&c->out);
	/* Written otherwise now, it stands under another name where bindings are kept. */
	if (old && !view_eq(old->contact, v.contact))
		tell_gone(reg, old);
	rc = location_put(&c->location, reg->aor, &v, old, &b);
	if (rc == 0)
		tell(reg, &v);
	return rc;
}

static void remove_all(struct registration *reg)
{
	struct location_aor *a = location_find(&reg->r->c->location, reg->aor);
	size_t n = a ? a->n : 0;

	/* The last one takes the list with it. */
	while (n--)
		remove_binding(reg, binding_of(a->bindings.next));
}

static void put_contact(struct buf *out, const struct binding *b, uint64_t now_ms)
{
	uint64_t left = b->expires_at_ms > now_ms ? (b->expires_at_ms - now_ms + 999) / 1000 : 0;

	buf_puts(out, "Contact: <");
	buf_put(out, b->contact);
	buf_putc(out, '>');
	/* Folds in a parameter must not split the line. */
	for (size_t i = 0; i < b->params.n; i++) {
		char ch = b->params.p[i];

		buf_putc(out, ch == '\r' || ch == '\n' ? ' ' : ch);
	}
	buf_puts(out, ";expires=");
	buf_put_u64(out, left);
	buf_puts(out, "\r\n");
}

/* §10.3 step 8: all bindings there are now. RFC 3327 §5.3: Path goes back to who knows it. */
static void answer(struct registration *reg)
{
	struct inbound *r = reg->r;
	struct buf *extra = &r->c->extra;
	const struct location_aor *a = location_find(&r->c->location, reg->aor);

	buf_reset(extra);
	if (a)
		LIST_EACH(l, tmp, &a->bindings)
	put_contact(extra, binding_of(l), r->now_ms);
	if (reg->path.n && sip_msg_lists(r->m, SIP_H_SUPPORTED, VIEW("path")))
		sip_write_copy(extra, r->m, SIP_H_PATH);
	/* RFC 3608 §6.1: with every 200 that leaves a binding. */
	if (a && r->c->cfg.service_route.n)
		sip_write_field(extra, "Service-Route", r->c->cfg.service_route);
	core_reply(r, 200, NULL, buf_view(extra));
}

static void apply(struct registration *reg)
{
	struct inbound *r = reg->r;
	struct buf *path = &r->c->extra;
	struct sip_values it;
	struct view value;

	buf_reset(path);
	sip_values_start(&it, r->m, SIP_H_PATH);
	while (sip_values_next(&it, &value)) {
		if (path->n)
			buf_putc(path, ',');
		buf_put(path, value);
	}
	reg->path = buf_view(path);
	if (!buf_ok(path) || path->n > CONTACT_BYTES_MAX) {
		(void)refuse(r, 400, "Path Too Long");
		return;
	}
	if (reg->star)
		remove_all(reg);
	for (; reg->surplus; reg->surplus--) {
		struct binding *b = oldest_lost(reg, location_find(&r->c->location, reg->aor));

		if (b)
			remove_binding(reg, b);
	}
	for (size_t i = 0; i < reg->n && !reg->star; i++) {
		int rc = apply_change(reg, &reg->change[i]);

		if (rc) {
			log_line(r->c->log, LOG_WARN, "core", "a binding could not be kept: %s",
				 error_text(rc));
			core_reply(r, 503, NULL, VIEW("Retry-After: 60\r\n"));
			return;
		}
	}
	answer(reg);
}

static bool check_require(struct inbound *r)
{
	struct buf *extra = &r->c->extra;
	struct sip_values it;
	struct view tag;
	bool unknown = false;

	buf_reset(extra);
	sip_values_start(&it, r->m, SIP_H_REQUIRE);
	while (sip_values_next(&it, &tag)) {
		if (view_eq_nocase(tag, VIEW("path")))
			continue;
		sip_write_field(extra, "Unsupported", tag);
		unknown = true;
	}
	if (unknown)
		core_reply(r, 420, NULL, buf_view(extra));
	return !unknown;
}

/* §10.3 steps 3 to 5: who asks may change these bindings. */
static bool check_owner(struct inbound *r)
{
	struct core *c = r->c;
	struct sip_uri to;
	struct core_user user;
	int rc;

	/* RFC 3261 §10.3 step 5: an address-of-record is a SIP or SIPS URI. */
	if (sip_uri_parse(r->to_addr.uri, &to) || to.scheme == SIP_SCHEME_OTHER)
		return refuse(r, 400, "Bad To");
	if (!core_aor(c, &to, &c->target))
		return refuse(r, 404, NULL);
	r->trusted = core_is_trusted(c, r->from);
	if (!r->trusted && c->cfg.auth_required) {
		if (!core_authenticate(r, false, &c->sender, &user))
			return false;
		if (!view_eq(buf_view(&c->sender), buf_view(&c->target)))
			return refuse(r, 403, "To Is Not The Authenticated User");
		return true;
	}
	rc = core_user_find(c, buf_view(&c->target), &user);
	if (rc)
		return refuse(r, rc == E_NOTFOUND ? 404 : 500, NULL);
	return true;
}

void core_register(struct inbound *r)
{
	struct registration reg = {.r = r};
	struct sip_cseq cseq;

	if (!check_require(r) || !check_owner(r))
		return;
	reg.aor = buf_view(&r->c->target);
	reg.call_id = sip_msg_value(r->m, SIP_H_CALL_ID);
	if (sip_msg_cseq(r->m, &cseq)) {
		(void)refuse(r, 400, NULL);
		return;
	}
	reg.cseq = cseq.number;
	if (read_contacts(&reg) && check_changes(&reg))
		apply(&reg);
}
