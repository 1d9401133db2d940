/* What strangers can have the server write into its log: of each kind so many lines a second. */
#include "base/log_quota.h"
#include "server_world.h"

enum { FLOOD = 60 };
#define EVE "192.0.2.66:5060"

static struct {
	char text[64 * (LOG_QUOTA_LINES + 2)][256];
	size_t n;
} lines;

static void note(void *ctx, enum log_level level, const char *room, const char *text)
{
	(void)ctx;
	(void)level;
	assert_true(lines.n < sizeof(lines.text) / sizeof(lines.text[0]));
	snprintf(lines.text[lines.n++], sizeof(lines.text[0]), "%s: %s", room, text);
}

static struct world *logging_world(void)
{
	struct world *w = world_new();

	lines.n = 0;
	w->log = (struct log){.level = LOG_INFO, .write = note};
	world_start(w);
	return w;
}

static size_t logged(const char *part)
{
	size_t n = 0;

	for (size_t i = 0; i < lines.n; i++)
		n += strstr(lines.text[i], part) != NULL;
	return n;
}

/* One of them in another second says how many of the flood were not written. */
static void assert_held(const char *one_line, const char *rest)
{
	assert_int_equal(logged(one_line), LOG_QUOTA_LINES + 1);
	if (logged(rest) != 1)
		fail_msg("%zu lines, the last: %s", lines.n, lines.text[lines.n - 1]);
}

static void test_a_flood_of_broken_messages_fills_no_log(void **state)
{
	struct world *w = logging_world();
	struct phone eve = phone_at(w, "eve", EVE);

	(void)state;
	for (int i = 0; i < FLOOD; i++)
		phone_send(&eve, "hello, are you there?");
	assert_int_equal(logged("sip: broken message from 192.0.2.66:5060: 400"), LOG_QUOTA_LINES);
	world_run(w, LOG_QUOTA_MS);
	phone_send(&eve, "hello, are you there?");
	assert_held(
		"sip: broken message from",
		textf(w, "sip: %d more broken messages were not logged", FLOOD - LOG_QUOTA_LINES));
	world_end(w);
}

/* What was not said yet is said at the end. */
static void test_the_end_tells_of_the_rest(void **state)
{
	struct world *w = logging_world();
	struct phone eve = phone_at(w, "eve", EVE);

	(void)state;
	for (int i = 0; i < FLOOD; i++)
		phone_send(&eve, "hello, are you there?");
	assert_int_equal(logged("more broken messages"), 0);
	world_end(w);
	assert_int_equal(logged("more broken messages"), 1);
}

/* A stream each. */
static void break_streams(struct world *w, int n)
{
	for (int i = 0; i < n; i++) {
		struct phone eve = phone_tcp(w, "eve", EVE);

		phone_send(&eve, "MESSAGE sip:x@example.com SIP/2.0\r\nContent-Length: x\r\n\r\n");
		assert_null(w->link[eve.link].conn);
		w->n_links--;
	}
}

static void test_a_flood_of_broken_streams_fills_no_log(void **state)
{
	struct world *w = logging_world();

	(void)state;
	break_streams(w, FLOOD);
	assert_int_equal(logged("sip: a stream that cannot be framed"), LOG_QUOTA_LINES);
	world_run(w, LOG_QUOTA_MS);
	break_streams(w, 1);
	assert_held("sip: a stream that cannot be framed",
		    textf(w, "sip: %d more connections that were closed were not logged",
			  FLOOD - LOG_QUOTA_LINES));
	world_end(w);
}

static void test_a_flood_of_ACKs_fills_no_log(void **state)
{
	struct world *w = logging_world();
	struct phone eve = phone_at(w, "eve", EVE);

	(void)state;
	for (int i = 0; i < FLOOD; i++)
		phone_send(&eve, phone_request(&eve, "ACK", "sip:bo@192.0.2.12:5060",
					       "<sip:bo@example.com>;tag=x", 2, ""));
	assert_int_equal(logged("core: an ACK of a stranger: dropped"), LOG_QUOTA_LINES);
	world_run(w, LOG_QUOTA_MS);
	phone_send(&eve, phone_request(&eve, "ACK", "sip:bo@192.0.2.12:5060",
				       "<sip:bo@example.com>;tag=x", 2, ""));
	assert_held("core: an ACK of a stranger: dropped",
		    textf(w, "core: %d more ACKs that were dropped were not logged",
			  FLOOD - LOG_QUOTA_LINES));
	world_end(w);
}

/* The same challenge answered for one user after the other. */
static void guess(struct phone *p, const char *challenge, const char *user)
{
	struct world *w = p->w;
	const char *to = textf(w, "<sip:%s@example.com>", user), *at = "sip:example.com";
	unsigned serial = ++w->serial;

	phone_send(p, crlf(w, textf(w,
				    "REGISTER %s SIP/2.0\n"
				    "Via: SIP/2.0/UDP %s;rport;branch=z9hG4bK-g%u\n"
				    "From: %s;tag=g\nTo: %s\nCall-ID: g%u\nCSeq: 1 REGISTER\n"
				    "%sContent-Length: 0\n\n",
				    at, p->host, serial, to, to, serial,
				    credentials(p, challenge, user, "guess", "REGISTER", at))));
}

static void test_a_flood_of_guesses_fills_no_log(void **state)
{
	struct world *w = logging_world();
	struct phone eve = phone_at(w, "ann", EVE);
	const char *challenge;

	(void)state;
	phone_send(&eve, phone_request(&eve, "REGISTER", "sip:example.com", "<sip:ann@example.com>",
				       1, ""));
	challenge = phone_next(&eve);
	for (int i = 0; i < FLOOD; i++) {
		guess(&eve, challenge, textf(w, "user%d", i));
		/* The world remembers all that was sent. */
		w->n_sent = 0;
	}
	assert_int_equal(logged("core: wrong password for "), LOG_QUOTA_LINES);
	world_run(w, LOG_QUOTA_MS);
	guess(&eve, challenge, "ann");
	assert_held(
		"core: wrong password for ",
		textf(w, "core: %d more wrong passwords were not logged", FLOOD - LOG_QUOTA_LINES));
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_flood_of_broken_messages_fills_no_log),
		cmocka_unit_test(test_the_end_tells_of_the_rest),
		cmocka_unit_test(test_a_flood_of_broken_streams_fills_no_log),
		cmocka_unit_test(test_a_flood_of_ACKs_fills_no_log),
		cmocka_unit_test(test_a_flood_of_guesses_fills_no_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
