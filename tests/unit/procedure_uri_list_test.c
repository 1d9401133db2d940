/* Entries of a URI list, RFC 5363, RFC 5364, RFC 5366. */
#include "procedure/uri_list.h"
#include "procedure_msg.h"

static int parse(const char *uri, struct invitee *i)
{
	return invitee_parse(view_of(guard_copy(uri, strlen(uri)), strlen(uri)), i);
}

static void assert_invitee(const char *text, const char *uri, const char *aor, const char *replaces)
{
	struct invitee i;

	assert_int_equal(parse(text, &i), 0);
	assert_view(i.uri, uri);
	assert_view(i.aor, aor);
	assert_view(i.replaces, replaces);
	invitee_fini(&i);
}

static void assert_refused(const char *text, int rc)
{
	struct invitee i = {.uri = VIEW("untouched")};

	assert_int_equal(parse(text, &i), rc);
	assert_view(i.uri, "untouched");
}

static void test_R_6__escaped_replaces(void **state)
{
	(void)state;
	assert_invitee("sip:bob@biloxi.com;method=INVITE?Replaces=a84b4c76e66710%3B"
		       "to-tag%3D1928301774%3Bfrom-tag%3Da6c85cf",
		       "sip:bob@biloxi.com", "sip:bob@biloxi.com",
		       "a84b4c76e66710;to-tag=1928301774;from-tag=a6c85cf");
	assert_invitee("sip:bob@biloxi.com?Replaces=a%40host%3Bfrom-tag%3Df%3Bto-tag%3Dt%3B"
		       "early-only%3Bx%3Dy",
		       "sip:bob@biloxi.com", "sip:bob@biloxi.com",
		       "a@host;to-tag=t;from-tag=f;early-only");
}

static void test_R_6__the_example_of_the_source_is_tolerated(void **state)
{
	(void)state;
	assert_invitee("bob@biloxi.com;method=INVITE?Replaces: a84b4c76e66710;"
		       "to-tag=1928301774;from-tag= a6c85cf ",
		       "sip:bob@biloxi.com", "sip:bob@biloxi.com",
		       "a84b4c76e66710;to-tag=1928301774;from-tag=a6c85cf");
}

static void test_R_6__half_escaped_forms_are_tolerated(void **state)
{
	(void)state;
	assert_invitee("sip:bob@biloxi.com?Replaces=a@h;to-tag=t;from-tag=f", "sip:bob@biloxi.com",
		       "sip:bob@biloxi.com", "a@h;to-tag=t;from-tag=f");
	assert_invitee("sip:bob@biloxi.com?replaces:a;to-tag=t;from-tag=f", "sip:bob@biloxi.com",
		       "sip:bob@biloxi.com", "a;to-tag=t;from-tag=f");
	assert_invitee("  bob@biloxi.com\r\n", "sip:bob@biloxi.com", "sip:bob@biloxi.com", "");
	assert_invitee("bob@biloxi.com:5070", "sip:bob@biloxi.com:5070", "sip:bob@biloxi.com:5070",
		       "");
}

static void test_parameters_are_kept_but_method(void **state)
{
	(void)state;
	assert_invitee("sips:Bob@Biloxi.COM:5061;transport=tcp;Method=invite;lr", /* */
		       "sips:Bob@Biloxi.COM:5061;transport=tcp;lr", "sips:Bob@biloxi.com:5061", "");
	assert_invitee("sip:a?b;c@host?Subject=x", "sip:a?b;c@host", "sip:a?b;c@host", "");
	assert_invitee("sip:host.example", "sip:host.example", "sip:host.example", "");
}

static void test_who_cannot_be_invited(void **state)
{
	(void)state;
	assert_refused("tel:+15551234", E_UNSUPPORTED);
	assert_refused("mailto:bob@biloxi.com", E_UNSUPPORTED);
	assert_refused("sip:bob@biloxi.com;method=BYE", E_UNSUPPORTED);
	assert_refused("sip:bob@biloxi.com;method", E_UNSUPPORTED);
	assert_refused("", E_SYNTAX);
	assert_refused("bob", E_SYNTAX);
	assert_refused("sip:", E_SYNTAX);
	assert_refused("sip:b ob@biloxi.com", E_SYNTAX);
	assert_refused("<sip:bob@biloxi.com>", E_SYNTAX);
	assert_refused("sip:bob@biloxi.com>;x=<", E_SYNTAX);
}

