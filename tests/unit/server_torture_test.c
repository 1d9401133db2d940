/* The messages of RFC 4475 and RFC 5118 through the server's whole SIP side: stack, identity,
 * registrar and proxy. They come from a trusted peer who says who is asking, and all users exist,
 * so that nothing but the message itself is in its way. */
#include "server_world.h"
#include "torture_files.h"

#define ASSERTED "P-Asserted-Identity: <sip:tester@example.com>\r\n"

/* 480: all is well, and nobody is registered there. */
static const struct torture tortures[] = {
	/* RFC 4475 §3.1.1: valid messages. wsinv is inside a dialog of another domain's. */
	{"rfc4475/wsinv", 404, NULL},
	{"rfc4475/intmeth", 480, NULL},
	{"rfc4475/esc01", 480, NULL},
	{"rfc4475/escnull", 200, "<sip:%00@host5.example.com>"},
	{"rfc4475/esc02", 404, NULL}, /* a method that nobody knows, no REGISTER */
	{"rfc4475/lwsdisp", 480, NULL},
	{"rfc4475/longreq", 480, NULL},
	{"rfc4475/dblreq", 200, NULL}, /* of the datagram's two the first */
	{"rfc4475/semiuri", 480, NULL},
	{"rfc4475/transports", 480, NULL},
	{"rfc4475/mpart01", TORTURE_ON, NULL},
	{"rfc4475/unreason", TORTURE_NOTHING, NULL}, /* responses to nothing, here and below */
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
	{"rfc4475/lwsstart", 480, NULL}, /* may be overlooked */
	{"rfc4475/trws", 480, NULL},	 /* the same */
	{"rfc4475/escruri", 400, NULL},
	{"rfc4475/baddate", 480, NULL}, /* Date is not looked at */
	{"rfc4475/regbadct", 400, NULL},
	{"rfc4475/badaspec", 480, NULL}, /* may be overlooked */
	{"rfc4475/baddn", 400, NULL},
	{"rfc4475/badvers", 505, NULL},
	{"rfc4475/mismatch01", 400, NULL},
	{"rfc4475/mismatch02", 501, NULL},
	{"rfc4475/bigcode", TORTURE_NOTHING, NULL},
	/* §3.2: transaction layer */
	{"rfc4475/badbranch", 400, NULL},
	/* §3.3: application layer. insuf has no From, To and Call-ID to answer with. */
	{"rfc4475/insuf", TORTURE_NOTHING, NULL},
	{"rfc4475/unkscm", 416, NULL},
	{"rfc4475/novelsc", 416, NULL},
	{"rfc4475/unksm2", 400, NULL},
	{"rfc4475/bext01", 420, "Unsupported: "},
	{"rfc4475/invut", 480, NULL},	 /* 415 is its callee's answer */
	{"rfc4475/regaut01", 200, NULL}, /* of a trusted peer no digest is asked */
	{"rfc4475/multi01", 400, NULL},
	{"rfc4475/mcl01", 400, NULL},
	{"rfc4475/bcast", TORTURE_NOTHING, NULL},
	{"rfc4475/zeromf", 483, NULL},
	{"rfc4475/cparam01", 200, "<sip:+19725552222@gw1.example.net>;"},
	{"rfc4475/cparam02", 200, "<sip:+19725552222@gw1.example.net;unknownparam>"},
	{"rfc4475/regescrt", 200, "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"},
	{"rfc4475/sdp01", 480, NULL},
	/* §3.4: RFC 2543 */
	{"rfc4475/inv2543", 480, NULL},
	{"rfc4475/test", TORTURE_NOTHING, NULL},
	/* RFC 5118 §4: what is not for us goes where its address says. */
	{"rfc5118/ipv6-good", TORTURE_ON, "REGISTER sip:[2001:db8::10] SIP/2.0"},
	{"rfc5118/ipv6-bad", 400, NULL},
	{"rfc5118/port-ambiguous", TORTURE_ON, "REGISTER sip:[2001:db8::10:5070] SIP/2.0"},
	{"rfc5118/port-unambiguous", TORTURE_ON, "REGISTER sip:[2001:db8::10]:5070 SIP/2.0"},
	{"rfc5118/via-received-param-with-delim", TORTURE_ON, "BYE sip:[2001:db8::10] SIP/2.0"},
	{"rfc5118/via-received-param-no-delim", TORTURE_ON, "OPTIONS sip:[2001:db8::10] SIP/2.0"},
	{"rfc5118/ipv6-in-sdp", TORTURE_ON, "c=IN IP6 2001:db8::20\r\n"},
	{"rfc5118/mult-ip-in-header", 404, NULL}, /* in a dialog that nobody has */
	{"rfc5118/mult-ip-in-sdp", TORTURE_ON, "c=IN IP6 2001:db8::1\r\n"},
	{"rfc5118/ipv4-mapped-ipv6", 480, NULL},
	{"rfc5118/ipv6-bug-abnf-3-colons", TORTURE_ON, "OPTIONS sip:user@[2001:db8"},
	{"rfc5118/ipv6-correct-abnf-2-colons", TORTURE_ON,
	 "OPTIONS sip:user@[2001:db8::192.0.2.1]"},
};

