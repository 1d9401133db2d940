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
static const char *const end_words[] = {[SERVER_END_LAST] = "last",
					[SERVER_END_BELOW_TWO] = "below-two",
					[SERVER_END_CREATOR] = "creator",
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
	{"sip.max_transactions", OPTION_U32, AT(sip.max_transactions), "100000", 100, 10000000,
	 NULL, "SIP transactions at a time; above it new requests get 503."},
	{"sip.max_connections", OPTION_U32, AT(sip.max_connections), "10000", 1, 1000000, NULL,
	 "SIP connections over TCP at a time."},

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
	 algorithm_words, "Digest algorithms offered, the strongest first (RFC 7616, RFC 8760)."},

	{"registrar.min_expires", OPTION_DURATION, AT(registrar.min_expires_ms), "60s", SECOND, DAY,
	 NULL, "A registration for less than this gets 423 (RFC 3261 section 10.3)."},
	{"registrar.max_expires", OPTION_DURATION, AT(registrar.max_expires_ms), "2h", SECOND,
	 7 * DAY, NULL, "A registration for more than this is cut to it."},
	{"registrar.default_expires", OPTION_DURATION, AT(registrar.default_expires_ms), "1h",
	 SECOND, 7 * DAY, NULL, "The lifetime of a registration that asks for none."},
	{"registrar.max_contacts", OPTION_U32, AT(registrar.max_contacts), "10", 1, 100, NULL,
	 "Contacts of one user at a time; one more gets 403."},

	{"im.feature_tag", OPTION_ENUM, AT(im.feature_tag), "require", 0, 0, im_words,
	 "What a request without the IM feature tag in Accept-Contact gets: require answers 403, "
	 "assume serves it as if it had the tag. A user can have another setting (confabctl)."},
	{"im.feature_tag_name", OPTION_STRING, AT(im.feature_tag_name), "+g.oma.sip-im", 0, 0, NULL,
	 "The spelling of the tag that is sent. On receipt all known spellings are equal."},

	{"participating.mode", OPTION_ENUM, AT(participating.mode), "proxy", 0, 0, mode_words,
	 "proxy: 1-1 sessions run straight between the two. b2bua (in the media path) is not built "
	 "yet."},

	{"conference.factory", OPTION_STRING, AT(conference.factory), "conference-factory", 0, 0,
	 NULL, "User part of the conference factory's URI; its host is the first domain."},
	{"conference.max_members", OPTION_U32, AT(conference.max_members), "50", 2, 10000, NULL,
	 "Participants of one conference, those being invited among them."},
	{"conference.max", OPTION_U32, AT(conference.max), "10000", 1, 1000000, NULL,
	 "Conferences at a time; one more gets 503."},
	{"conference.invite_timeout_ms", OPTION_DURATION, AT(conference.invite_timeout_ms), "20000",
	 SECOND, 600 * SECOND, NULL,
	 "How long the others wait for the answer of the one whose running chat is being "
	 "replaced."},
	{"conference.end_policy", OPTION_ENUM, AT(conference.end_policy), "last", 0, 0, end_words,
	 "When a conference ends: as its last participant leaves, when fewer than two are left, or "
	 "as its "
	 "creator leaves."},
	{"conference.replaces_fallback", OPTION_BOOL, AT(conference.replaces_fallback), "yes", 0, 0,
	 NULL, "Whether one whose client knows no Replaces (420) is invited once more without it."},

	{"msrp.listen", OPTION_IP, AT(msrp.listen), "127.0.0.1", 0, 0, NULL,
	 "The address on which the MSRP switch listens."},
	{"msrp.port", OPTION_U32, AT(msrp.port), "2855", 0, 65535, NULL,
	 "The port of the first switch thread; thread i listens on this plus i. 0: the kernel "
	 "chooses."},
	{"msrp.threads", OPTION_U32, AT(msrp.threads), "2", 1, 64, NULL,
	 "Switch threads; a conference lives on one of them."},
	{"msrp.max_message", OPTION_SIZE, AT(msrp.max_message), "100M", KIB, 64ull * KIB *MIB, NULL,
	 "A message that is larger gets 413. Messages are streamed, never gathered whole."},
	{"msrp.seat_backlog", OPTION_SIZE, AT(msrp.seat_backlog), "1M", 16 * KIB, KIB *MIB, NULL,
	 "Bytes that may wait for a slow participant; above it messages to that one are aborted."},
	{"msrp.rebind_grace_ms", OPTION_DURATION, AT(msrp.rebind_grace_ms), "10000", 0,
	 600 * SECOND, NULL,
	 "How long a seat waits for its client to connect, or to connect anew after a broken "
	 "connection."},
	{"msrp.chunk_whole_max", OPTION_SIZE, AT(msrp.chunk_whole_max), "64K", 2 * KIB, 16 * MIB,
	 NULL,
	 "A chunk up to this size is passed on whole; a larger one may be interrupted when "
	 "something else "
	 "waits (RFC 4975 section 5.1)."},
	{"msrp.max_connections", OPTION_U32, AT(msrp.max_connections), "10000", 1, 1000000, NULL,
	 "MSRP connections of one thread at a time."},

	{"store.path", OPTION_STRING, AT(store.path), "/var/lib/confab/users.db", 0, 0, NULL,
	 "The SQLite file with the users; made and filled by confabctl."},
	{"log.level", OPTION_ENUM, AT(log.level), "info", 0, 0, level_words,
	 "The least important lines that are still written."},
	{"log.file", OPTION_STRING, AT(log.file), "", 0, 0, NULL,
	 "The log is appended to this file; where it is not set it goes to standard error."},
	{"trace.file", OPTION_STRING, AT(trace.file), "", 0, 0, NULL,
	 "Every SIP and MSRP message sent and received is written to this file, with its time and "
	 "addresses. It holds what people write: keep it safe."},
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
	if (c->participating.mode == SERVER_B2BUA)
		config_mistake(mistakes, line_of(lines, "participating.mode"), "participating.mode",
			       "b2bua is not built yet");
}

int config_server_check(struct server_config *config, const struct config_lines *lines,
			struct config_mistakes *mistakes)
{
	size_t before = mistakes->total;

	check_names(config, lines, mistakes);
	check_addresses(config, lines, mistakes);
	check_numbers(config, lines, mistakes);
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
