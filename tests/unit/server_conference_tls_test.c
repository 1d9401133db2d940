/* SW-4: MSRP over TLS in conferences: who creates, who is invited, referred to, or joins by
 * himself. */
#include "controlling_world.h"

#define PLAIN ROOM_SDP
#define TLS                                                                                        \
	"v=0\no=- 1 1 IN IP4 192.0.2.50\ns=-\nc=IN IP4 192.0.2.50\nt=0 0\nm=message 3000 "         \
	"TCP/TLS/MSRP *\n"                                                                         \
	"a=accept-types:message/cpim "                                                             \
	"text/plain\na=path:msrps://192.0.2.50:3000/abc;tcp\na=setup:actpass\n"                    \
	"a=fingerprint:SHA-256 0A:0B\n"

static struct room *room_with(enum conference_tls_policy policy, const char *sdp)
{
	struct room *r = room_new();

	r->cfg.tls = policy;
	r->cfg.dial_in = CONFERENCE_DIAL_IN_ANYONE;
	r->has_tls = true;
	r->sdp = sdp;
	return room_start(r);
}

static void expect_kind(const char *message, bool tls)
{
	assert_true(!strstr(message, " TCP/TLS/MSRP *") == !tls);
	assert_true(!strstr(message, "a=path:msrps://") == !tls);
	assert_true(!strstr(message, "a=fingerprint:SHA-256 05:06") == !tls);
}

/* His answer's status; what stands in it when it is 200. */
static int joins(struct room *r, const char *uri, const char *user, bool tls)
{
	const char *answer = room_ask(r, "INVITE", uri, user,
				      ROOM_IM "Content-Type: application/sdp\n", tls ? TLS : PLAIN);
	int status = (int)room_parsed(answer).status;

	if (status == 200) {
		assert_true(r->seat_tls[0] == tls);
		expect_kind(answer, tls);
		assert_string_equal(r->print, tls ? "SHA-256 0A:0B" : "");
	}
	return status;
}

/* Whom the creator named is offered what the creator offered, and so is whom somebody adds. */
static void invited(bool tls)
{
	struct room *r = room_with(CONFERENCE_TLS_KEEP, tls ? TLS : PLAIN);
	const char *ok = room_create(r, "", "<entry uri=\"sip:bo@example.com\"/>");
	struct asked *bo, *charles;

	expect_kind(ok, tls);
	room_acknowledge(r, ok);
	bo = room_next(r, "INVITE", "bo@");
	assert_non_null(bo);
	expect_kind(bo->text, tls);
	room_reply(r, bo, 200);
	assert_string_equal(r->print, tls ? "SHA-256 0A:0B" : "");
	assert_int_equal(room_parsed(room_inside(r, ok, "REFER", 8,
						 "Refer-To: <sip:charles@example.com>\n", ""))
				 .status,
			 200);
	assert_true(r->seat_tls[0] == tls);
	charles = room_next(r, "INVITE", "charles@");
	assert_non_null(charles);
	expect_kind(charles->text, tls);
	room_reply(r, charles, 200);
	room_free(r);
}

static void test_SW_4__everybody_is_invited_by_the_creators_kind(void **state)
{
	(void)state;
	invited(true);
	invited(false);
}

static void test_SW_4__joining_by_tls(void **state)
{
	struct room *r = room_with(CONFERENCE_TLS_KEEP, TLS);
	const char *uri = room_uri(r, room_of_two(r));

	(void)state;
	assert_int_equal(joins(r, uri, "dora", true), 200);
	assert_int_equal(joins(r, uri, "bo", true), 200);
	room_free(r);
}

static void test_SW_4__a_conference_by_tls_stays_so(void **state)
{
	struct room *r = room_with(CONFERENCE_TLS_KEEP, TLS);
	const char *uri = room_uri(r, room_of_two(r));

	(void)state;
	assert_int_equal(joins(r, uri, "dora", false), 488);
	assert_int_equal(joins(r, uri, "bo", false), 488);
	room_free(r);
}

static void test_SW_4__unless_policy_says_otherwise(void **state)
{
	struct room *r = room_with(CONFERENCE_TLS_EITHER, TLS);
	const char *uri = room_uri(r, room_of_two(r));

	(void)state;
	assert_int_equal(joins(r, uri, "dora", false), 200);
	assert_int_equal(joins(r, uri, "bo", true), 200);
	room_free(r);
}

