#include "base/error.h"
#include "body/multipart.h"
#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define V(s) view_str(s)

static void assert_view(struct view v, const char *want)
{
	char text[2048];

	assert_true(view_copy(v, text, sizeof(text)));
	assert_string_equal(text, want);
}

static const char type[] = "multipart/mixed;boundary=\"uniq-1\"";
static const char body[] = "preamble\r\n--uniq-1\r\n"
			   "Content-Type: application/sdp\r\n"
			   "Content-Length: 99\r\n"
			   "\r\n"
			   "v=0\r\n"
			   "--uniq-12\r\nnot ours\r\n"
			   "--uniq-1  \r\n"
			   "content-type: application/resource-lists+xml; charset=utf-8\r\n"
			   "Content-Disposition: recipient-list;handling=required\r\n"
			   "Content-ID:\r\n <l%ist@example.com>\r\n"
			   "\r\n"
			   "<x/>\r\n\r\n"
			   "--uniq-1\r\n"
			   "\r\n"
			   "--uniq-1--\r\nepilogue\r\n--uniq-1\r\n";

static void check(const struct multipart *m)
{
	assert_int_equal(m->n, 3);
	assert_view(m->boundary, "uniq-1");
	assert_view(m->part[0].content_type, "application/sdp");
	assert_view(m->part[0].body, "v=0\r\n--uniq-12\r\nnot ours");
	assert_view(m->part[1].content_disposition, "recipient-list;handling=required");
	assert_view(m->part[1].content_id, "l%ist@example.com");
	assert_view(m->part[1].body, "<x/>\r\n");
	assert_true(view_empty(m->part[2].content_type));
	assert_true(view_empty(m->part[2].body));
}

static void test_whole_and_before_a_guard_page(void **state)
{
	struct multipart m;
	size_t n = sizeof(body) - 1;

	(void)state;
	assert_int_equal(multipart_parse(V(type), V(body), &m), 0);
	check(&m);
	assert_int_equal(multipart_parse(V(type), view_of(guard_copy(body, n), n), &m), 0);
	check(&m);
}

static void test_cut_short_is_broken(void **state)
{
	size_t whole = (size_t)(strstr(body, "--uniq-1--") - body) + strlen("--uniq-1--");
	struct multipart m = {.n = 77};

	(void)state;
	for (size_t n = 0; n < whole; n++) {
		assert_int_equal(multipart_parse(V(type), view_of(guard_copy(body, n), n), &m),
				 E_SYNTAX);
		assert_int_equal(m.n, 77);
	}
	assert_int_equal(multipart_parse(V(type), view_of(body, whole), &m), 0);
}

static void test_R_5__parts_are_found(void **state)
{
	struct multipart m;

	(void)state;
	assert_int_equal(multipart_parse(V(type), V(body), &m), 0);
	assert_ptr_equal(multipart_find_type(&m, V("Application/SDP")), &m.part[0]);
	assert_ptr_equal(multipart_find_type(&m, V("application/resource-lists+xml")), &m.part[1]);
	assert_ptr_equal(
		multipart_find(&m, V("application/resource-lists+xml"), V("recipient-list")),
		&m.part[1]);
	assert_null(multipart_find(&m, V("application/resource-lists+xml"),
				   V("recipient-list-history")));
	assert_null(multipart_find_type(&m, V("application/resource-lists")));
	assert_ptr_equal(multipart_find_cid(&m, V("cid:l%25ist@example.com")), &m.part[1]);
	assert_ptr_equal(multipart_find_cid(&m, V("CID:l%25ist%40example.com")), &m.part[1]);
	assert_ptr_equal(multipart_find_cid(&m, V("l%ist@example.com")), &m.part[1]);
	assert_null(multipart_find_cid(&m, V("cid:l%25ist@example.co")));
	assert_null(multipart_find_cid(&m, V("cid:l%2")));
	assert_null(multipart_find_cid(&m, V("cid:%zz")));
	assert_null(multipart_find_cid(&m, V("cid:")));
	assert_null(multipart_find_cid(&m, V("")));
	assert_true(multipart_value_is(V("Recipient-List ; handling=x"), V("recipient-list")));
}

static void test_boundaries_of_content_types(void **state)
{
	char longest[100] = "multipart/mixed;boundary=";
	struct view v;

	(void)state;
	assert_int_equal(
		multipart_boundary(V("Multipart/Mixed; x=\";boundary=no\" ; Boundary = a=b"), &v),
		0);
	assert_view(v, "a=b");
	assert_int_equal(multipart_boundary(V("multipart/mixed;boundary=\"a b;c\";x=y"), &v), 0);
	assert_view(v, "a b;c");
	assert_int_equal(multipart_boundary(V("multipart/mixed"), &v), E_MISSING);
	assert_int_equal(multipart_boundary(V("multipart/mixed;boundary"), &v), E_SYNTAX);
	assert_int_equal(multipart_boundary(V("multipart/mixed;boundary=\"\""), &v), E_SYNTAX);
	assert_int_equal(multipart_boundary(V("multipart/mixed;boundary=\"a \""), &v), E_SYNTAX);
	assert_int_equal(multipart_boundary(V("multipart/mixed;boundary=\"\xc3\xa9\""), &v),
			 E_SYNTAX);
	assert_int_equal(multipart_boundary(V("text/plain;boundary=a"), &v), E_SYNTAX);
	for (size_t n = MULTIPART_BOUNDARY_MAX - 1; n <= MULTIPART_BOUNDARY_MAX + 1; n++) {
		size_t lead = strlen("multipart/mixed;boundary=");

		memset(longest + lead, 'b', n);
		assert_int_equal(multipart_boundary(view_of(longest, lead + n), &v),
				 n > MULTIPART_BOUNDARY_MAX ? E_SYNTAX : 0);
	}
}

