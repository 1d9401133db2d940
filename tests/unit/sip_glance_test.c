/* What is read of a request without parsing it: the same as the parser reads, or nothing. */
#include "sip/glance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "torture_files.h"

#define START "INVITE sip:b@example.com SIP/2.0\r\n"
#define VIA   "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1;rport\r\n"
#define REST                                                                                       \
	"From: <sip:a@example.com>;tag=f\r\nTo: <sip:b@example.com>\r\nCall-ID: c1\r\n"            \
	"CSeq: 7 INVITE\r\n"
#define END "Content-Length: 0\r\n\r\n"

static void same(struct view a, struct view b)
{
	assert_int_equal(a.n, b.n);
	if (a.n)
		assert_memory_equal(a.p, b.p, a.n);
}

/* Whether it is read at all; what is, is as the parser has it. */
static bool read_alike(struct view bytes)
{
	struct sip_glance g;
	struct sip_values vias;
	struct sip_addr to;
	struct sip_msg m;
	struct view v;
	unsigned n = 0;

	if (!sip_glance(bytes, &g))
		return false;
	if (sip_msg_parse(bytes, &m))
		return true;
	assert_true(m.is_request);
	assert_int_equal(m.method, g.method);
	same(sip_msg_value(&m, SIP_H_FROM), g.from);
	same(sip_msg_value(&m, SIP_H_TO), g.to);
	same(sip_msg_value(&m, SIP_H_CALL_ID), g.call_id);
	same(sip_msg_value(&m, SIP_H_CSEQ), g.cseq);
	sip_values_start(&vias, &m, SIP_H_VIA);
	while (sip_values_next(&vias, &v)) {
		assert_true(n < g.n_vias);
		same(v, g.via[n++]);
	}
	assert_int_equal(n, g.n_vias);
	assert_int_equal(sip_msg_to(&m, &to), 0);
	same(sip_addr_tag(&to), g.to_tag);
	same(m.via.branch, g.top.branch);
	return true;
}

static void test_what_a_refusal_needs(void **state)
{
	struct view bytes = VIEW(START VIA "Via: SIP/2.0/TCP 192.0.2.8;branch=z9hG4bK0\r\n" REST
					   "Proxy-Authorization: Digest realm=\"r\"\r\n" END);
	struct sip_glance g;

	(void)state;
	assert_true(read_alike(bytes));
	assert_true(sip_glance(bytes, &g));
	assert_int_equal(g.n_vias, 2);
	assert_true(view_eq(g.credentials, VIEW("Digest realm=\"r\"")));
	assert_true(view_eq(g.top.host, VIEW("192.0.2.9")));
	assert_true(g.top.rport);
	assert_int_equal(g.to_tag.n, 0);
	/* Short names, other cases, blanks before the colon; a body is nothing to it. */
	assert_true(read_alike(
		VIEW(START "v : SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nF:<sip:a@b>;tag=x\r\n"
			   "t: <sip:b@example.com>;tag=y\r\nI\t: c1\r\ncseq:1 INVITE\r\n"
			   "c: text/plain\r\nl: 9\r\n\r\nVia: x\r\n\r\n")));
	assert_true(read_alike(VIEW("ACK sip:b@example.com SIP/2.0\r\n" VIA REST END)));
}

static void test_what_is_unusual_is_left_to_the_parser(void **state)
{
	static const struct view left[] = {
		VIEW(""),
		VIEW("\r\n"),
		VIEW("SIP/2.0 200 OK\r\n" VIA REST END),
		VIEW("PING sip:b@example.com SIP/2.0\r\n" VIA REST END),
		VIEW("INVITE sip:b@example.com SIP/3.0\r\n" VIA REST END),
		VIEW(START REST END),
		VIEW(START VIA END),
		VIEW(START VIA REST "Content-Length: 0\r\n"),
		VIEW(START VIA REST "Content-Length: 0\n\n"),
		VIEW(START VIA REST "Subject: a\r\n fold\r\n" END),
		VIEW(START VIA REST "Subject: a\r\n\tfold\r\n" END),
		VIEW(START VIA REST "To: <sip:c@example.com>\r\n" END),
		VIEW(START "Via: SIP/2.0/UDP 192.0.2.9, SIP/2.0/UDP 192.0.2.8\r\n" REST END),
		VIEW(START "Via: nonsense\r\n" REST END),
		VIEW(START VIA
		     "From: a\0b\r\nTo: <sip:b@c>\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n" END),
		VIEW(START VIA
		     "From: a\rb\r\nTo: <sip:b@c>\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n" END),
		VIEW(START VIA "From: <a:b>\r\nTo: <\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n" END),
	};
	struct sip_glance g;

	(void)state;
	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++)
		if (sip_glance(left[i], &g))
			fail_msg("number %zu was read", i);
}

static void test_more_vias_than_are_kept(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 16);
	for (unsigned extra = 0; extra < 2; extra++) {
		buf_reset(&b);
		buf_puts(&b, START);
		for (unsigned i = 0; i < SIP_GLANCE_VIAS + extra; i++)
			buf_puts(&b, VIA);
		buf_puts(&b, REST END);
		assert_int_equal(read_alike(buf_view(&b)), extra == 0);
	}
	buf_fini(&b);
}

/* RFC 4475: whatever is read of them is what the parser reads, also of every message cut short. */
static void test_RFC_4475__torture_is_read_alike_or_not_at_all(void **state)
{
	static const char *const name[] = {
		"wsinv",     "intmeth",	 "esc01",    "escnull",	   "esc02",	 "lwsdisp",
		"longreq",   "dblreq",	 "semiuri",  "transports", "mpart01",	 "unreason",
		"badinv01",  "clerr",	 "ncl",	     "scalar02",   "scalarlg",	 "quotbal",
		"ltgtruri",  "lwsruri",	 "lwsstart", "trws",	   "escruri",	 "baddate",
		"regbadct",  "badaspec", "baddn",    "badvers",	   "mismatch01", "mismatch02",
		"badbranch", "insuf",	 "unkscm",   "novelsc",	   "unksm2",	 "bext01",
		"invut",     "regaut01", "multi01",  "mcl01",	   "bcast",	 "zeromf",
		"cparam01",  "cparam02", "regescrt", "sdp01",	   "inv2543"};
	char path[64];

	(void)state;
	for (size_t i = 0; i < sizeof(name) / sizeof(*name); i++) {
		struct view bytes;

		snprintf(path, sizeof(path), "rfc4475/%s", name[i]);
		bytes = torture_load(path, "");
		for (size_t n = 0; n <= bytes.n; n++)
			(void)read_alike(view_from(bytes, bytes.n - n));
		for (size_t n = 0; n < bytes.n; n++)
			(void)read_alike(view_first(bytes, n));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_refusal_needs),
		cmocka_unit_test(test_what_is_unusual_is_left_to_the_parser),
		cmocka_unit_test(test_more_vias_than_are_kept),
		cmocka_unit_test(test_RFC_4475__torture_is_read_alike_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