static struct world *torture_world(bool trusts)
{
	static const struct view domains[] = {
		{"example.com", 11}, {"example.net", 11}, {"example.org", 11}};
	static struct addr peer;
	struct world *w = world_new();

	peer = address(AT_ANN);
	w->everybody = true;
	w->cfg.domains = domains;
	w->cfg.n_domains = 3;
	w->cfg.trusted = &peer;
	w->cfg.n_trusted = trusts;
	w->cfg.im_tag = CORE_IM_ASSUME;
	world_start(w);
	return w;
}

/* The first that is sent and is no 100; NULL. */
static const char *outcome(const struct world *w)
{
	for (size_t i = 0; i < w->n_sent; i++)
		if (strncmp(w->sent[i].text, "SIP/2.0 100 ", 12) != 0)
			return w->sent[i].text;
	return NULL;
}

static void test_every_message_has_its_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tortures) / sizeof(tortures[0]); i++) {
		struct world *w = torture_world(true);
		struct phone ann = phone_at(w, "ann", AT_ANN);
		struct view v = torture_load(tortures[i].name, ASSERTED);

		sip_stack_datagram(w->stack, v, &ann.addr, w->now);
		world_run(w, 0);
		torture_judge(&tortures[i], outcome(w));
		/* Nothing stays behind. */
		world_run(w, 600000);
		assert_int_equal(sip_stack_tx_count(w->stack), 0);
		world_end(w);
	}
}

/* From a stranger none of them gets further than to the question who he is. */
static void test_a_stranger_gets_nowhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tortures) / sizeof(tortures[0]); i++) {
		struct world *w = torture_world(false);
		struct phone ann = phone_at(w, "ann", AT_ANN);
		const char *name = tortures[i].name;

		sip_stack_datagram(w->stack, torture_load(name, ASSERTED), &ann.addr, w->now);
		world_run(w, 0);
		for (size_t k = 0; k < w->n_sent; k++) {
			int status = torture_status(w->sent[k].text);

			if (status == 0 || (status >= 200 && status < 300))
				fail_msg("%s: %s", name, w->sent[k].text);
		}
		assert_int_equal(core_binding_count(w->core), 0);
		world_end(w);
	}
}

/* RFC 4475 §3.3.7: credentials of a scheme that nobody knows are none: a challenge of ours. */
static void test_RFC4475_3_3_7__an_unknown_scheme_is_challenged(void **state)
{
	struct world *w = torture_world(false);
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *answer;

	(void)state;
	sip_stack_datagram(w->stack, torture_load("rfc4475/regaut01", ""), &ann.addr, w->now);
	world_run(w, 0);
	answer = outcome(w);
	assert_non_null(answer);
	assert_int_equal(torture_status(answer), 401);
	assert_non_null(strstr(answer, "WWW-Authenticate: Digest "));
	world_end(w);
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
		cmocka_unit_test(test_a_stranger_gets_nowhere),
		cmocka_unit_test(test_RFC4475_3_3_7__an_unknown_scheme_is_challenged),
		cmocka_unit_test(test_no_file_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
