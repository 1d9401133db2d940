#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct sink {
	char text[4096];
	const char *room;
	enum log_level level;
	unsigned n;
};

static void take(void *ctx, enum log_level level, const char *room, const char *text)
{
	struct sink *s = ctx;

	assert_true(strlen(text) < sizeof(s->text));
	strcpy(s->text, text);
	s->room = room;
	s->level = level;
	s->n++;
}

static const char *logged(const char *text)
{
	static struct sink s;
	struct log log = {LOG_DEBUG, take, &s};

	s.text[0] = '\0';
	log_line(&log, LOG_INFO, "test", "%s", text);
	return s.text;
}

static void test_level_and_room(void **state)
{
	struct sink s = {.n = 0};
	struct log log = {LOG_WARN, take, &s}, nowhere = {LOG_DEBUG, NULL, NULL};

	(void)state;
	log_line(&log, LOG_INFO, "sip", "unseen");
	assert_int_equal(s.n, 0);
	log_line(&log, LOG_WARN, "sip", "%d of %s", 3, "four");
	assert_int_equal(s.n, 1);
	assert_string_equal(s.text, "3 of four");
	assert_string_equal(s.room, "sip");
	assert_int_equal(s.level, LOG_WARN);
	log_line(&log, LOG_ERROR, "sip", "seen");
	assert_int_equal(s.n, 2);
	log_line(NULL, LOG_ERROR, "sip", "nowhere");
	log_line(&nowhere, LOG_ERROR, "sip", "nowhere");
}

static void test_a_peer_cannot_forge_a_line(void **state)
{
	(void)state;
	assert_string_equal(logged("a\r\nb\tc\x1b[2J\x7f"), "a\\x0d\\x0ab\\x09c\\x1b[2J\\x7f");
	assert_string_equal(logged(""), "");
	/* C1 controls, raw (as 8-bit terminals obey them) and in UTF-8, and line separators. */
	assert_string_equal(logged("\x9b"
				   "31m"),
			    "\\x9b31m");
	assert_string_equal(logged("\xc2\x85x"), "\\xc2\\x85x");
	assert_string_equal(logged("\xe2\x80\xa8\xe2\x80\xa9"), "\\xe2\\x80\\xa8\\xe2\\x80\\xa9");
	/* Right-to-left override and its like: "gpj.exe" must not read as "exe.jpg". */
	assert_string_equal(logged("\xe2\x80\xaegpj"), "\\xe2\\x80\\xaegpj");
	assert_string_equal(logged("\xe2\x81\xa6\xd8\x9c"), "\\xe2\\x81\\xa6\\xd8\\x9c");
}

static void test_letters_stay(void **state)
{
	static const char *const kept[] = {"Zo\xc3\xab",       "\xe6\x97\xa5\xe6\x9c\xac",
					   "\xf0\x9f\x98\x80", "\xc2\xa0",
					   "\xed\x9f\xbf",     "\xf4\x8f\xbf\xbf"};

	(void)state;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		assert_string_equal(logged(kept[i]), kept[i]);
}

static void test_broken_utf8_is_escaped(void **state)
{
	(void)state;
	assert_string_equal(logged("\xff"), "\\xff");
	assert_string_equal(logged("\xc3"), "\\xc3");
	assert_string_equal(logged("\xe6\x97"), "\\xe6\\x97");
	assert_string_equal(logged("\xc0\xaf"), "\\xc0\\xaf");
	assert_string_equal(logged("\xe0\x80\x8a"), "\\xe0\\x80\\x8a");
	assert_string_equal(logged("\xed\xa0\x80"), "\\xed\\xa0\\x80");
	assert_string_equal(logged("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

static void test_long_lines_are_cut(void **state)
{
	static char text[8000];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	assert_in_range(strlen(logged(text)), 500, 4000);
	memset(text, '\n', sizeof(text) - 1);
	assert_in_range(strlen(logged(text)), 500, 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_level_and_room),
		cmocka_unit_test(test_a_peer_cannot_forge_a_line),
		cmocka_unit_test(test_letters_stay),
		cmocka_unit_test(test_broken_utf8_is_escaped),
		cmocka_unit_test(test_long_lines_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
