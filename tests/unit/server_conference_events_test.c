/* The conference event package at the focus: CF-X-4 (RFC 4575, RFC 6665). */
#include "controlling_world.h"

#include "body/conference_info.h"

#define FACTORY	  "sip:conference-factory@example.com"
#define SUBSCRIBE "Event: conference\nAccept: application/conference-info+xml\nExpires: 600\n"

/* The document of the next conference NOTIFY; version 0: there is none. */
static struct conference_info next_state(struct room *r)
{
	struct asked *a = room_notify(r, "conference");
	struct conference_info doc = {0};
	struct sip_msg m;

	if (!a)
		return doc;
	m = room_parsed(a->text);
	assert_string_equal(room_field(r, a->text, "Content-Type"),
			    "application/conference-info+xml");
	assert_int_equal(conference_info_parse(m.body, &doc), 0);
	return doc;
}

static enum conference_status status_in(const struct conference_info *doc, const char *who)
{
	const struct conference_user *u = conference_info_find(doc, view_str(who));

	return u && u->n_endpoints ? u->endpoints[0].status : CONFERENCE_STATUS_NONE;
}

/* sipsimple subscribes to the factory, liblinphone before its ACK. */
static void test_CF_X_4__full_state_first_also_before_the_ack_and_at_the_factory(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_create(r, "Subject: lunch\n", "<entry uri=\"sip:bo@example.com\"/>"),
		   *answer;
	struct conference_info doc;

	(void)state;
	answer = room_ask(r, "SUBSCRIBE", FACTORY, "ann", SUBSCRIBE, "");
	assert_int_equal(room_parsed(answer).status, 200);
	assert_string_equal(room_field(r, answer, "Expires"), "600");
	doc = next_state(r);
	assert_int_equal(doc.version, 1);
	assert_int_equal(doc.state, CONFERENCE_FULL);
	assert_true(view_eq(doc.entity, view_str(room_uri(r, ok))));
	assert_true(view_eq(doc.subject, VIEW("lunch")));
	assert_int_equal(doc.n_users, 2);
	assert_int_equal(doc.user_count, 1);
	assert_int_equal(status_in(&doc, "sip:ann@example.com"), CONFERENCE_CONNECTED);
	assert_int_equal(status_in(&doc, "sip:bo@example.com"), CONFERENCE_DIALING_OUT);
	conference_info_free(&doc);
	room_free(r);
}

static void test_CF_X_4__then_partial_state_with_the_next_versions(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_create(
		r, "", "<entry uri=\"sip:bo@example.com\"/><entry uri=\"sip:c@example.com\"/>");
	struct asked *bo = room_next(r, "INVITE", "bo@");
	struct conference_info doc, held = {0};

	(void)state;
	room_acknowledge(r, ok);
	room_ask(r, "SUBSCRIBE", room_uri(r, ok), "ann", SUBSCRIBE, "");
	doc = next_state(r);
	assert_int_equal(conference_info_apply(&held, &doc), 0);
	conference_info_free(&doc);
	room_reply(r, bo, 180);
	doc = next_state(r);
	assert_int_equal(doc.version, 2);
	assert_int_equal(doc.state, CONFERENCE_PARTIAL);
	assert_int_equal(doc.n_users, 1);
	assert_int_equal(status_in(&doc, "sip:bo@example.com"), CONFERENCE_ALERTING);
	assert_int_equal(conference_info_apply(&held, &doc), 0);
	conference_info_free(&doc);
	room_reply(r, bo, 200);
	doc = next_state(r);
	assert_int_equal(doc.version, 3);
	assert_int_equal(doc.n_users, 1);
	assert_int_equal(doc.user_count, 2);
	assert_int_equal(conference_info_apply(&held, &doc), 0);
	conference_info_free(&doc);
	assert_int_equal(held.n_users, 3);
	assert_int_equal(status_in(&held, "sip:bo@example.com"), CONFERENCE_CONNECTED);
	assert_int_equal(status_in(&held, "sip:c@example.com"), CONFERENCE_DIALING_OUT);
	conference_info_free(&held);
	room_free(r);
}

