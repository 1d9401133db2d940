/* Dialogs through the B2BUA: one for each fork of the far side, with a leg on either side. */
#include "server/participating/b2bua_state.h"

#include "base/error.h"

#include <stdlib.h>

static void leg_refresh(void *ctx, uint64_t now_ms)
{
	struct b2bua_leg *leg = ctx;
	struct b2bua_call *call = leg->dialog->call;

	call_hold(call);
	pass_refresh(leg, now_ms);
	call_release(call);
}

static void leg_expired(void *ctx, uint64_t now_ms)
{
	struct b2bua_leg *leg = ctx;
	struct b2bua_call *call = leg->dialog->call;

	call_hold(call);
	dialog_hang_up(leg->dialog, "SIP;cause=408;text=\"Session Timer Expired\"", now_ms);
	call_release(call);
}

const struct session_timer_handler leg_timer = {.refresh = leg_refresh, .expired = leg_expired};

/* Record-Route as a Route list. */
static char *route_set(const struct sip_msg *m, bool reversed)
{
	struct view v, list[SIP_FIELDS_MAX];
	struct sip_values it;
	struct buf b;
	size_t n = 0, len;
	char *text;

	sip_values_start(&it, m, SIP_H_RECORD_ROUTE);
	while (n < SIP_FIELDS_MAX && sip_values_next(&it, &v))
		list[n++] = v;
	buf_init(&b, CORE_HEAD_MAX);
	for (size_t i = 0; i < n; i++) {
		buf_puts(&b, i ? ", " : "");
		buf_put(&b, list[reversed ? n - 1 - i : i]);
	}
	buf_putc(&b, '\0');
	text = buf_take(&b, &len);
	buf_fini(&b);
	return text;
}

int leg_learn(struct b2bua_leg *leg, const struct sip_msg *m, bool routes, bool reversed)
{
	struct sip_values it;
	struct sip_addr a;
	struct view v;
	char *target, *contact, *set = NULL;

	sip_values_start(&it, m, SIP_H_CONTACT);
	if (!sip_values_next(&it, &v) || sip_addr_parse(v, &a) || a.star)
		return E_MISSING;
	target = view_dup(a.uri);
	contact = view_dup(a.params);
	if (routes)
		set = route_set(m, reversed);
	if (!target || !contact || (routes && !set)) {
		free(target);
		free(contact);
		free(set);
		return E_NOMEM;
	}
	free(leg->target);
	free(leg->contact);
	leg->target = target;
	leg->contact = contact;
	if (routes) {
		free(leg->routes);
		leg->routes = set;
	}
	/* PF-9.1.1-2, PF-9.1.2-4. */
	if (sip_msg_has(m, SIP_H_ALLOW)) {
		free(leg->allow);
		leg->allow = view_dup(sip_msg_value(m, SIP_H_ALLOW));
	}
	return 0;
}

void leg_fini(struct b2bua_leg *leg)
{
	if (leg->timer.queue)
		session_timer_stop(&leg->timer);
	free(leg->target);
	free(leg->contact);
	free(leg->routes);
	free(leg->allow);
}

struct b2bua_dialog *dialog_find(struct b2bua_call *call, struct view tag)
{
	LIST_EACH(l, tmp, &call->dialogs)
	{
		struct b2bua_dialog *d = CONTAINER(l, struct b2bua_dialog, link);

		if (view_eq(view_str(d->tag), tag))
			return d;
	}
	return NULL;
}

static int dialog_fill(struct b2bua_dialog *d, const struct sip_msg *response)
{
	struct b2bua_leg *near = &d->leg[B2BUA_NEAR], *far = &d->leg[B2BUA_FAR];
	struct sip_msg invite;
	struct sip_addr to;
	struct sip_cseq cseq;
	int rc;

	if (call_invitation(d->call, &invite) || sip_msg_to(response, &to) ||
	    sip_msg_cseq(&invite, &cseq))
		return E_SYNTAX;
	d->tag = view_dup(sip_addr_tag(&to));
	if (!d->tag || leg_learn(near, &invite, true, false))
		return E_SYNTAX;
	near->remote_seq = near->invite_in = cseq.number;
	near->has_remote_seq = true;
	near->invite_out = far->local_seq = d->call->far_seq;
	/* Some ring without a Contact: nothing can be sent to them until they answer. */
	rc = leg_learn(far, response, true, true);
	return rc == E_MISSING && response->status < 200 ? 0 : rc;
}

struct b2bua_dialog *dialog_new(struct b2bua_call *call, const struct sip_msg *response)
{
	struct b2bua_dialog *d;

	if (call->n_dialogs >= B2BUA_DIALOGS_MAX)
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->call = call;
	list_init(&d->passes);
	list_add_tail(&call->dialogs, &d->link);
	call->n_dialogs++;
	for (int i = 0; i < 2; i++) {
		d->leg[i].dialog = d;
		session_timer_init(&d->leg[i].timer, call->b->timers, &leg_timer, &d->leg[i]);
	}
	if (dialog_fill(d, response)) {
		dialog_free(d);
		return NULL;
	}
	return d;
}

void dialog_free(struct b2bua_dialog *d)
{
	struct b2bua_call *call = d->call;

	while (!list_empty(&d->passes))
		pass_free(CONTAINER(d->passes.next, struct b2bua_pass, link));
	if (call->media == d)
		call_media_end(call);
	list_del(&d->link);
	call->n_dialogs--;
	leg_fini(&d->leg[B2BUA_NEAR]);
	leg_fini(&d->leg[B2BUA_FAR]);
	free(d->tag);
	free(d->answer);
	free(d);
}

void dialog_over(struct b2bua_dialog *d)
{
	d->over = true;
	session_timer_stop(&d->leg[B2BUA_NEAR].timer);
	session_timer_stop(&d->leg[B2BUA_FAR].timer);
	if (d->call->media == d)
		call_media_end(d->call);
}

void dialog_hang_up(struct b2bua_dialog *d, const char *reason, uint64_t now_ms)
{
	if (d->over || d->farewell)
		return;
	d->farewell = reason;
	session_timer_stop(&d->leg[B2BUA_NEAR].timer);
	session_timer_stop(&d->leg[B2BUA_FAR].timer);
	if (d->call->media != d || !call_drain(d->call, true, now_ms))
		dialog_say_farewell(d, now_ms);
}

void dialog_say_farewell(struct b2bua_dialog *d, uint64_t now_ms)
{
	const char *reason = d->farewell;

	if (d->over || !reason)
		return;
	dialog_over(d);
	pass_bye(d, B2BUA_NEAR, reason, now_ms);
	pass_bye(d, B2BUA_FAR, reason, now_ms);
}
