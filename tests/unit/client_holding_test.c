/* client/holding.c: what is held back has a cap, and is shown in its order whatever happens. */
#include "client_world.h"

#include "client/state.h"

static struct conversation *moving(struct desk *d)
{
	struct conversation *v = conversation_new(d->client, VIEW("sip:bo@example.com"));

	assert_non_null(v);
	return v;
}

static bool add(struct desk *d, struct conversation *v, unsigned number, struct view data)
{
	const char *id = desk_textf(d, "%u", number);
	struct incoming in = {.from = VIEW("sip:bo@example.com"),
			      .display = VIEW("Bo"),
			      .id = view_str(id),
			      .type = VIEW("text/plain"),
			      .data = data,
			      .to_all = true};

	if (holding_add(v, &in, d->now))
		return true;
	conversation_show(v, &in);
	return false;
}

static size_t shown(const struct desk *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_events; i++)
		n += d->event[i].type == CONFAB_MESSAGE;
	return n;
}

static void end(struct desk *d, struct conversation *v)
{
	conversation_end(v, 0, "", d->now);
	desk_free(d);
}

static void test_move_3__held_back_for_so_long(void **state)
{
	struct desk *d = desk_new();
	struct conversation *v = moving(d);

	(void)state;
	assert_true(add(d, v, 1, VIEW("one")));
	assert_true(add(d, v, 2, VIEW("two")));
	desk_run(d, 4900);
	assert_int_equal(shown(d), 0);
	desk_run(d, 200);
	assert_int_equal(shown(d), 2);
	end(d, v);
}

static void test_move_3__so_many_are_held_back(void **state)
{
	struct desk *d = desk_new();
	struct conversation *v = moving(d);

	(void)state;
	for (unsigned i = 0; i < 1024; i++)
		assert_true(add(d, v, i, VIEW("x")));
	assert_int_equal(shown(d), 0);
	/* One more: rather early than not at all. */
	assert_false(add(d, v, 1024, VIEW("x")));
	assert_int_equal(shown(d), 1025);
	assert_int_equal(v->n_held, 0);
	assert_true(add(d, v, 1025, VIEW("x")));
	end(d, v);
}

static void test_move_3__so_many_bytes_are_held_back(void **state)
{
	struct desk *d = desk_new();
	struct conversation *v = moving(d);
	size_t half = 8 * 1024 * 1024;
	char *text = calloc(1, half + 1);

	(void)state;
	assert_non_null(text);
	assert_true(add(d, v, 1, view_of(text, half)));
	assert_true(add(d, v, 2, view_of(text, half)));
	assert_int_equal(shown(d), 0);
	assert_false(add(d, v, 3, VIEW("x")));
	assert_int_equal(shown(d), 3);
	assert_true(add(d, v, 4, view_of(text, half)));
	assert_false(add(d, v, 5, view_of(text, half + 1)));
	assert_int_equal(shown(d), 5);
	free(text);
	end(d, v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_move_3__held_back_for_so_long),
		cmocka_unit_test(test_move_3__so_many_are_held_back),
		cmocka_unit_test(test_move_3__so_many_bytes_are_held_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
