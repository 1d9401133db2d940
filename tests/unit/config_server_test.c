#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/log.h"
#include "config/server.h"

static struct server_config config;
static struct config_mistakes mistakes;

/* Loads a file with that text. */
static int load(const char *text)
{
	char path[] = "/tmp/confab-server-XXXXXX";
	int fd = mkstemp(path), rc;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	rc = config_server_load(path, NULL, 0, &config, &mistakes);
	assert_int_equal(unlink(path), 0);
	return rc;
}

static void test_the_defaults_are_a_good_configuration(void **state)
{
	(void)state;
	assert_int_equal(config_server_load(NULL, NULL, 0, &config, &mistakes), 0);
	assert_int_equal(mistakes.total, 0);
	assert_int_equal(config.sip.listen.n, 2);
	assert_int_equal(config.sip.listen.item[1].transport, OPTION_TCP);
	assert_int_equal(config.sip.listen.item[1].addr.port, 5060);
	assert_string_equal(config.sip.domain.item[0], "example.com");
	assert_true(config.auth.required);
	assert_string_equal(config.auth.realm, "example.com");
	assert_int_equal(config.auth.algorithms, SERVER_AUTH_SHA256 | SERVER_AUTH_MD5);
	assert_int_equal(config.registrar.default_expires_ms, 3600000);
	assert_int_equal(config.participating.mode, SERVER_PROXY);
	assert_string_equal(config.conference.factory, "conference-factory");
	assert_int_equal(config.conference.max_members, 50);
	assert_int_equal(config.conference.max, 10000);
	assert_int_equal(config.conference.invite_timeout_ms, 20000);
	assert_int_equal(config.conference.session_expires_ms, 1800000);
	assert_int_equal(config.conference.end_policy, SERVER_END_LAST);
	assert_true(config.conference.replaces_fallback);
	assert_int_equal(config.msrp.port, 2855);
	assert_int_equal(config.msrp.threads, 2);
	assert_int_equal(config.msrp.seat_backlog, 2097152);
	assert_int_equal(config.log.level, LOG_INFO);
}

static void test_R_1__the_published_tag_is_sent_unless_another_is_named(void **state)
{
	(void)state;
	assert_int_equal(load(""), 0);
	assert_string_equal(config.im.feature_tag_name, "+g.oma.sip-im");
	assert_int_equal(load("im.feature_tag_name = +g.oma.im.simple"), 0);
	assert_string_equal(config.im.feature_tag_name, "+g.oma.im.simple");
	assert_int_equal(load("im.feature_tag_name = a b"), E_SYNTAX);
}

static void test_R_12__require_unless_assume_is_said(void **state)
{
	(void)state;
	assert_int_equal(load(""), 0);
	assert_int_equal(config.im.feature_tag, SERVER_IM_REQUIRE);
	assert_int_equal(load("im.feature_tag = assume"), 0);
	assert_int_equal(config.im.feature_tag, SERVER_IM_ASSUME);
	assert_int_equal(load("im.feature_tag = maybe"), E_SYNTAX);
	assert_string_equal(mistakes.text[0],
			    "line 1: im.feature_tag: maybe is none of require, assume");
}

/* One mistake, as it is told. */
static void expect(const char *text, const char *mistake)
{
	assert_int_equal(load(text), E_SYNTAX);
	assert_string_equal(mistakes.text[0], mistake);
	assert_int_equal(mistakes.total, 1);
}

