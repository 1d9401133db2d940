/* What the focus lets whom do (RFC 3891 §5; CF-9.3.1-5, CF-X-3 … CF-X-5), and its caps, each one
 * below, at and one above. */
#include "controlling_world.h"

#define FACTORY	   "sip:conference-factory@example.com"
#define SUBSCRIBE  "Event: conference\nAccept: application/conference-info+xml\nExpires: 600\n"
#define JOIN_LINES ROOM_IM "Content-Type: application/sdp\n"

static int status_of(const char *answer)
{
	return room_parsed(answer).status;
}

static int subscribe(struct room *r, const char *uri, const char *user)
{
	return status_of(room_ask(r, "SUBSCRIBE", uri, user, SUBSCRIBE, ""));
}

static int refer(struct room *r, const char *uri, const char *user, const char *to)
{
	return status_of(room_ask(r, "REFER", uri, user, room_textf(r, "Refer-To: %s\n", to), ""));
}

/* --- participants only --- */

static void test_only_participants_may_refer_and_subscribe(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_create(r, "",
				     "<entry uri=\"sip:bo@example.com\"/>"
				     "<entry uri=\"sip:charles@example.com\"/>"),
		   *uri = room_uri(r, ok);

	(void)state;
	room_acknowledge(r, ok);
	room_reply(r, room_next(r, "INVITE", "bo@"), 200);
	room_reply(r, room_next(r, "INVITE", "charles@"), 180);
	for (int i = 0; i < 2; i++) {
		/* dora was never asked; one without a name is nobody. */
		const char *outside[] = {"dora", "stranger"};
		const char *to = i ? FACTORY : uri;

		for (size_t k = 0; k < 2; k++) {
			int status = subscribe(r, to, outside[k]);

			assert_true(status == 403 || (i && status == 404));
			assert_int_equal(refer(r, to, outside[k], "<sip:eve@example.com>"), 403);
		}
		/* Nor does charles, who is being asked. */
		assert_int_equal(refer(r, to, "charles", "<sip:eve@example.com>"), 403);
	}
	assert_null(room_next(r, "INVITE", "eve@"));
	assert_null(room_notify(r, "conference"));
	assert_int_equal(subscribe(r, uri, "bo"), 200);
	assert_int_equal(refer(r, uri, "bo", "<sip:eve@example.com>"), 200);
	room_free(r);
}

/* RFC 6665 §4.1.3: accepted, and nothing told. His SUBSCRIBE may have overtaken his 200. */
static void test_who_is_being_invited_learns_nothing_before_he_is_in(void **state)
{
	for (int joins = 0; joins < 2; joins++) {
		struct room *r = room_start(room_new());
		const char *ok = room_create(r, "",
					     "<entry uri=\"sip:bo@example.com\"/>"
					     "<entry uri=\"sip:charles@example.com\"/>");
		struct asked *to_charles, *a;

		(void)state;
		room_acknowledge(r, ok);
		to_charles = room_next(r, "INVITE", "charles@");
		room_reply(r, to_charles, 180);
		assert_int_equal(subscribe(r, room_uri(r, ok), "charles"), 200);
		a = room_notify(r, "conference");
		assert_non_null(a);
		assert_int_equal(
			strncmp(room_field(r, a->text, "Subscription-State"), "pending;", 8), 0);
		assert_int_equal(room_parsed(a->text).body.n, 0);
		/* What happens meanwhile is not told either. */
		room_reply(r, room_next(r, "INVITE", "bo@"), 200);
		assert_null(room_notify(r, "conference"));
		room_reply(r, to_charles, joins ? 200 : 603);
		a = room_notify(r, "conference");
		assert_non_null(a);
		if (joins) {
			assert_int_equal(
				strncmp(room_field(r, a->text, "Subscription-State"), "active;", 7),
				0);
			assert_non_null(strstr(a->text, "sip:bo@example.com"));
			assert_non_null(strstr(a->text, "state=\"full\""));
		} else {
			assert_string_equal(room_field(r, a->text, "Subscription-State"),
					    "terminated;reason=rejected");
			assert_int_equal(room_parsed(a->text).body.n, 0);
		}
		room_free(r);
	}
}

