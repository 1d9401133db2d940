/* 7.1.4, 7.1.2-3: the body of an INVITE to the Conference-factory-URI. */
#include "procedure/upgrade.h"
#include "procedure/create_conference.h"
#include "procedure_msg.h"

static const struct view charles[] = {{"sip:charles@example.com", 23}};

/* The dialog of a chat with Bo, as far as the body looks at it. */
static char call_id[] = "chat1@host", mine[] = "annstag", his[] = "bostag";
static const struct sip_dialog dialog = {
	.call_id = call_id, .local_tag = mine, .remote_tag = his, .initiator = true};

static struct upgrade with_bo(void)
{
	return (struct upgrade){.sdp = VIEW(SDP_PLAIN),
				.boundary = VIEW("b0und"),
				.invitees = charles,
				.n_invitees = 1,
				.peer = VIEW("sip:bo@example.com"),
				.dialog = &dialog};
}

static int write_it(const struct upgrade *u, struct buf *body, struct buf *type)
{
	buf_init(body, 1 << 17);
	buf_init(type, 256);
	return upgrade_write_body(body, type, u);
}

static void test_IC_7_1_4_3_and_IC_7_1_4_4__peer_with_replaces_and_the_new_user(void **state)
{
	struct upgrade u = with_bo();
	struct create_conference c;
	struct buf body, type, fields;
	struct request r;

	(void)state;
	assert_int_equal(write_it(&u, &body, &type), 0);
	assert_view(buf_view(&type), "multipart/mixed;boundary=\"b0und\"");
	buf_init(&fields, 1024);
	buf_puts(&fields, "From: <sip:ann@example.com>;tag=1\r\n");
	upgrade_write_fields(&fields);
	buf_putc(&fields, '\0');
	buf_putc(&type, '\0');
	request_make(&r, "INVITE", fields.p, type.p, buf_view(&body));
	assert_true(sip_msg_lists(&r.m, SIP_H_REQUIRE, VIEW("recipient-list-invite")));
	/* What the client writes is what the factory reads. */
	create_conference_read(&c, &r.m, VIEW("sip:ann@example.com"),
			       &(struct invitee_limits){.entries = 10});
	assert_int_equal(c.status, 0);
	assert_view(c.sdp, SDP_PLAIN);
	assert_int_equal(c.invitees.n, 2);
	assert_view(c.invitees.entry[0].uri, "sip:bo@example.com");
	/* R-7: to-tag is Bo's. */
	assert_view(c.invitees.entry[0].replaces, "chat1@host;to-tag=bostag;from-tag=annstag");
	assert_view(c.invitees.entry[1].uri, "sip:charles@example.com");
	assert_view(c.invitees.entry[1].replaces, "");
	create_conference_fini(&c);
	buf_fini(&fields);
	buf_fini(&body);
	buf_fini(&type);
}

static void test_R_5_and_R_6__on_the_wire(void **state)
{
	struct upgrade u = with_bo();
	struct buf body, type;

	(void)state;
	assert_int_equal(write_it(&u, &body, &type), 0);
	buf_putc(&body, '\0');
	assert_non_null(strstr(body.p, "--b0und\r\nContent-Type: application/sdp\r\n\r\nv=0"));
	assert_non_null(strstr(body.p, "--b0und\r\nContent-Type: application/resource-lists+xml\r\n"
				       "Content-Disposition: recipient-list\r\n\r\n"));
	assert_non_null(strstr(body.p, "sip:bo@example.com;method=INVITE?Replaces=chat1%40host%3B"
				       "to-tag%3Dbostag%3Bfrom-tag%3Dannstag\""));
	assert_non_null(strstr(body.p, "\r\n--b0und--\r\n"));
	buf_fini(&body);
	buf_fini(&type);
}

static void test_IC_7_1_2_3__a_group_from_the_start(void **state)
{
	struct upgrade u = with_bo();
	struct buf body, type;

	(void)state;
	u.peer = VIEW("");
	assert_int_equal(write_it(&u, &body, &type), 0);
	buf_putc(&body, '\0');
	assert_null(strstr(body.p, "Replaces"));
	assert_null(strstr(body.p, "sip:bo@"));
	assert_non_null(strstr(body.p, "uri=\"sip:charles@example.com\""));
	buf_fini(&body);
	buf_fini(&type);
	/* The peer without a dialog that could be named. */
	u = with_bo();
	u.dialog = NULL;
	assert_int_equal(write_it(&u, &body, &type), 0);
	buf_putc(&body, '\0');
	assert_non_null(strstr(body.p, "uri=\"sip:bo@example.com\""));
	buf_fini(&body);
	buf_fini(&type);
}

static void test_markup_in_a_uri_is_escaped(void **state)
{
	const struct view evil[] = {VIEW("sip:e\"/><entry uri=\"sip:f@x")};
	struct upgrade u = with_bo();
	struct buf body, type;

	(void)state;
	u.invitees = evil;
	assert_int_equal(write_it(&u, &body, &type), 0);
	assert_true(view_find_view(buf_view(&body), VIEW("\"sip:f@x"), 0) == body.n);
	buf_fini(&body);
	buf_fini(&type);
}

static void test_limits(void **state)
{
	static struct view many[256];
	struct upgrade u = with_bo();
	struct buf body, type;

	(void)state;
	for (int i = 0; i < 256; i++)
		many[i] = VIEW("sip:charles@example.com");
	u.invitees = many;
	u.n_invitees = 256;
	assert_int_equal(write_it(&u, &body, &type), E_LIMIT);
	assert_int_equal(body.n, 0);
	assert_int_equal(type.n, 0);
	u.n_invitees = 255;
	assert_int_equal(upgrade_write_body(&body, &type, &u), 0);
	buf_fini(&body);
	buf_fini(&type);
	/* A body that does not fit. */
	buf_init(&body, 100);
	buf_init(&type, 256);
	u.n_invitees = 1;
	assert_int_equal(upgrade_write_body(&body, &type, &u), E_NOMEM);
	buf_fini(&body);
	buf_fini(&type);
}

static void test_a_boundary_that_is_none(void **state)
{
	struct upgrade u = with_bo();
	struct buf body, type;

	(void)state;
	u.boundary = VIEW("a\r\nX-Evil: 1");
	assert_int_not_equal(write_it(&u, &body, &type), 0);
	buf_fini(&body);
	buf_fini(&type);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_IC_7_1_4_3_and_IC_7_1_4_4__peer_with_replaces_and_the_new_user),
		cmocka_unit_test(test_R_5_and_R_6__on_the_wire),
		cmocka_unit_test(test_IC_7_1_2_3__a_group_from_the_start),
		cmocka_unit_test(test_markup_in_a_uri_is_escaped),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_a_boundary_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