static void test_CF_X_4__a_refresh_brings_full_state(void **state)
{
	struct room *r = room_start(room_new());
	const char *uri = room_uri(r, room_of_two(r));
	const char *answer = room_ask(r, "SUBSCRIBE", uri, "bo", SUBSCRIBE, "");
	struct conference_info doc = next_state(r);

	(void)state;
	conference_info_free(&doc);
	answer = room_inside(r, answer, "SUBSCRIBE", 8, SUBSCRIBE, "");
	assert_int_equal(room_parsed(answer).status, 200);
	doc = next_state(r);
	assert_int_equal(doc.version, 2);
	assert_int_equal(doc.state, CONFERENCE_FULL);
	conference_info_free(&doc);
	answer = room_inside(r, answer, "SUBSCRIBE", 9, "Event: conference\nExpires: 0\n", "");
	assert_int_equal(room_parsed(answer).status, 200);
	assert_non_null(
		strstr(room_notify(r, "conference")->text, "Subscription-State: terminated"));
	room_free(r);
}

static void test_CF_X_4__who_left_is_disconnected_and_later_deleted(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);
	struct conference_info doc;
	const struct conference_user *u;

	(void)state;
	room_ask(r, "SUBSCRIBE", uri, "ann", SUBSCRIBE, "");
	doc = next_state(r);
	conference_info_free(&doc);
	room_inside(r, ok, "REFER", 8,
		    "Refer-To: <sip:bo@example.com;method=BYE>\nRefer-Sub: false\n", "");
	doc = next_state(r);
	assert_int_equal(doc.state, CONFERENCE_PARTIAL);
	u = conference_info_find(&doc, VIEW("sip:bo@example.com"));
	assert_int_equal(u->endpoints[0].status, CONFERENCE_DISCONNECTED);
	assert_int_equal(u->endpoints[0].disconnection, CONFERENCE_BOOTED);
	conference_info_free(&doc);
	room_run(r, 31000);
	room_inside(r, ok, "REFER", 9, "Refer-To: <sip:carol@example.com>\nRefer-Sub: false\n", "");
	doc = next_state(r);
	u = conference_info_find(&doc, VIEW("sip:bo@example.com"));
	assert_non_null(u);
	assert_int_equal(u->state, CONFERENCE_DELETED);
	assert_non_null(conference_info_find(&doc, VIEW("sip:carol@example.com")));
	conference_info_free(&doc);
	/* And full state knows nothing of him. */
	room_ask(r, "SUBSCRIBE", uri, "ann", SUBSCRIBE, "");
	for (doc = next_state(r); doc.version && doc.state != CONFERENCE_FULL; doc = next_state(r))
		conference_info_free(&doc);
	assert_int_equal(doc.state, CONFERENCE_FULL);
	assert_null(conference_info_find(&doc, VIEW("sip:bo@example.com")));
	conference_info_free(&doc);
	room_free(r);
}

static void test_CF_X_4__who_leaves_without_a_name_loses_his_entry(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);
	const struct conference_user *u;
	struct conference_info doc;

	(void)state;
	room_ask(r, "SUBSCRIBE", uri, "bo", SUBSCRIBE, "");
	doc = next_state(r);
	conference_info_free(&doc);
	room_inside(r, ok, "BYE", 8, "Privacy: id\n", "");
	doc = next_state(r);
	/* Partial state would have to name her. */
	assert_int_equal(doc.state, CONFERENCE_FULL);
	assert_int_equal(doc.n_users, 2);
	assert_null(conference_info_find(&doc, VIEW("sip:ann@example.com")));
	u = &doc.users[doc.users[0].anonymous ? 0 : 1];
	assert_true(u->anonymous);
	assert_int_equal(u->endpoints[0].status, CONFERENCE_DISCONNECTED);
	assert_true(view_ends(u->endpoints[0].entity, VIEW("@anonymous.invalid")));
	conference_info_free(&doc);
	room_free(r);
}

