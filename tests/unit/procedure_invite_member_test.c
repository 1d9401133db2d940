/* 9.3.1: the focus's INVITE to one invitee. */
#include "procedure/invite_member.h"
#include "procedure_msg.h"

static const struct im_profile focus = {
	.feature_tag = VIEW(IM_FEATURE_TAG),
	.release = VIEW(IM_SERVER_RELEASE),
	.allow = VIEW(IM_ALLOW_FOCUS),
	.identity = VIEW("sip:conf-1@example.com"),
	.asserted = true,
};

static void fields_of(const struct invite_member *i, struct request *r)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	buf_puts(&b, "From: <sip:conf-1@example.com>;tag=1\r\n");
	invite_member_write_fields(&b, &focus, i);
	buf_putc(&b, '\0');
	assert_true(buf_ok(&b));
	request_make(r, "INVITE", b.p, "", VIEW(""));
	buf_fini(&b);
}

static void test_CF_9_3_1_1_and_CF_9_3_1_4__tag_and_allow(void **state)
{
	const struct invite_member i = {.inviter = VIEW("sip:ann@example.com")};
	struct request r;

	(void)state;
	fields_of(&i, &r);
	assert_view(sip_msg_value_named(&r.m, VIEW("Accept-Contact")),
		    "*;+g.oma.sip-im;require;explicit");
	assert_view(sip_msg_value(&r.m, SIP_H_ALLOW), IM_ALLOW_FOCUS);
	assert_view(sip_msg_value(&r.m, SIP_H_P_ASSERTED_IDENTITY), "<sip:conf-1@example.com>");
}

static void test_CF_9_3_1_3__referred_by_is_the_inviter(void **state)
{
	struct invite_member i = {.inviter = VIEW("sip:ann@example.com")};
	struct request r;

	(void)state;
	fields_of(&i, &r);
	assert_view(sip_msg_value(&r.m, SIP_H_REFERRED_BY), "<sip:ann@example.com>");
	i.inviter_anonymous = true;
	fields_of(&i, &r);
	assert_view(sip_msg_value(&r.m, SIP_H_REFERRED_BY), "<sip:anonymous@anonymous.invalid>");
	assert_true(view_find_view(r.m.raw, VIEW("ann@"), 0) == r.m.raw.n);
}

static void test_CF_9_3_1_5__replaces(void **state)
{
	struct invite_member i = {.inviter = VIEW("sip:ann@example.com"),
				  .replaces = VIEW("abc;to-tag=t;from-tag=f")};
	struct request r;

	(void)state;
	fields_of(&i, &r);
	assert_view(sip_msg_value(&r.m, SIP_H_REPLACES), "abc;to-tag=t;from-tag=f");
	assert_true(sip_msg_lists(&r.m, SIP_H_REQUIRE, VIEW("replaces")));
	i.replaces = VIEW("");
	fields_of(&i, &r);
	assert_false(sip_msg_has(&r.m, SIP_H_REPLACES));
	assert_false(sip_msg_has(&r.m, SIP_H_REQUIRE));
}

static void test_CF_9_3_1_5__no_value_begins_a_field_of_its_own(void **state)
{
	const struct invite_member i = {.inviter = VIEW("sip:ann@example.com>\r\nX-Evil: 1"),
					.replaces = VIEW("abc;to-tag=t;from-tag=f\r\nX-Evil: 2")};
	struct request r;

	(void)state;
	fields_of(&i, &r);
	assert_int_equal(sip_msg_value_named(&r.m, VIEW("X-Evil")).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_CF_9_3_1_1_and_CF_9_3_1_4__tag_and_allow),
		cmocka_unit_test(test_CF_9_3_1_3__referred_by_is_the_inviter),
		cmocka_unit_test(test_CF_9_3_1_5__replaces),
		cmocka_unit_test(test_CF_9_3_1_5__no_value_begins_a_field_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
