/* 7.1.1, 8.3.1, 9.1.1, 9.3.1: the header fields that every message has. */
#include "procedure/general.h"
#include "procedure_msg.h"

static const struct im_profile client = {
	.feature_tag = VIEW(IM_FEATURE_TAG),
	.release = VIEW(IM_CLIENT_RELEASE),
	.allow = VIEW(IM_ALLOW),
	.identity = VIEW("sip:ann@example.com"),
};

static void assert_written(void (*write)(struct buf *b, const struct im_profile *p),
			   const struct im_profile *p, const char *expected)
{
	struct buf b;

	buf_init(&b, 4096);
	write(&b, p);
	buf_putc(&b, '\0');
	assert_true(buf_ok(&b));
	assert_string_equal(b.p, expected);
	buf_fini(&b);
}

static void test_IC_7_1_1_1__accept_contact(void **state)
{
	(void)state;
	assert_written(im_write_accept_contact, &client,
		       "Accept-Contact: *;+g.oma.sip-im;require;explicit\r\n");
}

static void test_R_1__the_tag_can_be_set(void **state)
{
	struct im_profile p = client;
	struct request r;
	struct buf b;

	(void)state;
	p.feature_tag = VIEW("+g.oma.im.simple");
	assert_written(im_write_accept_contact, &p,
		       "Accept-Contact: *;+g.oma.im.simple;require;explicit\r\n");
	buf_init(&b, 256);
	im_write_accept_contact(&b, &p);
	buf_putc(&b, '\0');
	request_make(&r, "INVITE", b.p, "", VIEW(""));
	assert_true(sip_msg_accepts_im(&r.m));
	buf_fini(&b);
}

static void test_IC_7_1_1_2_and_IC_7_1_1_4_and_IC_7_1_1_5__initial_request(void **state)
{
	(void)state;
	assert_written(im_write_initial, &client,
		       "User-Agent: IM-client/OMA1.0 Confab/" CONFAB_VERSION "\r\n"
		       "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, NOTIFY, MESSAGE\r\n"
		       "Supported: replaces, norefersub\r\n"
		       "P-Preferred-Identity: <sip:ann@example.com>\r\n");
}

static void test_R_3__a_server_asserts(void **state)
{
	struct im_profile p = client;

	(void)state;
	p.asserted = true;
	p.release = VIEW(IM_SERVER_RELEASE);
	p.allow = VIEW(IM_ALLOW_FOCUS);
	assert_written(im_write_initial, &p,
		       "User-Agent: IM-serv/OMA1.0 Confab/" CONFAB_VERSION "\r\n"
		       "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, SUBSCRIBE, REFER\r\n"
		       "Supported: replaces, norefersub\r\n"
		       "P-Asserted-Identity: <sip:ann@example.com>\r\n");
}

static void test_IC_8_3_1_5__response(void **state)
{
	struct im_profile p = client;

	(void)state;
	assert_written(im_write_response, &client,
		       "Server: IM-client/OMA1.0 Confab/" CONFAB_VERSION "\r\n"
		       "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, NOTIFY, MESSAGE\r\n"
		       "Supported: replaces, norefersub\r\n"
		       "P-Preferred-Identity: <sip:ann@example.com>\r\n");
	p.identity = VIEW("");
	assert_written(im_write_response, &p,
		       "Server: IM-client/OMA1.0 Confab/" CONFAB_VERSION "\r\n"
		       "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, NOTIFY, MESSAGE\r\n"
		       "Supported: replaces, norefersub\r\n");
}

static void test_IC_7_1_1_3_and_R_8__contact(void **state)
{
	struct sip_addr a;
	struct buf b;

	(void)state;
	buf_init(&b, 256);
	im_write_contact(&b, &client, VIEW("sip:ann@192.0.2.1"), false);
	assert_view(buf_view(&b), "<sip:ann@192.0.2.1>;+g.oma.sip-im");
	buf_reset(&b);
	im_write_contact(&b, &client, VIEW("sip:conf@192.0.2.1"), true);
	assert_view(buf_view(&b), "<sip:conf@192.0.2.1>;isfocus;+g.oma.sip-im");
	assert_int_equal(sip_addr_parse(buf_view(&b), &a), 0);
	assert_true(sip_param(a.params, VIEW("isfocus"), NULL));
	assert_true(sip_params_have_im_tag(a.params));
	buf_fini(&b);
}

