/* Who may do what at the edge: digest and its replay, guessing, dialogs that nobody has,
 * trust-domain fields, relaying, and answers to addresses that nobody has shown to be his. */
#include "server_world.h"

#include "server/core/guesses.h"

#define AT_ANN	"192.0.2.11:5060"
#define AT_BO	"192.0.2.12:5060"
#define AT_EVE	"192.0.2.66:5060"
#define BO	"<sip:bo@example.com>"
#define BO_URI	"sip:bo@example.com"
#define FACTORY "<sip:factory@example.com>"

static const char *const methods[] = {"INVITE",	 "MESSAGE", "REFER",	 "SUBSCRIBE",
				      "PUBLISH", "OPTIONS", "INFO",	 "UPDATE",
				      "NOTIFY",	 "BYE",	    "X-UNKNOWN", "PRACK"};

static char *ask(struct phone *p, const char *method, const char *uri, const char *to,
		 unsigned cseq, const char *extra)
{
	phone_send(p, phone_request(p, method, uri, to, cseq, extra));
	return phone_next(p);
}

/* The next message that comes to this phone is a request of that method. */
static void assert_comes(struct phone *p, const char *method)
{
	const char *text = phone_next(p);

	assert_non_null(text);
	assert_int_equal(strncmp(text, method, strlen(method)), 0);
}

/* --- digest --- */

static void test_every_request_of_a_stranger_is_challenged(void **state)
{
	static const char *const target[][2] = {
		{BO_URI, BO},
		{"sip:factory@example.com", FACTORY},
		{"sip:conf-1@example.com", "<sip:conf-1@example.com>"},
		{"sip:x@elsewhere.example", "<sip:x@elsewhere.example>"},
	};
	struct world *w = world_default();
	struct phone bo = phone_at(w, "bo", AT_BO);

	(void)state;
	phone_registers(&bo, IM_CONTACT);
	for (size_t t = 0; t < 4; t++)
		for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
			/* Each from an address of its own: no answer is taken for another's. */
			struct phone eve =
				phone_at(w, "ann", textf(w, "198.51.100.%zu:5060", 1 + t * 20 + i));
			char *answer = ask(&eve, methods[i], target[t][0], target[t][1], 1, "");

			assert_int_equal(parsed(answer).status, 407);
			assert_non_null(strstr(answer, "qop=\"auth\""));
		}
	assert_int_equal(parsed(ask(&bo, "REGISTER", "sip:example.com", BO, 9, "")).status, 401);
	assert_int_equal(w->local_requests, 0);
	assert_null(phone_next(&bo));
	world_end(w);
}

static void test_a_tag_in_To_is_no_way_round_the_digest(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_tcp(w, "bo", AT_BO);

	(void)state;
	phone_registers(&ann, IM_CONTACT);
	phone_registers(&bo, IM_CONTACT);
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		struct phone eve = phone_at(w, "ann", textf(w, "198.51.100.%zu:5060", 1 + i));

		assert_int_equal(
			parsed(ask(&eve, methods[i], BO_URI, BO ";tag=made-up", 1, "")).status,
			407);
		/* Nor to his phone itself. */
		assert_int_equal(parsed(ask(&eve, methods[i], "sip:bo@192.0.2.12:5060",
					    BO ";tag=made-up", 2, ""))
					 .status,
				 407);
	}
	/* Not even from where a phone is registered: a datagram can say so of itself. */
	assert_int_equal(parsed(ask(&ann, "MESSAGE", BO_URI, BO ";tag=made-up", 3, "")).status,
			 407);
	assert_null(phone_next(&bo));
	world_end(w);
}

static void test_inside_a_dialog_the_route_made_for_it_is_proof(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO);
	char *invite;

	(void)state;
	phone_registers(&ann, IM_CONTACT);
	phone_registers(&bo, IM_CONTACT);
	phone_asks(&ann, "INVITE", BO_URI, BO, 1, IM_ACCEPT);
	invite = phone_next(&bo);
	phone_answers(&bo, invite, 200, contact_of(&bo));
	assert_int_equal(phone_status(&ann), 200);
	phone_send(&ann, phone_request(&ann, "BYE", "sip:bo@192.0.2.12:5060", BO ";tag=bo-tag", 3,
				       routes_of(w, invite, true)));
	assert_comes(&bo, "BYE ");
	world_end(w);
}

