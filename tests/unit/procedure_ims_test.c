/* IMS mode, the parts of messages: RFC 5502, RFC 7315, RFC 3325. */
#include "procedure/ims.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard_page.h"

#define HEAD                                                                                       \
	"INVITE sip:bo@example.com SIP/2.0\r\n"                                                    \
	"Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n"                                           \
	"From: <sip:ann@example.com>;tag=1\r\nTo: <sip:bo@example.com>\r\n"                        \
	"Call-ID: 1\r\nCSeq: 1 INVITE\r\n"

static struct sip_msg parsed(const char *text)
{
	size_t n = strlen(text);
	struct sip_msg m;

	assert_int_equal(sip_msg_parse(view_of(guard_copy(text, n), n), &m), 0);
	return m;
}

static void check_user(const char *value, int rc, enum ims_side side, enum ims_regstate regstate)
{
	char text[1024];
	struct ims_served_user u = {.uri = VIEW("untouched")};
	struct sip_msg m;

	(void)snprintf(text, sizeof(text), HEAD "%s\r\n", value);
	m = parsed(text);
	assert_int_equal(ims_served_user_read(&m, &u), rc);
	if (rc) {
		assert_true(view_eq(u.uri, VIEW("untouched")));
		return;
	}
	assert_true(view_eq(u.uri, VIEW("sip:ann@example.com")));
	assert_int_equal(u.side, side);
	assert_int_equal(u.regstate, regstate);
}

static void test_PF_X_2__served_user(void **state)
{
	(void)state;
	check_user("P-Served-User: <sip:ann@example.com>; sescase=orig; regstate=reg\r\n", 0,
		   IMS_SIDE_ORIG, IMS_REGISTERED);
	check_user("p-served-user: \"A\" <sip:ann@example.com>;regstate=UNREG;sescase=Term\r\n", 0,
		   IMS_SIDE_TERM, IMS_UNREGISTERED);
	check_user("P-Served-User: <sip:ann@example.com>\r\n", 0, IMS_SIDE_NONE,
		   IMS_REGSTATE_UNKNOWN);
	check_user("P-Served-User: <sip:ann@example.com>;sescase=other;regstate=other\r\n", 0,
		   IMS_SIDE_NONE, IMS_REGSTATE_UNKNOWN);
	check_user("P-Served-User: <sip:ann@exam\r\n", E_SYNTAX, 0, 0);
	check_user("P-Served-User: *\r\n", E_SYNTAX, 0, 0);
	check_user("Subject: none\r\n", E_MISSING, 0, 0);
}

static enum ims_side side_of(const char *uri)
{
	struct sip_uri u;

	assert_int_equal(sip_uri_parse(view_str(uri), &u), 0);
	return ims_side_of_route(&u, VIEW("orig"), VIEW("term"));
}

static void test_PF_X_2__side_of_the_own_route(void **state)
{
	(void)state;
	assert_int_equal(side_of("sip:orig@as.example.com;lr"), IMS_SIDE_ORIG);
	assert_int_equal(side_of("sip:term@as.example.com;lr"), IMS_SIDE_TERM);
	assert_int_equal(side_of("sip:as.example.com;lr;orig"), IMS_SIDE_ORIG);
	assert_int_equal(side_of("sip:term@as.example.com;lr;orig"), IMS_SIDE_TERM);
	assert_int_equal(side_of("sip:as.example.com;lr"), IMS_SIDE_NONE);
	assert_int_equal(side_of("sip:ORIG@as.example.com;lr"), IMS_SIDE_NONE);
}

static void test_PF_X_2__fields_of_the_trust_domain(void **state)
{
	static const char text[] = HEAD "P-Charging-Vector: icid-value=1\r\n"
					"p-charging-function-addresses: ccf=192.0.2.9\r\n"
					"P-Access-Network-Info: IEEE-802.11\r\n"
					"P-Served-User: <sip:ann@example.com>\r\n"
					"P-Visited-Network-ID: other\r\n"
					"P-Asserted-Service: urn:urn-7:3gpp-service.x\r\n"
					"P-Asserted-Identity: <sip:ann@example.com>\r\n"
					"P-Preferred-Identity: <sip:ann@example.com>\r\n"
					"P-Called-Party-ID: <sip:bo@example.com>\r\n"
					"P-x: 1\r\nX: 1\r\n\r\n";
	struct sip_msg m = parsed(text);
	int inside = 0;

	(void)state;
	for (int i = 0; i < m.n_fields; i++) {
		if (ims_is_trust_field(&m, i)) {
			inside++;
			assert_in_range(i, 5, 10);
		}
	}
	assert_int_equal(inside, 6);
}