static void test_line_feeds_alone(void **state)
{
	struct multipart m;

	(void)state;
	assert_int_equal(multipart_parse(V("multipart/mixed;boundary=b"),
					 V("--b\nContent-Type: a/b\n\none\n\n--b\n\ntwo\n--b--"),
					 &m),
			 0);
	assert_int_equal(m.n, 2);
	assert_view(m.part[0].content_type, "a/b");
	assert_view(m.part[0].body, "one\n");
	assert_view(m.part[1].body, "two");
}

static void test_odd_and_broken_parts(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} cases[] = {
		{"--b--\r\n", E_SYNTAX},
		{"--b\r\n--b--\r\n", 0},
		{"--b\r\nContent-Type: a/b\r\n--b--\r\n", 0},
		{"--b\r\nContent-Type: a/b\r\n\r\n--b--\r\n", 0},
		{"--b\r\nno header\r\n\r\nx\r\n--b--\r\n", E_SYNTAX},
		{"x--b\r\n\r\nx\r\n--b--\r\n", E_SYNTAX},
		{"--bb\r\n\r\nx\r\n--bb--\r\n", E_SYNTAX},
		{"--b\r\n\r\nx--b--\r\n", E_SYNTAX},
	};
	struct multipart m;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			multipart_parse(V("multipart/mixed;boundary=b"), V(cases[i].text), &m),
			cases[i].rc);
}

static void test_cap_on_parts(void **state)
{
	struct buf b;
	struct multipart m;

	(void)state;
	buf_init(&b, 4096);
	for (size_t n = MULTIPART_PARTS_MAX - 1; n <= MULTIPART_PARTS_MAX + 1; n++) {
		buf_reset(&b);
		for (size_t i = 0; i < n; i++)
			buf_puts(&b, "--b\r\n\r\nx\r\n");
		buf_puts(&b, "--b--\r\n");
		assert_int_equal(multipart_parse(V("multipart/mixed;boundary=b"), buf_view(&b), &m),
				 n > MULTIPART_PARTS_MAX ? E_LIMIT : 0);
		if (n <= MULTIPART_PARTS_MAX)
			assert_int_equal(m.n, n);
	}
	buf_fini(&b);
}

static void test_round_trip(void **state)
{
	struct buf b;
	struct multipart m;
	struct view none = {0};

	(void)state;
	buf_init(&b, 4096);
	multipart_write_part(&b, V("q'9"), V("application/sdp"), none, none, V("v=0\r\n"));
	multipart_write_part(&b, V("q'9"), V("a/b"), V("recipient-list"), V("x@y"), V("\r\n-\r\n"));
	multipart_write_part(&b, V("q'9"), none, none, none, none);
	multipart_end(&b, V("q'9"));
	assert_true(buf_ok(&b));
	assert_int_equal(multipart_parse(V("multipart/mixed;boundary=\"q'9\""), buf_view(&b), &m),
			 0);
	assert_int_equal(m.n, 3);
	assert_view(m.part[0].content_type, "application/sdp");
	assert_view(m.part[0].body, "v=0\r\n");
	assert_view(m.part[1].content_disposition, "recipient-list");
	assert_view(m.part[1].content_id, "x@y");
	assert_view(m.part[1].body, "\r\n-\r\n");
	assert_true(view_empty(m.part[2].body));
	buf_reset(&b);
	multipart_write_part(&b, V("b"), V("a/b\r\nx: y"), none, none, none);
	assert_false(buf_ok(&b));
	buf_reset(&b);
	multipart_end(&b, V("b\r\n"));
	assert_false(buf_ok(&b));
	buf_fini(&b);
}

static void test_boundary_must_not_stand_in_a_body(void **state)
{
	(void)state;
	assert_true(multipart_boundary_fits(V("b"), V("x--b\r\n--a\r\n")));
	assert_true(multipart_boundary_fits(V("b"), V("")));
	assert_false(multipart_boundary_fits(V("b"), V("--bc")));
	assert_false(multipart_boundary_fits(V("b"), V("x\n--b--")));
	assert_false(multipart_boundary_fits(V(""), V("x")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_and_before_a_guard_page),
		cmocka_unit_test(test_cut_short_is_broken),
		cmocka_unit_test(test_R_5__parts_are_found),
		cmocka_unit_test(test_boundaries_of_content_types),
		cmocka_unit_test(test_line_feeds_alone),
		cmocka_unit_test(test_odd_and_broken_parts),
		cmocka_unit_test(test_cap_on_parts),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_boundary_must_not_stand_in_a_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