static void test_CF_X_4__anonymous_participants_are_shown_as_such(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_create(r, "Privacy: id\n", "<entry uri=\"sip:bo@example.com\"/>");
	struct conference_info doc;
	struct asked *invite = room_next(r, "INVITE", "bo@");

	(void)state;
	assert_string_equal(room_field(r, invite->text, "Referred-By"),
			    "<sip:anonymous@anonymous.invalid>");
	room_acknowledge(r, ok);
	room_reply(r, invite, 200);
	room_ask(r, "SUBSCRIBE", room_uri(r, ok), "bo", SUBSCRIBE, "");
	doc = next_state(r);
	assert_int_equal(doc.n_users, 2);
	assert_null(conference_info_find(&doc, VIEW("sip:ann@example.com")));
	assert_true(doc.users[0].anonymous);
	conference_info_free(&doc);
	assert_null(strstr(r->asked[r->n_asked - 1].text, "ann@"));
	room_free(r);
}

static void test_CF_X_4__who_is_out_watches_no_longer(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *uri = room_uri(r, ok);
	struct conference_info doc;

	(void)state;
	room_ask(r, "SUBSCRIBE", uri, "bo", SUBSCRIBE, "");
	doc = next_state(r);
	conference_info_free(&doc);
	room_inside(r, ok, "REFER", 8,
		    "Refer-To: <sip:bo@example.com;method=BYE>\nRefer-Sub: false\n", "");
	assert_string_equal(room_field(r, room_notify(r, "conference")->text, "Subscription-State"),
			    "terminated;reason=rejected");
	assert_null(room_notify(r, "conference"));
	assert_int_equal(room_parsed(room_ask(r, "SUBSCRIBE", uri, "bo", SUBSCRIBE, "")).status,
			 403);
	assert_int_equal(room_parsed(room_ask(r, "SUBSCRIBE", FACTORY, "bo", SUBSCRIBE, "")).status,
			 404);
	room_free(r);
}

static void test_CF_X_4__the_end_of_the_conference_ends_subscriptions(void **state)
{
	struct room *r = room_new();
	const char *ok, *text;

	(void)state;
	r->cfg.end_policy = CONFERENCE_END_CREATOR;
	ok = room_of_two(room_start(r));
	room_ask(r, "SUBSCRIBE", room_uri(r, ok), "bo", SUBSCRIBE, "");
	(void)room_notify(r, "conference");
	room_inside(r, ok, "BYE", 8, "", "");
	do
		text = room_notify(r, "conference")->text;
	while (strstr(text, "Subscription-State: active"));
	assert_string_equal(room_field(r, text, "Subscription-State"),
			    "terminated;reason=noresource");
	room_run(r, 40000);
	assert_int_equal(controlling_conference_count(r->ctl), 0);
	room_free(r);
}

static void assert_nickname(const struct conference_info *doc, const char *who,
			    const char *nickname)
{
	const struct conference_user *u = conference_info_find(doc, view_str(who));

	assert_non_null(u);
	assert_true(view_eq(u->nickname, view_str(nickname)));
}

/* RFC 7701 §7.4 */
static void test_CF_X_4__nicknames_are_told(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r);
	struct conference_info doc;

	(void)state;
	room_ask(r, "SUBSCRIBE", room_uri(r, ok), "bo", SUBSCRIBE, "");
	doc = next_state(r);
	assert_nickname(&doc, "sip:ann@example.com", "");
	conference_info_free(&doc);
	controlling_seat_named(r->ctl, r->conference, r->seat[0], VIEW("Queen \"Bee\""), r->now);
	room_run(r, 0);
	doc = next_state(r);
	assert_int_equal(doc.state, CONFERENCE_PARTIAL);
	assert_int_equal(doc.n_users, 1);
	assert_nickname(&doc, "sip:ann@example.com", "Queen \"Bee\"");
	assert_int_equal(status_in(&doc, "sip:ann@example.com"), CONFERENCE_CONNECTED);
	conference_info_free(&doc);
	/* Given back. */
	controlling_seat_named(r->ctl, r->conference, r->seat[0], VIEW(""), r->now);
	room_run(r, 0);
	doc = next_state(r);
	assert_nickname(&doc, "sip:ann@example.com", "");
	conference_info_free(&doc);
	/* Nobody's. */
	controlling_seat_named(r->ctl, r->conference, 1, VIEW("x"), r->now);
	controlling_seat_named(r->ctl, 1, r->seat[0], VIEW("x"), r->now);
	room_run(r, 0);
	assert_null(room_notify(r, "conference"));
	/* Who leaves without a name leaves without that one too. */
	controlling_seat_named(r->ctl, r->conference, r->seat[0], VIEW("Bee"), r->now);
	room_run(r, 0);
	(void)room_notify(r, "conference");
	room_inside(r, ok, "BYE", 8, "Privacy: id\n", "");
	assert_null(strstr(room_notify(r, "conference")->text, "Bee"));
	room_free(r);
}