static void fill(void *ctx, void *dst, size_t n)
{
	memset(dst, ++*(unsigned char *)ctx, n);
}

static void test_PF_X_2__a_charging_vector_of_its_own(void **state)
{
	unsigned char seed = 0;
	struct entropy e = {fill, &seed};
	struct buf a, b;

	(void)state;
	buf_init(&a, 1024);
	buf_init(&b, 1024);
	ims_write_charging_vector(&a, &e, VIEW("192.0.2.3"), VIEW(""));
	ims_write_charging_vector(&b, &e, VIEW("192.0.2.3"), VIEW("home.net"));
	assert_true(buf_ok(&a) && buf_ok(&b));
	assert_true(view_starts(buf_view(&a), VIEW("P-Charging-Vector: icid-value=\"")));
	assert_true(view_ends(buf_view(&a), VIEW("\";icid-generated-at=192.0.2.3\r\n")));
	assert_true(view_ends(buf_view(&b),
			      VIEW("\";icid-generated-at=192.0.2.3;orig-ioi=\"home.net\"\r\n")));
	assert_false(view_eq(view_first(buf_view(&a), 50), view_first(buf_view(&b), 50)));
	buf_fini(&a);
	buf_fini(&b);
}

/* What one of the writers makes of a request with this vector. */
static void check_vector(void (*write)(struct buf *, const struct sip_msg *, struct view),
			 const char *line, const char *ioi, const char *want)
{
	char text[1024];
	struct sip_msg m;
	struct buf b;

	(void)snprintf(text, sizeof(text), HEAD "%s\r\n", line);
	m = parsed(text);
	buf_init(&b, 4096);
	write(&b, &m, view_str(ioi));
	buf_putc(&b, '\0');
	assert_true(buf_ok(&b));
	assert_string_equal(b.p, want);
	buf_fini(&b);
}

static void test_PF_X_2__the_charging_vector_of_an_answer(void **state)
{
	(void)state;
	check_vector(ims_write_charging_answer,
		     "P-Charging-Vector: icid-value=\"a;b\"; icid-generated-at=192.0.2.2; "
		     "orig-ioi=home1.net;term-ioi=old;transit-ioi=\"x.1\"\r\n",
		     "home2.net",
		     "P-Charging-Vector: icid-value=\"a;b\";icid-generated-at=192.0.2.2;"
		     "orig-ioi=home1.net;term-ioi=\"home2.net\"\r\n");
	check_vector(ims_write_charging_answer, "P-Charging-Vector: icid-value=1\r\n", "",
		     "P-Charging-Vector: icid-value=1\r\n");
	check_vector(ims_write_charging_answer, "P-Charging-Vector: orig-ioi=x\r\n", "y", "");
	check_vector(ims_write_charging_answer, "P-Charging-Vector: icid-value\r\n", "y", "");
	check_vector(ims_write_charging_answer, "", "y", "");
}

static void test_PF_X_2__the_charging_vector_inside_a_session(void **state)
{
	(void)state;
	check_vector(
		ims_write_charging_inside,
		"P-Charging-Vector: icid-value=1;icid-generated-at=[2001:db8::1];orig-ioi=x\r\n",
		"y",
		"P-Charging-Vector: icid-value=1;icid-generated-at=[2001:db8::1];"
		"orig-ioi=\"y\"\r\n");
	check_vector(ims_write_charging_inside, "", "y", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_PF_X_2__served_user),
		cmocka_unit_test(test_PF_X_2__side_of_the_own_route),
		cmocka_unit_test(test_PF_X_2__fields_of_the_trust_domain),
		cmocka_unit_test(test_PF_X_2__a_charging_vector_of_its_own),
		cmocka_unit_test(test_PF_X_2__the_charging_vector_of_an_answer),
		cmocka_unit_test(test_PF_X_2__the_charging_vector_inside_a_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
