/* The messages of RFC 4475 and RFC 5118 as an endpoint gets them: the IM Client. */
#include "client_world.h"
#include "torture_files.h"

/* 488: an INVITE for audio, which an IM Client does not have. 405: it is no registrar. */
static const struct torture tortures[] = {
	/* RFC 4475 §3.1.1: valid messages. wsinv is inside a dialog that is not there. */
	{"rfc4475/wsinv", 481, NULL},
	{"rfc4475/intmeth", 501, NULL},
	{"rfc4475/esc01", 488, NULL},
	{"rfc4475/escnull", 405, NULL},
	{"rfc4475/esc02", 501, NULL},
	{"rfc4475/lwsdisp", 200, NULL},
	{"rfc4475/longreq", 488, NULL},
	{"rfc4475/dblreq", 405, NULL},
	{"rfc4475/semiuri", 200, NULL},
	{"rfc4475/transports", 200, NULL},
	{"rfc4475/mpart01", 415, NULL},
	{"rfc4475/unreason", TORTURE_NOTHING, NULL},
	{"rfc4475/noreason", TORTURE_NOTHING, NULL},
	/* §3.1.2: invalid messages */
	{"rfc4475/badinv01", 400, NULL},
	{"rfc4475/clerr", 400, NULL},
	{"rfc4475/ncl", 400, NULL},
	{"rfc4475/scalar02", 400, NULL},
	{"rfc4475/scalarlg", TORTURE_NOTHING, NULL},
	{"rfc4475/quotbal", 400, NULL},
	{"rfc4475/ltgtruri", 400, NULL},
	{"rfc4475/lwsruri", 400, NULL},
	{"rfc4475/lwsstart", 488, NULL},
	{"rfc4475/trws", 200, NULL},
	{"rfc4475/escruri", 400, NULL},
	{"rfc4475/baddate", 488, NULL},
	{"rfc4475/regbadct", 405, NULL},
	{"rfc4475/badaspec", 200, NULL},
	{"rfc4475/baddn", 400, NULL},
	{"rfc4475/badvers", 505, NULL},
	{"rfc4475/mismatch01", 400, NULL},
	{"rfc4475/mismatch02", 501, NULL},
	{"rfc4475/bigcode", TORTURE_NOTHING, NULL},
	/* §3.2: transaction layer */
	{"rfc4475/badbranch", 400, NULL},
	/* §3.3: application layer */
	{"rfc4475/insuf", TORTURE_NOTHING, NULL},
	{"rfc4475/unkscm", 416, NULL},
	{"rfc4475/novelsc", 416, NULL},
	{"rfc4475/unksm2", 405, NULL},
	{"rfc4475/bext01", 420, "Unsupported: nothingSupportsThis, nothingSupportsThisEither\r\n"},
	{"rfc4475/invut", 415, "Accept: "},
	{"rfc4475/regaut01", 405, NULL},
	{"rfc4475/multi01", 400, NULL},
	{"rfc4475/mcl01", 400, NULL},
	{"rfc4475/bcast", TORTURE_NOTHING, NULL},
	{"rfc4475/zeromf", 200, NULL}, /* an endpoint does not forward */
	{"rfc4475/cparam01", 405, NULL},
	{"rfc4475/cparam02", 405, NULL},
	{"rfc4475/regescrt", 405, NULL},
	{"rfc4475/sdp01", 488, NULL},
	/* §3.4: RFC 2543. Without a Contact there is no dialog to be had. */
	{"rfc4475/inv2543", 400, NULL},
	{"rfc4475/test", TORTURE_NOTHING, NULL},
	/* RFC 5118 §4 */
	{"rfc5118/ipv6-good", 405, NULL},
	{"rfc5118/ipv6-bad", 400, NULL},
	{"rfc5118/port-ambiguous", 405, NULL},
	{"rfc5118/port-unambiguous", 405, NULL},
	{"rfc5118/via-received-param-with-delim", 481, NULL},
	{"rfc5118/via-received-param-no-delim", 200, NULL},
	{"rfc5118/ipv6-in-sdp", 488, NULL},
	{"rfc5118/mult-ip-in-header", 481, NULL},
	{"rfc5118/mult-ip-in-sdp", 488, NULL},
	{"rfc5118/ipv4-mapped-ipv6", 488, NULL},
	{"rfc5118/ipv6-bug-abnf-3-colons", 200, NULL},
	{"rfc5118/ipv6-correct-abnf-2-colons", 200, NULL},
};

static void test_every_message_has_its_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tortures) / sizeof(tortures[0]); i++) {
		struct desk *d = desk_new();

		desk_deliver(d, torture_load(tortures[i].name, ""));
		torture_judge(&tortures[i], desk_next(d, "SIP/2.0 "));
		/* The person has seen nothing of it. */
		assert_null(desk_event(d, CONFAB_INVITED));
		assert_null(desk_event(d, CONFAB_PAGE));
		desk_run(d, 600000);
		assert_int_equal(sip_stack_tx_count(client_stack(d->client)), 0);
		desk_free(d);
	}
}

static void test_no_file_is_left_out(void **state)
{
	(void)state;
	assert_int_equal(torture_count("rfc4475") + torture_count("rfc5118"),
			 sizeof(tortures) / sizeof(tortures[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_message_has_its_answer),
		cmocka_unit_test(test_no_file_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