/* A call of ann's to bo that stands, over UDP; the Route of her requests inside it. */
static const char *route_of_a_call(struct world *w, struct phone *ann, struct phone *bo)
{
	char *invite;

	phone_registers(ann, IM_CONTACT);
	phone_registers(bo, IM_CONTACT);
	phone_asks(ann, "INVITE", BO_URI, BO, 1, IM_ACCEPT);
	invite = phone_next(bo);
	phone_answers(bo, invite, 200, contact_of(bo));
	assert_int_equal(phone_status(ann), 200);
	return routes_of(w, invite, true);
}

/* RFC 3261 §22.1, R-3: what proves a dialog is no passport. Ann hands hers to eve, or uses it to
 * write in another's name. */
static void test_R_3__the_route_of_a_dialog_proves_nobody_else(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO),
		     eve = phone_at(w, "ann", AT_EVE), as_charles = phone_at(w, "charles", AT_ANN);
	const char *route = route_of_a_call(w, &ann, &bo), *at_bo = "sip:bo@192.0.2.12:5060",
		   *forged;

	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		unsigned cseq = 10 + (unsigned)i;

		assert_int_equal(
			parsed(ask(&eve, methods[i], at_bo, BO ";tag=bo-tag", cseq, route)).status,
			407);
		/* A relay to where nobody of ours is. */
		assert_int_equal(parsed(ask(&eve, methods[i], "sip:x@198.51.100.9:5060",
					    BO ";tag=bo-tag", 50 + cseq, route))
					 .status,
				 407);
		assert_int_equal(
			parsed(ask(&as_charles, methods[i], at_bo, BO ";tag=bo-tag", cseq, route))
				.status,
			407);
	}
	/* Nor in the name of somebody who is not ours, and cannot be asked. */
	forged = "MESSAGE sip:bo@192.0.2.12:5060 SIP/2.0\n"
		 "Via: SIP/2.0/UDP 192.0.2.11:5060;rport;branch=z9hG4bK-forged\n"
		 "From: <sip:president@elsewhere.example>;tag=ann-tag\n"
		 "To: <sip:bo@example.com>;tag=bo-tag\nCall-ID: call-of-ann\nCSeq: 90 MESSAGE\n"
		 "%sContent-Length: 0\n\n";
	phone_send(&ann, crlf(w, textf(w, forged, route)));
	assert_int_equal(parsed(phone_next(&ann)).status, 407);
	assert_null(phone_next(&bo));
	/* Ann elsewhere is asked for her password and heard. */
	phone_asks(&eve, "INFO", at_bo, BO ";tag=bo-tag", 95, route);
	assert_comes(&bo, "INFO ");
	world_end(w);
}

/* Each look at a cookie hashes the Call-ID, so only as many values are looked at as a Route of ours
 * has (RFC 5658). */
static void test_the_third_own_Route_is_not_looked_at(void **state)
{
	for (int before = 0; before <= 2; before++) {
		struct world *w = world_default();
		struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO);
		const char *route = route_of_a_call(w, &ann, &bo);

		(void)state;
		for (int i = 0; i < before; i++)
			route = textf(w, "Route: <sip:192.0.2.1:5060;lr>\n%s", route);
		phone_send(&ann, phone_request(&ann, "INFO", "sip:bo@192.0.2.12:5060",
					       BO ";tag=bo-tag", 3, route));
		assert_int_equal(phone_next(&bo) != NULL, before < 2);
		if (before == 2)
			assert_int_equal(phone_status(&ann), 407);
		world_end(w);
	}
}

/* The other side of the dialog has the same Route, with the tags turned round. */
static void test_R_3__both_sides_of_a_dialog_have_its_route(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO);
	const char *route = route_of_a_call(w, &ann, &bo);

	(void)state;
	phone_send(&bo, crlf(w, textf(w,
				      "BYE sip:ann@192.0.2.11:5060 SIP/2.0\n"
				      "Via: SIP/2.0/UDP 192.0.2.12:5060;rport;branch=z9hG4bK-bye\n"
				      "From: <SIP:bo@EXAMPLE.com>;tag=bo-tag\n"
				      "To: \"Ann\" <sip:ann@example.com>;tag=ann-tag\n"
				      "Call-ID: call-of-ann\nCSeq: 7 BYE\n"
				      "%sContent-Length: 0\n\n",
				      route)));
	assert_comes(&ann, "BYE ");
	world_end(w);
}

/* Who was challenged for the INVITE is not for the BYE, registered or not; nor a phone that comes
 * by another port of its address. */
