#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_MAX_BYTES = 1024 };

/* U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069. */
static bool is_obeyed(const unsigned char *s)
{
	if (s[0] == 0xd8)
		return s[1] == 0x9c;
	if (s[0] != 0xe2)
		return false;
	return s[1] == 0x80 ? s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xa8 && s[2] <= 0xae)
			    : s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9;
}

/* Length of the well-formed UTF-8 sequence of two bytes or more at s, 0 where there is none (RFC
 * 3629 §4). C1 controls, the line and paragraph separators and what changes the direction of text
 * count as none: some viewers obey them. */
static size_t letter(const unsigned char *s)
{
	unsigned low = 0x80, high = 0xbf;
	size_t n;

	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (s[0] == 0xc2 || s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return is_obeyed(s) ? 0 : n;
}

static void escape(const char *text, char *out, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *in = (const unsigned char *)text;
	size_t n = 0;

	while (*in && n + 5 < size) {
		size_t len = *in >= 0x20 && *in < 0x7f ? 1 : letter(in);

		if (len) {
			memcpy(out + n, in, len);
			n += len;
			in += len;
		} else {
			out[n++] = '\\';
			out[n++] = 'x';
			out[n++] = hex[*in >> 4];
			out[n++] = hex[*in++ & 15];
		}
	}
	out[n] = '\0';
}

void log_line(const struct log *log, enum log_level level, const char *room, const char *fmt, ...)
{
	char raw[LINE_MAX_BYTES], line[LINE_MAX_BYTES * 2];
	va_list ap;

	if (!log || !log->write || level > log->level)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	escape(raw, line, sizeof(line));
	log->write(log->ctx, level, room, line);
}
