#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/error.h"
#include "config/option.h"
#include "guard_page.h"

struct bound {
	char text[OPTION_TEXT_MAX];
	bool flag;
	uint32_t number;
	uint64_t size;
	uint64_t time_ms;
	struct addr ip;
	struct addr addr;
	uint32_t word;
	struct option_strings strings;
	struct option_ips ips;
	uint32_t set;
	struct option_listens listens;
	char guard[8];
};

static const char *const words[] = {"low", "middle", "high", NULL};

#define AT(field) offsetof(struct bound, field)
static const struct option_spec specs[] = {
	{"a.text", OPTION_STRING, AT(text), "hello", 0, 0, NULL, "A text."},
	{"a.flag", OPTION_BOOL, AT(flag), "yes", 0, 0, NULL, "A flag."},
	{"a.number", OPTION_U32, AT(number), "7", 1, 64, NULL, "A number."},
	{"a.size", OPTION_SIZE, AT(size), "2K", 1024, 1048576, NULL, "A size."},
	{"a.time", OPTION_DURATION, AT(time_ms), "20s", 500, 3600000, NULL, "A time."},
	{"b.ip", OPTION_IP, AT(ip), "", 0, 0, NULL, "An IP address."},
	{"b.addr", OPTION_ADDR, AT(addr), "", 0, 0, NULL, "An address."},
	{"b.word", OPTION_ENUM, AT(word), "middle", 0, 0, words, "A word."},
	{"b.strings", OPTION_STRING_LIST, AT(strings), "x, y", 0, 0, NULL, "Texts."},
	{"b.ips", OPTION_IP_LIST, AT(ips), "", 0, 0, NULL, "IP addresses."},
	{"b.set", OPTION_ENUM_SET, AT(set), "low, high", 0, 0, words, "Words."},
	{"c.listens", OPTION_LISTEN_LIST, AT(listens), "udp:127.0.0.1", 0, 0, NULL, "Listeners."},
};
static const struct option_table table = {"prog", "prog.conf", specs,
					  sizeof(specs) / sizeof(*specs)};

static struct bound bound;
static char why[OPTION_WHY_MAX];

/* Parses value, which stands right before an unreadable page. */
static int parse(const char *key, const char *value)
{
	size_t n = strlen(value);

	why[0] = '\0';
	return option_parse(option_find(&table, view_str(key)), view_of(guard_copy(value, n), n),
			    &bound, why);
}

static int setup(void **state)
{
	(void)state;
	return option_defaults(&table, &bound, sizeof(bound));
}

static void test_defaults_fill_every_field(void **state)
{
	(void)state;
	assert_string_equal(bound.text, "hello");
	assert_true(bound.flag);
	assert_int_equal(bound.number, 7);
	assert_int_equal(bound.size, 2048);
	assert_int_equal(bound.time_ms, 20000);
	assert_int_equal(bound.ip.family, 0);
	assert_int_equal(bound.word, 1);
	assert_int_equal(bound.strings.n, 2);
	assert_string_equal(bound.strings.item[1], "y");
	assert_int_equal(bound.set, 5);
	assert_int_equal(bound.listens.n, 1);
	assert_int_equal(bound.listens.item[0].addr.port, 5060);
}

static void test_a_number_keeps_to_its_range(void **state)
{
	(void)state;
	assert_int_equal(parse("a.number", "64"), 0);
	assert_int_equal(bound.number, 64);
	assert_int_equal(parse("a.number", "99"), E_RANGE);
	assert_string_equal(why, "99 is out of range 1..64");
	assert_int_equal(parse("a.number", "0"), E_RANGE);
	assert_int_equal(parse("a.number", "99999999999999999999999"), E_RANGE);
	assert_int_equal(parse("a.number", "4294967297"), E_RANGE);
	assert_int_equal(parse("a.number", "-1"), E_SYNTAX);
	assert_int_equal(parse("a.number", "7x"), E_SYNTAX);
	assert_string_equal(why, "7x is not a number");
	assert_int_equal(parse("a.number", ""), E_SYNTAX);
	assert_int_equal(bound.number, 64);
}

