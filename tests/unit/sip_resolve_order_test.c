#include "sip/resolve_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static uint64_t random_now;

static void fill(void *ctx, void *dst, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		random_now = random_now * 6364136223846793005u + 1442695040888963407u;
		((unsigned char *)dst)[i] = (unsigned char)(random_now >> 56);
	}
}

static const struct entropy entropy = {.fill = fill};

/* A zone: "NAME TYPE fields…" */
static const char *const zone[] = {
	"full.example NAPTR 20 10 s SIP+D2T _sip._tcp.full.example",
	"full.example NAPTR 10 50 s SIP+D2U _sip._udp.full.example",
	"full.example NAPTR 10 20 s SIPS+D2T _sips._tcp.full.example",
	"full.example NAPTR 1 1 s E2U+email nobody.example",
	"full.example NAPTR 1 1 u SIP+D2T nobody.example",
	"_sip._tcp.full.example SRV 0 0 5070 a.full.example",
	"_sip._udp.full.example SRV 5 0 5080 b.full.example",
	"_sip._udp.full.example SRV 1 0 5081 a.full.example",
	"_sips._tcp.full.example SRV 0 0 5091 a.full.example",
	"a.full.example A 192.0.2.1",
	"a.full.example A 2001:db8::1",
	"b.full.example A 192.0.2.2",
	"_sip._tcp.srv.example SRV 0 0 5062 h.srv.example",
	"h.srv.example A 192.0.2.3",
	"plain.example A 192.0.2.4",
	"_sip._tcp.none.example SRV 0 0 0 .",
	"none.example A 192.0.2.5",
	NULL,
};

static size_t answer_to(const char *name, enum dns_type type, struct dns_record *out)
{
	static const char *const word[] = {"NAPTR", "SRV", "A"};
	size_t n = 0;

	for (size_t i = 0; zone[i]; i++) {
		char owner[64], kind[16], text[4][64];
		unsigned a, b, port;
		struct dns_record *r = &out[n];

		assert_int_equal(sscanf(zone[i], "%63s %15s", owner, kind), 2);
		if (strcmp(owner, name) != 0 || strcmp(kind, word[type]) != 0)
			continue;
		*r = (struct dns_record){.type = type};
		if (type == DNS_NAPTR) {
			assert_int_equal(sscanf(zone[i], "%*s %*s %u %u %63s %63s %63s", &a, &b,
						text[0], text[1], text[2]),
					 5);
			r->order = (uint16_t)a;
			r->preference = (uint16_t)b;
			view_copy(view_str(text[0]), r->flags, sizeof(r->flags));
			view_copy(view_str(text[1]), r->service, sizeof(r->service));
			strcpy(r->name, text[2]);
		} else if (type == DNS_SRV) {
			assert_int_equal(
				sscanf(zone[i], "%*s %*s %u %u %u %63s", &a, &b, &port, text[0]),
				4);
			r->priority = (uint16_t)a;
			r->weight = (uint16_t)b;
			r->port = (uint16_t)port;
			strcpy(r->name, text[0]);
		} else {
			assert_int_equal(sscanf(zone[i], "%*s %*s %63s", text[0]), 1);
			assert_int_equal(addr_parse(view_str(text[0]), 0, &r->addr), 0);
		}
		n++;
	}
	return n;
}

static char found[1024];

/* "tcp 192.0.2.1:5070, udp …" */
static const char *resolve(const char *host, uint16_t port, int transport, bool sips,
			   unsigned allowed)
{
	static const char *const name[] = {"udp", "tcp", "tls"};
	struct sip_lookup_order order = {.host = view_str(host),
					 .port = port,
					 .has_transport = transport >= 0,
					 .transport = transport >= 0 ? (enum sip_transport)transport
								     : SIP_UDP,
					 .sips = sips,
					 .allowed = allowed,
					 .fallback = SIP_UDP};
	static struct sip_lookup l;
	struct dns_record r[DNS_RECORDS_MAX];
	const char *question;
	enum dns_type type;
	size_t n = 0;
	int rounds = 0;

	if (sip_lookup_begin(&l, &order, &entropy))
		return "refused";
	while ((question = sip_lookup_question(&l, &type))) {
		size_t k = answer_to(question, type, r);

		assert_true(++rounds < 100);
		sip_lookup_answer(&l, r, k);
	}
	found[0] = '\0';
	for (size_t i = 0; i < l.n_targets; i++) {
		char text[ADDR_TEXT_MAX];

		n += (size_t)snprintf(found + n, sizeof(found) - n, "%s%s %s", i ? ", " : "",
				      name[l.target[i].transport],
				      addr_text(&l.target[i].addr, text));
	}
	return found;
}

#define ALL 7u

static void test_rfc_3263_naptr_chooses_the_transport(void **state)
{
	(void)state;
	assert_string_equal(resolve("full.example", 0, -1, false, ALL),
			    "tls 192.0.2.1:5091, tls [2001:db8::1]:5091, udp 192.0.2.1:5081, "
			    "udp [2001:db8::1]:5081, udp 192.0.2.2:5080, tcp 192.0.2.1:5070, "
			    "tcp [2001:db8::1]:5070");
	assert_string_equal(resolve("full.example", 0, -1, false, SIP_MAY(SIP_TCP)),
			    "tcp 192.0.2.1:5070, tcp [2001:db8::1]:5070");
	assert_string_equal(resolve("full.example", 0, -1, true, ALL),
			    "tls 192.0.2.1:5091, tls [2001:db8::1]:5091");
}

