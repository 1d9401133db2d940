/*
 * client: the IM Client (clauses 7 and 8), pure: registration, conversations, their legs, and
 * the move of a running chat into a conference. It stands on procedure, sip, msrp and body; the
 * world (sockets, clock) is behind struct client_world. src/embed binds it to libuv and to the
 * public header.
 */
#ifndef CONFAB_CLIENT_CLIENT_H
#define CONFAB_CLIENT_CLIENT_H

#include "base/digest.h"
#include "confab/confab.h"
#include "msrp/session.h"
#include "sip/stack.h"

struct client;

struct client_world {
	void (*udp_send)(void *ctx, const struct addr *to, struct view bytes);
	void *(*sip_connect)(void *ctx, struct sip_conn *conn, enum sip_transport t, const struct addr *to);
	void (*sip_write)(void *ctx, void *handle, struct view bytes);
	void (*sip_close)(void *ctx, void *handle);
	void (*sip_trace)(void *ctx, bool out, const struct sip_flow *flow, struct view bytes);
	struct msrp_agent_ops msrp;
	void (*event)(void *ctx, const struct confab_event *ev);
	void *ctx;
};

/* Views are copied. */
struct client_config {
	struct view user, display, password; /* user: "sip:ann@example.com" */
	struct sip_flow server;              /* where everything goes */
	struct addr sip_local[3];            /* UDP, TCP and TLS listening address; family 0: none */
	struct addr msrp_local, msrp_tls_local; /* family 0: no TLS */
	struct view msrp_fingerprint;        /* of our certificate, as a=fingerprint has it */
	bool msrp_tls, msrp_tls_only;        /* offers are of TLS; plain ones are refused */
	bool msrp_active;                    /* nobody can connect to us (RFC 6135) */
	struct view factory, feature_tag;
	bool auto_accept, ask_before_move, notices;
	bool direct;                         /* who comes past the server is let in, too */
	unsigned max_conversations;
	uint32_t register_expires;
	uint32_t session_expires;	     /* seconds, RFC 4028; 0: 1800 */
	uint32_t keepalive;                  /* seconds between keep-alives; 0: as RFC 5626 has it */
	uint64_t max_message;
	uint64_t unix_ms_at_zero;
	bool ims;                            /* register as a UE of an IMS does (IC-7.1.1-6) */
	struct view access_network;          /* P-Access-Network-Info, "IEEE-802.11"; empty: none */
	uint32_t drain_ms;                   /* longest wait for an old session to be confirmed; default 5000 */
};

struct client *client_new(const struct client_config *cfg, const struct client_world *world,
			  const struct digest *digest, struct timers *timers,
			  const struct entropy *entropy, const struct log *log);
void client_free(struct client *c);
struct sip_stack *client_stack(struct client *c);
struct msrp_agent *client_msrp(struct client *c);

void client_register(struct client *c, uint64_t now_ms);
/* Everything goes to another address from now on, by the same transport. Registering is what the next
 * attempt does by itself. */
void client_set_server(struct client *c, const struct addr *remote);
/* Own addresses, as in client_config. */
struct client_addresses {
	struct addr sip[3], msrp, msrp_tls;
};
/* We have other addresses now: registers anew by them, and brings the conversations there. The old
 * ones are taken for dead: the caller closes what is left of them afterwards. E_NOMEM: all is as it was. */
int client_relocate(struct client *c, const struct client_addresses *at, uint64_t now_ms);
/* Leaves everything and unregisters; client_idle tells when that is done. */
void client_shutdown(struct client *c, uint64_t now_ms);
bool client_idle(const struct client *c);

/* The public functions of the same names, with the time. */
int client_call(struct client *c, const struct view *uri, size_t n, uint32_t *conversation_out,
		uint64_t now_ms);
struct client_call_options {
	bool conference;
	struct view subject, contribution, rejoin;
};
/* options NULL: client_call. */
int client_call_with(struct client *c, const struct view *uri, size_t n,
		     const struct client_call_options *options, uint32_t *conversation_out, uint64_t now_ms);
int client_accept(struct client *c, uint32_t conversation, uint64_t now_ms);
int client_decline(struct client *c, uint32_t conversation, int status, uint64_t now_ms);
int client_send(struct client *c, uint32_t conversation, struct view text, char *id_out, uint64_t now_ms);
int client_send_to(struct client *c, uint32_t conversation, struct view uri, struct view text,
		   char *id_out, uint64_t now_ms);
int client_nick(struct client *c, uint32_t conversation, struct view nickname, uint64_t now_ms);
int client_typing(struct client *c, uint32_t conversation, bool active, uint64_t now_ms);
int client_displayed(struct client *c, uint32_t conversation, struct view id, uint64_t now_ms);
int client_page(struct client *c, struct view uri, struct view text, char *id_out, uint64_t now_ms);
int client_add(struct client *c, uint32_t conversation, const struct view *uri, size_t n, uint64_t now_ms);
int client_kick(struct client *c, uint32_t conversation, const struct view *uri, size_t n, uint64_t now_ms);
int client_leave(struct client *c, uint32_t conversation, bool anonymous, uint64_t now_ms);
int client_who(struct client *c, uint32_t conversation, uint64_t now_ms);
/* The MSRP session of a leg, for fault injection; NULL when there is none. */
struct msrp_session *client_msrp_session(struct client *c, uint32_t conversation, bool conference);

#endif
