#include "config/option.h"

#include "base/error.h"

#include <stdio.h>

enum { SIP_PORT = 5060, SIPS_PORT = 5061, NEAR_ENOUGH = 3 };

/* Field access by memcpy: the bound struct is known here by offset alone. */
static void field_set(const struct option_spec *spec, void *bound, const void *value, size_t n)
{
	memcpy((char *)bound + spec->offset, value, n);
}

/* A value as it is shown in a message: cut where it is long, and without control bytes. */
static const char *shown(struct view value, char *dst, size_t size)
{
	size_t n = 0;

	for (; n < value.n && n + 1 < size; n++)
		dst[n] = (unsigned char)value.p[n] < 0x20 || value.p[n] == 0x7f ? '?' : value.p[n];
	dst[n] = '\0';
	return dst;
}

enum { SHOWN_MAX = 64 };

static int refuse(char *why, int code, struct view value, const char *what)
{
	char text[SHOWN_MAX];

	(void)snprintf(why, OPTION_WHY_MAX, "%s %s", shown(value, text, sizeof(text)), what);
	return code;
}

static int parse_string(const struct option_spec *spec, struct view value, void *bound, char *why)
{
	char text[OPTION_TEXT_MAX] = "";

	if (!view_copy(value, text, sizeof(text))) {
		(void)snprintf(why, OPTION_WHY_MAX, "is longer than %d bytes", OPTION_TEXT_MAX - 1);
		return E_LIMIT;
	}
	field_set(spec, bound, text, sizeof(text));
	return 0;
}

