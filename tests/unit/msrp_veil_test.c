/* msrp/veil.h: what of a stream may be written down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "msrp/veil.h"

#include <string.h>

#define HEAD                                                                                       \
	"MSRP a1b2c3d4 SEND\r\nTo-Path: msrp://192.0.2.1:2855/x;tcp\r\n"                           \
	"From-Path: msrp://192.0.2.2:2855/y;tcp\r\nMessage-ID: 1\r\nByte-Range: 1-*/*\r\n"
#define ANSWER                                                                                     \
	"MSRP a1b2c3d4 200 OK\r\nTo-Path: msrp://192.0.2.2:2855/y;tcp\r\n"                         \
	"From-Path: msrp://192.0.2.1:2855/x;tcp\r\n-------a1b2c3d4$\r\n"
#define SECRET "for your eyes\r\n-------a1b2c3d5$\r\nonly"
#define STREAM                                                                                     \
	HEAD "Content-Type: text/plain\r\n\r\n" SECRET "\r\n-------a1b2c3d4+\r\n" ANSWER HEAD      \
	     "-------a1b2c3d4$\r\n"
#define SHOWN                                                                                      \
	HEAD "Content-Type: text/plain\r\n\r\n[37 bytes]\r\n-------a1b2c3d4+\r\n" ANSWER HEAD      \
	     "-------a1b2c3d4$\r\n"

static char shown[4096];
static size_t n_shown;

static void put(void *ctx, struct view text)
{
	(void)ctx;
	assert_true(n_shown + text.n < sizeof(shown));
	memcpy(shown + n_shown, text.p, text.n);
	n_shown += text.n;
	shown[n_shown] = '\0';
}

static const char *veiled(const char *stream, size_t step)
{
	size_t n = strlen(stream);
	struct msrp_veil v;

	n_shown = 0;
	shown[0] = '\0';
	msrp_veil_init(&v);
	for (size_t i = 0; i < n; i += step) {
		/* Each piece on its own: nothing of it may be looked at later. */
		char piece[sizeof(shown)];
		size_t m = n - i < step ? n - i : step;

		memcpy(piece, stream + i, m);
		msrp_veil_take(&v, view_of(piece, m), put, NULL);
		memset(piece, '!', m);
	}
	msrp_veil_fini(&v);
	return shown;
}

static void test_bodies_are_counted_and_not_shown(void **state)
{
	(void)state;
	assert_int_equal(strlen(SECRET), 37);
	assert_string_equal(veiled(STREAM, strlen(STREAM)), SHOWN);
}

static void test_however_the_stream_is_cut(void **state)
{
	(void)state;
	for (size_t step = 1; step < strlen(STREAM); step++)
		assert_string_equal(veiled(STREAM, step), SHOWN);
}

static void test_what_cannot_be_framed_is_not_shown(void **state)
{
	(void)state;
	assert_string_equal(veiled("GET /secret HTTP/1.1\r\n\r\n" STREAM, 7),
			    "[what follows is not MSRP]\r\n");
	assert_null(strstr(veiled(ANSWER "MSRP x\r\nfor your eyes\r\n\r\n", 5), "eyes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies_are_counted_and_not_shown),
		cmocka_unit_test(test_however_the_stream_is_cut),
		cmocka_unit_test(test_what_cannot_be_framed_is_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
