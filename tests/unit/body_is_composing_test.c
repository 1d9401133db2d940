#include "base/error.h"
#include "body/is_composing.h"
#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define V(s) view_str(s)
#define NS   "urn:ietf:params:xml:ns:im-iscomposing"

static const char active[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			     "<isComposing xmlns=\"" NS "\"\n"
			     " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n"
			     " xsi:schemaLocation=\"" NS " iscomposing.xsd\">\n"
			     "<state> active </state><contenttype>text/plain</contenttype>\n"
			     "<refresh>90</refresh><lastactive>2026-01-27T10:43:00Z</lastactive>\n"
			     "</isComposing>";

static void test_whole_and_before_a_guard_page(void **state)
{
	struct is_composing c = {.refresh_s = 77};
	size_t n = sizeof(active) - 1;

	(void)state;
	for (size_t k = 0; k < n; k += 3) {
		assert_int_equal(is_composing_parse(view_of(guard_copy(active, k), k), &c),
				 E_SYNTAX);
		assert_int_equal(c.refresh_s, 77);
	}
	assert_int_equal(is_composing_parse(view_of(guard_copy(active, n), n), &c), 0);
	assert_true(c.active);
	assert_int_equal(c.refresh_s, 90);
	assert_string_equal(c.content_type, "text/plain");
	assert_string_equal(c.last_active, "2026-01-27T10:43:00Z");
}

static void test_round_trip(void **state)
{
	const struct is_composing cases[] = {
		{.active = true, .refresh_s = 60, .content_type = "a/b;c=\"<&>\""},
		{.active = false, .last_active = "2026-01-27T10:43:00Z"},
	};
	struct is_composing c;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < 2; i++) {
		buf_reset(&b);
		is_composing_write(&b, &cases[i]);
		assert_true(buf_ok(&b));
		assert_int_equal(is_composing_parse(buf_view(&b), &c), 0);
		assert_int_equal(c.active, cases[i].active);
		assert_int_equal(c.refresh_s, cases[i].refresh_s);
		assert_string_equal(c.content_type, cases[i].content_type);
		assert_string_equal(c.last_active, cases[i].last_active);
	}
	buf_fini(&b);
}

#define OPEN  "<isComposing xmlns='" NS "'>"
#define CLOSE "</isComposing>"

static void test_odd_and_hostile_documents(void **state)
{
	struct is_composing c;
	struct buf b;

	(void)state;
	assert_int_equal(is_composing_parse(V(OPEN CLOSE), &c), E_SYNTAX);
	assert_int_equal(
		is_composing_parse(V("<isComposing><state>idle</state></isComposing>"), &c),
		E_SYNTAX);
	assert_int_equal(
		is_composing_parse(V(OPEN "<state>gone</state><refresh>-1</refresh>" CLOSE), &c),
		0);
	assert_false(c.active);
	assert_int_equal(c.refresh_s, 0);
	assert_int_equal(is_composing_parse(V("<!DOCTYPE x [<!ENTITY a 'active'>]>" OPEN
					      "<state>&a;</state>" CLOSE),
					    &c),
			 E_DENIED);
	assert_int_equal(
		is_composing_parse(V(OPEN "<state/><a><a><a><a><a><a><a><a/></a></a></a></a>"
					  "</a></a></a>" CLOSE),
				   &c),
		E_RANGE);
	buf_init(&b, 65536);
	for (size_t n = IS_COMPOSING_TEXT_MAX - 2; n <= IS_COMPOSING_TEXT_MAX; n++) {
		buf_reset(&b);
		buf_puts(&b, OPEN "<state>idle</state><contenttype>");
		for (size_t i = 0; i < n; i++)
			buf_putc(&b, 'x');
		buf_puts(&b, "</contenttype>" CLOSE);
		assert_int_equal(is_composing_parse(buf_view(&b), &c),
				 n < IS_COMPOSING_TEXT_MAX ? 0 : E_LIMIT);
	}
	buf_reset(&b);
	buf_puts(&b, OPEN "<state>idle</state>" CLOSE);
	while (buf_ok(&b) && b.n < IS_COMPOSING_BYTES_MAX)
		buf_putc(&b, ' ');
	assert_int_equal(is_composing_parse(buf_view(&b), &c), 0);
	buf_putc(&b, ' ');
	assert_int_equal(is_composing_parse(buf_view(&b), &c), E_RANGE);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_and_before_a_guard_page),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_odd_and_hostile_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