static void test_R_3__who_began_a_dialog_is_not_asked_again(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO),
		     other_port = phone_at(w, "ann", "192.0.2.11:7070"), elsewhere = ann;
	const char *route, *at_bo = "sip:bo@192.0.2.12:5060";
	char *invite;

	(void)state;
	phone_registers(&bo, IM_CONTACT);
	phone_asks(&ann, "INVITE", BO_URI, BO, 1, IM_ACCEPT);
	invite = phone_next(&bo);
	phone_answers(&bo, invite, 200, contact_of(&bo));
	assert_int_equal(phone_status(&ann), 200);
	route = routes_of(w, invite, true);
	phone_send(&ann, phone_request(&ann, "INFO", at_bo, BO ";tag=bo-tag", 3, route));
	assert_comes(&bo, "INFO ");
	phone_send(&other_port,
		   phone_request(&other_port, "INFO", at_bo, BO ";tag=bo-tag", 4, route));
	assert_comes(&bo, "INFO ");
	/* The callee, whose address the Route does not know, by his registration. */
	elsewhere = phone_at(w, "bo", "192.0.2.12:7070");
	phone_send(&elsewhere,
		   crlf(w, textf(w,
				 "BYE sip:ann@192.0.2.11:5060 SIP/2.0\n"
				 "Via: SIP/2.0/UDP 192.0.2.12:7070;rport;branch=z9hG4bK-bye\n"
				 "From: <sip:bo@example.com>;tag=bo-tag\n"
				 "To: <sip:ann@example.com>;tag=ann-tag\n"
				 "Call-ID: call-of-ann\nCSeq: 7 BYE\n"
				 "%sContent-Length: 0\n\n",
				 route)));
	assert_comes(&ann, "BYE ");
	world_end(w);
}

/* RFC 3261 §22.1: an ACK cannot be challenged. One that nothing speaks for goes nowhere. */
static void test_RFC_3261_22_1__an_ACK_of_a_stranger_reaches_nobody(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO),
		     eve = phone_at(w, "ann", AT_EVE);
	const char *route = route_of_a_call(w, &ann, &bo), *at_bo = "sip:bo@192.0.2.12:5060";

	(void)state;
	phone_send(&eve, phone_request(&eve, "ACK", at_bo, BO ";tag=bo-tag", 2, ""));
	phone_send(&eve, phone_request(&eve, "ACK", at_bo, BO ";tag=made-up", 2,
				       "Route: <sip:192.0.2.1:5060;lr;ck=abcdefgh234567ab>\n"));
	assert_null(phone_next(&bo));
	phone_send(&ann, phone_request(&ann, "ACK", at_bo, BO ";tag=bo-tag", 2, route));
	assert_comes(&bo, "ACK ");
	/* From where ann is registered, though her phone knows nothing of Record-Route. */
	phone_send(&ann, phone_request(&ann, "ACK", at_bo, BO ";tag=bo-tag", 2, ""));
	assert_comes(&bo, "ACK ");
	world_end(w);
}

/* RFC 3261 §22.1: a CANCEL cannot be challenged either; it is heard from where its INVITE came
 * from. Nor does who repeats another's branch get his answers. */
static void test_RFC_3261_22_1__a_CANCEL_from_elsewhere_cancels_nothing(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO),
		     eve = phone_at(w, "ann", AT_EVE);
	char *invite, *at_bo, *cancel;

	(void)state;
	phone_registers(&ann, IM_CONTACT);
	phone_registers(&bo, IM_CONTACT);
	invite = phone_asks(&ann, "INVITE", BO_URI, BO, 1, IM_ACCEPT);
	at_bo = phone_next(&bo);
	assert_non_null(at_bo);
	cancel = crlf(w, textf(w,
			       "CANCEL %s SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.11:5060;rport;%s\n"
			       "From: <sip:ann@example.com>;tag=ann-tag\nTo: " BO
			       "\nCall-ID: call-of-ann\nCSeq: 2 CANCEL\nContent-Length: 0\n\n",
			       BO_URI, via_branch_of(w, invite)));
	phone_send(&eve, cancel);
	assert_int_equal(parsed(phone_next(&eve)).status, 481);
	assert_null(phone_next(&bo));
	phone_send(&eve, invite);
	phone_answers(&bo, at_bo, 180, "");
	assert_int_equal(phone_status(&ann), 180);
	assert_int_not_equal(phone_status(&eve), 180);
	phone_send(&ann, cancel);
	assert_comes(&bo, "CANCEL ");
	world_end(w);
}

