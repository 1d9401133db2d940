/* Dialogs: RFC 3261 §12. */
#include "sip/ua_table.h"

#include "base/error.h"
#include "sip/write.h"

#include <stdlib.h>

static uint64_t key_of(const struct sip_ua *ua, struct view call_id, struct view local_tag,
		       struct view remote_tag)
{
	uint64_t h = hash_bytes(&ua->dialogs, call_id);

	h = hash_more(&ua->dialogs, h, local_tag);
	return hash_more(&ua->dialogs, h, remote_tag);
}

struct sip_dialog *sip_dialog_find(const struct sip_ua *ua, struct view call_id,
				   struct view local_tag, struct view remote_tag)
{
	uint64_t h = key_of(ua, call_id, local_tag, remote_tag);

	for (struct hash_node *n = hash_first(&ua->dialogs, h); n; n = hash_next(n, h)) {
		struct sip_dialog *d = CONTAINER(n, struct sip_dialog, node);

		if (view_eq(view_str(d->call_id), call_id) &&
		    view_eq(view_str(d->local_tag), local_tag) &&
		    view_eq(view_str(d->remote_tag), remote_tag))
			return d;
	}
	return NULL;
}

void sip_dialog_fini(struct sip_dialog *d)
{
	if (d->listed)
		hash_del(&d->ua->dialogs, &d->node);
	if (d->ua)
		sip_uac_forget_seq(d->ua, &d->local_seq);
	free(d->call_id);
	free(d->local_tag);
	free(d->remote_tag);
	free(d->local);
	free(d->remote);
	free(d->target);
	free(d->routes);
	*d = (struct sip_dialog){0};
}

/* A From or To value as it goes into later requests: display name and URI in brackets, no
 * parameters. */
static char *party(const struct sip_addr *a)
{
	struct buf b;
	size_t n;
	char *s;

	buf_init(&b, SIP_HEAD_BYTES_MAX);
	if (a->display.n) {
		buf_put(&b, a->display);
		buf_putc(&b, ' ');
	}
	buf_putc(&b, '<');
	buf_put(&b, a->uri);
	buf_putc(&b, '>');
	buf_putc(&b, '\0');
	s = buf_take(&b, &n);
	if (!s)
		buf_fini(&b);
	return s;
}

/* Record-Route as a Route list: in order for the UAS, reversed for the UAC. */
static char *route_set(const struct sip_msg *m, bool reversed)
{
	struct sip_values it;
	struct view v, list[SIP_FIELDS_MAX];
	size_t n = 0, len;
	struct buf b;
	char *s;

	sip_values_start(&it, m, SIP_H_RECORD_ROUTE);
	while (sip_values_next(&it, &v)) {
		if (n == SIP_FIELDS_MAX)
			return NULL; /* half a route set would lead somewhere else */
		list[n++] = v;
	}
	buf_init(&b, SIP_HEAD_BYTES_MAX);
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_puts(&b, ", ");
		buf_put(&b, list[reversed ? n - 1 - i : i]);
	}
	buf_putc(&b, '\0');
	s = buf_take(&b, &len);
	if (!s)
		buf_fini(&b);
	return s;
}

/* The URI of Contact. E_SYNTAX: none that a request could be sent to. */
static int target_of(const struct sip_msg *m, struct view *out)
{
	struct sip_addr contact;
	struct sip_values it;
	struct sip_uri uri;
	struct view v;

	sip_values_start(&it, m, SIP_H_CONTACT);
	if (!sip_values_next(&it, &v) || sip_addr_parse(v, &contact) || contact.star ||
	    sip_uri_parse(contact.uri, &uri))
		return E_SYNTAX;
	*out = contact.uri;
	return 0;
}

static int list_dialog(struct sip_dialog *d)
{
	int rc;

	if (!d->call_id || !d->local_tag || !d->remote_tag || !d->local || !d->remote ||
	    !d->target || !d->routes)
		return E_NOMEM;
	if (sip_dialog_find(d->ua, view_str(d->call_id), view_str(d->local_tag),
			    view_str(d->remote_tag)))
		return E_EXISTS;
	rc = hash_add(&d->ua->dialogs, &d->node,
		      key_of(d->ua, view_str(d->call_id), view_str(d->local_tag),
			     view_str(d->remote_tag)));
	d->listed = rc == 0;
	return rc;
}