/* --- Replaces --- */

/* Replaces of ann's dialog with the focus. */
static const char *replaces_of(struct room *r, const char *ok, const char *more)
{
	const char *local = strstr(room_field(r, ok, "To"), ";tag=") + 5;
	const char *remote = strstr(room_field(r, ok, "From"), ";tag=") + 5;

	return room_textf(r, "Replaces: %s;to-tag=%s;from-tag=%s%s\nRequire: replaces\n",
			  room_field(r, ok, "Call-ID"), local, remote, more);
}

static int replace(struct room *r, const char *uri, const char *user, const char *line)
{
	return status_of(
		room_ask(r, "INVITE", uri, user, room_textf(r, JOIN_LINES "%s", line), ROOM_SDP));
}

static void test_RFC_3891_5__a_dialog_is_replaced_by_its_own_party_alone(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok), *line = replaces_of(r, ok, "");

	(void)state;
	/* Another participant, somebody else, and nobody known. */
	assert_int_equal(replace(r, uri, "bo", line), 403);
	assert_int_equal(replace(r, uri, "dora", line), 403);
	assert_int_equal(replace(r, uri, "stranger", line), 403);
	/* No such dialog; not of that conference; one that is not early. */
	assert_int_equal(
		replace(r, uri, "ann", "Replaces: x;to-tag=y;from-tag=z\nRequire: replaces\n"),
		481);
	assert_int_equal(replace(r, FACTORY, "ann", line), 481);
	assert_int_equal(replace(r, uri, "ann", replaces_of(r, ok, ";early-only")), 486);
	assert_int_equal(replace(r, uri, "ann", room_textf(r, "%s%s", line, line)), 400);
	assert_int_equal(
		status_of(room_ask(r, "REFER", uri, "ann",
				   room_textf(r, "Refer-To: <sip:c@example.com>\n%s", line), "")),
		400);
	assert_int_equal(r->n_closed, 0);
	assert_null(room_next(r, "BYE", "192.0.2.50"));
	/* Himself: in by the new one, and the old one is ended. */
	assert_int_equal(replace(r, uri, "ann", line), 200);
	assert_int_equal(r->n_closed, 1);
	assert_non_null(room_next(r, "BYE", "192.0.2.50"));
	assert_int_equal(controlling_conference_count(r->ctl), 1);
	room_free(r);
}

static void test_RFC_3891_5__a_participants_dialog_of_another_conference_is_481(void **state)
{
	struct room *r = room_start(room_new());
	const char *first = room_of_two(r), *second = room_of_two(r);

	(void)state;
	assert_int_equal(replace(r, room_uri(r, second), "ann", replaces_of(r, first, "")), 481);
	room_free(r);
}

/* --- what a list entry carries over --- */

static void test_CF_9_3_1_5__of_an_entrys_headers_Replaces_alone_is_taken_over(void **state)
{
	struct room *r = room_start(room_new());
	const char *text;
	struct asked *a;

	(void)state;
	(void)room_create(
		r, "",
		"<entry uri=\"sip:bo@example.com?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc"
		"&amp;Subject=evil&amp;P-Asserted-Identity=%3Csip:president@example.com%3E"
		"&amp;Route=%3Csip:192.0.2.66%3E&amp;Referred-By=%3Csip:president@example.com%3E"
		"&amp;Contact=%3Csip:evil@192.0.2.66%3E&amp;From=%3Csip:evil@x%3E"
		"&amp;Authorization=evil&amp;body=evil&amp;Require=evil&amp;Privacy=evil\"/>");
	a = room_next(r, "INVITE", "bo@");
	assert_non_null(a);
	text = a->text;
	assert_string_equal(room_field(r, text, "Replaces"), "a;to-tag=b;from-tag=c");
	assert_null(strstr(text, "evil"));
	assert_null(strstr(text, "president"));
	assert_null(strstr(text, "192.0.2.66"));
	room_free(r);
}

