#include "base/error.h"
#include "body/conference_info.h"
#include "guard_page.h"

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

static const char full[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<ci:conference-info xmlns:ci=\"" NS "\" entity=\"sips:conf233@example.com\"\n"
	" state=\"full\" version=\"4294967295\">\n"
	" <ci:conference-description><ci:display-text>Room</ci:display-text>"
	"<ci:subject>Agenda: &amp;</ci:subject></ci:conference-description>\n"
	" <ci:conference-state><ci:user-count>2</ci:user-count><ci:active>true</ci:active>"
	"</ci:conference-state>\n"
	" <ci:users>\n"
	"  <ci:user entity=\"sip:bob@example.com\" state=\"full\">\n"
	"   <ci:display-text>Bob Hoskins</ci:display-text>\n"
	"   <ci:endpoint entity=\"sip:bob@pc33.example.com\">\n"
	"    <ci:display-text>Bob's Laptop</ci:display-text>\n"
	"    <ci:referred><ci:when>2026-03-04T20:00:00Z</ci:when>"
	"<ci:by>sip:mike@example.com</ci:by></ci:referred>\n"
	"    <ci:status>disconnected</ci:status>\n"
	"    <ci:joining-method>dialed-out</ci:joining-method>\n"
	"    <ci:disconnection-method>departed</ci:disconnection-method>\n"
	"    <ci:media id=\"1\"><ci:status>sendrecv</ci:status></ci:media>\n"
	"   </ci:endpoint>\n"
	"   <ci:endpoint entity=\"sip:bob@phone\" state=\"deleted\"><ci:status>odd</ci:status>"
	"</ci:endpoint>\n"
	"  </ci:user>\n"
	"  <ci:user entity=\"sip:anonymous7@anonymous.invalid\" state=\"partial\"/>\n"
	"  <ci:user entity=\"sip:anonymous7x@anonymous.invalid\"/>\n"
	" </ci:users>\n"
	"</ci:conference-info>\n";

static void check_full(struct view xml)
{
	struct conference_info c;
	const struct conference_user *u;

	assert_int_equal(conference_info_parse(xml, &c), 0);
	assert_view(c.entity, "sips:conf233@example.com");
	assert_true(c.version == UINT32_MAX);
	assert_int_equal(c.state, CONFERENCE_FULL);
	assert_true(c.has_subject && c.has_display_text && c.has_user_count && c.has_active);
	assert_view(c.subject, "Agenda: &");
	assert_view(c.display_text, "Room");
	assert_int_equal(c.user_count, 2);
	assert_true(c.active);
	assert_int_equal(c.n_users, 3);
	u = conference_info_find(&c, V("sip:bob@example.com"));
	assert_ptr_equal(u, &c.users[0]);
	assert_null(conference_info_find(&c, V("sip:bob@example.co")));
	assert_view(u->display_text, "Bob Hoskins");
	assert_int_equal(u->n_endpoints, 2);
	assert_view(u->endpoints[0].entity, "sip:bob@pc33.example.com");
	assert_view(u->endpoints[0].display_text, "Bob's Laptop");
	assert_view(u->endpoints[0].referred_by, "sip:mike@example.com");
	assert_int_equal(u->endpoints[0].status, CONFERENCE_DISCONNECTED);
	assert_int_equal(u->endpoints[0].joining, CONFERENCE_DIALED_OUT);
	assert_int_equal(u->endpoints[0].disconnection, CONFERENCE_DEPARTED);
	assert_int_equal(u->endpoints[1].state, CONFERENCE_DELETED);
	assert_int_equal(u->endpoints[1].status, CONFERENCE_STATUS_NONE);
	assert_false(u->anonymous);
	assert_int_equal(c.users[1].state, CONFERENCE_PARTIAL);
	assert_true(c.users[1].anonymous);
	assert_int_equal(c.users[1].anonymous_id, 7);
	assert_false(c.users[2].anonymous);
	conference_info_free(&c);
	conference_info_free(&c);
	conference_info_free(NULL);
}

static void test_CF_X_4__whole_and_before_a_guard_page(void **state)
{
	size_t n = sizeof(full) - 1;

	(void)state;
	check_full(V(full));
	check_full(view_of(guard_copy(full, n), n));
}

static void test_every_prefix_is_broken_and_stays_inside(void **state)
{
	struct conference_info c = {.version = 77};

	(void)state;
	for (size_t n = 0; n < sizeof(full) - 2; n += 11) {
		assert_int_equal(conference_info_parse(view_of(guard_copy(full, n), n), &c),
				 E_SYNTAX);
		assert_int_equal(c.version, 77);
	}
}

#define ROOT "<conference-info xmlns='" NS "' entity='sip:c@x' version='1'>"
#define END  "</conference-info>"

static void test_broken_and_hostile_documents(void **state)
{
	static const struct {
		const char *xml;
		int rc;
	} cases[] = {
		{"", E_SYNTAX},
		{ROOT END, 0},
		{"<conference-info entity='sip:c@x' version='1'/>", E_SYNTAX},
		{"<conference-info xmlns='" NS "' version='1'/>", E_SYNTAX},
		{"<conference-info xmlns='" NS "' entity='sip:c@x'/>", E_SYNTAX},
		{"<conference-info xmlns='" NS "' entity='a' version='4294967296'/>", E_SYNTAX},
		{"<conference-info xmlns='" NS "' entity='a' version='1' state='some'/>", E_SYNTAX},
		{ROOT "<users><user/></users>" END, E_SYNTAX},
		{ROOT "<users><user entity='a' state='x'/></users>" END, E_SYNTAX},
		{ROOT "<users state=''/>" END, E_SYNTAX},
		{"<!DOCTYPE c [<!ENTITY a 'b'>]>" ROOT END, E_DENIED},
		{"<!DOCTYPE c SYSTEM 'file:///etc/passwd'>" ROOT END, E_DENIED},
	};
	struct conference_info c;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(conference_info_parse(V(cases[i].xml), &c), cases[i].rc);
		if (!cases[i].rc)
			conference_info_free(&c);
	}
	buf_init(&b, 1 << 20);
	for (int n = CONFERENCE_DEPTH_MAX - 1; n <= CONFERENCE_DEPTH_MAX + 1; n++) {
		buf_reset(&b);
		buf_puts(&b, ROOT);
		for (int i = 1; i < n; i++)
			buf_puts(&b, "<a>");
		for (int i = 1; i < n; i++)
			buf_puts(&b, "</a>");
		buf_puts(&b, END);
		assert_int_equal(conference_info_parse(buf_view(&b), &c),
				 n > CONFERENCE_DEPTH_MAX ? E_RANGE : 0);
		if (n <= CONFERENCE_DEPTH_MAX)
			conference_info_free(&c);
	}
	buf_fini(&b);
}