int sip_dialog_init_uac(struct sip_dialog *d, struct sip_ua *ua, const struct sip_msg *request,
			const struct sip_msg *response, const struct sip_dialog_owner *owner,
			void *ctx)
{
	struct sip_addr from, to;
	struct sip_cseq cseq;
	struct view target;
	int rc;

	if (sip_msg_from(request, &from) || sip_msg_to(response, &to) ||
	    sip_msg_cseq(request, &cseq) || !sip_addr_tag(&to).n || target_of(response, &target))
		return E_SYNTAX;
	*d = (struct sip_dialog){.ua = ua, .owner = owner, .ctx = ctx, .initiator = true};
	d->call_id = view_dup(sip_msg_value(request, SIP_H_CALL_ID));
	d->local_tag = view_dup(sip_addr_tag(&from));
	d->remote_tag = view_dup(sip_addr_tag(&to));
	d->local = party(&from);
	d->remote = party(&to);
	d->target = view_dup(target);
	d->routes = route_set(response, true);
	d->local_seq = cseq.number;
	rc = list_dialog(d);
	if (rc)
		sip_dialog_fini(d);
	return rc;
}

int sip_dialog_init_uas(struct sip_dialog *d, struct sip_ua *ua, const struct sip_msg *request,
			struct view local_tag, const struct sip_dialog_owner *owner, void *ctx)
{
	struct sip_addr from, to;
	struct sip_cseq cseq;
	struct view target;
	int rc;

	if (sip_msg_from(request, &from) || sip_msg_to(request, &to) ||
	    sip_msg_cseq(request, &cseq) || target_of(request, &target))
		return E_SYNTAX;
	*d = (struct sip_dialog){.ua = ua, .owner = owner, .ctx = ctx};
	d->call_id = view_dup(sip_msg_value(request, SIP_H_CALL_ID));
	d->local_tag = view_dup(local_tag);
	/* A peer of RFC 2543 has no tag: the empty one (§12.1.1). */
	d->remote_tag = view_dup(sip_addr_tag(&from));
	d->local = party(&to);
	d->remote = party(&from);
	d->target = view_dup(target);
	d->routes = route_set(request, false);
	d->remote_seq = cseq.number;
	d->has_remote_seq = true;
	rc = list_dialog(d);
	if (rc)
		sip_dialog_fini(d);
	return rc;
}

void sip_dialog_get_state(const struct sip_dialog *d, struct sip_dialog_state *out)
{
	*out = (struct sip_dialog_state){.call_id = view_str(d->call_id),
					 .local_tag = view_str(d->local_tag),
					 .remote_tag = view_str(d->remote_tag),
					 .local = view_str(d->local),
					 .remote = view_str(d->remote),
					 .target = view_str(d->target),
					 .routes = view_str(d->routes),
					 .local_seq = d->local_seq,
					 .remote_seq = d->remote_seq,
					 .has_remote_seq = d->has_remote_seq,
					 .initiator = d->initiator};
}

static bool is_field_text(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7f)
			return false;
	return v.n < SIP_HEAD_BYTES_MAX;
}

static bool is_writable(const struct sip_dialog_state *s)
{
	const struct view text[] = {s->call_id, s->local_tag, s->remote_tag, s->local,
				    s->remote,	s->target,    s->routes};
	struct sip_uri uri;

	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++)
		if (!is_field_text(text[i]))
			return false;
	return s->call_id.n && s->local_tag.n && s->local.n && s->remote.n &&
	       sip_uri_parse(s->target, &uri) == 0;
}

int sip_dialog_init_state(struct sip_dialog *d, struct sip_ua *ua,
			  const struct sip_dialog_state *state,
			  const struct sip_dialog_owner *owner, void *ctx)
{
	int rc;

	if (!is_writable(state))
		return E_SYNTAX;
	*d = (struct sip_dialog){
		.ua = ua, .owner = owner, .ctx = ctx, .initiator = state->initiator};
	d->call_id = view_dup(state->call_id);
	d->local_tag = view_dup(state->local_tag);
	d->remote_tag = view_dup(state->remote_tag);
	d->local = view_dup(state->local);
	d->remote = view_dup(state->remote);
	d->target = view_dup(state->target);
	d->routes = view_dup(state->routes);
	d->local_seq = state->local_seq;
	d->remote_seq = state->remote_seq;
	d->has_remote_seq = state->has_remote_seq;
	rc = list_dialog(d);
	if (rc)
		sip_dialog_fini(d);
	return rc;
}

void sip_dialog_refresh(struct sip_dialog *d, const struct sip_msg *m)
{
	struct view uri;
	char *target = target_of(m, &uri) ? NULL : view_dup(uri);

	if (!target)
		return;
	free(d->target);
	d->target = target;
}

/* The first of a comma-joined Route list; *rest is what follows it. */
static struct view first_route(struct view routes, struct view *rest)
{
	bool quoted = false, angle = false;
	size_t i;

	for (i = 0; i < routes.n; i++) {
		char c = routes.p[i];

		if (c == '"')
			quoted = !quoted;
		else if (c == '<' && !quoted)
			angle = true;
		else if (c == '>' && !quoted)
			angle = false;
		else if (c == ',' && !quoted && !angle)
			break;
	}
	*rest = view_trim(view_from(routes, i + 1));
	return view_trim(view_first(routes, i));
}

