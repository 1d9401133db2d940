/* A copy of bytes that ends right before an unreadable page: a parser that reads one byte too far
 * dies. The copies live until the test program ends. */
#ifndef CONFAB_TEST_GUARD_PAGE_H
#define CONFAB_TEST_GUARD_PAGE_H

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static inline const char *guard_copy(const void *bytes, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t span = (n + page - 1) / page * page;
	char *p = mmap(NULL, span + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + span, page, PROT_NONE))
		return NULL;
	if (n)
		memcpy(p + span - n, bytes, n);
	return p + span - n;
}

#endif
