#include "base/error.h"
#include "body/mime.h"
#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define V(s) view_str(s)

static void test_fields_and_folds(void **state)
{
	static const char text[] = "A: b\r\n c\nD:e\r\n\tf\r\nG:";
	struct view rest = view_of(guard_copy(text, sizeof(text) - 1), sizeof(text) - 1);
	struct view name, value;

	(void)state;
	assert_true(mime_field_next(&rest, &name, &value));
	assert_true(view_eq(name, V("A")) && view_eq(value, V("b\r\n c")));
	assert_true(mime_field_next(&rest, &name, &value));
	assert_true(view_eq(name, V("D")) && view_eq(value, V("e\r\n\tf")));
	assert_true(mime_field_next(&rest, &name, &value));
	assert_true(view_eq(name, V("G")) && view_empty(value));
	assert_false(mime_field_next(&rest, &name, &value));
	assert_true(view_empty(rest));
}

static void test_what_is_no_field(void **state)
{
	static const char *const broken[] = {
		"x\r\n",       ":x\r\n", "a b: c\r\n", "a: \x01\r\n", "a: b\r\n \x02\r\n",
		"a: b\r\n\r\n"};
	struct mime_fields f;

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		assert_int_equal(mime_fields_parse(V(broken[i]), &f), E_SYNTAX);
	assert_int_equal(mime_fields_parse(V(""), &f), 0);
	assert_int_equal(mime_fields_parse(V("content-type: a/b\r\nContent-Type: c/d\r\n"), &f), 0);
	assert_true(view_eq(f.content_type, V("a/b")));
}

static void test_params(void **state)
{
	struct view v;

	(void)state;
	assert_true(mime_param(V("a/b; x=\"1;\\\"y=2\" ; Y = 3 ;z"), V("y"), &v));
	assert_true(view_eq(v, V("3")));
	assert_true(mime_param(V("a/b; x=\"1;\\\"y=2\";z"), V("x"), &v));
	assert_true(view_eq(v, V("1;\\\"y=2")));
	assert_true(mime_param(V("a/b;z"), V("z"), &v));
	assert_true(view_empty(v));
	assert_false(mime_param(V("a/b"), V("b"), &v));
	assert_false(mime_param(V("x=1"), V("x"), &v));
	assert_true(mime_value_is(V(" A/b ; c"), V("a/B")));
	assert_false(mime_value_is(V("a/bc"), V("a/b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_and_folds),
		cmocka_unit_test(test_what_is_no_field),
		cmocka_unit_test(test_params),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
