/* Caller preferences: RFC 3841 §7.2, with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/core/target.h"

#include "guard_page.h"

#define IM "Accept-Contact: *;+g.oma.sip-im;require;explicit\r\n"

static char text[4096];

static bool matches_as(const char *method, const char *lines, const char *contact, bool assume,
		       unsigned *score)
{
	struct sip_msg m;
	size_t n = strlen(contact);

	snprintf(text, sizeof(text),
		 "%s sip:bo@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
		 "From: <sip:a@b>;tag=1\r\nTo: <sip:bo@example.com>\r\nCall-ID: 1\r\n"
		 "CSeq: 1 %s\r\n%s\r\n",
		 method, method, lines);
	assert_int_equal(sip_msg_parse(view_str(text), &m), 0);
	return target_matches(&m, view_of(guard_copy(contact, n), n), assume, score);
}

static bool matches(const char *lines, const char *contact)
{
	return matches_as("INVITE", lines, contact, false, NULL);
}

static unsigned score(const char *lines, const char *contact)
{
	unsigned q = 9999;

	assert_true(matches_as("INVITE", lines, contact, false, &q));
	return q;
}

static void test_R_12__the_tag_is_asked_for(void **state)
{
	(void)state;
	assert_true(matches(IM, ";+g.oma.sip-im"));
	assert_false(matches(IM, ";audio"));
	assert_false(matches(IM, ";+sip.instance=\"<urn:uuid:1>\""));
	assert_true(matches(IM, ";q=0.3;+G.OMA.SIP-IM=\"TRUE\";audio"));
	assert_false(matches(IM, ";+g.oma.sip-im=\"FALSE\""));
}

static void test_R_1__the_three_spellings_are_equal(void **state)
{
	static const char *const tag[] = {"+g.oma.sip-im", "+g.oma.im.simple", "+g.oma.sip.simple"};

	(void)state;
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++) {
			char line[128], contact[64];

			snprintf(line, sizeof(line), "Accept-Contact: *;%s;require;explicit\r\n",
				 tag[i]);
			snprintf(contact, sizeof(contact), ";%s", tag[j]);
			assert_true(matches(line, contact));
		}
}

static void test_R_12__assumed_for_a_phone_that_knows_none(void **state)
{
	(void)state;
	assert_true(matches_as("INVITE", IM, ";audio", true, NULL));
	/* One that says no is believed. */
	assert_false(matches_as("INVITE", IM, ";+g.oma.sip-im=\"FALSE\"", true, NULL));
	/* Nothing else is assumed. */
	assert_false(matches_as("INVITE", "Accept-Contact: *;video;require;explicit\r\n", ";audio",
				true, NULL));
}

static void test_RFC_3841_7_2_3__no_features_at_all_is_immune(void **state)
{
	(void)state;
	assert_true(matches(IM, ""));
	assert_true(matches(IM, ";q=0.5;expires=100;other-param=1"));
	assert_true(matches("Reject-Contact: *;audio\r\n", ";q=0.5"));
}

/* The example of §7.2.5. */
#define EXAMPLE                                                                                    \
	"Reject-Contact: *;actor=\"msg-taker\";video\r\n"                                          \
	"Accept-Contact: *;audio;require\r\n"                                                      \
	"Accept-Contact: *;video;explicit\r\n"                                                     \
	"Accept-Contact: *;methods=\"BYE\";class=\"business\";q=1.0\r\n"

static void test_RFC_3841_7_2_5__example(void **state)
{
	(void)state;
	assert_int_equal(score(EXAMPLE, ";audio;video;methods=\"INVITE,BYE\";q=0.2"), 833);
	assert_false(
		matches(EXAMPLE, ";audio=\"FALSE\";methods=\"INVITE\";actor=\"msg-taker\";q=0.2"));
	assert_false(matches(EXAMPLE, ";audio;actor=\"msg-taker\";methods=\"INVITE\";video;q=0.3"));
	assert_int_equal(score(EXAMPLE, ";audio;methods=\"INVITE,OPTIONS\";q=0.2"), 500);
	assert_int_equal(score(EXAMPLE, ";q=0.5"), 1000);
}

static void test_require_without_explicit(void **state)
{
	const char *line = "Accept-Contact: *;video;require\r\n";

	(void)state;
	assert_true(matches(line, ";audio")); /* says nothing about video */
	assert_false(matches(line, ";audio;video=\"FALSE\""));
	assert_int_equal(score(line, ";audio"), 0);
}

