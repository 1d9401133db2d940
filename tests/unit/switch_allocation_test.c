/* Once a conference is warm, a message and its answers take no memory from the heap. */
#include "switch_world.h"

#define ANN  "sip:ann@example.com"
#define CONF "sip:conf@example.com"

enum { RECEIVERS = 5, WARM = 200, COUNTED = 500 };

/* A sanitizer's heap makes each life twenty times as long. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LIVES = 500 };
#else
enum { LIVES = 10000 };
#endif

static size_t allocations, frees;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* Of the sanitizers' run-time library, whose header is not always there. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *p, size_t n),
					      void (*on_free)(const volatile void *p));

static void on_malloc(const volatile void *p, size_t n)
{
	(void)p;
	(void)n;
	allocations++;
}

static void on_free(const volatile void *p)
{
	frees += p != NULL;
}

static void count_from_here(void)
{
	(void)__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}
#else
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

void *malloc(size_t n)
{
	allocations++;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	allocations++;
	frees += p != NULL;
	return __libc_realloc(p, n);
}

void free(void *p)
{
	frees += p != NULL;
	__libc_free(p);
}

static void count_from_here(void)
{
}
#endif

static struct world w;
static struct phone *ann, *bo, *receiver[RECEIVERS];

/* All that the switch has for a phone, ended with a NUL; the world's own phones use the heap. */
static const char *taken(struct phone *p)
{
	static char bytes[8192];
	struct view piece[64];
	size_t pieces, n = 0;

	while ((pieces = switch_conn_output(p->conn, piece, 64)) > 0) {
		size_t from = n;

		for (size_t i = 0; i < pieces; i++) {
			assert_true(n + piece[i].n < sizeof(bytes));
			memcpy(bytes + n, piece[i].p, piece[i].n);
			n += piece[i].n;
		}
		switch_conn_consumed(p->conn, n - from, w.now);
	}
	bytes[n] = '\0';
	p->woken = false;
	return bytes;
}

static void answer(struct phone *p, const char *send)
{
	char text[1024];
	int tid = (int)strcspn(send + 5, " ");
	int n = snprintf(text, sizeof(text),
			 "MSRP %.*s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%.*s$\r\n",
			 tid, send + 5, p->path[0], p->local, tid, send + 5);

	switch_conn_recv(p->conn, view_of(text, (size_t)n), w.now);
}

static void one_message(int number)
{
	static const char body[] =
		"From: <" ANN ">\r\nTo: <" CONF ">\r\n\r\nContent-Type: text/plain\r\n\r\nhi";
	char text[1024];
	int n = snprintf(text, sizeof(text),
			 "MSRP t%08d SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: m%08d\r\n"
			 "Byte-Range: 1-%zu/%zu\r\nContent-Type: "
			 "message/cpim\r\n\r\n%s\r\n-------t%08d$\r\n",
			 number, ann->path[0], ann->local, number, sizeof(body) - 1,
			 sizeof(body) - 1, body, number);

	switch_conn_recv(ann->conn, view_of(text, (size_t)n), w.now);
	assert_non_null(strstr(taken(ann), " 200 OK"));
	for (int i = 0; i < RECEIVERS; i++) {
		const char *got = taken(receiver[i]);

		assert_non_null(strstr(got, " SEND\r\n"));
		answer(receiver[i], got);
	}
}

static void test_SW_1__a_message_to_many_allocates_nothing(void **state)
{
	struct switch_config cfg = world_config();

	(void)state;
	world_init(&w, 1, &cfg);
	ann = phone_join(&w, 0, 7, 1, ANN);
	for (int i = 0; i < RECEIVERS; i++) {
		char uri[64];

		(void)snprintf(uri, sizeof(uri), "sip:bo%d@example.com", i);
		receiver[i] = phone_join(&w, 0, 7, (uint64_t)i + 2, uri);
	}
	world_run(&w);
	count_from_here();
	for (int i = 0; i < WARM; i++)
		one_message(i);
	/* The count counts. */
	assert_true(allocations > 0);
	allocations = 0;
	for (int i = 0; i < COUNTED; i++)
		one_message(WARM + i);
	assert_int_equal(allocations, 0);
	world_fini(&w);
}

