#include "base/error.h"
#include "body/sdp.h"
#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define V(s) view_str(s)

static void assert_view(struct view v, const char *want)
{
	char text[2048];

	assert_true(view_copy(v, text, sizeof(text)));
	assert_string_equal(text, want);
}

static const char offer_text[] =
	"v=0\r\n"
	"o=ann 2890844526 2890844527 IN IP4 ann.example.com\r\n"
	"s=chat\r\n"
	"c=IN IP4 192.0.2.9\r\n"
	"t=0 0\r\n"
	"a=setup:passive\r\n"
	"a=fingerprint:SHA-1 AA:BB\r\n"
	"m=audio 49170/2 RTP/AVP 0 8\r\n"
	"a=recvonly\r\n"
	"m=message 0 TCP/MSRP *\r\n"
	"a=accept-types:text/plain\r\n"
	"a=path:msrp://192.0.2.1:7000/gone;tcp\r\n"
	"m=message 7394 TCP/TLS/MSRP *\r\n"
	"c=IN IP6 2001:db8::1\r\n"
	"b=AS:64\r\n"
	"a=accept-types:message/cpim text/* application/im-iscomposing+xml\r\n"
	"a=accept-wrapped-types:*\r\n"
	"a=path:msrps://relay.example.com:9000/x;tcp msrps://[2001:db8::1]:7394/2s93i93idj;tcp\r\n"
	"a=setup:actpass\r\n"
	"a=sendonly\r\n"
	"a=max-size:100000\r\n"
	"a=fingerprint:SHA-256 4A:AD\r\n"
	"a=chatroom:nickname private-messages\r\n"
	"a=msrp-cema\r\n";

static void check_offer(const struct sdp *s)
{
	const struct sdp_media *m = sdp_find_msrp(s);

	assert_view(s->username, "ann");
	assert_view(s->sess_id, "2890844526");
	assert_view(s->sess_version, "2890844527");
	assert_view(s->addr, "ann.example.com");
	assert_view(s->timing, "0 0");
	assert_int_equal(s->n_media, 3);
	assert_int_equal(s->media[0].port, 49170);
	assert_view(s->media[0].type, "audio");
	assert_view(s->media[0].fmt, "0 8");
	assert_int_equal(s->media[0].msrp.direction, SDP_RECVONLY);
	assert_int_equal(s->media[0].msrp.setup, SDP_SETUP_PASSIVE);
	assert_view(s->media[0].msrp.host, "192.0.2.9");
	assert_view(s->media[0].msrp.fingerprint, "SHA-1 AA:BB");
	assert_int_equal(s->media[1].msrp.direction, SDP_SENDRECV);
	assert_ptr_equal(m, &s->media[2]);
	assert_int_equal(m->index, 2);
	assert_true(m->msrp.tls);
	assert_int_equal(m->msrp.family, 6);
	assert_view(m->msrp.host, "2001:db8::1");
	assert_int_equal(m->msrp.port, 7394);
	assert_view(m->msrp.path, "msrps://relay.example.com:9000/x;tcp "
				  "msrps://[2001:db8::1]:7394/2s93i93idj;tcp");
	assert_view(m->msrp.accept_wrapped_types, "*");
	assert_int_equal(m->msrp.setup, SDP_SETUP_ACTPASS);
	assert_int_equal(m->msrp.direction, SDP_SENDONLY);
	assert_int_equal(m->msrp.max_size, 100000);
	assert_view(m->msrp.fingerprint, "SHA-256 4A:AD");
	assert_true(m->msrp.has_chatroom);
	assert_view(m->msrp.chatroom, "nickname private-messages");
	assert_true(m->msrp.msrp_cema);
	assert_false(s->media[1].msrp.has_chatroom);
}

static void test_whole_and_before_a_guard_page(void **state)
{
	struct sdp s;
	size_t n = sizeof(offer_text) - 1;

	(void)state;
	assert_int_equal(sdp_parse(V(offer_text), &s), 0);
	check_offer(&s);
	assert_int_equal(sdp_parse(view_of(guard_copy(offer_text, n), n), &s), 0);
	check_offer(&s);
}

/* No prefix may read past its end, whatever the answer. */
static void test_every_prefix_stays_inside(void **state)
{
	struct sdp s;

	(void)state;
	for (size_t n = 0; n < sizeof(offer_text); n += 7)
		(void)sdp_parse(view_of(guard_copy(offer_text, n), n), &s);
}