static int parse_many(size_t users, size_t endpoints)
{
	struct conference_info c;
	struct buf b;
	int rc;

	buf_init(&b, CONFERENCE_BYTES_MAX);
	buf_puts(&b, ROOT "<users>");
	for (size_t i = 0; i < users; i++) {
		buf_puts(&b, "<user entity='a'>");
		for (size_t k = 0; k < endpoints; k++)
			buf_puts(&b, "<endpoint/>");
		buf_puts(&b, "</user>");
	}
	buf_puts(&b, "</users>" END);
	assert_true(buf_ok(&b));
	rc = conference_info_parse(buf_view(&b), &c);
	buf_fini(&b);
	if (!rc) {
		assert_int_equal(c.n_users, users);
		assert_int_equal(c.users[users - 1].n_endpoints, endpoints);
		conference_info_free(&c);
	}
	return rc;
}

static void test_caps(void **state)
{
	(void)state;
	assert_int_equal(parse_many(CONFERENCE_USERS_MAX - 1, 0), 0);
	assert_int_equal(parse_many(CONFERENCE_USERS_MAX, 0), 0);
	assert_int_equal(parse_many(CONFERENCE_USERS_MAX + 1, 0), E_LIMIT);
	assert_int_equal(parse_many(2, CONFERENCE_ENDPOINTS_MAX - 1), 0);
	assert_int_equal(parse_many(2, CONFERENCE_ENDPOINTS_MAX), 0);
	assert_int_equal(parse_many(2, CONFERENCE_ENDPOINTS_MAX + 1), E_LIMIT);
}

