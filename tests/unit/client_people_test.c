/* client/people.c: whom a conference is made anew with where its server knows it no more (CF-X-5):
 * also where the server died before everybody had been told who is in. */
#include "recover_world.h"

static const char ann[] = "sip:ann@example.com", bo[] = "sip:bo@example.com",
		  charles[] = "sip:charles@example.com", dora[] = "sip:dora@example.com";

/* Ann asks these into a conference, which opens; what she subscribes by. */
static const char *asked(struct desk *d, const char *const *who, size_t n, uint32_t *id_out)
{
	struct client_call_options o = {.conference = true};
	struct view uri[300];

	for (size_t i = 0; i < n; i++)
		uri[i] = view_str(who[i]);
	assert_int_equal(client_call_with(d->client, uri, n, &o, id_out, d->now), 0);
	desk_run(d, 0);
	desk_answer(d, desk_next(d, "INVITE sip:conference-factory@example.com"), 200,
		    "Contact: <" DESK_CONFERENCE ">;isfocus\r\n", "application/sdp", DESK_SDP);
	assert_non_null(desk_next(d, "ACK "));
	desk_seat_opens(d);
	return subscribed(d, DESK_CONFERENCE);
}

/* The server is killed, and knows nothing of it afterwards: the list that the new one is made
 * with. */
static const char *asked_anew(struct desk *d)
{
	const char *again;

	server_is_new(d);
	desk_answer(d, desk_await(d, "INVITE " DESK_CONFERENCE " ", 500), 404, "", "", "");
	again = desk_await(d, "INVITE sip:conference-factory@example.com ", 30000);
	return again ? strstr(again, "<resource-lists") : "";
}

static bool names(const char *list, const char *uri)
{
	char entry[128];

	(void)snprintf(entry, sizeof(entry), "\"%s\"", uri);
	return strstr(list, entry) != NULL;
}

static void test_CF_X_5__who_was_asked_and_is_not_in_the_roster_yet(void **state)
{
	const char *const who[] = {bo, charles, dora};
	struct desk *d = desk_registered();
	const char *subscribe, *list;
	uint32_t id;

	(void)state;
	subscribe = asked(d, who, 3, &id);
	notify(d, subscribe, 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")
				  LISTED("sip:charles@example.com", "alerting", "")));
	list = asked_anew(d);
	assert_true(names(list, bo));
	assert_true(names(list, charles));
	assert_true(names(list, dora));
	desk_free(d);
}

static void test_CF_X_5__who_has_left_is_not_asked(void **state)
{
	const char *const who[] = {bo, charles, dora};
	struct desk *d = desk_registered();
	const char *subscribe, *list;
	uint32_t id;

	(void)state;
	subscribe = asked(d, who, 3, &id);
	notify(d, subscribe, 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")
				  USER("sip:charles@example.com") USER("sip:dora@example.com")));
	/* One is shown as gone, of one nothing is shown any more. */
	notify(d, subscribe, 2,
	       STATE("2", USER("sip:ann@example.com") USER("sip:bo@example.com")
				  OUT("sip:charles@example.com", "departed")));
	list = asked_anew(d);
	assert_true(names(list, bo));
	assert_false(names(list, charles));
	assert_false(names(list, dora));
	desk_free(d);
}

static void test_CF_X_5__who_has_left_and_was_asked_back(void **state)
{
	const char *const who[] = {bo, charles};
	struct desk *d = desk_registered();
	struct view back = view_str(charles);
	const char *subscribe;
	uint32_t id;

	(void)state;
	subscribe = asked(d, who, 2, &id);
	notify(d, subscribe, 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")
				  OUT("sip:charles@example.com", "departed")));
	assert_int_equal(client_add(d->client, id, &back, 1, d->now), 0);
	assert_true(names(asked_anew(d), charles));
	desk_free(d);
}

static void test_CF_X_5__who_declined_is_not_asked(void **state)
{
	static const int status[] = {403, 486, 603};
	const char *const who[] = {bo, charles};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct desk *d = desk_registered();
		struct view add = view_str(dora);
		const char *subscribe, *refer, *list;
		uint32_t id;

		subscribe = asked(d, who, 2, &id);
		/* From the start, as the roster says; later, as our REFER is told. */
		notify(d, subscribe, 1,
		       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")
					  OUT("sip:charles@example.com", "busy")));
		assert_int_equal(client_add(d->client, id, &add, 1, d->now), 0);
		refer = desk_next(d, "REFER ");
		if (status[i] == 403) {
			desk_answer(d, refer, 403, "", "", "");
		} else {
			desk_answer(d, refer, 200, "", "", "");
			(void)desk_ask(d, refer, "NOTIFY", 10,
				       "Event: refer\r\nSubscription-State: terminated\r\n",
				       "message/sipfrag",
				       desk_textf(d, "SIP/2.0 %d No\r\n", status[i]));
		}
		assert_int_equal(desk_event(d, CONFAB_PROGRESS)->status, status[i]);
		list = asked_anew(d);
		assert_true(names(list, bo));
		assert_false(names(list, charles));
		assert_false(names(list, dora));
		desk_free(d);
	}
}

