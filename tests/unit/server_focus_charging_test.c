/* P-Charging-Vector of the focus (PF-X-2, RFC 7315 §4.6): its own in what it begins, that of the
 * request in its answers. */
#include "controlling_world.h"

#define FACTORY "sip:conference-factory@example.com"
#define VECTOR	"icid-value=\"ann-1\";icid-generated-at=192.0.2.50;orig-ioi=home.net"
#define CHARGED "P-Charging-Vector: " VECTOR "\n"
#define LIST                                                                                       \
	"--b\nContent-Type: application/sdp\n\n" ROOM_SDP                                          \
	"\n--b\nContent-Type: application/resource-lists+xml\n"                                    \
	"Content-Disposition: recipient-list\n\n"                                                  \
	"<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>"                   \
	"<entry uri=\"sip:bo@example.com\"/></list></resource-lists>\n--b--\n"
#define INVITING                                                                                   \
	ROOM_IM "Require: recipient-list-invite\nContent-Type: multipart/mixed;boundary=b\n"

static const char *created(struct room *r, const char *lines)
{
	const char *answer =
		room_ask(r, "INVITE", FACTORY, "ann", room_textf(r, INVITING "%s", lines), LIST);

	assert_int_equal(room_parsed(answer).status, 200);
	room_acknowledge(r, answer);
	return answer;
}

static struct room *in_ims(const char *ioi)
{
	struct room *r = room_new();

	r->cfg.route = VIEW("sip:192.0.2.50:5060;lr;orig");
	r->cfg.ioi = view_str(ioi);
	return room_start(r);
}

/* The INVITE that went to the core. */
static const char *invitation(struct room *r)
{
	for (size_t i = 0; i < r->n_sent; i++)
		if (strncmp(r->sent[i], "INVITE ", 7) == 0)
			return r->sent[i];
	return NULL;
}

static void test_PF_X_2__answers_keep_the_icid_and_name_this_network(void **state)
{
	struct room *r = in_ims("as.net");
	const char *ok = created(r, CHARGED), *answer;
	const char *want = VECTOR ";term-ioi=\"as.net\"";

	(void)state;
	assert_string_equal(room_field(r, ok, "P-Charging-Vector"), want);
	answer = room_inside(r, ok, "REFER", 8, "Refer-To: <sip:c@example.com>\n" CHARGED, "");
	assert_int_equal(room_parsed(answer).status, 200);
	assert_string_equal(room_field(r, answer, "P-Charging-Vector"), want);
	answer = room_ask(r, "SUBSCRIBE", FACTORY, "ann", "Event: conference\n" CHARGED, "");
	assert_int_equal(room_parsed(answer).status, 200);
	assert_string_equal(room_field(r, answer, "P-Charging-Vector"), want);
	/* What none has is given none. */
	answer = room_inside(r, ok, "REFER", 9, "Refer-To: <sip:d@example.com>\n", "");
	assert_int_equal(room_parsed(answer).status, 200);
	assert_string_equal(room_field(r, answer, "P-Charging-Vector"), "");
	room_free(r);
}

static void test_PF_X_2__an_invitation_has_a_vector_of_its_own(void **state)
{
	struct room *r = in_ims("as.net");
	const char *vector;

	(void)state;
	created(r, CHARGED);
	vector = room_field(r, invitation(r), "P-Charging-Vector");
	assert_int_equal(strncmp(vector, "icid-value=\"", 12), 0);
	assert_null(strstr(vector, "ann-1"));
	assert_non_null(strstr(vector, ";icid-generated-at=192.0.2.1;orig-ioi=\"as.net\""));
	room_free(r);
}

/* With the built-in core it comes from a phone, which has nothing to say of charging. */
static void test_PF_X_2__a_phones_vector_is_not_repeated(void **state)
{
	struct room *r = room_start(room_new());

	(void)state;
	assert_string_equal(room_field(r, created(r, CHARGED), "P-Charging-Vector"), "");
	room_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_PF_X_2__answers_keep_the_icid_and_name_this_network),
		cmocka_unit_test(test_PF_X_2__an_invitation_has_a_vector_of_its_own),
		cmocka_unit_test(test_PF_X_2__a_phones_vector_is_not_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