static void test_CF_X_4__round_trip(void **state)
{
	struct conference_endpoint ends[] = {
		{.entity = V("sip:bo@[::1]"),
		 .status = CONFERENCE_MUTED,
		 .joining = CONFERENCE_FOCUS_OWNER,
		 .referred_by = V("sip:ann@x")},
		{.entity = V("sip:bo@2"),
		 .display_text = V("<2>"),
		 .state = CONFERENCE_PARTIAL,
		 .disconnection = CONFERENCE_BUSY},
	};
	struct conference_user users[] = {
		{.entity = V("sip:bo@x?a=b&c"),
		 .display_text = V("Bo \"\x01"),
		 .endpoints = ends,
		 .n_endpoints = 2},
		{.entity = V("sip:gone@x"), .state = CONFERENCE_DELETED},
	};
	struct conference_info doc = {
		.entity = V("sip:c@x"),
		.version = 7,
		.state = CONFERENCE_PARTIAL,
		.has_subject = true,
		.subject = V("a & b"),
		.has_user_count = true,
		.user_count = 3,
		.has_active = true,
		.has_users = true,
		.users_state = CONFERENCE_PARTIAL,
		.users = users,
		.n_users = 2,
	};
	struct conference_info c;
	struct buf b;

	(void)state;
	buf_init(&b, 8192);
	conference_info_write(&b, &doc);
	assert_true(buf_ok(&b));
	assert_int_equal(conference_info_parse(buf_view(&b), &c), 0);
	assert_int_equal(c.version, 7);
	assert_int_equal(c.state, CONFERENCE_PARTIAL);
	assert_view(c.subject, "a & b");
	assert_false(c.has_display_text);
	assert_int_equal(c.user_count, 3);
	assert_true(c.has_active);
	assert_false(c.active);
	assert_int_equal(c.users_state, CONFERENCE_PARTIAL);
	assert_int_equal(c.n_users, 2);
	assert_view(c.users[0].entity, "sip:bo@x?a=b&c");
	assert_view(c.users[0].display_text, "Bo \"\xef\xbf\xbd");
	assert_int_equal(c.users[0].n_endpoints, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct conference_endpoint *e = &c.users[0].endpoints[i];

		assert_true(view_eq(e->entity, ends[i].entity));
		assert_true(view_eq(e->display_text, ends[i].display_text));
		assert_true(view_eq(e->referred_by, ends[i].referred_by));
		assert_int_equal(e->state, ends[i].state);
		assert_int_equal(e->status, ends[i].status);
		assert_int_equal(e->joining, ends[i].joining);
		assert_int_equal(e->disconnection, ends[i].disconnection);
	}
	assert_int_equal(c.users[1].state, CONFERENCE_DELETED);
	conference_info_free(&c);
	buf_fini(&b);
}