static void test_CF_9_3_1_5__other_headers_are_dropped(void **state)
{
	struct invitee i;

	(void)state;
	assert_int_equal(parse("sip:bob@biloxi.com?Subject=hello&Replaces=a%3Bto-tag%3Dt%3B"
			       "from-tag%3Df&From=%3Csip%3Aboss%40x%3E&body=x&Route=%3Csip%3Ae%3E",
			       &i),
			 0);
	assert_view(i.uri, "sip:bob@biloxi.com");
	assert_view(i.replaces, "a;to-tag=t;from-tag=f");
	assert_true(view_find_view(buf_view(&i.text), VIEW("boss"), 0) == i.text.n);
	assert_true(view_find_view(buf_view(&i.text), VIEW("hello"), 0) == i.text.n);
	invitee_fini(&i);
}

#define ESCAPED "%3Bto-tag%3Dt%3Bfrom-tag%3Df"

static void test_CF_9_3_1_5__no_line_end_gets_into_replaces(void **state)
{
	(void)state;
	assert_refused("sip:bob@biloxi.com?Replaces=a" ESCAPED "%0D%0AX-Evil%3A%201", E_SYNTAX);
	assert_refused("sip:bob@biloxi.com?Replaces=a" ESCAPED "%0AX-Evil%3A%201", E_SYNTAX);
	assert_refused("sip:bob@biloxi.com?Replaces=a%00" ESCAPED, E_SYNTAX);
	/* As XML hands it over: &#13;&#10; */
	assert_refused("sip:bob@biloxi.com?Replaces=a" ESCAPED "\r\nX-Evil: 1", E_SYNTAX);
	assert_refused("bob@biloxi.com?Replaces: a;to-tag=t;from-tag=f\r\nX-Evil: 1", E_SYNTAX);
	assert_refused("sip:bob@biloxi.com\r\nX-Evil: 1", E_SYNTAX);
	assert_refused("sip:bob@biloxi.com;x=\r\n?Replaces=a" ESCAPED, E_SYNTAX);
}

static void test_CF_9_3_1_5__no_second_value_gets_into_replaces(void **state)
{
	(void)state;
	assert_refused("sip:bob@biloxi.com?Replaces=a" ESCAPED "&Replaces=b" ESCAPED, E_SYNTAX);
	assert_refused("sip:bob@biloxi.com?Replaces=a" ESCAPED "%2Cb" ESCAPED, E_SYNTAX);
	assert_refused("sip:bob@biloxi.com?Replaces=a%2Cb" ESCAPED, E_SYNTAX);
	assert_refused("sip:bob@biloxi.com?Replaces=a%20b" ESCAPED, E_SYNTAX);
	assert_refused("sip:bob@biloxi.com?Session-Replaces=1&Session-Replaces=2", E_SYNTAX);
}

static void test_replaces_that_names_no_dialog(void **state)
{
	(void)state;
	assert_refused("sip:bob@biloxi.com?Replaces=", E_SYNTAX);
	assert_refused("sip:bob@biloxi.com?Replaces", E_SYNTAX);
	assert_refused("sip:bob@biloxi.com?Replaces=a", E_SYNTAX);
	assert_refused("sip:bob@biloxi.com?Replaces=a%3Bto-tag%3Dt", E_SYNTAX);
	assert_refused("sip:bob@biloxi.com?Replaces=a%3Bto-tag%3Dt%3Bfrom-tag%3", E_SYNTAX);
	assert_refused("bob@biloxi.com?Replaces:", E_SYNTAX);
}

