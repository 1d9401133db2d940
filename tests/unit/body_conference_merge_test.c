#include "base/error.h"
#include "body/conference_info.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define V(s) view_str(s)
#define NS   "urn:ietf:params:xml:ns:conference-info"

static void assert_view(struct view v, const char *want)
{
	char text[2048];

	assert_true(view_copy(v, text, sizeof(text)));
	assert_string_equal(text, want);
}

static int apply(struct conference_info *held, unsigned version, const char *state,
		 const char *inside)
{
	struct conference_info news;
	struct buf b;
	int rc;

	buf_init(&b, 65536);
	buf_putf(&b,
		 "<conference-info xmlns='" NS "' entity='sip:c@x' state='%s' version='%u'>%s"
		 "</conference-info>",
		 state, version, inside);
	assert_int_equal(conference_info_parse(buf_view(&b), &news), 0);
	buf_fini(&b);
	rc = conference_info_apply(held, &news);
	conference_info_free(&news);
	return rc;
}

static const char two[] =
	"<conference-description><subject>S</subject></conference-description>"
	"<conference-state><user-count>2</user-count><active>true</active></conference-state>"
	"<users><user entity='a'><display-text>A</display-text>"
	"<endpoint entity='a1'><status>alerting</status><joining-method>dialed-out</joining-method>"
	"<referred><by>sip:r</by></referred></endpoint>"
	"<endpoint entity='a2'><status>connected</status></endpoint></user>"
	"<user entity='b'><endpoint "
	"entity='b1'><status>connected</status></endpoint></user></users>";

static void test_CF_X_4__versions(void **state)
{
	struct conference_info held = {0};

	(void)state;
	assert_int_equal(apply(&held, 5, "partial", ""), E_STATE);
	assert_null(held.text_memory);
	assert_int_equal(apply(&held, 5, "full", two), 0);
	assert_int_equal(apply(&held, 5, "full", ""), E_EXISTS);
	assert_int_equal(apply(&held, 4, "partial", ""), E_EXISTS);
	assert_int_equal(apply(&held, 7, "partial", ""), E_STATE);
	assert_int_equal(held.version, 5);
	assert_int_equal(held.n_users, 2);
	assert_int_equal(apply(&held, 6, "partial", ""), 0);
	assert_int_equal(held.version, 6);
	assert_int_equal(held.n_users, 2);
	assert_view(held.subject, "S");
	assert_int_equal(held.user_count, 2);
	assert_int_equal(apply(&held, 9, "full", "<users><user entity='z'/></users>"), 0);
	assert_int_equal(held.version, 9);
	assert_int_equal(held.n_users, 1);
	assert_false(held.has_subject);
	assert_int_equal(apply(&held, 12, "deleted", "<users><user entity='z'/></users>"), 0);
	assert_int_equal(held.state, CONFERENCE_DELETED);
	assert_int_equal(held.n_users, 0);
	assert_int_equal(apply(&held, 13, "partial", ""), E_STATE);
	assert_int_equal(apply(&held, 14, "full", two), 0);
	assert_int_equal(held.state, CONFERENCE_FULL);
	conference_info_free(&held);
}

static void test_CF_X_4__partial_users_and_endpoints(void **state)
{
	struct conference_info held = {0};
	const struct conference_user *u;

	(void)state;
	assert_int_equal(apply(&held, 1, "full", two), 0);
	assert_int_equal(
		apply(&held, 2, "partial",
		      "<conference-state><user-count>3</user-count></conference-state>"
		      "<users state='partial'><user entity='a' state='partial'>"
		      "<endpoint entity='a1' state='partial'><status>connected</status></endpoint>"
		      "<endpoint entity='a2' state='deleted'/>"
		      "<endpoint entity='a3'><status>pending</status></endpoint></user>"
		      "<user entity='b' state='deleted'/>"
		      "<user entity='c' state='partial'><display-text>C</display-text></user>"
		      "<user entity='c'/><user entity='d' state='deleted'/></users>"),
		0);
	assert_int_equal(held.user_count, 3);
	assert_true(held.active);
	assert_int_equal(held.n_users, 2);
	u = conference_info_find(&held, V("a"));
	assert_view(u->display_text, "A");
	assert_int_equal(u->state, CONFERENCE_FULL);
	assert_int_equal(u->n_endpoints, 2);
	assert_view(u->endpoints[0].entity, "a1");
	assert_int_equal(u->endpoints[0].state, CONFERENCE_FULL);
	assert_int_equal(u->endpoints[0].status, CONFERENCE_CONNECTED);
	assert_int_equal(u->endpoints[0].joining, CONFERENCE_DIALED_OUT);
	assert_view(u->endpoints[0].referred_by, "sip:r");
	assert_view(u->endpoints[1].entity, "a3");
	assert_view(conference_info_find(&held, V("c"))->display_text, "C");
	/* A user in full is replaced, its endpoints with it. */
	assert_int_equal(apply(&held, 3, "partial",
			       "<users state='partial'><user entity='a' state='full'>"
			       "<endpoint entity='a1'/></user></users>"),
			 0);
	u = conference_info_find(&held, V("a"));
	assert_true(view_empty(u->display_text));
	assert_int_equal(u->n_endpoints, 1);
	assert_int_equal(u->endpoints[0].status, CONFERENCE_STATUS_NONE);
	/* Users in full replace all of them; deleted ones leave none. */
	assert_int_equal(apply(&held, 4, "partial", "<users><user entity='e'/></users>"), 0);
	assert_int_equal(held.n_users, 1);
	assert_view(held.users[0].entity, "e");
	assert_int_equal(apply(&held, 5, "partial", "<users state='deleted'/>"), 0);
	assert_int_equal(held.n_users, 0);
	conference_info_free(&held);
}

