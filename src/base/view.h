/*
 * A view is a borrowed run of bytes: pointer and length, never owned, never
 * NUL-terminated. It lives as long as the buffer it points into; the function
 * that hands one out says which buffer that is.
 *
 * base includes nothing but the C library.
 */
#ifndef CONFAB_BASE_VIEW_H
#define CONFAB_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct view {
	const char *p;
	size_t n;
};

/* A view of a string literal; the length is known at compile time. */
#define VIEW(lit) ((struct view){(lit), sizeof(lit) - 1})
/* For printf's "%.*s". Text is cut at INT_MAX bytes. */
#define VIEW_ARG(v) (int)((v).n > 0x7fffffff ? 0x7fffffff : (v).n), (v).p ? (v).p : ""

static inline struct view view_of(const char *p, size_t n)
{
	return (struct view){p, n};
}

/* A view of a NUL-terminated string; NULL gives the empty view. */
static inline struct view view_str(const char *s)
{
	return (struct view){s, s ? strlen(s) : 0};
}

static inline bool view_empty(struct view v)
{
	return v.n == 0;
}

static inline bool view_eq(struct view a, struct view b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* The rest of v from offset at (clamped to the end). */
static inline struct view view_from(struct view v, size_t at)
{
	if (at > v.n)
		at = v.n;
	/* Adding even 0 to NULL is undefined. */
	return at ? (struct view){v.p + at, v.n - at} : v;
}

/* The first n bytes of v (clamped). */
static inline struct view view_first(struct view v, size_t n)
{
	return (struct view){v.p, n < v.n ? n : v.n};
}

/* ASCII case folded comparison. */
bool view_eq_nocase(struct view a, struct view b);
/* Byte order, shorter first on a tie: <0, 0, >0. */
int view_cmp(struct view a, struct view b);
bool view_starts(struct view v, struct view prefix);
bool view_starts_nocase(struct view v, struct view prefix);
bool view_ends(struct view v, struct view suffix);
/* Index of the first c at or after from; v.n where there is none. */
size_t view_find(struct view v, char c, size_t from);
/* Index of the first needle at or after from; v.n where there is none. */
size_t view_find_view(struct view v, struct view needle, size_t from);
/* Without leading and trailing SP, HTAB, CR and LF (covers folded lines). */
struct view view_trim(struct view v);
/* Cuts off and returns what stands before the first c; *rest keeps what comes
 * after it. Without a c all of it is returned and *rest becomes empty. */
struct view view_cut(struct view *rest, char c);
/* Whole of v as a decimal number: 0, or E_RANGE on overflow, E_SYNTAX on anything
 * but digits or on nothing. *out is untouched on failure. */
int view_to_u64(struct view v, uint64_t *out);
int view_to_u32(struct view v, uint32_t *out);
/* A NUL-terminated heap copy (free with free); NULL when memory ran out. */
char *view_dup(struct view v);
/* Copies at most size-1 bytes and a NUL; false when it had to be cut (or size is 0). */
bool view_copy(struct view v, char *dst, size_t size);

#endif
