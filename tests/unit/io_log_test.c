#include "io/log.h"

#include "base/error.h"
#include "io/mailbox.h"
#include "io/signal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WRITERS = 3, LINES_EACH = 500 };

static char folder[40], path[64], moved[64];

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/io_log_test.%d", (int)getpid());
	if (mkdir(folder, 0700))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/log", folder);
	(void)snprintf(moved, sizeof(moved), "%s/log.1", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(moved);
	return rmdir(folder);
}

static int start_clean(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(moved);
	return 0;
}

/* The lines of a file; each must have the form of the header. */
static unsigned count(const char *file, char *last)
{
	char line[4096], room[32], level[32], text[4096];
	unsigned year, month, day, hour, minute, second, ms, n = 0;
	FILE *f = fopen(file, "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		assert_int_equal(
			sscanf(line, "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ %31s %31[^:]: %4000[^\n]", &year,
			       &month, &day, &hour, &minute, &second, &ms, level, room, text),
			10);
		assert_in_range(year, 2020, 2200);
		strcpy(last, text);
		n++;
	}
	assert_int_equal(fclose(f), 0);
	return n;
}

static void test_appends_lines_of_its_level(void **state)
{
	struct io_log l;
	char last[4096];

	(void)state;
	assert_int_equal(io_log_open(&l, path, LOG_INFO), 0);
	log_line(&l.log, LOG_INFO, "sip", "one");
	log_line(&l.log, LOG_DEBUG, "sip", "unseen");
	io_log_close(&l);
	io_log_close(&l);
	assert_int_equal(io_log_open(&l, path, LOG_DEBUG), 0);
	log_line(&l.log, LOG_DEBUG, "msrp", "two %d", 2);
	io_log_close(&l);
	assert_int_equal(count(path, last), 2);
	assert_string_equal(last, "two 2");
}

static void test_reopen_follows_rotation(void **state)
{
	struct io_log l;
	char last[4096];

	(void)state;
	assert_int_equal(io_log_open(&l, path, LOG_INFO), 0);
	log_line(&l.log, LOG_INFO, "sip", "old");
	assert_int_equal(rename(path, moved), 0);
	log_line(&l.log, LOG_INFO, "sip", "still old");
	assert_int_equal(io_log_reopen(&l), 0);
	log_line(&l.log, LOG_INFO, "sip", "new");
	io_log_close(&l);
	assert_int_equal(count(moved, last), 2);
	assert_int_equal(count(path, last), 1);
	assert_string_equal(last, "new");
}

static void test_failures(void **state)
{
	struct io_log l;

	(void)state;
	assert_int_equal(io_log_open(&l, "/nowhere/at/all", LOG_INFO), E_IO);
	io_log_close(&l);
	assert_int_equal(io_log_open(&l, NULL, LOG_INFO), 0);
	assert_int_equal(l.fd, STDERR_FILENO);
	assert_int_equal(io_log_reopen(&l), 0);
	io_log_close(&l);
	/* Standard error is still open. */
	assert_true(fcntl(STDERR_FILENO, F_GETFD) >= 0);
}

/* A disk that is full in the middle of a line: what is written once there is room is a line again.
 */
static void test_a_full_disk_cuts_no_later_line(void **state)
{
	struct rlimit before, full;
	struct io_log l;
	struct stat st;
	char text[4096];
	size_t n;
	FILE *f;

	(void)state;
	io_signals_ignore_failed_writes();
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(io_log_open(&l, path, LOG_INFO), 0);
	log_line(&l.log, LOG_INFO, "sip", "one");
	assert_int_equal(stat(path, &st), 0);
	full = (struct rlimit){(rlim_t)st.st_size + 10, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	log_line(&l.log, LOG_INFO, "sip", "cut");
	log_line(&l.log, LOG_INFO, "sip", "lost");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	log_line(&l.log, LOG_INFO, "sip", "two");
	log_line(&l.log, LOG_INFO, "sip", "three");
	io_log_close(&l);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	assert_int_equal(fclose(f), 0);
	/* 10 bytes of the second one, then whole lines. */
	assert_int_equal(text[st.st_size + 10], '\n');
	assert_non_null(strstr(text + st.st_size + 11, "sip: two\n"));
	assert_non_null(strstr(text + st.st_size + 11, "sip: three\n"));
	assert_null(strstr(text, "\n\n"));
	assert_null(strstr(text, "lost"));
}

static void run_writer(void *ctx)
{
	for (int i = 0; i < LINES_EACH; i++)
		log_line(ctx, LOG_INFO, "thread", "a line that is long enough to be cut in two %d",
			 i);
}

static void test_lines_of_threads_do_not_mix(void **state)
{
	struct io_thread t[WRITERS];
	struct io_log l;
	char last[4096];

	(void)state;
	assert_int_equal(io_log_open(&l, path, LOG_INFO), 0);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(io_thread_start(&t[i], "log", run_writer, &l.log), 0);
	assert_int_equal(io_log_reopen(&l), 0);
	for (int i = 0; i < WRITERS; i++)
		io_thread_join(&t[i]);
	io_log_close(&l);
	assert_int_equal(count(path, last), WRITERS * LINES_EACH);
}

static void test_level_names(void **state)
{
	enum log_level level = LOG_DEBUG;

	(void)state;
	assert_int_equal(io_log_level_parse(VIEW("error"), &level), 0);
	assert_int_equal(level, LOG_ERROR);
	assert_int_equal(io_log_level_parse(VIEW("Info"), &level), 0);
	assert_int_equal(level, LOG_INFO);
	assert_int_equal(io_log_level_parse(VIEW("loud"), &level), E_SYNTAX);
	assert_int_equal(io_log_level_parse(VIEW(""), &level), E_SYNTAX);
	assert_int_equal(level, LOG_INFO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_appends_lines_of_its_level, start_clean),
		cmocka_unit_test_setup(test_reopen_follows_rotation, start_clean),
		cmocka_unit_test_setup(test_failures, start_clean),
		cmocka_unit_test_setup(test_a_full_disk_cuts_no_later_line, start_clean),
		cmocka_unit_test_setup(test_lines_of_threads_do_not_mix, start_clean),
		cmocka_unit_test(test_level_names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