static void test_CF_9_3_1_5__of_a_Refer_Tos_headers_neither(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *text;
	struct asked *a;

	(void)state;
	assert_int_equal(
		refer(r, room_uri(r, ok), "ann",
		      "<sip:dora@example.com?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc&Subject=evil"
		      "&Route=%3Csip:192.0.2.66%3E&P-Asserted-Identity=%3Csip:evil@x%3E&body="
		      "evil>"),
		200);
	a = room_next(r, "INVITE", "dora@");
	assert_non_null(a);
	text = a->text;
	assert_string_equal(room_field(r, text, "Replaces"), "a;to-tag=b;from-tag=c");
	assert_null(strstr(text, "evil"));
	assert_null(strstr(text, "192.0.2.66"));
	room_free(r);
}

static void test_CF_9_3_1_5__an_escaped_line_end_makes_no_header_line(void **state)
{
	static const char *const entry[] = {
		"<entry "
		"uri=\"sip:bo@example.com?Replaces=a%0D%0AX-Evil:1%3Bto-tag%3Db%3Bfrom-tag%3Dc\"/>",
		"<entry "
		"uri=\"sip:bo@example.com?Replaces=a%3Bto-tag%3Db%0D%0AX-Evil:1%3Bfrom-tag%3Dc\"/>",
		"<entry uri=\"sip:bo@example.com?Session-Replaces=a%0D%0AX-Evil:1\"/>",
		"<entry uri=\"sip:bo@example.com;x=%0D%0AX-Evil:1\"/>",
		"<entry uri=\"sip:bo@example.com&#13;&#10;X-Evil:1\"/>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(entry) / sizeof(*entry); i++) {
		struct room *r = room_start(room_new());

		(void)room_create(r, "", entry[i]);
		for (size_t k = 0; k < r->n_asked; k++)
			assert_null(strstr(r->asked[k].text, "\nX-Evil"));
		for (size_t k = 0; k < r->n_sent; k++)
			assert_null(strstr(r->sent[k], "\nX-Evil"));
		room_free(r);
	}
}

static void test_targets_are_sip_uris_alone(void **state)
{
	static const char *const bad[] = {"tel:+15551234",	  "http://example.com/",
					  "mailto:a@example.com", "im:bo@example.com",
					  "javascript:alert(1)",  "file:///etc/passwd",
					  "urn:service:sos",	  "msrp://192.0.2.9:1/a;tcp"};
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		size_t before = r->n_asked;

		assert_int_equal(refer(r, uri, "ann", room_textf(r, "<%s>", bad[i])), 416);
		assert_int_equal(
			status_of(room_create(r, "", room_textf(r, "<entry uri=\"%s\"/>", bad[i]))),
			400);
		assert_int_equal(r->n_asked, before);
	}
	assert_int_equal(controlling_conference_count(r->ctl), 1);
	assert_int_equal(refer(r, uri, "ann", "<sips:dora@example.com>"), 200);
	room_free(r);
}

/* --- caps --- */

static const char *entries(struct room *r, unsigned n)
{
	const char *list = "";

	while (n--)
		list = room_textf(r, "%s<entry uri=\"sip:u%u@example.com\"/>", list, n);
	return list;
}

static void test_cap_on_list_entries_is_413(void **state)
{
	for (int k = -1; k <= 1; k++) {
		struct room *r = room_start(room_new());
		unsigned n = (unsigned)((int)r->cfg.max_members - 1 + k);

		(void)state;
		assert_int_equal(status_of(room_create(r, "", entries(r, n))), k <= 0 ? 200 : 413);
		assert_int_equal(controlling_conference_count(r->ctl), k <= 0 ? 1 : 0);
		assert_int_equal(r->n_open, k <= 0 ? 1 : 0);
		room_free(r);
	}
}

