/* Reading and writing REFER: IC-7.1.3-2, CF-9.3-2, CF-X-3, R-4, R-5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "guard_page.h"
#include "procedure/refer.h"
#include "sip/write.h"

static struct buf message;

/* A REFER with these lines (LF) and body, read from a buffer that ends at an unreadable page. */
static void read_refer(struct refer *out, const char *lines, struct view body, size_t max)
{
	struct sip_msg m;

	buf_fini(&message);
	buf_init(&message, 1 << 20);
	buf_puts(&message,
		 "REFER sip:conf@example.com SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKx\r\n"
		 "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 3 REFER\r\n");
	for (; *lines; lines++)
		buf_puts(&message, *lines == '\n' ? "\r\n" : (char[]){*lines, '\0'});
	buf_putf(&message, "Content-Length: %zu\r\n\r\n", body.n);
	buf_put(&message, body);
	assert_true(buf_ok(&message));
	assert_int_equal(sip_msg_parse(view_of(guard_copy(message.p, message.n), message.n), &m),
			 0);
	refer_read(out, &m, &(struct invitee_limits){.entries = max});
}

static void test_CF_9_3_2__the_method_inside_or_outside_the_brackets_or_absent(void **state)
{
	static const struct {
		const char *to, *uri;
		bool remove;
	} form[] = {
		{"<sip:carol@example.com>", "sip:carol@example.com", false},
		{"sip:carol@example.com", "sip:carol@example.com", false},
		{"\"Carol, C.\" <sip:carol@example.com;method=INVITE>", "sip:carol@example.com",
		 false},
		{"<sip:carol@example.com>;method=INVITE", "sip:carol@example.com", false},
		{"<sip:carol@example.com;transport=tcp>;text",
		 "sip:carol@example.com;transport=tcp", false},
		{"<sip:carol@example.com;method=BYE>", "sip:carol@example.com", true},
		{"<sip:carol@example.com;METHOD=bye>;text", "sip:carol@example.com", true},
		{"<sip:carol@example.com>;method=BYE", "sip:carol@example.com", true},
		{"sip:carol@example.com;method=BYE", "sip:carol@example.com", true},
		{"<sips:carol@example.com;method=BYE>;method=BYE", "sips:carol@example.com", true},
		{"<sip:carol@example.com;method=INVITE?Route=%3Csip:evil%3E&Subject=x>",
		 "sip:carol@example.com", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
		char lines[256];
		struct refer r;

		(void)snprintf(lines, sizeof(lines), "Refer-To: %s\n", form[i].to);
		read_refer(&r, lines, VIEW(""), 4);
		assert_int_equal(r.status, 0);
		assert_int_equal(r.targets.n, 1);
		assert_false(r.multiple);
		assert_true(r.subscribe);
		assert_true(view_eq(r.targets.entry[0].uri, view_str(form[i].uri)));
		assert_int_equal(r.targets.entry[0].remove, form[i].remove);
		assert_int_equal(r.targets.entry[0].replaces.n, 0);
		refer_fini(&r);
	}
}

static void test_CF_9_3_2__replaces_of_a_single_target_is_kept(void **state)
{
	struct refer r;

	(void)state;
	read_refer(&r, "Refer-To: <sip:c@example.com?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>\n",
		   VIEW(""), 4);
	assert_int_equal(r.status, 0);
	assert_true(view_eq(r.targets.entry[0].replaces, VIEW("a;to-tag=b;from-tag=c")));
	refer_fini(&r);
}

static void test_CF_9_3_2__refused_forms(void **state)
{
	static const struct {
		const char *lines;
		int status;
	} bad[] = {
		{"", 400},
		{"Refer-To: \n", 400},
		{"Refer-To: *\n", 400},
		{"Refer-To: <sip:a@b>, <sip:c@d>\n", 400},
		{"Refer-To: <sip:a@b\n", 400},
		{"Refer-To: <sip:a@b>;method=INVITE\nRefer-To: <sip:c@d>\n", 400},
		{"Refer-To: <tel:+491>\n", 416},
		{"Refer-To: <mailto:a@b>\n", 416},
		{"Refer-To: <sip:a@b;method=NOTIFY>\n", 403},
		{"Refer-To: <sip:a@b>;method=NOTIFY\n", 403},
		{"Refer-To: <sip:a@b;method=BYE>;method=INVITE\n", 400},
		{"Refer-To: <sip:a@b?Replaces=%0D%0Aevil>\n", 400},
		{"Require: teleport\nRefer-To: <sip:a@b>\n", 420},
		{"Refer-To: <cid:l@x>\n", 415},
		{"Refer-To: <cid:l@x>\nContent-Type: text/plain\n", 415},
		{"Refer-To: <cid:l@x>\nContent-Type: application/resource-lists+xml\nContent-ID: "
		 "<other@x>\n",
		 400},
		{"Refer-To: <cid:l@x>\nContent-Type: "
		 "application/resource-lists+xml\nContent-Encoding: gzip\n",
		 415},
		{"Refer-To: <cid:l@x>\nContent-Type: multipart/mixed;boundary=b\n", 400},
		{"Refer-To: <cid:l@x>\nContent-Type: application/resource-lists+xml\n", 400},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct refer r;

		read_refer(&r, bad[i].lines, VIEW("<x"), 4);
		assert_int_equal(r.status, bad[i].status);
		refer_fini(&r);
	}
}

static void test_R_4__both_spellings_of_the_subscription(void **state)
{
	static const struct {
		const char *line;
		bool subscribe;
	} form[] = {
		{"", true},
		{"Refer-Sub: true\n", true},
		{"Refer-Sub: false\n", false},
		{"Refer-Sub: False;x=y\n", false},
		{"Refer-Sub: ,\n", true},
		{"Norefer-Sub: true\n", false},
		{"norefer-sub: false\n", true},
		{"Require: norefersub\n", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
		char lines[128];
		struct refer r;

		(void)snprintf(lines, sizeof(lines), "Refer-To: <sip:a@b>\n%s", form[i].line);
		read_refer(&r, lines, VIEW(""), 4);
		assert_int_equal(r.status, 0);
		assert_int_equal(r.subscribe, form[i].subscribe);
		refer_fini(&r);
	}
}

/* What the client writes, the focus reads: one and many, adding and removing. */
static void round_trip(size_t n, bool remove)
{
	static const char *const who[] = {"sip:a@example.com", "sip:b@example.com",
					  "sips:c&d@example.com"};
	struct view user[3];
	struct refer_request request = {
		.user = user, .n = n, .remove = remove, .content_id = VIEW("l1@example.com")};
	struct buf lines, type, body;
	struct refer r;

	for (size_t i = 0; i < n; i++)
		user[i] = view_str(who[i]);
	buf_init(&lines, 4096);
	buf_init(&type, 256);
	buf_init(&body, 65536);
	assert_int_equal(refer_write(&lines, &type, &body, &request), 0);
	if (type.n)
		sip_write_field(&lines, "Content-Type", buf_view(&type));
	buf_putc(&lines, '\0');
	for (size_t i = 0; i < lines.n; i++)
		if (lines.p[i] == '\r')
			lines.p[i] = ' ';
	read_refer(&r, lines.p, buf_view(&body), 4);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.targets.n, n);
	assert_int_equal(r.multiple, n > 1);
	assert_int_equal(r.subscribe, n == 1);
	for (size_t i = 0; i < n; i++) {
		assert_true(view_eq(r.targets.entry[i].uri, user[i]));
		assert_int_equal(r.targets.entry[i].remove, remove);
	}
	refer_fini(&r);
	buf_fini(&lines);
	buf_fini(&type);
	buf_fini(&body);
}

static void test_IC_7_1_3_2c__written_and_read_for_one(void **state)
{
	(void)state;
	round_trip(1, false);
	round_trip(1, true);
}

static void test_IC_7_1_3_2d__written_and_read_for_several(void **state)
{
	(void)state;
	round_trip(2, false);
	round_trip(3, false);
	round_trip(3, true);
}

static void test_R_5__a_list_part_among_others_and_its_bounds(void **state)
{
	const char *const body =
		"--b\r\nContent-Type: text/plain\r\nContent-ID: <t@x>\r\n\r\nhello\r\n--b\r\n"
		"Content-Type: application/resource-lists+xml\r\nContent-ID: <l@x>\r\n\r\n"
		"<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>"
		"<entry uri=\"sip:a@x\"/><entry uri=\"sip:A@X\"/><entry uri=\"sip:a@x\"/>"
		"<entry uri=\"sip:b@x;method=BYE\"/></list></resource-lists>\r\n--b--\r\n";
	struct refer r;

	(void)state;
	read_refer(&r,
		   "Refer-To: <cid:l@x>\nContent-Type: multipart/mixed;boundary=b\nRequire: "
		   "multiple-refer\n",
		   view_str(body), 4);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.targets.n,
			 3); /* RFC 5363 §4: the duplicate is gone; users are case sensitive */
	assert_false(r.targets.entry[0].remove);
	assert_true(r.targets.entry[2].remove);
	assert_true(r.subscribe);
	refer_fini(&r);
	read_refer(&r, "Refer-To: <cid:t@x>\nContent-Type: multipart/mixed;boundary=b\n",
		   view_str(body), 4);
	assert_int_equal(r.status, 400);
	refer_fini(&r);
	read_refer(&r, "Refer-To: <cid:l@x>\nContent-Type: multipart/mixed;boundary=b\n",
		   view_str(body), 2);
	assert_int_equal(r.status, 413);
	refer_fini(&r);
}

