#include "admin/trace.h"

#include "base/error.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], path[96];

static int folder_make(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/confab-trace-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/trace", folder);
	return 0;
}

static int folder_remove(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(folder);
}

/* The lines of the file, parsed: an array. line_bytes_out: the longest line with its end. */
static json_t *lines_read(size_t *longest_out)
{
	FILE *f = fopen(path, "re");
	json_t *all = json_array();
	size_t size = 0, longest = 0;
	char *line = NULL;
	ssize_t n;

	assert_non_null(f);
	while ((n = getline(&line, &size, f)) > 0) {
		json_t *one = json_loadb(line, (size_t)n, JSON_ALLOW_NUL, NULL);

		assert_int_equal(line[n - 1], '\n');
		assert_non_null(one);
		(void)json_array_append_new(all, one);
		if ((size_t)n > longest)
			longest = (size_t)n;
	}
	free(line);
	(void)fclose(f);
	if (longest_out)
		*longest_out = longest;
	return all;
}

static const char *text_in(json_t *line, const char *key)
{
	const char *s = json_string_value(json_object_get(line, key));

	assert_non_null(s);
	return s;
}

static void test_a_line_has_every_field(void **state)
{
	struct trace *t;
	json_t *all, *line;
	double at;

	(void)state;
	assert_int_equal(trace_open(path, "ann", &t), 0);
	trace_write(t, '>', "sip", "tcp", "127.0.0.1:40000", "[::1]:5060", VIEW("A\r\n\r\n"));
	trace_close(t);
	all = lines_read(NULL);
	assert_int_equal(json_array_size(all), 1);
	line = json_array_get(all, 0);
	assert_string_equal(text_in(line, "who"), "ann");
	assert_string_equal(text_in(line, "dir"), ">");
	assert_string_equal(text_in(line, "proto"), "sip");
	assert_string_equal(text_in(line, "transport"), "tcp");
	assert_string_equal(text_in(line, "local"), "127.0.0.1:40000");
	assert_string_equal(text_in(line, "remote"), "[::1]:5060");
	assert_string_equal(text_in(line, "bytes"), "A\r\n\r\n");
	assert_null(json_object_get(line, "cut"));
	at = json_real_value(json_object_get(line, "t"));
	assert_true(at > 1.7e9 && at < 1e11);
	json_decref(all);
}

static void test_every_byte_comes_back(void **state)
{
	char bytes[256];
	struct trace *t;
	json_t *all, *text;
	const uint8_t *p;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	assert_int_equal(trace_open(path, "a\"\n\\b", &t), 0);
	trace_write(t, '<', "msrp", "tcp", "", "", view_of(bytes, sizeof(bytes)));
	trace_close(t);
	all = lines_read(NULL);
	assert_string_equal(text_in(json_array_get(all, 0), "who"), "a\"\n\\b");
	text = json_object_get(json_array_get(all, 0), "bytes");
	p = (const uint8_t *)json_string_value(text);
	/* UTF-8 of U+0000 to U+00FF. */
	assert_int_equal(json_string_length(text), 128 + 2 * 128);
	for (size_t i = 0; i < json_string_length(text); i++, n++) {
		unsigned c = p[i];

		if (c >= 0x80)
			c = (c & 3) << 6 | (p[++i] & 0x3f);
		assert_int_equal(c, n);
	}
	assert_int_equal(n, 256);
	json_decref(all);
}

static void test_a_long_message_is_cut(void **state)
{
	static char bytes[TRACE_LINE_MAX];
	struct trace *t;
	json_t *all, *line;
	size_t longest;

	(void)state;
	assert_int_equal(trace_open(path, "ann", &t), 0);
	memset(bytes, 'x', sizeof(bytes));
	trace_write(t, '>', "msrp", "tcp", "l", "r", view_of(bytes, sizeof(bytes)));
	memset(bytes, 0xff, sizeof(bytes));
	trace_write(t, '>', "msrp", "tcp", "l", "r", view_of(bytes, sizeof(bytes)));
	trace_write(t, '>', "msrp", "tcp", "l", "r", view_of(bytes, TRACE_LINE_MAX / 7));
	trace_close(t);
	all = lines_read(&longest);
	assert_int_equal(json_array_size(all), 3);
	assert_true(longest <= TRACE_LINE_MAX && longest > TRACE_LINE_MAX - 128);
	for (size_t i = 0; i < 2; i++) {
		line = json_array_get(all, i);
		assert_true(json_is_true(json_object_get(line, "cut")));
		assert_int_equal(json_integer_value(json_object_get(line, "size")), TRACE_LINE_MAX);
	}
	assert_null(json_object_get(json_array_get(all, 2), "cut"));
	json_decref(all);
}

