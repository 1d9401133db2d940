#include "admin/trace.h"

#include "base/buf.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

enum { FIELD_MAX = 256 };

struct trace {
	pthread_mutex_t lock;
	int fd;
	bool cut; /* the last line was not written to its end; under lock */
	char *who;
	struct buf line; /* under lock */
};

int trace_open(const char *path, const char *who, struct trace **out)
{
	struct trace *t;

	if (!path || !path[0])
		return E_MISSING;
	t = calloc(1, sizeof(*t));
	if (!t)
		return E_NOMEM;
	t->who = view_dup(view_first(view_str(who), FIELD_MAX));
	if (!t->who || pthread_mutex_init(&t->lock, NULL)) {
		free(t->who);
		free(t);
		return E_NOMEM;
	}
	buf_init(&t->line, TRACE_LINE_MAX + 1);
	t->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (t->fd < 0) {
		int rc = errno == EACCES || errno == EPERM ? E_DENIED
			 : errno == ENOENT		   ? E_NOTFOUND
							   : E_IO;

		trace_close(t);
		return rc;
	}
	*out = t;
	return 0;
}

void trace_close(struct trace *t)
{
	if (!t)
		return;
	if (t->fd >= 0)
		(void)close(t->fd);
	(void)pthread_mutex_destroy(&t->lock);
	buf_fini(&t->line);
	free(t->who);
	free(t);
}

static size_t escaped_size(char c)
{
	uint8_t b = (uint8_t)c;

	if (b == '"' || b == '\\' || b == '\n' || b == '\r' || b == '\t')
		return 2;
	return b < 0x20 || b >= 0x7f ? 6 : 1;
}

static void put_escaped(struct buf *b, struct view v)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < v.n; i++) {
		char c = v.p[i], e[6] = {'\\', 'u', '0', '0'};
		size_t n = escaped_size(c);

		e[4] = hex[(uint8_t)c >> 4];
		e[5] = hex[(uint8_t)c & 15];
		if (n == 1)
			e[0] = c;
		else if (n == 2)
			e[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c;
		buf_put(b, view_of(e, n));
	}
}

static void put_member(struct buf *b, const char *key, struct view value)
{
	buf_putf(b, ",\"%s\":\"", key);
	put_escaped(b, value);
	buf_putc(b, '"');
}

/* How many bytes fit into room once they are escaped. */
static size_t fitting(struct view bytes, size_t room)
{
	size_t n = 0;

	while (n < bytes.n && escaped_size(bytes.p[n]) <= room)
		room -= escaped_size(bytes.p[n++]);
	return n;
}

static void put_line(struct trace *t, char dir, const char *const field[4], struct view bytes)
{
	static const char *const key[] = {"proto", "transport", "local", "remote"};
	struct buf *b = &t->line;
	struct timeval now;
	size_t n;

	(void)gettimeofday(&now, NULL);
	buf_putf(b, "{\"t\":%lld.%06ld", (long long)now.tv_sec, (long)now.tv_usec);
	put_member(b, "who", view_str(t->who));
	put_member(b, "dir", view_of(&dir, 1));
	for (size_t i = 0; i < 4; i++)
		put_member(b, key[i], view_first(view_str(field[i]), FIELD_MAX));
	/* What surrounds the bytes is five fields of FIELD_MAX times six, far below the cap. */
	n = fitting(bytes, TRACE_LINE_MAX - b->n - 64);
	if (n < bytes.n)
		buf_putf(b, ",\"cut\":true,\"size\":%zu", bytes.n);
	put_member(b, "bytes", view_first(bytes, n));
	buf_puts(b, "}\n");
}

void trace_write(struct trace *t, char dir, const char *proto, const char *transport,
		 const char *local, const char *remote, struct view bytes)
{
	const char *const field[4] = {proto, transport, local, remote};
	ssize_t done;

	if (!t)
		return;
	(void)pthread_mutex_lock(&t->lock);
	buf_reset(&t->line);
	if (t->cut)
		buf_putc(&t->line, '\n');
	put_line(t, dir, field, bytes);
	if (buf_ok(&t->line)) {
		do
			done = write(t->fd, t->line.p, t->line.n);
		while (done < 0 && errno == EINTR);
		/* A full disk may have taken a part. */
		if (done > 0)
			t->cut = (size_t)done < t->line.n;
	}
	(void)pthread_mutex_unlock(&t->lock);
}