/* One conference from its first seat to its end, as its members live it. */
static void a_life(switch_conference_id conf)
{
	struct phone *p[3];

	w.n_events = w.n_ready = 0;
	for (switch_seat_id i = 0; i < 3; i++) {
		char uri[64];

		snprintf(uri, sizeof(uri), "sip:u%d@example.com", (int)i);
		p[i] = phone_join(&w, 0, conf, conf * 4 + i, uri);
	}
	phone_say(p[0], "m1", "sip:u0@example.com", CONF, "hello");
	world_run(&w);
	assert_int_equal(phone_sends(p[1]), 1);
	assert_int_equal(phone_sends(p[2]), 1);
	if (conf % 3 == 0)
		phone_cut(p[1]);
	if (conf % 2)
		switch_seat_close(w.shard[0].s, conf * 4, true, w.now);
	switch_conference_close(w.shard[0].s, conf, w.now);
	world_run(&w);
	world_advance(&w, 50);
	for (int i = 0; i < 3; i++)
		assert_null(p[i]->conn);
	world_forget_phones(&w);
}

static void test_SW_1__ten_thousand_conferences_leave_nothing(void **state)
{
	enum { BEFORE = 200 };
	struct switch_config cfg = world_config();
	struct switch_counts counts;
	size_t kept = 0, timers = 0;

	(void)state;
	world_init(&w, 1, &cfg);
	count_from_here();
	for (int i = 1; i <= LIVES; i++) {
		a_life((switch_conference_id)i);
		if (i == BEFORE) {
			kept = allocations - frees;
			timers = w.shard[0].timers.n;
		}
	}
	assert_int_equal(allocations - frees, kept);
	assert_int_equal(w.shard[0].timers.n, timers);
	switch_shard_counts(w.shard[0].s, &counts);
	assert_int_equal(counts.conns + counts.conferences + counts.seats, 0);
	world_fini(&w);
}

static struct phone *come(int seat)
{
	struct phone *p = phone_connect(&w, 0);

	strcpy(p->path[0], w.ready[seat].path);
	seat_answer(&w, 0, (uint64_t)seat + 1, p->local);
	phone_bind(p, 0);
	return p;
}

/* From Ann to Bo, and his report back. */
static void one_relayed(int number)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
			 "MSRP t%08d SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: m%08d\r\n"
			 "Success-Report: yes\r\nByte-Range: 1-5/5\r\nContent-Type: "
			 "text/plain\r\n\r\nhello\r\n"
			 "-------t%08d$\r\n",
			 number, ann->path[0], ann->local, number, number);
	const char *got;

	switch_conn_recv(ann->conn, view_of(text, (size_t)n), w.now);
	assert_non_null(strstr(taken(ann), " 200 OK"));
	got = taken(bo);
	assert_non_null(strstr(got, "\r\nhello\r\n"));
	answer(bo, got);
	n = snprintf(text, sizeof(text),
		     "MSRP r%08d REPORT\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: m%08d\r\n"
		     "Byte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n-------r%08d$\r\n",
		     number, bo->path[0], bo->local, number, number);
	switch_conn_recv(bo->conn, view_of(text, (size_t)n), w.now);
	assert_non_null(strstr(taken(ann), "Status: 000 200 OK"));
}

static void test_PF_9_1_2_2__a_relayed_message_allocates_nothing(void **state)
{
	struct switch_seat_config seat[2] = {{.seat = 1, .uri = VIEW(""), .display = VIEW("")},
					     {.seat = 2, .uri = VIEW(""), .display = VIEW("")}};
	struct switch_config cfg = world_config();

	(void)state;
	world_init(&w, 1, &cfg);
	switch_relay_open(w.shard[0].s, 1, 7, seat, w.now);
	assert_int_equal(w.n_ready, 2);
	ann = come(0);
	bo = come(1);
	world_run(&w);
	count_from_here();
	allocations = 0;
	for (int i = 0; i < WARM; i++)
		one_relayed(i);
	assert_true(allocations > 0);
	allocations = 0;
	for (int i = 0; i < COUNTED; i++)
		one_relayed(WARM + i);
	assert_int_equal(allocations, 0);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_SW_1__a_message_to_many_allocates_nothing),
		cmocka_unit_test(test_SW_1__ten_thousand_conferences_leave_nothing),
		cmocka_unit_test(test_PF_9_1_2_2__a_relayed_message_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
