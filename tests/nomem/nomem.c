#include "nomem.h"

#include <libxml/parser.h>
#include <libxml/xmlmemory.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Under the names that the rooms' copies ask for. */
void *nomem_malloc(size_t n);
void *nomem_calloc(size_t n, size_t size);
void *nomem_realloc(void *p, size_t n);
char *nomem_strdup(const char *s);
char *nomem_strndup(const char *s, size_t n);
void nomem_free(void *p);

static uint64_t asked, failed, first, count;
static size_t live;
static bool traced;
static struct nomem_stacks *recorded;
static void (*watcher)(void *ctx, uint64_t at);
static void *watcher_ctx;
static uintptr_t stack_top; /* the last word of the stack that can be a frame's */

/* There where a sanitizer is. */
__attribute__((weak)) void __sanitizer_print_stack_trace(void);

/* By frame pointers, which a build with a sanitizer has. A library's frame without one ends the
 * walk or lets it go on with what lies in the stack: never outside. */
__attribute__((no_sanitize("address", "undefined"))) static uint64_t stack_hash(void)
{
	uintptr_t *frame = __builtin_frame_address(0);
	uint64_t hash = 14695981039346656037u;

	for (unsigned i = 0; i < NOMEM_FRAMES; i++) {
		uintptr_t next = frame[0];

		hash = (hash ^ frame[1]) * 1099511628211u;
		if (next <= (uintptr_t)frame || next >= stack_top || next % sizeof(next))
			break;
		frame = (uintptr_t *)next;
	}
	return hash ? hash : 1;
}

static void record(void)
{
	uint64_t hash = stack_hash();
	size_t i = (hash ^ hash >> 32) % NOMEM_STACKS;

	while (recorded->at[i].hash && recorded->at[i].hash != hash)
		i = (i + 1) % NOMEM_STACKS;
	if (!recorded->at[i].hash) {
		if (recorded->n >= NOMEM_STACKS / 4 * 3)
			return;
		recorded->n++;
		recorded->at[i] = (struct nomem_stack){.hash = hash, .first = asked};
	}
	recorded->at[i].last = asked;
}

static bool fails(void)
{
	asked++;
	if (recorded)
		record();
	if (watcher)
		watcher(watcher_ctx, asked);
	if (!first || asked < first || asked - first >= count)
		return false;
	failed++;
	if (traced && __sanitizer_print_stack_trace)
		__sanitizer_print_stack_trace();
	return true;
}

static void *counted(void *p)
{
	live += p != NULL;
	return p;
}

void *nomem_malloc(size_t n)
{
	return fails() ? NULL : counted(malloc(n));
}

void *nomem_calloc(size_t n, size_t size)
{
	return fails() ? NULL : counted(calloc(n, size));
}

void *nomem_realloc(void *p, size_t n)
{
	if (!p)
		return nomem_malloc(n);
	return fails() ? NULL : realloc(p, n);
}

char *nomem_strdup(const char *s)
{
	return fails() ? NULL : counted(strdup(s));
}

char *nomem_strndup(const char *s, size_t n)
{
	return fails() ? NULL : counted(strndup(s, n));
}

void nomem_free(void *p)
{
	live -= p != NULL;
	free(p);
}

void nomem_fail_here(uint64_t at, uint64_t n)
{
	first = at;
	count = n;
}

void nomem_fail(uint64_t at, uint64_t n)
{
	asked = failed = 0;
	nomem_fail_here(at, n);
}

void nomem_watch(void (*seen)(void *ctx, uint64_t at), void *ctx)
{
	watcher = seen;
	watcher_ctx = ctx;
}

void nomem_record(struct nomem_stacks *stacks)
{
	recorded = stacks;
}

uint64_t nomem_asked(void)
{
	return asked;
}

uint64_t nomem_failed(void)
{
	return failed;
}

size_t nomem_live(void)
{
	return live;
}

static void find_stack(void)
{
	pthread_attr_t attr;
	void *low = NULL;
	size_t n = 0;

	if (pthread_getattr_np(pthread_self(), &attr))
		return;
	(void)pthread_attr_getstack(&attr, &low, &n);
	(void)pthread_attr_destroy(&attr);
	stack_top = (uintptr_t)low + n - 2 * sizeof(uintptr_t);
}

void nomem_init(void)
{
	find_stack();
	traced = getenv("NOMEM_TRACE") != NULL;
	(void)xmlMemSetup(nomem_free, nomem_malloc, nomem_realloc, nomem_strdup);
	/* Its tables, which stay. */
	xmlInitParser();
	live = 0;
}
