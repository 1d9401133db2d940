/* Any bytes as the header lines of a part. */
#include "body/mime.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct view whole, struct view v)
{
	if (v.n && (v.p < whole.p || v.p + v.n > whole.p + whole.n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view whole = view_of((const char *)data, size), rest = whole, name, value;
	struct mime_fields f;

	while (mime_line_next(&rest, &value))
		(void)mime_is_field(value);
	rest = whole;
	while (mime_field_next(&rest, &name, &value)) {
		inside(whole, name);
		inside(whole, value);
		(void)mime_value_is(value, VIEW("text/plain"));
		if (mime_param(value, VIEW("charset"), &name))
			inside(whole, name);
		(void)mime_has_control(value);
	}
	if (mime_fields_parse(whole, &f) == 0) {
		inside(whole, f.content_type);
		inside(whole, f.content_id);
	}
	return 0;
}
