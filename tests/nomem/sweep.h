/*
 * Put before every unit test (-include) that is built a second time for the sweep of allocation
 * failures: its main, which calls cmocka_run_group_tests or cmocka_run_group_tests_name, sweeps
 * instead.
 */
#ifndef CONFAB_TEST_SWEEP_H
#define CONFAB_TEST_SWEEP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/*
 * Runs each test with each allocation that the rooms make in it failing, alone or with all that
 * follow; each of these runs is a process of its own, which branches off at that allocation. A test may fail by it; it may not crash,
 * hang or, where it passes all the same, leave memory behind that it would free otherwise.
 * NOMEM_MOST in the environment: so many allocations of each test, spread evenly; 0: each one, and of
 * a test that makes more than some thousand the first and the last one from each call stack; as many
 * of them as come through in NOMEM_SECONDS (60) for each test.
 * Prints TAP; returns the number of tests in which something was wrong.
 */
int nomem_sweep(const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup,
		CMFixtureFunction teardown);

#undef cmocka_run_group_tests
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
	nomem_sweep(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)
#undef cmocka_run_group_tests_name
#define cmocka_run_group_tests_name(name, tests, setup, teardown)                                  \
	cmocka_run_group_tests(tests, setup, teardown)

#endif