static bool is_loose(struct view route, struct view *uri_out)
{
	struct sip_addr a;
	struct sip_uri u;

	if (sip_addr_parse(route, &a))
		return true;
	*uri_out = a.uri;
	return sip_uri_parse(a.uri, &u) || sip_param(u.params, VIEW("lr"), NULL);
}

uint32_t sip_dialog_write_request(struct sip_dialog *d, struct buf *b, struct view method,
				  uint32_t seq)
{
	struct view rest, uri = view_str(d->target), routes = view_str(d->routes), strict = {0};

	if (!seq)
		seq = ++d->local_seq;
	if (routes.n) {
		struct view route = first_route(routes, &rest);

		/* §12.2.1.1: a strict router takes the Request-URI; the target goes to the end. */
		if (!is_loose(route, &strict)) {
			routes = rest;
			uri = strict;
		} else {
			strict = (struct view){0};
		}
	}
	sip_write_request_line(b, method, uri);
	if (routes.n)
		sip_write_field(b, "Route", routes);
	if (strict.n)
		sip_write_fieldf(b, "Route", "<%s>", d->target);
	if (d->local_tag[0])
		sip_write_fieldf(b, "From", "%s;tag=%s", d->local, d->local_tag);
	else
		sip_write_field(b, "From", view_str(d->local));
	if (d->remote_tag[0])
		sip_write_fieldf(b, "To", "%s;tag=%s", d->remote, d->remote_tag);
	else
		sip_write_field(b, "To", view_str(d->remote));
	sip_write_field(b, "Call-ID", view_str(d->call_id));
	sip_write_fieldf(b, "CSeq", "%u %.*s", seq, VIEW_ARG(method));
	sip_write_field(b, "Max-Forwards", VIEW("70"));
	return seq;
}

int sip_dialog_next_hop(const struct sip_dialog *d, struct sip_flow *out)
{
	struct view rest, uri = view_str(d->target);
	struct sip_addr a;

	if (d->routes[0]) {
		if (sip_addr_parse(first_route(view_str(d->routes), &rest), &a))
			return E_SYNTAX;
		uri = a.uri;
	}
	return sip_ua_next_hop(d->ua, uri, out);
}

void sip_dialog_write_replaces(const struct sip_dialog *d, struct buf *b)
{
	buf_putf(b, "%s;to-tag=%s;from-tag=%s", d->call_id, d->remote_tag, d->local_tag);
}

/* §12.2.2: a CSeq below the last one is out of order; ACK and CANCEL repeat their INVITE's. */
static bool in_order(struct sip_dialog *d, const struct sip_msg *m)
{
	struct sip_cseq cseq;

	if (sip_msg_cseq(m, &cseq))
		return false;
	if (d->has_remote_seq && cseq.number <= d->remote_seq)
		return false;
	d->remote_seq = cseq.number;
	d->has_remote_seq = true;
	return true;
}

static struct sip_dialog *dialog_of(const struct sip_ua *ua, const struct sip_msg *m)
{
	struct sip_addr from, to;

	if (sip_msg_from(m, &from) || sip_msg_to(m, &to) || !sip_addr_tag(&to).n)
		return NULL;
	return sip_dialog_find(ua, sip_msg_value(m, SIP_H_CALL_ID), sip_addr_tag(&to),
			       sip_addr_tag(&from));
}

bool sip_ua_owns(const struct sip_ua *ua, const struct sip_msg *m)
{
	return dialog_of(ua, m) != NULL;
}

bool sip_ua_request(struct sip_ua *ua, struct sip_server_tx *tx, const struct sip_msg *m,
		    uint64_t now_ms)
{
	struct sip_dialog *d;
	struct sip_addr to;

	if (sip_msg_to(m, &to) || !sip_addr_tag(&to).n)
		return false;
	d = dialog_of(ua, m);
	/* Its ids are nobody's to guess. */
	if (d)
		sip_server_tx_prove(tx, now_ms);
	if (!d)
		(void)sip_server_tx_reply(tx, 481, NULL, VIEW(""), now_ms);
	else if (!in_order(d, m))
		(void)sip_server_tx_reply(tx, 500, "CSeq Out Of Order", VIEW(""), now_ms);
	else
		d->owner->on_request(d->ctx, tx, m, now_ms);
	return true;
}

bool sip_ua_ack(struct sip_ua *ua, const struct sip_msg *m, uint64_t now_ms)
{
	struct sip_dialog *d = dialog_of(ua, m);

	if (!d)
		return false;
	if (d->owner->on_ack)
		d->owner->on_ack(d->ctx, m, now_ms);
	return true;
}
