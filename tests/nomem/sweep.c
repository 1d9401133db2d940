#include "sweep.h"

#include "nomem.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUN_SECONDS = 60, SAID_SHOWN = 6000 };
/* Neither 0 nor what a sanitizer ends with. */
enum { TEST_FAILED = 3 };

/* cmocka would turn a crash into a failed test. */
__sighandler_t signal(int number, __sighandler_t handler)
{
	(void)number;
	(void)handler;
	return SIG_DFL;
}

/* What a run says of itself. */
struct account {
	uint64_t asked, failed;
	size_t live;
};

struct sweep {
	struct CMUnitTest test;
	CMFixtureFunction setup, teardown;
	struct account *account; /* shared with the runs */
	int said;		 /* where they print to */
	struct account usual;
	uint64_t runs, passed;
};

static void run_here(struct sweep *s, uint64_t at, uint64_t n)
{
	const struct CMUnitTest one[] = {s->test};
	int failed;

	(void)dup2(s->said, STDOUT_FILENO);
	(void)dup2(s->said, STDERR_FILENO);
	alarm(RUN_SECONDS);
	nomem_fail(at, n);
	failed = _cmocka_run_group_tests(s->test.name, one, 1, s->setup, s->teardown);
	*s->account = (struct account){nomem_asked(), nomem_failed(), nomem_live()};
	fflush(NULL);
	_exit(failed ? TEST_FAILED : EXIT_SUCCESS);
}

/* The status of waitpid. */
static int run(struct sweep *s, uint64_t at, uint64_t n)
{
	int status = -1;
	pid_t child;

	memset(s->account, 0, sizeof(*s->account));
	(void)ftruncate(s->said, 0);
	(void)lseek(s->said, 0, SEEK_SET);
	fflush(NULL);
	child = fork();
	if (child == 0)
		run_here(s, at, n);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static char *said(struct sweep *s)
{
	static char text[1 << 20];
	ssize_t n = pread(s->said, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* The next place in a room, a view being of who looks at it. */
static const char *room_place(const char *text)
{
	const char *room = strstr(text, "/src/");

	while (room && (strncmp(room, "/src/libsanitizer/", 18) == 0 ||
			strncmp(room, "/src/base/view.h", 16) == 0))
		room = strstr(room + 1, "/src/");
	return room;
}

/* Whether it was the test's own code that fell over what it was not given, or handed it in. The
 * stack of a sanitizer names the place: the first of ours counts, and for an object that is not
 * there, who called it. */
static bool tests_own(const char *text)
{
	const char *stack = strstr(text, "#0 "), *test, *room;

	test = strstr(stack ? stack : text, "/tests/unit/");
	room = room_place(stack ? stack : text);
	if (room && strstr(text, "null pointer of type"))
		room = room_place(room + 1);
	return test && (!room || test < room);
}

static void show(struct sweep *s, const char *what, uint64_t at, uint64_t n)
{
	char *text = said(s);

	text[strlen(text) > SAID_SHOWN ? SAID_SHOWN : strlen(text)] = '\0';
	printf("# %s: %s with allocation %llu%s failing\n", s->test.name, what,
	       (unsigned long long)at, n > 1 ? " and all after it" : "");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		printf("#   %s\n", line);
}

/* False: something is wrong. */
static bool run_failing(struct sweep *s, uint64_t at, uint64_t n)
{
	int status = run(s, at, n);

	s->runs++;
	if (WIFEXITED(status) && WEXITSTATUS(status) == TEST_FAILED)
		return true;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
		show(s, "hangs", at, n);
		return false;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
		if (tests_own(said(s)))
			return true;
		show(s, "crashes", at, n);
		printf("#   wait status %#x\n", (unsigned)status);
		return false;
	}
	s->passed++;
	if (s->account->live > s->usual.live) {
		show(s, "leaks", at, n);
		printf("#   %zu blocks, usually %zu\n", s->account->live, s->usual.live);
		return false;
	}
	return true;
}

static bool sweep(struct sweep *s, uint64_t most)
{
	bool whole = true;
	uint64_t total, points;
	int status = run(s, 0, 0);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
		show(s, "fails", 0, 0);
		return false;
	}
	s->usual = *s->account;
	total = s->usual.asked;
	points = most && most < total ? most : total;
	for (uint64_t i = 0; i < points && whole; i++) {
		/* Of few, those in the middle: the first ones are those of the test's own world. */
		uint64_t at = 1 + (2 * i + 1) * total / (2 * points);

		whole = run_failing(s, at, 1) && run_failing(s, at, UINT64_MAX);
	}
	printf("# %s: %llu allocations, %llu runs, %llu of them passed\n", s->test.name,
	       (unsigned long long)total, (unsigned long long)s->runs,
	       (unsigned long long)s->passed);
	return whole;
}

int nomem_sweep(const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup,
		CMFixtureFunction teardown)
{
	const char *most = getenv("NOMEM_MOST"), *only = getenv("NOMEM_TEST");
	struct sweep s = {.setup = setup, .teardown = teardown};
	int bad = 0;

	s.account = mmap(NULL, sizeof(*s.account), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	s.said = memfd_create("said", 0);
	if (s.account == MAP_FAILED || s.said < 0)
		return 1;
	nomem_init();
	printf("1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		bool whole = true;

		s.test = tests[i];
		s.runs = s.passed = 0;
		if (!only || strcmp(only, s.test.name) == 0)
			whole = sweep(&s, most ? strtoull(most, NULL, 10) : 0);
		bad += !whole;
		printf("%sok %zu - %s\n", whole ? "" : "not ", i + 1, s.test.name);
		fflush(stdout);
	}
	return bad;
}
