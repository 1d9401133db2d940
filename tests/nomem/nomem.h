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
/* The same, but counted on: for who is called by nomem_watch, about the allocation that is being asked
 * for or a later one. */
void nomem_fail_here(uint64_t at, uint64_t n);
/* Called at each allocation with its number, before it is made; NULL: nobody. */
void nomem_watch(void (*seen)(void *ctx, uint64_t at), void *ctx);
/* Allocations asked for since the last nomem_fail, and how many of them failed. */
uint64_t nomem_asked(void);
uint64_t nomem_failed(void);
/*
 * Which ways lead to an allocation: a test that runs for long allocates a hundred thousand times, but
 * from some hundred call stacks. Zeroed by its owner; in memory that the run shares with who reads it.
 */
enum { NOMEM_STACKS = 1 << 14, NOMEM_FRAMES = 12 };

struct nomem_stacks {
	size_t n;
	struct nomem_stack {
		uint64_t hash;	      /* of the return addresses; 0: empty */
		uint64_t first, last; /* the allocations that came this way, counted as in nomem_fail */
	} at[NOMEM_STACKS];
};

/* From now on each allocation is entered there; NULL: no longer. Once it is three quarters full, no new
 * ones are. */
void nomem_record(struct nomem_stacks *stacks);
/* Blocks of the rooms' that are not freed. */
size_t nomem_live(void);
/* Gives libxml2 this heap; once, before anything is parsed. NOMEM_TRACE in the environment: prints
 * where each allocation that fails is asked for (in a build with a sanitizer). */
void nomem_init(void);

#endif