static void test_rfc_3263_srv_where_there_is_no_naptr(void **state)
{
	(void)state;
	assert_string_equal(resolve("srv.example", 0, -1, false, ALL), "tcp 192.0.2.3:5062");
	assert_string_equal(resolve("srv.example", 0, SIP_TCP, false, ALL), "tcp 192.0.2.3:5062");
	assert_string_equal(resolve("full.example", 0, SIP_UDP, false, ALL),
			    "udp 192.0.2.1:5081, udp [2001:db8::1]:5081, udp 192.0.2.2:5080");
}

static void test_rfc_3263_addresses_where_there_is_no_srv(void **state)
{
	(void)state;
	assert_string_equal(resolve("plain.example", 0, -1, false, ALL), "udp 192.0.2.4:5060");
	assert_string_equal(resolve("plain.example", 0, SIP_TCP, false, ALL), "tcp 192.0.2.4:5060");
	assert_string_equal(resolve("plain.example", 0, SIP_TLS, false, ALL), "tls 192.0.2.4:5061");
	assert_string_equal(resolve("plain.example", 0, -1, true, ALL), "tls 192.0.2.4:5061");
	assert_string_equal(resolve("plain.example", 7000, -1, false, ALL), "udp 192.0.2.4:7000");
	assert_string_equal(resolve("unknown.example", 0, -1, false, ALL), "");
}

static void test_a_port_or_an_address_needs_no_srv(void **state)
{
	(void)state;
	assert_string_equal(resolve("a.full.example", 5070, SIP_TCP, false, ALL),
			    "tcp 192.0.2.1:5070, tcp [2001:db8::1]:5070");
	assert_string_equal(resolve("192.0.2.9", 0, -1, false, ALL), "udp 192.0.2.9:5060");
	assert_string_equal(resolve("[2001:db8::9]", 0, -1, true, ALL), "tls [2001:db8::9]:5061");
}

static void test_a_service_that_is_decidedly_not_there(void **state)
{
	(void)state;
	assert_string_equal(resolve("none.example", 0, SIP_TCP, false, ALL), "");
}

static void test_what_cannot_be_had_is_refused(void **state)
{
	char longest[300];

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_string_equal(resolve("", 0, -1, false, ALL), "refused");
	assert_string_equal(resolve(longest, 0, -1, false, ALL), "refused");
	assert_string_equal(resolve("a.example", 0, SIP_TLS, false, SIP_MAY(SIP_UDP)), "refused");
	assert_string_equal(resolve("a.example", 0, -1, true, SIP_MAY(SIP_UDP)), "refused");
}

/* RFC 2782: one of weight 3 comes first about three times as often as one of weight 1; one of
 * weight 0 hardly ever; priority goes before all. */
static void test_rfc_2782_weights(void **state)
{
	struct dns_record r[] = {{.type = DNS_SRV, .priority = 1, .weight = 1, .name = "one"},
				 {.type = DNS_SRV, .priority = 1, .weight = 0, .name = "zero"},
				 {.type = DNS_SRV, .priority = 1, .weight = 300, .name = "many"},
				 {.type = DNS_SRV, .priority = 1, .weight = 100, .name = "some"},
				 {.type = DNS_SRV, .priority = 2, .weight = 900, .name = "last"}};
	struct sip_lookup_order order = {.host = VIEW("x.example"),
					 .has_transport = true,
					 .transport = SIP_TCP,
					 .allowed = ALL};
	static struct sip_lookup l;
	enum dns_type type;
	int many = 0, some = 0, zero = 0;

	(void)state;
	random_now = 1;
	for (int i = 0; i < 4000; i++) {
		const char *first;

		assert_int_equal(sip_lookup_begin(&l, &order, &entropy), 0);
		assert_string_equal(sip_lookup_question(&l, &type), "_sip._tcp.x.example");
		sip_lookup_answer(&l, r, 5);
		first = sip_lookup_question(&l, &type);
		many += strcmp(first, "many") == 0;
		some += strcmp(first, "some") == 0;
		zero += strcmp(first, "zero") == 0;
		assert_int_equal(l.n - l.at, 5);
		assert_string_equal(l.place[l.n - 1].name, "last");
	}
	assert_in_range(many, 2850, 3150);
	assert_in_range(some, 850, 1150);
	assert_in_range(zero, 1, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc_3263_naptr_chooses_the_transport),
		cmocka_unit_test(test_rfc_3263_srv_where_there_is_no_naptr),
		cmocka_unit_test(test_rfc_3263_addresses_where_there_is_no_srv),
		cmocka_unit_test(test_a_port_or_an_address_needs_no_srv),
		cmocka_unit_test(test_a_service_that_is_decidedly_not_there),
		cmocka_unit_test(test_what_cannot_be_had_is_refused),
		cmocka_unit_test(test_rfc_2782_weights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
