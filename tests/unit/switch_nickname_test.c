/* NICKNAME (RFC 7701 §7). */
#include "switch_world.h"

#define ANN "sip:ann@example.com"
#define BO  "sip:bo@example.com"

static struct world w;
static struct phone *ann, *bo;

static void start(bool on)
{
	struct switch_config cfg = world_config();

	cfg.nicknames = on;
	cfg.wrap_plain = true;
	world_init(&w, 1, &cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	bo = phone_join(&w, 0, 7, 2, BO);
}

static int setup(void **state)
{
	(void)state;
	start(true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

/* quoted: the value as it stands; NULL: no header. The status that is answered. */
static int nick(struct phone *p, const char *quoted)
{
	static unsigned n;
	char text[2000];

	snprintf(text, sizeof(text),
		 "MSRP nick%u NICKNAME\r\nTo-Path: %s\r\nFrom-Path: %s\r\n%s%s%s-------nick%u$\r\n",
		 n, p->path[0], p->local, quoted ? "Use-Nickname: " : "", quoted ? quoted : "",
		 quoted ? "\r\n" : "", n);
	n++;
	phone_write(p, text);
	world_run(&w);
	return phone_status(p);
}

static void test_SW_1__a_nickname_belongs_to_one_user(void **state)
{
	(void)state;
	assert_int_equal(nick(ann, "\"Queen Bee\""), 200);
	assert_int_equal(nick(bo, "\"Queen Bee\""), 425);
	assert_int_equal(nick(bo, "\" queen  BEE \""), 425);
	assert_int_equal(nick(bo, "\"Queen\""), 200);
	assert_int_equal(nick(bo, "\"Queen Bee\""), 425);
	assert_int_equal(nick(ann, "\"queen\""), 425);
	/* Given back, and taken over. */
	assert_int_equal(nick(ann, "\"\""), 200);
	assert_int_equal(nick(bo, "\"Queen Bee\""), 200);
}

static void test_SW_1__the_focus_is_told_of_each_change(void **state)
{
	(void)state;
	assert_int_equal(nick(ann, "\"Queen \\\"Bee\\\"\""), 200);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_NAMED, 1), 1);
	assert_string_equal(w.nickname, "Queen \"Bee\"");
	/* Nothing has changed. */
	assert_int_equal(nick(ann, "\"Queen \\\"Bee\\\"\""), 200);
	assert_int_equal(nick(bo, "\"Queen \\\"Bee\\\"\""), 425);
	assert_int_equal(nick(ann, "x"), 424);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_NAMED, 1), 1);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_NAMED, 2), 0);
	world_advance(&w, 1000);
	assert_int_equal(nick(ann, "\"\""), 200);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_NAMED, 1), 2);
	assert_string_equal(w.nickname, "");
}

static void test_SW_1__a_storm_of_nicknames_is_told_once_a_second(void **state)
{
	char name[40];

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "\"n%u\"", i);
		assert_int_equal(nick(ann, name), 200);
	}
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_NAMED, 1), 1);
	assert_string_equal(w.nickname, "n0");
	world_advance(&w, 1000);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_NAMED, 1), 2);
	assert_string_equal(w.nickname, "n499");
	world_advance(&w, 5000);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_NAMED, 1), 2);
	/* One who leaves in between is not told of any more. */
	assert_int_equal(nick(ann, "\"a\""), 200);
	assert_int_equal(nick(ann, "\"b\""), 200);
	switch_seat_close(w.shard[0].s, 1, true, w.now);
	world_advance(&w, 5000);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_NAMED, 1), 3);
}

static void test_SW_1__a_second_phone_of_the_same_user_may_have_it_too(void **state)
{
	struct phone *second = phone_join(&w, 0, 7, 3, ANN);

	(void)state;
	assert_int_equal(nick(ann, "\"Bee\""), 200);
	assert_int_equal(nick(second, "\"Bee\""), 200);
	/* It is his until neither has it. */
	assert_int_equal(nick(ann, "\"\""), 200);
	assert_int_equal(nick(bo, "\"bee\""), 425);
	switch_seat_close(w.shard[0].s, 3, false, w.now);
	assert_int_equal(nick(bo, "\"bee\""), 200);
}

static void test_SW_1__a_malformed_nickname_gets_424_and_the_old_one_stays(void **state)
{
	static const char *const bad[] = {
		"bare",	    "\"a",	    "\"a\"b\"",		"\"  \"",	"\"\x01\"",
		"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xc2\x85\"", "\"a\\\"",
		NULL};
	char longest[1100] = "\"";

	(void)state;
	assert_int_equal(nick(ann, "\"Bee\""), 200);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(nick(ann, bad[i]), 424);
	memset(longest + 1, 'x', 1024);
	strcpy(longest + 1025, "\"");
	assert_int_equal(nick(ann, longest), 424);
	assert_int_equal(nick(bo, "\"bee\""), 425);
	strcpy(longest + 1024, "\"");
	assert_int_equal(nick(ann, longest), 200);
	assert_int_equal(nick(bo, "\"bee\""), 200);
}

static void test_SW_1__nicknames_off_get_403(void **state)
{
	(void)state;
	world_fini(&w);
	start(false);
	assert_int_equal(nick(ann, "\"Bee\""), 403);
}

static void test_SW_2__what_is_wrapped_says_the_nickname(void **state)
{
	(void)state;
	assert_int_equal(nick(ann, "\"Bee \\\"the\\\" one\""), 200);
	char text[600];
	snprintf(text, sizeof(text),
		 "MSRP plain1 SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: "
		 "p1\r\nByte-Range: 1-2/2\r\n"
		 "Content-Type: text/plain\r\n\r\nhi\r\n-------plain1$\r\n",
		 ann->path[0], ann->local);
	phone_write(ann, text);
	world_run(&w);
	assert_int_equal(phone_status(ann), 200);
	assert_int_equal(phone_sends(bo), 1);
	assert_non_null(strstr(phone_send(bo, 0)->body, "From: \"Bee \\\"the\\\" one\" <" ANN ">"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_SW_1__a_nickname_belongs_to_one_user),
		T(test_SW_1__the_focus_is_told_of_each_change),
		T(test_SW_1__a_storm_of_nicknames_is_told_once_a_second),
		T(test_SW_1__a_second_phone_of_the_same_user_may_have_it_too),
		T(test_SW_1__a_malformed_nickname_gets_424_and_the_old_one_stays),
		T(test_SW_1__nicknames_off_get_403),
		T(test_SW_2__what_is_wrapped_says_the_nickname),
	};

	return cmocka_run_group_tests_name("switch_nickname", tests, NULL, NULL);
}
