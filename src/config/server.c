#include "config/server.h"

#include "base/error.h"
#include "base/log.h"

#include <stddef.h>

#define AT(field) offsetof(struct server_config, field)

/* Bytes and ms. */
#define KIB    1024ull
#define MIB    (1024 * KIB)
#define SECOND 1000ull
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

static const char *const im_words[] = {
	[SERVER_IM_REQUIRE] = "require", [SERVER_IM_ASSUME] = "assume", NULL};
static const char *const mode_words[] = {[SERVER_PROXY] = "proxy", [SERVER_B2BUA] = "b2bua", NULL};
static const char *const relay_tls_words[] = {[SERVER_TLS_KEEP] = "keep",
					      [SERVER_TLS_MORE] = "more",
					      [SERVER_TLS_EITHER] = "either",
					      [SERVER_TLS_REQUIRED] = "required",
					      NULL};
static const char *const end_words[] = {[SERVER_END_LAST] = "last",
					[SERVER_END_BELOW_TWO] = "below-two",
					[SERVER_END_CREATOR] = "creator",
					NULL};
static const char *const remove_words[] = {[SERVER_REMOVE_CREATOR] = "creator",
					   [SERVER_REMOVE_ANYONE] = "anyone",
					   [SERVER_REMOVE_NOBODY] = "nobody",
					   NULL};
static const char *const dial_in_words[] = {[SERVER_DIAL_IN_MEMBERS] = "members",
					    [SERVER_DIAL_IN_ANYONE] = "anyone",
					    [SERVER_DIAL_IN_NOBODY] = "nobody",
					    NULL};
static const char *const conference_tls_words[] = {[SERVER_CONFERENCE_TLS_KEEP] = "keep",
						   [SERVER_CONFERENCE_TLS_EITHER] = "either",
						   [SERVER_CONFERENCE_TLS_REQUIRED] = "required",
						   NULL};
static const char *const client_words[] = {[SERVER_CLIENTS_NO] = "no",
					   [SERVER_CLIENTS_OPTIONAL] = "optional",
					   [SERVER_CLIENTS_REQUIRED] = "required",
					   NULL};
static const char *const algorithm_words[] = {"SHA-256", "MD5", NULL};
static const char *const level_words[] = {[LOG_ERROR] = "error",
					  [LOG_WARN] = "warn",
					  [LOG_INFO] = "info",
					  [LOG_DEBUG] = "debug",
					  NULL};

