#include "base/error.h"
#include "body/resource_lists.h"
#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define V(s)  view_str(s)
#define NS    "urn:ietf:params:xml:ns:resource-lists"
#define OPEN  "<resource-lists xmlns=\"" NS "\"><list>"
#define CLOSE "</list></resource-lists>"

static void assert_view(struct view v, const char *want)
{
	char text[2048];

	assert_true(view_copy(v, text, sizeof(text)));
	assert_string_equal(text, want);
}

static const char prefixed[] =
	"  \r\n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<p1:resource-lists xmlns:p1=\"" NS "\" xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\">\n"
	" <!-- people -->"
	" <p1:list name=\"a\">\n"
	"  <p1:entry uri=\"sip:bill@example.com?a=b&amp;c=&#60;\" cp:copyControl=\"to\"/>\n"
	"  <p1:list><p1:list><p1:entry uri='sip:bo@example.com' cp:copyControl='cc'"
	" cp:anonymize='true' cp:count='3'><p1:display-name xml:lang='en'> B&amp;<![CDATA[<o>]]> "
	"</p1:display-name></p1:entry></p1:list></p1:list>\n"
	"  <x:entry xmlns:x='urn:x' uri='sip:not@ours'/>"
	"  <p1:entry-ref ref=\"x\"/><p1:external anchor=\"http://example.com/x\"/>"
	"  <p1:entry uri=\"sip:bill@example.com\" cp:copyControl=\"bcc\" cp:anonymize=\"false\"/>\n"
	" </p1:list>\n"
	" <p1:list><p1:entry uri=\"tel:+1\"/></p1:list>"
	"</p1:resource-lists>\n";

static void check_prefixed(struct view xml)
{
	struct resource_list l;
	const struct resource_entry *e;

	assert_int_equal(resource_lists_parse(xml, NULL, &l), 0);
	assert_int_equal(l.n, 4);
	assert_true(l.unsupported);
	e = l.entries;
	assert_view(e[0].uri, "sip:bill@example.com?a=b&c=<");
	assert_int_equal(e[0].uri.p[e[0].uri.n], 0);
	assert_int_equal(e[0].copy, RESOURCE_COPY_TO);
	assert_false(e[0].anonymize);
	assert_int_equal(e[0].count, 1);
	assert_view(e[1].uri, "sip:bo@example.com");
	assert_int_equal(e[1].copy, RESOURCE_COPY_CC);
	assert_true(e[1].anonymize);
	assert_int_equal(e[1].count, 3);
	assert_view(e[1].display, "B&<o>");
	assert_true(e[2].has_copy);
	assert_false(e[2].anonymize);
	assert_view(e[3].uri, "tel:+1");
	assert_int_equal(e[3].copy, RESOURCE_COPY_BCC);
	assert_false(e[3].has_copy);
	resource_list_free(&l);
	resource_list_free(&l);
	resource_list_free(NULL);
}

static void test_CF_9_3_2__prefixed_and_nested_lists(void **state)
{
	size_t n = sizeof(prefixed) - 1;

	(void)state;
	check_prefixed(V(prefixed));
	check_prefixed(view_of(guard_copy(prefixed, n), n));
}

static void test_every_prefix_is_broken_and_stays_inside(void **state)
{
	struct resource_list l = {.n = 77};
	size_t whole = sizeof(prefixed) - 2;

	(void)state;
	for (size_t n = 0; n < whole; n += 5) {
		assert_int_equal(
			resource_lists_parse(view_of(guard_copy(prefixed, n), n), NULL, &l),
			E_SYNTAX);
		assert_int_equal(l.n, 77);
	}
}

/* The example of the source's appendix, as it stands and without its stray quote. */
static void test_R_6__the_example_of_the_source(void **state)
{
	struct resource_list l;

	(void)state;
	assert_int_equal(
		resource_lists_parse(
			V("   <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n"
			  "   <resource-lists xmlns=\"" NS "\"\n\n"
			  "    xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n"
			  "<list><entry uri=\"sip:bill@example.com\" />\n"
			  "<entry uri=\"bob@biloxi.com;method=INVITE?Replaces: "
			  "a84b4c76e66710;to-tag=1928301774;from-tag= a6c85cf \" /\" />\n" CLOSE),
			NULL, &l),
		E_SYNTAX);
	assert_int_equal(
		resource_lists_parse(
			V("   <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n"
			  "   <resource-lists xmlns=\"" NS "\"\n\n"
			  "    xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n"
			  "<list><entry uri=\"sip:bill@example.com\" />\n"
			  "<entry uri=\"bob@biloxi.com;method=INVITE?Replaces: "
			  "a84b4c76e66710;to-tag=1928301774;from-tag= a6c85cf \" />\n" CLOSE),
			NULL, &l),
		0);
	assert_int_equal(l.n, 2);
	assert_view(l.entries[1].uri, "bob@biloxi.com;method=INVITE?Replaces: "
				      "a84b4c76e66710;to-tag=1928301774;from-tag= a6c85cf ");
	resource_list_free(&l);
}

