#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "config/file.h"
#include "guard_page.h"

struct bound {
	uint32_t threads;
	char domain[OPTION_TEXT_MAX];
};

static const struct option_spec specs[] = {
	{"msrp.threads", OPTION_U32, offsetof(struct bound, threads), "2", 1, 64, NULL, "Threads."},
	{"sip.domain", OPTION_STRING, offsetof(struct bound, domain), "", 0, 0, NULL, "Domain."},
};
static const struct option_table table = {"prog", "prog.conf", specs, 2};

static struct bound bound;
static struct config_lines lines;
static struct config_mistakes mistakes;

static int setup(void **state)
{
	(void)state;
	memset(&lines, 0, sizeof(lines));
	memset(&mistakes, 0, sizeof(mistakes));
	return option_defaults(&table, &bound, sizeof(bound));
}

static int read_bytes(const char *text, size_t n)
{
	return config_text_read(&table, view_of(guard_copy(text, n), n), &bound, &lines, &mistakes);
}

static int read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void test_keys_comments_and_blank_lines(void **state)
{
	(void)state;
	assert_int_equal(read_text("\xef\xbb\xbf# head\r\n\r\n  msrp.threads=8   # eight\r\n"
				   "\tsip.domain =  example.org"),
			 0);
	assert_int_equal(mistakes.total, 0);
	assert_int_equal(bound.threads, 8);
	assert_string_equal(bound.domain, "example.org");
	assert_int_equal(config_line_of(&table, &lines, "msrp.threads"), 3);
	assert_int_equal(config_line_of(&table, &lines, "sip.domain"), 4);
	assert_int_equal(config_line_of(&table, &lines, "no.such"), 0);
}

static void test_an_empty_file_leaves_the_defaults(void **state)
{
	(void)state;
	assert_int_equal(read_text(""), 0);
	assert_int_equal(bound.threads, 2);
	assert_int_equal(config_line_of(&table, &lines, "msrp.threads"), 0);
}

static void test_quotes_keep_a_hash(void **state)
{
	(void)state;
	assert_int_equal(read_text("sip.domain = \"a # b\" # c"), 0);
	assert_string_equal(bound.domain, "a # b");
	setup(NULL);
	assert_int_equal(read_text("sip.domain = a#b"), 0);
	assert_string_equal(bound.domain, "a#b");
	setup(NULL);
	assert_int_equal(read_text("sip.domain = \"\""), 0);
	assert_string_equal(bound.domain, "");
	setup(NULL);
	assert_int_equal(read_text("sip.domain = \"a"), E_SYNTAX);
	assert_int_equal(read_text("\nsip.domain = \""), E_SYNTAX);
	assert_string_equal(mistakes.text[0],
			    "line 1: sip.domain: quotes must stand around the whole value");
}

static void test_every_mistake_has_its_line_and_key(void **state)
{
	static const char *const expected[] = {
		"line 1: msrp.threads: 99 is out of range 1..64",
		"line 2: msrp.thread: there is no such key; did you mean msrp.threads?",
		"line 3: colour: there is no such key",
		"line 4: there are no sections: write section.key = value",
		"line 5: is not of the form key = value",
		"line 6: is not of the form key = value",
		"line 8: sip.domain: is set already in line 7",
		"line 9: msrp.threads: is set already in line 1",
	};

	(void)state;
	assert_int_equal(read_text("msrp.threads = 99\nmsrp.thread = 3\ncolour = red\n[msrp]\n"
				   "hello\n= 5\nsip.domain = a\nsip.domain = b\n"
				   "msrp.threads = 3\n"),
			 E_SYNTAX);
	assert_int_equal(mistakes.total, sizeof(expected) / sizeof(*expected));
	for (size_t i = 0; i < mistakes.n; i++)
		assert_string_equal(mistakes.text[i], expected[i]);
	assert_string_equal(bound.domain, "a");
	assert_int_equal(bound.threads, 2);
}