/* clang-format off: one option, one block */
static const struct option_spec specs[] = {
	{"sip.listen", OPTION_LISTEN_LIST, AT(sip.listen), "udp:127.0.0.1:5060, tcp:127.0.0.1:5060",
	 0, 0, NULL,
	 "Where SIP is listened for. A request over 1300 bytes goes by TCP, so listen on both."},
	{"sip.domain", OPTION_STRING_LIST, AT(sip.domain), "example.com", 0, 0, NULL,
	 "The domains that this server is responsible for. The first one is the domain of "
	 "conferences."},
	{"sip.advertise", OPTION_ADDR, AT(sip.advertise), "", 0, 0, NULL,
	 "The address that others are told (Via, Record-Route, Contact, and the host of MSRP "
	 "paths) "
	 "where it is not the one listened on. Needed when listening on every address."},
	{"sip.trusted", OPTION_IP_LIST, AT(sip.trusted), "", 0, 0, NULL,
	 "Peers whose P-Asserted-Identity is believed; from all others it is removed (RFC 3325)."},
	{"sip.trusted_names", OPTION_STRING_LIST, AT(sip.trusted_names), "", 0, 0, NULL,
	 "Likewise, peers at any address that prove one of these domains by their TLS certificate "
	 "(RFC 5922). Of those that connect here, tls.verify_clients has to ask for one."},
	{"sip.routes", OPTION_STRING_LIST, AT(sip.routes), "", 0, 0, NULL,
	 "Other domains and the peers that serve them: domain=address:port, or "
	 "domain=tls:address:port; then the peer must be certified for the domain (RFC 5922). A "
	 "request to a user of such a domain goes there. Peers that are to be believed stand in "
	 "sip.trusted or sip.trusted_names as well."},
	{"sip.service_route", OPTION_STRING_LIST, AT(sip.service_route), "", 0, 0, NULL,
	 "URIs that registered phones are to put into the Route of their requests, in this order "
	 "(RFC 3608), each with ;lr."},
	{"sip.max_transactions", OPTION_U32, AT(sip.max_transactions), "100000", 100, 10000000,
	 NULL,
	 "SIP transactions of either kind (server, client) at a time. New sessions get 503 from "
	 "seven eighths "
	 "on: the rest is for those that run."},
	{"sip.max_connections", OPTION_U32, AT(sip.max_connections), "10000", 1, 1000000, NULL,
	 "SIP connections over TCP at a time."},
	{"sip.max_connections_per_address", OPTION_U32, AT(sip.max_connections_per_address), "1000",
	 0, 1000000, NULL,
	 "Of those, the most from one address (IPv6: one /64) at each listener; one more is closed "
	 "at once. 0: no such cap."},
	{"sip.unproven_time", OPTION_DURATION, AT(sip.unproven_time_ms), "30s", SECOND, HOUR, NULL,
	 "A connection over which nobody proved by digest who he is (or that he is of a running "
	 "dialog) is closed after this time; it does not concern those of sip.trusted."},
	{"sip.unproven_bytes", OPTION_SIZE, AT(sip.unproven_bytes), "256K", KIB, KIB *MIB, NULL,
	 "Or when it has sent more bytes than this."},
	{"sip.max_uri", OPTION_SIZE, AT(sip.max_uri), "2K", 64, 64 * KIB, NULL,
	 "A request whose Request-URI is longer gets 414."},
	{"sip.max_head", OPTION_SIZE, AT(sip.max_head), "32K", KIB, 64 * KIB, NULL,
	 "A request whose start line and header fields together are longer gets 513."},
	{"sip.max_fields", OPTION_U32, AT(sip.max_fields), "128", 16, 128, NULL,
	 "A request with more header fields than this gets 513."},
	{"sip.max_body", OPTION_SIZE, AT(sip.max_body), "192K", KIB, 16 * MIB, NULL,
	 "A request with a larger body gets 413."},
	{"sip.fork_timeout", OPTION_DURATION, AT(sip.fork_timeout_ms), "20s", SECOND, 180 * SECOND,
	 NULL,
	 "A user's phones are tried in the order of the q that they registered with, those of "
	 "equal q "
	 "at once; those of a lower one when nobody has answered for so long, or all have "
	 "refused."},
	{"sip.idle_timeout", OPTION_DURATION, AT(sip.idle_timeout_ms), "3h", 60 * SECOND, 7 * DAY,
	 NULL,
	 "A SIP connection on which nothing has come or gone for so long is closed. More than "
	 "registrar.max_expires: a phone without keep-alives speaks no more often than that."},

	{"tls.certificate", OPTION_STRING, AT(tls.certificate), "", 0, 0, NULL,
	 "PEM file with the server's certificate, and behind it those between it and its CA. Its "
	 "names must be those of sip.domain (RFC 5922). Read anew on SIGHUP, as are the other "
	 "files "
	 "of tls."},
	{"tls.key", OPTION_STRING, AT(tls.key), "", 0, 0, NULL,
	 "PEM file with its private key; where it is not set the key stands in tls.certificate."},
	{"tls.ca", OPTION_STRING, AT(tls.ca), "", 0, 0, NULL,
	 "PEM file with the CAs that other servers and clients must be certified by; where it is "
	 "not set those of the system are believed."},
	{"tls.verify_clients", OPTION_ENUM, AT(tls.verify_clients), "optional", 0, 0, client_words,
	 "Whether those who connect by SIP over TLS show a certificate. optional: it is asked for, "
	 "and one that is shown must be good. required: for links between servers."},

	{"dns.servers", OPTION_STRING_LIST, AT(dns.servers), "", 0, 0, NULL,
	 "The DNS servers to ask, ADDRESS or ADDRESS:PORT; those of the system where it is not "
	 "set. "
	 "Requests to other domains go where NAPTR and SRV say (RFC 3263)."},

	{"auth.required", OPTION_BOOL, AT(auth.required), "yes", 0, 0, NULL,
	 "Whether users prove who they are by digest. Switch it off on a closed test network "
	 "only."},
	{"auth.realm", OPTION_STRING, AT(auth.realm), "", 0, 0, NULL,
	 "The realm of the challenge; the first domain where it is not set. Passwords are stored "
	 "hashed with it, so users have to be added again after a change (confabctl --realm)."},
	{"auth.nonce_lifetime", OPTION_DURATION, AT(auth.nonce_lifetime_ms), "5m", SECOND, DAY,
	 NULL,
	 "How long a nonce is good for; after it a request gets a new challenge with stale=true."},
	{"auth.algorithms", OPTION_ENUM_SET, AT(auth.algorithms), "SHA-256, MD5", 0, 0,
	 algorithm_words,
	 "Digest algorithms offered, the strongest first (RFC 7616, RFC 8760): a phone that knows "
	 "SHA-256 uses it. MD5 is there for those that do not; leave it out where there are none, "
	 "or take it from single users (confabctl user digest)."},
	{"auth.max_failures", OPTION_U32, AT(auth.max_failures), "10", 0, 1000000, NULL,
	 "Wrong passwords for one user from one address and port after which its requests for that "
	 "user get 403; ten times as many from one address (IPv6: one /64) with any ports. The "
	 "user at another address is not concerned, nor is a phone of his that is registered. 0: "
	 "no limit."},
	{"auth.lockout", OPTION_DURATION, AT(auth.lockout_ms), "5m", SECOND, DAY, NULL,
	 "For how long they do after the last wrong one."},

	{"registrar.min_expires", OPTION_DURATION, AT(registrar.min_expires_ms), "60s", SECOND, DAY,
	 NULL, "A registration for less than this gets 423 (RFC 3261 section 10.3)."},
	{"registrar.max_expires", OPTION_DURATION, AT(registrar.max_expires_ms), "2h", SECOND,
	 7 * DAY, NULL, "A registration for more than this is cut to it."},
	{"registrar.default_expires", OPTION_DURATION, AT(registrar.default_expires_ms), "1h",
	 SECOND, 7 * DAY, NULL, "The lifetime of a registration that asks for none."},
	{"registrar.max_contacts", OPTION_U32, AT(registrar.max_contacts), "10", 1, 100, NULL,
	 "Contacts of one user at a time; one more takes the place of the oldest whose "
	 "connection is gone, or gets 403."},

	{"im.feature_tag", OPTION_ENUM, AT(im.feature_tag), "require", 0, 0, im_words,
	 "What a request without the IM feature tag in Accept-Contact gets: require answers 403, "
	 "assume serves it as if it had the tag. A user can have another setting (confabctl)."},
	{"im.feature_tag_name", OPTION_STRING, AT(im.feature_tag_name), "+g.oma.sip-im", 0, 0, NULL,
	 "The spelling of the tag that is sent. On receipt all known spellings are equal."},

	{"participating.mode", OPTION_ENUM, AT(participating.mode), "proxy", 0, 0, mode_words,
	 "proxy: 1-1 sessions run straight between the two. b2bua: sessions of a user of this "
	 "server, "
	 "begun by him or coming in for him, run through it, SIP and MSRP. A user can have another "
	 "setting (confabctl)."},
	{"participating.max_sessions_per_user", OPTION_U32, AT(participating.max_sessions_per_user),
	 "100", 0, 1000000, NULL,
	 "Invitations of one user that are under way, those inside a dialog among them, and, in "
	 "b2bua mode, sessions that he began; one more gets 486. 0: no such cap."},
	{"participating.session_expires", OPTION_DURATION, AT(participating.session_expires_ms),
	 "30m", 90 * SECOND, DAY, NULL,
	 "The session timer of sessions in b2bua mode (RFC 4028): in half of it each side is asked "
	 "whether it is still there, and a session is ended when one is not."},

	{"participating.msrp_tls", OPTION_ENUM, AT(participating.msrp_tls), "keep", 0, 0,
	 relay_tls_words,
	 "MSRP over TLS in b2bua mode, where msrp.tls is on. keep: the callee is offered what the "
	 "caller offered. more: a callee who refuses plain MSRP is offered TLS. either: and one "
	 "who "
	 "refuses TLS is offered plain MSRP, unless it is a sips call. required: nothing but TLS "
	 "on "
	 "either side."},

	{"ims.mode", OPTION_BOOL, AT(ims.mode), "no", 0, 0, NULL,
	 "Application server on the ISC interface of an IMS core, or of Kamailio: no registrar and "
	 "no "
	 "digest here; who is asked for stands in Route and P-Served-User. Name the core's "
	 "addresses "
	 "in sip.trusted and the domain of factory and conferences in sip.domain."},
	{"ims.orig_user", OPTION_STRING, AT(ims.orig_user), "orig", 0, 0, NULL,
	 "User part of the own Route URI by which the core sends what a served user originates."},
	{"ims.term_user", OPTION_STRING, AT(ims.term_user), "term", 0, 0, NULL,
	 "User part of the own Route URI by which the core sends what is for a served user."},
	{"ims.route", OPTION_STRING, AT(ims.route), "", 0, 0, NULL,
	 "In IMS mode, the URI by which the invitations of conferences are routed: "
	 "sip:192.0.2.5:5060;transport=tcp;lr;orig, an S-CSCF or I-CSCF by its IP address."},
	{"ims.ioi", OPTION_STRING, AT(ims.ioi), "", 0, 0, NULL,
	 "Inter-operator identifier of this network, told in P-Charging-Vector (RFC 7315 section "
	 "4.6): orig-ioi in what begins here, term-ioi in answers. Empty: none is told."},

	{"conference.factory", OPTION_STRING, AT(conference.factory), "conference-factory", 0, 0,
	 NULL, "User part of the conference factory's URI; its host is the first domain."},
	{"conference.max_members", OPTION_U32, AT(conference.max_members), "50", 2, 10000, NULL,
	 "Participants of one conference, those being invited among them."},
	{"conference.max", OPTION_U32, AT(conference.max), "10000", 1, 1000000, NULL,
	 "Conferences at a time; one more gets 503."},
	{"conference.max_per_user", OPTION_U32, AT(conference.max_per_user), "50", 0, 1000000, NULL,
	 "Of those, the most that one user made and that still run; one more gets 486. 0: no such "
	 "cap."},
	{"conference.max_list_bytes", OPTION_SIZE, AT(conference.max_list_bytes), "64K", 256,
	 16 * MIB, NULL,
	 "A recipient list (RFC 5366, RFC 5368) that is larger gets 413, as does one that names "
	 "more "
	 "people than conference.max_members."},
	{"conference.max_list_depth", OPTION_U32, AT(conference.max_list_depth), "16", 3, 256, NULL,
	 "A recipient list whose XML elements are nested deeper gets 413."},
	{"conference.max_subscriptions", OPTION_U32, AT(conference.max_subscriptions), "1024", 0,
	 1000000, NULL, "Subscriptions to one conference; one more gets 486. 0: no such cap."},
	{"conference.max_subscriptions_per_user", OPTION_U32,
	 AT(conference.max_subscriptions_per_user), "10", 0, 1000000, NULL,
	 "Of those, the most of one participant, who has one for each of his phones."},
	{"conference.invite_timeout_ms", OPTION_DURATION, AT(conference.invite_timeout_ms), "20000",
	 SECOND, 600 * SECOND, NULL,
	 "How long the others wait for the answer of the one whose running chat is being "
	 "replaced."},
	{"conference.session_expires", OPTION_DURATION, AT(conference.session_expires_ms), "30m",
	 90 * SECOND, DAY, NULL,
	 "The session timer of a conference's participants (RFC 4028): in half of it each is asked "
	 "whether he is still there, and one who is not has left."},
	{"conference.end_policy", OPTION_ENUM, AT(conference.end_policy), "last", 0, 0, end_words,
	 "When a conference ends: as its last participant leaves, when fewer than two are left, or "
	 "as its "
	 "creator leaves."},
	{"conference.remove", OPTION_ENUM, AT(conference.remove), "creator", 0, 0, remove_words,
	 "Who may take a participant out (REFER with method BYE): the conference's creator, anyone "
	 "in it, or nobody. Everybody may take himself out."},
	{"conference.dial_in", OPTION_ENUM, AT(conference.dial_in), "members", 0, 0, dial_in_words,
	 "Who may join by an INVITE to the conference's URI. members: who was invited or was in "
	 "before, so that a lost phone finds back; who was taken out is not let in."},
	{"conference.msrp_tls", OPTION_ENUM, AT(conference.msrp_tls), "keep", 0, 0,
	 conference_tls_words,
	 "MSRP over TLS in conferences, where msrp.tls is on. The others are invited by what its "
	 "creator uses. keep: who joins a conference by TLS by himself needs TLS too. either: he "
	 "need not. required: nothing but TLS in any conference."},
	{"conference.replaces_fallback", OPTION_BOOL, AT(conference.replaces_fallback), "yes", 0, 0,
	 NULL, "Whether one whose client knows no Replaces (420) is invited once more without it."},

	{"conference.comeback", OPTION_DURATION, AT(conference.comeback_ms), "90s", 0, 3600000,
	 NULL,
	 "Conferences are kept in store.path over a restart. So long after it those who were in "
	 "one may "
	 "come back to it; who has not is out, and a conference without anybody ends. 0: "
	 "conferences "
	 "end with the server, and nothing of them is written."},
	{"msrp.listen", OPTION_IP, AT(msrp.listen), "127.0.0.1", 0, 0, NULL,
	 "The address on which the MSRP switch listens."},
	{"msrp.port", OPTION_U32, AT(msrp.port), "2855", 0, 65535, NULL,
	 "The port of the first switch thread; thread i listens on this plus i. 0: the kernel "
	 "chooses."},
	{"msrp.threads", OPTION_U32, AT(msrp.threads), "2", 1, 64, NULL,
	 "Switch threads; a conference lives on one of them."},
	{"msrp.max_message", OPTION_SIZE, AT(msrp.max_message), "100M", KIB, 64ull * KIB *MIB, NULL,
	 "A message that is larger gets 413. Messages are streamed, never gathered whole."},
	{"msrp.max_chunks", OPTION_U32, AT(msrp.max_chunks), "100000", 0, 4294967295u, NULL,
	 "A message that comes in more chunks gets 413, in a conference and through a relay. 0: no "
	 "such cap."},
	{"msrp.unclaimed_bytes", OPTION_SIZE, AT(msrp.unclaimed_bytes), "256K", 64 * KIB, KIB *MIB,
	 NULL,
	 "A connection that has sent more than this and has shown no session id of this server is "
	 "closed; without a session it is closed after 30 seconds in any case."},
	{"msrp.seat_backlog", OPTION_SIZE, AT(msrp.seat_backlog), "2M", 16 * KIB, KIB *MIB, NULL,
	 "Memory that may wait for a slow participant, with what the server needs to keep track of "
	 "it; "
	 "above it messages to that one fail, and their senders are told."},
	{"msrp.rebind_grace_ms", OPTION_DURATION, AT(msrp.rebind_grace_ms), "10000", 0,
	 600 * SECOND, NULL,
	 "How long a seat waits for its client to connect, or to connect anew after a broken "
	 "connection."},
	{"msrp.drain_ms", OPTION_DURATION, AT(msrp.drain_ms), "2000", 0, 60 * SECOND, NULL,
	 "How long a session that is to end goes on writing what was acknowledged to those who do "
	 "not take it; then that is reported to its senders, and the session ends. Where everybody "
	 "has taken everything it ends at once."},
	{"msrp.chunk_whole_max", OPTION_SIZE, AT(msrp.chunk_whole_max), "64K", 2 * KIB, 16 * MIB,
	 NULL,
	 "A chunk up to this size is passed on whole; a larger one may be interrupted when "
	 "something else "
	 "waits (RFC 4975 section 5.1)."},
	{"msrp.max_connections", OPTION_U32, AT(msrp.max_connections), "10000", 1, 1000000, NULL,
	 "MSRP connections of one thread at a time."},
	{"msrp.max_connections_per_address", OPTION_U32, AT(msrp.max_connections_per_address),
	 "1000", 0, 1000000, NULL,
	 "Of those, the most from one address (IPv6: one /64) at each listener; one more is closed "
	 "at once. 0: no such cap."},
	{"msrp.tls", OPTION_BOOL, AT(msrp.tls), "no", 0, 0, NULL,
	 "Whether the switch takes MSRP over TLS too, with tls.certificate. An offer is answered "
	 "in "
	 "kind; a conference invites others by what its creator uses."},
	{"msrp.tls_verify", OPTION_BOOL, AT(msrp.tls_verify), "yes", 0, 0, NULL,
	 "Whether a peer that the switch connects to by TLS, and whose session description has no "
	 "a=fingerprint, must show a certificate of tls.ca that names the host of his path "
	 "(RFC 4975). no: whoever is there is believed."},
	{"msrp.tls_port", OPTION_U32, AT(msrp.tls_port), "2955", 0, 65535, NULL,
	 "The TLS port of the first switch thread; thread i listens on this plus i. 0: the kernel "
	 "chooses."},
	{"msrp.private_messages", OPTION_BOOL, AT(msrp.private_messages), "yes", 0, 0, NULL,
	 "Whether a participant may write to one other alone (RFC 7701 section 6.2); otherwise "
	 "428."},
	{"msrp.nicknames", OPTION_BOOL, AT(msrp.nicknames), "yes", 0, 0, NULL,
	 "Whether participants may take a nickname (RFC 7701 section 7); otherwise 403."},
	{"msrp.wrap_plain", OPTION_BOOL, AT(msrp.wrap_plain), "no", 0, 0, NULL,
	 "Serves phones that know little of message/cpim: what comes without it is wrapped on "
	 "behalf "
	 "of its sender, and one that names no sender gets a From; otherwise 415 and 403."},

	{"overload.limit", OPTION_U32, AT(overload.limit), "95", 10, 100, NULL,
	 "How busy the SIP thread may be for longer than half a second, in per cent. Above it new "
	 "sessions get 503 with Retry-After, as many as it takes. 100: none are refused."},
	{"shutdown.grace", OPTION_DURATION, AT(shutdown.grace_ms), "10s", 0, 600 * SECOND, NULL,
	 "How long running sessions may go on after SIGTERM, while new ones get 503; then they are "
	 "ended. A second SIGTERM ends the server at once."},

	{"store.path", OPTION_STRING, AT(store.path), "/var/lib/confab/users.db", 0, 0, NULL,
	 "The SQLite file with the users and with what is kept over a restart; made and filled by "
	 "confabctl (in IMS mode by the server, where it can)."},
	{"run.user", OPTION_STRING, AT(run.user), "", 0, 0, NULL,
	 "Started as root, the server becomes this user once its sockets and files are open. Files "
	 "that it opens later (the users, the key on SIGHUP) must be his. Where it is not set, a "
	 "server started as root stays root, and warns of it; run.user = root: without a warning."},
	{"log.level", OPTION_ENUM, AT(log.level), "info", 0, 0, level_words,
	 "The least important lines that are still written."},
	{"log.file", OPTION_STRING, AT(log.file), "", 0, 0, NULL,
	 "The log is appended to this file; where it is not set it goes to standard error."},
	{"trace.file", OPTION_STRING, AT(trace.file), "", 0, 0, NULL,
	 "Every SIP and MSRP message sent and received is written to this file, with its time and "
	 "addresses. It is made for its owner alone; keep it so, passwords could be guessed with "
	 "it."},
	{"trace.bodies", OPTION_BOOL, AT(trace.bodies), "no", 0, 0, NULL,
	 "Whether what people write stands in the trace, too; otherwise only how long it was."},
};
/* clang-format on */

