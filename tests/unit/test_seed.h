/* What the tests' random numbers begin with: CONFAB_TEST_SEED=n gives them others, and no test may
 * mind. 0, the default, is the run that everybody sees. */
#ifndef CONFAB_TEST_SEED_H
#define CONFAB_TEST_SEED_H

#include <stdint.h>
#include <stdlib.h>

static inline uint64_t test_seed(void)
{
	const char *text = getenv("CONFAB_TEST_SEED");

	return text ? strtoull(text, NULL, 10) * 0x9e3779b97f4a7c15u : 0;
}

#endif
