#include "io/lines.h"

#include "base/error.h"
#include "io_until.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX = 10 };

struct reader {
	struct io_loop loop;
	struct io_lines *l;
	char text[65536]; /* each line in <>, cut ones in {} */
	size_t n;
	unsigned n_lines, n_end;
	int error;
	bool pause, close;
};

static void on_line(void *ctx, struct view line, bool cut)
{
	struct reader *r = ctx;
	int n = snprintf(r->text + r->n, sizeof(r->text) - r->n, cut ? "{%.*s}" : "<%.*s>",
			 VIEW_ARG(line));

	assert_true(line.n <= MAX);
	r->n += (size_t)n;
	r->n_lines++;
	if (r->pause)
		io_lines_pause(r->l);
	if (r->close)
		io_lines_close(r->l);
}

static void on_end(void *ctx, int error)
{
	struct reader *r = ctx;

	r->n_end++;
	r->error = error;
}

static const struct io_lines_events events = {on_line, on_end};

static void reader_init(struct reader *r, int fd)
{
	memset(r, 0, sizeof(*r));
	assert_int_equal(io_loop_init(&r->loop, NULL), 0);
	assert_int_equal(io_lines_open(&r->loop, fd, MAX, &events, r, &r->l), 0);
}

static void put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static const char input[] = "one\n\ntwo\r\n0123456789\n0123456789\r\n0123456789x\nlong long long "
			    "line\r\n\r\n\rx\nlast";
static const char output[] =
	"<one><><two><0123456789><0123456789>{0123456789}{long long }<><\rx><last>";

static void test_pipe(void **state)
{
	struct reader r;
	int p[2], flags;

	(void)state;
	assert_int_equal(pipe(p), 0);
	flags = fcntl(p[0], F_GETFL);
	reader_init(&r, p[0]);
	put(p[1], input);
	UNTIL(&r.loop, r.n_lines == 9);
	assert_int_equal(r.n_end, 0);
	(void)close(p[1]);
	/* Ends by itself once there is no more input. */
	io_run(&r.loop);
	assert_int_equal(r.n_end, 1);
	assert_int_equal(r.error, 0);
	assert_string_equal(r.text, output);
	assert_int_equal(fcntl(p[0], F_GETFL), flags);
	io_lines_close(r.l);
	io_loop_fini(&r.loop);
	(void)close(p[0]);
}

static void test_byte_by_byte(void **state)
{
	struct reader r;
	int p[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
	reader_init(&r, p[0]);
	for (size_t i = 0; i < sizeof(input) - 1; i++) {
		assert_int_equal(write(p[1], input + i, 1), 1);
		(void)io_turn(&r.loop, true);
	}
	(void)close(p[1]);
	io_run(&r.loop);
	assert_string_equal(r.text, output);
	assert_int_equal(r.n_end, 1);
	io_loop_fini(&r.loop);
	(void)close(p[0]);
}

static void test_plain_file(void **state)
{
	struct reader r;
	int fd = memfd_create("lines", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	put(fd, input);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	reader_init(&r, fd);
	io_run(&r.loop);
	assert_string_equal(r.text, output);
	assert_int_equal(r.n_end, 1);
	io_loop_fini(&r.loop);
	(void)close(fd);
	fd = open("/dev/null", O_RDONLY);
	reader_init(&r, fd);
	io_run(&r.loop);
	assert_int_equal(r.n_lines, 0);
	assert_int_equal(r.n_end, 1);
	io_loop_fini(&r.loop);
	(void)close(fd);
}

static void test_terminal(void **state)
{
	struct reader r;
	int master = posix_openpt(O_RDWR | O_NOCTTY), tty;

	(void)state;
	if (master < 0 || grantpt(master) || unlockpt(master))
		skip();
	tty = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(tty >= 0);
	reader_init(&r, tty);
	put(master, "hello\nyou\n");
	UNTIL(&r.loop, r.n_lines == 2);
	/* What the terminal driver sends at the start of a line for end of file: Control-D. */
	put(master, "\004");
	UNTIL(&r.loop, r.n_end == 1);
	assert_string_equal(r.text, "<hello><you>");
	io_loop_fini(&r.loop);
	(void)close(tty);
	(void)close(master);
}

static void test_pause_and_resume_line_by_line(void **state)
{
	struct reader r;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	reader_init(&r, p[0]);
	r.pause = true;
	put(p[1], "a\nb\nc\n");
	/* Read already, but not handed out: no event of the pipe will say so. */
	for (unsigned i = 1; i <= 3; i++) {
		UNTIL(&r.loop, r.n_lines == i);
		for (int k = 0; k < 3; k++)
			(void)io_turn(&r.loop, false);
		assert_int_equal(r.n_lines, i);
		io_lines_resume(r.l);
	}
	(void)close(p[1]);
	UNTIL(&r.loop, r.n_end == 1);
	assert_string_equal(r.text, "<a><b><c>");
	io_loop_fini(&r.loop);
	(void)close(p[0]);
}

static void test_close_inside_line(void **state)
{
	struct reader r;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	reader_init(&r, p[0]);
	r.close = true;
	put(p[1], "a\nb\nc\n");
	(void)close(p[1]);
	io_run(&r.loop);
	assert_string_equal(r.text, "<a>");
	assert_int_equal(r.n_end, 0);
	io_lines_close(NULL);
	io_loop_fini(&r.loop);
	(void)close(p[0]);
}

static void test_a_long_input_needs_no_memory(void **state)
{
	static char text[60000];
	struct reader r;
	int p[2];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(pipe(p), 0);
	reader_init(&r, p[0]);
	assert_int_equal(write(p[1], text, sizeof(text)), sizeof(text));
	put(p[1], "\nok\n");
	UNTIL(&r.loop, r.n_lines == 2);
	assert_string_equal(r.text, "{xxxxxxxxxx}<ok>");
	io_loop_fini(&r.loop);
	(void)close(p[0]);
	(void)close(p[1]);
}

static void test_no_such_descriptor(void **state)
{
	struct io_lines *l;
	struct io_loop loop;

	(void)state;
	assert_int_equal(io_loop_init(&loop, NULL), 0);
	assert_int_equal(io_lines_open(&loop, 9999, MAX, &events, NULL, &l), E_IO);
	io_loop_fini(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_plain_file),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_pause_and_resume_line_by_line),
		cmocka_unit_test(test_close_inside_line),
		cmocka_unit_test(test_a_long_input_needs_no_memory),
		cmocka_unit_test(test_no_such_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