const struct option_table config_server_table = {
	.program = "confabd",
	.file = "confabd.conf",
	.specs = specs,
	.n = sizeof(specs) / sizeof(*specs),
};

_Static_assert(sizeof(specs) / sizeof(*specs) <= OPTIONS_MAX, "config_lines has no room for them");

int config_server_init(struct server_config *config)
{
	return option_defaults(&config_server_table, config, sizeof(*config));
}

static unsigned line_of(const struct config_lines *lines, const char *key)
{
	return config_line_of(&config_server_table, lines, key);
}

/* A host name or IP address as RFC 3261 §25.1 has it, or the user part of a URI in the same
 * harmless alphabet: nothing that would need escaping. */
static bool is_plain(const char *text, const char *alphabet)
{
	return text[0] && strspn(text, alphabet) == strlen(text);
}

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* In lower case, as the store has it. */
static void default_realm(struct server_config *c)
{
	memcpy(c->auth.realm, c->sip.domain.item[0], sizeof(c->auth.realm));
	for (char *p = c->auth.realm; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p | 0x20);
}

int config_server_route(const char *item, struct view *domain, struct addr *peer, bool *tls)
{
	struct view rest = view_str(item), name = view_trim(view_cut(&rest, '='));
	bool by_tls;

	rest = view_trim(rest);
	by_tls = view_starts_nocase(rest, VIEW("tls:"));
	rest = view_trim(view_from(rest, by_tls ? 4 : 0));
	if (!name.n || addr_parse_hostport(rest, by_tls ? 5061 : 5060, peer))
		return E_SYNTAX;
	*domain = name;
	*tls = by_tls;
	return 0;
}