static void test_session_replaces(void **state)
{
	struct invitee i;

	(void)state;
	assert_int_equal(parse("sip:bob@biloxi.com?Session-Replaces=abc%2D1", &i), 0);
	assert_view(i.session_replaces, "abc-1");
	assert_view(i.replaces, "");
	invitee_fini(&i);
}

static void test_a_very_long_entry(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 16);
	buf_puts(&b, "sip:bob@biloxi.com;x=");
	for (int i = 0; i < 9000; i++)
		buf_putc(&b, 'x');
	buf_putc(&b, '\0');
	assert_refused(b.p, E_LIMIT);
	buf_fini(&b);
}

static void test_R_6__what_is_written_is_read(void **state)
{
	struct buf b;
	struct invitee i;

	(void)state;
	buf_init(&b, 1024);
	invitee_write_replaces(&b, VIEW("sip:bo@example.com"),
			       VIEW("a b?&c=@h;to-tag=t;from-tag=f"));
	assert_view(buf_view(&b), "sip:bo@example.com;method=INVITE?Replaces=a%20b%3F%26c%3D%40h"
				  "%3Bto-tag%3Dt%3Bfrom-tag%3Df");
	buf_reset(&b);
	invitee_write_replaces(&b, VIEW("sip:bo@example.com"), VIEW("a?&c=@h;to-tag=t;from-tag=f"));
	assert_int_equal(invitee_parse(buf_view(&b), &i), 0);
	assert_view(i.uri, "sip:bo@example.com");
	assert_view(i.replaces, "a?&c=@h;to-tag=t;from-tag=f");
	invitee_fini(&i);
	buf_fini(&b);
}

/* --- whole lists --- */

#define HEAD                                                                                       \
	"<?xml version=\"1.0\"?><resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\" "  \
	"xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\"><list>"
#define TAIL "</list></resource-lists>"

static int list_of(const char *xml, size_t max, struct invitee_list *l, int *status)
{
	const char *reason = NULL;
	int rc;

	*status = 0;
	rc = invitee_list_parse(view_of(guard_copy(xml, strlen(xml)), strlen(xml)),
				VIEW("sip:ann@example.com"),
				&(struct invitee_limits){.entries = max}, l, status, &reason);
	assert_int_equal(rc == 0, *status == 0);
	return rc;
}

static void assert_list_refused(const char *xml, size_t max, int expected)
{
	struct invitee_list l = {0};
	int status;

	assert_int_not_equal(list_of(xml, max, &l, &status), 0);
	assert_int_equal(status, expected);
	assert_null(l.entry);
}

static void test_R_5__a_list(void **state)
{
	struct invitee_list l;
	int status;

	(void)state;
	assert_int_equal(
		list_of(HEAD "<entry uri=\"sip:bo@example.com\" cp:copyControl=\"to\"/>"
			     "<entry uri=\"sip:cy@example.com\" cp:copyControl=\"cc\" "
			     "cp:anonymize=\"true\"><display-name>Charles</display-name></entry>"
			     "<entry uri=\"sip:di@example.com\"/>" TAIL,
			10, &l, &status),
		0);
	assert_int_equal(l.n, 3);
	assert_view(l.entry[0].uri, "sip:bo@example.com");
	assert_int_equal(l.entry[0].copy, RESOURCE_COPY_TO);
	assert_false(l.entry[0].anonymize);
	assert_view(l.entry[0].display, "");
	assert_int_equal(l.entry[1].copy, RESOURCE_COPY_CC);
	assert_true(l.entry[1].anonymize);
	assert_view(l.entry[1].display, "Charles");
	assert_view(l.entry[1].uri, "sip:cy@example.com");
	assert_int_equal(l.entry[2].copy, RESOURCE_COPY_BCC);
	invitee_list_free(&l);
	invitee_list_free(&l);
}

