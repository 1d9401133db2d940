#include "sip/domain_identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct cert_name named(enum cert_name_kind kind, const char *text)
{
	struct cert_name n = {.kind = kind, .text = view_str(text)};

	if (kind == CERT_NAME_IP)
		assert_int_equal(addr_parse(view_str(text), 0, &n.addr), 0);
	return n;
}

#define DNS(text) named(CERT_NAME_DNS, text)
#define URI(text) named(CERT_NAME_URI, text)
#define IP(text)  named(CERT_NAME_IP, text)
#define CN(text)  named(CERT_NAME_CN, text)

static bool matches(const char *domain, struct cert_name a, struct cert_name b)
{
	struct cert_name both[] = {a, b};

	return sip_domain_identity_matches(both, 2, view_str(domain));
}

static void test_SW_4__rfc_5922_uri_before_dns(void **state)
{
	(void)state;
	assert_true(matches("example.com", URI("sip:example.com"), CN("x")));
	assert_true(matches("EXAMPLE.com", URI("SIP:example.COM"), DNS("other.example")));
	/* Where there is a SIP URI, DNS names do not count. */
	assert_false(matches("example.com", URI("sip:example.net"), DNS("example.com")));
	/* A user's URI, a sips or http one are no domain identities, so DNS names do. */
	assert_false(matches("example.com", URI("sip:ann@example.com"), CN("x")));
	assert_true(matches("example.com", URI("sip:ann@example.org"), DNS("example.com")));
	assert_true(matches("example.com", URI("http://example.org/"), DNS("example.com")));
	assert_false(matches("example.com", URI("http://example.com/"), CN("example.com")));
	assert_false(matches("example.com", URI("not a uri"), CN("x")));
}

static void test_SW_4__rfc_5922_no_wildcards_and_no_suffixes(void **state)
{
	(void)state;
	assert_false(matches("sip.example.com", DNS("*.example.com"), CN("x")));
	assert_false(matches("*.example.com", DNS("sip.example.com"), CN("x")));
	assert_false(matches("sip.example.com", DNS("example.com"), CN("x")));
	assert_false(matches("example.com", DNS("sip.example.com"), CN("x")));
	assert_false(matches("example.com", DNS("example.comm"), CN("x")));
	assert_false(matches("", DNS(""), CN("")));
	assert_true(matches("example.com.", DNS("example.com"), CN("x")));
	assert_true(matches("example.com", DNS("example.com."), CN("x")));
}

static void test_SW_4__common_name_only_without_alternatives(void **state)
{
	struct cert_name cn = CN("example.com");

	(void)state;
	assert_true(sip_domain_identity_matches(&cn, 1, VIEW("example.com")));
	assert_false(matches("example.com", CN("example.com"), DNS("example.net")));
	assert_false(matches("example.com", CN("example.com"), IP("192.0.2.1")));
	assert_false(sip_domain_identity_matches(NULL, 0, VIEW("example.com")));
}

static void test_SW_4__addresses_match_addresses_alone(void **state)
{
	(void)state;
	assert_true(matches("192.0.2.1", IP("192.0.2.1"), CN("x")));
	assert_true(matches("[2001:db8::1]", IP("2001:db8::1"), CN("x")));
	assert_false(matches("192.0.2.1", IP("192.0.2.2"), DNS("192.0.2.1")));
	assert_false(matches("192.0.2.1", CN("192.0.2.1"), CN("192.0.2.1")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_SW_4__rfc_5922_uri_before_dns),
		cmocka_unit_test(test_SW_4__rfc_5922_no_wildcards_and_no_suffixes),
		cmocka_unit_test(test_SW_4__common_name_only_without_alternatives),
		cmocka_unit_test(test_SW_4__addresses_match_addresses_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