/* RFC 3261 §18.1.1 has requests by multicast; from a server they would be everybody's amplifier. */
static void test_what_is_not_one_host_is_sent_nothing(void **state)
{
	static const char *const host[] = {"224.0.1.75", "255.255.255.255", "0.0.0.0", "[ff02::1]"};
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN);

	(void)state;
	for (size_t i = 0; i < sizeof(host) / sizeof(*host); i++) {
		const char *uri = textf(w, "sip:x@%s:5060", host[i]);
		struct phone there = phone_at(w, "x", textf(w, "%s:5060", host[i]));

		phone_asks(&ann, "MESSAGE", uri, BO, 1 + 4 * (unsigned)i, "");
		assert_int_equal(phone_status(&ann), 500);
		assert_null(phone_next(&there));
	}
	world_end(w);
}

static void test_credentials_serve_once(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN);
	const char *uri = "sip:factory@example.com", *line;

	(void)state;
	line = credentials(&ann, ask(&ann, "MESSAGE", uri, FACTORY, 1, ""), "ann", "secret",
			   "MESSAGE", uri);
	assert_int_equal(parsed(ask(&ann, "MESSAGE", uri, FACTORY, 2, line)).status, 200);
	/* The same nonce with the same count: a replay (RFC 7616 §3.4.6). */
	line = ask(&ann, "MESSAGE", uri, FACTORY, 3, line);
	assert_int_equal(parsed(line).status, 407);
	assert_non_null(strstr(line, "stale=true"));
	assert_int_equal(w->local_requests, 1);
	world_end(w);
}

static void test_credentials_of_another_address_are_stale(void **state)
{
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN), eve = phone_at(w, "ann", AT_EVE);
	const char *uri = "sip:factory@example.com", *line;

	(void)state;
	line = credentials(&ann, ask(&ann, "MESSAGE", uri, FACTORY, 1, ""), "ann", "secret",
			   "MESSAGE", uri);
	line = ask(&eve, "MESSAGE", uri, FACTORY, 2, line);
	assert_int_equal(parsed(line).status, 407);
	assert_non_null(strstr(line, "stale=true"));
	assert_int_equal(w->local_requests, 0);
	world_end(w);
}

static void test_a_nonce_lives_for_its_lifetime_and_no_longer(void **state)
{
	for (int late = 0; late < 2; late++) {
		struct world *w = world_default();
		struct phone ann = phone_at(w, "ann", AT_ANN);
		const char *uri = "sip:factory@example.com", *line;

		(void)state;
		line = credentials(&ann, ask(&ann, "MESSAGE", uri, FACTORY, 1, ""), "ann", "secret",
				   "MESSAGE", uri);
		world_run(w, w->cfg.nonce_lifetime_ms + (uint64_t)late);
		line = ask(&ann, "MESSAGE", uri, FACTORY, 2, line);
		assert_int_equal(parsed(line).status, late ? 407 : 200);
		assert_true(!late == !strstr(line, "stale=true"));
		world_end(w);
	}
}

/* --- guessing --- */

enum { GUESSES = 3, LOCKOUT_MS = 60000 };

static struct world *guarded_world(void)
{
	struct world *w = world_new();

	w->cfg.max_failures = GUESSES;
	w->cfg.lockout_ms = LOCKOUT_MS;
	world_start(w);
	return w;
}

/* One try at a user's password; the status. */
static int guess(struct phone *p, const char *user, const char *password)
{
	static unsigned cseq = 100;
	const char *uri = "sip:factory@example.com";
	char *answer = ask(p, "MESSAGE", uri, FACTORY, ++cseq, "");
	const char *line;

	assert_int_equal(parsed(answer).status, 407);
	line = credentials(p, answer, user, password, "MESSAGE", uri);
	return parsed(ask(p, "MESSAGE", uri, FACTORY, ++cseq, line)).status;
}

static void test_guessing_is_shut_out_after_the_limit_and_for_a_while(void **state)
{
	struct world *w = guarded_world();
	struct phone eve = phone_at(w, "ann", AT_EVE);

	(void)state;
	for (int i = 0; i < GUESSES; i++)
		assert_int_equal(guess(&eve, "ann", textf(w, "guess-%d", i)), 407);
	/* Not even the right one is heard. */
	assert_int_equal(guess(&eve, "ann", "secret"), 403);
	world_run(w, LOCKOUT_MS);
	assert_int_equal(guess(&eve, "ann", "secret"), 200);
	world_end(w);
}

static void test_one_guess_fewer_than_the_limit_and_the_right_password_is_heard(void **state)
{
	struct world *w = guarded_world();
	struct phone ann = phone_at(w, "ann", AT_ANN);

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < GUESSES - 1; i++)
			assert_int_equal(guess(&ann, "ann", "slip"), 407);
		assert_int_equal(guess(&ann, "ann", "secret"), 200);
	}
	world_end(w);
}

