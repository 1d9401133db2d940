/* A request written by a test and parsed, for the procedures that judge one. */
#ifndef CONFAB_TEST_PROCEDURE_MSG_H
#define CONFAB_TEST_PROCEDURE_MSG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/error.h"
#include "guard_page.h"
#include "sip/value.h"
#include "sip/write.h"

struct request {
	struct sip_msg m;
};

/* fields: whole header lines. The bytes end at an unreadable page. */
static inline void request_make(struct request *r, const char *method, const char *fields,
				const char *content_type, struct view body)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_putf(&b,
		 "%s sip:factory@example.com SIP/2.0\r\nVia: SIP/2.0/UDP "
		 "192.0.2.9;branch=z9hG4bK1\r\n"
		 "Max-Forwards: 70\r\nTo: <sip:factory@example.com>\r\nCall-ID: c1\r\n"
		 "CSeq: 1 %s\r\n",
		 method, method);
	buf_puts(&b, fields);
	sip_write_body(&b, view_str(content_type), body);
	assert_true(buf_ok(&b));
	assert_int_equal(sip_msg_parse(view_of(guard_copy(b.p, b.n), b.n), &r->m), 0);
	buf_fini(&b);
}

#define assert_view(v, expected)                                                                   \
	do {                                                                                       \
		struct view view_ = (v);                                                           \
		char *text_ = view_dup(view_);                                                     \
		assert_string_equal(text_, expected);                                              \
		free(text_);                                                                       \
	} while (0)

#define SDP_OF(port, proto, more)                                                                  \
	"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"                \
	"m=message " port " " proto " *\r\na=accept-types:message/cpim text/plain\r\n"             \
	"a=path:msrp://192.0.2.9:" port "/abc;tcp\r\n" more
#define SDP_PLAIN SDP_OF("2855", "TCP/MSRP", "a=setup:actpass\r\n")

#endif
