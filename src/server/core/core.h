/*
 * server/core: the embedded SIP/IP core, pure: registrar with digest, location
 * table, and a transaction-stateful, forking, record-routing proxy (RFC 3261 §10, §16, §22),
 * with the participating function in proxy mode on the way (server/participating).
 * It includes base, sip, body and procedure.
 *
 * One thread. It stands between the stack and the local user agents (the controlling
 * function): what is addressed to those is handed to them by struct core_ops, with the identity of the sender proven.
 */
#ifndef CONFAB_SERVER_CORE_CORE_H
#define CONFAB_SERVER_CORE_CORE_H

#include "base/digest.h"
#include "sip/stack.h"

struct core;
struct binding_values; /* server/core/location.h */

/* Who sent a request, as far as it was proven. */
struct core_identity {
	bool asserted;        /* digest, a trusted peer's P-Asserted-Identity, or this process itself */
	struct view uri;      /* "sip:ann@example.com", without parameters; empty when not asserted */
	struct view display;  /* display name as it stands (quotes included), may be empty */
	bool privacy_id;      /* Privacy: id was asked for */
};

enum core_im_tag { CORE_IM_DEFAULT, CORE_IM_REQUIRE, CORE_IM_ASSUME };
/* How sessions of a user are served (PF-9.1.2-2, -3). */
enum core_mode { CORE_MODE_DEFAULT, CORE_MODE_PROXY, CORE_MODE_B2BUA };

/* A user of the store; text is NUL-terminated. */
struct core_user {
	char ha1_md5[33], ha1_sha256[65]; /* empty: none of that kind */
	enum core_im_tag im_tag;
	enum core_mode mode;
};

/* Another domain, and the peer that serves it. */
struct core_route {
	struct view domain;
	struct addr peer;
	bool tls; /* by TLS alone: the peer has to be certified for the domain (RFC 5922) */
};

struct core_ops {
	/* Looks a user up: 0, E_NOTFOUND, or E_IO (the store cannot answer: 500). */
	int (*user_find)(void *ctx, struct view user, struct view domain, struct core_user *out);
	/* True when the URI (a Request-URI, own Routes already taken off) belongs to a local user agent. */
	bool (*is_local)(void *ctx, const struct sip_uri *uri);
	/* A request for a local user agent. It must be answered by the callee. */
	void (*local_request)(void *ctx, struct sip_server_tx *tx, const struct sip_msg *m,
			      const struct core_identity *who, uint64_t now_ms);
	void (*local_ack)(void *ctx, const struct sip_msg *m, uint64_t now_ms);
	/* A binding appeared, was refreshed, or went (then expires_at_ms is 0, and contact alone is set), before the
	 * REGISTER is answered: to be kept over a restart (core_restore_binding). May be NULL. */
	void (*on_binding)(void *ctx, struct view aor, const struct binding_values *b, uint64_t now_ms);
	/* IMS mode: the core has told that the user is registered until then, or no longer (0), before its REGISTER is
	 * answered; likewise to be kept (core_restore_served). May be NULL. */
	void (*on_served)(void *ctx, struct view aor, uint64_t expires_at_ms, uint64_t now_ms);
	/* Where a URI of another domain leads, when its host is a name (RFC 3263): 0 and up to max
	 * flows, in the order in which they are to be tried; E_STATE: it is being looked up,
	 * core_resolved will be called; E_NOTFOUND: nowhere. Copies what it keeps. NULL: names are
	 * not looked up. */
	int (*resolve)(void *ctx, const struct sip_uri *uri, struct sip_flow *out, size_t max,
		       size_t *n_out, uint64_t now_ms);
	void *ctx;
};

/* IMS mode (PF-X-2): this process is an application server on the ISC interface of another core. Nobody registers here
 * and no digest is asked for; who is not among the trusted peers has no identity. */