static void test_who_guesses_locks_nobody_else_out(void **state)
{
	struct world *w = guarded_world();
	struct phone eve = phone_at(w, "ann", AT_EVE), ann = phone_at(w, "ann", AT_ANN),
		     bo = phone_at(w, "bo", AT_EVE), home = phone_at(w, "ann", "192.0.2.66:7070");

	(void)state;
	/* Ann's own phone is behind the same NAT as eve, and registered. */
	phone_registers(&home, "");
	for (int i = 0; i < GUESSES; i++)
		assert_int_equal(guess(&eve, "ann", "guess"), 407);
	assert_int_equal(guess(&eve, "ann", "guess"), 403);
	assert_int_equal(guess(&ann, "ann", "secret"), 200);
	assert_int_equal(guess(&bo, "bo", "secret"), 200);
	assert_int_equal(guess(&home, "ann", "secret"), 200);
	world_end(w);
}

/* Behind the victim's own address somebody guesses from as many ports as it takes: his phone, that
 * is registered, goes on; a new one waits. */
static void test_with_every_port_of_an_address_guessing_the_registered_phone_goes_on(void **state)
{
	struct world *w = guarded_world();
	struct phone home = phone_at(w, "ann", "192.0.2.66:7070"),
		     fresh = phone_at(w, "ann", "192.0.2.66:7071");

	(void)state;
	phone_registers(&home, "");
	for (int port = 0; port < GUESSES_PORTS; port++) {
		struct phone eve = phone_at(w, "ann", textf(w, "192.0.2.66:%d", 20000 + port));

		for (int i = 0; i < GUESSES; i++)
			assert_int_equal(guess(&eve, "ann", textf(w, "guess-%d", i)), 407);
	}
	assert_int_equal(guess(&fresh, "ann", "secret"), 403);
	assert_int_equal(guess(&home, "ann", "secret"), 200);
	world_run(w, LOCKOUT_MS);
	assert_int_equal(guess(&fresh, "ann", "secret"), 200);
	world_end(w);
}

static void test_a_forged_source_address_locks_nobody_out(void **state)
{
	struct world *w = guarded_world();
	struct phone eve = phone_at(w, "ann", AT_EVE), ann = phone_at(w, "ann", AT_ANN);
	const char *uri = "sip:factory@example.com";

	(void)state;
	/* Eve writes ann's address on her datagrams; what is answered goes to ann. The nonces are
	 * those that eve got herself, or made up. */
	for (unsigned i = 0; i < 4 * GUESSES; i++) {
		char *mine = ask(&eve, "MESSAGE", uri, FACTORY, 2 * i + 1, "");
		const char *line = credentials(&eve, mine, "ann", "wrong", "MESSAGE", uri);
		char *answer = ask(&ann, "MESSAGE", uri, FACTORY, 2 * i + 2, line);

		assert_int_equal(parsed(answer).status, 407);
		/* Nor does the answer tell whether the password was right. */
		assert_non_null(strstr(answer, "stale=true"));
	}
	assert_int_equal(guess(&ann, "ann", "secret"), 200);
	world_end(w);
}

/* --- trust-domain fields --- */

#define TRUST_FIELDS                                                                               \
	"P-Asserted-Identity: <sip:president@example.com>\n"                                       \
	"P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session\n"                    \
	"P-Charging-Vector: icid-value=1\n"                                                        \
	"P-Charging-Function-Addresses: ccf=192.0.2.200\n"                                         \
	"P-Access-Network-Info: 3GPP-UTRAN-TDD; utran-cell-id-3gpp=1\n"                            \
	"P-Visited-Network-ID: \"visited\"\n"                                                      \
	"P-Served-User: <sip:president@example.com>\n"                                             \
	"P-User-Database: <aaa://host.example.com>\n"                                              \
	"P-Profile-Key: <sip:president@example.com>\n"                                             \
	"P-DCS-Billing-Info: 1/2@x\n"                                                              \
	"P-Private-Network-Indication: example.com\n"                                              \
	"P-Early-Media: supported\n"                                                               \
	"Feature-Caps: *;+president\n"                                                             \
	"Relayed-Charge: president\n"                                                              \
	"Cellular-Network-Info: president\n"                                                       \
	"Resource-Share: president\n"                                                              \
	"Restoration-Info: president\n"                                                            \
	"Service-Interact-Info: president\n"                                                       \
	"Additional-Identity: <sip:president@example.com>\n"                                       \
	"Priority-Share: president\n"                                                              \
	"remote-party-id : <sip:president@example.com>;party=calling\n"                            \
	"P-Preferred-Identity: <sip:president@example.com>\n"

