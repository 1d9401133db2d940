/* The torture messages of RFC 4475 and RFC 5118 in tests/data, for the tests of the whole stack. */
#ifndef CONFAB_TEST_TORTURE_FILES_H
#define CONFAB_TEST_TORTURE_FILES_H

#include "guard_page.h"

#include "base/view.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the first answer of an element is: a status; TORTURE_NOTHING; TORTURE_ON: it went on its
 * way. */
enum { TORTURE_NOTHING = 0, TORTURE_ON = 1 };

struct torture {
	const char *name; /* "rfc4475/wsinv" */
	int status;
	const char *with; /* something that stands in the answer */
};

/* The bytes end right before an unreadable page. first: a line that is put behind the start line of
 * a request, or "". */
static inline struct view torture_load(const char *name, const char *first)
{
	static char bytes[16384];
	char path[512], *end;
	size_t n, head;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.dat", TEST_DATA, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	assert_true(n > 0 && n + strlen(first) < sizeof(bytes));
	end = memmem(bytes, n, "\r\n", 2);
	if (*first && end && strncmp(bytes, "SIP/", 4) != 0) {
		head = (size_t)(end + 2 - bytes);
		memmove(bytes + head + strlen(first), bytes + head, n - head);
		memcpy(bytes + head, first, strlen(first));
		n += strlen(first);
	}
	return view_of(guard_copy(bytes, n), n);
}

/* The status of an answer, 0 of a request. What a message brought of zero bytes ends the text. */
static inline int torture_status(const char *text)
{
	return strncmp(text, "SIP/2.0 ", 8) == 0 ? atoi(text + 8) : 0;
}

/* text: what came of it first; NULL: nothing did. */
static inline void torture_judge(const struct torture *t, const char *text)
{
	if (!text || t->status == TORTURE_NOTHING) {
		if (text || t->status)
			fail_msg("%s: %s", t->name, text ? text : "no answer");
		return;
	}
	if (torture_status(text) != (t->status == TORTURE_ON ? 0 : t->status))
		fail_msg("%s: %s", t->name, text);
	if (t->with && !strstr(text, t->with))
		fail_msg("%s: no %s in %s", t->name, t->with, text);
}

static inline size_t torture_count(const char *folder)
{
	char path[512];
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", TEST_DATA, folder);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)))
		n += view_ends(view_str(e->d_name), VIEW(".dat"));
	closedir(d);
	return n;
}

#endif