struct ims_config {
	bool on;
	struct view orig_user, term_user; /* user parts of the own Route URIs for the two sides */
	struct view ioi;		  /* of this network (RFC 7315 §4.6); empty: none */
};

struct core_config {
	const struct view *domains;   /* served domains, the first is the realm's default */
	size_t n_domains;
	const struct addr *trusted;   /* peers (any port) whose P-Asserted-Identity is believed and who are not challenged */
	size_t n_trusted;
	const struct view *trusted_names; /* likewise: domains of peers that prove them by TLS */
	size_t n_trusted_names;
	bool auth_required;
	struct view realm;
	uint64_t nonce_lifetime_ms;
	uint32_t max_failures; /* wrong passwords of one user from one address, then 403; 0: no
				  limit */
	uint64_t lockout_ms;   /* for so long */
	bool offer_md5, offer_sha256;
	uint32_t min_expires, max_expires, default_expires; /* seconds */
	size_t max_contacts;          /* per address-of-record */
	size_t max_bindings;
	enum core_im_tag im_tag;      /* REQUIRE or ASSUME */
	enum core_mode mode;          /* PROXY or B2BUA */
	const struct core_route *routes;
	size_t n_routes;
	struct view server;           /* Server header value */
	struct view service_route;    /* RFC 3608: name-addrs parted by commas, told to who registers; may be empty */
	size_t max_sessions_per_user; /* invitations under way, and sessions of the B2BUA, that a
					 user began; 0: no cap */
	uint32_t timer_c_ms;          /* RFC 3261 §16.6: more than 3 minutes */
	uint32_t fork_ms; /* how long contacts have before those of a lower q; 0: all are tried at
			     once */
	struct ims_config ims;
};

/* cfg is copied deeply. */
struct core *core_new(const struct core_config *cfg, const struct core_ops *ops, struct sip_stack *stack,
		      const struct digest *digest);
void core_free(struct core *c);
/* What the stack's user is told; core decides. */
void core_request(struct core *c, struct sip_server_tx *tx, const struct sip_msg *m, uint64_t now_ms);
void core_ack(struct core *c, const struct sip_msg *m, const struct sip_flow *from, uint64_t now_ms);
/* Whether credentials (the value of a header field) answer a challenge that was made here for that
 * peer. It proves nobody, and nothing is used up by it. */
bool core_has_challenged(struct core *c, struct view credentials, const struct sip_flow *from,
			 uint64_t now_ms);
/* A lookup has ended: requests that wait go on, those whose lookup has not ended wait again. */
void core_resolved(struct core *c, uint64_t now_ms);
/* Bindings that came over this connection lose their flow (they stay, and are reached by their contact address). */
void core_conn_down(struct core *c, uint64_t conn, uint64_t now_ms);
size_t core_binding_count(const struct core *c);
/* Puts back a binding of an earlier life of this server; its connection, if it had one, is gone. One that would last
 * longer than the configuration allows is cut. E_NOTFOUND: it has run out; E_LIMIT, E_NOMEM, E_SYNTAX. */
int core_restore_binding(struct core *c, struct view aor, const struct binding_values *b, uint64_t now_ms);
/* Calls fn with each binding there is, in no order. */
void core_each_binding(struct core *c, void (*fn)(void *ctx, struct view aor, const struct binding_values *b),
		       void *ctx);
/* IMS mode: users whom the core has told to be registered. */
size_t core_served_count(const struct core *c);
/* What an earlier life of this server was told; within the bounds that a REGISTER has. E_NOTFOUND: it has run out, or
 * this is not IMS mode; E_SYNTAX: no address-of-record; E_LIMIT, E_NOMEM. */
int core_restore_served(struct core *c, struct view aor, uint64_t expires_at_ms, uint64_t now_ms);
/* Calls fn with each of them, in no order. */
void core_each_served(struct core *c, void (*fn)(void *ctx, struct view aor, uint64_t expires_at_ms), void *ctx);
bool core_is_served_domain(const struct core *c, struct view host, uint16_t port);

#endif
