/* The configuration of confabd. */
#ifndef CONFAB_CONFIG_SERVER_H
#define CONFAB_CONFIG_SERVER_H

#include "config/file.h"

enum server_im_feature_tag { SERVER_IM_REQUIRE, SERVER_IM_ASSUME };
enum server_participating_mode { SERVER_PROXY, SERVER_B2BUA };
enum server_end_policy { SERVER_END_LAST, SERVER_END_BELOW_TWO, SERVER_END_CREATOR };
enum server_remove_policy { SERVER_REMOVE_CREATOR, SERVER_REMOVE_ANYONE, SERVER_REMOVE_NOBODY };
enum server_dial_in_policy { SERVER_DIAL_IN_MEMBERS, SERVER_DIAL_IN_ANYONE, SERVER_DIAL_IN_NOBODY };
enum server_verify_clients { SERVER_CLIENTS_NO, SERVER_CLIENTS_OPTIONAL, SERVER_CLIENTS_REQUIRED };
enum server_conference_tls {
	SERVER_CONFERENCE_TLS_KEEP,
	SERVER_CONFERENCE_TLS_EITHER,
	SERVER_CONFERENCE_TLS_REQUIRED
};
enum server_relay_tls { SERVER_TLS_KEEP, SERVER_TLS_MORE, SERVER_TLS_EITHER, SERVER_TLS_REQUIRED };
/* Bits of auth.algorithms. */
enum server_auth_algorithm { SERVER_AUTH_SHA256 = 1 << 0, SERVER_AUTH_MD5 = 1 << 1 };

/* Times are in ms, sizes in bytes; texts are empty and addresses of family 0 where nothing was set.
 * The enumerations above are kept in uint32_t fields. */
struct server_config {
	struct {
		struct option_listens listen;
		struct option_strings domain; /* at least one */
		struct addr advertise;	      /* port 0: that of the listener */
		struct option_ips trusted;
		struct option_strings trusted_names;
		struct option_strings routes; /* "domain=address:port" */
		struct option_strings service_route;
		uint32_t max_transactions;
		uint32_t max_connections;
		uint32_t max_connections_per_address; /* 0: no cap */
		uint64_t unproven_time_ms;
		uint64_t unproven_bytes;
		uint64_t max_uri;
		uint64_t max_head;
		uint32_t max_fields;
		uint64_t max_body;
		uint64_t idle_timeout_ms;
		uint64_t fork_timeout_ms;
	} sip;
	struct {
		char certificate[OPTION_TEXT_MAX];
		char key[OPTION_TEXT_MAX]; /* empty: in the certificate's file */
		char ca[OPTION_TEXT_MAX];  /* empty: those of the system */
		uint32_t verify_clients;   /* enum server_verify_clients */
	} tls;
	struct {
		struct option_strings servers; /* empty: those of the system */
	} dns;
	struct {
		bool required;
		char realm[OPTION_TEXT_MAX]; /* never empty after the check */
		uint64_t nonce_lifetime_ms;
		uint32_t algorithms; /* enum server_auth_algorithm bits, at least one */
		uint32_t max_failures; /* 0: no limit */
		uint64_t lockout_ms;
	} auth;
	struct {
		uint64_t min_expires_ms;
		uint64_t max_expires_ms;
		uint64_t default_expires_ms;
		uint32_t max_contacts; /* per user */
	} registrar;
	struct {
		uint32_t feature_tag; /* enum server_im_feature_tag */
		char feature_tag_name[OPTION_TEXT_MAX];
	} im;
	struct {
		uint32_t mode; /* enum server_participating_mode */
		uint32_t max_sessions_per_user; /* 0: no cap */
		uint64_t session_expires_ms;
		uint32_t msrp_tls; /* enum server_relay_tls */
	} participating;
	struct {
		bool mode;
		char orig_user[OPTION_TEXT_MAX], term_user[OPTION_TEXT_MAX];
		char route[OPTION_TEXT_MAX]; /* a SIP URI */
		char ioi[OPTION_TEXT_MAX];
	} ims;
	struct {
		char factory[OPTION_TEXT_MAX]; /* user part of the factory URI */
		uint32_t max_members;
		uint32_t max;
		uint32_t max_per_user; /* 0: no cap */
		uint64_t max_list_bytes;
		uint32_t max_list_depth;
		uint32_t max_subscriptions, max_subscriptions_per_user; /* 0: no cap */
		uint64_t invite_timeout_ms;
		uint64_t session_expires_ms;
		uint32_t end_policy; /* enum server_end_policy */
		uint32_t remove;     /* enum server_remove_policy */
		uint32_t dial_in;    /* enum server_dial_in_policy */
		uint32_t msrp_tls;   /* enum server_conference_tls */
		bool replaces_fallback;
		uint64_t comeback_ms; /* 0: conferences are not kept */
	} conference;
	struct {
		struct addr listen; /* no port */
		uint32_t port;	    /* thread i listens on port + i; 0: the kernel chooses */
		uint32_t threads;
		uint64_t max_message;
		uint32_t max_chunks; /* 0: no cap */
		uint64_t unclaimed_bytes;
		uint64_t seat_backlog;
		uint64_t rebind_grace_ms;
		uint64_t drain_ms;
		uint64_t chunk_whole_max;
		uint32_t max_connections;
		uint32_t max_connections_per_address; /* 0: no cap */
		bool tls;
		bool tls_verify;
		uint32_t tls_port; /* thread i listens on tls_port + i; 0: the kernel chooses */
		bool private_messages;
		bool nicknames;
		bool wrap_plain;
	} msrp;
	struct {
		uint32_t limit; /* per cent */
	} overload;
	struct {
		uint64_t grace_ms;
	} shutdown;
	struct {
		char path[OPTION_TEXT_MAX];
	} store;
	struct {
		char user[OPTION_TEXT_MAX];
	} run;
	struct {
		uint32_t level; /* enum log_level */
		char file[OPTION_TEXT_MAX];
	} log;
	struct {
		char file[OPTION_TEXT_MAX];
		bool bodies;
	} trace;
};

extern const struct option_table config_server_table;

/* The defaults. E_INTERNAL never comes of a table that passed its test. */
int config_server_init(struct server_config *config);

/* Defaults, then the file (path NULL: none), then each of n settings "key=value", then the check.
 * Returns 0; E_SYNTAX, E_IO, E_LIMIT or E_NOMEM with every mistake in mistakes (emptied first);
 * config is then not to be used. */
int config_server_load(const char *path, const char *const *settings, size_t n,
		       struct server_config *config, struct config_mistakes *mistakes);

/* What no single option can tell: options that contradict each other or ask for what is not built.
 * lines may be all zero. Fills auth.realm from sip.domain where it is empty. Returns 0 or
 * E_SYNTAX. */
int config_server_check(struct server_config *config, const struct config_lines *lines,
			struct config_mistakes *mistakes);

/* One item of sip.routes taken apart: 0 or E_SYNTAX. domain points into item. */
int config_server_route(const char *item, struct view *domain, struct addr *peer, bool *tls);

/* Text of --help's second part, and of confabd.conf(5). */
void config_server_help(struct buf *out);
void config_server_man(struct buf *out);

#endif