static void test_trust_domain_fields_of_a_phone_stop_at_the_edge(void **state)
{
	static const char *const names[] = {"P-Asserted-Service",
					    "P-Charging-Vector",
					    "P-Charging-Function-Addresses",
					    "P-Access-Network-Info",
					    "P-Visited-Network-ID",
					    "P-Served-User",
					    "P-User-Database",
					    "P-Profile-Key",
					    "P-DCS-Billing-Info",
					    "P-Private-Network-Indication",
					    "P-Early-Media",
					    "P-Preferred-Identity",
					    "Proxy-Authorization"};
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO);
	char *text;

	(void)state;
	phone_registers(&bo, "");
	phone_asks(&ann, "MESSAGE", BO_URI, BO, 1, TRUST_FIELDS);
	text = phone_next(&bo);
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_string_equal(header(w, text, names[i]), "");
	assert_string_equal(header(w, text, "P-Asserted-Identity"),
			    "\"ann\" <sip:ann@example.com>");
	assert_null(strstr(text, "president"));
	/* In an answer neither. */
	phone_answers(&bo, text, 200, TRUST_FIELDS);
	do
		text = phone_next(&ann);
	while (text && parsed(text).status != 200);
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_string_equal(header(w, text, names[i]), "");
	assert_string_equal(header(w, text, "P-Asserted-Identity"), "<sip:bo@example.com>");
	assert_null(strstr(text, "president"));
	world_end(w);
}

/* --- From --- */

static void test_an_anonymous_From_stands_on_the_assertion(void **state)
{
	struct world *w = world_default();
	struct phone bo = phone_at(w, "bo", AT_BO), ann = phone_at(w, "ann", AT_ANN);
	const char *fmt = "MESSAGE sip:bo@example.com SIP/2.0\n"
			  "Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK-anon-%u\n"
			  "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1\n"
			  "To: <sip:bo@example.com>\nCall-ID: anon\nCSeq: %u MESSAGE\n"
			  "Privacy: id\n%sContent-Length: 0\n\n";
	char *answer;

	(void)state;
	phone_registers(&bo, "");
	/* Not without a password. */
	phone_send(&ann, crlf(w, textf(w, fmt, 1, 1, "")));
	answer = phone_next(&ann);
	assert_int_equal(parsed(answer).status, 407);
	phone_send(&ann,
		   crlf(w, textf(w, fmt, 2, 2,
				 credentials(&ann, answer, "ann", "secret", "MESSAGE", BO_URI))));
	answer = phone_next(&bo);
	assert_non_null(answer);
	assert_null(strstr(answer, "ann@"));
	world_end(w);
}

static void test_CF_9_3_1_3__no_Referred_By_names_another(void **state)
{
	static const char *const lines[] = {
		"Referred-By: <sip:bo@example.com>\n",
		"Referred-By: <sip:ann@example.com>, <sip:bo@example.com>\n",
		"b: <sip:anonymous@anonymous.invalid>\n",
		"Referred-By: nonsense\n",
	};
	struct world *w = world_default();
	struct phone ann = phone_at(w, "ann", AT_ANN), bo = phone_at(w, "bo", AT_BO);

	(void)state;
	phone_registers(&bo, "");
	for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		phone_asks(&ann, "MESSAGE", BO_URI, BO, 1 + 2 * i, lines[i]);
		assert_int_equal(phone_status(&ann), 403);
	}
	assert_null(phone_next(&bo));
	phone_asks(&ann, "MESSAGE", BO_URI, BO, 51, "Referred-By: <sip:ann@example.com>\n");
	assert_non_null(phone_next(&bo));
	world_end(w);
}

/* --- relaying --- */

static struct world *peered_world(const struct addr *peer)
{
	struct world *w = world_new();

	w->cfg.trusted = peer;
	w->cfg.n_trusted = 1;
	world_start(w);
	return w;
}

