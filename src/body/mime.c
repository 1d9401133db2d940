#include "body/mime.h"

#include "base/error.h"

bool mime_has_control(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7f)
			return true;
	return false;
}

bool mime_line_next(struct view *rest, struct view *line)
{
	size_t end = view_find(*rest, '\n', 0);

	if (end == rest->n)
		return false;
	*line = view_first(*rest, end && rest->p[end - 1] == '\r' ? end - 1 : end);
	*rest = view_from(*rest, end + 1);
	return true;
}

static bool line_clean(struct view line)
{
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

bool mime_is_field(struct view line)
{
	size_t colon = view_find(line, ':', 0);

	if (colon == 0 || colon == line.n)
		return false;
	for (size_t i = 0; i < colon; i++)
		if (line.p[i] <= ' ' || line.p[i] >= 0x7f)
			return false;
	return line_clean(line);
}

/* As mime_line_next, and takes a last line without its end. */
static bool any_line_next(struct view *rest, struct view *line)
{
	if (mime_line_next(rest, line))
		return true;
	if (rest->n == 0)
		return false;
	*line = *rest;
	*rest = view_from(*rest, rest->n);
	return true;
}

bool mime_field_next(struct view *rest, struct view *name, struct view *value)
{
	struct view at = *rest, line, all;
	size_t colon;

	if (!any_line_next(&at, &line) || !mime_is_field(line))
		return false;
	all = line;
	*rest = at;
	while (at.n && (at.p[0] == ' ' || at.p[0] == '\t') && any_line_next(&at, &line)) {
		if (!line_clean(line))
			return false;
		all.n = (size_t)(line.p + line.n - all.p);
		*rest = at;
	}
	colon = view_find(all, ':', 0);
	*name = view_first(all, colon);
	*value = view_trim(view_from(all, colon + 1));
	return true;
}

static struct view without_brackets(struct view v)
{
	if (v.n >= 2 && v.p[0] == '<' && v.p[v.n - 1] == '>')
		return view_of(v.p + 1, v.n - 2);
	return v;
}

int mime_fields_parse(struct view headers, struct mime_fields *out)
{
	struct mime_fields f = {0};
	struct {
		struct view name;
		struct view *to;
	} known[] = {
		{VIEW("Content-Type"), &f.content_type},
		{VIEW("Content-Disposition"), &f.content_disposition},
		{VIEW("Content-ID"), &f.content_id},
		{VIEW("Content-Transfer-Encoding"), &f.content_transfer_encoding},
		{VIEW("Content-Encoding"), &f.content_encoding},
	};
	struct view name, value;

	while (mime_field_next(&headers, &name, &value))
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (view_empty(*known[i].to) && view_eq_nocase(name, known[i].name))
				*known[i].to = value;
	if (headers.n)
		return E_SYNTAX;
	f.content_id = without_brackets(f.content_id);
	*out = f;
	return 0;
}

bool mime_value_is(struct view value, struct view token)
{
	return view_eq_nocase(view_trim(view_cut(&value, ';')), token);
}

/* Index of the first ';' outside quotes; v.n where there is none. */
static size_t find_semicolon(struct view v)
{
	bool quoted = false;

	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '"')
			quoted = !quoted;
		else if (quoted && v.p[i] == '\\')
			i++;
		else if (!quoted && v.p[i] == ';')
			return i;
	}
	return v.n;
}

bool mime_param(struct view value, struct view name, struct view *out)
{
	while (value.n) {
		struct view part, key;

		value = view_from(value, find_semicolon(value) + 1);
		part = view_first(value, find_semicolon(value));
		key = view_trim(view_cut(&part, '='));
		if (!view_eq_nocase(key, name))
			continue;
		part = view_trim(part);
		if (part.n >= 2 && part.p[0] == '"' && part.p[part.n - 1] == '"')
			part = view_of(part.p + 1, part.n - 2);
		*out = part;
		return true;
	}
	return false;
}
