#include "base/error.h"
#include "body/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <fcntl.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libxml/xmlmemory.h>

#define V(s) view_str(s)

static void assert_view(struct view v, const char *want)
{
	char text[256];

	assert_true(view_copy(v, text, sizeof(text)));
	assert_string_equal(text, want);
}

static void test_writer_escapes_and_replaces(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 256);
	xml_put(&b, V("a<b>&\"'\t\r\n"));
	assert_view(buf_view(&b), "a&lt;b&gt;&amp;&quot;'&#9;&#13;&#10;");
	buf_reset(&b);
	/* Control bytes, a lone continuation, too long a form, a surrogate, beyond Unicode, U+FFFE,
	 * a character that is cut off. */
	xml_put(&b, view_of("\0\x01\x80", 3));
	assert_view(buf_view(&b), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	buf_reset(&b);
	xml_put(&b, V("\xc0\xaf"));
	assert_view(buf_view(&b), "\xef\xbf\xbd\xef\xbf\xbd");
	buf_reset(&b);
	xml_put(&b, V("\xed\xa0\x80|\xf4\x90\x80\x80|\xef\xbf\xbe|\xf8|\xc3"));
	assert_view(buf_view(&b), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
				  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
				  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd");
	buf_reset(&b);
	xml_put(&b, V("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f"));
	assert_view(buf_view(&b), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f");
	buf_fini(&b);
}

/* Every character that the writer lets out must be read again. */
static void test_what_is_written_is_read(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (unsigned c = 0; c < 256; c++) {
		char text[3] = {(char)c, 'x', (char)c};
		xmlDocPtr doc = NULL;

		buf_reset(&b);
		buf_puts(&b, "<a");
		xml_put_attr(&b, "b", view_of(text, 3));
		buf_puts(&b, ">");
		xml_put_element(&b, "c", view_of(text, 3));
		buf_puts(&b, "</a>");
		assert_int_equal(xml_parse(buf_view(&b), 4096, 4, &doc), 0);
		if (c >= 9 && c < 128 && (c >= 32 || c == 9 || c == 10 || c == 13))
			assert_true(view_eq(xml_attr(xmlDocGetRootElement(doc), NULL, "b", NULL),
					    view_of(text, 3)));
		xmlFreeDoc(doc);
	}
	buf_fini(&b);
}

/* Broken documents must not make the library print. */
static void test_nothing_is_printed(void **state)
{
	static const char *const broken[] = {"<a",	   "<a b=>",	   "<p:a/>",
					     "<a>&x;</a>", "<!DOCTYPE a>", "<a>\xff</a>"};
	char path[] = "/tmp/body_xml_testXXXXXX";
	int file = mkstemp(path), saved = dup(STDERR_FILENO), rc = 0;
	xmlDocPtr doc = NULL;
	off_t printed;

	(void)state;
	assert_true(file >= 0 && saved >= 0);
	(void)unlink(path);
	(void)dup2(file, STDERR_FILENO);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		rc |= xml_parse(V(broken[i]), 4096, 4, &doc) ? 0 : 1;
	(void)dup2(saved, STDERR_FILENO);
	printed = lseek(file, 0, SEEK_END);
	(void)close(saved);
	(void)close(file);
	assert_int_equal(rc, 0);
	assert_int_equal(printed, 0);
}

static size_t left;

static void *short_malloc(size_t n)
{
	return left && left-- ? malloc(n) : NULL;
}

static void *short_realloc(void *p, size_t n)
{
	return left && left-- ? realloc(p, n) : NULL;
}

static char *short_strdup(const char *s)
{
	return left && left-- ? strdup(s) : NULL;
}

static void quiet(void *ctx, const char *text, ...)
{
	(void)ctx;
	(void)text;
}

/* Memory that runs out at any point costs the document, nothing else. */
static void test_each_allocation_may_fail(void **state)
{
	xmlGenericErrorFunc silent = quiet;
	int rc = E_NOMEM;

	(void)state;
	initGenericErrorDefaultFunc(&silent);
	for (size_t n = 0; n < 400 && rc; n++) {
		xmlDocPtr doc = NULL;

		left = n;
		(void)xmlMemSetup(free, short_malloc, short_realloc, short_strdup);
		rc = xml_parse(V("<a xmlns='u' xmlns:p='v'><p:b p:c='d &amp; "
				 "e'>text<![CDATA[x]]></p:b></a>"),
			       4096, 4, &doc);
		(void)xmlMemSetup(free, malloc, realloc, strdup);
		if (rc == 0)
			xmlFreeDoc(doc);
		else
			assert_null(doc);
	}
	initGenericErrorDefaultFunc(NULL);
	assert_int_equal(rc, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writer_escapes_and_replaces),
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_nothing_is_printed),
		cmocka_unit_test(test_each_allocation_may_fail),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