static void test_a_size_has_units_of_1024(void **state)
{
	(void)state;
	assert_int_equal(parse("a.size", "1M"), 0);
	assert_int_equal(bound.size, 1048576);
	assert_int_equal(parse("a.size", "3 k"), 0);
	assert_int_equal(bound.size, 3072);
	assert_int_equal(parse("a.size", "2M"), E_RANGE);
	assert_string_equal(why, "2M is out of range 1K..1M");
	assert_int_equal(parse("a.size", "18446744073709551615G"), E_RANGE);
	assert_int_equal(parse("a.size", "1T"), E_SYNTAX);
	assert_int_equal(bound.size, 3072);
}

static void test_a_time_has_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {{"1500", 1500}, {"500ms", 500}, {"2s", 2000}, {"3 m", 180000}, {"1h", 3600000}};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(parse("a.time", good[i].text), 0);
		assert_int_equal(bound.time_ms, good[i].ms);
	}
	assert_int_equal(parse("a.time", "2h"), E_RANGE);
	assert_string_equal(why, "2h is out of range 500ms..1h");
	assert_int_equal(parse("a.time", "5 days"), E_SYNTAX);
}

static void test_a_flag_has_three_spellings(void **state)
{
	(void)state;
	assert_int_equal(parse("a.flag", "off"), 0);
	assert_false(bound.flag);
	assert_int_equal(parse("a.flag", "TRUE"), 0);
	assert_true(bound.flag);
	assert_int_equal(parse("a.flag", "1"), E_SYNTAX);
	assert_string_equal(why, "1 is neither yes nor no");
	assert_true(bound.flag);
}

static void test_a_text_has_a_cap(void **state)
{
	char text[OPTION_TEXT_MAX + 1];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[OPTION_TEXT_MAX - 1] = '\0';
	assert_int_equal(parse("a.text", text), 0);
	assert_string_equal(bound.text, text);
	text[OPTION_TEXT_MAX - 1] = 'x';
	text[OPTION_TEXT_MAX] = '\0';
	assert_int_equal(parse("a.text", text), E_LIMIT);
	assert_int_equal(strlen(bound.text), OPTION_TEXT_MAX - 1);
	assert_int_equal(parse("a.text", ""), 0);
	assert_string_equal(bound.text, "");
}

static void test_addresses_of_both_families(void **state)
{
	(void)state;
	assert_int_equal(parse("b.ip", "::1"), 0);
	assert_int_equal(bound.ip.family, 6);
	assert_int_equal(parse("b.ip", "127.0.0.1:80"), E_SYNTAX);
	assert_int_equal(parse("b.ip", "localhost"), E_SYNTAX);
	assert_string_equal(why, "localhost is not an IP address");
	assert_int_equal(parse("b.ip", ""), 0);
	assert_int_equal(bound.ip.family, 0);
	assert_int_equal(parse("b.addr", "[2001:db8::1]:5070"), 0);
	assert_int_equal(bound.addr.port, 5070);
	assert_int_equal(parse("b.addr", "192.0.2.1"), 0);
	assert_int_equal(bound.addr.port, 0);
	assert_int_equal(parse("b.addr", "192.0.2.1:70000"), E_SYNTAX);
}

static void test_a_word_is_one_of_the_list(void **state)
{
	(void)state;
	assert_int_equal(parse("b.word", "HIGH"), 0);
	assert_int_equal(bound.word, 2);
	assert_int_equal(parse("b.word", "higher"), E_SYNTAX);
	assert_string_equal(why, "higher is none of low, middle, high");
	assert_int_equal(bound.word, 2);
	assert_int_equal(parse("b.set", "middle"), 0);
	assert_int_equal(bound.set, 2);
	assert_int_equal(parse("b.set", "middle, best"), E_SYNTAX);
	assert_int_equal(bound.set, 2);
}