static void check_names(struct server_config *c, const struct config_lines *lines,
			struct config_mistakes *mistakes)
{
	if (c->sip.domain.n == 0)
		config_mistake(mistakes, line_of(lines, "sip.domain"), "sip.domain",
			       "at least one domain is needed");
	for (size_t i = 0; i < c->sip.domain.n; i++)
		if (!is_plain(c->sip.domain.item[i], ALNUM "-.[]:"))
			config_mistake(mistakes, line_of(lines, "sip.domain"), "sip.domain",
				       "%.64s is not a domain", c->sip.domain.item[i]);
	if (!is_plain(c->conference.factory, ALNUM "-_.~!"))
		config_mistake(mistakes, line_of(lines, "conference.factory"), "conference.factory",
			       "is not a plain user part of a URI");
	if (!is_plain(c->im.feature_tag_name, ALNUM "+-._") || c->im.feature_tag_name[0] != '+')
		config_mistake(mistakes, line_of(lines, "im.feature_tag_name"),
			       "im.feature_tag_name", "is not a feature tag: it begins with +");
	if (strpbrk(c->auth.realm, "\"\\"))
		config_mistake(mistakes, line_of(lines, "auth.realm"), "auth.realm",
			       "must not contain a quote or a backslash");
	if (!c->auth.realm[0] && c->sip.domain.n)
		default_realm(c);
	if (c->auth.required && !c->store.path[0])
		config_mistake(mistakes, line_of(lines, "store.path"), "store.path",
			       "is needed where auth.required is yes");
}