static void test_a_trusted_peer_cannot_relay_between_strangers(void **state)
{
	struct addr peer = address("192.0.2.50:0");
	struct world *w = peered_world(&peer);
	struct phone gate = phone_at(w, "x", "192.0.2.50:5060"), bo = phone_at(w, "bo", AT_BO),
		     far = phone_at(w, "far", "203.0.113.9:5060");
	const char *uri = "sip:far@203.0.113.9:5060", *to = "<sip:far@203.0.113.9>";

	(void)state;
	phone_registers(&bo, "");
	assert_int_equal(parsed(ask(&gate, "MESSAGE", uri, to, 1,
				    "P-Asserted-Identity: <sip:x@elsewhere.example>\n"))
				 .status,
			 403);
	/* Neither by a Route, nor for a user of ours who is none. */
	assert_int_equal(parsed(ask(&gate, "MESSAGE", uri, to, 2,
				    "Route: <sip:203.0.113.9:5060;lr>\n"
				    "P-Asserted-Identity: <sip:x@elsewhere.example>\n"))
				 .status,
			 403);
	assert_int_equal(parsed(ask(&gate, "MESSAGE", uri, to, 3,
				    "P-Asserted-Identity: <sip:nobody@example.com>\n"))
				 .status,
			 403);
	assert_null(phone_next(&far));
	/* To a user of ours, and from one. */
	phone_send(&gate, phone_request(&gate, "MESSAGE", BO_URI, BO, 4,
					"P-Asserted-Identity: <sip:x@elsewhere.example>\n"));
	assert_non_null(phone_next(&bo));
	phone_send(&gate, phone_request(&gate, "MESSAGE", uri, to, 5,
					"P-Asserted-Identity: <sip:ann@example.com>\n"));
	assert_non_null(phone_next(&far));
	world_end(w);
}

/* --- answers to addresses that nobody has shown to be his --- */

static size_t count_sent(const struct world *w, const struct phone *p, const char *start,
			 size_t *bytes)
{
	size_t n = 0;

	*bytes = 0;
	for (size_t i = 0; i < w->n_sent; i++)
		if (addr_eq(&w->sent[i].to, &p->addr) && strstr(w->sent[i].text, start)) {
			n++;
			*bytes += strlen(w->sent[i].text);
		}
	return n;
}

static void test_a_challenged_INVITE_by_UDP_is_answered_once(void **state)
{
	static const char *const uri[] = {BO_URI, "sip:nobody@example.com",
					  "sip:factory@example.com"};
	struct world *w = world_default();

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct phone eve = phone_at(w, "ann", textf(w, "192.0.2.%u:5060", 70 + i));
		char *invite = phone_request(&eve, "INVITE", uri[i], BO, 1, IM_ACCEPT);
		size_t bytes;

		/* Nobody acknowledges: the address is not his who wrote this. */
		phone_send(&eve, invite);
		world_run(w, 64 * 500);
		assert_int_equal(count_sent(w, &eve, "SIP/2.0 ", &bytes), 1);
		assert_true(bytes <= 3 * strlen(invite));
	}
	assert_int_equal(sip_stack_tx_count(w->stack), 0);
	world_end(w);
}

/* RFC 3261 §26.3.2.4: of what strangers ask nothing is kept, however they came, and
 * whatever they were answered. */
static void test_RFC_3261_26_3_2_4__strangers_leave_no_transactions(void **state)
{
	static const char *const method[] = {"INVITE",	 "MESSAGE", "SUBSCRIBE", "REFER", "BYE",
					     "REGISTER", "OPTIONS", "CANCEL",	 "NOTIFY"};
	struct world *w = world_default();

	(void)state;
	for (unsigned i = 0; i < 24; i++) {
		struct phone eve = i % 2 ? phone_at(w, "ann", AT_EVE) : phone_tcp(w, "ann", AT_EVE);
		/* What is said to be of a dialog with the process itself is for its users to
		 * answer. */
		bool in_dialog = i % 4 == 0;
		const char *uri = i % 3 == 0		    ? BO_URI
				  : i % 3 == 1 || in_dialog ? "sip:example.com"
							    : "sip:factory@example.com";

		for (unsigned k = 0; k < sizeof(method) / sizeof(*method); k++)
			phone_send(&eve, phone_request(&eve, method[k], uri,
						       in_dialog ? BO ";tag=x" : BO, i + 1, ""));
		assert_int_equal(sip_stack_tx_count(w->stack), 0);
	}
	world_end(w);
}