static void test_lists_are_separated_by_commas(void **state)
{
	(void)state;
	assert_int_equal(parse("b.ips", "192.0.2.1,::1 , 10.0.0.1"), 0);
	assert_int_equal(bound.ips.n, 3);
	assert_int_equal(bound.ips.item[1].family, 6);
	assert_int_equal(parse("b.ips", ""), 0);
	assert_int_equal(bound.ips.n, 0);
	assert_int_equal(parse("b.strings", "a,,b"), E_SYNTAX);
	assert_string_equal(why, "has an empty item between its commas");
	assert_int_equal(parse("b.strings", "a,"), E_SYNTAX);
	assert_int_equal(parse("b.strings", ","), E_SYNTAX);
	assert_int_equal(bound.strings.n, 2);
	assert_int_equal(parse("b.strings", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16"), 0);
	assert_int_equal(bound.strings.n, OPTION_LIST_MAX);
	assert_int_equal(parse("b.strings", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,"), E_SYNTAX);
	assert_int_equal(parse("b.strings", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"), E_LIMIT);
	assert_int_equal(bound.strings.n, OPTION_LIST_MAX);
	assert_memory_equal(bound.guard, "\0\0\0\0\0\0\0\0", 8);
}

static void test_listeners_name_their_transport(void **state)
{
	(void)state;
	assert_int_equal(parse("c.listens", "udp:[::]:5080, TCP:0.0.0.0:0"), 0);
	assert_int_equal(bound.listens.n, 2);
	assert_int_equal(bound.listens.item[0].transport, OPTION_UDP);
	assert_int_equal(bound.listens.item[0].addr.port, 5080);
	assert_int_equal(bound.listens.item[1].transport, OPTION_TCP);
	assert_int_equal(bound.listens.item[1].addr.port, 0);
	assert_int_equal(parse("c.listens", "127.0.0.1:5060"), E_SYNTAX);
	assert_string_equal(why, "127.0.0.1:5060 does not begin with udp:, tcp: or tls:");
	assert_int_equal(parse("c.listens", "udp:"), E_SYNTAX);
}

static void test_a_message_shows_no_control_byte(void **state)
{
	(void)state;
	assert_int_equal(parse("a.flag", "\x1b[2J"), E_SYNTAX);
	assert_string_equal(why, "?[2J is neither yes nor no");
}

static void test_a_misspelt_key_has_a_neighbour(void **state)
{
	(void)state;
	assert_string_equal(option_nearest(&table, VIEW("a.numbr")), "a.number");
	assert_string_equal(option_nearest(&table, VIEW("number")), "a.number");
	assert_string_equal(option_nearest(&table, VIEW("b.strigns")), "b.strings");
	assert_null(option_nearest(&table, VIEW("something.else")));
	assert_null(option_find(&table, VIEW("a.numbr")));
	assert_null(option_find(&table, VIEW("a.numbers")));
}

static void test_help_names_every_key_and_range(void **state)
{
	struct buf out;
	char *text;

	(void)state;
	buf_init(&out, 65536);
	option_help(&table, &out);
	buf_putc(&out, '\0');
	assert_true(buf_ok(&out));
	text = out.p;
	for (size_t i = 0; i < table.n; i++)
		assert_non_null(strstr(text, specs[i].key));
	assert_non_null(strstr(text, "# A number.\n# (number, 1..64)\na.number = 7\n"));
	assert_non_null(strstr(text, "# (time: ms, s, m or h, 500ms..1h)\na.time = 20s\n"));
	assert_non_null(strstr(text, "\n#b.ip =\n"));
	buf_fini(&out);
}

static void test_man_escapes_what_roff_would_take(void **state)
{
	static const struct option_spec tricky[] = {
		{"x.y", OPTION_STRING, 0, "a\\b", 0, 0, NULL, ".hidden - or not"}};
	static const struct option_table small = {"prog", "prog.conf", tricky, 1};
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	option_man(&small, &out);
	buf_putc(&out, '\0');
	assert_true(buf_ok(&out));
	assert_non_null(strstr(out.p, ".TH PROG.CONF 5"));
	assert_non_null(strstr(out.p, "\n\\&.hidden \\- or not\n"));
	assert_non_null(strstr(out.p, "Default: a\\eb."));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults_fill_every_field, setup),
		cmocka_unit_test_setup(test_a_number_keeps_to_its_range, setup),
		cmocka_unit_test_setup(test_a_size_has_units_of_1024, setup),
		cmocka_unit_test_setup(test_a_time_has_units, setup),
		cmocka_unit_test_setup(test_a_flag_has_three_spellings, setup),
		cmocka_unit_test_setup(test_a_text_has_a_cap, setup),
		cmocka_unit_test_setup(test_addresses_of_both_families, setup),
		cmocka_unit_test_setup(test_a_word_is_one_of_the_list, setup),
		cmocka_unit_test_setup(test_lists_are_separated_by_commas, setup),
		cmocka_unit_test_setup(test_listeners_name_their_transport, setup),
		cmocka_unit_test_setup(test_a_message_shows_no_control_byte, setup),
		cmocka_unit_test_setup(test_a_misspelt_key_has_a_neighbour, setup),
		cmocka_unit_test_setup(test_help_names_every_key_and_range, setup),
		cmocka_unit_test_setup(test_man_escapes_what_roff_would_take, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
