#include "body/sipfrag.h"

#include "base/error.h"
#include "body/mime.h"

void sipfrag_write(struct buf *b, int status, struct view reason)
{
	if (status < 100 || status > 699 || mime_has_control(reason)) {
		b->failed = true;
		return;
	}
	buf_putf(b, "SIP/2.0 %d ", status);
	buf_put(b, reason);
	buf_puts(b, "\r\n");
}

int sipfrag_parse(struct view bytes, struct sipfrag *out)
{
	struct view line = view_cut(&bytes, '\n');
	struct view lead = VIEW("SIP/2.0 "), number;
	uint32_t status;

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (!view_starts_nocase(line, lead))
		return E_SYNTAX;
	line = view_from(line, lead.n);
	number = view_cut(&line, ' ');
	if (number.n != 3 || view_to_u32(number, &status) || status < 100 || status > 699 ||
	    mime_has_control(line))
		return E_SYNTAX;
	*out = (struct sipfrag){.status = (int)status, .reason = view_trim(line)};
	return 0;
}
