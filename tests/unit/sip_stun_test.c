#include "sip/stun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "guard_page.h"

static const uint8_t id[STUN_ID_BYTES] = {0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
					  0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};

/* RFC 5769 §2.2 and §2.3: the answers to a request with that id. */
static const unsigned char rfc5769_v4[] =
	"\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
	"\x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20"
	"\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43"
	"\x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0"
	"\x6b\xe7\xd7"
	"\x80\x28\x00\x04\xc0\x7d\x4c\x96";
static const unsigned char rfc5769_v6[] =
	"\x01\x01\x00\x48\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
	"\x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20"
	"\x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe"
	"\xd2\xb9\xd9"
	"\x00\x08\x00\x14\xa3\x82\x95\x4e\x4b\xe6\x7b\xf1\x17\x84\xc9\x7c\x82\x92\xc2\x75\xbf"
	"\xe3\xed\x41"
	"\x80\x28\x00\x04\xc8\xfb\x0b\x4c";

#define VECTOR(bytes) view_of((const char *)(bytes), sizeof(bytes) - 1)

static void expect_mapped(struct view d, const char *where)
{
	char text[ADDR_TEXT_MAX];
	struct stun s;

	d.p = guard_copy(d.p, d.n);
	assert_true(stun_is(d));
	assert_int_equal(stun_parse(d, &s), 0);
	assert_int_equal(s.class, STUN_SUCCESS);
	assert_int_equal(s.method, STUN_BINDING);
	assert_memory_equal(s.id, id, sizeof(id));
	assert_string_equal(addr_text(&s.mapped, text), where);
	assert_int_equal(s.n_unknown, 0);
}

static void test_vectors_of_rfc_5769(void **state)
{
	(void)state;
	expect_mapped(VECTOR(rfc5769_v4), "192.0.2.1:32853");
	expect_mapped(VECTOR(rfc5769_v6), "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

static void test_what_is_written_is_read(void **state)
{
	static const char *const from[] = {"192.0.2.200:1", "[2001:db8::1]:65535"};
	struct stun s, answer;
	struct addr a;
	struct buf b;

	(void)state;
	buf_init(&b, STUN_BYTES_MAX);
	stun_write_request(&b, id);
	assert_int_equal(stun_parse(buf_view(&b), &s), 0);
	assert_int_equal(s.class, STUN_REQUEST);
	assert_memory_equal(s.id, id, sizeof(id));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(addr_parse_hostport(view_str(from[i]), 0, &a), 0);
		buf_reset(&b);
		stun_write_answer(&b, &s, &a);
		assert_int_equal(stun_parse(buf_view(&b), &answer), 0);
		assert_int_equal(answer.class, STUN_SUCCESS);
		assert_true(addr_eq(&answer.mapped, &a));
	}
	buf_fini(&b);
}

static void test_unknown_attributes_are_named_in_a_420(void **state)
{
	/* A request with 0x7777 (to be understood) and 0x9999 (not to be). */
	static const unsigned char odd[] =
		"\x00\x01\x00\x0c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
		"\x77\x77\x00\x03\x61\x62\x63\x00\x99\x99\x00\x00";
	struct addr a;
	struct stun s, answer;
	struct buf b;

	(void)state;
	assert_int_equal(stun_parse(VECTOR(odd), &s), 0);
	assert_int_equal(s.n_unknown, 1);
	assert_int_equal(s.unknown[0], 0x7777);
	assert_int_equal(addr_parse(VIEW("192.0.2.1"), 5060, &a), 0);
	buf_init(&b, STUN_BYTES_MAX);
	stun_write_answer(&b, &s, &a);
	assert_int_equal(stun_parse(buf_view(&b), &answer), 0);
	assert_int_equal(answer.class, STUN_ERROR);
	assert_int_equal(answer.error, 420);
	assert_int_equal(answer.mapped.family, 0);
	buf_fini(&b);
}

static void test_what_is_no_stun(void **state)
{
	static const char *const sip[] = {"OPTIONS sip:a SIP/2.0\r\n\r\n", "\r\n\r\n", "",
					  "\0\0\0\1"};
	unsigned char bad[sizeof(rfc5769_v4)];
	struct stun s;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_false(stun_is(view_str(sip[i])));
	/* Each byte that is cut off, and each bit that is turned, is seen (FINGERPRINT). */
	for (size_t n = 0; n < sizeof(rfc5769_v4) - 1; n++) {
		const char *p = guard_copy(rfc5769_v4, n);

		assert_true(stun_parse(view_of(p, n), &s) < 0);
	}
	for (size_t i = 20; i < sizeof(rfc5769_v4) - 1 - 8; i++) {
		memcpy(bad, rfc5769_v4, sizeof(bad));
		bad[i] ^= 0x10;
		assert_int_equal(stun_parse(view_of((char *)bad, sizeof(bad) - 1), &s), E_SYNTAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors_of_rfc_5769),
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_unknown_attributes_are_named_in_a_420),
		cmocka_unit_test(test_what_is_no_stun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