static void test_line_feeds_alone_and_empty_lines_at_the_end(void **state)
{
	struct sdp s;

	(void)state;
	assert_int_equal(sdp_parse(V("v=0\no=- 1 2 IN IP4 h\ns=-\nt=0 0\nm=message 1 tcp/msrp *\n"
				     "a=accept-types:*\na=path:msrp://h:1/a;tcp\n\n"),
				   &s),
			 0);
	assert_non_null(sdp_find_msrp(&s));
	assert_int_equal(s.media[0].msrp.family, 0);
	assert_true(view_empty(s.media[0].msrp.host));
}

#define HEAD "v=0\r\no=- 1 2 IN IP4 h\r\n"

static void test_broken_ones(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} cases[] = {
		{"", E_SYNTAX},
		{"o=- 1 2 IN IP4 h\r\nv=0\r\n", E_SYNTAX},
		{"v=1\r\n", E_SYNTAX},
		{"v=0\r\ns=-\r\n", E_MISSING},
		{"v=0\r\no=- 1 2 IN IP4\r\n", E_SYNTAX},
		{HEAD "o=- 1 2 IN IP4 h\r\n", E_SYNTAX},
		{HEAD "hello\r\n", E_SYNTAX},
		{HEAD "\r\ns=-\r\n", E_SYNTAX},
		{HEAD "c=IN IP4\r\n", E_SYNTAX},
		{HEAD "m=message x TCP/MSRP *\r\n", E_SYNTAX},
		{HEAD "m=message 1 TCP/MSRP\r\n", E_SYNTAX},
		{HEAD "m=message 65536 TCP/MSRP *\r\n", E_RANGE},
		{HEAD "m=message -1 TCP/MSRP *\r\n", E_SYNTAX},
		{HEAD "m=message 1 TCP/MSRP\x01 *\r\n", E_SYNTAX},
		{HEAD "m=message 1 TCP/MSRP *\r\na=max-size:many\r\n", E_SYNTAX},
		{HEAD "a=tool:x\ry\r\n", E_SYNTAX},
	};
	struct sdp s = {.n_media = 99};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(sdp_parse(V(cases[i].text), &s), cases[i].rc);
		assert_int_equal(s.n_media, 99);
	}
	assert_int_equal(sdp_parse(V(HEAD "m=message 65535 TCP/MSRP *\r\n"), &s), 0);
	assert_int_equal(s.media[0].port, 65535);
	assert_int_equal(sdp_parse(V(HEAD "m=message 1 TCP/MSRP *\r\n"
					  "a=max-size:99999999999999999999999\r\n"),
				   &s),
			 0);
	assert_true(s.media[0].msrp.max_size == UINT64_MAX);
}

static void test_cap_on_media(void **state)
{
	for (int n = SDP_MEDIA_MAX - 1; n <= SDP_MEDIA_MAX + 1; n++) {
		struct buf b;
		struct sdp s;

		buf_init(&b, 65536);
		buf_puts(&b, HEAD);
		for (int i = 0; i < n; i++)
			buf_puts(&b, "m=message 1 TCP/MSRP *\r\n");
		assert_int_equal(sdp_parse(buf_view(&b), &s), n > SDP_MEDIA_MAX ? E_LIMIT : 0);
		if (n <= SDP_MEDIA_MAX)
			assert_int_equal(s.n_media, n);
		buf_fini(&b);
	}
	(void)state;
}

static void test_find_wants_path_types_proto_and_port(void **state)
{
	static const char *const none[] = {
		HEAD,
		HEAD "m=message 1 TCP/MSRP *\r\na=accept-types:*\r\n",
		HEAD "m=message 1 TCP/MSRP *\r\na=path:msrp://h:1/a;tcp\r\n",
		HEAD "m=message 0 TCP/MSRP *\r\na=accept-types:*\r\na=path:msrp://h:1/a;tcp\r\n",
		HEAD "m=message 1 UDP/MSRP *\r\na=accept-types:*\r\na=path:msrp://h:1/a;tcp\r\n",
		HEAD "m=audio 1 TCP/MSRP *\r\na=accept-types:*\r\na=path:msrp://h:1/a;tcp\r\n",
		/* A path of the session belongs to no media. */
		HEAD "a=path:msrp://h:1/a;tcp\r\nm=message 1 TCP/MSRP *\r\na=accept-types:*\r\n",
	};
	struct sdp s;

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(sdp_parse(V(none[i]), &s), 0);
		assert_null(sdp_find_msrp(&s));
	}
}