static void test_broken_and_hostile_documents(void **state)
{
	static const struct {
		const char *xml;
		int rc;
	} cases[] = {
		{"", E_SYNTAX},
		{"  ", E_SYNTAX},
		{"hello", E_SYNTAX},
		{"<list/>", E_SYNTAX},
		{"<resource-lists/>", E_SYNTAX},
		{"<p:resource-lists/>", E_SYNTAX},
		{OPEN "<entry/>" CLOSE, E_SYNTAX},
		{OPEN "<entry uri=' '/>" CLOSE, E_SYNTAX},
		{OPEN "<entry uri='a' uri='b'/>" CLOSE, E_SYNTAX},
		{OPEN "<entry uri='&x;'/>" CLOSE, E_SYNTAX},
		{OPEN "<entry uri='&#1;'/>" CLOSE, E_SYNTAX},
		{OPEN "<entry uri='\xff'/>" CLOSE, E_SYNTAX},
		{OPEN "<entry uri='a\001'/>" CLOSE, E_SYNTAX},
		{OPEN CLOSE "<x/>", E_SYNTAX},
		/* What it declares is not what it is: never a table of iconv. */
		{"<?xml version='1.0' encoding='ISO-8859-1'?>" OPEN "<entry uri='\xe9'/>" CLOSE,
		 E_SYNTAX},
		{"<?xml version='1.0' encoding='no-such'?>" OPEN CLOSE, 0},
		{OPEN CLOSE, 0},
		{OPEN CLOSE "<?pi?><!-- end -->", 0},
		{"<!DOCTYPE resource-lists>" OPEN CLOSE, E_DENIED},
		{"<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'>" OPEN CLOSE, E_DENIED},
		{"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>" OPEN
		 "<entry uri='sip:a@b'><display-name>&e;</display-name></entry>" CLOSE,
		 E_DENIED},
		{"<!DOCTYPE x [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]>" OPEN CLOSE,
		 E_DENIED},
		{"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>"
		 "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>"
		 "<!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;'><!ENTITY f "
		 "'&e;&e;&e;&e;&e;&e;&e;&e;'>]>" OPEN "<entry uri='&f;'/>" CLOSE,
		 E_DENIED},
	};
	struct resource_list l;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(resource_lists_parse(V(cases[i].xml), NULL, &l), cases[i].rc);
		if (!cases[i].rc)
			resource_list_free(&l);
	}
	assert_int_equal(resource_lists_parse(view_of(OPEN "\0" CLOSE, sizeof(OPEN "\0" CLOSE) - 1),
					      NULL, &l),
			 E_SYNTAX);
	/* UTF-16 with its mark. */
	assert_int_equal(resource_lists_parse(view_of("\xff\xfe<\0a\0/\0>\0", 10), NULL, &l),
			 E_SYNTAX);
}

static void test_caps(void **state)
{
	struct buf b;
	struct resource_list l;
	struct resource_limits limits = {.max_entries = 5};

	(void)state;
	buf_init(&b, 1 << 20);
	for (size_t n = 4; n <= 6; n++) {
		buf_reset(&b);
		buf_puts(&b, OPEN);
		for (size_t i = 0; i < n; i++)
			buf_puts(&b, "<entry uri=\"a\"/>");
		buf_puts(&b, CLOSE);
		assert_int_equal(resource_lists_parse(buf_view(&b), &limits, &l),
				 n > 5 ? E_LIMIT : 0);
		if (n <= 5) {
			assert_int_equal(l.n, n);
			resource_list_free(&l);
		}
	}
	/* The root is one level. */
	limits = (struct resource_limits){.max_depth = 7};
	for (size_t n = 6; n <= 8; n++) {
		buf_reset(&b);
		buf_puts(&b, "<resource-lists xmlns=\"" NS "\">");
		for (size_t i = 1; i < n; i++)
			buf_puts(&b, "<list>");
		for (size_t i = 1; i < n; i++)
			buf_puts(&b, "</list>");
		buf_puts(&b, "</resource-lists>");
		assert_int_equal(resource_lists_parse(buf_view(&b), &limits, &l),
				 n > 7 ? E_RANGE : 0);
		if (n <= 7)
			resource_list_free(&l);
	}
	limits = (struct resource_limits){.max_bytes = strlen(OPEN CLOSE)};
	assert_int_equal(resource_lists_parse(V(OPEN CLOSE), &limits, &l), 0);
	resource_list_free(&l);
	assert_int_equal(resource_lists_parse(V(OPEN CLOSE " "), &limits, &l), E_RANGE);
	/* A hundred thousand levels, not closed. */
	buf_reset(&b);
	while (buf_ok(&b) && b.n < 60000)
		buf_puts(&b, "<a>");
	assert_int_equal(resource_lists_parse(buf_view(&b), NULL, &l), E_RANGE);
	buf_fini(&b);
}

