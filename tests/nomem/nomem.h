/*
 * The heap of the pure rooms in a test of what happens when it is used up. The rooms' archives are
 * copied with their calls of malloc and so on renamed (rooms.syms), libxml2 is told to use the
 * same; what the tests themselves allocate is not counted and never fails.
 */
#ifndef CONFAB_TEST_NOMEM_H
#define CONFAB_TEST_NOMEM_H

#include <stddef.h>
#include <stdint.h>

/* The at-th allocation from now on (1: the next) fails, and so do the n - 1 after it. 0: none. */
void nomem_fail(uint64_t at, uint64_t n);
/* Allocations asked for since the last nomem_fail, and how many of them failed. */
uint64_t nomem_asked(void);
uint64_t nomem_failed(void);
/* Blocks of the rooms' that are not freed. */
size_t nomem_live(void);
/* Gives libxml2 this heap; once, before anything is parsed. NOMEM_TRACE in the environment: prints
 * where each allocation that fails is asked for (in a build with a sanitizer). */
void nomem_init(void);

#endif