static void test_cap_on_entries_of_a_REFERs_list_is_413(void **state)
{
	for (int k = -1; k <= 1; k++) {
		struct room *r = room_start(room_new());
		const char *ok = room_of_two(r);
		unsigned n = (unsigned)((int)r->cfg.max_members + k);
		const char *body = room_textf(r, ROOM_LIST_HEAD "%s" ROOM_LIST_TAIL, entries(r, n));
		int status;

		(void)state;
		status = status_of(
			room_ask(r, "REFER", room_uri(r, ok), "ann",
				 "Refer-To: <cid:l@x>\nRequire: multiple-refer, "
				 "norefersub\nRefer-Sub: false\n"
				 "Content-Type: application/resource-lists+xml\nContent-ID: <l@x>\n"
				 "Content-Disposition: recipient-list\n",
				 body));
		/* Two are in: no list of that length fits (403), but one is not even read. */
		assert_int_equal(status, k <= 0 ? 403 : 413);
		assert_null(room_next(r, "INVITE", "u0@"));
		room_free(r);
	}
}

static void test_cap_on_list_bytes_is_413(void **state)
{
	for (int k = -1; k <= 1; k++) {
		struct room *r = room_new();
		/* What room_create puts into that part of the body, line ends included. */
		const char *list = room_crlf(
			r, room_textf(r, ROOM_LIST_HEAD "%s" ROOM_LIST_TAIL, entries(r, 2)));

		(void)state;
		r->cfg.max_list_bytes = strlen(list) + (size_t)(ptrdiff_t)k;
		r = room_start(r);
		assert_int_equal(status_of(room_create(r, "", entries(r, 2))), k >= 0 ? 200 : 413);
		assert_int_equal(controlling_conference_count(r->ctl), k >= 0 ? 1 : 0);
		room_free(r);
	}
}

static void test_cap_on_XML_depth_is_413(void **state)
{
	for (int k = -1; k <= 1; k++) {
		struct room *r = room_new();
		const char *list = "<entry uri=\"sip:bo@example.com\"/>";

		(void)state;
		/* resource-lists, list, 6 + k more, entry. */
		r->cfg.max_list_depth = 9;
		for (int i = 0; i < 6 + k; i++)
			list = room_textf(r, "<list>%s</list>", list);
		r = room_start(r);
		assert_int_equal(status_of(room_create(r, "", list)), k <= 0 ? 200 : 413);
		assert_int_equal(controlling_conference_count(r->ctl), k <= 0 ? 1 : 0);
		room_free(r);
	}
}