static void test_a_nul_byte_is_a_mistake(void **state)
{
	static const char text[] = "sip.domain = a\0b\nmsrp.threads = 4";

	(void)state;
	assert_int_equal(read_bytes(text, sizeof(text) - 1), E_SYNTAX);
	assert_string_equal(mistakes.text[0], "line 1: holds a NUL byte");
	assert_int_equal(bound.threads, 4);
	assert_string_equal(bound.domain, "");
}

static void test_mistakes_are_capped_but_counted(void **state)
{
	char text[8 * 100 + 1];

	(void)state;
	for (size_t i = 0; i < 100; i++)
		memcpy(text + 8 * i, "nothing\n", 8);
	assert_int_equal(read_bytes(text, 800), E_SYNTAX);
	assert_int_equal(mistakes.n, CONFIG_MISTAKES_MAX);
	assert_int_equal(mistakes.total, 100);
	assert_string_equal(mistakes.text[CONFIG_MISTAKES_MAX - 1],
			    "line 32: is not of the form key = value");
}

static void test_a_long_hostile_key_is_cut_and_cleaned(void **state)
{
	char text[4000];

	(void)state;
	memset(text, 'k', sizeof(text));
	text[1] = '\x1b';
	memcpy(text + sizeof(text) - 3, "= 1", 3);
	assert_int_equal(read_bytes(text, sizeof(text)), E_SYNTAX);
	assert_memory_equal(mistakes.text[0], "line 1: k?kk", 12);
	assert_true(strlen(mistakes.text[0]) < 120);
}

static void test_a_setting_of_the_command_line_goes_over_the_file(void **state)
{
	(void)state;
	assert_int_equal(read_text("msrp.threads = 8"), 0);
	assert_int_equal(config_setting_read(&table, VIEW("msrp.threads=9"), &bound, &mistakes), 0);
	assert_int_equal(bound.threads, 9);
	assert_int_equal(config_setting_read(&table, VIEW("msrp.threads=x"), &bound, &mistakes),
			 E_SYNTAX);
	assert_string_equal(mistakes.text[0], "msrp.threads: x is not a number");
	assert_int_equal(config_setting_read(&table, VIEW("msrp.threads"), &bound, &mistakes),
			 E_SYNTAX);
	assert_int_equal(mistakes.total, 2);
}

static void test_a_file_is_read_and_capped(void **state)
{
	char path[] = "/tmp/confab-config-XXXXXX";
	int fd = mkstemp(path);
	FILE *file;

	(void)state;
	assert_true(fd >= 0);
	file = fdopen(fd, "w");
	assert_non_null(file);
	assert_true(fputs("msrp.threads = 12\n", file) >= 0);
	assert_int_equal(fflush(file), 0);
	assert_int_equal(config_file_read(&table, path, &bound, &lines, &mistakes), 0);
	assert_int_equal(bound.threads, 12);
	assert_int_equal(ftruncate(fd, CONFIG_FILE_MAX + 1), 0);
	assert_int_equal(config_file_read(&table, path, &bound, &lines, &mistakes), E_LIMIT);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(unlink(path), 0);
	setup(NULL);
	assert_int_equal(config_file_read(&table, path, &bound, &lines, &mistakes), E_IO);
	assert_non_null(strstr(mistakes.text[0], "No such file"));
	setup(NULL);
	assert_int_equal(config_file_read(&table, "/", &bound, &lines, &mistakes), E_IO);
	assert_int_equal(mistakes.total, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_keys_comments_and_blank_lines, setup),
		cmocka_unit_test_setup(test_an_empty_file_leaves_the_defaults, setup),
		cmocka_unit_test_setup(test_quotes_keep_a_hash, setup),
		cmocka_unit_test_setup(test_every_mistake_has_its_line_and_key, setup),
		cmocka_unit_test_setup(test_a_nul_byte_is_a_mistake, setup),
		cmocka_unit_test_setup(test_mistakes_are_capped_but_counted, setup),
		cmocka_unit_test_setup(test_a_long_hostile_key_is_cut_and_cleaned, setup),
		cmocka_unit_test_setup(test_a_setting_of_the_command_line_goes_over_the_file,
				       setup),
		cmocka_unit_test_setup(test_a_file_is_read_and_capped, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