static void test_preference_without_require_drops_nobody(void **state)
{
	(void)state;
	assert_true(matches("Accept-Contact: *;video;explicit\r\n", ";audio"));
	assert_true(matches("Accept-Contact: *;video\r\n", ";video=\"FALSE\""));
}

static void test_values(void **state)
{
	static const struct {
		const char *wanted, *has;
		bool meet;
	} t[] = {
		{"mobility=\"fixed,mobile\"", ";mobility=\"MOBILE\"", true},
		{"mobility=\"fixed\"", ";mobility=\"mobile\"", false},
		{"mobility=\"!fixed\"", ";mobility=\"mobile\"", true},
		{"mobility=\"!fixed\"", ";mobility=\"fixed\"", false},
		{"mobility=\"fixed\"", ";mobility=\"!fixed\"", false},
		{"mobility=\"!a\"", ";mobility=\"!b\"", true},
		{"description=\"<PC>\"", ";description=\"<PC>\"", true},
		{"description=\"<PC>\"", ";description=\"<pc>\"", false},
		{"description=\"<a,b>\"", ";description=\"<b>\"", false},
		{"priority=\"#>=4\"", ";priority=\"#=5\"", true},
		{"priority=\"#>=4\"", ";priority=\"#=3.9\"", false},
		{"priority=\"#1:5\"", ";priority=\"#<=0.5\"", false},
		{"priority=\"#1:5\"", ";priority=\"#5:9\"", true},
		{"priority=\"#-5\"", ";priority=\"#=1\"", false},
		{"audio", ";audio=\"TRUE\"", true},
		{"audio=\"FALSE\"", ";audio", false},
		{"audio=\"\"", ";audio", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char line[128];

		snprintf(line, sizeof(line), "Accept-Contact: *;%s;require;explicit\r\n",
			 t[i].wanted);
		if (matches(line, t[i].has) != t[i].meet)
			fail_msg("%s against %s", t[i].wanted, t[i].has);
	}
}

static void test_reject_needs_all_features_to_be_named(void **state)
{
	const char *line = "Reject-Contact: *;automata;video\r\n";

	(void)state;
	assert_true(matches(line, ";automata"));
	assert_false(matches(line, ";automata;video"));
	assert_true(matches(line, ";automata;video=\"FALSE\""));
	assert_true(matches("Reject-Contact: *;q=1\r\n", ";automata"));
}

static void test_implicit_preferences(void **state)
{
	(void)state;
	assert_true(matches_as("MESSAGE", "", ";methods=\"INVITE,MESSAGE\"", false, NULL));
	assert_false(matches_as("MESSAGE", "", ";methods=\"INVITE\"", false, NULL));
	assert_true(matches_as("MESSAGE", "", ";audio", false, NULL));
	assert_false(matches_as("SUBSCRIBE", "Event: conference;id=1\r\n", ";events=\"presence\"",
				false, NULL));
	assert_true(matches_as("SUBSCRIBE", "Event: presence\r\n", ";events=\"presence,x\"", false,
			       NULL));
	/* Explicit ones stand in their place. */
	assert_true(matches_as("MESSAGE", "Accept-Contact: *;audio\r\n", ";methods=\"INVITE\"",
			       false, NULL));
}

static void test_more_than_the_caps_is_let_be(void **state)
{
	char lines[3000] = "Accept-Contact: *";

	(void)state;
	for (int i = 0; i < 400; i++)
		strcat(lines, ";+a.b");
	strcat(lines, ";require\r\n");
	assert_true(matches(lines, ";+a.b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_R_12__the_tag_is_asked_for),
		cmocka_unit_test(test_R_1__the_three_spellings_are_equal),
		cmocka_unit_test(test_R_12__assumed_for_a_phone_that_knows_none),
		cmocka_unit_test(test_RFC_3841_7_2_3__no_features_at_all_is_immune),
		cmocka_unit_test(test_RFC_3841_7_2_5__example),
		cmocka_unit_test(test_require_without_explicit),
		cmocka_unit_test(test_preference_without_require_drops_nobody),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_reject_needs_all_features_to_be_named),
		cmocka_unit_test(test_implicit_preferences),
		cmocka_unit_test(test_more_than_the_caps_is_let_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
