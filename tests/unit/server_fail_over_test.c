/* RFC 3263 §4.3 at the proxy: a request whose server is not there goes on to the next one. */
#include "server_world.h"

#define FAR    "sip:dan@far.example"
#define FIRST  "192.0.2.61:5060"
#define SECOND "192.0.2.62:5060"
#define THIRD  "192.0.2.63:5060"

struct far {
	struct world *w;
	struct phone ann, server[3];
};

/* Ann, and a domain of three servers over UDP. */
static struct far far_new(void)
{
	static const char *const at[] = {FIRST, SECOND, THIRD};
	struct far f = {.w = open_world()};

	f.ann = phone_at(f.w, "ann", AT_ANN);
	phone_registers(&f.ann, IM_CONTACT);
	for (int i = 0; i < 3; i++) {
		f.server[i] = phone_at(f.w, "dan", at[i]);
		f.w->places[i] = (struct sip_flow){.transport = SIP_UDP, .remote = address(at[i])};
	}
	f.w->n_places = 3;
	return f;
}

static char *ann_sends(struct far *f, const char *method)
{
	char *request = phone_request(&f->ann, method, FAR, "<" FAR ">", 1, IM_ACCEPT);

	phone_send(&f->ann, request);
	return request;
}

/* The next INVITE or other request that came to that server, repetitions passed by; NULL. */
static char *came(struct far *f, int i)
{
	char *text = phone_next(&f->server[i]);

	while (text && strncmp(text, "ACK ", 4) == 0)
		text = phone_next(&f->server[i]);
	return text;
}

static void test_a_503_is_left_behind(void **state)
{
	struct far f = far_new();
	char *first, *second;

	(void)state;
	ann_sends(&f, "INVITE");
	first = came(&f, 0);
	assert_non_null(first);
	assert_null(came(&f, 1));
	phone_answers(&f.server[0], first, 503, "");
	assert_true(strncmp(phone_next(&f.server[0]), "ACK ", 4) == 0);
	second = came(&f, 1);
	assert_non_null(second);
	/* The same request in a new transaction. */
	assert_string_equal(start_line(f.w, first), start_line(f.w, second));
	assert_string_equal(header(f.w, first, "CSeq"), header(f.w, second, "CSeq"));
	assert_string_equal(header(f.w, first, "P-Asserted-Identity"),
			    header(f.w, second, "P-Asserted-Identity"));
	assert_string_not_equal(via_branch_of(f.w, first), via_branch_of(f.w, second));
	phone_answers(&f.server[1], second, 200, "Contact: <sip:dan@" SECOND ">\n");
	assert_int_equal(phone_status(&f.ann), 200);
	assert_int_equal(phone_status(&f.ann), 0);
	assert_null(came(&f, 2));
	world_end(f.w);
}

static void test_one_that_says_nothing_is_left_behind(void **state)
{
	struct far f = far_new();

	(void)state;
	ann_sends(&f, "INVITE");
	world_run(f.w, 31900);
	assert_null(came(&f, 1));
	world_run(f.w, 200);
	phone_answers(&f.server[1], came(&f, 1), 486, "");
	assert_int_equal(phone_status(&f.ann), 486);
	world_end(f.w);
}

/* The transport may be another one, and Record-Route says so. */
static void test_a_connection_that_is_refused_is_left_behind(void **state)
{
	struct far f = far_new();
	char *got;

	(void)state;
	f.w->places[0] = (struct sip_flow){.transport = SIP_TCP, .remote = address("192.0.2.61:9")};
	ann_sends(&f, "MESSAGE");
	world_run(f.w, 1);
	got = came(&f, 1);
	assert_non_null(got);
	phone_answers(&f.server[1], got, 200, "");
	assert_int_equal(phone_status(&f.ann), 200);
	f.w->places[1] = f.w->places[0];
	ann_sends(&f, "INVITE");
	world_run(f.w, 1);
	got = came(&f, 2);
	assert_non_null(got);
	assert_null(strstr(header(f.w, got, "Record-Route"), "transport=tcp"));
	world_end(f.w);
}

static void test_when_all_have_failed_the_caller_is_told(void **state)
{
	struct far f = far_new();

	(void)state;
	ann_sends(&f, "INVITE");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(phone_status(&f.ann), 0);
		phone_answers(&f.server[i], came(&f, i), 503, "");
	}
	/* §16.7: a 503 speaks of that server. */
	assert_int_equal(phone_status(&f.ann), 500);
	world_end(f.w);
}