static void test_CF_X_4__a_partial_user_keeps_what_is_not_said_of_his_nickname(void **state)
{
#define NAMED                                                                                      \
	"<users state='partial'><user entity='a' "                                                 \
	"xmlns:x='urn:ietf:params:xml:ns:xcon-conference-info' "
	struct conference_info held = {0};

	(void)state;
	assert_int_equal(apply(&held, 1, "full", NAMED "x:nickname='Bee'/></users>"), 0);
	assert_int_equal(apply(&held, 2, "partial", NAMED "state='partial'/></users>"), 0);
	assert_view(held.users[0].nickname, "Bee");
	assert_int_equal(
		apply(&held, 3, "partial", NAMED "x:nickname='Wasp' state='partial'/></users>"), 0);
	assert_view(held.users[0].nickname, "Wasp");
	/* A full user replaces all. */
	assert_int_equal(apply(&held, 4, "partial", NAMED "state='full'/></users>"), 0);
	assert_view(held.users[0].nickname, "");
	conference_info_free(&held);
}

static void test_caps_hold_over_many_updates(void **state)
{
	struct conference_info held = {0};
	struct buf b;

	(void)state;
	assert_int_equal(apply(&held, 1, "full", ""), 0);
	buf_init(&b, 65536);
	for (unsigned i = 0; i <= CONFERENCE_ENDPOINTS_MAX; i++) {
		buf_reset(&b);
		buf_putf(&b,
			 "<users state='partial'><user entity='a' state='partial'>"
			 "<endpoint entity='e%u'/></user></users>%c",
			 i, 0);
		assert_int_equal(apply(&held, i + 2, "partial", b.p),
				 i < CONFERENCE_ENDPOINTS_MAX ? 0 : E_LIMIT);
	}
	assert_int_equal(held.version, CONFERENCE_ENDPOINTS_MAX + 1);
	assert_int_equal(held.users[0].n_endpoints, CONFERENCE_ENDPOINTS_MAX);
	conference_info_free(&held);
	buf_fini(&b);
}

static void test_cap_on_users_after_a_merge(void **state)
{
	static struct conference_user many[CONFERENCE_USERS_MAX];
	static char names[CONFERENCE_USERS_MAX][8];
	struct conference_user more = {.entity = V("more")};
	struct conference_info held = {0};
	struct conference_info doc = {.entity = V("sip:c@x"),
				      .version = 1,
				      .users = many,
				      .n_users = CONFERENCE_USERS_MAX - 1};

	(void)state;
	for (size_t i = 0; i < CONFERENCE_USERS_MAX; i++) {
		struct buf b;

		buf_init(&b, 16);
		buf_put_u64(&b, i);
		(void)view_copy(buf_view(&b), names[i], sizeof(names[i]));
		buf_fini(&b);
		many[i].entity = V(names[i]);
	}
	assert_int_equal(conference_info_apply(&held, &doc), 0);
	doc = (struct conference_info){.entity = V("sip:c@x"),
				       .version = 2,
				       .state = CONFERENCE_PARTIAL,
				       .has_users = true,
				       .users_state = CONFERENCE_PARTIAL,
				       .users = &more,
				       .n_users = 1};
	assert_int_equal(conference_info_apply(&held, &doc), 0);
	assert_int_equal(held.n_users, CONFERENCE_USERS_MAX);
	doc.version = 3;
	more.entity = V("too many");
	assert_int_equal(conference_info_apply(&held, &doc), E_LIMIT);
	assert_int_equal(held.version, 2);
	assert_int_equal(held.n_users, CONFERENCE_USERS_MAX);
	conference_info_free(&held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_CF_X_4__versions),
		cmocka_unit_test(test_CF_X_4__partial_users_and_endpoints),
		cmocka_unit_test(
			test_CF_X_4__a_partial_user_keeps_what_is_not_said_of_his_nickname),
		cmocka_unit_test(test_caps_hold_over_many_updates),
		cmocka_unit_test(test_cap_on_users_after_a_merge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
