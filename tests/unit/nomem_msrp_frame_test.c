/* What the MSRP reader says of a frame that it has no memory to go on with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "msrp/frame.h"
#include "nomem.h"

#define HEAD                                                                                       \
	"MSRP d93kswow SEND\r\nTo-Path: msrp://b.example.com:8493/x;tcp\r\n"                       \
	"From-Path: msrp://a.example.com:7777/y;tcp\r\nMessage-ID: 12\r\n"                         \
	"Byte-Range: 1-4/4\r\nContent-Type: text/plain\r\n\r\nabcd"

/* In memory of its own, as input is that is gone with the next call. */
static int next(struct msrp_reader *r, const char *text, struct msrp_event *ev)
{
	char *bytes = strdup(text);
	struct view in = view_of(bytes, strlen(text));
	int rc = msrp_reader_next(r, &in, ev);

	while (rc > 0 && in.n)
		rc = msrp_reader_next(r, &in, ev);
	free(bytes);
	return rc;
}

/* The first part, then one whose storage cannot be had: of the head, which is gone, nothing is
 * left. */
static void cut(const char *first, const char *second)
{
	static const struct msrp_head nothing;
	struct msrp_reader r;
	struct msrp_event ev;

	memset(&ev, 0x55, sizeof(ev));
	nomem_fail(0, 0);
	msrp_reader_init(&r);
	(void)next(&r, first, &ev);
	nomem_fail(1, UINT64_MAX);
	assert_int_equal(next(&r, second, &ev), E_NOMEM);
	assert_true(nomem_failed() > 0);
	assert_memory_equal(&ev.head, &nothing, sizeof(nothing));
	assert_int_equal(next(&r, "MSRP", &ev), E_SYNTAX);
	msrp_reader_fini(&r);
	nomem_fail(0, 0);
}

static void test_no_memory_for_a_cut_end_line(void **state)
{
	(void)state;
	cut(HEAD, "\r\n-----");
}

static void test_no_memory_for_a_cut_end_line_behind_body(void **state)
{
	(void)state;
	cut(HEAD, "xy\r\n-----");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory_for_a_cut_end_line),
		cmocka_unit_test(test_no_memory_for_a_cut_end_line_behind_body),
	};

	nomem_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