static void test_IC_7_1_2_3__round_trip(void **state)
{
	const struct resource_entry entries[] = {
		{.uri = V("sip:bo@example.com;method=INVITE?Replaces=1%40x%3Bto-tag%3Da&b=\"c\"'"),
		 .display = V("Bo <&>\t\xc3\xa9"),
		 .copy = RESOURCE_COPY_TO},
		{.uri = V("sip:cy@example.com"),
		 .copy = RESOURCE_COPY_CC,
		 .anonymize = true,
		 .count = 4},
		{.uri = V(" \r\n\tsip:x "), .copy = RESOURCE_COPY_BCC},
	};
	struct resource_list l;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (int with = 0; with < 2; with++) {
		buf_reset(&b);
		resource_lists_write(&b, entries, 3, with);
		assert_true(buf_ok(&b));
		assert_int_equal(resource_lists_parse(buf_view(&b), NULL, &l), 0);
		assert_int_equal(l.n, 3);
		for (size_t i = 0; i < 3; i++) {
			assert_true(view_eq(l.entries[i].uri, entries[i].uri));
			assert_true(view_eq(l.entries[i].display, entries[i].display));
			assert_int_equal(l.entries[i].has_copy, with);
			assert_int_equal(l.entries[i].copy, with ? entries[i].copy : 0);
			assert_int_equal(l.entries[i].anonymize, with && entries[i].anonymize);
		}
		assert_int_equal(l.entries[1].count, with ? 4 : 1);
		resource_list_free(&l);
	}
	buf_fini(&b);
}

static void test_R_5__history_hides_blind_and_anonymous(void **state)
{
	const struct resource_entry entries[] = {
		{.uri = V("sip:a@x"), .copy = RESOURCE_COPY_TO, .anonymize = true},
		{.uri = V("sip:b@x"), .copy = RESOURCE_COPY_TO},
		{.uri = V("sip:c@x"), .copy = RESOURCE_COPY_BCC},
		{.uri = V("sip:d@x"),
		 .copy = RESOURCE_COPY_TO,
		 .anonymize = true,
		 .display = V("D")},
		{.uri = V("sip:e@x"), .copy = RESOURCE_COPY_CC, .anonymize = true},
	};
	struct resource_list l;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	resource_lists_write_history(&b, entries, 5);
	assert_true(buf_ok(&b));
	assert_int_equal(resource_lists_parse(buf_view(&b), NULL, &l), 0);
	assert_int_equal(l.n, 3);
	assert_view(l.entries[0].uri, "sip:b@x");
	assert_view(l.entries[1].uri, "sip:anonymous@anonymous.invalid");
	assert_int_equal(l.entries[1].copy, RESOURCE_COPY_TO);
	assert_int_equal(l.entries[1].count, 2);
	assert_view(l.entries[2].uri, "sip:anonymous@anonymous.invalid");
	assert_int_equal(l.entries[2].copy, RESOURCE_COPY_CC);
	assert_int_equal(view_find_view(buf_view(&b), V("sip:a@x"), 0), b.n);
	assert_int_equal(view_find_view(buf_view(&b), V("sip:c@x"), 0), b.n);
	assert_int_equal(view_find_view(buf_view(&b), V(">D<"), 0), b.n);
	resource_list_free(&l);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_CF_9_3_2__prefixed_and_nested_lists),
		cmocka_unit_test(test_every_prefix_is_broken_and_stays_inside),
		cmocka_unit_test(test_R_6__the_example_of_the_source),
		cmocka_unit_test(test_broken_and_hostile_documents),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_IC_7_1_2_3__round_trip),
		cmocka_unit_test(test_R_5__history_hides_blind_and_anonymous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