static void test_accept_lists(void **state)
{
	(void)state;
	assert_true(sdp_accepts(V("message/CPIM text/*"), V("message/cpim")));
	assert_true(sdp_accepts(V("message/cpim text/*"), V("TEXT/html;charset=utf-8")));
	assert_true(sdp_accepts(V("  text/plain;charset=utf-8 "), V("text/plain")));
	assert_true(sdp_accepts(V("*"), V("x/y")));
	assert_true(sdp_accepts(V("text/plain *"), V("x/y")));
	assert_false(sdp_accepts(V("text/*"), V("textual/plain")));
	assert_false(sdp_accepts(V("text/*"), V("text/")));
	assert_false(sdp_accepts(V("text/plain"), V("text/plainer")));
	assert_false(sdp_accepts(V(""), V("text/plain")));
	assert_false(sdp_accepts(V("*"), V("")));
	assert_false(sdp_accepts(V("/*"), V("text/plain")));
}

static void test_SW_4__answers_of_setup_and_direction(void **state)
{
	(void)state;
	assert_int_equal(sdp_setup_answer(SDP_SETUP_ACTPASS, SDP_SETUP_PASSIVE), SDP_SETUP_PASSIVE);
	assert_int_equal(sdp_setup_answer(SDP_SETUP_ACTPASS, SDP_SETUP_ACTIVE), SDP_SETUP_ACTIVE);
	assert_int_equal(sdp_setup_answer(SDP_SETUP_ACTIVE, SDP_SETUP_ACTIVE), SDP_SETUP_PASSIVE);
	assert_int_equal(sdp_setup_answer(SDP_SETUP_PASSIVE, SDP_SETUP_PASSIVE), SDP_SETUP_ACTIVE);
	assert_int_equal(sdp_setup_answer(SDP_SETUP_NONE, SDP_SETUP_ACTIVE), SDP_SETUP_PASSIVE);
	assert_int_equal(sdp_setup_answer(SDP_SETUP_HOLDCONN, SDP_SETUP_ACTIVE),
			 SDP_SETUP_HOLDCONN);
	assert_int_equal(sdp_direction_answer(SDP_SENDRECV, SDP_SENDRECV), SDP_SENDRECV);
	assert_int_equal(sdp_direction_answer(SDP_SENDONLY, SDP_SENDRECV), SDP_RECVONLY);
	assert_int_equal(sdp_direction_answer(SDP_RECVONLY, SDP_SENDRECV), SDP_SENDONLY);
	assert_int_equal(sdp_direction_answer(SDP_SENDONLY, SDP_SENDONLY), SDP_INACTIVE);
	assert_int_equal(sdp_direction_answer(SDP_INACTIVE, SDP_SENDRECV), SDP_INACTIVE);
}

static struct sdp_local local(void)
{
	struct sdp_local l = {
		.username = V("ann"),
		.sess_id = 17,
		.sess_version = 18,
		.path = V("msrp://192.0.2.1:7394/abc;tcp"),
		.accept_types = V("message/cpim text/plain"),
		.accept_wrapped_types = V("text/plain"),
		.setup = SDP_SETUP_ACTPASS,
		.max_size = UINT64_MAX,
		.has_chatroom = true,
		.chatroom = V("nickname"),
		.direction = SDP_RECVONLY,
		.fingerprint = V("SHA-256 4A:AD"),
		.msrp_cema = true,
	};

	assert_int_equal(addr_parse(V("192.0.2.1"), 7394, &l.addr), 0);
	return l;
}

static void test_IC_7_1_2_4__offer_has_the_lines_of_msrp(void **state)
{
	struct sdp_local l = local();
	struct buf b;

	(void)state;
	l.accept_wrapped_types = l.fingerprint = (struct view){0};
	l.has_chatroom = l.msrp_cema = false;
	l.direction = SDP_SENDRECV;
	l.max_size = 0;
	buf_init(&b, 4096);
	sdp_write_msrp(&b, &l);
	assert_true(buf_ok(&b));
	assert_view(buf_view(&b), "v=0\r\no=ann 17 18 IN IP4 192.0.2.1\r\ns=-\r\n"
				  "c=IN IP4 192.0.2.1\r\nt=0 0\r\n"
				  "m=message 7394 TCP/MSRP *\r\n"
				  "a=path:msrp://192.0.2.1:7394/abc;tcp\r\n"
				  "a=accept-types:message/cpim text/plain\r\na=setup:actpass\r\n");
	buf_fini(&b);
}

