/* For the tests of io: turns a loop until a condition holds, and fails when it will not come true.
 */
#ifndef CONFAB_TEST_IO_UNTIL_H
#define CONFAB_TEST_IO_UNTIL_H

#include "base/addr.h"
#include "io/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { IO_UNTIL_MS = 20000 };

static inline void io_until_late(void *ctx, uint64_t now_ms)
{
	(void)now_ms;
	*(bool *)ctx = true;
}

#define UNTIL(loop, condition)                                                                     \
	do {                                                                                       \
		bool late_ = false;                                                                \
		struct io_deadline d_;                                                             \
		io_deadline_init(&d_, (loop), io_until_late, &late_);                              \
		io_deadline_set(&d_, io_now_fresh_ms(loop) + IO_UNTIL_MS);                         \
		while (!(condition) && !late_)                                                     \
			(void)io_turn((loop), true);                                               \
		io_deadline_fini(&d_);                                                             \
		assert_true(condition);                                                            \
	} while (0)

static inline struct addr io_loopback(int family)
{
	struct addr a;

	assert_int_equal(addr_parse(view_str(family == 4 ? "127.0.0.1" : "::1"), 0, &a), 0);
	return a;
}

#endif
