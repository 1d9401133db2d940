#include "nomem.h"

#include <libxml/parser.h>
#include <libxml/xmlmemory.h>
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

/* There where a sanitizer is. */
__attribute__((weak)) void __sanitizer_print_stack_trace(void);

static bool fails(void)
{
	asked++;
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

void nomem_fail(uint64_t at, uint64_t n)
{
	asked = failed = 0;
	first = at;
	count = n;
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

void nomem_init(void)
{
	traced = getenv("NOMEM_TRACE") != NULL;
	(void)xmlMemSetup(nomem_free, nomem_malloc, nomem_realloc, nomem_strdup);
	/* Its tables, which stay. */
	xmlInitParser();
	live = 0;
}