static void test_each_contradiction_is_named(void **state)
{
	(void)state;
	expect("sip.domain =", "line 1: sip.domain: at least one domain is needed");
	expect("sip.domain = a b", "line 1: sip.domain: a b is not a domain");
	expect("sip.listen =", "line 1: sip.listen: at least one address is needed");
	expect("\nsip.listen = udp:127.0.0.1:5060, udp:127.0.0.1",
	       "line 2: sip.listen: item 2 is the same as item 1");
	expect("sip.listen = udp:0.0.0.0",
	       "sip.advertise: is needed where sip.listen or msrp.listen is every address");
	expect("sip.advertise = ::",
	       "line 1: sip.advertise: must be an address that others can reach");
	expect("msrp.listen =", "line 1: msrp.listen: an address is needed");
	expect("msrp.port = 65535", "line 1: msrp.port: leaves no room for 2 threads below 65536");
	expect("registrar.min_expires = 2h",
	       "line 1: registrar.min_expires: is above registrar.default_expires");
	expect("registrar.max_expires = 10m",
	       "registrar.default_expires: is above registrar.max_expires");
	expect("auth.algorithms =", "line 1: auth.algorithms: at least one is needed");
	expect("auth.realm = 'a\\b'",
	       "line 1: auth.realm: must not contain a quote or a backslash");
	expect("store.path =", "line 1: store.path: is needed where auth.required is yes");
	expect("conference.factory = a@b",
	       "line 1: conference.factory: is not a plain user part of a URI");
	expect("sip.routes = second.example",
	       "line 1: sip.routes: second.example is not of the form domain=address:port");
	expect("sip.routes = =127.0.0.1:5060",
	       "line 1: sip.routes: =127.0.0.1:5060 is not of the form domain=address:port");
	expect("msrp.threads = 99", "line 1: msrp.threads: 99 is out of range 1..64");
}

static void test_SW_4__tls_that_is_required_must_be_there(void **state)
{
	(void)state;
	assert_int_equal(load("participating.msrp_tls = either\n"), 0);
	assert_int_equal(config.participating.msrp_tls, SERVER_TLS_EITHER);
	expect("participating.msrp_tls = required\n",
	       "line 1: participating.msrp_tls: = required needs msrp.tls = yes");
}

static void test_SW_4__peers_by_tls(void **state)
{
	struct view domain;
	struct addr peer;
	bool tls;

	(void)state;
	assert_int_equal(config_server_route("a.example=tls:192.0.2.1", &domain, &peer, &tls), 0);
	assert_true(tls && peer.port == 5061 && view_eq(domain, VIEW("a.example")));
	assert_int_equal(config_server_route("b.example=192.0.2.1", &domain, &peer, &tls), 0);
	assert_true(!tls && peer.port == 5060);
	expect("sip.routes = a.example=tls:192.0.2.1",
	       "line 1: sip.routes: a.example=tls:192.0.2.1 needs tls.certificate");
	expect("tls.certificate = x\nsip.routes = a.example=tls:192.0.2.1, b.example=tls:192.0.2.1",
	       "line 2: sip.routes: b.example=tls:192.0.2.1: another domain is at this address by "
	       "TLS");
	expect("tls.certificate = x\ntls.verify_clients = no\nsip.trusted_names = a.example",
	       "line 3: sip.trusted_names: is of no use with tls.verify_clients = no");
}

#define IMS "ims.mode = on\n"

static void test_PF_X_2__ims_mode_needs_a_core(void **state)
{
	(void)state;
	assert_int_equal(load(""), 0);
	assert_false(config.ims.mode);
	assert_int_equal(load(IMS "sip.trusted = 192.0.2.2\n"
				  "ims.route = sip:focus@192.0.2.2:5060;transport=tcp;lr;orig"),
			 0);
	assert_true(config.ims.mode);
	assert_string_equal(config.ims.orig_user, "orig");
	assert_string_equal(config.ims.term_user, "term");
	expect(IMS "ims.route = sip:192.0.2.2;lr",
	       "line 1: ims.mode: needs the addresses of the core in sip.trusted");
	expect(IMS "sip.trusted = 192.0.2.2\nims.route = sip:192.0.2.2;lr\nims.ioi = 'a b'",
	       "line 4: ims.ioi: must be a plain name, like that of a network");
	expect("sip.trusted_names = scscf.example.com",
	       "line 1: sip.trusted_names: are proven by TLS: tls.certificate is needed");
	assert_int_equal(load(IMS "sip.trusted_names = scscf.example.com\n"
				  "tls.certificate = server.pem\nims.ioi = home.net\n"
				  "ims.route = sip:192.0.2.2;lr"),
			 0);
	assert_string_equal(config.ims.ioi, "home.net");
	expect(IMS "sip.trusted = 192.0.2.2\nims.route = <sip:192.0.2.2;lr>",
	       "line 3: ims.route: must be a SIP URI without brackets (IMS mode needs it)");
	expect(IMS "sip.trusted = 192.0.2.2",
	       "ims.route: must be a SIP URI without brackets (IMS mode needs it)");
	expect(IMS "sip.trusted = 192.0.2.2\nims.route = sip:192.0.2.2;lr\nims.orig_user = term",
	       "line 4: ims.orig_user: and ims.term_user must be two different plain user parts");
}

