/* 9.3: reading an INVITE to the Conference-factory-URI: CF-9.3-1, CF-9.3-2, R-5. */
#include "procedure/create_conference.h"
#include "procedure_msg.h"

#define LIST_OF(entries)                                                                           \
	"<?xml version=\"1.0\"?>\r\n<resource-lists "                                              \
	"xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>" entries                           \
	"</list></resource-lists>"
#define BO	 "<entry uri=\"sip:bo@example.com\"/>"
#define ANN	 "<entry uri=\"sip:ann@example.com\"/>"
#define SDP_PART "--b\r\nContent-Type: application/sdp\r\n\r\n" SDP_PLAIN "\r\n"
#define PART(disposition, body)                                                                    \
	"--b\r\nContent-Type: application/resource-lists+xml\r\n" disposition "\r\n" body "\r\n"
#define RECIPIENTS "Content-Disposition: recipient-list\r\n"
#define HISTORY	   "Content-Disposition: recipient-list-history; handling=optional\r\n"
#define LIST_TYPE  "application/resource-lists+xml"
#define FROM	   "From: <sip:ann@example.com>;tag=1\r\n"

static void read_it(struct create_conference *c, const char *fields, const char *type,
		    const char *body)
{
	struct request r;
	struct buf b;

	buf_init(&b, 1 << 17);
	buf_puts(&b, FROM);
	buf_puts(&b, fields);
	buf_putc(&b, '\0');
	assert_true(buf_ok(&b));
	request_make(&r, "INVITE", b.p, type, view_str(body));
	create_conference_read(c, &r.m, VIEW("sip:ann@example.com"),
			       &(struct invitee_limits){.entries = 3});
	buf_fini(&b);
	/* Header lines are whole ones. */
	assert_true(buf_ok(&c->lines));
	assert_true(c->lines.n == 0 || view_ends(buf_view(&c->lines), VIEW("\r\n")));
}

static void assert_refused(const char *fields, const char *type, const char *body, int status,
			   const char *lines)
{
	struct create_conference c;

	read_it(&c, fields, type, body);
	assert_int_equal(c.status, status);
	assert_view(buf_view(&c.lines), lines);
	create_conference_fini(&c);
}

static void test_CF_9_3_2_and_R_5__multipart(void **state)
{
	struct create_conference c;

	(void)state;
	read_it(&c, "Require: recipient-list-invite\r\n", "multipart/mixed;boundary=b",
		SDP_PART PART(RECIPIENTS, LIST_OF(BO)) "--b--\r\n");
	assert_int_equal(c.status, 0);
	assert_view(c.sdp, SDP_PLAIN);
	assert_true(c.has_list);
	assert_int_equal(c.invitees.n, 1);
	assert_view(c.invitees.entry[0].uri, "sip:bo@example.com");
	create_conference_fini(&c);
	/* The other order, without a disposition. */
	read_it(&c, "", "multipart/mixed;boundary=b", PART("", LIST_OF(BO)) SDP_PART "--b--\r\n");
	assert_int_equal(c.status, 0);
	assert_view(c.sdp, SDP_PLAIN);
	assert_int_equal(c.invitees.n, 1);
	create_conference_fini(&c);
}

static void test_R_5__a_history_names_no_recipients(void **state)
{
	struct create_conference c;

	(void)state;
	read_it(&c, "", "multipart/mixed;boundary=b",
		SDP_PART PART(HISTORY, LIST_OF("<entry uri=\"sip:no@example.com\"/>"))
			PART(RECIPIENTS, LIST_OF(BO)) "--b--\r\n");
	assert_int_equal(c.status, 0);
	assert_int_equal(c.invitees.n, 1);
	assert_view(c.invitees.entry[0].uri, "sip:bo@example.com");
	create_conference_fini(&c);
	read_it(&c, "", "multipart/mixed;boundary=b",
		SDP_PART PART(HISTORY, LIST_OF(BO)) "--b--\r\n");
	assert_int_equal(c.status, 0);
	assert_false(c.has_list);
	assert_int_equal(c.invitees.n, 0);
	create_conference_fini(&c);
	read_it(&c, HISTORY, LIST_TYPE, LIST_OF(BO));
	assert_false(c.has_list);
	assert_int_equal(c.invitees.n, 0);
	create_conference_fini(&c);
}

static void test_R_5__the_list_alone(void **state)
{
	struct create_conference c;

	(void)state;
	read_it(&c, "Require: recipient-list-invite\r\n" RECIPIENTS, LIST_TYPE, LIST_OF(ANN BO));
	assert_int_equal(c.status, 0);
	assert_int_equal(c.sdp.n, 0);
	assert_true(c.has_list);
	assert_int_equal(c.invitees.n, 1);
	create_conference_fini(&c);
	read_it(&c, "", "Application/Resource-Lists+XML; charset=utf-8", LIST_OF(BO));
	assert_int_equal(c.status, 0);
	assert_int_equal(c.invitees.n, 1);
	create_conference_fini(&c);
}

static void test_R_5__the_offer_alone(void **state)
{
	struct create_conference c;

	(void)state;
	read_it(&c, "", "application/sdp", SDP_PLAIN);
	assert_int_equal(c.status, 0);
	assert_view(c.sdp, SDP_PLAIN);
	assert_false(c.has_list);
	create_conference_fini(&c);
	read_it(&c, "", "multipart/mixed;boundary=b", SDP_PART "--b--\r\n");
	assert_int_equal(c.status, 0);
	assert_false(c.has_list);
	create_conference_fini(&c);
}