static void test_CF_X_5__who_was_asked_by_others(void **state)
{
	const char *const who[] = {bo};
	struct desk *d = desk_registered();
	const char *subscribe, *list;
	uint32_t id;

	(void)state;
	subscribe = asked(d, who, 1, &id);
	notify(d, subscribe, 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")
				  USER("sip:charles@example.com")
					  LISTED("sip:dora@example.com", "dialing-out", "")));
	list = asked_anew(d);
	assert_true(names(list, charles));
	assert_true(names(list, dora));
	desk_free(d);
}

static void test_CF_X_5__oneself_is_not_asked(void **state)
{
	const char *const who[] = {bo, ann};
	struct desk *d = desk_registered();
	const char *subscribe, *list;
	uint32_t id;

	(void)state;
	subscribe = asked(d, who, 2, &id);
	notify(d, subscribe, 1, STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")));
	list = asked_anew(d);
	assert_true(names(list, bo));
	assert_false(names(list, ann));
	desk_free(d);
}

/* Who is in comes before who was only asked. */
static void test_cap_on_people_who_are_asked_anew(void **state)
{
	enum { MOST = 255 };
	struct desk *d = desk_registered();
	const char *who[MOST], *subscribe, *list;
	size_t n = 0;
	uint32_t id;

	(void)state;
	for (size_t i = 0; i < MOST; i++)
		who[i] = desk_textf(d, "sip:p%zu@example.com", i);
	subscribe = asked(d, who, MOST, &id);
	notify(d, subscribe, 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")
				  USER("sip:charles@example.com")));
	list = asked_anew(d);
	assert_true(names(list, bo));
	assert_true(names(list, charles));
	assert_true(names(list, "sip:p252@example.com"));
	assert_false(names(list, "sip:p253@example.com"));
	for (const char *at = list; (at = strstr(at, "<entry ")); at++)
		n++;
	assert_int_equal(n, MOST);
	desk_free(d);
}

/* --- whoever was asked in --- */

