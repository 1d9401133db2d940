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
#include <time.h>
#include <unistd.h>

enum { RUN_SECONDS = 60, SAID_SHOWN = 6000 };
/* A test that makes more has told the same tale many times over. */
enum { EACH_MOST = 2000, SECONDS_EACH = 60 };
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

/* What came of a test. */
struct verdict {
	uint64_t runs, passed;
	bool bad;
};

struct sweep {
	struct CMUnitTest test;
	CMFixtureFunction setup, teardown;
	int out, said;			  /* where the sweep prints to, and where the runs do */
	uint64_t *points, n_points, next; /* the allocations that are to fail, in order */
	struct account usual;
	uint64_t run_ms;
	/* Shared with the runs: */
	struct account *account;
	struct verdict *verdict;
	struct nomem_stacks *stacks;
};

/* The output of a run begins anew. */
static void hush(struct sweep *s)
{
	(void)ftruncate(s->said, 0);
	(void)lseek(s->said, 0, SEEK_SET);
}

/* The test once, to its end, which is the end of the process. */
static void run_here(struct sweep *s)
{
	const struct CMUnitTest one[] = {s->test};
	int failed;

	hush(s);
	(void)dup2(s->said, STDOUT_FILENO);
	(void)dup2(s->said, STDERR_FILENO);
	nomem_fail(0, 0);
	failed = _cmocka_run_group_tests(s->test.name, one, 1, s->setup, s->teardown);
	*s->account = (struct account){nomem_asked(), nomem_failed(), nomem_live()};
	fflush(NULL);
	_exit(failed ? TEST_FAILED : EXIT_SUCCESS);
}

static int ended(pid_t child)
{
	int status = -1;

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
	dprintf(s->out, "# %s: %s with allocation %llu%s failing\n", s->test.name, what,
		(unsigned long long)at, n > 1 ? " and all after it" : "");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		dprintf(s->out, "#   %s\n", line);
}

/* False: something is wrong. */
static bool judge(struct sweep *s, int status, uint64_t at, uint64_t n)
{
	s->verdict->runs++;
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
		dprintf(s->out, "#   wait status %#x\n", (unsigned)status);
		return false;
	}
	s->verdict->passed++;
	if (s->account->live > s->usual.live) {
		show(s, "leaks", at, n);
		dprintf(s->out, "#   %zu blocks, usually %zu\n", s->account->live, s->usual.live);
		return false;
	}
	return true;
}

/* Goes on twice: here, as if nothing were the matter, and in a process of its own with this
 * allocation failing, whose end is waited for. False: something is wrong with that. */
static bool branch(struct sweep *s, uint64_t at, uint64_t n)
{
	pid_t child;

	fflush(NULL);
	memset(s->account, 0, sizeof(*s->account));
	child = fork();
	if (child == 0) {
		hush(s);
		nomem_watch(NULL, NULL);
		nomem_fail_here(at, n);
		alarm(RUN_SECONDS);
		return true;
	}
	return judge(s, ended(child), at, n);
}

static void at_allocation(void *ctx, uint64_t at)
{
	struct sweep *s = ctx;
	pid_t self = getpid();

	if (s->verdict->bad || s->next >= s->n_points || s->points[s->next] != at)
		return;
	s->next++;
	if (!branch(s, at, 1))
		s->verdict->bad = true;
	if (getpid() != self || s->verdict->bad)
		return;
	if (!branch(s, at, UINT64_MAX))
		s->verdict->bad = true;
}

/* Of few, those in the middle: the first ones are those of the test's own world. */
static void points_evenly(struct sweep *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		s->points[s->n_points++] = 1 + (2 * i + 1) * s->usual.asked / (2 * n);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void points_by_stack(struct sweep *s)
{
	for (size_t i = 0; i < NOMEM_STACKS; i++) {
		const struct nomem_stack *from = &s->stacks->at[i];

		if (from->hash)
			s->points[s->n_points++] = from->first;
		if (from->last != from->first)
			s->points[s->n_points++] = from->last;
	}
	qsort(s->points, s->n_points, sizeof(*s->points), by_number);
}

/* Of a test that takes long, as many as come through in that time: half of a run each, spread
 * evenly. */
static void thin_out(struct sweep *s)
{
	const char *text = getenv("NOMEM_SECONDS");
	uint64_t seconds = text ? strtoull(text, NULL, 10) : SECONDS_EACH;
	uint64_t most = seconds * 2000 / (s->run_ms + 1) + 1;

	if (s->n_points <= most)
		return;
	for (uint64_t i = 0; i < most; i++)
		s->points[i] = s->points[i * s->n_points / most];
	s->n_points = most;
}

static bool choose_points(struct sweep *s, uint64_t most)
{
	uint64_t total = s->usual.asked;
	size_t cap = total > 2 * NOMEM_STACKS ? total : 2 * NOMEM_STACKS;

	s->n_points = s->next = 0;
	s->points = calloc(cap, sizeof(*s->points));
	if (!s->points)
		return false;
	if (most)
		points_evenly(s, most < total ? most : total);
	else if (total <= EACH_MOST)
		points_evenly(s, total);
	else
		points_by_stack(s);
	if (!most)
		thin_out(s);
	return true;
}

/* The status of waitpid. watched: with branches. */
static int pass(struct sweep *s, bool watched)
{
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		if (!watched)
			alarm(RUN_SECONDS);
		nomem_record(watched ? NULL : s->stacks);
		nomem_watch(watched ? at_allocation : NULL, s);
		run_here(s);
	}
	return ended(child);
}

static bool passes(struct sweep *s, bool watched)
{
	int status = pass(s, watched);

	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
		return true;
	show(s, "fails", 0, 0);
	return false;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool sweep(struct sweep *s, uint64_t most)
{
	uint64_t began_ms = now_ms();

	memset(s->stacks, 0, sizeof(*s->stacks));
	*s->verdict = (struct verdict){0};
	if (!passes(s, false))
		return false;
	s->run_ms = now_ms() - began_ms;
	s->usual = *s->account;
	if (!choose_points(s, most))
		return false;
	if (!passes(s, true))
		s->verdict->bad = true;
	free(s->points);
	printf("# %s: %llu allocations from %zu call stacks, %llu runs, %llu of them passed\n",
	       s->test.name, (unsigned long long)s->usual.asked, s->stacks->n,
	       (unsigned long long)s->verdict->runs, (unsigned long long)s->verdict->passed);
	return !s->verdict->bad;
}

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int nomem_sweep(const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup,
		CMFixtureFunction teardown)
{
	const char *most = getenv("NOMEM_MOST"), *only = getenv("NOMEM_TEST");
	struct sweep s = {.setup = setup, .teardown = teardown};
	int bad = 0;

	s.account = shared(sizeof(*s.account));
	s.verdict = shared(sizeof(*s.verdict));
	s.stacks = shared(sizeof(*s.stacks));
	s.said = memfd_create("said", 0);
	s.out = dup(STDOUT_FILENO);
	if (!s.account || !s.verdict || !s.stacks || s.said < 0 || s.out < 0)
		return 1;
	nomem_init();
	printf("1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		bool whole = true;

		s.test = tests[i];
		if (!only || strcmp(only, s.test.name) == 0)
			whole = sweep(&s, most ? strtoull(most, NULL, 10) : 0);
		bad += !whole;
		printf("%sok %zu - %s\n", whole ? "" : "not ", i + 1, s.test.name);
		fflush(stdout);
	}
	return bad;
}