static void test_who_has_rung_is_not_left(void **state)
{
	struct far f = far_new();
	char *got;

	(void)state;
	ann_sends(&f, "INVITE");
	got = came(&f, 0);
	phone_answers(&f.server[0], got, 180, "");
	phone_answers(&f.server[0], got, 503, "");
	assert_int_equal(phone_status(&f.ann), 180);
	assert_int_equal(phone_status(&f.ann), 500);
	assert_null(came(&f, 1));
	world_end(f.w);
}

static void test_what_was_cancelled_goes_nowhere_else(void **state)
{
	struct far f = far_new();
	char *invite = ann_sends(&f, "INVITE"), *got = came(&f, 0);

	(void)state;
	phone_send(&f.ann,
		   crlf(f.w, textf(f.w,
				   "CANCEL " FAR " SIP/2.0\nVia: SIP/2.0/UDP %s;%s\n"
				   "From: <sip:ann@example.com>;tag=ann-tag\nTo: <" FAR ">\n"
				   "Call-ID: call-of-ann\nCSeq: 1 CANCEL\nContent-Length: 0\n\n",
				   f.ann.host, via_branch_of(f.w, invite))));
	phone_answers(&f.server[0], got, 503, "");
	assert_null(came(&f, 1));
	world_end(f.w);
}

/* The one who asked has gone: nothing is left of it, and nothing more is sent. */
static void test_nothing_is_leaked_when_the_server_ends(void **state)
{
	struct far f = far_new();

	(void)state;
	ann_sends(&f, "INVITE");
	phone_answers(&f.server[0], came(&f, 0), 503, "");
	assert_non_null(came(&f, 1));
	world_end(f.w);
}

/* Whom TLS will prove gets what is the trust domain's; another of its servers, without, does not.
 */
static void test_R_3__a_trusted_name_by_tls_alone(void **state)
{
	static const struct view name = VIEW("far.example");
	struct world *w = world_new();
	struct phone peer, plain;
	struct addr trusted = address("192.0.2.50:5060");
	char *text = NULL;

	(void)state;
	w->cfg.auth_required = false;
	w->cfg.trusted = &trusted;
	w->cfg.n_trusted = 1;
	w->cfg.trusted_names = &name;
	w->cfg.n_trusted_names = 1;
	world_start(w);
	w->places[0] = (struct sip_flow){.transport = SIP_TLS, .remote = address(FIRST)};
	w->places[1] = (struct sip_flow){.transport = SIP_UDP, .remote = address(SECOND)};
	w->n_places = 2;
	peer = phone_at(w, "ann", "192.0.2.50:5060");
	plain = phone_at(w, "dan", SECOND);
	phone_send(&peer, phone_request(&peer, "MESSAGE", FAR, "<" FAR ">", 1,
					"P-Asserted-Identity: <sip:ann@example.com>\n"
					"P-Charging-Vector: icid-value=1\n"));
	for (size_t i = 0; i < w->n_sent; i++)
		if (w->sent[i].link)
			text = w->sent[i].text;
	assert_string_equal(header(w, text, "P-Charging-Vector"), "icid-value=1");
	/* The connection is there, and nothing was proven on it. */
	phone_send(&peer, phone_request(&peer, "MESSAGE", FAR, "<" FAR ">", 2,
					"P-Asserted-Identity: <sip:ann@example.com>\n"
					"P-Charging-Vector: icid-value=2\n"));
	assert_int_equal(w->sent[w->n_sent - 1].link, 1);
	assert_string_equal(header(w, w->sent[w->n_sent - 1].text, "P-Charging-Vector"), "");
	sip_conn_set_named(w->link[1].conn);
	phone_send(&peer, phone_request(&peer, "MESSAGE", FAR, "<" FAR ">", 3,
					"P-Asserted-Identity: <sip:ann@example.com>\n"
					"P-Charging-Vector: icid-value=3\n"));
	assert_string_equal(header(w, w->sent[w->n_sent - 1].text, "P-Charging-Vector"),
			    "icid-value=3");
	sip_conn_down(w->link[1].conn, w->now);
	world_run(w, 60000);
	text = phone_next(&plain);
	assert_non_null(text);
	assert_string_equal(header(w, text, "P-Charging-Vector"), "");
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_503_is_left_behind),
		cmocka_unit_test(test_one_that_says_nothing_is_left_behind),
		cmocka_unit_test(test_a_connection_that_is_refused_is_left_behind),
		cmocka_unit_test(test_when_all_have_failed_the_caller_is_told),
		cmocka_unit_test(test_who_has_rung_is_not_left),
		cmocka_unit_test(test_what_was_cancelled_goes_nowhere_else),
		cmocka_unit_test(test_nothing_is_leaked_when_the_server_ends),
		cmocka_unit_test(test_R_3__a_trusted_name_by_tls_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