static void check_round_trip(const struct sdp_local *l, const char *host)
{
	struct buf b;
	struct sdp s;
	const struct sdp_media *m;

	buf_init(&b, 4096);
	sdp_write_msrp(&b, l);
	assert_true(buf_ok(&b));
	assert_int_equal(sdp_parse(buf_view(&b), &s), 0);
	m = sdp_find_msrp(&s);
	assert_non_null(m);
	assert_true(view_eq(s.username, l->username));
	assert_view(s.sess_id, "17");
	assert_view(s.sess_version, "18");
	assert_view(m->msrp.host, host);
	assert_int_equal(m->msrp.family, l->addr.family);
	assert_int_equal(m->port, 7394);
	assert_int_equal(m->msrp.tls, l->tls);
	assert_true(view_eq(m->msrp.path, l->path));
	assert_true(view_eq(m->msrp.accept_types, l->accept_types));
	assert_true(view_eq(m->msrp.accept_wrapped_types, l->accept_wrapped_types));
	assert_int_equal(m->msrp.setup, l->setup);
	assert_true(m->msrp.max_size == l->max_size);
	assert_int_equal(m->msrp.has_chatroom, l->has_chatroom);
	assert_true(view_eq(m->msrp.chatroom, l->chatroom));
	assert_int_equal(m->msrp.direction, l->direction);
	assert_true(view_eq(m->msrp.fingerprint, l->fingerprint));
	assert_int_equal(m->msrp.msrp_cema, l->msrp_cema);
	buf_fini(&b);
}

static void test_round_trip(void **state)
{
	struct sdp_local l = local();

	(void)state;
	check_round_trip(&l, "192.0.2.1");
	l.tls = true;
	l.chatroom = (struct view){0};
	l.setup = SDP_SETUP_HOLDCONN;
	l.direction = SDP_INACTIVE;
	assert_int_equal(addr_parse(V("2001:db8::1"), 7394, &l.addr), 0);
	check_round_trip(&l, "2001:db8::1");
}

static void test_answer_names_every_line_of_the_offer(void **state)
{
	struct sdp_local l = local();
	struct sdp offer, answer;
	struct buf b;

	(void)state;
	assert_int_equal(sdp_parse(V(offer_text), &offer), 0);
	offer.timing = V("3034423619 3042462419");
	buf_init(&b, 4096);
	sdp_write_answer(&b, &offer, sdp_find_msrp(&offer), &l);
	assert_true(buf_ok(&b));
	assert_int_equal(sdp_parse(buf_view(&b), &answer), 0);
	assert_view(answer.timing, "3034423619 3042462419");
	assert_int_equal(answer.n_media, 3);
	assert_int_equal(answer.media[0].port, 0);
	assert_view(answer.media[0].type, "audio");
	assert_view(answer.media[0].proto, "RTP/AVP");
	assert_view(answer.media[0].fmt, "0 8");
	assert_int_equal(answer.media[1].port, 0);
	assert_ptr_equal(sdp_find_msrp(&answer), &answer.media[2]);
	assert_view(answer.media[2].proto, "TCP/TLS/MSRP");
	buf_reset(&b);
	sdp_write_answer(&b, &offer, NULL, &l);
	assert_int_equal(sdp_parse(buf_view(&b), &answer), 0);
	assert_int_equal(answer.n_media, 3);
	assert_null(sdp_find_msrp(&answer));
	buf_fini(&b);
}

static void test_nothing_is_smuggled_into_a_line(void **state)
{
	struct sdp_local l = local(), bad[4];
	struct buf b;

	(void)state;
	bad[0] = bad[1] = bad[2] = bad[3] = l;
	bad[0].path = V("msrp://h:1/a;tcp\r\na=setup:active");
	bad[1].username = V("ann 1");
	bad[2].accept_types = V("text/plain\n");
	bad[3].addr.family = 0;
	buf_init(&b, 4096);
	for (size_t i = 0; i < 4; i++) {
		buf_reset(&b);
		sdp_write_msrp(&b, &bad[i]);
		assert_false(buf_ok(&b));
	}
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_and_before_a_guard_page),
		cmocka_unit_test(test_every_prefix_stays_inside),
		cmocka_unit_test(test_line_feeds_alone_and_empty_lines_at_the_end),
		cmocka_unit_test(test_broken_ones),
		cmocka_unit_test(test_cap_on_media),
		cmocka_unit_test(test_find_wants_path_types_proto_and_port),
		cmocka_unit_test(test_accept_lists),
		cmocka_unit_test(test_SW_4__answers_of_setup_and_direction),
		cmocka_unit_test(test_IC_7_1_2_4__offer_has_the_lines_of_msrp),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_answer_names_every_line_of_the_offer),
		cmocka_unit_test(test_nothing_is_smuggled_into_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