static void test_CF_X_4__long_nicknames_do_not_make_the_roster_too_large(void **state)
{
	struct room *r = room_new();
	char *entries = room_textf(r, "%s", ""), long_one[1024];
	struct conference_info doc;
	const char *ok;

	(void)state;
	r->cfg.max_members = 60;
	room_start(r);
	for (int i = 0; i < 58; i++)
		entries = room_textf(r, "%s<entry uri=\"sip:u%d@example.com\"/>", entries, i);
	ok = room_create(r, "", entries);
	room_acknowledge(r, ok);
	memset(long_one, '&', 1023);
	long_one[1023] = '\0';
	for (size_t i = 0; i < 59; i++)
		controlling_seat_named(r->ctl, r->conference, r->seat[i], view_str(long_one),
				       r->now);
	room_ask(r, "SUBSCRIBE", room_uri(r, ok), "ann", SUBSCRIBE, "");
	doc = next_state(r);
	assert_int_equal(doc.n_users, 59);
	assert_nickname(&doc, "sip:ann@example.com", "");
	conference_info_free(&doc);
	room_free(r);
}

/* RFC 6665 §4.5.2 */
static void test_CF_X_4__not_inside_the_dialog_of_the_session(void **state)
{
	struct room *r = room_start(room_new());
	const char *ok = room_of_two(r), *answer;

	(void)state;
	answer = room_inside(r, ok, "SUBSCRIBE", 8, SUBSCRIBE, "");
	assert_int_equal(strncmp(answer, "SIP/2.0 403 Dialog Sharing Not Supported\r\n", 42), 0);
	answer = room_inside(r, ok, "SUBSCRIBE", 9, "Event: presence\n", "");
	assert_int_equal(room_parsed(answer).status, 489);
	assert_null(room_notify(r, "conference"));
	room_free(r);
}

static void test_CF_X_4__another_package_is_489(void **state)
{
	struct room *r = room_start(room_new());
	const char *uri = room_uri(r, room_of_two(r));

	(void)state;
	assert_int_equal(
		room_parsed(room_ask(r, "SUBSCRIBE", uri, "bo", "Event: presence\n", "")).status,
		489);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_CF_X_4__full_state_first_also_before_the_ack_and_at_the_factory),
		cmocka_unit_test(test_CF_X_4__then_partial_state_with_the_next_versions),
		cmocka_unit_test(test_CF_X_4__a_refresh_brings_full_state),
		cmocka_unit_test(test_CF_X_4__who_left_is_disconnected_and_later_deleted),
		cmocka_unit_test(test_CF_X_4__who_leaves_without_a_name_loses_his_entry),
		cmocka_unit_test(test_CF_X_4__anonymous_participants_are_shown_as_such),
		cmocka_unit_test(test_CF_X_4__who_is_out_watches_no_longer),
		cmocka_unit_test(test_CF_X_4__the_end_of_the_conference_ends_subscriptions),
		cmocka_unit_test(test_CF_X_4__nicknames_are_told),
		cmocka_unit_test(test_CF_X_4__long_nicknames_do_not_make_the_roster_too_large),
		cmocka_unit_test(test_CF_X_4__not_inside_the_dialog_of_the_session),
		cmocka_unit_test(test_CF_X_4__another_package_is_489),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