static void test_R_4__event_ids(void **state)
{
	uint32_t id = 7;

	(void)state;
	assert_int_equal(refer_event_id(VIEW("refer"), &id), 0);
	assert_int_equal(id, 0);
	assert_int_equal(refer_event_id(VIEW("refer;id=93809824"), &id), 0);
	assert_int_equal(id, 93809824);
	assert_int_equal(refer_event_id(VIEW("refer;id=x"), &id), E_SYNTAX);
	assert_int_equal(refer_event_id(VIEW("conference"), &id), E_SYNTAX);
	assert_int_equal(refer_event_id(VIEW(""), &id), E_SYNTAX);
}

static int forget(void **state)
{
	(void)state;
	buf_fini(&message);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_CF_9_3_2__the_method_inside_or_outside_the_brackets_or_absent),
		cmocka_unit_test(test_CF_9_3_2__replaces_of_a_single_target_is_kept),
		cmocka_unit_test(test_CF_9_3_2__refused_forms),
		cmocka_unit_test(test_R_4__both_spellings_of_the_subscription),
		cmocka_unit_test(test_IC_7_1_3_2c__written_and_read_for_one),
		cmocka_unit_test(test_IC_7_1_3_2d__written_and_read_for_several),
		cmocka_unit_test(test_R_5__a_list_part_among_others_and_its_bounds),
		cmocka_unit_test(test_R_4__event_ids),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
