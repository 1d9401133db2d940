#include "base/error.h"
#include "body/imdn.h"
#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define V(s) view_str(s)
#define NS   "urn:ietf:params:xml:ns:imdn"

static const char delivered[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<imdn xmlns=\"" NS "\">\n"
	" <message-id>34jk324j</message-id>\n"
	" <datetime>2026-04-04T12:16:49-05:00</datetime>\n"
	" <recipient-uri>im:bob@example.com</recipient-uri>\n"
	" <original-recipient-uri>im:bob@example.net</original-recipient-uri>\n"
	" <delivery-notification><status><delivered/></status></delivery-notification>\n"
	"</imdn>";

static void test_whole_and_before_a_guard_page(void **state)
{
	struct imdn m = {.message_id = "kept"};
	size_t n = sizeof(delivered) - 1;

	(void)state;
	for (size_t k = 0; k < n; k += 3) {
		assert_int_equal(imdn_parse(view_of(guard_copy(delivered, k), k), &m), E_SYNTAX);
		assert_string_equal(m.message_id, "kept");
	}
	assert_int_equal(imdn_parse(view_of(guard_copy(delivered, n), n), &m), 0);
	assert_string_equal(m.message_id, "34jk324j");
	assert_string_equal(m.date_time, "2026-04-04T12:16:49-05:00");
	assert_string_equal(m.recipient_uri, "im:bob@example.com");
	assert_string_equal(m.original_recipient_uri, "im:bob@example.net");
	assert_string_equal(m.subject, "");
	assert_int_equal(m.kind, IMDN_DELIVERY);
	assert_int_equal(m.status, IMDN_DELIVERED);
}

static bool belongs(int kind, int status)
{
	switch (status) {
	case IMDN_DELIVERED:
	case IMDN_FAILED:
		return kind == IMDN_DELIVERY;
	case IMDN_PROCESSED:
	case IMDN_STORED:
		return kind == IMDN_PROCESSING;
	case IMDN_DISPLAYED:
		return kind == IMDN_DISPLAY;
	default:
		return true;
	}
}

static void test_round_trip_of_every_status(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (int kind = IMDN_DELIVERY; kind <= IMDN_DISPLAY; kind++)
		for (int status = IMDN_DELIVERED; status <= IMDN_ERROR; status++) {
			struct imdn m = {.message_id = "<&>",
					 .date_time = "2026-04-04T12:16:49Z",
					 .recipient_uri = "sip:a@b?c=d&e",
					 .subject = "s",
					 .kind = (enum imdn_kind)kind,
					 .status = (enum imdn_status)status};
			struct imdn back;

			buf_reset(&b);
			if (!belongs(kind, status)) {
				assert_int_equal(imdn_write(&b, &m), E_STATE);
				assert_int_equal(b.n, 0);
				continue;
			}
			assert_int_equal(imdn_write(&b, &m), 0);
			assert_true(buf_ok(&b));
			assert_int_equal(imdn_parse(buf_view(&b), &back), 0);
			assert_string_equal(back.message_id, m.message_id);
			assert_string_equal(back.date_time, m.date_time);
			assert_string_equal(back.recipient_uri, m.recipient_uri);
			assert_string_equal(back.subject, m.subject);
			assert_int_equal(back.kind, kind);
			assert_int_equal(back.status, status);
		}
	buf_fini(&b);
}

#define OPEN	"<imdn xmlns='" NS "'>"
#define ID	"<message-id>1</message-id>"
#define CLOSE	"</imdn>"
#define NOTE(x) "<display-notification><status>" x "</status></display-notification>"

static void test_odd_and_hostile_documents(void **state)
{
	static const struct {
		const char *xml;
		int rc;
	} cases[] = {
		{OPEN ID NOTE("<displayed/>") CLOSE, 0},
		{OPEN NOTE("<displayed/>") CLOSE, E_SYNTAX},
		{OPEN ID CLOSE, E_SYNTAX},
		{OPEN ID NOTE("<delivered/>") CLOSE, E_UNSUPPORTED},
		{OPEN ID NOTE("<x/>") CLOSE, E_UNSUPPORTED},
		{OPEN ID "<display-notification/>" CLOSE, E_UNSUPPORTED},
		{"<imdn>" ID NOTE("<displayed/>") CLOSE, E_SYNTAX},
		{"<!DOCTYPE imdn>" OPEN ID NOTE("<displayed/>") CLOSE, E_DENIED},
		{OPEN ID NOTE("<a><a><a><a><a><a/></a></a></a></a></a>") CLOSE, E_RANGE},
	};
	struct imdn m;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(imdn_parse(V(cases[i].xml), &m), cases[i].rc);
	buf_init(&b, 65536);
	for (size_t n = IMDN_ID_MAX - 2; n <= IMDN_ID_MAX; n++) {
		buf_reset(&b);
		buf_puts(&b, OPEN "<message-id>");
		for (size_t i = 0; i < n; i++)
			buf_putc(&b, 'x');
		buf_puts(&b, "</message-id>" NOTE("<displayed/>") CLOSE);
		assert_int_equal(imdn_parse(buf_view(&b), &m), n < IMDN_ID_MAX ? 0 : E_LIMIT);
	}
	buf_reset(&b);
	buf_puts(&b, OPEN ID NOTE("<displayed/>") CLOSE);
	while (buf_ok(&b) && b.n < IMDN_BYTES_MAX)
		buf_putc(&b, ' ');
	assert_int_equal(imdn_parse(buf_view(&b), &m), 0);
	buf_putc(&b, ' ');
	assert_int_equal(imdn_parse(buf_view(&b), &m), E_RANGE);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_and_before_a_guard_page),
		cmocka_unit_test(test_round_trip_of_every_status),
		cmocka_unit_test(test_odd_and_hostile_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