/* RFC 7701 §7.4 and its figure 7, shortened. */
static void test_CF_X_4__nicknames(void **state)
{
	static const char figure[] =
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?><conference-info "
		"xmlns=\"urn:ietf:params:xml:ns:conference-info\" "
		"xmlns:xcon=\"urn:ietf:params:xml:ns:xcon-conference-info\" "
		"entity=\"sip:chatroom22@chat.example.com\" state=\"full\" version=\"1\"><users>"
		"<user entity=\"sip:bob@example.com\" state=\"full\" xcon:nickname=\"Dopey "
		"Donkey\">"
		"<display-text>Bob Hoskins</display-text></user>"
		"<user entity=\"sip:eve@example.com\" nickname=\"of no namespace\"/>"
		"</users></conference-info>";
	struct conference_user users[] = {
		{.entity = V("sip:bo@x"), .nickname = V("\"B\" <&> \xc3\x9c")},
		{.entity = V("sip:gone@x"), .nickname = V("x"), .state = CONFERENCE_DELETED},
		{.entity = V("sip:ann@x"),
		 .nickname = V("Bee"),
		 .anonymous = true,
		 .anonymous_id = 3},
	};
	struct conference_info doc = {.entity = V("sip:c@x"), .users = users, .n_users = 3}, c;
	struct buf b;

	(void)state;
	assert_int_equal(conference_info_parse(V(figure), &c), 0);
	assert_view(c.users[0].nickname, "Dopey Donkey");
	assert_view(c.users[0].display_text, "Bob Hoskins");
	assert_view(c.users[1].nickname, "");
	conference_info_free(&c);
	buf_init(&b, 8192);
	conference_info_write(&b, &doc);
	assert_int_equal(conference_info_parse(buf_view(&b), &c), 0);
	assert_view(c.users[0].nickname, "\"B\" <&> \xc3\x9c");
	assert_view(c.users[1].nickname, "");
	/* A name of her own choice is all that is said of her. */
	assert_view(c.users[2].nickname, "Bee");
	assert_view(c.users[2].entity, "sip:anonymous3@anonymous.invalid");
	conference_info_free(&c);
	buf_reset(&b);
	doc.n_users = 0;
	conference_info_write(&b, &doc);
	assert_int_equal(view_find_view(buf_view(&b), VIEW("xcon"), 0), b.n);
	buf_fini(&b);
}

static void test_CF_X_4__anonymous_participants_show_nothing(void **state)
{
	struct conference_endpoint ends[] = {
		{.entity = V("sip:secret@10.0.0.1"),
		 .display_text = V("secret"),
		 .status = CONFERENCE_CONNECTED},
		{.entity = V("sip:secret@10.0.0.2"), .status = CONFERENCE_ALERTING},
	};
	struct conference_user users[] = {
		{.entity = V("sip:secret@x"),
		 .display_text = V("secret"),
		 .anonymous = true,
		 .anonymous_id = 1,
		 .endpoints = ends,
		 .n_endpoints = 2},
		{.entity = V("sip:secret@y"), .anonymous = true, .anonymous_id = 2},
	};
	struct conference_info doc = {.entity = V("sip:c@x"), .users = users, .n_users = 2}, c;
	struct buf b;

	(void)state;
	buf_init(&b, 8192);
	conference_info_write(&b, &doc);
	assert_true(buf_ok(&b));
	assert_int_equal(view_find_view(buf_view(&b), V("secret"), 0), b.n);
	assert_int_equal(conference_info_parse(buf_view(&b), &c), 0);
	assert_view(c.users[0].entity, "sip:anonymous1@anonymous.invalid");
	assert_view(c.users[0].display_text, "Anonymous1");
	assert_true(c.users[0].anonymous);
	assert_int_equal(c.users[0].endpoints[0].status, CONFERENCE_CONNECTED);
	assert_false(view_eq(c.users[0].endpoints[0].entity, c.users[0].endpoints[1].entity));
	assert_view(c.users[1].entity, "sip:anonymous2@anonymous.invalid");
	conference_info_free(&c);
	buf_fini(&b);
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(conference_status_text(CONFERENCE_DIALING_OUT), "dialing-out");
	assert_string_equal(conference_status_text(CONFERENCE_STATUS_NONE), "");
	assert_string_equal(conference_status_text((enum conference_status)99), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_CF_X_4__whole_and_before_a_guard_page),
		cmocka_unit_test(test_every_prefix_is_broken_and_stays_inside),
		cmocka_unit_test(test_broken_and_hostile_documents),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_CF_X_4__round_trip),
		cmocka_unit_test(test_CF_X_4__nicknames),
		cmocka_unit_test(test_CF_X_4__anonymous_participants_show_nothing),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
