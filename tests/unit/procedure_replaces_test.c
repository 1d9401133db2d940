/* INVITE with Replaces: IC-8.3.1-2, RFC 3891 §3. */
#include "procedure/replaces.h"
#include "procedure_msg.h"

static struct replaces read_of(const char *method, const char *fields)
{
	struct replaces r;
	struct request q;

	request_make(&q, method, fields, "", VIEW(""));
	replaces_read(&q.m, &r);
	return r;
}

#define ONE "Replaces: abc@host;to-tag=t1;from-tag=f1\r\n"

static void test_none(void **state)
{
	struct replaces r = read_of("INVITE", "");

	(void)state;
	assert_false(r.present);
	assert_int_equal(r.status, 0);
	replaces_judge(&r, REPLACES_DIALOG_NONE, false);
	assert_int_equal(r.status, 0);
}

static void test_IC_8_3_1_2__it_names_a_dialog(void **state)
{
	struct replaces r = read_of("INVITE", "Replaces: abc@host ; from-tag=f1;to-tag=t1\r\n");

	(void)state;
	assert_true(r.present);
	assert_int_equal(r.status, 0);
	assert_view(r.named.call_id, "abc@host");
	assert_view(r.named.to_tag, "t1");
	assert_view(r.named.from_tag, "f1");
	assert_false(r.named.early_only);
}

static void test_IC_8_3_1_2__several_are_400(void **state)
{
	static const char *const fields[] = {
		ONE ONE,
		ONE "Replaces: other;to-tag=a;from-tag=b\r\n",
		"Replaces: abc;to-tag=t1;from-tag=f1, def;to-tag=t2;from-tag=f2\r\n",
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct replaces r = read_of("INVITE", fields[i]);

		assert_int_equal(r.status, 400);
		/* The judgement stands, whatever is found. */
		replaces_judge(&r, REPLACES_DIALOG_CONFIRMED, true);
		assert_int_equal(r.status, 400);
	}
}

static void test_IC_8_3_1_2__in_another_method_400(void **state)
{
	static const char *const methods[] = {"REFER", "SUBSCRIBE", "BYE", "MESSAGE", "OPTIONS"};

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(read_of(methods[i], ONE).status, 400);
}

static void test_IC_8_3_1_2__malformed_is_400(void **state)
{
	static const char *const fields[] = {
		"Replaces: \r\n",
		"Replaces: abc\r\n",
		"Replaces: abc;to-tag=t1\r\n",
		"Replaces: abc;from-tag=t1\r\n",
		"Replaces: ;to-tag=t1;from-tag=f1\r\n",
		"Replaces: abc;to-tag=t1;to-tag=t2;from-tag=f1\r\n",
		"Replaces: abc;to-tag=;from-tag=f1\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		assert_int_equal(read_of("INVITE", fields[i]).status, 400);
}

/* RFC 3891 §3: contradictory header fields. */
static void test_IC_8_3_1_2__with_join_400(void **state)
{
	(void)state;
	assert_int_equal(read_of("INVITE", ONE "Join: x;to-tag=1;from-tag=2\r\n").status, 400);
}

static int judge(const char *fields, enum replaces_dialog_state found, bool authorised)
{
	struct replaces r = read_of("INVITE", fields);

	assert_int_equal(r.status, 0);
	replaces_judge(&r, found, authorised);
	return r.status;
}

#define EARLY_ONLY "Replaces: abc@host;to-tag=t1;from-tag=f1;early-only\r\n"

static void test_IC_8_3_1_2__a_confirmed_dialog_is_taken_over(void **state)
{
	(void)state;
	assert_int_equal(judge(ONE, REPLACES_DIALOG_CONFIRMED, true), 0);
}

static void test_IC_8_3_1_2__no_match_481(void **state)
{
	(void)state;
	assert_int_equal(judge(ONE, REPLACES_DIALOG_NONE, true), 481);
	assert_int_equal(judge(ONE, REPLACES_DIALOG_NONE, false), 481);
	assert_int_equal(judge(EARLY_ONLY, REPLACES_DIALOG_NONE, true), 481);
}

static void test_IC_8_3_1_2__already_ended_603(void **state)
{
	(void)state;
	assert_int_equal(judge(ONE, REPLACES_DIALOG_ENDED, true), 603);
	assert_int_equal(judge(EARLY_ONLY, REPLACES_DIALOG_ENDED, true), 603);
}

static void test_IC_8_3_1_2__early_only_on_a_confirmed_dialog_486(void **state)
{
	(void)state;
	assert_int_equal(judge(EARLY_ONLY, REPLACES_DIALOG_CONFIRMED, true), 486);
}

static void test_IC_8_3_1_2__an_early_dialog_of_the_peer_481(void **state)
{
	(void)state;
	assert_int_equal(judge(ONE, REPLACES_DIALOG_EARLY_THEIRS, true), 481);
	assert_int_equal(judge(EARLY_ONLY, REPLACES_DIALOG_EARLY_THEIRS, true), 481);
}

static void test_IC_8_3_1_2__an_early_dialog_of_ours_is_taken_over(void **state)
{
	(void)state;
	assert_int_equal(judge(ONE, REPLACES_DIALOG_EARLY_OURS, true), 0);
	assert_int_equal(judge(EARLY_ONLY, REPLACES_DIALOG_EARLY_OURS, true), 0);
}

static void test_IC_8_3_1_2__not_authorised_is_refused(void **state)
{
	(void)state;
	assert_int_equal(judge(ONE, REPLACES_DIALOG_CONFIRMED, false), 403);
	assert_int_equal(judge(EARLY_ONLY, REPLACES_DIALOG_EARLY_OURS, false), 403);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_IC_8_3_1_2__it_names_a_dialog),
		cmocka_unit_test(test_IC_8_3_1_2__several_are_400),
		cmocka_unit_test(test_IC_8_3_1_2__in_another_method_400),
		cmocka_unit_test(test_IC_8_3_1_2__malformed_is_400),
		cmocka_unit_test(test_IC_8_3_1_2__with_join_400),
		cmocka_unit_test(test_IC_8_3_1_2__a_confirmed_dialog_is_taken_over),
		cmocka_unit_test(test_IC_8_3_1_2__no_match_481),
		cmocka_unit_test(test_IC_8_3_1_2__already_ended_603),
		cmocka_unit_test(test_IC_8_3_1_2__early_only_on_a_confirmed_dialog_486),
		cmocka_unit_test(test_IC_8_3_1_2__an_early_dialog_of_the_peer_481),
		cmocka_unit_test(test_IC_8_3_1_2__an_early_dialog_of_ours_is_taken_over),
		cmocka_unit_test(test_IC_8_3_1_2__not_authorised_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