static void check_addresses(const struct server_config *c, const struct config_lines *lines,
			    struct config_mistakes *mistakes)
{
	bool any = c->msrp.listen.family && addr_is_any(&c->msrp.listen);

	if (c->sip.listen.n == 0)
		config_mistake(mistakes, line_of(lines, "sip.listen"), "sip.listen",
			       "at least one address is needed");
	if (c->msrp.listen.family == 0)
		config_mistake(mistakes, line_of(lines, "msrp.listen"), "msrp.listen",
			       "an address is needed");
	for (size_t i = 0; i < c->sip.listen.n; i++) {
		const struct option_listen *a = &c->sip.listen.item[i];

		any = any || addr_is_any(&a->addr);
		for (size_t j = 0; j < i; j++) {
			const struct option_listen *b = &c->sip.listen.item[j];

			if (a->transport == b->transport && addr_eq(&a->addr, &b->addr) &&
			    a->addr.port)
				config_mistake(mistakes, line_of(lines, "sip.listen"), "sip.listen",
					       "item %zu is the same as item %zu", i + 1, j + 1);
		}
	}
	if (any && c->sip.advertise.family == 0)
		config_mistake(mistakes, line_of(lines, "sip.advertise"), "sip.advertise",
			       "is needed where sip.listen or msrp.listen is every address");
	if (c->sip.advertise.family && addr_is_any(&c->sip.advertise))
		config_mistake(mistakes, line_of(lines, "sip.advertise"), "sip.advertise",
			       "must be an address that others can reach");
}

