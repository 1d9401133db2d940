/* Two documents, parted by a NUL, applied one after the other. */
#include "body/conference_info.h"

#include "base/error.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void apply(struct conference_info *held, struct view xml)
{
	struct conference_info news, again;
	struct buf b;

	if (conference_info_parse(xml, &news))
		return;
	buf_init(&b, 1 << 22);
	conference_info_write(&b, &news);
	if (!buf_ok(&b) || conference_info_parse(buf_view(&b), &again))
		abort();
	if (again.n_users != news.n_users || again.version != news.version)
		abort();
	conference_info_free(&again);
	buf_fini(&b);
	(void)conference_info_apply(held, &news);
	conference_info_free(&news);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view rest = view_of((const char *)data, size);
	struct conference_info held = {0};

	while (rest.n)
		apply(&held, view_cut(&rest, '\0'));
	conference_info_free(&held);
	return 0;
}
