#include "base/view.h"

#include "base/error.h"

#include <stdlib.h>

static inline unsigned char fold(char c)
{
	unsigned char u = (unsigned char)c;
	return (u >= 'A' && u <= 'Z') ? (unsigned char)(u | 0x20) : u;
}

bool view_eq_nocase(struct view a, struct view b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (fold(a.p[i]) != fold(b.p[i]))
			return false;
	return true;
}

int view_cmp(struct view a, struct view b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	if (c)
		return c;
	return (a.n > b.n) - (a.n < b.n);
}

bool view_starts(struct view v, struct view prefix)
{
	return v.n >= prefix.n && view_eq(view_first(v, prefix.n), prefix);
}

bool view_starts_nocase(struct view v, struct view prefix)
{
	return v.n >= prefix.n && view_eq_nocase(view_first(v, prefix.n), prefix);
}

bool view_ends(struct view v, struct view suffix)
{
	return v.n >= suffix.n && view_eq(view_from(v, v.n - suffix.n), suffix);
}

size_t view_find(struct view v, char c, size_t from)
{
	const char *hit;

	if (from >= v.n)
		return v.n;
	hit = memchr(v.p + from, c, v.n - from);
	return hit ? (size_t)(hit - v.p) : v.n;
}

size_t view_find_view(struct view v, struct view needle, size_t from)
{
	if (needle.n == 0)
		return from < v.n ? from : v.n;
	while (from < v.n && v.n - from >= needle.n) {
		size_t i = view_find(v, needle.p[0], from);

		if (i >= v.n || v.n - i < needle.n)
			return v.n;
		if (memcmp(v.p + i, needle.p, needle.n) == 0)
			return i;
		from = i + 1;
	}
	return v.n;
}

static inline bool is_lws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct view view_trim(struct view v)
{
	while (v.n && is_lws(v.p[0])) {
		v.p++;
		v.n--;
	}
	while (v.n && is_lws(v.p[v.n - 1]))
		v.n--;
	return v;
}

struct view view_cut(struct view *rest, char c)
{
	size_t i = view_find(*rest, c, 0);
	struct view head = view_first(*rest, i);

	*rest = i < rest->n ? view_from(*rest, i + 1) : view_from(*rest, rest->n);
	return head;
}

int view_to_u64(struct view v, uint64_t *out)
{
	uint64_t x = 0;

	if (v.n == 0)
		return E_SYNTAX;
	for (size_t i = 0; i < v.n; i++) {
		unsigned d = (unsigned)((unsigned char)v.p[i] - (unsigned)'0');

		if (d > 9)
			return E_SYNTAX;
		if (x > (UINT64_MAX - d) / 10)
			return E_RANGE;
		x = x * 10 + d;
	}
	*out = x;
	return 0;
}

int view_to_u32(struct view v, uint32_t *out)
{
	uint64_t x;
	int rc = view_to_u64(v, &x);

	if (rc)
		return rc;
	if (x > UINT32_MAX)
		return E_RANGE;
	*out = (uint32_t)x;
	return 0;
}

char *view_dup(struct view v)
{
	char *s = malloc(v.n + 1);

	if (!s)
		return NULL;
	if (v.n)
		memcpy(s, v.p, v.n);
	s[v.n] = '\0';
	return s;
}

bool view_copy(struct view v, char *dst, size_t size)
{
	size_t n;

	if (size == 0)
		return false;
	n = v.n < size ? v.n : size - 1;
	if (n)
		memcpy(dst, v.p, n);
	dst[n] = '\0';
	return n == v.n;
}