static int check_require(const char *fields, size_t max, struct buf *unsupported)
{
	struct request r;

	buf_init(unsupported, max);
	request_make(&r, "INVITE", fields, "", VIEW(""));
	return im_check_require(&r.m, VIEW("replaces, norefersub"), unsupported);
}

static void test_IC_8_3_1_1__require_of_what_is_known(void **state)
{
	static const char *const fields[] = {
		"", "Require: replaces\r\n",
		"Require: NoReferSub,replaces\r\nRequire: replaces\r\n"};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(check_require(fields[i], 1024, &b), 0);
		assert_int_equal(b.n, 0);
		buf_fini(&b);
	}
}

static void test_IC_8_3_1_1__require_of_something_else_is_420(void **state)
{
	struct buf b;

	(void)state;
	assert_int_equal(check_require("Require: timer, replaces\r\nRequire: 100rel\r\n", 1024, &b),
			 420);
	assert_view(buf_view(&b), "timer, 100rel");
	buf_fini(&b);
	/* A part of a name that is known is not known. */
	assert_int_equal(check_require("Require: replace\r\n", 1024, &b), 420);
	buf_fini(&b);
}

static void test_R_5__the_mistaken_option_tag_is_tolerated(void **state)
{
	struct buf b;

	(void)state;
	assert_int_equal(check_require("Require: recipient-list-subscribe\r\n", 1024, &b), 0);
	buf_fini(&b);
}

static void test_thousands_of_names_do_not_break_the_answer(void **state)
{
	struct buf fields, b, lines;

	(void)state;
	buf_init(&fields, 1 << 16);
	buf_puts(&fields, "Require: a");
	for (int i = 0; i < 20000; i++)
		buf_puts(&fields, ",b");
	buf_puts(&fields, "\r\n");
	buf_putc(&fields, '\0');
	assert_true(buf_ok(&fields));
	assert_int_equal(check_require(fields.p, IM_UNSUPPORTED_BYTES_MAX, &b), 420);
	assert_true(buf_ok(&b));
	assert_true(view_ends(buf_view(&b), VIEW(", b")));
	buf_init(&lines, 4096);
	sip_write_field(&lines, "Unsupported", buf_view(&b));
	assert_true(buf_ok(&lines));
	buf_fini(&lines);
	buf_fini(&b);
	/* Nor one that has no room at all. */
	assert_int_equal(check_require("Require: abcdefghijklmnop\r\n", 8, &b), 420);
	assert_int_equal(b.n, 0);
	buf_fini(&b);
	buf_fini(&fields);
}

static bool encoded(const char *fields)
{
	struct request r;

	request_make(&r, "INVITE", fields, "", VIEW(""));
	return im_is_encoded(&r.m);
}

static void test_IC_8_3_1_1__content_encoding(void **state)
{
	(void)state;
	assert_false(encoded(""));
	assert_false(encoded("Content-Encoding: identity\r\n"));
	assert_true(encoded("Content-Encoding: deflate\r\n"));
	assert_true(encoded("e: identity, gzip\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IC_7_1_1_1__accept_contact),
		cmocka_unit_test(test_R_1__the_tag_can_be_set),
		cmocka_unit_test(test_IC_7_1_1_2_and_IC_7_1_1_4_and_IC_7_1_1_5__initial_request),
		cmocka_unit_test(test_R_3__a_server_asserts),
		cmocka_unit_test(test_IC_8_3_1_5__response),
		cmocka_unit_test(test_IC_7_1_1_3_and_R_8__contact),
		cmocka_unit_test(test_IC_8_3_1_1__require_of_what_is_known),
		cmocka_unit_test(test_IC_8_3_1_1__require_of_something_else_is_420),
		cmocka_unit_test(test_R_5__the_mistaken_option_tag_is_tolerated),
		cmocka_unit_test(test_thousands_of_names_do_not_break_the_answer),
		cmocka_unit_test(test_IC_8_3_1_1__content_encoding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