/* A connection is found again by its address, and certified for one domain. */
static bool is_taken(const struct server_config *c, size_t last, const struct addr *peer)
{
	struct view domain;
	struct addr other;
	bool tls;

	for (size_t i = 0; i < last; i++)
		if (!config_server_route(c->sip.routes.item[i], &domain, &other, &tls) && tls &&
		    addr_eq(&other, peer))
			return true;
	return false;
}

static void check_routes(const struct server_config *c, const struct config_lines *lines,
			 struct config_mistakes *mistakes)
{
	for (size_t i = 0; i < c->sip.service_route.n; i++) {
		const char *uri = c->sip.service_route.item[i];

		if ((strncmp(uri, "sip:", 4) != 0 && strncmp(uri, "sips:", 5) != 0) ||
		    strpbrk(uri, "<>\", \t\r\n"))
			config_mistake(mistakes, line_of(lines, "sip.service_route"),
				       "sip.service_route", "%.64s is not a SIP URI", uri);
	}
}

static void check_tls(const struct server_config *c, const struct config_lines *lines,
		      struct config_mistakes *mistakes)
{
	bool needed = c->msrp.tls;

	for (size_t i = 0; i < c->sip.listen.n; i++)
		needed = needed || c->sip.listen.item[i].transport == OPTION_TLS;
	if (needed && !c->tls.certificate[0])
		config_mistake(mistakes, line_of(lines, "tls.certificate"), "tls.certificate",
			       "is needed where sip.listen has tls: or msrp.tls is yes");
	if (c->participating.msrp_tls == SERVER_TLS_REQUIRED && !c->msrp.tls)
		config_mistake(mistakes, line_of(lines, "participating.msrp_tls"),
			       "participating.msrp_tls", "= required needs msrp.tls = yes");
	if (c->conference.msrp_tls == SERVER_CONFERENCE_TLS_REQUIRED && !c->msrp.tls)
		config_mistake(mistakes, line_of(lines, "conference.msrp_tls"),
			       "conference.msrp_tls", "= required needs msrp.tls = yes");
	if (c->sip.trusted_names.n && !c->tls.certificate[0])
		config_mistake(mistakes, line_of(lines, "sip.trusted_names"), "sip.trusted_names",
			       "are proven by TLS: tls.certificate is needed");
	if (c->sip.trusted_names.n && c->tls.verify_clients == SERVER_CLIENTS_NO)
		config_mistake(mistakes, line_of(lines, "sip.trusted_names"), "sip.trusted_names",
			       "is of no use with tls.verify_clients = no");
	if (c->tls.key[0] && !c->tls.certificate[0])
		config_mistake(mistakes, line_of(lines, "tls.key"), "tls.key",
			       "is of no use without tls.certificate");
	if (c->msrp.tls && c->msrp.tls_port && c->msrp.port &&
	    c->msrp.tls_port < c->msrp.port + c->msrp.threads &&
	    c->msrp.port < c->msrp.tls_port + c->msrp.threads)
		config_mistake(mistakes, line_of(lines, "msrp.tls_port"), "msrp.tls_port",
			       "the ports of %u threads overlap those from msrp.port on",
			       c->msrp.threads);
	if (c->msrp.tls && c->msrp.tls_port && c->msrp.tls_port + c->msrp.threads - 1 > 65535)
		config_mistake(mistakes, line_of(lines, "msrp.tls_port"), "msrp.tls_port",
			       "leaves no room for %u threads below 65536", c->msrp.threads);
}

