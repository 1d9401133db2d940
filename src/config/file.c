#include "config/file.h"

#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void config_mistake(struct config_mistakes *mistakes, unsigned line, const char *key,
		    const char *fmt, ...)
{
	char *dst = mistakes->text[mistakes->n];
	size_t n = 0;
	va_list ap;

	mistakes->total++;
	if (mistakes->n == CONFIG_MISTAKES_MAX)
		return;
	mistakes->n++;
	if (line)
		n += (size_t)snprintf(dst, CONFIG_MISTAKE_TEXT_MAX, "line %u: ", line);
	if (key[0])
		n += (size_t)snprintf(dst + n, CONFIG_MISTAKE_TEXT_MAX - n, "%.64s: ", key);
	va_start(ap, fmt);
	(void)vsnprintf(dst + n, CONFIG_MISTAKE_TEXT_MAX - n, fmt, ap);
	va_end(ap);
	for (; *dst; dst++)
		if ((unsigned char)*dst < 0x20 || *dst == 0x7f)
			*dst = '?';
}

/* Without a comment: a # at the start or after a blank, outside quotes. */
static struct view without_comment(struct view line)
{
	bool quoted = false;

	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] == '"')
			quoted = !quoted;
		if (line.p[i] == '#' && !quoted &&
		    (i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
			return view_first(line, i);
	}
	return line;
}

/* Takes the quotes off a value. E_SYNTAX where there is but one, or one in the middle. */
static int unquote(struct view *value)
{
	struct view v = *value;
	size_t quote = view_find(v, '"', 0);

	if (quote == v.n)
		return 0;
	if (quote != 0 || view_find(v, '"', 1) != v.n - 1 || v.n < 2)
		return E_SYNTAX;
	*value = view_of(v.p + 1, v.n - 2);
	return 0;
}

static void unknown_key(const struct option_table *table, struct view key, unsigned line,
			struct config_mistakes *mistakes)
{
	const char *nearest = option_nearest(table, key);

	if (nearest)
		config_mistake(mistakes, line, "", "%.*s: there is no such key; did you mean %s?",
			       VIEW_ARG(view_first(key, 64)), nearest);
	else
		config_mistake(mistakes, line, "", "%.*s: there is no such key",
			       VIEW_ARG(view_first(key, 64)));
}

/* lines is NULL for a command line, where a key may be set again. */
static void read_setting(const struct option_table *table, struct view key, struct view value,
			 void *bound, unsigned line, struct config_lines *lines,
			 struct config_mistakes *mistakes)
{
	const struct option_spec *spec = option_find(table, key);
	unsigned *set_in;
	char why[OPTION_WHY_MAX];

	if (!spec) {
		unknown_key(table, key, line, mistakes);
		return;
	}
	if (lines) {
		set_in = &lines->line[spec - table->specs];
		if (*set_in) {
			config_mistake(mistakes, line, spec->key, "is set already in line %u",
				       *set_in);
			return;
		}
		*set_in = line;
	}
	if (unquote(&value))
		config_mistake(mistakes, line, spec->key,
			       "quotes must stand around the whole value");
	else if (option_parse(spec, value, bound, why))
		config_mistake(mistakes, line, spec->key, "%s", why);
}

static void read_line(const struct option_table *table, struct view text, void *bound,
		      unsigned line, struct config_lines *lines, struct config_mistakes *mistakes)
{
	size_t equals;

	if (view_find(text, '\0', 0) < text.n) {
		config_mistake(mistakes, line, "", "holds a NUL byte");
		return;
	}
	text = view_trim(without_comment(text));
	if (text.n == 0)
		return;
	equals = view_find(text, '=', 0);
	if (text.p[0] == '[')
		config_mistake(mistakes, line, "",
			       "there are no sections: write section.key = value");
	else if (equals == text.n || equals == 0)
		config_mistake(mistakes, line, "", "is not of the form key = value");
	else
		read_setting(table, view_trim(view_first(text, equals)),
			     view_trim(view_from(text, equals + 1)), bound, line, lines, mistakes);
}

int config_text_read(const struct option_table *table, struct view text, void *bound,
		     struct config_lines *lines, struct config_mistakes *mistakes)
{
	size_t before = mistakes->total;
	unsigned line = 0;

	/* The mark that some editors put first. */
	if (view_starts(text, VIEW("\xef\xbb\xbf")))
		text = view_from(text, 3);
	while (text.n)
		read_line(table, view_cut(&text, '\n'), bound, ++line, lines, mistakes);
	return mistakes->total == before ? 0 : E_SYNTAX;
}

int config_file_read(const struct option_table *table, const char *path, void *bound,
		     struct config_lines *lines, struct config_mistakes *mistakes)
{
	FILE *file = fopen(path, "re");
	char *text = file ? malloc(CONFIG_FILE_MAX + 1) : NULL;
	size_t n;
	int rc;

	if (!file) {
		config_mistake(mistakes, 0, "", "%s: %s", path, strerror(errno));
		return E_IO;
	}
	if (!text) {
		rc = E_NOMEM;
		config_mistake(mistakes, 0, "", "%s: %s", path, error_text(rc));
		goto out;
	}
	errno = 0;
	n = fread(text, 1, CONFIG_FILE_MAX + 1, file);
	if (ferror(file)) {
		rc = E_IO;
		config_mistake(mistakes, 0, "", "%s: %s", path, strerror(errno));
	} else if (n > CONFIG_FILE_MAX) {
		rc = E_LIMIT;
		config_mistake(mistakes, 0, "", "%s: is larger than %d bytes", path,
			       CONFIG_FILE_MAX);
	} else {
		rc = config_text_read(table, view_of(text, n), bound, lines, mistakes);
	}
out:
	free(text);
	(void)fclose(file);
	return rc;
}

int config_setting_read(const struct option_table *table, struct view setting, void *bound,
			struct config_mistakes *mistakes)
{
	size_t before = mistakes->total, equals = view_find(setting, '=', 0);

	if (equals == setting.n)
		config_mistake(mistakes, 0, "", "%.*s: is not of the form key=value",
			       VIEW_ARG(view_first(setting, 64)));
	else
		read_setting(table, view_trim(view_first(setting, equals)),
			     view_trim(view_from(setting, equals + 1)), bound, 0, NULL, mistakes);
	return mistakes->total == before ? 0 : E_SYNTAX;
}

unsigned config_line_of(const struct option_table *table, const struct config_lines *lines,
			const char *key)
{
	const struct option_spec *spec = option_find(table, view_str(key));

	return spec ? lines->line[spec - table->specs] : 0;
}