enum { WRITERS = 4, LINES = 500 };

static void *writer(void *trace)
{
	char bytes[700];

	memset(bytes, 'y', sizeof(bytes));
	for (size_t i = 0; i < LINES; i++)
		trace_write(trace, '>', "sip", "udp", "l", "r", view_of(bytes, 100 + i));
	return NULL;
}

static void test_lines_of_threads_do_not_mix(void **state)
{
	pthread_t thread[WRITERS];
	struct trace *t[2];
	json_t *all;

	(void)state;
	/* Two that are open on one file, as two programs would be. */
	assert_int_equal(trace_open(path, "ann", &t[0]), 0);
	assert_int_equal(trace_open(path, "bo", &t[1]), 0);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, writer, t[i % 2]), 0);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	trace_close(t[0]);
	trace_close(t[1]);
	all = lines_read(NULL);
	assert_int_equal(json_array_size(all), WRITERS * LINES);
	json_decref(all);
}

static void test_what_cannot_be_opened_is_told(void **state)
{
	struct trace *t;

	(void)state;
	assert_int_equal(trace_open("", "ann", &t), E_MISSING);
	assert_int_equal(trace_open(NULL, "ann", &t), E_MISSING);
	assert_int_equal(trace_open("/nowhere/at/all", "ann", &t), E_NOTFOUND);
	assert_int_equal(trace_open(folder, "ann", &t), E_IO);
	trace_write(NULL, '>', "sip", "udp", "l", "r", VIEW("x"));
	trace_close(NULL);
}

/* It holds what people said: it is not for everybody. */
static void test_others_may_not_read_it(void **state)
{
	struct trace *t;
	struct stat st;

	(void)state;
	assert_int_equal(trace_open(path, "ann", &t), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07, 0);
	trace_close(t);
}

/* A disk that is full in the middle of a line: what is written once there is room is a line again.
 */
static void test_a_full_disk_cuts_no_later_line(void **state)
{
	struct rlimit before, full;
	struct stat st;
	struct trace *t;
	size_t whole = 0, lines = 0, size = 0;
	char *line = NULL;
	FILE *f;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(trace_open(path, "ann", &t), 0);
	trace_write(t, '>', "sip", "udp", "l", "r", VIEW("one"));
	assert_int_equal(stat(path, &st), 0);
	full = (struct rlimit){(rlim_t)st.st_size + 10, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	trace_write(t, '>', "sip", "udp", "l", "r", VIEW("cut"));
	trace_write(t, '>', "sip", "udp", "l", "r", VIEW("lost"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	trace_write(t, '>', "sip", "udp", "l", "r", VIEW("two"));
	trace_write(t, '>', "sip", "udp", "l", "r", VIEW("three"));
	trace_close(t);
	f = fopen(path, "re");
	assert_non_null(f);
	for (ssize_t n; (n = getline(&line, &size, f)) > 0; lines++) {
		json_t *one = json_loadb(line, (size_t)n, JSON_ALLOW_NUL, NULL);

		whole += one != NULL;
		json_decref(one);
	}
	free(line);
	(void)fclose(f);
	assert_int_equal(lines, 4);
	assert_int_equal(whole, 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_line_has_every_field),	   TEST(test_every_byte_comes_back),
		TEST(test_a_long_message_is_cut),	   TEST(test_lines_of_threads_do_not_mix),
		TEST(test_what_cannot_be_opened_is_told),  TEST(test_others_may_not_read_it),
		TEST(test_a_full_disk_cuts_no_later_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
