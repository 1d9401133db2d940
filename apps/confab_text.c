/* Names and texts as a person reads and writes them. */
#include "confab_app.h"

#include <stdlib.h>

enum { NAME_MAX_BYTES = 4096, ADDRESS_MAX_BYTES = 8192 };

static const char replacement[] = "\xef\xbf\xbd";

/* The length of the UTF-8 sequence at the start of v (its code point in *cp), 0 when there is none.
 */
static size_t utf8_one(struct view v, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t b = (uint8_t)v.p[0];
	size_t n = b < 0x80 ? 1 : (b >> 5) == 6 ? 2 : (b >> 4) == 14 ? 3 : (b >> 3) == 30 ? 4 : 0;
	uint32_t x = n < 2 ? b : b & (0x7fu >> n);

	if (n == 0 || n > v.n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (((uint8_t)v.p[i] & 0xc0) != 0x80)
			return 0;
		x = x << 6 | ((uint8_t)v.p[i] & 0x3f);
	}
	if ((n > 1 && x < least[n]) || x > 0x10ffff || (x >= 0xd800 && x < 0xe000))
		return 0;
	*cp = x;
	return n;
}

bool text_is_utf8(struct view text)
{
	uint32_t cp;
	size_t n;

	for (; text.n; text = view_from(text, n)) {
		n = utf8_one(text, &cp);
		if (!n)
			return false;
	}
	return true;
}

static bool harmless(uint32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
		return false;
	/* Embeddings, overrides and isolates; line and paragraph separators; what is not seen and
	 * makes one name look like another (the joiners are left: scripts and emoji need them). */
	return !(cp >= 0x2028 && cp <= 0x202e) && !(cp >= 0x2060 && cp <= 0x206f) &&
	       !(cp >= 0xfff9 && cp <= 0xfffb) && cp != 0x200b && cp != 0x200e && cp != 0x200f &&
	       cp != 0x61c && cp != 0xad && cp != 0x180e && cp != 0xfeff && cp != 0xe0001;
}

void text_clean(struct buf *out, struct view text)
{
	uint32_t cp = 0;
	size_t n;

	while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	for (; text.n; text = view_from(text, n)) {
		n = utf8_one(text, &cp);
		if (n && (harmless(cp) || cp == '\t')) {
			buf_put(out, view_first(text, n));
		} else if (n && cp == '\n') {
			buf_puts(out, "\n    ");
		} else if (n && cp == '\r' && text.n > 1 && text.p[1] == '\n') {
			continue;
		} else {
			buf_puts(out, replacement);
		}
		n = n ? n : 1;
	}
}

static bool has_scheme(struct view word)
{
	static const char *const scheme[] = {"sip:", "sips:", "tel:", "im:", "pres:"};

	for (size_t i = 0; i < sizeof(scheme) / sizeof(scheme[0]); i++)
		if (view_starts_nocase(word, view_str(scheme[i])))
			return true;
	return false;
}

char *text_address(const char *domain, struct view word)
{
	struct buf b;
	char *s;
	size_t n;

	if (!word.n || word.n > NAME_MAX_BYTES)
		return NULL;
	for (size_t i = 0; i < word.n; i++)
		if ((uint8_t)word.p[i] <= ' ' || word.p[i] == 0x7f || word.p[i] == '<' ||
		    word.p[i] == '>' || word.p[i] == '"')
			return NULL;
	if (has_scheme(word))
		return view_dup(word);
	buf_init(&b, ADDRESS_MAX_BYTES);
	buf_puts(&b, "sip:");
	buf_put(&b, word);
	if (view_find(word, '@', 0) == word.n) {
		buf_putc(&b, '@');
		buf_puts(&b, domain);
	}
	buf_putc(&b, '\0');
	s = buf_take(&b, &n);
	if (!s)
		buf_fini(&b);
	return s;
}

void text_name(struct buf *out, const char *domain, const char *uri)
{
	struct view rest = view_str(uri), host, user;
	struct buf one;

	while (rest.n && (rest.p[0] == '<' || rest.p[0] == ' '))
		rest = view_from(rest, 1);
	if (view_starts_nocase(rest, VIEW("sip:")))
		rest = view_from(rest, 4);
	rest = view_first(rest, view_find(rest, ';', 0));
	rest = view_first(rest, view_find(rest, '>', 0));
	host = rest;
	user = view_cut(&host, '@');
	buf_init(&one, NAME_MAX_BYTES);
	if (host.n && (view_eq_nocase(host, view_str(domain)) ||
		       view_eq_nocase(host, VIEW("anonymous.invalid")))) {
		buf_put(&one, user);
		if (one.n && one.p[0] >= 'a' && one.p[0] <= 'z')
			one.p[0] = (char)(one.p[0] - 'a' + 'A');
	} else {
		buf_put(&one, rest);
	}
	text_clean(out, buf_ok(&one) ? buf_view(&one) : view_str("?"));
	buf_fini(&one);
}