static void check_numbers(const struct server_config *c, const struct config_lines *lines,
			  struct config_mistakes *mistakes)
{
	if (c->registrar.min_expires_ms > c->registrar.default_expires_ms)
		config_mistake(mistakes, line_of(lines, "registrar.min_expires"),
			       "registrar.min_expires", "is above registrar.default_expires");
	if (c->registrar.default_expires_ms > c->registrar.max_expires_ms)
		config_mistake(mistakes, line_of(lines, "registrar.default_expires"),
			       "registrar.default_expires", "is above registrar.max_expires");
	if (c->msrp.port && c->msrp.port + c->msrp.threads - 1 > 65535)
		config_mistake(mistakes, line_of(lines, "msrp.port"), "msrp.port",
			       "leaves no room for %u threads below 65536", c->msrp.threads);
	if (c->auth.required && c->auth.algorithms == 0)
		config_mistake(mistakes, line_of(lines, "auth.algorithms"), "auth.algorithms",
			       "at least one is needed");
	for (size_t i = 0; i < c->sip.routes.n; i++) {
		struct view domain;
		struct addr peer;
		bool tls = false;

		if (config_server_route(c->sip.routes.item[i], &domain, &peer, &tls))
			config_mistake(mistakes, line_of(lines, "sip.routes"), "sip.routes",
				       "%.64s is not of the form domain=address:port",
				       c->sip.routes.item[i]);
		else if (tls && !c->tls.certificate[0])
			config_mistake(mistakes, line_of(lines, "sip.routes"), "sip.routes",
				       "%.64s needs tls.certificate", c->sip.routes.item[i]);
		else if (tls && is_taken(c, i, &peer))
			config_mistake(mistakes, line_of(lines, "sip.routes"), "sip.routes",
				       "%.64s: another domain is at this address by TLS",
				       c->sip.routes.item[i]);
	}
}

