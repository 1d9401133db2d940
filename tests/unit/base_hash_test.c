#include "base/hash.h"

#include "base/error.h"
#include "base/list.h"
#include "guard_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint64_t no_key[2];

struct entry {
	struct hash_node node;
	unsigned id;
	bool in;
};

#define ENTRY(n) CONTAINER(n, struct entry, node)

static void test_is_siphash_1_3(void **state)
{
	/* Made with another implementation: CPython 3.11's bytes hash under an all-zero key. */
	static const struct {
		const char *text;
		uint64_t value;
	} known[] = {
		{"a", 0x407448d2b89b1813u},
		{"abc", 0xc03bc3a0042630f2u},
		{"12345678", 0x3489982430560a87u},
		{"call-id-1@example.com", 0x2d38e02441ece889u},
	};
	struct hash h;

	(void)state;
	hash_init(&h, 1, no_key);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t n = strlen(known[i].text);

		assert_true(hash_bytes(&h, view_of(guard_copy(known[i].text, n), n)) ==
			    known[i].value);
	}
	(void)hash_bytes(&h, (struct view){NULL, 0});
}

static void test_key_and_seed_matter(void **state)
{
	struct hash a, b;
	uint64_t first;

	(void)state;
	hash_init(&a, 1, no_key);
	hash_init(&b, 1, (const uint64_t[2]){0, 1});
	assert_true(hash_bytes(&a, VIEW("x")) != hash_bytes(&b, VIEW("x")));
	first = hash_bytes(&a, VIEW("ab"));
	assert_true(hash_more(&a, first, VIEW("c")) !=
		    hash_more(&a, hash_bytes(&a, VIEW("a")), VIEW("bc")));
}

static void test_cap(void **state)
{
	struct entry e[4] = {0};
	struct hash h;

	(void)state;
	hash_init(&h, 3, no_key);
	assert_null(hash_first(&h, 1));
	hash_del(&h, &e[0].node);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(hash_add(&h, &e[i].node, i), 0);
	assert_int_equal(hash_add(&h, &e[3].node, 3), E_LIMIT);
	assert_int_equal(h.n, 3);
	hash_del(&h, &e[1].node);
	hash_del(&h, &e[1].node);
	assert_int_equal(h.n, 2);
	assert_int_equal(hash_add(&h, &e[3].node, 3), 0);
	hash_fini(&h);
	assert_null(hash_first(&h, 1));
}

static void test_duplicates_are_all_found(void **state)
{
	struct entry e[3] = {{.id = 1}, {.id = 2}, {.id = 4}};
	struct hash h;
	unsigned seen = 0;

	(void)state;
	hash_init(&h, 10, no_key);
	/* 5 and 21 share a bucket of sixteen. */
	assert_int_equal(hash_add(&h, &e[0].node, 5), 0);
	assert_int_equal(hash_add(&h, &e[1].node, 21), 0);
	assert_int_equal(hash_add(&h, &e[2].node, 5), 0);
	for (struct hash_node *n = hash_first(&h, 5); n; n = hash_next(n, 5))
		seen += ENTRY(n)->id;
	assert_int_equal(seen, 1 + 4);
	hash_fini(&h);
}

static void delete_even(void *ctx, struct hash_node *node)
{
	struct entry *e = ENTRY(node);

	if (e->id % 2 == 0) {
		e->in = false;
		hash_del(ctx, node);
	}
}

static bool found(const struct hash *h, const struct entry *e, uint64_t value)
{
	for (struct hash_node *n = hash_first(h, value); n; n = hash_next(n, value))
		if (ENTRY(n) == e)
			return true;
	return false;
}

/* Few distinct values, so that chains and duplicates are common. */
static uint64_t value_of(unsigned id)
{
	return (uint64_t)(id % 97) * 0x9e3779b97f4a7c15u;
}

static void test_against_a_plain_array(void **state)
{
	enum { N = 500 };
	static struct entry e[N];
	struct hash h;
	size_t n = 0;
	unsigned r = 12345;

	(void)state;
	hash_init(&h, N, no_key);
	for (unsigned i = 0; i < N; i++)
		e[i].id = i;
	for (unsigned step = 0; step < 20000; step++) {
		struct entry *x;

		r = r * 1103515245u + 12345u;
		x = &e[(r >> 8) % N];
		if (x->in) {
			hash_del(&h, &x->node);
			n--;
		} else {
			assert_int_equal(hash_add(&h, &x->node, value_of(x->id)), 0);
			n++;
		}
		x->in = !x->in;
		assert_int_equal(h.n, n);
		assert_int_equal(found(&h, x, value_of(x->id)), x->in);
	}
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(found(&h, &e[i], value_of(i)), e[i].in);
	hash_each(&h, delete_even, &h);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(found(&h, &e[i], value_of(i)), e[i].in);
		if (i % 2 == 0)
			assert_false(e[i].in);
	}
	hash_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_siphash_1_3),
		cmocka_unit_test(test_key_and_seed_matter),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_duplicates_are_all_found),
		cmocka_unit_test(test_against_a_plain_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
