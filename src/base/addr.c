#include "base/addr.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <stdio.h>

/* As inet_pton has it: four numbers to 255, none with a zero in front. */
static bool parse_ipv4(struct view v, uint8_t *ip)
{
	size_t at = 0;

	for (int i = 0; i < 4; i++) {
		unsigned x = 0;
		size_t from = at;

		while (at < v.n && v.p[at] >= '0' && v.p[at] <= '9' && at - from < 3)
			x = x * 10 + (unsigned)(v.p[at++] - '0');
		if (at == from || x > 255 || (at - from > 1 && v.p[from] == '0'))
			return false;
		ip[i] = (uint8_t)x;
		if (i < 3 && (at == v.n || v.p[at++] != '.'))
			return false;
	}
	return at == v.n;
}

/* RFC 5118 §4.10: by the ABNF of RFC 3261 a third colon stands before an IPv4 address. */
static void drop_third_colon(char *text)
{
	char *at = strstr(text, ":::");

	if (at && strchr(at, '.'))
		memmove(at, at + 1, strlen(at));
}

int addr_parse(struct view host, uint16_t port, struct addr *out)
{
	char text[INET6_ADDRSTRLEN];
	struct addr a = {.port = port};

	if (parse_ipv4(host, a.ip)) {
		a.family = 4;
		*out = a;
		return 0;
	}
	/* A name, as most hosts are. */
	if (view_find(host, ':', 0) == host.n)
		return E_SYNTAX;
	memset(a.ip, 0, sizeof(a.ip));

	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
		host = view_of(host.p + 1, host.n - 2);
		if (view_find(host, ':', 0) == host.n)
			return E_SYNTAX;
	}
	if (host.n == 0 || !view_copy(host, text, sizeof(text)) || strlen(text) != host.n)
		return E_SYNTAX;
	drop_third_colon(text);
	if (inet_pton(AF_INET6, text, a.ip) != 1)
		return E_SYNTAX;
	a.family = 6;
	*out = a;
	return 0;
}

int addr_parse_hostport(struct view text, uint16_t default_port, struct addr *out)
{
	uint32_t port = default_port;
	struct view host = text;
	size_t colon;

	if (text.n && text.p[0] == '[') {
		size_t end = view_find(text, ']', 0);

		if (end == text.n)
			return E_SYNTAX;
		host = view_first(text, end + 1);
		text = view_from(text, end + 1);
		if (text.n && (text.p[0] != ':' || view_to_u32(view_from(text, 1), &port)))
			return E_SYNTAX;
	} else {
		colon = view_find(text, ':', 0);
		/* Two colons: a bare IPv6 address. */
		if (colon < text.n && view_find(text, ':', colon + 1) == text.n) {
			host = view_first(text, colon);
			if (view_to_u32(view_from(text, colon + 1), &port))
				return E_SYNTAX;
		}
	}
	if (port > 65535)
		return E_RANGE;
	return addr_parse(host, (uint16_t)port, out);
}

static char *put_number(char *dst, unsigned x)
{
	char digits[10];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + x % 10);
	while (x /= 10);
	while (n)
		*dst++ = digits[--n];
	*dst = '\0';
	return dst;
}

const char *addr_host(const struct addr *a, char *dst)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (a->family == 4) {
		char *at = dst;

		for (int i = 0; i < 4; i++) {
			at = put_number(at, a->ip[i]);
			if (i < 3)
				*at++ = '.';
		}
	} else if (a->family == 6) {
		(void)inet_ntop(AF_INET6, a->ip, text, sizeof(text));
		(void)snprintf(dst, ADDR_TEXT_MAX, "[%s]", text);
	} else {
		(void)snprintf(dst, ADDR_TEXT_MAX, "unknown");
	}
	return dst;
}

const char *addr_text(const struct addr *a, char *dst)
{
	size_t n;

	addr_host(a, dst);
	n = strlen(dst);
	dst[n] = ':';
	put_number(dst + n + 1, a->port);
	return dst;
}

bool addr_same_host(const struct addr *a, const struct addr *b)
{
	return a->family == b->family &&
	       memcmp(a->ip, b->ip, a->family == 4 ? 4 : sizeof(a->ip)) == 0;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_same_host(a, b);
}

bool addr_is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return a->family && memcmp(a->ip, zero, a->family == 4 ? 4 : sizeof(zero)) == 0;
}

bool addr_is_unicast(const struct addr *a)
{
	if (a->family == 4)
		return a->ip[0] != 0 && a->ip[0] < 224;
	return a->family == 6 && a->ip[0] != 0xff && !addr_is_any(a);
}

struct view addr_source(const struct addr *a)
{
	return view_of((const char *)a->ip, a->family == 4 ? 4 : 8);
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = {[15] = 1};

	return a->family == 4 ? a->ip[0] == 127 : a->family == 6 && memcmp(a->ip, one, 16) == 0;
}