static void check_ims(const struct server_config *c, const struct config_lines *lines,
		      struct config_mistakes *mistakes)
{
	const char *route = c->ims.route;

	if (!c->ims.mode)
		return;
	if (c->sip.trusted.n == 0 && c->sip.trusted_names.n == 0)
		config_mistake(mistakes, line_of(lines, "ims.mode"), "ims.mode",
			       "needs the addresses of the core in sip.trusted");
	if (strncmp(route, "sip:", 4) || !is_plain(route + 4, ALNUM "-_.~!@:[];=+%"))
		config_mistake(mistakes, line_of(lines, "ims.route"), "ims.route",
			       "must be a SIP URI without brackets (IMS mode needs it)");
	if (c->ims.ioi[0] && !is_plain(c->ims.ioi, ALNUM "-_.~!"))
		config_mistake(mistakes, line_of(lines, "ims.ioi"), "ims.ioi",
			       "must be a plain name, like that of a network");
	if (!is_plain(c->ims.orig_user, ALNUM "-_.~!") ||
	    !is_plain(c->ims.term_user, ALNUM "-_.~!") ||
	    !strcmp(c->ims.orig_user, c->ims.term_user))
		config_mistake(mistakes, line_of(lines, "ims.orig_user"), "ims.orig_user",
			       "and ims.term_user must be two different plain user parts");
}

int config_server_check(struct server_config *config, const struct config_lines *lines,
			struct config_mistakes *mistakes)
{
	size_t before = mistakes->total;

	check_names(config, lines, mistakes);
	check_addresses(config, lines, mistakes);
	check_tls(config, lines, mistakes);
	check_routes(config, lines, mistakes);
	check_numbers(config, lines, mistakes);
	check_ims(config, lines, mistakes);
	return mistakes->total == before ? 0 : E_SYNTAX;
}

int config_server_load(const char *path, const char *const *settings, size_t n,
		       struct server_config *config, struct config_mistakes *mistakes)
{
	struct config_lines lines = {0};
	int rc = config_server_init(config), more;

	mistakes->n = mistakes->total = 0;
	if (rc) {
		config_mistake(mistakes, 0, "", "the defaults do not parse");
		return rc;
	}
	if (path)
		rc = config_file_read(&config_server_table, path, config, &lines, mistakes);
	for (size_t i = 0; i < n; i++) {
		more = config_setting_read(&config_server_table, view_str(settings[i]), config,
					   mistakes);
		rc = rc ? rc : more;
	}
	/* A file that could not be read has said nothing that could be checked. */
	if (rc && rc != E_SYNTAX)
		return rc;
	more = config_server_check(config, &lines, mistakes);
	return rc ? rc : more;
}

void config_server_help(struct buf *out)
{
	option_help(&config_server_table, out);
}

void config_server_man(struct buf *out)
{
	option_man(&config_server_table, out);
}