static void test_SW_4__a_plain_conference_may_be_joined_by_either(void **state)
{
	struct room *r = room_with(CONFERENCE_TLS_KEEP, PLAIN);
	const char *uri = room_uri(r, room_of_two(r));

	(void)state;
	assert_int_equal(joins(r, uri, "dora", true), 200);
	assert_int_equal(joins(r, uri, "bo", false), 200);
	assert_int_equal(joins(r, uri, "bo", true), 200);
	room_free(r);
}

/* Bo refuses what he is offered. Is he asked again? */
static bool asked_again(enum conference_tls_policy policy, bool tls, const char *uri, int status)
{
	struct room *r = room_with(policy, tls ? TLS : PLAIN);
	char entry[128], first_id[128];
	struct asked *bo, *again;
	size_t closed;
	const char *ok;

	(void)snprintf(entry, sizeof(entry), "<entry uri=\"%s\"/>", uri);
	ok = room_create(r, "", entry);
	room_acknowledge(r, ok);
	bo = room_next(r, "INVITE", "bo@");
	assert_non_null(bo);
	expect_kind(bo->text, tls);
	assert_non_null(strstr(bo->text, "Call-ID: "));
	assert_int_equal(sscanf(strstr(bo->text, "Call-ID: "), "Call-ID: %127s", first_id), 1);
	closed = r->n_closed;
	room_reply(r, bo, status);
	again = room_next(r, "INVITE", "bo@");
	if (!again) {
		room_free(r);
		return false;
	}
	/* The same call (RFC 3261 §8.1.3.5), on a seat of the other kind; the first one is free. */
	assert_non_null(strstr(again->text, first_id));
	assert_non_null(strstr(again->text, "CSeq: 2 INVITE"));
	assert_int_equal(r->n_closed, closed + 1);
	assert_true(r->seat_tls[0] == !tls);
	expect_kind(again->text, !tls);
	/* Once. */
	room_reply(r, again, status);
	assert_null(room_next(r, "INVITE", "bo@"));
	room_free(r);
	return true;
}

static void test_SW_4__who_refuses_plain_is_offered_tls(void **state)
{
	(void)state;
	assert_true(asked_again(CONFERENCE_TLS_KEEP, false, "sip:bo@example.com", 488));
	assert_true(asked_again(CONFERENCE_TLS_EITHER, false, "sip:bo@example.com", 606));
	assert_false(asked_again(CONFERENCE_TLS_KEEP, false, "sip:bo@example.com", 486));
}

static void test_SW_4__who_refuses_tls_is_offered_plain_by_policy_alone(void **state)
{
	(void)state;
	assert_false(asked_again(CONFERENCE_TLS_KEEP, true, "sip:bo@example.com", 488));
	assert_false(asked_again(CONFERENCE_TLS_REQUIRED, true, "sip:bo@example.com", 488));
	assert_true(asked_again(CONFERENCE_TLS_EITHER, true, "sip:bo@example.com", 488));
	assert_false(asked_again(CONFERENCE_TLS_EITHER, true, "sips:bo@example.com", 488));
}

static void test_SW_4__required_means_every_conference(void **state)
{
	struct room *r = room_with(CONFERENCE_TLS_REQUIRED, PLAIN);
	const char *entry = "<entry uri=\"sip:bo@example.com\"/>";

	(void)state;
	assert_int_equal(room_parsed(room_create(r, "", entry)).status, 488);
	r->sdp = TLS;
	assert_int_equal(room_parsed(room_create(r, "", entry)).status, 200);
	room_free(r);
}

static void test_SW_4__without_tls_nobody_joins_by_it(void **state)
{
	struct room *r = room_new();
	const char *uri;

	(void)state;
	r->cfg.dial_in = CONFERENCE_DIAL_IN_ANYONE;
	uri = room_uri(r, room_of_two(room_start(r)));
	assert_int_equal(joins(r, uri, "dora", true), 488);
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_SW_4__everybody_is_invited_by_the_creators_kind),
		cmocka_unit_test(test_SW_4__joining_by_tls),
		cmocka_unit_test(test_SW_4__a_conference_by_tls_stays_so),
		cmocka_unit_test(test_SW_4__unless_policy_says_otherwise),
		cmocka_unit_test(test_SW_4__a_plain_conference_may_be_joined_by_either),
		cmocka_unit_test(test_SW_4__who_refuses_plain_is_offered_tls),
		cmocka_unit_test(test_SW_4__who_refuses_tls_is_offered_plain_by_policy_alone),
		cmocka_unit_test(test_SW_4__required_means_every_conference),
		cmocka_unit_test(test_SW_4__without_tls_nobody_joins_by_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
