#include "io/tls.h"

#include "base/error.h"
#include "io/certificate.h"
#include "io/tcp.h"
#include "io_until.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DAY_S = 24 * 3600, BIG = 3 * 1024 * 1024 };

/* --- certificates in a folder of their own --- */

static char dir[] = "/tmp/confab-tls-XXXXXX";
static struct io_certificate *ca, *other_ca;

static const char *path(const char *name)
{
	static char text[8][128];
	static unsigned turn;
	char *at = text[turn++ % 8];

	(void)snprintf(at, sizeof(text[0]), "%s/%s", dir, name);
	return at;
}

static struct io_certificate *issue(const char *name, const char *alternative, int64_t to_s,
				    const struct io_certificate *by)
{
	struct io_certificate_order order = {.name = name,
					     .alternative = &alternative,
					     .n_alternatives = alternative ? 1 : 0,
					     .from_s = -2 * DAY_S,
					     .to_s = to_s,
					     .ca = !by};
	struct io_certificate *c;

	assert_int_equal(io_certificate_new(&order, by, &c), 0);
	return c;
}

static void issue_to(const char *file, const char *name, const char *alternative, int64_t to_s,
		     const struct io_certificate *by)
{
	struct io_certificate *c = issue(name, alternative, to_s, by);
	char key[64];

	(void)snprintf(key, sizeof(key), "%s.key", file);
	assert_int_equal(io_certificate_save(c, path(file), path(key)), 0);
	io_certificate_free(c);
}

static int make_files(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	ca = issue("Test CA", NULL, DAY_S, NULL);
	other_ca = issue("Other CA", NULL, DAY_S, NULL);
	assert_int_equal(io_certificate_save(ca, path("ca"), path("ca.key")), 0);
	assert_int_equal(io_certificate_save(other_ca, path("other_ca"), path("other_ca.key")), 0);
	issue_to("server", "server", "URI:sip:example.com", DAY_S, ca);
	issue_to("client", "client", "DNS:client.example", DAY_S, ca);
	issue_to("stranger", "stranger", "URI:sip:example.com", DAY_S, other_ca);
	issue_to("expired", "expired", "URI:sip:example.com", -DAY_S, ca);
	return 0;
}

static int remove_files(void **state)
{
	static const char *const files[] = {"ca",     "other_ca", "server",
					    "client", "stranger", "expired"};
	char key[64];

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(key, sizeof(key), "%s.key", files[i]);
		(void)unlink(path(files[i]));
		(void)unlink(path(key));
	}
	io_certificate_free(ca);
	io_certificate_free(other_ca);
	return rmdir(dir);
}

/* --- two ends --- */

struct end {
	struct io_conn *c;
	unsigned n_up, n_closed, n_eof;
	size_t n_bytes;
	int error;
	char why[128], name[64];
	bool in_order, echo, finish_on_eof;
	const char *verdict; /* of identify */
	const char *fingerprint;
	bool matched;
};

struct world {
	struct io_loop loop;
	struct io_tls *server, *client;
	struct io_listener *l;
	struct addr at;
	struct end here, there;
};

static char pattern[BIG];

static void on_connected(void *ctx, struct io_conn *c)
{
	struct end *e = ctx;

	assert_true(io_conn_is_up(c));
	e->n_up++;
}

static void on_data(void *ctx, struct io_conn *c, struct view bytes)
{
	struct end *e = ctx;

	if (e->n_bytes + bytes.n > BIG || memcmp(bytes.p, pattern + e->n_bytes, bytes.n) != 0)
		e->in_order = false;
	e->n_bytes += bytes.n;
	if (e->echo)
		assert_int_equal(io_conn_write(c, bytes), 0);
}

static void on_eof(void *ctx, struct io_conn *c)
{
	struct end *e = ctx;

	e->n_eof++;
	if (e->finish_on_eof)
		io_conn_finish(c, 0);
}

static void on_closed(void *ctx, struct io_conn *c, int error)
{
	struct end *e = ctx;

	e->n_closed++;
	e->error = error;
	assert_int_equal(io_conn_write(c, VIEW("x")), E_CLOSED);
	(void)view_copy(view_str(io_conn_tls_why(c)), e->why, sizeof(e->why));
	e->c = NULL;
}

