/* Seats for MSRP over TLS: which connections they trust. */
#include "switch_world.h"

#define CY   "sip:cy@example.com"
#define CONF "sip:conf@example.com"

static struct world w;
static uint8_t hash[32], other[32];
static char fingerprint[128];

static int setup(void **state)
{
	struct switch_config cfg = world_config();
	int n;

	(void)state;
	assert_int_equal(addr_parse(VIEW("198.51.100.7"), 2955, &cfg.advertise_tls), 0);
	world_init(&w, 2, &cfg);
	n = snprintf(fingerprint, sizeof(fingerprint), "sha-256 ");
	for (int i = 0; i < 32; i++) {
		hash[i] = (uint8_t)(i * 9);
		other[i] = (uint8_t)(i * 9 + (i == 31));
		n += snprintf(fingerprint + n, sizeof(fingerprint) - (size_t)n, "%s%02X",
			      i ? ":" : "", hash[i]);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static const char *open_seat(unsigned shard, switch_conference_id conf, bool tls)
{
	struct switch_seat_config sc = {.seat = 3, .uri = VIEW(CY), .tls = tls};
	size_t before = w.n_ready;

	switch_seats_open(w.shard[shard].s, 1, conf, VIEW(CONF), &sc, 1, w.now);
	assert_int_equal(w.open_error, 0);
	assert_int_equal(w.n_ready, before + 1);
	return w.ready[before].path;
}

static void answer(unsigned shard, const char *path, const char *print, bool connect)
{
	struct switch_seat_answer a = {
		.remote_path = view_str(path),
		.accept_types = VIEW("message/cpim"),
		.fingerprint = view_str(print),
		.connect = connect,
	};

	switch_seat_answer(w.shard[shard].s, 3, &a, w.now);
}

/* A phone that comes to shard 0 and says that the seat is its own. What it is answered. */
static int comes(const char *path, bool tls, const uint8_t *sha256)
{
	struct phone *p = phone_connect(&w, 0);

	if (tls)
		switch_conn_secured(p->conn, sha256);
	strcpy(p->local, "msrps://192.0.2.77:1234/cy;tcp");
	strcpy(p->path[0], path);
	phone_bind(p, 0);
	world_run(&w);
	return phone_status(p);
}

static void test_SW_4__the_path_of_a_tls_seat(void **state)
{
	(void)state;
	assert_memory_equal(open_seat(0, 7, true), "msrps://198.51.100.7:2955/", 26);
	switch_conference_close(w.shard[0].s, 7, w.now);
	assert_memory_equal(open_seat(0, 7, false), "msrp://198.51.100.7:2855/", 25);
}

static void test_SW_4__only_the_certificate_of_the_answer_binds(void **state)
{
	const char *path = open_seat(0, 7, true);

	(void)state;
	answer(0, "msrps://192.0.2.77:1234/cy;tcp", fingerprint, false);
	assert_int_equal(comes(path, false, NULL), 403);
	assert_int_equal(comes(path, true, NULL), 403);
	assert_int_equal(comes(path, true, other), 403);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_BOUND, 3), 0);
	assert_int_equal(comes(path, true, hash), 200);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_BOUND, 3), 1);
}

static void test_SW_4__a_phone_without_a_certificate_shows_the_session_id(void **state)
{
	const char *path = open_seat(0, 7, true);

	(void)state;
	answer(0, "msrps://192.0.2.77:1234/cy;tcp", "", false);
	assert_int_equal(comes(path, false, NULL), 403);
	assert_int_equal(comes(path, true, NULL), 200);
}

static void test_SW_4__a_plain_seat_is_not_for_tls(void **state)
{
	(void)state;
	assert_int_equal(comes(open_seat(0, 7, false), true, hash), 403);
}

static void test_SW_4__who_was_faster_than_his_answer_must_be_whom_it_names(void **state)
{
	const char *path = open_seat(0, 7, true);

	(void)state;
	assert_int_equal(comes(path, true, other), 200);
	answer(0, "msrps://192.0.2.77:1234/cy;tcp", fingerprint, false);
	assert_int_equal(comes(path, true, hash), 200);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_BOUND, 3), 2);
}

static void test_SW_4__another_thread_knows_the_certificate_too(void **state)
{
	const char *path = open_seat(1, 8, true);

	(void)state;
	answer(1, "msrps://192.0.2.77:1234/cy;tcp", fingerprint, false);
	assert_int_equal(comes(path, true, other), 403);
	assert_int_equal(comes(path, false, NULL), 403);
	assert_int_equal(comes(path, true, hash), 200);
}

/* We connect; sha256: what the peer shows. */
static void goes(const char *print, const uint8_t *sha256, bool good)
{
	struct phone *p;

	(void)open_seat(0, 7, true);
	answer(0, "msrps://192.0.2.77:1234/cy;tcp", print, true);
	p = w.phone[w.n_phones - 1];
	assert_true(p->dialed);
	switch_conn_secured(p->conn, sha256);
	switch_conn_up(p->conn, w.now);
	world_run(&w);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_BOUND, 3), good);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 3), !good);
}

static void test_SW_4__connecting_to_the_right_certificate(void **state)
{
	(void)state;
	goes(fingerprint, hash, true);
}

static void test_SW_4__connecting_to_another_certificate(void **state)
{
	(void)state;
	goes(fingerprint, other, false);
}

static void test_SW_4__without_a_fingerprint_a_ca_has_to_know_him(void **state)
{
	(void)state;
	world_certified = NULL;
	goes("", hash, false);
}

static void test_SW_4__without_a_fingerprint_his_host_is_named(void **state)
{
	(void)state;
	world_certified = "192.0.2.77";
	goes("", hash, true);
	world_certified = NULL;
}

static void test_SW_4__a_certificate_of_another_host(void **state)
{
	(void)state;
	world_certified = "192.0.2.78";
	goes("", hash, false);
	world_certified = NULL;
}

static void test_SW_4__a_fingerprint_counts_more_than_a_ca(void **state)
{
	(void)state;
	world_certified = "192.0.2.77";
	goes(fingerprint, other, false);
	world_certified = NULL;
}

static void test_SW_4__a_fingerprint_that_cannot_be_read_loses_the_seat(void **state)
{
	(void)state;
	(void)open_seat(0, 7, true);
	answer(0, "msrps://192.0.2.77:1234/cy;tcp", "SHA-256 00:11", false);
	assert_int_equal(world_events(&w, SWITCH_EV_SEAT_LOST, 3), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_SW_4__the_path_of_a_tls_seat),
		TEST(test_SW_4__only_the_certificate_of_the_answer_binds),
		TEST(test_SW_4__a_phone_without_a_certificate_shows_the_session_id),
		TEST(test_SW_4__a_plain_seat_is_not_for_tls),
		TEST(test_SW_4__who_was_faster_than_his_answer_must_be_whom_it_names),
		TEST(test_SW_4__another_thread_knows_the_certificate_too),
		TEST(test_SW_4__connecting_to_the_right_certificate),
		TEST(test_SW_4__connecting_to_another_certificate),
		TEST(test_SW_4__without_a_fingerprint_a_ca_has_to_know_him),
		TEST(test_SW_4__without_a_fingerprint_his_host_is_named),
		TEST(test_SW_4__a_certificate_of_another_host),
		TEST(test_SW_4__a_fingerprint_counts_more_than_a_ca),
		TEST(test_SW_4__a_fingerprint_that_cannot_be_read_loses_the_seat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