static void test_R_6__the_list_of_the_source_made_well_formed(void **state)
{
	struct invitee_list l;
	int status;

	(void)state;
	assert_int_equal(list_of(HEAD "<entry uri=\"sip:bill@example.com\" />"
				      "<entry uri=\"bob@biloxi.com;method=INVITE?Replaces: "
				      "a84b4c76e66710;to-tag=1928301774;from-tag= a6c85cf \" />"
				      "<entry uri=\"sip:ted@example.net\" />" TAIL,
				 10, &l, &status),
			 0);
	assert_int_equal(l.n, 3);
	assert_view(l.entry[1].uri, "sip:bob@biloxi.com");
	assert_view(l.entry[1].replaces, "a84b4c76e66710;to-tag=1928301774;from-tag=a6c85cf");
	invitee_list_free(&l);
	/* As it stands there, the attribute's value is closed twice: no XML. */
	assert_list_refused(HEAD
			    "<entry uri=\"sip:bill@example.com\" />"
			    "<entry uri=\"bob@biloxi.com;method=INVITE?Replaces: "
			    "a84b4c76e66710;to-tag=1928301774;from-tag= a6c85cf \" /\" />" TAIL,
			    10, 400);
}

static void test_R_5__doubles_and_oneself_are_left_out(void **state)
{
	struct invitee_list l;
	int status;

	(void)state;
	assert_int_equal(list_of(HEAD "<entry uri=\"sip:bo@example.com\"/>"
				      "<entry uri=\"sip:ann@EXAMPLE.com;transport=tcp\"/>"
				      "<entry uri=\"sip:bo@Example.com;x=y\"/>"
				      "<entry uri=\"sip:cy@example.com\"/>"
				      "<entry uri=\"bo@example.com\"/>" TAIL,
				 2, &l, &status),
			 0);
	assert_int_equal(l.n, 2);
	assert_view(l.entry[0].uri, "sip:bo@example.com");
	assert_view(l.entry[1].uri, "sip:cy@example.com");
	invitee_list_free(&l);
}

/* RFC 5364 §4: of doubles the highest precedence counts; and the upgrade is not lost. */
static void test_R_5__doubles_are_merged(void **state)
{
	struct invitee_list l;
	int status;

	(void)state;
	assert_int_equal(list_of(HEAD "<entry uri=\"sip:bo@example.com\" cp:copyControl=\"cc\" "
				      "cp:anonymize=\"1\"><display-name>Bo</display-name></entry>"
				      "<entry uri=\"sip:bo@example.com?Replaces=a" ESCAPED "\"/>"
				      "<entry uri=\"sip:bo@example.com?Replaces=b" ESCAPED "\" "
				      "cp:copyControl=\"to\"/>" TAIL,
				 10, &l, &status),
			 0);
	assert_int_equal(l.n, 1);
	assert_view(l.entry[0].replaces, "a;to-tag=t;from-tag=f");
	assert_view(l.entry[0].display, "Bo");
	assert_view(l.entry[0].uri, "sip:bo@example.com");
	assert_int_equal(l.entry[0].copy, RESOURCE_COPY_TO);
	assert_true(l.entry[0].anonymize);
	invitee_list_free(&l);
	assert_int_equal(list_of(HEAD "<entry uri=\"sip:bo@example.com?Replaces=a" ESCAPED "\" "
				      "cp:copyControl=\"to\"/>"
				      "<entry uri=\"sip:bo@example.com\"/>" TAIL,
				 10, &l, &status),
			 0);
	assert_int_equal(l.n, 1);
	assert_view(l.entry[0].replaces, "a;to-tag=t;from-tag=f");
	assert_int_equal(l.entry[0].copy, RESOURCE_COPY_TO);
	invitee_list_free(&l);
}

static void test_too_many(void **state)
{
	struct invitee_list l;
	struct buf b;
	int status;

	(void)state;
	assert_int_equal(list_of(HEAD "<entry uri=\"sip:ann@example.com\"/>"
				      "<entry uri=\"sip:a@x\"/><entry uri=\"sip:b@x\"/>" TAIL,
				 2, &l, &status),
			 0);
	assert_int_equal(l.n, 2);
	invitee_list_free(&l);
	assert_list_refused(HEAD "<entry uri=\"sip:a@x\"/><entry uri=\"sip:b@x\"/>"
				 "<entry uri=\"sip:c@x\"/>" TAIL,
			    2, 413);
	/* Doubles do not count, but there is an end to them. */
	buf_init(&b, 1 << 16);
	buf_puts(&b, HEAD);
	for (int i = 0; i < 1000; i++)
		buf_puts(&b, "<entry uri=\"sip:a@x\"/>");
	buf_puts(&b, TAIL);
	buf_putc(&b, '\0');
	assert_list_refused(b.p, 2, 413);
	buf_fini(&b);
}