static void test_CF_X_5__who_has_asked_us_in(void **state)
{
	struct desk *d = desk_registered();
	const char *list;

	(void)state;
	notify(d, asked_in(d), 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")));
	assert_true(names(asked_anew(d), bo));
	desk_free(d);
	/* He was in, and had left before we were told of anybody. */
	d = desk_registered();
	notify(d, asked_in(d), 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:charles@example.com")));
	list = asked_anew(d);
	assert_false(names(list, bo));
	assert_true(names(list, charles));
	desk_free(d);
}

/* Ann's address is the lowest, but Bo knew whom he asks before she could be told. */
static void test_CF_X_5__who_asked_stands_before_whom_he_asked(void **state)
{
	static const char *const roster[] = {
		NULL, STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")
					 USER("sip:charles@example.com"))};

	(void)state;
	for (size_t told = 0; told < 2; told++) {
		struct desk *d = desk_registered();
		const char *subscribe = asked_in(d);

		if (told)
			notify(d, subscribe, 1, roster[told]);
		server_is_new(d);
		desk_answer(d, desk_await(d, "INVITE " DESK_CONFERENCE " ", 500), 404, "", "", "");
		desk_run(d, 9000);
		assert_null(desk_next(d, "INVITE "));
		desk_run(d, 1100);
		assert_non_null(desk_next(d, "INVITE sip:conference-factory@example.com "));
		desk_free(d);
	}
}

/* He has left: the lowest address it is. */
static void test_CF_X_5__where_who_asked_has_left_the_lowest_address_is_first(void **state)
{
	struct desk *d = desk_registered();

	(void)state;
	notify(d, asked_in(d), 1,
	       STATE("1", USER("sip:ann@example.com") OUT("sip:bo@example.com", "departed")
				  USER("sip:charles@example.com")));
	server_is_new(d);
	desk_answer(d, desk_await(d, "INVITE " DESK_CONFERENCE " ", 500), 404, "", "", "");
	assert_non_null(desk_await(d, "INVITE sip:conference-factory@example.com ", 1600));
	desk_free(d);
}

static void test_CF_X_5__who_made_it_is_first_whatever_his_address(void **state)
{
	const char *const who[] = {"sip:abe@example.com", "sip:adam@example.com"};

	(void)state;
	for (int told = 0; told < 2; told++) {
		struct desk *d = desk_registered();
		const char *subscribe, *again;
		uint32_t id;

		subscribe = asked(d, who, 2, &id);
		if (told)
			notify(d, subscribe, 1,
			       STATE("1", USER("sip:abe@example.com") USER("sip:adam@example.com")
						  USER("sip:ann@example.com")));
		server_is_new(d);
		desk_answer(d, desk_await(d, "INVITE " DESK_CONFERENCE " ", 500), 404, "", "", "");
		again = desk_await(d, "INVITE sip:conference-factory@example.com ", 1600);
		assert_non_null(again);
		assert_true(names(again, who[0]) && names(again, who[1]));
		desk_free(d);
	}
}

/* The one that is made anew loses its server, too, before it has told who is in. */
static void test_CF_X_5__killed_twice(void **state)
{
	const char *const who[] = {bo, charles, dora};
	struct desk *d = desk_registered();
	const char *subscribe, *list;
	uint32_t id;

	(void)state;
	subscribe = asked(d, who, 3, &id);
	notify(d, subscribe, 1,
	       STATE("1", USER("sip:ann@example.com") USER("sip:bo@example.com")
				  USER("sip:charles@example.com")
					  OUT("sip:dora@example.com", "departed")));
	server_is_new(d);
	desk_answer(d, desk_await(d, "INVITE " DESK_CONFERENCE " ", 500), 404, "", "", "");
	desk_answer(d, desk_await(d, "INVITE sip:conference-factory@example.com ", 2000), 200,
		    "Contact: <" NEW_CONFERENCE ">;isfocus\r\n", "application/sdp", DESK_SDP);
	desk_seat_opens(d);
	/* Charles was not registered in time; he is still to be added. */
	notify(d, subscribed(d, NEW_CONFERENCE), 1,
	       STATE("1", USER("sip:ann@example.com") OUT("sip:charles@example.com", "failed")));
	server_is_new(d);
	desk_answer(d, desk_await(d, "INVITE " NEW_CONFERENCE " ", 500), 404, "", "", "");
	list = desk_await(d, "INVITE sip:conference-factory@example.com ", 2000);
	assert_non_null(list);
	assert_true(names(list, bo));
	assert_true(names(list, charles));
	assert_false(names(list, dora));
	desk_free(d);
}

/* Whom the new conference lacks is added; not so who has left it, or does not want to. */
static void test_CF_X_5__who_has_left_again_is_not_called_back(void **state)
{
	const char *const who[] = {bo, charles, dora};
	struct desk *d = desk_registered();
	const char *subscribe, *refer;
	uint32_t id;

	(void)state;
	(void)asked(d, who, 3, &id);
	server_is_new(d);
	desk_answer(d, desk_await(d, "INVITE " DESK_CONFERENCE " ", 500), 404, "", "", "");
	desk_answer(d, desk_await(d, "INVITE sip:conference-factory@example.com ", 2000), 200,
		    "Contact: <" NEW_CONFERENCE ">;isfocus\r\n", "application/sdp", DESK_SDP);
	desk_seat_opens(d);
	subscribe = subscribed(d, NEW_CONFERENCE);
	notify(d, subscribe, 1,
	       STATE("1", USER("sip:ann@example.com") OUT("sip:bo@example.com", "departed")
				  OUT("sip:charles@example.com", "failed")
					  OUT("sip:dora@example.com", "failed")));
	desk_run(d, 4000);
	refer = desk_next(d, "REFER ");
	assert_string_equal(desk_field(d, refer, "Refer-To"), "<sip:charles@example.com>");
	desk_answer(d, refer, 200, "", "", "");
	(void)desk_ask(d, refer, "NOTIFY", 10, "Event: refer\r\nSubscription-State: terminated\r\n",
		       "message/sipfrag", "SIP/2.0 603 Decline\r\n");
	refer = desk_next(d, "REFER ");
	assert_string_equal(desk_field(d, refer, "Refer-To"), "<sip:dora@example.com>");
	desk_answer(d, refer, 200, "", "", "");
	(void)desk_ask(d, refer, "NOTIFY", 11, "Event: refer\r\nSubscription-State: terminated\r\n",
		       "message/sipfrag", "SIP/2.0 480 Temporarily Unavailable\r\n");
	assert_null(desk_next(d, "REFER "));
	desk_run(d, 4000);
	assert_string_equal(desk_field(d, desk_next(d, "REFER "), "Refer-To"),
			    "<sip:dora@example.com>");
	assert_null(desk_next(d, "REFER "));
	assert_null(desk_event(d, CONFAB_PROGRESS));
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_CF_X_5__who_was_asked_and_is_not_in_the_roster_yet),
		cmocka_unit_test(test_CF_X_5__who_has_left_is_not_asked),
		cmocka_unit_test(test_CF_X_5__who_has_left_and_was_asked_back),
		cmocka_unit_test(test_CF_X_5__who_declined_is_not_asked),
		cmocka_unit_test(test_CF_X_5__who_was_asked_by_others),
		cmocka_unit_test(test_CF_X_5__oneself_is_not_asked),
		cmocka_unit_test(test_cap_on_people_who_are_asked_anew),
		cmocka_unit_test(test_CF_X_5__who_has_asked_us_in),
		cmocka_unit_test(test_CF_X_5__who_asked_stands_before_whom_he_asked),
		cmocka_unit_test(test_CF_X_5__where_who_asked_has_left_the_lowest_address_is_first),
		cmocka_unit_test(test_CF_X_5__who_made_it_is_first_whatever_his_address),
		cmocka_unit_test(test_CF_X_5__killed_twice),
		cmocka_unit_test(test_CF_X_5__who_has_left_again_is_not_called_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