static int parse_bool(const struct option_spec *spec, struct view value, void *bound, char *why)
{
	static const char *const yes[] = {"yes", "true", "on"}, *const no[] = {"no", "false",
									       "off"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
		bool is_yes = view_eq_nocase(value, view_str(yes[i]));

		if (is_yes || view_eq_nocase(value, view_str(no[i]))) {
			field_set(spec, bound, &is_yes, sizeof(is_yes));
			return 0;
		}
	}
	return refuse(why, E_SYNTAX, value, "is neither yes nor no");
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit size_units[] = {
	{"", 1}, {"K", 1u << 10}, {"M", 1u << 20}, {"G", 1u << 30}, {NULL, 0}};
static const struct unit time_units[] = {{"", 1},      {"ms", 1},      {"s", 1000},
					 {"m", 60000}, {"h", 3600000}, {NULL, 0}};

static const struct unit *units_of(enum option_type type)
{
	if (type == OPTION_SIZE)
		return size_units;
	return type == OPTION_DURATION ? time_units : no_units;
}

void option_put_amount(struct buf *out, enum option_type type, uint64_t x)
{
	const struct unit *best = units_of(type);

	for (const struct unit *u = best + 1; u->name; u++)
		if (x == 0 ? u->factor == 1 : x % u->factor == 0)
			best = u;
	buf_put_u64(out, x / best->factor);
	buf_puts(out, best->name);
}

static const char *number_text(enum option_type type, uint64_t x, char *dst, size_t size)
{
	struct buf b;

	buf_init(&b, size - 1);
	option_put_amount(&b, type, x);
	(void)view_copy(buf_ok(&b) ? buf_view(&b) : VIEW("?"), dst, size);
	buf_fini(&b);
	return dst;
}

static int number_with_unit(struct view value, const struct unit *units, uint64_t *out)
{
	size_t digits = 0;
	uint64_t x;
	int rc;

	while (digits < value.n && value.p[digits] >= '0' && value.p[digits] <= '9')
		digits++;
	rc = view_to_u64(view_first(value, digits), &x);
	if (rc)
		return rc;
	for (; units->name; units++) {
		if (!view_eq_nocase(view_trim(view_from(value, digits)), view_str(units->name)))
			continue;
		if (x > UINT64_MAX / units->factor)
			return E_RANGE;
		*out = x * units->factor;
		return 0;
	}
	return E_SYNTAX;
}

static int parse_number(const struct option_spec *spec, struct view value, void *bound, char *why)
{
	static const char *const wanted[] = {
		[OPTION_U32] = "is not a number",
		[OPTION_SIZE] = "is not a size (a number, then nothing, K, M or G)",
		[OPTION_DURATION] = "is not a time (a number, then ms, s, m or h)",
	};
	char text[SHOWN_MAX], low[24], high[24];
	uint64_t x = 0;
	uint32_t x32;
	int rc = number_with_unit(value, units_of(spec->type), &x);

	if (rc == E_SYNTAX)
		return refuse(why, rc, value, wanted[spec->type]);
	if (rc || x < spec->min || x > spec->max) {
		(void)snprintf(why, OPTION_WHY_MAX, "%s is out of range %s..%s",
			       shown(value, text, sizeof(text)),
			       number_text(spec->type, spec->min, low, sizeof(low)),
			       number_text(spec->type, spec->max, high, sizeof(high)));
		return E_RANGE;
	}
	x32 = (uint32_t)x;
	if (spec->type == OPTION_U32)
		field_set(spec, bound, &x32, sizeof(x32));
	else
		field_set(spec, bound, &x, sizeof(x));
	return 0;
}

static int parse_ip(struct view value, struct addr *out, char *why)
{
	if (addr_parse(value, 0, out))
		return refuse(why, E_SYNTAX, value, "is not an IP address");
	return 0;
}

static int parse_addr(struct view value, uint16_t port, struct addr *out, char *why)
{
	if (addr_parse_hostport(value, port, out))
		return refuse(why, E_SYNTAX, value, "is not an IP address with an optional port");
	return 0;
}

/* The index of the word, or -1 and why, which lists them all. */
static int word_index(const struct option_spec *spec, struct view value, char *why)
{
	char text[SHOWN_MAX];
	size_t n;

	for (int i = 0; spec->words[i]; i++)
		if (view_eq_nocase(value, view_str(spec->words[i])))
			return i;
	n = (size_t)snprintf(why, OPTION_WHY_MAX, "%s is none of",
			     shown(value, text, sizeof(text)));
	for (int i = 0; spec->words[i] && n < OPTION_WHY_MAX; i++)
		n += (size_t)snprintf(why + n, OPTION_WHY_MAX - n, "%s %s", i ? "," : "",
				      spec->words[i]);
	return -1;
}

static int parse_listen(struct view value, struct option_listen *out, char *why)
{
	struct view rest = value, transport = view_cut(&rest, ':');

	if (view_eq_nocase(transport, VIEW("udp")))
		out->transport = OPTION_UDP;
	else if (view_eq_nocase(transport, VIEW("tcp")))
		out->transport = OPTION_TCP;
	else if (view_eq_nocase(transport, VIEW("tls")))
		out->transport = OPTION_TLS;
	else
		return refuse(why, E_SYNTAX, value, "does not begin with udp:, tcp: or tls:");
	return parse_addr(rest, out->transport == OPTION_TLS ? SIPS_PORT : SIP_PORT, &out->addr,
			  why);
}

/* Room for the items of any list type while it is being read. */
union list {
	struct option_strings strings;
	struct option_ips ips;
	struct option_listens listens;
	uint32_t set;
};

static int parse_item(const struct option_spec *spec, struct view item, size_t i, union list *list,
		      char *why)
{
	int word;

	if (item.n == 0) {
		(void)snprintf(why, OPTION_WHY_MAX, "has an empty item between its commas");
		return E_SYNTAX;
	}
	switch (spec->type) {
	case OPTION_STRING_LIST:
		list->strings.n = i + 1;
		if (!view_copy(item, list->strings.item[i], OPTION_TEXT_MAX))
			return refuse(why, E_LIMIT, item, "is too long");
		return 0;
	case OPTION_IP_LIST:
		list->ips.n = i + 1;
		return parse_ip(item, &list->ips.item[i], why);
	case OPTION_LISTEN_LIST:
		list->listens.n = i + 1;
		return parse_listen(item, &list->listens.item[i], why);
	default:
		word = word_index(spec, item, why);
		if (word < 0)
			return E_SYNTAX;
		list->set |= 1u << word;
		return 0;
	}
}

static size_t list_size(enum option_type type)
{
	switch (type) {
	case OPTION_STRING_LIST:
		return sizeof(struct option_strings);
	case OPTION_IP_LIST:
		return sizeof(struct option_ips);
	case OPTION_LISTEN_LIST:
		return sizeof(struct option_listens);
	default:
		return sizeof(uint32_t);
	}
}

static int parse_list(const struct option_spec *spec, struct view value, void *bound, char *why)
{
	union list list;
	size_t i = 0;
	int rc = 0;

	memset(&list, 0, sizeof(list));
	while (value.n && rc == 0) {
		size_t comma = view_find(value, ',', 0);
		bool last = comma == value.n;

		if (i == OPTION_LIST_MAX) {
			(void)snprintf(why, OPTION_WHY_MAX, "has more than %d items",
				       OPTION_LIST_MAX);
			return E_LIMIT;
		}
		rc = parse_item(spec, view_trim(view_first(value, comma)), i++, &list, why);
		if (!last && comma + 1 == value.n && rc == 0)
			rc = parse_item(spec, VIEW(""), i, &list, why);
		value = view_from(value, comma + 1);
	}
	if (rc == 0)
		field_set(spec, bound, &list, list_size(spec->type));
	return rc;
}

int option_parse(const struct option_spec *spec, struct view value, void *bound, char *why)
{
	struct addr addr = {0};
	uint32_t index;
	int rc;

	switch (spec->type) {
	case OPTION_STRING:
		return parse_string(spec, value, bound, why);
	case OPTION_BOOL:
		return parse_bool(spec, value, bound, why);
	case OPTION_U32:
	case OPTION_SIZE:
	case OPTION_DURATION:
		return parse_number(spec, value, bound, why);
	case OPTION_IP:
	case OPTION_ADDR:
		if (value.n == 0)
			rc = 0;
		else
			rc = spec->type == OPTION_IP ? parse_ip(value, &addr, why)
						     : parse_addr(value, 0, &addr, why);
		if (rc == 0)
			field_set(spec, bound, &addr, sizeof(addr));
		return rc;
	case OPTION_ENUM:
		rc = word_index(spec, value, why);
		if (rc < 0)
			return E_SYNTAX;
		index = (uint32_t)rc;
		field_set(spec, bound, &index, sizeof(index));
		return 0;
	case OPTION_STRING_LIST:
	case OPTION_IP_LIST:
	case OPTION_ENUM_SET:
	case OPTION_LISTEN_LIST:
		return parse_list(spec, value, bound, why);
	}
	return E_INTERNAL;
}

int option_defaults(const struct option_table *table, void *bound, size_t size)
{
	char why[OPTION_WHY_MAX];

	memset(bound, 0, size);
	for (size_t i = 0; i < table->n; i++) {
		const struct option_spec *spec = &table->specs[i];

		if (spec->preset[0] && option_parse(spec, view_str(spec->preset), bound, why))
			return E_INTERNAL;
	}
	return 0;
}

const struct option_spec *option_find(const struct option_table *table, struct view key)
{
	for (size_t i = 0; i < table->n; i++)
		if (view_eq(key, view_str(table->specs[i].key)))
			return &table->specs[i];
	return NULL;
}

/* Edit distance by insertion, removal and exchange of one byte; two rows of the classic table. */
static size_t distance(struct view a, struct view b)
{
	size_t row[SHOWN_MAX + 1];

	if (a.n > SHOWN_MAX || b.n > SHOWN_MAX)
		return SHOWN_MAX;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t above = row[j], best = diagonal + (a.p[i - 1] != b.p[j - 1]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[b.n];
}

const char *option_nearest(const struct option_table *table, struct view key)
{
	const char *nearest = NULL;
	size_t least = NEAR_ENOUGH + 1;

	for (size_t i = 0; i < table->n; i++) {
		struct view name = view_str(table->specs[i].key), rest = name;
		size_t d = distance(key, name);

		/* "threads" for "msrp.threads". */
		(void)view_cut(&rest, '.');
		if (view_eq(key, rest))
			d = 1;
		if (d < least) {
			least = d;
			nearest = table->specs[i].key;
		}
	}
	return nearest;
}