static const struct io_conn_events events = {
	.connected = on_connected, .data = on_data, .eof = on_eof, .closed = on_closed};

static const char *identify(void *ctx, struct io_conn *c, const struct cert_name *name, size_t n)
{
	struct end *e = ctx;

	for (size_t i = 0; i < n; i++)
		if (name[i].kind == CERT_NAME_URI)
			(void)view_copy(name[i].text, e->name, sizeof(e->name));
	if (e->fingerprint)
		e->matched = io_conn_tls_matches(c, view_str(e->fingerprint));
	return e->verdict;
}

static void on_accept(void *ctx, struct io_listener *l, struct io_conn *c)
{
	struct world *w = ctx;

	(void)l;
	assert_true(io_conn_is_tls(c));
	w->there.c = c;
	w->there.n_up++;
	io_conn_attach(c, &events, &w->there);
}

static struct io_tls *tls_of(const char *file, const char *ca_file, enum io_tls_clients clients)
{
	char key[64];
	char why[IO_TLS_WHY_MAX];
	struct io_tls *t;
	struct io_tls_options o = {.ca = ca_file ? path(ca_file) : NULL, .clients = clients};

	if (file) {
		(void)snprintf(key, sizeof(key), "%s.key", file);
		o.certificate = path(file);
		o.key = path(key);
	}
	assert_int_equal(io_tls_new(&o, &t, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	return t;
}

static void world_init(struct world *w, struct io_tls *server, struct io_tls *client)
{
	struct addr at = io_loopback(4);
	struct io_listener_options options = {.tls = server, .queue_max = 2 * BIG};

	memset(w, 0, sizeof(*w));
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (char)(i % 251);
	w->server = server;
	w->client = client;
	w->here.in_order = w->there.in_order = true;
	w->there.finish_on_eof = true;
	assert_int_equal(io_loop_init(&w->loop, NULL), 0);
	assert_int_equal(io_listener_open(&w->loop, &at, &options, on_accept, w, &w->l), 0);
	io_listener_local(w->l, &w->at);
}

static void dial(struct world *w, bool any)
{
	struct io_conn_options options = {.tls = w->client,
					  .tls_name = "example.com",
					  .tls_any = any,
					  .queue_max = 2 * BIG,
					  .identify = identify};

	assert_int_equal(io_conn_connect(&w->loop, &w->at, &options, &events, &w->here, &w->here.c),
			 0);
}

static void world_fini(struct world *w)
{
	io_loop_fini(&w->loop);
	io_tls_free(w->server);
	io_tls_free(w->client);
}

static void test_SW_4__bytes_both_ways_and_an_end_in_order(void **state)
{
	struct world w;
	uint8_t hash[IO_TLS_SHA256];

	(void)state;
	world_init(&w, tls_of("server", "ca", IO_TLS_CLIENTS_ASK), tls_of("client", "ca", 0));
	w.there.echo = true;
	dial(&w, false);
	/* Before it is up, too. */
	assert_int_equal(io_conn_write(w.here.c, view_of(pattern, 1000)), 0);
	UNTIL(&w.loop, w.here.n_up && w.there.n_up);
	assert_string_equal(w.here.name, "sip:example.com");
	assert_true(io_conn_tls_sha256(w.there.c, hash));
	assert_int_equal(io_conn_write(w.here.c, view_of(pattern + 1000, BIG - 1000)), 0);
	UNTIL(&w.loop, w.here.n_bytes == BIG);
	assert_true(w.here.in_order && w.there.in_order);
	assert_int_equal(io_conn_pending(w.here.c), 0);
	io_conn_finish(w.here.c, 0);
	UNTIL(&w.loop, w.here.n_closed && w.there.n_closed);
	assert_int_equal(w.here.error, 0);
	assert_int_equal(w.there.error, 0);
	assert_int_equal(w.there.n_eof, 1);
	assert_string_equal(w.here.why, "");
	world_fini(&w);
}

static void test_SW_4__output_in_pieces_counts_what_was_taken(void **state)
{
	struct world w;
	size_t sent = 0, taken;

	(void)state;
	world_init(&w, tls_of("server", "ca", IO_TLS_CLIENTS_IGNORE), tls_of(NULL, "ca", 0));
	dial(&w, false);
	UNTIL(&w.loop, w.there.n_up && w.here.n_up);
	while (sent < BIG) {
		size_t a = (BIG - sent) / 3, b = BIG - sent - a;
		struct view v[3] = {view_of(pattern + sent, a), VIEW(""),
				    view_of(pattern + sent + a, b)};

		assert_int_equal(io_conn_try_writev(w.here.c, v, 3, &taken), 0);
		assert_true(taken <= a + b);
		sent += taken;
		if (!taken)
			(void)io_turn(&w.loop, true);
	}
	/* What was taken gets there without the owner doing anything more. */
	UNTIL(&w.loop, w.there.n_bytes == BIG);
	assert_true(w.there.in_order);
	world_fini(&w);
}

/* The connecting side finds fault. */
static void refused_here(struct io_tls *server, struct io_tls *client, const char *verdict,
			 const char *why)
{
	struct world w;

	world_init(&w, server, client);
	w.here.verdict = verdict;
	dial(&w, false);
	assert_int_equal(io_conn_write(w.here.c, VIEW("secret")), 0);
	UNTIL(&w.loop, w.here.n_closed);
	assert_int_equal(w.here.n_up, 0);
	assert_int_equal(w.here.error, E_DENIED);
	if (!strstr(w.here.why, why))
		fail_msg("\"%s\" says nothing of \"%s\"", w.here.why, why);
	UNTIL(&w.loop, io_listener_conns(w.l) == 0);
	assert_int_equal(w.there.n_bytes, 0);
	world_fini(&w);
}

static void test_SW_4__a_peer_who_cannot_be_believed_is_refused(void **state)
{
	(void)state;
	refused_here(tls_of("stranger", "ca", 0), tls_of(NULL, "ca", 0), NULL,
		     "unable to get local issuer");
	refused_here(tls_of("expired", "ca", 0), tls_of(NULL, "ca", 0), NULL, "expired");
	refused_here(tls_of("server", "ca", 0), tls_of(NULL, "ca", 0), "it is somebody else",
		     "somebody else");
}

/* The accepting side finds fault. */
static void refused_there(const char *certificate, const char *why)
{
	struct world w;

	world_init(&w, tls_of("server", "ca", IO_TLS_CLIENTS_REQUIRE),
		   tls_of(certificate, "ca", 0));
	dial(&w, false);
	UNTIL(&w.loop, w.here.n_closed);
	assert_int_equal(w.there.n_up, 0);
	if (!strstr(w.here.why, why))
		fail_msg("\"%s\" says nothing of \"%s\"", w.here.why, why);
	world_fini(&w);
}

static void test_SW_4__clients_without_a_good_certificate_are_refused(void **state)
{
	struct world w;

	(void)state;
	refused_there(NULL, "certificate required");
	refused_there("stranger", "unknown ca");
	refused_there("expired", "certificate expired");
	world_init(&w, tls_of("server", "ca", IO_TLS_CLIENTS_REQUIRE), tls_of("client", "ca", 0));
	dial(&w, false);
	UNTIL(&w.loop, w.here.n_up && w.there.n_up);
	world_fini(&w);
}

static void test_SW_4__self_signed_peers_know_each_other_by_fingerprint(void **state)
{
	struct io_tls_options one = {.self_name = "ann", .clients = IO_TLS_CLIENTS_ANY};
	struct io_tls_options two = {.self_name = "bo"};
	char ann[IO_TLS_FINGERPRINT_MAX], bo[IO_TLS_FINGERPRINT_MAX], lower[sizeof(ann)];
	struct io_tls *server, *client;
	struct world w;

	(void)state;
	assert_int_equal(io_tls_new(&one, &server, NULL, 0), 0);
	assert_int_equal(io_tls_new(&two, &client, NULL, 0), 0);
	assert_true(io_tls_not_after(server) > (int64_t)(io_wall_ms() / 1000));
	io_tls_fingerprint(server, ann);
	io_tls_fingerprint(client, bo);
	assert_int_equal(strlen(ann), strlen("SHA-256 ") + 32 * 3 - 1);
	world_init(&w, server, client);
	w.here.fingerprint = ann;
	dial(&w, true);
	UNTIL(&w.loop, w.here.n_up && w.there.n_up);
	assert_true(w.here.matched);
	assert_true(io_conn_tls_matches(w.there.c, view_str(bo)));
	assert_false(io_conn_tls_matches(w.there.c, view_str(ann)));
	for (size_t i = 0; i <= strlen(bo); i++)
		lower[i] = (char)(bo[i] >= 'A' && bo[i] <= 'Z' ? bo[i] | 0x20 : bo[i]);
	assert_true(io_conn_tls_matches(w.there.c, view_str(lower)));
	assert_false(io_conn_tls_matches(w.there.c, view_first(view_str(bo), strlen(bo) - 1)));
	assert_false(io_conn_tls_matches(w.there.c, VIEW("MD5 00:11")));
	assert_false(io_conn_tls_matches(w.there.c, VIEW("")));
	world_fini(&w);
}

static void test_SW_4__a_reload_is_for_new_connections(void **state)
{
	char before[IO_TLS_FINGERPRINT_MAX], after[IO_TLS_FINGERPRINT_MAX], why[IO_TLS_WHY_MAX];
	struct world w;
	FILE *f;

	(void)state;
	issue_to("server", "server", "URI:sip:example.com", DAY_S, ca);
	world_init(&w, tls_of("server", "ca", 0), tls_of(NULL, "ca", 0));
	io_tls_fingerprint(w.server, before);
	dial(&w, false);
	UNTIL(&w.loop, w.here.n_up && w.there.n_up);
	assert_true(io_conn_tls_matches(w.here.c, view_str(before)));
	issue_to("server", "server", "URI:sip:example.com", DAY_S, ca);
	assert_int_equal(io_tls_reload(w.server, why, sizeof(why)), 0);
	io_tls_fingerprint(w.server, after);
	assert_string_not_equal(before, after);
	/* The old one goes on. */
	w.there.echo = true;
	assert_int_equal(io_conn_write(w.here.c, view_of(pattern, 10)), 0);
	UNTIL(&w.loop, w.here.n_bytes == 10);
	io_conn_close(w.here.c);
	UNTIL(&w.loop, w.here.n_closed && w.there.n_closed);
	dial(&w, false);
	UNTIL(&w.loop, w.here.n_up == 2);
	assert_true(io_conn_tls_matches(w.here.c, view_str(after)));
	/* A broken file changes nothing. */
	f = fopen(path("server"), "w");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(io_tls_reload(w.server, why, sizeof(why)), E_SYNTAX);
	assert_non_null(strstr(why, "no certificate"));
	io_tls_fingerprint(w.server, before);
	assert_string_equal(before, after);
	world_fini(&w);
	issue_to("server", "server", "URI:sip:example.com", DAY_S, ca);
}

static void test_files_that_are_wrong_are_named(void **state)
{
	struct io_tls_options o = {.certificate = path("nowhere")};
	char why[IO_TLS_WHY_MAX];
	struct io_tls *t;
	struct stat st;

	(void)state;
	assert_int_equal(io_tls_new(&o, &t, why, sizeof(why)), E_NOTFOUND);
	assert_non_null(strstr(why, "nowhere"));
	o = (struct io_tls_options){.certificate = path("server"), .key = path("client.key")};
	assert_int_equal(io_tls_new(&o, &t, why, sizeof(why)), E_SYNTAX);
	assert_non_null(strstr(why, "client.key"));
	o = (struct io_tls_options){.ca = path("server.key")};
	assert_int_equal(io_tls_new(&o, &t, why, sizeof(why)), E_SYNTAX);
	assert_int_equal(stat(path("server.key"), &st), 0);
	assert_int_equal(st.st_mode & 0077, 0);
}

static void on_plain_accept(void *ctx, struct io_listener *l, struct io_conn *c)
{
	struct world *w = ctx;

	(void)l;
	w->there.c = c;
	io_conn_attach(c, &events, &w->there);
}

static void test_one_side_without_tls_comes_to_an_end(void **state)
{
	struct io_listener *plain;
	struct addr at = io_loopback(4);
	struct world w;

	(void)state;
	world_init(&w, tls_of("server", "ca", 0), tls_of(NULL, "ca", 0));
	assert_int_equal(io_conn_connect(&w.loop, &w.at, NULL, &events, &w.here, &w.here.c), 0);
	assert_int_equal(io_conn_write(w.here.c, VIEW("OPTIONS sip:a SIP/2.0\r\n\r\n")), 0);
	UNTIL(&w.loop, w.here.n_eof);
	assert_int_equal(w.there.n_up, 0);
	io_conn_close(w.here.c);
	UNTIL(&w.loop, w.here.n_closed && io_listener_conns(w.l) == 0);
	/* Words instead of a ServerHello. */
	assert_int_equal(io_listener_open(&w.loop, &at, NULL, on_plain_accept, &w, &plain), 0);
	io_listener_local(plain, &w.at);
	memset(&w.here, 0, sizeof(w.here));
	dial(&w, false);
	UNTIL(&w.loop, w.there.n_bytes > 0);
	assert_int_equal(io_conn_write(w.there.c, VIEW("SIP/2.0 400 What\r\n\r\n")), 0);
	UNTIL(&w.loop, w.here.n_closed);
	assert_int_equal(w.here.error, E_DENIED);
	assert_int_equal(w.here.n_up, 0);
	world_fini(&w);
}

static void count_failure(void *ctx, enum log_level level, const char *room, const char *text)
{
	size_t *n = ctx;

	(void)level;
	(void)room;
	*n += strncmp(text, "TLS with ", 9) == 0;
}

/* What is no TLS at all, over and over. The clock is the machine's. */
static void test_a_flood_of_broken_handshakes_fills_no_log(void **state)
{
	enum { FLOOD = 100 };
	size_t told = 0;
	struct log log = {LOG_WARN, count_failure, &told};
	struct world w;
	uint64_t began;

	(void)state;
	world_init(&w, tls_of("server", "ca", 0), tls_of(NULL, "ca", 0));
	io_loop_set_log(&w.loop, &log);
	began = io_now_fresh_ms(&w.loop);
	for (int i = 0; i < FLOOD; i++) {
		memset(&w.here, 0, sizeof(w.here));
		assert_int_equal(io_conn_connect(&w.loop, &w.at, NULL, &events, &w.here, &w.here.c),
				 0);
		assert_int_equal(io_conn_write(w.here.c, VIEW("OPTIONS sip:a SIP/2.0\r\n\r\n")), 0);
		UNTIL(&w.loop, w.here.n_eof);
		io_conn_close(w.here.c);
		UNTIL(&w.loop, w.here.n_closed && io_listener_conns(w.l) == 0);
	}
	assert_in_range(told, 1,
			LOG_QUOTA_LINES * (1 + (io_now_fresh_ms(&w.loop) - began) / LOG_QUOTA_MS));
	io_loop_set_log(&w.loop, NULL);
	world_fini(&w);
}

/* Half-open: one who says nothing, and one who says a handshake bit by bit, are let go in time; who
 * got through stays. */
static void test_SW_4__a_handshake_that_does_not_end_is_ended(void **state)
{
	enum { HANDSHAKE_MS = 300 };
	struct addr at = io_loopback(4);
	struct io_listener_options options = {.handshake_ms = HANDSHAKE_MS};
	struct io_listener *l;
	struct end silent = {0}, slow = {0};
	struct world w;
	uint64_t began;

	(void)state;
	world_init(&w, tls_of("server", "ca", 0), tls_of(NULL, "ca", 0));
	options.tls = w.server;
	assert_int_equal(io_listener_open(&w.loop, &at, &options, on_accept, &w, &l), 0);
	io_listener_local(l, &w.at);
	dial(&w, false);
	UNTIL(&w.loop, w.there.n_up && w.here.n_up);
	began = io_now_fresh_ms(&w.loop);
	assert_int_equal(io_conn_connect(&w.loop, &w.at, NULL, &events, &silent, &silent.c), 0);
	assert_int_equal(io_conn_connect(&w.loop, &w.at, NULL, &events, &slow, &slow.c), 0);
	/* The beginning of a ClientHello of 16 kB, and then a byte at every turn. */
	assert_int_equal(
		io_conn_write(slow.c, VIEW("\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03")), 0);
	UNTIL(&w.loop, (slow.n_eof || slow.n_closed || io_conn_write(slow.c, VIEW("x")) != 0) &&
			       (silent.n_eof || silent.n_closed));
	assert_in_range(io_now_fresh_ms(&w.loop) - began, HANDSHAKE_MS - 1, IO_UNTIL_MS);
	UNTIL(&w.loop, io_listener_conns(l) == 1);
	assert_int_equal(w.there.n_up, 1);
	assert_int_equal(w.here.n_closed, 0);
	assert_int_equal(io_conn_write(w.here.c, view_of(pattern, 10)), 0);
	UNTIL(&w.loop, w.there.n_bytes == 10);
	world_fini(&w);
}

static size_t open_bytes;

/* What OpenSSL holds for connections that are open and idle. */
static void *count_alloc(size_t n, const char *file, int line)
{
	size_t *p = malloc(n + 16);

	(void)file;
	(void)line;
	if (!p)
		return NULL;
	*p = n;
	open_bytes += n;
	return (char *)p + 16;
}

static void count_free(void *at, const char *file, int line)
{
	size_t *p = at ? (void *)((char *)at - 16) : NULL;

	(void)file;
	(void)line;
	if (p)
		open_bytes -= *p;
	free(p);
}

static void *count_realloc(void *at, size_t n, const char *file, int line)
{
	size_t had = at ? *(size_t *)(void *)((char *)at - 16) : 0;
	void *to;

	if (at && !n) {
		count_free(at, file, line);
		return NULL;
	}
	to = count_alloc(n, file, line);
	if (to && at) {
		memcpy(to, at, had < n ? had : n);
		count_free(at, file, line);
	}
	return to;
}

int CRYPTO_set_mem_functions(void *(*m)(size_t, const char *, int),
			     void *(*r)(void *, size_t, const char *, int),
			     void (*f)(void *, const char *, int));

static void test_SW_4__an_idle_session_costs_less_than_16_kB(void **state)
{
	struct world w;
	size_t before;

	(void)state;
	world_init(&w, tls_of("server", "ca", IO_TLS_CLIENTS_ASK), tls_of(NULL, "ca", 0));
	w.there.echo = true;
	/* The first one fills OpenSSL's own tables. */
	dial(&w, false);
	UNTIL(&w.loop, w.here.n_up && w.there.n_up);
	io_conn_close(w.here.c);
	UNTIL(&w.loop, w.here.n_closed && w.there.n_closed);
	before = open_bytes;
	dial(&w, false);
	UNTIL(&w.loop, w.here.n_up == 2 && w.there.n_up == 2);
	assert_int_equal(io_conn_write(w.here.c, view_of(pattern, 5000)), 0);
	UNTIL(&w.loop, w.here.n_bytes == 5000);
	/* The other end, which is in this process too, does not count. */
	w.there.finish_on_eof = false;
	io_conn_close(w.here.c);
	UNTIL(&w.loop, w.here.n_closed == 2 && w.there.n_eof == 2);
	assert_non_null(w.there.c);
	if (open_bytes - before > 16 * 1024)
		fail_msg("%zu bytes", open_bytes - before);
	print_message("%zu bytes\n", open_bytes - before);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_SW_4__bytes_both_ways_and_an_end_in_order),
		cmocka_unit_test(test_SW_4__output_in_pieces_counts_what_was_taken),
		cmocka_unit_test(test_SW_4__a_peer_who_cannot_be_believed_is_refused),
		cmocka_unit_test(test_SW_4__clients_without_a_good_certificate_are_refused),
		cmocka_unit_test(test_SW_4__self_signed_peers_know_each_other_by_fingerprint),
		cmocka_unit_test(test_SW_4__a_reload_is_for_new_connections),
		cmocka_unit_test(test_files_that_are_wrong_are_named),
		cmocka_unit_test(test_SW_4__a_handshake_that_does_not_end_is_ended),
		cmocka_unit_test(test_one_side_without_tls_comes_to_an_end),
		cmocka_unit_test(test_a_flood_of_broken_handshakes_fills_no_log),
		cmocka_unit_test(test_SW_4__an_idle_session_costs_less_than_16_kB),
	};

	(void)CRYPTO_set_mem_functions(count_alloc, count_realloc, count_free);
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