static void test_what_is_not_contradictory_passes(void **state)
{
	(void)state;
	assert_int_equal(load("sip.listen = udp:0.0.0.0:0, udp:0.0.0.0:0\nmsrp.port = 0\n"
			      "sip.advertise = 192.0.2.1\nmsrp.listen = ::\nauth.required = no\n"
			      "store.path =\nauth.algorithms =\nauth.realm = chat\n"),
			 0);
	assert_string_equal(config.auth.realm, "chat");
	assert_int_equal(load("sip.listen = udp:127.0.0.1:0, udp:127.0.0.1:0"), 0);
}

static void test_mistakes_of_file_settings_and_check_come_together(void **state)
{
	const char *const settings[] = {"msrp.thread=1", "log.level=debug"};

	(void)state;
	assert_int_equal(config_server_load("/nonexistent", settings, 2, &config, &mistakes), E_IO);
	assert_int_equal(mistakes.total, 2);
	assert_int_equal(config_server_load(NULL, settings, 2, &config, &mistakes), E_SYNTAX);
	assert_int_equal(mistakes.total, 1);
	assert_int_equal(config_server_load(NULL, settings + 1, 1, &config, &mistakes), 0);
	assert_int_equal(config.log.level, LOG_DEBUG);
}

static void test_the_help_is_itself_a_good_configuration(void **state)
{
	static struct server_config defaults;
	struct buf out;

	(void)state;
	assert_int_equal(config_server_load(NULL, NULL, 0, &defaults, &mistakes), 0);
	buf_init(&out, 262144);
	config_server_help(&out);
	buf_putc(&out, '\0');
	assert_true(buf_ok(&out));
	assert_int_equal(load(out.p), 0);
	assert_memory_equal(&config, &defaults, sizeof(config));
	buf_fini(&out);
}

static void test_every_option_is_documented_and_parses_its_default(void **state)
{
	(void)state;
	for (size_t i = 0; i < config_server_table.n; i++) {
		const struct option_spec *spec = &config_server_table.specs[i];

		assert_non_null(strchr(spec->key, '.'));
		assert_int_equal(spec->doc[strlen(spec->doc) - 1], '.');
		assert_ptr_equal(option_find(&config_server_table, view_str(spec->key)), spec);
	}
}

/* man/confabd.conf.5 is what "confabctl config man" prints. */
static void test_the_man_page_is_up_to_date(void **state)
{
	FILE *file = fopen(TEST_DATA "/../../man/confabd.conf.5", "r");
	static char page[262144];
	struct buf out;
	size_t n;

	(void)state;
	assert_non_null(file);
	n = fread(page, 1, sizeof(page), file);
	assert_int_equal(fclose(file), 0);
	buf_init(&out, sizeof(page));
	config_server_man(&out);
	assert_true(buf_ok(&out));
	assert_int_equal(n, out.n);
	assert_memory_equal(page, out.p, n);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_defaults_are_a_good_configuration),
		cmocka_unit_test(test_R_1__the_published_tag_is_sent_unless_another_is_named),
		cmocka_unit_test(test_R_12__require_unless_assume_is_said),
		cmocka_unit_test(test_each_contradiction_is_named),
		cmocka_unit_test(test_SW_4__tls_that_is_required_must_be_there),
		cmocka_unit_test(test_SW_4__peers_by_tls),
		cmocka_unit_test(test_PF_X_2__ims_mode_needs_a_core),
		cmocka_unit_test(test_what_is_not_contradictory_passes),
		cmocka_unit_test(test_mistakes_of_file_settings_and_check_come_together),
		cmocka_unit_test(test_the_help_is_itself_a_good_configuration),
		cmocka_unit_test(test_every_option_is_documented_and_parses_its_default),
		cmocka_unit_test(test_the_man_page_is_up_to_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