static void test_a_list_of_nobody(void **state)
{
	struct invitee_list l;
	int status;

	(void)state;
	assert_int_equal(list_of(HEAD TAIL, 10, &l, &status), 0);
	assert_int_equal(l.n, 0);
	invitee_list_free(&l);
	assert_int_equal(list_of(HEAD "<entry uri=\"sip:a@x\"/>" TAIL, 0, &l, &status), E_LIMIT);
	assert_int_equal(status, 413);
}

static void test_broken_lists(void **state)
{
	(void)state;
	assert_list_refused("", 10, 400);
	assert_list_refused("nonsense", 10, 400);
	assert_list_refused(HEAD, 10, 400);
	assert_list_refused(HEAD "<entry/>" TAIL, 10, 400);
	assert_list_refused(HEAD "<entry uri=\"tel:+15551234\"/>" TAIL, 10, 400);
	assert_list_refused(HEAD "<entry uri=\"sip:a@x\"/><entry uri=\"sip:b@x;method=BYE\"/>" TAIL,
			    10, 400);
	assert_list_refused("<!DOCTYPE x><resource-lists "
			    "xmlns=\"urn:ietf:params:xml:ns:resource-lists\"/>",
			    10, 400);
	assert_list_refused(HEAD "<entry uri=\"sip:a@x?Replaces=a" ESCAPED
				 "&#13;&#10;X-Evil: 1\"/>" TAIL,
			    10, 400);
}

static void test_a_display_name_is_cut_between_characters(void **state)
{
	struct invitee_list l;
	struct buf b;
	int status;

	(void)state;
	buf_init(&b, 1 << 16);
	buf_puts(&b, HEAD "<entry uri=\"sip:a@x\"><display-name>x");
	for (int i = 0; i < 200; i++)
		buf_puts(&b, "\xc3\xa4");
	buf_puts(&b, "</display-name></entry>" TAIL);
	buf_putc(&b, '\0');
	assert_int_equal(list_of(b.p, 10, &l, &status), 0);
	assert_int_equal(l.entry[0].display.n, 255);
	assert_int_equal((unsigned char)l.entry[0].display.p[254], 0xa4);
	invitee_list_free(&l);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_R_6__escaped_replaces),
		cmocka_unit_test(test_R_6__the_example_of_the_source_is_tolerated),
		cmocka_unit_test(test_R_6__half_escaped_forms_are_tolerated),
		cmocka_unit_test(test_parameters_are_kept_but_method),
		cmocka_unit_test(test_who_cannot_be_invited),
		cmocka_unit_test(test_CF_9_3_1_5__other_headers_are_dropped),
		cmocka_unit_test(test_CF_9_3_1_5__no_line_end_gets_into_replaces),
		cmocka_unit_test(test_CF_9_3_1_5__no_second_value_gets_into_replaces),
		cmocka_unit_test(test_replaces_that_names_no_dialog),
		cmocka_unit_test(test_session_replaces),
		cmocka_unit_test(test_a_very_long_entry),
		cmocka_unit_test(test_R_6__what_is_written_is_read),
		cmocka_unit_test(test_R_5__a_list),
		cmocka_unit_test(test_R_6__the_list_of_the_source_made_well_formed),
		cmocka_unit_test(test_R_5__doubles_and_oneself_are_left_out),
		cmocka_unit_test(test_R_5__doubles_are_merged),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_a_list_of_nobody),
		cmocka_unit_test(test_broken_lists),
		cmocka_unit_test(test_a_display_name_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