static void test_no_body_at_all(void **state)
{
	struct create_conference c;

	(void)state;
	read_it(&c, "", "", "");
	assert_int_equal(c.status, 0);
	assert_int_equal(c.sdp.n, 0);
	assert_false(c.has_list);
	create_conference_fini(&c);
}

#define ACCEPT "Accept: application/sdp, application/resource-lists+xml, multipart/mixed\r\n"

static void test_another_type_is_415(void **state)
{
	(void)state;
	assert_refused("", "text/plain", "hello", 415, ACCEPT);
	assert_refused("", "", "hello", 415, ACCEPT);
	assert_refused("", "application/sdpx", "hello", 415, ACCEPT);
}

static void test_R_5__two_content_types_as_in_the_source_are_400(void **state)
{
	const char *reason = NULL;
	struct request r;

	(void)state;
	/* The transaction user never sees them: the check before it does. */
	request_make(&r, "INVITE", FROM "Content-Type: application/sdp\r\n", LIST_TYPE,
		     VIEW(LIST_OF(BO)));
	assert_int_equal(sip_msg_check(&r.m, &reason), 400);
}

static void test_a_broken_multipart_is_400(void **state)
{
	(void)state;
	assert_refused("", "multipart/mixed;boundary=b", SDP_PART, 400, "");
	assert_refused("", "multipart/mixed", SDP_PART "--b--\r\n", 400, "");
	assert_refused("", "multipart/mixed;boundary=other", SDP_PART "--b--\r\n", 400, "");
}

static void test_a_broken_list_is_400(void **state)
{
	(void)state;
	assert_refused("", LIST_TYPE, "<resource-lists", 400, "");
	assert_refused("", LIST_TYPE, LIST_OF("<entry uri=\"tel:+1555\"/>"), 400, "");
	assert_refused("", "multipart/mixed;boundary=b", SDP_PART PART(RECIPIENTS, "") "--b--\r\n",
		       400, "");
}

static void test_an_empty_list_is_403(void **state)
{
	(void)state;
	assert_refused("", LIST_TYPE, LIST_OF(""), 403, "");
	assert_refused("", LIST_TYPE, LIST_OF(ANN), 403, "");
}

static void test_too_many_are_413(void **state)
{
	(void)state;
	assert_refused("", LIST_TYPE,
		       LIST_OF(BO "<entry uri=\"sip:c@x\"/><entry uri=\"sip:d@x\"/>"
				  "<entry uri=\"sip:e@x\"/>"),
		       413, "");
}

static void test_require_of_something_else_is_420(void **state)
{
	(void)state;
	assert_refused("Require: recipient-list-invite, timer, 100rel\r\nRequire: x\r\n", LIST_TYPE,
		       LIST_OF(BO), 420, "Unsupported: 100rel, x\r\n");
	assert_refused("Require: x\r\n", "text/plain", "hello", 420, "Unsupported: x\r\n");
}

static void test_R_5__recipient_list_subscribe_is_tolerated(void **state)
{
	struct create_conference c;

	(void)state;
	read_it(&c, "Require: recipient-list-subscribe\r\nSupported: eventlist\r\n" RECIPIENTS,
		LIST_TYPE, LIST_OF(BO));
	assert_int_equal(c.status, 0);
	assert_int_equal(c.invitees.n, 1);
	create_conference_fini(&c);
}

static void test_an_encoded_body_is_415(void **state)
{
	struct create_conference c;

	(void)state;
	assert_refused("Content-Encoding: deflate\r\n", LIST_TYPE, "\x78\x9c", 415,
		       "Accept-Encoding: identity\r\n");
	read_it(&c, "Content-Encoding: identity\r\n", LIST_TYPE, LIST_OF(BO));
	assert_int_equal(c.status, 0);
	create_conference_fini(&c);
}

static void test_a_require_of_thousands(void **state)
{
	struct create_conference c;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 16);
	buf_puts(&b, "Require: ");
	for (int i = 0; i < 20000; i++)
		buf_puts(&b, "ab,");
	buf_puts(&b, "c\r\n");
	buf_putc(&b, '\0');
	assert_true(buf_ok(&b));
	read_it(&c, b.p, LIST_TYPE, LIST_OF(BO));
	assert_int_equal(c.status, 420);
	create_conference_fini(&c);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_CF_9_3_2_and_R_5__multipart),
		cmocka_unit_test(test_R_5__a_history_names_no_recipients),
		cmocka_unit_test(test_R_5__the_list_alone),
		cmocka_unit_test(test_R_5__the_offer_alone),
		cmocka_unit_test(test_no_body_at_all),
		cmocka_unit_test(test_another_type_is_415),
		cmocka_unit_test(test_R_5__two_content_types_as_in_the_source_are_400),
		cmocka_unit_test(test_a_broken_multipart_is_400),
		cmocka_unit_test(test_a_broken_list_is_400),
		cmocka_unit_test(test_an_empty_list_is_403),
		cmocka_unit_test(test_too_many_are_413),
		cmocka_unit_test(test_require_of_something_else_is_420),
		cmocka_unit_test(test_R_5__recipient_list_subscribe_is_tolerated),
		cmocka_unit_test(test_an_encoded_body_is_415),
		cmocka_unit_test(test_a_require_of_thousands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
