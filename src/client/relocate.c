/* The phone has another address than it had, as when it goes from one network to another. Nothing
 * that it told others holds any more: the binding of its registration, the Contact of its dialogs,
 * the path of its sessions. It registers the new one and takes the old one back, and calls anew
 * wherever it was in a conversation (recover.c). */
#include "client/state.h"

#include "base/error.h"

#include <stdlib.h>

static void forget_flow(struct client *c, uint64_t now_ms)
{
	if (c->registering)
		sip_uac_detach(c->registering);
	c->registering = NULL;
	keepalive_stop(c);
	/* Its end is told: registration_conn_down sees to the rest. */
	if (c->flow_conn)
		sip_stack_conn_close(c->stack, c->flow_conn, now_ms);
	c->flow_conn = 0;
	c->registered = false;
	c->flow_lost_ms = now_ms;
}

static void take_addresses(struct client *c, const struct client_addresses *at)
{
	for (int t = 0; t < 3; t++) {
		c->cfg.sip_local[t] = at->sip[t];
		sip_stack_set_sent_by(c->stack, t, &at->sip[t]);
	}
	c->cfg.msrp_local = at->msrp;
	c->cfg.msrp_tls_local = at->msrp_tls;
}

int client_relocate(struct client *c, const struct client_addresses *at, uint64_t now_ms)
{
	struct confab_event ev = {.type = CONFAB_CONNECTION, .text = "moved"};
	char *contact;

	contact = client_contact(c, &at->sip[c->cfg.server.transport]);
	if (!contact)
		return E_NOMEM;
	/* Of several that were not taken back, the registrar has the first at the most. */
	if (!c->old_contact)
		c->old_contact = c->contact;
	else
		free(c->contact);
	c->contact = contact;
	take_addresses(c, at);
	if (c->closing)
		return 0;
	forget_flow(c, now_ms);
	client_register(c, now_ms);
	client_emit(c, &ev);
	/* By number: whoever is told of one's end may end another. */
	for (uint32_t id = 1; id <= c->next_conversation; id++) {
		struct conversation *v = conversation_find(c, id);

		if (v && v->current)
			recover_relocated(v->current, now_ms);
	}
	return 0;
}