static void test_by_UDP_nothing_answers_a_stranger_that_is_three_times_as_long(void **state)
{
	struct world *w = world_default();
	struct phone eve = phone_at(w, "eve", AT_EVE);
	const char *fmt = "OPTIONS sip:a@example.com SIP/2.0\n"
			  "v:SIP/2.0/UDP 192.0.2.66;branch=z9hG4bK%u\n"
			  "f:<sip:a@a>;tag=a\nt:<sip:a@a>\ni:%s\nCSeq:1 OPTIONS\n\n";
	const char *id = "a";

	(void)state;
	/* From a request that is too short for the challenge, byte by byte to one that is not. */
	for (unsigned i = 0; i < 200; i++) {
		char *request = crlf(w, textf(w, fmt, i + 1000, id)), *answer;

		phone_send(&eve, request);
		answer = phone_next(&eve);
		assert_true(i || !answer);
		if (answer) {
			assert_true(strlen(answer) <= 3 * strlen(request));
			assert_int_equal(parsed(answer).status, 407);
			assert_true(strlen(request) < 300);
			world_end(w);
			return;
		}
		id = textf(w, "%sa", id);
	}
	fail();
}

static void test_a_broken_datagram_is_not_answered_at_length_either(void **state)
{
	struct world *w = world_default();
	struct phone eve = phone_at(w, "eve", AT_EVE);

	(void)state;
	phone_send(&eve, crlf(w, "X a SIP/2.0\nv:SIP/2.0/UDP a;branch=z9hG4bKa\nf:<a>\nt:<a>\ni:a\n"
				 "CSeq:1 Y\n\n"));
	for (char *text = phone_next(&eve); text; text = phone_next(&eve))
		assert_true(strlen(text) <= 3 * 70);
	world_end(w);
}

static void test_a_stranger_s_request_is_never_fanned_out(void **state)
{
	struct world *w = world_default();
	struct phone eve = phone_at(w, "ann", AT_EVE);
	size_t before;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct phone bo = phone_at(w, "bo", textf(w, "192.0.2.12:%u", 5060 + i));

		phone_registers(&bo, IM_CONTACT);
	}
	before = w->n_sent;
	phone_send(&eve, phone_request(&eve, "INVITE", BO_URI, BO, 1, IM_ACCEPT));
	world_run(w, 1000);
	assert_int_equal(w->n_sent, before + 1);
	assert_true(addr_eq(&w->sent[before].to, &eve.addr));
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_request_of_a_stranger_is_challenged),
		cmocka_unit_test(test_a_tag_in_To_is_no_way_round_the_digest),
		cmocka_unit_test(test_what_is_not_one_host_is_sent_nothing),
		cmocka_unit_test(test_inside_a_dialog_the_route_made_for_it_is_proof),
		cmocka_unit_test(test_R_3__the_route_of_a_dialog_proves_nobody_else),
		cmocka_unit_test(test_the_third_own_Route_is_not_looked_at),
		cmocka_unit_test(test_R_3__both_sides_of_a_dialog_have_its_route),
		cmocka_unit_test(test_R_3__who_began_a_dialog_is_not_asked_again),
		cmocka_unit_test(test_RFC_3261_22_1__an_ACK_of_a_stranger_reaches_nobody),
		cmocka_unit_test(test_RFC_3261_22_1__a_CANCEL_from_elsewhere_cancels_nothing),
		cmocka_unit_test(test_credentials_serve_once),
		cmocka_unit_test(test_credentials_of_another_address_are_stale),
		cmocka_unit_test(test_a_nonce_lives_for_its_lifetime_and_no_longer),
		cmocka_unit_test(test_guessing_is_shut_out_after_the_limit_and_for_a_while),
		cmocka_unit_test(
			test_one_guess_fewer_than_the_limit_and_the_right_password_is_heard),
		cmocka_unit_test(test_who_guesses_locks_nobody_else_out),
		cmocka_unit_test(
			test_with_every_port_of_an_address_guessing_the_registered_phone_goes_on),
		cmocka_unit_test(test_a_forged_source_address_locks_nobody_out),
		cmocka_unit_test(test_trust_domain_fields_of_a_phone_stop_at_the_edge),
		cmocka_unit_test(test_an_anonymous_From_stands_on_the_assertion),
		cmocka_unit_test(test_CF_9_3_1_3__no_Referred_By_names_another),
		cmocka_unit_test(test_a_trusted_peer_cannot_relay_between_strangers),
		cmocka_unit_test(test_a_challenged_INVITE_by_UDP_is_answered_once),
		cmocka_unit_test(test_RFC_3261_26_3_2_4__strangers_leave_no_transactions),
		cmocka_unit_test(
			test_by_UDP_nothing_answers_a_stranger_that_is_three_times_as_long),
		cmocka_unit_test(test_a_broken_datagram_is_not_answered_at_length_either),
		cmocka_unit_test(test_a_stranger_s_request_is_never_fanned_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
