#include "io/log.h"

#include "base/error.h"
#include "io/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 3072 };

static const char *const level_names[] = {"error", "warn", "info", "debug"};

enum { N_LEVELS = sizeof(level_names) / sizeof(level_names[0]) };

static void write_line(void *ctx, enum log_level level, const char *room, const char *text)
{
	struct io_log *l = ctx;
	char line[LINE_MAX_BYTES];
	uint64_t now = io_wall_ms();
	time_t seconds = (time_t)(now / 1000);
	struct tm t = {0};
	size_t n = 0;
	ssize_t done;
	int more;

	(void)gmtime_r(&seconds, &t);
	if (atomic_load(&l->cut))
		line[n++] = '\n';
	n += strftime(line + n, sizeof(line) - n, "%Y-%m-%dT%H:%M:%S", &t);
	more = snprintf(line + n, sizeof(line) - n, ".%03uZ %-5s %s: %s", (unsigned)(now % 1000),
			(unsigned)level < N_LEVELS ? level_names[level] : "?", room, text);
	if (more < 0)
		return;
	n += (size_t)more;
	if (n > sizeof(line) - 1)
		n = sizeof(line) - 1;
	line[n++] = '\n';
	/* There is nowhere to report a failure to. A full disk may have taken a part. */
	done = write(l->fd, line, n);
	if (done > 0)
		atomic_store(&l->cut, (size_t)done < n);
}

static int open_file(const char *path, int *fd_out)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	if (fd < 0)
		return errno == ENOENT ? E_IO : io_error(errno);
	*fd_out = fd;
	return 0;
}

int io_log_open(struct io_log *l, const char *path, enum log_level level)
{
	int rc;

	*l = (struct io_log){.log = {.level = level, .write = write_line, .ctx = l},
			     .fd = STDERR_FILENO};
	if (!path)
		return 0;
	l->path = view_dup(view_str(path));
	if (!l->path)
		return E_NOMEM;
	rc = open_file(path, &l->fd);
	if (rc) {
		free(l->path);
		l->path = NULL;
		return rc;
	}
	l->owned = true;
	return 0;
}

int io_log_reopen(struct io_log *l)
{
	int fd = -1, rc;

	if (!l->owned)
		return 0;
	rc = open_file(l->path, &fd);
	if (rc)
		return rc;
	/* In one step under the same number: writers on other threads see the old file or the new.
	 */
	rc = dup3(fd, l->fd, O_CLOEXEC) < 0 ? io_error(errno) : 0;
	(void)close(fd);
	if (rc == 0)
		atomic_store(&l->cut, false);
	return rc;
}

void io_log_close(struct io_log *l)
{
	if (l->owned)
		(void)close(l->fd);
	free(l->path);
	l->path = NULL;
	l->owned = false;
	l->fd = STDERR_FILENO;
}

int io_log_level_parse(struct view text, enum log_level *out)
{
	for (unsigned i = 0; i < N_LEVELS; i++) {
		if (view_eq_nocase(text, view_str(level_names[i]))) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return E_SYNTAX;
}