static void test_cap_on_conferences_of_a_user_is_486(void **state)
{
	struct room *r = room_new();
	const char *ok[3], *over;

	(void)state;
	r->cfg.max_conferences_per_user = 3;
	r = room_start(r);
	for (int i = 0; i < 3; i++) {
		ok[i] = room_of_two(r);
		assert_int_equal(status_of(ok[i]), 200);
	}
	over = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");
	assert_int_equal(status_of(over), 486);
	assert_string_equal(room_field(r, over, "Retry-After"), "60");
	assert_int_equal(controlling_conference_count(r->ctl), 3);
	assert_int_equal(r->n_open, 3);
	/* Another may; and he himself when one of his is over. */
	assert_int_equal(status_of(room_ask(r, "INVITE", FACTORY, "bo", JOIN_LINES, ROOM_SDP)),
			 200);
	room_inside(r, ok[0], "BYE", 8, "", "");
	room_inside(r, room_ask(r, "INVITE", room_uri(r, ok[0]), "bo", JOIN_LINES, ROOM_SDP), "BYE",
		    8, "", "");
	assert_int_equal(status_of(room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>")), 200);
	room_free(r);
}

static void test_cap_on_conferences_is_503(void **state)
{
	struct room *r = room_new();
	const char *over;

	(void)state;
	r->cfg.max_conferences = 2;
	r = room_start(r);
	for (int i = 0; i < 2; i++)
		assert_int_equal(status_of(room_of_two(r)), 200);
	over = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");
	assert_int_equal(status_of(over), 503);
	assert_string_equal(room_field(r, over, "Retry-After"), "10");
	assert_int_equal(controlling_conference_count(r->ctl), 2);
	room_free(r);
}

static void test_cap_on_subscriptions_of_a_conference_is_486(void **state)
{
	struct room *r = room_new();
	const char *uri, *over;
	struct asked *notify;

	(void)state;
	r->cfg.max_subscriptions = 3;
	r = room_start(r);
	uri = room_uri(r, room_of_two(r));
	assert_int_equal(subscribe(r, uri, "ann"), 200);
	assert_int_equal(subscribe(r, uri, "bo"), 200);
	assert_int_equal(subscribe(r, uri, "bo"), 200);
	while ((notify = room_notify(r, "conference")))
		;
	over = room_ask(r, "SUBSCRIBE", uri, "ann", SUBSCRIBE, "");
	assert_int_equal(status_of(over), 486);
	assert_string_equal(room_field(r, over, "Retry-After"), "30");
	assert_null(room_notify(r, "conference"));
	room_free(r);
}

static void test_cap_on_subscriptions_of_a_participant_is_486(void **state)
{
	struct room *r = room_new();
	const char *uri, *first;

	(void)state;
	r->cfg.max_subscriptions_per_user = 2;
	r = room_start(r);
	uri = room_uri(r, room_of_two(r));
	first = room_ask(r, "SUBSCRIBE", uri, "ann", SUBSCRIBE, "");
	assert_int_equal(status_of(first), 200);
	assert_int_equal(subscribe(r, uri, "ann"), 200);
	assert_int_equal(subscribe(r, uri, "ann"), 486);
	assert_int_equal(subscribe(r, uri, "bo"), 200);
	/* One that ends makes room. */
	assert_int_equal(status_of(room_inside(r, first, "SUBSCRIBE", 8,
					       "Event: conference\nExpires: 0\n", "")),
			 200);
	room_run(r, 1000);
	assert_int_equal(subscribe(r, uri, "ann"), 200);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_participants_may_refer_and_subscribe),
		cmocka_unit_test(test_who_is_being_invited_learns_nothing_before_he_is_in),
		cmocka_unit_test(test_RFC_3891_5__a_dialog_is_replaced_by_its_own_party_alone),
		cmocka_unit_test(
			test_RFC_3891_5__a_participants_dialog_of_another_conference_is_481),
		cmocka_unit_test(
			test_CF_9_3_1_5__of_an_entrys_headers_Replaces_alone_is_taken_over),
		cmocka_unit_test(test_CF_9_3_1_5__of_a_Refer_Tos_headers_neither),
		cmocka_unit_test(test_CF_9_3_1_5__an_escaped_line_end_makes_no_header_line),
		cmocka_unit_test(test_targets_are_sip_uris_alone),
		cmocka_unit_test(test_cap_on_list_entries_is_413),
		cmocka_unit_test(test_cap_on_entries_of_a_REFERs_list_is_413),
		cmocka_unit_test(test_cap_on_list_bytes_is_413),
		cmocka_unit_test(test_cap_on_XML_depth_is_413),
		cmocka_unit_test(test_cap_on_conferences_of_a_user_is_486),
		cmocka_unit_test(test_cap_on_conferences_is_503),
		cmocka_unit_test(test_cap_on_subscriptions_of_a_conference_is_486),
		cmocka_unit_test(test_cap_on_subscriptions_of_a_participant_is_486),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
